"""S3 servers for the tests of backups: a real one (s3rver, from npm), and one of
our own that checks signatures by its own code and fails as it is told."""
import hashlib
import hmac
import http.server
import os
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse

from port import free_port

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FROM = os.path.join(ROOT, "tests/s3")


# ---- the real one

def install():
    """The directory with s3rver; None where there is no npm or no registry."""
    with open(os.path.join(FROM, "package-lock.json"), "rb") as f:
        lock = hashlib.sha256(f.read()).hexdigest()[:12]
    build = os.environ.get("BUILD", "build")
    home = os.path.join(ROOT, build, "s3-" + lock)
    if os.path.exists(os.path.join(home, "ready")):
        return home
    if not shutil.which("npm"):
        print("  no npm here")
        return None
    shutil.rmtree(home, ignore_errors=True)
    os.makedirs(home)
    for name in ("package.json", "package-lock.json", "server.js"):
        shutil.copy(os.path.join(FROM, name), home)
    p = subprocess.run(
        ["npm", "ci", "--prefix", home, "--ignore-scripts", "--no-audit",
         "--no-fund", "--no-update-notifier", "--loglevel=error"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=180)
    if p.returncode != 0:
        print("  npm ci failed:", p.stdout[-500:])
        return None
    with open(os.path.join(home, "ready"), "w"):
        pass
    return home


class Real:
    """s3rver with one bucket; ends with close()."""
    key_id = secret = "S3RVER"

    def __init__(self, home, data, bucket):
        self.port = free_port()
        self.log = open(os.path.join(data, "log"), "w+")
        shutil.copy(os.path.join(FROM, "server.js"), home)
        self.p = subprocess.Popen(
            ["node", os.path.join(home, "server.js"), str(self.port),
             os.path.join(data, "objects"), bucket],
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > end or self.p.poll() is not None:
                    raise
                time.sleep(0.05)

    def requests(self):
        """Lines of its log that are requests."""
        self.log.flush()
        with open(self.log.name) as f:
            return [line for line in f if "HTTP/1.1" in line or " /" in line]

    def close(self):
        self.p.terminate()
        self.p.wait(10)
        self.log.close()


# ---- our own

def derive(secret, day, region):
    k = ("AWS4" + secret).encode()
    for part in (day, region, "s3", "aws4_request"):
        k = hmac.new(k, part.encode(), hashlib.sha256).digest()
    return k


def signature(secret, method, path, query, headers, signed, payload, scope,
              date):
    """SigV4 as Amazon describes it."""
    pairs = sorted(urllib.parse.parse_qsl(query, keep_blank_values=True))
    canonical_query = "&".join(
        "%s=%s" % tuple(urllib.parse.quote(x, safe="-_.~") for x in p)
        for p in pairs)
    canonical = "\n".join(
        [method, urllib.parse.quote(urllib.parse.unquote(path), safe="/-_.~"),
         canonical_query] +
        ["%s:%s" % (h, " ".join(headers.get(h, "").split())) for h in signed] +
        ["", ";".join(signed), payload])
    day, region, service, end = scope.split("/")
    assert (service, end) == ("s3", "aws4_request"), scope
    text = "\n".join(["AWS4-HMAC-SHA256", date, scope,
                      hashlib.sha256(canonical.encode()).hexdigest()])
    return hmac.new(derive(secret, day, region), text.encode(),
                    hashlib.sha256).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", **headers):
        if isinstance(body, str):
            body = body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for k, v in headers.items():
            self.send_header(k.replace("_", "-"), v)
        self.end_headers()
        self.wfile.write(body)

    def error(self, status, code):
        self.answer(status, f"<Error><Code>{code}</Code><Message>because"
                            "</Message></Error>")

    def check(self, body):
        """Why the signature is none; None where it is right."""
        m = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/([^,]+), ?"
            r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})",
            self.headers.get("Authorization", ""))
        if not m:
            return "no Authorization as SigV4 wants it"
        who, scope, signed, theirs = m.groups()
        payload = hashlib.sha256(body).hexdigest()
        if self.headers.get("x-amz-content-sha256") != payload:
            return "x-amz-content-sha256 is not that of the body"
        signed = signed.split(";")
        if not {"host", "x-amz-date", "x-amz-content-sha256"} <= set(signed):
            return f"signed headers: {signed}"
        path, _, query = self.path.partition("?")
        ours = signature(self.server.secret, self.command, path, query,
                         {k.lower(): v for k, v in self.headers.items()},
                         signed, payload, scope, self.headers["x-amz-date"])
        if who != self.server.key_id or ours != theirs:
            return "the signature is another one"
        return None

    def handle_one(self):
        s = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path, _, query = self.path.partition("?")
        ask = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        kind = self.command + "".join(
            " " + w for w in ("uploads", "uploadId", "partNumber", "list-type")
            if w in ask)
        with s.lock:
            s.seen.append(kind)
            fault = s.fault(kind) if s.fault else None
        if fault == "hang":
            s.ended.wait(30)
            self.close_connection = True
            return
        if fault == "cut":
            self.close_connection = True
            return
        if fault == "garbage":
            self.answer(200, b"\x00<<not xml" * 10)
            return
        if fault == "huge":
            self.answer(200, b"<a>" + b" " * (3 << 20) + b"</a>")
            return
        wrong = self.check(body)
        if wrong:
            s.wrong.append(f"{kind}: {wrong}")
            self.error(403, "SignatureDoesNotMatch")
            return
        if isinstance(fault, tuple):
            self.error(*fault)
            return
        with s.lock:
            self.serve(kind, path, ask, body, lost=fault == "lost")

    def serve(self, kind, path, ask, body, lost):
        s = self.server
        etag = '"%s"' % hashlib.md5(body).hexdigest()
        if not path.startswith(f"/{s.bucket}"):
            self.error(404, "NoSuchBucket")
        elif kind == "GET list-type":
            self.list(ask)
        elif kind == "POST uploads":
            up = f"up/{len(s.uploads)}+x="
            s.uploads[up] = {}
            self.answer(200, "<InitiateMultipartUploadResult><UploadId>"
                             f"{up}</UploadId></InitiateMultipartUploadResult>")
        elif "uploadId" in ask and ask["uploadId"] not in s.uploads:
            self.error(404, "NoSuchUpload")
        elif kind == "PUT uploadId partNumber":
            s.uploads[ask["uploadId"]][int(ask["partNumber"])] = body
            self.answer(200, ETag=etag)
        elif kind == "POST uploadId":
            parts = s.uploads.pop(ask["uploadId"])
            n = [int(x) for x in re.findall(
                r"<PartNumber>(\d+)</PartNumber>", body.decode())]
            s.objects[path] = b"".join(parts[i] for i in n)
            if lost:
                self.close_connection = True
                return
            self.answer(200, "<CompleteMultipartUploadResult><ETag>&quot;x-2"
                             "&quot;</ETag></CompleteMultipartUploadResult>")
        elif kind == "DELETE uploadId":
            del s.uploads[ask["uploadId"]]
            self.answer(204)
        elif kind == "PUT":
            s.objects[path] = body
            self.answer(200, ETag=etag)
        elif path not in s.objects:
            self.error(404, "NoSuchKey")
        elif kind == "DELETE":
            del s.objects[path]
            self.answer(204)
        else:
            self.get(s.objects[path])

    def get(self, data):
        m = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        begin, end = int(m[1]), min(int(m[2]), len(data) - 1)
        etag = '"%s"' % hashlib.md5(data).hexdigest()
        if self.headers.get("If-Match", etag) != etag:
            self.error(412, "PreconditionFailed")
        elif begin >= len(data):
            self.error(416, "InvalidRange")
        else:
            self.answer(206, data[begin:end + 1], ETag=etag,
                        Content_Range=f"bytes {begin}-{end}/{len(data)}")

    def list(self, ask):
        """Two keys a page."""
        s = self.server
        keys = sorted(k for k in s.objects if k.startswith(
            f"/{s.bucket}/{ask['prefix']}"))
        at = int(ask.get("continuation-token", "+0/=")[1:-2])
        page = "".join(
            "<Contents><Key>%s</Key><Size>%d</Size></Contents>"
            % (k[len(s.bucket) + 2:], len(s.objects[k]))
            for k in keys[at:at + 2])
        more = at + 2 < len(keys)
        self.answer(200, '<?xml version="1.0"?><ListBucketResult xmlns='
                         '"http://s3.amazonaws.com/doc/2006-03-01/">'
                         f"<IsTruncated>{str(more).lower()}</IsTruncated>"
                         f"{page}" + (
                             f"<NextContinuationToken>+{at + 2}/="
                             "</NextContinuationToken>" if more else "") +
                         "</ListBucketResult>")

    do_GET = do_PUT = do_POST = do_DELETE = handle_one


class Fake(http.server.ThreadingHTTPServer):
    """What it was asked is in seen. fault(kind) tells how to fail: None, a
    (status, code), "hang", "cut", "garbage", "huge", "lost"."""
    daemon_threads = True
    key_id, secret = "AKIDFAKE", "a/secret+of=ours"

    def __init__(self, bucket="bucket"):
        super().__init__(("127.0.0.1", 0), Handler)
        self.port = self.server_address[1]
        self.bucket = bucket
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.objects = {}
        self.uploads = {}
        self.seen = []
        self.wrong = []
        self.fault = None
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """A client that gives up is what some tests are about."""

    def close(self):
        self.ended.set()
        self.shutdown()
        self.server_close()
