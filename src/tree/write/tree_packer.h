/* tree_packer.h -- packs sorted entries into blocks of one level, and decides how full the blocks are.
 *
 * Added entries wait until it is known how many blocks they make: one, or two halves, or nearly full blocks
 * and two halves at the end. When the batch only appends, they make full blocks and a remainder, because only
 * the last block will get more entries. At most a few blocks' worth of entries wait (tree_packer_spill).
 *
 * Each block is written with its separator: the first with the lower bound passed to tree_packer_begin, the
 * later ones with the shortest key that separates them from the previous block. The key of an inner node's
 * first entry is the node's own separator.
 *
 * Concurrency  one thread.
 */
#ifndef HOLT_TREE_WRITE_TREE_PACKER_H
#define HOLT_TREE_WRITE_TREE_PACKER_H

#include "base/buffer.h"
#include "tree/tree.h"

/* A waiting entry: its key and then its value are in the packer's data at `at`. */
typedef struct pack_item {
    size_t at;
    uint32_t key_size, value_size;
    uint64_t expires_at_ms;
    uint8_t op;
    bool overflow;
} pack_item;

/* Takes a finished block (its bytes are borrowed). */
typedef struct packer_output {
    holt_status (*write)(void *ctx, uint8_t level, slice separator, slice bytes);
    void *ctx;
    block_builder *builder; /* of any level; used only within a call */
    size_t block_bytes;
} packer_output;

typedef struct tree_packer {
    uint8_t level;
    uint32_t written; /* blocks written since tree_packer_begin */
    pack_item *items;
    size_t count, capacity;
    buffer data;
    buffer lower;          /* separator of the next block */
    uint64_t weight;       /* upper limit of the bytes of the waiting items: with whole keys */
    uint64_t retry_weight; /* added to the weight at which tree_packer_spill tries to write a block */
} tree_packer;

void        tree_packer_deinit(tree_packer *p); /* accepts a zeroed one */
holt_status tree_packer_begin(tree_packer *p, uint8_t level, slice lower);

/* Adds an entry whose key is `head` followed by `tail`; entry->suffix is ignored. Keys must ascend
 * strictly. */
holt_status tree_packer_add(tree_packer *p, slice head, slice tail, const block_entry *entry);
slice       tree_packer_key(const tree_packer *p, size_t index);
block_entry tree_packer_entry(const tree_packer *p, size_t index);
void        tree_packer_pop(tree_packer *p); /* removes the last entry */

/* Writes full blocks while more entries wait than are needed to divide the rest well. */
holt_status tree_packer_spill(tree_packer *p, const packer_output *out, bool append);
/* The size of a block of all waiting entries; UINT64_MAX: they need more than one block. */
holt_status tree_packer_measure(tree_packer *p, const packer_output *out, uint64_t *bytes);
/* Writes all waiting entries. */
holt_status tree_packer_close(tree_packer *p, const packer_output *out, bool append);

#endif
