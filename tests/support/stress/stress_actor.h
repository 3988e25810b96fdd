/* stress_actor.h -- a thread of the stress suite: what it does, and what it checks on the way.
 *
 * It writes in its own places (stress_record.h), in batches and in transactions (stress_txn.h), also under
 * conditions that hold and those that do not, and some of it with an expiry; creates, drops, renames, clears
 * and loads its own collections; adds to sums that all threads add to (stress_race.h); flushes, merges,
 * syncs, and reads: its own keys, which must be what it wrote; other threads' rows in a snapshot, which must
 * be whole; a snapshot of its own holdings after they have changed; walks in both directions; figures; the
 * list of collections.
 *
 * Which statuses it may get depends on the injected faults; everything else fails the verdict.
 */
#ifndef HOLT_TESTS_STRESS_ACTOR_H
#define HOLT_TESTS_STRESS_ACTOR_H

#include "os/os.h"
#include "support/stress/stress_record.h"

/* Parts that can be left out (HOLT_STRESS_WITHOUT), to see past known defects. */
typedef struct stress_parts {
    bool no_files;    /* not on real files */
    bool no_disks;    /* not on simulated disks */
    bool no_catalog;  /* no creations, drops, renames, clears and loads */
    bool no_interval; /* no bound on what HOLT_INTERVAL loses */
    bool no_watch;    /* no reads of other threads' collections while they are dropped */
} stress_parts;

stress_parts stress_parts_from_environment(void);

enum { STRESS_INTERVAL_MS = 20 };

typedef struct stress_world {
    stress_record *record;
    os *os;
    const char *path;
    holt *db;
    holt_collection *shared[SHARED];
    uint64_t seed;
    stress_parts parts;
    bool io_faults, memory_faults, space_faults; /* HOLT_IO, HOLT_NO_MEMORY, HOLT_NO_SPACE may be returned */
    bool busy_catalog;             /* more changes of the catalog, and flushes */
    bool only_interval;            /* writes only, all of them HOLT_INTERVAL */
} stress_world;

/* Deletes a key by itself, or as a range without other keys. */
holt_status stress_delete(holt_collection *c, holt_txn *t, holt_slice key, bool as_range);

/* Whether an injected fault explains the status. */
bool stress_excuses(const stress_world *w, holt_status rc);

/* Opens the database and the collections that are always there, making what is missing. */
holt_status stress_open(stress_world *w);

/* Runs all threads until the record says stop, a check fails, or their part of the record is full. Returns
 * when they have ended. stress_start and stress_join: the same in two halves. */
typedef struct stress_crew stress_crew;
stress_crew *stress_start(stress_world *w);
void         stress_join(stress_crew *crew);

/* Reads the thread's entries in a collection, in both directions. false: a call failed (*rc), or the verdict
 * has. */
bool stress_scan(holt_collection *c, holt_txn *t, unsigned thread, uint32_t versions[SLOTS], verdict *v,
                 holt_status *rc);

#endif
