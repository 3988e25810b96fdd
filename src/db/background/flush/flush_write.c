/* flush_write.c -- what a flush writes: a run for each LSM collection, a batch into the tree of each other one. */
#include "db/background/flush/flush_internal.h"

#include "base/status.h"
#include "db/db.h"
#include "db/manifest/manifest_writer.h"
#include "db/version/version_set.h"

#include <assert.h>

enum { STEP_ENTRIES = 8192 };

/* Notes the bounds of what is to be written, and stands on its first entry. Tight bounds let runs that do not overlap be
 * joined, and reads pass by runs that cannot have their key. */
static holt_status note_bounds(iterator *in, flush_output *o)
{
    buffer last = {0};
    assert(o->bounds.size == 0);
    in->ops->last(in);
    if (in->valid) buffer_append(&last, in->key);
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
    holt_status rc = note_bounds(f->input, o);
    if (rc == HOLT_OK && !f->writer) {
        f->file = next_file_number(f->db);
        rc = tree_file_writer_create(&f->writer, f->db->files, f->file);
    }
    return rc == HOLT_OK ? tree_builder_create(&f->builder, f->writer, &options) : rc;
}

/* Whether the tree is still the collection's. While a change is open nobody can give up a tree that is. */
static holt_status check_base(flush *f, const collection_version *s, uint32_t slot)
{
    version *now;
    holt_status rc = version_acquire(&f->db->versions, &now);
    if (rc != HOLT_OK) return rc;
    const collection_version *current = version_collection(now, slot, s->spec.id);
    bool same = current && collection_tree_btree(&current->tree) == collection_tree_btree(&s->tree);
    version_release(&f->db->versions, now);
    if (same) return HOLT_OK;
    return status_set(HOLT_CONFLICT, "collection %u has got another B+tree meanwhile", s->spec.id);
}

/* Of all trees, or none is made: pieces have changes of their own.
 * HOLT_BUSY: somebody else is changing B+trees; soon he will not be. HOLT_CONFLICT: he has changed this one. */
static holt_status begin_batch(flush *f, const collection_version *s, uint32_t slot)
{
    btree_batch batch = {
        .base = collection_tree_btree(&s->tree), .changes = f->input, .block_bytes = s->spec.block_bytes};
    f->batch = batch;
    f->input->ops->first(f->input);
    if (f->chunk) return HOLT_OK;
    holt_status rc = f->change ? HOLT_OK : btree_change_begin(&f->change, page_store_of(f->db));
    return rc == HOLT_OK ? check_base(f, s, slot) : rc;
}

/* Opens the next collection that is still there and has something to write; false: no more. */
static holt_status begin_collection(flush *f, bool *more)
{
    holt_status rc = HOLT_OK;
    for (*more = false; f->id_next < f->id_count && rc == HOLT_OK; f->id_next++) {
        uint32_t id = f->ids[f->id_next], slot;
        const collection_version *s = flush_collection(f, id, &slot);
        if (!s || s->cleared_seqno >= f->generation->last_seqno) continue;
        flush_output *o = &f->outputs[f->output_count];
        o->collection = id;
        o->slot = slot;
        o->base = collection_tree_btree(&s->tree);
        const memtable_iterator_options all = {.seqno = UINT64_MAX, .after = s->cleared_seqno};
        rc = memtable_iterator_open(f->generation->memtable, id, &all, &f->input);
        if (rc == HOLT_OK) rc = o->base ? begin_batch(f, s, slot) : begin_run(f, s, o);
        *more = true;
        f->id_next++;
        return rc;
    }
    return rc;
}

static holt_status end_collection(flush *f)
{
    holt_status rc =
        f->builder ? tree_builder_finish(f->builder, &f->outputs[f->output_count].root) : HOLT_OK;
    tree_builder_destroy(f->builder);
    iterator_close(f->input);
    f->builder = NULL;
    f->input = NULL;
    if (rc == HOLT_OK) f->output_count++;
    return rc;
}

static void end_chunks(flush *f)
{
    iterator_close(f->input);
    f->input = NULL;
}

static holt_status write_chunk(flush *f)
{
    bool gone;
    holt_status rc = flush_look_again(f);
    if (rc == HOLT_OK) rc = flush_chunk(f, &f->outputs[f->output_count], &gone);
    f->rests = true;
    if (rc == HOLT_BUSY && !status_no_descriptors(rc)) return HOLT_OK; /* and nothing of the input is taken */
    if (rc == HOLT_OK && (gone || !f->input->valid)) end_chunks(f);
    return rc;
}

/* A step of a batch into a B+tree. */
static holt_status write_batch(flush *f, size_t *left)
{
    if (f->chunk) {
        *left = 0;
        return write_chunk(f);
    }
    bool done;
    holt_status rc =
        btree_change_apply(f->change, &f->batch, *left, &done, &f->outputs[f->output_count].next);
    *left = 0; /* it has taken what there was, or is done; both are a step */
    return rc == HOLT_OK && done ? end_collection(f) : rc;
}

/* A tombstone is of no use in a collection without older runs, but that is seldom; it is written. */
static holt_status write_entries(flush *f, size_t *left)
{
    if (!f->builder) return write_batch(f, left);
    iterator *in = f->input;
    for (; in->valid && *left > 0; --*left) {
        holt_status rc = tree_builder_add(f->builder, in->key, in->op, in->value, in->expires_at_ms);
        if (rc != HOLT_OK) return rc;
        in->ops->next(in);
    }
    return in->valid ? HOLT_OK : end_collection(f);
}

/* All is written: syncs it. */
static holt_status flush_complete(flush *f)
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

holt_status flush_write(flush *f, bool *done)
{
    *done = f->rests = false;
    f->taken += STEP_ENTRIES;
    for (size_t left = STEP_ENTRIES; left > 0;) {
        bool more = true;
        holt_status rc = f->input ? HOLT_OK : begin_collection(f, &more);
        if (rc == HOLT_OK && more) rc = write_entries(f, &left);
        if (rc != HOLT_OK) return rc;
        if (more) continue;
        *done = true;
        return flush_complete(f);
    }
    return HOLT_OK;
}
