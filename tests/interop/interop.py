"""What the interop tests share: Debian's Celery as a client, waiting with a
deadline, a Redis and nodes of a test's own, the tally."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from celery import Celery, states

WAIT_S = 20
# Debian's program, by the Python that its packages belong to.
CELERY = [sys.executable, "-m", "celery"]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
WORKER = os.path.join(ROOT, os.environ.get("BUILD", "build"),
                      "catetube-worker")


def client(url):
    app = Celery("interop", broker=url, backend=url)
    app.conf.task_default_queue = "default"
    return app


def send(app, name, *args, **options):
    kwargs = options.pop("kwargs", {})
    return app.send_task(name, args=args, kwargs=kwargs, **options)


def raises(kind, result):
    try:
        result.get(timeout=WAIT_S)
    except kind as e:
        return e
    raise AssertionError("no %s" % kind.__name__)


def until(what, ok, seconds=WAIT_S):
    end = time.time() + seconds
    while time.time() < end:
        value = ok()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("never: " + what)


def seen_states(result):
    seen = []
    end = time.time() + WAIT_S
    while time.time() < end:
        now = (result.state, result.info)
        if not seen or seen[-1] != now:
            seen.append(now)
        if now[0] in states.READY_STATES:
            return seen
        time.sleep(0.02)
    raise AssertionError("not ready: %r" % seen)


def job_state(app, result):
    got = app.backend.client.hget("jq:job:" + result.id, "state")
    return got.decode() if got else ""


def until_running(app, result):
    until("running", lambda: job_state(app, result) == "running")


def celery(url, *words, timeout=WAIT_S):
    """Status and output of the celery command."""
    p = subprocess.run(
        [*CELERY, "-b", url, "--result-backend", url, *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=timeout, cwd="/")
    return p.returncode, p.stdout


class Own:
    """A Redis on a unix socket and worker nodes, that end with the test."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="catetube-interop-")
        self.path = os.path.join(self.dir, "redis.sock")
        self.url = "redis+socket://%s?virtual_host=0" % self.path
        self.redis = None
        self.nodes = {}
        self.start_redis()

    def start_redis(self):
        self.redis = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.path,
             "--dir", self.dir, "--save", "", "--appendonly", "yes",
             "--maxmemory-policy", "noeviction"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until("redis", lambda: subprocess.run(
            ["redis-cli", "-s", self.path, "PING"], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL).stdout == b"PONG\n")

    def crash_redis(self):
        self.redis.kill()
        self.redis.wait()

    def node(self, name, **options):
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("CATETUBE_", "PG", "DATABASE_", "REDIS_"))}
        env.update(
            REDIS_URL="unix://%s?db=0" % self.path,
            DATABASE_URL="postgresql:///none?host=/nonexistent",
            SECRET_KEY="0123456789abcdef0123456789abcdef",
            CATETUBE_RUN_DIR=self.dir, CATETUBE_FILES_DIR=self.dir,
            CATETUBE_TEST_TASKS="1", CATETUBE_NODE=name,
            CATETUBE_BEAT_MS="200", CATETUBE_LEASE_MS="1500",
            CATETUBE_CRON="0")
        env.update({k: str(v) for k, v in options.items()})
        log = open(os.path.join(self.dir, name + ".log"), "ab")
        p = subprocess.Popen([WORKER], env=env, stdin=subprocess.DEVNULL,
                             stderr=log)
        log.close()
        self.nodes[name] = p
        return p

    def log(self, name):
        with open(os.path.join(self.dir, name + ".log"), errors="replace") as f:
            return f.read()

    def stop(self, name, sig=signal.SIGTERM):
        p = self.nodes.pop(name)
        if p.poll() is None:
            p.send_signal(sig)
        return p.wait(WAIT_S)

    def end(self):
        for name in list(self.nodes):
            self.stop(name, signal.SIGKILL)
        self.crash_redis()
        shutil.rmtree(self.dir, ignore_errors=True)


def run_all(tests, *args):
    """Each test with the arguments; the exit status."""
    failed = 0
    for number, (name, test) in enumerate(tests, 1):
        began = time.time()
        try:
            test(*args)
            print("ok %d - %s, %.1f s" % (number, name, time.time() - began),
                  flush=True)
        except Exception as e:
            failed += 1
            print("not ok %d - %s: %r" % (number, name, e), flush=True)
    print("%d passed, %d failed" % (len(tests) - failed, failed))
    return 1 if failed else 0


def main(doc, names, make):
    """make: from the URL to what each test is given."""
    if len(sys.argv) != 2:
        print(doc)
        return 2
    tests = [(n[2:], f) for n, f in names.items() if n.startswith("t_")]
    return run_all(tests, *make(sys.argv[1]))
