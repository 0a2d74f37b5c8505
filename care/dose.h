/*
 * Doses. What a minimum interval is depends on the medicine and is the vet's to
 * say; without one, the same medicine again within this many hours is worth a
 * question (product choice). No drug dosing advice.
 */
#ifndef CT_CARE_DOSE_H
#define CT_CARE_DOSE_H

#define CT_DOSE_GAP_H 4

#endif
