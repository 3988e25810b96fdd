/* tree_kind.h -- what is known of a kind of tree without having one: its defaults and where its pages are. */
#ifndef HOLT_DB_TREE_TREE_KIND_H
#define HOLT_DB_TREE_TREE_KIND_H

#include <holt.h>

typedef struct tree_kind {
    uint32_t block_bytes; /* default */
    uint32_t filter_bits; /* default; 0: trees of this kind have no filters */
    bool paged;           /* the trees share the pages of one page store; else each is in files of its own */
} tree_kind;

/* NULL: there is no such kind. HOLT_KIND_DEFAULT is none. */
const tree_kind *tree_kind_of(uint32_t kind);

#endif
