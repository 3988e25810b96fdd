#!/bin/sh
# test_extension.sh EXTENSION -- loads the extension into Debian's sqlite3 shell and into Python, as users do.
set -u
extension=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0
command -v sqlite3 >/dev/null || { echo "skipped: sqlite3 is missing"; exit 77; }

# prints TEXT, with the statements on stdin: the shell with the extension prints exactly TEXT, and errors.
prints() {
    { echo ".load ${extension%.so}"; cat; } >statements
    actual=$(sqlite3 -batch :memory: <statements 2>&1 |
        sed 's/^\(Runtime\|Parse\) error near line [0-9]*: /error: /')
    if [ "$actual" != "$1" ]; then
        printf 'FAILED\n%s\nexpected:\n%s\nactual:\n%s\n' "$(cat statements)" "$1" "$actual"
        failures=$((failures + 1))
    fi
}

# Tables are made, filled and found again by the next process.
prints '
0
0
3|3
1|ada|ada@x
1|ada|ada@x
2|bob|bob@x
3|cy|' <<END
SELECT holt_open('data');
SELECT holt_exec('CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT)');
SELECT holt_exec('CREATE UNIQUE INDEX users_email ON users (email)');
INSERT INTO users (name, email) VALUES ('ada', 'ada@x'), ('bob', 'bob@x'), ('cy', NULL);
SELECT changes(), last_insert_rowid();
SELECT * FROM users WHERE email = 'ada@x';
SELECT * FROM users ORDER BY id;
END

# Constraints fail in SQLite's words, and a failed statement leaves nothing.
prints '
error: UNIQUE constraint failed: users.email (19)
error: UNIQUE constraint failed: users.id (19)
error: NOT NULL constraint failed: users.name (19)
error: datatype mismatch (20)
error: cannot store BLOB value in TEXT column users.name (19)
3' <<END
SELECT holt_open('data');
INSERT INTO users VALUES (10, 'x', 'x@x'), (11, 'y', 'ada@x');
INSERT INTO users VALUES (1, 'x', 'x@x');
INSERT INTO users (id) VALUES (20);
INSERT INTO users VALUES ('x', 'x', 'x');
INSERT INTO users VALUES (20, x'00', 'x');
SELECT count(*) FROM users;
END

# Transactions and savepoints are exact.
prints '
0
2
4
3' <<END
SELECT holt_open('data');
BEGIN;
DELETE FROM users;
SELECT count(*) FROM users;
ROLLBACK;
BEGIN;
SAVEPOINT one;
DELETE FROM users WHERE id = 1;
SELECT count(*) FROM users;
ROLLBACK TO one;
INSERT INTO users (name) VALUES ('dan');
SELECT count(*) FROM users;
DELETE FROM users WHERE name = 'dan';
COMMIT;
SELECT count(*) FROM users;
END

# RETURNING gives what the statement passes, without what Holt adds to it or leaves out.
prints '
0
||1.5|real|-1
1
1|none|1.5|real
7|a|2
7|b|3
7|a|2.0
error: UPDATE RETURNING is not available on virtual tables
error: DELETE RETURNING is not available on virtual tables
2
0' <<END
SELECT holt_open('data');
SELECT holt_exec('CREATE TABLE r (id INTEGER PRIMARY KEY, note TEXT DEFAULT ''none'', x REAL NOT NULL)');
INSERT INTO r (x) VALUES ('1.5') RETURNING id, note, x, typeof(x), rowid;
SELECT last_insert_rowid();
SELECT *, typeof(x) FROM r;
INSERT INTO r VALUES (7, 'a', 2) RETURNING *;
INSERT OR IGNORE INTO r VALUES (7, 'b', 3) RETURNING *;
SELECT * FROM r WHERE id = 7;
UPDATE r SET x = 0 RETURNING id;
DELETE FROM r RETURNING id;
SELECT count(*) FROM r;
SELECT holt_exec('DROP TABLE r');
END

# SQLite keeps no defaults for the columns of virtual tables.
prints '
0
0|id|INTEGER|0||1
1|note|TEXT|1||0
0' <<END
SELECT holt_open('data');
SELECT holt_exec('CREATE TABLE r (id INTEGER PRIMARY KEY, note TEXT NOT NULL DEFAULT ''none'')');
PRAGMA table_info(r);
SELECT holt_exec('DROP TABLE r');
END

# A table of the program's own keeps its name: Holt does not take it, and is left without half a table.
prints '
error: table "own" already exists
0
error: there is already another table or index with this name: own
default,new,own,users
0
0' <<END
SELECT holt_open('data');
CREATE TEMP TABLE own (a);
SELECT holt_exec('CREATE TABLE own (id INTEGER PRIMARY KEY)');
SELECT holt_exec('CREATE TABLE new (id INTEGER PRIMARY KEY)');
SELECT holt_exec('ALTER TABLE new RENAME TO own');
SELECT group_concat(name) FROM (SELECT name FROM sqlite_temp_schema ORDER BY name);
DROP TABLE own;
SELECT holt_exec('ALTER TABLE new RENAME TO own');
SELECT holt_exec('DROP TABLE own');
END

# The plan names the index; a plain collection is a table of keys and values.
prints '
QUERY PLAN
`--SCAN users VIRTUAL TABLE INDEX 0:users_email (email=?)
k|v|text
l|00FF|blob' <<END
SELECT holt_open('data');
EXPLAIN QUERY PLAN SELECT * FROM users WHERE email = 'ada@x';
INSERT INTO "default" VALUES ('k', 'v'), ('l', x'00ff');
SELECT key, CASE typeof(value) WHEN 'blob' THEN hex(value) ELSE value END, typeof(value) FROM "default"
    ORDER BY key;
END

# Errors of use, and a database that is open read-only.
prints 'error: no Holt database is open: SELECT holt_open('"'DIRECTORY'"')
error: holt_open: unknown option; there are read_only, memory=BYTES and durability=commit, interval or process

error: a Holt database is open already: SELECT holt_close() first
3
error: the database is open read-only (8)

error: no such table: users' <<END
SELECT holt_close();
SELECT holt_open('data', 'quickly');
SELECT holt_open('data', 'read_only, memory=33554432');
SELECT holt_open('other');
SELECT count(*) FROM users;
DELETE FROM users;
SELECT holt_close();
SELECT * FROM users;
END

python=/usr/bin/python3
"$python" -c 'import sqlite3; sqlite3.Connection.enable_load_extension' 2>/dev/null || python=
if [ -n "$python" ]; then
    "$python" "$here/extension_in_python.py" "$extension" "$work/python" || failures=$((failures + 1))
fi
[ "$failures" -eq 0 ] || { echo "$failures failures"; exit 1; }
