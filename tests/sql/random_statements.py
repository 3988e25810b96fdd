#!/usr/bin/env python3
"""Runs random SQL over SQLite's own tables and over the same tables in Holt, and compares.

    random_statements.py EXTENSION [HOLT]

EXTENSION is libholt_sqlite.so. If HOLT is given, the command, it checks rows against indexes at the end.

Both get the same statements: queries with joins, aggregates, subqueries, common table expressions and window
functions; writes with every conflict clause; transactions and savepoints. They must give the same rows, or
both an error. SQLite's tables are STRICT, because those of Holt are. About half of the tables in Holt are LSM
trees, the others B+trees.

A statement whose effect depends on the order in which SQLite visits rows is not generated, because that order
is not defined: an UPDATE of several rows does not touch unique columns, and LIMIT needs a total order.

HOLT_SEED repeats a run; HOLT_STATEMENTS sets the number of statements (10,000), and HOLT_COMPARE_EVERY after
how many of them whole tables are compared (50).
"""
import collections
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile

if not hasattr(sqlite3.Connection, "enable_load_extension"):
    # Debian's Python loads extensions; others may be built without that.
    if sys.executable != "/usr/bin/python3" and os.path.exists("/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3"] + sys.argv)
    print("skipped: this Python's sqlite3 cannot load extensions")
    sys.exit(77)

STATEMENTS = int(os.environ.get("HOLT_STATEMENTS", "10000"))
COMPARE_EVERY = int(os.environ.get("HOLT_COMPARE_EVERY", "50"))
SEED = int(os.environ.get("HOLT_SEED") or 20260101)

Column = collections.namedtuple("Column", "name type not_null default length")
Index = collections.namedtuple("Index", "name unique parts not_null")


class Table:
    """A table: columns, primary key (names with directions), indexes, and how either engine makes it."""

    def __init__(self, name, columns, key, indexes, kind):
        self.name, self.columns, self.key, self.indexes, self.kind = name, columns, key, indexes, kind
        self.key_names = [part for part, _ in key]
        self.unique_sets = [self.key_names] if key else []
        self.unique_sets += [[p for p, _ in i.parts] for i in indexes if i.unique]
        self.fixed = {name for names in self.unique_sets for name in names}
        for index in indexes:
            if index.unique and index.not_null:
                self.fixed.add(index.not_null)

    def names(self):
        return [c.name for c in self.columns]

    def has_row_id(self):
        return not self.key or (len(self.key) == 1 and self.column(self.key[0][0]).type == "INTEGER")

    def column(self, name):
        return next(c for c in self.columns if c.name == name)

    def definition(self, holt):
        parts = []
        for c in self.columns:
            text = f"{c.name} {c.type if holt or c.type != 'BOOLEAN' else 'INTEGER'}"
            if holt and c.length:
                text = f"{c.name} VARCHAR({c.length})"
            if len(self.key) == 1 and c.name == self.key[0][0]:
                text += " PRIMARY KEY"
            if c.not_null:
                text += " NOT NULL"
            if c.default is not None:
                text += f" DEFAULT {c.default}"
            if not holt and c.length:
                text += f" CHECK (length({c.name}) <= {c.length})"
            parts.append(text)
        if len(self.key) > 1:
            parts.append("PRIMARY KEY (" + ", ".join(f"{n} {d}" for n, d in self.key) + ")")
        text = f"CREATE TABLE {self.name} ({', '.join(parts)}) "
        if holt:
            return text + f"WITH (kind = {self.kind})"
        return text + ("STRICT" if self.has_row_id() else "STRICT, WITHOUT ROWID")

    def index_definition(self, index, holt):
        parts = []
        for name, how in index.parts:
            parts.append(f"hash({name})" if holt and how == "HASH" else
                         name if how == "HASH" else f"{name} {how}")
        where = f" WHERE {index.not_null} IS NOT NULL" if index.not_null else ""
        return (f"CREATE {'UNIQUE ' if index.unique else ''}INDEX {index.name} ON {self.name} "
                f"({', '.join(parts)}){where}")


TEXTS = ["''", "'a'", "'b'", "'ab'", "'abc'", "'A'", "'B'", "'é'", "'5'", "'05'", "'5.0'", "'-1'", "'1e1'",
         "'a b'", "'zz'", "'it''s'"]
INTEGERS = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "-1", "-2", "-300", "70000"]
EXTREMES = ["-9223372036854775808", "9007199254740993", "4294967296"]
REALS = ["0.0", "0.5", "1.0", "1.5", "-2.25", "3.0", "5.0", "100.125", "-0.0"]
BLOBS = ["x''", "x'00'", "x'61'", "x'6100'", "x'ff'", "x'00ff41'"]


class Generator:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.tables = self.make_tables()
        self.savepoints = 0
        self.numbers = 0

    def pick(self, *choices):
        return self.r.choice(choices)

    def chance(self, p):
        return self.r.random() < p

    # ---- schema

    def make_columns(self, count, start):
        columns = []
        for i in range(count):
            kind = self.pick("INTEGER", "INTEGER", "REAL", "TEXT", "TEXT", "BLOB", "BOOLEAN")
            default = None
            if self.chance(0.3):
                default = {"INTEGER": "7", "REAL": "2.5", "TEXT": "'d'", "BLOB": "x'64'",
                           "BOOLEAN": "1"}[kind]
            length = self.pick(2, 3) if kind == "TEXT" and self.chance(0.2) else None
            columns.append(Column(f"c{start + i}", kind, self.chance(0.3), default, length))
        return columns

    def make_indexes(self, name, columns):
        indexes = []
        for i in range(self.r.randrange(4)):
            parts = self.r.sample(columns, self.pick(1, 1, 2))
            hashed = parts[0].type in ("TEXT", "BLOB") and self.chance(0.25)
            parts = [(c.name, "HASH" if hashed and k == 0 else self.pick("ASC", "ASC", "DESC"))
                     for k, c in enumerate(parts)]
            nullable = [c.name for c in columns if not c.not_null]
            not_null = self.pick(*nullable) if nullable and self.chance(0.25) else None
            indexes.append(Index(f"{name}_i{i}", self.chance(0.3), parts, not_null))
        return indexes

    def make_table(self, name, key_types):
        keys = [Column(f"k{i}", t, len(key_types) > 1 or t != "INTEGER", None, None)
                for i, t in enumerate(key_types)]
        columns = keys + self.make_columns(self.r.randrange(2, 6), 0)
        key = [(c.name, self.pick("ASC", "DESC") if len(keys) > 1 else "") for c in keys]
        if keys and self.chance(0.5):
            self.r.shuffle(columns)
        return Table(name, columns, key, self.make_indexes(name, columns), self.pick("lsm", "btree"))

    def make_tables(self):
        shapes = [["INTEGER"], ["INTEGER"], ["TEXT"], ["INTEGER", "TEXT"], ["TEXT", "REAL", "INTEGER"], [],
                  ["BLOB"], ["REAL"]]
        return [self.make_table(f"t{i}", shape) for i, shape in enumerate(shapes)]

    # ---- values and expressions

    def value(self, kind, wild=0.04):
        if self.chance(wild):
            return self.pick(self.pick(*TEXTS), self.pick(*INTEGERS), self.pick(*REALS), self.pick(*BLOBS),
                             "NULL")
        if kind == "INTEGER":
            return self.pick(*EXTREMES) if self.chance(0.02) else self.pick(*INTEGERS)
        if kind == "BOOLEAN":
            return self.pick("0", "1", "TRUE", "FALSE")
        return self.pick(*{"REAL": REALS, "TEXT": TEXTS, "BLOB": BLOBS}[kind])

    def stored(self, table, column, wild=0.04):
        """A value for a column, mostly one that fits. SQLite's table has INTEGER for BOOLEAN, so that always
        does."""
        if self.chance(0.1):
            return "NULL"
        if column.type == "BOOLEAN":
            return self.value("BOOLEAN", 0)
        if column.name in table.key_names and column.type == "INTEGER":
            if wild and self.chance(0.02):
                return self.pick("'x'", "2.5", "'7'", "NULL")
            return str(self.r.randrange(60))
        if column.name in table.key_names and column.type == "TEXT":
            return f"'{self.pick('a', 'b', 'k')}{self.r.randrange(20)}'"
        return self.value(column.type, wild)

    def comparison(self, alias, column, others):
        left = f"{alias}.{column.name}"
        if self.chance(0.05):
            left = self.pick(f"+{left}", f"{left} COLLATE NOCASE", f"length({left})")
        choice = self.r.random()
        if choice < 0.35:
            return f"{left} {self.pick('=', '=', '=', 'IS', '==')} {self.value(column.type, 0.15)}"
        if choice < 0.55:
            return f"{left} {self.pick('<', '<=', '>', '>=', '<>', 'IS NOT')} {self.value(column.type, 0.15)}"
        if choice < 0.65:
            return f"{left} BETWEEN {self.value(column.type)} AND {self.value(column.type)}"
        if choice < 0.78:
            values = [self.value(column.type, 0.1) for _ in range(self.r.randrange(1, 5))]
            return f"{left} {self.pick('IN', 'IN', 'IN', 'NOT IN')} ({', '.join(values)})"
        if choice < 0.86:
            return f"{left} {self.pick('IS NULL', 'IS NOT NULL', 'NOTNULL')}"
        if choice < 0.93 and column.type == "TEXT":
            pattern = self.pick("'a%'", "'a*'", "'%b'", "'ab'", "'A%'", "'[ab]*'")
            return f"{left} {self.pick('LIKE', 'GLOB', 'NOT LIKE')} {pattern}"
        if others:
            alias2, table2 = self.pick(*others)
            return f"{left} {self.pick('=', '=', '<', '>=')} {alias2}.{self.pick(*table2.columns).name}"
        return self.subquery_condition(left)

    def subquery_condition(self, left):
        table = self.pick(*self.tables)
        column = self.pick(*table.columns)
        where = self.where([("s", table)], depth=1)
        # SQLite does not see the nulls of a set that it takes from a descending index, where they are last.
        plus = "+" if any(i.parts[0] == (column.name, "DESC") for i in table.indexes) else ""
        return self.pick(f"{left} IN (SELECT {plus}s.{column.name} FROM {table.name} s{where})",
                         f"EXISTS (SELECT 1 FROM {table.name} s WHERE s.{column.name} = {left})",
                         f"{left} = (SELECT max(s.{column.name}) FROM {table.name} s{where})",
                         f"{left} >= (SELECT count(*) FROM {table.name} s{where})")

    def condition(self, sources, depth=0):
        if depth < 2 and self.chance(0.35):
            parts = [self.condition(sources, depth + 1) for _ in range(2)]
            text = f"({parts[0]} {self.pick('AND', 'AND', 'OR')} {parts[1]})"
            return f"NOT {text}" if self.chance(0.1) else text
        alias, table = self.pick(*sources)
        keys = [c for c in table.columns if c.name in table.fixed]
        column = self.pick(*keys) if keys and self.chance(0.4) else self.pick(*table.columns)
        others = [s for s in sources if s[0] != alias] if self.chance(0.3) else []
        return self.comparison(alias, column, others)

    def where(self, sources, depth=0, always=False):
        if not always and self.chance(0.25):
            return ""
        return " WHERE " + self.condition(sources, depth)

    def row_key(self, table, alias):
        """Expressions that identify a row."""
        return [f"{alias}.{n}" for n in table.key_names] or [f"{alias}.rowid"]

    def expression(self, sources):
        alias, table = self.pick(*sources)
        name = f"{alias}.{self.pick(*table.columns).name}"
        return self.pick(name, name, name, f"typeof({name})", f"coalesce({name}, 'none')", f"{name} || '!'",
                         f"CASE WHEN {name} > 3 THEN 'more' ELSE {name} END", f"hex({name})")

    # ---- queries; each returns the text and whether its order is defined

    def order(self, table, alias, limit):
        names = self.r.sample(table.columns, min(len(table.columns), self.r.randrange(0, 3)))
        terms = [f"{alias}.{c.name} {self.pick('', 'ASC', 'DESC')}" for c in names]
        direction = self.pick("", "DESC")
        terms += [f"{key} {direction if self.chance(0.7) else self.pick('', 'DESC')}"
                  for key in self.row_key(table, alias)]
        text = " ORDER BY " + ", ".join(terms)
        if limit:
            text += f" LIMIT {self.r.randrange(6)}"
            if self.chance(0.5):
                text += f" OFFSET {self.r.randrange(5)}"
        return text

    def simple_query(self):
        table = self.pick(*self.tables)
        sources = [("a", table)]
        columns = "*" if self.chance(0.4) else ", ".join(self.expression(sources)
                                                         for _ in range(self.r.randrange(1, 4)))
        if not table.key and self.chance(0.3):
            columns = "rowid, " + columns
        text = f"SELECT {columns} FROM {table.name} a{self.where(sources)}"
        if self.chance(0.6):
            return text + self.order(table, "a", self.chance(0.5)), True
        return text, False

    def distinct_query(self):
        table = self.pick(*self.tables)
        names = [c.name for c in self.r.sample(table.columns, self.pick(1, 2))]
        text = f"SELECT DISTINCT {', '.join(names)} FROM {table.name} a{self.where([('a', table)])}"
        if self.chance(0.6):
            return f"{text} ORDER BY {', '.join(n + self.pick('', ' DESC') for n in names)}", True
        return text, False

    def join_query(self):
        first, second = self.pick(*self.tables), self.pick(*self.tables)
        sources = [("a", first), ("b", second)]
        left, right = self.pick(*first.columns), self.pick(*second.columns)
        keys = [c for c in second.columns if c.name in second.key_names]
        if keys and self.chance(0.6):
            right = keys[0]
        join = f"{self.pick('JOIN', 'LEFT JOIN', 'JOIN')} {second.name} b ON a.{left.name} = b.{right.name}"
        if self.chance(0.15):
            join = f", {second.name} b"
        elif self.chance(0.2):
            join += f" AND {self.condition([('b', second)], 1)}"
        if self.chance(0.2):
            third = self.pick(*self.tables)
            join += f" JOIN {third.name} c ON c.{self.pick(*third.columns).name} = b.{right.name}"
            sources.append(("c", third))
        columns = ", ".join(self.expression(sources) for _ in range(3))
        text = f"SELECT {columns} FROM {first.name} a {join}{self.where(sources)}"
        # SQLite takes k0 for constant in "a.c0 = b.k0 ORDER BY b.k0"; 5 = '5' and 5 = '05' show it is not.
        if len(sources) == 2 and left.type == right.type and self.chance(0.7):
            order = ", ".join(k + self.pick("", " DESC") for k in
                              self.row_key(first, "a") + self.row_key(second, "b"))
            return f"{text} ORDER BY {order}" + self.pick("", f" LIMIT {self.r.randrange(8)}"), True
        return f"SELECT count(*), min(x) FROM (SELECT a.{left.name} AS x FROM {first.name} a {join})", False

    def aggregate_query(self):
        table = self.pick(*self.tables)
        column, group = self.pick(*table.columns), self.pick(*table.columns)
        functions = ", ".join(self.pick(f"count({column.name})", "count(*)", f"min({column.name})",
                                        f"max({column.name})", f"count(DISTINCT {column.name})",
                                        f"sum(length({column.name}))", f"total({column.name} IS NULL)")
                              for _ in range(self.r.randrange(1, 4)))
        text = f"FROM {table.name} a{self.where([('a', table)])}"
        if self.chance(0.4):
            return f"SELECT {functions} {text}", True
        having = f" HAVING count(*) > {self.r.randrange(3)}" if self.chance(0.3) else ""
        order = f" ORDER BY {group.name}{self.pick('', ' DESC')}" if self.chance(0.6) else ""
        return f"SELECT {group.name}, {functions} {text} GROUP BY {group.name}{having}{order}", bool(order)

    def compound_query(self):
        parts = []
        for _ in range(2):
            table = self.pick(*self.tables)
            parts.append(f"SELECT {self.pick(*table.columns).name} AS x FROM {table.name} a"
                         f"{self.where([('a', table)])}")
        text = f" {self.pick('UNION', 'UNION ALL', 'EXCEPT', 'INTERSECT')} ".join(parts)
        return (text + " ORDER BY 1", True) if self.chance(0.7) else (text, False)

    def common_table_query(self):
        table = self.pick(*self.tables)
        if self.chance(0.3):
            column = self.pick(*[c for c in table.columns])
            return (f"WITH RECURSIVE n(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM n WHERE x < 12) "
                    f"SELECT n.x, count(a.{column.name}) FROM n LEFT JOIN {table.name} a "
                    f"ON a.{column.name} = n.x GROUP BY n.x ORDER BY n.x"), True
        column = self.pick(*table.columns).name
        return (f"WITH q AS {self.pick('', 'MATERIALIZED ', 'NOT MATERIALIZED ')}"
                f"(SELECT a.{column} AS x, count(*) AS n FROM {table.name} a"
                f"{self.where([('a', table)])} GROUP BY 1) SELECT x, n, (SELECT max(n) FROM q) FROM q "
                f"ORDER BY x"), True

    def window_query(self):
        table = self.pick(*self.tables)
        key = ", ".join(self.row_key(table, "a"))
        column, part = self.pick(*table.columns).name, self.pick(*table.columns).name
        function = self.pick("row_number()", "rank()", f"count({column})", f"lag({column})",
                             f"first_value({column})", f"max({column})", f"sum(length({column}))", "ntile(3)")
        return (f"SELECT {key}, {function} OVER (PARTITION BY a.{part} ORDER BY a.{column}, {key}) "
                f"FROM {table.name} a{self.where([('a', table)])} ORDER BY {key}"), True

    def query(self):
        return self.pick(self.simple_query, self.simple_query, self.simple_query, self.simple_query,
                         self.join_query, self.join_query, self.aggregate_query, self.aggregate_query,
                         self.distinct_query, self.compound_query, self.common_table_query,
                         self.window_query)()

    # ---- writes

    def conflict(self):
        return self.pick("", "", "", " OR IGNORE", " OR REPLACE", " OR FAIL", " OR ABORT", " OR ROLLBACK")

    def row(self, table, columns, wild):
        return "(" + ", ".join(self.stored(table, table.column(c), wild) for c in columns) + ")"

    def named_columns(self, table):
        names = table.names()
        if self.chance(0.5):
            names = [n for n in names if n in table.key_names or self.chance(0.7)] or names
            self.r.shuffle(names)
        return names

    def insert(self):
        table = self.pick(*self.tables)
        names = self.named_columns(table)
        listed = f" ({', '.join(names)})" if names != table.names() or self.chance(0.3) else ""
        verb = "REPLACE" if self.chance(0.08) else f"INSERT{self.conflict()}"
        # What a type that does not fit leaves behind depends, with a clause, on SQLite's order of checks, and
        # with several rows on whether it has a savepoint to return to: it has none for its own tables.
        count = self.pick(1, 1, 1, 2, 3, 8)
        wild = 0.04 if verb == "INSERT" and count == 1 else 0
        rows = ", ".join(self.row(table, names, wild) for _ in range(count))
        return f"{verb} INTO {table.name}{listed} VALUES {rows}"

    def insert_select(self):
        table, source = self.pick(*self.tables), self.pick(*self.tables)
        names = table.names()
        columns = [self.pick(*[c.name for c in source.columns if c.type == table.column(n).type] or
                             [self.stored(table, table.column(n), 0)]) for n in names]
        return (f"INSERT{self.conflict()} INTO {table.name} SELECT {', '.join(columns)} FROM {source.name} a"
                f"{self.where([('a', source)])}{self.order(source, 'a', True)}")

    def one_row(self, table):
        """A condition that at most one row satisfies, so that the order of the visits does not matter."""
        if not table.key:
            return f" WHERE rowid = {self.r.randrange(40)}"
        terms = [f"{n} = {self.stored(table, table.column(n))}" for n in table.key_names]
        return " WHERE " + " AND ".join(terms)

    def assignment(self, table, column, wild=0):
        value = self.stored(table, column, wild)
        if column.type in ("INTEGER", "REAL") and column.name not in table.key_names and self.chance(0.3):
            value = f"{column.name} % 1000 + 1" if column.type == "INTEGER" else f"{column.name} + 1"
        if column.type == "TEXT" and self.chance(0.2):
            value = f"substr({column.name} || 'x', 1, 2)"
        return f"{column.name} = {value}"

    def update(self):
        table = self.pick(*self.tables)
        if self.chance(0.6):
            columns = self.r.sample(table.columns, self.pick(1, 1, 2))
            conflict = self.conflict()
            sets = ", ".join(self.assignment(table, c, 0 if conflict else 0.04) for c in columns)
            return f"UPDATE{conflict} {table.name} SET {sets}{self.one_row(table)}"
        free = [c for c in table.columns if c.name not in table.fixed and c.type != "BOOLEAN"]
        if not free:
            return f"UPDATE {table.name} SET {table.columns[0].name} = {table.columns[0].name}"
        column = self.pick(*free)
        return f"UPDATE {table.name} AS a SET {self.assignment(table, column)}{self.where_of_write(table)}"

    def where_of_write(self, table):
        """A condition that does not look at the table that changes: SQLite may then see some changes."""
        while True:
            text = self.where([("a", table)], always=True)
            if f"FROM {table.name} " not in text:
                return text

    def update_from(self):
        table, source = self.pick(*self.tables), self.pick(*self.tables)
        free = [c for c in table.columns if c.name not in table.fixed and c.type != "BOOLEAN"]
        if not free or not table.key:
            return self.update()
        column = self.pick(*free)
        values = [c.name for c in source.columns if c.type == column.type] or [source.columns[0].name]
        row = self.one_row(table).replace("WHERE ", f"WHERE {table.name}.")
        return (f"UPDATE {table.name} SET {column.name} = b.x FROM (SELECT max({self.pick(*values)}) AS x "
                f"FROM {source.name}) AS b{row}")

    def delete(self):
        table = self.pick(*self.tables)
        if self.chance(0.85):
            return f"DELETE FROM {table.name}{self.one_row(table)}"
        if self.chance(0.01):
            return f"DELETE FROM {table.name}"
        where = self.where_of_write(table)
        return f"DELETE FROM {table.name} AS a{where} AND {self.pick(*table.columns).name} > 3"

    def upsert(self):
        table = self.pick(*self.tables)
        # SQLite itself does not recognise an index on its row id and another column.
        sets = [s for s in table.unique_sets if s == table.key_names or
                (any(i.unique and [p for p, _ in i.parts] == s and not i.not_null for i in table.indexes) and
                 not (table.has_row_id() and set(s) & set(table.key_names)))]
        if not sets:
            return self.insert()
        names = self.named_columns(table)
        # Whether SQLite finds the conflict or the wrong type first depends on the indexes.
        rows = ", ".join(self.row(table, names, 0) for _ in range(self.pick(1, 1, 2, 3)))
        target = self.pick(*sets)
        free = [c for c in table.columns if c.name not in table.fixed and c.type != "BOOLEAN"]
        action = "NOTHING"
        if free and self.chance(0.75):
            column = self.pick(*free)
            value = self.pick(f"excluded.{column.name}", self.stored(table, column), column.name,
                              f"coalesce(excluded.{column.name}, {table.name}.{column.name})")
            action = f"UPDATE SET {column.name} = {value}"
            if self.chance(0.3):
                action += f" WHERE excluded.{column.name} IS NOT {table.name}.{column.name}"
        where = f" ({', '.join(target)})"
        if action == "NOTHING" and self.chance(0.5):
            where = ""
        return (f"INSERT INTO {table.name} ({', '.join(names)}) VALUES {rows} "
                f"ON CONFLICT{where} DO {action}")

    def transaction(self, inside):
        if not inside:
            return self.pick("BEGIN", "BEGIN", "BEGIN IMMEDIATE", "SAVEPOINT s0")
        choice = self.r.random()
        if choice < 0.35:
            self.savepoints += 1
            return f"SAVEPOINT s{self.r.randrange(4)}"
        if choice < 0.55:
            return f"ROLLBACK TO s{self.r.randrange(4)}"
        if choice < 0.7:
            return f"RELEASE s{self.r.randrange(4)}"
        return self.pick("COMMIT", "COMMIT", "ROLLBACK")

    def statement(self, inside):
        """Returns the kind of the next statement, its text, and whether the order of its rows is defined."""
        choice = self.r.random()
        if choice < 0.45:
            text, ordered = self.query()
            return "query", text, ordered
        if choice < 0.50 or (inside and choice < 0.55):
            return "transaction", self.transaction(inside), True
        maker = self.pick(self.insert, self.insert, self.insert, self.insert, self.update, self.update,
                          self.delete, self.delete, self.upsert, self.upsert, self.insert_select,
                          self.update_from)
        return maker.__name__, maker(), True


# ---- running and comparing

def open_sqlite():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    # Bare UNIQUE indexes, foreign keys and triggers are not used: nothing else to set up.
    return connection


def open_holt(extension, directory):
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.enable_load_extension(True)
    connection.load_extension(extension)
    connection.execute("SELECT holt_open(?, 'durability=process')", (directory,))
    return connection


def run(connection, kind, text, holt):
    """Returns (rows or None, error or None). Upserts are Holt's, in the extension."""
    try:
        if holt and kind == "upsert":
            connection.execute("SELECT holt_exec(?)", (text,)).fetchall()
            return [], None
        return connection.execute(text).fetchall(), None
    except sqlite3.Error as error:
        return None, str(error)


def exact(row):
    """Distinguishes 1 from 1.0, and makes rows of mixed types sortable."""
    return tuple((type(v).__name__, repr(v)) for v in row)


def comparable(rows, ordered):
    rows = [exact(row) for row in rows]
    return rows if ordered else sorted(rows)


class Difference(Exception):
    pass


def compare(text, ordered, ours, theirs):
    (our_rows, our_error), (their_rows, their_error) = ours, theirs
    if (our_error is None) != (their_error is None):
        raise Difference(f"{text}\n  Holt:   {our_error or our_rows}\n  SQLite: {their_error or their_rows}")
    if our_error is None and comparable(our_rows, ordered) != comparable(their_rows, ordered):
        raise Difference(f"{text}\n  Holt:   {our_rows}\n  SQLite: {their_rows}")


def compare_counts(kind, text, holt, lite):
    """changes() and last_insert_rowid() of a statement that succeeded."""
    if kind in ("insert", "delete") and "REPLACE" not in text:
        query = "SELECT changes(), last_insert_rowid()"
        ours, theirs = holt.execute(query).fetchone(), lite.execute(query).fetchone()
        if ours[0] != theirs[0]:
            raise Difference(f"{text}\n  changes(): {ours[0]} in Holt, {theirs[0]} in SQLite")


def compare_tables(generator, holt, lite, after=""):
    for table in generator.tables:
        names = ", ".join(([] if table.key else ["rowid"]) + table.names())
        text = f"SELECT {names} FROM {table.name}"
        compare(after + text, False, run(holt, "query", text, True), run(lite, "query", text, False))
        for index in table.indexes:
            parts = ", ".join(p for p, how in index.parts)
            where = f" WHERE {index.not_null} IS NOT NULL" if index.not_null else ""
            text = f"SELECT {parts} FROM {table.name}{where} ORDER BY {parts}"
            compare(after + text, True, run(holt, "query", text, True), run(lite, "query", text, False))


def set_up(generator, holt, lite):
    for table in generator.tables:
        lite.execute(table.definition(False))
        holt.execute("SELECT holt_exec(?)", (table.definition(True),))
        for index in table.indexes:
            lite.execute(table.index_definition(index, False))
            holt.execute("SELECT holt_exec(?)", (table.index_definition(index, True),))


def check_indexes(command, database):
    checked = subprocess.run([command, "check", database], capture_output=True, text=True)
    if checked.returncode != 0:
        raise Difference(f"holt check: {checked.stdout}{checked.stderr}")


def main(extension, command=None):
    print(f"seed {SEED} (HOLT_SEED sets another), {STATEMENTS} statements")
    generator = Generator(SEED)
    directory = tempfile.mkdtemp(prefix="holt-sql-")
    holt, lite = open_holt(os.path.abspath(extension), os.path.join(directory, "db")), open_sqlite()
    counts = collections.Counter()
    try:
        set_up(generator, holt, lite)
        for number in range(STATEMENTS):
            kind, text, ordered = generator.statement(lite.in_transaction)
            ours, theirs = run(holt, kind, text, True), run(lite, kind, text, False)
            counts[kind] += 1
            counts["errors"] += theirs[1] is not None
            counts["rows"] += len(theirs[0] or [])
            compare(f"statement {number}: {text}", ordered, ours, theirs)
            if holt.in_transaction != lite.in_transaction:
                raise Difference(f"statement {number}: {text}\n  in a transaction: {holt.in_transaction} in "
                                 f"Holt, {lite.in_transaction} in SQLite")
            if theirs[1] is None:
                compare_counts(kind, text, holt, lite)
            if (number + 1) % COMPARE_EVERY == 0:
                compare_tables(generator, holt, lite, f"after statement {number}: {text}\n  ")
        if lite.in_transaction:
            lite.execute("COMMIT")
            holt.execute("COMMIT")
        compare_tables(generator, holt, lite)
        if command:
            holt.close()
            check_indexes(command, os.path.join(directory, "db"))
    except Difference as difference:
        print(f"FAILED with seed {SEED}\n{difference}")
        for table in generator.tables:
            print("  " + table.definition(True))
            for index in table.indexes:
                print("  " + table.index_definition(index, True))
        return 1
    finally:
        holt.close()
        shutil.rmtree(directory, ignore_errors=True)
    print(", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())))
    return 0


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
