/* flush.c -- the protocol of a flush, the job that runs it in steps, and waiting for it. flush.h numbers the
 * steps. */
#include "db/background/flush/flush_internal.h"

#include "base/cost.h"
#include "base/memory.h"
#include "base/search.h"
#include "base/status.h"
#include "db/clock.h"
#include "db/commit/rotate.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

enum { STEP_ENTRIES = 8192, CHUNK_MIN = 8, CHUNK_MAX = 1024 };
static const uint64_t RETRY_NS = (uint64_t)200 * 1000000, BUSY_NS = 1000000;

/* ---------------------------------------------------------------- begin and end */

void flush_destroy(flush *f)
{
    if (!f) return;
    iterator_close(f->input);
    tree_builder_destroy(f->builder);
    for (size_t i = 0; f->outputs && i < f->id_count; i++) {
        buffer_deinit(&f->outputs[i].bounds);
        btree_version_unref(f->outputs[i].next);
    }
    btree_change_abandon(f->change);
    tree_file_writer_destroy(f->writer);
    if (f->finished && !f->file_used) tree_file_obsolete(f->finished);
    tree_file_unref(f->finished);
    version_release(&f->db->versions, f->version);
    generation_unref(f->generation);
    mem_free(f->ids);
    mem_free(f->slots_by_id);
    mem_free(f->outputs);
    mem_free(f);
}

static int compare_slots(const void *a, const void *b, void *ctx)
{
    collection_version *const *slots = ctx;
    uint32_t x = slots[*(const uint32_t *)a]->spec.id, y = slots[*(const uint32_t *)b]->spec.id;
    return (x > y) - (x < y);
}

static holt_status sort_slots(flush *f)
{
    assert(!f->slots_by_id && f->slot_count == 0);
    f->slots_by_id = mem_alloc((f->version->slot_count + 1) * sizeof *f->slots_by_id);
    if (!f->slots_by_id) return status_no_memory(f->version->slot_count * sizeof *f->slots_by_id);
    for (size_t i = 0; i < f->version->slot_count; i++)
        if (f->version->slots[i]) f->slots_by_id[f->slot_count++] = (uint32_t)i;
    qsort_r(f->slots_by_id, f->slot_count, sizeof *f->slots_by_id, compare_slots, f->version->slots);
    return HOLT_OK;
}

holt_status flush_refresh_version(flush *f)
{
    version *now;
    holt_status rc = version_acquire(&f->db->versions, &now);
    if (rc != HOLT_OK) return rc;
    version_release(&f->db->versions, f->version);
    f->version = now;
    mem_free(f->slots_by_id);
    f->slots_by_id = NULL;
    f->slot_count = 0;
    return sort_slots(f);
}

static int compare_id(const void *flushed, size_t i, const void *id)
{
    const flush *f = flushed;
    return search_order(f->version->slots[f->slots_by_id[i]]->spec.id, *(const uint32_t *)id);
}

const collection_version *flush_collection(const flush *f, uint32_t id, uint32_t *slot)
{
    size_t at;
    if (!search_find(f, f->slot_count, &id, compare_id, &at)) return NULL;
    *slot = f->slots_by_id[at];
    return f->version->slots[*slot];
}

/* Before chunks are recorded the whole log is synced: what a chunk makes durable must not be newer than a
 * commit, in any collection, that a crash could still take back. */
static holt_status choose_mode(flush *f)
{
    holt *db = f->db;
    if (!disk_is_full(&db->ballast)) return HOLT_OK;
    if (!db->flushes.chunk_entries) db->flushes.chunk_entries = CHUNK_MAX;
    f->mode = FLUSH_BY_CHUNKS;
    f->chunk_entries = db->flushes.chunk_entries;
    return wal_sync(db->wal);
}

/* By chunks, B+tree collections come first: a run that does not fit must not keep them from making room. */
static void order_collections(flush *f)
{
    size_t btrees = 0;
    if (f->mode == FLUSH_WHOLE) return;
    for (size_t i = 0; i < f->id_count; i++) {
        uint32_t slot, id = f->ids[i];
        const collection_version *s = flush_collection(f, id, &slot);
        if (!s || !collection_tree_btree(&s->tree)) continue;
        f->ids[i] = f->ids[btrees];
        f->ids[btrees++] = id;
    }
}

/* Begins the flush of the oldest sealed memtable; *out NULL: there is none. A broken manifest is repaired
 * first: what could not be recorded would be written in vain. */
static holt_status flush_begin(holt *db, flush **out)
{
    version *v = NULL;
    *out = NULL;
    holt_status rc = manifest_repair(db);
    if (rc == HOLT_OK) rc = version_acquire(&db->versions, &v);
    if (rc != HOLT_OK) return rc;
    assert(v->generation_count > 0);
    flush *f = v->generation_count > 1 ? mem_alloc_zero(1, sizeof *f) : NULL;
    if (!f) {
        bool none = v->generation_count == 1;
        version_release(&db->versions, v);
        return none ? HOLT_OK : status_no_memory(sizeof *f);
    }
    f->db = db;
    f->began_ns = os_clock_ns(db->os);
    f->time_ms = db_time_ms(db);
    f->version = v;
    f->generation = generation_ref(v->generations[v->generation_count - 1]);
    rc = choose_mode(f);
    if (rc == HOLT_OK) rc = memtable_collections(f->generation->memtable, &f->ids, &f->id_count);
    if (rc == HOLT_OK) rc = sort_slots(f);
    if (rc == HOLT_OK) {
        order_collections(f);
        f->outputs = mem_alloc_zero(f->id_count + 1, sizeof *f->outputs);
        if (!f->outputs) rc = status_no_memory(f->id_count * sizeof *f->outputs);
    }
    if (rc != HOLT_OK) {
        flush_destroy(f);
        return rc;
    }
    *out = f;
    return HOLT_OK;
}

/* ---------------------------------------------------------------- the protocol */

/* Asserts the invariants of the phase. */
static void flush_check(const flush *f)
{
    assert(f->version && f->generation && f->slots_by_id && f->outputs);
    assert(f->output_count <= f->id_next && f->id_next <= f->id_count);
    assert((f->mode == FLUSH_BY_CHUNKS) == (f->chunk_entries > 0));
    assert(f->mode == FLUSH_WHOLE || !f->change);
    switch (f->phase) {
    case FLUSH_NEXT:
        assert(!f->input && !f->builder && !f->finished);
        break;
    case FLUSH_RUN:
        assert(f->input && f->builder && f->writer);
        break;
    case FLUSH_BATCH:
        assert(f->input && f->change && f->mode == FLUSH_WHOLE);
        break;
    case FLUSH_CHUNK:
        assert(f->input && f->mode == FLUSH_BY_CHUNKS);
        break;
    case FLUSH_PAUSE:
        assert(f->mode == FLUSH_BY_CHUNKS);
        break;
    case FLUSH_SYNC:
        assert(f->id_next == f->id_count && !f->input);
        break;
    case FLUSH_RECORD:
        assert(!f->writer && !f->change == !f->page_store);
        break;
    case FLUSH_RELEASE:
    case FLUSH_DONE:
        assert(!f->change && !f->writer);
        break;
    }
}

/* Takes the flush on by one step of the job, through all phases that this completes. */
static holt_status flush_run(flush *f)
{
    holt_status rc = HOLT_OK;
    f->entries_taken += STEP_ENTRIES;
    for (size_t left = STEP_ENTRIES; rc == HOLT_OK && left > 0 && f->phase != FLUSH_DONE;) {
        flush_phase next = FLUSH_NEXT;
        bool done = true;
        flush_check(f);
        switch (f->phase) {
        case FLUSH_NEXT: /* 2: the next phase writes the collection, or is FLUSH_SYNC */
            rc = flush_open_collection(f, &next);
            break;
        case FLUSH_RUN:
            rc = flush_write_run(f, &left, &done);
            break;
        case FLUSH_BATCH:
            rc = flush_write_batch(f, &left, &done);
            break;
        case FLUSH_CHUNK:
            rc = flush_write_chunk(f);
            next = FLUSH_PAUSE;
            left = 0;
            break;
        case FLUSH_PAUSE:
            next = f->input ? FLUSH_CHUNK : FLUSH_NEXT;
            break;
        case FLUSH_SYNC: /* 3 */
            rc = flush_sync(f);
            next = FLUSH_RECORD;
            break;
        case FLUSH_RECORD: /* 4 */
            rc = flush_record(f);
            next = FLUSH_RELEASE;
            break;
        case FLUSH_RELEASE: /* 5 */
            flush_release_log(f);
            next = FLUSH_DONE;
            break;
        case FLUSH_DONE:
            break;
        }
        if (rc == HOLT_OK && done) f->phase = next;
    }
    return rc;
}

/* Reports the progress to the write throttle, so that writers slow down early if this flush is slower than
 * those before it. */
static void report_progress(const flush *f)
{
    const memtable *m = f->generation->memtable;
    const uint64_t entries = memtable_entries(m);
    if (f->entries_taken < entries)
        write_throttle_draining(&f->db->throttle, memtable_bytes(m) * f->entries_taken / entries,
                                os_clock_ns(f->db->os) - f->began_ns);
}

/* Begins a flush or takes the current one on by a step. Afterwards there is a current one only if it is not
 * done. *more false: nothing was there to flush. */
static holt_status flush_step(holt *db, bool *more)
{
    flush **current = &db->flushes.current;
    holt_status rc = HOLT_OK;
    if (!*current) rc = flush_begin(db, current); /* 1 */
    *more = *current != NULL;
    if (!*current) return rc;
    budget_claim(db, memtable_bytes((*current)->generation->memtable));
    rc = flush_run(*current);
    if (rc == HOLT_OK && (*current)->phase != FLUSH_DONE) {
        report_progress(*current);
        return HOLT_OK;
    }
    flush_destroy(*current); /* done, or failed and to be started again */
    *current = NULL;
    return rc;
}

/* ---------------------------------------------------------------- the job */

static void report(holt *db, holt_status rc)
{
    status_check_call(rc);
    if (rc != HOLT_OK)
        event_log_write(db->events, HOLT_LOG_ERROR, "flush failed, will be tried again: %s",
                        holt_error_message());
    os_mutex_lock(&db->jobs.mu);
    db->flushes.failing = rc != HOLT_OK;
    if (rc != HOLT_OK) {
        status_keep(rc, &db->flushes.error);
        db->flushes.attempts_failed++;
    }
    os_cond_broadcast(&db->jobs.changed);
    os_mutex_unlock(&db->jobs.mu);
}

uint64_t flush_job_step(void *ctx)
{
    holt *db = ctx;
    flush_state *s = &db->flushes;
    bool more;
    status_expect();
    holt_status rc = flush_step(db, &more);
    if (rc == HOLT_OK && !s->current)
        s->chunk_entries = CHUNK_MAX; /* the next flush begins with large chunks */
    if (rc == HOLT_NO_SPACE && s->chunk_entries > CHUNK_MIN) s->chunk_entries /= 2;
    if (rc == HOLT_NO_SPACE && ballast_release(db)) return OS_JOB_AGAIN;
    if (rc == HOLT_CONFLICT) return OS_JOB_AGAIN; /* a B+tree was replaced: starts again with the new one */
    if (rc == HOLT_BUSY && !status_no_descriptors(rc)) return os_clock_ns(db->os) + BUSY_NS;
    if (rc != HOLT_OK) {
        report(db, rc);
        return os_clock_ns(db->os) + RETRY_NS;
    }
    if (s->current) return s->current->phase == FLUSH_PAUSE ? os_clock_ns(db->os) + BUSY_NS : OS_JOB_AGAIN;
    report(db, HOLT_OK);
    if (!more) return idle_step(db);
    jobs_wake_workers(db);
    os_job_wake(db->jobs.prepare);
    return OS_JOB_AGAIN;
}

/* ---------------------------------------------------------------- waiting for flushes */

/* Seals the active memtable if it has entries. *upto: the newest operation that is to be flushed. */
static holt_status seal_active(holt *db, seqno *upto)
{
    holt_status rc = commit_lead(db);
    if (rc != HOLT_OK) return rc;
    if (memtable_entries(db->leader.active->memtable) > 0) rc = rotate(db, 0, true);
    *upto = db->commits.next_seqno - 1;
    commit_queue_unlead(&db->commits);
    return rc;
}

holt_status flush_all(holt *db)
{
    seqno upto;
    holt_status rc = seal_active(db, &upto);
    if (rc != HOLT_OK) return rc;
    uint64_t began = os_clock_ns(db->os);
    os_mutex_lock(&db->jobs.mu);
    uint64_t failed = db->flushes.attempts_failed;
    while (db->flushes.flushed_seqno < upto && db->flushes.attempts_failed == failed) {
        os_job_wake(db->jobs.flush);
        os_cond_wait(&db->jobs.changed, &db->jobs.mu, os_clock_ns(db->os) + 1000000000);
    }
    if (db->flushes.flushed_seqno < upto) rc = status_restore(&db->flushes.error);
    os_mutex_unlock(&db->jobs.mu);
    cost_sheet_mine()->background_wait_ns += os_clock_ns(db->os) - began;
    return rc;
}

holt_status flush_now(holt *db)
{
    for (bool more = true; more;) {
        holt_status rc = flush_step(db, &more);
        if (rc != HOLT_OK) return rc;
    }
    assert(!db->flushes.current);
    return HOLT_OK;
}
