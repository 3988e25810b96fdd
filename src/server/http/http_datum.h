/* http_datum.h -- values of rows as JSON.
 *
 *     null, booleans, integers, texts     as such; integers exactly, with up to 19 digits
 *     reals                               with a point or an exponent; infinity is 1e999
 *     blobs                               {"base64":"AP8="}
 */
#ifndef SERVER_HTTP_DATUM_H
#define SERVER_HTTP_DATUM_H

#include <json-c/json.h>

#include <holt/table.h>

#include "loop/bytes.h"

/* Appends a value. */
void http_datum_append(bytes *out, holt_datum d);

/* The same for the parts of values that do not come as a holt_datum. */
void http_datum_append_real(bytes *out, double value);
void http_datum_append_blob(bytes *out, holt_slice value);

/* Sets *d to a value. Texts are borrowed from `value`; blobs are appended to *decoded, in which the caller
 * has reserved as many bytes as the whole JSON text has, so that they do not move. Returns NULL or what is
 * wrong with the value. */
const char *http_datum_read(json_object *value, bytes *decoded, holt_datum *d);

/* Sets *d to the value of the type that is written in `text`, as in a path: a text or a blob is the bytes
 * themselves. *text is borrowed. Returns NULL or what is wrong with it. */
const char *http_datum_parse(holt_slice text, uint32_t type, holt_datum *d);

#endif
