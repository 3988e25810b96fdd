/* test_serializable.c -- HOLT_TXN_SERIALIZABLE: what counts as read, key by key and range by range. */
#include "support/must.h"
#include "support/txn_fixture.h"

/* ---------------------------------------------------------------- serializable */

/* Each pair of transactions reads what the other writes; one of them must fail. */
static void write_skew_is_allowed_only_under_snapshot_isolation(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (int i = 0; i < 2 * KINDS; i++) {
        bool serializable = i / KINDS;
        holt_collection *c = filled(f, i % KINDS);
        holt_txn *a = begin(f->db, serializable ? HOLT_TXN_SERIALIZABLE : 0),
                 *b = begin(f->db, serializable ? HOLT_TXN_SERIALIZABLE : 0);
        expect_get(c, a, "b", "2");
        expect_get(c, b, "f", "6");
        put_in(c, a, "f", "by a");
        put_in(c, b, "b", "by b");
        expect_ok(commit_and_free(a));
        expect_status(serializable ? HOLT_CONFLICT : HOLT_OK, commit_and_free(b));
    }
}

/* A key that was found absent counts as read, and so does one that a condition has looked at in vain. */
static void absent_keys_count_as_read(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    const holt_put_options absent = {.flags = HOLT_PUT_IF_ABSENT};
    for (int kind = 0; kind < KINDS; kind++) {
        holt_collection *c = filled(f, kind);
        holt_txn *t = begin(f->db, HOLT_TXN_SERIALIZABLE);
        expect_get(c, t, "nothing", NULL);
        put_in(c, t, "a", "1");
        put(c, "nothing", "something");
        expect_status(HOLT_CONFLICT, commit_and_free(t));

        t = begin(f->db, HOLT_TXN_SERIALIZABLE);
        expect_status(HOLT_EXISTS, holt_put_with(c, t, holt_str("d"), holt_str("x"), &absent));
        put_in(c, t, "a", "1");
        delete_in(c, NULL, "d");
        expect_status(HOLT_CONFLICT, commit_and_free(t));
        expect_get(c, NULL, "a", NULL);
    }
}

typedef struct scan_case {
    const char *lower, *upper, *moves;  /* f first, l last, n next, p prev, ( seek c, ) seek_last c, [ seek to
                                          a, ] seek_last to z */
    const char *conflicting, *harmless; /* keys, one letter each */
} scan_case;

/* What each walk over b, d, f has read: keys that were written by another afterwards conflict if they lie
 * there, though nothing was there. */
static const scan_case scans[] = {
    {NULL, NULL, "f", "ab", "cdefg"},    {NULL, NULL, "fn", "abcd", "efg"},
    {NULL, NULL, "fnn", "abcdef", "g"},  {NULL, NULL, "fnnn", "abcdefgz", ""},
    {NULL, NULL, "l", "fgz", "abcde"},   {NULL, NULL, "lp", "defgz", "abc"},
    {NULL, NULL, "lpp", "bcdefgz", "a"}, {NULL, NULL, "lppp", "abcdefgz", ""},
    {NULL, NULL, "(", "cd", "abefg"},    {NULL, NULL, "(n", "cdef", "abg"},
    {NULL, NULL, "(p", "bcd", "aefg"},   {NULL, NULL, "(pn", "bcd", "aefg"},
    {NULL, NULL, "(pnn", "bcdef", "ag"}, {NULL, NULL, ")", "bc", "adefg"},
    {NULL, NULL, ")n", "bcd", "aefg"},   {NULL, NULL, ")p", "abc", "defg"},
    {NULL, NULL, "n", "ab", "cdefg"},    {NULL, NULL, "p", "fgz", "abcde"},
    {"c", "e", "f", "cd", "abefg"},      {"c", "e", "fn", "cd", "abefg"},
    {"c", "e", "l", "d", "abcefg"},      {"c", "e", "lp", "cd", "abefg"},
    {"c", "e", "[", "cd", "abefg"},      {"c", "e", "]", "d", "abcefg"},
    {"x", "z", "f", "xy", "abcdefgz"},   {"x", "z", "l", "xy", "abcdefgz"},
    {"x", "z", "[", "xy", "abcdefgz"},   {"g", "k", "]", "gh", "abcdefkz"},
    {"c", "c", "f", "", "abcdefg"},      {"c", "e", "(l", "cd", "abefg"},
    {NULL, NULL, "()", "bcd", "aefg"},
};

static void walk(holt_cursor *cur, const char *moves)
{
    for (; *moves; moves++) {
        switch (*moves) {
        case 'f':
            holt_cursor_first(cur);
            break;
        case 'l':
            holt_cursor_last(cur);
            break;
        case 'n':
            holt_cursor_next(cur);
            break;
        case 'p':
            holt_cursor_prev(cur);
            break;
        default:
            if (*moves == '(' || *moves == '[')
                holt_cursor_seek(cur, holt_str(*moves == '(' ? "c" : "a"));
            else
                holt_cursor_seek_last(cur, holt_str(*moves == ')' ? "c" : "z"));
        }
        expect_ok(holt_cursor_status(cur));
    }
}

static void check_scan(db_fixture *f, int kind, const scan_case *s, char written, bool conflicts)
{
    holt_collection *c = filled(f, kind);
    const char key[2] = {written, 0};
    holt_cursor *cur;
    const holt_cursor_options o = {.lower = holt_str(s->lower), .upper = holt_str(s->upper)};
    holt_txn *t = begin(f->db, HOLT_TXN_SERIALIZABLE);
    expect_ok(holt_cursor_open(c, t, &o, &cur));
    walk(cur, s->moves);
    put(c, key, "other");
    put_in(f->c, t, "own", "1");
    holt_status rc = holt_commit(t);
    if (rc != (conflicts ? HOLT_CONFLICT : HOLT_OK))
        fail_msg("%s to %s, moves %s, then %s written: %s", s->lower ? s->lower : "",
                 s->upper ? s->upper : "", s->moves, key, holt_status_name(rc));
    holt_cursor_close(cur);
    holt_rollback(t);
}

static void ranges_that_were_scanned_count_as_read(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    for (size_t i = 0; i < KINDS * sizeof scans / sizeof *scans; i++) {
        const scan_case *s = &scans[i / KINDS];
        for (const char *key = s->conflicting; *key; key++)
            check_scan(f, (int)(i % KINDS), s, *key, true);
        for (const char *key = s->harmless; *key; key++)
            check_scan(f, (int)(i % KINDS), s, *key, false);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TXN_TEST(write_skew_is_allowed_only_under_snapshot_isolation),
        TXN_TEST(absent_keys_count_as_read),
        TXN_TEST(ranges_that_were_scanned_count_as_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
