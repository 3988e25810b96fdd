/* verify_trees.c -- checks the file ranges of runs, their files, and the trees in these. */
#include "db/verify/verify_trees.h"

#include "base/memory.h"
#include "base/search.h"
#include "base/status.h"
#include "tree/file/tree_format.h"

#include <inttypes.h>
#include <stdlib.h>

void verify_trees_deinit(verify_trees *t)
{
    mem_free(t->file_ranges);
    memset(t, 0, sizeof *t);
}

holt_status verify_trees_add(verify_trees *t, const char *collection, const lsm_file_range *file_range)
{
    if (!mem_grow((void **)&t->file_ranges, &t->capacity, t->count + 1, sizeof *t->file_ranges))
        return status_no_memory(sizeof *t->file_ranges);
    t->file_ranges[t->count].collection = collection;
    t->file_ranges[t->count++].file_range = file_range;
    return HOLT_OK;
}

/* ---------------------------------------------------------------- the file ranges of a run */

static bool is_empty_range(const lsm_file_range *p)
{
    return !slice_is_open(p->lower) && !slice_is_open(p->upper) && slice_compare(p->lower, p->upper) >= 0;
}

/* Only the first file range may have an open lower bound, and only the last an open upper bound. */
static bool is_before(const lsm_file_range *a, const lsm_file_range *b)
{
    return !slice_is_open(a->upper) && !slice_is_open(b->lower) && slice_compare(a->upper, b->lower) <= 0;
}

holt_status verify_trees_check_run(const verify_trees *t, size_t first, uint64_t newest_seqno,
                                   const char *file)
{
    for (size_t i = first; i < t->count; i++) {
        const lsm_file_range *p = t->file_ranges[i].file_range;
        if (!is_empty_range(p) && (i == first || is_before(t->file_ranges[i - 1].file_range, p))) continue;
        return status_set_file(HOLT_CORRUPT, file, HOLT_NO_OFFSET,
                               "collection \"%s\": file range %zu of run %" PRIu64
                               " is empty, or not in key order after the one before it",
                               t->file_ranges[i].collection, i - first, newest_seqno);
    }
    return HOLT_OK;
}

/* ---------------------------------------------------------------- the trees of a file */

static int by_file(const void *a, const void *b)
{
    const lsm_file_range *x = ((const verify_file_range *)a)->file_range,
                         *y = ((const verify_file_range *)b)->file_range;
    if (x->file != y->file) return x->file < y->file ? -1 : 1;
    return (x->root.root.offset > y->root.root.offset) - (x->root.root.offset < y->root.root.offset);
}

static bool same_root(const tree_root *a, const tree_root *b)
{
    return a->root.offset == b->root.offset && a->root.length == b->root.length &&
           a->root.checksum == b->root.checksum && a->height == b->height && a->entries == b->entries &&
           a->tombstones == b->tombstones && a->gaps == b->gaps && a->bytes == b->bytes &&
           a->filter.offset == b->filter.offset && a->filter.checksum == b->filter.checksum &&
           a->filter_lines == b->filter_lines;
}

/* Returns whether an earlier file range of the same file is of the same tree. */
static bool seen_before(const verify_file_range *file_ranges, size_t first, size_t index)
{
    for (size_t i = index; i > first; i--) {
        const lsm_file_range *p = file_ranges[i - 1].file_range;
        if (p->root.root.offset != file_ranges[index].file_range->root.root.offset)
            return false; /* by_file */
        if (same_root(&p->root, &file_ranges[index].file_range->root)) return true;
    }
    return false;
}

static holt_status verify_tree(verification *v, tree_file *f, const verify_file_range *p)
{
    tree_report seen = {0};
    holt_status rc = tree_verify(f, &p->file_range->root, &seen);
    if (rc == HOLT_CORRUPT) rc = status_wrap(rc, "collection \"%s\"", p->collection);
    v->report.blocks += seen.blocks;
    v->report.entries += seen.entries;
    verification_advance(v, seen.bytes);
    return verification_take(v, rc);
}

/* The file ranges [first, end) are in one file, which must be as long as the longest of them needs. */
static holt_status verify_file(verification *v, const verify_trees *t, size_t first, size_t end,
                               tree_files *files)
{
    uint64_t size = 0;
    for (size_t i = first; i < end; i++)
        if (t->file_ranges[i].file_range->file_size > size) size = t->file_ranges[i].file_range->file_size;
    tree_file *f;
    holt_status rc = tree_file_open(files, t->file_ranges[first].file_range->file, size, &f);
    if (rc == HOLT_CORRUPT) rc = status_wrap(rc, "collection \"%s\"", t->file_ranges[first].collection);
    if (rc != HOLT_OK) return verification_take(v, rc);
    v->report.files++;
    verification_advance(v, TREE_HEADER_BYTES);
    for (size_t i = first; i < end && rc == HOLT_OK; i++)
        if (!seen_before(t->file_ranges, first, i)) rc = verify_tree(v, f, &t->file_ranges[i]);
    tree_file_unref(f);
    return rc;
}

/* ---------------------------------------------------------------- all files */

void verify_trees_expect(const verify_trees *t, verification *v)
{
    for (size_t i = 0; i < t->count; i++)
        v->bytes_total += t->file_ranges[i].file_range->root.bytes;
}

holt_status verify_trees_run(verify_trees *t, verification *v, tree_files *files)
{
    holt_status rc = HOLT_OK;
    if (t->count) qsort(t->file_ranges, t->count, sizeof *t->file_ranges, by_file);
    for (size_t first = 0, end; first < t->count && rc == HOLT_OK; first = end) {
        for (end = first + 1; end < t->count &&
                              t->file_ranges[end].file_range->file == t->file_ranges[first].file_range->file;)
            end++;
        rc = verify_file(v, t, first, end, files);
    }
    return rc;
}

static int compare_file(const void *file_ranges, size_t i, const void *file)
{
    return search_order(((const verify_file_range *)file_ranges)[i].file_range->file,
                        *(const uint64_t *)file);
}

bool verify_trees_use(const verify_trees *t, uint64_t file)
{
    size_t at;
    return search_find(t->file_ranges, t->count, &file, compare_file, &at);
}
