"""Reports by mail each week: asked for by an account for itself, made once for
each slot whoever looks for them, brought by a mail to whoever still cares for
the cat; and the arithmetic of weeks where clocks change."""
import concurrent.futures
import datetime
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../support"))
from joined import (Tally, glob_mail, mail, one, redis, registered,  # noqa: E402
                    sql, token, client, wait_for)

t = Tally()
PATH = "/api/report/schedule"
NEVER = "01930000-0000-7000-8000-00000000dead"
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday",
        "sunday"]


def confirmed(**more):
    w = registered(**more)
    r = client().send("POST", "/api/auth/verify-email",
                      {"token": token(w.email, "verify")})
    assert r.status == 200, r.body
    w.cat = w.send("GET", "/api/auth/me").json()["user"]["cat_id"]
    return w


def ask(w, status=201, **more):
    r = w.send("POST", PATH, {"weekday": "monday", "hour": 7, **more})
    t.same(r.status, status, f"ask {more}")
    return r.json()["data"] if r.status == 201 else r.json()


def late(schedule, age="1 minute"):
    """Its slot was so long ago."""
    sql(f"update report_schedule set next_at = now() - interval '{age}'"
        f" where id = '{schedule}'")


def sweep():
    """One run of the task, by hand."""
    p = subprocess.run([os.path.join(os.environ.get("BUILD", "build"),
                                     "catetubectl"), "enqueue", "report.schedule",
                        "{}", "--queue", "maintenance"],
                       stdout=subprocess.PIPE, text=True, timeout=30)
    job, r = p.stdout.strip(), redis()
    return wait_for("sweep", 20, lambda: (
        r.get(f"celery-task-meta-{job}") or b"").startswith(
            b'{"status":"SUCCESS"'))


def reports(schedule):
    return sql("select id, state, date_from, date_to, slot_at from report"
               f" where schedule_id = '{schedule}' order by slot_at")


def crud():
    w, other = confirmed(), confirmed()
    s = ask(w)
    t.same([s[k] for k in ("type", "format", "weekday", "hour", "timezone",
                           "enabled", "deliverable", "last_at", "cat_id")],
           ["summary", "pdf", "monday", 7, None, True, True, None, w.cat],
           "defaults")
    one_of = f"{PATH}/{s['id']}"
    t.same(w.send("GET", one_of).json(), s, "read back")
    t.same(w.send("GET", PATH).json(), {"schedules": [s]}, "listed")
    r = w.send("PATCH", one_of, {"hour": 23, "timezone": "Asia/Tokyo"})
    d = r.json()["data"]
    t.same((r.status, d["hour"], d["timezone"], d["weekday"]),
           (200, 23, "Asia/Tokyo", "monday"), "changed")
    at = datetime.datetime.fromisoformat(d["next_at"].replace("Z", "+00:00"))
    t.same((at.weekday(), at.hour), (0, 14), "23:00 in Tokyo is 14:00")
    t.check(at > datetime.datetime.now(datetime.timezone.utc), "to come")
    r = w.send("PATCH", one_of, {"enabled": False, "type": "feeding"})
    t.same(r.json()["data"]["next_at"] == d["next_at"], True, "same time")
    for method, body in (("GET", None), ("PATCH", {"hour": 1}),
                         ("DELETE", None)):
        t.same(other.send(method, one_of, body).status, 404, f"{method} by "
               "another account")
        t.same(w.send(method, f"{PATH}/{NEVER}", body).status, 404,
               f"{method} of none")
    t.same(other.send("GET", PATH).json(), {"schedules": []}, "not listed")
    t.same(w.send("DELETE", one_of).status, 200, "deleted")
    t.same(w.send("GET", one_of).status, 404, "gone")
    return w, other


def refused(w, other):
    for field, value in (("weekday", "Monday"), ("weekday", "noday"),
                         ("hour", 24), ("hour", -1), ("hour", "7"),
                         ("hour", 7.5), ("timezone", "Middle/Earth"),
                         ("timezone", ""), ("timezone", "x" * 65),
                         ("type", "gossip"), ("format", "exe"),
                         ("enabled", None), ("next_at", "2026-01-01T00:00:00Z"),
                         ("deliverable", True), ("nix", 1)):
        said = ask(w, 400, **{field: value})
        t.check(field in said.get("fields", {}), f"it names {field}")
    t.same(w.send("POST", PATH, {}).json()["fields"].keys(),
           {"weekday", "hour"}, "what is wanted")
    ask(w, 404, cat_id=other.cat)
    ask(w, 404, cat_id=NEVER)
    for _ in range(5):
        ask(w)
    t.same(ask(w, 409)["code"], "too_many", "five are enough")
    # ... also where many ask at once.
    sql(f"delete from report_schedule where account_id = '{w.id}'")
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        got = list(pool.map(lambda _: copy_of(w).send("POST", PATH, {
            "weekday": "monday", "hour": 1}).status, range(12)))
    t.same(sorted(got), [201] * 5 + [409] * 7, "at once")
    device = w.send("POST", "/api/auth/token", {
        "name": "d", "scope": "full"}).json()["token"]
    t.same(client().send("GET", PATH, Authorization="Bearer " + device).status,
           403, "no token gets it")
    t.same(client().send("GET", PATH).status, 401, "nor a stranger")


def copy_of(w):
    c = client()
    c.cookie = w.cookie
    return c


def weeks():
    """ct_next_weekly: the slots of a zone, one after the other."""
    table = [
        # Berlin has no 02:00 on 29 March 2026, and two on 25 October.
        ("2026-03-23T00:00:00Z", "Europe/Berlin", 7, 2,
         ["2026-03-29 01:00:00", "2026-04-05 00:00:00"]),
        ("2026-10-19T00:00:00Z", "Europe/Berlin", 7, 2,
         ["2026-10-25 00:00:00", "2026-11-01 01:00:00"]),
        ("2026-11-22T00:00:00Z", "UTC", 7, 0,
         ["2026-11-29 00:00:00", "2026-12-06 00:00:00"]),
        ("2026-11-21T23:59:59Z", "UTC", 7, 0, ["2026-11-22 00:00:00"]),
        # Samoa left out Friday, 30 December 2011.
        ("2011-12-26T00:00:00Z", "Pacific/Apia", 5, 12,
         ["2011-12-30 10:00:00", "2012-01-05 22:00:00"]),
    ]
    for after, zone, day, hour, want in table:
        got = []
        for _ in want:
            after = one("select to_char(ct_next_weekly("
                        f"'{after}'::timestamptz, '{zone}', {day}, {hour})"
                        " at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')")
            got.append(after)
            after += "Z"
        t.same(got, want, f"{zone}, day {day}, {hour} o'clock")


def summary_by_mail():
    """What comes where nothing else was asked for: the vet's page."""
    w = confirmed(email=f"page-{os.urandom(4).hex()}@example.test")
    w.send("POST", "/api/feeding/", {"amount_ml": 42.5})
    late(ask(w)["id"])
    sweep()
    m = mail(w.email, "report", 60)
    t.check(m is not None, "a mail with the summary came")
    (f,) = m.iter_attachments()
    t.same(f.get_content_type(), "application/pdf", "it is a PDF")
    t.check(f.get_filename().startswith("summary-report-"), "named so")
    t.check(f.get_payload(decode=True).startswith(b"%PDF-"), "and a whole one")
    s = ask(w, format="excel")
    t.same(s["format"], "xlsx", "excel is xlsx")


def by_mail():
    w = confirmed(email=f"weekly-{os.urandom(4).hex()}@example.test",
                  first_name="Ada", cat_name="Mi\u00df \u2615")
    w.send("POST", "/api/feeding/", {
        "amount_ml": 42.5, "notes": "=now()",
        "time_given": (datetime.datetime.now(datetime.timezone.utc) -
                       datetime.timedelta(days=2)).isoformat()})
    s = ask(w, type="feeding", format="csv")["id"]
    late(s)
    # Many sweeps at once, and one more: still one report.
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        t.same(list(pool.map(lambda _: bool(sweep()), range(4))), [True] * 4,
               "four sweeps")
    sweep()
    made = reports(s)
    t.same(len(made), 1, "one report for the slot")
    slot_day = one("select ct_care_day(slot_at, 'UTC', '00:00') from report"
                   f" where id = '{made[0][0]}'")
    end = datetime.date.fromisoformat(slot_day)
    t.same(made[0][2:4], [str(end - datetime.timedelta(days=7)),
                          str(end - datetime.timedelta(days=1))],
           "the seven days before it")
    m = mail(w.email, "report", 30)
    t.check(m is not None, "a mail came")
    t.same(m["Subject"], f"Mi\u00df \u2615: feeding report, {made[0][2]} to "
           f"{made[0][3]}", "its subject")
    files = list(m.iter_attachments())
    t.same([(f.get_content_type(), f.get_filename()) for f in files],
           [("text/csv", f"feeding-report-{made[0][2]}-{made[0][3]}.csv")],
           "with the file")
    link = f"/api/report/download/{made[0][0]}"
    got = w.send("GET", link)
    t.same(files[0].get_payload(decode=True), got.body,
           "the same that can be downloaded")
    t.check(b"42.5" in got.body and b"'=now()" in got.body, "with the meal")
    for part in ("plain", "html"):
        text = m.get_body((part,)).get_content()
        t.check(link in text and "Hello Ada" in text, f"{part} has the link")
    t.same(len(m.defects), 0, "no defects")
    d = w.send("GET", f"{PATH}/{s}").json()
    t.check(d["last_at"] is not None and d["next_at"] > d["last_at"],
            "the next one is set")
    # Weeks that were missed: one report, of the last of them.
    late(s, "20 days 1 hour")
    sweep()
    made = reports(s)
    t.same(len(made), 2, "one report for three weeks")
    t.same(one("select now() - slot_at < interval '7 days' from report"
               f" where id = '{made[1][0]}'"), "t", "of the last slot")
    t.check(mail(w.email, "report", 30, 2), "and its mail")
    return w, s


def nobody_else(w, s):
    """What keeps a slot from becoming a report, and a report a mail."""
    for what, undo in (
            (f"update account set status = 'deactivated' where id = '{w.id}'",
             f"update account set status = 'active' where id = '{w.id}'"),
            ("update account set email_verified_at = null where id ="
             f" '{w.id}'", "update account set email_verified_at = now() where"
             f" id = '{w.id}'"),
            (f"update report_schedule set enabled = false where id = '{s}'",
             f"update report_schedule set enabled = true where id = '{s}'"),
            (f"update cat_member set account_id = (select id from account"
             f" where email = '{HELPER.email}') where cat_id = '{w.cat}'",
             f"update cat_member set account_id = '{w.id}' where cat_id ="
             f" '{w.cat}'")):
        sql(what)
        late(s)
        before = len(reports(s))
        sweep()
        t.same(len(reports(s)), before, f"no report: {what[:50]}...")
        sql(undo)
    # The report was made, but its account left the cat meanwhile.
    n = one(f"select count(*) from mail where account_id = '{w.id}'")
    sql(f"insert into report (id, account_id, cat_id, kind, format,"
        f" schedule_id, slot_at) values ('{NEVER}', '{HELPER.id}', '{w.cat}',"
        f" 'feeding', 'csv', '{s}', now()); insert into job_outbox (id, task,"
        f" queue, kwargs) values ('{NEVER}', 'report.generate', 'reports',"
        f" jsonb_build_object('report_id', '{NEVER}'))")
    t.check(wait_for("ready", 20, lambda: one(
        f"select state from report where id = '{NEVER}'") == "ready"), "ready")
    t.same(one(f"select count(*) from mail where account_id = '{w.id}'"), n,
           "no mail of it")
    t.same(one("select count(*) from mail where account_id = "
               f"'{HELPER.id}' and kind = 'report'"), "0", "to nobody")
    sql(f"delete from report where id = '{NEVER}'")


def too_large_and_gone(w, s):
    late(s)
    sweep()
    m = mail(w.email, "report", 30, 3)
    # Sent again by hand: as a link where the file is too large ...
    name = sql("select id, report_id from mail where to_address ="
               f" '{w.email}' and kind = 'report' order by created_at desc")[0]

    def again(what):
        sql(f"{what}; update mail set state = 'queued' where id = '{name[0]}';"
            f" insert into job_outbox (id, task, queue, kwargs) values"
            " (gen_random_uuid(), 'mail.send', 'mail',"
            f" jsonb_build_object('mail_id', '{name[0]}'))")
        return wait_for("end", 20, lambda: one(
            f"select state from mail where id = '{name[0]}'") in (
                "sent", "dropped", "failed"))

    t.check(m is not None, "a third one")
    again(f"update report set byte_count = 99999999 where id = '{name[1]}'")
    m = glob_mail("report", name[0])
    t.same((list(m.iter_attachments()), m["Subject"][-5:] != ""), ([], True),
           "no file")
    t.check("/api/report/download/" + name[1] in
            m.get_body(("plain",)).get_content(), "but a link")
    # ... and not at all where it is gone.
    again(f"delete from report where id = '{name[1]}'")
    t.same(sql(f"select state, error from mail where id = '{name[0]}'"),
           [["dropped", "its report is gone"]], "dropped")


HELPER = confirmed()
pair = None
for part in (crud, refused, weeks, summary_by_mail, by_mail, nobody_else,
             too_large_and_gone):
    print(part.__name__, flush=True)
    got = part(*pair) if part.__code__.co_argcount else part()
    pair = got or pair
sys.exit(t.end())
