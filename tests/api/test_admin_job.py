"""Jobs for administrators: what they see, what they change, that it is noted,
and that nobody else can."""
import json
import os
import sys
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))
from joined import (Tally, one, redis, registered, say, sql,  # noqa: E402
                    wait_for)

J = "/api/admin/job"
CANARY = "nobody-may-see-this"
t = Tally()
r = redis()


def admin():
    """Before the first request of its session, which keeps the role."""
    c = registered()
    sql(f"update account set role = 'admin' where id = '{c.id}'")
    return c


def message(task, job, kwargs=None, **headers):
    return json.dumps({
        "body": json.dumps([[], kwargs or {}, {}]),
        "headers": {"task": task, "id": job, **headers},
        "properties": {}})


def put(task, kwargs=None, queue="default"):
    """As a Celery client would; its id."""
    job = str(uuid.uuid4())
    r.lpush(queue, message(task, job, kwargs))
    return job


def bury(task, n, at=None):
    """Dead messages of a task that nobody else has."""
    jobs = [str(uuid.uuid4()) for _ in range(n)]
    for i, job in enumerate(jobs):
        r.zadd("jq:dead", {f"default\n{message(task, job)}": at or 10 + i})
        r.hset(f"jq:job:{job}", mapping={"state": "dead", "task": task})
    return jobs


def want(answer, status, code=None):
    said = answer.json() or {}
    t.check(answer.status == status and (code is None or
                                         said.get("code") == code),
            f"{answer.status} {str(said)[:90]}")
    return said


def noted(boss, action):
    """The events of that action that the administrator caused."""
    return want(boss.send("GET", "/api/admin/audit?action=" + action
                          + "&account_id=" + boss.id), 200)["events"]


def routes(job):
    return [("GET", J, None), ("GET", f"{J}/{job}", None),
            ("POST", f"{J}/{job}/cancel", None),
            ("POST", f"{J}/{job}/retry", None),
            ("POST", f"{J}/{job}/purge", None),
            ("POST", f"{J}/dead/retry", {}), ("POST", f"{J}/dead/purge", {}),
            ("GET", f"{J}/queue", None),
            ("POST", f"{J}/queue/pause", {"queue": "default"}),
            ("POST", f"{J}/queue/resume", {"queue": "default"}),
            ("GET", f"{J}/node", None),
            ("POST", f"{J}/node/drain", {"node": "catetube"}),
            ("GET", f"{J}/doctor", None)]


def only_admins():
    """Nobody else, and nobody who was one: the copy of the session is not
    believed."""
    other, past = registered(), admin()
    want(past.send("GET", J), 200)
    job = bury("apitest.guard", 1)[0]
    sql(f"update account set role = 'user' where id = '{past.id}'")
    for who in (other, past):
        for method, path, body in routes(job):
            a = who.send(method, path, body)
            t.check(a.status == 403, f"{method} {path}: {a.status}")
    t.same(r.hget(f"jq:job:{job}", "state"), b"dead", "unharmed")
    t.same(r.exists("jq:pause"), 0, "nothing is paused")
    t.same(one("select count(*) from audit_event where account_id in"
               f" ('{other.id}', '{past.id}')"), "0", "nothing is noted")
    r.zrem("jq:dead", f"default\n{message('apitest.guard', job)}")


def look():
    boss = admin()
    job = put("test.echo", {"report_id": str(uuid.uuid4()), "note": CANARY})
    wait_for("job", 20, lambda: r.hget(f"jq:job:{job}", "state")
             == b"succeeded")
    row = want(boss.send("GET", f"{J}/{job}"), 200)
    t.check(row["state"] == "succeeded" and row["task"] == "test.echo"
            and row["tries"] == 1, f"one: {row}")
    page = want(boss.send("GET", J + "?state=succeeded&task=test.echo"), 200)
    t.check(job in [j["id"] for j in page["jobs"]], "listed")
    want(boss.send("POST", f"{J}/queue/pause", {"queue": "default"}), 200)
    waits = put("test.echo", {"report_id": 7, "note": CANARY,
                              "password": CANARY})
    a = boss.send("GET", J + "?queue=default&state=queued")
    row = [j for j in want(a, 200)["jobs"] if j["id"] == waits][0]
    t.same(row["kwargs"], {"report_id": 7, "note": None, "password": None},
           "arguments")
    for path in (J, f"{J}/{waits}", f"{J}/node", f"{J}/queue"):
        t.check(CANARY.encode() not in boss.send("GET", path).body, path)
    q = want(boss.send("GET", f"{J}/queue"), 200)
    q = {x["queue"]: x for x in q["queues"]}["default"]
    t.check(q["paused_at"] and q["ready"] >= 1 and q["nodes"] == 1, f"{q}")
    want(boss.send("POST", f"{J}/queue/resume", {"queue": "default"}), 200)
    t.check(wait_for("job", 20, lambda: r.hget(f"jq:job:{waits}", "state")
                     == b"succeeded"), "runs when the queue is resumed")
    node = want(boss.send("GET", f"{J}/node"), 200)["nodes"][0]
    t.check(node["slots"] >= 1 and node["beat_ms"] < 10000
            and node["running"] == [], f"node: {node}")
    checks = want(boss.send("GET", f"{J}/doctor"), 200)["checks"]
    t.check({c["check"] for c in checks} == {"redis", "clock", "nodes",
                                             "queues", "dead"}, "doctor")
    for query, field in [("state=asleep", "state"), ("limit=0", "limit"),
                         ("limit=101", "limit"), ("cursor=x", "cursor"),
                         ("page=1", "page"), ("queue=", "queue")]:
        said = want(boss.send("GET", f"{J}?{query}"), 400)
        t.check(field in said.get("fields", {}), f"{query}: {said}")
    for action, queue in (("queue_pause", "default"),
                          ("queue_resume", "default")):
        e = noted(boss, action)
        t.check(len(e) == 1 and e[0]["noun"] == "job" and e[0]["detail"]
                == queue and e[0]["noun_id"] is None, f"noted: {e}")


def cancel():
    boss = admin()
    job = put("test.sleep", {"seconds": 60})
    wait_for("job", 20, lambda: r.hget(f"jq:job:{job}", "state") == b"running")
    said = want(boss.send("POST", f"{J}/{job}/cancel"), 200)
    t.same(said["data"]["id"], job, "answer")
    t.check(wait_for("job", 20, lambda: r.hget(f"jq:job:{job}", "state")
                     == b"revoked"), "stopped")
    want(boss.send("POST", f"{J}/{job}/cancel"), 409, "ended")
    want(boss.send("POST", f"{J}/{uuid.uuid4()}/cancel"), 404)
    e = noted(boss, "job_cancel")
    t.check(e and e[-1]["noun_id"] == job and e[-1]["detail"] == "test.sleep"
            and e[-1]["noun"] == "job", f"noted: {e}")
    e = want(boss.send("GET", "/api/admin/audit?account_id=" + job), 200)
    t.check(e["events"] and e["events"][0]["account_id"] == boss.id,
            "found by the job")


def dead():
    boss = admin()
    job = bury("test.echo", 1)[0]
    said = want(boss.send("GET", J + "?state=dead&task=test.echo"), 200)
    t.check(job in [j["id"] for j in said["jobs"]], "listed")
    want(boss.send("POST", f"{J}/{job}/retry"), 200)
    t.check(wait_for("job", 20, lambda: r.hget(f"jq:job:{job}", "state")
                     == b"succeeded"), "runs again")
    want(boss.send("POST", f"{J}/{job}/retry"), 409, "state")
    want(boss.send("POST", f"{J}/{job}/purge"), 409, "state")
    want(boss.send("POST", f"{J}/{uuid.uuid4()}/retry"), 404)
    job = bury("apitest.one", 1)[0]
    want(boss.send("POST", f"{J}/{job}/purge"), 200)
    want(boss.send("POST", f"{J}/{job}/retry"), 409, "state")
    t.same(r.zcard("jq:dead"), 0, "thrown away")
    # Many: a hundred at a time, of that task alone, of that age alone.
    bury("apitest.many", 130)
    bury("test.noop", 105)
    bury("apitest.new", 3, at=4102444800000)
    said = want(boss.send("POST", f"{J}/dead/retry", {"task": "test.noop"}),
                200)
    t.check(said["count"] == 100 and said["more"], f"{said}")
    said = want(boss.send("POST", f"{J}/dead/retry", {"task": "test.noop"}),
                200)
    t.check(said["count"] == 5 and not said["more"], f"{said}")
    said = want(boss.send("POST", f"{J}/dead/purge",
                          {"older_days": 30, "queue": "default"}), 200)
    t.check(said["count"] == 100 and said["more"], f"{said}")
    said = want(boss.send("POST", f"{J}/dead/purge", {"older_days": 30}), 200)
    t.check(said["count"] == 30 and not said["more"], f"{said}")
    t.same(r.zcard("jq:dead"), 3, "those that died later stay")
    r.delete("jq:dead")
    for body, field in [({"older_days": -1}, "older_days"),
                        ({"task": ""}, "task"), ({"x": 1}, "x")]:
        said = want(boss.send("POST", f"{J}/dead/purge", body), 400)
        t.check(field in said.get("fields", {}), f"{body}")
    t.same(len(noted(boss, "dead_purge")), 2, "purges noted")
    t.same({e["detail"] for e in noted(boss, "dead_retry")}, {"test.noop"},
           "retries noted")


def steer():
    boss = admin()
    for path, body in (("queue/pause", {"queue": "typo"}),
                       ("queue/resume", {"queue": "typo"}),
                       ("node/drain", {"node": "typo"})):
        want(boss.send("POST", f"{J}/{path}", body), 404)
        said = want(boss.send("POST", f"{J}/{path}", {}), 400)
        t.check(list(body)[0] in said.get("fields", {}), f"{path}: {said}")
    r.zadd("jq:w", {"apitest:1:a": 4102444800000, "apitest:1:b":
                    4102444800000})
    for wid in ("a", "b"):
        r.hset(f"jq:winfo:apitest:1:{wid}", "name", "twin")
    want(boss.send("POST", f"{J}/node/drain", {"node": "twin"}), 409, "name")
    said = want(boss.send("POST", f"{J}/node/drain",
                          {"node": "apitest:1:b"}), 200)
    t.same(said["node"], "apitest:1:b", "by id")
    t.same(r.hget("jq:winfo:apitest:1:b", "drain"), b"1", "asked")
    t.same(r.hget("jq:winfo:apitest:1:a", "drain"), None, "and no other one")
    r.zrem("jq:w", "apitest:1:a", "apitest:1:b")
    r.delete("jq:winfo:apitest:1:a", "jq:winfo:apitest:1:b")
    e = noted(boss, "node_drain")
    t.check("apitest:1:b" in {x["detail"] for x in e}, f"noted: {e}")


for part in (only_admins, look, cancel, dead, steer):
    say(part.__name__)
    part()
sys.exit(t.end())
