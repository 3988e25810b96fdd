/* handle.h -- what a cursor, a load and a transaction have in common: they can outlive their database.
 *
 * holt_close_with(HOLT_CLOSE_FORCE) takes from every open handle what it holds of the database. The handle's own
 * memory stays with the program: calls on it return HOLT_CLOSED, and its release call frees it. So no call may
 * touch what the handle points to before handle_enter() has let it in.
 *
 *     OPEN ── the owner's handle_end() ─────────────────────────> CLOSED
 *       └──── forced close ──> CLOSING ── all calls have left ──> CLOSED
 *
 * A call marks the handle as in use by a plain store, then looks at its state; the closer changes the state, then
 * looks at the marks. Between store and look both need a full barrier, or each could miss the other. Calls are many
 * and forced closes few, so the closer makes the barrier for both: os_fence_everywhere() acts on all threads of
 * the process. Where the system has none, calls make theirs.
 *
 * Concurrency  A handle belongs to one thread at a time, as its cursor, load or transaction does; the closer may
 *              be any other. Calls on one handle do not nest.
 */
#ifndef HOLT_DB_HANDLE_H
#define HOLT_DB_HANDLE_H

#include "os/os.h"

#include <stdatomic.h>

/* In the order in which a forced close ends them: cursors read through transactions. */
typedef enum handle_kind { HANDLE_CURSOR, HANDLE_LOAD, HANDLE_TXN, HANDLE_KINDS } handle_kind;

enum { HANDLE_OPEN, HANDLE_CLOSING, HANDLE_CLOSED };

/* The first member of its object. */
typedef struct handle {
    _Atomic uint32_t state;       /* HANDLE_... */
    _Atomic uint32_t used;        /* a call is inside */
    handle_kind kind;
    uint32_t fork_generation;
    struct handle *older, *newer; /* handles.mu; of its kind */
} handle;

/* The open handles of a database. */
typedef struct handle_list {
    os_mutex mu; /* LOCK_RANK_HANDLES */
    uint64_t transactions, cursors, loads;
    handle *lists[HANDLE_KINDS]; /* newest first */
} handle_list;

void handle_list_init(handle_list *l);
void handle_list_deinit(handle_list *l);
/* mu held: asserts that the lists are linked and counted. */
void handle_list_check(const handle_list *l);

/* Counts and links it as open. */
void handle_begin(holt *db, handle *h, handle_kind kind);
/* The reverse, by the owner, before it gives up what the object holds of the database. From here on handle_enter()
 * refuses. */
void handle_end(holt *db, handle *h);

static inline bool handle_is_open(const handle *h)
{
    /* Acquire: who finds it closed finds all that the closer has done. */
    return atomic_load_explicit(&h->state, memory_order_acquire) == HANDLE_OPEN;
}

/* The end of what handle_enter() has begun. */
static inline void handle_leave(handle *h)
{
    /* Release: the closer finds all that the call has done. */
    atomic_store_explicit(&h->used, 0, memory_order_release);
}

/* At the beginning of every call on the object. false: it is closed (handle_refuse). */
static inline bool handle_enter(handle *h)
{
    if (os_fences_everywhere()) {
        /* Relaxed: the closer's fence orders it before the load, if the compiler does. */
        atomic_store_explicit(&h->used, 1, memory_order_relaxed);
        atomic_signal_fence(memory_order_seq_cst);
    } else {
        /* Sequentially consistent: before the load, for everybody. */
        atomic_exchange_explicit(&h->used, 1, memory_order_seq_cst);
    }
    /* Sequentially consistent for the second case; in the first an acquire would do, and costs the same. */
    if (atomic_load_explicit(&h->state, memory_order_seq_cst) == HANDLE_OPEN) return true;
    handle_leave(h);
    return false;
}

/* For a call that was not let in: HOLT_CLOSED with words. */
holt_status handle_refuse(void);
/* For a release call that was not let in: waits until a forced close that is under way needs the memory no more.
 * false: it never will be known, because this is a forked child; the memory is left where it is. */
bool handle_await_closed(const handle *h);

/* Ends all handles: waits until no call is inside, then takes from each what it holds. Calls on the database and
 * its collections must have ended. */
void handles_detach(holt *db);

/* What each kind does in it. The memory stays. */
void cursor_detach(handle *h);
void load_detach(handle *h);
void txn_detach(handle *h);

#endif
