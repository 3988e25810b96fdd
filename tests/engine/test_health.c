/* test_health.c -- holt_health, holt_sync and holt_close report truly whether writes are accepted, and
 * whether what was acknowledged is on disk. */
#include "support/db_fixture.h"

#include "base/memory.h"
#include "os/sim/sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static holt_slice key_of(uint64_t i)
{
    static char key[32];
    snprintf(key, sizeof key, "%016llu", (unsigned long long)i);
    return holt_str(key);
}

static holt_status put_number(db_fixture *f, uint64_t i)
{
    static char value[400];
    return holt_put(f->c, NULL, key_of(i), holt_bytes(value, sizeof value));
}

static void put_numbers(db_fixture *f, uint64_t from, uint64_t to)
{
    for (; from < to; from++)
        expect_ok(put_number(f, from));
}

static void expect_file(const char *prefix)
{
    holt_error e;
    holt_error_get(&e, sizeof e);
    if (strncmp(e.file, prefix, strlen(prefix)) == 0 && strstr(e.message, e.file)) return;
    print_error("the file is \"%s\", expected %s...; message: %s\n", e.file, prefix, e.message);
    fail();
}

/* Closes the database, which must fail, and checks that the handle is freed all the same. */
static void close_failing(db_fixture *f, const char *words)
{
    holt_status rc = holt_close(f->db);
    db_fixture_forget(f);
    expect_status(HOLT_IO, rc);
    expect_words(words);
}

/* ---------------------------------------------------------------- deleted files, on the real file system */

/* Where a test that deletes the database goes on: the fixture closes what is open. */
static void expect_gone(db_fixture *f, const char *words)
{
    holt_collection *c;
    expect_status(HOLT_IO, holt_health(f->db));
    expect_words(words);
    expect_status(HOLT_IO, holt_sync(f->db));
    expect_words(words);
    expect_status(HOLT_IO, holt_put(f->c, NULL, holt_str("a"), holt_str("b")));
    expect_words(words);
    expect_status(HOLT_IO, holt_collection_create(f->db, "new", NULL, &c));
    expect_words(words);
    expect_status(HOLT_IO, holt_flush(f->db));
    expect_words(words);
    close_failing(f, words);
    assert_false(file_exists(f->path));
}

static void remove_directory(db_fixture *f)
{
    temp_dir d;
    assert_true(strlen(f->path) < sizeof d.path);
    for (int tries = 0; tries < 1000 && file_exists(f->path); tries++) {
        memcpy(d.path, f->path, strlen(f->path) + 1);
        temp_dir_remove(&d); /* a job may just make a file in it */
        usleep(1000);
    }
    assert_false(file_exists(f->path));
}

/* Writing and syncing files that no longer have a name works: nothing fails until the next file is needed. */
static void a_removed_directory_is_detected(void **state)
{
    db_fixture *f = *state;
    put_numbers(f, 0, 20);
    expect_ok(holt_health(f->db));
    expect_ok(holt_sync(f->db));
    remove_directory(f);
    expect_gone(f, "the directory was removed");
    db_fixture_open(f, 0);
}

/* The same without a call of holt_health: creations and closing check it themselves. */
static void a_removed_directory_is_detected_by_each_call(void **state)
{
    db_fixture *f = *state;
    for (int what = 0; what < 4; what++) {
        holt_collection *c;
        put_numbers(f, 0, 5);
        remove_directory(f);
        if (what == 0) expect_status(HOLT_IO, holt_sync(f->db));
        if (what == 1) expect_status(HOLT_IO, holt_collection_create(f->db, "new", NULL, &c));
        if (what == 2) expect_status(HOLT_IO, holt_flush(f->db));
        if (what < 3) expect_words("the directory was removed");
        close_failing(f, "the directory was removed");
        db_fixture_open(f, 0);
    }
}

/* And when a program only puts: the first put that needs a new file returns the reason. */
static void puts_detect_that_the_directory_was_removed(void **state)
{
    db_fixture *f = *state;
    holt_status rc = HOLT_OK;
    remove_directory(f);
    for (uint64_t i = 0; i < 20000 && rc == HOLT_OK; i++)
        rc = put_number(f, i);
    expect_status(HOLT_IO, rc);
    expect_words("the directory was removed");
    expect_gone(f, "the directory was removed");
    db_fixture_open(f, 0);
}

/* One missing file of the log is enough. */
static void a_deleted_segment_is_detected(void **state)
{
    db_fixture *f = *state;
    for (int what = 0; what < 3; what++) {
        char name[80], path[TEMP_PATH_BYTES];
        put_numbers(f, 0, 20);
        expect_ok(holt_sync(f->db));
        expect_ok(holt_health(f->db));
        for (int i = 0; i < 3 && directory_find(f->path, "wal-", name, sizeof name); i++)
            assert_int_equal(unlink(temp_dir_join(f->path, name, path)), 0);
        if (what == 0) expect_status(HOLT_IO, holt_sync(f->db));
        if (what == 1) expect_status(HOLT_IO, holt_health(f->db));
        if (what < 2) expect_file("wal-");
        close_failing(f, "was deleted or replaced");
        expect_file("wal-");
        remove_directory(f);
        db_fixture_open(f, 0);
    }
}

/* Without these files the next open fails, whatever was synced. */
static void a_deleted_manifest_is_detected(void **state)
{
    db_fixture *f = *state;
    for (int what = 0; what < 2; what++) {
        char name[80] = "CURRENT", path[TEMP_PATH_BYTES];
        if (what) assert_true(directory_find(f->path, "MANIFEST-", name, sizeof name));
        put_numbers(f, 0, 20);
        expect_ok(holt_health(f->db));
        assert_int_equal(unlink(temp_dir_join(f->path, name, path)), 0);
        expect_status(HOLT_IO, holt_health(f->db));
        expect_file(name);
        expect_status(HOLT_IO, holt_sync(f->db));
        close_failing(f, "was deleted");
        expect_file(name);
        remove_directory(f);
        db_fixture_open(f, 0);
    }
}

/* Deleting a "stale" LOCK by hand lets a second process in. What is synced is synced, though. */
static void a_deleted_lock_is_detected(void **state)
{
    db_fixture *f = *state;
    char path[TEMP_PATH_BYTES];
    put_numbers(f, 0, 20);
    expect_ok(holt_health(f->db));
    assert_int_equal(unlink(temp_dir_join(f->path, "LOCK", path)), 0);
    expect_status(HOLT_IO, holt_health(f->db));
    expect_file("LOCK");
    file_write(path, "", 0);
    expect_status(HOLT_IO, holt_health(f->db));
    expect_file("LOCK");
    expect_ok(holt_sync(f->db));
    db_fixture_reopen(f);
    expect_ok(holt_health(f->db));
    expect_ok(holt_exists(f->c, NULL, key_of(19)));
}

/* A directory that is moved takes its files along, and may be used on. If another directory takes its place,
 * the next open there finds that one. */
static void a_moved_directory_is_good_and_a_replaced_one_is_not(void **state)
{
    db_fixture *f = *state;
    char moved[TEMP_PATH_BYTES];
    put_numbers(f, 0, 20);
    assert_int_equal(rename(f->path, temp_dir_join(f->dir.path, "moved", moved)), 0);
    expect_ok(holt_health(f->db));
    expect_ok(holt_sync(f->db));
    assert_int_equal(mkdir(f->path, 0777), 0);
    expect_status(HOLT_IO, holt_health(f->db));
    expect_words("another is in its place");
    expect_status(HOLT_IO, holt_sync(f->db));
    put_numbers(f, 20, 30);
    close_failing(f, "another is in its place");
    assert_int_equal(rmdir(f->path), 0);
    assert_int_equal(rename(moved, f->path), 0);
    db_fixture_open(f, 0);
    expect_ok(holt_exists(f->c, NULL, key_of(29)));
}

/* A relative path means something else after chdir. */
static void a_relative_path_is_looked_up_once(void **state)
{
    db_fixture *f = *state;
    char *before = getcwd(NULL, 0);
    holt *db;
    assert_int_equal(chdir(f->dir.path), 0);
    expect_ok(holt_open("relative", NULL, &db));
    assert_int_equal(chdir("relative"), 0);
    assert_int_equal(mkdir("relative", 0777), 0);
    expect_ok(holt_health(db));
    expect_ok(holt_sync(db));
    expect_ok(holt_close(db));
    assert_int_equal(chdir(before), 0);
    free(before);
}

/* ---------------------------------------------------------------- what fails: sim */

/* The kernel mounts a file system read-only when its disk fails: commits would find out, but health is asked
 * first. */
static void a_file_system_that_became_read_only_is_detected(void **state)
{
    db_fixture *f = *state;
    holt_collection *c;
    put_numbers(f, 0, 20);
    sim_set_read_only(f->os, true);
    expect_status(HOLT_IO, holt_health(f->db));
    expect_words("read-only");
    expect_status(HOLT_IO, put_number(f, 20));
    expect_words("read-only");
    expect_status(HOLT_IO, holt_collection_create(f->db, "new", NULL, &c));
    expect_status(HOLT_IO, holt_sync(f->db));
    close_failing(f, "read-only");
    sim_set_read_only(f->os, false);
    db_fixture_open(f, 0);
    expect_ok(holt_health(f->db));
    expect_ok(holt_exists(f->c, NULL, key_of(19)));
    expect_status(HOLT_NOT_FOUND, holt_exists(f->c, NULL, key_of(20)));
}

/* On a full disk puts are refused and deletes are not: holt_health must not return HOLT_OK then. */
static void a_full_disk_is_reported_until_there_is_room(void **state)
{
    db_fixture *f = *state;
    uint64_t i = 0;
    holt_status rc;
    sim_set_disk_bytes_max(f->os, 6 << 20);
    while ((rc = put_number(f, i)) == HOLT_OK && i < 100000)
        i++;
    expect_status(HOLT_NO_SPACE, rc);
    expect_status(HOLT_NO_SPACE, holt_health(f->db));
    for (uint64_t j = 0; j < 200; j++) { /* which takes BALLAST */
        expect_ok(holt_delete(f->c, NULL, key_of(j)));
        rc = put_number(f, i);
        assert_true(rc == HOLT_OK || (rc == HOLT_NO_SPACE && holt_health(f->db) == HOLT_NO_SPACE));
    }
    expect_ok(holt_sync(f->db));
    sim_set_disk_bytes_max(f->os, 64 << 20);
    sim_run_until_idle(f->os);
    sim_run_until_idle(f->os);
    expect_ok(holt_health(f->db));
    expect_ok(put_number(f, i));
    db_fixture_reopen(f);
    expect_ok(holt_exists(f->c, NULL, key_of(i)));
}

/* Without descriptors no file can be created: writes go on until the log's segment is full, and then all are
 * refused, though the log has not failed. When there are descriptors again, puts work, and holt_health says
 * so first. */
static void a_missing_segment_is_reported_until_there_is_one(void **state)
{
    db_fixture *f = *state;
    uint64_t i = 0;
    holt_status rc;
    sim_fail(f->os, SIM_OPEN, 1, EMFILE, true);
    while ((rc = put_number(f, i)) == HOLT_OK && i < 100000)
        i++;
    assert_true(rc != HOLT_OK && i > 0);
    holt_status health = holt_health(f->db);
    assert_true(health != HOLT_OK);
    holt_error e;
    holt_error_get(&e, sizeof e);
    assert_int_equal(e.os_errno, EMFILE);
    expect_ok(holt_sync(f->db));
    sim_fail(f->os, SIM_OPEN, 0, 0, false);
    sim_run_until_idle(f->os);
    expect_ok(holt_health(f->db));
    expect_ok(put_number(f, i));
    db_fixture_reopen(f);
    expect_ok(holt_exists(f->c, NULL, key_of(i)));
}

/* A flush fails in the background; the next call returns what failed there, and where: status, file, offset
 * and errno, not the message alone. */
static void a_failed_flush_is_reported_with_its_file(void **state)
{
    db_fixture *f = *state;
    holt_error reported, healthy;
    put_numbers(f, 0, 20);
    expect_ok(holt_sync(f->db));
    sim_fail(f->os, SIM_OPEN, 1, EIO, true);
    expect_status(HOLT_IO, holt_flush(f->db));
    expect_file("");
    holt_error_get(&reported, sizeof reported);
    assert_int_equal(reported.status, HOLT_IO);
    assert_int_equal(reported.os_errno, EIO);
    expect_status(HOLT_INVALID, holt_put(NULL, NULL, key_of(0), key_of(0))); /* another message */
    expect_status(HOLT_IO, holt_health(f->db));
    holt_error_get(&healthy, sizeof healthy);
    assert_int_equal(healthy.os_errno, EIO);
    assert_true(healthy.file[0] && strstr(healthy.message, healthy.file));
    sim_fail(f->os, SIM_OPEN, 0, 0, false);
    sim_run_until_idle(f->os);
    expect_ok(holt_flush(f->db));
    expect_ok(holt_health(f->db));
}

static void flip_a_byte_of_the_run(db_fixture *f, uint64_t offset, char name[80])
{
    os_dir *d;
    void *bytes;
    size_t size;
    bool exists = false;
    uint64_t unused;
    char path[TEMP_PATH_BYTES + 100];
    expect_ok(os_dir_open(f->os, f->path, &d));
    for (int i = 1; i < 100 && !exists; i++) {
        snprintf(name, 80, "run-%06d.sst", i);
        expect_ok(os_dir_stat(d, name, &exists, &unused));
    }
    os_dir_close(d);
    assert_true(exists);
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    expect_ok(sim_peek(f->os, path, &bytes, &size));
    ((char *)bytes)[offset] ^= 1;
    expect_ok(sim_poke(f->os, path, bytes, size));
    mem_free(bytes);
}

/* A background merge finds damage: holt_health says where. */
static void damage_found_by_a_merge_is_reported_with_its_place(void **state)
{
    db_fixture *f = *state;
    holt_error e;
    char name[80];
    put_numbers(f, 0, 100);
    expect_ok(holt_flush(f->db));
    db_fixture_close(f);
    flip_a_byte_of_the_run(f, 9000, name);
    db_fixture_open(f, 0);
    for (int i = 0; i < 12; i++) {
        put_numbers(f, 0, 100);
        expect_ok(holt_flush(f->db));
        sim_run_until_idle(f->os);
    }
    expect_status(HOLT_INVALID, holt_put(NULL, NULL, key_of(0), key_of(0))); /* another message */
    expect_status(HOLT_CORRUPT, holt_health(f->db));
    holt_error_get(&e, sizeof e);
    assert_int_equal(e.status, HOLT_CORRUPT);
    assert_string_equal(e.file, name);
    assert_true(e.offset <= 9000 && e.offset + (64 << 10) > 9000);
    assert_int_equal(e.os_errno, 0);
}

/* After a failed sync of the log it is unknown what is on disk: sync and close say of which operations, even
 * when they are not the call that met the failure. */
static void a_failed_log_names_what_may_be_lost(void **state)
{
    db_fixture *f = *state;
    holt_txn *t;
    holt_txn_options o = {.flags = HOLT_TXN_BLIND, .durability = HOLT_PROCESS};
    holt_db_stats stats;
    char words[80];
    put_numbers(f, 0, 20);
    expect_ok(holt_stats(f->db, &stats, sizeof stats));
    uint64_t synced = stats.durable_seqno;
    expect_ok(holt_begin(f->db, &o, &t));
    put_in(f->c, t, "a", "1");
    put_in(f->c, t, "b", "2");
    expect_ok(holt_commit(t));
    holt_rollback(t);
    snprintf(words, sizeof words, "operations %llu to %llu may not be on disk",
             (unsigned long long)synced + 1, (unsigned long long)synced + 2);
    sim_fail(f->os, SIM_SYNC, 1, EIO, true);
    expect_status(HOLT_IO, put_number(f, 20));
    expect_status(HOLT_IO, holt_health(f->db));
    expect_file("wal-");
    sim_fail(f->os, SIM_SYNC, 0, 0, false);
    expect_status(HOLT_IO, holt_health(f->db));
    expect_status(HOLT_IO, holt_sync(f->db));
    expect_words(words);
    expect_file("wal-");
    close_failing(f, words);
    db_fixture_open(f, 0);
}

static void write_without_sync(db_fixture *f, const char *key)
{
    holt_txn *t;
    holt_txn_options o = {.flags = HOLT_TXN_BLIND, .durability = HOLT_PROCESS};
    expect_ok(holt_begin(f->db, &o, &t));
    put_in(f->c, t, key, "1");
    expect_ok(holt_commit(t));
    holt_rollback(t);
}

/* The log's closing frame cannot be written, but the commits can be synced: close does that, and says so. */
static void a_close_that_cannot_finish_the_log_syncs_it(void **state)
{
    db_fixture *f = *state;
    int ended = 0;
    for (uint64_t n = 1;; n++) {
        write_without_sync(f, "a");
        sim_fail(f->os, SIM_WRITE, n, EIO, false);
        holt_status rc = holt_close(f->db);
        db_fixture_forget(f);
        bool hit = sim_fault_hit(f->os),
             all = rc != HOLT_OK && strstr(holt_error_message(), "all commits are in the log");
        sim_fail(f->os, SIM_WRITE, 0, 0, false);
        assert_true(rc == HOLT_OK || rc == HOLT_IO);
        if (all) {
            sim_cut cut = {.files = SIM_KEEP_NONE, .entries = SIM_KEEP_NONE, .tear_bytes = 512};
            sim_power_cut(f->os, &cut, n);
        }
        db_fixture_open(f, 0);
        if (all) expect_get(f->c, NULL, "a", "1");
        ended += all;
        if (!hit) break;
        assert_true(n < 50);
    }
    assert_true(ended > 0);
}

/* Neither the record of a creation nor a whole new manifest can be written: puts do not fail for it until
 * nothing can be flushed any more. */
static void a_lost_manifest_is_reported(void **state)
{
    db_fixture *f = *state;
    holt_collection *c;
    put_numbers(f, 0, 20); /* synced: the creation syncs the manifest only */
    sim_fail(f->os, SIM_SYNC, 1, EIO, true);
    expect_status(HOLT_IO, holt_collection_create(f->db, "new", NULL, &c));
    expect_words("manifest");
    expect_status(HOLT_IO, holt_health(f->db));
    expect_words("manifest");
    expect_file("MANIFEST-");
    sim_fail(f->os, SIM_SYNC, 0, 0, false);
}

/* ---------------------------------------------------------------- whatever fails */

static const struct {
    sim_call kind;
    int os_errno;
} faults[] = {{SIM_OPEN, EMFILE},  {SIM_OPEN, EIO},   {SIM_WRITE, EIO},       {SIM_WRITE, ENOSPC},
              {SIM_SYNC, EIO},     {SIM_RENAME, EIO}, {SIM_ALLOCATE, ENOSPC}, {SIM_ALLOCATE, EIO},
              {SIM_DIR_SYNC, EIO}, {SIM_UNLINK, EIO}, {SIM_TRUNCATE, EIO},    {SIM_LIST, EIO},
              {SIM_MAP, EIO},      {SIM_READ, EIO}};

/* Whether the put was accepted. */
static bool expect_truth(db_fixture *f, uint64_t i, size_t fault, const char *when)
{
    holt_status rc = put_number(f, i);
    if (rc == HOLT_OK) return true;
    char words[300];
    snprintf(words, sizeof words, "%s", holt_error_message());
    if (holt_health(f->db) != HOLT_OK) return false;
    print_error("fault %zu, %s: a put returned %s (%s), but health is HOLT_OK\n", fault, when,
                holt_status_name(rc), words);
    fail();
    return false;
}

/* Runs until puts have been refused for a while, from the n-th call of the kind on. */
static void live_with_fault(size_t fault, uint64_t n)
{
    void *one = NULL;
    db_fixture_sim(&one);
    db_fixture *f = one;
    sim_fail(f->os, faults[fault].kind, n, faults[fault].os_errno, true);
    for (uint64_t i = 0, refused = 0; i < 1500 && refused < 20; i++)
        refused += !expect_truth(f, i, fault, "while it fails");
    sim_fail(f->os, faults[fault].kind, 0, 0, false);
    for (uint64_t i = 0; i < 10; i++)
        (void)expect_truth(f, i, fault, "when it has ended");
    sim_run_until_idle(f->os);
    holt_status health = holt_health(f->db);
    if (health == HOLT_OK) expect_ok(put_number(f, 0));
    holt_status closed = holt_close(f->db);
    db_fixture_forget(f);
    if (health == HOLT_OK) expect_ok(closed);
    db_fixture_open(f, 0);
    expect_ok(holt_health(f->db));
    db_fixture_teardown(&one);
}

/* A program that calls holt_health to decide whether to go on must never get HOLT_OK while its puts are
 * refused: whichever call fails, from whichever on, and also when it has stopped failing. */
static void health_is_never_ok_while_puts_are_refused(void **state)
{
    (void)state;
    for (size_t fault = 0; fault < sizeof faults / sizeof faults[0]; fault++)
        for (uint64_t n = 1; n <= 24; n += faults[fault].kind == SIM_OPEN ? 1 : 4)
            live_with_fault(fault, n);
}

#define SIM(name)   cmocka_unit_test_setup_teardown(name, db_fixture_sim, db_fixture_teardown)
#define POSIX(name) cmocka_unit_test_setup_teardown(name, db_fixture_posix, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        POSIX(a_removed_directory_is_detected),
        POSIX(a_removed_directory_is_detected_by_each_call),
        POSIX(puts_detect_that_the_directory_was_removed),
        POSIX(a_deleted_segment_is_detected),
        POSIX(a_deleted_manifest_is_detected),
        POSIX(a_deleted_lock_is_detected),
        POSIX(a_moved_directory_is_good_and_a_replaced_one_is_not),
        POSIX(a_relative_path_is_looked_up_once),
        SIM(a_file_system_that_became_read_only_is_detected),
        SIM(a_full_disk_is_reported_until_there_is_room),
        SIM(a_missing_segment_is_reported_until_there_is_one),
        SIM(a_failed_flush_is_reported_with_its_file),
        SIM(damage_found_by_a_merge_is_reported_with_its_place),
        SIM(a_failed_log_names_what_may_be_lost),
        SIM(a_close_that_cannot_finish_the_log_syncs_it),
        SIM(a_lost_manifest_is_reported),
        cmocka_unit_test(health_is_never_ok_while_puts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
