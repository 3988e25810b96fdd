/* test_isolation_checker.c -- the isolation checker finds each anomaly where it is planted, and nothing else.
 *
 * Histories are written as in the literature, an event after the other:
 *     i(xy)         T0 writes x and y, and commits
 *     b1  b1!       T1 begins; ! serializable. Otherwise with its first operation
 *     r1(x=0)       T1 reads x and sees T0's last version so far; 0': the one before it; - : nothing
 *     w1(x) d1(x)   T1 writes, deletes x
 *     s1(a-d:b=0)   T1 scans the keys a to d and sees b
 *     p1(7) q1(7)   T1 sets a savepoint, rolls back to it
 *     c1 a1 ?1      T1 commits, fails, ends in a way that nobody knows
 *     o(x:1<2)      a value says that T1's version of x was replaced by T2's
 * With @ in front, the order of the events is known as real time; otherwise nothing is known of time.
 */
#include "base/random.h"
#include "support/isolation/isolation.h"
#include "support/must.h"
#include "support/seed.h"

#include <stdio.h>

enum { TXNS = 10 };

/* ---------------------------------------------------------------- reading a history */

typedef struct reader {
    iso_history *history;
    iso_txn *txns[TXNS];
    uint32_t last_put[TXNS][128]; /* by key */
    uint32_t put_before[TXNS][128];
    uint64_t time;
    bool timed;
} reader;

static iso_span span_of(reader *r)
{
    iso_span s = {0, 0};
    if (!r->timed) return s;
    s.asked = ++r->time;
    s.returned = ++r->time;
    return s;
}

static iso_txn *txn_of(reader *r, unsigned number, iso_level level)
{
    if (!r->txns[number]) r->txns[number] = iso_begin(r->history, number, level, span_of(r));
    return r->txns[number];
}

static void put_key(reader *r, unsigned number, char key)
{
    iso_txn *t = txn_of(r, number, ISO_SNAPSHOT);
    r->put_before[number][(int)key] = r->last_put[number][(int)key];
    r->last_put[number][(int)key] = iso_next(t).op;
    iso_put(t, (iso_key)key, span_of(r));
}

static void write_initial(reader *r, const char *keys)
{
    for (; *keys != ')'; keys++)
        put_key(r, 0, *keys);
    iso_end(r->txns[0], ISO_COMMITTED, span_of(r));
}

/* x=0, x=0' or x=- */
static iso_item item_of(const reader *r, const char *text)
{
    unsigned number = (unsigned)(text[2] - '0');
    int key = text[0];
    if (text[2] == '-') return (iso_item){(iso_key)key, ISO_ABSENT};
    uint32_t op = text[3] == '\'' ? r->put_before[number][key] : r->last_put[number][key];
    return (iso_item){(iso_key)key, {number, op}};
}

/* a-d:b=0,c=1 */
static void scan(reader *r, iso_txn *t, const char *text)
{
    iso_item items[8];
    size_t count = 0;
    for (const char *at = text + 3; *at == ':' || *at == ','; at += 4)
        if (at[1] != ')') items[count++] = item_of(r, at + 1);
    iso_range(t, (iso_key)text[0], (iso_key)text[2] + 1, items, count, span_of(r));
}

static void order(reader *r, const char *text)
{
    unsigned first = (unsigned)(text[2] - '0'), second = (unsigned)(text[4] - '0');
    int key = text[0];
    iso_order(r->history, (iso_key)key, (iso_version){first, r->last_put[first][key]},
              (iso_version){second, r->last_put[second][key]});
}

static void read_event(reader *r, const char *e)
{
    const char *arguments = e + 3;
    if (e[0] == 'i') {
        write_initial(r, e + 2);
        return;
    }
    if (e[0] == 'o') {
        order(r, e + 2);
        return;
    }
    unsigned number = (unsigned)(e[1] - '0');
    iso_txn *t = txn_of(r, number, e[0] == 'b' && e[2] == '!' ? ISO_SERIALIZABLE : ISO_SNAPSHOT);
    iso_item item;
    switch (e[0]) {
    case 'b':
        break;
    case 'r':
        item = item_of(r, arguments);
        iso_read(t, item.key, item.version, span_of(r));
        break;
    case 'w':
        put_key(r, number, arguments[0]);
        break;
    case 'd':
        iso_delete(t, (iso_key)arguments[0], span_of(r));
        break;
    case 's':
        scan(r, t, arguments);
        break;
    case 'p':
        iso_savepoint(t, (uint32_t)arguments[0]);
        break;
    case 'q':
        iso_rollback_to(t, (uint32_t)arguments[0]);
        break;
    default:
        iso_end(t, e[0] == 'c' ? ISO_COMMITTED : e[0] == 'a' ? ISO_ABORTED : ISO_UNKNOWN, span_of(r));
    }
}

static iso_history *read_history(const char *text)
{
    reader r = {.history = iso_create(), .timed = text[0] == '@'};
    char *copy = must_copy_string(text + r.timed), *rest = copy;
    for (char *event = strtok_r(rest, " ", &rest); event; event = strtok_r(NULL, " ", &rest))
        read_event(&r, event);
    free(copy);
    return r.history;
}

/* ---------------------------------------------------------------- planted anomalies */

#define NOTHING ISO_KINDS

typedef struct planted {
    const char *name;
    iso_kind found, allowed; /* the only kind of each, or NOTHING */
    const char *history;
} planted;

static const planted cases[] = {
    {"G0", ISO_DIRTY_WRITE, NOTHING, "w1(x) w2(x) w2(y) w1(y) c1 c2 r3(x=2) r3(y=1) c3 o(x:1<2) o(y:2<1)"},
    {"G1a", ISO_ABORTED_READ, NOTHING, "w1(x) r2(x=1) a1 c2"},
    {"G1a by a scan", ISO_ABORTED_READ, NOTHING, "w1(x) s2(w-z:x=1) a1 c2"},
    {"G1a of what a savepoint undid", ISO_ABORTED_READ, NOTHING, "p1(1) w1(x) q1(1) r2(x=1) c1 c2"},
    {"G1a of the transaction's own", ISO_ABORTED_READ, NOTHING, "p1(1) w1(x) q1(1) r1(x=1) c1"},
    {"G1a found in a list of writers", ISO_ABORTED_READ, NOTHING, "w1(x) a1 w2(x) c2 o(x:1<2)"},
    {"G1b", ISO_INTERMEDIATE_READ, NOTHING, "w1(x) r2(x=1) w1(x) c1 c2"},
    {"G1c", ISO_CIRCULAR, NOTHING, "w1(x) w2(y) r1(y=2) r2(x=1) c1 c2"},
    {"G1c of three", ISO_CIRCULAR, NOTHING, "w1(x) w2(y) w3(z) r1(z=3) r2(x=1) r3(y=2) c1 c2 c3"},
    {"G1c by an unknown outcome", ISO_CIRCULAR, NOTHING, "w1(x) w2(y) r1(y=2) r2(x=1) ?1 ?2"},
    {"a dirty read", ISO_DIRTY_READ, NOTHING, "@b1 w1(x) b2 r2(x=1) c1 c2"},
    {"a read after the snapshot", ISO_LATE_READ, NOTHING, "@b2 b1 w1(x) c1 r2(x=1) c2"},
    {"a lost update", ISO_LOST_UPDATE, NOTHING, "i(x) r1(x=0) r2(x=0) w1(x) w2(x) c1 c2"},
    {"a lost update of a scanned key", ISO_LOST_UPDATE, NOTHING,
     "i(x) s1(w-z:x=0) r2(x=0) w1(x) w2(x) c1 c2"},
    {"a lost blind write", ISO_LOST_UPDATE, NOTHING, "@i(x) b1 b2 r1(x=0) w2(x) c2 w1(x) c1"},
    {"a lost insert", ISO_LOST_UPDATE, NOTHING, "r1(x=-) r2(x=-) w1(x) w2(x) c1 c2"},
    {"a lost delete", ISO_LOST_UPDATE, NOTHING, "i(x) r1(x=0) r2(x=0) d1(x) w2(x) c1 c2"},
    {"a lost update, found in lists of writers", ISO_LOST_UPDATE, NOTHING,
     "w1(x) w2(x) c1 c2 o(x:1<2) o(x:2<1)"},
    {"a fractured read", ISO_FRACTURED_READ, NOTHING,
     "i(xy) r1(x=0) r1(y=0) w1(x) w1(y) c1 r2(x=1) r2(y=0) c2"},
    {"a fractured scan", ISO_FRACTURED_READ, NOTHING, "i(y) r1(y=0) w1(y) w1(x) c1 s2(x-y:y=1) c2"},
    {"a fractured read of a delete", ISO_FRACTURED_READ, NOTHING,
     "@i(xy) b1 r1(x=0) r1(y=0) d1(x) w1(y) b2 c1 r2(x=-) r2(y=0) c2"},
    {"a fractured read of a transaction that fails", ISO_FRACTURED_READ, NOTHING,
     "i(xy) r1(x=0) r1(y=0) w1(x) w1(y) c1 r2(x=1) r2(y=0) a2"},
    {"read skew", ISO_READ_SKEW, NOTHING,
     "i(xy) r1(x=0) w1(x) c1 r2(x=1) r2(y=0) w2(y) c2 r3(x=0) r3(y=2) c3"},
    {"a stale read", ISO_REAL_TIME, NOTHING, "@i(x) b1 r1(x=0) w1(x) c1 b2 r2(x=0) c2"},
    {"a scan that misses a key", ISO_REAL_TIME, NOTHING, "@b1 w1(x) c1 b2 s2(w-z:) c2"},
    {"a get that misses a key", ISO_REAL_TIME, NOTHING, "@b1 w1(x) c1 b2 r2(x=-) c2"},
    {"a deleted key that returns", ISO_REAL_TIME, NOTHING, "@i(x) b1 r1(x=0) d1(x) c1 b2 r2(x=0) c2"},
    {"a long fork", ISO_NON_ADJACENT, NOTHING,
     "i(xy) r1(x=0) w1(x) c1 r2(y=0) w2(y) c2 r3(x=1) r3(y=0) c3 r4(x=0) r4(y=2) c4"},
    {"write skew", NOTHING, ISO_WRITE_SKEW, "i(xy) r1(x=0) r1(y=0) r2(x=0) r2(y=0) w1(x) w2(y) c1 c2"},
    {"write skew of serializable transactions", ISO_WRITE_SKEW, NOTHING,
     "b1! b2! i(xy) r1(x=0) r1(y=0) r2(x=0) r2(y=0) w1(x) w2(y) c1 c2"},
    {"write skew in which one is not serializable", NOTHING, ISO_WRITE_SKEW,
     "b1! b2 i(xy) r1(x=0) r1(y=0) r2(x=0) r2(y=0) w1(x) w2(y) c1 c2"},
    {"write skew of three", NOTHING, ISO_WRITE_SKEW,
     "i(xyz) r1(y=0) r2(z=0) r3(x=0) r1(x=0) w1(x) r2(y=0) w2(y) r3(z=0) w3(z) c1 c2 c3"},
    {"write skew seen only by a reader", ISO_WRITE_SKEW, NOTHING,
     "b1! b2! i(xy) r2(x=0) r2(y=0) r1(y=0) w1(y) c1 r3(x=0) r3(y=1) c3 w2(x) c2"},
    {"write skew on keys that are absent", ISO_WRITE_SKEW, NOTHING,
     "b1! b2! r1(x=-) r2(y=-) w1(y) w2(x) c1 c2"},
    {"a phantom in an empty range", NOTHING, ISO_PHANTOM, "s1(a-c:) s2(d-f:) w1(d) w2(a) c1 c2"},
    {"a phantom in an empty range, serializable", ISO_PHANTOM, NOTHING,
     "b1! b2! s1(a-c:) s2(d-f:) w1(d) w2(a) c1 c2"},
    {"a phantom between other keys", ISO_PHANTOM, NOTHING,
     "b1! b2! i(be) s1(a-c:b=0) s2(d-f:e=0) w1(d) w2(a) c1 c2"},
    {"a phantom in a range that was deleted twice", ISO_PHANTOM, NOTHING,
     "@i(x) b5 b6 d5(x) d6(x) c5 c6 b1! b2! s1(w-x:) s2(y-z:) w1(y) w2(x) c1 c2"},
    {"a key that a scan saw and that is deleted", ISO_WRITE_SKEW, NOTHING,
     "@i(be) b1! b2! s1(a-c:b=0) s2(d-f:e=0) d1(e) d2(b) c1 c2"},
    {"own puts unseen", ISO_INTERNAL, NOTHING, "i(x) w1(x) r1(x=0) c1"},
    {"own inserts unseen", ISO_INTERNAL, NOTHING, "w1(x) r1(x=-) c1"},
    {"own deletes unseen", ISO_INTERNAL, NOTHING, "i(x) d1(x) r1(x=0) c1"},
    {"own puts unseen by a scan", ISO_INTERNAL, NOTHING, "w1(x) s1(w-z:) c1"},
    {"own deletes unseen by a scan", ISO_INTERNAL, NOTHING, "i(x) d1(x) s1(w-z:x=0) c1"},
    {"own puts lost by another savepoint", ISO_INTERNAL, NOTHING, "i(x) w1(x) p1(1) w1(y) q1(1) r1(x=0) c1"},
    {"two versions of a key", ISO_UNREPEATABLE_READ, NOTHING, "i(x) r1(x=0) r2(x=0) w2(x) c2 r1(x=2) c1"},
    {"a scan that shows more the second time", ISO_UNREPEATABLE_READ, NOTHING,
     "s1(a-c:) w2(b) c2 s1(a-c:b=2) c1"},
    {"a version of nobody", ISO_GARBAGE_READ, NOTHING, "r1(x=9) c1"},
};

static void say(const planted *p, const iso_report *r)
{
    print_error("%s: %s\n", p->name, p->history);
    for (int kind = 0; kind < ISO_KINDS; kind++)
        if (r->found[kind] || r->allowed[kind])
            print_error("    %s: %llu, and %llu allowed\n", iso_kind_name((iso_kind)kind),
                        (unsigned long long)r->found[kind], (unsigned long long)r->allowed[kind]);
    for (int i = 0; i < ISO_EXPLAINED_MAX && r->explained[i]; i++)
        print_error("%s\n", r->explained[i]);
}

static bool is_as_planted(const planted *p, const iso_report *r)
{
    bool good = r->unresolved == 0;
    for (int kind = 0; kind < ISO_KINDS; kind++)
        good &= (r->found[kind] > 0) == (p->found == (iso_kind)kind) &&
                (r->allowed[kind] > 0) == (p->allowed == (iso_kind)kind);
    return good && (r->explained[0] != NULL) == (p->found != NOTHING) &&
           (r->example != NULL) == (p->allowed != NOTHING);
}

static void expect_planted(const planted *p)
{
    iso_history *h = read_history(p->history);
    iso_report *r = iso_check(h);
    if (!is_as_planted(p, r)) {
        say(p, r);
        fail();
    }
    iso_report_destroy(r);
    iso_destroy(h);
}

/* An anomaly that the checker takes for another one, or does not see, would be one that a test of the engine
 * misses. */
static void each_planted_anomaly_is_found_and_no_other(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_planted(&cases[i]);
}

/* ---------------------------------------------------------------- histories without fault */

static const char *const clean[] = {
    "",
    "i(xy) r1(x=0) w1(x) c1 r2(x=1) r2(y=0) c2",
    /* a snapshot, and what is committed beside it */
    "@i(xy) b1 b2 r2(x=0) w2(x) c2 r1(x=0) r1(y=0) c1",
    /* rolled back to a savepoint, which leaves the versions before it */
    "i(x) w1(y) p1(1) w1(x) r1(x=1) q1(1) r1(x=0) r1(y=1) c1 r2(x=0) r2(y=1) c2",
    "p1(1) w1(x) p1(2) w1(x) q1(2) q1(1) r1(x=-) c1 s2(w-z:) c2",
    "w1(x) p1(1) w1(x) q1(1) r1(x=1') c1",
    /* deletes and new beginnings, which time alone tells apart */
    "@b1 w1(x) c1 b2 r2(x=1) d2(x) c2 b3 r3(x=-) w3(x) c3 b4 r4(x=3) d4(x) c4 b5 r5(x=-) s5(w-z:) c5",
    "@i(x) b1 b2 r2(x=0) d2(x) c2 b3 r3(x=-) c3 r1(x=0) c1",
    /* blind writes at the same time, of which either may be the last */
    "w1(x) w2(x) c1 c2 r3(x=1) c3",
    /* an unknown outcome that nobody saw, and one that was seen */
    "w1(x) ?1 r2(x=-) c2",
    "w1(x) ?1 r2(x=1) c2",
    /* what failed has written nothing */
    "i(x) r1(x=0) r2(x=0) w1(x) w2(x) c1 a2 r3(x=1) c3",
    /* a serializable transaction that another one precedes */
    "b1! b2! i(xy) r1(x=0) r1(y=0) r2(y=0) w1(x) w2(z) c1 c2",
    "b1! b2! s1(a-c:) w1(d) s2(a-c:) w2(e) c1 c2",
};

static void histories_without_fault_are_found_clean(void **state)
{
    for (size_t i = 0; i < sizeof clean / sizeof *clean; i++) {
        planted p = {"clean", NOTHING, NOTHING, clean[i]};
        expect_planted(&p);
    }
}

/* The words must name the transactions, the key and the versions: without them nobody finds the defect. */
static void a_cycle_is_explained(void **state)
{
    iso_history *h = read_history("@i(xy) b1! b2! r1(x=0) r1(y=0) r2(x=0) r2(y=0) w1(x) w2(y) c1 c2");
    iso_report *r = iso_check(h);
    assert_non_null(r->explained[0]);
    const char *const words[] = {
        "write skew (G2-item): each of these transactions must come before the next one:",
        "T1 before T2: key 0/121: T1 saw T0.1, which T2 replaced by T2.2 [rw]",
        "T2 before T1: key 0/120: T2 saw T0.0, which T1 replaced by T1.2 [rw]",
        "T1: serializable, committed, begun 9..10, ended 25..26",
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strstr(r->explained[0], words[i])) fail_msg("\"%s\" is not in:\n%s", words[i], r->explained[0]);
    iso_report_destroy(r);
    iso_destroy(h);
}

/* ---------------------------------------------------------------- random serial histories */

enum { KEYS = 12, SERIAL = 300, READS_MAX = 6 };

/* Transactions one after the other, except that one of them (`wrong`) reads its last key as it was before the
 * last change. Returns whether there was such a version to read. */
static bool write_serial(iso_history *h, rng *r, uint32_t wrong)
{
    iso_version now[KEYS], before[KEYS];
    uint64_t time = 0;
    bool spoilt = false;
    for (int k = 0; k < KEYS; k++)
        now[k] = before[k] = ISO_ABSENT;
    for (uint32_t id = 0; id < SERIAL; id++) {
        iso_span span = {time + 1, time + 2};
        iso_txn *t = iso_begin(h, id, ISO_SERIALIZABLE, span);
        for (uint64_t i = 1 + rng_below(r, READS_MAX); i > 0; i--) {
            uint64_t k = rng_below(r, KEYS);
            bool spoil = id >= wrong && !spoilt && now[k].txn != id && before[k].txn != now[k].txn;
            iso_read(t, k, spoil ? before[k] : now[k], span);
            spoilt |= spoil;
            if (spoil || rng_chance(r, 2)) continue;
            bool delete = rng_chance(r, 4) && now[k].txn != UINT32_MAX;
            if (now[k].txn != id) before[k] = now[k];
            now[k] = delete ? ISO_ABSENT : iso_next(t);
            if (delete)
                iso_delete(t, k, span);
            else
                iso_put(t, k, span);
        }
        iso_end(t, ISO_COMMITTED, (iso_span){time + 3, time + 4});
        time += 4;
    }
    return spoilt;
}

static void serial_histories_are_clean_and_one_wrong_read_is_seen(void **state)
{
    rng r;
    rng_seed(&r, test_seed());
    for (int i = 0; i < 40; i++) {
        iso_history *h = iso_create();
        bool spoilt = write_serial(h, &r, i % 2 ? SERIAL / 2 : SERIAL);
        iso_report *report = iso_check(h);
        for (int j = 0; j < ISO_EXPLAINED_MAX && report->explained[j] && !spoilt; j++)
            print_error("%s\n", report->explained[j]);
        assert_int_equal(iso_found(report) > 0, spoilt);
        assert_true(spoilt || !report->example);
        assert_int_equal(report->transactions, SERIAL);
        iso_report_destroy(report);
        iso_destroy(h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_planted_anomaly_is_found_and_no_other),
        cmocka_unit_test(histories_without_fault_are_found_clean),
        cmocka_unit_test(a_cycle_is_explained),
        cmocka_unit_test(serial_histories_are_clean_and_one_wrong_read_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
