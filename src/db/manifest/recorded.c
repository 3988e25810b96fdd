#include "db/manifest/recorded.h"

void recorded_set(holt *db, manifest_mark mark)
{
    os_mutex_lock(&db->recorded_mu);
    db->recorded = mark;
    os_mutex_unlock(&db->recorded_mu);
}

manifest_mark recorded_get(holt *db)
{
    os_mutex_lock(&db->recorded_mu);
    manifest_mark mark = db->recorded;
    os_mutex_unlock(&db->recorded_mu);
    return mark;
}
