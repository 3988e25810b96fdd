/* expiry_fixture.h -- for tests of values that expire: the simulated clock, and a key as all calls see it. */
#ifndef HOLT_TESTS_EXPIRY_FIXTURE_H
#define HOLT_TESTS_EXPIRY_FIXTURE_H

#include "db/clock.h"
#include "db/db.h"
#include "os/sim/sim.h"
#include "support/kinds.h"

#include <stdio.h>
#include <stdlib.h>

enum { MINUTE_MS = 60000, HOUR_MS = 60 * MINUTE_MS };

static inline uint64_t now_ms(db_fixture *f)
{
    return db_time_ms(f->db);
}

/* Sets the wall clock to that time, forward or back. */
static inline void set_clock(db_fixture *f, uint64_t ms)
{
    sim_set_wall_clock(f->os, (int64_t)(ms - os_time_ms(f->os)));
}

static inline holt_status put_until(holt_collection *c, holt_txn *t, const char *key, const char *value,
                                    uint64_t ms)
{
    holt_put_options o = {.expires_at_ms = ms};
    return holt_put_with(c, t, holt_str(key), holt_str(value), &o);
}

/* The key has this value with this expiry, as all calls see it; value NULL: it has none. */
static inline void expect_until(holt_collection *c, holt_txn *t, const char *key, const char *value,
                                uint64_t ms)
{
    holt_value v = HOLT_VALUE_INIT;
    uint64_t expiry = 1;
    size_t size;
    char room[64];
    const holt_status want = value ? HOLT_OK : HOLT_NOT_FOUND;
    v.expires_at_ms = 77;
    expect_status(want, holt_get(c, t, holt_str(key), &v));
    assert_int_equal(v.expires_at_ms, ms);
    assert_int_equal(v.size, value ? strlen(value) : 0);
    if (value) assert_memory_equal(v.data, value, v.size);
    holt_value_free(&v);
    expect_status(want, holt_get_into(c, t, holt_str(key), room, sizeof room, &size));
    expect_status(want, holt_exists(c, t, holt_str(key)));
    expect_status(want, holt_expiry(c, t, holt_str(key), &expiry));
    assert_int_equal(expiry, ms);

    holt_cursor *cur = open_cursor(c, t);
    bool found = holt_cursor_seek(cur, holt_str(key)) && holt_cursor_key(cur).size == strlen(key) &&
                 memcmp(holt_cursor_key(cur).data, key, strlen(key)) == 0;
    assert_int_equal(found, value != NULL);
    if (value) assert_int_equal(holt_cursor_expires_at(cur), ms);
    expect_ok(holt_cursor_close(cur));
}

static inline void put_number(holt_collection *c, unsigned i, uint64_t expires)
{
    char key[16];
    snprintf(key, sizeof key, "%05u", i);
    expect_ok(put_until(c, NULL, key, key, expires));
}

static inline int number_at(const holt_cursor *cur)
{
    char key[16] = {0};
    holt_slice shown = holt_cursor_key(cur);
    assert_int_equal(shown.size, 5);
    memcpy(key, shown.data, shown.size);
    return atoi(key);
}

#define ON_SIM(test) cmocka_unit_test_setup_teardown(test, db_fixture_sim, db_fixture_teardown)

#endif
