/* time_series.c -- measurements of sensors in an LSM collection, each of which is forgotten after a time.
 *
 * A key is the sensor's name and the time, encoded so that the measurements of a sensor lie in the order of
 * their time. Each value expires; Holt frees its space by itself.
 *
 *     cc time_series.c $(pkg-config --cflags --libs holt) -o time_series
 *     ./time_series data
 */
#include <holt/table.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { DAY_S = 24 * 60 * 60, KEEP_S = 7 * DAY_S };

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, holt_error_message());
    return 1;
}

static holt_slice key_of(const char *sensor, int64_t seconds, uint8_t *room, size_t capacity)
{
    const holt_datum parts[] = {holt_text(sensor), holt_integer(seconds)};
    size_t size;
    if (holt_key_encode(parts, 2, 0, room, capacity, &size) != HOLT_OK) exit(fail("key"));
    return holt_bytes(room, size);
}

static holt_status put(holt_collection *c, const char *sensor, int64_t seconds, const char *degrees)
{
    uint8_t room[64];
    holt_put_options o = {.expires_at_ms = (uint64_t)(seconds + KEEP_S) * 1000};
    return holt_put_with(c, NULL, key_of(sensor, seconds, room, sizeof room), holt_str(degrees), &o);
}

/* The measurements of a sensor since a time, the newest first. */
static holt_status print_since(holt_collection *c, const char *sensor, int64_t seconds, int64_t now)
{
    uint8_t lower[64], upper[64], room[64];
    holt_cursor *cursor;
    holt_cursor_options o = {.lower = key_of(sensor, seconds, lower, sizeof lower),
                             .upper = key_of(sensor, now + 1, upper, sizeof upper)};
    holt_status rc = holt_cursor_open(c, NULL, &o, &cursor);
    if (rc != HOLT_OK) return rc;
    while (holt_cursor_prev(cursor)) {
        holt_datum parts[2];
        size_t n = 2;
        holt_slice degrees = holt_cursor_value(cursor);
        rc = holt_key_decode(holt_cursor_key(cursor), 0, parts, &n, room, sizeof room);
        if (rc != HOLT_OK) break;
        printf("%d days ago: %.*s\n", (int)((now - parts[1].as.integer) / DAY_S), (int)degrees.size,
               (const char *)degrees.data);
    }
    holt_status closed = holt_cursor_close(cursor);
    return rc == HOLT_OK ? closed : rc;
}

int main(int argc, char **argv)
{
    holt *db;
    holt_collection *c;
    holt_collection_options o = {.kind = HOLT_LSM, .flags = HOLT_CREATE_OR_OPEN}; /* more writes than reads */
    const int64_t now = (int64_t)time(NULL);
    if (holt_open(argc > 1 ? argv[1] : "data", NULL, &db) != HOLT_OK) return fail("open");
    if (holt_collection_create(db, "temperatures", &o, &c) != HOLT_OK) return fail("create");
    if (holt_collection_clear(c) != HOLT_OK) return fail("clear"); /* of the last time this was run */
    if (put(c, "attic", now - 8 * DAY_S, "18.5") != HOLT_OK) return fail("put"); /* already forgotten */
    if (put(c, "attic", now - 3 * DAY_S, "19.0") != HOLT_OK) return fail("put");
    if (put(c, "attic", now, "21.5") != HOLT_OK) return fail("put");
    if (put(c, "cellar", now, "9.0") != HOLT_OK) return fail("put");
    if (print_since(c, "attic", now - 30 * DAY_S, now) != HOLT_OK) return fail("scan");
    if (holt_close(db) != HOLT_OK) return fail("close");
    return 0;
}
