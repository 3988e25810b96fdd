/* old_writers.c -- polls the write gate and the list of open transactions, with growing pauses. */
#include "table/catalog/old_writers.h"

#include "base/status.h"

#include <stdio.h>
#include <time.h>

static const uint64_t PAUSE_NS = 20000, PAUSE_NS_MAX = 5000000;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* The read-write transactions that are older than a marker. */
typedef struct older {
    const char *marker; /* its label */
    bool passed;        /* the marker */
    uint64_t count;
    holt_reader oldest;
} older;

static holt_status see_reader(void *ctx, const holt_reader *reader)
{
    older *o = (older *)ctx;
    if (!o->passed)
        o->passed = strcmp(reader->label, o->marker) == 0;
    else if (reader->kind == HOLT_READER_TXN) {
        o->count++;
        o->oldest = *reader; /* the last one is the oldest */
    }
    return HOLT_OK;
}

/* What keeps the change from being seen by all: the message. */
static holt_status give_up(const older *o, uint64_t wait_ms)
{
    if (o->count == 0)
        return status_set(HOLT_BUSY, "a write to the table has not returned for %llu ms; retry later",
                          (unsigned long long)wait_ms);
    return status_set(
        HOLT_BUSY,
        "%llu transaction%s open that began before the change; the oldest %s%s%s is %llu ms old. "
        "End it, or retry later",
        (unsigned long long)o->count, o->count == 1 ? " is" : "s are", o->oldest.label[0] ? "(\"" : "",
        o->oldest.label, o->oldest.label[0] ? "\")" : "one", (unsigned long long)o->oldest.age_ms);
}

holt_status old_writers_wait(holt_table *t, uint64_t wait_ms)
{
    char label[64];
    holt_txn *marker;
    const uint64_t begun = now_ns();
    uint64_t pause = PAUSE_NS;
    bool turned = false;
    snprintf(label, sizeof label, "schema change %p %llx", (void *)t, (unsigned long long)begun);
    holt_txn_options options = {.flags = HOLT_TXN_BLIND, .label = label}; /* it pins nothing */
    holt_status rc = holt_begin(t->db, &options, &marker);
    while (rc == HOLT_OK) {
        older o = {.marker = label};
        if (!turned) turned = write_gate_turn(&t->gate);
        bool gone = turned && write_gate_empty(&t->gate);
        rc = holt_readers(t->db, see_reader, &o);
        if (rc != HOLT_OK || (gone && o.count == 0)) break;
        if ((now_ns() - begun) / 1000000 >= wait_ms) {
            rc = give_up(&o, wait_ms);
            break;
        }
        struct timespec rest = {.tv_nsec = (long)pause};
        nanosleep(&rest, NULL);
        pause = pause * 2 < PAUSE_NS_MAX ? pause * 2 : PAUSE_NS_MAX;
    }
    holt_rollback(marker);
    return rc;
}
