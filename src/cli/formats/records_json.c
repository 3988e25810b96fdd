/* records_json.c -- JSON, one object per line, as `holt scan --json` prints it.
 *
 *     {"key":"city","value":"Lisbon"}
 *     {"key":{"base64":"/w=="},"value":"\u0000"}
 *     {"key":"session","value":"17","expires_at_ms":1800000000000}
 *
 * Key and value are strings, or objects with the single member "base64" for bytes that are not UTF-8.
 * "expires_at_ms", in milliseconds since 1970, is a number that may be left out. Nothing else is allowed on
 * the line: no other member, no other type, nothing after the object. Lines of white space are skipped.
 *
 * json-c does the parsing, after json_text_check() has found what it would accept though it is not JSON.
 */
#include "formats/records.h"

#include <json-c/json.h>

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "common/json_text.h"

/* Decodes base64 into *out. */
static bool decode_base64(const char *p, size_t size, byte_buffer *out)
{
    out->size = 0;
    byte_buffer_reserve(out, size / 4 * 3 + 1);
    return json_text_decode_base64(p, size, out->data, &out->size);
}

/* Sets *out to the bytes that a member means; they lie in the object or in *decoded. Adds the members of the
 * member to *names. */
static record_kind read_bytes(records *r, json_object *member, const char *name, byte_buffer *decoded,
                              size_t *names, holt_slice *out)
{
    json_object *text = NULL;
    switch (json_object_get_type(member)) {
    case json_type_string:
        *out = holt_bytes(json_object_get_string(member), (size_t)json_object_get_string_len(member));
        return RECORD_ENTRY;
    case json_type_object:
        if (json_object_object_length(member) != 1 || !json_object_object_get_ex(member, "base64", &text) ||
            !json_object_is_type(text, json_type_string)) {
            return records_bad(r, "the %s is an object other than {\"base64\":\"...\"}", name);
        }
        ++*names;
        if (!decode_base64(json_object_get_string(text), (size_t)json_object_get_string_len(text), decoded)) {
            return records_bad(r, "the %s is not padded base64", name);
        }
        *out = holt_bytes(decoded->data, decoded->size);
        return RECORD_ENTRY;
    default:
        return records_bad(r, "the %s has the type %s; it must be a string or {\"base64\":\"...\"}", name,
                           json_type_to_name(json_object_get_type(member)));
    }
}

/* Finds a member that must exist. A JSON null exists, but json-c returns NULL for it. */
static record_kind find_member(records *r, json_object *object, const char *name, json_object **out)
{
    if (json_object_object_get_ex(object, name, out)) return RECORD_ENTRY;
    return records_bad(r, "the object has no member \"%s\"", name);
}

static record_kind read_expiry(records *r, json_object *member, uint64_t *out)
{
    bool number = json_object_is_type(member, json_type_int) && json_object_get_int64(member) > 0;
    if (!number) return records_bad(r, "expires_at_ms is not a time in milliseconds since 1970");
    *out = json_object_get_uint64(member);
    return RECORD_ENTRY;
}

static record_kind read_object(records *r, json_object *object, size_t names_on_line, record *out)
{
    json_object *key = NULL, *value = NULL, *expiry = NULL;
    size_t names = 2;
    json_object_object_foreach(object, name, member)
    {
        (void)member;
        if (strcmp(name, "key") == 0 || strcmp(name, "value") == 0) continue;
        if (strcmp(name, "expires_at_ms") == 0) continue;
        return records_bad(r,
                           "unknown member \"%.60s\"; only \"key\", \"value\" and \"expires_at_ms\" are "
                           "loaded",
                           name);
    }
    bool expires = json_object_object_get_ex(object, "expires_at_ms", &expiry);
    names += expires;
    record_kind kind = find_member(r, object, "key", &key);
    if (kind == RECORD_ENTRY) kind = find_member(r, object, "value", &value);
    if (kind == RECORD_ENTRY) kind = read_bytes(r, key, "key", &r->key, &names, &out->key);
    if (kind == RECORD_ENTRY) kind = read_bytes(r, value, "value", &r->value, &names, &out->value);
    if (kind == RECORD_ENTRY && expires) kind = read_expiry(r, expiry, &out->expires_at_ms);
    if (kind == RECORD_ENTRY && names != names_on_line) return records_bad(r, "a member occurs twice");
    return kind;
}

/* Parses the line into r->json_object. */
static record_kind parse(records *r, const char *line, size_t size)
{
    if (!r->json) {
        r->json = json_tokener_new();
        if (!r->json) return records_bad(r, "out of memory");
        json_tokener_set_flags(r->json, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    }
    if (size > INT_MAX) return records_bad(r, "the line is longer than the JSON parser supports");
    json_tokener_reset(r->json);
    r->json_object = json_tokener_parse_ex(r->json, line, (int)size);
    enum json_tokener_error problem = json_tokener_get_error(r->json);
    if (problem == json_tokener_success) return RECORD_ENTRY;
    if (problem == json_tokener_continue) return records_bad(r, "the line ends inside an object");
    return records_bad(r, "not JSON: %s at byte %zu", json_tokener_error_desc(problem),
                       json_tokener_get_parse_end(r->json) + 1);
}

/* Returns the number of bytes of white space at the beginning of the line. */
static size_t blanks(const char *line, size_t size)
{
    size_t i = 0;
    while (i < size && (line[i] == ' ' || line[i] == '\t' || line[i] == '\r')) {
        i++;
    }
    return i;
}

record_kind records_next_json(records *r, record *out)
{
    char *line;
    size_t size, names;
    bool whole;
    json_object_put(r->json_object);
    r->json_object = NULL;
    do {
        record_kind kind = records_text_line(r, &line, &size, &whole);
        if (kind != RECORD_ENTRY) return kind;
    } while (blanks(line, size) == size);
    r->first_line = r->lines.number;
    /* After this check the parser returns an object or an error. */
    if (line[blanks(line, size)] != '{') return records_bad(r, "not a JSON object: it must begin with '{'");
    const char *problem = json_text_check(line, size, false, &names);
    if (problem) return records_bad(r, "%s", problem);
    record_kind kind = parse(r, line, size);
    return kind == RECORD_ENTRY ? read_object(r, r->json_object, names, out) : kind;
}

void records_deinit_json(records *r)
{
    json_object_put(r->json_object);
    if (r->json) json_tokener_free(r->json);
    r->json_object = NULL;
    r->json = NULL;
}
