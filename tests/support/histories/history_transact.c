/* history_transact.c -- the step of a history that calls holt_transact. */
#include "support/histories/history_internal.h"

#include <stdio.h>

enum { WRITES_MAX = 4, VALUE_BYTES = 24 };

/* What the function does: the writes, in each try; then it has a conflict in the first tries, and in the end
 * it gives up or not. */
typedef struct transact_plan {
    history *h;
    model_write writes[WRITES_MAX];
    char values[WRITES_MAX][VALUE_BYTES];
    size_t count;
    uint64_t calls, conflicts;
    bool gives_up;
} transact_plan;

static holt_status write_all(holt_txn *t, void *ctx)
{
    transact_plan *p = ctx;
    p->calls++;
    for (size_t i = 0; i < p->count; i++) {
        const model_write *w = &p->writes[i];
        holt_collection *c = p->h->handles[w->collection];
        holt_status rc =
            w->value.present ? holt_put(c, t, w->key, holt_str(p->values[i])) : holt_delete(c, t, w->key);
        if (rc != HOLT_OK) return rc;
    }
    if (p->calls <= p->conflicts) return HOLT_CONFLICT;
    return p->gives_up ? HOLT_EXISTS : HOLT_OK;
}

static transact_plan any_plan(history *h)
{
    transact_plan p = {.h = h, .count = 1 + rng_below(&h->rng, WRITES_MAX)};
    p.conflicts = rng_chance(&h->rng, 2) ? rng_below(&h->rng, 4) : 0;
    p.gives_up = rng_chance(&h->rng, 4);
    for (size_t i = 0; i < p.count; i++) {
        model_write *w = &p.writes[i];
        snprintf(p.values[i], VALUE_BYTES, "transact %u", (unsigned)rng_below(&h->rng, 1000));
        w->collection = history_any_collection(h);
        w->key = key_space_any(&h->keys, &h->rng);
        w->value = rng_chance(&h->rng, 3) ? (model_value){0} : model_value_of(holt_str(p.values[i]));
        h->weight += w->key.size + VALUE_BYTES + 64;
    }
    return p;
}

bool history_transact(history *h)
{
    static const uint32_t flags[] = {0, HOLT_TXN_BLIND, HOLT_TXN_SERIALIZABLE};
    transact_plan p = any_plan(h);
    uint32_t durability = h->options.mixed ? (uint32_t)rng_below(&h->rng, 4) : HOLT_DURABILITY_DEFAULT;
    holt_transact_options o = {.txn = {.flags = flags[rng_below(&h->rng, 3)], .durability = durability}};
    history_note(h, "transact %zu writes, flags %u, %llu conflicts%s", p.count, o.txn.flags,
                 (unsigned long long)p.conflicts, p.gives_up ? ", gives up" : "");
    if (!p.gives_up) model_commit(h->model, p.writes, p.count);
    holt_status rc;
    do {
        p.calls = 0;
        rc = holt_transact(h->db, &o, write_all, &p);
    } while (history_again(h, rc));
    if (rc == HOLT_BUSY) { /* all open transactions together are too large */
        if (!p.gives_up) model_undo(h->model);
        return true;
    }
    if (p.gives_up) return verdict_status(h->verdict, rc, HOLT_EXISTS, "holt_transact that gives up");
    return history_committed(h, rc, durability, "holt_transact");
}
