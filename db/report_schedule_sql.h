/*
 * For the statements that end a report: the mail that its schedule asked for,
 * in the same statement, to whoever still takes care of the cat.
 */
#ifndef CT_DB_REPORT_SCHEDULE_SQL_H
#define CT_DB_REPORT_SCHEDULE_SQL_H

#include "db/mail.h"

/*
 * CTEs. r (id): the reports that end in this statement. kind: of the mail, an
 * SQL literal.
 */
#define CT_REPORT_MAIL(kind)                                                   \
	" told as (select gen_random_uuid() as mail, x.id, a.id as account,"   \
	" c.id as cat, a.email, jsonb_build_object('name', a.first_name,"      \
	" 'cat', coalesce(nullif(c.name, ''), 'your cat'), 'what', x.kind,"    \
	" 'from', coalesce(to_char(x.date_from, 'YYYY-MM-DD'), ''),"           \
	" 'to', coalesce(to_char(x.date_to, 'YYYY-MM-DD'), '')) as args"       \
	" from r join report x on x.id = r.id and x.schedule_id is not null"   \
	" join account a on a.id = x.account_id and a.status = 'active'"       \
	" and a.email_verified_at is not null join cat c on c.id = x.cat_id"   \
	" join cat_member m on m.cat_id = c.id and m.account_id = a.id),"      \
	" letter as (insert into mail (id, account_id, cat_id, kind,"          \
	" to_address, args, report_id) select t.mail, t.account, t.cat, " kind \
	", t.email, t.args, t.id from told t),"                                \
	" posted as (insert into job_outbox (id, task, queue, kwargs)"         \
	" select t.mail, '" CT_MAIL_TASK "', '" CT_MAIL_QUEUE "',"             \
	" jsonb_build_object('mail_id', t.mail) from told t)"

#endif
