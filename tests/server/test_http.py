#!/usr/bin/env python3
"""test_http.py HOLT -- HTTP from outside: the simple API, the complete one, what must be refused."""
import base64
import gzip
import http.client
import json
import os
import random
import re
import resource
import signal
import socket
import threading
import time
from urllib.parse import quote

from fixture import Server, equal, run, seed

KINDS = ("lsm", "btree")


class Web:
    """A connection; calling it makes a request and returns status and body, parsed if it is JSON."""

    def __init__(self, server):
        host, port = server.http.rsplit(":", 1)
        self.connection = http.client.HTTPConnection(host, int(port), timeout=60)
        self.headers = {}

    def __call__(self, method, path, body=None, headers=None):
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        self.connection.request(method, path, body, headers or {})
        answer = self.connection.getresponse()
        data = answer.read()
        self.headers = dict(answer.getheaders())
        encoded = "Content-Encoding" in self.headers
        if self.headers.get("Content-Type") == "application/json" and data and not encoded:
            data = json.loads(data)
        return answer.status, data

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()


def raw(server, data, wait=30):
    """Sends bytes on a connection of their own; returns all that comes back."""
    host, port = server.http.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=wait) as connection:
        connection.sendall(data)
        out = b""
        try:
            while True:
                piece = connection.recv(65536)
                if not piece:
                    return out
                out += piece
        except (TimeoutError, ConnectionError):
            return out


# ---- the simple API


def test_the_simple_api(exe, directory):
    for kind in KINDS:
        path = os.path.join(directory, kind)
        os.mkdir(path)
        with Server(exe, path, "--kind", kind) as server, Web(server) as web:
            equal(web("PUT", "/keys", {"key": "a", "value": "b"}), (200, {"success": True}))
            equal(web("GET", "/keys?key=a"), (200, {"key": "a", "value": "b"}))
            equal(web("GET", "/keys?key=no"), (200, {"key": "no", "value": None}))
            equal(web("POST", "/keys/batch", {"keys": ["b", "c"], "values": ["1", "2"]}),
                  (200, {"success": True, "count": 2}))
            equal(web("GET", "/keys/range?start_key=a&end_key=c"),
                  (200, {"results": [{"key": "a", "value": "b"}, {"key": "b", "value": "1"}]}))
            equal(web("DELETE", "/keys?key=a"), (200, {"success": True}))
            equal(web("DELETE", "/keys?key=a"), (200, {"success": True}))
            equal(web("GET", "/keys?key=a"), (200, {"key": "a", "value": None}))


def test_any_text_and_any_bytes_come_back(exe, directory):
    with Server(exe, directory) as server, Web(server) as web, server.client() as client:
        for key in ("ü€😀", "a b+c&d=e%", "\x00\n\"\\/", "", "x" * 60000):
            equal(web("PUT", "/keys", {"key": key, "value": key}), (200, {"success": True}))
            if len(key) < 9000:
                equal(web("GET", "/keys?key=" + quote(key, safe="")), (200, {"key": key, "value": key}))
            equal(client("GET", key), key.encode(), "the same key through the other protocol")
        binary = base64.b64encode(b"\xff\x00\xfe").decode()
        equal(web("PUT", "/keys", {"key_base64": binary, "value_base64": binary}), (200, {"success": True}))
        equal(web("GET", "/keys?key=%FF%00%FE"), (200, {"key_base64": binary, "value_base64": binary}))
        equal(client("GET", b"\xff\x00\xfe"), b"\xff\x00\xfe")
        equal(web("GET", "/keys?key=a+b%2Bc%26d%3De%25")[1]["key"], "a b+c&d=e%")


def test_a_batch_is_all_or_nothing(exe, directory):
    with Server(exe, directory) as server, Web(server) as web:
        equal(web("POST", "/keys/batch", {"keys": ["a", "k" * 70000], "values": ["1", "2"]})[0], 413)
        equal(web("POST", "/keys/batch", {"keys": ["a", "b"], "values": ["1", 2]})[0], 400)
        equal(web("POST", "/keys/batch", {"keys": ["a"], "values": []})[0], 400)
        equal(web("GET", "/keys?key=a"), (200, {"key": "a", "value": None}))
        equal(web("POST", "/keys/batch", {"keys": [], "values": []}), (200, {"success": True, "count": 0}))


def test_what_is_not_strict_json_is_refused(exe, directory):
    with Server(exe, directory) as server, Web(server) as web:
        for body in (b"", b"{", b"[]", b"null", b'{"key":"a"}', b'{"key":"a","value":1}',
                     b'{"key":"a","value":NaN}', b'{"key":"a","key":"b","value":"c"}',
                     b"{'key':'a','value':'b'}", b'{"key":"a","value":"b"} x', b'{"key":"a","value":"b",}',
                     b'{"key":"\xff","value":"b"}', b'{"key":"\\ud800","value":"b"}',
                     b'{"key":"a","value":"b","more":1}', b'{"key":"a","value":"b","value_base64":""}',
                     b'{"key":"a","value_base64":"a"}', b'{"key":"a","value":' + b"[" * 100000,
                     b'{"key":"a","value":"\n"}', b'{"k\\u0000":1,"key":"a","value":"b"}'):
            status, answer = web("PUT", "/keys", body)
            equal((status, sorted(answer["error"])), (400, ["code", "message"]), body[:60])
        equal(web("PUT", "/keys", b' {"value":\r\n\t"b", "key":"a"} ')[0], 200)


def test_wrong_requests_are_named(exe, directory):
    with Server(exe, directory) as server, Web(server) as web:
        equal(web("GET", "/keys")[0], 400)
        equal(web("GET", "/keys?key=%F")[0], 400)
        equal(web("GET", "/keys?key=a&key=b")[0], 400)
        equal(web("GET", "/nothing")[0], 404)
        equal(web("GET", "/keys/../../etc/passwd")[0], 404)
        equal(web("PATCH", "/keys")[0], 405)
        equal(web.headers["Allow"], "GET, HEAD, PUT, DELETE")
        equal(web("GET", "/keys?" + "&".join(f"a{i}=1" for i in range(20)))[0], 400)


# ---- the complete API


def test_values_are_bodies(exe, directory):
    for kind in KINDS:
        path = os.path.join(directory, kind)
        os.mkdir(path)
        with Server(exe, path, "--kind", kind) as server, Web(server) as web, server.client() as client:
            client("SELECT", 2)
            client("SET", "x", "y")
            equal(web("GET", "/v1/collections"), (200, {"collections": [{"name": "db 2", "kind": kind},
                                                                        {"name": "default", "kind": kind}]}))
            value = os.urandom(3 << 20)
            url = "/v1/collections/db%202/keys/a%2Fb%00"
            equal(web("PUT", url, value), (204, b""))
            status, got = web("GET", url)
            equal((status, got == value), (200, True))
            equal(client("GET", b"a/b\x00") == value, True)
            equal(web("HEAD", url), (200, b""))
            equal(web.headers["Content-Length"], str(len(value)))
            equal(web("DELETE", url), (204, b""))
            equal(web("GET", url)[0], 404)
            equal(web("GET", "/v1/collections/none/keys/a")[0], 404)


def test_conditional_requests_compare_and_set(exe, directory):
    with Server(exe, directory) as server, Web(server) as web:
        url = "/v1/collections/default/keys/k"
        equal(web("PUT", url, b"1", {"If-Match": "*"})[0], 412)
        equal(web("PUT", url, b"1", {"If-None-Match": "*"})[0], 204)
        equal(web("PUT", url, b"2", {"If-None-Match": "*"})[0], 412)
        web("GET", url)
        tag = web.headers["ETag"]
        equal(web("PUT", url, b"2", {"If-Match": tag})[0], 204)
        equal(web("PUT", url, b"3", {"If-Match": tag})[0], 412)
        equal(web("PUT", url, b"3", {"If-Match": "nonsense"})[0], 412)
        equal(web("DELETE", url, headers={"If-Match": tag})[0], 412)
        equal(web("GET", url), (200, b"2"))
        equal(web("DELETE", url, headers={"If-Match": web.headers["ETag"]})[0], 204)


def test_a_client_that_has_the_value_gets_no_body(exe, directory):
    with Server(exe, directory) as server, Web(server) as web:
        url = "/v1/collections/default/keys/k"
        web("PUT", url, b"1")
        web("GET", url)
        tag = web.headers["ETag"]
        for known in (tag, "*", f'"0", {tag}'):
            equal(web("GET", url, headers={"If-None-Match": known}), (304, b""), known)
            equal(web.headers["ETag"], tag)
        web("PUT", url, b"2")
        equal(web("GET", url, headers={"If-None-Match": tag}), (200, b"2"))
        equal(web("GET", "/v1/collections/default/keys/none", headers={"If-None-Match": tag})[0], 404)


def test_head_is_get_without_a_body(exe, directory):
    with Server(exe, directory) as server, Web(server) as web:
        web("PUT", "/v1/collections/default/keys/k", b"123")
        for path in ("/healthz", "/v1/collections", "/v1/collections/default/keys/k", "/keys?key=k",
                     "/console", "/v1/collections/default/scan"):
            status, body = web("GET", path)
            wanted = web.headers.get("Content-Length"), web.headers["Content-Type"], web.headers.get("ETag")
            equal(web("HEAD", path), (200, b""), path)
            got = web.headers.get("Content-Length"), web.headers["Content-Type"], web.headers.get("ETag")
            equal(got, wanted, path)
        equal(web("HEAD", "/v1/collections/default/keys/none")[0], 404)
        equal(web("HEAD", "/v1/batch")[0], 405)
        equal(web.headers["Allow"], "POST")


def gunzipped(web, method, path, body=None, headers=None):
    """The answer, which must be compressed, and what it took."""
    status, data = web(method, path, body, dict(headers or {}, **{"Accept-Encoding": "gzip"}))
    equal((status, web.headers.get("Content-Encoding")), (200, "gzip"), path)
    return json.loads(gzip.decompress(data)), len(data)


def test_large_answers_are_compressed_when_asked_for(exe, directory):
    with Server(exe, directory, "--durability", "process") as server, Web(server) as web:
        keys = [f"{i:06}" for i in range(20000)]
        web("POST", "/keys/batch", {"keys": keys, "values": ["v" * 100] * len(keys)})
        for path, get in (("/v1/collections/default/scan?limit=1000", lambda page: page["entries"]),
                          ("/keys/range?start_key=0&end_key=1", lambda page: page["results"])):
            plain = web("GET", path)[1]
            equal("Content-Encoding" in web.headers, False)
            packed, size = gunzipped(web, "GET", path)
            equal(packed, plain)
            equal(size * 5 < len(json.dumps(plain)), True, (path, size))
            equal(web.headers["Vary"], "Accept-Encoding")
        lines = {"Accept": "application/x-ndjson", "Accept-Encoding": "br;q=1, gzip;q=0.5"}
        status, data = web("GET", "/v1/collections/default/scan", headers=lines)
        equal((status, web.headers["Content-Encoding"]), (200, "gzip"))
        equal([json.loads(line)["key"] for line in gzip.decompress(data).splitlines()], keys)
        for encoding, expected in (("gzip", True), ("GZIP;q=1.0", True), ("*", True), ("*;q=0.1", True),
                                   ("deflate", False), ("gzip;q=0", False), ("gzip; q=0.000, *", False),
                                   ("*;q=0", False), ("identity", False), ("", False), ("br, gzip", True),
                                   (",;,", False), ("gzip;q=0, x-gzip;q=0", False)):
            web("GET", "/v1/collections/default/scan", headers={"Accept-Encoding": encoding})
            equal(web.headers.get("Content-Encoding"), "gzip" if expected else None, encoding)
        web("GET", "/healthz", headers={"Accept-Encoding": "gzip"})
        equal("Content-Encoding" in web.headers, False, "a small answer")
        web("PUT", "/v1/collections/default/keys/large", b"x" * 100000)
        status, value = web("GET", "/v1/collections/default/keys/large", headers={"Accept-Encoding": "gzip"})
        equal(value, b"x" * 100000, "values are sent as they are")
        status, error = web("GET", "/v1/collections/none/scan", headers={"Accept-Encoding": "gzip"})
        equal((status, error["error"]["code"]), (404, "not_found"))


def test_pages_of_other_sites_may_do_what_cors_allows(exe, directory):
    ask = {"Origin": "https://a.example", "Access-Control-Request-Method": "PUT"}
    with Server(exe, directory) as server, Web(server) as web:
        ours = {"Origin": "http://" + server.http}
        equal(web("PUT", "/keys", {"key": "a", "value": "b"}, ours)[0], 200)
        equal(web("PUT", "/keys", {"key": "a", "value": "c"}, {"Origin": "https://a.example"})[0], 403)
        equal(web("POST", "/keys/batch", {"keys": [], "values": []}, {"Origin": "null"})[0], 403)
        equal(web("GET", "/keys?key=a", headers={"Origin": "https://a.example"})[1]["value"], "b")
        equal("Access-Control-Allow-Origin" in web.headers, False)
        equal(web("OPTIONS", "/keys", headers=ask)[0], 403)
    with Server(exe, directory, "--cors-origins", "https://a.example, https://b.example:8443") as server:
        with Web(server) as web:
            for origin in ("https://a.example", "https://b.example:8443"):
                equal(web("PUT", "/keys", {"key": "a", "value": "c"}, {"Origin": origin})[0], 200)
                equal(web.headers["Access-Control-Allow-Origin"], origin)
            equal(web("OPTIONS", "/keys", headers=ask), (204, b""))
            equal(web.headers["Access-Control-Allow-Methods"], "GET, HEAD, PUT, DELETE")
            equal("If-Match" in web.headers["Access-Control-Allow-Headers"], True)
            equal(web("OPTIONS", "/none", headers=ask)[0], 404)
            for origin in ("https://a.example.org", "http://a.example", "https://b.example"):
                equal(web("PUT", "/keys", {"key": "a", "value": "d"}, {"Origin": origin})[0], 403, origin)
    with Server(exe, directory, "--cors-origins", "*") as server, Web(server) as web:
        equal(web("PUT", "/keys", {"key": "a", "value": "e"}, {"Origin": "https://x.example"})[0], 200)
        equal(web.headers["Access-Control-Allow-Origin"], "https://x.example")


def test_bodies_must_have_a_length_and_a_fitting_type(exe, directory):
    with Server(exe, directory) as server, Web(server) as web:
        head = b"PUT /v1/collections/default/keys/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        equal(raw(server, head)[:13], b"HTTP/1.1 411 ")
        body = {"key": "a", "value": "b"}
        for kind, status in (("application/json", 200), ("application/json; charset=utf-8", 200),
                             ("text/plain", 200), ("application/x-www-form-urlencoded", 200),
                             ("application/vnd.api+json", 200), ("multipart/form-data; boundary=x", 415),
                             ("text/xml", 415), ("+json", 415)):
            equal(web("PUT", "/keys", body, {"Content-Type": kind})[0], status, kind)
        url = "/v1/collections/default/keys/a"
        equal(web("PUT", url, b"x", {"Content-Type": "text/xml"})[0], 204, "a value may be anything")
        equal(web("PUT", url, b"x", {"Content-Encoding": "gzip"})[0], 415)
    with Server(exe, directory) as server, Web(server) as web:
        equal(web("GET", url), (200, b"x"))
        equal(web("PUT", url, b"y", {"Content-Encoding": "identity"})[0], 204)


def test_counting_by_compare_and_set_loses_nothing(exe, directory):
    with Server(exe, directory, "--durability", "process") as server:
        url = "/v1/collections/default/keys/n"
        with Web(server) as web:
            web("PUT", url, b"0")

        def count():
            with Web(server) as web:
                for _ in range(50):
                    while True:
                        number = int(web("GET", url)[1])
                        condition = {"If-Match": web.headers["ETag"]}
                        if web("PUT", url, str(number + 1).encode(), condition)[0] == 204:
                            break

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with Web(server) as web:
            equal(web("GET", url), (200, b"200"))


def test_values_may_expire(exe, directory):
    with Server(exe, directory) as server, Web(server) as web:
        url = "/v1/collections/default/keys/k"
        equal(web("PUT", url, b"1", {"Holt-TTL-Ms": "100000"})[0], 204)
        equal(web("GET", url)[0], 200)
        equal(abs(int(web.headers["Holt-Expires-At-Ms"]) / 1000 - time.time() - 100) < 10, True)
        equal(web("PUT", url, b"1", {"Holt-TTL-Ms": "1"})[0], 204)
        time.sleep(0.05)
        equal(web("GET", url)[0], 404)
        equal(web("PUT", url, b"1", {"Holt-TTL-Ms": "0"})[0], 400)


def test_the_server_can_be_watched(exe, directory):
    with Server(exe, directory) as server, Web(server) as web:
        web("PUT", "/keys", {"key": "a", "value": "b"})
        equal(web("GET", "/healthz"), (200, {"status": "ok"}))
        equal(web("GET", "/readyz"), (200, {"status": "ok"}))
        status, text = web("GET", "/metrics")
        equal(status, 200)
        lines = text.decode().splitlines()
        equal("holt_puts_total 1" in lines, True, text)
        names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
        equal(len(names), len(set(names)))
        samples = {re.sub("_(bucket|sum|count)$", "", line.split("{")[0].split()[0])
                   for line in lines if not line.startswith("#")}
        equal(sorted(names), sorted(samples))
        puts = 'holt_operation_seconds_count{protocol="http",kind="write"} 1'
        equal(puts in lines, True, text)


def admin_stats(web):
    status, stats = web("GET", "/v1/admin/stats")
    equal(status, 200, stats)
    return stats


def test_figures_count_what_was_done(exe, directory):
    with Server(exe, directory) as server, Web(server) as web, server.client() as client:
        before = admin_stats(web)
        for i in range(10):
            equal(web("PUT", f"/v1/collections/default/keys/{i}", b"v")[0], 204)
            equal(client("GET", i), b"v")
        equal(web("GET", "/v1/collections/default/keys/none")[0], 404)
        equal(web("POST", "/v1/batch", {"operations": 1})[0], 400)
        equal(isinstance(client("INCR", "0"), Exception), True)
        after = admin_stats(web)
        for protocol, kind, count in (("http", "write", 11), ("http", "read", 1), ("redis", "read", 10),
                                      ("redis", "write", 1)):
            old, new = (s["protocols"][protocol]["operations"][kind] for s in (before, after))
            equal(new["count"] - old["count"], count, (protocol, kind))
            equal(sum(new["buckets"]), new["count"])
            equal(len(new["buckets"]), len(after["latency_bounds_us"]) + 1)
        equal([after["protocols"][p]["errors"] - before["protocols"][p]["errors"] for p in ("http", "redis")],
              [1, 1])
        equal([after["protocols"][p]["connections"] for p in ("http", "redis")], [1, 1])
        equal(after["operations"]["puts"] - before["operations"]["puts"], 10)
        equal(after["version"].count("."), 2)
        equal(after["memory"]["used"] <= after["memory"]["limit"], True)
        equal([c["name"] for c in after["collections"]], ["default"])
        equal(after["collections"][0]["memtable_entries"], 10)
        equal(sorted(after["delays"]["causes"]), ["compaction", "flush", "log", "readers"])


def test_administrators_flush_compact_and_check(exe, directory):
    for kind in KINDS:
        path = os.path.join(directory, kind)
        os.mkdir(path)
        with Server(exe, path, "--kind", kind) as server, Web(server) as web:
            web("POST", "/v1/collections", {"name": "other", "kind": kind})
            web("POST", "/keys/batch", {"keys": list("abcdef"), "values": list("abcdef")})
            equal(web("POST", "/v1/admin/flush")[0], 200)
            default = admin_stats(web)["collections"][0]
            run = {"level": 0, "parts": 1, "entries": 6, "tombstones": 0, "disk_bytes": default["disk_bytes"]}
            equal(default["tree"], [run])
            equal((default["entries"], default["memtable_entries"]), (6, 0))
            web("DELETE", "/v1/collections/default/range?from=c")
            equal(web("POST", "/v1/admin/compact", {"collection": "default", "from": "a", "to": "z"})[0], 200)
            status, answer = web("GET", "/v1/admin/collections")
            equal((status, [(c["name"], c["entries"]) for c in answer["collections"]]),
                  (200, [("default", 2), ("other", 0)]))
            equal(web("POST", "/v1/admin/compact")[0], 200)
            equal(web("POST", "/v1/admin/compact", {"collection": "none"})[0], 404)
            equal(web("POST", "/v1/admin/compact", {"from": "a"})[0], 400)
            status, answer = web("POST", "/v1/admin/check")
            equal((status, answer["ok"], answer["problems"]), (200, True, []))
            equal(answer["entries"] >= 2, True, answer)


def test_a_check_tells_what_is_damaged(exe, directory):
    with Server(exe, directory) as server, Web(server) as web:
        web("PUT", "/keys", {"key": "a", "value": "b" * 1000})
        web("POST", "/v1/admin/flush")
        files = [os.path.join(server.database, name) for name in os.listdir(server.database)
                 if name.endswith((".sst", ".bt"))]
        equal(len(files) > 0, True, os.listdir(server.database))
        for name in files:
            with open(name, "r+b") as file:
                data = file.read()
                at = data.find(b"b" * 100)
                if at >= 0:
                    file.seek(at)
                    file.write(b"c")
        status, answer = web("POST", "/v1/admin/check")
        equal((status, answer["ok"], answer["problem_count"]), (200, False, 1), answer)
        equal("checksum" in answer["problems"][0], True, answer)


def test_readers_are_listed(exe, directory):
    with Server(exe, directory) as server, Web(server) as web:
        equal(web("GET", "/v1/admin/readers"), (200, {"readers": [], "count": 0}))
        keys = [str(i) * 1000 for i in range(1000, 4000)]
        web("POST", "/keys/batch", {"keys": keys, "values": keys})
        with server.client() as client:
            client.send("KEYS", "*")  # and does not read the reply, so that it is not made as a whole
            while not (answer := web("GET", "/v1/admin/readers")[1])["readers"]:
                time.sleep(0.01)
            equal(answer["count"], 2)
            equal([(reader["kind"], reader["label"], reader["revoked"]) for reader in answer["readers"]],
                  [("snapshot", "KEYS", False), ("cursor", "RESP", False)])
            equal(all(reader["age_ms"] < 60000 for reader in answer["readers"]), True, answer)


def test_the_log_level_can_be_changed(exe, directory):
    """By both protocols, which show the same one."""
    with Server(exe, directory) as server, Web(server) as web, server.client() as client:
        equal(web("GET", "/v1/admin/log-level"), (200, {"level": "info"}))
        equal(web("PUT", "/v1/admin/log-level", {"level": "debug"}), (200, {"level": "debug"}))
        equal(web("PUT", "/v1/admin/log-level", {"level": "loud"})[0], 400)
        equal(web("GET", "/v1/admin/log-level"), (200, {"level": "debug"}))
        equal(client("CONFIG", "GET", "log_level"), [b"log_level", b"debug"])
        equal(client("CONFIG", "SET", "log_level", "warning"), "OK")
        equal(web("GET", "/v1/admin/log-level"), (200, {"level": "warning"}))


def test_collections_are_made_described_and_dropped(exe, directory):
    with Server(exe, directory) as server, Web(server) as web, server.client() as client:
        equal(web("POST", "/v1/collections", {"name": "db 3", "kind": "btree"})[0], 201)
        equal(web("POST", "/v1/collections", {"name": "db 3"})[0], 409)
        equal(web("POST", "/v1/collections", {"name": "x", "kind": "heap"})[0], 400)
        equal(web("POST", "/v1/collections", {"name": ""})[0], 400)
        client("SELECT", 3)
        equal(client("SET", "a", "b"), "OK")
        status, figures = web("GET", "/v1/collections/db%203")
        equal((status, figures["kind"], figures["memtable_entries"]), (200, "btree", 1))
        equal(web("DELETE", "/v1/collections/db%203")[0], 204)
        equal(web("DELETE", "/v1/collections/db%203")[0], 404)
        equal(web("DELETE", "/v1/collections/default")[0], 400)
        equal(client("GET", "a"), None, "the other protocol does not hold on to what was dropped")
        equal(client("SET", "a", "c"), "OK")
        equal(web("GET", "/v1/collections/db%203/keys/a"), (200, b"c"))


def pages(web, query):
    """All entries of a scan, page by page."""
    entries, token = [], ""
    while True:
        status, page = web("GET", f"/v1/collections/default/scan?{query}{token}")
        equal(status, 200, page)
        entries += page["entries"]
        if page["next"] is None:
            return [entry["key"] for entry in entries]
        token = "&token=" + page["next"]


def test_scans_by_pages_show_every_key_once(exe, directory):
    r = random.Random(seed())
    for kind in KINDS:
        path = os.path.join(directory, kind)
        os.mkdir(path)
        with Server(exe, path, "--kind", kind, "--durability", "process") as server, Web(server) as web:
            keys = sorted({"".join(r.choice("ab") for _ in range(r.randrange(8))) for _ in range(200)})
            web("POST", "/keys/batch", {"keys": keys, "values": keys})
            for _ in range(100):
                low, high = r.choice(keys), r.choice(keys)
                limit, reverse = r.randrange(1, 60), r.random() < 0.5
                want = [key for key in keys if low <= key < high]
                query = f"from={low}&to={high}&limit={limit}"
                if not low:
                    want = [key for key in keys if key < high]
                if reverse:
                    want, query = want[::-1], query + "&reverse=true"
                equal(pages(web, query), want, query)
            equal(pages(web, "prefix=ab&limit=3"), [key for key in keys if key.startswith("ab")])
            for wrong in ("limit=0", "limit=x", "limit=5%00", "limit=10001", "reverse=maybe", "token=xyz"):
                equal(web("GET", "/v1/collections/default/scan?" + wrong)[0], 400, wrong)


def test_scans_of_any_size_are_streamed(exe, directory):
    """As lines, and in the simple API; while they are read, others write."""
    for kind in KINDS:
        path = os.path.join(directory, kind)
        os.mkdir(path)
        with Server(exe, path, "--kind", kind, "--durability", "process") as server, Web(server) as web:
            keys = [f"{i:06}" for i in range(20000)]
            equal(web("POST", "/keys/batch", {"keys": keys, "values": ["v" * 200] * len(keys)})[0], 200)
            lines = {"Accept": "application/x-ndjson"}
            url = "/v1/collections/default/scan"
            status, data = web("GET", url, headers=lines)
            equal((status, web.headers["Content-Type"]), (200, "application/x-ndjson"))
            equal([json.loads(line) for line in data.splitlines()],
                  [{"key": key, "value": "v" * 200} for key in keys])
            for query, want in (("?limit=3", keys[:3]), ("?reverse=true&limit=2", keys[:-3:-1]),
                                ("?from=000005&to=000008", keys[5:8]), ("?prefix=01999", keys[19990:]),
                                ("?prefix=x", [])):
                data = web("GET", url + query, headers=lines)[1]
                equal([json.loads(line)["key"] for line in data.splitlines()], want, query)
            web.connection.request("GET", "/keys/range?start_key=0&end_key=1")
            answer = web.connection.getresponse()
            first = answer.read(1000)
            with Web(server) as other:
                equal(other("DELETE", "/v1/collections/default/range?from=000001")[0], 204)
            results = json.loads(first + answer.read())["results"]
            equal([result["key"] for result in results], keys, "all keys of one moment")
            equal(web("GET", "/keys/range?start_key=0&end_key=1")[1]["results"],
                  [{"key": "000000", "value": "v" * 200}])


def test_clients_that_leave_or_do_not_read_hold_nothing(exe, directory):
    with Server(exe, directory, "--durability", "process", "--http-idle-seconds", "1") as server:
        with Web(server) as web:
            keys = [f"{i:06}" for i in range(20000)]
            web("POST", "/keys/batch", {"keys": keys, "values": ["v" * 1000] * len(keys)})
        host, port = server.http.rsplit(":", 1)
        request = b"GET /keys/range?start_key=0&end_key=1 HTTP/1.1\r\nHost: a\r\n\r\n"
        idle = []
        for i in range(20):
            idle.append(socket.create_connection((host, int(port))))
            idle[-1].sendall(request)
            if i % 2:
                idle[-1].recv(1000)
                idle[-1].close()
        with Web(server) as web:
            deadline = time.monotonic() + 60
            while web("GET", "/v1/admin/readers")[1]["count"]:
                equal(time.monotonic() < deadline, True, "cursors are still open")
                time.sleep(0.05)
        for one in idle:
            one.close()


def test_ranges_are_deleted(exe, directory):
    with Server(exe, directory) as server, Web(server) as web:
        web("POST", "/keys/batch", {"keys": list("abcdef"), "values": list("abcdef")})
        equal(web("DELETE", "/v1/collections/default/range?from=b&to=d")[0], 204)
        equal(web("DELETE", "/v1/collections/default/range?from=f")[0], 204)
        equal(web("DELETE", "/v1/collections/default/range")[0], 400)
        equal(web("DELETE", "/v1/collections/default/range?from=z&to=a")[0], 400)
        equal(pages(web, ""), ["a", "d", "e"])


def test_batches_over_collections_are_all_or_nothing(exe, directory):
    with Server(exe, directory) as server, Web(server) as web:
        web("POST", "/v1/collections", {"name": "other"})
        put = {"op": "put", "key": "a", "value": "1"}
        there = {"op": "put", "collection": "other", "key": "b", "value_base64": "/w==", "if_absent": True}
        equal(web("POST", "/v1/batch", {"operations": [put, there]}), (200, {"success": True, "count": 2}))
        equal(web("GET", "/v1/collections/other/keys/b"), (200, b"\xff"))
        change = {"op": "put", "key": "a", "value": "2"}
        absent = {"op": "put", "key": "x", "value": "1", "if_present": True}
        for wrong, expected in ((there, 412), (absent, 412),
                                ({"op": "put", "key": "x"}, 400), ({"op": "get", "key": "x"}, 400), (7, 400),
                                ({"op": "delete", "collection": "none", "key": "x"}, 404),
                                ({"op": "put", "key": "k" * 70000, "value": ""}, 413)):
            equal(web("POST", "/v1/batch", {"operations": [change, wrong]})[0], expected, wrong)
            equal(web("GET", "/keys?key=a")[1]["value"], "1", wrong)
        gone = {"op": "delete", "key": "a"}
        equal(web("POST", "/v1/batch", {"operations": [gone, {"op": "delete", "key": "none"}]})[0], 200)
        equal(web("GET", "/keys?key=a")[1]["value"], None)


def test_writes_fail_transactions_that_watch_the_key(exe, directory):
    """WATCH is a promise about the key, whichever protocol writes it."""
    writes = (("PUT", "/keys", {"key": "k", "value": "2"}),
              ("DELETE", "/keys?key=k", None),
              ("POST", "/keys/batch", {"keys": ["x", "k"], "values": ["1", "2"]}),
              ("PUT", "/v1/collections/default/keys/k", b"2"),
              ("DELETE", "/v1/collections/default/keys/k", None),
              ("DELETE", "/v1/collections/default/range?from=a&to=z", None),
              ("POST", "/v1/batch", {"operations": [{"op": "put", "key": "k", "value": "2"}]}),
              ("PUT", "/v1/collections/db%202/keys/k", b"2"),
              ("DELETE", "/v1/collections/db%202", None))
    with Server(exe, directory) as server, Web(server) as web, server.client() as client:
        for method, path, body in writes:
            client("SELECT", 2 if "db%202" in path else 0)
            equal(client("SET", "k", "1"), "OK")
            for words, expected in ((("WATCH", "k"), None), (("WATCH", "other"), ["OK"])):
                client(*words)
                equal(web(method, path, body)[0] < 300, True, path)
                client("MULTI")
                client("SET", "done", 1)
                equal(client("EXEC"), expected, (method, path, words))
                client("SET", "k", "1")
        client("SELECT", 0)
        client("WATCH", "k")
        equal(web("POST", "/keys/batch", {"keys": ["k" * 70000], "values": ["1"]})[0], 413)
        web("PUT", "/v1/collections/db%202/keys/k", b"2")
        client("MULTI")
        client("SET", "done", 1)
        equal(client("EXEC"), ["OK"], "nobody has written the key of that database")


# ---- what the server must survive


def test_large_bodies_are_refused_before_they_are_sent(exe, directory):
    with Server(exe, directory, "--request-bytes", "1M") as server:
        head = b"PUT /v1/collections/default/keys/a HTTP/1.1\r\nHost: a\r\nContent-Length: 1073741824\r\n\r\n"
        equal(raw(server, head)[:13], b"HTTP/1.1 413 ")
        # A body without a length is cut off where it becomes too large.
        head = b"PUT /v1/collections/default/keys/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        equal(b"204" in raw(server, head + chunk * 20 + b"0\r\n\r\n"), False)
        head = head.replace(b"Host: a", b"Host: a\r\nConnection: close")
        equal(b" 204 " in raw(server, head + chunk + b"0\r\n\r\n"), True)
        with Web(server) as web:
            equal(len(web("GET", "/v1/collections/default/keys/a")[1]), 65536)


def test_ambiguous_lengths_are_refused(exe, directory):
    """A proxy in front might see another end of the request (smuggling)."""
    with Server(exe, directory) as server:
        begin = b"PUT /v1/collections/default/keys/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        for head in (b"Content-Length: 3\r\nContent-Length: 5\r\n",
                     b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                     b"Content-Length: -1\r\n", b"Content-Length: 5x\r\n", b"Transfer-Encoding: gzip, x\r\n"):
            data = raw(server, begin + head + b"\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 3)
            equal(data.count(b"HTTP/1.1 2"), 0, (head, data))


def test_floods_and_slow_clients_do_not_stop_others(exe, directory):
    with Server(exe, directory, "--http-idle-seconds", "1") as server:
        host, port = server.http.rsplit(":", 1)
        slow = [socket.create_connection((host, int(port))) for _ in range(50)]
        for one in slow:
            one.sendall(b"GET /keys?key=a HTTP/1.1\r\nHost")
        equal(b" 200 " in raw(server, b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n", 3), False)
        flood = b"".join(b"X-%d: y\r\n" % i for i in range(10000))
        equal(b" 200 " in raw(server, b"GET /healthz HTTP/1.1\r\n" + flood + b"\r\n", 3), False)
        equal(b"HTTP/1.1 2" in raw(server, os.urandom(5000), 3), False)
        with Web(server) as web:
            equal(web("GET", "/healthz")[0], 200)
        for one in slow:
            one.settimeout(30)
            try:
                while one.recv(1000):
                    pass
            except ConnectionError:
                pass
            one.close()


def test_pipelined_requests_are_answered_in_order(exe, directory):
    with Server(exe, directory, "--durability", "process") as server:
        pair = (b"PUT /v1/collections/default/keys/%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n%03d"
                b"GET /v1/collections/default/keys/%d HTTP/1.1\r\nHost: a\r\n\r\n")
        requests = b"".join(pair % (i, i, i) for i in range(100))
        data = raw(server, requests + b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        equal([int(part[:3]) for part in data.split(b"\r\n\r\n") if part[:3].isdigit()], list(range(100)))


def test_random_requests_match_a_model(exe, directory):
    r = random.Random(seed())
    for kind in KINDS:
        path = os.path.join(directory, kind)
        os.mkdir(path)
        model = {}
        with Server(exe, path, "--kind", kind, "--durability", "process") as server, Web(server) as web:
            for _ in range(1500):
                key, value = r.choice("abcdefgh") * r.randrange(1, 3), str(r.random())
                action = r.randrange(5)
                if action == 0:
                    equal(web("PUT", "/keys", {"key": key, "value": value})[0], 200)
                    model[key] = value
                elif action == 1:
                    equal(web("DELETE", "/keys?key=" + key)[0], 200)
                    model.pop(key, None)
                elif action == 2:
                    keys = [r.choice("abcdefgh") for _ in range(r.randrange(4))]
                    web("POST", "/keys/batch", {"keys": keys, "values": [value] * len(keys)})
                    model.update({k: value for k in keys})
                elif action == 3:
                    low, high = sorted([r.choice("abcdefgh"), r.choice("abcdefgh")])
                    want = [{"key": k, "value": v} for k, v in sorted(model.items()) if low <= k < high]
                    equal(web("GET", f"/keys/range?start_key={low}&end_key={high}"), (200, {"results": want}))
                else:
                    equal(web("GET", "/keys?key=" + key), (200, {"key": key, "value": model.get(key)}))


def load(server, number, acknowledged, stop):
    try:
        with Web(server) as web:
            i = 0
            while not stop.is_set():
                i += 1
                if web("PUT", "/keys", {"key": f"{number}:{i}", "value": "v"})[0] == 200:
                    acknowledged.append(f"{number}:{i}")
    except (OSError, http.client.HTTPException):
        pass


def test_every_acknowledged_write_survives_a_kill_under_load(exe, directory):
    acknowledged = [[] for _ in range(4)]
    with Server(exe, directory) as server:
        for life in range(2):
            stop = threading.Event()
            threads = [threading.Thread(target=load, args=(server, life * 10 + i, acknowledged[i], stop))
                       for i in range(4)]
            for thread in threads:
                thread.start()
            time.sleep(0.5)
            server.kill()
            stop.set()
            for thread in threads:
                thread.join()
            server.start()
        with server.client() as client:
            for key in (key for keys in acknowledged for key in keys):
                equal(client("GET", key), b"v", key)
        equal(sum(map(len, acknowledged)) > 20, True)


def test_a_stop_answers_what_has_been_asked(exe, directory):
    with Server(exe, directory) as server, Web(server) as web:
        equal(web("GET", "/healthz")[0], 200)
        server.process.send_signal(signal.SIGTERM)
        equal(server.process.wait(timeout=30), 0)


def test_many_idle_connections_take_little_memory(exe, directory):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(2000, hard - 200)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 100), hard))
    with Server(exe, directory) as server, Web(server) as web:
        host, port = server.http.rsplit(":", 1)
        idle = [socket.create_connection((host, int(port))) for _ in range(count)]
        equal(web("GET", "/healthz")[0], 200)
        for one in idle:
            one.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


if __name__ == "__main__":
    run(globals())
