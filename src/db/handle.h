/* handle.h -- the common part of cursors, loads and transactions, whose handles can outlive their database.
 *
 * holt_close_with(HOLT_CLOSE_FORCE) releases what every open handle holds of the database. The handle's own
 * memory remains with the program: calls on it return HOLT_CLOSED, and its release call frees it. Therefore
 * no call may access what the handle points to before handle_enter() has returned true.
 *
 *     OPEN ── the owner's handle_end() ─────────────────────────> CLOSED
 *       └──── forced close ──> CLOSING ── all calls have left ──> CLOSED
 *
 * A call marks the handle as used with a plain store and then loads its state; the closer stores the state
 * and then loads the marks. Both need a full barrier between their store and their load, or each could miss
 * the other. Calls are frequent and forced closes rare, so the closer issues the barrier for both:
 * os_fence_everywhere() acts on all threads of the process. If the system does not provide it, each call
 * issues its own.
 *
 * Concurrency  A handle is used by one thread at a time, like its cursor, load or transaction; the closer may
 *              be any other thread. Calls on one handle do not nest. Debug builds assert both.
 */
#ifndef HOLT_DB_HANDLE_H
#define HOLT_DB_HANDLE_H

#include "os/os.h"

#include <assert.h>
#include <stdatomic.h>

/* In the order of a forced close: cursors before the transactions through which they read. */
typedef enum handle_kind { HANDLE_CURSOR, HANDLE_LOAD, HANDLE_TXN, HANDLE_KINDS } handle_kind;

enum { HANDLE_OPEN, HANDLE_CLOSING, HANDLE_CLOSED };

enum { LABEL_BYTES_MAX = 63 };

/* Must be the first member of its object. */
typedef struct handle {
    _Atomic uint32_t state;       /* HANDLE_... */
    _Atomic uint32_t used;        /* a call is inside */
    handle_kind kind;
    uint32_t fork_generation;
    struct handle *older, *newer; /* guarded by handles.mu; the open handles of the same kind */
    char label[LABEL_BYTES_MAX + 1]; /* constant while the handle is open */
} handle;

/* The open handles of a database. */
typedef struct handle_list {
    os_mutex mu; /* LOCK_RANK_HANDLES; guards the list of snapshots as well (version/snapshot.h) */
    uint64_t transactions, cursors, loads;
    handle *lists[HANDLE_KINDS]; /* newest first */
} handle_list;

void handle_list_init(handle_list *l);
void handle_list_deinit(handle_list *l);
/* mu held. Asserts that the lists are linked correctly and that the counts match. */
void handle_list_check(const handle_list *l);

/* Copies a label that label_check() has accepted; NULL: none. Before handle_begin. */
void handle_label(handle *h, const char *label);
/* Opens the handle: counts it and links it into the database's list. */
void handle_begin(holt *db, handle *h, handle_kind kind);
/* Closes the handle, by its owner, which must have released what the object holds of the database: a forced
 * close no longer finds the handle and may free the database. */
void handle_end(holt *db, handle *h);
/* The same, with handles.mu held. */
void handle_begin_locked(holt *db, handle *h, handle_kind kind);
void handle_end_locked(holt *db, handle *h);

static inline bool handle_is_open(const handle *h)
{
    /* Acquire: a thread that finds it closed sees everything the closer has done. */
    return atomic_load_explicit(&h->state, memory_order_acquire) == HANDLE_OPEN;
}

/* Ends a call that handle_enter() has admitted. */
static inline void handle_leave(handle *h)
{
    /* Release: the closer sees everything the call has done. */
    atomic_store_explicit(&h->used, 0, memory_order_release);
}

/* Must begin every call on the object. false: it is closed; the call returns handle_refuse(). */
static inline bool handle_enter(handle *h)
{
#ifndef NDEBUG
    bool used = atomic_exchange_explicit(&h->used, 1, memory_order_seq_cst);
    assert(!used && "a transaction, a cursor or a load is used by two threads at once");
#endif
    if (os_fences_everywhere()) {
        /* Relaxed: the closer's fence orders it before the load, provided that the compiler does. */
        atomic_store_explicit(&h->used, 1, memory_order_relaxed);
        atomic_signal_fence(memory_order_seq_cst);
    } else {
        /* Sequentially consistent: all threads see it before the load. */
        atomic_exchange_explicit(&h->used, 1, memory_order_seq_cst);
    }
    /* Sequentially consistent for the second case; in the first an acquire would do, at the same cost. */
    if (atomic_load_explicit(&h->state, memory_order_seq_cst) == HANDLE_OPEN) return true;
    handle_leave(h);
    return false;
}

/* Returns HOLT_CLOSED with a message, for a call that was not admitted. */
holt_status handle_refuse(void);
/* For a release call that was not admitted: waits until a forced close in progress no longer uses the memory.
 * false: this is a forked child, where that will never be known; the memory must not be freed. */
bool handle_await_closed(const handle *h);

/* Closes all handles by force: waits until no call is inside, then releases what each handle holds. Calls on
 * the database and its collections must have returned. */
void handles_detach(holt *db);

/* Release what a handle of each kind holds of the database; its memory remains. */
void cursor_detach(handle *h);
void load_detach(handle *h);
void txn_detach(handle *h);

#endif
