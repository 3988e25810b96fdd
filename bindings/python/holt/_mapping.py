"""What makes a store a mutable mapping: views, iteration, and the methods that dictionaries have."""
from __future__ import annotations

from collections.abc import (Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, MutableMapping,
                             ValuesView)
from itertools import chain
from typing import TYPE_CHECKING, Any, Optional, TypeVar, Union, cast

from . import _holt
from ._errors import Exists, NotFound
from ._types import Buffer, Data

if TYPE_CHECKING:
    _StoreBase = _holt.Store
else:
    _StoreBase = object

KEYS, VALUES, ITEMS = 0, 1, 2

T = TypeVar("T")


class _View:
    """A range of a store, seen anew in each iteration."""

    _what = ITEMS

    def __init__(self, store: _holt.Store, start: Optional[Buffer], end: Optional[Buffer],
                 prefix: Optional[Buffer],
                 limit: Optional[int]) -> None:
        self._store = store
        self._start = start
        self._end = end
        self._prefix = prefix
        self._limit = limit

    def _range(self, what: int, reverse: bool = False) -> _holt.Range:
        return _holt.Range(self._store, what, self._start, self._end, self._prefix, reverse, self._limit)

    def __iter__(self) -> Iterator[Any]:
        return self._range(self._what)

    def __reversed__(self) -> Iterator[Any]:
        return self._range(self._what, True)

    def __len__(self) -> int:
        """Counts the entries, by reading all keys."""
        if (self._start, self._end, self._prefix, self._limit) == (None, None, None, None):
            return len(self._store)
        return sum(1 for _ in self._range(KEYS))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._store!r})"

    def _has(self, key: Buffer) -> bool:
        data = _as_bytes(key)
        if self._limit is not None:
            return any(data == _as_bytes(each) for each in self._range(KEYS))
        return _is_within(data, self._start, self._end, self._prefix) and self._store.exists(data)


def _as_bytes(data: Buffer) -> bytes:
    return data.encode() if isinstance(data, str) else bytes(data)


def _is_within(key: bytes, start: Optional[Buffer], end: Optional[Buffer], prefix: Optional[Buffer]) -> bool:
    return ((start is None or _as_bytes(start) <= key) and (end is None or key < _as_bytes(end))
            and (prefix is None or key.startswith(_as_bytes(prefix))))


class Keys(_View, KeysView[Data]):
    """The keys of a range, in order. As a set, it can be combined with other sets."""

    _what = KEYS

    def __contains__(self, key: object) -> bool:
        return isinstance(key, (str, bytes, bytearray, memoryview)) and self._has(key)

    @classmethod
    def _from_iterable(cls, it: Iterable[T]) -> set[T]:
        return set(it)


class Values(_View, ValuesView[Data]):
    """The values of a range, in the order of their keys."""

    _what = VALUES

    def __contains__(self, value: object) -> bool:
        return any(value == each for each in self)


class Items(_View, ItemsView[Data, Data]):
    """The entries of a range as pairs of key and value, in the order of the keys."""

    _what = ITEMS

    def __contains__(self, item: object) -> bool:
        if not isinstance(item, tuple) or len(item) != 2:
            return False
        key, value = item
        if not isinstance(key, (str, bytes, bytearray, memoryview)) or not self._has(key):
            return False
        return bool(self._store.get(key) == value)

    @classmethod
    def _from_iterable(cls, it: Iterable[T]) -> set[T]:
        return set(it)


class Readable(_StoreBase):
    """Reading ranges of a store."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Data]:
        """The keys, in order. Entries that are written meanwhile are not seen, except in a transaction."""
        return _holt.Range(self, KEYS)

    def __reversed__(self) -> Iterator[Data]:
        return _holt.Range(self, KEYS, reverse=True)

    def range(self, start: Optional[Buffer] = None, end: Optional[Buffer] = None, *,
              prefix: Optional[Buffer] = None, reverse: bool = False,
              limit: Optional[int] = None) -> _holt.Range:
        """An iterator over the entries from start up to, not including, end, as pairs of key and value."""
        return _holt.Range(self, ITEMS, start, end, prefix, reverse, limit)

    def keys(self, start: Optional[Buffer] = None, end: Optional[Buffer] = None, *,
             prefix: Optional[Buffer] = None, limit: Optional[int] = None) -> Keys:
        """A view of the keys, or of those of a range."""
        return Keys(self, start, end, prefix, limit)

    def values(self, start: Optional[Buffer] = None, end: Optional[Buffer] = None, *,
               prefix: Optional[Buffer] = None, limit: Optional[int] = None) -> Values:
        """A view of the values, or of those of a range."""
        return Values(self, start, end, prefix, limit)

    def items(self, start: Optional[Buffer] = None, end: Optional[Buffer] = None, *,
              prefix: Optional[Buffer] = None, limit: Optional[int] = None) -> Items:
        """A view of the entries, or of those of a range."""
        return Items(self, start, end, prefix, limit)

    def cursor(self, start: Optional[Buffer] = None, end: Optional[Buffer] = None, *,
               prefix: Optional[Buffer] = None, keys_only: bool = False,
               label: Optional[str] = None) -> _holt.Cursor:
        """A cursor, for moving step by step in both directions."""
        return _holt.Cursor(self, start, end, prefix, keys_only, label)

    def __eq__(self, other: object) -> bool:
        """Whether both have the same entries."""
        if self is other:
            return True
        if isinstance(other, _holt.Store):
            return _same_entries(_holt.Range(self, ITEMS), _holt.Range(other, ITEMS))
        if isinstance(other, Mapping):
            return dict(_holt.Range(self, ITEMS)) == dict(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]


def _same_entries(a: _holt.Range, b: _holt.Range) -> bool:
    for item in a:
        if next(b, None) != item:
            return False
    return next(b, None) is None


_MISSING: Any = object()


class Writable(Readable):
    """The methods of dictionaries that write. Each is atomic, except update()."""

    __slots__ = ()

    def pop(self, key: Buffer, default: Any = _MISSING) -> Data:
        """Deletes a key and returns its value."""
        def change(store: _holt.Store) -> Any:
            value = store.get(key, _MISSING)
            if value is not _MISSING:
                store.delete(key)
            return value

        value = self._repeat(change)
        if value is not _MISSING:
            return value
        if default is _MISSING:
            raise NotFound(key)
        return default

    def popitem(self) -> tuple[Data, Data]:
        """Deletes the entry with the smallest key, and returns it as a pair."""
        def change(store: _holt.Store) -> Any:
            item = next(_holt.Range(store, ITEMS, limit=1), None)
            if item is not None:
                store.delete(item[0])
            return item

        item = self._repeat(change)
        if item is None:
            raise NotFound("there are no entries")
        return cast("tuple[Data, Data]", item)

    def setdefault(self, key: Buffer, default: Buffer = b"") -> Data:
        """The value of a key; puts the default first if there is none."""
        while True:
            value = self.get(key)
            if value is not None:
                return value
            try:
                self.put(key, default, if_absent=True)
            except Exists:
                pass

    def update(self, other: Union[Mapping[Any, Any], Iterable[tuple[Any, Any]]] = (), /,
               **more: Buffer) -> None:
        """Puts all entries of a mapping or of an iterable of pairs, in batches of about 1 MiB. Each batch is
        atomic and one commit, but not the whole: for that use transaction() or batch()."""
        pairs: Iterable[tuple[Any, Any]]
        if isinstance(other, Mapping) or hasattr(other, "keys"):
            mapping: Any = other
            pairs = ((key, mapping[key]) for key in mapping.keys())
        else:
            pairs = other
        self._put_all(chain(pairs, more.items()))

    def _put_all(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        raise NotImplementedError

    def _repeat(self, change: Callable[[_holt.Store], T]) -> T:
        """Runs a function of the store in a transaction, as often as it takes."""
        raise NotImplementedError


MutableMapping.register(Writable)
Mapping.register(Readable)
