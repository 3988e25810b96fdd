/* recorded.c -- see recorded.h. */
#include "db/manifest/recorded.h"

#include "db/db.h"

void recorded_set(holt *db, manifest_mark mark)
{
    os_mutex_lock(&db->manifest.recorded_mu);
    db->manifest.recorded = mark;
    os_mutex_unlock(&db->manifest.recorded_mu);
}

manifest_mark recorded_get(holt *db)
{
    os_mutex_lock(&db->manifest.recorded_mu);
    manifest_mark mark = db->manifest.recorded;
    os_mutex_unlock(&db->manifest.recorded_mu);
    return mark;
}
