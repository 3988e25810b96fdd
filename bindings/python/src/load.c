/* load.c -- bulk loads. A put may write to disk: each is a call without the GIL. */
#include "module.h"

PyTypeObject *load_type;

typedef struct load {
    PyObject_HEAD store *s;
    database *db;      /* its own: a reference that the store may have lost, when garbage is collected */
    holt_load *handle; /* NULL: ended */
    gate gate;
} load;

typedef struct put_call {
    load *load;
    bytes_in key, value;
    holt_put_options options;
} put_call;

static holt_status begin_unlocked(void *ctx)
{
    load *l = (load *)ctx;
    return holt_load_begin(l->s->c, NULL, &l->handle);
}

static holt_status put_unlocked(void *ctx)
{
    put_call *p = (put_call *)ctx;
    return holt_load_put_with(p->load->handle, p->key.slice, p->value.slice, &p->options);
}

static holt_status commit_unlocked(void *ctx)
{
    return holt_load_commit(((load *)ctx)->handle);
}

static holt_status abort_unlocked(void *ctx)
{
    holt_load_abort((holt_load *)ctx);
    return HOLT_OK;
}

/* Load(store) */
static PyObject *load_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    PyObject *object;
    store *s;
    if (!PyArg_ParseTuple(args, "O:Load", &object) || !store_take(object, &s) || !store_check(s)) return NULL;
    load *l = (load *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (!l) return NULL;
    l->s = (store *)Py_NewRef((PyObject *)s);
    l->db = (database *)Py_NewRef((PyObject *)s->db);
    if (gate_init(&l->gate) && store_do(s, begin_unlocked, l)) return (PyObject *)l;
    Py_DECREF((PyObject *)l);
    return NULL;
}

/* Whether the load can be used: open, in this process, and used by nobody else. */
static bool load_check(load *l)
{
    if (!l->handle) return raise_closed("the load");
    if (!database_check(l->db)) return false;
    gate_wait(&l->gate);
    return database_check(l->db) && (l->handle || raise_closed("the load"));
}

/* Runs fn(ctx) without the GIL, under the gate. Raises what goes wrong. */
static bool load_do(load *l, call_fn fn, void *ctx)
{
    if (!load_check(l)) return false;
    gate_enter(&l->gate);
    bool done = l->handle ? database_do(l->db, fn, ctx) : raise_closed("the load") != NULL;
    gate_leave(&l->gate);
    return done;
}

static void load_release(load *l)
{
    if (!l->handle || l->db->process != process_number) return;
    gate_enter(&l->gate);
    holt_load *handle = l->handle;
    l->handle = NULL;
    if (handle) database_release(l->db, abort_unlocked, handle);
    gate_leave(&l->gate);
}

static PyObject *load_put(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *keywords)
{
    static const char *const names[] = {"key", "value", "expires", "ttl"};
    static const signature s = {"put", names, 4, 2, 2};
    load *l = (load *)self;
    PyObject *a[4];
    bool done = false;
    put_call put = {0};
    if (!arguments(&s, args, n, keywords, a) || !take_expiry(a[2], a[3], &put.options.expires_at_ms))
        return NULL;
    if (!bytes_take(a[0], &put.key)) return NULL;
    if (bytes_take(a[1], &put.value)) {
        put.load = l;
        done = load_do(l, put_unlocked, &put);
        bytes_release(&put.value);
    }
    bytes_release(&put.key);
    return done ? Py_NewRef(Py_None) : NULL;
}

static PyObject *load_commit(PyObject *self, PyObject *unused)
{
    load *l = (load *)self;
    if (!load_do(l, commit_unlocked, l)) return NULL;
    load_release(l);
    return Py_NewRef(Py_None);
}

static PyObject *load_abort(PyObject *self, PyObject *unused)
{
    load_release((load *)self);
    return Py_NewRef(Py_None);
}

static PyObject *load_enter(PyObject *self, PyObject *unused)
{
    return Py_NewRef(self);
}

/* Commits, unless it has been ended already or an exception is passing. */
static PyObject *load_exit(PyObject *self, PyObject *args)
{
    load *l = (load *)self;
    bool good = PyTuple_Size(args) > 0 && PyTuple_GetItem(args, 0) == Py_None;
    PyObject *result = good && l->handle ? load_commit(self, NULL) : Py_NewRef(Py_None);
    load_release(l);
    return result;
}

static int load_traverse(PyObject *self, visitproc visit, void *arg)
{
    load *l = (load *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)l->s);
    Py_VISIT((PyObject *)l->db);
    return 0;
}

static int load_clear(PyObject *self)
{
    load *l = (load *)self;
    if (l->db) load_release(l);
    Py_CLEAR(l->s);
    Py_CLEAR(l->db);
    return 0;
}

static void load_dealloc(PyObject *self)
{
    load *l = (load *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    bool ours = l->db && l->db->process == process_number;
    (void)load_clear(self);
    if (ours) gate_deinit(&l->gate);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF((PyObject *)type);
}

static PyMethodDef methods[] = {
    METHOD("put", load_put, FAST,
           "put(key, value, *, expires=None, ttl=None): adds an entry; keys must ascend."),
    METHOD("commit", load_commit, METH_NOARGS,
           "commit(): makes the entries those of the collection, durably."),
    METHOD("abort", load_abort, METH_NOARGS, "abort(): discards what was loaded."),
    METHOD("__enter__", load_enter, METH_NOARGS, NULL),
    METHOD("__exit__", load_exit, METH_VARARGS, NULL),
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A bulk load into an empty collection, in ascending order of the keys."},
    {Py_tp_new, load_new},
    {Py_tp_methods, methods},
    {Py_tp_traverse, load_traverse},
    {Py_tp_clear, load_clear},
    {Py_tp_dealloc, load_dealloc},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "holt._holt.Load",
    .basicsize = sizeof(load),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

bool load_init(PyObject *module)
{
    load_type = module_type(module, "Load", &spec, NULL);
    return load_type != NULL;
}
