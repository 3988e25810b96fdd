/* records_deb822.c -- stanzas of Debian package indexes, separated by blank lines.
 *
 * The value is the stanza as it is; the key is made of three of its fields. Only Package must exist.
 */
#include "formats/records.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* If the line is `field`, sets *value to its value without the blanks around it. */
static bool field_value(holt_slice line, const char *field, holt_slice *value)
{
    size_t name = strlen(field);
    const char *p = line.data;
    if (line.size <= name || p[name] != ':' || strncasecmp(p, field, name) != 0) return false;
    size_t from = name + 1, to = line.size;
    while (from < to && (p[from] == ' ' || p[from] == '\t')) {
        from++;
    }
    while (to > from && (p[to - 1] == ' ' || p[to - 1] == '\t' || p[to - 1] == '\r')) {
        to--;
    }
    *value = holt_bytes(p + from, to - from);
    return true;
}

static bool is_blank(const char *line, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r') return false;
    }
    return true;
}

/* The fields of a stanza that make its key. */
enum { PACKAGE, VERSION, ARCHITECTURE, FIELDS };

static const char *const field_names[FIELDS] = {"Package", "Version", "Architecture"};

static void find_fields(holt_slice stanza, holt_slice fields[FIELDS])
{
    const char *p = stanza.data;
    const char *end = p + stanza.size;
    while (p < end) {
        const char *feed = memchr(p, '\n', (size_t)(end - p));
        size_t size = feed ? (size_t)(feed - p) : (size_t)(end - p);
        for (int i = 0; i < FIELDS; i++) {
            if (fields[i].size == 0) (void)field_value(holt_bytes(p, size), field_names[i], &fields[i]);
        }
        p += size + 1;
    }
}

static record_kind make_record(records *r, record *out)
{
    holt_slice fields[FIELDS] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    out->value = holt_bytes(r->value.data, r->value.size);
    find_fields(out->value, fields);
    if (fields[PACKAGE].size == 0) return records_bad(r, "a stanza has no field 'Package'");
    r->key.size = 0;
    for (int i = 0; i < FIELDS; i++) {
        if (i > 0) byte_buffer_append_string(&r->key, "/");
        byte_buffer_append(&r->key, fields[i].data, fields[i].size);
    }
    out->key = holt_bytes(r->key.data, r->key.size);
    return RECORD_ENTRY;
}

record_kind records_next_deb822(records *r, record *out)
{
    r->value.size = 0;
    for (;;) {
        char *line;
        size_t size;
        bool whole;
        record_kind kind = records_line(r, &line, &size, &whole);
        if (kind == RECORD_END) return r->value.size ? make_record(r, out) : RECORD_END;
        if (kind != RECORD_ENTRY) return kind;
        if (is_blank(line, size)) {
            if (r->value.size) return make_record(r, out);
            r->first_line = r->lines.number + 1;
            continue;
        }
        if (r->value.size + size > r->lines.limit) {
            return records_bad(r, "the stanza is longer than any entry that this --memory permits");
        }
        byte_buffer_append(&r->value, line, size);
        byte_buffer_append_string(&r->value, "\n");
    }
}
