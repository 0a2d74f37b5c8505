-- Webhooks: where an account wants to be told what happens to a cat, and what
-- is still to be told.

create table webhook (
  id uuid primary key,
  account_id uuid not null references account on delete cascade,
  cat_id uuid not null references cat on delete cascade,
  url text not null check (length(url) between 10 and 2000),
  -- Bits: 1 entry.added, 2 entry.changed, 4 entry.deleted, 8 entry.restored,
  -- 16 report.ready (db/webhook.h).
  events bigint not null check (events > 0),
  -- The secret is made of SECRET_KEY and this, and is nowhere at rest.
  key_id uuid not null,
  enabled boolean not null default true,
  disabled_why text,
  -- Tries in a row that failed, since when.
  failures bigint not null default 0,
  failing_since timestamptz,
  -- Until then nothing is sent: what is away must not keep workers busy.
  hold_until timestamptz,
  last_at timestamptz,
  last_status bigint,
  last_error text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index webhook_cat on webhook (cat_id);
create index webhook_account on webhook (account_id, created_at desc);

-- One thing to be told to one webhook. Its job has the same id. The entry is
-- read when it is sent, so no care data are here.
create table webhook_delivery (
  id uuid primary key,
  webhook_id uuid not null references webhook on delete cascade,
  event bigint not null, -- a bit as above; 0: a test
  noun text not null,
  noun_id uuid not null,
  version bigint,
  state text not null default 'pending'
    check (state in ('pending', 'sent', 'failed', 'dropped')),
  attempts bigint not null default 0,
  status bigint,
  error text,
  created_at timestamptz not null default now(),
  done_at timestamptz
);
create index webhook_delivery_list
  on webhook_delivery (webhook_id, created_at desc, id desc);
create index webhook_delivery_open on webhook_delivery (webhook_id)
  where state = 'pending';
create index webhook_delivery_age on webhook_delivery (created_at);

-- Note the event for every webhook of the cat that wants it, with its job, in
-- the transaction of what happened. of_account: only for that account's. Who
-- left the household is told nothing. What cannot be delivered does not pile
-- up without end: behind 1,000 open ones further ones are dropped.
create function ct_webhook_fire(of_cat uuid, what bigint, of_noun text,
  of_id uuid, of_version bigint, of_account uuid) returns bigint
language plpgsql volatile set search_path = public, pg_temp as $$
declare
  n bigint;
begin
  with d as (
    insert into webhook_delivery (id, webhook_id, event, noun, noun_id, version)
    select gen_random_uuid(), w.id, what, of_noun, of_id, of_version
      from webhook w join cat_member m on m.cat_id = w.cat_id
        and m.account_id = w.account_id
      where w.cat_id = of_cat and w.enabled and w.events & what <> 0
        and (of_account is null or w.account_id = of_account)
        and (select count(*) from webhook_delivery o
              where o.webhook_id = w.id and o.state = 'pending') < 1000
    returning id),
  o as (
    insert into job_outbox (id, task, queue, kwargs)
    select d.id, 'webhook.send', 'default',
      jsonb_build_object('delivery_id', d.id) from d)
  select count(*) into n from d;
  return n;
end $$;
