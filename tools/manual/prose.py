"""prose.py -- the text of a comment as the source of a manual page.

Comments of the headers have paragraphs; tables of statuses, indented by two columns; lists of items that
begin with a dash; code, indented by four columns or more; and, in essays, paragraphs with a word in the margin.
"""
import re

import roff

STATUS = re.compile(r"  (HOLT_\w+) {2,}(.*)")
BULLET = re.compile(r"  - (.*)")
CODE_INDENT = 4
LABEL = re.compile(r"([A-Z]\w+|fork) {1,}(\S.*)")
NAME = re.compile(r"\bholt_\w+\b(?:\(\))?|\bHOLT_[A-Z_]+\b(?:\.\.\.)?")
QUOTED = re.compile(r"`([^`]+)`")


def marked(text):
    """Functions and constants in bold, arguments in quotes in italics."""
    text = NAME.sub(lambda match: roff.BOLD + match.group() + roff.END, text)
    return QUOTED.sub(lambda match: roff.ITALIC + match.group(1) + roff.END, text)


def indent(line):
    return len(line) - len(line.lstrip())


def has_label(lines, at):
    """Whether a paragraph of an essay begins here: its other lines stand to the right of its first word."""
    match = LABEL.match(lines[at])
    if not match:
        return False
    following = lines[at + 1] if at + 1 < len(lines) else ""
    if indent(following) == match.start(2):
        return True
    return match.group(0)[match.end(1):].startswith("  ")


class Reader:
    """Goes through the lines of a comment, of which each method takes what it renders."""

    def __init__(self, lines):
        self.lines = [line.rstrip() for line in lines]
        self.at = 0
        self.out = []

    def take(self, wanted):
        """Takes lines as long as they are wanted, and returns them as one text."""
        begin = self.at
        while self.at < len(self.lines) and wanted(self.lines[self.at]):
            self.at += 1
        return " ".join(self.lines[begin:self.at])

    def label(self):
        match = LABEL.match(self.lines[self.at])
        column = match.start(2)
        self.at += 1
        text = match.group(2) + " " + self.take(lambda line: indent(line) == column)
        self.out += roff.subheading(match.group(1)) + roff.fill(marked(text))

    def status(self):
        match = STATUS.match(self.lines[self.at])
        column = match.start(2)
        self.at += 1
        text = match.group(2) + " " + self.take(lambda line: indent(line) == column)
        self.out += roff.item(match.group(1), marked(text))

    def bullet(self):
        match = BULLET.match(self.lines[self.at])
        self.at += 1
        text = match.group(1) + " " + self.take(lambda line: indent(line) == match.start(1))
        self.out += roff.bullet(marked(text))

    def code(self):
        begin = self.at
        self.take(lambda line: not line or indent(line) >= CODE_INDENT)
        while not self.lines[self.at - 1]:
            self.at -= 1
        self.out += roff.verbatim([line[CODE_INDENT:] for line in self.lines[begin:self.at]])

    def paragraph(self):
        text = self.take(lambda line: line and indent(line) < 2)
        self.out += roff.paragraph(marked(text))

    def read(self):
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if not line:
                self.at += 1
            elif STATUS.match(line):
                self.status()
            elif BULLET.match(line):
                self.bullet()
            elif indent(line) >= CODE_INDENT:
                self.code()
            elif has_label(self.lines, self.at):
                self.label()
            else:
                if indent(line) >= 2:
                    self.lines[self.at] = line.lstrip()
                self.paragraph()
        return self.out


def render(lines):
    return Reader(lines).read()
