#!/usr/bin/env python3
"""The team's office: a small HTTP server for the specialists that the review itself starts and sends home.

As an agent (over exec) it answers two actions, each as good done twice as once:
  start   makes sure that the office is open, and says where
  leave   says that this review needs it no longer; when nobody else does, it closes

The office (`team.py --serve`) outlives the process that started it, on purpose: a review that is killed and started
again finds it still there. Reviews share it. It closes by itself after a minute without a request, and it neither
reads nor writes files: all it knows is what it is asked.
"""

import http.client
import http.server
import json
import os
import subprocess
import sys
import threading
import time

import specialists
from envelope import Problem, answer, serve

ADDRESS = ("127.0.0.1", 17391)  # workflow.yaml has it too
BASE = "/repo-review/v1"
NAME = "repo-review-team"
IDLE_SECONDS = 60
START_SECONDS = 10
MOST_BYTES = 4 << 20


class Office(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        self.lock = threading.Lock()
        self.reviews = {}  # instance id -> when it last asked for something
        self.last_request = time.monotonic()
        super().__init__(ADDRESS, Desk)

    def seen(self, review):
        with self.lock:
            self.last_request = time.monotonic()
            if review:
                self.reviews[review] = self.last_request

    def left(self, review):
        """Whether nobody needs the office any more."""
        with self.lock:
            self.reviews.pop(review, None)
            now = time.monotonic()
            self.reviews = {r: at for r, at in self.reviews.items() if now - at < IDLE_SECONDS}
            return not self.reviews

    def service_actions(self):  # called twice a second
        with self.lock:
            idle = time.monotonic() - self.last_request > IDLE_SECONDS
        if idle:
            self.close_soon()

    def close_soon(self):
        threading.Thread(target=self.shutdown).start()  # shutdown() waits for the loop that may be calling us


class Desk(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 20                      # of a connection on which nothing comes
    disable_nagle_algorithm = True

    def do_GET(self):
        if self.path == f"{BASE}/health":
            self.reply(200, {"service": NAME, "pid": os.getpid()})
        else:
            self.reply(404, Problem("not_found", self.path).body())

    def do_POST(self):
        try:
            length = int(self.headers.get("Content-Length") or 0)
            if length > MOST_BYTES:
                self.close_connection = True
                return self.reply(413, Problem("invalid_input", "that is too much").body())
            request = json.loads(self.rfile.read(length))
            review = request.get("instance_id")
            if self.path == f"{BASE}/leave":
                closing = self.server.left(review)
                self.reply(200, {"closing": closing})
                if closing:
                    self.server.close_soon()
            elif self.path == f"{BASE}/ask":
                self.server.seen(review)
                self.reply(200, answer(specialists.ACTIONS, request))
            else:
                self.reply(404, Problem("not_found", self.path).body())
        except Problem as problem:
            self.reply(503 if problem.retryable else 422, problem.body())
        except (ValueError, KeyError, TypeError, AttributeError) as wrong:
            self.reply(422, Problem("invalid_input", f"cannot make sense of the request: {wrong!r}").body())

    def reply(self, status, body):
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


def ask(method, path, body=None, timeout=2):
    """Asks the office something; None when nobody answers, or somebody else does."""
    connection = http.client.HTTPConnection(*ADDRESS, timeout=timeout)
    try:
        connection.request(method, BASE + path, json.dumps(body) if body is not None else None)
        response = connection.getresponse()
        return json.loads(response.read()) if response.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def is_open():
    health = ask("GET", "/health")
    return isinstance(health, dict) and health.get("service") == NAME


def start(_data, _request):
    deadline = time.monotonic() + START_SECONDS
    child = None
    while not is_open():
        if time.monotonic() > deadline:
            raise Problem("unavailable", f"no office at {ADDRESS[0]}:{ADDRESS[1]}; does another program hold that port?")
        if child is None or child.poll() is not None:
            # Two that start at once are no trouble: only one gets the port, the other gives up. Started anew in case
            # that the one before us was just closing.
            child = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--serve"], start_new_session=True,
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                     cwd="/")
        time.sleep(0.02)
    return {"url": f"http://{ADDRESS[0]}:{ADDRESS[1]}{BASE}"}


def leave(_data, request):
    reply = ask("POST", "/leave", {"instance_id": request.get("instance_id")})
    return {"closing": bool(reply and reply.get("closing"))}


def main():
    if sys.argv[1:] == ["--serve"]:
        try:
            office = Office()
        except OSError:
            return 1  # somebody has the port
        with office:
            office.serve_forever()
        return 0
    serve({"start": start, "leave": leave})
    return 0


if __name__ == "__main__":
    sys.exit(main())
