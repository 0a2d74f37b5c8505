-- Rights of the roles that run the service, where the set-up made them. The
-- responders and workers may change rows, never the schema; backup may read.
do $$
begin
  revoke create on schema public from public;
  if exists (select from pg_roles where rolname = 'catetube_app') then
    grant usage on schema public to catetube_app;
    grant select, insert, update, delete on all tables in schema public
      to catetube_app;
    revoke update, delete on audit_event from catetube_app;
    revoke insert, update, delete on zone, ct_migration from catetube_app;
    alter default privileges in schema public
      grant select, insert, update, delete on tables to catetube_app;
  end if;
  if exists (select from pg_roles where rolname = 'catetube_backup') then
    grant usage on schema public to catetube_backup;
    grant select on all tables in schema public to catetube_backup;
    grant select on all sequences in schema public to catetube_backup;
    alter default privileges in schema public
      grant select on tables to catetube_backup;
  end if;
end $$;
