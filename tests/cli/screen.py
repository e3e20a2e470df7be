"""A terminal of a few escape sequences: enough to see what a person would see."""

import re


class Screen:
    ESCAPE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")

    def __init__(self, columns):
        self.columns = columns
        self.lines = [""]
        self.row = 0
        self.column = 0

    def feed(self, text):
        at = 0
        while at < len(text):
            match = self.ESCAPE.match(text, at)
            if match:
                self.escape(match.group(1), match.group(2))
                at = match.end()
            else:
                self.put(text[at])
                at += 1
        return self

    def put(self, char):
        if char == "\r":
            self.column = 0
        elif char == "\n":
            self.row += 1
            if self.row == len(self.lines):
                self.lines.append("")
        elif char >= " ":
            if self.column == self.columns:
                self.put("\r")
                self.put("\n")
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[:self.column] + char + line[self.column + 1:]
            self.column += 1

    def escape(self, argument, what):
        if what == "A":
            self.row = max(0, self.row - int(argument or 1))
        elif what == "K":
            self.lines[self.row] = self.lines[self.row][:self.column]
        elif what == "J":
            self.lines[self.row] = self.lines[self.row][:self.column]
            del self.lines[self.row + 1:]
        elif what != "m":
            raise AssertionError(f"an escape sequence nobody expects: {argument}{what}")

    def text(self):
        return "\n".join(line.rstrip() for line in self.lines).rstrip()
