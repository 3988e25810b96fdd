/* test_bad_input.c -- wrong arguments, paths and permissions: the right status and message, and nothing
 * lost. */
#include "base/coding.h"
#include "base/hash.h"
#include "support/child.h"
#include "support/db_fixture.h"
#include "support/must.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_MAX = 65535, VALUE_MAX = (8 << 20) / 4 };

static holt_slice no_slice(void)
{
    return holt_bytes(NULL, 0);
}

/* ---------------------------------------------------------------- keys and values */

static void keys_up_to_65535_bytes_are_kept_and_longer_ones_refused(void **state)
{
    static char key[KEY_MAX + 1];
    db_fixture *f = (db_fixture *)*state;
    holt_value v = HOLT_VALUE_INIT;
    memset(key, 'k', sizeof key);
    holt_slice longest = holt_bytes(key, KEY_MAX), longer = holt_bytes(key, KEY_MAX + 1);
    expect_ok(holt_put(f->c, NULL, longest, holt_str("1")));
    expect_status(HOLT_TOO_LARGE, holt_put(f->c, NULL, longer, holt_str("2")));
    expect_words("65536");
    expect_words("65535");
    expect_status(HOLT_TOO_LARGE, holt_put(f->c, NULL, holt_bytes(key, SIZE_MAX), holt_str("2")));
    expect_status(HOLT_TOO_LARGE, holt_delete(f->c, NULL, longer));
    holt_txn *t = begin(f->db, HOLT_TXN_BLIND);
    expect_status(HOLT_TOO_LARGE, holt_put(f->c, t, longer, holt_str("2")));
    expect_status(HOLT_TOO_LARGE, holt_delete(f->c, t, longer));
    put_in(f->c, t, "b", "3"); /* the batch itself is as usable as before */
    expect_ok(holt_commit(t));
    holt_rollback(t);
    for (int i = 0; i < 2; i++) {
        expect_ok(holt_get(f->c, NULL, longest, &v));
        assert_memory_equal(v.data, "1", 1);
        expect_get(f->c, NULL, "b", "3");
        expect_ok(holt_flush(f->db));
    }
    holt_value_free(&v);
}

/* Reads with a key that cannot exist return HOLT_NOT_FOUND, and do nothing else. */
static void no_key_longer_than_65535_bytes_is_ever_found(void **state)
{
    static char key[KEY_MAX + 1];
    db_fixture *f = (db_fixture *)*state;
    put(f->c, "a", "1");
    holt_status rc = holt_exists(f->c, NULL, holt_bytes(key, sizeof key));
    assert_true(rc == HOLT_NOT_FOUND || rc == HOLT_TOO_LARGE);
    holt_cursor *c = open_cursor(f->c, NULL);
    assert_true(holt_cursor_seek(c, holt_bytes(key, sizeof key)) || holt_cursor_status(c) == HOLT_TOO_LARGE);
    (void)holt_cursor_close(c); /* perhaps with that status */
}

static void values_up_to_a_quarter_of_memory_are_kept_and_larger_ones_refused(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_value v = HOLT_VALUE_INIT;
    char *value = (char *)must_alloc(VALUE_MAX + 1);
    memset(value, 'v', VALUE_MAX);
    /* The limit of a commit counts keys and values. */
    expect_ok(holt_put(f->c, NULL, no_slice(), holt_bytes(value, VALUE_MAX)));
    expect_status(HOLT_TOO_LARGE, holt_put(f->c, NULL, no_slice(), holt_bytes(value, VALUE_MAX + 1)));
    expect_words("2097153");
    expect_words("2097152");
    expect_status(HOLT_TOO_LARGE, holt_put(f->c, NULL, holt_str("k"), holt_bytes(value, SIZE_MAX)));
    for (int i = 0; i < 3; i++) {
        expect_ok(holt_get(f->c, NULL, no_slice(), &v));
        assert_int_equal(v.size, VALUE_MAX);
        assert_memory_equal(v.data, value, VALUE_MAX);
        if (i == 0) db_fixture_reopen(f); /* from the log */
        if (i == 1) expect_ok(holt_flush(f->db));
    }
    holt_value_free(&v);
    free(value);
}

static void a_transaction_past_its_limit_is_refused_and_stays_usable(void **state)
{
    static char value[64 << 10];
    db_fixture *f = (db_fixture *)*state;
    holt_txn *t = begin(f->db, HOLT_TXN_BLIND);
    char key[16];
    int count = 0;
    holt_status rc = HOLT_OK;
    while (count < 100 && rc == HOLT_OK) {
        snprintf(key, sizeof key, "%03d", count);
        rc = holt_put(f->c, t, holt_str(key), holt_bytes(value, sizeof value));
        if (rc == HOLT_OK) count++;
    }
    assert_int_equal(rc, HOLT_TOO_LARGE);
    expect_words("2097152");
    assert_int_equal(count, VALUE_MAX / (int)sizeof value - 1); /* for the keys count too */
    put_in(f->c, t, "small", "1");
    expect_ok(holt_commit(t));
    holt_rollback(t);
    expect_status(HOLT_NOT_FOUND, holt_exists(f->c, NULL, holt_str(key)));
    expect_ok(holt_exists(f->c, NULL, holt_str("030")));
    expect_get(f->c, NULL, "small", "1");
    db_fixture_reopen(f);
    expect_ok(holt_exists(f->c, NULL, holt_str("030")));
}

static void empty_keys_and_values_are_allowed(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    expect_ok(holt_put(f->c, NULL, no_slice(), holt_str("of the empty key")));
    put(f->c, "k", "");
    for (int i = 0; i < 3; i++) {
        expect_get(f->c, NULL, "", "of the empty key");
        expect_get(f->c, NULL, "k", "");
        expect_ok(holt_exists(f->c, NULL, no_slice()));
        if (i == 0) db_fixture_reopen(f);
        if (i == 1) expect_ok(holt_flush(f->db));
    }
    expect_ok(holt_delete(f->c, NULL, no_slice()));
    expect_get(f->c, NULL, "", NULL);
}

static void null_with_a_size_is_refused_everywhere(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    const holt_slice bad = holt_bytes(NULL, 3), good = holt_str("a");
    holt_put_options o = {.flags = HOLT_PUT_IF_ABSENT};
    holt_cursor_options lower = {.lower = bad}, upper = {.upper = bad}, prefix = {.prefix = bad};
    holt_value v = HOLT_VALUE_INIT;
    holt_cursor *c = NULL;
    char buffer[4];
    size_t size;
    expect_status(HOLT_INVALID, holt_put(f->c, NULL, bad, good));
    expect_words("NULL");
    expect_status(HOLT_INVALID, holt_put(f->c, NULL, good, bad));
    expect_words("NULL");
    expect_status(HOLT_INVALID, holt_put_with(f->c, NULL, bad, good, &o));
    expect_status(HOLT_INVALID, holt_put_with(f->c, NULL, good, bad, &o));
    expect_status(HOLT_INVALID, holt_get(f->c, NULL, bad, &v));
    expect_status(HOLT_INVALID, holt_get_into(f->c, NULL, bad, buffer, sizeof buffer, &size));
    expect_status(HOLT_INVALID, holt_get_into(f->c, NULL, good, NULL, 4, &size));
    expect_status(HOLT_INVALID, holt_exists(f->c, NULL, bad));
    expect_status(HOLT_INVALID, holt_delete(f->c, NULL, bad));
    expect_status(HOLT_INVALID, holt_compact(f->c, bad, good));
    expect_status(HOLT_INVALID, holt_compact(f->c, good, bad));
    expect_status(HOLT_INVALID, holt_cursor_open(f->c, NULL, &lower, &c));
    expect_status(HOLT_INVALID, holt_cursor_open(f->c, NULL, &upper, &c));
    expect_status(HOLT_INVALID, holt_cursor_open(f->c, NULL, &prefix, &c));
    assert_null(c);
    expect_get(f->c, NULL, "a", NULL);
    put(f->c, "a", "1");
    c = open_cursor(f->c, NULL);
    assert_false(holt_cursor_seek(c, bad));
    expect_status(HOLT_INVALID, holt_cursor_status(c));
    assert_false(holt_cursor_seek_last(c, bad));
    assert_true(holt_cursor_first(c)); /* the next first, last or seek clears the error */
    expect_entry(c, "a", "1");
    expect_ok(holt_cursor_close(c));
    holt_value_free(&v);
}

static void all_bytes_are_good_in_keys_and_values(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_value v = HOLT_VALUE_INIT;
    for (int round = 0; round < 3; round++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            uint8_t key[3] = {(uint8_t)byte, 0, (uint8_t)byte}, value[2] = {0, (uint8_t)byte};
            if (round == 0) expect_ok(holt_put(f->c, NULL, holt_bytes(key, 3), holt_bytes(value, 2)));
            expect_ok(holt_get(f->c, NULL, holt_bytes(key, 3), &v));
            assert_int_equal(v.size, 2);
            assert_memory_equal(v.data, value, 2);
        }
        if (round == 0) db_fixture_reopen(f);
        if (round == 1) expect_ok(holt_flush(f->db));
    }
    holt_cursor *c = open_cursor(f->c, NULL);
    for (unsigned byte = 0; byte < 256; byte++) {
        assert_true(holt_cursor_next(c));
        assert_int_equal(((const uint8_t *)holt_cursor_key(c).data)[0], byte);
    }
    assert_false(holt_cursor_next(c));
    expect_ok(holt_cursor_close(c));
    holt_value_free(&v);
}

/* ---------------------------------------------------------------- collections */

static void unknown_collections_are_named_in_the_message(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_collection *c = (holt_collection *)1;
    expect_status(HOLT_NOT_FOUND, holt_collection_open(f->db, "no such thing", &c));
    expect_words("no such thing");
    assert_null(c);
    expect_status(HOLT_NOT_FOUND, holt_collection_drop(f->db, "no such thing"));
    expect_words("no such thing");
    expect_status(HOLT_NOT_FOUND, holt_collection_rename(f->db, "no such thing", "x"));
    expect_words("no such thing");
}

/* 1 to 128 bytes of UTF-8 without control characters. */
static void bad_collection_names_are_refused(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    char longest[129], longer[130];
    memset(longest, 'n', 128);
    memset(longer, 'n', 129);
    longest[128] = longer[129] = 0;
    const char *const bad[] = {"",         longer,    "a\nb", "\x01",     "tab\t",        "\x7f",
                               "\xff",     "a\xc3",   "\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                               "\xe2\x82", "\xc2\x85"};
    holt_collection *c = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        expect_status(HOLT_INVALID, holt_collection_create(f->db, bad[i], NULL, &c));
        assert_null(c);
        expect_status(HOLT_INVALID, holt_collection_rename(f->db, "default", bad[i]));
    }
    c = create(f->db, longest);
    expect_status(HOLT_INVALID, holt_collection_rename(f->db, longest, ""));
    expect_ok(holt_collection_rename(f->db, longest, "\xf0\x9f\x98\x80 \xe6\x97\xa5"));
    put(c, "a", "1");
    db_fixture_reopen(f);
    expect_ok(holt_collection_open(f->db, "\xf0\x9f\x98\x80 \xe6\x97\xa5", &c));
    expect_get(c, NULL, "a", "1");
}

static void collection_options_out_of_range_are_refused(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    const holt_collection_options bad[] = {
        {.kind = 3},
        {.compression = 4},
        {.block_bytes = 1},
        {.block_bytes = 5000},
        {.block_bytes = 128 << 10},
        {.block_bytes = 2048},
        {.filter_bits = 33},
        {.flags = 2},
        {.flags = UINT32_MAX},
        {.reserved32 = 1},
        {.reserved = {0, 0, 0, 0, 0, 0, 0, 1}},
        {.reserved = {1}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        holt_collection *c = (holt_collection *)1;
        expect_status(HOLT_INVALID, holt_collection_create(f->db, "x", &bad[i], &c));
        assert_null(c);
    }
    const holt_collection_options good[] = {{.block_bytes = 4 << 10, .filter_bits = 1},
                                            {.block_bytes = 64 << 10, .filter_bits = 32},
                                            {.compression = HOLT_COMPRESSION_NONE, .kind = HOLT_LSM},
                                            {.filter_bits = HOLT_FILTER_NONE}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        holt_collection *c = NULL;
        char name[2] = {(char)('a' + i), 0};
        expect_ok(holt_collection_create(f->db, name, &good[i], &c));
        put(c, "k", name);
        expect_ok(holt_flush(f->db));
        expect_get(c, NULL, "k", name);
    }
}

/* ---------------------------------------------------------------- options */

static void database_options_out_of_range_are_refused(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    static const struct {
        holt_options o;
        const char *words;
    } bad[] = {
        {{.memory_bytes = (8 << 20) - 1}, "memory_bytes"},
        {{.memory_bytes = 1}, "memory_bytes"},
        {{.memory_bytes = 8 << 20, .memtable_bytes = (64 << 10) - 1}, "memtable_bytes"},
        {{.memory_bytes = 8 << 20, .memtable_bytes = (2 << 20) + 1}, "memtable_bytes"},
        {{.memory_bytes = UINT64_C(16) << 30, .memtable_bytes = (UINT64_C(1) << 30) + 1}, "memtable_bytes"},
        {{.memtable_bytes = UINT64_MAX}, "memtable_bytes"},
        {{.durability = 4}, "durability"},
        {{.default_kind = 3}, "kind"},
        {{.background_threads = 65}, "background_threads"},
        {{.flags = 8}, "flags"},
        {{.flags = UINT32_MAX}, "flags"},
        {{.log_level = 5}, "log_level"},
        {{.reserved = {1}}, "reserved"},
        {{.reserved = {0, 0, 0, 0, 0, 1}}, "reserved"},
        {{.open_files_max = 15}, "open_files_max"},
        {{.open_files_max = (1 << 20) + 1}, "open_files_max"},
    };
    put(f->c, "a", "1");
    db_fixture_close(f);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        holt *db = (holt *)1;
        expect_status(HOLT_INVALID, holt_open(f->path, &bad[i].o, &db));
        expect_words(bad[i].words);
        assert_null(db);
    }
    db_fixture_open(f, 0);
    expect_get(f->c, NULL, "a", "1");
}

static void options_of_calls_out_of_range_are_refused(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    const holt_txn_options bad_txn[] = {{.flags = 8},
                                        {.flags = HOLT_TXN_BLIND | HOLT_TXN_READ_ONLY},
                                        {.flags = HOLT_TXN_BLIND, .durability = 4},
                                        {.flags = HOLT_TXN_BLIND, .reserved = {1}},
                                        {.flags = HOLT_TXN_BLIND, .label = "new\nline"}};
    const holt_cursor_options bad_cursor[] = {
        {.flags = 2}, {.reserved32 = 1}, {.reserved = {1}}, {.label = "cut \xc3"}};
    const holt_put_options bad_put[] = {
        {.flags = 8}, {.version = 1}, {.reserved32 = 1}, {.reserved = {0, 0, 0, 0, 0, 0, 1}}};
    for (size_t i = 0; i < sizeof bad_txn / sizeof *bad_txn; i++) {
        holt_txn *t = (holt_txn *)1;
        expect_status(HOLT_INVALID, holt_begin(f->db, &bad_txn[i], &t));
        assert_null(t);
    }
    for (size_t i = 0; i < sizeof bad_cursor / sizeof *bad_cursor; i++) {
        holt_cursor *c = (holt_cursor *)1;
        expect_status(HOLT_INVALID, holt_cursor_open(f->c, NULL, &bad_cursor[i], &c));
        assert_null(c);
    }
    for (size_t i = 0; i < sizeof bad_put / sizeof *bad_put; i++)
        expect_status(HOLT_INVALID, holt_put_with(f->c, NULL, holt_str("a"), holt_str("1"), &bad_put[i]));
    expect_get(f->c, NULL, "a", NULL);
}

/* ---------------------------------------------------------------- NULL handles */

static void null_databases_are_refused(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_collection *c = NULL;
    holt_txn *t = NULL;
    holt_db_stats stats;
    holt_verify_report report;
    char **names = NULL;
    size_t count = 0;
    holt *db = NULL;
    expect_status(HOLT_INVALID, holt_open(NULL, NULL, &db));
    expect_status(HOLT_INVALID, holt_open("", NULL, &db));
    expect_status(HOLT_INVALID, holt_open(f->path, NULL, NULL));
    expect_ok(holt_close(NULL));
    expect_status(HOLT_INVALID, holt_health(NULL));
    expect_words("NULL");
    expect_status(HOLT_INVALID, holt_sync(NULL));
    expect_status(HOLT_INVALID, holt_flush(NULL));
    expect_status(HOLT_INVALID, holt_collection_create(NULL, "x", NULL, &c));
    expect_status(HOLT_INVALID, holt_collection_open(NULL, "x", &c));
    expect_status(HOLT_INVALID, holt_collection_drop(NULL, "x"));
    expect_status(HOLT_INVALID, holt_collection_rename(NULL, "x", "y"));
    expect_status(HOLT_INVALID, holt_collection_list(NULL, &names, &count));
    expect_status(HOLT_INVALID, holt_begin(NULL, NULL, &t));
    expect_status(HOLT_INVALID, holt_stats(NULL, &stats, sizeof stats));
    expect_status(HOLT_INVALID, holt_verify_live(NULL, NULL, &report, sizeof report));
    expect_status(HOLT_INVALID, holt_checkpoint(NULL, "x"));

    expect_status(HOLT_INVALID, holt_collection_create(f->db, NULL, NULL, &c));
    expect_status(HOLT_INVALID, holt_collection_create(f->db, "x", NULL, NULL));
    expect_status(HOLT_INVALID, holt_collection_open(f->db, NULL, &c));
    expect_status(HOLT_INVALID, holt_collection_open(f->db, "default", NULL));
    expect_status(HOLT_INVALID, holt_collection_drop(f->db, NULL));
    expect_status(HOLT_INVALID, holt_collection_rename(f->db, NULL, "y"));
    expect_status(HOLT_INVALID, holt_collection_rename(f->db, "x", NULL));
    expect_status(HOLT_INVALID, holt_collection_list(f->db, NULL, &count));
    expect_status(HOLT_INVALID, holt_collection_list(f->db, &names, NULL));
    expect_status(HOLT_INVALID, holt_begin(f->db, NULL, NULL));
    expect_status(HOLT_INVALID, holt_stats(f->db, NULL, sizeof stats));
}

static void null_collections_are_refused(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    const holt_slice k = holt_str("a");
    holt_value v = HOLT_VALUE_INIT;
    holt_collection_info info;
    holt_cursor *cursor = NULL;
    char buffer[4];
    size_t size;
    holt_collection_close(NULL);
    assert_int_equal(holt_collection_kind(NULL), HOLT_KIND_DEFAULT);
    expect_status(HOLT_INVALID, holt_collection_clear(NULL));
    expect_status(HOLT_INVALID, holt_collection_name(NULL, buffer, sizeof buffer, &size));
    expect_status(HOLT_INVALID, holt_collection_stats(NULL, &info, sizeof info));
    expect_status(HOLT_INVALID, holt_runs(NULL, NULL, NULL));
    expect_status(HOLT_INVALID, holt_compact(NULL, no_slice(), no_slice()));
    expect_status(HOLT_INVALID, holt_put(NULL, NULL, k, k));
    expect_words("NULL");
    expect_status(HOLT_INVALID, holt_put_with(NULL, NULL, k, k, NULL));
    expect_status(HOLT_INVALID, holt_get(NULL, NULL, k, &v));
    expect_status(HOLT_INVALID, holt_get_into(NULL, NULL, k, buffer, sizeof buffer, &size));
    expect_status(HOLT_INVALID, holt_exists(NULL, NULL, k));
    expect_status(HOLT_INVALID, holt_delete(NULL, NULL, k));
    expect_status(HOLT_INVALID, holt_delete_range(NULL, NULL, k, k));
    expect_status(HOLT_INVALID, holt_cursor_open(NULL, NULL, NULL, &cursor));

    expect_status(HOLT_INVALID, holt_get(f->c, NULL, k, NULL));
    expect_status(HOLT_INVALID, holt_get_into(f->c, NULL, k, buffer, sizeof buffer, NULL));
    expect_status(HOLT_INVALID, holt_cursor_open(f->c, NULL, NULL, NULL));
    expect_status(HOLT_INVALID, holt_collection_stats(f->c, NULL, sizeof info));
    expect_status(HOLT_INVALID, holt_runs(f->c, NULL, NULL));
    expect_status(HOLT_INVALID, holt_delete_range(f->c, NULL, no_slice(), no_slice()));
}

static void null_transactions_and_cursors_are_refused(void **state)
{
    holt_verify_report report;
    uint32_t id;
    expect_status(HOLT_INVALID, holt_commit(NULL));
    holt_rollback(NULL);
    expect_status(HOLT_INVALID, holt_savepoint(NULL, &id));
    expect_status(HOLT_INVALID, holt_rollback_to(NULL, 0));
    expect_status(HOLT_INVALID, holt_release(NULL, 0));
    assert_false(holt_cursor_first(NULL));
    assert_false(holt_cursor_last(NULL));
    assert_false(holt_cursor_next(NULL));
    assert_false(holt_cursor_prev(NULL));
    assert_false(holt_cursor_seek(NULL, holt_str("a")));
    assert_false(holt_cursor_seek_last(NULL, holt_str("a")));
    assert_false(holt_cursor_valid(NULL));
    assert_null(holt_cursor_key(NULL).data);
    assert_null(holt_cursor_value(NULL).data);
    expect_status(HOLT_INVALID, holt_cursor_status(NULL));
    expect_status(HOLT_INVALID, holt_cursor_refresh(NULL));
    expect_ok(holt_cursor_close(NULL));
    holt_value_free(NULL);
    holt_free(NULL);
    expect_status(HOLT_INVALID, holt_verify(NULL, NULL, &report, sizeof report));
    holt_error_get(NULL, 0);
}

/* ---------------------------------------------------------------- places */

/* Tries to open `path`, which is not a database, and checks that nothing was created there. */
static void expect_no_database(const char *path, const char *words)
{
    holt *db = (holt *)1;
    expect_status(HOLT_INVALID, holt_open(path, NULL, &db));
    expect_words(words);
    assert_null(db);
}

static void a_path_that_is_a_file_is_refused(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    char path[TEMP_PATH_BYTES], below[TEMP_PATH_BYTES];
    size_t size;
    file_write(temp_dir_join(f->dir.path, "file", path), "precious", 8);
    expect_no_database(path, "file");
    holt *db = NULL;
    holt_status rc = holt_open(temp_dir_join(path, "below", below), NULL, &db);
    assert_true(rc == HOLT_INVALID || rc == HOLT_NOT_FOUND || rc == HOLT_IO);
    uint8_t *bytes = file_read(path, &size);
    assert_int_equal(size, 8);
    assert_memory_equal(bytes, "precious", 8);
    free(bytes);
}

/* A home directory must not become a database, nor lose a file. */
static void a_directory_that_holds_something_else_is_refused(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    char dir[TEMP_PATH_BYTES], path[TEMP_PATH_BYTES];
    temp_dir_join(f->dir.path, "home", dir);
    assert_int_equal(mkdir(dir, 0755), 0);
    file_write(temp_dir_join(dir, "letter.txt", path), "dear", 4);
    uint64_t before = directory_fingerprint(dir, NULL);
    expect_no_database(dir, "home");
    assert_true(directory_fingerprint(dir, NULL) == before);
    holt *db = NULL;
    holt_options o = {.flags = HOLT_OPEN_READ_ONLY};
    holt_status rc = holt_open(dir, &o, &db);
    assert_true(rc == HOLT_INVALID || rc == HOLT_NOT_FOUND);
    assert_true(directory_fingerprint(dir, NULL) == before);
}

static void an_empty_directory_becomes_a_database(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    char dir[TEMP_PATH_BYTES];
    holt *db = NULL;
    temp_dir_join(f->dir.path, "empty", dir);
    assert_int_equal(mkdir(dir, 0755), 0);
    expect_ok(holt_open(dir, NULL, &db));
    expect_ok(holt_close(db));
}

static void a_path_without_a_parent_is_refused(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    char dir[TEMP_PATH_BYTES];
    holt *db = NULL;
    holt_status rc = holt_open(temp_dir_join(f->dir.path, "no/such/place", dir), NULL, &db);
    assert_true(rc == HOLT_NOT_FOUND || rc == HOLT_INVALID || rc == HOLT_IO);
    expect_words("no/such");
    assert_null(db);
}

/* ---------------------------------------------------------------- rights */

static bool become_nobody(void)
{
    return getuid() != 0 || (setgid(65534) == 0 && setuid(65534) == 0);
}

static bool open_without_rights(void *ctx)
{
    holt *db = (holt *)1;
    if (!child_check(become_nobody())) return false;
    bool good = child_check(holt_open((const char *)ctx, NULL, &db) == HOLT_IO);
    good &= child_check(db == NULL);
    return good & child_check(strstr(holt_error_message(), "ermission denied") != NULL);
}

/* Root may write everywhere, so the child runs as nobody. */
static void a_directory_without_write_permission_is_refused(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    char inside[TEMP_PATH_BYTES];
    put(f->c, "a", "1");
    db_fixture_close(f);
    assert_true(directory_set_modes(f->dir.path, 0555, 0444));
    assert_true(child_run(open_without_rights, f->path)); /* an existing database */
    assert_true(child_run(open_without_rights, (void *)(uintptr_t)temp_dir_join(f->dir.path, "new", inside)));
    assert_false(file_exists(inside));
    assert_true(directory_set_modes(f->dir.path, 0755, 0644));
    db_fixture_open(f, 0);
    expect_get(f->c, NULL, "a", "1");
}

/* ---------------------------------------------------------------- formats */

/* LOCK may name its holder for a while; everything else must be unchanged. */
static void expect_unsupported_and_unchanged(db_fixture *f, const char *file)
{
    holt *db = (holt *)1;
    uint64_t before = directory_fingerprint(f->path, "LOCK");
    expect_status(HOLT_UNSUPPORTED, db_fixture_try_open(f, 0, &db));
    expect_words(file);
    expect_words("version");
    assert_null(db);
    expect_status(HOLT_UNSUPPORTED, db_fixture_try_open(f, HOLT_OPEN_READ_ONLY, &db));
    assert_true(directory_fingerprint(f->path, "LOCK") == before);
}

/* The line of CURRENT is "holt VERSION ID NAME CHECKSUM\n", the checksum 16 hex digits over all before it. */
static void set_current_version(char *line, size_t size, char version)
{
    enum { VERSION = 5, CHECKSUM_AND_NEWLINE = 17 };
    char checksum[CHECKSUM_AND_NEWLINE + 1];
    size_t before = size - CHECKSUM_AND_NEWLINE;
    line[VERSION] = version;
    snprintf(checksum, sizeof checksum, "%016llx\n", (unsigned long long)hash_bytes(line, before));
    memcpy(line + before, checksum, CHECKSUM_AND_NEWLINE);
}

static void a_newer_format_in_current_is_refused(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    char path[TEMP_PATH_BYTES];
    size_t size;
    put(f->c, "a", "1");
    db_fixture_close(f);
    char *line = (char *)file_read(temp_dir_join(f->path, "CURRENT", path), &size);
    assert_non_null(line);
    assert_memory_equal(line, "holt 1 ", 7);
    set_current_version(line, size, '2');
    file_write(path, line, size);
    expect_unsupported_and_unchanged(f, "CURRENT");
    set_current_version(line, size, '1');
    file_write(path, line, size);
    free(line);
    db_fixture_open(f, 0);
    expect_get(f->c, NULL, "a", "1");
}

/* A header's version is judged before its checksum is trusted to mean the same, but here both are in order.
 */
static void set_header_version(uint8_t *header, uint32_t version)
{
    enum { VERSION = 8, CHECKSUM = 56 };
    put_u32le(header + VERSION, version);
    put_u64le(header + CHECKSUM, hash_bytes(header, CHECKSUM));
}

static void a_newer_format_in_a_manifest_is_refused(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    char name[64], path[TEMP_PATH_BYTES];
    size_t size;
    put(f->c, "a", "1");
    db_fixture_close(f);
    assert_true(directory_find(f->path, "MANIFEST-", name, sizeof name));
    uint8_t *bytes = file_read(temp_dir_join(f->path, name, path), &size);
    assert_non_null(bytes);
    assert_memory_equal(bytes, "HOLTMAN", 8);
    set_header_version(bytes, 2);
    file_write(path, bytes, size);
    expect_unsupported_and_unchanged(f, name);
    set_header_version(bytes, 1);
    file_write(path, bytes, size);
    free(bytes);
    db_fixture_open(f, 0);
    expect_get(f->c, NULL, "a", "1");
}

#define TEST(name)       cmocka_unit_test_setup_teardown(name, db_fixture_sim, db_fixture_teardown)
#define TEST_POSIX(name) cmocka_unit_test_setup_teardown(name, db_fixture_posix, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_up_to_65535_bytes_are_kept_and_longer_ones_refused),
        TEST(no_key_longer_than_65535_bytes_is_ever_found),
        TEST(values_up_to_a_quarter_of_memory_are_kept_and_larger_ones_refused),
        TEST(a_transaction_past_its_limit_is_refused_and_stays_usable),
        TEST(empty_keys_and_values_are_allowed),
        TEST(null_with_a_size_is_refused_everywhere),
        TEST(all_bytes_are_good_in_keys_and_values),
        TEST(unknown_collections_are_named_in_the_message),
        TEST(bad_collection_names_are_refused),
        TEST(collection_options_out_of_range_are_refused),
        TEST_POSIX(database_options_out_of_range_are_refused),
        TEST(options_of_calls_out_of_range_are_refused),
        TEST_POSIX(null_databases_are_refused),
        TEST(null_collections_are_refused),
        TEST(null_transactions_and_cursors_are_refused),
        TEST_POSIX(a_path_that_is_a_file_is_refused),
        TEST_POSIX(a_directory_that_holds_something_else_is_refused),
        TEST_POSIX(an_empty_directory_becomes_a_database),
        TEST_POSIX(a_path_without_a_parent_is_refused),
        TEST_POSIX(a_directory_without_write_permission_is_refused),
        TEST_POSIX(a_newer_format_in_current_is_refused),
        TEST_POSIX(a_newer_format_in_a_manifest_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
