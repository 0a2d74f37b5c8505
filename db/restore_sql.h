/*
 * Setting aside what is in a database, and putting it back, as SQL for
 * db/backup_restore.c. Each is one transaction that only gives things another
 * schema: rows are not touched. Extensions stay where they are, since their
 * types belong to whoever made them.
 *
 * Rights that new tables get by default are taken away meanwhile, or the
 * restored tables would have more rights than they had; the table of what they
 * were is set aside as well.
 */
#ifndef CT_DB_RESTORE_SQL_H
#define CT_DB_RESTORE_SQL_H

/* The names of the schemas stand in the text; see CT_BEFORE_RESTORE. */
/* clang-format off */
#define RESTORE_TOOLS \
	"begin; set local search_path to pg_catalog;\n" \
	"create or replace function pg_temp.ct_objects(of regnamespace, out thing text)\n" \
	"returns setof text language sql as $f$\n" \
	"  with own as (\n" \
	"    select d.objid, d.classid::regclass::text as class, d.deptype\n" \
	"    from pg_depend d where d.deptype in ('e', 'a', 'i'))\n" \
	"  select case c.relkind when 'v' then 'view ' when 'S' then 'sequence '\n" \
	"      when 'm' then 'materialized view ' when 'f' then 'foreign table '\n" \
	"      else 'table ' end || c.oid::regclass\n" \
	"    from pg_class c where c.relnamespace = of\n" \
	"    and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and not exists (\n" \
	"      select from own o where o.class = 'pg_class' and o.objid = c.oid\n" \
	"      and (o.deptype = 'e' or c.relkind = 'S'))\n" \
	"  union all select 'routine ' || p.oid::regprocedure\n" \
	"    from pg_proc p where p.pronamespace = of and not exists (\n" \
	"      select from own o where o.class = 'pg_proc' and o.objid = p.oid\n" \
	"      and o.deptype = 'e')\n" \
	"  union all select 'type ' || t.oid::regtype\n" \
	"    from pg_type t where t.typnamespace = of\n" \
	"    and (t.typtype in ('e', 'd', 'r') or exists (select from pg_class c\n" \
	"      where c.oid = t.typrelid and c.relkind = 'c'))\n" \
	"    and not exists (select from own o where o.class = 'pg_type'\n" \
	"      and o.objid = t.oid and o.deptype = 'e')\n" \
	"$f$;\n" \
	"create or replace function pg_temp.ct_move(of regnamespace, target regnamespace)\n" \
	"returns void language plpgsql as $f$\n" \
	"declare t text;\n" \
	"begin\n" \
	"  foreach t in array array(select pg_temp.ct_objects(of)) loop\n" \
	"    execute format('alter %s set schema %s', t, target);\n" \
	"  end loop;\n" \
	"end $f$;\n" \
	"create or replace function pg_temp.ct_defaults(out owner text, out word text,\n" \
	"  out kind text, out grantee text)\n" \
	"returns setof record language sql as $f$\n" \
	"  select pg_get_userbyid(d.defaclrole), x.privilege_type,\n" \
	"    case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences'\n" \
	"      when 'f' then 'functions' else 'types' end,\n" \
	"    case x.grantee when 0 then 'public'\n" \
	"      else quote_ident(pg_get_userbyid(x.grantee)) end\n" \
	"  from pg_default_acl d, aclexplode(d.defaclacl) x\n" \
	"  where d.defaclnamespace = 'public'::regnamespace\n" \
	"$f$;\n" \
	"create or replace function pg_temp.ct_revoke_defaults() returns void\n" \
	"language plpgsql as $f$\n" \
	"declare r record;\n" \
	"begin\n" \
	"  for r in select * from pg_temp.ct_defaults() loop\n" \
	"    execute format('alter default privileges for role %I in schema public'\n" \
	"      ' revoke %s on %s from %s', r.owner, r.word, r.kind, r.grantee);\n" \
	"  end loop;\n" \
	"end $f$;\n" \
	"create or replace function pg_temp.ct_grant_defaults() returns void\n" \
	"language plpgsql as $f$\n" \
	"declare r record;\n" \
	"begin\n" \
	"  for r in select * from before_restore.restore_defaults loop\n" \
	"    execute format('alter default privileges for role %I in schema public'\n" \
	"      ' grant %s on %s to %s', r.owner, r.word, r.kind, r.grantee);\n" \
	"  end loop;\n" \
	"end $f$;\n"

static const char set_aside_sql[] = RESTORE_TOOLS
	"create schema before_restore;\n"
	"create table before_restore.restore_defaults as\n"
	"  select * from pg_temp.ct_defaults();\n"
	"select pg_temp.ct_revoke_defaults();\n"
	"select pg_temp.ct_move('public', 'before_restore');\n"
	"commit;\n";

static const char put_back_sql[] = RESTORE_TOOLS
	"create schema after_restore;\n"
	"select pg_temp.ct_move('public', 'after_restore');\n"
	"select pg_temp.ct_revoke_defaults();\n"
	"select pg_temp.ct_grant_defaults();\n"
	"drop table before_restore.restore_defaults;\n"
	"select pg_temp.ct_move('before_restore', 'public');\n"
	"drop schema before_restore cascade;\n"
	"drop schema after_restore cascade;\n"
	"commit;\n";

static const char drop_aside_sql[] = "drop schema before_restore cascade";
/* clang-format on */

#endif
