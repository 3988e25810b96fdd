/* stats.c -- holt_stats, holt_collection_stats and holt_runs: gather counters from all parts of the database.
 *
 * Each group is read under its own lock or from atomics, so the figures of one call need not belong to the
 * same moment.
 */
#include "base/cost.h"
#include "base/memory.h"
#include "base/status.h"

#include "db/args.h"
#include "db/background/page_reclaim.h"
#include "db/commit/commit_queue.h"
#include "db/db.h"
#include "db/version/snapshot.h"
#include "db/version/version_set.h"
#include "tree/file/tree_format.h"

/* Fills the fields that the program knows and zeroes those that only the program knows. */
static void hand_out(void *out, size_t out_size, const void *ours, size_t our_size)
{
    size_t common = out_size < our_size ? out_size : our_size;
    memcpy(out, ours, common);
    if (out_size > common) memset((char *)out + common, 0, out_size - common);
}

/* ---------------------------------------------------------------- of the database */

static void count_work(holt *db, holt_db_stats *s)
{
    s->gets_found = counter_sum(&db->counts, COUNT_GETS_FOUND);
    s->gets = s->gets_found + counter_sum(&db->counts, COUNT_GETS_OTHER);
    s->cursor_moves = counter_sum(&db->counts, COUNT_MOVES);
    s->filter_checks = counter_sum(&db->counts, COUNT_FILTER_CHECKS);
    s->filter_negatives = counter_sum(&db->counts, COUNT_FILTER_NEGATIVES);
    s->puts = atomic_load_explicit(&db->commits.puts, memory_order_relaxed);
    s->deletes = atomic_load_explicit(&db->commits.deletes, memory_order_relaxed);
    s->commits = atomic_load_explicit(&db->commits.count, memory_order_relaxed);
    s->bytes_written_user = atomic_load_explicit(&db->commits.user_bytes, memory_order_relaxed);
    s->delays = atomic_load_explicit(&db->throttle.delays, memory_order_relaxed);
    s->delay_ns = atomic_load_explicit(&db->throttle.delay_ns, memory_order_relaxed);
    s->write_delay_ns = write_throttle_delay_ns(db);
    os_mutex_lock(&db->jobs.mu);
    s->flushes = db->flushes.count;
    s->flush_bytes = db->flushes.bytes;
    s->compactions = db->compactions.count;
    s->compaction_bytes_read = db->compactions.bytes_read;
    s->compaction_bytes_written = db->compactions.bytes_written;
    s->swept_entries = db->compactions.swept;
    os_mutex_unlock(&db->jobs.mu);
}

/* What would be freed if all readers ended. Pages that readers have already released are collected first,
 * unless a page change is open. */
static void count_pinned(holt *db, holt_db_stats *s)
{
    page_store_stats pages = {0};
    page_store *store = page_store_of(db);
    if (store) page_store_collect(store);
    if (store) page_store_stats_get(store, &pages);
    s->pinned_bytes = atomic_load_explicit(&db->versions.retained_bytes, memory_order_relaxed) +
                      tree_files_obsolete_bytes(db->files) + pages.pages_held * TREE_PAGE_BYTES;
}

static void count_cache(holt *db, holt_db_stats *s)
{
    cache_stats c;
    cache_stats_get(db->cache, &c);
    s->cache_hits = c.hits;
    s->cache_misses = c.misses;
    s->cache_evictions = c.evictions;
    s->cache_bytes = c.bytes;
    s->resident_bytes = c.resident_bytes;
}

static void count_handles(holt *db, holt_db_stats *s)
{
    uint64_t now = os_clock_ns(db->os);
    os_mutex_lock(&db->handles.mu);
    handle_list_check(&db->handles);
    s->transactions_open = db->handles.transactions;
    s->cursors_open = db->handles.cursors;
    snapshot_list_check(&db->snapshots);
    for (const snapshot *p = db->snapshots.oldest; p; p = p->newer)
        s->views_pinned += p->version != NULL;
    s->snapshots_revoked = db->snapshots.revoked;
    const snapshot *oldest = db->snapshots.oldest; /* it may have been taken after the clock was read */
    if (oldest && oldest->taken_ns < now) s->oldest_snapshot_age_ms = (now - oldest->taken_ns) / 1000000;
    os_mutex_unlock(&db->handles.mu);
    s->transaction_bytes = budget_writes(db);
    os_mutex_lock(&db->catalog.mu);
    catalog_check(&db->catalog);
    s->collections = db->catalog.count;
    os_mutex_unlock(&db->catalog.mu);
}

static void count_version(const version *v, holt_db_stats *s)
{
    for (size_t i = 0; i < v->generation_count; i++)
        s->memtable_bytes += memtable_bytes(v->generations[i]->memtable);
    s->memtables_sealed = v->generation_count - 1;
}

/* The newest visible operation, and the newest one on stable storage: either in the synced part of the log or
 * in the trees. */
static void count_operations(holt *db, seqno synced, holt_db_stats *s)
{
    os_mutex_lock(&db->jobs.mu);
    seqno durable = db->flushes.flushed_seqno > synced ? db->flushes.flushed_seqno : synced;
    os_mutex_unlock(&db->jobs.mu);
    s->last_seqno = atomic_load_explicit(&db->commits.visible, memory_order_relaxed);
    s->durable_seqno = durable < s->last_seqno ? durable : s->last_seqno;
}

static void count_log(holt *db, holt_db_stats *s)
{
    wal_stats w = {.synced_seqno = db->recovery.synced_seqno};
    if (db->wal) wal_stats_get(db->wal, &w);
    count_operations(db, w.synced_seqno, s);
    s->log_bytes = w.bytes;
    s->log_syncs = w.syncs;
    s->log_segments = w.segments;
}

typedef struct disk_count {
    os_dir *dir;
    uint64_t bytes;
} disk_count;

static holt_status add_file(void *ctx, const char *name)
{
    disk_count *d = ctx;
    bool exists;
    uint64_t size;
    if (os_dir_stat(d->dir, name, &exists, &size) == HOLT_OK && exists) d->bytes += size;
    return HOLT_OK;
}

holt_status holt_stats(holt *db, holt_db_stats *out, size_t out_size)
{
    status_begin_call();
    if (!out) return status_set(HOLT_INVALID, "statistics (out) is NULL");
    holt_status rc = db_check(db);
    if (rc != HOLT_OK) return rc;
    holt_db_stats s = {0};
    version *v;
    rc = version_acquire(&db->versions, &v);
    if (rc != HOLT_OK) return rc;
    count_version(v, &s);
    version_release(&db->versions, v);
    count_work(db, &s);
    count_pinned(db, &s);
    count_cache(db, &s);
    count_handles(db, &s);
    count_log(db, &s);
    disk_count disk = {.dir = db->dir};
    rc = os_dir_list(db->dir, add_file, &disk);
    if (rc != HOLT_OK) return rc;
    s.disk_bytes = disk.bytes;
    s.files = tree_files_count(db->files);
    s.memory_limit = db->set.memory_bytes;
    s.memtable_bytes += chunk_pool_bytes(&db->chunks);
    s.memory_used = s.memtable_bytes + s.cache_bytes + s.transaction_bytes;
    s.recovery_ns = db->recovery.ns;
    s.recovered_operations = db->recovery.operations;
    s.recovered_log_bytes = db->recovery.log_bytes;
    hand_out(out, out_size, &s, sizeof s);
    return api_exit(db, HOLT_OK);
}

/* ---------------------------------------------------------------- of a collection */

static void count_tree(const collection_tree *t, holt_collection_info *info)
{
    collection_tree_info tree = collection_tree_describe(t);
    info->runs = tree.runs;
    info->parts = tree.file_ranges;
    info->levels = tree.levels;
    info->entries = tree.entries;
    info->tombstones = tree.tombstones;
    info->disk_bytes = tree.bytes;
}

holt_status holt_collection_stats(holt_collection *c, holt_collection_info *out, size_t out_size)
{
    status_begin_call();
    if (!out) return status_set(HOLT_INVALID, "statistics (out) is NULL");
    holt_status rc = collection_check(c);
    if (rc != HOLT_OK) return rc;
    version *v;
    rc = version_acquire(&c->db->versions, &v);
    if (rc != HOLT_OK) return rc;
    holt_collection_info info = {.kind = c->spec.kind,
                                 .compression = c->spec.compression,
                                 .block_bytes = c->spec.block_bytes,
                                 .filter_bits = c->spec.filter_bits};
    const collection_version *s = version_collection(v, c->slot, c->spec.id);
    if (!s) rc = collection_missing(c);
    if (s) count_tree(&s->tree, &info);
    for (size_t i = 0; i < v->generation_count; i++)
        info.memtable_entries += memtable_collection_entries(v->generations[i]->memtable, c->spec.id);
    version_release(&c->db->versions, v);
    if (rc == HOLT_OK) hand_out(out, out_size, &info, sizeof info);
    return api_exit(c->db, rc);
}

/* Lists the runs of the tree in *runs, which the caller releases with mem_free. */
static holt_status list_runs(const collection_tree *t, holt_run **runs, size_t *count)
{
    *count = collection_tree_describe(t).runs;
    *runs = *count ? mem_alloc_zero(*count, sizeof **runs) : NULL;
    if (*count && !*runs) return status_no_memory(*count * sizeof **runs);
    for (size_t i = 0; i < *count; i++) {
        collection_run_info info = collection_tree_describe_run(t, i);
        (*runs)[i] = (holt_run){.level = info.level,
                                .parts = info.file_ranges,
                                .entries = info.entries,
                                .tombstones = info.tombstones,
                                .disk_bytes = info.bytes};
    }
    return HOLT_OK;
}

holt_status holt_runs(holt_collection *c, holt_run_fn each, void *ctx)
{
    status_begin_call();
    holt_status rc = collection_check(c);
    if (rc != HOLT_OK) return rc;
    if (!each) return status_set(HOLT_INVALID, "the function is NULL");
    version *v;
    rc = version_acquire(&c->db->versions, &v);
    if (rc != HOLT_OK) return rc;
    holt_run *runs = NULL;
    size_t count = 0;
    const collection_version *s = version_collection(v, c->slot, c->spec.id);
    rc = s ? list_runs(&s->tree, &runs, &count) : collection_missing(c);
    version_release(&c->db->versions, v);
    rc = api_exit(c->db, rc);
    cost_aside bill;
    cost_put_aside(&bill);
    for (size_t i = 0; i < count && rc == HOLT_OK; i++)
        rc = each(ctx, &runs[i]);
    cost_put_back(&bill);
    mem_free(runs);
    return rc;
}
