#!/usr/bin/env python3
"""What a hostile client may send, made from docs/openapi.yaml: right requests
with something wrong in them. Nothing may break, leak or be let through.

FUZZ_SEED repeats a run (as far as its timing does), FUZZ_REQUESTS sets how
many there are.
"""
import collections
import multiprocessing
import os
import random
import re
import sys
import time
import traceback
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "openapi"))
import contract as c  # noqa: E402

WORKERS = 4
REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "10400"))
# Of one account, before another one takes its place: under the limits.
BUDGET = {"read": 190, "log": 58, "report": 9, "auth": 40, "none": 1000}
# Hashing a password is slow on purpose; these are asked more seldom.
WEIGHT = {"auth": 0.05, "none": 0.3}

CANARY = "canary-" + "".join(random.SystemRandom().choice("0123456789abcdef")
                            for _ in range(32))

TEXTS = [
    "", " ", "\t", "x" * 5000, "x" * 70000, "é" * 101, "\U0001f408",
    "' OR 1=1 --", "'; drop table feeding;--", "\" or \"\"=\"", "1) or (1=1",
    "x' union select password_hash from account--", "$(id)", "`id`", "{{7*7}}",
    "${7*7}", "%s%s%n", "%00", "../../etc/passwd", "..\\..\\", "a\r\nX-Evil: 1",
    "a%0d%0aX-Evil:%201", "<script>alert(1)</script>", "=1+1", "null", "NaN",
    "-1", "1e400", "0x10", "01", "true", "[]", "{}", "\u202e", "\ufeff",
    "\u0000", "\u007f", "\u0085", "2026-13-45", "2026-02-30T00:00:00Z",
    "2026-11-22T02:10:00", "0000-00-00", "9999-12-31T23:59:59Z",
    "00000000-0000-0000-0000-000000000000",
    "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", "{01930000-0000-7000-8000-1}",
]
# JSON values that are wrong, or hardly right, as they are written.
RAW = [
    "null", "true", "false", "0", "-0", "-1", "0.0001", "0.001", "1e3", "1E+2",
    "1e400", "-1e400", "1e-400", "9007199254740993", "123456789012345678901234",
    "9223372036854775807", "-9223372036854775808", "9223372036854775808",
    "9223372036854775.807", "NaN", "Infinity", "-Infinity", "01", "1.", ".5",
    "+1", "0x10", "''", '"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', '"\\x"',
    '"\\', '"a\nb"', '"a\\u0008b"', "[]", "{}", "[[]]", '{"a":{}}', "[1,2]",
    "", ",", "undefined", '"' + "y" * 4001 + '"', "[" * 15 + "]" * 15,
    "[" * 17 + "]" * 17, "[" * 20000, '{"a":' * 200 + "1" + "}" * 200,
]
BYTES = [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82",
         b"\x00", b"\x80"]
TYPES = [b"text/plain", b"application/x-www-form-urlencoded", b"text/json",
         b"multipart/form-data; boundary=x", b"application/json; charset=utf-16",
         b"application/jsonp", b"APPLICATION/JSON; charset=UTF-8",
         b"application/json, text/plain", b"", b"application/json;" + b"a" * 900]
HEADERS = [
    (b"X-HTTP-Method-Override", b"DELETE"), (b"X-HTTP-Method", b"PUT"),
    (b"X-Method", b"DELETE"), (b"X-Method-Override", b"PATCH"),
    (b"X-Original-URL", b"/metrics"), (b"X-Rewrite-URL", b"/metrics"),
    (b"X-Forwarded-For", b"127.0.0.1"), (b"X-Real-IP", b"127.0.0.1"),
    (b"X-Forwarded-Host", b"evil.example"), (b"X-Forwarded-Proto", b"https"),
    (b"Forwarded", b"for=127.0.0.1"), (b"Proxy", b"http://evil.example"),
    (b"Accept", b"text/html"), (b"Accept-Encoding", b"gzip, br"),
    (b"Range", b"bytes=0-1"), (b"If-None-Match", b"*"),
    (b"If-None-Match", b'"' + b"0" * 16 + b'"'), (b"If-Match", b"*"),
    (b"If-Match", b'"1"'), (b"If-Match", b'"999999999999999999999"'),
    (b"If-Match", b"-1"), (b"If-Match", b"' OR 1=1"), (b"If-Match", b'"'),
    (b"Idempotency-Key", b"k"), (b"Idempotency-Key", b"k" * 201),
    (b"Idempotency-Key", b"\xff\xfe"), (b"Idempotency-Key", b"' OR 1=1 --"),
    (b"Authorization", b"Bearer"), (b"Authorization", b"Bearer ctp_" + b"A" * 43),
    (b"Authorization", b"Bearer " + b"A" * 43),
    (b"Authorization", b"Basic YTpi"), (b"Cookie", b"catetube=" + b"B" * 43),
    (b"Cookie", b"=;;;=; catetube"), (b"Sec-Fetch-Site", b"cross-site"),
    (b"Origin", b"null"), (b"Origin", b"https://app.example.org.evil.example"),
    (b"Expect", b"100-continuE"), (b"User-Agent", b"\xff\x01" * 90),
]
# Statuses that say "this is no request for that operation".
ANYWHERE = {400, 401, 403, 404, 405, 413, 414, 415, 431}


def escape(text):
    """JSON string; what cannot be in one stays an escape."""
    return c.json.dumps(text, ensure_ascii=len(text) < 40)


class Shape:
    """Values by a schema of the document."""

    def __init__(self, rng, ids):
        self.rng, self.ids = rng, ids

    def number(self, s):
        lo, hi = s.get("minimum", -3), s.get("maximum", 200)
        step = s.get("multipleOf", 1)
        return str(self.rng.choice(
            [lo, hi, lo - step, hi + step, lo + step, hi - step, lo + 1, 1,
             50, lo + step / 10]))

    def string(self, s):
        if "enum" in s:
            return self.rng.choice([v for v in s["enum"] if v] + ["", "X"])
        kind = s.get("format")
        if kind == "uuid":
            return self.rng.choice(self.ids)
        if kind == "date-time":
            return self.rng.choice(
                ["2026-11-22T02:10:00+01:00", "1999-12-31T23:59:59Z",
                 "2020-02-29T12:00:00.123456Z", "2100-01-01T00:00:00Z"])
        n = self.rng.choice([s.get("minLength", 0), 1, 8,
                             s.get("maxLength", 20),
                             s.get("maxLength", 20) + 1])
        return self.rng.choice(["a", "é", "a b"]) * int(n)

    def value(self, s):
        """As it is written in JSON."""
        kinds = s.get("type", "string")
        kind = self.rng.choice(kinds) if isinstance(kinds, list) else kinds
        if kind == "null":
            return "null"
        if kind == "boolean":
            return self.rng.choice(["true", "false"])
        if kind in ("number", "integer"):
            return self.number(s)
        if kind == "string":
            return escape(self.string(s))
        return self.rng.choice(["{}", "[]"])

    def body(self, op):
        """Members as pairs of written keys and values."""
        s = op.body["schema"]
        need = s.get("required", [])
        pairs = [(escape(k), self.value(v)) for k, v in s["properties"].items()
                 if k in need or self.rng.random() < 0.4]
        for k, v in op.body["example"].items():
            if k in need and self.rng.random() < 0.8:
                pairs = [p for p in pairs if p[0] != escape(k)]
                pairs.append((escape(k), c.json.dumps(v, default=float)))
        return pairs


class Request:
    def __init__(self, op):
        self.op = op
        self.method = op.method.encode()
        self.target, self.headers, self.body = b"", [], None
        self.tricked = False   # method or path are not the operation's
        self.foreign = False   # asks for a thing of somebody else
        self.signed_in = True

    def __repr__(self):
        return (f"{self.method} {self.target[:300]} {self.headers} "
                f"{None if self.body is None else self.body[:300]}")


class Fuzzer:
    def __init__(self, number, seed, doc, victim):
        self.rng = random.Random(f"{seed}/{number}")
        self.ops = c.operations(doc)
        self.weights = [WEIGHT.get(o.rate, 1) for o in self.ops]
        self.victim = victim  # {"ids": [...], "path": {path: id}, "cat": id}
        self.client = c.Client()
        self.seen = collections.Counter()
        self.bad = []
        self.renew()

    def renew(self):
        self.left = dict(BUDGET)
        self.account = c.Account(self.client)
        self.things = c.Things(self.ops, self.account)
        self.shape = Shape(self.rng, [
            self.account.user["cat_id"], self.account.user["id"],
            "01930000-0000-7000-8000-0000000000ff", self.victim["cat"],
            str(c.json.dumps(self.rng.random()))])

    # -- making one

    def path(self, req):
        path, rng = req.op.path, self.rng
        if "{id}" in path and rng.random() < 0.35:
            req.foreign = path in self.victim["path"]
            path = path.replace("{id}", self.victim["path"].get(
                path, self.victim["cat"]))
        elif "{id}" in path and rng.random() < 0.2:
            req.tricked = True
            path = path.replace("{id}", urllib.parse.quote(
                rng.choice(TEXTS)[:300], safe=rng.choice(["", "/%"])))
        path = self.things.fill(path) if "{" in path else path
        out = path.encode()
        if rng.random() < 0.12:
            req.tricked = True
            out = self.trick(out)
        elif rng.random() < 0.2:
            out += b"/"
        return out

    def trick(self, p):
        cut = self.rng.randrange(1, max(2, len(p)))
        return self.rng.choice([
            p.replace(b"/", b"//"), p + b"/.", p + b"/..", p + b".",
            p + b"%00", p + b"%2e", p + b"%2f", p + b"/%2e%2e/x", p.upper(),
            p[:cut] + b"%2e%2e/" + p[cut:], p[:cut] + b"/../" + p[cut:],
            p[:cut] + b"%00" + p[cut:], p[:cut] + b"\xff" + p[cut:],
            p[:cut] + b"%" + p[cut:], p + b";a=b", p + b".css", p + b"#x",
            b"/" + p, b"http://evil.example" + p, b"/_files" + p, b"/_error",
            b"/" + b"a" * 3000, p + b"?" + b"a" * 5000, b"/api/%61uth/me",
            p[:-1], p + b"x", b"/metrics/..", b"/.git/config", b"/api/../metrics",
        ])

    def query(self, req):
        rng, pairs = self.rng, []
        for p in req.op.query:
            if rng.random() < 0.5:
                v = c.json.loads(self.shape.value(p["schema"]))
                pairs.append((p["name"], "" if v is None else str(v)))
        if rng.random() < 0.1:
            pairs.append((rng.choice(["_method", "nix", "cat_id", "", "a[]",
                                      "account_id", "page"]),
                          rng.choice(TEXTS)[:2000]))
        if pairs and rng.random() < 0.3:
            i = rng.randrange(len(pairs))
            pairs[i] = (pairs[i][0], rng.choice(TEXTS)[:2000])
        if pairs and rng.random() < 0.15:
            pairs.append(rng.choice(pairs))
        names = [k for k, _ in pairs]
        if names.count("cat_id") == 1 and \
                ("cat_id", self.victim["cat"]) in pairs:
            req.foreign = True
        if not pairs:
            return b""
        text = "&".join(f"{urllib.parse.quote(k)}={urllib.parse.quote(v)}"
                        for k, v in pairs).encode()
        if rng.random() < 0.1:
            text = rng.choice([text + b"&%zz=1", text + b"&a=%ff",
                               text + b"&&&=", text.replace(b"=", b""),
                               text + b"&a=" + rng.choice(BYTES[:5]),
                               text + b"&a=%00"])
        return b"?" + text

    def make_body(self, req):
        rng = self.rng
        if not req.op.body:
            if rng.random() < 0.15:
                req.body = rng.choice([b"{}", b'{"a":1}', b"[]", b"x", b"\x00",
                                       b'{"_method":"DELETE"}'])
            return
        pairs = self.shape.body(req.op)
        for _ in range(rng.choice([0, 0, 1, 1, 1, 2, 3])):
            self.mutate(pairs)
        cats = [v for k, v in pairs if k == '"cat_id"']
        text = ("{" + ",".join(f"{k}:{v}" for k, v in pairs) + "}").encode(
            "utf-8", "surrogatepass")
        # What is spoilt may name nobody's cat any more, and so the own one.
        if rng.random() < 0.12:
            text = self.spoil(text)
        else:
            req.foreign |= cats == [escape(self.victim["cat"])]
        req.body = text

    def mutate(self, pairs):
        rng, how = self.rng, self.rng.randrange(7)
        i = rng.randrange(len(pairs)) if pairs else None
        if how == 0 or i is None:
            pairs.append((escape(rng.choice(
                ["id", "account_id", "role", "version", "is_admin", "cat_id",
                 "created_at", "by", "__proto__", "_method", "nix",
                 "password_hash", "x" * 300, CANARY[:7], "a\u0000b", ""])),
                rng.choice(RAW[:13] + ['"x"'])))
        elif how == 1:
            pairs.append(pairs[i])
        elif how == 2:
            del pairs[i]
        elif how == 3:
            pairs[i] = (pairs[i][0].upper(), pairs[i][1])
        elif how in (4, 5):
            pairs[i] = (pairs[i][0], rng.choice(RAW))
        else:
            pairs[i] = (pairs[i][0], escape(rng.choice(TEXTS)))

    def spoil(self, text):
        rng = self.rng
        at = rng.randrange(len(text))
        return rng.choice([
            text[:at], text + b"}", b"[" + text + b"]", b"\xef\xbb\xbf" + text,
            text[:at] + rng.choice(BYTES) + text[at:], b"[" * 30000,
            text[:at] + b"\x00" + text[at + 1:], text + b" " * 70000, b"",
            text.replace(b":", b"="), b"/*c*/" + text, text * 2,
            bytes(rng.randrange(256) for _ in range(60))])

    def make(self):
        rng = self.rng
        op = rng.choices(self.ops, self.weights)[0]
        req = Request(op)
        req.target = self.path(req)
        if b"?" not in req.target:
            req.target += self.query(req)
        self.make_body(req)
        if rng.random() < 0.04:
            req.method = rng.choice([b"HEAD", b"OPTIONS", b"TRACE", b"FOO",
                                     b"GET", b"PUT", b"DELETE", b"get"])
            req.tricked = True
        req.headers = [(b"Origin", c.ORIGIN.encode())]
        if rng.random() < 0.97:
            req.headers.append((b"Cookie", self.account.cookie))
        else:
            req.signed_in = False
        if req.body is not None:
            req.headers.append((b"Content-Type", rng.choice(TYPES)
                                if rng.random() < 0.06
                                else b"application/json"))
        for _ in range(rng.choice([0, 0, 0, 1, 2])):
            name, value = rng.choice(HEADERS)
            req.headers = [h for h in req.headers if h[0] != name]
            req.headers.append((name, value))
        return req

    # -- judging its answer

    def judge(self, req, status, headers, body):
        said = req.target + (req.body or b"")
        if req.method == b"HEAD":
            bad = [f"status {status}"] if status >= 500 else []
        else:
            bad = c.broken(status, headers, body, said)
        text = body + repr(headers).encode()
        if CANARY.encode() in text:
            bad.append("somebody else's canary")
        if "x-evil" in headers or "location" in headers:
            bad.append(f"headers {headers}")
        if b"is not available right now" in body:
            bad.append("nginx had no responder: one may have died")
        if 300 <= status < 400 and status != 304:
            bad.append(f"status {status}")
        if req.foreign and not req.tricked and status < 400:
            bad.append(f"{status} for what is somebody else's")
        if not req.tricked and status not in ANYWHERE and \
                not req.op.documents(status):
            bad.append(f"{status} is not documented")
        return bad

    def one(self):
        req = self.make()
        try:
            status, headers, body = self.client.send(
                req.method, req.target, req.headers, req.body)
        except c.Gone as e:
            # nginx hangs up on what it cannot take for a request.
            self.seen["hung up"] += 1
            if not req.tricked and len(req.body or b"") < 65536:
                self.bad.append(f"no answer ({e}) to {req!r}")
            return
        self.seen[status] += 1
        for text in self.judge(req, status, headers, body):
            self.bad.append(f"{text}\n      {req!r}\n      {body[:300]!r}")
        self.left[req.op.rate] -= 1
        if (status == 401 and req.signed_in) or status == 429 or \
                self.left[req.op.rate] <= 0 or \
                req.op.id in ("post_auth_logout", "post_auth_delete"):
            if status == 429 or self.left[req.op.rate] <= 0 or \
                    self.account.call("GET", "/api/auth/me")[0] != 200:
                self.renew()


def work(number, seed, doc, victim, requests, out):
    try:
        f = Fuzzer(number, seed, doc, victim)
        for _ in range(requests):
            f.one()
            if len(f.bad) > 100:
                break
        out.put((dict(f.seen), f.bad))
    except Exception:  # told by the parent
        out.put(({}, [traceback.format_exc()]))


def make_victim(ops):
    """An account full of canaries, and its ids by path."""
    a = c.Account(c.Client(), first_name=CANARY, cat_name=CANARY)
    by = {}
    things = c.Things(ops, a)
    for op in ops:
        if op.method != "POST" or not op.body or "{id}" in op.path or \
                op.path.endswith("/reset") or \
                op.path.startswith("/api/auth/") and "token" not in op.path:
            continue
        body = dict(op.body["example"])
        for k, s in op.body["schema"]["properties"].items():
            if s.get("type") == "string" and not set(s) & {"format", "enum"} \
                    and s.get("maxLength", 0) >= len(CANARY) and \
                    not re.search("date|zone|email|code|token", k):
                body[k] = CANARY
        path = op.path.replace("{word}", "feeding")
        status, _, text = a.call("POST", path, body)
        got = c.first_id(c.parse(text)) if status < 300 else None
        if got:
            base = op.path.replace("/{word}", "")
            by.setdefault(base, got)
    ids = {}
    for op in ops:
        if "{id}" not in op.path:
            continue
        base = things.collection(op.path)
        base = "/api/report" if base.startswith("/api/report") else base
        if base == "/api/cat":
            ids[op.path] = a.user["cat_id"]
        elif base in by:
            ids[op.path] = by[base]
    return a, {"cat": a.user["cat_id"], "path": ids}


def snapshot(account, victim):
    """What the victim sees of its own; nobody may have changed it."""
    seen = {}
    for path, got in victim["path"].items():
        path = path.replace("{id}", got)
        # A hand-over begins some hours before it is asked for.
        if "{" in path or path.endswith(("/restore", "/handover")):
            continue
        status, _, body = account.call("GET", path)
        if status == 200 and "/report/" not in path:
            seen[path] = body
    return seen


def main():
    seed = os.environ.get("FUZZ_SEED") or str(
        random.SystemRandom().randrange(10**9))
    print(f"seed {seed} ({REQUESTS} requests)", flush=True)
    doc = c.load()
    ops = c.operations(doc)
    account, victim = make_victim(ops)
    before = snapshot(account, victim)
    t = c.Tally()
    t.check("the victim has things to be stolen",
            [] if sum(CANARY.encode() in b for b in before.values()) >= 5
            else [f"only {list(before)}"])
    out = multiprocessing.Queue()
    begin = time.monotonic()
    workers = [multiprocessing.Process(
        target=work, args=(i, seed, doc, victim, REQUESTS // WORKERS, out))
        for i in range(WORKERS)]
    for w in workers:
        w.start()
    results = [out.get() for _ in workers]
    for w in workers:
        w.join()
    took_s = time.monotonic() - begin
    seen, bad = collections.Counter(), []
    for counts, texts in results:
        seen.update(counts)
        bad += texts
    total = sum(seen.values())
    print(f"{total} requests in {took_s:.1f} s: " + ", ".join(
        f"{k}: {n}" for k, n in sorted(seen.items(), key=str)))
    t.check("no request breaks it, none gets what is not its own", bad)
    good = sum(n for k, n in seen.items() if isinstance(k, int) and k < 300)
    t.check("enough of them went through", [] if total >= REQUESTS * 0.99
            and good > total / 20 else [f"{total}, {good} of them good"])
    # Once: who looks too often is limited, and sees nothing.
    after = snapshot(account, victim)
    t.check("what the victim has is as it was",
            [p for p in sorted(before | after)
             if before.get(p) != after.get(p)])
    status, _, body = c.Client().send(b"GET", b"/health")
    t.check("it is healthy behind that", [] if status == 200
            and b'"healthy"' in body else [f"{status} {body!r}"])
    return t.end()


if __name__ == "__main__":
    sys.exit(main())
