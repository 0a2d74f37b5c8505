-- Deleting an account forgets what the audit trail kept of its entries. The
-- app role may only add to the trail; this function is its one way to blank it.
create function ct_audit_forget(who uuid) returns void
language sql security definer set search_path = public, pg_temp as $$
  update audit_event set before = null, account_id = null
  where account_id = who
     or cat_id in (select m.cat_id from cat_member m where m.account_id = who
                   and not exists (select from cat_member o
                     where o.cat_id = m.cat_id and o.account_id <> who))
$$;
revoke execute on function ct_audit_forget(uuid) from public;
do $$
begin
  if exists (select from pg_roles where rolname = 'catetube_app') then
    grant execute on function ct_audit_forget(uuid) to catetube_app;
  end if;
end $$;

-- What deleting a cat or an account looks up.
create index account_default_cat on account (default_cat)
  where default_cat is not null;
create index daily_target_by on daily_target (by_account)
  where by_account is not null;
create index report_cat on report (cat_id);
