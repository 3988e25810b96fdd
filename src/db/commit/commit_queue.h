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

#include "db/db.h"
#include "log/operation.h"

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

/* Commits; returns request->status with its words on this thread. */
holt_status commit_submit(holt *db, commit_request *request);

/* Becomes the leader, with nobody's request, to change the catalog in commit order; and stops being it. Every
 * commit before is published. */
holt_status commit_lead(holt *db);
/* The same, if nobody leads: does not wait. */
bool        commit_try_lead(holt *db);
void        commit_unlead(holt *db);

/* For the leader: seals the active memtable and its segment and goes on in new ones. frames_bytes: what must
 * fit. may_use_ballast: a full disk is a reason to give BALLAST up. HOLT_NO_SPACE, HOLT_NO_MEMORY: nothing has changed. */
holt_status rotate(holt *db, uint64_t frames_bytes, bool may_use_ballast);

/* Waits while writes outrun the disk; HOLT_BUSY after a bounded time. Before joining the queue. puts:
 * whether the commit has any; while the disk is full they are HOLT_NO_SPACE. */
holt_status write_throttle_admit(holt *db, uint64_t bytes, bool puts);
/* The delay that a small commit pays now, nanoseconds. */
uint64_t write_throttle_delay_ns(holt *db);
/* The flush under way has taken so long for so many bytes of its memtable. */
void     write_throttle_draining(holt *db, uint64_t bytes, uint64_t ns);
/* It has ended, having taken so long for all of them. */
void     write_throttle_drained(holt *db, uint64_t bytes, uint64_t ns);

#endif
