/* collection.c -- named collections: by themselves, or as a transaction sees them. */
#include "module.h"

PyTypeObject *collection_type;

typedef struct open_call {
    holt *db;
    const char *name;
    holt_collection_options options;
    bool create; /* unless it exists */
    holt_collection *c;
} open_call;

static holt_status open_unlocked(void *ctx)
{
    open_call *o = (open_call *)ctx;
    if (!o->create) return holt_collection_open(o->db, o->name, &o->c);
    return holt_collection_create(o->db, o->name, &o->options, &o->c);
}

/* Collection(db, name, txn, create, exclusive, kind, block_bytes, filter_bits, text): see holt/__init__.py,
 * which has the defaults. */
static PyObject *collection_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    PyObject *db_object, *txn_object;
    open_call open = {0};
    int create, exclusive, text;
    database *db;
    transaction *txn = NULL;
    if (!PyArg_ParseTuple(args, "OsOppIO&O&p:Collection", &db_object, &open.name, &txn_object, &create,
                          &exclusive, &open.options.kind, parse_u32, &open.options.block_bytes, parse_u32,
                          &open.options.filter_bits, &text))
        return NULL;
    if (!database_take(db_object, &db)) return NULL;
    if (txn_object != Py_None && !transaction_take(txn_object, &txn)) return NULL;
    open.create = create;
    open.options.flags = exclusive ? 0 : HOLT_CREATE_OR_OPEN;
    if (!database_check(db)) return NULL;
    open.db = db->handle;
    if (!database_do(db, open_unlocked, &open)) return NULL;

    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    store *s = (store *)allocate(type, 0);
    if (!s) {
        if (database_is_open(db)) holt_collection_close(open.c);
        return NULL;
    }
    s->db = (database *)Py_NewRef((PyObject *)db);
    if (txn) s->txn = (transaction *)Py_NewRef((PyObject *)txn);
    s->c = open.c;
    s->owns_collection = true;
    s->text = text;
    return (PyObject *)s;
}

static PyType_Slot slots[] = {
    {Py_tp_doc, "A named collection."},
    {Py_tp_new, collection_new},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "holt._holt.Collection",
    .basicsize = sizeof(store),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = slots,
};

bool collection_init(PyObject *module)
{
    collection_type = module_type(module, "Collection", &spec, store_type);
    return collection_type != NULL;
}
