/* fuzz_load.c -- any bytes as a dump, TSV, lines or a package index: every record is within bounds, and keys
 * and values can be written with escapes and read back.
 *
 * The first byte of the input is the format: 0 dump, 1 tsv, 2 lines, 3 deb822; plus 4 for --raw, 8 for
 * --crlf.
 */
#include "load.h"

#include "formats/dump.h"
#include "common/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Escaped text, also as for a terminal, must read back as the same bytes. */
static void check_escapes(holt_slice bytes, void (*write_text)(FILE *, holt_slice))
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    expect(out != NULL);
    write_text(out, bytes);
    expect(fclose(out) == 0);
    expect(size == 0 || (!memchr(text, '\t', size) && !memchr(text, '\n', size)));
    expect(text_unescape(text, &size) == NULL);
    expect(is_same(holt_bytes(text, size), bytes));
    free(text);
}

static void check_entry(holt_slice key, holt_slice value)
{
    check_escapes(key, text_write_escaped);
    check_escapes(value, text_write_escaped);
    check_escapes(key, text_write_visible);
    check_escapes(value, text_write_visible);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > INPUT_MAX) return 0;
    records_options options = {
        .format = (records_format)(data[0] % 4),  .raw = data[0] & 4, .crlf = data[0] & 8,
        .value_max = VALUE_MAX};
    read_all(&options, data + 1, size - 1, check_entry);
    return 0;
}
