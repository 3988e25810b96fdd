/* openapi.h -- openapi.json, the description of the HTTP interface, which the build embeds.
 *
 * tests/server/test_openapi.py compares it with the server, in both directions. Whoever changes an endpoint
 * changes the description too.
 */
#ifndef SERVER_HTTP_OPENAPI_H
#define SERVER_HTTP_OPENAPI_H

#include <stddef.h>

#include "console/console.h"

extern const console_file openapi_files[]; /* the one file */
extern const size_t openapi_files_count;

#endif
