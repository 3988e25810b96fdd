/* test_row_code.c -- rows as keys and values, and index entries, compared with the rows they were made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "support/datums.h"
#include "support/expect.h"
#include "support/seed.h"
#include "table/index/index_entry.h"

enum { COLUMNS_MAX = 8, ROWS = 20000, SCHEMAS = 300 };

/* ---------------------------------------------------------------- random schemas and rows */

typedef struct table {
    schema *s;
    owned_datum defaults[COLUMNS_MAX];
    char names[COLUMNS_MAX][24];
} table;

typedef struct sample {
    owned_datum owned[COLUMNS_MAX];
    holt_datum datums[COLUMNS_MAX];
    int64_t id;
} sample;

static holt_column random_column(rng *r, table *t, size_t i)
{
    holt_column c = {.name = t->names[i], .type = (uint32_t)rng_below(r, 5) + 1};
    snprintf(t->names[i], sizeof t->names[i], "c%zu", i);
    if (rng_chance(r, 3)) {
        random_datum(r, c.type, &t->defaults[i]);
        c.flags = HOLT_COLUMN_DEFAULT;
        c.default_value = t->defaults[i].d;
    }
    return c;
}

/* Key columns anywhere among the others, in any order. */
static size_t random_key(rng *r, const holt_column *columns, size_t count, holt_key_part *key)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        size_t c = (i * 5 + 3) % count;
        bool repeated = false;
        for (size_t j = 0; j < n; j++)
            repeated |= key[j].column == columns[c].name;
        if (!repeated && rng_chance(r, 4))
            key[n++] = (holt_key_part){.column = columns[c].name,
                                       .flags = rng_chance(r, 2) ? HOLT_PART_DESCENDING : 0};
    }
    return n;
}

static void random_table(rng *r, table *t)
{
    holt_column columns[COLUMNS_MAX];
    holt_key_part key[COLUMNS_MAX];
    memset(t, 0, sizeof *t);
    size_t count = 1 + rng_below(r, COLUMNS_MAX - 1);
    for (size_t i = 0; i < count; i++)
        columns[i] = random_column(r, t, i);
    holt_table_options o = {.columns = columns, .column_count = count, .key = key};
    o.key_count = random_key(r, columns, count, key);
    expect_ok(schema_create(&t->s, "t", &o));
}

static void random_row(rng *r, const schema *s, sample *w)
{
    w->id = random_integer(r);
    for (uint32_t i = 0; i < s->column_count; i++) {
        bool null = s->columns[i].slot != SCHEMA_NONE && rng_chance(r, 3);
        random_datum(r, null ? HOLT_NULL : s->columns[i].type, &w->owned[i]);
        w->datums[i] = w->owned[i].d;
    }
}

static void expect_equal(const holt_datum *a, const holt_datum *b)
{
    assert_int_equal(a->type, b->type);
    assert_int_equal(datum_compare(a, b), 0);
}

/* ---------------------------------------------------------------- rows */

static void expect_row(const schema *s, const sample *w, slice key, slice value)
{
    holt_datum back[COLUMNS_MAX];
    uint8_t room[1024];
    int64_t id;
    assert_true(row_key_read(s, key, room, back, &id));
    assert_true(row_columns(s, value, back));
    for (uint32_t i = 0; i < s->column_count; i++)
        expect_equal(&back[i], &w->datums[i]);
    if (s->key_count == 0) assert_int_equal(id, w->id);
}

/* Columns in any order, more than once. */
static void expect_columns(rng *r, const schema *s, const sample *w, slice value)
{
    row_reader reader;
    assert_true(row_open(&reader, value));
    for (int i = 0; i < 10; i++) {
        uint32_t c = (uint32_t)rng_below(r, s->column_count);
        holt_datum d;
        if (s->columns[c].slot == SCHEMA_NONE) continue;
        assert_true(row_column(&reader, &s->columns[c], &d));
        expect_equal(&d, &w->datums[c]);
    }
}

static void a_row_is_read_back_as_it_was_written(void **state)
{
    rng r;
    rng_seed(&r, test_seed());
    buffer key = {0}, value = {0};
    for (int i = 0; i < SCHEMAS; i++) {
        table t;
        random_table(&r, &t);
        for (int j = 0; j < ROWS / SCHEMAS; j++) {
            sample w;
            random_row(&r, t.s, &w);
            buffer_clear(&key);
            buffer_clear(&value);
            row_key_append(&key, t.s, w.datums, w.id);
            row_value_append(&value, t.s, w.datums);
            expect_row(t.s, &w, buffer_slice(&key), buffer_slice(&value));
            expect_columns(&r, t.s, &w, buffer_slice(&value));
        }
        schema_destroy(t.s);
    }
    buffer_deinit(&key);
    buffer_deinit(&value);
}

/* An integer has a sign bit in its first byte or loses its sign; each size has its edges. */
static void integers_at_the_edges_of_each_size_are_read_back(void **state)
{
    holt_column column = {.name = "n", .type = HOLT_INTEGER};
    holt_table_options o = {.columns = &column, .column_count = 1};
    schema *s;
    expect_ok(schema_create(&s, "t", &o));
    buffer value = {0};
    for (unsigned shift = 0; shift < 64; shift++)
        for (int near = -1; near <= 1; near++)
            for (int negative = 0; negative <= 1; negative++) {
                uint64_t n = (UINT64_C(1) << shift) + (uint64_t)(int64_t)near;
                holt_datum in = holt_integer((int64_t)(negative ? 0 - n : n)), out;
                buffer_clear(&value);
                row_value_append(&value, s, &in);
                assert_true(row_columns(s, buffer_slice(&value), &out));
                expect_equal(&in, &out);
            }
    buffer_deinit(&value);
    schema_destroy(s);
}

/* ---------------------------------------------------------------- other versions of the schema */

static schema *people(void)
{
    holt_column columns[] = {{.name = "id", .type = HOLT_INTEGER},
                             {.name = "name", .type = HOLT_TEXT},
                             {.name = "age", .type = HOLT_INTEGER}};
    holt_key_part key = {.column = "id"};
    holt_table_options o = {.columns = columns, .column_count = 3, .key = &key, .key_count = 1};
    schema *s;
    expect_ok(schema_create(&s, "people", &o));
    return s;
}

static schema *with_column(schema *s, const char *name, holt_datum otherwise)
{
    holt_column column = {
        .name = name, .type = HOLT_INTEGER, .flags = HOLT_COLUMN_DEFAULT, .default_value = otherwise};
    schema *next;
    expect_ok(schema_copy(&next, s));
    expect_ok(schema_add_column(next, &column));
    schema_destroy(s);
    return next;
}

/* If trailing nulls were left out for columns with a default, a null would come back as the default; if a
 * default were not applied, old rows would have nulls where there may be none. */
static void a_row_that_is_older_than_a_column_has_its_default(void **state)
{
    schema *s = people();
    buffer before = {0}, after = {0};
    holt_datum row[] = {holt_integer(1), holt_text("Ada"), holt_null(), holt_null(), holt_null()}, back[5];
    row_value_append(&before, s, row);
    s = with_column(s, "points", holt_integer(7));
    s = with_column(s, "extra", holt_null());
    row_value_append(&after, s, row);

    assert_true(row_columns(s, buffer_slice(&before), back));
    assert_int_equal(back[3].type, HOLT_INTEGER);
    assert_int_equal(back[3].as.integer, 7);
    assert_int_equal(back[4].type, HOLT_NULL);
    assert_true(row_columns(s, buffer_slice(&after), back));
    assert_int_equal(back[3].type, HOLT_NULL);
    buffer_deinit(&before);
    buffer_deinit(&after);
    schema_destroy(s);
}

/* The slot of a column that was dropped must not be given to the next one: its values would come back. */
static void a_dropped_column_does_not_come_back(void **state)
{
    schema *s = people(), *next;
    buffer value = {0};
    holt_datum row[] = {holt_integer(1), holt_text("Ada"), holt_integer(36)}, back[3];
    row_value_append(&value, s, row);
    expect_ok(schema_copy(&next, s));
    expect_ok(schema_drop_column(next, "AGE"));
    schema_destroy(s);
    next = with_column(next, "age", holt_null());
    assert_true(row_columns(next, buffer_slice(&value), back));
    assert_string_equal((const char *)next->columns[2].name, "age");
    assert_int_equal(back[2].type, HOLT_NULL);

    row[2] = holt_integer(37); /* behind a gap */
    buffer_clear(&value);
    row_value_append(&value, next, row);
    assert_true(row_columns(next, buffer_slice(&value), back));
    assert_int_equal(back[2].as.integer, 37);
    buffer_deinit(&value);
    schema_destroy(next);
}

/* Rows from a damaged or hostile file: read within bounds, whatever they say. */
static void damaged_rows_are_read_within_bounds(void **state)
{
    rng r;
    rng_seed(&r, test_seed());
    buffer value = {0};
    unsigned refused = 0;
    for (int i = 0; i < SCHEMAS; i++) {
        table t;
        random_table(&r, &t);
        for (int j = 0; j < ROWS / SCHEMAS; j++) {
            sample w;
            holt_datum back[COLUMNS_MAX];
            random_row(&r, t.s, &w);
            buffer_clear(&value);
            row_value_append(&value, t.s, w.datums);
            size_t size = rng_chance(&r, 2) ? rng_below(&r, value.size) : value.size;
            uint8_t *copy = malloc(size + 1); /* of the exact size for the sanitizer */
            assert_non_null(copy);
            memcpy(copy + 1, value.data, size);
            if (size) copy[1 + rng_below(&r, size)] ^= (uint8_t)(1 + rng_below(&r, 255));
            refused += !row_columns(t.s, slice_of(copy + 1, size), back);
            free(copy);
        }
        schema_destroy(t.s);
    }
    assert_true(refused > ROWS / 4); /* many changes only make another row of it */
    buffer_deinit(&value);
}

static void refuses(const schema *s, const char *bytes, size_t size)
{
    holt_datum back[COLUMNS_MAX];
    assert_false(row_columns(s, slice_of(bytes, size), back));
}

static void rows_that_no_encoder_writes_are_refused(void **state)
{
    schema *s = people();
    refuses(s, "", 0);
    refuses(s, "\x01", 1);     /* a code that is not there */
    refuses(s, "\x01\x12", 2); /* a text that is not there */
    refuses(s,
            "\x01\x12"
            "ab",
            4);                        /* bytes after the last body */
    refuses(s, "\x01\x05\x01", 3);     /* an integer in a column of text */
    refuses(s, "\x02\x00\x05\x00", 4); /* 0 in one byte */
    refuses(s, "\x02\x00\x06\x01\x00", 5);
    refuses(s, "\x02\x00\x0d", 3); /* an integer of nine bytes */
    refuses(s, "\x02\x00\x80", 3); /* a code that is cut off */
    holt_datum back[3];
    assert_true(row_columns(s,
                            slice_of("\x02\x12\x05"
                                     "a\x24",
                                     5),
                            back));
    assert_int_equal(back[2].as.integer, 36);
    schema_destroy(s);
}

/* ---------------------------------------------------------------- index entries */

static void random_index(rng *r, table *t)
{
    holt_index_part parts[COLUMNS_MAX];
    holt_index_options o = {.name = "x", .parts = parts, .flags = rng_chance(r, 2) ? HOLT_INDEX_UNIQUE : 0};
    size_t start = rng_below(r, t->s->column_count);
    for (size_t i = start; i < t->s->column_count; i += 1 + rng_below(r, 2))
        parts[o.part_count++] = (holt_index_part){.column = t->names[i], .flags = (uint32_t)rng_below(r, 4)};
    if (rng_chance(r, 3)) o.not_null = t->names[rng_below(r, t->s->column_count)];
    expect_ok(schema_add_index(t->s, &o, 17));
}

static bool any_null(const schema_index *x, const sample *w)
{
    for (uint32_t i = 0; i < x->part_count; i++)
        if (w->datums[x->parts[i].column].type == HOLT_NULL) return true;
    return false;
}

static void expect_entry(const schema *s, const sample *w, slice primary, slice key, slice value)
{
    const schema_index *x = &s->indexes[0];
    holt_datum parts[2 * COLUMNS_MAX + 1];
    uint8_t room[2048];
    slice found;
    assert_true(index_entry_primary(x, key, value, &found));
    assert_true(slice_equal(found, primary));
    assert_true(index_entry_read(s, x, key, value, room, parts));
    for (uint32_t i = 0; i < s->column_count; i++)
        if (x->held[i] != SCHEMA_NONE) expect_equal(&parts[x->held[i]], &w->datums[i]);
}

/* What an entry holds is found again: the primary key, and each column that it says it holds. A row and a
 * lookup of its values agree on the beginning of the key. */
static void an_entry_holds_the_values_and_the_primary_key(void **state)
{
    rng r;
    rng_seed(&r, test_seed());
    buffer primary = {0}, key = {0}, prefix = {0};
    for (int i = 0; i < SCHEMAS; i++) {
        table t;
        random_table(&r, &t);
        random_index(&r, &t);
        const schema_index *x = &t.s->indexes[0];
        for (int j = 0; j < ROWS / SCHEMAS; j++) {
            sample w;
            holt_datum values[COLUMNS_MAX];
            slice value;
            random_row(&r, t.s, &w);
            assert_int_equal(index_entry_exists(x, w.datums),
                             x->not_null == SCHEMA_NONE || w.datums[x->not_null].type != HOLT_NULL);
            if (!index_entry_exists(x, w.datums)) continue;
            buffer_clear(&primary);
            buffer_clear(&key);
            buffer_clear(&prefix);
            row_key_append(&primary, t.s, w.datums, w.id);
            index_entry_append(&key, x, w.datums, buffer_slice(&primary), &value);
            bool alone = (x->flags & HOLT_INDEX_UNIQUE) && !any_null(x, &w);
            assert_int_equal(index_entry_unique(x, w.datums), alone);
            assert_int_equal(value.size, alone ? primary.size : 0);
            expect_entry(t.s, &w, buffer_slice(&primary), buffer_slice(&key), value);
            for (uint32_t k = 0; k < x->part_count; k++)
                values[k] = w.datums[x->parts[k].column];
            index_parts_append(&prefix, x, values, x->part_count);
            assert_true(slice_has_prefix(buffer_slice(&key), buffer_slice(&prefix)));
            if (alone) assert_int_equal(prefix.size, key.size);
        }
        schema_destroy(t.s);
    }
    buffer_deinit(&primary);
    buffer_deinit(&key);
    buffer_deinit(&prefix);
}

/* The hash is part of the format; a null is not hashed, so that IS NULL finds it. */
static void a_hashed_part_has_the_hash_of_the_bytes(void **state)
{
    schema *s = people();
    holt_index_part part = {.column = "name", .flags = HOLT_PART_HASH};
    holt_index_options o = {.name = "x", .parts = &part, .part_count = 1};
    expect_ok(schema_add_index(s, &o, 1));
    assert_true(s->indexes[0].hashed);
    assert_int_equal(s->indexes[0].held[1], SCHEMA_NONE);
    static const uint8_t expected[] = {0x60, 0xa9, 0x6f, 0xaf, 0x70, 0x5a, 0xf1, 0x68, 0x34, 0xe6,
                                       0xc6, 0x32, 0xb6, 0x1e, 0x96, 0x4e, 0x1f, 0x00, 0x01};
    holt_datum a = holt_text("a"), null = holt_null();
    buffer b = {0};
    index_parts_append(&b, &s->indexes[0], &a, 1);
    assert_int_equal(b.size, sizeof expected);
    assert_memory_equal(b.data, expected, sizeof expected);
    buffer_clear(&b);
    index_parts_append(&b, &s->indexes[0], &null, 1);
    assert_int_equal(b.size, 1);
    buffer_deinit(&b);
    schema_destroy(s);
}

static void damaged_entries_are_read_within_bounds(void **state)
{
    rng r;
    rng_seed(&r, test_seed());
    buffer primary = {0}, key = {0};
    for (int i = 0; i < SCHEMAS; i++) {
        table t;
        random_table(&r, &t);
        random_index(&r, &t);
        for (int j = 0; j < ROWS / SCHEMAS; j++) {
            sample w;
            slice value, found;
            holt_datum parts[2 * COLUMNS_MAX + 1];
            random_row(&r, t.s, &w);
            if (!index_entry_exists(&t.s->indexes[0], w.datums)) continue;
            buffer_clear(&primary);
            buffer_clear(&key);
            row_key_append(&primary, t.s, w.datums, w.id);
            index_entry_append(&key, &t.s->indexes[0], w.datums, buffer_slice(&primary), &value);
            size_t size = rng_chance(&r, 2) ? rng_below(&r, key.size) : key.size;
            uint8_t *copy = malloc(size + 1), *room = malloc(size + value.size + 1);
            assert_non_null(copy);
            assert_non_null(room);
            memcpy(copy, key.data, size);
            if (size) copy[rng_below(&r, size)] ^= (uint8_t)(1 + rng_below(&r, 255));
            (void)index_entry_primary(&t.s->indexes[0], slice_of(copy, size), value, &found);
            (void)index_entry_read(t.s, &t.s->indexes[0], slice_of(copy, size), value, room, parts);
            free(copy);
            free(room);
        }
        schema_destroy(t.s);
    }
    buffer_deinit(&primary);
    buffer_deinit(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_read_back_as_it_was_written),
        cmocka_unit_test(integers_at_the_edges_of_each_size_are_read_back),
        cmocka_unit_test(a_row_that_is_older_than_a_column_has_its_default),
        cmocka_unit_test(a_dropped_column_does_not_come_back),
        cmocka_unit_test(damaged_rows_are_read_within_bounds),
        cmocka_unit_test(rows_that_no_encoder_writes_are_refused),
        cmocka_unit_test(an_entry_holds_the_values_and_the_primary_key),
        cmocka_unit_test(a_hashed_part_has_the_hash_of_the_bytes),
        cmocka_unit_test(damaged_entries_are_read_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
