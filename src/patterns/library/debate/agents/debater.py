#!/usr/bin/env python3
"""Has an opinion, and gives in to a majority of the others."""

import json
import sys

request = json.load(sys.stdin)
data = request["data"]
choices = [opinion["choice"] for opinion in data["opinions"].values()]
mine = sys.argv[1]
others = max(set(choices), key=choices.count, default=mine)
choice = others if choices.count(others) >= 2 else mine
answer = {"choice": choice, "because": "the others convinced me" if choice != mine else "I always thought so"}
json.dump(answer, sys.stdout)
