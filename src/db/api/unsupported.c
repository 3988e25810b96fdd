/* unsupported.c -- public calls that are declared but not implemented yet: they return HOLT_UNSUPPORTED. */
#include "db/db.h"

#include "base/status.h"
#include "db/args.h"

static holt_status later(const char *what)
{
    return status_set(HOLT_UNSUPPORTED, "%s not supported in this release", what);
}

holt_status holt_checkpoint(holt *db, const char *dest)
{
    status_begin_call();
    holt_status rc = db_check(db);
    if (rc != HOLT_OK) return rc;
    return dest ? later("checkpoints are") : status_set(HOLT_INVALID, "the destination is NULL");
}
