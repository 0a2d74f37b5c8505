"""Mail servers and webhook targets that stop in the middle, at each stage: the
job is tried again with a reason, and the worker goes on with other jobs."""
import os
import socket
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../support"),
                os.path.join(HERE, "../fault")]
from hook_target import Certificates, Target  # noqa: E402
from lib import PASSWORD, Client, Stack, Tally, say, wait_for  # noqa: E402

t = Tally()
WEBHOOK_S, MAIL_S, SLACK_S = 5, 30, 15
LATE = "The mail server did not answer in time."


class Stalling:
    """A server that says some lines and then nothing, and closes nothing.
    lines: what it answers, one after each line that it is told."""

    def __init__(self, *lines, host="127.0.0.1"):
        self.lines = lines
        self.kept = []
        self.server = socket.create_server((host, 0), backlog=64)
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                conn, _ = self.server.accept()
            except OSError:
                return
            self.kept.append(conn)
            threading.Thread(target=self.talk, args=(conn,),
                             daemon=True).start()

    def talk(self, conn):
        try:
            for i, line in enumerate(self.lines):
                if i > 0:
                    conn.recv(4096)
                conn.sendall(line.encode() + b"\r\n")
        except OSError:
            pass

    def close(self):
        self.server.close()
        for conn in self.kept:
            conn.close()


class Full:
    """A listener whose queue is full: connections are neither taken nor
    refused."""

    def __init__(self, host="127.0.0.1"):
        self.server = socket.socket()
        self.server.bind((host, 0))
        self.server.listen(0)
        self.port = self.server.getsockname()[1]
        self.kept = []
        for _ in range(4):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex((host, self.port))
            self.kept.append(s)

    def close(self):
        for s in self.kept + [self.server]:
            s.close()


GREETING, HELLO = "220 mx ready", "250 mx"


def mail_stages():
    """Each with the answers that come before the silence."""
    return {
        "greeting": Stalling(),
        "EHLO": Stalling(GREETING),
        "MAIL FROM": Stalling(GREETING, HELLO),
        "RCPT TO": Stalling(GREETING, HELLO, "250 ok"),
        "DATA": Stalling(GREETING, HELLO, "250 ok", "250 ok"),
        "the message": Stalling(GREETING, HELLO, "250 ok", "250 ok",
                                "354 go on"),
    }


def register(stack):
    c = Client(stack.port)
    c.email = f"s-{os.urandom(6).hex()}@example.test"
    r = c.send("POST", "/api/auth/register", {
        "email": c.email, "password": PASSWORD, "first_name": "Ada"})
    assert r.status == 201, r.body
    c.cookie = r.head["Set-Cookie"].partition(";")[0]
    return c


def is_report_made(who):
    """Something else for the worker to do, from the request to the file."""
    made = who.send("POST", "/api/report/feeding", {"format": "csv"}).json()
    return wait_for("a report", 20, lambda: who.send(
        "GET", "/api/report/status/" + made["report_id"]).json()[
            "status"] == "completed")


def webhooks(stack, certificates):
    target = Target("127.0.0.2", certificates.context())
    silent = Stalling(host="127.0.0.2")
    full = Full("127.0.0.2")
    stages = {
        f"https://127.0.0.2:{full.port}/":
            "The target did not take the connection within 5 s.",
        f"https://127.0.0.2:{silent.port}/":
            "The target did not agree on TLS within 5 s.",
        target.url("/headers/stall"): "The target did not answer within 5 s.",
        target.url("/body/stall"):
            "The target did not end its answer within 5 s.",
    }
    who = register(stack)
    ids = {}
    for url in stages:
        r = who.send("POST", "/api/webhook/", {
            "url": url, "events": ["entry.added"]})
        assert r.status == 201, r.body
        ids[r.json()["data"]["id"]] = url
    begin = time.monotonic()
    who.send("POST", "/api/feeding/", {"amount_ml": 5})
    # While all four hang, in four children, the fifth works.
    t.check(is_report_made(who), "another job is done meanwhile")
    t.check(time.monotonic() - begin < WEBHOOK_S + SLACK_S, "in time")
    for hook_id, url in ids.items():
        path = f"/api/webhook/{hook_id}/delivery"
        wait_for(url, WEBHOOK_S + SLACK_S, lambda p=path: who.send(
            "GET", p).json()["deliveries"][0]["attempts"] >= 1)
        d = who.send("GET", path).json()["deliveries"][0]
        t.same((d["state"], d["error"]), ("pending", stages[url]),
               "tried again, with the stage")
    took = time.monotonic() - begin
    t.check(took < WEBHOOK_S + SLACK_S, f"all within {took:.1f} s")
    for one in (target, silent, full):
        one.close()


def set_server(stack, port, children):
    stack.env.update(CATETUBE_SMTP_URL=f"smtp://127.0.0.1:{port}",
                     CATETUBE_SMTP_TLS="0",
                     CATETUBE_WORKER_CHILDREN=str(children))
    stack.up()


def outcome(stack, who):
    """Why the last try failed; "" before its end. It may be in the next one."""
    return stack.sql("select id, error from mail where state in ('queued',"
                     f" 'sending') and to_address = '{who.email}'"
                     " and kind = 'verify'")[0][1]


def not_taken(stack):
    """The connection itself."""
    full = Full()
    set_server(stack, full.port, 2)
    who = register(stack)
    t.check(is_report_made(who), "another job is done meanwhile")
    wait_for("the try", MAIL_S + SLACK_S, lambda: outcome(stack, who))
    t.same(outcome(stack, who), LATE, "a mail waits, with a reason")
    full.close()


def mails(stack):
    """All stages at once, or each would take half a minute."""
    stages = mail_stages()
    port = {name: s.port for name, s in stages.items()}
    proxy = Switch(port)
    set_server(stack, proxy.port, len(stages) + 1)
    begin = time.monotonic()
    people = [register(stack) for _ in stages]
    t.check(is_report_made(people[0]), "another job is done meanwhile")
    for who in people:
        wait_for(who.email, MAIL_S + SLACK_S,
                 lambda w=who: outcome(stack, w))
        t.same(outcome(stack, who), LATE, "a mail waits, with a reason")
    took = time.monotonic() - begin
    t.check(took < MAIL_S + SLACK_S, f"all within {took:.1f} s")
    t.same(sorted(proxy.used), sorted(port), "each stage was met")
    for s in list(stages.values()) + [proxy]:
        s.close()


class Switch:
    """One port for several servers: each connection goes to the next one."""

    def __init__(self, ports):
        self.left, self.used, self.kept = list(ports.items()), [], []
        self.server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                conn, _ = self.server.accept()
            except OSError:
                return
            self.kept.append(conn)
            if not self.left:
                continue
            name, port = self.left.pop()
            self.used.append(name)
            threading.Thread(target=self.join, args=(conn, port),
                             daemon=True).start()

    def join(self, conn, port):
        other = socket.socket()
        self.kept.append(other)
        try:
            other.connect(("127.0.0.1", port))
        except OSError:
            return
        for a, b in ((conn, other), (other, conn)):
            threading.Thread(target=self.carry, args=(a, b),
                             daemon=True).start()

    @staticmethod
    def carry(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass

    def close(self):
        self.server.close()
        for s in self.kept:
            s.close()


def main():
    folder = tempfile.mkdtemp(prefix="catetube-stall-")
    certificates = Certificates(folder, ["IP:127.0.0.2"])
    stack = Stack("stall", CATETUBE_WEBHOOK_PRIVATE="127.0.0.2",
                  CATETUBE_WEBHOOK_CA=certificates.ca,
                  CATETUBE_WORKER_CHILDREN="5")
    try:
        stack.up()
        worker = stack.pid("worker")
        say("  webhook targets")
        webhooks(stack, certificates)
        t.same(stack.pid("worker"), worker, "the worker is the same")
        say("  mail servers")
        not_taken(stack)
        mails(stack)
        t.same(stack.crashes("worker"), [], "no crash")
    finally:
        stack.down(t.failed)
    return t.end()


if __name__ == "__main__":
    say("stall")
    sys.exit(main())
