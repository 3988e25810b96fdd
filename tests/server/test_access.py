#!/usr/bin/env python3
"""test_access.py HOLT -- users, passwords, tokens and roles, over both protocols."""
import base64
import http.client
import json
import os
import shutil
import socket
import subprocess
import threading
import time

from fixture import Client, Error, Server, Skip, equal, run

NOAUTH = Error("NOAUTH Authentication required.")
WRONG = Error("WRONGPASS invalid username-password pair or user is disabled.")
KEYS = Error("NOPERM this user has no permissions to access one of the keys used as arguments")
DEADLINE = 60


def noperm(command):
    return Error(f"NOPERM this user has no permissions to run the '{command}' command")


def holt(exe, *words, text=""):
    done = subprocess.run([exe, *words], input=text.encode(), capture_output=True, check=False)
    if done.returncode:
        raise AssertionError(f"{words}: {done.stderr.decode()}")
    return done.stdout.decode().strip()


def add(exe, directory, name, role, password="secret", *options):
    holt(exe, "user", "add", os.path.join(directory, "data"), name, "--role", role, *options,
         text=password + "\n")


def add_roles(exe, directory):
    for name, role in (("reader", "read"), ("writer", "write"), ("adminer", "admin")):
        add(exe, directory, name, role)


def client_of(server, name, password="secret"):
    client = server.client()
    equal(client("AUTH", name, password), "OK", name)
    return client


class Web:
    """Requests, each on a connection of its own unless keep is given."""

    def __init__(self, server, login=None, token=None):
        self.address = server.http.rsplit(":", 1)
        self.header = {}
        if login:
            self.header = {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()}
        if token:
            self.header = {"Authorization": "Bearer " + token}
        self.answer = None

    def __call__(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection(self.address[0], int(self.address[1]), timeout=DEADLINE)
        connection.request(method, path, body, {**self.header, **headers})
        self.answer = connection.getresponse()
        data = self.answer.read()
        connection.close()
        return self.answer.status, data


# ---- the Redis protocol


def test_without_users_nobody_is_asked(exe, directory):
    with Server(exe, directory) as server, server.client() as client:
        equal(client("SET", "a", "1"), "OK")
        equal(str(client("AUTH", "secret")).startswith("ERR AUTH called"), True)
        equal(Web(server)("GET", "/keys?key=a")[0], 200)


def test_nothing_is_answered_before_a_login(exe, directory):
    add_roles(exe, directory)
    with Server(exe, directory) as server, server.client() as client:
        for words in (("GET", "a"), ("SET", "a", "1"), ("PING",), ("CONFIG", "GET", "*"), ("MULTI",),
                      ("INFO",), ("SUBSCRIBE", "c"), ("SELECT", "1"), ("CLIENT", "LIST"),
                      ("COMMAND",), ("KEYS", "*"),
                      ("HOLT.SQL", "SELECT 1"), ("EXEC",), ("FLUSHALL",)):
            equal(client(*words), NOAUTH, words)
        equal(client("AUTH", "reader", "wrong"), WRONG)
        equal(client("AUTH", "nobody", "secret"), WRONG)
        equal(client("AUTH", "secret"), WRONG)
        equal(client("AUTH", "x" * 300, "y" * 3000), WRONG)
        equal(client("AUTH", "", ""), WRONG)
        equal(client("GET", "a"), NOAUTH)
        equal(client("AUTH", "reader", "secret"), "OK")
        equal(client("GET", "a"), None)
        equal(client("AUTH", "reader", "wrong"), WRONG)
        equal(client("GET", "a"), None, "a login that fails leaves the one before")
        equal(client("RESET"), "RESET")
        equal(client("GET", "a"), NOAUTH)
        equal(client("QUIT"), "OK")


def test_commands_after_auth_wait_for_it(exe, directory):
    add_roles(exe, directory)
    with Server(exe, directory) as server, server.client() as client:
        client.send_raw(b"".join(client.encode(*words) for words in (
            ("GET", "a"), ("AUTH", "writer", "secret"), ("SET", "a", "1"), ("AUTH", "writer", "wrong"),
            ("GET", "a"), ("AUTH", "reader", "secret"), ("SET", "a", "2"), ("GET", "a"))))
        equal([client.read() for _ in range(8)],
              [NOAUTH, "OK", "OK", WRONG, b"1", "OK", noperm("set"), b"1"])


def test_a_connection_that_has_got_values_gets_no_more_than_its_user(exe, directory):
    """A GET of a value in memory is answered on another way than other commands."""
    add_roles(exe, directory)
    add(exe, directory, "web", "read", "secret", "--collections", "db 1")
    with Server(exe, directory) as server, client_of(server, "writer") as client:
        equal(client("SET", "a", "1"), "OK")
        for _ in range(3):
            equal(client("GET", "a"), b"1")
        equal(client("AUTH", "web", "secret"), "OK")
        for _ in range(3):
            equal(client("GET", "a"), KEYS)
        equal(client("SELECT", "1"), "OK")
        equal(client("GET", "a"), None)
        equal(client("RESET"), "RESET")
        for _ in range(3):
            equal(client("GET", "a"), NOAUTH)
        client.send_raw(client.encode("AUTH", "writer", "secret") + client.encode("RESET") +
                        client.encode("GET", "a"))
        equal([client.read() for _ in range(3)], ["OK", "RESET", NOAUTH])


def test_the_reply_to_a_login_can_be_skipped(exe, directory):
    add_roles(exe, directory)
    with Server(exe, directory) as server, client_of(server, "reader") as client:
        for password in ("wrong", "wrong", "secret"):
            client.send("CLIENT", "REPLY", "SKIP")
            client.send("AUTH", "writer", password)
            equal(client("ECHO", password), password.encode())
        equal(client("SET", "a", "1"), "OK")


def test_hello_logs_in_and_chooses_the_protocol(exe, directory):
    add_roles(exe, directory)
    with Server(exe, directory) as server, server.client() as client:
        equal(str(client("HELLO", "3")).startswith("NOAUTH HELLO must be called with"), True)
        equal(client("HELLO", "3", "AUTH", "reader", "wrong"), WRONG)
        equal(client("GET", "a"), NOAUTH)
        equal(client("HELLO", "3", "AUTH", "reader", "secret", "SETNAME", "me")[b"proto"], 3)
        equal(client("CLIENT", "GETNAME"), b"me")
        equal(client("HELLO", "2", "AUTH", "reader", "secret")[4:6], [b"proto", 2])


def test_a_password_alone_is_that_of_the_user_default(exe, directory):
    add(exe, directory, "default", "write")
    with Server(exe, directory) as server, server.client() as client:
        equal(client("AUTH", "wrong"), WRONG)
        equal(client("AUTH", "secret"), "OK")
        equal(client("SET", "a", "1"), "OK")


def test_each_role_may_do_what_it_says(exe, directory):
    add_roles(exe, directory)
    with Server(exe, directory, "--sql-write", "yes") as server:
        clients = [client_of(server, name) for name in ("reader", "writer", "adminer")]
        for level, words in ((0, ("GET", "a")), (0, ("SCAN", "0")), (0, ("PING",)), (0, ("INFO",)),
                             (0, ("CLIENT", "ID")), (0, ("HOLT.SQL", "SELECT 1")), (1, ("SET", "a", "1")),
                             (1, ("HOLT.SQL", "CREATE TABLE IF NOT EXISTS t (a INTEGER PRIMARY KEY)")),
                             (1, ("FLUSHDB",)), (1, ("PUBLISH", "c", "m")), (1, ("SWAPDB", "0", "1")),
                             (1, ("HOLT.DELRANGE", "a", "b")), (2, ("CONFIG", "GET", "*")),
                             (2, ("CLIENT", "LIST")), (2, ("CLIENT", "KILL", "ID", "99999")),
                             (2, ("SLOWLOG", "GET")), (2, ("DEBUG", "SLEEP", "0")), (2, ("SAVE",))):
            for role, client in enumerate(clients):
                reply = client(*words)
                refused = isinstance(reply, Error) and str(reply).startswith("NOPERM")
                equal(refused, role < level, f"{words} by {role}: {reply!r}")
        for client in clients:
            client.close()


def test_a_refused_command_fails_its_transaction(exe, directory):
    add_roles(exe, directory)
    with Server(exe, directory) as server, client_of(server, "reader") as client:
        equal(client("MULTI"), "OK")
        equal(client("GET", "a"), "QUEUED")
        equal(client("SET", "a", "1"), noperm("set"))
        equal(str(client("EXEC")).startswith("EXECABORT"), True)
        equal(client("GET", "a"), None)


def errors_of(info):
    return next(line for line in info.split(b"\r\n") if line.startswith(b"total_error_replies:"))


def test_exec_has_one_reply_if_a_watched_key_is_out_of_reach(exe, directory):
    add(exe, directory, "web", "write", "secret", "--collections", "default")
    add_roles(exe, directory)
    with Server(exe, directory) as server, client_of(server, "writer") as client:
        equal(client("SELECT", "1"), "OK")
        equal(client("SET", "a", "1"), "OK")
        equal(client("WATCH", "a"), "OK")
        equal(client("AUTH", "web", "secret"), "OK")
        equal(client("SELECT", "0"), "OK")
        equal(client("MULTI"), "OK")
        equal(client("SET", "a", "1"), "QUEUED")
        equal(client("EXEC"), KEYS)
        equal(client("PING"), "PONG")
        equal(client("GET", "a"), None)
        equal(client("EXEC"), Error("ERR EXEC without MULTI"))


def test_collections_limit_what_a_user_sees(exe, directory):
    add(exe, directory, "web", "write", "secret", "--collections", "db 1,carts")
    add_roles(exe, directory)
    with Server(exe, directory) as server, client_of(server, "adminer") as admin, \
            client_of(server, "web") as client:
        equal(admin("SET", "a", "hidden"), "OK")
        for words in (("GET", "a"), ("SET", "a", "1"), ("DEL", "a"), ("KEYS", "*"), ("SCAN", "0"),
                      ("DBSIZE",), ("RANDOMKEY",), ("EXISTS", "a"), ("WATCH", "a"), ("HOLT.RANGE", "-", "+"),
                      ("HOLT.DELRANGE", "-", "+"), ("FLUSHDB",), ("TYPE", "a"), ("MGET", "a"),
                      ("INCR", "a"), ("BITOP", "NOT", "b", "a")):
            equal(client(*words), KEYS, words)
        for words in (("FLUSHALL",), ("SWAPDB", "0", "1"), ("HOLT.SQL", "SELECT 1")):
            equal(client(*words), noperm(words[0].lower()), words)
        before = client("INFO", "stats")
        equal(b"db0" in client("INFO", "keyspace"), False)
        equal(errors_of(client("INFO", "stats")), errors_of(before), "what is left out is no error")
        equal(client("SELECT", "1"), "OK")
        equal(client("SET", "b", "1"), "OK")
        equal(client("COPY", "b", "b", "DB", "0"), KEYS)
        equal(client("MOVE", "b", "0"), KEYS)
        equal(client("MULTI"), "OK")
        equal(client("SELECT", "0"), "QUEUED")
        equal(client("GET", "a"), "QUEUED")
        equal(client("EXEC"), ["OK", KEYS])
        equal(admin("GET", "a"), b"hidden")

        web = Web(server, "web:secret")
        equal(web("GET", "/keys?key=a")[0], 403)
        equal(web("PUT", "/keys", '{"key":"a","value":"1"}')[0], 403)
        equal(web("GET", "/v1/collections/default/keys/a")[0], 403)
        equal(web("GET", "/v1/collections/default/scan")[0], 403)
        equal(web("DELETE", "/v1/collections/default/range?from=a")[0], 403)
        equal(web("POST", "/v1/collections", '{"name":"new"}')[0], 403)
        equal(web("POST", "/v1/batch", '{"operations":[{"op":"delete","key":"a"}]}')[0], 403)
        equal(web("GET", "/v1/tables/default/rows")[0], 403)
        equal(web("GET", "/v1/tables")[0], 403)
        equal(web("POST", "/v1/sql", '{"sql":"SELECT 1"}')[0], 403)
        equal(web("POST", "/v1/collections", '{"name":"carts"}')[0], 201)
        equal(web("GET", "/v1/collections/db%201/keys/b"), (200, b"1"))
        names = [c["name"] for c in json.loads(web("GET", "/v1/collections")[1])["collections"]]
        equal(names, ["carts", "db 1"])
        equal(admin("GET", "a"), b"hidden")


def test_the_collection_of_the_users_is_out_of_reach(exe, directory):
    add_roles(exe, directory)
    with Server(exe, directory, "--sql-write", "yes") as server, client_of(server, "adminer") as client:
        web = Web(server, "adminer:secret")
        for method, path, body in (
                ("GET", "/v1/collections/holt.access/keys/ureader", None),
                ("PUT", "/v1/collections/holt.access/keys/ureader", "x"),
                ("DELETE", "/v1/collections/holt.access/keys/ureader", None),
                ("GET", "/v1/collections/holt%2eaccess/scan", None),
                ("DELETE", "/v1/collections/holt.access/range?from=a", None),
                ("DELETE", "/v1/collections/holt.access", None), ("GET", "/v1/collections/holt.access", None),
                ("POST", "/v1/collections", '{"name":"holt.access"}'),
                ("POST", "/v1/batch",
                 '{"operations":[{"op":"delete","collection":"holt.access","key":"ureader"}]}')):
            equal(web(method, path, body)[0], 403, (method, path))
        equal(b"holt.access" in web("GET", "/v1/collections")[1], False)
        for text in ('SELECT * FROM "holt.access"', 'DELETE FROM "holt.access"', 'DROP TABLE "holt.access"'):
            equal(isinstance(client("HOLT.SQL", text), Error), True, text)
        equal(client("AUTH", "reader", "secret"), "OK")


# ---- HTTP


def test_http_needs_a_login_except_for_health(exe, directory):
    add_roles(exe, directory)
    with Server(exe, directory) as server:
        web = Web(server)
        equal(web("GET", "/healthz")[0], 200)
        equal(web("GET", "/readyz")[0], 200)
        equal(web("GET", "/console")[0], 200)
        status, data = web("GET", "/keys?key=a")
        equal((status, json.loads(data)["error"]["code"]), (401, "unauthorized"))
        equal([v.split()[0] for k, v in web.answer.getheaders() if k == "WWW-Authenticate"],
              ["Basic", "Bearer"])
        for path in ("/metrics", "/v1/collections", "/v1/admin/stats", "/v1/tables"):
            equal(web("GET", path)[0], 401, path)
        for login in ("reader:wrong", "nobody:secret", ":secret", "reader:", "reader", ":", "r" * 100 + ":x"):
            equal(Web(server, login)("GET", "/keys?key=a")[0], 401, login)
        for header in ("Basic", "Basic !!!", "Bearer", "Bearer x", "Digest x", "",
                       "Basic cmVhZGVyOnNlY3JldA"):
            equal(web("GET", "/keys?key=a", Authorization=header)[0], 401, header)
        equal(Web(server, "reader:secret")("GET", "/keys?key=a")[0], 200)
        equal(Web(server, "reader:wrong")("GET", "/keys?key=a")[0], 401, "one that was right is remembered")


def test_http_roles(exe, directory):
    add_roles(exe, directory)
    with Server(exe, directory, "--sql-write", "yes") as server:
        webs = [Web(server, name + ":secret") for name in ("reader", "writer", "adminer")]
        for level, method, path, body in (
                (0, "GET", "/keys?key=a", None), (0, "GET", "/v1/collections", None),
                (0, "GET", "/metrics", None),
                (0, "POST", "/v1/sql", '{"sql":"SELECT 1"}'),
                (1, "POST", "/v1/sql", '{"sql":"CREATE TABLE IF NOT EXISTS t (a INTEGER PRIMARY KEY)"}'),
                (1, "PUT", "/keys", '{"key":"a","value":"b"}'), (1, "DELETE", "/keys?key=a", None),
                (1, "POST", "/v1/batch", '{"operations":[]}'),
                (1, "PUT", "/v1/collections/default/keys/a", "v"),
                (2, "GET", "/v1/admin/stats", None), (2, "POST", "/v1/admin/flush", None),
                (2, "PUT", "/v1/admin/log-level", '{"level":"info"}')):
            for role, web in enumerate(webs):
                status, data = web(method, path, body)
                equal(status == 403, role < level, f"{method} {path} by {role}: {status} {data}")
                equal(status < 300, role >= level, f"{method} {path} by {role}: {status} {data}")


def status_before_body(server, login):
    """The answer to the head of a PUT whose client waits for 100 before it sends the body."""
    with socket.create_connection(server.http.rsplit(":", 1), timeout=DEADLINE) as client:
        client.sendall(b"PUT /v1/collections/default/keys/b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
                       b"Expect: 100-continue\r\nAuthorization: Basic " +
                       base64.b64encode(login.encode()) + b"\r\n\r\n")
        return client.makefile("rb").readline().split()[1]


def test_a_body_is_read_after_the_password_was_verified(exe, directory):
    add_roles(exe, directory)
    large = b"x" * 1000000
    with Server(exe, directory) as server:
        for login, expected in (("writer:wrong", b"401"), ("reader:secret", b"403"),
                                ("writer:secret", b"100")):
            equal(status_before_body(server, login), expected, login)
    with Server(exe, directory) as server:
        equal(Web(server, "writer:secret")("PUT", "/v1/collections/default/keys/a", large)[0], 204)
        equal(Web(server, "reader:secret")("GET", "/v1/collections/default/keys/a"), (200, large))
        for login, expected in (("writer:wrong", b"401"), ("reader:secret", b"403"),
                                ("writer:secret", b"100")):
            equal(status_before_body(server, login), expected, login + ", known by now")


# ---- what a client that has not logged in can cost


def test_little_is_received_before_a_login(exe, directory):
    add_roles(exe, directory)
    large = "x" * 100000
    with Server(exe, directory) as server:
        for data in (b"*2\r\n$4\r\nAUTH\r\n$100000\r\n", b"*1000\r\n", b"x" * 50000,
                     b"*3\r\n$4\r\nAUTH\r\n$10000\r\n" + b"x" * 10000 + b"\r\n$10000\r\n"):
            with server.client() as client:
                client.send_raw(data)
                equal(str(client.read()).startswith("ERR Protocol error: "), True, data[:40])
                equal(client.at_end(), True)
        token = holt_token(exe, server, directory)
        with server.client() as client:
            for login in (("AUTH", "writer", "secret"), ("AUTH", token)):
                client.send_raw(client.encode(*login) + client.encode("SET", "a", large) +
                                client.encode("RESET"))
                equal([client.read() for _ in range(3)], ["OK", "OK", "RESET"], login[0:2])
            client.send("SET", "a", large)
            equal(str(client.read()).startswith("ERR Protocol error: "), True, "after RESET")


def holt_token(exe, server, directory):
    """Makes a token of the user writer, for which the server has to be stopped."""
    server.stop()
    token = holt(exe, "token", "add", os.path.join(directory, "data"), "writer")
    server.start()
    return token


def resident_bytes(server):
    with open(f"/proc/{server.process.pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS:"))


def test_a_body_that_needs_no_login_is_not_kept(exe, directory):
    add_roles(exe, directory)
    size, piece = 50 << 20, b"x" * (1 << 20)
    with Server(exe, directory) as server:
        equal(Web(server)("GET", "/healthz", b"x" * 1000)[0], 200)
        before = resident_bytes(server)
        with socket.create_connection(server.http.rsplit(":", 1), timeout=DEADLINE) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (size + 1))
            for _ in range(size // len(piece)):
                client.sendall(piece)
            grown = resident_bytes(server) - before
            equal(grown < size // 2, True, f"{grown} bytes more")
            client.sendall(b"x")
            equal(client.makefile("rb").readline().split()[1], b"200")


def test_no_more_than_256_logins_wait(exe, directory):
    add_roles(exe, directory)
    busy = Error("ERR too many clients are logging in; try again")
    with Server(exe, directory) as server:
        clients = [server.client() for _ in range(320)]
        for client in clients:
            client.send("AUTH", "reader", "wrong")
        replies = [client.read() for client in clients]
        equal(set(map(str, replies)), {str(WRONG), str(busy)})
        equal(replies.count(WRONG) >= 256, True, replies.count(WRONG))
        equal(clients[-1]("AUTH", "reader", "secret"), "OK", "later")
        for client in clients:
            client.close()


def test_a_name_that_nobody_has_costs_as_much_as_a_wrong_password(exe, directory):
    """Or the time of a refusal would tell who is a user. What is compared is the processor's time."""
    add_roles(exe, directory)
    with Server(exe, directory) as server, server.client() as client:
        def cost(name):
            before = processor_ticks(server)
            for _ in range(20):
                equal(client("AUTH", name, "wrong"), WRONG, name)
            return processor_ticks(server) - before
        known, unknown = cost("reader"), cost("nobody")
        equal(known / 2 < unknown < known * 2, True, (known, unknown))


def processor_ticks(server):
    with open(f"/proc/{server.process.pid}/stat", encoding="utf-8") as file:
        return sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))


# ---- tokens


def test_tokens_stand_for_their_user_until_they_end(exe, directory):
    add_roles(exe, directory)
    data = os.path.join(directory, "data")
    token = holt(exe, "token", "add", data, "writer")
    short = holt(exe, "token", "add", data, "writer", "--ttl", "1s")
    revoked = holt(exe, "token", "add", data, "writer")
    listed = [line.split("\t") for line in holt(exe, "token", "list", data).splitlines()]
    before = {line[0] for line in listed}
    time.sleep(1.1)
    equal(len(before), 3)
    # Which of the two tokens a name belongs to is not shown; one of them must be gone afterwards.
    names = [line[0] for line in listed if line[3] == "never"]
    holt(exe, "token", "revoke", data, names[0])
    with Server(exe, directory) as server:
        alive = [t for t in (token, revoked) if Web(server, token=t)("GET", "/v1/collections")[0] == 200]
        equal(len(alive), 1)
        token = alive[0]
        equal(Web(server, token=short)("GET", "/v1/collections")[0], 401)
        wrong = token[:-1] + ("a" if token[-1] != "a" else "b")
        equal(Web(server, token=wrong)("GET", "/v1/collections")[0], 401)
        equal(Web(server, token=token)("PUT", "/keys", '{"key":"a","value":"b"}')[0], 200)
        equal(Web(server, token=token)("GET", "/v1/admin/stats")[0], 403)
        equal(Web(server, "writer:" + token)("GET", "/keys?key=a")[0], 200)
        equal(Web(server, "adminer:" + token)("GET", "/keys?key=a")[0], 401)
        with server.client() as client:
            equal(client("AUTH", short), WRONG)
            equal(client("AUTH", "adminer", token), WRONG)
            equal(client("AUTH", token), "OK")
            equal(client("GET", "a"), b"b")
            equal(client("AUTH", "writer", token), "OK")


# ---- limits, the log


def test_a_user_that_asks_too_often_is_refused(exe, directory):
    add_roles(exe, directory)
    with Server(exe, directory, "--user-requests", "5") as server, client_of(server, "reader") as client, \
            client_of(server, "writer") as other:
        equal(len([r for r in (client("GET", "a") for _ in range(30)) if isinstance(r, Error)]) > 10, True)
        time.sleep(1.2)
        replies = [client("PING") for _ in range(50)]
        equal(replies[:5], ["PONG"] * 5)
        refused = [r for r in replies if isinstance(r, Error)]
        equal(len(refused) >= 30, True, replies)
        equal(str(refused[0]), "ERR too many commands: see the setting user_requests")
        equal(other("PING"), "PONG", "others are not concerned")
        statuses = [Web(server, "adminer:secret")("GET", "/keys?key=a")[0] for _ in range(30)]
        equal(set(statuses), {200, 429})
        time.sleep(1.2)
        equal(client("PING"), "PONG", "later")


def test_refused_logins_and_acts_of_administrators_are_in_the_log(exe, directory):
    add_roles(exe, directory)
    with Server(exe, directory) as server, client_of(server, "adminer") as client:
        client("CONFIG", "GET", "databases")
        server.wait_for("audit: adminer from 127.0.0.1")
        server.wait_for("config|get")
        with server.client() as stranger:
            stranger("AUTH", "ev\x1bil", "x")
        server.wait_for("audit: login refused: user 'ev?il' from 127.0.0.1")
        Web(server, "mallory:x")("GET", "/keys?key=a")
        server.wait_for("audit: login refused: user 'mallory' from 127.0.0.1, HTTP")
        Web(server, "adminer:secret")("POST", "/v1/admin/flush")
        server.wait_for("audit: adminer from 127.0.0.1: POST v1/admin/flush")
        equal("secret" in server.log(), False)


def test_the_slow_log_has_no_passwords(exe, directory):
    add_roles(exe, directory)
    with Server(exe, directory) as server, client_of(server, "adminer") as client:
        equal(client("CONFIG", "SET", "slowlog-log-slower-than", "0"), "OK")
        for words in (("AUTH", "reader", "hidden"), ("AUTH", "hidden"),
                      ("HELLO", "3", "AUTH", "reader", "hidden"),
                      ("HELLO", "3", "SETNAME", "auth", "AUTH", "reader", "hidden")):
            equal(client(*words), WRONG, words)
        equal(client("MULTI"), "OK")
        equal(client("AUTH", "hidden"), "QUEUED")
        equal(len(client("EXEC")), 1)
        commands = [entry[3] for entry in client("SLOWLOG", "GET", "-1")]
        equal(b"hidden" in b" ".join(word for words in commands for word in words), False, commands)
        equal([b"HELLO", b"3", b"AUTH", b"(redacted)", b"(redacted)"] in commands, True, commands)
        equal([b"AUTH", b"(redacted)"] in commands, True, commands)


def test_logins_hold_nobody_else_up(exe, directory):
    """Wrong passwords cost a hash each; commands of others must not wait for them."""
    add_roles(exe, directory)
    with Server(exe, directory) as server, client_of(server, "reader") as client:
        attackers = [server.client() for _ in range(40)]
        for attacker in attackers:
            attacker.send("AUTH", "reader", "wrong")
        equal(client("GET", "a"), None)
        unanswered = 0
        for attacker in attackers[-5:]:
            attacker.socket.settimeout(0.0001)
            try:
                attacker.socket.recv(1, 2)  # MSG_PEEK
            except (BlockingIOError, TimeoutError):
                unanswered += 1
            attacker.socket.settimeout(DEADLINE)
        equal(unanswered > 0, True, "the reply came before the last login was refused")
        for attacker in attackers[:20]:
            attacker.close()
        for attacker in attackers[20:]:
            equal(attacker.read(), WRONG)
            attacker.close()
        equal(client("PING"), "PONG")


def test_the_server_stops_while_passwords_are_verified(exe, directory):
    add_roles(exe, directory)
    with Server(exe, directory) as server:
        clients = [server.client() for _ in range(20)]
        for client in clients:
            client.send("AUTH", "reader", "wrong")
        threads = [threading.Thread(target=lambda: swallow(Web(server, "reader:wrong"))) for _ in range(5)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        server.stop()
        for thread in threads:
            thread.join()
        for client in clients:
            client.close()


def swallow(web):
    try:
        web("GET", "/keys?key=a")
    except (OSError, http.client.HTTPException):
        pass


def test_a_damaged_user_keeps_the_server_from_starting(exe, directory):
    add_roles(exe, directory)
    data = os.path.join(directory, "data")
    holt(exe, "put", data, "-c", "holt.access", "ureader", "nonsense")
    done = subprocess.run([exe, "serve", data, "--http", "off", "--redis", "127.0.0.1:0"],
                          capture_output=True, timeout=DEADLINE, check=False)
    equal((done.returncode, b"holt.access" in done.stderr), (1, True))


# ---- as Redis


def connect(process, path):
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            return Client(path)
        except (FileNotFoundError, ConnectionRefusedError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def test_refusals_are_worded_as_those_of_redis(exe, directory):
    redis = shutil.which("redis-server")
    if not redis:
        raise Skip("redis-server is not installed")
    path = os.path.join(directory, "redis.sock")
    process = subprocess.Popen(
        [redis, "--port", "0", "--unixsocket", path, "--save", "", "--user", "ada", "on", ">secret", "~*",
         "&*",
         "+@all", "-@write", "--user", "default", "off"], stdout=subprocess.DEVNULL, cwd=directory)
    try:
        add(exe, directory, "ada", "read")
        with Server(exe, directory) as server, server.client() as ours, connect(process, path) as theirs:
            for words in (("GET", "a"), ("AUTH", "ada"), ("AUTH", "ada", "wrong"), ("AUTH", "a", "b", "c"),
                          ("AUTH",), ("HELLO", "3"), ("HELLO", "3", "AUTH", "ada", "wrong"), ("NONSENSE",),
                          ("GET",), ("AUTH", "ada", "secret"), ("SET", "a", "1"), ("GET", "a"), ("MULTI",),
                          ("SET", "a", "1"), ("EXEC",), ("RESET",), ("PING",)):
                equal(ours(*words), theirs(*words), words)
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    run(globals())
