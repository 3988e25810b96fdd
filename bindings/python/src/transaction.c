/* transaction.c -- transactions, snapshots and batches. As a mapping, "default" as the transaction sees it.
 *
 * The gate lets one thread at a time into the library; a range or a cursor of the transaction uses it too. */
#include "module.h"

PyTypeObject *transaction_type;

/* ---------------------------------------------------------------- begin */

typedef struct begin_call {
    holt *db;
    holt_txn_options options;
    transaction *t;
} begin_call;

static holt_status begin_unlocked(void *ctx)
{
    begin_call *b = (begin_call *)ctx;
    return holt_begin(b->db, &b->options, &b->t->handle);
}

static holt_status rollback_unlocked(void *ctx)
{
    holt_rollback((holt_txn *)ctx);
    return HOLT_OK;
}

/* Transaction(db, flags, durability, label or None) */
static PyObject *transaction_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    PyObject *db_object;
    begin_call begin = {0};
    database *db;
    if (!PyArg_ParseTuple(args, "OIIz:Transaction", &db_object, &begin.options.flags,
                          &begin.options.durability, &begin.options.label))
        return NULL;
    if (!database_take(db_object, &db)) return NULL;
    transaction *t = (transaction *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (!t) return NULL;
    t->s.db = (database *)Py_NewRef((PyObject *)db);
    t->s.txn = t;
    t->s.c = db->s.c;
    t->s.text = db->s.text;
    t->flags = begin.options.flags;
    begin.db = db->handle;
    begin.t = t;
    if (gate_init(&t->gate) && database_do(db, begin_unlocked, &begin)) return (PyObject *)t;
    Py_DECREF((PyObject *)t);
    return NULL;
}

/* ---------------------------------------------------------------- end */

static holt_status commit_unlocked(void *ctx)
{
    return holt_commit((holt_txn *)ctx);
}

/* Frees the handle. No other thread is inside: the gate is held, or the object is being freed. */
static void release_handle(transaction *t)
{
    holt_txn *handle = t->handle;
    t->handle = NULL;
    if (handle) database_release(t->s.db, rollback_unlocked, handle);
}

/* Commits under the gate. After a conflict or an I/O error the transaction has ended; after another failure
 * it is still open, and the commit may be repeated. */
static PyObject *transaction_commit(PyObject *self, PyObject *unused)
{
    transaction *t = (transaction *)self;
    holt_status rc;
    if (!store_check(&t->s)) return NULL;
    if (!store_call(&t->s, commit_unlocked, t->handle, &rc)) return NULL;
    if (rc == HOLT_OK || rc == HOLT_CONFLICT || rc == HOLT_IO) {
        PyObject *result = rc == HOLT_OK ? Py_NewRef(Py_None) : raise_status(rc);
        gate_enter(&t->gate);
        release_handle(t);
        gate_leave(&t->gate);
        return result;
    }
    return raise_status(rc);
}

/* Does nothing if the transaction has ended. */
static PyObject *transaction_rollback(PyObject *self, PyObject *unused)
{
    transaction *t = (transaction *)self;
    if (!t->handle || !t->s.db || t->s.db->process != process_number) return Py_NewRef(Py_None);
    gate_enter(&t->gate);
    release_handle(t);
    gate_leave(&t->gate);
    return Py_NewRef(Py_None);
}

/* ---------------------------------------------------------------- savepoints and contents */

static PyObject *transaction_savepoint(PyObject *self, PyObject *unused)
{
    transaction *t = (transaction *)self;
    uint32_t id;
    if (!store_check(&t->s)) return NULL;
    holt_status rc = holt_savepoint(t->handle, &id);
    return rc == HOLT_OK ? PyLong_FromUnsignedLong(id) : raise_status(rc);
}

static PyObject *transaction_rollback_to(PyObject *self, PyObject *number)
{
    transaction *t = (transaction *)self;
    uint32_t id = 0;
    if (!take_u32(number, &id) || !store_check(&t->s)) return NULL;
    t->writes++;
    holt_status rc = holt_rollback_to(t->handle, id);
    return rc == HOLT_OK ? Py_NewRef(Py_None) : raise_status(rc);
}

static PyObject *transaction_discard(PyObject *self, PyObject *unused)
{
    transaction *t = (transaction *)self;
    if (!store_check(&t->s)) return NULL;
    t->writes++;
    holt_status rc = holt_batch_clear(t->handle);
    return rc == HOLT_OK ? Py_NewRef(Py_None) : raise_status(rc);
}

static PyObject *transaction_count(PyObject *self, void *closure)
{
    transaction *t = (transaction *)self;
    return store_check(&t->s) ? PyLong_FromUnsignedLongLong(holt_batch_count(t->handle)) : NULL;
}

static PyObject *transaction_bytes(PyObject *self, void *closure)
{
    transaction *t = (transaction *)self;
    return store_check(&t->s) ? PyLong_FromUnsignedLongLong(holt_batch_bytes(t->handle)) : NULL;
}

/* ---------------------------------------------------------------- life */

static void transaction_dealloc(PyObject *self)
{
    transaction *t = (transaction *)self;
    PyObject_GC_UnTrack(self);
    release_handle(t);
    if (t->s.db && t->s.db->process == process_number) gate_deinit(&t->gate);
    t->s.txn = NULL;
    store_dealloc(self);
}

static int transaction_clear(PyObject *self)
{
    release_handle((transaction *)self);
    return store_clear(self);
}

static PyMethodDef methods[] = {
    METHOD("commit", transaction_commit, METH_NOARGS,
           "commit(): commits. Raises Conflict if it must be repeated."),
    METHOD("rollback", transaction_rollback, METH_NOARGS,
           "rollback(): discards what was written, and ends it."),
    METHOD("_savepoint", transaction_savepoint, METH_NOARGS, "Sets a savepoint, and returns its number."),
    METHOD("_rollback_to", transaction_rollback_to, METH_O, "Undoes what was written after a savepoint."),
    METHOD("discard", transaction_discard, METH_NOARGS,
           "discard(): discards what was written; it remains open."),
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {
    {"write_count", transaction_count, NULL, "The number of operations written so far.", NULL},
    {"write_bytes", transaction_bytes, NULL, "The bytes of keys and values written so far.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A transaction, a snapshot or a batch."},
    {Py_tp_new, transaction_new},
    {Py_tp_dealloc, transaction_dealloc},
    {Py_tp_traverse, store_traverse},
    {Py_tp_clear, transaction_clear},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "holt._holt.Transaction",
    .basicsize = sizeof(transaction),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

bool transaction_take(PyObject *o, transaction **out)
{
    int is = PyObject_IsInstance(o, (PyObject *)transaction_type);
    if (is == 0) PyErr_Format(PyExc_TypeError, "expected a transaction, not %R", Py_TYPE(o));
    *out = (transaction *)o;
    return is > 0;
}

bool transaction_init(PyObject *module)
{
    transaction_type = module_type(module, "Transaction", &spec, store_type);
    return transaction_type != NULL;
}
