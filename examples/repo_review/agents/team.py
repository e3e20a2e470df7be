#!/usr/bin/env python3
"""The team's office: a small HTTP server for the specialists that a review itself starts and sends home.

As an agent (over exec) it answers two actions:
  start   opens an office for this review, on a free port of this machine, and says where: {"url": …}
  leave   closes the office at the `office` that it is given; good done twice as once

The office (`team.py --serve`) outlives the process that started it, on purpose: a review that is killed and started
again finds it still there. Every review has its own, so that several can run at once. Asked to start twice, after a
crash, it opens a second one. An office closes by itself after a minute without a request, and it neither reads nor
writes files: all it knows is what it is asked.
"""

import http.client
import http.server
import json
import os
import select
import subprocess
import sys
import threading
import time
import urllib.parse

import specialists
from envelope import Problem, answer, serve

BASE = "/repo-review/v1"
NAME = "repo-review-team"
IDLE_SECONDS = 60
START_SECONDS = 10
MOST_BYTES = 4 << 20


class Office(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        self.last_request = time.monotonic()
        super().__init__(("127.0.0.1", 0), Desk)

    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}{BASE}"

    def service_actions(self):  # called twice a second
        if time.monotonic() - self.last_request > IDLE_SECONDS:
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
        self.server.last_request = time.monotonic()
        try:
            length = int(self.headers.get("Content-Length") or 0)
            if length > MOST_BYTES:
                self.close_connection = True
                return self.reply(413, Problem("invalid_input", "that is too much").body())
            request = json.loads(self.rfile.read(length))
            if self.path == f"{BASE}/leave":
                self.reply(200, {"closing": True})
                self.server.close_soon()
            elif self.path == f"{BASE}/ask":
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


def ask(office, what, body, timeout=8):
    """Posts to an office: its status and its JSON. A Problem when nobody answers, or somebody else does."""
    address = urllib.parse.urlsplit(office)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=timeout)
    try:
        connection.request("POST", f"{address.path}/{what}", json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as wrong:
        raise Problem("unavailable", f"no office at {office}: {wrong}", retryable=True) from wrong
    finally:
        connection.close()


def start(_data, _request):
    child = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--serve"], start_new_session=True, cwd="/",
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    ready, _, _ = select.select([child.stdout], [], [], START_SECONDS)
    url = child.stdout.readline().decode().strip() if ready else ""
    if not url:
        child.kill()
        raise Problem("unavailable", "the office did not open", retryable=True)
    return {"url": url}


def leave(data, _request):
    try:
        ask(data["office"], "leave", {})
    except Problem:
        return {"closing": False}  # nobody there any more
    return {"closing": True}


def open_office():
    with Office() as office:
        print(office.url(), flush=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever started us reads no further
        office.serve_forever()


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        open_office()
    else:
        serve({"start": start, "leave": leave})
