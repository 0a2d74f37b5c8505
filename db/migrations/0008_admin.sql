-- Accounts that an administrator closed: unlike those that their owner closed,
-- only an administrator opens them again.
alter table account drop constraint account_status_check;
alter table account add constraint account_status_check
  check (status in ('active', 'deactivated', 'disabled'));
create index account_created on account (created_at desc, id desc);
-- What was done to accounts, newest first.
create index audit_event_accounts on audit_event (id desc)
  where noun = 'account' and cat_id is null;
