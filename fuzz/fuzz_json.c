/* fuzz_json.c -- any bytes as lines of JSON: every record is within bounds, and an entry that was read is
 * printed as `holt scan --json` does and read back. The same is done with the input itself as key and value.
 */
#include "load.h"

#include <stdio.h>

#include "common/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const records_options options = {.format = RECORDS_JSON, .value_max = VALUE_MAX};

/* Prints the entry as scan does, into a pipe or as on a terminal, and reads it. */
static void check_form(holt_slice key, holt_slice value, bool visible)
{
    char *text = NULL;
    size_t size = 0;
    json_writer w;
    FILE *out = open_memstream(&text, &size);
    expect(out != NULL);
    json_init(&w, out, visible);
    json_object_begin(&w);
    json_name(&w, "key");
    json_bytes(&w, key);
    json_name(&w, "value");
    json_bytes(&w, value);
    json_object_end(&w);
    json_line_end(&w);
    expect(fclose(out) == 0);
    read_back(&options, text, size, key, value);
    free(text);
}

static void check_entry(holt_slice key, holt_slice value)
{
    check_form(key, value, false);
    check_form(key, value, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_MAX) return 0;
    read_all(&options, data, size, check_entry);
    size_t key_size = size < 8 ? size / 2 : 8;
    size_t value_size = size - key_size < VALUE_MAX ? size - key_size : VALUE_MAX;
    check_entry(holt_bytes(data, key_size), holt_bytes(data + key_size, value_size));
    return 0;
}
