"""Holt: an embedded, durable, transactional storage engine with the interface of a dictionary.

    import holt

    with holt.open("data") as db:
        db["city"] = b"Lisbon"
        print(db["city"], db.get_range("a", "d"))

docs/PYTHON.md in Holt's repository is the manual.

Keys are ordered bytewise. A key or a value may be given as bytes, as any object with a buffer, or as str,
which is encoded as UTF-8. They are returned as bytes, or as str from a database or a collection with
text=True.

Every object may be used by several threads. Calls that wait for the disk let other threads run.
"""
from __future__ import annotations

import atexit as _atexit
import random as _random
import time as _time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType as _TracebackType
from typing import Any, Optional, TypeVar, Union

from . import _holt, _options
from ._errors import (Busy, Closed, Conflict, Corrupt, Error, Exists, Invalid, IOError, NoMemory, NoSpace,
                      NotFound, ReadOnly, TooLarge, Unsupported)
from ._holt import Cursor, Load, Range
from ._mapping import Items, Keys, Readable, Values, Writable
from ._tables import Check, Column, Index, Query, Table, Value, create_table as _create_table
from ._types import Buffer, Data, Durability, Kind, Path, Seconds, Size, When

__all__ = ["open", "destroy", "verify", "Database", "Collection", "Transaction", "Snapshot", "Batch",
           "Savepoint", "Range", "Cursor", "Load", "Keys", "Values", "Items", "Error", "NotFound", "Exists",
           "Invalid", "Conflict", "Busy", "ReadOnly", "TooLarge", "NoSpace", "NoMemory", "IOError",
           "Corrupt", "Unsupported", "Closed", "Buffer", "Data", "Durability", "Kind", "Path", "Seconds",
           "Size", "When",
           "encode_key", "decode_key", "Table", "Column", "Index", "Query", "Check", "Value"]

__version__ = _holt.version()

T = TypeVar("T")

_READ_ONLY, _BLIND, _SERIALIZABLE = 1, 2, 4

# update() writes batches of about so many bytes.
_BATCH_BYTES = 1 << 20


def open(path: Path, *, durability: Optional[Durability] = None, memory: Optional[Size] = None,
         memtable: Optional[Size] = None, kind: Optional[Kind] = None, read_only: bool = False,
         create: Optional[bool] = None, text: bool = False, interval: Optional[float] = None,
         threads: Optional[int] = None, slow_ms: Optional[int] = None, open_files: Optional[int] = None,
         max_reader_age: Optional[float] = None, log_level: Optional[str] = None) -> Database:
    """Opens the database in the directory `path`, or creates it if there is none.

    durability      when a commit is acknowledged: "commit" (the default): once it survives a power failure;
                    "interval": a sync follows within `interval`; "process": it survives the end of the
                    process
    memory          the memory budget, such as "256M" (the default), or a number of bytes
    memtable        the size at which what was written is moved from memory into the trees
    kind            of collections that do not specify their own: "lsm" (the default) or "btree"
    read_only       write nothing; other processes may read at the same time
    create          True: raise Exists if there is a database already; False: raise NotFound if there is none
    text            keys and values are returned as str
    interval        seconds, for durability="interval"; 0.1 by default
    threads         threads for compactions; 1 by default
    slow_ms         write calls that take longer than this, in milliseconds, to the event log
    open_files      data files that are kept open
    max_reader_age  seconds after which a snapshot or a cursor is revoked; None: never
    log_level       of the event log: "error", "warn", "info" (the default) or "debug"

    Raises Busy if another process has the database open.
    """
    return Database(path, durability=durability, memory=memory, memtable=memtable, kind=kind,
                    read_only=read_only,
                    create=create, text=text, interval=interval, threads=threads, slow_ms=slow_ms,
                    open_files=open_files, max_reader_age=max_reader_age, log_level=log_level)


def destroy(path: Path) -> None:
    """Deletes the closed database in the directory. This cannot be undone."""
    _holt.destroy(path)


def verify(path: Path) -> dict[str, Any]:
    """Verifies every byte of a closed database. Returns how much was examined, with the list "problems" of
    what is damaged, as exception objects; it is empty if all is well."""
    return _holt.verify(path)


def encode_key(*parts: Value, descending: Iterable[int] = ()) -> bytes:
    """A key of several typed parts, the order of whose bytes is the order of the tuples: for any collection.

        db[holt.encode_key("sensor", 7, time)] = value
        db.range(prefix=holt.encode_key("sensor", 7))      # all keys that begin with these parts

    descending  the numbers of the parts that are ordered the other way round, from 0
    """
    return _holt._encode_key(parts, sum(1 << number for number in set(descending)))


def decode_key(key: Buffer, *, descending: Iterable[int] = ()) -> tuple[Value, ...]:
    """The parts of a key. Raises Corrupt if it is not one."""
    return _holt._decode_key(key, sum(1 << number for number in set(descending)))


class Collection(Writable, _holt.Collection):
    """A named collection: a mutable mapping. See Database.collection and Transaction.collection."""

    __slots__ = ("__weakref__", "_db", "_txn")
    _db: Database
    _txn: Optional[_AnyTransaction]

    def __new__(cls, db: Database, name: str, txn: Optional[_AnyTransaction], *args: Any) -> Any:
        self = super().__new__(cls, db, name, txn, *args)
        self._db = db
        self._txn = txn
        return self

    @property
    def database(self) -> Database:
        """The database that it belongs to."""
        return self._db

    def load(self) -> Load:
        """Begins a bulk load, the fastest way to fill an empty collection:

            with collection.load() as load:
                for key, value in sorted_entries:
                    load.put(key, value)
        """
        return Load(self)

    def _repeat(self, change: Callable[[_holt.Store], T]) -> T:
        if self._txn is not None:
            return change(self)
        return self._db.transact(lambda t: change(t.collection(self)))

    def _put_all(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        if self._txn is not None:
            _put_each(self, pairs)
        else:
            _put_in_batches(self._db, self, pairs)

    def __repr__(self) -> str:
        state = "closed" if self.closed else repr(self.name)
        return f"<holt.Collection {state} of {self._db.path!r}>"


class _AnyTransaction(_holt.Transaction):
    """What transactions, snapshots and batches have in common."""

    __slots__ = ("__weakref__", "_db")
    _db: Database

    def __new__(cls, db: Database, flags: int, durability: int, label: Optional[str]) -> Any:
        self = super().__new__(cls, db, flags, durability, label)
        self._db = db
        return self

    @property
    def database(self) -> Database:
        """The database that it belongs to."""
        return self._db

    def collection(self, collection: Union[str, Collection], *, text: Optional[bool] = None) -> Collection:
        """An existing collection, by its name or as an object, in this transaction."""
        if isinstance(collection, Collection):
            name = collection.name
            text = collection.text if text is None else text
        else:
            name = collection
        return Collection(self._db, name, self, False, False, 0, 0, 0, self.text if text is None else text)

    def table(self, table: Union[str, Table]) -> Table:
        """A table, by its name or as an object, in this transaction."""
        return Table(self._db, table if isinstance(table, str) else table.name, self)

    def __repr__(self) -> str:
        return f"<holt.{type(self).__name__} {'ended' if self.closed else 'open'} of {self._db.path!r}>"


class Transaction(Writable, _AnyTransaction):
    """Reads and writes that are committed together. It sees the database as of its begin, and its own writes.
    As a mapping it is the collection "default". Begun with Database.transaction.

    Leaving a `with` block commits, or rolls back if an exception passes. A transaction that is dropped
    without a commit is rolled back.
    """

    __slots__ = ()

    def savepoint(self) -> Savepoint:
        """Marks a point to which the transaction can return."""
        return Savepoint(self, self._savepoint())

    def _repeat(self, change: Callable[[_holt.Store], T]) -> T:
        return change(self)

    def _put_all(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        _put_each(self, pairs)

    def __enter__(self) -> Transaction:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[_TracebackType]) -> None:
        _leave(self, kind)


class Savepoint:
    """A point in a transaction. In a `with` block: an exception that passes undoes what was written in it,
    and the transaction goes on."""

    __slots__ = ("_txn", "_id")

    def __init__(self, txn: Transaction, id: int) -> None:
        self._txn = txn
        self._id = id

    def rollback(self) -> None:
        """Undoes what was written since; may be repeated."""
        self._txn._rollback_to(self._id)

    def __enter__(self) -> Savepoint:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[_TracebackType]) -> None:
        if kind is not None and not self._txn.closed:
            self.rollback()


class Snapshot(Readable, _AnyTransaction):
    """The database at one moment, for reading. As a mapping it is the collection "default". Taken with
    Database.snapshot; released by close(), by leaving a `with` block, or when it is dropped."""

    __slots__ = ()

    def close(self) -> None:
        """Releases the snapshot, and what it keeps from being freed."""
        self.rollback()

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[_TracebackType]) -> None:
        self.rollback()


class Batch(_AnyTransaction):
    """Writes that are committed together, without reading and without conflicts. Begun with Database.batch;
    leaving a `with` block commits, or discards if an exception passes."""

    __slots__ = ()

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[_TracebackType]) -> None:
        _leave(self, kind)


def _leave(txn: _holt.Transaction, failed: Optional[type[BaseException]]) -> None:
    """Ends a transaction that its user has not ended."""
    try:
        if failed is None and not txn.closed:
            txn.commit()
    finally:
        txn.rollback()


class Database(Writable, _holt.Database):
    """An open database, made by open() or with the same arguments. As a mapping it is the collection
    "default".

    Leaving a `with` block closes it.
    """

    __slots__ = ("__weakref__",)

    def __new__(cls, path: Path, *, durability: Optional[Durability] = None, memory: Optional[Size] = None,
                memtable: Optional[Size] = None, kind: Optional[Kind] = None, read_only: bool = False,
                create: Optional[bool] = None, text: bool = False, interval: Optional[float] = None,
                threads: Optional[int] = None, slow_ms: Optional[int] = None,
                open_files: Optional[int] = None,
                max_reader_age: Optional[float] = None, log_level: Optional[str] = None) -> Any:
        flags = _options.READ_ONLY if read_only else 0
        if create is not None:
            flags |= _options.MUST_CREATE if create else _options.MUST_EXIST
        return super().__new__(
            cls, path, text, memory_bytes=_options.size("memory", memory),
            memtable_bytes=_options.size("memtable", memtable),
            durability=_options.choice("durability", _options.DURABILITIES, durability),
            interval_ms=_options.milliseconds("interval", interval),
            kind=_options.choice("kind", _options.KINDS, kind), background_threads=threads or 0, flags=flags,
            log_level=_options.choice("log_level", _options.LOG_LEVELS, log_level),
            open_files_max=open_files or 0,
            slow_ms=slow_ms or 0, max_reader_age_ms=_options.milliseconds("max_reader_age", max_reader_age))

    @property
    def database(self) -> Database:
        """Itself."""
        return self

    def collection(self, name: str, *, kind: Optional[Kind] = None, create: Optional[bool] = None,
                   text: Optional[bool] = None, block: Optional[Size] = None,
                   filter_bits: Optional[int] = None) -> Collection:
        """Opens a collection, or creates it if there is none.

        kind         of a new collection: "lsm" or "btree"
        create       True: raise Exists if there is one already; False: raise NotFound if there is none
        text         keys and values are returned as str; by default as the database does
        block        the block size of a new collection: "4K" to "64K"
        filter_bits  for each key of a new LSM collection; 0: no filter
        """
        bits = 0 if filter_bits is None else filter_bits or _options.FILTER_NONE
        # A read-only database creates nothing, and would refuse to.
        may_create = create is not False
        if create is None and name in self.collections():
            may_create = False
        return Collection(self, name, None, may_create, bool(create),
                          _options.choice("kind", _options.KINDS, kind),
                          _options.size("block", block), bits, self.text if text is None else text)

    def transaction(self, *, serializable: bool = False, durability: Optional[Durability] = None,
                    label: Optional[str] = None) -> Transaction:
        """Begins a transaction:

            with db.transaction() as t:
                t["a"] = t["b"]

        Its commit raises Conflict if a key that it has written was written by another commit since it began;
        serializable: also one that it has read. transact() repeats it then. The label is shown by readers().
        """
        return Transaction(self, _SERIALIZABLE if serializable else 0, _durability(durability), label)

    def transact(self, change: Callable[[Transaction], T], *, serializable: bool = False,
                 durability: Optional[Durability] = None, tries: int = 100) -> T:
        """Calls change(t) in a transaction t, commits it and returns the result. After a conflict everything
        is repeated, at most `tries` times, so the function must not change anything else that must be changed
        once only."""
        limit = 50e-6
        for left in range(tries - 1, -1, -1):
            with Transaction(self, _SERIALIZABLE if serializable else 0, _durability(durability), None) as t:
                try:
                    result = change(t)
                    if not t.closed:
                        t.commit()
                    return result
                except (Conflict, Busy) as error:
                    # Busy: the transaction has lost its snapshot. Other Busy errors go away with time, too.
                    t.rollback()
                    if not left:
                        raise
                    _time.sleep(_random.random() * limit)
                    limit = min(2 * limit, 20e-3)
        raise ValueError("tries must be at least 1")

    def snapshot(self, *, label: Optional[str] = None) -> Snapshot:
        """Takes a snapshot: the database as it is now, for reading."""
        return Snapshot(self, _READ_ONLY, 0, label)

    def batch(self, *, durability: Optional[Durability] = None, label: Optional[str] = None) -> Batch:
        """Begins a batch of writes:

            with db.batch() as b:
                b["a"] = b"1"
                b.collection("products").put("p1", b"chair")
        """
        return Batch(self, _BLIND, _durability(durability), label)

    def create_table(self, name: str, columns: Mapping[str, Any], *,
                     primary_key: Union[None, str, Sequence[str]] = None,
                     indexes: Optional[Mapping[str, Union[str, Sequence[str], Index]]] = None,
                     kind: Optional[Kind] = None, block: Optional[Size] = None,
                     filter_bits: Optional[int] = None, exist_ok: bool = False) -> Table:
        """Creates a table:

            users = db.create_table("users", {"id": int, "name": str, "email": holt.Column(str,
                                    not_null=True)}, primary_key="id", indexes={"users_email":
                                    holt.Index("email", unique=True)})

        columns      their names, with a type (bool, int, float, str, bytes) or a Column for each
        primary_key  a column, or columns; "-name" is a descending one. None: rows have an implicit row id
        indexes      their names, with a column, columns or an Index for each
        kind         "btree" (the default) or "lsm"
        exist_ok     opens the table if it exists, whatever its columns, and creates the indexes that it lacks
        """
        bits = 0 if filter_bits is None else filter_bits or _options.FILTER_NONE
        if not isinstance(columns, Mapping):
            raise TypeError(f"columns must be a mapping of names to types, not {type(columns).__name__}")
        if indexes is not None and not isinstance(indexes, Mapping):
            raise TypeError(f"indexes must be a mapping of names to columns, not {type(indexes).__name__}")
        wanted = {index: definition if isinstance(definition, Index) else Index(definition)
                  for index, definition in (indexes or {}).items()}
        _create_table(self, name, columns, primary_key, _options.choice("kind", _options.KINDS, kind),
                      _options.size("block", block), bits, exist_ok)
        table = self.table(name)
        there = {index.lower() for index in table.indexes}
        for index, definition in wanted.items():
            if index.lower() not in there:
                table.create_index(index, definition)
        return table

    def table(self, name: str) -> Table:
        """Opens a table. Raises NotFound if there is none."""
        return Table(self, name, None)

    def load(self) -> Load:
        """Begins a bulk load of the collection "default"; see Collection.load."""
        return Load(self)

    def _repeat(self, change: Callable[[_holt.Store], T]) -> T:
        return self.transact(change)

    def _put_all(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        _put_in_batches(self, None, pairs)

    def __enter__(self) -> Database:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[_TracebackType]) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<holt.Database {'closed' if self.closed else 'open'} {self.path!r}>"


def _durability(name: Optional[str]) -> int:
    return _options.choice("durability", _options.DURABILITIES, name)


def _put_each(store: _holt.Store, pairs: Iterable[tuple[Any, Any]]) -> None:
    for key, value in pairs:
        store.put(key, value)


def _put_in_batches(db: Database, collection: Optional[Collection], pairs: Iterable[tuple[Any, Any]]) -> None:
    more = iter(pairs)
    full = True
    while full:
        with db.batch() as b:
            store: _holt.Store = b if collection is None else b.collection(collection)
            full = False
            for key, value in more:
                store.put(key, value)
                full = b.write_bytes >= _BATCH_BYTES
                if full:
                    break


# Databases that are still open when the interpreter exits are closed then.
_atexit.register(_holt._close_all)
