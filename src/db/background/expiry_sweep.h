/* expiry_sweep.h -- removing what has expired from B+trees, while the database is idle.
 *
 * Runs are rewritten by merges (compact.h); a B+tree only changes where something is written, so entries
 * that have expired in the rest of it would stay. A pass over a tree removes them:
 *
 *   1. Choose a B+tree in which enough may have expired (tree/expiry_summary.h).
 *   2. Read through it, counting what has expired, and summarizing what has not. If nothing has, note until
 *      when the tree need not be looked at again.
 *   3. Go through it again, chunk by chunk. If a chunk has expired entries, delete them with a change of the
 *      page store, and record the new tree. The last of these gets the exact summary.
 *
 * Each step reads or changes a bounded number of entries. If the tree is changed by others during a pass, the
 * pass is given up: the database is not idle.
 *
 * Concurrency  one thread, the first compaction worker. A change of the page store is open only within a
 *              step.
 */
#ifndef HOLT_DB_BACKGROUND_EXPIRY_SWEEP_H
#define HOLT_DB_BACKGROUND_EXPIRY_SWEEP_H

#include "base/buffer.h"
#include "btree/btree.h"

enum { SWEEP_KNOWN = 16 };

/* Zero-initialise but for db. */
typedef struct expiry_sweep {
    holt *db;
    btree_version *base; /* what the pass has made of the tree so far, a reference; NULL: no pass */
    uint32_t collection, slot;
    size_t block_bytes;
    uint64_t time_ms;    /* of the pass: what has expired by then is removed */
    iterator *count;     /* 2: where it is; NULL: 3 */
    uint64_t expired;    /* counted, and not removed yet */
    uint64_t removed;
    expiry_summary live; /* of the other entries */
    buffer from;         /* 3: where the next chunk begins */

    /* Trees in which a pass has found nothing, by the offsets of their roots: not looked at before that. */
    struct {
        uint64_t root, due_ms;
    } known[SWEEP_KNOWN];
    size_t known_next;
} expiry_sweep;

/* One step. *more false: there is nothing to do, or another change of the page store is open. */
holt_status sweep_step(expiry_sweep *w, bool *more);
/* When the tree should be swept; UINT64_MAX: never. */
uint64_t    sweep_due_ms(const expiry_sweep *w, const btree_version *tree);
/* Gives up the pass; after the job has stopped, or in its step. */
void        sweep_abandon(expiry_sweep *w);

#endif
