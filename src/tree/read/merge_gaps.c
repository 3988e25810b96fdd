/* merge_gaps.c -- see merge_gaps.h: a linear scan over the children, as there are few.
 *
 * All children stand at or beyond the key that is being decided, the first one that any child is at. A child
 * that is beyond it has the key inside the gap behind itself, seen in the direction of travel. So the gaps
 * around a key are known from the children's current entries.
 *
 * While one child is ahead of all others, which then stay in the same gaps, a move needs one comparison.
 */
#include "tree/read/merge_gaps.h"

#include "base/cost.h"
#include "base/key_words.h"
#include "base/memory.h"
#include "base/status.h"

#include <assert.h>

#define NO_CHILD UINT32_MAX

typedef struct gap_child {
    iterator *it;    /* owned */
    key_words words; /* of its key */
    bool ended;      /* it has no more entries in this direction, or all that it has are hidden */
    bool at;         /* it is at the merge's key */
} gap_child;

typedef struct gap_merge {
    iterator base;
    bool backward;
    /* If only this child is at the current key, what its next key must stay ahead of: the best of the other
     * children (NO_CHILD: all have ended), and what these say of the gap that they are in. */
    uint32_t leader, rival; /* leader: NO_CHILD if several are at the key */
    bool others_deleted;    /* some other child's gap is deleted */
    void *key;              /* a copy of the key that a move leaves */
    size_t key_size, key_capacity;
    uint32_t shown; /* the child whose entry is shown */
    uint32_t count;
    gap_child children[]; /* newest first */
} gap_merge;

static gap_merge *merge_of(iterator *it)
{
    return (gap_merge *)(void *)it;
}

/* ---------------------------------------------------------------- children */

/* Takes note of where a child has moved to. false: it has failed, and with it the merge. */
static inline bool child_moved(gap_merge *m, gap_child *c)
{
    c->ended = !c->it->valid;
    if (!c->ended) {
        c->words = key_words_of(c->it->key);
        return true;
    }
    if (c->it->status == HOLT_OK) return true;
    m->base.valid = false;
    m->base.status = c->it->status;
    return false;
}

static inline bool child_step(gap_merge *m, gap_child *c)
{
    if (m->backward)
        c->it->ops->prev(c->it);
    else
        c->it->ops->next(c->it);
    return child_moved(m, c);
}

static bool child_seek(gap_merge *m, gap_child *c, slice key)
{
    if (m->backward)
        c->it->ops->seek_last(c->it, key);
    else
        c->it->ops->seek(c->it, key);
    return child_moved(m, c);
}

/* The order of two children's keys in the direction of travel. Neither has ended. */
static inline int child_compare(const gap_merge *m, const gap_child *a, const gap_child *b)
{
    const int order = key_words_compare(a->words, a->it->key, b->words, b->it->key);
    return m->backward ? -order : order;
}

/* The gap that a child has left behind with its last move, and the one that it is about to enter. */
static inline bool gap_behind(const gap_merge *m, const iterator *it)
{
    return m->backward ? it->gap_after : it->gap_before;
}

static inline bool gap_ahead(const gap_merge *m, const iterator *it)
{
    return m->backward ? it->gap_before : it->gap_after;
}

/* ---------------------------------------------------------------- deciding a key */

/* What the children say of the first key that any of them is at. */
typedef struct decision {
    uint32_t first;     /* a child at the key; NO_CHILD: all have ended */
    uint32_t entry;     /* the newest child with a version of the key that is not hidden */
    uint32_t cover;     /* the newest child whose deleted gap has the key strictly inside */
    uint32_t at;        /* how many children are at the key */
    bool behind, ahead; /* whether the gaps on both sides are deleted */
} decision;

/* Finds the children that are at the first key (`at`) and the best of the others (m->rival). Returns one of
 * those at the key; NO_CHILD: all have ended. */
static uint32_t find_first(gap_merge *m)
{
    uint32_t first = NO_CHILD;
    m->rival = NO_CHILD;
    for (uint32_t i = 0; i < m->count; i++) {
        gap_child *c = &m->children[i];
        c->at = false;
        if (c->ended) continue;
        const int order = first == NO_CHILD ? -1 : child_compare(m, c, &m->children[first]);
        if (order < 0) { /* the first so far is the best of the others then */
            for (uint32_t j = 0; j < i; j++)
                m->children[j].at = false;
            m->rival = first;
            first = i;
        } else if (order > 0 && (m->rival == NO_CHILD || child_compare(m, c, &m->children[m->rival]) < 0)) {
            m->rival = i;
        }
        c->at = order <= 0;
    }
    return first;
}

static decision decide_many(gap_merge *m)
{
    decision d = {.first = find_first(m), .entry = NO_CHILD, .cover = NO_CHILD};
    for (uint32_t i = 0; i < m->count; i++) {
        const gap_child *c = &m->children[i];
        const bool behind = gap_behind(m, c->it);
        d.behind |= behind;
        d.ahead |= c->at ? gap_ahead(m, c->it) : behind;
        d.at += c->at;
        if (!c->at && behind && d.cover == NO_CHILD) d.cover = i;
        if (c->at && d.cover == NO_CHILD && d.entry == NO_CHILD && c->it->op != ENTRY_BOUNDARY) d.entry = i;
    }
    return d;
}

/* The same for two children, a memtable over a tree mostly, of which at least one has not ended: they need
 * one comparison. */
static inline decision decide_two(gap_merge *m)
{
    gap_child *newer = &m->children[0], *older = &m->children[1];
    const int order = newer->ended ? 1 : older->ended ? -1 : child_compare(m, newer, older);
    const bool newer_behind = gap_behind(m, newer->it), older_behind = gap_behind(m, older->it);
    decision d = {.first = order > 0, .entry = NO_CHILD, .cover = NO_CHILD};
    newer->at = order <= 0;
    older->at = order >= 0;
    d.at = 1 + (order == 0);
    d.behind = newer_behind || older_behind;
    d.ahead = (newer->at ? gap_ahead(m, newer->it) : newer_behind) ||
              (older->at ? gap_ahead(m, older->it) : older_behind);
    if (!newer->at && newer_behind)
        d.cover = 0;
    else if (newer->at && newer->it->op != ENTRY_BOUNDARY)
        d.entry = 0;
    else if (older->at && older->it->op != ENTRY_BOUNDARY)
        d.entry = 1;
    if (d.cover == NO_CHILD && !older->at && older_behind) d.cover = 1;
    m->rival = NO_CHILD;
    if (order < 0 && !older->ended) m->rival = 1;
    if (order > 0 && !newer->ended) m->rival = 0;
    return d;
}

static inline decision decide(gap_merge *m)
{
    const bool two = m->count == 2 && !(m->children[0].ended && m->children[1].ended);
    return two ? decide_two(m) : decide_many(m);
}

/* Whether some child but this one is in a deleted gap. */
static bool others_are_deleted(const gap_merge *m, uint32_t child)
{
    if (m->count == 2) return gap_behind(m, m->children[1 - child].it);
    for (uint32_t i = 0; i < m->count; i++)
        if (i != child && gap_behind(m, m->children[i].it)) return true;
    return false;
}

/* Moves a child whose current entry is hidden by the gap of a newer one past all that is hidden. A few are
 * passed one by one, as a seek costs more. */
static bool leave_hidden(gap_merge *m, gap_child *c, const gap_child *cover)
{
    enum { STEPS_MAX = 4 };
    for (int steps = 0; steps < STEPS_MAX; steps++) {
        if (!child_step(m, c)) return false;
        if (c->ended || (!cover->ended && child_compare(m, c, cover) >= 0)) return true;
    }
    if (!cover->ended) return child_seek(m, c, cover->it->key);
    c->ended = true; /* the gap has no end in this direction */
    return true;
}

/* Moves all children that are at the current key. cover: the child whose deleted gap hides it; NO_CHILD:
 * none. */
static bool leave_key(gap_merge *m, uint32_t cover)
{
    for (uint32_t i = 0; i < m->count; i++) {
        gap_child *c = &m->children[i];
        if (!c->at) continue;
        const bool hidden = cover < i; /* NO_CHILD is greater than any index */
        if (!(hidden ? leave_hidden(m, c, &m->children[cover]) : child_step(m, c))) return false;
    }
    return true;
}

/* Whether the gaps around a key without a visible version, or with a tombstone, say all about it. */
static bool is_redundant(const decision *d, bool tombstone)
{
    if (tombstone) return d->behind && d->ahead;
    return d->cover != NO_CHILD || (!d->behind && !d->ahead);
}

static void show_entry(gap_merge *m, uint32_t child, bool behind, bool ahead)
{
    const iterator *it = m->children[child].it;
    m->shown = child;
    m->base.valid = true;
    m->base.value_pending = it->value_pending;
    m->base.op = it->op;
    m->base.key = it->key;
    m->base.value = it->value;
    m->base.expires_at_ms = it->expires_at_ms;
    m->base.gap_before = m->backward ? ahead : behind;
    m->base.gap_after = m->backward ? behind : ahead;
}

/* A move has passed the last entry. */
static void show_end(gap_merge *m, bool deleted)
{
    m->base.valid = false;
    m->base.gap_before = !m->backward && deleted;
    m->base.gap_after = m->backward && deleted;
}

/* Shows the first entry from the children's positions on. */
static void settle(gap_merge *m)
{
    for (;;) {
        const decision d = decide(m);
        if (d.first == NO_CHILD) {
            show_end(m, d.behind);
            return;
        }
        const uint32_t child = d.entry != NO_CHILD ? d.entry : d.first;
        const bool version = d.entry != NO_CHILD;
        const bool shows = version && m->children[child].it->op != ENTRY_DELETE;
        if (shows || !is_redundant(&d, version)) {
            m->leader = d.at == 1 ? child : NO_CHILD;
            m->others_deleted = others_are_deleted(m, child);
            show_entry(m, child, d.behind, d.ahead);
            return;
        }
        if (!leave_key(m, d.cover)) return;
    }
}

/* The leader, which was alone at the current key, has moved. Its entry can be shown at once if it is a put,
 * the other children are beyond it, and none of their gaps, which they all stay in, is deleted. */
static void follow_leader(gap_merge *m)
{
    gap_child *c = &m->children[m->leader];
    const bool alone = m->rival == NO_CHILD || (!c->ended && child_compare(m, c, &m->children[m->rival]) < 0);
    if (c->ended || !alone || m->others_deleted || entry_op_is_empty(c->it->op))
        settle(m);
    else
        show_entry(m, m->leader, gap_behind(m, c->it), gap_ahead(m, c->it));
}

static void advance(gap_merge *m)
{
    if (m->leader != NO_CHILD) {
        if (child_step(m, &m->children[m->leader])) follow_leader(m);
    } else if (leave_key(m, NO_CHILD)) {
        settle(m);
    }
}

/* ---------------------------------------------------------------- moves */

static void begin(gap_merge *m, bool backward)
{
    m->backward = backward;
    m->base.status = HOLT_OK;
}

static bool save_key(gap_merge *m)
{
    slice key = m->base.key;
    if (!mem_grow(&m->key, &m->key_capacity, key.size + 1, 1)) {
        m->base.valid = false;
        m->base.status = status_no_memory(key.size + 1);
        return false;
    }
    bytes_copy(m->key, key.data, key.size);
    m->key_size = key.size;
    return true;
}

/* Places all children at their first entries past the current key, in the new direction. */
static void turn(gap_merge *m, bool backward)
{
    if (!save_key(m)) return;
    const slice key = slice_of(m->key, m->key_size);
    begin(m, backward);
    for (uint32_t i = 0; i < m->count; i++) {
        gap_child *c = &m->children[i];
        if (!child_seek(m, c, key)) return;
        if (!c->ended && slice_equal(c->it->key, key) && !child_step(m, c)) return;
    }
    settle(m);
}

static void gap_merge_next(iterator *it)
{
    gap_merge *m = merge_of(it);
    assert(it->valid);
    if (m->backward)
        turn(m, false);
    else
        advance(m);
}

static void gap_merge_prev(iterator *it)
{
    gap_merge *m = merge_of(it);
    assert(it->valid);
    if (m->backward)
        advance(m);
    else
        turn(m, true);
}

static void go_to_end(gap_merge *m, bool backward)
{
    begin(m, backward);
    for (uint32_t i = 0; i < m->count; i++) {
        gap_child *c = &m->children[i];
        if (backward)
            c->it->ops->last(c->it);
        else
            c->it->ops->first(c->it);
        if (!child_moved(m, c)) return;
    }
    settle(m);
}

static void go_to_key(gap_merge *m, slice key, bool backward)
{
    begin(m, backward);
    for (uint32_t i = 0; i < m->count; i++)
        if (!child_seek(m, &m->children[i], key)) return;
    settle(m);
}

static void gap_merge_first(iterator *it)
{
    go_to_end(merge_of(it), false);
}

static void gap_merge_last(iterator *it)
{
    go_to_end(merge_of(it), true);
}

static void gap_merge_seek(iterator *it, slice key)
{
    go_to_key(merge_of(it), key, false);
}

static void gap_merge_seek_last(iterator *it, slice key)
{
    go_to_key(merge_of(it), key, true);
}

/* Moves the other children that are at the shown key past it, so that the shown one is alone there and
 * leads. false: a child has failed. */
static bool leave_others(gap_merge *m)
{
    m->rival = NO_CHILD;
    for (uint32_t i = 0; i < m->count; i++) {
        gap_child *c = &m->children[i];
        if (i == m->shown) continue;
        if (c->at && !child_step(m, c)) return false;
        if (c->ended) continue;
        if (m->rival == NO_CHILD || child_compare(m, c, &m->children[m->rival]) < 0) m->rival = i;
    }
    m->leader = m->shown;
    m->others_deleted = others_are_deleted(m, m->leader);
    return true;
}

static iterator *gap_merge_leader(iterator *it, slice *limit)
{
    gap_merge *m = merge_of(it);
    iterator *child = m->children[m->shown].it;
    if (!it->valid || !child->stable) return NULL;
    if (m->leader == NO_CHILD && !leave_others(m)) return NULL;
    if (m->others_deleted) return NULL;
    assert(m->leader == m->shown);
    *limit = m->rival == NO_CHILD ? slice_of(NULL, 0) : m->children[m->rival].it->key;
    return child;
}

static void gap_merge_resume(iterator *it)
{
    gap_merge *m = merge_of(it);
    if (child_moved(m, &m->children[m->leader])) follow_leader(m);
}

static void gap_merge_skip_tombstones(iterator *it, bool backward, slice limit)
{
    do {
        cost_add_tombstones(1);
        if (backward)
            gap_merge_prev(it);
        else
            gap_merge_next(it);
    } while (iterator_on_skippable(it, backward, limit));
}

static holt_status gap_merge_load_value(iterator *it)
{
    gap_merge *m = merge_of(it);
    iterator *child = m->children[m->shown].it;
    assert(it->valid);
    holt_status rc = child->ops->load_value(child);
    if (rc != HOLT_OK) return rc;
    it->value = child->value;
    it->value_pending = child->value_pending;
    return HOLT_OK;
}

static void gap_merge_close(iterator *it)
{
    gap_merge *m = merge_of(it);
    for (uint32_t i = 0; i < m->count; i++)
        iterator_close(m->children[i].it);
    mem_free(m->key);
    mem_free(m);
}

static const iterator_ops gap_merge_ops = {
    .first = gap_merge_first,
    .last = gap_merge_last,
    .next = gap_merge_next,
    .prev = gap_merge_prev,
    .seek = gap_merge_seek,
    .seek_last = gap_merge_seek_last,
    .skip_tombstones = gap_merge_skip_tombstones,
    .load_value = gap_merge_load_value,
    .close = gap_merge_close,
    .leader = gap_merge_leader,
    .resume = gap_merge_resume,
};

holt_status merge_gaps_open(iterator **children, size_t count, iterator **out)
{
    assert(count >= 2 && count < NO_CHILD);
    const size_t size = sizeof(gap_merge) + count * sizeof(gap_child);
    gap_merge *m = mem_alloc_zero(1, size);
    for (size_t i = 0; i < count; i++) {
        if (m)
            m->children[i].it = children[i];
        else
            iterator_close(children[i]);
    }
    mem_free(children);
    *out = NULL;
    if (!m) return status_no_memory(size);
    m->base.ops = &gap_merge_ops;
    m->base.gaps = true;
    m->count = (uint32_t)count;
    *out = &m->base;
    return HOLT_OK;
}
