#!/usr/bin/env python3
"""All three parts, without any intelligence."""

import json
import sys

request = json.load(sys.stdin)
action, data = request["action"], request.get("data")
if action == "plan":
    answer = {"tasks": ["read about tea", "write it down", *data["objections"]]}
elif action == "do":
    answer = {"task": data["task"], "outcome": "done"}
else:
    good = len(data["work"]) > 2
    answer = {"good": good, "objections": [] if good else ["check the facts"]}
json.dump(answer, sys.stdout)
