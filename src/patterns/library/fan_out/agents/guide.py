#!/usr/bin/env python3
"""Knows a little about every city."""

import json
import sys

request = json.load(sys.stdin)
action, data = request["action"], request.get("data")
answer = {action: f"{action} of {data['city'].title()}"}
json.dump(answer, sys.stdout)
