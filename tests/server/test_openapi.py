#!/usr/bin/env python3
"""test_openapi.py HOLT -- the description of the HTTP interface and the server agree, in both directions.

Every operation of the description is tried with its examples, and the answer must be one
of those that it declares, down to the members of the JSON. Every endpoint of the server's
table must be described, and methods that are not must be refused.
"""
import json
import os
import re
from urllib.parse import quote, urlencode

from fixture import Server, equal, run
from test_http import Web
from test_http_tables import server_with

METHODS = ("GET", "PUT", "POST", "PATCH", "DELETE")
ROUTES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../src/server/http/http_request.c")
TABLE = ("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT 'x', photo BLOB);"
         "CREATE UNIQUE INDEX people_name ON people (name) WHERE name IS NOT NULL;"
         "CREATE TABLE pairs (a TEXT, b INTEGER, PRIMARY KEY (a, b DESC));"
         "INSERT INTO people VALUES (1, 'Al', x'ff')")

TYPES = {"null": type(None), "boolean": bool, "integer": int, "number": (int, float), "string": str,
         "object": dict, "array": list}


def is_type(value, name):
    return isinstance(value, TYPES[name]) and not (name in ("integer", "number") and isinstance(value, bool))


class Document:
    """The description, which checks values against its schemas."""

    def __init__(self, web):
        status, self.root = web("GET", "/openapi.json")
        equal(status, 200)

    def resolve(self, node):
        while "$ref" in node:
            target = self.root
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            node = target
        return node

    def check(self, schema, value, where):
        schema = self.resolve(schema)
        unknown = set(schema) - {"type", "properties", "required", "additionalProperties", "items", "enum",
                                 "const", "description", "minimum", "maximum", "default"}
        equal(unknown, set(), f"{where}: this test does not know these keywords")
        if "type" in schema:
            names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            equal(any(is_type(value, name) for name in names), True, (where, value, names))
        equal("enum" in schema and value not in schema["enum"], False, (where, value))
        equal("const" in schema and value != schema["const"], False, (where, value))
        if isinstance(value, dict):
            missing = set(schema.get("required", ())) - set(value)
            equal(missing, set(), f"{where}: missing")
            more = schema.get("additionalProperties", True)
            for name, member in value.items():
                if name in schema.get("properties", {}):
                    self.check(schema["properties"][name], member, f"{where}.{name}")
                elif isinstance(more, dict):
                    self.check(more, member, f"{where}.{name}")
                else:
                    equal(more, True, f"{where}: the member {name} is not described")
        if isinstance(value, list) and "items" in schema:
            for i, item in enumerate(value):
                self.check(schema["items"], item, f"{where}[{i}]")

    def operations(self):
        for path, item in self.root["paths"].items():
            for method, operation in item.items():
                yield path, method.upper(), operation


def prepare(web):
    """Makes what the examples name, and nothing of what they make."""
    equal(web("PUT", "/v1/collections/default/keys/a", b"v")[0], 204)
    equal(web("POST", "/v1/collections", {"name": "other"})[0] in (201, 409), True)
    equal(web("DELETE", "/v1/collections/new")[0] in (204, 404), True)
    equal(web("POST", "/v1/tables/people/rows", {"id": 1, "name": "Al"})[0] in (201, 409), True)
    equal(web("DELETE", "/v1/tables/people/rows/2")[0] in (204, 404), True)


def example_request(document, path, operation):
    """The target, the body and the headers of an operation's examples."""
    query, headers, body = {}, {}, None
    for parameter in operation.get("parameters", ()):
        example = parameter.get("example")
        equal(parameter["required"] and example is None, False, f"{path}: {parameter['name']} has no example")
        if parameter["in"] == "path":
            path = path.replace("{%s}" % parameter["name"], quote(example, safe=""))
        elif parameter["in"] == "query" and example is not None:
            query[parameter["name"]] = example
    equal("{" in path, False, f"{path}: a part is not described")
    for kind, content in operation.get("requestBody", {"content": {}})["content"].items():
        body = content["example"]
        headers["Content-Type"] = kind
        if kind == "application/json":
            document.check(content["schema"], body, path)
            body = json.dumps(body)
    return path + ("?" + urlencode(query) if query else ""), body, headers


def check_answer(document, web, operation, status, data, where):
    response = operation["responses"].get(str(status), operation["responses"]["default"])
    response = document.resolve(response)
    if "content" not in response:
        equal(data, b"", where)
        return
    kind = web.headers["Content-Type"].split(";")[0]
    equal(kind in response["content"], True, (where, kind))
    if kind == "application/json":
        document.check(response["content"][kind]["schema"], data, where)


def test_every_operation_answers_as_it_is_described(exe, directory):
    with server_with(exe, directory, TABLE) as server, Web(server) as web:
        document = Document(web)
        names = [operation["operationId"] for _, _, operation in document.operations()]
        equal(len(names), len(set(names)))
        for path, method, operation in document.operations():
            prepare(web)
            target, body, headers = example_request(document, path, operation)
            status, data = web(method, target, body, headers)
            success = min(code for code in operation["responses"] if code.startswith("2"))
            equal(str(status), success, (method, target, data))
            check_answer(document, web, operation, status, data, f"{method} {target}")


def test_errors_are_described(exe, directory):
    """A parameter that is missing, a body that is no JSON, no such thing."""
    with server_with(exe, directory, TABLE) as server, Web(server) as web:
        document = Document(web)
        for path, method, operation in document.operations():
            target, body, headers = example_request(document, re.sub(r"\{\w+\}", "none", path),
                                                    dict(operation, parameters=[]))
            if "requestBody" in operation and "application/json" in headers.values():
                body = "{"
            status, data = web(method, target, body, headers)
            if status >= 400:
                equal(sorted(data["error"])[:2], ["code", "message"], target)
                check_answer(document, web, operation, status, data, f"{method} {target}")
            required = any(p["required"] for p in operation.get("parameters", ()))
            if required and method != "PUT" and not (method == "DELETE" and "keys/{" in path):
                equal(status >= 400, True, (method, target, status))


def test_every_endpoint_is_described(exe, directory):
    with open(ROUTES, encoding="utf-8") as file:
        routes = re.findall(r'\{"([^"]+)", HTTP_(\w+), http_\w+', file.read())
    equal(len(routes) > 30, True, "the table of endpoints was not found")
    with Server(exe, directory) as server, Web(server) as web:
        document = Document(web)
        described = {(re.sub(r"\{\w+\}", "*", path).lstrip("/"), method)
                     for path, method, _ in document.operations()}
        equal(described, set(routes))


def test_other_methods_are_refused(exe, directory):
    with Server(exe, directory) as server, Web(server) as web:
        document = Document(web)
        for path, item in document.root["paths"].items():
            target = re.sub(r"\{\w+\}", "x", path)
            for method in METHODS:
                if method.lower() not in item:
                    equal(web(method, target)[0], 405, (method, target))
                    allowed = {name.upper() for name in item} | ({"HEAD"} if "get" in item else set())
                    equal(set(web.headers["Allow"].split(", ")), allowed, target)


def test_a_client_that_has_the_description_gets_no_body(exe, directory):
    with Server(exe, directory) as server, Web(server) as web:
        web("GET", "/openapi.json")
        tag = web.headers["ETag"]
        equal(web("GET", "/openapi.json", headers={"If-None-Match": tag}), (304, b""))


if __name__ == "__main__":
    run(globals())
