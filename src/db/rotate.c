#include "db/commit.h"

#include "db/install.h"
#include "db/jobs.h"
#include "db/record.h"

/* A view with a new active memtable in front. */
static holt_status begin_change(holt *db, table **fresh, view **next)
{
    holt_status rc = table_create(fresh, db->set.memtable_bytes);
    if (rc != HOLT_OK) return rc;
    rc = view_change_reserve(db, 0, next);
    if (rc == HOLT_OK) rc = view_change_begin(db, *next);
    if (rc != HOLT_OK) {
        table_unref(*fresh);
        *fresh = NULL;
        return rc;
    }
    view_add_table(*next, *fresh);
    return HOLT_OK;
}

static manifest_mark last_record(holt *db)
{
    os_mutex_lock(&db->manifest_mu);
    manifest_mark mark = manifest_last(db->manifest);
    os_mutex_unlock(&db->manifest_mu);
    return mark;
}

holt_status rotate(holt *db, uint64_t frames_bytes)
{
    /* An empty memtable that is left behind for its segment's sake (a commit larger than the segment) is
     * flushed as nothing. */
    table *sealed = db->active, *fresh;
    view *next;
    wal_rotation rotation;
    manifest_mark mark = last_record(db);
    holt_status rc = begin_change(db, &fresh, &next);
    if (rc != HOLT_OK) return rc;
    rc = wal_rotate(db->wal, frames_bytes, db->next_seqno, mark, &rotation);
    if (rc != HOLT_OK) {
        view_change_abandon(db, next);
        table_unref(fresh);
        return rc;
    }
    sealed->last_seqno = db->next_seqno - 1;
    sealed->segment = rotation.sealed;
    sealed->next_segment = rotation.next;
    sealed->next_epoch = rotation.next_epoch;
    view_change_install(db, next);
    db->active = fresh;
    table_unref(fresh); /* the view holds it */
    os_job_wake(db->flush_job);
    os_job_wake(db->prepare_job);
    return HOLT_OK;
}
