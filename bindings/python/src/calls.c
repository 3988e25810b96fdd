/* calls.c -- calls without the interpreter's lock, and how a close waits for them. See module.h.
 *
 * All fields are read and written under the GIL. */
#include "module.h"

bool database_check(const database *db)
{
    if (database_is_open(db)) return true;
    raise_closed("the database");
    return false;
}

bool store_check_slowly(store *s)
{
    if (store_is_open(s) && s->txn) gate_wait(&s->txn->gate);
    if (store_is_open(s)) return true;
    if (!database_check(s->db)) return false;
    raise_closed(s->txn && !s->txn->handle ? "the transaction" : "the collection");
    return false;
}

static void call_begin(database *db)
{
    db->calls++;
}

static void call_end(database *db)
{
    if (--db->calls || !db->waits) return;
    db->waits = false;
    PyThread_release_lock(db->drained);
}

/* Runs fn with everything checked and counted. */
holt_status call_unlocked(database *db, call_fn fn, void *ctx)
{
    holt_status rc;
    Py_INCREF((PyObject *)db);
    call_begin(db);
    Py_BEGIN_ALLOW_THREADS rc = fn(ctx);
    Py_END_ALLOW_THREADS call_end(db);
    Py_DECREF((PyObject *)db);
    return rc;
}

bool database_call(database *db, call_fn fn, void *ctx, holt_status *rc)
{
    if (!database_check(db)) return false;
    *rc = call_unlocked(db, fn, ctx);
    return true;
}

bool store_call(store *s, call_fn fn, void *ctx, holt_status *rc)
{
    gate *g = store_gate(s);
    if (!store_check(s)) return false;
    if (g) gate_enter(g);
    bool open = store_is_open(s);
    if (open) *rc = call_unlocked(s->db, fn, ctx);
    if (g) gate_leave(g);
    if (!open) (void)store_check_slowly(s); /* raises Closed */
    return open;
}

bool database_do(database *db, call_fn fn, void *ctx)
{
    holt_status rc;
    if (!database_call(db, fn, ctx, &rc)) return false;
    if (rc != HOLT_OK) raise_status(rc);
    return rc == HOLT_OK;
}

bool store_do(store *s, call_fn fn, void *ctx)
{
    holt_status rc;
    if (!store_call(s, fn, ctx, &rc)) return false;
    if (rc != HOLT_OK) raise_status(rc);
    return rc == HOLT_OK;
}

void database_release(database *db, call_fn fn, void *ctx)
{
    PyObject *type, *value, *traceback;
    if (!db || db->process != process_number) return;
    PyErr_Fetch(&type, &value, &traceback);
    call_begin(db);
    Py_BEGIN_ALLOW_THREADS(void) fn(ctx); /* a release has no result that anybody could use */
    Py_END_ALLOW_THREADS call_end(db);
    PyErr_Restore(type, value, traceback);
}

void child_add(database *db, child *c)
{
    c->next = db->children;
    c->link = &db->children;
    if (c->next) c->next->link = &c->next;
    db->children = c;
}

void child_remove(child *c)
{
    if (!c->link) return;
    *c->link = c->next;
    if (c->next) c->next->link = c->link;
    c->link = NULL;
}
