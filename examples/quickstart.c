/* quickstart.c -- opens a database, puts, gets and scans.
 *
 *     cc quickstart.c $(pkg-config --cflags --libs holt) -o quickstart
 *     ./quickstart data
 */
#include <holt.h>
#include <stdio.h>

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, holt_error_message());
    return 1;
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "data";
    holt *db = NULL;
    holt_collection *cities = NULL;
    holt_cursor *cursor = NULL;
    holt_value value = HOLT_VALUE_INIT;
    holt_collection_options create = {.flags = HOLT_CREATE_OR_OPEN};

    if (holt_open(path, NULL, &db) != HOLT_OK) return fail("open");
    if (holt_collection_create(db, "cities", &create, &cities) != HOLT_OK) return fail("create");

    /* Each put is a commit of its own: once it returns HOLT_OK, the record is on stable storage. */
    if (holt_put(cities, NULL, holt_str("Lisbon"), holt_str("Tagus")) != HOLT_OK) return fail("put");
    if (holt_put(cities, NULL, holt_str("Cairo"), holt_str("Nile")) != HOLT_OK) return fail("put");
    if (holt_put(cities, NULL, holt_str("Vienna"), holt_str("Danube")) != HOLT_OK) return fail("put");

    if (holt_get(cities, NULL, holt_str("Cairo"), &value) != HOLT_OK) return fail("get");
    printf("Cairo lies on the %.*s\n", (int)value.size, (const char *)value.data);
    holt_value_free(&value);

    /* All entries in key order, as they were when the cursor was opened. */
    if (holt_cursor_open(cities, NULL, NULL, &cursor) != HOLT_OK) return fail("cursor");
    while (holt_cursor_next(cursor)) {
        holt_slice key = holt_cursor_key(cursor), river = holt_cursor_value(cursor);
        printf("%.*s: %.*s\n", (int)key.size, (const char *)key.data, (int)river.size,
               (const char *)river.data);
    }
    if (holt_cursor_close(cursor) != HOLT_OK) return fail("scan");

    if (holt_close(db) != HOLT_OK) return fail("close");
    return 0;
}
