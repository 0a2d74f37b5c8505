-- Archives: exports of an account, which are reports without a cat, and
-- archives that were sent in to be imported.

-- The programs' tables say which kinds and formats there are.
alter table report alter column cat_id drop not null;
alter table report drop constraint if exists report_kind_check,
  drop constraint if exists report_format_check;
alter table report
  add constraint report_kind_check check (kind ~ '^[a-z][a-z_]{0,29}$'),
  add constraint report_format_check check (format ~ '^[a-z]{1,10}$'),
  add constraint report_export_check
    check ((kind = 'export') = (cat_id is null));

-- job_id: what looks at it or runs it, or did so last. is_run: it is to be
-- written; else only looked at. summary: what came of that.
create table import (
  id uuid primary key,
  account_id uuid not null references account on delete cascade,
  job_id uuid not null unique,
  is_run boolean not null default false,
  state text not null default 'queued'
    check (state in ('queued', 'running', 'done', 'failed')),
  byte_count bigint not null check (byte_count > 0),
  blob text not null,
  rows_done bigint not null default 0,
  row_count bigint,
  summary jsonb,
  error text,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  expires_at timestamptz not null
);
create index import_account on import (account_id, created_at desc);
create index import_age on import (expires_at);

-- upload: a file that was sent in. stale: a cat whose cached answers are.
-- account: one of which sessions' copies are stale.
alter table erasure drop constraint erasure_kind_check;
alter table erasure add constraint erasure_kind_check
  check (kind in ('file', 'job', 'cat', 'upload', 'stale', 'account'));
