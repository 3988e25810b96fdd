/* fuzz_ddl.c -- any bytes as CREATE, ALTER, DROP or REINDEX: parsing ends within the text, and says either
 * what the statement is or where it is wrong.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sql/ddl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
    if (!holds) abort();
}

static void expect_within(ddl_text piece, size_t size)
{
    expect(piece.size <= size && piece.offset <= size - piece.size);
}

static void expect_parts(const ddl_parts *parts)
{
    expect(parts->count <= DDL_PARTS_MAX);
    for (size_t i = 0; i < parts->count; i++) {
        expect(parts->parts[i].column && parts->parts[i].column[0]);
    }
}

/* What the rest of the code relies on in a statement without an error. */
static void expect_statement(const ddl *d, size_t size)
{
    expect(d->name || d->op == DDL_REINDEX);
    expect(d->column_count <= DDL_COLUMNS_MAX && d->unique_count <= DDL_UNIQUE_MAX);
    expect_within(d->select, size);
    expect_parts(&d->key);
    for (size_t i = 0; i < d->unique_count; i++) {
        expect_parts(&d->uniques[i]);
    }
    for (size_t i = 0; i < d->column_count; i++) {
        expect(d->columns[i].name && d->columns[i].type != HOLT_NULL);
        expect_within(d->columns[i].default_text, size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ddl d;
    if (size > 1 << 16) return 0;
    /* A copy of exactly this size, so that the sanitizer sees a read beyond it. */
    char *text = malloc(size ? size : 1);
    expect(text != NULL);
    if (size) memcpy(text, data, size);
    const int rc = ddl_parse(&d, text, size);
    expect(d.size <= size);
    if (rc == SQLITE_OK) {
        expect_statement(&d, size);
    } else {
        expect(d.error && d.error[0] && d.error_offset <= size);
    }
    ddl_deinit(&d);
    free(text);
    return 0;
}
