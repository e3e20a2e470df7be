#!/usr/bin/env python3
"""Handles anything but poison."""

import json
import sys

request = json.load(sys.stdin)
data = request["data"]
if data["text"] == "poison":
    json.dump({"error": {"code": "bad_message", "message": "nobody can handle this"}}, sys.stdout)
    sys.exit(1)
answer = {"done": data["id"]}
json.dump(answer, sys.stdout)
