"""The soak's agent: does a thing, writes down that it did, and answers with a token that only this very call knows.

    python3 -IS agent.py LOG      one call: the envelope on stdin, the answer on stdout

A line of LOG is an effect that has happened, whether or not anybody still waits for the answer. `data.fails` says how many
attempts fail first; -1: all, for good.
"""

import json
import os
import select
import sys

envelope = json.load(sys.stdin)
data = envelope["data"]
select.select([], [], [], data.get("takes", 0))  # the work
token = os.urandom(8).hex()
failed = data["fails"] < 0 or envelope["attempt"] <= data["fails"]
line = {name: envelope[name] for name in ("idempotency_key", "instance_id", "path", "step", "action", "attempt", "delivery")}
line.update(token=token, failed=failed, undoes=data.get("undoes"))
log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
os.write(log, (json.dumps(line) + "\n").encode())  # one write: lines of several agents do not mix
if failed:
    print(json.dumps({"error": {"code": "broken", "message": "it cannot be done", "retryable": data["fails"] > 0}}))
    sys.exit(1)
print(json.dumps({"token": token}))
