#!/usr/bin/env python3
"""test_http_sql.py HOLT -- SQL over HTTP: rows, parameters, errors, what is forbidden, long statements."""
import json
import os
import signal
import socket
import time

from fixture import Server, equal, run
from test_http import KINDS, Web
from test_http_tables import server_with

TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, size REAL, data BLOB) WITH (kind = %s)"
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
FOR_EVER = NUMBERS % (10**15) + "SELECT count(*) FROM n"
LINES = {"Accept": "application/x-ndjson"}


def sql(web, text, *parameters, headers=None):
    body = {"sql": text, "parameters": list(parameters)} if parameters else {"sql": text}
    return web("POST", "/v1/sql", body, headers)


def test_statements_read_and_write(exe, directory):
    for kind in KINDS:
        path = os.path.join(directory, kind)
        os.mkdir(path)
        with Server(exe, path, "--sql-write", "yes") as server, Web(server) as web:
            done = {"columns": [], "rows": [], "changes": 0}
            equal(sql(web, TABLE % kind), (200, done))
            insert = "INSERT INTO t VALUES (?, ?, ?, ?), (2, NULL, 1.5, x'ff00')"
            equal(sql(web, insert, 1, "a\u2764", 3, None), (200, dict(done, changes=2)))
            equal(sql(web, "SELECT * FROM t ORDER BY id;"),
                  (200, {"columns": ["id", "name", "size", "data"],
                         "rows": [[1, "a\u2764", 3.0, None], [2, None, 1.5, {"base64": "/wA="}]]}))
            equal(sql(web, "UPDATE t SET name = 'b' WHERE id = ?", 2), (200, dict(done, changes=1)))
            equal(sql(web, "SELECT ?, ?, ?, ?", True, 2**62, {"base64": "/w=="}, 0.1)[1]["rows"],
                  [[1, 2**62, {"base64": "/w=="}, 0.1]])
            upsert = "INSERT INTO t (id, name) VALUES (1, 'c') ON CONFLICT (id) DO UPDATE SET name = 'c'"
            equal(sql(web, upsert), (200, dict(done, changes=1)))
            equal(web("GET", "/v1/tables/t/rows/1")[1]["name"], "c")
            equal(sql(web, "INSERT INTO t (id) VALUES (2), (3), (4) ON CONFLICT DO NOTHING")[1]["changes"], 2)
            equal(sql(web, "DELETE FROM t WHERE id > 2")[1]["changes"], 2)
            equal(sql(web, "SELECT name FROM t WHERE id = 0"), (200, {"columns": ["name"], "rows": []}))
            equal(sql(web, "INSERT INTO \"default\" (key, value) VALUES ('k', 'v')")[0], 200)
            equal(web("GET", "/keys?key=k")[1]["value"], "v")
            equal(sql(web, "DROP TABLE t"), (200, done))
            equal(web("GET", "/v1/tables")[1], {"tables": []})


def test_errors_have_a_position_and_change_nothing(exe, directory):
    with server_with(exe, directory, TABLE % "lsm", "--sql-write", "yes") as server, Web(server) as web:
        equal(sql(web, "INSERT INTO t (id) VALUES (1)")[0], 200)
        for text, status, offset in (("SELECT nothing FROM t", 400, 7), ("SELEC 1", 400, 0),
                                     ("SELECT 1; SELECT 2", 400, 10), ("  SELECT * FROM none", 400, None),
                                     ("INSERT INTO t (id) VALUES (2), (1)", 409, None), ("", 400, None),
                                     ("-- nothing", 400, None),
                                     ("CREATE TABLE t (a)", 400, None), ("SELECT 'a", 400, 7)):
            got, answer = sql(web, text)
            equal(got, status, (text, answer))
            if offset is not None:
                equal(answer["error"].get("offset"), offset, (text, answer))
        for text, parameters in (("SELECT ?", []), ("SELECT ?", [1, 2]), ("SELECT 1", [1]),
                                 ("SELECT ?", [[1]]), ("INSERT INTO t (id) VALUES (?)", []),
                                 ("DROP TABLE t", [1]),
                                 ("INSERT INTO t (id) VALUES (?) ON CONFLICT (id) DO NOTHING", [5]),
                                 ("INSERT INTO t (id) VALUES (5) ON CONFLICT (id) DO NOTHING", [5])):
            equal(web("POST", "/v1/sql", {"sql": text, "parameters": parameters})[0], 400, (text, parameters))
        for body in ({}, {"sql": 1}, {"sql": "SELECT 1", "parameters": {}}, {"sql": "SELECT 1", "more": 1}):
            equal(web("POST", "/v1/sql", body)[0], 400, body)
        equal(sql(web, "SELECT id FROM t")[1]["rows"], [[1]])


def test_writing_is_refused_unless_it_is_allowed(exe, directory):
    with server_with(exe, directory, TABLE % "lsm") as server, Web(server) as web:
        for text in ("INSERT INTO t (id) VALUES (1)", "DELETE FROM t", "DROP TABLE t",
                     "CREATE TABLE u (a INTEGER)", "CREATE INDEX i ON t (name)",
                     "ALTER TABLE t ADD COLUMN x INTEGER",
                     "INSERT INTO t (id) VALUES (1) ON CONFLICT (id) DO NOTHING",
                     "INSERT INTO \"default\" (key, value) VALUES ('k', 'v')",
                     "WITH x AS (SELECT 1) DELETE FROM t",
                     "CREATE TEMP TABLE u (a)"):
            status, answer = sql(web, text)
            equal((status, answer["error"]["code"]), (403, "read_only"), text)
        equal(sql(web, "SELECT count(*) FROM t")[1]["rows"], [[0]])


def test_nothing_beside_the_database_can_be_reached(exe, directory):
    target = os.path.join(directory, "file")
    for options in ((), ("--sql-write", "yes")):
        with server_with(exe, directory, "SELECT 1", *options) as server, Web(server) as web:
            for text in (f"ATTACH '{target}' AS x", f"VACUUM INTO '{target}'", "SELECT load_extension('x')",
                         "PRAGMA temp_store_directory = '/'", "PRAGMA journal_mode = WAL", "DETACH main",
                         "SELECT * FROM pragma_table_info('default'), pragma_cache_size",
                         "PRAGMA hard_heap_limit = 1",
                         "SELECT readfile('/etc/passwd')", f"SELECT writefile('{target}', 'x')"):
                status, answer = sql(web, text)
                equal(status in (400, 403), True, (text, status, answer))
            equal(os.path.exists(target), False)
            equal(sql(web, "PRAGMA table_info('default')")[0], 200)
            equal(sql(web, "SELECT 1")[0], 200)


def test_rows_come_as_lines(exe, directory):
    with Server(exe, directory) as server, Web(server) as web:
        status, data = sql(web, NUMBERS % 100000 + "SELECT i, i * 2 AS twice FROM n", headers=LINES)
        equal((status, web.headers["Content-Type"]), (200, "application/x-ndjson"))
        lines = data.splitlines()
        equal(json.loads(lines[0]), {"columns": ["i", "twice"]})
        equal([json.loads(line) for line in lines[1:]], [[i, i * 2] for i in range(1, 100001)])
        status, answer = sql(web, NUMBERS % 100000 + "SELECT i FROM n")
        equal((status, answer), (200, {"columns": ["i"], "rows": [[i] for i in range(1, 100001)]}))


def test_an_error_after_rows_ends_the_answer_early(exe, directory):
    text = NUMBERS % 100000 + "SELECT i, CASE WHEN i = 90000 THEN abs(-9223372036854775808) END FROM n"
    with Server(exe, directory) as server:
        for headers in (LINES, {}):
            with Web(server) as web:
                try:
                    sql(web, text, headers=headers)
                    raise AssertionError("the answer looks complete")
                except (ConnectionError, OSError):
                    pass
                except Exception as error:
                    equal(type(error).__name__, "IncompleteRead")
                    equal(b'{"error":{"code":"sql","message":"integer overflow"}}' in error.partial,
                          headers == LINES)


def memory_kib(server):
    with open(f"/proc/{server.process.pid}/status", encoding="utf-8") as file:
        return int(next(line for line in file if line.startswith("VmHWM")).split()[1])


def test_large_answers_take_little_memory(exe, directory):
    """400 MB of rows, read slowly at first."""
    text = NUMBERS % 400000 + "SELECT i, hex(zeroblob(500)) FROM n"
    # The address sanitizer keeps much of what was freed, unless it is told not to.
    options = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"
    with (Server(exe, directory, environment={"ASAN_OPTIONS": options.lstrip(":")}) as server,
          Web(server) as web):
        sql(web, "SELECT 1")
        before = memory_kib(server)
        web.connection.request("POST", "/v1/sql", json.dumps({"sql": text}))
        answer = web.connection.getresponse()
        time.sleep(0.5)
        size = 0
        while piece := answer.read(1 << 20):
            size += len(piece)
        equal(size > 400000 * 1000, True)
        equal(memory_kib(server) - before < 32 * 1024, True, (before, memory_kib(server)))


def ask(server, text):
    """Sends a statement. Returns the connection."""
    host, port = server.http.rsplit(":", 1)
    body = json.dumps({"sql": text}).encode()
    head = b"POST /v1/sql HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    connection = socket.create_connection((host, int(port)))
    connection.sendall(head + body)
    return connection


def abandon(server, text):
    """Sends a statement and goes away."""
    with ask(server, text):
        time.sleep(0.2)


def test_a_statement_ends_when_its_client_is_gone(exe, directory):
    """Otherwise the fifth one would find all places taken."""
    with Server(exe, directory, "--sql-write", "yes") as server, Web(server) as web:
        for _ in range(6):
            abandon(server, FOR_EVER)
        deadline = time.monotonic() + 60
        while sql(web, "SELECT 1")[0] == 503:
            equal(time.monotonic() < deadline, True, "the statements have not ended")
            time.sleep(0.05)
        equal(sql(web, "CREATE TABLE t (i INTEGER PRIMARY KEY)")[0], 200)
        abandon(server, "INSERT INTO t " + NUMBERS % 10**12 + "SELECT i FROM n")
        equal(sql(web, "SELECT count(*) FROM t")[1]["rows"], [[0]])


def test_a_statement_that_writes_has_a_limited_time(exe, directory):
    with Server(exe, directory, "--sql-write", "yes", "--sql-ms", "100") as server, Web(server) as web:
        equal(sql(web, "CREATE TABLE t (i INTEGER PRIMARY KEY)")[0], 200)
        status, answer = sql(web, "INSERT INTO t " + NUMBERS % 10**12 + "SELECT i FROM n")
        equal((status, answer["error"]["code"]), (503, "too_slow"))
        equal(sql(web, "SELECT count(*) FROM t")[1]["rows"], [[0]])


def test_a_long_statement_does_not_keep_others_waiting(exe, directory):
    with Server(exe, directory) as server, Web(server) as web:
        waiting = [ask(server, FOR_EVER) for _ in range(4)]
        while sql(web, "SELECT 1")[0] != 503:
            pass
        equal(web("PUT", "/keys", {"key": "a", "value": "b"})[0], 200)
        equal(web("GET", "/keys?key=a")[1]["value"], "b")
        equal(web("GET", "/v1/collections/default/scan")[0], 200)
        equal(web("POST", "/v1/admin/flush")[0], 200)
        for one in waiting:
            one.close()


def test_a_stop_does_not_wait_for_long_statements(exe, directory):
    with Server(exe, directory, "--stop-seconds", "1") as server:
        with ask(server, FOR_EVER):
            time.sleep(0.3)
            server.process.send_signal(signal.SIGTERM)
            equal(server.process.wait(timeout=30), 0)


def test_writes_fail_transactions_that_watch(exe, directory):
    with (Server(exe, directory, "--sql-write", "yes") as server, Web(server) as web,
          server.client() as client):
        equal(client("WATCH", "k"), "OK")
        equal(sql(web, "INSERT INTO \"default\" (key, value) VALUES ('k', 'v')")[0], 200)
        client("MULTI")
        client("SET", "k", "w")
        equal(client("EXEC"), None)
        equal(client("GET", "k"), b"v")


if __name__ == "__main__":
    run(globals())
