"""Transactions, savepoints, snapshots and batches."""
import collections.abc
import unittest

import holt
from support import KINDS, TestCase


class Transactions(TestCase):
    def test_commit_and_rollback(self):
        db = self.open()
        c = db.collection("c", kind="btree")
        with db.transaction() as t:
            t["a"] = b"1"
            t.collection("c")["x"] = b"y"
            t.collection(c)["z"] = b""
            self.assertEqual((t["a"], db.get("a")), (b"1", None))
            self.assertEqual(len(c), 0)
        self.assertTrue(t.closed)
        self.assertEqual((db["a"], dict(c)), (b"1", {b"x": b"y", b"z": b""}))
        with self.assertRaises(ZeroDivisionError):
            with db.transaction() as t:
                t["a"] = b"2"
                1 / 0
        self.assertEqual(db["a"], b"1")
        t = db.transaction()
        t["a"] = b"3"
        del t  # dropped: rolled back
        self.assertEqual((db["a"], db.readers()), (b"1", []))

    # Ended inside of its block, by hand: leaving it does nothing more.
    def test_ending_by_hand(self):
        db = self.open()
        with db.transaction() as t:
            t["a"] = b"1"
            t.commit()
        with db.transaction() as t:
            t["a"] = b"2"
            t.rollback()
        self.assertEqual(db["a"], b"1")
        for use in (t.commit, lambda: t["a"], lambda: t.put("a", b""), lambda: iter(t),
                    lambda: t.savepoint()):
            with self.assertRaises(holt.Closed):
                use()
        t.rollback()

    def test_a_conflict_ends_the_transaction(self):
        db = self.open()
        t = db.transaction()
        t["a"] = b"1"
        db["a"] = b"2"
        with self.assertRaises(holt.Conflict):
            t.commit()
        self.assertTrue(t.closed)
        self.assertEqual(db["a"], b"2")
        with self.assertRaises(holt.Conflict):
            with db.transaction(serializable=True) as t:
                t["b"] = t["a"]
                db["a"] = b"3"
        with db.transaction() as t:  # snapshot isolation lets it pass
            t["b"] = t["a"]
            db["a"] = b"4"
        self.assertEqual(db["b"], b"3")

    def test_transact_repeats_after_a_conflict(self):
        db = self.open()
        db["n"] = b"0"
        calls = []

        def change(t):
            value = int(t["n"])
            calls.append(value)
            if len(calls) < 4:
                db["n"] = str(value + 10).encode()
            t["n"] = str(value + 1).encode()
            return value

        self.assertEqual(db.transact(change), 30)
        self.assertEqual((calls, db["n"]), ([0, 10, 20, 30], b"31"))
        with self.assertRaises(holt.Conflict):
            db.transact(lambda t: (t.put("n", b""), db.put("n", b"")), tries=3)
        with self.assertRaises(KeyError):
            db.transact(lambda t: t["none"])
        with self.assertRaises(ValueError):
            db.transact(lambda t: None, tries=0)
        self.assertIsNone(db.transact(lambda t: t.commit()))
        self.assertEqual(db.readers(), [])

    def test_savepoints(self):
        db = self.open()
        with db.transaction() as t:
            t["a"] = b"1"
            outer = t.savepoint()
            t["b"] = b"2"
            with self.assertRaises(ZeroDivisionError):
                with t.savepoint():
                    t["c"] = b"3"
                    1 / 0
            self.assertEqual(dict(t), {b"a": b"1", b"b": b"2"})
            with t.savepoint():
                t["d"] = b"4"
            self.assertIn("d", t)
            outer.rollback()
            self.assertEqual(dict(t), {b"a": b"1"})
            t["e"] = b"5"
            outer.rollback()
            self.assertEqual((t.write_count, t.write_bytes), (1, 2))
            t.discard()
            self.assertEqual(t.write_count, 0)
            with self.assertRaises(holt.Invalid):
                outer.rollback()

    # A range shows what its transaction writes, although it reads ahead: behind the entry that it is on.
    def test_writing_while_iterating(self):
        for kind in KINDS:
            for reverse in (False, True):
                db = self.open(kind=kind)
                db.update({f"{i:04}": b"old" for i in range(300)})
                with db.transaction() as t:
                    seen = []
                    for key, value in t.range(reverse=reverse):
                        seen.append((int(key), value))
                        number = int(key)
                        behind = number - 1 if reverse else number + 1
                        if number % 3 == 0:
                            t[f"{behind:04}"] = b"new"  # changes the next one
                        if number % 50 == 0:
                            t.delete(key)  # the entry that it is on
                        if number % 50 == 10:
                            t.delete_range(f"{behind - 3:04}", f"{behind + 3:04}")  # with those around it
                    model, order = dict.fromkeys(range(300), b"old"), []
                    position = 300 if reverse else -1
                    while True:
                        left = [k for k in model if (k < position if reverse else k > position)]
                        if not left:
                            break
                        position = max(left) if reverse else min(left)
                        order.append((position, model[position]))
                        behind = position - 1 if reverse else position + 1
                        if position % 3 == 0 and behind >= 0:
                            model[behind] = b"new"
                        if position % 50 == 0:
                            model.pop(position)
                        if position % 50 == 10:
                            for k in range(behind - 3, behind + 3):
                                model.pop(k, None)
                        if len(order) > 1000:
                            break
                    # The entry -1 of the reverse order has a key of its own, and is passed last.
                    seen = [e for e in seen if e[0] >= 0]
                    self.assertEqual(seen, order)
                db.close()
                holt.destroy(self.path)

    def test_rolling_back_while_iterating(self):
        db = self.open()
        db.update({f"{i:04}": b"" for i in range(100)})
        with db.transaction() as t:
            point = t.savepoint()
            t.delete_range("0050", None)
            keys = iter(t)
            self.assertEqual(next(keys), b"0000")
            point.rollback()
            self.assertEqual(len(list(keys)), 99)

    def test_an_iteration_ends_with_its_transaction(self):
        db = self.open()
        db.update({str(i): b"" for i in range(100)})
        t = db.transaction()
        entries, cursor = t.range(), t.cursor()
        next(entries)
        cursor.next()
        t.rollback()
        with self.assertRaises(holt.Closed):
            next(entries)
        with self.assertRaises(holt.Closed):
            list(t.range())
        with self.assertRaises(holt.Closed):
            cursor.next()

    def test_durability_and_labels(self):
        db = self.open(durability="interval")
        with db.transaction(durability="commit", label="careful") as t:
            self.assertEqual(db.readers()[0]["label"], "careful")
            t["a"] = b"1"
        stats = db.stats()
        self.assertEqual(stats["durable_seqno"], stats["last_seqno"])
        with self.assertRaises(ValueError):
            db.transaction(durability="perhaps")

    # The conditions of puts, sums and expiry are those of the transaction.
    def test_conditions_within_a_transaction(self):
        db = self.open()
        db["a"] = b"1"
        with db.transaction() as t:
            with self.assertRaises(holt.Exists):
                t.put("a", b"", if_absent=True)
            t.put("b", b"2", if_absent=True)
            self.assertEqual(t.add("n", 5), 5)
            t.put("e", b"", ttl=100)
            self.assertIsNotNone(t.expiry("e"))
            self.assertEqual(t.get_many(["a", "b", "c"]), [b"1", b"2", None])
            self.assertEqual(t.pop("a"), b"1")
        self.assertEqual(dict(db), {b"b": b"2", b"n": b"5", b"e": b""})

    def test_a_transaction_that_is_too_large(self):
        db = self.open()
        with self.assertRaises(holt.TooLarge):
            with db.transaction() as t:
                for i in range(100_000):
                    t[str(i)] = b"x" * 1000
        self.assertEqual(len(db), 0)

    def test_collections_of_a_transaction_exist(self):
        db = self.open()
        with db.transaction() as t:
            with self.assertRaises(holt.NotFound):
                t.collection("none")
        self.assertEqual(db.collections(), ["default"])


class Snapshots(TestCase):
    def test_a_snapshot_is_one_moment(self):
        db = self.open()
        c = db.collection("c", kind="btree")
        db["a"], c["x"] = b"1", b"2"
        with db.snapshot() as s:
            del db["a"]
            c["x"] = b"3"
            db.clear()
            in_s = s.collection(c)
            self.assertEqual((s["a"], in_s["x"], dict(s), len(s)), (b"1", b"2", {b"a": b"1"}, 1))
            self.assertEqual((s.get_many(["a"]), s.get_range("a", "b")), ([b"1"], [(b"a", b"1")]))
            with self.assertRaises(holt.ReadOnly):
                in_s["x"] = b""
            with self.assertRaises(holt.ReadOnly):
                s.put("a", b"")
        with self.assertRaises(holt.Closed):
            s["a"]
        with self.assertRaises(holt.Closed):
            in_s["x"]


class Batches(TestCase):
    def test_a_batch_is_one_commit(self):
        db = self.open()
        db["a"] = b"1"
        commits = db.stats()["commits"]
        with db.batch() as b:
            b["b"] = b"2"
            del b["a"]
            del b["none"]
            b.collection(db.collection("c"))["x"] = b"y"
            b.put("e", b"", ttl=100)
            b.delete_range("x", "z")
            self.assertEqual(b.write_count, 6)
            self.assertEqual(db.stats()["commits"], commits)
            self.assertNotIsInstance(b, collections.abc.Mapping)
        self.assertEqual(db.stats()["commits"], commits + 1)
        self.assertEqual((list(db), dict(db.collection("c"))), ([b"b", b"e"], {b"x": b"y"}))

    def test_a_batch_neither_reads_nor_conflicts(self):
        db = self.open()
        with db.batch() as b:
            for read in (lambda: b["a"], lambda: b.get("a"), lambda: "a" in b, lambda: b.add("n"),
                         lambda: len(b), lambda: b.put("a", b"", if_absent=True),
                         lambda: b.get_range("a", "b")):
                with self.assertRaises(holt.Invalid):
                    read()
            db["a"] = b"1"
            b["a"] = b"2"
        self.assertEqual(dict(db), {b"a": b"2"})
        with self.assertRaises(ZeroDivisionError):
            with db.batch() as b:
                b["a"] = b"3"
                1 / 0
        self.assertEqual(dict(db), {b"a": b"2"})


if __name__ == "__main__":
    unittest.main()
