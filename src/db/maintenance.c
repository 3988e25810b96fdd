/* maintenance.c -- sync, flush, compact and health, as a user asks for them. */
#include "base/status.h"
#include "db/jobs.h"
#include "db/manifest_writer.h"
#include "db/rewrite.h"

holt_status holt_sync(holt *db)
{
    status_begin_call();
    holt_status rc = db_check(db);
    if (rc != HOLT_OK || db->read_only) return rc;
    return db_leave(db, wal_sync(db->wal));
}

holt_status holt_flush(holt *db)
{
    status_begin_call();
    holt_status rc = db_check(db);
    if (rc == HOLT_OK) rc = writable_check(db);
    return rc == HOLT_OK ? db_leave(db, flush_all(db)) : rc;
}

/* Merges are of whole collections, so the bounds only have to be sensible. */
holt_status holt_compact(holt_collection *c, holt_slice begin, holt_slice end)
{
    status_begin_call();
    holt_status rc = collection_check(c);
    if (rc == HOLT_OK) rc = bound_check(begin, "begin");
    if (rc == HOLT_OK) rc = bound_check(end, "end");
    if (rc == HOLT_OK) rc = writable_check(c->db);
    if (rc != HOLT_OK) return rc;
    holt *db = c->db;
    rc = flush_all(db);
    if (rc == HOLT_OK) rc = c->spec.kind == HOLT_BTREE ? rewrite_tree(db, c, begin, end) : compact_all(db, c);
    return db_leave(db, rc);
}

holt_status holt_health(holt *db)
{
    status_begin_call();
    holt_status rc = db_check(db);
    if (rc != HOLT_OK || db->read_only) return rc;
    rc = wal_health(db->wal);
    if (rc == HOLT_OK) rc = manifest_health(db);
    if (rc != HOLT_OK) return rc;
    os_mutex_lock(&db->jobs_mu);
    if (db->flush_failing) rc = status_restore(&db->flush_error);
    if (rc == HOLT_OK && db->compact_failing) rc = status_restore(&db->compact_error);
    os_mutex_unlock(&db->jobs_mu);
    return db_leave(db, rc);
}
