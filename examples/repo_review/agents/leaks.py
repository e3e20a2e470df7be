#!/usr/bin/env python3
"""The secret scanner: looks for credentials in tracked files. What it finds it reports masked, never in full."""

import collections
import math
import re

import repository
from envelope import serve

MOST = 40          # findings that are reported one by one
LINE_BYTES = 4096  # of a longer line only the start is looked at closely

# Each rule: name, how sure a hit is, and a pattern that means the same to `git grep -E` and to Python.
RULES = [
    ("private key", "high", r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    ("AWS access key", "high", r"AKIA[0-9A-Z]{16}"),
    ("GitHub token", "high", r"gh[pousr]_[A-Za-z0-9]{36}"),
    ("GitLab token", "high", r"glpat-[A-Za-z0-9_-]{20}"),
    ("Slack token", "high", r"xox[abprs]-[0-9A-Za-z-]{12,}"),
    ("Google API key", "high", r"AIza[0-9A-Za-z_-]{35}"),
    ("Stripe key", "high", r"sk_live_[0-9A-Za-z]{20,}"),
    ("JSON web token", "medium", r"eyJ[A-Za-z0-9_-]{16,}\.eyJ[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    ("password in a URL", "medium", r"[a-z][a-z0-9+]{2,10}://[A-Za-z0-9._-]+:[^@/ <>{}$%\"']{6,}@[A-Za-z0-9.-]+"),
    ("assigned secret", "medium",
     r"(password|passwd|secret|api_?key|access_?token|auth_?token)[A-Za-z_]*[\"']?[ \t]*[:=][ \t]*[\"'][^\"' ]{12,}[\"']"),
]
COMPILED = [(name, certainty, re.compile(pattern.encode(), re.IGNORECASE if name == "assigned secret" else 0))
            for name, certainty, pattern in RULES]
HARMLESS = re.compile(rb"(?i)example|sample|dummy|placeholder|changeme|your[-_ ]|xxxx|\.\.\.|<[a-z_ ]+>|\{\{|\$\{|test")


def scan(data, _request):
    repo = data["repo"]
    patterns = [word for _, _, pattern in RULES for word in ("-e", pattern)]
    # Case does not matter here: this only finds candidates, the rules above then look at each line.
    output = repository.git(repo, "grep", "-I", "-z", "-n", "-i", "--max-count=20", "-E", *patterns, accept=(0, 1))
    findings, places = [], set()
    for path, line, text in matches(output):
        for rule, certainty, pattern in COMPILED:
            hit = pattern.search(text[:LINE_BYTES])
            if hit and (path, line) not in places:
                places.add((path, line))
                findings.append(finding(rule, certainty, path, line, hit.group(0)))
                break
    findings = [found for found in findings if found]
    order = {"high": 0, "medium": 1, "low": 2}
    findings.sort(key=lambda found: (order[found["certainty"]], found["file"], found["line"]))
    counts = collections.Counter(found["certainty"] for found in findings)
    return {"high": counts["high"], "medium": counts["medium"], "low": counts["low"], "findings": findings[:MOST]}


def matches(output):
    """`git grep -z -n` prints path, NUL, line number, NUL, the line, newline; a path may hold a newline, a line not."""
    for record in re.finditer(rb"([^\0]+)\0(\d+)\0([^\n]*)\n?", output):
        yield record.group(1), int(record.group(2)), record.group(3)


def finding(rule, certainty, path, line, text):
    if rule == "assigned secret" and entropy(text.rsplit(b"=", 1)[-1].rsplit(b":", 1)[-1].strip(b" \t\"'")) < 3.0:
        return None  # words, not keys
    in_tests = re.search(rb"(?i)(^|/)(tests?|fixtures?|testdata|examples?|docs?)/", path)
    if HARMLESS.search(text) or in_tests:
        certainty = "low"
    shown = text.decode("ascii", "replace")
    return {"rule": rule, "certainty": certainty, "file": repository.name(path), "line": line,
            "shown": (shown[:6] + "…" + f" ({len(shown)} characters)") if rule != "private key" else "a private key block"}


def entropy(text):
    """Bits per character."""
    counts = collections.Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values()) if text else 0.0


if __name__ == "__main__":
    serve({"scan": scan})
