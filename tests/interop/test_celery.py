"""An unmodified Celery client against the worker.

    python3 tests/interop/test_celery.py redis+socket:///path?virtual_host=0

The worker must serve the queue "default" with CATETUBE_TEST_TASKS=1. Prints a
line per test and ends with "N passed, N failed".
"""
import base64
import datetime
import json
import sys
import time
import uuid

from celery import chain, chord, group
from celery.exceptions import NotRegistered, TaskRevokedError

from interop import (WAIT_S, client, job_state, main, raises, seen_states,
                     send, until, until_running)


def t_echo(app):
    value = {"a": [1, 2.5, None, True], "text": "na\u00efve \u732b"}
    assert send(app, "test.echo", value).get(timeout=WAIT_S) == value


def t_args_and_kwargs(app):
    got = send(app, "test.echo", 1, 2, kwargs={"x": "y"}).get(timeout=WAIT_S)
    assert got == {"args": [1, 2], "kwargs": {"x": "y"}}, got


def t_result_fields(app):
    r = send(app, "test.noop")
    assert r.get(timeout=WAIT_S) is None
    meta = r.backend.get_task_meta(r.id)
    assert meta["status"] == "SUCCESS" and meta["task_id"] == r.id, meta
    assert abs((datetime.datetime.utcnow() - r.date_done).total_seconds()) < 60
    ttl = r.backend.client.ttl("celery-task-meta-" + r.id)
    assert 86000 < ttl <= 86400, ttl


def t_progress(app):
    seen = seen_states(send(app, "test.progress", 4, 0.3))
    values = [info for state, info in seen if state == "PROGRESS"]
    assert {"current": 1, "total": 4} in values, seen
    assert {"current": 4, "total": 4} in values, seen
    assert seen[-1] == ("SUCCESS", {"steps": 4}), seen


def t_failure(app):
    r = send(app, "test.fail", kwargs={"message": "bad input"})
    e = raises(ValueError, r)
    assert e.args == ("bad input",), e.args
    assert r.state == "FAILURE" and "test.fail" in r.traceback


def t_retry(app):
    r = send(app, "test.fail", kwargs={"times": 2, "wait": 0.3})
    seen = seen_states(r)
    assert seen[-1] == ("SUCCESS", 3), seen
    assert any(state == "RETRY" for state, _ in seen), seen


def t_retries_exhausted(app):
    r = send(app, "test.fail", kwargs={"times": 99, "wait": 0.01})
    raises(ConnectionError, r)


def t_unknown_task(app):
    raises(NotRegistered, send(app, "no.such.task"))


def t_countdown(app):
    began = time.time()
    send(app, "test.noop", countdown=1.5).get(timeout=WAIT_S)
    took = time.time() - began
    assert 1.5 <= took < 2.5, took


def t_eta_with_zone(app):
    zone = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    began = time.time()
    eta = datetime.datetime.now(zone) + datetime.timedelta(seconds=1)
    send(app, "test.noop", eta=eta).get(timeout=WAIT_S)
    took = time.time() - began
    assert 0.99 <= took < 2, took


def t_expires(app):
    past = datetime.datetime.utcnow() - datetime.timedelta(seconds=5)
    e = raises(TaskRevokedError, send(app, "test.noop", expires=past))
    assert e.args == ("expired",), e.args


def t_expires_later(app):
    assert send(app, "test.echo", 1, expires=60).get(timeout=WAIT_S) == 1


def t_priority(app):
    """With all children busy 0 is served before 9, but for a turn in 16."""
    redis = app.backend.client
    stop = [send(app, "test.sleep", 0.7) for _ in range(8)]
    until("all children busy", lambda: redis.llen("default") < 8)
    low = [send(app, "test.noop", priority=9) for _ in range(20)]
    high = [send(app, "test.noop", priority=0) for _ in range(20)]
    for r in stop + low + high:
        r.get(timeout=WAIT_S)
    done = [sorted(int(redis.hget("jq:job:" + r.id, "settled_ms"))
                   for r in rs) for rs in (high, low)]
    assert done[0][10] <= done[1][10] and done[0][-1] <= done[1][-1], done


def t_fifty(app):
    rs = [send(app, "test.echo", i) for i in range(50)]
    assert [r.get(timeout=WAIT_S) for r in rs] == list(range(50))


def t_group(app):
    job = group(app.signature("test.echo", args=(i,)) for i in range(5))
    assert job.apply_async().get(timeout=WAIT_S) == [0, 1, 2, 3, 4]


def t_chain_is_refused(app):
    first = app.signature("test.echo", args=(1,))
    first.link(app.signature("test.echo"))
    raises(NotImplementedError, first.apply_async())


def t_cancel_before_start(app):
    r = send(app, "test.noop", countdown=1)
    app.backend.client.set("jq:cancel:" + r.id, 1, ex=600)
    e = raises(TaskRevokedError, r)
    assert e.args == ("revoked",), e.args


def t_cancel_running(app):
    redis = app.backend.client
    r = send(app, "test.sleep", 30)
    until_running(app, r)
    redis.set("jq:cancel:" + r.id, 1, ex=600)
    e = raises(TaskRevokedError, r)
    assert e.args == ("terminated",), e.args


def t_soft_limit(app):
    r = send(app, "test.sleep", 30, soft_time_limit=0.5)
    e = raises(Exception, r)
    assert type(e).__name__ == "SoftTimeLimitExceeded", repr(e)


def t_hard_limit(app):
    r = send(app, "test.sleep", 30, time_limit=0.5)
    e = raises(Exception, r)
    assert type(e).__name__ == "TimeLimitExceeded", repr(e)


def t_ignore_result(app):
    redis = app.backend.client
    r = send(app, "test.noop", ignore_result=True)
    until("done", lambda: job_state(app, r) == "succeeded")
    assert redis.get("celery-task-meta-" + r.id) is None


def t_pickle_is_buried(app):
    redis = app.backend.client
    before = redis.zcard("jq:dead")
    send(app, "test.noop", serializer="pickle")
    until("buried", lambda: redis.zcard("jq:dead") == before + 1)


def t_compressed_is_buried(app):
    redis = app.backend.client
    before = redis.zcard("jq:dead")
    send(app, "test.noop", compression="gzip")
    until("buried", lambda: redis.zcard("jq:dead") == before + 1)


def t_protocol_1(app):
    app.conf.task_protocol = 1
    try:
        assert send(app, "test.echo", "old").get(timeout=WAIT_S) == "old"
    finally:
        app.conf.task_protocol = 2


def t_three_headers(app):
    """As celery.node sends it."""
    tid = str(uuid.uuid4())
    app.backend.client.lpush("default", json.dumps({
        "body": json.dumps([["js"], {}, {}]), "content-type":
        "application/json", "content-encoding": "utf-8",
        "headers": {"lang": "js", "task": "test.echo", "id": tid},
        "properties": {"correlation_id": tid}}))
    assert app.AsyncResult(tid).get(timeout=WAIT_S) == "js"


def t_gocelery(app):
    """Protocol 1 as gocelery writes it: no headers, a local offset."""
    tid = str(uuid.uuid4())
    body = {"id": tid, "task": "test.echo", "args": ["go"], "kwargs": None,
            "retries": 0, "eta": "2020-01-02T03:04:05.678901234+02:00",
            "expires": None}
    app.backend.client.lpush("default", json.dumps({
        "body": base64.b64encode(json.dumps(body).encode()).decode(),
        "headers": {}, "content-type": "application/json",
        "content-encoding": "utf-8",
        "properties": {"body_encoding": "base64", "correlation_id": tid,
                       "reply_to": str(uuid.uuid4()), "delivery_mode": 2,
                       "delivery_info": {"priority": 0, "exchange": "",
                                         "routing_key": "default"},
                       "delivery_tag": str(uuid.uuid4())}}))
    assert app.AsyncResult(tid).get(timeout=WAIT_S) == "go"


def t_canvas_is_refused(app):
    """Every part of it fails at once, and get() says so."""
    echo = app.signature("test.echo", args=(1,))
    r = chain(echo, echo).apply_async()
    e = raises(NotImplementedError, r)
    assert r.state == "PENDING" and r.parent.state == "FAILURE"
    assert e.args == ("unsupported canvas: callbacks, chains and chords",), e
    raises(NotImplementedError,
           chord([echo, echo])(app.signature("test.echo")))
    raises(NotImplementedError, echo.apply_async(
        link_error=app.signature("test.echo")))


def t_refused_content_is_told(app):
    """What is buried unread ends as FAILURE for whoever waits."""
    for how in ({"serializer": "pickle"}, {"compression": "gzip"},
                {"serializer": "yaml"}):
        r = send(app, "test.noop", **how)
        until("told", lambda: r.state == "FAILURE")
        assert job_state(app, r) == "dead", how


def t_revoke_queued(app):
    r = send(app, "test.noop", countdown=1.5)
    r.revoke()
    e = raises(TaskRevokedError, r)
    assert e.args == ("revoked",), e.args


def t_revoke_far_ahead(app):
    """One that waits for its time is revoked now, not then."""
    r = send(app, "test.noop", countdown=3600)
    until("scheduled", lambda: job_state(app, r) == "scheduled")
    r.revoke()
    until("revoked", lambda: r.state == "REVOKED", 5)


def t_revoke_a_list(app):
    rs = [send(app, "test.noop", countdown=1.5) for _ in range(30)]
    app.control.revoke([r.id for r in rs])
    for r in rs:
        raises(TaskRevokedError, r)


def t_revoke_lets_run(app):
    """As with Celery: one that runs goes on without terminate."""
    r = send(app, "test.sleep", 1.5)
    until_running(app, r)
    r.revoke()
    assert r.get(timeout=WAIT_S) == "slept"


def t_revoke_ends_retries(app):
    r = send(app, "test.fail", kwargs={"times": 9, "wait": 1})
    until("retry", lambda: r.state == "RETRY")
    r.revoke()
    e = raises(TaskRevokedError, r)
    assert e.args == ("revoked",), e.args


def t_terminate(app):
    for options in ({}, {"signal": "SIGKILL"}, {"signal": "USR1"}):
        r = send(app, "test.sleep", 60)
        until_running(app, r)
        began = time.time()
        r.revoke(terminate=True, **options)
        e = raises(TaskRevokedError, r)
        assert e.args == ("terminated",), e.args
        assert time.time() - began < 10
    r = send(app, "test.sleep", 60)
    until_running(app, r)
    app.control.terminate(r.id)
    raises(TaskRevokedError, r)


def t_forget(app):
    r = send(app, "test.echo", 1)
    r.get(timeout=WAIT_S)
    r.forget()
    assert r.state == "PENDING"


if __name__ == "__main__":
    sys.exit(main(__doc__, globals(), lambda url: [client(url)]))
