"""That nothing leaks: each call many times, successes and failures, while the memory is watched; and that
each call survives the failure of any allocation of the interpreter."""
import gc
import os
import resource
import sys
import unittest

try:
    import _testcapi
except ImportError:
    _testcapi = None

import holt
from holt import _holt
from support import TestCase, rounds


def resident_kib():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() // 1024


# A sanitizer keeps what was freed for a while.
@unittest.skipIf(os.environ.get("HOLT_PYTHON_SANITIZED"), "memory is watched by a sanitizer")
class Memory(TestCase):
    def check(self, call, times):
        """Calls many times, and then as often again: the second half must not take more memory."""
        for _ in range(times):
            call()
        gc.collect()
        objects, before = len(gc.get_objects()), resident_kib()
        for _ in range(times):
            call()
        gc.collect()
        self.assertLess(len(gc.get_objects()) - objects, 50)
        # A leaked reference to a value alone would be 1 KiB for each call.
        self.assertLess(resident_kib() - before, max(1024, times // 4), call)

    def fails(self, error, call):
        def run():
            try:
                call()
            except error:
                return
            self.fail("it does not fail")
        return run

    def test_no_call_leaks(self):
        db = self.open()
        c = db.collection("c", kind="btree")
        value = bytearray(b"v" * 1024)
        for i in range(100):
            c[f"{i:02}"] = value
        # What keeps a moment is in a database of its own, in which nothing is written that would revoke it.
        quiet = holt.open(self.path + "-quiet", memory="8M")
        self.addCleanup(quiet.close)
        snapshot = quiet.snapshot()
        text = db.collection("text", text=True)
        text["bad"] = b"\xff" * 1024
        t = quiet.transaction()
        t["x"] = bytes(value)
        closed = db.transaction()
        closed.rollback()
        n = rounds(5000)

        def transaction():
            with db.transaction(label="leak?") as t:
                inside = t.collection(c)
                with t.savepoint():
                    inside["05"] = bytes(1024)
                list(inside.range())
                t.rollback()

        def batch():
            with db.batch() as b:
                b.collection(c)["new" * 300] = value
                b.discard()

        def aborted_load():
            load = db.collection("l").load()
            load.put(b"k" * 1024, value)
            load.abort()

        many = [
            lambda: c["05"], lambda: c.get(bytearray(1000), value), lambda: "05" in c,
            lambda: c.get_versioned("05"),
            lambda: c.put("05", value, ttl=1000.5), lambda: c.expiry("05"), lambda: c.expire("05", ttl=5000),
            lambda: c.add("n" * 1000, 1000), lambda: c.delete(bytearray(1000)),
            lambda: c.put("06", bytes(1024)),
            lambda: c.update({"07": bytes(1024)}), lambda: c.pop("07", None), lambda: c.setdefault("05", b""),
            lambda: next(c.range("01", "05")), lambda: c.cursor("01").first(),
            lambda: db.collection("c").name,
            lambda: snapshot.get_many(["a"]), lambda: db.path, lambda: db.readers(), lambda: db.stats(),
            lambda: db.collections(), lambda: t.get("x"), lambda: t.write_bytes, lambda: iter(t).close(),
            self.fails(KeyError, lambda: c[b"k" * 1024]),
            self.fails(TypeError, lambda: c.put(b"k" * 1024, 5)),
            self.fails(TypeError, lambda: c.put(value, b"", what=1)), self.fails(TypeError, lambda: c.get(5)),
            self.fails(ValueError, lambda: c.put(value, value, expires=float("nan"))),
            self.fails(holt.Exists, lambda: c.put("05", value, if_absent=True)),
            self.fails(holt.TooLarge, lambda: c.put(b"k" * 70_000, value)),
            self.fails(UnicodeDecodeError, lambda: text["bad"]), self.fails(holt.Closed, lambda: closed["x"]),
            self.fails(UnicodeDecodeError, lambda: list(text.range())),
            self.fails(UnicodeDecodeError, lambda: text.get_many(["bad"])),
            self.fails(holt.ReadOnly, lambda: snapshot.put("a", value)),
            self.fails(TypeError, lambda: c.range(b"k" * 1024, 5)),
            self.fails(TypeError, lambda: c.cursor(b"k" * 1024, bytearray(1000), 5)),
            self.fails(TypeError, lambda: c.get_many([b"k" * 1024, 5])),
            self.fails(holt.NotFound, lambda: db.collection("none" * 20, create=False)),
            self.fails(ValueError, lambda: db.rename("c", "\n" * 100)),
        ]
        some = [lambda: list(c.items()), lambda: c.get_range("10", "20"), lambda: len(c),
                lambda: c.get_many(list(c)),
                lambda: c == snapshot, lambda: c.keys("1", "2") & {b"11"}, transaction, batch,
                lambda: c.approximate_size("1", "3"), lambda: db.transact(lambda t: t.get("x"))]
        for call in many:
            self.check(call, n)
        for call in some:
            self.check(call, n // 10)
        self.check(aborted_load, n // 50)
        self.check(lambda: db.verify(), n // 500)

    def test_opening_does_not_leak(self):
        def cycle():
            with holt.open(self.path, memory="8M", durability="process") as db:
                db["a"] = b"1"
                db.snapshot(), db.collection("c").range()

        self.check(cycle, rounds(20))
        self.check(self.fails(holt.Invalid, lambda: holt.open(os.path.join(self.path, "LOG"))), rounds(1000))


@unittest.skipUnless(_testcapi, "this Python cannot make its allocations fail")
class Allocations(TestCase):
    # The n-th allocation of a call fails, for each n: the call raises MemoryError or succeeds, it keeps no
    # object, and what it was made on works on.
    def test_each_allocation_fails(self):
        db = self.open()
        c, text = db.collection("entries", kind="btree"), db.collection("text", text=True)
        table = db.create_table("users", {"id": int, "name": str, "photo": bytes, "score": float},
                                primary_key="id", indexes={"users_name": "name"})
        table.insert(id=1, name="a" * 50, photo=b"p" * 50)
        c.update({f"{i:04}": b"v" * 200 for i in range(50)})
        text.update({f"{i}": "x" * 200 for i in range(50)})
        data, coded = bytearray(b"w" * 500), holt.encode_key(1, "a", b"b")

        def transaction():
            t = _holt.Transaction(db, 0, 0, "label")
            t[data] = t["default"] = data
            t[data], t.write_count, t._rollback_to(t._savepoint()), t.rollback()

        def cursor():
            with _holt.Cursor(c, b"0001", None, None, False, "label") as cursor:
                cursor.first(), cursor.next(), cursor.seek(data), cursor.seek_last(data)
                cursor.key, cursor.value, cursor.expires

        def load():
            entries = _holt.Load(db.collection("load"))
            entries.put(data, data, ttl=5)
            entries.abort()

        def index():
            table._create_index("users_score", (("score", 0),), False, None, lambda done, total: None)
            table.drop_index("users_score")

        columns = (("a", 2, 2, 0, 5), ("b", 4, 2, 5, "b"))
        for call in (
                lambda: c["0001"], lambda: c.get(data), lambda: data in c, lambda: c.put(data, data, ttl=100),
                lambda: c.get_many(["0001", b"0002", data]), lambda: text["7"], lambda: text.get_many(["1"]),
                lambda: c.get_versioned("0001"), lambda: c.expiry(data), lambda: c.add("n", 1000),
                lambda: c.delete_range("5", data), lambda: c.get_range("0001", "0020"),
                lambda: c.approximate_size(data, None), lambda: c.collection_stats(), lambda: c.name,
                lambda: next(_holt.Range(c, 2, "0001", None, None, True, None)), cursor, load, transaction,
                lambda: _holt.Collection(db, "entries", None, False, False, 0, 0, 0, False),
                lambda: db.stats(), lambda: db.readers(), lambda: db.verify(), lambda: db.collections(),
                lambda: db.path, lambda: db.tables(), lambda: _holt.Table(db, "users", None),
                lambda: _holt._create_table(db, "new", columns, (("a", 0),), 0, 0, 0, True),
                lambda: table._describe(), lambda: table._check(), lambda: table._get((1,), 0),
                lambda: table._insert((2, "b" * 20, data, 1.5), True), lambda: table._delete((5,)),
                lambda: table._update((1,), (1, 2), ("z" * 30, data)),
                lambda: table._upsert((3, "", b"", None)),
                index,
                lambda: list(_holt.Scan(table, 0, 0, None, None, (0, 1, 2, 3), None)),
                lambda: _holt._encode_key((1, "a", data), 0), lambda: _holt._decode_key(coded, 0)):
            self.fail_each(call, (db, c, text, table, coded))
        for error, call in ((KeyError, lambda: c["none"]),
                            (TypeError, lambda: c.put("0001", b"", ttl="soon")),
                            (holt.Exists, lambda: c.put("0001", data, if_absent=True)),
                            (holt.Invalid, lambda: table._insert((1, 5, 5, 5), False))):
            # SystemError: Python loses an exception when its traceback cannot be made, those of dict too.
            self.fail_each(call, (db, c, table), error, SystemError)

    def fail_each(self, call, objects, *expected):
        failures, successes, n = 0, 0, 0
        gc.collect()
        while successes < 30:  # what a call allocates varies with what the interpreter has kept
            before = [sys.getrefcount(each) for each in objects]
            _testcapi.set_nomemory(n, n + 1)
            try:
                call()
                successes += 1
            except MemoryError:
                failures, successes = failures + 1, 0
            except expected:
                successes += 1
            finally:
                _testcapi.remove_mem_hooks()
            self.assertEqual([sys.getrefcount(each) for each in objects], before, (call, n))
            n += 1
            self.assertLess(n, 2000)
        self.assertGreater(failures, 0, call.__code__.co_names)


if __name__ == "__main__":
    unittest.main()
