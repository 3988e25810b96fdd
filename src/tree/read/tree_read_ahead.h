/* tree_read_ahead.h -- asking the system for what a walk is about to read.
 *
 * In a file of runs leaves lie in order, so it is the next stretch of the file; in a file of pages they lie
 * anywhere, and the node above says where. What is asked for at a time doubles while the walk goes on.
 *
 * Concurrency  one thread.
 */
#ifndef HOLT_TREE_READ_TREE_READ_AHEAD_H
#define HOLT_TREE_READ_TREE_READ_AHEAD_H

#include "tree/tree.h"

/* Zero-initialise. */
typedef struct read_ahead {
    bool backward;       /* the direction asked in */
    uint64_t window;     /* bytes to ask for at a time */
    uint64_t begin, end; /* of runs: what was asked for */
    block_ptr node;      /* of pages: the node whose children were, */
    uint32_t begin_child, end_child; /* and which of them */
} read_ahead;

/* The walk reads leaf p of a file of runs, and nothing beyond `limit` will be needed: an offset, the end of what lies
 * ahead, or walking backwards its beginning. */
void read_ahead_stretch(read_ahead *r, tree_file *f, block_ptr p, bool backward, uint64_t limit);

/* A node of a file of pages, where it is, and which of its children the walk may come to. */
typedef struct ahead_children {
    block_ptr at;
    const block *node;
    uint32_t begin, end;
} ahead_children;

/* The walk reads child `index` of the node. */
void read_ahead_children(read_ahead *r, tree_file *f, const ahead_children *c, uint32_t index, bool backward);

/* Forgets where the walk was: it begins anew, perhaps elsewhere. */
void read_ahead_restart(read_ahead *r, const tree_file *f);

/* Pieces to be read that lie next to each other: they are asked for together. Zero-initialise. */
typedef struct ahead_stretch {
    uint64_t begin, end;
} ahead_stretch;

/* Adds a piece; one that lies elsewhere makes the system be asked for those before. */
void ahead_add(ahead_stretch *s, tree_file *f, block_ptr p);
void ahead_ask(const ahead_stretch *s, tree_file *f);

#endif
