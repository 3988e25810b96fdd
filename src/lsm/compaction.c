#include "lsm/compaction.h"

#include "base/memory.h"
#include "base/status.h"
#include "lsm/join.h"
#include "lsm/lsm_internal.h"
#include "tree/merge.h"

#include <assert.h>

/* ---------------------------------------------------------------- choosing */

/* Level by size: each is eight times the one above it. */
static uint32_t level_of(uint64_t bytes, uint64_t level_bytes)
{
    uint32_t level = 1;
    for (uint64_t limit = level_bytes * 8; bytes > limit && level < 8; limit *= 8)
        level++;
    return level;
}

/* How many of the newest runs belong together: each next one is at most twice what is gathered so far. */
static size_t similar_runs(const lsm_tree *t, uint64_t *bytes)
{
    size_t count = 1;
    *bytes = t->runs[0]->info.bytes;
    while (count < t->count && t->runs[count]->info.bytes <= *bytes * 2)
        *bytes += t->runs[count++]->info.bytes;
    return count;
}

bool lsm_pick_merge(const lsm_tree *t, lsm_want want, uint64_t level_bytes, lsm_pick *out)
{
    if (t->count == 0) return false;
    uint64_t bytes;
    size_t count = similar_runs(t, &bytes);
    bool wanted = count >= LSM_RUNS_TRIGGER;
    if (t->count > LSM_RUNS_MAX && !wanted) {
        wanted = true;
        if (count < 2) count = 2;
    }
    if (want == LSM_WANT_SETTLE && !wanted) {
        wanted = t->count > 1;
        count = t->count;
    }
    if (want == LSM_WANT_ALL) {
        wanted = t->count > 1 || t->runs[0]->info.tombstones > 0;
        count = t->count;
    }
    if (!wanted) return false;
    bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += t->runs[i]->info.bytes;
    out->first = 0;
    out->count = count;
    out->level = level_of(bytes, level_bytes);
    return true;
}

/* ---------------------------------------------------------------- merging */

struct lsm_merge {
    lsm_tree *tree; /* held */
    lsm_merge_options options;
    uint64_t *ages;
    size_t count;
    uint32_t level;
    bool drop_tombstones;
    bool finished;
    lsm_run *joined; /* the output, when nothing needs to be rewritten */
    source *input;
    tree_file_writer *writer; /* of the part being written, or NULL */
    tree_builder *builder;
    lsm_part *parts;   /* finished ones; bounds owned */
    tree_file **files; /* references, beside parts */
    size_t part_count, parts_capacity, files_capacity;
    slice end; /* the first key behind all of the input; owned */
    uint64_t bytes_read, bytes_written;
};

static holt_status open_inputs(lsm_merge *m, const lsm_pick *pick)
{
    tree_source_options options = {.bypass_cache = true, .read_ahead = true};
    m->ages = mem_alloc(pick->count * sizeof *m->ages);
    source **children = mem_alloc_zero(pick->count, sizeof *children);
    holt_status rc = m->ages && children ? HOLT_OK : status_no_memory(pick->count * sizeof *children);
    for (; m->count < pick->count && rc == HOLT_OK; m->count++) {
        const lsm_run *run = m->tree->runs[pick->first + m->count];
        m->ages[m->count] = run->info.age;
        rc = lsm_run_source_open(run, &options, &children[m->count]);
    }
    if (rc == HOLT_OK) return merge_open(children, m->count, &m->input);
    for (size_t i = 0; children && i < m->count; i++)
        source_close(children[i]);
    mem_free(children);
    return rc;
}

static holt_status join_inputs(lsm_merge *m, const lsm_pick *pick)
{
    m->ages = mem_alloc(pick->count * sizeof *m->ages);
    if (!m->ages) return status_no_memory(pick->count * sizeof *m->ages);
    for (; m->count < pick->count; m->count++)
        m->ages[m->count] = m->tree->runs[pick->first + m->count]->info.age;
    return lsm_join(m->tree, pick, &m->joined);
}

/* The last key is looked up first: the output's last part ends just behind it, so that later runs may be
 * joined to it. */
static holt_status begin_input(lsm_merge *m)
{
    source *in = m->input;
    in->ops->last(in);
    if (in->valid) {
        m->end.size = in->key.size + 1;
        m->end.data = mem_alloc(m->end.size);
        if (!m->end.data) return status_no_memory(m->end.size);
        bytes_copy((void *)m->end.data, in->key.data, in->key.size);
        ((uint8_t *)m->end.data)[in->key.size] = 0;
    }
    if (in->status == HOLT_OK) in->ops->first(in);
    return in->status;
}

holt_status lsm_merge_open(lsm_merge **out, lsm_tree *t, const lsm_pick *pick,
                           const lsm_merge_options *options)
{
    *out = NULL;
    assert(pick->count > 0 && pick->first + pick->count <= t->count);
    lsm_merge *m = mem_alloc_zero(1, sizeof *m);
    if (!m) return status_no_memory(sizeof *m);
    m->tree = lsm_tree_ref(t);
    m->options = *options;
    m->level = pick->level;
    m->drop_tombstones = pick->first + pick->count == t->count;
    bool joins = lsm_join_possible(t, pick, options->join_bytes_min);
    holt_status rc = joins ? join_inputs(m, pick) : open_inputs(m, pick);
    if (rc == HOLT_OK && !joins) rc = begin_input(m);
    if (rc == HOLT_OK) {
        *out = m;
        return HOLT_OK;
    }
    lsm_merge_destroy(m);
    return rc;
}

void lsm_merge_destroy(lsm_merge *m)
{
    if (!m) return;
    source_close(m->input);
    tree_builder_destroy(m->builder);
    tree_file_writer_destroy(m->writer);
    for (size_t i = 0; i < m->part_count; i++) {
        if (m->files[i]) tree_file_obsolete(m->files[i]); /* not taken over by a run */
        tree_file_unref(m->files[i]);
        mem_free((void *)m->parts[i].lower.data);
        mem_free((void *)m->parts[i].upper.data);
    }
    mem_free(m->parts);
    mem_free(m->files);
    mem_free((void *)m->end.data);
    mem_free(m->ages);
    lsm_run_unref(m->joined);
    lsm_tree_unref(m->tree);
    mem_free(m);
}

static holt_status end_bounds(lsm_part *part, slice upper)
{
    void *copy = mem_copy(upper.data, upper.size);
    if (!copy) return status_no_memory(upper.size);
    part->upper = slice_of(copy, upper.size);
    return HOLT_OK;
}

/* Bounds of a new part: from its first key on; the part before it ends there, the last one just behind the
 * last key. */
static holt_status begin_part(lsm_merge *m, slice first_key)
{
    if (!mem_grow((void **)&m->parts, &m->parts_capacity, m->part_count + 1, sizeof *m->parts) ||
        !mem_grow((void **)&m->files, &m->files_capacity, m->part_count + 1, sizeof *m->files))
        return status_no_memory(sizeof *m->parts);
    lsm_part *part = &m->parts[m->part_count];
    memset(part, 0, sizeof *part);
    part->file = m->options.next_file(m->options.ctx);
    holt_status rc = tree_file_writer_create(&m->writer, m->options.files, part->file);
    if (rc == HOLT_OK) rc = tree_builder_create(&m->builder, m->writer, &m->options.build);
    if (rc != HOLT_OK) return rc;
    part->lower = slice_of(mem_copy(first_key.data, first_key.size), first_key.size);
    if (!part->lower.data) rc = status_no_memory(first_key.size);
    if (m->part_count > 0 && rc == HOLT_OK) rc = end_bounds(&m->parts[m->part_count - 1], first_key);
    m->files[m->part_count++] = NULL; /* the writer's until it is finished */
    return rc;
}

static holt_status end_part(lsm_merge *m)
{
    lsm_part *part = &m->parts[m->part_count - 1];
    holt_status rc = tree_builder_finish(m->builder, &part->root);
    part->file_size = tree_file_writer_bytes(m->writer);
    m->bytes_written += part->file_size;
    if (rc == HOLT_OK) rc = tree_file_writer_finish(m->writer, &m->files[m->part_count - 1]);
    tree_builder_destroy(m->builder);
    tree_file_writer_destroy(m->writer);
    m->builder = NULL;
    m->writer = NULL;
    return rc;
}

static holt_status take_entry(lsm_merge *m)
{
    source *in = m->input;
    if (in->op == ENTRY_DELETE && m->drop_tombstones) return HOLT_OK;
    holt_status rc = in->value_pending ? in->ops->load_value(in) : HOLT_OK;
    if (rc == HOLT_OK && !m->writer) rc = begin_part(m, in->key);
    if (rc == HOLT_OK) rc = tree_builder_add(m->builder, in->key, in->op, in->value, in->expires_at_ms);
    if (rc == HOLT_OK && tree_builder_bytes(m->builder) >= m->options.file_bytes_max) rc = end_part(m);
    return rc;
}

holt_status lsm_merge_step(lsm_merge *m, uint64_t bytes, bool *done)
{
    source *in = m->input;
    *done = m->finished = m->joined != NULL;
    if (m->joined) return HOLT_OK;
    for (uint64_t taken = 0; in->valid && taken < bytes;) {
        holt_status rc = take_entry(m);
        if (rc != HOLT_OK) return rc;
        taken += in->key.size + in->value.size + 16;
        m->bytes_read += in->key.size + in->value.size;
        in->ops->next(in);
    }
    if (in->status != HOLT_OK) return in->status;
    if (in->valid) return HOLT_OK;
    holt_status rc = m->writer ? end_part(m) : HOLT_OK;
    if (rc == HOLT_OK && m->part_count > 0) rc = end_bounds(&m->parts[m->part_count - 1], m->end);
    m->finished = *done = rc == HOLT_OK;
    return rc;
}

holt_status lsm_merge_output(lsm_merge *m, lsm_run **out)
{
    *out = NULL;
    assert(m->finished);
    if (m->joined) *out = lsm_run_ref(m->joined);
    if (m->joined || m->part_count == 0) return HOLT_OK;
    holt_status rc = lsm_run_open(m->ages[0], m->level, m->parts, m->files, m->part_count, out);
    if (rc != HOLT_OK) return rc;
    for (size_t i = 0; i < m->part_count; i++) { /* the run holds them now */
        tree_file_unref(m->files[i]);
        m->files[i] = NULL;
    }
    return HOLT_OK;
}

const uint64_t *lsm_merge_inputs(const lsm_merge *m, size_t *count)
{
    *count = m->count;
    return m->ages;
}

uint64_t lsm_merge_bytes_read(const lsm_merge *m)
{
    return m->bytes_read;
}

uint64_t lsm_merge_bytes_written(const lsm_merge *m)
{
    return m->bytes_written;
}

void lsm_run_discard(lsm_run *r)
{
    for (size_t i = 0; r && !r->joined && i < r->info.part_count; i++)
        tree_file_obsolete(r->parts[i].file);
    lsm_run_unref(r);
}
