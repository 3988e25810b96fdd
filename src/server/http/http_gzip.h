/* http_gzip.h -- compresses an answer, as a whole or piece by piece.
 *
 * Each piece is flushed, so that a client can use what has arrived.
 *
 * Concurrency  One thread at a time.
 */
#ifndef SERVER_HTTP_GZIP_H
#define SERVER_HTTP_GZIP_H

#include <stdbool.h>

#include "loop/bytes.h"

typedef struct http_gzip http_gzip;

/* Replaces the piece by its compressed form. *g: NULL for the first piece; the caller releases it with
 * http_gzip_free. last: ends the answer. If there is no memory, piece->failed is set. */
void http_gzip_piece(http_gzip **g, bytes *piece, bool last);

/* Accepts NULL. */
void http_gzip_free(http_gzip *g);

#endif
