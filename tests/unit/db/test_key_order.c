/* test_key_order.c -- src/db/commit/key_order.c: the order in which a large write set is inserted. */
#include "base/memory.h"
#include "base/random.h"
#include "db/commit/key_order.h"
#include "db/db.h"
#include "support/expect.h"
#include "support/seed.h"

#include <stdio.h>

/* A set names its collections; nothing else of this one is used. */
static holt_collection collection = {.spec = {.id = 7}, .users = 1};

static void add(write_set *w, entry_op op, slice key, slice value)
{
    const operation o = {.op = (uint8_t)op, .collection = collection.spec.id, .key = key, .value = value};
    expect_ok(write_set_add(w, &collection, &o));
}

static void add_put(write_set *w, const char *key)
{
    add(w, ENTRY_PUT, slice_of(key, strlen(key)), slice_of("value", 5));
}

/* The head of a key after a prefix of the set. */
static uint64_t head_of(slice key, size_t prefix)
{
    return get_head64((const uint8_t *)key.data + prefix, key.size - prefix);
}

/* Each operation must come once, heads must not descend, and of the same key, which has the same head, the
 * operation that was written later must come later. */
static void check(const key_order *k, size_t prefix)
{
    const uint32_t count = k->set->count;
    bool *seen = mem_alloc_zero(count, sizeof *seen);
    assert_non_null(seen);
    uint64_t before = 0;
    uint32_t number_before = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number;
        operation o = key_order_at(k, i, &number);
        uint64_t head = head_of(o.key, prefix);
        assert_true(number < count && !seen[number]);
        seen[number] = true;
        assert_true(head >= before);
        if (i > 0 && head == before) assert_true(number > number_before);
        before = head;
        number_before = number;
    }
    mem_free(seen);
}

/* Keys of any length, some of them equal, some of them longer than what is compared. */
static void operations_come_in_the_order_of_their_keys(void **state)
{
    enum { ROUNDS = 200, OPERATIONS_MAX = 500, PREFIX_MAX = 20, LENGTH_MAX = 12 };
    rng r;
    rng_seed(&r, test_seed());
    for (int round = 0; round < ROUNDS; round++) {
        write_set w = {0};
        key_order k;
        uint8_t key[PREFIX_MAX + LENGTH_MAX];
        const size_t prefix = rng_below(&r, PREFIX_MAX + 1);
        const uint64_t letters = 1 + rng_below(&r, 256), count = 2 + rng_below(&r, OPERATIONS_MAX);
        rng_fill(&r, key, prefix);
        for (uint64_t i = 0; i < count; i++) {
            const size_t length = rng_below(&r, LENGTH_MAX + 1);
            for (size_t at = 0; at < length; at++)
                key[prefix + at] = (uint8_t)rng_below(&r, letters);
            const bool put = !rng_chance(&r, 4);
            add(&w, put ? ENTRY_PUT : ENTRY_DELETE, slice_of(key, prefix + length),
                put ? slice_of("v", 1) : slice_of(NULL, 0));
        }
        add(&w, ENTRY_DELETE, slice_of(key, prefix), slice_of(NULL, 0)); /* so that no more is shared */
        if (key_order_init(&k, &w)) {
            check(&k, prefix);
            key_order_deinit(&k);
        }
        write_set_deinit(&w);
    }
}

/* The shared prefix and the bytes after the head must not count. */
static void digits_after_a_long_prefix_are_sorted(void **state)
{
    enum { COUNT = 10000, STEP = 7919 }; /* a prime */
    write_set w = {0};
    key_order k;
    char key[32];
    uint32_t number;
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(key, sizeof key, "account/000000%08u", i * STEP % COUNT);
        add_put(&w, key);
    }
    assert_true(key_order_init(&k, &w));
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(key, sizeof key, "account/000000%08u", i);
        operation o = key_order_at(&k, i, &number);
        assert_true(slice_equal(o.key, slice_of(key, strlen(key))));
        assert_int_equal(number * (uint64_t)STEP % COUNT, i);
    }
    key_order_deinit(&k);
    write_set_deinit(&w);
}

/* An order of ascending keys would cost something and change nothing; range deletes must not be moved; and
 * without memory the set can be inserted as it is. */
static void the_order_as_written_is_kept_where_it_must_be(void **state)
{
    write_set w = {0};
    key_order k;
    add_put(&w, "a");
    assert_false(key_order_init(&k, &w));
    add_put(&w, "b");
    add_put(&w, "b");
    add_put(&w, "c");
    assert_false(key_order_init(&k, &w));
    add_put(&w, "a");
    assert_true(key_order_init(&k, &w));
    key_order_deinit(&k);
    for (uint64_t nth = 1; nth <= 2; nth++) {
        mem_fail_at(nth, false);
        assert_false(key_order_init(&k, &w));
        mem_fail_at(0, false);
    }
    add(&w, ENTRY_DELETE_RANGE, slice_of("a", 1), slice_of("c", 1));
    assert_false(key_order_init(&k, &w));
    write_set_deinit(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_come_in_the_order_of_their_keys),
        cmocka_unit_test(digits_after_a_long_prefix_are_sorted),
        cmocka_unit_test(the_order_as_written_is_kept_where_it_must_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
