#!/usr/bin/env python3
"""Measures Holt's Python package, beside plyvel (LevelDB) and py-lmdb if they are installed, in one run.

    bench.py [--num N] [--rounds N] [--dir DIR] [--seconds S]

Entries have keys of 16 and values of 100 bytes. Each engine does each workload in turn, in several rounds;
what is printed is the median of the CPU time of the process for each operation, in microseconds, because the
wall clock of a shared machine is noisy. Commits are not synced, except in the last part: durable puts, by one
task of asyncio and by a thousand, in operations per second by the wall clock, and the same by one thread
without asyncio.

`holt bench` measures the same gets without Python.
"""
import argparse
import asyncio
import os
import random
import shutil
import statistics
import sys
import tempfile
import time

import holt
from holt import aio

VALUE = os.urandom(100)


class Holt:
    def __init__(self, path, kind):
        self.name = f"holt, {kind}"
        self.db = holt.open(path, durability="process", memory="576M", memtable="64M", kind=kind)
        self.store = self.db.collection("bench", kind=kind)

    def settle(self):
        self.store.compact()

    def put(self, keys):
        store = self.store
        for key in keys:
            store[key] = VALUE

    def batch(self, keys):
        for at in range(0, len(keys), 1000):
            with self.db.batch() as b:
                store = b.collection(self.store)
                for key in keys[at:at + 1000]:
                    store[key] = VALUE

    def get(self, keys):
        store = self.store
        for key in keys:
            store[key]

    def get_many(self, keys):
        for at in range(0, len(keys), 100):
            self.store.get_many(keys[at:at + 100])

    def scan(self, keys):
        for _ in self.store.range():
            pass

    def close(self):
        self.db.close()


class Plyvel:
    name = "plyvel"

    def __init__(self, path):
        import plyvel
        self.db = plyvel.DB(path, create_if_missing=True, lru_cache_size=512 << 20,
                            write_buffer_size=64 << 20,
                            bloom_filter_bits=10, compression=None)

    def settle(self):
        self.db.compact_range()

    def put(self, keys):
        for key in keys:
            self.db.put(key, VALUE)

    def batch(self, keys):
        for at in range(0, len(keys), 1000):
            with self.db.write_batch() as b:
                for key in keys[at:at + 1000]:
                    b.put(key, VALUE)

    def get(self, keys):
        get = self.db.get
        for key in keys:
            get(key)

    get_many = None

    def scan(self, keys):
        for _ in self.db.iterator():
            pass

    def close(self):
        self.db.close()


class Lmdb:
    name = "py-lmdb"

    def __init__(self, path):
        import lmdb
        self.env = lmdb.open(path, map_size=4 << 30, sync=False)

    def settle(self):
        pass

    def put(self, keys):
        for key in keys:
            with self.env.begin(write=True) as t:
                t.put(key, VALUE)

    def batch(self, keys):
        for at in range(0, len(keys), 1000):
            with self.env.begin(write=True) as t:
                for key in keys[at:at + 1000]:
                    t.put(key, VALUE)

    def get(self, keys):
        # One transaction for all: the fastest way, though it sees no later writes.
        with self.env.begin() as t:
            get = t.get
            for key in keys:
                get(key)

    def get_many(self, keys):
        with self.env.begin() as t, t.cursor() as cursor:
            for at in range(0, len(keys), 100):
                cursor.getmulti(keys[at:at + 100])

    def scan(self, keys):
        with self.env.begin() as t, t.cursor() as cursor:
            for _ in cursor:
                pass

    def close(self):
        self.env.close()


WORKLOADS = [("put", "put, random"), ("batch", "put, random, 1,000 a batch"), ("get", "get, random, cached"),
             ("get_many", "get, 100 keys a call"), ("scan", "range over everything")]


def measure(function, keys):
    start = time.process_time()
    function(keys)
    return (time.process_time() - start) / len(keys) * 1e6


def engines(directory):
    made = [Holt(os.path.join(directory, "lsm"), "lsm"), Holt(os.path.join(directory, "btree"), "btree")]
    for engine in (Plyvel, Lmdb):
        try:
            made.append(engine(os.path.join(directory, engine.name)))
        except ImportError:
            print(f"{engine.name} is not installed (scripts/deps bench)", file=sys.stderr)
    return made


def compare(arguments, directory):
    keys = [b"%016d" % i for i in range(arguments.num)]
    random.Random(1).shuffle(keys)
    running = engines(directory)
    results = {}
    for workload, _ in WORKLOADS:
        if workload == "get":
            for engine in running:
                engine.settle()
                engine.get(keys)  # brings everything into memory
        for _ in range(arguments.rounds):
            for engine in running:
                function = getattr(engine, workload)
                if function:
                    results.setdefault((workload, engine.name), []).append(measure(function, keys))
    print(f"CPU us per operation, {arguments.num:,} entries, medians of {arguments.rounds} rounds")
    print("| workload | " + " | ".join(engine.name for engine in running) + " |")
    print("|---|" + "--:|" * len(running))
    for workload, title in WORKLOADS:
        cells = [results.get((workload, engine.name)) for engine in running]
        print(f"| {title} | " + " | ".join(f"{statistics.median(c):.2f}" if c else "" for c in cells) + " |")
    for engine in running:
        engine.close()


async def tasks(db, count, seconds):
    done = 0
    stop = time.perf_counter() + seconds

    async def task(number):
        nonlocal done
        i = 0
        while time.perf_counter() < stop:
            await db.put(b"%05d-%010d" % (number, i), VALUE)
            i += 1
            done += 1

    start, syncs = time.perf_counter(), db.stats()["log_syncs"]
    await asyncio.gather(*[task(number) for number in range(count)])
    return done / (time.perf_counter() - start), done / max(1, db.stats()["log_syncs"] - syncs)


async def durable(arguments, directory):
    path = os.path.join(directory, "durable")
    with holt.open(path) as db:
        stop, count = time.perf_counter() + arguments.seconds, 0
        while time.perf_counter() < stop:
            db[b"%010d" % count] = VALUE
            count += 1
        threaded = count / arguments.seconds
    async with aio.open(path) as db:
        one, many = [], []
        for _ in range(arguments.rounds):
            one.append((await tasks(db, 1, arguments.seconds))[0])
            many.append(await tasks(db, 1000, arguments.seconds))
    rate = statistics.median(m[0] for m in many)
    print(f"durable puts per second: one thread {threaded:,.0f}; "
          f"asyncio, one task {statistics.median(one):,.0f}; "
          f"1,000 tasks {rate:,.0f} ({rate / statistics.median(one):.0f}x, "
          f"{statistics.median(m[1] for m in many):.0f} puts a sync)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--num", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--dir", default=None)
    arguments = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="holt-bench-", dir=arguments.dir)
    try:
        compare(arguments, directory)
        asyncio.run(durable(arguments, directory))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
