/* cmd_object.c -- what tools and tests ask about the inside of a server: OBJECT, MEMORY, DEBUG, and scripts,
 * of which there are none. The encodings of values are those that Redis would choose: an integer, a short
 * string in one piece with its header, or a long one. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "loop/log.h"
#include "resp/resp_call.h"
#include "resp/resp_commands.h"

enum {
    SHORT_STRING_BYTES = 44, /* the longest that Redis keeps in one piece */
    SLEEP_SECONDS_MAX = 60
};

/* ---------------------------------------------------------------- OBJECT */

static const char *encoding_of(const holt_value *value)
{
    int64_t number;
    if (slice_to_integer(holt_bytes(value->data, value->size), &number)) return "int";
    return value->size <= SHORT_STRING_BYTES ? "embstr" : "raw";
}

/* Reads the value of argument 2. Replies with null if there is none. */
static bool read_object(resp_call *call)
{
    holt_status status = call_get(call, call->arguments[2], &call->engine->value);
    if (status == HOLT_NOT_FOUND) reply_null(&call->reply);
    return status == HOLT_OK;
}

void resp_run_object_encoding(resp_call *call)
{
    if (read_object(call)) reply_bulk_text(&call->reply, encoding_of(&call->engine->value));
}

void resp_run_object_refcount(resp_call *call)
{
    if (read_object(call)) reply_integer(&call->reply, 1);
}

void resp_run_object_idletime(resp_call *call)
{
    if (read_object(call)) reply_integer(&call->reply, 0);
}

void resp_run_object_freq(resp_call *call)
{
    if (!read_object(call)) return;
    (void)call_error(call,
                     "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please "
                     "note that when switching between policies at runtime LRU and LFU data will take "
                     "some time to adjust.");
}

/* ---------------------------------------------------------------- MEMORY */

void resp_run_memory_usage(resp_call *call)
{
    int64_t samples;
    for (size_t i = 3; i < call->count; i += 2) {
        if (!call_is(call, i, "SAMPLES") || i + 1 == call->count) {
            (void)call_error(call, CALL_SYNTAX_ERROR);
            return;
        }
        if (!call_integer(call, i + 1, &samples)) return;
        if (samples < 0) {
            (void)call_error(call, CALL_SYNTAX_ERROR);
            return;
        }
    }
    if (read_object(call))
        reply_integer(&call->reply, (int64_t)(call->arguments[2].size + call->engine->value.size));
}

void resp_run_memory_doctor(resp_call *call)
{
    reply_verbatim(&call->reply, holt_str("Memory is bounded by the setting 'memory'."));
}

void resp_run_memory_purge(resp_call *call)
{
    reply_status(&call->reply, "OK");
}

/* The members of MEMORY STATS. */
typedef struct figure {
    const char *name;
    uint64_t value;
} figure;

enum { FIGURES = 4 };

static bool read_figures(resp_call *call, figure figures[FIGURES])
{
    holt_db_stats stats;
    if (call_status(call, holt_stats(call->engine->db, &stats, sizeof stats)) != HOLT_OK) return false;
    figures[0] = (figure){"total.allocated", stats.memory_used};
    figures[1] = (figure){"holt.limit", stats.memory_limit};
    figures[2] = (figure){"holt.memtables", stats.memtable_bytes};
    figures[3] = (figure){"holt.cache", stats.cache_bytes};
    return true;
}

void resp_run_memory_stats(resp_call *call)
{
    figure figures[FIGURES];
    if (!read_figures(call, figures)) return;
    reply_map(&call->reply, FIGURES);
    for (size_t i = 0; i < FIGURES; i++) {
        reply_bulk_text(&call->reply, figures[i].name);
        reply_integer(&call->reply, (int64_t)figures[i].value);
    }
}

void resp_run_memory_malloc_stats(resp_call *call)
{
    figure figures[FIGURES];
    bytes text = {0};
    if (!read_figures(call, figures)) return;
    for (size_t i = 0; i < FIGURES; i++)
        bytes_append_format(&text, "%s: %" PRIu64 "\n", figures[i].name, figures[i].value);
    reply_verbatim(&call->reply, bytes_slice(&text));
    bytes_deinit(&text);
}

/* ---------------------------------------------------------------- DEBUG */

static void debug_object(resp_call *call)
{
    holt_status status = call_get(call, call->arguments[2], &call->engine->value);
    char text[160];
    if (status == HOLT_NOT_FOUND) (void)call_error(call, CALL_NO_KEY);
    if (status != HOLT_OK) return;
    snprintf(text, sizeof text,
             "Value at:0x0 refcount:1 encoding:%s serializedlength:%zu lru:0 lru_seconds_idle:0",
             encoding_of(&call->engine->value), call->engine->value.size);
    reply_status(&call->reply, text);
}

static void debug_numbers(resp_reply *r, bool map)
{
    for (int i = 0; i < 3; i++) {
        reply_integer(r, i);
        if (map) reply_boolean(r, i == 1);
    }
}

/* A reply of each type, for the tests of clients. */
static void debug_protocol(resp_call *call)
{
    resp_reply *r = &call->reply;
    if (call_is(call, 2, "string")) {
        reply_bulk_text(r, "Hello World");
    } else if (call_is(call, 2, "integer")) {
        reply_integer(r, 12345);
    } else if (call_is(call, 2, "double")) {
        reply_double_text(r, "3.141");
    } else if (call_is(call, 2, "bignum")) {
        reply_big_number(r, "1234567999999999999999999999999999999");
    } else if (call_is(call, 2, "null")) {
        reply_null(r);
    } else if (call_is(call, 2, "array")) {
        reply_array(r, 3);
        debug_numbers(r, false);
    } else if (call_is(call, 2, "set")) {
        reply_set(r, 3);
        debug_numbers(r, false);
    } else if (call_is(call, 2, "map")) {
        reply_map(r, 3);
        debug_numbers(r, true);
    } else if (call_is(call, 2, "attrib")) {
        reply_attribute(r, "key-popularity", "key:123", 90);
        reply_bulk_text(r, "Some real reply following the attribute");
    } else if (call_is(call, 2, "push") && r->protocol == 2) {
        (void)call_error(call, "ERR RESP2 is not supported by this command");
    } else if (call_is(call, 2, "push")) {
        reply_push(r, 2);
        reply_bulk_text(r, "server-cpu-usage");
        reply_integer(r, 42);
        reply_bulk_text(r, "Some real reply following the push reply");
    } else if (call_is(call, 2, "true") || call_is(call, 2, "false")) {
        reply_boolean(r, call_is(call, 2, "true"));
    } else if (call_is(call, 2, "verbatim")) {
        reply_verbatim(r, holt_str("This is a verbatim\nstring"));
    } else {
        (void)call_error(call,
                         "ERR Wrong protocol type name. Please use one of the following: "
                         "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false");
    }
}

/* Keeps all clients waiting, to try what they do then. */
static void debug_sleep(resp_call *call)
{
    long double seconds;
    if (!slice_to_float(call->arguments[2], &seconds) || seconds < 0 || seconds > SLEEP_SECONDS_MAX) {
        (void)call_error_format(call, "ERR the server sleeps for 0 to %d seconds", SLEEP_SECONDS_MAX);
        return;
    }
    struct timespec time = {(time_t)seconds, (long)((seconds - floorl(seconds)) * 1e9L)};
    (void)nanosleep(&time, NULL); /* a signal only makes it shorter */
    reply_status(&call->reply, "OK");
}

/* What is written is on disk, and stays there while "the server is loaded again". In a transaction, EXEC
 * makes it durable. */
static void debug_reload(resp_call *call)
{
    if (!call->in_exec) call_commit(call);
    if (call_status(call, holt_sync(call->engine->db)) == HOLT_OK) reply_status(&call->reply, "OK");
}

void resp_run_debug(resp_call *call)
{
    /* That expiry is switched off cannot be seen: what has expired is gone. */
    static const char *const nothing[] = {
        "JMAP",          "SET-ACTIVE-EXPIRE",          "CHANGE-REPL-ID",
        "DICT-RESIZING", "QUICKLIST-PACKED-THRESHOLD", "SET-SKIP-CHECKSUM-VALIDATION"};
    bool has_value = call->count == 3;
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++) {
        if (!call_is(call, 1, nothing[i]) || (i > 0 && !has_value)) continue;
        reply_status(&call->reply, "OK");
        return;
    }
    if (call_is(call, 1, "OBJECT") && has_value) {
        debug_object(call);
    } else if (call_is(call, 1, "PROTOCOL") && has_value) {
        debug_protocol(call);
    } else if (call_is(call, 1, "SLEEP") && has_value) {
        debug_sleep(call);
    } else if (call_is(call, 1, "RELOAD") || call_is(call, 1, "LOADAOF")) {
        debug_reload(call);
    } else if (call_is(call, 1, "LOG") && has_value) {
        log_write(HOLT_LOG_INFO, "DEBUG LOG: %.*s",
                  call->arguments[2].size > 256 ? 256 : (int)call->arguments[2].size,
                  (const char *)call->arguments[2].data);
        reply_status(&call->reply, "OK");
    } else if (call_is(call, 1, "ERROR") && has_value) {
        (void)call_error_format(call, "%.*s",
                                call->arguments[2].size > 256 ? 256 : (int)call->arguments[2].size,
                                (const char *)call->arguments[2].data);
    } else {
        (void)call_subcommand_error(call);
    }
}

/* ---------------------------------------------------------------- scripts */

static bool is_flush_mode(const resp_call *call)
{
    return call->count == 2 || (call->count == 3 && (call_is(call, 2, "SYNC") || call_is(call, 2, "ASYNC")));
}

void resp_run_function_flush(resp_call *call)
{
    if (is_flush_mode(call)) {
        reply_status(&call->reply, "OK");
    } else if (call->count > 3) {
        (void)call_subcommand_error(call);
    } else {
        (void)call_error(call, "ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
    }
}

void resp_run_script_flush(resp_call *call)
{
    if (is_flush_mode(call)) {
        reply_status(&call->reply, "OK");
    } else {
        (void)call_error(call, "ERR SCRIPT FLUSH only support SYNC|ASYNC option");
    }
}

void resp_run_function_kill(resp_call *call)
{
    (void)call_error(call, "NOTBUSY No scripts in execution right now.");
}

void resp_run_function_list(resp_call *call)
{
    for (size_t i = 2; i < call->count; i++) {
        holt_slice word = call->arguments[i];
        if (slice_is(word, "WITHCODE")) continue;
        if (slice_is(word, "LIBRARYNAME") && i + 1 < call->count) {
            i++;
            continue;
        }
        (void)call_error_format(call, "ERR Unknown argument %.*s", word.size > 128 ? 128 : (int)word.size,
                                (const char *)word.data);
        return;
    }
    reply_array(&call->reply, 0);
}

void resp_run_script_exists(resp_call *call)
{
    reply_array(&call->reply, call->count - 2);
    for (size_t i = 2; i < call->count; i++)
        reply_integer(&call->reply, 0);
}
