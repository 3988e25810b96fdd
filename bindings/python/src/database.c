/* database.c -- open databases. As a mapping, a database is its collection "default". */
#include "module.h"

#include <string.h>

PyTypeObject *database_type;

static database *open_databases;

/* ---------------------------------------------------------------- open */

typedef struct open_call {
    const char *path;
    holt_options options;
    holt *db;
    holt_collection *c;
} open_call;

static holt_status open_unlocked(void *ctx)
{
    open_call *o = (open_call *)ctx;
    holt_status rc = holt_open(o->path, &o->options, &o->db);
    if (rc == HOLT_OK) rc = holt_collection_open(o->db, "default", &o->c);
    if (rc != HOLT_OK && o->db) {
        /* Keeps the message of the failure: a close that succeeds sets none. */
        (void)holt_close(o->db);
        o->db = NULL;
    }
    return rc;
}

static void list_open_database(database *db)
{
    db->next = open_databases;
    db->link = &open_databases;
    if (db->next) db->next->link = &db->next;
    open_databases = db;
}

static void unlist_open_database(database *db)
{
    if (!db->link) return;
    *db->link = db->next;
    if (db->next) db->next->link = db->link;
    db->link = NULL;
}

static bool open_database(database *db, open_call *open)
{
    holt_status rc;
    db->process = process_number;
    db->drained = PyThread_allocate_lock();
    if (!db->drained) PyErr_NoMemory();
    if (!db->drained || !gate_init(&db->closing)) return false;
    PyThread_acquire_lock(db->drained, NOWAIT_LOCK);
    Py_BEGIN_ALLOW_THREADS rc = open_unlocked(open);
    Py_END_ALLOW_THREADS if (rc != HOLT_OK) return raise_status(rc);
    db->handle = open->db;
    db->s.db = db;
    db->s.c = open->c;
    list_open_database(db);
    return true;
}

/* Database(path, text, {name of an option: its number}): see open() in holt/__init__.py. */
static PyObject *database_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"path",
                            "text",
                            "memory_bytes",
                            "memtable_bytes",
                            "durability",
                            "interval_ms",
                            "kind",
                            "background_threads",
                            "flags",
                            "log_level",
                            "open_files_max",
                            "slow_ms",
                            "max_reader_age_ms",
                            NULL};
    open_call open = {0};
    holt_options *o = &open.options;
    PyObject *path = NULL;
    int text = 0;
    if (!PyArg_ParseTupleAndKeywords(
            args, keywords, "O&|pO&O&IO&IO&IIO&O&O&:Database", names, PyUnicode_FSConverter, &path, &text,
            parse_u64, &o->memory_bytes, parse_u64, &o->memtable_bytes, &o->durability, parse_u32,
            &o->interval_ms, &o->default_kind, parse_u32, &o->background_threads, &o->flags, &o->log_level,
            parse_u32, &o->open_files_max, parse_u32, &o->slow_ms, parse_u64, &o->max_reader_age_ms))
        return NULL; /* the converter of the path has released it */
    open.path = PyBytes_AsString(path);
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    database *db = (database *)allocate(type, 0);
    if (!db) {
        Py_DECREF(path);
        return NULL;
    }
    db->path = path;
    db->s.text = text;
    if (open_database(db, &open)) return (PyObject *)db;
    Py_DECREF((PyObject *)db);
    return NULL;
}

/* ---------------------------------------------------------------- close */

/* Waits for the calls that other threads are in. No new ones on the database begin, because it is closed for
 * them; but objects may still be released. */
static void wait_for_calls(database *db)
{
    while (db->calls) {
        db->waits = true;
        Py_BEGIN_ALLOW_THREADS PyThread_acquire_lock(db->drained, WAIT_LOCK);
        Py_END_ALLOW_THREADS
    }
}

static void release_children(database *db)
{
    while (db->children) {
        child *c = db->children;
        child_remove(c);
        c->release(c);
    }
}

static holt_status close_unlocked(void *ctx)
{
    return holt_close_with((holt *)ctx, HOLT_CLOSE_FORCE);
}

/* In a child of fork() there is nothing to wait for, and no thread that could hold the gate would leave it.
 * */
static void close_inherited(database *db)
{
    holt *handle = db->handle;
    db->handle = NULL;
    unlist_open_database(db);
    if (handle)
        (void)holt_close_with(handle, HOLT_CLOSE_FORCE); /* closes descriptors, and returns HOLT_CLOSED */
}

/* false: the close has failed, and an exception is set. The database is closed all the same. */
static bool close_database(database *db)
{
    holt_status rc = HOLT_OK;
    if (db->process != process_number) {
        close_inherited(db);
        return true;
    }
    if (db->callback_thread == PyThread_get_thread_ident()) {
        raise_message(HOLT_BUSY, "the database cannot be closed by a callback of one of its calls");
        return false;
    }
    gate_enter(&db->closing);
    holt *handle = db->handle;
    db->handle = NULL;
    unlist_open_database(db);
    if (handle) {
        wait_for_calls(db);
        release_children(db);
        Py_BEGIN_ALLOW_THREADS rc = close_unlocked(handle);
        Py_END_ALLOW_THREADS
    }
    gate_leave(&db->closing);
    if (rc != HOLT_OK) raise_status(rc);
    return rc == HOLT_OK;
}

static PyObject *database_close(PyObject *self, PyObject *unused)
{
    return close_database((database *)self) ? Py_NewRef(Py_None) : NULL;
}

/* Closes all databases, when the interpreter exits. What cannot be closed is reported like an exception in a
 * destructor. */
PyObject *module_close_all(PyObject *module, PyObject *unused)
{
    while (open_databases) {
        database *db = open_databases;
        Py_INCREF((PyObject *)db);
        if (!close_database(db)) PyErr_WriteUnraisable((PyObject *)db);
        Py_DECREF((PyObject *)db);
    }
    return Py_NewRef(Py_None);
}

/* ---------------------------------------------------------------- calls without arguments */

static holt_status sync_unlocked(void *ctx)
{
    return holt_sync((holt *)ctx);
}

static holt_status flush_unlocked(void *ctx)
{
    return holt_flush((holt *)ctx);
}

static holt_status health_unlocked(void *ctx)
{
    return holt_health((holt *)ctx);
}

static PyObject *database_run(PyObject *self, call_fn fn)
{
    database *db = (database *)self;
    return database_check(db) && database_do(db, fn, db->handle) ? Py_NewRef(Py_None) : NULL;
}

static PyObject *database_sync(PyObject *self, PyObject *unused)
{
    return database_run(self, sync_unlocked);
}

static PyObject *database_flush(PyObject *self, PyObject *unused)
{
    return database_run(self, flush_unlocked);
}

static PyObject *database_health(PyObject *self, PyObject *unused)
{
    return database_run(self, health_unlocked);
}

/* ---------------------------------------------------------------- collections */

typedef struct names_call {
    holt *db;
    const char *from, *to;
    char **names;
    size_t count;
} names_call;

static holt_status list_unlocked(void *ctx)
{
    names_call *c = (names_call *)ctx;
    return holt_collection_list(c->db, &c->names, &c->count);
}

static holt_status drop_unlocked(void *ctx)
{
    names_call *c = (names_call *)ctx;
    return holt_collection_drop(c->db, c->from);
}

static holt_status rename_unlocked(void *ctx)
{
    names_call *c = (names_call *)ctx;
    return holt_collection_rename(c->db, c->from, c->to);
}

static PyObject *database_collections(PyObject *self, PyObject *unused)
{
    database *db = (database *)self;
    if (!database_check(db)) return NULL;
    names_call c = {.db = db->handle};
    if (!database_do(db, list_unlocked, &c)) return NULL;
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < c.count; i++) {
        PyObject *name = PyUnicode_DecodeUTF8(c.names[i], (Py_ssize_t)strlen(c.names[i]), "strict");
        if (!name || PyList_Append(list, name) < 0) Py_CLEAR(list);
        Py_XDECREF(name);
    }
    holt_free(c.names);
    return list;
}

static PyObject *database_drop(PyObject *self, PyObject *name)
{
    database *db = (database *)self;
    names_call c = {.from = take_name(name, "the name of a collection")};
    if (!c.from || !database_check(db)) return NULL;
    c.db = db->handle;
    return database_do(db, drop_unlocked, &c) ? Py_NewRef(Py_None) : NULL;
}

static PyObject *database_rename(PyObject *self, PyObject *args)
{
    database *db = (database *)self;
    names_call c = {0};
    if (!PyArg_ParseTuple(args, "ss:rename", &c.from, &c.to) || !database_check(db)) return NULL;
    c.db = db->handle;
    return database_do(db, rename_unlocked, &c) ? Py_NewRef(Py_None) : NULL;
}

/* ---------------------------------------------------------------- life */

static PyObject *database_path(PyObject *self, void *closure)
{
    database *db = (database *)self;
    return PyUnicode_DecodeFSDefaultAndSize(PyBytes_AsString(db->path), PyBytes_Size(db->path));
}

/* Nobody has the database any more. Like a file, it warns that it was not closed, and is closed. */
static void database_finalize(PyObject *self)
{
    PyObject *type, *value, *traceback;
    database *db = (database *)self;
    if (!db->handle) return;
    PyErr_Fetch(&type, &value, &traceback);
    if (db->process == process_number && PyErr_ResourceWarning(self, 1, "unclosed database %R", self) < 0)
        PyErr_WriteUnraisable(self);
    if (!close_database(db)) PyErr_WriteUnraisable(self);
    PyErr_Restore(type, value, traceback);
}

static void database_dealloc(PyObject *self)
{
    database *db = (database *)self;
    PyObject_GC_UnTrack(self);
    if (db->handle) (void)close_database(db);
    Py_CLEAR(db->path);
    db->s.c = NULL;
    /* In a child of fork() the locks may be held by threads that do not exist there. */
    if (db->process == process_number) {
        gate_deinit(&db->closing);
        if (db->drained) PyThread_free_lock(db->drained);
    }
    store_dealloc(self);
}

static PyMethodDef methods[] = {
    METHOD("close", database_close, METH_NOARGS,
           "close(): syncs and closes the database; objects that depend on it raise Closed from then on."),
    METHOD("sync", database_sync, METH_NOARGS, "sync(): makes all acknowledged commits durable."),
    METHOD("flush", database_flush, METH_NOARGS, "flush(): writes what is in memory into the trees."),
    METHOD("health", database_health, METH_NOARGS,
           "health(): raises the reason why writes are refused, if any."),
    METHOD("collections", database_collections, METH_NOARGS, "collections(): the names of all collections."),
    METHOD("drop", database_drop, METH_O, "drop(name): drops a collection."),
    METHOD("rename", database_rename, METH_VARARGS, "rename(old, new): renames a collection."),
    METHOD("tables", database_tables, METH_NOARGS, "tables(): the names of all tables."),
    METHOD("drop_table", database_drop_table, METH_O, "drop_table(name): drops a table with its indexes."),
    METHOD("stats", database_stats, METH_NOARGS, "stats(): a dict of figures."),
    METHOD("readers", database_readers, METH_NOARGS, "readers(): what is open, and what it pins."),
    METHOD("verify", database_verify_live, METH_NOARGS,
           "verify(): verifies all files; returns what was examined."),
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {
    {"path", database_path, NULL, "The directory of the database.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "An open database."},
    {Py_tp_new, database_new},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_finalize, database_finalize},
    {Py_tp_dealloc, database_dealloc},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "holt._holt.Database",
    .basicsize = sizeof(database),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = slots,
};

bool database_take(PyObject *o, database **out)
{
    int is = PyObject_IsInstance(o, (PyObject *)database_type);
    if (is == 0) PyErr_Format(PyExc_TypeError, "expected a database, not %R", Py_TYPE(o));
    *out = (database *)o;
    return is > 0;
}

bool database_init(PyObject *module)
{
    database_type = module_type(module, "Database", &spec, store_type);
    return database_type != NULL;
}
