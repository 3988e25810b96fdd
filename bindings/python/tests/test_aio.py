"""holt.aio: the same for asyncio."""
import asyncio
import gc
import threading
import time
import unittest
import warnings

import holt
from holt import aio
from support import TestCase, rounds


class Asyncio(TestCase, unittest.IsolatedAsyncioTestCase):
    def open_aio(self, **options):
        options.setdefault("memory", "8M")
        options.setdefault("durability", "process")
        return aio.open(self.path, **options)

    async def test_the_calls_of_a_store(self):
        async with self.open_aio() as db:
            c = await db.collection("c", kind="btree")
            self.assertEqual((c.name, await db.collections()), ("c", ["c", "default"]))
            for store in (db, c):
                await store.put("a", b"1")
                await store.put(bytearray(b"b"), memoryview(b"2"), ttl=1000)
                self.assertEqual((await store.get("a"), await store.get("x"), await store.get("x", 5)),
                                 (b"1", None,
                                  5))
                self.assertEqual((await store.exists("a"), await store.exists("x")), (True, False))
                self.assertEqual(await store.get_many(["a", "x", "b"]), [b"1", None, b"2"])
                self.assertIsNone(await store.expiry("a"))
                self.assertIsNotNone(await store.expiry("b"))
                await store.expire("b")
                self.assertIsNone(await store.expiry("b"))
                with self.assertRaises(holt.Exists):
                    await store.put("a", b"", if_absent=True)
                with self.assertRaises(KeyError):
                    await store.put("x", b"", if_present=True)
                with self.assertRaises(KeyError):
                    await store.expiry("x")
                await store.put("a", b"3", if_version=(await store.get_versioned("a"))[1])
                self.assertEqual([await store.add("n"), await store.add("n", 5)], [1, 6])
                await store.update({"d": b"4", "e": b"5"})
                await store.update([("f", b"6")])
                await store.delete("d")
                await store.delete_range("e", "f")
                self.assertEqual(await store.get_range("a", "f"), [(b"a", b"3"), (b"b", b"2"), (b"f", b"6")])
                self.assertEqual([key async for key in store], [b"a", b"b", b"f", b"n"])
                self.assertEqual([v async for v in store.values(prefix="a")], [b"3"])
                self.assertEqual([e async for e in store.range(reverse=True, limit=1)], [(b"n", b"6")])
                self.assertEqual(await store.count(), 4)
                await store.compact()
                self.assertEqual((await store.collection_stats())["entries"], 4)
                await store.clear()
                self.assertEqual(await store.count(), 0)
            await db.sync()
            await db.flush()
            self.assertEqual((await db.verify())["problems"], [])
            self.assertGreater(db.stats()["puts"], 0)
            await db.rename("c", "d")
            await db.drop("d")
        self.assertTrue(db.closed)
        with self.assertRaises(holt.Closed):
            await db.put("a", b"")
        with self.assertRaises(holt.Closed):
            await db.get("a")
        await db.close()

    # A wrong argument is the error of its call, at once or when it is awaited, and of no other.
    async def test_wrong_arguments(self):
        async with self.open_aio() as db:
            good = [db.put(f"{i}", b"") for i in range(10)]
            with self.assertRaises(TypeError):
                await db.put(5, b"")
            with self.assertRaises(TypeError):
                await db.put("a", 5)
            results = await asyncio.gather(db.put("\ud800", b""), db.put("k" * 70_000, b""), db.add("5", "x"),
                                           db.put("large", b"x" * (3 << 20)), db.put("fine", b""), db.get(5),
                                           return_exceptions=True)
            self.assertEqual([type(r) for r in results], [UnicodeEncodeError, holt.TooLarge, TypeError,
                                                          holt.TooLarge, type(None), TypeError])
            await asyncio.gather(*good)
            self.assertEqual(await db.count(), 11)

    # Blind and conditional writes of many tasks, in one commit or in few: each has a result of its own, and
    # they are made in the order of the calls.
    async def test_many_tasks_share_commits(self):
        async with self.open_aio(durability="commit") as db:
            c = await db.collection("c", kind="btree")
            commits = db.stats()["commits"]
            sums = await asyncio.gather(*[db.add("n") for _ in range(1000)])
            self.assertEqual(sorted(sums), list(range(1, 1001)))
            self.assertEqual(sums, sorted(sums))
            once = await asyncio.gather(*[c.put("once", str(i), if_absent=True) for i in range(100)],
                                        return_exceptions=True)
            self.assertEqual([type(r) for r in once], [type(None)] + [holt.Exists] * 99)
            await asyncio.gather(*[store.put("last", str(i)) for i in range(1000) for store in (db, c)])
            self.assertEqual((await db.get("last"), await c.get("last")), (b"999", b"999"))
            # 3,100 writes. How many gather during a commit depends on the disk.
            self.assertLess(db.stats()["commits"] - commits, 1550)

    # More than one transaction can hold.
    async def test_a_queue_that_is_larger_than_a_transaction(self):
        async with self.open_aio() as db:
            await asyncio.gather(*[db.put(f"{i:04}", b"x" * 50_000) for i in range(200)])
            await asyncio.gather(*[db.put(f"{i:04}", b"y" * 50_000, if_present=True) for i in range(200)])
            self.assertEqual([v[:1] async for v in db.values()], [b"y"] * 200)

    # Conflicts with writers outside of the queue: no sum is lost.
    async def test_other_writers(self):
        async with self.open_aio() as db:
            stop = threading.Event()
            others = 0

            def add():
                nonlocal others
                while not stop.is_set():
                    db._db.add("n")
                    others += 1

            thread = threading.Thread(target=add)
            thread.start()
            for _ in range(rounds(30)):
                await asyncio.gather(*[db.add("n") for _ in range(50)])
            stop.set()
            await asyncio.to_thread(thread.join)
            self.assertEqual(int(await db.get("n")), others + 50 * rounds(30))

    # What was acknowledged is durable.
    async def test_acknowledged_writes_are_durable(self):
        async with self.open_aio(durability="commit") as db:
            for _ in range(20):
                await asyncio.gather(*[db.put(f"{i}", b"") for i in range(20)])
                stats = db.stats()
                self.assertEqual(stats["durable_seqno"], stats["last_seqno"])

    # A get that must read the disk, and a long scan, let the loop run.
    async def test_the_loop_runs_meanwhile(self):
        async with self.open_aio() as db:
            await db.update({f"{i:05}": b"x" * 1000 for i in range(20_000)})
            await db.flush()
        async with self.open_aio() as db:
            ticks = 0

            async def tick():
                nonlocal ticks
                while True:
                    ticks += 1
                    await asyncio.sleep(0)

            ticking = asyncio.create_task(tick())
            misses = db.stats()["cache_misses"]
            for i in range(0, 20_000, 500):
                self.assertEqual(await db.get(f"{i:05}"), b"x" * 1000)
            self.assertGreater(db.stats()["cache_misses"], misses)
            self.assertGreater(ticks, 20)
            before = ticks
            self.assertEqual(sum([1 async for _ in db]), 20_000)
            self.assertGreater(ticks - before, 5)
            ticking.cancel()

    async def test_transactions(self):
        async with self.open_aio() as db:
            c = await db.collection("c")
            async with db.transaction() as t:
                await t.put("a", b"1")
                inside = await t.collection(c)
                await inside.put("x", b"2", if_absent=True)
                self.assertEqual((await t.add("n", 3), await inside.get("x"), await c.get("x")),
                                 (3, b"2", None))
                with t.savepoint() as point:
                    await t.delete("a")
                    await t.delete_range("n", "o")
                    point.rollback()
                self.assertEqual([k async for k in t], [b"a", b"n"])
            self.assertEqual((await db.get("a"), await c.get("x")), (b"1", b"2"))
            with self.assertRaises(ZeroDivisionError):
                async with db.transaction() as t:
                    await t.put("a", b"2")
                    1 / 0
            with self.assertRaises(holt.Conflict):
                async with db.transaction() as t:
                    await t.put("a", b"2")
                    await db.put("a", b"3")
            async with db.transaction() as t:
                await t.put("a", b"4")
                t.rollback()
            async with db.transaction() as t:
                await t.put("b", b"5")
                await t.commit()
            self.assertEqual((await db.get("a"), await db.get("b")), (b"3", b"5"))

            async def change(t):
                value = int(await t.get("a"))
                await asyncio.sleep(0)
                await t.put("a", str(value + 1).encode())
                return value

            results = await asyncio.gather(*[db.transact(change, tries=10_000) for _ in range(50)])
            self.assertEqual(sorted(results), list(range(3, 53)))
            with self.assertRaises(KeyError):
                async def fail(t):
                    raise KeyError
                await db.transact(fail)

    async def test_snapshots_and_batches(self):
        async with self.open_aio() as db:
            c = await db.collection("c")
            async with db.batch() as b:
                b.put("a", b"1")
                b.put("x", b"2", collection=c, ttl=1000)
                b.delete("none")
                b.delete_range("y", "z", collection=c)
            self.assertEqual(db.stats()["commits"], 1)
            async with db.snapshot() as s:
                await db.put("a", b"9")
                self.assertEqual((await s.get("a"), await (await s.collection("c")).get("x")), (b"1", b"2"))
            with self.assertRaises(ZeroDivisionError):
                async with db.batch() as b:
                    b.put("a", b"")
                    1 / 0
            self.assertEqual(await db.get("a"), b"9")

    # Rows of many tasks share commits, and what is refused is refused to its own task only.
    async def test_tables(self):
        async with self.open_aio(durability="commit") as db:
            users = await db.create_table("users", {"id": int, "email": str, "age": int}, primary_key="id",
                                          indexes={"by_email": holt.Index("email", unique=True),
                                                   "by_age": "age"})
            again = await db.table("users")
            numbers = await asyncio.gather(*[users.insert(email=f"{i % 400}",
                                                          age=i % 10) for i in range(500)],
                                           return_exceptions=True)
            self.assertEqual(sum(isinstance(n, holt.Exists) for n in numbers), 100)
            self.assertEqual(sorted(n for n in numbers if isinstance(n, int)), list(range(1, 401)))
            self.assertEqual((users.name, await again.count()), ("users", 400))
            self.assertEqual((await users.get(1)).email, "0")
            await asyncio.gather(users.upsert(id=1, email="new"), users.update(2, age=99), users.delete(3),
                                 db.put("plain", b"1"))
            self.assertEqual((await again.where(email="new").one()).id, 1)
            self.assertEqual((await users.where(age=99).first()).id, 2)
            self.assertFalse(await users.where(id=3).exists())
            with self.assertRaises(KeyError):
                await users.update(3, age=1)
            self.assertFalse(await users.delete(3))
            self.assertEqual(await users.insert_many([{"email": "x"}, {"email": "y"}]), 2)
            self.assertEqual([row.id async for row in users.where(id__lt=6).select("id").reverse()], [5, 4, 2,
                                                                                                      1])
            self.assertEqual(len(await users.where(age__gte=0).limit(7).all()), 7)
            self.assertEqual(len([row async for row in users.where()]), await users.where().count())
            self.assertEqual(await users.where(age=5).update(age=6), 40)
            self.assertEqual(await users.where(age=6).delete(), 80)
            await users.create_index("by_both", ["age", "email"])
            self.assertTrue((await users.check()).sound)

    # A cancelled task does not hold up the others.
    async def test_cancelling(self):
        async with self.open_aio(durability="commit") as db:
            tasks = [asyncio.create_task(self.put(db, i)) for i in range(200)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
            self.assertEqual([type(d) for d in done[1::2]], [type(None)] * 100)
            for i in range(1, 200, 2):
                self.assertTrue(await db.exists(f"{i}"))
            async for _ in db.range():
                break  # leaves an iteration

    async def put(self, db, i):
        await db.put(f"{i}", b"")

    # Writes that are queued when the database is closed are made.
    async def test_closing_makes_what_is_queued(self):
        db = await self.open_aio(durability="commit")
        puts = [db.put(f"{i}", b"") for i in range(100)]
        await db.close()
        await asyncio.gather(*puts)
        with self.open() as again:
            self.assertEqual(len(again), 100)

    async def test_open_fails(self):
        with self.assertRaises(holt.NotFound):
            await self.open_aio(create=False)
        with self.assertRaises(holt.NotFound):
            async with self.open_aio(create=False):
                pass

    # Dropped without a close: it warns, its thread ends, and the directory is free again.
    async def test_an_unclosed_database(self):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            db = await self.open_aio()
            await db.put("a", b"1")
            del db
            gc.collect()
            for _ in range(200):
                if not any(thread.name == "holt-writer" for thread in threading.enumerate()):
                    break
                await asyncio.sleep(0.02)
            gc.collect()
            self.assertIn(ResourceWarning, [w.category for w in caught])
            caught.clear()  # a warning keeps its source
            gc.collect()
        with self.open() as again:
            self.assertEqual(again["a"], b"1")


class Loops(TestCase):
    # A database that outlives its loop is used by the next one; and by two at a time.
    def test_several_loops(self):
        db = aio.Database(holt.open(self.path, memory="8M", durability="process"))

        async def put(name):
            await asyncio.gather(*[db.put(f"{name}{i}", b"") for i in range(100)])

        asyncio.run(put("a"))
        threads = [threading.Thread(target=lambda name=name: asyncio.run(put(name))) for name in "bcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        async def end():
            self.assertEqual(await db.count(), 400)
            await db.close()

        asyncio.run(end())

    # The interpreter ends with writes in the queue and the database open.
    def test_exit(self):
        self.run_python("""
import asyncio, holt, sys
from holt import aio
async def main():
    global db
    db = await aio.open(sys.argv[1])
    await db.put("a", b"1")
    global puts
    puts = [db.put(f"{i}", b"") for i in range(1000)]
asyncio.run(main(), debug=False)  # which would report a slow machine
db._writer.stopped = True  # no warning
""", self.path)
        with self.open() as db:
            self.assertEqual(db["a"], b"1")


if __name__ == "__main__":
    unittest.main()
