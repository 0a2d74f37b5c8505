"""From registration to a new password through a real SMTP server, and what
becomes of a mail when the server is away, busy, unwilling or without TLS."""
import email
import email.policy
import os
import ssl
import subprocess
import sys

from aiosmtpd.controller import Controller

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../support"), os.path.join(HERE, "../fault")]
from lib import PASSWORD, Client, Stack, Tally, say, wait_for  # noqa: E402
from joined import token_in  # noqa: E402
from port import free_port  # noqa: E402

NEW = "another-Quiet-cat-9"
t = Tally()


class Inbox:
    """What the server was given, by recipient; and how it answers whom."""

    def __init__(self):
        self.got = []
        self.asked = 0
        self.busy = set()

    async def handle_MAIL(self, server, session, envelope, address, options):
        self.asked += 1
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("gone"):
            return "550 5.1.1 nobody of that name"
        if address in self.busy:
            self.busy.discard(address)
            return "451 4.2.0 greylisted, come back"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.got.append((envelope.mail_from, envelope.rcpt_tos,
                         bytes(envelope.content)))
        return "250 OK"

    def to(self, address, subject):
        for sender, to, raw in self.got:
            m = email.message_from_bytes(raw, policy=email.policy.default)
            if to == [address] and m["Subject"] == subject:
                return m
        return None


def serve(inbox, port, tls=None):
    c = Controller(inbox, hostname="127.0.0.1", port=port, tls_context=tls)
    c.start()
    return c


def state(stack, address, kind="verify"):
    rows = stack.sql("select state, coalesce(error, '') from mail where "
                     f"to_address = '{address}' and kind = '{kind}'")
    return rows[0] if rows else ["", ""]


def hurry(stack):
    """Retries that wait are due now."""
    stack.redis("EVAL", "for _, m in ipairs(redis.call('ZRANGE', 'jq:sched', 0,"
                " -1)) do redis.call('ZADD', 'jq:sched', 1, m) end return 1",
                "0")


def register(stack, name=None, first="Ada"):
    c = Client(stack.port)
    c.email = f"{name or 'ada'}-{os.urandom(4).hex()}@example.test"
    r = c.send("POST", "/api/auth/register", {
        "email": c.email, "password": PASSWORD, "first_name": first})
    assert r.status == 201, r.body
    c.cookie = r.head["Set-Cookie"].partition(";")[0]
    return c


def from_start_to_end(stack, inbox):
    w = register(stack, first="Zo\u00eb\nBcc: x@y.test")
    m = wait_for("the first mail", 15, lambda: inbox.to(
        w.email, "Confirm your e-mail address"))
    t.same(m["To"], w.email, "To")
    t.same(m.keys(), ["From", "To", "Subject", "Date", "Message-ID",
                      "Auto-Submitted", "MIME-Version", "Content-Type"],
           "headers, none of them the name's")
    text = m.get_body(("plain",)).get_content().replace("\r\n", "\n")
    t.check(text.startswith("Hello Zo\u00eb\nBcc: x@y.test,\n"),
            "the name, whole")
    t.check("\n.\n" not in text and len(m.defects) == 0, "no defects")
    r = Client(stack.port).send("POST", "/api/auth/verify-email",
                                {"token": token_in(m)})
    t.same(r.status, 200, "verified")
    t.check(w.send("GET", "/api/auth/me").json()["user"]["email_verified"],
            "and it shows")
    # A forged Host is not where the link leads to.
    Client(stack.port).send("POST", "/api/auth/forgot-password",
                            {"email": w.email}, Host="evil.test")
    m = wait_for("the reset mail", 15, lambda: inbox.to(
        w.email, "Choose a new password"))
    text = m.get_body(("plain",)).get_content()
    t.check("evil" not in text and f":{stack.port}/reset-password#" in text,
            "the link is ours")
    r = Client(stack.port).send("POST", "/api/auth/reset-password", {
        "token": token_in(m), "password": NEW})
    t.same(r.status, 200, "reset")
    for password, status in ((PASSWORD, 401), (NEW, 200)):
        r = Client(stack.port).send("POST", "/api/auth/login", {
            "email": w.email, "password": password})
        t.same(r.status, status, "log-in")
    t.check(wait_for("told", 15, lambda: inbox.to(
        w.email, "Your CatETube password was changed")), "told of it")
    ids = {email.message_from_bytes(raw)["Message-ID"] for *_, raw in inbox.got}
    t.same(len(ids), len(inbox.got), "each mail once")
    t.same({f for f, *_ in inbox.got}, {"catetube@127.0.0.1"}, "sender")


def refused(stack, inbox):
    w = register(stack, "gone")
    t.check(wait_for("refused", 15, lambda: state(stack, w.email)[0] ==
                     "failed"), "550 ends it")
    t.same(state(stack, w.email)[1], "550 5.1.1 nobody of that name",
           "with the server's words")


def busy(stack, inbox):
    w = register(stack, "busy")
    inbox.busy.add(w.email)
    t.check(wait_for("busy", 15, lambda: state(stack, w.email)[1]),
            "451 was heard")
    t.same(state(stack, w.email), ["queued", "451 4.2.0 greylisted, come back"],
           "it waits, with the server's words")
    t.check(wait_for("sent", 30, lambda: hurry(stack) or inbox.to(
        w.email, "Confirm your e-mail address")), "then it is sent")


def away(stack, inbox, server, port):
    server.stop()
    w = register(stack, "away")
    t.check(wait_for("tried", 30, lambda: state(stack, w.email)[1]),
            f"tried in vain: {state(stack, w.email)}")
    t.same(state(stack, w.email)[0], "queued", "it waits")
    server = serve(inbox, port)
    t.check(wait_for("sent", 30, lambda: hurry(stack) or inbox.to(
        w.email, "Confirm your e-mail address")), "sent when it is back")
    t.check(wait_for("written down", 10, lambda: state(stack, w.email) ==
                     ["sent", ""]), "and written down")
    return server


def self_signed(folder):
    """TLS by a certificate that nobody vouches for."""
    key, cert = (os.path.join(folder, n) for n in ("key.pem", "cert.pem"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-keyout",
         key, "-out", cert], check=True, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


def not_sent(stack, inbox):
    before = inbox.asked
    w = register(stack, "plain")
    t.check(wait_for("tried", 15, lambda: state(stack, w.email)[1]),
            f"not sent: {state(stack, w.email)}")
    t.same(state(stack, w.email)[0], "queued", "it waits")
    t.same(inbox.asked, before, "the server was told nothing")


def bad_row(stack, inbox):
    """An address that got past every check into the row is not written to."""
    stack.sql("alter table mail drop constraint mail_to_address_check;"
              "with m as (insert into mail (id, kind, to_address, args) values"
              " (gen_random_uuid(), 'deactivated',"
              " E'a@b.test\\r\\nBcc: c@d.test', '{\"name\":\"x\"}')"
              " returning id) insert into job_outbox (id, task, queue, kwargs)"
              " select id, 'mail.send', 'mail', jsonb_build_object('mail_id',"
              " id) from m")
    got = len(inbox.got)
    t.check(wait_for("refused", 15, lambda: stack.sql(
        "select state from mail where to_address like '%Bcc: %'") ==
        [["failed"]]), "the worker checks the address, too")
    t.same(len(inbox.got), got, "nothing was sent")


def secrets(stack, inbox):
    """No token that was mailed is in the database or in a log."""
    tokens = set()
    for *_, raw in inbox.got:
        m = email.message_from_bytes(raw, policy=email.policy.default)
        if "#" in m.get_body(("plain",)).get_content():
            tokens.add(token_in(m))
    t.check(len(tokens) > 2, f"{len(tokens)} tokens")
    text = "".join(str(stack.sql(f"select x::text from {name} x"))
                   for name in ("mail", "account_token", "job_outbox",
                                "job_run"))
    for name in os.listdir(os.path.join(stack.home, "log")):
        with open(os.path.join(stack.home, "log", name),
                  errors="replace") as f:
            text += f.read()
    t.check(not any(k in text for k in tokens), "none of them at rest")


def main():
    inbox = Inbox()
    port = free_port()
    server = serve(inbox, port)
    stack = Stack("mail", CATETUBE_SMTP_URL=f"smtp://127.0.0.1:{port}")
    try:
        stack.up()
        say("  a server without TLS")
        not_sent(stack, inbox)
        server.stop()
        say("  a server with the certificate of anybody")
        server = serve(inbox, port, self_signed(stack.var))
        not_sent(stack, inbox)
        server.stop()
        server = serve(inbox, port)
        say("  TLS not wanted, but a password would be sent")
        stack.env.update(CATETUBE_SMTP_TLS="0", CATETUBE_SMTP_USER="u",
                         CATETUBE_SMTP_PASSWORD="p")
        stack.up()
        not_sent(stack, inbox)
        stack.env.update(CATETUBE_SMTP_USER="", CATETUBE_SMTP_PASSWORD="")
        stack.up()
        from_start_to_end(stack, inbox)
        refused(stack, inbox)
        busy(stack, inbox)
        server = away(stack, inbox, server, port)
        bad_row(stack, inbox)
        secrets(stack, inbox)
        t.same(stack.crashes("worker") + stack.crashes("fcgi"), [], "no crash")
    finally:
        stack.down(t.failed)
        server.stop()
    return t.end()


if __name__ == "__main__":
    say("mail")
    sys.exit(main())
