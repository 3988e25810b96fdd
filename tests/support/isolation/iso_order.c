/* iso_order.c -- in which order the versions of each key replaced each other, and the edges that follow.
 *
 * The order of a key's versions is partial: a matrix of bits says which are known to come after which.
 * Evidence, the strongest first; what contradicts stronger evidence is left out:
 *     1. what values say of their predecessors
 *     2. a transaction that read a version and then wrote the key wrote a later one
 *     3. a commit that returned before the other one was asked for
 */
#include "support/isolation/isolation_internal.h"

#include "support/must.h"

enum { PASSES_MAX = 50 };

typedef struct key_order {
    analysis *a;
    version *versions; /* of the key; [0] is before all others */
    uint32_t first;    /* the index of versions[0] */
    size_t count, words;
    uint64_t *after;           /* count rows: the versions known to be later */
    uint64_t *row, *other_row; /* scratch */
    const uint32_t *readings;  /* indexes, of the key */
    size_t reading_count;
    bool doubtful_delete; /* a delete of which nobody knows whether it was committed */
} key_order;

/* ---------------------------------------------------------------- the matrix */

static uint64_t *row_of(const key_order *k, size_t i)
{
    return k->after + i * k->words;
}

static bool has_bit(const uint64_t *row, size_t i)
{
    return row[i / 64] >> (i % 64) & 1;
}

static bool is_before(const key_order *k, size_t i, size_t j)
{
    return has_bit(row_of(k, i), j);
}

/* Returns false if the opposite is known. */
static bool put_before(key_order *k, size_t i, size_t j)
{
    if (i == j || is_before(k, j, i)) return false;
    if (is_before(k, i, j)) return true;
    memcpy(k->row, row_of(k, j), k->words * sizeof *k->row);
    k->row[j / 64] |= UINT64_C(1) << (j % 64);
    for (size_t x = 0; x < k->count; x++) {
        if (x != i && !is_before(k, x, i)) continue;
        for (size_t w = 0; w < k->words; w++)
            row_of(k, x)[w] |= k->row[w];
    }
    return true;
}

/* The nearest later versions, into k->row; live: skipping deletes. */
static void find_next(key_order *k, size_t i, bool live)
{
    memcpy(k->row, row_of(k, i), k->words * sizeof *k->row);
    for (size_t j = 1; j < k->count && live; j++)
        if (k->versions[j].dead) k->row[j / 64] &= ~(UINT64_C(1) << (j % 64));
    for (size_t j = 1; j < k->count; j++) {
        if (!is_before(k, i, j) || (live && k->versions[j].dead)) continue;
        for (size_t w = 0; w < k->words; w++)
            k->row[w] &= ~row_of(k, j)[w];
    }
}

/* ---------------------------------------------------------------- evidence */

static const iso_txn *writer_of(const key_order *k, size_t i)
{
    return k->a->txns[k->versions[i].node];
}

/* The version that the node wrote; 0: none. */
static size_t version_by(const key_order *k, uint32_t node)
{
    size_t low = 1, high = k->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (k->versions[middle].node < node)
            low = middle + 1;
        else
            high = middle;
    }
    return low < k->count && k->versions[low].node == node ? low : 0;
}

static void take_hint(key_order *k, const order_hint *h)
{
    uint32_t earlier = node_of(k->a, h->earlier.txn), later = node_of(k->a, h->later.txn);
    if (earlier == later || earlier == NONE || later == NONE || !k->a->committed[later]) return;
    if (!k->a->committed[earlier]) {
        report_anomaly(k->a, ISO_ABORTED_READ, false,
                       "key " KEY_FORMAT ": version T%u.%u replaced T%u.%u, whose transaction failed",
                       KEY_PRINT(h->key), h->later.txn, h->later.op, h->earlier.txn, h->earlier.op);
        return;
    }
    size_t i = version_by(k, earlier), j = version_by(k, later);
    if (i && j && !put_before(k, i, j))
        report_anomaly(k->a, ISO_LOST_UPDATE, false,
                       "key " KEY_FORMAT ": values disagree on whether T%u.%u or T%u.%u was first",
                       KEY_PRINT(h->key), h->earlier.txn, h->earlier.op, h->later.txn, h->later.op);
}

static uint64_t commit_asked(const iso_txn *t)
{
    return t->end.asked ? t->end.asked : t->begin.asked;
}

static bool ended_before(const iso_txn *t, uint64_t moment)
{
    return t->end.returned && t->end.returned < moment;
}

static void order_by_time(key_order *k)
{
    for (size_t i = 1; i < k->count; i++)
        for (size_t j = 1; j < k->count; j++)
            if (i != j && ended_before(writer_of(k, i), commit_asked(writer_of(k, j)))) put_before(k, i, j);
}

static void order_by_reads(key_order *k)
{
    for (size_t j = 1; j < k->count; j++) {
        uint32_t r = k->versions[j].follows;
        if (r != NONE && k->a->readings[r].version != NONE)
            put_before(k, k->a->readings[r].version - k->first, j);
    }
}

static bool follow_the_same(const key_order *k, size_t i, size_t j)
{
    uint32_t r = k->versions[i].follows, s = k->versions[j].follows;
    if (r == NONE || s == NONE || k->a->readings[r].version == NONE) return false;
    return k->a->readings[r].version == k->a->readings[s].version;
}

/* Two that replaced the same version: an update is lost, whichever was first. */
static void order_forks(key_order *k)
{
    for (size_t i = 1; i < k->count; i++)
        for (size_t j = i + 1; j < k->count; j++)
            if (!is_before(k, i, j) && !is_before(k, j, i) && follow_the_same(k, i, j)) put_before(k, i, j);
}

/* ---------------------------------------------------------------- reads of nothing */

static bool is_stale(const key_order *k, size_t candidate, const iso_txn *reader)
{
    for (size_t j = 1; j < k->count; j++)
        if (is_before(k, candidate, j) && ended_before(writer_of(k, j), reader->begin.asked)) return true;
    return false;
}

static bool is_late(const key_order *k, size_t candidate, const iso_txn *reader)
{
    uint64_t begun = reader->begin.returned;
    return candidate > 0 && begun && begun < commit_asked(writer_of(k, candidate));
}

/* Whether two deletes come one after the other, with no value between them. */
static bool are_adjacent(key_order *k, size_t earlier, size_t later)
{
    if (!is_before(k, earlier, later)) return false;
    find_next(k, earlier, true);
    memcpy(k->other_row, k->row, k->words * sizeof *k->row);
    find_next(k, later, true);
    return memcmp(k->other_row, k->row, k->words * sizeof *k->row) == 0;
}

/* The version without a value that the read can have seen; the first one of several deletes with no value
 * between them (*several), NONE if there are others. If the read breaks the rules of time with each of them,
 * the one with which it breaks them least. */
static uint32_t find_unseen(key_order *k, const reading *r, bool *several)
{
    const iso_txn *reader = k->a->txns[r->node];
    size_t timely = 0, one = 0, stale = 0;
    uint64_t newest = 0;
    *several = false;
    if (k->doubtful_delete) return NONE;
    for (size_t i = 0; i < k->count; i++) {
        if (!k->versions[i].dead || k->versions[i].node == r->node || is_late(k, i, reader)) continue;
        if (is_stale(k, i, reader)) {
            if (!i || commit_asked(writer_of(k, i)) < newest) continue;
            newest = commit_asked(writer_of(k, i));
            stale = i;
            continue;
        }
        *several = timely++ > 0;
        if (*several && !are_adjacent(k, one, i) && !are_adjacent(k, i, one)) return NONE;
        if (!*several || is_before(k, i, one)) one = i;
    }
    return k->first + (uint32_t)(timely ? one : stale);
}

/* Returns whether anything has changed. */
static bool resolve_absent(key_order *k)
{
    bool changed = false;
    for (size_t i = 0; i < k->reading_count; i++) {
        reading *r = &k->a->readings[k->readings[i]];
        uint32_t before = r->version;
        if (!r->absent || (before != NONE && !r->several)) continue;
        r->version = find_unseen(k, r, &r->several);
        changed |= r->version != before;
    }
    return changed;
}

static void resolve_present(key_order *k)
{
    for (size_t i = 0; i < k->reading_count; i++) {
        reading *r = &k->a->readings[k->readings[i]];
        size_t seen = r->absent ? 0 : version_by(k, node_of(k->a, r->seen.txn));
        if (seen) r->version = k->first + (uint32_t)seen;
    }
}

/* ---------------------------------------------------------------- edges */

static void add_write_edges(key_order *k)
{
    for (size_t i = 1; i < k->count; i++) {
        find_next(k, i, false);
        for (size_t j = 1; j < k->count; j++)
            if (has_bit(k->row, j))
                add_edge(k->a, (edge){k->versions[i].node, k->versions[j].node, EDGE_WW,
                                      k->first + (uint32_t)i, k->first + (uint32_t)j});
    }
}

static void add_read_edges(key_order *k, const reading *r)
{
    size_t i = r->version - k->first;
    edge_kind kind = r->predicate ? EDGE_RW_PREDICATE : EDGE_RW;
    if (i && !r->several) add_edge(k->a, (edge){k->versions[i].node, r->node, EDGE_WR, r->version, NONE});
    find_next(k, i, r->absent);
    for (size_t j = 1; j < k->count; j++)
        if (has_bit(k->row, j) && k->versions[j].node != r->node)
            add_edge(k->a, (edge){r->node, k->versions[j].node, kind, r->version, k->first + (uint32_t)j});
}

/* ---------------------------------------------------------------- all keys */

static bool has_doubtful_delete(const analysis *a, iso_key key)
{
    for (uint32_t i = 0; i < a->txn_count; i++) {
        bool unknown = a->txns[i]->outcome == ISO_UNKNOWN || a->txns[i]->outcome == ISO_OPEN;
        for (size_t j = 0; unknown && !a->committed[i] && j < a->txns[i]->op_count; j++)
            if (a->txns[i]->ops[j].kind == OP_DELETE && a->txns[i]->ops[j].key == key) return true;
    }
    return false;
}

static void order_key(key_order *k, const order_hint *hints, size_t hint_count)
{
    k->words = (k->count + 63) / 64;
    k->after = (uint64_t *)must_alloc(k->count * k->words * sizeof *k->after);
    k->row = (uint64_t *)must_alloc(k->words * sizeof *k->row);
    k->other_row = (uint64_t *)must_alloc(k->words * sizeof *k->row);
    k->doubtful_delete = has_doubtful_delete(k->a, k->versions[0].key);
    for (size_t j = 1; j < k->count; j++)
        put_before(k, 0, j);
    for (size_t i = 0; i < hint_count; i++)
        take_hint(k, &hints[i]);
    resolve_present(k);
    /* What a read of nothing saw depends on the order, and may say more about it. */
    bool changed = true;
    for (int i = 0; i < PASSES_MAX && changed; i++) {
        order_by_reads(k);
        order_by_time(k);
        changed = resolve_absent(k);
    }
    order_forks(k);
    add_write_edges(k);
    for (size_t i = 0; i < k->reading_count; i++) {
        const reading *r = &k->a->readings[k->readings[i]];
        if (r->version == NONE)
            k->a->report->unresolved++;
        else
            add_read_edges(k, r);
    }
    free(k->after);
    free(k->row);
    free(k->other_row);
}

static int compare_hints(const void *a, const void *b)
{
    const order_hint *x = (const order_hint *)a, *y = (const order_hint *)b;
    return x->key < y->key ? -1 : x->key > y->key;
}

/* A reading by its key. */
typedef struct key_reading {
    iso_key key;
    uint32_t reading;
} key_reading;

static int compare_key_readings(const void *a, const void *b)
{
    const key_reading *x = (const key_reading *)a, *y = (const key_reading *)b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return x->reading < y->reading ? -1 : x->reading > y->reading;
}

static uint32_t *readings_by_key(const analysis *a)
{
    key_reading *sorted = (key_reading *)must_alloc(a->reading_count * sizeof *sorted);
    uint32_t *indexes = (uint32_t *)must_alloc(a->reading_count * sizeof *indexes);
    for (size_t i = 0; i < a->reading_count; i++)
        sorted[i] = (key_reading){a->readings[i].key, (uint32_t)i};
    if (a->reading_count) qsort(sorted, a->reading_count, sizeof *sorted, compare_key_readings);
    for (size_t i = 0; i < a->reading_count; i++)
        indexes[i] = sorted[i].reading;
    free(sorted);
    return indexes;
}

void order_versions(analysis *a)
{
    const iso_history *h = a->history;
    uint32_t *readings = readings_by_key(a);
    order_hint *hints = (order_hint *)must_alloc(h->hint_count * sizeof *hints);
    size_t hint = 0, reading_at = 0;
    if (h->hint_count) memcpy(hints, h->hints, h->hint_count * sizeof *hints);
    if (h->hint_count) qsort(hints, h->hint_count, sizeof *hints, compare_hints);
    for (size_t i = 0; i < a->version_count;) {
        iso_key key = a->versions[i].key;
        size_t hint_begin = hint;
        key_order k = {.a = a, .versions = &a->versions[i], .first = (uint32_t)i};
        k.readings = readings + reading_at;
        while (i < a->version_count && a->versions[i].key == key)
            i++, k.count++;
        while (hint < h->hint_count && hints[hint].key == key)
            hint++;
        while (reading_at < a->reading_count && a->readings[readings[reading_at]].key == key)
            reading_at++, k.reading_count++;
        order_key(&k, hints + hint_begin, hint - hint_begin);
    }
    free(hints);
    free(readings);
}
