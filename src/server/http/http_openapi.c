/* http_openapi.c -- the description of the HTTP interface.
 *
 *     GET /openapi.json
 */
#include "http/http_request.h"
#include "http/openapi.h"

void http_openapi(http_request *r)
{
    const console_file *f = &openapi_files[0];
    r->etag = f->tag;
    if (http_knows(r, f->tag)) {
        http_reply(r, 304, NULL);
        return;
    }
    bytes_append(&r->answer, f->data, f->size);
    http_reply(r, 200, f->type);
}
