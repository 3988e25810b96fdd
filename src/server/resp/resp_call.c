/* resp_call.c -- see resp_call.h. */
#include "resp/resp_call.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "resp/resp_commands.h"

#include "loop/metrics.h"

const char CALL_SYNTAX_ERROR[] = "ERR syntax error";
const char CALL_NOT_INTEGER[] = "ERR value is not an integer or out of range";
const char CALL_NOT_FLOAT[] = "ERR value is not a valid float";
const char CALL_NO_KEY[] = "ERR no such key";
const char CALL_OVERFLOW[] = "ERR increment or decrement would overflow";

/* ---------------------------------------------------------------- errors */

bool call_error(resp_call *call, const char *text)
{
    call->engine->errors++;
    metrics_errors(METRICS_REDIS, 1);
    call->reply.out->size = call->reply_start;
    reply_error(&call->reply, text);
    return false;
}

bool call_error_format(resp_call *call, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return call_error(call, text);
}

bool call_subcommand_error(resp_call *call)
{
    char container[32];
    size_t size = strcspn(call->command->name, "|");
    holt_slice word = call->arguments[1];
    for (size_t i = 0; i < size; i++)
        container[i] = (char)toupper((unsigned char)call->command->name[i]);
    return call_error_format(
        call, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try %.*s HELP.",
        word.size > 128 ? 128 : (int)word.size, (const char *)word.data, (int)size, container);
}

holt_status call_status(resp_call *call, holt_status status)
{
    if (status == HOLT_OK || status == HOLT_NOT_FOUND) return status;
    call->storage_failed = true;
    (void)call_error_format(call, "%s %s", status == HOLT_BUSY ? "BUSY" : "ERR", holt_error_message());
    return status;
}

bool call_reply_fits(resp_call *call)
{
    assert(call->reply_start <= call->reply.out->size);
    if (call->reply.out->size - call->reply_start <= config_live(call->engine->config, CONFIG_output_bytes))
        return true;
    return call_error(call, "ERR the reply is larger than output_bytes");
}

/* ---------------------------------------------------------------- arguments */

bool slice_equals(holt_slice a, holt_slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool slice_is(holt_slice text, const char *word)
{
    return text.size == strlen(word) && strncasecmp(text.data, word, text.size) == 0;
}

bool call_is(const resp_call *call, size_t i, const char *word)
{
    return slice_is(call->arguments[i], word);
}

bool slice_to_integer(holt_slice text, int64_t *out)
{
    const char *digits = text.data;
    size_t size = text.size;
    bool negative = size && *digits == '-';
    uint64_t number = 0;
    if (negative) digits++, size--;
    if (size == 0 || size > 19 || (*digits == '0' && (size > 1 || negative))) return false;
    for (size_t i = 0; i < size; i++) {
        if (!isdigit((unsigned char)digits[i])) return false;
        number = number * 10 + (uint64_t)(digits[i] - '0'); /* 19 digits fit into 64 bits */
    }
    if (number > (uint64_t)INT64_MAX + negative) return false;
    *out = negative ? (int64_t)(0 - number) : (int64_t)number;
    return true;
}

bool call_integer(resp_call *call, size_t i, int64_t *out)
{
    return slice_to_integer(call->arguments[i], out) || call_error(call, CALL_NOT_INTEGER);
}

bool slice_to_float(holt_slice text, long double *out)
{
    char copy[FLOAT_TEXT_BYTES], *end;
    if (text.size == 0 || text.size >= sizeof copy || isspace((unsigned char)*(const char *)text.data))
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    errno = 0;
    long double number = strtold(copy, &end);
    if (end != copy + text.size || isnan(number)) return false;
    if (errno == ERANGE && (isinf(number) || number == 0)) return false; /* too large, or too near to 0 */
    *out = number;
    return true;
}

uint64_t call_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---------------------------------------------------------------- patterns */

/* Matches one character with the class at p ("[...]"). Sets *after to what follows it. */
static bool class_matches(const char *p, const char *end, char c, const char **after)
{
    bool negated = false, matches = false;
    p++;
    if (p < end && *p == '^') {
        negated = true;
        p++;
    }
    for (; p < end && *p != ']'; p++) {
        if (*p == '\\' && end - p >= 2) {
            p++;
            matches = matches || *p == c;
        } else if (end - p >= 3 && p[1] == '-') {
            unsigned char low = (unsigned char)p[0], high = (unsigned char)p[2], byte = (unsigned char)c;
            matches = matches || (low <= high ? byte >= low && byte <= high : byte >= high && byte <= low);
            p += 2;
        } else {
            matches = matches || *p == c;
        }
    }
    *after = p < end ? p + 1 : p;
    return matches != negated;
}

/* Linear in the pattern for each byte of the text: after a mismatch it is enough to let the last star take
 * one more byte, because what an earlier star could take instead, the last one can too. */
bool glob_matches(holt_slice pattern, holt_slice text)
{
    const char *p = pattern.data, *p_end = p + pattern.size;
    const char *t = text.data, *t_end = t + text.size;
    const char *star = NULL, *star_text = NULL;
    while (t < t_end || p < p_end) {
        const char *after = p + 1;
        bool matches = false;
        if (p < p_end && *p == '*') {
            star = p++;
            star_text = t;
            continue;
        }
        if (p < p_end && t < t_end) {
            if (*p == '[') {
                matches = class_matches(p, p_end, *t, &after);
            } else if (*p == '\\' && p_end - p >= 2) {
                matches = p[1] == *t;
                after = p + 2;
            } else {
                matches = *p == '?' || *p == *t;
            }
        }
        if (matches) {
            p = after;
            t++;
        } else if (star && star_text < t_end) {
            t = ++star_text;
            p = star + 1;
        } else {
            return false;
        }
    }
    return true;
}

size_t glob_literal(holt_slice pattern)
{
    const char *p = pattern.data;
    size_t i = 0;
    while (i < pattern.size && !strchr("*?[\\", p[i]))
        i++;
    return i;
}

/* ---------------------------------------------------------------- databases */

/* The collection in which database n, if SWAPDB has exchanged it, has the number of its collection. */
static const char NUMBERS[] = "db numbers";

void resp_collection_name(uint32_t number, char name[COLLECTION_NAME_BYTES])
{
    if (number) {
        snprintf(name, COLLECTION_NAME_BYTES, "db %u", number);
    } else {
        snprintf(name, COLLECTION_NAME_BYTES, "default");
    }
}

void resp_engine_name(const resp_engine *e, uint32_t database, char name[COLLECTION_NAME_BYTES])
{
    resp_collection_name(e->numbers[database], name);
}

void numbers_read(resp_engine *e, holt_txn *t)
{
    uint32_t count = (uint32_t)e->config->number[CONFIG_databases];
    holt_collection *c = NULL;
    holt_value value = {0}; /* not the engine's, which the command may be about to write */
    for (uint32_t i = 0; i < count; i++)
        e->numbers[i] = i;
    if (holt_collection_open(e->db, NUMBERS, &c) != HOLT_OK) return;
    for (uint32_t i = 0; i < count; i++) {
        char key[16];
        int64_t number;
        snprintf(key, sizeof key, "%u", i);
        if (holt_get(c, t, holt_str(key), &value) == HOLT_OK &&
            slice_to_integer(holt_bytes(value.data, value.size), &number) && number >= 0 &&
            number <= UINT32_MAX)
            e->numbers[i] = (uint32_t)number;
        if (e->numbers[i] != i)
            __atomic_store_n(&e->swapped, true, __ATOMIC_RELAXED); /* see direct_permits */
    }
    holt_value_free(&value);
    holt_collection_close(c);
}

void numbers_settle(resp_engine *e, const batch *b)
{
    if (!e->numbers_changed || batch_reader(b)) return;
    /* The transaction has ended; who knows how. */
    e->numbers_changed = false;
    numbers_read(e, NULL);
    resp_engine_forget_databases(e);
}

void call_commit(resp_call *call)
{
    assert(!call->in_exec);
    (void)batch_commit(call->batch); /* the jobs have been told */
    numbers_settle(call->engine, call->batch);
}

/* Writes that database n is the collection with that number. */
static holt_status put_number(holt_collection *c, holt_txn *t, uint32_t database, uint32_t number)
{
    char key[16], value[16];
    snprintf(key, sizeof key, "%u", database);
    snprintf(value, sizeof value, "%u", number);
    return holt_put(c, t, holt_str(key), holt_str(value));
}

bool call_prepare_swap(resp_call *call, holt_collection **c)
{
    const holt_collection_options options = {.kind = HOLT_BTREE, .flags = HOLT_CREATE_OR_OPEN};
    holt_status status = holt_collection_open(call->engine->db, NUMBERS, c);
    if (status == HOLT_NOT_FOUND) {
        /* The open transaction began without the collection. */
        if (!call->in_exec) call_commit(call);
        status = holt_collection_create(call->engine->db, NUMBERS, &options, c);
    }
    return call_status(call, status) == HOLT_OK;
}

bool call_swap(resp_call *call, uint32_t a, uint32_t b)
{
    resp_engine *e = call->engine;
    holt_collection *c;
    holt_txn *t;
    if (!call_prepare_swap(call, &c)) return false;
    watch_swap(call, a, b);
    e->numbers_changed = true;
    __atomic_store_n(&e->swapped, true, __ATOMIC_RELAXED); /* see direct_permits */
    uint32_t mark;
    holt_status status = batch_writer(call->batch, &t);
    if (status == HOLT_OK) status = holt_savepoint(t, &mark);
    if (status == HOLT_OK) {
        status = put_number(c, t, a, e->numbers[b]);
        if (status == HOLT_OK) status = put_number(c, t, b, e->numbers[a]);
        if (status != HOLT_OK) (void)holt_rollback_to(t, mark); /* the first failure is told */
        call_keep(call, mark);
    }
    holt_collection_close(c);
    if (call_status(call, status) != HOLT_OK) return false;
    uint32_t number = e->numbers[a];
    holt_collection *database = e->databases[a];
    e->numbers[a] = e->numbers[b];
    e->databases[a] = e->databases[b];
    e->numbers[b] = number;
    e->databases[b] = database;
    return true;
}

bool call_may_use(const resp_call *call, uint32_t database)
{
    char name[COLLECTION_NAME_BYTES];
    const access_user *u = call->session->user;
    if (!u || !u->collections) return true; /* without users, or with all collections */
    resp_engine_name(call->engine, database, name);
    return access_user_may_use(u, holt_str(name));
}

bool call_collection_of(resp_call *call, uint32_t database, bool create, holt_collection **c)
{
    char name[COLLECTION_NAME_BYTES];
    holt_status status;
    *c = NULL;
    if (!call_may_use(call, database))
        return call_error(call,
                          "NOPERM this user has no permissions to access one of the keys used as arguments");
    *c = call->engine->databases[database];
    if (*c) return true;
    resp_engine_name(call->engine, database, name);
    status = holt_collection_open(call->engine->db, name, c);
    if (status == HOLT_NOT_FOUND && create) {
        const holt_collection_options options = {.kind = (uint32_t)call->engine->config->number[CONFIG_kind],
                                                 .flags = HOLT_CREATE_OR_OPEN};
        /* The open transaction began without the collection. In an EXEC it was created before. */
        if (!call->in_exec && batch_reader(call->batch)) {
            call_commit(call);
            return call_collection_of(call, database, create, c); /* which may be another one now */
        }
        status = holt_collection_create(call->engine->db, name, &options, c);
    }
    call->engine->databases[database] = *c;
    status = call_status(call, status);
    return status == HOLT_OK || status == HOLT_NOT_FOUND;
}

bool call_collection(resp_call *call, bool create, holt_collection **c)
{
    return call_collection_of(call, call->session->database, create, c);
}

/* ---------------------------------------------------------------- reading and writing */

holt_status call_get(resp_call *call, holt_slice key, holt_value *value)
{
    holt_collection *c;
    if (!call_collection(call, false, &c)) return HOLT_IO;
    holt_status status = HOLT_NOT_FOUND;
    if (c) {
        status = holt_get(c, batch_reader(call->batch), key, value);
    } else {
        value->size = 0;
    }
    if (status == HOLT_OK) call->engine->hits++;
    if (status == HOLT_NOT_FOUND) call->engine->misses++;
    return call_status(call, status);
}

holt_status call_exists(resp_call *call, holt_slice key)
{
    holt_collection *c;
    if (!call_collection(call, false, &c)) return HOLT_IO;
    return call_status(call, c ? holt_exists(c, batch_reader(call->batch), key) : HOLT_NOT_FOUND);
}

holt_status call_expiry(resp_call *call, holt_slice key, uint64_t *ms)
{
    holt_collection *c;
    *ms = 0;
    if (!call_collection(call, false, &c)) return HOLT_IO;
    return call_status(call, c ? holt_expiry(c, batch_reader(call->batch), key, ms) : HOLT_NOT_FOUND);
}

/* Sets *c and *t to write to a database of the call. */
static bool writable(resp_call *call, uint32_t database, holt_collection **c, holt_txn **t)
{
    if (!call_collection_of(call, database, true, c)) return false;
    return call_status(call, batch_writer(call->batch, t)) == HOLT_OK;
}

/* Ends a write. A watched key counts as written only if it was. */
static holt_status written(resp_call *call, uint32_t database, holt_slice key, holt_status status)
{
    if (status == HOLT_OK) {
        call->engine->changes++;
        watch_touch(call->engine, database, key);
    }
    return call_status(call, status);
}

bool call_put_in(resp_call *call, uint32_t database, holt_slice key, holt_slice value, uint64_t expires_at_ms)
{
    holt_collection *c;
    holt_txn *t;
    holt_status status;
    if (!writable(call, database, &c, &t)) return false;
    if (expires_at_ms) {
        status = holt_put_with(c, t, key, value, &(holt_put_options){.expires_at_ms = expires_at_ms});
    } else {
        status = holt_put(c, t, key, value);
    }
    return written(call, database, key, status) == HOLT_OK;
}

bool call_put(resp_call *call, holt_slice key, holt_slice value, uint64_t expires_at_ms)
{
    return call_put_in(call, call->session->database, key, value, expires_at_ms);
}

bool call_delete(resp_call *call, holt_slice key)
{
    uint32_t database = call->session->database;
    holt_collection *c;
    holt_txn *t;
    return writable(call, database, &c, &t) &&
           written(call, database, key, holt_delete(c, t, key)) == HOLT_OK;
}

holt_status call_expire(resp_call *call, holt_slice key, uint64_t expires_at_ms)
{
    uint32_t database = call->session->database;
    holt_collection *c;
    holt_txn *t;
    if (!writable(call, database, &c, &t)) return HOLT_IO;
    return written(call, database, key, holt_expire(c, t, key, expires_at_ms));
}

bool call_add(resp_call *call, holt_slice key, int64_t delta, int64_t *result)
{
    uint32_t database = call->session->database;
    holt_collection *c;
    holt_txn *t;
    if (!writable(call, database, &c, &t)) return false;
    holt_status status = holt_add(c, t, key, delta, result);
    if (status != HOLT_INVALID) return written(call, database, key, status) == HOLT_OK;
    /* The value is not a number, or the sum is too large: the reply says which. */
    int64_t number;
    status = call_get(call, key, &call->engine->value);
    if (status != HOLT_OK && status != HOLT_NOT_FOUND) return false;
    bool is_number =
        slice_to_integer(holt_bytes(call->engine->value.data, call->engine->value.size), &number);
    return call_error(call, is_number ? CALL_OVERFLOW : CALL_NOT_INTEGER);
}

bool call_savepoint(resp_call *call, uint32_t *id)
{
    holt_txn *t;
    holt_collection *c;
    /* First, because creating a collection may commit. */
    if (!writable(call, call->session->database, &c, &t)) return false;
    return call_status(call, holt_savepoint(t, id)) == HOLT_OK;
}

/* Both fail only if the savepoint is gone because its transaction has ended, when there is nothing to do. */
void call_keep(resp_call *call, uint32_t id)
{
    holt_txn *t = batch_reader(call->batch);
    if (t) (void)holt_release(t, id);
}

void call_undo(resp_call *call, uint32_t id)
{
    holt_txn *t = batch_reader(call->batch);
    if (t && holt_rollback_to(t, id) == HOLT_OK) (void)holt_release(t, id);
}

enum { VALUE_ROOM = 512, BULK_HEADER_ROOM = 24 };

/* Reads straight into the reply: first behind where the header will end, then moved up to the header,
 * whose length is not known before. */
holt_status call_reply_value(resp_call *call, holt_slice key)
{
    holt_collection *c;
    bytes *out = call->reply.out;
    size_t size = 0, room = VALUE_ROOM;
    holt_status status = HOLT_NOT_FOUND;
    if (!call_collection(call, false, &c)) return HOLT_IO;
    for (int tries = 0; c && tries < 2; tries++) {
        if (!bytes_reserve(out, room + BULK_HEADER_ROOM)) return HOLT_NO_MEMORY;
        size_t gap = out->size + BULK_HEADER_ROOM;
        status =
            holt_get_into(c, batch_reader(call->batch), key, out->data + gap, out->capacity - gap, &size);
        if (status != HOLT_TOO_LARGE) break;
        room = size + 2;
    }
    if (status == HOLT_NOT_FOUND) {
        call->engine->misses++;
        reply_null(&call->reply);
        return status;
    }
    if (status != HOLT_OK) return call_status(call, status);
    call->engine->hits++;
    size_t from = out->size + BULK_HEADER_ROOM;
    reply_bulk_begin(&call->reply, size);
    memmove(out->data + out->size, out->data + from, size);
    out->size += size;
    reply_bulk_end(&call->reply);
    return HOLT_OK;
}
