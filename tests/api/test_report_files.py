"""What is in the files for people: XLSX read by openpyxl (and by LibreOffice
where it is installed), PDF read by poppler. Names in any script, numbers that
are the database's, text that is no formula, days with a changed clock."""
import datetime
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile

import openpyxl

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from joined import Tally, one, redis, registered, say, sql  # noqa: E402

t = Tally()
DAYS = 31
FIRST = datetime.date(2025, 10, 12)  # the clock changes on the 26th
LAST = FIRST + datetime.timedelta(days=DAYS - 1)
NAME = "Miso \u041c\u0438\u0441\u043e \u5473\u564c \u0645\u064a\u0633\u0648 \U0001f431"
NOTES = ("=1+1", "+49 30 123", "-5", "@SUM(A1)", "\tx", "a,\"b\"\nc", "_x0041_",
         "<b>&amp;</b>", "\u0644\u0645 \u064a\u0623\u0643\u0644 \u0627\u0644\u064a\u0648\u0645",
         "\u5403\u5f97\u5f88\u597d", "\u0435\u043b \u0445\u043e\u0440\u043e\u0448\u043e", "\U0001f63f\U0001f92e",
         "'quoted'", "\uffff")


def fill(who):
    """31 days: five meals of 36 mL, on each third day the last by mouth; a
    dose a day of each of two medicines, one of them skipped now and then."""
    cat = who.cat
    sql(f"""
      update cat set name = '{NAME}', breed = 'Siamese & Co',
        conditions = 'Chronic kidney disease, stage 2',
        timezone = 'Europe/Berlin', day_start = '00:00', sex = 'female_spayed',
        birth_year = 2015, tube_placed_on = '2025-10-09', tube_size_fr = 14,
        tube_mark_mcm = 12500 where id = '{cat}';
      insert into daily_target (cat_id, effective_from, amount_ul) values
        ('{cat}', '{FIRST}', 180000), ('{cat}', '2025-10-27', 200000)
        on conflict (cat_id, effective_from) do update
        set amount_ul = excluded.amount_ul;
      insert into feeding (cat_id, id, given_at, care_day, amount_ul,
        planned_ul, flush_before_ul, flush_after_ul, route, outcome, notes,
        by_account)
      select '{cat}', gen_random_uuid(), x.at, ct_care_day(x.at,
        'Europe/Berlin', '00:00'), 36000 + x.n * 1000 + 5, 40000, 5000,
        case when x.n = 0 then null else 5000 end,
        case when x.n = 4 and x.d % 3 = 0 then 'oral' else 'tube' end,
        case when x.d % 10 = 4 and x.n = 2 then 'vomit'
             when x.d % 7 = 1 and x.n = 3 then 'gag' end, '', '{who.id}'
      from (select d, n, (date '{FIRST}' + d + time '07:30' + n *
        interval '3 hours') at time zone 'Europe/Berlin' as at
        from generate_series(0, {DAYS - 1}) d, generate_series(0, 4) n) x;
      insert into medication (cat_id, id, given_at, care_day,
        medication_name, dosage, amount_ul, status, reason, by_account)
      select '{cat}', gen_random_uuid(), x.at, ct_care_day(x.at,
        'Europe/Berlin', '00:00'), x.name, x.dose, 1500,
        case when x.d % 8 = 7 and x.k = 1 then 'skipped' else 'given' end,
        case when x.d % 8 = 7 and x.k = 1 then 'vomited' else '' end,
        '{who.id}'
      from (select d, k, case k when 1 then 'Maropitant' else '=Ursodiol' end
        as name, case k when 1 then '4 mg' else '1/2 tablet' end as dose,
        (date '{FIRST}' + d + time '08:00' + k * interval '1 minute')
        at time zone 'Europe/Berlin' as at
        from generate_series(0, {DAYS - 1}) d, generate_series(1, 2) k) x;
      insert into weight (cat_id, id, given_at, care_day, weight_g)
      select '{cat}', gen_random_uuid(), (date '{FIRST}' + d + time '07:00')
        at time zone 'Europe/Berlin', date '{FIRST}' + d, 4200 - d * 3
        from generate_series(0, {DAYS - 1}, 3) d;
      insert into observation (cat_id, id, given_at, care_day, kind, severity,
        notes)
      select '{cat}', gen_random_uuid(), (date '{FIRST}' + d + time '13:50')
        at time zone 'Europe/Berlin', date '{FIRST}' + d, 'vomit', 2,
        'foam, hair' from generate_series(4, {DAYS - 1}, 10) d;
      insert into observation (cat_id, id, given_at, care_day, kind) values
        ('{cat}', gen_random_uuid(), '2025-10-25T22:30Z', '2025-10-26',
         'lethargy'),
        ('{cat}', gen_random_uuid(), '2025-10-26T00:30Z', '2025-10-26',
         'drool'),
        ('{cat}', gen_random_uuid(), '2025-10-26T01:30Z', '2025-10-26',
         'cough');
      insert into water (cat_id, id, given_at, care_day, amount_ul)
      select '{cat}', gen_random_uuid(), (date '{FIRST}' + d + time '10:00')
        at time zone 'Europe/Berlin', date '{FIRST}' + d, 20000
        from generate_series(0, {DAYS - 1}, 2) d;
      insert into tube_check (cat_id, id, given_at, care_day, cap_on,
        dressing, skin, discharge, smell, suture_holding, mark_mcm, patent,
        collar_ok, incident)
      select '{cat}', gen_random_uuid(), (date '{FIRST}' + d + time '09:00')
        at time zone 'Europe/Berlin', date '{FIRST}' + d, true, 'clean',
        case when d = 20 then 'redness' else 'clean' end, 'none', false, true,
        case when d < 25 then 12500 else 13500 end, true, true,
        case when d = 28 then 'blocked' end
        from generate_series(0, {DAYS - 1}) d""")
    for i, note in enumerate(NOTES):
        sql("update feeding set notes = $q$" + note + "$q$ where cat_id = "
            f"'{cat}' and id = (select id from feeding where cat_id = '{cat}' "
            f"order by given_at, id offset {i} limit 1)")


def made(who, kind, fmt, **more):
    """The finished file."""
    r = who.send("POST", f"/api/report/{kind}", {"format": fmt, **more})
    assert r.status == 202, r.body
    made_id = r.json()["report_id"]
    until = time.monotonic() + 30
    while time.monotonic() < until:
        r = who.send("GET", f"/api/report/status/{made_id}")
        if r.json()["status"] != "processing":
            break
        time.sleep(0.05)
    t.same(r.json()["status"], "completed", f"{kind} as {fmt}")
    return who.send("GET", f"/api/report/download/{made_id}").body


def run(*words, data=None):
    p = subprocess.run(words, input=data, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=60)
    assert p.returncode == 0, p.stderr
    return p.stdout


def rows_of(sheet):
    rows = list(sheet.iter_rows(values_only=True))
    return [dict(zip(rows[0], r)) for r in rows[1:]]


# ---- XLSX

def sheets(who, book):
    t.same(book.sheetnames, [
        "Overview", "Days", "Intake chart", "Weight chart", "Medicines",
        "Meals", "Medication", "Weights", "Observations", "Extra water",
        "Tube checks"], "sheets")
    t.same([c.title for c in book.chartsheets],
           ["Intake chart", "Weight chart"], "chart sheets")
    for name in ("Days", "Meals", "Tube checks"):
        t.same(book[name].freeze_panes, "A2", f"{name}: its head is frozen")
        t.check(all(c.font.b for c in book[name][1]), f"{name}: and bold")
    t.same([c.value for c in book["Meals"][1]][:4],
           ["Day", "Time (Europe/Berlin)", "Given (mL)", "Planned (mL)"],
           "headings have their units")


def types(who, book):
    row = book["Meals"][2]
    t.check(row[0].is_date and row[1].is_date, "days and times are dates")
    t.same(row[0].value, datetime.datetime(2025, 10, 12), "the day")
    t.same(row[1].value, datetime.datetime(2025, 10, 12, 7, 30),
           "the time on the cat's clock")
    t.same((row[2].data_type, row[2].value), ("n", 36.005), "mL is a number")
    t.same(row[2].number_format, "0.###", "shown to the microlitre")
    heads = [c.value for c in book["Meals"][1]]
    utc = book["Meals"].cell(2, heads.index("Time (UTC)") + 1)
    t.same(utc.value, datetime.datetime(2025, 10, 12, 5, 30), "and in UTC")
    before = book["Meals"].cell(2, heads.index("Flushed before") + 1)
    t.same((before.data_type, before.value), ("b", True), "yes is a boolean")


def same_numbers(who, book):
    want = sql(f"select care_day, sum(amount_ul) from feeding where cat_id = "
               f"'{who.cat}' and deleted_at is null group by 1 order by 1")
    days = rows_of(book["Days"])
    t.same(len(days), DAYS, "a row for each day")
    t.same([round(d["Given (mL)"] * 1000) for d in days],
           [int(w[1]) for w in want], "what was given, by day")
    t.same([d["Target (mL)"] for d in days], [180] * 15 + [200] * 16,
           "the target in force on each day")
    # A vomiting that was logged with its meal and for itself is one.
    t.same([d["Vomiting"] for d in days],
           [1 if i % 10 == 4 else 0 for i in range(DAYS)], "vomiting, once")
    t.same(sum(d["Doses given"] for d in days), 2 * DAYS - 3, "doses given")
    t.same(sum(d["Doses skipped"] for d in days), 3, "doses skipped")
    t.same(days[3]["Weight (kg)"], 4.191, "weight of a day")
    t.same(days[4]["Weight (kg)"], None, "a day without")
    look = {r[0]: r[1] for r in book["Overview"].iter_rows(values_only=True)}
    t.same(look["Cat"], NAME, "the name, whole")
    t.same(look["Vomiting, times"], 3, "vomiting in all")
    t.same(look["Meals"], 5 * DAYS, "meals")
    mean = sum(int(w[1]) for w in want) / DAYS / 1000
    t.check(abs(look["Mean of a complete day (mL)"] - mean) < 0.001, "mean")
    ursodiol = [r for r in rows_of(book["Medicines"])
                if r["Medicine"] == "=Ursodiol"]
    t.same(len(ursodiol), 1, "a medicine is a row")
    t.same(ursodiol[0]["Given, times"], DAYS, "given as often")


def no_formula(book, raw):
    meals = book["Meals"]
    heads = [c.value for c in meals[1]]
    col = heads.index("Notes") + 1
    for i, note in enumerate(NOTES):
        cell = meals.cell(2 + i, col)
        # The first is an escape, which openpyxl does not undo.
        want = note.replace("_x", "_x005F_x").replace("\uffff", "\ufffd")
        t.same((cell.data_type in "s", cell.value), (True, want),
               f"note {note!r} stays text")
        t.same(cell.number_format, "@", "also when somebody edits it")
    for name in zipfile.ZipFile(io.BytesIO(raw)).namelist():
        if name.startswith("xl/worksheets/"):
            text = zipfile.ZipFile(io.BytesIO(raw)).read(name)
            t.check(b"<f>" not in text and b"<f " not in text,
                    f"{name}: no formula")


def clock_change(book):
    seen = rows_of(book["Observations"])
    times = [r["Time (Europe/Berlin)"] for r in seen
             if str(r["Day"]).startswith("2025-10-26")][:3]
    t.same([x.strftime("%H:%M") for x in times], ["00:30", "02:30", "02:30"],
           "the hour that came twice, on the clock")
    utc = [r["Time (UTC)"].strftime("%H:%M") for r in seen
           if str(r["Day"]).startswith("2025-10-26")][:3]
    t.same(utc, ["22:30", "00:30", "01:30"], "and told apart in UTC")


def xlsx(who):
    raw = made(who, "summary", "excel")
    book = openpyxl.load_workbook(io.BytesIO(raw))
    sheets(who, book)
    types(who, book)
    same_numbers(who, book)
    no_formula(book, raw)
    clock_change(book)
    book = openpyxl.load_workbook(io.BytesIO(made(who, "combined", "xlsx")))
    t.same(book.sheetnames, ["Days", "Intake chart", "Weight chart",
                             "Medicines", "Meals", "Medication"], "combined")
    book = openpyxl.load_workbook(io.BytesIO(made(who, "weight", "xlsx")))
    t.same(book.sheetnames, ["Weights", "Weight chart"], "weight")
    if shutil.which("soffice"):
        libreoffice(raw)
    else:
        say("  LibreOffice is not installed: not converted by it")


def libreoffice(raw):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "report.xlsx")
        with open(path, "wb") as f:
            f.write(raw)
        run("soffice", f"-env:UserInstallation=file://{folder}/home",
            "--headless", "--convert-to",
            'csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,'
            'false,false,-1', "--outdir", folder, path)
        with open(os.path.join(folder, "report-Meals.csv"),
                  encoding="utf-8") as f:
            text = f.read()
        t.check("=1+1" in text and "2025-10-12" in text,
                "LibreOffice reads it, and computes nothing")


# ---- PDF

def text_of(raw, *more):
    return run("pdftotext", "-layout", *more, "-", "-", data=raw).decode()


def info(raw):
    text = run("pdfinfo", "-", data=raw).decode()
    return dict(re.findall(r"^([A-Za-z ]+):\s+(.*)$", text, re.M))


def pdf(who):
    raw = made(who, "summary", "pdf")
    about = info(raw)
    front = text_of(raw, "-l", "1")
    t.check("(A4)" in about["Page size"], "A4 in Berlin")
    t.check(about["Title"].startswith("Feeding tube summary: Miso"), "title")
    t.check(4 <= int(about["Pages"]) <= 12, f"{about['Pages']} pages")
    for word in ("Feeding tube summary", "12 Oct 2025 to 11 Nov 2025",
                 "190 mL", "on 3 of 31 days", "59 given", "Maropitant", "4.11 kg",
                 "tube blocked", "skin: redness", "mark moved", "gagging",
                 "female spayed", "14 Fr", "Chronic kidney disease"):
        t.check(word in front, f"the first page says {word!r}")
    for word in ("Miso", "\u041c\u0438\u0441\u043e", "\u5473\u564c"):
        t.check(word in front, f"the name's {word}")
    rest = text_of(raw, "-f", "2")
    for word in ("Day by day", "Meals", "Medication", "Weights",
                 "Observations", "Extra water", "Tube checks", "36.005"):
        t.check(word in rest, f"the entries have {word!r}")
    t.check(re.search(r"02:30\s+drool\n\s+02:30\s+cough\n\s+\(\+01:00\)", rest),
            "the hour that came twice is told apart")
    fonts = run("pdffonts", "-", data=raw).decode().splitlines()[2:]
    t.check(fonts and all(" yes " in f for f in fonts), "fonts are inside")
    us = made(who, "feeding", "pdf", paper="Letter")
    t.check("letter" in info(us)["Page size"], "Letter where asked for")
    t.check("Medicines" not in text_of(us), "meals are about meals")


def empty():
    who = registered()
    for kind in ("feeding", "medication", "weight", "combined", "summary"):
        raw = made(who, kind, "pdf")
        t.check("No entries in this period." in text_of(raw),
                f"{kind}: an empty PDF says so")
        t.same(info(raw)["Pages"], "1", "on one page")
        book = openpyxl.load_workbook(io.BytesIO(made(who, kind, "xlsx")))
        t.check(len(book.worksheets) >= 1 and not book.chartsheets,
                f"{kind}: sheets without charts")


def hostile_name():
    """What XML and cairo refuse, in the places outside of cells."""
    who = registered()
    cat = who.send("GET", "/api/auth/me").json()["user"]["cat_id"]
    name = "A&B \uffff \ufdd0 &P <x>"
    sql(f"update cat set name = '{name}' where id = '{cat}';"
        f"update account set first_name = '{name}' where id = '{who.id}'")
    who.send("POST", "/api/weight/", {"weight_g": 4000})
    book = openpyxl.load_workbook(io.BytesIO(made(who, "summary", "xlsx")))
    t.same(book.properties.title, "summary: " + name.replace("\uffff", "\ufffd"),
           "a name that XML refuses")
    t.check("A&B" in text_of(made(who, "summary", "pdf")), "and cairo")


def long_one(who):
    """More entries than a PDF holds: the newest ones, and it says so."""
    sql(f"""insert into feeding (cat_id, id, given_at, care_day, amount_ul)
      select '{who.cat}', gen_random_uuid(), timestamptz '2024-01-01T12:00Z' +
        n * interval '20 minutes', (timestamptz '2024-01-01T12:00Z' +
        n * interval '20 minutes')::date, 1000
        from generate_series(1, 9000) n""")
    text = text_of(made(who, "feeding", "pdf"))
    left = int(re.search(r"The (\d+) before are not printed", text)[1])
    from_day = datetime.datetime.strptime(
        re.search(r"Entries from (\d+ \w+ \d+) on", text)[1], "%d %b %Y")
    n = int(one(f"select count(*) from feeding where cat_id = '{who.cat}' and "
                f"care_day < '{from_day:%Y-%m-%d}'"))
    t.same(left, n, "it says how many are left out")
    t.check(9000 + 5 * DAYS - n <= 5000, "and is bounded")
    t.check("11 Nov 2025" in text and " 2 Jan 2024" not in text,
            "the newest are there")


def pushed(who):
    """Not left to the relay, which looks only now and then."""
    for path, body in (("/api/report/feeding", {"format": "csv"}),
                       ("/api/auth/export", None)):
        r = who.send("POST", path, body)
        t.same(r.status, 202, path)
        t.check(redis().exists("jq:job:" + r.json()["report_id"]),
                "the job is in Redis when it is answered")


def main():
    who = registered()
    pushed(who)
    who.cat = who.send("GET", "/api/auth/me").json()["user"]["cat_id"]
    fill(who)
    xlsx(who)
    pdf(who)
    empty()
    hostile_name()
    long_one(who)
    return t.end()


sys.exit(main())
