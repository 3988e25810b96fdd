/* recover.c -- from the files to an open database; the protocol is in log/replay.h and docs/DURABILITY.md. */
#include "db/open/recover.h"

#include "base/memory.h"
#include "base/search.h"
#include "base/status.h"
#include "db/background/jobs.h"
#include "db/clock.h"
#include "db/db.h"
#include "db/manifest/manifest_writer.h"
#include "db/open/bootstrap.h"
#include "db/open/directory.h"
#include "db/open/tree_opener.h"
#include "db/version/version_set.h"
#include "log/operation.h"

#include <inttypes.h>

/* ---------------------------------------------------------------- manifest */

static holt_status apply_record(void *ctx, uint64_t index, slice record)
{
    return manifest_state_apply(ctx, index, record);
}

static holt_status read_manifest(holt *db, manifest_state *s, manifest_mark *mark)
{
    uint64_t number;
    holt_status rc = current_read(db->dir, &number, db->id);
    if (rc != HOLT_OK) return rc;
    rc = manifest_read(db->dir, number, db->id, apply_record, s, mark);
    if (rc != HOLT_OK) return status_wrap(rc, "MANIFEST-%06" PRIu64, number);
    if (s->next_collection == 0 || s->log.next_segment == 0)
        return status_set(HOLT_CORRUPT, "MANIFEST-%06" PRIu64 ": has no counters or no log position", number);
    return HOLT_OK;
}

/* ---------------------------------------------------------------- trees */

/* The file of pages, and the trees in it that are nobody's. */
static holt_status open_page_store(holt *db, const manifest_state *s)
{
    if (!s->page_store.file) return HOLT_OK;
    page_store *store;
    holt_status rc = page_store_open(&store, db->files, &s->page_store, !db->read_only);
    if (rc != HOLT_OK) return rc;
    page_store_set(db, store);
    db->manifest.page_store_named = true;
    if (rc == HOLT_OK && !mem_grow((void **)&db->manifest.garbage, &db->manifest.garbage_capacity,
                                   s->garbage_count, sizeof *db->manifest.garbage))
        rc = status_no_memory(s->garbage_count * sizeof *db->manifest.garbage);
    for (size_t i = 0; i < s->garbage_count && rc == HOLT_OK; i++) {
        rc = btree_version_open(&db->manifest.garbage[db->manifest.garbage_count], page_store_of(db),
                                &s->garbage[i]);
        db->manifest.garbage_count += rc == HOLT_OK;
    }
    return rc;
}

static holt_status open_collections(holt *db, const manifest_state *s)
{
    holt_status rc = open_page_store(db, s);
    tree_opener opener = {.files = db->files, .store = page_store_of(db)};
    for (size_t i = 0; i < s->collection_count && rc == HOLT_OK; i++) {
        collection_tree tree;
        rc = tree_opener_open(&opener, &s->collections[i], &tree);
        if (rc == HOLT_OK) rc = begin_collection_state(db, &s->collections[i], &tree);
    }
    tree_opener_deinit(&opener);
    return rc;
}

/* ---------------------------------------------------------------- log */

typedef struct recovery {
    holt *db;
    const manifest_state *state;
    uint64_t memory_bytes;   /* of memtables that wait */
    bool flushed;            /* some of them have been, without a record */
    uint64_t overflow_bytes; /* read-only: of operations there was no room for */
} recovery;

static int compare_id(const void *collections, size_t i, const void *id)
{
    return search_order(((const manifest_collection *)collections)[i].spec.id, *(const uint32_t *)id);
}

static bool exists(const manifest_state *s, uint32_t id)
{
    size_t at;
    return search_find(s->collections, s->collection_count, &id, compare_id, &at);
}

/* No record is made before the end. New files harm nothing if the recovery fails before; and of the file of
 * pages all stays as the record of before names it. */
static holt_status flush_without_record(recovery *r)
{
    holt *db = r->db;
    holt_status rc = page_store_of(db) && !r->flushed ? page_store_unrecorded(page_store_of(db)) : HOLT_OK;
    if (rc == HOLT_OK) rc = flush_now(db);
    r->flushed = true;
    r->memory_bytes = 0;
    return rc;
}

/* A full memtable is sealed. When the sealed ones take half of the budget, they are flushed before the log is
 * read on; a reader cannot do that. (The log holds more than a quarter of the budget only if that was larger
 * before.) */
static holt_status make_room(recovery *r)
{
    holt *db = r->db;
    size_t bytes = memtable_bytes(db->leader.active->memtable);
    if (bytes < db->set.memtable_bytes) return HOLT_OK;
    holt_status rc = begin_generation(db);
    r->memory_bytes += bytes;
    bool wait = db->read_only || r->memory_bytes < db->set.memory_bytes / 2;
    return rc == HOLT_OK && !wait ? flush_without_record(r) : rc;
}

static holt_status insert_operations(recovery *r, seqno first, uint32_t count, slice payload)
{
    decoder d = decoder_of(payload);
    operation o;
    uint32_t i = 0;
    for (; operation_decode(&d, &o); i++) {
        memtable_entry e = {.collection = o.collection,
                            .op = o.op,
                            .seqno = first + i,
                            .expires_at_ms = o.expires_at_ms,
                            .key = o.key,
                            .value = o.value};
        if (o.key.size > KEY_BYTES_MAX) d.failed = true;
        if (o.op == ENTRY_DELETE_RANGE && o.value.size > KEY_BYTES_MAX) d.failed = true;
        if (!d.failed && o.op == ENTRY_PUT_UNTIL) {
            db_expiry_begins(r->db);
            db_time_raise(r->db, o.time_ms);
        }
        if (d.failed || !exists(r->state, o.collection)) continue; /* dropped since */
        holt_status rc = memtable_insert(r->db->leader.active->memtable, &e, NULL);
        if (rc != HOLT_OK) return rc;
    }
    if (d.failed || i != count)
        return status_set(HOLT_CORRUPT, "the commit of operation %" PRIu64 " in the log is malformed", first);
    return HOLT_OK;
}

static holt_status replay_commit(void *ctx, seqno first, uint32_t count, slice payload)
{
    recovery *r = ctx;
    holt *db = r->db;
    if (db->read_only &&
        r->memory_bytes + memtable_bytes(db->leader.active->memtable) > db->set.memory_bytes) {
        r->overflow_bytes += payload.size;
        return HOLT_OK;
    }
    db->commits.next_seqno = first;
    holt_status rc = make_room(r);
    if (rc == HOLT_OK) rc = insert_operations(r, first, count, payload);
    db->commits.next_seqno = first + count;
    db->recovery.operations += count;
    return rc;
}

static holt_status replay(holt *db, const manifest_state *s, manifest_mark mark, replay_result *result)
{
    recovery r = {.db = db, .state = s};
    replay_visitor visitor = {.ctx = &r, .commit = replay_commit};
    holt_status rc = replay_log(db->dir, db->id, &s->log, mark, &visitor, result);
    db->recovery.log_bytes = result->bytes;
    if (rc == HOLT_OK && r.overflow_bytes)
        rc = status_set(HOLT_NO_MEMORY,
                        "the log holds more than memory_bytes = %" PRIu64 "; reading it needs about %" PRIu64
                        " bytes. Open the database for writing once, or give it that much",
                        db->set.memory_bytes,
                        r.memory_bytes + 2 * r.overflow_bytes + db->set.memory_bytes / 2);
    return rc;
}

/* ---------------------------------------------------------------- going on */

/* The log that was read becomes the recovered one: its segments wait for the flush of what they hold. */
static holt_status adopt_log(holt *db, replay_result *result)
{
    db->manifest.log.closed = false;
    db->manifest.log.recovered = NULL;
    db->manifest.log.recovered_count = 0;
    db->manifest.log.next_segment = result->segment_number_max + 1;
    db->manifest.log.next_salt = os_random(db->os);
    if (db->commits.next_seqno - 1 == db->manifest.log.flushed_seqno)
        return HOLT_OK; /* all of it is in trees */
    db->manifest.log.recovered = result->segments;
    db->manifest.log.recovered_count = result->count;
    result->segments = NULL;
    db->leader.active->last_recovered = true;
    return begin_generation(db);
}

/* Step by step as the protocol says: segment, manifest, the log's tail again, CURRENT; only then anything
 * else. */
static holt_status switch_over(holt *db, log_position synced, uint64_t number)
{
    holt_status rc = wal_create_segment(db->dir, db->manifest.log.next_segment);
    if (rc == HOLT_OK) rc = manifest_begin(db, number);
    if (rc == HOLT_OK)
        rc = replay_rewrite(db->dir, db->manifest.log.recovered, db->manifest.log.recovered_count, synced);
    if (rc == HOLT_OK) rc = current_write(db->dir, number, db->id, NULL);
    if (rc == HOLT_OK && page_store_of(db)) page_store_resolve(page_store_of(db));
    if (rc == HOLT_OK) rc = directory_clean(db, number);
    if (rc == HOLT_OK) rc = begin_log(db);
    return rc;
}

/* The newest operation in those segments that are synced whole. */
static seqno synced_seqno(const replay_result *result)
{
    seqno synced = 0;
    for (size_t i = 0; i < result->count; i++) {
        const log_end *end = &result->segments[i];
        log_position at = {end->segment, end->offset};
        if (end->next_seqno > 0 && log_position_compare(at, result->synced) <= 0)
            synced = end->next_seqno - 1;
    }
    return synced;
}

static holt_status restore(holt *db, const manifest_state *s, manifest_mark mark)
{
    replay_result result = {0};
    uint64_t next_file = s->next_file;
    db_time_raise(db, s->time_ms);
    if (s->expires) db_expiry_begins(db);
    holt_status rc = directory_next_file(db->dir, &next_file);
    if (rc != HOLT_OK) return rc;
    atomic_store_explicit(&db->manifest.next_file, next_file, memory_order_relaxed);
    db->manifest.next_collection = s->next_collection;
    db->manifest.log.flushed_seqno = s->log.flushed_seqno;
    db->commits.next_seqno = s->log.flushed_seqno + 1;
    rc = begin_version(db, s->log.flushed_seqno, s->collection_count);
    if (rc == HOLT_OK) rc = open_collections(db, s);
    if (rc == HOLT_OK) rc = begin_generation(db);
    if (rc == HOLT_OK) rc = replay(db, s, mark, &result);
    if (rc == HOLT_OK) db->commits.next_seqno = result.next_seqno;
    if (rc == HOLT_OK && db->read_only) db->recovery.synced_seqno = synced_seqno(&result);
    if (rc == HOLT_OK && !db->read_only) rc = adopt_log(db, &result);
    if (rc == HOLT_OK && !db->read_only) rc = switch_over(db, result.synced, mark.number + 1);
    replay_result_deinit(&result);
    atomic_store_explicit(&db->commits.visible, db->commits.next_seqno - 1, memory_order_release);
    return rc;
}

holt_status recover_database(holt *db)
{
    manifest_state s = {0};
    manifest_mark mark;
    uint64_t began = os_clock_ns(db->os);
    holt_status rc = read_manifest(db, &s, &mark);
    /* CURRENT itself may be known to the page cache only: its name before any that is made on its word. */
    if (rc == HOLT_OK && !db->read_only) rc = os_dir_sync(db->dir);
    if (rc == HOLT_OK && !db->read_only) rc = begin_writing(db);
    if (rc == HOLT_OK) rc = restore(db, &s, mark);
    manifest_state_deinit(&s);
    if (rc != HOLT_OK) return rc;
    db->recovery.ns = os_clock_ns(db->os) - began;
    event_log_write(db->events, HOLT_LOG_INFO,
                    "opened: %" PRIu64 " operations recovered from %" PRIu64 " bytes of log in %" PRIu64
                    " us",
                    db->recovery.operations, db->recovery.log_bytes, db->recovery.ns / 1000);
    return HOLT_OK;
}
