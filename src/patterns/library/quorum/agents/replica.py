#!/usr/bin/env python3
"""A replica; the one in the west is behind."""

import json
import sys

request = json.load(sys.stdin)
data = request["data"]
answer = {"key": data["key"], "value": 41 if sys.argv[1] == "west" else 42}
json.dump(answer, sys.stdout)
