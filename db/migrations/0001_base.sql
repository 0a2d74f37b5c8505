-- Accounts, cats, care entries, reports and jobs.
-- Volumes are microlitres, weights grams, energy thousandths of a kilocalorie.

create extension if not exists citext;

-- IANA zones that this server knows. pg_timezone_names is slow to read and
-- AT TIME ZONE also takes abbreviations and POSIX rules, which are no places.
create table zone (
  name text primary key
);
insert into zone
  select name from pg_timezone_names
  where name ~ '^[A-Z][A-Za-z_]+/' and name !~ '^(posix|right)/'
     or name in ('UTC', 'GMT');

-- The first instant at which the local clock of the zone shows day + starts or
-- later: the only one on ordinary days, the first of two when the hour repeats,
-- the end of the gap when the hour does not exist.
create function ct_day_start(day date, zone text, starts time)
returns timestamptz language plpgsql stable strict parallel safe as $$
declare
  want timestamp := day + starts;
  guess timestamptz := want at time zone zone;
  early interval := ((guess - interval '25 hours') at time zone zone)
                    - ((guess - interval '25 hours') at time zone 'UTC');
  late interval := ((guess + interval '25 hours') at time zone zone)
                   - ((guess + interval '25 hours') at time zone 'UTC');
  a timestamptz;
  b timestamptz;
  mid timestamptz;
begin
  if early = late then
    return guess;
  end if;
  a := (want - early) at time zone 'UTC';
  b := (want - late) at time zone 'UTC';
  if a at time zone zone = want then
    return a;
  elsif b at time zone zone = want then
    return b;
  end if;
  -- In a gap: b lies before the change, a at or after it. Changes of offset
  -- happen on whole seconds.
  while a - b > interval '1 second' loop
    mid := date_trunc('second', b + (a - b) / 2);
    if mid at time zone zone >= want then
      a := mid;
    else
      b := mid;
    end if;
  end loop;
  return a;
end $$;

-- The care day of an instant: the last day that has started by then.
create function ct_care_day(at timestamptz, zone text, starts time)
returns date language plpgsql stable strict parallel safe as $$
declare
  local timestamp := at at time zone zone;
  day date := (local - starts::interval)::date;
begin
  -- Far from a change of offset the local clock says it all.
  if (at + interval '25 hours') at time zone zone
       = local + interval '25 hours'
     and (at - interval '25 hours') at time zone zone
       = local - interval '25 hours' then
    return day;
  end if;
  if ct_day_start(day + 1, zone, starts) <= at then
    return day + 1;
  elsif ct_day_start(day, zone, starts) > at then
    return day - 1;
  end if;
  return day;
end $$;

create table account (
  id uuid primary key,
  email citext not null unique check (length(email) <= 254),
  password_hash text not null,
  first_name text not null check (length(first_name) between 1 and 100),
  last_name text not null default '' check (length(last_name) <= 100),
  role text not null default 'user' check (role in ('user', 'admin')),
  status text not null default 'active'
    check (status in ('active', 'deactivated')),
  default_cat uuid,
  email_verified_at timestamptz,
  consent_version integer,
  consent_at timestamptz,
  created_at timestamptz not null default now(),
  last_login_at timestamptz
);

create table account_session (
  token_hash bytea primary key check (length(token_hash) = 32),
  account_id uuid not null references account on delete cascade,
  created_at timestamptz not null default now(),
  seen_at timestamptz not null default now(),
  expires_at timestamptz not null,
  ip inet,
  user_agent text not null default ''
);
create index account_session_account on account_session (account_id, seen_at);

-- Failed log-ins by digest of the address, known or not, so that the answers
-- do not tell which addresses have an account.
create table login_failure (
  email_hash bytea primary key check (length(email_hash) = 32),
  failures integer not null,
  until_at timestamptz not null,
  updated_at timestamptz not null default now()
);

create table cat (
  id uuid primary key,
  name text not null default '' check (length(name) <= 100),
  breed text not null default '' check (length(breed) <= 100),
  age_years bigint check (age_years between 0 and 40),
  weight_g bigint check (weight_g between 100 and 30000),
  timezone text not null default 'UTC' references zone,
  day_start time not null default '00:00',
  created_at timestamptz not null default now()
);
alter table account add foreign key (default_cat)
  references cat on delete set null;

-- Roles rise: 1 viewer, 2 helper, 3 caregiver, 4 owner.
create table cat_member (
  cat_id uuid not null references cat on delete cascade,
  account_id uuid not null references account on delete cascade,
  role smallint not null check (role between 1 and 4),
  created_at timestamptz not null default now(),
  primary key (cat_id, account_id)
);
create index cat_member_account on cat_member (account_id, created_at, cat_id);

create table daily_target (
  cat_id uuid not null references cat on delete cascade,
  effective_from date not null,
  amount_ul bigint not null check (amount_ul between 1 and 2000000),
  by_account uuid references account on delete set null,
  created_at timestamptz not null default now(),
  primary key (cat_id, effective_from)
);

-- The target in force on a day: the latest one that began by then; before the
-- first one, the first.
create function ct_target(cat uuid, day date) returns bigint
language sql stable strict parallel safe as $$
  select coalesce(
    (select amount_ul from daily_target
      where cat_id = cat and effective_from <= day
      order by effective_from desc limit 1),
    (select amount_ul from daily_target
      where cat_id = cat order by effective_from limit 1),
    210000)
$$;

create table feeding (
  cat_id uuid not null references cat on delete cascade,
  id uuid not null,
  given_at timestamptz not null,
  care_day date not null,
  amount_ul bigint not null check (amount_ul between 1 and 200000),
  planned_ul bigint check (planned_ul between 1 and 200000),
  flush_before_ul bigint check (flush_before_ul between 0 and 50000),
  flush_after_ul bigint check (flush_after_ul between 0 and 50000),
  flushed_before boolean not null default true,
  flushed_after boolean not null default true,
  route text not null default 'tube' check (route in ('tube', 'oral')),
  diet_id uuid,
  energy_mkcal bigint check (energy_mkcal between 0 and 10000000),
  outcome text check (outcome in ('fine', 'drool', 'gag', 'cough', 'vomit',
    'leak', 'refused')),
  notes text not null default '' check (length(notes) <= 4000),
  by_account uuid references account on delete set null,
  version bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  primary key (cat_id, id)
);
create index feeding_time on feeding (cat_id, given_at desc, id desc)
  where deleted_at is null;
create index feeding_day on feeding (cat_id, care_day)
  include (amount_ul, given_at) where deleted_at is null;
create index feeding_by on feeding (by_account) where by_account is not null;

create table medication (
  cat_id uuid not null references cat on delete cascade,
  id uuid not null,
  given_at timestamptz not null,
  care_day date not null,
  medication_name text not null check (length(medication_name) between 1 and 100),
  dosage text not null check (length(dosage) between 1 and 50),
  amount_ul bigint not null check (amount_ul between 1 and 200000),
  route text not null default 'E-tube'
    check (route in ('E-tube', 'Oral', 'Injection', 'Topical')),
  flushed_before boolean not null default true,
  flushed_after boolean not null default true,
  schedule_id uuid,
  status text not null default 'given' check (status in ('given', 'skipped')),
  reason text not null default '' check (length(reason) <= 500),
  notes text not null default '' check (length(notes) <= 4000),
  by_account uuid references account on delete set null,
  version bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  primary key (cat_id, id)
);
create index medication_time on medication (cat_id, given_at desc, id desc)
  where deleted_at is null;
create index medication_by on medication (by_account)
  where by_account is not null;

create table report (
  id uuid primary key,
  account_id uuid not null references account on delete cascade,
  cat_id uuid not null references cat on delete cascade,
  kind text not null check (kind in ('feeding', 'medication', 'combined')),
  format text not null check (format in ('csv', 'json')),
  date_from date,
  date_to date,
  state text not null default 'queued'
    check (state in ('queued', 'running', 'ready', 'failed')),
  rows_done bigint not null default 0,
  row_count bigint,
  byte_count bigint,
  blob text,
  error text,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  expires_at timestamptz
);
create index report_account on report (account_id, created_at desc);

-- A job that matters is a row here before it is a message in Redis.
create table job_outbox (
  id uuid primary key,
  task text not null,
  queue text not null,
  kwargs jsonb not null,
  priority smallint not null default 0 check (priority between 0 and 9),
  run_at timestamptz,
  expires_at timestamptz,
  state text not null default 'pending'
    check (state in ('pending', 'sent', 'done', 'failed')),
  created_at timestamptz not null default now(),
  sent_at timestamptz,
  done_at timestamptz
);
create index job_outbox_open on job_outbox (state, created_at)
  where state in ('pending', 'sent');

-- Written in the transaction of a job's effects: a job that is here is done.
create table job_run (
  job_id uuid primary key,
  task text not null,
  attempt integer not null,
  result jsonb,
  finished_at timestamptz not null default now()
);

create table idempotency (
  account_id uuid not null references account on delete cascade,
  key text not null check (length(key) between 1 and 200),
  request_hash bytea not null,
  status smallint,
  answer text,
  created_at timestamptz not null default now(),
  primary key (account_id, key)
);
create index idempotency_age on idempotency (created_at);

-- Who changed what, with the previous values. Rows are only ever added.
create table audit_event (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  account_id uuid,
  cat_id uuid,
  action text not null,
  noun text not null,
  noun_id uuid,
  before jsonb
);
create index audit_event_cat on audit_event (cat_id, at desc)
  where cat_id is not null;
create index audit_event_account on audit_event (account_id, at desc)
  where account_id is not null;
