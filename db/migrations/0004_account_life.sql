-- Mail, single-use tokens, preferences, and what deleting an account owes to
-- the stores that are not this one.

-- The text of a token is derived from SECRET_KEY and its row's id and is
-- nowhere at rest. email: the address that the token proves or invites.
create table account_token (
  id uuid primary key,
  account_id uuid references account on delete cascade,
  purpose text not null check (purpose ~ '^[a-z][a-z_]{0,29}$'),
  token_hash bytea not null unique check (length(token_hash) = 32),
  email citext check (length(email) between 3 and 254),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz
);
create index account_token_account on account_token (account_id, purpose)
  where account_id is not null;
create index account_token_email on account_token (email)
  where email is not null;
create index account_token_age on account_token (expires_at);

-- A mail is a row before it is a job; its job has the same id and carries
-- nothing else. sending: given to the server, the outcome not yet recorded.
-- dropped: not sent on purpose, such as a reset for an unknown address.
create table mail (
  id uuid primary key,
  account_id uuid references account on delete cascade,
  cat_id uuid references cat on delete cascade,
  kind text not null check (kind ~ '^[a-z][a-z_]{0,39}$'),
  to_address citext not null check (length(to_address) between 3 and 254
    and to_address !~ '[[:cntrl:][:space:]]'),
  token_id uuid references account_token on delete cascade,
  args jsonb not null default '{}' check (jsonb_typeof(args) = 'object'),
  state text not null default 'queued'
    check (state in ('queued', 'sending', 'sent', 'failed', 'dropped')),
  error text,
  created_at timestamptz not null default now(),
  sent_at timestamptz
);
create index mail_address on mail (to_address, kind, created_at);
create index mail_account on mail (account_id) where account_id is not null;
create index mail_cat on mail (cat_id) where cat_id is not null;
create index mail_token on mail (token_id) where token_id is not null;
create index mail_age on mail (created_at);

create table account_preference (
  account_id uuid primary key references account on delete cascade,
  language text not null default 'en' check (language in ('en', 'de')),
  volume_unit text not null default 'ml' check (volume_unit in ('ml', 'oz')),
  theme text not null default 'system'
    check (theme in ('system', 'light', 'dark')),
  notify_reminders boolean not null default true,
  notify_alerts boolean not null default true,
  notify_reports boolean not null default false,
  updated_at timestamptz not null default now()
);

alter table account
  add column deactivated_at timestamptz,
  add column inactive_warned_at timestamptz;
update account set deactivated_at = now() where status = 'deactivated';

-- What a deleted account leaves outside PostgreSQL, until it is removed there
-- too: names of files, ids of jobs, ids of cats.
create table erasure (
  batch uuid not null,
  kind text not null check (kind in ('file', 'job', 'cat')),
  name text not null,
  created_at timestamptz not null default now(),
  primary key (batch, kind, name)
);

-- The trail of a cat that nobody has any more goes with it. Where others still
-- have the cat, what was done stays, without who did it; so does what an
-- administrator did to other accounts.
create or replace function ct_audit_forget(who uuid) returns void
language sql security definer set search_path = public, pg_temp as $$
  delete from audit_event e
  where e.cat_id in (select m.cat_id from cat_member m where m.account_id = who
                     and not exists (select from cat_member o
                       where o.cat_id = m.cat_id and o.account_id <> who))
     or (e.account_id = who and e.cat_id is null and e.noun <> 'account')
     or (e.noun = 'account' and e.noun_id = who);
  update audit_event set account_id = null,
    before = case when before ->> 'by_account' = who::text
      then before - 'by_account' else before end
  where account_id = who or before ->> 'by_account' = who::text
$$;

-- The same for the whole trail of a cat that its last owner takes along.
create function ct_audit_forget_cat(which uuid) returns void
language sql security definer set search_path = public, pg_temp as $$
  delete from audit_event where cat_id = which
$$;
revoke execute on function ct_audit_forget_cat(uuid) from public;
do $$
begin
  if exists (select from pg_roles where rolname = 'catetube_app') then
    grant execute on function ct_audit_forget_cat(uuid) to catetube_app;
  end if;
end $$;
