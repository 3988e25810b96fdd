/* page_store_verify.c -- verifies that each page is used by one piece of one tree or is free, and that the
 * maps agree. */
#include "btree/btree_internal.h"

#include "base/memory.h"
#include "base/status.h"

#include <inttypes.h>

typedef struct page_check {
    page_store *store;
    page_map seen; /* pages of the trees visited so far */
} page_check;

static holt_status page_corrupt(const page_check *c, uint64_t page, const char *what)
{
    char name[OS_NAME_MAX];
    tree_page_file_name(tree_file_number(c->store->file), name);
    return status_set_file(HOLT_CORRUPT, name, page * TREE_PAGE_BYTES, "page at %" PRIu64 ": %s",
                           page * TREE_PAGE_BYTES, what);
}

static holt_status see_piece(void *ctx, block_ptr p)
{
    page_check *c = ctx;
    holt_status rc = tree_file_check_ptr(c->store->file, p);
    if (rc != HOLT_OK) return rc;
    uint64_t first = p.offset / TREE_PAGE_BYTES, count = tree_page_space(p.length) / TREE_PAGE_BYTES;
    for (uint64_t page = first; page < first + count; page++) {
        if (page_is_reserved(page))
            return page_corrupt(c, page, "a piece of a tree, but the page is for a map or the header");
        if (!page_map_get(&c->store->live, page)) return page_corrupt(c, page, "used, but free in the map");
        if (page_map_get(&c->seen, page)) return page_corrupt(c, page, "used twice");
    }
    page_map_set(&c->seen, first, count, true);
    return HOLT_OK;
}

static holt_status check_unused(const page_check *c)
{
    uint64_t end = page_map_end(&c->store->live);
    for (uint64_t page = 0; page < end; page++)
        if (!page_is_reserved(page) && page_map_get(&c->store->live, page) && !page_map_get(&c->seen, page))
            return page_corrupt(c, page, "not used by any tree, but not free in the map");
    return HOLT_OK;
}

static holt_status check_maps(page_store *s)
{
    uint8_t read[MAP_BYTES], expected[MAP_BYTES];
    for (size_t i = 0; i < s->recorded.map_group_count; i++) {
        holt_status rc = store_read_map(s, i, read);
        if (rc != HOLT_OK) return rc;
        page_map_encode(&s->live, i, expected);
        if (memcmp(read, expected, MAP_BYTES) != 0)
            return store_map_corrupt(s, i, "differs from the map in memory");
    }
    return HOLT_OK;
}

static holt_status verify_all(page_check *c, const tree_root *roots, size_t count, tree_report *report)
{
    page_store *s = c->store;
    if (!page_map_grow(&c->seen, s->live.map_groups)) return status_no_memory(s->live.map_groups * MAP_BYTES);
    for (size_t i = 0; i < count; i++) {
        holt_status rc = tree_verify_pieces(s->file, &roots[i], see_piece, c, report);
        if (rc != HOLT_OK) return rc;
    }
    holt_status rc = check_unused(c);
    return rc == HOLT_OK ? check_maps(s) : rc;
}

holt_status page_store_verify(page_store *s, const tree_root *roots, size_t count, tree_report *report)
{
    if (!store_enter(s)) return status_set(HOLT_BUSY, "the B+tree file is being changed");
    page_check c = {.store = s};
    holt_status rc = verify_all(&c, roots, count, report);
    page_map_deinit(&c.seen);
    store_leave(s);
    return rc;
}
