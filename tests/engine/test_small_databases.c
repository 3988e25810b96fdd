/* test_small_databases.c -- hundreds of small databases, open in one process: the descriptors, threads and
 * disk space of each. */
#include "support/expect.h"
#include "support/resources.h"
#include "support/temp_dir.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum { DATABASES = 300, DESCRIPTORS = 1024, DISK_BYTES = 512 << 10 };

typedef struct small_databases {
    temp_dir dir;
    uint32_t kind;
    holt *db[DATABASES];
} small_databases;

static void open_one(small_databases *small, size_t i)
{
    char name[32], path[TEMP_PATH_BYTES];
    holt_options o = {.memory_bytes = 8 << 20, .default_kind = small->kind};
    snprintf(name, sizeof name, "db-%zu", i);
    temp_dir_join(small->dir.path, name, path);
    expect_ok(holt_open(path, &o, &small->db[i]));
}

static holt_slice key_of(size_t i, char buffer[32])
{
    snprintf(buffer, 32, "key-%zu", i);
    return holt_str(buffer);
}

static bool put_one(small_databases *small, size_t i, bool flush)
{
    char key[32];
    holt_collection *c = NULL;
    expect_ok(holt_collection_open(small->db[i], "default", &c));
    expect_ok(holt_put(c, NULL, key_of(i, key), holt_str("value")));
    if (flush) expect_ok(holt_flush(small->db[i]));
    holt_collection_close(c);
    return true;
}

static void get_one(small_databases *small, size_t i)
{
    char key[32];
    holt_value v = HOLT_VALUE_INIT;
    holt_collection *c = NULL;
    expect_ok(holt_collection_open(small->db[i], "default", &c));
    expect_ok(holt_get(c, NULL, key_of(i, key), &v));
    assert_int_equal(v.size, strlen("value"));
    holt_value_free(&v);
    holt_collection_close(c);
}

/* Only ours, by their names: a sanitizer has one too. */
static size_t count_threads(bool print)
{
    size_t count = 0;
    char path[300], name[16];
    DIR *d = opendir("/proc/self/task");
    assert_non_null(d);
    for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", e->d_name);
        FILE *f = fopen(path, "re");
        const bool ours = f && fgets(name, sizeof name, f) && strncmp(name, "holt-", 5) == 0;
        if (ours && print) print_message("%s", name);
        count += ours;
        if (f) fclose(f);
    }
    closedir(d);
    return count;
}

static size_t threads(void)
{
    return count_threads(false);
}

/* Threads end a second after their last work. The first of them may still be to come, so they must be gone
 * for two seconds. */
static void expect_threads(size_t max)
{
    enum { LOOKS = 1800, LOOKS_AT_REST = 20 };
    int at_rest = 0;
    for (int looks = 0; looks < LOOKS && at_rest < LOOKS_AT_REST; looks++) {
        usleep(100000);
        at_rest = threads() <= max ? at_rest + 1 : 0;
    }
    if (at_rest < LOOKS_AT_REST) fail_msg("%zu threads", count_threads(true));
}

static void close_all(small_databases *small)
{
    for (size_t i = 0; i < DATABASES; i++)
        expect_ok(holt_close(small->db[i]));
}

static void small_databases_init(small_databases *small, uint32_t kind)
{
    struct rlimit limit;
    memset(small, 0, sizeof *small);
    small->kind = kind;
    temp_dir_create(&small->dir);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max < DESCRIPTORS) skip();
    limit.rlim_cur = DESCRIPTORS;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* At three descriptors each they fit under the usual limit of a process; with four they would not. */
static void live(uint32_t kind)
{
    static small_databases small;
    small_databases_init(&small, kind);
    for (size_t i = 0; i < DATABASES; i++)
        open_one(&small, i);
    for (size_t i = 0; i < DATABASES; i++)
        put_one(&small, i, false);
    expect_threads(1); /* the one that starts the others */
    for (size_t i = 0; i < DATABASES; i++)
        put_one(&small, i, true);
    for (size_t i = 0; i < DATABASES; i++)
        get_one(&small, i);
    close_all(&small);
    assert_int_equal(threads(), 0);
    for (size_t i = 0; i < DATABASES; i++)
        open_one(&small, i);
    for (size_t i = 0; i < DATABASES; i++)
        get_one(&small, i);
    close_all(&small);
    temp_dir_remove(&small.dir);
}

static void three_hundred_lsm_databases_fit_into_1024_descriptors(void **state)
{
    live(HOLT_LSM);
}

static void three_hundred_btree_databases_fit_into_1024_descriptors(void **state)
{
    live(HOLT_BTREE);
}

/* Nothing wakes a job of an empty database, so it never has a thread. */
static void empty_databases_have_no_threads(void **state)
{
    static small_databases small;
    small_databases_init(&small, HOLT_LSM);
    for (size_t i = 0; i < DATABASES; i++) {
        open_one(&small, i);
        if (threads() > 1) fail_msg("%zu threads with %zu empty databases", threads(), i + 1);
    }
    close_all(&small);
    temp_dir_remove(&small.dir);
}

static void expect_small(small_databases *small, const char *when)
{
    char path[TEMP_PATH_BYTES];
    temp_dir_join(small->dir.path, "db-0", path);
    uint64_t bytes = directory_bytes(path);
    print_message("%s: %llu bytes\n", when, (unsigned long long)bytes);
    if (bytes > DISK_BYTES) fail_msg("%s: %llu bytes", when, (unsigned long long)bytes);
}

/* The space kept ready for future writes is a hundred times what a small database holds. */
static void a_small_database_takes_little_space(void **state)
{
    for (uint32_t kind = HOLT_LSM; kind <= HOLT_BTREE; kind++) {
        static small_databases small;
        small_databases_init(&small, kind);
        open_one(&small, 0);
        expect_small(&small, "empty");
        put_one(&small, 0, false);
        expect_threads(1);
        expect_small(&small, "with an entry");
        expect_ok(holt_close(small.db[0]));
        expect_small(&small, "closed");
        open_one(&small, 0);
        expect_threads(1);
        expect_small(&small, "opened again");
        get_one(&small, 0);
        expect_ok(holt_close(small.db[0]));
        temp_dir_remove(&small.dir);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_databases_have_no_threads),
        cmocka_unit_test(a_small_database_takes_little_space),
        cmocka_unit_test(three_hundred_lsm_databases_fit_into_1024_descriptors),
        cmocka_unit_test(three_hundred_btree_databases_fit_into_1024_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
