/* fuzz_resp.c -- any bytes as commands of the Redis protocol: arguments are within the input, and what is
 * found does not depend on where the input is cut. The first byte says where.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "resp/resp_parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int condition)
{
    if (!condition) abort();
}

/* Parses a copy of the input of which `there` bytes come first. Returns a hash of what was found. */
static uint64_t parse_all(const uint8_t *input, size_t size, size_t there)
{
    const resp_limits limits = {1 << 16, 1024};
    resp_parser p = {0};
    uint64_t hash = 14695981039346656037u;
    char *data = malloc(size ? size : 1);
    size_t at = 0;
    expect(data != NULL);
    if (size) memcpy(data, input, size);
    for (;;) {
        size_t used = 0;
        const char *error = NULL;
        resp_found found = resp_parse(&p, data + at, there - at, &limits, &used, &error);
        if (found == RESP_MORE && there < size) {
            there = size;
            continue;
        }
        hash = (hash ^ found) * 1099511628211u;
        if (found != RESP_COMMAND) {
            expect((found == RESP_ERROR) == (error != NULL));
            break;
        }
        expect(used > 0 && used <= there - at);
        for (size_t i = 0; i < p.count; i++) {
            holt_slice argument = resp_parser_argument(&p, data + at, i);
            const char *bytes = argument.data;
            expect(bytes >= data + at && bytes + argument.size <= data + at + used);
            for (size_t j = 0; j < argument.size; j++)
                hash = (hash ^ (uint8_t)bytes[j]) * 1099511628211u;
            hash = (hash ^ 256) * 1099511628211u;
        }
        at += used;
        resp_parser_next(&p);
    }
    resp_parser_deinit(&p);
    free(data);
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    size_t cut = data[0];
    data++;
    size--;
    expect(parse_all(data, size, size) == parse_all(data, size, cut < size ? cut : size));
    return 0;
}
