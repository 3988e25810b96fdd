/* cmd_keys.c -- keys of any type: DEL, EXISTS, RENAME, COPY, MOVE. */
#include "resp/resp_call.h"
#include "resp/resp_commands.h"

void resp_run_del(resp_call *call)
{
    int64_t deleted = 0;
    for (size_t i = 1; i < call->count; i++) {
        holt_status status = call_exists(call, call->arguments[i]);
        if (status == HOLT_NOT_FOUND) continue;
        if (status != HOLT_OK || !call_delete(call, call->arguments[i])) return;
        deleted++;
    }
    reply_integer(&call->reply, deleted);
}

void resp_run_exists(resp_call *call)
{
    int64_t found = 0;
    for (size_t i = 1; i < call->count; i++) {
        holt_status status = call_exists(call, call->arguments[i]);
        if (status == HOLT_OK) {
            found++;
        } else if (status != HOLT_NOT_FOUND) {
            return;
        }
    }
    reply_integer(&call->reply, found);
}

void resp_run_touch(resp_call *call)
{
    resp_run_exists(call);
}

void resp_run_type(resp_call *call)
{
    holt_status status = call_exists(call, call->arguments[1]);
    if (status == HOLT_OK) reply_status(&call->reply, "string");
    if (status == HOLT_NOT_FOUND) reply_status(&call->reply, "none");
}

/* Moves the value of argument 1, which has been read into engine->value, to argument 2. */
static bool rename_key(resp_call *call)
{
    const holt_value *value = &call->engine->value;
    uint32_t mark;
    if (!call_savepoint(call, &mark)) return false;
    if (call_put(call, call->arguments[2], holt_bytes(value->data, value->size), value->expires_at_ms) &&
        call_delete(call, call->arguments[1])) {
        call_keep(call, mark);
        return true;
    }
    call_undo(call, mark);
    return false;
}

void resp_run_rename(resp_call *call)
{
    holt_status status = call_get(call, call->arguments[1], &call->engine->value);
    if (status == HOLT_NOT_FOUND) {
        (void)call_error(call, CALL_NO_KEY);
    } else if (status == HOLT_OK) {
        bool same = slice_equals(call->arguments[1], call->arguments[2]);
        if (same || rename_key(call)) reply_status(&call->reply, "OK");
    }
}

void resp_run_renamenx(resp_call *call)
{
    holt_status status = call_get(call, call->arguments[1], &call->engine->value);
    if (status == HOLT_NOT_FOUND) (void)call_error(call, CALL_NO_KEY);
    if (status != HOLT_OK) return;
    status = call_exists(call, call->arguments[2]);
    if (status == HOLT_OK) {
        reply_integer(&call->reply, 0);
    } else if (status == HOLT_NOT_FOUND && rename_key(call)) {
        reply_integer(&call->reply, 1);
    }
}

/* Reads argument i as the number of a database. */
static bool parse_database(resp_call *call, size_t i, uint32_t *database)
{
    int64_t number;
    if (!slice_to_integer(call->arguments[i], &number))
        return call_error(call, "ERR value is not an integer or out of range");
    if (number < 0 || (uint64_t)number >= call->engine->config->number[CONFIG_databases])
        return call_error(call, "ERR DB index is out of range");
    *database = (uint32_t)number;
    return true;
}

/* Returns whether the key exists in another database. */
static holt_status exists_in(resp_call *call, uint32_t database, holt_slice key)
{
    uint32_t own = call->session->database;
    call->session->database = database;
    holt_status status = call_exists(call, key);
    call->session->database = own;
    return status;
}

void resp_run_copy(resp_call *call)
{
    holt_slice from = call->arguments[1], to = call->arguments[2];
    uint32_t database = call->session->database;
    bool replace = false;
    for (size_t i = 3; i < call->count; i++) {
        if (call_is(call, i, "REPLACE")) {
            replace = true;
        } else if (call_is(call, i, "DB") && i + 1 < call->count) {
            if (!parse_database(call, ++i, &database)) return;
        } else {
            (void)call_error(call, CALL_SYNTAX_ERROR);
            return;
        }
    }
    if (database == call->session->database && slice_equals(from, to)) {
        (void)call_error(call, "ERR source and destination objects are the same");
        return;
    }
    holt_value *value = &call->engine->value;
    holt_status status = call_get(call, from, value);
    if (status == HOLT_OK && !replace) {
        status = exists_in(call, database, to);
        if (status == HOLT_OK) {
            reply_integer(&call->reply, 0);
            return;
        }
        if (status == HOLT_NOT_FOUND) status = HOLT_OK;
    } else if (status == HOLT_NOT_FOUND) {
        reply_integer(&call->reply, 0);
        return;
    }
    if (status == HOLT_OK &&
        call_put_in(call, database, to, holt_bytes(value->data, value->size), value->expires_at_ms)) {
        reply_integer(&call->reply, 1);
    }
}

void resp_run_move(resp_call *call)
{
    holt_slice key = call->arguments[1];
    uint32_t database = 0, mark;
    holt_value *value = &call->engine->value;
    if (!parse_database(call, 2, &database)) return;
    if (database == call->session->database) {
        (void)call_error(call, "ERR source and destination objects are the same");
        return;
    }
    holt_status status = call_get(call, key, value);
    holt_status there = status == HOLT_OK ? exists_in(call, database, key) : HOLT_OK;
    if (status == HOLT_NOT_FOUND || (status == HOLT_OK && there == HOLT_OK)) {
        reply_integer(&call->reply, 0);
        return;
    }
    holt_collection *c;
    if (status != HOLT_OK || there != HOLT_NOT_FOUND || !call_collection_of(call, database, true, &c)) return;
    if (!call_savepoint(call, &mark)) return;
    if (call_put_in(call, database, key, holt_bytes(value->data, value->size), value->expires_at_ms) &&
        call_delete(call, key)) {
        call_keep(call, mark);
        reply_integer(&call->reply, 1);
    } else {
        call_undo(call, mark);
    }
}
