/* manifest_writer.h -- writing edits to the manifest, and what to do when that fails.
 *
 * An edit is appended to the current MANIFEST-n and synced. When that file has grown long, or the append has failed, a
 * new MANIFEST-n+1 is written that holds the whole state with the edit applied, and CURRENT is switched to it. If a
 * grown manifest cannot be written anew (the disk may be full), the edit is appended all the same.
 *
 * Lost         If neither is possible, nobody knows which state is on disk: the manifest counts as lost. Every later
 *              edit then writes the whole state, and so does every attempt to flush; holt_health says why that fails.
 * In doubt     The outcome of an edit is in doubt if its record may have reached the disk although writing it failed.
 *              The runs that it would have added are kept until a new manifest is current, and then deleted if
 *              nothing uses them. If the edit orders commits, they are refused until then.
 * Concurrency  manifest_mu held, but for manifest_repair, manifest_health and manifest_resolve, which take it.
 */
#ifndef HOLT_DB_MANIFEST_MANIFEST_WRITER_H
#define HOLT_DB_MANIFEST_MANIFEST_WRITER_H

#include "db/manifest/db_edit.h"

/* A number that no file has had. */
uint64_t    next_file_number(holt *db);

/* Creation and recovery: writes MANIFEST-number with the whole state and takes it as the database's; CURRENT is the
 * caller's to switch. */
holt_status manifest_begin(holt *db, uint64_t number);
/* Records the edit. On failure e->outcome says whether it is in doubt; then the status is HOLT_IO. */
holt_status manifest_record(db_edit *e);

/* Makes room for that many runs in doubt. */
holt_status manifest_reserve_doubt(holt *db, size_t runs);
/* Keeps the new runs of an edit in doubt, and makes commits wait if it orders them. */
void        manifest_doubt(const db_edit *e);
/* At close: nothing is deleted any more. */
void        manifest_forget_doubt(holt *db);

/* When the manifest is lost: writes the whole state. */
holt_status manifest_repair(holt *db);
/* HOLT_OK, or why nothing can be recorded. */
holt_status manifest_health(holt *db);
/* For the commit leader, before it admits anything: HOLT_OK unless the outcome of a change to the catalog is in doubt and
 * cannot be settled now. */
static inline holt_status manifest_resolve(holt *db)
{
    /* Relaxed: it is set under leadership; who finds it set takes the lock. */
    return atomic_load_explicit(&db->catalog_in_doubt, memory_order_relaxed) ? manifest_repair(db) : HOLT_OK;
}

#endif
