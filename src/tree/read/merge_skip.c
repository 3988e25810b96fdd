/* merge_skip.c -- how a merge skips tombstones.
 *
 * A tombstone whose key no other child has hides nothing: its child skips, in one call, all of its tombstones
 * before the next key of any other child. Where many tombstones in a row hide entries of other children, the
 * child with the tombstones is taken out of the tournament, and the others follow it. Both begin only after
 * some single steps, because a step is the cheapest way past a single tombstone between entries.
 */
#include "tree/read/merge_internal.h"

#include "base/cost.h"

#include <assert.h>

/* The winner is at a tombstone whose key no other child has: its child skips all of its tombstones before the
 * next key of any other child, as they hide nothing. */
static bool merge_skip_alone(merge *m, slice limit)
{
    iterator *s = m->children[m->winner.child];
    const contender rival = m->rival.child != NO_CHILD ? m->rival : merge_best_loser(m);
    const iterator *other = m->children[rival.child];
    if (other->valid)
        limit = m->backward ? slice_tighter_lower(limit, other->key) : slice_tighter_upper(limit, other->key);
    s->ops->skip_tombstones(s, m->backward, limit);
    if (!merge_child_ok(m, s)) return false;
    merge_play_winner(m);
    return true;
}

/* Compares short keys without a call. Most pairs are equal: an entry that a tombstone hides has the same
 * key. */
static inline bool merge_same_key(slice a, slice b)
{
    if (a.size != b.size) return false;
    if (a.size < WORD || a.size > SKIP_MAX) return slice_equal(a, b);
    const uint8_t *x = a.data, *y = b.data;
    const size_t last = a.size - WORD;
    return memcmp(x, y, WORD) == 0 && memcmp(x + last, y + last, WORD) == 0;
}

static inline bool merge_move_child(merge *m, iterator *s)
{
    if (m->backward)
        s->ops->prev(s);
    else
        s->ops->next(s);
    return merge_child_ok(m, s);
}

/* s is at a tombstone, and the others are at later keys: s skips its tombstones up to the first of these
 * keys. */
static bool merge_reach_others(merge *m, iterator *s, slice limit)
{
    const iterator *other = m->children[m->winner.child];
    if (!merge_move_child(m, s)) return false;
    cost_add_tombstones(1);
    if (other->valid && m->backward) limit = slice_tighter_lower(limit, other->key);
    if (other->valid && !m->backward) limit = slice_tighter_upper(limit, other->key);
    if (!iterator_on_skippable(s, m->backward, limit)) return true;
    s->ops->skip_tombstones(s, m->backward, limit);
    return merge_child_ok(m, s);
}

/* Moves the other children, whose tournament says which of them is next, past the keys that the tombstones of
 * s hide. Returns when s is not at a tombstone, or has reached the limit, or another child has an entry that
 * s does not hide. false: a child failed. */
static bool merge_follow_tombstones(merge *m, iterator *s, slice limit)
{
    while (iterator_on_skippable(s, m->backward, limit)) {
        const iterator *other = m->children[m->winner.child];
        assert(other != s);
        if (!other->valid || !merge_same_key(s->key, other->key)) {
            int order = other->valid ? slice_compare(s->key, other->key) : 0;
            if (m->backward ? order < 0 : order > 0) return true;
            if (!merge_reach_others(m, s, limit)) return false;
            continue;
        }
        if (m->winner.child < m->away) return true;
        uint32_t left; /* the child that has just left the key; it has each key only once */
        do {
            left = m->winner.child;
            /* With two children only one plays: it needs no match. */
            if (m->count == 2 ? !merge_move_child(m, m->children[left]) : !merge_step(m)) return false;
            other = m->children[m->winner.child];
        } while (m->winner.child != left && other->valid && merge_same_key(s->key, other->key));
        if (!merge_move_child(m, s)) return false;
        cost_add_tombstones(1);
    }
    return true;
}

/* The winner is at a tombstone that hides entries of other children, as those before it did. Its child is
 * taken out of the tournament, and the others play on without it: each move then costs one match or two, and
 * no key is copied. */
static bool merge_skip_hidden(merge *m, slice limit)
{
    m->away = m->winner.child;
    merge_play_all(m);
    bool ok = merge_follow_tombstones(m, m->children[m->away], limit);
    m->away = NO_CHILD;
    if (ok) merge_play_all(m);
    return ok;
}

/* Leaves a tombstone, one by one or in bulk. Skipping in bulk begins with a search, which pays only over many
 * tombstones: so it waits until there have been some in a row. */
static bool merge_skip_some(merge *m, slice limit, uint32_t alone, uint32_t hiding)
{
    enum { MANY = 4 };
    if (m->winner.tied && hiding >= MANY) return merge_skip_hidden(m, limit);
    if (!m->winner.tied && alone >= 1) return merge_skip_alone(m, limit);
    cost_add_tombstones(1);
    return m->winner.tied ? merge_leave_tied(m) : merge_step(m);
}

void merge_skip_tombstones(iterator *base, bool backward, slice limit)
{
    merge *m = merge_of(base);
    assert(base->valid && m->backward == backward);
    /* The child whose tombstone was left last, and how many in a row were alone on their key or hid
     * entries. */
    uint32_t child = NO_CHILD, alone = 0, hiding = 0;
    do {
        if (m->winner.child != child) alone = hiding = 0;
        child = m->winner.child;
        const bool tied = m->winner.tied;
        if (!merge_skip_some(m, limit, alone, hiding)) return;
        alone = tied ? 0 : alone + 1;
        hiding = tied ? hiding + 1 : 0;
        merge_show(m);
    } while (iterator_on_skippable(base, backward, limit));
}
