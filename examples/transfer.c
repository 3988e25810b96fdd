/* transfer.c -- transactions: two threads move money between accounts, and none of it is lost.
 *
 * holt_transact runs a function in a transaction and repeats it when the two threads have met in a conflict.
 * The function reads both balances and writes both; it refuses to overdraw an account.
 *
 *     cc transfer.c $(pkg-config --cflags --libs holt) -pthread -o transfer
 *     ./transfer data
 */
#include <holt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct bank {
    holt *db;
    holt_collection *accounts;
    const char *from, *to; /* names of accounts */
    long amount;
} bank;

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, holt_error_message());
    return 1;
}

static holt_status get_balance(holt_collection *c, holt_txn *t, const char *name, long *balance)
{
    char digits[32];
    size_t size;
    holt_status rc = holt_get_into(c, t, holt_str(name), digits, sizeof digits - 1, &size);
    digits[size] = '\0';
    *balance = strtol(digits, NULL, 10);
    return rc;
}

static holt_status put_balance(holt_collection *c, holt_txn *t, const char *name, long balance)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%ld", balance);
    return holt_put(c, t, holt_str(name), holt_str(digits));
}

/* May be called several times for one transfer, each time in a new transaction. */
static holt_status transfer(holt_txn *t, void *ctx)
{
    const bank *b = ctx;
    long from = 0, to = 0;
    holt_status rc = get_balance(b->accounts, t, b->from, &from);
    if (rc == HOLT_OK) rc = get_balance(b->accounts, t, b->to, &to);
    if (rc != HOLT_OK || from < b->amount) return rc; /* nothing is written if there is not enough */
    rc = put_balance(b->accounts, t, b->from, from - b->amount);
    return rc == HOLT_OK ? put_balance(b->accounts, t, b->to, to + b->amount) : rc;
}

static void *make_transfers(void *arg)
{
    bank *b = arg;
    for (int i = 0; i < 200; i++)
        if (holt_transact(b->db, NULL, transfer, b) != HOLT_OK) exit(fail("transfer"));
    return NULL;
}

int main(int argc, char **argv)
{
    bank there = {.from = "anna", .to = "bert", .amount = 7},
         back = {.from = "bert", .to = "anna", .amount = 5};
    const char *path = argc > 1 ? argv[1] : "data";
    const holt_options fast = {.durability = HOLT_PROCESS};
    pthread_t thread;
    long anna = 0, bert = 0;

    if (holt_open(path, &fast, &there.db) != HOLT_OK) return fail("open");
    if (holt_collection_open(there.db, "default", &there.accounts) != HOLT_OK) return fail("open");
    if (put_balance(there.accounts, NULL, "anna", 100) != HOLT_OK) return fail("put");
    if (put_balance(there.accounts, NULL, "bert", 0) != HOLT_OK) return fail("put");
    back.db = there.db;
    back.accounts = there.accounts;

    if (pthread_create(&thread, NULL, make_transfers, &back) != 0) return fail("thread");
    make_transfers(&there);
    pthread_join(thread, NULL);

    if (get_balance(there.accounts, NULL, "anna", &anna) != HOLT_OK) return fail("get");
    if (get_balance(there.accounts, NULL, "bert", &bert) != HOLT_OK) return fail("get");
    printf("anna and bert have %ld together\n", anna + bert);
    return holt_close(there.db) == HOLT_OK ? 0 : fail("close");
}
