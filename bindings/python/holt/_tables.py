"""Typed tables with secondary indexes: rows by the names of their columns, and queries."""
from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import index as _index
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union

from . import _holt
from ._errors import Conflict, Invalid, NotFound

if TYPE_CHECKING:
    from . import Database, _AnyTransaction

Value = Union[None, bool, int, float, str, bytes]
"""A value of a row."""

_TYPES: dict[Any, int] = {bool: 1, int: 2, float: 3, str: 4, bytes: 5,
                          "boolean": 1, "integer": 2, "real": 3, "text": 4, "blob": 5}
_TYPE_NAMES = {1: "boolean", 2: "integer", 3: "real", 4: "text", 5: "blob"}
_BOOLEAN, _REAL = 1, 3

_NOT_NULL, _HAS_DEFAULT = 1, 2
_DESCENDING, _HASH = 1, 2
_UNIQUE = 1
_REVERSE, _LOWER_EXCLUSIVE, _UPPER_EXCLUSIVE = 1, 2, 4
_RENAME, _ADD_COLUMN, _RENAME_COLUMN, _DROP_COLUMN = 1, 2, 3, 4

_NONE: Any = object()


class Column:
    """A column of a table.

    type        bool, int, float, str or bytes; or "boolean", "integer", "real", "text" or "blob"
    not_null    None is refused
    default     the value of rows that do not give one
    max_length  of text, in characters; of blobs, in bytes
    """

    __slots__ = ("type", "not_null", "default", "max_length")

    def __init__(self, type: Any, *, not_null: bool = False, default: Any = None,
                 max_length: Optional[int] = None) -> None:
        number = _TYPES.get(type.lower() if isinstance(type, str) else type)
        if number is None:
            raise ValueError(f"the type of a column is bool, int, float, str or bytes, not {type!r}")
        self.type = _TYPE_NAMES[number]
        self.not_null = not_null
        self.default = default
        self.max_length = max_length

    def _tuple(self, name: str) -> tuple[str, int, int, int, Value]:
        number = _TYPES[self.type]
        flags = (_NOT_NULL if self.not_null else 0) | (0 if self.default is None else _HAS_DEFAULT)
        return name, number, flags, self.max_length or 0, _converted(number, self.default)

    def __repr__(self) -> str:
        return (f"Column({self.type!r}, not_null={self.not_null}, default={self.default!r}, "
                f"max_length={self.max_length})")


class Index:
    """A secondary index.

    columns   a name, or names; "-name" is a descending part
    unique    two rows must not have the same values; None is exempt
    hashed    columns of which the index holds a hash: for long values that are looked up, not ranges
    not_null  a column: the index holds only rows in which it is not None
    """

    __slots__ = ("columns", "unique", "hashed", "not_null")

    def __init__(self, columns: Union[str, Sequence[str]], *, unique: bool = False,
                 hashed: Union[str, Sequence[str]] = (), not_null: Optional[str] = None) -> None:
        self.columns = (columns,) if isinstance(columns, str) else tuple(columns)
        if not all(isinstance(column, str) for column in self.columns):
            raise TypeError(f"the columns of an index are names, not {columns!r}")
        if not self.columns:
            raise ValueError("an index needs a column")
        self.hashed = (hashed,) if isinstance(hashed, str) else tuple(hashed)
        self.unique = unique
        self.not_null = not_null

    def _parts(self) -> tuple[tuple[str, int], ...]:
        return tuple((name, flags | (_HASH if name in self.hashed else 0)) for name,
                     flags in _parts(self.columns))

    def __repr__(self) -> str:
        return (f"Index({self.columns!r}, unique={self.unique}, hashed={self.hashed!r}, "
                f"not_null={self.not_null!r})")


class Check(NamedTuple):
    """What a comparison of rows and indexes has examined and found."""

    rows: int
    entries: int
    bad_rows: int
    missing: int
    surplus: int

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.bad_rows or self.missing or self.surplus)


Columns = Mapping[str, Any]
Key = Union[Value, tuple[Value, ...]]


def _parts(names: Iterable[str]) -> tuple[tuple[str, int], ...]:
    return tuple((name[1:], _DESCENDING) if name.startswith("-") else (name, 0) for name in names)


def _converted(type: int, value: Any) -> Any:
    """As the type of a column demands, if nothing is lost by it; otherwise the library refuses the value."""
    if type == _REAL and isinstance(value, int) and not isinstance(value, bool):
        return float(value) if float(value) == value else value
    if type == _BOOLEAN and value in (0, 1):
        return bool(value)
    return value


_PYTHON_TYPES = {1: bool, 2: int, 3: float, 4: str, 5: bytes}


def _comparable(name: str, type: int, value: Any) -> Any:
    """A value that a query compares with a column of the type."""
    value = _converted(type, value)
    if isinstance(value, (bytearray, memoryview)):
        value = bytes(value)
    wanted = _PYTHON_TYPES[type]
    if value is None or (isinstance(value, wanted) and isinstance(value, bool) == (wanted is bool)):
        return value
    raise Invalid(f"{name}: the column holds {_TYPE_NAMES[type]} values, not {value!r}")


def create_table(db: Database, name: str, columns: Columns, primary_key: Union[None, str, Sequence[str]],
                 kind: int, block: int, filter_bits: int, exist_ok: bool) -> None:
    tuples = tuple((c if isinstance(c, Column) else Column(c))._tuple(n) for n, c in columns.items())
    key = () if primary_key is None else (primary_key,) if isinstance(primary_key, str) else primary_key
    _holt._create_table(db, name, tuples, _parts(key), kind, block, filter_bits, exist_ok)


class _IndexInfo:
    """An index, or the primary key, as a query sees it."""

    def __init__(self, id: int, name: str, parts: Sequence[tuple[str, int]], unique: bool,
                 not_null: Optional[str],
                 complete: bool) -> None:
        self.id = id
        self.name = name
        self.parts = parts
        self.unique = unique
        self.not_null = not_null
        self.complete = complete


class _Schema:
    """What a table's description says, by names."""

    def __init__(self, described: tuple[Any, ...]) -> None:
        self.name, self.version, kind, columns, key, indexes = described
        self.kind = "btree" if kind == 2 else "lsm"
        self.columns: list[str] = [column[0] for column in columns]
        self.types: list[int] = [column[1] for column in columns]
        self.definitions: dict[str, Column] = {}
        self.defaults: list[Any] = []
        for column, type, flags, length, default in columns:
            self.definitions[column] = Column(_TYPE_NAMES[type], not_null=bool(flags & _NOT_NULL),
                                              default=default, max_length=length or None)
            self.defaults.append(default)
        self.positions = {column: number for number, column in enumerate(self.columns)}
        self.folded = {column.lower(): number for column, number in self.positions.items()}
        self.key: list[str] = [part[0] for part in key]
        self.key_positions = [self.position(part[0]) for part in key]
        self.primary = _IndexInfo(0, "", key, True, None, True)
        self.indexes = [_IndexInfo(id, index, parts, bool(flags & _UNIQUE), not_null, complete)
                        for index, id, flags, not_null, parts, complete in indexes]
        self.everything = tuple(range(len(self.columns)))
        self.row = _row_class(self.columns)

    def position(self, column: str) -> int:
        """The number of a column; the case of ASCII letters does not matter."""
        number = self.positions.get(column)
        if number is None:
            number = self.folded.get(column.lower())
        if number is None:
            raise NotFound(f"the table {self.name!r} has no column {column!r}")
        return number

    def values(self, given: Mapping[str, Any]) -> list[Any]:
        """A row, in the order of the columns."""
        row: list[Any] = list(self.defaults)
        for column, value in given.items():
            number = self.position(column)
            row[number] = _converted(self.types[number], value)
        return row


def _row_class(columns: Sequence[str]) -> Any:
    """A class of tuples whose fields have names: row.email, row["email"], row[2]."""
    base: Any = namedtuple("Row", columns, rename=True)  # type: ignore[misc]
    positions = {column: number for number, column in enumerate(columns)}

    class Row(base):
        __slots__ = ()

        def __getitem__(self, key: Any) -> Any:
            if isinstance(key, str):
                try:
                    key = positions[key]
                except KeyError:
                    raise NotFound(f"the row has no column {key!r}") from None
            return tuple.__getitem__(self, key)

        def keys(self) -> Iterable[str]:
            return list(columns)

        def as_dict(self) -> dict[str, Value]:
            return dict(zip(columns, self))

        def __repr__(self) -> str:
            return f"Row({', '.join(f'{name}={value!r}' for name, value in self.as_dict().items())})"

    return Row


class Table(_holt.Table):
    """A typed table; see Database.create_table and Database.table. Rows are tuples with named fields:
    row.email, row["email"], row.as_dict()."""

    __slots__ = ("_db", "_txn", "_known", "__weakref__")

    def __new__(cls, db: Database, name: str, txn: Optional[_AnyTransaction]) -> Any:
        self = super().__new__(cls, db, name, txn)
        self._db = db
        self._txn = txn
        self._known = None
        return self

    if TYPE_CHECKING:
        _db: Database
        _txn: Optional[_AnyTransaction]
        _known: Optional[_Schema]

    @property
    def _schema(self) -> _Schema:
        schema = self._known
        if schema is None or schema.version != self.version:
            schema = self._known = _Schema(self._describe())
        return schema

    @property
    def database(self) -> Database:
        """The database that it belongs to."""
        return self._db

    @property
    def name(self) -> str:
        """The name of the table."""
        return str(self._schema.name)

    @property
    def columns(self) -> dict[str, Column]:
        """The columns by name, in order."""
        return dict(self._schema.definitions)

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The columns of the primary key; "-name" is a descending one. Empty: an implicit row id."""
        return _names(self._schema.primary.parts)

    @property
    def indexes(self) -> dict[str, Index]:
        """The indexes by name."""
        return {index.name: Index(_names(index.parts), unique=index.unique, not_null=index.not_null,
                                  hashed=[name for name, flags in index.parts if flags & _HASH])
                for index in self._schema.indexes}

    # ---------------------------------------------------------------- rows

    def insert(self, row: Union[Mapping[str, Any], Sequence[Any], None] = None, /, *, replace: bool = False,
               **columns: Any) -> Optional[int]:
        """Inserts a row, given as a mapping, as keywords, or as a sequence of all values in order. Columns
        that are not given have their default. Returns the number of a row that has got one: of its row id, or
        of its primary key if that is one integer that was not given.

        replace  first delete the rows that have the same primary key, or the same values in a unique index

        Raises Exists if there is such a row.
        """
        return self._insert(self._row(row, columns), replace) or None

    def insert_many(self, rows: Iterable[Union[Mapping[str, Any], Sequence[Any]]], *,
                    replace: bool = False) -> int:
        """Inserts rows in one transaction, and returns how many. All of them or none."""
        if self._txn is None:
            with self._db.transaction() as t:
                return t.table(self).insert_many(rows, replace=replace)
        count = 0
        for row in rows:
            self._insert(self._row(row, {}), replace)
            count += 1
        return count

    def upsert(self, row: Union[Mapping[str, Any], Sequence[Any], None] = None, /, **columns: Any) -> None:
        """Inserts a row, or replaces the one with the same primary key."""
        self._upsert(self._row(row, columns))

    def update(self, key: Key, values: Optional[Mapping[str, Any]] = None, /, **columns: Any) -> None:
        """Changes columns of the row with the primary key. Raises NotFound if there is none."""
        if not self._change(key, {**(values or {}), **columns}):
            raise NotFound(key)

    def delete(self, key: Key) -> bool:
        """Deletes the row with the primary key. Returns whether there was one."""
        return self._delete(self._key(key))

    def get(self, key: Key, default: Any = None) -> Any:
        """The row with the primary key, or default if there is none. A key of several columns is a tuple."""
        found = self._get(self._key(key), 0)
        return default if found is None else self._schema.row._make(found[1])

    def __getitem__(self, key: Key) -> Any:
        row = self.get(key)
        if row is None:
            raise NotFound(key)
        return row

    def __contains__(self, key: Key) -> bool:
        return self._get(self._key(key), 0) is not None

    def __iter__(self) -> Iterator[Any]:
        """The rows, in the order of the primary key."""
        return iter(Query(self, {}))

    def __len__(self) -> int:
        """Counts the rows, by reading all of them."""
        return Query(self, {}).count()

    def __bool__(self) -> bool:
        return True

    def where(self, conditions: Optional[Mapping[str, Any]] = None, /, **more: Any) -> Query:
        """The rows that meet all conditions, as a query:

            users.where(email="ada@example.org").one()
            users.where(age__gte=18, age__lt=65)
            users.where({"name": "Ada"}, city__in=["London", "Turin"])

        column=value is equality, also with None. column__OP=value compares: lt, lte, gt, gte, ne, and in,
        with a list of values. No comparison but = None and != None is true of None.
        """
        return Query(self, {**(conditions or {}), **more})

    def _row(self, row: Union[Mapping[str, Any], Sequence[Any], None],
             columns: Mapping[str, Any]) -> Sequence[Any]:
        schema = self._schema
        if row is None:
            return schema.values(columns)
        if isinstance(row, Mapping):
            return schema.values({**row, **columns} if columns else row)
        if isinstance(row, (str, bytes)) or columns:
            raise TypeError("a row is a mapping, or keywords, or a sequence of all values")
        return [_converted(type, value) for type,
                value in zip(schema.types, row)] + list(row[len(schema.types):])

    def _key(self, key: Key) -> tuple[Any, ...]:
        values = key if isinstance(key, tuple) else (key,)
        types = self._schema.types
        positions = self._schema.key_positions
        return tuple(_converted(types[number], value) for number, value in zip(positions, values)) \
            + values[len(positions):]

    def _change(self, key: Key, values: Mapping[str, Any]) -> bool:
        schema = self._schema
        positions = tuple(schema.position(column) for column in values)
        converted = [_converted(schema.types[number], value)
                     for number, value in zip(positions, values.values())]
        return self._update(self._key(key), positions, converted)

    # ---------------------------------------------------------------- schema

    def create_index(self, name: str, columns: Union[str, Sequence[str], Index], *, unique: bool = False,
                     hashed: Union[str, Sequence[str]] = (), not_null: Optional[str] = None,
                     progress: Optional[Callable[[int, int], object]] = None) -> None:
        """Creates an index; see Index. The table is read and written meanwhile. Waits for transactions that
        began before, so that the thread must not have one open. progress(rows done, rows in total) is called
        now and then; an exception from it ends the work, and there is no index."""
        index = columns if isinstance(columns, Index) else Index(columns, unique=unique, hashed=hashed,
                                                                 not_null=not_null)
        self._create_index(name, index._parts(), index.unique, index.not_null, progress)

    def rename(self, to: str) -> None:
        """Renames the table."""
        self._alter(_RENAME, None, None, to)

    def add_column(self, name: str, column: Any, **options: Any) -> None:
        """Adds a column behind the others; see Column. Rows that are there have its default."""
        column = column if isinstance(column, Column) else Column(column, **options)
        self._alter(_ADD_COLUMN, column._tuple(name), None, None)

    def rename_column(self, name: str, to: str) -> None:
        """Renames a column."""
        self._alter(_RENAME_COLUMN, None, name, to)

    def drop_column(self, name: str) -> None:
        """Drops a column that is neither in the primary key nor in an index."""
        self._alter(_DROP_COLUMN, None, name, None)

    def drop(self) -> None:
        """Drops the table with its indexes."""
        self._db.drop_table(self.name)

    def check(self) -> Check:
        """Compares rows and indexes, in both directions."""
        return Check(*self._check())

    def __repr__(self) -> str:
        return f"<holt.Table {'closed' if self.closed else repr(self.name)} of {self._db.path!r}>"


def _names(parts: Iterable[tuple[str, int]]) -> tuple[str, ...]:
    return tuple("-" + name if flags & _DESCENDING else name for name, flags in parts)


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, other: bool(value == other),
    "ne": lambda value, other: bool(value != other),
    "lt": lambda value, other: value is not None and bool(value < other),
    "lte": lambda value, other: value is not None and bool(value <= other),
    "gt": lambda value, other: value is not None and bool(value > other),
    "gte": lambda value, other: value is not None and bool(value >= other),
    "in": lambda value, other: value in other,
}


class _Range(NamedTuple):
    """How a query is answered: a range of an index."""

    source: _IndexInfo
    lower: tuple[Any, ...]
    upper: tuple[Any, ...]
    flags: int
    equal: int  # how many parts are given by equality
    bounded: bool  # whether a range of the next part is given

    def cost(self) -> tuple[bool, int, bool, int]:
        """Smaller is better: all of a unique key, then as many equal parts as possible, then a range, then
        the table itself."""
        whole = self.source.unique and self.equal == len(self.source.parts) > 0
        return not whole, -self.equal, not self.bounded, self.source.id


class Query:
    """Rows that meet conditions; see Table.where. It is read each time that it is iterated over."""

    __slots__ = ("_table", "_conditions", "_limit", "_reverse", "_columns", "_index")

    def __init__(self, table: Table, conditions: Mapping[str, Any]) -> None:
        self._table = table
        self._conditions = [self._condition(name, value) for name, value in conditions.items()]
        self._limit: Optional[int] = None
        self._reverse = False
        self._columns: Optional[tuple[str, ...]] = None
        self._index: Optional[str] = None

    def _condition(self, name: str, value: Any) -> tuple[int, str, Any]:
        schema = self._table._schema
        column, operator = name, "eq"
        if name not in schema.positions:
            head, separator, tail = name.rpartition("__")
            if separator and tail in _OPERATORS:
                column, operator = head, tail
        number = schema.position(column)
        type = schema.types[number]
        if operator == "in":
            return number, operator, [_comparable(name, type, each) for each in value]
        if value is None and operator not in ("eq", "ne"):
            raise Invalid(f"{name}: nothing compares with None")
        return number, operator, _comparable(name, type, value)

    def _copy(self, **changes: Any) -> Query:
        query = Query.__new__(Query)
        for name in self.__slots__:
            setattr(query, name, changes.get(name, getattr(self, name)))
        return query

    def limit(self, count: int) -> Query:
        """At most so many rows."""
        if _index(count) < 0:
            raise Invalid("a negative number of rows")
        return self._copy(_limit=count)

    def reverse(self) -> Query:
        """In the opposite order."""
        return self._copy(_reverse=not self._reverse)

    def select(self, *columns: str) -> Query:
        """Only these columns. If an index holds all that are needed, no row is read."""
        for column in columns:
            self._table._schema.position(column)
        return self._copy(_columns=columns)

    def using(self, index: Optional[str]) -> Query:
        """Reads the index, in its order; "" is the primary key, None lets the query choose."""
        if index is not None:
            self._find(index)
        return self._copy(_index=index)

    def _find(self, name: str) -> _IndexInfo:
        schema = self._table._schema
        for index in [schema.primary, *schema.indexes]:
            if index.name.lower() == name.lower():
                return index
        raise NotFound(f"the table {schema.name!r} has no index {name!r}")

    # ---------------------------------------------------------------- which range of which index

    def _serve(self, index: _IndexInfo) -> Optional[_Range]:
        """The range of the index in which the rows are; None: the index does not serve."""
        schema = self._table._schema
        if not index.complete:
            return None
        if index.not_null and not self._excludes_null(schema.position(index.not_null)):
            return None
        equal: list[Any] = []
        for name, flags in index.parts:
            number = schema.position(name)
            values = [value for column, operator,
                      value in self._conditions if column == number and operator == "eq"]
            if values:
                equal.append(values[0])
                continue
            if flags & _HASH:
                break
            return self._bounded(index, tuple(equal), number, bool(flags & _DESCENDING))
        if any(flags & _HASH for _, flags in index.parts) and not equal:
            return None
        return _Range(index, tuple(equal), tuple(equal), 0, len(equal), False)

    def _bounded(self, index: _IndexInfo, equal: tuple[Any, ...], number: int, descending: bool) -> _Range:
        """The range in which the next part is bounded. In the order of a descending part, the larger value is
        the lower bound."""
        least = [(value, op == "gt") for column, op, value in self._conditions
                 if column == number and op in ("gt", "gte")]
        most = [(value, op == "lt") for column, op, value in self._conditions
                if column == number and op in ("lt", "lte")]
        low = max(least) if least else None
        high = min(most, key=lambda bound: (bound[0], not bound[1])) if most else None
        if descending:
            low, high = high, low
        # None comes before all values, and meets no comparison; the end of the other direction.
        lower = equal + ((low[0],) if low else ())
        upper = equal + ((high[0],) if high else ())
        flags = (_LOWER_EXCLUSIVE if low and low[1] else 0) | (_UPPER_EXCLUSIVE if high and high[1] else 0)
        return _Range(index, lower, upper, flags, len(equal), bool(low or high))

    def _excludes_null(self, number: int) -> bool:
        """Whether the conditions are met by no row in which the column is None."""
        for column, operator, value in self._conditions:
            if column == number and (operator in ("lt", "lte", "gt", "gte")
                                     or (operator == "eq") == (value is not None) and operator in ("eq", "ne")
                                     or operator == "in" and None not in value):
                return True
        return False

    def _plan(self) -> _Range:
        schema = self._table._schema
        if self._index is not None:
            found = self._serve(self._find(self._index))
            if found is None:
                raise Invalid(f"the index {self._index!r} does not serve this query")
            return found
        served = [self._serve(index) for index in [schema.primary, *schema.indexes]]
        return min((each for each in served if each is not None), key=_Range.cost)

    def explain(self) -> str:
        """Which index is read: "" is the primary key."""
        return self._plan().source.name

    # ---------------------------------------------------------------- rows

    def _scan(self, columns: Sequence[int]) -> Iterator[tuple[Any, ...]]:
        """The columns of the rows that meet the conditions. An IN is answered by a range for each value, if
        an index serves that."""
        left = self._limit
        for query in self._alternatives():
            for row in query._scan_range(columns):
                if left is not None:
                    if left == 0:
                        return
                    left -= 1
                yield row

    def _alternatives(self) -> Iterator[Query]:
        for place, (column, operator, values) in enumerate(self._conditions):
            if operator != "in":
                continue
            ordered = sorted({value for value in values if value is not None}, reverse=self._reverse)
            each = [self._copy(_conditions=[*self._conditions[:place], *self._conditions[place + 1:],
                                            (column, "eq", value)])
                    for value in ordered + [None] * (None in values)]
            if each and each[0]._plan().cost() < self._plan().cost():
                for query in each:
                    yield from query._alternatives()
                return
        yield self

    def _scan_range(self, columns: Sequence[int]) -> Iterator[tuple[Any, ...]]:
        plan = self._plan()
        needed = tuple(columns) + tuple(column for column, _, _ in self._conditions)
        places = [(len(columns) + place, _OPERATORS[operator], value)
                  for place, (_, operator, value) in enumerate(self._conditions)]
        limit = self._limit if not places else None
        scan = _holt.Scan(self._table, plan.source.id, plan.flags | (_REVERSE if self._reverse else 0),
                          plan.lower, plan.upper, needed, limit)
        try:
            for row in scan:
                if all(operator(row[place], value) for place, operator, value in places):
                    yield row[:len(columns)]
        finally:
            scan.close()

    def __iter__(self) -> Iterator[Any]:
        schema = self._table._schema
        if self._columns is None:
            make, columns = schema.row._make, schema.everything
        else:
            make = _row_class(self._columns)._make
            columns = tuple(schema.position(column) for column in self._columns)
        return map(make, self._scan(columns))

    def all(self) -> list[Any]:
        """The list of rows."""
        return list(self)

    def first(self) -> Any:
        """The first row; None: there is none."""
        return next(iter(self.limit(1)), None)

    def one(self) -> Any:
        """The row. Raises NotFound if there is none, and Conflict if there are several."""
        rows = self.limit(2).all()
        if not rows:
            raise NotFound(f"no row of {self._table.name!r} meets the conditions")
        if len(rows) > 1:
            raise Conflict(f"several rows of {self._table.name!r} meet the conditions")
        return rows[0]

    def exists(self) -> bool:
        """Whether there is such a row."""
        return next(self.limit(1)._scan(()), None) is not None

    def count(self) -> int:
        """The number of rows, by reading them."""
        return sum(1 for _ in self._scan(()))

    def update(self, values: Optional[Mapping[str, Any]] = None, /, **columns: Any) -> int:
        """Changes columns of all the rows, in one transaction; returns how many."""
        change = {**(values or {}), **columns}
        return self._each(lambda table, key: table._change(key, change))

    def delete(self) -> int:
        """Deletes all the rows, in one transaction; returns how many."""
        return self._each(lambda table, key: table.delete(key))

    def _each(self, change: Callable[[Table, Any], bool]) -> int:
        table = self._table
        if not table._schema.key:
            raise Invalid(f"the table {table.name!r} has no primary key, by which rows could be changed")
        if table._txn is None:
            return table._db.transact(lambda t: self._copy(_table=t.table(table))._each(change))
        keys = list(self._scan(table._schema.key_positions))
        return sum(change(table, key) for key in keys)

    def __repr__(self) -> str:
        return f"<holt.Query of {self._table!r}>"
