/* iso_report.c -- the check as a whole, and its findings in words. */
#include "support/isolation/isolation_internal.h"

#include "support/must.h"

#include <stdarg.h>
#include <stdio.h>

enum { WORDS_BYTES = 20000 };

static const char *const kind_names[ISO_KINDS] = {
    [ISO_GARBAGE_READ] = "garbage read",
    [ISO_INTERNAL] = "internal inconsistency",
    [ISO_UNREPEATABLE_READ] = "unrepeatable read",
    [ISO_ABORTED_READ] = "aborted read (G1a)",
    [ISO_INTERMEDIATE_READ] = "intermediate read (G1b)",
    [ISO_DIRTY_READ] = "dirty read",
    [ISO_LATE_READ] = "late read",
    [ISO_DIRTY_WRITE] = "dirty write (G0)",
    [ISO_CIRCULAR] = "circular information flow (G1c)",
    [ISO_LOST_UPDATE] = "lost update",
    [ISO_FRACTURED_READ] = "fractured read",
    [ISO_READ_SKEW] = "read skew (G-single)",
    [ISO_REAL_TIME] = "order against real time",
    [ISO_NON_ADJACENT] = "non-adjacent cycle (G-nonadjacent)",
    [ISO_WRITE_SKEW] = "write skew (G2-item)",
    [ISO_PHANTOM] = "phantom (G2)",
};

const char *iso_kind_name(iso_kind kind)
{
    return kind < ISO_KINDS ? kind_names[kind] : "?";
}

/* ---------------------------------------------------------------- words */

static void keep(analysis *a, bool allowed, const char *words)
{
    if (allowed && !a->report->example) a->report->example = must_copy_string(words);
    if (!allowed && a->explained < ISO_EXPLAINED_MAX)
        a->report->explained[a->explained++] = must_copy_string(words);
}

static void count(analysis *a, iso_kind kind, bool allowed)
{
    uint64_t *counts = allowed ? a->report->allowed : a->report->found;
    counts[kind]++;
}

void report_anomaly(analysis *a, iso_kind kind, bool allowed, const char *format, ...)
{
    char words[WORDS_BYTES];
    int used = snprintf(words, sizeof words, "%s: ", kind_names[kind]);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words + used, sizeof words - (size_t)used, format, arguments);
    va_end(arguments);
    count(a, kind, allowed);
    keep(a, allowed, words);
}

typedef struct text {
    char words[WORDS_BYTES];
    size_t used;
} text;

static void add_words(text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add_words(text *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(t->words + t->used, sizeof t->words - t->used, format, arguments);
    va_end(arguments);
    t->used += (size_t)n;
    if (t->used >= sizeof t->words) t->used = sizeof t->words - 1;
}

static void add_txn(text *t, const iso_txn *x)
{
    static const char *const outcomes[] = {"open", "committed", "failed", "of unknown outcome"};
    add_words(t, "    T%u: %s, %s, begun %llu..%llu, ended %llu..%llu\n", x->id,
              x->level == ISO_SERIALIZABLE ? "serializable" : "snapshot", outcomes[x->outcome],
              (unsigned long long)x->begin.asked, (unsigned long long)x->begin.returned,
              (unsigned long long)x->end.asked, (unsigned long long)x->end.returned);
}

static void add_sight(text *t, iso_version v)
{
    if (v.txn == ISO_ABSENT.txn)
        add_words(t, "saw nothing");
    else
        add_words(t, "saw T%u.%u", v.txn, v.op);
}

/* What an operation has to do with the key. */
static void add_operation(text *t, const iso_op *op, iso_key key)
{
    iso_version seen = op->kind == OP_READ ? op->seen : ISO_ABSENT;
    for (size_t i = 0; op->kind == OP_RANGE && i < op->item_count; i++)
        if (op->items[i].key == key) seen = op->items[i].version;
    if (op->kind == OP_READ || op->kind == OP_RANGE)
        add_sight(t, seen);
    else
        add_words(t, "%s%s", op->kind == OP_PUT ? "put" : "delete",
                  op->undone_at == UINT32_MAX ? "" : ", rolled back");
    add_words(t, " %llu..%llu\n", (unsigned long long)op->span.asked, (unsigned long long)op->span.returned);
}

static bool touches(const iso_op *op, iso_key key)
{
    if (op->kind == OP_RANGE) return key >= op->key && key < op->end;
    return op->kind <= OP_DELETE && op->key == key;
}

static void add_key_history(text *t, const analysis *a, iso_key key)
{
    add_words(t, "    all that was done to key " KEY_FORMAT ":\n", KEY_PRINT(key));
    for (uint32_t i = 0; i < a->txn_count; i++)
        for (size_t j = 0; j < a->txns[i]->op_count; j++) {
            if (!touches(&a->txns[i]->ops[j], key)) continue;
            add_words(t, "        T%u.%zu (%s, %llu..%llu) ", a->txns[i]->id, j,
                      a->committed[i] ? "committed" : "failed", (unsigned long long)a->txns[i]->begin.asked,
                      (unsigned long long)a->txns[i]->end.returned);
            add_operation(t, &a->txns[i]->ops[j], key);
        }
}

static void add_version(text *t, const analysis *a, uint32_t index)
{
    const version *v = &a->versions[index];
    if (v->node == NONE)
        add_words(t, "nothing yet");
    else
        add_words(t, "%sT%u.%u", v->dead ? "the delete " : "", a->txns[v->node]->id, v->op);
}

static void add_dependency(text *t, const analysis *a, const edge *e)
{
    uint32_t from = a->txns[e->from]->id, to = a->txns[e->to]->id;
    add_words(t, "    T%u before T%u: key " KEY_FORMAT ": T%u ", from, to,
              KEY_PRINT(a->versions[e->version].key), from);
    add_words(t, "%s ",
              e->kind & EDGES_DEPENDENCY     ? "wrote"
              : e->kind == EDGE_RW_PREDICATE ? "scanned its range and saw"
                                             : "saw");
    add_version(t, a, e->version);
    add_words(t, e->kind == EDGE_WR ? ", which T%u read [wr]\n" : ", which T%u replaced by ", to);
    if (e->kind == EDGE_WR) return;
    add_version(t, a, e->next);
    add_words(t, " [%s]\n", e->kind == EDGE_WW ? "ww" : e->kind == EDGE_RW ? "rw" : "predicate rw");
}

/* One line for a path over moments. Returns the index after it. */
static size_t add_real_time(text *t, const analysis *a, const edge *const *cycle, size_t length, size_t i)
{
    size_t j = i;
    while (j + 1 < length && cycle[j]->to >= a->txn_count)
        j++;
    add_words(t, "    T%u before T%u: it ended before the other one began [rt]\n",
              a->txns[cycle[i]->from]->id, a->txns[cycle[j]->to]->id);
    return j + 1;
}

void report_cycle(analysis *a, iso_kind kind, bool allowed, const edge *const *cycle, size_t length)
{
    text t = {.used = 0};
    count(a, kind, allowed);
    if (length == 0) return;
    add_words(&t, "%s: each of these transactions must come before the next one:\n", kind_names[kind]);
    for (size_t i = 0; i < length;)
        if (cycle[i]->kind == EDGE_RT) {
            i = add_real_time(&t, a, cycle, length, i);
        } else {
            add_dependency(&t, a, cycle[i]);
            i++;
        }
    for (size_t i = 0; i < length; i++)
        if (cycle[i]->from < a->txn_count) add_txn(&t, a->txns[cycle[i]->from]);
    for (size_t i = 0; i < length && !allowed; i++)
        if (cycle[i]->kind & EDGES_RW) add_key_history(&t, a, a->versions[cycle[i]->version].key);
    keep(a, allowed, t.words);
}

/* ---------------------------------------------------------------- the check */

uint32_t node_of(const analysis *a, uint32_t id)
{
    uint32_t low = 0, high = a->txn_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (a->txns[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < a->txn_count && a->txns[low]->id == id ? low : NONE;
}

void add_edge(analysis *a, edge e)
{
    a->edges = (edge *)must_grow(a->edges, a->edge_count, &a->edge_capacity, sizeof *a->edges);
    a->edges[a->edge_count++] = e;
}

static int compare_txns(const void *a, const void *b)
{
    uint32_t x = (*(iso_txn *const *)a)->id, y = (*(iso_txn *const *)b)->id;
    if (x == y) abort(); /* ids are unique */
    return x < y ? -1 : 1;
}

static int compare_keys(const void *a, const void *b)
{
    iso_key x = *(const iso_key *)a, y = *(const iso_key *)b;
    return x < y ? -1 : x > y;
}

static void collect_keys(analysis *a)
{
    size_t capacity = 0, kept = 0;
    for (uint32_t i = 0; i < a->txn_count; i++)
        for (size_t j = 0; j < a->txns[i]->op_count; j++) {
            const iso_op *op = &a->txns[i]->ops[j];
            for (size_t k = 0; k < op->item_count; k++) {
                a->keys = (iso_key *)must_grow(a->keys, a->key_count, &capacity, sizeof *a->keys);
                a->keys[a->key_count++] = op->items[k].key;
            }
            if (op->kind > OP_DELETE || op->kind == OP_RANGE) continue;
            a->keys = (iso_key *)must_grow(a->keys, a->key_count, &capacity, sizeof *a->keys);
            a->keys[a->key_count++] = op->key;
        }
    if (a->key_count) qsort(a->keys, a->key_count, sizeof *a->keys, compare_keys);
    for (size_t i = 0; i < a->key_count; i++)
        if (i == 0 || a->keys[i] != a->keys[kept - 1]) a->keys[kept++] = a->keys[i];
    a->key_count = kept;
}

iso_report *iso_check(const iso_history *h)
{
    analysis a = {.history = h, .report = (iso_report *)must_alloc(sizeof(iso_report))};
    a.txn_count = (uint32_t)h->txn_count;
    a.txns = (const iso_txn **)must_alloc(h->txn_count * sizeof *a.txns);
    if (h->txn_count) memcpy(a.txns, h->txns, h->txn_count * sizeof *a.txns);
    if (h->txn_count) qsort(a.txns, h->txn_count, sizeof *a.txns, compare_txns);
    a.committed = (bool *)must_alloc(h->txn_count * sizeof *a.committed);
    a.observed = (bool *)must_alloc(h->txn_count * sizeof *a.observed);
    collect_keys(&a);
    check_reads(&a);
    order_versions(&a);
    find_cycles(&a);
    a.report->transactions = a.txn_count;
    a.report->versions = a.version_count - a.key_count;
    free(a.txns);
    free(a.committed);
    free(a.observed);
    free(a.keys);
    free(a.versions);
    free(a.readings);
    free(a.edges);
    free(a.first_edge);
    return a.report;
}

void iso_report_destroy(iso_report *r)
{
    if (!r) return;
    for (size_t i = 0; i < ISO_EXPLAINED_MAX; i++)
        free(r->explained[i]);
    free(r->example);
    free(r);
}

uint64_t iso_found(const iso_report *r)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < ISO_KINDS; i++)
        sum += r->found[i];
    return sum;
}
