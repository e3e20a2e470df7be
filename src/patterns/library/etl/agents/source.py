#!/usr/bin/env python3
"""A source of three rows."""

import json
import sys

json.load(sys.stdin)
answer = {"rows": [{"id": n, "name": name} for n, name in enumerate([" ann ", "BOB", "cleo"])]}
json.dump(answer, sys.stdout)
