#!/usr/bin/env python3
"""A model registry that says what it did."""

import json
import sys

request = json.load(sys.stdin)
action, data = request["action"], request.get("data")
answer = {action: data["model"]}
json.dump(answer, sys.stdout)
