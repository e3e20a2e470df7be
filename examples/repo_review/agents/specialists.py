#!/usr/bin/env python3
"""The specialists: the linguist names the languages, the judge says what a part's measurements are worth.

Both only think about what they are told and never look at the disk. So they can live anywhere: `team.py` serves them
over HTTP, and this file answers the same requests over exec, for when that server cannot be reached.
"""

from envelope import Problem, chance, serve

LANGUAGES = {
    "C++": "cc cpp cxx h hh hpp", "C": "c", "Python": "py pyi", "JavaScript": "js jsx mjs cjs", "TypeScript": "ts tsx",
    "Go": "go", "Rust": "rs", "Java": "java", "Kotlin": "kt kts", "C#": "cs", "Ruby": "rb", "PHP": "php",
    "Swift": "swift", "Scala": "scala", "Haskell": "hs", "Lua": "lua", "Perl": "pl pm", "R": "r", "Dart": "dart",
    "Zig": "zig", "Elixir": "ex exs", "Shell": "sh bash zsh", "SQL": "sql", "HTML": "html htm", "CSS": "css scss less",
    "Vue": "vue", "Svelte": "svelte", "Protocol Buffers": "proto", "CMake": "cmake", "Make": "mk makefile gnumakefile",
    "Docker": "dockerfile", "Nix": "nix", "Terraform": "tf",
    "YAML": "yaml yml", "JSON": "json", "TOML": "toml", "XML": "xml", "Markdown": "md markdown", "reStructuredText": "rst",
}
BY_EXTENSION = {extension: language for language, words in LANGUAGES.items() for extension in words.split()}
NOT_CODE = {"YAML", "JSON", "TOML", "XML", "Markdown", "reStructuredText"}


def languages(data, _request):
    totals = {}
    for entry in data["extensions"]:
        language = BY_EXTENSION.get(entry["extension"])
        if language:
            total = totals.setdefault(language, {"language": language, "files": 0, "bytes": 0, "code": language not in NOT_CODE})
            total["files"] += entry["files"]
            total["bytes"] += entry["bytes"]
    # A .h file is C where there is C and no C++.
    names = {entry["extension"] for entry in data["extensions"]}
    if "C++" in totals and "C" in totals and not names & {"cc", "cpp", "cxx", "hh", "hpp"}:
        plus = totals.pop("C++")
        totals["C"]["files"] += plus["files"]
        totals["C"]["bytes"] += plus["bytes"]
    found = sorted(totals.values(), key=lambda total: (not total["code"], -total["bytes"]))
    everything = sum(total["bytes"] for total in found if total["code"]) or 1
    for total in found:
        total["share"] = round(100 * total["bytes"] / everything) if total["code"] else 0
    return {"main": found[0]["language"] if found and found[0]["code"] else None, "languages": found[:12]}


def several(count, one, many):
    return f"{count} {one if count == 1 else many}"


# What costs a part points: (name, points at most, how bad it is from 0 to 1, what to tell the maintainer).
def complaints(m):
    code = max(m["code"], 300)  # in a small part, one long line is just one long line
    longest = m["longest"][0] if m["longest"] else {"file": "", "lines": 0}
    yield ("conflict markers", 40, 1.0 if m["conflicts"] else 0.0,
           several(m["conflicts"], "line looks", "lines look") + " like an unresolved merge conflict")
    yield ("long file", 20, (longest["lines"] - 500) / 1500, f"{longest['file']} has {longest['lines']} lines")
    yield ("no comments", 15, (0.04 - m["comments"] / code) / 0.04 if m["code"] >= 200 else 0.0,
           several(m["comments"], "comment line", "comment lines") + f" for {m['code']} lines of code")
    yield ("open ends", 15, m["markers"] / code * 100, several(m["markers"], "TODO or FIXME mark", "TODO and FIXME marks"))
    yield ("deep nesting", 15, m["deep_lines"] / code * 12, several(m["deep_lines"], "line is", "lines are") + " indented six levels or more")
    yield ("long lines", 10, m["long_lines"] / code * 10, several(m["long_lines"], "line is", "lines are") + " longer than 120 characters")
    yield ("mixed encodings", 10, m["not_utf8"] / 3, several(m["not_utf8"], "text file is", "text files are") + " not UTF-8")


def judge(data, request):
    """Scores one part from 0 to 100. `flaky` is how often, from 0 to 1, the judge has a bad moment instead."""
    if chance(request) < float(data.get("flaky") or 0):
        raise Problem("unavailable", "the judge lost the thread; ask again", retryable=True)
    measurements = data["measurements"]
    lost, findings = 0.0, []
    for name, most, badness, text in complaints(measurements):
        points = most * min(1.0, max(0.0, badness))
        lost += points
        if points >= 1:
            findings.append({"finding": name, "points": round(points), "text": text})
    score = round(max(0.0, 100 - lost))
    findings.sort(key=lambda finding: -finding["points"])
    weight = measurements["code"]
    return {**measurements, "score": score, "weighted": score * weight, "findings": findings}


ACTIONS = {"languages": languages, "judge": judge}

if __name__ == "__main__":
    serve(ACTIONS)
