#!/usr/bin/env python3
"""test_server.py HOLT -- the server from outside: connections, limits, signals, settings, kills."""
import http.client
import os
import random
import resource
import signal
import socket
import subprocess
import threading
import time

from fixture import Client, Error, Server, equal, run, seed

KINDS = ("lsm", "btree")


def closes(client, seconds=30):
    client.socket.settimeout(seconds)
    return client.at_end()


# ---- what is stored


def test_keys_are_those_of_the_command(exe, directory):
    """Strings are stored as they are, so that other ways to the database see the same keys and values."""
    with Server(exe, directory) as server, server.client() as client:
        equal(client("SET", "city", b"Lis\x00bon"), "OK")
        equal(client("SELECT", 3), "OK")
        equal(client("SET", "city", "Porto"), "OK")
    got = subprocess.check_output([exe, "get", server.database, "city"])
    equal(got.rstrip(b"\n"), b"Lis\x00bon")
    got = subprocess.check_output([exe, "get", server.database, "-c", "db 3", "city"])
    equal(got.rstrip(b"\n"), b"Porto")


def test_a_restarted_server_has_everything(exe, directory):
    for kind in KINDS:
        path = os.path.join(directory, kind)
        os.mkdir(path)
        with Server(exe, path, "--kind", kind) as server:
            with server.client() as client:
                for i in range(100):
                    client("SELECT", i % 3)
                    equal(client("SET", f"key {i}", i, "EX", 10000), "OK")
            server.stop()
            server.start()
            with server.client() as client:
                for i in range(100):
                    client("SELECT", i % 3)
                    equal(client("GET", f"key {i}"), str(i).encode())
                    equal(9990 < client("TTL", f"key {i}") <= 10000, True, "time to live")


def test_what_has_expired_is_gone_from_every_command(exe, directory):
    with Server(exe, directory) as server, server.client() as client:
        client("SET", "short", "x", "PX", 1)
        client("SET", "long", "x", "PX", 1000000)
        time.sleep(0.02)
        equal(client("GET", "short"), None)
        equal(client("EXISTS", "short", "long"), 1)
        equal(client("KEYS", "*"), [b"long"])
        equal(client("DBSIZE"), 1)
        equal(client("TTL", "short"), -2)
        equal(client("SCAN", 0), [b"0", [b"long"]])


def test_a_watched_key_that_expires_fails_the_transaction(exe, directory):
    with Server(exe, directory) as server, server.client() as client:
        client("SET", "k", "x", "PX", 20)
        client("WATCH", "k", "never there")
        time.sleep(0.05)
        client("MULTI")
        client("SET", "other", 1)
        equal(client("EXEC"), None)
        equal(client("EXISTS", "other"), 0)


def test_scan_shows_every_key_once_while_others_come_and_go(exe, directory):
    r = random.Random(seed())
    with Server(exe, directory, "--durability", "process") as server, server.client() as client:
        stay = {b"stay %05d" % i for i in range(3000)}
        for key in stay:
            client.send("SET", key, "v")
        for _ in stay:
            equal(client.read(), "OK")
        seen, cursor = [], b"0"
        while True:
            cursor, keys = client("SCAN", cursor, "COUNT", r.randrange(1, 50))
            seen += keys
            client("SET", b"stay %05d x" % r.randrange(3000), "v")
            if seen:
                client("DEL", r.choice(seen) + b" x")
            if cursor == b"0":
                break
        own = [key for key in seen if key in stay]
        equal(sorted(own), sorted(stay))
        equal(client("SCAN", cursor, "MATCH", "stay 0001?", "COUNT", 1000)[1],
              [b"stay %05d" % i for i in range(10, 20)])


def test_scans_beyond_the_memory_for_them_get_an_error_not_wrong_keys(exe, directory):
    with Server(exe, directory, "--durability", "process") as server, server.client() as client:
        for i in range(30):
            client("SET", f"{i:02}", "v")
        first = client("SCAN", 0, "COUNT", 1)[0]
        for _ in range(17000):
            client.send("SCAN", 0, "COUNT", 1)
        for _ in range(17000):
            client.read()
        equal(isinstance(client("SCAN", first), Error), True)


def test_keys_of_a_large_database_comes_whole_and_in_order(exe, directory):
    with Server(exe, directory, "--durability", "process") as server, server.client() as client:
        count = 60000
        for i in range(0, count, 1000):
            client("MSET", *[w for j in range(i, i + 1000) for w in (f"key {j:07}", "v")])
        client.send("KEYS", "*")
        client.send("PING")
        keys = client.read()
        equal(len(keys), count)
        equal(keys == sorted(keys), True, "sorted")
        equal(client.read(), "PONG")
        client("MULTI")
        client("KEYS", "key 000000*")
        equal(client("EXEC"), [[b"key 000000%d" % i for i in range(10)]])


def test_ranges(exe, directory):
    for kind in KINDS:
        path = os.path.join(directory, kind)
        os.mkdir(path)
        with Server(exe, path, "--kind", kind) as server, server.client() as client:
            client("MSET", "a", 1, "b", 2, "c", 3, "d", 4)
            equal(client("HOLT.RANGE", "b", "d"), [b"b", b"2", b"c", b"3"])
            equal(client("HOLT.RANGE", "-", "+", "REV", "LIMIT", 2), [b"d", b"4", b"c", b"3"])
            equal(client("HOLT.DELRANGE", "b", "d"), "OK")
            equal(client("KEYS", "*"), [b"a", b"d"])
            equal(isinstance(client("HOLT.DELRANGE", "d", "b"), Error), True)
            equal(client("HOLT.DELRANGE", "-", "+"), "OK")
            equal(client("DBSIZE"), 0)


# ---- settings and figures


def test_settings_that_a_client_changes_take_effect(exe, directory):
    with Server(exe, directory, "--durability", "process") as server, server.client() as client:
        equal(client("CONFIG", "SET", "proto-max-bulk-len", "4kb", "queued_commands", 2), "OK")
        equal(client("CONFIG", "GET", "proto-max-bulk-len", "request_bytes", "queued_commands"),
              [b"proto-max-bulk-len", b"4096", b"request_bytes", b"4096", b"queued_commands", b"2"])
        equal(isinstance(client("SETRANGE", "k", 5000, "x"), Error), True)
        client("MULTI")
        equal([client("PING"), client("PING")], ["QUEUED"] * 2)
        equal(isinstance(client("PING"), Error), True)
        client("DISCARD")
        equal(client("CONFIG", "SET", "maxmemory", 1), "OK")
        equal(str(client("SET", "k", "v")).startswith("OOM"), True)
        equal(client("CONFIG", "SET", "maxmemory", 0, "min-replicas-to-write", 1), "OK")
        equal(str(client("SET", "k", "v")).startswith("NOREPLICAS"), True)
        equal(isinstance(client("CONFIG", "SET", "min-replicas-to-write", 0, "nosuch", 1), Error), True)
        equal(client("CONFIG", "GET", "min-replicas-to-write")[1], b"1", "all or nothing")
        equal(isinstance(client("CONFIG", "SET", "durability", "commit"), Error), True, "only at the start")
        equal(client("CONFIG", "SET", "durability", "process"), "OK", "what it is already")
        equal(client("CONFIG", "SET", "maxclients", 1), "OK")
        with server.client() as second:
            equal(str(second.read()), "ERR max number of clients reached")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("the configuration was read again")
        equal(client("CONFIG", "GET", "maxclients")[1], b"10000", "as the server was started")


def test_slow_commands_are_remembered(exe, directory):
    with Server(exe, directory) as server, server.client() as client:
        client("CONFIG", "SET", "slowlog-log-slower-than", 50000, "latency-monitor-threshold", 50)
        client("CLIENT", "SETNAME", "me")
        client("PING")
        client("DEBUG", "SLEEP", "0.06")
        equal(client("SLOWLOG", "LEN"), 1)
        entry = client("SLOWLOG", "GET")[0]
        equal([entry[0], entry[2] >= 50000, entry[3], entry[5]],
              [0, True, [b"DEBUG", b"SLEEP", b"0.06"], b"me"])
        latest = client("LATENCY", "LATEST")
        equal([len(latest), latest[0][0], latest[0][2] >= 50], [1, b"command", True])
        equal(len(client("LATENCY", "HISTORY", "command")), 1)
        equal(client("LATENCY", "RESET"), 1)
        client("CONFIG", "SET", "slowlog-log-slower-than", 0, "slowlog-max-len", 3)
        client("ECHO", "x" * 200)
        client("EXISTS", *range(100))
        for _ in range(5):
            client("PING")
        equal(client("SLOWLOG", "LEN"), 3)
        client("EXISTS", *range(100))
        client("ECHO", "x" * 200)
        entries = client("SLOWLOG", "GET", 2)
        equal(entries[0][3], [b"ECHO", b"x" * 128 + b"... (72 more bytes)"])
        equal([len(entries[1][3]), entries[1][3][-1]], [32, b"... (70 more arguments)"])
        histogram = client("LATENCY", "HISTOGRAM", "ping")
        equal(histogram[:2] + histogram[1][:2], [b"ping", histogram[1], b"calls", 6])
        equal(histogram[1][3][-1], 6, "the last bucket counts all")
        equal(b"cmdstat_ping:calls=6," in client("INFO", "commandstats"), True)


def test_swapped_databases_stay_swapped(exe, directory):
    with Server(exe, directory) as server:
        with server.client() as client, server.client() as watcher:
            client("SET", "k", "zero")
            client("SELECT", 1)
            client("SET", "k", "one")
            watcher("WATCH", "k")
            equal(client("SWAPDB", 0, 1), "OK")
            equal(client("GET", "k"), b"zero")
            watcher("MULTI")
            watcher("PING")
            equal(watcher("EXEC"), None, "a watched key was exchanged")
            client("MULTI")
            client("SWAPDB", 1, 2)
            client("GET", "k")
            client("SET", "k", "new")
            equal(client("EXEC"), ["OK", None, "OK"])
        server.kill()
        server.start()
        with server.client() as client:
            got = []
            for database in range(3):
                client("SELECT", database)
                got.append(client("GET", "k"))
            equal(got, [b"one", b"new", b"zero"])


def test_sql(exe, directory):
    with Server(exe, directory) as server, server.client() as client:
        client("MSET", "a", 1, "b", "two")
        client("SELECT", 5)
        client("SET", "other", "x", "EX", 1000)
        equal(client("HOLT.SQL", 'SELECT key, value FROM "default" ORDER BY key'),
              [[b"key", b"value"], [b"a", b"1"], [b"b", b"two"]])
        equal(client("HOLT.SQL", 'SELECT value FROM "default" WHERE key = ?;', "b"), [[b"value"], [b"two"]])
        equal(client("HOLT.SQL", "SELECT 1, 2.5, NULL, x'00ff' WHERE 1"),
              [[b"1", b"2.5", b"NULL", b"x'00ff'"], [1, b"2.5", None, b"\x00\xff"]])
        equal(client("HOLT.SQL", "SELECT 1 WHERE 0"), [[b"1"]])
        client("SELECT", 7)
        client("SET", "new", "y")
        equal(client("HOLT.SQL", 'SELECT value FROM "db 7"'), [[b"value"], [b"y"]])
        for statement in ("CREATE TABLE t (id INTEGER PRIMARY KEY)", 'DELETE FROM "default"', "nonsense", "",
                          "SELECT 1; SELECT 2", "ATTACH '/tmp/x' AS y", "PRAGMA hard_heap_limit = 1",
                          "BEGIN"):
            equal(isinstance(client("HOLT.SQL", statement), Error), True, statement)
        equal(isinstance(client("HOLT.SQL", "SELECT ?", 1, 2), Error), True)
        client("MULTI")
        equal(isinstance(client("HOLT.SQL", "SELECT 1"), Error), True)
        client("DISCARD")


def test_sql_that_writes(exe, directory):
    with Server(exe, directory, "--sql-write", "yes", "--sql-ms", "300") as server, \
            server.client() as client, server.client() as watcher:
        watcher("SET", "a", 1)
        watcher("WATCH", "a")
        equal(client("HOLT.SQL", "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE)"), 0)
        equal(client("HOLT.SQL", "INSERT INTO t VALUES (1, 'x'), (2, 'y')"), 2)
        equal(client("HOLT.SQL", "INSERT INTO t VALUES (?, ?)", 3, "z"), 1)
        equal(isinstance(client("HOLT.SQL", "INSERT INTO t VALUES (4, 'x')"), Error), True)
        equal(client("HOLT.SQL", "SELECT * FROM t WHERE id = ?", 3), [[b"id", b"name"], [3, b"z"]])
        equal(client("HOLT.SQL", "UPDATE \"default\" SET value = 'new' WHERE key = 'a'"), 1)
        equal(client("GET", "a"), b"new")
        watcher("MULTI")
        watcher("PING")
        equal(watcher("EXEC"), None, "SQL has written the watched key")
        watcher("WATCH", "no")
        equal(client("HOLT.SQL", "INSERT INTO \"default\" (key, value) VALUES ('no', 'x')"), 1)
        watcher("MULTI")
        watcher("PING")
        equal(watcher("EXEC"), None, "SQL has made the watched key")
        endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
        equal("sql_ms" in str(client("HOLT.SQL", endless)), True)
        equal(client("PING"), "PONG")


def test_shutdown(exe, directory):
    with Server(exe, directory) as server, server.client() as client:
        client("SET", "a", 1)
        client.send("SHUTDOWN")
        equal(closes(client), True)
        equal(server.process.wait(timeout=60), 0)
        server.start()
        with server.client() as client:
            equal(client("GET", "a"), b"1")


def test_the_table_of_commands(exe, directory):
    with Server(exe, directory) as server, server.client() as client:
        names = client("COMMAND", "LIST")
        commands = [name for name in names if b"|" not in name]
        equal(client("COMMAND", "COUNT"), len(commands))
        info = {c[0]: c for c in client("COMMAND")}
        equal(sorted(info), sorted(commands))
        equal([c[0] for c in info[b"config"][9]],
              [b"config|get", b"config|resetstat", b"config|rewrite", b"config|set", b"config|help"])
        equal(client("COMMAND", "INFO", "config|set")[0][1], -4)
        docs = client("COMMAND", "DOCS", "slowlog")
        equal(docs[1][6], b"subcommands")
        text = client("CONFIG", "HELP")
        equal(text[0].startswith("CONFIG <subcommand>"), True)
        equal("SET" in text, True)


# ---- GET on the loop


def test_gets_among_other_commands_are_answered_in_order(exe, directory):
    """GETs are answered on the loop if they can be; then they must not overtake, nor fall behind."""
    r = random.Random(seed())
    for kind in KINDS:
        path = os.path.join(directory, kind)
        os.mkdir(path)
        with Server(exe, path, "--kind", kind, "--durability", "process") as server, \
                server.client() as client:
            model = {}
            for _ in range(150):
                data, expected = b"", []
                for _ in range(r.randrange(1, 60)):
                    key = b"k%d" % r.randrange(8)
                    if r.random() < 0.7:
                        data += Client.encode(r.choice(["GET", "get"]), key)
                        expected.append(model.get(key))
                    elif r.random() < 0.7:
                        value = b"%d" % r.randrange(10**6) * r.randrange(1, 300)
                        data += Client.encode("SET", key, value)
                        model[key] = value
                        expected.append("OK")
                    elif r.random() < 0.5:
                        data += b"get " + key + b"\r\n"
                        expected.append(model.get(key))
                    else:
                        data += Client.encode("DEL", key)
                        expected.append(int(model.pop(key, None) is not None))
                cut = r.randrange(len(data))  # anywhere in a command
                client.send_raw(data[:cut])
                if r.random() < 0.5:
                    client.send_raw(data[cut:])
                else:
                    time.sleep(0.001)
                    client.send_raw(data[cut:])
                for reply in expected:
                    equal(client.read(), reply)


def test_gets_on_the_loop_know_the_state_of_their_connection(exe, directory):
    with Server(exe, directory) as server, server.client() as client, server.client() as other:
        client("SET", "k", "zero")
        equal(client("GET", "k"), b"zero")
        client("MULTI")
        equal(client("GET", "k"), "QUEUED")
        equal(client("EXEC"), [b"zero"])
        client("SELECT", 1)
        equal(client("GET", "k"), None)
        client("SET", "k", "one", "PX", 30)
        equal(client("GET", "k"), b"one")
        time.sleep(0.05)
        equal(client("GET", "k"), None, "it has expired")
        client("SET", "k", "one")
        equal(other("GET", "k"), b"zero")
        client.send("CLIENT", "REPLY", "SKIP")
        client.send("GET", "k")
        equal(client("PING"), "PONG")
        equal(other("SWAPDB", 0, 1), "OK")
        equal([client("GET", "k"), other("GET", "k")], [b"zero", b"one"])
        client("SUBSCRIBE", "c")
        equal(isinstance(client("GET", "k"), Error), True)
        other("CONFIG", "RESETSTAT")
        for key in ("k", "no", "k"):
            other("GET", key)
        info = other("INFO", "stats")
        equal([b"keyspace_hits:2" in info, b"keyspace_misses:1" in info], [True, True])


def test_gets_on_the_loop_survive_that_the_collection_is_dropped(exe, directory):
    with Server(exe, directory) as server, server.client() as client:
        client("SELECT", 3)
        client("SET", "k", "v")
        equal(client("GET", "k"), b"v")
        host, port = server.http.rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        connection.request("DELETE", "/v1/collections/db%203")
        equal(connection.getresponse().status, 204)
        connection.close()
        equal(client("GET", "k"), None)
        client("SET", "k", "again")
        equal(client("GET", "k"), b"again")


def test_gets_of_what_is_not_in_memory(exe, directory):
    with Server(exe, directory, "--memory", "8M", "--durability", "process") as server:
        with server.client() as client:
            for i in range(0, 4000, 100):
                client("MSET", *[w for j in range(i, i + 100) for w in (f"key {j}", f"{j}" * 1000)])
            server.stop()
            server.start()
        with server.client() as client:
            data = b"".join(Client.encode("GET", f"key {j}") for j in range(0, 4000, 7))
            client.send_raw(data)
            for j in range(0, 4000, 7):
                equal(client.read(), b"%d" % j * 1000)


# ---- messages


def test_messages_reach_subscribers(exe, directory):
    with Server(exe, directory) as server, server.client() as a, server.client() as b, server.client() as c:
        equal(a("SUBSCRIBE", "news", "other"), [b"subscribe", b"news", 1])
        equal(a.read(), [b"subscribe", b"other", 2])
        equal(b("HELLO", 3)[b"proto"], 3)
        equal(b("PSUBSCRIBE", "n*"), [b"psubscribe", b"n*", 1])
        equal(c("PUBLISH", "news", "hello"), 2)
        equal(a.read(), [b"message", b"news", b"hello"])
        equal(b.read(), [b"pmessage", b"n*", b"news", b"hello"])
        equal(isinstance(a("GET", "x"), Error), True, "RESP2 clients only listen")
        equal(b("GET", "x"), None, "RESP3 clients may do more")
        equal(a("UNSUBSCRIBE", "news"), [b"unsubscribe", b"news", 1])
        a.close()
        equal(c("PUBLISH", "news", "again"), 1)


def test_messages_do_not_come_in_the_middle_of_a_reply(exe, directory):
    with Server(exe, directory, "--durability", "process") as server, server.client() as client, \
            server.client() as other:
        names = [b"key %06d" % i + b"x" * 200 for i in range(100000)]  # more than the sockets take
        for i in range(0, len(names), 1000):
            other("MSET", *[word for name in names[i:i + 1000] for word in (name, b"")])
        client("HELLO", 3)
        equal(client("SUBSCRIBE", "news"), [b"subscribe", b"news", 1])
        client.send("KEYS", "*")
        client.send("PING")
        start = client.file.read(1)  # the reply has begun, and cannot end before it is read
        for i in range(3):
            equal(other("PUBLISH", "news", i), 1)
        size = int(client.file.readline())
        equal((start, size), (b"*", len(names)))
        for name in names:
            equal(client.read(), name)
        replies = [client.read() for _ in range(4)]
        replies.remove("PONG")
        equal(replies, [[b"message", b"news", b"%d" % i] for i in range(3)])


# ---- connections


def test_half_closed_connections_get_their_replies(exe, directory):
    with Server(exe, directory) as server, server.client() as client:
        client.send_raw(b"SET a 1\r\nINCR a\r\nGET a\r\n")
        client.socket.shutdown(socket.SHUT_WR)
        equal([client.read() for _ in range(3)], ["OK", 2, b"2"])
        equal(closes(client), True)


def test_commands_that_come_byte_by_byte_are_understood(exe, directory):
    with Server(exe, directory) as server, server.client() as client:
        data = Client.encode("SET", "key", "value") + b"ECHO 'a b'\r\n" + Client.encode("GET", "key")
        for i in range(len(data)):
            client.send_raw(data[i:i + 1])
        equal([client.read() for _ in range(3)], ["OK", b"a b", b"value"])


def test_wrong_bytes_end_the_connection_with_an_error(exe, directory):
    with Server(exe, directory) as server:
        for data in (b"*1\r\n:1\r\n", b"*x\r\n", b"*1\r\n$-1\r\n", b"*1\r\n$3\r\nabcde\r\n", b"*9999999\r\n",
                     b"GET \"x\r\n",
                     b"*1\r\n$99999999999\r\n", b"x" * 70000):
            with server.client() as client:
                client.send_raw(data)
                equal(str(client.read()).startswith("ERR Protocol error"), True, data[:30])
                equal(closes(client), True, data[:30])
        with server.client() as client:
            equal(client("PING"), "PONG")


def test_a_large_value_goes_both_ways_and_a_too_large_one_is_refused_early(exe, directory):
    with Server(exe, directory, "--request-bytes", "8M", "--durability", "process") as server:
        value = os.urandom(6 << 20)
        with server.client() as client:
            equal(client("SET", "large", value), "OK")
            equal(client("GET", "large") == value, True)
            equal(client("STRLEN", "large"), len(value))
            equal(isinstance(client("SETRANGE", "large", 9 << 20, "x"), Error), True)
        with server.client() as client:
            client.send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1073741824\r\n")
            equal(str(client.read()).startswith("ERR Protocol error"), True)
            equal(closes(client), True)


def test_a_client_that_never_reads_is_held_back_then_nothing_else_suffers(exe, directory):
    options = ("--durability", "process", "--output-bytes", "1M")
    with Server(exe, directory, *options) as server, server.client() as other:
        other("SET", "large", "x" * 100000)
        silent = server.client()
        silent.socket.setblocking(False)
        command, sent = Client.encode("GET", "large") * 100, 0
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            try:
                sent += silent.socket.send(command)
            except BlockingIOError:
                time.sleep(0.01)
            except ConnectionError:
                break
        equal(other("PING"), "PONG")
        equal(memory_of(server) < 400 << 20, True, "memory of the server")
        silent.close()
        equal(other("GET", "large"), b"x" * 100000)


def test_commands_of_a_client_that_does_not_read_do_not_pile_up(exe, directory):
    """They are left in the client's socket once its replies wait, however small the commands before were."""
    with Server(exe, directory, "--durability", "process") as server, server.client() as silent:
        silent("SET", "large", "x" * 200000)
        for _ in range(100):  # one at a time, so that each is executed before the next is there
            silent.send("GET", "large")
            time.sleep(0.01)
        before, sent = memory_of(server), 0
        silent.socket.settimeout(2)
        try:
            for _ in range(200):
                silent.send_raw(b"PING\r\n" * 100000)
                sent += 600000
        except TimeoutError:
            pass
        grown = memory_of(server) - before
        equal(grown < 20 << 20, True, f"{grown} bytes more for {sent} bytes of commands")


def test_a_reply_larger_than_the_limit_is_an_error_not_a_waste_of_memory(exe, directory):
    with Server(exe, directory, "--output-bytes", "1M") as server, server.client() as client:
        value = "x" * 600000
        for key in ("a", "b"):
            equal(client("SET", key, value), "OK")
        equal(len(client("MGET", "a", "none", "none")[0]), 600000)
        equal("output_bytes" in str(client("MGET", *["a", "b"] * 500)), True, "MGET")
        client("MULTI")
        client("SET", "new", 1)
        for _ in range(500):
            equal(client("GET", "a"), "QUEUED")
        reply = str(client("EXEC"))
        equal(reply.startswith("EXECABORT") and "output_bytes" in reply, True, reply[:200])
        equal(client("EXISTS", "new"), 0)
        equal(len(client("HOLT.RANGE", "-", "+", "LIMIT", 1000)), 2, "a range ends early")
        equal(client("SET", "large", value * 3), "OK")
        client.send("GET", "a")
        client.send("GET", "large")
        sizes = [len(client.read()), len(client.read())]
        equal(sizes, [600000, 1800000], "a single value is never too large")


def test_scans_and_keys_of_long_keys_stay_within_the_limit(exe, directory):
    with Server(exe, directory, "--output-bytes", "1M", "--durability", "process") as server:
        with server.client() as client:
            keys = {b"%03d" % i + b"k" * 60000 for i in range(100)}
            for key in keys:
                equal(client("SET", key, ""), "OK")
            seen, cursor, largest = [], b"0", 0
            while not seen or cursor != b"0":
                cursor, page = client("SCAN", cursor, "COUNT", 100000)
                largest = max(largest, sum(len(key) for key in page))
                seen += page
            equal(sorted(seen), sorted(keys))
            equal(largest <= 1 << 20, True, f"{largest} bytes at a time")
            equal(len(client("KEYS", "*")), 100, "in pieces")
            client("MULTI")
            client("KEYS", "*")
            client("SET", "new", 1)
            equal("output_bytes" in str(client("EXEC")), True)
            equal(client("EXISTS", "new"), 0)


def memory_of(server):
    """The bytes that the server has in memory."""
    with open(f"/proc/{server.process.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def test_a_publisher_disconnects_a_subscriber_that_does_not_read(exe, directory):
    with Server(exe, directory, "--output-bytes", "1M") as server, server.client() as a, server.client() as b:
        a("SUBSCRIBE", "c")
        message = "x" * 100000
        for _ in range(2000):
            if b("PUBLISH", "c", message) == 0:
                return
        raise AssertionError("the subscriber is still there")


def test_idle_clients_are_disconnected_and_busy_ones_not(exe, directory):
    server = Server(exe, directory, "--idle-seconds", "1")
    with server, server.client() as idle, server.client() as busy:
        equal(idle("PING"), "PONG")
        for _ in range(30):
            equal(busy("PING"), "PONG")
            time.sleep(0.1)
        equal(closes(idle), True)


def test_more_connections_than_allowed_are_refused(exe, directory):
    with Server(exe, directory, "--connections", "3") as server:
        clients = [server.client() for _ in range(3)]
        for client in clients:
            equal(client("PING"), "PONG")
        with server.client() as fourth:
            equal(str(fourth.read()), "ERR max number of clients reached")
        clients.pop().close()
        time.sleep(0.1)
        with server.client() as again:
            equal(again("PING"), "PONG")


def test_ten_thousand_idle_connections_take_little_memory(exe, directory):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(10000, hard - 200)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, hard))
    clients = []
    try:
        with Server(exe, directory) as server, server.client() as client:
            equal(client("PING"), "PONG")
            before = memory_of(server)
            for _ in range(count - 10):
                clients.append(socket.create_connection(server.address))
                clients[-1].sendall(b"PING\r\n")
            for one in clients:
                one.settimeout(60)
                equal(one.recv(100), b"+PONG\r\n")
            grown = memory_of(server) - before
            equal(grown < 100 << 20, True, f"{grown} bytes for {count} connections")
            equal(client("PING"), "PONG")
    finally:
        for one in clients:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_client_can_be_disconnected_by_another(exe, directory):
    with Server(exe, directory) as server, server.client() as a, server.client() as b:
        number = a("CLIENT", "ID")
        equal(b"id=%d " % number in b("CLIENT", "LIST"), True)
        equal(b("CLIENT", "KILL", "ID", number), 1)
        equal(closes(a), True)
        equal(b("CLIENT", "KILL", "ID", number), 0)


def test_replies_that_are_switched_off_are_not_sent(exe, directory):
    """Also those that are made in pieces."""
    with Server(exe, directory, "--durability", "process") as server, server.client() as client:
        for i in range(0, 20000, 1000):
            client("MSET", *[w for j in range(i, i + 1000) for w in (f"key {j:05}", "v")])
        client.send("CLIENT", "REPLY", "SKIP")
        client.send("KEYS", "*")
        equal(client("PING"), "PONG", "after one that is skipped")
        client.send("CLIENT", "REPLY", "OFF")
        for words in (("KEYS", "*"), ("GET", "key 00000"), ("NOSUCHCOMMAND",), ("SET", "new", "x")):
            client.send(*words)
        equal(client("CLIENT", "REPLY", "ON"), "OK")
        equal(client("GET", "new"), b"x")


# ---- limits of transactions


def test_a_transaction_beyond_the_limit_is_refused_as_a_whole(exe, directory):
    with Server(exe, directory, "--queued-commands", "100") as server, server.client() as client:
        client("MULTI")
        replies = [client("SET", f"k{i}", 1) for i in range(101)]
        equal(replies[:100], ["QUEUED"] * 100)
        equal(isinstance(replies[100], Error), True)
        equal(str(client("EXEC")).startswith("EXECABORT"), True)
        equal(client("DBSIZE"), 0)


def test_a_transaction_that_the_database_refuses_writes_nothing(exe, directory):
    server = Server(exe, directory, "--memory", "8M", "--durability", "process")
    with server, server.client() as client:
        client("MULTI")
        for i in range(5):
            equal(client("SET", f"k{i}", "x" * 700000), "QUEUED")
        reply = client("EXEC")
        equal(str(reply).startswith("EXECABORT"), True, repr(reply)[:200])
        equal(client("DBSIZE"), 0)
        equal(client("SET", "k", "x"), "OK")


def test_a_key_that_is_too_long_spoils_nothing_else_of_its_batch(exe, directory):
    with Server(exe, directory) as server, server.client() as client:
        long = "k" * 70000
        for words in (("SET", "a", 1), ("SET", long, 1), ("MSET", "b", 2, long, 2), ("SET", "c", 3)):
            client.send(*words)
        replies = [client.read() for _ in range(4)]
        equal([isinstance(reply, Error) for reply in replies], [False, True, True, False])
        equal(client("KEYS", "*"), [b"a", b"c"])


# ---- signals


def test_sigterm_lets_what_has_arrived_finish(exe, directory):
    with Server(exe, directory) as server, server.client() as client:
        for i in range(5000):
            client.send("SET", f"k{i}", i)
        equal(client.read(), "OK")
        server.process.send_signal(signal.SIGTERM)
        acknowledged = 1
        try:
            while client.read() == "OK":
                acknowledged += 1
        except ConnectionError:
            pass
        equal(server.process.wait(timeout=60), 0)
        server.start()
        with server.client() as again:
            equal(again("DBSIZE") >= acknowledged, True, f"{acknowledged} were acknowledged")


def leave_replies_unread(server):
    client = server.client()
    client("SET", "large", "x" * 1000000)
    for _ in range(30):
        client.send("GET", "large")
    time.sleep(0.3)
    return client


def test_the_deadline_ends_a_server_whose_clients_do_not_read(exe, directory):
    with Server(exe, directory, "--stop-seconds", "2", "--durability", "process") as server:
        with leave_replies_unread(server):
            start = time.monotonic()
            server.stop()
            equal(time.monotonic() - start >= 2, True, "clients are waited for")


def test_a_second_signal_ends_a_server_whose_clients_do_not_read(exe, directory):
    with Server(exe, directory, "--stop-seconds", "3600", "--durability", "process") as server:
        with leave_replies_unread(server):
            server.process.send_signal(signal.SIGTERM)
            server.wait_for("SIGTERM: stopping")
            server.stop(signal.SIGINT)


def test_sighup_changes_the_log_level_and_reports_the_rest(exe, directory):
    path = os.path.join(directory, "holt.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write("# a comment\nlog_level = info\n\n slow_ms = 5 \n")
    with Server(exe, directory, "--config", path) as server:
        with open(path, "w", encoding="utf-8") as file:
            file.write("slow_ms = 6\n")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("slow_ms takes effect at the next start")
        with open(path, "w", encoding="utf-8") as file:
            file.write("slow = 6\n")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("did you mean 'slow_ms'?")
        for level in ("error", "info"):
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"slow_ms = 5\nlog_level = {level}\n")
            lines = server.log().count("was read again")
            server.process.send_signal(signal.SIGHUP)
            with server.client() as client:
                equal(client("PING"), "PONG")
            time.sleep(0.3)
            equal(server.log().count("was read again") - lines, 1 if level == "info" else 0, level)


# ---- settings


def settings(exe, *options, code=0, environment=None):
    result = subprocess.run([exe, "serve", *options], capture_output=True, check=False,
                            env=dict(os.environ, **(environment or {})))
    equal(result.returncode, code, result.stderr)
    return (result.stdout if code == 0 else result.stderr).decode()


def test_the_command_line_wins_over_the_environment_over_the_file(exe, directory):
    path = os.path.join(directory, "holt.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write("memory = 64M\nslow_ms = 1\ninterval-ms = 7\n")
    text = settings(exe, "--config", path, "--print-config", "--memory", "32M",
                    environment={"HOLT_MEMORY": "16M", "HOLT_SLOW_MS": "2"})
    for line in ("memory = 32M", "slow_ms = 2", "interval_ms = 7", "kind = lsm"):
        equal(line in text.splitlines(), True, line)
    printed = os.path.join(directory, "printed.conf")
    with open(printed, "w", encoding="utf-8") as file:
        file.write(text)
    again = settings(exe, "--config", printed, "--print-config")
    strip = [line for line in again.splitlines() if not line.startswith("#")]
    equal(strip, [line for line in text.splitlines() if not line.startswith("#")])


def test_wrong_settings_are_named(exe, directory):
    path = os.path.join(directory, "holt.conf")
    for text, message in (("memry = 1G", "did you mean 'memory'?"), ("memory = lots", "'lots' is not a size"),
                          ("memory", "expected 'name = value'"), ("kind = tree", "lsm btree"),
                          ("\nconnections = 0", "holt.conf:2"), ("memory = " + "x" * 5000, "too long")):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        equal(message in settings(exe, "--config", path, "--check-config", code=2), True, message)
    equal("nearly" in settings(exe, "--check-config", code=2, environment={"HOLT_MEMRY": "1"}), True)
    settings(exe, "--check-config", environment={"HOLT_PORT": "tcp://10.0.0.1:80", "LOG_LEVEL": "loud"})
    equal("No such file" in settings(exe, "--check-config", "--config", path + "x", code=2), True)
    equal("DIR is missing" in settings(exe, code=2), True)


def test_other_machines_are_not_served_in_plain_text(exe, directory):
    data = os.path.join(directory, "data")
    equal("not encrypted" in settings(exe, data, "--http", "off", "--redis", "0.0.0.0:0", code=1), True)
    equal("is not an address" in settings(exe, data, "--redis", "nowhere", code=1), True)
    equal(os.path.exists(data), False, "nothing is created")
    with Server(exe, directory, "--redis", "0.0.0.0:0", "--insecure", "yes"):
        pass


def test_unix_sockets_and_several_addresses(exe, directory):
    path = os.path.join(directory, "redis.sock")
    server = Server(exe, directory, "--redis", f"unix:{path},127.0.0.1:0")
    with server:
        with Client(path) as client:
            equal(client("PING"), "PONG")
        server.kill()
        equal(os.path.exists(path), True, "a killed server leaves its socket")
        server.start()
        with Client(path) as client:
            equal(client("PING"), "PONG")
    equal(os.path.exists(path), False, "the socket is removed")


def test_sockets_from_systemd_are_used_and_it_is_told_when_the_server_is_ready(exe, directory):
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notified.settimeout(60)
    notified.bind(os.path.join(directory, "notify.sock"))
    script = 'exec 3<&"$1"; shift; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=redis; exec "$@"'
    process = subprocess.Popen(["sh", "-c", script, "sh", str(listening.fileno()), exe, "serve",
                                os.path.join(directory, "data"), "--http", "off"],
                               pass_fds=[listening.fileno()],
                               env=dict(os.environ, NOTIFY_SOCKET=os.path.join(directory, "notify.sock")),
                               stderr=subprocess.DEVNULL)
    try:
        equal(notified.recv(100), b"READY=1")
        with Client(listening.getsockname()) as client:
            equal(client("PING"), "PONG")
        before = time.monotonic_ns() // 1000
        process.send_signal(signal.SIGHUP)
        state, at = notified.recv(100).split(b"\nMONOTONIC_USEC=")
        equal((state, before <= int(at) <= time.monotonic_ns() // 1000), (b"RELOADING=1", True))
        equal(notified.recv(100), b"READY=1")
        process.send_signal(signal.SIGTERM)
        equal(notified.recv(100), b"STOPPING=1")
        equal(process.wait(timeout=60), 0)
    finally:
        process.kill()


# ---- the worst


def load(server, number, acknowledged, stop):
    """Writes until the server is gone; notes what was acknowledged."""
    r = random.Random(number)
    try:
        with server.client() as client:
            while not stop.is_set():
                keys = [b"%d:%d" % (number, r.randrange(1 << 30)) for _ in range(r.randrange(1, 20))]
                if r.random() < 0.3:
                    client.send("MULTI")
                    for key in keys:
                        client.send("SET", key, number)
                    client.send("EXEC")
                    for _ in keys:
                        client.read()
                    client.read()
                    if isinstance(client.read(), list):
                        acknowledged += keys
                else:
                    for key in keys:
                        client.send("SET", key, number)
                    for key in keys:
                        if client.read() == "OK":
                            acknowledged.append(key)
    except (ConnectionError, OSError):
        pass


def test_every_acknowledged_write_survives_a_kill_under_load(exe, directory):
    r = random.Random(seed())
    for kind in KINDS:
        path = os.path.join(directory, kind)
        os.mkdir(path)
        lists = [[] for _ in range(4)]
        with Server(exe, path, "--kind", kind, "--memory", "8M") as server:
            for life in range(int(os.environ.get("HOLT_KILLS") or 3)):
                stop = threading.Event()
                threads = [threading.Thread(target=load, args=(server, life * 10 + i, lists[i], stop))
                           for i in range(4)]
                for thread in threads:
                    thread.start()
                time.sleep(r.uniform(0.1, 1))
                server.kill()
                stop.set()
                for thread in threads:
                    thread.join()
                server.start()
                with server.client() as client:
                    for keys in lists:
                        for key in keys:
                            client.send("GET", key)
                        for key in keys:
                            equal(client.read(), key.split(b":")[0], key)
            equal(sum(len(keys) for keys in lists) > 100, True, "writes")


def swap(values, number):
    """The values of three databases after one more SWAPDB: of the first two, then of the last two."""
    a = number % 2
    values = list(values)
    values[a], values[a + 1] = values[a + 1], values[a]
    return values


def read_databases(server):
    with server.client() as client:
        return [client("SELECT", database) and client("GET", "k") for database in range(3)]


def test_a_swap_is_whole_after_a_kill(exe, directory):
    """What was acknowledged has happened, and of the one after it all or nothing."""
    r = random.Random(seed())
    for kind in KINDS:
        path = os.path.join(directory, kind)
        os.mkdir(path)
        with Server(exe, path, "--kind", kind) as server:
            with server.client() as client:
                for database in range(3):
                    client("SELECT", database)
                    equal(client("SET", "k", database), "OK")
            known = read_databases(server)
            for _ in range(int(os.environ.get("HOLT_KILLS") or 3)):
                number = 0
                timer = threading.Timer(r.uniform(0.05, 0.3), server.process.kill)
                try:
                    with server.client() as client:
                        timer.start()
                        while client("SWAPDB", number % 2, number % 2 + 1) == "OK":
                            known = swap(known, number)
                            number += 1
                except (ConnectionError, OSError):
                    pass
                timer.join()
                server.kill()
                server.start()
                got = read_databases(server)
                equal(got in (known, swap(known, number)), True, f"{number} swaps: {got} after {known}")
                equal(number > 0, True, "swaps")
                known = got


if __name__ == "__main__":
    run(globals())
