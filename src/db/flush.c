/* flush.c -- writing sealed memtables into the trees, oldest first.
 *
 * A flush makes one file with a level-0 run for each collection that the memtable holds, in steps; syncs it;
 * and makes it visible with one manifest record and one view, in which the memtable is gone. Then its log
 * segments are released. What was dropped or cleared meanwhile is left out.
 */
#include "db/jobs.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/commit.h"
#include "db/install.h"
#include "db/space.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

enum { STEP_ENTRIES = 8192 };
static const uint64_t RETRY_NS = (uint64_t)200 * 1000000, BUSY_NS = 1000000;

typedef struct flush_output {
    uint32_t collection, slot;
    tree_root root; /* of a new run, */
    buffer bounds;  /* and its bounds: the first key, then the first one behind the last */
    size_t lower_size;
    btree_version *base; /* of a B+tree: what the batch was applied to, borrowed from the view, */
    btree_version *next; /* and what came of it; a reference */
} flush_output;

struct flush {
    holt *db;
    uint64_t began_ns;
    view *view; /* held: its oldest table is what is flushed */
    table *table;
    uint32_t *ids; /* collections of the memtable */
    size_t id_count, id_next;
    uint32_t *slots_by_id; /* slots of the view, sorted by their collections' ids */
    size_t slot_count;
    source *input;                  /* of the collection being written, or NULL */
    tree_builder *builder;          /* of a run, or NULL: */
    btree_batch batch;              /* it goes into a B+tree */
    btree_change *change;           /* of all B+trees, or NULL: none is touched yet */
    const btree_space_state *space; /* prepared, for the record; NULL: the change is not */
    tree_file_writer *writer;       /* NULL: nothing written yet */
    uint64_t file;
    uint64_t run_bytes, bytes; /* of the file; of all that was written */
    tree_file *finished;
    flush_output *outputs;
    size_t output_count;
    size_t runs_used; /* runs of the file that became part of a tree */
};

static void output_deinit(flush_output *o)
{
    buffer_deinit(&o->bounds);
    btree_version_unref(o->next);
}

/* ---------------------------------------------------------------- beginning */

void flush_abandon(flush *f)
{
    if (!f) return;
    source_close(f->input);
    tree_builder_destroy(f->builder);
    for (size_t i = 0; f->outputs && i < f->id_count; i++)
        output_deinit(&f->outputs[i]);
    btree_change_abandon(f->change);
    tree_file_writer_destroy(f->writer);
    tree_file_unref(f->finished);
    view_release(f->db, f->view);
    mem_free(f->ids);
    mem_free(f->slots_by_id);
    mem_free(f->outputs);
    mem_free(f);
}

static int compare_slots(const void *a, const void *b, void *ctx)
{
    collection_state *const *slots = ctx;
    uint32_t x = slots[*(const uint32_t *)a]->spec.id, y = slots[*(const uint32_t *)b]->spec.id;
    return (x > y) - (x < y);
}

static holt_status sort_slots(flush *f)
{
    f->slots_by_id = mem_alloc((f->view->slot_count + 1) * sizeof *f->slots_by_id);
    if (!f->slots_by_id) return status_no_memory(f->view->slot_count * sizeof *f->slots_by_id);
    for (size_t i = 0; i < f->view->slot_count; i++)
        if (f->view->slots[i]) f->slots_by_id[f->slot_count++] = (uint32_t)i;
    qsort_r(f->slots_by_id, f->slot_count, sizeof *f->slots_by_id, compare_slots, f->view->slots);
    return HOLT_OK;
}

/* The state of a collection, or NULL: dropped. */
static const collection_state *find_state(const flush *f, uint32_t id, uint32_t *slot)
{
    for (size_t low = 0, high = f->slot_count; low < high;) {
        size_t middle = low + (high - low) / 2;
        *slot = f->slots_by_id[middle];
        const collection_state *s = f->view->slots[*slot];
        if (s->spec.id == id) return s;
        if (s->spec.id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* Begins the flush of the oldest sealed table; *out NULL: there is none. */
static holt_status flush_begin(holt *db, flush **out)
{
    *out = NULL;
    view *v;
    holt_status rc = view_acquire(db, &v);
    if (rc != HOLT_OK) return rc;
    flush *f = v->table_count > 1 ? mem_alloc_zero(1, sizeof *f) : NULL;
    if (!f) {
        bool none = v->table_count <= 1;
        view_release(db, v);
        return none ? HOLT_OK : status_no_memory(sizeof *f);
    }
    f->db = db;
    f->began_ns = os_clock_ns(db->os);
    f->view = v;
    f->table = v->tables[v->table_count - 1];
    rc = memtable_collections(f->table->memtable, &f->ids, &f->id_count);
    if (rc == HOLT_OK) rc = sort_slots(f);
    f->outputs = mem_alloc_zero(f->id_count + 1, sizeof *f->outputs);
    if (rc == HOLT_OK && !f->outputs) rc = status_no_memory(f->id_count * sizeof *f->outputs);
    if (rc != HOLT_OK) {
        flush_abandon(f);
        return rc;
    }
    *out = f;
    return HOLT_OK;
}

/* ---------------------------------------------------------------- writing */

static holt_status begin_run(flush *f, const collection_state *s)
{
    tree_build_options options = {.block_bytes = s->spec.block_bytes, .filter_bits = s->spec.filter_bits};
    holt_status rc = HOLT_OK;
    if (!f->writer) {
        f->file = next_file_number(f->db);
        rc = tree_file_writer_create(&f->writer, f->db->files, f->file);
    }
    return rc == HOLT_OK ? tree_builder_create(&f->builder, f->writer, &options) : rc;
}

/* Whether the tree is still the collection's. While a change is open nobody can give up a tree that is. */
static holt_status check_base(flush *f, const collection_state *s, uint32_t slot)
{
    view *now;
    holt_status rc = view_acquire(f->db, &now);
    if (rc != HOLT_OK) return rc;
    const collection_state *current = view_collection(now, slot, s->spec.id);
    bool same = current && current->btree == s->btree;
    view_release(f->db, now);
    return same ? HOLT_OK : HOLT_CONFLICT;
}

/* HOLT_BUSY: somebody else is changing B+trees; soon he will not be. HOLT_CONFLICT: he has changed this one. */
static holt_status begin_batch(flush *f, const collection_state *s, uint32_t slot)
{
    btree_batch batch = {.base = s->btree, .changes = f->input, .block_bytes = s->spec.block_bytes};
    f->batch = batch;
    holt_status rc = f->change ? HOLT_OK : btree_change_begin(&f->change, f->db->space);
    return rc == HOLT_OK ? check_base(f, s, slot) : rc;
}

/* Notes the bounds of what is to be written, and stands on its first entry. Tight bounds let runs that do not overlap be
 * joined, and reads pass by runs that cannot have their key. */
static holt_status begin_input(source *in, flush_output *o)
{
    buffer last = {0};
    in->ops->last(in);
    if (in->valid) buffer_append(&last, in->key);
    in->ops->first(in);
    if (in->valid) {
        buffer_append(&o->bounds, in->key);
        o->lower_size = in->key.size;
        buffer_append(&o->bounds, buffer_slice(&last));
        buffer_u8(&o->bounds, 0);
    }
    bool failed = last.failed || o->bounds.failed;
    buffer_deinit(&last);
    return failed ? status_no_memory(o->bounds.size) : HOLT_OK;
}

/* Opens the next collection that is still there and has something to write; false: no more. */
static holt_status begin_collection(flush *f, bool *more)
{
    holt_status rc = HOLT_OK;
    for (*more = false; f->id_next < f->id_count && rc == HOLT_OK; f->id_next++) {
        uint32_t id = f->ids[f->id_next], slot;
        const collection_state *s = find_state(f, id, &slot);
        if (!s || s->cleared_seqno >= f->table->last_seqno) continue;
        flush_output *o = &f->outputs[f->output_count];
        o->collection = id;
        o->slot = slot;
        o->base = s->btree;
        rc = memtable_source_open(f->table->memtable, id, UINT64_MAX, s->cleared_seqno, &f->input);
        if (rc == HOLT_OK) rc = begin_input(f->input, o);
        if (rc == HOLT_OK) rc = s->btree ? begin_batch(f, s, slot) : begin_run(f, s);
        *more = true;
        f->id_next++;
        return rc;
    }
    return rc;
}

static holt_status end_collection(flush *f)
{
    holt_status rc =
        f->builder ? tree_builder_finish(f->builder, &f->outputs[f->output_count].root) : HOLT_OK;
    tree_builder_destroy(f->builder);
    source_close(f->input);
    f->builder = NULL;
    f->input = NULL;
    if (rc == HOLT_OK) f->output_count++;
    return rc;
}

/* A step of a batch into a B+tree. */
static holt_status write_batch(flush *f, size_t *left)
{
    bool done;
    holt_status rc =
        btree_change_apply(f->change, &f->batch, *left, &done, &f->outputs[f->output_count].next);
    *left = 0; /* it has taken what there was, or is done; both are a step */
    return rc == HOLT_OK && done ? end_collection(f) : rc;
}

/* A tombstone is of no use in a collection without older runs, but that is seldom; it is written. */
static holt_status write_entries(flush *f, size_t *left)
{
    if (!f->builder) return write_batch(f, left);
    source *in = f->input;
    for (; in->valid && *left > 0; --*left) {
        holt_status rc = tree_builder_add(f->builder, in->key, in->op, in->value, in->expires_at_ms);
        if (rc != HOLT_OK) return rc;
        in->ops->next(in);
    }
    return in->valid ? HOLT_OK : end_collection(f);
}

/* All is written: syncs it. */
static holt_status flush_complete(flush *f)
{
    holt_status rc = HOLT_OK;
    if (f->change) {
        f->bytes = btree_change_bytes(f->change);
        rc = btree_change_prepare(f->change, &f->space);
    }
    if (rc != HOLT_OK || !f->writer) return rc;
    f->run_bytes = tree_file_writer_bytes(f->writer);
    f->bytes += f->run_bytes;
    rc = tree_file_writer_finish(f->writer, &f->finished);
    tree_file_writer_destroy(f->writer);
    f->writer = NULL;
    return rc == HOLT_OK ? os_dir_sync(f->db->dir) : rc;
}

/* Writes on; *done: all is complete and synced. */
static holt_status flush_write(flush *f, bool *done)
{
    *done = false;
    for (size_t left = STEP_ENTRIES; left > 0;) {
        bool more = true;
        holt_status rc = f->input ? HOLT_OK : begin_collection(f, &more);
        if (rc == HOLT_OK && more) rc = write_entries(f, &left);
        if (rc != HOLT_OK) return rc;
        if (more) continue;
        *done = true;
        return flush_complete(f);
    }
    return HOLT_OK;
}

/* ---------------------------------------------------------------- making it visible */

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
    if (rc == HOLT_OK) {
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
        space_end_change(db, f->change, rc);
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

static holt_status flush_finish(flush *f)
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

/* ---------------------------------------------------------------- the job */

static holt_status flush_step(holt *db, bool *more)
{
    holt_status rc = HOLT_OK;
    if (!db->flush) rc = record_repair(db); /* what could not be recorded would only be written in vain */
    if (!db->flush && rc == HOLT_OK) rc = flush_begin(db, &db->flush);
    *more = db->flush != NULL;
    if (rc != HOLT_OK || !db->flush) return rc;
    bool done;
    rc = flush_write(db->flush, &done);
    if (rc == HOLT_OK && done) rc = flush_finish(db->flush);
    if (rc != HOLT_OK || done) {
        flush_abandon(db->flush); /* done, or to be begun anew under a new file number */
        db->flush = NULL;
    }
    return rc;
}

static void report(holt *db, holt_status rc)
{
    if (rc != HOLT_OK)
        event_log_write(db->events, HOLT_LOG_ERROR, "flush failed, will be tried again: %s",
                        holt_error_message());
    os_mutex_lock(&db->jobs_mu);
    db->flush_failing = rc != HOLT_OK;
    if (rc != HOLT_OK) {
        status_save(&db->flush_error);
        db->flush_attempts_failed++;
    }
    os_cond_broadcast(&db->jobs_cond);
    os_mutex_unlock(&db->jobs_mu);
}

uint64_t flush_job_step(void *ctx)
{
    holt *db = ctx;
    bool more;
    holt_status rc = flush_step(db, &more);
    if (rc == HOLT_NO_SPACE && reserve_give_up(db)) return OS_JOB_AGAIN;
    if (rc == HOLT_CONFLICT) return OS_JOB_AGAIN; /* a B+tree was changed meanwhile: begun anew */
    if (rc == HOLT_BUSY) return os_clock_ns(db->os) + BUSY_NS;
    if (rc != HOLT_OK) {
        report(db, rc);
        return os_clock_ns(db->os) + RETRY_NS;
    }
    if (!db->flush) {
        report(db, HOLT_OK);
        if (more) jobs_wake_workers(db);
        if (more) os_job_wake(db->prepare_job);
    }
    return more ? OS_JOB_AGAIN : idle_step(db);
}

/* ---------------------------------------------------------------- asking for it */

/* Seals the active memtable if it has entries; *upto: what must be flushed. */
static holt_status seal_active(holt *db, seqno *upto)
{
    holt_status rc = commit_lead(db);
    if (rc != HOLT_OK) return rc;
    if (memtable_entries(db->active->memtable) > 0) rc = rotate(db, 0);
    *upto = db->next_seqno - 1;
    commit_unlead(db);
    return rc;
}

holt_status flush_all(holt *db)
{
    seqno upto;
    holt_status rc = seal_active(db, &upto);
    if (rc != HOLT_OK) return rc;
    os_mutex_lock(&db->jobs_mu);
    uint64_t failed = db->flush_attempts_failed;
    while (db->flushed_seqno < upto && db->flush_attempts_failed == failed) {
        os_job_wake(db->flush_job);
        os_cond_wait(&db->jobs_cond, &db->jobs_mu, os_clock_ns(db->os) + 1000000000);
    }
    if (db->flushed_seqno < upto) rc = status_restore(&db->flush_error);
    os_mutex_unlock(&db->jobs_mu);
    return rc;
}

holt_status flush_now(holt *db)
{
    for (bool more = true; more;) {
        holt_status rc = flush_step(db, &more);
        if (rc != HOLT_OK) return rc;
    }
    return HOLT_OK;
}
