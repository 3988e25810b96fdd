/* test_schema.c -- schemas: what they refuse, their changes, and their records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/status.h"
#include "support/datums.h"
#include "support/expect.h"
#include "support/seed.h"
#include "table/schema/names.h"
#include "table/schema/schema.h"

/* ---------------------------------------------------------------- the schema of the tests */

static holt_column columns[] = {
    {.name = "id", .type = HOLT_INTEGER},
    {.name = "Name", .type = HOLT_TEXT, .flags = HOLT_COLUMN_DEFAULT, .length_max = 5},
    {.name = "score", .type = HOLT_REAL, .flags = HOLT_COLUMN_DEFAULT | HOLT_COLUMN_NOT_NULL},
    {.name = "photo", .type = HOLT_BLOB},
};

static schema *sample(void)
{
    holt_key_part key = {.column = "ID"};
    holt_table_options o = {.columns = columns,
                            .column_count = 4,
                            .key = &key,
                            .key_count = 1,
                            .kind = HOLT_LSM,
                            .block_bytes = 8192,
                            .filter_bits = 12};
    columns[1].default_value = holt_text("\xc3\xa9"
                                         "clat"); /* five characters, six bytes */
    columns[2].default_value = holt_integer(3);
    schema *s;
    expect_ok(schema_create(&s, "People", &o));
    return s;
}

static schema *with_index(const char *name, const char *column, uint32_t part_flags, uint32_t flags)
{
    schema *s = sample();
    holt_index_part part = {.column = column, .flags = part_flags};
    holt_index_options o = {
        .name = name, .parts = &part, .part_count = 1, .flags = flags, .not_null = column};
    expect_ok(schema_add_index(s, &o, 4711));
    return s;
}

static void expect_same_datum(const holt_datum *a, const holt_datum *b)
{
    assert_int_equal(a->type, b->type);
    assert_int_equal(datum_compare(a, b), 0);
}

static void expect_same_column(const schema_column *a, const schema_column *b)
{
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->folded, b->folded);
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->length_max, b->length_max);
    assert_int_equal(a->slot, b->slot);
    assert_int_equal(a->key_part, b->key_part);
    expect_same_datum(&a->default_value, &b->default_value);
}

static void expect_same_index(const schema *s, const schema_index *a, const schema_index *b)
{
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->collection, b->collection);
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->number, b->number);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->not_null, b->not_null);
    assert_int_equal(a->hashed, b->hashed);
    assert_int_equal(a->part_count, b->part_count);
    assert_memory_equal(a->parts, b->parts, a->part_count * sizeof *a->parts);
    assert_memory_equal(a->held, b->held, s->column_count * sizeof *a->held);
}

static void expect_same(const schema *a, const schema *b)
{
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->folded, b->folded);
    assert_int_equal(a->renamed_to != NULL, b->renamed_to != NULL);
    if (a->renamed_to) assert_string_equal(a->renamed_to, b->renamed_to);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->block_bytes, b->block_bytes);
    assert_int_equal(a->compression, b->compression);
    assert_int_equal(a->filter_bits, b->filter_bits);
    assert_int_equal(a->next_slot, b->next_slot);
    assert_int_equal(a->next_index, b->next_index);
    assert_int_equal(a->auto_column, b->auto_column);
    assert_int_equal(a->column_count, b->column_count);
    assert_int_equal(a->key_count, b->key_count);
    assert_int_equal(a->index_count, b->index_count);
    for (uint32_t i = 0; i < a->column_count; i++)
        expect_same_column(&a->columns[i], &b->columns[i]);
    for (uint32_t i = 0; i < a->key_count; i++)
        assert_memory_equal(&a->key[i], &b->key[i], sizeof a->key[i]);
    for (uint32_t i = 0; i < a->index_count; i++)
        expect_same_index(a, &a->indexes[i], &b->indexes[i]);
}

/* ---------------------------------------------------------------- making schemas */

static void a_new_schema_has_slots_for_the_columns_outside_the_key(void **state)
{
    schema *s = sample();
    assert_int_equal(s->columns[0].slot, SCHEMA_NONE);
    assert_int_equal(s->columns[0].key_part, 0);
    assert_true(s->columns[0].flags & HOLT_COLUMN_NOT_NULL);
    for (uint32_t i = 1; i < 4; i++) {
        assert_int_equal(s->columns[i].slot, i - 1);
        assert_int_equal(s->columns[i].key_part, SCHEMA_NONE);
    }
    assert_int_equal(s->auto_column, 0);
    assert_int_equal(s->columns[2].default_value.type, HOLT_REAL); /* was an integer */
    assert_int_equal(s->version, 1);
    assert_int_equal(s->state, SCHEMA_CREATING);
    schema_destroy(s);
}

static void refuses(const char *name, holt_table_options o, const char *words)
{
    schema *s;
    expect_status(HOLT_INVALID, schema_create(&s, name, &o));
    expect_words(words);
    assert_null(s);
}

static void options_that_make_no_table_are_refused(void **state)
{
    holt_key_part key[2] = {{.column = "a"}, {.column = "a"}};
    holt_column c[2] = {{.name = "a", .type = HOLT_INTEGER}, {.name = "b", .type = HOLT_TEXT}};
    const holt_table_options o = {.columns = c, .column_count = 2, .key = key, .key_count = 1};
    holt_table_options wrong = o;
    char long_name[SCHEMA_NAME_BYTES_MAX + 2];
    memset(long_name, 'x', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    refuses(NULL, o, "name of the table is NULL");
    refuses("", o, "name of the table is empty");
    refuses(long_name, o, "more than 128 bytes");
    refuses("a\tb", o, "control characters; byte 1");
    refuses("Holt.tables", o, "reserved");
    refuses("DEFAULT", o, "reserved");
    wrong.column_count = 0;
    refuses("t", wrong, "no columns");
    wrong = o;
    wrong.column_count = SCHEMA_COLUMNS_MAX + 1;
    refuses("t", wrong, "1001 columns");
    wrong = o;
    wrong.key_count = 2;
    refuses("t", wrong, "\"a\" appears twice");
    key[1].column = "z";
    refuses("t", wrong, "no column \"z\"");
    key[1] = (holt_key_part){.column = "b", .flags = HOLT_PART_HASH};
    refuses("t", wrong, "flags 0x2");
    wrong = o;
    wrong.kind = 3;
    refuses("t", wrong, "kind 3");
    wrong = o;
    wrong.reserved[7] = 1;
    refuses("t", wrong, "reserved field");
    wrong = o;
    wrong.flags = 2;
    refuses("t", wrong, "flags 0x2");
    c[1].name = "A";
    refuses("t", o, "two columns are named");
    c[1] = (holt_column){.name = "b", .type = HOLT_NULL};
    refuses("t", o, "type 0");
    c[1] = (holt_column){.name = "b", .type = HOLT_INTEGER, .length_max = 3};
    refuses("t", o, "maximum length");
    c[1] = (holt_column){.name = "b", .type = HOLT_TEXT, .flags = 4};
    refuses("t", o, "unknown flags 0x4");
    c[1] = (holt_column){.name = "b",
                         .type = HOLT_TEXT,
                         .flags = HOLT_COLUMN_DEFAULT,
                         .length_max = 2,
                         .default_value = holt_text("abc")};
    refuses("t", o, "length of 3");
    c[1].default_value = holt_integer(1);
    refuses("t", o, "another type");
    c[1].default_value = holt_text_bytes(NULL, 5);
    refuses("t", o, "NULL with a size of 5");
    c[1].default_value = holt_text("\xff");
    refuses("t", o, "not UTF-8");
    c[1].type = HOLT_REAL;
    c[1].length_max = 0;
    c[1].default_value = holt_real((double)NAN);
    refuses("t", o, "NaN");
    c[1].default_value = holt_integer(INT64_C(9007199254740993));
    refuses("t", o, "another type"); /* 2^53 + 1 is no double */
}

/* Which conversions lose nothing decides whether a program's 1 is accepted for a REAL column. */
static void values_are_converted_only_without_loss(void **state)
{
    const schema_column real = {.type = HOLT_REAL}, boolean = {.type = HOLT_BOOLEAN},
                        integer = {.type = HOLT_INTEGER};
    holt_datum d = holt_integer(INT64_C(1) << 53);
    assert_true(schema_convert(&real, &d));
    assert_true(d.type == HOLT_REAL && d.as.real == 0x1p53);
    d = holt_integer(INT64_MIN);
    assert_true(schema_convert(&real, &d));
    d = holt_integer(INT64_MAX);
    assert_false(schema_convert(&real, &d));
    d = holt_integer(1);
    assert_true(schema_convert(&boolean, &d));
    assert_true(d.type == HOLT_BOOLEAN && d.as.boolean);
    d = holt_integer(2);
    assert_false(schema_convert(&boolean, &d));
    d = holt_real(1);
    assert_false(schema_convert(&integer, &d));
    d = holt_null();
    assert_true(schema_convert(&integer, &d));
}

/* ---------------------------------------------------------------- changes */

static void a_copy_is_a_schema_of_its_own_with_the_next_version(void **state)
{
    schema *s = with_index("by_name", "name", HOLT_PART_DESCENDING, HOLT_INDEX_UNIQUE), *copy;
    expect_ok(schema_copy(&copy, s));
    assert_int_equal(copy->version, s->version + 1);
    expect_same(s, copy);
    schema_destroy(s);
    expect_ok(schema_rename_column(copy, "score", "points")); /* everything in it is its own */
    assert_int_equal(schema_find_column(copy, "POINTS"), 2);
    assert_int_equal(schema_find_column(copy, "score"), SCHEMA_NONE);
    schema_destroy(copy);
}

/* Positions after the column that goes move; an index on a column behind it would be on the wrong one. */
static void dropping_a_column_keeps_indexes_on_their_columns(void **state)
{
    schema *s = with_index("by_photo", "photo", HOLT_PART_HASH, 0);
    assert_int_equal(s->indexes[0].held[0], 1); /* the primary key, behind the hash */
    expect_ok(schema_drop_column(s, "score"));
    assert_int_equal(s->column_count, 3);
    assert_int_equal(s->indexes[0].parts[0].column, 2);
    assert_int_equal(s->indexes[0].not_null, 2);
    assert_int_equal(s->columns[2].slot, 2);
    assert_int_equal(s->next_slot, 3);
    expect_status(HOLT_NOT_FOUND, schema_drop_column(s, "score"));
    expect_words("no column \"score\"");
    expect_status(HOLT_INVALID, schema_drop_column(s, "photo"));
    expect_words("by_photo");
    expect_status(HOLT_INVALID, schema_drop_column(s, "id"));
    expect_words("primary key");
    schema_remove_index(s, 0);
    expect_ok(schema_drop_column(s, "photo"));
    schema_destroy(s);
}

static void a_column_is_added_behind_the_others(void **state)
{
    schema *s = sample();
    holt_column c = {.name = "Extra", .type = HOLT_BOOLEAN};
    expect_ok(schema_add_column(s, &c));
    assert_int_equal(s->columns[4].slot, 3);
    assert_int_equal(s->columns[4].default_value.type, HOLT_NULL);
    expect_status(HOLT_EXISTS, schema_add_column(s, &c));
    schema_destroy(s);

    s = sample();
    c = (holt_column){.name = "must", .type = HOLT_INTEGER, .flags = HOLT_COLUMN_NOT_NULL};
    expect_status(HOLT_INVALID, schema_add_column(s, &c));
    expect_words("needs a default");
    schema_destroy(s);
}

static void columns_are_renamed_unless_the_name_is_in_use(void **state)
{
    schema *s = sample();
    expect_status(HOLT_NOT_FOUND, schema_rename_column(s, "nothing", "x"));
    expect_status(HOLT_EXISTS, schema_rename_column(s, "score", "NAME"));
    expect_status(HOLT_INVALID, schema_rename_column(s, "score", ""));
    expect_ok(schema_rename_column(s, "name", "NAME")); /* its own name, in another case */
    assert_string_equal(s->columns[1].name, "NAME");
    schema_destroy(s);
}

static void add_refuses(holt_index_options o, holt_status rc, const char *words)
{
    schema *s = with_index("first", "name", 0, 0);
    expect_status(rc, schema_add_index(s, &o, 2));
    expect_words(words);
    schema_destroy(s);
}

static void an_index_that_cannot_be_is_refused(void **state)
{
    holt_index_part parts[2] = {{.column = "score"}, {.column = "SCORE"}};
    const holt_index_options o = {.name = "x", .parts = parts, .part_count = 1};
    holt_index_options wrong = o;
    wrong.name = "FIRST";
    add_refuses(wrong, HOLT_EXISTS, "has an index");
    wrong = o;
    wrong.part_count = 0;
    add_refuses(wrong, HOLT_INVALID, "no parts");
    wrong.part_count = 65;
    add_refuses(wrong, HOLT_INVALID, "65 parts");
    wrong.part_count = 2;
    add_refuses(wrong, HOLT_INVALID, "appears twice");
    parts[1].column = "nothing";
    add_refuses(wrong, HOLT_NOT_FOUND, "no column \"nothing\"");
    wrong = o;
    wrong.not_null = "nothing";
    add_refuses(wrong, HOLT_NOT_FOUND, "no column \"nothing\"");
    wrong = o;
    wrong.flags = 2;
    add_refuses(wrong, HOLT_INVALID, "flags 0x2");
    parts[0].flags = 4;
    add_refuses(o, HOLT_INVALID, "flags 0x4");
}

/* An id that came back would show a scan another index than the one it names. */
static void the_number_of_an_index_is_not_used_again(void **state)
{
    schema *s = with_index("first", "name", 0, 0);
    holt_index_part part = {.column = "score"};
    holt_index_options o = {.name = "second", .parts = &part, .part_count = 1};
    assert_int_equal(s->indexes[0].id, 1);
    schema_remove_index(s, 0);
    expect_ok(schema_add_index(s, &o, 5));
    assert_int_equal(s->indexes[0].id, 2);
    assert_string_equal(s->indexes[0].collection, "holt.index.5");
    assert_int_equal(schema_find_index_id(s, 2), 0);
    assert_int_equal(schema_find_index_id(s, 1), SCHEMA_NONE);
    assert_int_equal(schema_find_index(s, "SECOND"), 0);
    schema_destroy(s);
}

/* Adding and dropping columns for ever must not make the codes of a row grow for ever. */
static void the_number_of_slots_in_a_life_is_limited(void **state)
{
    schema *s = sample();
    s->next_slot = 65536;
    holt_column c = {.name = "extra", .type = HOLT_BOOLEAN};
    expect_status(HOLT_INVALID, schema_add_column(s, &c));
    expect_words("copy the rows");
    schema_destroy(s);
}

/* ---------------------------------------------------------------- records */

static schema *rich(void)
{
    schema *s = with_index("by_name", "name", HOLT_PART_DESCENDING, HOLT_INDEX_UNIQUE);
    holt_index_part parts[] = {{.column = "photo", .flags = HOLT_PART_HASH}, {.column = "id"}};
    holt_index_options o = {.name = "by photo", .parts = parts, .part_count = 2};
    expect_ok(schema_add_index(s, &o, 4712));
    s->indexes[0].state = INDEX_COMPLETE;
    expect_ok(schema_set_renaming(s, "Folk"));
    return s;
}

static void a_record_is_read_back_as_it_was_written(void **state)
{
    schema *s = rich(), *back;
    buffer record = {0};
    expect_ok(schema_encode(s, &record));
    expect_ok(schema_decode(&back, buffer_slice(&record)));
    assert_int_equal(back->version, s->version);
    expect_same(s, back);
    schema_destroy(back);
    expect_ok(schema_rename(s, "Folk"));
    buffer_clear(&record);
    expect_ok(schema_encode(s, &record));
    expect_ok(schema_decode(&back, buffer_slice(&record)));
    assert_int_equal(back->state, SCHEMA_LIVE);
    expect_same(s, back);
    schema_destroy(back);
    schema_destroy(s);
    buffer_deinit(&record);
}

static void a_record_of_a_newer_format_is_refused_by_name(void **state)
{
    schema *back;
    expect_status(HOLT_UNSUPPORTED, schema_decode(&back, slice_of("\x02", 1)));
    expect_words("format 2");
}

static void expect_schema(const schema *s)
{
    schema *back;
    buffer record = {0};
    expect_ok(schema_encode(s, &record));
    expect_ok(schema_decode(&back, buffer_slice(&record)));
    expect_same(s, back);
    schema_destroy(back);
    buffer_deinit(&record);
}

static void each_prefix_is_refused(const buffer *record)
{
    for (size_t size = 0; size < record->size; size++) {
        schema *back;
        uint8_t *copy = malloc(size + 1); /* of the exact size for the sanitizer */
        assert_non_null(copy);
        memcpy(copy + 1, record->data, size);
        expect_status(HOLT_CORRUPT, schema_decode(&back, slice_of(copy + 1, size)));
        assert_null(back);
        free(copy);
    }
}

/* Each prefix, each byte changed in every bit: refused, or a schema like any other. */
static void damaged_records_are_refused_or_are_schemas(void **state)
{
    schema *s = rich(), *back;
    buffer record = {0};
    expect_ok(schema_encode(s, &record));
    schema_destroy(s);
    each_prefix_is_refused(&record);
    for (size_t i = 8; i < 8 * record.size; i++) { /* the first byte is the format */
        record.data[i / 8] ^= (uint8_t)(1 << i % 8);
        holt_status rc = schema_decode(&back, buffer_slice(&record));
        if (rc == HOLT_OK)
            expect_schema(back);
        else
            expect_status(HOLT_CORRUPT, rc);
        schema_destroy(back);
        record.data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    buffer_deinit(&record);
}

/* ---------------------------------------------------------------- no memory */

static holt_status everything(void)
{
    holt_key_part key = {.column = "id"};
    holt_table_options o = {.columns = columns, .column_count = 4, .key = &key, .key_count = 1};
    holt_index_part part = {.column = "score"};
    holt_index_options x = {.name = "by_score", .parts = &part, .part_count = 1};
    static char long_default[40000]; /* more than a chunk of the arena */
    memset(long_default, 'x', sizeof long_default);
    holt_column c = {.name = "long",
                     .type = HOLT_TEXT,
                     .flags = HOLT_COLUMN_DEFAULT,
                     .default_value = holt_text_bytes(long_default, sizeof long_default)};
    schema *s = NULL, *draft = NULL, *back = NULL;
    buffer record = {0};
    holt_status rc = schema_create(&s, "t", &o);
    if (rc == HOLT_OK) rc = schema_add_column(s, &c);
    if (rc == HOLT_OK) rc = schema_copy(&draft, s);
    if (rc == HOLT_OK) rc = schema_add_index(draft, &x, 1);
    if (rc == HOLT_OK) rc = schema_rename(draft, "u");
    if (rc == HOLT_OK) rc = schema_encode(draft, &record);
    if (rc == HOLT_OK) rc = schema_decode(&back, buffer_slice(&record));
    schema_destroy(s);
    schema_destroy(draft);
    schema_destroy(back);
    buffer_deinit(&record);
    return rc;
}

static void each_allocation_may_fail(void **state)
{
    holt_status rc = HOLT_NO_MEMORY;
    uint64_t n = 0;
    while (rc != HOLT_OK) {
        mem_fail_at(++n, false);
        rc = everything();
        mem_fail_at(0, false);
        if (rc != HOLT_OK) expect_status(HOLT_NO_MEMORY, rc);
    }
    assert_true(n > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_schema_has_slots_for_the_columns_outside_the_key),
        cmocka_unit_test(options_that_make_no_table_are_refused),
        cmocka_unit_test(values_are_converted_only_without_loss),
        cmocka_unit_test(a_copy_is_a_schema_of_its_own_with_the_next_version),
        cmocka_unit_test(dropping_a_column_keeps_indexes_on_their_columns),
        cmocka_unit_test(a_column_is_added_behind_the_others),
        cmocka_unit_test(columns_are_renamed_unless_the_name_is_in_use),
        cmocka_unit_test(an_index_that_cannot_be_is_refused),
        cmocka_unit_test(the_number_of_an_index_is_not_used_again),
        cmocka_unit_test(the_number_of_slots_in_a_life_is_limited),
        cmocka_unit_test(a_record_is_read_back_as_it_was_written),
        cmocka_unit_test(a_record_of_a_newer_format_is_refused_by_name),
        cmocka_unit_test(damaged_records_are_refused_or_are_schemas),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
