#!/usr/bin/env python3
"""The API document is true: every operation is called, and its answers are
held against the schemas that the document has for them."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "openapi"))
import contract as c  # noqa: E402

# What no test can bring to a success by the document alone, and why.
NO_SUCCESS = {
    "get_report_download_id": "needs the worker: tests/api/test_report.c",
    "post_auth_totp_confirm": "needs an app: tests/api/test_totp.c",
    "post_auth_verify_email": "needs a mail: tests/api/test_account_life.py",
    "post_auth_reset_password": "needs a mail: test_account_life.py",
    "post_auth_confirm_email": "needs a mail: test_account_life.py",
    "post_auth_undo_email": "needs a mail: test_account_life.py",
    "delete_cat_id": "needs its exact name: tests/api/test_cat.c",
    "patch_cat_id_member_sub": "needs a second carer: test_member.c",
    "delete_cat_id_member_sub": "needs a second carer: test_member.c",
    "post_cat_id_transfer": "needs a second carer: test_member.c",
    "delete_cat_id_invite_sub": "needs an invitation: test_invite.c",
    "post_invite_peek": "needs an invitation: test_invite.c",
    "post_invite_accept": "needs an invitation: test_invite.c",
    "post_admin_job_id_cancel": "needs a job that runs: test_admin_job.py",
    "post_admin_job_id_retry": "needs a dead job: test_admin_job.py",
    "post_admin_job_id_purge": "needs a dead job: test_admin_job.py",
    "post_admin_job_queue_pause": "needs a queue's name: test_admin_job.py",
    "post_admin_job_queue_resume": "needs a queue's name: test_admin_job.py",
    "post_admin_job_node_drain": "would end the worker: test_admin_job.py",
}
# These end sessions or the account: each gets an account of its own.
ENDS = {"post_auth_logout", "post_auth_deactivate", "post_auth_delete",
        "post_auth_change_password", "delete_auth_session_id"}
ORDER = ["GET", "POST", "PUT", "PATCH", "DELETE"]
NEVER = "01930000-0000-7000-8000-00000000dead"


# ---- the document alone

def check_document(doc, ops):
    def walk(node, at, out):
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                try:
                    c.find(doc, node["$ref"])
                except KeyError:
                    out.append(f"{at}: no {node['$ref']}")
            for k, v in node.items():
                walk(v, f"{at}/{k}", out)
        elif isinstance(node, list):
            for i, v in enumerate(node):
                walk(v, f"{at}/{i}", out)
        return out

    yield "every $ref is there", walk(doc, "", [])
    ids = [o.id for o in ops]
    yield "operationIds are unique", sorted(
        {i for i in ids if ids.count(i) > 1})
    yield "every operation says its answer", [
        f"{o}: fcgi/routes.c has no .out" for o in ops
        if "2XX" in o.doc["responses"]]
    bad = []
    for o in ops:
        for p in o.query:
            bad += schema_faults(p["schema"], f"{o} {p['name']}")
        if o.body:
            bad += schema_faults(o.body["schema"], str(o))
    for name, s in doc["components"]["schemas"].items():
        bad += schema_faults(s, name)
    yield "every schema is one", bad
    yield "every example fits its schema", example_faults(doc, ops)


def schema_faults(schema, name):
    try:
        c.jsonschema.Draft202012Validator.check_schema(schema)
    except c.jsonschema.SchemaError as e:
        return [f"{name}: {e.message}"]
    return []


def example_faults(doc, ops):
    tight, bad = c.strict(doc), []
    for o in ops:
        if o.body:
            bad += [f"{o}: {t}" for t in c.faults(
                tight, o.body["schema"], o.body["example"])]
        for status, r in o.doc["responses"].items():
            for kind, media in c.find(doc, r["$ref"]).get(
                    "content", {}).items() if "$ref" in r else r.get(
                    "content", {}).items():
                if "example" in media:
                    bad += [f"{o} {status} {kind}: {t}" for t in c.faults(
                        tight, media["schema"], media["example"])]
    return bad


def check_routes(ops):
    out = subprocess.run([c.FCGI, "-R"], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
    routes = {tuple(line.split()[:4]) for line in out.splitlines()}
    said = {(o.method, o.path, o.who, o.rate) for o in ops}
    return [f"not in the document: {r}" for r in routes - said] + [
        f"no such route: {r}" for r in said - routes]


# ---- real answers

class Walk:
    def __init__(self, doc, ops):
        self.doc, self.tight, self.ops = doc, c.strict(doc), ops
        self.client = c.Client()
        self.good = {}  # operationId: statuses of success seen
        self.bad = []
        self.calls = 0
        self.account = self.things = None
        self.left = 0

    def renew(self):
        """Another account before the limits of this one are used up."""
        self.account = c.Account(self.client)
        c.make_admin(self.account.email)
        self.things = c.Things(self.ops, self.account)
        self.left = 12

    def look(self, op, what, answer):
        status, headers, body = answer
        self.calls += 1
        bad = c.broken(status, headers, body)
        if not op.documents(status):
            bad.append(f"status {status} is not documented: {body[:150]!r}")
        elif headers.get("content-type", "").startswith("application/json") \
                and status != 304:
            schema = c.schema_of(self.tight, op, status)
            if schema is None:
                bad.append(f"{status} is JSON, the document has none")
            else:
                bad += c.faults(self.tight, schema, c.parse(body))
        self.bad += [f"{op} ({what}): {t}" for t in bad]
        if status < 300:
            self.good.setdefault(op.id, set()).add(status)
        return status

    def call(self, op, what, path, body=None, more=(), who=None):
        who = who or self.account
        return self.look(op, what, who.call(op.method, path, body, more))

    def example(self, op):
        if not op.body:
            return None
        body = dict(op.body["example"])
        fresh = op.id in ("post_auth_register", "post_auth_change_email")
        if "email" in body:
            body["email"] = f"r-{c.secrets.token_hex(8)}@example.org" \
                if fresh else self.account.email
        for name in ("password", "current_password"):
            if name in body and op.id != "post_auth_register":
                body[name] = c.PASSWORD
        return body

    def success(self, op):
        self.renew_for(op)
        path = self.things.fill(op.path, fresh=op.method == "DELETE")
        if op.path.endswith("/restore"):
            self.account.call("DELETE", path[:-len("/restore")])
        if op.path.endswith("/enable"):
            self.account.call("POST", path[:-len("enable")] + "disable")
        # The version in the example of a delete is that of another entry.
        body = None if op.method == "DELETE" else self.example(op)
        if op.upload:
            self.look(op, "sample", self.account.upload(path))
        else:
            self.call(op, "example", path, body)

    def renew_for(self, op):
        self.left -= 1
        if op.id in ENDS or self.left <= 0:
            self.renew()
        if op.id in ENDS:
            self.left = 0

    def read_twice(self, op):
        """ETag, If-None-Match, HEAD."""
        path = self.things.fill(op.path)
        status, headers, _ = self.account.call("GET", path)
        tag = headers.get("etag")
        if status == 200 and "304" in op.doc["responses"]:
            if not tag:
                self.bad.append(f"{op}: no ETag")
                return
            got = self.call(op, "If-None-Match", path,
                            more=[(b"If-None-Match", tag.encode())])
            # What tells the time is another answer each time.
            if got not in (200, 304):
                self.bad.append(f"{op}: {got} to If-None-Match")

    def errors(self, op):
        path = self.things.fill(op.path)
        if "400" in op.doc["responses"]:
            self.expect(op, 400, "unknown parameter",
                        self.account.call(op.method, path + "?nix=1",
                                          self.example(op)))
        if op.who not in ("open", "local"):
            self.expect(op, 401, "nobody", self.as_nobody(op, path))
        if op.body:
            self.body_errors(op, path)
        if "{id}" in op.path:
            other = op.path.replace("{id}", NEVER).replace(
                "{word}", "feeding").replace("{sub}", NEVER)
            self.expect(op, 404, "no such id", self.account.call(
                op.method, other, self.example(op)))

    def as_nobody(self, op, path):
        """Waits out 429: the limit of strangers is their address's."""
        while True:
            answer = self.client.send(op.method.encode(), path.encode(),
                                      [(b"Origin", c.ORIGIN.encode())])
            if answer[0] != 429:
                return answer
            time.sleep(int(answer[1]["retry-after"]))

    def body_errors(self, op, path):
        self.expect(op, 415, "text/plain", self.client.send(
            op.method.encode(), path.encode(),
            self.account.headers() + [(b"Content-Type", b"text/plain")],
            b"{}"))
        for what, text in (("no JSON", b'{"a":'), ("unknown field",
                                                  b'{"nix":1}')):
            self.expect(op, 400, what, self.client.send(
                op.method.encode(), path.encode(),
                self.account.headers(True), text))
        required = op.body["schema"].get("required")
        if required:
            answer = self.account.call(op.method, path, {})
            if self.expect(op, 400, "required fields missing", answer):
                told = set(c.parse(answer[2]).get("fields", {}))
                if told != set(required):
                    self.bad.append(f"{op}: requires {sorted(told)}, "
                                    f"document: {required}")

    def expect(self, op, status, what, answer):
        got = self.look(op, what, answer)
        if got != status:
            self.bad.append(f"{op} ({what}): {got}, expected {status}: "
                            f"{answer[2][:150]!r}")
        return got == status


def main():
    doc = c.load()
    ops = c.operations(doc)
    ops.sort(key=lambda o: ORDER.index(o.method))
    t = c.Tally()
    for name, bad in check_document(doc, ops):
        t.check(name, bad)
    t.check("the document has every route, and no other", check_routes(ops))
    w = Walk(doc, ops)
    w.renew()
    for op in ops:
        w.success(op)
        if op.method == "GET":
            w.read_twice(op)
    t.check(f"{len(ops)} operations answer what the document says", w.bad)
    w.bad = []
    for op in ops:
        w.renew()
        w.errors(op)
    t.check(f"their errors are those of the document ({w.calls} calls)", w.bad)
    t.check("each was seen to succeed", [
        f"{o}: add it to NO_SUCCESS with a reason" for o in ops
        if o.id not in w.good and o.id not in NO_SUCCESS])
    return t.end()


if __name__ == "__main__":
    sys.exit(main())
