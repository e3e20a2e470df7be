#!/usr/bin/env python3
"""Does what was decided."""

import json
import sys

request = json.load(sys.stdin)
action = request["action"]
answer = {"done": action}
json.dump(answer, sys.stdout)
