#include "db/snapshot.h"

#include "db/install.h"

holt_status snapshot_take(holt *db, snapshot *s)
{
    holt_status rc = epoch_enter();
    if (rc != HOLT_OK) return rc;
    /* The seqno first: a commit that it covers is in the view loaded after it. The view's floor covers what
     * came in between. */
    seqno visible = atomic_load_explicit(&db->visible, memory_order_acquire);
    view *v = atomic_load_explicit(&db->view, memory_order_acquire);
    /* Relaxed: the section keeps the count from becoming zero. */
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    epoch_leave();
    s->view = v;
    s->seqno = visible > v->floor ? visible : v->floor;
    s->taken_ns = os_clock_ns(db->os);

    os_mutex_lock(&db->handles_mu);
    s->newer = NULL;
    s->older = db->snapshots_newest;
    if (s->older)
        s->older->newer = s;
    else
        db->snapshots_oldest = s;
    db->snapshots_newest = s;
    os_mutex_unlock(&db->handles_mu);
    return HOLT_OK;
}

void snapshot_release(holt *db, snapshot *s)
{
    if (!s->view) return;
    os_mutex_lock(&db->handles_mu);
    if (s->older)
        s->older->newer = s->newer;
    else
        db->snapshots_oldest = s->newer;
    if (s->newer)
        s->newer->older = s->older;
    else
        db->snapshots_newest = s->older;
    os_mutex_unlock(&db->handles_mu);
    view_release(db, s->view);
    s->view = NULL;
}
