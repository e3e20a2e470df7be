#!/usr/bin/env python3
"""Where messages lie that nobody could handle."""

import json
import sys

request = json.load(sys.stdin)
data = request["data"]
with open("dead_letters.jsonl", "a", encoding="utf-8") as letters:
    letters.write(json.dumps({"key": request["idempotency_key"], **data}) + "\n")
answer = {"dead": data["message"]["id"]}
json.dump(answer, sys.stdout)
