/* rows.c -- see rows.h. */
#include "terminal/rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/byte_buffer.h"
#include "common/text.h"
#include "terminal/output.h"

enum { ROWS_HELD = 128, KEY_COLUMNS_MAX = 48, GAP = 2, VALUE_COLUMNS_MIN = 16 };

typedef struct row {
    byte_buffer key, value; /* escaped and cut */
} row;

struct rows {
    bool keys_only;
    bool fixed;         /* the width of the key column */
    size_t key_columns; /* the widest key so far, then the width of the column */
    size_t columns;     /* of the terminal */
    size_t held;
    row row[ROWS_HELD];
};

rows *rows_create(bool keys_only)
{
    rows *r = allocate_or_exit(1, sizeof *r);
    r->keys_only = keys_only;
    r->columns = output_columns();
    return r;
}

void rows_destroy(rows *r)
{
    if (!r) return;
    for (size_t i = 0; i < ROWS_HELD; i++) {
        byte_buffer_deinit(&r->row[i].key);
        byte_buffer_deinit(&r->row[i].value);
    }
    free(r);
}

static void print_row(rows *r, row *one)
{
    holt_slice key = holt_bytes(one->key.data ? one->key.data : "", one->key.size);
    fwrite(key.data, 1, key.size, stdout);
    if (!r->keys_only) {
        size_t used = text_columns(key);
        size_t column = used > r->key_columns ? used : r->key_columns;
        size_t left =
            r->columns > column + GAP + VALUE_COLUMNS_MIN ? r->columns - column - GAP : VALUE_COLUMNS_MIN;
        byte_buffer cut = {NULL, 0, 0};
        printf("%*s", (int)(column - used + GAP), "");
        text_append_cut(&cut, holt_bytes(one->value.data ? one->value.data : "", one->value.size), left);
        if (cut.size) fwrite(cut.data, 1, cut.size, stdout);
        byte_buffer_deinit(&cut);
    }
    putchar('\n');
}

void rows_add(rows *r, holt_slice key, holt_slice value)
{
    row *one = &r->row[r->held];
    one->key.size = 0;
    one->value.size = 0;
    if (r->keys_only) {
        text_append_cut(&one->key, key, SIZE_MAX);
    } else {
        /* Keep the bytes that could fill a line: how many of them fit is known when the row is printed. */
        size_t bytes_max = 4 * r->columns;
        text_append_cut(&one->key, key, KEY_COLUMNS_MAX);
        byte_buffer_append(&one->value, value.data, value.size < bytes_max ? value.size : bytes_max);
    }
    if (r->fixed) {
        print_row(r, one);
        return;
    }
    size_t columns = text_columns(holt_bytes(one->key.data ? one->key.data : "", one->key.size));
    if (columns > r->key_columns) r->key_columns = columns;
    if (++r->held == ROWS_HELD) rows_flush(r);
}

void rows_flush(rows *r)
{
    r->fixed = true;
    for (size_t i = 0; i < r->held; i++) {
        print_row(r, &r->row[i]);
    }
    r->held = 0;
}
