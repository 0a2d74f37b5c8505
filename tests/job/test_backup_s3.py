"""Backups in a bucket: a real S3 server, and one that checks signatures (the
real one does not), refuses, fails, hangs and talks nonsense."""
import hashlib
import os
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../support"), HERE]
from test_backup import MIB, Backups, t  # noqa: E402
from lib import say, wait_for  # noqa: E402
import s3  # noqa: E402


def env_of(server, **more):
    return {"CATETUBE_BACKUP_TO": "s3://bucket/some/path",
            "CATETUBE_S3_ENDPOINT": f"http://127.0.0.1:{server.port}",
            "CATETUBE_S3_KEY_ID": server.key_id,
            "CATETUBE_S3_SECRET": server.secret,
            "CATETUBE_S3_PART_MIB": "5", "CATETUBE_S3_TIMEOUT_S": "10", **more}


def noise(b, mib):
    """What cannot be packed."""
    b.psql("catetube", "drop table if exists noise; create table noise as"
           " select sha512((n || 'x')::bytea) || sha512(n::text::bytea) as b"
           f" from generate_series(1, {mib * MIB // 128}) n;"
           "alter table noise owner to catetube_owner;"
           "grant select on noise to catetube_backup")


def round_trip(b, env):
    """One small and one large backup, there and back."""
    b.psql("catetube", "drop table if exists noise")
    small = b.backup("run", **env)
    t.check(small["bytes"] < 5 * MIB, f"a small one: {small['bytes']}")
    noise(b, 7)
    large = b.backup("run", **env)
    t.check(large["bytes"] > 6 * MIB, f"one in parts: {large['bytes']}")
    t.same([x["name"] for x in b.backup("list", **env)],
           [large["name"]], "the older one of the day is gone")
    t.same(b.backup("list", **env)[0]["bytes"], large["bytes"], "its size")
    read = b.backup("check", large["name"], **env)
    t.check(read["tables"] == large["tables"], "whole, with all its tables")
    b.psql("postgres", "create database copy owner catetube_owner")
    status, out, err = b.ctl("backup", "restore", "newest", "--to",
                             b.url("copy"), **env)
    t.same(status, 0, f"restored: {err}")
    b.alike("copy", "restored")
    b.psql("postgres", "drop database copy")
    return large


def real(b):
    home = s3.install()
    if not home:
        say("  (not run: s3rver could not be installed)")
        return
    with tempfile.TemporaryDirectory(prefix="catetube-s3-") as data:
        server = s3.Real(home, data, "bucket")
        try:
            env = env_of(server)
            round_trip(b, env)
            status, out, err = b.ctl("backup", "list", **dict(
                env, CATETUBE_S3_KEY_ID="another"))
            t.check(status == 1 and "answered 403 InvalidAccessKeyId" in
                    err, f"a wrong key: {err.strip()}")
            status, out, err = b.ctl("backup", "run", **dict(
                env, CATETUBE_BACKUP_TO="s3://nobucket"))
            t.check(status == 1 and "404 NoSuchBucket" in err,
                    f"no such bucket: {err.strip()}")
            # The worker's turn.
            b.stack.env.update(env)
            b.stack.up()
            r = b.result(b.enqueue("backup.run"))
            t.same(r.get("status"), "SUCCESS", f"backup.run: {r.get('result')}")
            r = b.result(b.enqueue("backup.verify"))
            t.same(r.get("status"), "SUCCESS", f"backup.verify: "
                   f"{r.get('result')}")
        finally:
            server.close()


def always(answer):
    return lambda kind: answer


def once(what, answer):
    """Fail the first request of a kind."""
    left = [1]

    def fault(kind):
        if kind != what or not left[0]:
            return None
        left[0] -= 1
        return answer
    return fault


def known_signature():
    """Our own arithmetic gives the signature of Amazon's example."""
    nothing = hashlib.sha256(b"").hexdigest()
    t.same(s3.signature(
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "GET", "/test.txt", "",
        {"host": "examplebucket.s3.amazonaws.com", "range": "bytes=0-9",
         "x-amz-content-sha256": nothing, "x-amz-date": "20130524T000000Z"},
        ["host", "range", "x-amz-content-sha256", "x-amz-date"], nothing,
        "20130524/us-east-1/s3/aws4_request", "20130524T000000Z"),
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        "Amazon's example")


def ours(b, fake):
    known_signature()
    env = env_of(fake)
    status, out, err = b.ctl("backup", "list", **dict(
        env, CATETUBE_S3_SECRET="another"))
    t.check(status == 1 and "answered 403 SignatureDoesNotMatch" in err,
            f"a wrong secret: {err.strip()}")
    fake.wrong.clear()
    round_trip(b, env)
    t.same(fake.wrong, [], "every signature is right by our own arithmetic")
    t.check(fake.seen.count("PUT uploadId partNumber") >= 2, "in parts")
    t.check("GET list-type" in fake.seen, "listed")
    # More than one page of the list.
    for n in range(5):
        fake.objects[f"/bucket/some/path/catetube-2024010{n + 1}T000000Z-"
                     "00000000.ctb"] = b"x"
    fake.objects["/bucket/some/path/stranger"] = b"x"
    fake.objects["/bucket/some/path/deeper/catetube-20240101T000000Z-"
                 "00000000.ctb"] = b"x"
    t.same(len(b.backup("list", **env)), 6, "six on four pages, no stranger")
    for n in range(5):
        del fake.objects[f"/bucket/some/path/catetube-2024010{n + 1}T000000Z-"
                         "00000000.ctb"]


def hiccups(b, fake):
    """One failure of each request is got over."""
    env = env_of(fake, CATETUBE_S3_TIMEOUT_S="2")
    for answer in ((500, "InternalError"), "cut", "hang"):
        asked = {}

        def fault(kind, answer=answer, asked=asked):
            asked[kind] = asked.get(kind, 0) + 1
            if asked[kind] > 1 or (answer == "hang" and kind not in (
                    "PUT uploadId partNumber", "GET list-type")):
                return None
            return answer
        fake.fault = fault
        status, out, err = b.ctl("backup", "run", **env)
        t.same(status, 0, f"{answer} once at {sorted(asked)}: "
               f"{err.strip()[-90:]}")
        t.check({"POST uploads", "PUT uploadId partNumber", "POST uploadId",
                 "GET list-type"} <= set(asked), "each of them")
    fake.fault = once("POST uploadId", "lost")
    status, out, err = b.ctl("backup", "run", **env)
    t.same(status, 0, f"put together, but the answer was lost: {err[-90:]}")
    for answer in ((500, "InternalError"), "cut", "hang"):
        fake.fault = once("GET", answer)
        status, out, err = b.ctl("backup", "check", **env)
        t.same(status, 0, f"{answer} at a range, once")
    fake.fault = None
    t.same(fake.uploads, {}, "no parts are left")


def failures(b, fake):
    """What does not pass is told, and leaves nothing."""
    env = env_of(fake, CATETUBE_S3_TIMEOUT_S="2")
    before = dict(fake.objects)
    for what, answer, words in (
            ("PUT uploadId partNumber", (500, "InternalError"),
             "answered 500 InternalError"),
            ("PUT uploadId partNumber", (403, "AccessDenied"),
             "answered 403 AccessDenied: see CATETUBE_S3_KEY_ID"),
            ("POST uploadId", (400, "InvalidPart"), "answered 400 InvalidPart"),
            ("POST uploads", "garbage", "the answer is no XML"),
            ("POST uploads", "huge", "longer than asked for"),
            ("POST uploads", (301, "PermanentRedirect"),
             "301 PermanentRedirect: see CATETUBE_S3_REGION"),
            ("POST uploads", "hang", "cannot be reached: Timeout"),
            ("POST uploads", "cut", "cannot be reached")):
        fake.fault = lambda kind: answer if kind == what else None
        began = time.monotonic()
        status, out, err = b.ctl("backup", "run", **env)
        took = time.monotonic() - began
        t.check(status == 1 and words in err,
                f"{answer} at {what}: {err.strip().splitlines()[-1][:120]}")
        t.check(took < 30, f"in {took:.1f} s")
        t.check(fake.objects == before, "no object")
        t.same(fake.uploads, {}, "no parts")
    fake.fault = None


def by_worker(b, fake):
    b.stack.env.update(env_of(fake, CATETUBE_S3_TIMEOUT_S="2"))
    b.stack.up()
    fake.fault = always((403, "AccessDenied"))
    r = b.result(b.enqueue("backup.run"))
    t.same(r.get("status"), "FAILURE", "403 ends the job")
    t.check("answered 403 AccessDenied" in str(r.get("result")),
            f"with its reason: {r.get('result')}")
    b.alive()
    for answer in ((500, "InternalError"), "hang"):
        fake.fault = always(answer)
        job = b.enqueue("backup.run")
        t.check(wait_for("told", 60, lambda: b.stack.sql(
            f"select 1 from backup_log where id = '{job}' and error is not"
            " null")), f"{answer} is told")
        t.check(wait_for("waits", 20, lambda: b.state(job) == "scheduled"),
                f"the job is tried again: {b.state(job)}")
        b.alive()
        fake.fault = None
        t.check(wait_for("done", 30, lambda: b.hurry() or b.result(
            job, 0.5).get("status") == "SUCCESS", 0.3), "and then it works")


def memory(b, fake):
    """Seven or fifty MiB: the same memory, for making and for reading."""
    most = {}
    for mib in (7, 50):
        noise(b, mib)
        for word in ("run", "check"):
            b.backup(word, **env_of(fake))
            most[mib, word] = b.peak_kib
            say(f"  {word} of {mib} MiB: at most {b.peak_kib >> 10} MiB")
    for word in ("run", "check"):
        t.check(most[50, word] < most[7, word] + (8 << 10),
                f"{word}: no more for seven times as much")
    b.psql("catetube", "drop table noise")


def main():
    b = Backups("backup-s3", CATETUBE_BACKUP_DAILY="1",
                CATETUBE_BACKUP_WEEKLY="0")
    fake = s3.Fake()
    try:
        b.stack.up()
        say("  a real server")
        real(b)
        say("  one that checks signatures")
        ours(b, fake)
        say("  one that fails once")
        hiccups(b, fake)
        say("  one that fails for good")
        failures(b, fake)
        say("  the worker")
        by_worker(b, fake)
        say("  memory")
        memory(b, fake)
        t.same(b.stack.crashes("worker"), [], "no crash")
    finally:
        b.stack.down(t.failed)
        fake.close()
    return t.end()


if __name__ == "__main__":
    say("backup to S3")
    sys.exit(main())
