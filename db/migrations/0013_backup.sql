-- What became of backups and of their trials, for people and for monitoring.
-- Which backups there are, the place where they lie says.
create table backup_log (
  id uuid primary key,
  action text not null check (action in ('run', 'verify')),
  name text not null default '' check (length(name) <= 100),
  place text not null default '' check (length(place) <= 300),
  started_at timestamptz not null,
  finished_at timestamptz not null default now(),
  byte_count bigint,
  table_count bigint,
  row_count bigint,
  -- What went wrong; null: nothing.
  error text check (length(error) <= 500)
);
create index backup_log_finished on backup_log (finished_at);

-- pg_dump reads sequences as well; those to come had no rights yet.
do $$
begin
  if exists (select from pg_roles where rolname = 'catetube_backup') then
    grant select on all sequences in schema public to catetube_backup;
    alter default privileges in schema public
      grant select on sequences to catetube_backup;
  end if;
end $$;
