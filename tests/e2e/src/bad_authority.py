"""An authority that misbehaves: passes each request on to a good one, and spoils what the file of modes says.

    bad_authority.py PORT CERTIFICATE KEY GOOD_PORT FOLDER

FOLDER/mode holds a mode with its argument, read at each request; FOLDER/seen gets a line a request, its step; FOLDER/held
is made when a request is held.
"""

import http.client
import http.server
import json
import pathlib
import ssl
import sys
import threading
import time

PORT, CERTIFICATE, KEY, GOOD, FOLDER = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), pathlib.Path(sys.argv[5])
STEPS = [
    ("/dir", "directory"), ("/nonce-plz", "nonce"), ("/sign-me-up", "account"), ("/order-plz", "order"),
    ("/my-order/", "look"), ("/finalize-order/", "finalize"), ("/authZ/", "authorization"), ("/chalZ/", "challenge"),
    ("/certZ/", "certificate"), ("/revoke-cert", "revoke"), ("/draft-ietf-acme-ari", "window"),
]
LOCK = threading.Lock()


def step_of(path):
    return next((step for begin, step in STEPS if path.startswith(begin)), "other")


class Bad(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, fields=()):
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def problem(self, status, kind, fields=()):
        body = json.dumps({"type": f"urn:ietf:params:acme:error:{kind}", "detail": f"bad: {kind}", "status": status})
        self.answer(status, body.encode(), [("Content-Type", "application/problem+json"), *fields])

    def hold(self):
        (FOLDER / "held").touch()
        time.sleep(600)

    def go(self):
        step, length = step_of(self.path), int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        what, _, argument = (FOLDER / "mode").read_text().strip().partition(" ")
        with LOCK, open(FOLDER / "seen", "a", encoding="ascii") as seen:
            seen.write(f"{step}\n")
        is_post = self.command == "POST"
        if what == "hold-before" and argument == step:
            self.hold()
        if what == "error-500" and is_post:
            return self.problem(500, "serverInternal")
        if what == "limited" and is_post:
            return self.problem(429, "rateLimited", [("Retry-After", argument)])
        if what == "hangs" and is_post:
            return time.sleep(600)
        if what == "nonces" and is_post:
            return self.problem(400, "badNonce", [("Replay-Nonce", "YWJjZGVmZ2hpamtsbW5vcA")])
        if what == "replaced" and step == "order":
            return self.problem(409, "alreadyReplaced")
        if what == "page" and is_post:
            return self.answer(200, b"<html>It works!</html>", [("Content-Type", "text/html")])
        if what == "cut" and is_post:
            self.close_connection = True
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"status\":")
            return None
        status, fields, answer = self.ask_good_one(body)
        if what == "hold-after" and argument == step:
            self.hold()
        if what == "another-key" and step == "certificate":
            answer = (FOLDER / "another.pem").read_bytes()
        if what == "works-on" and step in ("look", "finalize") and status == 200:
            order = json.loads(answer)
            if order["status"] in ("valid", "processing"):
                order["status"] = "processing"
                order.pop("certificate", None)
            answer = json.dumps(order).encode()
        if what == "window" and step == "window":
            end = f"{int(argument) + 1}-01-01T00:00:00Z"
            answer = json.dumps({"suggestedWindow": {"start": f"{argument}-01-01T00:00:00Z", "end": end}}).encode()
        return self.answer(status, b"" if self.command == "HEAD" else answer, fields)

    def ask_good_one(self, body):
        context = ssl._create_unverified_context()
        good = http.client.HTTPSConnection("127.0.0.1", GOOD, context=context, timeout=20)
        # The good one builds its addresses from the name that it is asked by.
        fields = {name: value for name, value in self.headers.items() if name.lower() not in ("connection", "accept-encoding")}
        good.request(self.command, self.path, body or None, fields)
        answer = good.getresponse()
        read = answer.read()
        left_out = ("connection", "transfer-encoding", "content-length")
        kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in left_out]
        good.close()
        return answer.status, kept, read

    do_GET = do_HEAD = do_POST = go


server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Bad)
server.daemon_threads = True
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
