"""An HTTP server that behaves as its callers ask, for the tests of the http transport.

It listens on a free port of 127.0.0.1, prints that port as its first line, and ends when its stdin is closed.
"""
import email.utils
import itertools
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

connections = itertools.count(1)


def say(word):
    os.write(1, (word + "\n").encode())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.number = next(connections)

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_request(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        getattr(self, self.path.strip("/").split("?")[0])(json.loads(body))

    do_POST = do_PUT = handle_request

    def echo(self, envelope):
        """What arrived, and over which connection."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        out = {"connection": self.number, "method": self.command, "headers": headers, "body": envelope}
        self.answer(200, json.dumps(out).encode())

    def as_told(self, envelope):
        """The status, headers and body that the envelope's data asks for."""
        told = envelope["data"]
        self.answer(told["status"], told.get("body", "").encode(), told.get("headers", {}).items())

    def later(self, envelope):
        """Busy for two minutes, said as a date."""
        self.answer(503, b"", [("Retry-After", email.utils.formatdate(time.time() + 120, usegmt=True))])

    def endless(self, envelope):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
        except OSError:
            self.close_connection = True

    def hang(self, envelope):
        """Never answers; says when it was called and when its caller has gone."""
        say("called")
        self.connection.recv(1)
        say("left")
        self.close_connection = True

    def drop(self, envelope):
        self.close_connection = True

    def cut(self, envelope):
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b'{"half":')
        self.close_connection = True

    def garbage(self, envelope):
        self.wfile.write(b"220 mail.example.org ready\r\n")
        self.close_connection = True

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
say(str(server.server_port))
sys.stdin.read()
