-- Cats with a profile of their own, and the invitations of further carers.

alter table cat
  add column sex text check (sex in ('female', 'male', 'female_spayed',
    'male_neutered')),
  add column birth_year bigint check (birth_year between 1980 and 2199),
  add column conditions text not null default ''
    check (length(conditions) <= 2000),
  add column diet text not null default '' check (length(diet) <= 2000),
  add column tube_placed_on date,
  add column tube_size_fr bigint check (tube_size_fr between 3 and 40),
  -- Thousandths of a centimetre.
  add column tube_mark_mcm bigint check (tube_mark_mcm between 1 and 100000),
  add column vet_name text not null default '' check (length(vet_name) <= 100),
  add column vet_phone text not null default '' check (length(vet_phone) <= 40),
  add column vet_email text not null default ''
    check (length(vet_email) <= 254),
  add column emergency_name text not null default ''
    check (length(emergency_name) <= 100),
  add column emergency_phone text not null default ''
    check (length(emergency_phone) <= 40),
  add column version bigint not null default 1,
  add column updated_at timestamptz not null default now();

-- Whoever changes a cat, through whatever statement, raises its version: a
-- second carer who read it before is told so.
create function ct_cat_version() returns trigger language plpgsql as $$
begin
  new.version := old.version + 1;
  new.updated_at := now();
  return new;
end $$;
create trigger cat_version before update on cat for each row
  when (old.* is distinct from new.*) execute function ct_cat_version();

-- One-time offers of a role. Only the digest of the token is kept. An offer
-- holds while whoever made it is an owner of the cat.
create table invite (
  id uuid primary key,
  cat_id uuid not null references cat on delete cascade,
  by_account uuid not null references account on delete cascade,
  role smallint not null check (role between 1 and 3),
  email citext check (length(email) <= 254),
  token_hash bytea not null unique check (length(token_hash) = 32),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz,
  used_by uuid references account on delete set null
);
create index invite_cat on invite (cat_id, created_at);
create index invite_by on invite (by_account);
create index invite_used_by on invite (used_by) where used_by is not null;
