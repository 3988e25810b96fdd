/* registry.c -- the registries of the process, and the tables of each. */
#include "table/catalog/registry.h"

#include "base/memory.h"
#include "base/status.h"
#include "table/access/scan.h"
#include "table/access/scratch.h"
#include "table/catalog/index_age.h"
#include "table/catalog/recover.h"
#include "table/catalog/table_catalog.h"
#include "table/schema/names.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static pthread_mutex_t registries_mu = PTHREAD_MUTEX_INITIALIZER;
static registry *registries; /* registries_mu */

/* ---------------------------------------------------------------- forks */

static uint32_t forks; /* of this process and its ancestors; changes while there is one thread only */

/* The list may be in the middle of a change, and the mutex held by a thread that is not in the child. */
static void after_fork_in_child(void)
{
    forks++;
    registries = NULL;
    pthread_mutex_init(&registries_mu, NULL);
}

/* Fails only for lack of a few bytes of memory, and then nothing else in the program would have started. */
__attribute__((constructor)) static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, after_fork_in_child);
}

holt_status registry_check_process(const registry *r)
{
    if (r->forks == forks) return HOLT_OK;
    return status_set(HOLT_CLOSED, "the table was opened by the parent process; open the database again");
}

/* ---------------------------------------------------------------- one registry */

static void table_free(holt_table *t, bool alive)
{
    for (size_t i = 0; i < SPARES_MAX; i++) { /* relaxed: nobody else uses the table any more */
        scratch_destroy(atomic_load_explicit(&t->scratches[i], memory_order_relaxed));
        scan_destroy_spare(atomic_load_explicit(&t->scans[i], memory_order_relaxed));
    }
    while (t->layouts) {
        table_layout *layout = t->layouts;
        t->layouts = layout->older;
        if (!alive) /* its collections went with the database */
            memset(layout->indexes, 0, layout->schema->index_count * sizeof *layout->indexes);
        table_layout_destroy(layout);
    }
    if (alive) holt_collection_close(t->rows);
    statistics_deinit(&t->statistics);
    mem_free(t);
}

/* Whether the database is still open: whether the transaction that keeps it from being closed is. By the last
 * user alone, since a transaction is used by one thread at a time. */
static bool database_is_open(const registry *r)
{
    uint32_t id;
    if (holt_savepoint(r->open_mark, &id) == HOLT_CLOSED) return false;
    if (id) (void)holt_release(r->open_mark, id);
    return true;
}

static void registry_destroy(registry *r)
{
    bool alive = r->open_mark && database_is_open(r);
    for (size_t i = 0; i < r->table_count; i++)
        table_free(r->tables[i], alive);
    for (size_t i = 0; i < r->dropped_count; i++)
        table_free(r->dropped[i], alive);
    if (alive) holt_collection_close(r->catalog);
    holt_rollback(r->completion);
    holt_rollback(r->open_mark);
    mem_free(r->tables);
    mem_free(r->dropped);
    pthread_cond_destroy(&r->change_ended);
    pthread_mutex_destroy(&r->mu);
    mem_free(r);
}

static holt_status open_mark(registry *r)
{
    static _Atomic uint64_t number;
    holt_txn_options o = {.flags = HOLT_TXN_BLIND, .label = r->label};
    snprintf(r->label, sizeof r->label, "open tables (%" PRIu64 ")",
             atomic_fetch_add_explicit(&number, 1, memory_order_relaxed) + 1); /* only has to be new */
    holt_status rc = holt_begin(r->db, &o, &r->open_mark);
    if (rc != HOLT_READ_ONLY) return rc;
    r->read_only = true;
    o.flags = HOLT_TXN_READ_ONLY;
    return holt_begin(r->db, &o, &r->open_mark);
}

static holt_status registry_create(holt *db, registry **out)
{
    pthread_condattr_t monotonic;
    registry *r = mem_alloc_zero(1, sizeof *r);
    *out = NULL;
    if (!r) return status_no_memory(sizeof *r);
    r->db = db;
    r->forks = forks;
    r->change_wait_ms = CHANGE_WAIT_MS;
    r->settled = !index_age_is_noted(db);
    holt_status rc = open_mark(r);
    if (rc != HOLT_OK) {
        mem_free(r);
        return rc;
    }
    pthread_mutex_init(&r->mu, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&r->change_ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *out = r;
    return HOLT_OK;
}

/* ---------------------------------------------------------------- the change lock */

static struct timespec deadline_after(uint64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    uint64_t ns = (uint64_t)t.tv_nsec + ms % 1000 * 1000000;
    t.tv_sec += (time_t)(ms / 1000 + ns / 1000000000);
    t.tv_nsec = (long)(ns % 1000000000);
    return t;
}

uint64_t registry_change_wait(registry *r)
{
    pthread_mutex_lock(&r->mu);
    uint64_t ms = r->change_wait_ms;
    pthread_mutex_unlock(&r->mu);
    return ms;
}

static holt_status lock_changes(registry *r)
{
    holt_status rc = HOLT_OK;
    pthread_mutex_lock(&r->mu);
    struct timespec deadline = deadline_after(r->change_wait_ms);
    while (r->changing && rc == HOLT_OK) {
        if (pthread_equal(r->changer, pthread_self()))
            rc = status_set(HOLT_BUSY, "this thread is in the middle of a schema change; a progress callback "
                                       "cannot make another one");
        else if (pthread_cond_timedwait(&r->change_ended, &r->mu, &deadline) == ETIMEDOUT && r->changing)
            rc = status_set(HOLT_BUSY, "another schema change has been in progress for %llu ms; retry later",
                            (unsigned long long)r->change_wait_ms);
    }
    if (rc == HOLT_OK) {
        r->changing = true;
        r->changer = pthread_self();
    }
    pthread_mutex_unlock(&r->mu);
    return rc;
}

holt_status registry_begin_change(registry *r)
{
    holt_status rc = registry_check_process(r);
    if (rc != HOLT_OK) return rc;
    if (r->read_only)
        return status_set(HOLT_READ_ONLY, "the database is open read-only; schemas cannot be changed");
    rc = lock_changes(r);
    if (rc != HOLT_OK || !r->unfinished) return rc;
    rc = recover_tables(r);
    if (rc != HOLT_OK) registry_end_change(r);
    return rc;
}

bool registry_holds_change(registry *r)
{
    pthread_mutex_lock(&r->mu);
    bool holds = r->changing && pthread_equal(r->changer, pthread_self());
    pthread_mutex_unlock(&r->mu);
    return holds;
}

void registry_end_change(registry *r)
{
    assert(registry_holds_change(r));
    pthread_mutex_lock(&r->mu);
    r->changing = false;
    pthread_cond_broadcast(&r->change_ended);
    pthread_mutex_unlock(&r->mu);
}

/* ---------------------------------------------------------------- acquiring */

static bool is_loaded(registry *r)
{
    pthread_mutex_lock(&r->mu);
    bool loaded = r->loaded;
    pthread_mutex_unlock(&r->mu);
    return loaded;
}

static holt_status load(registry *r)
{
    if (is_loaded(r)) return HOLT_OK;
    holt_status rc = lock_changes(r);
    if (rc != HOLT_OK) return rc;
    if (!r->loaded) rc = recover_tables(r);
    pthread_mutex_lock(&r->mu);
    if (rc == HOLT_OK) r->loaded = true;
    pthread_mutex_unlock(&r->mu);
    registry_end_change(r);
    return rc;
}

/* registries_mu. */
static registry *find_registry(const holt *db)
{
    registry *r = registries;
    while (r && r->db != db)
        r = r->next;
    return r;
}

/* registries_mu. */
static void unlink_registry(const registry *r)
{
    for (registry **at = &registries; *at; at = &(*at)->next)
        if (*at == r) {
            *at = r->next;
            return;
        }
}

/* Finds the registry with this handle, and counts a user; NULL: there is none. */
static registry *use_registry(const holt *db)
{
    pthread_mutex_lock(&registries_mu);
    registry *r = find_registry(db);
    if (r) r->users++;
    pthread_mutex_unlock(&registries_mu);
    return r;
}

/* Makes a registry with one user the one of its database, unless there is one already. */
static bool enter_registry(registry *r)
{
    pthread_mutex_lock(&registries_mu);
    bool first = !find_registry(r->db);
    if (first) {
        r->users = 1;
        r->next = registries;
        registries = r;
    }
    pthread_mutex_unlock(&registries_mu);
    return first;
}

/* A registry whose database was closed by force stays with those who still have its tables. */
static void leave_registry(registry *r)
{
    pthread_mutex_lock(&registries_mu);
    unlink_registry(r);
    pthread_mutex_unlock(&registries_mu);
    registry_release(r);
}

typedef struct mark_search {
    const char *label;
    bool found;
} mark_search;

static holt_status see_reader(void *ctx, const holt_reader *reader)
{
    mark_search *s = (mark_search *)ctx;
    s->found = s->found || strcmp(reader->label, s->label) == 0;
    return HOLT_OK;
}

/* Whether the registry is of this open database, and not of one that was closed by force and had its handle
 * at the same address: whether its transaction is open there. */
static holt_status is_of(const registry *r, holt *db, bool *yes)
{
    mark_search s = {.label = r->label};
    holt_status rc = holt_readers(db, see_reader, &s);
    *yes = s.found;
    return rc;
}

static holt_status find_or_create(holt *db, registry **out)
{
    for (;;) {
        bool current;
        registry *r = use_registry(db);
        holt_status rc = r ? is_of(r, db, &current) : registry_create(db, out);
        if (!r) {
            if (rc != HOLT_OK || enter_registry(*out)) return rc;
            registry_destroy(*out); /* another thread was first */
        } else if (rc != HOLT_OK) {
            registry_release(r);
            return rc;
        } else if (current) {
            *out = r;
            return HOLT_OK;
        } else {
            leave_registry(r);
        }
    }
}

holt_status registry_acquire(holt *db, registry **out)
{
    registry *r;
    *out = NULL;
    if (!db) return status_set(HOLT_INVALID, "the database is NULL");
    holt_status rc = find_or_create(db, &r);
    if (rc != HOLT_OK) return rc;
    rc = load(r);
    if (rc == HOLT_OK)
        *out = r;
    else
        registry_release(r);
    return rc;
}

void registry_release(registry *r)
{
    if (r->forks != forks) return;
    pthread_mutex_lock(&registries_mu);
    assert(r->users > 0);
    bool last = --r->users == 0;
    if (last) unlink_registry(r);
    if (last && r->completions) index_age_note(r->db);
    pthread_mutex_unlock(&registries_mu);
    status_aside failure; /* what the caller returns, maybe */
    if (!last) return;
    status_put_aside(&failure);
    registry_destroy(r);
    status_put_back(&failure);
}

/* ---------------------------------------------------------------- tables */

/* By folded name: the position of the table, or of the first one after it. */
static bool find_position(const registry *r, const char *folded, size_t *at)
{
    size_t low = 0, high = r->table_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(table_schema(r->tables[middle])->folded, folded);
        if (order == 0) {
            *at = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *at = low;
    return false;
}

holt_table *registry_find(const registry *r, const char *name)
{
    char folded[SCHEMA_NAME_BYTES_MAX + 1];
    size_t at;
    schema_name_fold(folded, name);
    return find_position(r, folded, &at) ? r->tables[at] : NULL;
}

holt_status registry_not_found(registry *r, const char *name)
{
    holt_collection *plain;
    bool is_collection = holt_collection_open(r->db, name, &plain) == HOLT_OK;
    if (is_collection) holt_collection_close(plain);
    return status_set(
        HOLT_NOT_FOUND,
        is_collection ? "\"%s\" is a plain collection, not a table" : "there is no table \"%s\"", name);
}

/* Whether the collection of the rows has yet to be opened; then its name. A dropped table has none. */
static bool rows_missing(registry *r, holt_table *t, char name[SCHEMA_NAME_BYTES_MAX + 1])
{
    pthread_mutex_lock(&r->mu);
    const table_layout *layout = atomic_load_explicit(&t->layout, memory_order_acquire); /* its contents */
    bool missing = layout && !t->rows;
    if (missing) memcpy(name, layout->schema->name, strlen(layout->schema->name) + 1);
    pthread_mutex_unlock(&r->mu);
    return missing;
}

holt_status registry_open_rows(registry *r, holt_table *t)
{
    char name[SCHEMA_NAME_BYTES_MAX + 1];
    holt_collection *rows;
    if (!rows_missing(r, t, name)) return HOLT_OK;
    holt_status rc = holt_collection_open(r->db, name, &rows);
    if (rc == HOLT_NOT_FOUND) {
        if (!rows_missing(r, t, name)) return HOLT_OK; /* dropped in the meantime */
        return status_set(HOLT_CORRUPT, "table %s: its collection is missing", name);
    }
    if (rc != HOLT_OK) return rc;
    pthread_mutex_lock(&r->mu);
    bool first = !t->rows;
    if (first) t->rows = rows;
    pthread_mutex_unlock(&r->mu);
    if (!first) holt_collection_close(rows);
    return HOLT_OK;
}

holt_status registry_open_table(registry *r, const char *name, holt_table **out)
{
    *out = NULL;
    holt_status rc = schema_name_check(name, "the name of the table");
    if (rc != HOLT_OK) return rc;
    pthread_mutex_lock(&r->mu);
    holt_table *t = registry_find(r, name);
    pthread_mutex_unlock(&r->mu);
    if (!t) return registry_not_found(r, name);
    rc = registry_open_rows(r, t);
    if (rc == HOLT_OK) *out = t;
    return rc;
}

holt_status registry_check_name(const registry *r, const char *name)
{
    if (registry_find(r, name)) return status_set(HOLT_EXISTS, "there is a table \"%s\" already", name);
    for (size_t i = 0; i < r->table_count; i++)
        if (schema_find_index(table_schema(r->tables[i]), name) != SCHEMA_NONE)
            return status_set(HOLT_EXISTS, "there is an index \"%s\" already, of table %s", name,
                              table_schema(r->tables[i])->name);
    return HOLT_OK;
}

/* r->mu; there is room. */
static void put_in_order(registry *r, holt_table *t, const schema *s)
{
    size_t at;
    bool there = find_position(r, s->folded, &at);
    assert(!there && r->table_count < r->table_capacity);
    (void)there;
    memmove(r->tables + at + 1, r->tables + at, (r->table_count - at) * sizeof *r->tables);
    r->tables[at] = t;
    r->table_count++;
}

holt_status registry_make_table(registry *r, table_layout *layout, holt_table **out)
{
    assert(registry_holds_change(r));
    holt_table *t = mem_alloc_zero(1, sizeof *t);
    *out = NULL;
    pthread_mutex_lock(&r->mu);
    bool room = mem_grow((void **)&r->tables, &r->table_capacity, r->table_count + 1, sizeof *r->tables);
    pthread_mutex_unlock(&r->mu);
    if (!t || !room) {
        mem_free(t);
        table_layout_destroy(layout);
        return status_no_memory(sizeof *t);
    }
    t->registry = r;
    t->db = r->db;
    t->first_settled = r->settled;
    statistics_init(&t->statistics);
    atomic_store_explicit(&t->row_id_bound, INT64_MIN, memory_order_relaxed); /* not shared yet */
    table_layout_install(t, layout);
    *out = t;
    return HOLT_OK;
}

void registry_enlist(registry *r, holt_table *t)
{
    assert(registry_holds_change(r));
    pthread_mutex_lock(&r->mu);
    put_in_order(r, t, table_schema(t));
    pthread_mutex_unlock(&r->mu);
}

void registry_discard(holt_table *t)
{
    table_free(t, true);
}

holt_status registry_reserve_drop(registry *r)
{
    assert(registry_holds_change(r));
    if (mem_grow((void **)&r->dropped, &r->dropped_capacity, r->dropped_count + 1, sizeof *r->dropped))
        return HOLT_OK;
    return status_no_memory(sizeof *r->dropped);
}

static void take_out(registry *r, const holt_table *t)
{
    for (size_t i = 0; i < r->table_count; i++)
        if (r->tables[i] == t) {
            memmove(r->tables + i, r->tables + i + 1, (r->table_count - i - 1) * sizeof *r->tables);
            r->table_count--;
            return;
        }
}

void registry_remove(registry *r, holt_table *t)
{
    assert(registry_holds_change(r));
    pthread_mutex_lock(&r->mu);
    take_out(r, t);
    assert(r->dropped_count < r->dropped_capacity);
    r->dropped[r->dropped_count++] = t;
    atomic_store_explicit(&t->layout, NULL, memory_order_seq_cst);
    pthread_mutex_unlock(&r->mu);
}

void registry_install(registry *r, holt_table *t, table_layout *layout)
{
    assert(registry_holds_change(r));
    pthread_mutex_lock(&r->mu);
    take_out(r, t); /* its name may have changed, and with it its place in the order */
    put_in_order(r, t, layout->schema);
    table_layout_install(t, layout);
    pthread_mutex_unlock(&r->mu);
}

holt_status registry_catalog(registry *r)
{
    assert(registry_holds_change(r));
    return r->catalog ? HOLT_OK : table_catalog_open(r->db, true, &r->catalog);
}
