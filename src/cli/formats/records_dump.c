/* records_dump.c -- reads a dump, see dump.h. */
#include "formats/records.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/number.h"
#include "common/text.h"
#include "formats/dump.h"

/* Reads a line of a dump, without a carriage return before the line feed. */
static record_kind dump_line(records *r, char **line, size_t *size, bool *whole)
{
    record_kind kind = records_line(r, line, size, whole);
    if (kind == RECORD_ENTRY && *whole && *size > 0 && (*line)[*size - 1] == '\r') --*size;
    return kind;
}

/* Returns whether the line begins with the word and a tab. */
static bool has_word(const char *line, size_t size, const char *word)
{
    size_t length = strlen(word);
    return size > length && memcmp(line, word, length) == 0 && line[length] == '\t';
}

static record_kind check_header(records *r)
{
    char *line;
    size_t size;
    bool whole;
    record_kind kind = dump_line(r, &line, &size, &whole);
    if (kind == RECORD_END) return records_bad(r, "the file is empty; a dump begins with '" DUMP_HEADER "'");
    if (kind != RECORD_ENTRY) return kind;
    r->begun = true;
    if (whole && size == strlen(DUMP_HEADER) && memcmp(line, DUMP_HEADER, size) == 0) return RECORD_ENTRY;
    if (size > 10 && memcmp(line, "HOLT-DUMP ", 10) == 0) {
        return records_bad(r, "the version of this dump is not 1; a newer release of holt may read it");
    }
    return records_bad(r, "not a dump: a dump begins with '" DUMP_HEADER
                          "'; other files need --format tsv, csv, json, lines or deb822");
}

/* Returns the field up to the next tab as a string, in place, and moves *line after it. */
static char *take_field(char **line, char *end)
{
    char *field = *line;
    if (field >= end) return NULL;
    char *tab = memchr(field, '\t', (size_t)(end - field));
    *line = tab ? tab + 1 : end;
    if (tab) *tab = '\0';
    return field;
}

static bool parse_attribute(const char *attribute, holt_collection_options *out)
{
    uint64_t number;
    if (strcmp(attribute, "kind=lsm") == 0) {
        out->kind = HOLT_LSM;
    } else if (strcmp(attribute, "kind=btree") == 0) {
        out->kind = HOLT_BTREE;
    } else if (strcmp(attribute, "filter_bits=none") == 0 || strcmp(attribute, "filter_bits=0") == 0) {
        out->filter_bits = HOLT_FILTER_NONE;
    } else if (strncmp(attribute, "filter_bits=", 12) == 0 &&
               number_parse(attribute + 12, &number) == NUMBER_OK && number <= 32) {
        out->filter_bits = (uint32_t)number;
    } else if (strncmp(attribute, "block_bytes=", 12) == 0 &&
               number_parse(attribute + 12, &number) == NUMBER_OK && number <= UINT16_MAX + 1) {
        out->block_bytes = (uint32_t)number;
    } else {
        return false;
    }
    return true;
}

/* \collection NAME ATTRIBUTE=VALUE...; `line` begins after the word and its tab. */
static record_kind read_collection(records *r, char *line, size_t size, record *out)
{
    /* The fields become strings, which a zero byte would cut short. */
    if (memchr(line, '\0', size)) return records_bad(r, "the line contains a zero byte");
    /* The line end is overwritten by the zero that ends the last field. */
    char *end = line + size;
    *end = '\0';
    char *name = take_field(&line, end);
    size_t name_size = name ? strlen(name) : 0;
    if (!name || text_unescape(name, &name_size) || name_size == 0 || name_size >= sizeof out->name ||
        memchr(name, '\0', name_size)) {
        return records_bad(r, "not a valid collection name: 1 to 128 bytes with valid escapes");
    }
    memcpy(out->name, name, name_size);
    out->name[name_size] = '\0';
    memset(&out->collection, 0, sizeof out->collection);
    for (char *attribute; (attribute = take_field(&line, end));) {
        if (!parse_attribute(attribute, &out->collection)) {
            return records_bad(r, "unknown collection attribute '%.40s'", attribute);
        }
    }
    return RECORD_COLLECTION;
}

static record_kind read_end(records *r, char *line, size_t size)
{
    uint64_t count;
    line[size] = '\0'; /* in place of the line end */
    if (memchr(line, '\0', size)) return records_bad(r, "the count contains a zero byte");
    if (number_parse(line, &count) != NUMBER_OK)
        return records_bad(r, "'%.40s' is not a number of entries", line);
    if (count != r->entries) {
        return records_bad(r,
                           "the dump should contain %" PRIu64 " entries, but %" PRIu64
                           " were read: part of it is missing",
                           count, r->entries);
    }
    r->ended = true;
    return RECORD_END;
}

/* \until MS KEY VALUE; `line` begins after the word and its tab. */
static record_kind read_until(records *r, char *line, size_t size, record *out)
{
    char *tab = memchr(line, '\t', size);
    if (!tab) return records_bad(r, "there is no tab after the time of '" DUMP_UNTIL "'");
    *tab = '\0';
    if (strlen(line) != (size_t)(tab - line) || number_parse(line, &out->expires_at_ms) != NUMBER_OK ||
        out->expires_at_ms == 0) {
        return records_bad(r, "'%.40s' is not a time in milliseconds since 1970", line);
    }
    return records_split(r, tab + 1, size - (size_t)(tab + 1 - line), out);
}

static record_kind truncated(records *r)
{
    return records_bad(r, "the dump is truncated: its last line, '" DUMP_END " COUNT', is missing");
}

static record_kind next_line(records *r, record *out)
{
    char *line;
    size_t size;
    bool whole;
    record_kind kind = dump_line(r, &line, &size, &whole);
    if (kind == RECORD_END) return truncated(r);
    if (kind != RECORD_ENTRY) return kind;
    if (!whole) return truncated(r);
    size_t word = sizeof DUMP_COLLECTION - 1;
    if (has_word(line, size, DUMP_COLLECTION))
        return read_collection(r, line + word + 1, size - word - 1, out);
    word = sizeof DUMP_UNTIL - 1;
    if (has_word(line, size, DUMP_UNTIL)) return read_until(r, line + word + 1, size - word - 1, out);
    word = sizeof DUMP_END - 1;
    if (has_word(line, size, DUMP_END)) return read_end(r, line + word + 1, size - word - 1);
    return records_split(r, line, size, out);
}

/* The file must end after the trailer; anything that follows would be lost silently. */
static record_kind check_nothing_follows(records *r)
{
    char *line;
    size_t size;
    bool whole;
    record_kind kind = records_line(r, &line, &size, &whole);
    if (kind == RECORD_ENTRY) return records_bad(r, "there is text after the end of the dump");
    return kind;
}

record_kind records_next_dump(records *r, record *out)
{
    if (!r->begun) {
        record_kind kind = check_header(r);
        if (kind != RECORD_ENTRY) return kind;
        r->first_line = r->lines.number + 1;
    }
    if (r->ended) return RECORD_END;
    record_kind kind = next_line(r, out);
    return kind == RECORD_END && r->ended ? check_nothing_follows(r) : kind;
}
