/* table_schema.c -- schemas of tables: creating, describing and changing them. The package's tables.py makes
 * the arguments, and knows their defaults.
 *
 * What these calls wait for (other changes, transactions) may be another thread of this program: they are
 * made without the GIL, and enter no gate. */
#include "module.h"

/* ---------------------------------------------------------------- arguments */

/* Columns and parts, as the library takes them. Names point into the objects that were passed. */
typedef struct column_list {
    holt_column *list;
    size_t count;
} column_list;

typedef struct part_list {
    holt_key_part *list;
    size_t count;
} part_list;

/* One column: (name, type, flags, length_max, default). */
static bool column_take(PyObject *tuple, holt_column *c, datums *defaults)
{
    PyObject *value;
    if (!PyArg_ParseTuple(tuple, "sIIO&O;a column", &c->name, &c->type, &c->flags, parse_u64, &c->length_max,
                          &value))
        return false;
    if (!(c->flags & HOLT_COLUMN_DEFAULT)) return true;
    PyObject *one = PyTuple_Pack(1, value);
    bool taken = one && datums_take(one, defaults);
    Py_XDECREF(one);
    if (taken) c->default_value = defaults->list[0];
    return taken;
}

static void columns_release(column_list *c)
{
    for (size_t i = 0; c->list && i < c->count; i++)
        datums_release(&((datums *)(c->list + c->count))[i]);
    PyMem_Free(c->list);
}

/* A tuple of columns. The datums of their defaults lie behind them. */
static bool columns_take(PyObject *tuple, column_list *out)
{
    *out = (column_list){.count = (size_t)PyTuple_Size(tuple)};
    out->list = (holt_column *)PyMem_Calloc(out->count + 1, sizeof(holt_column) + sizeof(datums));
    if (!out->list) {
        PyErr_NoMemory();
        return false;
    }
    datums *defaults = (datums *)(out->list + out->count);
    for (size_t i = 0; i < out->count; i++) {
        if (column_take(PyTuple_GetItem(tuple, (Py_ssize_t)i), &out->list[i], &defaults[i])) continue;
        columns_release(out);
        return false;
    }
    return true;
}

/* A tuple of parts: (column, flags). */
static bool parts_take(PyObject *tuple, part_list *out)
{
    *out = (part_list){.count = (size_t)PyTuple_Size(tuple)};
    out->list = (holt_key_part *)PyMem_Calloc(out->count + 1, sizeof *out->list);
    if (!out->list) PyErr_NoMemory();
    for (size_t i = 0; out->list && i < out->count; i++) {
        holt_key_part *p = &out->list[i];
        if (PyArg_ParseTuple(PyTuple_GetItem(tuple, (Py_ssize_t)i), "sI;a part of a key", &p->column,
                             &p->flags))
            continue;
        PyMem_Free(out->list);
        return false;
    }
    return out->list != NULL;
}

/* ---------------------------------------------------------------- tables */

typedef struct create_call {
    holt *db;
    const char *name;
    holt_table_options options;
} create_call;

static holt_status create_unlocked(void *ctx)
{
    create_call *c = (create_call *)ctx;
    holt_table *t;
    holt_status rc = holt_table_create(c->db, c->name, &c->options, &t);
    holt_table_close(t);
    return rc;
}

/* _create_table(db, name, columns, key, kind, block_bytes, filter_bits, exist_ok) */
PyObject *module_create_table(PyObject *module, PyObject *args)
{
    PyObject *db_object, *column_tuples, *key_tuples;
    create_call create = {0};
    holt_table_options *o = &create.options;
    database *db;
    column_list c;
    part_list key;
    int exist_ok;
    bool done = false;
    if (!PyArg_ParseTuple(args, "OsO!O!IO&O&p:_create_table", &db_object, &create.name, &PyTuple_Type,
                          &column_tuples, &PyTuple_Type, &key_tuples, &o->kind, parse_u32, &o->block_bytes,
                          parse_u32, &o->filter_bits, &exist_ok))
        return NULL;
    if (!database_take(db_object, &db) || !database_check(db) || !columns_take(column_tuples, &c))
        return NULL;
    if (parts_take(key_tuples, &key)) {
        create.db = db->handle;
        o->columns = c.list;
        o->column_count = c.count;
        o->key = key.list;
        o->key_count = key.count;
        o->flags = exist_ok ? HOLT_CREATE_OR_OPEN : 0;
        done = database_do(db, create_unlocked, &create);
        PyMem_Free(key.list);
    }
    columns_release(&c);
    return done ? Py_NewRef(Py_None) : NULL;
}

typedef struct names_call {
    holt *db;
    const char *name;
    char **names;
    size_t count;
} names_call;

static holt_status list_unlocked(void *ctx)
{
    names_call *c = (names_call *)ctx;
    return holt_table_list(c->db, &c->names, &c->count);
}

static holt_status drop_unlocked(void *ctx)
{
    names_call *c = (names_call *)ctx;
    return holt_table_drop(c->db, c->name);
}

PyObject *database_tables(PyObject *self, PyObject *unused)
{
    database *db = (database *)self;
    if (!database_check(db)) return NULL;
    names_call c = {.db = db->handle};
    if (!database_do(db, list_unlocked, &c)) return NULL;
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < c.count; i++) {
        PyObject *name = PyUnicode_FromString(c.names[i]);
        if (!name || PyList_Append(list, name) < 0) Py_CLEAR(list);
        Py_XDECREF(name);
    }
    holt_free(c.names);
    return list;
}

PyObject *database_drop_table(PyObject *self, PyObject *name)
{
    database *db = (database *)self;
    names_call c = {.name = take_name(name, "the name of a table")};
    if (!c.name || !database_check(db)) return NULL;
    c.db = db->handle;
    return database_do(db, drop_unlocked, &c) ? Py_NewRef(Py_None) : NULL;
}

/* ---------------------------------------------------------------- description */

static PyObject *column_tuple(const holt_column *c)
{
    PyObject *value = datum_make(&c->default_value);
    if (!value) return NULL;
    return Py_BuildValue("sIIKN", c->name, c->type, c->flags, (unsigned long long)c->length_max, value);
}

static PyObject *part_tuple(const holt_key_part *p)
{
    return Py_BuildValue("sI", p->column, p->flags);
}

static PyObject *parts_tuple(const holt_key_part *list, size_t count)
{
    PyObject *tuple = PyTuple_New((Py_ssize_t)count);
    for (size_t i = 0; tuple && i < count; i++) {
        PyObject *part = part_tuple(&list[i]);
        if (!part || PyTuple_SetItem(tuple, (Py_ssize_t)i, part) < 0) Py_CLEAR(tuple);
    }
    return tuple;
}

static PyObject *index_tuple(const holt_index_info *i)
{
    PyObject *list = parts_tuple(i->parts, i->part_count);
    if (!list) return NULL;
    return Py_BuildValue("sIIzNO", i->name, i->id, i->flags, i->not_null, list,
                         i->complete ? Py_True : Py_False);
}

/* (name, version, kind, columns, key, indexes) */
static PyObject *info_tuple(const holt_table_info *info)
{
    PyObject *columns = PyTuple_New((Py_ssize_t)info->column_count);
    PyObject *indexes = PyTuple_New((Py_ssize_t)info->index_count);
    PyObject *key = parts_tuple(info->key, info->key_count);
    for (size_t i = 0; columns && i < info->column_count; i++) {
        PyObject *column = column_tuple(&info->columns[i]);
        if (!column || PyTuple_SetItem(columns, (Py_ssize_t)i, column) < 0) Py_CLEAR(columns);
    }
    for (size_t i = 0; indexes && i < info->index_count; i++) {
        PyObject *index = index_tuple(&info->indexes[i]);
        if (!index || PyTuple_SetItem(indexes, (Py_ssize_t)i, index) < 0) Py_CLEAR(indexes);
    }
    PyObject *result = NULL;
    if (columns && indexes && key)
        result = Py_BuildValue("sKIOOO", info->name, (unsigned long long)info->version, info->kind, columns,
                               key, indexes);
    Py_XDECREF(columns);
    Py_XDECREF(indexes);
    Py_XDECREF(key);
    return result;
}

typedef struct describe_call {
    table *t;
    holt_table_info *info;
} describe_call;

static holt_status describe_unlocked(void *ctx)
{
    describe_call *d = (describe_call *)ctx;
    return holt_table_describe(d->t->handle, &d->info);
}

PyObject *table_describe(PyObject *self, PyObject *unused)
{
    describe_call d = {.t = (table *)self};
    if (!table_do(d.t, describe_unlocked, &d)) return NULL;
    PyObject *result = info_tuple(d.info);
    holt_free(d.info);
    return result;
}

/* ---------------------------------------------------------------- changes */

typedef struct change_call {
    table *t;
    holt_index_options index;
    holt_alteration alteration;
    const char *name;
    PyObject *progress; /* NULL: none */
    holt_table_report report;
} change_call;

/* Runs fn(ctx) on the table without the GIL, and without the gate of its transaction. */
static bool change_do(change_call *c, call_fn fn)
{
    holt_status rc;
    if (!database_check(c->t->db)) return false;
    if (!c->t->handle) return raise_closed("the table");
    if (!database_call(c->t->db, fn, c, &rc)) return false;
    if (PyErr_Occurred()) return false; /* raised by progress */
    if (rc != HOLT_OK) raise_row_status(rc);
    return rc == HOLT_OK;
}

/* Calls progress(done, total), on the thread that makes the index, which has given the GIL up. An exception
 * ends the operation, and stays set. */
static holt_status report_progress(void *ctx, uint64_t done, uint64_t total)
{
    change_call *c = (change_call *)ctx;
    PyGILState_STATE state = PyGILState_Ensure();
    c->t->db->callback_thread = PyThread_get_thread_ident();
    PyObject *result =
        PyObject_CallFunction(c->progress, "KK", (unsigned long long)done, (unsigned long long)total);
    c->t->db->callback_thread = 0;
    bool good = result != NULL;
    Py_XDECREF(result);
    PyGILState_Release(state);
    return good ? HOLT_OK : HOLT_BUSY;
}

static holt_status create_index_unlocked(void *ctx)
{
    change_call *c = (change_call *)ctx;
    return holt_table_create_index(c->t->handle, &c->index, c->progress ? report_progress : NULL, c);
}

/* _create_index(name, parts, unique, not_null or None, progress or None) */
PyObject *table_create_index(PyObject *self, PyObject *args)
{
    change_call c = {.t = (table *)self};
    PyObject *part_tuples, *progress;
    part_list p;
    int unique;
    if (!PyArg_ParseTuple(args, "sO!pzO:_create_index", &c.index.name, &PyTuple_Type, &part_tuples, &unique,
                          &c.index.not_null, &progress) ||
        !parts_take(part_tuples, &p))
        return NULL;
    c.index.parts = p.list;
    c.index.part_count = p.count;
    c.index.flags = unique ? HOLT_INDEX_UNIQUE : 0;
    c.progress = progress == Py_None ? NULL : progress;
    bool done = change_do(&c, create_index_unlocked);
    PyMem_Free(p.list);
    return done ? Py_NewRef(Py_None) : NULL;
}

static holt_status drop_index_unlocked(void *ctx)
{
    change_call *c = (change_call *)ctx;
    return holt_table_drop_index(c->t->handle, c->name);
}

PyObject *table_drop_index(PyObject *self, PyObject *name)
{
    change_call c = {.t = (table *)self, .name = take_name(name, "the name of an index")};
    return c.name && change_do(&c, drop_index_unlocked) ? Py_NewRef(Py_None) : NULL;
}

static holt_status reindex_unlocked(void *ctx)
{
    change_call *c = (change_call *)ctx;
    return holt_table_reindex(c->t->handle, c->name, NULL, NULL);
}

PyObject *table_reindex(PyObject *self, PyObject *args)
{
    change_call c = {.t = (table *)self};
    if (!PyArg_ParseTuple(args, "|z:reindex", &c.name)) return NULL;
    return change_do(&c, reindex_unlocked) ? Py_NewRef(Py_None) : NULL;
}

static holt_status alter_unlocked(void *ctx)
{
    change_call *c = (change_call *)ctx;
    return holt_table_alter(c->t->handle, &c->alteration);
}

/* _alter(operation, column or None, name or None, to or None) */
PyObject *table_alter(PyObject *self, PyObject *args)
{
    change_call c = {.t = (table *)self};
    holt_column column = {0};
    datums defaults = {0};
    PyObject *tuple;
    if (!PyArg_ParseTuple(args, "IOzz:_alter", &c.alteration.op, &tuple, &c.alteration.name,
                          &c.alteration.to))
        return NULL;
    if (tuple != Py_None && !column_take(tuple, &column, &defaults)) return NULL;
    if (tuple != Py_None) c.alteration.column = &column;
    bool done = change_do(&c, alter_unlocked);
    datums_release(&defaults);
    return done ? Py_NewRef(Py_None) : NULL;
}

/* ---------------------------------------------------------------- verification */

static holt_status check_unlocked(void *ctx)
{
    change_call *c = (change_call *)ctx;
    return holt_table_check(c->t->handle, NULL, &c->report, sizeof c->report);
}

/* (rows, entries, bad_rows, missing, surplus): rows and index entries that were examined, and what is wrong.
 * */
PyObject *table_check_rows(PyObject *self, PyObject *unused)
{
    change_call c = {.t = (table *)self};
    holt_status rc;
    if (!table_call(c.t, check_unlocked, &c, &rc)) return NULL;
    const holt_table_report *r = &c.report;
    if (rc != HOLT_OK && !(rc == HOLT_CORRUPT && r->problems)) return raise_row_status(rc);
    return Py_BuildValue("KKKKK", (unsigned long long)r->rows, (unsigned long long)r->entries,
                         (unsigned long long)r->bad_rows, (unsigned long long)r->missing,
                         (unsigned long long)r->surplus);
}
