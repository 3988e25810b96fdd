"""roff.py -- the macros of man(7): text becomes the source of a manual page.

Text is escaped, so that what the sources say is what the reader sees, and filled into lines of at most 78
bytes. Callers mark bold and italic words with BOLD or ITALIC and END, which become escapes of roff only then.
"""
import os
import re
import textwrap
import time

BOLD, ITALIC, END = "\x01", "\x02", "\x03"
WIDTH = 78
# Characters that groff would replace by typographic ones.
IDENTIFIER = re.compile(r"(?<![\w%])(?:holt|HOLT)_(?=\w)")  # never hyphenated: readers search for them
SPECIAL = {"\\": "\\e", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti", "-": "\\-",
           BOLD: "\\fB", ITALIC: "\\fI", END: "\\fP"}


def escape(text):
    return "".join(SPECIAL.get(c, c) for c in text)


def line(text):
    """A line of text, which must not look like a macro."""
    escaped = IDENTIFIER.sub(r"\\%\g<0>", escape(text))
    return "\\&" + escaped if escaped.startswith(".") else escaped


def fill(text):
    """A paragraph as lines of source."""
    wrapped = textwrap.wrap(" ".join(text.split()), WIDTH, break_long_words=False, break_on_hyphens=False)
    return [line(part) for part in wrapped]


def heading(text):
    return [f'.SH "{escape(text)}"']


def subheading(text):
    return [f'.SS "{escape(text)}"']


def paragraph(text):
    return [".PP", *fill(text)]


def item(term, text):
    """A term with its description, which may be empty."""
    if not text:
        return [".PP", f".B {line(term)}"]
    return [".TP", f".B {line(term)}", *fill(text)]


def bullet(text):
    return [".IP \\(bu 2", *fill(text)]


def verbatim(lines, macro=".PP"):
    """Lines that are shown as they are, indented, below a paragraph or, with macro .IP, an item."""
    return [macro, ".RS 4", ".EX", *(line(text) for text in lines), ".EE", ".RE"]


def title(name, section, version):
    """The head of a page. SOURCE_DATE_EPOCH makes the date reproducible."""
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    date = time.strftime("%Y-%m-%d", time.gmtime(seconds))
    manual = {"1": "User Commands", "3": "Library Functions"}[section]
    return [f'.TH "{escape(name.upper())}" {section} "{date}" "Holt {version}" "{manual}"', ".ad l"]


def link(page, section):
    """The whole of a page that is another name of `page`."""
    return [f".so man{section}/{page}.{section}"]


def write(folder, name, section, lines):
    # A heading begins a paragraph itself.
    lines = [text for before, text in zip(["", *lines], lines)
             if text != ".PP" or not before.startswith((".SH", ".SS"))]
    with open(os.path.join(folder, f"{name}.{section}"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
