/* rows.h -- entries as rows for people: keys in a column, values cut to the width of the terminal.
 *
 * The first rows are held back until the width of the key column is known; later keys that are wider stick
 * out.
 */
#ifndef CLI_ROWS_H
#define CLI_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include <holt.h>

typedef struct rows rows;

/* keys_only: the rows have no values. */
rows *rows_create(bool keys_only);

void rows_add(rows *r, holt_slice key, holt_slice value);

/* Prints the rows that are still held back. */
void rows_flush(rows *r);

/* Accepts NULL. */
void rows_destroy(rows *r);

#endif
