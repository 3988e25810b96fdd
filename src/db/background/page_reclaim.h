/* page_reclaim.h -- freeing pages of B+trees beside flushes: those of garbage trees, and the end of the file.
 *
 * A garbage tree is what a drop, clear or load left behind; the manifest lists it until its pages are free. A
 * vacuum moves pages from the end of the file to free ones before them, so that the file can be truncated. It
 * is done in a round over all B+trees, in changes of bounded size, while the database is idle.
 *
 * One worker runs this algorithm, in steps of bounded work (reclaim_step):
 *
 *   1. If the database is idle and no vacuum round is under way, truncate the file after its last used page.
 *      Begin a round if it could make the file smaller by an eighth (btree_vacuum_begin), and if something
 *      has changed since vacuuming last had nothing more to do (may_vacuum).
 *   2. If there is garbage or a round is under way, open a change of the page store, and reference the
 *      garbage trees and, for a round, the current tree of each B+tree collection. If another change is open,
 *      try again later.
 *   3. Release the pages of each garbage tree.
 *   4. In a round, move pages of each tree, until all trees are visited or the change has reached its limit.
 *   5. Record as one edit: the new trees, the garbage trees that are free, the state of the page store.
 *   6. Truncate the file. If the limit was reached, the round continues at 2 with another change. Otherwise
 *      it has ended. If it made the file smaller by a sixteenth, the next may begin at once.
 *
 * If a tree was dropped or replaced between 2 and 5, the change fails with HOLT_CONFLICT. It is abandoned,
 * and the round with it; the next step starts at 1.
 *
 * Concurrency  Each page_reclaim belongs to one thread at a time. The change that is open from 2 to 5 keeps
 *              others out of this algorithm, and flushes out of B+trees.
 */
#ifndef HOLT_DB_BACKGROUND_PAGE_RECLAIM_H
#define HOLT_DB_BACKGROUND_PAGE_RECLAIM_H

#include "btree/btree.h"
#include "log/position.h"

/* What a change made of a collection's tree. */
typedef struct reclaim_tree {
    uint32_t collection, slot;
    btree_version *base; /* a reference, or borrowed by reclaim_record_tree */
    btree_version *next; /* likewise; NULL: not visited yet */
} reclaim_tree;

/* Records what an open change made of one tree, and ends the change, on failure too. min_seqno: the newest
 * operation in the new tree, if it has some that do not count as flushed yet; else 0. HOLT_CONFLICT: t->base
 * is not the collection's tree any more. */
holt_status reclaim_record_tree(holt *db, btree_change *c, const reclaim_tree *t, seqno min_seqno);

/* Zero-initialise but for db. */
typedef struct page_reclaim {
    holt *db;
    page_store *page_store; /* the database's, once it has one */
    bool blocked;           /* there was something to do, but another change of the page store was open */

    btree_change *change;    /* from 2 to 5; NULL: none, nor what follows */
    btree_version **garbage; /* to be freed; references */
    size_t garbage_count, garbage_done;
    reclaim_tree *trees; /* of B+tree collections, to be vacuumed */
    size_t tree_count, tree_done;

    bool vacuuming; /* a round is under way: */
    btree_vacuum vacuum;
    uint32_t slot, collection; /* with which its next change begins; 0: the first */
    uint64_t round_pages; /* of the file when it began */
    uint64_t round_held;  /* pages that readers held then */

    /* When vacuuming last had nothing more to do (may_vacuum): */
    uint64_t vacuumed_changes; /* of the page store (page_store_stats); 0: never */
    uint64_t vacuumed_held;    /* pages that readers held, which may have kept the round from more */
} page_reclaim;

/* One step. idle: vacuuming is worth it now. *more false: there is nothing to do. */
holt_status reclaim_step(page_reclaim *u, bool idle, bool *more);
/* Whether to look again after a while: readers hold pages, or the last step was blocked. */
bool        reclaim_waits(const page_reclaim *u);
/* Abandons the change and the round under way; after the job has stopped, or in its step. */
void        reclaim_abandon(page_reclaim *u);

#endif
