/* test_os_sim_faults.c -- the simulated machine fails in any call on demand, and reports every change. */
#include "support/machine.h"

#include "base/random.h"

#include <errno.h>

/* ---------------------------------------------------------------- faults */

/* One attempt at each call that can fail. The name of each call is the errand's. */
typedef struct errands {
    os *o;
    os_dir *d;
    os_file *f;
} errands;

static holt_status do_read(errands *e)
{
    char byte;
    size_t got;
    return os_file_read(e->f, 0, &byte, 1, &got);
}

static holt_status do_write(errands *e)
{
    return os_file_write(e->f, 0, "xyz", 3);
}

static holt_status do_sync(errands *e)
{
    return os_file_sync(e->f);
}

static holt_status do_dir_sync(errands *e)
{
    return os_dir_sync(e->d);
}

static holt_status do_open(errands *e)
{
    os_file *f;
    holt_status status = os_file_open(e->d, "a", OS_READ, &f);
    os_file_close(f);
    return status;
}

static holt_status do_dir_open(errands *e)
{
    os_dir *d;
    holt_status status = os_dir_open(e->o, "/db", &d);
    os_dir_close(d);
    return status;
}

static holt_status do_dir_create(errands *e)
{
    static int number;
    char path[40];
    snprintf(path, sizeof path, "/made-%d", number++);
    return os_dir_create(e->o, path);
}

static holt_status do_lock(errands *e)
{
    holt_status status = os_file_lock(e->f, true);
    os_file_unlock(e->f);
    return status;
}

static holt_status do_rename(errands *e)
{
    return os_dir_rename(e->d, "a", "a");
}

static holt_status do_unlink(errands *e)
{
    os_file_close(file_of(e->d, "b"));
    return os_dir_unlink(e->d, "b");
}

static holt_status do_truncate(errands *e)
{
    return os_file_truncate(e->f, 4096);
}

static holt_status do_allocate(errands *e)
{
    return os_file_allocate(e->f, 4096);
}

static holt_status do_map(errands *e)
{
    os_map m;
    holt_status status = os_file_map(e->f, 0, 4096, &m);
    os_file_unmap(&m);
    return status;
}

static holt_status count_name(void *ctx, const char *name)
{
    ++*(int *)ctx;
    return HOLT_OK;
}

static holt_status do_list(errands *e)
{
    int count = 0;
    return os_dir_list(e->d, count_name, &count);
}

static holt_status do_stat(errands *e)
{
    bool exists;
    uint64_t size;
    return os_dir_stat(e->d, "a", &exists, &size);
}

static holt_status do_size(errands *e)
{
    uint64_t size;
    return os_file_size(e->f, &size);
}

static holt_status do_free_bytes(errands *e)
{
    uint64_t bytes;
    return os_dir_free_bytes(e->d, &bytes);
}

/* A fault of a kind hits a call of that kind, with a message, once; an interruption is never seen. */
static void every_kind_of_call_fails_on_demand(void **state)
{
    static const struct {
        sim_call kind;
        holt_status (*run)(errands *e);
    } all[] = {
        {SIM_READ, do_read},         {SIM_WRITE, do_write},       {SIM_SYNC, do_sync},
        {SIM_DIR_SYNC, do_dir_sync}, {SIM_OPEN, do_open},         {SIM_OPEN, do_dir_open},
        {SIM_OPEN, do_dir_create},   {SIM_OPEN, do_lock},         {SIM_RENAME, do_rename},
        {SIM_TRUNCATE, do_truncate}, {SIM_ALLOCATE, do_allocate}, {SIM_MAP, do_map},
        {SIM_UNLINK, do_unlink},     {SIM_LIST, do_list},         {SIM_LIST, do_stat},
        {SIM_LIST, do_size},         {SIM_LIST, do_free_bytes},
    };
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "a", "");
    ok(os_file_allocate(f, 4096));
    errands e = {o, d, f};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        uint64_t calls = sim_calls(o, all[i].kind);
        ok(all[i].run(&e));
        assert_int_equal(sim_calls(o, all[i].kind), calls + 1);

        sim_fail(o, all[i].kind, 2, EIO, false);
        ok(all[i].run(&e));
        assert_false(sim_fault_hit(o));
        assert_int_equal(all[i].run(&e), HOLT_IO);
        assert_true(sim_fault_hit(o));
        holt_error error;
        holt_error_get(&error, sizeof error);
        assert_int_equal(error.os_errno, EIO);
        ok(all[i].run(&e));

        sim_fail(o, all[i].kind, 1, ENOSPC, true);
        /* Only an open that creates a file needs space. */
        holt_status full = all[i].kind == SIM_OPEN && all[i].run != do_dir_create ? HOLT_OK : HOLT_NO_SPACE;
        assert_int_equal(all[i].run(&e), full);
        assert_int_equal(all[i].run(&e), full);
        sim_fail(o, all[i].kind, 1, EINTR, true);
        ok(all[i].run(&e));
        ok(all[i].run(&e));
        assert_true(sim_fault_hit(o));
        sim_fail(o, all[i].kind, 0, 0, false);
        ok(all[i].run(&e));
    }
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

/* The n-th call of any kind, with a store among them, which cannot fail: the next one does. */
static void fault_of_any_kind_passes_over_stores(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "a", "");
    ok(os_file_allocate(f, 4096));
    os_map m;
    ok(os_file_map(f, 0, 4096, &m));
    sim_fail(o, SIM_CALLS, 1, EIO, false);
    os_map_store(&m, 0, "x", 1);
    assert_false(sim_fault_hit(o));
    assert_int_equal(os_file_sync(f), HOLT_IO);
    ok(os_file_sync(f));
    os_file_unmap(&m);
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

/* A loop that adds up wrongly after a short transfer writes or reads the wrong bytes. */
static void short_and_interrupted_transfers_are_completed(void **state)
{
    rng r;
    rng_seed(&r, test_seed());
    os *o = machine(r.state[0]);
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "a", "");
    uint8_t data[10000], back[10000];
    static const int faults[] = {SIM_SHORT, EINTR};
    for (int i = 0; i < 40; i++) {
        rng_fill(&r, data, sizeof data);
        uint64_t offset = rng_below(&r, 5000);
        sim_fail(o, SIM_WRITE, 1, faults[i % 2], true);
        ok(os_file_write(f, offset, data, sizeof data));
        assert_true(sim_fault_hit(o));
        sim_fail(o, SIM_READ, 1, faults[i % 2], true);
        ok(os_file_read_exact(f, offset, back, sizeof back));
        assert_true(sim_fault_hit(o));
        assert_memory_equal(data, back, sizeof data);
        size_t got;
        uint64_t size;
        ok(os_file_size(f, &size));
        ok(os_file_read(f, size - 100, back, sizeof back, &got));
        assert_int_equal(got, 100);
    }
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

/* A message must say what an operator needs: file, call, place, reason. */
static void message_names_file_call_and_place(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "wal-000001.log", "12345");
    char buffer[100];
    assert_int_equal(os_file_read_exact(f, 3, buffer, 100), HOLT_CORRUPT);
    assert_string_equal(holt_error_message(), "wal-000001.log: file ends at 5: 100 bytes wanted at 3");
    sim_fail(o, SIM_WRITE, 1, ENOSPC, false);
    assert_int_equal(os_file_write(f, 8192, buffer, 100), HOLT_NO_SPACE);
    assert_string_equal(holt_error_message(),
                        "wal-000001.log: write of 100 bytes at 8192: No space left on device");
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

/* A disk that is full: what fits is written, allocation leaves the file as it was, unlinking makes room. */
static void full_disk_refuses_until_there_is_room(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "a", "12345"), *g = durable_file(d, "b", "12345");
    sim_set_disk_bytes_max(o, 20);
    uint64_t room, size;
    ok(os_dir_free_bytes(d, &room));
    assert_int_equal(room, 10);
    assert_int_equal(os_file_allocate(f, 16), HOLT_NO_SPACE);
    assert_int_equal(os_file_truncate(f, 16), HOLT_NO_SPACE);
    ok(os_file_size(f, &size));
    assert_int_equal(size, 5);
    assert_int_equal(os_file_write(f, 5, "0123456789x", 11), HOLT_NO_SPACE);
    assert_string_equal(text_of(o, "a"), "123450123456789");
    assert_int_equal(os_file_write(f, 15, "x", 1), HOLT_NO_SPACE);
    ok(os_file_write(f, 0, "54321", 5)); /* rewriting needs no room */

    ok(os_dir_unlink(d, "b"));
    assert_int_equal(os_file_allocate(f, 16), HOLT_NO_SPACE); /* still open */
    os_file_close(g);
    ok(os_file_allocate(f, 20));
    sim_set_disk_bytes_max(o, 0);
    ok(os_file_allocate(f, 1000));
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

/* A wrong offset from a caller must be an error, not a page table of all memory. */
static void absurd_offset_is_refused(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "a", "");
    assert_int_equal(os_file_write(f, UINT64_MAX - 1, "xyz", 3), HOLT_IO);
    assert_int_equal(os_file_truncate(f, UINT64_MAX), HOLT_IO);
    char byte;
    size_t got;
    ok(os_file_read(f, UINT64_MAX - 1, &byte, 1, &got));
    assert_int_equal(got, 0);
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

/* Handles come from base/memory.h, so a failing allocation is a status and leaves nothing open. */
static void failed_allocation_opens_nothing(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file_close(durable_file(d, "a", ""));
    for (uint64_t n = 1; n <= 2; n++) {
        os_dir *d2;
        mem_fail_at(n, false);
        assert_int_equal(os_dir_open(o, "/db", &d2), HOLT_NO_MEMORY);
        assert_null(d2);
    }
    os_file *f;
    mem_fail_at(1, false);
    assert_int_equal(os_file_open(d, "a", OS_READ, &f), HOLT_NO_MEMORY);
    assert_null(f);
    int count = 0;
    mem_fail_at(1, false);
    assert_int_equal(os_dir_list(d, count_name, &count), HOLT_NO_MEMORY);
    assert_int_equal(count, 0);
    mem_fail_at(1, false);
    assert_null(sim_clone(o, 1));
    void *bytes;
    size_t size;
    mem_fail_at(1, false);
    assert_int_equal(sim_peek(o, "/db/a", &bytes, &size), HOLT_NO_MEMORY);
    mem_fail_at(0, false);
    os_dir_close(d);
    sim_destroy(o); /* asserts that nothing is open */
}

/* ---------------------------------------------------------------- the hook */

typedef struct crash_suite {
    os *o;
    os_mutex *mutex;
    int calls, depth;
    uint64_t last;
} crash_suite;

/* What a crash test does at an I/O: it clones, and uses the clone fully, with its hook, jobs and mutexes. */
static void crash_here(void *ctx, uint64_t call)
{
    crash_suite *c = ctx;
    assert_int_equal(c->depth++, 0);
    assert_true(call > c->last);
    c->last = call;
    c->calls++;
    os *clone = sim_clone(c->o, call);
    os_dir *d = db_of(clone);
    os_mutex m;
    os_mutex_init(&m, LOCK_RANK_OPEN_TABLE); /* below what the interrupted one holds */
    os_mutex_lock(&m);
    os_file *f = file_of(d, "inside");
    put(f, 0, "x");
    os_mutex_unlock(&m);
    os_mutex_deinit(&m);
    assert_int_equal(os_file_read_exact(f, 9, &d, 1), HOLT_CORRUPT);
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(clone);

    d = db_of(c->o); /* the interrupted machine itself can be used too */
    bool exists;
    uint64_t size;
    ok(os_dir_stat(d, "inside", &exists, &size));
    assert_false(exists);
    os_file_close(file_of(d, "written-in-hook")); /* does not call the hook again */
    os_dir_close(d);
    c->depth--;
}

/* The hook runs a whole database in the middle of a call of another: held mutexes and the last error must be
 * as before. */
static void hook_sees_each_change_and_disturbs_nothing(void **state)
{
    os *o = machine(1);
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "a", "12345");
    char buffer[10];
    assert_int_equal(os_file_read_exact(f, 0, buffer, 10), HOLT_CORRUPT);
    char message[256];
    snprintf(message, sizeof message, "%s", holt_error_message());

    os_mutex m;
    os_mutex_init(&m, LOCK_RANK_WAL);
    crash_suite c = {.o = o, .mutex = &m};
    sim_on_io(o, crash_here, &c);
    os_mutex_lock(&m);
    put(f, 0, "x");
    ok(os_file_sync(f));
    ok(os_dir_sync(d));
    assert_int_equal(c.calls, 3);
    os_file_close(file_of(d, "a")); /* opens what is there: changes nothing */
    ok(os_file_read_exact(f, 0, buffer, 5));
    assert_int_equal(c.calls, 3);
    os_file_close(file_of(d, "b"));
    ok(os_dir_rename(d, "b", "c"));
    ok(os_dir_unlink(d, "c"));
    ok(os_file_truncate(f, 2));
    ok(os_file_allocate(f, 4));
    os_file *t;
    ok(os_file_open(d, "a", OS_WRITE | OS_TRUNCATE, &t));
    os_file_close(t);
    assert_int_equal(c.calls, 9);
    os_mutex_assert_held(&m);
    os_mutex_unlock(&m);
    sim_on_io(o, NULL, NULL);
    put(f, 0, "x");
    assert_int_equal(c.calls, 9);
    assert_string_equal(holt_error_message(), message);
    os_mutex_deinit(&m);
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_call_fails_on_demand),
        cmocka_unit_test(fault_of_any_kind_passes_over_stores),
        cmocka_unit_test(short_and_interrupted_transfers_are_completed),
        cmocka_unit_test(message_names_file_call_and_place),
        cmocka_unit_test(full_disk_refuses_until_there_is_room),
        cmocka_unit_test(absurd_offset_is_refused),
        cmocka_unit_test(failed_allocation_opens_nothing),
        cmocka_unit_test(hook_sees_each_change_and_disturbs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
