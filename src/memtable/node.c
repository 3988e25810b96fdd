/* node.c -- searching, changing and splitting a node. node.h explains why readers need no locks. */
#include "memtable/node.h"

#include <assert.h>

enum { HEAD_BYTES = 8 };

/* ---------------------------------------------------------------- reading */

static slice skip(slice s, size_t size)
{
    if (size > s.size) size = s.size; /* a mixture of two states: the check of the version will fail */
    return slice_of((const uint8_t *)s.data + size, s.size - size);
}

slice memnode_key(const memnode *n, uint32_t i)
{
    return record_key(n->level ? memnode_child(n, i)->lower : memnode_record(n, i));
}

static uint64_t head_at(const memnode *n, uint32_t i)
{
    return atomic_load_explicit(&n->heads[i], memory_order_acquire); /* node.h, Reading */
}

/* The first of the heads in [from, to) that is >= head. Branchless: half of the branches would be
 * mispredicted. */
static uint32_t search_heads(const memnode *n, uint32_t from, uint32_t to, uint64_t head)
{
    uint32_t size = to - from;
    if (size == 0) return from;
    while (size > 1) {
        uint32_t half = size / 2;
        from += head_at(n, from + half - 1) < head ? half : 0;
        size -= half;
    }
    return from + (head_at(n, from) < head);
}

/* Searches slots with equal heads by comparing the keys. */
static uint32_t search_equal_heads(const memnode *n, uint32_t from, uint32_t to, slice key,
                                   size_t prefix_size, memnode_bound bound, bool *equal)
{
    slice rest = skip(key, prefix_size);
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        int order = slice_compare(skip(memnode_key(n, middle), prefix_size), rest);
        if (order == 0) {
            *equal = true;
            return bound == ABOVE ? middle + 1 : middle;
        }
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

uint32_t memnode_search(const memnode *n, slice key, memnode_bound bound, bool *equal)
{
    uint32_t first = n->level ? 1 : 0, count = memnode_count(n);
    size_t prefix_size = atomic_load_explicit(&n->prefix_size, memory_order_acquire);             /* node.h */
    const memtable_record *prefix_of = atomic_load_explicit(&n->prefix_of, memory_order_acquire); /* node.h */
    *equal = false;
    if (count < first) count = first;
    if (prefix_of) {
        slice prefix = record_key(prefix_of);
        if (prefix_size < prefix.size) prefix.size = prefix_size;
        int order =
            slice_compare(slice_of(key.data, key.size < prefix.size ? key.size : prefix.size), prefix);
        if (order) return order < 0 ? first : count;
    }
    slice rest = skip(key, prefix_size);
    uint64_t head = get_head64(rest.data, rest.size);
    uint32_t place = search_heads(n, first, count, head);
    if (place == count || head_at(n, place) != head) return place;

    uint32_t end = place + 1;
    if (end < count && head_at(n, end) == head)
        end = head == UINT64_MAX ? count : search_heads(n, end, count, head + 1);
    return search_equal_heads(n, place, end, key, prefix_size, bound, equal);
}

/* ---------------------------------------------------------------- changing */

static void begin_update(memnode *n)
{
    /* Relaxed: every later store to the node is a release, which publishes this one too. */
    uint64_t version = atomic_load_explicit(&n->version, memory_order_relaxed);
    assert((version & 1) == 0);
    atomic_store_explicit(&n->version, version + 1, memory_order_relaxed);
}

static void end_update(memnode *n)
{
    uint64_t version = atomic_load_explicit(&n->version, memory_order_relaxed); /* our own */
    assert(version & 1);
    /* Release: a reader that loads the even version sees all changes before it. */
    atomic_store_explicit(&n->version, version + 1, memory_order_release);
}

/* These stores are all releases: node.h, Reading. */
static void set_slot(memnode *n, uint32_t i, uint64_t head, void *slot)
{
    atomic_store_explicit(&n->heads[i], head, memory_order_release);
    atomic_store_explicit(&n->slots[i], slot, memory_order_release);
}

static void set_count(memnode *n, uint32_t count)
{
    atomic_store_explicit(&n->count, count, memory_order_release);
}

/* Stores the seqno before the bits (node.h, Tombstones). */
static void set_tombstones(memnode *leaf, uint64_t newest, uint64_t bits)
{
    /* Relaxed: the writer's own store. */
    if (newest > atomic_load_explicit(&leaf->newest, memory_order_relaxed))
        atomic_store_explicit(&leaf->newest, newest, memory_order_release);
    atomic_store_explicit(&leaf->tombstones, bits, memory_order_release);
}

static uint64_t own_tombstones(const memnode *n)
{
    return atomic_load_explicit(&n->tombstones, memory_order_relaxed); /* the writer's own store */
}

static uint64_t own_newest(const memnode *n)
{
    return atomic_load_explicit(&n->newest, memory_order_relaxed); /* the writer's own store */
}

static uint64_t tombstone_bit(const memtable_record *r, uint32_t place)
{
    return (uint64_t)(r->op == ENTRY_DELETE) << place;
}

static void set_prefix(memnode *n, const memtable_record *prefix_of, size_t size)
{
    atomic_store_explicit(&n->prefix_of, prefix_of, memory_order_release);
    atomic_store_explicit(&n->prefix_size, (uint32_t)size, memory_order_release);
}

static uint32_t own_prefix_size(const memnode *n)
{
    return atomic_load_explicit(&n->prefix_size, memory_order_relaxed); /* the writer's own store */
}

static const memtable_record *own_prefix_of(const memnode *n)
{
    return atomic_load_explicit(&n->prefix_of, memory_order_relaxed); /* the writer's own store */
}

static uint64_t head_of(slice key, size_t prefix_size)
{
    slice rest = skip(key, prefix_size);
    return get_head64(rest.data, rest.size);
}

/* Sets another prefix and recomputes all heads. */
static void change_prefix(memnode *n, const memtable_record *prefix_of, size_t size)
{
    uint32_t count = memnode_count(n);
    set_prefix(n, prefix_of, size);
    for (uint32_t i = n->level ? 1 : 0; i < count; i++)
        atomic_store_explicit(&n->heads[i], head_of(memnode_key(n, i), size), memory_order_release);
}

/* Chooses the prefix of a node with an open fence. */
static void fit_prefix_to_keys(memnode *n)
{
    uint32_t first = n->level ? 1 : 0, count = memnode_count(n);
    if (count <= first) return;
    const memtable_record *prefix_of = n->level ? memnode_child(n, first)->lower : memnode_record(n, first);
    slice low = record_key(prefix_of), high = memnode_key(n, count - 1);
    size_t size = slice_common_prefix(low, high);
    if (count == first + 1)
        size = low.size > HEAD_BYTES ? low.size - HEAD_BYTES : 0; /* guesses that the next keys are alike */
    if (size != own_prefix_size(n)) change_prefix(n, size ? prefix_of : NULL, size);
}

/* Chooses the prefix again after the fences or keys have changed. */
static void fit_prefix(memnode *n)
{
    const memtable_record *upper = memnode_upper(n);
    if (!n->lower || !upper) {
        fit_prefix_to_keys(n);
        return;
    }
    /* New heads cost a cache miss per key; keeping a slightly shorter prefix instead was no faster. */
    size_t size = slice_common_prefix(record_key(n->lower), record_key(upper));
    if (size != own_prefix_size(n))
        change_prefix(n, NULL, size);
    else
        set_prefix(n, NULL, size);
}

/* Cuts the prefix of a node with an open fence to the part that the new key shares. */
static void admit_key(memnode *n, slice key)
{
    const memtable_record *prefix_of = own_prefix_of(n);
    if (!prefix_of) return;
    size_t size = slice_common_prefix(record_key(prefix_of), key);
    if (size < own_prefix_size(n)) change_prefix(n, size ? prefix_of : NULL, size);
}

memnode *memnode_create(memchunks *c, uint32_t level, const memtable_record *lower,
                        const memtable_record *upper)
{
    memnode *n = memchunks_take(c, sizeof *n, alignof(memnode));
    atomic_init(&n->version, 0);
    atomic_init(&n->count, 0);
    atomic_init(&n->prefix_size, 0);
    atomic_init(&n->prefix_of, NULL);
    atomic_init(&n->upper, upper);
    atomic_init(&n->tombstones, 0);
    atomic_init(&n->newest, 0);
    n->lower = lower;
    n->level = level;
    return n; /* slots are never read before they are counted */
}

/* Moves the bits of the slots from `place` on up by one and sets the new slot's. */
static void insert_tombstone_bit(memnode *leaf, uint32_t place, const memtable_record *r)
{
    uint64_t bits = own_tombstones(leaf), below = bits & memnode_bits(place);
    set_tombstones(leaf, r->seqno, below | (bits ^ below) << 1 | tombstone_bit(r, place));
}

static void insert(memnode *n, uint32_t place, slice key, void *slot)
{
    uint32_t count = memnode_count(n);
    assert(count < NODE_SLOTS && place <= count);
    admit_key(n, key);
    for (uint32_t i = count; i > place; i--)
        set_slot(n, i, head_at(n, i - 1), memnode_slot(n, i - 1));
    set_slot(n, place, head_of(key, own_prefix_size(n)), slot);
    if (n->level == 0) insert_tombstone_bit(n, place, slot);
    set_count(n, count + 1);
    if (count == (n->level ? 1 : 0) && !own_prefix_of(n)) fit_prefix(n); /* the first key */
}

void memnode_insert(memnode *n, uint32_t place, slice key, void *slot)
{
    begin_update(n);
    insert(n, place, key, slot);
    end_update(n);
}

void memnode_replace(memnode *leaf, uint32_t place, memtable_record *newer)
{
    assert(leaf->level == 0 && place < memnode_count(leaf));
    /* The node's version does not change, as both records have the same key. Release: a reader that loads the
     * record sees it filled. */
    atomic_store_explicit(&leaf->slots[place], newer, memory_order_release);
    uint64_t others = own_tombstones(leaf) & ~((uint64_t)1 << place);
    set_tombstones(leaf, newer->seqno, others | tombstone_bit(newer, place));
}

void memnode_split(memnode *parent, uint32_t place, memnode *n, uint32_t from, memnode *right)
{
    uint32_t count = memnode_count(n);
    assert(parent->level == n->level + 1 && right->level == n->level);
    assert(memnode_child(parent, place) == n);
    assert(from <= count && memnode_count(right) == 0);
    for (uint32_t i = from; i < count; i++)
        set_slot(right, i - from, head_at(n, i), memnode_slot(n, i));
    set_count(right, count - from);
    if (from < NODE_SLOTS) set_tombstones(right, own_newest(n), own_tombstones(n) >> from);
    set_prefix(right, own_prefix_of(n), own_prefix_size(n));
    fit_prefix(right);

    /* Both are odd at once: a reader that sees the new state of the child finds the parent changed. */
    begin_update(parent);
    begin_update(n);
    set_count(n, from);
    set_tombstones(n, 0, own_tombstones(n) & memnode_bits(from));
    atomic_store_explicit(&n->upper, right->lower, memory_order_release);
    fit_prefix(n);
    insert(parent, place + 1, record_key(right->lower), right);
    end_update(n);
    end_update(parent);
}
