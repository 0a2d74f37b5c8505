"""Celery's remote control and events against the stack's worker node: the
celery command, each of its inspect and control commands, what Flower calls.

    python3 tests/interop/test_control.py redis+socket:///path?virtual_host=0
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import uuid

from celery.worker.control import Panel
from kombu import Connection

from interop import (CELERY, WAIT_S, celery, client, main, send, until, until_running)

REFUSED = ("add_consumer", "autoscale", "cancel_consumer", "pool_grow",
           "pool_restart", "pool_shrink", "rate_limit", "shutdown",
           "time_limit")
FLOWER = ("stats", "active_queues", "registered", "scheduled", "active",
          "reserved", "revoked", "conf")


class Stack:
    def __init__(self, url):
        self.url = url
        self.app = client(url)
        self.name = next(iter(self.app.control.inspect(timeout=3).ping()))

    def ask(self, command, **args):
        """One answer, as soon as it is there."""
        got = self.app.control.broadcast(
            command, arguments=args, destination=[self.name], reply=True,
            timeout=5)
        assert len(got) == 1 and list(got[0]) == [self.name], (command, got)
        return got[0][self.name]


def t_status(s):
    code, out = celery(s.url, "status")
    assert code == 0 and s.name in out and "OK" in out, out
    assert "1 node online" in out, out
    code, out = celery(s.url, "status", "-d", "nobody@nowhere", "-t", "0.3")
    assert code == 69 and "No nodes replied" in out, (code, out)


def t_inspect_each(s):
    """Every sub-command that this celery knows has an answer."""
    want = {"ping": "pong", "clock": "clock", "stats": "max-concurrency",
            "report": "catetube", "registered": "mail.send",
            "active_queues": "default", "conf": "broker_url",
            "memsample": "MB", "memdump": "not supported",
            "objgraph": "not supported"}
    known = [n for n, m in Panel.meta.items()
             if m.type == "inspect" and m.visible]
    assert len(known) >= 14, known
    for name in known:
        code, out = celery(s.url, "inspect", name, "-d", s.name, "-t", "5")
        assert code == 0 and s.name in out, (name, code, out)
        assert want.get(name, "") in out, (name, out)
        if name not in ("memdump", "objgraph"):
            assert "ERROR" not in out and "error" not in out, (name, out)


def t_inspect_json(s):
    code, out = celery(s.url, "inspect", "stats", "--json", "-d", s.name)
    stats = json.loads(out.strip().splitlines()[-1])[s.name]
    assert code == 0 and stats["pid"] > 1 and stats["uptime"] >= 0, stats
    assert stats["pool"]["max-concurrency"] == len(
        stats["pool"]["processes"]), stats
    assert stats["broker"]["transport"] == "redis"


def t_stats_count(s):
    before = s.ask("stats")["total"].get("test.noop", 0)
    send(s.app, "test.noop").get(timeout=WAIT_S)
    assert s.ask("stats")["total"]["test.noop"] == before + 1


def t_active(s):
    r = send(s.app, "test.sleep", 30, kwargs={"note": "x"}, priority=3)
    until_running(s.app, r)
    (task,) = s.ask("active")
    assert task["id"] == r.id and task["name"] == "test.sleep", task
    assert task["args"] == [30] and task["kwargs"] == {"note": "x"}, task
    assert task["hostname"] == s.name and task["worker_pid"] > 1, task
    assert abs(task["time_start"] - time.time()) < WAIT_S, task
    assert task["acknowledged"] is False
    assert task["delivery_info"] == {
        "exchange": "", "routing_key": "default", "priority": 3,
        "redelivered": False}, task
    (safe,) = s.ask("active", safe=True)
    assert safe["args"] == "(30,)", safe
    assert s.ask("query_task", ids=[r.id, "none"])[r.id][0] == "active"
    assert s.app.control.inspect(destination=[s.name], timeout=5).query_task(
        r.id)[s.name][r.id][1]["id"] == r.id
    code, out = celery(s.url, "inspect", "query_task", r.id, "-d", s.name)
    assert code == 0 and r.id in out, out
    code, out = celery(s.url, "control", "terminate", "SIGKILL", r.id,
                       "-d", s.name)
    assert code == 0 and "terminate: " + r.id in out, out
    until("terminated", lambda: r.state == "REVOKED")
    assert s.ask("active") == [] and s.ask("reserved") == []
    assert s.ask("query_task", ids=[r.id]) == {}


def t_terminate_unknown(s):
    got = s.ask("terminate", signal="SIGTERM", task_id=[str(uuid.uuid4())])
    assert got == {"ok": "terminate: tasks unknown"}, got


def t_scheduled_and_revoked(s):
    # Soon: what other tests left to wait is due later, and the list is short.
    r = send(s.app, "test.noop", countdown=60)
    (waits,) = until("scheduled", lambda: [
        w for w in s.ask("scheduled") if w["request"]["id"] == r.id])
    assert waits["eta"][:4].isdigit() and waits["priority"] == 6, waits
    code, out = celery(s.url, "control", "revoke", r.id, "-d", s.name)
    assert code == 0 and "flagged as revoked" in out, out
    assert r.id in s.ask("revoked")
    until("revoked", lambda: r.state == "REVOKED", 5)


def t_hello(s):
    """As a worker of Celery's says it at its start; both learn."""
    mine, theirs = str(uuid.uuid4()), str(uuid.uuid4())
    s.app.control.revoke(mine)
    got = s.ask("hello", from_node="celery@elsewhere",
                revoked={theirs: [time.time(), theirs]})
    assert isinstance(got["clock"], int) and got["clock"] > 0
    until("told", lambda: isinstance(s.ask(
        "hello", from_node="celery@x")["revoked"].get(mine), float))
    assert theirs in s.ask("revoked")


def t_refused(s):
    """What changes the node is refused, and changes nothing."""
    queues = s.ask("active_queues")
    for name in REFUSED:
        args = {"n": 1} if name.startswith("pool_g") else {"queue": "default"}
        got = s.ask(name, **args)
        assert "CATETUBE_CONTROL_CHANGES" in got.get("error", ""), (name, got)
    assert s.ask("active_queues") == queues
    send(s.app, "test.noop").get(timeout=WAIT_S)
    code, out = celery(s.url, "control", "pool_grow", "2", "-d", s.name)
    assert "refused" in out, out


def t_unknown_commands(s):
    for name in ("no_such_command", "election", "x" * 64):
        assert "error" in s.ask(name), name
    # A longer name is no request at all; the node goes on.
    s.app.control.broadcast("y" * 65)
    assert s.ask("ping") == {"ok": "pong"}


def t_all_known_are_answered(s):
    """No command of this celery is unknown to the node."""
    for name in Panel.data:
        if name in ("hello", "heartbeat"):
            continue
        got = s.ask(name)
        assert "there is no command" not in json.dumps(got), (name, got)


def t_replies_end(s):
    """An answer that nobody reads goes by itself; without a reader none is."""
    redis = s.app.backend.client
    key = str(uuid.uuid4())
    sep = "\x06\x16"
    exchange = "reply.celery.pidbox"
    queue = key + "." + exchange

    def publish():
        redis.publish("/0.celery.pidbox", json.dumps({
            "body": json.dumps({
                "method": "ping", "arguments": {}, "ticket": "t",
                "reply_to": {"exchange": exchange, "routing_key": key}}),
            "content-type": "application/json", "content-encoding": "utf-8",
            "headers": {}, "properties": {}}))

    publish()
    assert s.ask("ping") == {"ok": "pong"}
    assert redis.exists(queue) == 0
    redis.sadd("_kombu.binding." + exchange, sep.join([key, "", queue]))
    publish()
    until("answer", lambda: redis.llen(queue) == 1)
    assert 0 < redis.ttl(queue) <= 60
    redis.srem("_kombu.binding." + exchange, sep.join([key, "", queue]))
    redis.delete(queue)


class Events:
    """celery events --dump, read as it comes."""

    def __init__(self, url):
        self.out = tempfile.NamedTemporaryFile("w+")
        self.p = subprocess.Popen(
            [*CELERY, "-b", url, "events", "--dump"], cwd="/",
            stdout=self.out, stderr=subprocess.STDOUT, text=True)

    def text(self):
        # Another open file: the position of this one is where it writes.
        with open(self.out.name, encoding="utf-8") as f:
            return f.read()

    def end(self):
        self.p.kill()
        self.p.wait()
        self.out.close()


def t_events_dump(s):
    s.ask("disable_events")
    dump = Events(s.url)
    try:
        until("heartbeat", lambda: s.name + " [" in dump.text()
              and "heartbeat:" in dump.text())
        silent = send(s.app, "test.noop")
        silent.get(timeout=WAIT_S)
        code, out = celery(s.url, "control", "enable_events", "-d", s.name)
        assert code == 0 and "task events enabled" in out, out
        assert silent.id not in dump.text()
        done = send(s.app, "test.echo", 1)
        bad = send(s.app, "test.fail", kwargs={"message": "no"})
        again = send(s.app, "test.fail", kwargs={"times": 1, "wait": 0.1})
        gone = send(s.app, "test.sleep", 60)
        unknown = send(s.app, "no.such.task")
        until_running(s.app, gone)
        gone.revoke(terminate=True)
        words = [("task received: test.echo", done), ("task started", done),
                 ("task succeeded", done), ("task failed", bad),
                 ("task retried", again), ("task succeeded", again),
                 ("task revoked", gone), ("task failed", unknown)]
        for word, r in words:
            until("%s %s in %s" % (word, r.id, dump.text()), lambda: re.search(
                re.escape(word) + ".*" + r.id, dump.text()))
        line = re.search(r"task failed.*%s.*" % bad.id, dump.text()).group()
        assert "ValueError" in line and "no" in line, line
        line = re.search(r"task revoked.*%s.*" % gone.id, dump.text()).group()
        assert "terminated=True" in line and "expired=False" in line, line
    finally:
        dump.end()
        s.ask("disable_events")


def t_flower(s):
    """Its inspect calls, its queue lengths, its events, through the API."""
    look = s.app.control.inspect(timeout=5, destination=[s.name])
    for name in FLOWER:
        got = getattr(look, name)()
        assert list(got) == [s.name], (name, got)
    redis = s.app.backend.client
    send(s.app, "test.noop", queue="nobody-serves-this", priority=6)
    lengths = [redis.llen("nobody-serves-this" + tail) for tail in (
        "", "\x06\x163", "\x06\x166", "\x06\x169")]
    assert lengths == [0, 0, 1, 0], lengths
    redis.delete("nobody-serves-this\x06\x166")

    state = s.app.events.State()
    with Connection(s.url) as conn:
        recv = s.app.events.Receiver(
            conn, handlers={"*": state.event}, app=s.app)
        stop = threading.Event()

        def capture():
            while not stop.is_set():
                try:
                    recv.capture(limit=None, timeout=0.2, wakeup=True)
                except OSError:
                    pass

        thread = threading.Thread(target=capture, daemon=True)
        thread.start()
        try:
            until("alive", lambda: s.name in state.workers
                  and state.workers[s.name].alive)
            s.app.control.enable_events()
            s.ask("ping")
            r = send(s.app, "test.sleep", 0.3)
            t = until("seen", lambda: state.tasks.get(r.id)
                      and state.tasks.get(r.id).state == "SUCCESS"
                      and state.tasks.get(r.id))
        finally:
            stop.set()
            thread.join()
            s.ask("disable_events")
    worker = state.workers[s.name]
    assert worker.sw_ident == "catetube" and worker.freq >= 2, worker.freq
    assert len(worker.loadavg) == 3 and worker.pid > 1
    assert t.name == "test.sleep" and t.args == "(0.3,)", t.args
    assert 0.3 <= t.runtime < WAIT_S and t.result == '"slept"', t.result
    assert t.received <= t.started <= t.succeeded
    assert t.worker.hostname == s.name
    assert abs(t.received - time.time()) < WAIT_S, t.received


def t_clock(s):
    """Lamport: the node is never behind what it has seen."""
    first = s.ask("clock")["clock"]
    s.app.control.mailbox.clock.adjust(first + 1000)
    assert s.ask("clock")["clock"] > first + 1000


if __name__ == "__main__":
    os.environ.pop("CELERY_BROKER_URL", None)
    sys.exit(main(__doc__, globals(), lambda url: [Stack(url)]))
