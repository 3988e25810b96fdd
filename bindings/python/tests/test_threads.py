"""Objects that several threads use at once, and closing a database under them."""
import sys
import threading
import time
import unittest

import holt
from support import TestCase, rounds


class Threads(TestCase):
    def setUp(self):
        super().setUp()
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        self.addCleanup(sys.setswitchinterval, interval)

    def run_threads(self, *functions):
        """Runs the functions, each in a thread, and raises the first exception."""
        errors = []

        def run(function):
            try:
                function()
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=run, args=(f,)) for f in functions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
            self.assertFalse(thread.is_alive(), "a thread hangs")
        if errors:
            raise errors[0]

    # Adding loses nothing, and neither do transactions that are repeated.
    def test_counters(self):
        db = self.open()
        n = rounds(300)

        def add():
            for _ in range(n):
                db.add("a")
                db.transact(lambda t: t.put("b", str(int(t.get("b", b"0")) + 1)), tries=10_000)

        self.run_threads(*[add] * 4)
        self.assertEqual((db["a"], db["b"]), (str(4 * n).encode(),) * 2)

    # One transaction, with an iterator and a cursor of it, in the hands of four threads.
    def test_a_transaction_of_all_threads(self):
        db = self.open()
        db.update({f"{i:04}": b"x" for i in range(500)})
        n = rounds(200)
        with db.transaction() as t:
            cursor = t.cursor()

            def write(name):
                for i in range(n):
                    t[f"{name}{i}"] = b"y"
                    t.put(f"if{name}{i}", b"y", if_absent=True)
                    self.assertEqual(t.get("0001"), b"x")
                    self.assertEqual(sum(1 for _ in t.range("0100", "0120")), 20)
                    cursor.seek("0003")
                    cursor.next()
                    cursor.key, cursor.value
                    self.assertEqual(t.get_many(["0001", "0002"]), [b"x", b"x"])

            self.run_threads(*[lambda name=name: write(name) for name in "abcd"])
        self.assertEqual(len(db), 500 + 2 * 4 * n)

    # Each entry of a shared iterator goes to one thread.
    def test_an_iterator_of_all_threads(self):
        db = self.open()
        db.update({f"{i:05}": b"" for i in range(20_000)})
        for store in (db, db.transaction()):
            entries, seen = store.range(), []
            self.run_threads(*[lambda: seen.extend(entries)] * 4)
            self.assertEqual(sorted(seen), [(f"{i:05}".encode(), b"") for i in range(20_000)])

    def test_one_of_the_threads_ends_it(self):
        for end in (holt.Transaction.commit, holt.Transaction.rollback):
            for _ in range(rounds(50)):
                db = self.open()
                t = db.transaction()
                t.update({f"{i:03}": b"" for i in range(200)})

                def use():
                    try:
                        while True:
                            for key in t:
                                t[key] = b"x"
                            try:
                                t.put("new", b"", if_version=t.get_versioned("new")[1])
                            except holt.Conflict:
                                pass  # the other thread came in between
                    except holt.Closed:
                        pass

                def stop():
                    time.sleep(0.002)
                    end(t)

                self.run_threads(use, use, stop)
                self.assertIn(len(db), (0, 200, 201))
                db.close()
                holt.destroy(self.path)

    # A close waits for calls in progress. Whatever the other threads do then raises Closed, and nothing else.
    def test_closing_under_all_kinds_of_calls(self):
        for _ in range(rounds(20)):
            db = self.open(durability="commit")
            db.update({f"{i:04}": b"x" * 100 for i in range(1000)})
            db.flush()
            acknowledged = []

            def put():
                for i in range(10**9):
                    db[f"new{i}"] = b""
                    acknowledged.append(i)

            def read():
                while True:
                    db["0500"], db.get_range("0100", "0200"), db.get_many(["0001"]), list(db.keys(limit=500))

            def transact():
                while True:
                    with db.transaction() as t:
                        t.collection("default")["t"] = b"1"
                        t.cursor().last()

            def collections():
                while True:
                    c = db.collection("c")
                    c["x"] = b""
                    c.cursor().first()
                    with db.snapshot() as s:
                        list(s.range(limit=100))

            def load():
                for i in range(10**9):
                    with db.collection(f"l{i % 5}").load() as load:
                        for k in range(100):
                            load.put(f"{k:04}", b"")
                    db.drop(f"l{i % 5}")

            def maintain():
                while True:
                    db.flush()
                    db.compact()
                    db.stats(), db.readers(), db.verify(), db.collections()

            def closed(function):
                def run():
                    with self.assertRaises(holt.Closed):
                        function()
                return run

            def close():
                time.sleep(0.03)
                db.close()

            self.run_threads(*map(closed, (put, read, transact, collections, load, maintain)), close, close)
            with self.open() as db:
                self.assertEqual(db["0500"], b"x" * 100)
                for i in acknowledged:
                    self.assertIn(f"new{i}", db)
            holt.destroy(self.path)

    # While one thread waits for the disk in a commit, the others run.
    def test_a_commit_lets_others_run(self):
        db = self.open(durability="commit")
        done = threading.Event()
        counted = []

        def put():
            for i in range(200):
                db[f"{i}"] = b""
            done.set()

        def count():
            n = 0
            while not done.is_set():
                n += 1
            counted.append(n)

        self.run_threads(put, count)
        self.assertGreater(counted[0], 0)

    # Threads that put at the same time share commits, as those of a C program do.
    def test_threads_share_commits(self):
        db = self.open(durability="commit")

        def put(name):
            for i in range(100):
                db[f"{name}{i}"] = b""

        self.run_threads(*[lambda name=name: put(name) for name in range(16)])
        stats = db.stats()
        self.assertEqual(stats["puts"], 1600)
        self.assertLess(stats["log_syncs"], 1600)

    # A buffer that changes while it is written, also one that shows itself read-only: what is stored is what
    # it was at one moment.
    def test_a_buffer_that_changes(self):
        db = self.open(memory="32M")
        contents = [bytes([letter]) * (1 << 20) for letter in b"abc"]
        buffer = bytearray(contents[0])
        done = threading.Event()

        def change():
            while not done.is_set():
                for content in contents:
                    buffer[:] = content  # in one step, for other threads

        def put():
            view = memoryview(buffer).toreadonly()
            try:
                for i in range(rounds(60)):
                    db[f"{i}"] = view if i % 2 else buffer
            finally:
                done.set()

        self.run_threads(put, change)
        self.assertEqual([key for key, value in db.items() if value not in contents], [])
        self.assertEqual(len(db), rounds(60))
        db.close()
        self.assertEqual(holt.verify(self.path)["problems"], [])


if __name__ == "__main__":
    unittest.main()
