/* fuzz_http.c -- any bytes as the target of a request and as a JSON body: what was decoded lies within the
 * input, and bytes that are written as JSON are read back. The input is the target, a zero byte, and the
 * body.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/http_datum.h"
#include "http/http_headers.h"
#include "http/http_json.h"
#include "http/http_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int condition)
{
    if (!condition) abort();
}

static void expect_within(const bytes *text, holt_slice part)
{
    const char *begin = part.data;
    expect(begin >= text->data && begin + part.size <= text->data + text->size);
}

static void check_target(const uint8_t *data, size_t size)
{
    http_request r = {0};
    bytes_append(&r.text, data, size);
    if (size) http_target_parse(&r);
    for (size_t i = 0; !r.problem && i < r.part_count; i++)
        expect_within(&r.text, r.parts[i]);
    for (size_t i = 0; !r.problem && i < r.parameter_count; i++) {
        expect_within(&r.text, r.parameters[i].name);
        expect_within(&r.text, r.parameters[i].value);
    }
    bytes_deinit(&r.text);
}

/* Writes the bytes as a member and reads them. */
static void check_member(holt_slice value)
{
    const char *problem = NULL;
    bytes text = {0}, decoded = {0};
    holt_slice got = {NULL, 0};
    bytes_append_text(&text, "{");
    http_json_member(&text, "value", value);
    bytes_append_text(&text, "}");
    expect(bytes_reserve(&decoded, text.size));
    json_object *object = http_json_parse(text.data, text.size, &problem);
    expect(object != NULL);
    expect(http_json_get(object, "value", &decoded, &got) == NULL);
    expect(got.size == value.size && (got.size == 0 || memcmp(got.data, value.data, got.size) == 0));
    json_object_put(object);
    bytes_deinit(&text);
    bytes_deinit(&decoded);
}

/* A value of a row that was read is written as JSON that is read as the same value. */
static void check_datum(const char *text, size_t size)
{
    const char *problem = NULL;
    bytes decoded = {0}, again = {0}, out = {0};
    holt_datum d, same;
    json_object *value = http_json_parse_any(text, size, &problem), *copy = NULL;
    expect(bytes_reserve(&decoded, size));
    if (!problem && http_datum_read(value, &decoded, &d) == NULL) {
        http_datum_append(&out, d);
        copy = http_json_parse_any(out.data, out.size, &problem);
        expect(problem == NULL && bytes_reserve(&again, out.size));
        expect(http_datum_read(copy, &again, &same) == NULL && same.type == d.type);
        bool is_bytes = d.type == HOLT_TEXT || d.type == HOLT_BLOB;
        expect(!is_bytes || same.as.bytes.size == d.as.bytes.size);
        expect(is_bytes || d.type == HOLT_NULL || d.type == HOLT_BOOLEAN || same.as.integer == d.as.integer);
    }
    json_object_put(value);
    json_object_put(copy);
    bytes_deinit(&decoded);
    bytes_deinit(&again);
    bytes_deinit(&out);
    for (uint32_t type = HOLT_BOOLEAN; type <= HOLT_BLOB; type++)
        (void)http_datum_parse(holt_bytes(text, size), type, &d);
}

static void check_body(const char *text, size_t size)
{
    const char *problem = NULL;
    bytes decoded = {0};
    holt_slice value;
    json_object *object = http_json_parse(text, size, &problem);
    expect((object == NULL) == (problem != NULL));
    expect(bytes_reserve(&decoded, size));
    if (object && http_json_get(object, "value", &decoded, &value) == NULL) check_member(value);
    json_object_put(object);
    bytes_deinit(&decoded);
}

/* Any text as headers; what is refused without blanks is refused with them. */
static void check_headers(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 3);
    expect(text != NULL);
    text[0] = ' ';
    memcpy(text + 1, data, size);
    text[size + 1] = '\t';
    text[size + 2] = '\0';
    bool blanks = http_accepts_gzip(text), json = http_may_be_json(text);
    (void)http_origin_of(text, "a", text + 1);
    text[size + 1] = '\0';
    expect(http_accepts_gzip(text + 1) == blanks || memchr(data, 0, size));
    expect(http_may_be_json(text + 1) == json || memchr(data, 0, size));
    (void)http_origin_of(text + 1, text + 1, text);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, 0, size);
    size_t target = end ? (size_t)(end - data) : size;
    check_target(data, target);
    if (end) check_body((const char *)end + 1, size - target - 1);
    check_datum((const char *)data, size);
    check_headers(data, size);
    check_member(holt_bytes(data, size));
    return 0;
}
