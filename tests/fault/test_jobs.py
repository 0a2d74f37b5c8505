#!/usr/bin/env python3
"""Storms on the workers: a job that was accepted is done, and has its effect
once.

  test_jobs.py [--quick | --full] [--keep] [--seed N] [KIND...]
  KIND: recover kill freeze redis flush silent

Nodes run as processes of their own beside a private stack and are started
again as systemd would do it. Half of the jobs are promised in PostgreSQL, half
are pushed as a Celery client pushes them. A job (test.effect) writes a row in
the audit trail, which nothing but its row in job_run keeps from being written
again. Then all is still, and PostgreSQL and Redis are looked through.

--full: 10,000 jobs and the default lease; else 1,500 and a lease of 2 s."""
import argparse
import os
import random
import signal
import threading
import time
import uuid

import lib
import nodes
from nodes import Batch, Keeper, Node, Proxy, Results

KINDS = ("recover", "kill", "freeze", "redis", "flush", "silent")
AGAIN_S = 5  # consuming again after Redis is back


class Storm:
    """What all kinds share."""

    def __init__(self, stack, options, tally):
        self.stack = stack
        self.full = options.full
        self.rng = random.Random(options.seed)
        self.tally = tally
        self.r = nodes.connect(stack)
        self.lease_s = int(stack.vars["CATETUBE_LEASE_MS"]) / 1000
        self.nodes = [Node(stack, f"node{i}", CATETUBE_WORKER_CHILDREN="4")
                      for i in range(3)]

    def up(self, count):
        """Exactly the first count nodes run, each with its children."""
        for n in self.nodes[count:]:
            n.stop()
        for n in self.nodes[:count]:
            if not n.is_up():
                n.start()
        self.tally.check(lib.wait_for(
            "the nodes", 20, lambda: all(
                n.wid(self.r) and len(n.jobs()) == 4
                for n in self.nodes[:count])), f"{count} nodes serve")

    def owner(self, job_id):
        """(node that runs it, its wid); None where nobody does."""
        state, wid = self.r.hmget("jq:job:" + job_id, "state", "owner")
        if state != b"running" or not wid:
            return None
        for n in self.nodes:
            if n.is_up() and f":{n.pid()}:" in wid.decode():
                return n, wid.decode()
        return None

    def starts(self, job_id):
        return int(self.r.hget("jq:job:" + job_id, "starts") or 0)

    def settle(self, batch, seconds, what):
        """Wait until every job had its effect and nothing is held."""
        done = lib.wait_for(f"{what}: all jobs", seconds,
                            lambda: batch.left() <= 0, 0.2)
        self.tally.check(done, f"{what}: every job was done in time")

        def still():
            held = sum(self.r.hlen(k) for k in self.r.keys("jq:proc:*"))
            waits = sum(self.r.llen("default" + s) for s in nodes.STEPS)
            return held + waits + self.r.zcard("jq:sched") == 0
        self.tally.check(lib.wait_for("an empty queue", 20, still, 0.1),
                         f"{what}: no message waits or is held")

    def check(self, batch, what, lost_after=None, published=None):
        """Each job has its effect once. lost_after: jobs that were pushed
        after one of these times may be lost with Redis' last words."""
        ran, effects = {}, {}
        for job, attempt in self.stack.sql(
                "select job_id, attempt from job_run"
                " where task = 'test.effect'"):
            ran[job] = int(attempt)
        for job, n in self.stack.sql(
                "select noun_id, count(*) from audit_event where"
                " action = 'run' and noun = 'job' group by 1"):
            effects[job] = int(n)
        ids = batch.ids()
        lost = [i for i in ids if i not in ran]
        excused = [i for i in lost if i in batch.pushed and any(
            0 <= at - batch.pushed[i] < 2 for at in lost_after or ())]
        if lost:
            lib.say(f"  lost: {lost[:5]}; {len(excused)} of {len(lost)} were "
                    "pushed in the last 2 s before Redis was killed")
        same = self.tally.same
        same(len(lost) - len(excused), 0, f"{what}: jobs lost, of {len(ids)}")
        same(sum(n > 1 for n in effects.values()), 0,
             f"{what}: jobs with more than one effect")
        same(len(set(effects) ^ set(ran)), 0,
             f"{what}: jobs with a run and no effect, or the other way round")
        same(len(set(ran) - set(ids)), 0, f"{what}: jobs nobody sent")
        same(self.stack.sql(
            "select count(*) from job_outbox where task = 'test.effect' and"
            " state <> 'done'")[0][0], "0", f"{what}: outbox rows still open")
        same(self.r.zcard("jq:dead"), 0, f"{what}: buried jobs")
        if published is not None:
            self.check_results(batch, published, what)
        self.check_keys(what)

    def check_results(self, batch, published, what):
        words = {i: published.get(i, []) for i in batch.ids()}
        self.tally.same(sum(len(w) != 1 for w in words.values()), 0,
                        f"{what}: jobs without exactly one last word")
        self.tally.same(sum(s != "SUCCESS" for w in words.values()
                            for s, _ in w), 0, f"{what}: other words")
        states = batch.states()
        self.tally.same(sum(s[0] != "succeeded" for s in states.values()), 0,
                        f"{what}: jobs in another state than succeeded")

    def check_keys(self, what):
        n, endless = nodes.count_keys(self.r)
        if endless:
            lib.say(f"  {endless[:5]}")
        self.tally.same(len(endless), 0,
                        f"{what}: keys without an end, of {n}")

    def runs(self, batch, published):
        """(times a job was begun, times it found its effect there)."""
        begun = sum(int(s[1] or 0) for s in batch.states().values())
        again = sum(word is False for words in published.values()
                    for _, word in words)
        return begun, again

    def end(self):
        for n in self.nodes:
            n.stop()
            if n.proc is None:
                continue
            self.tally.same(n.odd_ends, [], f"{n.name}: ends of its own")
            self.tally.same(len(self.stack.crashes(n.name)), 0,
                            f"{n.name}: crashes of its own")


class Chaos(threading.Thread):
    """strike() again and again at random moments, until it is stopped."""

    def __init__(self, storm, strike, pause_s, most=1 << 30):
        super().__init__(daemon=True)
        self.storm = storm
        self.strike = strike
        self.pause_s = pause_s
        self.most = most
        self.times = []  # what each strike returned
        self.ended = threading.Event()
        self.start()

    def run(self):
        rng = self.storm.rng
        while len(self.times) < self.most and not self.ended.wait(
                self.pause_s * (0.5 + rng.random())):
            self.times.append(self.strike(rng))

    def stop(self):
        self.ended.set()
        self.join()
        return self.times


def feed(batch, total, slices, pause_s):
    """Half of the jobs at once, the rest in slices."""
    first = total // 4
    batch.promise(first)
    batch.push(first)
    some = (total - 2 * first) // (2 * slices)
    for i in range(slices):
        last = i == slices - 1
        batch.promise(total // 2 - len(batch.promised) if last else some)
        batch.push(total - total // 2 - len(batch.pushed) if last else some)
        time.sleep(pause_s)


# ---- recover: how long it takes, one kill at a time

def one_job(storm, batch):
    """The id, node and wid of a job that runs alone."""
    batch.push(1)
    job = list(batch.pushed)[-1]
    found = lib.wait_for("a running job", 10, lambda: storm.owner(job), 0.002)
    if found is None:
        raise SystemExit("fault: a job is not begun")
    time.sleep(0.05)
    return job, *found


def begun_again(storm, job, seconds):
    if lib.wait_for("the second run", seconds,
                    lambda: storm.starts(job) == 2, 0.001):
        return time.time()
    return float("inf")


def recover(storm):
    batch = Batch(storm.stack, {"before": 1}, storm.rng)
    results = Results(storm.stack)
    took = []
    storm.up(1)
    for _ in range(20 if storm.full else 8):
        job, node, _ = one_job(storm, batch)
        pid = lib.wait_for("the child", 0.5, node.busy_job)
        at = time.time()
        for pid in [pid] if pid else node.jobs():
            lib.kill(pid, signal.SIGKILL)
        took.append(begun_again(storm, job, 10) - at)
        lib.wait_for("its end", 10, lambda: batch.left() == 0, 0.05)
    lib.say(f"  from the kill of a child to the next run: {lib.ms(took)}")
    bound = 0.2 if storm.full else 2
    storm.tally.check(lib.percentile(took, .5) < bound,
                      f"recover: a child's job runs again within {bound} s")
    took = []
    storm.up(2)
    for _ in range(4 if storm.full else 2):
        job, node, _ = one_job(storm, batch)
        at = node.kill()
        took.append(begun_again(storm, job, storm.lease_s + 20) - at)
        node.proc.wait(5)
        storm.up(2)
    lib.say(f"  from the kill of a node to the next run: {lib.ms(took)}, "
            f"lease {storm.lease_s:.0f} s")
    bound = storm.lease_s + (2 if storm.full else 10)
    storm.tally.check(max(took) <= bound,
                      f"recover: a node's job runs again within {bound:.0f} s")
    storm.settle(batch, 20, "recover")
    storm.check(batch, "recover", published=results.stop())
    batch.forget()


# ---- kill: children and supervisors, at random

def kill_one(storm):
    def strike(rng):
        node = rng.choice(storm.nodes)
        if not node.is_up():
            return None
        if rng.random() < 0.15:
            return "node", node.kill()
        pids = lib.children(node.pid())
        if not pids:
            return None
        lib.kill(rng.choice(pids), signal.SIGKILL)
        return "child", time.time()
    return strike


def kill(storm):
    total = 10000 if storm.full else 1500
    batch = Batch(storm.stack, {"before": 0.02, "after": 0.03}, storm.rng)
    results = Results(storm.stack)
    storm.up(3)
    keeper = Keeper(storm.nodes)
    begin = time.monotonic()
    chaos = Chaos(storm, kill_one(storm), 0.25)
    feed(batch, total, 10, 0.4)
    lib.wait_for("the last tenth", 600 if storm.full else 120,
                 lambda: batch.left() < total / 10, 0.2)
    struck = [s for s in chaos.stop() if s]
    storm.settle(batch, 60 + 2 * storm.lease_s, "kill")
    seconds = time.monotonic() - begin
    keeper.stop()
    published = results.stop()
    begun, again = storm.runs(batch, published)
    lib.say(f"  {total} jobs in {seconds:.0f} s; "
            f"{sum(s[0] == 'child' for s in struck)} children and "
            f"{sum(s[0] == 'node' for s in struck)} nodes killed; begun "
            f"{begun} times, {again} found their effect there")
    storm.tally.check(begun > total, "kill: jobs were hit")
    storm.tally.check(again > 0, "kill: jobs were run again after their effect")
    storm.check(batch, "kill", published=published)
    batch.forget()


# ---- freeze: a node sleeps longer than its lease, and wakes up

def held(storm, wid):
    """Jobs that the node has begun."""
    rows = storm.r.hgetall("jq:proc:" + wid)
    return [v.decode() for k, v in rows.items() if k.endswith(b"i")]


def one_freeze(storm, batch, whole):
    node = storm.nodes[0]
    wid = lib.wait_for("a place", 20, lambda: node.wid(storm.r))
    if wid is None:
        raise SystemExit("fault: a node has no place")
    batch.push(60)
    batch.promise(8)
    lib.wait_for("jobs of the node", 10,
                 lambda: len(held(storm, wid)) > 2, 0.005)
    node.freeze(whole)
    at = time.time()
    time.sleep(0.05)  # what it had sent is heard
    taken = held(storm, wid)
    gone = lib.wait_for("the reaper", storm.lease_s + 30, lambda:
                        storm.r.zscore("jq:w", wid) is None, 0.01)
    reaped = time.time() - at
    storm.tally.check(gone, "freeze: the frozen node lost its place")
    batch.push(8)
    # The others do all of it while the node sleeps.
    lib.wait_for("all jobs", 30, lambda: batch.left() == 0, 0.1)
    node.thaw()
    at = time.time()
    back = lib.wait_for("the node", 20, lambda:
                        node.wid(storm.r) not in (None, wid), 0.01)
    lib.say(f"  {'node' if whole else 'supervisor'} frozen with "
            f"{len(taken)} jobs: reaped after {reaped:.2f} s; back as another "
            f"{time.time() - at:.2f} s after it woke")
    storm.tally.check(back, "freeze: the node serves again, as another")
    return wid, taken


def freeze(storm):
    batch = Batch(storm.stack, {"before": 0.3}, storm.rng)
    results = Results(storm.stack)
    storm.up(3)
    rounds = [one_freeze(storm, batch, whole) for whole in
              (True, False) * (6 if storm.full else 1)]
    storm.settle(batch, 30, "freeze")
    states = batch.states()
    late = [i for wid, taken in rounds for i in taken
            if states[i][2].startswith(wid)]
    storm.tally.same(len(late), 0,
                     "freeze: jobs that were settled by a frozen node, of "
                     f"{sum(len(taken) for _, taken in rounds)}")
    storm.check(batch, "freeze", published=results.stop())
    batch.forget()


# ---- redis: killed, or frozen, under load

def kill_redis(storm, batch):
    def strike(rng):
        at = nodes.kill_redis(storm.stack)
        time.sleep(rng.random())
        back = nodes.start_redis(storm.stack)
        batch.push(20)  # there is something to be done
        return "killed", at, back
    return strike


def freeze_redis(storm, seconds):
    pid = storm.stack.pid("redis")
    at = time.time()
    lib.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    lib.kill(pid, signal.SIGCONT)
    return "frozen", at, time.time()


def again_after(storm, backs):
    """Of each time that Redis came back, how long until a job was done."""
    took = []
    for back in backs:
        # What ran in a child when Redis went may end at any time.
        rows = storm.stack.sql(
            "select min(extract(epoch from finished_at)) from job_run where"
            f" finished_at > to_timestamp({back}) and task = 'test.effect'")
        took.append(float(rows[0][0]) - back if rows[0][0] else float("inf"))
    return took


def redis_storm(storm):
    total = 4000 if storm.full else 900
    batch = Batch(storm.stack, {"before": 0.03, "after": 0.03}, storm.rng)
    results = Results(storm.stack)
    storm.up(3)
    keeper = Keeper(storm.nodes)
    kills = 8 if storm.full else 2
    chaos = Chaos(storm, kill_redis(storm, batch), 0.8, kills)
    feed(batch, total, 8, 0.3)
    chaos.join()
    strikes = chaos.stop()
    for seconds in (1.5, storm.lease_s + 1) * (3 if storm.full else 1):
        batch.push(100)
        strikes.append(freeze_redis(storm, seconds))
        batch.push(50)
        time.sleep(1)
    storm.settle(batch, 180, "redis")
    keeper.stop()
    published = results.stop()
    took = again_after(storm, [s[2] for s in strikes])
    for (word, at, back), s in zip(strikes, took):
        lib.say(f"  Redis {word} for {back - at:.1f} s: first job done "
                f"{s:.2f} s after it was back")
    bound = AGAIN_S * (1 if storm.full else 3)
    storm.tally.check(max(took) <= bound,
                      f"redis: consuming again within {bound} s")
    begun, again = storm.runs(batch, published)
    lib.say(f"  {len(batch.ids())} jobs begun {begun} times, {again} found "
            "their effect there")
    storm.check(batch, "redis", lost_after=[
        at for word, at, _ in strikes if word == "killed"])
    batch.forget()


# ---- flush: Redis forgets everything

def flush(storm):
    total = 1000 if storm.full else 400
    batch = Batch(storm.stack, {"before": 0.05}, storm.rng)
    storm.up(2)
    batch.promise(total)
    lib.wait_for("a third of the jobs", 60,
                 lambda: batch.left() < total * 2 / 3, 0.02)
    storm.r.flushall()
    at = time.time()
    left = batch.left()
    batch.promise(20)
    if not storm.full:
        # As if a minute had gone by; a relay looks as soon as it starts.
        storm.stack.sql("update job_outbox set sent_at = sent_at - interval"
                        " '2 min' where state = 'sent'")
        for n in storm.nodes[:2]:
            for pid in lib.children(n.pid()):
                if lib.comm(pid) == "catetube-relay":
                    lib.kill(pid, signal.SIGKILL)
    storm.settle(batch, 180, "flush")
    lib.say(f"  {left} of {total} jobs were left; done {time.time() - at:.1f}"
            " s after Redis forgot them")
    storm.tally.check(left > 0, "flush: jobs were left to be lost")
    storm.check(batch, "flush")
    batch.forget()


# ---- silent: connections whose other end was cut off without a word

def ask_silent(storm, seconds=30):
    """Seconds until a job of the queue "silent" is done."""
    job_id = str(uuid.uuid4())
    job = nodes.message(job_id, "test.noop", {}, "silent")
    at = time.monotonic()
    storm.r.lpush("silent", job)
    done = lib.wait_for("a job after silence", seconds, lambda:
                        storm.r.exists("celery-task-meta-" + job_id), 0.005)
    return time.monotonic() - at if done else float("inf")


def silent(storm):
    proxy = Proxy(storm.stack)
    node = Node(storm.stack, "silent", CATETUBE_QUEUES="silent",
                REDIS_URL=f"redis://127.0.0.1:{proxy.port}/0")
    node.start()
    rounds = 5 if storm.full else 2
    ask_silent(storm)
    took = [ask_silent(storm) for _ in range(10)]
    lib.say(f"  from the push to the result: {lib.ms(took)}")
    for words, kinds in (("all", {}), ("the bell's", {"only_bell": True})):
        took = []
        for _ in range(rounds):
            time.sleep(0.3)
            cut = proxy.mute(**kinds)
            took += [ask_silent(storm)]
        lib.say(f"  {words} connections silent ({cut}): {lib.ms(took)}")
        storm.tally.check(max(took) <= AGAIN_S * (1 if storm.full else 3),
                          f"silent: consuming again, {words} connections")
    took = []
    for seconds in (1.5, storm.lease_s + 1):
        proxy.mute(new=True)
        time.sleep(seconds)
        proxy.silent = False
        took.append(ask_silent(storm))
    lib.say(f"  nothing answers for a while, then new ones do: {lib.ms(took)}")
    storm.tally.check(max(took) <= AGAIN_S * (1 if storm.full else 3),
                      "silent: consuming again after the network is back")
    node.stop()
    storm.tally.same(node.odd_ends, [], "silent: ends of its own")
    storm.tally.same(len(storm.stack.crashes("silent")), 0,
                     "silent: crashes of its own")
    proxy.stop()


STORMS = {"recover": recover, "kill": kill, "freeze": freeze,
          "redis": redis_storm, "flush": flush, "silent": silent}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--quick", action="store_true", help="as without --full")
    p.add_argument("--full", action="store_true")
    p.add_argument("--keep", action="store_true")
    p.add_argument("--seed", type=int, default=int(time.time()))
    p.add_argument("kinds", nargs="*")
    o = p.parse_args()
    lib.say(f"seed {o.seed}")
    options = {"CATETUBE_MAX_REDELIVER": "100", "CATETUBE_LEASE_MS": "10000"}
    if not o.full:
        options |= {"CATETUBE_LEASE_MS": "2000", "CATETUBE_BEAT_MS": "500"}
    stack = lib.Stack("jobs", **options)
    tally = lib.Tally()
    stack.up()
    storm = None
    try:
        # Its own node would be one too many.
        os.kill(stack.pid("worker"), signal.SIGTERM)
        lib.wait_for("the end of the stack's node", 40,
                     lambda: lib.is_dead(stack.pid("worker")))
        storm = Storm(stack, o, tally)
        for kind in o.kinds or KINDS:
            lib.say(f"\n{kind}")
            begin = time.monotonic()
            STORMS[kind](storm)
            lib.say(f"  ({time.monotonic() - begin:.0f} s)")
    finally:
        if storm is not None:
            storm.end()
        stack.down(o.keep or tally.failed > 0)
    return tally.end()


if __name__ == "__main__":
    raise SystemExit(main())
