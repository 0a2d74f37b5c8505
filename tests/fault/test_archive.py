"""Exports and imports when something dies: killed in the middle they are done
once, whole, in constant memory; on a full disk nothing half is to be seen, and
they are done when there is room again."""
import argparse
import glob
import os
import re
import signal
import subprocess
import sys

from lib import Client, Stack, Tally, children, comm, kill, say, wait_for

t = Tally()


def account(stack):
    c = Client(stack.port)
    c.id = c.register()
    c.cat = c.send("GET", "/api/auth/me").json()["user"]["cat_id"]
    return c


def fill(stack, who, rows):
    stack.sql(
        "insert into feeding (cat_id, id, given_at, care_day, amount_ul, notes,"
        f" by_account) select '{who.cat}', gen_random_uuid(), "
        "'2015-01-01T00:00:00Z'::timestamptz + n * interval '1 minute',"
        " '2015-01-01'::date + n / 1440, 1 + n % 200000, 'note ' || n,"
        f" '{who.id}' from generate_series(0, {rows - 1}) n")


def jobs(stack):
    """The children that run jobs."""
    return [p for p in children(stack.pid("worker"))
            if comm(p).startswith("catetube-job")]


def peak_mib(pids):
    most = 0
    for p in pids:
        try:
            with open(f"/proc/{p}/status") as f:
                m = re.search(r"VmHWM:\s+(\d+)", f.read())
                most = max(most, int(m.group(1)) // 1024 if m else 0)
        except OSError:
            pass
    return most


def hurry(stack):
    """Retries that wait are due now."""
    stack.redis("EVAL", "for _, m in ipairs(redis.call('ZRANGE', 'jq:sched', 0,"
                " -1)) do redis.call('ZADD', 'jq:sched', 1, m) end return 1",
                "0")


def ask_export(who):
    who.close()  # nginx may have closed an idle one
    r = who.send("POST", "/api/auth/export")
    assert r.status == 202, r.body
    return r.json()["report_id"]


def report(who, made):
    return who.send("GET", f"/api/report/status/{made}").json()


def imported(who, made):
    return who.send("GET", f"/api/import/{made}").json()


def strike(stack, look, times):
    """Kill all children that run jobs, as often, while look() says that it
    goes on; how often it did."""
    struck = 0
    for _ in range(times):
        if not wait_for("under way", 20, look, 0.005):
            break
        for p in jobs(stack):
            kill(p, signal.SIGKILL)
        struck += 1
        hurry(stack)
    return struck


def left(stack):
    return [n for n in glob.glob(os.path.join(stack.home, "files/*/*"))
            if ".tmp-" in os.path.basename(n)]


def killed_exports(stack, who):
    made = ask_export(who)
    struck = strike(stack, lambda: report(who, made)["progress"] > 0
                    and report(who, made)["status"] == "processing", 2)
    t.check(struck > 0, f"the export was killed {struck} times")
    t.check(wait_for("export", 60, lambda: hurry(stack) or report(
        who, made)["status"] == "completed", 0.2), "and is made")
    t.same(left(stack), [], "it left nothing half")
    r = who.send("GET", f"/api/report/download/{made}")
    t.same(r.status, 200, "download")
    return r.body


def killed_imports(stack, data, rows):
    who = account(stack)
    made = who.upload("/api/import", data).json()["import_id"]
    struck = strike(stack, lambda: imported(who, made)["rows_done"] > 0
                    and imported(who, made)["status"] == "processing", 1)
    t.check(wait_for("preview", 90, lambda: hurry(stack) or imported(
        who, made)["status"] == "completed", 0.2), f"seen, killed {struck}")
    t.same(stack.sql("select count(*) from feeding f join cat_member m on "
                     "m.cat_id = f.cat_id and m.account_id = "
                     f"'{who.id}'")[0][0], "0", "nothing is written by that")
    who.send("POST", f"/api/import/{made}/run")
    struck = strike(stack, lambda: imported(who, made)["rows_done"] > 0
                    and imported(who, made)["status"] == "processing", 2)
    t.check(struck > 0, f"the import was killed {struck} times")
    seen = set()

    def ended():
        hurry(stack)
        seen.add(stack.sql(
            "select count(*) from feeding f join cat_member m on m.cat_id = "
            f"f.cat_id and m.account_id = '{who.id}'")[0][0])
        return imported(who, made)["status"] == "completed"
    t.check(wait_for("import", 120, ended, 0.1), "and is done")
    got = imported(who, made)
    t.same(got["summary"]["total"]["refused"], 0, "nothing was refused")
    ended()
    t.same(sorted(seen - {"0"}), [str(rows)], "all rows at once, none twice")


def memory(stack, who):
    """Of the children, after all that: the rows do not add up in them."""
    made = ask_export(who)
    top = 0
    while report(who, made)["status"] == "processing":
        top = max(top, peak_mib(jobs(stack)))
    top = max(top, peak_mib(jobs(stack)))
    t.check(0 < top < 100, f"an export takes {top} MiB at the most")


class FullDisk:
    """A file system without room where the directory was."""

    def __init__(self, path):
        self.path = path
        os.makedirs(path, exist_ok=True)
        st = os.stat(path)
        self.options = f"size=64k,mode=0750,uid={st.st_uid},gid={st.st_gid}"

    def __enter__(self):
        self.mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", self.options, "none", self.path],
            stderr=subprocess.DEVNULL).returncode == 0
        return self.mounted

    def __exit__(self, *_):
        if self.mounted:
            subprocess.run(["umount", "-l", self.path], check=False)


def full_disk(stack, who, data):
    with FullDisk(os.path.join(stack.home, "files/reports")) as full:
        if not full:
            say("  (no full disk: mounting is not allowed here)")
            return
        made = ask_export(who)
        wait_for("retry", 30, lambda: stack.redis("ZCARD", "jq:sched")[0]
                 != "0")
        t.same(report(who, made)["status"], "processing", "it is tried again")
        t.same(who.send("GET", f"/api/report/download/{made}").status, 409,
               "there is no file")
        t.same(left(stack), [], "nor half of one")
    t.check(wait_for("export", 60, lambda: hurry(stack) or report(
        who, made)["status"] == "completed", 0.2),
        "with room again it is made")
    who.close()
    with FullDisk(os.path.join(stack.home, "files/uploads")):
        r = who.upload("/api/import", data)
        t.same((r.status, r.is_polite() and r.json()["code"]),
               (503, "storage"), "an upload without room")
        t.same(left(stack), [], "leaves nothing")
    t.same(who.send("GET", "/api/import").json()["imports"], [], "no import")
    made = who.upload("/api/import", data).json()["import_id"]
    t.check(wait_for("import", 60, lambda: imported(
        who, made)["status"] == "completed"), "with room it is taken")
    # Its file vanishes: told, not tried for ever.
    os.unlink(os.path.join(stack.home, "files/uploads", made + ".zip"))
    who.send("POST", f"/api/import/{made}/run")
    got = wait_for("told", 20, lambda: imported(
        who, made)["status"] == "error" and imported(who, made))
    t.check(got and "send it again" in got["error"], "a vanished file")


def main():
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--quick", action="store_true", help="a tenth of it")
    ask.add_argument("--keep", action="store_true")
    args = ask.parse_args()
    rows = 30000 if args.quick else 300000
    stack = Stack("archive")
    stack.up()
    try:
        who = account(stack)
        fill(stack, who, rows)
        data = killed_exports(stack, who)
        say(f"  {rows} meals are {len(data) >> 10} KiB")
        memory(stack, who)
        killed_imports(stack, data, rows)
        full_disk(stack, who, data)
        t.same([], stack.crashes("worker") + stack.crashes("fcgi"),
               "no crash")
    finally:
        stack.down(args.keep or t.failed > 0)
    return t.end()


if __name__ == "__main__":
    sys.exit(main())
