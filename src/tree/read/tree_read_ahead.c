/* tree_read_ahead.c -- when to request the next leaves, and how many. */
#include "tree/read/tree_read_ahead.h"

#include "tree/tree_internal.h"

/* Most scans are short, so the window starts small; smaller for pages, each of which is a separate read. */
enum { RUNS_AHEAD_MIN = 16 << 10, PAGES_AHEAD_MIN = 8 << 10, READ_AHEAD_MAX = 1 << 20 };

static void grow_window(read_ahead *r)
{
    if (r->window < READ_AHEAD_MAX) r->window *= 2;
}

void read_ahead_restart(read_ahead *r, const tree_file *f)
{
    if (tree_file_paged(f))
        *r = (read_ahead){.window = 0}; /* in a file of runs the old stretch is still of use */
}

/* ---------------------------------------------------------------- adjacent pieces */

void ahead_request(const ahead_stretch *s, tree_file *f)
{
    if (s->end > s->begin) tree_file_advise(f, OS_ADVICE_WILL_NEED, s->begin, s->end - s->begin);
}

void ahead_add(ahead_stretch *s, tree_file *f, block_ptr p)
{
    uint64_t end = p.offset + tree_file_space(f, p.length);
    if (p.offset == s->end) {
        s->end = end;
    } else if (end == s->begin) { /* moving backwards */
        s->begin = p.offset;
    } else {
        ahead_request(s, f);
        *s = (ahead_stretch){p.offset, end};
    }
}

/* ---------------------------------------------------------------- runs */

/* Whether the iterator has gone on past the end of the stretch, as it does where that ended at a limit:
 * between two leaves there are only inner nodes. */
static bool goes_on(const read_ahead *r, uint64_t begin, uint64_t end, bool backward)
{
    enum { GAP_MAX = 2 * BLOCK_BYTES_MAX };
    if (r->window == 0) return false;
    return backward ? end <= r->begin && r->begin - end <= GAP_MAX
                    : begin >= r->end && begin - r->end <= GAP_MAX;
}

/* Requests the next stretch, unless more than half a window of the last one is still ahead of the
 * iterator. */
void read_ahead_stretch(read_ahead *r, tree_file *f, block_ptr p, bool backward, uint64_t limit)
{
    uint64_t begin = p.offset, end = p.offset + p.length, left;
    bool inside = begin >= r->begin && end <= r->end;
    if (!inside) {
        if (!goes_on(r, begin, end, backward)) r->window = RUNS_AHEAD_MIN;
        r->begin = r->end = backward ? end : begin;
    } else {
        left = backward ? begin - r->begin : r->end - end;
        if (left > r->window / 2) return;
        grow_window(r);
    }

    if (backward)
        left = r->begin > limit ? r->begin - limit : 0;
    else
        left = limit > r->end ? limit - r->end : 0;
    uint64_t size = left < r->window ? left : r->window;
    if (size) tree_file_advise(f, OS_ADVICE_WILL_NEED, backward ? r->begin - size : r->end, size);
    if (backward)
        r->begin -= size;
    else
        r->end += size;
}

/* ---------------------------------------------------------------- pages */

static void request_children_forward(read_ahead *r, tree_file *f, const ahead_children *c)
{
    ahead_stretch s = {0, 0};
    for (uint64_t bytes = 0; r->end_child < c->end && bytes < r->window; r->end_child++) {
        block_ptr p = block_child(c->node, r->end_child);
        ahead_add(&s, f, p);
        bytes += p.length;
    }
    ahead_request(&s, f);
}

static void request_children_backward(read_ahead *r, tree_file *f, const ahead_children *c)
{
    ahead_stretch s = {0, 0};
    for (uint64_t bytes = 0; r->begin_child > c->begin && bytes < r->window; r->begin_child--) {
        block_ptr p = block_child(c->node, r->begin_child - 1);
        ahead_add(&s, f, p);
        bytes += p.length;
    }
    ahead_request(&s, f);
}

/* Requests the next children once half of the last ones are used. An iterator that comes to the next node
 * keeps its window. */
void read_ahead_children(read_ahead *r, tree_file *f, const ahead_children *c, uint32_t index, bool backward)
{
    bool same = block_ptr_equal(r->node, c->at) && r->backward == backward;
    if (same && index >= r->begin_child && index < r->end_child) {
        uint32_t left = backward ? index - r->begin_child : r->end_child - index;
        if (left > (r->end_child - r->begin_child) / 2) return;
        grow_window(r);
    } else {
        if (same || r->window == 0 || r->backward != backward) r->window = PAGES_AHEAD_MIN;
        r->node = c->at;
        r->backward = backward;
        r->begin_child = index;
        r->end_child = index + 1; /* the iterator reads this one itself */
    }
    if (backward)
        request_children_backward(r, f, c);
    else
        request_children_forward(r, f, c);
}
