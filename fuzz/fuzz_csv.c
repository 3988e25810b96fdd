/* fuzz_csv.c -- any bytes as CSV: every record is within bounds, and an entry that was read is
 * written as CSV and read back.
 */
#include "load.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const records_options options = {
    .format = RECORDS_CSV, .key_column = "key", .value_column = "value", .value_max = VALUE_MAX};

/* A field in quotes, its quotes doubled. */
static void write_field(FILE *out, holt_slice field)
{
    const char *bytes = field.data;
    putc('"', out);
    for (size_t i = 0; i < field.size; i++) {
        if (bytes[i] == '"') putc('"', out);
        putc(bytes[i], out);
    }
    putc('"', out);
}

static void check_entry(holt_slice key, holt_slice value)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    expect(out != NULL);
    fputs("value,other,key\r\n", out);
    write_field(out, value);
    fputs(",,", out);
    write_field(out, key);
    fputs("\r\n", out);
    expect(fclose(out) == 0);
    read_back(&options, text, size, key, value);
    free(text);
}

/* Rows as `holt import` reads them: with this separator, all columns, going on after a row that is wrong. */
static void read_rows(const uint8_t *data, size_t size, char delimiter)
{
    const records_options of_table = {.format = RECORDS_CSV, .delimiter = delimiter, .value_max = VALUE_MAX};
    int descriptor = file_of(data, size);
    records r;
    records_init(&r, &of_table, "stdin", descriptor);
    record_kind kind = records_csv_header(&r);
    bool good = kind == RECORD_ENTRY; /* a wrong header ends an import in any case */
    while (good && kind != RECORD_END) {
        size_t bytes = 0;
        for (size_t i = 0; kind == RECORD_ENTRY && i < r.csv.columns; i++) {
            bytes += records_csv_field(&r, i, NULL).size;
        }
        expect(bytes <= size);
        uint64_t line = r.lines.number;
        kind = records_csv_row(&r);
        expect(kind == RECORD_END || r.lines.number > line);
    }
    records_deinit(&r);
    close(descriptor);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_MAX) return 0;
    read_all(&options, data, size, check_entry);
    read_rows(data, size, ',');
    read_rows(data, size, '\t');
    return 0;
}
