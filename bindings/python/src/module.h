/* module.h -- the extension module holt._holt: what its files share.
 *
 * The module is a thin layer over <holt.h>. It has the types whose calls are made often, and everything that
 * has to do with threads; the package's Python files make the interface for users out of it.
 *
 *     store         a mapping of keys to values: a collection, by itself or as a transaction sees it
 *                   (store.c)
 *       database    an open database; as a mapping, its collection "default" (database.c)
 *       collection  a named collection (collection.c)
 *       transaction a transaction, a snapshot or a batch; as a mapping, "default" in it (transaction.c)
 *     range         an iterator over entries, which reads ahead (range.c)
 *     cursor        a cursor, moved step by step (cursor.c)
 *     load          a bulk load (load.c)
 *     table         a typed table, by itself or in a transaction (table.c, table_schema.c)
 *     scan          an iterator over the rows of a range (scan.c)
 *
 * The lock      Python code runs under the interpreter's lock (the GIL). Calls that may wait, for the disk or
 *               for another thread, are made without it, by database_call() and store_call(). Calls that
 *               touch memory only keep it, because giving it up and waiting for it again costs more than most
 *               of them: writes to a transaction, and gets, which try holt_get_cached() first.
 * Threads       Every object may be used by any thread. What <holt.h> allows to one thread at a time has a
 *               gate, which a call without the lock holds; a call that keeps the lock only has to wait for
 *               the gate to be free.
 * Closing       A database counts the calls that are made without the lock. Its close refuses new ones, waits
 *               for those in progress, and then closes by force: objects that depend on it raise Closed.
 *               Every object keeps its database alive.
 * fork          An object belongs to the process that made it, which it knows by the number `process_number`.
 *               In another process it raises Closed, and touches neither its gate nor the library.
 * Errors        A function that fails has set a Python exception, and returns NULL, false or -1.
 */
#ifndef HOLT_PYTHON_MODULE_H
#define HOLT_PYTHON_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <holt.h>
#include <holt/table.h>
#include <stdbool.h>
#include <stdint.h>

/* Grows by one in each child of fork(). */
extern uint32_t process_number;

/* ---------------------------------------------------------------- errors (errors.c) */

bool errors_init(void);

/* Raises the exception for the calling thread's last failure, which has the given status. Returns NULL. */
PyObject *raise_status(holt_status status);
/* Raises NotFound for a key, as a mapping raises KeyError. */
PyObject *raise_missing(PyObject *key);
PyObject *raise_closed(const char *what);
/* Raises the exception of a status with a message of our own. */
PyObject *raise_message(holt_status status, const char *message);
/* A Holt error as an exception object that is not raised; a new reference, or NULL. */
PyObject *error_object(const holt_error *e);

/* ---------------------------------------------------------------- gates (gate.c) */

/* Lets one thread at a time into what must not be used by two. `taken` is read and written under the GIL
 * only; `lock` is held while it is set. */
typedef struct gate {
    PyThread_type_lock lock;
    bool taken;
} gate;

bool gate_init(gate *g);
void gate_deinit(gate *g);
void gate_enter(gate *g); /* may give the GIL up for as long as another thread is inside */
void gate_leave(gate *g);

/* For calls that keep the GIL: waits until nobody is inside. */
static inline void gate_wait(gate *g)
{
    if (!g->taken) return;
    gate_enter(g);
    gate_leave(g);
}

/* ---------------------------------------------------------------- values (values.c) */

/* Bytes that a caller has passed, as str (encoded as UTF-8), bytes, or any object with a buffer. Valid until
 * bytes_release(); the object itself must be kept by the caller. Taking the bytes of a buffer may run Python
 * code, after which anything may have been closed. */
typedef struct bytes_in {
    holt_slice slice;
    void *copy; /* of a buffer; NULL for str and bytes, which cannot change */
} bytes_in;

bool bytes_take_other(PyObject *o, bytes_in *in);

static inline bool bytes_take(PyObject *o, bytes_in *in)
{
    char *data;
    Py_ssize_t size;
    if (!PyBytes_Check(o)) return bytes_take_other(o, in);
    if (PyBytes_AsStringAndSize(o, &data, &size) < 0) return false;
    in->slice = holt_bytes(data, (size_t)size);
    in->copy = NULL;
    return true;
}

/* The same for a bound of a range: None or NULL is open. */
bool bytes_take_bound(PyObject *o, bytes_in *in);

static inline void bytes_release(bytes_in *in)
{
    if (in->copy) PyMem_Free(in->copy);
    in->copy = NULL;
}

/* A key or value for the caller: bytes, or str if `text`. */
static inline PyObject *bytes_make(bool text, const void *data, size_t size)
{
    if (text) return PyUnicode_DecodeUTF8((const char *)data, (Py_ssize_t)size, "strict");
    return PyBytes_FromStringAndSize((const char *)data, (Py_ssize_t)size);
}

/* Arguments of a fast call: the values of `count` parameters named `names`, the first `positional` of which
 * may be given by position and the first `required` must be given. out[i] stays NULL for the others. */
typedef struct signature {
    const char *function;
    const char *const *names;
    int count, positional, required;
} signature;

bool arguments(const signature *s, PyObject *const *args, Py_ssize_t n, PyObject *keywords, PyObject **out);

bool take_flag(PyObject *o, bool *out);       /* NULL: stays */
bool take_u64(PyObject *o, uint64_t *out);    /* NULL or None: stays */
bool take_u32(PyObject *o, uint32_t *out);    /* NULL or None: stays */
/* The same for the format "O&" of PyArg_ParseTuple, whose own formats for these types take what does not fit
 * modulo their range. */
int parse_u64(PyObject *o, void *out);
int parse_u32(PyObject *o, void *out);
/* The time in ms since 1970 at which a value expires, from the arguments expires= (seconds since 1970, or a
 * datetime) and ttl= (seconds from now, or a timedelta); 0 if neither is given. */
bool take_expiry(PyObject *expires, PyObject *ttl, uint64_t *ms);
/* A name; borrowed from the object. */
const char *take_name(PyObject *o, const char *what);

#define METHOD(name, function, flags, doc) {name, (PyCFunction)(void (*)(void))(function), flags, doc}
#define FAST (METH_FASTCALL | METH_KEYWORDS)

/* ---------------------------------------------------------------- objects */

typedef struct database database;
typedef struct transaction transaction;

typedef struct store {
    PyObject_HEAD
    database *db;         /* its own; in a database itself, not counted */
    transaction *txn;     /* its own, or NULL; in a transaction itself, not counted */
    holt_collection *c;   /* NULL once closed */
    bool text;            /* keys and values are returned as str */
    bool owns_collection; /* c has been opened for this object */
} store;

/* What must be released before its database is closed, which the library does not do for tables and scans. */
typedef struct child {
    struct child *next, **link; /* link NULL: not listed */
    void (*release)(struct child *c);
} child;

struct database {
    store s;
    holt *handle; /* NULL: closed */
    uint32_t process;
    gate closing;
    size_t calls;               /* in progress without the GIL */
    PyThread_type_lock drained; /* held, but released when there are no calls any more, if `waits` */
    bool waits;                 /* a close does, for `drained` */
    unsigned long callback_thread; /* which is in a callback of a call on the database; 0: none */
    child *children;            /* what must be released before the database is closed */
    database *next, **link;     /* of the open databases; link NULL: not among them */
    PyObject *path;
};

struct transaction {
    store s;
    holt_txn *handle; /* NULL: ended */
    gate gate;
    uint32_t flags;
    uint64_t writes; /* how often it has been written to, for ranges that have read ahead */
};

extern PyTypeObject *store_type, *database_type, *collection_type, *transaction_type, *range_type,
    *cursor_type, *load_type;

bool store_init(PyObject *module);
bool database_init(PyObject *module);
bool collection_init(PyObject *module);
bool transaction_init(PyObject *module);
bool range_init(PyObject *module);
bool cursor_init(PyObject *module);
bool load_init(PyObject *module);

/* Makes a type of the module. base may be NULL. */
PyTypeObject *module_type(PyObject *module, const char *name, PyType_Spec *spec, PyTypeObject *base);

/* ---------------------------------------------------------------- calls (calls.c) */

static inline bool database_is_open(const database *db)
{
    return db && db->handle && db->process == process_number;
}

static inline bool store_is_open(const store *s)
{
    return database_is_open(s->db) && s->c && (!s->txn || s->txn->handle);
}

bool database_check(const database *db); /* raises Closed */
bool store_check_slowly(store *s);

/* Whether the store can be used by a call that keeps the GIL; otherwise raises Closed. */
static inline bool store_check(store *s)
{
    if (store_is_open(s) && (!s->txn || !s->txn->gate.taken)) return true;
    return store_check_slowly(s);
}

typedef holt_status (*call_fn)(void *ctx);

/* Run fn(ctx) without the GIL, as a call on the database, or on the store and its transaction. false: it was
 * closed, fn was not called, and Closed is raised. Otherwise *rc is what fn returned. store_call enters the
 * gate. */
bool database_call(database *db, call_fn fn, void *ctx, holt_status *rc);
bool store_call(store *s, call_fn fn, void *ctx, holt_status *rc);
holt_status call_unlocked(database *db, call_fn fn, void *ctx); /* everything has been checked */
/* The same, and raises what fn returned unless that is HOLT_OK. */
bool database_do(database *db, call_fn fn, void *ctx);
bool store_do(store *s, call_fn fn, void *ctx);

/* For the release of objects: run fn(ctx) without the GIL if the object's process is this one, counted as a
 * call of the database if that is still open. Preserves the exception that is set. */
void database_release(database *db, call_fn fn, void *ctx);

void child_add(database *db, child *c);
void child_remove(child *c);

/* What store, collection and transaction share. */
int  store_traverse(PyObject *self, visitproc visit, void *arg);
int  store_clear(PyObject *self);
void store_dealloc(PyObject *self);
bool database_take(PyObject *o, database **out); /* a type check; borrowed */
bool transaction_take(PyObject *o, transaction **out);
bool store_take(PyObject *o, store **out);

static inline holt_txn *store_txn(const store *s)
{
    return s->txn ? s->txn->handle : NULL;
}

static inline gate *store_gate(const store *s)
{
    return s->txn ? &s->txn->gate : NULL;
}

/* The entries of a range as a list of pairs; both bounds are included. */
PyObject *range_list(store *s, PyObject *first, PyObject *last, PyObject *limit);

/* ---------------------------------------------------------------- tables */

typedef struct table {
    PyObject_HEAD
    database *db;
    transaction *txn;   /* NULL: each call is a transaction of its own */
    holt_table *handle; /* NULL: closed */
    child child;
    holt_row row;  /* of gets; one at a time uses it, others a row of their own */
    bool row_used;
} table;

extern PyTypeObject *table_type, *scan_type;

bool table_init(PyObject *module);
bool scan_init(PyObject *module);

bool table_take(PyObject *o, table **out); /* a type check; borrowed */
/* Runs fn(ctx) without the GIL, in the table's transaction if it has one. As store_call and store_do;
 * table_do adds to the exception what holt_row_error says. */
bool table_call(table *t, call_fn fn, void *ctx, holt_status *rc);
bool table_do(table *t, call_fn fn, void *ctx);
/* Raises the exception of a call on rows. */
PyObject *raise_row_status(holt_status rc);
/* The handles that a call needs, as read when it begins. */
static inline holt_txn *table_txn(const table *t)
{
    return t->txn ? t->txn->handle : NULL;
}

/* Values that a caller has passed, as datums. Text and blobs are borrowed from the objects, which `objects`
 * keeps. */
typedef struct datums {
    holt_datum *list;
    size_t count;
    PyObject *objects; /* a list */
} datums;

/* A sequence of values; NULL or None: none. */
bool datums_take(PyObject *values, datums *out);
void datums_release(datums *d);
/* A new reference, or NULL. */
PyObject *datum_make(const holt_datum *d);
PyObject *datums_tuple(const holt_datum *list, size_t count);

PyObject *module_encode_key(PyObject *module, PyObject *args);
PyObject *module_decode_key(PyObject *module, PyObject *args);
PyObject *module_create_table(PyObject *module, PyObject *args);
PyObject *table_describe(PyObject *self, PyObject *unused);
PyObject *table_create_index(PyObject *self, PyObject *args);
PyObject *table_drop_index(PyObject *self, PyObject *name);
PyObject *table_reindex(PyObject *self, PyObject *args);
PyObject *table_alter(PyObject *self, PyObject *args);
PyObject *table_check_rows(PyObject *self, PyObject *unused);
PyObject *database_tables(PyObject *self, PyObject *unused);
PyObject *database_drop_table(PyObject *self, PyObject *name);

/* ---------------------------------------------------------------- figures */

PyObject *database_stats(PyObject *self, PyObject *unused);
PyObject *module_close_all(PyObject *module, PyObject *unused);
PyObject *collection_stats_dict(const holt_collection_info *s);
PyObject *database_readers(PyObject *self, PyObject *unused);
PyObject *database_verify_live(PyObject *self, PyObject *unused);
PyObject *module_verify(PyObject *module, PyObject *path);

#endif
