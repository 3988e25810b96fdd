/* maintenance.c -- holt_sync, holt_flush and holt_compact. */
#include "base/status.h"

#include "db/args.h"
#include "db/background/jobs.h"
#include "db/background/rewrite.h"
#include "db/db.h"
#include "db/health.h"

holt_status holt_sync(holt *db)
{
    status_begin_call();
    holt_status rc = db_check(db);
    if (rc != HOLT_OK || db->read_only) return rc;
    rc = wal_sync(db->wal);
    if (rc != HOLT_OK)
        rc = health_name_unsynced(db, rc);
    else
        rc = health_check_disk(db); /* syncing a deleted file succeeds */
    return api_exit(db, rc);
}

holt_status holt_flush(holt *db)
{
    status_begin_call();
    holt_status rc = db_check(db);
    if (rc == HOLT_OK) rc = writable_check(db);
    return rc == HOLT_OK ? api_exit(db, flush_all(db)) : rc;
}

/* An LSM collection is merged as a whole, whatever the bounds. */
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
    if (rc == HOLT_OK)
        rc = tree_kind_of(c->spec.kind)->paged ? rewrite_tree(db, c, begin, end) : compact_all(db, c);
    return api_exit(db, rc);
}
