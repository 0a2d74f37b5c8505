#!/usr/bin/python3
"""What a worker does with Celery's messages, whoever's worker it is; one JSON
object. By Debian's python3, to which python3-celery belongs.

  celery_jobs.py SOCKET DB QUEUE JOBS [send]

consume_rps: JOBS no-ops pushed as fast as Redis takes them, from the first push
until the last result is there. start_*_ms: one job at a time on an idle worker,
from before its push until it says that it began. send: also send_rps, no-ops
sent by Celery's own send_task, one after the other, to a queue that nobody
serves."""
import json
import os
import sys
import time
import uuid

import redis

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../fault"))
from lib import percentile  # noqa: E402
from nodes import batches, message  # noqa: E402

WAIT_S = 120
SINGLE = 300
WARM = 50  # of those, not counted
KEY = "celery-task-meta-"
UNSERVED = "bench-unserved"


def until(what, test, pause_s):
    end = time.monotonic() + WAIT_S
    while not test():
        if time.monotonic() > end:
            sys.exit(f"bench: never: {what}")
        time.sleep(pause_s)


def wait_for_worker(r, queue):
    job = str(uuid.uuid4())
    r.lpush(queue, message(job, "test.noop", {}, queue))
    until("a worker", lambda: r.delete(KEY + job), 0.02)


def consume(r, queue, jobs):
    ids = [str(uuid.uuid4()) for _ in range(jobs)]
    texts = [message(i, "test.noop", {}, queue) for i in ids]
    began = time.monotonic()
    for some in batches(texts, 1000):
        r.lpush(queue, *some)
    until("an empty queue", lambda: r.llen(queue) == 0, 0.01)
    # The last ones are still under way.
    for some in batches([KEY + i for i in ids], 1000):
        until("all results", lambda: r.exists(*some) == len(some), 0.001)
    rate = jobs / (time.monotonic() - began)
    for some in batches([KEY + i for i in ids], 1000):
        r.delete(*some)
    return rate


def starts(r, queue):
    """Milliseconds from the push until the job began."""
    took = []
    for n in range(SINGLE):
        job = str(uuid.uuid4())
        sub = r.pubsub(ignore_subscribe_messages=True)
        sub.subscribe(KEY + job)
        sub.get_message(timeout=5)
        text = message(job, "test.now", {}, queue)
        began = time.time()
        r.lpush(queue, text)
        said = None
        end = time.monotonic() + 10
        while said is None and time.monotonic() < end:
            said = sub.get_message(timeout=1)
        sub.close()
        if said is None:
            sys.exit("bench: a job does not end")
        if n >= WARM:
            took.append(json.loads(said["data"])["result"] / 1e3
                        - began * 1e3)
        r.delete(KEY + job)
        time.sleep(0.003)
    return took


def send(r, jobs):
    from celery_app import app
    app.send_task("test.noop", queue=UNSERVED, ignore_result=True)
    began = time.monotonic()
    for _ in range(jobs):
        app.send_task("test.noop", queue=UNSERVED)
    rate = jobs / (time.monotonic() - began)
    r.delete(UNSERVED)
    return rate


def main():
    path, db, queue, jobs = sys.argv[1:5]
    r = redis.Redis(unix_socket_path=path, db=int(db), socket_timeout=60)
    wait_for_worker(r, queue)
    result = {"consume_rps": consume(r, queue, int(jobs))}
    took = starts(r, queue)
    result["start_p50_ms"] = percentile(took, .5)
    result["start_p99_ms"] = percentile(took, .99)
    if sys.argv[5:] == ["send"]:
        result["send_rps"] = send(r, 2000)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
