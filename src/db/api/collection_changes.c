/* collection_changes.c -- creates, drops, renames and clears collections.
 *
 * Each change is made as the leader of the commit queue, and thus in commit order: sync the log, so that all
 * earlier commits are durable; record the change in the manifest; install it. It is durable when the call
 * returns.
 */
#include "db/catalog/catalog_internal.h"
#include "db/catalog/collection_options.h"

#include "base/status.h"
#include "db/args.h"
#include "db/commit/commit.h"
#include "db/db.h"
#include "db/manifest/db_edit.h"
#include "db/manifest/manifest_writer.h"
#include "db/tree/collection_tree.h"

#include <assert.h>

static holt_status exists(const char *name)
{
    return status_set(HOLT_EXISTS, "the collection \"%s\" exists already", name);
}

/* Opens an existing collection on behalf of holt_collection_create. */
static holt_status reopen(holt_collection *c, const char *name, bool may_open, holt_collection **out)
{
    os_mutex_assert_held(&c->db->catalog.mu);
    if (!may_open) return exists(name);
    collection_add_handle(c);
    *out = c;
    return HOLT_OK;
}

/* Creates the page store, which all B+tree collections share, for the first of them. */
static holt_status need_page_store(holt *db)
{
    if (page_store_of(db)) return HOLT_OK; /* set under leadership only */
    page_store *store;
    uint64_t number = next_file_number(db);
    holt_status rc = page_store_create(&store, db->files, number);
    if (rc != HOLT_OK) return rc;
    rc = os_dir_sync(db->dir);
    if (rc != HOLT_OK) {
        char name[OS_NAME_MAX];
        tree_page_file_name(number, name);
        page_store_close(store);
        os_dir_discard(db->dir, name); /* if it stays, the next open deletes it as an orphan */
        return rc;
    }
    page_store_set(db, store);
    return HOLT_OK;
}

static holt_status record_creation(holt *db, holt_collection *c)
{
    collection_tree empty;
    db_edit e;
    holt_status rc = tree_kind_of(c->spec.kind)->paged ? need_page_store(db) : HOLT_OK;
    if (rc == HOLT_OK) rc = edit_begin(&e, db);
    if (rc != HOLT_OK) return rc;
    rc = collection_tree_empty(c->spec.kind, page_store_of(db), &empty);
    edit_fail(&e, rc);
    if (rc == HOLT_OK) edit_create(&e, c, &empty);
    return edit_commit(&e);
}

static holt_status create_led(holt *db, const char *name, const collection_spec *spec, bool may_open,
                              holt_collection **out)
{
    os_mutex_lock(&db->catalog.mu);
    holt_collection *there = catalog_find(&db->catalog, name);
    holt_status rc = there ? reopen(there, name, may_open, out) : HOLT_OK;
    os_mutex_unlock(&db->catalog.mu);
    if (there) return rc;

    holt_collection *c = NULL;
    rc = wal_sync(db->wal);
    if (rc == HOLT_OK) rc = collection_create_object(db, spec, name, &c);
    if (rc != HOLT_OK) return rc;
    collection_add_handle(c);
    rc = record_creation(db, c);
    if (rc != HOLT_OK) {
        collection_destroy_object(c);
        return rc;
    }
    *out = c;
    event_log_write(db->events, HOLT_LOG_INFO, "collection \"%s\" created", name);
    return HOLT_OK;
}

holt_status holt_collection_create(holt *db, const char *name, const holt_collection_options *o,
                                   holt_collection **out)
{
    status_begin_call();
    if (!out) return status_set(HOLT_INVALID, "collection (out) is NULL");
    *out = NULL;
    collection_spec spec;
    holt_status rc = db_check(db);
    if (rc == HOLT_OK) rc = name_check(name);
    if (rc == HOLT_OK) rc = collection_spec_init(db, o, &spec);
    if (rc == HOLT_OK) rc = writable_check(db);
    if (rc == HOLT_OK) rc = commit_lead(db);
    if (rc != HOLT_OK) return rc;
    rc = create_led(db, name, &spec, o && (o->flags & HOLT_CREATE_OR_OPEN), out);
    commit_queue_unlead(&db->commits);
    return api_exit(db, rc);
}

/* Begins a drop or a rename: finds the collection, which must not be "default", and syncs the log. */
static holt_status begin_change(holt *db, const char *name, holt_collection **out)
{
    if (strcmp(name, "default") == 0)
        return status_set(HOLT_INVALID, "the collection \"default\" can be neither dropped nor renamed");
    os_mutex_lock(&db->catalog.mu);
    *out = catalog_find(&db->catalog, name);
    os_mutex_unlock(&db->catalog.mu);
    return *out ? wal_sync(db->wal) : collection_not_found(name);
}

static holt_status drop_led(holt *db, const char *name)
{
    holt_collection *c = NULL;
    db_edit e;
    holt_status rc = begin_change(db, name, &c);
    if (rc == HOLT_OK) rc = edit_begin(&e, db);
    if (rc != HOLT_OK) return rc;
    assert(c);
    collection_use(c); /* keeps it until the catalog no longer uses it, even if its last handle is closed */
    edit_drop(&e, c);
    rc = edit_commit(&e);
    collection_unuse(c);
    if (rc != HOLT_OK) return rc;
    jobs_wake_workers(db);
    event_log_write(db->events, HOLT_LOG_INFO, "collection \"%s\" dropped", name);
    return HOLT_OK;
}

holt_status holt_collection_drop(holt *db, const char *name)
{
    status_begin_call();
    holt_status rc = db_check(db);
    if (rc == HOLT_OK) rc = name_check(name);
    if (rc == HOLT_OK) rc = writable_check(db);
    if (rc == HOLT_OK) rc = commit_lead(db);
    if (rc != HOLT_OK) return rc;
    rc = drop_led(db, name);
    commit_queue_unlead(&db->commits);
    return api_exit(db, rc);
}

static holt_status rename_led(holt *db, const char *from, const char *to)
{
    holt_collection *c = NULL;
    holt_status rc = begin_change(db, from, &c);
    if (rc != HOLT_OK) return rc;
    assert(c);
    os_mutex_lock(&db->catalog.mu);
    bool taken = catalog_find(&db->catalog, to) != NULL;
    os_mutex_unlock(&db->catalog.mu);
    if (taken) return exists(to);
    db_edit e;
    rc = edit_begin(&e, db);
    if (rc != HOLT_OK) return rc;
    edit_rename(&e, c, to);
    rc = edit_commit(&e);
    if (rc == HOLT_OK)
        event_log_write(db->events, HOLT_LOG_INFO, "collection \"%s\" renamed to \"%s\"", from, to);
    return rc;
}

holt_status holt_collection_rename(holt *db, const char *from, const char *to)
{
    status_begin_call();
    holt_status rc = db_check(db);
    if (rc == HOLT_OK) rc = name_check(from);
    if (rc == HOLT_OK) rc = name_check(to);
    if (rc == HOLT_OK) rc = writable_check(db);
    if (rc == HOLT_OK) rc = commit_lead(db);
    if (rc != HOLT_OK) return rc;
    rc = rename_led(db, from, to);
    commit_queue_unlead(&db->commits);
    return api_exit(db, rc);
}

/* Makes everything up to now invisible: versions in memtables by their seqno, trees by replacing them with
 * empty ones. Snapshots on older versions continue to see the old contents; snapshots on the new version are
 * not older than the clear. */
static holt_status clear_led(holt_collection *c)
{
    holt *db = c->db;
    collection_tree empty;
    db_edit e;
    holt_status rc = wal_sync(db->wal);
    if (rc == HOLT_OK) rc = edit_begin(&e, db);
    if (rc != HOLT_OK) return rc;
    rc = collection_tree_empty(c->spec.kind, page_store_of(db), &empty);
    edit_fail(&e, rc);
    if (rc == HOLT_OK) edit_clear(&e, c, db->commits.next_seqno - 1, &empty);
    rc = edit_commit(&e);
    collection_set_replaced(c); /* after a failure, too: that only costs a lookup or a retry */
    jobs_wake_workers(db);
    return rc;
}

holt_status holt_collection_clear(holt_collection *c)
{
    status_begin_call();
    holt_status rc = collection_check(c);
    if (rc == HOLT_OK) rc = writable_check(c->db);
    if (rc == HOLT_OK) rc = commit_lead(c->db);
    if (rc != HOLT_OK) return rc;
    rc = collection_check(c); /* it may have been dropped while we waited */
    if (rc == HOLT_OK) rc = clear_led(c);
    commit_queue_unlead(&c->db->commits);
    return api_exit(c->db, rc);
}
