/* flush_write.c -- steps 2 and 3 of a flush: writing a run for each LSM collection and a batch for each
 * B+tree, and syncing them.
 */
#include "db/background/flush/flush_internal.h"

#include "base/status.h"

#include <assert.h>

/* ---------------------------------------------------------------- opening a collection */

/* Notes the bounds of the run, and moves the input to its first entry. Tight bounds allow trivial moves of
 * runs that do not overlap, and let reads skip runs that cannot have their key. */
static holt_status note_bounds(iterator *in, flush_output *o)
{
    buffer last = {0};
    assert(o->bounds.size == 0);
    in->ops->last(in);
    if (in->valid) buffer_append(&last, in->key);
    o->upper_open = in->valid && in->gap_after && !o->drops_gaps;
    in->ops->first(in);
    if (in->valid) {
        buffer_append(&o->bounds, in->key);
        o->lower_size = in->key.size;
        buffer_append(&o->bounds, buffer_slice(&last));
        buffer_u8(&o->bounds, 0);
    }
    bool failed = last.failed || o->bounds.failed;
    buffer_deinit(&last);
    return failed ? status_no_memory(o->bounds.size) : HOLT_OK;
}

static holt_status begin_run(flush *f, const collection_version *s, flush_output *o)
{
    tree_build_options options = {.block_bytes = s->spec.block_bytes, .filter_bits = s->spec.filter_bits};
    assert(!f->builder && !f->finished);
    o->drops_gaps = collection_tree_is_empty(&s->tree);
    holt_status rc = note_bounds(f->input, o);
    if (rc == HOLT_OK && !f->writer) {
        f->file = next_file_number(f->db);
        rc = tree_file_writer_create(&f->writer, f->db->files, f->file);
    }
    return rc == HOLT_OK ? tree_builder_create(&f->builder, f->writer, &options) : rc;
}

/* HOLT_CONFLICT if the tree is not the collection's current one. If it is, it stays that while the change is
 * open. */
static holt_status check_base(flush *f, const collection_version *s, uint32_t slot)
{
    version *now;
    holt_status rc = version_acquire(&f->db->versions, &now);
    if (rc != HOLT_OK) return rc;
    const collection_version *current = version_collection(now, slot, s->spec.id);
    bool same = current && collection_tree_btree(&current->tree) == collection_tree_btree(&s->tree);
    version_release(&f->db->versions, now);
    if (same) return HOLT_OK;
    return status_set(HOLT_CONFLICT, "the B+tree of collection %u was replaced during the flush", s->spec.id);
}

/* The change is that of all B+trees of the flush, begun with the first of them. */
static holt_status begin_batch(flush *f, const collection_version *s, uint32_t slot)
{
    assert(f->mode == FLUSH_WHOLE);
    f->batch = (btree_batch){.base = collection_tree_btree(&s->tree),
                             .changes = f->input,
                             .block_bytes = s->spec.block_bytes,
                             .time_ms = f->time_ms};
    f->input->ops->first(f->input);
    holt_status rc = f->change ? HOLT_OK : btree_change_begin(&f->change, page_store_of(f->db));
    return rc == HOLT_OK ? check_base(f, s, slot) : rc;
}

holt_status flush_open_collection(flush *f, flush_phase *next)
{
    const collection_version *s = NULL;
    uint32_t id = 0, slot = 0;
    while (f->id_next < f->id_count && !s) {
        id = f->ids[f->id_next++];
        s = flush_collection(f, id, &slot);
        if (s && s->cleared_seqno >= f->generation->last_seqno) s = NULL;
    }
    *next = FLUSH_SYNC;
    if (!s) return HOLT_OK;

    assert(f->output_count < f->id_count);
    flush_output *o = &f->outputs[f->output_count];
    o->collection = id;
    o->slot = slot;
    o->base = collection_tree_btree(&s->tree);
    const memtable_iterator_options all = {.seqno = UINT64_MAX, .after = s->cleared_seqno};
    holt_status rc = memtable_iterator_open(f->generation->memtable, id, &all, &f->input);
    if (rc != HOLT_OK) return rc;
    if (!o->base) {
        *next = FLUSH_RUN;
        return begin_run(f, s, o);
    }
    if (f->mode == FLUSH_WHOLE) {
        *next = FLUSH_BATCH;
        return begin_batch(f, s, slot);
    }
    *next = FLUSH_CHUNK; /* which begins a change of its own */
    f->input->ops->first(f->input);
    return HOLT_OK;
}

/* ---------------------------------------------------------------- writing it */

static void end_collection(flush *f)
{
    tree_builder_destroy(f->builder);
    iterator_close(f->input);
    f->builder = NULL;
    f->input = NULL;
    f->output_count++;
    assert(f->output_count <= f->id_next);
}

/* Writes the entry that the input is on, and the gap before it. */
static holt_status write_entry(const flush *f, bool gaps)
{
    const iterator *in = f->input;
    const uint8_t op = entry_op_at(in->op, in->expires_at_ms, f->time_ms);
    if (!gaps && op == ENTRY_BOUNDARY) return HOLT_OK;
    if (gaps && in->gap_before) tree_builder_delete_gap(f->builder);
    slice value = entry_op_is_empty(op) ? slice_of(NULL, 0) : in->value;
    return tree_builder_add(f->builder, in->key, op, value, in->expires_at_ms);
}

/* What has expired becomes a tombstone. Tombstones are written even if the collection has no older runs,
 * where they hide nothing; that is rare. */
holt_status flush_write_run(flush *f, size_t *left, bool *done)
{
    iterator *in = f->input;
    const flush_output *o = &f->outputs[f->output_count];
    holt_status rc = HOLT_OK;
    for (; in->valid && *left > 0; --*left) {
        rc = write_entry(f, !o->drops_gaps);
        if (rc != HOLT_OK) return rc;
        in->ops->next(in);
    }
    *done = !in->valid;
    if (!*done) return HOLT_OK;
    if (in->gap_before && !o->drops_gaps) tree_builder_delete_gap(f->builder);
    rc = tree_builder_finish(f->builder, &f->outputs[f->output_count].root);
    if (rc == HOLT_OK) end_collection(f);
    return rc;
}

holt_status flush_write_batch(flush *f, size_t *left, bool *done)
{
    flush_output *o = &f->outputs[f->output_count];
    assert(o->base && !o->next);
    holt_status rc = btree_change_apply(f->change, &f->batch, *left, done, &o->next);
    *left = 0; /* all of them were taken, or the batch is complete, which is as much work */
    if (rc == HOLT_OK && *done) end_collection(f);
    return rc;
}

/* ---------------------------------------------------------------- syncing */

holt_status flush_sync(flush *f)
{
    holt_status rc = HOLT_OK;
    if (f->change) {
        f->bytes = btree_change_bytes(f->change);
        rc = btree_change_prepare(f->change, &f->page_store);
    }
    if (rc != HOLT_OK || !f->writer) return rc;
    f->run_bytes = tree_file_writer_bytes(f->writer);
    f->bytes += f->run_bytes;
    rc = tree_file_writer_finish(f->writer, &f->finished);
    tree_file_writer_destroy(f->writer);
    f->writer = NULL;
    return rc == HOLT_OK ? os_dir_sync(f->db->dir) : rc;
}
