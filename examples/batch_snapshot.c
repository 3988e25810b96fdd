/* batch_snapshot.c -- an atomic batch, a snapshot and a prefix scan.
 *
 * A batch moves an amount from one account to another: both puts happen, or neither. A snapshot taken before
 * it still sees the old balances, and a cursor with a prefix visits only the accounts.
 *
 *     cc batch_snapshot.c $(pkg-config --cflags --libs holt) -o batch_snapshot
 *     ./batch_snapshot data
 */
#include <holt.h>
#include <stdio.h>

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, holt_error_message());
    return 1;
}

/* Commits two balances together. The pattern of every transaction: begin, work, commit, then always a
 * rollback, which releases the handle. */
static holt_status set_balances(holt *db, holt_collection *c, const char *anna, const char *bert)
{
    holt_txn_options batch = {.flags = HOLT_TXN_BLIND};
    holt_txn *t = NULL;
    holt_status rc = holt_begin(db, &batch, &t);
    if (rc == HOLT_OK) rc = holt_put(c, t, holt_str("account/anna"), holt_str(anna));
    if (rc == HOLT_OK) rc = holt_put(c, t, holt_str("account/bert"), holt_str(bert));
    if (rc == HOLT_OK) rc = holt_commit(t);
    holt_rollback(t);
    return rc;
}

/* Prints the accounts as the transaction t sees them, or their current state if t is NULL. */
static holt_status print_accounts(holt_collection *c, holt_txn *t, const char *when)
{
    holt_cursor_options accounts = {.prefix = holt_str("account/")};
    holt_cursor *cursor = NULL;
    holt_status rc = holt_cursor_open(c, t, &accounts, &cursor);
    if (rc != HOLT_OK) return rc;
    while (holt_cursor_next(cursor)) {
        holt_slice key = holt_cursor_key(cursor), value = holt_cursor_value(cursor);
        printf("%s %.*s = %.*s\n", when, (int)key.size, (const char *)key.data, (int)value.size,
               (const char *)value.data);
    }
    return holt_cursor_close(cursor);
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "data";
    holt_txn_options read_only = {.flags = HOLT_TXN_READ_ONLY};
    holt *db = NULL;
    holt_collection *c = NULL;
    holt_txn *snapshot = NULL;

    if (holt_open(path, NULL, &db) != HOLT_OK) return fail("open");
    if (holt_collection_open(db, "default", &c) != HOLT_OK) return fail("open");
    if (holt_put(c, NULL, holt_str("bank"), holt_str("open")) != HOLT_OK) return fail("put");
    if (set_balances(db, c, "100", "0") != HOLT_OK) return fail("batch");

    if (holt_begin(db, &read_only, &snapshot) != HOLT_OK) return fail("snapshot");
    if (set_balances(db, c, "70", "30") != HOLT_OK) return fail("batch");
    if (print_accounts(c, snapshot, "before:") != HOLT_OK) return fail("scan");
    if (print_accounts(c, NULL, "now:") != HOLT_OK) return fail("scan");
    holt_rollback(snapshot);

    if (holt_close(db) != HOLT_OK) return fail("close");
    return 0;
}
