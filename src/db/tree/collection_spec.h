/* collection_spec.h -- what a collection is made with, and keeps for life. */
#ifndef HOLT_DB_TREE_COLLECTION_SPEC_H
#define HOLT_DB_TREE_COLLECTION_SPEC_H

#include <stdint.h>

typedef struct collection_spec {
    uint32_t id;   /* never reused */
    uint32_t kind; /* holt_kind */
    uint32_t compression, block_bytes, filter_bits;
} collection_spec;

#endif
