#!/usr/bin/env python3
"""Books and cancels anything that is not sold out."""

import json
import sys

request = json.load(sys.stdin)
action, data = request["action"], request.get("data")
if action == "book" and data["what"] == data["sold_out"]:
    json.dump({"error": {"code": "sold_out", "message": f"no {data['what']} left", "retryable": False}}, sys.stdout)
    sys.exit(1)
answer = {"booking": f"{data['what']}-{data['trip']}"} if action == "book" else {"cancelled": data["booking"]}
json.dump(answer, sys.stdout)
