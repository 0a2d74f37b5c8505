"""Deleting an account leaves nothing: one of everything is made under names
found nowhere else, and then no row, no Redis key or value and no file has the
account's or the cat's id, the address or the names. What others share stays."""
import json
import os
import subprocess
import sys
import threading
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../support"))
from joined import (PASSWORD, Tally, client, login, mail, one,  # noqa: E402
                    redis, registered, sql, token, wait_for)

t = Tally()
MARK = os.urandom(6).hex()


def post(who, path, body=None):
    r = who.send("POST", path, body)
    assert r.status < 300, (path, r.status, r.body)
    return r.json()


def cat_of(who):
    return who.send("GET", "/api/auth/me").json()["user"]["cat_id"]


def tables():
    return [r[0] for r in sql(
        "select table_name from information_schema.tables where table_schema ="
        " 'public' and table_type = 'BASE TABLE' order by 1")]


def rows_with(words):
    """'table: word' for each word that any column of any row holds."""
    return [r[0] for r in sql(" union all ".join(
        f"select '{name}: {word} (' || count(*) || ')' from {name} x where"
        f" lower(x::text) like lower('%{word}%') having count(*) > 0"
        for name in tables() for word in words))]


READ = {b"string": ("GET",), b"hash": ("HGETALL",), b"set": ("SMEMBERS",),
        b"list": ("LRANGE", 0, -1), b"stream": ("XRANGE", "-", "+"),
        b"zset": ("ZRANGE", 0, -1)}


def keys_with(words):
    found, r = [], redis()
    for key in r.keys("*"):
        kind = r.type(key)
        if kind == b"none":
            continue  # it expired meanwhile
        command, *rest = READ[kind]
        text = (repr(key) + repr(r.execute_command(command, key, *rest))).lower()
        found += [f"{key!r}: {w}" for w in words if w.lower() in text]
    return found


def files_with(words):
    top = os.environ["CATETUBE_FILES_DIR"]
    return [name for d, _, names in os.walk(top) for name in names
            if any(w in name for w in words)]


def report(who):
    made = post(who, "/api/report/combined", {"format": "json"})["report_id"]
    t.check(wait_for("report", 20, lambda: who.send(
        "GET", f"/api/report/status/{made}").json()["status"] == "completed"),
        "a report was made")
    return made


def scheduled(who):
    """A report that came by mail."""
    made = post(who, "/api/report/schedule", {"weekday": "monday", "hour": 7})
    sql("update report_schedule set next_at = now() where id ="
        f" '{made['data']['id']}'")
    redis().lpush("maintenance", json.dumps({
        "body": "W1tdLCB7fSwge31d", "content-type": "application/json",
        "content-encoding": "utf-8", "properties": {"body_encoding": "base64"},
        "headers": {"task": "report.schedule", "id": str(uuid.uuid4())}}))
    t.check(mail(who.email, "report", 30), "a report came by mail")


def archives(who):
    """An export, and its archive sent in again; ids of both and of the job."""
    made = post(who, "/api/auth/export")["report_id"]
    t.check(wait_for("export", 20, lambda: who.send(
        "GET", f"/api/report/status/{made}").json()["status"] == "completed"),
        "an export was made")
    name = os.path.join(os.environ["CATETUBE_FILES_DIR"], "reports",
                        made + ".zip")
    with open(name, "rb") as f:
        r = who.upload("/api/import", f.read())
    assert r.status == 202, r.body
    sent = r.json()["import_id"]
    t.check(wait_for("import", 20, lambda: who.send(
        "GET", f"/api/import/{sent}").json()["status"] == "completed"),
        "it was sent in")
    return [made, sent, one(f"select job_id from import where id = '{sent}'")]


def reads(who):
    """The status that the account's device gets."""
    return client().send("GET", "/api/tracker/today",
                         Authorization=who.device).status


def everything(who):
    """One of all that an account can have; ids of its jobs."""
    meal = post(who, "/api/feeding/", {"amount_ml": 5, "notes": MARK})["data"]
    dose = post(who, "/api/medication_log/", {
        "medication_name": MARK, "dosage": "1", "amount_ml": 1})["data"]
    for path, entry in (("feeding", meal), ("medication_log", dose)):
        one_of = f"/api/{path}/{entry['id']}"
        assert who.send("PATCH", one_of, {"notes": MARK + "b"}).status == 200
        assert who.send("DELETE", one_of).status == 200
        post(who, one_of + "/restore")
    who.send("POST", "/api/feeding/", {"amount_ml": 3, "notes": MARK},
             Idempotency_Key=MARK)
    post(who, "/api/tracker/today", {"daily_target_ml": 190})
    post(who, "/api/webhook", {"url": f"https://localhost/{MARK}"})
    post(who, "/api/feeding/", {"amount_ml": 4})
    made = post(who, "/api/auth/token", {"name": MARK, "scope": "read"})
    who.device = "Bearer " + made["token"]
    assert reads(who) == 200, made
    who.send("PUT", "/api/auth/preferences", {"theme": "dark"})
    post(who, "/api/auth/consent", {"version": 1})
    post(client(), "/api/auth/forgot-password", {"email": who.email})
    assert login(who.email, "not " + PASSWORD)[0] == 401
    login(who.email)
    jobs = [report(who)] + archives(who)
    post(who, "/api/auth/verify-email",
         {"token": token(who.email, "verify")})
    mail(who.email, "reset")
    scheduled(who)
    post(who, "/api/auth/change-email", {
        "email": f"second-{MARK}@example.test", "password": PASSWORD})
    mail(f"second-{MARK}@example.test", "change_email")
    mail(who.email, "email_notice")
    for path in ("/api/tracker/today", "/api/feeding/", "/api/medication_log/"):
        assert who.send("GET", path).status == 200
    jobs += [r[0] for r in sql(
        f"select id from mail where account_id = '{who.id}'")]
    told = [r[0] for r in sql(
        "select d.id from webhook_delivery d join webhook w"
        f" on w.id = d.webhook_id where w.account_id = '{who.id}'")]
    t.check(told, "something was to be told")
    return jobs + told


def nothing_is_left():
    w = registered(email=f"gone-{MARK}@example.test", first_name=f"N{MARK}",
                   cat_name=f"C{MARK}")
    cat, jobs = cat_of(w), everything(w)
    words = [w.id, cat, MARK]
    before = rows_with(words)
    for name in ("account", "cat", "cat_member", "feeding", "medication",
                 "report", "mail", "account_token", "audit_event",
                 "idempotency", "api_token", "account_preference",
                 "account_session", "daily_target", "report_schedule",
                 "webhook", "import"):
        t.check(any(f.startswith(name + ":") for f in before),
                f"{name} has something to lose")
    t.check(rows_with(jobs), "its jobs are in rows")
    t.check(keys_with(words + jobs), "Redis has something to lose")
    t.check(files_with(jobs), "so have the files")
    failure = ("select count(*) from login_failure where email_hash = sha256("
               f"convert_to('gone-{MARK}@example.test', 'UTF8'))")
    assert login(w.email, "not " + PASSWORD)[0] == 401
    t.same(one(failure), "1", "and a failed log-in")
    w.close()  # nginx may have closed it: all that looking took long
    r = w.send("POST", "/api/auth/delete", {"password": PASSWORD})
    t.same(r.status, 200, "deleted")
    t.same((reads(w), w.send("GET", "/api/auth/me").status), (401, 401),
           "neither device nor session is let in")
    t.check(wait_for("erasure", 20, lambda: one(
        "select count(*) from erasure") == "0"), "the worker is through")
    t.same(rows_with(words + jobs), [], "rows")
    t.same(one(failure), "0", "failed log-ins")
    # A digest of a session ends with a mark that says only that it ended.
    t.same(keys_with(words + jobs), [], "Redis")
    t.same(files_with(jobs), [], "files")


def shared():
    """Ann and Bob own Ann's cat; Bob alone stays."""
    ann, bob = registered(), registered()
    cat, bobs = cat_of(ann), cat_of(bob)
    meal = post(ann, "/api/feeding/", {"amount_ml": 7})["data"]["id"]
    ann.send("PATCH", f"/api/feeding/{meal}", {"amount_ml": 8})
    sql("insert into cat_member (cat_id, account_id, role) values "
        f"('{cat}', '{bob.id}', 2)")
    # Bob's list of cats is cached; the SQL above told nobody.
    return ann, bob, cat, bobs, meal


def last_owner():
    ann, bob, cat, bobs, meal = shared()
    sql(f"update cat set name = 'Miez' where id = '{cat}'")
    r = ann.send("POST", "/api/auth/delete", {"password": PASSWORD})
    t.same((r.status, r.json()["code"], r.json()["cats"]),
           (409, "last_owner", [{"cat_id": cat, "name": "Miez"}]),
           "a cat of others needs an owner")
    t.same(ann.send("GET", "/api/auth/me").status, 200, "nothing happened")
    t.same(one(f"select count(*) from feeding where cat_id = '{cat}'"), "1",
           "no meal is lost")
    for cats in ("keep", "", 1, None):
        r = ann.send("POST", "/api/auth/delete",
                     {"password": PASSWORD, "cats": cats})
        t.check(r.status == 400 and "cats" in r.json()["fields"],
                f"cats {cats!r} is refused")
    r = ann.send("POST", "/api/auth/delete",
                 {"password": "not " + PASSWORD, "cats": "delete"})
    t.same(r.status, 401, "nor without the password")
    sql(f"update cat_member set role = 4 where account_id = '{bob.id}' "
        f"and cat_id = '{cat}'")
    r = ann.send("POST", "/api/auth/delete", {"password": PASSWORD})
    t.same(r.status, 200, "with another owner it goes")
    t.same(sql(f"select amount_ul, by_account from feeding where id = '{meal}'"),
           [["8000", ""]], "the meal stays, without her")
    t.same(sql("select account_id, before ->> 'by_account', "
               "before ->> 'amount_ul' from audit_event where noun_id = "
               f"'{meal}'"), [["", "", "7000"]], "so does its trail")
    t.same(rows_with([ann.id, ann.email]), [], "nothing else names her")
    t.same(one(f"select count(*) from cat where id in ('{cat}', '{bobs}')"),
           "2", "both cats live")


def with_cats():
    ann, bob, cat, bobs, _ = shared()
    post(bob, "/api/feeding/", {"amount_ml": 4})
    r = ann.send("POST", "/api/auth/delete",
                 {"password": PASSWORD, "cats": "delete"})
    t.same(r.status, 200, "deleted with the cat")
    t.check(wait_for("erasure", 20, lambda: one(
        "select count(*) from erasure") == "0"), "the worker is through")
    t.same(rows_with([ann.id, cat]), [], "rows")
    t.same(keys_with([ann.id, cat]), [], "Redis")
    t.same(one(f"select count(*) from feeding where cat_id = '{bobs}'"), "1",
           "Bob's own cat is as it was")
    t.same(bob.send("GET", "/api/auth/me").status, 200, "and Bob")


def beside_a_job(delete):
    """A job that ends takes its report, then its promise: so must a deletion,
    or each waits for the other."""
    who = registered(cat_name=f"B{MARK}")
    made = report(who)
    job = subprocess.Popen(["psql", "-qX", "-v", "ON_ERROR_STOP=1"], text=True,
                           stdin=subprocess.PIPE)
    job.stdin.write(f"begin; update report set rows_done = 1 where id = '{made}';"
                    "\\! true\n")
    job.stdin.flush()
    locked = ("select count(*) from pg_stat_activity where state ="
              " 'idle in transaction' and query like 'update report set rows%'")
    assert wait_for("the job", 5, lambda: one(locked) == "1")
    got = []
    asked = threading.Thread(target=lambda: got.append(delete(who).status))
    asked.start()
    assert wait_for("the deletion", 5, lambda: one(
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock'")
        != "0")
    job.communicate("update job_outbox set state = 'done' where id ="
                    f" '{made}'; commit;\n", timeout=20)
    asked.join()
    t.same((job.returncode, got), (0, [200]), "neither waits for the other")


def a_cat_beside_a_job():
    beside_a_job(lambda who: who.send(
        "DELETE", f"/api/cat/{cat_of(who)}", {"name": f"B{MARK}"}))


def an_account_beside_a_job():
    beside_a_job(lambda who: who.send(
        "POST", "/api/auth/delete", {"password": PASSWORD, "cats": "delete"}))


for part in (nothing_is_left, last_owner, with_cats, a_cat_beside_a_job,
             an_account_beside_a_job):
    print(part.__name__, flush=True)
    part()
sys.exit(t.end())
