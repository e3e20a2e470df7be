#!/usr/bin/env python3
"""Says how many rows it was given."""

import json
import sys

request = json.load(sys.stdin)
data = request["data"]
answer = {"loaded": len(data["rows"])}
json.dump(answer, sys.stdout)
