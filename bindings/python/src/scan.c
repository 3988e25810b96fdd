/* scan.c -- an iterator over the rows of a range, in the order of the primary key or of an index. Rows are
 * tuples of the columns that were asked for.
 *
 * Rows are fetched in batches without the GIL, as those of a range. A scan in a transaction that writes
 * fetches them one by one, so that it shows what the transaction has written. */
#include "module.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

PyTypeObject *scan_type;

enum { FIRST_BATCH = 16, LARGEST_BATCH = 512, BATCH_BYTES = 256 * 1024 };

typedef struct scan {
    PyObject_HEAD table *t;
    holt_scan *handle; /* NULL: the scan has ended */
    gate own_gate;     /* unless it belongs to a transaction */
    child child;
    uint32_t *columns; /* positions of the columns that are wanted */
    size_t column_count;
    bool ended; /* no rows come after the batch */
    uint64_t left;

    /* The batch. Text and blobs are offsets into `bytes`, as it may move while it grows. malloc'd. */
    holt_datum *datums;
    size_t row_count, rows_max, at;
    char *bytes;
    size_t used, capacity;
    size_t batch; /* rows to fetch next time */
} scan;

/* ---------------------------------------------------------------- batches; without the GIL */

static bool reserve_rows(scan *s)
{
    if (s->batch <= s->rows_max) return true;
    size_t room = s->batch * (s->column_count ? s->column_count : 1);
    holt_datum *grown = (holt_datum *)realloc(s->datums, room * sizeof *grown);
    if (!grown) return false;
    s->datums = grown;
    s->rows_max = s->batch;
    return true;
}

/* Copies text or a blob, and makes its pointer an offset. */
static bool keep_bytes(scan *s, holt_datum *d)
{
    size_t size = d->as.bytes.size;
    if (size > s->capacity - s->used) {
        size_t capacity = 2 * (s->used + size) + 4096;
        char *bytes = (char *)realloc(s->bytes, capacity);
        if (!bytes) return false;
        s->bytes = bytes;
        s->capacity = capacity;
    }
    if (size) memcpy(s->bytes + s->used, d->as.bytes.data, size);
    d->as.bytes.data = (const void *)(uintptr_t)s->used;
    s->used += size;
    return true;
}

static bool is_bytes(const holt_datum *d)
{
    return d->type == HOLT_TEXT || d->type == HOLT_BLOB;
}

static holt_status fetch_row(scan *s)
{
    holt_datum *row = s->datums + s->row_count * s->column_count;
    for (size_t i = 0; i < s->column_count; i++) {
        row[i] = holt_scan_column(s->handle, s->columns[i]);
        if (is_bytes(&row[i]) && !keep_bytes(s, &row[i])) return HOLT_NO_MEMORY;
    }
    s->row_count++;
    return holt_scan_status(s->handle);
}

static holt_status fetch_unlocked(void *ctx)
{
    scan *s = (scan *)ctx;
    holt_status rc = HOLT_OK;
    s->row_count = s->at = s->used = 0;
    if (!reserve_rows(s)) return HOLT_NO_MEMORY;
    while (rc == HOLT_OK && s->row_count < s->batch && s->used < BATCH_BYTES) {
        if (!holt_scan_next(s->handle)) {
            s->ended = true;
            return holt_scan_status(s->handle);
        }
        rc = fetch_row(s);
    }
    if (!s->t->txn && s->batch < LARGEST_BATCH) s->batch *= 2;
    return rc;
}

/* ---------------------------------------------------------------- open and close */

typedef struct open_call {
    scan *s;
    holt_scan_options options;
} open_call;

static holt_status open_unlocked(void *ctx)
{
    open_call *o = (open_call *)ctx;
    return holt_scan_open(o->s->t->handle, table_txn(o->s->t), &o->options, &o->s->handle);
}

static holt_status close_unlocked(void *ctx)
{
    return holt_scan_close((holt_scan *)ctx);
}

static gate *scan_gate(scan *s)
{
    return s->t->txn ? &s->t->txn->gate : &s->own_gate;
}

/* Closes the scan; under its gate, or when nobody else can be inside. */
static void scan_release(child *c)
{
    scan *s = (scan *)((char *)c - offsetof(scan, child));
    holt_scan *handle = s->handle;
    s->handle = NULL;
    if (handle) database_release(s->t->db, close_unlocked, handle);
}

static void end(scan *s)
{
    s->left = 0;
    if (!s->child.link) return; /* closed already, or never opened */
    if (s->t->db->process != process_number) {
        child_remove(&s->child);
        return;
    }
    gate *g = scan_gate(s);
    gate_enter(g);
    child_remove(&s->child);
    scan_release(&s->child);
    gate_leave(g);
}

static bool take_columns(scan *s, PyObject *columns)
{
    s->column_count = (size_t)PyTuple_Size(columns);
    s->columns = (uint32_t *)PyMem_Calloc(s->column_count + 1, sizeof *s->columns);
    if (!s->columns) PyErr_NoMemory();
    for (size_t i = 0; s->columns && i < s->column_count; i++) {
        if (!take_u32(PyTuple_GetItem(columns, (Py_ssize_t)i), &s->columns[i])) return false;
    }
    return s->columns != NULL;
}

static bool open_scan(scan *s, open_call *open, PyObject *lower, PyObject *upper)
{
    datums low, high;
    bool done = false;
    if (!datums_take(lower, &low)) return false;
    if (datums_take(upper, &high)) {
        open->options.lower = low.list;
        open->options.lower_count = low.count;
        open->options.upper = high.list;
        open->options.upper_count = high.count;
        done = table_do(s->t, open_unlocked, open);
        datums_release(&high);
    }
    datums_release(&low);
    return done;
}

/* Scan(table, index, flags, lower, upper, columns, limit) */
static PyObject *scan_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    PyObject *object, *lower, *upper, *columns, *limit;
    unsigned index, flags;
    table *t;
    if (!PyArg_ParseTuple(args, "OIIOOO!O:Scan", &object, &index, &flags, &lower, &upper, &PyTuple_Type,
                          &columns, &limit) ||
        !table_take(object, &t))
        return NULL;
    scan *s = (scan *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (!s) return NULL;
    open_call open = {s, {.index = index, .flags = flags}};
    s->t = (table *)Py_NewRef((PyObject *)t);
    s->child.release = scan_release;
    s->left = UINT64_MAX;
    s->batch = t->txn ? 1 : FIRST_BATCH;
    bool ready = take_u64(limit, &s->left) && gate_init(&s->own_gate) && take_columns(s, columns);
    if (ready) child_add(t->db, &s->child); /* first: what runs once it is open may close the database */
    if (ready && open_scan(s, &open, lower, upper)) return (PyObject *)s;
    Py_DECREF((PyObject *)s);
    return NULL;
}

/* ---------------------------------------------------------------- next */

/* Fetches a batch, under the gate. false: the scan has ended, or an exception is set. */
static bool fetch(scan *s)
{
    holt_status rc;
    if (!s->handle || s->ended) return false;
    if (s->left < s->batch) s->batch = (size_t)s->left;
    if (!database_call(s->t->db, fetch_unlocked, s, &rc)) return false;
    if (rc == HOLT_OK) return s->row_count > 0;
    s->row_count = 0;
    s->ended = true;
    if (rc == HOLT_NO_MEMORY)
        PyErr_NoMemory();
    else
        raise_row_status(rc);
    return false;
}

static bool fill(scan *s)
{
    gate *g = scan_gate(s);
    if (!database_check(s->t->db)) return false;
    if (!g->taken && s->at < s->row_count) return true;
    gate_enter(g);
    bool filled = s->left > 0 && (s->at < s->row_count || fetch(s));
    gate_leave(g);
    return filled;
}

/* The row at s->at. Its values are made before the tuple, which may run the garbage collector. */
static PyObject *make_row(scan *s)
{
    PyObject *values[64], **list = values, *tuple = NULL;
    size_t n = s->column_count, made = 0;
    if (n > sizeof values / sizeof *values) list = (PyObject **)PyMem_Calloc(n, sizeof *list);
    if (!list) return PyErr_NoMemory();
    const holt_datum *row = s->datums + s->at++ * n;
    s->left--;
    for (; made < n; made++) {
        holt_datum d = row[made];
        if (is_bytes(&d)) d.as.bytes.data = d.as.bytes.size ? s->bytes + (uintptr_t)d.as.bytes.data : "";
        list[made] = datum_make(&d);
        if (!list[made]) break;
    }
    if (made == n) tuple = PyTuple_New((Py_ssize_t)n);
    for (size_t i = 0; i < made; i++) {
        if (tuple)
            (void)PyTuple_SetItem(tuple, (Py_ssize_t)i, list[i]); /* cannot fail: the tuple is new */
        else
            Py_DECREF(list[i]);
    }
    if (list != values) PyMem_Free(list);
    return tuple;
}

static PyObject *scan_next(PyObject *self)
{
    scan *s = (scan *)self;
    if (s->left > 0 && fill(s)) return make_row(s);
    if (!PyErr_Occurred()) end(s);
    return NULL;
}

/* ---------------------------------------------------------------- life */

static PyObject *scan_close(PyObject *self, PyObject *unused)
{
    end((scan *)self);
    return Py_NewRef(Py_None);
}

static int scan_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)((scan *)self)->t);
    return 0;
}

static void scan_dealloc(PyObject *self)
{
    scan *s = (scan *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    end(s);
    if (s->own_gate.lock && s->t && s->t->db && s->t->db->process == process_number)
        gate_deinit(&s->own_gate);
    Py_CLEAR(s->t);
    PyMem_Free(s->columns);
    free(s->datums);
    free(s->bytes);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF((PyObject *)type);
}

static PyMethodDef methods[] = {
    METHOD("close", scan_close, METH_NOARGS, "close(): ends the scan, and releases what it pins."),
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "An iterator over the rows of a range."},
    {Py_tp_new, scan_new},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, scan_next},
    {Py_tp_methods, methods},
    {Py_tp_traverse, scan_traverse},
    {Py_tp_dealloc, scan_dealloc},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "holt._holt.Scan",
    .basicsize = sizeof(scan),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

bool scan_init(PyObject *module)
{
    scan_type = module_type(module, "Scan", &spec, NULL);
    return scan_type != NULL;
}
