/* verify_pages.c -- opens the page store read-only and checks all B+trees of the manifest with it. */
#include "db/verify/verify_pages.h"

#include "base/memory.h"
#include "base/status.h"

/* The roots of all collections, and of trees with pages yet to be reclaimed. The caller must free *roots. */
static holt_status gather_roots(const manifest_state *state, tree_root **roots, size_t *count)
{
    size_t most = state->collection_count + state->garbage_count;
    *count = 0;
    *roots = mem_alloc_zero(most + 1, sizeof **roots);
    if (!*roots) return status_no_memory(most * sizeof **roots);
    for (size_t i = 0; i < state->collection_count; i++)
        if (state->collections[i].btree.root.length) (*roots)[(*count)++] = state->collections[i].btree;
    for (size_t i = 0; i < state->garbage_count; i++)
        (*roots)[(*count)++] = state->garbage[i];
    return HOLT_OK;
}

static holt_status verify_page_store(verification *v, page_store *store, const manifest_state *state)
{
    tree_root *roots;
    size_t count;
    tree_report found = {0};
    holt_status rc = gather_roots(state, &roots, &count);
    if (rc != HOLT_OK) return rc;
    rc = page_store_verify(store, roots, count, &found);
    mem_free(roots);
    v->report.files++;
    v->report.blocks += found.blocks;
    v->report.entries += found.entries;
    v->report.bytes += found.bytes;
    verification_advance(v, found.bytes);
    return verification_take(v, rc);
}

holt_status verify_pages(verification *v, tree_files *files, const manifest_state *state)
{
    if (!state->page_store.file) return HOLT_OK;
    page_store *store;
    holt_status rc = page_store_open(&store, files, &state->page_store, false);
    if (rc != HOLT_OK) return verification_take(v, rc);
    rc = verify_page_store(v, store, state);
    page_store_close(store);
    return rc;
}
