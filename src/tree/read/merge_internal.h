/* merge_internal.h -- the merge's tournament, for merge.c and merge_skip.c, which passes over tombstones. */
#ifndef HOLT_TREE_READ_MERGE_INTERNAL_H
#define HOLT_TREE_READ_MERGE_INTERNAL_H

#include "tree/read/merge.h"

enum { WORD = 8, SKIP_MAX = 2 * WORD };

typedef struct contender {
    /* Bytes of its key, as a number: smaller the earlier the key comes; all ones when exhausted. */
    uint64_t head;
    uint32_t child; /* its number, which is its age: 0 is the youngest */
    bool tied;
} contender;

#define NO_CHILD UINT32_MAX

typedef struct merge {
    iterator base;
    iterator **children; /* owned */
    uint32_t count;    /* at least 2 */
    bool backward;
    size_t skip;              /* bytes that all children's keys have in common, in whole words */
    uint8_t common[SKIP_MAX]; /* these bytes */
    contender winner;
    uint32_t away;      /* a child that takes no part for a while, as if exhausted; NO_CHILD: all do */
    contender rival;    /* the best of those the winner beat; NO_CHILD when not known */
    contender *losers;  /* [count], from 1 */
    contender *bracket; /* [2 * count]: who wins at each node, while the tree is set up */
    void *key;          /* the key being left */
    size_t key_size, key_capacity;
} merge;

static inline merge *merge_of(iterator *s)
{
    return (merge *)(void *)s;
}

/* Sets the whole tree up. */
void merge_play_all(merge *m);
/* Finds the new winner after the old one's child moved. */
void merge_play_winner(merge *m);
/* The one that would win without the winner. */
contender merge_best_loser(const merge *m);
/* Shows what the winner stands on. */
void merge_show(merge *m);

/* Moves the winner's child on in the direction of travel and finds the next winner. false: it failed, and so the merge. */
bool merge_step(merge *m);
/* Leaves the current key, which several children stand on. */
bool merge_leave_tied(merge *m);

static inline void merge_fail(merge *m, holt_status status)
{
    m->base.valid = false;
    m->base.status = status;
}

/* Whether the child is well; else its error becomes the merge's. */
static inline bool merge_child_ok(merge *m, const iterator *s)
{
    if (s->valid || s->status == HOLT_OK) return true;
    merge_fail(m, s->status);
    return false;
}

/* The merge's skip_tombstones. */
void merge_skip_tombstones(iterator *base, bool backward, slice limit);

#endif
