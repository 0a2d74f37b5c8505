"""Backups of a whole stack: made by the worker and by catetubectl, tried,
everything wiped and brought back; a worker killed in the middle; disks that are
full and directories that are closed."""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../support"), os.path.join(HERE, "../fault")]
from lib import Client, PASSWORD, Stack, Tally, children, comm, is_dead  # noqa: E402
from lib import kill, say, wait_for  # noqa: E402

PG_BIN = "/usr/lib/postgresql/15/bin"
MIB = 1 << 20
t = Tally()


class Backups:
    """A stack, and catetubectl in its environment."""

    def __init__(self, name, **options):
        self.stack = Stack(name, CATETUBE_TEST_TASKS="1", **options)

    def words(self):
        return (["setpriv", "--reuid=postgres", "--regid=postgres",
                 "--init-groups", "--"] if os.geteuid() == 0 else [])

    def ctl(self, *args, **env):
        """(exit status, standard output, standard error); its memory at the
        most, in KiB, is in self.peak_kib."""
        s = self.stack
        with tempfile.TemporaryFile("w+") as out, \
                tempfile.TemporaryFile("w+") as err:
            p = subprocess.Popen(
                self.words() + [os.path.join(s.home, "bin/catetubectl"), *args],
                env={"PATH": os.environ["PATH"], **s.vars, **env},
                stdin=subprocess.DEVNULL, stdout=out, stderr=err)
            status = self.reap(p)
            out.seek(0)
            err.seek(0)
            return status, out.read(), err.read()

    def reap(self, p):
        """Its exit status. What the kernel tells of a process that has ended
        would count our own memory, too, from before its exec."""
        end = time.monotonic() + 120
        self.peak_kib = 0
        while p.poll() is None:
            try:
                with open(f"/proc/{p.pid}/status") as f:
                    found = re.search(r"VmHWM:\s+(\d+) kB", f.read())
                if found and comm(p.pid) == "catetubectl":
                    self.peak_kib = int(found[1])
            except OSError:
                pass
            if time.monotonic() > end:
                p.kill()
            time.sleep(0.005)
        return p.returncode

    def backup(self, *args, **env):
        """What a command of backup says as JSON; it must work."""
        status, out, err = self.ctl("--json", "backup", *args, **env)
        if status != 0:
            sys.exit(f"backup {args}: {status} {err}")
        return json.loads(out)

    def enqueue(self, task, kwargs="{}", queue="backups"):
        status, out, err = self.ctl("enqueue", task, kwargs, "--queue", queue)
        assert status == 0, err
        return out.strip()

    def state(self, job):
        fields = self.stack.redis("HMGET", f"jq:job:{job}", "state")
        return fields[0] if fields else ""

    def result(self, job, seconds=60):
        """The result of a job, when it has one."""
        def ready():
            text = "\n".join(self.stack.redis(
                "GET", f"celery-task-meta-{job}"))
            r = json.loads(text) if text.strip() else {}
            return r if r.get("status") in ("SUCCESS", "FAILURE") else None
        return wait_for(f"job {job}", seconds, ready) or {}

    def hurry(self):
        """Retries that wait are due now."""
        self.stack.redis(
            "EVAL", "for _, m in ipairs(redis.call('ZRANGE', 'jq:sched', 0,"
            " -1)) do redis.call('ZADD', 'jq:sched', 1, m) end return 1", "0")

    def alive(self):
        """The worker goes on with other work."""
        r = self.result(self.enqueue("test.echo", '{"x": 1}', "default"), 20)
        t.same(r.get("status"), "SUCCESS", "the worker does other work")

    def psql(self, database, text, user="postgres"):
        env = dict(self.stack.env, PGHOST=self.stack.vars["PGHOST"],
                   PGUSER=user, PGDATABASE=database)
        p = subprocess.run(["psql", "-qXtA", "-v", "ON_ERROR_STOP=1", "-c",
                            text], env=env, stdout=subprocess.PIPE,
                           text=True, timeout=120, check=True)
        return p.stdout.strip()

    def url(self, database, user="catetube_owner"):
        return (f"postgresql:///{database}?host={self.stack.vars['PGHOST']}"
                f"&user={user}")

    def sums(self, database):
        """Each table's contents, by other means than the service's."""
        names = self.psql(database, "select tablename from pg_tables"
                          " where schemaname = 'public' and tablename <>"
                          " 'backup_log' order by 1").split("\n")
        rows = self.psql(database, "set timezone = 'UTC';" + " union all ".join(
            f"select '{n}' || ' ' || count(*) || ' ' || coalesce(md5(string_agg("
            f"x::text, ',' order by x::text collate \"C\")), '') from"
            f' public."{n}" x' for n in names))
        return dict(row.split(" ", 1) for row in rows.split("\n"))

    def rights(self, database):
        """Who owns and may do what, and what others will get by default."""
        return self.psql(database, """
            select c.relname, pg_get_userbyid(c.relowner), (select string_agg(
              x::text, ' ' order by x::text) from unnest(coalesce(
              c.relacl, acldefault('r', c.relowner))) x)
            from pg_class c where c.relnamespace = 'public'::regnamespace
            union all select p.proname, pg_get_userbyid(p.proowner), (select
              string_agg(x::text, ' ' order by x::text) from unnest(
              coalesce(p.proacl, acldefault('f', p.proowner))) x)
            from pg_proc p where p.pronamespace = 'public'::regnamespace
            union all select 'public', '', (select string_agg(x::text, ' '
              order by x::text) from unnest(n.nspacl) x)
            from pg_namespace n where n.nspname = 'public'
            union all select 'default ' || d.defaclobjtype::text, pg_get_userbyid(
              d.defaclrole), (select string_agg(x::text, ' ' order by x::text)
              from unnest(d.defaclacl) x) from pg_default_acl d
            order by 1, 2, 3""")

    def alike(self, database, what):
        """It holds what the service's database holds, with the same rights."""
        sums, rights = self.sums(database), self.rights(database)
        t.check(len(sums) > 20 and sums == self.sums("catetube"),
                f"{what}: the same rows in {len(sums)} tables")
        t.check(len(rights) > 1000 and rights == self.rights("catetube"),
                f"{what}: the same owners and rights")

    def files(self):
        d = os.path.join(self.stack.home, "backups")
        return sorted(os.listdir(d))

    def stop(self, *services):
        for name in services:
            pid = self.stack.pid(name)
            kill(pid, signal.SIGTERM)
            assert wait_for(f"{name} ends", 40, lambda p=pid: is_dead(p))


def fill(b):
    c = Client(b.stack.port)
    c.register()
    for n in range(30):
        r = c.send("POST", "/api/feeding/", {
            "amount_ml": 5 + n / 8, "notes": f"Zo\u00eb \U0001f431, \"{n}\"\n",
            "confirm": True})
        assert r.status == 201, r.body
    return c


def by_job(b):
    job = b.enqueue("backup.run")
    r = b.result(job)
    t.same(r.get("status"), "SUCCESS", f"backup.run: {r.get('result')}")
    made = r.get("result") or {}
    t.same(b.files(), [made.get("name")], "one file, and nothing beside it")
    path = os.path.join(b.stack.home, "backups", made["name"])
    t.same(os.stat(path).st_size, made["bytes"], "its size")
    t.same(os.stat(path).st_mode & 0o777, 0o600, "its mode")
    t.same(b.stack.sql("select action, name, byte_count, error from backup_log"),
           [["run", made["name"], str(made["bytes"]), ""]], "noted")
    status, out, err = b.ctl("doctor")
    t.check("the last one is 0 hours old" in out, "the doctor knows")
    metrics = Client(b.stack.port).send("GET", "/metrics").body.decode()
    line = [x for x in metrics.split("\n") if x.startswith(
        "catetube_backup_last_success_timestamp_seconds")]
    t.check(line and abs(float(line[0].split()[-1]) - time.time()) < 120,
            "the metric says when")
    r = b.result(b.enqueue("backup.verify"))
    t.same(r.get("status"), "SUCCESS", f"backup.verify: {r.get('result')}")
    t.same(b.psql("postgres", "select count(*) from pg_database where datname"
                  " like 'catetube_verify%'"), "0", "its database is gone")
    listed = b.backup("list")
    t.same([x["name"] for x in listed], [made["name"]], "listed")
    t.check(listed[0]["verified_at"], "as verified")
    status, out, err = b.ctl("backup", "list")
    t.check(status == 0 and made["name"] in out, "for people, too")
    b.alive()


def again(b):
    """The message of a backup that was recorded comes a second time."""
    before = b.files()
    job = b.stack.sql("select id from backup_log where action = 'run'")[0][0]
    b.stack.redis("DEL", f"jq:job:{job}", f"celery-task-meta-{job}")
    celery = {"id": job, "task": "backup.run", "args": [], "kwargs": {}}
    b.stack.redis("LPUSH", "backups", json.dumps(
        {"body": json.dumps(celery), "headers": {}, "content-type":
         "application/json", "content-encoding": "utf-8", "properties":
         {"delivery_tag": "x", "delivery_info": {}}}))
    t.same(b.result(job).get("status"), "SUCCESS", "the message again")
    t.same(b.files(), before, "makes no other file")


def no_rights(b):
    """The role of backups reads, and nothing else."""
    for text in ("insert into cat (id) values (gen_random_uuid())",
                 "create table x (n int)", "delete from feeding"):
        try:
            b.psql("catetube", text, "catetube_backup")
            t.check(False, f"allowed: {text}")
        except subprocess.CalledProcessError:
            t.check(True, f"refused: {text}")


def other_place(b):
    b.psql("postgres", "create database copy owner catetube_owner")
    made = b.backup("run")
    path = os.path.join(b.stack.home, "backups", made["name"])
    status, out, err = b.ctl("backup", "restore", path, "--to", b.url("copy"))
    t.same(status, 0, f"restored from a file: {err}")
    b.alike("copy", "restored")
    status, out, err = b.ctl("backup", "restore", path, "--to", b.url("copy"))
    t.check(status == 1 and "is not empty" in err, f"not twice: {err}")
    status, out, err = b.ctl("backup", "restore", path, "--to",
                             b.url("catetube"), "--force")
    t.check(status == 1 and "stop the service" in err,
            f"not below a running service: {err}")
    b.psql("copy", "update feeding set amount_ul = 1")
    status, out, err = b.ctl("backup", "restore", path, "--to", b.url("copy"),
                             "--force")
    t.same(status, 0, f"restored by force: {err}")
    b.alike("copy", "again")
    b.psql("postgres", "drop database copy")


def keys(b):
    new = os.path.join(b.stack.home, "run/new_key")
    status, out, err = b.ctl("backup", "keygen", new)
    t.check(status == 0 and os.stat(new).st_mode & 0o777 == 0o600,
            f"keygen: {out}{err}")
    status, out, err = b.ctl("backup", "keygen", new)
    t.check(status == 1 and "File exists" in err, "never over another")
    status, out, err = b.ctl("backup", "check", "--key", new)
    t.check(status == 1 and "sealed with the key" in err, f"wrong: {err}")
    status, out, err = b.ctl("backup", "check")
    t.check(status == 0 and "is whole" in out, f"right: {out}{err}")
    with open(new) as f:
        secret = f.read().strip()
    status, out, err = b.ctl("config")
    t.check(secret not in out + err, "and never shown")


def usage(b):
    for args in (["restore", "x.ctb"], ["restore", "--to", "u"], ["keygen"],
                 ["list", "x"], ["run", "--force"], ["wipe"], [],
                 ["restore", "x.ctb", "--to", "u", "--undo"],
                 ["check", "--to", "u"]):
        status, out, err = b.ctl("backup", *args)
        t.same(status, 2, f"called wrongly: {args}")


def wiped(b, c):
    """The database is gone; a new one gets the newest backup, and the service
    goes on with it."""
    before = b.sums("catetube")
    c.close()
    fed = c.send("GET", "/api/tracker/today").json()["total_fed_ml"]
    b.backup("run")
    b.stop("fcgi", "worker")
    b.psql("postgres", "drop database catetube with (force)")
    b.psql("postgres", "create database catetube owner catetube_owner")
    began = time.monotonic()
    status, out, err = b.ctl("backup", "restore", "newest", "--to",
                             b.url("catetube"))
    say(f"  restored in {time.monotonic() - began:.1f} s")
    t.same(status, 0, f"restored: {out}{err}")
    after = b.sums("catetube")
    t.check(after == before, f"every row is back: {len(after)} tables")
    b.stack.up()
    t.same(Client(b.stack.port).send("GET", "/health").status, 200, "healthy")
    c.close()
    r = c.send("GET", "/api/tracker/today")
    t.same((r.status, r.json().get("total_fed_ml")), (200, fed),
           "the session goes on, with its total")
    r = Client(b.stack.port).send("POST", "/api/auth/login", {
        "email": c.email, "password": PASSWORD})
    t.same(r.status, 200, "log-in")
    r = c.send("POST", "/api/feeding/", {"amount_ml": 1, "confirm": True})
    t.same(r.status, 201, "and the next meal")


def slow_programs(b):
    """pg_dump that waits before it begins."""
    d = os.path.join(b.stack.home, "run/bin")
    os.makedirs(d, exist_ok=True)
    for name in ("pg_dump", "pg_restore"):
        path = os.path.join(d, name)
        with open(path, "w") as f:
            f.write(f'#!/bin/sh\nsleep 1.5\nexec {PG_BIN}/{name} "$@"\n')
        os.chmod(path, 0o755)
    os.chmod(d, 0o755)
    return d


def dumping(b):
    """The child that makes a backup and its pg_dump; None: not now."""
    for pid in children(b.stack.pid("worker")):
        for sub in children(pid):
            if comm(sub) in ("pg_dump", "sh"):
                return pid, sub
    return None


def killed(b):
    before = b.files()
    b.stack.env["CATETUBE_PG_BIN"] = slow_programs(b)
    b.stack.up()
    job = b.enqueue("backup.run")
    pids = wait_for("a dump runs", 20, lambda: dumping(b))
    t.check(pids, "a dump runs")
    kill(pids[0], signal.SIGKILL)
    t.check(wait_for("it dies", 5, lambda: is_dead(pids[1])),
            "pg_dump dies with the worker's child")
    r = b.result(job)
    t.same(r.get("status"), "SUCCESS", "the job is done again")
    name = (r.get("result") or {}).get("name")
    t.same([f for f in b.files() if f not in before], [name],
           "one file of it, nothing half-written")
    job = b.enqueue("backup.run")
    t.check(wait_for("a dump runs", 20, lambda: dumping(b)), "another dump")
    pids = b.stack.family("worker")
    kill(pids[0], signal.SIGKILL)
    t.check(wait_for("all die", 10, lambda: all(is_dead(p) for p in pids)),
            "the worker is killed with all its children")
    t.same([f for f in b.files() if f not in before], [name],
           "and leaves nothing")
    del b.stack.env["CATETUBE_PG_BIN"]
    b.stack.up()
    r = b.result(job)
    t.same(r.get("status"), "SUCCESS", "the next one does it")
    t.same(b.files(), [(r.get("result") or {}).get("name")],
           "its file is that of the day")


def closed_directory(b):
    d = os.path.join(b.stack.home, "closed")
    os.makedirs(d, exist_ok=True)
    os.chmod(d, 0o555)
    if os.geteuid() == 0:
        os.chown(d, 0, 0)
    b.stack.env["CATETUBE_BACKUP_TO"] = d
    b.stack.up()
    r = b.result(b.enqueue("backup.run"))
    t.same(r.get("status"), "FAILURE", "a closed directory ends it")
    t.same((r.get("result") or {}).get("exc_message"),
           [f"cannot write to {d}: Permission denied"], "and the reason is")
    b.alive()


def full_disk(b):
    if os.geteuid() != 0:
        say("  not root: no full disk")
        return
    d = os.path.join(b.stack.home, "small")
    os.makedirs(d, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k,mode=777", "none",
                    d], check=True)
    try:
        b.stack.env["CATETUBE_BACKUP_TO"] = d
        b.stack.up()
        job = b.enqueue("backup.run")
        t.check(wait_for("retry", 30, lambda: b.stack.sql(
            f"select 1 from backup_log where id = '{job}' and error like"
            " '%No space left on device%'")), "a full disk is told")
        t.same(os.listdir(d), [], "nothing is left on it")
        t.check(wait_for("waits", 10, lambda: b.state(job) == "scheduled"),
                f"it is tried again: {b.state(job)}")
        b.alive()
        subprocess.run(["mount", "-o", "remount,size=64m", d], check=True)
        t.check(wait_for("done", 30, lambda: b.hurry() or b.result(
            job, 0.5).get("status") == "SUCCESS", 0.3), "with room it works")
        t.same(len(os.listdir(d)), 1, "one file")
    finally:
        subprocess.run(["umount", d], check=True)


def main():
    b = Backups("backup")
    try:
        b.stack.up()
        c = fill(b)
        say("  made and tried by the worker")
        by_job(b)
        again(b)
        no_rights(b)
        say("  catetubectl")
        other_place(b)
        keys(b)
        usage(b)
        say("  everything is wiped")
        wiped(b, c)
        say("  killed in the middle")
        killed(b)
        say("  no place to write")
        closed_directory(b)
        full_disk(b)
        t.same(b.stack.crashes("worker") + b.stack.crashes("fcgi"), [],
               "no crash")
    finally:
        b.stack.down(t.failed)
    return t.end()


if __name__ == "__main__":
    say("backup")
    sys.exit(main())
