/* cmd_config.c -- CONFIG: the settings of the server, under its own names and under those of Redis.
 *
 * Own settings that are live (config.h) can be changed, as can those of Redis that stand for one of them and
 * those that the engine keeps for itself (resp_tuning). Others that tools ask for have one value; setting
 * them to that value succeeds.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop/log.h"
#include "resp/resp_call.h"
#include "resp/resp_commands.h"
#include "resp/resp_monitor.h"

typedef enum holder {
    TUNING, /* resp_tuning, at `where` */
    OWN,    /* the setting with index `where` */
    FIXED   /* `text` */
} holder;

typedef struct redis_setting {
    const char *name;
    holder holder;
    size_t where;
    int64_t smallest, largest; /* for TUNING */
    bool bytes;                /* a number of bytes, perhaps with a unit */
    const char *text;
} redis_setting;

#define AT(field) offsetof(resp_tuning, field)
static const redis_setting redis_settings[] = {
    {"maxmemory", TUNING, AT(maxmemory), 0, INT64_MAX, true, NULL},
    {"min-replicas-to-write", TUNING, AT(replicas_min), 0, INT32_MAX, false, NULL},
    {"slowlog-log-slower-than", TUNING, AT(slow_us), -1, INT64_MAX, false, NULL},
    {"slowlog-max-len", TUNING, AT(slow_entries), 0, INT64_MAX, false, NULL},
    {"latency-monitor-threshold", TUNING, AT(latency_ms), 0, INT64_MAX, false, NULL},
    {"maxclients", OWN, CONFIG_connections, 0, 0, false, NULL},
    {"timeout", OWN, CONFIG_idle_seconds, 0, 0, false, NULL},
    {"proto-max-bulk-len", OWN, CONFIG_request_bytes, 0, 0, true, NULL},
    {"save", FIXED, 0, 0, 0, false, ""},
    {"appendonly", FIXED, 0, 0, 0, false, "yes"},
    {"appendfsync", FIXED, 0, 0, 0, false, NULL},
    {"maxmemory-policy", FIXED, 0, 0, 0, false, "noeviction"},
    {"notify-keyspace-events", FIXED, 0, 0, 0, false, ""},
};
#undef AT
enum { REDIS_SETTINGS = sizeof redis_settings / sizeof redis_settings[0] };

/* What a name that a client has written means. */
typedef struct setting {
    const redis_setting *redis; /* NULL: one of the server's own */
    size_t own;                 /* if it is that, or stands for it; otherwise CONFIG_COUNT */
} setting;

static int64_t *tuning_of(resp_engine *e, const redis_setting *s)
{
    return (int64_t *)((char *)&e->tuning + s->where);
}

static setting redis_setting_at(size_t i)
{
    const redis_setting *s = &redis_settings[i];
    return (setting){s, s->holder == OWN ? s->where : CONFIG_COUNT};
}

/* Finds a setting by its name, in any case. */
static bool find_setting(holt_slice name, setting *out)
{
    for (size_t i = 0; i < REDIS_SETTINGS; i++) {
        *out = redis_setting_at(i);
        if (slice_is(name, redis_settings[i].name)) return true;
    }
    for (size_t i = 0; i < CONFIG_COUNT; i++) {
        *out = (setting){NULL, i};
        if (slice_is(name, config_name(i))) return true;
    }
    return false;
}

/* Returns the value as text, which is in `room` or lives on by itself. */
static const char *value_of(resp_engine *e, const setting *s, char room[32])
{
    const config *c = e->config;
    uint64_t durability = c->number[CONFIG_durability];
    if (!s->redis && !config_is_live(s->own)) return c->text[s->own];
    if (s->own == CONFIG_log_level) return log_level_name((uint32_t)config_live(c, s->own));
    if (s->own < CONFIG_COUNT) {
        snprintf(room, 32, "%" PRIu64, config_live(c, s->own));
    } else if (s->redis->holder == TUNING) {
        snprintf(room, 32, "%" PRId64, *tuning_of(e, s->redis));
    } else if (s->redis->text) {
        return s->redis->text;
    } else {
        return durability == HOLT_COMMIT ? "always" : durability == HOLT_INTERVAL ? "everysec" : "no";
    }
    return room;
}

/* ---------------------------------------------------------------- reading */

static bool is_wanted(const resp_call *call, const char *name)
{
    for (size_t i = 2; i < call->count; i++) {
        if (glob_matches(call->arguments[i], holt_str(name))) return true;
    }
    return false;
}

void resp_run_config_get(resp_call *call)
{
    bytes pairs = {0};
    resp_reply list = {&pairs, call->session->protocol};
    size_t count = 0;
    char room[32];
    for (size_t i = 0; i < REDIS_SETTINGS + CONFIG_COUNT; i++) {
        bool own = i >= REDIS_SETTINGS;
        setting s = own ? (setting){NULL, i - REDIS_SETTINGS} : redis_setting_at(i);
        const char *name = own ? config_name(s.own) : redis_settings[i].name;
        if (!is_wanted(call, name)) continue;
        reply_bulk_text(&list, name);
        reply_bulk_text(&list, value_of(call->engine, &s, room));
        count++;
    }
    reply_map(&call->reply, count);
    bytes_append(call->reply.out, pairs.data, pairs.size);
    call->reply.out->failed = call->reply.out->failed || pairs.failed;
    bytes_deinit(&pairs);
}

/* ---------------------------------------------------------------- changing */

/* Reads bytes with a unit as Redis has it: k is 1000, kb 1024, and nothing is 0. */
static bool parse_memory(const char *text, int64_t *out)
{
    static const struct {
        const char *name;
        uint64_t factor;
    } units[] = {{"", 1},        {"b", 1},        {"k", 1000},       {"kb", 1 << 10},
                 {"m", 1000000}, {"mb", 1 << 20}, {"g", 1000000000}, {"gb", 1 << 30}};
    size_t digits = strspn(text, "0123456789");
    int64_t number = 0;
    if (digits > 0 && !slice_to_integer(holt_bytes(text, digits), &number)) return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (slice_is(holt_str(text + digits), units[i].name)) {
            *out = (int64_t)((uint64_t)number * units[i].factor);
            return (uint64_t)number <= (uint64_t)INT64_MAX / units[i].factor;
        }
    }
    return false;
}

/* Reads the value for a setting. Returns what is wrong with it, which may be in `reason`, or NULL. */
static const char *parse_setting(resp_engine *e, const setting *s, const char *text, int64_t *number,
                                 char reason[CONFIG_ERROR_BYTES])
{
    char room[32];
    uint64_t own = 0;
    const redis_setting *r = s->redis;
    if (s->own < CONFIG_COUNT && config_is_live(s->own)) {
        int64_t size;
        if (r && r->bytes && parse_memory(text, &size)) {
            snprintf(room, sizeof room, "%" PRId64, size);
            text = room;
        }
        if (!config_parse(s->own, text, &own, reason)) return reason;
        *number = (int64_t)own;
        return NULL;
    }
    if (!r || r->holder == FIXED)
        return strcmp(text, value_of(e, s, room)) == 0 ? NULL : "can't set immutable config";
    if (r->bytes && !parse_memory(text, number)) return "argument must be a memory value";
    if (!r->bytes && !slice_to_integer(holt_str(text), number))
        return "argument couldn't be parsed into an integer";
    if (*number >= r->smallest && *number <= r->largest) return NULL;
    snprintf(reason, CONFIG_ERROR_BYTES, "argument must be between %" PRId64 " and %" PRId64 " inclusive",
             r->smallest, r->largest);
    return reason;
}

/* Gives the setting in arguments i and i + 1 its value; or, unless `change`, only tries that. */
static bool set_one(resp_call *call, size_t i, bool change)
{
    resp_engine *e = call->engine;
    holt_slice name = call->arguments[i], value = call->arguments[i + 1];
    int shown = name.size > 128 ? 128 : (int)name.size;
    char text[256], reason[CONFIG_ERROR_BYTES] = "";
    const char *wrong = "the value is too long";
    int64_t number = 0;
    setting s;
    if (!find_setting(name, &s)) {
        return call_error_format(call, "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'",
                                 shown, (const char *)name.data);
    }
    if (value.size < sizeof text) {
        if (value.size) memcpy(text, value.data, value.size);
        text[value.size] = '\0';
        wrong = parse_setting(e, &s, text, &number, reason);
    }
    for (size_t j = 2; j < i; j += 2) {
        setting other;
        if (find_setting(call->arguments[j], &other) && other.redis == s.redis && other.own == s.own)
            wrong = "duplicate parameter";
    }
    if (wrong) {
        return call_error_format(call, "ERR CONFIG SET failed (possibly related to argument '%.*s') - %s",
                                 shown, (const char *)name.data, wrong);
    }
    if (!change) return true;
    if (s.own < CONFIG_COUNT && config_is_live(s.own)) config_change(e->config, s.own, (uint64_t)number);
    if (s.redis && s.redis->holder == TUNING) *tuning_of(e, s.redis) = number;
    return true;
}

void resp_run_config_set(resp_call *call)
{
    if (call->count % 2) {
        (void)call_error(call, CALL_SYNTAX_ERROR);
        return;
    }
    for (size_t i = 2; i < call->count; i += 2) {
        if (!set_one(call, i, false)) return;
    }
    for (size_t i = 2; i < call->count; i += 2)
        (void)set_one(call, i, true);
    monitor_trim(call->engine);
    reply_status(&call->reply, "OK");
}

void resp_run_config_resetstat(resp_call *call)
{
    resp_engine *e = call->engine;
    e->commands = e->connections = e->hits = e->misses = e->errors = 0;
    __atomic_store_n(&e->direct.hits, 0, __ATOMIC_RELAXED); /* they only inform */
    __atomic_store_n(&e->direct.misses, 0, __ATOMIC_RELAXED);
    monitor_reset(e);
    reply_status(&call->reply, "OK");
}

void resp_run_config_rewrite(resp_call *call)
{
    (void)call_error(call,
                     "ERR the configuration file is not changed by the server; edit it, and send SIGHUP");
}
