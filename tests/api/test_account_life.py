"""The life of an account by its mails: each route, each refusal, and that a
refusal changes nothing."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../support"))
from joined import (PASSWORD, Tally, client, login, mail, one,  # noqa: E402
                    registered, sql, token, wait_for)

NEW = "another-Quiet-cat-9"
A = "/api/auth/"
t = Tally()


def post(who, path, body=None):
    return who.send("POST", A + path, body)


def wants(r, status, field=None, code=None):
    said = r.json() or {}
    good = (r.status == status and (field is None or field in said.get("fields", {}))
            and (code is None or said.get("code") == code))
    return t.check(good, f"{status} {field or code or ''} "
                   + ("" if good else f"but {r.status} {r.body[:200]!r}"))


def user(who):
    return who.send("GET", A + "me").json()["user"]


def row(who):
    return sql("select email, email_verified_at, password_hash, status from "
               f"account where id = '{who.id}'")


def stale(path, token_text, who, **more):
    """Refused, and the account is as it was."""
    before = row(who)
    wants(post(client(), path, {"token": token_text, **more}), 400, "token")
    t.same(row(who), before, f"{path} changed nothing")


def expire(who):
    sql("update account_token set expires_at = now() - interval '1 second' "
        f"where account_id = '{who.id}'")


def verify():
    w = registered()
    t.check(not user(w)["email_verified"], "not verified at first")
    m = mail(w.email, "verify")
    t.same(m["To"], w.email, "To")
    t.same(m["Auto-Submitted"], "auto-generated", "Auto-Submitted")
    t.check(os.environ["CATETUBE_ORIGIN"] + "/verify-email#"
            in m.get_body(("plain",)).get_content(), "link by the origin")
    first = token(w.email, "verify")
    for path in ("confirm-email", "undo-email"):
        stale(path, first, w)
    stale("reset-password", first, w, password=NEW)
    r = post(w, "resend-verification")
    wants(r, 202)
    second = token(w.email, "verify", 2)
    stale("verify-email", first, w)
    expire(w)
    stale("verify-email", second, w)
    wants(post(w, "resend-verification"), 202)
    third = token(w.email, "verify", 3)
    wants(post(w, "resend-verification"), 429, code="mail_limit")
    wants(post(client(), "verify-email", {"token": third}), 200)
    t.check(user(w)["email_verified"], "verified")
    stale("verify-email", third, w)
    wants(post(w, "resend-verification"), 409, code="verified")
    wants(post(client(), "resend-verification"), 401)


def bad_bodies():
    w = registered()
    before = row(w), one("select count(*) from mail")
    for path, good in (("verify-email", {"token": "x"}),
                       ("confirm-email", {"token": "x"}),
                       ("undo-email", {"token": "x"}),
                       ("reset-password", {"token": "x", "password": NEW}),
                       ("forgot-password", {"email": w.email}),
                       ("reactivate", {"email": w.email, "password": "x"}),
                       ("change-email", {"email": "a@b.test",
                                         "password": PASSWORD}),
                       ("consent", {"version": 1})):
        for key in good:
            less = {k: v for k, v in good.items() if k != key}
            wants(post(w, path, less), 400, key)
            wants(post(w, path, dict(good, **{key: None})), 400, key)
            wants(post(w, path, dict(good, **{key: ["x"]})), 400, key)
            wants(post(w, path, dict(good, **{key: "x" * 2000})), 400, key)
        wants(post(w, path, dict(good, more=1)), 400, "more")
    for address in ("a", "a@b", "a b@c.test", "a@b.test\r\nBcc: c@d.test",
                    "a@b.test,c@d.test", "<a@b.test>"):
        wants(post(w, "forgot-password", {"email": address}), 400, "email")
        wants(post(w, "change-email",
                   {"email": address, "password": PASSWORD}), 400, "email")
    t.same((row(w), one("select count(*) from mail")), before,
           "nothing was written")


def reset():
    w = registered()
    w2 = login(w.email)[1]
    verify_token = token(w.email, "verify")
    wants(post(client(), "forgot-password", {"email": w.email.upper()}), 202)
    k = token(w.email, "reset")
    stale("reset-password", "A" * 43, w, password=NEW)
    # A bad password does not use the link up.
    wants(post(client(), "reset-password", {"token": k, "password": "short"}),
          400, "password")
    wants(post(client(), "reset-password",
               {"token": k, "password": w.email}), 400, "password")
    post(client(), "forgot-password", {"email": w.email})
    k2 = token(w.email, "reset", 2)
    stale("reset-password", k, w, password=NEW)
    expire(w)
    stale("reset-password", k2, w, password=NEW)
    post(client(), "forgot-password", {"email": w.email})
    k3 = token(w.email, "reset", 3)
    r = post(client(), "reset-password", {"token": k3, "password": NEW})
    wants(r, 200)
    t.check("Set-Cookie" not in r.head, "no log-in by a reset")
    t.same([c.send("GET", A + "me").status for c in (w, w2)], [401, 401],
           "all sessions ended")
    t.same(login(w.email)[0], 401, "the old password")
    t.same(login(w.email, NEW)[0], 200, "the new password")
    t.check(mail(w.email, "password_changed"), "told by mail")
    stale("reset-password", k3, w, password="yet another one 77")
    # The link of registration is older: it ended with the reset.
    stale("verify-email", verify_token, w)


def forgot_is_uniform():
    w, nobody = registered(), f"nobody-{os.urandom(6).hex()}@example.test"
    said = [post(client(), "forgot-password", {"email": a})
            for a in (w.email, nobody) * 5]
    t.same({(r.status, r.body) for r in said}, {(202, said[0].body)},
           "known and unknown, within and past the bound, answer the same")
    for address in (w.email, nobody):
        t.same(one("select count(*) from mail where kind = 'reset' and "
                   f"to_address = '{address}'"), "3", "three an hour")
    t.check(wait_for("dropped", 10, lambda: one(
        "select count(*) from mail where kind = 'reset' and state = 'dropped'"
        f" and to_address = '{nobody}'") == "3"), "no mail to nobody")


def change_password_tells():
    w = registered()
    k = token(w.email, "verify")
    wants(post(w, "change-password", {"current_password": PASSWORD,
                                      "new_password": NEW}), 200)
    t.check(mail(w.email, "password_changed"), "told by mail")
    stale("verify-email", k, w)


def verified():
    w = registered()
    post(client(), "verify-email", {"token": token(w.email, "verify")})
    return w


def change_email():
    w, other = verified(), registered()
    old, new = w.email, f"new-{os.urandom(6).hex()}@example.test"
    w2 = login(old)[1]
    wants(post(w, "change-email", {"email": new, "password": "wrong one"}), 401)
    wants(post(w, "change-email", {"email": old, "password": PASSWORD}),
          400, "email")
    wants(post(client(), "change-email",
               {"email": new, "password": PASSWORD}), 401)
    r = post(w, "change-email", {"email": new.upper(), "password": PASSWORD})
    wants(r, 202)
    first = token(new, "change_email")
    # Taken by somebody else: the same answer, and no mail.
    same = post(w2, "change-email", {"email": other.email,
                                     "password": PASSWORD})
    t.same((same.status, same.body), (r.status, r.body), "taken is not told")
    t.check(wait_for("dropped", 10, lambda: one(
        "select state from mail where kind = 'change_email' and to_address = "
        f"'{other.email}'") == "dropped"), "no mail to who has it")
    stale("confirm-email", first, w)
    wants(post(w, "change-email", {"email": new, "password": PASSWORD}), 202)
    k = token(new, "change_email", 2)
    t.same(user(w)["email"], old, "not yet")
    stale("verify-email", k, w)
    wants(post(w, "confirm-email", {"token": k}), 200)
    t.same((user(w)["email"], user(w)["email_verified"]), (new, True), "now")
    t.same(w2.send("GET", A + "me").status, 401, "other sessions ended")
    t.same((login(old)[0], login(new)[0]), (401, 200), "log-in by the new one")
    stale("confirm-email", k, w)
    # Taken in the meantime: the link is as dead as any other.
    post(w, "change-email", {"email": old, "password": PASSWORD})
    k = token(old, "change_email")
    thief = registered(email=old)
    stale("confirm-email", k, w)
    t.same(user(thief)["email"], old, "and it stays whose it is")


def undo_email():
    w = verified()
    old, bad, worse = w.email, *(f"thief-{os.urandom(6).hex()}@example.test"
                                 for _ in range(2))
    post(w, "change-email", {"email": bad, "password": PASSWORD})
    mine = token(old, "email_notice")
    wants(post(w, "confirm-email", {"token": token(bad, "change_email")}), 200)
    post(w, "change-email", {"email": worse, "password": PASSWORD})
    theirs = token(bad, "email_notice")
    wants(post(w, "confirm-email", {"token": token(worse, "change_email")}),
          200)
    wants(post(client(), "undo-email", {"token": mine}), 200)
    t.same(row(w)[0][0], old, "the old address is back")
    t.same(w.send("GET", A + "me").status, 401, "everybody is out")
    stale("undo-email", theirs, w)
    stale("undo-email", mine, w)
    k = token(old, "reset")
    wants(post(client(), "reset-password", {"token": k, "password": NEW}), 200)
    t.same((login(old, NEW)[0], login(old)[0]), (200, 401), "its owner is in")


def undo_before():
    w = verified()
    new = f"new-{os.urandom(6).hex()}@example.test"
    post(w, "change-email", {"email": new, "password": PASSWORD})
    k = token(new, "change_email")
    wants(post(client(), "undo-email",
               {"token": token(w.email, "email_notice")}), 200)
    stale("confirm-email", k, w)


def unproven_is_not_told():
    w = registered()
    post(w, "change-email", {"email": f"n-{os.urandom(6).hex()}@example.test",
                             "password": PASSWORD})
    t.same(one("select count(*) from account_token where purpose = "
               f"'undo_email' and account_id = '{w.id}'"), "0",
           "no way back for an address that nobody proved")


def reactivate():
    w = registered()
    wants(post(w, "deactivate", {"password": PASSWORD}), 200)
    t.check(mail(w.email, "deactivated"), "told by mail")
    t.same(login(w.email)[0], 401, "closed")
    no = [post(client(), "reactivate", {"email": a, "password": p})
          for a, p in ((w.email, "not the password"),
                       ("nobody-at-all@example.test", PASSWORD))]
    t.same({(r.status, r.json()["error"], r.json()["code"]) for r in no},
           {(401, "Invalid email or password", "credentials")}, "uniform")
    t.same(row(w)[0][3], "deactivated", "still closed")
    r = post(client(), "reactivate", {"email": w.email.upper(),
                                      "password": PASSWORD})
    wants(r, 200)
    t.check("Set-Cookie" in r.head, "and logged in")
    t.same(row(w)[0][3], "active", "open again")
    wants(post(client(), "reactivate",
               {"email": w.email, "password": PASSWORD}), 200)


def preferences():
    w, other = registered(), registered()
    defaults = {"language": "en", "units": "ml", "theme": "system",
                "notify_reminders": True, "notify_alerts": True,
                "notify_reports": False}
    t.same(w.send("GET", A + "preferences").json(), defaults, "defaults")
    r = w.send("PUT", A + "preferences", {"units": "oz", "theme": "dark"})
    t.same(r.json(), dict(defaults, units="oz", theme="dark"), "changed")
    r = w.send("PUT", A + "preferences", {"notify_reports": True})
    t.same(r.json(), dict(defaults, units="oz", theme="dark",
                          notify_reports=True), "the rest stays")
    t.same(other.send("GET", A + "preferences").json(), defaults, "of its own")
    for body, field in (({"units": "l"}, "units"), ({"theme": 1}, "theme"),
                        ({"language": "xx"}, "language"), ({"x": 1}, "x"),
                        ({"notify_alerts": "yes"}, "notify_alerts"),
                        ({"units": None}, "units")):
        wants(w.send("PUT", A + "preferences", body), 400, field)
    t.same(w.send("GET", A + "preferences").json()["units"], "oz", "unharmed")
    wants(client().send("GET", A + "preferences"), 401)


def consent():
    w = registered()
    u = user(w)
    t.same((u["consent_version"], u["consent_at"]), (None, None), "none given")
    wants(post(w, "consent", {"version": 3}), 200)
    u = user(w)
    t.check(u["consent_version"] == 3 and u["consent_at"], "given")
    for bad in (0, -1, 1.5, "1", 10**7):
        wants(post(w, "consent", {"version": bad}), 400, "version")
    wants(w.send("PUT", A + "profile", {"consent_version": 9}), 400,
          "consent_version")
    t.same(user(w)["consent_version"], 3, "unharmed")
    u = user(registered(consent_version=2))
    t.check(u["consent_version"] == 2 and u["consent_at"], "at registration")
    t.same(json.dumps(u["role"]), '"user"', "role")


def unused():
    """The task that looks for unused accounts; never logged in counts from
    registration."""
    w = registered()
    sql(f"update account set created_at = now() - interval '54 days',"
        f" last_login_at = null where id = '{w.id}'; delete from"
        f" account_session where account_id = '{w.id}'")
    young = registered()
    sql(f"update account set created_at = now() - interval '52 days',"
        f" last_login_at = null where id = '{young.id}'; delete from"
        f" account_session where account_id = '{young.id}'")
    subprocess.run([os.path.join(os.environ.get("BUILD", "build"),
                                 "catetubectl"), "enqueue",
                    "maintenance.inactive", "{}", "--queue", "maintenance"],
                   check=True, stdout=subprocess.DEVNULL)
    t.check(mail(w.email, "inactive_warning"), "warned by mail")
    t.same(one("select count(*) from mail where kind = 'inactive_warning' and "
               f"account_id = '{young.id}'"), "0", "and nobody else")
    t.same(row(w)[0][3], "active", "not closed yet")


for part in (verify, bad_bodies, reset, forgot_is_uniform,
             change_password_tells, change_email, undo_email, undo_before,
             unproven_is_not_told, reactivate, preferences, consent, unused):
    print(part.__name__, flush=True)
    part()
sys.exit(t.end())
