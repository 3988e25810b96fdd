/* commit_queue.h -- group commit: one leader at a time takes requests through log and memtable, in groups.
 *
 * A thread that finds no leader leads at once, with its own request as the group: no queue, no allocation.
 * Otherwise it queues and sleeps. A leader that is done makes the first in the queue the next leader, which
 * takes those queued behind it into its group. A group goes through these steps (commit_group):
 *
 *   1. gather   waits briefly for more members if a sync is wanted and they are expected
 *   2. prepare  makes sure that log and memtable have room for all of it
 *   3. admit    for each request: checks it against earlier commits, assigns its seqnos, inserts its
 *               operations into the memtable, where no reader sees them yet, and stages its frame; a request
 *               that fails leaves nothing
 *   4. append   writes the staged frames to the log, at once
 *   5. sync     if any admitted request asked for it
 *   6. publish  raises `visible`: from here on readers see the group
 *   7. wake     the members return, and the next leader starts (hand_over)
 *
 * So nothing is visible before it is as durable as was asked for, and commits become visible in seqno order.
 * If step 4 or 5 fails, every admitted request fails with it and `visible` stays: the log refuses all later
 * appends.
 *
 * What the steps do to log and memtable is the environment's (commit.c for a database), so unit tests drive
 * the queue without one.
 *
 * Concurrency  mu guards the queue. What is marked as the leader's is handed from leader to leader with mu.
 */
#ifndef HOLT_DB_COMMIT_COMMIT_QUEUE_H
#define HOLT_DB_COMMIT_COMMIT_QUEUE_H

#include "db/commit/condition.h"
#include "db/commit/write_set.h"
#include "log/position.h"
#include "os/os.h"

#include <stdatomic.h>

typedef struct commit_request commit_request;
typedef struct commit_basis commit_basis;

typedef enum commit_progress { COMMIT_WAITING, COMMIT_LEADS, COMMIT_DONE } commit_progress;

struct commit_request {
    /* The request: either one operation on one collection, or a write set. */
    holt_collection *collection;
    operation operation;
    const write_set *set;
    const commit_basis *basis; /* of a write set: what it is checked against (conflict.h); NULL: nothing */
    uint32_t durability; /* holt_durability, never the default; 0: a change to the catalog
                            (commit_queue_lead) */
    write_condition condition;     /* of the operation; none for a write set */
    char number[NUMBER_BYTES_MAX]; /* CONDITION_NUMBER: the operation's value */

    /* The result. */
    holt_status status;
    holt_error error; /* of a failure, which another thread may have met */
    bool undecided;   /* the memtables cannot tell whether the condition holds; look the key up again */
    seqno first_seqno;

    /* The queue's. */
    commit_request *next;
    commit_progress progress; /* mu */
    os_cond wake;
    bool admitted;
};

/* Begins a request without a set, a basis and a condition, whose operation is to be set. The other fields are
 * not cleared: that would take a tenth of the time of a put. */
static inline void commit_request_init(commit_request *r, uint32_t durability)
{
    r->set = NULL;
    r->basis = NULL;
    r->durability = durability;
    r->condition.kind = CONDITION_NONE;
}

static inline size_t request_payload_size(const commit_request *r)
{
    return r->set ? r->set->operations.size : operation_size(&r->operation);
}

static inline uint32_t request_operations(const commit_request *r)
{
    return r->set ? r->set->count : 1;
}

static inline uint64_t request_puts(const commit_request *r)
{
    return r->set ? r->set->puts : operation_is_put(&r->operation);
}

/* Of keys and values. */
static inline uint64_t request_user_bytes(const commit_request *r)
{
    return r->set ? r->set->user_bytes : r->operation.key.size + r->operation.value.size;
}

/* What a leader calls to take a group through the steps. */
typedef struct commit_env {
    void *ctx;
    os *os;
    uint64_t group_bytes_max; /* of frames in one group, unless a single request has more */
    /* A failure is that of the whole group. bytes: of its frames. */
    holt_status (*prepare)(void *ctx, const commit_request *group, uint64_t bytes);
    /* Admits a request from seqno `first` on, or sets r->undecided. */
    holt_status (*admit)(void *ctx, commit_request *r, seqno first);
    /* Appends the staged frames. sync: one will follow. */
    holt_status (*append)(void *ctx, bool sync);
    holt_status (*sync)(void *ctx);
    void (*discard)(void *ctx);   /* no request was admitted: drops what is staged */
    void (*published)(void *ctx); /* after a group has become visible */
} commit_env;

typedef struct commit_queue {
    /* The newest visible operation. The leader releases it in step 6; readers acquire it: whoever sees seqno
     * s sees every operation up to s, and every version installed before. */
    _Alignas(64) _Atomic seqno visible;

    _Alignas(64) os_mutex mu; /* LOCK_RANK_COMMIT; guards: */
    _Atomic bool leading;     /* there is a leader; changed under mu. Relaxed: commit_queue_is_led */
    commit_request *first, *last;
    uint32_t length;

    commit_env env; /* constant while there are requests */

    /* The leader's: */
    seqno next_seqno;
    uint32_t sync_members; /* commits that the last sync covered */

    /* Totals, written by the leader, read by any thread. Relaxed: figures. */
    _Atomic uint64_t count, puts, deletes, user_bytes;
} commit_queue;

void commit_queue_init(commit_queue *q); /* env, next_seqno and visible are set by the caller before the first
                                            request */
void commit_queue_deinit(commit_queue *q); /* nothing is queued */
/* mu held: asserts that the queue is linked and counted, and led if it is not empty. */
void commit_queue_check(const commit_queue *q);

/* Whether there is a leader, for assertions of code that only the leader may run. */
static inline bool commit_queue_is_led(const commit_queue *q)
{
    return atomic_load_explicit(&q->leading, memory_order_relaxed);
}

/* Takes a request through a group, as leader or member; the result is in the request. */
void commit_queue_submit(commit_queue *q, commit_request *request);

/* Waits to become the leader without a request, to change the catalog in commit order: every earlier commit
 * is visible. */
void commit_queue_lead(commit_queue *q);
/* Becomes the leader if there is none; does not wait. */
bool commit_queue_try_lead(commit_queue *q);
void commit_queue_unlead(commit_queue *q);

#endif
