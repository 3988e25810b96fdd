/* merge.c -- a merging iterator as a loser tree (Knuth, vol. 3, 5.4.1).
 *
 * Node n of losers[1..count-1] holds the contender that lost there; the children are the leaves
 * count..2*count-1, and the parent of node n is n/2. After the winner's child moves, only the path from its
 * leaf to the root is played again.
 *
 * Each contender records whether it has beaten an equal key on its way up (`tied`). The winner has beaten
 * every contender on its path, so its flag tells whether any other child is at its key: a move from a key
 * without duplicates need not look for any.
 *
 * Heads are compared before keys. As keys often begin alike ("user0000..."), heads begin after the bytes that
 * all children's keys have in common, in whole words. When a child comes to a key without these bytes, all
 * heads are made again from an earlier byte; only a later rebuild of the whole tree moves them forward again.
 *
 * Heads are inverted when moving backwards, so that the smaller one is first in either direction.
 */
#include "tree/read/merge_internal.h"

#include "base/coding.h"
#include "base/memory.h"
#include "base/status.h"
#include "tree/read/merge_gaps.h"

#include <assert.h>

/* ---------------------------------------------------------------- heads */

static inline bool merge_in_common(const merge *m, slice key)
{
    if (m->skip == 0) return true;
    if (key.size < m->skip || memcmp(key.data, m->common, WORD) != 0) return false;
    return m->skip == WORD || memcmp((const uint8_t *)key.data + WORD, m->common + WORD, WORD) == 0;
}

/* Finds the bytes that all current keys have in common. */
static void merge_find_common(merge *m)
{
    slice common = slice_of(NULL, 0);
    bool any = false;
    for (uint32_t i = 0; i < m->count; i++) {
        const iterator *s = m->children[i];
        if (!s->valid) continue;
        common = any ? slice_of(common.data, slice_common_prefix(common, s->key)) : s->key;
        any = true;
    }
    size_t size = common.size < SKIP_MAX ? common.size : SKIP_MAX;
    m->skip = size / WORD * WORD;
    bytes_copy(m->common, common.data, m->skip);
}

static contender merge_contender(const merge *m, uint32_t child)
{
    const iterator *s = m->children[child];
    contender c = {UINT64_MAX, child, false};
    if (!s->valid || child == m->away) return c;
    c.head = get_head64((const uint8_t *)s->key.data + m->skip, s->key.size - m->skip);
    if (m->backward) c.head = ~c.head;
    return c;
}

/* ---------------------------------------------------------------- the tournament */

/* For equal heads: compares the whole keys, then prefers the newer child. */
static bool merge_first_by_key(const merge *m, const contender *a, const contender *b, bool *equal)
{
    const iterator *x = m->children[a->child], *y = m->children[b->child];
    if (!y->valid || b->child == m->away) return true;
    if (!x->valid || a->child == m->away) return false;

    int order = slice_compare(x->key, y->key);
    if (order) return (order < 0) != m->backward;
    *equal = true;
    return a->child < b->child;
}

/* Whether a comes before b; *equal: they are at the same key. */
static inline bool merge_first(const merge *m, const contender *a, const contender *b, bool *equal)
{
    *equal = false;
    if (a->head != b->head) return a->head < b->head;
    return merge_first_by_key(m, a, b, equal);
}

/* Plays one match at node n: the loser stays there, the winner is returned. */
static inline contender merge_match(merge *m, uint32_t n, contender a, contender b)
{
    bool equal;
    if (!merge_first(m, &a, &b, &equal)) {
        contender swap = a;
        a = b;
        b = swap;
    }
    a.tied |= equal;
    m->losers[n] = b;
    return a;
}

void merge_play_all(merge *m)
{
    merge_find_common(m);
    for (uint32_t i = 0; i < m->count; i++)
        m->bracket[m->count + i] = merge_contender(m, i);
    for (uint32_t n = m->count - 1; n > 0; n--)
        m->bracket[n] = merge_match(m, n, m->bracket[(size_t)2 * n], m->bracket[(size_t)2 * n + 1]);
    m->winner = m->bracket[1];
    m->rival.child = NO_CHILD;
}

contender merge_best_loser(const merge *m)
{
    uint32_t n = (m->winner.child + m->count) / 2;
    contender best = m->losers[n];
    for (n /= 2; n > 0; n /= 2) {
        bool equal;
        if (merge_first(m, &m->losers[n], &best, &equal)) best = m->losers[n];
    }
    return best;
}

/* A child that wins twice in a row is likely to win again: its strongest rival is then remembered, and while
 * the child stays ahead of it, one comparison is enough. */
void merge_play_winner(merge *m)
{
    uint32_t child = m->winner.child;
    if (m->children[child]->valid && !merge_in_common(m, m->children[child]->key)) {
        merge_play_all(m);
        return;
    }
    contender c = merge_contender(m, child);
    if (m->rival.child != NO_CHILD) {
        bool equal;
        if (merge_first(m, &c, &m->rival, &equal) && !equal) {
            m->winner = c;
            return;
        }
    }
    for (uint32_t n = (child + m->count) / 2; n > 0; n /= 2)
        c = merge_match(m, n, c, m->losers[n]);

    m->rival.child = NO_CHILD;
    m->winner = c;
    /* With two children the only match on the path is as cheap as one with the rival. */
    if (c.child == child && m->count > 2) m->rival = merge_best_loser(m);
}

/* ---------------------------------------------------------------- showing */

void merge_show(merge *m)
{
    const iterator *s = m->children[m->winner.child];
    m->base.valid = s->valid;
    if (!s->valid) return;
    m->base.value_pending = s->value_pending;
    m->base.op = s->op;
    m->base.key = s->key;
    m->base.value = s->value;
    m->base.expires_at_ms = s->expires_at_ms;
}

/* All children have been placed: finds the winner and shows its entry. */
static void merge_begin(merge *m, bool backward)
{
    m->backward = backward;
    m->base.status = HOLT_OK;
    merge_play_all(m);
    merge_show(m);
}

/* ---------------------------------------------------------------- moving */

static bool merge_save_key(merge *m)
{
    slice key = m->base.key;
    if (!mem_grow(&m->key, &m->key_capacity, key.size + 1, 1)) {
        merge_fail(m, status_no_memory(key.size + 1));
        return false;
    }
    bytes_copy(m->key, key.data, key.size);
    m->key_size = key.size;
    return true;
}

bool merge_step(merge *m)
{
    iterator *s = m->children[m->winner.child];
    if (m->backward)
        s->ops->prev(s);
    else
        s->ops->next(s);
    if (!merge_child_ok(m, s)) return false;
    merge_play_winner(m);
    return true;
}

bool merge_leave_tied(merge *m)
{
    if (!merge_save_key(m)) return false;
    slice left = slice_of(m->key, m->key_size);
    const iterator *s;
    do {
        if (!merge_step(m)) return false;
        s = m->children[m->winner.child];
    } while (s->valid && slice_equal(s->key, left));
    return true;
}

static void merge_advance(merge *m)
{
    if (m->winner.tied ? merge_leave_tied(m) : merge_step(m)) merge_show(m);
}

/* ---------------------------------------------------------------- turning, seeking */

/* Places a child at its first entry past the saved key, in the new direction. */
static void merge_place_beyond(const merge *m, iterator *s, bool backward)
{
    slice key = slice_of(m->key, m->key_size);
    if (backward)
        s->ops->seek_last(s, key);
    else
        s->ops->seek(s, key);
    if (!s->valid || !slice_equal(s->key, key)) return;
    if (backward)
        s->ops->prev(s);
    else
        s->ops->next(s);
}

static void merge_turn(merge *m, bool backward)
{
    if (!merge_save_key(m)) return;
    for (uint32_t i = 0; i < m->count; i++) {
        merge_place_beyond(m, m->children[i], backward);
        if (!merge_child_ok(m, m->children[i])) return;
    }
    merge_begin(m, backward);
}

static void merge_next(iterator *s)
{
    merge *m = merge_of(s);
    assert(s->valid);
    if (m->backward)
        merge_turn(m, false);
    else
        merge_advance(m);
}

static void merge_prev(iterator *s)
{
    merge *m = merge_of(s);
    assert(s->valid);
    if (m->backward)
        merge_advance(m);
    else
        merge_turn(m, true);
}

static void merge_ends(merge *m, bool backward)
{
    for (uint32_t i = 0; i < m->count; i++) {
        iterator *s = m->children[i];
        if (backward)
            s->ops->last(s);
        else
            s->ops->first(s);
        if (!merge_child_ok(m, s)) return;
    }
    merge_begin(m, backward);
}

static void merge_seeks(merge *m, slice key, bool backward)
{
    for (uint32_t i = 0; i < m->count; i++) {
        iterator *s = m->children[i];
        if (backward)
            s->ops->seek_last(s, key);
        else
            s->ops->seek(s, key);
        if (!merge_child_ok(m, s)) return;
    }
    merge_begin(m, backward);
}

static void merge_iterator_first(iterator *s)
{
    merge_ends(merge_of(s), false);
}

static void merge_iterator_last(iterator *s)
{
    merge_ends(merge_of(s), true);
}

static void merge_iterator_seek(iterator *s, slice key)
{
    merge_seeks(merge_of(s), key, false);
}

static void merge_iterator_seek_last(iterator *s, slice key)
{
    merge_seeks(merge_of(s), key, true);
}

static holt_status merge_load_value(iterator *s)
{
    merge *m = merge_of(s);
    iterator *child = m->children[m->winner.child];
    assert(s->valid);
    holt_status rc = child->ops->load_value(child);
    if (rc != HOLT_OK) return rc;
    s->value = child->value;
    s->value_pending = child->value_pending;
    return HOLT_OK;
}

/* ---------------------------------------------------------------- the leader */

static iterator *merge_leader(iterator *s, slice *limit)
{
    merge *m = merge_of(s);
    iterator *child = m->children[m->winner.child];
    if (!s->valid || m->winner.tied || !child->stable) return NULL;
    const contender rival = m->rival.child != NO_CHILD ? m->rival : merge_best_loser(m);
    const iterator *other = m->children[rival.child];
    *limit = other->valid ? other->key : slice_of(NULL, 0);
    return child;
}

static void merge_resume(iterator *s)
{
    merge *m = merge_of(s);
    if (!merge_child_ok(m, m->children[m->winner.child])) return;
    merge_play_winner(m);
    merge_show(m);
}

/* ---------------------------------------------------------------- opening and closing */

static void merge_close_children(iterator **children, size_t count)
{
    for (size_t i = 0; i < count; i++)
        iterator_close(children[i]);
    mem_free(children);
}

static void merge_close(iterator *s)
{
    merge *m = merge_of(s);
    merge_close_children(m->children, m->count);
    mem_free(m->losers);
    mem_free(m->bracket);
    mem_free(m->key);
    mem_free(m);
}

static const iterator_ops merge_ops = {
    .first = merge_iterator_first,
    .last = merge_iterator_last,
    .next = merge_next,
    .prev = merge_prev,
    .seek = merge_iterator_seek,
    .seek_last = merge_iterator_seek_last,
    .skip_tombstones = merge_skip_tombstones,
    .load_value = merge_load_value,
    .close = merge_close,
    .leader = merge_leader,
    .resume = merge_resume,
};

static holt_status merge_create(iterator **children, size_t count, iterator **out)
{
    merge *m = mem_alloc_zero(1, sizeof *m);
    contender *losers = mem_alloc_zero(count, sizeof *losers);
    contender *bracket = mem_alloc_zero(2 * count, sizeof *bracket);
    if (!m || !losers || !bracket) {
        mem_free(m);
        mem_free(losers);
        mem_free(bracket);
        return status_no_memory(sizeof *m + 3 * count * sizeof *losers);
    }
    assert(count >= 2 && count < NO_CHILD);
    m->base.ops = &merge_ops;
    m->children = children;
    m->count = (uint32_t)count;
    m->losers = losers;
    m->bracket = bracket;
    m->away = NO_CHILD;
    m->rival.child = NO_CHILD;
    *out = &m->base;
    return HOLT_OK;
}

/* ---------------------------------------------------------------- the empty iterator */

static void empty_move(iterator *s)
{
    s->status = HOLT_OK;
}

static void empty_seek(iterator *s, slice key)
{
    s->status = HOLT_OK;
}

static void empty_skip_tombstones(iterator *s, bool backward, slice limit)
{
}

static holt_status empty_load_value(iterator *s)
{
    return HOLT_OK;
}

static void empty_close(iterator *s)
{
    mem_free(s);
}

static const iterator_ops empty_ops = {
    .first = empty_move,
    .last = empty_move,
    .next = empty_move,
    .prev = empty_move,
    .seek = empty_seek,
    .seek_last = empty_seek,
    .skip_tombstones = empty_skip_tombstones,
    .load_value = empty_load_value,
    .close = empty_close,
};

static holt_status empty_create(iterator **out)
{
    iterator *s = mem_alloc_zero(1, sizeof *s);
    if (!s) return status_no_memory(sizeof *s);
    s->ops = &empty_ops;
    *out = s;
    return HOLT_OK;
}

holt_status merge_open(iterator **children, size_t count, iterator **out)
{
    *out = NULL;
    if (count == 1) {
        *out = children[0];
        mem_free(children);
        return HOLT_OK;
    }
    bool gaps = false;
    for (size_t i = 0; i < count; i++)
        gaps |= children[i]->gaps;
    if (gaps) return merge_gaps_open(children, count, out);
    holt_status rc = count ? merge_create(children, count, out) : empty_create(out);
    if (rc != HOLT_OK)
        merge_close_children(children, count);
    else if (!count)
        mem_free(children);
    return rc;
}
