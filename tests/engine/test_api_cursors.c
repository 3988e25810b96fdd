/* test_api_cursors.c -- what a cursor promises, rule by rule.
 *
 * Each test runs on several layouts of the same entries, for a cursor merges what lies in the memtable, in
 * sealed ones and in runs, and a rule that holds within one iterator may break where two meet.
 */
#include "os/sim/sim.h"
#include "support/db_fixture.h"

#include <errno.h>
#include <stdio.h>

typedef enum layout {
    LAYOUT_MEMTABLE,
    LAYOUT_RUN,
    LAYOUT_ALTERNATING, /* every other entry in a run, the rest in the memtable */
    LAYOUT_OVERWRITTEN, /* old values and deleted keys below, in runs */
    LAYOUT_COMPACTED,
    LAYOUTS
} layout;

/* The entries of most tests. */
static const char *const keys[] = {"b", "d", "f", "h", "j"};
enum { KEYS = 5 };

static void put_all(holt_collection *c, int from, int step)
{
    for (int i = from; i < KEYS; i += step)
        put(c, keys[i], keys[i]);
}

static void make_overwritten(db_fixture *f)
{
    static const char *const deleted[] = {"", "a", "bb", "e", "i", "k", "z"};
    for (size_t i = 0; i < sizeof deleted / sizeof *deleted; i++)
        put(f->c, deleted[i], "old");
    for (int i = 0; i < KEYS; i++)
        put(f->c, keys[i], "old");
    expect_ok(holt_flush(f->db));
    put_all(f->c, 0, 2);
    for (size_t i = 0; i < sizeof deleted / sizeof *deleted; i++)
        expect_ok(holt_delete(f->c, NULL, holt_str(deleted[i])));
    expect_ok(holt_flush(f->db));
    put_all(f->c, 1, 2);
}

/* Empties the collection and fills it: each of keys[] is its own value. */
static void lay_out(db_fixture *f, layout how)
{
    expect_ok(holt_collection_clear(f->c));
    if (how == LAYOUT_OVERWRITTEN) {
        make_overwritten(f);
        return;
    }
    put_all(f->c, 0, how == LAYOUT_ALTERNATING ? 2 : 1);
    if (how != LAYOUT_MEMTABLE) expect_ok(holt_flush(f->db));
    if (how == LAYOUT_ALTERNATING) put_all(f->c, 1, 2);
    if (how == LAYOUT_COMPACTED) expect_ok(holt_compact(f->c, holt_str(NULL), holt_str(NULL)));
}

static holt_cursor *open_range(db_fixture *f, const char *lower, const char *upper, const char *prefix)
{
    holt_cursor_options o = {.lower = holt_str(lower), .upper = holt_str(upper), .prefix = holt_str(prefix)};
    holt_cursor *c = NULL;
    expect_ok(holt_cursor_open(f->c, NULL, &o, &c));
    return c;
}

/* The cursor shows these keys (with themselves as values) and no others, in both directions. */
static void expect_keys(holt_cursor *c, const char *const *expected, int count)
{
    bool on = holt_cursor_first(c);
    for (int i = 0; i < count; i++, on = holt_cursor_next(c))
        expect_entry(c, expected[i], expected[i]);
    assert_false(on);
    expect_entry(c, NULL, NULL);
    on = holt_cursor_last(c);
    for (int i = count; i > 0; i--, on = holt_cursor_prev(c))
        expect_entry(c, expected[i - 1], expected[i - 1]);
    assert_false(on);
    expect_entry(c, NULL, NULL);
}

static void expect_range(db_fixture *f, const char *lower, const char *upper, const char *prefix, int from,
                         int count)
{
    holt_cursor *c = open_range(f, lower, upper, prefix);
    expect_keys(c, keys + from, count);
    expect_ok(holt_cursor_close(c));
}

/* ---------------------------------------------------------------- moves */

static void check_fresh(db_fixture *f)
{
    holt_cursor *c = open_cursor(f->c, NULL);
    assert_false(holt_cursor_valid(c));
    expect_entry(c, NULL, NULL);
    assert_true(holt_cursor_next(c));
    expect_entry(c, "b", "b");
    expect_ok(holt_cursor_close(c));

    c = open_cursor(f->c, NULL);
    assert_true(holt_cursor_prev(c));
    expect_entry(c, "j", "j");
    expect_ok(holt_cursor_close(c));
}

static void check_ends(db_fixture *f)
{
    holt_cursor *c = open_cursor(f->c, NULL);
    assert_true(holt_cursor_last(c));
    for (int i = 0; i < 3; i++) {
        assert_false(holt_cursor_next(c));
        expect_entry(c, NULL, NULL);
    }
    assert_true(holt_cursor_prev(c));
    expect_entry(c, "j", "j");
    assert_true(holt_cursor_first(c));
    for (int i = 0; i < 3; i++) {
        assert_false(holt_cursor_prev(c));
        expect_entry(c, NULL, NULL);
    }
    assert_true(holt_cursor_next(c));
    expect_entry(c, "b", "b");
    expect_ok(holt_cursor_close(c));
}

/* From every entry: forward and back, backward and forth. */
static void check_turns(db_fixture *f)
{
    holt_cursor *c = open_cursor(f->c, NULL);
    for (int i = 0; i < KEYS; i++) {
        assert_true(holt_cursor_seek(c, holt_str(keys[i])));
        assert_int_equal(holt_cursor_next(c), i + 1 < KEYS);
        assert_true(holt_cursor_prev(c));
        expect_entry(c, keys[i], keys[i]);
        assert_int_equal(holt_cursor_prev(c), i > 0);
        assert_true(holt_cursor_next(c));
        expect_entry(c, keys[i], keys[i]);
        assert_true(holt_cursor_seek_last(c, holt_str(keys[i])));
        assert_int_equal(holt_cursor_prev(c), i > 0);
        assert_true(holt_cursor_next(c));
        expect_entry(c, keys[i], keys[i]);
    }
    expect_ok(holt_cursor_close(c));
}

static void check_seeks(db_fixture *f)
{
    static const struct {
        const char *key, *at_or_after, *at_or_before;
    } cases[] = {{"", "b", NULL}, {"a", "b", NULL}, {"b", "b", "b"}, {"c", "d", "b"},   {"bb", "d", "b"},
                 {"f", "f", "f"}, {"g", "h", "f"},  {"j", "j", "j"}, {"ja", NULL, "j"}, {"z", NULL, "j"}};
    holt_cursor *c = open_cursor(f->c, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(holt_cursor_seek(c, holt_str(cases[i].key)), cases[i].at_or_after != NULL);
        expect_entry(c, cases[i].at_or_after, cases[i].at_or_after);
        assert_int_equal(holt_cursor_seek_last(c, holt_str(cases[i].key)), cases[i].at_or_before != NULL);
        expect_entry(c, cases[i].at_or_before, cases[i].at_or_before);
    }
    expect_ok(holt_cursor_close(c));
}

/* A seek that finds nothing leaves the cursor past the end in its direction. */
static void check_failed_seeks(db_fixture *f)
{
    holt_cursor *c = open_cursor(f->c, NULL);
    assert_false(holt_cursor_seek(c, holt_str("z")));
    assert_false(holt_cursor_next(c));
    assert_true(holt_cursor_prev(c));
    expect_entry(c, "j", "j");
    assert_false(holt_cursor_seek_last(c, holt_str("a")));
    assert_false(holt_cursor_prev(c));
    assert_true(holt_cursor_next(c));
    expect_entry(c, "b", "b");
    expect_ok(holt_cursor_close(c));
}

/* ---------------------------------------------------------------- ranges */

static void check_bounds(db_fixture *f)
{
    expect_range(f, NULL, NULL, NULL, 0, 5);
    expect_range(f, "d", "h", NULL, 1, 2); /* lower included, upper not */
    expect_range(f, "c", "i", NULL, 1, 3);
    expect_range(f, "", "b", NULL, 0, 0);
    expect_range(f, NULL, "d", NULL, 0, 1);
    expect_range(f, "j", NULL, NULL, 4, 1);
    expect_range(f, "f", NULL, "f", 2, 1);
    expect_range(f, "g", NULL, "f", 2, 0); /* prefix and bounds intersect */
    expect_range(f, NULL, "f", "f", 2, 0);
    expect_range(f, NULL, NULL, "", 0, 5);
}

static void check_empty_ranges(db_fixture *f)
{
    expect_range(f, "h", "d", NULL, 0, 0);
    expect_range(f, "d", "d", NULL, 0, 0);
    expect_range(f, NULL, "", NULL, 0, 0); /* nothing comes before the empty key */
    expect_range(f, NULL, NULL, "x", 0, 0);
    expect_range(f, "k", NULL, NULL, 0, 0);

    holt_cursor *c = open_range(f, "d", "d", NULL);
    assert_false(holt_cursor_next(c));
    assert_false(holt_cursor_prev(c));
    assert_false(holt_cursor_seek(c, holt_str("d")));
    assert_false(holt_cursor_prev(c));
    assert_false(holt_cursor_seek_last(c, holt_str("d")));
    assert_false(holt_cursor_next(c));
    expect_entry(c, NULL, NULL);
    expect_ok(holt_cursor_close(c));
}

static void check_clamped_seeks(db_fixture *f)
{
    holt_cursor *c = open_range(f, "d", "i", NULL);
    assert_true(holt_cursor_seek(c, holt_str("")));
    expect_entry(c, "d", "d");
    assert_true(holt_cursor_seek_last(c, holt_str("z")));
    expect_entry(c, "h", "h");
    assert_false(holt_cursor_next(c));
    assert_false(holt_cursor_seek(c, holt_str("i")));
    assert_true(holt_cursor_prev(c));
    expect_entry(c, "h", "h");
    assert_false(holt_cursor_seek_last(c, holt_str("c")));
    assert_true(holt_cursor_next(c));
    expect_entry(c, "d", "d");
    assert_false(holt_cursor_prev(c));
    expect_ok(holt_cursor_close(c));
}

/* ---------------------------------------------------------------- each on every layout */

static void on_each_layout(void **state, void (*check)(db_fixture *f))
{
    db_fixture *f = (db_fixture *)*state;
    for (layout how = 0; how < LAYOUTS; how++) {
        lay_out(f, how);
        check(f);
    }
}

/* A fresh cursor is before the first and after the last entry at once. */
static void a_fresh_cursor_goes_first_with_next_and_last_with_prev(void **state)
{
    on_each_layout(state, check_fresh);
}

/* Past an end all iterators of a merge are exhausted; turning back must revive all of them. */
static void past_an_end_the_other_direction_returns_to_it(void **state)
{
    on_each_layout(state, check_ends);
}

/* A change of direction moves every iterator of a merge except the one at the cursor's entry. */
static void a_cursor_turns_at_any_entry(void **state)
{
    on_each_layout(state, check_turns);
}

/* Exact hits, gaps and ends are different cases of each block search. */
static void seeks_find_the_neighbour_on_their_side(void **state)
{
    on_each_layout(state, check_seeks);
}

/* The next move starts from where a seek that found nothing left the cursor. */
static void a_seek_that_finds_nothing_leaves_the_cursor_past_that_end(void **state)
{
    on_each_layout(state, check_failed_seeks);
}

/* Bounds must stop walks in both directions, and the first and last steps too. */
static void bounds_and_prefix_limit_every_move(void **state)
{
    on_each_layout(state, check_bounds);
}

/* In an empty range every move must still return cleanly. */
static void an_empty_range_shows_nothing(void **state)
{
    on_each_layout(state, check_empty_ranges);
}

/* A seek outside the range goes to its edge, not to an entry outside it. */
static void seeks_are_clamped_into_the_range(void **state)
{
    on_each_layout(state, check_clamped_seeks);
}

/* ---------------------------------------------------------------- bytes */

/* A prefix of 0xff bytes has no successor. */
static void a_prefix_of_ff_bytes_has_no_end(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    put(f->c, "\xfe", "no");
    put(f->c, "\xff", "no");
    put(f->c, "\xff\xff", "\xff\xff");
    put(f->c, "\xff\xff\xff\xff", "\xff\xff\xff\xff");
    static const char *const expected[] = {"\xff\xff", "\xff\xff\xff\xff"};
    for (int i = 0; i < 2; i++) {
        holt_cursor *c = open_range(f, NULL, NULL, "\xff\xff");
        expect_keys(c, expected, 2);
        expect_ok(holt_cursor_close(c));
        expect_ok(holt_flush(f->db));
    }
}

/* Empty is not absent: a key or a value may be empty, and its pointer is not NULL. */
static void empty_keys_and_values_are_entries(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    expect_ok(holt_put(f->c, NULL, holt_bytes(NULL, 0), holt_bytes(NULL, 0)));
    put(f->c, "a", "");
    for (int i = 0; i < 2; i++) {
        holt_cursor *c = open_cursor(f->c, NULL);
        assert_true(holt_cursor_first(c));
        expect_entry(c, "", "");
        assert_true(holt_cursor_seek(c, holt_bytes(NULL, 0)));
        expect_entry(c, "", "");
        assert_true(holt_cursor_next(c));
        expect_entry(c, "a", "");
        assert_true(holt_cursor_seek_last(c, holt_bytes(NULL, 0)));
        expect_entry(c, "", "");
        expect_ok(holt_cursor_close(c));
        expect_ok(holt_flush(f->db));
    }
}

/* As a bound, {NULL, 0} is open, while a pointer with size 0 is the empty key. */
static void an_empty_bound_is_not_an_open_one(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    put(f->c, "", "");
    put(f->c, "a", "a");
    static const char *const expected[] = {"", "a"};
    holt_cursor *c = open_range(f, "", NULL, NULL);
    expect_keys(c, expected, 2);
    expect_ok(holt_cursor_close(c));
    c = open_range(f, NULL, "", NULL);
    assert_false(holt_cursor_first(c));
    assert_false(holt_cursor_last(c));
    expect_ok(holt_cursor_close(c));
}

/* The caller may overwrite its bounds after the open. */
static void bounds_are_copied(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    lay_out(f, LAYOUT_ALTERNATING);
    char lower[] = "d", upper[] = "i";
    holt_cursor *c = open_range(f, lower, upper, NULL);
    lower[0] = 'z';
    upper[0] = 'a';
    expect_keys(c, keys + 1, 3);
    expect_ok(holt_cursor_close(c));
}

/* Without values: {NULL, 0}, even where the value is not empty. */
static void a_keys_only_cursor_has_no_values(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_cursor_options o = {.flags = HOLT_CURSOR_KEYS_ONLY};
    lay_out(f, LAYOUT_ALTERNATING);
    holt_cursor *c = NULL;
    expect_ok(holt_cursor_open(f->c, NULL, &o, &c));
    int count = 0;
    for (bool on = holt_cursor_first(c); on; on = holt_cursor_next(c), count++) {
        assert_non_null(holt_cursor_key(c).data);
        assert_memory_equal(holt_cursor_key(c).data, keys[count], 1);
        assert_null(holt_cursor_value(c).data);
        assert_int_equal(holt_cursor_value(c).size, 0);
    }
    assert_int_equal(count, KEYS);
    expect_ok(holt_cursor_close(c));
}

/* Values larger than a block are loaded by the move, forward and backward. */
static void large_values_are_shown_in_both_directions(void **state)
{
    enum { SIZE = 200000 };
    static char large[SIZE];
    db_fixture *f = (db_fixture *)*state;
    for (char k = 'a'; k <= 'e'; k++) {
        memset(large, k, SIZE);
        expect_ok(holt_put(f->c, NULL, holt_bytes(&k, 1), holt_bytes(large, SIZE)));
    }
    for (int round = 0; round < 2; round++) {
        holt_cursor *c = open_cursor(f->c, NULL);
        char k = 'a';
        for (bool on = holt_cursor_first(c); on; on = holt_cursor_next(c), k++) {
            memset(large, k, SIZE);
            assert_int_equal(holt_cursor_value(c).size, SIZE);
            assert_memory_equal(holt_cursor_value(c).data, large, SIZE);
        }
        assert_int_equal(k, 'f');
        for (bool on = holt_cursor_last(c); on; on = holt_cursor_prev(c))
            assert_memory_equal(holt_cursor_value(c).data, holt_cursor_key(c).data, 1);
        expect_ok(holt_cursor_close(c));
        expect_ok(holt_flush(f->db));
    }
}

/* ---------------------------------------------------------------- keys that are the cursor's own */

/* Links: the value of each key is another key. */
enum { LINKS = 4000, GROUPS = 10 };

static const char *link_key(int i, char *text, size_t size)
{
    snprintf(text, size, "%c%06d", 'a' + i * GROUPS / LINKS, i);
    return text;
}

static int link_target(int i)
{
    return (i * 2741 + 13) % LINKS;
}

static void put_links(holt_collection *c, int from, int step)
{
    char from_text[16], to_text[16];
    for (int i = from; i < LINKS; i += step)
        put(c, link_key(i, from_text, sizeof from_text), link_key(link_target(i), to_text, sizeof to_text));
}

/* The key that is sought is in the buffer into which the move copies the next entry. */
static void follow_links(holt_cursor *c)
{
    char text[16];
    int at = 0;
    assert_true(holt_cursor_first(c));
    for (int hop = 0; hop < LINKS; hop++) {
        assert_true(holt_cursor_seek(c, holt_cursor_value(c)));
        at = link_target(at);
        link_key(at, text, sizeof text);
        assert_int_equal(holt_cursor_key(c).size, strlen(text));
        assert_memory_equal(holt_cursor_key(c).data, text, strlen(text));
    }
}

/* From any entry to both ends of its group, by the first byte of its own key. */
static void seek_groups(holt_cursor *c)
{
    char text[16];
    for (int i = LINKS / GROUPS; i < LINKS; i += 37) {
        const int first = i * GROUPS / LINKS * (LINKS / GROUPS);
        for (int last = 0; last < 2; last++) {
            assert_true(holt_cursor_seek(c, holt_str(link_key(i, text, sizeof text))));
            holt_slice group = holt_bytes(holt_cursor_key(c).data, 1);
            assert_true(last ? holt_cursor_seek_last(c, group) : holt_cursor_seek(c, group));
            link_key(first - last, text, sizeof text);
            assert_memory_equal(holt_cursor_key(c).data, text, strlen(text));
        }
    }
}

static void check_own_keys(holt_collection *c, db_fixture *f)
{
    for (int round = 0; round < 3; round++) {
        put_links(c, round, round + 1); /* all; then some again, over cached runs and pages */
        expect_ok(holt_flush(f->db));
        holt_cursor *cursor = open_cursor(c, NULL);
        follow_links(cursor);
        seek_groups(cursor);
        expect_ok(holt_cursor_close(cursor));
    }
}

/* What a cursor shows is valid until its next move, so it may be the argument of that move. */
static void a_cursor_seeks_by_its_own_key_and_value(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    holt_collection_options options = {.kind = HOLT_BTREE};
    holt_collection *btree;
    expect_ok(holt_collection_create(f->db, "links", &options, &btree));
    check_own_keys(f->c, f);
    check_own_keys(btree, f);
    holt_collection_close(btree);
}

/* ---------------------------------------------------------------- time */

/* A cursor without a transaction is a snapshot: later changes are visible only after a refresh. */
static void a_cursor_sees_the_moment_it_was_opened_until_refreshed(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    lay_out(f, LAYOUT_MEMTABLE);
    holt_cursor *c = open_cursor(f->c, NULL);
    assert_true(holt_cursor_first(c));
    put(f->c, "a", "new");
    put(f->c, "d", "new");
    expect_ok(holt_delete(f->c, NULL, holt_str("j")));
    expect_entry(c, "b", "b"); /* valid until the next move */
    expect_keys(c, keys, KEYS);
    expect_ok(holt_flush(f->db));
    expect_keys(c, keys, KEYS);

    expect_ok(holt_cursor_refresh(c));
    expect_entry(c, NULL, NULL);
    assert_true(holt_cursor_next(c));
    expect_entry(c, "a", "new");
    assert_true(holt_cursor_seek(c, holt_str("d")));
    expect_entry(c, "d", "new");
    assert_true(holt_cursor_last(c));
    expect_entry(c, "h", "h");
    expect_ok(holt_cursor_close(c));
}

/* A refresh keeps the iterators while only the cursor's position has changed; puts and flushes in between
 * become visible. */
static void a_cursor_refreshed_again_and_again_sees_every_change(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    lay_out(f, LAYOUT_MEMTABLE);
    expect_ok(holt_flush(f->db));
    holt_cursor *c = open_cursor(f->c, NULL);
    for (int i = 0; i < 3; i++) { /* trees alone */
        assert_true(i == 1 ? holt_cursor_last(c) : holt_cursor_seek(c, holt_str("d")));
        expect_ok(holt_cursor_refresh(c));
        expect_entry(c, NULL, NULL);
        expect_keys(c, keys, KEYS);
    }
    put(f->c, "a", "in memory");
    expect_ok(holt_cursor_refresh(c));
    assert_true(holt_cursor_next(c));
    expect_entry(c, "a", "in memory");
    expect_ok(holt_flush(f->db));
    expect_ok(holt_cursor_refresh(c));
    expect_ok(holt_delete(f->c, NULL, holt_str("a")));
    assert_true(holt_cursor_next(c));
    expect_entry(c, "a", "in memory");
    expect_ok(holt_cursor_refresh(c));
    expect_keys(c, keys, KEYS);
    expect_ok(holt_collection_clear(f->c));
    expect_ok(holt_cursor_refresh(c));
    assert_false(holt_cursor_next(c));
    expect_ok(holt_cursor_close(c));
}

/* The moment of a transaction is fixed; a cursor in it cannot leave it. */
static void a_cursor_in_a_transaction_is_not_refreshed(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    lay_out(f, LAYOUT_MEMTABLE);
    holt_txn *t = begin(f->db, HOLT_TXN_READ_ONLY);
    put(f->c, "a", "new");
    holt_cursor *c = open_cursor(f->c, t);
    expect_status(HOLT_INVALID, holt_cursor_refresh(c));
    expect_keys(c, keys, KEYS);
    expect_ok(holt_cursor_close(c));
    holt_rollback(t);
}

/* Entries "00000", "00001" ... of 1,000 bytes in a run of many blocks, of which nothing but the index is in
 * memory. */
static void lay_out_cold(db_fixture *f, int count)
{
    static char value[1000];
    for (int i = 0; i < count; i++) {
        char key[16];
        snprintf(key, sizeof key, "%05d", i);
        expect_ok(holt_put(f->c, NULL, holt_str(key), holt_bytes(value, sizeof value)));
    }
    expect_ok(holt_compact(f->c, holt_str(NULL), holt_str(NULL)));
    db_fixture_reopen(f);
}

/* Skipping a damaged or unreadable block with status OK would lose rows silently. */
static void a_read_error_stays_until_the_next_first_last_or_seek(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    lay_out_cold(f, 200);
    holt_cursor *c = open_cursor(f->c, NULL);
    sim_fail(f->os, SIM_READ, 1, EIO, true);
    assert_false(holt_cursor_first(c));
    expect_status(HOLT_IO, holt_cursor_status(c));
    expect_words("run-");
    assert_false(holt_cursor_valid(c));
    assert_null(holt_cursor_key(c).data);

    sim_fail(f->os, SIM_READ, 0, 0, false);
    assert_false(holt_cursor_next(c));
    assert_false(holt_cursor_prev(c));
    expect_status(HOLT_IO, holt_cursor_status(c));
    int count = 0;
    for (bool on = holt_cursor_first(c); on; on = holt_cursor_next(c))
        count++;
    assert_int_equal(count, 200);
    expect_ok(holt_cursor_close(c));
}

/* The same in the middle of a walk, in both directions: the walk must not continue after the gap. */
static void a_read_error_in_the_middle_ends_the_walk_with_it(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    lay_out_cold(f, 1000);
    for (int backward = 0; backward < 2; backward++) {
        bool (*const move)(holt_cursor *) = backward ? holt_cursor_prev : holt_cursor_next;
        holt_cursor *c = open_cursor(f->c, NULL);
        int count = 0;
        while (count < 400 && move(c))
            count++;
        sim_fail(f->os, SIM_READ, 1, EIO, true);
        while (move(c))
            count++;
        sim_fail(f->os, SIM_READ, 0, 0, false);
        assert_true(count < 1000);
        expect_status(HOLT_IO, holt_cursor_status(c));
        expect_status(HOLT_IO, holt_cursor_close(c));
        db_fixture_reopen(f);
    }
}

/* A caller that forgets to check the cursor's status may still check that of its close. */
static void close_returns_the_error_of_the_cursor(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    lay_out_cold(f, 200);
    holt_cursor *c = open_cursor(f->c, NULL);
    sim_fail(f->os, SIM_READ, 1, EIO, true);
    assert_false(holt_cursor_last(c));
    sim_fail(f->os, SIM_READ, 0, 0, false);
    expect_status(HOLT_IO, holt_cursor_close(c));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, db_fixture_sim, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_fresh_cursor_goes_first_with_next_and_last_with_prev),
        TEST(past_an_end_the_other_direction_returns_to_it),
        TEST(a_cursor_turns_at_any_entry),
        TEST(seeks_find_the_neighbour_on_their_side),
        TEST(a_seek_that_finds_nothing_leaves_the_cursor_past_that_end),
        TEST(bounds_and_prefix_limit_every_move),
        TEST(an_empty_range_shows_nothing),
        TEST(seeks_are_clamped_into_the_range),
        TEST(a_prefix_of_ff_bytes_has_no_end),
        TEST(empty_keys_and_values_are_entries),
        TEST(an_empty_bound_is_not_an_open_one),
        TEST(bounds_are_copied),
        TEST(a_keys_only_cursor_has_no_values),
        TEST(large_values_are_shown_in_both_directions),
        TEST(a_cursor_seeks_by_its_own_key_and_value),
        TEST(a_cursor_sees_the_moment_it_was_opened_until_refreshed),
        TEST(a_cursor_refreshed_again_and_again_sees_every_change),
        TEST(a_cursor_in_a_transaction_is_not_refreshed),
        TEST(a_read_error_stays_until_the_next_first_last_or_seek),
        TEST(a_read_error_in_the_middle_ends_the_walk_with_it),
        TEST(close_returns_the_error_of_the_cursor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
