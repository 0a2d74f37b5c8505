"""Parts of the fault tests: a private stack, HTTP clients that know what they
were promised, signals to single processes, SQL, and the tally."""
import csv
import http.client
import io
import json
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from port import free_port  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(HERE))
PASSWORD = "a-Quiet-cat-sleeps-71"
TIMEOUT_S = 20  # of one request
IDLE_S = 20     # of a kept connection; nginx: keepalive_timeout 30s


def say(text):
    print(text, flush=True)


def wait_for(what, seconds, test, pause=0.02):
    """Poll until test() is true; its value, or None at the deadline."""
    end = time.monotonic() + seconds
    while True:
        value = test()
        if value:
            return value
        if time.monotonic() > end:
            say(f"  late: {what}: not within {seconds} s")
            return None
        time.sleep(pause)


# ---- the tally

class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, good, text):
        good = bool(good)
        self.passed += good
        self.failed += not good
        say(f"  {'ok  ' if good else 'FAIL'} {text}")
        return good

    def same(self, got, want, text):
        return self.check(got == want, f"{text}: {got}" if got == want
                          else f"{text}: {got}, expected {want}")

    def end(self):
        say(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed or not self.passed else 0


# ---- processes

def stat_of(pid):
    """(state, parent) of a process; None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
        return fields[0], int(fields[1])
    except OSError:
        return None


def is_dead(pid):
    stat = stat_of(pid)
    return stat is None or stat[0] == "Z"


def children(pid):
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = stat_of(name)
            if stat and stat[1] == pid and stat[0] != "Z":
                found.append(int(name))
    return sorted(found)


def comm(pid):
    try:
        with open(f"/proc/{pid}/comm") as f:
            return f.read().strip()
    except OSError:
        return ""


def kill(pid, sig):
    try:
        os.kill(pid, sig)
        return True
    except ProcessLookupError:
        return False


# ---- the stack

class Stack:
    """scripts/stack in a directory of its own; limits out of reach."""

    def __init__(self, name, **options):
        self.var = tempfile.mkdtemp(prefix=f"catetube-{name}-")
        os.chmod(self.var, 0o755)
        self.port = free_port()
        self.log = self.var + ".log"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(
            ("CATETUBE_", "PG", "DATABASE_", "REDIS_", "CORS_"))}
        self.env.update(CATETUBE_VAR=self.var, CATETUBE_PORT=str(self.port),
                        CATETUBE_LOG_LEVEL="warn", CATETUBE_REPORTS_MAX="10000")
        for limit in ("LOG", "READ", "REPORT", "AUTH"):
            self.env[f"CATETUBE_LIMIT_{limit}"] = "1000000"
        self.env.update(options)
        self.vars = {}
        self.home = self.var

    def command(self, word):
        with open(self.log, "a") as log:
            return subprocess.run(
                [os.path.join(ROOT, "scripts/stack"), word], env=self.env,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log).returncode

    def up(self):
        """Start what does not run. The seconds that it took."""
        begin = time.monotonic()
        if self.command("up") != 0:
            self.command("down")
            with open(self.log, errors="replace") as f:
                say("".join(f.readlines()[-30:]))
            sys.exit("fault: the stack does not start")
        with open(os.path.join(self.var, "env")) as f:
            for line in f:
                if not line.startswith("#"):
                    name, _, value = shlex.split(line)[0].partition("=")
                    self.vars[name] = value
        link = os.path.join(self.var, "home")
        self.home = os.path.realpath(link if os.path.exists(link)
                                     else self.var)
        return time.monotonic() - begin

    def down(self, keep):
        self.thaw()
        self.command("down")
        if keep:
            say(f"logs and data are in {self.var}")
            return
        subprocess.run(["rm", "-rf", self.home, self.var, self.log],
                       check=False)

    def pid(self, service):
        with open(os.path.join(self.home, "run", service + ".pid")) as f:
            return int(f.read())

    def family(self, service):
        """The main process of a service and its children."""
        top = self.pid(service)
        return [top] + children(top)

    def crashes(self, service):
        """Log lines that tell of a bug, a sanitizer's report, or a child that
        ended by a signal that no test sent."""
        path = os.path.join(self.home, "log", service + ".log")
        bad = re.compile(r"src=bug|Sanitizer|runtime error:"
                         r"|(ended by|: ) ?signal (?!9\b|15\b)\d")
        with open(path, errors="replace") as f:
            found = [line.rstrip() for line in f if bad.search(line)]
        for line in found[:5]:
            say(f"  {line}")
        return found

    def thaw(self):
        """Nothing may stay frozen, or it could not be ended."""
        for service in ("postgres", "redis"):
            try:
                for pid in self.family(service):
                    kill(pid, signal.SIGCONT)
            except (OSError, ValueError):
                pass

    def sql(self, text):
        """Rows as lists of strings; as the superuser."""
        env = dict(self.env, PGHOST=self.vars["PGHOST"], PGUSER="postgres",
                   PGDATABASE="catetube")
        p = subprocess.run(
            ["psql", "-qX", "-t", "--csv", "-v", "ON_ERROR_STOP=1", "-c",
             text], env=env, stdout=subprocess.PIPE, text=True, timeout=120)
        if p.returncode != 0:
            sys.exit("fault: psql failed")
        return list(csv.reader(io.StringIO(p.stdout)))

    def redis(self, *words):
        """Lines that redis-cli prints."""
        path = self.vars["REDIS_URL"].split("://", 1)[1].split("?")[0]
        p = subprocess.run(["redis-cli", "-s", path, *words], timeout=30,
                           stdout=subprocess.PIPE, text=True)
        return p.stdout.split("\n")[:-1]


# ---- a client

class Answer:
    def __init__(self, status, head, body, seconds):
        self.status = status  # 0: the connection failed
        self.head = head
        self.body = body
        self.seconds = seconds

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def is_polite(self):
        """503 as it must be: JSON that says so, and when to come back."""
        said = self.json()
        return (self.status == 503 and isinstance(said, dict)
                and "error" in said and "code" in said
                and int(self.head.get("Retry-After", "0")) > 0)


class Client:
    """One kept-alive connection of one account."""

    def __init__(self, port, timeout_s=TIMEOUT_S, source=""):
        self.port = port
        self.timeout_s = timeout_s
        # Any address of 127.0.0.0/8: what nginx sees and limits count by.
        self.source = (source, 0) if source else None
        self.conn = None
        self.used_at = 0.0
        self.cookie = ""
        self.email = ""

    def send(self, method, path, body=None, **headers):
        head = {k.replace("_", "-"): v for k, v in headers.items()}
        if self.cookie:
            head["Cookie"] = self.cookie
        if method != "GET":
            head["Origin"] = f"http://127.0.0.1:{self.port}"
        if body is not None and not isinstance(body, bytes):
            head["Content-Type"] = "application/json"
            body = json.dumps(body)
        begin = time.monotonic()
        # nginx closes what is idle for long, which is no fault.
        if begin - self.used_at > IDLE_S:
            self.close()
        self.used_at = begin
        try:
            if self.conn is None:
                self.conn = http.client.HTTPConnection(
                    "127.0.0.1", self.port, timeout=self.timeout_s,
                    source_address=self.source)
            self.conn.request(method, path, body, head)
            r = self.conn.getresponse()
            answer = Answer(r.status, r.headers, r.read(),
                            time.monotonic() - begin)
            if r.will_close:
                self.close()
            return answer
        except (OSError, http.client.HTTPException) as e:
            self.close()
            return Answer(0, {}, repr(e).encode(), time.monotonic() - begin)

    def upload(self, path, data, kind="application/zip"):
        return self.send("POST", path, data, Content_Type=kind)

    def close(self):
        if self.conn is not None:
            self.conn.close()
        self.conn = None

    def register(self):
        self.email = f"f-{uuid.uuid4()}@example.test"
        for _ in range(50):
            r = self.send("POST", "/api/auth/register", {
                "email": self.email, "password": PASSWORD,
                "first_name": "Ada"})
            if r.status == 201:
                self.cookie = r.head["Set-Cookie"].partition(";")[0]
                return r.json()["user"]["id"]
            time.sleep(0.1)
        sys.exit(f"fault: register: {r.status} {r.body[:300]!r}")


class Meal:
    """A meal that was sent: what the service promised about it."""

    def __init__(self, key, amount_ul):
        self.key = key
        self.amount_ul = amount_ul
        self.note = "note " + key
        self.id = None  # known once it was acknowledged


class Keeper(Client):
    """A client that logs meals and knows between what bounds the day's total
    must lie: what was acknowledged, and what may have been written."""

    def __init__(self, port, number):
        super().__init__(port)
        self.number = number
        self.account = self.register()
        self.meals = []
        self.reports = []  # [key, id or None, meals acknowledged before]
        self.asked = 0
        self.acked_ul = self.open_ul = 0
        self.wrong = []    # sentences about answers that were wrong
        self.log = []      # (time, what, status, seconds)
        self.impolite = 0

    def note(self, what, r):
        self.log.append((time.time(), what, r.status, r.seconds))
        if r.status == 503 and not r.is_polite():
            self.impolite += 1
            if self.impolite == 1:
                self.wrong.append(f"503 without its due: {r.body[:200]!r}")
        elif r.status not in (200, 201, 202, 503):
            self.wrong.append(f"{what}: {r.status} {r.body[:200]!r}")
        return r

    def send_meal(self, meal):
        r = self.note("meal", self.send(
            "POST", "/api/feeding/",
            {"amount_ml": meal.amount_ul / 1000, "notes": meal.note},
            Idempotency_Key=meal.key))
        if r.status != 201:
            return False
        got = r.json()["data"]
        if round(got["amount_ml"] * 1000) != meal.amount_ul:
            self.wrong.append(f"{meal.key}: amount {got['amount_ml']}")
        if meal.id is None:
            meal.id = got["id"]
            self.open_ul -= meal.amount_ul
            self.acked_ul += meal.amount_ul
        elif meal.id != got["id"]:
            self.wrong.append(f"{meal.key}: two ids")
        return True

    def feed(self):
        n = len(self.meals) + 1
        meal = Meal(f"{self.number}-{n}", 1000 + n)
        self.meals.append(meal)
        self.open_ul += meal.amount_ul
        return self.send_meal(meal), meal

    def look(self):
        """Today's total. It may not miss what was acknowledged."""
        r = self.note("today", self.send("GET", "/api/tracker/today"))
        if r.status != 200:
            return None
        total = round(r.json()["total_fed_ml"] * 1000)
        if not self.acked_ul <= total <= self.acked_ul + self.open_ul:
            self.wrong.append(
                f"today says {total} uL; acknowledged {self.acked_ul}, "
                f"open {self.open_ul}")
        return total

    def list(self):
        return self.note("list", self.send("GET", "/api/feeding/"))

    def send_report(self, report):
        r = self.note("report", self.send(
            "POST", "/api/report/feeding", {"format": "csv"},
            Idempotency_Key=report[0]))
        if r.status == 202:
            report[1] = r.json()["report_id"]
        return r.status == 202

    def ask_report(self):
        acked = sum(m.id is not None for m in self.meals)
        self.asked += 1
        report = [f"{self.number}-r{self.asked}", None, acked]
        self.reports.append(report)
        return self.send_report(report)

    def unknown(self):
        return ([m for m in self.meals if m.id is None],
                [r for r in self.reports if r[1] is None])

    def retry_unknown(self, seconds=60):
        """Every open question again with its key; true when all are known."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            meals, reports = self.unknown()
            done = [self.send_meal(m) for m in meals]
            done += [self.send_report(r) for r in reports]
            if all(done):
                return True
            time.sleep(0.05)
        return False


class Load:
    """Keepers in threads, each in a closed loop with a short think time."""

    def __init__(self, keepers, weights, think_s=0.004):
        self.keepers = keepers
        self.names = [k for k, _ in weights]
        self.weights = [w for _, w in weights]
        self.think_s = think_s
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(k,))
                        for k in keepers]

    def run(self, keeper):
        rng = random.Random(keeper.number)
        while not self.ended.is_set():
            what = rng.choices(self.names, self.weights)[0]
            if what == "meal":
                good, meal = keeper.feed()
                # Half of the clients' failures are tried again at once.
                if not good and rng.random() < 0.5:
                    keeper.send_meal(meal)
            elif what == "today":
                keeper.look()
            elif what == "list":
                keeper.list()
            else:
                keeper.ask_report()
            self.ended.wait(rng.random() * 2 * self.think_s)

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for t in self.threads:
            t.join()


def entries(keepers, begin=0.0, end=float("inf"), what=None):
    """What the keepers saw between two times, oldest first."""
    return sorted(e for k in keepers for e in k.log
                  if begin <= e[0] < end and (what is None or e[1] == what))


def good(entry):
    return entry[2] in (200, 201, 202)


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p))] if values else 0


def ms(values):
    """Figures of seconds, in milliseconds."""
    if not values:
        return "none"
    return (f"n {len(values)}  p50 {percentile(values, .5) * 1e3:.1f}  "
            f"p95 {percentile(values, .95) * 1e3:.1f}  "
            f"p99 {percentile(values, .99) * 1e3:.1f}  "
            f"max {max(values) * 1e3:.1f} ms")


def statuses(found):
    count = {}
    for e in found:
        count[e[2]] = count.get(e[2], 0) + 1
    return " ".join(f"{s or 'cut'}:{n}" for s, n in sorted(count.items()))


# ---- what must be true afterwards

def check_meals(stack, tally, keepers, what):
    """Each meal that was acknowledged is there once, with its amount; the
    API's sums are SQL's."""
    rows = stack.sql(
        "select by_account, notes, id, amount_ul from feeding"
        " where deleted_at is null and notes like 'note %'")
    there = {}
    for account, note, meal_id, amount in rows:
        there.setdefault((account, note), []).append((meal_id, int(amount)))
    sent = acked = lost = twice = changed = 0
    for k in keepers:
        for m in k.meals:
            sent += 1
            acked += m.id is not None
            found = there.pop((k.account, m.note), [])
            lost += m.id is not None and not found
            twice += len(found) > 1
            changed += m.id is not None and len(found) == 1 and (
                found[0] != (m.id, m.amount_ul))
    tally.same(acked, sent, f"{what}: meals acknowledged, after retries")
    tally.same(lost, 0, f"{what}: acknowledged meals lost")
    tally.same(twice, 0, f"{what}: meals stored twice")
    tally.same(changed, 0, f"{what}: meals stored with another id or amount")
    mine = {k.account for k in keepers}
    extra = sum(len(v) for (a, _), v in there.items() if a in mine)
    tally.same(extra, 0, f"{what}: meals nobody sent")
    check_sums(stack, tally, keepers, what)


def check_sums(stack, tally, keepers, what):
    rows = stack.sql(
        "select by_account, care_day, sum(amount_ul), count(*) from feeding"
        " where deleted_at is null group by 1, 2")
    sums = {(a, day): (int(s), int(n)) for a, day, s, n in rows}
    differ = 0
    for k in keepers:
        r = k.send("GET", "/api/tracker/today")
        said = r.json() if r.status == 200 else {}
        want = sums.get((k.account, said.get("care_day")), (0, 0))
        got = (round(said.get("total_fed_ml", -1) * 1000),
               said.get("feeding_count"))
        if got != want:
            differ += 1
            say(f"  account {k.account}: today says {got}, SQL {want}")
    tally.same(differ, 0, f"{what}: accounts whose sum differs from SQL's")


def check_answers(tally, keepers, what):
    wrong = [(k.number, w) for k in keepers for w in k.wrong]
    for number, text in wrong[:5]:
        say(f"  client {number}: {text}")
    tally.same(len(wrong), 0, f"{what}: wrong answers")
    for k in keepers:
        k.wrong.clear()
