#!/usr/bin/env python3
"""Pretends to train: the score depends on the parameters alone."""

import json
import sys

request = json.load(sys.stdin)
action, data = request["action"], request.get("data")
if action == "prepare":
    answer = {"set": "set-1"}
else:
    score = round(1 - abs(data["rate"] - 0.1) - abs(data["depth"] - 4) / 10, 3)
    answer = {"model": f"model-{data['rate']}-{data['depth']}", "score": score}
json.dump(answer, sys.stdout)
