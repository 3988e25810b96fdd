/* manifest_encode.c -- encoding manifest items; manifest_state.c decodes them, manifest_state.h has the
 * table. */
#include "db/manifest/manifest_items.h"

#include "base/coding.h"

#include <assert.h>

/* Appends an item. Its payload is gathered in a buffer of its own first, as its length precedes it. */
static void put_item(buffer *b, uint8_t tag, buffer *payload)
{
    buffer_u8(b, tag);
    buffer_string(b, buffer_slice(payload));
    if (payload->failed) b->failed = true;
    buffer_deinit(payload);
}

void encode_counters(buffer *b, uint64_t next_file, uint64_t next_collection, uint64_t time_ms)
{
    buffer p = {0};
    buffer_varint(&p, next_file);
    buffer_varint(&p, next_collection);
    buffer_varint(&p, time_ms);
    put_item(b, ITEM_COUNTERS, &p);
}

void encode_log(buffer *b, const log_checkpoint *log)
{
    buffer p = {0};
    buffer_varint(&p, log->flushed_seqno);
    buffer_varint(&p, log->next_segment);
    buffer_u64(&p, log->next_salt);
    buffer_varint(&p, log->recovered_count);
    for (size_t i = 0; i < log->recovered_count; i++) {
        const log_end *end = &log->recovered[i];
        buffer_varint(&p, end->segment);
        buffer_varint(&p, end->offset);
        buffer_u64(&p, end->checksum);
        buffer_varint(&p, end->next_seqno);
    }
    put_item(b, ITEM_LOG, &p);
}

void encode_collection(buffer *b, const collection_spec *spec, const char *name, seqno cleared_seqno)
{
    buffer p = {0};
    buffer_varint(&p, spec->id);
    buffer_string(&p, holt_str(name));
    buffer_varint(&p, spec->kind);
    buffer_varint(&p, spec->compression);
    buffer_varint(&p, spec->block_bytes);
    buffer_varint(&p, spec->filter_bits);
    buffer_varint(&p, cleared_seqno);
    put_item(b, ITEM_COLLECTION, &p);
}

void encode_drop(buffer *b, uint32_t id)
{
    buffer p = {0};
    buffer_varint(&p, id);
    put_item(b, ITEM_DROP, &p);
}

void encode_rename(buffer *b, uint32_t id, const char *name)
{
    buffer p = {0};
    buffer_varint(&p, id);
    buffer_string(&p, holt_str(name));
    put_item(b, ITEM_RENAME, &p);
}

void encode_clear(buffer *b, uint32_t id, seqno cleared_seqno)
{
    buffer p = {0};
    buffer_varint(&p, id);
    buffer_varint(&p, cleared_seqno);
    put_item(b, ITEM_CLEAR, &p);
}

static void put_pointer(buffer *p, block_ptr pointer)
{
    uint8_t bytes[BLOCK_PTR_SIZE];
    block_ptr_encode(bytes, pointer);
    buffer_append(p, slice_of(bytes, sizeof bytes));
}

static void put_file_range(buffer *p, const lsm_file_range *file_range)
{
    buffer_varint(p, file_range->file);
    buffer_varint(p, file_range->file_size);
    put_pointer(p, file_range->root.root);
    buffer_varint(p, file_range->root.height);
    buffer_varint(p, file_range->root.entries);
    buffer_varint(p, file_range->root.tombstones);
    buffer_varint(p, file_range->root.bytes);
    put_pointer(p, file_range->root.filter);
    buffer_varint(p, file_range->root.filter_lines);
    buffer_varint(p, file_range->root.filter_probes);
    buffer_varint(p, (slice_is_open(file_range->lower) ? 0 : BOUND_LOWER) |
                         (slice_is_open(file_range->upper) ? 0 : BOUND_UPPER));
    buffer_string(p, file_range->lower);
    buffer_string(p, file_range->upper);
}

static void put_expiry(buffer *p, const expiry_summary *s)
{
    buffer_varint(p, s->entries);
    buffer_varint(p, s->first_ms);
    buffer_varint(p, s->last_ms);
}

/* After the item of the run. */
static void encode_run_expiry(buffer *b, uint32_t id, const lsm_run *run)
{
    buffer p = {0};
    lsm_run_info info = lsm_run_describe(run);
    if (info.expiry.entries == 0) return;
    buffer_varint(&p, id);
    buffer_varint(&p, info.newest_seqno);
    for (size_t i = 0; i < info.file_range_count; i++)
        put_expiry(&p, &lsm_run_file_range(run, i)->root.expiry);
    put_item(b, ITEM_EXPIRY, &p);
}

/* After the item of the root. */
static void encode_root_expiry(buffer *b, uint32_t id, const tree_root *root)
{
    buffer p = {0};
    if (root->expiry.entries == 0) return;
    buffer_varint(&p, id);
    buffer_varint(&p, 0);
    put_expiry(&p, &root->expiry);
    put_item(b, ITEM_EXPIRY, &p);
}

void encode_run(buffer *b, uint32_t id, const lsm_run *run)
{
    buffer p = {0};
    lsm_run_info info = lsm_run_describe(run);
    buffer_varint(&p, id);
    buffer_varint(&p, info.newest_seqno);
    buffer_varint(&p, info.level);
    buffer_varint(&p, info.file_range_count);
    for (size_t i = 0; i < info.file_range_count; i++) {
        put_file_range(&p, lsm_run_file_range(run, i));
        if (info.gaps) buffer_varint(&p, lsm_run_file_range(run, i)->root.gaps);
    }
    put_item(b, info.gaps ? ITEM_RUN_WITH_GAPS : ITEM_RUN, &p);
    encode_run_expiry(b, id, run);
}

void encode_run_removed(buffer *b, uint32_t id, uint64_t newest_seqno)
{
    buffer p = {0};
    buffer_varint(&p, id);
    buffer_varint(&p, newest_seqno);
    buffer_varint(&p, 0); /* level */
    buffer_varint(&p, 0); /* file ranges */
    put_item(b, ITEM_RUN, &p);
}

void encode_closed(buffer *b, log_position end)
{
    buffer p = {0};
    buffer_varint(&p, end.segment);
    buffer_varint(&p, end.offset);
    put_item(b, ITEM_CLOSED, &p);
}

static void put_root(buffer *p, const tree_root *root)
{
    put_pointer(p, root->root);
    buffer_varint(p, root->height);
    buffer_varint(p, root->entries);
    buffer_varint(p, root->bytes);
}

void encode_root(buffer *b, uint32_t id, const tree_root *root)
{
    buffer p = {0};
    buffer_varint(&p, id);
    put_root(&p, root);
    put_item(b, ITEM_ROOT, &p);
    encode_root_expiry(b, id, root);
}

static bool has_newest_seqno(const lsm_tree *t, uint64_t newest_seqno)
{
    for (size_t i = 0; i < lsm_tree_runs(t); i++)
        if (lsm_run_describe(lsm_tree_run(t, i)).newest_seqno == newest_seqno) return true;
    return false;
}

/* A run is named by its newest seqno, so the item of a run replaces an old run of that name. */
static void encode_runs(buffer *b, uint32_t id, const lsm_tree *before, const lsm_tree *after)
{
    for (size_t i = 0; before && i < lsm_tree_runs(before); i++) {
        uint64_t newest_seqno = lsm_run_describe(lsm_tree_run(before, i)).newest_seqno;
        if (!has_newest_seqno(after, newest_seqno)) encode_run_removed(b, id, newest_seqno);
    }
    for (size_t i = 0; i < lsm_tree_runs(after); i++) {
        const lsm_run *run = lsm_tree_run(after, i);
        if (!before || !lsm_tree_has(before, run)) encode_run(b, id, run);
    }
}

void encode_tree(buffer *b, uint32_t id, const collection_tree *before, const collection_tree *after)
{
    assert(!before || before->kind == after->kind);
    const lsm_tree *runs = collection_tree_lsm(after);
    const btree_version *btree = collection_tree_btree(after);
    if (runs) encode_runs(b, id, collection_tree_lsm(before), runs);
    if (!btree) return;
    const bool changed = before ? collection_tree_btree(before) != btree : !collection_tree_is_empty(after);
    if (changed) encode_root(b, id, btree_version_root(btree));
}

void encode_page_store(buffer *b, const page_store_state *store, bool whole)
{
    buffer p = {0};
    uint64_t changed = 0;
    for (size_t i = 0; i < store->map_group_count; i++)
        changed += whole || store->map_groups[i].touched;
    buffer_varint(&p, store->file);
    buffer_varint(&p, store->pages);
    buffer_varint(&p, changed);
    for (size_t i = 0; i < store->map_group_count; i++) {
        if (!whole && !store->map_groups[i].touched) continue;
        buffer_varint(&p, i);
        buffer_u8(&p, store->map_groups[i].copy);
        buffer_u64(&p, store->map_groups[i].checksum);
    }
    put_item(b, ITEM_PAGE_STORE, &p);
}

void encode_garbage(buffer *b, const tree_root *root)
{
    buffer p = {0};
    put_root(&p, root);
    put_item(b, ITEM_GARBAGE, &p);
}

void encode_reclaimed(buffer *b, const tree_root *root)
{
    buffer p = {0};
    buffer_varint(&p, root->root.offset);
    put_item(b, ITEM_RECLAIMED, &p);
}
