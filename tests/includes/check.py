#!/usr/bin/env python3
"""Checks that includes point down: the layers of the house, as docs/ARCHITECTURE.md draws them.

    check.py ROOT       looks at every source below ROOT/src, ROOT/include and ROOT/examples; names each include
                        that breaks a rule and exits 1
    check.py --self     proves on small made-up trees that each rule is in force
"""
import os
import re
import sys
import tempfile

# Bottom to top. A folder may include from itself and from those before it.
FLOORS = ["base", "os", "log", "memtable", "block", "cache", "tree", "lsm", "btree", "db"]

# Neighbours that must not know each other although one stands above the other.
STRANGERS = {"block": ["memtable"], "cache": ["memtable"], "tree": ["memtable"], "btree": ["lsm"]}

# Users of the library like any other: <holt.h> and their own headers.
GUESTS = ["table", "server", "cli"]

# Only quoted includes are ours; the public header is included as <holt.h>.
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.M)


def may_include(here, there):
    if here == there:
        return True
    if here in GUESTS or there not in FLOORS:
        return False
    return FLOORS.index(there) < FLOORS.index(here) and there not in STRANGERS.get(here, [])


def floor_of(src, path):
    """The first folder below src/ on the way to a file; None outside of src/."""
    parts = os.path.relpath(path, src).split(os.sep)
    return parts[0] if parts[0] != ".." and len(parts) > 1 else None


def target_of(src, including, name):
    """The file that the compiler takes for a quoted include: beside the including one, or below its floor (the guests
    are compiled with their own folder in the path), else below src/."""
    for folder in (os.path.dirname(including), os.path.join(src, floor_of(src, including) or "")):
        path = os.path.normpath(os.path.join(folder, name))
        if os.path.exists(path):
            return path
    return os.path.normpath(os.path.join(src, name))


def problem_of(src, including, name):
    """What is wrong with this quoted include, or None."""
    if name == "holt.h":
        return "is the public header; write <holt.h>"
    here = floor_of(src, including)
    there = floor_of(src, target_of(src, including, name))
    if here is None or there is None or not may_include(here, there):
        return f"is not below {here or 'a program outside of src/'}"
    return None


def sources(root):
    for top in ("src", "include", "examples"):
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    yield os.path.join(folder, name)


def problems(root):
    src = os.path.join(root, "src")
    for path in sources(root):
        where = os.path.relpath(path, root)
        if where.startswith("src" + os.sep) and floor_of(src, path) not in FLOORS + GUESTS:
            yield f"{where}: this folder has no place in the list of floors"
            continue
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for match in INCLUDE.finditer(text):
            problem = problem_of(src, path, match.group(1))
            if problem:
                line = text.count("\n", 0, match.start()) + 1
                yield f'{where}:{line}: "{match.group(1)}" {problem}'


def check(root):
    found = list(problems(root))
    for problem in found:
        print(problem)
    return 1 if found else 0


ALLOWED = [("db/a.c", '"lsm/b.h"'), ("lsm/a.c", '"tree/b.h"'), ("base/a.c", '"base/b.h"'), ("cli/a.c", '"cli/b.h"'),
           ("cli/a.c", "<holt.h>"), ("base/a.h", "<holt.h>"), ("db/a.c", '"btree/b.h"'), ("cli/bench/a.c", '"cli/b.h"'),
           ("tree/a.c", '"a.c"')]
REFUSED = [("base/a.c", '"os/b.h"'), ("lsm/a.c", '"db/b.h"'), ("btree/a.c", '"lsm/b.h"'), ("lsm/a.c", '"btree/b.h"'),
           ("memtable/a.c", '"block/b.h"'), ("memtable/a.c", '"tree/b.h"'), ("block/a.c", '"memtable/b.h"'),
           ("cli/a.c", '"base/b.h"'), ("table/a.c", '"db/b.h"'), ("server/a.c", '"cli/b.h"'), ("db/a.c", '"cli/b.h"'),
           ("tree/a.c", '"../db/b.h"'), ("cli/bench/a.c", '"base/b.h"'), ("db/a.c", '"../../tests/b.h"'), ("newroom/a.c", "<holt.h>"), ("db/a.c", '"holt.h"')]


def self_test():
    wrong = 0
    for cases, expected in ((ALLOWED, 0), (REFUSED, 1)):
        for path, include in cases:
            with tempfile.TemporaryDirectory() as root:
                os.makedirs(os.path.join(root, "src", os.path.dirname(path)))
                with open(os.path.join(root, "src", path), "w", encoding="utf-8") as file:
                    file.write(f"/* first */\n#include <stdint.h>\n  # include {include}\n")
                if len(list(problems(root))) != expected:
                    print(f"{path} with #include {include}: expected {'a refusal' if expected else 'no refusal'}")
                    wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(self_test() if sys.argv[1] == "--self" else check(sys.argv[1]))
