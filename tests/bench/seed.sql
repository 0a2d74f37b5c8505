-- What the bench needs in the database: a schema of its own with the accounts
-- to seed and the procedures that write their entries. Run by seed.py as a
-- superuser, because the load does without foreign-key checks.
create schema if not exists bench;

create table if not exists bench.mark (
  accounts integer not null,
  days integer not null,
  last_day date not null
);

create or replace function bench.account(n integer) returns uuid
language sql immutable parallel safe as $$
  select ('01900000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid
$$;
create or replace function bench.cat(n integer) returns uuid
language sql immutable parallel safe as $$
  select ('01900000-0000-7000-9000-' || lpad(n::text, 12, '0'))::uuid
$$;
-- Version 7: the time, then random bits. Written for speed: millions of calls.
create or replace function bench.id(at timestamptz) returns uuid
language sql volatile parallel safe as $$
  select (lpad(to_hex((date_part('epoch', at) * 1000)::bigint), 12, '0')
    || '7' || overlay(substr(md5(random()::text), 14) placing '8' from 4))::uuid
$$;
create table if not exists bench.keeper (
  n integer primary key,
  account uuid not null,
  cat uuid not null,
  zone text not null
);

-- Account n of 1 … many has one cat; the one past the last is the report's.
create or replace procedure bench.accounts(many integer, hash text)
language plpgsql as $$
declare
  zones text[] := array['Europe/Berlin', 'Europe/London', 'Europe/Lisbon',
    'America/New_York', 'America/Chicago', 'America/Los_Angeles',
    'America/Sao_Paulo', 'Asia/Tokyo', 'Asia/Kolkata', 'Asia/Singapore',
    'Australia/Sydney', 'Pacific/Auckland'];
begin
  insert into account (id, email, password_hash, first_name, last_name,
    email_verified_at, created_at, last_login_at)
  select bench.account(n), 'bench' || lpad(n::text, 5, '0') || '@example.org',
    hash, 'Keeper', n::text, now(), now() - interval '181 days', now()
  from generate_series(1, many + 1) n;
  insert into cat (id, name, breed, age_years, weight_g, timezone, created_at)
  select bench.cat(n), 'Cat ' || n, 'Domestic shorthair', 3 + n % 14,
    3000 + n % 37 * 100, zones[1 + n % 12], now() - interval '181 days'
  from generate_series(1, many + 1) n;
  insert into bench.keeper
  select n, bench.account(n), bench.cat(n), zones[1 + n % 12]
  from generate_series(1, many + 1) n;
  insert into cat_member (cat_id, account_id, role)
  select bench.cat(n), bench.account(n), 4
  from generate_series(1, many + 1) n;
  update account a set default_cat = m.cat_id from cat_member m
  where m.account_id = a.id and a.email like 'bench%@example.org';
  insert into daily_target (cat_id, effective_from, amount_ul, by_account)
  select bench.cat(n), current_date - 181 + k * 60, 180000 + n % 9 * 10000,
    bench.account(n)
  from generate_series(1, many + 1) n, generate_series(0, 2) k;
end $$;

-- Entries of cats lo … hi on days a … b, in the order in which they would have
-- come: all cats' breakfasts, then all cats' second meals. Nothing after now.
create or replace procedure bench.entries(lo integer, hi integer, a date,
  b date) language plpgsql as $$
begin
  for d in 0 .. b - a loop
    for meal in 0 .. 5 loop
      insert into feeding (cat_id, id, given_at, care_day, amount_ul,
        flush_before_ul, flush_after_ul, by_account, created_at, updated_at)
      select cat, bench.id(at), at, a + d, ul, 5000, 10000, who, at, at
      from (
        select cat, account as who,
          (20 + (random() * 60)::integer) * 500 as ul,
          (a + d + make_interval(hours => 3 + 4 * meal - (meal / 5) * 2,
            mins => (random() * 58)::integer,
            secs => (random() * 59)::integer)) at time zone zone as at
        from bench.keeper where n between lo and hi offset 0) e
      where at <= now();
    end loop;
    insert into medication (cat_id, id, given_at, care_day, medication_name,
      dosage, amount_ul, by_account, created_at, updated_at)
    select cat, bench.id(at), at, a + d, 'Maropitant', '8 mg', 800, who, at, at
    from (
      select cat, account as who,
        (a + d + interval '9 hours') at time zone zone as at
      from bench.keeper where n between lo and hi and random() < 0.1) e
    where at <= now();
    commit;
  end loop;
end $$;

-- The report's cat: many meals, one every five minutes, ending now.
create or replace procedure bench.long(n integer, many integer)
language plpgsql as $$
begin
  insert into feeding (cat_id, id, given_at, care_day, amount_ul,
    flush_before_ul, flush_after_ul, notes, by_account, created_at,
    updated_at)
  select bench.cat(n), bench.id(at), at, (at at time zone c.timezone)::date,
    (20 + k % 61) * 500, 5000, 10000,
    case when k % 10 = 0 then 'Slow, head up, no gagging' else '' end,
    bench.account(n), at, at
  from cat c, generate_series(many, 1, -1) k,
    lateral (select date_trunc('minute', now()) - k * interval '5 minutes') t(at)
  where c.id = bench.cat(n);
end $$;
