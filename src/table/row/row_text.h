/* row_text.h -- a row's primary key as words, for messages: (17, "ada@example.org"). */
#ifndef HOLT_TABLE_ROW_TEXT_H
#define HOLT_TABLE_ROW_TEXT_H

#include "table/schema/schema.h"

enum { ROW_TEXT_BYTES = 128 };

/* Writes the key, cut to fit, into `out`, which it returns. Bytes that are no key of the table are shown in
 * hexadecimal. Allocates nothing. */
const char *row_text_key(char out[ROW_TEXT_BYTES], const schema *s, slice key);

#endif
