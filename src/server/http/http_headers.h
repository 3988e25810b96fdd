/* http_headers.h -- what some headers of a request say. Values are C strings, NULL = the header is not there.
 */
#ifndef SERVER_HTTP_HEADERS_H
#define SERVER_HTTP_HEADERS_H

#include <stdbool.h>

/* Returns whether Accept-Encoding allows gzip: named, or by *, with a weight above 0. */
bool http_accepts_gzip(const char *accept_encoding);

/* Returns whether a body of this Content-Type may be read as JSON. Clients that do not care send the types of
 * forms, of plain text or of any bytes, or none. */
bool http_may_be_json(const char *content_type);

/* Where a request comes from. */
typedef enum http_origin {
    HTTP_ORIGIN_OURS,   /* a page of this server, or no page of a browser */
    HTTP_ORIGIN_ALLOWED, /* a page of another site, which the setting `cors_origins` names */
    HTTP_ORIGIN_FOREIGN /* a page of any other site */
} http_origin;

/* Judges the headers Origin and Host. allowed: origins separated by commas, "*" for any, or "off". */
http_origin http_origin_of(const char *origin, const char *host, const char *allowed);

#endif
