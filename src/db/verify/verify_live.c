/* verify_live.c -- holt_verify_live: verifies the files of an open database as they are now.
 *
 * All trees verified belong to one version, and so to one moment. References to the trees, not to the
 * version, are held while they are read: their files remain until then, and no memtable is kept in memory for
 * it. Blocks are read from the files, around the cache. Not verified are the log, which is being written, and
 * the maps of the page store and the pages that no tree of the version uses, which change all the time.
 */
#include "base/memory.h"

#include "base/status.h"
#include "db/args.h"
#include "db/db.h"
#include "db/manifest/manifest_state.h"
#include "db/verify/verify_manifest.h"
#include "db/verify/verify_trees.h"
#include "db/version/version_set.h"
#include "tree/file/tree_format.h"
#include "tree/file/tree_page_file.h"

#include <inttypes.h>

/* ---------------------------------------------------------------- the manifest */

typedef struct manifest_moment {
    manifest_mark last;
    bool lost; /* a write failed: its contents are unknown */
} manifest_moment;

static manifest_moment manifest_now(const holt *db)
{
    os_mutex_assert_held(&db->manifest.mu);
    manifest_moment now = {.lost = db->manifest.lost};
    if (db->manifest.file) now.last = manifest_last(db->manifest.file);
    return now;
}

/* Checks that every record up to the last one written was found. */
static holt_status check_end(const holt *db, manifest_mark written, manifest_mark found)
{
    char name[OS_NAME_MAX];
    if (db->read_only || (found.number == written.number && found.record >= written.record)) return HOLT_OK;
    manifest_name(found.number, name);
    return status_set_file(HOLT_CORRUPT, name, HOLT_NO_OFFSET,
                           "ends with record %" PRIu64 ", but the last record written is %" PRIu64
                           " of MANIFEST-%06" PRIu64,
                           found.record, written.record, written.number);
}

static holt_status read_manifest(const holt *db, manifest_mark written, uint64_t *number)
{
    uint64_t id[2];
    manifest_state state = {0};
    manifest_mark mark;
    holt_status rc = current_read(db->dir, number, id);
    if (rc == HOLT_OK && (id[0] != db->id[0] || id[1] != db->id[1]))
        rc = status_set_file(HOLT_CORRUPT, "CURRENT", 0, "is of another database");
    if (rc == HOLT_NOT_FOUND) rc = status_set_file(HOLT_CORRUPT, "CURRENT", HOLT_NO_OFFSET, "is missing");
    if (rc == HOLT_OK) rc = verify_manifest(db->dir, *number, db->id, &state, &mark);
    if (rc == HOLT_OK) rc = check_end(db, written, mark);
    manifest_state_deinit(&state);
    return rc;
}

enum { ATTEMPTS = 3 };

/* The manifest is read while other threads may append to it, so damage counts only if nothing was appended
 * during the attempt. If records are appended during each attempt, the last one is made under the lock, which
 * makes writers wait. */
static holt_status verify_live_manifest(holt *db, verification *v)
{
    holt_status rc = HOLT_OK;
    uint64_t number = 0;
    for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
        bool held = attempt == ATTEMPTS;
        os_mutex_lock(&db->manifest.mu);
        manifest_moment before = manifest_now(db);
        if (!held) os_mutex_unlock(&db->manifest.mu);
        if (!before.lost) rc = read_manifest(db, before.last, &number);
        if (!held) os_mutex_lock(&db->manifest.mu);
        manifest_moment after = manifest_now(db);
        os_mutex_unlock(&db->manifest.mu);
        if (before.lost || after.lost) return HOLT_OK; /* holt_health says so */
        bool still = before.last.number == after.last.number && before.last.record == after.last.record;
        if (rc != HOLT_CORRUPT || still) break;
    }
    if (rc == HOLT_OK) rc = verify_manifest_count(v, db->dir, number);
    return verification_take(v, rc);
}

/* ---------------------------------------------------------------- the trees */

typedef struct live_tree {
    char *collection;     /* a copy of its name */
    collection_tree tree; /* references */
} live_tree;

typedef struct live_trees {
    live_tree *trees;
    size_t count;
    tree_file *file; /* of the B+trees' pages; NULL: there are no B+trees */
} live_trees;

static void live_trees_deinit(live_trees *all)
{
    for (size_t i = 0; i < all->count; i++) {
        collection_tree_unref(&all->trees[i].tree);
        mem_free(all->trees[i].collection);
    }
    mem_free(all->trees);
}

static holt_status add_live(live_trees *all, const holt_collection *c, const version *v)
{
    const collection_version *s = version_collection(v, c->slot, c->spec.id);
    if (!s) return HOLT_OK; /* created after the version */
    live_tree *t = &all->trees[all->count];
    t->collection = mem_copy_string(c->name);
    if (!t->collection) return status_no_memory(strlen(c->name));
    t->tree = collection_tree_ref(&s->tree);
    if (collection_tree_btree(&t->tree)) all->file = page_store_file(page_store_of(c->db));
    all->count++;
    return HOLT_OK;
}

static holt_status take_references(holt *db, live_trees *all)
{
    version *v;
    holt_status rc = version_acquire(&db->versions, &v);
    if (rc != HOLT_OK) return rc;
    os_mutex_lock(&db->catalog.mu);
    all->trees = mem_alloc_zero(db->catalog.count + 1, sizeof *all->trees);
    if (!all->trees) rc = status_no_memory(db->catalog.count * sizeof *all->trees);
    for (size_t i = 0; i < db->catalog.count && rc == HOLT_OK; i++)
        rc = add_live(all, db->catalog.list[i], v);
    os_mutex_unlock(&db->catalog.mu);
    version_release(&db->versions, v);
    return rc;
}

static holt_status add_run(verify_trees *list, verification *v, const char *collection, const lsm_run *run)
{
    size_t first = list->count;
    lsm_run_info info = lsm_run_describe(run);
    holt_status rc = HOLT_OK;
    for (size_t i = 0; i < info.file_range_count && rc == HOLT_OK; i++)
        rc = verify_trees_add(list, collection, lsm_run_file_range(run, i));
    if (rc == HOLT_OK) rc = verify_trees_check_run(list, first, info.newest_seqno, "MANIFEST");
    return verification_take(v, rc);
}

static holt_status gather_runs(const live_trees *all, verify_trees *list, verification *v)
{
    holt_status rc = HOLT_OK;
    for (size_t i = 0; i < all->count; i++) {
        const lsm_tree *tree = collection_tree_lsm(&all->trees[i].tree);
        for (size_t j = 0; tree && j < lsm_tree_runs(tree) && rc == HOLT_OK; j++)
            rc = add_run(list, v, all->trees[i].collection, lsm_tree_run(tree, j));
    }
    return rc;
}

/* ---------------------------------------------------------------- B+trees */

/* Checks that the file still exists under its name and belongs to this database. It is opened a second time
 * for this only; its length is not checked, because it changes all the time. */
static holt_status check_page_file(holt *db, verification *v, const live_trees *all)
{
    tree_file *f;
    holt_status rc = tree_page_file_open(db->files, tree_file_number(all->file), TREE_PAGE_BYTES, false, &f);
    if (rc == HOLT_OK) tree_file_unref(f);
    v->report.files++;
    verification_advance(v, TREE_PAGE_BYTES);
    return verification_take(v, rc);
}

static void expect_pages(const live_trees *all, verification *v)
{
    if (all->file) v->bytes_total += TREE_PAGE_BYTES;
    for (size_t i = 0; i < all->count; i++)
        if (collection_tree_btree(&all->trees[i].tree))
            v->bytes_total += collection_tree_describe(&all->trees[i].tree).bytes;
}

static holt_status verify_btree(verification *v, const char *collection, const btree_version *tree)
{
    tree_report seen = {0};
    holt_status rc = btree_verify(tree, &seen);
    if (rc == HOLT_CORRUPT) rc = status_wrap(rc, "collection \"%s\"", collection);
    v->report.blocks += seen.blocks;
    v->report.entries += seen.entries;
    verification_advance(v, seen.bytes);
    return verification_take(v, rc);
}

static holt_status verify_btrees(holt *db, verification *v, const live_trees *all)
{
    holt_status rc = all->file ? check_page_file(db, v, all) : HOLT_OK;
    for (size_t i = 0; i < all->count && rc == HOLT_OK; i++) {
        const btree_version *tree = collection_tree_btree(&all->trees[i].tree);
        if (tree) rc = verify_btree(v, all->trees[i].collection, tree);
    }
    return rc;
}

/* Files of runs are opened a second time, by name, because a file that the database holds open may have been
 * deleted. */
static holt_status verify_live_trees(holt *db, verification *v)
{
    live_trees all = {0};
    verify_trees list = {0};
    holt_status rc = take_references(db, &all);
    if (rc == HOLT_OK) rc = gather_runs(&all, &list, v);
    verify_trees_expect(&list, v);
    expect_pages(&all, v);
    if (rc == HOLT_OK) rc = verify_trees_run(&list, v, db->files);
    if (rc == HOLT_OK) rc = verify_btrees(db, v, &all);
    verify_trees_deinit(&list);
    live_trees_deinit(&all);
    return rc;
}

holt_status holt_verify_live(holt *db, const holt_verify_options *o, holt_verify_report *report,
                             size_t report_size)
{
    status_begin_call();
    verification v;
    if (report) memset(report, 0, report_size);
    holt_status rc = db_check(db);
    if (rc == HOLT_OK) rc = verification_init(&v, o);
    if (rc != HOLT_OK) return rc;
    rc = verify_live_manifest(db, &v);
    if (rc == HOLT_OK) rc = verify_live_trees(db, &v);
    return api_exit(db, verification_end(&v, rc, report, report_size));
}
