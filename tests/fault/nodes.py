"""Parts of the storms on jobs: worker nodes as processes that are started
again as systemd would do it, Redis likewise, jobs as producers send them, what
came of each, and a proxy that falls silent."""
import base64
import json
import os
import random
import re
import selectors
import signal
import socket
import subprocess
import threading
import time
import uuid

import redis

import lib

AS = (["/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres",
       "--init-groups", "--"] if os.getuid() == 0 else [])
STEPS = ("", "\x06\x163", "\x06\x166", "\x06\x169")
DONE = ("SUCCESS", "FAILURE", "REVOKED")


def spawn(stack, name, args, env):
    log = open(os.path.join(stack.home, "log", name + ".log"), "ab")
    with log:
        return subprocess.Popen(
            AS + args, env=env, cwd=stack.home, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True)


def switches(pid):
    """How often a process has waited."""
    try:
        with open(f"/proc/{pid}/status") as f:
            return int(f.read().partition("\nvoluntary_ctxt_switches:")[2]
                       .split()[0])
    except OSError:
        return 0


# ---- nodes

class Node:
    """One catetube-worker: a session of its own, whose leader it is."""

    def __init__(self, stack, name, **options):
        self.stack = stack
        self.name = name
        keep = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY")
        self.env = {k: v for k, v in stack.vars.items()
                    if k in keep or k.startswith("CATETUBE_")}
        self.env.update({"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8",
                         "CATETUBE_NODE": name, "CATETUBE_TEST_TASKS": "1"})
        self.env.update(options)
        self.proc = None
        self.wanted = False
        self.odd_ends = []  # statuses that no test of ours made

    def start(self):
        self.wanted = True
        self.proc = spawn(self.stack, self.name, [os.path.join(
            self.stack.home, "bin/catetube-worker")], self.env)

    def pid(self):
        return self.proc.pid

    def is_up(self):
        return self.proc is not None and self.proc.poll() is None

    def jobs(self):
        """Its children that run jobs."""
        return [p for p in lib.children(self.pid())
                if lib.comm(p) == "catetube-job"]

    def busy_job(self):
        """The child whose job naps and wakes; None where none does."""
        before = {p: switches(p) for p in self.jobs()}
        time.sleep(0.03)
        woken = {p: switches(p) - n for p, n in before.items()}
        best = max(woken, key=woken.get, default=None)
        return best if best is not None and woken[best] >= 2 else None

    def kill(self):
        """-9; seconds since 1970 when it was sent."""
        at = time.time()
        lib.kill(self.pid(), signal.SIGKILL)
        return at

    def freeze(self, whole):
        """whole: its children, too."""
        if whole:
            os.killpg(self.pid(), signal.SIGSTOP)
        else:
            lib.kill(self.pid(), signal.SIGSTOP)

    def thaw(self):
        try:
            os.killpg(self.pid(), signal.SIGCONT)
        except ProcessLookupError:
            pass

    def stop(self):
        """SIGTERM, and its end."""
        self.wanted = False
        if not self.is_up():
            return
        self.thaw()
        self.proc.terminate()
        try:
            self.proc.wait(40)
        except subprocess.TimeoutExpired:
            self.kill()
            self.proc.wait(5)
        if self.proc.returncode != 0:
            self.odd_ends.append(self.proc.returncode)

    def wid(self, r):
        """Its id among the nodes, None while it has none."""
        for w in r.zrange("jq:w", 0, -1):
            if f":{self.pid()}:" in w.decode():
                return w.decode()
        return None


class Keeper(threading.Thread):
    """Starts what ended again after 100 ms, as systemd would do it."""

    def __init__(self, nodes):
        super().__init__(daemon=True)
        self.nodes = nodes
        self.ended = threading.Event()
        self.starts = 0
        self.start()

    def run(self):
        while not self.ended.wait(0.1):
            for n in self.nodes:
                if n.wanted and not n.is_up():
                    if n.proc.returncode != -signal.SIGKILL:
                        n.odd_ends.append(n.proc.returncode)
                    n.start()
                    self.starts += 1

    def stop(self):
        self.ended.set()
        self.join()


# ---- Redis

def connect(stack, timeout_s=5):
    path = stack.vars["REDIS_URL"].split("://", 1)[1].split("?")[0]
    return redis.Redis(unix_socket_path=path, socket_timeout=timeout_s)


def answers(r):
    try:
        return r.ping()
    except redis.RedisError:
        return False


def start_redis(stack):
    """Start it again; seconds since 1970 when it answered."""
    p = spawn(stack, "redis", ["redis-server",
                               os.path.join(stack.home, "redis.conf")],
              {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})
    with open(os.path.join(stack.home, "run", "redis.pid"), "w") as f:
        f.write(f"{p.pid}\n")
    r = connect(stack)
    lib.wait_for("Redis", 60, lambda: answers(r), 0.005)
    return time.time()


def kill_redis(stack):
    pid = stack.pid("redis")
    at = time.time()
    lib.kill(pid, signal.SIGKILL)
    lib.wait_for("the end of Redis", 5, lambda: lib.is_dead(pid), 0.002)
    return at


# QUEUE.md 5.1: what may live for ever. Everything else must have an end.
NAMED = re.compile(
    r"(default|reports|mail|backups|maintenance|silent)(\x06\x16[369])?"
    r"|jq:(w|sched|dead|done|leader:epoch|proc:[^|]*|pause)"
    r"|_kombu\.binding\..*|ct:epoch")


def count_keys(r):
    """(number of keys, names of those that have no end and may not)."""
    n, endless = 0, []
    for names in batches(r.scan_iter(count=1000), 1000):
        with r.pipeline(transaction=False) as p:
            for name in names:
                p.ttl(name)
            lives = p.execute()
        n += len(names)
        endless += [k.decode() for k, ttl in zip(names, lives) if ttl == -1
                    and not NAMED.fullmatch(k.decode())]
    return n, endless


def batches(things, size):
    batch = []
    for one in things:
        batch.append(one)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


# ---- jobs

def message(job_id, task, kwargs, queue="default", priority=0):
    """As python3-celery writes it."""
    none = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    body = base64.b64encode(json.dumps([[], kwargs, none]).encode()).decode()
    return json.dumps({
        "body": body, "content-encoding": "utf-8",
        "content-type": "application/json", "headers": {
            "lang": "py", "task": task, "id": job_id, "shadow": None,
            "eta": None, "expires": None, "group": None, "group_index": None,
            "retries": 0, "timelimit": [None, None], "root_id": job_id,
            "parent_id": None, "argsrepr": "()", "kwargsrepr": repr(kwargs),
            "origin": "gen1@storm", "ignore_result": False},
        "properties": {
            "correlation_id": job_id, "reply_to": str(uuid.uuid4()),
            "delivery_mode": 2, "delivery_info": {
                "exchange": "", "routing_key": queue}, "priority": priority,
            "body_encoding": "base64", "delivery_tag": str(uuid.uuid4())}})


class Batch:
    """Jobs of test.effect: those promised in PostgreSQL, those pushed as a
    Celery client does it."""

    def __init__(self, stack, kwargs, rng=random):
        self.stack = stack
        self.r = connect(stack)
        self.kwargs = kwargs
        self.rng = rng
        self.promised = []
        self.pushed = {}  # id -> when Redis had acknowledged it

    def ids(self):
        return self.promised + list(self.pushed)

    def promise(self, n):
        ids = [str(uuid.uuid4()) for _ in range(n)]
        rows = ",".join(f"('{i}', {self.rng.choice((0, 0, 0, 5, 9))})"
                        for i in ids)
        self.stack.sql(
            "insert into job_outbox (id, task, queue, kwargs, priority)"
            f" select v.id::uuid, 'test.effect', 'default',"
            f" '{json.dumps(self.kwargs)}', v.p from (values {rows})"
            " v (id, p)")
        self.promised += ids

    def push(self, n):
        """Pushed again with the same id where the answer was lost, as kombu
        does it."""
        for _ in range(n):
            job_id = str(uuid.uuid4())
            step = self.rng.choice((0, 0, 0, 1, 3))
            raw = message(job_id, "test.effect", self.kwargs,
                          priority=3 * step)
            end = time.monotonic() + 60
            while True:
                try:
                    self.r.lpush("default" + STEPS[step], raw)
                    break
                except redis.RedisError:
                    if time.monotonic() > end:
                        raise
                    time.sleep(0.05)
            self.pushed[job_id] = time.time()

    def left(self):
        return len(self.ids()) - int(self.stack.sql(
            "select count(*) from job_run where task = 'test.effect'")[0][0])

    def states(self):
        """What Redis tells of each: (state, starts, settled)."""
        found = {}
        for ids in batches(self.ids(), 500):
            with self.r.pipeline(transaction=False) as p:
                for i in ids:
                    p.hmget("jq:job:" + i, "state", "starts", "settled")
                for i, row in zip(ids, p.execute()):
                    found[i] = tuple((v or b"").decode() for v in row)
        return found

    def forget(self):
        self.stack.sql(
            "delete from job_run where task = 'test.effect';"
            "delete from job_outbox where task = 'test.effect';"
            "delete from audit_event where action = 'run' and noun = 'job'")


class Results(threading.Thread):
    """Last words on jobs, as they are published."""

    def __init__(self, stack):
        super().__init__(daemon=True)
        self.stack = stack
        self.found = {}  # id -> [(status, result)]
        self.cuts = 0    # times that the connection was lost
        self.ended = threading.Event()
        self.ready = threading.Event()
        self.start()
        self.ready.wait(10)

    def listen(self):
        sub = connect(self.stack).pubsub(ignore_subscribe_messages=True)
        sub.psubscribe("celery-task-meta-*")
        self.ready.set()
        while not self.ended.is_set():
            m = sub.get_message(timeout=0.2)
            if m is None:
                continue
            said = json.loads(m["data"])
            if said["status"] in DONE:
                self.found.setdefault(said["task_id"], []).append(
                    (said["status"], said["result"]))

    def run(self):
        while not self.ended.is_set():
            try:
                self.listen()
            except (redis.RedisError, OSError):
                self.cuts += 1
                time.sleep(0.02)

    def stop(self):
        time.sleep(0.3)
        self.ended.set()
        self.join()
        return self.found


# ---- a proxy that falls silent

class Pair:
    def __init__(self, client, server, silent):
        self.ends = (client, server)
        self.silent = silent
        self.is_bell = False

    def close(self, selector):
        for s in self.ends:
            try:
                selector.unregister(s)
            except (KeyError, ValueError):
                pass
            s.close()


class Proxy(threading.Thread):
    """TCP on loopback to Redis' socket. A silent connection stays open, takes
    what it is sent, and answers nothing: as one whose other end was cut off
    without a word."""

    def __init__(self, stack):
        super().__init__(daemon=True)
        self.path = stack.vars["REDIS_URL"].split("://", 1)[1].split("?")[0]
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ, None)
        self.pairs = []
        self.silent = False  # new ones, too
        self.ended = False
        self.start()

    def mute(self, only_bell=False, new=False):
        self.silent = new
        found = [p for p in list(self.pairs) if p.is_bell or not only_bell]
        for p in found:
            p.silent = True
        return len(found)

    def take(self):
        client, _ = self.listener.accept()
        server = socket.socket(socket.AF_UNIX)
        server.connect(self.path)
        pair = Pair(client, server, self.silent)
        self.pairs.append(pair)
        for s in pair.ends:
            self.selector.register(s, selectors.EVENT_READ, pair)

    def pass_on(self, source, pair):
        target = pair.ends[source is pair.ends[0]]
        try:
            data = source.recv(65536)
            if data and not pair.silent:
                target.sendall(data)
        except OSError:
            data = b""
        if source is pair.ends[0] and b"SUBSCRIBE" in data:
            pair.is_bell = True
        if data:
            return
        if pair.silent and source is pair.ends[1]:
            self.selector.unregister(source)  # the client is not told
            return
        pair.close(self.selector)
        self.pairs.remove(pair)

    def run(self):
        while not self.ended:
            for key, _ in self.selector.select(0.1):
                if key.data is None:
                    self.take()
                elif key.fileobj.fileno() >= 0:
                    self.pass_on(key.fileobj, key.data)

    def stop(self):
        self.ended = True
        self.join()
        for p in self.pairs:
            p.close(self.selector)
        self.listener.close()
