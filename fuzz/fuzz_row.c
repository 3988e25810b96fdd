/* fuzz_row.c -- arbitrary bytes as a row, and as an entry of an index: they are refused, or read within
 * bounds, and what was read can be written and read again.
 *
 * Byte 0: the length of the key; then the key, then the value.
 */
#include "table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COLUMNS = 6, INDEXES = 2 };

static schema *table(void)
{
    static schema *s;
    if (s) return s;
    holt_column columns[COLUMNS] = {{.name = "a", .type = HOLT_INTEGER}, {.name = "b", .type = HOLT_TEXT},
                                    {.name = "c", .type = HOLT_REAL},    {.name = "d", .type = HOLT_BLOB},
                                    {.name = "e", .type = HOLT_BOOLEAN}, {.name = "f", .type = HOLT_INTEGER}};
    holt_key_part key[] = {{.column = "b"}, {.column = "a", .flags = HOLT_PART_DESCENDING}};
    holt_index_part parts[INDEXES][2] = {{{.column = "d", .flags = HOLT_PART_HASH}, {.column = "c"}},
                                         {{.column = "f", .flags = HOLT_PART_DESCENDING}, {.column = "d"}}};
    holt_table_options o = {.columns = columns, .column_count = COLUMNS, .key = key, .key_count = 2};
    columns[4].flags = HOLT_COLUMN_DEFAULT;
    columns[4].default_value = holt_boolean(true);
    expect(schema_create(&s, "t", &o) == HOLT_OK);
    for (uint32_t i = 0; i < INDEXES; i++) {
        holt_index_options x = {
            .name = i ? "y" : "x", .parts = parts[i], .part_count = 2, .flags = i ? HOLT_INDEX_UNIQUE : 0};
        expect(schema_add_index(s, &x, i) == HOLT_OK);
    }
    return s;
}

static void expect_same(const holt_datum *a, const holt_datum *b)
{
    for (size_t i = 0; i < COLUMNS; i++)
        expect(datum_compare(&a[i], &b[i]) == 0);
}

static void check_entry(const schema *s, const schema_index *x, const holt_datum *row, slice primary)
{
    holt_datum parts[4];
    slice value, found;
    buffer key = {0};
    index_entry_append(&key, x, row, primary, &value);
    expect(!key.failed);
    uint8_t *room = malloc(key.size + value.size);
    expect(room != NULL);
    expect(index_entry_primary(x, buffer_slice(&key), value, &found) && slice_equal(found, primary));
    expect(index_entry_read(s, x, buffer_slice(&key), value, room, parts));
    for (uint32_t i = 0; i < COLUMNS; i++)
        if (x->held[i] != SCHEMA_NONE) expect(datum_compare(&parts[x->held[i]], &row[i]) == 0);
    free(room);
    buffer_deinit(&key);
}

static void check_row(const schema *s, const holt_datum *row)
{
    holt_datum again[COLUMNS];
    buffer key = {0}, value = {0};
    row_key_append(&key, s, row, 0);
    row_value_append(&value, s, row);
    expect(!key.failed && !value.failed);
    uint8_t *room = malloc(key.size);
    expect(room != NULL);
    expect(row_key_read(s, buffer_slice(&key), room, again, NULL));
    expect(row_columns(s, buffer_slice(&value), again));
    expect_same(row, again);
    for (uint32_t i = 0; i < INDEXES; i++)
        check_entry(s, &s->indexes[i], row, buffer_slice(&key));
    free(room);
    buffer_deinit(&key);
    buffer_deinit(&value);
}

static void read_as_entry(const schema *s, slice key, slice value)
{
    holt_datum parts[4];
    slice primary;
    uint8_t *room = malloc(key.size + value.size + 1);
    expect(room != NULL);
    for (uint32_t i = 0; i < INDEXES; i++)
        if (index_entry_read(s, &s->indexes[i], key, value, room, parts))
            expect(index_entry_primary(&s->indexes[i], key, value, &primary));
    free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    const schema *s = table();
    size_t key_size = data[0] < size - 1 ? data[0] : size - 1;
    slice key = slice_of(data + 1, key_size), value = slice_of(data + 1 + key_size, size - 1 - key_size);
    uint8_t *key_copy = copy_of(key), *value_copy = copy_of(value), *room = copy_of(key);
    holt_datum row[COLUMNS];
    key.data = key_copy;
    value.data = value_copy;
    if (row_key_read(s, key, room, row, NULL) && row_columns(s, value, row)) check_row(s, row);
    read_as_entry(s, key, value);
    free(key_copy);
    free(value_copy);
    free(room);
    return 0;
}
