/* http_console.c -- the console's files (console/console.h).
 *
 *     GET /console            the page
 *     GET /console/{file}     what it loads
 *
 * Browsers keep the files but ask each time whether they are still the same (ETag, 304), so that a new
 * release is seen at once. The page may load and call this server only, has no scripts but those files, and
 * cannot be shown inside of another page (Content-Security-Policy).
 */
#include <string.h>

#include "console/console.h"
#include "http/http_request.h"

enum { PART_FILE = 1 };

static const char PAGE[] = "index.html";

static const http_header headers[] = {
    {"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                                "connect-src 'self'; base-uri 'none'; form-action 'none'; "
                                "frame-ancestors 'none'; require-trusted-types-for 'script'"},
    {"Cache-Control", "no-cache"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {NULL, NULL},
};

static const console_file *find(holt_slice name)
{
    for (size_t i = 0; i < console_files_count; i++) {
        const console_file *f = &console_files[i];
        if (strlen(f->name) == name.size && memcmp(f->name, name.data, name.size) == 0) return f;
    }
    return NULL;
}

void http_console(http_request *r)
{
    const console_file *f = find(r->part_count > PART_FILE ? r->parts[PART_FILE] : holt_str(PAGE));
    if (!f) {
        (void)http_error(r, 404, "not_found", "the console has no such file");
        return;
    }
    r->headers = headers;
    r->etag = f->tag;
    if (http_knows(r, f->tag)) {
        http_reply(r, 304, NULL);
        return;
    }
    bytes_append(&r->answer, f->data, f->size);
    http_reply(r, 200, f->type);
}
