/* table_work.c -- what the threads do, and what must hold of the tables. */
#include "support/tables/table_work.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/random.h"
#include "support/expect.h"

enum { ROWS = 300 };

static const char *const names[TABLE_WORK_PAIR] = {"left", "right"};
static const uint32_t kinds_of[TABLE_WORK_PAIR] = {HOLT_LSM, HOLT_BTREE};

typedef struct writer {
    table_work *work;
    uint64_t seed;
} writer;

/* ---------------------------------------------------------------- tables */

static holt_status open_table(holt *db, const char *name, uint32_t kind, holt_table **t)
{
    static const holt_column columns[] = {{.name = "id", .type = HOLT_INTEGER},
                                          {.name = "email", .type = HOLT_TEXT, .flags = HOLT_COLUMN_NOT_NULL},
                                          {.name = "age", .type = HOLT_INTEGER}};
    static const holt_key_part key = {.column = "id"};
    holt_table_options o = {.columns = columns,
                            .column_count = 3,
                            .key = &key,
                            .key_count = 1,
                            .kind = kind,
                            .flags = HOLT_CREATE_OR_OPEN};
    return holt_table_create(db, name, &o, t);
}

holt_status table_work_open(table_work *w, const char *path)
{
    holt_options o = {.memory_bytes = 16 << 20, .memtable_bytes = 64 << 10, .durability = HOLT_PROCESS};
    holt_status rc = holt_open(path, &o, &w->db);
    for (int i = 0; i < TABLE_WORK_PAIR && rc == HOLT_OK; i++)
        rc = open_table(w->db, names[i], kinds_of[i], &w->pair[i]);
    return rc;
}

holt_status table_work_close(table_work *w)
{
    for (int i = 0; i < TABLE_WORK_PAIR; i++)
        holt_table_close(w->pair[i]);
    return holt_close(w->db);
}

/* Whether a call may return this beside changes of schemas. */
static bool is_fair(holt_status rc)
{
    return rc == HOLT_OK || rc == HOLT_CONFLICT || rc == HOLT_BUSY || rc == HOLT_CLOSED ||
           rc == HOLT_NOT_FOUND || rc == HOLT_EXISTS;
}

static bool check_fair(table_work *w, holt_status rc, const char *call)
{
    if (is_fair(rc)) return true;
    fprintf(stderr, "%s: %s: %s\n", call, holt_status_name(rc), holt_error_message());
    atomic_store_explicit(&w->failed, true, memory_order_relaxed);
    return false;
}

static bool goes_on(table_work *w)
{
    return !atomic_load_explicit(&w->stop, memory_order_relaxed) &&
           !atomic_load_explicit(&w->failed, memory_order_relaxed);
}

/* ---------------------------------------------------------------- writers */

static holt_status write_one(holt_table *t, holt_txn *txn, int64_t id, int64_t age, bool removes)
{
    char email[32];
    holt_datum key = holt_integer(id);
    snprintf(email, sizeof email, "%lld@example.org", (long long)id);
    const holt_datum row[] = {holt_integer(id), holt_text(email), holt_integer(age)};
    holt_status rc = removes ? holt_table_delete(t, txn, &key, 1) : holt_table_upsert(t, txn, row, 3);
    return rc == HOLT_NOT_FOUND ? HOLT_OK : rc;
}

static holt_status write_pair(table_work *w, int64_t id, int64_t age, bool removes)
{
    holt_txn *txn;
    holt_status rc = holt_begin(w->db, NULL, &txn);
    for (int i = 0; i < TABLE_WORK_PAIR && rc == HOLT_OK; i++)
        rc = write_one(w->pair[i], txn, id, age, removes);
    if (rc == HOLT_OK) rc = holt_commit(txn);
    holt_rollback(txn);
    return rc;
}

static holt_status write_third(table_work *w, int64_t id)
{
    holt_table *t;
    holt_status rc = holt_table_open(w->db, "third", &t);
    if (rc != HOLT_OK) return rc;
    rc = write_one(t, NULL, id, id % 10, id % 3 == 0);
    holt_table_close(t);
    return rc;
}

static void *write_rows(void *ctx)
{
    writer *self = (writer *)ctx;
    table_work *w = self->work;
    rng r;
    rng_seed(&r, self->seed);
    while (goes_on(w)) {
        int64_t id = (int64_t)rng_below(&r, ROWS);
        holt_status rc = write_pair(w, id, (int64_t)rng_below(&r, 10), rng_chance(&r, 3));
        if (!check_fair(w, rc, "a pair of rows")) break;
        if (rc == HOLT_OK) atomic_fetch_add_explicit(&w->commits, 1, memory_order_relaxed); /* a count */
        if (!check_fair(w, write_third(w, id), "a row of the third table")) break;
    }
    return NULL;
}

/* ---------------------------------------------------------------- changes of schemas */

static holt_status make_index(holt_table *t, const char *name, bool unique)
{
    holt_index_part part = {.column = unique ? "email" : "age", .flags = unique ? 0 : HOLT_PART_DESCENDING};
    holt_index_options o = {
        .name = name, .parts = &part, .part_count = 1, .flags = unique ? HOLT_INDEX_UNIQUE : 0};
    return holt_table_create_index(t, &o, NULL, NULL);
}

static holt_status change_index(holt_table *t, rng *r, const char *name)
{
    switch (rng_below(r, 3)) {
    case 0:
        return make_index(t, name, name[0] == 'u');
    case 1:
        return holt_table_drop_index(t, name);
    default:
        return holt_table_reindex(t, name, NULL, NULL);
    }
}

static holt_status change_third(table_work *w, rng *r)
{
    const holt_alteration away = {.op = HOLT_ALTER_RENAME, .to = "away"};
    const holt_alteration back = {.op = HOLT_ALTER_RENAME, .to = "third"};
    holt_table *t;
    holt_status rc = open_table(w->db, "third", HOLT_BTREE, &t);
    if (rc != HOLT_OK) return rc;
    switch (rng_below(r, 4)) {
    case 0:
        rc = holt_table_clear(t);
        break;
    case 1:
        rc = holt_table_drop(w->db, "third");
        break;
    case 2:
        rc = change_index(t, r, "u3");
        break;
    default:
        rc = holt_table_alter(t, &away);
        if (rc == HOLT_OK) rc = holt_table_alter(t, &back);
    }
    holt_table_close(t);
    return rc;
}

static void *change_schemas(void *ctx)
{
    static const char *const index_names[TABLE_WORK_PAIR][2] = {{"u1", "a1"}, {"u2", "a2"}};
    writer *self = (writer *)ctx;
    table_work *w = self->work;
    rng r;
    rng_seed(&r, self->seed);
    while (goes_on(w)) {
        size_t i = rng_below(&r, TABLE_WORK_PAIR + 1);
        holt_status rc = i < TABLE_WORK_PAIR ? change_index(w->pair[i], &r, index_names[i][rng_below(&r, 2)])
                                             : change_third(w, &r);
        if (!check_fair(w, rc, "a change of a schema")) break;
        if (rc == HOLT_OK) atomic_fetch_add_explicit(&w->changes, 1, memory_order_relaxed); /* a count */
    }
    return NULL;
}

bool table_work_run(table_work *w, uint64_t seed, uint64_t microseconds)
{
    writer writers[TABLE_WORK_WRITERS + 1];
    pthread_t threads[TABLE_WORK_WRITERS + 1];
    for (unsigned i = 0; i <= TABLE_WORK_WRITERS; i++) {
        writers[i] = (writer){w, seed + i};
        if (pthread_create(&threads[i], NULL, i < TABLE_WORK_WRITERS ? write_rows : change_schemas,
                           &writers[i]) != 0)
            abort();
    }
    if (microseconds) {
        usleep((useconds_t)microseconds);
        atomic_store_explicit(&w->stop, true, memory_order_relaxed);
    }
    for (unsigned i = 0; i <= TABLE_WORK_WRITERS; i++)
        pthread_join(threads[i], NULL);
    return !atomic_load_explicit(&w->failed, memory_order_relaxed);
}

/* ---------------------------------------------------------------- what must hold */

static void print_problem(void *ctx, const char *message)
{
    (void)ctx;
    print_error("%s\n", message);
}

static void check_pair(table_work *w)
{
    holt_scan *scans[TABLE_WORK_PAIR];
    holt_scan_options all = {0};
    for (int i = 0; i < TABLE_WORK_PAIR; i++)
        expect_ok(holt_scan_open(w->pair[i], NULL, &all, &scans[i]));
    while (holt_scan_next(scans[0])) {
        assert_true(holt_scan_next(scans[1]));
        for (size_t c = 0; c < 3; c += 2)
            assert_int_equal(holt_scan_column(scans[0], c).as.integer,
                             holt_scan_column(scans[1], c).as.integer);
    }
    assert_false(holt_scan_next(scans[1]));
    for (int i = 0; i < TABLE_WORK_PAIR; i++)
        expect_ok(holt_scan_close(scans[i]));
}

void table_work_check(table_work *w)
{
    char **tables;
    size_t count;
    expect_ok(holt_table_list(w->db, &tables, &count));
    for (size_t i = 0; i < count; i++) {
        holt_table *t;
        holt_table_info *info;
        holt_table_check_options o = {.problem = print_problem};
        expect_ok(holt_table_open(w->db, tables[i], &t));
        expect_ok(holt_table_check(t, &o, NULL, 0));
        expect_ok(holt_table_describe(t, &info));
        for (size_t j = 0; j < info->index_count; j++)
            assert_true(info->indexes[j].complete);
        holt_free(info);
        holt_table_close(t);
    }
    holt_free(tables);
    check_pair(w);
}
