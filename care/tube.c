/* Which answers about the tube are red; see tube.h. */
#include "care/tube.h"

#define MARK_MOVED_MCM 500

static const char *const names[CT_TUBE_ITEMS] = {
    [CT_TUBE_CAP] = "cap_on",
    [CT_TUBE_DRESSING] = "dressing",
    [CT_TUBE_SKIN] = "skin",
    [CT_TUBE_DISCHARGE] = "discharge",
    [CT_TUBE_SMELL] = "smell",
    [CT_TUBE_SUTURE] = "suture_holding",
    [CT_TUBE_MARK] = "mark_cm",
    [CT_TUBE_PATENT] = "patent",
    [CT_TUBE_COLLAR] = "collar_ok",
    [CT_TUBE_INCIDENT] = "incident",
};

static bool
mark_moved(const struct ct_tube_look *l)
{
	int64_t diff;

	if (l->mark_mcm == CT_NULL_I64 || l->last_mark_mcm == CT_NULL_I64)
		return false;
	diff = l->mark_mcm - l->last_mark_mcm;
	return diff > MARK_MOVED_MCM || diff < -MARK_MOVED_MCM;
}

unsigned
ct_tube_red(const struct ct_tube_look *l)
{
	const bool red[CT_TUBE_ITEMS] = {
	    [CT_TUBE_CAP] = l->cap_on == 0,
	    [CT_TUBE_DRESSING] = l->dressing_soiled == 1,
	    [CT_TUBE_SKIN] = l->skin_sore == 1,
	    [CT_TUBE_DISCHARGE] = l->discharge_coloured == 1,
	    [CT_TUBE_SMELL] = l->smell == 1,
	    [CT_TUBE_SUTURE] = l->suture_holding == 0,
	    [CT_TUBE_MARK] = mark_moved(l),
	    [CT_TUBE_PATENT] = l->patent == 0,
	    [CT_TUBE_COLLAR] = l->collar_ok == 0,
	    [CT_TUBE_INCIDENT] = l->incident == 1,
	};
	unsigned bits = 0;

	for (unsigned i = 0; i < CT_TUBE_ITEMS; i++)
		bits |= (unsigned)red[i] << i;
	return bits;
}

const char *
ct_tube_item_name(enum ct_tube_item i)
{
	return names[i];
}
