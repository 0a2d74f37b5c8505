/* Looking into a finished zip archive. */
#ifndef CT_WORKER_ZIP_CHECK_H
#define CT_WORKER_ZIP_CHECK_H

#include "common/base.h"

/*
 * The unpacked size of one member as the archive's directory has it; -1 where
 * path is no zip archive or has no such member.
 */
int64_t ct_zip_size(const char *path, const char *member);

#endif
