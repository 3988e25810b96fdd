#include "db/begin.h"

#include "base/status.h"
#include "db/catalog.h"
#include "db/install.h"
#include "db/lock.h"
#include "db/record.h"

holt_status begin_writing(holt *db)
{
    holt_status rc = lock_sign(db->dir, db->lock);
    db->signed_lock = true;
    event_log_attach(db->events, db->dir);
    return rc;
}

holt_status begin_files(holt *db)
{
    holt_status rc = cache_create(&db->cache, db->set.cache_bytes);
    if (rc == HOLT_OK) rc = tree_files_create(&db->files, db->dir, db->cache, db->id, DESCRIPTORS_MAX);
    return rc;
}

holt_status begin_table(holt *db)
{
    table *fresh;
    view *v;
    holt_status rc = table_create(&fresh, &db->chunks);
    if (rc != HOLT_OK) return rc;
    rc = view_change_reserve(db, 0, &v);
    if (rc == HOLT_OK) rc = view_change_begin(db, v);
    if (rc == HOLT_OK) {
        if (db->active) db->active->last_seqno = db->next_seqno - 1;
        view_add_table(v, fresh);
        view_change_install(db, v);
        db->active = fresh;
    }
    table_unref(fresh); /* the view holds it */
    return rc;
}

holt_status begin_tables(holt *db, seqno floor)
{
    view *first;
    holt_status rc = begin_files(db);
    if (rc == HOLT_OK) rc = view_create(1, 0, &first);
    if (rc != HOLT_OK) return rc;
    first->floor = floor;
    /* Release, though nobody else has the database yet: it is what readers of the view acquire. */
    atomic_store_explicit(&db->view, first, memory_order_release);
    return begin_table(db);
}

holt_status begin_collection_state(holt *db, const state_collection *from, const collection_tree *tree)
{
    holt_collection *c;
    collection_state *s;
    view *v;
    holt_status rc = catalog_restore(db, from, &c);
    if (rc != HOLT_OK) {
        lsm_tree_unref(tree->lsm);
        btree_version_unref(tree->btree);
        return rc;
    }
    rc = collection_state_create(&s, &from->spec, from->cleared_seqno, tree);
    if (rc == HOLT_OK) rc = file_uses_reserve_tree(db, s->lsm);
    if (rc == HOLT_OK) rc = view_change_reserve(db, (size_t)c->slot + 1, &v);
    if (rc == HOLT_OK) rc = view_change_begin(db, v);
    if (rc != HOLT_OK) {
        collection_state_unref(s);
        return rc;
    }
    view_set_slot(v, c->slot, s);
    view_change_install(db, v);
    file_uses_change(db, NULL, tree->lsm);
    return HOLT_OK;
}

holt_status begin_manifest(holt *db, uint64_t number)
{
    static const buffer nothing;
    record_change change = {.edit = &nothing};
    buffer whole = {0};
    record_whole(db, &change, &whole);
    holt_status rc = whole.failed ? status_no_memory(whole.size) : HOLT_OK;
    if (rc == HOLT_OK) rc = manifest_create(db->dir, number, db->id, buffer_slice(&whole), &db->manifest);
    buffer_deinit(&whole);
    if (rc == HOLT_OK) db->manifest_size_first = manifest_size(db->manifest);
    return rc;
}

/* Where the recovered log ends; nowhere if there is none. */
static log_position recovered_end(const holt *db)
{
    log_position end = {0, 0};
    if (db->log.recovered_count > 0) {
        const log_end *last = &db->log.recovered[db->log.recovered_count - 1];
        end.segment = last->segment;
        end.offset = last->offset;
    }
    return end;
}

holt_status begin_log(holt *db)
{
    wal_options options = {.database_id = {db->id[0], db->id[1]},
                           .segment_bytes_max = db->set.segment_bytes_max};
    db->recorded = manifest_last(db->manifest); /* CURRENT names it by now */
    wal_start start = {.number = db->log.next_segment,
                       .epoch = db->log.next_epoch,
                       .predecessor = recovered_end(db),
                       .manifest = db->recorded,
                       .next_seqno = db->next_seqno};
    return wal_open(&db->wal, db->dir, &options, &start);
}
