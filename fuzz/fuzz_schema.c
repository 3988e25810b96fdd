/* fuzz_schema.c -- arbitrary bytes as a record of the catalog of tables: refused, or a schema that can be
 * written, read, copied and searched.
 */
#include "table.h"

#include "table/schema/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const schema *s)
{
    for (uint32_t i = 0; i < s->column_count; i++)
        expect(schema_find_column(s, s->columns[i].name) == i);
    for (uint32_t i = 0; i < s->index_count; i++) {
        const schema_index *x = &s->indexes[i];
        expect(schema_find_index(s, x->name) == i && schema_find_index_id(s, x->id) == i);
        for (uint32_t j = 0; j < s->column_count; j++)
            expect(x->held[j] == SCHEMA_NONE || x->held[j] < x->part_count + s->key_count);
    }
}

static void check(const schema *s)
{
    schema *back, *copy;
    buffer record = {0}, again = {0};
    use(s);
    expect(schema_encode(s, &record) == HOLT_OK);
    expect(schema_decode(&back, buffer_slice(&record)) == HOLT_OK);
    expect(schema_encode(back, &again) == HOLT_OK);
    expect(slice_equal(buffer_slice(&record), buffer_slice(&again)));
    expect(schema_copy(&copy, back) == HOLT_OK);
    schema_destroy(back);
    use(copy);
    schema_destroy(copy);
    buffer_deinit(&record);
    buffer_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    schema *s;
    uint8_t *copy = copy_of(slice_of(data, size));
    holt_status rc = schema_decode(&s, slice_of(copy, size));
    expect(rc == HOLT_OK || rc == HOLT_CORRUPT || rc == HOLT_UNSUPPORTED);
    free(copy);
    if (rc == HOLT_OK) check(s);
    schema_destroy(s);
    return 0;
}
