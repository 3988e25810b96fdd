/* rotate.c -- a new memtable generation and log segment, installed as one step. */
#include "db/commit/rotate.h"

#include "base/cost.h"
#include "db/commit/ballast.h"
#include "db/db.h"
#include "db/health.h"
#include "db/manifest/recorded.h"
#include "db/version/version_set.h"

#include <assert.h>

/* Reserves all memory that the rotation takes: a new memtable, and a version with room for it. */
static holt_status reserve_change(holt *db, memtable_generation **fresh, version **next)
{
    holt_status rc = generation_create(fresh, &db->chunks);
    if (rc != HOLT_OK) return rc;
    rc = version_change_reserve(&db->versions, 0, next);
    if (rc == HOLT_OK) return HOLT_OK;
    generation_unref(*fresh);
    *fresh = NULL;
    return rc;
}

/* Makes the new memtable the active one. The log already continues in the new segment, so this must not fail:
 * the reserved version has room, because only the leader adds memtables and slots. */
static void install_generation(holt *db, memtable_generation *fresh, version *reserved)
{
    holt_status rc = version_change_begin(&db->versions, reserved);
    assert(rc == HOLT_OK);
    (void)rc;
    version_add_generation(reserved, fresh);
    version_change_install(&db->versions, reserved);
    db->leader.active = fresh;
}

holt_status rotate(holt *db, uint64_t frames_bytes, bool may_use_ballast)
{
    /* The memtable may be empty, if a commit is larger than the rest of its segment: its flush writes
     * nothing. */
    assert(commit_queue_is_led(&db->commits));
    memtable_generation *sealed = db->leader.active, *fresh;
    version *next;
    wal_rotation rotation;
    manifest_mark mark = recorded_get(db);
    holt_status rc = reserve_change(db, &fresh, &next);
    if (rc != HOLT_OK) return rc;
    uint64_t began = os_clock_ns(db->os);
    /* The log may wait for the disk, so no mutex is held. */
    rc = wal_rotate(db->wal, frames_bytes, db->commits.next_seqno, mark, &rotation);
    if (rc == HOLT_NO_SPACE && may_use_ballast && ballast_release(db))
        rc = wal_rotate(db->wal, frames_bytes, db->commits.next_seqno, mark, &rotation);
    cost_sheet *cost = cost_sheet_mine();
    cost->log_rotations += rc == HOLT_OK;
    cost->log_rotate_ns += os_clock_ns(db->os) - began;
    if (rc != HOLT_OK) {
        version_destroy(next);
        generation_unref(fresh);
        return health_note_segment(db, rc);
    }
    (void)health_note_segment(db, HOLT_OK);
    sealed->last_seqno = db->commits.next_seqno - 1;
    sealed->segment = rotation.sealed;
    sealed->next_segment = rotation.next;
    sealed->next_salt = rotation.next_salt;
    install_generation(db, fresh, next);
    generation_unref(fresh); /* the version holds it */
    os_job_wake(db->jobs.flush);
    os_job_wake(db->jobs.prepare);
    return HOLT_OK;
}
