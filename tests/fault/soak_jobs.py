#!/usr/bin/env python3
"""Many jobs through two nodes; neither memory, files nor Redis may grow.

  soak_jobs.py [--jobs N] [--keep]      N: 1,000,000 unless told

No-op jobs, as a Celery client pushes them; one in a hundred fails once and is
tried again, one in a thousand is due half a second later. Of the two nodes one
keeps its children for ever, so that what they lose is seen, one replaces them
every 1,000 jobs, so that what its supervisor loses is seen. Jobs are remembered
for 10 s here, so Redis comes to a level within the run.

Once a second the memory that is each process' own (neither files nor what is
shared) and its open files are read. After the first tenth, by the slope of a
line through what was read, none may grow by more than 100 KiB in 100,000 jobs,
or in a run of fewer. Redis never has more keys than jobs that it must remember, none without an end
but the named ones, and at the end as good as none."""
import argparse
import os
import threading
import time

import lib
import nodes
from soak import files, slope

LIFE_S = 10   # of a job and its result in Redis
WAITING = 20000  # jobs on the list, at the most
SLICE = 1000
PATIENCE_S = 60  # with a Redis on a slow disk
GROWTH_KIB = 100  # of own memory in 100,000 jobs
ID = "00000000-0000-4000-8000-"


def own_kib(pid):
    """Anonymous memory; None when the process is gone."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            return next(int(line.split()[1]) for line in f
                        if line.startswith("Anonymous:"))
    except (OSError, StopIteration):
        return None


def templates():
    """Messages with a place for the id: plain, failing once."""
    noop = nodes.message("@ID@", "test.noop", {})
    fail = nodes.message("@ID@", "test.fail", {"times": 1, "wait": 0})
    return noop, fail


def slice_of(start, noop, fail):
    """SLICE messages, numbered from start on."""
    out = []
    for n in range(start, start + SLICE):
        text = fail if n % 100 == 7 else noop
        if n % 1000 == 13:
            eta = time.time() + 0.5
            text = text.replace('"eta": null', time.strftime(
                '"eta": "%Y-%m-%dT%H:%M:%S', time.gmtime(eta))
                + f'{eta % 1:.6f}'[1:] + '+00:00"')
        out.append(text.replace("@ID@", f"{ID}{n:012d}"))
    return out


class Watch(threading.Thread):
    """What each process and Redis hold, with the jobs pushed by then."""

    def __init__(self, stack, both):
        super().__init__(daemon=True)
        self.stack = stack
        self.nodes = both
        self.r = nodes.connect(stack, PATIENCE_S)
        self.pushed = 0
        self.samples = {}  # (node, what, pid) -> [(jobs, KiB, fds)]
        self.redis = []    # (time, jobs, keys, used MiB, RSS MiB)
        self.ended = threading.Event()

    def sample(self):
        at = self.pushed
        for n in self.nodes:
            for pid in [n.pid()] + lib.children(n.pid()):
                size, fds = own_kib(pid), files(pid)
                if size is None or fds is None:
                    continue
                what = ("supervisor" if pid == n.pid() else
                        lib.comm(pid).replace("catetube-", ""))
                self.samples.setdefault((n.name, what, pid), []).append(
                    (at, size, fds))
        info = self.r.info("memory")
        self.redis.append((time.monotonic(), at, self.r.dbsize(),
                           info["used_memory"] / 1048576,
                           info["used_memory_rss"] / 1048576))

    def run(self):
        while not self.ended.wait(1):
            self.sample()

    def stop(self):
        self.ended.set()
        self.join()


def push(r, watch, jobs):
    noop, fail = templates()
    for start in range(0, jobs, SLICE):
        while r.llen("default") > WAITING:
            time.sleep(0.02)
        r.lpush("default", *slice_of(start, noop, fail))
        watch.pushed = start + SLICE


def judge_processes(tally, watch, jobs):
    lib.say(f"\n{'process':30} {'samples':>7} {'own KiB':>17} {'files':>9}"
            "  KiB/100k")
    for (name, what, pid), rows in sorted(watch.samples.items()):
        warm = [r for r in rows if r[0] >= jobs / 10]
        if len(warm) < 10:
            continue  # a child that was replaced, as is its duty
        a, b = warm[0], warm[-1]
        rise = slope([(r[0], r[1]) for r in warm]) * 1e5
        lib.say(f"{name + ' ' + what + ' ' + str(pid):30} {len(warm):7}"
                f" {a[1]:8} {b[1]:8} {a[2]:4} {b[2]:4}  {rise:+8.1f}")
        lived = (b[0] - a[0]) / 1e5
        tally.check(rise * lived <= GROWTH_KIB * max(1, lived),
                    f"{name} {what} {pid}: {rise * lived:+.0f} KiB in "
                    f"{b[0] - a[0]} jobs")
        tally.check(b[2] <= max(r[2] for r in rows[:5]) + 1,
                    f"{name} {what} {pid}: open files {b[2]}")


def judge_redis(tally, watch, r, begin_mib):
    rates = [(b[1] - a[1]) / (b[0] - a[0])
             for a, b in zip(watch.redis, watch.redis[10:])]
    keys = max(row[2] for row in watch.redis)
    # A job and its result each; expired ones go a little late.
    most = int(2 * (max(rates) * LIFE_S * 1.5 + WAITING)) + 1000
    tally.check(keys <= most, f"redis: {keys} keys at the most, of at most "
                f"{most} that must be remembered")
    half = watch.redis[len(watch.redis) // 2:]
    lib.say(f"  used memory {min(x[3] for x in half):.0f} to "
            f"{max(x[3] for x in half):.0f} MiB in the second half, "
            f"{slope([(x[1], x[3]) for x in half]) * 1e5:+.1f} MiB/100k jobs")
    _, endless = nodes.count_keys(r)
    tally.same(endless[:5], [], "redis: keys without an end")
    few = lib.wait_for("the end of the jobs' keys", 60,
                       lambda: r.dbsize() < 50, 0.2)
    tally.check(few, f"redis: {r.dbsize()} keys when all is forgotten")
    end_mib = r.info("memory")["used_memory"] / 1048576
    tally.check(end_mib <= begin_mib + 5, f"redis: used memory "
                f"{begin_mib:.1f} MiB before, {end_mib:.1f} MiB after")
    lib.say("  left: " + " ".join(sorted(k.decode(errors="replace")
                                         for k in r.keys())))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--jobs", type=int, default=1000000)
    p.add_argument("--keep", action="store_true")
    o = p.parse_args()
    jobs = max(SLICE, o.jobs // SLICE * SLICE)
    stack = lib.Stack("soak-jobs", CATETUBE_JOB_TTL_S=str(LIFE_S),
                      CATETUBE_RESULT_TTL_S=str(LIFE_S),
                      CATETUBE_CRON="0")  # no jobs but ours
    tally = lib.Tally()
    stack.up()
    both = [nodes.Node(stack, "stays", CATETUBE_CHILD_JOBS="100000000"),
            nodes.Node(stack, "renews", CATETUBE_CHILD_JOBS="1000")]
    try:
        os.kill(stack.pid("worker"), 15)
        for n in both:
            n.start()
        r = nodes.connect(stack, PATIENCE_S)
        lib.wait_for("the nodes", 20, lambda: all(n.wid(r) for n in both))
        begin_mib = r.info("memory")["used_memory"] / 1048576
        watch = Watch(stack, both)
        watch.start()
        begin = time.monotonic()
        push(r, watch, jobs)
        lib.wait_for("the last job", 120, lambda: r.llen("default")
                     + r.zcard("jq:sched") == 0 and not r.keys("jq:proc:*"))
        seconds = time.monotonic() - begin
        watch.stop()
        done, buried = finished(stack), r.zcard("jq:dead")
        lib.say(f"{jobs} jobs in {seconds:.0f} s, {jobs / seconds:.0f}/s")
        tally.same(done, jobs, "jobs that succeeded, by the metrics")
        tally.same(buried, 0, "buried jobs")
        judge_processes(tally, watch, jobs)
        judge_redis(tally, watch, r, begin_mib)
        for n in both:
            n.stop()
            tally.same(n.odd_ends, [], f"{n.name}: ends of its own")
            tally.same(len(stack.crashes(n.name)), 0,
                       f"{n.name}: crashes of its own")
    finally:
        for n in both:
            if n.is_up():
                n.stop()
        stack.down(o.keep or tally.failed > 0)
    return tally.end()


def finished(stack):
    """What the nodes counted as done, on the page that the host shares."""
    text = lib.Client(stack.port).send("GET", "/metrics").body.decode()
    return sum(int(float(line.rsplit(" ", 1)[1]))
               for line in text.split("\n")
               if line.startswith("catetube_jobs_finished_total")
               and 'status="success"' in line)


if __name__ == "__main__":
    raise SystemExit(main())
