/* store.c -- a mapping of keys to values: what databases, collections and transactions have in common.
 *
 * Reading      A get tries holt_get_cached() under the GIL, and gives the GIL up only if the value must be
 *              read from disk.
 * Writing      Without a transaction a write is a commit, which waits for the disk: without the GIL. In a
 *              transaction it goes to memory, under the GIL, unless a condition must be looked up.
 */
#include "module.h"

#include <string.h>

PyTypeObject *store_type;

/* How many moves of a cursor go between two looks for signals. */
enum { MOVES_PER_STEP = 65536 };

/* ---------------------------------------------------------------- get */

typedef struct value_call {
    store *s;
    holt_slice key;
    holt_value value;
} value_call;

static holt_status value_unlocked(void *ctx)
{
    value_call *g = (value_call *)ctx;
    return holt_get(g->s->c, store_txn(g->s), g->key, &g->value);
}

/* The buffer of all gets that are answered from memory. The GIL, which they keep, guards it. */
static holt_value shared_value = HOLT_VALUE_INIT;

enum { SHARED_VALUE_BYTES_MAX = 256 * 1024 };

/* The value as bytes or str. NULL without an exception: there is none, and *missing is set; or it must be
 * read from disk, and *busy is set, unless busy is NULL: then it is read. */
static PyObject *get_value(store *s, PyObject *key, bool *missing, bool *busy)
{
    PyObject *value = NULL;
    bytes_in k;
    *missing = false;
    if (!bytes_take(key, &k)) return NULL;
    if (!store_check(s)) {
        bytes_release(&k);
        return NULL;
    }
    value_call read = {s, k.slice, HOLT_VALUE_INIT};
    const holt_value *got = &shared_value;
    bool called = true;
    holt_status rc = holt_get_cached(s->c, store_txn(s), k.slice, &shared_value);
    if (busy) *busy = rc == HOLT_BUSY;
    if (rc == HOLT_BUSY && !busy) {
        called = store_call(s, value_unlocked, &read, &rc);
        got = &read.value;
    }
    bytes_release(&k);
    *missing = called && rc == HOLT_NOT_FOUND;
    if (called && rc == HOLT_OK)
        value = bytes_make(s->text, got->data, got->size);
    else if (called && rc != HOLT_NOT_FOUND && !(busy && *busy))
        raise_status(rc);
    holt_value_free(&read.value);
    if (shared_value.capacity > SHARED_VALUE_BYTES_MAX) holt_value_free(&shared_value);
    return value;
}

static PyObject *store_subscript(PyObject *self, PyObject *key)
{
    bool missing;
    PyObject *value = get_value((store *)self, key, &missing, NULL);
    return missing ? raise_missing(key) : value;
}

static PyObject *store_get(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *keywords)
{
    static const char *const names[] = {"key", "default"};
    static const signature s = {"get", names, 2, 2, 1};
    PyObject *a[2];
    bool missing;
    if (!arguments(&s, args, n, keywords, a)) return NULL;
    PyObject *value = get_value((store *)self, a[0], &missing, NULL);
    return missing ? Py_NewRef(a[1] ? a[1] : Py_None) : value;
}

/* For event loops: never waits for the disk. */
static PyObject *store_get_now(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *keywords)
{
    static const char *const names[] = {"key", "default", "busy"};
    static const signature s = {"_get_now", names, 3, 3, 3};
    PyObject *a[3];
    bool missing, busy = false;
    if (!arguments(&s, args, n, keywords, a)) return NULL;
    PyObject *value = get_value((store *)self, a[0], &missing, &busy);
    if (busy) return Py_NewRef(a[2]);
    return missing ? Py_NewRef(a[1]) : value;
}

static holt_status exists_unlocked(void *ctx)
{
    value_call *g = (value_call *)ctx;
    return holt_exists(g->s->c, store_txn(g->s), g->key);
}

/* 1: exists; 0: not; -1: an exception is set. */
static int store_contains(PyObject *self, PyObject *key)
{
    store *s = (store *)self;
    bytes_in k;
    if (!bytes_take(key, &k)) return -1;
    if (!store_check(s)) {
        bytes_release(&k);
        return -1;
    }
    value_call look = {s, k.slice, HOLT_VALUE_INIT};
    holt_status rc = holt_get_cached(s->c, store_txn(s), k.slice, &shared_value);
    bool called = rc != HOLT_BUSY || store_call(s, exists_unlocked, &look, &rc);
    bytes_release(&k);
    if (!called) return -1;
    if (rc != HOLT_OK && rc != HOLT_NOT_FOUND) raise_status(rc);
    return rc == HOLT_OK ? 1 : rc == HOLT_NOT_FOUND ? 0 : -1;
}

static PyObject *store_exists(PyObject *self, PyObject *key)
{
    int found = store_contains(self, key);
    return found < 0 ? NULL : PyBool_FromLong(found);
}

/* ---------------------------------------------------------------- get with its version and expiry */

static PyObject *seconds_object(uint64_t ms)
{
    return ms ? PyFloat_FromDouble((double)ms / 1000) : Py_NewRef(Py_None);
}

/* The value, its version and its expiry, as a tuple. */
static PyObject *store_get_versioned(PyObject *self, PyObject *key)
{
    value_call get = {.s = (store *)self, .value = HOLT_VALUE_INIT};
    PyObject *value = NULL, *expires = NULL, *result = NULL;
    holt_status rc;
    bytes_in k;
    if (!bytes_take(key, &k)) return NULL;
    get.key = k.slice;
    if (!store_call(get.s, value_unlocked, &get, &rc)) goto done;
    if (rc == HOLT_OK)
        value = bytes_make(get.s->text, get.value.data, get.value.size);
    else if (rc == HOLT_NOT_FOUND)
        value = Py_NewRef(Py_None);
    else
        raise_status(rc);
    expires = value ? seconds_object(get.value.expires_at_ms) : NULL;
    if (expires) result = Py_BuildValue("OKO", value, (unsigned long long)get.value.version, expires);
done:
    Py_XDECREF(value);
    Py_XDECREF(expires);
    holt_value_free(&get.value);
    bytes_release(&k);
    return result;
}

static holt_status expiry_unlocked(void *ctx)
{
    value_call *g = (value_call *)ctx;
    return holt_expiry(g->s->c, store_txn(g->s), g->key, &g->value.expires_at_ms);
}

static PyObject *store_expiry(PyObject *self, PyObject *key)
{
    value_call get = {.s = (store *)self, .value = HOLT_VALUE_INIT};
    holt_status rc;
    bytes_in k;
    if (!bytes_take(key, &k)) return NULL;
    get.key = k.slice;
    bool called = store_call(get.s, expiry_unlocked, &get, &rc);
    bytes_release(&k);
    if (!called) return NULL;
    if (rc == HOLT_NOT_FOUND) return raise_missing(key);
    return rc == HOLT_OK ? seconds_object(get.value.expires_at_ms) : raise_status(rc);
}

/* ---------------------------------------------------------------- get_many */

typedef struct many_call {
    store *s;
    size_t n, taken;
    bytes_in *in;
    holt_slice *keys;
    holt_value *values;
    holt_status *statuses;
} many_call;

static holt_status many_unlocked(void *ctx)
{
    many_call *m = (many_call *)ctx;
    return holt_get_many(m->s->c, store_txn(m->s), m->n, m->keys, m->values, m->statuses);
}

static void many_free(many_call *m)
{
    for (size_t i = 0; i < m->taken; i++)
        bytes_release(&m->in[i]);
    for (size_t i = 0; m->values && i < m->n; i++)
        holt_value_free(&m->values[i]);
    PyMem_Free(m->in);
    PyMem_Free(m->keys);
    PyMem_Free(m->values);
    PyMem_Free(m->statuses);
}

/* keys: a tuple. */
static bool many_take(many_call *m, PyObject *keys)
{
    m->n = (size_t)PyTuple_Size(keys);
    size_t room = m->n ? m->n : 1;
    m->in = (bytes_in *)PyMem_Calloc(room, sizeof *m->in);
    m->keys = (holt_slice *)PyMem_Calloc(room, sizeof *m->keys);
    m->values = (holt_value *)PyMem_Calloc(room, sizeof *m->values);
    m->statuses = (holt_status *)PyMem_Calloc(room, sizeof *m->statuses);
    if (!m->in || !m->keys || !m->values || !m->statuses) {
        PyErr_NoMemory();
        return false;
    }
    for (; m->taken < m->n; m->taken++) {
        if (!bytes_take(PyTuple_GetItem(keys, (Py_ssize_t)m->taken), &m->in[m->taken])) return false;
        m->keys[m->taken] = m->in[m->taken].slice;
    }
    return true;
}

static PyObject *many_list(const many_call *m, PyObject *otherwise)
{
    PyObject *list = PyList_New((Py_ssize_t)m->n);
    for (size_t i = 0; list && i < m->n; i++) {
        PyObject *value = m->statuses[i] == HOLT_OK
                              ? bytes_make(m->s->text, m->values[i].data, m->values[i].size)
                              : Py_NewRef(otherwise);
        if (!value || PyList_SetItem(list, (Py_ssize_t)i, value) < 0) {
            Py_DECREF(list);
            return NULL;
        }
    }
    return list;
}

static PyObject *store_get_many(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *keywords)
{
    static const char *const names[] = {"keys", "default"};
    static const signature s = {"get_many", names, 2, 2, 1};
    PyObject *a[2], *result = NULL;
    if (!arguments(&s, args, n, keywords, a)) return NULL;
    PyObject *keys = PySequence_Tuple(a[0]);
    if (!keys) return NULL;
    many_call m = {.s = (store *)self};
    if (many_take(&m, keys) && store_do(m.s, many_unlocked, &m))
        result = many_list(&m, a[1] ? a[1] : Py_None);
    many_free(&m);
    Py_DECREF(keys);
    return result;
}

/* ---------------------------------------------------------------- writes */

typedef enum write_op {
    WRITE_PUT,
    WRITE_PUT_WITH,
    WRITE_DELETE,
    WRITE_DELETE_RANGE,
    WRITE_ADD,
    WRITE_EXPIRE
} write_op;

typedef struct write_call {
    store *s;
    write_op op;
    bytes_in key, value; /* value: the end of a range, for WRITE_DELETE_RANGE */
    holt_put_options options;
    int64_t delta, sum;
} write_call;

static holt_status write_unlocked(void *ctx)
{
    write_call *w = (write_call *)ctx;
    holt_collection *c = w->s->c;
    holt_txn *t = store_txn(w->s);
    switch (w->op) {
    case WRITE_PUT:
        return holt_put(c, t, w->key.slice, w->value.slice);
    case WRITE_PUT_WITH:
        return holt_put_with(c, t, w->key.slice, w->value.slice, &w->options);
    case WRITE_DELETE:
        return holt_delete(c, t, w->key.slice);
    case WRITE_DELETE_RANGE:
        return holt_delete_range(c, t, w->key.slice, w->value.slice);
    case WRITE_ADD:
        return holt_add(c, t, w->key.slice, w->delta, &w->sum);
    case WRITE_EXPIRE:
        return holt_expire(c, t, w->key.slice, w->options.expires_at_ms);
    }
    return HOLT_INVALID;
}

/* Whether the write only appends to the memory of its transaction. */
static bool is_in_memory(const write_call *w)
{
    if (!w->s->txn) return false;
    return w->op == WRITE_PUT || w->op == WRITE_DELETE || w->op == WRITE_DELETE_RANGE ||
           (w->op == WRITE_PUT_WITH && w->options.flags == 0);
}

/* false: Closed was raised; otherwise *rc. */
static bool write_run(write_call *w, holt_status *rc)
{
    if (!store_check(w->s)) return false;
    if (w->s->txn) w->s->txn->writes++;
    if (!is_in_memory(w)) return store_call(w->s, write_unlocked, w, rc);
    *rc = write_unlocked(w);
    return true;
}

/* Runs the write, releases its bytes, and raises what went wrong. */
static bool write_do(write_call *w)
{
    holt_status rc;
    bool called = write_run(w, &rc);
    bytes_release(&w->key);
    bytes_release(&w->value);
    if (called && rc != HOLT_OK) raise_status(rc);
    return called && rc == HOLT_OK;
}

static bool take_key(write_call *w, PyObject *key)
{
    w->value.copy = NULL;
    return bytes_take(key, &w->key);
}

static bool take_entry(write_call *w, PyObject *key, PyObject *value)
{
    if (!bytes_take(key, &w->key)) return false;
    if (bytes_take(value, &w->value)) return true;
    bytes_release(&w->key);
    return false;
}

/* `del store[key]` raises KeyError if there is no such key, as with any mapping. A batch cannot look. */
static bool key_is_there(PyObject *self, PyObject *key)
{
    store *s = (store *)self;
    if (s->txn && (s->txn->flags & HOLT_TXN_BLIND)) return true;
    int found = store_contains(self, key);
    if (found == 0) raise_missing(key);
    return found == 1;
}

static int store_assign(PyObject *self, PyObject *key, PyObject *value)
{
    write_call w;
    w.s = (store *)self;
    w.op = value ? WRITE_PUT : WRITE_DELETE;
    if (!value && !key_is_there(self, key)) return -1;
    bool taken = value ? take_entry(&w, key, value) : take_key(&w, key);
    return taken && write_do(&w) ? 0 : -1;
}

static bool take_condition(write_call *w, PyObject *if_absent, PyObject *if_present, PyObject *if_version)
{
    bool absent = false, present = false;
    if (!take_flag(if_absent, &absent) || !take_flag(if_present, &present)) return false;
    if (!take_u64(if_version, &w->options.version)) return false;
    bool version = if_version && if_version != Py_None;
    if (absent + present + version > 1) {
        PyErr_SetString(PyExc_TypeError, "only one of if_absent, if_present and if_version");
        return false;
    }
    w->options.flags = absent    ? HOLT_PUT_IF_ABSENT
                       : present ? HOLT_PUT_IF_PRESENT
                       : version ? HOLT_PUT_IF_VERSION
                                 : 0;
    return true;
}

static PyObject *store_put(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *keywords)
{
    static const char *const names[] = {"key",        "value",   "if_absent", "if_present",
                                        "if_version", "expires", "ttl"};
    static const signature s = {"put", names, 7, 2, 2};
    PyObject *a[7];
    write_call w;
    w.s = (store *)self;
    w.op = WRITE_PUT;
    if (!arguments(&s, args, n, keywords, a)) return NULL;
    if (keywords) {
        memset(&w.options, 0, sizeof w.options);
        w.op = WRITE_PUT_WITH;
        if (!take_condition(&w, a[2], a[3], a[4])) return NULL;
        if (!take_expiry(a[5], a[6], &w.options.expires_at_ms)) return NULL;
    }
    return take_entry(&w, a[0], a[1]) && write_do(&w) ? Py_NewRef(Py_None) : NULL;
}

static PyObject *store_delete(PyObject *self, PyObject *key)
{
    write_call w;
    w.s = (store *)self;
    w.op = WRITE_DELETE;
    return take_key(&w, key) && write_do(&w) ? Py_NewRef(Py_None) : NULL;
}

static PyObject *store_delete_range(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *keywords)
{
    static const char *const names[] = {"start", "end"};
    static const signature s = {"delete_range", names, 2, 2, 2};
    PyObject *a[2];
    write_call w;
    w.s = (store *)self;
    w.op = WRITE_DELETE_RANGE;
    if (!arguments(&s, args, n, keywords, a)) return NULL;
    if (!bytes_take_bound(a[0], &w.key)) return NULL;
    /* Everything: from the empty key, which is the first, because two open bounds are refused. */
    if (!w.key.slice.data) w.key.slice = holt_bytes("", 0);
    if (!bytes_take_bound(a[1], &w.value)) {
        bytes_release(&w.key);
        return NULL;
    }
    return write_do(&w) ? Py_NewRef(Py_None) : NULL;
}

static PyObject *store_add(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *keywords)
{
    static const char *const names[] = {"key", "delta"};
    static const signature s = {"add", names, 2, 2, 1};
    PyObject *a[2];
    write_call w;
    w.s = (store *)self;
    w.op = WRITE_ADD;
    w.delta = 1;
    if (!arguments(&s, args, n, keywords, a)) return NULL;
    if (a[1]) w.delta = PyLong_AsLongLong(a[1]);
    if (PyErr_Occurred()) return NULL;
    return take_key(&w, a[0]) && write_do(&w) ? PyLong_FromLongLong(w.sum) : NULL;
}

static PyObject *store_expire(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *keywords)
{
    static const char *const names[] = {"key", "expires", "ttl"};
    static const signature s = {"expire", names, 3, 1, 1};
    PyObject *a[3];
    write_call w;
    holt_status rc;
    w.s = (store *)self;
    w.op = WRITE_EXPIRE;
    if (!arguments(&s, args, n, keywords, a)) return NULL;
    if (!take_expiry(a[1], a[2], &w.options.expires_at_ms) || !take_key(&w, a[0])) return NULL;
    bool called = write_run(&w, &rc);
    bytes_release(&w.key);
    if (!called) return NULL;
    if (rc == HOLT_NOT_FOUND) return raise_missing(a[0]);
    return rc == HOLT_OK ? Py_NewRef(Py_None) : raise_status(rc);
}

/* ---------------------------------------------------------------- counting */

typedef struct count_call {
    store *s;
    holt_cursor *cursor;
    size_t count, limit;
    bool more;
} count_call;

static holt_status count_unlocked(void *ctx)
{
    count_call *c = (count_call *)ctx;
    holt_cursor_options o = {.flags = HOLT_CURSOR_KEYS_ONLY};
    if (!c->cursor) {
        holt_status rc = holt_cursor_open(c->s->c, store_txn(c->s), &o, &c->cursor);
        if (rc != HOLT_OK) return rc;
    }
    size_t until = c->limit - c->count < MOVES_PER_STEP ? c->limit : c->count + MOVES_PER_STEP;
    while (c->count < until) {
        if (!holt_cursor_next(c->cursor)) return holt_cursor_status(c->cursor);
        c->count++;
    }
    c->more = c->count < c->limit;
    return HOLT_OK;
}

static holt_status close_unlocked(void *ctx)
{
    return holt_cursor_close((holt_cursor *)ctx);
}

/* Under the gate: a cursor of a transaction is a part of it. */
static void release_cursor(store *s, holt_cursor *cursor)
{
    gate *g = store_gate(s);
    if (!cursor) return;
    if (g) gate_enter(g);
    database_release(s->db, close_unlocked, cursor);
    if (g) gate_leave(g);
}

/* The number of entries, but at most `limit`; -1 with an exception set. */
static Py_ssize_t count_entries(store *s, size_t limit)
{
    count_call c = {.s = s, .limit = limit};
    bool good;
    do {
        c.more = false;
        good = store_do(s, count_unlocked, &c) && PyErr_CheckSignals() == 0;
    } while (good && c.more);
    release_cursor(s, c.cursor);
    return good ? (Py_ssize_t)c.count : -1;
}

static Py_ssize_t store_length(PyObject *self)
{
    return count_entries((store *)self, PY_SSIZE_T_MAX);
}

static int store_bool(PyObject *self)
{
    return (int)count_entries((store *)self, 1);
}

/* ---------------------------------------------------------------- the rest */

static PyObject *store_get_range(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *keywords)
{
    static const char *const names[] = {"first", "last", "limit"};
    static const signature s = {"get_range", names, 3, 2, 2};
    PyObject *a[3];
    if (!arguments(&s, args, n, keywords, a)) return NULL;
    return range_list((store *)self, a[0], a[1], a[2]);
}

typedef struct size_call {
    store *s;
    bytes_in begin, end;
    uint64_t bytes, entries;
} size_call;

static holt_status size_unlocked(void *ctx)
{
    size_call *c = (size_call *)ctx;
    return holt_approximate_size(c->s->c, c->begin.slice, c->end.slice, &c->bytes, &c->entries);
}

static holt_status compact_unlocked(void *ctx)
{
    size_call *c = (size_call *)ctx;
    return holt_compact(c->s->c, c->begin.slice, c->end.slice);
}

/* A call on the range between two arguments, both of which may be left out. */
static bool call_on_range(const char *function, size_call *c, call_fn fn, PyObject *const *args, Py_ssize_t n,
                          PyObject *keywords)
{
    static const char *const names[] = {"start", "end"};
    signature s = {function, names, 2, 2, 0};
    PyObject *a[2];
    bool done = false;
    if (!arguments(&s, args, n, keywords, a)) return false;
    if (!bytes_take_bound(a[0], &c->begin)) return false;
    if (bytes_take_bound(a[1], &c->end)) {
        done = store_do(c->s, fn, c);
        bytes_release(&c->end);
    }
    bytes_release(&c->begin);
    return done;
}

static PyObject *store_approximate_size(PyObject *self, PyObject *const *args, Py_ssize_t n,
                                        PyObject *keywords)
{
    size_call c = {.s = (store *)self};
    if (!call_on_range("approximate_size", &c, size_unlocked, args, n, keywords)) return NULL;
    return Py_BuildValue("KK", (unsigned long long)c.entries, (unsigned long long)c.bytes);
}

static PyObject *store_compact(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *keywords)
{
    size_call c = {.s = (store *)self};
    return call_on_range("compact", &c, compact_unlocked, args, n, keywords) ? Py_NewRef(Py_None) : NULL;
}

static holt_status clear_unlocked(void *ctx)
{
    return holt_collection_clear(((store *)ctx)->c);
}

static PyObject *store_clear_entries(PyObject *self, PyObject *unused)
{
    store *s = (store *)self;
    if (!s->txn) return store_do(s, clear_unlocked, s) ? Py_NewRef(Py_None) : NULL;
    write_call w;
    w.s = s;
    w.op = WRITE_DELETE_RANGE;
    w.key = (bytes_in){.slice = holt_bytes("", 0)}; /* from the first key to the last */
    w.value = (bytes_in){0};
    return write_do(&w) ? Py_NewRef(Py_None) : NULL;
}

typedef struct info_call {
    store *s;
    holt_collection_info info;
} info_call;

static holt_status info_unlocked(void *ctx)
{
    info_call *c = (info_call *)ctx;
    return holt_collection_stats(c->s->c, &c->info, sizeof c->info);
}

static PyObject *store_collection_stats(PyObject *self, PyObject *unused)
{
    info_call c = {.s = (store *)self};
    return store_do(c.s, info_unlocked, &c) ? collection_stats_dict(&c.info) : NULL;
}

static PyObject *store_name(PyObject *self, void *closure)
{
    char name[129];
    store *s = (store *)self;
    if (!store_check(s)) return NULL;
    holt_status rc = holt_collection_name(s->c, name, sizeof name, NULL);
    if (rc != HOLT_OK) return raise_status(rc);
    return PyUnicode_DecodeUTF8(name, (Py_ssize_t)strlen(name), "replace");
}

static PyObject *store_kind(PyObject *self, void *closure)
{
    store *s = (store *)self;
    if (!store_check(s)) return NULL;
    return PyUnicode_FromString(holt_collection_kind(s->c) == HOLT_BTREE ? "btree" : "lsm");
}

static PyObject *store_get_text(PyObject *self, void *closure)
{
    return PyBool_FromLong(((store *)self)->text);
}

static PyObject *store_closed(PyObject *self, void *closure)
{
    return PyBool_FromLong(!store_is_open((store *)self));
}

static PyObject *store_database(PyObject *self, void *closure)
{
    store *s = (store *)self;
    return s->db ? Py_NewRef((PyObject *)s->db) : raise_closed("the database");
}

/* ---------------------------------------------------------------- life */

static bool owns_database(const store *s)
{
    return s->db && (PyObject *)s->db != (PyObject *)s;
}

static bool owns_transaction(const store *s)
{
    return s->txn && (PyObject *)s->txn != (PyObject *)s;
}

int store_traverse(PyObject *self, visitproc visit, void *arg)
{
    store *s = (store *)self;
    Py_VISIT(Py_TYPE(self));
    if (owns_database(s)) Py_VISIT((PyObject *)s->db);
    if (owns_transaction(s)) Py_VISIT((PyObject *)s->txn);
    return 0;
}

static holt_status release_collection(void *ctx)
{
    holt_collection_close((holt_collection *)ctx);
    return HOLT_OK;
}

/* A closed database has released the handles of its collections itself. */
static void store_release_collection(store *s)
{
    holt_collection *c = s->c;
    s->c = NULL;
    if (!c || !s->owns_collection) return;
    if (database_is_open(s->db)) database_release(s->db, release_collection, c);
}

int store_clear(PyObject *self)
{
    store *s = (store *)self;
    store_release_collection(s);
    PyObject *db = owns_database(s) ? (PyObject *)s->db : NULL;
    PyObject *txn = owns_transaction(s) ? (PyObject *)s->txn : NULL;
    s->db = NULL;
    s->txn = NULL;
    Py_XDECREF(txn);
    Py_XDECREF(db);
    return 0;
}

void store_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)store_clear(self);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF((PyObject *)type);
}

/* ---------------------------------------------------------------- the type */

static PyMethodDef methods[] = {
    METHOD("get", store_get, FAST, "get(key, default=None): the value, or default if there is none."),
    METHOD("_get_now", store_get_now, FAST,
           "_get_now(key, default, busy): the value if it is in memory; busy if it must be read from disk."),
    METHOD("exists", store_exists, METH_O, "exists(key): whether the key has a value."),
    METHOD("get_versioned", store_get_versioned, METH_O,
           "get_versioned(key): a tuple of the value, its version, and when it expires. (None, 0, None): no "
           "value."),
    METHOD("expiry", store_expiry, METH_O,
           "expiry(key): when the value expires, in seconds since 1970; None: never."),
    METHOD("get_many", store_get_many, FAST,
           "get_many(keys, default=None): the list of the keys' values, all as of the same moment."),
    METHOD("put", store_put, FAST,
           "put(key, value, *, if_absent, if_present, if_version, expires, ttl): puts a value."),
    METHOD("delete", store_delete, METH_O, "delete(key): deletes the key, whether or not it exists."),
    METHOD(
        "delete_range", store_delete_range, FAST,
        "delete_range(start, end): deletes the keys from start up to, not including, end, in one operation."),
    METHOD("add", store_add, FAST,
           "add(key, delta=1): adds to a decimal number, atomically; returns the sum."),
    METHOD("expire", store_expire, FAST,
           "expire(key, *, expires, ttl): changes when the value expires; neither given: never."),
    METHOD("get_range", store_get_range, FAST,
           "get_range(first, last, *, limit=None): the list of entries from first to last, both included."),
    METHOD("approximate_size", store_approximate_size, FAST,
           "approximate_size(start=None, end=None): an estimate (entries, bytes) of the range."),
    METHOD("compact", store_compact, FAST,
           "compact(start=None, end=None): flushes, then compacts the range."),
    METHOD("clear", store_clear_entries, METH_NOARGS, "clear(): deletes all entries."),
    METHOD("collection_stats", store_collection_stats, METH_NOARGS, "collection_stats(): a dict of figures."),
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {
    {"name", store_name, NULL, "The name of the collection.", NULL},
    {"kind", store_kind, NULL, "The kind of tree: \"lsm\" or \"btree\".", NULL},
    {"text", store_get_text, NULL, "Whether keys and values are returned as str.", NULL},
    {"closed", store_closed, NULL, "Whether it can no longer be used.", NULL},
    {"database", store_database, NULL, "The database.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A mapping of keys to values."},
    {Py_tp_traverse, store_traverse},
    {Py_tp_clear, store_clear},
    {Py_tp_dealloc, store_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_mp_subscript, store_subscript},
    {Py_mp_ass_subscript, store_assign},
    {Py_mp_length, store_length},
    {Py_sq_contains, store_contains},
    {Py_nb_bool, store_bool},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "holt._holt.Store",
    .basicsize = sizeof(store),
    .flags =
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};

bool store_take(PyObject *o, store **out)
{
    int is = PyObject_IsInstance(o, (PyObject *)store_type);
    if (is == 0)
        PyErr_Format(PyExc_TypeError, "expected a database, collection or transaction, not %R", Py_TYPE(o));
    *out = (store *)o;
    return is > 0;
}

bool store_init(PyObject *module)
{
    store_type = module_type(module, "Store", &spec, NULL);
    return store_type != NULL;
}
