/* records.c -- see records.h: what the formats share, and the simple formats tsv and lines. */
#include "formats/records.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"

enum {
    KEY_MAX = 65535,
    ESCAPE_MAX = 4,      /* the bytes of the longest escape of a byte: \x00, */
    ESCAPE_MAX_JSON = 6, /* in JSON \u0000 */
    LINE_MORE = 64       /* bytes of a line in addition to key and value */
};

bool records_format_parse(const char *text, records_format *out)
{
    static const char *const names[] = {"dump", "tsv", "lines", "deb822", "csv", "json"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) != 0) continue;
        *out = (records_format)i;
        return true;
    }
    return false;
}

void records_init(records *r, const records_options *options, const char *name, int descriptor)
{
    *r = (records){.options = options, .name = name};
    size_t escape_max = options->format == RECORDS_JSON ? ESCAPE_MAX_JSON : ESCAPE_MAX;
    lines_init(&r->lines, descriptor, escape_max * (KEY_MAX + options->value_max) + LINE_MORE);
}

void records_deinit(records *r)
{
    lines_deinit(&r->lines);
    byte_buffer_deinit(&r->key);
    byte_buffer_deinit(&r->value);
    byte_buffer_deinit(&r->csv.bytes);
    byte_buffer_deinit(&r->csv.ends);
    byte_buffer_deinit(&r->csv.quoted);
    records_deinit_json(r);
}

record_kind records_bad(records *r, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r->problem, sizeof r->problem, format, arguments);
    va_end(arguments);
    r->problem_line = r->lines.number;
    return RECORD_BAD;
}

record_kind records_line(records *r, char **line, size_t *size, bool *whole)
{
    switch (lines_next(&r->lines, line, size, whole)) {
    case LINES_READ:
        return RECORD_ENTRY;
    case LINES_END:
        return RECORD_END;
    case LINES_TOO_LONG:
        return records_bad(r, "the line is longer than any entry that this --memory permits");
    case LINES_INTERRUPTED:
        return RECORD_INTERRUPTED;
    case LINES_FAILED:
        break;
    }
    return records_bad(r, "%s", strerror(errno));
}

record_kind records_text_line(records *r, char **line, size_t *size, bool *whole)
{
    record_kind kind = records_line(r, line, size, whole);
    if (kind != RECORD_ENTRY || r->lines.number > 1) return kind;
    if (*size >= 2 && (memcmp(*line, "\xff\xfe", 2) == 0 || memcmp(*line, "\xfe\xff", 2) == 0)) {
        return records_bad(r, "the file is UTF-16; convert it first: iconv -f UTF-16 -t UTF-8");
    }
    if (*size >= 3 && memcmp(*line, "\xef\xbb\xbf", 3) == 0) {
        *line += 3;
        *size -= 3;
    }
    return kind;
}

static bool unescape(records *r, char *bytes, size_t *size)
{
    const char *wrong = r->options->raw ? NULL : text_unescape(bytes, size);
    if (!wrong) return true;
    /* No zero ends the line, so only what certainly lies in it is printed. */
    (void)records_bad(r, "'\\%.*s' is not an escape; the escapes are \\n \\t \\r \\\\ \\xNN",
                      (int)(wrong + 1 < bytes + *size && (unsigned char)wrong[1] >= 0x20), wrong + 1);
    return false;
}

record_kind records_split(records *r, char *line, size_t size, record *out)
{
    char *tab = size ? memchr(line, '\t', size) : NULL;
    if (!tab) return records_bad(r, "there is no tab between key and value");
    size_t key_size = (size_t)(tab - line);
    size_t value_size = size - key_size - 1;
    if (!unescape(r, line, &key_size) || !unescape(r, tab + 1, &value_size)) return RECORD_BAD;
    out->key = holt_bytes(line, key_size);
    out->value = holt_bytes(tab + 1, value_size);
    return RECORD_ENTRY;
}

/* Reads a line of tsv or lines. */
static record_kind plain_line(records *r, char **line, size_t *size)
{
    bool whole;
    record_kind kind = records_line(r, line, size, &whole);
    bool ends_in_return = kind == RECORD_ENTRY && whole && *size > 0 && (*line)[*size - 1] == '\r';
    if (r->options->crlf && ends_in_return) --*size;
    return kind;
}

static record_kind next_tsv(records *r, record *out)
{
    char *line;
    size_t size;
    record_kind kind = plain_line(r, &line, &size);
    return kind == RECORD_ENTRY ? records_split(r, line, size, out) : kind;
}

static record_kind next_line(records *r, record *out)
{
    char *line;
    size_t size;
    record_kind kind = plain_line(r, &line, &size);
    if (kind != RECORD_ENTRY) return kind;
    char number[32];
    snprintf(number, sizeof number, "/%010" PRIu64, r->lines.number);
    r->key.size = 0;
    byte_buffer_append_string(&r->key, r->name);
    byte_buffer_append_string(&r->key, number);
    out->key = holt_bytes(r->key.data, r->key.size);
    out->value = holt_bytes(line, size);
    return RECORD_ENTRY;
}

static record_kind next(records *r, record *out)
{
    switch (r->options->format) {
    case RECORDS_DUMP:
        return records_next_dump(r, out);
    case RECORDS_TSV:
        return next_tsv(r, out);
    case RECORDS_LINES:
        return next_line(r, out);
    case RECORDS_DEB822:
        return records_next_deb822(r, out);
    case RECORDS_CSV:
        return records_next_csv(r, out);
    case RECORDS_JSON:
        return records_next_json(r, out);
    }
    return RECORD_END;
}

record_kind records_next(records *r, record *out)
{
    r->first_line = r->lines.number + 1;
    record_kind kind = next(r, out);
    if (kind != RECORD_ENTRY) return kind;
    /* Reported here, before anything is written, and not by the library. */
    if (out->key.size > KEY_MAX) {
        return records_bad(r, "the key has %zu bytes; at most %d are allowed", out->key.size, KEY_MAX);
    }
    if (out->value.size > r->options->value_max) {
        return records_bad(r, "the value has %zu bytes; at most %zu are allowed with this --memory",
                           out->value.size, r->options->value_max);
    }
    r->entries++;
    return kind;
}
