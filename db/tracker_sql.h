/*
 * The columns of struct ct_tracker for cat c at care day d.day, to be joined
 * by the compiler into the statements that answer with it.
 */
#ifndef CT_DB_TRACKER_SQL_H
#define CT_DB_TRACKER_SQL_H

/* offset 0 keeps the planner from computing the day once per mention. */
#define TRACKER_TODAY                                                          \
	" cross join lateral (select ct_care_day(now(), c.timezone,"           \
	" c.day_start) as day offset 0) d"

/* As ct_target() has it, written out: a function here is planned per call. */
#define TRACKER_TARGET                                                         \
	"coalesce((select g.amount_ul from daily_target g"                     \
	" where g.cat_id = c.id and g.effective_from <= d.day"                 \
	" order by g.effective_from desc limit 1),"                            \
	" (select g.amount_ul from daily_target g where g.cat_id = c.id"       \
	" order by g.effective_from limit 1), 210000)"

#define TRACKER_FROM                                                           \
	" cross join lateral (select count(*) as n,"                           \
	" coalesce(sum(f.amount_ul), 0)::bigint as ul,"                        \
	" max(f.given_at) as at from feeding f where f.cat_id = c.id"          \
	" and f.care_day = d.day and f.deleted_at is null) t"                  \
	" left join lateral (select f.given_at, f.amount_ul,"                  \
	" f.by_account, coalesce(b.first_name, '') as name"                    \
	" from feeding f left join account b on b.id = f.by_account"           \
	" where f.cat_id = c.id and f.deleted_at is null"                      \
	" order by f.given_at desc, f.id desc limit 1) l on true"

#define TRACKER_COLS                                                           \
	"c.id as t_cat, d.day as t_day,"                                       \
	" to_char(c.day_start, 'HH24:MI') as t_day_start,"                     \
	" ct_day_start(d.day, c.timezone, c.day_start) as t_starts_at,"        \
	" ct_day_start(d.day + 1, c.timezone, c.day_start) as t_ends_at,"      \
	" " TRACKER_TARGET " as t_target, t.ul as t_fed,"                      \
	" t.n as t_feedings, t.at as t_updated, c.weight_g as t_weight,"       \
	" l.given_at as t_last_at, l.amount_ul as t_last_ul,"                  \
	" l.by_account as t_last_by, l.name as t_last_by_name"

#endif
