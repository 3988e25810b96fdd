/* held_pages.c -- pages that a change has replaced, and the versions that still need them.
 *
 * The versions of a tree have ascending numbers. A page has a birth and a death, the numbers of the steps
 * that wrote and replaced it; a version needs it if birth <= number < death. Each held page is in the list of
 * the oldest version that needs it, its keeper, so it can become free only when that version is freed. A list
 * consists of segments, one for each death, in ascending order. When a version is freed, its segments with a
 * death up to the number of the next newer version are free, and the others go to the list of that one. So a
 * page that is freed is visited once, and passing pages on is done by segment.
 */
#include "btree/btree_internal.h"

#include "base/memory.h"
#include "base/status.h"

#include <assert.h>

struct held_pages {
    held_pages *next;
    btree_version *keeper; /* until held_commit; NULL: no version needs them */
    uint64_t death;
    size_t count;
    page_run runs[];
};

/* ---------------------------------------------------------------- sorting by keeper */

/* A version of the tree, and what it keeps of the pages that are replaced. */
typedef struct keeper {
    btree_version *version; /* NULL: none */
    held_pages *pages;      /* its segment */
    size_t runs;            /* in the segment */
} keeper;

typedef struct keepers {
    keeper *list; /* first the one for no version, then the versions from the newest to the oldest */
    size_t count;
} keepers;

/* The version before this one. Versions of the open change are not linked yet. */
static btree_version *before(const btree_change *c, const btree_version *v)
{
    if (v->older || v->number < c->first_number) return v->older;
    for (size_t i = 0; i < c->replacement_count; i++)
        if (c->replacements[i].next == v) return c->replacements[i].base;
    return NULL;
}

static holt_status list_keepers(const btree_change *c, btree_version *base, keepers *out)
{
    size_t capacity = 0;
    out->list = NULL;
    out->count = 1;
    btree_version *v = base;
    do {
        if (!mem_grow((void **)&out->list, &capacity, out->count + 1, sizeof *out->list))
            return status_no_memory((out->count + 1) * sizeof *out->list);
        out->list[out->count++] = (keeper){.version = v};
        v = before(c, v);
    } while (v);
    out->list[0] = (keeper){NULL, NULL, 0};
    return HOLT_OK;
}

/* The oldest version with a number of at least `birth`, or none. */
static keeper *keeper_since(const keepers *k, uint64_t birth)
{
    /* The versions up to `low` are not older than birth, those from `high` on are. */
    size_t low = 0, high = k->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (k->list[middle].version->number >= birth)
            low = middle;
        else
            high = middle;
    }
    return &k->list[low];
}

static keeper *keeper_of(const btree_change *c, const keepers *k, const page_run *r)
{
    return keeper_since(k, change_birth(c, r->first));
}

/* Makes a segment for each keeper that has any pages, with room for them. */
static holt_status make_segments(const btree_change *c, keepers *k, held_pages **out)
{
    for (size_t i = 0; i < k->count; i++) {
        keeper *one = &k->list[i];
        if (!one->runs) continue;
        size_t bytes = sizeof *one->pages + one->runs * sizeof one->pages->runs[0];
        one->pages = mem_alloc(bytes);
        if (!one->pages) return status_no_memory(bytes);
        one->pages->keeper = one->version;
        one->pages->death = c->store->number;
        one->pages->count = 0;
        one->pages->next = *out;
        *out = one->pages;
    }
    return HOLT_OK;
}

static holt_status sort_runs(const btree_change *c, keepers *k, held_pages **out)
{
    const page_runs *removed = &c->removed;
    for (size_t i = removed->fixed; i < removed->count; i++)
        keeper_of(c, k, &removed->runs[i])->runs++;
    holt_status rc = make_segments(c, k, out);
    for (size_t i = removed->fixed; i < removed->count && rc == HOLT_OK; i++) {
        held_pages *to = keeper_of(c, k, &removed->runs[i])->pages;
        to->runs[to->count++] = removed->runs[i];
    }
    return rc;
}

holt_status held_sort(const btree_change *c, btree_version *base, held_pages **out)
{
    keepers k;
    *out = NULL;
    holt_status rc = list_keepers(c, base, &k);
    if (rc == HOLT_OK) rc = sort_runs(c, &k, out);
    mem_free(k.list);
    if (rc == HOLT_OK) return HOLT_OK;
    held_destroy(*out);
    *out = NULL;
    return rc;
}

void held_destroy(held_pages *pages)
{
    while (pages) {
        held_pages *next = pages->next;
        mem_free(pages);
        pages = next;
    }
}

/* ---------------------------------------------------------------- holding and freeing */

static uint64_t pages_in(const held_pages *h)
{
    uint64_t pages = 0;
    for (size_t i = 0; i < h->count; i++)
        pages += h->runs[i].count;
    return pages;
}

/* Blocks of free pages are dropped from the cache, where they would take room from others. */
static void free_run(page_store *s, page_run r)
{
    page_map_set(&s->taken, r.first, r.count, false);
    for (uint32_t i = 0; i < r.count; i++)
        cache_erase(tree_file_cache(s->file), r.first + i);
}

static void free_segment(page_store *s, held_pages *h)
{
    s->held -= pages_in(h);
    for (size_t i = 0; i < h->count; i++)
        free_run(s, h->runs[i]);
    mem_free(h);
}

void held_commit(page_store *s, held_pages *pages)
{
    while (pages) {
        held_pages *h = pages;
        btree_version *v = h->keeper;
        pages = h->next;
        h->next = NULL;
        h->keeper = NULL;
        uint64_t count = pages_in(h);
        s->held += count;
        for (btree_version *one = v; one && one->number < h->death; one = one->newer)
            atomic_fetch_add_explicit(&one->needs, count, memory_order_relaxed);
        if (!v) {
            free_segment(s, h);
            continue;
        }
        assert(v->number < h->death && (!v->held_last || v->held_last->death <= h->death));
        if (v->held_last)
            v->held_last->next = h;
        else
            v->held_first = h;
        v->held_last = h;
    }
}

/* Merges a list of segments into that of a version, in the order of their deaths. */
static void merge_into(btree_version *v, held_pages *list)
{
    held_pages **at = &v->held_first;
    while (list) {
        while (*at && (*at)->death <= list->death)
            at = &(*at)->next;
        held_pages *rest = *at; /* all its deaths are later than the first of the list: swap the two */
        *at = list;
        list = rest;
    }
    for (held_pages *h = *at; h; h = h->next)
        v->held_last = h;
}

void held_pass_on(page_store *s, btree_version *v)
{
    const btree_version *heir = v->newer;
    held_pages *h = v->held_first;
    while (h && (!heir || h->death <= heir->number)) {
        held_pages *next = h->next;
        free_segment(s, h);
        h = next;
    }
    if (h) merge_into(v->newer, h);
    v->held_first = v->held_last = NULL;
}
