/* manifest_writer.c -- appending edits, writing whole manifests, and resolving what is in doubt. */
#include "db/manifest/manifest_writer.h"

#include "db/manifest/manifest_state.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/clock.h"
#include "db/db.h"
#include "db/manifest/db_edit.h"
#include "db/manifest/file_uses.h"
#include "db/manifest/recorded.h"
#include "db/version/version_set.h"

#include <assert.h>
#include <stdlib.h>

/* A manifest is rewritten when it has grown by this much over its first record, and doubled. */
enum { MANIFEST_GROWTH_MIN = 256 << 10 };

uint64_t next_file_number(holt *db)
{
    /* Relaxed: numbers only need to differ, and the record that names the file contains a later value. */
    return atomic_fetch_add_explicit(&db->manifest.next_file, 1, memory_order_relaxed);
}

void manifest_put_counters(holt *db, buffer *out)
{
    encode_counters(out, atomic_load_explicit(&db->manifest.next_file, memory_order_relaxed),
                    db->manifest.next_collection, db_time_ms(db));
}

/* ---------------------------------------------------------------- the whole state */

/* The collection after the edit, or in the version if the edit does not change it. */
static const collection_version *state_after(const db_edit *e, const version *v, const holt_collection *c)
{
    for (size_t i = 0; e && i < e->collection_count; i++)
        if (e->collections[i].slot == c->slot) return e->collections[i].state;
    return version_collection(v, c->slot, c->spec.id);
}

static void put_collection(const db_edit *e, const version *v, const holt_collection *c, buffer *out)
{
    bool renamed = e && e->catalog == EDIT_RENAME && e->collection == c;
    const collection_version *s = state_after(e, v, c);
    encode_collection(out, &c->spec, renamed ? e->new_name : c->name, s ? s->cleared_seqno : 0);
    if (s) encode_tree(out, c->spec.id, NULL, &s->tree);
}

static int by_id(const void *a, const void *b)
{
    const holt_collection *x = *(holt_collection *const *)a, *y = *(holt_collection *const *)b;
    return (x->spec.id > y->spec.id) - (x->spec.id < y->spec.id);
}

/* All collections after the edit, by id. */
static void put_collections(holt *db, const db_edit *e, const version *v, buffer *out)
{
    os_mutex_lock(&db->catalog.mu);
    size_t count = 0;
    holt_collection **all = mem_alloc((db->catalog.count + 1) * sizeof *all);
    for (size_t i = 0; all && i < db->catalog.count; i++)
        if (!e || e->catalog != EDIT_DROP || e->collection != db->catalog.list[i])
            all[count++] = db->catalog.list[i];
    if (all && e && e->catalog == EDIT_CREATE) all[count++] = e->collection;
    if (all) qsort(all, count, sizeof *all, by_id);
    for (size_t i = 0; i < count; i++)
        put_collection(e, v, all[i], out);
    os_mutex_unlock(&db->catalog.mu);
    if (!all) out->failed = true;
    mem_free(all);
}

/* The page store, and the garbage trees that still take pages of it. */
static void put_page_store(holt *db, const db_edit *e, buffer *out)
{
    if (!page_store_of(db)) return;
    encode_page_store(out, e && e->page_store ? e->page_store : page_store_recorded(page_store_of(db)), true);
    for (size_t i = e ? e->reclaimed : 0; i < db->manifest.garbage_count; i++)
        encode_garbage(out, btree_version_root(db->manifest.garbage[i]));
    if (e && e->garbage) encode_garbage(out, btree_version_root(e->garbage));
}

/* Encodes the whole state, with the edit applied (NULL: none), as one record. */
static holt_status encode_whole(holt *db, const db_edit *e, buffer *out)
{
    assert(out->size == 0);
    version *v;
    holt_status rc = version_acquire(&db->versions, &v);
    if (rc != HOLT_OK) return rc;
    manifest_put_counters(db, out);
    encode_log(out, e && e->flushed ? &e->log : &db->manifest.log);
    put_collections(db, e, v, out);
    put_page_store(db, e, out);
    version_release(&db->versions, v);
    return out->failed ? status_no_memory(out->size) : HOLT_OK;
}

/* ---------------------------------------------------------------- doubt */

holt_status manifest_reserve_doubt(manifest_writer *w, size_t runs)
{
    size_t need = w->doubtful_run_count + runs;
    if (mem_grow((void **)&w->doubtful_runs, &w->doubtful_run_capacity, need, sizeof *w->doubtful_runs))
        return HOLT_OK;
    return status_no_memory(need * sizeof *w->doubtful_runs);
}

void manifest_doubt(const db_edit *e)
{
    holt *db = e->db;
    os_mutex_assert_held(&db->manifest.mu);
    assert(e->outcome == EDIT_IN_DOUBT && e->status == HOLT_IO);
    db->manifest.lost = true;
    db->manifest.error = e->error;
    for (size_t i = 0; i < e->collection_count; i++) {
        const collection_version *s = e->collections[i].state;
        const lsm_tree *tree = s ? collection_tree_lsm(&s->tree) : NULL;
        /* Those in use are held as well; resolve_doubt tells them apart. */
        for (size_t k = 0; tree && k < lsm_tree_runs(tree); k++)
            db->manifest.doubtful_runs[db->manifest.doubtful_run_count++] =
                lsm_run_ref(lsm_tree_run(tree, k));
    }
    assert(db->manifest.doubtful_run_count <= db->manifest.doubtful_run_capacity);
    if (e->orders_commits) atomic_store_explicit(&db->manifest.catalog_in_doubt, true, memory_order_relaxed);
}

/* A new manifest is current, without the edits that were in doubt: deletes files that only those used. */
static void resolve_doubt(holt *db)
{
    os_mutex_assert_held(&db->manifest.mu);
    for (size_t i = 0; i < db->manifest.doubtful_run_count; i++) {
        lsm_run *run = db->manifest.doubtful_runs[i];
        for (size_t k = 0; k < lsm_run_describe(run).file_range_count; k++)
            if (!file_in_use(&db->manifest.uses, lsm_run_file_range(run, k)->file))
                tree_file_obsolete(lsm_run_file(run, k));
        lsm_run_unref(run);
    }
    db->manifest.doubtful_run_count = 0;
    db->manifest.lost = false;
    atomic_store_explicit(&db->manifest.catalog_in_doubt, false, memory_order_relaxed);
}

/* ---------------------------------------------------------------- writing */

static holt_status create_whole(holt *db, const db_edit *e, uint64_t number, manifest **out)
{
    buffer whole = {0};
    holt_status rc = encode_whole(db, e, &whole);
    if (rc == HOLT_OK) rc = manifest_create(db->dir, number, db->id, buffer_slice(&whole), out);
    buffer_deinit(&whole);
    return rc;
}

holt_status manifest_begin(holt *db, uint64_t number)
{
    holt_status rc = create_whole(db, NULL, number, &db->manifest.file);
    if (rc == HOLT_OK) db->manifest.size_first = manifest_size(db->manifest.file);
    return rc;
}

static void remove_manifest(holt *db, uint64_t number)
{
    char name[OS_NAME_MAX];
    manifest_name(number, name);
    os_dir_discard(db->dir, name); /* if it stays, the next open deletes it as an orphan */
}

/* Writes MANIFEST-n+1 with the whole state, and makes it current. *named: CURRENT may name it, even after a
 * failure. */
static holt_status write_whole(holt *db, const db_edit *e, bool *named)
{
    os_mutex_assert_held(&db->manifest.mu);
    uint64_t number = manifest_last(db->manifest.file).number + 1;
    manifest *m = NULL;
    *named = false;
    holt_status rc = create_whole(db, e, number, &m);
    if (rc != HOLT_OK) return rc;
    rc = current_write(db->dir, number, db->id, named);
    if (!*named) {
        manifest_close(m);
        remove_manifest(db, number);
        return rc;
    }
    /* From here on CURRENT may name either; the new one is used. */
    manifest_close(db->manifest.file);
    db->manifest.file = m;
    db->manifest.size_first = manifest_size(m);
    if (rc != HOLT_OK) return rc;
    recorded_set(db, manifest_last(m));
    remove_manifest(db, number - 1);
    resolve_doubt(db);
    if (page_store_of(db) && !(e && e->page_store))
        page_store_resolve(page_store_of(db)); /* no record of it is in doubt now */
    return HOLT_OK;
}

static bool grown(const holt *db)
{
    uint64_t size = manifest_size(db->manifest.file);
    return size > db->manifest.size_first * 2 && size > db->manifest.size_first + MANIFEST_GROWTH_MIN;
}

static holt_status append(db_edit *e)
{
    holt *db = e->db;
    buffer record = {0};
    manifest_put_counters(db, &record);
    buffer_append(&record, buffer_slice(&e->items));
    holt_status rc = record.failed ? status_no_memory(record.size)
                                   : manifest_append(db->manifest.file, buffer_slice(&record));
    buffer_deinit(&record);
    if (rc == HOLT_OK) recorded_set(db, manifest_last(db->manifest.file));
    return rc;
}

holt_status manifest_record(db_edit *e)
{
    holt *db = e->db;
    os_mutex_assert_held(&db->manifest.mu);
    assert(e->status == HOLT_OK && e->outcome == EDIT_NOT_MADE);
    if (!db->manifest.file) return HOLT_OK; /* recovery writes the whole state at its end */
    const bool intact = !db->manifest.lost;
    bool broken = false, named = false;
    holt_status rc = HOLT_OK;
    if (intact && !grown(db)) {
        rc = append(e);
        broken = manifest_broken(db->manifest.file);
        if (!broken) return rc;
        event_log_write(db->events, HOLT_LOG_WARN, "%s; writing a new manifest", holt_error_message());
    }
    rc = write_whole(db, e, &named);
    if (rc != HOLT_OK && intact && !broken && !named) { /* it has only grown long, and can be appended to */
        rc = append(e);
        broken = manifest_broken(db->manifest.file);
    }
    if (rc == HOLT_OK) return HOLT_OK;
    if (broken || named) e->outcome = EDIT_IN_DOUBT;
    return status_wrap(broken || named ? HOLT_IO : rc, "the manifest cannot be written");
}

holt_status manifest_repair(holt *db)
{
    bool named;
    os_mutex_lock(&db->manifest.mu);
    holt_status rc = db->manifest.lost ? write_whole(db, NULL, &named) : HOLT_OK;
    if (rc != HOLT_OK) {
        rc = status_wrap(rc, "the manifest cannot be written");
        status_keep(rc, &db->manifest.error);
    }
    os_mutex_unlock(&db->manifest.mu);
    return rc;
}

holt_status manifest_health(manifest_writer *w)
{
    os_mutex_lock(&w->mu);
    holt_status rc = w->lost ? status_restore(&w->error) : HOLT_OK;
    os_mutex_unlock(&w->mu);
    return rc;
}

holt_status manifest_resolve(holt *db)
{
    /* Relaxed: it is set under leadership; a leader that finds it set takes the lock. */
    return atomic_load_explicit(&db->manifest.catalog_in_doubt, memory_order_relaxed) ? manifest_repair(db)
                                                                                      : HOLT_OK;
}

/* ---------------------------------------------------------------- life */

void manifest_writer_init(manifest_writer *w)
{
    os_mutex_init(&w->mu, LOCK_RANK_MANIFEST);
    os_mutex_init(&w->recorded_mu, LOCK_RANK_LEAF);
}

void manifest_writer_deinit(manifest_writer *w)
{
    for (size_t i = 0; i < w->doubtful_run_count; i++)
        lsm_run_unref(w->doubtful_runs[i]);
    for (size_t i = 0; i < w->garbage_count; i++)
        btree_version_unref(w->garbage[i]);
    manifest_close(w->file);
    mem_free(w->doubtful_runs);
    mem_free(w->garbage);
    mem_free(w->log.recovered);
    mem_free(w->uses.list);
    os_mutex_deinit(&w->mu);
    os_mutex_deinit(&w->recorded_mu);
}

void manifest_writer_check(const manifest_writer *w)
{
    os_mutex_assert_held(&w->mu);
    file_uses_check(&w->uses);
    assert(w->garbage_count <= w->garbage_capacity);
    assert(w->doubtful_run_count <= w->doubtful_run_capacity);
    assert(w->lost || w->doubtful_run_count == 0);
    /* Relaxed: only a leader sets it, and only what writes a whole manifest clears it. */
    assert(w->lost || !atomic_load_explicit(&w->catalog_in_doubt, memory_order_relaxed));
    assert(!w->garbage_count || atomic_load_explicit(&w->page_store, memory_order_relaxed));
}
