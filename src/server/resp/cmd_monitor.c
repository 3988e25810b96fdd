/* cmd_monitor.c -- see resp_monitor.h: the counts, SLOWLOG, LATENCY. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resp/resp_call.h"
#include "resp/resp_commands.h"
#include "resp/resp_monitor.h"

enum {
    BUCKETS = 32,              /* the last one is for all that is longer */
    SLOW_ENTRIES_MAX = 100000, /* whatever the tuning says */
    SLOW_ARGUMENTS_MAX = 32,   /* of a slow command that are remembered, */
    SLOW_ARGUMENT_BYTES = 128, /* each up to so many bytes */
    EVENT_SAMPLES = 160,
    SLOWLOG_GET_DEFAULT = 10
};

typedef struct counter {
    uint64_t calls, ns;
    uint64_t buckets[BUCKETS]; /* [i]: calls of at most 2^i microseconds, and more than 2^(i-1) */
} counter;

/* A slow command. `text` is the reply of SLOWLOG GET about it, in either version of the protocol. */
typedef struct slow_entry {
    struct slow_entry *next; /* an older one */
    bytes text;
} slow_entry;

/* Events of LATENCY: of quick commands, which never take long by themselves, and of the others. */
typedef struct event {
    const char *name;
    struct {
        uint64_t time_s, ms;
    } samples[EVENT_SAMPLES]; /* a ring */
    size_t count, next;
    uint64_t worst_ms;
} event;

enum { EVENT_COMMAND, EVENT_FAST, EVENTS };

struct resp_monitor {
    counter *counters; /* as many as there are commands */
    slow_entry *slow;  /* the newest first */
    uint64_t slow_count, slow_next;
    event events[EVENTS];
};

bool monitor_init(resp_engine *e)
{
    resp_monitor *m = calloc(1, sizeof *m);
    e->monitor = m;
    if (!m) return false;
    m->events[EVENT_COMMAND].name = "command";
    m->events[EVENT_FAST].name = "fast-command";
    m->counters = calloc(resp_command_count, sizeof *m->counters);
    return m->counters != NULL;
}

static void entry_free(slow_entry *s)
{
    bytes_deinit(&s->text);
    free(s);
}

/* Forgets all slow commands but the newest `count`. */
static void keep_slow(resp_monitor *m, uint64_t count)
{
    slow_entry **at = &m->slow, *next;
    for (uint64_t i = 0; *at && i < count; i++)
        at = &(*at)->next;
    for (slow_entry *s = *at; s; s = next) {
        next = s->next;
        entry_free(s);
        m->slow_count--;
    }
    *at = NULL;
}

void monitor_deinit(resp_engine *e)
{
    if (!e->monitor) return;
    keep_slow(e->monitor, 0);
    free(e->monitor->counters);
    free(e->monitor);
    e->monitor = NULL;
}

void monitor_trim(resp_engine *e)
{
    int64_t most = e->tuning.slow_entries;
    keep_slow(e->monitor, most < SLOW_ENTRIES_MAX ? (uint64_t)most : SLOW_ENTRIES_MAX);
}

void monitor_reset(resp_engine *e)
{
    memset(e->monitor->counters, 0, resp_command_count * sizeof *e->monitor->counters);
}

/* ---------------------------------------------------------------- counting */

/* Returns the first argument that may be a password, or the number of arguments. */
static size_t first_secret(const resp_call *call)
{
    if (call->command->function == resp_run_auth) return 1;
    if (call->command->function != resp_run_hello) return call->count;
    for (size_t i = 1; i < call->count; i++) {
        if (call_is(call, i, "AUTH")) return i + 1;
    }
    return call->count;
}

static void write_arguments(const resp_call *call, resp_reply *r)
{
    size_t secret = first_secret(call);
    bool cut = call->count > SLOW_ARGUMENTS_MAX;
    size_t whole = cut ? SLOW_ARGUMENTS_MAX - 1 : call->count;
    char text[SLOW_ARGUMENT_BYTES + 64];
    reply_array(r, whole + cut);
    for (size_t i = 0; i < whole; i++) {
        holt_slice a = i < secret ? call->arguments[i] : holt_str("(redacted)");
        if (a.size <= SLOW_ARGUMENT_BYTES) {
            reply_bulk(r, a);
            continue;
        }
        memcpy(text, a.data, SLOW_ARGUMENT_BYTES);
        int more = snprintf(text + SLOW_ARGUMENT_BYTES, sizeof text - SLOW_ARGUMENT_BYTES,
                            "... (%zu more bytes)", a.size - SLOW_ARGUMENT_BYTES);
        reply_bulk(r, holt_bytes(text, SLOW_ARGUMENT_BYTES + (size_t)more));
    }
    if (!cut) return;
    snprintf(text, sizeof text, "... (%zu more arguments)", call->count - whole);
    reply_bulk_text(r, text);
}

/* Remembers the call in the slow log. Without memory it is not remembered. */
static void note_slow(resp_call *call, uint64_t us)
{
    resp_monitor *m = call->engine->monitor;
    slow_entry *s = calloc(1, sizeof *s);
    if (!s) return;
    resp_reply r = {&s->text, 2};
    reply_array(&r, 6);
    reply_integer(&r, (int64_t)m->slow_next);
    reply_integer(&r, (int64_t)(call_now_ms() / 1000));
    reply_integer(&r, (int64_t)us);
    write_arguments(call, &r);
    reply_bulk_text(&r, call->session->peer);
    reply_bulk_text(&r, call->session->name ? call->session->name : "");
    if (s->text.failed) {
        entry_free(s);
        return;
    }
    m->slow_next++;
    m->slow_count++;
    s->next = m->slow;
    m->slow = s;
    monitor_trim(call->engine);
}

static void note_event(event *v, uint64_t ms)
{
    v->samples[v->next].time_s = call_now_ms() / 1000;
    v->samples[v->next].ms = ms;
    v->next = (v->next + 1) % EVENT_SAMPLES;
    if (v->count < EVENT_SAMPLES) v->count++;
    if (ms > v->worst_ms) v->worst_ms = ms;
}

void monitor_command(resp_call *call, uint64_t ns)
{
    const resp_tuning *t = &call->engine->tuning;
    resp_monitor *m = call->engine->monitor;
    counter *c = &m->counters[call->command - resp_commands];
    uint64_t us = ns / 1000;
    size_t bucket = us < 2 ? 0 : 64 - (size_t)__builtin_clzll(us - 1);
    c->calls++;
    c->ns += ns;
    c->buckets[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
    /* EXEC is not slow by itself, but by the commands in it. */
    bool exec = call->command->function == resp_run_exec;
    if (t->slow_us >= 0 && us >= (uint64_t)t->slow_us && !exec) note_slow(call, us);
    if (t->latency_ms > 0 && us / 1000 >= (uint64_t)t->latency_ms)
        note_event(&m->events[call->command->flags & RESP_FAST ? EVENT_FAST : EVENT_COMMAND], us / 1000);
}

void monitor_info(const resp_engine *e, bytes *out)
{
    bytes_append_text(out, "# Commandstats\r\n");
    for (size_t i = 0; i < resp_command_count; i++) {
        const counter *c = &e->monitor->counters[i];
        if (!c->calls) continue;
        bytes_append_format(out, "cmdstat_%s:calls=%" PRIu64 ",usec=%" PRIu64 ",usec_per_call=%.2f\r\n",
                            resp_commands[i].name, c->calls, c->ns / 1000,
                            (double)c->ns / 1000 / (double)c->calls);
    }
}

/* ---------------------------------------------------------------- SLOWLOG */

void resp_run_slowlog_get(resp_call *call)
{
    const resp_monitor *m = call->engine->monitor;
    int64_t wanted = SLOWLOG_GET_DEFAULT;
    if (call->count > 3) {
        (void)call_subcommand_error(call);
        return;
    }
    if (call->count == 3 && (!slice_to_integer(call->arguments[2], &wanted) || wanted < -1)) {
        (void)call_error(call, "ERR count should be greater than or equal to -1");
        return;
    }
    uint64_t count = wanted < 0 || (uint64_t)wanted > m->slow_count ? m->slow_count : (uint64_t)wanted;
    const slow_entry *s = m->slow;
    reply_array(&call->reply, count);
    for (uint64_t i = 0; i < count; i++, s = s->next)
        bytes_append(call->reply.out, s->text.data, s->text.size);
}

void resp_run_slowlog_len(resp_call *call)
{
    reply_integer(&call->reply, (int64_t)call->engine->monitor->slow_count);
}

void resp_run_slowlog_reset(resp_call *call)
{
    keep_slow(call->engine->monitor, 0);
    reply_status(&call->reply, "OK");
}

/* ---------------------------------------------------------------- LATENCY */

/* Returns the events of the kind with the name, or NULL if there are none. */
static event *find_event(const resp_call *call, size_t argument)
{
    for (size_t i = 0; i < EVENTS; i++) {
        event *v = &call->engine->monitor->events[i];
        if (v->count && slice_equals(call->arguments[argument], holt_str(v->name))) return v;
    }
    return NULL;
}

/* The position in the ring of the i-th sample, from the oldest on. */
static size_t sample_at(const event *v, size_t i)
{
    return (v->next + EVENT_SAMPLES - v->count + i) % EVENT_SAMPLES;
}

void resp_run_latency_latest(resp_call *call)
{
    size_t kinds = 0;
    for (size_t i = 0; i < EVENTS; i++)
        kinds += call->engine->monitor->events[i].count > 0;
    reply_array(&call->reply, kinds);
    for (size_t i = 0; i < EVENTS; i++) {
        const event *v = &call->engine->monitor->events[i];
        if (!v->count) continue;
        size_t last = sample_at(v, v->count - 1);
        reply_array(&call->reply, 4);
        reply_bulk_text(&call->reply, v->name);
        reply_integer(&call->reply, (int64_t)v->samples[last].time_s);
        reply_integer(&call->reply, (int64_t)v->samples[last].ms);
        reply_integer(&call->reply, (int64_t)v->worst_ms);
    }
}

void resp_run_latency_history(resp_call *call)
{
    const event *v = find_event(call, 2);
    reply_array(&call->reply, v ? v->count : 0);
    for (size_t i = 0; v && i < v->count; i++) {
        reply_array(&call->reply, 2);
        reply_integer(&call->reply, (int64_t)v->samples[sample_at(v, i)].time_s);
        reply_integer(&call->reply, (int64_t)v->samples[sample_at(v, i)].ms);
    }
}

/* A line for each sample, with a bar that is as long as its share of the worst. */
void resp_run_latency_graph(resp_call *call)
{
    static const char bar[] = "########################################";
    const event *v = find_event(call, 2);
    bytes text = {0};
    if (!v) {
        (void)call_error_format(call, "ERR No samples available for event '%.*s'",
                                call->arguments[2].size > 128 ? 128 : (int)call->arguments[2].size,
                                (const char *)call->arguments[2].data);
        return;
    }
    for (size_t i = 0; i < v->count; i++) {
        size_t at = sample_at(v, i);
        uint64_t size = v->worst_ms ? v->samples[at].ms * (sizeof bar - 1) / v->worst_ms : 0;
        bytes_append_format(&text, "%" PRIu64 " %6" PRIu64 " ms %.*s\n", v->samples[at].time_s,
                            v->samples[at].ms, (int)size, bar);
    }
    reply_verbatim(&call->reply, bytes_slice(&text));
    bytes_deinit(&text);
}

void resp_run_latency_reset(resp_call *call)
{
    int64_t count = 0;
    for (size_t i = 0; i < EVENTS; i++) {
        event *v = &call->engine->monitor->events[i];
        bool named = call->count == 2;
        for (size_t j = 2; j < call->count; j++)
            named = named || slice_equals(call->arguments[j], holt_str(v->name));
        if (!named || !v->count) continue;
        *v = (event){.name = v->name};
        count++;
    }
    reply_integer(&call->reply, count);
}

static void reply_histogram(resp_call *call, size_t command)
{
    const counter *c = &call->engine->monitor->counters[command];
    size_t used = 0;
    uint64_t total = 0;
    for (size_t i = 0; i < BUCKETS; i++)
        used += c->buckets[i] > 0;
    reply_bulk_text(&call->reply, resp_commands[command].name);
    reply_map(&call->reply, 2);
    reply_bulk_text(&call->reply, "calls");
    reply_integer(&call->reply, (int64_t)c->calls);
    reply_bulk_text(&call->reply, "histogram_usec");
    reply_map(&call->reply, used);
    for (size_t i = 0; i < BUCKETS; i++) {
        if (!c->buckets[i]) continue;
        total += c->buckets[i];
        reply_integer(&call->reply, (int64_t)1 << i);
        reply_integer(&call->reply, (int64_t)total);
    }
}

void resp_run_latency_histogram(resp_call *call)
{
    const counter *counters = call->engine->monitor->counters;
    for (int writing = 0; writing < 2; writing++) {
        size_t found = 0;
        for (size_t i = 0; i < resp_command_count; i++) {
            bool wanted = call->count == 2;
            for (size_t j = 2; j < call->count; j++)
                wanted = wanted || slice_is(call->arguments[j], resp_commands[i].name);
            if (!wanted || !counters[i].calls) continue;
            found++;
            if (writing) reply_histogram(call, i);
        }
        if (!writing) reply_map(&call->reply, found);
    }
}

void resp_run_latency_doctor(resp_call *call)
{
    static const char off[] =
        "Slow events are not noted: set latency-monitor-threshold to a number of "
        "milliseconds. The setting slow_ms makes the log name slow calls of the database.\n";
    static const char none[] = "There were no slow events.\n";
    static const char some[] = "There were slow events: see LATENCY LATEST, SLOWLOG GET, and, for the disk, "
                               "the log with the setting slow_ms.\n";
    const resp_monitor *m = call->engine->monitor;
    bool any = m->events[EVENT_COMMAND].count || m->events[EVENT_FAST].count;
    reply_verbatim(&call->reply, holt_str(any ? some : call->engine->tuning.latency_ms ? none : off));
}
