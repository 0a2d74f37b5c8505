"""catetubectl jobs over the real stack: what it shows, what it changes, what
it refuses, and the status with which it ends."""
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(HERE, "../fault")]
from lib import Stack, Tally, say, wait_for  # noqa: E402

CTL = os.path.join(ROOT, os.environ.get("BUILD", "build"), "catetubectl")
CANARY = "nobody-may-see-this"
t = Tally()


class Tool:
    def __init__(self, stack):
        self.env = {**{k: v for k, v in os.environ.items() if not
                       k.startswith(("CATETUBE_", "PG", "REDIS", "DATABASE"))},
                    **stack.vars}

    def run(self, *words, seconds=30):
        """Status, standard output, standard error."""
        p = subprocess.run([CTL, *words], env=self.env, timeout=seconds,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True)
        return p.returncode, p.stdout, p.stderr

    def jobs(self, *words):
        return self.run("jobs", *words)

    def json(self, *words, status=0):
        got, out, err = self.jobs(*words, "--json")
        t.check(got == status, f"jobs {' '.join(words)}: {got} {err.strip()}")
        return json.loads(out)

    def enqueue(self, task, *words, kwargs=None):
        more = ["--kwargs", json.dumps(kwargs)] if kwargs is not None else []
        got, out, err = self.jobs("enqueue", task, *more, *words)
        if got != 0:
            sys.exit(f"enqueue {task}: {err}")
        return out.strip()

    def state(self, job):
        return self.json_quiet("show", job).get("state")

    def json_quiet(self, *words):
        got, out, _ = self.jobs(*words, "--json")
        return json.loads(out) if got == 0 else {}

    def ends(self, job, state, seconds=20):
        return t.check(wait_for(f"{job} {state}", seconds,
                                lambda: self.state(job) == state, 0.05),
                       f"{job} is {state}")


def refusals(tool, stack):
    """One line that says what to do, and the status."""
    for words, status, text in [
        ((), 2, "jobs takes one of"),
        (("dead",), 2, "jobs takes one of"),
        (("nonsense",), 2, "jobs takes one of"),
        (("list", "x"), 2, "takes"),
        (("list", "--colour"), 2, "no option --colour"),
        (("show",), 2, "takes: ID"),
        (("list", "--limit", "0"), 2, "--limit must be a number from 1"),
        (("list", "--limit"), 2, "--limit needs a value"),
        (("list", "--state", "asleep"), 1, "state"),
        (("list", "--cursor", "x"), 1, "cursor"),
        (("show", "no-such"), 1, "No job no-such is known"),
        (("cancel", "no-such"), 1, "No job no-such is known"),
        (("retry", "no-such"), 1, "No job no-such is known"),
        (("dead", "retry"), 2, "--all"),
        (("dead", "purge"), 2, "--all"),
        (("enqueue", "test.echo", "--kwargs", "[1]"), 2, "JSON object"),
        (("enqueue", "test.echo", "--kwargs", "{"), 1, ""),
        (("enqueue", "test.echo", "--in", "5x"), 2, "--in must be a time"),
        (("enqueue", "test.echo", "--prio", "10"), 2, "from 0 to 9"),
        (("enqueue", "test.echo", "--id", "7"), 2, "UUID"),
        (("queues", "pause", "typo"), 1, "there are: backups, default"),
        (("workers", "drain", "typo"), 1, "no worker node"),
    ]:
        got, out, err = tool.jobs(*words)
        t.check(got == status and text in err and not out,
                f"jobs {' '.join(words)}: {got} {err.splitlines()[:1]}")
        if status == 1:
            t.same(err.count("\n"), 1, "one line")
    env, tool.env = tool.env, {**tool.env, "REDIS_URL": "unix:///nowhere"}
    got, _, err = tool.jobs("list")
    t.check(got == 1 and err.count("\n") == 1, f"no Redis: {err.strip()}")
    tool.env = env


def life(tool, stack):
    """A job from push to end, as each word shows it."""
    job = tool.enqueue("test.echo", kwargs={"report_id": str(uuid.uuid4()),
                                            "note": CANARY})
    tool.ends(job, "succeeded")
    row = tool.json("show", job)
    t.check(row["task"] == "test.echo" and row["queue"] == "default"
            and row["tries"] == 1 and row["ended_at"], f"shown: {row}")
    got, out, _ = tool.jobs("show", job)
    t.check(got == 0 and re.search(r"^state +succeeded$", out, re.M), "show")
    t.check(job in [r["id"] for r in
                    tool.json("list", "--state", "succeeded")["jobs"]],
            "listed among those that succeeded")
    got, out, _ = tool.jobs("list", "--task", "test.echo")
    t.check(out.splitlines()[0].startswith("STATE") and job in out, "table")
    bad = tool.enqueue("test.fail", kwargs={"kind": "invalid"})
    tool.ends(bad, "failed")
    t.check(tool.json("show", bad)["error"], "the error is told")
    later = tool.enqueue("test.echo", "--in", "2h", "--prio", "7",
                         "--queue", "reports",
                         kwargs={"report_id": 7, "note": CANARY})
    row = tool.json("list", "--state", "scheduled", "--queue", "reports")
    row = row["jobs"][0]
    t.check(row["id"] == later and row["priority"] == 6
            and row["kwargs"] == {"report_id": 7, "note": None}, f"{row}")
    # A known id is not pushed twice.
    got, _, err = tool.jobs("enqueue", "test.echo", "--id", job)
    t.check(got == 1 and "known already" in err, "pushed once")
    t.same(tool.json("cancel", later)["state"], "revoked", "cancelled at once")
    t.same(tool.state(later), "revoked", "and shown so")
    got, _, err = tool.jobs("cancel", later)
    t.check(got == 1 and "ended already" in err, "not again")
    t.check(not any(CANARY in tool.jobs(*w)[1] for w in
                    [("list",), ("show", job), ("show", later, "--json")]),
            "no argument is shown but ids")
    got, out, _ = tool.run("enqueue", "test.echo", "{}")
    tool.ends(out.strip(), "succeeded")


def cancel_running(tool, stack):
    job = tool.enqueue("test.sleep", kwargs={"seconds": 60})
    tool.ends(job, "running")
    row = [j for n in tool.json("workers")["nodes"] for j in n["running"]]
    t.check(any(j["id"] == job for j in row), "its node says that it runs it")
    got, out, _ = tool.jobs("workers")
    t.check("runs test.sleep" in out, "the table as well")
    tool.jobs("cancel", job)
    tool.ends(job, "revoked")


def tail(tool, stack):
    """Each end as it happens, while it is watched."""
    p = subprocess.Popen([CTL, "jobs", "tail", "--for", "20s", "--json"],
                         env=tool.env, stdout=subprocess.PIPE, text=True)
    time.sleep(0.5)
    jobs = [tool.enqueue("test.echo", kwargs={"note": CANARY})
            for _ in range(5)]
    bad = tool.enqueue("test.fail", kwargs={"kind": "invalid"})
    for job in jobs:
        tool.ends(job, "succeeded")
    tool.ends(bad, "failed")
    time.sleep(1)
    p.send_signal(signal.SIGINT)
    out, _ = p.communicate(timeout=10)
    t.same(p.returncode, -signal.SIGINT, "ends by ^C")
    seen = {r["id"]: r["state"] for r in map(json.loads, out.splitlines())}
    t.check(all(seen.get(j) == "succeeded" for j in jobs)
            and seen.get(bad) == "failed", f"all ends seen: {len(seen)}")
    t.check(CANARY not in out, "no arguments")
    begin = time.monotonic()
    got, out, _ = tool.jobs("tail", "--for", "1", "--task", "none")
    t.check(got == 0 and not out and 0.9 < time.monotonic() - begin < 10,
            "ends when its time is over")


def dead(tool, stack):
    """A dead mail is sent again: its row waits again, too."""
    job = str(uuid.uuid4())
    stack.sql("insert into mail (id, kind, to_address, state, error)"
              f" values ('{job}', 'verify', 'a@example.test', 'failed', 'x');"
              "insert into job_outbox (id, task, queue, kwargs, state, done_at)"
              f" values ('{job}', 'mail.send', 'mail', '{{}}', 'done', now())")
    stack.redis("ZADD", "jq:dead", "5", "mail\n" + json.dumps({
        "body": "W10=", "headers": {"task": "mail.send", "id": job,
                                    "retries": 20},
        "properties": {"body_encoding": "base64"}}))
    stack.redis("HSET", f"jq:job:{job}", "state", "dead", "error", "x",
                "settled_try", "20")
    got, out, _ = tool.jobs("dead", "list")
    t.check(got == 0 and job in out and "mail.send" in out, "listed")
    tool.jobs("queues", "pause", "mail")
    t.same(tool.json("retry", job)["retried"], job, "retried")
    t.same(tool.state(job), "queued", "queued again")
    t.same(stack.sql("select m.state, o.state from mail m, job_outbox o where"
                     f" m.id = '{job}' and o.id = m.id"),
           [["queued", "sent"]], "its rows wait again")
    got, _, err = tool.jobs("retry", job)
    t.check(got == 1 and "only the dead keep" in err, "not twice")
    stack.redis("DEL", "mail")
    tool.jobs("queues", "resume", "mail")
    stack.redis("EVAL", """
for i = 1, 250 do
  redis.call('ZADD', 'jq:dead', 100 + i, 'default\\n{"body":"W1tdLHt9LHt9XQ=="'
    .. ',"headers":{"task":"' .. (i % 2 == 0 and 'test.echo' or 'test.noop')
    .. '","id":"bulk-' .. i .. '"},"properties":{"body_encoding":"base64"}}')
end
return 1""", "0")
    n = len(tool.json("dead", "list", "--task", "test.echo", "--limit",
                      "1000")["jobs"])
    t.same(tool.json("dead", "retry", "--all", "--task", "test.echo"),
           {"retried": n}, "all of a task retried")
    t.check(n >= 125, f"all of them: {n}")
    tool.ends("bulk-250", "succeeded")
    t.same(tool.json("dead", "list", "--task", "test.echo")["jobs"], [],
           "none is left")
    t.same(tool.json("dead", "purge", "--all", "--older", "36500h",
                     status=0)["purged"] > 0, True, "old ones are purged")
    t.same(tool.json("dead", "purge", "--all")["purged"], 0, "none is left")


def pause(tool, stack):
    t.same(tool.json("queues", "pause", "default"), {"paused": "default"},
           "paused")
    job = tool.enqueue("test.echo")
    other = tool.enqueue("test.echo", "--queue", "reports")
    tool.ends(other, "succeeded")
    time.sleep(0.7)
    t.same(tool.state(job), "queued", "a paused queue gives nothing")
    row = [q for q in tool.json("queues")["queues"] if q["queue"] == "default"]
    t.check(row[0]["paused_at"] and row[0]["ready"] == 1
            and row[0]["oldest_ms"] >= 600, f"seen in queues: {row[0]}")
    got, out, _ = tool.jobs("queues")
    t.check(re.search(r"^default +1 +1 +0 .*for \d+s$", out, re.M), "table")
    got, out, _ = tool.jobs("doctor")
    t.check("catetubectl jobs queues resume default" in out,
            "the doctor says how to resume")
    t.same(tool.json("queues", "resume", "default"), {"resumed": "default"},
           "resumed")
    tool.ends(job, "succeeded")


def doctor(tool, stack):
    got, out, _ = tool.jobs("doctor")
    rows = {w[1]: w[0] for w in map(str.split, out.splitlines())}
    t.check(got == 0 and rows["redis"] == rows["nodes"] == "ok"
            and rows["records"] == "ok", f"well: {rows}")
    stack.redis("HSET", "jq:proc:gone:1:00", "1", "default\n" + json.dumps({
        "body": "W1tdLHt9LHt9XQ==", "headers": {"task": "test.echo",
                                                "id": "orphan"},
        "properties": {"body_encoding": "base64"}}), "1i", "orphan")
    stack.redis("HSET", "jq:job:orphan", "state", "running", "owner",
                "gone:1:00", "owner_try", "0")
    got, out, _ = tool.jobs("doctor")
    t.check(got == 1 and "jobs doctor --repair" in out, "an orphan is found")
    got, out, _ = tool.jobs("doctor", "--repair", "--json")
    t.same(got, 0, "repaired")
    t.check({"check", "result", "detail"} == set(json.loads(out)["checks"][0]),
            "as JSON")
    tool.ends("orphan", "succeeded")
    # What a stranger called his task does not reach the terminal.
    stack.redis("LPUSH", "nobodys", json.dumps({
        "body": "W10=", "headers": {"task": "\x1b[31mred\n", "id": "e"},
        "properties": {}}))
    got, out, _ = tool.jobs("list", "--queue", "nobodys")
    t.check("?[31mred?" in out and "\x1b" not in out, "clean")
    t.check("nobodys" in tool.jobs("doctor")[1], "a list that nobody serves")
    stack.redis("DEL", "nobodys")


def metrics(tool, stack):
    """What waits is told at the scrape; without Redis that is told."""
    from lib import Client
    c = Client(stack.port)
    text = c.send("GET", "/metrics").body.decode()
    for line in ['catetube_queue_depth{queue="default",priority="9"} 0',
                 'catetube_queue_nodes{queue="mail"} 1',
                 'catetube_queue_paused{queue="mail"} 0',
                 "catetube_jobs_dead 0", "catetube_queues_up 1",
                 "catetube_outbox_pending 0"]:
        t.check(f"\n{line}\n" in text, line)
    for pattern in [r'catetube_job_wait_seconds_count\{queue="default"\} [1-9]',
                    r'catetube_node_beat_age_seconds\{node="[^"]+"\} \d',
                    r'catetube_job_slots\{node="[^"]+"\} 2',
                    r"catetube_jobs_trip_seconds_count [1-9]"]:
        t.check(re.search(pattern, text), pattern)
    names = re.findall(r"^# TYPE (\S+)", text, re.M)
    t.same(len(names), len(set(names)), "each name once")
    for pid in stack.family("redis"):
        os.kill(pid, signal.SIGSTOP)
    begin = time.monotonic()
    text = c.send("GET", "/metrics").body.decode()
    took = time.monotonic() - begin
    stack.thaw()
    t.check("\ncatetube_queues_up 0\n" in text and took < 3,
            f"without Redis, in {took:.2f} s")
    t.check("catetube_queue_depth" not in text, "nothing is made up")
    t.check("catetube_http_requests_total" in text, "the rest is told")
    wait_for("Redis", 10, lambda: c.send("GET", "/metrics").body.decode().count(
        "\ncatetube_queues_up 1\n"))


def drain(tool, stack):
    """The node ends with nothing lost; the next one does the rest."""
    tool.jobs("queues", "pause", "default")
    jobs = [tool.enqueue("test.sleep", kwargs={"seconds": 3})
            for _ in range(8)]
    tool.jobs("queues", "resume", "default")
    t.check(wait_for("a job", 20, lambda: tool.json_quiet(
        "list", "--state", "running").get("jobs")), "some run")
    node = tool.json("workers")["nodes"][0]
    pid = stack.pid("worker")
    t.same(node["pid"], pid, "the node says who it is")
    got, out, _ = tool.jobs("workers", "drain", node["name"])
    t.check(got == 0 and "ends" in out, f"drain: {out.strip()}")
    t.check(wait_for("the node's end", 20, lambda: not os.path.exists(
        f"/proc/{pid}")), "the node has ended")
    t.same(tool.json("workers")["nodes"], [], "and left its place")
    states = [tool.state(j) for j in jobs]
    t.check(set(states) == {"succeeded", "queued"}, f"{states}")
    got, out, _ = tool.jobs("doctor")
    t.check(got == 1 and "start catetube-worker" in out, "the doctor says so")
    stack.up()
    for job in jobs:
        tool.ends(job, "succeeded")
    t.same({tool.json_quiet("show", j)["tries"] for j in jobs}, {1},
           "each was run once")


def main():
    stack = Stack("ctljobs", CATETUBE_TEST_TASKS="1", CATETUBE_BEAT_MS="300")
    stack.up()
    tool = Tool(stack)
    try:
        for part in (refusals, life, cancel_running, tail, dead, pause, doctor,
                     metrics, drain):
            say(part.__name__)
            part(tool, stack)
    finally:
        stack.down(keep=t.failed > 0)
    sys.exit(t.end())


main()
