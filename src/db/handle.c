/* handle.c -- the lists of open handles, and the forced close that detaches them from the database. */
#include "db/handle.h"

#include "base/status.h"
#include "db/db.h"

#include <assert.h>

static uint64_t *count_of(holt *db, handle_kind kind)
{
    return kind == HANDLE_CURSOR ? &db->handles.cursors
           : kind == HANDLE_LOAD ? &db->handles.loads
                                 : &db->handles.transactions;
}

void handle_label(handle *h, const char *label)
{
    size_t size = label ? strlen(label) : 0;
    memcpy(h->label, label ? label : "", size + 1);
}

void handle_begin_locked(holt *db, handle *h, handle_kind kind)
{
    assert(kind < HANDLE_KINDS && h->fork_generation == 0);
    os_mutex_assert_held(&db->handles.mu);
    h->kind = kind;
    h->fork_generation = os_fork_generation();
    h->newer = NULL;
    h->older = db->handles.lists[kind];
    if (h->older) h->older->newer = h;
    db->handles.lists[kind] = h;
    ++*count_of(db, kind);
}

void handle_begin(holt *db, handle *h, handle_kind kind)
{
    os_mutex_lock(&db->handles.mu);
    handle_begin_locked(db, h, kind);
    os_mutex_unlock(&db->handles.mu);
}

static void unlink_handle(holt *db, handle *h)
{
    assert(h->kind < HANDLE_KINDS);
    os_mutex_assert_held(&db->handles.mu);
    if (h->newer)
        h->newer->older = h->older;
    else
        db->handles.lists[h->kind] = h->older;
    if (h->older) h->older->newer = h->newer;
    --*count_of(db, h->kind);
}

void handle_end_locked(holt *db, handle *h)
{
    unlink_handle(db, h);
    /* Relaxed: it is read by the owner's own later calls. A forced close that has begun either waits for the
     * owner's call to leave, or no longer finds the handle. */
    atomic_store_explicit(&h->state, HANDLE_CLOSED, memory_order_relaxed);
}

void handle_end(holt *db, handle *h)
{
    os_mutex_lock(&db->handles.mu);
    handle_end_locked(db, h);
    os_mutex_unlock(&db->handles.mu);
}

holt_status handle_refuse(void)
{
    return status_set(HOLT_CLOSED, "the database was closed while this was open (HOLT_CLOSE_FORCE)");
}

bool handle_await_closed(const handle *h)
{
    /* Acquire: the closer no longer uses the memory. */
    while (atomic_load_explicit(&h->state, memory_order_acquire) == HANDLE_CLOSING) {
        if (h->fork_generation != os_fork_generation()) return false;
        os_yield();
    }
    return true;
}

/* ---------------------------------------------------------------- the forced close */

static void refuse_calls(holt *db)
{
    os_mutex_lock(&db->handles.mu);
    for (int kind = 0; kind < HANDLE_KINDS; kind++)
        for (handle *h = db->handles.lists[kind]; h; h = h->older)
            /* Sequentially consistent: before the loads of `used`, for calls that issue their own barrier. */
            atomic_store_explicit(&h->state, HANDLE_CLOSING, memory_order_seq_cst);
    os_mutex_unlock(&db->handles.mu);
    os_fence_everywhere();
}

/* A linked handle cannot be freed during this: its owner would unlink it first. */
static bool any_used(holt *db)
{
    bool used = false;
    os_mutex_lock(&db->handles.mu);
    for (int kind = 0; kind < HANDLE_KINDS && !used; kind++)
        for (const handle *h = db->handles.lists[kind]; h && !used; h = h->older)
            used = atomic_load_explicit(&h->used, memory_order_seq_cst) != 0;
    os_mutex_unlock(&db->handles.mu);
    return used;
}

static handle *newest(holt *db, handle_kind kind)
{
    os_mutex_lock(&db->handles.mu);
    handle *h = db->handles.lists[kind];
    os_mutex_unlock(&db->handles.mu);
    return h;
}

void handles_detach(holt *db)
{
    static void (*const detach[HANDLE_KINDS])(handle * h) = {cursor_detach, load_detach, txn_detach};
    static const uint64_t POLL_NS = 50000;
    refuse_calls(db);
    while (any_used(db))
        os_sleep(db->os, POLL_NS);
    for (int kind = 0; kind < HANDLE_KINDS; kind++) {
        for (handle *h; (h = newest(db, (handle_kind)kind)) != NULL;) {
            detach[kind](h);
            os_mutex_lock(&db->handles.mu);
            unlink_handle(db, h);
            os_mutex_unlock(&db->handles.mu);
            /* Release: pairs with handle_await_closed. The owner may free the handle from here on. */
            atomic_store_explicit(&h->state, HANDLE_CLOSED, memory_order_release);
        }
    }
}

/* ---------------------------------------------------------------- the list */

void handle_list_init(handle_list *l)
{
    os_mutex_init(&l->mu, LOCK_RANK_HANDLES);
}

void handle_list_deinit(handle_list *l)
{
    os_mutex_deinit(&l->mu);
}

void handle_list_check(const handle_list *l)
{
    os_mutex_assert_held(&l->mu);
    uint64_t counts[HANDLE_KINDS] = {0};
    for (int kind = 0; kind < HANDLE_KINDS; kind++)
        for (const handle *h = l->lists[kind]; h; h = h->older, counts[kind]++)
            assert(h->kind == (handle_kind)kind && (!h->older || h->older->newer == h));
    assert(counts[HANDLE_CURSOR] == l->cursors && counts[HANDLE_LOAD] == l->loads &&
           counts[HANDLE_TXN] == l->transactions);
}
