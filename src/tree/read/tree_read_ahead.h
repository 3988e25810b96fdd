/* tree_read_ahead.h -- has the system read in advance what an iterator is about to read.
 *
 * In a file of runs the leaves lie in order, so that is the next stretch of the file. In a file of pages they
 * lie anywhere, and the node above says where. The amount requested at a time doubles as the iterator goes
 * on.
 *
 * Concurrency  one thread.
 */
#ifndef HOLT_TREE_READ_TREE_READ_AHEAD_H
#define HOLT_TREE_READ_TREE_READ_AHEAD_H

#include "tree/tree.h"

/* Zero-initialise. */
typedef struct read_ahead {
    bool backward;                   /* the direction of the requests */
    uint64_t window;                 /* bytes to request at a time */
    uint64_t begin, end;             /* file of runs: the stretch last requested */
    block_ptr node;                  /* file of pages: the node whose children were last requested, */
    uint32_t begin_child, end_child; /* and which of them */
} read_ahead;

/* The iterator reads leaf p of a file of runs, and will read nothing beyond offset `limit`: the end of the
 * part of the file ahead of it or, moving backwards, its beginning. */
void read_ahead_stretch(read_ahead *r, tree_file *f, block_ptr p, bool backward, uint64_t limit);

/* A node of a file of pages, its place, and the range of its children that the iterator may visit. */
typedef struct ahead_children {
    block_ptr at;
    const block *node;
    uint32_t begin, end;
} ahead_children;

/* The iterator reads child `index` of the node. */
void read_ahead_children(read_ahead *r, tree_file *f, const ahead_children *c, uint32_t index, bool backward);

/* Forgets the iterator's position, because it was placed somewhere else. */
void read_ahead_restart(read_ahead *r, const tree_file *f);

/* Pieces that lie next to each other, to be requested together. Zero-initialise. */
typedef struct ahead_stretch {
    uint64_t begin, end;
} ahead_stretch;

/* Adds a piece. If it is not adjacent to the stretch, that is requested first, and a new one begins. */
void ahead_add(ahead_stretch *s, tree_file *f, block_ptr p);
/* Requests the stretch. */
void ahead_request(const ahead_stretch *s, tree_file *f);

#endif
