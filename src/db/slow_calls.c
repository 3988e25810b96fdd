/* slow_calls.c -- timing public calls, and describing the slow ones. */
#include "db/slow_calls.h"

#include "base/cost.h"
#include "db/catalog/collection.h"
#include "db/db.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static const uint64_t MINUTE_NS = (uint64_t)60 * 1000000000;

void slow_calls_init(slow_calls *s)
{
    os_mutex_init(&s->mu, LOCK_RANK_SLOW_CALLS);
}

void slow_calls_deinit(slow_calls *s)
{
    os_mutex_deinit(&s->mu);
}

/* ---------------------------------------------------------------- describing a call */

/* The event log cuts off what does not fit into a line. */
enum { WORDS_BYTES = 480 };

typedef struct words {
    char bytes[WORDS_BYTES];
    size_t size;
} words;

__attribute__((format(printf, 2, 3))) static void add(words *w, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(w->bytes + w->size, sizeof w->bytes - w->size, format, arguments);
    va_end(arguments);
    if (n > 0) w->size += (size_t)n;
    if (w->size > sizeof w->bytes - 1) w->size = sizeof w->bytes - 1;
}

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static void add_time(words *w, const char *what, uint64_t ns)
{
    if (ns) add(w, "; %s %.3f ms", what, ms(ns));
}

static void add_count(words *w, uint64_t count, const char *what)
{
    if (count) add(w, "; %" PRIu64 " %s", count, what);
}

static void add_causes(words *w, uint32_t causes)
{
    static const struct {
        uint32_t cause;
        const char *words;
    } all[] = {{HOLT_DELAY_FLUSH, "flushes are behind"},
               {HOLT_DELAY_COMPACTION, "compactions are behind"},
               {HOLT_DELAY_READERS, "readers keep memtables"},
               {HOLT_DELAY_LOG, "the log's sync is behind"}};
    const char *before = " (because ";
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (!(causes & all[i].cause)) continue;
        add(w, "%s%s", before, all[i].words);
        before = ", ";
    }
    if (causes) add(w, ")");
}

static void add_collection(words *w, holt *db, const holt_collection *c)
{
    if (!c) return;
    os_mutex_lock(&db->catalog.mu);
    add(w, " on \"%s\"", c->name);
    os_mutex_unlock(&db->catalog.mu);
}

static void describe(words *w, holt *db, const holt_collection *c, const holt_cost *cost, holt_status rc)
{
    w->size = 0;
    add(w, "slow call: %s", cost->call);
    add_collection(w, db, c);
    add(w, " took %.3f ms", ms(cost->total_ns));
    if (rc != HOLT_OK) add(w, " and returned %s", holt_status_name(rc));
    add_time(w, "waited for other commits", cost->group_wait_ns);
    add_time(w, "write delay", cost->delay_ns);
    add_time(w, "waited for room in memory", cost->room_wait_ns);
    add_causes(w, cost->delay_causes);
    add_time(w, "waited for background work", cost->background_wait_ns);
    if (cost->log_bytes)
        add(w, "; log write %.3f ms (%" PRIu64 " bytes)", ms(cost->log_write_ns), cost->log_bytes);
    add_time(w, "new log segment", cost->log_rotate_ns);
    add_time(w, "sync", cost->sync_ns);
    if (cost->blocks_read)
        add(w, "; %" PRIu64 " blocks read in %.3f ms (%" PRIu64 " bytes)", cost->blocks_read,
            ms(cost->read_ns), cost->bytes_read);
    add_count(w, cost->blocks_cached, "blocks from the cache");
    add_count(w, cost->memtables, "memtables");
    add_count(w, cost->trees, "trees");
    if (cost->filter_checks)
        add(w, "; %" PRIu64 " of %" PRIu64 " filters negative", cost->filter_negatives, cost->filter_checks);
    add_count(w, cost->tombstones_skipped, "tombstones skipped");
    add_count(w, cost->bytes_in, "bytes in");
    add_count(w, cost->bytes_out, "bytes out");
}

/* ---------------------------------------------------------------- counting */

/* Counts a slow call; *unlogged, *slowest_ns: those that its line must tell of. false: it gets no line. */
static bool may_log(slow_calls *s, uint64_t now, uint64_t took_ns, uint64_t *unlogged, uint64_t *slowest_ns)
{
    os_mutex_lock(&s->mu);
    if (now - s->minute_began_ns >= MINUTE_NS) {
        s->minute_began_ns = now;
        s->lines = 0;
    }
    bool may = s->lines < SLOW_LINES_MAX;
    if (may) {
        s->lines++;
        *unlogged = s->unlogged;
        *slowest_ns = s->unlogged_ns_max;
        s->unlogged = s->unlogged_ns_max = 0;
    } else {
        s->unlogged++;
        if (took_ns > s->unlogged_ns_max) s->unlogged_ns_max = took_ns;
    }
    os_mutex_unlock(&s->mu);
    return may;
}

void slow_calls_report_unlogged(holt *db)
{
    os_mutex_lock(&db->slow.mu);
    uint64_t unlogged = db->slow.unlogged, slowest_ns = db->slow.unlogged_ns_max;
    db->slow.unlogged = db->slow.unlogged_ns_max = 0;
    os_mutex_unlock(&db->slow.mu);
    if (unlogged)
        event_log_write(db->events, HOLT_LOG_WARN, "%" PRIu64 " more slow calls, the slowest %.3f ms",
                        unlogged, ms(slowest_ns));
}

/* ---------------------------------------------------------------- timing */

void slow_call_begin(const holt *db, const holt_collection *c)
{
    if (cost_mine.state & (COST_TIMED | COST_ENDED)) return;
    cost_sheet *sheet = cost_sheet_mine();
    cost_mine.state |= COST_TIMED;
    sheet->collection = c;
    sheet->began_ns = os_clock_ns(db->os);
}

void slow_call_end(holt *db, holt_status rc)
{
    if (!cost_is_timed()) return;
    cost_sheet *sheet = cost_sheet_mine();
    uint64_t now = os_clock_ns(db->os), unlogged, slowest_ns;
    sheet->total_ns = now - sheet->began_ns;
    cost_end();
    if (sheet->total_ns <= db->set.slow_ns) return;
    if (!may_log(&db->slow, now, sheet->total_ns, &unlogged, &slowest_ns)) return;
    holt_cost cost;
    words w;
    holt_last_cost(&cost, sizeof cost);
    describe(&w, db, sheet->collection, &cost, rc);
    if (unlogged) add(&w, "; %" PRIu64 " more like it before, the slowest %.3f ms", unlogged, ms(slowest_ns));
    event_log_write(db->events, HOLT_LOG_WARN, "%s", w.bytes);
}
