#!/usr/bin/env python3
"""Checks what the documents say against what is there: check.py ROOT

- the C code in README.md stands in examples/quickstart.c, which the tests build and run, word for word;
- every relative link of every document leads to a file.
"""
import os
import re
import sys

root = sys.argv[1]
wrong = []


def read(path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def documents():
    for folder in ("", "docs"):
        for name in sorted(os.listdir(os.path.join(root, folder))):
            if name.endswith(".md"):
                yield os.path.join(folder, name)


for code in re.findall(r"^```c\n(.*?)^```", read("README.md"), re.M | re.S):
    if code not in read("examples/quickstart.c"):
        wrong.append("README.md: this code is not in examples/quickstart.c:\n" + code)

for document in documents():
    for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", read(document)):
        if "://" not in link and not os.path.exists(os.path.join(root, os.path.dirname(document), link)):
            wrong.append(f"{document}: there is no {link}")

print("\n".join(wrong))
sys.exit(1 if wrong else 0)
