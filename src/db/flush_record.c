/* flush_record.c -- making a flush visible: one record of what became of every collection, then the view. */
#include "db/flush_internal.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/commit.h"
#include "db/install.h"
#include "db/space.h"

#include <inttypes.h>

typedef struct flush_change {
    buffer edit;
    tree_change *trees;
    uint32_t *slots;
    collection_state **states;
    size_t count;
    log_state log;
} flush_change;

static void change_deinit(flush_change *c)
{
    buffer_deinit(&c->edit);
    mem_free(c->trees);
    mem_free(c->slots);
    mem_free(c->states);
}

/* Where the log begins when this table is flushed. */
static log_state log_after(const holt *db, const table *t)
{
    log_state log = db->log;
    log.closed = false;
    log.flushed_seqno = t->last_seqno;
    if (t->last_recovered) log.recovered_count = 0; /* the array stays db->log's */
    if (t->segment) {
        log.next_segment = t->next_segment;
        log.next_epoch = t->next_epoch;
    }
    return log;
}

/* The collection's tree with its new run in front. */
static holt_status add_run(flush *f, const collection_state *s, const flush_output *o, flush_change *c,
                           collection_tree *tree)
{
    const uint8_t *bounds = o->bounds.data;
    lsm_part part = {.file = f->file,
                     .file_size = f->run_bytes,
                     .root = o->root,
                     .lower = slice_of(bounds, o->lower_size),
                     .upper = slice_of(bounds + o->lower_size, o->bounds.size - o->lower_size)};
    lsm_run *run;
    holt_status rc = lsm_run_open(f->table->last_seqno, 0, &part, &f->finished, 1, &run);
    if (rc != HOLT_OK) return rc;
    rc = lsm_tree_replace(s->lsm, NULL, 0, run, &tree->lsm);
    if (rc == HOLT_OK) edit_run(&c->edit, s->spec.id, run);
    lsm_run_unref(run);
    f->runs_used += rc == HOLT_OK;
    return rc;
}

/* The collection's new B+tree. */
static void add_version(const collection_state *s, const flush_output *o, flush_change *c,
                        collection_tree *tree)
{
    tree->lsm = lsm_tree_ref(s->lsm);
    tree->btree = btree_version_ref(o->next);
    tree->btree_file = s->btree_file;
    edit_root(&c->edit, s->spec.id, btree_version_root(o->next));
}

/* The new tree of one collection. HOLT_CONFLICT: its pages have been changed by another since the flush began, so that it must begin
 * anew. */
static holt_status add_output(flush *f, const view *now, const flush_output *o, flush_change *c)
{
    const collection_state *s = view_collection(now, o->slot, o->collection);
    if (o->base && (!s || s->btree != o->base)) return HOLT_CONFLICT;
    if (!s || s->cleared_seqno >= f->table->last_seqno || (!o->next && o->root.root.length == 0))
        return HOLT_OK;
    collection_tree tree = {0};
    holt_status rc = HOLT_OK;
    if (o->next)
        add_version(s, o, c, &tree);
    else
        rc = add_run(f, s, o, c, &tree);
    if (rc == HOLT_OK) rc = collection_state_create(&c->states[c->count], &s->spec, s->cleared_seqno, &tree);
    if (rc != HOLT_OK) return rc;
    tree_change t = {.collection = s->spec.id,
                     .slot = o->slot,
                     .cleared_seqno = s->cleared_seqno,
                     .tree = tree.lsm,
                     .root = tree.btree ? btree_version_root(tree.btree) : NULL};
    c->trees[c->count] = t;
    c->slots[c->count++] = o->slot;
    return HOLT_OK;
}

static holt_status gather_change(flush *f, flush_change *c)
{
    holt *db = f->db;
    view *now;
    c->trees = mem_alloc_zero(f->output_count + 1, sizeof *c->trees);
    c->slots = mem_alloc_zero(f->output_count + 1, sizeof *c->slots);
    c->states = mem_alloc_zero(f->output_count + 1, sizeof *c->states);
    if (!c->trees || !c->slots || !c->states) return status_no_memory(f->output_count * sizeof *c->trees);
    holt_status rc = view_acquire(db, &now);
    if (rc != HOLT_OK) return rc;
    f->runs_used = 0;
    for (size_t i = 0; i < f->output_count && rc == HOLT_OK; i++)
        rc = add_output(f, now, &f->outputs[i], c);
    view_release(db, now);
    c->log = log_after(db, f->table);
    edit_counters(&c->edit, atomic_load_explicit(&db->next_file, memory_order_relaxed), db->next_collection,
                  os_time_ms(db->os));
    edit_log(&c->edit, &c->log);
    if (f->space) edit_space(&c->edit, f->space, false);
    return rc;
}

/* manifest_mu held. */
static holt_status record_flush(flush *f)
{
    holt *db = f->db;
    flush_change c = {0};
    holt_status rc = gather_change(f, &c);
    bool tried = rc == HOLT_OK;
    if (tried) {
        record_change change = {
            .edit = &c.edit, .trees = c.trees, .tree_count = c.count, .log = &c.log, .space = f->space};
        install_change install = {.slots = c.slots,
                                  .states = c.states,
                                  .count = c.count,
                                  .flushed = f->table,
                                  .floor = f->table->last_seqno};
        rc = record_and_install_locked(db, &change, &install);
    } else {
        for (size_t i = 0; c.states && i < c.count; i++)
            collection_state_unref(c.states[i]);
    }
    if (rc == HOLT_OK) {
        db->log = c.log;
        /* Nothing took the file: all it holds was dropped or cleared. */
        if (f->finished && f->runs_used == 0) tree_file_obsolete(f->finished);
    }
    if (f->change && f->space) {
        space_end_change(db, f->change, tried, rc);
        f->change = NULL;
    }
    change_deinit(&c);
    return rc;
}

/* The record is durable: the memtable's segments are not needed any more. */
static void release_log(holt *db, const table *t, const log_end *recovered, size_t recovered_count)
{
    if (t->segment) wal_release(db->wal, t->segment);
    for (size_t i = 0; t->last_recovered && i < recovered_count; i++)
        wal_release_file(db->wal, recovered[i].segment);
}

holt_status flush_finish(flush *f)
{
    holt *db = f->db;
    os_mutex_lock(&db->manifest_mu);
    size_t recovered_count = db->log.recovered_count;
    holt_status rc = record_flush(f);
    os_mutex_unlock(&db->manifest_mu);
    if (rc != HOLT_OK) return rc;
    release_log(db, f->table, db->log.recovered, recovered_count);
    gate_drained(db, memtable_bytes(f->table->memtable), os_clock_ns(db->os) - f->began_ns);
    event_log_write(db->events, HOLT_LOG_INFO,
                    "flushed %zu collections, %" PRIu64 " versions into %" PRIu64
                    " bytes, up to operation %" PRIu64,
                    f->output_count, memtable_entries(f->table->memtable), f->bytes, f->table->last_seqno);
    os_mutex_lock(&db->jobs_mu);
    db->flushed_seqno = f->table->last_seqno;
    db->flushes++;
    db->flush_bytes += f->bytes;
    os_mutex_unlock(&db->jobs_mu);
    return HOLT_OK;
}
