"""An account's data as an archive: what is in it, that it makes the same cats
in another account, that repeating changes nothing, and that no archive that
somebody bent by hand brings in anything else."""
import csv
import io
import json
import os
import re
import struct
import subprocess
import sys
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../support"))
from joined import (Tally, client, login, one, redis,  # noqa: E402
                    registered, sql, time, wait_for)

t = Tally()
KINDS = {"feeding": "feeding", "medication": "medication_log",
         "weight": "weight", "observation": "observation", "water": "water",
         "tube_check": "tube_check"}
READ = ["profile", "targets", *KINDS]
# Every table that is about an account or a cat is in an archive, or here.
IN_IT = {"account_preference", "api_token", "audit_event", "cat_member",
         "daily_target", "report", "report_schedule", "webhook", *KINDS}
NOT_IN_IT = {
    "account_session": "log-ins", "account_token": "mailed secrets",
    "account_totp": "a secret", "recovery_code": "secrets",
    "idempotency": "gone after two days", "import": "gone after a day",
    "invite": "offers to others", "mail": "what was sent, and is in an inbox",
}
NAMES = ["Miso", "Кот", "猫", "قطة", "\U0001f408 & \"co\"", "=1+1"]


def lift():
    """Nobody has asked too often."""
    r = redis()
    for key in r.scan_iter("ct:l:*"):
        r.delete(key)


def post(who, path, body=None):
    lift()
    who.close()
    r = who.send("POST", path, body)
    assert r.status < 300, (path, r.status, r.body)
    return r.json()


# ---- what an account can have

def fill(who, cat):
    """Of each kind: a plain one, a changed one, a deleted one."""
    bodies = {
        "feeding": {"amount_ml": 12.345, "planned_ml": 20, "route": "oral",
                    "flush_before_ml": 0, "outcome": "fine",
                    "notes": "=SUM(A1)\nline \"two\", 猫"},
        "medication": {"medication_name": "+Maropitant", "dosage": "4 mg",
                       "amount_ml": 1, "status": "skipped",
                       "reason": "vomited"},
        "weight": {"weight_g": 4321, "notes": "after the meal"},
        "observation": {"kind": "vomit", "severity": 2},
        "water": {"amount_ml": 30, "way": "subcutaneous"},
        "tube_check": {"cap_on": True, "smell": False, "mark_cm": 12.5,
                       "incident": "slipped"},
    }
    for n, (kind, path) in enumerate(KINDS.items()):
        for i in range(3):
            body = dict(bodies[kind], cat_id=cat, time_given=(
                f"2025-0{n + 1}-0{i + 1}T0{i}:30:00.5+01:00"))
            made = post(who, f"/api/{path}", body)["data"]["id"]
            if i == 1:
                r = who.send("PATCH", f"/api/{path}/{made}",
                             {"notes": "changed"})
                assert r.status == 200, r.body
            if i == 2:
                assert who.send("DELETE", f"/api/{path}/{made}").status == 200
    post(who, "/api/tracker/today", {"daily_target_ml": 190, "cat_id": cat})


def cat_of(who):
    return who.send("GET", "/api/auth/me").json()["user"]["cat_id"]


def cats(who):
    return who.send("GET", "/api/cat").json()["cats"]


def full_account():
    """An account with cats, settings, and somebody who helps."""
    who = registered(email=f"full-{os.urandom(6).hex()}@example.test",
                     first_name="Zoë", cat_name=NAMES[0],
                     timezone="Europe/Berlin", daily_target_ml=210)
    who.cats = [cat_of(who)]
    for name in NAMES[1:]:
        who.cats.append(post(who, "/api/cat", {
            "name": name, "timezone": "Pacific/Apia", "day_start": "06:30",
            "sex": "male_neutered", "birth_year": 2019, "weight_kg": 4.2,
            "conditions": "-CKD", "tube_placed_on": "2025-05-01",
            "tube_size_fr": 14, "tube_mark_cm": 12.5,
            "vet_email": "vet@example.org"})["data"]["id"])
    r = who.send("PATCH", f"/api/cat/{who.cats[0]}", {"day_start": "05:00"})
    assert r.status == 200
    for cat in who.cats[:2]:
        fill(who, cat)
    who.send("PUT", "/api/auth/preferences", {"theme": "dark", "units": "oz"})
    who.token = post(who, "/api/auth/token", {
        "name": "kitchen", "scope": "log"})["token"]
    post(who, "/api/report/schedule", {"weekday": "monday", "hour": 7})
    who.secret = post(who, "/api/webhook", {
        "url": "https://hook.example/x", "events": ["entry.added"]})
    helper = registered(first_name="Helga",
                        email=f"h-{os.urandom(6).hex()}@example.test",
                        last_name="Secretname")
    sql("insert into cat_member (cat_id, account_id, role) values "
        f"('{who.cats[0]}', '{helper.id}', 2)")
    helper.send("POST", "/api/auth/logout")
    address = helper.email
    _, helper = login(address)
    helper.email = address
    post(helper, "/api/feeding", {"amount_ml": 7, "cat_id": who.cats[0],
                                  "time_given": "2025-01-05T00:00:00Z"})
    who.helper = helper
    return who


# ---- export and import

def export(who):
    made = post(who, "/api/auth/export")["report_id"]
    assert wait_for("export", 30, lambda: who.send(
        "GET", f"/api/report/status/{made}").json()["status"] == "completed")
    r = who.send("GET", f"/api/report/download/{made}")
    assert r.status == 200, r.body
    who.report, who.head = made, r.head
    return r.body


def send_in(who, data):
    lift()
    who.close()  # nginx may have closed an idle one
    r = who.upload("/api/import", data)
    assert r.status == 202, (r.status, r.body)
    return r.json()["import_id"]


def settled(who, made):
    def look():
        got = who.send("GET", f"/api/import/{made}").json()
        return got["status"] != "processing" and got
    got = wait_for("import", 60, look, 0.05)
    assert got, "the import never ended"
    return got


def preview(who, data):
    who.made = send_in(who, data)
    return settled(who, who.made)


def run(who):
    post(who, f"/api/import/{who.made}/run")
    got = settled(who, who.made)
    return got


def done(who):
    lift()
    assert who.send("DELETE", f"/api/import/{who.made}").status == 200


def total(got):
    return [got["summary"]["total"][k]
            for k in ("new", "same", "conflicting", "refused")]


def files(data):
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        assert z.testzip() is None
        return {n: z.read(n) for n in z.namelist()}


def rows(all_files, name):
    return json.loads(all_files[name + ".json"])


def fingerprint(who):
    """All rows of the account and its cats, but what merely goes on."""
    return one(
        "select coalesce(md5(string_agg(x, ',' order by x)), 'none') from ("
        + " union all ".join(
            f"select '{table}' || e::text as x from {table} e where e.cat_id "
            f"in (select cat_id from cat_member where account_id = '{who.id}')"
            for table in [*KINDS, "daily_target", "cat_member"])
        + " union all select c::text from cat c where c.id in (select cat_id "
        f"from cat_member where account_id = '{who.id}')"
        + " union all select p::text from account_preference p where "
        f"account_id = '{who.id}') q")


# ---- the tests

def secret_of(made):
    """The text that is shown once, wherever the answer has it."""
    return next(v for v in [*made.values(), *made.get("data", {}).values()]
                if isinstance(v, str) and v.startswith("whsec")).encode()


def what_is_in_it(who, data):
    got = files(data)
    t.same({r[0] for r in sql(
        "select distinct table_name from information_schema.columns where "
        "table_schema = 'public' and column_name in ('account_id', 'cat_id')")}
        - IN_IT - set(NOT_IN_IT), set(),
        "no table is forgotten (db/export.c, or NOT_IN_IT with a reason)")
    names = set(got)
    t.same(list(got)[0], "README.txt", "the README comes first")
    t.check({f"cat-0{i}/{n}.{e}" for i in range(1, 7) for n in
             [*READ, "members", "audit"] for e in ("json", "csv")} <= names,
            "each cat has all its files")
    t.check({f"account/{n}.json" for n in ("profile", "preferences", "reports",
                                           "report_schedules", "tokens",
                                           "webhooks", "audit")} <= names,
            "the account")
    t.same((rows(got, "account/webhooks")[0]["events"],
            rows(got, "account/tokens")[0]["name"],
            rows(got, "account/report_schedules")[0]["weekday"]),
           ("entry.added", "kitchen", "monday"), "what it has set up")
    readme = got["README.txt"].decode()
    fields = {k for n in names if n.endswith(".json") and "/" in n
              for row in rows(got, n[:-5]) for k in row}
    t.same(sorted(f for f in fields if not re.search(
        rf"^    {f}\b", readme, re.M)), [], "the README has each field")
    t.check("mL" in readme and "kg" in readme and NAMES[2] in readme,
            "and the units, and the names")
    manifest = json.loads(got["manifest.json"])
    t.same({f["name"]: f["rows"] for f in manifest["files"]
            if f["name"].endswith(".json")},
           {n: len(rows(got, n[:-5])) for n in names
            if n.endswith(".json") and "/" in n}, "the manifest counts")
    meals = rows(got, "cat-01/feeding")
    t.same([m["amount_ml"] for m in meals], [12.345, 12.345, 12.345, 7],
           "amounts in mL, by time")
    t.same([m["by_name"] for m in meals], ["Zoë"] * 3 + ["Helga"], "by whom")
    t.same([m["by_me"] for m in meals], [True] * 3 + [False], "by me")
    t.same([m["deleted_at"] is not None for m in meals],
           [False, False, True, False], "the deleted one is marked")
    t.same(meals[0]["time_given"], "2024-12-31T23:30:00.500000Z", "in UTC")
    audit = rows(got, "cat-01/audit")
    before = [a["before"] for a in audit if a["noun"] == "feeding"
              and a["action"] == "change"]
    t.same([b["amount_ml"] for b in before], [12.345], "the trail, in mL")
    t.same([(m["name"], m["role"]) for m in rows(got, "cat-01/members")],
           [("Zoë", "owner"), ("Helga", "helper")], "members by their names")
    whole = b"".join(got.values())
    for secret in (b"Secretname", who.helper.email.encode(), b"argon2",
                   b"password_hash", who.token.encode(),
                   secret_of(who.secret), who.cookie.partition("=")[2].encode()):
        t.check(secret not in whole, f"no {secret[:12]!r} in it")
    t.check("attachment" in who.head["Content-Disposition"]
            and who.head["Content-Type"] == "application/zip", "a download")


def csv_is_json(data):
    got, bad, formulas = files(data), [], 0
    for name in got:
        if not name.endswith(".csv"):
            continue
        table = list(csv.reader(io.StringIO(got[name].decode(), newline="")))
        objects = rows(got, name[:-4])
        if len(table) != len(objects) + 1:
            bad.append(f"{name}: {len(table)} lines, {len(objects)} objects")
        for line, obj in zip(table[1:], objects):
            if table[0] != list(obj):
                bad.append(f"{name}: other columns than {list(obj)}")
            for cell, value in zip(line, obj.values()):
                formulas += cell[:2] in ("'=", "'+", "'-")
                if isinstance(value, str) and cell.lstrip("'") != value:
                    bad.append(f"{name}: {cell!r} for {value!r}")
                if cell[:1] in "=+@\t\r" and cell:
                    bad.append(f"{name}: a formula {cell!r}")
                if value is None and cell != "":
                    bad.append(f"{name}: {cell!r} for null")
    t.same(bad[:5], [], "CSV holds what JSON holds")
    t.check(formulas >= 6, f"{formulas} would-be formulas are text")


def plain(data):
    """What must be equal in two exports of the same data: ids by their order,
    and without who and when it was brought in."""
    got, out = files(data), {}
    for name in sorted(got):
        m = re.fullmatch(r"(cat-\d\d/(\w+)|account/preferences)\.json", name)
        if not m or m.group(2) in ("members", "audit"):
            continue
        out[name] = rows(got, name[:-5])
        for row in out[name]:
            for key in ("id", "cat_id", "by_name"):
                row.pop(key, None)
            if m.group(2) == "profile":
                row.pop("version"), row.pop("updated_at")
    return out


def round_trip(ann):
    data = export(ann)
    what_is_in_it(ann, data)
    csv_is_json(data)
    bob = registered(first_name="Bob", email=(
        f"bob-{os.urandom(6).hex()}@example.test"))
    # The cat that came with the account is in nobody's way.
    name = cats(bob)[0]["name"]
    r = bob.send("DELETE", f"/api/cat/{cat_of(bob)}", {"name": name})
    t.same((r.status, cats(bob)), (200, []), "Bob has nothing")
    # What Redis knows of this session is that it has no cat.
    _, second = login(bob.email)
    for _ in range(2):
        t.same(second.send("GET", "/api/tracker/today").status, 404, "no cat")
    before = fingerprint(bob)
    got = preview(bob, data)
    n = total(got)
    t.same((got["status"], got["mode"], n[1:], got["summary"]["problems"]),
           ("completed", "preview", [0, 0, 0], []), "all of it would be new")
    t.same(fingerprint(bob), before, "a preview writes nothing")
    t.same([(c["name"], c["is_new"], c["is_written"])
            for c in got["summary"]["cats"]],
           [(name, True, False) for name in NAMES], "the cats by their names")
    ran = run(bob)
    t.same((total(ran), ran["mode"]), (n, "run"), "a run counts the same")
    t.same({c["name"] for c in cats(bob)}, set(NAMES), "at once to be seen")
    second.close()
    t.check(wait_for("session", 10, lambda: second.send(
        "GET", "/api/tracker/today").status == 200, 0.2),
        "and one of them is meant where none is named")
    again = export(bob)
    a, b = plain(data), plain(again)
    for one_of in a:  # what Bob did not log is nobody's
        for row in a[one_of] + b[one_of]:
            row.pop("by_me", None)
    t.same([k for k in a if a[k] != b.get(k)], [], "what comes out is equal")
    ids = {r["id"] for k, v in files(data).items() if k.endswith(".json")
           and k.startswith("cat-") for r in json.loads(v) if "id" in r}
    there = {r["id"] for k, v in files(again).items() if k.endswith(".json")
             and k.startswith("cat-") for r in json.loads(v) if "id" in r}
    t.same(len(ids & there), 0, "under keys of its own")
    meals = rows(files(again), "cat-01/feeding")
    t.same([m["by_me"] for m in meals], [True] * 3 + [False],
           "what the exporter logged is the importer's")
    before = fingerprint(bob)
    ran = run(bob)
    t.same(total(ran), [0, n[0], 0, 0], "a second run finds it all there")
    t.same(fingerprint(bob), before, "and changes nothing")
    done(bob)
    got = preview(bob, again)
    t.same((total(got), got["summary"]["total"]["new"]), ([0, n[0], 0, 0], 0),
           "Bob's own archive is what he has")
    run(bob)
    t.same(fingerprint(bob), before, "to the byte")
    done(bob)
    before = fingerprint(ann)
    got = preview(ann, data)
    t.same(total(got), [0, n[0], 0, 0], "so is Ann's to her")
    run(ann)
    t.same(fingerprint(ann), before, "and nothing of hers has changed")
    done(ann)
    return data, bob


def state_after(bob, ann):
    """Days count as they did; the trail tells of the import."""
    of = {c["name"]: c["id"] for c in cats(bob)}
    for i in (0, 1):
        a = ann.send("GET", f"/api/cat/{ann.cats[i]}/target").json()
        b = bob.send("GET", f"/api/cat/{of[NAMES[i]]}/target").json()
        t.same([(x["effective_from"], x["daily_target_ml"])
                for x in b["targets"]],
               [(x["effective_from"], x["daily_target_ml"])
                for x in a["targets"]], "targets")
    events = bob.send("GET", f"/api/cat/{of[NAMES[0]]}/audit").json()["events"]
    t.same([(e["action"], e["noun"]) for e in events], [("import", "cat")],
           "one event in the trail, of the first run alone")
    t.same(one("select count(*) from feeding where cat_id = "
               f"'{of[NAMES[0]]}' and by_account is null"), "1",
           "Helga's meal is nobody's here")


def edited(data, change):
    """The archive with files changed: change(files) edits the dict."""
    got = files(data)
    change(got)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, text in got.items():
            z.writestr(name, text)
    return out.getvalue()


def edit_row(name, index, **more):
    def change(got):
        table = json.loads(got[name])
        table[index].update(more)
        got[name] = json.dumps(table, indent=1).encode()
    return change


def conflicts(data, bob):
    before = fingerprint(bob)
    bent = edited(data, edit_row("cat-01/feeding.json", 0, amount_ml=99))
    got = preview(bob, bent)
    problem = got["summary"]["problems"][0]
    t.same((got["summary"]["total"]["conflicting"], problem["what"],
            problem["file"]), (1, "conflicting", "cat-01/feeding.json"),
           "another amount is a conflict")
    t.same(total(run(bob))[0], 0, "nothing is new")
    t.same(fingerprint(bob), before, "and what was there is left alone")
    done(bob)


def cached_answers(ann, data):
    """What was cached about the cat is not told any longer."""
    cat = ann.cats[2]
    path = f"/api/tracker/today?cat_id={cat}"

    # Redis knows nothing of a session for a minute after its cats changed.
    _, second = login(ann.email)

    def fed():
        return second.send("GET", path).json()["total_fed_ml"]
    today = second.send("GET", path).json()["care_day"]
    t.same([fed(), fed()], [0, 0], "a day without meals, cached")
    meal = {"id": "01890a5d-ac96-774b-bcce-0000000000a1", "amount_ml": 33,
            "time_given": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "care_day": today}
    preview(ann, edited(data, lambda f: f.update({
        "cat-03/feeding.json": json.dumps([meal]).encode()})))
    t.same(fed(), 0, "a preview changes nothing")
    run(ann)
    t.check(wait_for("day", 10, lambda: fed() == 33, 0.1), "a run shows")
    done(ann)


def all_or_nothing(data):
    """One bad row in one cat: that cat stays out, the others come in."""
    who = registered()
    bent = edited(data, edit_row("cat-02/water.json", 1, amount_ml=-1))
    got = preview(who, bent)
    p = got["summary"]["problems"]
    lines = files(bent)["cat-02/water.json"].decode().split("\n")
    t.same([(x["what"], x["file"], x["field"], x["reason"]) for x in p],
           [("refused", "cat-02/water.json", "amount_ml",
             "must be greater than 0")], "file, field and reason")
    t.check(lines[p[0]["line"] - 1].strip() == "{", "and the line")
    ran = run(who)
    wrote = [c["is_written"] for c in ran["summary"]["cats"]]
    t.same(wrote, [True, False, True, True, True, True],
           "that cat stays out, the others come in")
    t.same(sorted(c["name"] for c in cats(who) if c["name"] in NAMES),
           sorted(n for n in NAMES if n != NAMES[1]), "nothing half")
    done(who)
    fixed = preview(who, data)
    t.same(fixed["summary"]["total"]["refused"], 0, "mended, it fits")
    run(who)
    t.same(len([c for c in cats(who) if c["name"] in NAMES]), 6,
           "and only what was missing is added")
    done(who)


def refused_rows(data):
    """Each kind of bad row is told with its file, line and field."""
    who = registered()
    bad = [
        ("cat-01/feeding.json", {"amount_ml": 1e12}, "amount_ml"),
        ("cat-01/feeding.json", {"amount_ml": "5"}, "amount_ml"),
        ("cat-01/feeding.json", {"time_given": "2199-01-01T00:00:00Z"},
         "time_given"),
        ("cat-01/feeding.json", {"time_given": "2025-01-01T00:00:00"},
         "time_given"),
        ("cat-01/feeding.json", {"notes": "x" * 4001}, "notes"),
        ("cat-01/feeding.json", {"notes": "a\x07b"}, "notes"),
        ("cat-01/feeding.json", {"by_account": who.id}, "by_account"),
        ("cat-01/feeding.json", {"account_id": who.id}, "account_id"),
        ("cat-01/feeding.json", {"cat_id": cat_of(who)}, "cat_id"),
        ("cat-01/feeding.json", {"care_day": "2030-01-01"}, "care_day"),
        ("cat-01/weight.json", {"weight_g": 99}, "weight_g"),
        ("cat-01/targets.json", {"daily_target_ml": 0}, "daily_target_ml"),
        ("cat-01/profile.json", {"timezone": "Mars/Olympus"}, "timezone"),
        ("cat-01/profile.json", {"day_start": "24:00"}, "day_start"),
        ("cat-01/profile.json", {"id": "../x"}, "id"),
        ("account/preferences.json", {"theme": "pink"}, "theme"),
    ]
    before = fingerprint(who)
    for name, more, field in bad:
        bent = edited(data, edit_row(name, 0, **more))
        got = preview(who, bent)
        p = got["summary"]["problems"] if got["summary"] else [None]
        t.check(got["status"] == "completed" and p and p[0]
                and (p[0]["what"], p[0]["file"], p[0]["field"]) ==
                ("refused", name, field), f"{name} {str(more)[:50]}: {p[:1]}")
        done(who)
    t.same(fingerprint(who), before, "nothing was written")
    got = preview(who, edited(data, lambda f: f.update({
        "cat-01/feeding.json": b'[{"id":1},\n{"a":1,"a":2},\n7, [[]]'})))
    p = got["summary"]["problems"]
    t.same([x["line"] for x in p], [1, 2, 3, None],
           f"broken JSON: {[x['reason'] for x in p]}")
    done(who)
    got = preview(who, edited(data, lambda f: f.update({
        "cat-01/feeding.json": b"[" + b" " * 100 + b"{" + b'"a":"' +
        b"x" * 70000 + b'"}]'})))
    t.check("longer than 64 KiB" in got["summary"]["problems"][0]["reason"],
            "an endless row")
    done(who)


# ---- archives that are none

def patched(data, find, put):
    at = data.index(find)
    return data[:at] + put + data[at + len(find):]


def twice():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr("manifest.json", "{}")
        z.writestr("manifest.jsoX", "{}")
    return out.getvalue().replace(b"manifest.jsoX", b"manifest.json")


def with_member(name, text="x", **more):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        info = zipfile.ZipInfo(name)
        info.compress_type = more.get("method", zipfile.ZIP_DEFLATED)
        info.external_attr = more.get("attr", 0o100644) << 16
        info.create_system = 3
        z.writestr(info, text)
    return out.getvalue()


def encrypted():
    data = bytearray(with_member("manifest.json", "{}"))
    for sign, off in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        data[data.index(sign) + off] |= 1
    return bytes(data)


def crowd():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for i in range(4097):
            z.writestr(f"m{i}", "")
    return out.getvalue()


def forged_count():
    """100,000 entries, of which the record at the end admits one."""
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0,
                        1, 0, 0, 0, 0, 0, 0) + b"a"
    directory = entry * 100000
    return b"PK\3\4" + b"\0" * 26 + directory + struct.pack(
        "<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(directory), 30, 0)


def bomb(data):
    return edited(data, lambda f: f.update({
        "cat-01/feeding.json": b"[" + b" " * (64 << 20) + b"]"}))


def whole_ones(data):
    who = registered()
    before = fingerprint(who)
    middle = len(data) // 2
    bad = [
        ("no archive", b"PK\3\4" + os.urandom(3000), "no zip archive"),
        ("cut", data[:middle], "no zip archive"),
        ("its end alone", b"PK\5\6" + b"\0" * 18, "no zip archive"),
        ("a single file", with_member("x.txt"), "manifest.json is missing"),
        ("a name that leads out", with_member("../../etc/cron.d/x"),
         "leads out"),
        ("an absolute name", with_member("/etc/passwd"), "leads out"),
        ("a backslash", with_member("a\\..\\b"), "leads out"),
        ("a symbolic link", with_member("cat-01", "/etc/passwd",
                                        attr=0o120777), "neither"),
        ("one name twice", twice(), "twice"),
        ("another method", with_member("x", "y" * 999, method=(
            zipfile.ZIP_LZMA)), "deflate"),
        ("a password", encrypted(), "encrypted"),
        ("a crowd", crowd(), "more than 4096"),
        ("a hidden crowd", forged_count(), "more than 4096"),
        ("another manifest", edited(data, lambda f: f.update({
            "manifest.json": b'{"format":"x"}'})), "not one of"),
        ("a newer manifest", edited(data, lambda f: f.update({
            "manifest.json": f["manifest.json"].replace(
                b'"version":1', b'"version":2')})), "newer version"),
        ("a lost file", edited(data, lambda f: f.pop("cat-02/weight.json")),
         "cat-02/weight.json is missing"),
    ]
    for what, body, words in bad:
        got = preview(who, body)
        t.check(got["status"] == "error" and words in got["error"],
                f"{what}: {got['error']}")
        ran = run(who)
        t.same(ran["status"], "error", "  nor is it run")
        done(who)
    got = preview(who, bomb(data))
    p = got["summary"]["problems"]
    t.check(any("unpacks to more" in x["reason"] and
                x["file"] == "cat-01/feeding.json" for x in p),
            f"a bomb: {p[:1]}")
    done(who)
    broken = bytearray(data)
    at = data.index(b"cat-01/feeding.json") + 200
    broken[at] ^= 0x55
    got = preview(who, bytes(broken))
    p = (got["summary"] or {}).get("problems", [])
    t.check(got["status"] == "error" or any(
        x["file"] == "cat-01/feeding.json" for x in p), f"a bent byte: {p[:1]}")
    done(who)
    t.same(fingerprint(who), before, "nothing was written")


def two_profiles(data):
    who = registered()
    got = preview(who, edited(data, lambda f: f.update({
        "cat-01/profile.json": json.dumps(
            json.loads(f["cat-01/profile.json"])
            + json.loads(f["cat-02/profile.json"])).encode()})))
    t.check("more than one cat" in got["summary"]["problems"][0]["reason"],
            "two cats in one directory")
    done(who)
    got = preview(who, edited(data, lambda f: f.update({
        "cat-01/profile.json": b"[]"})))
    t.check("no cat" in got["summary"]["problems"][0]["reason"],
            "none in another")
    done(who)


# ---- whose it is

def others(data, ann):
    """Nobody sees or changes what is another's."""
    eve = registered()
    ann.made = send_in(ann, data)
    settled(ann, ann.made)
    never = "01930000-0000-7000-8000-00000000dead"
    for method, path in (("GET", "/api/import/{}"), ("DELETE",
                         "/api/import/{}"), ("POST", "/api/import/{}/run")):
        got = [eve.send(method, path.format(i)) for i in (ann.made, never)]
        t.same([r.status for r in got], [404, 404], f"{method} {path}")
    t.same(eve.send("GET", "/api/import").json()["imports"], [], "her list")
    t.same(len(ann.send("GET", "/api/import").json()["imports"]), 1, "Ann's")
    t.same(eve.send("GET", f"/api/report/download/{ann.report}").status, 404,
           "nor is an export anybody else's")
    before = fingerprint(ann)
    preview(eve, data)
    run(eve)
    t.same(fingerprint(ann), before,
           "an archive of Ann's changes nothing of Ann's in Eve's hands")
    t.same(one("select count(*) from cat_member where account_id = "
               f"'{eve.id}' and cat_id in ("
               + ",".join(f"'{c}'" for c in ann.cats) + ")"), "0",
           "nor lets her in")
    # Nor in a helper's, who may log but owns nothing of it.
    preview(ann.helper, data)
    ran = run(ann.helper)
    t.same((fingerprint(ann), [c["is_new"] for c in ran["summary"]["cats"]]),
           (before, [True] * 6), "a helper gets cats of the helper's own")
    done(ann)
    for scope, status in (("read", 403), ("full", 403)):
        token = post(ann, "/api/auth/token", {
            "name": scope, "scope": scope})["token"]
        bearer = client()
        head = {"Authorization": f"Bearer {token}"}
        t.same(bearer.send("POST", "/api/auth/export", **head).status, status,
               f"a token of scope {scope} exports nothing")
        t.same(bearer.send("GET", f"/api/report/download/{ann.report}",
                           **head).status, 404, "  nor downloads an export")
        t.check(ann.report.encode() not in bearer.send(
            "GET", "/api/report/active", **head).body, "  nor sees one")


def handed_over(data):
    """What was imported and given away is not got back by importing."""
    who, heir = registered(), registered()
    preview(who, data)
    ran = run(who)
    cat = ran["summary"]["cats"][0]["cat_id"]
    sql(f"update cat_member set account_id = '{heir.id}' "
        f"where cat_id = '{cat}'")
    before = fingerprint(heir)
    again = run(who)
    p = again["summary"]["problems"]
    t.check(any("another owner" in x["reason"] for x in p), f"told: {p[:1]}")
    t.same(fingerprint(heir), before, "the heir keeps it as it is")
    done(who)


def one_at_a_time(ann):
    sql(f"update report set state = 'running' where id = '{ann.report}'")
    lift()
    r = ann.send("POST", "/api/auth/export")
    t.same((r.status, r.json()["code"]), (409, "busy"), "a second export")
    sql(f"update report set state = 'ready' where id = '{ann.report}'")
    made = send_in(ann, b"PK\3\4")
    settled(ann, made)
    sql(f"update import set state = 'running', is_run = false where id = "
        f"'{made}'")
    r = ann.send("POST", f"/api/import/{made}/run")
    t.same((r.status, r.json()["code"]), (409, "busy"), "while looked at")
    sql(f"update import set is_run = true where id = '{made}'")
    job = f"select job_id from import where id = '{made}'"
    before = one(job)
    t.same((ann.send("POST", f"/api/import/{made}/run").status, one(job)),
           (202, before), "while it runs, asking again does nothing")
    sql(f"update import set state = 'failed' where id = '{made}'")
    ann.made = made
    done(ann)


def expired(data):
    who = registered()
    made = send_in(who, data)
    settled(who, made)
    name = os.path.join(os.environ["CATETUBE_FILES_DIR"], "uploads",
                        made + ".zip")
    t.check(os.path.exists(name), "an archive is kept")
    sql("update import set expires_at = now() - interval '1 second' where id ="
        f" '{made}'")
    t.same((who.send("GET", f"/api/import/{made}").status, who.send(
        "POST", f"/api/import/{made}/run").status, who.send(
        "GET", "/api/import").json()["imports"]), (404, 404, []),
        "after its day it is not to be seen")
    tool = os.path.join(os.path.dirname(os.environ.get(
        "CATETUBE_FCGI", "build/catetube-fcgi")), "catetubectl")
    subprocess.run([tool, "enqueue", "maintenance.purge", "--queue",
                    "maintenance"], check=True, stdout=subprocess.DEVNULL)
    t.check(wait_for("purge", 30, lambda: not os.path.exists(name) and one(
        f"select count(*) from import where id = '{made}'") == "0"),
        "and the purge takes it out, with its file")


# ---- the upload itself

def uploads(data):
    who = registered()
    lift()
    t.same(who.upload("/api/import", data, "text/plain").status, 415, "type")
    t.same(who.upload("/api/import", b"a: 1").status, 400, "no zip")
    t.same(who.upload("/api/import", b"").status, 400, "nothing")
    t.same(client().upload("/api/import", data).status, 401, "nobody")
    big = data + b"\0" * (2 << 20)
    who.upload("/api/auth/export", b"")
    for again in range(2):
        lift()
        t.same(client().upload("/api/import", big).status, 401,
               "nobody, with a long body")
        t.same(who.upload("/api/import", big, "text/plain").status, 415,
               "a long body of another type")
        t.same(who.upload("/api/import", b"no zip" + big).status, 400,
               "a long body that is none")
    t.same(who.send("GET", "/api/tracker/today").status, 200,
           "the connections are as they were")
    lift()
    r = who.upload("/api/import", b"PK\3\4" + b"\0" * (64 << 20))
    t.same((r.status, r.status and r.json()["code"]), (413, "too_big"),
           "over 64 MiB")
    t.same(who.upload("/api/feeding", b"x" * 70000).status, 413,
           "elsewhere over 64 KiB")
    most = b"PK\3\4" + os.urandom(1 << 20) * 60
    r = who.upload("/api/import", most)
    t.same(r.status, 202, f"60 MiB in {r.seconds:.1f} s")
    r = who.upload("/api/import", most)
    t.same(r.status, 202, "and 60 more")
    r = who.upload("/api/import", most)
    t.same((r.status, r.json()["code"]), (409, "too_many"), "but not 180")
    for one_of in who.send("GET", "/api/import").json()["imports"]:
        settled(who, one_of["import_id"])
        who.made = one_of["import_id"]
        done(who)
    top = os.path.join(os.environ["CATETUBE_FILES_DIR"], "uploads")
    t.check(wait_for("files", 10, lambda: who.made + ".zip" not in
                     os.listdir(top)), "a deleted one leaves no file")
    t.same([n for n in os.listdir(top) if "tmp" in n], [], "nor do others")


def by_the_operator(data):
    """catetubectl import, by who runs the service."""
    tool = os.path.join(os.path.dirname(os.environ.get(
        "CATETUBE_FCGI", "build/catetube-fcgi")), "catetubectl")
    who = registered()
    name = os.path.join(os.environ["CATETUBE_FILES_DIR"], "by-hand.zip")
    with open(name, "wb") as f:
        f.write(data)

    def ctl(*args):
        return subprocess.run([tool, "import", *args], text=True, timeout=120,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    p = ctl(name, "--account", who.email, "--preview")
    t.check(p.returncode == 0 and NAMES[1] in p.stdout, f"seen: {p.stdout!r}")
    t.same(len(cats(who)), 1, "a preview writes nothing")
    p = ctl(name, "--account", who.email)
    t.same((p.returncode, len(cats(who))), (0, 7), "imported")
    p = ctl(name, "--account", "nobody-at-all@example.test")
    t.check(p.returncode == 1 and "no account" in p.stdout, p.stdout.strip())
    p = ctl("/nonexistent.zip", "--account", who.email)
    t.same(p.returncode, 1, p.stdout.strip())
    p = ctl(name)
    t.same(p.returncode, 2, "without an account")
    os.unlink(name)


def main():
    ann = full_account()
    parts = [
        ("conflicts", lambda: conflicts(data, bob)),
        ("cached_answers", lambda: cached_answers(ann, data)),
        ("all_or_nothing", lambda: all_or_nothing(data)),
        ("refused_rows", lambda: refused_rows(data)),
        ("whole_ones", lambda: whole_ones(data)),
        ("two_profiles", lambda: two_profiles(data)),
        ("others", lambda: others(data, ann)),
        ("handed_over", lambda: handed_over(data)),
        ("one_at_a_time", lambda: one_at_a_time(ann)),
        ("expired", lambda: expired(data)),
        ("uploads", lambda: uploads(data)),
        ("by_the_operator", lambda: by_the_operator(data)),
    ]
    # By hand, a few of them: test_archive.py NAME...
    names = sys.argv[1:]
    if not names or "round_trip" in names or "conflicts" in names:
        data, bob = round_trip(ann)
        state_after(bob, ann)
    else:
        data = export(ann)
    for name, part in parts:
        if not names or name in names:
            part()
    return t.end()


if __name__ == "__main__":
    sys.exit(main())
