#!/usr/bin/env python3
"""make bench: measure the limits and ours in turn, in one call, on a stack of
its own; print the table with the targets and write bench.json.

  run.py [--quick] [--only NAME,...] [--keep]

--quick: one short round; --only: groups of GROUPS below; --keep: leave the
stack running afterwards."""
import argparse
import json
import os
import platform
import statistics
import sys
import threading
import time
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import seed  # noqa: E402
import table  # noqa: E402
from lib import (BUILD, LIMITS_PORT, PORT, ROOT, Celery, Limits, Load,  # noqa
                 PeakRss, Pgbench, Redis, Stack, memory, messages, resting, run,
                 say)

TODAY = "GET /api/tracker/today"
LIST = "GET /api/feeding/?per_page=50"
ADD = 'POST /api/feeding/ {"amount_ml": 40}'
MIX = ["80 " + TODAY, "10 " + LIST, "10 " + ADD]
LOGIN = ('POST /api/auth/login {"email": "bench{n}@example.org", "password": "'
         + seed.PASSWORD + '"}')
ACCOUNT, CAT = "bench.account(:n)", "bench.cat(:n)"


class Bench:
    def __init__(self, options):
        self.o = options
        self.seconds = 1 if options.quick else 5
        self.rounds = 1 if options.quick else 3
        self.idle_s = 2 if options.quick else 20
        self.dir = os.path.join(BUILD, "bench")
        os.makedirs(self.dir, exist_ok=True)
        self.stack = Stack()
        self.load = Load(self.dir, self.seconds)
        self.pgbench = Pgbench(self.dir, seed.ACCOUNTS, self.seconds)
        self.result = {}

    # ---- one measurement each; all give a dict with rps, p50_ms, failed

    def limit(self, place):
        sessions = None if place == "nginx" else "500.txt"
        return self.load([f"1 GET /{place}"], port=LIMITS_PORT,
                         sessions=sessions)

    def cold_gate(self):
        return self.limit("gate")

    def warm(self):
        return self.load(["1 " + TODAY])

    def revalidated(self):
        r = self.load(["1 " + TODAY], etag=True, warm=1)
        # Each session's first answer is a 200: without it no ETag is known.
        if r["status"].get("304", 0) < 0.95 * r["requests"]:
            r["failed"] += r["requests"] - r["status"].get("304", 0)
        return r

    def cold(self):
        """Every request finds its answer gone: the keys of all cats are
        dropped faster than the sessions come round again."""
        before = self.metric("catetube_cache_requests_total", 'result="hit"')
        ended = threading.Event()
        keys = [f"ct:a:01900000-0000-7000-9000-{n:012d}:{self.tag}"
                for n in range(1, seed.ACCOUNTS + 1)]

        def drop():
            redis = Redis(self.stack.redis_path())
            while not ended.is_set():
                redis.do(("UNLINK", *keys))
                ended.wait(0.2)
        thread = threading.Thread(target=drop, daemon=True)
        thread.start()
        r = self.load(["1 " + TODAY], sessions="all.txt", warm=0.3)
        ended.set()
        thread.join()
        after = self.metric("catetube_cache_requests_total", 'result="hit"')
        r["cache_hits"] = after - before
        if r["cache_hits"] > 0.02 * r["requests"]:
            r["failed"] += int(r["cache_hits"])
        return r

    def select_today(self):
        return self.pgbench([("tracker_today", [ACCOUNT, CAT])])

    def listing(self):
        return self.load(["1 " + LIST], sessions="all.txt")

    def select_list(self):
        return self.pgbench([("feeding_list", [ACCOUNT, CAT, "50", "0"])])

    def add(self):
        return self.load(["1 " + ADD], sessions="all.txt")

    def insert(self):
        return self.pgbench([("feeding_add", [
            ACCOUNT, CAT, "2", "gen_random_uuid()", "null", "''", "40000",
            "null", "null", "null", "true", "true", "'tube'", "null",
            "false"])], lock=True)

    def mix(self):
        sampler = threading.Timer(self.seconds / 2 + 0.5, self.sample, ["load"])
        sampler.start()
        r = self.load(MIX, sessions="all.txt")
        sampler.join()
        return r

    def crowd(self):
        return self.load(MIX, sessions="all.txt", conns=2000, rate=3333,
                         warm=2, seconds=2 * self.seconds)

    def login(self):
        return self.load(["1 " + LOGIN], sessions="all.txt", conns=4)

    def verify(self):
        r = json.loads(run(
            [os.path.join(BUILD, "bench-tool"), "verify", str(self.seconds)],
            env=dict(os.environ, BENCH_PASSWORD=seed.PASSWORD,
                     BENCH_HASH=seed.HASH)))
        return dict(r, p50_ms=r["verify_ms"], p99_ms=None, failed=0)

    def jobs(self):
        count = 2000 if self.o.quick else 20000
        r = json.loads(run([os.path.join(BUILD, "bench-tool"), "jobs",
                            str(count)],
                           env=dict(os.environ, **self.stack.vars)))
        r.update(messages(self.stack.redis_path(), 0, "default", count))
        r.update(resting(self.stack.pid("worker"), self.idle_s))
        return dict(r, failed=0)

    def celery(self):
        """The same messages, worked off by Celery."""
        count = 500 if self.o.quick else 4000
        peer = Celery(self.dir, self.stack.redis_path())
        try:
            r = messages(peer.path, peer.DB, "celery", count, send=True,
                         env=peer.env)
            r.update(resting(peer.pid(), self.idle_s))
        finally:
            peer.stop()
        return dict(r, rps=r["consume_rps"], p50_ms=r["start_p50_ms"],
                    p99_ms=r["start_p99_ms"], failed=0)

    def copy(self):
        began = time.monotonic()
        rows = run(
            ["bash", "-c", "set -o pipefail; psql -qAtX -c \"copy (select * "
             f"from feeding where cat_id = bench.cat({seed.ACCOUNTS + 1}) and "
             "deleted_at is null order by given_at, id) to stdout (format "
             "csv)\" | wc -l"], env=dict(os.environ, PGUSER="postgres"))
        s = time.monotonic() - began
        return {"rps": int(rows) / s, "seconds": s, "rows": int(rows),
                "p50_ms": None, "p99_ms": None, "failed": 0}

    def sheet(self):
        return self.report("xlsx")

    def report(self, form="csv"):
        """A file of a million meals, from the request until it is ready."""
        worker = PeakRss(self.stack.pid("worker"))
        began = time.monotonic()
        made = self.call("POST", "/api/report/feeding", {"format": form})
        state = {"status": "processing", "rows_done": 0}
        while state["status"] not in ("completed", "error"):
            time.sleep(0.02)
            state = self.call("GET", "/api/report/status/"
                              + made["report_id"])
            if time.monotonic() - began > 120:
                break
        s = time.monotonic() - began
        peak = worker.stop()
        rows = state["rows_done"]
        self.call("DELETE", "/api/report/cleanup/" + made["report_id"])
        return {"rps": rows / s, "seconds": s, "rows": rows,
                "peak_rss_mib": peak, "p50_ms": None, "p99_ms": None,
                "failed": int(state["status"] != "completed"
                              or rows < seed.LONG)}

    # ---- helpers

    def call(self, method, path, body=None):
        with open(os.path.join(self.dir, "report.txt")) as f:
            cookie = f.readline().strip()
        url = f"http://127.0.0.1:{PORT}"
        req = urllib.request.Request(
            url + path, method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Cookie": cookie, "Origin": url,
                     "Content-Type": "application/json"})
        with urllib.request.urlopen(req, timeout=10) as answer:
            return json.load(answer)

    def metric(self, name, label):
        url = f"http://127.0.0.1:{PORT}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            text = answer.read().decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.split("\n")
                   if line.startswith(name) and label in line)

    def sample(self, when):
        self.result.setdefault("memory", {})[when] = {
            s: memory(self.stack.pid(s))
            for s in ("nginx", "fcgi", "worker", "postgres", "redis")}

    def group(self, *names):
        """All in turn, round after round; of each the round in the middle."""
        runs = {name: [] for name in names}
        for _ in range(self.rounds):
            for name in names:
                place = name.partition("limit_")[2]
                r = (self.limit(place) if place
                     else getattr(self, name)())
                runs[name].append(r)
                say(f"{name}: {r['rps']:.0f}/s" + (
                    f", {r['failed']} FAILED" if r["failed"] else ""))
        for name, rs in runs.items():
            middle = statistics.median_low([r["rps"] for r in rs])
            keep = next(r for r in rs if r["rps"] == middle)
            keep["rounds_rps"] = [round(r["rps"], 1) for r in rs]
            for key in table.ROUNDS:
                if key in keep:
                    keep["rounds_" + key] = [r[key] for r in rs]
            keep["failed"] = sum(r["failed"] for r in rs)
            self.result[name] = keep

    def forget_writes(self):
        """Meals logged by the bench would make every cat's day longer."""
        seed.psql("delete from feeding where created_at >= "
                  f"to_timestamp({self.began});"
                  "vacuum analyze feeding")

    def measure(self):
        wanted = self.o.only.split(",") if self.o.only else list(GROUPS)
        self.began = time.time()
        # Above about 0.2, others use the machine and the figures are low.
        self.result["load_average_before"] = os.getloadavg()[0]
        self.sample("idle")
        for name in wanted:
            try:
                self.group(*GROUPS[name])
            finally:
                if name in ("add", "mix", "crowd"):
                    self.forget_writes()


GROUPS = {
    "cached": ["limit_nginx", "limit_bare", "limit_gate", "warm",
               "revalidated"],
    "cold": ["cold_gate", "select_today", "cold"],
    "list": ["select_list", "listing"],
    "add": ["insert", "add"],
    "mix": ["mix"],
    "crowd": ["crowd"],
    "login": ["verify", "login"],
    "report": ["copy", "report", "sheet"],
    "jobs": ["jobs", "celery"],
}
Bench.tag = "today"  # of the cached answer, in fcgi's route table


def machine():
    with open("/proc/cpuinfo") as f:
        model = next((line.split(":")[1].strip() for line in f
                      if line.startswith("model name")), "unknown")
    with open("/proc/meminfo") as f:
        kib = int(f.readline().split()[1])
    return {"cpu": model, "cores": os.cpu_count(),
            "memory_gib": round(kib / 1048576, 1),
            "kernel": platform.release(),
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "accounts": seed.ACCOUNTS, "days": seed.DAYS,
            "version": run(["git", "-C", ROOT, "describe", "--tags",
                            "--always", "--dirty"]).strip()}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("--quick", action="store_true")
    p.add_argument("--keep", action="store_true")
    p.add_argument("--only", default="", help=", ".join(GROUPS))
    b = Bench(p.parse_args())
    unknown = set(filter(None, b.o.only.split(","))) - set(GROUPS)
    if unknown:
        p.error(f"no group {', '.join(sorted(unknown))}")
    limits = None
    try:
        b.stack.up()
        if b.o.only != "jobs":  # they need no accounts
            seed.seed(b.dir)
            limits = Limits(b.dir, b.stack.redis_path(),
                            os.path.join(b.dir, "500.txt"))
            limits.up()
        b.measure()
    finally:
        if limits is not None:
            limits.down()
        if not b.o.keep:
            b.stack.down()
    b.result["machine"] = machine()
    b.result["table"] = table.rows(b.result)
    with open(os.path.join(BUILD, "bench.json"), "w") as f:
        json.dump(b.result, f, indent=1)
    table.show(b.result)
    missed = sum(row["verdict"] == "miss" for row in b.result["table"])
    say(f"{missed} missed; all figures are in {BUILD}/bench.json")


if __name__ == "__main__":
    main()
