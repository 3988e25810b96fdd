/* space.c -- making and opening a space, who may change it, and the end of its file. */
#include "btree/btree_internal.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"

#include <assert.h>
#include <inttypes.h>

size_t btree_extents_of(uint64_t pages)
{
    return pages <= BTREE_EXTENT_PAGES ? 1 : (size_t)((pages - 1) / BTREE_EXTENT_PAGES) + 1;
}

/* ---------------------------------------------------------------- the changer */

bool space_enter(btree_space *s)
{
    bool expected = false;
    return atomic_compare_exchange_strong_explicit(&s->changing, &expected, true, memory_order_acquire,
                                                   memory_order_relaxed);
}

bool space_counts_agree(const btree_space *s)
{
    uint64_t pages = s->live.count + s->held;
    for (size_t i = 0; s->doubtful && i < s->doubtful->added.count; i++)
        pages += s->doubtful->added.runs[i].count;
    return pages == s->taken.count;
}

void space_publish(btree_space *s)
{
    assert(space_counts_agree(s));
    uint64_t end = page_map_end(&s->taken);
    atomic_store_explicit(&s->stat_live, s->live.count, memory_order_relaxed);
    atomic_store_explicit(&s->stat_taken, s->taken.count, memory_order_relaxed);
    atomic_store_explicit(&s->stat_held, s->held, memory_order_relaxed);
    atomic_store_explicit(&s->stat_end, end, memory_order_relaxed);
}

void space_leave(btree_space *s)
{
    assert(atomic_load_explicit(&s->changing, memory_order_relaxed));
    space_publish(s);
    atomic_store_explicit(&s->changing, false, memory_order_release);
}

void btree_space_stats_get(const btree_space *s, btree_space_stats *out)
{
    uint64_t live = atomic_load_explicit(&s->stat_live, memory_order_relaxed),
             taken = atomic_load_explicit(&s->stat_taken, memory_order_relaxed),
             end = atomic_load_explicit(&s->stat_end, memory_order_relaxed);
    uint64_t reserved = 1 + 2 * (uint64_t)btree_extents_of(end);
    out->pages_live = live;
    out->pages_held = atomic_load_explicit(&s->stat_held, memory_order_relaxed);
    out->pages_free = end > taken + reserved ? end - taken - reserved : 0;
    out->file_bytes = tree_file_size(s->file);
}

holt_status space_grow(btree_space *s, size_t extents)
{
    size_t before = s->dirty_capacity;
    bool grown = page_map_grow(&s->live, extents) && page_map_grow(&s->taken, extents) &&
                 page_map_grow(&s->fresh, extents) &&
                 mem_grow((void **)&s->dirty, &s->dirty_capacity, extents, sizeof *s->dirty);
    if (!grown) return status_no_memory(extents * MAP_BYTES);
    for (size_t i = before; i < s->dirty_capacity; i++)
        s->dirty[i] = true;
    return HOLT_OK;
}

holt_status space_cut(btree_space *s)
{
    space_collect(s);
    if (!s->writable || s->doubtful || s->unrecorded) return HOLT_OK;
    uint64_t end = page_map_end(&s->taken);
    if (end < s->recorded.pages) end = s->recorded.pages;
    return tree_file_truncate(s->file, end * TREE_PAGE_BYTES);
}

holt_status btree_space_trim(btree_space *s)
{
    if (!space_enter(s)) return HOLT_OK;
    space_take_settled(s);
    holt_status rc = space_cut(s);
    space_leave(s);
    return rc;
}

void btree_space_collect(btree_space *s)
{
    if (!space_enter(s)) return;
    space_take_settled(s);
    space_collect(s);
    space_leave(s);
}

/* ---------------------------------------------------------------- what is durable */

const btree_extent *space_durable(const btree_space *s, size_t extent)
{
    if (s->unrecorded) return extent < s->durable_count ? &s->durable[extent] : NULL;
    return extent < s->recorded.extent_count ? &s->recorded.extents[extent] : NULL;
}

holt_status btree_space_unrecorded(btree_space *s)
{
    bool entered = space_enter(s);
    assert(entered && !s->unrecorded);
    (void)entered;
    size_t bytes = s->recorded.extent_count * sizeof *s->durable;
    s->durable = mem_copy(s->recorded.extents, bytes);
    s->durable_count = s->recorded.extent_count;
    s->unrecorded = s->durable != NULL;
    space_leave(s);
    return s->unrecorded ? HOLT_OK : status_no_memory(bytes);
}

static void forget_doubt(btree_space *s)
{
    s->unrecorded = false;
    mem_free(s->durable);
    s->durable = NULL;
    if (!s->doubtful) return;
    change_free_added(s->doubtful);
    change_destroy(s->doubtful);
    s->doubtful = NULL;
}

void space_take_settled(btree_space *s)
{
    if (atomic_exchange_explicit(&s->settled, false, memory_order_acquire)) forget_doubt(s);
}

void btree_space_settle(btree_space *s)
{
    atomic_store_explicit(&s->settled, true, memory_order_release);
    if (!space_enter(s))
        return; /* the next changer takes it: an open change is neither in doubt nor begun in it */
    space_take_settled(s);
    space_leave(s);
}

/* ---------------------------------------------------------------- maps */

holt_status space_map_corrupt(const btree_space *s, size_t extent, const char *what)
{
    uint64_t page = map_page(extent, s->recorded.extents[extent].copy);
    char name[OS_NAME_MAX];
    tree_page_file_name(tree_file_number(s->file), name);
    return status_set_file(HOLT_CORRUPT, name, page * TREE_PAGE_BYTES, "free map at %" PRIu64 ": %s",
                           page * TREE_PAGE_BYTES, what);
}

holt_status space_read_map(btree_space *s, size_t extent, uint8_t out[MAP_BYTES])
{
    assert(extent < s->recorded.extent_count);
    const btree_extent *e = &s->recorded.extents[extent];
    if (e->copy > 1) return space_map_corrupt(s, extent, "the manifest names an impossible copy");
    holt_status rc = tree_file_read_raw(s->file, map_page(extent, e->copy) * TREE_PAGE_BYTES, out, MAP_BYTES);
    if (rc != HOLT_OK) return rc;
    return hash_bytes(out, MAP_BYTES) == e->checksum ? HOLT_OK
                                                     : space_map_corrupt(s, extent, "wrong checksum");
}

static holt_status load_maps(btree_space *s)
{
    uint8_t bytes[MAP_BYTES];
    holt_status rc = space_grow(s, s->recorded.extent_count);
    for (size_t i = 0; rc == HOLT_OK && i < s->recorded.extent_count; i++) {
        rc = space_read_map(s, i, bytes);
        if (rc != HOLT_OK) return rc;
        s->dirty[i] = false;
        if (!page_map_decode(&s->live, i, bytes) || !page_map_decode(&s->taken, i, bytes))
            return space_map_corrupt(s, i, "header or map pages are not in use");
    }
    if (rc != HOLT_OK) return rc;
    if (page_map_end(&s->live) == s->recorded.pages) return HOLT_OK;
    return space_map_corrupt(s, s->recorded.extent_count - 1, "ends elsewhere than the manifest says");
}

/* ---------------------------------------------------------------- life */

static void space_destroy(btree_space *s)
{
    if (!s) return;
    page_births_clear(&s->births, 0);
    tree_file_unref(s->file);
    page_map_deinit(&s->live);
    page_map_deinit(&s->taken);
    page_map_deinit(&s->fresh);
    mem_free(s->newborn.runs);
    mem_free(s->recorded.extents);
    mem_free(s->durable);
    mem_free(s->dirty);
    mem_free(s);
}

static holt_status space_alloc(btree_space **out, cache *charged, size_t extents)
{
    *out = NULL;
    btree_space *s = mem_alloc_zero(1, sizeof *s);
    if (!s) return status_no_memory(sizeof *s);
    s->births.charged = charged;
    s->recorded.extents = mem_alloc_zero(extents, sizeof *s->recorded.extents);
    if (!s->recorded.extents) {
        mem_free(s);
        return status_no_memory(extents * sizeof *s->recorded.extents);
    }
    s->recorded.extent_count = extents;
    *out = s;
    return HOLT_OK;
}

/* Map A says that nothing is in use; B is there so that the file has its least size. */
static holt_status write_first_maps(btree_space *s)
{
    uint8_t bytes[2 * MAP_BYTES] = {0};
    page_map_encode(&s->live, 0, bytes);
    s->recorded.extents[0].checksum = hash_bytes(bytes, MAP_BYTES);
    s->recorded.extents[0].copy = 0;
    s->dirty[0] = false;
    holt_status rc = tree_file_write(s->file, map_page(0, 0) * TREE_PAGE_BYTES, bytes, sizeof bytes);
    return rc == HOLT_OK ? tree_file_sync(s->file) : rc;
}

holt_status btree_space_create(btree_space **out, tree_files *t, uint64_t number)
{
    btree_space *s;
    *out = NULL;
    holt_status rc = space_alloc(&s, tree_files_cache(t), 1);
    if (rc != HOLT_OK) return rc;
    s->writable = true;
    s->recorded.file = number;
    s->recorded.pages = PAGES_MIN;
    rc = space_grow(s, 1);
    if (rc == HOLT_OK) rc = tree_page_file_create(t, number, &s->file);
    if (rc == HOLT_OK) {
        rc = write_first_maps(s);
        if (rc != HOLT_OK) tree_file_obsolete(s->file); /* no manifest names it */
    }
    space_publish(s);
    if (rc == HOLT_OK)
        *out = s;
    else
        space_destroy(s);
    return rc;
}

static holt_status check_state(const btree_space_state *state)
{
    char name[OS_NAME_MAX];
    if (state->pages >= PAGES_MIN && state->pages <= UINT32_MAX &&
        state->extent_count == btree_extents_of(state->pages))
        return HOLT_OK;
    tree_page_file_name(state->file, name);
    return status_set_file(HOLT_CORRUPT, name, HOLT_NO_OFFSET, "the manifest gives it an impossible size");
}

holt_status btree_space_open(btree_space **out, tree_files *t, const btree_space_state *state, bool writable)
{
    btree_space *s;
    *out = NULL;
    holt_status rc = check_state(state);
    if (rc == HOLT_OK) rc = space_alloc(&s, tree_files_cache(t), state->extent_count);
    if (rc != HOLT_OK) return rc;
    s->writable = writable;
    s->recorded.file = state->file;
    s->recorded.pages = state->pages;
    memcpy(s->recorded.extents, state->extents, state->extent_count * sizeof *state->extents);
    rc = tree_page_file_open(t, state->file, state->pages * TREE_PAGE_BYTES, writable, &s->file);
    if (rc == HOLT_OK) rc = load_maps(s);
    if (rc == HOLT_OK) {
        space_publish(s);
        *out = s;
    } else {
        space_destroy(s);
    }
    return rc;
}

void btree_space_close(btree_space *s)
{
    if (!s) return;
    assert(!atomic_load_explicit(&s->changing, memory_order_relaxed));
    forget_doubt(s); /* nothing is written any more */
    space_collect(s);
    assert(atomic_load_explicit(&s->versions, memory_order_relaxed) == 0);
    space_destroy(s);
}

tree_file *btree_space_file(const btree_space *s)
{
    return s->file;
}

const btree_space_state *btree_space_recorded(const btree_space *s)
{
    return &s->recorded;
}
