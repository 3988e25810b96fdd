/* iso_reads.c -- what each read must fulfil by itself, and what is left of the transactions for the graph. */
#include "support/isolation/isolation_internal.h"

#include "support/must.h"

#include <stdio.h>

typedef enum touch_kind { TOUCH_SEE, TOUCH_PUT, TOUCH_DELETE } touch_kind;

/* An operation as far as one key is concerned. */
typedef struct touch {
    iso_key key;
    uint32_t op;
    touch_kind kind;
    bool by_range;
    iso_version seen; /* TOUCH_SEE */
} touch;

typedef struct touches {
    touch *list;
    size_t count, capacity;
} touches;

static bool is_absent(iso_version v)
{
    return v.txn == UINT32_MAX;
}

static bool is_same(iso_version v, iso_version w)
{
    return v.txn == w.txn && v.op == w.op;
}

static bool is_write(const iso_op *op)
{
    return op->kind == OP_PUT || op->kind == OP_DELETE;
}

/* ---------------------------------------------------------------- flattening */

static void add_touch(touches *t, touch one)
{
    t->list = (touch *)must_grow(t->list, t->count, &t->capacity, sizeof *t->list);
    t->list[t->count++] = one;
}

static size_t first_key_from(const analysis *a, iso_key key)
{
    size_t low = 0, high = a->key_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (a->keys[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A scan touches every key of the history that is in its range. */
static void flatten_range(const analysis *a, const iso_op *op, uint32_t number, touches *out)
{
    size_t item = 0;
    for (size_t i = first_key_from(a, op->key); i < a->key_count && a->keys[i] < op->end; i++) {
        while (item < op->item_count && op->items[item].key < a->keys[i])
            item++;
        bool shown = item < op->item_count && op->items[item].key == a->keys[i];
        add_touch(out,
                  (touch){a->keys[i], number, TOUCH_SEE, true, shown ? op->items[item].version : ISO_ABSENT});
    }
}

static int compare_touches(const void *a, const void *b)
{
    const touch *x = (const touch *)a, *y = (const touch *)b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return x->op < y->op ? -1 : x->op > y->op;
}

static void flatten(const analysis *a, const iso_txn *t, touches *out)
{
    out->count = 0;
    for (uint32_t i = 0; i < t->op_count; i++) {
        const iso_op *op = &t->ops[i];
        if (op->kind == OP_READ) add_touch(out, (touch){op->key, i, TOUCH_SEE, false, op->seen});
        if (op->kind == OP_PUT) add_touch(out, (touch){op->key, i, TOUCH_PUT, false, ISO_ABSENT});
        if (op->kind == OP_DELETE) add_touch(out, (touch){op->key, i, TOUCH_DELETE, false, ISO_ABSENT});
        if (op->kind == OP_RANGE) flatten_range(a, op, i, out);
    }
    if (out->count) qsort(out->list, out->count, sizeof *out->list, compare_touches);
}

/* ---------------------------------------------------------------- versions of other transactions */

static bool wrote_later(const iso_txn *t, iso_key key, uint32_t op)
{
    for (size_t i = op + 1; i < t->op_count; i++)
        if (is_write(&t->ops[i]) && t->ops[i].key == key && t->ops[i].undone_at == UINT32_MAX) return true;
    return false;
}

/* What is wrong with a transaction that sees this version of another one; ISO_KINDS: nothing. */
static iso_kind judge(const analysis *a, const iso_txn *reader, const touch *s)
{
    uint32_t node = node_of(a, s->seen.txn);
    if (node == NONE) return ISO_GARBAGE_READ;
    const iso_txn *writer = a->txns[node];
    if (s->seen.op >= writer->op_count) return ISO_GARBAGE_READ;
    const iso_op *op = &writer->ops[s->seen.op];
    if (op->kind != OP_PUT || op->key != s->key) return ISO_GARBAGE_READ;
    if (!a->committed[node] || op->undone_at != UINT32_MAX) return ISO_ABORTED_READ;
    if (wrote_later(writer, s->key, s->seen.op)) return ISO_INTERMEDIATE_READ;
    uint64_t read = reader->ops[s->op].span.returned;
    if (read && writer->end.asked && read < writer->end.asked) return ISO_DIRTY_READ;
    uint64_t begun = reader->begin.returned;
    return begun && writer->end.asked && begun < writer->end.asked ? ISO_LATE_READ : ISO_KINDS;
}

static void say_read(analysis *a, iso_kind kind, const iso_txn *t, const touch *s, const char *what)
{
    char seen[64] = "nothing";
    if (!is_absent(s->seen)) snprintf(seen, sizeof seen, "version T%u.%u", s->seen.txn, s->seen.op);
    report_anomaly(a, kind, false, "T%u, operation %u: %s of key " KEY_FORMAT " sees %s: %s", t->id, s->op,
                   s->by_range ? "a scan" : "a read", KEY_PRINT(s->key), seen, what);
}

static const char *const reasons[ISO_KINDS] = {
    [ISO_GARBAGE_READ] = "nobody wrote that",
    [ISO_ABORTED_READ] = "its transaction failed, or rolled it back",
    [ISO_INTERMEDIATE_READ] = "its transaction replaced it before it committed",
    [ISO_DIRTY_READ] = "its transaction had not begun to commit",
    [ISO_LATE_READ] = "its transaction began to commit after the reader had begun",
};

/* ---------------------------------------------------------------- one key of one transaction */

typedef struct key_walk {
    uint32_t node;
    const iso_txn *txn;
    const touch *first; /* the touches of the key */
    size_t count;
    const touch *external; /* the last read of what others wrote; NULL: none */
    uint32_t reading;      /* its index, or NONE */
} key_walk;

/* The transaction's own write that is in force at the i-th touch; NULL: none. */
static const touch *own_write_at(const key_walk *w, size_t i)
{
    for (size_t j = i; j-- > 0;) {
        const touch *t = &w->first[j];
        if (t->kind != TOUCH_SEE && w->txn->ops[t->op].undone_at > w->first[i].op) return t;
    }
    return NULL;
}

static uint32_t add_reading(analysis *a, const key_walk *w, const touch *s)
{
    a->readings =
        (reading *)must_grow(a->readings, a->reading_count, &a->reading_capacity, sizeof *a->readings);
    a->readings[a->reading_count] = (reading){.key = s->key,
                                              .node = w->node,
                                              .op = s->op,
                                              .absent = is_absent(s->seen),
                                              .predicate = is_absent(s->seen) && s->by_range,
                                              .seen = s->seen,
                                              .version = NONE};
    return (uint32_t)a->reading_count++;
}

static void check_own(analysis *a, const key_walk *w, const touch *own, const touch *s)
{
    iso_version expected = own->kind == TOUCH_DELETE ? ISO_ABSENT : (iso_version){w->txn->id, own->op};
    if (is_same(s->seen, expected)) return;
    say_read(a, ISO_INTERNAL, w->txn, s, "the transaction itself wrote something else before");
}

static void check_external(analysis *a, key_walk *w, const touch *s)
{
    if (s->seen.txn == w->txn->id) {
        say_read(a, ISO_ABORTED_READ, w->txn, s, "the transaction had rolled that back, or not written it");
        return;
    }
    iso_kind wrong = is_absent(s->seen) ? ISO_KINDS : judge(a, w->txn, s);
    if (wrong != ISO_KINDS) say_read(a, wrong, w->txn, s, reasons[wrong]);
    if (wrong < ISO_DIRTY_READ) return; /* a version that cannot be in the graph */
    if (w->external && is_same(w->external->seen, s->seen)) return;
    if (w->external) {
        say_read(a, ISO_UNREPEATABLE_READ, w->txn, s, "the transaction saw another version before");
        return;
    }
    w->external = s;
    w->reading = add_reading(a, w, s);
}

static void add_version(analysis *a, version v)
{
    a->versions =
        (version *)must_grow(a->versions, a->version_count, &a->version_capacity, sizeof *a->versions);
    a->versions[a->version_count++] = v;
}

static void check_key(analysis *a, key_walk *w)
{
    const touch *last_write = NULL;
    for (size_t i = 0; i < w->count; i++) {
        const touch *t = &w->first[i];
        if (t->kind != TOUCH_SEE) {
            if (w->txn->ops[t->op].undone_at == UINT32_MAX) last_write = t;
            continue;
        }
        const touch *own = own_write_at(w, i);
        if (own)
            check_own(a, w, own, t);
        else
            check_external(a, w, t);
    }
    /* Reads after the last write were of that, unless it is not what the transaction sees at all. */
    bool read_first = w->external && last_write && w->external->op < last_write->op;
    if (last_write && a->committed[w->node])
        add_version(a, (version){w->first->key, w->node, last_write->op, last_write->kind == TOUCH_DELETE,
                                 read_first ? w->reading : NONE});
}

static void check_transaction(analysis *a, uint32_t node, touches *t)
{
    flatten(a, a->txns[node], t);
    for (size_t i = 0, end; i < t->count; i = end) {
        for (end = i + 1; end < t->count && t->list[end].key == t->list[i].key;)
            end++;
        key_walk w = {
            .node = node, .txn = a->txns[node], .first = &t->list[i], .count = end - i, .reading = NONE};
        check_key(a, &w);
    }
}

/* ---------------------------------------------------------------- all of them */

static void observe(analysis *a, const iso_txn *reader, iso_version seen)
{
    uint32_t node = is_absent(seen) || seen.txn == reader->id ? NONE : node_of(a, seen.txn);
    if (node != NONE) a->observed[node] = true;
}

/* Transactions of which nobody knows whether they committed did so if another one saw it. */
static void settle_outcomes(analysis *a)
{
    for (uint32_t i = 0; i < a->txn_count; i++)
        for (size_t j = 0; j < a->txns[i]->op_count; j++) {
            const iso_op *op = &a->txns[i]->ops[j];
            if (op->kind == OP_READ) observe(a, a->txns[i], op->seen);
            for (size_t k = 0; k < op->item_count; k++)
                observe(a, a->txns[i], op->items[k].version);
        }
    for (size_t i = 0; i < a->history->hint_count; i++) {
        uint32_t node = node_of(a, a->history->hints[i].earlier.txn);
        if (node != NONE && a->history->hints[i].later.txn != a->txns[node]->id) a->observed[node] = true;
    }
    for (uint32_t i = 0; i < a->txn_count; i++) {
        iso_outcome o = a->txns[i]->outcome;
        bool unknown = o == ISO_UNKNOWN || o == ISO_OPEN;
        a->committed[i] = o == ISO_COMMITTED || (unknown && a->observed[i]);
    }
}

static int compare_versions(const void *a, const void *b)
{
    const version *x = (const version *)a, *y = (const version *)b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    /* NONE, the version before all others, first. */
    uint32_t i = x->node + 1, j = y->node + 1;
    return i < j ? -1 : i > j;
}

void check_reads(analysis *a)
{
    touches t = {NULL, 0, 0};
    settle_outcomes(a);
    for (size_t i = 0; i < a->key_count; i++)
        add_version(a, (version){a->keys[i], NONE, 0, true, NONE});
    for (uint32_t i = 0; i < a->txn_count; i++)
        check_transaction(a, i, &t);
    if (a->version_count) qsort(a->versions, a->version_count, sizeof *a->versions, compare_versions);
    free(t.list);
}
