/* stats.c -- figures, readers and verification, as dicts and lists. */
#include "module.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- figures */

/* A field of a structure of the library, all of whose fields are uint64_t. */
typedef struct field {
    const char *name;
    size_t offset;
} field;

/* clang-format off */
#define DB(name) {#name, offsetof(holt_db_stats, name)}
static const field db_fields[] = {
    DB(puts), DB(deletes), DB(gets), DB(gets_found), DB(cursor_moves), DB(commits), DB(bytes_written_user),
    DB(log_bytes), DB(log_syncs), DB(flushes), DB(flush_bytes), DB(compactions), DB(compaction_bytes_read),
    DB(compaction_bytes_written), DB(cache_hits), DB(cache_misses), DB(cache_bytes), DB(cache_evictions),
    DB(filter_checks), DB(filter_negatives), DB(memory_limit), DB(memory_used), DB(memtable_bytes),
    DB(resident_bytes), DB(transaction_bytes), DB(memtables_sealed), DB(collections), DB(files),
    DB(disk_bytes), DB(log_segments), DB(transactions_open), DB(cursors_open), DB(views_pinned),
    DB(oldest_snapshot_age_ms),
    DB(pinned_bytes), DB(snapshots_revoked), DB(delays), DB(delay_ns), DB(write_delay_ns), DB(recovery_ns),
    DB(recovered_operations), DB(recovered_log_bytes), DB(last_seqno), DB(durable_seqno), DB(swept_entries),
};
_Static_assert(sizeof db_fields / sizeof *db_fields * sizeof(uint64_t) == sizeof(holt_db_stats),
               "every figure is listed");
/* clang-format on */

static bool set_number(PyObject *dict, const char *name, uint64_t number)
{
    PyObject *value = PyLong_FromUnsignedLongLong(number);
    bool set = value && PyDict_SetItemString(dict, name, value) == 0;
    Py_XDECREF(value);
    return set;
}

static bool set_fields(PyObject *dict, const field *fields, size_t count, const void *structure)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t number;
        memcpy(&number, (const char *)structure + fields[i].offset, sizeof number);
        if (!set_number(dict, fields[i].name, number)) return false;
    }
    return true;
}

typedef struct stats_call {
    holt *db;
    holt_db_stats stats;
} stats_call;

static holt_status stats_unlocked(void *ctx)
{
    stats_call *c = (stats_call *)ctx;
    return holt_stats(c->db, &c->stats, sizeof c->stats);
}

PyObject *database_stats(PyObject *self, PyObject *unused)
{
    database *db = (database *)self;
    if (!database_check(db)) return NULL;
    stats_call c = {.db = db->handle};
    if (!database_do(db, stats_unlocked, &c)) return NULL;
    PyObject *dict = PyDict_New();
    if (dict && !set_fields(dict, db_fields, sizeof db_fields / sizeof *db_fields, &c.stats)) Py_CLEAR(dict);
    return dict;
}

PyObject *collection_stats_dict(const holt_collection_info *i)
{
    PyObject *dict = PyDict_New();
    if (!dict) return NULL;
    PyObject *kind = PyUnicode_FromString(i->kind == HOLT_BTREE ? "btree" : "lsm");
    bool set = kind && PyDict_SetItemString(dict, "kind", kind) == 0 &&
               set_number(dict, "block_bytes", i->block_bytes) &&
               set_number(dict, "filter_bits", i->filter_bits) && set_number(dict, "runs", i->runs) &&
               set_number(dict, "parts", i->parts) && set_number(dict, "levels", i->levels) &&
               set_number(dict, "entries", i->entries) && set_number(dict, "tombstones", i->tombstones) &&
               set_number(dict, "memtable_entries", i->memtable_entries) &&
               set_number(dict, "disk_bytes", i->disk_bytes);
    Py_XDECREF(kind);
    if (!set) Py_CLEAR(dict);
    return dict;
}

/* ---------------------------------------------------------------- readers */

typedef struct readers_call {
    holt *db;
    holt_reader *list;
    size_t count, room;
    bool no_memory;
} readers_call;

/* Without the GIL: only copies. */
static holt_status note_reader(void *ctx, const holt_reader *reader)
{
    readers_call *c = (readers_call *)ctx;
    if (c->count == c->room) {
        size_t room = c->room ? 2 * c->room : 16;
        holt_reader *list = (holt_reader *)realloc(c->list, room * sizeof *list);
        c->no_memory = list == NULL;
        if (!list) return HOLT_NO_MEMORY;
        c->list = list;
        c->room = room;
    }
    c->list[c->count++] = *reader;
    return HOLT_OK;
}

static holt_status readers_unlocked(void *ctx)
{
    readers_call *c = (readers_call *)ctx;
    return holt_readers(c->db, note_reader, c);
}

static PyObject *reader_dict(const holt_reader *r)
{
    static const char *const kinds[] = {"?", "snapshot", "batch", "transaction", "cursor"};
    const char *kind = kinds[r->kind <= HOLT_READER_CURSOR ? r->kind : 0];
    return Py_BuildValue("{s:s,s:O,s:d,s:K,s:s}", "kind", kind, "revoked", r->revoked ? Py_True : Py_False,
                         "age", (double)r->age_ms / 1000, "pinned_bytes", (unsigned long long)r->pinned_bytes,
                         "label", r->label);
}

PyObject *database_readers(PyObject *self, PyObject *unused)
{
    database *db = (database *)self;
    PyObject *list = NULL;
    holt_status rc;
    if (!database_check(db)) return NULL;
    readers_call c = {.db = db->handle};
    if (!database_call(db, readers_unlocked, &c, &rc)) return NULL;
    if (rc == HOLT_OK)
        list = PyList_New(0);
    else if (c.no_memory)
        PyErr_NoMemory();
    else
        raise_status(rc);
    for (size_t i = 0; list && i < c.count; i++) {
        PyObject *reader = reader_dict(&c.list[i]);
        if (!reader || PyList_Append(list, reader) < 0) Py_CLEAR(list);
        Py_XDECREF(reader);
    }
    free(c.list);
    return list;
}

/* ---------------------------------------------------------------- verification */

/* Problems that are kept to be returned; there may be as many as blocks. */
enum { PROBLEMS_MAX = 100 };

typedef struct verify_call {
    holt *db; /* or, for a closed database, */
    const char *path;
    holt_verify_report report;
    holt_error problems[PROBLEMS_MAX];
    size_t count;
} verify_call;

static void note_problem(void *ctx, const holt_error *problem)
{
    verify_call *c = (verify_call *)ctx;
    if (c->count < PROBLEMS_MAX) c->problems[c->count++] = *problem;
}

static holt_status verify_unlocked(void *ctx)
{
    verify_call *c = (verify_call *)ctx;
    holt_verify_options o = {.problem = note_problem, .ctx = c};
    return c->db ? holt_verify_live(c->db, &o, &c->report, sizeof c->report)
                 : holt_verify(c->path, &o, &c->report, sizeof c->report);
}

/* The figures, and the problems as exception objects. */
static PyObject *report_dict(const verify_call *c)
{
    const holt_verify_report *r = &c->report;
    PyObject *dict = PyDict_New(), *problems = PyList_New(0);
    for (size_t i = 0; problems && i < c->count; i++) {
        PyObject *error = error_object(&c->problems[i]);
        if (!error || PyList_Append(problems, error) < 0) Py_CLEAR(problems);
        Py_XDECREF(error);
    }
    bool set = dict && problems && set_number(dict, "files", r->files) &&
               set_number(dict, "blocks", r->blocks) && set_number(dict, "entries", r->entries) &&
               set_number(dict, "bytes", r->bytes) && set_number(dict, "orphans", r->orphans) &&
               PyDict_SetItemString(dict, "problems", problems) == 0;
    Py_XDECREF(problems);
    if (!set) Py_CLEAR(dict);
    return dict;
}

/* Damage that was found is a result. */
static PyObject *verify_result(const verify_call *c, holt_status rc)
{
    if (rc == HOLT_OK || (rc == HOLT_CORRUPT && c->report.problems)) return report_dict(c);
    return raise_status(rc);
}

PyObject *database_verify_live(PyObject *self, PyObject *unused)
{
    database *db = (database *)self;
    PyObject *result = NULL;
    holt_status rc;
    if (!database_check(db)) return NULL;
    verify_call *c = (verify_call *)PyMem_Calloc(1, sizeof *c);
    if (!c) return PyErr_NoMemory();
    c->db = db->handle;
    if (database_call(db, verify_unlocked, c, &rc)) result = verify_result(c, rc);
    PyMem_Free(c);
    return result;
}

PyObject *module_verify(PyObject *module, PyObject *path)
{
    PyObject *bytes = NULL;
    holt_status rc;
    if (!PyUnicode_FSConverter(path, &bytes)) return NULL;
    verify_call *c = (verify_call *)PyMem_Calloc(1, sizeof *c);
    if (!c) {
        Py_DECREF(bytes);
        return PyErr_NoMemory();
    }
    c->path = PyBytes_AsString(bytes);
    Py_BEGIN_ALLOW_THREADS rc = verify_unlocked(c);
    Py_END_ALLOW_THREADS PyObject *result = verify_result(c, rc);
    PyMem_Free(c);
    Py_DECREF(bytes);
    return result;
}
