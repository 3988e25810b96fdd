/* create.c -- a new database, with the collection "default". */
#include "db/open/create.h"

#include "base/status.h"
#include "db/catalog/catalog.h"
#include "db/catalog/collection_options.h"
#include "db/db.h"
#include "db/manifest/manifest_state.h"
#include "db/manifest/manifest_writer.h"
#include "db/open/bootstrap.h"
#include "db/tree/collection_tree.h"

#include <inttypes.h>

/* Replaces a file that an unfinished creation may have left. */
static holt_status create_page_store(holt *db)
{
    char name[OS_NAME_MAX];
    uint64_t number = next_file_number(db);
    tree_page_file_name(number, name);
    holt_status rc = os_dir_unlink(db->dir, name);
    page_store *store;
    if (rc == HOLT_OK || rc == HOLT_NOT_FOUND) rc = page_store_create(&store, db->files, number);
    if (rc == HOLT_OK) page_store_set(db, store);
    return rc;
}

static holt_status default_collection(holt *db)
{
    manifest_collection first = {.name = (char[]){"default"}};
    holt_collection_options o = {.kind = db->set.default_kind};
    holt_status rc = collection_spec_init(db, &o, &first.spec);
    if (rc != HOLT_OK) return rc;
    first.spec.id = 1;
    if (tree_kind_of(first.spec.kind)->paged) rc = create_page_store(db);
    collection_tree empty;
    if (rc == HOLT_OK) rc = collection_tree_empty(first.spec.kind, page_store_of(db), &empty);
    return rc == HOLT_OK ? begin_collection_state(db, &first, &empty) : rc;
}

holt_status create_database(holt *db)
{
    db->id[0] = os_random(db->os);
    db->id[1] = os_random(db->os);
    db->manifest.next_collection = 2;
    atomic_store_explicit(&db->manifest.next_file, 1, memory_order_relaxed);
    db->manifest.log.next_segment = 1;
    db->manifest.log.next_salt = os_random(db->os);
    db->commits.next_seqno = 1;
    holt_status rc = begin_writing(db);
    if (rc == HOLT_OK) rc = begin_version(db, 0, 1);
    if (rc == HOLT_OK) rc = default_collection(db);
    if (rc == HOLT_OK) rc = begin_generation(db);
    if (rc == HOLT_OK) rc = wal_create_segment(db->dir, 1);
    if (rc == HOLT_OK) rc = manifest_begin(db, 1);
    db->manifest.page_store_named = page_store_of(db) != NULL;
    if (rc == HOLT_OK) rc = current_write(db->dir, 1, db->id, NULL);
    if (rc == HOLT_OK) rc = begin_log(db);
    if (rc == HOLT_OK)
        event_log_write(db->events, HOLT_LOG_INFO, "created database %016" PRIx64 "%016" PRIx64, db->id[0],
                        db->id[1]);
    return rc;
}
