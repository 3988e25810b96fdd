/* bootstrap.h -- the first steps of a database's life, shared by creation and recovery. No other thread has
 * it yet. */
#ifndef HOLT_DB_OPEN_BOOTSTRAP_H
#define HOLT_DB_OPEN_BOOTSTRAP_H

#include "db/db.h"
#include "db/manifest/manifest_state.h"

/* Called once the directory is known to be ours to write to: signs LOCK and opens the event log. */
holt_status begin_writing(holt *db);
/* Creates the block cache and the table of files; the database id must be known. */
holt_status begin_files(holt *db);
/* Makes the first version, with room for so many collections and without a memtable; begin_generation adds
 * that after the collections. */
holt_status begin_version(holt *db, seqno min_seqno, size_t collections);
/* Adds a collection to the catalog and, with its tree (taken over), to the first version, which must have
 * room. */
holt_status begin_collection_state(holt *db, const manifest_collection *c, const collection_tree *tree);
/* Starts the log in the segment that the manifest names. */
holt_status begin_log(holt *db);
/* Adds a new, empty active memtable in front of the others; the previous one is sealed at the last
 * operation. */
holt_status begin_generation(holt *db);

#endif
