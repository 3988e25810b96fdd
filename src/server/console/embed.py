#!/usr/bin/env python3
"""embed.py HEADER ARRAY OUTPUT FILE... -- makes a C source of files, so that the program needs no others.

HEADER declares the array of console_file and its count, ARRAY_count. The tag of a file is the beginning of
its SHA-256: the same bytes have the same tag in every build, and a changed file gets another one.
"""
import hashlib
import os
import sys

TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".json": "application/json"}
BYTES_PER_LINE = 20
TAG_DIGITS = 16


def array(name, data):
    lines = [", ".join(map(str, data[i:i + BYTES_PER_LINE])) for i in range(0, len(data), BYTES_PER_LINE)]
    return f"static const unsigned char {name}[] = {{\n" + ",\n".join(lines) + "};\n"


def main():
    header, files, output, paths = *sys.argv[1:4], sys.argv[4:]
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
        file.write(f'/* Made by embed.py. */\n#include "{header}"\n\n' + "\n".join(arrays) +
                   f"\nconst console_file {files}[] = {{\n" + "".join(rows) + "};\n"
                   f"const size_t {files}_count = sizeof {files} / sizeof {files}[0];\n")


main()
