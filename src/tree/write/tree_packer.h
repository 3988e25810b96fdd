/* tree_packer.h -- entries in order into blocks of one level, as full as they should be.
 *
 * What is added waits until it is known how many blocks it makes: one, or two halves, or nearly full ones and
 * two halves at the end; in an appending pattern full ones and a rest, since the rest will be added to and
 * the others not. At most a few blocks' worth waits (tree_packer_spill).
 *
 * Each block goes out with its separator: the first with the lower bound that packing began with, the later
 * ones with the shortest key that divides them from the one before. An inner node's first entry has the
 * node's own separator for its key.
 *
 * Concurrency  one thread.
 */
#ifndef HOLT_TREE_WRITE_TREE_PACKER_H
#define HOLT_TREE_WRITE_TREE_PACKER_H

#include "base/buffer.h"
#include "tree/tree.h"

/* An entry that waits: its key and value lie in the packer's data, one behind the other. */
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
    uint32_t written; /* blocks since tree_packer_begin */
    pack_item *items;
    size_t count, capacity;
    buffer data;
    buffer lower;    /* separator of the next block */
    uint64_t weight; /* bytes of what waits, with whole keys: no less than it will take */
    uint64_t retry_weight; /* with so much weight more it is asked again whether a block can go */
} tree_packer;

void        tree_packer_deinit(tree_packer *p); /* accepts a zeroed one */
holt_status tree_packer_begin(tree_packer *p, uint8_t level, slice lower);

/* Adds an entry whose key is `head` and `tail` joined (entry->suffix is ignored). Keys ascend strictly. */
holt_status tree_packer_add(tree_packer *p, slice head, slice tail, const block_entry *entry);
slice       tree_packer_key(const tree_packer *p, size_t index);
block_entry tree_packer_entry(const tree_packer *p, size_t index);
void        tree_packer_pop(tree_packer *p); /* the last one */

/* Writes blocks as long as more than enough waits. */
holt_status tree_packer_spill(tree_packer *p, const packer_output *out, bool append);
/* What the one block would take that all that waits makes; UINT64_MAX: it makes more than one. */
holt_status tree_packer_measure(tree_packer *p, const packer_output *out, uint64_t *bytes);
/* Writes all. */
holt_status tree_packer_close(tree_packer *p, const packer_output *out, bool append);

#endif
