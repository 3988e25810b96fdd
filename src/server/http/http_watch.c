/* http_watch.c -- for those who watch the server.
 *
 *     GET    /healthz     200 as long as the server answers
 *     GET    /readyz      200 if writes are accepted, otherwise 503 with the reason
 *     GET    /metrics     figures in the text format of Prometheus
 */
#include <inttypes.h>
#include <stdio.h>

#include "http/http_request.h"
#include "loop/metrics.h"

static const char JSON[] = "application/json";

void http_health(http_request *r)
{
    bytes_append_text(&r->answer, "{\"status\":\"ok\"}\n");
    http_reply(r, 200, JSON);
}

/* Ready means that writes are accepted. */
void http_ready(http_request *r)
{
    holt_status status = holt_health(r->db);
    if (status == HOLT_OK) {
        http_health(r);
    } else {
        (void)http_error(r, 503, "not_ready", holt_error_message());
    }
}

/* Begins a metric: what it is, and its type. */
static void append_head(bytes *out, const char *name, const char *type, const char *help)
{
    bytes_append_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* The buckets of Prometheus count what those before them count too. */
static void append_histogram(bytes *out, const char *protocol, const char *kind, const metrics_latency *l)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < METRICS_BUCKETS; i++) {
        char bound[24] = "+Inf";
        sum += l->buckets[i];
        if (i < METRICS_BUCKETS - 1) snprintf(bound, sizeof bound, "%g", metrics_bounds_us[i] / 1e6);
        bytes_append_format(
            out, "holt_operation_seconds_bucket{protocol=\"%s\",kind=\"%s\",le=\"%s\"} %" PRIu64 "\n",
            protocol, kind, bound, sum);
    }
    bytes_append_format(out,
                        "holt_operation_seconds_sum{protocol=\"%s\",kind=\"%s\"} %.9f\n"
                        "holt_operation_seconds_count{protocol=\"%s\",kind=\"%s\"} %" PRIu64 "\n",
                        protocol, kind, (double)l->ns / 1e9, protocol, kind, sum);
}

/* What the server counts beside the database. */
static void append_server(bytes *out)
{
    metrics_totals m;
    metrics_get(&m);
    append_head(out, "holt_operation_seconds", "histogram", "Commands and requests, and how long each took.");
    for (unsigned p = 0; p < METRICS_PROTOCOLS; p++) {
        for (unsigned k = 0; k < METRICS_KINDS; k++)
            append_histogram(out, metrics_protocol_names[p], metrics_kind_names[k],
                             &m.protocol[p].latency[k]);
    }
    append_head(out, "holt_operation_errors_total", "counter", "Commands and requests that failed.");
    for (unsigned p = 0; p < METRICS_PROTOCOLS; p++)
        bytes_append_format(out, "holt_operation_errors_total{protocol=\"%s\"} %" PRIu64 "\n",
                            metrics_protocol_names[p], m.protocol[p].errors);
    append_head(out, "holt_connections", "gauge", "Open connections.");
    for (unsigned p = 0; p < METRICS_PROTOCOLS; p++)
        bytes_append_format(out, "holt_connections{protocol=\"%s\"} %" PRIu64 "\n", metrics_protocol_names[p],
                            m.protocol[p].connections);
    append_head(out, "holt_connections_total", "counter", "Connections accepted.");
    for (unsigned p = 0; p < METRICS_PROTOCOLS; p++)
        bytes_append_format(out, "holt_connections_total{protocol=\"%s\"} %" PRIu64 "\n",
                            metrics_protocol_names[p], m.protocol[p].connections_total);
    append_head(out, "holt_commit_delay_seconds_total", "counter",
                "Time that commits of the server were delayed, by cause.");
    for (unsigned i = 0; i < METRICS_CAUSES; i++)
        bytes_append_format(out, "holt_commit_delay_seconds_total{cause=\"%s\"} %.9f\n",
                            metrics_cause_names[i], (double)m.delay[i].ns / 1e9);
    append_head(out, "holt_uptime_seconds", "gauge", "Time since the server started.");
    bytes_append_format(out, "holt_uptime_seconds %.3f\n", (double)m.uptime_ms / 1e3);
}

void http_metrics(http_request *r)
{
    holt_db_stats s;
    holt_status status = holt_stats(r->db, &s, sizeof s);
    if (status != HOLT_OK) {
        (void)http_database_failed(r, status);
        return;
    }
    const struct {
        const char *name, *type, *help;
        uint64_t value;
    } metrics[] = {
        {"holt_puts_total", "counter", "Values put.", s.puts},
        {"holt_deletes_total", "counter", "Keys deleted.", s.deletes},
        {"holt_gets_total", "counter", "Keys looked up.", s.gets},
        {"holt_gets_found_total", "counter", "Keys looked up and found.", s.gets_found},
        {"holt_commits_total", "counter", "Transactions committed.", s.commits},
        {"holt_user_bytes_written_total", "counter", "Bytes of keys and values put.", s.bytes_written_user},
        {"holt_log_bytes_total", "counter", "Bytes written to the log.", s.log_bytes},
        {"holt_log_syncs_total", "counter", "Syncs of the log.", s.log_syncs},
        {"holt_flushes_total", "counter", "Memtables flushed.", s.flushes},
        {"holt_flush_bytes_total", "counter", "Bytes written by flushes.", s.flush_bytes},
        {"holt_compactions_total", "counter", "Compactions.", s.compactions},
        {"holt_compaction_read_bytes_total", "counter", "Bytes read by compactions.",
         s.compaction_bytes_read},
        {"holt_compaction_written_bytes_total", "counter", "Bytes written by compactions.",
         s.compaction_bytes_written},
        {"holt_cache_hits_total", "counter", "Blocks found in the cache.", s.cache_hits},
        {"holt_cache_misses_total", "counter", "Blocks read from files.", s.cache_misses},
        {"holt_delays_total", "counter", "Commits delayed by flushes or compactions.", s.delays},
        {"holt_delay_nanoseconds_total", "counter", "Time that commits were delayed.", s.delay_ns},
        {"holt_cache_bytes", "gauge", "Bytes in the block cache.", s.cache_bytes},
        {"holt_memory_limit_bytes", "gauge", "The memory budget.", s.memory_limit},
        {"holt_memory_used_bytes", "gauge", "Memory in use.", s.memory_used},
        {"holt_memtable_bytes", "gauge", "Memory of memtables.", s.memtable_bytes},
        {"holt_disk_bytes", "gauge", "Bytes of the database's files.", s.disk_bytes},
        {"holt_files", "gauge", "Data files.", s.files},
        {"holt_log_segments", "gauge", "Log segments.", s.log_segments},
        {"holt_collections", "gauge", "Collections.", s.collections},
        {"holt_transactions_open", "gauge", "Open transactions and snapshots.", s.transactions_open},
        {"holt_cursors_open", "gauge", "Open cursors.", s.cursors_open},
        {"holt_oldest_snapshot_age_milliseconds", "gauge", "Age of the oldest snapshot.",
         s.oldest_snapshot_age_ms},
        {"holt_last_seqno", "gauge", "The newest operation.", s.last_seqno},
        {"holt_durable_seqno", "gauge", "The newest operation that survives a power failure.",
         s.durable_seqno},
    };
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++) {
        append_head(&r->answer, metrics[i].name, metrics[i].type, metrics[i].help);
        bytes_append_format(&r->answer, "%s %" PRIu64 "\n", metrics[i].name, metrics[i].value);
    }
    append_server(&r->answer);
    bytes_append_format(&r->answer,
                        "# HELP holt_build_info The release.\n# TYPE holt_build_info gauge\n"
                        "holt_build_info{version=\"%s\"} 1\n",
                        holt_version());
    http_reply(r, 200, "text/plain; version=0.0.4; charset=utf-8");
}
