"""What every agent of the review has in common: a request comes in as one JSON object, an answer goes out as another.

An agent is a program that calls `serve(ACTIONS)`. Over `exec` it reads the envelope from stdin, runs the function that
`action` names with the envelope, and prints what that returns. A problem it can name is a `Problem`.
"""

import fcntl
import hashlib
import json
import os
import sys


class Problem(Exception):
    """An error as the engine wants it: a code, a sentence, and whether trying again may help."""

    def __init__(self, code, message, retryable=False, retry_after=None):
        super().__init__(message)
        self.code, self.message, self.retryable, self.retry_after = code, message, retryable, retry_after

    def body(self):
        error = {"code": self.code, "message": self.message, "retryable": self.retryable}
        if self.retry_after is not None:
            error["retry_after"] = self.retry_after
        return {"error": error}


def answer(actions, request):
    """Runs the action that the request names. Any agent, over any transport, comes through here."""
    note(request)
    action = actions.get(request.get("action"))
    if action is None:
        raise Problem("invalid_input", f"no such action: {request.get('action')!r}; known: {', '.join(sorted(actions))}")
    return action(request.get("data") or {}, request)


def serve(actions):
    """One request over stdin and stdout."""
    try:
        result = answer(actions, json.load(sys.stdin))
    except Problem as problem:
        print(json.dumps(problem.body()))
        sys.exit(1)
    # Not everything in a repository is valid UTF-8; plain ASCII with escapes always is.
    print(json.dumps(result))


def note(request):
    """With REPO_REVIEW_LOG set, one line per call: the same key twice is the same work asked for twice."""
    log = os.environ.get("REPO_REVIEW_LOG")
    if not log:
        return
    line = {name: request.get(name) for name in ("idempotency_key", "attempt", "delivery", "path", "action")}
    with open(log, "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps(line) + "\n")


def chance(request):
    """A number from 0 up to 1 that depends on nothing but the call and its attempt, so that runs can be repeated."""
    seed = f"{request.get('idempotency_key')} {request.get('attempt')}".encode()
    return int.from_bytes(hashlib.sha256(seed).digest()[:4], "big") / 2**32
