/* manifest_writer.c -- appending edits, writing whole manifests, and settling what is in doubt. */
#include "db/manifest/manifest_writer.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/clock.h"
#include "db/manifest/file_uses.h"
#include "db/manifest/recorded.h"
#include "db/version/version_set.h"

#include <assert.h>
#include <stdlib.h>

/* A manifest is written anew when it has grown by this much over its first record, and doubled. */
enum { MANIFEST_GROWTH_MIN = 256 << 10 };

uint64_t next_file_number(holt *db)
{
    /* Relaxed: only that numbers differ matters; the record that names the file carries a later value. */
    return atomic_fetch_add_explicit(&db->next_file, 1, memory_order_relaxed);
}

static void put_counters(holt *db, buffer *out)
{
    encode_counters(out, atomic_load_explicit(&db->next_file, memory_order_relaxed), db->next_collection,
                    db_time_ms(db));
}

/* ---------------------------------------------------------------- the whole state */

/* The collection's state after the edit, or that of the version when the edit leaves it alone. */
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
    if (!s) return;
    if (s->btree && btree_version_root(s->btree)->root.length)
        encode_root(out, c->spec.id, btree_version_root(s->btree));
    for (size_t i = 0; i < lsm_tree_runs(s->lsm); i++)
        encode_run(out, c->spec.id, lsm_tree_run(s->lsm, i));
}

static int by_id(const void *a, const void *b)
{
    const holt_collection *x = *(holt_collection *const *)a, *y = *(holt_collection *const *)b;
    return (x->spec.id > y->spec.id) - (x->spec.id < y->spec.id);
}

/* The catalog after the edit, by ids. */
static void put_collections(holt *db, const db_edit *e, const version *v, buffer *out)
{
    os_mutex_lock(&db->admin_mu);
    size_t count = 0;
    holt_collection **all = mem_alloc((db->catalog_count + 1) * sizeof *all);
    for (size_t i = 0; all && i < db->catalog_count; i++)
        if (!e || e->catalog != EDIT_DROP || e->collection != db->catalog[i]) all[count++] = db->catalog[i];
    if (all && e && e->catalog == EDIT_CREATE) all[count++] = e->collection;
    if (all) qsort(all, count, sizeof *all, by_id);
    for (size_t i = 0; i < count; i++)
        put_collection(e, v, all[i], out);
    os_mutex_unlock(&db->admin_mu);
    if (!all) out->failed = true;
    mem_free(all);
}

/* The pages that all B+trees share, and the trees that still take some of them without being anybody's. */
static void put_page_store(holt *db, const db_edit *e, buffer *out)
{
    if (!page_store_of(db)) return;
    encode_page_store(out, e && e->page_store ? e->page_store : page_store_recorded(page_store_of(db)), true);
    for (size_t i = e ? e->reclaimed : 0; i < db->garbage_count; i++)
        encode_garbage(out, btree_version_root(db->garbage[i]));
    if (e && e->garbage) encode_garbage(out, btree_version_root(e->garbage));
}

/* The state of the database with the edit applied (NULL: none), as one record. */
static holt_status encode_whole(holt *db, const db_edit *e, buffer *out)
{
    version *v;
    holt_status rc = version_acquire(db, &v);
    if (rc != HOLT_OK) return rc;
    put_counters(db, out);
    encode_log(out, e && e->flushed ? &e->log : &db->log);
    put_collections(db, e, v, out);
    put_page_store(db, e, out);
    version_release(db, v);
    return out->failed ? status_no_memory(out->size) : HOLT_OK;
}

/* ---------------------------------------------------------------- doubt */

holt_status manifest_reserve_doubt(holt *db, size_t runs)
{
    size_t need = db->doubtful_run_count + runs;
    if (mem_grow((void **)&db->doubtful_runs, &db->doubtful_run_capacity, need, sizeof *db->doubtful_runs))
        return HOLT_OK;
    return status_no_memory(need * sizeof *db->doubtful_runs);
}

void manifest_doubt(const db_edit *e)
{
    holt *db = e->db;
    db->manifest_lost = true;
    db->manifest_error = e->error;
    for (size_t i = 0; i < e->collection_count; i++) {
        const lsm_tree *tree = e->collections[i].state ? e->collections[i].state->lsm : NULL;
        /* Those that are in use are held as well; settling tells them apart. */
        for (size_t k = 0; tree && k < lsm_tree_runs(tree); k++)
            db->doubtful_runs[db->doubtful_run_count++] = lsm_run_ref(lsm_tree_run(tree, k));
    }
    assert(db->doubtful_run_count <= db->doubtful_run_capacity);
    if (e->orders_commits) atomic_store_explicit(&db->catalog_in_doubt, true, memory_order_relaxed);
}

/* A new manifest is current, and knows nothing of the edits that were in doubt. */
static void resolve_doubt(holt *db)
{
    for (size_t i = 0; i < db->doubtful_run_count; i++) {
        lsm_run *run = db->doubtful_runs[i];
        for (size_t k = 0; k < lsm_run_describe(run).file_range_count; k++)
            if (!file_in_use(db, lsm_run_file_range(run, k)->file)) tree_file_obsolete(lsm_run_file(run, k));
        lsm_run_unref(run);
    }
    db->doubtful_run_count = 0;
    db->manifest_lost = false;
    atomic_store_explicit(&db->catalog_in_doubt, false, memory_order_relaxed);
}

void manifest_forget_doubt(holt *db)
{
    for (size_t i = 0; i < db->doubtful_run_count; i++)
        lsm_run_unref(db->doubtful_runs[i]);
    mem_free(db->doubtful_runs);
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
    holt_status rc = create_whole(db, NULL, number, &db->manifest);
    if (rc == HOLT_OK) db->manifest_size_first = manifest_size(db->manifest);
    return rc;
}

static void remove_manifest(holt *db, uint64_t number)
{
    char name[OS_NAME_MAX];
    manifest_name(number, name);
    os_dir_discard(db->dir, name); /* an orphan otherwise, which the next open removes */
}

/* Writes MANIFEST-n+1 with the whole state, and makes it current. *named: CURRENT may name it, also after a failure. */
static holt_status write_whole(holt *db, const db_edit *e, bool *named)
{
    uint64_t number = manifest_last(db->manifest).number + 1;
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
    /* From here on CURRENT may name either; the new one is what is written to. */
    manifest_close(db->manifest);
    db->manifest = m;
    db->manifest_size_first = manifest_size(m);
    if (rc != HOLT_OK) return rc;
    recorded_set(db, manifest_last(m));
    remove_manifest(db, number - 1);
    resolve_doubt(db);
    if (page_store_of(db) && !(e && e->page_store))
        page_store_resolve(page_store_of(db)); /* no record of it is in doubt any more */
    return HOLT_OK;
}

static bool grown(const holt *db)
{
    uint64_t size = manifest_size(db->manifest);
    return size > db->manifest_size_first * 2 && size > db->manifest_size_first + MANIFEST_GROWTH_MIN;
}

static holt_status append(db_edit *e)
{
    holt *db = e->db;
    buffer record = {0};
    put_counters(db, &record);
    buffer_append(&record, buffer_slice(&e->items));
    holt_status rc =
        record.failed ? status_no_memory(record.size) : manifest_append(db->manifest, buffer_slice(&record));
    buffer_deinit(&record);
    if (rc == HOLT_OK) recorded_set(db, manifest_last(db->manifest));
    return rc;
}

holt_status manifest_record(db_edit *e)
{
    holt *db = e->db;
    if (!db->manifest) return HOLT_OK; /* recovery writes the whole state at its end */
    const bool intact = !db->manifest_lost;
    bool broken = false, named = false;
    holt_status rc = HOLT_OK;
    if (intact && !grown(db)) {
        rc = append(e);
        broken = manifest_broken(db->manifest);
        if (!broken) return rc;
        event_log_write(db->events, HOLT_LOG_WARN, "%s; writing a new manifest", holt_error_message());
    }
    rc = write_whole(db, e, &named);
    if (rc != HOLT_OK && intact && !broken && !named) { /* it has only grown long, and goes on */
        rc = append(e);
        broken = manifest_broken(db->manifest);
    }
    if (rc == HOLT_OK) return HOLT_OK;
    if (broken || named) e->outcome = EDIT_IN_DOUBT;
    return status_wrap(broken || named ? HOLT_IO : rc, "the manifest cannot be written");
}

holt_status manifest_repair(holt *db)
{
    bool named;
    os_mutex_lock(&db->manifest_mu);
    holt_status rc = db->manifest_lost ? write_whole(db, NULL, &named) : HOLT_OK;
    if (rc != HOLT_OK) {
        rc = status_wrap(rc, "the manifest cannot be written");
        status_keep(rc, &db->manifest_error);
    }
    os_mutex_unlock(&db->manifest_mu);
    return rc;
}

holt_status manifest_health(holt *db)
{
    os_mutex_lock(&db->manifest_mu);
    holt_status rc = db->manifest_lost ? status_restore(&db->manifest_error) : HOLT_OK;
    os_mutex_unlock(&db->manifest_mu);
    return rc;
}
