#!/usr/bin/env python3
"""Makes the manual pages of the commands, such as holt-put(1), from what `holt COMMAND --help` prints.

    command_pages.py list MAIN_C SKIP...            prints the names of the files that `write` makes
    command_pages.py write FOLDER VERSION HOLT SKIP...

SKIP: the commands that have pages written by hand. MAIN_C: src/cli/main.c, which has the table of commands; it
is read because the names are needed before the program is built.
"""
import os
import re
import subprocess
import sys
import textwrap

import roff

COMMAND = re.compile(r"&command_(\w+)")
SUMMARY = re.compile(r"^  (\S+) +(.*)$", re.M)
PART = re.compile(r"^(Options|Examples|Exit codes):\n", re.M)
OPTION = re.compile(r"^ {2,6}(-.*?)(?: {2,}(\S.*))?$")
ROW = re.compile(r" {0,2}\S+(?: \*)? {2,}(?=\S)")
HELP_COLUMN = 28  # of src/cli/cli.c


def holt_prints(holt, *arguments):
    return subprocess.run([holt, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def table_at(lines, at):
    """Returns the rows of the table that begins at lines[at], as pairs, and the index of the line below; None
    if there is no table: two columns, of which the second may go on in the lines below."""
    first = ROW.match(lines[at])
    if not first:
        return None
    column, rows = first.end(), []
    while at < len(lines) and lines[at][column - 1:column] in ("", " "):
        if not lines[at][column:column + 1].strip():
            break
        term, text = lines[at][:column].strip(), lines[at][column:]
        if term:
            rows.append([term, text])
        else:
            rows[-1][1] += " " + text
        at += 1
    return rows, at


def described(lines, begin):
    """Text with tables in it, and with examples, which are indented and shown as they are. begin: the macro of
    a paragraph."""
    out, at = [], 0
    while at < len(lines):
        table = table_at(lines, at)
        start = at
        if table:
            out += [".RS", *items(table[0]), ".RE"]
            at = table[1]
        elif not lines[at]:
            at += 1
        elif lines[at].startswith("  "):
            while at < len(lines) and lines[at].startswith("  "):
                at += 1
            out += roff.verbatim(textwrap.dedent("\n".join(lines[start:at])).split("\n"))
        else:
            while at < len(lines) and lines[at] and not lines[at].startswith("  "):
                if table_at(lines, at):
                    break
                at += 1
            out += [*begin, *roff.fill(" ".join(lines[start:at]))]
    return out


def options_of(text):
    """The list of options. The texts stand in a column of their own."""
    out = []
    lines = text.rstrip("\n").split("\n")
    starts = [i for i, line in enumerate(lines) if OPTION.match(line)]
    for start, end in zip(starts, [*starts[1:], len(lines)]):
        match = OPTION.match(lines[start])
        texts = [match.group(2)] if match.group(2) else []
        texts += [line[HELP_COLUMN:] for line in lines[start + 1:end]]
        out += [".TP", f".B {roff.line(match.group(1))}", *described(texts, [])]
    return out


def items(pairs):
    return [line for term, text in pairs for line in roff.item(term, text)]


def command_page(name, summary, text, version):
    usage, rest = text.removeprefix("Usage: ").split("\n", 1)
    description, options, examples, codes = PART.split(rest)[0::2]
    out = roff.title(f"holt-{name}", "1", version)
    out += roff.heading("NAME") + [f"holt\\-{roff.escape(name)} \\- {roff.escape(summary)}"]
    out += roff.heading("SYNOPSIS") + [".nf", f".B {roff.line(usage)}", ".fi"]
    out += roff.heading("DESCRIPTION") + described(description.strip("\n").split("\n"), [".PP"])
    out += roff.heading("OPTIONS") + options_of(options)
    out += roff.heading("EXAMPLES") + roff.verbatim([line[2:] for line in examples.rstrip("\n").split("\n")])
    out += roff.heading("EXIT STATUS") + items(table_at(codes.rstrip("\n").split("\n"), 0)[0])
    return out + roff.heading("SEE ALSO") + [".BR holt (1)"]


def write(folder, version, holt, skipped):
    os.makedirs(folder, exist_ok=True)
    summaries = SUMMARY.findall(holt_prints(holt, "help").split("Commands:\n")[1].split("\n\n")[0])
    for name, summary in summaries:
        if name not in skipped:
            page = command_page(name, summary, holt_prints(holt, name, "--help"), version)
            roff.write(folder, f"holt-{name}", "1", page)


def main():
    if sys.argv[1] == "list":
        with open(sys.argv[2], encoding="utf-8") as file:
            names = [name.replace("_", "-") for name in COMMAND.findall(file.read())]
        commands = set(names) - set(sys.argv[3:])
        print("\n".join(sorted(f"holt-{name}.1" for name in commands)))
    else:
        write(sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:])


if __name__ == "__main__":
    main()
