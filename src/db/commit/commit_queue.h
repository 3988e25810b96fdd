/* commit_queue.h -- the commit queue: one leader at a time takes requests into log and memtable, in groups.
 *
 * The order of a group: conflicts are checked; log and memtable are rotated if the group does not fit; seqnos
 * are assigned and the versions inserted, invisibly (out of memory: they are voided, nothing happened); the
 * frames are appended with one write; synced once if anyone asked; visible_seqno is published; the members
 * are woken. So nothing is visible before it is as durable as it was asked to be, and commits become visible
 * in their order.
 *
 * A HOLT_INTERVAL commit is then acknowledged by its own thread, no longer in the group: where a sync is late it waits
 * (log/wal_sync.c has the invariant), and must hold up neither the leader nor others.
 *
 * Uncontended, a request leads at once: no queue, no allocation. Otherwise it joins the queue and sleeps; the
 * leader that finishes hands over to the first in the queue, which takes all that wait behind it along.
 * Leadership is also how the catalog changes in commit order (commit_lead).
 *
 * After a log failure visible_seqno is frozen and every request answers HOLT_IO.
 */
#ifndef HOLT_DB_COMMIT_COMMIT_QUEUE_H
#define HOLT_DB_COMMIT_COMMIT_QUEUE_H

#include "base/buffer.h"
#include "db/catalog/collection.h"
#include "db/version/version.h"
#include "log/operation.h"

typedef struct commit_request commit_request;

/* A write set: operations in the log's encoding, and the collections they name. */
typedef struct write_set {
    buffer operations;
    uint32_t count;
    uint64_t puts, user_bytes;       /* keys and values */
    holt_collection **collections;   /* each once; a user of each */
    size_t collection_count, collection_capacity;
} write_set;

typedef enum commit_progress { COMMIT_WAITING, COMMIT_LEADS, COMMIT_DONE } commit_progress;

struct commit_request {
    /* What is asked; either one operation on one collection, or a write set. */
    holt_collection *collection;
    operation operation;
    const write_set *set;
    uint32_t durability;  /* holt_durability, never the default */
    bool if_absent;       /* the operation's key had no value at absent_seqno */
    seqno absent_seqno;
    uint64_t absent_loads; /* of the collection, before that was found out */

    /* The answer. */
    holt_status status;
    holt_error error;     /* when status was found by another thread */
    bool undecided;       /* if_absent: memtables back to absent_seqno are gone, or something was loaded; look it
                             up again */

    /* The queue's. */
    commit_request *next;
    commit_progress progress; /* commit_mu */
    os_cond wake;
    seqno first_seqno;
    bool inserted;
};

/* The queue, what its leader owns, and what has been committed. */
typedef struct commit_queue {
    /* The newest visible operation. The leader releases it after memtable inserts, the append and the sync; readers
     * acquire it: whoever sees seqno s sees every operation up to s, and every version installed before. */
    _Alignas(64) _Atomic seqno visible;

    _Alignas(64) os_mutex mu; /* LOCK_RANK_COMMIT; guards: */
    bool leading;             /* there is a leader */
    commit_request *first, *last;
    uint32_t length;

    /* Owned by the leader: */
    seqno next_seqno;
    memtable_generation *active; /* the current version holds the reference */
    uint32_t sync_members;       /* commits that the last sync covered */
    memtable_record **inserted;  /* records of the write set being inserted */
    size_t inserted_capacity;

    /* Totals, written by the leader, read by any thread. Relaxed: figures. */
    _Atomic uint64_t count, puts, deletes, user_bytes;
} commit_queue;

void commit_queue_init(commit_queue *q);
void commit_queue_deinit(commit_queue *q); /* nothing is queued */
/* mu held: asserts that the queue is linked, counted, and led if it is not empty. */
void commit_queue_check(const commit_queue *q);

/* Commits; returns request->status with its words on this thread. */
holt_status commit_submit(holt *db, commit_request *request);

/* Becomes the leader, with nobody's request, to change the catalog in commit order; and stops being it. Every
 * commit before is published. */
holt_status commit_lead(holt *db);
/* The same, if nobody leads: does not wait. */
bool        commit_try_lead(holt *db);
void        commit_unlead(holt *db);

#endif
