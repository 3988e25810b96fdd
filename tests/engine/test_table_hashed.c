/* test_table_hashed.c -- indexes with hashed parts: values of every type, and two values of one hash.
 *
 * XXH3 of 32 bytes multiplies each of the first two words, after it has combined them with a word of its
 * secret. If one of the two is that word, the product is 0 whatever the other is; so two values that are 0
 * in one word each, and have the same sum, have the same hash.
 */
#include "base/coding.h"
#include "base/hash.h"
#include "support/table_fixture.h"

#define SECRET_0 UINT64_C(0xbe4ba423396cfeb8)
#define SECRET_1 UINT64_C(0x1cad21f72c81017c)

enum { VALUE_BYTES = 32 };

static const uint64_t other_word = UINT64_C(0x0123456789abcdef);

static void collide(uint8_t one[VALUE_BYTES], uint8_t other[VALUE_BYTES])
{
    uint8_t hash[16], other_hash[16];
    memset(one, 'x', VALUE_BYTES);
    memset(other, 'x', VALUE_BYTES);
    put_u64le(one, SECRET_0);
    put_u64le(one + 8, other_word);
    put_u64le(other, SECRET_0 + other_word - SECRET_1);
    put_u64le(other + 8, SECRET_1);
    hash_bytes_128(one, VALUE_BYTES, hash);
    hash_bytes_128(other, VALUE_BYTES, other_hash);
    assert_memory_equal(hash, other_hash, sizeof hash);
    assert_memory_not_equal(one, other, VALUE_BYTES);
}

/* t(id INTEGER PRIMARY KEY, v), v of the given type. */
static holt_table *create_values(holt *db, uint32_t kind, uint32_t type)
{
    holt_column columns[] = {{.name = "id", .type = HOLT_INTEGER}, {.name = "v", .type = type}};
    holt_key_part key = {.column = "id"};
    holt_table_options o = {.columns = columns, .column_count = 2, .key = &key, .key_count = 1, .kind = kind};
    holt_table *t;
    expect_ok(holt_table_create(db, "t", &o, &t));
    return t;
}

static holt_status create_hashed(holt_table *t, uint32_t flags, uint32_t *index)
{
    holt_index_part part = {.column = "v", .flags = HOLT_PART_HASH};
    holt_index_options o = {.name = "by_v", .parts = &part, .part_count = 1, .flags = flags};
    holt_status rc = holt_table_create_index(t, &o, NULL, NULL);
    if (rc == HOLT_OK) expect_ok(holt_table_find_index(t, "by_v", index));
    return rc;
}

static holt_status insert_value(holt_table *t, holt_txn *txn, int64_t id, holt_datum v)
{
    holt_datum row[] = {holt_integer(id), v};
    return holt_table_insert(t, txn, row, 2, 0, NULL);
}

/* The row that a lookup finds; 0: none. */
static int64_t find_value(holt_table *t, uint32_t index, const holt_datum *v)
{
    holt_row row = HOLT_ROW_INIT;
    holt_status rc = holt_table_get_by(t, NULL, index, v, 1, &row);
    int64_t id = rc == HOLT_OK ? row.columns[0].as.integer : 0;
    if (rc != HOLT_NOT_FOUND) expect_ok(rc);
    holt_row_free(&row);
    return id;
}

/* What a program leaves in a datum beside its value must not count. */
static holt_datum untidy(uint32_t type, int64_t integer)
{
    holt_datum d;
    memset(&d, 0xa5, sizeof d);
    d.type = type;
    d.reserved32 = 0;
    if (type == HOLT_INTEGER) d.as.integer = integer;
    if (type == HOLT_REAL) d.as.real = (double)integer;
    if (type == HOLT_BOOLEAN) d.as.boolean = integer != 0;
    return d;
}

static void numbers_are_hashed_by_their_values(void **state)
{
    static const uint32_t types[] = {HOLT_BOOLEAN, HOLT_INTEGER, HOLT_REAL};
    db_fixture *f = (db_fixture *)*state;
    for (int kind = 0; kind < KINDS; kind++)
        for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
            holt_table *t = create_values(f->db, kinds[kind], types[i]);
            uint32_t index;
            expect_ok(create_hashed(t, HOLT_INDEX_UNIQUE, &index));
            for (int64_t v = 0; v < 2; v++)
                expect_ok(insert_value(t, NULL, v + 1, untidy(types[i], v)));
            expect_status(HOLT_EXISTS, insert_value(t, NULL, 3, untidy(types[i], 1)));
            expect_problem(HOLT_ROW_UNIQUE_EXISTS, "v", "by_v");
            for (int64_t v = 0; v < 2; v++) {
                holt_datum d = untidy(types[i], v);
                assert_int_equal(find_value(t, index, &d), v + 1);
            }
            expect_sound(t);
            holt_table_close(t);
            expect_ok(holt_table_drop(f->db, "t"));
        }
}

/* They are no duplicates, but a unique index has room for one of them: the message must not blame the rows,
 * and neither a write nor the making of the index may lose one. */
static void two_values_of_one_hash_are_told_from_duplicates(void **state)
{
    db_fixture *f = (db_fixture *)*state;
    uint8_t one[VALUE_BYTES], other[VALUE_BYTES];
    collide(one, other);
    const holt_datum a = holt_blob(one, VALUE_BYTES), b = holt_blob(other, VALUE_BYTES);
    for (int kind = 0; kind < KINDS; kind++) {
        holt_table *t = create_values(f->db, kinds[kind], HOLT_BLOB);
        uint32_t index;
        expect_ok(create_hashed(t, HOLT_INDEX_UNIQUE, &index));
        expect_ok(insert_value(t, NULL, 1, a));
        for (int in_txn = 0; in_txn < 2; in_txn++) {
            holt_txn *txn = in_txn ? begin(f->db, 0) : NULL;
            expect_status(HOLT_EXISTS, insert_value(t, txn, 2, a));
            expect_status(HOLT_UNSUPPORTED, insert_value(t, txn, 2, b));
            expect_words("same 128-bit hash");
            assert_int_equal(holt_batch_count(txn), 0);
            holt_rollback(txn);
        }
        assert_int_equal(find_value(t, index, &a), 1);
        assert_int_equal(find_value(t, index, &b), 0);
        /* An index that is made of both. */
        expect_ok(holt_table_drop_index(t, "by_v"));
        expect_ok(insert_value(t, NULL, 2, b));
        expect_status(HOLT_UNSUPPORTED, create_hashed(t, HOLT_INDEX_UNIQUE, &index));
        expect_words("same 128-bit hash");
        expect_status(HOLT_NOT_FOUND, holt_table_find_index(t, "by_v", &index));
        /* One that is not unique tells them apart. */
        expect_ok(create_hashed(t, 0, &index));
        assert_int_equal(find_value(t, index, &a), 1);
        assert_int_equal(find_value(t, index, &b), 2);
        expect_sound(t);
        holt_table_close(t);
        expect_ok(holt_table_drop(f->db, "t"));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, db_fixture_sim, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(numbers_are_hashed_by_their_values),
        TEST(two_values_of_one_hash_are_told_from_duplicates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
