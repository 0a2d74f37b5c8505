"""Remote control of nodes of the test's own: whom a request is for, what may
be changed, what survives, and what a hostile request does: nothing.

    python3 tests/interop/test_steer.py anything
"""
import base64
import gc
import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid

from celery.exceptions import TaskRevokedError

from kombu import pools

from interop import (CELERY, WAIT_S, WORKER, Own, client, job_state, main,
                     raises, send, until, until_running)

CHANNEL = "/0.celery.pidbox"


class Steer:
    def __init__(self):
        self.own = Own()
        self.app = client(self.own.url)
        self.redis = self.app.backend.client

    def node(self, name, **options):
        p = self.own.node(name, **options)
        until(name + " answers", lambda: self.ask("ping", name, 0.2))
        return p

    def ask(self, command, name=None, timeout=5, **args):
        got = self.app.control.broadcast(
            command, arguments=args, destination=[name] if name else None,
            reply=True, timeout=timeout, limit=1 if name else None)
        if name:
            return got[0][name] if got else None
        return {k: v for one in got for k, v in one.items()}

    def names(self, **how):
        got = self.app.control.broadcast("ping", reply=True, timeout=1, **how)
        return sorted(k for one in got for k in one)


def steer(test):
    """A Redis and nodes for this test alone."""
    def run():
        s = Steer()
        try:
            test(s)
        finally:
            # Results unsubscribe when they go: while there still is a Redis.
            gc.collect()
            s.own.end()
    return run


@steer
def t_whom(s):
    s.node("cat@one")
    s.node("cat@two")
    assert s.names() == ["cat@one", "cat@two"]
    assert s.names(destination=["cat@two"]) == ["cat@two"]
    assert s.names(pattern="*@o*", matcher="glob") == ["cat@one"]
    assert s.names(pattern="cat@t[a-w]o", matcher="glob") == ["cat@two"]
    assert s.names(pattern="dog*", matcher="glob") == []
    assert s.app.control.inspect(
        pattern="*one", matcher="glob", timeout=1).ping() == {
        "cat@one": {"ok": "pong"}}


@steer
def t_stale_is_dropped(s):
    s.node("n")
    r = send(s.app, "test.sleep", 1.5)
    until_running(s.app, r)
    body = {"method": "revoke", "arguments": {
        "task_id": r.id, "terminate": True}}
    message = {"body": json.dumps(body), "content-type": "application/json",
               "content-encoding": "utf-8", "properties": {},
               "headers": {"clock": 1, "expires": time.time() - 60}}
    s.redis.publish(CHANNEL, json.dumps(message))
    assert r.get(timeout=WAIT_S) == "slept"


@steer
def t_queues(s):
    s.node("n", CATETUBE_CONTROL_CHANGES=1)
    assert s.ask("add_consumer", "n", queue="extra") == {
        "ok": "add consumer extra"}
    assert send(s.app, "test.echo", 1, queue="extra").get(timeout=WAIT_S) == 1
    # It is woken by a push there, too, and in all priorities.
    assert send(s.app, "test.echo", 2, queue="extra", priority=9).get(
        timeout=WAIT_S) == 2
    names = [q["name"] for q in s.ask("active_queues", "n")]
    assert names[0] == "default" and names[-1] == "extra", names
    (wid,) = s.redis.zrange("jq:w", 0, -1)
    assert s.redis.hget("jq:winfo:" + wid.decode(), "queues").endswith(
        b",extra:1")
    assert s.redis.ttl("jq:winfo:" + wid.decode()) > 0
    assert "ok" in s.ask("cancel_consumer", "n", queue="extra")
    r = send(s.app, "test.echo", 3, queue="extra")
    send(s.app, "test.noop").get(timeout=WAIT_S)
    time.sleep(0.6)
    assert s.redis.llen("extra") == 1
    assert "ok" in s.ask("add_consumer", "n", queue="extra")
    assert r.get(timeout=WAIT_S) == 3


@steer
def t_shutdown_drains(s):
    a = s.node("a", CATETUBE_CONTROL_CHANGES=1, CATETUBE_WORKER_CHILDREN=1)
    r = send(s.app, "test.sleep", 1)
    until_running(s.app, r)
    s.node("b", CATETUBE_CONTROL_CHANGES=1)
    s.app.control.shutdown(destination=["a"])
    assert a.wait(WAIT_S) == 0
    assert r.get(timeout=WAIT_S) == "slept"
    assert s.redis.hget("jq:job:" + r.id, "starts") == b"1"
    assert s.names() == ["b"]
    assert send(s.app, "test.echo", 1).get(timeout=WAIT_S) == 1


@steer
def t_shutdown_is_refused(s):
    a = s.node("a")
    s.app.control.shutdown()
    assert "error" in s.ask("shutdown", "a")
    assert send(s.app, "test.echo", 1).get(timeout=WAIT_S) == 1
    assert a.poll() is None


@steer
def t_revoke_outlives_nodes(s):
    """Heard by one node, it holds for another that starts later."""
    s.node("a")
    tid = str(uuid.uuid4())
    s.app.control.revoke(tid)
    until("marked", lambda: s.redis.exists("jq:cancel:" + tid))
    assert s.redis.ttl("jq:cancel:" + tid) > 600000
    assert s.own.stop("a") == 0
    r = send(s.app, "test.noop", task_id=tid)
    s.node("b")
    e = raises(TaskRevokedError, r)
    assert e.args == ("revoked",), e.args
    assert tid in s.ask("revoked", "b")


@steer
def t_terminate_elsewhere(s):
    """The node that runs it stops it, also where it did not hear of it."""
    s.own.node("deaf", CATETUBE_CONTROL=0)
    r = send(s.app, "test.sleep", 60)
    until_running(s.app, r)
    s.node("hears")
    r.revoke(terminate=True)
    e = raises(TaskRevokedError, r)
    assert e.args == ("terminated",), e.args
    assert s.names() == ["hears"]


@steer
def t_off(s):
    """CATETUBE_CONTROL=0: deaf and silent, but at work."""
    s.own.node("n", CATETUBE_CONTROL=0, CATETUBE_EVENTS=1)
    listener = s.redis.pubsub()
    listener.psubscribe("/0.celeryev/*")
    assert send(s.app, "test.echo", 1).get(timeout=WAIT_S) == 1
    assert s.names() == []
    time.sleep(0.5)
    got = []
    while True:
        m = listener.get_message(timeout=0.1)
        if m is None:
            break
        if m["type"] == "pmessage":
            got.append(m)
    assert got == [], got


def publishes(redis):
    return redis.info("commandstats")["cmdstat_publish"]["calls"]


@steer
def t_events_cost_nothing_unheard(s):
    s.node("n", CATETUBE_EVENTS=1)
    time.sleep(0.5)

    def during():
        before = publishes(s.redis)
        rs = [send(s.app, "test.noop", ignore_result=True)
              for _ in range(100)]
        until("done", lambda: all(
            job_state(s.app, r) == "succeeded" for r in rs))
        return publishes(s.redis) - before

    began = time.time()
    unheard = during()
    beats = (time.time() - began) / 0.2 + 2
    assert unheard <= beats, (unheard, beats)
    listener = s.redis.pubsub()
    listener.psubscribe("/0.celeryev/*")
    time.sleep(0.5)
    assert during() > beats
    events = []
    end = time.time() + WAIT_S
    while time.time() < end:
        m = listener.get_message(timeout=0.2)
        if m is None:
            break
        if m["type"] == "pmessage" and m["channel"].endswith(b"task.multi"):
            events += json.loads(base64.b64decode(
                json.loads(m["data"])["body"]))
    kinds = [e["type"] for e in events]
    for kind in ("task-received", "task-started", "task-succeeded"):
        assert kinds.count(kind) == 100, (kind, kinds.count(kind))
    clocks = [e["clock"] for e in events]
    assert clocks == sorted(set(clocks))


@steer
def t_goodbye(s):
    listener = s.redis.pubsub()
    listener.psubscribe("/0.celeryev/worker.*")
    s.node("n")
    assert s.own.stop("n") == 0
    kinds = []
    while True:
        m = listener.get_message(timeout=0.3)
        if m is None:
            break
        if m["type"] == "pmessage":
            kinds.append(m["channel"].decode().rpartition(".")[2])
    assert kinds[0] == "online" and kinds[-1] == "offline", kinds
    assert kinds.count("offline") == 1 and "heartbeat" in kinds, kinds


@steer
def t_cut_connections(s):
    s.node("n")
    for _ in range(3):
        s.redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        began = time.time()
        until("answers again", lambda: s.ask("ping", "n", 0.3))
        assert time.time() - began < 5
    assert send(s.app, "test.echo", 1).get(timeout=WAIT_S) == 1


@steer
def t_redis_restarts(s):
    s.node("n")
    s.own.crash_redis()
    time.sleep(0.3)
    s.own.start_redis()
    pools.reset()
    s.app = client(s.own.url)
    s.redis = s.app.backend.client
    until("answers again", lambda: s.ask("ping", "n", 0.3), 10)
    assert send(s.app, "test.echo", 1).get(timeout=WAIT_S) == 1


@steer
def t_not_allowed(s):
    """A Redis user that may not subscribe or publish: jobs run all the same."""
    s.redis.execute_command("ACL", "SETUSER", "default", "-subscribe",
                            "-publish")
    s.own.node("n", CATETUBE_EVENTS=1)
    r = send_raw(s)
    until("done", lambda: job_state(s.app, r) == "succeeded")
    s.redis.execute_command("ACL", "SETUSER", "default", "+subscribe",
                            "+publish")
    until("answers", lambda: s.ask("ping", "n", 0.3))


class Raw:
    def __init__(self, tid):
        self.id = tid


def send_raw(s):
    """Without a client that would subscribe."""
    tid = str(uuid.uuid4())
    s.redis.lpush("default", json.dumps({
        "body": "[[], {}, {}]", "content-type": "application/json",
        "content-encoding": "utf-8", "properties": {},
        "headers": {"task": "test.noop", "id": tid, "ignore_result": True}}))
    return Raw(tid)


def rss_kib(pid):
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) for line in f
                    if line.startswith("VmRSS"))


def mutants(dice):
    """Requests that are wrong in every way, some of them huge."""
    good = {"method": "revoke", "arguments": {"task_id": "x"},
            "destination": None, "pattern": None, "matcher": None,
            "ticket": "t", "reply_to": {"exchange": "reply.celery.pidbox",
                                        "routing_key": "k"}}
    values = [None, True, -1, 1e308, "", "x" * 1000, "\x00", "\x06\x16", [],
              {}, [[]], {"a": {}}, ["x"] * 5000, "[" * 500, "*" * 1000]
    methods = ["revoke", "terminate", "active", "stats", "hello", "query_task",
               "add_consumer", "cancel_consumer", "registered", "conf",
               "enable_events", "rate_limit", "ping", "scheduled"]
    for i in range(1500):
        body = dict(good, method=dice.choice(methods))
        body[dice.choice(list(good))] = dice.choice(values)
        body["arguments"] = dice.choice(values + [
            {dice.choice(["task_id", "ids", "signal", "queue", "revoked",
                          "from_node", "taskinfoitems", "safe"]):
             dice.choice(values)} for _ in range(8)])
        text = json.dumps({
            "body": base64.b64encode(json.dumps(body).encode()).decode(),
            "content-type": "application/json", "content-encoding": "utf-8",
            "headers": {"clock": dice.choice(values)},
            "properties": {"body_encoding": "base64"}}).encode()
        if i % 3 == 0:
            text = bytearray(text)
            for _ in range(dice.randrange(1, 9)):
                text[dice.randrange(len(text))] = dice.randrange(256)
            text = bytes(text[:dice.randrange(1, len(text) + 1)])
        yield text
    yield b""
    yield b"[" * 200000
    yield b'{"body":"' + b"A" * 300000 + b'"}'
    for _ in range(3):
        yield b"x" * (4 << 20)
    yield b"1," * 100000


@steer
def t_hostile(s):
    n = s.node("n", CATETUBE_CONTROL_CHANGES=1)
    s.ask("active", "n")
    before = rss_kib(n.pid)
    dice = random.Random(7)
    for text in mutants(dice):
        s.redis.publish(CHANNEL, text)
    assert until("answers", lambda: s.ask("ping", "n", 1)) == {"ok": "pong"}
    # What would be obeyed may have been: default may be cancelled by now.
    s.ask("add_consumer", "n", queue="default")
    assert send(s.app, "test.echo", 1).get(timeout=WAIT_S) == 1
    assert n.poll() is None and s.ask("stats", "n")["pid"] == n.pid
    # ASan keeps what was freed for a while.
    grown = rss_kib(n.pid) - before
    assert grown < (64 << 10) * (8 if "asan" in WORKER else 1), grown
    log = s.own.log("n")
    assert "was not understood" in log
    assert "src=bug" not in log and "Sanitizer" not in log
    # Nothing but what is known by name lies about without an end.
    known = (b"jq:w", b"jq:sched", b"jq:dead", b"jq:done", b"jq:proc:",
             b"_kombu.binding.", b"default")
    lasting = [k for k in s.redis.scan_iter("*") if s.redis.ttl(k) == -1
               and not k.startswith(known)]
    assert lasting == [], lasting


@steer
def t_flood_does_not_stop_jobs(s):
    s.node("n")
    ping = json.dumps({
        "body": json.dumps({"method": "stats", "reply_to": {
            "exchange": "reply.celery.pidbox", "routing_key": "k"}}),
        "content-type": "application/json", "headers": {}, "properties": {}})
    rs = []
    for _ in range(30):
        pipe = s.redis.pipeline()
        for _ in range(100):
            pipe.publish(CHANNEL, ping)
        pipe.execute()
        rs.append(send(s.app, "test.noop"))
    for r in rs:
        r.get(timeout=WAIT_S)
    assert s.ask("ping", "n") == {"ok": "pong"}


@steer
def t_beside_celery(s):
    """A real worker of Celery's on the same Redis: it says hello at its
    start, learns what was revoked, and neither disturbs the other."""
    s.node("n")
    tid = str(uuid.uuid4())
    s.app.control.revoke(tid)
    until("marked", lambda: s.redis.exists("jq:cancel:" + tid))
    p = subprocess.Popen(
        [*CELERY, "-b", s.own.url, "--result-backend", s.own.url, "worker",
         "-n", "real@here", "-Q", "other", "-P", "solo", "-l",
         "info"], cwd="/", stdout=subprocess.DEVNULL,
        stderr=open(os.path.join(s.own.dir, "real.log"), "wb"))
    try:
        until("both", lambda: s.names() == ["n", "real@here"], 60)
        assert tid in s.ask("revoked", "real@here")
        assert send(s.app, "test.echo", 1).get(timeout=WAIT_S) == 1
        assert s.ask("stats", "real@here")["pid"] == p.pid
    finally:
        p.send_signal(signal.SIGKILL)
        p.wait()


if __name__ == "__main__":
    sys.exit(main(__doc__, globals(), lambda url: []))
