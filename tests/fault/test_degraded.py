#!/usr/bin/env python3
"""With a store gone or frozen: what still works, what is said, how soon all
is well again. Nothing of ours is restarted.

  test_degraded.py [--quick] [--keep] [CASE...]
  CASE: redis-stopped redis-frozen pg-stopped pg-frozen both-stopped

Stopped is a clean end; frozen is SIGSTOP of every process, which keeps the
sockets open and answers nothing, as a host that hangs does."""
import argparse
import signal
import threading
import time

import lib

SLACK_S = 0.7     # of a busy machine
FROZEN_S = 2.0    # the longest answer while Redis hangs
WEIGHTS = (("meal", 45), ("today", 45), ("list", 10))
CASES = ("redis-stopped", "redis-frozen", "pg-stopped", "pg-frozen",
         "both-stopped")


class Case:
    def __init__(self, stack, tally, name, clients, seconds, deadline_s):
        self.longest_s = deadline_s + SLACK_S
        self.stack = stack
        self.tally = tally
        self.name = name
        self.seconds = seconds
        self.keepers = [lib.Keeper(stack.port, f"{name}-{i}")
                        for i in range(clients)]
        # The worker's children are its own business: it ends them when it
        # cannot keep its place in Redis.
        self.ours = {"fcgi": stack.family("fcgi"),
                     "worker": stack.family("worker")[:1]}

    def load(self, seconds=None):
        """What the keepers saw in that time."""
        begin = time.time()
        with lib.Load(self.keepers, WEIGHTS):
            time.sleep(seconds or self.seconds)
        seen = lib.entries(self.keepers, begin)
        for what in ("meal", "today", "list"):
            some = [e for e in seen if e[1] == what]
            lib.say(f"    {what:6} {lib.statuses(some):22} "
                    f"{lib.ms([e[3] for e in some])}")
        return seen

    def stop(self, service, sig):
        pid = self.stack.pid(service)
        lib.kill(pid, sig)
        lib.wait_for(f"the end of {service}", 15, lambda: lib.is_dead(pid))

    def freeze(self, service, sig):
        # The parent first: it shall not notice its children stop.
        for pid in self.stack.family(service):
            lib.kill(pid, sig)

    def first_success(self, since, limit_s=30):
        """Seconds since then until a meal is acknowledged, and the health is
        good. One keeper asks, as a patient client does."""
        keeper = self.keepers[0]
        end = time.time() + limit_s
        meal = None
        while time.time() < end and meal is None:
            good, _ = keeper.feed()
            meal = time.time() - since if good else None
            time.sleep(0.02)
        while time.time() < end:
            if keeper.send("GET", "/health").status == 200:
                return meal, time.time() - since
            time.sleep(0.02)
        return meal, None

    def recovered(self, since):
        meal, health = self.first_success(since)
        ok = self.tally.check(meal is not None and health is not None,
                              f"{self.name}: works again by itself")
        if ok:
            lib.say(f"    first meal after {meal:.2f} s, "
                    f"health good after {health:.2f} s")

    def end(self):
        """Everything right again, and no process of ours is a new one."""
        t, name = self.tally, self.name
        done = [k.retry_unknown() for k in self.keepers]
        t.check(all(done), f"{name}: every unknown was settled by its key")
        for _ in range(20):
            for k in self.keepers[:4]:
                k.look()
        lib.check_answers(t, self.keepers, name)
        lib.check_meals(self.stack, t, self.keepers, name)
        for service, pids in self.ours.items():
            now = self.stack.family(service)[:len(pids)]
            t.same(now, pids, f"{name}: processes of {service}")

    def must_work(self, seen, longest_s):
        bad = [e for e in seen if not lib.good(e)]
        self.tally.same(len(bad), 0, f"{self.name}: requests that failed")
        worst = max(e[3] for e in seen)
        self.tally.check(worst <= longest_s, f"{self.name}: the longest "
                         f"answer took {worst:.2f} s of {longest_s} s")

    def must_refuse(self, seen):
        """503 in time; a read may be answered, if the answer is right (the
        keepers check that)."""
        t, name = self.tally, self.name
        wrong = [e for e in seen if e[2] not in (200, 503)
                 or (e[1] == "meal" and e[2] != 503)]
        t.same(len(wrong), 0, f"{name}: answers that are neither 503 nor a "
               "read from the cache")
        t.same(sum(k.impolite for k in self.keepers), 0,
               f"{name}: 503 without JSON and Retry-After")
        worst = max(e[3] for e in seen)
        t.check(worst <= self.longest_s, f"{name}: the longest answer took "
                f"{worst:.2f} s of {self.longest_s} s")


def report_ready(stack, keeper, tally, name, since):
    """Reports that were asked for meanwhile are made."""
    ids = [r[1] for r in keeper.reports if r[1]]
    done = lib.wait_for("the reports", 40, lambda: stack.sql(
        "select count(*) from report where state = 'ready' and id in ("
        + ",".join(f"'{i}'" for i in ids) + ")")[0][0] == str(len(ids)), 0.1)
    tally.check(done, f"{name}: {len(ids)} reports asked for meanwhile "
                f"are ready after {time.time() - since:.2f} s")


def redis_gone(case, stop, start):
    t, name, stack = case.tally, case.name, case.stack
    lib.say("  before")
    case.load()
    stop()
    lib.say("  without Redis")
    seen = case.load()
    case.must_work(seen, FROZEN_S)
    keeper = case.keepers[0]
    t.check(keeper.ask_report(), f"{name}: a report is taken")
    ready = keeper.send("GET", "/health/ready")
    t.same(ready.status, 200, f"{name}: /health/ready")
    someone = lib.Client(stack.port)
    begin = time.monotonic()
    someone.register()
    lib.say(f"    a registration took {time.monotonic() - begin:.2f} s")
    start()
    since = time.time()
    lib.say("  Redis is back")
    case.recovered(since)
    report_ready(stack, keeper, t, name, since)
    case.load()
    case.end()


def redis_stopped(case):
    redis_gone(case, lambda: case.stop("redis", signal.SIGTERM),
               case.stack.up)


def redis_frozen(case):
    redis_gone(case, lambda: case.freeze("redis", signal.SIGSTOP),
               lambda: case.freeze("redis", signal.SIGCONT))


def pg_gone(case, stop, start, while_running):
    t, name, stack = case.tally, case.name, case.stack
    lib.say("  before")
    case.load(1)
    if while_running:
        # Requests are under way at the moment when it freezes.
        begin = time.time()
        with lib.Load(case.keepers, WEIGHTS):
            time.sleep(0.5)
            stop()
            time.sleep(case.seconds)
        cut = lib.entries(case.keepers, begin)
        lib.say(f"    at the moment itself: {lib.statuses(cut)}")
    else:
        stop()
    lib.say("  without PostgreSQL")
    case.must_refuse(case.load())
    probe = lib.Client(stack.port)
    t.same(probe.send("GET", "/health/live").status, 200,
           f"{name}: /health/live")
    r = probe.send("GET", "/health/ready")
    t.same(r.status, 503, f"{name}: /health/ready")
    t.check(r.seconds <= case.longest_s,
            f"{name}: /health/ready in {r.seconds:.2f} s")
    begin = time.time()
    start()
    lib.say(f"  PostgreSQL is back ({time.time() - begin:.2f} s to start)")
    case.recovered(time.time())
    case.end()


def pg_stopped(case):
    # Fast shutdown: sessions are ended, what is open is rolled back.
    pg_gone(case, lambda: case.stop("postgres", signal.SIGINT),
            case.stack.up, True)


def pg_frozen(case):
    pg_gone(case, lambda: case.freeze("postgres", signal.SIGSTOP),
            lambda: case.freeze("postgres", signal.SIGCONT), True)
    case.name += ", crowd"
    crowd(case)


def crowd(case):
    """More requests at once than there are database threads: those that wait
    for a thread may not wait for one deadline after the other."""
    t, name, stack = case.tally, case.name, case.stack
    keepers = [lib.Client(stack.port) for _ in range(40)]
    for i, k in enumerate(keepers):
        k.cookie = case.keepers[i % len(case.keepers)].cookie
    answers = []

    def ask(k):
        answers.append(k.send("GET", "/api/feeding/"))
    case.freeze("postgres", signal.SIGSTOP)
    threads = [threading.Thread(target=ask, args=(k,)) for k in keepers]
    for x in threads:
        x.start()
    for x in threads:
        x.join()
    case.freeze("postgres", signal.SIGCONT)
    times = [a.seconds for a in answers]
    lib.say(f"  40 requests at once: {lib.ms(times)}")
    t.same(sum(a.is_polite() for a in answers), 40, f"{name}: polite 503")
    t.check(max(times) <= case.longest_s, f"{name}: the longest answer took "
            f"{max(times):.2f} s of {case.longest_s} s")
    case.recovered(time.time())


def both_stopped(case):
    def stop():
        case.stop("redis", signal.SIGTERM)
        case.stop("postgres", signal.SIGINT)
    pg_gone(case, stop, case.stack.up, False)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--quick", action="store_true")
    p.add_argument("--keep", action="store_true")
    p.add_argument("cases", nargs="*")
    o = p.parse_args()
    table = {"redis-stopped": redis_stopped, "redis-frozen": redis_frozen,
             "pg-stopped": pg_stopped, "pg-frozen": pg_frozen,
             "both-stopped": both_stopped}
    deadline_s = 1.0 if o.quick else 3.0
    options = {"CATETUBE_PG_TIMEOUT_MS": str(int(deadline_s * 1000))}
    if o.quick:
        options |= {"CATETUBE_LEASE_MS": "2000", "CATETUBE_BEAT_MS": "500"}
    stack = lib.Stack("degraded", **options)
    tally = lib.Tally()
    stack.up()
    try:
        for name in o.cases or CASES:
            lib.say(f"\n{name}")
            table[name](Case(stack, tally, name, 4 if o.quick else 12,
                             1.0 if o.quick else 5.0, deadline_s))
        for service in ("fcgi", "worker"):
            found = stack.crashes(service)
            tally.same(len(found), 0, f"{service}: crashes of its own")
    finally:
        stack.down(o.keep or tally.failed > 0)
    return tally.end()


if __name__ == "__main__":
    raise SystemExit(main())
