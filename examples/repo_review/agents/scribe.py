#!/usr/bin/env python3
"""The scribe: writes what the others found as one Markdown file. Written twice, it is the same file."""

import os
import tempfile

from envelope import Problem, serve


def write(data, _request):
    place = data["inventory"]["report"]
    text = "\n".join(report(data)) + "\n"
    try:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        # Under another name first: whoever reads the report never sees half of one.
        handle, draft = tempfile.mkstemp(dir=os.path.dirname(place), prefix=".repo_review")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(draft, 0o644)
            os.replace(draft, place)
        except BaseException:
            os.unlink(draft)
            raise
    except OSError as error:
        raise Problem("invalid_input", f"cannot write the report to {place}: {error.strerror}") from error
    return {"path": place, "grade": data["health"]["grade"], "score": data["health"]["score"],
            "headline": headline(data)}


def headline(data):
    return f"{data['inventory']['name']}: grade {data['health']['grade']}, {data['health']['score']} of 100"


def report(data):
    inventory, health = data["inventory"], data["health"]
    yield f"# Review of {text(inventory['name'])}"
    yield ""
    commit = f" at `{inventory['commit'][:12]}` of {inventory['committed_at'][:10]}" if inventory["commit"] else ""
    branch = f" on {code(inventory['branch'])}" if inventory["branch"] else ""
    yield f"**Grade {health['grade']}: {health['score']} of 100 points.** Looked at: the tracked files{branch}{commit}."
    yield ""
    yield f"- {inventory['files']:,} files, {size(inventory['bytes'])}, {health['lines']:,} lines of code"
    yield f"- {languages_line(data['languages'])}"
    yield f"- Licence: {text(data['licences']['main'] or 'none that we know')}"
    yield f"- {people_line(data['history'])}"
    yield from ("", "## What to do first", "")
    yield from first_things(data)
    yield from parts_table(data)
    yield from hot_spots(data)
    yield from secrets(data["leaks"])
    yield from licences(data["licences"])
    yield from ("", "## How the points come about", "")
    yield from points(data)
    tools = data["tools"]
    yield from ("", f"*Made with {text(tools['git'])} and {text(tools['python'])}. A heuristic sees shapes, not "
                    "meaning: take it as a list of places to look.*")


def languages_line(languages):
    shown = [f"{entry['language']} {entry['share']}%" for entry in languages["languages"] if entry["share"] >= 1]
    return "Languages: " + (", ".join(shown) if shown else "no source code that we know")


def people_line(history):
    if not history["commits"]:
        return "No commits yet"
    names = ", ".join(f"{text(author['name'])} ({author['commits']})" for author in history["authors"])
    commits = "1 commit" if history["commits"] == 1 else f"{history['commits']:,} commits"
    return (f"{commits} looked at, since {history['since'][:10]}, by {history['author_count']}: "
            f"{names}")


def first_things(data):
    """The worst first, at most ten."""
    inventory, history = data["inventory"], data["history"]
    things = [(deduction["points"], f"{deduction['why']}.") for deduction in data["health"]["deductions"]]
    lines = max(data["health"]["lines"], 1)
    for part in data["parts"]:
        for finding in part["findings"]:
            weight = finding["points"] * (0.3 + 0.7 * part["code"] / lines)  # trouble in a large part weighs more
            if weight >= 1.5:
                things.append((weight, f"{code(part['name'])}: {text(finding['text'])}."))
    if lines > 500 and not any(part["tests"] for part in data["parts"]):
        things.append((8, "There are no tests that we recognise."))
    if history["knowing_half"] == 1 and history["author_count"] > 1:
        things.append((3, "Half of all commits come from one person: let others review and change their parts."))
    for spot in history["hot_spots"][:1]:
        if spot["changes"] >= 10:
            things.append((3, f"{code(spot['file'])} changed in {spot['changes']} commits: would smaller pieces help?"))
    for missing, advice in (("contributing", "There is no CONTRIBUTING file: newcomers do not know how to help."),
                            ("security", "There is no SECURITY file: where should a vulnerability be reported?")):
        if inventory["files"] > 50 and not inventory["documents"][missing]:
            things.append((1, advice))
    largest = inventory["largest"][:1]
    if largest and largest[0]["bytes"] > 5 << 20:
        things.append((2, f"{code(largest[0]['file'])} has {size(largest[0]['bytes'])}: does it belong into Git?"))
    things.sort(key=lambda thing: -thing[0])
    if not things:
        yield "Nothing stands out."
    for number, (_, thing) in enumerate(things[:10], 1):
        yield f"{number}. {thing[0].upper()}{thing[1:]}"


def parts_table(data):
    yield from ("", "## Parts", "")
    if not data["parts"]:
        yield "There are no tracked files."
        return
    yield "| Part | Score | Files | Code | Comments | Tests | Longest file | Findings |"
    yield "|---|---:|---:|---:|---:|---:|---|---|"
    for part in sorted(data["parts"], key=lambda part: (part["score"], -part["code"])):
        longest = part["longest"][0] if part["longest"] else None
        shown = f"{code(longest['file'])} ({longest['lines']:,})" if longest else ""
        findings = ", ".join(f"{finding['finding']} −{finding['points']}" for finding in part["findings"])
        score = part["score"] if part["code"] else "–"
        yield (f"| {code(part['name'])} | {score} | {part['files']:,} | {part['code']:,} | {part['comments']:,} | "
               f"{part['tests']:,} | {shown} | {findings} |")
    left_out = data["inventory"]["parts_left_out"]
    if left_out:
        yield from ("", f"{left_out} smaller parts were left out.")


def hot_spots(data):
    spots = data["history"]["hot_spots"]
    yield from ("", "## Hot spots", "")
    if not spots:
        yield "No file changed more than once."
        return
    yield "Files that change often and are large: where most of the work happens, and most of the mistakes."
    yield from ("", "| File | Commits | People | Size |", "|---|---:|---:|---:|")
    for spot in spots:
        yield f"| {code(spot['file'])} | {spot['changes']} | {spot['people']} | {size(spot['bytes'])} |"


def secrets(leaks):
    yield from ("", "## Secrets", "")
    if not leaks["findings"]:
        yield "Nothing that looks like a credential."
        return
    yield f"{leaks['high']} very likely, {leaks['medium']} possible, {leaks['low']} in tests and examples or made up."
    yield from ("", "| Where | What | Certainty | |", "|---|---|---|---|")
    for found in leaks["findings"]:
        yield f"| {code(found['file'] + ':' + str(found['line']))} | {found['rule']} | {found['certainty']} | {code(found['shown'])} |"


def licences(found):
    yield from ("", "## Licences", "")
    if not found["files"] and not found["tags"]:
        yield "No licence file and no SPDX tags: without a licence nobody may use this."
        return
    for entry in found["files"]:
        yield f"- {code(entry['file'])}: {entry['licence'] or 'not recognised'}"
    for tag in found["tags"]:
        yield f"- {tag['files']:,} lines tagged {code(tag['licence'])}"
    if found["others"]:
        yield f"- Also under other licences: {', '.join(found['others'])}"


def points(data):
    health = data["health"]
    yield f"The parts, weighted by their lines of code, come to {health['code']} of 100."
    for deduction in health["deductions"]:
        yield f"- −{deduction['points']}: {deduction['why']}"


def size(count):
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            return f"{count:,.0f} {unit}" if unit == "B" or count >= 10 else f"{count:.1f} {unit}"
        count /= 1024


def text(words):
    """Somebody else's words as plain text: nothing in them is Markdown or HTML."""
    return "".join("\\" + c if c in "\\`*_{}[]<>#|~!&" else c for c in str(words))


def code(words):
    """Somebody else's words as code, also inside a table."""
    words = str(words).replace("|", "¦")
    fence = "`"
    while fence in words:
        fence += "`"
    return f"{fence} {words} {fence}" if "`" in words else f"`{words}`"


if __name__ == "__main__":
    serve({"write": write})
