#!/usr/bin/env python3
"""Fails twice, then answers."""

import json
import sys

request = json.load(sys.stdin)
data = request["data"]
if request["attempt"] <= 2:
    json.dump({"error": {"code": "unavailable", "message": "try again"}}, sys.stdout)
    sys.exit(1)
answer = {"answer": data["question"] * 7}
json.dump(answer, sys.stdout)
