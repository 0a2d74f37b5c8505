"""A target of webhooks: a real HTTPS server on a loopback address, which keeps
what it was sent and answers as its path says; certificates of its own maker;
and the check of a signature that shares nothing with the service."""
import base64
import hashlib
import hmac
import http.server
import json
import os
import ssl
import subprocess
import threading
import time


def run(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


class Certificates:
    """A maker of certificates, ca.pem, and one that it made, for some names."""

    def __init__(self, folder, names):
        self.ca = os.path.join(folder, "ca.pem")
        self.key, self.cert = (os.path.join(folder, n)
                               for n in ("key.pem", "cert.pem"))
        ca_key = os.path.join(folder, "ca-key.pem")
        ec = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
              "-nodes")
        run("openssl", "req", "-x509", *ec, "-subj", "/CN=test maker", "-days",
            "2", "-keyout", ca_key, "-out", self.ca)
        request = os.path.join(folder, "request.pem")
        run("openssl", "req", *ec, "-subj", "/CN=target", "-keyout", self.key,
            "-out", request)
        more = os.path.join(folder, "names.txt")
        with open(more, "w") as f:
            f.write("subjectAltName=" + ",".join(names))
        run("openssl", "x509", "-req", "-in", request, "-CA", self.ca,
            "-CAkey", ca_key, "-CAcreateserial", "-days", "2", "-extfile",
            more, "-out", self.cert)
        # The stack's own user reads it.
        os.chmod(folder, 0o755)
        os.chmod(self.ca, 0o644)

    def context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return context


class Got:
    def __init__(self, path, headers, body):
        self.path, self.headers, self.body = path, headers, body
        self.json = json.loads(body)
        self.id = headers["webhook-id"]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        target = self.server.target
        path = self.path.partition("?")[0]
        target.got.append(Got(self.path, self.headers, body))
        self.close_connection = True
        try:
            getattr(self, "on" + path.replace("/", "_"), self.plain)(path)
        except (OSError, ssl.SSLError):
            pass

    def plain(self, path):
        """The status is the path's last word."""
        word = path.rpartition("/")[2]
        status = self.server.target.status.get(path) or (
            int(word) if word.isdigit() else 200)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", self.server.target.elsewhere)
        if status == 429:
            self.send_header("Retry-After", "120")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def on_headers_stall(self, _):
        self.server.target.wait()

    def on_body_stall(self, _):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        self.wfile.flush()
        self.server.target.wait()

    def on_body_endless(self, _):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            self.wfile.write(b"x" * 65536)

    def on_headers_endless(self, _):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            self.wfile.write(b"X-More: " + b"x" * 1000 + b"\r\n")

    def on_garbage(self, _):
        self.wfile.write(b"\x00\xff not HTTP\r\n\r\n")

    def on_nothing(self, _):
        pass


class Target:
    """status: answers by path, which may change; elsewhere: of redirects."""

    def __init__(self, host, context=None):
        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # the other side may go at any time

        self.got, self.status, self.elsewhere = [], {}, ""
        self.connections = 0
        self.over = threading.Event()
        self.server = Server((host, 0), Handler)
        self.server.target = self
        self.host, self.port = host, self.server.server_address[1]
        self.scheme = "https" if context else "http"
        get_request = self.server.get_request

        def counted():
            pair = get_request()
            self.connections += 1
            if context:
                sock = context.wrap_socket(pair[0], server_side=True,
                                           do_handshake_on_connect=False)
                return sock, pair[1]
            return pair

        self.server.get_request = counted
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def url(self, path, host=None):
        return f"{self.scheme}://{host or self.host}:{self.port}{path}"

    def wait(self):
        self.over.wait(60)

    def close(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


def is_signed(got, secret, now=None):
    """By the text of Standard Webhooks, with Python's own means."""
    at = int(got.headers["webhook-timestamp"])
    if abs((now or time.time()) - at) > 300:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    text = f"{got.id}.{at}.".encode() + got.body
    want = base64.b64encode(hmac.digest(key, text, hashlib.sha256)).decode()
    return any(hmac.compare_digest(part, "v1," + want)
               for part in got.headers["webhook-signature"].split(" "))
