/* test_disk_full.c -- a disk that fills up, gets room again, and is used on.
 *
 * The same sequence runs on a tmpfs of 64 MiB (where this process may mount one), and on sim with disks of
 * many sizes: puts until the disk is full; then everything acknowledged can be read, in every way; room is
 * made in one of several ways; writing works again by itself, without reopening; and what is there at the end
 * is still there, and sound, after a reopen.
 *
 * Entry i goes to the collection "kept" if i is a multiple of 8, else to "ballast". They are of one kind or
 * of both. HOLT_SEED chooses the sizes of sim's disks.
 */
#include "base/random.h"
#include "db/open/open.h"
#include "db/verify/verify.h"
#include "os/sim/sim.h"
#include "support/child.h"
#include "support/db_fixture.h"
#include "support/histories/history.h"
#include "support/must.h"
#include "support/seed.h"

#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

enum { VALUE_BYTES_MAX = 4096, KEPT_EACH = 8, RESUMED = 300, TRIES = 200 };

typedef enum making_room {
    ROOM_DROP,
    ROOM_CLEAR,
    ROOM_GROW,
    ROOM_DELETE,
    ROOM_REOPEN_DELETE,
    ROOM_DELETE_MOST,
    ROOM_WAYS
} making_room;

static const char *const way_names[ROOM_WAYS] = {"drop",       "clear", "grow", "delete", "reopen and delete",
                                                 "delete most"};

typedef struct story {
    os *os;
    bool simulated;
    char path[TEMP_PATH_BYTES];
    holt_options options;
    uint32_t kind, kept_kind; /* of "ballast", made first, and of "kept" */
    uint32_t durability;      /* of the puts */
    making_room way;
    holt *db;
    holt_collection *kept, *ballast;
    uint64_t count; /* entries 0..count-1 were acknowledged */
    uint64_t resumed_from;
    uint64_t gone_upto; /* entries of the ballast before this one are gone */
} story;

/* ---------------------------------------------------------------- entries */

static holt_slice key_of(uint64_t i, char buffer[32])
{
    snprintf(buffer, 32, "%012llu", (unsigned long long)(i * 7919 % 1000003));
    return holt_str(buffer);
}

static holt_slice value_of(uint64_t i, uint8_t buffer[VALUE_BYTES_MAX])
{
    rng r;
    rng_seed(&r, i);
    size_t size = 1 + (size_t)rng_below(&r, VALUE_BYTES_MAX);
    rng_fill(&r, buffer, size);
    return holt_bytes(buffer, size);
}

static bool is_kept(uint64_t i)
{
    return i % KEPT_EACH == 0;
}

static holt_status put_entry(story *s, uint64_t i)
{
    char key[32];
    uint8_t value[VALUE_BYTES_MAX];
    holt_txn_options o = {.flags = HOLT_TXN_BLIND, .durability = s->durability};
    holt_txn *t = NULL;
    holt_status rc = holt_begin(s->db, &o, &t);
    if (rc == HOLT_OK)
        rc = holt_put(is_kept(i) ? s->kept : s->ballast, t, key_of(i, key), value_of(i, value));
    if (rc == HOLT_OK) rc = holt_commit(t);
    holt_rollback(t);
    return rc;
}

static void check_entry(story *s, uint64_t i, bool there)
{
    char key[32];
    uint8_t value[VALUE_BYTES_MAX];
    holt_value v = HOLT_VALUE_INIT;
    holt_slice expected = value_of(i, value);
    holt_status rc = holt_get(is_kept(i) ? s->kept : s->ballast, NULL, key_of(i, key), &v);
    bool same = there ? rc == HOLT_OK && v.size == expected.size && memcmp(v.data, expected.data, v.size) == 0
                      : rc == HOLT_NOT_FOUND;
    if (!same)
        fail_msg("entry %llu of %llu: %s (%s)", (unsigned long long)i, (unsigned long long)s->count,
                 holt_status_name(rc), rc == HOLT_NOT_FOUND ? "" : holt_error_message());
    holt_value_free(&v);
}

static uint64_t scan(holt_collection *c, bool forward)
{
    uint64_t count = 0;
    holt_cursor *cursor = open_cursor(c, NULL);
    bool on = forward ? holt_cursor_first(cursor) : holt_cursor_last(cursor);
    for (; on; on = forward ? holt_cursor_next(cursor) : holt_cursor_prev(cursor))
        count++;
    expect_ok(holt_cursor_close(cursor));
    return count;
}

/* What must be there, by gets and by scans. */
static void check_all(story *s)
{
    uint64_t kept = 0, ballast = 0;
    for (uint64_t i = 0; i < s->count; i++) {
        bool there = is_kept(i) || i >= s->gone_upto;
        kept += is_kept(i);
        ballast += !is_kept(i) && there;
        check_entry(s, i, there);
    }
    assert_int_equal(scan(s->kept, true), kept);
    assert_int_equal(scan(s->kept, false), kept);
    assert_int_equal(scan(s->ballast, true), ballast);
    assert_int_equal(scan(s->ballast, false), ballast);
}

/* ---------------------------------------------------------------- the story */

static holt_status story_open(story *s)
{
    holt_collection_options ballast = {.kind = s->kind, .flags = HOLT_CREATE_OR_OPEN};
    holt_collection_options kept = {.kind = s->kept_kind, .flags = HOLT_CREATE_OR_OPEN};
    holt_status rc = holt_open_on(s->os, s->path, &s->options, &s->db);
    if (rc == HOLT_OK) rc = holt_collection_create(s->db, "ballast", &ballast, &s->ballast);
    if (rc == HOLT_OK) rc = holt_collection_create(s->db, "kept", &kept, &s->kept);
    return rc;
}

/* HOLT_BUSY: the disk is behind. */
static holt_status put_patiently(story *s, uint64_t i)
{
    holt_status rc = put_entry(s, i);
    while (rc == HOLT_BUSY)
        rc = put_entry(s, i);
    return rc;
}

/* The error names a file, and what was refused is not there. */
static void fill(story *s)
{
    holt_status rc = HOLT_OK;
    holt_error error;
    while (rc == HOLT_OK) {
        rc = put_patiently(s, s->count);
        if (rc == HOLT_OK) s->count++;
    }
    holt_error_get(&error, sizeof error);
    expect_status(HOLT_NO_SPACE, rc);
    if (!error.file[0]) fail_msg("no file is named: %s", error.message);
    expect_words(error.file);
    check_entry(s, s->count, false);
}

/* Until the call succeeds; a little time passes in between. */
static void try_until_ok(story *s, holt_status (*call)(story *s, uint64_t i), uint64_t i, const char *what)
{
    holt_status rc = call(s, i);
    for (int tries = 0; tries < TRIES && (rc == HOLT_NO_SPACE || rc == HOLT_BUSY); tries++) {
        if (s->simulated)
            sim_run_until_idle(s->os);
        else
            usleep(50000);
        rc = call(s, i);
    }
    if (rc != HOLT_OK)
        fail_msg("%s %llu: %s: %s", what, (unsigned long long)i, holt_status_name(rc), holt_error_message());
}

static holt_status drop_ballast(story *s, uint64_t i)
{
    return holt_collection_drop(s->db, "ballast");
}

static holt_status create_ballast(story *s, uint64_t i)
{
    holt_collection_options o = {.kind = s->kind};
    return holt_collection_create(s->db, "ballast", &o, &s->ballast);
}

static holt_status clear_ballast(story *s, uint64_t i)
{
    return holt_collection_clear(s->ballast);
}

static holt_status delete_entry(story *s, uint64_t i)
{
    char key[32];
    return holt_delete(s->ballast, NULL, key_of(i, key));
}

static holt_status health(story *s, uint64_t i)
{
    return holt_health(s->db);
}

static void make_room(story *s)
{
    switch (s->way) {
    case ROOM_DROP:
        try_until_ok(s, drop_ballast, 0, "drop");
        holt_collection_close(s->ballast);
        try_until_ok(s, create_ballast, 0, "create");
        break;
    case ROOM_CLEAR:
        try_until_ok(s, clear_ballast, 0, "clear");
        break;
    case ROOM_REOPEN_DELETE:
        expect_ok(holt_close(s->db));
        expect_ok(story_open(s));
        /* fall through */
    case ROOM_DELETE:
        for (uint64_t i = 0; i < s->count; i++)
            try_until_ok(s, delete_entry, i, "delete");
        break;
    case ROOM_DELETE_MOST:
        s->gone_upto = s->count / 4 * 3;
        for (uint64_t i = 0; i < s->gone_upto; i++)
            try_until_ok(s, delete_entry, i, "delete");
        return; /* nothing else flushes the last ones */
    default:
        return; /* the disk has grown; nothing is deleted */
    }
    s->gone_upto = s->count;
}

static void live(story *s)
{
    holt_verify_report report;
    expect_ok(story_open(s));
    fill(s);
    check_all(s);
    if (s->way == ROOM_GROW) sim_set_disk_bytes_max(s->os, 0);
    make_room(s);
    s->resumed_from = s->count;
    for (int i = 0; i < RESUMED; i++, s->count++)
        try_until_ok(s, put_entry, s->count, "put");
    try_until_ok(s, health, 0, "health"); /* what failed in the background is soon tried again */
    check_all(s);
    expect_ok(holt_close(s->db));
    expect_ok(holt_verify_on(s->os, s->path, NULL, &report, sizeof report));
    expect_ok(story_open(s));
    check_all(s);
    expect_ok(holt_close(s->db));
}

/* ---------------------------------------------------------------- sim */

static void live_on_sim(uint32_t kind, making_room way, uint64_t disk_bytes, uint64_t seed)
{
    sim_options machine = {.seed = seed, .disk_bytes_max = disk_bytes};
    story s = {.os = sim_create(&machine), .simulated = true, .path = "/db", .kind = kind, .way = way};
    s.kept_kind = HOLT_LSM + (uint32_t)(seed / 3 % 2); /* independent of the durability */
    holt_options o = {.memory_bytes = 8 << 20, .memtable_bytes = 64 << 10};
    s.options = o;
    s.durability = 1 + (uint32_t)(seed % 3);
    live(&s);
    sim_destroy(s.os);
}

/* Where the disk fills up decides what fails: a segment, a run, a page, the output of a merge, the manifest.
 * So there are many odd sizes, and each is combined with another way of making room. */
static void a_full_disk_loses_nothing_and_is_usable_again(void **state)
{
    rng r;
    uint64_t seed = test_seed();
    uint64_t sizes = environment_number("HOLT_DISKS", 4);
    rng_seed(&r, seed);
    for (uint64_t i = 0; i < sizes; i++)
        for (making_room way = 0; way < ROOM_WAYS; way++) {
            uint64_t bytes = (5 << 20) + rng_below(&r, 6 << 20);
            uint32_t kind = HOLT_LSM + (uint32_t)((i + way) % 2);
            /* In an LSM collection, what is left would have to fit next to what was there. */
            if (way == ROOM_DELETE_MOST) kind = HOLT_BTREE;
            print_message("%s, %s, %llu bytes\n", kind == HOLT_LSM ? "lsm" : "btree", way_names[way],
                          (unsigned long long)bytes);
            live_on_sim(kind, way, bytes, seed + i);
        }
}

/* ---------------------------------------------------------------- a real one */

/* In a mount namespace of this process, so that it disappears with it. Returns false if this process may
 * not. */
static bool mount_small_disk(const char *path)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", path, "tmpfs", 0, "size=64m") == 0;
}

static void live_on_tmpfs(uint32_t kind, making_room way)
{
    temp_dir dir;
    temp_dir_create(&dir);
    story s = {.os = os_posix(), .kind = kind, .way = way, .durability = HOLT_PROCESS};
    s.kept_kind = way == ROOM_DROP || way == ROOM_DELETE ? HOLT_LSM + HOLT_BTREE - kind : kind;
    holt_options o = {.memory_bytes = 16 << 20, .memtable_bytes = 1 << 20};
    s.options = o;
    temp_dir_join(dir.path, "db", s.path);
    bool mounted = mount_small_disk(dir.path);
    if (!mounted)
        print_message("not allowed to mount a tmpfs\n");
    else
        live(&s);
    if (mounted) umount(dir.path);
    temp_dir_remove(&dir);
    if (!mounted) skip();
}

/* The real kernel, with real threads: fallocate, sparse pages, mappings of a full tmpfs. */
static void a_full_tmpfs_is_usable_again_after_a_drop(void **state)
{
    live_on_tmpfs(HOLT_LSM, ROOM_DROP);
    live_on_tmpfs(HOLT_BTREE, ROOM_DROP);
}

static void a_full_tmpfs_is_usable_again_after_a_clear(void **state)
{
    live_on_tmpfs(HOLT_LSM, ROOM_CLEAR);
    live_on_tmpfs(HOLT_BTREE, ROOM_CLEAR);
}

/* Deletes need space themselves, which BALLAST provides. */
static void a_full_tmpfs_is_usable_again_after_deletes(void **state)
{
    live_on_tmpfs(HOLT_LSM, ROOM_DELETE);
    live_on_tmpfs(HOLT_BTREE, ROOM_DELETE);
    live_on_tmpfs(HOLT_LSM, ROOM_REOPEN_DELETE);
    live_on_tmpfs(HOLT_BTREE, ROOM_REOPEN_DELETE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_loses_nothing_and_is_usable_again),
        cmocka_unit_test(a_full_tmpfs_is_usable_again_after_a_drop),
        cmocka_unit_test(a_full_tmpfs_is_usable_again_after_a_clear),
        cmocka_unit_test(a_full_tmpfs_is_usable_again_after_deletes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
