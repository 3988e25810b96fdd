/* btree_change.c -- a change from its begin to its end, and the maps it writes. The steps between are in
 * change_trees.c, the pages in change_pages.c. */
#include "btree/btree_internal.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"

#include <assert.h>

/* Stretches of 64 KiB, which a disk reads in hardly more time than one page, and 1 MiB, which it reads at
 * full speed. */
enum { TOGETHER_PAGES = 16, IN_LINE_PAGES = 256 };

/* ---------------------------------------------------------------- life */

static holt_status change_create(btree_change **out, page_store *s)
{
    *out = NULL;
    btree_change *c = mem_alloc_zero(1, sizeof *c);
    if (!c) return status_no_memory(sizeof *c);
    c->unwritten = mem_large_alloc(WRITE_BUFFER_BYTES);
    if (!c->unwritten) {
        mem_free(c);
        return status_no_memory(WRITE_BUFFER_BYTES);
    }
    c->pages.ops = &change_pages_ops;
    c->pages.file = s->file;
    c->store = s;
    c->first_number = s->number + 1;
    c->notes_births = s->replaced_versions > 0;
    *out = c;
    return HOLT_OK;
}

/* Notes the births of the pages that the last change wrote: the versions that it replaced do not need
 * them. */
static void note_newborn(page_store *s)
{
    for (size_t i = 0; i < s->newborn.count; i++)
        page_births_note(&s->births, s->newborn.runs[i].first, s->newborn.runs[i].count, s->newborn_number);
    s->newborn.count = 0;
}

holt_status btree_change_begin(btree_change **out, page_store *s)
{
    *out = NULL;
    if (!s->writable) return status_set(HOLT_READ_ONLY, "the B+tree file was opened for reading");
    if (!store_enter(s)) return status_set(HOLT_BUSY, "the B+tree file is being changed");
    store_take_resolved(s);
    store_collect(s);
    note_newborn(s);
    store_publish(s);
    holt_status rc =
        s->doubtful ? status_set(HOLT_IO, "the B+tree file takes no changes until a new manifest is written")
                    : change_create(out, s);
    if (rc != HOLT_OK) store_leave(s);
    return rc;
}

static void close_step(btree_change *c)
{
    tree_apply_close(c->apply);
    tree_move_close(c->move);
    tree_walk_close(c->walk);
    c->apply = NULL;
    c->move = NULL;
    c->walk = NULL;
}

void change_destroy(btree_change *c)
{
    if (!c) return;
    close_step(c);
    for (size_t i = 0; i < c->replacement_count; i++) {
        btree_version_unref(c->replacements[i].base);
        btree_version_unref(c->replacements[i].next);
        held_destroy(c->replacements[i].pages);
    }
    mem_free(c->replacements);
    mem_free(c->added.runs);
    mem_free(c->removed.runs);
    mem_free(c->prepared.map_groups);
    mem_large_free(c->unwritten, WRITE_BUFFER_BYTES);
    mem_free(c);
}

uint64_t btree_change_bytes(const btree_change *c)
{
    return c->bytes;
}

/* ---------------------------------------------------------------- replacing */

holt_status change_check_base(const btree_version *base)
{
    if (!base->replaced) return HOLT_OK;
    return status_set(HOLT_CONFLICT, "the B+tree was replaced by another change");
}

void change_begin_step(btree_change *c, page_order order)
{
    assert(!c->apply && !c->move && !c->walk && !c->prepared.map_groups);
    c->store->number++;
    c->removed.fixed = c->removed.count;
    c->stretch.next = c->stretch.end = 0;
    c->stretch.pages = order == PAGES_LOWEST ? 0 : order == PAGES_TOGETHER ? TOGETHER_PAGES : IN_LINE_PAGES;
    c->stretch.limit = order == PAGES_IN_LINE ? UINT64_MAX : page_map_end(&c->store->taken);
}

holt_status change_replace(btree_change *c, btree_version *base, btree_version *next)
{
    assert(c->removed.fixed <= c->removed.count && base != next && !base->replaced);
    if (!mem_grow((void **)&c->replacements, &c->replacement_capacity, c->replacement_count + 1,
                  sizeof *c->replacements))
        return status_no_memory(sizeof *c->replacements);
    held_pages *pages;
    holt_status rc = held_sort(c, base, &pages);
    if (rc != HOLT_OK) return rc;
    c->replacements[c->replacement_count++] = (replacement){
        .base = btree_version_ref(base), .next = next ? btree_version_ref(next) : NULL, .pages = pages};
    close_step(c);
    return HOLT_OK;
}

/* The record has the change now: links the new version to the one it replaces, and holds the replaced
 * pages. */
static void commit_replacement(page_store *s, replacement *r)
{
    assert(!r->base->newer && !r->base->replaced);
    r->base->replaced = true;
    s->replaced_versions++;
    r->base->newer = r->next;
    if (r->next) r->next->older = r->base;
    held_commit(s, r->pages);
    r->pages = NULL;
}

/* ---------------------------------------------------------------- maps */

static holt_status write_map(btree_change *c, size_t group)
{
    page_store *s = c->store;
    uint8_t bytes[MAP_BYTES];
    assert(group < c->prepared.map_group_count && group < s->live.map_groups);
    map_group *e = &c->prepared.map_groups[group];
    const map_group *durable = store_durable(s, group);
    e->touched = group >= s->recorded.map_group_count || s->dirty[group];
    if (!e->touched) return HOLT_OK;
    page_map_encode(&s->live, group, bytes);
    e->copy = durable ? !durable->copy : 0;
    e->checksum = hash_bytes(bytes, sizeof bytes);
    return tree_file_write(s->file, map_page(group, e->copy) * TREE_PAGE_BYTES, bytes, sizeof bytes);
}

static holt_status write_maps(btree_change *c)
{
    const page_store_state *was = &c->store->recorded;
    page_store_state *is = &c->prepared;
    is->file = was->file;
    is->pages = page_map_end(&c->store->live);
    is->map_group_count = map_groups_of(is->pages);
    is->map_groups = mem_alloc_zero(is->map_group_count, sizeof *is->map_groups);
    if (!is->map_groups) return status_no_memory(is->map_group_count * sizeof *is->map_groups);
    size_t both = is->map_group_count < was->map_group_count ? is->map_group_count : was->map_group_count;
    memcpy(is->map_groups, was->map_groups, both * sizeof *is->map_groups);
    holt_status rc = HOLT_OK;
    for (size_t i = 0; rc == HOLT_OK && i < is->map_group_count; i++)
        rc = write_map(c, i);
    return rc;
}

holt_status btree_change_prepare(btree_change *c, const page_store_state **state)
{
    assert(!c->apply && !c->move && !c->walk && !c->prepared.map_groups);
    *state = NULL;
    holt_status rc = change_flush(c);
    if (rc == HOLT_OK) rc = write_maps(c);
    if (rc == HOLT_OK) rc = tree_file_sync(c->store->file);
    if (rc == HOLT_OK) *state = &c->prepared;
    return rc;
}

/* ---------------------------------------------------------------- ending */

/* Keeps the list of the pages that the change wrote. Their births are noted only if a replaced version is
 * still alive when the next change begins. */
static void keep_newborn(btree_change *c)
{
    if (c->notes_births) return; /* they were noted when they were allocated */
    mem_free(c->store->newborn.runs);
    c->store->newborn = c->added;
    c->store->newborn_number = c->first_number;
    memset(&c->added, 0, sizeof c->added);
}

void btree_change_commit(btree_change *c)
{
    page_store *s = c->store;
    assert(c->prepared.map_groups && !s->doubtful);
    for (size_t i = 0; i < s->live.map_groups; i++)
        s->dirty[i] = i >= c->prepared.map_group_count; /* a group that comes back later is to be written */
    mem_free(s->recorded.map_groups);
    s->recorded = c->prepared;
    s->changes++;
    c->prepared.map_groups = NULL;
    for (size_t i = 0; i < c->replacement_count; i++)
        commit_replacement(s, &c->replacements[i]);
    change_clear_fresh(c);
    keep_newborn(c);
    change_destroy(c);
    store_collect(s);
    store_leave(s);
}

void btree_change_abandon(btree_change *c)
{
    if (!c) return;
    page_store *s = c->store;
    change_clear_fresh(c);
    change_undo_live(c);
    change_free_added(c);
    change_destroy(c);
    (void)store_trim(s); /* gives room back to a full disk; after a failure the next trim does */
    store_leave(s);
}

void btree_change_doubt(btree_change *c)
{
    page_store *s = c->store;
    assert(c->prepared.map_groups && !s->doubtful && !s->unrecorded);
    change_clear_fresh(c);
    change_undo_live(c);
    s->doubtful = c;
    /* An earlier resolve does not concern this record. Both calls are made under one lock, which orders
     * them. */
    atomic_store_explicit(&s->resolved, false, memory_order_relaxed);
    store_leave(s);
}
