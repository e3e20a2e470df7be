#!/usr/bin/env python3
"""Cleans one row."""

import json
import sys

request = json.load(sys.stdin)
data = request["data"]
answer = {**data["row"], "name": data["row"]["name"].strip().title()}
json.dump(answer, sys.stdout)
