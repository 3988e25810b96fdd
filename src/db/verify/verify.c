/* verify.c -- holt_verify: verifies a closed database, from CURRENT to the last operation of the log.
 *
 * The order: lock the database as a reader, read CURRENT and the manifest, then check the trees of runs, the
 * file of pages, the log, and last look for orphans. Nothing is written.
 */
#include "db/verify/verify.h"

#include "base/status.h"
#include "db/db.h"
#include "db/open/directory.h"
#include "db/open/lock_file.h"
#include "db/verify/verify_log.h"
#include "db/verify/verify_manifest.h"
#include "db/verify/verify_orphans.h"
#include "db/verify/verify_pages.h"
#include "db/verify/verify_trees.h"

/* Trees are read around the cache, which is therefore minimal. */
enum { NO_CACHE_BYTES = 1 << 20 };

typedef struct closed_database {
    os_dir *dir;
    os_file *lock;
    uint64_t id[2];
    uint64_t manifest; /* its number */
    manifest_state state;
    manifest_mark mark;
    char manifest_file[OS_NAME_MAX];
    cache *cache;
    tree_files *files;
    verify_trees trees;
} closed_database;

/* ---------------------------------------------------------------- the directory */

static holt_status check_kind(const os_dir *dir, directory_kind kind)
{
    switch (kind) {
    case DIRECTORY_FOREIGN:
        return status_set(HOLT_INVALID, "%s: the directory contains other files but no database",
                          os_dir_path(dir));
    case DIRECTORY_EMPTY:
        return status_set(HOLT_NOT_FOUND, "%s: there is no database in this directory", os_dir_path(dir));
    case DIRECTORY_HEADLESS:
        return status_set_file(HOLT_CORRUPT, "CURRENT", HOLT_NO_OFFSET,
                               "is missing from %s, although other files of a database are there",
                               os_dir_path(dir));
    case DIRECTORY_DATABASE:
        break;
    }
    return HOLT_OK;
}

/* The shared lock keeps writers out. HOLT_BUSY: a writer has the database open already. */
static holt_status open_closed(closed_database *c, os *platform, const char *path)
{
    directory_kind kind;
    holt_status rc = os_dir_open(platform, path, &c->dir);
    if (rc == HOLT_NOT_FOUND)
        return status_set(rc, "%s: there is no such directory, and thus no database", path);
    if (rc == HOLT_OK) rc = lock_database(c->dir, true, &c->lock);
    if (rc == HOLT_OK) rc = directory_look(c->dir, &kind);
    return rc == HOLT_OK ? check_kind(c->dir, kind) : rc;
}

static void close_closed(closed_database *c)
{
    verify_trees_deinit(&c->trees);
    manifest_state_deinit(&c->state);
    tree_files_destroy(c->files);
    cache_destroy(c->cache);
    unlock_database(c->lock, false);
    os_dir_close(c->dir);
}

/* ---------------------------------------------------------------- its contents */

/* A problem here ends the verification: only the whole manifest says what belongs to the database. */
static holt_status read_state(closed_database *c, verification *v)
{
    holt_status rc = current_read(c->dir, &c->manifest, c->id);
    if (rc != HOLT_OK) return rc;
    manifest_name(c->manifest, c->manifest_file);
    rc = verify_manifest(c->dir, c->manifest, c->id, &c->state, &c->mark);
    return rc == HOLT_OK ? verify_manifest_count(v, c->dir, c->manifest) : rc;
}

static holt_status add_run(closed_database *c, verification *v, const char *collection,
                           const manifest_run *run)
{
    size_t first = c->trees.count;
    holt_status rc = HOLT_OK;
    for (size_t i = 0; i < run->count && rc == HOLT_OK; i++)
        rc = verify_trees_add(&c->trees, collection, &run->file_ranges[i]);
    if (rc == HOLT_OK) rc = verify_trees_check_run(&c->trees, first, run->newest_seqno, c->manifest_file);
    return verification_take(v, rc);
}

static holt_status gather_trees(closed_database *c, verification *v)
{
    holt_status rc = HOLT_OK;
    for (size_t i = 0; i < c->state.collection_count; i++) {
        const manifest_collection *from = &c->state.collections[i];
        for (size_t j = 0; j < from->run_count && rc == HOLT_OK; j++)
            rc = add_run(c, v, from->name, &from->runs[j]);
    }
    return rc;
}

static holt_status verify_closed_trees(closed_database *c, verification *v)
{
    holt_status rc = cache_create(&c->cache, NO_CACHE_BYTES);
    if (rc == HOLT_OK)
        rc = tree_files_create(&c->files, c->dir, c->cache, c->id, os_descriptors_share(os_dir_os(c->dir)));
    return rc == HOLT_OK ? verify_trees_run(&c->trees, v, c->files) : rc;
}

static holt_status verify_closed_log(closed_database *c, verification *v)
{
    replay_result log = {0};
    holt_status rc = verify_log(v, c->dir, c->id, &c->state, c->mark, &log);
    replay_result_deinit(&log);
    return rc;
}

static holt_status verify_closed(closed_database *c, verification *v)
{
    holt_status rc = read_state(c, v);
    if (rc != HOLT_OK) return rc;
    rc = gather_trees(c, v);
    verify_trees_expect(&c->trees, v);
    if (rc == HOLT_OK) rc = verify_log_expect(v, c->dir, &c->state);
    if (rc == HOLT_OK) rc = verify_closed_trees(c, v);
    if (rc == HOLT_OK) rc = verify_pages(v, c->files, &c->state);
    if (rc == HOLT_OK) rc = verify_closed_log(c, v);
    known_files known = {.manifest = c->manifest, .state = &c->state, .trees = &c->trees};
    return rc == HOLT_OK ? verify_orphans(v, c->dir, &known) : rc;
}

holt_status holt_verify_on(os *platform, const char *path, const holt_verify_options *o,
                           holt_verify_report *report, size_t report_size)
{
    status_begin_call();
    verification v;
    closed_database c = {0};
    if (report) memset(report, 0, report_size);
    if (!path || !*path) return status_set(HOLT_INVALID, "the path is %s", path ? "empty" : "NULL");
    holt_status rc = verification_init(&v, o);
    if (rc != HOLT_OK) return rc;
    rc = open_closed(&c, platform, path);
    if (rc == HOLT_OK) rc = verify_closed(&c, &v);
    status_check_call(rc);
    rc = verification_take(&v, rc);
    holt_error failure;
    status_keep(rc, &failure);
    close_closed(&c);
    if (rc != HOLT_OK) status_restore(&failure);
    return verification_end(&v, rc, report, report_size);
}

holt_status holt_verify(const char *path, const holt_verify_options *o, holt_verify_report *report,
                        size_t report_size)
{
    return holt_verify_on(os_posix(), path, o, report, report_size);
}
