/* metrics.c -- see metrics.h. */
#include "loop/metrics.h"

#include <stdatomic.h>
#include <string.h>

#include <uv.h>

const char *const metrics_protocol_names[METRICS_PROTOCOLS] = {"redis", "http"};
const char *const metrics_kind_names[METRICS_KINDS] = {"read", "write", "other"};
const char *const metrics_cause_names[METRICS_CAUSES] = {"flush", "compaction", "readers", "log"};

/* Steps of 1, 2.5 and 5, from what a command in memory takes to what a client gives up on. */
const uint32_t metrics_bounds_us[METRICS_BUCKETS - 1] = {25,     50,     100,     250,     500,     1000,
                                                         2500,   5000,   10000,   25000,   50000,   100000,
                                                         250000, 500000, 1000000, 2500000, 10000000};

/* Relaxed everywhere: each is a count of its own, and nothing else is read because of it. */
typedef _Atomic uint64_t counter;

static struct {
    counter started_ns;
    struct {
        counter connections, connections_total, errors;
        struct {
            counter ns, buckets[METRICS_BUCKETS];
        } latency[METRICS_KINDS];
    } protocol[METRICS_PROTOCOLS];
    struct {
        counter count, ns;
    } delay[METRICS_CAUSES];
} totals;

static void add(counter *c, uint64_t amount)
{
    atomic_fetch_add_explicit(c, amount, memory_order_relaxed);
}

static uint64_t get(counter *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

void metrics_start(void)
{
    atomic_store_explicit(&totals.started_ns, uv_hrtime(), memory_order_relaxed);
}

void metrics_connection_opened(metrics_protocol p)
{
    add(&totals.protocol[p].connections, 1);
    add(&totals.protocol[p].connections_total, 1);
}

void metrics_connection_closed(metrics_protocol p)
{
    atomic_fetch_sub_explicit(&totals.protocol[p].connections, 1, memory_order_relaxed);
}

void metrics_operations(metrics_protocol p, metrics_kind k, uint64_t count, uint64_t ns)
{
    size_t bucket = 0;
    while (bucket < METRICS_BUCKETS - 1 && ns > metrics_bounds_us[bucket] * (uint64_t)1000)
        bucket++;
    add(&totals.protocol[p].latency[k].ns, count * ns);
    add(&totals.protocol[p].latency[k].buckets[bucket], count);
}

void metrics_errors(metrics_protocol p, uint64_t count)
{
    add(&totals.protocol[p].errors, count);
}

void metrics_commit(const holt_cost *cost)
{
    for (unsigned i = 0; i < METRICS_CAUSES; i++) {
        if (!(cost->delay_causes & 1u << i)) continue;
        add(&totals.delay[i].count, 1);
        add(&totals.delay[i].ns,
            1u << i == HOLT_DELAY_LOG ? cost->sync_ns : cost->delay_ns + cost->room_wait_ns);
    }
}

static void get_latency(metrics_protocol p, metrics_kind k, metrics_latency *out)
{
    out->ns = get(&totals.protocol[p].latency[k].ns);
    for (size_t i = 0; i < METRICS_BUCKETS; i++) {
        out->buckets[i] = get(&totals.protocol[p].latency[k].buckets[i]);
        out->count += out->buckets[i];
    }
}

void metrics_get(metrics_totals *out)
{
    memset(out, 0, sizeof *out);
    out->uptime_ms = (uv_hrtime() - get(&totals.started_ns)) / 1000000;
    for (unsigned p = 0; p < METRICS_PROTOCOLS; p++) {
        out->protocol[p].connections = get(&totals.protocol[p].connections);
        out->protocol[p].connections_total = get(&totals.protocol[p].connections_total);
        out->protocol[p].errors = get(&totals.protocol[p].errors);
        for (unsigned k = 0; k < METRICS_KINDS; k++)
            get_latency((metrics_protocol)p, (metrics_kind)k, &out->protocol[p].latency[k]);
    }
    for (unsigned i = 0; i < METRICS_CAUSES; i++) {
        out->delay[i].count = get(&totals.delay[i].count);
        out->delay[i].ns = get(&totals.delay[i].ns);
    }
}
