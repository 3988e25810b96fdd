/* args.c -- checks of arguments that the public calls share, and what each of them does before it returns. */
#include "db/db.h"

#include "base/compiler.h"
#include "base/status.h"
#include "base/utf8.h"
#include "db/args.h"

#include <assert.h>
#include <inttypes.h>

bool reserved_zero(const uint64_t *words, size_t count)
{
    uint64_t all = 0;
    for (size_t i = 0; i < count; i++)
        all |= words[i];
    return all == 0;
}

holt_status db_check(const holt *db)
{
    if (!db) return status_set(HOLT_INVALID, "the database handle is NULL");
    if (db->closing) return status_set(HOLT_CLOSED, "the database is being closed");
    if (db->fork_generation != os_fork_generation())
        return status_set(HOLT_CLOSED,
                          "the database was opened by the parent of this process; open it again in this one");
    if (db->set.slow_ns) slow_call_begin(db, NULL);
    return HOLT_OK;
}

holt_status collection_check(const holt_collection *c)
{
    if (!c) return status_set(HOLT_INVALID, "the collection handle is NULL");
    if (collection_lives(c)) {
        if (c->db->set.slow_ns) slow_call_begin(c->db, c);
        return HOLT_OK;
    }
    holt_status rc = db_check(c->db);
    return rc == HOLT_OK ? status_set(HOLT_CLOSED, "the collection was dropped") : rc;
}

holt_status writable_check(const holt *db)
{
    return db->read_only ? status_set(HOLT_READ_ONLY, "the database is open read-only") : HOLT_OK;
}

holt_status bound_check(slice bound, const char *name)
{
    if (bound.data || !bound.size) return HOLT_OK;
    return status_set(HOLT_INVALID, "%s is NULL with a size of %zu", name, bound.size);
}

holt_status key_check(slice key)
{
    if (!key.data && key.size)
        return status_set(HOLT_INVALID, "the key is NULL with a size of %zu", key.size);
    if (key.size > KEY_BYTES_MAX)
        return status_set(HOLT_TOO_LARGE, "the key has %zu bytes; at most %d are allowed", key.size,
                          KEY_BYTES_MAX);
    return HOLT_OK;
}

holt_status value_check(const holt *db, slice value)
{
    if (!value.data && value.size)
        return status_set(HOLT_INVALID, "the value is NULL with a size of %zu", value.size);
    if (value.size > db->set.value_bytes_max)
        return status_set(HOLT_TOO_LARGE,
                          "the value has %zu bytes; at most %" PRIu64
                          " are allowed (a quarter of memory_bytes, or 1 GiB)",
                          value.size, db->set.value_bytes_max);
    return HOLT_OK;
}

holt_status text_check(const char *text, size_t size, const char *name)
{
    size_t bad = utf8_find_unprintable(slice_of(text, size));
    if (bad == size) return HOLT_OK;
    return status_set(HOLT_INVALID, "%s must be UTF-8 without control characters; byte %zu is not", name,
                      bad);
}

holt_status label_check(const char *label, const char *name)
{
    if (!label) return HOLT_OK;
    size_t size = strnlen(label, LABEL_BYTES_MAX + 1);
    if (size > LABEL_BYTES_MAX)
        return status_set(HOLT_INVALID, "%s has more than %d bytes", name, LABEL_BYTES_MAX);
    return text_check(label, size, name);
}

OUT_OF_LINE void call_epilogue(holt *db, holt_status rc)
{
    slow_call_end(db, rc);
    os_run_pending(db->os);
}

holt_status api_exit(holt *db, holt_status rc)
{
    assert((os_lock_ranks_assert_none(), true));
    if (db->set.calls_have_epilogue) call_epilogue(db, rc);
    if (event_log_has_lines(db->events)) event_log_hand_out(db->events);
    status_check_call(rc);
    return rc;
}
