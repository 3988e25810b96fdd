/* tree_kind.c -- the table of kinds. */
#include "db/tree/tree_kind.h"

const tree_kind *tree_kind_of(uint32_t kind)
{
    static const tree_kind lsm = {.block_bytes = 8192, .filter_bits = 10};
    static const tree_kind btree = {.block_bytes = 4096, .paged = true};
    return kind == HOLT_LSM ? &lsm : kind == HOLT_BTREE ? &btree : NULL;
}
