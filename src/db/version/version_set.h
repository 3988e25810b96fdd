/* version_set.h -- the current version, changes from one to the next, and the release of old ones.
 *
 * Readers take the current version without a lock: in an epoch section they follow `current`, or add a
 * reference to it. Snapshots, which are linked under a lock anyway, do that under this lock instead. An
 * installed version replaces `current`; the old one is retired with the epoch and loses the installer's
 * reference once that epoch has passed and nobody is left who held the lock, so a count that a reader finds
 * is never zero. Versions and collection versions whose last reference is gone are destroyed by the release
 * job, because that may delete files.
 *
 * Concurrency  any thread. mu is held from version_change_begin to version_change_install, release_mu only
 *              for the lists.
 */
#ifndef HOLT_DB_VERSION_VERSION_SET_H
#define HOLT_DB_VERSION_VERSION_SET_H

#include "db/version/version.h"
#include "os/os.h"

typedef struct version_set {
    /* Released by the installer, acquired by readers in an epoch section. */
    _Alignas(64) _Atomic(version *) current;
    _Alignas(64) os_mutex mu; /* LOCK_RANK_VERSION: installing */

    /* Figures of the current version for the write throttle. Relaxed: recent values will do. */
    _Atomic uint64_t sealed_bytes; /* of sealed memtables */
    _Atomic uint32_t runs_worst;   /* runs of the collection that has most */
    /* Of flushed memtables that only readers keep. Relaxed: a figure. */
    _Atomic uint64_t retained_bytes;

    /* Constant: held by readers that reference the current version without an epoch section. */
    os_mutex *readers_mu;

    os_mutex release_mu; /* LOCK_RANK_RELEASE; guards what follows: */
    version *retired_first, *retired_last; /* hold the installers' references, by epoch */
    version *dead;                         /* without references, to be destroyed */
    collection_version *dead_collections;  /* likewise */
    uint32_t releasing;                    /* threads that are destroying some of them */
    os_job *release_job;                   /* woken when there is something to release; NULL: not started */
} version_set;

void version_set_init(version_set *s, os_mutex *readers_mu);
/* Destroys the current version as well; no reader is left. */
void version_set_deinit(version_set *s);
/* Asserts the invariants of a version that is about to be installed after `before` (may be NULL). */
void version_check(const version *v, const version *before);

/* References the current version, for use outside of epoch sections. HOLT_NO_MEMORY only on a thread's first
 * section. */
holt_status version_acquire(version_set *s, version **out);
/* Drops a reference; the last one hands the version to the release job. Accepts NULL. */
void        version_release(version_set *s, version *v);
/* The same for a collection version. */
void        collection_version_release(version_set *s, collection_version *c);

/* Changing the current version takes three steps, so that all memory is reserved before the change is
 * recorded and nothing can fail after it.
 *
 * reserve: *out is an empty version with room for the current contents, some more memtables, and at least
 * `slots` slots; to cancel, call version_destroy(). */
holt_status version_change_reserve(version_set *s, size_t slots, version **out);
/* begin: makes the reserved version a copy of the current one, for the caller to change. mu is held from here
 * to install. On HOLT_NO_MEMORY (more was added since than the version has room for) it is destroyed and mu
 * is not held. */
holt_status version_change_begin(version_set *s, version *reserved);
/* install: makes it current. */
void        version_change_install(version_set *s, version *v);

/* One step of the release job: destroys what no reader can reach any more. Returns whether retired versions
 * still wait for their epoch. */
bool release_step(version_set *s);
/* Whether versions without users are not yet destroyed. If not, only readers keep what old versions hold. */
bool release_pending(version_set *s);
/* At close, without readers: releases everything. */
void release_all(version_set *s);

#endif
