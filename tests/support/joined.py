"""For Python tests that join the running stack: SQL, Redis, clients and the
mails that its worker wrote into CATETUBE_MAIL_DIR."""
import csv
import email
import email.policy
import glob
import io
import os
import re
import subprocess
import sys
import time
import urllib.parse

import redis as redis_py

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "fault"))
from lib import PASSWORD, Client, Tally, say, wait_for  # noqa: E402

URL = os.environ.get("CATETUBE_TEST_URL", "http://127.0.0.1:8080")
PORT = urllib.parse.urlsplit(URL).port


def sql(text):
    """Rows as lists of strings, as the service itself."""
    p = subprocess.run(
        ["psql", "-qX", "-t", "--csv", "-v", "ON_ERROR_STOP=1", "-c", text],
        stdout=subprocess.PIPE, text=True, timeout=120, check=True)
    return list(csv.reader(io.StringIO(p.stdout)))


def one(text):
    return sql(text)[0][0]


def redis():
    """A connection to the stack's Redis; answers are bytes."""
    url = urllib.parse.urlsplit(os.environ["REDIS_URL"])
    return redis_py.Redis(unix_socket_path=url.path)


def client():
    return Client(PORT)


def registered(**more):
    """A client with an account of its own; .id is the account's."""
    c = client()
    if more:
        c.email = more.setdefault("email", f"t-{os.urandom(8).hex()}@example.test")
        r = c.send("POST", "/api/auth/register", {
            "password": PASSWORD, "first_name": "Ada", **more})
        assert r.status == 201, r.body
        c.cookie = r.head["Set-Cookie"].partition(";")[0]
        c.id = r.json()["user"]["id"]
    else:
        c.id = c.register()
    return c


def login(address, password=PASSWORD):
    c = client()
    r = c.send("POST", "/api/auth/login",
               {"email": address, "password": password})
    if r.status == 200:
        c.cookie = r.head["Set-Cookie"].partition(";")[0]
    return r.status, c


def token_in(message):
    """The token of the link in a parsed mail, the same in both parts."""
    found = set()
    for part in ("plain", "html"):
        text = message.get_body((part,)).get_content()
        found |= set(re.findall(r"#([A-Za-z0-9_-]{43})\b", text))
    assert len(found) == 1, found
    return found.pop()


def mail(address, kind, seconds=15, number=1):
    """The mail of that kind to the address, once it was sent."""
    def look():
        rows = sql("select id, state from mail where to_address = "
                   f"'{address}' and kind = '{kind}' order by created_at desc")
        if len(rows) < number or rows[0][1] != "sent":
            return None
        return glob_mail(kind, rows[0][0])
    return wait_for(f"mail {kind} to {address}", seconds, look, 0.1)


def glob_mail(kind, mail_id):
    """The mail as it was last written, or None."""
    names = sorted(glob.glob(os.path.join(os.environ["CATETUBE_MAIL_DIR"],
                                          f"*-{kind}-{mail_id}.eml")))
    if not names:
        return None
    with open(names[-1], "rb") as f:
        return email.message_from_binary_file(f, policy=email.policy.default)


def token(address, kind, number=1):
    return token_in(mail(address, kind, number=number))


__all__ = ["PASSWORD", "PORT", "Tally", "client", "glob_mail", "login",
           "mail", "one",
           "redis", "registered", "say", "sql", "time", "token", "token_in",
           "wait_for"]
