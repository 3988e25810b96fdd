/* merge_skip.c -- how a merge passes over tombstones.
 *
 * One that stands alone on its key hides nothing: its child passes over all of its tombstones before the next key of any
 * other child in one call. Where row after row of them hides entries of other children, the child with the tombstones is
 * taken out of the tournament, and the others follow it. Both begin after some single steps only, for a single tombstone
 * between entries is left most cheaply by a step.
 */
#include "tree/read/merge_internal.h"

#include <assert.h>

/* The winner stands on a tombstone and nobody else does on its key: its child passes over all of its tombstones before the
 * next key of any other child, which they cannot hide. */
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

/* Equality first, and short keys without a call: what a tombstone hides has its key. */
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

/* The winner of those that take part moves on; of a single one there is nothing to find out. */
static inline bool merge_step_others(merge *m)
{
    return m->count == 2 ? merge_move_child(m, m->children[m->winner.child]) : merge_step(m);
}

/* s stands on a tombstone, and the others on later keys: it passes over its tombstones up to the first of these. */
static bool merge_reach_others(merge *m, iterator *s, slice limit)
{
    const iterator *other = m->children[m->winner.child];
    if (!merge_move_child(m, s)) return false;
    if (other->valid && m->backward) limit = slice_tighter_lower(limit, other->key);
    if (other->valid && !m->backward) limit = slice_tighter_upper(limit, other->key);
    if (!iterator_on_skippable(s, m->backward, limit)) return true;
    s->ops->skip_tombstones(s, m->backward, limit);
    return merge_child_ok(m, s);
}

/* The other children, the winner of which is the next of them, leave the keys that the tombstones of s hide. Returns when s
 * stands on no tombstone, or another child's entry is not hidden by it, or at the limit. false: a child failed. */
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
        uint32_t left; /* the child that has left the key: a child has each only once */
        do {
            left = m->winner.child;
            if (!merge_step_others(m)) return false;
            other = m->children[m->winner.child];
        } while (m->winner.child != left && other->valid && merge_same_key(s->key, other->key));
        if (!merge_move_child(m, s)) return false;
    }
    return true;
}

/* The winner stands on a tombstone that hides entries of other children, as those before it did. It is taken out of
 * the tournament, which the others play on without it: so each move costs one match or two, and no key is copied. */
static bool merge_skip_hidden(merge *m, slice limit)
{
    m->away = m->winner.child;
    merge_play_all(m);
    bool ok = merge_follow_tombstones(m, m->children[m->away], limit);
    m->away = NO_CHILD;
    if (ok) merge_play_all(m);
    return ok;
}

/* How the merge leaves a tombstone. What pays only over many costs a search first, so it waits for some running. */
static bool merge_skip_some(merge *m, slice limit, uint32_t alone, uint32_t hiding)
{
    enum { MANY = 4 };
    if (m->winner.tied) return hiding < MANY ? merge_leave_tied(m) : merge_skip_hidden(m, limit);
    return alone < 1 ? merge_step(m) : merge_skip_alone(m, limit);
}

void merge_skip_tombstones(iterator *base, bool backward, slice limit)
{
    merge *m = merge_of(base);
    assert(base->valid && m->backward == backward);
    uint32_t child = NO_CHILD, alone = 0, hiding = 0; /* the child last left, and how often running */
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
