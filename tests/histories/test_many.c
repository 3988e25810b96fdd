/* test_many.c -- thousands of collections, each with one entry.
 *
 * A collection costs memory; files, descriptors and flushes are shared by all. HOLT_MANY sets how many there
 * are (make nightly: 10,000).
 */
#include "support/db_fixture.h"
#include "support/histories/history.h"
#include "support/resources.h"

#include <stdio.h>
#include <unistd.h>

enum { OPEN_BYTES = 4 << 20, COLLECTION_BYTES = 1024 };
enum { MANY = 2000, FILES_MAX = 24, DESCRIPTORS_MAX_MORE = 24 };

typedef struct many_collections {
    temp_dir dir;
    char path[TEMP_PATH_BYTES];
    holt_options options;
    uint64_t many;
    size_t descriptors; /* before */
} many_collections;

static void name_of(uint64_t i, char buffer[32])
{
    snprintf(buffer, 32, "collection-%06llu", (unsigned long long)i);
}

static void many_collections_init(many_collections *m)
{
    memset(m, 0, sizeof *m);
    temp_dir_create(&m->dir);
    temp_dir_join(m->dir.path, "db", m->path);
    m->options.durability = HOLT_PROCESS;
    m->many = environment_number("HOLT_MANY", MANY);
    m->descriptors = resources_descriptors();
}

static void check_bounds(const many_collections *m)
{
    size_t files = directory_files(m->path), descriptors = resources_descriptors() - m->descriptors;
    if (files > FILES_MAX) fail_msg("%zu files", files);
    if (descriptors > DESCRIPTORS_MAX_MORE) fail_msg("%zu descriptors", descriptors);
}

/* Every other collection is closed again: whether it is open must not matter. */
static void make_all(const many_collections *m, holt *db, uint32_t kind)
{
    holt_collection_options o = {.kind = kind};
    char name[32];
    for (uint64_t i = 0; i < m->many; i++) {
        holt_collection *c = NULL;
        name_of(i, name);
        expect_ok(holt_collection_create(db, name, &o, &c));
        put(c, name, name);
        if (i % 2) holt_collection_close(c);
    }
}

static void check_all(const many_collections *m, holt *db, uint32_t kind)
{
    char name[32];
    for (uint64_t i = 0; i < m->many; i++) {
        holt_collection *c = NULL;
        name_of(i, name);
        expect_ok(holt_collection_open(db, name, &c));
        assert_int_equal(holt_collection_kind(c), kind);
        expect_get(c, NULL, name, name);
        expect_get(c, NULL, "collection-", NULL);
        holt_collection_close(c);
    }
}

static size_t count_collections(holt *db)
{
    char **names = NULL;
    size_t count = 0;
    expect_ok(holt_collection_list(db, &names, &count));
    holt_free(names);
    return count;
}

static void drop_all(const many_collections *m, holt *db)
{
    char name[32];
    for (uint64_t i = 0; i < m->many; i++) {
        name_of(i, name);
        expect_ok(holt_collection_drop(db, name));
    }
    assert_int_equal(count_collections(db), 1);
}

/* What is left of their trees: nothing in the trees' files. */
static void expect_empty(const many_collections *m, holt *db)
{
    holt_db_stats s;
    expect_ok(holt_flush(db));
    for (int tries = 0; tries < 200; tries++) {
        expect_ok(holt_stats(db, &s, sizeof s));
        if (directory_bytes(m->path) < (24 << 20) && s.files <= 1) break;
        usleep(50000);
    }
    if (s.files > 1) fail_msg("%llu files of trees are left", (unsigned long long)s.files);
    assert_int_equal(s.collections, 1);
    check_bounds(m);
}

static void live(uint32_t kind)
{
    many_collections m;
    holt *db = NULL;
    many_collections_init(&m);
    expect_ok(holt_open(m.path, &m.options, &db));
    make_all(&m, db, kind);
    expect_ok(holt_flush(db));
    check_bounds(&m);
    check_all(&m, db, kind);
    check_bounds(&m);
    expect_ok(holt_close(db));
    expect_ok(holt_verify(m.path, NULL, NULL, 0));

    uint64_t before = resources_rss_anon();
    expect_ok(holt_open(m.path, &m.options, &db));
    uint64_t grown = resources_rss_anon() - before;
    /* A version has 8 bytes for each collection: creating a version for each of them would take four times
     * this with the default number. */
    if (resources_rss_is_ours() && grown > OPEN_BYTES + m.many * COLLECTION_BYTES)
        fail_msg("opening took %llu bytes", (unsigned long long)grown);
    assert_int_equal(count_collections(db), m.many + 1);
    check_all(&m, db, kind);
    check_bounds(&m);
    drop_all(&m, db);
    expect_empty(&m, db);
    expect_ok(holt_close(db));
    expect_ok(holt_verify(m.path, NULL, NULL, 0));
    assert_int_equal(resources_descriptors(), m.descriptors);
    temp_dir_remove(&m.dir);
}

/* A file or a descriptor for each collection would reach the limits of the system. */
static void many_lsm_collections_share_a_few_files(void **state)
{
    live(HOLT_LSM);
}

/* The same for B+trees: a root each, in one file. */
static void many_btree_collections_share_a_few_files(void **state)
{
    live(HOLT_BTREE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_lsm_collections_share_a_few_files),
        cmocka_unit_test(many_btree_collections_share_a_few_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
