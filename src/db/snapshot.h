/* snapshot.h -- a moment to read from: a seqno and a view, held by a transaction or a cursor. */
#ifndef HOLT_DB_SNAPSHOT_H
#define HOLT_DB_SNAPSHOT_H

#include "db/db.h"

struct snapshot {
    view *view;  /* a reference */
    seqno seqno;
    uint64_t taken_ns;
    snapshot *older, *newer; /* handles_mu */
};

holt_status snapshot_take(holt *db, snapshot *s);
void        snapshot_release(holt *db, snapshot *s);

#endif
