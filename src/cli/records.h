/* records.h -- what `holt load` reads: a file as a sequence of entries.
 *
 * Formats
 *     dump    what `holt dump` writes, see dump.h
 *     tsv     a line is KEY, a tab, VALUE, both with the escapes of text.h, or as they are with --raw
 *     lines   any text: the key is the file's name, '/' and the line's number in ten digits; the value is
 *             the line
 *     deb822  stanzas separated by empty lines, such as `apt-cache dumpavail` prints: the key is
 *             PACKAGE/VERSION/ARCHITECTURE from the stanza's fields, the value is the stanza
 *
 * A record is lent until the next call. Errors are in words in records.problem, without the file's name and
 * line, which whoever prints it puts in front.
 */
#ifndef CLI_RECORDS_H
#define CLI_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include <holt.h>

#include "buffer.h"
#include "lines.h"

typedef enum records_format { RECORDS_DUMP, RECORDS_TSV, RECORDS_LINES, RECORDS_DEB822 } records_format;

typedef enum record_kind {
    RECORD_ENTRY,
    RECORD_COLLECTION, /* what follows belongs in another collection */
    RECORD_END,
    RECORD_BAD,        /* records.problem says why; nothing more can be read */
    RECORD_INTERRUPTED
} record_kind;

typedef struct record {
    holt_slice key, value;              /* RECORD_ENTRY */
    char name[129];                     /* RECORD_COLLECTION: how it is called, and how to make it */
    holt_collection_options collection;
} record;

typedef struct records {
    records_format format;
    const char *name; /* the file's, or "stdin"; borrowed */
    bool raw;         /* tsv: backslashes are bytes like others */
    lines lines;
    uint64_t entries;     /* read so far from this file */
    bool begun, ended;    /* dump: header and trailer seen */
    buffer key, value;    /* where a record is put together that is not lent from its line */
    uint64_t first_line;  /* of the record lent last */
    char problem[256];
} records;

bool records_format_parse(const char *text, records_format *out);

/* Reads from an open descriptor, which stays the caller's. value_max: the longest value there can be. */
void records_init(records *r, records_format format, const char *name, int descriptor, size_t value_max);
void records_deinit(records *r);

record_kind records_next(records *r, record *out);

/* For the formats: notes the problem and returns RECORD_BAD. */
__attribute__((format(printf, 2, 3))) record_kind records_bad(records *r, const char *format, ...);

/* For the formats: a line, or what ends the file in its stead. RECORD_ENTRY means there is a line. */
record_kind records_line(records *r, char **line, size_t *size, bool *whole);

/* For the formats: KEY tab VALUE with or without escapes, in place. */
record_kind records_split(records *r, char *line, size_t size, record *out);

record_kind records_next_dump(records *r, record *out);
record_kind records_next_deb822(records *r, record *out);

#endif
