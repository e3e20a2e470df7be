#!/usr/bin/env python3
"""Writes unicode_tables.cpp from the Unicode data that Python carries: python3 make_unicode_tables.py"""
import os
import sys
import unicodedata

CODES = [c for c in range(sys.maxunicode + 1)]


def ranges(test):
    out, start = [], None
    for c in CODES + [sys.maxunicode + 1]:
        inside = c <= sys.maxunicode and test(chr(c))
        if inside and start is None:
            start = c
        elif not inside and start is not None:
            out.append((start, c - 1))
            start = None
    return out


def mappings(form):
    """Runs (first, last, step, delta) of one-to-one mappings and a list of (code, text) for longer ones."""
    single, longer = [], []
    for c in CODES:
        text = form(chr(c))
        if text == chr(c):
            continue
        if len(text) == 1:
            single.append((c, ord(text) - c))
        else:
            longer.append((c, text))
    runs = []
    for c, delta in single:
        if runs and runs[-1][3] == delta:
            first, last, step, _ = runs[-1]
            if last == first and c - last in (1, 2):
                runs[-1] = (first, c, c - last, delta)
                continue
            if step and c - last == step:
                runs[-1] = (first, c, step, delta)
                continue
        runs.append((c, c, 0, delta))
    return [(a, b, s or 1, d) for a, b, s, d in runs], longer


def wrap(items, width=118):
    lines, line = [], "   "
    for item in items:
        if len(line) + len(item) + 2 > width:
            lines.append(line)
            line = "   "
        line += " " + item + ","
    lines.append(line)
    return "\n".join(lines)


def main():
    out = [
        "// Written by make_unicode_tables.py from Unicode %s; not to be edited." % unicodedata.unidata_version,
        "// clang-format off",
        '#include "jinja/unicode_tables.h"',
        "",
        "namespace mapflow::jinja::detail::unicode {",
        "",
    ]
    classes = {
        "kAlpha": str.isalpha, "kDecimal": str.isdecimal, "kDigit": str.isdigit, "kNumeric": str.isnumeric,
        "kUpper": str.isupper, "kLower": str.islower, "kTitle": lambda c: unicodedata.category(c) == "Lt",
        "kSpace": str.isspace, "kPrintable": str.isprintable,
        "kCaseIgnorable": lambda c: unicodedata.category(c) in ("Mn", "Me", "Cf", "Lm", "Sk") or c in "'.:\u00b7\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a\u05f4\u0387\u055f",
    }
    for name, test in classes.items():
        found = ranges(test)
        out += ["const Span %s[] = {" % name, wrap("{0x%X, 0x%X}" % r for r in found), "};",
                "const std::size_t %sCount = %d;" % (name, len(found)), ""]
    for name, form in {"kToUpper": str.upper, "kToLower": str.lower, "kToTitle": str.title, "kToFold": str.casefold}.items():
        single, longer = mappings(form)
        out += ["const CaseRun %s[] = {" % name, wrap("{0x%X, 0x%X, %d, %d}" % r for r in single), "};",
                "const std::size_t %sCount = %d;" % (name, len(single))]
        text = ['{0x%X, "%s"}' % (c, "".join("\\x%02x" % b for b in t.encode())) for c, t in longer]
        out += ["const CaseText %sLong[] = {" % name, wrap(text), "};",
                "const std::size_t %sLongCount = %d;" % (name, len(longer)), ""]
    special = {"\u00df": "ss", "\u00e6": "ae", "\u00c6": "AE", "\u00f8": "o", "\u00d8": "O", "\u0111": "d", "\u0110": "D",
               "\u0142": "l", "\u0141": "L", "\u00fe": "th", "\u00de": "Th", "\u0153": "oe", "\u0152": "OE", "\u00f0": "d",
               "\u00d0": "D", "\u0131": "i", "\u1e9e": "SS"}
    ascii_forms = []
    for c in CODES:
        base = special.get(chr(c)) or unicodedata.normalize("NFKD", chr(c))
        plain = "".join(p for p in base if not unicodedata.combining(p))
        if c >= 0x80 and plain != chr(c) and plain.isascii() and plain.isalnum():
            ascii_forms.append((c, plain))
    out += ["const CaseText kToAscii[] = {", wrap('{0x%X, "%s"}' % each for each in ascii_forms), "};",
            "const std::size_t kToAsciiCount = %d;" % len(ascii_forms), ""]
    out += ["}  // namespace mapflow::jinja::detail::unicode", ""]
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "unicode_tables.cpp"), "w") as file:
        file.write("\n".join(out))


main()
