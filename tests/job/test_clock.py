"""A Redis whose clock is set (libfaketime): a job that is due a day ahead waits
for it, the schedule makes up for the day that was left out, once, and does
nothing again when the clock is set back."""
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import redis as redis_py

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "fault"))
from lib import Tally, say, wait_for  # noqa: E402

BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
DAY = 86400
t = Tally()


class Server:
    """Redis and a worker node; only Redis lives in another time."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="catetube-clock-")
        self.clock = os.path.join(self.dir, "clock")
        self.sock = os.path.join(self.dir, "redis.sock")
        self.set_clock(0)
        # The C library's own malloc: that of Redis asks for the time before
        # libfaketime is ready.
        preload = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")[0]
        libc = glob.glob("/lib/*-linux-gnu/libc.so.6")[0]
        env = dict(os.environ, LD_PRELOAD=f"{preload}:{libc}",
                   FAKETIME_NO_CACHE="1",
                   FAKETIME_TIMESTAMP_FILE=self.clock,
                   FAKETIME_DONT_FAKE_MONOTONIC="1")
        self.redis = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.sock,
             "--dir", self.dir, "--save", "", "--appendonly", "no",
             "--logfile", os.path.join(self.dir, "redis.log")], env=env)
        assert wait_for("redis", 10, lambda: os.path.exists(self.sock))
        self.r = redis_py.Redis(unix_socket_path=self.sock,
                                decode_responses=True)
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("CATETUBE_", "REDIS_", "DATABASE_"))}
        self.env.update(
            REDIS_URL=f"unix://{self.sock}", CATETUBE_RUN_DIR=self.dir,
            DATABASE_URL="postgresql:///none?host=/nonexistent",
            SECRET_KEY="0123456789abcdef0123456789abcdef",
            CATETUBE_TEST_TASKS="1", CATETUBE_QUEUES="default",
            CATETUBE_LEASE_MS="2000", CATETUBE_BEAT_MS="200",
            CATETUBE_CRON_PURGE="@daily misfire=latest overlap=allow",
            CATETUBE_CRON_INACTIVE="off", CATETUBE_CRON_REPORTS="off")
        self.log = open(os.path.join(self.dir, "worker.log"), "w")
        self.worker = subprocess.Popen(
            [os.path.join(BUILD, "catetube-worker")], env=self.env,
            stderr=self.log)

    def set_clock(self, seconds):
        with open(self.clock + ".new", "w") as f:
            f.write(f"{seconds:+d}\n")
        os.rename(self.clock + ".new", self.clock)

    def now_ms(self):
        s, us = self.r.time()
        return s * 1000 + us // 1000

    def ctl(self, *words):
        p = subprocess.run(
            [os.path.join(BUILD, "catetubectl"), *words], env=self.env,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=30)
        return p.returncode, p.stdout.strip(), p.stderr.strip()

    def end(self):
        for p in (self.worker, self.redis):
            if p.poll() is None:
                p.send_signal(signal.SIGTERM)
            p.wait(15)
        self.log.close()
        if t.failed:
            say(f"logs are in {self.dir}")
        else:
            shutil.rmtree(self.dir)


def state(s, job):
    return s.r.hget(f"jq:job:{job}", "state")


def a_day_ahead(s):
    _, job, _ = s.ctl("enqueue", "test.now", "--in", str(DAY))
    due = int(s.r.hget(f"jq:job:{job}", "due"))
    t.check(abs(due - s.now_ms() - DAY * 1000) < 5000, "due in a day")
    t.same(state(s, job), "scheduled", "it waits")
    # Six seconds before its time, all at once.
    s.set_clock((due - s.now_ms()) // 1000 - 6)
    early = 0
    while s.now_ms() < due:
        before = state(s, job)
        early += before != "scheduled" and s.now_ms() < due
        time.sleep(0.01)
    t.same(early, 0, "not begun before")
    t.check(wait_for("its time", 10, lambda: state(s, job) == "succeeded"),
            "done in its time")
    late = int(s.r.hget(f"jq:job:{job}", "settled_ms")) - due
    t.check(0 <= late < 5000, f"late by {late} ms")
    t.same(s.r.hget(f"jq:job:{job}", "starts"), "1", "begun once")


def the_schedule(s):
    t.check(wait_for("the missed day", 15, lambda: s.r.llen(
        "maintenance") == 1), "the day that was left out ran")
    slot = int(s.r.hget("jq:cron:purge", "fired"))
    t.same(slot % DAY, 0, "at midnight")
    t.check(0 <= s.now_ms() // 1000 - slot < DAY, "of the new day")
    shown = json.loads(s.ctl("cron", "list", "--json")[1])
    row = next(x for x in shown["rows"] if x["name"] == "purge")
    t.same((row["last_id"], row["last_state"], row["on"]),
           (s.r.hget("jq:cron:purge", "id"), "queued", True), "ctl shows it")
    t.check(shown["leader"].startswith(os.uname().nodename + ":"),
            "and who leads")
    # A day back: that slot was, and is not made again when it comes.
    s.set_clock(0)
    time.sleep(2)
    s.set_clock(DAY)
    time.sleep(2)
    t.same(s.r.llen("maintenance"), 1, "one job for the slot, whatever the clock")


def by_hand(s):
    code, job, _ = s.ctl("cron", "run", "purge")
    t.same((code, s.r.hget(f"jq:job:{job}", "task")),
           (0, "maintenance.purge"), "run now")
    t.same(s.r.llen("maintenance"), 2, "beside the schedule's")
    code, _, said = s.ctl("cron", "run", "nothing")
    t.check(code == 2 and "no row nothing" in said, f"unknown row: {said}")
    code, _, said = s.ctl("cron")
    t.check(code == 2 and "cron takes" in said, f"usage: {said}")
    code, out, _ = s.ctl("cron", "list")
    t.check(code == 0 and out.startswith("leader: ") and all(
        name in out for name in ("purge", "inactive", "reports", "backup")),
        "the table")
    s.env["CATETUBE_CRON_PURGE"] = "30 99 * * *"
    code, _, said = s.ctl("cron", "list")
    t.check(code == 1 and "CATETUBE_CRON_PURGE" in said, f"bad line: {said}")


def main():
    s = Server()
    try:
        t.check(wait_for("a leader", 15, lambda: s.r.exists("jq:leader")),
                "a leader")
        for part in (a_day_ahead, the_schedule, by_hand):
            say(part.__name__)
            part(s)
    finally:
        s.end()
    return t.end()


if __name__ == "__main__":
    sys.exit(main())
