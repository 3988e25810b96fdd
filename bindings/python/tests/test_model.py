"""Random operations on a database, compared with a dict: 10,000 of them for each kind."""
import random
import unittest

import holt
from support import KINDS, TestCase, rounds, seed


class Model(TestCase):
    def key(self):
        return f"{self.random.randrange(400):03}".encode()

    def value(self):
        return self.random.randbytes(self.random.choice((0, 10, 100, 3000)))

    def bounds(self):
        a, b = self.random.choice((None, self.key())), self.random.choice((None, self.key()))
        return (b, a) if a is not None and b is not None and a > b else (a, b)

    def within(self, model, a, b):
        return [(k, model[k]) for k in sorted(model) if (a is None or k >= a) and (b is None or k < b)]

    def write(self, store, model):
        key, value = self.key(), self.value()
        op = self.random.randrange(12)
        if op < 3:
            store[key] = value
            model[key] = value
        elif op == 3:
            store.delete(key)
            model.pop(key, None)
        elif op == 4:
            self.assertEqual(store.pop(key, None), model.pop(key, None))
        elif op == 5:
            self.assertEqual(store.setdefault(key, value), model.setdefault(key, value))
        elif op == 6:
            a, b = self.bounds()
            if a is None or b is None or int(b) - int(a) > 20:
                a, b = key, f"{int(key) + 5:03}".encode()
            store.delete_range(a, b)
            for k, _ in self.within(model, a, b):
                del model[k]
        elif op == 7:
            try:
                store.put(key, value, if_absent=True)
                self.assertNotIn(key, model)
                model[key] = value
            except holt.Exists:
                self.assertIn(key, model)
        elif op == 8:
            try:
                store.put(key, value, if_present=True)
                self.assertIn(key, model)
                model[key] = value
            except KeyError:
                self.assertNotIn(key, model)
        elif op == 9:
            old, version, _ = store.get_versioned(key)
            self.assertEqual(old, model.get(key))
            store.put(key, value, if_version=version)
            model[key] = value
        elif op == 10:
            try:
                del store[key]
                del model[key]
            except KeyError:
                self.assertNotIn(key, model)
        else:
            more = {self.key(): self.value() for _ in range(5)}
            store.update(more)
            model.update(more)

    def read(self, store, model):
        key = self.key()
        a, b = self.bounds()
        limit = self.random.choice((None, 0, 1, 10, 100))
        want = self.within(model, a, b)
        op = self.random.randrange(10)
        if op < 3:
            self.assertEqual(store.get(key), model.get(key))
            self.assertEqual(key in store, key in model)
        elif op == 3:
            self.assertEqual(list(store.range(a, b, limit=limit)), want[:limit])
        elif op == 4:
            self.assertEqual(list(store.range(a, b, limit=limit, reverse=True)), want[::-1][:limit])
        elif op == 5:
            self.assertEqual(store.get_range(key, key), [(key, model[key])] if key in model else [])
        elif op == 6:
            keys = [self.key() for _ in range(30)]
            self.assertEqual(store.get_many(keys), [model.get(k) for k in keys])
        elif op == 7:
            self.assertEqual(list(store.keys(prefix=key[:2])), [k for k in sorted(model) if k[:2] == key[:2]])
        elif op == 8:
            self.assertEqual((len(store), bool(store)), (len(model), bool(model)))
        else:
            self.assertEqual(list(store.values(a, b)), [v for _, v in want])

    def transaction(self, store, model):
        copy = dict(model)
        with store.database.transaction() as t:
            inside = t.collection(store)
            marks = []
            for _ in range(self.random.randrange(20)):
                op = self.random.randrange(10)
                if op == 0:
                    marks.append((t.savepoint(), dict(copy)))
                elif op == 1 and marks:
                    number = self.random.randrange(len(marks))
                    marks[number + 1:] = []
                    marks[number][0].rollback()
                    copy = dict(marks[number][1])
                elif op < 6:
                    self.write(inside, copy)
                else:
                    self.read(inside, copy)
            if self.random.randrange(3) == 0:
                t.rollback()
                return model
        return copy

    def run_kind(self, kind):
        db = self.open(memtable="64K")
        store = db.collection("tested", kind=kind)
        snapshot, seen = None, None
        model = {}
        for step in range(rounds(10_000)):
            op = self.random.randrange(100)
            if op < 45:
                self.write(store, model)
            elif op < 85:
                self.read(store, model)
            elif op < 92:
                model = self.transaction(store, model)
            elif op < 95:
                if snapshot is None:
                    snapshot, seen = db.snapshot(), dict(model)
                try:
                    self.read(snapshot.collection(store), seen)
                except holt.Busy:  # revoked: it has pinned too much
                    snapshot.close()
                    snapshot = None
            elif op == 95 and snapshot is not None:
                snapshot.close()
                snapshot = None
            elif op == 96:
                db.flush()
            elif op == 97 and self.random.randrange(20) == 0:
                store.compact()
            elif op == 98 and self.random.randrange(40) == 0:
                store.clear()
                model.clear()
            elif op == 99 and self.random.randrange(10) == 0:
                db.close()
                db = self.open(memtable="64K")
                store, snapshot = db.collection("tested"), None
        self.assertEqual(store, model)
        self.assertEqual(db.verify()["problems"], [])
        db.close()
        self.assertEqual(holt.verify(self.path)["problems"], [])

    def test_against_a_dict(self):
        number = seed()
        for kind in KINDS:
            with self.subTest(kind=kind):
                self.random = random.Random(number)
                self.run_kind(kind)
                holt.destroy(self.path)


if __name__ == "__main__":
    unittest.main()
