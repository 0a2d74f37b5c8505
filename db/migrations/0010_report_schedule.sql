-- Reports that come by mail each week. What jobs have run is kept for a while.

-- The first instant after `after` at which the clock of the zone shows that
-- weekday (1 Monday to 7) and hour; where the hour does not exist, the end of
-- the gap; where it exists twice, the first one.
create function ct_next_weekly(after timestamptz, zone text, weekday int,
  hour int) returns timestamptz
language sql stable strict as $$
  select min(t) from (
    select ct_day_start(d, zone, make_time(hour, 0, 0)) as t
    from (select (after at time zone zone)::date - 1 + n as d
          from generate_series(0, 9) n) days
    where extract(isodow from d) = weekday) slots
  where t > after
$$;

create table report_schedule (
  id uuid primary key,
  account_id uuid not null references account on delete cascade,
  cat_id uuid not null references cat on delete cascade,
  kind text not null check (kind ~ '^[a-z_]{1,40}$'),
  format text not null check (format ~ '^[a-z]{1,10}$'),
  weekday text not null check (weekday in ('monday', 'tuesday', 'wednesday',
    'thursday', 'friday', 'saturday', 'sunday')),
  hour bigint not null check (hour between 0 and 23),
  timezone text references zone, -- null: the cat's
  enabled boolean not null default true,
  next_at timestamptz not null,
  last_at timestamptz, -- the last slot that a report was made for
  created_at timestamptz not null default now()
);
create index report_schedule_due on report_schedule (next_at) where enabled;
create index report_schedule_account on report_schedule (account_id, cat_id);
create index report_schedule_cat on report_schedule (cat_id);

-- One report for each slot, whoever looks for them at the same time.
alter table report
  add column schedule_id uuid references report_schedule on delete set null,
  add column slot_at timestamptz;
create unique index report_slot on report (schedule_id, slot_at)
  where schedule_id is not null;

-- The report that a mail brings.
alter table mail add column report_id uuid references report on delete set null;
create index mail_report on mail (report_id) where report_id is not null;

create index job_run_age on job_run (finished_at);
