#!/usr/bin/env python3
"""embed.py OUTPUT FILE... -- makes a C source of the console's files, so that the program needs no others.

The arrays are declared in console.h. The tag of a file is the beginning of its SHA-256: the same bytes have
the same tag in every build, and a changed file gets another one.
"""
import hashlib
import os
import sys

TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
BYTES_PER_LINE = 20
TAG_DIGITS = 16


def array(name, data):
    lines = [", ".join(map(str, data[i:i + BYTES_PER_LINE])) for i in range(0, len(data), BYTES_PER_LINE)]
    return f"static const unsigned char {name}[] = {{\n" + ",\n".join(lines) + "};\n"


def main():
    output, paths = sys.argv[1], sys.argv[2:]
    arrays, rows = [], []
    for number, path in enumerate(paths):
        with open(path, "rb") as file:
            data = file.read()
        name = os.path.basename(path)
        kind = TYPES[os.path.splitext(name)[1]]
        tag = hashlib.sha256(data).hexdigest()[:TAG_DIGITS]
        arrays.append(array(f"file_{number}", data))
        rows.append(f'    {{"{name}", "{kind}", file_{number}, sizeof file_{number}, UINT64_C(0x{tag})}},\n')
    with open(output, "w", encoding="ascii") as file:
        file.write("/* Made by embed.py from the files beside it. */\n"
                   '#include "console/console.h"\n\n' + "\n".join(arrays) +
                   "\nconst console_file console_files[] = {\n" + "".join(rows) + "};\n"
                   "const size_t console_file_count = sizeof console_files / sizeof console_files[0];\n")


main()
