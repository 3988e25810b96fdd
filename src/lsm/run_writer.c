/* run_writer.c -- see run_writer.h. */
#include "lsm/run_writer.h"

#include "base/memory.h"
#include "base/status.h"
#include "lsm/lsm_internal.h"

#include <assert.h>

struct lsm_run_writer {
    lsm_writer_options options;
    tree_file_writer *file; /* the file being written, or NULL */
    tree_builder *builder;
    lsm_file_range *file_ranges; /* the finished ones and that of the file being written; bounds owned */
    tree_file **files; /* for each file range, a reference; NULL: being written, or taken over by a run */
    size_t file_range_count, file_ranges_capacity, files_capacity;
    uint64_t bytes;
    bool gap; /* the gap after the last entry so far is deleted */
};

holt_status lsm_run_writer_create(lsm_run_writer **out, const lsm_writer_options *options)
{
    lsm_run_writer *w = *out = mem_alloc_zero(1, sizeof *w);
    if (!w) return status_no_memory(sizeof *w);
    w->options = *options;
    return HOLT_OK;
}

void lsm_run_writer_destroy(lsm_run_writer *w)
{
    if (!w) return;
    tree_builder_destroy(w->builder);
    tree_file_writer_destroy(w->file);
    for (size_t i = 0; i < w->file_range_count; i++) {
        if (w->files[i]) tree_file_obsolete(w->files[i]); /* not taken over by a run */
        tree_file_unref(w->files[i]);
        mem_free((void *)w->file_ranges[i].lower.data);
        mem_free((void *)w->file_ranges[i].upper.data);
    }
    mem_free(w->file_ranges);
    mem_free(w->files);
    mem_free(w);
}

static holt_status bound_copy(slice *to, slice from)
{
    void *copy = mem_copy(from.data, from.size);
    if (!copy) return status_no_memory(from.size);
    *to = slice_of(copy, from.size);
    return HOLT_OK;
}

/* The file range begins with its first key (the first one is open if the gap before that is deleted), and the
 * one before it ends there. */
static holt_status begin_file_range(lsm_run_writer *w, slice first_key)
{
    assert(!w->file && !w->builder);
    if (!mem_grow((void **)&w->file_ranges, &w->file_ranges_capacity, w->file_range_count + 1,
                  sizeof *w->file_ranges) ||
        !mem_grow((void **)&w->files, &w->files_capacity, w->file_range_count + 1, sizeof *w->files))
        return status_no_memory(sizeof *w->file_ranges);
    lsm_file_range *file_range = &w->file_ranges[w->file_range_count];
    memset(file_range, 0, sizeof *file_range);
    file_range->file = w->options.next_file(w->options.ctx);
    holt_status rc = tree_file_writer_create(&w->file, w->options.files, file_range->file);
    if (rc == HOLT_OK) rc = tree_builder_create(&w->builder, w->file, &w->options.build);
    if (rc != HOLT_OK) return rc;
    if (w->gap) tree_builder_delete_gap(w->builder);
    if (w->file_range_count > 0 || !w->gap) rc = bound_copy(&file_range->lower, first_key);
    if (rc == HOLT_OK && w->file_range_count > 0)
        rc = bound_copy(&w->file_ranges[w->file_range_count - 1].upper, first_key);
    w->files[w->file_range_count++] = NULL; /* w->file has it until it is finished */
    return rc;
}

static holt_status end_file_range(lsm_run_writer *w)
{
    assert(w->file_range_count > 0 && w->builder);
    lsm_file_range *file_range = &w->file_ranges[w->file_range_count - 1];
    holt_status rc = tree_builder_finish(w->builder, &file_range->root);
    file_range->file_size = tree_file_writer_bytes(w->file);
    w->bytes += file_range->file_size;
    if (rc == HOLT_OK) rc = tree_file_writer_finish(w->file, &w->files[w->file_range_count - 1]);
    tree_builder_destroy(w->builder);
    tree_file_writer_destroy(w->file);
    w->builder = NULL;
    w->file = NULL;
    return rc;
}

holt_status lsm_run_writer_add(lsm_run_writer *w, slice key, uint8_t op, slice value, uint64_t expires_at_ms)
{
    const bool full = w->file && tree_builder_bytes(w->builder) >= w->options.file_bytes_max;
    holt_status rc = full ? end_file_range(w) : HOLT_OK;
    if (rc == HOLT_OK && !w->file) rc = begin_file_range(w, key);
    if (rc == HOLT_OK) rc = tree_builder_add(w->builder, key, op, value, expires_at_ms);
    w->gap = false;
    return rc;
}

void lsm_run_writer_delete_gap(lsm_run_writer *w)
{
    w->gap = true;
    if (w->builder) tree_builder_delete_gap(w->builder);
}

holt_status lsm_run_writer_end(lsm_run_writer *w, slice upper)
{
    assert(w->file_range_count == 0 || !w->file_ranges[w->file_range_count - 1].upper.data); /* called once */
    holt_status rc = w->file ? end_file_range(w) : HOLT_OK;
    if (rc == HOLT_OK && w->file_range_count > 0 && !w->gap)
        rc = bound_copy(&w->file_ranges[w->file_range_count - 1].upper, upper);
    return rc;
}

holt_status lsm_run_writer_take(lsm_run_writer *w, uint64_t newest_seqno, uint32_t level, lsm_run **out)
{
    *out = NULL;
    assert(!w->file);
    if (w->file_range_count == 0) return HOLT_OK;
    holt_status rc = lsm_run_open(newest_seqno, level, w->file_ranges, w->files, w->file_range_count, out);
    if (rc != HOLT_OK) return rc;
    for (size_t i = 0; i < w->file_range_count; i++) { /* the run has references of its own */
        tree_file_unref(w->files[i]);
        w->files[i] = NULL;
    }
    return HOLT_OK;
}

uint64_t lsm_run_writer_bytes(const lsm_run_writer *w)
{
    return w->bytes;
}

void lsm_run_discard(lsm_run *r)
{
    for (size_t i = 0; r && !r->moved && i < r->info.file_range_count; i++)
        tree_file_obsolete(r->file_ranges[i].file);
    lsm_run_unref(r);
}
