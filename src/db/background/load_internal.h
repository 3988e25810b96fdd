/* load_internal.h -- bulk loads: entries in ascending order become the tree of an empty collection.
 *
 *   1. Begin: check that the collection is empty (load.c).
 *   2. Put: write the entries into a run (lsm/run_writer.h), whose files no manifest names: after a crash
 *      they are orphans.
 *   3. Commit (load_commit.c): complete and sync the run.
 *   4. Make the tree. An LSM collection gets the run itself. For a B+tree collection a tree is made from it,
 *      in one change of the page store; only now, because flushes into B+trees must wait for that change.
 *   5. Become the leader of the commit queue, so that the switch has a place in commit order. Check once more
 *      that the collection exists and is empty, and sync the log.
 *   6. Record, as one edit, a clear that brings the tree: everything up to the last operation is void, so
 *      that a replay of the log puts nothing in front of the tree.
 *
 * A failure to write the run (2, 3) is kept, and every later put and commit returns it. After any other
 * failure the commit may be repeated, unless the status was HOLT_IO, which ends the load.
 *
 * The newest_seqno of the run is 0: whatever is flushed later is newer.
 *
 * Concurrency  A load belongs to one thread at a time; a forced close may detach it (handle.h).
 */
#ifndef HOLT_DB_BACKGROUND_LOAD_INTERNAL_H
#define HOLT_DB_BACKGROUND_LOAD_INTERNAL_H

#include "db/args.h"
#include "db/db.h"

struct holt_load {
    handle handle; /* closed when the load has ended */
    holt *db;
    holt_collection *collection; /* a user of it, until the end */
    bool ended;                  /* by its owner, not by a forced close */
    bool sealed;                 /* a commit was tried: puts are refused */
    bool named;                  /* the manifest names the run's files, or may do so */
    holt_error failure;          /* to write the run; status HOLT_OK: none */
    lsm_run_writer *writer;
    lsm_run *run; /* once complete; NULL: not yet, or there are no entries */
    uint64_t entries;
    size_t last_size;
    uint8_t last_key[KEY_BYTES_MAX + 1]; /* room for a zero byte, which makes it the end of the run */
};

/* load.c: the failure that was kept, or HOLT_OK. */
holt_status load_check_failure(const holt_load *load);
/* Keeps a failure, and returns rc. */
holt_status load_keep_failure(holt_load *load, holt_status rc);

/* load_commit.c: HOLT_EXISTS if the collection has entries, or tombstones in its tree. */
holt_status load_check_empty(const holt_collection *c);
/* Steps 3 to 6. */
holt_status load_commit(holt_load *load);

#endif
