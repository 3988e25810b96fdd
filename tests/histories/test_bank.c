/* test_bank.c -- money moves between accounts and its sum stays the same.
 *
 * The accounts are in two collections, one of each kind; an account without money has no key. Clerks transfer
 * between two accounts in a transaction, auditors add everything up in one. Each of them must find the same
 * sum, also in a transaction that fails later, and also after the process was killed.
 *
 * HOLT_BANK_SECONDS makes the run longer and HOLT_KILLS sets the number of kills (make nightly); HOLT_SEED.
 */
#include "base/random.h"
#include "support/child.h"
#include "support/db_fixture.h"
#include "support/histories/history.h"
#include "support/seed.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLERKS = 6, AUDITORS = 2, THREADS = CLERKS + AUDITORS, ACCOUNTS = 30, DEPOSIT = 50, KILLS = 8 };
enum { TOTAL = ACCOUNTS * DEPOSIT, KEY_BYTES = 32 };

/* What threads report, in memory that is shared with a parent. */
typedef struct report {
    /* Transfers of each clerk that were acknowledged. Stored with release after the acknowledgement. */
    _Atomic uint64_t acknowledged[CLERKS];
    _Atomic uint64_t conflicts, audits, failed_audits; /* relaxed: counts alone */
    atomic_bool stop;                                  /* relaxed: a hint */
    verdict verdict;
} report;

typedef struct bank {
    report *report;
    holt *db;
    holt_collection *collections[2];
    uint64_t seed;
} bank;

typedef struct worker {
    bank *bank;
    unsigned number;
    rng rng;
} worker;

/* ---------------------------------------------------------------- accounts */

static holt_collection *collection_of(const bank *b, unsigned account)
{
    return b->collections[account % 2];
}

static holt_slice account_key(unsigned account, char buffer[KEY_BYTES])
{
    snprintf(buffer, KEY_BYTES, "account/%04u", account);
    return holt_str(buffer);
}

static holt_slice receipt_key(unsigned clerk, char buffer[KEY_BYTES])
{
    snprintf(buffer, KEY_BYTES, "receipt/%02u", clerk);
    return holt_str(buffer);
}

static holt_status read_number(holt_collection *c, holt_txn *t, holt_slice key, int64_t *number)
{
    char digits[KEY_BYTES] = "";
    size_t size = 0;
    holt_status rc = holt_get_into(c, t, key, digits, sizeof digits - 1, &size);
    *number = rc == HOLT_OK ? strtoll(digits, NULL, 10) : 0;
    return rc == HOLT_NOT_FOUND ? HOLT_OK : rc;
}

/* 0 deletes the key. */
static holt_status write_number(holt_collection *c, holt_txn *t, holt_slice key, int64_t number)
{
    char digits[KEY_BYTES];
    if (number == 0) return holt_delete(c, t, key);
    snprintf(digits, sizeof digits, "%lld", (long long)number);
    return holt_put(c, t, key, holt_str(digits));
}

static holt_status add_to_account(const bank *b, holt_txn *t, unsigned account, int64_t amount)
{
    char key[KEY_BYTES];
    int64_t money = 0;
    holt_collection *c = collection_of(b, account);
    holt_status rc = read_number(c, t, account_key(account, key), &money);
    if (rc == HOLT_OK && money + amount < 0) return HOLT_NOT_FOUND; /* not enough */
    return rc == HOLT_OK ? write_number(c, t, holt_str(key), money + amount) : rc;
}

/* The money in one collection, by a scan. */
static holt_status add_up(const bank *b, holt_txn *t, unsigned which, bool backward, int64_t *sum)
{
    holt_cursor_options o = {.prefix = holt_str("account/")};
    holt_cursor *cursor = NULL;
    holt_status rc = holt_cursor_open(b->collections[which], t, &o, &cursor);
    if (rc != HOLT_OK) return rc;
    bool on = backward ? holt_cursor_last(cursor) : holt_cursor_first(cursor);
    while (on) {
        char digits[KEY_BYTES] = "";
        holt_slice v = holt_cursor_value(cursor);
        memcpy(digits, v.data, v.size < KEY_BYTES ? v.size : KEY_BYTES - 1);
        *sum += strtoll(digits, NULL, 10);
        on = backward ? holt_cursor_prev(cursor) : holt_cursor_next(cursor);
    }
    return holt_cursor_close(cursor);
}

static holt_status check_sum(worker *w, holt_txn *t, const char *where)
{
    bank *b = w->bank;
    int64_t sum = 0;
    bool backward = rng_chance(&w->rng, 2);
    holt_status rc = add_up(b, t, 0, backward, &sum);
    if (rc == HOLT_OK) rc = add_up(b, t, 1, !backward, &sum);
    if (rc == HOLT_OK && sum != TOTAL)
        verdict_fail(&b->report->verdict, "%s: %lld, expected %d; HOLT_SEED=%llu", where, (long long)sum,
                     TOTAL, (unsigned long long)b->seed);
    return rc;
}

/* ---------------------------------------------------------------- clerks */

/* What a savepoint takes back again. */
static holt_status err(worker *w, holt_txn *t)
{
    uint32_t id = 0;
    unsigned account = (unsigned)rng_below(&w->rng, ACCOUNTS);
    holt_status rc = holt_savepoint(t, &id);
    if (rc == HOLT_OK) rc = add_to_account(w->bank, t, account, 7);
    if (rc == HOLT_OK) rc = holt_rollback_to(t, id);
    return rc;
}

/* Transfer number n: from one account to another, with a receipt in both collections. */
static holt_status transfer(worker *w, holt_txn *t, uint64_t n)
{
    char key[KEY_BYTES];
    bank *b = w->bank;
    unsigned from = (unsigned)rng_below(&w->rng, ACCOUNTS);
    unsigned to = (from + 1 + (unsigned)rng_below(&w->rng, ACCOUNTS - 1)) % ACCOUNTS;
    int64_t amount = 1 + (int64_t)rng_below(&w->rng, DEPOSIT / 2);
    holt_status rc = rng_chance(&w->rng, 4) ? err(w, t) : HOLT_OK;
    if (rc == HOLT_OK) rc = add_to_account(b, t, from, -amount);
    if (rc == HOLT_OK) rc = add_to_account(b, t, to, amount);
    if (rc == HOLT_OK && rng_chance(&w->rng, 8)) rc = check_sum(w, t, "a clerk's sum after a transfer");
    for (int i = 0; i < 2 && rc == HOLT_OK; i++)
        rc = write_number(b->collections[i], t, receipt_key(w->number, key), (int64_t)n);
    return rc;
}

/* HOLT_NOT_FOUND: there was not enough money. */
static holt_status try_transfer(worker *w, uint64_t n)
{
    static const uint32_t durabilities[] = {HOLT_COMMIT, HOLT_PROCESS, HOLT_INTERVAL};
    holt_txn_options o = {.flags = rng_chance(&w->rng, 4) ? HOLT_TXN_SERIALIZABLE : 0,
                          .durability = durabilities[w->number % 3]};
    holt_txn *t = NULL;
    holt_status rc = holt_begin(w->bank->db, &o, &t);
    if (rc == HOLT_OK) rc = transfer(w, t, n);
    if (rc == HOLT_OK) rc = holt_commit(t);
    holt_rollback(t);
    return rc;
}

static bool goes_on(const worker *w)
{
    report *r = w->bank->report;
    return !atomic_load_explicit(&r->stop, memory_order_relaxed) && !verdict_failed(&r->verdict);
}

static void *be_clerk(void *ctx)
{
    worker *w = (worker *)ctx;
    report *r = w->bank->report;
    uint64_t n = atomic_load_explicit(&r->acknowledged[w->number], memory_order_relaxed); /* its own */
    while (goes_on(w)) {
        holt_status rc = try_transfer(w, n + 1);
        if (rc == HOLT_OK)
            atomic_store_explicit(&r->acknowledged[w->number], ++n, memory_order_release);
        else if (rc == HOLT_CONFLICT)
            atomic_fetch_add_explicit(&r->conflicts, 1, memory_order_relaxed);
        else if (rc != HOLT_NOT_FOUND && rc != HOLT_BUSY)
            verdict_status(&r->verdict, rc, HOLT_OK, "a transfer");
    }
    return NULL;
}

/* ---------------------------------------------------------------- auditors */

/* Adds up in every kind of transaction that reads; some write as well, so that they may fail afterwards. */
static holt_status audit(worker *w)
{
    static const uint32_t flags[] = {HOLT_TXN_READ_ONLY, 0, HOLT_TXN_SERIALIZABLE};
    holt_txn_options o = {.flags = flags[rng_below(&w->rng, 3)], .durability = HOLT_PROCESS};
    holt_txn *t = NULL;
    holt_status rc = holt_begin(w->bank->db, &o, &t);
    if (rc == HOLT_OK) rc = check_sum(w, t, "an auditor's sum");
    if (rc == HOLT_OK && o.flags != HOLT_TXN_READ_ONLY && rng_chance(&w->rng, 2))
        rc = add_to_account(w->bank, t, (unsigned)rng_below(&w->rng, ACCOUNTS), 0);
    if (rc == HOLT_OK) rc = check_sum(w, t, "an auditor's second sum");
    if (rc == HOLT_OK) rc = holt_commit(t);
    holt_rollback(t);
    return rc;
}

static void *be_auditor(void *ctx)
{
    worker *w = (worker *)ctx;
    report *r = w->bank->report;
    while (goes_on(w)) {
        holt_status rc = audit(w);
        if (rc == HOLT_OK)
            atomic_fetch_add_explicit(&r->audits, 1, memory_order_relaxed);
        else if (rc == HOLT_CONFLICT || rc == HOLT_BUSY)
            atomic_fetch_add_explicit(&r->failed_audits, 1, memory_order_relaxed);
        else
            verdict_status(&r->verdict, rc, HOLT_OK, "an audit");
        if (rng_chance(&w->rng, 20) && holt_flush(w->bank->db) == HOLT_OK && rng_chance(&w->rng, 4))
            holt_compact(w->bank->collections[rng_below(&w->rng, 2)], holt_str(""), holt_bytes(NULL, 0));
    }
    return NULL;
}

/* ---------------------------------------------------------------- the bank */

static holt_status open_bank(bank *b, const char *path)
{
    holt_options o = {.memory_bytes = 8 << 20, .memtable_bytes = 64 << 10, .interval_ms = 5};
    holt_collection_options btree = {.kind = HOLT_BTREE, .flags = HOLT_CREATE_OR_OPEN};
    holt_status rc = holt_open(path, &o, &b->db);
    if (rc == HOLT_OK) rc = holt_collection_open(b->db, "default", &b->collections[0]);
    if (rc == HOLT_OK) rc = holt_collection_create(b->db, "btree", &btree, &b->collections[1]);
    return rc;
}

static void found_bank(bank *b)
{
    char key[KEY_BYTES];
    holt_txn *t = begin(b->db, HOLT_TXN_BLIND);
    for (unsigned i = 0; i < ACCOUNTS; i++)
        expect_ok(write_number(collection_of(b, i), t, account_key(i, key), DEPOSIT));
    expect_ok(holt_commit(t));
    holt_rollback(t);
}

static void work(bank *b, worker workers[THREADS], pthread_t threads[THREADS])
{
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (worker){.bank = b, .number = i};
        rng_seed(&workers[i].rng, b->seed * THREADS + i);
        if (pthread_create(&threads[i], NULL, i < CLERKS ? be_clerk : be_auditor, &workers[i]) != 0) abort();
    }
}

static void join(pthread_t threads[THREADS])
{
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* No money has gone, and each clerk's receipts are of its last transfer, whole, or of the one in flight. */
static void check_bank(bank *b)
{
    char key[KEY_BYTES];
    worker w = {.bank = b};
    rng_seed(&w.rng, b->seed);
    holt_txn *t = begin(b->db, HOLT_TXN_READ_ONLY);
    expect_ok(check_sum(&w, t, "the bank's sum"));
    verdict_assert(&b->report->verdict);
    for (unsigned i = 0; i < CLERKS; i++) {
        int64_t receipts[2];
        uint64_t n = atomic_load_explicit(&b->report->acknowledged[i], memory_order_acquire);
        for (int j = 0; j < 2; j++)
            expect_ok(read_number(b->collections[j], t, receipt_key(i, key), &receipts[j]));
        assert_int_equal(receipts[0], receipts[1]);
        assert_in_range(receipts[0], n, n + 1);
        atomic_store_explicit(&b->report->acknowledged[i], (uint64_t)receipts[0], memory_order_relaxed);
    }
    holt_rollback(t);
}

static report *report_create(void)
{
    report *r = (report *)mmap(NULL, sizeof *r, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t shared;
    assert_true(r != MAP_FAILED);
    pthread_mutexattr_init(&shared);
    pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&r->verdict.mutex, &shared);
    pthread_mutexattr_destroy(&shared);
    return r;
}

static void say_report(const report *r)
{
    uint64_t transfers = 0;
    for (unsigned i = 0; i < CLERKS; i++)
        transfers += atomic_load_explicit(&r->acknowledged[i], memory_order_relaxed);
    print_message("%llu transfers, %llu conflicts, %llu audits, %llu audits that failed\n",
                  (unsigned long long)transfers,
                  (unsigned long long)atomic_load_explicit(&r->conflicts, memory_order_relaxed),
                  (unsigned long long)atomic_load_explicit(&r->audits, memory_order_relaxed),
                  (unsigned long long)atomic_load_explicit(&r->failed_audits, memory_order_relaxed));
    assert_true(transfers > 0);
}

/* ---------------------------------------------------------------- the tests */

/* A transfer that is lost, seen in half, or based on what others have changed, alters the sum. */
static void the_sum_stays_the_same_under_eight_threads(void **state)
{
    enum { RUN_MS = 1500 };
    temp_dir dir;
    char path[TEMP_PATH_BYTES];
    worker workers[THREADS];
    pthread_t threads[THREADS];
    bank b = {.report = report_create(), .seed = fresh_seed()};
    temp_dir_create(&dir);
    expect_ok(open_bank(&b, temp_dir_join(dir.path, "db", path)));
    found_bank(&b);
    work(&b, workers, threads);
    usleep((useconds_t)(RUN_MS * 1000 + environment_number("HOLT_BANK_SECONDS", 0) * 1000000));
    atomic_store_explicit(&b.report->stop, true, memory_order_relaxed);
    join(threads);
    verdict_assert(&b.report->verdict);
    check_bank(&b);
    say_report(b.report);
    expect_ok(holt_close(b.db));
    munmap(b.report, sizeof *b.report);
    temp_dir_remove(&dir);
}

typedef struct victim {
    bank bank;
    const char *path;
} victim;

static bool work_until_killed(void *ctx)
{
    victim *v = (victim *)ctx;
    worker workers[THREADS];
    pthread_t threads[THREADS];
    if (!child_check(open_bank(&v->bank, v->path) == HOLT_OK)) return false;
    work(&v->bank, workers, threads);
    join(threads);
    return false; /* threads end only when they fail */
}

/* A commit that recovery brings back in part loses or makes money; one that it forgets has no receipts. */
static void the_sum_stays_the_same_across_kill_9(void **state)
{
    temp_dir dir;
    char path[TEMP_PATH_BYTES];
    victim v = {.bank = {.report = report_create(), .seed = fresh_seed()}};
    bank *b = &v.bank;
    rng r;
    rng_seed(&r, b->seed);
    temp_dir_create(&dir);
    v.path = temp_dir_join(dir.path, "db", path);
    expect_ok(open_bank(b, v.path));
    found_bank(b);
    expect_ok(holt_close(b->db));
    for (uint64_t i = environment_number("HOLT_KILLS", KILLS); i > 0; i--, b->seed++) {
        int status = 0;
        pid_t child = child_start(work_until_killed, &v);
        usleep((useconds_t)rng_below(&r, 250 * 1000));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        verdict_assert(&b->report->verdict);
        assert_true(WIFSIGNALED(status));
        expect_ok(open_bank(b, v.path));
        check_bank(b);
        expect_ok(holt_close(b->db));
    }
    say_report(b->report);
    munmap(b->report, sizeof *b->report);
    temp_dir_remove(&dir);
}

/* Two accounts may each be overdrawn, as long as they are not together. Two withdrawals that each look at
 * both and write to one do not conflict by their writes. */
typedef struct couple {
    bank *bank;
    uint64_t seed;
    _Atomic uint64_t spouses, withdrawals; /* relaxed: counts alone */
} couple;

static holt_status withdraw(couple *c, rng *r)
{
    holt_txn_options o = {.flags = HOLT_TXN_SERIALIZABLE, .durability = HOLT_PROCESS};
    holt_txn *t = NULL;
    bank *b = c->bank;
    unsigned from = (unsigned)rng_below(r, 2);
    int64_t money[2] = {0, 0}, amount = 1 + (int64_t)rng_below(r, 20);
    holt_slice keys[2] = {holt_str("hers"), holt_str("his")};
    holt_status rc = holt_begin(b->db, &o, &t);
    for (int i = 0; i < 2 && rc == HOLT_OK; i++)
        rc = read_number(b->collections[i], t, keys[i], &money[i]);
    int64_t sum = money[0] + money[1];
    if (rc == HOLT_OK && sum < 0) verdict_fail(&b->report->verdict, "overdrawn: %lld", (long long)sum);
    if (sum < amount) amount = -30; /* a deposit */
    if (rng_chance(r, 2)) sched_yield();
    if (rc == HOLT_OK) rc = write_number(b->collections[from], t, keys[from], money[from] - amount);
    if (rc == HOLT_OK) rc = holt_commit(t);
    holt_rollback(t);
    return rc;
}

static void *be_spouse(void *ctx)
{
    couple *c = (couple *)ctx;
    verdict *v = &c->bank->report->verdict;
    rng r;
    rng_seed(&r, c->seed + atomic_fetch_add_explicit(&c->spouses, 1, memory_order_relaxed));
    for (int i = 0; i < 1000 && !verdict_failed(v); i++) {
        holt_status rc = withdraw(c, &r);
        if (rc == HOLT_OK) atomic_fetch_add_explicit(&c->withdrawals, 1, memory_order_relaxed);
        if (rc != HOLT_CONFLICT && rc != HOLT_BUSY) verdict_status(v, rc, HOLT_OK, "withdraw");
    }
    return NULL;
}

static void serializable_withdrawals_do_not_overdraw_together(void **state)
{
    temp_dir dir;
    char path[TEMP_PATH_BYTES];
    pthread_t threads[THREADS];
    bank b = {.report = report_create()};
    couple c = {.bank = &b, .seed = fresh_seed()};
    temp_dir_create(&dir);
    expect_ok(open_bank(&b, temp_dir_join(dir.path, "db", path)));
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, be_spouse, &c), 0);
    join(threads);
    verdict_assert(&b.report->verdict);
    assert_true(atomic_load_explicit(&c.withdrawals, memory_order_relaxed) > 100);
    expect_ok(holt_close(b.db));
    munmap(b.report, sizeof *b.report);
    temp_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sum_stays_the_same_under_eight_threads),
        cmocka_unit_test(the_sum_stays_the_same_across_kill_9),
        cmocka_unit_test(serializable_withdrawals_do_not_overdraw_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
