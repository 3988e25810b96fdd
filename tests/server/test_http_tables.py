#!/usr/bin/env python3
"""test_http_tables.py HOLT -- tables over HTTP: schemas, rows, conditions, what must be refused."""
import base64
import json
import os
import random
import subprocess
from urllib.parse import quote

from fixture import Server, equal, run, seed
from test_http import KINDS, Web

PEOPLE = ("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER, height REAL, "
          "photo BLOB, city TEXT DEFAULT 'Lisbon'); CREATE UNIQUE INDEX people_name ON people (name)")


def server_with(exe, directory, sql, *options):
    """A server whose database has the tables."""
    subprocess.run([exe, "sql", os.path.join(directory, "data"), sql], check=True, stdout=subprocess.DEVNULL)
    return Server(exe, directory, *options)


def where(conditions):
    return "where=" + quote(json.dumps(conditions))


def rows(web, table, query=""):
    """All rows of a list, page by page."""
    out, token = [], ""
    while True:
        status, page = web("GET", f"/v1/tables/{table}/rows?{query}{token}")
        equal(status, 200, page)
        out += page["rows"]
        if page["next"] is None:
            return out
        token = "&token=" + page["next"]


def test_tables_are_described(exe, directory):
    with server_with(exe, directory, PEOPLE) as server, Web(server) as web:
        status, answer = web("GET", "/v1/tables")
        equal((status, len(answer["tables"])), (200, 1))
        table = answer["tables"][0]
        equal(web("GET", "/v1/tables/people"), (200, table))
        equal((table["name"], table["key"]), ("people", [{"column": "id"}]))
        equal([(c["name"], c["type"]) for c in table["columns"]],
              [("id", "integer"), ("name", "text"), ("age", "integer"), ("height", "real"), ("photo", "blob"),
               ("city", "text")])
        equal(table["columns"][1]["not_null"], True)
        equal(table["columns"][5]["default"], "Lisbon")
        equal(table["indexes"], [{"name": "people_name", "unique": True, "complete": True,
                                  "parts": [{"column": "name"}]}])
        equal(web("GET", "/v1/tables/none")[0], 404)
        equal(web("GET", "/v1/tables/default")[0], 404, "a plain collection is no table")


def test_rows_are_inserted_read_changed_and_deleted(exe, directory):
    with server_with(exe, directory, PEOPLE) as server, Web(server) as web:
        photo = {"base64": base64.b64encode(b"\x00\xff").decode()}
        ada = {"id": 7, "name": "Ada \u2764", "age": None, "height": 1.5, "photo": photo, "city": "London"}
        equal(web("POST", "/v1/tables/people/rows", ada), (201, {"success": True, "rowid": 7}))
        equal(web("GET", "/v1/tables/people/rows/7"), (200, ada))
        equal(web("POST", "/v1/tables/people/rows", {"name": "Bob"}), (201, {"success": True, "rowid": 8}))
        equal(web("GET", "/v1/tables/people/rows/8")[1]["city"], "Lisbon")
        equal(web("PATCH", "/v1/tables/people/rows/8", {"age": 2**53 + 1, "id": 9}), (204, b""))
        equal(web("GET", "/v1/tables/people/rows/9")[1]["age"], 2**53 + 1)
        equal(web("GET", "/v1/tables/people/rows/8")[0], 404)
        equal(web("PATCH", "/v1/tables/people/rows/8", {"age": 1})[0], 404)
        equal(web("DELETE", "/v1/tables/people/rows/9"), (204, b""))
        equal(web("DELETE", "/v1/tables/people/rows/9")[0], 404)
        equal(rows(web, "people"), [ada])


def test_wrong_rows_are_refused_and_change_nothing(exe, directory):
    with server_with(exe, directory, PEOPLE) as server, Web(server) as web:
        equal(web("POST", "/v1/tables/people/rows", {"id": 1, "name": "Ada"})[0], 201)
        url = "/v1/tables/people/rows"
        for body, status, code in (({"id": 1, "name": "Bob"}, 409, "exists"),
                                   ({"id": 2, "name": "Ada"}, 409, "exists"),
                                   ({"id": 2}, 400, "invalid"), ({"id": "x", "name": "B"}, 400, "invalid"),
                                   ({"id": 2, "name": "B", "none": 1}, 400, "invalid"),
                                   ({"id": 2, "name": ["B"]}, 400, "invalid"),
                                   ({"id": 2, "name": "B", "photo": {"base64": "x"}}, 400, "invalid"),
                                   ({"id": 2, "name": "B", "photo": {"hex": ""}}, 400, "invalid"),
                                   ({"id": 2**63, "name": "B"}, 400, "invalid"),
                                   ({"id": -2**64, "name": "B"}, 400, "invalid")):
            got, answer = web("POST", url, body)
            equal((got, answer["error"]["code"]), (status, code), str(body)[:60])
        equal(web("POST", url, b"[]")[0], 400)
        equal(web("PATCH", url + "/1", {"name": None})[0], 400)
        equal(web("GET", url + "/x")[0], 400)
        equal(web("GET", "/v1/tables/none/rows")[0], 404)
        equal(web("PUT", url + "/1", {})[0], 405)
        equal(web.headers["Allow"], "GET, HEAD, PATCH, DELETE")
        equal(rows(web, "people"), [{"id": 1, "name": "Ada", "age": None, "height": None, "photo": None,
                                     "city": "Lisbon"}])


def test_keys_of_any_kind_are_found(exe, directory):
    sql = ("CREATE TABLE pairs (a TEXT, b INTEGER, v TEXT, PRIMARY KEY (a, b DESC));"
           "CREATE TABLE notes (v TEXT); CREATE TABLE texts (k TEXT PRIMARY KEY);"
           "CREATE TABLE blobs (k BLOB PRIMARY KEY);"
           "CREATE TABLE reals (k REAL PRIMARY KEY)")
    with server_with(exe, directory, sql) as server, Web(server) as web:
        for a, b in (("x", 1), ("x", 2), ("y/%", -3)):
            equal(web("POST", "/v1/tables/pairs/rows", {"a": a, "b": b, "v": "z"})[0], 201)
        key = quote(json.dumps(["y/%", -3]), safe="")
        equal(web("GET", "/v1/tables/pairs/rows/" + key), (200, {"a": "y/%", "b": -3, "v": "z"}))
        equal(web("GET", "/v1/tables/pairs/rows/" + quote('["x"]'))[0], 400)
        equal(web("GET", "/v1/tables/pairs/rows/x")[0], 400)
        equal([row["b"] for row in rows(web, "pairs", "limit=1&" + where({"a": "x"}))], [2, 1])
        equal(web("POST", "/v1/tables/notes/rows", {"v": "a"})[1]["rowid"], 1)
        equal(web("POST", "/v1/tables/notes/rows", {"rowid": 5, "v": "b"})[1]["rowid"], 5)
        equal(web("PATCH", "/v1/tables/notes/rows/5", {"v": "c"})[0], 204)
        equal(rows(web, "notes", "limit=1"), [{"rowid": 1, "v": "a"}, {"rowid": 5, "v": "c"}])
        equal(web("POST", "/v1/tables/texts/rows", {"k": "["})[0], 201)
        equal(web("GET", "/v1/tables/texts/rows/%5B"), (200, {"k": "["}))
        equal(web("POST", "/v1/tables/texts/rows", {"k": "k" * 70000})[0], 413)
        equal(web("POST", "/v1/tables/blobs/rows", {"k": {"base64": "/wA="}})[0], 201)
        equal(web("GET", "/v1/tables/blobs/rows/%FF%00"), (200, {"k": {"base64": "/wA="}}))
        equal(web("POST", "/v1/tables/reals/rows", b'{"k":1e999}')[0], 201)
        equal(web("POST", "/v1/tables/reals/rows", {"k": 0.1})[0], 201)
        equal(rows(web, "reals"), [{"k": 0.1}, {"k": float("inf")}])
        equal(web("GET", "/v1/tables/reals/rows/0.1"), (200, {"k": 0.1}))


COMPARE = {"=": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b,
           "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b}


def fulfils(row, conditions):
    for column, comparisons in conditions.items():
        for operator, value in comparisons.items():
            if value is None:
                if (row[column] is None) != (operator == "="):
                    return False
            elif row[column] is None or not COMPARE[operator](row[column], value):
                return False
    return True


def test_lists_match_a_model(exe, directory):
    """Any conditions, in both directions and with pages of any size."""
    r = random.Random(seed())
    sql = "CREATE TABLE t (a INTEGER, b TEXT, c REAL, d BOOLEAN, PRIMARY KEY (a, b)) WITH (kind = %s)"
    for kind in KINDS:
        path = os.path.join(directory, kind)
        os.mkdir(path)
        with server_with(exe, path, sql % kind, "--durability", "process") as server, Web(server) as web:
            model = {}
            for _ in range(150):
                row = {"a": r.randrange(5), "b": r.choice("xyz") * r.randrange(3),
                       "c": r.choice((None, r.randrange(4), 1.5)), "d": r.choice((None, True, False))}
                taken = (row["a"], row["b"]) in model
                equal(web("POST", "/v1/tables/t/rows", row)[0], 409 if taken else 201, row)
                model.setdefault((row["a"], row["b"]), row)
            for _ in range(100):
                conditions = {}
                for column in r.sample("abcd", r.randrange(4)):
                    value = {"a": r.randrange(5), "b": r.choice("xyz"), "c": r.choice((None, 1, 1.5)),
                             "d": r.choice((None, True))}[column]
                    operators = ("=", "!=") if value is None else ("=", "=", *COMPARE)
                    conditions[column] = {r.choice(operators): value}
                want = [row for _, row in sorted(model.items()) if fulfils(row, conditions)]
                query = f"limit={r.randrange(1, 40)}&" + where(conditions)
                if r.random() < 0.5:
                    query, want = query + "&reverse=true", want[::-1]
                equal(rows(web, "t", query), want, conditions)


def test_collections_of_tables_are_read_but_not_changed(exe, directory):
    """A change of a key would leave an index behind."""
    with server_with(exe, directory, PEOPLE) as server, Web(server) as web:
        equal(web("POST", "/v1/tables/people/rows", {"id": 1, "name": "Ada"})[0], 201)
        index = [c["name"] for c in web("GET", "/v1/collections")[1]["collections"]
                 if c["name"].startswith("holt.")]
        equal("holt.tables" in index and len(index) > 1, True, index)
        for name in ["people", *index]:
            for method, path in (("PUT", "/keys/x"), ("DELETE", "/keys/x"), ("DELETE", "/range?from=a"),
                                 ("DELETE", "")):
                body = b"x" if method == "PUT" else None
                status, answer = web(method, f"/v1/collections/{name}{path}", body)
                equal((status, answer["error"]["code"]), (409, "is_table"), f"{method} {name}{path}")
            for op in ({"op": "put", "value": "x"}, {"op": "delete"}):
                operations = [{**op, "collection": name, "key": "x"}]
                status, answer = web("POST", "/v1/batch", {"operations": operations})
                equal((status, answer["error"]["code"]), (409, "is_table"), name)
        equal(rows(web, "people"), [{"id": 1, "name": "Ada", "age": None, "height": None, "photo": None,
                                     "city": "Lisbon"}])
        equal(web("DELETE", "/v1/collections/default/keys/x")[0], 204)


def test_a_check_tells_of_collections_that_are_missing(exe, directory):
    """They end the check of a table before it finds a problem."""
    for victim in ("people", "holt.index.1"):
        place = os.path.join(directory, victim)
        database = os.path.join(place, "data")
        os.mkdir(place)
        for words in (["sql", database, PEOPLE + "; CREATE TABLE sound (id INTEGER PRIMARY KEY)"],
                      ["drop", "--yes", database, victim]):
            subprocess.run([exe, *words], check=True, stdout=subprocess.DEVNULL)
        with Server(exe, place) as server, Web(server) as web:
            status, answer = web("POST", "/v1/admin/check")
            equal((status, answer.get("ok"), answer.get("problem_count")), (200, False, 1), answer)
            equal("missing" in answer["problems"][0], True, answer)


def test_names_of_holts_own_collections_are_refused(exe, directory):
    with Server(exe, directory, "--sql-write", "yes") as server, Web(server) as web:
        for name in ("holt.tables", "holt.index.1", "holt.x"):
            equal(web("POST", "/v1/collections", {"name": name, "kind": "btree"})[0], 400, name)
        for statement in PEOPLE.split("; "):
            equal(web("POST", "/v1/sql", {"sql": statement})[0], 200, statement)


def test_wrong_conditions_are_refused(exe, directory):
    with server_with(exe, directory, PEOPLE) as server, Web(server) as web:
        for wrong in ("where=x", "where=[]", where({"none": 1}), where({"age": "x"}),
                      where({"age": {"~": 1}}), where({"age": {"<": None}}), where({"age": {"=": [1]}}),
                      "limit=0", "token=zz", "token=00", "reverse=1"):
            equal(web("GET", "/v1/tables/people/rows?" + wrong)[0], 400, wrong)


def test_a_page_ends_before_it_takes_long(exe, directory):
    sql = PEOPLE + ("; INSERT INTO people (id, name) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
                    "FROM n WHERE i < 25000) SELECT i, 'p' || i FROM n")
    with server_with(exe, directory, sql) as server, Web(server) as web:
        status, page = web("GET", "/v1/tables/people/rows?" + where({"name": "p20000"}))
        equal((status, page["rows"], page["next"] is None), (200, [], False))
        equal([row["id"] for row in rows(web, "people", where({"name": "p20000"}))], [20000])
        equal([row["id"] for row in rows(web, "people", where({"id": 24999}))], [24999])


if __name__ == "__main__":
    run(globals())
