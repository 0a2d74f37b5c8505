"""What the tests of the API document share: the document, one HTTP client
that sends exactly the bytes it is given, accounts, ids, and the checks that
hold for every answer.

The stack under test is CATETUBE_TEST_URL, its origin CATETUBE_ORIGIN.
"""
import decimal
import json
import os
import re
import secrets
import socket
import subprocess
import time
import urllib.parse

import jsonschema
import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
URL = urllib.parse.urlsplit(os.environ.get("CATETUBE_TEST_URL",
                                           "http://127.0.0.1:8080"))
ORIGIN = os.environ.get("CATETUBE_ORIGIN") or URL.geturl().rstrip("/")
FCGI = os.environ.get("CATETUBE_FCGI", "build/catetube-fcgi")
PASSWORD = "seven warm syringes"
TIMEOUT_S = 30
METHODS = ("get", "post", "put", "patch", "delete")


class Tally:
    """Lines that tests/check.sh counts, and its last one."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, bad):
        """bad: what is wrong, a list of texts; empty is good."""
        bad = list(bad)
        self.passed += not bad
        self.failed += bool(bad)
        print(f"{'not ok' if bad else 'ok'} {name}", flush=True)
        for text in bad[:20]:
            print(f"    {text}")
        if len(bad) > 20:
            print(f"    and {len(bad) - 20} more")

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed or not self.passed else 0


# ---- the document

def exact(value):
    """Numbers as decimals: 209.7 is no multiple of 0.001 in binary."""
    if isinstance(value, float):
        return decimal.Decimal(repr(value))
    if isinstance(value, dict):
        return {k: exact(v) for k, v in value.items()}
    if isinstance(value, list):
        return [exact(v) for v in value]
    return value


def load(path=None):
    path = path or os.path.join(ROOT, "docs/openapi.yaml")
    with open(path, encoding="utf-8") as f:
        return exact(yaml.load(f, getattr(yaml, "CSafeLoader",
                                          yaml.SafeLoader)))


class Op:
    """One operation: a method of a path."""

    def __init__(self, path, method, body):
        self.path, self.method, self.doc = path, method.upper(), body
        self.id, self.who = body["operationId"], body["x-who"]
        self.rate = body["x-rate-class"]
        content = body.get("requestBody", {}).get("content", {})
        self.body = content.get("application/json")
        # A test calls nobody: the worker refuses this host without a look-up.
        if self.body and "url" in self.body.get("example", {}):
            self.body["example"]["url"] = "https://localhost/hook"
        self.upload = "application/zip" in content
        self.query = [p for p in body["parameters"] if p.get("in") == "query"]
        self.key = any(p.get("$ref", "").endswith("/IdempotencyKey")
                       for p in body["parameters"])
        self.success = [s for s in body["responses"] if s[0] == "2"]

    def __repr__(self):
        return f"{self.method} {self.path}"

    def documents(self, status):
        r = self.doc["responses"]
        return str(status) in r or f"{status // 100}XX" in r


def operations(doc):
    return [Op(path, m, item[m]) for path, item in doc["paths"].items()
            for m in METHODS if m in item]


def find(doc, ref):
    at = doc
    for part in ref[2:].split("/"):
        at = at[part.replace("~1", "/").replace("~0", "~")]
    return at


def schema_of(doc, op, status):
    """Schema of the JSON answer of that status; None: none is said."""
    r = op.doc["responses"]
    r = r.get(str(status)) or r.get(f"{status // 100}XX")
    if "$ref" in r:
        r = find(doc, r["$ref"])
    return r.get("content", {}).get("application/json", {}).get("schema")


def strict(doc):
    """The same document, but an answer may hold only what is said there."""
    doc = json.loads(json.dumps(doc, default=str), parse_float=decimal.Decimal)

    def close(node):
        if isinstance(node, dict):
            if node.get("type") == "object" and "properties" in node:
                node.setdefault("additionalProperties", False)
            if isinstance(node.get("multipleOf"), str):
                node["multipleOf"] = decimal.Decimal(node["multipleOf"])
            for v in node.values():
                close(v)
        elif isinstance(node, list):
            for v in node:
                close(v)

    close(doc)
    return doc


CHECKER = jsonschema.FormatChecker(formats=())


@CHECKER.checks("uuid")
def is_uuid(v):
    return not isinstance(v, str) or re.fullmatch(
        r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", v) is not None


@CHECKER.checks("date-time")
def is_time(v):
    return not isinstance(v, str) or re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", v) is not None


@CHECKER.checks("date")
def is_day(v):
    return not isinstance(v, str) or re.fullmatch(
        r"\d{4}-\d\d-\d\d", v) is not None


def faults(doc, schema, value):
    """How value breaks schema, a list of texts."""
    v = jsonschema.Draft202012Validator(
        schema, format_checker=CHECKER,
        resolver=jsonschema.RefResolver("", doc))
    return [f"{'/'.join(map(str, e.absolute_path)) or '(root)'}: "
            f"{e.message[:200]}" for e in v.iter_errors(value)]


def parse(body):
    return json.loads(body, parse_float=decimal.Decimal)


# ---- one client

class Gone(Exception):
    """The connection ended before an answer."""


class Client:
    """One kept connection. send() takes and gives bytes, as they are."""

    def __init__(self):
        self.sock = None
        self.left = b""

    def close(self):
        if self.sock:
            self.sock.close()
        self.sock, self.left = None, b""

    def _more(self):
        got = self.sock.recv(65536)
        if not got:
            raise Gone("closed")
        self.left += got

    def _answer(self, head_only):
        while b"\r\n\r\n" not in self.left:
            self._more()
        head, _, self.left = self.left.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ", 2)[1])
        if status == 100:
            return self._answer(head_only)
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        n = int(headers.get("content-length", 0))
        if head_only or status in (204, 304):
            n = 0
        elif headers.get("transfer-encoding") == "chunked":
            raise AssertionError("chunked answer")
        while len(self.left) < n:
            self._more()
        body, self.left = self.left[:n], self.left[n:]
        if headers.get("connection") == "close":
            self.close()
        return status, headers, body

    def send(self, method, target, headers=(), body=None):
        """Status, headers (lower case) and body of the answer."""
        text = b"%s %s HTTP/1.1\r\nHost: %s\r\n" % (
            method, target, URL.netloc.encode())
        for name, value in headers:
            text += b"%s: %s\r\n" % (name, value)
        if body is not None:
            text += b"Content-Length: %d\r\n" % len(body)
        text += b"\r\n" + (body or b"")
        for again in (True, False):
            kept = self.sock is not None
            try:
                if not kept:
                    self.sock = socket.create_connection(
                        (URL.hostname, URL.port), TIMEOUT_S)
                    self.sock.setsockopt(socket.IPPROTO_TCP,
                                         socket.TCP_NODELAY, 1)
                self.sock.sendall(text)
                return self._answer(method == b"HEAD")
            except (Gone, ConnectionError) as e:
                self.close()
                # A kept connection may be closed at any time; a new one not.
                if not (kept and again):
                    raise Gone(str(e)) from e
        raise AssertionError("not reached")


# ---- accounts and what they have

REGISTER_TRIES = 10


class Account:
    """Registered and signed in over the client that it is given."""

    def __init__(self, client, first_name="Ann", cat_name="Miso"):
        self.client = client
        self.email = f"o-{secrets.token_hex(8)}@example.org"
        self.cookie = b""
        for _ in range(REGISTER_TRIES):
            status, headers, body = self.call("POST", "/api/auth/register", {
                "email": self.email, "password": PASSWORD,
                "first_name": first_name, "cat_name": cat_name,
                "cat_weight": 5})
            # Hashing is bounded: who is told to come back does.
            if status != 503 or "retry-after" not in headers:
                break
            time.sleep(float(headers["retry-after"]))
        if status != 201:
            raise AssertionError(f"register: {status} {body!r}")
        self.cookie = headers["set-cookie"].partition(";")[0].encode()
        self.user = parse(body)["user"]

    def headers(self, body=False):
        h = [(b"Origin", ORIGIN.encode())]
        if self.cookie:
            h.append((b"Cookie", self.cookie))
        if body:
            h.append((b"Content-Type", b"application/json"))
        return h

    def upload(self, path, data=b"PK\003\004 a sample"):
        return self.client.send(
            b"POST", path.encode(),
            self.headers() + [(b"Content-Type", b"application/zip")], data)

    def call(self, method, path, body=None, more=()):
        data = None if body is None else json.dumps(body, default=float)
        return self.client.send(
            method.encode(), path.encode(),
            self.headers(body is not None) + list(more),
            None if data is None else data.encode())


def make_admin(email):
    """By the operator's tool, as there is no other way."""
    tool = os.path.join(os.path.dirname(FCGI), "catetubectl")
    subprocess.run([tool, "user", "role", email, "admin"], check=True,
                   stdout=subprocess.DEVNULL)


def first_id(value):
    """The id of what an answer tells about."""
    for path in (("data", "id"), ("report_id",), ("import_id",), ("id",)):
        at = value
        for key in path:
            at = at.get(key) if isinstance(at, dict) else None
        if isinstance(at, str):
            return at
    if isinstance(value, dict):
        value = [v for v in value.values() if isinstance(v, list)]
        value = value[0] if value else []
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return first_id(value[0])
    return None


class Things:
    """Ids for the paths of one account: made, or found in a list."""

    def __init__(self, ops, account):
        self.by = {(o.method, o.path): o for o in ops}
        self.account = account
        self.kept = {}

    def collection(self, path):
        return path[:path.index("/{")]

    def fresh(self, path):
        """Id of a new thing for the first {id} of path; None: no way."""
        base = self.collection(path)
        if base == "/api/admin/account":
            return Account(Client()).user["id"]
        if base.startswith("/api/report") and base != "/api/report/schedule":
            base = "/api/report/{word}"
        op = self.by.get(("POST", base))
        if not op or not (op.body or op.upload):
            return None
        if op.upload:
            status, _, body = self.account.upload(base)
            # It can be run once the worker has looked at it.
            time.sleep(1)
        else:
            status, _, body = self.account.call(
                "POST", base.replace("{word}", "feeding"), op.body["example"])
        return first_id(parse(body)) if status < 300 else None

    def listed(self, path):
        base = self.collection(path)
        if ("GET", base) not in self.by:
            return None
        status, _, body = self.account.call("GET", base)
        return first_id(parse(body)) if status == 200 else None

    def id(self, path, fresh=False):
        base = self.collection(path)
        if base == "/api/cat" and not fresh:
            return self.account.user["cat_id"]
        if fresh or base not in self.kept:
            self.kept[base] = (self.fresh(path) or self.listed(path)
                               or "01930000-0000-7000-8000-0000000000ff")
        return self.kept[base]

    def fill(self, path, fresh=False):
        if "{id}" in path:
            path = path.replace("{id}", self.id(path, fresh))
        path = path.replace("{sub}", self.account.user["id"])
        return path.replace("{word}", "feeding")


# ---- what holds for every answer

INTERNAL = re.compile(
    rb"libpq|relation \"|\bSELECT\b|/src/|0x[0-9a-f]{6}|\.c:\d|SQLSTATE"
    rb"|pg_|syntax error|Traceback|/var/|/tmp/")


def broken(status, headers, body, said=b""):
    """
    What no answer may be; said: what the request said, which an answer may
    repeat to its sender.
    """
    if status >= 500 and status != 503:
        return [f"status {status}"]
    bad = []
    if status in (429, 503) and not headers.get("retry-after", "").isdigit():
        bad.append(f"{status} without Retry-After")
    m = INTERNAL.search(body)
    # /metrics tells operators of such things, in text.
    if m and headers.get("content-type") != "text/plain; version=0.0.4; " \
            "charset=utf-8" and m.group() not in said:
        bad.append(f"internal text {m.group()!r}")
    if status < 400:
        return bad
    if not headers.get("content-type", "").startswith("application/json"):
        return bad + [f"{status} is {headers.get('content-type')}"]
    try:
        e = parse(body)
        good = (isinstance(e["error"], str) and e["error"]
                and re.fullmatch("[a-z_]+", e["code"])
                and isinstance(e["request_id"], str))
    except (ValueError, KeyError, TypeError):
        good = False
    return bad if good else bad + [f"{status} is no error of the contract: "
                                   f"{body[:120]!r}"]
