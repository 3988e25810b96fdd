#!/usr/bin/env python3
"""test_disk_full.py HOLT -- a full disk: errors that say so, deletes that work, no acknowledged write lost.

Needs a small file system of its own, which only root may mount; skipped otherwise.
"""
import http.client
import json
import os
import subprocess
import threading
import time

from fixture import Client, Error, Server, Skip, equal, run

TRIES = 20


class SmallDisk:
    """A file system of 48 MiB, most of which a file fills at first."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "disk")
        os.mkdir(self.path)
        command = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", self.path]
        if subprocess.call(command, stderr=subprocess.DEVNULL) != 0:
            raise Skip("cannot mount a file system")
        self.filler = os.path.join(self.path, ".filler")

    def wait_for_ballast(self, database):
        """Waits for the space that a database with data sets aside in the background."""
        ballast = os.path.join(database, "BALLAST")
        for _ in range(300):
            if os.path.exists(ballast) and os.stat(ballast).st_blocks * 512 >= os.stat(ballast).st_size > 0:
                return
            time.sleep(0.1)
        raise AssertionError("the database sets no space aside")

    def fill(self):
        """Takes all the space that is left."""
        with open(self.filler, "ab", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 65536)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.call(["umount", "-l", self.path])


def put(server, key):
    host, port = server.http.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    connection.request("PUT", "/keys", json.dumps({"key": key, "value": "x" * 1000}))
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    return answer.status, body


def fill_up(client, prefix, acknowledged):
    """Writes until the first refusal, in pipelines. Notes what was acknowledged; returns the refusal."""
    for i in range(0, 200000, 50):
        keys = [f"{prefix}{j}" for j in range(i, i + 50)]
        for key in keys:
            client.send("SET", key, "x" * 1000)
        replies = [client.read() for _ in keys]
        acknowledged += [key for key, reply in zip(keys, replies) if reply == "OK"]
        refusals = [reply for reply in replies if isinstance(reply, Error)]
        if refusals:
            return refusals[0]
    raise AssertionError("the disk does not fill up")


def until_refused(disk, client, acknowledged, check):
    """Repeats a check of a refusal while it finds none: a flush or a merge may have just given space back."""
    for i in range(TRIES):
        if check(i):
            return
        disk.fill()
        fill_up(client, f"again{i}-{len(acknowledged)}-", acknowledged)
    raise AssertionError("writes are accepted again and again")


def check_put_refused(server, i):
    status, body = put(server, f"web{i}")
    if status == 200:
        return False
    equal((status, body["error"]["code"]), (507, "no_space"))
    return True


def check_pipeline(client, i):
    """In one pipeline: what is refused does not spoil what is not."""
    for words in (("SET", "d", "x" * 1000), ("DEL", f"gone{i}"), ("GET", f"gone{i}"), ("PING",)):
        client.send(*words)
    replies = [client.read() for _ in range(4)]
    equal(replies[1:], [1, None, "PONG"])
    return isinstance(replies[0], Error)


def check_full_disk(exe, directory, kind):
    path = os.path.join(directory, kind)
    os.mkdir(path)
    acknowledged = []
    with SmallDisk(path) as disk, Server(exe, disk.path, "--kind", kind, "--memory", "8M") as server:
        with server.client() as client, server.client() as other:
            for i in range(TRIES):
                equal(client("SET", f"gone{i}", "x"), "OK")
            for i in range(3000):
                client.send("SET", f"early{i}", "x" * 1000)
            equal([client.read() for _ in range(3000)], ["OK"] * 3000)
            disk.wait_for_ballast(server.database)
            disk.fill()
            lists = [[], []]
            threads = [threading.Thread(target=fill_up, args=(one, name, kept))
                       for one, name, kept in ((client, "a", lists[0]), (other, "b", lists[1]))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            acknowledged = lists[0] + lists[1]
            refusal = fill_up(client, "c", acknowledged)
            equal(str(refusal).startswith("ERR"), True, refusal)
            equal("full" in str(refusal) or "No space" in str(refusal), True, refusal)
            until_refused(disk, client, acknowledged, lambda i: check_put_refused(server, i))
            until_refused(disk, client, acknowledged, lambda i: check_pipeline(client, i))
            os.unlink(disk.filler)
            for _ in range(300):
                if client("SET", "again", "y") == "OK":
                    break
                time.sleep(0.1)
            equal(client("GET", "again"), b"y")
        server.kill()
        server.start()
        with server.client() as client:
            for key in acknowledged:
                client.send("GET", key)
            for key in acknowledged:
                equal(client.read(), b"x" * 1000, key)
            equal(client("EXISTS", "gone0"), 0)


def test_a_full_disk_refuses_puts_and_loses_nothing_with_an_lsm_tree(exe, directory):
    check_full_disk(exe, directory, "lsm")


def test_a_full_disk_refuses_puts_and_loses_nothing_with_a_btree(exe, directory):
    check_full_disk(exe, directory, "btree")


def refuse_within_a_command(server, disk):
    with server.client() as client:
        equal(client("SET", "big", "x" * 200000), "OK")
        disk.wait_for_ballast(server.database)
        disk.fill()
        for database in range(1, 1024):
            commands = (("SELECT", 0), ("SET", f"k{database}", "x" * 4000), ("GET", "big"),
                        ("SELECT", database), ("SET", "new", "x"), ("PING",))
            client.send_raw(b"".join(Client.encode(*words) for words in commands))
            replies = [client.read() for _ in commands]
            equal([replies[0], replies[3], replies[5]], ["OK", "OK", "PONG"])
            if replies[1] != "OK":
                break
        equal(isinstance(replies[1], Error), True, replies[1])
        equal(client("GET", "new"), b"x" if replies[4] == "OK" else None, f"after the reply {replies[4]}")
        equal([client("SELECT", 0), client("GET", f"k{database}")], ["OK", None])


def test_a_commit_that_fails_within_a_command_refuses_what_came_before_it(exe, directory):
    """The first write to a database creates its collection, which commits what the batch has written before.
    If that fails, the replies to the same client's earlier commands change while the command is running.
    Several disks, because a full one may refuse elsewhere."""
    for number in range(6):
        path = os.path.join(directory, str(number))
        os.mkdir(path)
        options = ("--memory", "8M", "--databases", "1024")
        with SmallDisk(path) as disk, Server(exe, disk.path, *options) as server:
            refuse_within_a_command(server, disk)


def pipeline(client, *commands):
    client.send_raw(b"".join(Client.encode(*words) for words in commands))
    return [client.read() for _ in commands]


def refuse_a_swap(server, disk):
    """Returns whether the commit of a SWAPDB failed while a FLUSHDB was running."""
    with server.client() as client:
        equal(pipeline(client, ("SELECT", 1), ("SET", "k", "one"), ("SWAPDB", 0, 1)), ["OK"] * 3)
        equal(pipeline(client, ("SELECT", 0), ("SET", "k", "zero"), ("SET", "big", "x" * 200000)), ["OK"] * 3)
        disk.wait_for_ballast(server.database)
        disk.fill()
        values, fresh = ["zero", "one"], 0
        while True:
            replies = pipeline(client, ("SET", "kk", "x" * 20000), ("SWAPDB", 0, 1), ("FLUSHDB",),
                               ("SET", "k", fresh))
            if replies != ["OK"] * 4:
                break
            values = [str(fresh), values[0]]
            fresh += 1
        if not isinstance(replies[1], Error) or replies[2] != "OK":
            return False
        kept = str(fresh).encode() if replies[3] == "OK" else None
        equal(client("GET", "k"), kept, "FLUSHDB has deleted the keys of database 0")
        equal(pipeline(client, ("SELECT", 1), ("GET", "k")), ["OK", values[1].encode()], "and no others")
        return True


def test_a_swap_that_fails_within_a_command_is_undone_before_it_goes_on(exe, directory):
    """FLUSHDB commits what comes before it. It must not delete what would be database 0 if that succeeded."""
    for number in range(TRIES):
        path = os.path.join(directory, str(number))
        os.mkdir(path)
        with SmallDisk(path) as disk, Server(exe, disk.path, "--memory", "8M") as server:
            if refuse_a_swap(server, disk):
                return
    raise AssertionError("the disk always refused something else")


if __name__ == "__main__":
    run(globals())
