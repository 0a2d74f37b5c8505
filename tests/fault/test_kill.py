#!/usr/bin/env python3
"""kill -9 under load: what was acknowledged is there once, every report is
made once.

  test_kill.py [--quick] [--keep] [KIND...]    KIND: responder worker node redis debt

A closed loop of clients logs meals, reads the day and asks for reports
through nginx, on a stack of its own. One process is killed, again and again
at random moments. Then all is still: what a client does not know the outcome
of is sent again with its key, and SQL, the files and Redis are looked through.
A killed node or Redis is started again by `scripts/stack up`, as systemd
would do it."""
import argparse
import os
import random
import signal
import threading
import time

import lib

ROWS = 20000  # of the account whose reports take long enough to be hit
KINDS = ("responder", "worker", "node", "redis", "debt")
# kills, seconds between them, clients
FULL = {"responder": (12, 0.6), "worker": (12, 0.8), "node": (4, 4.0),
        "redis": (4, 3.0)}
QUICK = {"responder": (3, 0.4), "worker": (3, 0.4), "node": (1, 1.0),
         "redis": (1, 1.0)}
WEIGHTS = (("meal", 60), ("today", 38), ("report", 2))


# ---- how each kind is killed; what comes back is when

def kill_responder(stack, rng):
    pids = lib.children(stack.pid("fcgi"))
    victim = rng.choice(pids)
    at = time.time()
    lib.kill(victim, signal.SIGKILL)
    lib.wait_for("a new responder", 10, lambda: len(
        lib.children(stack.pid("fcgi"))) >= len(pids))
    return at


def kill_worker(stack, rng):
    """Any child of the node: those that run jobs, or the outbox relay."""
    pids = lib.children(stack.pid("worker"))
    victim = rng.choice(pids)
    at = time.time()
    lib.kill(victim, signal.SIGKILL)
    lib.wait_for("a new child", 10, lambda: len(
        lib.children(stack.pid("worker"))) >= len(pids))
    return at


def kill_node(stack, rng):
    time.sleep(rng.random())
    family = stack.family("worker")
    at = time.time()
    lib.kill(family[0], signal.SIGKILL)
    # Its children must not outlive it.
    lib.wait_for("the end of the node's children", 5,
                 lambda: all(lib.is_dead(p) for p in family))
    lib.say(f"  the node started again in {stack.up():.1f} s")
    return at


def kill_redis(stack, rng):
    time.sleep(rng.random())
    pid = stack.pid("redis")
    at = time.time()
    lib.kill(pid, signal.SIGKILL)
    lib.wait_for("the end of Redis", 5, lambda: lib.is_dead(pid))
    time.sleep(rng.random())
    lib.say(f"  Redis started again in {stack.up():.1f} s")
    return at


KILL = {"responder": kill_responder, "worker": kill_worker,
        "node": kill_node, "redis": kill_redis}


# ---- the account with many meals

class Reporter(lib.Keeper):
    """Asks for one long report after the other."""

    def fill(self, stack):
        stack.sql(
            "insert into feeding (cat_id, id, given_at, care_day, amount_ul,"
            " by_account) select c.default_cat, gen_random_uuid(), at,"
            " at::date, 1000, c.id from account c, lateral (select"
            " now() - interval '2 days' - g * interval '1 minute' as at"
            f" from generate_series(1, {ROWS}) g) s"
            f" where c.id = '{self.account}'")


class LongReports(lib.Load):
    def run(self, keeper):
        while not self.ended.is_set():
            keeper.ask_report()
            self.ended.wait(0.4)


# ---- recovery

def first(stack_entries, at):
    for when, _, _, seconds in stack_entries:
        # The answer came `seconds` before its note; it was asked after.
        if when - seconds >= at:
            return when - at
    return None


def longest_gap(keepers, at, end):
    """The longest that one client went without a success."""
    worst = 0.0
    for k in keepers:
        times = [at] + [e[0] for e in k.log
                        if at <= e[0] < end and lib.good(e)]
        worst = max([worst] + [b - a for a, b in zip(times, times[1:])])
    return worst


def recovery(stack, keepers, kills, ended):
    """Per kill: seconds until the first meal, the first report that was
    asked for since; the worst wait of a client. Then of each report how long
    it took."""
    made = [(float(a), float(b)) for a, b in stack.sql(
        "select extract(epoch from created_at), extract(epoch from"
        " finished_at) from report where state = 'ready' order by 2")]
    meals, reports, gaps = [], [], []
    for at, end in zip(kills, kills[1:] + [ended]):
        found = [e for e in lib.entries(keepers, at, end, "meal")
                 if lib.good(e)]
        value = first(found, at)
        if value is not None:
            meals.append(value)
        reports += [done - at for asked, done in made if asked > at][:1]
        gaps.append(longest_gap(keepers, at, end))
    return meals, reports, gaps, [done - asked for asked, done in made]


# ---- what must be true

def reports_done(stack):
    rows = stack.sql("select count(*) from report"
                     " where state in ('queued', 'running')")
    return rows[0][0] == "0"


def count_lines(path):
    with open(path, "rb") as f:
        return sum(1 for _ in f) - 1  # the head


def check_reports(stack, tally, keepers, reporter, what):
    late = lib.wait_for("all reports", 90, lambda: reports_done(stack), 0.2)
    tally.check(late, f"{what}: every report ended")
    rows = {r[0]: r[1:] for r in stack.sql(
        "select r.id, r.state, r.row_count, r.blob, r.account_id,"
        " (select count(*) from job_run j where j.job_id = r.id),"
        " (select string_agg(o.state, ',') from job_outbox o"
        " where o.id = r.id) from report r")}
    folder = os.path.join(stack.home, "files", "reports")
    files = set(os.listdir(folder)) if os.path.isdir(folder) else set()
    asked = lost = not_ready = runs = wrong_rows = no_file = open_box = 0
    for k in keepers + [reporter]:
        asked += len(k.reports)
        for _, report_id, acked in k.reports:
            row = rows.pop(report_id, None)
            if row is None:
                lost += 1
                continue
            state, count, blob, account, ran, outbox = row
            if state != "ready":
                not_ready += 1
                lib.say(f"  report {report_id}: {row}")
                continue
            runs += ran != "1"
            open_box += outbox != "done"
            count = int(count)
            least, most = ((ROWS, ROWS) if k is reporter
                           else (acked, len(k.meals)))
            wrong_rows += account != k.account or not least <= count <= most
            if blob not in files:
                no_file += 1
            else:
                files.discard(blob)
                wrong_rows += count_lines(os.path.join(folder, blob)) != count
    tally.same(lost, 0, f"{what}: reports lost, of {asked}")
    tally.same(len(rows), 0, f"{what}: reports nobody knows of")
    tally.same(not_ready, 0, f"{what}: reports not ready")
    tally.same(runs, 0, f"{what}: reports not run exactly once (job_run)")
    tally.same(open_box, 0, f"{what}: outbox rows still open")
    tally.same(no_file, 0, f"{what}: reports without a file")
    tally.same(wrong_rows, 0, f"{what}: reports with wrong rows")
    parts = [f for f in files if ".tmp" in f]
    tally.same(len(parts), 0, f"{what}: unfinished files left behind")
    tally.same(len(files) - len(parts), 0, f"{what}: files nobody knows of")
    return parts


def check_queue(stack, tally, what):
    """Nothing is held by anybody, nothing waits, nothing was buried."""
    def still():
        keys = stack.redis("--scan", "--pattern", "jq:proc:*")
        held = sum(int(stack.redis("HLEN", k)[0]) for k in keys)
        waits = sum(int(stack.redis("LLEN", q)[0])
                    for q in ("default", "reports"))
        return held + waits == 0
    quiet = lib.wait_for("an empty queue", 20, still, 0.2)
    tally.check(quiet, f"{what}: no message waits or is held")
    size = int(stack.redis("ZCARD", "jq:dead")[0])
    tally.same(size, 0, f"{what}: buried jobs")


def one_kind(stack, tally, kind, plan, clients, reporter, rng):
    kills, pause = plan
    lib.say(f"\n{kind}: {kills} kills, {clients} clients")
    fcgi = stack.pid("fcgi")
    keepers = [lib.Keeper(stack.port, f"{kind}-{i}") for i in range(clients)]
    times = []
    with lib.Load(keepers, WEIGHTS), LongReports([reporter], ()):
        time.sleep(0.5)
        for _ in range(kills):
            times.append(KILL[kind](stack, rng))
            time.sleep(pause * (0.5 + rng.random()))
        ended = time.time()
    everybody = keepers + [reporter]
    seen = lib.entries(everybody)
    lib.say(f"  {len(seen)} requests in {ended - times[0]:.1f} s: "
            f"{lib.statuses(seen)}")
    open_meals = sum(len(k.unknown()[0]) for k in everybody)
    open_reports = sum(len(k.unknown()[1]) for k in everybody)
    lib.say(f"  unknown after the load: {open_meals} meals, "
            f"{open_reports} reports")
    done = [k.retry_unknown() for k in everybody]
    tally.check(all(done), f"{kind}: every unknown was settled by its key")
    lib.check_answers(tally, everybody, kind)
    lib.check_meals(stack, tally, keepers, kind)
    parts = check_reports(stack, tally, keepers, reporter, kind)
    check_queue(stack, tally, kind)
    tally.same(stack.pid("fcgi"), fcgi, f"{kind}: the responders' parent")
    meals, reports, gaps, each = recovery(stack, keepers, times, ended)
    lib.say(f"  first meal after a kill:   {lib.ms(meals)}")
    lib.say(f"  first report after a kill: {lib.ms(reports)}")
    lib.say(f"  longest wait of a client:  {lib.ms(gaps)}")
    lib.say(f"  from request to report:    {lib.ms(each)}")
    # The next kind starts with clean tables.
    for name in parts:
        os.unlink(os.path.join(stack.home, "files", "reports", name))
    stack.sql("delete from report")
    reporter.reports.clear()
    reporter.log.clear()
    for name in os.listdir(os.path.join(stack.home, "files", "reports")):
        os.unlink(os.path.join(stack.home, "files", "reports", name))


# ---- a responder that dies before it could tell Redis what it wrote

def kill_all_responders(stack):
    old = lib.children(stack.pid("fcgi"))
    for pid in old:
        lib.kill(pid, signal.SIGKILL)
    lib.wait_for("the end of the responders", 5,
                 lambda: all(lib.is_dead(p) for p in old))


def look_for_a_while(keeper, seconds=3):
    """Reads the day; seconds until the first right answer, None if never."""
    before = len(keeper.wrong)
    begin = time.monotonic()
    while time.monotonic() < begin + seconds:
        seen = len(keeper.wrong)
        if keeper.look() is not None and len(keeper.wrong) == seen:
            break
        time.sleep(0.05)
    wrong = len(keeper.wrong) - before
    if wrong:
        lib.say(f"  {wrong} answers without a meal that was acknowledged, "
                f"for {time.monotonic() - begin:.1f} s")


def debt(stack, tally):
    """Redis hangs just when a meal is written, so that what is cached about
    the day cannot be dropped; then the responders die with that debt."""
    lib.say("\ndebt: responders die between the commit and the cache")
    redis = stack.pid("redis")
    told = lib.Keeper(stack.port, "debt-told")
    cut = lib.Keeper(stack.port, "debt-cut")
    for k in (told, cut):
        k.feed()
        for _ in range(4):
            k.look()  # from the cache at last
    lib.kill(redis, signal.SIGSTOP)
    good, _ = told.feed()
    tally.check(good, "debt: a meal is acknowledged while Redis hangs")
    asked = threading.Thread(target=cut.feed)
    asked.start()
    meal = lib.wait_for("the request", 5, lambda: len(cut.meals) == 2
                        and cut.meals[1])
    lib.wait_for("the commit", 5, lambda: stack.sql(
        f"select 1 from feeding where notes = '{meal.note}'"), 0.005)
    kill_all_responders(stack)
    asked.join()
    lib.kill(redis, signal.SIGCONT)
    lib.say(f"  the second meal was {'not ' * (meal.id is None)}acknowledged "
            "before the kill")
    tally.check(cut.retry_unknown(), "debt: its key settles it")
    for k in (told, cut):
        look_for_a_while(k)
        lib.check_answers(tally, [k], k.number)
    time.sleep(0.2)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--quick", action="store_true")
    p.add_argument("--keep", action="store_true")
    p.add_argument("--clients", type=int, default=0)
    p.add_argument("--seed", type=int, default=int(time.time()))
    p.add_argument("kinds", nargs="*")
    o = p.parse_args()
    lib.say(f"seed {o.seed}")
    rng = random.Random(o.seed)
    options = {"CATETUBE_MAX_REDELIVER": "100"}
    if o.quick:
        options |= {"CATETUBE_LEASE_MS": "2000", "CATETUBE_BEAT_MS": "500"}
    stack = lib.Stack("kill", **options)
    tally = lib.Tally()
    stack.up()
    try:
        reporter = Reporter(stack.port, "long")
        reporter.fill(stack)
        for kind in o.kinds or KINDS:
            if kind == "debt":
                debt(stack, tally)
                continue
            one_kind(stack, tally, kind, (QUICK if o.quick else FULL)[kind],
                     o.clients or (16 if o.quick else 24), reporter, rng)
        for service in ("fcgi", "worker"):
            tally.same(len(stack.crashes(service)), 0,
                       f"{service}: crashes of its own")
    finally:
        stack.down(o.keep or tally.failed > 0)
    return tally.end()


if __name__ == "__main__":
    raise SystemExit(main())
