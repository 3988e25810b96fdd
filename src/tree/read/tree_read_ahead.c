/* tree_read_ahead.c -- see tree_read_ahead.h. */
#include "tree/read/tree_read_ahead.h"

#include "tree/tree_internal.h"

/* Most walks are short: they begin with little. Pages are a read each, wherever they lie. */
enum { RUNS_AHEAD_MIN = 16 << 10, PAGES_AHEAD_MIN = 8 << 10, READ_AHEAD_MAX = 1 << 20 };

static void grow_window(read_ahead *r)
{
    if (r->window < READ_AHEAD_MAX) r->window *= 2;
}

void read_ahead_restart(read_ahead *r, const tree_file *f)
{
    if (tree_file_paged(f)) *r = (read_ahead){.window = 0}; /* of runs: what was asked for still counts */
}

/* ---------------------------------------------------------------- pieces side by side */

void ahead_ask(const ahead_stretch *s, tree_file *f)
{
    if (s->end > s->begin) tree_file_advise(f, OS_ADVICE_WILL_NEED, s->begin, s->end - s->begin);
}

void ahead_add(ahead_stretch *s, tree_file *f, block_ptr p)
{
    uint64_t end = p.offset + tree_file_space(f, p.length);
    if (p.offset == s->end) {
        s->end = end;
    } else if (end == s->begin) { /* walking backwards */
        s->begin = p.offset;
    } else {
        ahead_ask(s, f);
        *s = (ahead_stretch){p.offset, end};
    }
}

/* ---------------------------------------------------------------- runs */

static void ask_backward(read_ahead *r, tree_file *f, uint64_t limit)
{
    uint64_t to = r->begin, left = to > limit ? to - limit : 0;
    uint64_t size = left < r->window ? left : r->window;
    if (size) tree_file_advise(f, OS_ADVICE_WILL_NEED, to - size, size);
    r->begin = to - size;
}

static void ask_forward(read_ahead *r, tree_file *f, uint64_t limit)
{
    uint64_t from = r->end, left = limit > from ? limit - from : 0;
    uint64_t size = left < r->window ? left : r->window;
    if (size) tree_file_advise(f, OS_ADVICE_WILL_NEED, from, size);
    r->end = from + size;
}

/* Whether the walk goes on where what was asked for ends, which happens at a limit: between two leaves lie nodes at most. */
static bool goes_on(const read_ahead *r, uint64_t begin, uint64_t end, bool backward)
{
    enum { GAP_MAX = 2 * BLOCK_BYTES_MAX };
    if (r->window == 0) return false;
    return backward ? end <= r->begin && r->begin - end <= GAP_MAX
                    : begin >= r->end && begin - r->end <= GAP_MAX;
}

/* Asks for the stretch that the walk is about to reach, unless more than half of the last one is still before
 * it. */
void read_ahead_stretch(read_ahead *r, tree_file *f, block_ptr p, bool backward, uint64_t limit)
{
    uint64_t begin = p.offset, end = p.offset + p.length;
    bool inside = begin >= r->begin && end <= r->end;
    if (!inside) {
        if (!goes_on(r, begin, end, backward)) r->window = RUNS_AHEAD_MIN;
        r->begin = r->end = backward ? end : begin;
    } else {
        uint64_t left = backward ? begin - r->begin : r->end - end;
        if (left > r->window / 2) return;
        grow_window(r);
    }
    if (backward)
        ask_backward(r, f, limit);
    else
        ask_forward(r, f, limit);
}

/* ---------------------------------------------------------------- pages */

static void ask_children_forward(read_ahead *r, tree_file *f, const ahead_children *c)
{
    ahead_stretch s = {0, 0};
    for (uint64_t bytes = 0; r->end_child < c->end && bytes < r->window; r->end_child++) {
        block_ptr p = block_child(c->node, r->end_child);
        ahead_add(&s, f, p);
        bytes += p.length;
    }
    ahead_ask(&s, f);
}

static void ask_children_backward(read_ahead *r, tree_file *f, const ahead_children *c)
{
    ahead_stretch s = {0, 0};
    for (uint64_t bytes = 0; r->begin_child > c->begin && bytes < r->window; r->begin_child--) {
        block_ptr p = block_child(c->node, r->begin_child - 1);
        ahead_add(&s, f, p);
        bytes += p.length;
    }
    ahead_ask(&s, f);
}

/* Whether more should be asked for: half of what was lies behind the walk. */
static bool half_used(const read_ahead *r, uint32_t index)
{
    uint32_t half = (r->end_child - r->begin_child) / 2;
    return r->backward ? index - r->begin_child <= half : r->end_child - index <= half;
}

/* A walk that comes to the next node goes on with the window it had. */
void read_ahead_children(read_ahead *r, tree_file *f, const ahead_children *c, uint32_t index, bool backward)
{
    bool same = block_ptr_equal(r->node, c->at) && r->backward == backward;
    bool inside = same && index >= r->begin_child && index < r->end_child;
    if (inside && !half_used(r, index)) return;
    if (!inside) {
        if (same || r->window == 0 || r->backward != backward) r->window = PAGES_AHEAD_MIN;
        r->node = c->at;
        r->backward = backward;
        r->begin_child = index;
        r->end_child = index + 1; /* which is read in any case */
    } else {
        grow_window(r);
    }
    if (backward)
        ask_children_backward(r, f, c);
    else
        ask_children_forward(r, f, c);
}
