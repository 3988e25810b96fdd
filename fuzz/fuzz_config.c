/* fuzz_config.c -- any bytes as a configuration file: settings or a message, and what was read is written
 * the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int condition)
{
    if (!condition) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    config c;
    char error[CONFIG_ERROR_BYTES] = "";
    expect(config_init(&c));
    bool read = config_read_text(&c, (const char *)data, size, "input", error);
    expect(read == (*error == '\0'));
    expect(strlen(error) < sizeof error);
    for (size_t i = 0; read && i < CONFIG_COUNT; i++) {
        uint64_t number = c.number[i];
        expect(config_set(&c, i, CONFIG_FLAG, c.text[i], error));
        expect(c.number[i] == number);
    }
    config_deinit(&c);
    return 0;
}
