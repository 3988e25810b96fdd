/* iso_cycles.c -- the cycles of the graph, by the kinds of their edges.
 *
 * An edge closes a cycle if its head reaches its tail. Which of the other edges may be used on the way says
 * what kind of cycle that is:
 *     edge                over         is
 *     ww                  ww           a dirty write (G0)
 *     wr                  ww wr        circular information flow (G1c)
 *     rw                  ww wr        a lost update, fractured reads, read skew (G-single)
 *     ww wr rw            ww wr rt     in contradiction to real time
 *     rw not beside rw    all          non-adjacent: no snapshots explain it
 *     rw                  all          write skew (G2-item), or with predicate rw a phantom (G2)
 *
 * Reachability is a matrix of bits, computed until nothing changes any more.
 */
#include "support/isolation/isolation_internal.h"

#include "support/must.h"

/* Which edges are followed. */
typedef struct filter {
    unsigned kinds;
    bool strong;   /* rw edges of serializable transactions alone */
    bool adjacent; /* false: no rw edge after another. Each node is there twice, reached by rw or otherwise */
} filter;

static const unsigned ALL_BUT_RT = EDGE_WW | EDGE_WR | EDGE_RW | EDGE_RW_PREDICATE;

typedef struct reach {
    const analysis *a;
    filter filter;
    size_t states, words;
    uint64_t *rows; /* a row for each state: those that it reaches by at least one edge */
} reach;

static bool is_rw(const edge *e)
{
    return (e->kind & EDGES_RW) != 0;
}

/* A transaction that failed, or wrote nothing, read at one moment: nothing excuses it. */
static bool is_strong(const analysis *a, uint32_t node)
{
    if (!a->committed[node] || a->txns[node]->level == ISO_SERIALIZABLE) return true;
    for (size_t i = 0; i < a->txns[node]->op_count; i++) {
        op_kind kind = a->txns[node]->ops[i].kind;
        if (kind == OP_PUT || kind == OP_DELETE) return false;
    }
    return true;
}

static bool passes(const analysis *a, filter f, const edge *e)
{
    if (!(f.kinds & e->kind)) return false;
    return !f.strong || !is_rw(e) || is_strong(a, e->from);
}

/* The state after an edge: nodes reached by rw are in the second half. NONE: the edge cannot be taken. */
static uint32_t step(const analysis *a, filter f, uint32_t state, const edge *e)
{
    if (!passes(a, f, e)) return NONE;
    if (f.adjacent || !is_rw(e)) return e->to;
    return state >= a->node_count ? NONE : e->to + a->node_count;
}

static uint64_t *row_of(const reach *r, uint32_t state)
{
    return r->rows + state * r->words;
}

static bool reaches(const reach *r, uint32_t from, uint32_t to)
{
    return row_of(r, from)[to / 64] >> (to % 64) & 1;
}

static bool extend(reach *r, uint32_t state)
{
    const analysis *a = r->a;
    uint32_t node = state % a->node_count;
    uint64_t *row = row_of(r, state), changed = 0;
    for (uint32_t i = a->first_edge[node]; i < a->first_edge[node + 1]; i++) {
        uint32_t to = step(a, r->filter, state, &a->edges[i]);
        if (to == NONE) continue;
        const uint64_t *more = row_of(r, to);
        for (size_t w = 0; w < r->words; w++) {
            changed |= more[w] & ~row[w];
            row[w] |= more[w];
        }
        changed |= ~row[to / 64] & UINT64_C(1) << (to % 64);
        row[to / 64] |= UINT64_C(1) << (to % 64);
    }
    return changed != 0;
}

/* The nodes such that most come after those they lead to: by the time at which they ended, the last first. */
static uint32_t *order_of_visits(const analysis *a)
{
    uint32_t *order = (uint32_t *)must_alloc(a->node_count * sizeof *order);
    for (uint32_t i = 0; i < a->node_count; i++)
        order[i] = a->node_count - 1 - i;
    return order;
}

static reach reach_create(const analysis *a, filter f)
{
    reach r = {.a = a, .filter = f, .states = a->node_count * (f.adjacent ? 1 : 2)};
    uint32_t *order = order_of_visits(a);
    bool changed = true;
    r.words = (r.states + 63) / 64;
    r.rows = (uint64_t *)must_alloc(r.states * r.words * sizeof *r.rows);
    while (changed) {
        changed = false;
        for (uint32_t i = 0; i < a->node_count; i++) {
            changed |= extend(&r, order[i]);
            if (!f.adjacent) changed |= extend(&r, order[i] + a->node_count);
        }
    }
    free(order);
    return r;
}

static void reach_destroy(reach *r)
{
    free(r->rows);
}

/* ---------------------------------------------------------------- a cycle in full */

/* A shortest path, found breadth first, into `path`. Returns its length. */
static size_t find_path(const reach *r, uint32_t from, uint32_t to, const edge **path)
{
    const analysis *a = r->a;
    const edge **came_by = (const edge **)must_alloc(r->states * sizeof *came_by);
    uint32_t *came_from = (uint32_t *)must_alloc(r->states * sizeof *came_from);
    uint32_t *queue = (uint32_t *)must_alloc((r->states + 1) * sizeof *queue);
    size_t head = 0, tail = 0, length = 0;
    queue[tail++] = from;
    while (head < tail && !came_by[to]) {
        uint32_t state = queue[head++], node = state % a->node_count;
        for (uint32_t i = a->first_edge[node]; i < a->first_edge[node + 1]; i++) {
            uint32_t next = step(a, r->filter, state, &a->edges[i]);
            if (next == NONE || came_by[next]) continue;
            came_by[next] = &a->edges[i];
            came_from[next] = state;
            queue[tail++] = next;
        }
    }
    for (uint32_t state = to; length == 0 || state != from; state = came_from[state])
        path[length++] = came_by[state];
    for (size_t i = 0; i < length / 2; i++) {
        const edge *swap = path[i];
        path[i] = path[length - 1 - i];
        path[length - 1 - i] = swap;
    }
    free(came_by);
    free(came_from);
    free(queue);
    return length;
}

static void say_cycle(analysis *a, iso_kind kind, bool allowed, const reach *r, const edge *closing)
{
    if (allowed ? a->report->example != NULL : a->explained == ISO_EXPLAINED_MAX) {
        report_cycle(a, kind, allowed, NULL, 0);
        return;
    }
    const edge **cycle = (const edge **)must_alloc((r->states + 2) * sizeof *cycle);
    cycle[0] = closing;
    uint32_t from = !r->filter.adjacent && is_rw(closing) ? closing->to + a->node_count : closing->to;
    size_t length = 1 + (from == closing->from ? 0 : find_path(r, from, closing->from, cycle + 1));
    report_cycle(a, kind, allowed, cycle, length);
    free(cycle);
}

/* ---------------------------------------------------------------- kinds */

/* Of a cycle with one rw edge. */
static iso_kind kind_of_single(const analysis *a, const edge *rw)
{
    iso_key key = a->versions[rw->next].key;
    bool fractured = false;
    for (uint32_t i = a->first_edge[rw->to]; i < a->first_edge[rw->to + 1]; i++) {
        const edge *e = &a->edges[i];
        if (e->to != rw->from) continue;
        if (e->kind == EDGE_WW && a->versions[e->version].key == key) return ISO_LOST_UPDATE;
        fractured |= e->kind == EDGE_WR;
    }
    return fractured ? ISO_FRACTURED_READ : ISO_READ_SKEW;
}

/* Reports the edges of these kinds that close a cycle over the filter's edges, but not over `but_for`'s (may
 * be NULL). ISO_KINDS: the kind is that of a cycle with one rw edge. */
static uint64_t find_closing(analysis *a, unsigned kinds, const reach *r, const reach *but_for, iso_kind kind,
                             bool allowed)
{
    uint64_t found = 0;
    for (size_t i = 0; i < a->edge_count; i++) {
        const edge *e = &a->edges[i];
        filter f = {.kinds = kinds, .strong = r->filter.strong};
        if (!passes(a, f, e)) continue;
        uint32_t from = !r->filter.adjacent && is_rw(e) ? e->to + a->node_count : e->to;
        if (!reaches(r, from, e->from)) continue;
        if (but_for && reaches(but_for, e->to, e->from)) continue;
        say_cycle(a, kind == ISO_KINDS ? kind_of_single(a, e) : kind, allowed, r, e);
        found++;
    }
    return found;
}

/* Write skew and phantoms over these edges. */
static uint64_t find_skew(analysis *a, filter f, bool allowed)
{
    filter without_predicates = f;
    without_predicates.kinds &= ~(unsigned)EDGE_RW_PREDICATE;
    reach items = reach_create(a, without_predicates), all = reach_create(a, f);
    uint64_t found = find_closing(a, EDGE_RW, &items, NULL, ISO_WRITE_SKEW, allowed);
    found += find_closing(a, EDGE_RW_PREDICATE, &all, NULL, ISO_PHANTOM, allowed);
    reach_destroy(&items);
    reach_destroy(&all);
    return found;
}

/* What snapshot isolation excludes. */
static uint64_t find_broken_snapshots(analysis *a)
{
    reach ww = reach_create(a, (filter){.kinds = EDGE_WW, .adjacent = true});
    reach dependency = reach_create(a, (filter){.kinds = EDGES_DEPENDENCY, .adjacent = true});
    reach timed = reach_create(a, (filter){.kinds = EDGES_DEPENDENCY | EDGE_RT, .adjacent = true});
    uint64_t found = find_closing(a, EDGE_WW, &ww, NULL, ISO_DIRTY_WRITE, false);
    found += find_closing(a, EDGE_WR, &dependency, NULL, ISO_CIRCULAR, false);
    found += find_closing(a, EDGES_RW, &dependency, NULL, ISO_KINDS, false);
    if (found == 0) found += find_closing(a, ALL_BUT_RT, &timed, &dependency, ISO_REAL_TIME, false);
    reach_destroy(&ww);
    reach_destroy(&dependency);
    reach_destroy(&timed);
    if (found) return found;
    reach apart = reach_create(a, (filter){.kinds = ALL_BUT_RT | EDGE_RT, .adjacent = false});
    found = find_closing(a, EDGES_RW, &apart, NULL, ISO_NON_ADJACENT, false);
    reach_destroy(&apart);
    return found;
}

/* ---------------------------------------------------------------- the graph */

static int compare_edges(const void *a, const void *b)
{
    const edge *x = (const edge *)a, *y = (const edge *)b;
    if (x->from != y->from) return x->from < y->from ? -1 : 1;
    if (x->to != y->to) return x->to < y->to ? -1 : 1;
    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    return x->version < y->version ? -1 : x->version > y->version;
}

/* A transaction's end, which leads to all that begin later. */
typedef struct ending {
    uint64_t returned;
    uint32_t node;
} ending;

static int compare_endings(const void *a, const void *b)
{
    const ending *x = (const ending *)a, *y = (const ending *)b;
    return x->returned < y->returned ? -1 : x->returned > y->returned;
}

/* Real time, by a chain of moments: each end leads to its moment, and each moment to the next one and to the
 * transactions that begin before that. */
static void add_real_time(analysis *a)
{
    ending *endings = (ending *)must_alloc(a->txn_count * sizeof *endings);
    uint32_t count = 0;
    for (uint32_t i = 0; i < a->txn_count; i++)
        if (a->txns[i]->end.returned) endings[count++] = (ending){a->txns[i]->end.returned, i};
    if (count) qsort(endings, count, sizeof *endings, compare_endings);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t moment = a->txn_count + i;
        add_edge(a, (edge){endings[i].node, moment, EDGE_RT, NONE, NONE});
        if (i + 1 < count) add_edge(a, (edge){moment, moment + 1, EDGE_RT, NONE, NONE});
    }
    for (uint32_t i = 0; i < a->txn_count; i++) {
        uint32_t low = 0, high = count; /* the endings before its beginning */
        while (low < high) {
            uint32_t middle = (low + high) / 2;
            if (endings[middle].returned < a->txns[i]->begin.asked)
                low = middle + 1;
            else
                high = middle;
        }
        if (low) add_edge(a, (edge){a->txn_count + low - 1, i, EDGE_RT, NONE, NONE});
    }
    a->node_count = a->txn_count + count;
    free(endings);
}

static void index_edges(analysis *a)
{
    if (a->edge_count) qsort(a->edges, a->edge_count, sizeof *a->edges, compare_edges);
    a->first_edge = (uint32_t *)must_alloc((a->node_count + 1) * sizeof *a->first_edge);
    for (size_t i = 0; i < a->edge_count; i++)
        a->first_edge[a->edges[i].from + 1]++;
    for (uint32_t i = 0; i < a->node_count; i++)
        a->first_edge[i + 1] += a->first_edge[i];
}

void find_cycles(analysis *a)
{
    a->report->edges = a->edge_count;
    add_real_time(a);
    index_edges(a);
    if (a->node_count == 0 || find_broken_snapshots(a)) return;
    filter strong = {.kinds = ALL_BUT_RT, .strong = true, .adjacent = true};
    uint64_t found = find_skew(a, strong, false);
    strong.kinds |= EDGE_RT;
    if (!found) found = find_skew(a, strong, false);
    if (!found) find_skew(a, (filter){.kinds = ALL_BUT_RT, .adjacent = true}, true);
}
