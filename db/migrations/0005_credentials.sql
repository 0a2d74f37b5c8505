-- Second factors, and a name for each session that is no secret.

-- Sessions are listed and ended by id; the digest of the token stays inside.
alter table account_session
  add column id uuid not null default gen_random_uuid();
create unique index account_session_id on account_session (id);

-- One-time codes of an account. The secret is sealed under SECRET_KEY and the
-- account's id; while confirmed_at is null, log-in does not ask for a code.
create table account_totp (
  account_id uuid primary key references account on delete cascade,
  secret bytea not null,
  last_step bigint not null default -1, -- codes up to it are used
  created_at timestamptz not null default now(),
  confirmed_at timestamptz
);

-- A row is a code that was not used yet.
create table recovery_code (
  account_id uuid not null references account_totp on delete cascade,
  digest bytea not null check (length(digest) = 32),
  primary key (account_id, digest)
);
