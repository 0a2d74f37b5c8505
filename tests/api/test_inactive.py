"""Accounts that nobody uses are warned, closed and deleted, each step so long
after the one before, and no others are."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../support"))
from joined import (PASSWORD, Tally, client, login, mail, one,  # noqa: E402
                    registered, sql, wait_for)

t = Tally()


def age(who, days, seen=None):
    """Registered and logged in that long ago, its sessions used then."""
    sql(f"update account set created_at = now() - interval '{days} days',"
        f" last_login_at = now() - interval '{days} days' where id = '{who.id}';"
        "update account_session set seen_at = now() - interval"
        f" '{days if seen is None else seen} days' where account_id = '{who.id}'")


def earlier(who, days):
    """What was done to the account was done so many days earlier."""
    sql("update account set inactive_warned_at = inactive_warned_at - interval"
        f" '{days} days', deactivated_at = deactivated_at - interval"
        f" '{days} days' where id = '{who.id}'")


def status(who):
    rows = sql(f"select status from account where id = '{who.id}'")
    return rows[0][0] if rows else "gone"


def warnings(who):
    return int(one("select count(*) from mail where kind = 'inactive_warning'"
                   f" and account_id = '{who.id}'"))


def entries(cat):
    return one(f"select (select count(*) from feeding where cat_id = '{cat}') +"
               f" (select count(*) from medication where cat_id = '{cat}')")


def cat_of(who):
    return who.send("GET", "/api/auth/me").json()["user"]["cat_id"]


def add_entries(who):
    who.send("POST", "/api/feeding/", {"amount_ml": 5})
    who.send("POST", "/api/medication_log/", {
        "medication_name": "M", "dosage": "1", "amount_ml": 1})


def admin():
    w = registered()
    sql(f"update account set role = 'admin' where id = '{w.id}'")
    return login(w.email)[1], w


boss, _ = admin()


def run():
    r = boss.send("POST", "/api/auth/cleanup-inactive")
    assert r.status == 200, r.body
    return r.json()["result"]


def closed_by_use():
    fresh, used, idle, device = (registered() for _ in range(4))
    _, away = admin()
    r = fresh.send("POST", "/api/auth/cleanup-inactive")
    t.same((r.status, r.json()["code"]), (403, "admin"), "admins only")
    # No log-in for long, but a request today, which is what counts.
    age(used, 61, 10)
    t.same(used.send("GET", "/api/auth/me").status, 200, "used")
    sql(f"update account_session set seen_at = now() where account_id ="
        f" '{used.id}'")
    # A device counts like a person.
    device.send("POST", "/api/auth/token", {"name": "d", "scope": "log"})
    sql(f"update api_token set used_at = now() where account_id ="
        f" '{device.id}'")
    age(device, 61)
    # Idle, and known to the cache.
    idle.send("GET", "/api/auth/me")
    age(idle, 61)
    age(away, 200)
    t.same(run()["warned"], 1, "one is warned")
    t.same(run()["warned"], 0, "once")
    t.same([warnings(w) for w in (idle, used, device, fresh, away)],
           [1, 0, 0, 0, 0], "the right one")
    earlier(idle, 6)
    run()
    t.same(status(idle), "active", "not closed six days after the warning")
    earlier(idle, 2)
    t.same(run()["deactivated"], 1, "closed after seven")
    t.same(status(idle), "deactivated", "the right one")
    t.check(mail(idle.email, "inactive_deactivated"), "told by mail")
    t.same(idle.send("GET", "/api/auth/me").status, 401, "no session is left")
    t.same(login(idle.email)[0], 401, "nor a log-in")
    t.same([status(w) for w in (used, device, fresh, away)], ["active"] * 4,
           "the others are as they were")
    r = client().send("POST", "/api/auth/reactivate", {
        "email": idle.email, "password": PASSWORD})
    t.same((r.status, status(idle)), (200, "active"), "it can come back")
    t.same(run()["deactivated"], 0, "and is in use again")


def used_again_after_a_warning():
    w = registered()
    age(w, 61)
    run()
    earlier(w, 8)
    t.same(login(w.email)[0], 200, "logs in after the warning")
    run()
    t.same(status(w), "active", "and stays")


def deleted_in_steps():
    gone, idle, fresh = (registered() for _ in range(3))
    cat, mine = cat_of(gone), cat_of(fresh)
    add_entries(gone)
    add_entries(fresh)
    # However long nobody ran this: one step at a time.
    age(gone, 500)
    age(idle, 119)
    for days in (8, 59):
        run()
        earlier(gone, days)
        earlier(idle, days)
    run()
    t.same((status(gone), status(idle)), ("deactivated",) * 2, "closed")
    t.same(entries(cat), "2", "with all entries")
    earlier(gone, 2)
    earlier(idle, 2)
    t.same(run()["deleted"], 1, "deleted after sixty days more")
    t.same((status(gone), status(idle)), ("gone", "deactivated"),
           "the one that was away for 120 days in all")
    t.same((entries(cat), one(f"select count(*) from cat where id = '{cat}'")),
           ("0", "0"), "with its cat and entries")
    t.same((status(fresh), entries(mine)), ("active", "2"), "nobody else")


def last_owner_stays():
    owner, helper = registered(), registered()
    cat = cat_of(owner)
    sql(f"insert into cat_member values ('{cat}', '{helper.id}', 2)")
    age(owner, 200)
    sql("update account set status = 'deactivated', deactivated_at = now() -"
        f" interval '100 days' where id = '{owner.id}'")
    t.same(run()["deleted"], 0, "the cat that others feed keeps its owner")
    t.same(status(owner), "deactivated", "closed")
    sql(f"delete from cat_member where account_id = '{helper.id}'"
        f" and cat_id = '{cat}'")
    t.same(run()["deleted"], 1, "until nobody else is there")


for part in (closed_by_use, used_again_after_a_warning, deleted_in_steps,
             last_owner_stays):
    print(part.__name__, flush=True)
    part()
t.check(wait_for("erasure", 20, lambda: one(
    "select count(*) from erasure") == "0"), "the worker is through")
sys.exit(t.end())
