/* http_scan.c -- ranges of keys, in order.
 *
 *     GET /v1/collections/{c}/scan?prefix=&from=&to=&limit=&reverse=&token=    {"entries":[...],"next":"..."}
 *     the same with Accept: application/x-ndjson                               an entry in each line
 *     GET /keys/range?start_key=a&end_key=b                                    {"results":[...]}
 *
 * The first is read a page at a time. Its "next" is the token of the next page, or null: the key to go on
 * with, in hexadecimal. Entries that are written between two pages may be seen or not.
 *
 * The other two show one moment and have no limit, unless one is asked for: the rest is read while the
 * answer is sent (http_stream), so that neither memory nor other requests depend on how many entries there
 * are. Should reading fail, or the memory of the moment be needed by the database, the answer ends early,
 * in the case of lines after an object with the error.
 *
 * Scans see what was committed when they begin. They do not run on the executor, whose writes are not
 * acknowledged before they are committed.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "http/http_json.h"
#include "http/http_request.h"

static const char JSON[] = "application/json", LINES[] = "application/x-ndjson";

enum { PART_COLLECTION = 2, PIECE_BYTES = 64 * 1024 };

static holt_slice optional(const http_request *r, const char *name)
{
    const http_parameter *p = http_parameter_find(r, name);
    return p ? p->value : holt_bytes(NULL, 0);
}

/* ---------------------------------------------------------------- entries */

/* Appends an entry, without the brace that ends it. */
static void append_pair(bytes *out, holt_cursor *cursor)
{
    bytes_append(out, "{", 1);
    http_json_member(out, "key", holt_cursor_key(cursor));
    bytes_append(out, ",", 1);
    http_json_member(out, "value", holt_cursor_value(cursor));
}

static void append_entry(bytes *out, holt_cursor *cursor)
{
    uint64_t expires_at_ms = holt_cursor_expires_at(cursor);
    append_pair(out, cursor);
    if (expires_at_ms) bytes_append_format(out, ",\"expires_at_ms\":%" PRIu64, expires_at_ms);
    bytes_append(out, "}", 1);
}

/* ---------------------------------------------------------------- streams */

/* A scan whose answer is made while it is sent. */
typedef struct scan {
    holt_cursor *cursor;
    uint64_t left; /* entries that may still be shown */
    bool reverse, on, lines;
    uint64_t count; /* entries that were shown */
} scan;

static void scan_close(void *ctx)
{
    scan *s = ctx;
    if (!s) return;
    (void)holt_cursor_close(s->cursor);
    free(s);
}

static void scan_step(scan *s)
{
    s->on = s->reverse ? holt_cursor_prev(s->cursor) : holt_cursor_next(s->cursor);
}

/* Appends entries until there are enough for a piece. Returns whether there are more. */
static bool append_piece(http_request *r, scan *s)
{
    bytes *out = &r->answer;
    while (s->on && s->left && out->size < PIECE_BYTES && !out->failed) {
        if (s->lines) {
            append_entry(out, s->cursor);
            bytes_append_text(out, "\n");
        } else {
            bytes_append_text(out, s->count ? "," : "");
            append_pair(out, s->cursor);
            bytes_append(out, "}", 1);
        }
        s->count++;
        if (--s->left) scan_step(s);
    }
    return s->on && s->left && !out->failed;
}

/* Appends the end of an answer whose entries are all there, unless one could not be read. */
static void append_end(http_request *r, scan *s)
{
    holt_status status = holt_cursor_status(s->cursor);
    if (status == HOLT_OK) {
        bytes_append_text(&r->answer, s->lines ? "" : "]}");
        return;
    }
    r->broken = true;
    if (s->lines) http_append_error(&r->answer, http_error_code(status), holt_error_message());
}

static bool more_entries(http_request *r)
{
    if (append_piece(r, r->stream.ctx)) return true;
    append_end(r, r->stream.ctx);
    return false;
}

/* Answers with all entries of the range. */
static void answer_stream(http_request *r, holt_slice collection, const holt_cursor_options *range,
                          bool reverse, uint64_t limit, bool lines)
{
    holt_collection *c = NULL;
    scan *s = calloc(1, sizeof *s);
    bool more = false;
    if (!s) {
        (void)http_database_error(r, HOLT_NO_MEMORY, "out of memory");
        return;
    }
    *s = (scan){.reverse = reverse, .left = limit, .lines = lines};
    if (!http_open_collection(r, collection, &c)) goto done;
    holt_status status = holt_cursor_open(c, NULL, range, &s->cursor);
    if (status == HOLT_OK) {
        s->on = reverse ? holt_cursor_last(s->cursor) : holt_cursor_first(s->cursor);
        status = holt_cursor_status(s->cursor);
    }
    if (status != HOLT_OK) {
        (void)http_database_failed(r, status);
        goto done;
    }
    bytes_append_text(&r->answer, lines ? "" : "{\"results\":[");
    more = append_piece(r, s);
    status = holt_cursor_status(s->cursor);
    if (status != HOLT_OK) {
        (void)http_database_failed(r, status);
        goto done;
    }
    http_reply(r, 200, lines ? LINES : JSON);
    if (more) {
        r->stream = (http_stream){.more = more_entries, .close = scan_close, .ctx = s};
    } else {
        append_end(r, s);
    }
done:
    if (!more) scan_close(s);
    holt_collection_close(c);
}

void http_simple_range(http_request *r)
{
    holt_cursor_options o = {.label = "HTTP range"};
    if (http_parameter_get(r, "start_key", &o.lower) && http_parameter_get(r, "end_key", &o.upper))
        answer_stream(r, holt_str("default"), &o, false, UINT64_MAX, false);
}

/* ---------------------------------------------------------------- pages */

typedef struct page {
    holt_cursor_options range;
    uint64_t limit;
    bool reverse;
    bytes token; /* decoded: the key to go on with */
} page;

/* Reads the parameters of a scan. The token takes the place of the bound at which the scan has arrived. */
static bool parse_page(http_request *r, page *p)
{
    holt_slice token = optional(r, "token");
    memset(p, 0, sizeof *p);
    p->range.lower = optional(r, "from");
    p->range.upper = optional(r, "to");
    p->range.prefix = optional(r, "prefix");
    p->range.label = "HTTP scan";
    if (!http_read_flag(r, "reverse", &p->reverse) || !http_read_limit(r, &p->limit)) return false;
    if (!token.data) return true;
    bytes_append(&p->token, "", 1); /* so that the empty key has an address too */
    p->token.size = 0;
    bytes_append(&p->token, token.data, token.size);
    if (p->token.failed) return http_database_error(r, HOLT_NO_MEMORY, "out of memory");
    if (!text_unhex(p->token.data, &p->token.size))
        return http_error(r, 400, "invalid", "the token is not valid");
    *(p->reverse ? &p->range.upper : &p->range.lower) = holt_bytes(p->token.data, p->token.size);
    return true;
}

static void append_page(http_request *r, const page *p, holt_cursor *cursor)
{
    bytes last = {0}; /* the last key shown, at which a reverse scan goes on: before it */
    const char *separator = "";
    bool on = p->reverse ? holt_cursor_last(cursor) : holt_cursor_first(cursor);
    bytes_append_text(&r->answer, "{\"entries\":[");
    for (uint64_t i = 0;
         on && i < p->limit && r->answer.size < config_live(r->config, CONFIG_output_bytes) / 2; i++) {
        holt_slice key = holt_cursor_key(cursor);
        bytes_append_text(&r->answer, separator);
        append_entry(&r->answer, cursor);
        separator = ",";
        last.size = 0;
        if (p->reverse) bytes_append(&last, key.data, key.size);
        on = p->reverse ? holt_cursor_prev(cursor) : holt_cursor_next(cursor);
    }
    bytes_append_text(&r->answer, on ? "],\"next\":\"" : "],\"next\":null}\n");
    if (on) {
        http_append_hex(&r->answer, p->reverse ? bytes_slice(&last) : holt_cursor_key(cursor));
        bytes_append_text(&r->answer, "\"}\n");
    }
    r->answer.failed = r->answer.failed || last.failed;
    bytes_deinit(&last);
    http_reply(r, 200, JSON);
    holt_status status = holt_cursor_status(cursor);
    if (status != HOLT_OK) (void)http_database_failed(r, status);
}

static void answer_page(http_request *r, const page *p)
{
    holt_collection *c = NULL;
    holt_cursor *cursor = NULL;
    if (http_open_collection(r, r->parts[PART_COLLECTION], &c)) {
        holt_status status = holt_cursor_open(c, NULL, &p->range, &cursor);
        if (status == HOLT_OK) {
            append_page(r, p, cursor);
        } else {
            (void)http_database_failed(r, status);
        }
    }
    (void)holt_cursor_close(cursor);
    holt_collection_close(c);
}

void http_v1_scan(http_request *r)
{
    page p;
    if (parse_page(r, &p)) {
        if (r->wants_lines) {
            uint64_t limit = http_parameter_find(r, "limit") ? p.limit : UINT64_MAX;
            answer_stream(r, r->parts[PART_COLLECTION], &p.range, p.reverse, limit, true);
        } else {
            answer_page(r, &p);
        }
    }
    bytes_deinit(&p.token);
}
