/* page_store.c -- creating and opening the page store, its one changer, its maps, and trimming its file. */
#include "btree/btree_internal.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"

#include <assert.h>
#include <inttypes.h>

size_t map_groups_of(uint64_t pages)
{
    return pages <= MAP_GROUP_PAGES ? 1 : (size_t)((pages - 1) / MAP_GROUP_PAGES) + 1;
}

/* ---------------------------------------------------------------- the changer */

bool store_enter(page_store *s)
{
    bool expected = false;
    return atomic_compare_exchange_strong_explicit(&s->changing, &expected, true, memory_order_acquire,
                                                   memory_order_relaxed);
}

bool store_counts_agree(const page_store *s)
{
    uint64_t pages = s->live.count + s->held;
    for (size_t i = 0; s->doubtful && i < s->doubtful->added.count; i++)
        pages += s->doubtful->added.runs[i].count;
    return pages == s->taken.count;
}

void store_publish(page_store *s)
{
    assert(store_counts_agree(s));
    uint64_t end = page_map_end(&s->taken);
    atomic_store_explicit(&s->stat_live, s->live.count, memory_order_relaxed);
    atomic_store_explicit(&s->stat_taken, s->taken.count, memory_order_relaxed);
    atomic_store_explicit(&s->stat_held, s->held, memory_order_relaxed);
    atomic_store_explicit(&s->stat_end, end, memory_order_relaxed);
    atomic_store_explicit(&s->stat_changes, s->changes, memory_order_relaxed);
}

void store_leave(page_store *s)
{
    assert(atomic_load_explicit(&s->changing, memory_order_relaxed));
    store_publish(s);
    atomic_store_explicit(&s->changing, false, memory_order_release);
}

void page_store_stats_get(const page_store *s, page_store_stats *out)
{
    uint64_t live = atomic_load_explicit(&s->stat_live, memory_order_relaxed),
             taken = atomic_load_explicit(&s->stat_taken, memory_order_relaxed),
             end = atomic_load_explicit(&s->stat_end, memory_order_relaxed);
    uint64_t reserved = 1 + 2 * (uint64_t)map_groups_of(end);
    out->pages_live = live;
    out->pages_held = atomic_load_explicit(&s->stat_held, memory_order_relaxed);
    out->pages_free = end > taken + reserved ? end - taken - reserved : 0;
    out->file_bytes = tree_file_size(s->file);
    out->changes = atomic_load_explicit(&s->stat_changes, memory_order_relaxed);
}

holt_status store_grow(page_store *s, size_t map_groups)
{
    size_t before = s->dirty_capacity;
    bool grown = page_map_grow(&s->live, map_groups) && page_map_grow(&s->taken, map_groups) &&
                 page_map_grow(&s->fresh, map_groups) &&
                 mem_grow((void **)&s->dirty, &s->dirty_capacity, map_groups, sizeof *s->dirty);
    if (!grown) return status_no_memory(map_groups * MAP_BYTES);
    for (size_t i = before; i < s->dirty_capacity; i++)
        s->dirty[i] = true;
    return HOLT_OK;
}

holt_status store_trim(page_store *s)
{
    store_collect(s);
    if (!s->writable || s->doubtful || s->unrecorded) return HOLT_OK;
    uint64_t end = page_map_end(&s->taken);
    if (end < s->recorded.pages) end = s->recorded.pages;
    return tree_file_truncate(s->file, end * TREE_PAGE_BYTES);
}

holt_status page_store_trim(page_store *s)
{
    if (!store_enter(s)) return HOLT_OK;
    store_take_resolved(s);
    holt_status rc = store_trim(s);
    store_leave(s);
    return rc;
}

void page_store_collect(page_store *s)
{
    if (!store_enter(s)) return;
    store_take_resolved(s);
    store_collect(s);
    store_leave(s);
}

/* ---------------------------------------------------------------- what is durable */

const map_group *store_durable(const page_store *s, size_t group)
{
    if (s->unrecorded) return group < s->durable_count ? &s->durable[group] : NULL;
    return group < s->recorded.map_group_count ? &s->recorded.map_groups[group] : NULL;
}

holt_status page_store_unrecorded(page_store *s)
{
    bool entered = store_enter(s);
    assert(entered && !s->unrecorded);
    (void)entered;
    size_t bytes = s->recorded.map_group_count * sizeof *s->durable;
    s->durable = mem_copy(s->recorded.map_groups, bytes);
    s->durable_count = s->recorded.map_group_count;
    s->unrecorded = s->durable != NULL;
    store_leave(s);
    return s->unrecorded ? HOLT_OK : status_no_memory(bytes);
}

/* The recorded state is durable: ends doubt and unrecorded changes. */
static void end_doubt(page_store *s)
{
    s->unrecorded = false;
    mem_free(s->durable);
    s->durable = NULL;
    if (!s->doubtful) return;
    change_free_added(s->doubtful);
    change_destroy(s->doubtful);
    s->doubtful = NULL;
}

void store_take_resolved(page_store *s)
{
    if (atomic_exchange_explicit(&s->resolved, false, memory_order_acquire)) end_doubt(s);
}

void page_store_resolve(page_store *s)
{
    atomic_store_explicit(&s->resolved, true, memory_order_release);
    if (!store_enter(s))
        return; /* left to the next changer: the open change cannot have begun during a doubt */
    store_take_resolved(s);
    store_leave(s);
}

/* ---------------------------------------------------------------- maps */

holt_status store_map_corrupt(const page_store *s, size_t group, const char *what)
{
    uint64_t page = map_page(group, s->recorded.map_groups[group].copy);
    char name[OS_NAME_MAX];
    tree_page_file_name(tree_file_number(s->file), name);
    return status_set_file(HOLT_CORRUPT, name, page * TREE_PAGE_BYTES, "free map at %" PRIu64 ": %s",
                           page * TREE_PAGE_BYTES, what);
}

holt_status store_read_map(page_store *s, size_t group, uint8_t out[MAP_BYTES])
{
    assert(group < s->recorded.map_group_count);
    const map_group *e = &s->recorded.map_groups[group];
    if (e->copy > 1) return store_map_corrupt(s, group, "the manifest names a copy that cannot exist");
    holt_status rc = tree_file_read_raw(s->file, map_page(group, e->copy) * TREE_PAGE_BYTES, out, MAP_BYTES);
    if (rc != HOLT_OK) return rc;
    return hash_bytes(out, MAP_BYTES) == e->checksum ? HOLT_OK
                                                     : store_map_corrupt(s, group, "wrong checksum");
}

static holt_status load_maps(page_store *s)
{
    uint8_t bytes[MAP_BYTES];
    holt_status rc = store_grow(s, s->recorded.map_group_count);
    for (size_t i = 0; rc == HOLT_OK && i < s->recorded.map_group_count; i++) {
        rc = store_read_map(s, i, bytes);
        if (rc != HOLT_OK) return rc;
        s->dirty[i] = false;
        if (!page_map_decode(&s->live, i, bytes) || !page_map_decode(&s->taken, i, bytes))
            return store_map_corrupt(s, i, "header or map pages are not in use");
    }
    if (rc != HOLT_OK) return rc;
    if (page_map_end(&s->live) == s->recorded.pages) return HOLT_OK;
    return store_map_corrupt(s, s->recorded.map_group_count - 1,
                             "the last page in use is not the one in the manifest");
}

/* ---------------------------------------------------------------- life */

static void store_destroy(page_store *s)
{
    if (!s) return;
    page_births_clear(&s->births, 0);
    tree_file_unref(s->file);
    page_map_deinit(&s->live);
    page_map_deinit(&s->taken);
    page_map_deinit(&s->fresh);
    mem_free(s->newborn.runs);
    mem_free(s->recorded.map_groups);
    mem_free(s->durable);
    mem_free(s->dirty);
    mem_free(s);
}

static holt_status store_alloc(page_store **out, cache *charged, size_t map_groups)
{
    *out = NULL;
    page_store *s = mem_alloc_zero(1, sizeof *s);
    if (!s) return status_no_memory(sizeof *s);
    s->births.charged = charged;
    s->changes = 1;
    s->recorded.map_groups = mem_alloc_zero(map_groups, sizeof *s->recorded.map_groups);
    if (!s->recorded.map_groups) {
        mem_free(s);
        return status_no_memory(map_groups * sizeof *s->recorded.map_groups);
    }
    s->recorded.map_group_count = map_groups;
    *out = s;
    return HOLT_OK;
}

/* In map A no page is in use. B is written to give the file its minimum size. */
static holt_status write_first_maps(page_store *s)
{
    uint8_t bytes[2 * MAP_BYTES] = {0};
    page_map_encode(&s->live, 0, bytes);
    s->recorded.map_groups[0].checksum = hash_bytes(bytes, MAP_BYTES);
    s->recorded.map_groups[0].copy = 0;
    s->dirty[0] = false;
    holt_status rc = tree_file_write(s->file, map_page(0, 0) * TREE_PAGE_BYTES, bytes, sizeof bytes);
    return rc == HOLT_OK ? tree_file_sync(s->file) : rc;
}

holt_status page_store_create(page_store **out, tree_files *t, uint64_t number)
{
    page_store *s;
    *out = NULL;
    holt_status rc = store_alloc(&s, tree_files_cache(t), 1);
    if (rc != HOLT_OK) return rc;
    s->writable = true;
    s->recorded.file = number;
    s->recorded.pages = PAGES_MIN;
    rc = store_grow(s, 1);
    if (rc == HOLT_OK) rc = tree_page_file_create(t, number, &s->file);
    if (rc == HOLT_OK) {
        rc = write_first_maps(s);
        if (rc != HOLT_OK) tree_file_obsolete(s->file); /* no manifest names it */
    }
    store_publish(s);
    if (rc == HOLT_OK)
        *out = s;
    else
        store_destroy(s);
    return rc;
}

static holt_status check_state(const page_store_state *state)
{
    char name[OS_NAME_MAX];
    if (state->pages >= PAGES_MIN && state->pages <= UINT32_MAX &&
        state->map_group_count == map_groups_of(state->pages))
        return HOLT_OK;
    tree_page_file_name(state->file, name);
    return status_set_file(HOLT_CORRUPT, name, HOLT_NO_OFFSET, "the size in the manifest is impossible");
}

holt_status page_store_open(page_store **out, tree_files *t, const page_store_state *state, bool writable)
{
    page_store *s;
    *out = NULL;
    holt_status rc = check_state(state);
    if (rc == HOLT_OK) rc = store_alloc(&s, tree_files_cache(t), state->map_group_count);
    if (rc != HOLT_OK) return rc;
    s->writable = writable;
    s->recorded.file = state->file;
    s->recorded.pages = state->pages;
    memcpy(s->recorded.map_groups, state->map_groups, state->map_group_count * sizeof *state->map_groups);
    rc = tree_page_file_open(t, state->file, state->pages * TREE_PAGE_BYTES, writable, &s->file);
    if (rc == HOLT_OK) rc = load_maps(s);
    if (rc == HOLT_OK) {
        store_publish(s);
        *out = s;
    } else {
        store_destroy(s);
    }
    return rc;
}

void page_store_close(page_store *s)
{
    if (!s) return;
    assert(!atomic_load_explicit(&s->changing, memory_order_relaxed));
    end_doubt(s); /* nothing will be written any more */
    store_collect(s);
    assert(atomic_load_explicit(&s->versions, memory_order_relaxed) == 0);
    store_destroy(s);
}

tree_file *page_store_file(const page_store *s)
{
    return s->file;
}

const page_store_state *page_store_recorded(const page_store *s)
{
    return &s->recorded;
}
