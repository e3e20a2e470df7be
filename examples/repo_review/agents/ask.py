#!/usr/bin/env python3
"""Takes a question to the specialists' office, whose address comes with the question: only the review knows its port.

A service with a fixed address needs no such messenger: an agent over `http` is enough.
"""

from envelope import Problem, serve
from team import ask


def forward(data, request):
    if not data.get("office"):
        raise Problem("unavailable", "this review has no office")
    status, reply = ask(data["office"], "ask", request)
    if status == 200:
        return reply
    error = reply.get("error", {}) if isinstance(reply, dict) else {}
    raise Problem(error.get("code", "agent_error"), error.get("message", f"the office answers {status}"),
                  retryable=error.get("retryable", False))


if __name__ == "__main__":
    serve({"languages": forward, "judge": forward})
