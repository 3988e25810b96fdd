/* make_table.c -- a database with a table "users", for tests of the command: make_table DIR lsm|btree */
#include <stdio.h>
#include <string.h>

#include <holt/table.h>

enum { ROWS = 100 };

static holt_status index_on(holt_table *t, const char *name, const char *column, uint32_t flags)
{
    holt_index_part part = {.column = column};
    holt_index_options o = {.name = name, .parts = &part, .part_count = 1, .flags = flags};
    return holt_table_create_index(t, &o, NULL, NULL);
}

static holt_status fill(holt_table *t)
{
    holt_status rc = HOLT_OK;
    for (int i = 0; i < ROWS && rc == HOLT_OK; i++) {
        char email[16];
        snprintf(email, sizeof email, "u%d@x", i);
        holt_datum row[] = {holt_integer(i), holt_text(email), holt_integer(i % 10)};
        rc = holt_table_insert(t, NULL, row, 3, 0, NULL);
    }
    return rc;
}

static holt_status make(holt *db, uint32_t kind)
{
    holt_column columns[] = {{.name = "id", .type = HOLT_INTEGER},
                             {.name = "email", .type = HOLT_TEXT, .flags = HOLT_COLUMN_NOT_NULL},
                             {.name = "age", .type = HOLT_INTEGER}};
    holt_key_part key = {.column = "id"};
    holt_table_options o = {.columns = columns, .column_count = 3, .key = &key, .key_count = 1, .kind = kind};
    holt_table *t;
    holt_status rc = holt_table_create(db, "users", &o, &t);
    if (rc == HOLT_OK) rc = index_on(t, "users_email", "email", HOLT_INDEX_UNIQUE);
    if (rc == HOLT_OK) rc = index_on(t, "users_age", "age", 0);
    if (rc == HOLT_OK) rc = fill(t);
    holt_table_close(t);
    return rc;
}

int main(int argc, char **argv)
{
    holt *db;
    if (argc != 3) return 2;
    holt_status rc = holt_open(argv[1], NULL, &db);
    if (rc == HOLT_OK) {
        rc = make(db, strcmp(argv[2], "lsm") == 0 ? HOLT_LSM : HOLT_BTREE);
        holt_status closed = holt_close(db);
        if (rc == HOLT_OK) rc = closed;
    }
    if (rc != HOLT_OK) fprintf(stderr, "make_table: %s\n", holt_error_message());
    return rc == HOLT_OK ? 0 : 1;
}
