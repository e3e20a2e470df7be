#!/usr/bin/env python3
"""Writes one sentence, and takes remarks into it."""

import json
import sys

request = json.load(sys.stdin)
action, data = request["action"], request.get("data")
if action == "draft":
    answer = ", ".join([f"A text about {data['topic']}", *data["remarks"]])
else:
    answer = {"published": data["text"]}
json.dump(answer, sys.stdout)
