/* range.c -- an iterator over the entries of a range, which reads ahead.
 *
 * Entries are fetched in batches without the GIL, and made into Python objects one by one as they are asked
 * for. The batches grow, so that a range of which only the beginning is wanted does not read much in vain.
 *
 * In a transaction that writes, a batch may be out of date once the transaction has written again: the rest
 * of the batch is then dropped, and the cursor moved back to the entry that was returned last. So the range
 * shows what the transaction has written, as a cursor does.
 *
 * The cursor is closed as soon as the range ends, so that its snapshot pins nothing. */
#include "module.h"

#include <stdlib.h>
#include <string.h>

PyTypeObject *range_type;

enum { FIRST_BATCH = 16, LARGEST_BATCH = 1024, BATCH_BYTES = 256 * 1024 };

typedef enum what { KEYS, VALUES, ITEMS } what;

/* An entry in the buffer: this, the key and the value. */
typedef struct entry_head {
    size_t key_size, value_size;
} entry_head;

typedef struct range {
    PyObject_HEAD store *s;
    database *db;        /* its own: a reference that the store may have lost, when garbage is collected */
    transaction *txn;    /* likewise; NULL: none */
    holt_cursor *cursor; /* NULL: the range has ended */
    gate own_gate;       /* of the cursor, unless it belongs to a transaction */
    what what;
    bool reverse, text;
    bool begun;    /* the cursor has been moved */
    bool ended;    /* the cursor has passed the end: nothing comes after the batch */
    uint64_t left; /* how many entries may still be returned */

    char *buffer; /* malloc'd: it grows without the GIL */
    size_t used, capacity;
    size_t at;    /* of the next entry to return, in bytes */
    size_t last;  /* of the one returned last; >= used: none */
    size_t batch; /* entries to fetch next time */
    uint64_t writes;
} range;

/* ---------------------------------------------------------------- batches; without the GIL */

static bool reserve(range *r, size_t size)
{
    if (size <= r->capacity - r->used) return true;
    size_t capacity = r->used + size < 4096 ? 4096 : 2 * (r->used + size);
    char *buffer = (char *)realloc(r->buffer, capacity);
    if (!buffer) return false;
    r->buffer = buffer;
    r->capacity = capacity;
    return true;
}

static bool append_entry(range *r, holt_slice key, holt_slice value)
{
    entry_head head = {r->what == VALUES ? 0 : key.size, r->what == KEYS ? 0 : value.size};
    /* A read-write transaction needs the key to find its place again. */
    if (r->txn) head.key_size = key.size;
    if (!reserve(r, sizeof head + head.key_size + head.value_size)) return false;
    memcpy(r->buffer + r->used, &head, sizeof head);
    memcpy(r->buffer + r->used + sizeof head, key.data, head.key_size);
    if (head.value_size)
        memcpy(r->buffer + r->used + sizeof head + head.key_size, value.data, head.value_size);
    r->used += sizeof head + head.key_size + head.value_size;
    return true;
}

static bool move(range *r)
{
    r->begun = true;
    return r->reverse ? holt_cursor_prev(r->cursor) : holt_cursor_next(r->cursor);
}

/* Fetches the next batch, from where the cursor is. */
static holt_status fetch_unlocked(void *ctx)
{
    range *r = (range *)ctx;
    r->used = 0;
    for (size_t i = 0; i < r->batch && r->used < BATCH_BYTES; i++) {
        if (!move(r)) {
            r->ended = true;
            return holt_cursor_status(r->cursor);
        }
        if (!append_entry(r, holt_cursor_key(r->cursor), holt_cursor_value(r->cursor))) {
            r->used = 0;
            return HOLT_NO_MEMORY;
        }
    }
    if (r->batch < LARGEST_BATCH) r->batch *= 2;
    return HOLT_OK;
}

/* Moves the cursor to the entry that was returned last, or to where it was. The next move goes on from there.
 * */
static holt_status go_back(range *r)
{
    if (r->last >= r->used) return HOLT_OK; /* nothing was returned yet, since the cursor was opened */
    entry_head head;
    memcpy(&head, r->buffer + r->last, sizeof head);
    holt_slice key = holt_bytes(r->buffer + r->last + sizeof head, head.key_size);
    bool found = r->reverse ? holt_cursor_seek_last(r->cursor, key) : holt_cursor_seek(r->cursor, key);
    holt_status rc = holt_cursor_status(r->cursor);
    if (rc != HOLT_OK || !found) return rc;
    holt_slice at = holt_cursor_key(r->cursor);
    if (at.size == key.size && memcmp(at.data, key.data, key.size) == 0) return HOLT_OK;
    /* The entry was deleted, and the cursor is on the one after it: one step back, so that the move finds it.
     * */
    bool stepped = r->reverse ? holt_cursor_next(r->cursor) : holt_cursor_prev(r->cursor);
    return stepped ? HOLT_OK : holt_cursor_status(r->cursor);
}

static holt_status refetch_unlocked(void *ctx)
{
    range *r = (range *)ctx;
    r->ended = false;
    holt_status rc = go_back(r);
    return rc == HOLT_OK ? fetch_unlocked(r) : rc;
}

/* ---------------------------------------------------------------- open and close */

typedef struct open_call {
    range *r;
    holt_cursor_options options;
} open_call;

static holt_status open_unlocked(void *ctx)
{
    open_call *o = (open_call *)ctx;
    return holt_cursor_open(o->r->s->c, store_txn(o->r->s), &o->options, &o->r->cursor);
}

static holt_status close_unlocked(void *ctx)
{
    return holt_cursor_close((holt_cursor *)ctx);
}

static gate *range_gate(range *r)
{
    return r->txn ? &r->txn->gate : &r->own_gate;
}

/* Ends the range, and releases the cursor. */
static void end(range *r)
{
    r->left = 0;
    if (!r->cursor || r->db->process != process_number) return;
    gate *g = range_gate(r);
    gate_enter(g);
    holt_cursor *cursor = r->cursor;
    r->cursor = NULL;
    if (cursor) database_release(r->db, close_unlocked, cursor);
    gate_leave(g);
}

/* A bound that includes its key: the smallest key above it is the key with a zero byte behind. */
static bool take_last(PyObject *o, bytes_in *in, void **longer)
{
    *longer = NULL;
    if (!bytes_take_bound(o, in)) return false;
    if (!in->slice.data) return true;
    *longer = PyMem_Malloc(in->slice.size + 1);
    if (!*longer) {
        bytes_release(in);
        PyErr_NoMemory();
        return false;
    }
    memcpy(*longer, in->slice.data, in->slice.size);
    ((char *)*longer)[in->slice.size] = 0;
    in->slice = holt_bytes(*longer, in->slice.size + 1);
    return true;
}

typedef struct range_options {
    PyObject *start, *end, *prefix, *limit;
    bool last_included, reverse;
    what what;
} range_options;

static bool open_cursor(range *r, const range_options *o)
{
    bytes_in start, end, prefix;
    void *longer = NULL;
    bool done = false;
    if (!bytes_take_bound(o->start, &start)) return false;
    if (o->last_included ? !take_last(o->end, &end, &longer) : !bytes_take_bound(o->end, &end)) goto no_end;
    if (!bytes_take_bound(o->prefix, &prefix)) goto no_prefix;
    open_call open = {r, {.lower = start.slice, .upper = end.slice, .prefix = prefix.slice}};
    if (o->what == KEYS) open.options.flags = HOLT_CURSOR_KEYS_ONLY;
    done = store_do(r->s, open_unlocked, &open);
    bytes_release(&prefix);
no_prefix:
    bytes_release(&end);
    PyMem_Free(longer);
no_end:
    bytes_release(&start);
    return done;
}

static range *range_open(PyTypeObject *type, store *s, const range_options *o)
{
    uint64_t limit = UINT64_MAX;
    if (!take_u64(o->limit, &limit) || !store_check(s)) return NULL;
    range *r = (range *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (!r) return NULL;
    r->s = (store *)Py_NewRef((PyObject *)s);
    r->db = (database *)Py_NewRef((PyObject *)s->db);
    r->txn = (transaction *)Py_XNewRef((PyObject *)s->txn);
    r->what = o->what;
    r->reverse = o->reverse;
    r->text = s->text;
    r->left = limit;
    r->batch = limit < FIRST_BATCH ? (size_t)limit : FIRST_BATCH;
    r->writes = s->txn ? s->txn->writes : 0;
    if (gate_init(&r->own_gate) && open_cursor(r, o)) return r;
    Py_DECREF((PyObject *)r);
    return NULL;
}

/* Range(store, what, start=None, end=None, prefix=None, reverse=False, limit=None) */
static PyObject *range_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"store", "what", "start", "end", "prefix", "reverse", "limit", NULL};
    PyObject *object;
    range_options o = {0};
    int kind, reverse = 0;
    store *s;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "Oi|OOOpO:Range", names, &object, &kind, &o.start,
                                     &o.end, &o.prefix, &reverse, &o.limit) ||
        !store_take(object, &s))
        return NULL;
    o.reverse = reverse;
    o.what = (what)kind;
    return (PyObject *)range_open(type, s, &o);
}

/* ---------------------------------------------------------------- next */

/* Whether the transaction has written since the batch was fetched. */
static bool is_stale(const range *r)
{
    return r->txn && r->txn->writes != r->writes;
}

static bool has_entry(const range *r)
{
    return r->at < r->used && !is_stale(r);
}

/* Fetches a batch, under the gate. false: the range has ended, or an exception is set. */
static bool fetch(range *r)
{
    holt_status rc = HOLT_OK;
    bool stale = is_stale(r);
    if (!r->cursor || (r->ended && !stale)) return false;
    if (!store_is_open(r->s)) return store_check_slowly(r->s); /* raises Closed */
    if (r->left < r->batch) r->batch = (size_t)r->left;
    if (r->txn) r->writes = r->txn->writes;
    if (!database_call(r->db, stale && r->begun ? refetch_unlocked : fetch_unlocked, r, &rc)) return false;
    r->at = 0;
    r->last = SIZE_MAX;
    if (rc == HOLT_OK) return r->used > 0;
    r->used = 0;
    r->ended = true;
    raise_status(rc);
    return false;
}

/* Makes sure that there is an entry at r->at. false: the range has ended, or an exception is set: also if it
 * was closed while entries of the batch were left. The gate is entered before anything is fetched: a thread
 * that has waited for it finds the batch that another one has fetched. */
static bool fill(range *r)
{
    gate *g = range_gate(r);
    if (!r->cursor) return false;
    /* Raises Closed. In a child of fork() the gate might never be left. */
    if (!store_is_open(r->s)) return store_check_slowly(r->s);
    if (!g->taken && has_entry(r)) return true;
    gate_enter(g);
    bool filled = r->left > 0 && (has_entry(r) || fetch(r));
    gate_leave(g);
    return filled;
}

/* The entry at r->at as objects; *value stays NULL if only one is wanted. Bytes and strings are made without
 * running anybody's code, so the buffer stays as it is. */
static bool make_entry(range *r, PyObject **key, PyObject **value)
{
    entry_head head;
    const char *data = r->buffer + r->at;
    memcpy(&head, data, sizeof head);
    data += sizeof head;
    *key = *value = NULL;
    if (r->what != VALUES) *key = bytes_make(r->text, data, head.key_size);
    if (r->what != KEYS) *value = bytes_make(r->text, data + head.key_size, head.value_size);
    r->last = r->at;
    r->at += sizeof head + head.key_size + head.value_size;
    r->left--;
    if ((r->what == VALUES || *key) && (r->what == KEYS || *value)) return true;
    Py_XDECREF(*key); /* an entry that is not UTF-8 */
    Py_XDECREF(*value);
    return false;
}

static PyObject *range_next(PyObject *self)
{
    range *r = (range *)self;
    PyObject *key, *value;
    if (r->left == 0 || !fill(r)) {
        if (!PyErr_Occurred()) end(r);
        return NULL;
    }
    if (!make_entry(r, &key, &value)) return NULL;
    if (r->what != ITEMS) return key ? key : value;
    PyObject *pair = PyTuple_Pack(2, key, value);
    Py_DECREF(key);
    Py_DECREF(value);
    return pair;
}

static PyObject *range_fetch(PyObject *self, PyObject *count)
{
    Py_ssize_t n = PyLong_AsSsize_t(count);
    if (n < 0) return PyErr_Occurred() ? NULL : raise_message(HOLT_INVALID, "a negative number of entries");
    PyObject *list = PyList_New(0);
    for (Py_ssize_t i = 0; list && i < n; i++) {
        PyObject *item = range_next(self);
        if (!item && !PyErr_Occurred()) break;
        if (!item || PyList_Append(list, item) < 0) Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

PyObject *range_list(store *s, PyObject *first, PyObject *last, PyObject *limit)
{
    range_options o = {.start = first, .end = last, .limit = limit, .last_included = true, .what = ITEMS};
    range *r = range_open(range_type, s, &o);
    PyObject *list = r ? PyList_New(0) : NULL;
    for (PyObject *item; list && (item = range_next((PyObject *)r));) {
        if (PyList_Append(list, item) < 0) Py_CLEAR(list);
        Py_DECREF(item);
    }
    if (PyErr_Occurred()) Py_CLEAR(list);
    Py_XDECREF((PyObject *)r);
    return list;
}

/* ---------------------------------------------------------------- life */

static PyObject *range_close(PyObject *self, PyObject *unused)
{
    end((range *)self);
    return Py_NewRef(Py_None);
}

static PyObject *range_enter(PyObject *self, PyObject *unused)
{
    return Py_NewRef(self);
}

static PyObject *range_exit(PyObject *self, PyObject *args)
{
    return range_close(self, NULL);
}

static int range_traverse(PyObject *self, visitproc visit, void *arg)
{
    range *r = (range *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)r->s);
    Py_VISIT((PyObject *)r->db);
    Py_VISIT((PyObject *)r->txn);
    return 0;
}

static int range_clear(PyObject *self)
{
    range *r = (range *)self;
    if (r->db) end(r);
    Py_CLEAR(r->s);
    Py_CLEAR(r->db);
    Py_CLEAR(r->txn);
    return 0;
}

static void range_dealloc(PyObject *self)
{
    range *r = (range *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    bool ours = r->db && r->db->process == process_number;
    (void)range_clear(self);
    if (ours) gate_deinit(&r->own_gate);
    free(r->buffer);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF((PyObject *)type);
}

static PyMethodDef methods[] = {
    METHOD("close", range_close, METH_NOARGS, "close(): ends the range, and releases what it pins."),
    METHOD("fetch", range_fetch, METH_O, "fetch(n): the list of the next n entries, or of what is left."),
    METHOD("__enter__", range_enter, METH_NOARGS, NULL),
    METHOD("__exit__", range_exit, METH_VARARGS, NULL),
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "An iterator over the entries of a range, in key order."},
    {Py_tp_new, range_new},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, range_next},
    {Py_tp_methods, methods},
    {Py_tp_traverse, range_traverse},
    {Py_tp_clear, range_clear},
    {Py_tp_dealloc, range_dealloc},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "holt._holt.Range",
    .basicsize = sizeof(range),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

bool range_init(PyObject *module)
{
    range_type = module_type(module, "Range", &spec, NULL);
    return range_type != NULL;
}
