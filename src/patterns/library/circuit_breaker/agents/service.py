#!/usr/bin/env python3
"""Answers, unless it is broken."""

import json
import sys

request = json.load(sys.stdin)
data = request["data"]
if data["broken"]:
    sys.exit("this service is broken")
answer = {"answer": data["question"] * 7}
json.dump(answer, sys.stdout)
