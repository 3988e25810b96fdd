"""extension_in_python.py EXTENSION DIRECTORY -- Python's sqlite3 with the extension.

Two connections share a database; a reader goes on after a commit in the middle of its rows; conflicts and
changes of schemas elsewhere are errors that say what to do.
"""
import sqlite3
import sys


def connect(extension, directory):
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.enable_load_extension(True)
    connection.load_extension(extension)
    connection.execute("SELECT holt_open(?, 'durability=process')", (directory,))
    return connection


def fails(connection, text, message):
    try:
        connection.execute(text).fetchall()
    except sqlite3.Error as error:
        assert message in str(error), f"{text}: '{error}' lacks '{message}'"
        return
    raise AssertionError(f"{text} succeeded")


def check_parameters(a):
    a.execute("SELECT holt_exec('CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, "
              "weight REAL DEFAULT 2.5)')")
    a.executemany("INSERT INTO items (id, name) VALUES (?, ?)", [(i, f"n{i % 10}") for i in range(100)])
    assert a.execute("SELECT name, weight FROM items WHERE id = ?", (42,)).fetchall() == [("n2", 2.5)]
    assert a.execute("SELECT name FROM items WHERE id = ?", ("42",)).fetchall() == [("n2",)]
    assert a.execute("SELECT count(*) FROM items WHERE id > ? AND id < ?", (9.5, 1e300)).fetchone() == (90,)
    assert a.execute("SELECT count(*) FROM items WHERE id > ?", (b"x",)).fetchone() == (0,)
    a.execute("INSERT INTO items (id, name, weight) VALUES (1000, 'null', NULL)")
    assert a.execute("SELECT weight FROM items WHERE id = 1000").fetchone() == (None,)


def check_reading_across_commits(a):
    """A cursor in the middle of its rows survives the end of its transaction and continues."""
    for order in ("", " ORDER BY id DESC", " ORDER BY name, id"):
        expected = [row[0] for row in a.execute(f"SELECT id FROM items{order}")]
        for ending in ("COMMIT", "ROLLBACK"):
            a.execute("BEGIN")
            rows = a.execute(f"SELECT id FROM items{order}")
            seen = [next(rows)[0] for _ in range(30)]
            a.execute(ending)
            seen += [row[0] for row in rows]
            assert seen == expected, f"{ending}{order}: {seen}"


def check_two_connections(a, b):
    b.execute("SELECT holt_refresh()")
    a.execute("BEGIN")
    a.execute("UPDATE items SET name = 'a' WHERE id = 1")
    assert b.execute("SELECT name FROM items WHERE id = 1").fetchone() == ("n1",)
    b.execute("UPDATE items SET name = 'b' WHERE id = 1")
    fails(a, "COMMIT", "")
    assert not a.in_transaction
    assert a.execute("SELECT name FROM items WHERE id = 1").fetchone() == ("b",)
    a.execute("SELECT holt_exec('ALTER TABLE items ADD COLUMN size INTEGER DEFAULT 3')")
    assert a.execute("SELECT size FROM items WHERE id = 1").fetchone() == (3,)
    fails(b, "SELECT * FROM items", "SELECT holt_refresh()")
    b.execute("SELECT holt_refresh()")
    assert b.execute("SELECT size FROM items WHERE id = 1").fetchone() == (3,)


def check_closing(a, b):
    rows = a.execute("SELECT id FROM items")
    next(rows)
    fails(a, "SELECT holt_close()", "still reading")
    rows.close()
    a.execute("SELECT holt_close()")
    b.close()


def main(extension, directory):
    a, b = connect(extension, directory), connect(extension, directory)
    check_parameters(a)
    check_reading_across_commits(a)
    check_two_connections(a, b)
    check_closing(a, b)
    again = connect(extension, directory)
    assert again.execute("SELECT count(*) FROM items").fetchone() == (101,)


main(*sys.argv[1:])
