/* db_edit.h -- one change to what makes up the database: recorded in the manifest, then installed.
 *
 * Everything that the manifest describes changes through an edit: collections are created, dropped, renamed and
 * cleared; flushes, compactions, loads and page moves give them new trees. An edit goes through these steps:
 *
 *     begin     takes manifest.mu, which orders all edits, and references the current version
 *     gather    edit_put_tree, edit_drop, ...: collects the manifest items and the new collection states, in memory
 *     record    appends one record to the manifest and syncs it, or writes a new manifest that contains the edit
 *               (manifest_writer.h)
 *     install   shows the edit: a new version, the catalog, the files in use; the page change is committed
 *     end       releases manifest.mu
 *
 * edit_commit does the last three.
 *
 * Invariant    Record and install happen under one hold of manifest.mu. So whoever writes a whole new manifest, which is
 *              encoded from the current version and the catalog, finds there exactly the edits that were recorded
 *              before: none is left out, none comes back. All memory that the install needs is reserved before
 *              the record is written.
 * Failure      The first failure sticks, and edit_commit returns it. EDIT_NOT_MADE: the manifest does not contain the
 *              edit, and never will. EDIT_IN_DOUBT, always with HOLT_IO: the record may or may not be on disk. Then
 *              nothing that either state names is deleted or overwritten until a new manifest, written from memory
 *              and so without the edit, has become current; that settles the doubt. After a change to the catalog
 *              commits are refused until then (manifest_resolve): they could depend on an outcome that a crash turns around.
 * Ownership    References given to an edit are the edit's, on failure too.
 * Concurrency  one thread; edits of others wait in edit_begin. Creating, dropping, renaming, clearing and loading also
 *              need leadership of the commit queue, so that they are ordered with commits.
 */
#ifndef HOLT_DB_MANIFEST_DB_EDIT_H
#define HOLT_DB_MANIFEST_DB_EDIT_H

#include "db/db.h"

typedef enum edit_outcome { EDIT_NOT_MADE, EDIT_MADE, EDIT_IN_DOUBT } edit_outcome;

/* What an edit does to the catalog. */
typedef enum edit_catalog { EDIT_CATALOG_SAME, EDIT_CREATE, EDIT_DROP, EDIT_RENAME } edit_catalog;

/* The state of one collection after the edit. */
typedef struct edit_collection {
    uint32_t slot;
    collection_version *state; /* a reference; NULL: the collection is gone */
} edit_collection;

typedef struct db_edit {
    holt *db;
    holt_status status;    /* the first failure */
    holt_error error;      /* its message */
    edit_outcome outcome;
    version *base;            /* the version that the edit starts from; a reference */
    buffer items;          /* of the record */
    edit_collection *collections;
    size_t collection_count, collection_capacity;
    edit_catalog catalog;
    holt_collection *collection; /* that is created, dropped or renamed */
    char *new_name;              /* of a rename; owned */
    bool orders_commits;         /* commits that follow depend on the outcome */
    memtable_generation *flushed;        /* this sealed memtable is in trees now; NULL: none */
    log_checkpoint log;         /* of a flush: where the log begins now */
    seqno min_seqno;           /* the least seqno of later snapshots; 0: as it is */
    btree_change *pages;   /* ends with the edit; NULL: none */
    const page_store_state *page_store; /* that it has prepared */
    bool records_page_store;    /* the record names the page file for the first time */
    btree_version *garbage; /* a tree that no collection has any more; a reference */
    size_t reclaimed;          /* the pages of the first so many garbage trees have been given up */
} db_edit;

/* On failure nothing is held, and nothing is to be ended. */
holt_status edit_begin(db_edit *e, holt *db);
/* Ends an edit without making it; a page change is abandoned. */
void        edit_abandon(db_edit *e);
/* Records, installs and ends the edit. e->outcome stays readable. */
holt_status edit_commit(db_edit *e);

/* The collection's state that the edit starts from; borrowed. NULL: it was dropped. */
static inline const collection_version *edit_current(const db_edit *e, uint32_t slot, uint32_t id)
{
    return version_collection(e->base, slot, id);
}

/* Notes a failure that keeps the edit from being made: this thread's message goes with it. HOLT_OK is ignored. */
void edit_fail(db_edit *e, holt_status rc);

/* The collection gets another tree in place of the one it has in `now`, one of edit_collection's. */
void edit_put_tree(db_edit *e, uint32_t slot, const collection_version *now, const collection_tree *tree);
/* The collection loses all versions up to `cleared`, and has this tree from now on. */
void edit_clear(db_edit *e, const holt_collection *c, seqno cleared, const collection_tree *tree);
/* A new collection with this tree. Assigns its id and slot. */
void edit_create(db_edit *e, holt_collection *c, const collection_tree *tree);
void edit_drop(db_edit *e, holt_collection *c);
void edit_rename(db_edit *e, holt_collection *c, const char *name);
/* A sealed memtable has been written into trees, and the log up to it is not needed any more. */
void edit_flushed(db_edit *e, memtable_generation *flushed);
/* Snapshots on the version after the edit are not older than this. */
void edit_raise_min_seqno(db_edit *e, seqno min_seqno);
/* A prepared change of the B+trees' pages is part of the edit, and ends with it. */
void edit_pages(db_edit *e, btree_change *change, const page_store_state *prepared);
/* The page change gives up the first `count` garbage trees. */
void edit_reclaimed(db_edit *e, size_t count);

#endif
