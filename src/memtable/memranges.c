/* memranges.c -- searching and extending the trees of boundaries. */
#include "memtable/memranges.h"

#include "base/search.h"

#include <assert.h>
#include <stdalign.h>

enum { SLOTS_MAX = 8, HEIGHT_MAX = MEMRANGES_HEIGHT_MAX, NODES_MAX = 3 };

typedef struct memranges_node memranges_node;

/* A boundary or, above the leaves, a child and its first boundary's key. */
typedef struct memranges_slot {
    slice key; /* in a record */
    union {
        uint64_t seqno;
        const memranges_node *child;
    } as;
} memranges_slot;

struct memranges_node {
    uint32_t level; /* 0: a leaf */
    uint32_t count; /* at least 1 */
    memranges_slot slots[];
};

struct memranges_tree {
    const memranges_node *root;
    const memtable_record *record;      /* of the range delete that made it */
    const memranges_tree *older, *jump; /* the one before it; one further back, or that one */
    uint32_t depth;                     /* the number of older trees */
};

void memranges_init(memranges *r)
{
    atomic_init(&r->newest, NULL);
}

/* ---------------------------------------------------------------- searching */

uint64_t memranges_seqno(const memranges_tree *t)
{
    return t->record->seqno;
}

const memranges_tree *memranges_at(const memranges *r, uint64_t seqno)
{
    const memranges_tree *t = memranges_newest(r);
    while (t && memranges_seqno(t) > seqno)
        t = t->jump && memranges_seqno(t->jump) > seqno ? t->jump : t->older;
    return t;
}

static int compare_key(const void *slots, size_t i, const void *key)
{
    return slice_compare(((const memranges_slot *)slots)[i].key, *(const slice *)key);
}

/* The number of slots below the key or, unless `below`, at or below it. */
static uint32_t count_up_to(const memranges_node *n, slice key, bool below)
{
    if (slice_is_open(key)) return n->count;
    uint32_t at = (uint32_t)search_lower_bound(n->slots, n->count, &key, compare_key);
    return at + (!below && at < n->count && slice_equal(n->slots[at].key, key));
}

/* Nodes and the records that have their keys lie in memory in the order of insertion: each is a cache miss
 * unless it is prefetched. */
static void prefetch_node(const memranges_node *n)
{
    enum { LINE_BYTES = 64 };
    for (size_t at = 0; at < sizeof *n + SLOTS_MAX * sizeof *n->slots; at += LINE_BYTES)
        __builtin_prefetch((const uint8_t *)n + at);
}

static void prefetch_keys(const memranges_node *n)
{
    for (uint32_t i = 0; i < n->count; i++)
        __builtin_prefetch(n->slots[i].key.data);
}

/* Makes f the fragment before the first boundary. */
static void set_before_first(const memranges_tree *t, memranges_fragment *f)
{
    f->lower = slice_of(NULL, 0);
    f->upper = t->root->slots[0].key;
    f->seqno = 0;
    f->height = 0;
}

/* The lowest level at which there is a slot above that on f's path, or below it; f's height: there is
 * none. */
static uint32_t level_above(const memranges_fragment *f)
{
    uint32_t level = 0;
    while (level < f->height && f->path[level].place + 1 == f->path[level].node->count)
        level++;
    return level;
}

static uint32_t level_below(const memranges_fragment *f)
{
    uint32_t level = 0;
    while (level < f->height && f->path[level].place == 0)
        level++;
    return level;
}

/* Makes f the fragment that begins at the boundary that its path leads to. */
static void set_boundary(memranges_fragment *f)
{
    const memranges_slot *s = &f->path[0].node->slots[f->path[0].place];
    const uint32_t level = level_above(f);
    f->lower = s->key;
    f->upper =
        level < f->height ? f->path[level].node->slots[f->path[level].place + 1].key : slice_of(NULL, 0);
    f->seqno = s->as.seqno;
}

memranges_fragment memranges_find(const memranges_tree *t, slice key, bool below)
{
    memranges_fragment f; /* the path beyond its height stays unset, as this is on the way of gets */
    f.height = t->root->level + 1;
    const memranges_node *n = t->root;
    for (;;) {
        const uint32_t at = count_up_to(n, key, below);
        if (at == 0) { /* in the root: other nodes begin with the boundary by which they were chosen */
            set_before_first(t, &f);
            return f;
        }
        f.path[n->level].node = n;
        f.path[n->level].place = at - 1;
        if (n->level == 0) break;
        n = n->slots[at - 1].as.child;
    }
    set_boundary(&f);
    return f;
}

/* Completes the path below a level at which it leads to another slot: to the first boundary there, or to the
 * last. */
static void complete_path(memranges_fragment *f, uint32_t level, bool last)
{
    for (; level > 0; level--) {
        const memranges_node *child = f->path[level].node->slots[f->path[level].place].as.child;
        f->path[level - 1].node = child;
        f->path[level - 1].place = last ? child->count - 1 : 0;
    }
}

/* A walk has reached the `steps`th boundary of a leaf, from 0: fetches the next leaf, which is in slot `next`
 * of the node above, if it is, and with the step after that its keys. */
static void prefetch_leaf(const memranges_fragment *f, uint32_t next, uint32_t steps)
{
    if (steps > 1 || f->height < 2 || next >= f->path[1].node->count) return;
    const memranges_node *leaf = f->path[1].node->slots[next].as.child;
    if (steps == 0)
        prefetch_node(leaf);
    else
        prefetch_keys(leaf);
}

void memranges_go_up(const memranges_tree *t, memranges_fragment *f)
{
    assert(!slice_is_open(f->upper));
    if (f->height == 0) {
        *f = memranges_find(t, f->upper, false);
        return;
    }
    const uint32_t level = level_above(f);
    f->path[level].place++;
    complete_path(f, level, false);
    set_boundary(f);
    prefetch_leaf(f, f->height < 2 ? 0 : f->path[1].place + 1, f->path[0].place);
}

void memranges_go_down(const memranges_tree *t, memranges_fragment *f)
{
    assert(!slice_is_open(f->lower) && f->height > 0);
    const uint32_t level = level_below(f);
    if (level == f->height) {
        set_before_first(t, f);
        return;
    }
    f->path[level].place--;
    complete_path(f, level, true);
    set_boundary(f);
    /* In the first slot, the next one is UINT32_MAX: there is none. */
    prefetch_leaf(f, f->height < 2 ? 0 : f->path[1].place - 1, f->path[0].node->count - 1 - f->path[0].place);
}

uint64_t memranges_seqno_below(const memranges_fragment *f)
{
    assert(!slice_is_open(f->lower) && f->height > 0);
    const uint32_t level = level_below(f);
    if (level == f->height) return 0;
    const memranges_slot *s = &f->path[level].node->slots[f->path[level].place - 1];
    for (uint32_t l = level; l > 0; l--)
        s = &s->as.child->slots[s->as.child->count - 1];
    return s->as.seqno;
}

/* ---------------------------------------------------------------- inserting */

/* The nodes from the leaf upwards on the way to a key, and in each the slot that leads on. */
typedef struct memranges_path {
    const memranges_node *nodes[HEIGHT_MAX];
    uint32_t places[HEIGHT_MAX]; /* in a leaf: of the first boundary at or above the key */
} memranges_path;

/* Slots that are to become nodes of one level. */
typedef struct slot_list {
    memranges_slot slots[2 * SLOTS_MAX + NODES_MAX];
    uint32_t count;
} slot_list;

static void find_path(const memranges_node *root, slice key, memranges_path *path)
{
    for (const memranges_node *n = root;;) {
        uint32_t place = count_up_to(n, key, n->level == 0);
        if (n->level > 0 && place > 0) place--;
        path->nodes[n->level] = n;
        path->places[n->level] = place;
        if (n->level == 0) return;
        n = n->slots[place].as.child;
    }
}

static void add_slot(slot_list *list, slice key, uint64_t seqno)
{
    list->slots[list->count++] = (memranges_slot){.key = key, .as.seqno = seqno};
}

static void add_slots(slot_list *list, const memranges_node *n, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        list->slots[list->count++] = n->slots[i];
}

static size_t node_size(uint32_t count)
{
    return sizeof(memranges_node) + count * sizeof(memranges_slot);
}

/* Makes nodes of the slots, and a list of slots for them. In reserved memory. */
static void make_nodes(memchunks *c, uint32_t level, const slot_list *in, slot_list *out)
{
    uint32_t nodes = (in->count + SLOTS_MAX - 1) / SLOTS_MAX, taken = 0;
    assert(nodes > 0 && nodes <= NODES_MAX);
    out->count = 0;
    for (uint32_t i = 0; i < nodes; i++) {
        uint32_t count = (in->count - taken) / (nodes - i);
        memranges_node *n = memchunks_take(c, node_size(count), alignof(memranges_node));
        n->level = level;
        n->count = count;
        memcpy(n->slots, in->slots + taken, count * sizeof *n->slots);
        taken += count;
        out->slots[out->count++] = (memranges_slot){.key = n->slots[0].key, .as.child = n};
    }
}

/* The tree in which the record's range has its seqno. root: that of the tree before, or NULL. */
static const memranges_node *make_tree(memchunks *c, const memranges_node *root, const memtable_record *r)
{
    const slice begin = record_key(r), end = r->value_size ? record_value(r) : slice_of(NULL, 0);
    const uint32_t height = root ? root->level + 1 : 0;
    memranges_path left, right;
    slot_list list = {.count = 0}, made = {.count = 0};
    if (root) {
        find_path(root, begin, &left);
        find_path(root, end, &right);
        add_slots(&list, left.nodes[0], 0, left.places[0]);
    }
    add_slot(&list, begin, r->seqno);
    const memranges_node *last = root ? right.nodes[0] : NULL;
    if (!slice_is_open(end)) {
        const uint32_t place = last ? right.places[0] : 0;
        const bool known = last && place < last->count && slice_equal(last->slots[place].key, end);
        const memranges_tree before = {.root = root};
        if (!known) add_slot(&list, end, root ? memranges_find(&before, end, false).seqno : 0);
        if (last) add_slots(&list, last, place, last->count);
    }
    make_nodes(c, 0, &list, &made);
    for (uint32_t level = 1; level < height || made.count > 1; level++) {
        list.count = 0;
        if (level < height) add_slots(&list, left.nodes[level], 0, left.places[level]);
        for (uint32_t i = 0; i < made.count; i++)
            list.slots[list.count++] = made.slots[i];
        if (level < height)
            add_slots(&list, right.nodes[level], right.places[level] + 1, right.nodes[level]->count);
        make_nodes(c, level, &list, &made);
    }
    const memranges_node *made_root = made.slots[0].as.child;
    while (made_root->level > 0 && made_root->count == 1)
        made_root = made_root->slots[0].as.child;
    return made_root;
}

/* Allocates the record, and reserves memory for the tree. NULL: out of memory. */
static memtable_record *reserve_insert(memchunks *c, size_t size, const memranges_node *root)
{
    const uint32_t height = root ? root->level + 1 : 0;
    assert(height < HEIGHT_MAX);
    const bool large = memchunks_is_large(c, size);
    /* A level more, because the root may split. */
    size_t tree = (size_t)(height + 1) * NODES_MAX * (node_size(SLOTS_MAX) + alignof(memranges_node)) +
                  sizeof(memranges_tree) + alignof(memranges_tree);
    if (!memchunks_reserve(c, tree + (large ? 0 : size + alignof(memtable_record)))) return NULL;
    return large ? memchunks_alloc_alone(c, size) : memchunks_take(c, size, alignof(memtable_record));
}

memtable_record *memranges_insert(memranges *r, memchunks *c, const memtable_entry *entry)
{
    /* Relaxed: the writer's own store. */
    const memranges_tree *before = atomic_load_explicit(&r->newest, memory_order_relaxed);
    assert(!before || memranges_seqno(before) < entry->seqno);
    assert(entry->value.size == 0 || slice_compare(entry->key, entry->value) < 0);
    memtable_record *record = reserve_insert(c, record_size(entry), before ? before->root : NULL);
    if (!record) return NULL;
    record_fill(record, entry, NULL);
    memranges_tree *t = memchunks_take(c, sizeof *t, alignof(memranges_tree));
    *t = (memranges_tree){.root = make_tree(c, before ? before->root : NULL, record),
                          .record = record,
                          .older = before,
                          .jump = before,
                          .depth = before ? before->depth + 1 : 0};
    /* Two jumps of one length in a row are joined to one. */
    const memranges_tree *jump = before ? before->jump : NULL;
    if (jump && jump->jump && before->depth - jump->depth == jump->depth - jump->jump->depth)
        t->jump = jump->jump;
    /* Release: a reader that loads the tree sees it complete. */
    atomic_store_explicit(&r->newest, t, memory_order_release);
    return record;
}

void memranges_abort(memranges *r, const memtable_record *record)
{
    /* Relaxed: the writer's own store. Readers that have loaded the tree do not see as far as its seqno. */
    const memranges_tree *t = atomic_load_explicit(&r->newest, memory_order_relaxed);
    assert(t && t->record == record);
    (void)record;
    atomic_store_explicit(&r->newest, t->older, memory_order_release);
}

/* ---------------------------------------------------------------- checking */

enum { TREES_CHECKED = 8 }; /* the newest: each was the newest once */

/* Checks a node; *last becomes its last boundary. Returns whether it is as it should be. */
static bool check_node(const memranges_node *n, const memranges_slot **last)
{
    if (n->count == 0 || n->count > SLOTS_MAX) return false;
    for (uint32_t i = 0; i < n->count; i++) {
        const memranges_slot *s = &n->slots[i];
        if (*last && slice_compare((*last)->key, s->key) >= 0) return false;
        if (n->level == 0) {
            /* Two fragments in a row without a range delete would be one. */
            if (s->as.seqno == 0 && (!*last || (*last)->as.seqno == 0)) return false;
            *last = s;
            continue;
        }
        const memranges_node *child = s->as.child;
        if (child->level != n->level - 1 || !slice_equal(child->slots[0].key, s->key)) return false;
        if (!check_node(child, last)) return false;
    }
    return true;
}

int64_t memranges_check(const memranges *r)
{
    int64_t trees = 0;
    for (const memranges_tree *t = memranges_newest(r); t; t = t->older, trees++) {
        const memranges_slot *last = NULL;
        if (t->older ? t->depth != t->older->depth + 1 || memranges_seqno(t) <= memranges_seqno(t->older)
                     : t->depth != 0 || t->jump)
            return -1;
        if (t->older && (!t->jump || t->jump->depth >= t->depth)) return -1;
        if (trees < TREES_CHECKED && !check_node(t->root, &last)) return -1;
    }
    return trees;
}
