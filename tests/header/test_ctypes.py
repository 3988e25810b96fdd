#!/usr/bin/env python3
"""Goes through the whole C interface with ctypes, as a binding in another language would.

    test_ctypes.py LIBHOLT.SO LAYOUT HOLT.H

Every call of holt.h is called at least once (the last test counts), the structures declared here are compared
with those of the C compiler (LAYOUT prints them), and the calls of later releases return HOLT_UNSUPPORTED.
"""
import ctypes as c
import os
import re
import subprocess
import sys
import tempfile
import unittest

LIBRARY, LAYOUT, HEADER = sys.argv[1:4]

(OK, NOT_FOUND, EXISTS, INVALID, CONFLICT, BUSY, READ_ONLY, TOO_LARGE, NO_SPACE, NO_MEMORY, IO, CORRUPT,
 UNSUPPORTED, CLOSED) = range(14)
STATUS_NAMES = ("OK NOT_FOUND EXISTS INVALID CONFLICT BUSY READ_ONLY TOO_LARGE NO_SPACE NO_MEMORY IO CORRUPT "
                "UNSUPPORTED CLOSED").split()

u32, u64, size_t, pointer = c.c_uint32, c.c_uint64, c.c_size_t, c.c_void_p
LOG_FN = c.CFUNCTYPE(None, pointer, u32, c.c_char_p)


def structure(name, *fields):
    """A ctypes structure; a field is (type, "names separated by blanks")."""
    listed = [(n, kind) for kind, names in fields for n in names.split()]
    return type(name, (c.Structure,), {"_fields_": listed})


slice_ = structure("holt_slice", (pointer, "data"), (size_t, "size"))
error = structure("holt_error", (u32, "status"), (c.c_int32, "os_errno"), (u64, "offset"),
                  (c.c_char * 64, "file"), (c.c_char * 256, "message"))
value_ = structure("holt_value", (pointer, "data"), (size_t, "size capacity"), (u64, "expires_at_ms version"),
                   (u64 * 3, "reserved"))
options = structure("holt_options", (u64, "memory_bytes memtable_bytes"),
                    (u32, "durability interval_ms default_kind background_threads flags log_level"),
                    (LOG_FN, "log"), (pointer, "log_ctx"), (u32, "open_files_max slow_ms"),
                    (u64, "max_reader_age_ms"), (u64 * 6, "reserved"))
collection_options = structure("holt_collection_options",
                               (u32, "kind compression block_bytes filter_bits flags reserved32"),
                               (u64 * 8, "reserved"))
put_options = structure("holt_put_options", (u64, "expires_at_ms"), (u32, "flags reserved32"), (u64, "version"),
                        (u64 * 7, "reserved"))
txn_options = structure("holt_txn_options", (u32, "flags durability"), (c.c_char_p, "label"),
                        (u64 * 7, "reserved"))
transact_options = structure("holt_transact_options", (txn_options, "txn"), (u32, "tries_max reserved32"),
                             (u64, "deadline_ms"), (u64 * 8, "reserved"))
load_options = structure("holt_load_options", (u32, "flags reserved32"), (u64 * 8, "reserved"))
cursor_options = structure("holt_cursor_options", (slice_, "lower upper prefix"), (u32, "flags reserved32"),
                           (c.c_char_p, "label"), (u64 * 7, "reserved"))
db_stats = structure("holt_db_stats", (u64, """
    puts deletes gets gets_found cursor_moves commits bytes_written_user log_bytes log_syncs flushes
    flush_bytes compactions compaction_bytes_read compaction_bytes_written cache_hits cache_misses
    cache_bytes cache_evictions filter_checks filter_negatives memory_limit memory_used memtable_bytes
    resident_bytes transaction_bytes memtables_sealed collections files disk_bytes log_segments
    transactions_open cursors_open views_pinned oldest_snapshot_age_ms pinned_bytes snapshots_revoked
    delays delay_ns write_delay_ns recovery_ns recovered_operations recovered_log_bytes last_seqno
    durable_seqno swept_entries"""))
cost_ = structure("holt_cost", (c.c_char_p, "call"),
                  (u64, "total_ns group_wait_ns delay_ns room_wait_ns background_wait_ns"),
                  (u32, "delay_causes reserved32"), (u64, """
    log_bytes log_write_ns log_rotations log_rotate_ns syncs sync_ns memtables trees filter_checks
    filter_negatives blocks_cached blocks_read bytes_read read_ns tombstones_skipped bytes_in bytes_out"""))
collection_info = structure("holt_collection_info", (u32, "kind compression block_bytes filter_bits"),
                            (u64, "runs parts levels entries tombstones memtable_entries disk_bytes"))
verify_options = structure("holt_verify_options", (pointer, "problem progress ctx"), (u64 * 8, "reserved"))
verify_report = structure("holt_verify_report", (u64, "files blocks entries bytes problems orphans"))
batch_entry = structure("holt_batch_entry", (u32, "op reserved32"), (pointer, "collection"),
                        (slice_, "key value"), (u64, "expires_at_ms"), (slice_, "end"))
reader_ = structure("holt_reader", (u32, "kind revoked"), (u64, "age_ms pinned_bytes"),
                    (c.c_char * 64, "label"))
run_ = structure("holt_run", (u32, "level reserved32"), (u64, "parts entries tombstones disk_bytes"))
RUN_FN = c.CFUNCTYPE(c.c_int, pointer, c.POINTER(run_))
READER_FN = c.CFUNCTYPE(c.c_int, pointer, c.POINTER(reader_))
BATCH_FN = c.CFUNCTYPE(c.c_int, pointer, c.POINTER(batch_entry))
TRANSACT_FN = c.CFUNCTYPE(c.c_int, pointer, pointer)
STRUCTURES = [batch_entry, transact_options, reader_, run_, slice_, error, value_, options, collection_options, put_options,
              txn_options, load_options, cursor_options, db_stats, cost_, collection_info, verify_options,
              verify_report]

P = c.POINTER
status, boolean, handle, out, name = c.c_int, c.c_bool, pointer, P(pointer), c.c_char_p
SIGNATURES = {
    "holt_status_name": (name, status), "holt_version": (name,), "holt_error_message": (name,),
    "holt_error_get": (None, P(error), size_t), "holt_value_free": (None, P(value_)),
    "holt_free": (None, pointer),
    "holt_open": (status, name, P(options), out), "holt_close": (status, handle),
    "holt_health": (status, handle), "holt_close_with": (status, handle, u32),
    "holt_destroy": (status, name), "holt_sync": (status, handle), "holt_flush": (status, handle),
    "holt_collection_create": (status, handle, name, P(collection_options), out),
    "holt_collection_open": (status, handle, name, out), "holt_collection_close": (None, handle),
    "holt_collection_drop": (status, handle, name), "holt_collection_rename": (status, handle, name, name),
    "holt_collection_clear": (status, handle),
    "holt_collection_list": (status, handle, P(P(name)), P(size_t)),
    "holt_collection_name": (status, handle, pointer, size_t, P(size_t)),
    "holt_collection_kind": (c.c_int, handle), "holt_compact": (status, handle, slice_, slice_),
    "holt_approximate_size": (status, handle, slice_, slice_, P(u64), P(u64)),
    "holt_put": (status, handle, handle, slice_, slice_),
    "holt_put_with": (status, handle, handle, slice_, slice_, P(put_options)),
    "holt_add": (status, handle, handle, slice_, c.c_int64, P(c.c_int64)),
    "holt_get": (status, handle, handle, slice_, P(value_)),
    "holt_get_into": (status, handle, handle, slice_, pointer, size_t, P(size_t)),
    "holt_get_cached": (status, handle, handle, slice_, P(value_)),
    "holt_get_first": (status, handle, handle, slice_, slice_, P(value_), P(value_)),
    "holt_get_many": (status, handle, handle, size_t, P(slice_), P(value_), P(status)),
    "holt_expiry": (status, handle, handle, slice_, P(u64)),
    "holt_expire": (status, handle, handle, slice_, u64),
    "holt_exists": (status, handle, handle, slice_), "holt_delete": (status, handle, handle, slice_),
    "holt_delete_range": (status, handle, handle, slice_, slice_),
    "holt_begin": (status, handle, P(txn_options), out), "holt_commit": (status, handle),
    "holt_batch_count": (u64, handle), "holt_batch_bytes": (u64, handle),
    "holt_batch_iterate": (status, handle, BATCH_FN, pointer), "holt_batch_clear": (status, handle),
    "holt_rollback": (None, handle), "holt_savepoint": (status, handle, P(u32)),
    "holt_rollback_to": (status, handle, u32), "holt_release": (status, handle, u32),
    "holt_transact": (status, handle, P(transact_options), TRANSACT_FN, pointer),
    "holt_load_begin": (status, handle, P(load_options), out),
    "holt_load_put_with": (status, handle, slice_, slice_, P(put_options)),
    "holt_load_put": (status, handle, slice_, slice_), "holt_load_commit": (status, handle),
    "holt_load_abort": (None, handle),
    "holt_cursor_open": (status, handle, handle, P(cursor_options), out),
    "holt_cursor_first": (boolean, handle), "holt_cursor_last": (boolean, handle),
    "holt_cursor_next": (boolean, handle), "holt_cursor_prev": (boolean, handle),
    "holt_cursor_seek": (boolean, handle, slice_), "holt_cursor_seek_last": (boolean, handle, slice_),
    "holt_cursor_valid": (boolean, handle), "holt_cursor_key": (slice_, handle),
    "holt_cursor_expires_at": (u64, handle), "holt_cursor_value": (slice_, handle), "holt_cursor_status": (status, handle),
    "holt_cursor_refresh": (status, handle), "holt_cursor_close": (status, handle),
    "holt_runs": (status, handle, RUN_FN, pointer),
    "holt_readers": (status, handle, READER_FN, pointer),
    "holt_stats": (status, handle, P(db_stats), size_t),
    "holt_last_cost": (None, P(cost_), size_t),
    "holt_collection_stats": (status, handle, P(collection_info), size_t),
    "holt_verify": (status, name, P(verify_options), P(verify_report), size_t),
    "holt_verify_live": (status, handle, P(verify_options), P(verify_report), size_t),
    "holt_checkpoint": (status, handle, name),
}


class Library:
    """The shared library; remembers which of its calls were made."""

    def __init__(self, path):
        self.called = set()
        self._library = c.CDLL(path)
        for function, (result, *arguments) in SIGNATURES.items():
            entry = getattr(self._library, function)
            entry.restype, entry.argtypes = result, arguments

    def __getattr__(self, function):
        self.called.add(function)
        return getattr(self._library, function)


holt = Library(LIBRARY)


def bytes_(data):
    """A slice that keeps its bytes alive."""
    s = slice_(c.cast(c.c_char_p(data), pointer), len(data))
    s.keep = data
    return s


def text(s):
    return c.string_at(s.data, s.size)


OPEN = slice_(None, 0)


class Api(unittest.TestCase):
    """Each test has a new database with its "default" collection open."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "db").encode()
        self.db, self.c = pointer(), pointer()
        self.open()

    def tearDown(self):
        if self.db:
            self.ok(holt.holt_close(self.db))
        self.folder.cleanup()

    def open(self):
        self.ok(holt.holt_open(self.path, options(memory_bytes=8 << 20, durability=3), self.db))
        self.ok(holt.holt_collection_open(self.db, b"default", self.c))

    def reopen(self):
        self.ok(holt.holt_close(self.db))
        self.db = pointer()
        self.open()

    def ok(self, status):
        self.assertEqual(status, OK, holt.holt_error_message())

    def put(self, key, value, txn=None):
        self.ok(holt.holt_put(self.c, txn, bytes_(key), bytes_(value)))

    def get(self, key, txn=None, expected=OK):
        value = value_()
        self.assertEqual(holt.holt_get(self.c, txn, bytes_(key), value), expected)
        data = text(value) if expected == OK else None
        self.assertEqual(value.size, len(data or b""))
        holt.holt_value_free(value)
        self.assertEqual((value.data, value.size, value.capacity), (None, 0, 0))
        return data

    def begin(self, flags):
        txn = pointer()
        self.ok(holt.holt_begin(self.db, txn_options(flags=flags), txn))
        return txn

    def cursor(self, txn=None, **bounds):
        cursor = pointer()
        self.ok(holt.holt_cursor_open(self.c, txn, cursor_options(**bounds), cursor))
        return cursor

    def entry(self, cursor):
        return text(holt.holt_cursor_key(cursor)), text(holt.holt_cursor_value(cursor))

    # A binding reads version and names before it can do anything else.
    def test_version_and_status_names(self):
        with open(HEADER, encoding="utf-8") as file:
            numbers = re.findall(r"#define HOLT_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", file.read())
        self.assertEqual(holt.holt_version().decode(), ".".join(numbers))
        for number, status_name in enumerate(STATUS_NAMES):
            self.assertEqual(holt.holt_status_name(number).decode(), "HOLT_" + status_name)
        self.assertEqual(holt.holt_status_name(14), b"HOLT_?")
        self.assertEqual(holt.holt_status_name(-1), b"HOLT_?")

    # A failed call explains itself in words and in fields, and a structure of another size is not overrun.
    def test_errors_in_words_and_fields(self):
        gone = pointer()
        self.assertEqual(holt.holt_collection_open(self.db, b"nowhere", gone), NOT_FOUND)
        self.assertEqual(holt.holt_put(None, None, bytes_(b"k"), bytes_(b"v")), INVALID)
        problem = error()
        holt.holt_error_get(problem, c.sizeof(problem))
        self.assertEqual(problem.status, INVALID)
        self.assertEqual(problem.message, holt.holt_error_message())
        self.assertNotEqual(problem.message, b"")
        older = error(offset=77)
        holt.holt_error_get(older, 8)
        self.assertEqual((older.status, older.offset), (INVALID, 77))

    # The values of options travel in every field; a wrong one is refused with the handle NULL.
    def test_open_options(self):
        self.assertEqual(holt.holt_open(self.path, None, pointer()), BUSY)
        other = os.path.join(self.folder.name, "other").encode()
        db = pointer(1)
        self.assertEqual(holt.holt_open(other, options(flags=2), db), NOT_FOUND)
        self.assertEqual(db.value, None)
        self.assertEqual(holt.holt_open(other, options(memory_bytes=1 << 20), db), INVALID)
        wrong = options()
        wrong.reserved[5] = 1
        self.assertEqual(holt.holt_open(other, wrong, db), INVALID)
        lines = []
        log = LOG_FN(lambda context, level, line: lines.append((context, level, line)))
        self.ok(holt.holt_open(other, options(log=log, log_ctx=42, flags=4), db))
        self.ok(holt.holt_health(db))
        self.ok(holt.holt_close(db))
        self.assertTrue(lines)
        self.assertTrue(all(context == 42 and 1 <= level <= 4 and line for context, level, line in lines))
        self.assertEqual(holt.holt_open(other, options(flags=4), db), EXISTS)

    # Bytes of all values, the empty key and the empty value go in and come out, also after a reopen.
    def test_put_get_delete(self):
        everything = bytes(range(256))
        for key, value in ((everything, everything[::-1]), (b"", b"empty key"), (b"empty value", b"")):
            self.put(key, value)
        for _ in range(2):
            self.assertEqual(self.get(everything), everything[::-1])
            self.assertEqual(self.get(b""), b"empty key")
            self.assertEqual(self.get(b"empty value"), b"")
            self.reopen()
        self.ok(holt.holt_delete(self.c, None, bytes_(b"")))
        self.ok(holt.holt_delete(self.c, None, bytes_(b"never there")))
        self.get(b"", expected=NOT_FOUND)
        self.ok(holt.holt_exists(self.c, None, bytes_(everything)))
        self.assertEqual(holt.holt_exists(self.c, None, bytes_(b"")), NOT_FOUND)
        self.assertEqual(holt.holt_put(self.c, None, slice_(None, 1), bytes_(b"v")), INVALID)
        self.assertEqual(holt.holt_put(self.c, None, bytes_(b"k" * 65536), bytes_(b"v")), TOO_LARGE)

    # What was just put is in memory.
    def test_get_cached(self):
        self.put(b"key", b"0123456789")
        value = value_()
        self.ok(holt.holt_get_cached(self.c, None, bytes_(b"key"), value))
        self.assertEqual(text(value), b"0123456789")
        self.assertEqual(holt.holt_get_cached(self.c, None, bytes_(b"no"), value), NOT_FOUND)
        holt.holt_value_free(value)

    # The value's size is returned also when the buffer is too small for it.
    def test_get_into(self):
        self.put(b"key", b"0123456789")
        room, size = c.create_string_buffer(10), size_t()
        self.ok(holt.holt_get_into(self.c, None, bytes_(b"key"), room, 10, size))
        self.assertEqual((room.raw, size.value), (b"0123456789", 10))
        self.assertEqual(holt.holt_get_into(self.c, None, bytes_(b"key"), None, 0, size), TOO_LARGE)
        self.assertEqual(size.value, 10)
        self.assertEqual(holt.holt_get_into(self.c, None, bytes_(b"no"), room, 10, size), NOT_FOUND)
        self.assertEqual(size.value, 0)

    # A range begins with its lower bound, and ends before its upper one.
    def test_get_first(self):
        self.put(b"a", b"1")
        self.put(b"c", b"3")
        key, value = value_(), value_()
        for lower, upper, expected in ((b"", b"z", b"a1"), (b"b", b"d", b"c3"), (b"b", b"c", None)):
            found = holt.holt_get_first(self.c, None, bytes_(lower), bytes_(upper), key, value)
            self.assertEqual(found, OK if expected else NOT_FOUND)
            got = c.string_at(key.data, key.size) + c.string_at(value.data, value.size)
            self.assertEqual(got, expected or b"")
        self.assertEqual(holt.holt_get_first(self.c, None, bytes_(b""), bytes_(b"z"), None, value), INVALID)
        holt.holt_value_free(key)
        holt.holt_value_free(value)

    # Each key has its own value and status; the first error is that of the call.
    def test_get_many(self):
        self.put(b"a", b"1")
        self.put(b"c", b"3")
        keys = (slice_ * 3)(bytes_(b"c"), bytes_(b"b"), bytes_(b"a"))
        values, statuses = (value_ * 3)(), (status * 3)()
        self.ok(holt.holt_get_many(self.c, None, 3, keys, values, statuses))
        self.assertEqual(list(statuses), [OK, NOT_FOUND, OK])
        self.assertEqual([c.string_at(v.data, v.size) for v in (values[0], values[2])], [b"3", b"1"])
        keys[1] = slice_(None, 1)
        self.assertEqual(holt.holt_get_many(self.c, None, 3, keys, values, statuses), INVALID)
        self.assertEqual(list(statuses), [OK, INVALID, OK])
        for value in values:
            holt.holt_value_free(value)

    def test_put_if_absent(self):
        absent = put_options(flags=1)
        self.ok(holt.holt_put_with(self.c, None, bytes_(b"key"), bytes_(b"first"), absent))
        self.assertEqual(holt.holt_put_with(self.c, None, bytes_(b"key"), bytes_(b"second"), absent), EXISTS)
        self.assertEqual(self.get(b"key"), b"first")
        self.ok(holt.holt_put_with(self.c, None, bytes_(b"key"), bytes_(b"third"), None))
        self.assertEqual(self.get(b"key"), b"third")

    def test_expiry(self):
        later, ms = 1 << 50, u64()
        expiring = put_options(expires_at_ms=later)
        self.ok(holt.holt_put_with(self.c, None, bytes_(b"key"), bytes_(b"v"), expiring))
        self.ok(holt.holt_expiry(self.c, None, bytes_(b"key"), ms))
        self.assertEqual(ms.value, later)
        cursor = pointer()
        self.ok(holt.holt_cursor_open(self.c, None, None, cursor))
        self.assertTrue(holt.holt_cursor_first(cursor))
        self.assertEqual(holt.holt_cursor_expires_at(cursor), later)
        self.ok(holt.holt_cursor_close(cursor))
        self.ok(holt.holt_expire(self.c, None, bytes_(b"key"), 1))
        self.get(b"key", expected=NOT_FOUND)
        collection, load = pointer(), pointer()
        self.ok(holt.holt_collection_create(self.db, b"loaded", None, collection))
        self.ok(holt.holt_load_begin(collection, None, load))
        self.ok(holt.holt_load_put_with(load, bytes_(b"key"), bytes_(b"v"), expiring))
        self.ok(holt.holt_load_commit(load))
        holt.holt_load_abort(load)
        self.ok(holt.holt_expiry(collection, None, bytes_(b"key"), ms))
        self.assertEqual(ms.value, later)

    # A value that is present is replaced, and one whose version is the one that was read.
    def test_compare_and_set(self):
        present = put_options(flags=2)
        self.assertEqual(holt.holt_put_with(self.c, None, bytes_(b"key"), bytes_(b"1"), present), NOT_FOUND)
        self.put(b"key", b"0")
        self.ok(holt.holt_put_with(self.c, None, bytes_(b"key"), bytes_(b"1"), present))
        value = value_()
        self.ok(holt.holt_get(self.c, None, bytes_(b"key"), value))
        self.assertNotEqual(value.version, 0)
        same = put_options(flags=4, version=value.version)
        holt.holt_value_free(value)
        self.ok(holt.holt_put_with(self.c, None, bytes_(b"key"), bytes_(b"2"), same))
        self.assertEqual(holt.holt_put_with(self.c, None, bytes_(b"key"), bytes_(b"3"), same), CONFLICT)
        self.assertEqual(self.get(b"key"), b"2")
        both = put_options(flags=6)
        self.assertEqual(holt.holt_put_with(self.c, None, bytes_(b"key"), bytes_(b"3"), both), INVALID)

    def test_add(self):
        total = c.c_int64()
        self.ok(holt.holt_add(self.c, None, bytes_(b"key"), 5, total))
        self.ok(holt.holt_add(self.c, None, bytes_(b"key"), -(1 << 62), total))
        self.assertEqual(total.value, 5 - (1 << 62))
        self.assertEqual(self.get(b"key"), str(total.value).encode())
        self.ok(holt.holt_add(self.c, None, bytes_(b"other"), 1, None))
        self.put(b"text", b"five")
        self.assertEqual(holt.holt_add(self.c, None, bytes_(b"text"), 1, total), INVALID)
        self.assertEqual(total.value, 5 - (1 << 62))

    # A batch is invisible until its commit and whole afterwards; its handle needs one rollback either way.
    def test_batch(self):
        batch = self.begin(flags=2)
        self.put(b"a", b"1", batch)
        self.put(b"b", b"2", batch)
        self.get(b"a", expected=NOT_FOUND)
        self.assertEqual(holt.holt_get(self.c, batch, bytes_(b"a"), value_()), INVALID)
        self.assertEqual(holt.holt_close(self.db), BUSY)
        self.ok(holt.holt_commit(batch))
        self.assertEqual(holt.holt_put(self.c, batch, bytes_(b"c"), bytes_(b"3")), CLOSED)
        holt.holt_rollback(batch)
        self.assertEqual((self.get(b"a"), self.get(b"b")), (b"1", b"2"))
        dropped = self.begin(flags=2)
        self.put(b"a", b"other", dropped)
        holt.holt_rollback(dropped)
        holt.holt_rollback(None)
        self.assertEqual(self.get(b"a"), b"1")

    # Whoever wonders why space is not given back finds the readers by their labels.
    def test_runs(self):
        listed = []

        def each(_, run):
            listed.append((run.contents.level, run.contents.entries))
            return OK

        self.ok(holt.holt_put(self.c, None, bytes_(b"a"), bytes_(b"1")))
        self.ok(holt.holt_flush(self.db))
        self.ok(holt.holt_runs(self.c, RUN_FN(each), None))
        self.assertEqual(listed, [(0, 1)])

    def test_readers(self):
        snapshot, listed = pointer(), []
        self.ok(holt.holt_begin(self.db, txn_options(flags=1, label=b"report"), snapshot))
        cursor = self.cursor(label="\u00e9tat".encode())

        def each(_, reader):
            one = reader.contents
            listed.append((one.kind, one.revoked, one.pinned_bytes, one.label.decode()))
            return OK

        self.ok(holt.holt_readers(self.db, READER_FN(each), None))
        self.assertEqual(listed, [(1, 0, 0, "report"), (4, 0, 0, "\u00e9tat")])
        too_long = txn_options(flags=1, label=b"x" * 64)
        self.assertEqual(holt.holt_begin(self.db, too_long, pointer()), INVALID)
        self.ok(holt.holt_cursor_close(cursor))
        holt.holt_rollback(snapshot)

    # A snapshot goes on seeing its moment while others write, flush and clear.
    def test_load(self):
        load = pointer()
        self.ok(holt.holt_load_begin(self.c, load_options(), load))
        for i in range(100):
            self.ok(holt.holt_load_put(load, bytes_(b"%03d" % i), bytes_(b"v%d" % i)))
        self.assertEqual(holt.holt_load_put(load, bytes_(b"099"), bytes_(b"again")), INVALID)
        self.get(b"042", expected=NOT_FOUND)
        self.assertEqual(holt.holt_close(self.db), BUSY)
        self.ok(holt.holt_load_commit(load))
        self.assertEqual(holt.holt_load_commit(load), CLOSED)
        holt.holt_load_abort(load)
        self.assertEqual(self.get(b"042"), b"v42")
        self.assertEqual(holt.holt_load_begin(self.c, None, load), EXISTS)
        self.assertIsNone(load.value)

    def test_snapshot(self):
        self.put(b"key", b"old")
        snapshot = self.begin(flags=1)
        self.put(b"key", b"new")
        self.ok(holt.holt_flush(self.db))
        self.ok(holt.holt_collection_clear(self.c))
        self.assertEqual(self.get(b"key", snapshot), b"old")
        self.assertEqual(holt.holt_put(self.c, snapshot, bytes_(b"k"), bytes_(b"v")), READ_ONLY)
        holt.holt_rollback(snapshot)
        self.get(b"key", expected=NOT_FOUND)

    # Every move, in both directions and over both ends.
    def test_cursor(self):
        for key in (b"a1", b"a2", b"a3", b"b1"):
            self.put(key, key.upper())
        cursor = self.cursor(prefix=bytes_(b"a"))
        self.assertFalse(holt.holt_cursor_valid(cursor))
        self.assertEqual(holt.holt_cursor_key(cursor).data, None)
        self.assertTrue(holt.holt_cursor_next(cursor))
        self.assertEqual(self.entry(cursor), (b"a1", b"A1"))
        self.assertTrue(holt.holt_cursor_last(cursor))
        self.assertEqual(self.entry(cursor), (b"a3", b"A3"))
        self.assertFalse(holt.holt_cursor_next(cursor))
        self.assertFalse(holt.holt_cursor_valid(cursor))
        self.ok(holt.holt_cursor_status(cursor))
        self.assertTrue(holt.holt_cursor_prev(cursor))
        self.assertEqual(self.entry(cursor), (b"a3", b"A3"))
        self.assertTrue(holt.holt_cursor_first(cursor))
        self.assertEqual(self.entry(cursor), (b"a1", b"A1"))
        self.assertTrue(holt.holt_cursor_seek(cursor, bytes_(b"a11")))
        self.assertEqual(self.entry(cursor), (b"a2", b"A2"))
        self.assertTrue(holt.holt_cursor_seek_last(cursor, bytes_(b"a11")))
        self.assertEqual(self.entry(cursor), (b"a1", b"A1"))
        self.put(b"a0", b"A0")
        self.assertFalse(holt.holt_cursor_prev(cursor))
        self.ok(holt.holt_cursor_refresh(cursor))
        self.assertTrue(holt.holt_cursor_first(cursor))
        self.assertEqual(self.entry(cursor), (b"a0", b"A0"))
        self.assertEqual(holt.holt_close(self.db), BUSY)
        self.ok(holt.holt_cursor_close(cursor))
        self.ok(holt.holt_cursor_close(None))

    def test_cursor_bounds_and_keys_only(self):
        for key in (b"a", b"b", b"c", b"d"):
            self.put(key, b"value")
        cursor = self.cursor(lower=bytes_(b"b"), upper=bytes_(b"d"), flags=1)
        seen = []
        while holt.holt_cursor_next(cursor):
            seen.append(text(holt.holt_cursor_key(cursor)))
            self.assertEqual(holt.holt_cursor_value(cursor).data, None)
        self.assertEqual(seen, [b"b", b"c"])
        self.ok(holt.holt_cursor_close(cursor))

    # A collection's life from creation to drop, and what calls on its handles return afterwards.
    def test_collections(self):
        made = pointer()
        lsm = collection_options(kind=1, filter_bits=12)
        self.ok(holt.holt_collection_create(self.db, b"made", lsm, made))
        self.assertEqual(holt.holt_collection_create(self.db, b"made", None, pointer()), EXISTS)
        self.assertEqual(holt.holt_collection_create(self.db, b"", None, pointer()), INVALID)
        tree = pointer()
        self.ok(holt.holt_collection_create(self.db, b"tree", collection_options(kind=2), tree))
        self.assertEqual(holt.holt_collection_kind(tree), 2)
        self.ok(holt.holt_collection_drop(self.db, b"tree"))
        holt.holt_collection_close(tree)
        self.assertEqual(holt.holt_collection_kind(made), 1)
        self.assertEqual(holt.holt_collection_kind(None), 0)
        self.ok(holt.holt_put(made, None, bytes_(b"key"), bytes_(b"value")))
        self.ok(holt.holt_collection_rename(self.db, b"made", b"renamed"))
        room, size = c.create_string_buffer(4), size_t()
        self.assertEqual(holt.holt_collection_name(made, room, 4, size), TOO_LARGE)
        self.assertEqual((room.raw, size.value), (b"ren\0", 7))
        names, count = P(name)(), size_t()
        self.ok(holt.holt_collection_list(self.db, names, count))
        self.assertEqual(names[:count.value], [b"default", b"renamed"])
        holt.holt_free(names)
        holt.holt_free(None)
        self.ok(holt.holt_collection_drop(self.db, b"renamed"))
        self.assertEqual(holt.holt_exists(made, None, bytes_(b"key")), CLOSED)
        holt.holt_collection_close(made)
        holt.holt_collection_close(None)
        self.assertEqual(holt.holt_collection_drop(self.db, b"default"), INVALID)

    # Figures arrive in the fields they belong to, and in a structure of an older size as much as fits.
    def test_statistics(self):
        for number in range(100):
            self.put(b"key%03d" % number, b"value")
        self.get(b"key000")
        self.ok(holt.holt_flush(self.db))
        self.ok(holt.holt_compact(self.c, OPEN, OPEN))
        self.ok(holt.holt_sync(self.db))
        stats = db_stats()
        self.ok(holt.holt_stats(self.db, stats, c.sizeof(stats)))
        self.assertEqual((stats.puts, stats.gets, stats.gets_found, stats.commits), (100, 1, 1, 100))
        self.assertEqual((stats.bytes_written_user, stats.memory_limit, stats.collections),
                         (1100, 8 << 20, 1))
        self.assertGreaterEqual(stats.flushes, 1)
        older = db_stats(deletes=77)
        self.ok(holt.holt_stats(self.db, older, 8))
        self.assertEqual((older.puts, older.deletes), (100, 77))
        info = collection_info()
        self.ok(holt.holt_collection_stats(self.c, info, c.sizeof(info)))
        self.assertEqual((info.kind, info.entries, info.memtable_entries), (1, 100, 0))
        self.get(b"key000")
        cost = cost_()
        holt.holt_last_cost(cost, c.sizeof(cost))
        self.assertEqual((cost.call, cost.bytes_out, cost.total_ns), (b"holt_get", 5, 0))

    # A conflict is repeated, and another status comes back.
    def test_transact(self):
        results = [CONFLICT, OK, EXISTS]

        def write(txn, _):
            self.put(b"key", b"value", txn)
            return results.pop(0)
        limits = transact_options(tries_max=2, deadline_ms=60000)
        self.ok(holt.holt_transact(self.db, limits, TRANSACT_FN(write), None))
        self.assertEqual(self.get(b"key"), b"value")
        self.assertEqual(holt.holt_transact(self.db, None, TRANSACT_FN(write), None), EXISTS)
        self.assertEqual(results, [])

    # What a batch holds comes back through a callback, whose status comes back too.
    def test_a_batch_is_read_back(self):
        seen = []

        def note(context, entry):
            e = entry.contents
            seen.append((e.op, e.collection, text(e.key), text(e.value) if e.value.data else None))
            return OK if len(seen) < 3 else EXISTS

        batch = self.begin(flags=2)
        self.put(b"a", b"1", batch)
        self.ok(holt.holt_delete(self.c, batch, bytes_(b"b")))
        self.assertEqual((holt.holt_batch_count(batch), holt.holt_batch_bytes(batch)), (2, 3))
        self.ok(holt.holt_batch_iterate(batch, BATCH_FN(note), None))
        self.assertEqual(seen, [(1, self.c.value, b"a", b"1"), (2, self.c.value, b"b", None)])
        self.assertEqual(holt.holt_batch_iterate(batch, BATCH_FN(note), None), EXISTS)
        self.ok(holt.holt_batch_clear(batch))
        self.assertEqual(holt.holt_batch_count(batch), 0)
        holt.holt_rollback(batch)

    # An open database verifies itself only; a closed one is verified by its path.
    def test_verification_counts_what_there_is(self):
        report, here = verify_report(), c.sizeof(verify_report)
        for i in range(100):
            self.ok(holt.holt_put(self.c, None, bytes_(b"%03d" % i), bytes_(b"value")))
        self.ok(holt.holt_flush(self.db))
        self.ok(holt.holt_verify_live(self.db, None, report, here))
        self.assertEqual((report.entries, report.problems), (100, 0))
        self.assertEqual(holt.holt_verify(self.path, None, report, here), BUSY)
        self.ok(holt.holt_close(self.db))
        self.ok(holt.holt_verify(self.path, verify_options(), report, here))
        self.assertEqual((report.entries, report.problems), (100, 0))
        self.db = pointer()
        self.open()

    # Both results are optional, and the bounds of both sorts.
    def test_approximate_size(self):
        size, entries = u64(7), u64(7)
        for i in range(100):
            self.put(b"%03d" % i, b"value")
        self.ok(holt.holt_approximate_size(self.c, OPEN, bytes_(b"050"), size, entries))
        self.assertEqual((size.value, entries.value), (400, 50))
        self.ok(holt.holt_flush(self.db))
        self.ok(holt.holt_approximate_size(self.c, bytes_(b"010"), bytes_(b"020"), None, entries))
        self.assertEqual(entries.value, 10)
        self.ok(holt.holt_approximate_size(self.c, OPEN, OPEN, size, None))
        self.assertGreater(size.value, 800)

    # A binding whose objects are collected in any order closes by force, and frees the handles later.
    def test_close_by_force(self):
        batch, cursor = self.begin(flags=2), self.cursor()
        self.put(b"a", b"1", batch)
        self.assertEqual(holt.holt_close(self.db), BUSY)
        self.assertEqual(holt.holt_close_with(self.db, 2), INVALID)
        self.ok(holt.holt_close_with(self.db, 1))
        self.db = pointer()
        self.assertFalse(holt.holt_cursor_first(cursor))
        self.assertEqual(holt.holt_cursor_status(cursor), CLOSED)
        self.assertEqual(holt.holt_commit(batch), CLOSED)
        self.assertEqual(holt.holt_cursor_close(cursor), CLOSED)
        holt.holt_rollback(batch)
        self.open()
        self.get(b"a", expected=NOT_FOUND)

    # A database is deleted by its path, once it is closed.
    def test_destroy_needs_a_closed_database(self):
        self.assertEqual(holt.holt_destroy(self.path), BUSY)
        self.ok(holt.holt_close(self.db))
        self.db = pointer()
        self.ok(holt.holt_destroy(self.path))
        self.assertEqual(holt.holt_destroy(self.path), NOT_FOUND)

    # [begin, end): the end is not deleted.
    def test_delete_range(self):
        for key in (b"a", b"b", b"c"):
            self.put(key, key)
        self.ok(holt.holt_delete_range(self.c, None, bytes_(b"a"), bytes_(b"c")))
        self.get(b"a", expected=NOT_FOUND)
        self.get(b"b", expected=NOT_FOUND)
        self.assertEqual(self.get(b"c"), b"c")

    # What this release declares and does not do yet.
    def test_later_calls_are_unsupported(self):
        self.assertEqual(holt.holt_checkpoint(self.db, self.path + b"-copy"), UNSUPPORTED)

    # What comes after a savepoint is undone, and what comes before it is committed.
    def test_savepoints(self):
        txn, savepoint = self.begin(flags=0), u32()
        self.put(b"before", b"1", txn)
        self.ok(holt.holt_savepoint(txn, savepoint))
        self.put(b"after", b"2", txn)
        self.ok(holt.holt_rollback_to(txn, savepoint))
        self.ok(holt.holt_release(txn, savepoint))
        self.assertEqual(holt.holt_release(txn, savepoint), INVALID)
        self.ok(holt.holt_commit(txn))
        holt.holt_rollback(txn)
        self.assertEqual(self.get(b"before"), b"1")
        self.get(b"after", expected=NOT_FOUND)

    # NULL in place of a handle is an error, not a crash.
    def test_null_handles(self):
        for function in ("close", "collection_close", "rollback", "cursor_close", "value_free", "free"):
            getattr(holt, "holt_" + function)(None)
        for function in ("health", "sync", "flush", "collection_clear", "commit", "cursor_status",
                         "cursor_refresh"):
            self.assertEqual(getattr(holt, "holt_" + function)(None), INVALID, function)
        for move in ("first", "last", "next", "prev", "valid"):
            self.assertFalse(getattr(holt, "holt_cursor_" + move)(None), move)
        self.assertEqual(holt.holt_get(None, None, bytes_(b"k"), value_()), INVALID)
        self.assertEqual(holt.holt_stats(None, db_stats(), c.sizeof(db_stats)), INVALID)
        self.assertEqual(holt.holt_open(None, None, pointer()), INVALID)


class Interface(unittest.TestCase):
    # A field moved or resized in the header would be read wrongly by every binding in the world.
    def test_structures_lie_as_declared_here(self):
        printed = subprocess.run([LAYOUT], stdout=subprocess.PIPE, check=True, text=True).stdout
        mine = []
        for kind in STRUCTURES:
            mine.append(f"{kind.__name__} {c.sizeof(kind)}")
            mine += [f"{kind.__name__}.{field} {getattr(kind, field).offset}" for field, _ in kind._fields_]
        self.assertEqual(sorted(mine), sorted(printed.split("\n")[:-1]))


class Z_Completeness(unittest.TestCase):
    # Runs last (tests run in the order of their names): a call that holt.h gains must be walked through here.
    def test_every_call_of_the_header_was_made(self):
        with open(HEADER, encoding="utf-8") as file:
            code = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
        declared = set(re.findall(r"HOLT_API[^;]*?\b(holt_\w+)\s*\(", code))
        self.assertGreater(len(declared), 40)
        self.assertEqual(declared, set(SIGNATURES))
        self.assertEqual(declared - holt.called, set())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
