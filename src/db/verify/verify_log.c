/* verify_log.c -- replays the log of a closed database without applying it, and decodes its operations. */
#include "db/verify/verify_log.h"

#include "base/status.h"
#include "db/db.h"
#include "log/operation.h"
#include "log/segment.h"

#include <inttypes.h>

typedef struct log_check {
    verification *verification;
    const manifest_state *state;
    const replay_result *log; /* what replay has accepted so far */
    uint64_t bytes_told;
} log_check;

/* ---------------------------------------------------------------- one commit */

/* The damaged commit begins where the log accepted so far ends. */
static holt_status bad_commit(const log_check *c, seqno first, const char *what, uint64_t which)
{
    const log_end *end = &c->log->segments[c->log->count - 1];
    char name[OS_NAME_MAX];
    segment_name(end->segment, name);
    return status_set_file(HOLT_CORRUPT, name, end->offset,
                           "the commit of operation %" PRIu64 " at %" PRIu64 " %s (%" PRIu64 ")", first,
                           end->offset, what, which);
}

static holt_status check_operations(const log_check *c, seqno first, uint32_t count, slice payload)
{
    decoder d = decoder_of(payload);
    operation o;
    uint32_t i = 0;
    for (; operation_decode(&d, &o); i++) {
        if (o.key.size > KEY_BYTES_MAX) return bad_commit(c, first, "has a key that is too long", o.key.size);
        if (o.op == ENTRY_DELETE_RANGE && o.value.size > KEY_BYTES_MAX)
            return bad_commit(c, first, "deletes a range whose end is too long", o.value.size);
        /* Operations of dropped collections remain in the log; ids are never reused. */
        if (o.collection == 0 || o.collection >= c->state->next_collection)
            return bad_commit(c, first, "writes to a collection that never existed", o.collection);
    }
    if (d.failed) return bad_commit(c, first, "has an operation that cannot be decoded", i);
    if (i != count)
        return bad_commit(c, first, "does not have the number of operations in its header", count);
    return HOLT_OK;
}

static holt_status check_commit(void *ctx, seqno first, uint32_t count, slice payload)
{
    log_check *c = ctx;
    c->verification->report.entries += count;
    return verification_take(c->verification, check_operations(c, first, count, payload));
}

static void tell_progress(void *ctx, uint64_t bytes)
{
    log_check *c = ctx;
    verification_advance(c->verification, bytes - c->bytes_told);
    c->bytes_told = bytes;
}

/* ---------------------------------------------------------------- the whole log */

bool verify_log_may_use(const manifest_state *s, uint64_t segment)
{
    for (size_t i = 0; i < s->log.recovered_count; i++)
        if (s->log.recovered[i].segment == segment) return true;
    return segment >= s->log.next_segment;
}

typedef struct size_sum {
    verification *verification;
    os_dir *dir;
    const manifest_state *state;
} size_sum;

static holt_status add_size(void *ctx, const char *name)
{
    size_sum *sum = ctx;
    uint64_t number, size = 0;
    bool exists;
    if (!file_name_number(name, "wal-", ".log", &number) || !verify_log_may_use(sum->state, number))
        return HOLT_OK;
    holt_status rc = os_dir_stat(sum->dir, name, &exists, &size);
    if (rc == HOLT_OK && exists) sum->verification->bytes_total += size;
    return rc;
}

holt_status verify_log_expect(verification *v, os_dir *dir, const manifest_state *s)
{
    size_sum sum = {.verification = v, .dir = dir, .state = s};
    return os_dir_list(dir, add_size, &sum);
}

holt_status verify_log(verification *v, os_dir *dir, const uint64_t database_id[2], const manifest_state *s,
                       manifest_mark mark, replay_result *out)
{
    log_check c = {.verification = v, .state = s, .log = out};
    replay_visitor visitor = {.ctx = &c, .commit = check_commit, .progress = tell_progress};
    holt_status rc = replay_log(dir, database_id, &s->log, mark, &visitor, out);
    v->report.files += out->count;
    return verification_take(v, rc);
}
