/* memmap.c -- the map of a collection: descending, copying leaves, inserting. */
#include "memtable/memmap_internal.h"

#include <assert.h>
#include <sched.h>

/* ---------------------------------------------------------------- reading */

/* The writer is done with a node within a microsecond, or a few when it splits one, unless it has been
 * preempted: spin first, then yield. */
void memmap_pause(unsigned *tries)
{
    enum { SPINS = 64 };
    if (++*tries < SPINS) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
        return;
    }
    sched_yield();
}

/* Fetches all heads at once, instead of taking one cache miss after another during the search. */
static void prefetch_node(const memnode *n)
{
    const char *line = (const char *)n;
    for (size_t at = 0; at < sizeof *n; at += CACHE_LINE)
        __builtin_prefetch(line + at);
}

uint32_t memmap_child_place(const memnode *inner, memmap_target target, slice key)
{
    bool equal;
    switch (target) {
    case LEAF_OF:
        return memnode_search(inner, key, ABOVE, &equal) - 1;
    case LEAF_BELOW:
        return memnode_search(inner, key, AT_OR_ABOVE, &equal) - 1;
    case LEAF_LAST:
        break;
    }
    uint32_t count = memnode_count(inner);
    return count ? count - 1 : 0;
}

const memnode *memmap_try_descend(const memmap *m, memmap_target target, slice key, uint32_t level,
                                  uint64_t *version)
{
    const memnode *n = atomic_load_explicit(&m->root, memory_order_acquire);
    if (!memnode_read_begin(n, version)) return NULL;
    /* A root that was split before its version was loaded is no longer the root. Relaxed: the load of the
     * version was an acquire. */
    if (atomic_load_explicit(&m->root, memory_order_relaxed) != n) return NULL;
    while (n->level > level) {
        const memnode *child = memnode_child(n, memmap_child_place(n, target, key));
        prefetch_node(child);
        uint64_t child_version;
        if (!memnode_read_begin(child, &child_version) || !memnode_read_end(n, *version)) return NULL;
        n = child;
        *version = child_version;
    }
    return n;
}

const memtable_record *memmap_find(const memmap *m, slice key)
{
    for (unsigned tries = 0;; memmap_pause(&tries)) {
        uint64_t version;
        bool found;
        const memnode *leaf = memmap_try_descend(m, LEAF_OF, key, 0, &version);
        if (!leaf) continue;
        uint32_t place = memnode_search(leaf, key, AT_OR_ABOVE, &found);
        const memtable_record *r = found ? memnode_record(leaf, place) : NULL;
        if (memnode_read_end(leaf, version)) return r;
    }
}

/* Narrows the copy to the range. A bound is searched for only in the leaf whose fences enclose it. */
static void clip_leaf(const memnode *leaf, const memmap_range *range, memmap_leaf *out)
{
    bool equal;
    if (!slice_is_open(range->upper) &&
        (!out->upper || slice_compare(range->upper, record_key(out->upper)) <= 0)) {
        if (!out->upper || !slice_equal(range->upper, record_key(out->upper)))
            out->end = memnode_search(leaf, range->upper, AT_OR_ABOVE, &equal);
        out->upper = NULL;
    }
    if (!slice_is_open(range->lower) &&
        (!out->lower || slice_compare(range->lower, record_key(out->lower)) >= 0)) {
        out->begin = memnode_search(leaf, range->lower, AT_OR_ABOVE, &equal);
        out->lower = NULL;
    }
}

void memmap_copy_leaf(const memmap *m, memmap_target target, slice key, const memmap_range *range,
                      memmap_leaf *out)
{
    for (unsigned tries = 0;; memmap_pause(&tries)) {
        uint64_t version;
        bool equal;
        const memnode *leaf = memmap_try_descend(m, target, key, 0, &version);
        if (!leaf) continue;
        const uint32_t count = memnode_count(leaf);
        out->begin = 0;
        out->end = count;
        out->place = target == LEAF_LAST ? count : memnode_search(leaf, key, AT_OR_ABOVE, &equal);
        out->lower = leaf->lower;
        out->upper = memnode_upper(leaf);
        out->tombstones = memnode_tombstones(leaf, &out->newest);
        const memtable_record *lower = out->lower, *upper = out->upper;
        clip_leaf(leaf, range, out);
        out->below = out->begin > 0 ? memnode_record(leaf, out->begin - 1) : lower;
        out->above = out->end < count ? memnode_record(leaf, out->end) : upper;
        for (uint32_t i = out->begin; i < out->end; i++)
            out->records[i] = memnode_record(leaf, i);
        if (memnode_read_end(leaf, version)) break;
    }
    if (out->place > out->end) out->place = out->end;
    if (out->place < out->begin) out->place = out->begin;
}

/* ---------------------------------------------------------------- inserting */

/* Where a key belongs: a node of each level, and the place in it of the child or, in the leaf, of the key. */
typedef struct memmap_path {
    struct {
        memnode *node;
        uint32_t place;
    } levels[MEMMAP_HEIGHT_MAX];
    uint32_t height;
    bool found;  /* the key is already in the leaf, at its place */
    bool append; /* the key is above all others */
} memmap_path;

memmap *memmap_create(memchunks *c, uint32_t collection)
{
    if (!memchunks_reserve(c, sizeof(memmap) + alignof(memmap) + sizeof(memnode) + alignof(memnode)))
        return NULL;
    memmap *m = memchunks_take(c, sizeof *m, alignof(memmap));
    m->collection = collection;
    m->rightmost = memnode_create(c, 0, NULL, NULL);
    atomic_init(&m->root, m->rightmost);
    memranges_init(&m->ranges);
    atomic_init(&m->entries, 0);
    atomic_init(&m->newest, 0);
    return m;
}

static memnode *own_root(const memmap *m)
{
    return atomic_load_explicit(&m->root, memory_order_relaxed); /* the writer's own store */
}

static void find_path(const memmap *m, slice key, memmap_path *path)
{
    memnode *n = own_root(m);
    path->height = n->level + 1;
    while (n->level > 0) {
        uint32_t place = memmap_child_place(n, LEAF_OF, key);
        path->levels[n->level].node = n;
        path->levels[n->level].place = place;
        n = memnode_child(n, place);
        prefetch_node(n);
    }
    uint32_t place = memnode_search(n, key, AT_OR_ABOVE, &path->found);
    path->levels[0].node = n;
    path->levels[0].place = place;
    path->append = n == m->rightmost && place == memnode_count(n);
}

static bool is_full(const memnode *n)
{
    return memnode_count(n) == NODE_SLOTS;
}

/* The number of nodes, from the leaf upwards, that must be split to make room for the key. */
static uint32_t count_splits(const memmap_path *path)
{
    uint32_t splits = 0;
    while (splits < path->height && is_full(path->levels[splits].node))
        splits++;
    return splits;
}

static void grow_root(memmap *m, memchunks *c, memmap_path *path)
{
    assert(path->height < MEMMAP_HEIGHT_MAX);
    memnode *root = memnode_create(c, path->height, NULL, NULL);
    memnode_insert(root, 0, slice_of("", 0), own_root(m));
    path->levels[path->height].node = root;
    path->levels[path->height].place = 0;
    path->height++;
    /* Release: a reader that loads the root sees it filled. */
    atomic_store_explicit(&m->root, root, memory_order_release);
}

/* Splits the path's node at a level and moves the path to the half that the key belongs to. A path of an
 * appended key splits at the end, so that ascending keys leave full nodes. */
static void split_level(memmap *m, memchunks *c, memmap_path *path, uint32_t level, const memtable_record *r)
{
    assert(level + 1 < path->height && is_full(path->levels[level].node) &&
           !is_full(path->levels[level + 1].node));
    memnode *n = path->levels[level].node;
    uint32_t place = path->levels[level].place, parent_place = path->levels[level + 1].place;
    uint32_t from = NODE_SLOTS / 2;
    if (path->append) from = level ? NODE_SLOTS - 1 : NODE_SLOTS;
    const memtable_record *separator = r; /* right for an appended leaf, which is still empty */
    if (level)
        separator = memnode_child(n, from)->lower;
    else if (!path->append)
        separator = memnode_record(n, from);
    memnode *right = memnode_create(c, level, separator, memnode_upper(n));
    memnode_split(path->levels[level + 1].node, parent_place, n, from, right);
    if (n == m->rightmost) m->rightmost = right;

    /* A key whose place is the separator's lies below it, unless the key itself is the separator. */
    bool goes_right = level ? place >= from : place > from || path->append;
    if (!goes_right) return;
    path->levels[level].node = right;
    path->levels[level].place = place - from;
    path->levels[level + 1].place++;
}

/* Allocates the record and reserves memory for `nodes` nodes. NULL: out of memory. */
static memtable_record *reserve_insert(memchunks *c, size_t size, uint32_t nodes)
{
    size_t node_bytes = nodes * (sizeof(memnode) + alignof(memnode));
    bool large = memchunks_is_large(c, size);
    if (!memchunks_reserve(c, node_bytes + (large ? 0 : size + alignof(memtable_record)))) return NULL;
    return large ? memchunks_alloc_alone(c, size) : memchunks_take(c, size, alignof(memtable_record));
}

/* Makes the path of a key above all others, if there is room for it in the last leaf: ascending keys need no
 * search. */
static bool find_append(const memmap *m, slice key, memmap_path *path)
{
    uint32_t count = memnode_count(m->rightmost);
    if (count == 0 || count == NODE_SLOTS) return false;
    if (slice_compare(key, record_key(memnode_record(m->rightmost, count - 1))) <= 0) return false;
    path->levels[0].node = m->rightmost;
    path->levels[0].place = count;
    path->height = 1;
    path->found = false;
    path->append = true;
    return true;
}

static void note_newest(memmap *m, uint64_t seqno)
{
    /* Relaxed: see memmap_newest. */
    if (seqno > memmap_newest(m)) atomic_store_explicit(&m->newest, seqno, memory_order_relaxed);
}

static void count_entry(memmap *m)
{
    /* Relaxed: a statistic. A load and a store suffice, as only one thread writes it. */
    atomic_store_explicit(&m->entries, memmap_entries(m) + 1, memory_order_relaxed);
}

memtable_record *memmap_insert(memmap *m, memchunks *c, const memtable_entry *entry)
{
    memmap_path path;
    if (!find_append(m, entry->key, &path)) find_path(m, entry->key, &path);
    memnode *leaf = path.levels[0].node;
    uint32_t place = path.levels[0].place;
    assert(leaf->level == 0);
    const memtable_record *older = path.found ? memnode_record(leaf, place) : NULL;
    assert(!record_at(older, UINT64_MAX) || record_at(older, UINT64_MAX)->seqno < entry->seqno);

    uint32_t splits = path.found ? 0 : count_splits(&path);
    bool grows = splits == path.height;
    memtable_record *r = reserve_insert(c, record_size(entry), splits + grows);
    if (!r) return NULL;
    record_fill(r, entry, older);
    note_newest(m, entry->seqno);
    if (path.found) {
        memnode_replace(leaf, place, r);
    } else {
        if (grows) grow_root(m, c, &path);
        for (uint32_t level = splits; level-- > 0;)
            split_level(m, c, &path, level, r);
        memnode_insert(path.levels[0].node, path.levels[0].place, entry->key, r);
    }
    count_entry(m);
    return r;
}

memtable_record *memmap_insert_range(memmap *m, memchunks *c, const memtable_entry *entry)
{
    memtable_record *r = memranges_insert(&m->ranges, c, entry);
    if (r) count_entry(m);
    return r;
}
