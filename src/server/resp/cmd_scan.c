/* cmd_scan.c -- listing keys: SCAN, KEYS, RANDOMKEY, HOLT.RANGE, HOLT.DELRANGE.
 *
 * Keys come in order. A SCAN continues at the key after the last one that it has seen, so it shows every key
 * that is there all the time exactly once, whatever happens around it. The cursor that the client gets is the
 * number of a position that the engine remembers. A position is forgotten when the client uses the one after
 * the next, or when there are too many: an abandoned scan must not cost memory forever. A cursor that was
 * forgotten is an error.
 *
 * KEYS counts the keys first, because the protocol wants their number before them, then lists them from the
 * same snapshot; both a step at a time, as fast as the client reads, so that neither other clients wait nor
 * memory fills up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resp/resp_call.h"
#include "resp/resp_commands.h"

enum {
    STEP_KEYS = 4096,        /* examined in one step of KEYS */
    STEP_BYTES = 256 * 1024, /* written in one step of KEYS */
    SCAN_COUNT = 10,         /* keys that a SCAN without COUNT examines */
    SCAN_COUNT_MAX = 100000,
    RANDOM_SMALL = 64 /* RANDOMKEY chooses fairly among up to so many keys */
};

/* ---------------------------------------------------------------- positions of scans */

enum { SCANS_MAX = 16384, SCAN_BYTES_MAX = 16 << 20, SLOT_TRIES = 64 };

typedef struct scan_position {
    uint64_t cursor; /* 0 = free; otherwise the slot is its remainder by SCANS_MAX */
    uint64_t parent; /* the cursor that this one continues; 0 = none */
    bool done;       /* the scan has ended here: kept only in case that the client asks again */
    size_t size;
    char *key; /* the next key to examine */
} scan_position;

struct resp_scans {
    uint64_t made; /* positions so far: slots are used in turn */
    size_t bytes;
    uint32_t oldest; /* slot */
    scan_position position[SCANS_MAX];
};

bool scans_init(resp_engine *e)
{
    e->scans = calloc(1, sizeof *e->scans);
    return e->scans;
}

static void position_free(resp_scans *s, scan_position *p)
{
    s->bytes -= p->size;
    free(p->key);
    memset(p, 0, sizeof *p);
}

void scans_deinit(resp_engine *e)
{
    for (size_t i = 0; e->scans && i < SCANS_MAX; i++)
        free(e->scans->position[i].key);
    free(e->scans);
    e->scans = NULL;
}

static scan_position *position_find(resp_scans *s, uint64_t cursor)
{
    scan_position *p = &s->position[cursor % SCANS_MAX];
    return cursor && p->cursor == cursor ? p : NULL;
}

/* Remembers that a scan goes on at `key`. Returns its cursor, or 0 if there is no memory. */
static uint64_t position_make(resp_scans *s, uint64_t parent, holt_slice key)
{
    char *copy = malloc(key.size ? key.size : 1);
    if (!copy) return 0;
    memcpy(copy, key.data, key.size);
    /* A free slot near by, or else that of the oldest scan, more or less. */
    uint64_t cursor = s->made + 1;
    scan_position *p = &s->position[cursor % SCANS_MAX];
    for (uint64_t i = 1; p->cursor && !p->done && i < SLOT_TRIES; i++) {
        p = &s->position[(s->made + 1 + i) % SCANS_MAX];
        if (!p->cursor || p->done) cursor = s->made + 1 + i;
    }
    p = &s->position[cursor % SCANS_MAX];
    s->made = cursor;
    if (p->cursor) position_free(s, p);
    for (uint32_t tried = 0; s->bytes + key.size > SCAN_BYTES_MAX && tried < SCANS_MAX; tried++) {
        s->oldest = (s->oldest + 1) % SCANS_MAX;
        if (s->position[s->oldest].cursor) position_free(s, &s->position[s->oldest]);
    }
    *p = (scan_position){cursor, parent, false, key.size, copy};
    s->bytes += key.size;
    return cursor;
}

/* ---------------------------------------------------------------- SCAN */

typedef struct scan_options {
    holt_slice pattern; /* NULL = all */
    uint64_t count;
    bool none; /* TYPE asks for a type that there is not */
} scan_options;

static bool parse_scan_options(resp_call *call, scan_options *o)
{
    *o = (scan_options){.count = SCAN_COUNT};
    for (size_t i = 2; i < call->count; i += 2) {
        int64_t count;
        if (i + 1 == call->count) return call_error(call, CALL_SYNTAX_ERROR);
        if (call_is(call, i, "MATCH")) {
            o->pattern = call->arguments[i + 1];
        } else if (call_is(call, i, "COUNT")) {
            if (!call_integer(call, i + 1, &count)) return false;
            if (count < 1) return call_error(call, CALL_SYNTAX_ERROR);
            o->count = count > SCAN_COUNT_MAX ? SCAN_COUNT_MAX : (uint64_t)count;
        } else if (call_is(call, i, "TYPE")) {
            o->none = !call_is(call, i + 1, "string");
        } else {
            return call_error(call, CALL_SYNTAX_ERROR);
        }
    }
    return true;
}

/* Opens a cursor over the keys that the pattern can match. */
static bool open_keys(resp_call *call, holt_txn *t, holt_slice pattern, holt_cursor **cursor)
{
    holt_collection *c;
    holt_cursor_options o = {.flags = HOLT_CURSOR_KEYS_ONLY, .label = "RESP"};
    *cursor = NULL;
    if (!call_collection(call, false, &c)) return false;
    if (!c) return true;
    if (pattern.data && glob_literal(pattern) > 0) o.prefix = holt_bytes(pattern.data, glob_literal(pattern));
    return call_status(call, holt_cursor_open(c, t, &o, cursor)) == HOLT_OK;
}

/* What a reply that may end early has at most, give or take one key and value. */
static size_t output_bytes_max(const resp_call *call)
{
    return (size_t)config_live(call->engine->config, CONFIG_output_bytes) / 2;
}

static bool wanted(const scan_options *o, holt_slice key)
{
    return !o->none && (!o->pattern.data || glob_matches(o->pattern, key));
}

/* Appends the keys to `keys`; *next: the cursor to go on with. */
static bool scan_keys(resp_call *call, const scan_options *o, uint64_t cursor, bytes *keys, size_t *found,
                      uint64_t *next)
{
    resp_scans *scans = call->engine->scans;
    resp_reply list = {keys, call->session->protocol};
    scan_position *from = position_find(scans, cursor);
    holt_cursor *c;
    if (cursor && !from)
        return call_error(call, "ERR the cursor is unknown or was forgotten; begin again with 0");
    if (!open_keys(call, batch_reader(call->batch), o->pattern, &c)) return false;
    bool more = c && (from ? holt_cursor_seek(c, holt_bytes(from->key, from->size)) : holt_cursor_first(c));
    for (uint64_t i = 0; more && i < o->count && keys->size < output_bytes_max(call); i++) {
        holt_slice key = holt_cursor_key(c);
        if (wanted(o, key)) {
            reply_bulk(&list, key);
            ++*found;
        }
        more = holt_cursor_next(c);
    }
    holt_status status = call_status(call, c ? holt_cursor_status(c) : HOLT_OK);
    if (from) {
        /* The client has got this cursor, so it will not ask for what led to it again. */
        scan_position *parent = position_find(scans, from->parent);
        if (parent) position_free(scans, parent);
        from->done = !more;
    }
    if (more) *next = position_make(scans, cursor, holt_cursor_key(c));
    (void)holt_cursor_close(c);
    if (more && !*next) return call_error(call, "ERR out of memory");
    return status == HOLT_OK;
}

void resp_run_scan(resp_call *call)
{
    scan_options o;
    bytes keys = {0};
    size_t found = 0;
    uint64_t next = 0;
    int64_t cursor;
    char text[24];
    if (!slice_to_integer(call->arguments[1], &cursor) || cursor < 0) {
        (void)call_error(call, "ERR invalid cursor");
        return;
    }
    if (parse_scan_options(call, &o) && scan_keys(call, &o, (uint64_t)cursor, &keys, &found, &next)) {
        snprintf(text, sizeof text, "%llu", (unsigned long long)next);
        reply_array(&call->reply, 2);
        reply_bulk_text(&call->reply, text);
        reply_array(&call->reply, found);
        bytes_append(call->reply.out, keys.data, keys.size);
        call->reply.out->failed = call->reply.out->failed || keys.failed;
    }
    bytes_deinit(&keys);
}

/* ---------------------------------------------------------------- KEYS */

struct resp_stream {
    holt_txn *snapshot; /* NULL in an EXEC: the cursor reads its transaction */
    holt_cursor *cursor;
    bool more;   /* the cursor is on a key */
    bool listed; /* the keys were counted and are being listed */
    uint64_t count;
    size_t pattern_size;
    char pattern[];
};

void stream_free(resp_stream *s)
{
    if (!s) return;
    (void)holt_cursor_close(s->cursor);
    holt_rollback(s->snapshot);
    free(s);
}

static bool stream_wants(const resp_stream *s)
{
    return glob_matches(holt_bytes(s->pattern, s->pattern_size), holt_cursor_key(s->cursor));
}

static void stream_count(resp_stream *s)
{
    for (int i = 0; s->more && i < STEP_KEYS; i++) {
        s->count += stream_wants(s);
        s->more = holt_cursor_next(s->cursor);
    }
}

static void stream_list(resp_stream *s, resp_reply *reply)
{
    size_t start = reply->out->size;
    for (int i = 0; s->more && i < STEP_KEYS && reply->out->size - start < STEP_BYTES; i++) {
        if (stream_wants(s)) {
            reply_bulk(reply, holt_cursor_key(s->cursor));
            s->count--;
        }
        s->more = holt_cursor_next(s->cursor);
    }
}

/* Ends the stream. If its reply is incomplete, nothing that follows could be understood. */
static void stream_end(resp_call *call, bool complete)
{
    stream_free(call->session->stream);
    call->session->stream = NULL;
    if (!complete) call->session->closing = true;
}

void stream_step(resp_call *call)
{
    resp_stream *s = call->session->stream;
    if (s->listed) {
        stream_list(s, &call->reply);
    } else {
        stream_count(s);
    }
    if (s->more) return;
    holt_status status = s->cursor ? holt_cursor_status(s->cursor) : HOLT_OK;
    if (status != HOLT_OK) {
        bool begun = s->listed;
        if (!begun) (void)call_status(call, status);
        stream_end(call, !begun);
    } else if (s->listed) {
        stream_end(call, s->count == 0);
    } else {
        s->listed = true;
        reply_array(&call->reply, s->count);
        s->more = s->count && holt_cursor_first(s->cursor);
        if (!s->more) stream_end(call, s->count == 0);
    }
}

void resp_run_keys(resp_call *call)
{
    holt_slice pattern = call->arguments[1];
    resp_stream *s = calloc(1, sizeof *s + pattern.size);
    if (!s) {
        (void)call_error(call, "ERR out of memory");
        return;
    }
    memcpy(s->pattern, pattern.data, pattern.size);
    s->pattern_size = pattern.size;
    if (!call->in_exec) {
        /* The snapshot outlives this batch, so it must see what is committed. */
        call_commit(call);
        const holt_txn_options o = {.flags = HOLT_TXN_READ_ONLY, .label = "KEYS"};
        if (call_status(call, holt_begin(call->engine->db, &o, &s->snapshot)) != HOLT_OK) goto failed;
    }
    if (!open_keys(call, call->in_exec ? batch_reader(call->batch) : s->snapshot, pattern, &s->cursor))
        goto failed;
    s->more = s->cursor && holt_cursor_first(s->cursor);
    call->session->stream = s;
    stream_step(call);
    while (call->in_exec && call->session->stream &&
           call->reply.out->size <= config_live(call->engine->config, CONFIG_output_bytes)) {
        stream_step(call);
    }
    /* EXEC finds that the reply is too large. */
    if (call->in_exec && call->session->stream) stream_end(call, true);
    return;

failed:
    stream_free(s);
}

/* ---------------------------------------------------------------- RANDOMKEY */

static uint64_t next_random(resp_engine *e)
{
    /* xorshift64 */
    e->random ^= e->random << 13;
    e->random ^= e->random >> 7;
    e->random ^= e->random << 17;
    return e->random;
}

/* Puts the cursor somewhere: on the key that follows random bytes between the first and the last key,
 * which it then walks away from a little. Not fair where keys are distributed unevenly. */
static bool jump(resp_engine *e, holt_cursor *c)
{
    unsigned char target[64];
    unsigned char first = 0, last = 0;
    size_t shared = 0;
    bytes low = {0};
    if (!holt_cursor_first(c)) return false;
    bytes_append(&low, holt_cursor_key(c).data, holt_cursor_key(c).size);
    if (low.failed || !holt_cursor_last(c)) {
        bytes_deinit(&low);
        return false;
    }
    holt_slice high = holt_cursor_key(c);
    const unsigned char *a = (const unsigned char *)low.data, *b = high.data;
    while (shared < low.size && shared < high.size && shared < sizeof target - 8 && a[shared] == b[shared])
        shared++;
    if (shared) memcpy(target, b, shared);
    if (shared < low.size) first = a[shared];
    if (shared < high.size) last = b[shared];
    bytes_deinit(&low);
    for (size_t i = shared; i < shared + 8; i++)
        target[i] = (unsigned char)next_random(e);
    if (last >= first) target[shared] = (unsigned char)(first + next_random(e) % (last - first + 1u));
    bool on = holt_cursor_seek(c, holt_bytes(target, shared + 8)) || holt_cursor_first(c);
    for (uint64_t steps = next_random(e) % 16; on && steps > 0; steps--)
        on = holt_cursor_next(c) || holt_cursor_first(c);
    return on;
}

void resp_run_randomkey(resp_call *call)
{
    holt_cursor *c;
    uint64_t count = 0;
    if (!open_keys(call, batch_reader(call->batch), holt_bytes(NULL, 0), &c)) return;
    bool on = c && holt_cursor_first(c);
    for (; on && count <= RANDOM_SMALL; count++)
        on = holt_cursor_next(c);
    if (count > RANDOM_SMALL) {
        on = jump(call->engine, c);
    } else if (count > 0) {
        uint64_t steps = next_random(call->engine) % count;
        for (on = holt_cursor_first(c); on && steps > 0; steps--)
            on = holt_cursor_next(c);
    }
    if (on) {
        reply_bulk(&call->reply, holt_cursor_key(c));
    } else if (call_status(call, c ? holt_cursor_status(c) : HOLT_OK) == HOLT_OK) {
        reply_null(&call->reply);
    }
    (void)holt_cursor_close(c);
}

/* ---------------------------------------------------------------- ranges */

/* Reads a bound: "-" and "+" are the ends of the database. */
static holt_slice bound_of(holt_slice argument, const char *open)
{
    return slice_is(argument, open) ? holt_bytes(NULL, 0) : argument;
}

static bool parse_range_options(resp_call *call, int64_t *limit, bool *reverse)
{
    *limit = 100;
    *reverse = false;
    for (size_t i = 3; i < call->count; i++) {
        if (call_is(call, i, "REV")) {
            *reverse = true;
        } else if (call_is(call, i, "LIMIT") && i + 1 < call->count) {
            if (!call_integer(call, ++i, limit)) return false;
            if (*limit < 0) return call_error(call, "ERR LIMIT is negative");
        } else {
            return call_error(call, CALL_SYNTAX_ERROR);
        }
    }
    return true;
}

/* Appends keys and values to `pairs`, up to the limit or to what may wait for a client. */
static holt_status read_pairs(resp_call *call, holt_cursor *c, int64_t limit, bool reverse, bytes *pairs,
                              size_t *count)
{
    resp_reply list = {pairs, call->session->protocol};
    bool on = reverse ? holt_cursor_last(c) : holt_cursor_first(c);
    for (; on && *count < (size_t)limit && pairs->size < output_bytes_max(call); ++*count) {
        reply_bulk(&list, holt_cursor_key(c));
        reply_bulk(&list, holt_cursor_value(c));
        on = reverse ? holt_cursor_prev(c) : holt_cursor_next(c);
    }
    return holt_cursor_status(c);
}

void resp_run_holt_range(resp_call *call)
{
    holt_collection *c;
    holt_cursor *cursor = NULL;
    bytes pairs = {0};
    size_t count = 0;
    int64_t limit;
    bool reverse;
    if (!parse_range_options(call, &limit, &reverse) || !call_collection(call, false, &c)) return;
    const holt_cursor_options o = {.lower = bound_of(call->arguments[1], "-"),
                                   .upper = bound_of(call->arguments[2], "+"),
                                   .label = "HOLT.RANGE"};
    holt_status status = c ? holt_cursor_open(c, batch_reader(call->batch), &o, &cursor) : HOLT_OK;
    if (status == HOLT_OK && cursor) status = read_pairs(call, cursor, limit, reverse, &pairs, &count);
    if (call_status(call, status) == HOLT_OK) {
        reply_array(&call->reply, 2 * count);
        bytes_append(call->reply.out, pairs.data, pairs.size);
        call->reply.out->failed = call->reply.out->failed || pairs.failed;
    }
    bytes_deinit(&pairs);
    (void)holt_cursor_close(cursor);
}

void resp_run_holt_delrange(resp_call *call)
{
    holt_collection *c;
    holt_txn *t;
    holt_slice from = bound_of(call->arguments[1], "-"), to = bound_of(call->arguments[2], "+");
    if (!from.data) from = holt_bytes("", 0);
    if (!call_collection(call, true, &c) || call_status(call, batch_writer(call->batch, &t)) != HOLT_OK)
        return;
    /* Which watched keys there are in the range is not worth looking up. */
    watch_touch(call->engine, call->session->database, holt_bytes(NULL, 0));
    holt_status status = holt_delete_range(c, t, from, to);
    if (status == HOLT_INVALID) {
        (void)call_error(call, "ERR the first key is above the second");
    } else if (call_status(call, status) == HOLT_OK) {
        reply_status(&call->reply, "OK");
    }
}
