/* test_faults.c -- the n-th call of the machine, or the n-th allocation, fails: for every n of a short life.
 *
 * A fixed sequence of steps runs on sim with one fault armed. A call then succeeds with the right result, or
 * fails with one of the statuses that say what the machine refused, and a message that names a file where one
 * was involved. Then the fault is lifted and the database reopened: what was acknowledged is there, what
 * failed is whole or absent, and the database remains usable.
 *
 * HOLT_FAULT_RUNS sets about how many lives there are (make nightly: all n); HOLT_FAULT="kind n errno
 * onwards" replays one.
 */
#include "base/memory.h"
#include "db/open/open.h"
#include "os/sim/sim.h"
#include "support/expect.h"
#include "support/histories/compare.h"
#include "support/histories/history.h"
#include "support/must.h"

#include <errno.h>
#include <stdio.h>

enum { STEPS = 90, RUNS = 3000, KEYS = 31, VALUE_BYTES = 4000, ALLOCATION = SIM_CALLS + 1 };

/* What fails. */
typedef struct fault {
    int kind; /* a sim_call, or ALLOCATION */
    uint64_t n;
    int os_errno;
    bool onwards;
} fault;

/* Of the collections in all lives. */
static uint32_t life_kind = HOLT_LSM;

typedef struct life {
    fault fault;
    os *sim;
    model *model;
    moment acknowledged;
    holt *db;
    holt_collection *c, *other; /* other: NULL when it does not exist */
    size_t other_number;
    verdict *verdict;
    uint64_t failures; /* calls that were refused */
    bool stopped;      /* the outcome of a write is unknown until the database is reopened */
} life;

/* ---------------------------------------------------------------- results of calls */

static bool names_a_file(void)
{
    static const char *const files[] = {"wal-",  "run-", "MANIFEST", "CURRENT", "LOCK",
                                        "spare", "LOG",  "BALLAST",  "/db"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (strstr(holt_error_message(), files[i])) return true;
    return false;
}

/* A call that the fault may have hit: it returns HOLT_OK, or the right status and message. Returns whether it
 * was HOLT_OK. */
static bool succeeded(life *l, holt_status rc, const char *call)
{
    if (rc == HOLT_OK) return true;
    l->failures++;
    bool machine = rc == HOLT_IO || rc == HOLT_NO_SPACE || rc == HOLT_NO_MEMORY || rc == HOLT_BUSY;
    if (!machine) verdict_fail(l->verdict, "%s: %s (%s)", call, holt_status_name(rc), holt_error_message());
    if (l->fault.os_errno == EMFILE && rc == HOLT_IO)
        verdict_fail(l->verdict, "%s: an outcome is unknown for lack of a descriptor: %s", call,
                     holt_error_message());
    if (rc == HOLT_IO && !names_a_file())
        verdict_fail(l->verdict, "%s: the message names no file: %s", call, holt_error_message());
    return false;
}

/* The commit of the last write in the model has returned. */
static void committed(life *l, holt_status rc, const char *call)
{
    if (succeeded(l, rc, call))
        l->acknowledged = model_now(l->model);
    else if (rc == HOLT_IO)
        l->stopped = true;
    else
        model_undo(l->model);
}

/* ---------------------------------------------------------------- steps */

static slice key_of(uint64_t i, char buffer[16])
{
    snprintf(buffer, 16, "key%llu", (unsigned long long)(i * 7 % KEYS));
    return holt_str(buffer);
}

static slice value_of(uint64_t i)
{
    static char value[VALUE_BYTES];
    memset(value, (int)('a' + i % 26), sizeof value);
    return slice_of(value, (size_t)(i * 379 % VALUE_BYTES));
}

static void put_step(life *l, uint64_t i)
{
    char buffer[16];
    model_write w = {.key = key_of(i, buffer), .value = model_value_of(value_of(i))};
    model_commit(l->model, &w, 1);
    committed(l, holt_put(l->c, NULL, w.key, value_of(i)), "holt_put");
}

static void delete_step(life *l, uint64_t i)
{
    char buffer[16];
    model_write w = {.key = key_of(i, buffer)};
    model_commit(l->model, &w, 1);
    committed(l, holt_delete(l->c, NULL, w.key), "holt_delete");
}

static model_write range_of(uint64_t i, char first[16], char last[16])
{
    slice a = key_of(i, first), b = key_of(i + 3, last);
    bool ascend = slice_compare(a, b) < 0;
    return (model_write){.key = ascend ? a : b, .range = true, .end = ascend ? b : a};
}

static void delete_range_step(life *l, uint64_t i)
{
    char first[16], last[16];
    model_write w = range_of(i, first, last);
    model_commit(l->model, &w, 1);
    committed(l, holt_delete_range(l->c, NULL, w.key, w.end), "holt_delete_range");
}

/* A conditional write has to find out what the key has, which may fail as well. holds: as the model says. */
static void conditional_step(life *l, uint64_t i, uint32_t flags, bool holds, holt_status refusal)
{
    char buffer[16];
    holt_put_options o = {.flags = flags};
    model_write w = {.key = key_of(i, buffer), .value = model_value_of(value_of(i))};
    if (flags == HOLT_PUT_IF_VERSION) {
        holt_value v = HOLT_VALUE_INIT;
        holt_status rc = holt_get(l->c, NULL, w.key, &v);
        o.version = v.version + !holds;
        holt_value_free(&v);
        if (rc != HOLT_NOT_FOUND && !succeeded(l, rc, "get of a version")) return;
    }
    if (holds) model_commit(l->model, &w, 1);
    holt_status rc = holt_put_with(l->c, NULL, w.key, value_of(i), &o);
    if (holds)
        committed(l, rc, "conditional put");
    else if (rc == HOLT_OK)
        verdict_fail(l->verdict, "a put was made whose condition, %u, does not hold", flags);
    else if (rc != refusal)
        succeeded(l, rc, "conditional put");
}

static void put_if_step(life *l, uint64_t i)
{
    char buffer[16];
    bool present = model_get(l->model, 0, model_now(l->model), key_of(i, buffer)).present;
    if (i % 3 == 0)
        conditional_step(l, i, HOLT_PUT_IF_ABSENT, !present, HOLT_EXISTS);
    else if (i % 3 == 1)
        conditional_step(l, i, HOLT_PUT_IF_PRESENT, present, HOLT_NOT_FOUND);
    else
        conditional_step(l, i, HOLT_PUT_IF_VERSION, i % 2, HOLT_CONFLICT);
}

/* To a key that is only added to. Of its number the model knows the hash. */
static void add_step(life *l, uint64_t i)
{
    holt_slice key = holt_str("counter");
    model_value now = model_get(l->model, 0, model_now(l->model), key);
    char digits[24];
    int64_t sum = 0, n = -1;
    if (!now.present) n = 0;
    for (int64_t j = 1; n < 0 && j <= (int64_t)(STEPS * STEPS); j++) {
        snprintf(digits, sizeof digits, "%lld", (long long)j);
        if (model_value_is(now, holt_str(digits))) n = j;
    }
    n += 1 + (int64_t)(i % 5);
    snprintf(digits, sizeof digits, "%lld", (long long)n);
    model_write w = {.key = key, .value = model_value_of(holt_str(digits))};
    model_commit(l->model, &w, 1);
    holt_status rc = holt_add(l->c, NULL, key, 1 + (int64_t)(i % 5), &sum);
    if (rc == HOLT_OK && sum != n) verdict_fail(l->verdict, "an add gives %lld", (long long)sum);
    committed(l, rc, "holt_add");
}

static holt_status fill_batch(life *l, holt_txn *t, uint64_t i, model_write writes[6], char keys[6][16])
{
    static char last[16];
    writes[0] = range_of(i, keys[0], last);
    holt_status rc = holt_delete_range(l->c, t, writes[0].key, writes[0].end);
    for (uint64_t j = 1; j < 6 && rc == HOLT_OK; j++) {
        bool other = l->other && j % 2;
        writes[j] = (model_write){.collection = other ? l->other_number : 0,
                                  .key = key_of(i + j, keys[j]),
                                  .value = model_value_of(value_of(i + j))};
        rc = holt_put(other ? l->other : l->c, t, writes[j].key, value_of(i + j));
    }
    return rc;
}

static void batch_step(life *l, uint64_t i)
{
    holt_txn_options o = {.flags = HOLT_TXN_BLIND};
    model_write writes[6];
    char keys[6][16];
    holt_txn *t = NULL;
    if (!succeeded(l, holt_begin(l->db, &o, &t), "holt_begin")) return;
    if (succeeded(l, fill_batch(l, t, i, writes, keys), "put into a batch")) {
        model_commit(l->model, writes, 6);
        committed(l, holt_commit(t), "holt_commit");
    }
    holt_rollback(t);
}

/* The transaction sees what it wrote, and what a savepoint undid is gone. */
static holt_status use_transaction(life *l, holt_txn *t, uint64_t i, const model_write writes[6])
{
    uint32_t id = 0;
    char buffer[16];
    holt_value v = HOLT_VALUE_INIT;
    holt_status rc = holt_savepoint(t, &id);
    if (rc == HOLT_OK) rc = holt_delete(l->c, t, writes[2].key);
    if (rc == HOLT_OK) rc = holt_put(l->c, t, key_of(i + 9, buffer), holt_str("an error"));
    if (id) {
        holt_status back = holt_rollback_to(t, id);
        if (rc == HOLT_OK) rc = back;
    }
    if (rc == HOLT_OK) rc = holt_get(l->c, t, writes[2].key, &v);
    if (rc == HOLT_NOT_FOUND || (rc == HOLT_OK && !model_value_is(writes[2].value, slice_of(v.data, v.size))))
        verdict_fail(l->verdict, "a transaction does not see what it wrote");
    holt_value_free(&v);
    return rc;
}

static holt_status scan_transaction(life *l, holt_txn *t)
{
    holt_cursor *c = NULL;
    size_t forward = 0, backward = 0;
    holt_status rc = holt_cursor_open(l->c, t, NULL, &c);
    if (rc != HOLT_OK) return rc;
    while (holt_cursor_next(c))
        forward++;
    rc = holt_cursor_status(c);
    while (rc == HOLT_OK && holt_cursor_prev(c))
        backward++;
    holt_status closed = holt_cursor_close(c);
    if (rc == HOLT_OK && closed == HOLT_OK && forward != backward)
        verdict_fail(l->verdict, "a scan in a transaction shows %zu entries, and back %zu", forward,
                     backward);
    return rc == HOLT_OK ? closed : rc;
}

static void transaction_step(life *l, uint64_t i)
{
    holt_txn_options o = {.flags = i % 8 < 4 ? HOLT_TXN_SERIALIZABLE : 0};
    model_write writes[6];
    char keys[6][16];
    holt_txn *t = NULL;
    if (!succeeded(l, holt_begin(l->db, &o, &t), "holt_begin")) return;
    holt_status rc = fill_batch(l, t, i, writes, keys);
    if (rc == HOLT_OK) rc = use_transaction(l, t, i, writes);
    if (rc == HOLT_OK) rc = scan_transaction(l, t);
    if (succeeded(l, rc, "use of a transaction")) {
        model_commit(l->model, writes, 6);
        committed(l, holt_commit(t), "holt_commit");
    }
    holt_rollback(t);
}

static void get_step(life *l, uint64_t i)
{
    char buffer[16];
    holt_value v = HOLT_VALUE_INIT;
    slice key = key_of(i, buffer);
    model_value expected = model_get(l->model, 0, model_now(l->model), key);
    holt_status rc = holt_get(l->c, NULL, key, &v);
    if (rc == HOLT_OK && !model_value_is(expected, slice_of(v.data, v.size)))
        verdict_fail(l->verdict, "get of %s: a wrong value", buffer);
    if (rc == HOLT_NOT_FOUND && expected.present) verdict_fail(l->verdict, "get of %s: not found", buffer);
    if (rc != HOLT_NOT_FOUND) succeeded(l, rc, "holt_get");
    holt_value_free(&v);
}

/* A scan shows every entry, or ends with an error. */
static void scan_step(life *l, bool forward)
{
    holt_cursor *c = NULL;
    size_t keys = model_keys(l->model, 0), seen = 0, expected = 0;
    for (size_t i = 0; i < keys; i++)
        expected += model_entry_at(l->model, 0, model_now(l->model), i).value.present;
    if (!succeeded(l, holt_cursor_open(l->c, NULL, NULL, &c), "holt_cursor_open")) return;
    while (forward ? holt_cursor_next(c) : holt_cursor_prev(c)) {
        model_value v = model_get(l->model, 0, model_now(l->model), holt_cursor_key(c));
        if (!model_value_is(v, holt_cursor_value(c))) verdict_fail(l->verdict, "a scan shows a wrong entry");
        seen++;
    }
    if (succeeded(l, holt_cursor_close(c), "scan") && seen != expected)
        verdict_fail(l->verdict, "a scan without an error shows %zu of %zu entries", seen, expected);
}

static void create_or_drop_step(life *l)
{
    if (!l->other) {
        l->other_number = model_collections(l->model);
        model_collection_create(l->model, "other", life_kind);
        holt_status created = holt_collection_create(l->db, "other", NULL, &l->other);
        committed(l, created, "holt_collection_create");
        if (created != HOLT_OK && l->other) verdict_fail(l->verdict, "a failed create gives a handle");
        return;
    }
    model_collection_drop(l->model, l->other_number);
    holt_status rc = holt_collection_drop(l->db, "other");
    committed(l, rc, "holt_collection_drop");
    if (rc != HOLT_OK) return;
    holt_collection_close(l->other);
    l->other = NULL;
}

static void clear_step(life *l)
{
    model_clear(l->model, 0);
    committed(l, holt_collection_clear(l->c), "holt_collection_clear");
}

static void other_step(life *l, uint64_t i)
{
    const slice open = {NULL, 0};
    switch (i % 4) {
    case 0:
        succeeded(l, holt_flush(l->db), "holt_flush");
        break;
    case 1:
        succeeded(l, holt_sync(l->db), "holt_sync");
        break;
    case 2:
        succeeded(l, holt_compact(l->c, open, open), "holt_compact");
        break;
    default:
        create_or_drop_step(l);
        break;
    }
}

static void step(life *l, uint64_t i)
{
    uint64_t kind = i % 12;
    if (i == STEPS / 2)
        clear_step(l);
    else if (kind < 3)
        put_step(l, i);
    else if (kind == 3)
        transaction_step(l, i);
    else if (kind == 4 && i / 12 % 2)
        delete_range_step(l, i);
    else if (kind == 4)
        delete_step(l, i);
    else if (kind == 5)
        batch_step(l, i);
    else if (kind == 6)
        get_step(l, i);
    else if (kind == 7)
        scan_step(l, i % 2 == 0);
    else if (kind == 8)
        put_if_step(l, i);
    else if (kind == 9)
        add_step(l, i);
    else
        other_step(l, i / 2);
}

/* ---------------------------------------------------------------- a life */

static holt_status open_database(life *l)
{
    holt_options o = {.memory_bytes = 8 << 20, .memtable_bytes = 64 << 10, .default_kind = life_kind};
    holt_status rc = holt_open_on(l->sim, "/db", &o, &l->db);
    l->other = NULL;
    return rc == HOLT_OK ? holt_collection_open(l->db, "default", &l->c) : rc;
}

static holt_status open_other(life *l)
{
    if (!model_find(l->model, "other", model_now(l->model), &l->other_number)) return HOLT_OK;
    return holt_collection_open(l->db, "other", &l->other);
}

static void close_database(life *l)
{
    holt_status rc = holt_close(l->db);
    l->db = NULL;
    succeeded(l, rc, "holt_close");
    if (rc == HOLT_BUSY) verdict_fail(l->verdict, "something has been left open");
}

static void arm(life *l)
{
    if (l->fault.kind == ALLOCATION)
        mem_fail_at(l->fault.n, l->fault.onwards);
    else
        sim_fail(l->sim, (sim_call)l->fault.kind, l->fault.n, l->fault.os_errno, l->fault.onwards);
}

static void lift(life *l)
{
    mem_fail_at(0, false);
    sim_fail(l->sim, SIM_CALLS, 0, 0, false);
}

/* With a reopen in the middle, so that the fault can hit recovery as well. */
static void live(life *l)
{
    if (!succeeded(l, open_database(l), "holt_open")) return;
    for (uint64_t i = 0; i < STEPS && !l->stopped && !verdict_failed(l->verdict); i++) {
        step(l, i);
        if (i != STEPS * 2 / 3 || l->stopped) continue;
        close_database(l);
        if (!succeeded(l, open_database(l), "holt_open")) return;
        if (!succeeded(l, open_other(l), "open of the other collection")) return;
    }
}

static bool shows(life *l, moment at)
{
    uint64_t fingerprint;
    if (!database_fingerprint(l->db, &fingerprint, l->verdict)) return false;
    return fingerprint == model_fingerprint(l->model, at);
}

/* Without the fault the database shows one of the moments that it may, and works. */
static void check_afterwards(life *l)
{
    if (!verdict_status(l->verdict, open_database(l), HOLT_OK, "open without the fault")) return;
    moment at = model_now(l->model);
    while (at > l->acknowledged && !shows(l, at))
        at--;
    if (!compare_database(l->db, l->model, at, l->verdict))
        verdict_add(l->verdict, " (acknowledged up to %llu, tried up to %llu)",
                    (unsigned long long)l->acknowledged, (unsigned long long)model_now(l->model));
    holt_status rc = holt_put(l->c, NULL, holt_str("after"), holt_str("wards"));
    verdict_status(l->verdict, rc, HOLT_OK, "put without the fault");
    verdict_status(l->verdict, holt_flush(l->db), HOLT_OK, "flush without the fault");
    verdict_status(l->verdict, holt_close(l->db), HOLT_OK, "close without the fault");
}

/* As soon as there are descriptors again, the same handle works, without a reopen. */
static void check_resumed(life *l)
{
    holt_status rc = holt_put(l->c, NULL, holt_str("resumed"), holt_str("again"));
    model_write w = {.key = holt_str("resumed"), .value = model_value_of(holt_str("again"))};
    model_commit(l->model, &w, 1);
    l->acknowledged = model_now(l->model);
    verdict_status(l->verdict, rc, HOLT_OK, "put with descriptors again");
    verdict_status(l->verdict, holt_flush(l->db), HOLT_OK, "flush with descriptors again");
    verdict_status(l->verdict, holt_health(l->db), HOLT_OK, "health with descriptors again");
}

/* Runs the life once with a fault. Returns how many calls of its kind (or allocations) the life makes. */
static uint64_t live_with(fault f, verdict *v, uint64_t *failures)
{
    sim_options machine = {.seed = 7};
    life l = {.fault = f, .sim = sim_create(&machine), .model = model_create(life_kind), .verdict = v};
    uint64_t allocations = mem_allocations();
    arm(&l);
    live(&l);
    if (l.db && f.os_errno == EMFILE && f.n % 2) { /* otherwise it is closed as it is */
        lift(&l);
        check_resumed(&l);
    }
    if (l.db) close_database(&l);
    uint64_t calls =
        f.kind == ALLOCATION ? mem_allocations() - allocations : sim_calls(l.sim, (sim_call)f.kind);
    lift(&l);
    if (!verdict_failed(v)) check_afterwards(&l);
    model_destroy(l.model);
    if (!verdict_failed(v)) sim_destroy(l.sim);
    *failures = l.failures;
    return calls;
}

/* ---------------------------------------------------------------- every n */

static void try_fault(fault f, bool must_be_hidden)
{
    verdict v = VERDICT_INIT;
    uint64_t failures = 0;
    live_with(f, &v, &failures);
    if (must_be_hidden && failures && !verdict_failed(&v))
        verdict_fail(&v, "a call failed that should have been tried again: %s", holt_error_message());
    verdict_add(&v, "\nreplay with HOLT_FAULT=\"%d %llu %d %d\"", f.kind, (unsigned long long)f.n, f.os_errno,
                f.onwards);
    verdict_assert(&v);
}

/* A fault that is never reached counts the calls that could fail. */
static uint64_t count_calls(int kind)
{
    verdict v = VERDICT_INIT;
    uint64_t failures = 0;
    fault none = {kind, 0, 0, false};
    uint64_t calls = live_with(none, &v, &failures);
    verdict_assert(&v);
    assert_int_equal(failures, 0);
    return calls;
}

/* HOLT_FAULT names the only one to try. */
static bool only(fault *f)
{
    const char *text = getenv("HOLT_FAULT");
    unsigned long long n;
    int onwards;
    if (!text || sscanf(text, "%d %llu %d %d", &f->kind, &n, &f->os_errno, &onwards) != 4) return false;
    f->n = n;
    f->onwards = onwards != 0;
    return true;
}

/* Spreads `runs` faults of a kind over all its calls. */
static void try_all(int kind, int os_errno, bool onwards, bool must_be_hidden, uint64_t runs)
{
    /* This life also makes the allocations that a thread makes only once, so that n counts the same in all
     * later ones. */
    uint64_t calls = count_calls(kind), stride = 1 + calls / runs;
    fault wanted;
    if (only(&wanted)) {
        bool same = wanted.kind == kind && wanted.os_errno == os_errno && wanted.onwards == onwards;
        if (same) try_fault(wanted, must_be_hidden);
        return;
    }
    for (uint64_t n = 1 + (uint64_t)os_errno % stride; n <= calls; n += stride) {
        fault f = {kind, n, os_errno, onwards};
        try_fault(f, must_be_hidden);
    }
}

static uint64_t runs_of(uint64_t shares)
{
    return environment_number("HOLT_FAULT_RUNS", RUNS) / shares;
}

/* The machine fails once, or from then on, in any of its calls. */
static void a_failing_call_is_reported_and_loses_nothing(void **state)
{
    for (int kind = SIM_READ; kind < SIM_STORE; kind++)
        for (int onwards = 0; onwards < 2; onwards++)
            try_all(kind, EIO, onwards, false, 1 + runs_of(48));
}

/* A full disk loses nothing: nothing half-written stays, and with space again everything works. */
static void a_full_disk_is_reported_and_loses_nothing(void **state)
{
    static const sim_call kinds[] = {SIM_WRITE, SIM_ALLOCATE, SIM_OPEN};
    for (size_t i = 0; i < 3; i++)
        for (int onwards = 0; onwards < 2; onwards++)
            try_all(kinds[i], ENOSPC, onwards, false, 1 + runs_of(24));
}

/* No descriptor is left, for one open or for all from then on: every call is refused with no effect, or done
 * in another way, and none damages the database. */
static void missing_descriptors_are_reported_and_lose_nothing(void **state)
{
    for (life_kind = HOLT_LSM; life_kind <= HOLT_BTREE; life_kind++)
        for (int onwards = 0; onwards < 2; onwards++)
            try_all(SIM_OPEN, EMFILE, onwards, false, 1 + runs_of(6));
    life_kind = HOLT_LSM;
    try_all(SIM_OPEN, ENFILE, true, false, 1 + runs_of(24));
}

/* Interruptions and short transfers are handled in the os layer; no other layer sees them. */
static void interruptions_and_short_transfers_are_invisible(void **state)
{
    try_all(SIM_READ, SIM_SHORT, false, true, 1 + runs_of(48));
    try_all(SIM_WRITE, SIM_SHORT, false, true, 1 + runs_of(48));
    try_all(SIM_READ, EINTR, false, true, 1 + runs_of(48));
    try_all(SIM_WRITE, EINTR, false, true, 1 + runs_of(48));
    try_all(SIM_SYNC, EINTR, false, true, 1 + runs_of(48));
}

static void a_failing_allocation_is_reported_and_loses_nothing(void **state)
{
    try_all(ALLOCATION, 0, false, false, 1 + runs_of(4));
    try_all(ALLOCATION, 1, true, false, 1 + runs_of(8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failing_call_is_reported_and_loses_nothing),
        cmocka_unit_test(a_full_disk_is_reported_and_loses_nothing),
        cmocka_unit_test(missing_descriptors_are_reported_and_lose_nothing),
        cmocka_unit_test(interruptions_and_short_transfers_are_invisible),
        cmocka_unit_test(a_failing_allocation_is_reported_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
