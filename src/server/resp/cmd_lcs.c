/* cmd_lcs.c -- LCS: the longest common subsequence of two values, by the textbook's table of lengths. */
#include <stdlib.h>
#include <string.h>

#include "resp/resp_call.h"
#include "resp/resp_commands.h"

/* The table has a number for each pair of prefixes: so many, at most (64 MiB). */
enum { CELLS_MAX = 16 << 20 };

typedef struct lcs_options {
    bool length, indexes, match_lengths;
    int64_t match_min;
} lcs_options;

typedef struct lcs {
    holt_slice a, b;
    uint32_t *cells; /* (a.size + 1) rows of b.size + 1 */
} lcs;

static uint32_t *cell(const lcs *l, size_t i, size_t j)
{
    return &l->cells[i * (l->b.size + 1) + j];
}

static bool parse_options(resp_call *call, lcs_options *o)
{
    *o = (lcs_options){0};
    for (size_t i = 3; i < call->count; i++) {
        if (call_is(call, i, "LEN")) {
            o->length = true;
        } else if (call_is(call, i, "IDX")) {
            o->indexes = true;
        } else if (call_is(call, i, "WITHMATCHLEN")) {
            o->match_lengths = true;
        } else if (call_is(call, i, "MINMATCHLEN") && i + 1 < call->count) {
            if (!call_integer(call, ++i, &o->match_min)) return false;
            if (o->match_min < 0) o->match_min = 0;
        } else {
            return call_error(call, CALL_SYNTAX_ERROR);
        }
    }
    if (o->indexes && o->length)
        return call_error(call, "ERR If you want both the length and indexes, please just use IDX.");
    return true;
}

static void fill(const lcs *l)
{
    const char *a = l->a.data, *b = l->b.data;
    for (size_t i = 1; i <= l->a.size; i++) {
        for (size_t j = 1; j <= l->b.size; j++) {
            uint32_t up = *cell(l, i - 1, j), left = *cell(l, i, j - 1);
            *cell(l, i, j) = a[i - 1] == b[j - 1] ? *cell(l, i - 1, j - 1) + 1 : up > left ? up : left;
        }
    }
}

static void reply_sequence(resp_call *call, const lcs *l)
{
    const char *a = l->a.data, *b = l->b.data;
    size_t i = l->a.size, j = l->b.size, left = *cell(l, i, j);
    bytes *out = call->reply.out;
    reply_bulk_begin(&call->reply, left);
    size_t length = left, at = out->size;
    if (!bytes_reserve(out, length + 2)) return;
    while (left > 0) {
        if (a[i - 1] == b[j - 1]) {
            out->data[at + --left] = a[i - 1];
            i--, j--;
        } else if (*cell(l, i - 1, j) > *cell(l, i, j - 1)) {
            i--;
        } else {
            j--;
        }
    }
    out->size += length;
    reply_bulk_end(&call->reply);
}

static void reply_match(resp_reply *r, const lcs_options *o, size_t i, size_t j, size_t length)
{
    reply_array(r, o->match_lengths ? 3 : 2);
    reply_array(r, 2);
    reply_integer(r, (int64_t)i);
    reply_integer(r, (int64_t)(i + length - 1));
    reply_array(r, 2);
    reply_integer(r, (int64_t)j);
    reply_integer(r, (int64_t)(j + length - 1));
    if (o->match_lengths) reply_integer(r, (int64_t)length);
}

/* Replies with the stretches that are equal in both, the last first. */
static void reply_indexes(resp_call *call, const lcs *l, const lcs_options *o)
{
    const char *a = l->a.data, *b = l->b.data;
    size_t i = l->a.size, j = l->b.size, matches = 0, length = 0;
    bytes list = {0};
    resp_reply items = {&list, call->session->protocol};
    while (i > 0 && j > 0) {
        if (a[i - 1] == b[j - 1]) {
            i--, j--, length++;
            if (i > 0 && j > 0 && a[i - 1] == b[j - 1]) continue;
            if ((int64_t)length >= o->match_min) {
                reply_match(&items, o, i, j, length);
                matches++;
            }
            length = 0;
        } else if (*cell(l, i - 1, j) > *cell(l, i, j - 1)) {
            i--;
        } else {
            j--;
        }
    }
    reply_map(&call->reply, 2);
    reply_bulk_text(&call->reply, "matches");
    reply_array(&call->reply, matches);
    bytes_append(call->reply.out, list.data, list.size);
    call->reply.out->failed = call->reply.out->failed || list.failed;
    reply_bulk_text(&call->reply, "len");
    reply_integer(&call->reply, *cell(l, l->a.size, l->b.size));
    bytes_deinit(&list);
}

void resp_run_lcs(resp_call *call)
{
    lcs_options o;
    lcs l;
    resp_engine *e = call->engine;
    if (!parse_options(call, &o)) return;
    holt_status first = call_get(call, call->arguments[1], &e->value);
    if (first != HOLT_OK && first != HOLT_NOT_FOUND) return;
    holt_status second = call_get(call, call->arguments[2], &e->other_value);
    if (second != HOLT_OK && second != HOLT_NOT_FOUND) return;
    l.a = holt_bytes(e->value.data, e->value.size);
    l.b = holt_bytes(e->other_value.data, e->other_value.size);
    if (l.a.size + 1 > CELLS_MAX / (l.b.size + 1)) {
        (void)call_error(call,
                         "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
        return;
    }
    l.cells = calloc((l.a.size + 1) * (l.b.size + 1), sizeof *l.cells);
    if (!l.cells) {
        (void)call_error(call, "ERR out of memory");
        return;
    }
    fill(&l);
    if (o.indexes) {
        reply_indexes(call, &l, &o);
    } else if (o.length) {
        reply_integer(&call->reply, *cell(&l, l.a.size, l.b.size));
    } else {
        reply_sequence(call, &l);
    }
    free(l.cells);
}
