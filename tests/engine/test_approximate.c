/* test_approximate.c -- estimates of what a key range holds, compared with exact counts. */
#include "base/random.h"
#include "base/range_estimate.h"
#include "db/open/open.h"
#include "memtable/memtable.h"
#include "os/sim/sim.h"
#include "support/expect.h"
#include "support/must.h"
#include "support/seed.h"

#include <stdio.h>
#include <stdlib.h>

enum { ENTRIES = 60000, KEY_BYTES = 24, VALUE_BYTES_MAX = 160 };

/* A collection whose keys ascend with their numbers, and the size of each entry. */
typedef struct sized_entries {
    os *os;
    holt *db;
    holt_collection *c;
    rng chance;
    uint32_t sizes[ENTRIES];
    uint64_t before[ENTRIES + 1]; /* sums over the entries that exist */
    uint64_t bytes_before[ENTRIES + 1];
} sized_entries;

static sized_entries *sized_entries_create(uint32_t kind, uint32_t block_bytes, uint64_t memory_bytes)
{
    sim_options machine = {.seed = 1};
    sized_entries *s = (sized_entries *)must_alloc(sizeof *s);
    s->os = sim_create(&machine);
    rng_seed(&s->chance, test_seed());
    holt_options o = {.memory_bytes = memory_bytes, .durability = HOLT_PROCESS};
    holt_collection_options co = {.kind = kind, .block_bytes = block_bytes};
    expect_ok(holt_open_on(s->os, "/db", &o, &s->db));
    expect_ok(holt_collection_create(s->db, "c", &co, &s->c));
    return s;
}

static void sized_entries_destroy(sized_entries *s)
{
    expect_ok(holt_close(s->db));
    sim_destroy(s->os);
    free(s);
}

/* Key numbers go up in steps, so that there are keys between them. */
static holt_slice key_of(uint64_t number, char key[KEY_BYTES])
{
    snprintf(key, KEY_BYTES, "key%012llu", (unsigned long long)number);
    return holt_str(key);
}

static void put_entry(sized_entries *s, uint32_t i)
{
    static char value[VALUE_BYTES_MAX];
    char key[KEY_BYTES];
    expect_ok(holt_put(s->c, NULL, key_of((uint64_t)i * 10, key), holt_bytes(value, s->sizes[i])));
}

static void sum_up(sized_entries *s, bool (*is_there)(uint32_t i))
{
    for (uint32_t i = 0; i < ENTRIES; i++) {
        bool there = !is_there || is_there(i);
        s->before[i + 1] = s->before[i] + there;
        s->bytes_before[i + 1] = s->bytes_before[i] + (there ? s->sizes[i] + 15 : 0);
    }
}

static void shuffle(rng *chance, uint32_t *numbers, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        numbers[i] = i;
    for (uint32_t i = count - 1; i > 0; i--) {
        uint32_t j = (uint32_t)rng_below(chance, i + 1), keep = numbers[i];
        numbers[i] = numbers[j];
        numbers[j] = keep;
    }
}

/* In random order; sizes change from region to region, so that leaves hold more or fewer of them. */
static void fill(sized_entries *s, bool random_order)
{
    uint32_t *order = (uint32_t *)must_alloc(ENTRIES * sizeof *order);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        s->sizes[i] = i / (ENTRIES / 6) % 2 ? 40 : 60 + (uint32_t)rng_below(&s->chance, 100);
        order[i] = i;
    }
    if (random_order) shuffle(&s->chance, order, ENTRIES);
    for (uint32_t i = 0; i < ENTRIES; i++)
        put_entry(s, order[i]);
    free(order);
}

/* ---------------------------------------------------------------- comparing */

static double off_by(uint64_t got, uint64_t expected)
{
    return expected ? ((double)got - (double)expected) / (double)expected : (double)got;
}

/* [from, to) in entries. */
static void compare_range(sized_entries *s, uint32_t from, uint32_t to, double tolerance, double *worst)
{
    char begin[KEY_BYTES], end[KEY_BYTES];
    uint64_t bytes, entries, expected = s->before[to] - s->before[from];
    /* Sometimes between two keys. */
    uint64_t begin_number = (uint64_t)from * 10 - (from > 0 ? rng_below(&s->chance, 9) : 0);
    uint64_t end_number = (uint64_t)to * 10 - (to > from ? rng_below(&s->chance, 9) : 0);
    if (begin_number > end_number) return;
    expect_ok(
        holt_approximate_size(s->c, key_of(begin_number, begin), key_of(end_number, end), &bytes, &entries));
    double off = off_by(entries, expected);
    if (off > *worst || -off > *worst) *worst = off < 0 ? -off : off;
    if (off > tolerance || -off > tolerance) {
        print_error("[%u, %u): %llu entries estimated, %llu there\n", from, to, (unsigned long long)entries,
                    (unsigned long long)expected);
        fail();
    }
    /* Blocks are not full, and a range begins and ends in the middle of one. */
    uint64_t data = s->bytes_before[to] - s->bytes_before[from];
    if (expected > 1000) assert_in_range(bytes, data * 8 / 10, data * 3);
}

static void compare_ranges(sized_entries *s, uint32_t least, double tolerance)
{
    double worst = 0;
    for (int i = 0; i < 400; i++) {
        uint32_t from = (uint32_t)rng_below(&s->chance, ENTRIES - least);
        uint32_t most = ENTRIES - from;
        if (rng_chance(&s->chance, 2) && most > 4 * least) most = 4 * least;
        uint32_t to = from + least + (uint32_t)rng_below(&s->chance, most - least + 1);
        compare_range(s, from, to, tolerance, &worst);
    }
    print_message("ranges of %u and more: off by %.1f %% at worst\n", least, worst * 100);
}

/* A range outside all keys, or an empty one, has nothing in it; and small ranges are counted exactly. */
static void compare_edges(sized_entries *s)
{
    char a[KEY_BYTES], b[KEY_BYTES];
    uint64_t bytes, entries;
    double worst = 0;
    const holt_slice open = {NULL, 0};
    expect_ok(holt_approximate_size(s->c, holt_str("a"), holt_str("b"), &bytes, &entries));
    assert_int_equal(bytes + entries, 0);
    expect_ok(holt_approximate_size(s->c, holt_str("x"), open, &bytes, &entries));
    assert_int_equal(bytes + entries, 0);
    expect_ok(holt_approximate_size(s->c, open, holt_str("key"), &bytes, &entries));
    assert_int_equal(bytes + entries, 0);
    expect_ok(holt_approximate_size(s->c, key_of(70, a), key_of(70, b), &bytes, &entries));
    assert_int_equal(bytes + entries, 0);
    expect_ok(holt_approximate_size(s->c, key_of(700, a), key_of(70, b), &bytes, &entries));
    assert_int_equal(bytes + entries, 0);
    for (int i = 0; i < 200; i++) {
        uint32_t from = (uint32_t)rng_below(&s->chance, ENTRIES - 60);
        compare_range(s, from, from + (uint32_t)rng_below(&s->chance, 60), 0, &worst);
    }
    expect_ok(holt_approximate_size(s->c, open, open, &bytes, &entries));
    assert_int_equal(entries, s->before[ENTRIES]);
}

static void compare_settled(sized_entries *s)
{
    sum_up(s, NULL);
    compare_edges(s);
    compare_ranges(s, 300, 0.2);
    compare_ranges(s, ENTRIES / 20, 0.2);
}

/* ---------------------------------------------------------------- tests */

/* Full leaves, in a tree whose last nodes of each level are not full: by the positions of the children alone
 * they would all count the same. */
static void a_merged_run_is_estimated_within_a_fifth(void **state)
{
    static const uint32_t block_bytes[] = {4096, 16384, 65536};
    for (int i = 0; i < 3; i++) {
        sized_entries *s = sized_entries_create(HOLT_LSM, block_bytes[i], 8 << 20);
        fill(s, true);
        expect_ok(holt_compact(s->c, holt_bytes(NULL, 0), holt_bytes(NULL, 0)));
        compare_settled(s);
        sized_entries_destroy(s);
    }
}

/* Leaves and nodes that are between half and completely full, depending on the order of the puts. */
static void a_btree_is_estimated_within_a_fifth(void **state)
{
    static const uint32_t block_bytes[] = {4096, 16384};
    for (int i = 0; i < 4; i++) {
        sized_entries *s = sized_entries_create(HOLT_BTREE, block_bytes[i / 2], 8 << 20);
        fill(s, i % 2 == 0);
        expect_ok(holt_flush(s->db));
        compare_settled(s);
        sized_entries_destroy(s);
    }
}

/* ---------------------------------------------------------------- in memory */

enum { COLLECTION = 7 };

static void insert(memtable *m, uint32_t number, uint64_t seqno, entry_op op)
{
    char key[KEY_BYTES];
    memtable_entry e = {
        .collection = COLLECTION, .op = (uint8_t)op, .seqno = seqno, .key = key_of(number, key)};
    if (op == ENTRY_PUT) e.value = holt_bytes("0123456789", 10);
    expect_ok(memtable_insert(m, &e, NULL));
}

static estimate_sums estimate_of(memtable *m, uint64_t seqno, uint64_t after, uint32_t from, uint32_t to)
{
    char begin[KEY_BYTES], end[KEY_BYTES];
    estimate_sums sums = {0};
    memtable_estimate(m, COLLECTION, seqno, after, key_of(from, begin), key_of(to, end), &sums);
    return sums;
}

/* A memtable's tree has a different shape: each node knows how many slots its children have. Half of the keys
 * have two versions, which count as one entry. */
static void a_memtable_is_estimated_almost_exactly(void **state)
{
    rng chance;
    rng_seed(&chance, test_seed());
    for (int random_order = 0; random_order < 2; random_order++) {
        static uint32_t order[ENTRIES];
        double worst = 0;
        memtable *m;
        chunk_pool pool;
        chunk_pool_init(&pool, 64 << 10, 64 << 20);
        expect_ok(memtable_create(&m, &pool));
        for (uint32_t i = 0; i < ENTRIES; i++)
            order[i] = i;
        if (random_order) shuffle(&chance, order, ENTRIES);
        for (uint32_t i = 0; i < ENTRIES; i++)
            insert(m, order[i], i + 1, ENTRY_PUT);
        for (uint32_t i = 0; i < ENTRIES; i += 2)
            insert(m, i, ENTRIES + i + 1, ENTRY_PUT);
        for (int i = 0; i < 400; i++) {
            uint32_t from = (uint32_t)rng_below(&chance, ENTRIES - 300);
            uint32_t to = from + 300 + (uint32_t)rng_below(&chance, ENTRIES - 300 - from);
            estimate_sums sums = estimate_of(m, UINT64_MAX, 0, from, to);
            double off = sums.entries / (to - from) - 1;
            if (off > worst || -off > worst) worst = off < 0 ? -off : off;
            assert_true(sums.bytes > sums.entries * 24.99 && sums.bytes < sums.entries * 25.01);
        }
        print_message("off by %.2f %% at worst\n", worst * 100);
        assert_true(worst < 0.05);
        /* Entries that a reader of that moment does not see, and entries that a clear has voided. */
        assert_true(estimate_of(m, 0, 0, 0, ENTRIES).entries == 0);
        assert_true(estimate_of(m, UINT64_MAX, 2 * ENTRIES, 0, ENTRIES).entries == 0);
        assert_true(estimate_of(m, UINT64_MAX, 0, 50, 50).entries == 0);
        assert_true(estimate_of(m, UINT64_MAX, 0, ENTRIES, 2 * ENTRIES).entries == 0);
        assert_true(estimate_of(m, UINT64_MAX, 0, 70, 90).entries == 20);
        insert(m, 80, 3 * ENTRIES, ENTRY_DELETE);
        assert_true(estimate_of(m, UINT64_MAX, 0, 70, 90).entries == 19);
        memtable_unref(m);
        chunk_pool_deinit(&pool);
    }
}

/* ---------------------------------------------------------------- deletes, reads, large values */

static bool is_kept(uint32_t i)
{
    return i / 5000 % 2 == 0 && i % 3 != 0;
}

/* Where half of the keys have been deleted, region by region, leaves are sparse or missing. */
static void what_was_deleted_and_merged_away_is_not_estimated(void **state)
{
    static const uint32_t kinds[] = {HOLT_LSM, HOLT_BTREE};
    for (int i = 0; i < 2; i++) {
        char key[KEY_BYTES];
        sized_entries *s = sized_entries_create(kinds[i], 4096, 8 << 20);
        fill(s, true);
        for (uint32_t n = 0; n < ENTRIES; n++)
            if (!is_kept(n)) expect_ok(holt_delete(s->c, NULL, key_of((uint64_t)n * 10, key)));
        expect_ok(holt_compact(s->c, holt_bytes(NULL, 0), holt_bytes(NULL, 0)));
        sum_up(s, is_kept);
        compare_ranges(s, ENTRIES / 6, 0.2);
        sized_entries_destroy(s);
    }
}

/* With a tiny cache each block that is looked at is a read: their number must not grow with the range. */
static void an_estimate_reads_a_bounded_number_of_blocks(void **state)
{
    static const uint32_t kinds[] = {HOLT_LSM, HOLT_BTREE};
    enum { HEIGHT = 3, READS_MAX = HEIGHT * (ESTIMATE_SAMPLES + 2) };
    for (int i = 0; i < 2; i++) {
        char begin[KEY_BYTES], end[KEY_BYTES];
        uint64_t most = 0;
        sized_entries *s = sized_entries_create(kinds[i], 4096, 8 << 20);
        fill(s, true);
        expect_ok(holt_compact(s->c, holt_bytes(NULL, 0), holt_bytes(NULL, 0)));
        sim_run_until_idle(s->os);
        for (int n = 0; n < 100; n++) {
            uint64_t before = sim_calls(s->os, SIM_READ), entries;
            uint64_t from = rng_below(&s->chance, ENTRIES * 5),
                     to = from + rng_below(&s->chance, ENTRIES * 5);
            expect_ok(holt_approximate_size(s->c, key_of(from, begin), key_of(to, end), NULL, &entries));
            uint64_t reads = sim_calls(s->os, SIM_READ) - before;
            if (reads > most) most = reads;
        }
        print_message("at most %llu reads\n", (unsigned long long)most);
        assert_in_range(most, 1, READS_MAX);
        sized_entries_destroy(s);
    }
}

/* A value that is stored outside its leaf counts with all its bytes. */
static void large_values_count_with_their_bytes(void **state)
{
    static char value[100000];
    static const uint32_t kinds[] = {HOLT_LSM, HOLT_BTREE};
    for (int i = 0; i < 2; i++) {
        char key[KEY_BYTES];
        uint64_t bytes, entries;
        sized_entries *s = sized_entries_create(kinds[i], 0, 32 << 20);
        for (uint64_t n = 0; n < 100; n++)
            expect_ok(holt_put(s->c, NULL, key_of(n, key), holt_bytes(value, sizeof value)));
        for (int flushed = 0; flushed < 2; flushed++) {
            expect_ok(holt_approximate_size(s->c, key_of(50, key), holt_bytes(NULL, 0), &bytes, &entries));
            assert_int_equal(entries, 50);
            assert_in_range(bytes, 50 * sizeof value, 51 * sizeof value + 50 * 4096);
            expect_ok(holt_flush(s->db));
        }
        sized_entries_destroy(s);
    }
}

static void wrong_arguments_are_refused(void **state)
{
    sized_entries *s = sized_entries_create(HOLT_LSM, 0, 8 << 20);
    uint64_t bytes = 7, entries = 7;
    const holt_slice open = {NULL, 0}, wrong = {NULL, 3};
    expect_status(HOLT_INVALID, holt_approximate_size(NULL, open, open, &bytes, &entries));
    assert_int_equal(bytes + entries, 0);
    expect_status(HOLT_INVALID, holt_approximate_size(s->c, wrong, open, &bytes, &entries));
    expect_words("begin");
    expect_status(HOLT_INVALID, holt_approximate_size(s->c, open, wrong, &bytes, &entries));
    expect_words("end");
    expect_ok(holt_approximate_size(s->c, open, open, NULL, NULL));
    expect_ok(holt_approximate_size(s->c, open, holt_str("x"), &bytes, &entries));
    assert_int_equal(bytes + entries, 0);
    expect_ok(holt_collection_drop(s->db, "c"));
    expect_status(HOLT_CLOSED, holt_approximate_size(s->c, open, open, &bytes, &entries));
    sized_entries_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_merged_run_is_estimated_within_a_fifth),
        cmocka_unit_test(a_btree_is_estimated_within_a_fifth),
        cmocka_unit_test(a_memtable_is_estimated_almost_exactly),
        cmocka_unit_test(what_was_deleted_and_merged_away_is_not_estimated),
        cmocka_unit_test(an_estimate_reads_a_bounded_number_of_blocks),
        cmocka_unit_test(large_values_count_with_their_bytes),
        cmocka_unit_test(wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
