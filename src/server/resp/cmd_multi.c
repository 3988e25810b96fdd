/* cmd_multi.c -- MULTI, EXEC, DISCARD, WATCH.
 *
 * EXEC runs the queued commands one after the other on the executor, which nothing comes between, in one
 * transaction: after a crash there is all or nothing of it. A command that fails for its arguments does not
 * stop the others, as in Redis; if the database refuses a write, all of them are undone.
 *
 * WATCH: the engine sees every write, or is told (resp_engine_written), so it keeps the watched keys in a
 * hash table and notes when one is touched. A value that was changed and changed back counts as changed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resp/resp_call.h"
#include "resp/resp_commands.h"

/* ---------------------------------------------------------------- watched keys */

enum { WATCH_SLOTS = 4096 };

struct resp_watch {
    resp_watch *next_in_slot, *next_of_session;
    resp_session *session;
    uint32_t database;
    bool existed;
    size_t size;
    char key[];
};

static size_t watch_slot(uint32_t database, holt_slice key)
{
    uint64_t hash = 0xcbf29ce484222325u ^ database;
    for (size_t i = 0; i < key.size; i++)
        hash = (hash ^ ((const unsigned char *)key.data)[i]) * 0x100000001b3u;
    return (size_t)(hash ^ hash >> 32) % WATCH_SLOTS;
}

void watch_touch(resp_engine *e, uint32_t database, holt_slice key)
{
    if (!e->watch_count) return;
    if (!key.data) {
        for (resp_session *s = e->sessions; s; s = s->next) {
            for (resp_watch *w = s->watches; w; w = w->next_of_session)
                s->watch_failed = s->watch_failed || (w->database == database && w->existed);
        }
        return;
    }
    for (resp_watch *w = e->watch_table[watch_slot(database, key)]; w; w = w->next_in_slot) {
        if (w->database == database && slice_equals(holt_bytes(w->key, w->size), key))
            w->session->watch_failed = true;
    }
}

/* Notes a write to the collection with that number, whatever database it is. */
static void touch_collection(resp_engine *e, uint32_t number, holt_slice key)
{
    for (uint32_t i = 0; i < e->config->number[CONFIG_databases]; i++) {
        if (e->numbers[i] == number) watch_touch(e, i, key);
    }
}

/* Any key of any database may have been written. */
static void touch_all(resp_engine *e)
{
    for (resp_session *s = e->watch_count ? e->sessions : NULL; s; s = s->next)
        s->watch_failed = s->watch_failed || s->watches;
}

void resp_engine_written(void *engine, holt_slice collection, holt_slice key)
{
    static const char prefix[] = "db ";
    enum { PREFIX = sizeof prefix - 1 };
    const char *name = collection.data;
    int64_t database = 0;
    if (!collection.data) {
        touch_all(engine);
    } else if (slice_equals(collection, holt_str("default"))) {
        touch_collection(engine, 0, key);
    } else if (collection.size > PREFIX && memcmp(name, prefix, PREFIX) == 0 &&
               slice_to_integer(holt_bytes(name + PREFIX, collection.size - PREFIX), &database) &&
               database > 0 && database <= UINT32_MAX) {
        touch_collection(engine, (uint32_t)database, key);
    }
}

/* Whether the database has the key. An error of the database counts as a key. */
static bool has_key(resp_call *call, uint32_t database, holt_slice key)
{
    holt_collection *c;
    if (!call_collection_of(call, database, false, &c)) return true;
    return c && holt_exists(c, batch_reader(call->batch), key) != HOLT_NOT_FOUND;
}

void watch_swap(resp_call *call, uint32_t a, uint32_t b)
{
    for (resp_session *s = call->engine->sessions; s; s = s->next) {
        for (resp_watch *w = s->watches; w; w = w->next_of_session) {
            holt_slice key = holt_bytes(w->key, w->size);
            if (w->database != a && w->database != b) continue;
            s->watch_failed = s->watch_failed || has_key(call, a, key) || has_key(call, b, key);
        }
    }
}

bool watch_add(resp_call *call, holt_slice key)
{
    resp_engine *e = call->engine;
    resp_session *s = call->session;
    for (resp_watch *w = s->watches; w; w = w->next_of_session) {
        if (w->database == s->database && slice_equals(holt_bytes(w->key, w->size), key)) return true;
    }
    holt_status status = call_exists(call, key);
    if (status != HOLT_OK && status != HOLT_NOT_FOUND) return false;
    if (!e->watch_table) e->watch_table = calloc(WATCH_SLOTS, sizeof(resp_watch *));
    resp_watch *w = e->watch_table ? malloc(sizeof *w + key.size) : NULL;
    if (!w) return call_error(call, "ERR out of memory");
    w->session = s;
    w->database = s->database;
    w->existed = status == HOLT_OK;
    w->size = key.size;
    memcpy(w->key, key.data, key.size);
    resp_watch **slot = &e->watch_table[watch_slot(s->database, key)];
    w->next_in_slot = *slot;
    *slot = w;
    w->next_of_session = s->watches;
    s->watches = w;
    e->watch_count++;
    return true;
}

void watch_clear(resp_engine *e, resp_session *s)
{
    resp_watch *next;
    for (resp_watch *w = s->watches; w; w = next) {
        next = w->next_of_session;
        resp_watch **at = &e->watch_table[watch_slot(w->database, holt_bytes(w->key, w->size))];
        while (*at != w)
            at = &(*at)->next_in_slot;
        *at = w->next_in_slot;
        e->watch_count--;
        free(w);
    }
    s->watches = NULL;
    s->watch_failed = false;
}

bool watch_expired(resp_call *call, bool *expired)
{
    uint32_t database = call->session->database;
    holt_status status = HOLT_OK;
    for (resp_watch *w = call->session->watches; w && status == HOLT_OK; w = w->next_of_session) {
        call->session->database = w->database;
        if (w->existed) status = call_exists(call, holt_bytes(w->key, w->size));
    }
    call->session->database = database;
    *expired = status == HOLT_NOT_FOUND;
    return status == HOLT_OK || *expired;
}

void resp_run_watch(resp_call *call)
{
    if (call->session->in_multi) {
        (void)call_error(call, "ERR WATCH inside MULTI is not allowed");
        return;
    }
    for (size_t i = 1; i < call->count; i++) {
        if (!watch_add(call, call->arguments[i])) return;
    }
    reply_status(&call->reply, "OK");
}

void resp_run_unwatch(resp_call *call)
{
    watch_clear(call->engine, call->session);
    reply_status(&call->reply, "OK");
}

/* ---------------------------------------------------------------- transactions */

void multi_reset(resp_session *s)
{
    s->in_multi = s->multi_failed = false;
    s->queued = 0;
    s->queued_flags = 0;
    bytes_deinit(&s->queue);
}

void resp_run_multi(resp_call *call)
{
    if (call->session->in_multi) {
        (void)call_error(call, "ERR MULTI calls can not be nested");
        return;
    }
    call->session->in_multi = true;
    reply_status(&call->reply, "OK");
}

void resp_run_discard(resp_call *call)
{
    if (!call->session->in_multi) {
        (void)call_error(call, "ERR DISCARD without MULTI");
        return;
    }
    multi_reset(call->session);
    watch_clear(call->engine, call->session);
    reply_status(&call->reply, "OK");
}

/* Takes the next command out of the queue. The arguments are slices of the queue. */
static bool take_queued(resp_engine *e, const bytes *queue, size_t *at, size_t *count)
{
    memcpy(count, queue->data + *at, sizeof *count);
    *at += sizeof *count;
    if (*count > e->arguments_capacity) {
        holt_slice *arguments = realloc(e->arguments, *count * sizeof *arguments);
        if (!arguments) return false;
        e->arguments = arguments;
        e->arguments_capacity = *count;
    }
    for (size_t i = 0; i < *count; i++) {
        size_t size;
        memcpy(&size, queue->data + *at, sizeof size);
        *at += sizeof size;
        e->arguments[i] = holt_bytes(queue->data + *at, size);
        *at += size;
    }
    return true;
}

/* Runs the queued commands. Returns false if what they wrote must be undone; the last reply is then an
 * error. */
static bool run_queue(resp_call *call, const bytes *queue, size_t queued)
{
    size_t at = 0;
    for (size_t i = 0; i < queued; i++) {
        resp_call inner = *call;
        if (!take_queued(call->engine, queue, &at, &inner.count))
            return call_error(call, "ERR out of memory");
        inner.arguments = call->engine->arguments;
        inner.command = resp_command_resolve(inner.arguments, inner.count);
        inner.reply.protocol = call->session->protocol;
        inner.in_exec = true;
        resp_call_function(&inner);
        if (inner.storage_failed) {
            char reason[256];
            const bytes *out = call->reply.out;
            size_t size = out->size - inner.reply_start;
            snprintf(reason, sizeof reason, "%.*s", size > 1 ? (int)(size > 200 ? 200 : size - 1) : 0,
                     size > 1 ? out->data + inner.reply_start + 1 : "");
            return call_error_format(call, "EXECABORT nothing was written: %s", reason);
        }
        if (!call_reply_fits(call))
            return call_error(call,
                              "EXECABORT nothing was written: the replies are larger than output_bytes");
    }
    return true;
}

static void run_transaction(resp_call *call)
{
    resp_session *s = call->session;
    bytes queue = {0};
    size_t queued = s->queued;
    bool writes = s->queued_flags & RESP_WRITE, swaps = s->queued_flags & RESP_SWAPS;
    holt_collection *numbers = NULL;
    uint32_t mark = 0;
    bytes_swap(&queue, &s->queue);
    multi_reset(s);
    if (swaps && !call_prepare_swap(call, &numbers)) goto done;
    if (writes) {
        /* What other clients have written in this batch must not be what makes the transaction too large. */
        holt_txn *t = batch_reader(call->batch);
        if (t && holt_batch_bytes(t) + queue.size > call->engine->config->number[CONFIG_memory] / 32)
            call_commit(call);
        if (!call_savepoint(call, &mark)) goto done;
    }
    reply_array(&call->reply, queued);
    bool kept = run_queue(call, &queue, queued);
    if (mark && kept) call_keep(call, mark);
    if (mark && !kept) call_undo(call, mark);
    if (swaps && !kept) {
        numbers_read(call->engine, batch_reader(call->batch));
        resp_engine_forget_databases(call->engine);
    }
done:
    holt_collection_close(numbers);
    bytes_deinit(&queue);
}

void resp_run_exec(resp_call *call)
{
    resp_session *s = call->session;
    bool stale = s->watch_failed;
    if (!s->in_multi) {
        (void)call_error(call, "ERR EXEC without MULTI");
        return;
    }
    if (s->multi_failed) {
        multi_reset(s);
        (void)call_error(call, "EXECABORT Transaction discarded because of previous errors.");
    } else if (!stale && !watch_expired(call, &stale)) {
        multi_reset(s); /* it has replied */
    } else if (stale) {
        multi_reset(s);
        reply_null_array(&call->reply);
    } else {
        run_transaction(call);
    }
    watch_clear(call->engine, s);
}
