/* bootstrap.h -- the pieces of a database's beginning that creation and recovery share. Nobody else has the
 * database yet. */
#ifndef HOLT_DB_OPEN_BOOTSTRAP_H
#define HOLT_DB_OPEN_BOOTSTRAP_H

#include "db/db.h"
#include "db/manifest/manifest_state.h"

/* The directory is ours to write to: signs LOCK and opens the event log. */
holt_status begin_writing(holt *db);
/* The block cache and the table of files; after the database id is known. */
holt_status begin_files(holt *db);
/* The first version, with the given min_seqno and room for so many collections. It has no memtable yet: begin_generation follows when
 * the collections are in. */
holt_status begin_version(holt *db, seqno min_seqno, size_t collections);
/* Puts a collection into the catalog and, with its tree (taken over), into the first version, which has room for it. */
holt_status begin_collection_state(holt *db, const manifest_collection *c, const collection_tree *tree);
/* Starts the log in the segment that the manifest names. */
holt_status begin_log(holt *db);
/* A new, empty active memtable in front of the others; the one before is sealed as of the last operation it
 * may hold. */
holt_status begin_generation(holt *db);

#endif
