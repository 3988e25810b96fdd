/* snapshot.h -- a point in time to read from: a seqno and a version, held by a transaction or a cursor.
 *
 * Cursors hold more than the version of their snapshot: the collection version that they read, and an
 * iterator over it. They link both to the snapshot (tree_hold), so that all of it can be released together.
 *
 * A version keeps memtables from being freed after their flush. When memtables that only readers keep take
 * more than a quarter of the memory budget, the oldest snapshot that keeps one is revoked: it loses its
 * version, and reads from it return HOLT_BUSY. Trees and files take no memory, so a snapshot that needs
 * nothing else is left alone (snapshot_drop_version).
 *
 * A snapshot that becomes older than holt_options.max_reader_age_ms has expired: it is revoked and loses its
 * holds as well, so that it keeps neither memory nor files nor pages.
 *
 *     free --enter--> in use --leave--> free     by the reader, around every use
 *     free --revoke--> revoked                   by the release job. If the snapshot is in use, it loses what
 *                                                it has when the reader leaves. Until then no other is
 *                                                revoked for its memory, as that may be enough
 *
 * In a database with a maximum age, every use of a cursor is a use of its snapshot; in others only that of a
 * cursor that reads memtables. One that shows what it has read ahead only looks whether the snapshot is kept.
 *
 * Concurrency  Each snapshot is used by one thread at a time, with the cursors that read it. The revoking
 *              functions may be called by any thread.
 */
#ifndef HOLT_DB_VERSION_SNAPSHOT_H
#define HOLT_DB_VERSION_SNAPSHOT_H

#include "base/iterator.h"
#include "db/version/kept_memtables.h"
#include "db/version/version_set.h"

/* What a cursor holds beside its snapshot's version. Guarded by handles.mu, but the cursor may use both
 * without it while the snapshot is entered, or where it cannot expire. */
typedef struct tree_hold {
    collection_version *state;     /* a reference: the trees; NULL: none */
    iterator *iterator;            /* over all that the snapshot sees; NULL: none */
    struct snapshot *snapshot;     /* that it is linked to; NULL: none */
    struct tree_hold *prev, *next; /* the others of the snapshot */
} tree_hold;

typedef struct snapshot {
    version *version; /* a reference, guarded by handles.mu like the hold's; NULL: revoked, or not needed */
    seqno seqno;
    uint64_t time_ms;               /* see snapshot_time_ms; 0: not known, as nothing that it sees expires */
    uint64_t taken_ns;              /* 0: not taken */
    uint64_t expires_ns;            /* OS_FOREVER: never */
    bool commits;                   /* it is that of a read-write transaction (kept_memtables.h). Set before
                                       it is taken */
    const char *label;              /* the reader's, set before the snapshot is taken; NULL: none */
    _Atomic uint32_t pin;           /* PIN_... */
    struct snapshot *older, *newer; /* handles.mu */
    tree_hold *holds;               /* handles.mu */
} snapshot;

/* PIN_EXPIRED: revoked for its age. */
enum { PIN_IN_USE = 1, PIN_REVOKED = 2, PIN_EXPIRED = 4 };

/* All snapshots of a database, by age. Guarded by handles.mu, like the open handles: a reader that begins or
 * ends changes both. */
typedef struct snapshot_list {
    snapshot *oldest, *newest;
    snapshot *unexpired; /* the oldest that has not expired; NULL: none */
    bool armed;          /* the release job runs when that one expires, or sooner */
    uint64_t revoked;    /* how many have been */
    kept_memtables kept;
} snapshot_list;

void snapshot_list_deinit(snapshot_list *l); /* all snapshots have been released */
/* Asserts that the list is linked both ways. handles.mu is held. */
void snapshot_list_check(const snapshot_list *l);

/* The snapshots that are taken later are not older than this one. */
void snapshot_take(holt *db, snapshot *s);
/* Releases its holds too. */
void snapshot_release(holt *db, snapshot *s);
/* The same, with handles.mu held. */
void snapshot_take_locked(holt *db, snapshot *s);
void snapshot_release_locked(holt *db, snapshot *s);

/* When it was taken, by the database's clock (db/clock.h): for the snapshot an entry has expired if it had by
 * then. */
uint64_t snapshot_time_ms(holt *db, snapshot *s);
/* Whether an entry has a value for the snapshot. */
static inline bool snapshot_entry_is_live(holt *db, snapshot *s, uint8_t op, uint64_t expires_at_ms)
{
    return op == ENTRY_PUT_UNTIL ? expires_at_ms > snapshot_time_ms(db, s) : op == ENTRY_PUT;
}

/* Whether it is older than it may be. The release job may be late to revoke it. */
bool snapshot_has_expired(holt *db, const snapshot *s);

/* HOLT_BUSY: the snapshot has been revoked, or has expired and will be. */
holt_status snapshot_check(holt *db, const snapshot *s);
/* Around every use of the version. HOLT_BUSY: as for snapshot_check. */
holt_status snapshot_enter(holt *db, snapshot *s);
void        snapshot_leave(holt *db, snapshot *s);

/* Whether snapshot_enter() would admit a use, for a reader that needs nothing of the snapshot but to know. */
static inline bool snapshot_is_kept(holt *db, const snapshot *s)
{
    /* Relaxed: it may be revoked at any moment. */
    if (atomic_load_explicit(&s->pin, memory_order_relaxed) & PIN_REVOKED) return false;
    return s->expires_ns == OS_FOREVER || !snapshot_has_expired(db, s);
}

/* Links what a cursor holds to the snapshot, which has been entered. */
void snapshot_hold(holt *db, snapshot *s, tree_hold *h);
/* Releases what is left of it. */
void snapshot_unhold(holt *db, tree_hold *h);

/* Whether snapshot_enter() would refuse it at that time. Any thread that keeps it from being released. */
bool snapshot_is_lost(const snapshot *s, uint64_t now_ns);

/* Drops the version: the reader needs nothing but trees, which it references itself. */
void snapshot_drop_version(holt *db, snapshot *s);

/* Revokes the oldest snapshot that keeps a flushed memtable. false: there is none, or one revoked earlier is
 * still in use; the release job is woken when that one drops its version. */
bool snapshot_revoke_oldest(holt *db);

/* Revokes all snapshots that have expired. Returns the time at which the next one will, OS_FOREVER if there
 * is none; the caller, the release job, must call it again by then. */
uint64_t snapshot_revoke_expired(holt *db);

#endif
