/* records.h -- what `holt load` reads: a file as a sequence of entries.
 *
 * Formats
 *     dump    what `holt dump` writes, see dump.h
 *     tsv     a line is KEY, a tab, VALUE, both with the escapes of text.h, or as they are if options.raw
 *     csv     RFC 4180 with a header; two of the columns are key and value, see records_csv.c
 *     json    what `holt scan --json` prints, an object per line, see records_json.c
 *     lines   any text: the key is the file's name, '/' and the number of the line in ten digits; the value
 *             is the line
 *     deb822  stanzas separated by empty lines, such as `apt-cache dumpavail` prints: the key is
 *             PACKAGE/VERSION/ARCHITECTURE from the fields of the stanza, the value is the stanza
 *
 * A record is valid until the next call. An error is described in records.problem, without the name of the
 * file and the line, which the caller prints before it.
 */
#ifndef CLI_RECORDS_H
#define CLI_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include <holt.h>

#include "common/byte_buffer.h"
#include "formats/lines.h"

typedef enum records_format {
    RECORDS_DUMP,
    RECORDS_TSV,
    RECORDS_LINES,
    RECORDS_DEB822,
    RECORDS_CSV,
    RECORDS_JSON
} records_format;

#define RECORDS_FORMATS "dump, tsv, csv, json, lines or deb822"

typedef struct records_options {
    records_format format;
    bool raw;  /* tsv: backslashes are ordinary bytes */
    bool crlf; /* tsv, lines: a carriage return before the line feed belongs to the line end */
    const char *key_column, *value_column; /* csv: names in the header; borrowed */
    char delimiter;                        /* csv: between fields; 0 = a comma */
    size_t value_max;                      /* the longest possible value, in bytes */
} records_options;

typedef enum record_kind {
    RECORD_ENTRY,
    RECORD_COLLECTION, /* the entries that follow belong to another collection */
    RECORD_END,
    RECORD_BAD,        /* records.problem says why; nothing more can be read */
    RECORD_INTERRUPTED
} record_kind;

typedef struct record {
    holt_slice key, value;              /* RECORD_ENTRY */
    uint64_t expires_at_ms;             /* RECORD_ENTRY: of dump and json; else 0, as without expiry */
    char name[129];                     /* RECORD_COLLECTION: its name and how to create it */
    holt_collection_options collection;
} record;

typedef struct records_csv {
    byte_buffer bytes; /* the fields of a row, one after the other, without quotes */
    byte_buffer ends;  /* an array of size_t: where in `bytes` each field ends */
    byte_buffer quoted; /* an array of bool: whether each field was in quotes */
    size_t fields;     /* in the row; `ends` has the first COLUMNS_MAX of them */
    size_t columns;    /* of the header */
    size_t key, value; /* indexes of the two that are loaded */
    uint64_t row;      /* the number of the row read last; the first one after the header is 1 */
} records_csv;

typedef struct records {
    const records_options *options;
    const char *name; /* of the file, or "stdin"; borrowed */
    lines lines;
    uint64_t entries;                /* read so far from this file */
    bool begun, ended;               /* dump: header and trailer seen; csv: header seen */
    byte_buffer key, value;          /* hold a record that does not lie in its line */
    records_csv csv;
    struct json_tokener *json;       /* NULL before the first line of JSON */
    struct json_object *json_object; /* the last one, which holds the record */
    uint64_t first_line;             /* of the record returned last */
    uint64_t problem_line;           /* 0: the whole file */
    char problem[256];
} records;

bool records_format_parse(const char *text, records_format *out);

/* Reads from an open descriptor, which the caller closes. The options are borrowed. */
void records_init(records *r, const records_options *options, const char *name, int descriptor);
void records_deinit(records *r);

record_kind records_next(records *r, record *out);

/* The rest is for the formats. */

/* Stores the problem with the number of the line read last, and returns RECORD_BAD. */
__attribute__((format(printf, 2, 3))) record_kind records_bad(records *r, const char *format, ...);

/* Reads a line. Returns RECORD_ENTRY if there is one, or the reason why there is none. */
record_kind records_line(records *r, char **line, size_t *size, bool *whole);

/* The same for files that other programs write: a UTF-8 byte order mark at the beginning is skipped, a UTF-16
 * one is RECORD_BAD. */
record_kind records_text_line(records *r, char **line, size_t *size, bool *whole);

/* Splits a line KEY tab VALUE, with or without escapes, in place. */
record_kind records_split(records *r, char *line, size_t size, record *out);

/* csv: reads the header, whose fields remain until the next call, and a row, whose number of fields is that
 * of the header. records_next is for files of keys and values; these are for those who take all columns. */
record_kind records_csv_header(records *r);
record_kind records_csv_row(records *r);

/* Returns a field of what was read last; *quoted (may be NULL): it was in quotes. */
holt_slice records_csv_field(const records *r, size_t index, bool *quoted);

record_kind records_next_dump(records *r, record *out);
record_kind records_next_deb822(records *r, record *out);
record_kind records_next_csv(records *r, record *out);
record_kind records_next_json(records *r, record *out);

/* Frees the JSON parser. */
void records_deinit_json(records *r);

#endif
