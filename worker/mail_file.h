/*
 * The report that a mail brings, as a file beside its text.
 */
#ifndef CT_WORKER_MAIL_FILE_H
#define CT_WORKER_MAIL_FILE_H

#include "db/report_schedule.h"
#include "worker/job.h"
#include "worker/mime.h"

/*
 * Read it whole; it lives on the job's arena. *fits false: it is larger than
 * CATETUBE_MAIL_ATTACH_KIB and was not read. CT_NOTFOUND: the report or its
 * file is gone. CT_RETRY, code "storage": it could not be read. Blocks.
 */
enum ct_rc ct_mail_file(struct ct_job *job, const struct ct_uuid *report,
    struct ct_mime_file *out, bool *fits, struct ct_err *err) CT_MUSTCHECK;

#endif
