/* iso_history.c -- recording what transactions did. */
#include "support/isolation/isolation_internal.h"

#include "support/must.h"

iso_history *iso_create(void)
{
    return (iso_history *)must_alloc(sizeof(iso_history));
}

void iso_destroy(iso_history *h)
{
    if (!h) return;
    for (size_t i = 0; i < h->txn_count; i++) {
        for (size_t j = 0; j < h->txns[i]->op_count; j++)
            free(h->txns[i]->ops[j].items);
        free(h->txns[i]->ops);
        free(h->txns[i]);
    }
    free(h->txns);
    free(h->hints);
    free(h);
}

static void add_txn(iso_history *h, iso_txn *t)
{
    h->txns = (iso_txn **)must_grow(h->txns, h->txn_count, &h->txn_capacity, sizeof *h->txns);
    h->txns[h->txn_count++] = t;
}

static void add_hint(iso_history *h, order_hint hint)
{
    h->hints = (order_hint *)must_grow(h->hints, h->hint_count, &h->hint_capacity, sizeof *h->hints);
    h->hints[h->hint_count++] = hint;
}

void iso_merge(iso_history *into, iso_history *from)
{
    for (size_t i = 0; i < from->txn_count; i++)
        add_txn(into, from->txns[i]);
    for (size_t i = 0; i < from->hint_count; i++)
        add_hint(into, from->hints[i]);
    from->txn_count = from->hint_count = 0;
}

iso_txn *iso_begin(iso_history *h, uint32_t id, iso_level level, iso_span span)
{
    iso_txn *t = (iso_txn *)must_alloc(sizeof *t);
    t->id = id;
    t->level = level;
    t->begin = span;
    add_txn(h, t);
    return t;
}

void iso_end(iso_txn *t, iso_outcome outcome, iso_span span)
{
    t->outcome = outcome;
    t->end = span;
}

void iso_begun_within(iso_txn *t, iso_span span)
{
    t->begin = span;
}

uint32_t iso_id(const iso_txn *t)
{
    return t->id;
}

iso_version iso_next(const iso_txn *t)
{
    return (iso_version){t->id, (uint32_t)t->op_count};
}

static iso_op *add_op(iso_txn *t, op_kind kind)
{
    t->ops = (iso_op *)must_grow(t->ops, t->op_count, &t->op_capacity, sizeof *t->ops);
    iso_op *op = &t->ops[t->op_count++];
    *op = (iso_op){.kind = kind, .undone_at = UINT32_MAX};
    return op;
}

void iso_read(iso_txn *t, iso_key key, iso_version seen, iso_span span)
{
    iso_op *op = add_op(t, OP_READ);
    op->key = key;
    op->seen = seen;
    op->span = span;
}

void iso_put(iso_txn *t, iso_key key, iso_span span)
{
    iso_op *op = add_op(t, OP_PUT);
    op->key = key;
    op->span = span;
}

void iso_delete(iso_txn *t, iso_key key, iso_span span)
{
    iso_op *op = add_op(t, OP_DELETE);
    op->key = key;
    op->span = span;
}

static int compare_items(const void *a, const void *b)
{
    const iso_item *x = (const iso_item *)a, *y = (const iso_item *)b;
    return x->key < y->key ? -1 : x->key > y->key;
}

void iso_range(iso_txn *t, iso_key begin, iso_key end, const iso_item *seen, size_t count, iso_span span)
{
    iso_op *op = add_op(t, OP_RANGE);
    op->key = begin;
    op->end = end;
    op->span = span;
    op->item_count = count;
    op->items = (iso_item *)must_alloc(count * sizeof *seen);
    if (count) memcpy(op->items, seen, count * sizeof *seen);
    qsort(op->items, count, sizeof *seen, compare_items);
}

void iso_savepoint(iso_txn *t, uint32_t id)
{
    add_op(t, OP_SAVEPOINT)->savepoint = id;
}

/* Undoes the writes after the newest savepoint with that id. */
void iso_rollback_to(iso_txn *t, uint32_t id)
{
    uint32_t now = (uint32_t)t->op_count;
    add_op(t, OP_ROLLBACK)->savepoint = id;
    for (size_t i = now; i-- > 0;) {
        iso_op *op = &t->ops[i];
        if (op->kind == OP_SAVEPOINT && op->savepoint == id) return;
        if ((op->kind == OP_PUT || op->kind == OP_DELETE) && op->undone_at == UINT32_MAX) op->undone_at = now;
    }
}

void iso_order(iso_history *h, iso_key key, iso_version earlier, iso_version later)
{
    add_hint(h, (order_hint){key, earlier, later});
}

uint64_t iso_committed(const iso_history *h)
{
    uint64_t count = 0;
    for (size_t i = 0; i < h->txn_count; i++)
        count += h->txns[i]->outcome == ISO_COMMITTED;
    return count;
}
