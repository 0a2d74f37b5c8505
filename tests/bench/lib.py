"""Parts of the bench: the private stack, the limits' own nginx and front
loops, the load generator, pgbench, memory of process groups."""
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
VAR = os.environ.get("CATETUBE_VAR", os.path.join(ROOT, "var-bench"))
PORT = int(os.environ.get("CATETUBE_PORT", "8090"))
LIMITS_PORT = PORT + 1
GATE_DB = "9"  # the bare gate's keys, apart from the program's own
OK = ("200", "201", "202", "204", "304")
TYPES = {"u": "uuid", "i": "bigint", "t": "text", "b": "boolean",
         "z": "timestamptz", "d": "date", "y": "bytea", "j": "jsonb"}


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def run(args, **kw):
    """Run to the end; its output. Stops the bench where it fails."""
    p = subprocess.run(args, stdout=subprocess.PIPE, text=True, **kw)
    if p.returncode != 0:
        say(p.stdout[-2000:])
        sys.exit(f"bench: {' '.join(args[:3])} failed ({p.returncode})")
    return p.stdout


# ---- the stack

class Stack:
    """Our own services under VAR, with the limits set out of reach."""

    def __init__(self):
        self.env = dict(
            os.environ, CATETUBE_VAR=VAR, CATETUBE_PORT=str(PORT),
            BUILD=BUILD, CATETUBE_TEST_TASKS="1", CATETUBE_LOG_LEVEL="warn")
        for name in ("LOG", "READ", "REPORT", "AUTH"):
            # Not 0, which would switch the limit's work off.
            self.env[f"CATETUBE_LIMIT_{name}"] = "1000000"
        self.home = VAR
        self.vars = {}

    def up(self):
        run([os.path.join(ROOT, "scripts/stack"), "up"], env=self.env)
        with open(os.path.join(VAR, "env")) as f:
            for line in f:
                if not line.startswith("#"):
                    name, _, value = shlex.split(line)[0].partition("=")
                    self.vars[name] = value
        home = os.path.join(VAR, "home")
        self.home = os.path.realpath(home if os.path.exists(home) else VAR)
        os.environ.update(PGHOST=self.vars["PGHOST"],
                          PGDATABASE=self.vars["PGDATABASE"])

    def down(self):
        run([os.path.join(ROOT, "scripts/stack"), "down"], env=self.env)

    def redis_path(self):
        return self.vars["REDIS_URL"].split("://", 1)[1].split("?")[0]

    def pid(self, service):
        with open(os.path.join(self.home, "run", service + ".pid")) as f:
            return int(f.read())


# ---- Redis, by hand: a pipeline of commands

class Redis:
    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.file = self.sock.makefile("rb")

    def do(self, *commands):
        out = []
        for c in commands:
            out.append(b"*%d\r\n" % len(c))
            for word in c:
                word = word.encode()
                out.append(b"$%d\r\n%s\r\n" % (len(word), word))
        self.sock.sendall(b"".join(out))
        return [self.reply() for _ in commands]

    def reply(self):
        line = self.file.readline()[:-2]
        if line[:1] == b"-":
            sys.exit(f"bench: redis: {line.decode()}")
        if line[:1] == b"$" and int(line[1:]) >= 0:
            return self.file.read(int(line[1:]) + 2)[:-2]
        if line[:1] == b"*":
            return [self.reply() for _ in range(int(line[1:]))]
        return line[1:]


# ---- the limits: nginx alone, a bare front loop, the same with the gate

ANSWER = json.dumps({
    "care_day": "2026-11-22", "cat_id": "01900000-0000-7000-9000-000000000001",
    "daily_target_ml": 210, "day_hours": 24, "day_start": "00:00",
    "feeding_count": 4, "last_feeding": {
        "amount_ml": 40, "by": "Keeper", "time_given": "2026-11-22T12:00:00Z"},
    "next_due": None, "over_ml": 0, "percentage": 76.2, "remaining_ml": 50,
    "total_ml": 160}, separators=(",", ":"))


class Limits:
    def __init__(self, folder, redis_path, sessions):
        self.dir = folder
        self.redis_path = redis_path
        self.sessions = sessions
        self.children = []

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self, *args):
        log = open(self.path("limits.log"), "a")
        self.children.append(subprocess.Popen(args, stdout=log, stderr=log))

    def fill_gate(self):
        """Sessions and answers, as the gate finds them in a warm cache."""
        commands = [("SELECT", GATE_DB), ("FLUSHDB",)]
        with open(self.sessions) as f:
            tokens = [line.strip().partition("=")[2] for line in f]
        for n, token in enumerate(tokens):
            who = "01900000-0000-7000-8000-%012d" % n
            cat = "01900000-0000-7000-9000-%012d" % n
            commands += [
                ("SET", "ct:s:" + token, f"0 {who} {cat} us- {cat}"),
                ("SET", "ct:v:" + cat, "5f00000000000"),
                ("SET", f"ct:a:{cat}:today",
                 f"0 5f00000000000 0123456789abcdef\n{ANSWER}")]
        Redis(self.redis_path).do(*commands)

    def up(self):
        os.makedirs(self.path("tmp"), exist_ok=True)
        with open(self.path("answer.json"), "w") as f:
            f.write(ANSWER)
        with open(os.path.join(HERE, "nginx.conf.in")) as f:
            conf = f.read()
        for name, value in {
                "USER": "user root root;" if os.getuid() == 0 else "",
                "DIR": self.dir, "PORT": str(LIMITS_PORT), "ANSWER": ANSWER,
                "PARAMS": os.path.join(ROOT, "nginx/catetube-params.conf"),
        }.items():
            conf = conf.replace(f"@{name}@", value)
        with open(self.path("nginx.conf"), "w") as f:
            f.write(conf)
        self.fill_gate()
        bare = [os.path.join(BUILD, "bench-bare"), "--answer",
                self.path("answer.json"), "--socket"]
        self.start(*bare, self.path("bare.sock"))
        self.start(*bare, self.path("gate.sock"), "--gate",
                   os.path.join(ROOT, "common/lua/gate.lua"),
                   "--redis", self.redis_path, "--db", GATE_DB)
        self.start("/usr/sbin/nginx", "-e", self.path("nginx.log"), "-c",
                   self.path("nginx.conf"))
        end = time.monotonic() + 10
        while not self.answers():
            if time.monotonic() > end:
                sys.exit(f"bench: the limits do not start: see {self.dir}")
            time.sleep(0.05)

    def answers(self):
        with open(self.sessions) as f:
            cookie = f.readline().strip()
        for place in ("nginx", "bare", "gate"):
            p = subprocess.run(
                ["curl", "-sS", "-m", "2", "-b", cookie,
                 f"http://127.0.0.1:{LIMITS_PORT}/{place}"],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            if p.stdout != ANSWER:
                return False
        return True

    def down(self):
        for child in reversed(self.children):
            child.send_signal(signal.SIGTERM)
        for child in self.children:
            child.wait()
        self.children = []


# ---- load

class Load:
    """bench-load against one of the two nginx; requests as template lines."""

    def __init__(self, folder, seconds):
        self.dir = folder
        self.seconds = seconds

    def __call__(self, requests, *, port=PORT, sessions="500.txt", conns=64,
                 rate=0, etag=False, warm=0.5, seconds=None, threads=1):
        path = os.path.join(self.dir, "requests.txt")
        with open(path, "w") as f:
            f.write("\n".join(requests) + "\n")
        args = [os.path.join(BUILD, "bench-load"), "-u", f"127.0.0.1:{port}",
                "-q", path, "-c", str(conns), "-t", str(threads), "-d",
                str(seconds or self.seconds), "-w", str(warm), "-a",
                "-H", f"Origin: http://127.0.0.1:{port}"]
        if sessions:
            args += ["-s", os.path.join(self.dir, sessions)]
        if rate:
            args += ["-r", str(rate)]
        if etag:
            args += ["-e"]
        result = json.loads(run(args))
        result["failed"] = sum(result["errors"].values()) + sum(
            n for code, n in result["status"].items() if code not in OK)
        return result


# ---- PostgreSQL alone

def statement(name, values):
    """A statement of ours for pgbench, its parameters replaced by values."""
    sig, sql = run([os.path.join(BUILD, "bench-tool"), "stmt", name]).split(
        "\n", 1)
    # pgbench would take ":MI" in a literal for a variable of its own.
    sql = re.sub(r"'([^':]*):(\w[^':]*)'", r"U&'\1\\003a\2'", sql.strip())
    typed = [f"({v})::{TYPES[c]}" for c, v in zip(sig.strip(), values)]
    return re.sub(r"\$(\d+)", lambda m: typed[int(m[1]) - 1], sql) + ";"


class Pgbench:
    """Our statements with nothing around them, each for a cat by chance."""

    def __init__(self, folder, accounts, seconds):
        self.dir = folder
        self.accounts = accounts
        self.seconds = seconds

    def __call__(self, calls, lock=False, clients=16, user="postgres",
                 first=""):
        """calls: [(statement, [SQL of each argument])]. lock: as a locked
        write of ours, in one trip after an advisory lock. first: SQL that goes
        before them, in the same trip."""
        script = ["\\set n random(1, %d)" % self.accounts]
        body = [statement(*call) for call in calls]
        if lock:
            body.insert(0, "select pg_advisory_xact_lock(:n);")
        if first:
            body.insert(0, first)
        if lock or first:
            body = ["\\startpipeline", *body, "\\endpipeline"]
        script += body
        path = os.path.join(self.dir, "pgbench.sql")
        with open(path, "w") as f:
            f.write("\n".join(script) + "\n")
        out = run(
            ["pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "1",
             "-T", str(self.seconds), "-f", path],
            env=dict(os.environ, PGUSER=user), stderr=subprocess.STDOUT)
        facts = dict(line.split(" = ", 1) for line in out.split("\n")
                     if " = " in line)
        return {"rps": float(facts["tps"].split()[0]),
                "p50_ms": None, "p99_ms": None,
                "mean_ms": float(facts["latency average"].split()[0]),
                "failed": 0}


# ---- memory

def descendants(pid):
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        try:
            for task in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{task}/children") as f:
                    todo += [int(p) for p in f.read().split()]
        except OSError:
            pass
    return found


def memory(pid):
    """MiB of a process and all below it."""
    total = {"rss_mib": 0.0, "pss_mib": 0.0, "processes": 0}
    for one in descendants(pid):
        try:
            with open(f"/proc/{one}/smaps_rollup") as f:
                rows = dict(line.split(":", 1) for line in f if ":" in line
                            and "kB" in line)
        except OSError:
            continue
        total["processes"] += 1
        for key in ("Rss", "Pss"):
            total[key.lower() + "_mib"] += int(rows[key].split()[0]) / 1024
    return {k: round(v, 1) for k, v in total.items()}


def cpu_s(pid):
    """Seconds of CPU that a process and all below it have used."""
    ns = 0  # finer than the ticks of /proc/PID/stat
    for one in descendants(pid):
        try:
            for task in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{task}/schedstat") as f:
                    ns += int(f.read().split()[0])
        except OSError:
            pass
    return ns / 1e9


def resting(pid, seconds):
    """What a worker costs while it has nothing to do, and had nothing before.
    """
    time.sleep(seconds)
    before = cpu_s(pid)
    time.sleep(seconds)
    return {"idle_cpu_percent": (cpu_s(pid) - before) / seconds * 100,
            "idle_pss_mib": memory(pid)["pss_mib"]}


class PeakRss(threading.Thread):
    """Highest RSS of any one process below pid, in MiB, until stopped."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak, self.ended = pid, 0.0, threading.Event()
        self.start()

    def run(self):
        page = os.sysconf("SC_PAGE_SIZE") / 1048576
        while not self.ended.wait(0.05):
            for one in descendants(self.pid):
                try:
                    with open(f"/proc/{one}/statm") as f:
                        self.peak = max(self.peak,
                                        int(f.read().split()[1]) * page)
                except OSError:
                    pass

    def stop(self):
        self.ended.set()
        self.join()
        return round(self.peak, 1)


# ---- Celery, the peer of the jobs

PYTHON = "/usr/bin/python3"  # Debian's, to which python3-celery belongs


def messages(path, db, queue, jobs, send=False, env=None):
    """See celery_jobs.py."""
    return json.loads(run(
        [PYTHON, os.path.join(HERE, "celery_jobs.py"), path, str(db), queue,
         str(jobs)] + ["send"] * send, env=env))


class Celery:
    """Its worker with two children and the settings it comes with, on a Redis
    database of its own."""
    DB = 8

    def __init__(self, folder, path):
        run([os.path.join(ROOT, "scripts/deps.sh"), "--test"])
        self.path = path
        self.env = dict(
            os.environ, PYTHONPATH=HERE, PYTHONDONTWRITEBYTECODE="1",
            BENCH_CELERY_URL=f"redis+socket://{path}?virtual_host={self.DB}")
        Redis(path).do(("SELECT", str(self.DB)), ("FLUSHDB",))
        with open(os.path.join(folder, "celery.log"), "w") as log:
            self.process = subprocess.Popen(
                [PYTHON, "-m", "celery", "-A", "celery_app", "worker",
                 "--concurrency=2"], cwd=folder, env=self.env,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def pid(self):
        return self.process.pid

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        Redis(self.path).do(("SELECT", str(self.DB)), ("FLUSHDB",))
