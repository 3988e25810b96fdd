/* table.c -- typed tables: opening them, and their rows, as tuples in the order of the columns. The package's
 * tables.py knows the columns by name.
 *
 * All calls are made without the GIL: each may read from disk, and change several collections. A table is a
 * child of its database, which releases it before it closes. */
#include "module.h"

#include <stddef.h>
#include <string.h>

PyTypeObject *table_type;

/* ---------------------------------------------------------------- calls */

static bool table_is_open(const table *t)
{
    return database_is_open(t->db) && t->handle && (!t->txn || t->txn->handle);
}

/* false, with Closed raised: the table cannot be used. */
static bool table_check(const table *t)
{
    if (table_is_open(t)) return true;
    if (!database_check(t->db)) return false;
    raise_closed(t->txn && !t->txn->handle ? "the transaction" : "the table");
    return false;
}

bool table_call(table *t, call_fn fn, void *ctx, holt_status *rc)
{
    if (!table_check(t)) return false;
    if (t->txn) gate_enter(&t->txn->gate);
    bool open = table_check(t); /* again: entering the gate may have taken its time */
    if (open && t->txn) t->txn->writes++;
    if (open) *rc = call_unlocked(t->db, fn, ctx);
    if (t->txn) gate_leave(&t->txn->gate);
    return open;
}

static bool set_text(PyObject *error, const char *name, const char *text)
{
    PyObject *value =
        text[0] ? PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace") : Py_NewRef(Py_None);
    bool set = value && PyObject_SetAttrString(error, name, value) == 0;
    Py_XDECREF(value);
    return set;
}

PyObject *raise_row_status(holt_status rc)
{
    static const char *const problems[] = {"",       "key exists", "unique exists", "null", "type",
                                           "length", "encoding",   "count",         "size"};
    holt_error e;
    holt_row_error row;
    holt_error_get(&e, sizeof e);
    holt_row_error_get(&row, sizeof row);
    if (e.status != (uint32_t)rc) return raise_status(rc);
    PyObject *error = error_object(&e);
    bool known = row.problem < sizeof problems / sizeof *problems;
    bool set = error && set_text(error, "table", row.table) && set_text(error, "column", row.column) &&
               set_text(error, "index", row.index) &&
               set_text(error, "problem", known ? problems[row.problem] : "?");
    if (set) PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_XDECREF(error);
    return NULL;
}

bool table_do(table *t, call_fn fn, void *ctx)
{
    holt_status rc;
    if (!table_call(t, fn, ctx, &rc)) return false;
    if (rc != HOLT_OK) raise_row_status(rc);
    return rc == HOLT_OK;
}

/* ---------------------------------------------------------------- open and close */

typedef struct open_call {
    holt *db;
    const char *name;
    table *t;
} open_call;

static holt_status open_unlocked(void *ctx)
{
    open_call *o = (open_call *)ctx;
    return holt_table_open(o->db, o->name, &o->t->handle);
}

static holt_status close_unlocked(void *ctx)
{
    holt_table_close((holt_table *)ctx);
    return HOLT_OK;
}

static void table_release(child *c)
{
    table *t = (table *)((char *)c - offsetof(table, child));
    holt_table *handle = t->handle;
    t->handle = NULL;
    if (handle) database_release(t->db, close_unlocked, handle);
}

/* Table(db, name, txn or None) */
static PyObject *table_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    PyObject *db_object, *txn_object;
    open_call open = {0};
    database *db;
    transaction *txn = NULL;
    if (!PyArg_ParseTuple(args, "OsO:Table", &db_object, &open.name, &txn_object)) return NULL;
    if (!database_take(db_object, &db)) return NULL;
    if (txn_object != Py_None && !transaction_take(txn_object, &txn)) return NULL;
    table *t = (table *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (!t) return NULL;
    t->db = (database *)Py_NewRef((PyObject *)db);
    t->txn = (transaction *)Py_XNewRef((PyObject *)txn);
    t->row = (holt_row)HOLT_ROW_INIT;
    t->child.release = table_release;
    child_add(db, &t->child); /* first: what runs once it is open may close the database */
    open.db = db->handle;
    open.t = t;
    if (database_do(db, open_unlocked, &open)) return (PyObject *)t;
    Py_DECREF((PyObject *)t);
    return NULL;
}

bool table_take(PyObject *o, table **out)
{
    int is = PyObject_IsInstance(o, (PyObject *)table_type);
    if (is == 0) PyErr_Format(PyExc_TypeError, "expected a table, not %R", Py_TYPE(o));
    *out = (table *)o;
    return is > 0;
}

/* ---------------------------------------------------------------- reading rows */

typedef struct get_call {
    table *t;
    datums key;
    uint32_t index; /* 0: the primary key */
    holt_row *row;
} get_call;

static holt_status get_unlocked(void *ctx)
{
    get_call *g = (get_call *)ctx;
    if (g->index)
        return holt_table_get_by(g->t->handle, table_txn(g->t), g->index, g->key.list, g->key.count, g->row);
    return holt_table_get(g->t->handle, table_txn(g->t), g->key.list, g->key.count, g->row);
}

/* (row id, columns...) as a tuple; None: there is no such row. */
static PyObject *get_row(get_call *g)
{
    holt_status rc;
    PyObject *result = NULL;
    if (!table_call(g->t, get_unlocked, g, &rc)) return NULL;
    if (rc == HOLT_NOT_FOUND) return Py_NewRef(Py_None);
    if (rc != HOLT_OK) return raise_row_status(rc);
    PyObject *columns = datums_tuple(g->row->columns, g->row->count);
    if (columns) result = Py_BuildValue("LN", (long long)g->row->row_id, columns);
    return result;
}

/* _get(values, index): the row with the primary key (index 0), or the first one in an index. */
static PyObject *table_get(PyObject *self, PyObject *args)
{
    PyObject *values;
    unsigned index;
    holt_row own = HOLT_ROW_INIT;
    get_call g = {.t = (table *)self};
    if (!PyArg_ParseTuple(args, "OI:_get", &values, &index) || !datums_take(values, &g.key)) return NULL;
    g.index = index;
    bool shared = !g.t->row_used;
    g.row = shared ? &g.t->row : &own;
    if (shared) g.t->row_used = true;
    PyObject *result = get_row(&g);
    if (shared) g.t->row_used = false;
    holt_row_free(&own);
    datums_release(&g.key);
    return result;
}

/* ---------------------------------------------------------------- writing rows */

typedef enum row_op { ROW_INSERT, ROW_UPSERT, ROW_UPDATE, ROW_DELETE } row_op;

typedef struct row_call {
    table *t;
    row_op op;
    datums row, key;
    uint32_t *columns;
    uint32_t flags;
    int64_t row_id;
} row_call;

static holt_status row_unlocked(void *ctx)
{
    row_call *r = (row_call *)ctx;
    holt_table *t = r->t->handle;
    holt_txn *txn = table_txn(r->t);
    switch (r->op) {
    case ROW_INSERT:
        return holt_table_insert(t, txn, r->row.list, r->row.count, r->flags, &r->row_id);
    case ROW_UPSERT:
        return holt_table_upsert(t, txn, r->row.list, r->row.count);
    case ROW_UPDATE:
        return holt_table_update(t, txn, r->key.list, r->key.count, r->columns, r->row.list, r->row.count,
                                 r->flags);
    case ROW_DELETE:
        return holt_table_delete(t, txn, r->key.list, r->key.count);
    }
    return HOLT_INVALID;
}

/* _insert(row, replace): the row id. */
static PyObject *table_insert(PyObject *self, PyObject *args)
{
    PyObject *values;
    int replace;
    row_call r = {.t = (table *)self, .op = ROW_INSERT};
    if (!PyArg_ParseTuple(args, "Op:_insert", &values, &replace) || !datums_take(values, &r.row)) return NULL;
    r.flags = replace ? HOLT_INSERT_REPLACE : 0;
    bool done = table_do(r.t, row_unlocked, &r);
    datums_release(&r.row);
    return done ? PyLong_FromLongLong(r.row_id) : NULL;
}

static PyObject *table_upsert(PyObject *self, PyObject *values)
{
    row_call r = {.t = (table *)self, .op = ROW_UPSERT};
    if (!datums_take(values, &r.row)) return NULL;
    bool done = table_do(r.t, row_unlocked, &r);
    datums_release(&r.row);
    return done ? Py_NewRef(Py_None) : NULL;
}

/* The positions of columns, as many as there are values. */
static uint32_t *take_positions(PyObject *positions, size_t count)
{
    if (PyTuple_Size(positions) != (Py_ssize_t)count) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "as many values as columns are needed");
        return NULL;
    }
    uint32_t *list = (uint32_t *)PyMem_Calloc(count + 1, sizeof *list);
    if (!list) PyErr_NoMemory();
    for (size_t i = 0; list && i < count; i++) {
        if (take_u32(PyTuple_GetItem(positions, (Py_ssize_t)i), &list[i])) continue;
        PyMem_Free(list);
        return NULL;
    }
    return list;
}

/* _update(key, positions, values): whether there is such a row. */
static PyObject *table_update(PyObject *self, PyObject *args)
{
    PyObject *key, *positions, *values;
    holt_status rc = HOLT_OK;
    bool called = false;
    row_call r = {.t = (table *)self, .op = ROW_UPDATE};
    if (!PyArg_ParseTuple(args, "OO!O:_update", &key, &PyTuple_Type, &positions, &values)) return NULL;
    if (!datums_take(key, &r.key)) return NULL;
    if (datums_take(values, &r.row)) {
        r.columns = take_positions(positions, r.row.count);
        called = r.columns && table_call(r.t, row_unlocked, &r, &rc);
        PyMem_Free(r.columns);
        datums_release(&r.row);
    }
    datums_release(&r.key);
    if (!called) return NULL;
    return rc == HOLT_OK || rc == HOLT_NOT_FOUND ? PyBool_FromLong(rc == HOLT_OK) : raise_row_status(rc);
}

/* _delete(key): whether there was such a row. */
static PyObject *table_delete(PyObject *self, PyObject *key)
{
    holt_status rc;
    row_call r = {.t = (table *)self, .op = ROW_DELETE};
    if (!datums_take(key, &r.key)) return NULL;
    bool called = table_call(r.t, row_unlocked, &r, &rc);
    datums_release(&r.key);
    if (!called) return NULL;
    return rc == HOLT_OK || rc == HOLT_NOT_FOUND ? PyBool_FromLong(rc == HOLT_OK) : raise_row_status(rc);
}

static holt_status clear_unlocked(void *ctx)
{
    return holt_table_clear(((table *)ctx)->handle);
}

static PyObject *table_clear_rows(PyObject *self, PyObject *unused)
{
    return table_do((table *)self, clear_unlocked, self) ? Py_NewRef(Py_None) : NULL;
}

/* ---------------------------------------------------------------- life */

static PyObject *table_version(PyObject *self, void *closure)
{
    table *t = (table *)self;
    return table_check(t) ? PyLong_FromUnsignedLongLong(holt_table_version(t->handle)) : NULL;
}

static PyObject *table_closed(PyObject *self, void *closure)
{
    return PyBool_FromLong(!table_is_open((table *)self));
}

static int table_traverse(PyObject *self, visitproc visit, void *arg)
{
    table *t = (table *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)t->db);
    Py_VISIT((PyObject *)t->txn);
    return 0;
}

/* There is no tp_clear: a scan relies on its table. A cycle contains an object of another type, which has
 * one. */
static void table_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    table *t = (table *)self;
    PyObject_GC_UnTrack(self);
    child_remove(&t->child);
    table_release(&t->child);
    Py_CLEAR(t->db);
    Py_CLEAR(t->txn);
    holt_row_free(&t->row);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF((PyObject *)type);
}

static PyMethodDef methods[] = {
    METHOD("_get", table_get, METH_VARARGS, "Reads a row."),
    METHOD("_insert", table_insert, METH_VARARGS, "Inserts a row."),
    METHOD("_upsert", table_upsert, METH_O, "Inserts or replaces a row."),
    METHOD("_update", table_update, METH_VARARGS, "Changes columns of a row."),
    METHOD("_delete", table_delete, METH_O, "Deletes a row."),
    METHOD("_describe", table_describe, METH_NOARGS, "Describes the table."),
    METHOD("_create_index", table_create_index, METH_VARARGS, "Creates an index."),
    METHOD("_alter", table_alter, METH_VARARGS, "Changes the schema."),
    METHOD("_check", table_check_rows, METH_NOARGS, "Compares rows and indexes."),
    METHOD("drop_index", table_drop_index, METH_O, "drop_index(name): drops an index."),
    METHOD("reindex", table_reindex, METH_VARARGS, "reindex(name=None): rebuilds an index, or all of them."),
    METHOD("clear", table_clear_rows, METH_NOARGS, "clear(): deletes all rows; not part of a transaction."),
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {
    {"version", table_version, NULL, "The version of the schema; 0: the table was dropped.", NULL},
    {"closed", table_closed, NULL, "Whether it can no longer be used.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A typed table."},
    {Py_tp_new, table_new},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_traverse, table_traverse},
    {Py_tp_dealloc, table_dealloc},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "holt._holt.Table",
    .basicsize = sizeof(table),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

bool table_init(PyObject *module)
{
    table_type = module_type(module, "Table", &spec, NULL);
    return table_type != NULL;
}
