/* Between the files of account.export. */
#ifndef CT_WORKER_EXPORT_H
#define CT_WORKER_EXPORT_H

#include "db/export.h"

/* "cat-01": the directory of the cat with that index. */
#define CT_CAT_DIR "cat-%02d"

/* The README of an archive: what each file and field is. */
struct ct_str ct_export_readme(struct ct_arena *a,
    const struct ct_archive_nouns *nouns, const struct ct_cat *cats, int n,
    int64_t made_at_us);

#endif
