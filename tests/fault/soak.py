#!/usr/bin/env python3
"""Many requests through nginx; neither memory nor files may grow.

  soak.py [--requests N] [--keep]      N: 1,000,000 unless told

80 % of the day, 10 % of lists, 10 % new meals, by bench-load in slices with
new connections each. Once a second RSS, PSS and open files of each process
are read. The first tenth warms up; after it, by the slope of a line through
what was read, no process of ours may grow by more than 1 MB of RSS in 100,000
requests, or by 1 MB in a run of fewer. Open files are compared at rest, once nginx has closed what it kept:
after the first slice and at the end."""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

import lib

ACCOUNTS = 200
CONNS = 32
SLICE_S = 10
REST_S = 7  # nginx keeps idle connections for 5 s
GROWTH_KIB = 1000  # of RSS in 100,000 requests
OURS = ("fcgi", "worker")
OTHERS = ("nginx", "redis")
REQUESTS = ("80 GET /api/tracker/today", "10 GET /api/feeding/",
            '10 POST /api/feeding/ {"id":"{uuid}","amount_ml":0.5}')


def memory(pid):
    """(RSS, PSS) in KiB; None when the process is gone."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            rows = dict(line.split(":", 1) for line in f if "kB" in line)
        return int(rows["Rss"].split()[0]), int(rows["Pss"].split()[0])
    except (OSError, KeyError):
        return None


def files(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return None


class Watch(threading.Thread):
    """Samples of every process, each with the requests answered by then."""

    def __init__(self, stack):
        super().__init__(daemon=True)
        self.stack = stack
        self.ended = threading.Event()
        self.answered = 0     # of the slices that ended
        self.rate = 0.0       # of the last slice
        self.slice_began = time.monotonic()
        self.samples = {}     # (service, pid) -> [(requests, rss, pss, fds)]
        self.at_rest = []     # {(service, pid): fds}

    def note_slice(self, requests, seconds):
        self.answered += requests
        self.rate = requests / seconds
        self.slice_began = time.monotonic()

    def sample(self):
        since = min(time.monotonic() - self.slice_began, SLICE_S)
        at = self.answered + int(self.rate * since)
        for service in OURS + OTHERS:
            for pid in self.stack.family(service):
                size, fds = memory(pid), files(pid)
                if size is not None and fds is not None:
                    self.samples.setdefault((service, pid), []).append(
                        (at, *size, fds))

    def rest(self):
        """The fewest files that each process holds while nothing runs."""
        fewest = {}
        end = time.monotonic() + REST_S
        while time.monotonic() < end:
            for service in OURS:
                for pid in self.stack.family(service):
                    n = files(pid)
                    if n is not None:
                        key = service, pid
                        fewest[key] = min(n, fewest.get(key, n))
            time.sleep(0.2)
        self.at_rest.append(fewest)
        self.slice_began = time.monotonic()

    def run(self):
        while not self.ended.wait(1):
            self.sample()

    def stop(self):
        self.ended.set()
        self.join()


def slope(points):
    """Of the line of least squares through (x, y), 0 for too few."""
    n = len(points)
    if n < 3:
        return 0.0
    mx = sum(x for x, _ in points) / n
    my = sum(y for _, y in points) / n
    dx = sum((x - mx) ** 2 for x, _ in points)
    return sum((x - mx) * (y - my) for x, y in points) / dx if dx else 0.0


def judge(tally, watch, requests):
    lib.say(f"\n{'process':22} {'samples':>7} {'RSS KiB':>17} {'PSS KiB':>17}"
            f" {'files':>11}  RSS/100k PSS/100k")
    for (service, pid), rows in sorted(watch.samples.items()):
        warm = [r for r in rows if r[0] >= requests / 10] or rows[-1:]
        a, b = warm[0], warm[-1]
        rss = slope([(r[0], r[1]) for r in warm]) * 1e5
        pss = slope([(r[0], r[2]) for r in warm]) * 1e5
        lib.say(f"{service + ' ' + str(pid):22} {len(warm):7}"
                f" {a[1]:8} {b[1]:8} {a[2]:8} {b[2]:8} {a[3]:5} {b[3]:5}"
                f"  {rss:+8.0f} {pss:+8.0f}")
        if service not in OURS:
            continue
        rise = rss * (b[0] - a[0]) / 1e5
        most = GROWTH_KIB * max(1, (b[0] - a[0]) / 1e5)
        tally.check(rise <= most, f"{service} {pid}: RSS {rise:+.0f} KiB "
                    f"in {b[0] - a[0]} requests, at most {most:.0f}")
        fds = [rest.get((service, pid)) for rest in watch.at_rest]
        tally.check(None not in fds and fds[-1] <= fds[0],
                    f"{service} {pid}: open files at rest: {fds[0]} at "
                    f"first, {fds[-1]} at last")


def load_program():
    build = os.path.join(lib.ROOT, os.environ.get("BUILD", "build"))
    program = os.path.join(build, "bench-load")
    # The path as the Makefile's rules name it, not an absolute one.
    target = os.path.relpath(program, lib.ROOT)
    done = subprocess.run(["make", "-s", "-C", lib.ROOT, target],
                          stdout=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        sys.exit("fault: bench-load cannot be built")
    return program


def run_slices(stack, program, folder, requests, watch):
    """Answers by status, and what failed below HTTP."""
    args = [program, "-u", f"127.0.0.1:{stack.port}", "-q",
            os.path.join(folder, "requests"), "-s",
            os.path.join(folder, "sessions"), "-c", str(CONNS), "-t", "1",
            "-a", "-d", str(SLICE_S), "-w", "0", "-H",
            f"Origin: http://127.0.0.1:{stack.port}"]
    status, errors = {}, 0
    while watch.answered < requests:
        begin = time.monotonic()
        p = subprocess.run(args, stdout=subprocess.PIPE, text=True)
        if p.returncode != 0:
            sys.exit("fault: bench-load failed")
        found = json.loads(p.stdout)
        for code, n in found["status"].items():
            status[code] = status.get(code, 0) + n
        errors += sum(found["errors"].values())
        answered = sum(found["status"].values())
        watch.note_slice(answered, time.monotonic() - begin)
        if not watch.at_rest:
            watch.rest()
        if answered == 0:
            break
    return status, errors


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--requests", type=int, default=1000000)
    p.add_argument("--keep", action="store_true")
    o = p.parse_args()
    program = load_program()
    stack = lib.Stack("soak", CATETUBE_LEASE_MS="10000")
    tally = lib.Tally()
    stack.up()
    try:
        with tempfile.TemporaryDirectory() as folder:
            keepers = [lib.Client(stack.port) for _ in range(ACCOUNTS)]
            accounts = [k.register() for k in keepers]
            with open(os.path.join(folder, "sessions"), "w") as f:
                f.writelines(k.cookie + "\n" for k in keepers)
            with open(os.path.join(folder, "requests"), "w") as f:
                f.write("\n".join(REQUESTS) + "\n")
            for k in keepers:
                k.close()
            pids = {s: stack.family(s) for s in ("fcgi",)}
            watch = Watch(stack)
            watch.start()
            begin = time.monotonic()
            status, errors = run_slices(stack, program, folder, o.requests,
                                        watch)
            seconds = time.monotonic() - begin
            watch.stop()
            watch.rest()
        lib.say(f"{watch.answered} requests in {seconds:.0f} s, "
                f"{watch.answered / seconds:.0f}/s: {status}")
        tally.same(sorted(set(status) - {"200", "201", "304"}), [],
                   "answers of another kind")
        tally.same(errors, 0, "requests without an answer")
        # A slice ends with requests under way: written, never acknowledged.
        rows = int(stack.sql(
            "select count(*) from feeding where by_account in ("
            + ",".join(f"'{a}'" for a in accounts) + ")")[0][0])
        acked = status.get("201", 0)
        slices = int(seconds / SLICE_S) + 2
        tally.check(acked <= rows <= acked + CONNS * slices,
                    f"meals acknowledged {acked}, stored {rows}")
        judge(tally, watch, watch.answered)
        for service, before in pids.items():
            tally.same(stack.family(service), before,
                       f"processes of {service}")
        for service in OURS:
            tally.same(len(stack.crashes(service)), 0,
                       f"{service}: crashes of its own")
    finally:
        stack.down(o.keep or tally.failed > 0)
    return tally.end()


if __name__ == "__main__":
    raise SystemExit(main())
