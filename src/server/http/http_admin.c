/* http_admin.c -- what administrators and the console ask: figures of the whole server, and what is done by
 * hand.
 *
 *     GET    /v1/admin/stats            the database, the server and its collections, in figures
 *     GET    /v1/admin/collections      {"collections":[...]}: all of them with their figures
 *     GET    /v1/admin/readers          {"readers":[...]}: open transactions, snapshots and cursors
 *     POST   /v1/admin/flush            writes the memtables to the trees
 *     POST   /v1/admin/compact          {"collection":"c","from":"a","to":"b"}: compacts; all without a body
 *     POST   /v1/admin/check            verifies the files and the tables
 *     GET    /v1/admin/log-level        {"level":"info"}
 *     PUT    /v1/admin/log-level        {"level":"debug"}
 *
 * Flushing, compacting and checking take long, so they run beside the executor. They write nothing that a
 * transaction could conflict with.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include <holt/table.h>

#include "http/http_json.h"
#include "http/http_request.h"
#include "loop/log.h"
#include "loop/metrics.h"

static const char JSON[] = "application/json";

enum { READERS_MAX = 10000, PROBLEMS_MAX = 100 };

typedef struct figure {
    const char *name;
    uint64_t value;
} figure;

/* Appends "name":{...}, of figures up to one without a name. */
static void append_figures(bytes *out, const char *name, const figure *figures)
{
    bytes_append_format(out, "\"%s\":{", name);
    for (size_t i = 0; figures[i].name; i++)
        bytes_append_format(out, "%s\"%s\":%" PRIu64, i ? "," : "", figures[i].name, figures[i].value);
    bytes_append_text(out, "}");
}

/* ---------------------------------------------------------------- collections */

/* Appends "collections":[...]. */
static bool append_collections(http_request *r)
{
    char **names = NULL;
    size_t count = 0;
    const char *separator = "";
    holt_status status = holt_collection_list(r->db, &names, &count);
    if (status != HOLT_OK) return http_database_failed(r, status);
    bytes_append_text(&r->answer, "\"collections\":[");
    for (size_t i = 0; i < count && status == HOLT_OK; i++) {
        holt_collection *c;
        status = holt_collection_open(r->db, names[i], &c);
        if (status == HOLT_OK) {
            bytes_append_text(&r->answer, separator);
            status = http_append_collection(&r->answer, names[i], c);
            separator = ",";
        }
        holt_collection_close(c);
    }
    bytes_append_text(&r->answer, "]");
    holt_free(names);
    return status == HOLT_OK || http_database_failed(r, status);
}

void http_admin_collections(http_request *r)
{
    bytes_append_text(&r->answer, "{");
    if (!append_collections(r)) return;
    bytes_append_text(&r->answer, "}\n");
    http_reply(r, 200, JSON);
}

/* ---------------------------------------------------------------- statistics */

static void append_database(bytes *out, const holt_db_stats *s)
{
    const struct {
        const char *name;
        figure figures[8];
    } groups[] = {
        {"memory",
         {{"limit", s->memory_limit},
          {"used", s->memory_used},
          {"cache", s->cache_bytes - s->resident_bytes},
          {"cache_resident", s->resident_bytes},
          {"memtables", s->memtable_bytes},
          {"transactions", s->transaction_bytes}}},
        {"operations",
         {{"puts", s->puts},
          {"deletes", s->deletes},
          {"gets", s->gets},
          {"gets_found", s->gets_found},
          {"cursor_moves", s->cursor_moves},
          {"commits", s->commits},
          {"bytes_written", s->bytes_written_user}}},
        {"log",
         {{"bytes", s->log_bytes},
          {"syncs", s->log_syncs},
          {"segments", s->log_segments},
          {"last_seqno", s->last_seqno},
          {"durable_seqno", s->durable_seqno}}},
        {"flush",
         {{"count", s->flushes}, {"bytes", s->flush_bytes}, {"memtables_waiting", s->memtables_sealed}}},
        {"compaction",
         {{"count", s->compactions},
          {"bytes_read", s->compaction_bytes_read},
          {"bytes_written", s->compaction_bytes_written}}},
        {"cache", {{"hits", s->cache_hits}, {"misses", s->cache_misses}, {"evictions", s->cache_evictions}}},
        {"filters", {{"checks", s->filter_checks}, {"negatives", s->filter_negatives}}},
        {"disk", {{"bytes", s->disk_bytes}, {"files", s->files}}},
        {"readers",
         {{"transactions", s->transactions_open},
          {"cursors", s->cursors_open},
          {"versions_pinned", s->views_pinned},
          {"oldest_age_ms", s->oldest_snapshot_age_ms},
          {"pinned_bytes", s->pinned_bytes},
          {"revoked", s->snapshots_revoked}}},
        {"recovery",
         {{"ns", s->recovery_ns},
          {"operations", s->recovered_operations},
          {"log_bytes", s->recovered_log_bytes}}},
    };
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        append_figures(out, groups[i].name, groups[i].figures);
        bytes_append_text(out, ",");
    }
}

/* Appends "delays":{...}: of commits, by cause. */
static void append_delays(bytes *out, const holt_db_stats *s, const metrics_totals *m)
{
    bytes_append_format(
        out, "\"delays\":{\"count\":%" PRIu64 ",\"ns\":%" PRIu64 ",\"now_ns\":%" PRIu64 ",\"causes\":{",
        s->delays, s->delay_ns, s->write_delay_ns);
    for (unsigned i = 0; i < METRICS_CAUSES; i++)
        bytes_append_format(out, "%s\"%s\":{\"count\":%" PRIu64 ",\"ns\":%" PRIu64 "}", i ? "," : "",
                            metrics_cause_names[i], m->delay[i].count, m->delay[i].ns);
    bytes_append_text(out, "}},");
}

static void append_latency(bytes *out, const char *name, const metrics_latency *l)
{
    bytes_append_format(out, "\"%s\":{\"count\":%" PRIu64 ",\"ns\":%" PRIu64 ",\"buckets\":[", name, l->count,
                        l->ns);
    for (size_t i = 0; i < METRICS_BUCKETS; i++)
        bytes_append_format(out, "%s%" PRIu64, i ? "," : "", l->buckets[i]);
    bytes_append_text(out, "]}");
}

/* Appends "latency_bounds_us":[...],"protocols":{...}. */
static void append_protocols(bytes *out, const metrics_totals *m)
{
    bytes_append_text(out, "\"latency_bounds_us\":[");
    for (size_t i = 0; i < METRICS_BUCKETS - 1; i++)
        bytes_append_format(out, "%s%" PRIu32, i ? "," : "", metrics_bounds_us[i]);
    bytes_append_text(out, "],\"protocols\":{");
    for (unsigned p = 0; p < METRICS_PROTOCOLS; p++) {
        bytes_append_format(out,
                            "%s\"%s\":{\"connections\":%" PRIu64 ",\"connections_total\":%" PRIu64
                            ",\"errors\":%" PRIu64 ",\"operations\":{",
                            p ? "," : "", metrics_protocol_names[p], m->protocol[p].connections,
                            m->protocol[p].connections_total, m->protocol[p].errors);
        for (unsigned k = 0; k < METRICS_KINDS; k++) {
            bytes_append_text(out, k ? "," : "");
            append_latency(out, metrics_kind_names[k], &m->protocol[p].latency[k]);
        }
        bytes_append_text(out, "}}");
    }
    bytes_append_text(out, "},");
}

void http_admin_stats(http_request *r)
{
    holt_db_stats s;
    metrics_totals m;
    bytes *out = &r->answer;
    holt_status status = holt_stats(r->db, &s, sizeof s);
    if (status != HOLT_OK) {
        (void)http_database_failed(r, status);
        return;
    }
    metrics_get(&m);
    bytes_append_format(out, "{\"version\":\"%s\",\"uptime_ms\":%" PRIu64 ",", holt_version(), m.uptime_ms);
    append_database(out, &s);
    append_delays(out, &s, &m);
    append_protocols(out, &m);
    if (!append_collections(r)) return;
    bytes_append_text(out, "}\n");
    http_reply(r, 200, JSON);
}

/* ---------------------------------------------------------------- readers */

static const char *reader_kind(uint32_t kind)
{
    switch (kind) {
    case HOLT_READER_SNAPSHOT:
        return "snapshot";
    case HOLT_READER_BATCH:
        return "batch";
    case HOLT_READER_CURSOR:
        return "cursor";
    default:
        return "transaction";
    }
}

typedef struct reader_list {
    bytes *out;
    size_t count;
} reader_list;

static holt_status append_reader(void *ctx, const holt_reader *reader)
{
    reader_list *list = ctx;
    if (list->count++ >= READERS_MAX) return HOLT_OK;
    bytes_append_format(list->out, "%s{\"kind\":\"%s\",\"label\":", list->count > 1 ? "," : "",
                        reader_kind(reader->kind));
    http_json_string(list->out, holt_str(reader->label));
    bytes_append_format(list->out, ",\"age_ms\":%" PRIu64 ",\"pinned_bytes\":%" PRIu64 ",\"revoked\":%s}",
                        reader->age_ms, reader->pinned_bytes, reader->revoked ? "true" : "false");
    return HOLT_OK;
}

void http_admin_readers(http_request *r)
{
    reader_list list = {.out = &r->answer};
    bytes_append_text(&r->answer, "{\"readers\":[");
    holt_status status = holt_readers(r->db, append_reader, &list);
    bytes_append_format(&r->answer, "],\"count\":%zu}\n", list.count);
    http_reply(r, 200, JSON);
    if (status != HOLT_OK) (void)http_database_failed(r, status);
}

/* ---------------------------------------------------------------- by hand */

/* Answers with how long it took. start_ns: by uv_hrtime. */
static void reply_done(http_request *r, uint64_t start_ns, holt_status status)
{
    if (status != HOLT_OK) {
        (void)http_database_failed(r, status);
        return;
    }
    bytes_append_format(&r->answer, "{\"success\":true,\"duration_ms\":%" PRIu64 "}\n",
                        (uv_hrtime() - start_ns) / 1000000);
    http_reply(r, 200, JSON);
}

void http_admin_flush(http_request *r)
{
    uint64_t start_ns = uv_hrtime();
    reply_done(r, start_ns, holt_flush(r->db));
}

static holt_status compact_all(http_request *r)
{
    char **names = NULL;
    size_t count = 0;
    const holt_slice open = {NULL, 0};
    holt_status status = holt_collection_list(r->db, &names, &count);
    for (size_t i = 0; i < count && status == HOLT_OK; i++) {
        holt_collection *c;
        status = holt_collection_open(r->db, names[i], &c);
        if (status == HOLT_OK) status = holt_compact(c, open, open);
        /* One that was dropped in the meantime needs no compaction. */
        if (status == HOLT_NOT_FOUND || status == HOLT_CLOSED) status = HOLT_OK;
        holt_collection_close(c);
    }
    holt_free(names);
    return status;
}

/* Reads an optional bound of a range; {NULL, 0} if it is not there. */
static bool read_bound(http_request *r, json_object *object, const char *name, bytes *decoded,
                       holt_slice *bound)
{
    *bound = holt_bytes(NULL, 0);
    return !http_json_has(object, name) || http_read_member(r, object, name, decoded, bound);
}

/* Compacts what the body names. */
static void compact_range(http_request *r, json_object *object, bytes *decoded)
{
    holt_slice name, from, to;
    holt_collection *c;
    if (!http_read_member(r, object, "collection", decoded, &name) ||
        !read_bound(r, object, "from", decoded, &from) || !read_bound(r, object, "to", decoded, &to) ||
        !http_open_collection(r, name, &c))
        return;
    uint64_t start_ns = uv_hrtime();
    reply_done(r, start_ns, holt_compact(c, from, to));
    holt_collection_close(c);
}

void http_admin_compact(http_request *r)
{
    static const char *const names[] = {"collection", "from", "to", NULL};
    uint64_t start_ns = uv_hrtime();
    bytes decoded = {0};
    if (r->body.size == 0) {
        reply_done(r, start_ns, compact_all(r));
        return;
    }
    json_object *object = http_parse_body(r, names);
    if (!object) return;
    if (!bytes_reserve(&decoded, r->body.size)) {
        (void)http_database_error(r, HOLT_NO_MEMORY, "out of memory");
    } else {
        compact_range(r, object, &decoded);
    }
    bytes_deinit(&decoded);
    json_object_put(object);
}

/* ---------------------------------------------------------------- checking */

typedef struct check {
    bytes problems; /* JSON strings, with commas between them */
    size_t count;
} check;

static void add_problem(check *k, const char *text)
{
    if (k->count++ >= PROBLEMS_MAX) return;
    bytes_append_text(&k->problems, k->problems.size ? "," : "");
    http_json_string(&k->problems, holt_str(text));
}

static void on_file_problem(void *ctx, const holt_error *problem)
{
    add_problem(ctx, problem->message);
}

static void on_table_problem(void *ctx, const char *message)
{
    add_problem(ctx, message);
}

/* Damage that ends a check is a problem that has not been told. Returns HOLT_OK then, else the status. */
static holt_status tell_damage(check *k, holt_status status)
{
    if (status != HOLT_CORRUPT) return status;
    add_problem(k, holt_error_message());
    return HOLT_OK;
}

static holt_status check_table(holt *db, const char *name, check *k, uint64_t *rows)
{
    const holt_table_check_options o = {.problem = on_table_problem, .ctx = k};
    holt_table_report report = {0};
    holt_table *t;
    holt_status status = holt_table_open(db, name, &t);
    if (status == HOLT_OK) status = holt_table_check(t, &o, &report, sizeof report);
    if (report.problems > 0 && status == HOLT_CORRUPT) status = HOLT_OK; /* they have been told */
    status = tell_damage(k, status);
    *rows += report.rows;
    holt_table_close(t);
    return status == HOLT_NOT_FOUND || status == HOLT_CLOSED ? HOLT_OK : status; /* dropped since */
}

/* Returns HOLT_OK if the check was made, whatever it has found. */
static holt_status check_tables(holt *db, check *k, uint64_t *rows)
{
    char **names = NULL;
    size_t count = 0;
    holt_status status = tell_damage(k, holt_table_list(db, &names, &count));
    for (size_t i = 0; i < count && status == HOLT_OK; i++)
        status = check_table(db, names[i], k, rows);
    holt_free(names);
    return status;
}

void http_admin_check(http_request *r)
{
    check k = {0};
    uint64_t rows = 0, start_ns = uv_hrtime();
    holt_verify_report report;
    const holt_verify_options o = {.problem = on_file_problem, .ctx = &k};
    holt_status status = holt_verify_live(r->db, &o, &report, sizeof report);
    if (status == HOLT_CORRUPT && k.count > 0) status = HOLT_OK; /* the problems have been told */
    status = tell_damage(&k, status);
    if (status == HOLT_OK) status = check_tables(r->db, &k, &rows);
    if (status != HOLT_OK) {
        (void)http_database_failed(r, status);
    } else {
        bytes_append_format(&r->answer,
                            "{\"ok\":%s,\"problem_count\":%zu,\"files\":%" PRIu64 ",\"blocks\":%" PRIu64
                            ",\"entries\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"rows\":%" PRIu64
                            ",\"duration_ms\":%" PRIu64 ",\"problems\":[",
                            k.count ? "false" : "true", k.count, report.files, report.blocks, report.entries,
                            report.bytes, rows, (uv_hrtime() - start_ns) / 1000000);
        bytes_append(&r->answer, k.problems.data, k.problems.size);
        bytes_append_text(&r->answer, "]}\n");
        r->answer.failed = r->answer.failed || k.problems.failed;
        http_reply(r, 200, JSON);
    }
    bytes_deinit(&k.problems);
}

/* ---------------------------------------------------------------- the log level */

void http_admin_log_level(http_request *r)
{
    bytes_append_format(&r->answer, "{\"level\":\"%s\"}\n", log_level_name(log_level()));
    http_reply(r, 200, JSON);
}

void http_admin_set_log_level(http_request *r)
{
    static const char *const names[] = {"level", NULL};
    bytes decoded = {0};
    holt_slice name;
    json_object *object = http_parse_body(r, names);
    if (!object) return;
    if (!bytes_reserve(&decoded, r->body.size)) {
        (void)http_database_error(r, HOLT_NO_MEMORY, "out of memory");
    } else if (http_read_member(r, object, "level", &decoded, &name)) {
        uint32_t level = HOLT_LOG_ERROR;
        while (level <= HOLT_LOG_DEBUG && !http_slice_is(name, log_level_name(level)))
            level++;
        if (level <= HOLT_LOG_DEBUG) {
            config_change(r->config, CONFIG_log_level, level);
            http_admin_log_level(r);
        } else {
            (void)http_error(r, 400, "invalid", "the level must be error, warning, info or debug");
        }
    }
    bytes_deinit(&decoded);
    json_object_put(object);
}
