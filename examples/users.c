/* users.c -- a table with an index: rows by key, by e-mail address and in order, and a transaction over them.
 *
 *     cc users.c $(pkg-config --cflags --libs holt) -o users
 *     ./users data
 */
#include <holt/table.h>
#include <stdio.h>

enum { ID, NAME, EMAIL, COLUMNS };

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, holt_error_message());
    return 1;
}

/* Opens the table; creates it, with its index, if it is not there. */
static holt_status open_users(holt *db, holt_table **users)
{
    static const holt_column columns[COLUMNS] = {
        [ID] = {.name = "id", .type = HOLT_INTEGER},
        [NAME] = {.name = "name", .type = HOLT_TEXT},
        [EMAIL] = {.name = "email", .type = HOLT_TEXT, .flags = HOLT_COLUMN_NOT_NULL},
    };
    static const holt_key_part key = {.column = "id"};
    static const holt_index_part part = {.column = "email"};
    holt_table_options table = {.columns = columns, .column_count = COLUMNS, .key = &key, .key_count = 1};
    holt_index_options index = {
        .name = "users_email", .parts = &part, .part_count = 1, .flags = HOLT_INDEX_UNIQUE};
    holt_status rc = holt_table_open(db, "users", users);
    if (rc != HOLT_NOT_FOUND) return rc;
    rc = holt_table_create(db, "users", &table, users);
    return rc == HOLT_OK ? holt_table_create_index(*users, &index, NULL, NULL) : rc;
}

/* Prints a text without its length, which is not terminated by a zero. */
static void print_text(const char *before, holt_datum d, const char *after)
{
    printf("%s%.*s%s", before, (int)d.as.bytes.size, (const char *)d.as.bytes.data, after);
}

static int print_by_email(holt_table *users, const char *email)
{
    holt_row row = HOLT_ROW_INIT;
    holt_datum value = holt_text(email);
    uint32_t index;
    if (holt_table_find_index(users, "users_email", &index) != HOLT_OK) return fail("find index");
    holt_status rc = holt_table_get_by(users, NULL, index, &value, 1, &row);
    if (rc == HOLT_OK) print_text("found ", row.columns[NAME], "\n");
    if (rc == HOLT_NOT_FOUND) printf("nobody has %s\n", email);
    holt_row_free(&row);
    return rc == HOLT_OK || rc == HOLT_NOT_FOUND ? 0 : fail("get");
}

/* The users with an id of 2 or more, the last one first. */
static int print_range(holt_table *users)
{
    holt_scan *scan;
    holt_datum from = holt_integer(2);
    holt_scan_options o = {.flags = HOLT_SCAN_REVERSE, .lower = &from, .lower_count = 1};
    if (holt_scan_open(users, NULL, &o, &scan) != HOLT_OK) return fail("scan");
    while (holt_scan_next(scan)) {
        printf("%lld", (long long)holt_scan_column(scan, ID).as.integer);
        print_text(" ", holt_scan_column(scan, NAME), "");
        print_text(" <", holt_scan_column(scan, EMAIL), ">\n");
    }
    return holt_scan_close(scan) == HOLT_OK ? 0 : fail("scan");
}

/* Three rows in one transaction. One of them does not fit and changes nothing; the others are committed. */
static int add_users(holt *db, holt_table *users)
{
    holt_datum rows[][COLUMNS] = {
        {holt_integer(2), holt_text("Grace"), holt_text("grace@example.org")},
        {holt_integer(3), holt_text("Impostor"), holt_text("ada@example.org")},
        {holt_integer(4), holt_text("Edsger"), holt_text("edsger@example.org")},
    };
    holt_txn *txn;
    if (holt_begin(db, NULL, &txn) != HOLT_OK) return fail("begin");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        holt_status rc = holt_table_insert(users, txn, rows[i], COLUMNS, 0, NULL);
        if (rc == HOLT_EXISTS) printf("refused: %s\n", holt_error_message());
        if (rc != HOLT_OK && rc != HOLT_EXISTS) {
            holt_rollback(txn);
            return fail("insert");
        }
    }
    holt_status rc = holt_commit(txn);
    holt_rollback(txn);
    return rc == HOLT_OK ? 0 : fail("commit");
}

static int run(holt *db, holt_table *users)
{
    holt_datum ada[COLUMNS] = {holt_integer(1), holt_text("Ada"), holt_text("ada@example.org")};
    if (holt_table_clear(users) != HOLT_OK) return fail("clear");
    if (holt_table_insert(users, NULL, ada, COLUMNS, 0, NULL) != HOLT_OK) return fail("insert");
    if (add_users(db, users) != 0) return 1;
    if (print_by_email(users, "grace@example.org") != 0) return 1;
    if (print_by_email(users, "alan@example.org") != 0) return 1;
    return print_range(users);
}

int main(int argc, char **argv)
{
    holt *db;
    holt_table *users = NULL;
    if (holt_open(argc > 1 ? argv[1] : "data", NULL, &db) != HOLT_OK) return fail("open");
    int result = open_users(db, &users) == HOLT_OK ? run(db, users) : fail("users");
    holt_table_close(users);
    if (holt_close(db) != HOLT_OK) result = fail("close");
    return result;
}
