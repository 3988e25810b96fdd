/* tree_opener.c -- opening a collection's tree as the manifest describes it, and each run file once. */
#include "db/open/tree_opener.h"

#include "base/memory.h"
#include "base/search.h"
#include "base/status.h"

/* ---------------------------------------------------------------- LSM trees */

static int compare_file(const void *files, size_t i, const void *number)
{
    return search_order(tree_file_number(((tree_file *const *)files)[i]), *(const uint64_t *)number);
}

static holt_status open_file(tree_opener *o, const lsm_file_range *range, tree_file **out)
{
    size_t at;
    if (search_find(o->opened, o->opened_count, &range->file, compare_file, &at)) {
        *out = o->opened[at];
        return HOLT_OK;
    }
    if (!mem_grow((void **)&o->opened, &o->opened_capacity, o->opened_count + 1, sizeof *o->opened))
        return status_no_memory(sizeof *o->opened);
    holt_status rc = tree_file_open(o->files, range->file, range->file_size, out);
    if (rc != HOLT_OK) return rc;
    memmove(o->opened + at + 1, o->opened + at, (o->opened_count - at) * sizeof *o->opened);
    o->opened[at] = *out;
    o->opened_count++;
    return HOLT_OK;
}

static holt_status open_run(tree_opener *o, const manifest_run *from, lsm_run **out)
{
    tree_file **files = mem_alloc_zero(from->count, sizeof *files);
    if (!files) return status_no_memory(from->count * sizeof *files);
    holt_status rc = HOLT_OK;
    for (size_t i = 0; i < from->count && rc == HOLT_OK; i++)
        rc = open_file(o, &from->file_ranges[i], &files[i]);
    if (rc == HOLT_OK)
        rc = lsm_run_open(from->newest_seqno, from->level, from->file_ranges, files, from->count, out);
    mem_free(files);
    return rc;
}

static holt_status open_lsm(tree_opener *o, const manifest_collection *c, collection_tree *out)
{
    lsm_tree *tree;
    lsm_run **runs = mem_alloc_zero(c->run_count + 1, sizeof *runs);
    if (!runs) return status_no_memory(c->run_count * sizeof *runs);
    holt_status rc = HOLT_OK;
    for (size_t i = 0; i < c->run_count && rc == HOLT_OK; i++)
        rc = open_run(o, &c->runs[i], &runs[i]);
    if (rc == HOLT_OK) rc = lsm_tree_create(runs, c->run_count, &tree);
    if (rc == HOLT_OK) *out = collection_tree_of_lsm(tree);
    for (size_t i = 0; i < c->run_count; i++)
        lsm_run_unref(runs[i]); /* the tree holds them */
    mem_free(runs);
    return rc;
}

/* ---------------------------------------------------------------- B+trees */

static holt_status open_btree(const tree_opener *o, const manifest_collection *c, collection_tree *out)
{
    btree_version *tree;
    if (!o->store)
        return status_set(HOLT_CORRUPT,
                          "collection \"%s\" is a B+tree, but the manifest names no file of pages", c->name);
    holt_status rc = btree_version_open(&tree, o->store, c->btree.root.length ? &c->btree : NULL);
    if (rc == HOLT_OK) *out = collection_tree_of_btree(tree);
    return rc;
}

/* ---------------------------------------------------------------- either */

holt_status tree_opener_open(tree_opener *o, const manifest_collection *c, collection_tree *out)
{
    return tree_kind_of(c->spec.kind)->paged ? open_btree(o, c, out) : open_lsm(o, c, out);
}

void tree_opener_deinit(tree_opener *o)
{
    for (size_t i = 0; i < o->opened_count; i++)
        tree_file_unref(o->opened[i]); /* the runs hold them */
    mem_free(o->opened);
}
