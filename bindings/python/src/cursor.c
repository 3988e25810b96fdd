/* cursor.c -- a cursor, moved step by step. Each move is a call without the GIL: for going through many
 * entries a range is much faster. */
#include "module.h"

PyTypeObject *cursor_type;

typedef struct cursor {
    PyObject_HEAD store *s;
    database *db;        /* its own: a reference that the store may have lost, when garbage is collected */
    transaction *txn;    /* likewise; NULL: none */
    holt_cursor *handle; /* NULL: closed */
    gate own_gate;       /* unless it belongs to a transaction */
    bool text;
} cursor;

static gate *cursor_gate(cursor *c)
{
    return c->txn ? &c->txn->gate : &c->own_gate;
}

/* Whether the cursor can be used, by a call that keeps the GIL; otherwise raises Closed. */
static bool cursor_check(cursor *c)
{
    if (!c->handle) return raise_closed("the cursor");
    if (!database_check(c->db)) return false;
    gate_wait(cursor_gate(c));
    return database_check(c->db) && (c->handle || raise_closed("the cursor"));
}

/* ---------------------------------------------------------------- open and close */

typedef struct open_call {
    cursor *c;
    holt_cursor_options options;
} open_call;

static holt_status open_unlocked(void *ctx)
{
    open_call *o = (open_call *)ctx;
    return holt_cursor_open(o->c->s->c, store_txn(o->c->s), &o->options, &o->c->handle);
}

static holt_status close_unlocked(void *ctx)
{
    return holt_cursor_close((holt_cursor *)ctx);
}

static bool open_cursor(cursor *c, PyObject *start, PyObject *end, PyObject *prefix, bool keys_only,
                        const char *label)
{
    bytes_in in[3];
    PyObject *bounds[3] = {start, end, prefix};
    int taken = 0;
    bool done = false;
    while (taken < 3 && bytes_take_bound(bounds[taken], &in[taken]))
        taken++;
    if (taken == 3) {
        open_call open = {
            c, {.lower = in[0].slice, .upper = in[1].slice, .prefix = in[2].slice, .label = label}};
        if (keys_only) open.options.flags = HOLT_CURSOR_KEYS_ONLY;
        done = store_do(c->s, open_unlocked, &open);
    }
    while (taken > 0)
        bytes_release(&in[--taken]);
    return done;
}

/* Cursor(store, start=None, end=None, prefix=None, keys_only=False, label=None) */
static PyObject *cursor_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"store", "start", "end", "prefix", "keys_only", "label", NULL};
    PyObject *object, *start = NULL, *end = NULL, *prefix = NULL;
    const char *label = NULL;
    int keys_only = 0;
    store *s;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|OOOpz:Cursor", names, &object, &start, &end, &prefix,
                                     &keys_only, &label) ||
        !store_take(object, &s) || !store_check(s))
        return NULL;
    cursor *c = (cursor *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (!c) return NULL;
    c->s = (store *)Py_NewRef((PyObject *)s);
    c->db = (database *)Py_NewRef((PyObject *)s->db);
    c->txn = (transaction *)Py_XNewRef((PyObject *)s->txn);
    c->text = s->text;
    if (gate_init(&c->own_gate) && open_cursor(c, start, end, prefix, keys_only, label)) return (PyObject *)c;
    Py_DECREF((PyObject *)c);
    return NULL;
}

static void cursor_release(cursor *c)
{
    if (!c->handle || c->db->process != process_number) return;
    gate *g = cursor_gate(c);
    gate_enter(g);
    holt_cursor *handle = c->handle;
    c->handle = NULL;
    if (handle) database_release(c->db, close_unlocked, handle);
    gate_leave(g);
}

static PyObject *cursor_close(PyObject *self, PyObject *unused)
{
    cursor_release((cursor *)self);
    return Py_NewRef(Py_None);
}

/* ---------------------------------------------------------------- moves */

typedef struct move_call {
    cursor *c;
    bool (*move)(holt_cursor *cursor);
    bool (*seek)(holt_cursor *cursor, holt_slice key);
    holt_slice key;
    bool found;
} move_call;

static holt_status move_unlocked(void *ctx)
{
    move_call *m = (move_call *)ctx;
    m->found = m->move ? m->move(m->c->handle) : m->seek(m->c->handle, m->key);
    return m->found ? HOLT_OK : holt_cursor_status(m->c->handle);
}

/* Runs fn(ctx) without the GIL, under the gate. Raises what goes wrong. */
static bool cursor_do(cursor *c, call_fn fn, void *ctx)
{
    if (!cursor_check(c)) return false;
    gate *g = cursor_gate(c);
    gate_enter(g);
    bool done = c->handle ? database_do(c->db, fn, ctx) : raise_closed("the cursor") != NULL;
    gate_leave(g);
    return done;
}

static PyObject *run_move(move_call *m)
{
    return cursor_do(m->c, move_unlocked, m) ? PyBool_FromLong(m->found) : NULL;
}

static PyObject *cursor_first(PyObject *self, PyObject *unused)
{
    move_call m = {.c = (cursor *)self, .move = holt_cursor_first};
    return run_move(&m);
}

static PyObject *cursor_last(PyObject *self, PyObject *unused)
{
    move_call m = {.c = (cursor *)self, .move = holt_cursor_last};
    return run_move(&m);
}

static PyObject *cursor_next(PyObject *self, PyObject *unused)
{
    move_call m = {.c = (cursor *)self, .move = holt_cursor_next};
    return run_move(&m);
}

static PyObject *cursor_prev(PyObject *self, PyObject *unused)
{
    move_call m = {.c = (cursor *)self, .move = holt_cursor_prev};
    return run_move(&m);
}

static PyObject *run_seek(PyObject *self, PyObject *key, bool (*seek)(holt_cursor *, holt_slice))
{
    move_call m = {.c = (cursor *)self, .seek = seek};
    bytes_in k;
    if (!bytes_take(key, &k)) return NULL;
    m.key = k.slice;
    PyObject *found = run_move(&m);
    bytes_release(&k);
    return found;
}

static PyObject *cursor_seek(PyObject *self, PyObject *key)
{
    return run_seek(self, key, holt_cursor_seek);
}

static PyObject *cursor_seek_last(PyObject *self, PyObject *key)
{
    return run_seek(self, key, holt_cursor_seek_last);
}

static holt_status refresh_unlocked(void *ctx)
{
    return holt_cursor_refresh(((cursor *)ctx)->handle);
}

static PyObject *cursor_refresh(PyObject *self, PyObject *unused)
{
    cursor *c = (cursor *)self;
    return cursor_do(c, refresh_unlocked, c) ? Py_NewRef(Py_None) : NULL;
}

/* ---------------------------------------------------------------- the entry */

static PyObject *cursor_key(PyObject *self, void *closure)
{
    cursor *c = (cursor *)self;
    if (!cursor_check(c)) return NULL;
    holt_slice key = holt_cursor_key(c->handle);
    return key.data ? bytes_make(c->text, key.data, key.size) : Py_NewRef(Py_None);
}

static PyObject *cursor_value(PyObject *self, void *closure)
{
    cursor *c = (cursor *)self;
    if (!cursor_check(c)) return NULL;
    holt_slice value = holt_cursor_value(c->handle);
    return value.data ? bytes_make(c->text, value.data, value.size) : Py_NewRef(Py_None);
}

static PyObject *cursor_expires(PyObject *self, void *closure)
{
    cursor *c = (cursor *)self;
    if (!cursor_check(c)) return NULL;
    uint64_t ms = holt_cursor_expires_at(c->handle);
    return ms ? PyFloat_FromDouble((double)ms / 1000) : Py_NewRef(Py_None);
}

static PyObject *cursor_valid(PyObject *self, void *closure)
{
    cursor *c = (cursor *)self;
    return cursor_check(c) ? PyBool_FromLong(holt_cursor_valid(c->handle)) : NULL;
}

/* ---------------------------------------------------------------- life */

static PyObject *cursor_enter(PyObject *self, PyObject *unused)
{
    return Py_NewRef(self);
}

static PyObject *cursor_exit(PyObject *self, PyObject *args)
{
    return cursor_close(self, NULL);
}

static int cursor_traverse(PyObject *self, visitproc visit, void *arg)
{
    cursor *c = (cursor *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)c->s);
    Py_VISIT((PyObject *)c->db);
    Py_VISIT((PyObject *)c->txn);
    return 0;
}

static int cursor_clear(PyObject *self)
{
    cursor *c = (cursor *)self;
    if (c->db) cursor_release(c);
    Py_CLEAR(c->s);
    Py_CLEAR(c->db);
    Py_CLEAR(c->txn);
    return 0;
}

static void cursor_dealloc(PyObject *self)
{
    cursor *c = (cursor *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    bool ours = c->db && c->db->process == process_number;
    (void)cursor_clear(self);
    if (ours) gate_deinit(&c->own_gate);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF((PyObject *)type);
}

static PyMethodDef methods[] = {
    METHOD("first", cursor_first, METH_NOARGS, "first(): to the first entry; returns whether there is one."),
    METHOD("last", cursor_last, METH_NOARGS, "last(): to the last entry; returns whether there is one."),
    METHOD("next", cursor_next, METH_NOARGS, "next(): to the next entry; returns whether there is one."),
    METHOD("prev", cursor_prev, METH_NOARGS, "prev(): to the previous entry; returns whether there is one."),
    METHOD("seek", cursor_seek, METH_O, "seek(key): to the first entry at or after the key."),
    METHOD("seek_last", cursor_seek_last, METH_O, "seek_last(key): to the last entry at or before the key."),
    METHOD("refresh", cursor_refresh, METH_NOARGS, "refresh(): to the present; not positioned then."),
    METHOD("close", cursor_close, METH_NOARGS, "close(): releases the cursor and what it pins."),
    METHOD("__enter__", cursor_enter, METH_NOARGS, NULL),
    METHOD("__exit__", cursor_exit, METH_VARARGS, NULL),
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {
    {"key", cursor_key, NULL, "The key of the entry; None: not positioned.", NULL},
    {"value", cursor_value, NULL, "The value of the entry; None: not positioned, or keys only.", NULL},
    {"expires", cursor_expires, NULL, "When the value expires, in seconds since 1970; None: never.", NULL},
    {"valid", cursor_valid, NULL, "Whether it is positioned on an entry.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A cursor over the entries of a range."},
    {Py_tp_new, cursor_new},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_traverse, cursor_traverse},
    {Py_tp_clear, cursor_clear},
    {Py_tp_dealloc, cursor_dealloc},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "holt._holt.Cursor",
    .basicsize = sizeof(cursor),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

bool cursor_init(PyObject *module)
{
    cursor_type = module_type(module, "Cursor", &spec, NULL);
    return cursor_type != NULL;
}
