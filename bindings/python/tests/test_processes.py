"""Processes: what a kill leaves, fork(), and the end of the interpreter with open databases."""
import os
import signal
import subprocess
import sys
import time
import unittest

import holt
from support import TestCase, rounds

WRITER = """
import holt, sys
db = holt.open(sys.argv[1], durability=sys.argv[2], memory="8M", memtable="64K")
c = db.collection("c", kind="btree")
n = len(db)
while True:
    with db.batch() as b:
        b[f"{n:08}"] = str(n) * 50
        b.collection(c)[f"{n:08}"] = str(n)
    n += 1
    print(n, flush=True)
"""


class Kill(TestCase):
    # What was acknowledged survives kill -9, and batches survive as a whole, in each durability.
    def test_kill_9(self):
        for durability in ("commit", "interval", "process"):
            total = 0
            for _ in range(rounds(5)):
                process = subprocess.Popen([sys.executable, "-c", WRITER, self.path, durability],
                                           stdout=subprocess.PIPE, text=True)
                with process.stdout:
                    while total < 20 or time.monotonic() < deadline:
                        line = process.stdout.readline()
                        if total < 20 or line == "":
                            deadline = time.monotonic() + 0.1
                        self.assertNotEqual(line, "", "the writer has failed")
                        total = int(line)
                    process.kill()
                    for line in process.stdout:
                        if line.endswith("\n"):
                            total = int(line)
                process.wait()
                with self.open() as db:
                    found, c = len(db), db.collection("c")
                    self.assertIn(found, (total, total + 1))
                    self.assertEqual(list(db), [f"{n:08}".encode() for n in range(found)])
                    self.assertEqual(list(c.values()), [str(n).encode() for n in range(found)])
                    self.assertEqual(db[f"{found - 1:08}"], (str(found - 1) * 50).encode())
            self.assertEqual(holt.verify(self.path)["problems"], [])
            holt.destroy(self.path)


class Fork(TestCase):
    def in_child(self, check):
        """Runs a function in a child of fork(), where it must return True."""
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = 0 if check() else 2
            finally:
                os._exit(status)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)

    def is_closed(self, call):
        try:
            call()
        except holt.Closed:
            return True
        return False

    # In the child every inherited object is closed. What the child does to them does not disturb the parent.
    def test_inherited_objects_are_closed(self):
        db = self.open()
        c = db.collection("c")
        c["a"] = c["b"] = db["a"] = b"1"
        t, s, cursor, entries = db.transaction(), db.snapshot(), c.cursor(), c.range()
        load = db.collection("l").load()
        batch = db.batch()
        next(entries)
        t["b"] = b"2"
        objects = [db, c, t, s, cursor, entries, load, batch]

        def check():
            good = all(map(self.is_closed, (
                lambda: db["a"], lambda: c.get("a"), lambda: t["a"], lambda: t.commit(), lambda: s["a"],
                lambda: cursor.next(), lambda: next(entries), lambda: load.put("x", b""), lambda: db.stats(),
                lambda: batch.put("a", b""), lambda: len(db), lambda: db.collection("c"),
                lambda: db.batch())))
            t.rollback()
            cursor.close()
            entries.close()
            load.abort()
            db.close()
            objects.clear()
            return good

        self.in_child(check)
        self.in_child(lambda: all(map(self.is_closed, (lambda: db["a"], lambda: t["a"]))))
        t.commit()
        self.assertEqual((db["b"], c["a"], cursor.next()), (b"2", b"1", True))
        load.put("x", b"")
        load.commit()
        self.assertEqual(db.collection("l")["x"], b"")

    # Threads were inside of calls when the process was forked: their locks stay locked in the child.
    def test_forking_while_threads_work(self):
        import threading
        db = self.open(durability="commit")
        t = db.transaction()
        stop = threading.Event()

        def put():
            i = 0
            while not stop.is_set():
                db[str(i % 100)] = b""
                t.put(f"if{i}{threading.get_ident()}", b"", if_absent=True)
                i += 1

        threads = [threading.Thread(target=put) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(rounds(20)):
            def check():
                signal.alarm(60)
                good = self.is_closed(lambda: db["1"]) and self.is_closed(lambda: t["1"])
                t.rollback()
                db.close()
                with holt.open(self.path + str(os.getpid()), memory="8M") as own:
                    own["a"] = b"1"
                    good = good and own["a"] == b"1"
                holt.destroy(own.path)
                return good
            self.in_child(check)
        stop.set()
        for thread in threads:
            thread.join()
        t.rollback()
        db.close()
        self.assertEqual(holt.verify(self.path)["problems"], [])

    # A child may open a database of its own, also the same one once its parent has closed it.
    def test_a_child_opens_the_database(self):
        db = self.open()
        db["a"] = b"1"

        def check():
            try:
                holt.open(self.path)
            except holt.Busy:
                pass
            else:
                return False
            os.write(ready, b".")
            os.read(closed, 1)
            with holt.open(self.path, memory="8M") as again:
                return again["a"] == b"1"

        (readable, ready), (closed, closing) = os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            os._exit(0 if check() else 1)
        os.read(readable, 1)
        db.close()
        os.write(closing, b".")
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
        for descriptor in (readable, ready, closed, closing):
            os.close(descriptor)


class Exit(TestCase):
    # The interpreter ends with everything open. What was acknowledged is there, and nothing is printed.
    def test_everything_is_open_at_exit(self):
        self.run_python("""
import holt, sys
db = holt.open(sys.argv[1], durability="process")
db["a"] = b"1"
c = db.collection("c", kind="btree")
c["x"] = b"y"
t, s, b = db.transaction(), db.snapshot(), db.batch()
t["uncommitted"] = b["uncommitted"] = b""
entries, cursor, load = db.range(), c.cursor(), db.collection("l").load()
next(entries), cursor.next()
in_t = t.collection(c).range()
""", self.path)
        self.check_closed_in_order()

    # Likewise when threads, also daemons, are inside of calls.
    def test_threads_work_at_exit(self):
        for _ in range(rounds(5)):
            self.run_python("""
import holt, sys, threading, time
db = holt.open(sys.argv[1], durability="commit")
db["a"] = b"1"
db.collection("c")["x"] = b"y"
def work():
    i = 0
    while True:
        try:
            db[f"t{i}"] = b"z"
            for _ in db.range(limit=100): pass
        except holt.Closed:
            return
        i += 1
for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.05)
""", self.path)
        with self.open() as db:
            db.delete_range("t", "u")
        self.check_closed_in_order()

    # In a cycle with a function of the module, which is torn down last.
    def test_cycles_at_exit(self):
        self.run_python("""
import holt, sys
class Store(holt.Database): __slots__ = ("__dict__",)
db = Store(sys.argv[1])
db.c = db.collection("c")
db.c["x"] = b"y"
db["a"] = b"1"
db.me = db
db.kept = [db.range(), db.transaction()]
sys.modules["kept"] = db
""", self.path)
        self.check_closed_in_order()

    # A process that ends without a clean-up loses nothing either.
    def test_os_exit(self):
        self.run_python("""
import holt, os, sys
db = holt.open(sys.argv[1], durability="process")
db["a"] = b"1"
db.collection("c")["x"] = b"y"
os._exit(0)
""", self.path)
        with self.open() as db:
            self.assertEqual((dict(db), dict(db.collection("c"))), ({b"a": b"1"}, {b"x": b"y"}))

    # An uncaught exception passes through the blocks, which roll back and close.
    def test_an_uncaught_exception(self):
        done = subprocess.run([sys.executable, "-c", """
import holt, sys
with holt.open(sys.argv[1]) as db:
    db["a"] = b"1"
    db.collection("c")["x"] = b"y"
    with db.transaction() as t:
        t["b"] = b"2"
        sys.exit("over")
""", self.path], stderr=subprocess.PIPE, text=True)
        self.assertEqual((done.returncode, done.stderr), (1, "over\n"))
        self.check_closed_in_order()

    def check_closed_in_order(self):
        with open(os.path.join(self.path, "LOG"), encoding="utf-8") as log:
            self.assertIn("closed", log.read().splitlines()[-1])
        with self.open() as db:
            self.assertEqual((dict(db), dict(db.collection("c"))), ({b"a": b"1"}, {b"x": b"y"}))


if __name__ == "__main__":
    unittest.main()
