/* begin.h -- the pieces of a database's beginning that creation and recovery share. Nobody else has the
 * database yet. */
#ifndef HOLT_DB_BEGIN_H
#define HOLT_DB_BEGIN_H

#include "db/db.h"

/* The directory is ours to write to: signs LOCK and begins the diary. */
holt_status begin_writing(holt *db);
/* The block cache and the table of files; after the database id is known. */
holt_status begin_files(holt *db);
/* The first view, with an empty active memtable and the given floor. */
holt_status begin_tables(holt *db, seqno floor);
/* Puts a collection into the catalog and, with its tree (taken over), into the view. */
holt_status begin_collection_state(holt *db, const state_collection *c, const collection_tree *tree);
/* Writes MANIFEST-number with the whole state and takes it as the database's. */
holt_status begin_manifest(holt *db, uint64_t number);
/* Starts the log in the segment that the manifest names. */
holt_status begin_log(holt *db);
/* A new, empty active memtable in front of the others; the one before is sealed as of the last operation it
 * may hold. */
holt_status begin_table(holt *db);

#endif
