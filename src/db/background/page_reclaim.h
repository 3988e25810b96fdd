/* page_reclaim.h -- what is done to the pages of B+trees beside flushes: trees that nobody has any more are given
 * up, and the file is made smaller when much of it is free.
 *
 * Like a flush each is one change of the space (btree.h), made in steps and visible with one manifest record.
 * Should a collection have got another tree meanwhile, the change is abandoned and begun anew.
 */
#ifndef HOLT_DB_BACKGROUND_PAGE_RECLAIM_H
#define HOLT_DB_BACKGROUND_PAGE_RECLAIM_H

#include "btree/btree.h"
#include "log/position.h"

/* What a change made of a collection's tree. */
typedef struct reclaim_tree {
    uint32_t collection, slot;
    btree_version *base, *next; /* references; next NULL: not looked at yet */
} reclaim_tree;

/* Records what an open change made of one tree, and ends it, however that goes. min_seqno: the newest operation in it, if it
 * has some that are not yet counted as flushed; else 0. HOLT_CONFLICT: the collection has got another tree. */
holt_status reclaim_record_tree(holt *db, btree_change *c, const reclaim_tree *t, seqno min_seqno);

/* Background upkeep, of one worker. Zero-initialise but for db. */
typedef struct page_reclaim {
    holt *db;
    page_store *page_store;   /* the database's, once it has one */
    btree_change *change; /* NULL: nothing is under way */
    btree_version **garbage; /* to be given up; references */
    size_t garbage_count, garbage_done;
    bool kept_out;        /* there was something to do, but somebody else was changing the space */
    bool vacuuming;
    btree_vacuum vacuum;
    uint64_t round_pages;    /* of the space when this round of shrinking began, */
    uint64_t round_held;     /* and how many readers kept from it */
    seqno vacuumed_seqno;      /* when a round had nothing more to do: what was flushed, */
    uint64_t vacuumed_pages;   /* how many pages the space had, */
    uint64_t vacuumed_held;    /* and how many readers may have kept from the round */
    reclaim_tree *trees;       /* of B+tree collections, for shrinking */
    size_t tree_count, tree_done;
} page_reclaim;

/* One step. idle: shrinking is worth it now. *more false: there is nothing to do. */
holt_status reclaim_step(page_reclaim *u, bool idle, bool *more);
/* Whether upkeep should look again after a while: readers keep pages that it may have a use for, or it was kept out. */
bool        reclaim_waits(const page_reclaim *u);
/* Gives up what is under way; after the job has stopped, or in its step. */
void        reclaim_abandon(page_reclaim *u);

#endif
