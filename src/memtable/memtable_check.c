/* memtable_check.c -- memtable_check(): checks every invariant that the code of this folder relies on. */
#include "memtable/memtable.h"

#include <stdio.h>
#include <stdlib.h>

#include "memtable/memtable_internal.h"

/* Active even when assertions are off: checking is all that memtable_check() is for. */
#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) check_failed(#condition, __LINE__);                                                \
    } while (0)

static _Noreturn void check_failed(const char *condition, int line)
{
    fprintf(stderr, "memtable_check: line %d: %s does not hold\n", line, condition);
    abort();
}

/* Checks the versions of a key; returns their number. */
static uint64_t check_chain(const memtable_record *newest)
{
    uint64_t versions = 0, newer = UINT64_MAX;
    for (const memtable_record *r = newest; r; r = r->older) {
        versions++;
        CHECK(slice_equal(record_key(r), record_key(newest)));
        CHECK(r->op == ENTRY_PUT || r->op == ENTRY_DELETE || r->op == ENTRY_PUT_UNTIL);
        if (record_is_aborted(r)) continue;
        CHECK(r->seqno < newer);
        newer = r->seqno;
    }
    return versions;
}

static void check_prefix_and_heads(const memnode *n, uint32_t first, uint32_t count)
{
    /* Relaxed, here and below: the check runs on the writer's thread. */
    uint32_t size = atomic_load_explicit(&n->prefix_size, memory_order_relaxed);
    const memtable_record *of = atomic_load_explicit(&n->prefix_of, memory_order_relaxed);
    if (n->lower && memnode_upper(n)) {
        CHECK(!of);
        CHECK(size == slice_common_prefix(record_key(n->lower), record_key(memnode_upper(n))));
        of = n->lower;
    }
    CHECK(size == 0 || (of && size <= of->key_size));
    for (uint32_t i = first; i < count; i++) {
        slice key = memnode_key(n, i);
        if (size) CHECK(slice_has_prefix(key, slice_of(of->bytes, size)));
        uint64_t head = atomic_load_explicit(&n->heads[i], memory_order_relaxed);
        CHECK(head == get_head64((const uint8_t *)key.data + size, key.size - size));
    }
}

/* Keys ascend strictly between the fences. */
static void check_key_order(const memnode *n, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < count; i++) {
        slice key = memnode_key(n, i);
        if (i > first) CHECK(slice_compare(memnode_key(n, i - 1), key) < 0);
        if (n->lower) CHECK(slice_compare(record_key(n->lower), key) <= 0);
        if (memnode_upper(n)) CHECK(slice_compare(key, record_key(memnode_upper(n))) < 0);
    }
}

/* Compares a leaf's tombstone bits and largest seqno with its newest versions. */
static void check_tombstones(const memnode *leaf, uint32_t count)
{
    uint64_t newest, bits = memnode_tombstones(leaf, &newest);
    CHECK((bits & ~memnode_bits(count)) == 0);
    for (uint32_t i = 0; i < count; i++) {
        const memtable_record *r = memnode_record(leaf, i);
        CHECK((bits >> i & 1) == (r->op == ENTRY_DELETE));
        CHECK(r->seqno <= newest);
    }
}

static uint64_t check_node(const memnode *n, const memnode **last_leaf)
{
    uint64_t version, versions = 0;
    uint32_t first = n->level ? 1 : 0, count = memnode_count(n);
    CHECK(memnode_read_begin(n, &version));
    CHECK(count >= first);
    if (n->lower && memnode_upper(n))
        CHECK(slice_compare(record_key(n->lower), record_key(memnode_upper(n))) < 0);
    check_key_order(n, first, count);
    check_prefix_and_heads(n, first, count);
    if (n->level == 0) {
        *last_leaf = n;
        check_tombstones(n, count);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (n->level == 0) {
            versions += check_chain(memnode_record(n, i));
            continue;
        }
        const memnode *child = memnode_child(n, i);
        CHECK(child->level == n->level - 1);
        CHECK(i > 0 || child->lower == n->lower);
        CHECK(memnode_upper(child) == (i + 1 < count ? memnode_child(n, i + 1)->lower : memnode_upper(n)));
        versions += check_node(child, last_leaf);
    }
    return versions;
}

static uint64_t check_map(const memmap *m)
{
    const memnode *root = atomic_load_explicit(&m->root, memory_order_relaxed), *last_leaf = NULL;
    CHECK(!root->lower && !memnode_upper(root));
    uint64_t versions = check_node(root, &last_leaf);
    CHECK(memranges_check(&m->ranges) >= 0);
    CHECK(versions + (uint64_t)memranges_check(&m->ranges) <= memmap_entries(m)); /* some are aborted */
    CHECK(last_leaf == m->rightmost);
    return memmap_entries(m);
}

void memtable_check(memtable *m)
{
    uint64_t versions = 0;
    uint32_t maps = 0;
    size_t position = 0;
    for (memmap *found; (found = memdirectory_next(&m->directory, &position)); maps++) {
        CHECK(memdirectory_find(&m->directory, found->collection) == found);
        versions += check_map(found);
    }
    CHECK(maps == m->directory.count);
    CHECK(versions == memtable_entries(m));
}
