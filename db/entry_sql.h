/*
 * SQL text that the statements of every entry kind share, as literals to be
 * joined by the compiler. T is the table, COLS its own columns as "e.x, e.y".
 */
#ifndef CT_DB_ENTRY_SQL_H
#define CT_DB_ENTRY_SQL_H

#define ENTRY_HEAD                                                             \
	"e.cat_id, e.id, e.given_at, e.care_day, e.notes, e.by_account, "      \
	"coalesce(b.first_name, '') as by_name, e.version, e.created_at, "     \
	"e.updated_at, e.deleted_at, m.role as my_role, "

#define ENTRY_FROM(T)                                                          \
	" from " T " e join cat_member m on m.cat_id = e.cat_id"               \
	" and m.account_id = $1"                                               \
	" left join account b on b.id = e.by_account "

#define ENTRY_WHERE                                                            \
	" where e.cat_id = $2 and e.deleted_at is null"                        \
	" and ($3::date is null or e.care_day >= $3)"                          \
	" and ($4::date is null or e.care_day <= $4)"                          \
	" and ($5::timestamptz is null or e.given_at >= $5)"                   \
	" and ($6::timestamptz is null or e.given_at < $6)"

/* account, id, with deleted */
#define ENTRY_GET(T, COLS)                                                     \
	"select " ENTRY_HEAD COLS ENTRY_FROM(                                  \
	    T) "where e.id = $2 and ($3 or e.deleted_at is null)"

/* account, cat, from day, to day, from, to, limit, offset */
#define ENTRY_LIST(T, COLS)                                                    \
	"select " ENTRY_HEAD COLS ", (select count(*) from " T                 \
	" e" ENTRY_WHERE ") as total" ENTRY_FROM(T) ENTRY_WHERE                \
	    " order by e.given_at desc, e.id desc limit $7 offset $8"
/* The same filters: how many, where the page asked for lies past the end. */
#define ENTRY_COUNT(T)                                                         \
	"select count(*) as total from " T " e"                                \
	" join cat_member m on m.cat_id = e.cat_id"                            \
	" and m.account_id = $1" ENTRY_WHERE

/*
 * One change of one entry: the old row goes to the audit trail, the new one
 * comes back. WHICH picks among rows that are the account's, SET changes them.
 */
#define ENTRY_CHANGE(T, COLS, ACTION, WHICH, SET)                              \
	"with old as (select e.* from " T " e"                                 \
	" join cat_member m on m.cat_id = e.cat_id"                            \
	" and m.account_id = $1 and m.role >= 2"                               \
	" where e.id = $2 and " WHICH " for no key update of e),"              \
	" e as (update " T " u set version = u.version + 1,"                   \
	" updated_at = now(), " SET " from old, cat c"                         \
	" where u.cat_id = old.cat_id and u.id = old.id"                       \
	" and c.id = old.cat_id returning u.*),"                               \
	" log as (insert into audit_event (account_id, cat_id, action,"        \
	" noun, noun_id, before) select $1, cat_id, '" ACTION "', '" T "',"    \
	" id, to_jsonb(old) from old)"                                         \
	"select " ENTRY_HEAD COLS " from e"                                    \
	" join cat_member m on m.cat_id = e.cat_id and m.account_id = $1"      \
	" left join account b on b.id = e.by_account"

#define ENTRY_LIVE "e.version = $3 and e.deleted_at is null"
/* account, id, version */
#define ENTRY_REMOVE(T, COLS)                                                  \
	ENTRY_CHANGE(T, COLS, "delete", ENTRY_LIVE, "deleted_at = now()")
/* account, id, version */
#define ENTRY_RESTORE(T, COLS)                                                 \
	ENTRY_CHANGE(T, COLS, "restore",                                       \
	    "e.version = $3 and e.deleted_at is not null"                      \
	    " and e.deleted_at > now() - interval '30 days'",                  \
	    "deleted_at = null")
/* account, id, version, given_at, notes, then SET's own from $6 on */
#define ENTRY_UPDATE(T, COLS, SET)                                             \
	ENTRY_CHANGE(T, COLS, "change", ENTRY_LIVE,                            \
	    "given_at = $4, notes = $5, care_day = ct_care_day($4,"            \
	    " c.timezone, c.day_start), " SET)

#endif
