/* unsupported.c -- public calls that are declared but not implemented yet: they return HOLT_UNSUPPORTED. */
#include "db/db.h"

#include "base/status.h"
#include "db/args.h"

static holt_status later(const char *what)
{
    return status_set(HOLT_UNSUPPORTED, "%s not supported in this release", what);
}

holt_status holt_delete_range(holt_collection *c, holt_txn *t, holt_slice begin, holt_slice end)
{
    status_begin_call();
    (void)t;
    holt_status rc = collection_check(c);
    if (rc != HOLT_OK) return rc;
    if (!begin.data && !begin.size && !end.data && !end.size)
        return status_set(HOLT_INVALID,
                          "both bounds are open: use holt_collection_clear to delete everything");
    return later("deleting a range is");
}

holt_status holt_checkpoint(holt *db, const char *dest)
{
    status_begin_call();
    holt_status rc = db_check(db);
    if (rc != HOLT_OK) return rc;
    return dest ? later("checkpoints are") : status_set(HOLT_INVALID, "the destination is NULL");
}
