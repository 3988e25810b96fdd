/* http_json.c -- see http_json.h. */
#include "http/http_json.h"

#include <assert.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/json_text.h"
#include "common/text.h"

enum { NAME_BYTES_MAX = 64, DEPTH_MAX = 8 };

/* ---------------------------------------------------------------- writing */

/* Appends the escape of a character that may not stand in a string. */
static void escape(bytes *out, unsigned char c)
{
    static const char from[] = "\"\\\n\r\t", to[] = "\"\\nrt";
    const char *found = c ? strchr(from, c) : NULL;
    if (found) {
        const char pair[2] = {'\\', to[found - from]};
        bytes_append(out, pair, 2);
    } else {
        bytes_append_format(out, "\\u%04x", c);
    }
}

void http_json_string(bytes *out, holt_slice text)
{
    const unsigned char *p = text.data;
    size_t from = 0;
    bytes_append(out, "\"", 1);
    for (size_t i = 0; i < text.size; i++) {
        if (p[i] >= 0x20 && p[i] != '"' && p[i] != '\\') continue;
        bytes_append(out, p + from, i - from);
        escape(out, p[i]);
        from = i + 1;
    }
    if (text.size) bytes_append(out, p + from, text.size - from);
    bytes_append(out, "\"", 1);
}

void http_json_base64(bytes *out, holt_slice value)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    enum { PADDING = 64 }; /* the last of them */
    const unsigned char *p = value.data;
    bytes_append(out, "\"", 1);
    for (size_t i = 0; i < value.size; i += 3) {
        size_t left = value.size - i;
        uint32_t group =
            (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
        const char four[4] = {digits[group >> 18], digits[group >> 12 & 63],
                              digits[left > 1 ? group >> 6 & 63 : PADDING],
                              digits[left > 2 ? group & 63 : PADDING]};
        bytes_append(out, four, 4);
    }
    bytes_append(out, "\"", 1);
}

void http_json_member(bytes *out, const char *name, holt_slice value)
{
    bytes_append(out, "\"", 1);
    bytes_append_text(out, name);
    if (text_is_utf8(value)) {
        bytes_append_text(out, "\":");
        http_json_string(out, value);
    } else {
        bytes_append_text(out, "_base64\":");
        http_json_base64(out, value);
    }
}

/* ---------------------------------------------------------------- reading */

/* Returns the number of members of all objects within. */
static size_t count_members(json_object *value)
{
    size_t count = 0;
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, name, member)
        {
            (void)name;
            count += 1 + count_members(member);
        }
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            count += count_members(json_object_array_get_idx(value, i));
    }
    return count;
}

json_object *http_json_parse_any(const char *text, size_t size, const char **problem)
{
    size_t names = 0;
    if (size == 0 || size > INT_MAX) {
        *problem = size ? "the body is too large" : "the body is empty";
        return NULL;
    }
    *problem = json_text_check(text, size, true, &names);
    if (*problem) return NULL;
    json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
    if (!tokener) {
        *problem = "out of memory";
        return NULL;
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    json_object *object = json_tokener_parse_ex(tokener, text, (int)size);
    enum json_tokener_error error = json_tokener_get_error(tokener);
    if (error == json_tokener_continue) {
        /* Only what follows a number shows that it has ended. */
        object = json_tokener_parse_ex(tokener, " ", 1);
        error = json_tokener_get_error(tokener);
    }
    if (error == json_tokener_continue)
        *problem = "the text ends too early";
    else if (error != json_tokener_success)
        *problem = json_tokener_error_desc(error);
    else if (count_members(object) != names)
        *problem = "a member occurs twice";
    json_tokener_free(tokener);
    if (!*problem) return object;
    json_object_put(object);
    return NULL;
}

json_object *http_json_parse(const char *text, size_t size, const char **problem)
{
    json_object *object = http_json_parse_any(text, size, problem);
    if (*problem || json_object_is_type(object, json_type_object)) return object;
    *problem = "expected an object";
    json_object_put(object);
    return NULL;
}

bool http_json_has(json_object *object, const char *name)
{
    char other[NAME_BYTES_MAX];
    snprintf(other, sizeof other, "%s_base64", name);
    return json_object_object_get_ex(object, name, NULL) || json_object_object_get_ex(object, other, NULL);
}

bool http_json_read_base64(json_object *text, bytes *decoded, holt_slice *value)
{
    size_t size = 0;
    if (!json_object_is_type(text, json_type_string)) return false;
    const char *digits = json_object_get_string(text);
    size_t digit_count = (size_t)json_object_get_string_len(text);
    assert(decoded->capacity - decoded->size >= digit_count / 4 * 3);
    if (!json_text_decode_base64(digits, digit_count, decoded->data + decoded->size, &size)) return false;
    *value = holt_bytes(decoded->data + decoded->size, size);
    decoded->size += size;
    return true;
}

const char *http_json_get(json_object *object, const char *name, bytes *decoded, holt_slice *value)
{
    json_object *text = NULL, *base64 = NULL;
    char other[NAME_BYTES_MAX];
    snprintf(other, sizeof other, "%s_base64", name);
    bool plain = json_object_object_get_ex(object, name, &text);
    if (plain == json_object_object_get_ex(object, other, &base64))
        return plain ? "is there twice, as text and as base64" : "is missing";
    if (!json_object_is_type(plain ? text : base64, json_type_string)) return "is not a string";
    if (plain) {
        *value = holt_bytes(json_object_get_string(text), (size_t)json_object_get_string_len(text));
        return NULL;
    }
    return http_json_read_base64(base64, decoded, value) ? NULL : "is not base64";
}

bool http_json_only(json_object *object, const char *const *names)
{
    json_object_object_foreach(object, name, member)
    {
        bool known = false;
        (void)member;
        for (const char *const *n = names; *n && !known; n++) {
            size_t size = strlen(*n);
            known =
                strncmp(name, *n, size) == 0 && (name[size] == '\0' || strcmp(name + size, "_base64") == 0);
        }
        if (!known) return false;
    }
    return true;
}
