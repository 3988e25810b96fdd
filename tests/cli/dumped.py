#!/usr/bin/env python3
"""Random tables and collections are the same after .dump and reading it back: dumped.py HOLT

What could be lost is what SQL or the shell's words cannot say simply: reals to their last bit, the smallest
integer, zero bytes and line ends in text, names that need quotes, columns that take the name of the row id,
rows that are too large for one transaction. HOLT_SEED repeats a run.
"""
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile

ROUNDS = 8
NAMES = ["t", 'we "ird', "select", "Käse", "it's", ";"]
COLUMNS = ["id", "rowid", "oid", "_rowid_", "a", "b c", '"q"', "order", "Ü"]
TYPES = ["INTEGER", "REAL", "TEXT", "BLOB", "BOOLEAN"]
PIECES = ["'", '"', ";", "\n", "\r\n", "a", "é", "\u202e", "--", "--!", ".dump", "\t", "\\", "x;\n", "😀",
          "\0", "/*"]


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def holt(*arguments, text=b"", code=0):
    done = subprocess.run([HOLT, *arguments], input=text, capture_output=True, check=False)
    assert done.returncode == code, f"holt {arguments} exits with {done.returncode}: {done.stderr[:1000]!r}"
    return done.stdout


def any_real():
    while True:
        bits = R.randrange(1 << 64)
        number = R.choice([0.1, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, -0.0, 1e22, 1e23,
                           R.random(), struct.unpack("<d", struct.pack("<Q", bits))[0]])
        if abs(number) < float("inf"):
            return number


def literal(kind, or_null=True):
    if or_null and R.random() < 0.15:
        return "NULL"
    if kind == "INTEGER":
        number = R.choice([-(1 << 63), (1 << 63) - 1, R.randrange(-9, 9), R.randrange(-1 << 63, 1 << 63)])
        return str(number) if number > -(1 << 63) else f"({number + 1} - 1)"
    if kind == "BOOLEAN":
        return R.choice("01")
    if kind == "REAL":
        return repr(any_real())
    if kind == "TEXT":
        text = "".join(R.choice(PIECES) for _ in range(R.randrange(8)))
        return f"CAST(x'{text.encode().hex()}' AS TEXT)"
    return f"x'{R.randbytes(R.randrange(6)).hex()}'"


def free_row_id(columns):
    return next(name for name in ("rowid", "_rowid_", "oid") if name not in columns)


def make_table(name):
    """Returns the statements that make a table with indexes and rows."""
    columns = R.sample(COLUMNS, R.randrange(1, 6))
    if {"rowid", "oid", "_rowid_"} <= set(columns):
        columns.remove("oid")
    kinds = {column: R.choice(TYPES) for column in columns}
    definitions = []
    for column, kind in kinds.items():
        default = literal(kind)
        has_default = R.random() < 0.3 and not default.startswith(("CAST", "("))
        definitions.append(f"{quoted(column)} {kind}" + (f" DEFAULT {default}" if has_default else ""))
    key = R.sample(columns, min(len(columns), 2)) if R.random() < 0.4 else []
    if key:
        parts = ", ".join(quoted(column) + R.choice(["", " DESC"]) for column in key)
        definitions.append(f"PRIMARY KEY ({parts})")
    yield (f"CREATE TABLE {quoted(name)} ({', '.join(definitions)}) "
           f"WITH (kind = {R.choice(['lsm', 'btree'])});")
    for i in range(R.randrange(3)):
        column = quoted(R.choice(columns))
        where = f" WHERE {column} IS NOT NULL" if R.random() < 0.5 else ""
        part = column + R.choice(["", " DESC"])
        yield f"CREATE INDEX {quoted(f'{name} {i}')} ON {quoted(name)} ({part}){where};"
    for _ in range(R.randrange(80)):
        values = [literal(kind, column not in key) for column, kind in kinds.items()]
        into = ""
        if not key and R.random() < 0.5:
            into = f" ({free_row_id(columns)}, {', '.join(map(quoted, columns))})"
            values.insert(0, str(R.randrange(-1 << 62, 1 << 62)))
        yield f"INSERT OR IGNORE INTO {quoted(name)}{into} VALUES ({', '.join(values)});"


def make_collection(name):
    kind = R.choice(["lsm", "btree"])
    holt("create", "old", name, "--kind", kind)
    lines = []
    for _ in range(R.randrange(200)):
        key, value = R.randbytes(R.randrange(1, 9)), R.randbytes(R.randrange(9))
        escaped = [b"".join(b"\\x%02x" % byte for byte in part) for part in (key, value)]
        lines.append(escaped[0] + b"\t" + escaped[1] + b"\n")
    holt("load", "old", "-c", name, "--format", "tsv", text=b"".join(lines))
    holt("put", "old", "-c", name, "expires", "x", "--expires-at", "4102444800000")


def entries(database):
    """What `holt dump` has, without the numbers by which indexes are known, in order of their creation."""
    parts = holt("dump", database).split(b"\n\\collection\t")
    return [part for part in parts if not part.startswith(b"holt.")]


def test_dump_restores_random_tables_and_collections():
    statements = []
    for name in R.sample(NAMES, R.randrange(1, 4)):
        statements += make_table(name)
    holt("sql", "old", "--durability", "process", text="\n".join(statements).encode())
    for name in ('p"q', "ü\\"):
        make_collection(name)
    dump = holt("shell", "old", text=b".dump\n")
    holt("shell", "new", "--durability", "process", text=dump)
    assert holt("shell", "new", text=b".dump\n") == dump, "a dump of the copy differs"
    assert entries("new") == entries("old"), "the rows of the copy differ"
    holt("check", "new")


# The rows of a transaction are in memory until it is committed.
def test_dump_of_large_rows_is_read_with_little_memory():
    text = "x" * 100000
    rows = "\n".join(f"INSERT INTO t VALUES ({i}, '{text}');" for i in range(40))
    holt("sql", "old", text=f"CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT);\n{rows}".encode())
    puts = "\n".join(f"put {i} {text}" for i in range(40))
    holt("shell", "old", text=puts.encode())
    dump = holt("shell", "old", text=b".dump\n")
    holt("shell", "new", "--memory", "8m", text=dump)
    assert entries("new") == entries("old")


def run_in_new_directory(test):
    directory = tempfile.mkdtemp(prefix="holt-dumped-")
    os.chdir(directory)
    try:
        test()
    finally:
        os.chdir("/")
        shutil.rmtree(directory)


def main():
    for _ in range(ROUNDS):
        run_in_new_directory(test_dump_restores_random_tables_and_collections)
    run_in_new_directory(test_dump_of_large_rows_is_read_with_little_memory)


if __name__ == "__main__":
    HOLT = os.path.abspath(sys.argv[1])
    SEED = int(os.environ.get("HOLT_SEED", random.randrange(1 << 32)))
    print("HOLT_SEED", SEED, flush=True)
    R = random.Random(SEED)
    main()
