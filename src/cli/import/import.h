/* import.h -- a CSV or TSV file with a header becomes rows of a table.
 *
 * The file is read twice: first every row is checked, and for a new table the types of its columns are
 * guessed; then the rows are written. So a file that is wrong is refused before anything is written. A pipe
 * is copied to a temporary file first.
 *
 * What can still fail is the table's (a key that exists) or the machine's. Nothing stays half imported,
 * whatever it is:
 *   new table    the rows are loaded as a whole; if that fails the table is dropped again. Rows whose primary
 *                key does not ascend are inserted as below.
 *   other table  the rows are inserted in one transaction, up to IMPORT_TRANSACTION_BYTES. A larger file
 *                takes several, and the keys of the rows are noted in a temporary file: after a failure or
 *                Ctrl-C they are deleted again. Only a process that is killed in the middle leaves the first
 *                rows behind.
 * With skip_errors the rows that are wrong are reported and left out.
 */
#ifndef CLI_IMPORT_H
#define CLI_IMPORT_H

#include <stdbool.h>
#include <stdint.h>

#include <holt.h>

enum { IMPORT_TRANSACTION_BYTES = 16 * 1024 * 1024 };

typedef struct import_settings {
    const char *path;     /* "-" = standard input */
    const char *table;
    const char *key;      /* of a new table: the column of the primary key; NULL = none, a row id */
    uint32_t kind;        /* of a new table: a holt_kind; 0 = the default */
    char delimiter;       /* between fields; 0 = a tab if the name ends in .tsv or .tab, otherwise a comma */
    bool skip_errors;
    uint64_t memory_bytes; /* of the database, which limits the size of a row; 0 = the default */
    /* Called with what is wrong, in one line with the file, the row and the line. */
    void (*problem)(void *ctx, const char *message);
    void *ctx;
} import_settings;

typedef struct import_report {
    uint64_t rows, skipped;
    uint64_t file_bytes;
    uint64_t took_ns;
    bool made; /* the table is new */
} import_report;

/* Imports the file. Returns false after calling `problem`; the table is then as it was before. */
bool import_file(holt *db, const import_settings *settings, import_report *report);

/* Prints the report in a line on standard output. */
void import_print_report(const import_settings *settings, const import_report *report);

#endif
