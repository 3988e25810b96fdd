/* flush.c -- writing sealed memtables into the trees, oldest first.
 *
 * A flush makes one file with a level-0 run for each LSM collection that the memtable holds, and one change of the
 * pages of all its B+trees, in steps; syncs them; and makes them visible with one manifest record and one version, in
 * which the memtable is gone. Then its log segments are released. What was dropped or cleared meanwhile is left out.
 */
#include "db/background/jobs.h"

#include "base/memory.h"
#include "base/search.h"
#include "base/status.h"
#include "db/background/flush/flush_internal.h"
#include "db/budget.h"
#include "db/commit/ballast.h"
#include "db/commit/commit.h"
#include "db/commit/rotate.h"
#include "db/db.h"
#include "db/manifest/manifest_writer.h"
#include "db/version/version_set.h"

#include <stdlib.h>

enum { CHUNK_MIN = 8, CHUNK_MAX = 1024 };
static const uint64_t RETRY_NS = (uint64_t)200 * 1000000, BUSY_NS = 1000000;

static void output_deinit(flush_output *o)
{
    buffer_deinit(&o->bounds);
    btree_version_unref(o->next);
}

/* ---------------------------------------------------------------- beginning */

void flush_abandon(flush *f)
{
    if (!f) return;
    iterator_close(f->input);
    tree_builder_destroy(f->builder);
    for (size_t i = 0; f->outputs && i < f->id_count; i++)
        output_deinit(&f->outputs[i]);
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
    f->slots_by_id = mem_alloc((f->version->slot_count + 1) * sizeof *f->slots_by_id);
    if (!f->slots_by_id) return status_no_memory(f->version->slot_count * sizeof *f->slots_by_id);
    for (size_t i = 0; i < f->version->slot_count; i++)
        if (f->version->slots[i]) f->slots_by_id[f->slot_count++] = (uint32_t)i;
    qsort_r(f->slots_by_id, f->slot_count, sizeof *f->slots_by_id, compare_slots, f->version->slots);
    return HOLT_OK;
}

holt_status flush_look_again(flush *f)
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

/* What pieces record must not be on disk before commits that came earlier are, in whichever collection. */
static holt_status choose_chunk(flush *f)
{
    holt *db = f->db;
    if (!disk_is_full(&db->ballast)) return HOLT_OK;
    if (!db->flushes.chunk) db->flushes.chunk = CHUNK_MAX;
    f->chunk = db->flushes.chunk;
    return wal_sync(db->wal);
}

/* Begins the flush of the oldest sealed table; *out NULL: there is none. */
static holt_status flush_begin(holt *db, flush **out)
{
    *out = NULL;
    version *v;
    holt_status rc = version_acquire(&db->versions, &v);
    if (rc != HOLT_OK) return rc;
    flush *f = v->generation_count > 1 ? mem_alloc_zero(1, sizeof *f) : NULL;
    if (!f) {
        bool none = v->generation_count <= 1;
        version_release(&db->versions, v);
        return none ? HOLT_OK : status_no_memory(sizeof *f);
    }
    f->db = db;
    f->began_ns = os_clock_ns(db->os);
    f->version = v;
    f->generation = generation_ref(v->generations[v->generation_count - 1]);
    rc = choose_chunk(f);
    if (rc == HOLT_OK) rc = memtable_collections(f->generation->memtable, &f->ids, &f->id_count);
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

/* ---------------------------------------------------------------- the job */

/* Writers are to know early of a flush that is slower than those before it. */
static void tell_progress(const flush *f)
{
    const memtable *m = f->generation->memtable;
    const uint64_t entries = memtable_entries(m);
    if (f->taken < entries)
        write_throttle_draining(&f->db->throttle, memtable_bytes(m) * f->taken / entries,
                                os_clock_ns(f->db->os) - f->began_ns);
}

static holt_status flush_step(holt *db, bool *more)
{
    holt_status rc = HOLT_OK;
    if (!db->flushes.current)
        rc = manifest_repair(db); /* what could not be recorded would only be written in vain */
    if (!db->flushes.current && rc == HOLT_OK) rc = flush_begin(db, &db->flushes.current);
    if (db->flushes.current) budget_claim(db, memtable_bytes(db->flushes.current->generation->memtable));
    *more = db->flushes.current != NULL;
    if (rc != HOLT_OK || !db->flushes.current) return rc;
    bool done;
    rc = flush_write(db->flushes.current, &done);
    if (rc == HOLT_OK && !done) tell_progress(db->flushes.current);
    if (rc == HOLT_OK && done) rc = flush_finish(db->flushes.current);
    if (rc != HOLT_OK || done) {
        flush_abandon(db->flushes.current); /* done, or to be begun anew under a new file number */
        db->flushes.current = NULL;
    }
    return rc;
}

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

/* A piece that did not fit is tried smaller; after a flush that went well the next begins with large ones. */
static void adapt_chunk(holt *db, holt_status rc)
{
    if (rc == HOLT_OK && !db->flushes.current) db->flushes.chunk = CHUNK_MAX;
    if (rc == HOLT_NO_SPACE && db->flushes.chunk > CHUNK_MIN) db->flushes.chunk /= 2;
}

uint64_t flush_job_step(void *ctx)
{
    holt *db = ctx;
    bool more;
    status_begin_call();
    holt_status rc = flush_step(db, &more);
    adapt_chunk(db, rc);
    if (rc == HOLT_NO_SPACE && ballast_release(db)) return OS_JOB_AGAIN;
    if (rc == HOLT_CONFLICT) return OS_JOB_AGAIN; /* a B+tree was changed meanwhile: begun anew */
    if (rc == HOLT_BUSY && !status_no_descriptors(rc)) return os_clock_ns(db->os) + BUSY_NS;
    if (rc != HOLT_OK) {
        report(db, rc);
        return os_clock_ns(db->os) + RETRY_NS;
    }
    if (!db->flushes.current) {
        report(db, HOLT_OK);
        if (more) jobs_wake_workers(db);
        if (more) os_job_wake(db->jobs.prepare);
    }
    if (db->flushes.current && db->flushes.current->rests) return os_clock_ns(db->os) + BUSY_NS;
    return more ? OS_JOB_AGAIN : idle_step(db);
}

/* ---------------------------------------------------------------- asking for it */

/* Seals the active memtable if it has entries; *upto: what must be flushed. */
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
    os_mutex_lock(&db->jobs.mu);
    uint64_t failed = db->flushes.attempts_failed;
    while (db->flushes.flushed_seqno < upto && db->flushes.attempts_failed == failed) {
        os_job_wake(db->jobs.flush);
        os_cond_wait(&db->jobs.changed, &db->jobs.mu, os_clock_ns(db->os) + 1000000000);
    }
    if (db->flushes.flushed_seqno < upto) rc = status_restore(&db->flushes.error);
    os_mutex_unlock(&db->jobs.mu);
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
