-- Tokens for devices and programs: several to an account, each with a scope,
-- perhaps one cat, perhaps an end.
create table api_token (
  id uuid primary key,
  account_id uuid not null references account on delete cascade,
  name text not null check (length(name) between 1 and 100),
  token_hash bytea not null unique check (length(token_hash) = 32),
  scope text not null check (scope in ('read', 'log', 'full')),
  cat_id uuid references cat on delete cascade,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  used_at timestamptz,
  revoked_at timestamptz,
  -- What is not about one cat is no business of a token for one.
  check (cat_id is null or scope <> 'full')
);
create index api_token_account on api_token (account_id, created_at desc);
create index api_token_cat on api_token (cat_id) where cat_id is not null;
