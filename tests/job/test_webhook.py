"""Webhooks against real HTTPS servers on loopback: what is sent, by whom it can
be checked, what becomes of it when the target fails, and where nothing goes."""
import glob
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../support"),
                os.path.join(HERE, "../fault")]
from hook_target import Certificates, Target, is_signed  # noqa: E402
from lib import (ROOT, Client, Stack, Tally, children, comm,  # noqa: E402
                 is_dead, kill, say, wait_for)

t = Tally()
MARK = "k" + os.urandom(6).hex()


def account(stack):
    c = Client(stack.port)
    c.id = c.register()
    return c


def hook(who, url, **more):
    r = who.send("POST", "/api/webhook/", {"url": url, **more})
    assert r.status == 201, r.body
    made = r.json()
    return made["data"]["id"], made["secret"]


def feed(who, amount=5):
    r = who.send("POST", "/api/feeding/", {"amount_ml": amount})
    assert r.status == 201, r.body
    return r.json()["data"]["id"]


def deliveries(who, hook_id):
    return who.send("GET", f"/api/webhook/{hook_id}/delivery").json()[
        "deliveries"]


def state(who, hook_id):
    """Of the newest delivery: state, attempts, status, error."""
    d = deliveries(who, hook_id)[0]
    return [d[k] for k in ("state", "attempts", "status", "error")]


def seen(who, hook_id):
    return who.send("GET", f"/api/webhook/{hook_id}").json()


def due(stack):
    """Jobs that wait are due now."""
    stack.redis("EVAL", "for _, m in ipairs(redis.call('ZRANGE', 'jq:sched', 0,"
                " -1)) do redis.call('ZADD', 'jq:sched', 1, m) end return 1",
                "0")


def hurry(stack):
    """The same, and no target is held back."""
    stack.sql("update webhook set hold_until = null")
    due(stack)


def until(what, test, seconds=20):
    return t.check(wait_for(what, seconds, test), what)


def by_path(target, path):
    return [g for g in target.got if g.path == path]


# ---- what is sent

def signed(stack, target):
    who = account(stack)
    url = target.url("/ok?token=" + MARK)
    hook_id, secret = hook(who, url)
    meal = feed(who, 45.5)
    until("a meal is told", lambda: target.got)
    got = target.got[0]
    t.check(is_signed(got, secret), "the signature is right")
    t.check(not is_signed(got, secret[:-8] + "AAAAAAA="), "of this key only")
    t.check(not is_signed(got, secret, now=2e9), "and of this time")
    t.same(got.path, "/ok?token=" + MARK, "path and query")
    t.same(sorted(k.lower() for k in got.headers), [
        "content-length", "content-type", "host", "user-agent", "webhook-id",
        "webhook-signature", "webhook-timestamp"], "headers, no more")
    t.same(got.headers["content-type"], "application/json", "type")
    body = got.json
    t.same((body["type"], body["noun"], body["version"], body["webhook_id"]),
           ("entry.added", "feeding", 1, hook_id), "what it says")
    t.same(body["id"], got.id, "its id")
    t.same(body["data"], who.send("GET", f"/api/feeding/{meal}").json(),
           "the meal as the API shows it")
    until("it is written down", lambda: state(who, hook_id)[0] == "sent")
    d = deliveries(who, hook_id)[0]
    t.same((d["id"], d["type"], d["status"], d["noun_id"], d["error"]),
           (got.id, "entry.added", 200, meal, None), "the list says so")
    h = seen(who, hook_id)
    t.same((h["failures"], h["last_status"], h["last_error"]), (0, 200, None),
           "so does the webhook")
    until("its outbox row is done", lambda: stack.sql(
        f"select state from job_outbox where id = '{got.id}'") == [["done"]])
    return got, secret


def documented(got, secret):
    """The examples of the document, as they stand there."""
    with open(os.path.join(ROOT, "docs/WEBHOOKS.md"), encoding="utf-8") as f:
        text = f.read()
    python, shell = (re.search(
        rf"<!-- verify {name} -->\n```\w+\n(.*?)```", text, re.S).group(1)
        for name in ("python", "shell"))
    space = {}
    exec(python, space)  # pylint: disable=exec-used
    t.check(space["verify"](secret, got.headers, got.body), "Python's example")
    t.check(not space["verify"](secret, got.headers, got.body + b" "),
            "which notices a byte more")
    with tempfile.TemporaryDirectory() as d:
        for body, want in ((got.body, "good"), (got.body + b" ", "not ours")):
            with open(os.path.join(d, "body"), "wb") as f:
                f.write(body)
            said = subprocess.run(
                ["bash", "-c", shell], cwd=d, text=True, check=True,
                stdout=subprocess.PIPE, env={
                    "PATH": os.environ["PATH"], "SECRET": secret,
                    "ID": got.id, "AT": got.headers["webhook-timestamp"],
                    "SIGNATURE": got.headers["webhook-signature"]}).stdout
            t.same(said.strip(), want, "the shell's example")


def every_event(stack, target):
    who = account(stack)
    hook_id, secret = hook(who, target.url("/events"))
    meal = feed(who)
    path = f"/api/feeding/{meal}"
    # One after another: only then is the order known.
    steps = [("entry.added", lambda: None),
             ("entry.changed", lambda: who.send("PATCH", path,
                                                {"amount_ml": 6})),
             ("entry.deleted", lambda: who.send("DELETE", path)),
             ("entry.restored", lambda: who.send("POST", path + "/restore")),
             ("report.ready", lambda: who.send(
                 "POST", "/api/report/feeding", {"format": "csv"})),
             ("test", lambda: who.send("POST",
                                       f"/api/webhook/{hook_id}/test"))]
    for n, (name, act) in enumerate(steps):
        act()
        until(f"{name} is told",
              lambda n=n: len(by_path(target, "/events")) == n + 1)
    got = by_path(target, "/events")
    t.same([g.json["type"] for g in got], [name for name, _ in steps], "types")
    t.check(all(is_signed(g, secret) for g in got), "all of them signed")
    t.check(got[2].json["data"]["deleted_at"], "a deleted meal says when")
    t.same(got[4].json["data"]["format"], "csv", "the report is described")
    t.same([g.json["version"] for g in got[:4]], [1, 2, 3, 4], "versions")


# ---- targets that fail

def tried_again(stack, target):
    who = account(stack)
    hook_id, secret = hook(who, target.url("/again"))
    target.status["/again"] = 500
    feed(who)
    until("500 is heard", lambda: state(who, hook_id) == [
        "pending", 1, 500, "The target answered 500."])
    h = seen(who, hook_id)
    t.same((h["enabled"], h["failures"], h["last_status"]), (True, 1, 500),
           "the webhook says so")
    feed(who)
    until("a second meal waits for the target", lambda: stack.sql(
        "select count(*) from webhook_delivery d join job_outbox o"
        f" on o.id = d.id where d.webhook_id = '{hook_id}'"
        " and o.state = 'sent'") == [["2"]])
    time.sleep(1.5)
    t.same(len(by_path(target, "/again")), 1, "nothing is sent meanwhile")
    target.status["/again"] = 503
    hurry(stack)
    until("it fails again", lambda: seen(who, hook_id)["failures"] >= 2)
    target.status["/again"] = 204
    until("taken in the end", lambda: hurry(stack) or {
        d["state"] for d in deliveries(who, hook_id)} == {"sent"})
    got = by_path(target, "/again")
    t.same(len({g.id for g in got}), 2, "two events")
    t.check(len(got) > 2 and all(is_signed(g, secret) for g in got),
            "each try is signed anew")
    t.same(seen(who, hook_id)["failures"], 0, "all is forgotten")


def asked_to_wait(stack, target):
    who = account(stack)
    hook_id, _ = hook(who, target.url("/429"))
    feed(who)
    until("429 is heard", lambda: state(who, hook_id)[1] == 1)
    t.same(stack.sql("select hold_until between now() + interval '60 s' and"
                     " now() + interval '121 s' from webhook where id ="
                     f" '{hook_id}'"), [["t"]], "Retry-After is heeded")


def given_up(stack, target):
    who = account(stack)
    hook_id, _ = hook(who, target.url("/500"))
    feed(who)
    until("the first try", lambda: state(who, hook_id)[1] == 1)
    stack.sql("update webhook_delivery set attempts = 11 where webhook_id ="
              f" '{hook_id}'")
    until("after the last one it is given up", lambda: hurry(stack) or state(
        who, hook_id) == ["failed", 12, 500, "The target answered 500."])
    stack.sql("update webhook set hold_until = now() + interval '1 h' where"
              f" id = '{hook_id}'")
    feed(who)
    stack.sql("update webhook_delivery set created_at = now() - interval '25 h'"
              f" where webhook_id = '{hook_id}' and state = 'pending'")
    until("so is what waited for a day", lambda: due(stack) or [
        d for d in deliveries(who, hook_id)
        if (d["state"], d["attempts"]) == ("failed", 0)])
    t.check(seen(who, hook_id)["enabled"], "the webhook stays on")


def mails_to(stack, who):
    return stack.sql("select id, state from mail where kind = 'webhook_off' and"
                     f" to_address = '{who.email}'")


def switched_off(stack, target):
    who = account(stack)
    hook_id, _ = hook(who, target.url("/500?off"))
    feed(who)
    until("the first try", lambda: state(who, hook_id)[1] == 1)
    stack.sql("update webhook set failures = 0, hold_until = null,"
              " failing_since = now() - interval '25 h' where id ="
              f" '{hook_id}'")
    feed(who)
    until("a failure after a day", lambda: seen(who, hook_id)["failures"])
    t.check(seen(who, hook_id)["enabled"], "but few of them")
    stack.sql(f"update webhook set failures = 4 where id = '{hook_id}'")
    until("off after a day", lambda: hurry(stack) or not seen(
        who, hook_id)["enabled"])
    t.same(seen(who, hook_id)["disabled_why"], "The target answered 500.",
           "and why")
    until("its owner is told", lambda: [m[1] for m in mails_to(stack, who)] ==
          ["sent"])
    name = glob.glob(os.path.join(stack.home, "mail",
                                  f"*{mails_to(stack, who)[0][0]}.eml"))[0]
    with open(name, encoding="utf-8") as f:
        text = f.read().replace("=\n", "")
    t.check(target.host in text and "answered 500" in text and
            "?off" not in text, "which target and why, not its query")
    until("what waited is dropped", lambda: hurry(stack) or not [
        d for d in deliveries(who, hook_id) if d["state"] == "pending"])
    sent = len(by_path(target, "/500?off"))
    feed(who)
    t.same(len(deliveries(who, hook_id)), 2, "nothing is noted any more")
    t.same(len(by_path(target, "/500?off")), sent, "nor sent")
    t.same(len(mails_to(stack, who)), 1, "one mail")
    who.send("PATCH", f"/api/webhook/{hook_id}", {"enabled": True})
    feed(who)
    until("on again", lambda: len(by_path(target, "/500?off")) > sent)


def gone(stack, target):
    who = account(stack)
    hook_id, _ = hook(who, target.url("/410"))
    feed(who)
    until("410 switches it off", lambda: not seen(who, hook_id)["enabled"])
    t.same(state(who, hook_id)[:3], ["failed", 1, 410], "at the first try")
    until("its owner is told", lambda: mails_to(stack, who))


def odd_answers(stack, target, trap):
    target.elsewhere = trap.url("/ok")
    for path, want in (
            ("/302", "The target answered 302."),
            ("/404", "The target answered 404."),
            ("/nothing", "The target closed without an answer."),
            ("/garbage", "The target gave no answer of HTTP."),
            ("/headers/endless",
             "The headers of the target's answer are too long.")):
        who = account(stack)
        hook_id, _ = hook(who, target.url(path))
        feed(who)
        until(f"{path}: {want}", lambda w=who, h=hook_id, e=want: state(
            w, h)[0::3] == ["pending", e])
    t.same(trap.connections, 0, "the redirect was not followed")
    who = account(stack)
    hook_id, _ = hook(who, target.url("/body/endless"))
    feed(who)
    until("an endless body is a delivery", lambda: state(who, hook_id) == [
        "sent", 1, 200, None])


# ---- where nothing goes

def forbidden(stack, target, trap):
    """The name is fine, the address is not; the address is looked at when it
    is connected to."""
    who = account(stack)
    hook_id, _ = hook(who, trap.url("/ok", "localhost"))
    feed(who)
    until("a private address is refused", lambda: state(who, hook_id) == [
        "failed", 1, None,
        "The target's address is not one of the public internet."])
    # Rows are checked as well as requests.
    for url in (f"https://127.0.0.1:{trap.port}/ok",
                f"https://[::ffff:127.0.0.1]:{trap.port}/ok",
                f"https://2130706433:{trap.port}/ok"):
        stack.sql(f"update webhook set url = '{url}', hold_until = null where"
                  f" id = '{hook_id}'")
        n = len(deliveries(who, hook_id))
        feed(who)
        until(f"so is {url.split(':')[1]}", lambda n=n: len(
            deliveries(who, hook_id)) == n + 1 and state(
                who, hook_id)[0] == "failed")
    stack.sql("update webhook set url = 'file:///etc/passwd', hold_until = null"
              f" where id = '{hook_id}'")
    feed(who)
    until("so is a file", lambda: state(who, hook_id)[3] ==
          "must begin with https:// or http:// and a host")
    t.same(trap.connections, 0, "nobody knocked there")
    r = who.send("POST", "/api/webhook/", {"url": "http://8.8.8.8/"})
    t.same((r.status, r.json()["fields"]), (400, {
        "url": "names an address that may be reached by https only"}),
        "plain http only to the operator's networks")


def plain_http(stack, plain):
    who = account(stack)
    hook_id, secret = hook(who, plain.url("/ok"))
    feed(who)
    until("plain http to a network of the operator's", lambda: state(
        who, hook_id)[0] == "sent")
    t.check(is_signed(plain.got[0], secret), "signed as well")


def stranger(stack, folder):
    """A certificate that nobody vouches for, and one for another name."""
    os.mkdir(os.path.join(folder, "other"))
    other = Certificates(os.path.join(folder, "other"), ["IP:127.0.0.2"])
    target = Target("127.0.0.2", other.context())
    who = account(stack)
    hook_id, _ = hook(who, target.url("/ok"))
    feed(who)
    until("a strange certificate", lambda: state(who, hook_id)[0::3] == [
        "pending", "The target's certificate is not good."])
    t.same(target.got, [], "nothing was said to it")
    target.close()


def flipping(stack, certificates, folder):
    """The same name leads to an allowed address and to another in turn. A
    worker of its own, since a resolver is to be put into it."""
    library = os.path.join(folder, "fake_dns.so")
    subprocess.run(["gcc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library,
                    os.path.join(HERE, "fake_dns.c"), "-ldl"], check=True)
    old = stack.pid("worker")
    kill(old, signal.SIGTERM)
    assert wait_for("the end of the worker", 40, lambda: is_dead(old))
    target = Target("127.0.0.2", certificates.context())
    trap = socket.create_server(("127.0.0.3", target.port))
    trap.setblocking(False)
    questions = os.path.join(folder, "questions")
    log = open(os.path.join(folder, "worker.log"), "w", encoding="utf-8")
    env = {k: v for k, v in stack.vars.items()
           if not k.startswith(("PG", "OWNER"))}
    worker = subprocess.Popen(
        [os.environ.get("CATETUBE_TEST_WORKER",
                        os.path.join(ROOT, "build/catetube-worker"))],
        env=dict(env, PATH=os.environ["PATH"], LD_PRELOAD=library,
                 FAKE_DNS_LOG=questions, CATETUBE_WORKER_CHILDREN="1",
                 CATETUBE_NODE="flip",
                 ASAN_OPTIONS="verify_asan_link_order=0:detect_leaks=0"),
        stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    who = account(stack)
    try:
        hook_id, _ = hook(who, target.url("/ok", "flip.test"))
        tries = 6
        for n in range(tries):
            who.send("POST", f"/api/webhook/{hook_id}/test")
            wait_for("its end", 20, lambda n=n: state(
                who, hook_id)[0] != "pending")
            hurry(stack)
        done = [d["state"] for d in deliveries(who, hook_id)]
        t.same(sorted(done), ["failed"] * 3 + ["sent"] * 3,
               "each answer was judged")
        with open(questions, encoding="utf-8") as f:
            t.same(f.read().split(), ["flip.test"] * tries, "asked once a try")
        hook_id, _ = hook(who, target.url("/ok", "both.test"))
        who.send("POST", f"/api/webhook/{hook_id}/test")
        until("of two addresses the good one is taken", lambda: state(
            who, hook_id)[0] == "sent")
        try:
            trap.accept()
            t.check(False, "the other one was connected to")
        except BlockingIOError:
            t.check(True, "the other one was never connected to")
    finally:
        kill(worker.pid, signal.SIGTERM)
        worker.wait(40)
        log.close()
        trap.close()
        target.close()


# ---- the worker, and what it leaves behind

def killed(stack, target):
    """kill -9 while the target has it: it comes again, with the same id."""
    who = account(stack)
    hook_id, _ = hook(who, target.url("/headers/stall"))
    feed(who)
    first = wait_for("it is there", 20,
                     lambda: by_path(target, "/headers/stall"))
    stack.sql(f"update webhook set url = '{target.url('/killed')}' where id ="
              f" '{hook_id}'")
    for pid in children(stack.pid("worker")):
        if comm(pid).startswith("catetube-job"):
            kill(pid, signal.SIGKILL)
    until("it comes again", lambda: by_path(target, "/killed"))
    t.same(by_path(target, "/killed")[0].id, first[0].id, "with the same id")
    until("and is written down", lambda: state(who, hook_id)[0] == "sent")


def left(stack, target):
    """Who was put out of the household is told nothing, not even of before."""
    owner, guest = account(stack), account(stack)
    cat = owner.send("GET", "/api/auth/me").json()["user"]["cat_id"]
    stack.sql("insert into cat_member (cat_id, account_id, role) values"
              f" ('{cat}', '{guest.id}', 1)")
    r = guest.send("POST", "/api/webhook/", {
        "url": target.url("/guest"), "cat_id": cat})
    hook_id = r.json()["data"]["id"]
    stack.sql("update webhook set hold_until = now() + interval '1 h'")
    feed(owner)
    t.same(len(deliveries(guest, hook_id)), 1, "a guest's webhook")
    stack.sql(f"delete from cat_member where account_id = '{guest.id}' and"
              f" cat_id = '{cat}'")
    until("is dropped with the guest", lambda: hurry(stack) or state(
        guest, hook_id)[0] == "dropped")
    t.same(by_path(target, "/guest"), [], "nothing was sent")


def secrets(stack, secret):
    words = (MARK, secret[6:], secret[6:-1])
    text = "".join(str(stack.sql(f"select x::text from {name} x")) for name in
                   ("webhook_delivery", "job_outbox", "job_run", "mail"))
    for name in glob.glob(os.path.join(stack.home, "log", "*.log")):
        with open(name, errors="replace", encoding="utf-8") as f:
            text += f.read()
    for key in stack.redis("KEYS", "*"):
        for command in (("GET",), ("HGETALL",), ("LRANGE", "0", "-1"),
                        ("ZRANGE", "0", "-1")):
            text += str(stack.redis(command[0], key, *command[1:]))
    t.check(not any(w in text for w in words),
            "neither secret nor query is in logs, jobs or Redis")


def main():
    folder = tempfile.mkdtemp(prefix="catetube-hook-")
    certificates = Certificates(folder, [
        "IP:127.0.0.2", "DNS:localhost", "DNS:flip.test", "DNS:both.test"])
    target = Target("127.0.0.2", certificates.context())
    plain = Target("127.0.0.2")
    trap = Target("127.0.0.1", certificates.context())
    stack = Stack("hook", CATETUBE_WEBHOOK_PRIVATE="127.0.0.2",
                  CATETUBE_WEBHOOK_CA=certificates.ca,
                  CATETUBE_WORKER_CHILDREN="3")
    try:
        stack.up()
        got, secret = signed(stack, target)
        documented(got, secret)
        for part in (every_event, tried_again, asked_to_wait, given_up,
                     switched_off, gone, killed, left):
            say(f"  {part.__name__.replace('_', ' ')}")
            part(stack, target)
        say("  odd answers, forbidden addresses")
        odd_answers(stack, target, trap)
        forbidden(stack, target, trap)
        plain_http(stack, plain)
        stranger(stack, folder)
        secrets(stack, secret)
        t.same(stack.crashes("worker") + stack.crashes("fcgi"), [], "no crash")
        say("  a name server that changes its mind")
        flipping(stack, certificates, folder)
    finally:
        stack.down(t.failed)
        for one in (target, plain, trap):
            one.close()
    subprocess.run(["rm", "-rf", folder], check=False)
    return t.end()


if __name__ == "__main__":
    say("webhook")
    sys.exit(main())
