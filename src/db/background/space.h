/* space.h -- what is done to the pages of B+trees beside flushes: trees that nobody has any more are given
 * up, and the file is made smaller when much of it is free.
 *
 * Like a flush each is one change of the space (btree.h), made in steps and visible with one manifest record.
 * Should a collection have got another tree meanwhile, the change is abandoned and begun anew.
 */
#ifndef HOLT_DB_BACKGROUND_SPACE_H
#define HOLT_DB_BACKGROUND_SPACE_H

#include "db/db.h"

/* What a change made of a collection's tree. */
typedef struct space_tree {
    uint32_t collection, slot;
    btree_version *base, *next; /* references; next NULL: not looked at yet */
} space_tree;

/* Records what an open change made of one tree, and ends it, however that goes. floor: the newest operation in it, if it
 * has some that are not yet counted as flushed; else 0. HOLT_CONFLICT: the collection has got another tree. */
holt_status space_record_tree(holt *db, btree_change *c, const space_tree *t, seqno floor);

/* Background upkeep, of one worker. Zero-initialise but for db. */
typedef struct space_upkeep {
    holt *db;
    btree_space *space;   /* the database's, once it has one */
    btree_change *change; /* NULL: nothing is under way */
    btree_version **garbage; /* to be given up; references */
    size_t garbage_count, garbage_done;
    bool kept_out;        /* there was something to do, but somebody else was changing the space */
    bool shrinks;
    btree_shrink shrink;
    uint64_t round_pages;    /* of the space when this round of shrinking began, */
    uint64_t round_held;     /* and how many readers kept from it */
    seqno shrunk_seqno;      /* when a round had nothing more to do: what was flushed, */
    uint64_t shrunk_pages;   /* how many pages the space had, */
    uint64_t shrunk_held;    /* and how many readers may have kept from the round */
    space_tree *trees;       /* of B+tree collections, for shrinking */
    size_t tree_count, tree_done;
} space_upkeep;

/* One step. idle: shrinking is worth it now. *more false: there is nothing to do. */
holt_status space_step(space_upkeep *u, bool idle, bool *more);
/* Whether upkeep should look again after a while: readers keep pages that it may have a use for, or it was kept out. */
bool        space_waits(const space_upkeep *u);
/* Gives up what is under way; after the job has stopped, or in its step. */
void        space_abandon(space_upkeep *u);

#endif
