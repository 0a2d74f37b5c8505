/*
 * Which answers of the daily look at the tube are red (CARE.md 3.8): they go to
 * the vet's report and are told at once, without a diagnosis. An answer that
 * was not given is never red. Sources: dressing, swelling, thick or coloured
 * discharge, sutures, sliding: allfelinehospital.com, Breheny 2019 (discharge
 * predicts infection); cap: kittykollar.com; clear drainage is normal. That a
 * mark moves by over half a centimetre is a product choice.
 */
#ifndef CT_CARE_TUBE_H
#define CT_CARE_TUBE_H

#include "common/base.h"

enum ct_tube_item {
	CT_TUBE_CAP,
	CT_TUBE_DRESSING,
	CT_TUBE_SKIN,
	CT_TUBE_DISCHARGE,
	CT_TUBE_SMELL,
	CT_TUBE_SUTURE,
	CT_TUBE_MARK,
	CT_TUBE_PATENT,
	CT_TUBE_COLLAR,
	CT_TUBE_INCIDENT,
	CT_TUBE_ITEMS
};

/* 1: yes; 0: no; CT_NULL_I64: not looked at. */
struct ct_tube_look {
	int64_t cap_on, dressing_soiled, skin_sore, discharge_coloured, smell,
	    suture_holding, patent, collar_ok, incident;
	int64_t mark_mcm;      /* thousandths of a centimetre, CT_NULL_I64 */
	int64_t last_mark_mcm; /* of the check before; CT_NULL_I64: none */
};

/* Bit i: enum ct_tube_item i is red. */
unsigned ct_tube_red(const struct ct_tube_look *look);
/* "cap_on", "dressing", …: the item's name as the field has it. */
const char *ct_tube_item_name(enum ct_tube_item i);

#endif
