/* file_uses.c -- the counts, in an array sorted by file number. */
#include "db/manifest/file_uses.h"

#include "base/memory.h"
#include "base/search.h"
#include "base/status.h"

#include <assert.h>

struct file_use {
    uint64_t number;
    uint64_t file_ranges;
};

static int compare_file(const void *uses, size_t i, const void *number)
{
    return search_order(((const struct file_use *)uses)[i].number, *(const uint64_t *)number);
}

/* Where the file's count is, or would be inserted. */
static size_t find_use(const file_uses *u, uint64_t number)
{
    return search_lower_bound(u->list, u->count, &number, compare_file);
}

bool file_in_use(const file_uses *u, uint64_t number)
{
    size_t at = find_use(u, number);
    return at < u->count && u->list[at].number == number;
}

size_t file_uses_needed(const collection_tree *t)
{
    const lsm_tree *tree = collection_tree_lsm(t);
    size_t file_ranges = 0;
    for (size_t i = 0; tree && i < lsm_tree_runs(tree); i++)
        file_ranges += lsm_run_describe(lsm_tree_run(tree, i)).file_range_count;
    return file_ranges;
}

holt_status file_uses_reserve(file_uses *u, size_t files)
{
    size_t need = u->count + files;
    if (mem_grow((void **)&u->list, &u->capacity, need, sizeof *u->list)) return HOLT_OK;
    return status_no_memory(need * sizeof *u->list);
}

static void add(file_uses *u, const lsm_run *run)
{
    for (size_t i = 0; i < lsm_run_describe(run).file_range_count; i++) {
        uint64_t number = lsm_run_file_range(run, i)->file;
        size_t at = find_use(u, number);
        if (at == u->count || u->list[at].number != number) {
            memmove(u->list + at + 1, u->list + at, (u->count - at) * sizeof *u->list);
            u->list[at].number = number;
            u->list[at].file_ranges = 0;
            u->count++;
        }
        u->list[at].file_ranges++;
    }
}

static void take_out(file_uses *u, const lsm_run *run)
{
    for (size_t i = 0; i < lsm_run_describe(run).file_range_count; i++) {
        size_t at = find_use(u, lsm_run_file_range(run, i)->file);
        if (--u->list[at].file_ranges > 0) continue;
        tree_file_obsolete(lsm_run_file(run, i));
        u->count--;
        memmove(u->list + at, u->list + at + 1, (u->count - at) * sizeof *u->list);
    }
}

void file_uses_change(file_uses *u, const collection_tree *before, const collection_tree *after)
{
    const lsm_tree *old = collection_tree_lsm(before), *fresh = collection_tree_lsm(after);
    for (size_t i = 0; fresh && i < lsm_tree_runs(fresh); i++)
        if (!old || !lsm_tree_has(old, lsm_tree_run(fresh, i))) add(u, lsm_tree_run(fresh, i));
    for (size_t i = 0; old && i < lsm_tree_runs(old); i++)
        if (!fresh || !lsm_tree_has(fresh, lsm_tree_run(old, i))) take_out(u, lsm_tree_run(old, i));
}

void file_uses_check(const file_uses *u)
{
    assert(u->count <= u->capacity);
    for (size_t i = 0; i < u->count; i++) {
        assert(u->list[i].file_ranges > 0);
        assert(i == 0 || u->list[i - 1].number < u->list[i].number);
    }
}
