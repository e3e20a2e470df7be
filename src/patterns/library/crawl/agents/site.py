#!/usr/bin/env python3
"""A site of a few pages."""

import json
import sys

request = json.load(sys.stdin)
data = request["data"]
PAGES = {"/": ["/tea", "/coffee"], "/tea": ["/tea/green", "/"], "/coffee": ["/tea"], "/tea/green": []}
answer = {"page": data["page"], "links": PAGES[data["page"]]}
json.dump(answer, sys.stdout)
