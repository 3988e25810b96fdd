#!/usr/bin/env python3
"""Checks that the documents match the files: check.py ROOT

- the C code in README.md is part of a program in examples/, which the tests build and run;
- every relative link in a document leads to a file;
- every source file that a document names by its path, as `db/read/get.c`, exists at that path, below the root or
  below src/.
"""
import os
import re
import sys

root = sys.argv[1]
wrong = []


def read(path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def exists(*path):
    return os.path.exists(os.path.join(root, *path))


def examples():
    return [read(os.path.join("examples", name)) for name in sorted(os.listdir(os.path.join(root, "examples")))
            if name.endswith(".c")]


def documents():
    for folder in ("", "docs"):
        for name in sorted(os.listdir(os.path.join(root, folder))):
            if name.endswith(".md"):
                yield os.path.join(folder, name)


for code in re.findall(r"^```c\n(.*?)^```", read("README.md"), re.M | re.S):
    if not any(code in example for example in examples()):
        wrong.append("README.md: this code is in no program of examples/:\n" + code)

for document in documents():
    text = read(document)
    for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in link and not exists(os.path.dirname(document), link):
            wrong.append(f"{document}: there is no {link}")
    for path in re.findall(r"`([\w.-]+/[\w./-]+\.(?:c|h|py))`", text):
        if "NAME" not in path and not exists(path) and not exists("src", path):
            wrong.append(f"{document}: there is no {path}")

print("\n".join(wrong))
sys.exit(1 if wrong else 0)
