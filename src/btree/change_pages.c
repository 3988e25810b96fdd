/* change_pages.c -- the pages of a change: allocating them, and writing them to the file.
 *
 * Allocation takes the lowest free pages, so that the end of the file can fall, or the lowest free stretch of
 * many pages, from which the next pieces are taken one by one, so that pieces written together are stored
 * together. Within a change no pages become free, so each search begins where the last one for as many pages
 * ended. Consecutive pages are collected and written with one call.
 */
#include "btree/btree_internal.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"

#include <assert.h>

/* Page numbers have 32 bits, which is 16 TiB. */
static const uint64_t PAGES_MAX = UINT32_MAX;

static page_run *last_of(const page_runs *r)
{
    return r->count > r->fixed ? &r->runs[r->count - 1] : NULL;
}

static bool page_runs_append(page_runs *r, uint64_t first, uint64_t count)
{
    if (!mem_grow((void **)&r->runs, &r->capacity, r->count + 1, sizeof *r->runs)) return false;
    r->runs[r->count++] = (page_run){(uint32_t)first, (uint32_t)count};
    return true;
}

bool page_runs_add(page_runs *r, uint64_t first, uint64_t count)
{
    page_run *last = last_of(r);
    if (last && (uint64_t)last->first + last->count == first) {
        last->count += (uint32_t)count;
        return true;
    }
    return page_runs_append(r, first, count);
}

static uint64_t pages_of(uint64_t size)
{
    return tree_page_space(size) / TREE_PAGE_BYTES;
}

/* ---------------------------------------------------------------- allocating */

/* The smallest i with 2^i >= count. */
static unsigned run_class(uint64_t count)
{
    assert(count > 0 && count <= PAGES_MAX);
    return count > 1 ? 64 - (unsigned)__builtin_clzll(count - 1) : 0;
}

uint64_t change_find(btree_change *c, uint64_t count)
{
    return page_map_find(&c->store->taken, c->from[run_class(count)], count);
}

static void mark_dirty(page_store *s, uint64_t first, uint64_t count)
{
    for (size_t i = (size_t)(first / MAP_GROUP_PAGES); i <= (first + count - 1) / MAP_GROUP_PAGES; i++)
        s->dirty[i] = true;
}

/* Finds the lowest free run, and extends the maps if there is none. */
static holt_status find_or_grow(btree_change *c, uint64_t count, uint64_t *page)
{
    page_store *s = c->store;
    while ((*page = change_find(c, count)) == PAGE_NONE) {
        if ((uint64_t)(s->taken.map_groups + 1) * MAP_GROUP_PAGES > PAGES_MAX)
            return status_set(HOLT_NO_SPACE, "the B+tree file cannot have more than %llu pages",
                              (unsigned long long)PAGES_MAX);
        holt_status rc = store_grow(s, s->taken.map_groups + 1);
        if (rc != HOLT_OK) return rc;
    }
    c->from[run_class(count)] = *page;
    return HOLT_OK;
}

/* Takes pages from the stretch, or from a new one; *page PAGE_NONE: there is no stretch. Pages of the stretch
 * may be taken already, by a piece too large for stretches. */
static holt_status find_in_stretch(btree_change *c, uint64_t count, uint64_t *page)
{
    *page = PAGE_NONE;
    if (count > c->stretch.pages) return HOLT_OK;
    if (c->stretch.end - c->stretch.next < count ||
        !page_map_all(&c->store->taken, c->stretch.next, count, false)) {
        uint64_t first;
        holt_status rc = find_or_grow(c, c->stretch.pages, &first);
        if (rc != HOLT_OK) return rc;
        if (first + c->stretch.pages > c->stretch.limit) {
            c->stretch.pages = 0; /* later ones would not be lower */
            return HOLT_OK;
        }
        c->stretch.next = first;
        c->stretch.end = first + c->stretch.pages;
    }
    *page = c->stretch.next;
    c->stretch.next += count;
    return HOLT_OK;
}

static holt_status allocate(btree_change *c, uint64_t count, uint64_t *page)
{
    page_store *s = c->store;
    assert(!c->prepared.map_groups);
    holt_status rc = find_in_stretch(c, count, page);
    if (rc == HOLT_OK && *page == PAGE_NONE) rc = find_or_grow(c, count, page);
    if (rc != HOLT_OK) return rc;
    if (!page_runs_add(&c->added, *page, count)) return status_no_memory(sizeof *c->added.runs);
    page_map_set(&s->live, *page, count, true);
    page_map_set(&s->taken, *page, count, true);
    page_map_set(&s->fresh, *page, count, true);
    mark_dirty(s, *page, count);
    if (c->notes_births) page_births_note(&s->births, *page, count, s->number);
    for (uint64_t i = 0; i < count; i++)
        cache_erase(tree_file_cache(s->file), (uint32_t)(*page + i));
    return HOLT_OK;
}

/* ---------------------------------------------------------------- writing */

static void push(btree_change *c)
{
    const uint64_t first = c->unpushed.first, pages = c->unpushed.end - first;
    if (pages) tree_file_push(c->store->file, first * TREE_PAGE_BYTES, pages * TREE_PAGE_BYTES);
    c->unpushed.first = c->unpushed.end = 0;
    c->unpushed.bytes = 0;
}

/* Pages are written in nearly always ascending order, with gaps, which the pushed range may include. One push
 * of many pages costs the system a third of one push for each. The last pages are left to the sync. */
static void push_later(btree_change *c, uint64_t page, size_t size)
{
    const uint64_t end = page + size / TREE_PAGE_BYTES;
    if (page < c->unpushed.end || c->unpushed.bytes >= PUSH_BYTES) push(c);
    if (!c->unpushed.bytes) c->unpushed.first = page;
    c->unpushed.end = end;
    c->unpushed.bytes += size;
}

static holt_status write_through(btree_change *c, uint64_t page, const void *bytes, size_t size)
{
    holt_status rc = tree_file_write(c->store->file, page * TREE_PAGE_BYTES, bytes, size);
    if (rc == HOLT_OK) push_later(c, page, size);
    return rc;
}

holt_status change_flush(btree_change *c)
{
    if (!c->unwritten_bytes) return HOLT_OK;
    holt_status rc = write_through(c, c->unwritten_page, c->unwritten, c->unwritten_bytes);
    if (rc == HOLT_OK) c->unwritten_bytes = 0;
    return rc;
}

/* Writes a piece that does not fit the buffer: first its whole pages, then the last one, filled up with
 * zeros. */
static holt_status write_large(btree_change *c, uint64_t page, const uint8_t *bytes, size_t size)
{
    uint8_t last[TREE_PAGE_BYTES] = {0};
    size_t rest = size % TREE_PAGE_BYTES, whole = size - rest;
    holt_status rc = change_flush(c);
    if (rc == HOLT_OK) rc = write_through(c, page, bytes, whole);
    if (rc != HOLT_OK || !rest) return rc;
    memcpy(last, bytes + whole, rest);
    return write_through(c, page + whole / TREE_PAGE_BYTES, last, sizeof last);
}

static holt_status write_piece(btree_change *c, uint64_t page, const void *bytes, size_t size)
{
    assert(page >= PAGES_MIN && c->unwritten_bytes % TREE_PAGE_BYTES == 0);
    size_t store = (size_t)tree_page_space(size);
    if (store > WRITE_BUFFER_BYTES) return write_large(c, page, bytes, size);
    if (c->unwritten_bytes + store > WRITE_BUFFER_BYTES ||
        page * TREE_PAGE_BYTES != c->unwritten_page * TREE_PAGE_BYTES + c->unwritten_bytes) {
        holt_status rc = change_flush(c);
        if (rc != HOLT_OK) return rc;
        c->unwritten_page = page;
    }
    memcpy(c->unwritten + c->unwritten_bytes, bytes, size);
    memset(c->unwritten + c->unwritten_bytes + size, 0, store - size);
    c->unwritten_bytes += store;
    return HOLT_OK;
}

/* ---------------------------------------------------------------- the tree_pages interface */

static btree_change *change_of(tree_pages *p)
{
    return (btree_change *)(void *)p;
}

static holt_status pages_write(tree_pages *p, const void *bytes, size_t size, block_ptr *out)
{
    btree_change *c = change_of(p);
    uint64_t page;
    assert(size > 0 && size <= UINT32_MAX);
    holt_status rc = allocate(c, pages_of(size), &page);
    if (rc == HOLT_OK) rc = write_piece(c, page, bytes, size);
    if (rc != HOLT_OK) return rc;
    c->bytes += tree_page_space(size);
    out->offset = page * TREE_PAGE_BYTES;
    out->checksum = hash_bytes(bytes, size);
    out->length = (uint32_t)size;
    out->ordinal = (uint32_t)page;
    return HOLT_OK;
}

static holt_status pages_commit(tree_pages *p)
{
    return change_flush(change_of(p));
}

/* Pages of the open change are known from `fresh`, if their births were not noted; which of its steps wrote
 * them is not needed exactly. */
uint64_t change_birth(const btree_change *c, uint64_t page)
{
    uint64_t birth = page_births_get(&c->store->births, page);
    return birth < c->first_number && page_map_get(&c->store->fresh, page) ? c->first_number : birth;
}

/* Adds to the removed runs, so that all pages of a run have the same birth. */
static bool add_removed(btree_change *c, uint64_t first, uint64_t count)
{
    const page_run *last = last_of(&c->removed);
    if (last && change_birth(c, last->first) != change_birth(c, first))
        return page_runs_append(&c->removed, first, count);
    return page_runs_add(&c->removed, first, count);
}

static holt_status pages_release(tree_pages *p, block_ptr ptr)
{
    btree_change *c = change_of(p);
    page_store *s = c->store;
    assert(!c->prepared.map_groups);
    uint64_t first = ptr.offset / TREE_PAGE_BYTES, count = pages_of(ptr.length);
    holt_status rc = tree_file_check_ptr(s->file, ptr);
    if (rc != HOLT_OK) return rc;
    for (uint64_t i = first; i < first + count; i++)
        if (page_is_reserved(i) || !page_map_get(&s->live, i))
            return tree_file_corrupt(s->file, ptr.offset, "its pages are free or reserved");
    if (!add_removed(c, first, count)) return status_no_memory(sizeof *c->removed.runs);
    page_map_set(&s->live, first, count, false);
    mark_dirty(s, first, count);
    return HOLT_OK;
}

const tree_pages_ops change_pages_ops = {pages_write, pages_commit, pages_release};

/* ---------------------------------------------------------------- ending */

/* Pages that were added and removed again are in both lists: the removed ones must come first. */
void change_undo_live(btree_change *c)
{
    for (size_t i = 0; i < c->removed.count; i++)
        page_map_set(&c->store->live, c->removed.runs[i].first, c->removed.runs[i].count, true);
    for (size_t i = 0; i < c->added.count; i++)
        page_map_set(&c->store->live, c->added.runs[i].first, c->added.runs[i].count, false);
    c->removed.count = 0;
}

void change_clear_fresh(btree_change *c)
{
    for (size_t i = 0; i < c->added.count; i++)
        page_map_set(&c->store->fresh, c->added.runs[i].first, c->added.runs[i].count, false);
}

void change_free_added(btree_change *c)
{
    for (size_t i = 0; i < c->added.count; i++)
        page_map_set(&c->store->taken, c->added.runs[i].first, c->added.runs[i].count, false);
    c->added.count = 0;
}
