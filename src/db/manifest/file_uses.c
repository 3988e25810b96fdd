/* file_uses.c -- the counts, in an array sorted by file number. */
#include "db/manifest/file_uses.h"

#include "base/memory.h"
#include "base/status.h"

struct file_use {
    uint64_t number;
    uint64_t file_ranges;
};

/* Where the file's count is, or would be inserted. */
static size_t find_use(const holt *db, uint64_t number)
{
    size_t low = 0, high = db->file_use_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (db->file_uses[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool file_in_use(const holt *db, uint64_t number)
{
    size_t at = find_use(db, number);
    return at < db->file_use_count && db->file_uses[at].number == number;
}

size_t file_uses_needed(const lsm_tree *tree)
{
    size_t file_ranges = 0;
    for (size_t i = 0; i < lsm_tree_runs(tree); i++)
        file_ranges += lsm_run_describe(lsm_tree_run(tree, i)).file_range_count;
    return file_ranges;
}

holt_status file_uses_reserve(holt *db, size_t files)
{
    size_t need = db->file_use_count + files;
    if (mem_grow((void **)&db->file_uses, &db->file_use_capacity, need, sizeof *db->file_uses))
        return HOLT_OK;
    return status_no_memory(need * sizeof *db->file_uses);
}

static void add(holt *db, const lsm_run *run)
{
    for (size_t i = 0; i < lsm_run_describe(run).file_range_count; i++) {
        uint64_t number = lsm_run_file_range(run, i)->file;
        size_t at = find_use(db, number);
        if (at == db->file_use_count || db->file_uses[at].number != number) {
            memmove(db->file_uses + at + 1, db->file_uses + at,
                    (db->file_use_count - at) * sizeof *db->file_uses);
            db->file_uses[at].number = number;
            db->file_uses[at].file_ranges = 0;
            db->file_use_count++;
        }
        db->file_uses[at].file_ranges++;
    }
}

static void take_out(holt *db, const lsm_run *run)
{
    for (size_t i = 0; i < lsm_run_describe(run).file_range_count; i++) {
        size_t at = find_use(db, lsm_run_file_range(run, i)->file);
        if (--db->file_uses[at].file_ranges > 0) continue;
        tree_file_obsolete(lsm_run_file(run, i));
        db->file_use_count--;
        memmove(db->file_uses + at, db->file_uses + at + 1,
                (db->file_use_count - at) * sizeof *db->file_uses);
    }
}

void file_uses_change(holt *db, const lsm_tree *before, const lsm_tree *after)
{
    for (size_t i = 0; after && i < lsm_tree_runs(after); i++)
        if (!before || !lsm_tree_has(before, lsm_tree_run(after, i))) add(db, lsm_tree_run(after, i));
    for (size_t i = 0; before && i < lsm_tree_runs(before); i++)
        if (!after || !lsm_tree_has(after, lsm_tree_run(before, i))) take_out(db, lsm_tree_run(before, i));
}
