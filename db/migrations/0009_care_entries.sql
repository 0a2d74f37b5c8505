-- Weights, observations, extra water, tube checks; what their lists, the audit
-- trail and the purge look up.

create table weight (
  cat_id uuid not null references cat on delete cascade,
  id uuid not null,
  given_at timestamptz not null,
  care_day date not null,
  weight_g bigint not null check (weight_g between 100 and 30000),
  notes text not null default '' check (length(notes) <= 4000),
  by_account uuid references account on delete set null,
  version bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  primary key (cat_id, id)
);
create index weight_time on weight (cat_id, given_at desc, id desc)
  where deleted_at is null;
create index weight_day on weight (cat_id, care_day) include (weight_g)
  where deleted_at is null;
create index weight_gone on weight (cat_id, given_at desc, id desc)
  include (deleted_at) where deleted_at is not null;
create index weight_by on weight (by_account) where by_account is not null;

create table observation (
  cat_id uuid not null references cat on delete cascade,
  id uuid not null,
  given_at timestamptz not null,
  care_day date not null,
  kind text not null check (kind in ('vomit', 'diarrhoea', 'constipation',
    'drool', 'cough', 'breathing', 'lethargy', 'pain', 'appetite', 'stool',
    'urine', 'other')),
  severity bigint check (severity between 1 and 3),
  notes text not null default '' check (length(notes) <= 4000),
  by_account uuid references account on delete set null,
  version bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  primary key (cat_id, id)
);
create index observation_time on observation (cat_id, given_at desc, id desc)
  where deleted_at is null;
create index observation_gone on observation (cat_id, given_at desc, id desc)
  include (deleted_at) where deleted_at is not null;
create index observation_by on observation (by_account)
  where by_account is not null;

create table water (
  cat_id uuid not null references cat on delete cascade,
  id uuid not null,
  given_at timestamptz not null,
  care_day date not null,
  amount_ul bigint not null check (amount_ul between 1 and 200000),
  way text not null default 'tube'
    check (way in ('tube', 'drunk', 'subcutaneous')),
  notes text not null default '' check (length(notes) <= 4000),
  by_account uuid references account on delete set null,
  version bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  primary key (cat_id, id)
);
create index water_time on water (cat_id, given_at desc, id desc)
  where deleted_at is null;
create index water_day on water (cat_id, care_day) include (amount_ul, way)
  where deleted_at is null;
create index water_gone on water (cat_id, given_at desc, id desc)
  include (deleted_at) where deleted_at is not null;
create index water_by on water (by_account) where by_account is not null;

-- NULL: not looked at. mark_mcm: thousandths of a centimetre.
create table tube_check (
  cat_id uuid not null references cat on delete cascade,
  id uuid not null,
  given_at timestamptz not null,
  care_day date not null,
  cap_on boolean,
  dressing text check (dressing in ('clean', 'soiled', 'changed')),
  skin text check (skin in ('clean', 'redness', 'swelling')),
  discharge text check (discharge in ('none', 'clear', 'coloured')),
  smell boolean,
  suture_holding boolean,
  mark_mcm bigint check (mark_mcm between 0 and 60000),
  patent boolean,
  collar_ok boolean,
  incident text check (incident in ('out', 'blocked', 'slipped', 'leak')),
  notes text not null default '' check (length(notes) <= 4000),
  by_account uuid references account on delete set null,
  version bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  primary key (cat_id, id)
);
create index tube_check_time on tube_check (cat_id, given_at desc, id desc)
  where deleted_at is null;
create index tube_check_gone on tube_check (cat_id, given_at desc, id desc)
  include (deleted_at) where deleted_at is not null;
create index tube_check_by on tube_check (by_account)
  where by_account is not null;

-- Deleted entries: their lists, and what the purge finds by deleted_at.
create index feeding_gone on feeding (cat_id, given_at desc, id desc)
  include (deleted_at) where deleted_at is not null;
create index medication_gone on medication (cat_id, given_at desc, id desc)
  include (deleted_at) where deleted_at is not null;

-- The history of one entry.
create index audit_event_noun on audit_event (noun_id, id desc)
  where noun_id is not null;

-- cat.weight_g is the reference weight: the newest weight entry, unless the
-- profile was told another one after that entry was last touched. What the
-- profile said is kept, so that deleting the only entry falls back to it.
alter table cat add column told_weight_g bigint,
  add column told_weight_at timestamptz;
update cat set told_weight_g = weight_g, told_weight_at = now()
  where weight_g is not null;

create function ct_weight_told() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  -- Deeper is ct_weight_follow, which only repeats what is known.
  if pg_trigger_depth() = 1 then
    new.told_weight_g := new.weight_g;
    new.told_weight_at := now();
  end if;
  return new;
end $$;
create trigger weight_told_first before insert on cat for each row
  when (new.weight_g is not null) execute function ct_weight_told();
create trigger weight_told before update of weight_g on cat for each row
  when (new.weight_g is distinct from old.weight_g)
  execute function ct_weight_told();

-- The row of the cat is locked first: the statement after it then sees every
-- entry that another transaction wrote before it let go.
create function ct_weight_follow() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
  entry record;
  told record;
begin
  select c.weight_g as now_g, c.told_weight_g as g, c.told_weight_at as at
    into told from cat c where c.id = new.cat_id for no key update;
  select w.weight_g as g, w.updated_at as at into entry from weight w
    where w.cat_id = new.cat_id and w.deleted_at is null
    order by w.given_at desc, w.id desc limit 1;
  if entry.g is null or told.at > entry.at then
    entry.g := told.g;
  end if;
  update cat set weight_g = entry.g
    where id = new.cat_id and weight_g is distinct from entry.g;
  return null;
end $$;
create trigger weight_follow after insert or update on weight for each row
  execute function ct_weight_follow();

-- The trail is kept for 400 days. The app role may only add to it; this is its
-- one way to take the oldest rows out.
create function ct_audit_purge(most bigint) returns bigint
language sql security definer set search_path = public, pg_temp as $$
  with gone as (
    delete from audit_event where id in (
      select o.id from (select id, at from audit_event order by id
        limit least(most, 10000)) o
      where o.at < now() - interval '400 days')
    returning 1)
  select count(*) from gone
$$;
revoke execute on function ct_audit_purge(bigint) from public;
do $$
begin
  if exists (select from pg_roles where rolname = 'catetube_app') then
    grant execute on function ct_audit_purge(bigint) to catetube_app;
  end if;
end $$;
