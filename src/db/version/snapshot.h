/* snapshot.h -- a point in time to read from: a seqno and a version, held by a transaction or a cursor.
 *
 * A version keeps memtables from being freed after their flush. When memtables that only readers keep take
 * more than a quarter of the memory budget, the oldest snapshot that keeps one is revoked: it loses its
 * version, and reads from it return HOLT_BUSY. Trees and files take no memory, so a snapshot that needs
 * nothing else is left alone (snapshot_drop_version).
 *
 *     free --enter--> in use --leave--> free     by the reader, around every use
 *     free --revoke--> revoked                   by the release job. If the snapshot is in use, it loses its
 *                                                version when the reader leaves; until then no other is
 *                                                revoked, as that may be enough
 *
 * Concurrency  Each snapshot is used by one thread at a time; snapshot_revoke_oldest may be called by any
 *              thread.
 */
#ifndef HOLT_DB_VERSION_SNAPSHOT_H
#define HOLT_DB_VERSION_SNAPSHOT_H

#include "db/version/version_set.h"

typedef struct snapshot {
    version *version; /* a reference; NULL: revoked, or not needed */
    seqno seqno;
    uint64_t taken_ns;              /* 0: not taken */
    _Atomic uint32_t pin;           /* PIN_... */
    struct snapshot *older, *newer; /* snapshots.mu */
} snapshot;

enum { PIN_IN_USE = 1, PIN_REVOKED = 2 };

/* All snapshots of a database, by age. */
typedef struct snapshot_list {
    os_mutex mu; /* LOCK_RANK_SNAPSHOTS */
    snapshot *oldest, *newest;
    uint64_t revoked; /* how many have been */
} snapshot_list;

void snapshot_list_init(snapshot_list *l);
void snapshot_list_deinit(snapshot_list *l); /* all snapshots have been released */
/* mu held: asserts that the list is linked both ways. */
void snapshot_list_check(const snapshot_list *l);

holt_status snapshot_take(holt *db, snapshot *s);
void        snapshot_release(holt *db, snapshot *s);

/* Around every use of the version. HOLT_BUSY: the snapshot has been revoked. */
holt_status snapshot_enter(snapshot *s);
void        snapshot_leave(holt *db, snapshot *s);

/* Drops the version: the reader needs nothing but trees, which it references itself. */
void snapshot_drop_version(holt *db, snapshot *s);

/* Revokes the oldest snapshot that keeps a flushed memtable. false: there is none, or one revoked earlier is
 * still in use; the release job is woken when that one drops its version. */
bool snapshot_revoke_oldest(holt *db);

#endif
