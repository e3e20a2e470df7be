#!/usr/bin/env python3
"""A job that is done when it has been asked for twice."""

import json
import sys

request = json.load(sys.stdin)
action, data = request["action"], request.get("data")
if action == "submit":
    answer = {"job": "job-1"}
elif action == "state":
    answer = {"state": "done" if data["asked"] >= 1 else "running"}
else:
    answer = {"job": data["job"], "rows": 3}
json.dump(answer, sys.stdout)
