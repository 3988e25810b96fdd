/* merge_internal.h -- the merge's tournament, shared by merge.c and merge_skip.c, which skips tombstones. */
#ifndef HOLT_TREE_READ_MERGE_INTERNAL_H
#define HOLT_TREE_READ_MERGE_INTERNAL_H

#include "tree/read/merge.h"

enum { WORD = 8, SKIP_MAX = 2 * WORD };

typedef struct contender {
    /* The first bytes of its key after the skipped ones, as a number that orders as the key does in the
     * direction of travel; all ones when exhausted. */
    uint64_t head;
    uint32_t child; /* its index: 0 is the newest child */
    bool tied;      /* it has beaten an equal key (merge.c) */
} contender;

#define NO_CHILD UINT32_MAX

typedef struct merge {
    iterator base;
    iterator **children; /* owned */
    uint32_t count;      /* at least 2 */
    bool backward;
    size_t skip;              /* number of bytes that all children's keys have in common, in whole words */
    uint8_t common[SKIP_MAX]; /* these bytes */
    contender winner;
    uint32_t away;      /* a child taken out of the tournament, as if exhausted; NO_CHILD: none is */
    contender rival;    /* the best of those the winner beat; NO_CHILD if not known */
    contender *losers;  /* [count], from 1 */
    contender *bracket; /* [2 * count]: the winner at each node, while the tree is built */
    void *key;          /* a copy of the key that a move leaves */
    size_t key_size, key_capacity;
} merge;

static inline merge *merge_of(iterator *s)
{
    return (merge *)(void *)s;
}

/* Builds the whole tree. */
void merge_play_all(merge *m);
/* Finds the new winner after the old one's child has moved. */
void merge_play_winner(merge *m);
/* The contender that would win without the winner. */
contender merge_best_loser(const merge *m);
/* Shows the winner's entry. */
void merge_show(merge *m);

/* Moves the winner's child on in the direction of travel and finds the next winner. false: the child failed,
 * and with it the merge. */
bool merge_step(merge *m);
/* Moves all children that are at the current key past it, and finds the next winner. false: a child
 * failed. */
bool merge_leave_tied(merge *m);

static inline void merge_fail(merge *m, holt_status status)
{
    m->base.valid = false;
    m->base.status = status;
}

/* Whether the child has no error; if it has, the error becomes the merge's. */
static inline bool merge_child_ok(merge *m, const iterator *s)
{
    if (s->valid || s->status == HOLT_OK) return true;
    merge_fail(m, s->status);
    return false;
}

/* The merge's skip_tombstones. */
void merge_skip_tombstones(iterator *base, bool backward, slice limit);

#endif
