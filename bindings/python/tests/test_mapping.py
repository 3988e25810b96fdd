"""Databases and collections as mappings: keys and values, ranges, views, conditions, expiry, errors."""
import array
import collections.abc
import datetime
import pickle
import time
import unittest

import holt
from support import KINDS, TestCase


class Values(TestCase):
    # A value comes back as bytes, in whatever form it went in; str is UTF-8.
    def test_every_form_of_bytes_is_accepted(self):
        db = self.open()
        forms = [b"abc", "abc", bytearray(b"abc"), memoryview(b"abc"), memoryview(bytearray(b"abc")),
                 array.array("B", b"abc")]
        for key in forms:
            for value in forms:
                db.clear()
                db[key] = value
                self.assertEqual(list(db.range()), [(b"abc", b"abc")])
                self.assertEqual(db[key], b"abc")
                self.assertIn(key, db)
                del db[key]
                self.assertEqual(len(db), 0)

    # A non-contiguous view has no single buffer; numbers are not bytes. Nothing is written.
    def test_other_objects_are_refused(self):
        db = self.open()
        for wrong in (1, None, 1.5, ["a"], memoryview(b"abcd")[::2], object()):
            with self.assertRaises(TypeError):
                db[wrong] = b"v"
            with self.assertRaises(TypeError):
                db["k"] = wrong
            with self.assertRaises(TypeError):
                db.get(wrong)
            with self.assertRaises(TypeError):
                wrong in db
        self.assertEqual(len(db), 0)

    # A str that cannot be encoded is an error of its own, and leaves nothing held.
    def test_a_lone_surrogate_is_refused(self):
        db = self.open()
        with self.assertRaises(UnicodeEncodeError):
            db["\ud800"] = b"v"
        with self.assertRaises(UnicodeEncodeError):
            db.get_many(["a", "\ud800"])

    def test_empty_keys_and_values_exist(self):
        db = self.open()
        self.assertNotIn(b"", db)
        db[b""] = b""
        self.assertEqual(db[b""], b"")
        self.assertIn("", db)
        self.assertEqual(db.get_range(b"", b""), [(b"", b"")])

    # Large values do not fit into the cache's blocks, and take the way of a get that reads the disk.
    def test_large_values_from_memory_and_from_disk(self):
        db = self.open()
        sizes = [0, 1, 4095, 4096, 4097, 100_000, 1_000_000]
        for size in sizes:
            db[f"{size:08}"] = b"x" * size
        for _ in range(2):
            self.assertEqual([len(v) for v in db.values()], sizes)
            for size in sizes:
                self.assertEqual(db[f"{size:08}"], b"x" * size)
                self.assertTrue(db.exists(f"{size:08}"))
            self.assertEqual([len(v) for v in db.get_many(f"{size:08}" for size in sizes)], sizes)
            db.close()
            db = self.open()

    def test_limits_are_errors_of_their_own(self):
        db = self.open()
        db[b"k" * 65535] = b"v"
        with self.assertRaises(holt.TooLarge):
            db[b"k" * 65536] = b"v"
        with self.assertRaises(holt.TooLarge):
            db[b"k"] = b"v" * (3 << 20)
        self.assertEqual(len(db), 1)
        self.assertEqual(db.get_range(b"k" * 65535, b"k" * 65535), [(b"k" * 65535, b"v")])

    def test_text_returns_str(self):
        db = self.open(text=True)
        db["schön"] = "größer"
        db[b"k"] = b"v"
        self.assertEqual(db["schön"], "größer")
        self.assertEqual(dict(db), {"k": "v", "schön": "größer"})
        self.assertEqual(db.get_range("k", "k"), [("k", "v")])
        self.assertEqual(db.get_many(["k", "no"]), ["v", None])
        self.assertEqual(db.get_versioned("k")[0], "v")
        self.assertEqual(db.collection("default", text=False)["k"], b"v")
        self.assertEqual(db.snapshot()["k"], "v")

    # What is not UTF-8 cannot be returned as str. The iterator goes on with the next entry.
    def test_text_that_is_not_utf8(self):
        db = self.open(text=True)
        db["a"] = b"\xff"
        db["b"] = "fine"
        with self.assertRaises(UnicodeDecodeError):
            db["a"]
        entries = db.range()
        with self.assertRaises(UnicodeDecodeError):
            next(entries)
        self.assertEqual(list(entries), [("b", "fine")])
        with self.assertRaises(UnicodeDecodeError):
            db.get_range("a", "b")
        with self.assertRaises(UnicodeDecodeError):
            db.get_many(["b", "a"])


class Mapping(TestCase):
    def test_it_is_a_mutable_mapping(self):
        db = self.open()
        for store in (db, db.collection("c"), db.transaction()):
            self.assertIsInstance(store, collections.abc.MutableMapping)
        self.assertIsInstance(db.snapshot(), collections.abc.Mapping)
        self.assertNotIsInstance(db.snapshot(), collections.abc.MutableMapping)
        self.assertIsInstance(db.keys(), collections.abc.KeysView)
        self.assertIsInstance(db.values(), collections.abc.ValuesView)
        self.assertIsInstance(db.items(), collections.abc.ItemsView)
        with self.assertRaises(TypeError):
            hash(db)

    def test_a_missing_key(self):
        db = self.open()
        with self.assertRaises(KeyError) as caught:
            db["no"]
        self.assertEqual((caught.exception.args, str(caught.exception)), (("no",), "no"))
        self.assertIsInstance(caught.exception, holt.NotFound)
        with self.assertRaises(KeyError):
            del db["no"]
        self.assertIsNone(db.get("no"))
        self.assertEqual(db.get("no", 7), 7)
        self.assertEqual(db.get("no", default=7), 7)
        self.assertIsNone(db.delete("no"))
        self.assertFalse(db.exists("no"))

    def test_the_methods_of_dictionaries(self):
        db = self.open()
        # The transaction is begun last: clearing a collection conflicts with it.
        for make in (lambda: db.collection("lsm"), lambda: db.collection("btree", kind="btree"), lambda: db,
                     lambda: db.transaction()):
            store = make()
            self.assertFalse(store)
            store.update({"b": b"2", "a": b"1"})
            store.update([("c", b"3")], d=b"4")
            self.assertTrue(store)
            self.assertEqual(len(store), 4)
            self.assertEqual(store, {b"a": b"1", b"b": b"2", b"c": b"3", b"d": b"4"})
            self.assertNotEqual(store, {b"a": b"1"})
            self.assertNotEqual(store, 5)
            self.assertEqual(store.pop("b"), b"2")
            self.assertEqual(store.pop("b", None), None)
            with self.assertRaises(KeyError):
                store.pop("b")
            self.assertEqual(store.setdefault("a", b"9"), b"1")
            self.assertEqual(store.setdefault("e", b"5"), b"5")
            self.assertEqual(store.popitem(), (b"a", b"1"))
            self.assertEqual(list(store), [b"c", b"d", b"e"])
            self.assertEqual(list(reversed(store)), [b"e", b"d", b"c"])
            store.clear()
            self.assertEqual(list(store), [])
            with self.assertRaises(KeyError):
                store.popitem()

    def test_stores_with_the_same_entries_are_equal(self):
        db = self.open()
        a, b = db.collection("a"), db.collection("b", kind="btree")
        self.assertEqual(a, b)
        a.update({str(i): str(i) for i in range(3000)})
        self.assertNotEqual(a, b)
        self.assertNotEqual(b, a)
        b.update(a)
        self.assertEqual(a, b)
        b["5"] = b"other"
        self.assertNotEqual(a, b)

    # More than a batch holds.
    # As of any mapping, the names of keywords are keys, whatever they are; and one update is one commit.
    def test_update_takes_any_keyword(self):
        db = self.open()
        for store in (db, db.collection("c"), db.transaction()):
            store.update(self=b"1", other=b"2")
            store.update({"a": b"3"}, pairs=b"4")
            store.update([("b", b"5")])
            store.update()
            self.assertEqual(dict(store), {b"self": b"1", b"other": b"2", b"a": b"3", b"pairs": b"4",
                                           b"b": b"5"})
        before = db.stats()["commits"]
        db.update({"x": b""}, y=b"")
        self.assertEqual(db.stats()["commits"], before + 1)

    def test_a_large_update(self):
        db = self.open()
        db.update((f"{i:06}", b"x" * 1000) for i in range(3000))
        self.assertEqual(len(db), 3000)
        self.assertGreater(db.stats()["commits"], 1)
        self.assertLess(db.stats()["commits"], 20)

    # An iteration sees the entries as they were when it began.
    def test_writing_while_iterating(self):
        db = self.open()
        db.update({f"{i:04}": b"" for i in range(2000)})
        for key in db:
            del db[key]
            db[b"new" + key] = b""
        self.assertEqual(len(db), 2000)
        self.assertEqual(next(iter(db)), b"new0000")

    # A key is found in the same forms, whether or not the view has a limit.
    def test_keys_of_a_view(self):
        db = self.open()
        db.update({"a": b"1", "b": b"2", "c": b"3"})
        for view in (db.keys(), db.keys(limit=2), db.keys("a", "c", limit=2)):
            for key in ("b", b"b", bytearray(b"b"), memoryview(b"b")):
                self.assertIn(key, view)
            for key in ("d", b"d", 5, None):
                self.assertNotIn(key, view)
        self.assertNotIn("c", db.keys(limit=2))
        self.assertIn(("b", b"2"), db.items(limit=2))
        self.assertNotIn(("c", b"3"), db.items(limit=2))
        text = db.collection("text", text=True)
        text["b"] = "2"
        for key in ("b", b"b"):
            self.assertIn(key, text.keys(limit=1))

    def test_views(self):
        db = self.open()
        db.update({k: k.upper() for k in "abcdef"})
        self.assertEqual(list(db.keys()), [b"a", b"b", b"c", b"d", b"e", b"f"])
        self.assertEqual(list(db.values("b", "d")), [b"B", b"C"])
        self.assertEqual(list(db.items(limit=1)), [(b"a", b"A")])
        self.assertEqual(list(reversed(db.items("b", "e", limit=2))), [(b"d", b"D"), (b"c", b"C")])
        self.assertEqual(list(reversed(db.values())), [b"F", b"E", b"D", b"C", b"B", b"A"])
        self.assertEqual([len(db.keys()), len(db.keys("b", "e")), len(db.values(limit=2))], [6, 3, 2])
        keys, items = db.keys("b", "e"), db.items("b", "e")
        self.assertTrue(b"b" in keys and "d" in keys)
        self.assertFalse(b"e" in keys or b"a" in keys or 5 in keys)
        self.assertTrue((b"b", b"B") in items and (b"b", b"x") not in items and (b"e", b"E") not in items)
        self.assertTrue(b"B" in db.values() and b"b" not in db.values())
        self.assertEqual(db.keys() & {b"a", b"x"}, {b"a"})
        self.assertEqual(db.keys() - {b"a"}, {b"b", b"c", b"d", b"e", b"f"})
        self.assertEqual(db.keys("a", "b"), {b"a"})
        db["g"] = b"G"  # a view shows what is there now
        self.assertIn(b"g", list(db.keys()))


class Ranges(TestCase):
    def fill(self, kind, flush):
        db = self.open(kind=kind)
        self.model = [(f"{i:05}".encode(), str(i).encode()) for i in range(0, 5000, 2)]
        db.update(self.model)
        if flush:
            db.flush()
        return db

    # Bounds on entries, between them and beyond them, in both directions, within batches and across them.
    def test_bounds_limits_and_directions(self):
        for kind in KINDS:
            for flush in (False, True):
                db = self.fill(kind, flush)
                for start in (None, "00000", "00001", "04000", "9"):
                    for end in (None, "", "00000", "00100", "00101", "04998", "9"):
                        if start and end and end < start:
                            continue
                        want = [e for e in self.model if (start is None or e[0] >= start.encode())
                                and (end is None or e[0] < end.encode())]
                        for limit in (None, 0, 1, 17, 2000):
                            self.assertEqual(list(db.range(start, end, limit=limit)), want[:limit])
                            self.assertEqual(list(db.range(start, end, reverse=True, limit=limit)),
                                             want[::-1][:limit])
                        self.assertEqual(list(db.keys(start, end)), [k for k, _ in want])
                        self.assertEqual(list(db.values(start, end)), [v for _, v in want])
                self.assertEqual(list(db.range(prefix="001")),
                                 [e for e in self.model if e[0].startswith(b"001")])
                db.close()
                holt.destroy(self.path)

    # Both ends are included, as the name of get_range promises.
    def test_get_range_includes_both_ends(self):
        db = self.fill("lsm", True)
        self.assertEqual(db.get_range("00010", "00014"),
                         [(b"00010", b"10"), (b"00012", b"12"), (b"00014", b"14")])
        self.assertEqual(db.get_range("00011", "00013"), [(b"00012", b"12")])
        self.assertEqual(db.get_range("00011", "00011"), [])
        self.assertEqual(db.get_range(None, None), self.model)
        self.assertEqual(db.get_range("00010", None, limit=2), self.model[5:7])
        db["00010\0"] = b""
        self.assertEqual(len(db.get_range("00010", "00010")), 1)

    # A limit that is no number of entries, and bounds of another type.
    def test_wrong_arguments(self):
        db = self.open()
        for call in (lambda: db.range(1, 2), lambda: db.range(limit="x"), lambda: db.get_range("a"),
                     lambda: db.get_range("a", "b", "c", "d"), lambda: db.get_range("a", last="b", no=1),
                     lambda: db.get_range("a", first="a", last="b"), lambda: db.put("a"),
                     lambda: db.keys(5).__iter__()):
            with self.assertRaises(TypeError):
                call()
        with self.assertRaises(OverflowError):
            db.range(limit=-1)

    def test_fetch_and_close(self):
        db = self.fill("lsm", False)
        with db.range() as entries:
            self.assertEqual(entries.fetch(3), self.model[:3])
            self.assertEqual(next(entries), self.model[3])
            self.assertEqual(entries.fetch(10_000), self.model[4:])
            self.assertEqual(entries.fetch(1), [])
        entries = db.range()
        next(entries)
        self.assertEqual(db.stats()["cursors_open"], 1)
        entries.close()
        entries.close()
        self.assertEqual(list(entries), [])
        self.assertEqual(db.stats()["cursors_open"], 0)
        self.assertEqual(len(list(db.range())), len(self.model))
        self.assertEqual(db.stats()["cursors_open"], 0)  # an iterator that has ended pins nothing

    def test_a_cursor_moves_in_both_directions(self):
        db = self.fill("btree", True)
        with db.cursor("00010", "00020", label="tested") as c:
            self.assertEqual(db.readers()[0]["label"], "tested")
            self.assertFalse(c.valid)
            self.assertIsNone(c.key)
            self.assertTrue(c.next())
            self.assertEqual((c.key, c.value, c.expires), (b"00010", b"10", None))
            self.assertTrue(c.last())
            self.assertEqual(c.key, b"00018")
            self.assertFalse(c.next())
            self.assertTrue(c.prev())
            self.assertEqual(c.key, b"00018")
            self.assertTrue(c.seek("00013"))
            self.assertEqual(c.key, b"00014")
            self.assertTrue(c.seek_last("00013"))
            self.assertEqual(c.key, b"00012")
            self.assertTrue(c.first())
            db["00011"] = b"new"
            self.assertTrue(c.next())
            self.assertEqual(c.key, b"00012")
            c.refresh()
            self.assertFalse(c.valid)
            self.assertTrue(c.seek("00011"))
            self.assertEqual(c.value, b"new")
        with self.assertRaises(holt.Closed):
            c.next()
        with self.assertRaises(holt.Closed):
            c.key
        keys = db.cursor(keys_only=True)
        keys.first()
        self.assertEqual((keys.key, keys.value), (b"00000", None))

    def test_delete_range(self):
        db = self.fill("lsm", True)
        db.delete_range("00010", "00100")
        self.assertEqual(db.get_range("00000", "00102"), self.model[:5] + self.model[50:52])
        db.delete_range("04000", None)
        self.assertEqual(next(db.range(reverse=True))[0], b"03998")
        db.delete_range(None, "03998")
        self.assertEqual(list(db), [b"03998"])
        db.delete_range(None, None)
        self.assertEqual(list(db), [])

    def test_estimates_and_compaction(self):
        db = self.fill("lsm", True)
        db.compact()
        db.compact("00010", "00100")
        entries, size = db.approximate_size("01000", "02000")
        self.assertTrue(400 < entries < 600 and size > 0, (entries, size))
        self.assertEqual(db.approximate_size("x", "y"), (0, 0))


class Conditions(TestCase):
    def test_conditional_puts(self):
        db = self.open()
        db.put("a", b"1", if_absent=True)
        with self.assertRaises(holt.Exists):
            db.put("a", b"2", if_absent=True)
        with self.assertRaises(holt.NotFound):
            db.put("b", b"2", if_present=True)
        db.put("a", b"2", if_present=True)
        value, version, expires = db.get_versioned("a")
        self.assertEqual((value, expires), (b"2", None))
        db.put("a", b"3", if_version=version)
        with self.assertRaises(holt.Conflict):
            db.put("a", b"4", if_version=version)
        self.assertEqual(db.get_versioned("none"), (None, 0, None))
        db.put("b", b"new", if_version=0)
        with self.assertRaises(TypeError):
            db.put("b", b"", if_version=0, if_absent=True)
        self.assertEqual(dict(db), {b"a": b"3", b"b": b"new"})

    def test_add(self):
        db = self.open()
        self.assertEqual([db.add("n"), db.add("n", 41), db.add("n", -50)], [1, 42, -8])
        self.assertEqual(db["n"], b"-8")
        db["text"] = b"x"
        with self.assertRaises(ValueError):
            db.add("text")
        with self.assertRaises(OverflowError):
            db.add("n", 2**63)
        with self.assertRaises(holt.Invalid):
            db.add("n", -(2**63))

    def test_get_many(self):
        db = self.open()
        db.update(a=b"1", b=b"2")
        self.assertEqual(db.get_many(["b", "x", "a", "b"]), [b"2", None, b"1", b"2"])
        self.assertEqual(db.get_many({"a", }, default=b""), [b"1"])
        self.assertEqual(db.get_many([]), [])
        self.assertEqual(db.get_many((str(i) for i in range(500)), 0), [0] * 500)

    # A time of another type, or none that can be told, is an error of the argument.
    def test_times_that_are_refused(self):
        db = self.open()
        for wrong in ("5", b"5", [5], object(), datetime.datetime.now()):
            with self.assertRaisesRegex(TypeError, "ttl must be a number of seconds or a timedelta"):
                db.put("a", b"", ttl=wrong)
        for wrong in ("5", datetime.timedelta(5), datetime.date.today()):
            with self.assertRaisesRegex(TypeError, "expires must be a number of seconds or a datetime"):
                db.put("a", b"", expires=wrong)
        for wrong in (float("nan"), float("inf"), -float("inf"), 1e300):
            for times in ({"ttl": wrong}, {"expires": wrong}):
                with self.assertRaises(ValueError):
                    db.put("a", b"", **times)
        with self.assertRaises(OverflowError):
            db.put("a", b"", ttl=10**400)
        self.assertEqual(len(db), 0)

    def test_expiry(self):
        db = self.open()
        soon = time.time() + 1000
        db.put("absolute", b"", expires=soon)
        db.put("date", b"", expires=datetime.datetime.fromtimestamp(soon, datetime.timezone.utc))
        db.put("relative", b"", ttl=1000)
        db.put("delta", b"", ttl=datetime.timedelta(seconds=1000))
        for key in db:
            self.assertAlmostEqual(db.expiry(key), soon, delta=60)
            self.assertAlmostEqual(db.get_versioned(key)[2], soon, delta=60)
        db.put("past", b"", expires=5)
        db.put("now", b"", ttl=0.0)
        db.put("before", b"", expires=-1)
        time.sleep(0.01)
        for key in ("past", "now", "before"):
            self.assertNotIn(key, db)
            with self.assertRaises(KeyError):
                db.expiry(key)
        db.expire("date")
        self.assertIsNone(db.expiry("date"))
        db.expire("date", ttl=5)
        self.assertIsNotNone(db.expiry("date"))
        with self.assertRaises(KeyError):
            db.expire("none", ttl=5)
        for wrong in ({"expires": 1, "ttl": 1}, {"ttl": "x"}, {"expires": float("nan")},
                      {"ttl": float("inf")}):
            with self.assertRaises((TypeError, ValueError, AttributeError)):
                db.put("wrong", b"", **wrong)
        self.assertNotIn("wrong", db)


class Collections(TestCase):
    def test_create_open_rename_drop(self):
        db = self.open()
        products = db.collection("products", kind="btree", block="8K")
        self.assertEqual((products.name, products.kind), ("products", "btree"))
        self.assertEqual(products.collection_stats()["block_bytes"], 8192)
        with self.assertRaises(holt.Exists):
            db.collection("products", create=True)
        with self.assertRaises(holt.NotFound):
            db.collection("none", create=False)
        self.assertEqual(db.collections(), ["default", "products"])
        products["p"] = b"1"
        self.assertNotIn("p", db)
        db.rename("products", "goods")
        self.assertEqual((products.name, products["p"]), ("goods", b"1"))
        again = db.collection("goods")
        self.assertEqual(again["p"], b"1")
        db.drop("goods")
        for store in (products, again):
            with self.assertRaises(holt.Closed):
                store["p"]
        self.assertEqual(db.collections(), ["default"])
        for wrong in ("", "a\0b", "x" * 200):
            with self.assertRaises(ValueError):
                db.collection(wrong)
        with self.assertRaises(ValueError):
            db.collection("x", kind="heap")
        with self.assertRaises(holt.Invalid):
            db.drop("default")
        self.assertEqual(db.collection("none", filter_bits=0).collection_stats()["filter_bits"], 0)

    def test_bulk_load(self):
        for kind in KINDS:
            db = self.open()
            with db.collection("loaded", kind=kind).load() as load:
                for i in range(20_000):
                    load.put(f"{i:06}", b"x" * 50)
                with self.assertRaises(holt.Invalid):
                    load.put("000000", b"")
                load.put("last", b"", ttl=1000)
            with self.assertRaises(holt.Closed):
                load.put("x", b"")
            loaded = db.collection("loaded")
            self.assertEqual(len(loaded), 20_001)
            self.assertEqual(loaded["000007"], b"x" * 50)
            with self.assertRaises(holt.Exists):
                loaded.load()
            with self.assertRaises(ZeroDivisionError):
                with db.collection("aborted", kind=kind).load() as load:
                    load.put("a", b"")
                    1 / 0
            self.assertEqual(len(db.collection("aborted")), 0)
            db.close()
            holt.destroy(self.path)


class Databases(TestCase):
    def test_options(self):
        for memory in ("64M", "64 MiB", "65536K", 64 << 20):
            db = self.open(memory=memory, memtable="1M", interval=0.05, threads=2, open_files=100,
                           slow_ms=1000, max_reader_age=60.0, log_level="debug")
            self.assertEqual(db.stats()["memory_limit"], 64 << 20)
            db.close()
        for wrong in ({"memory": "lots"}, {"memory": "1M"}, {"durability": "maybe"}, {"kind": "heap"},
                      {"log_level": "loud"}, {"interval": -1}, {"threads": 1000}):
            with self.assertRaises(ValueError):
                self.open(**wrong)
        # What no number of the library holds is refused as well, not taken modulo 2^32 or 2^64.
        for wrong in ({"memory": -1}, {"memory": 2**64 + (64 << 20)}, {"memory": "9" * 30}, {"memtable": -1},
                      {"interval": 1e10}, {"threads": -1}, {"threads": 2**32}, {"open_files": -1},
                      {"slow_ms": 2**32}, {"max_reader_age": 1e30}):
            with self.assertRaises(OverflowError):
                self.open(**wrong)
        with self.open(create=False) as db:
            for wrong in ({"block": -1}, {"block": 2**32}, {"filter_bits": -1}, {"filter_bits": 2**32}):
                with self.assertRaises(OverflowError):
                    db.collection("new", **wrong)
            self.assertEqual(db.collections(), ["default"])
        with self.assertRaises(holt.Exists):
            self.open(create=True)
        with self.assertRaises(holt.NotFound):
            holt.open(self.path + "2", create=False)

    def test_read_only(self):
        with self.open() as db:
            db["a"] = b"1"
            db.collection("c")["x"] = b"y"
            with self.assertRaises(holt.Busy):
                holt.open(self.path)
        db = self.open(read_only=True)
        other = holt.open(self.path, read_only=True)
        other.close()
        self.assertEqual((db["a"], db.collection("c")["x"]), (b"1", b"y"))
        for write in (lambda: db.put("a", b"2"), lambda: db.transaction(), lambda: db.collection("new"),
                      lambda: db.clear()):
            with self.assertRaises(holt.ReadOnly):
                write()

    # Every object of a closed database says so, and can be dropped in any order.
    def test_closing_ends_all_objects(self):
        db = self.open()
        db["a"] = db["b"] = b"1"
        c = db.collection("c")
        t, s, b, cursor, entries, load = (db.transaction(), db.snapshot(), db.batch(), db.cursor(),
                                          db.range(), db.collection("l").load())
        in_t, in_both = t.collection("c"), t.range()
        t["a"] = b"2"
        cursor.next()
        next(entries), next(in_both)  # which have read "b" already
        db.close()
        db.close()
        self.assertTrue(all(o.closed for o in (db, c, t, s, b, in_t)))
        for use in (lambda: db["a"], lambda: c["a"], lambda: t["a"], lambda: s.get("a"),
                    lambda: b.put("a", b""),
                    lambda: in_t["a"], lambda: cursor.next(), lambda: cursor.key, lambda: next(entries),
                    lambda: next(in_both), lambda: load.put("a", b""), lambda: t.commit(), lambda: db.stats(),
                    lambda: db.collections(),
                    lambda: db.flush(), lambda: db.snapshot(), lambda: db.readers(), lambda: len(db),
                    lambda: c.name, lambda: load.commit(), lambda: b.write_count, lambda: iter(db),
                    lambda: db.verify()):
            with self.assertRaises(holt.Closed):
                use()
        t.rollback()
        s.close()
        cursor.close()
        entries.close()
        load.abort()
        self.assertIn("closed", repr(db) + repr(c))
        self.assertEqual(list(entries), [])
        self.assertEqual(dict(self.open()), {b"a": b"1", b"b": b"1"})

    # A database lives as long as an object that depends on it.
    def test_children_keep_the_database_open(self):
        for child in (lambda db: db.collection("default"), lambda db: db.snapshot(),
                      lambda db: db.transaction()):
            self.assertEqual(child(self._unreferenced())["a"], b"1")
        self.assertEqual(next(self._unreferenced().range()), (b"a", b"1"))

    def _unreferenced(self):
        db = holt.open(self.path, memory="8M", durability="process")
        db["a"] = b"1"
        return db

    def test_an_unclosed_database_warns_and_closes(self):
        with self.assertWarns(ResourceWarning):
            self._unreferenced()
        self.assertEqual(self.open()["a"], b"1")

    def setUp(self):
        super().setUp()
        if self._testMethodName == "test_children_keep_the_database_open":
            import warnings
            warnings.simplefilter("ignore", ResourceWarning)
            self.addCleanup(warnings.resetwarnings)

    # A cycle through a subclass that keeps its collections, which only the garbage collector can find.
    def test_cycles_are_collected(self):
        import gc

        class Manager(holt.Database):
            pass

        db = Manager(self.path)
        db.users = db.collection("users")
        db.all = [db.range(), db.cursor(), db.users.range(), db.transaction(), db.collection("x").load()]
        db.all.append(db.all[3].collection("users").range())
        db.users["a"] = b"1"
        with self.assertWarns(ResourceWarning):
            del db
            gc.collect()
        self.assertEqual(self.open().collection("users")["a"], b"1")

    def test_figures(self):
        db = self.open()
        db.update({str(i): b"x" * 100 for i in range(1000)})
        db.flush()
        db.sync()
        db.health()
        stats = db.stats()
        self.assertEqual((stats["puts"], stats["collections"]), (1000, 1))
        self.assertEqual(db.collection_stats()["entries"], 1000)
        self.assertEqual(db.path, self.path)
        report = db.verify()
        self.assertEqual((report["entries"], report["problems"]), (1000, []))
        with db.snapshot(label="mine"), db.batch(label="other"), db.transaction():
            self.assertEqual([(r["kind"], r["label"], r["revoked"]) for r in db.readers()],
                             [("transaction", "", False), ("batch", "other", False),
                              ("snapshot", "mine", False)])
        with self.assertRaises(holt.Invalid):
            db.snapshot(label="x" * 100)
        db.close()
        self.assertEqual(holt.verify(self.path)["problems"], [])

    # Damage that a verification finds is a result, with the file and the offset.
    def test_damage_is_described(self):
        with self.open() as db:
            db.update({f"{i:05}": bytes([i % 251]) * 100 for i in range(2000)})
            db.flush()
        import glob
        [name] = glob.glob(self.path + "/*.sst")
        with open(name, "r+b") as file:
            file.seek(20_000)
            byte = file.read(1)
            file.seek(20_000)
            file.write(bytes([byte[0] ^ 1]))
        problems = holt.verify(self.path)["problems"]
        self.assertEqual(len(problems), 1)
        self.assertIsInstance(problems[0], holt.Corrupt)
        self.assertTrue(name.endswith(problems[0].file) and 0 < problems[0].offset <= 20_000)
        with self.open() as db:
            with self.assertRaises(holt.Corrupt) as caught:
                list(db.range())
            self.assertTrue(name.endswith(caught.exception.file))
            with self.assertRaises(holt.Corrupt):
                for i in range(2000):
                    db[f"{i:05}"]

    def test_destroy(self):
        db = self.open()
        with self.assertRaises(holt.Busy):
            holt.destroy(self.path)
        db.close()
        holt.destroy(self.path)
        with self.assertRaises(holt.NotFound):
            holt.destroy(self.path)


class Errors(TestCase):
    def test_classes(self):
        bases = {holt.NotFound: KeyError, holt.Invalid: ValueError, holt.TooLarge: ValueError,
                 holt.NoSpace: OSError, holt.IOError: OSError, holt.NoMemory: MemoryError}
        for error, base in bases.items():
            self.assertTrue(issubclass(error, base) and issubclass(error, holt.Error))
        from holt import _errors
        self.assertEqual([c.status for c in _errors.CLASSES], list(range(14)))
        self.assertTrue(all(issubclass(c, holt.Error) for c in _errors.CLASSES))

    # An error of a system call is an OSError with its number.
    def test_fields(self):
        with open(self.path, "w") as file:
            file.write("not a database")
        with self.assertRaises(holt.Invalid) as caught:
            holt.open(self.path)
        error = caught.exception
        self.assertIn(self.path, error.message)
        self.assertEqual((error.status, error.file, error.offset, str(error)), (3, None, None, error.message))
        made = holt.IOError._make("wal-1.log: write: no luck", 5, "wal-1.log", 77)
        self.assertEqual((made.errno, made.strerror, made.file, made.offset, str(made)),
                         (5, "wal-1.log: write: no luck", "wal-1.log", 77, "wal-1.log: write: no luck"))
        copy = pickle.loads(pickle.dumps(made))
        self.assertEqual((copy.errno, copy.offset, str(copy)), (5, 77, str(made)))


if __name__ == "__main__":
    unittest.main()
