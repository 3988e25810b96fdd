/* index_age.c -- markers of indexes, and when they need not be looked up any more. */
#include "table/catalog/index_age.h"

#include "base/status.h"
#include "table/index/index_entry.h"

#include <assert.h>

#define COMPLETION_LABEL "holt: new index"

/* Reads of an unsettled index from one look at the open transactions to the next. */
enum { READS_PER_LOOK = 64 };

/* ---------------------------------------------------------------- earlier registries */

/* A bit for the address of each database of which a registry has completed an index. Bits are never cleared:
 * another database at the same address has its markers looked up without need. */
enum { NOTES = 4096 };
static uint8_t notes[NOTES / 8]; /* the mutex of all registries */

static size_t note_of(const holt *db)
{
    return (size_t)(((uintptr_t)db >> 6) % NOTES);
}

bool index_age_is_noted(const holt *db)
{
    return notes[note_of(db) / 8] >> note_of(db) % 8 & 1;
}

void index_age_note(const holt *db)
{
    notes[note_of(db) / 8] |= (uint8_t)(1 << note_of(db) % 8);
}

/* ---------------------------------------------------------------- settling */

void index_age_begin(registry *r)
{
    pthread_mutex_lock(&r->mu);
    holt_txn *former = r->completion; /* what is older than it says nothing of the new index */
    r->completion = NULL;
    r->completions++;
    pthread_mutex_unlock(&r->mu);
    holt_rollback(former);
}

void index_age_end(registry *r)
{
    holt_txn_options o = {.flags = HOLT_TXN_BLIND, .label = COMPLETION_LABEL}; /* it pins nothing */
    status_aside outcome;
    holt_txn *t = NULL;
    status_put_aside(&outcome);
    (void)holt_begin(r->db, &o, &t); /* without it, markers are looked up for as long as the registry lives */
    status_put_back(&outcome);
    pthread_mutex_lock(&r->mu);
    assert(!r->completion);
    r->completion = t;
    pthread_mutex_unlock(&r->mu);
}

typedef struct look {
    bool passed; /* the registry's transaction */
    bool older;  /* there is an older one with a snapshot */
} look;

static holt_status see_reader(void *ctx, const holt_reader *reader)
{
    look *l = (look *)ctx;
    if (strcmp(reader->label, COMPLETION_LABEL) == 0)
        l->passed = true;
    else if (l->passed && (reader->kind == HOLT_READER_TXN || reader->kind == HOLT_READER_SNAPSHOT))
        l->older = true;
    return HOLT_OK;
}

/* r->mu. */
static void settle_all(const registry *r)
{
    for (size_t i = 0; i < r->table_count; i++) {
        const table_layout *layout = table_current(r->tables[i]);
        for (uint32_t j = 0; j < layout->schema->index_count; j++)
            if (layout->schema->indexes[j].state == INDEX_COMPLETE) /* Relaxed: it carries no other data. */
                atomic_store_explicit(&layout->settled[j], true, memory_order_relaxed);
    }
}

/* Whether no transaction with a snapshot is older than the registry's. */
static bool is_oldest(const registry *r)
{
    look l = {0};
    return holt_readers(r->db, see_reader, &l) == HOLT_OK && l.passed && !l.older;
}

/* The registry's transaction is taken out while the others are looked at. If another index becomes complete
 * in the meantime, it is of no use any more. */
static void try_to_settle(registry *r)
{
    pthread_mutex_lock(&r->mu);
    holt_txn *completion = r->completion;
    uint64_t completions = r->completions;
    r->completion = NULL;
    pthread_mutex_unlock(&r->mu);
    if (!completion) return;
    bool settled = is_oldest(r);
    pthread_mutex_lock(&r->mu);
    if (completions == r->completions && settled) {
        settle_all(r);
    } else if (completions == r->completions) {
        r->completion = completion;
        completion = NULL;
    }
    pthread_mutex_unlock(&r->mu);
    holt_rollback(completion);
}

holt_status index_age_check(const table_layout *layout, uint32_t position, holt_table *t, holt_txn *txn)
{
    /* Relaxed, both: the flag carries no other data, and the count decides nothing. */
    if (!txn || atomic_load_explicit(&layout->settled[position], memory_order_relaxed)) return HOLT_OK;
    holt_status rc = holt_exists(layout->indexes[position], txn, index_marker());
    if (rc == HOLT_NOT_FOUND)
        return status_set(HOLT_BUSY,
                          "index %s of table %s is younger than the transaction; begin another one",
                          layout->schema->indexes[position].name, layout->schema->name);
    uint32_t reads = atomic_fetch_add_explicit(&t->unsettled_reads, 1, memory_order_relaxed);
    if (rc == HOLT_OK && reads % READS_PER_LOOK == 0) try_to_settle(t->registry);
    return rc;
}
