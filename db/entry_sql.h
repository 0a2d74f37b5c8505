/*
 * SQL text that the statements of every entry kind share, as literals to be
 * joined by the compiler, and the rows made of it. Parameters of the macros:
 *
 *   T        the table
 *   SIG      one letter per column of its own, as in struct ct_stmt
 *   OWN      those columns, "x, y"; COLS: the same as "e.x, e.y"
 *   VALS     their parameters, "$7, $8": add and update number them alike
 *   FSIG     one letter per filter of its list
 *   FILTERS  their conditions, " and ($13::text is null or e.x = $13)"
 */
#ifndef CT_DB_ENTRY_SQL_H
#define CT_DB_ENTRY_SQL_H

#include "db/entry.h"
#include "db/webhook_sql.h"

#define CT_SQL_TEXT_(x) #x
#define CT_SQL_TEXT(x)	CT_SQL_TEXT_(x)
#define ENTRY_KEPT	"interval '" CT_SQL_TEXT(CT_ENTRY_KEPT_DAYS) " days'"

#define ENTRY_HEAD                                                             \
	"e.cat_id, e.id, e.given_at, e.care_day, e.notes, e.by_account, "      \
	"coalesce(b.first_name, '') as by_name, e.version, e.created_at, "     \
	"e.updated_at, e.deleted_at, m.role as my_role, "

#define ENTRY_FROM(T)                                                          \
	" from " T " e join cat_member m on m.cat_id = e.cat_id"               \
	" and m.account_id = $1"                                               \
	" left join account b on b.id = e.by_account "

/*
 * account, cat, role, id, time, notes, the kind's own from $7 on, then (kinds
 * with a guard) log nothing in doubt. One row: no e.id means that the guard
 * stopped it; none at all that the account may not. CTES, " , x as (…)", see
 * m (id, timezone, day_start, role) and nothing of the new row; MORE are
 * columns of theirs, joined by JOIN.
 */
#define ENTRY_ADD_WITH(T, OWN, COLS, VALS, CTES, GUARD, MORE, JOIN)            \
	"with m as materialized (select c.id, c.timezone, c.day_start,"        \
	" m.role from cat c join cat_member m on m.cat_id = c.id"              \
	" and m.account_id = $1 and m.role >= $3 where c.id = $2)" CTES        \
	", e as (insert into " T " (cat_id, id, given_at, care_day, notes,"    \
	" by_account, " OWN ") select m.id, $4, coalesce($5, now()),"          \
	" ct_care_day(coalesce($5, now()), m.timezone, m.day_start), $6,"      \
	" $1, " VALS " from m" GUARD                                           \
	" returning *) select " ENTRY_HEAD COLS MORE ", " WEBHOOK_FIRE("$2",   \
	    " and e.id is not null", WEBHOOK_ADDED, T, "e.id", "e.version",    \
	    "null") " from m left join e on true"                              \
		    " left join account b on b.id = e.by_account" JOIN
#define ENTRY_ADD(T, OWN, COLS, VALS)                                          \
	ENTRY_ADD_WITH(T, OWN, COLS, VALS, "", "", "", "")

/* account, id, with deleted */
#define ENTRY_GET(T, COLS)                                                     \
	"select " ENTRY_HEAD COLS ENTRY_FROM(                                  \
	    T) "where e.id = $2 and ($3 or e.deleted_at is null)"

/* account, cat, limit, offset */
#define ENTRY_ALIVE " where e.cat_id = $2 and e.deleted_at is null"
#define ENTRY_LIST(T, COLS)                                                    \
	"select " ENTRY_HEAD COLS ", (select count(*) from " T                 \
	" e" ENTRY_ALIVE ") as total" ENTRY_FROM(T) ENTRY_ALIVE                \
	    " order by e.given_at desc, e.id desc limit $3 offset $4"

/*
 * account, cat, from day, to day, from, to, the place's time and id, deleted,
 * limit, offset, count, then the kind's filters from $13 on. The instants and
 * the place are never null: each side of the union is one range of its index,
 * and the one that is not asked for is not read.
 */
#define ENTRY_WHICH(T, GONE, FILTERS)                                          \
	" from " T " e where e.cat_id = $2 and e.deleted_at is " GONE          \
	" and e.given_at >= $5 and e.given_at < $6"                            \
	" and ($3::date is null or e.care_day >= $3)"                          \
	" and ($4::date is null or e.care_day <= $4)" FILTERS
#define ENTRY_SIDE(T, GONE, ASKED, AFTER, DIR, FILTERS)                        \
	"(select e.*" ENTRY_WHICH(T, GONE,                                     \
	    FILTERS) " and " ASKED " and (e.given_at, e.id) " AFTER            \
		     " ($7, $8) order by e.given_at " DIR ", e.id " DIR        \
		     " limit $10::bigint + $11::bigint)"
#define ENTRY_LIVING "$9::text is distinct from 'only'"
#define ENTRY_GONE   "$9::text is not null"
#define ENTRY_FIND(T, COLS, AFTER, DIR, FILTERS)                               \
	"select " ENTRY_HEAD COLS                                              \
	", case when $12 then (select count(*)" ENTRY_WHICH(T, "null",         \
	    FILTERS) " and " ENTRY_LIVING                                      \
		     ") + (select count(*)" ENTRY_WHICH(T, "not null",         \
			 FILTERS) " and " ENTRY_GONE                           \
				  ") end as total from (" ENTRY_SIDE(T,        \
				      "null", ENTRY_LIVING, AFTER, DIR,        \
				      FILTERS) " union all " ENTRY_SIDE(T,     \
				      "not null", ENTRY_GONE, AFTER, DIR,      \
				      FILTERS) ") e join cat_member m on "     \
					       "m.cat_id = e.cat_id"           \
					       " and m.account_id = $1 left "  \
					       "join account b on b.id = "     \
					       "e.by_account"                  \
					       " order by e.given_at " DIR     \
					       ", e.id " DIR                   \
					       " limit $10::bigint offset "    \
					       "$11::bigint"

/*
 * account, version, role, id: one change of one entry. The old row goes to the
 * audit trail, the new one comes back. WHICH picks among rows that are the
 * account's, SET changes them.
 */
#define ENTRY_CHANGE(T, COLS, ACTION, EVENT, WHICH, SET)                       \
	"with old as (select e.* from " T " e"                                 \
	" join cat_member m on m.cat_id = e.cat_id"                            \
	" and m.account_id = $1 and m.role >= $3"                              \
	" where e.id = $4 and e.version = $2 and " WHICH                       \
	" for no key update of e),"                                            \
	" e as (update " T " u set version = u.version + 1,"                   \
	" updated_at = now(), " SET " from old, cat c"                         \
	" where u.cat_id = old.cat_id and u.id = old.id"                       \
	" and c.id = old.cat_id returning u.*),"                               \
	" log as (insert into audit_event (account_id, cat_id, action,"        \
	" noun, noun_id, before) select $1, cat_id, '" ACTION "', '" T "',"    \
	" id, to_jsonb(old) from old)"                                         \
	"select " ENTRY_HEAD COLS                                              \
	", " WEBHOOK_FIRE("e.cat_id", "", EVENT, T, "e.id", "e.version",       \
	    "null") " from e"                                                  \
		    " join cat_member m on m.cat_id = e.cat_id and "           \
		    "m.account_id = $1"                                        \
		    " left join account b on b.id = e.by_account"

#define ENTRY_REMOVE(T, COLS)                                                  \
	ENTRY_CHANGE(T, COLS, "delete", WEBHOOK_DELETED,                       \
	    "e.deleted_at is null", "deleted_at = now()")
#define ENTRY_RESTORE(T, COLS)                                                 \
	ENTRY_CHANGE(T, COLS, "restore", WEBHOOK_RESTORED,                     \
	    "e.deleted_at > now() - " ENTRY_KEPT, "deleted_at = null")
/* … and given_at, notes, the kind's own from $7 on */
#define ENTRY_UPDATE(T, OWN, COLS, VALS)                                       \
	ENTRY_CHANGE(T, COLS, "change", WEBHOOK_CHANGED,                       \
	    "e.deleted_at is null",                                            \
	    "given_at = $5, notes = $6, care_day = ct_care_day($5,"            \
	    " c.timezone, c.day_start), (" OWN ") = row(" VALS ")")

/* account, cat: everything that was logged, the deleted too, oldest first */
#define ENTRY_ALL(T, COLS)                                                     \
	"select " ENTRY_HEAD COLS ENTRY_FROM(                                  \
	    T) "where e.cat_id = $2 and m.role >= 4"                           \
	       " order by e.given_at, e.id"

/*
 * account, cat, id, time, notes, stamps, the kind's own from $7 on: an entry of
 * an archive, by whom, when and as which version the stamps say. What is there
 * already is left alone and compared.
 */
#define ENTRY_STAMP(name, type) "($6::jsonb ->> '" name "')::" type
#define ENTRY_BRING(T, OWN, COLS, VALS)                                        \
	"with m as materialized (select c.id, c.timezone, c.day_start"         \
	" from cat c join cat_member m on m.cat_id = c.id"                     \
	" and m.account_id = $1 and m.role >= 4 where c.id = $2),"             \
	" old as (select e.* from " T " e, m where e.cat_id = m.id"            \
	" and e.id = $3), new as (insert into " T " (cat_id, id, given_at,"    \
	" care_day, notes, by_account, version, created_at, updated_at,"       \
	" deleted_at, " OWN                                                    \
	") select m.id, $3, $4, coalesce(" ENTRY_STAMP("care_day",             \
	    "date") ", ct_care_day($4, m.timezone, m.day_start)),"             \
		    " $5, case when " ENTRY_STAMP("by_me",                     \
			"boolean") " then $1 end, " ENTRY_STAMP("version",     \
			"bigint") ", " ENTRY_STAMP("created_at",               \
			"timestamptz") ", " ENTRY_STAMP("updated_at",          \
			"timestamptz") ", " ENTRY_STAMP("deleted_at",          \
			"timestamptz") ", " VALS " from m"                     \
				       " where not exists (select from old)"   \
				       " on conflict (cat_id, id) do nothing " \
				       "returning id)"                         \
				       " select exists (select from m) as "    \
				       "owned,"                                \
				       " exists (select from new) as new, "    \
				       "coalesce((select"                      \
				       " row(e.given_at, e.notes, "            \
				       "e.deleted_at is null, " COLS ")"       \
				       " is not distinct from row($4, "        \
				       "$5, " ENTRY_STAMP("deleted_at",        \
					   "timestamptz") " is null, " VALS    \
							  ") from old e), "    \
							  "false) as same"

/* at most so many: entries whose time to be restored is over; how many */
#define ENTRY_PURGE(T)                                                         \
	"with gone as (delete from " T " e using (select o.cat_id, o.id"       \
	" from " T " o where o.deleted_at < now() - " ENTRY_KEPT               \
	" limit $1 for update skip locked) o where e.cat_id = o.cat_id"        \
	" and e.id = o.id returning 1) select count(*) from gone"

/* clang-format off */
/* All statements of a kind but `add`. */
#define ENTRY_STMTS(T, FIELDS, SIG, OWN, COLS, VALS, FSIG, FILTERS)            \
	static const struct ct_stmt get = {T "_get", CT_OWNED, CT_READ,        \
	    "uub", &FIELDS, ENTRY_GET(T, COLS)};                               \
	static const struct ct_stmt list = {T "_list", CT_OWNED, CT_READ,      \
	    "uuii", &FIELDS, ENTRY_LIST(T, COLS)};                             \
	static const struct ct_stmt newest = {T "_newest", CT_OWNED, CT_READ,  \
	    "uuddzzzutiib" FSIG, &FIELDS,                                      \
	    ENTRY_FIND(T, COLS, "<", "desc", FILTERS)};                        \
	static const struct ct_stmt oldest = {T "_oldest", CT_OWNED, CT_READ,  \
	    "uuddzzzutiib" FSIG, &FIELDS,                                      \
	    ENTRY_FIND(T, COLS, ">", "asc", FILTERS)};                         \
	static const struct ct_stmt update = {T "_update", CT_OWNED, CT_WRITE, \
	    "uiiuzt" SIG, &FIELDS, ENTRY_UPDATE(T, OWN, COLS, VALS)};          \
	static const struct ct_stmt remove_one = {T "_remove", CT_OWNED,       \
	    CT_WRITE, "uiiu", &FIELDS, ENTRY_REMOVE(T, COLS)};                 \
	static const struct ct_stmt restore = {T "_restore", CT_OWNED,         \
	    CT_WRITE, "uiiu", &FIELDS, ENTRY_RESTORE(T, COLS)};                \
	static const struct ct_stmt purge = {T "_purge", CT_GLOBAL, CT_WRITE,  \
	    "i", NULL, ENTRY_PURGE(T)};                                        \
	static const struct ct_stmt all = {T "_all", CT_OWNED, CT_READ, "uu",  \
	    &FIELDS, ENTRY_ALL(T, COLS)};                                      \
	static const struct ct_stmt bring = {T "_bring", CT_OWNED, CT_WRITE,   \
	    "uuuztj" SIG, NULL, ENTRY_BRING(T, OWN, COLS, VALS)}
#define ENTRY_ADD_STMT(T, FIELDS, SIG, SQL)                                    \
	static const struct ct_stmt add = {T "_add", CT_OWNED, CT_WRITE,       \
	    "uuiuzt" SIG, &FIELDS, SQL}
/* In the order of enum ct_entry_stmt. */
#define ENTRY_TABLE                                                            \
	{&add, &get, &list, &newest, &oldest, &update, &remove_one, &restore,  \
	    &purge, &all, &bring, NULL}
/* clang-format on */

#endif
