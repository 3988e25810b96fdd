/* test_btree_db.c -- B+tree collections in a database on sim: pages are reused, whatever readers, crashes and
 * failures do, and at what cost.
 *
 * HOLT_BIG=1 runs the figures with a million entries.
 */
#include "base/hash.h"
#include "base/random.h"
#include "db/background/jobs.h"
#include "db/background/page_reclaim.h"
#include "db/db.h"
#include "db/open/open.h"
#include "db/verify/verify.h"
#include "support/entries.h"
#include "support/machine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>

static const uint64_t SECOND = 1000000000;

typedef struct two_kinds {
    os *os;
    holt *db;
    holt_collection *lsm, *btree;
    uint64_t memory_bytes, memtable_bytes;
    uint32_t durability;
} two_kinds;

static holt_status try_open(two_kinds *two)
{
    holt_options options = {.memory_bytes = two->memory_bytes ? two->memory_bytes : 8 << 20,
                            .memtable_bytes = two->memtable_bytes,
                            .durability = two->durability ? two->durability : HOLT_PROCESS};
    holt_collection_options lsm = {.flags = HOLT_CREATE_OR_OPEN};
    holt_collection_options btree = {.kind = HOLT_BTREE, .flags = HOLT_CREATE_OR_OPEN};
    holt_status rc = holt_open_on(two->os, "/db", &options, &two->db);
    if (rc != HOLT_OK) return rc;
    ok(holt_collection_create(two->db, "lsm", &lsm, &two->lsm));
    ok(holt_collection_create(two->db, "btree", &btree, &two->btree));
    return HOLT_OK;
}

static void begin(two_kinds *two, uint64_t seed)
{
    two->os = machine(seed);
    ok(try_open(two));
}

static void expect_healthy(os *o)
{
    holt_verify_report report;
    ok(holt_verify_on(o, "/db", NULL, &report, sizeof report));
}

static void end(two_kinds *two)
{
    ok(holt_close(two->db));
    expect_healthy(two->os);
    sim_destroy(two->os);
}

/* Nothing is called for this long; jobs that are due run. */
static void pause_for(two_kinds *two, uint64_t seconds)
{
    os_sleep(two->os, seconds * SECOND);
}

static holt_status add_size(void *ctx, const char *name)
{
    uint64_t *total = ((void **)ctx)[0], size;
    os_dir *dir = ((void **)ctx)[1];
    bool exists;
    if (strncmp(name, "tree-", 5) != 0) return HOLT_OK;
    ok(os_dir_stat(dir, name, &exists, &size));
    *total += size;
    return HOLT_OK;
}

/* Of the page file. */
static uint64_t file_bytes(two_kinds *two)
{
    uint64_t total = 0;
    os_dir *dir = db_of(two->os);
    void *ctx[2] = {&total, dir};
    ok(os_dir_list(dir, add_size, ctx));
    os_dir_close(dir);
    return total;
}

/* ---------------------------------------------------------------- entries */

enum { KEY_BYTES = 16, VALUE_BYTES = 100, ENTRY_BYTES = KEY_BYTES + VALUE_BYTES };

static holt_slice key_of(uint32_t i, char key[KEY_BYTES + 1])
{
    snprintf(key, KEY_BYTES + 1, "%08x%08x", (unsigned)hash_slice(slice_of(&i, sizeof i)), (unsigned)i);
    return holt_bytes(key, KEY_BYTES);
}

static holt_slice value_of(uint32_t i, uint32_t generation, uint8_t value[VALUE_BYTES])
{
    rng r;
    rng_seed(&r, (uint64_t)generation << 32 | i);
    rng_fill(&r, value, VALUE_BYTES);
    return holt_bytes(value, VALUE_BYTES);
}

/* Entries [from, to), many in a commit; keys are hashed, so their order is random. generation 0: deletes
 * them. */
static void write_range(two_kinds *two, holt_collection *c, uint32_t from, uint32_t to, uint32_t generation)
{
    char key[KEY_BYTES + 1];
    uint8_t value[VALUE_BYTES];
    holt_txn_options blind = {.flags = HOLT_TXN_BLIND};
    while (from < to) {
        holt_txn *t;
        uint32_t end = to - from > 250 ? from + 250 : to;
        ok(holt_begin(two->db, &blind, &t));
        for (; from < end; from++)
            ok(generation ? holt_put(c, t, key_of(from, key), value_of(from, generation, value))
                          : holt_delete(c, t, key_of(from, key)));
        ok(holt_commit(t));
        holt_rollback(t);
    }
}

static bool has(holt_collection *c, holt_txn *t, uint32_t i, uint32_t generation)
{
    char key[KEY_BYTES + 1];
    uint8_t want[VALUE_BYTES], got[VALUE_BYTES];
    size_t size;
    holt_status rc = holt_get_into(c, t, key_of(i, key), got, sizeof got, &size);
    if (generation == 0) return rc == HOLT_NOT_FOUND;
    (void)value_of(i, generation, want);
    return rc == HOLT_OK && size == VALUE_BYTES && memcmp(got, want, size) == 0;
}

/* generation 0: they are absent. */
static void expect_range(holt_collection *c, holt_txn *t, uint32_t from, uint32_t to, uint32_t generation)
{
    for (uint32_t i = from; i < to; i++)
        if (!has(c, t, i, generation)) fail_msg("entry %u is not of generation %u", i, generation);
}

static uint64_t count_of(holt_collection *c)
{
    holt_cursor *cursor;
    uint64_t count = 0;
    ok(holt_cursor_open(c, NULL, NULL, &cursor));
    for (bool more = holt_cursor_first(cursor); more; more = holt_cursor_next(cursor))
        count++;
    ok(holt_cursor_close(cursor));
    return count;
}

/* ---------------------------------------------------------------- readers */

/* The next `count` entries; the cursor began before generation 2 was written. */
static void walk(holt_cursor *cursor, uint32_t count)
{
    uint8_t want[VALUE_BYTES];
    while (count-- > 0) {
        assert_true(holt_cursor_next(cursor));
        char index[9] = {0};
        memcpy(index, (const char *)holt_cursor_key(cursor).data + 8, 8);
        (void)value_of((uint32_t)strtoul(index, NULL, 16), 1, want);
        assert_memory_equal(holt_cursor_value(cursor).data, want, VALUE_BYTES);
    }
}

/* Pages that a reader may still reach must not be reused; pages that nothing can reach must be, or a file
 * that is rewritten would grow for ever. */
static void readers_keep_their_snapshot_and_their_pages_are_freed_later(void **state)
{
    (void)state;
    enum { COUNT = 8000, ROUNDS = 10 };
    two_kinds two = {.memtable_bytes = 256 << 10};
    holt_txn *t;
    holt_txn_options read_only = {.flags = HOLT_TXN_READ_ONLY};
    holt_cursor *cursor;
    begin(&two, test_seed());
    write_range(&two, two.btree, 0, COUNT, 1);
    ok(holt_flush(two.db));
    pause_for(&two, 30);
    uint64_t size = file_bytes(&two);

    ok(holt_begin(two.db, &read_only, &t));
    ok(holt_cursor_open(two.btree, NULL, NULL, &cursor));
    for (uint32_t round = 0; round < ROUNDS; round++) {
        write_range(&two, two.btree, 0, COUNT, 2 + round);
        ok(holt_flush(two.db));
        pause_for(&two, 3);
        walk(cursor, COUNT / ROUNDS);
        for (uint32_t i = round; i < COUNT; i += 37)
            assert_true(has(two.btree, t, i, 1));
        expect_range(two.btree, NULL, 0, 100, 2 + round);
    }
    assert_false(holt_cursor_next(cursor));
    ok(holt_cursor_status(cursor));
    expect_range(two.btree, t, 0, COUNT, 1);
    uint64_t grown = file_bytes(&two);

    ok(holt_cursor_close(cursor));
    holt_rollback(t);
    pause_for(&two, 60);
    uint64_t after = file_bytes(&two);
    print_message("%" PRIu64 " bytes, with readers %" PRIu64 ", afterwards %" PRIu64 "\n", size, grown,
                  after);
    assert_true(after <= size + size / 10);
    expect_range(two.btree, NULL, 0, COUNT, 1 + ROUNDS);
    end(&two);
}

static uint64_t pinned_bytes(two_kinds *two)
{
    holt_db_stats s;
    ok(holt_stats(two->db, &s, sizeof s));
    return s.pinned_bytes;
}

/* Twenty-five times the data is overwritten under one reader: it keeps its own pages, and the file has room
 * for these, the live ones, and those of one flush. If the pages of the versions in between stayed too, the
 * file would grow with every round. */
static void a_long_reader_keeps_no_more_than_it_sees(void **state)
{
    (void)state;
    enum { COUNT = 8000, ROUNDS = 25 };
    two_kinds two = {.memtable_bytes = 256 << 10};
    holt_cursor *cursor;
    begin(&two, test_seed());
    write_range(&two, two.btree, 0, COUNT, 1);
    ok(holt_flush(two.db));
    pause_for(&two, 30);
    uint64_t size = file_bytes(&two), largest = 0;
    ok(holt_cursor_open(two.btree, NULL, NULL, &cursor));
    assert_true(holt_cursor_first(cursor));
    for (uint32_t round = 0; round < ROUNDS; round++) {
        write_range(&two, two.btree, 0, COUNT, 2 + round);
        ok(holt_flush(two.db));
        sim_run_until_idle(two.os);
        uint64_t now = file_bytes(&two), pinned = pinned_bytes(&two);
        if (now > largest) largest = now;
        assert_true(now <= 3 * size);
        assert_true(pinned >= size / 2 && pinned <= 3 * size);
    }
    print_message("%" PRIu64 " bytes, with a reader %" PRIu64 "\n", size, largest);
    walk(cursor, COUNT - 1);
    assert_false(holt_cursor_next(cursor));
    ok(holt_cursor_close(cursor));
    sim_run_until_idle(two.os);
    assert_int_equal(pinned_bytes(&two), 0);
    end(&two);
}

static uint64_t sleeps_of_compact(two_kinds *two)
{
    uint64_t before = os_clock_ns(two->os);
    ok(holt_compact(two->btree, holt_bytes(NULL, 0), holt_bytes(NULL, 0)));
    return (os_clock_ns(two->os) - before) / 1000000;
}

/* Compacting moves the new tree down to where the old one was, as soon as no reader needs the old one. If a
 * reader does, waiting is useless; if only earlier versions do, which are released in a moment, the file is
 * small when the call returns. */
static void compacting_waits_for_earlier_versions_but_not_for_readers(void **state)
{
    (void)state;
    two_kinds two = {.memtable_bytes = 256 << 10};
    holt_cursor *cursor;
    begin(&two, test_seed());
    write_range(&two, two.btree, 0, 3000, 1);
    ok(holt_flush(two.db));
    pause_for(&two, 30);
    ok(holt_cursor_open(two.btree, NULL, NULL, &cursor));
    assert_true(holt_cursor_first(cursor));
    uint64_t with_reader = sleeps_of_compact(&two), size_with_reader = file_bytes(&two);
    ok(holt_cursor_close(cursor));
    uint64_t alone = sleeps_of_compact(&two), size = file_bytes(&two);
    print_message("%" PRIu64 " ms and %" PRIu64 " bytes with a reader, then %" PRIu64 " ms and %" PRIu64 "\n",
                  with_reader, size_with_reader, alone, size);
    assert_true(with_reader < 50 && alone < 50);
    assert_true(size < size_with_reader * 2 / 3);
    end(&two);
}

/* Page reclaim finds a change open on the page store, and goes to sleep. Nothing wakes it when that change
 * ends, unless it was a flush; the pages of the dropped tree must be freed all the same. */
static void garbage_is_reclaimed_after_another_change_delayed_it(void **state)
{
    (void)state;
    two_kinds two = {0};
    btree_change *other;
    begin(&two, test_seed());
    write_range(&two, two.btree, 0, 3000, 1);
    ok(holt_flush(two.db));
    pause_for(&two, 30);
    uint64_t size = file_bytes(&two);
    ok(btree_change_begin(&other, two.db->manifest.page_store));
    ok(holt_collection_clear(two.btree));
    pause_for(&two, 30);
    assert_int_equal(two.db->manifest.garbage_count, 1);
    btree_change_abandon(other);
    pause_for(&two, 30);
    assert_int_equal(two.db->manifest.garbage_count, 0);
    assert_true(file_bytes(&two) < size / 10);
    end(&two);
}

/* The file had stopped shrinking before the clear, and its last page belongs to another tree: what the clear
 * frees is in front of it, and only moving that page makes the file smaller. */
static void clearing_shrinks_a_file_whose_last_page_is_of_another_tree(void **state)
{
    (void)state;
    two_kinds two = {0};
    holt_collection *last;
    holt_collection_options kind = {.kind = HOLT_BTREE};
    begin(&two, test_seed());
    ok(holt_collection_create(two.db, "last", &kind, &last));
    write_range(&two, two.btree, 0, 5000, 1);
    ok(holt_flush(two.db));
    pause_for(&two, 30);
    write_range(&two, last, 0, 1000, 1);
    ok(holt_flush(two.db));
    pause_for(&two, 30);
    uint64_t size = file_bytes(&two);
    ok(holt_collection_clear(two.btree));
    pause_for(&two, 30);
    assert_true(file_bytes(&two) < size / 3);
    expect_range(last, NULL, 0, 1000, 1);
    holt_collection_close(last);
    end(&two);
}

/* ---------------------------------------------------------------- deleting */

/* The file must shrink although the program makes no call. */
static void deleting_nearly_all_shrinks_the_file_by_itself(void **state)
{
    (void)state;
    uint32_t count = getenv("HOLT_BIG") ? 1000000 : 100000, left = count / 20;
    two_kinds two = {.memory_bytes = 32 << 20};
    begin(&two, test_seed());
    write_range(&two, two.btree, 0, count, 1);
    ok(holt_flush(two.db));
    pause_for(&two, 30);
    uint64_t size = file_bytes(&two);
    write_range(&two, two.btree, left, count, 0);
    pause_for(&two, 60);
    uint64_t after = file_bytes(&two);
    print_message("%" PRIu64 " bytes, afterwards %" PRIu64 "\n", size, after);
    assert_true(after < size / 100 * 15);
    expect_range(two.btree, NULL, 0, left, 1);
    assert_int_equal(count_of(two.btree), left);
    end(&two);
}

static holt_status drop(two_kinds *two)
{
    return holt_collection_drop(two->db, "btree");
}

static holt_status clear(two_kinds *two)
{
    return holt_collection_clear(two->btree);
}

static void ended_trees_give_their_pages_back(holt_status (*how)(two_kinds *))
{
    two_kinds two = {0};
    begin(&two, test_seed());
    write_range(&two, two.btree, 0, 5000, 1);
    ok(holt_flush(two.db));
    assert_true(file_bytes(&two) > 500000);
    ok(how(&two));
    pause_for(&two, 20);
    assert_true(file_bytes(&two) <= 16 * 4096);
    end(&two);
}

static void the_pages_of_a_dropped_tree_are_freed(void **state)
{
    (void)state;
    ended_trees_give_their_pages_back(drop);
}

static void the_pages_of_a_cleared_tree_are_freed(void **state)
{
    (void)state;
    ended_trees_give_their_pages_back(clear);
}

/* ---------------------------------------------------------------- crashes */

/* What a database must be like after a crash; the judge destroys the machine. */
typedef struct striker {
    os *os;
    void (*judge)(void *ctx, os *crashed);
    void *ctx;
    uint64_t strikes;
} striker;

/* At every call: the process is killed, or the power fails too, in two ways. */
static void strike(void *ctx, uint64_t call)
{
    static const sim_cut cuts[] = {
        {.files = SIM_KEEP_NONE, .entries = SIM_KEEP_NONE, .tear_bytes = 512},
        {.files = SIM_KEEP_SOME, .entries = SIM_KEEP_SOME, .tear_bytes = 4096},
        {.files = SIM_KEEP_GARBAGE, .entries = SIM_KEEP_ALL, .tear_bytes = 512},
    };
    striker *s = ctx;
    for (int i = -1; i < 3; i++) {
        os *crashed = sim_clone(s->os, call);
        if (i >= 0) sim_power_cut(crashed, &cuts[i], call);
        expect_healthy(crashed);
        s->judge(s->ctx, crashed);
        sim_destroy(crashed);
        s->strikes++;
    }
}

static void strike_from_here(striker *s)
{
    sim_on_io(s->os, strike, s);
}

typedef struct ended {
    bool acknowledged; /* the drop or clear has returned */
} ended;

static void judge_ended(void *ctx, os *crashed)
{
    const ended *e = ctx;
    two_kinds two = {.os = crashed, .durability = HOLT_COMMIT};
    ok(try_open(&two)); /* recreates a dropped one */
    uint64_t count = count_of(two.btree);
    assert_true(count == 0 || (count == 700 && !e->acknowledged));
    if (count) ok(holt_collection_clear(two.btree));
    pause_for(&two, 4);
    assert_true(file_bytes(&two) <= 16 * 4096);
    ok(holt_close(two.db));
    expect_healthy(crashed);
}

static void crashes_lose_no_page_of(holt_status (*how)(two_kinds *))
{
    two_kinds two = {.durability = HOLT_COMMIT};
    ended e = {0};
    begin(&two, test_seed());
    write_range(&two, two.btree, 0, 700, 1);
    ok(holt_flush(two.db));
    pause_for(&two, 5);
    striker s = {.os = two.os, .judge = judge_ended, .ctx = &e};
    strike_from_here(&s);
    ok(how(&two));
    e.acknowledged = true;
    pause_for(&two, 5);
    sim_on_io(two.os, NULL, NULL);
    assert_true(s.strikes > 20);
    end(&two);
}

/* A tree that no collection has any more must be recorded until its pages are free, or they are lost for
 * ever. */
static void no_crash_loses_pages_of_dropped_trees(void **state)
{
    (void)state;
    crashes_lose_no_page_of(drop);
}

static void no_crash_loses_pages_of_cleared_trees(void **state)
{
    (void)state;
    crashes_lose_no_page_of(clear);
}

/* A history of commits that each write the same to both kinds. Rounds above `present` put, later ones
 * delete. */
typedef struct both {
    uint32_t acknowledged, begun; /* commits */
} both;

enum { BOTH_KEYS = 12, BOTH_PUTS = 60, BOTH_COMMITS = 100 };

/* Commit n (from 1) puts BOTH_KEYS entries; those past BOTH_PUTS delete what commit n - BOTH_PUTS put. */
static holt_status commit_both(two_kinds *two, uint32_t n)
{
    char key[KEY_BYTES + 1];
    uint8_t value[VALUE_BYTES];
    holt_txn *t;
    holt_txn_options blind = {.flags = HOLT_TXN_BLIND};
    ok(holt_begin(two->db, &blind, &t));
    for (uint32_t k = 0; k < BOTH_KEYS; k++) {
        bool put = n <= BOTH_PUTS;
        uint32_t i = (put ? n : n - BOTH_PUTS) * BOTH_KEYS + k;
        ok(put ? holt_put(two->lsm, t, key_of(i, key), value_of(i, 1, value))
               : holt_delete(two->lsm, t, key_of(i, key)));
        ok(put ? holt_put(two->btree, t, key_of(i, key), value_of(i, 1, value))
               : holt_delete(two->btree, t, key_of(i, key)));
    }
    holt_status rc = holt_commit(t);
    holt_rollback(t);
    return rc;
}

/* Whether a collection is exactly as after commit n. */
static bool is_after(holt_collection *c, uint32_t n)
{
    for (uint32_t m = 1; m <= BOTH_PUTS; m++) {
        bool there = m <= n && !(n > BOTH_PUTS && m <= n - BOTH_PUTS);
        for (uint32_t k = 0; k < BOTH_KEYS; k++)
            if (!has(c, NULL, m * BOTH_KEYS + k, there)) return false;
    }
    return true;
}

static void judge_both(void *ctx, os *crashed)
{
    const both *b = ctx;
    two_kinds two = {.os = crashed, .durability = HOLT_COMMIT, .memtable_bytes = 64 << 10};
    holt_status rc = try_open(&two);
    if (rc == HOLT_NOT_FOUND) return;
    ok(rc);
    bool found = false;
    for (uint32_t n = b->acknowledged; n <= b->begun && !found; n++)
        found = is_after(two.lsm, n) && is_after(two.btree, n);
    if (!found) fail_msg("after %u of %u commits: neither", b->acknowledged, b->begun);
    ok(holt_close(two.db));
    expect_healthy(crashed);
}

static void run_both(two_kinds *two, both *b, uint32_t upto)
{
    while (b->acknowledged < upto) {
        b->begun++;
        ok(commit_both(two, b->begun));
        b->acknowledged = b->begun;
    }
}

/* One record makes a flush of both kinds visible, and one the moving of pages: there is no state in
 * between. */
static void commits_to_both_kinds_are_whole_at_every_call_of_flushes_and_shrinking(void **state)
{
    (void)state;
    two_kinds two = {.durability = HOLT_COMMIT, .memtable_bytes = 64 << 10};
    both b = {0};
    begin(&two, test_seed());
    run_both(&two, &b, 55);
    striker s = {.os = two.os, .judge = judge_both, .ctx = &b};
    strike_from_here(&s);
    ok(holt_flush(two.db));
    sim_on_io(two.os, NULL, NULL);
    uint64_t flush_strikes = s.strikes;
    run_both(&two, &b, BOTH_COMMITS);
    uint64_t size = file_bytes(&two);
    strike_from_here(&s);
    pause_for(&two, 10);
    ok(holt_flush(two.db));
    pause_for(&two, 10);
    sim_on_io(two.os, NULL, NULL);
    print_message("%" PRIu64 " crashes of a flush, %" PRIu64 " later; %" PRIu64 " bytes became %" PRIu64 "\n",
                  flush_strikes, s.strikes - flush_strikes, size, file_bytes(&two));
    assert_true(flush_strikes > 20 && s.strikes > flush_strikes + 40);
    assert_true(file_bytes(&two) < size);
    end(&two);
}

/* Deletes entries of [0, count) from the B+tree itself, as a chunk of a flush does: those with a key whose
 * first digit is in [low, high]. */
static void delete_in_tree(two_kinds *two, uint32_t count, char low, char high)
{
    char key[KEY_BYTES + 1];
    entries deletes = {0};
    for (uint32_t i = 0; i < count; i++) {
        slice k = key_of(i, key);
        entry e = {.key = (uint8_t *)key, .key_size = k.size, .op = ENTRY_DELETE};
        if (key[0] >= low && key[0] <= high) entries_put(&deletes, &e);
    }
    const holt_collection *c = two->btree;
    iterator *in = entries_iterator_open(&deletes);
    btree_change *change;
    version *v;
    bool done = false;
    ok(btree_change_begin(&change, page_store_of(two->db)));
    ok(version_acquire(&two->db->versions, &v));
    const collection_version *s = version_collection(v, c->slot, c->spec.id);
    reclaim_tree t = {.collection = c->spec.id, .slot = c->slot, .base = collection_tree_btree(&s->tree)};
    btree_batch batch = {.base = t.base, .changes = in, .block_bytes = c->spec.block_bytes};
    while (!done)
        ok(btree_change_apply(change, &batch, 1000, &done, &t.next));
    ok(reclaim_record_tree(two->db, change, &t, 0));
    btree_version_unref(t.next);
    version_release(&two->db->versions, v);
    iterator_close(in);
    entries_free(&deletes);
}

static uint64_t recorded_pages(const two_kinds *two)
{
    return page_store_recorded(page_store_of(two->db))->pages;
}

/* A flush by chunks has freed most of the file's pages, but not the last one, which is of another tree, when
 * it fails. Nothing has counted as flushed, so only the change itself shows that vacuuming, which had come to
 * rest, is worth it again. */
static void pages_that_an_unfinished_flush_has_freed_are_vacuumed(void **state)
{
    (void)state;
    enum { COUNT = 8000 };
    two_kinds two = {.memtable_bytes = 512 << 10};
    holt_collection *last;
    holt_collection_options kind = {.kind = HOLT_BTREE};
    begin(&two, test_seed());
    ok(holt_collection_create(two.db, "last", &kind, &last));
    write_range(&two, two.btree, 0, COUNT, 1);
    ok(holt_flush(two.db));
    pause_for(&two, 30);
    write_range(&two, last, 0, 1000, 1);
    ok(holt_flush(two.db));
    pause_for(&two, 30);
    delete_in_tree(&two, COUNT, '0', '0'); /* its pages are at the end; those that it frees are used next */
    pause_for(&two, 5);
    delete_in_tree(&two, COUNT, '1', '1');
    jobs_wake_workers(two.db);
    pause_for(&two, 30);
    const uint64_t size = file_bytes(&two), pages = recorded_pages(&two);
    delete_in_tree(&two, COUNT, '2', 'e');
    assert_int_equal(recorded_pages(&two), pages);
    jobs_wake_workers(two.db);
    pause_for(&two, 30);
    print_message("%" PRIu64 " bytes, then %" PRIu64 "\n", size, file_bytes(&two));
    assert_true(file_bytes(&two) < size / 2);
    holt_collection_close(last);
    end(&two);
}

/* ---------------------------------------------------------------- a full disk */

static uint64_t free_bytes(two_kinds *two)
{
    uint64_t bytes;
    os_dir *dir = db_of(two->os);
    ok(os_dir_free_bytes(dir, &bytes));
    os_dir_close(dir);
    return bytes;
}

/* Leaves this much room on the disk. */
static void fill_disk(two_kinds *two, uint64_t left)
{
    const uint64_t large = (uint64_t)1 << 40;
    sim_set_disk_bytes_max(two->os, large);
    sim_set_disk_bytes_max(two->os, large - free_bytes(two) + left);
}

/* One memtable has the puts of an LSM collection, whose run does not fit on the disk, and the deletes of a
 * B+tree collection, whose file would then have enough free pages. So the run can be written only after the
 * deletes were applied, and the file has become smaller while the flush still fails. */
static void deletes_in_a_btree_make_room_for_a_run_of_the_same_memtable(void **state)
{
    (void)state;
    enum { PUTS = 10000, DELETES = 40000, LEFT = 100 };
    two_kinds two = {.memory_bytes = 32 << 20, .memtable_bytes = 8 << 20};
    begin(&two, test_seed());
    write_range(&two, two.btree, 0, DELETES, 1);
    ok(holt_flush(two.db));
    pause_for(&two, 10); /* the file is as small as it can be, and the next log segment is large */
    const uint64_t size = file_bytes(&two);
    write_range(&two, two.lsm, 0, PUTS, 1);
    write_range(&two, two.btree, LEFT, DELETES, 0);
    fill_disk(&two, 0);
    assert_true(ballast_release(two.db));
    fill_disk(&two, 64 << 10); /* something else has taken the space of the ballast */
    (void)holt_flush(two.db); /* HOLT_NO_SPACE */
    pause_for(&two, 30);
    print_message("B+trees: %" PRIu64 " bytes, then %" PRIu64 "\n", size, file_bytes(&two));
    ok(holt_flush(two.db));
    expect_range(two.lsm, NULL, 0, PUTS, 1);
    expect_range(two.btree, NULL, 0, LEFT, 1);
    expect_range(two.btree, NULL, LEFT, DELETES, 0);
    end(&two);
}

/* ---------------------------------------------------------------- recoveries that flush */

enum { FAT_BYTES = 4000, FAT_ENTRIES = 1200 };

/* In both collections, in one commit. generation 0: deletes it. */
static void write_fat(two_kinds *two, uint32_t i, uint32_t generation)
{
    char key[KEY_BYTES + 1];
    static uint8_t value[FAT_BYTES];
    holt_collection *const both_of[] = {two->lsm, two->btree};
    holt_txn_options blind = {.flags = HOLT_TXN_BLIND};
    holt_txn *t;
    memset(value, (int)(i + generation), sizeof value);
    ok(holt_begin(two->db, &blind, &t));
    for (int k = 0; k < 2; k++)
        ok(generation ? holt_put(both_of[k], t, key_of(i, key), holt_bytes(value, sizeof value))
                      : holt_delete(both_of[k], t, key_of(i, key)));
    ok(holt_commit(t));
    holt_rollback(t);
}

static void expect_fat(two_kinds *two, uint32_t i, uint32_t generation)
{
    char key[KEY_BYTES + 1];
    holt_collection *const both_of[] = {two->lsm, two->btree};
    holt_value got = HOLT_VALUE_INIT;
    for (int k = 0; k < 2; k++) {
        holt_status rc = holt_get(both_of[k], NULL, key_of(i, key), &got);
        bool good = generation ? rc == HOLT_OK && got.size == FAT_BYTES &&
                                     ((const uint8_t *)got.data)[FAT_BYTES - 1] == (uint8_t)(i + generation)
                               : rc == HOLT_NOT_FOUND;
        if (!good) fail_msg("entry %u of collection %d is not of generation %u", i, k, generation);
    }
    holt_value_free(&got);
}

/* What was written before the crash: a third of it flushed, and above that a log larger than a small
 * memory. */
static uint32_t fat_version(uint32_t i)
{
    return i % 7 == 0 ? 0 : 2;
}

static void write_much(two_kinds *two)
{
    for (uint32_t i = 0; i < FAT_ENTRIES / 3; i++)
        write_fat(two, i, 1);
    ok(holt_flush(two->db));
    for (uint32_t i = 0; i < FAT_ENTRIES; i++)
        write_fat(two, i, 2);
    for (uint32_t i = 0; i < FAT_ENTRIES; i += 7)
        write_fat(two, i, 0);
}

static void expect_much(two_kinds *two, uint32_t stride)
{
    for (uint32_t i = 0; i < FAT_ENTRIES; i += stride)
        expect_fat(two, i, fat_version(i));
}

/* Striking at every call would take minutes. */
static void strike_seldom(void *ctx, uint64_t call)
{
    enum { EACH = 41 };
    if (call % EACH == 0) strike(ctx, call);
}

static void judge_much(void *ctx, os *crashed)
{
    two_kinds two = {.os = crashed, .memtable_bytes = 512 << 10};
    (void)ctx;
    ok(try_open(&two));
    expect_much(&two, 13);
    ok(holt_close(two.db));
    expect_healthy(crashed);
}

/* A log larger than memory is flushed while it is read, without a record: a crash in the middle of that must
 * find the pages that the last record names, and start over. The log was synced, so that no power cut may
 * shorten it. */
static void a_recovery_larger_than_memory_flushes_into_both_kinds_and_may_crash(void **state)
{
    (void)state;
    two_kinds two = {.memory_bytes = 64 << 20, .memtable_bytes = 16 << 20};
    begin(&two, test_seed());
    write_much(&two);
    ok(holt_sync(two.db));
    two_kinds small = {.os = sim_clone(two.os, 1), .memtable_bytes = 512 << 10};
    striker s = {.os = small.os, .judge = judge_much};
    sim_on_io(small.os, strike_seldom, &s);
    ok(try_open(&small));
    sim_on_io(small.os, NULL, NULL);
    holt_db_stats stats;
    ok(holt_stats(small.db, &stats, sizeof stats));
    print_message("%" PRIu64 " crashes, %" PRIu64 " flushes\n", s.strikes, stats.flushes);
    assert_true(stats.flushes >= 2 && s.strikes >= 8);
    expect_much(&small, 1);
    write_fat(&small, 3, 3);
    ok(holt_flush(small.db));
    expect_fat(&small, 3, 3);
    expect_much(&two, 1);
    end(&small);
    end(&two);
}

/* ---------------------------------------------------------------- failures */

static holt_status do_flush(two_kinds *two)
{
    write_range(two, two->btree, 0, 500, 2);
    write_range(two, two->lsm, 0, 500, 2);
    holt_status rc = holt_flush(two->db);
    pause_for(two, 3);
    return rc;
}

static holt_status do_vacuum(two_kinds *two)
{
    write_range(two, two->btree, 100, 2000, 0);
    pause_for(two, 10);
    return HOLT_OK;
}

static holt_status do_compact(two_kinds *two)
{
    return holt_compact(two->btree, holt_bytes(NULL, 0), holt_bytes(NULL, 0));
}

static holt_status do_clear(two_kinds *two)
{
    holt_status rc = holt_collection_clear(two->btree);
    pause_for(two, 3);
    return rc;
}

/* What the B+tree holds after the work, or may still hold if the work failed. */
typedef struct work {
    const char *name;
    holt_status (*run)(two_kinds *);
    uint32_t version_low, version_rest; /* of entries [0, 100) and [100, 500), 0: gone */
    bool durable;                       /* a call that returned a failure has had no effect */
} work;

static const work works[] = {{"flush", do_flush, 2, 2, false},
                             {"shrink", do_vacuum, 1, 0, false},
                             {"compact", do_compact, 1, 1, false},
                             {"clear", do_clear, 0, 0, true}};

static void expect_work(two_kinds *two, const work *k, bool done, const char *when, uint64_t n)
{
    bool low = has(two->btree, NULL, 7, done ? k->version_low : 1);
    bool rest = has(two->btree, NULL, 107, done ? k->version_rest : 1);
    if (!low || !rest) fail_msg("%s: call %" PRIu64 ": %s: wrong contents", k->name, n, when);
    expect_range(two->btree, NULL, 0, 100, done ? k->version_low : 1);
    expect_range(two->btree, NULL, 100, 500, done ? k->version_rest : 1);
}

/* The n-th call fails, and perhaps all later ones for a while. Returns false when there is no n-th call. */
static bool work_fails_at(const work *k, uint64_t n, sim_call kind, int os_errno, bool onwards)
{
    two_kinds two = {.memtable_bytes = 512 << 10};
    begin(&two, n);
    write_range(&two, two.btree, 0, 2000, 1);
    ok(holt_flush(two.db));
    pause_for(&two, 4);
    sim_fail(two.os, kind, n, os_errno, onwards);
    holt_status rc = k->run(&two);
    bool hit = sim_fault_hit(two.os);
    sim_fail(two.os, kind, 0, 0, false);
    pause_for(&two, 12); /* in doubt or not, it is resolved */
    bool done = rc == HOLT_OK || !k->durable;
    bool alive = holt_health(two.db) == HOLT_OK;
    if (alive) {
        expect_work(&two, k, done, "before", n);
        write_range(&two, two.btree, 3000, 3400, 5);
        ok(holt_flush(two.db));
        ok(holt_verify_live(two.db, NULL, NULL, 0));
        ok(holt_close(two.db));
    } else {
        (void)holt_close(two.db); /* the failure is returned again */
    }
    expect_healthy(two.os);
    ok(try_open(&two));
    if (alive) expect_work(&two, k, done, "after", n);
    if (alive) expect_range(two.btree, NULL, 3000, 3400, 5);
    pause_for(&two, 4);
    end(&two);
    return hit;
}

/* After a failed write, sync, truncate or record a page must not be lost, used twice, or reused too early. */
static void any_call_of_page_reclaim_may_fail(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++)
        for (uint64_t n = 1; work_fails_at(&works[i], n, SIM_CALLS, EIO, false); n++)
            assert_true(n < 2000);
}

/* Not even a new manifest can be written: until one can, it is unknown which record is on disk. */
static void page_stores_in_doubt_are_resolved(void **state)
{
    (void)state;
    static const sim_call kinds[] = {SIM_SYNC, SIM_WRITE, SIM_RENAME, SIM_DIR_SYNC, SIM_TRUNCATE};
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++)
        for (size_t j = 0; j < sizeof kinds / sizeof kinds[0]; j++)
            for (uint64_t n = 1; work_fails_at(&works[i], n, kinds[j], j % 2 ? ENOSPC : EIO, true); n++)
                assert_true(n < 2000);
}

/* A manifest that has grown long is replaced by a new one, with nothing in doubt. */
static void replacing_a_long_manifest_leaves_nothing_in_doubt(void **state)
{
    (void)state;
    two_kinds two = {0};
    char from[100] = "x", to[100];
    holt_collection *c;
    begin(&two, test_seed());
    write_range(&two, two.btree, 0, 500, 1);
    ok(holt_flush(two.db));
    ok(holt_collection_create(two.db, from, NULL, &c));
    for (int i = 0; i < 4000; i++) {
        snprintf(to, sizeof to,
                 "a name that makes the manifest grow as quickly as can be, so that it is replaced %d", i);
        ok(holt_collection_rename(two.db, from, to));
        memcpy(from, to, sizeof to);
    }
    write_range(&two, two.btree, 0, 500, 2);
    ok(holt_flush(two.db));
    expect_range(two.btree, NULL, 0, 500, 2);
    end(&two);
}

typedef struct flusher {
    holt *db;
    _Atomic bool stop;
} flusher;

static void *flush_again_and_again(void *ctx)
{
    flusher *f = ctx;
    while (!atomic_load_explicit(&f->stop, memory_order_acquire))
        ok(holt_flush(f->db));
    return NULL;
}

/* A flush gives a collection its next tree while a clear is under way: what becomes garbage is the tree that
 * the clear removes, not the one that was there when it began. */
static void a_clear_during_a_flush_frees_the_tree_it_removes(void **state)
{
    (void)state;
    sim_options options = {.seed = 1, .threads = true};
    two_kinds two = {.memtable_bytes = 64 << 10};
    flusher f = {0};
    pthread_t thread;
    two.os = sim_create(&options);
    assert_non_null(two.os);
    ok(os_dir_create(two.os, "/db"));
    ok(try_open(&two));
    f.db = two.db;
    assert_int_equal(pthread_create(&thread, NULL, flush_again_and_again, &f), 0);
    for (uint32_t i = 0; i < 400; i++) {
        write_range(&two, two.btree, 0, 150, 1 + i);
        if (i % 2) ok(holt_collection_clear(two.btree));
    }
    atomic_store_explicit(&f.stop, true, memory_order_release);
    pthread_join(thread, NULL);
    sim_run_until_idle(two.os);
    ok(holt_health(two.db));
    end(&two);
}

/* ---------------------------------------------------------------- figures */

static uint64_t written(two_kinds *two)
{
    holt_db_stats stats;
    ok(holt_stats(two->db, &stats, sizeof stats));
    return stats.log_bytes + stats.flush_bytes;
}

/* The promised density of the collection; the ratio of memory to data is that of the large benchmark. */
static void a_random_fill_is_dense_and_cheap_and_denser_after_compact(void **state)
{
    (void)state;
    uint32_t count = getenv("HOLT_BIG") ? 1000000 : 100000;
    uint64_t raw = (uint64_t)count * ENTRY_BYTES;
    two_kinds two = {.memory_bytes = (uint64_t)576 * count};
    begin(&two, test_seed());
    write_range(&two, two.btree, 0, count, 1);
    pause_for(&two, 5);
    uint64_t cost = written(&two);
    pause_for(&two, 60);
    uint64_t settled = file_bytes(&two);
    ok(holt_compact(two.btree, holt_bytes(NULL, 0), holt_bytes(NULL, 0)));
    uint64_t compacted = file_bytes(&two);
    print_message("bytes for one of data: written %.2f, on disk %.2f, compacted %.2f\n",
                  (double)cost / (double)raw, (double)settled / (double)raw, (double)compacted / (double)raw);
    assert_true(cost <= 4 * raw);
    assert_true(settled <= raw / 100 * 145);
    assert_true(compacted <= raw / 100 * 110);
    expect_range(two.btree, NULL, 0, count, 1);
    end(&two);
}

/* ---------------------------------------------------------------- shapes */

enum { SHAPES_KEYS = 60, SHAPES_BYTES_MAX = 1 << 20 };

static holt_slice shape_of(uint32_t i, uint32_t generation, uint8_t *value)
{
    static const uint32_t sizes[] = {0, 1, 100, 1000, 4000, 4096, 9000, 70000, 300000, SHAPES_BYTES_MAX};
    rng r;
    rng_seed(&r, (uint64_t)generation << 32 | i);
    uint32_t size = sizes[rng_below(&r, i % 7 ? 7 : 10)];
    rng_fill(&r, value, size);
    return holt_bytes(value, size);
}

static void expect_shapes(holt_collection *c, const uint32_t *versions, uint8_t *value)
{
    char key[KEY_BYTES + 1];
    holt_value got = HOLT_VALUE_INIT;
    for (uint32_t i = 0; i < SHAPES_KEYS; i++) {
        holt_status rc = holt_get(c, NULL, key_of(i, key), &got);
        if (versions[i] == 0) {
            assert_int_equal(rc, HOLT_NOT_FOUND);
            continue;
        }
        holt_slice want = shape_of(i, versions[i], value);
        ok(rc);
        assert_int_equal(got.size, want.size);
        assert_memory_equal(got.data, want.data, want.size);
    }
    holt_value_free(&got);
}

static void try_shapes(uint32_t block_bytes, uint64_t seed)
{
    two_kinds two = {.memory_bytes = 16 << 20, .memtable_bytes = 1 << 20};
    holt_collection *c;
    holt_collection_options create = {.kind = HOLT_BTREE, .block_bytes = block_bytes};
    uint32_t versions[SHAPES_KEYS] = {0};
    uint8_t *value = mem_alloc(SHAPES_BYTES_MAX);
    char key[KEY_BYTES + 1];
    rng r;
    rng_seed(&r, seed);
    begin(&two, seed);
    ok(holt_collection_create(two.db, "shapes", &create, &c));
    for (uint32_t round = 1; round <= 8; round++) {
        for (uint32_t i = 0; i < SHAPES_KEYS; i++) {
            if (rng_chance(&r, 2)) continue;
            versions[i] = rng_chance(&r, 3) ? 0 : round;
            ok(versions[i] ? holt_put(c, NULL, key_of(i, key), shape_of(i, round, value))
                           : holt_delete(c, NULL, key_of(i, key)));
        }
        if (round % 2) ok(holt_flush(two.db));
        if (round == 5) ok(holt_compact(c, holt_bytes(NULL, 0), holt_bytes(NULL, 0)));
        expect_shapes(c, versions, value);
    }
    pause_for(&two, 10);
    expect_shapes(c, versions, value);
    ok(holt_close(two.db));
    expect_healthy(two.os);
    ok(try_open(&two));
    ok(holt_collection_open(two.db, "shapes", &c));
    expect_shapes(c, versions, value);
    ok(holt_collection_clear(c));
    pause_for(&two, 10);
    assert_true(file_bytes(&two) <= 16 * 4096); /* values outside of blocks too */
    mem_free(value);
    end(&two);
}

/* Blocks of several pages, and values in pages of their own, are found, counted and freed differently. */
static void blocks_of_all_sizes_hold_values_of_all_sizes(void **state)
{
    (void)state;
    for (uint32_t block_bytes = 4096; block_bytes <= 65536; block_bytes *= 2)
        try_shapes(block_bytes, test_seed() + block_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_keep_their_snapshot_and_their_pages_are_freed_later),
        cmocka_unit_test(a_long_reader_keeps_no_more_than_it_sees),
        cmocka_unit_test(garbage_is_reclaimed_after_another_change_delayed_it),
        cmocka_unit_test(compacting_waits_for_earlier_versions_but_not_for_readers),
        cmocka_unit_test(clearing_shrinks_a_file_whose_last_page_is_of_another_tree),
        cmocka_unit_test(deleting_nearly_all_shrinks_the_file_by_itself),
        cmocka_unit_test(the_pages_of_a_dropped_tree_are_freed),
        cmocka_unit_test(the_pages_of_a_cleared_tree_are_freed),
        cmocka_unit_test(no_crash_loses_pages_of_dropped_trees),
        cmocka_unit_test(no_crash_loses_pages_of_cleared_trees),
        cmocka_unit_test(a_recovery_larger_than_memory_flushes_into_both_kinds_and_may_crash),
        cmocka_unit_test(commits_to_both_kinds_are_whole_at_every_call_of_flushes_and_shrinking),
        cmocka_unit_test(pages_that_an_unfinished_flush_has_freed_are_vacuumed),
        cmocka_unit_test(deletes_in_a_btree_make_room_for_a_run_of_the_same_memtable),
        cmocka_unit_test(any_call_of_page_reclaim_may_fail),
        cmocka_unit_test(page_stores_in_doubt_are_resolved),
        cmocka_unit_test(replacing_a_long_manifest_leaves_nothing_in_doubt),
        cmocka_unit_test(a_clear_during_a_flush_frees_the_tree_it_removes),
        cmocka_unit_test(a_random_fill_is_dense_and_cheap_and_denser_after_compact),
        cmocka_unit_test(blocks_of_all_sizes_hold_values_of_all_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
