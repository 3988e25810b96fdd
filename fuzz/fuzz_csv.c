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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size <= INPUT_MAX) read_all(&options, data, size, check_entry);
    return 0;
}
