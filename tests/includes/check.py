#!/usr/bin/env python3
"""Checks that includes point down: the layers of the code, as docs/ARCHITECTURE.md lists them.

    check.py ROOT       checks every source below src, tools, bench, bindings, include and examples in ROOT, prints
                        each include that breaks a rule, and exits with 1 if there is one
    check.py --self     checks on small made-up trees that each rule is enforced
"""
import os
import re
import sys
import tempfile

# Bottom to top. A folder may include from itself and from those before it.
FLOORS = ["base", "os", "log", "memtable", "block", "cache", "tree", "lsm", "btree", "db", "table"]

# Neighbours that must not know each other although one stands above the other. Tables are built on the public
# interface, with no more than the basics.
STRANGERS = {"block": ["memtable"], "cache": ["memtable"], "tree": ["memtable"], "btree": ["lsm"],
             "table": ["os", "log", "memtable", "block", "cache", "tree", "lsm", "btree", "db"]}

# The rooms of db, bottom to top, likewise. A header at its root may be included by all of them, and db.h
# includes the parts of every room that it is made of.
ROOMS = ["tree", "version", "catalog", "manifest", "commit", "txn", "read", "background", "open", "verify",
         "api"]

# Users of the library like any other: they include <holt.h>, their own headers and those of tools/common,
# which itself includes no others. Some also use another guest.
GUESTS = ["server", "sql", "cli", "bench", "python"]
HOSTS = {"cli": ["sql", "server"], "server": ["sql"]}
COMMON = "common"

# Where a layer lies when it is not a folder of src/.
ELSEWHERE = {COMMON: os.path.join("tools", "common"), "bench": "bench",
             "python": os.path.join("bindings", "python", "src")}

# Only quoted includes are ours; public headers are included as <holt.h>.
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.M)


def may_include(here, there):
    if here == there:
        return True
    if here in GUESTS:
        return there == COMMON or there in HOSTS.get(here, [])
    if here not in FLOORS or there not in FLOORS:
        return False
    return FLOORS.index(there) < FLOORS.index(here) and there not in STRANGERS.get(here, [])


def folder_of(root, floor):
    return os.path.join(root, ELSEWHERE.get(floor, os.path.join("src", floor)))


def floor_of(root, path):
    """The layer that a file belongs to; None for a program that is in no layer."""
    for floor, folder in ELSEWHERE.items():
        if path.startswith(os.path.join(root, folder) + os.sep):
            return floor
    parts = os.path.relpath(path, os.path.join(root, "src")).split(os.sep)
    return parts[0] if parts[0] != ".." and len(parts) > 1 else None


def target_of(root, including, name):
    """The file that the compiler takes for a quoted include: next to the including one, or below the folder
    of its layer (the guests are compiled with their own folder in the path), or in tools/common, otherwise
    below src/."""
    here = floor_of(root, including)
    folders = [os.path.dirname(including)] + ([folder_of(root, here)] if here else [])
    for folder in folders:
        path = os.path.normpath(os.path.join(folder, name))
        if os.path.exists(path):
            return path
    top = "tools" if name.startswith(COMMON + "/") else "src"
    return os.path.normpath(os.path.join(root, top, name))


def room_of(root, path):
    """The room of db that a file belongs to; None at its root."""
    parts = os.path.relpath(path, os.path.join(root, "src", "db")).split(os.sep)
    return parts[0] if len(parts) > 1 else None


def room_problem(root, including, target):
    """What is wrong with an include between two files of db, or None."""
    here, there = room_of(root, including), room_of(root, target)
    if here is None or there is None or here == there:
        return None
    for room in (here, there):
        if room not in ROOMS:
            return f"is between rooms of db, and {room} is not in the list of rooms"
    return None if ROOMS.index(there) < ROOMS.index(here) else f"is not below db/{here}"


def problem_of(root, including, name):
    """What is wrong with this quoted include, or None."""
    if name in ("holt.h", "holt/table.h"):
        return f"is a public header; write <{name}>"
    here = floor_of(root, including)
    there = floor_of(root, target_of(root, including, name))
    if here is None or there is None or not may_include(here, there):
        return f"is not below {here or 'a program that is in no layer'}"
    if here == there == "db":
        return room_problem(root, including, target_of(root, including, name))
    return None


def sources(root):
    for top in ("src", "tools", "bench", "bindings", "include", "examples"):
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    yield os.path.join(folder, name)


def problems(root):
    root = os.path.abspath(root)
    for path in sources(root):
        where = os.path.relpath(path, root)
        layered = where.startswith(("src" + os.sep, "tools" + os.sep))
        if layered and floor_of(root, path) not in FLOORS + GUESTS + [COMMON]:
            yield f"{where}: this folder is not in the list of layers"
            continue
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for match in INCLUDE.finditer(text):
            problem = problem_of(root, path, match.group(1))
            if problem:
                line = text.count("\n", 0, match.start()) + 1
                yield f'{where}:{line}: "{match.group(1)}" {problem}'


def check(root):
    found = list(problems(root))
    for problem in found:
        print(problem)
    return 1 if found else 0


ALLOWED = [
    ("src/base/a.c", '"base/b.h"'),
    ("src/base/a.h", "<holt.h>"),
    ("src/lsm/a.c", '"tree/b.h"'),
    ("src/tree/a.c", '"a.c"'),
    ("src/db/a.c", '"lsm/b.h"'),
    ("src/db/a.c", '"btree/b.h"'),
    ("src/db/db.h", '"db/commit/b.h"'),
    ("src/db/commit/a.c", '"db/db.h"'),
    ("src/db/commit/a.c", '"db/version/b.h"'),
    ("src/db/background/flush/a.c", '"db/background/b.h"'),
    ("src/table/a.c", '"table/key/b.h"'),
    ("src/table/a.c", '"base/b.h"'),
    ("src/table/a.c", "<holt/table.h>"),
    ("src/cli/a.c", '"server/b.h"'),
    ("src/cli/a.c", '"cli/b.h"'),
    ("src/cli/a.c", "<holt.h>"),
    ("src/cli/a.c", '"common/b.h"'),
    ("src/cli/bench/a.c", '"cli/b.h"'),
    ("src/cli/bench/a.c", '"common/b.h"'),
    ("src/server/a.c", '"common/b.h"'),
    ("src/sql/a.c", '"common/b.h"'),
    ("src/cli/a.c", '"sql/b.h"'),
    ("src/server/a.c", '"sql/b.h"'),
    ("tools/common/a.c", '"common/b.h"'),
    ("tools/common/a.c", "<holt.h>"),
    ("bench/a.c", '"a.c"'),
    ("bench/a.c", '"common/b.h"'),
    ("bench/a.c", "<holt.h>"),
    ("examples/a.c", "<holt.h>"),
]
REFUSED = [
    ("src/base/a.c", '"os/b.h"'),
    ("src/lsm/a.c", '"db/b.h"'),
    ("src/lsm/a.c", '"btree/b.h"'),
    ("src/btree/a.c", '"lsm/b.h"'),
    ("src/memtable/a.c", '"block/b.h"'),
    ("src/memtable/a.c", '"tree/b.h"'),
    ("src/block/a.c", '"memtable/b.h"'),
    ("src/tree/a.c", '"../db/b.h"'),
    ("src/db/a.c", '"cli/b.h"'),
    ("src/db/version/a.c", '"db/commit/b.h"'),
    ("src/db/manifest/a.c", '"db/background/flush/b.h"'),
    ("src/db/newroom/a.c", '"db/commit/b.h"'),
    ("src/db/a.c", '"common/b.h"'),
    ("src/db/a.c", '"../../tests/b.h"'),
    ("src/db/a.c", '"holt.h"'),
    ("src/cli/a.c", '"base/b.h"'),
    ("src/cli/a.c", '"../../tools/other/b.h"'),
    ("src/cli/bench/a.c", '"base/b.h"'),
    ("src/table/a.c", '"db/b.h"'),
    ("src/table/a.c", '"os/b.h"'),
    ("src/table/a.c", '"common/b.h"'),
    ("src/db/a.c", '"table/b.h"'),
    ("src/cli/a.c", '"table/b.h"'),
    ("src/cli/a.c", '"holt/table.h"'),
    ("src/server/a.c", '"cli/b.h"'),
    ("src/sql/a.c", '"cli/b.h"'),
    ("src/sql/a.c", '"table/b.h"'),
    ("src/newroom/a.c", "<holt.h>"),
    ("tools/common/a.c", '"base/b.h"'),
    ("tools/common/a.c", '"cli/b.h"'),
    ("tools/common/a.c", '"../../bench/b.h"'),
    ("tools/other/a.c", "<holt.h>"),
    ("bench/a.c", '"base/b.h"'),
    ("bench/a.c", '"../src/cli/b.h"'),
    ("examples/a.c", '"common/b.h"'),
]


def self_test():
    wrong = 0
    for cases, expected in ((ALLOWED, 0), (REFUSED, 1)):
        for path, include in cases:
            with tempfile.TemporaryDirectory() as root:
                os.makedirs(os.path.join(root, os.path.dirname(path)))
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(f"/* first */\n#include <stdint.h>\n  # include {include}\n")
                if len(list(problems(root))) != expected:
                    wanted = "a refusal" if expected else "no refusal"
                    print(f"{path} with #include {include}: expected {wanted}")
                    wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(self_test() if sys.argv[1] == "--self" else check(sys.argv[1]))
