"""Typed tables: rows, indexes, queries, schemas."""
import gc
import os
import random
import threading
import unittest

import holt
from support import KINDS, TestCase, rounds, seed

USERS = {"id": int, "name": str, "email": holt.Column(str, not_null=True, max_length=50), "age": int,
         "score": holt.Column(float, default=1.5), "active": holt.Column("boolean", default=True),
         "photo": bytes}
INDEXES = {"users_email": holt.Index("email", unique=True), "users_age": ["age", "-name"],
           "users_photo": holt.Index("photo", hashed="photo"),
           "users_score": holt.Index("score", not_null="name")}


class Tables(TestCase):
    def users(self, db=None, kind=None):
        db = self.open() if db is None else db  # an empty database is false, as an empty dict
        return db.create_table("users", USERS, primary_key="id", indexes=INDEXES, kind=kind)

    def test_rows(self):
        for kind in KINDS:
            db = self.open()
            users = self.users(db, kind)
            self.assertEqual(users.insert(name="Ada", email="ada@x", photo=bytearray(b"\0\1")), 1)
            self.assertEqual(users.insert({"id": 7, "email": "bob@x", "score": 2, "active": 0}), 7)
            self.assertEqual(users.insert((9, "Eve", "eve@x", 5, -0.5, False, None), replace=True), 9)
            row = users[1]
            self.assertEqual(row, (1, "Ada", "ada@x", None, 1.5, True, b"\0\1"))
            self.assertEqual((row.email, row["email"], row[2], row[-1], row[0:2]),
                             ("ada@x", "ada@x", "ada@x", b"\0\1", (1, "Ada")))
            self.assertEqual(users.get(7).as_dict(), {"id": 7, "name": None, "email": "bob@x", "age": None,
                                                      "score": 2.0, "active": False, "photo": None})
            self.assertEqual(dict(row), row.as_dict())
            with self.assertRaises(KeyError):
                row["none"]
            self.assertEqual((users.get(8), users.get(8, 0), 7 in users, 8 in users, len(users)),
                             (None, 0, True, False, 3))
            with self.assertRaises(KeyError):
                users[8]
            users.update(7, name="Bob", score=3)
            users.update(7, {"id": 8})
            self.assertEqual((users[8].name, users[8].score, 7 in users), ("Bob", 3.0, False))
            with self.assertRaises(KeyError):
                users.update(7, name="x")
            users.upsert(id=8, email="new@x")
            self.assertEqual((users[8].name, users[8].email), (None, "new@x"))
            self.assertEqual((users.delete(8), users.delete(8)), (True, False))
            self.assertEqual([r.id for r in users], [1, 9])
            self.assertEqual(users.insert_many({"email": f"{i}@x"} for i in range(100)), 100)
            self.assertEqual(users.check(), (102, 102 * 3 + 2, 0, 0, 0))
            self.assertTrue(users.check().sound)
            users.clear()
            self.assertEqual(list(users), [])
            db.close()
            holt.destroy(self.path)

    # What is wrong is told by class, message and fields; nothing is written.
    def test_rows_that_are_refused(self):
        users = self.users()
        users.insert(id=1, email="a@x")
        for error, problem, column, index, row in (
                (holt.Exists, "key exists", None, None, {"id": 1, "email": "b@x"}),
                (holt.Exists, "unique exists", "email", "users_email", {"id": 2, "email": "a@x"}),
                (holt.Invalid, "null", "email", None, {"id": 2}),
                (holt.Invalid, "type", "age", None, {"id": 2, "email": "b@x", "age": "old"}),
                (holt.Invalid, "type", "name", None, {"id": 2, "email": "b@x", "name": b"bytes"}),
                (holt.TooLarge, "length", "email", None, {"id": 2, "email": "é" * 51})):
            with self.assertRaises(error) as caught:
                users.insert(row)
            e = caught.exception
            self.assertEqual((e.problem, e.table), (problem, "users"), e)
            if index:
                self.assertEqual(e.index, index)
            elif column:
                self.assertEqual(e.column, column)
        for error, call in ((KeyError, lambda: users.insert(id=2, email="b@x", none=5)),
                            (ValueError, lambda: users.insert([1, 2])),
                            (ValueError, lambda: users.insert(range(9))),
                            (TypeError, lambda: users.insert("text")),
                            (TypeError, lambda: users.insert([1], id=5)),
                            (TypeError, lambda: users.insert(id=2, email="b@x", name=object())),
                            (OverflowError, lambda: users.insert(id=2**70, email="b@x")),
                            (ValueError, lambda: users.insert(id=2, email="b@x", score=float("nan"))),
                            (UnicodeEncodeError, lambda: users.insert(id=2, email="\ud800")),
                            (ValueError, lambda: users.get("x")), (ValueError, lambda: users.get((1, 2))),
                            (holt.Exists, lambda: users.update(1, id=1) or users.insert(id=1, email="z")),
                            (KeyError, lambda: users.update(1, none=5)),
                            (holt.Exists, lambda: users.insert_many([{"email": "c@x"}, {"email": "a@x"}]))):
            with self.assertRaises(error):
                call()
        self.assertEqual(len(users), 1)
        users.insert(id=5, email="a@x", replace=True)
        self.assertEqual([r.id for r in users], [5])
        self.assertTrue(users.check().sound)

    def test_names_and_descriptions(self):
        db = self.open()
        users = self.users(db)
        self.assertEqual((users.name, users.primary_key, db.tables()), ("users", ("id",), ["users"]))
        self.assertEqual(list(users.columns), list(USERS))
        email = users.columns["email"]
        self.assertEqual((email.type, email.not_null, email.max_length, users.columns["score"].default),
                         ("text", True, 50, 1.5))
        self.assertEqual({n: (i.columns, i.unique, i.hashed, i.not_null) for n, i in users.indexes.items()},
                         {"users_email": (("email",), True, (), None),
                          "users_age": (("age", "-name"), False, (), None),
                          "users_photo": (("photo",), False, ("photo",), None),
                          "users_score": (("score",), False, (), "name")})
        db.collection("plain")
        for wrong in (lambda: db.create_table("users", USERS, primary_key="id"),
                      lambda: db.create_table("plain", USERS)):
            with self.assertRaises(holt.Exists):
                wrong()
        for wrong in (["id"], "id", [("t_id", "id")], {"t_id": 5}, {"t_id": ["id", 5]}, {"t_id": []}):
            with self.assertRaises((TypeError, ValueError)):
                db.create_table("t", USERS, indexes=wrong)
        with self.assertRaisesRegex(TypeError, r"indexes must be a mapping of names to columns.*not list"):
            db.create_table("t", USERS, indexes=["id"])
        with self.assertRaisesRegex(TypeError, r"columns must be a mapping of names to types.*not list"):
            db.create_table("t", ["id"])
        self.assertEqual(db.tables(), ["users"])
        for wrong in ({"a": complex}, {"a": "decimal"}):
            with self.assertRaises(ValueError):
                db.create_table("t", wrong)
        for wrong in ({"block": 2**32}, {"filter_bits": -1}):
            with self.assertRaises(OverflowError):
                db.create_table("t", USERS, **wrong)
        for length in (-1, 2**64 + 1):
            with self.assertRaises(OverflowError):
                db.create_table("t", {"a": holt.Column(str, max_length=length)})
        with self.assertRaises(holt.Error):
            db.create_table("t", {"a": int}, primary_key="b")
        with self.assertRaises(holt.NotFound):
            db.table("none")
        again = db.create_table("users", USERS, primary_key="id", exist_ok=True)
        again.insert(id=1, email="x")
        self.assertIn(1, users)
        users.drop()
        with self.assertRaises(holt.Closed):
            users.get(1)
        self.assertEqual(db.tables(), [])

    def test_implicit_row_ids_and_keys_of_several_columns(self):
        db = self.open()
        log = db.create_table("log", {"text": str})
        self.assertEqual([log.insert(text=f"{i}") for i in range(3)], [1, 2, 3])
        self.assertEqual([r.text for r in log], ["0", "1", "2"])
        with self.assertRaises(holt.Invalid):
            log.where(text="1").delete()
        pairs = db.create_table("pairs", {"a": int, "b": str, "v": float}, primary_key=["a", "-b"])
        pairs.insert_many([(a, b, a) for a in range(3) for b in "xyz"])
        self.assertEqual([(r.a, r.b) for r in pairs][:4], [(0, "z"), (0, "y"), (0, "x"), (1, "z")])
        self.assertEqual((pairs[1, "y"].v, pairs.get((1, "q"))), (1.0, None))
        self.assertEqual([r.b for r in pairs.where(a=1, b__gte="y")], ["z", "y"])
        self.assertEqual(pairs.where(a=1, b__gte="y").explain(), "")
        self.assertEqual(pairs.primary_key, ("a", "-b"))

    def test_schema_changes(self):
        db = self.open()
        users = self.users(db)
        users.insert(id=1, email="a@x")
        other = db.table("users")
        users.add_column("city", str, default="Turin")
        users.rename_column("name", "full_name")
        self.assertEqual((other[1].city, other[1].full_name), ("Turin", None))
        other.insert(id=2, email="b@x", full_name="B", city=None)
        users.drop_column("city")
        self.assertNotIn("city", users.columns)
        users.create_index("users_full", holt.Index("full_name"))
        self.assertEqual(other.where(full_name="B").explain(), "users_full")
        users.drop_index("users_full")
        self.assertEqual(other.where(full_name="B").explain(), "")
        users.reindex()
        users.reindex("users_age")
        users.rename("people")
        self.assertEqual((users.name, other.name, db.tables()), ("people", "people", ["people"]))
        for error, call in ((holt.Exists, lambda: users.add_column("age", int)),
                            (holt.NotFound, lambda: users.drop_column("none")),
                            (holt.Invalid, lambda: users.drop_column("id")),
                            (holt.NotFound, lambda: users.drop_index("none")),
                            (holt.NotFound, lambda: users.create_index("i", "none")),
                            (holt.Exists, lambda: users.create_index("u", "score", unique=True))):
            with self.assertRaises(error):
                call()
        seen = []
        users.create_index("slow", "score", progress=lambda done, total: seen.append(done))

        def stop(done, total):
            with self.assertRaises(holt.Busy):
                db.close()
            1 / 0

        with self.assertRaises(ZeroDivisionError):
            users.create_index("stopped", "score", progress=stop)
        self.assertNotIn("stopped", users.indexes)
        self.assertTrue(users.check().sound)

    def test_transactions(self):
        db = self.open()
        users, c = self.users(db), db.collection("c")
        with db.transaction() as t:
            inside = t.table(users)
            inside.insert(id=1, email="a@x", age=5)
            t.collection(c)["k"] = b"v"
            self.assertEqual((inside.where(age=5).one().email, users.get(1), len(t.table("users"))),
                             ("a@x", None,
                              1))
            with self.assertRaises(holt.Exists):
                inside.insert(id=1, email="b@x")
        self.assertEqual((users[1].email, c["k"]), ("a@x", b"v"))
        with self.assertRaises(ZeroDivisionError):
            with db.transaction() as t:
                t.table(users).update(1, age=6)
                t.table(users).insert(id=2, email="b@x")
                1 / 0
        self.assertEqual([r.age for r in users], [5])
        with self.assertRaises(holt.Conflict):
            with db.transaction() as t:
                t.table(users).update(1, age=7)
                users.update(1, age=8)
        with db.snapshot() as s:
            users.delete(1)
            old = s.table(users)
            self.assertEqual((old[1].age, old.where(email="a@x").count(), len(users)), (8, 1, 0))
            with self.assertRaises(holt.ReadOnly):
                old.insert(id=5, email="x")
        with self.assertRaises(holt.Closed):
            old.get(1)
        with db.batch() as b:
            with self.assertRaises(holt.Invalid):
                b.table(users).insert(id=1, email="x")

    # A scan in a transaction shows what the transaction writes, behind the row that it is on.
    def test_writing_while_scanning(self):
        db = self.open()
        users = self.users(db)
        users.insert_many({"id": i, "email": f"{i}", "age": i} for i in range(100))
        with db.transaction() as t:
            inside, seen = t.table(users), []
            for row in inside.where(age__gte=10).select("id"):
                seen.append(row.id)
                if row.id % 2 == 0:
                    inside.delete(row.id + 1)
            self.assertEqual(seen, list(range(10, 100, 2)))

    # A limit is checked when it is given, whether or not rows have to be looked at.
    def test_limits(self):
        users = self.users(self.open())
        users.insert_many({"id": i, "email": f"{i}"} for i in range(5))
        for query in (users.where(), users.where(id__gte=0)):
            self.assertEqual([len(query.limit(n).all()) for n in (0, 1, 5, 9)], [0, 1, 5, 5])
            for error, wrong in ((ValueError, -1), (TypeError, 1.5), (TypeError, "1"), (TypeError, None)):
                with self.assertRaises(error):
                    query.limit(wrong)

    def test_queries(self):
        db = self.open()
        users = self.users(db)
        users.insert_many({"id": i, "email": f"{i}@x", "age": i % 10, "name": f"n{i % 7}" if i % 3 else None}
                          for i in range(100))
        q = users.where(age=3)
        self.assertEqual((q.explain(), q.count(), q.exists(), users.where(age=30).exists()),
                         ("users_age", 10, True, False))
        self.assertEqual(users.where(email="5@x").one().id, 5)
        self.assertEqual(users.where(EMAIL="5@x").one().id, 5)
        with self.assertRaises(KeyError):
            users.where(email="none").one()
        with self.assertRaises(holt.Conflict):
            q.one()
        self.assertEqual((q.first().id, users.where(age=99).first()), (13, None))  # then by name, descending
        self.assertEqual([r.id for r in users.where(id__gte=3, id__lt=6)], [3, 4, 5])
        self.assertEqual([r.id for r in users.where(id__gt=3, id__lte=6).reverse()], [6, 5, 4])
        self.assertEqual([r.id for r in users.where(id__in=[5, 3, 5, 1000]).limit(1)], [3])
        self.assertEqual([r.id for r in users.where(id__in=[5, 3, 7]).reverse()], [7, 5, 3])
        self.assertEqual([r for r in users.where(id=5).select("email", "age")], [("5@x", 5)])
        self.assertEqual(users.where(id=5).select("age").one().age, 5)
        self.assertEqual([r.id for r in users.where().using("users_email").limit(2)], [0, 10])
        self.assertEqual(users.where({"age": 3}, id__ne=3).count(), 9)
        self.assertEqual((users.where(name=None).count(), users.where(name__ne=None).count()), (34, 66))
        for wrong in (lambda: users.where(none=1), lambda: users.where(age__near=1),
                      lambda: users.where().select("x"),
                      lambda: users.where().using("none")):
            with self.assertRaises(KeyError):
                wrong()
        for wrong in (lambda: users.where(age="x"), lambda: users.where(age__lt=None),
                      lambda: users.where(age=True),
                      lambda: users.where(id=1).using("users_photo").all()):
            with self.assertRaises(ValueError):
                wrong()
        self.assertEqual(users.where(age=3).update(age=30, active=False), 10)
        self.assertEqual((users.where(age=3).count(), users.where(active=False).count()), (0, 10))
        self.assertEqual(users.where(age__in=[30, 4]).delete(), 20)
        self.assertEqual(len(users), 80)
        with db.transaction() as t:
            self.assertEqual(t.table(users).where(age__gte=0).delete(), 80)
            t.rollback()
        self.assertEqual(len(users), 80)
        self.assertTrue(users.check().sound)

    # Random rows and random queries, compared with the same over a dict; each index must serve some.
    def test_against_a_dict(self):
        number = seed()
        for kind in KINDS:
            r = random.Random(number)
            db = self.open(memtable="64K")
            users, model, served = self.users(db, kind), {}, set()

            def value(column):
                return r.choice({"id": [r.randrange(60)], "name": [None, "a", "b", "ab", "\0", "ü"],
                                 "email": [f"{r.randrange(200)}@x"], "age": [None, -1, 0, 5, 2**40],
                                 "score": [None, 0.0, -2.5, 1.5], "active": [None, True, False],
                                 "photo": [None, b"", b"\0", b"\xff" * 30]}[column])

            def clashes(row, but=None):
                return any(k != but and m["email"] == row["email"] for k, m in model.items())

            def write():
                row = {column: value(column) for column in USERS}
                op = r.randrange(6)
                if op < 3:
                    bad = row["id"] in model or clashes(row)
                    try:
                        users.insert(row)
                        self.assertFalse(bad)
                        model[row["id"]] = row
                    except holt.Exists:
                        self.assertTrue(bad)
                elif op == 3:
                    bad = clashes(row, row["id"])
                    try:
                        users.upsert(row)
                        self.assertFalse(bad)
                        model[row["id"]] = row
                    except holt.Exists:
                        self.assertTrue(bad)
                elif op == 4:
                    self.assertEqual(users.delete(row["id"]), model.pop(row["id"], None) is not None)
                elif row["id"] in model:
                    columns = r.sample(["name", "age", "score", "active", "photo"], 2)
                    users.update(row["id"], {column: row[column] for column in columns})
                    for column in columns:
                        model[row["id"]][column] = row[column]

            compare = {"eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "in": lambda a, b: a in b,
                       "lt": lambda a, b: a is not None and a < b, "lte": lambda a,
                       b: a is not None and a <= b,
                       "gt": lambda a, b: a is not None and a > b, "gte": lambda a,
                       b: a is not None and a >= b}

            def query():
                conditions = {}
                for column in r.sample(list(USERS), r.randrange(4)):
                    op = r.choice(list(compare))
                    v = [value(column) for _ in range(3)] if op == "in" else value(column)
                    if v is None and op not in ("eq", "ne"):
                        continue
                    conditions[column if op == "eq" else f"{column}__{op}"] = v
                q = users.where(conditions)
                served.add(q.explain())
                want = [m for m in model.values() if all(
                    compare[name.partition("__")[2] or "eq"](m[name.partition("__")[0]], v)
                    for name, v in conditions.items())]
                got = [row.as_dict() for row in q]
                self.assertEqual(sorted(got, key=lambda m: m["id"]), sorted(want, key=lambda m: m["id"]),
                                 conditions)
                self.assertEqual([row.as_dict() for row in q.limit(3)], got[:3])
                self.assertEqual(len(q.reverse().all()), len(got))
                self.assertEqual(q.count(), len(got))

            for step in range(rounds(1500)):
                write() if r.randrange(2) else query()
                if step % 300 == 0:
                    self.assertTrue(users.check().sound)
                    db.flush()
            self.assertEqual({row.id: row.as_dict() for row in users}, model)
            self.assertEqual(users.check()[2:], (0, 0, 0))
            if rounds(1500) >= 1500:
                self.assertEqual(served, {"", *INDEXES})
            db.close()
            holt.destroy(self.path)

    # The order of the bytes is the order of the tuples.
    def test_keys_of_several_parts(self):
        parts = [None, False, True, -2**63, -1, 0, 1, 2**63 - 1, -1.5, 0.0, 2.0, "", "a", "a\0b", "b", b"",
                 b"\0"]
        tuples = [(a, b) for a in parts for b in parts]
        keys = [holt.encode_key(*t) for t in tuples]
        self.assertEqual(keys, sorted(keys))
        self.assertEqual([holt.decode_key(k) for k in keys], tuples)
        down = [holt.encode_key(a, b, descending=[1]) for a, b in tuples]
        self.assertEqual(sorted(down), [k for a in parts for k in reversed(
            [holt.encode_key(a, b, descending=[1]) for b in parts])])
        self.assertEqual(holt.decode_key(down[5], descending=[1]), tuples[5])
        self.assertEqual(holt.encode_key(), b"")
        db = self.open()
        for key in keys:
            db[key] = b""
        self.assertEqual(len(list(db.range(prefix=holt.encode_key("a")))), len(parts))
        for error, call in ((holt.Corrupt, lambda: holt.decode_key(b"\xee\xee")),
                            (holt.Invalid, lambda: holt.encode_key(float("nan"))),
                            (holt.Invalid, lambda: holt.encode_key(*range(65))),
                            (TypeError, lambda: holt.encode_key([1])),
                            (TypeError, lambda: holt.decode_key(5)),
                            (OverflowError, lambda: holt.encode_key(2**63)),
                            (OverflowError, lambda: holt.encode_key(1, descending=[64])),
                            (ValueError, lambda: holt.encode_key(1, descending=[-1]))):
            with self.assertRaises(error):
                call()

    # Counters in rows, from several threads: no change is lost, and the index stays right.
    def test_threads(self):
        db = self.open()
        users = self.users(db)
        users.insert(id=1, email="a", age=0)
        n = rounds(50)

        def change(t):
            inside = t.table(users)
            inside.update(1, age=inside[1].age + 1)

        def work(name):
            for i in range(n):
                db.transact(change, tries=10_000)
                users.insert(email=f"{name}{i}", age=i)
                self.assertEqual(users.where(email=f"{name}{i}").one().age, i)
                list(users.where(age__gte=0).limit(20))

        threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((users[1].age, len(users)), (4 * n, 4 * n + 1))
        self.assertTrue(users.check().sound)

    # A database is closed with tables and scans open, in use by threads too.
    def test_closing(self):
        for _ in range(rounds(10)):
            db = self.open()
            users = self.users(db)
            users.insert_many({"email": f"{i}"} for i in range(1000))
            scan, t = iter(users), db.transaction()
            in_t = t.table(users)
            inside = iter(in_t)
            next(scan), next(inside)
            errors = []

            def work():
                try:
                    while True:
                        list(users.where(id__gte=5).limit(100))
                        users.update(5, age=1)
                        in_t.get(7)
                        db.table("users").get(5)
                except holt.Closed:
                    pass
                except BaseException as error:
                    errors.append(error)

            threads = [threading.Thread(target=work) for _ in range(3)]
            for thread in threads:
                thread.start()
            db.close()
            for thread in threads:
                thread.join(60)
                self.assertFalse(thread.is_alive())
            self.assertEqual(errors, [])
            for use in (lambda: users.get(1), lambda: list(scan), lambda: list(inside), lambda: in_t.get(1),
                        lambda: users.check(), lambda: db.tables(), lambda: users.name):
                with self.assertRaises(holt.Closed):
                    use()
            self.assertIn("closed", repr(users))
            with self.open() as db:
                self.assertTrue(db.table("users").check().sound)
            holt.destroy(self.path)

    # The garbage collector runs the code of finalizers in the middle of other calls. Here it closes the
    # database, at each of the first allocations of a call.
    def test_a_finalizer_closes_the_database(self):
        class Closer:
            def __del__(self):
                self.db.close()

        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        with self.open() as db:
            self.users(db).insert(id=1, email="x")
        for make in (lambda db, users: db.table("users"), lambda db, users: next(iter(users)),
                     lambda db, users: db.transaction(), lambda db, users: db.cursor(),
                     lambda db, users: users.get(1), lambda db, users: len(db)):
            for allocations in range(1, 13):
                with self.open() as db:
                    users = db.table("users")
                    closer = Closer()
                    closer.db, closer.me = db, closer
                    gc.collect()
                    gc.set_threshold(allocations)
                    del closer
                    try:
                        kept = make(db, users)
                    except holt.Closed:
                        kept = None
                    gc.set_threshold(0)
                    gc.collect()
                    self.assertTrue(db.closed)
                    del kept, users

    def test_fork(self):
        db = self.open()
        users = self.users(db)
        users.insert(id=1, email="a")
        rows = iter(users)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                closed = 0
                for use in (lambda: users.get(1), lambda: list(rows), lambda: db.table("users")):
                    try:
                        use()
                    except holt.Closed:
                        closed += 1
                del users, rows, use
                db.close()
                status = 0 if closed == 3 else 2
            finally:
                os._exit(status)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
        self.assertEqual([r.id for r in rows], [1])
        self.assertEqual(users[1].email, "a")

    def test_open_tables_at_exit(self):
        self.run_python("""
import holt, sys
db = holt.open(sys.argv[1], durability="process")
users = db.create_table("users", {"id": int, "name": str}, primary_key="id", indexes={"n": "name"})
users.insert(id=1, name="a")
rows = iter(users)
inside = db.transaction().table(users).where(name="a")
kept = iter(inside)
""", self.path)
        with self.open() as db:
            self.assertEqual(db.table("users").where(name="a").one().id, 1)

    def test_cycles_are_collected(self):
        class Manager(holt.Database):
            pass

        db = Manager(self.path, memory="8M")
        db.users = self.users(db)
        db.users.insert(id=1, email="a")
        db.kept = [iter(db.users), db.transaction().table("users"), db.users.where(id=1)]
        next(db.kept[0])
        with self.assertWarns(ResourceWarning):
            del db
            gc.collect()
        self.assertEqual(self.open().table("users")[1].email, "a")

    @unittest.skipIf(os.environ.get("HOLT_PYTHON_SANITIZED"), "memory is watched by a sanitizer")
    def test_no_call_leaks(self):
        from test_memory import resident_kib
        users = self.users()
        users.insert(id=1, email="a", photo=b"x" * 1000)

        def calls():
            for call in (lambda: users.insert(id=1, email="x" * 40, photo=bytearray(1000)),
                         lambda: users.insert(id=2, email=5), lambda: users.insert(id=2, email="b",
                                                                                   photo=object()),
                         lambda: users.get("x"), lambda: users.update(1, age="x" * 1000)):
                try:
                    call()
                except (holt.Error, TypeError):
                    pass
            users.update(1, photo=bytearray(1000))
            users[1], users.where(email="a").one(), next(iter(users)), list(users.where(photo=b"x"))
            users.version, users.columns, users.database.tables(), users.database.table("users")

        for _ in range(rounds(300)):
            calls()
        gc.collect()
        before = resident_kib()
        for _ in range(rounds(300)):
            calls()
        gc.collect()
        self.assertLess(resident_kib() - before, 2048)


if __name__ == "__main__":
    unittest.main()
