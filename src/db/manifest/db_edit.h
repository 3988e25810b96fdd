/* db_edit.h -- one change to what makes up the database: recorded in the manifest, then installed.
 *
 * Everything that the manifest describes changes through an edit: collections are created, dropped, renamed
 * and cleared; flushes, compactions, loads and page moves give them new trees. An edit goes through these
 * steps:
 *
 *     begin     locks manifest.mu, which orders all edits, and references the current version
 *     gather    edit_put_tree, edit_drop, ...: collects the manifest items and the new collection versions,
 *               in memory
 *     record    appends one record to the manifest and syncs it, or writes a new manifest that contains the
 *               edit (manifest_writer.h)
 *     install   makes the edit visible: a new version, the catalog, the file uses; commits the page change
 *     end       unlocks manifest.mu
 *
 * edit_commit does the last three.
 *
 * Invariant    Record and install happen under one hold of manifest.mu. So a whole new manifest, which is
 *              encoded from the current version and the catalog, contains exactly the edits that were
 *              recorded before it: none is left out, none reappears. All memory that the install needs is
 *              reserved before the record is written.
 * Failure      The first failure sticks, and edit_commit returns it. EDIT_NOT_MADE: the manifest does not
 *              contain the edit, and never will. EDIT_IN_DOUBT, always with HOLT_IO: the record may or may
 *              not be on disk. Then nothing that either state names is deleted or overwritten until a new
 *              manifest, written from memory and so without the edit, has become current; that resolves the
 *              doubt. After a change to the catalog commits are refused until then (manifest_resolve): they
 *              could depend on an outcome that a crash reverts.
 * Ownership    References passed to an edit are the edit's, on failure too.
 * Concurrency  An edit belongs to one thread; others wait in edit_begin. Creating, dropping, renaming,
 *              clearing and loading also need leadership of the commit queue, so that they are ordered with
 *              commits.
 */
#ifndef HOLT_DB_MANIFEST_DB_EDIT_H
#define HOLT_DB_MANIFEST_DB_EDIT_H

#include "db/db.h"

typedef enum edit_outcome { EDIT_NOT_MADE, EDIT_MADE, EDIT_IN_DOUBT } edit_outcome;

/* What an edit does to the catalog. */
typedef enum edit_catalog { EDIT_CATALOG_SAME, EDIT_CREATE, EDIT_DROP, EDIT_RENAME } edit_catalog;

/* One collection after the edit. */
typedef struct edit_collection {
    uint32_t slot;
    collection_version *state; /* a reference; NULL: the collection is gone */
} edit_collection;

typedef struct db_edit {
    holt *db;
    holt_status status;    /* the first failure */
    holt_error error;      /* its message */
    edit_outcome outcome;
    version *base;            /* what the edit starts from; a reference */
    buffer items;          /* of the record */
    edit_collection *collections;
    size_t collection_count, collection_capacity;
    edit_catalog catalog;
    holt_collection *collection; /* that is created, dropped or renamed */
    char *new_name;              /* of a rename; owned */
    bool orders_commits;         /* later commits depend on the outcome */
    memtable_generation *flushed;        /* this sealed memtable is in trees; NULL: none */
    log_checkpoint log;         /* of a flush: where the log starts now */
    seqno min_seqno;           /* the least seqno of later snapshots; 0: unchanged */
    btree_change *pages;   /* ends with the edit; NULL: none */
    const page_store_state *page_store; /* prepared by `pages` */
    bool records_page_store;    /* the record names the page file for the first time */
    btree_version *garbage; /* a tree that no collection has any more; a reference */
    size_t reclaimed;          /* the pages of the first so many garbage trees are free */
} db_edit;

/* On failure nothing is held, and the edit must not be ended. */
holt_status edit_begin(db_edit *e, holt *db);
/* Ends an edit without making it; a page change is abandoned. */
void        edit_abandon(db_edit *e);
/* Records, installs and ends the edit. e->outcome stays readable. */
holt_status edit_commit(db_edit *e);

/* The collection's version that the edit starts from; borrowed. NULL: it was dropped. */
static inline const collection_version *edit_current(const db_edit *e, uint32_t slot, uint32_t id)
{
    return version_collection(e->base, slot, id);
}

/* Notes a failure, with this thread's message, so that edit_commit returns it and does nothing. HOLT_OK is
 * ignored. */
void edit_fail(db_edit *e, holt_status rc);

/* Replaces the collection's tree. now: from edit_current. */
void edit_put_tree(db_edit *e, uint32_t slot, const collection_version *now, const collection_tree *tree);
/* Removes all entries up to `cleared` from the collection, and gives it this tree. */
void edit_clear(db_edit *e, const holt_collection *c, seqno cleared, const collection_tree *tree);
/* Adds a collection with this tree. Assigns its id and slot. */
void edit_create(db_edit *e, holt_collection *c, const collection_tree *tree);
void edit_drop(db_edit *e, holt_collection *c);
void edit_rename(db_edit *e, holt_collection *c, const char *name);
/* A sealed memtable is in trees, and its part of the log is not needed any more. */
void edit_flushed(db_edit *e, memtable_generation *flushed);
/* No snapshot on the version after the edit is older than this. */
void edit_raise_min_seqno(db_edit *e, seqno min_seqno);
/* Makes a prepared change of the page store part of the edit, which ends it. */
void edit_pages(db_edit *e, btree_change *change, const page_store_state *prepared);
/* The page change has freed the pages of the first `count` garbage trees. */
void edit_reclaimed(db_edit *e, size_t count);

#endif
