#!/usr/bin/env python3
"""test_clients.py HOLT -- stock clients and tools work: redis-cli, redis-benchmark, python3-redis."""
import os
import shutil
import subprocess
import sys

from fixture import Client, Server, Skip, equal, run


def tool(name):
    path = shutil.which(name)
    if not path:
        raise Skip(f"{name} is not installed")
    return path


def cli(server, *words, stdin=b""):
    result = subprocess.run([tool("redis-cli"), "-p", str(server.address[1]), *words], input=stdin,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True, timeout=60)
    return result.stdout.decode(errors="replace")


def test_redis_cli(exe, directory):
    with Server(exe, directory, "--durability", "process") as server:
        protocol = b"".join(Client.encode("SET", f"key {i}", "x" * i) for i in range(500))
        equal("errors: 0, replies: 500" in cli(server, "--pipe", stdin=protocol), True, "--pipe")
        equal(sorted(cli(server, "--scan").split("\n"))[1:], sorted(f"key {i}" for i in range(500)), "--scan")
        equal(len(cli(server, "--scan", "--pattern", "key 1*").split("\n")), 112, "--scan --pattern")
        biggest = "Biggest string found '\"key 499\"' has 499 bytes"
        equal(biggest in cli(server, "--bigkeys"), True, "--bigkeys")
        equal("500" in cli(server, "--memkeys"), True, "--memkeys")
        equal(cli(server, "-3", "HELLO", "3").startswith("server holt"), True)
        equal(cli(server, "-n", "2", "SET", "a", "b"), "OK\n")
        equal(cli(server, stdin=b"HELP\nMULTI\nINCR n\nEXEC\n").rstrip().endswith("1"), True)
        equal("redis_version" in cli(server, "INFO"), True)


def test_redis_benchmark(exe, directory):
    with Server(exe, directory, "--durability", "process") as server:
        command = [tool("redis-benchmark"), "-p", str(server.address[1]), "-q", "-n", "2000", "-P", "8", "-t",
                   "ping_inline,ping_mbulk,set,get,incr,mset"]
        result = subprocess.run(command, stdout=subprocess.PIPE, timeout=120, check=True).stdout
        equal(result.count(b"requests per second"), 6)


CLIENT_PROGRAM = """
import redis, sys
r = redis.Redis(port=int(sys.argv[1]), decode_responses=True, client_name="a-name")
assert r.set("a", "1", ex=100) and r.get("a") == "1" and 98 < r.ttl("a") <= 100
assert r.mset({"b": "2", "c": "3"}) and r.mget("a", "b", "no") == ["1", "2", None]
assert r.incrby("n", 5) == 5 and r.incrbyfloat("n", 0.5) == 5.5
assert sorted(r.scan_iter("?")) == ["a", "b", "c", "n"]
with r.pipeline() as p:
    p.watch("a")
    p.multi()
    p.set("a", "x")
    p.get("a")
    assert p.execute() == [True, "x"]
with r.pipeline() as p:
    p.watch("a")
    r.set("a", "y")
    p.multi()
    p.set("a", "z")
    try:
        p.execute()
        raise SystemExit("no WatchError")
    except redis.WatchError:
        pass
listener = r.pubsub()
listener.subscribe("c")
assert listener.get_message(timeout=10)["type"] == "subscribe"
assert r.publish("c", "hello") == 1
assert listener.get_message(timeout=10)["data"] == "hello"
try:
    r.execute_command("NOSUCH")
    raise SystemExit("no error")
except redis.ResponseError:
    pass
assert r.info()["holt_version"] and r.client_list() and r.config_get("databases") == {"databases": "16"}
assert r.command_count() == len([c for c in r.command_list() if "|" not in c])  # without subcommands
"""


def test_python_redis(exe, directory):
    for python in (sys.executable, "/usr/bin/python3"):
        command = [python, "-c", "import redis"]
        if os.path.exists(python) and subprocess.call(command, stderr=subprocess.DEVNULL) == 0:
            break
    else:
        raise Skip("python3-redis is not installed")
    with Server(exe, directory) as server:
        subprocess.run([python, "-c", CLIENT_PROGRAM, str(server.address[1])], check=True, timeout=60)


if __name__ == "__main__":
    run(globals())
