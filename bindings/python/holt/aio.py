"""Holt for asyncio.

    from holt import aio

    async with aio.open("data") as db:
        await db.put("city", b"Lisbon")
        async for key, value in db.range("a", "d"):
            print(key, value)

Nothing waits for the disk on the thread of the event loop. A get of what is in memory is answered at once;
what must be read, and everything else that may wait, is done by a few threads.

Writes of all tasks go through one queue. A thread takes what has gathered there and commits it together, so a
thousand tasks that put durably at the same time share a few syncs. Each write is still a commit of its own to
its task: it succeeds or fails by itself, it is durable when it returns, and writes are made in the order of
the calls.

A task that is cancelled while it waits for a write does not take the write back.
"""
from __future__ import annotations

import asyncio
import itertools
import random
import threading
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Generator, Generic, Optional, TypeVar, Union, cast

import holt
from holt import _holt
from holt._types import Buffer, Data, Durability, Kind, Path, Seconds, Size, When

__all__ = ["open", "Database", "Collection", "Transaction", "Snapshot", "Batch", "Range", "Table", "Query"]

T = TypeVar("T")
D = TypeVar("D", bound="_Ended[Any]")

_BUSY: Any = object()

# Entries that a range fetches at once: few at first, as not all of them may be wanted.
_FIRST_FETCH, _LARGEST_FETCH = 32, 1024

# How often a commit of conditional writes is repeated as a whole before each is made by itself.
_TRIES = 10


def _kept(data: Buffer) -> Buffer:
    """A key or a value that stays as it is until a thread has written it."""
    return data if type(data) is bytes or isinstance(data, str) else bytes(memoryview(data))


_Target = Union[holt.Collection, holt.Database, holt.Table]


class _Write:
    """A write in the queue: function(store, *args, **options), where store is the collection, or the
    collection in a transaction. A blind one needs no transaction that reads."""

    __slots__ = ("function", "collection", "blind", "args", "options", "future", "result", "error")

    def __init__(self, function: Callable[..., Any], collection: _Target, blind: bool,
                 args: tuple[Any, ...], options: dict[str, Any], future: asyncio.Future[Any]) -> None:
        self.function = function
        self.collection = collection
        self.blind = blind
        self.args = args
        self.options = options
        self.future = future
        self.result: Any = None
        self.error: Optional[BaseException] = None


class _Writer:
    """The queue of writes and its thread."""

    def __init__(self, db: holt.Database) -> None:
        self._db = db
        self._queue: SimpleQueue[Optional[_Write]] = SimpleQueue()  # None ends the thread
        self.stopped = False
        self._thread = threading.Thread(target=self._run, name="holt-writer", daemon=True)
        self._thread.start()

    def submit(self, write: _Write) -> None:
        if self.stopped or self._db.closed:
            raise holt.Closed("the database is closed")
        self._queue.put(write)

    def stop(self) -> None:
        """Lets the thread end once it has made all writes of the queue. Does not wait for that."""
        if not self.stopped:
            self.stopped = True
            self._queue.put(None)

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        ended = False
        while not ended:
            taken = [self._queue.get()]
            taken += [self._queue.get() for _ in range(self._queue.qsize())]
            ended = taken[-1] is None  # nothing is submitted behind it
            writes = [write for write in taken if write is not None]
            if writes:
                self._make(writes)
                _deliver(writes)
            del taken, writes  # nothing is kept while the thread waits

    def _make(self, writes: list[_Write]) -> None:
        if len(writes) == 1:
            _make_alone(writes[0])
            return
        made = 0
        while made < len(writes):
            made += self._make_together(writes[made:])

    def _make_together(self, writes: list[_Write]) -> int:
        """Makes as many of the writes as fit into a transaction; at least one. Returns how many."""
        blind = all(write.blind for write in writes)
        t: holt.Batch | holt.Transaction
        for _ in range(1 if blind else _TRIES):
            count = 0
            try:
                t = self._db.batch() if blind else self._db.transaction()
                try:
                    count = _apply(t, writes)
                    t.commit()
                finally:
                    t.rollback()
                return count
            except holt.Conflict:
                continue  # somebody else has written the same keys: the conditions must be looked at again
            except BaseException as error:  # of the commit: it is the error of all that would have succeeded
                for write in writes[:max(count, 1)]:
                    write.error = write.error or error
                return max(count, 1)
        for write in writes:
            _make_alone(write)
        return len(writes)


def _make_alone(write: _Write) -> None:
    write.result = write.error = None
    try:
        write.result = write.function(write.collection, *write.args, **write.options)
    except BaseException as error:
        write.error = error


def _apply(t: holt.Transaction | holt.Batch, writes: list[_Write]) -> int:
    """Applies writes to the transaction, until it is full; returns how many. Each has its own error."""
    inside: dict[int, Any] = {}
    for number, write in enumerate(writes):
        write.result = write.error = None
        try:
            collection = write.collection
            store = inside.get(id(collection))
            if store is None:
                store = _inside(t, collection)
                inside[id(collection)] = store
            write.result = write.function(store, *write.args, **write.options)
        except holt.TooLarge as error:
            if t.write_count:
                return number  # the rest begins with this one, in another transaction
            write.error = error
        except BaseException as error:
            write.error = error
    return len(writes)


def _inside(t: holt.Transaction | holt.Batch, target: _Target) -> Any:
    """What a write is made to, in the transaction."""
    if isinstance(target, holt.Database):
        return t
    return t.table(target) if isinstance(target, holt.Table) else t.collection(target)


def _deliver(writes: list[_Write]) -> None:
    """Resolves the futures, on the threads of their event loops."""
    loops: dict[asyncio.AbstractEventLoop, list[_Write]] = {}
    for write in writes:
        loops.setdefault(write.future.get_loop(), []).append(write)
    for loop, mine in loops.items():
        try:
            loop.call_soon_threadsafe(_resolve, mine)
        except RuntimeError:
            pass  # the loop was closed: nobody waits


def _resolve(writes: list[_Write]) -> None:
    for write in writes:
        if write.future.done():
            continue  # cancelled
        if write.error is not None:
            write.future.set_exception(write.error)
        else:
            write.future.set_result(write.result)


class _Store:
    """Reading a store."""

    __slots__ = ("_store", "_pool")

    def __init__(self, store: _holt.Store, pool: ThreadPoolExecutor) -> None:
        self._store = store
        self._pool = pool

    def _call(self, function: Callable[..., T], *args: Any, **options: Any) -> Awaitable[T]:
        """Runs a function in a thread."""
        loop = asyncio.get_running_loop()
        if options:
            return loop.run_in_executor(self._pool, lambda: function(*args, **options))
        return loop.run_in_executor(self._pool, function, *args)

    @property
    def closed(self) -> bool:
        return self._store.closed

    async def get(self, key: Buffer, default: Any = None) -> Data:
        """The value, or default if there is none."""
        value = self._store._get_now(key, default, _BUSY)
        if value is _BUSY:
            value = await self._call(self._store.get, key, default)
        return value

    async def exists(self, key: Buffer) -> bool:
        """Whether the key has a value."""
        value = self._store._get_now(key, None, _BUSY)
        if value is _BUSY:
            return await self._call(self._store.exists, key)
        return value is not None

    def get_many(self, keys: Iterable[Buffer], default: Any = None) -> Awaitable[list[Data]]:
        """The list of the keys' values, all as of the same moment."""
        return self._call(self._store.get_many, list(keys), default)

    def get_versioned(self, key: Buffer) -> Awaitable[tuple[Data, int, Optional[float]]]:
        """A tuple of the value, its version, and when it expires."""
        return self._call(self._store.get_versioned, key)

    def expiry(self, key: Buffer) -> Awaitable[Optional[float]]:
        """When the value expires, in seconds since 1970; None: never."""
        return self._call(self._store.expiry, key)

    def get_range(self, first: Optional[Buffer], last: Optional[Buffer], *,
                  limit: Optional[int] = None) -> Awaitable[list[tuple[Data, Data]]]:
        """The list of entries from first to last, both included."""
        return self._call(self._store.get_range, first, last, limit=limit)

    def count(self) -> Awaitable[int]:
        """The number of entries, by reading all keys."""
        return self._call(len, self._store)

    def range(self, start: Optional[Buffer] = None, end: Optional[Buffer] = None, *,
              prefix: Optional[Buffer] = None, reverse: bool = False, limit: Optional[int] = None) -> Range:
        """The entries from start up to, not including, end: for `async for`. They are read ahead: what a
        transaction writes while it iterates over itself may be missing."""
        return Range(self, 2, start, end, prefix, reverse, limit)

    def keys(self, start: Optional[Buffer] = None, end: Optional[Buffer] = None, *,
             prefix: Optional[Buffer] = None, reverse: bool = False, limit: Optional[int] = None) -> Range:
        """The keys of a range."""
        return Range(self, 0, start, end, prefix, reverse, limit)

    def values(self, start: Optional[Buffer] = None, end: Optional[Buffer] = None, *,
               prefix: Optional[Buffer] = None, reverse: bool = False, limit: Optional[int] = None) -> Range:
        """The values of a range."""
        return Range(self, 1, start, end, prefix, reverse, limit)

    def __aiter__(self) -> AsyncIterator[Data]:
        return self.keys().__aiter__()


class Range:
    """The entries of a range. Each `async for` over it begins anew."""

    __slots__ = ("_of", "_arguments")

    def __init__(self, of: _Store, *arguments: Any) -> None:
        self._of = of
        self._arguments = arguments

    async def __aiter__(self) -> AsyncIterator[Any]:
        count = _FIRST_FETCH
        of = self._of
        entries: Any = await of._call(_holt.Range, of._store, *self._arguments)
        try:
            while True:
                items = await of._call(entries.fetch, count)
                for item in items:
                    yield item
                if len(items) < count:
                    return
                count = min(2 * count, _LARGEST_FETCH)
        finally:
            entries.close()


class _Writable(_Store):
    """Writing through the queue."""

    __slots__ = ("_writer",)
    _writer: _Writer

    def _write(self, function: Callable[..., Any], blind: bool, *args: Any,
               **options: Any) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        collection = cast("holt.Collection | holt.Database", self._store)
        self._writer.submit(_Write(function, collection, blind, args, options, future))
        return future

    def put(self, key: Buffer, value: Buffer, *, if_absent: bool = False, if_present: bool = False,
            if_version: Optional[int] = None, expires: Optional[When] = None,
            ttl: Optional[Seconds] = None) -> Awaitable[None]:
        """Puts a value; see holt.Database.put."""
        key, value = _kept(key), _kept(value)
        if not (if_absent or if_present or if_version is not None or expires is not None or ttl is not None):
            return self._write(_holt.Store.put, True, key, value)
        blind = not (if_absent or if_present or if_version is not None)
        return self._write(_holt.Store.put, blind, key, value, if_absent=if_absent, if_present=if_present,
                           if_version=if_version, expires=expires, ttl=ttl)

    def delete(self, key: Buffer) -> Awaitable[None]:
        """Deletes the key, whether or not it exists."""
        return self._write(_holt.Store.delete, True, _kept(key))

    def delete_range(self, start: Optional[Buffer], end: Optional[Buffer]) -> Awaitable[None]:
        """Deletes the keys from start up to, not including, end."""
        return self._write(_holt.Store.delete_range, True, start if start is None else _kept(start),
                           end if end is None else _kept(end))

    def add(self, key: Buffer, delta: int = 1) -> Awaitable[int]:
        """Adds to a decimal number, atomically; returns the sum."""
        return self._write(_holt.Store.add, False, _kept(key), delta)

    def expire(self, key: Buffer, *, expires: Optional[When] = None,
               ttl: Optional[Seconds] = None) -> Awaitable[None]:
        """Changes when the value expires; neither given: never."""
        return self._write(_holt.Store.expire, False, _kept(key), expires=expires, ttl=ttl)

    async def update(self, other: Union[Mapping[Any, Any], Iterable[tuple[Any, Any]]]) -> None:
        """Puts all entries of a mapping or of an iterable of pairs, in a few commits."""
        pairs = other.items() if isinstance(other, Mapping) else other
        store = cast("holt.Collection | holt.Database", self._store)
        await self._call(store.update, [(_kept(key), _kept(value)) for key, value in pairs])

    def clear(self) -> Awaitable[None]:
        """Deletes all entries."""
        return self._call(self._store.clear)

    def compact(self, start: Optional[Buffer] = None, end: Optional[Buffer] = None) -> Awaitable[None]:
        """Flushes, then compacts the range."""
        return self._call(self._store.compact, start, end)

    def collection_stats(self) -> Awaitable[dict[str, Any]]:
        return self._call(self._store.collection_stats)


class Collection(_Writable):
    """A named collection; see Database.collection."""

    __slots__ = ()

    def __init__(self, store: holt.Collection, pool: ThreadPoolExecutor, writer: _Writer) -> None:
        super().__init__(store, pool)
        self._writer = writer

    @property
    def name(self) -> str:
        return self._store.name


class Table:
    """A typed table; see holt.Table. Rows are written through the queue of all writes."""

    __slots__ = ("_table", "_pool", "_writer")

    def __init__(self, table: holt.Table, pool: ThreadPoolExecutor, writer: _Writer) -> None:
        self._table = table
        self._pool = pool
        self._writer = writer

    @property
    def name(self) -> str:
        return self._table.name

    def _call(self, function: Callable[..., T], *args: Any, **options: Any) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self._pool, lambda: function(*args, **options))

    def _write(self, function: Callable[..., Any], *args: Any, **options: Any) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._writer.submit(_Write(function, self._table, False, args, options, future))
        return future

    def insert(self, row: Any = None, /, *, replace: bool = False,
               **columns: Any) -> Awaitable[Optional[int]]:
        """Inserts a row; see holt.Table.insert."""
        return self._write(holt.Table.insert, row, replace=replace, **columns)

    def insert_many(self, rows: Iterable[Any], *, replace: bool = False) -> Awaitable[int]:
        """Inserts rows in one transaction, and returns how many."""
        return self._call(self._table.insert_many, list(rows), replace=replace)

    def upsert(self, row: Any = None, /, **columns: Any) -> Awaitable[None]:
        """Inserts a row, or replaces the one with the same primary key."""
        return self._write(holt.Table.upsert, row, **columns)

    def update(self, key: Any, values: Optional[Mapping[str, Any]] = None, /,
               **columns: Any) -> Awaitable[None]:
        """Changes columns of the row with the primary key."""
        return self._write(holt.Table.update, key, values, **columns)

    def delete(self, key: Any) -> Awaitable[bool]:
        """Deletes the row with the primary key. Returns whether there was one."""
        return self._write(holt.Table.delete, key)

    def get(self, key: Any, default: Any = None) -> Awaitable[Any]:
        """The row with the primary key, or default if there is none."""
        return self._call(self._table.get, key, default)

    def count(self) -> Awaitable[int]:
        """The number of rows, by reading all of them."""
        return self._call(len, self._table)

    def where(self, conditions: Optional[Mapping[str, Any]] = None, /, **more: Any) -> Query:
        """The rows that meet all conditions; see holt.Table.where."""
        return Query(self, self._table.where(conditions, **more))

    def create_index(self, name: str, columns: Any, **options: Any) -> Awaitable[None]:
        """Creates an index; see holt.Table.create_index."""
        return self._call(self._table.create_index, name, columns, **options)

    def check(self) -> Awaitable[holt.Check]:
        """Compares rows and indexes."""
        return self._call(self._table.check)


class Query:
    """Rows that meet conditions; see holt.Query. `async for` reads them."""

    __slots__ = ("_table", "_query")

    def __init__(self, table: Table, query: holt.Query) -> None:
        self._table = table
        self._query = query

    def limit(self, count: int) -> Query:
        """At most so many rows."""
        return Query(self._table, self._query.limit(count))

    def reverse(self) -> Query:
        """In the opposite order."""
        return Query(self._table, self._query.reverse())

    def select(self, *columns: str) -> Query:
        """Only these columns."""
        return Query(self._table, self._query.select(*columns))

    def all(self) -> Awaitable[list[Any]]:
        """The list of rows."""
        return self._table._call(self._query.all)

    def first(self) -> Awaitable[Any]:
        """The first row; None: there is none."""
        return self._table._call(self._query.first)

    def one(self) -> Awaitable[Any]:
        """The row. Raises NotFound if there is none, and Conflict if there are several."""
        return self._table._call(self._query.one)

    def exists(self) -> Awaitable[bool]:
        """Whether there is such a row."""
        return self._table._call(self._query.exists)

    def count(self) -> Awaitable[int]:
        """The number of rows."""
        return self._table._call(self._query.count)

    def update(self, values: Optional[Mapping[str, Any]] = None, /, **columns: Any) -> Awaitable[int]:
        """Changes columns of all the rows, in one transaction; returns how many."""
        return self._table._call(self._query.update, values, **columns)

    def delete(self) -> Awaitable[int]:
        """Deletes all the rows, in one transaction; returns how many."""
        return self._table._call(self._query.delete)

    async def __aiter__(self) -> AsyncIterator[Any]:
        rows = iter(self._query)
        count = _FIRST_FETCH
        while True:
            some = await self._table._call(lambda: list(itertools.islice(rows, count)))
            for row in some:
                yield row
            if len(some) < count:
                return
            count = min(2 * count, _LARGEST_FETCH)


class Database(_Writable):
    """An open database, made by open(). As a store of entries it is the collection "default"."""

    __slots__ = ("_db", "__weakref__")

    def __init__(self, db: holt.Database, threads: int = 8) -> None:
        """Uses a database that is open already; close() closes it. threads: how many may wait for the disk at
        a time, in addition to the one that writes."""
        super().__init__(db, ThreadPoolExecutor(threads, thread_name_prefix="holt"))
        self._db = db
        self._writer = _Writer(db)

    async def collection(self, name: str, *, kind: Optional[Kind] = None, create: Optional[bool] = None,
                         text: Optional[bool] = None, block: Optional[Size] = None,
                         filter_bits: Optional[int] = None) -> Collection:
        """Opens a collection, or creates it if there is none; see holt.Database.collection."""
        collection = await self._call(self._db.collection, name, kind=kind, create=create, text=text,
                                      block=block,
                                      filter_bits=filter_bits)
        return Collection(collection, self._pool, self._writer)

    async def table(self, name: str) -> Table:
        """Opens a table."""
        return Table(await self._call(self._db.table, name), self._pool, self._writer)

    async def create_table(self, name: str, columns: Mapping[str, Any], **options: Any) -> Table:
        """Creates a table; see holt.Database.create_table."""
        table = await self._call(self._db.create_table, name, columns, **options)
        return Table(table, self._pool, self._writer)

    def transaction(self, *, serializable: bool = False, durability: Optional[Durability] = None,
                    label: Optional[str] = None) -> Transaction:
        """A transaction, for `async with`: commits, or rolls back if an exception passes."""
        return Transaction(self, lambda: self._db.transaction(serializable=serializable,
                                                              durability=durability, label=label))

    async def transact(self, change: Callable[[Transaction], Awaitable[T]], *, serializable: bool = False,
                       tries: int = 100) -> T:
        """Awaits change(t) in a transaction t, commits it and returns the result; repeats everything after a
        conflict, at most `tries` times."""
        limit = 50e-6
        for left in range(tries - 1, -1, -1):
            try:
                async with self.transaction(serializable=serializable) as t:
                    return await change(t)
            except (holt.Conflict, holt.Busy):
                if not left:
                    raise
            await asyncio.sleep(random.random() * limit)
            limit = min(2 * limit, 20e-3)
        raise ValueError("tries must be at least 1")

    def snapshot(self, *, label: Optional[str] = None) -> Snapshot:
        """A snapshot, for `async with`."""
        return Snapshot(self, lambda: self._db.snapshot(label=label))

    def batch(self, *, durability: Optional[Durability] = None) -> Batch:
        """A batch of writes, for `async with`: committed together."""
        return Batch(self, lambda: self._db.batch(durability=durability))

    def collections(self) -> Awaitable[list[str]]:
        """The names of all collections."""
        return self._call(self._db.collections)

    def drop(self, name: str) -> Awaitable[None]:
        """Drops a collection."""
        return self._call(self._db.drop, name)

    def rename(self, old: str, new: str) -> Awaitable[None]:
        """Renames a collection."""
        return self._call(self._db.rename, old, new)

    def sync(self) -> Awaitable[None]:
        """Makes all acknowledged commits durable."""
        return self._call(self._db.sync)

    def flush(self) -> Awaitable[None]:
        """Writes what is in memory into the trees."""
        return self._call(self._db.flush)

    def stats(self) -> dict[str, int]:
        """A dict of figures; does not wait."""
        return self._db.stats()

    def verify(self) -> Awaitable[dict[str, Any]]:
        """Verifies all files; returns what was examined."""
        return self._call(self._db.verify)

    async def close(self) -> None:
        """Makes the writes that are queued, and closes the database. May be called again."""
        self._writer.stop()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._close)

    def _close(self) -> None:
        self._writer.join()
        self._db.close()
        self._pool.shutdown()

    async def __aenter__(self) -> Database:
        return self

    async def __aexit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                        trace: Optional[TracebackType]) -> None:
        await self.close()

    def __del__(self) -> None:
        writer = getattr(self, "_writer", None)
        if writer is not None and not writer.stopped:
            warnings.warn(f"unclosed database {self._db!r}", ResourceWarning, source=self)
            writer.stop()


class _Opening:
    """What open() returns: to be awaited, or for `async with`."""

    def __init__(self, path: Path, threads: int, options: dict[str, Any]) -> None:
        self._path = path
        self._threads = threads
        self._options = options
        self._db: Optional[Database] = None

    async def _open(self) -> Database:
        loop = asyncio.get_running_loop()
        db = await loop.run_in_executor(None, lambda: holt.open(self._path, **self._options))
        return Database(db, self._threads)

    def __await__(self) -> Generator[Any, None, Database]:
        return self._open().__await__()

    async def __aenter__(self) -> Database:
        self._db = await self._open()
        return self._db

    async def __aexit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                        trace: Optional[TracebackType]) -> None:
        if self._db is not None:
            await self._db.close()


def open(path: Path, *, threads: int = 8, **options: Any) -> _Opening:
    """Opens a database; the options are those of holt.open.

        db = await aio.open("data")             or
        async with aio.open("data") as db:

    threads: how many calls may wait for the disk at a time, in addition to the thread that writes.
    """
    return _Opening(path, threads, options)


S = TypeVar("S", holt.Transaction, holt.Snapshot, holt.Batch)


class _Ended(_Store, Generic[S]):
    """Something that is begun and ended by `async with`."""

    __slots__ = ("_database", "_begin")
    _begin: Callable[[], S]

    def __init__(self, database: Database, begin: Callable[[], S]) -> None:
        self._database = database  # is kept open
        self._begin = begin
        self._pool = database._pool

    @property
    def _txn(self) -> S:
        return cast(S, self._store)

    async def __aenter__(self: D) -> D:
        self._store = self._begin()
        return self

    async def __aexit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                        trace: Optional[TracebackType]) -> None:
        try:
            if kind is None and not self._txn.closed:
                await self._call(self._txn.commit)
        finally:
            self._txn.rollback()


class _Inside(_Store):
    """A store in a transaction. Writes go to memory at once; those with a condition may read first."""

    __slots__ = ()

    async def put(self, key: Buffer, value: Buffer, **options: Any) -> None:
        """Puts a value; see holt.Database.put."""
        if options:
            await self._call(self._store.put, _kept(key), _kept(value), **options)
        else:
            self._store.put(key, value)

    async def delete(self, key: Buffer) -> None:
        """Deletes the key, whether or not it exists."""
        self._store.delete(key)

    async def delete_range(self, start: Optional[Buffer], end: Optional[Buffer]) -> None:
        """Deletes the keys from start up to, not including, end."""
        self._store.delete_range(start, end)

    def add(self, key: Buffer, delta: int = 1) -> Awaitable[int]:
        """Adds to a decimal number; returns the sum."""
        return self._call(self._store.add, _kept(key), delta)


class Transaction(_Ended[holt.Transaction], _Inside):
    """Reads and writes that are committed together; see holt.Transaction."""

    __slots__ = ()

    async def collection(self, collection: Union[str, Collection]) -> _Inside:
        """An existing collection in this transaction."""
        name = collection if isinstance(collection, str) else cast(holt.Collection, collection._store)
        return _Inside(await self._call(self._txn.collection, name), self._pool)

    def savepoint(self) -> holt.Savepoint:
        """Marks a point to which the transaction can return; for `with` too."""
        return self._txn.savepoint()

    async def commit(self) -> None:
        """Commits. Raises Conflict if it must be repeated."""
        await self._call(self._txn.commit)

    def rollback(self) -> None:
        """Discards what was written, and ends the transaction."""
        self._txn.rollback()


class Snapshot(_Ended[holt.Snapshot]):
    """The database at one moment."""

    __slots__ = ()

    async def collection(self, collection: Union[str, Collection]) -> _Store:
        """An existing collection in this snapshot."""
        name = collection if isinstance(collection, str) else cast(holt.Collection, collection._store)
        return _Store(await self._call(self._txn.collection, name), self._pool)

    async def __aexit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                        trace: Optional[TracebackType]) -> None:
        self._txn.rollback()


class Batch(_Ended[holt.Batch]):
    """Writes that are committed together. Its calls go to memory: they are not awaited."""

    __slots__ = ()

    def put(self, key: Buffer, value: Buffer, *, expires: Optional[When] = None,
            ttl: Optional[Seconds] = None,
            collection: Optional[Collection] = None) -> None:
        """Puts a value, into "default" or into another collection."""
        self._of(collection).put(key, value, expires=expires, ttl=ttl)

    def delete(self, key: Buffer, *, collection: Optional[Collection] = None) -> None:
        """Deletes a key."""
        self._of(collection).delete(key)

    def delete_range(self, start: Optional[Buffer], end: Optional[Buffer], *,
                     collection: Optional[Collection] = None) -> None:
        """Deletes the keys from start up to, not including, end."""
        self._of(collection).delete_range(start, end)

    def _of(self, collection: Optional[Collection]) -> _holt.Store:
        if collection is None:
            return self._txn
        return self._txn.collection(cast(holt.Collection, collection._store))
