/* manifest_writer.h -- writing edits to the manifest, and what happens when that fails.
 *
 * An edit is appended to the current MANIFEST-n and synced. When that file has grown long, or the append has
 * failed, a new MANIFEST-n+1 is written that contains the whole state with the edit applied, and CURRENT is
 * switched to it. If a long manifest cannot be rewritten (the disk may be full), the edit is appended all the
 * same.
 *
 * Lost         If neither works, it is not known which state is on disk: the manifest counts as lost. From
 *              then on every edit and every attempt to flush writes the whole state first; holt_health says
 *              why that fails.
 * In doubt     The outcome of an edit is in doubt if its record may have reached the disk although writing it
 *              failed. The runs that it would have added are kept until a new manifest is current, and then
 *              deleted if nothing uses them. If commits depend on the edit, they are refused until then.
 * Concurrency  mu is held for all calls but manifest_repair, manifest_health and manifest_resolve, which lock
 *              it.
 */
#ifndef HOLT_DB_MANIFEST_MANIFEST_WRITER_H
#define HOLT_DB_MANIFEST_MANIFEST_WRITER_H

#include "btree/btree.h"
#include "db/manifest/file_uses.h"
#include "log/manifest.h"
#include "log/replay.h"

#include <stdatomic.h>

typedef struct db_edit db_edit;

/* The manifest, and those parts of the state it describes that are not in versions or the catalog. */
typedef struct manifest_writer {
    os_mutex mu; /* LOCK_RANK_MANIFEST; guards what follows, but for atomics: */
    manifest *file;              /* NULL: none is written yet (recovery), or read-only */
    uint64_t size_first;         /* of its first record */
    _Atomic uint64_t next_file;  /* taken without the lock, recorded under it */
    uint64_t next_collection;    /* id */
    _Atomic uint64_t time_ms;    /* clock.h; taken without the lock */
    _Atomic bool expires;        /* clock.h: some values may have an expiry. Set once, never cleared */
    log_checkpoint log;
    file_uses uses;

    /* The page store of all B+trees; NULL: none yet. Set once, before a collection needs it:
     * page_store_of. */
    _Atomic(page_store *) page_store;
    bool page_store_named;       /* the manifest names it */
    btree_version **garbage;     /* trees that no collection has any more, whose pages are to be freed;
                                    references */
    size_t garbage_count, garbage_capacity;

    bool lost;                   /* what is on disk is not known: the next edit writes a new manifest */
    holt_error error;            /* why */
    lsm_run **doubtful_runs;     /* of edits in doubt; references */
    size_t doubtful_run_count, doubtful_run_capacity;
    /* The outcome of a change to the catalog is in doubt: commits are refused until it is resolved. Relaxed:
     * set under leadership, read by leaders, which then take the lock. */
    _Atomic bool catalog_in_doubt;

    os_mutex recorded_mu;        /* LOCK_RANK_LEAF: */
    manifest_mark recorded;      /* recorded.h */
} manifest_writer;

void manifest_writer_init(manifest_writer *w);
/* Closes the manifest; nothing is deleted any more. The page store stays the caller's. */
void manifest_writer_deinit(manifest_writer *w);
/* mu held: asserts the invariants of file uses, garbage and doubt. */
void manifest_writer_check(const manifest_writer *w);

/* A number that no file has had. */
uint64_t    next_file_number(holt *db);

/* Adds the item that each record begins with: the next numbers, and the time. */
void        manifest_put_counters(holt *db, buffer *out);

/* Creation and recovery: writes MANIFEST-number with the whole state and takes it as the database's; CURRENT
 * is the caller's to switch. */
holt_status manifest_begin(holt *db, uint64_t number);
/* Records the edit. On failure e->outcome says whether it is in doubt; then the status is HOLT_IO. */
holt_status manifest_record(db_edit *e);

/* Makes room for that many runs in doubt. */
holt_status manifest_reserve_doubt(manifest_writer *w, size_t runs);
/* Keeps the new runs of an edit in doubt, and makes commits wait if it orders them. */
void        manifest_doubt(const db_edit *e);

/* When the manifest is lost: writes the whole state. */
holt_status manifest_repair(holt *db);
/* HOLT_OK, or why nothing can be recorded. */
holt_status manifest_health(manifest_writer *w);
/* For the leader of the commit queue before it admits anything: HOLT_OK unless the outcome of a change to the
 * catalog is in doubt and cannot be resolved now. */
holt_status manifest_resolve(holt *db);

#endif
