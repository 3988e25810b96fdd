/* bootstrap.c -- the first version, memtable and log segment. */
#include "db/open/bootstrap.h"

#include "base/status.h"
#include "db/catalog/catalog.h"
#include "db/db.h"
#include "db/manifest/file_uses.h"
#include "db/manifest/recorded.h"
#include "db/open/lock_file.h"
#include "db/version/version_set.h"

#include <assert.h>

holt_status begin_writing(holt *db)
{
    holt_status rc = lock_sign(db->dir, db->lock.file);
    db->lock.is_signed = true;
    event_log_attach(db->events, db->dir);
    return rc;
}

holt_status begin_files(holt *db)
{
    holt_status rc = cache_create(&db->cache, db->set.cache_bytes);
    if (rc == HOLT_OK) rc = tree_files_create(&db->files, db->dir, db->cache, db->id, db->set.open_files_max);
    return rc;
}

holt_status begin_generation(holt *db)
{
    memtable_generation *fresh;
    version *v;
    holt_status rc = generation_create(&fresh, &db->chunks);
    if (rc != HOLT_OK) return rc;
    rc = version_change_reserve(&db->versions, 0, &v);
    if (rc == HOLT_OK) rc = version_change_begin(&db->versions, v);
    if (rc == HOLT_OK) {
        if (db->leader.active) db->leader.active->last_seqno = db->commits.next_seqno - 1;
        version_add_generation(v, fresh);
        version_change_install(&db->versions, v);
        db->leader.active = fresh;
    }
    generation_unref(fresh); /* the version holds it */
    return rc;
}

holt_status begin_version(holt *db, seqno min_seqno, size_t collections)
{
    version *first;
    holt_status rc = begin_files(db);
    if (rc == HOLT_OK) rc = version_create(1, collections, &first);
    if (rc != HOLT_OK) return rc;
    first->min_seqno = min_seqno;
    /* Release, though no other thread has the database yet: readers of the version acquire it. */
    atomic_store_explicit(&db->versions.current, first, memory_order_release);
    return HOLT_OK;
}

holt_status begin_collection_state(holt *db, const manifest_collection *from, const collection_tree *tree)
{
    assert(from->spec.kind == tree->kind && from->spec.id < db->manifest.next_collection);
    holt_collection *c;
    collection_version *s;
    holt_status rc = catalog_restore(db, &from->spec, from->name, &c);
    if (rc != HOLT_OK) {
        collection_tree_unref(tree);
        return rc;
    }
    rc = collection_version_create(&s, &from->spec, from->cleared_seqno, tree);
    if (rc == HOLT_OK) rc = file_uses_reserve(&db->manifest.uses, file_uses_needed(&s->tree));
    if (rc != HOLT_OK) {
        collection_version_unref(s);
        return rc;
    }
    /* No other thread has the version, so it is changed in place: copying it for each collection would take
     * time and memory quadratic in their number. */
    version *first = atomic_load_explicit(&db->versions.current, memory_order_relaxed);
    assert(c->slot < first->slot_count);
    version_set_slot(first, c->slot, s);
    file_uses_change(&db->manifest.uses, NULL, &s->tree);
    return HOLT_OK;
}

/* Where the recovered log ends; {0, 0} if there is none. */
static log_position recovered_end(const holt *db)
{
    log_position end = {0, 0};
    if (db->manifest.log.recovered_count > 0) {
        const log_end *last = &db->manifest.log.recovered[db->manifest.log.recovered_count - 1];
        end.segment = last->segment;
        end.offset = last->offset;
    }
    return end;
}

holt_status begin_log(holt *db)
{
    assert(!db->wal && !db->read_only && db->manifest.file);
    wal_options options = {.database_id = {db->id[0], db->id[1]},
                           .segment_bytes_max = db->set.segment_bytes_max};
    recorded_set(db, manifest_last(db->manifest.file)); /* CURRENT names it by now */
    wal_start start = {.number = db->manifest.log.next_segment,
                       .salt = db->manifest.log.next_salt,
                       .predecessor = recovered_end(db),
                       .manifest = recorded_get(db),
                       .next_seqno = db->commits.next_seqno};
    return wal_open(&db->wal, db->dir, &options, &start);
}
