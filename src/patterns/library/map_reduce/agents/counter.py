#!/usr/bin/env python3
"""Counts the words of a text."""

import json
import sys

request = json.load(sys.stdin)
data = request["data"]
answer = {"words": len(data["text"].split())}
json.dump(answer, sys.stdout)
