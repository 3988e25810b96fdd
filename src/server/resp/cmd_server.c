/* cmd_server.c -- the server as a whole: figures, settings, databases. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "resp/resp_call.h"
#include "resp/resp_commands.h"
#include "resp/resp_monitor.h"

/* ---------------------------------------------------------------- databases */

/* DBSIZE counts up to so many keys one by one, and estimates beyond. */
enum { COUNT_MAX = 65536 };

static holt_status count_keys(resp_call *call, holt_collection *c, uint64_t *count)
{
    holt_cursor *cursor;
    const holt_slice open = {NULL, 0};
    const holt_cursor_options o = {.flags = HOLT_CURSOR_KEYS_ONLY, .label = "DBSIZE"};
    *count = 0;
    holt_status status = holt_cursor_open(c, batch_reader(call->batch), &o, &cursor);
    if (status != HOLT_OK) return status;
    bool on = holt_cursor_first(cursor);
    while (on && *count < COUNT_MAX) {
        ++*count;
        on = holt_cursor_next(cursor);
    }
    status = holt_cursor_close(cursor);
    if (on && status == HOLT_OK) {
        status = holt_approximate_size(c, open, open, NULL, count);
        if (*count < COUNT_MAX) *count = COUNT_MAX;
    }
    return status;
}

void resp_run_dbsize(resp_call *call)
{
    holt_collection *c;
    uint64_t count = 0;
    if (!call_collection(call, false, &c)) return;
    if (call_status(call, c ? count_keys(call, c, &count) : HOLT_OK) == HOLT_OK)
        reply_integer(&call->reply, (int64_t)count);
}

/* In a transaction the keys are deleted as a range; otherwise clearing the collection frees its space at
 * once. */
static bool flush_database(resp_call *call, uint32_t database)
{
    holt_collection *c;
    holt_txn *t;
    if (!call->in_exec) call_commit(call);
    if (!call_collection_of(call, database, false, &c)) return false;
    watch_touch(call->engine, database, holt_bytes(NULL, 0));
    if (!c) return true;
    if (call->in_exec) {
        if (call_status(call, batch_writer(call->batch, &t)) != HOLT_OK) return false;
        return call_status(call, holt_delete_range(c, t, holt_bytes("", 0), holt_bytes(NULL, 0))) == HOLT_OK;
    }
    return call_status(call, holt_collection_clear(c)) == HOLT_OK;
}

static bool check_flush(resp_call *call)
{
    if (call->count == 1 || (call->count == 2 && (call_is(call, 1, "ASYNC") || call_is(call, 1, "SYNC"))))
        return true;
    return call_error(call, CALL_SYNTAX_ERROR);
}

void resp_run_flushdb(resp_call *call)
{
    if (check_flush(call) && flush_database(call, call->session->database)) reply_status(&call->reply, "OK");
}

void resp_run_flushall(resp_call *call)
{
    if (!check_flush(call)) return;
    for (uint32_t i = 0; i < call->engine->config->number[CONFIG_databases]; i++) {
        if (!flush_database(call, i)) return;
    }
    reply_status(&call->reply, "OK");
}

/* The numbers of databases stand for collections, as the collection NUMBERS says: SWAPDB exchanges two of its
 * entries, in one commit. */
void resp_run_swapdb(resp_call *call)
{
    resp_engine *e = call->engine;
    uint64_t databases = e->config->number[CONFIG_databases];
    int64_t a, b;
    if (!slice_to_integer(call->arguments[1], &a)) {
        (void)call_error(call, "ERR invalid first DB index");
    } else if (!slice_to_integer(call->arguments[2], &b)) {
        (void)call_error(call, "ERR invalid second DB index");
    } else if (a < 0 || b < 0 || (uint64_t)a >= databases || (uint64_t)b >= databases) {
        (void)call_error(call, "ERR DB index is out of range");
    } else if (a == b || call_swap(call, (uint32_t)a, (uint32_t)b)) {
        reply_status(&call->reply, "OK");
    }
}

/* ---------------------------------------------------------------- INFO */

static void info_server(const resp_engine *e, bytes *out)
{
    uint64_t up = (call_now_ms() - e->started_ms) / 1000;
    bytes_append_format(
        out,
        "# Server\r\nredis_version:7.0.0\r\nholt_version:%s\r\nredis_mode:standalone\r\n"
        "arch_bits:%zu\r\nmultiplexing_api:libuv\r\nprocess_id:%ld\r\nuptime_in_seconds:%" PRIu64
        "\r\nuptime_in_days:%" PRIu64 "\r\n",
        holt_version(), sizeof(void *) * 8, (long)getpid(), up, up / 86400);
}

static void info_memory(const resp_engine *e, const holt_db_stats *stats, bytes *out)
{
    struct rusage usage;
    char human[32];
    getrusage(RUSAGE_SELF, &usage);
    snprintf(human, sizeof human, "%.2fM", (double)stats->memory_used / (1 << 20));
    bytes_append_format(out,
                        "# Memory\r\nused_memory:%" PRIu64
                        "\r\nused_memory_human:%s\r\nused_memory_rss_max:%ld\r\n"
                        "maxmemory:%" PRId64 "\r\nmaxmemory_policy:noeviction\r\nholt_memory_limit:%" PRIu64
                        "\r\nholt_memtable_bytes:%" PRIu64 "\r\nholt_cache_bytes:%" PRIu64 "\r\n",
                        stats->memory_used, human, usage.ru_maxrss * 1024, e->tuning.maxmemory,
                        stats->memory_limit, stats->memtable_bytes, stats->cache_bytes);
}

static void info_stats(const resp_engine *e, const holt_db_stats *stats, bytes *out)
{
    /* Relaxed: they only inform. */
    uint64_t hits = __atomic_load_n(&e->direct.hits, __ATOMIC_RELAXED);
    uint64_t misses = __atomic_load_n(&e->direct.misses, __ATOMIC_RELAXED);
    bytes_append_format(
        out,
        "# Stats\r\ntotal_connections_received:%" PRIu64 "\r\ntotal_commands_processed:%" PRIu64
        "\r\nkeyspace_hits:%" PRIu64 "\r\nkeyspace_misses:%" PRIu64 "\r\ntotal_error_replies:%" PRIu64
        "\r\nholt_commits:%" PRIu64 "\r\nholt_log_bytes:%" PRIu64 "\r\nholt_log_syncs:%" PRIu64
        "\r\nholt_flushes:%" PRIu64 "\r\nholt_compactions:%" PRIu64 "\r\n",
        e->connections, e->commands + hits + misses, e->hits + hits, e->misses + misses, e->errors,
        stats->commits, stats->log_bytes, stats->log_syncs, stats->flushes, stats->compactions);
}

static void info_cpu(bytes *out)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    bytes_append_format(out, "# CPU\r\nused_cpu_sys:%ld.%06ld\r\nused_cpu_user:%ld.%06ld\r\n",
                        (long)usage.ru_stime.tv_sec, (long)usage.ru_stime.tv_usec,
                        (long)usage.ru_utime.tv_sec, (long)usage.ru_utime.tv_usec);
}

static void info_keyspace(resp_call *call, bytes *out)
{
    bytes_append_text(out, "# Keyspace\r\n");
    for (uint32_t i = 0; i < call->engine->config->number[CONFIG_databases]; i++) {
        holt_collection *c;
        uint64_t count;
        if (!call_may_use(call, i)) continue;
        if (!call_collection_of(call, i, false, &c) || !c || count_keys(call, c, &count) != HOLT_OK || !count)
            continue;
        bytes_append_format(out, "db%u:keys=%" PRIu64 ",expires=0,avg_ttl=0\r\n", i, count);
    }
}

/* Whether INFO's arguments ask for a section. */
static bool info_wants(const resp_call *call, const char *section)
{
    bool common = strcmp(section, "commandstats") != 0;
    if (call->count == 1) return common;
    for (size_t i = 1; i < call->count; i++) {
        if (call_is(call, i, section) || call_is(call, i, "all") || call_is(call, i, "everything") ||
            (call_is(call, i, "default") && common))
            return true;
    }
    return false;
}

void resp_run_info(resp_call *call)
{
    static const char *const sections[] = {"server",      "clients", "memory",       "persistence", "stats",
                                           "replication", "cpu",     "commandstats", "keyspace"};
    bytes text = {0};
    holt_db_stats stats;
    if (call_status(call, holt_stats(call->engine->db, &stats, sizeof stats)) != HOLT_OK) return;
    for (int i = 0; i < (int)(sizeof sections / sizeof sections[0]); i++) {
        if (!info_wants(call, sections[i])) continue;
        if (text.size) bytes_append_text(&text, "\r\n");
        if (i == 0) info_server(call->engine, &text);
        if (i == 1)
            bytes_append_format(&text, "# Clients\r\nconnected_clients:%zu\r\nmaxclients:%" PRIu64 "\r\n",
                                call->engine->session_count,
                                config_live(call->engine->config, CONFIG_connections));
        if (i == 2) info_memory(call->engine, &stats, &text);
        if (i == 3)
            bytes_append_format(
                &text,
                "# Persistence\r\nloading:0\r\nrdb_changes_since_last_save:%" PRIu64
                "\r\nrdb_bgsave_in_progress:0\r\nrdb_last_save_time:%" PRIu64
                "\r\nrdb_last_bgsave_status:ok\r\naof_enabled:1\r\naof_rewrite_in_progress:0\r\n"
                "holt_last_seqno:%" PRIu64 "\r\nholt_durable_seqno:%" PRIu64 "\r\n",
                call->engine->changes, call->engine->saved_s, stats.last_seqno, stats.durable_seqno);
        if (i == 4) info_stats(call->engine, &stats, &text);
        if (i == 5) bytes_append_text(&text, "# Replication\r\nrole:master\r\nconnected_slaves:0\r\n");
        if (i == 6) info_cpu(&text);
        if (i == 7) monitor_info(call->engine, &text);
        if (i == 8) info_keyspace(call, &text);
    }
    call->reply.out->size = call->reply_start;
    reply_verbatim(&call->reply, bytes_slice(&text));
    bytes_deinit(&text);
}

void resp_run_time(resp_call *call)
{
    char text[24];
    uint64_t now = call_now_ms();
    reply_array(&call->reply, 2);
    snprintf(text, sizeof text, "%" PRIu64, now / 1000);
    reply_bulk_text(&call->reply, text);
    snprintf(text, sizeof text, "%" PRIu64, now % 1000 * 1000);
    reply_bulk_text(&call->reply, text);
}

/* ---------------------------------------------------------------- durability */

static bool save(resp_call *call)
{
    call_commit(call);
    if (call_status(call, holt_sync(call->engine->db)) != HOLT_OK) return false;
    call->engine->saved_s = call_now_ms() / 1000;
    call->engine->changes = 0;
    return true;
}

void resp_run_save(resp_call *call)
{
    if (save(call)) reply_status(&call->reply, "OK");
}

/* In a transaction nothing may be committed, and EXEC makes it durable anyway. */
void resp_run_bgsave(resp_call *call)
{
    if (call->count > 2 || (call->count == 2 && !call_is(call, 1, "SCHEDULE"))) {
        (void)call_error(call, CALL_SYNTAX_ERROR);
    } else if (call->in_exec) {
        reply_status(&call->reply, "Background saving scheduled");
    } else if (save(call)) {
        reply_status(&call->reply, "Background saving started");
    }
}

void resp_run_bgrewriteaof(resp_call *call)
{
    if (call->in_exec) {
        reply_status(&call->reply, "Background append only file rewriting scheduled");
    } else if (save(call)) {
        reply_status(&call->reply, "Background append only file rewriting started");
    }
}

void resp_run_lastsave(resp_call *call)
{
    reply_integer(&call->reply, (int64_t)call->engine->saved_s);
}

void resp_run_wait(resp_call *call)
{
    int64_t replicas, timeout;
    if (!call_integer(call, 1, &replicas)) return;
    if (!slice_to_integer(call->arguments[2], &timeout)) {
        (void)call_error(call, "ERR timeout is not an integer or out of range");
    } else if (timeout < 0) {
        (void)call_error(call, "ERR timeout is negative");
    } else {
        reply_integer(&call->reply, 0);
    }
}

/* ---------------------------------------------------------------- the process */

void resp_run_role(resp_call *call)
{
    reply_array(&call->reply, 3);
    reply_bulk_text(&call->reply, "master");
    reply_integer(&call->reply, 0);
    reply_array(&call->reply, 0);
}

/* Stops the server as SIGTERM does. There is no reply. */
void resp_run_shutdown(resp_call *call)
{
    for (size_t i = 1; i < call->count; i++) {
        if (call_is(call, i, "ABORT") && call->count == 2) {
            (void)call_error(call, "ERR No shutdown in progress.");
            return;
        }
        if (!call_is(call, i, "SAVE") && !call_is(call, i, "NOSAVE") && !call_is(call, i, "NOW") &&
            !call_is(call, i, "FORCE")) {
            (void)call_error(call, CALL_SYNTAX_ERROR);
            return;
        }
    }
    call->session->closing = true;
    (void)kill(getpid(), SIGTERM); /* cannot fail: the signal and the process exist */
}
