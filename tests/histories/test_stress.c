/* test_stress.c -- everything at the same time, delayed and failing at random, killed at random, and
 * compared.
 *
 * Six threads do all that a program can do with a database (support/stress_actor.h). Delays are inserted
 * where threads release mutexes and where they call the system, so that each is preempted in all places where
 * it could be (support/disturb.h), and in a share of the runs writes, syncs and allocations fail. At a random
 * moment the process is killed, or the machine loses power. What is found then is compared with what each
 * thread knows to be acknowledged (support/stress_judge.h).
 *
 *     on real files       the process is a child that dies by kill -9, again and again on one database
 *     on simulated disks  with real threads: copies of the disks are taken while all threads go on, as after
 *                         a kill or with the power cut, and opened
 *     HOLT_INTERVAL       on simulated disks with slow syncs: writers, a moment of rest, and a cut
 *
 * The seed decides what each thread does, the delays and the faults; it cannot decide how the threads
 * interleave. It is printed, and with each failure that of the episode, for HOLT_SEED.
 *
 * HOLT_STRESS_SECONDS sets how long all of it takes (make nightly: an hour). HOLT_STRESS_WITHOUT leaves parts
 * out: files, disks, interval (these three tests), catalog, watch.
 */
#include "base/memory.h"
#include "os/sim/sim.h"
#include "support/child.h"
#include "support/db_fixture.h"
#include "support/histories/history.h"
#include "support/must.h"
#include "support/stress/disturb.h"
#include "support/stress/stress_actor.h"
#include "support/stress/stress_judge.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* INTERVAL_BOUND_MS: what HOLT_INTERVAL may lose, plus the error of its clock. */
enum { SECONDS = 20, ROUNDS_OF_ONE = 8, INTERVAL_BOUND_MS = STRESS_INTERVAL_MS + 10 };
#define MS UINT64_C(1000000)

/* ---------------------------------------------------------------- seeds and time */

/* This many quarters of the time. */
static uint64_t time_of_part(unsigned quarters)
{
    return environment_number("HOLT_STRESS_SECONDS", SECONDS) * 1000 * MS * quarters / 4;
}

static uint64_t real_ns(void)
{
    return os_clock_ns(os_posix());
}

/* The seed of one episode. HOLT_SEED is that of the first one, so that an episode that failed comes first. */
static uint64_t first_seed(void)
{
    return environment_number("HOLT_SEED", real_ns() / 1000 % 1000000007 * 1000);
}

typedef struct totals {
    uint64_t seed, began_ns, until_ns;
    uint64_t episodes, operations, states;
} totals;

static totals begin_file_range(unsigned quarters)
{
    uint64_t now = real_ns();
    return (totals){.seed = first_seed(), .began_ns = now, .until_ns = now + time_of_part(quarters)};
}

static bool has_time(const totals *t)
{
    return t->episodes == 0 || real_ns() < t->until_ns;
}

static void say_result(const char *what, const totals *t)
{
    print_message("%s: HOLT_SEED=%llu, %llu episodes, %llu operations, %llu states compared in %.1f s\n",
                  what, (unsigned long long)t->seed, (unsigned long long)t->episodes,
                  (unsigned long long)t->operations, (unsigned long long)t->states,
                  (double)(real_ns() - t->began_ns) / 1e9);
}

static uint64_t count_operations(const stress_record *r)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < STRESS_THREADS; i++)
        count += atomic_load_explicit(&r->threads[i].count, memory_order_relaxed);
    return count;
}

/* ---------------------------------------------------------------- what an episode is like */

static disturb_plan plan_of(uint64_t seed, const os *o)
{
    rng r;
    rng_seed(&r, seed);
    disturb_plan p = {.seed = seed,
                      .os = o,
                      .delay_ns_max = 50 * MS,
                      .slow_sync_one_in = 200,
                      .slow_sync_ns_max = 200 * MS};
    p.small_manifests = !rng_chance(&r, 4);
    if (rng_chance(&r, 3)) {
        static const disturb_fault faults[] = {FAULT_MEMORY, FAULT_MANIFEST, FAULT_TABLES, FAULT_ANY};
        p.fault = faults[rng_below(&r, 4)];
        p.fault_one_in = p.fault == FAULT_ANY ? 1000 : 20 + (uint32_t)rng_below(&r, 200);
        p.faults_max = p.fault == FAULT_ANY ? 3 : 0;
    }
    return p;
}

static stress_world world_of(stress_record *r, os *o, const char *path, uint64_t seed, const disturb_plan *p)
{
    stress_world w = {
        .record = r, .os = o, .path = path, .seed = seed, .parts = stress_parts_from_environment()};
    w.io_faults = p->fault > FAULT_MEMORY;
    w.memory_faults = p->fault == FAULT_MEMORY;
    w.busy_catalog = seed % 2;
    return w;
}

static const char *const fault_names[] = {"none", "memory", "manifest", "tables", "any"};

static void say_episode(stress_record *r, const char *test, uint64_t seed, const disturb_plan *p)
{
    verdict_add(&r->verdict, "\n%s: replay with HOLT_SEED=%llu; faults: %s; manifests: %s\n", test,
                (unsigned long long)seed, fault_names[p->fault], p->small_manifests ? "small" : "as always");
}

/* ---------------------------------------------------------------- real files */

typedef struct victim {
    stress_world world;
    disturb_plan plan;
} victim;

/* The child: runs until it is killed, or asked to stop. */
static bool live(void *ctx)
{
    victim *v = (victim *)ctx;
    holt_status rc = stress_open(&v->world);
    if (!verdict_status(&v->world.record->verdict, rc, HOLT_OK, "open in the child")) return false;
    disturb_begin(&v->plan);
    stress_join(stress_start(&v->world));
    if (verdict_failed(&v->world.record->verdict)) return false;
    rc = holt_close(v->world.db);
    disturb_end();
    return rc == HOLT_OK || stress_excuses(&v->world, rc) ||
           verdict_status(&v->world.record->verdict, rc, HOLT_OK, "close");
}

/* Lets the child run for a while, then kills it or lets it close. false: it ended in another way. */
static bool let_live(victim *v, rng *r, bool *closed)
{
    int status = 0;
    stress_record *record = v->world.record;
    *closed = rng_chance(r, 6);
    pid_t child = child_start(live, v);
    usleep((useconds_t)(100000 + rng_below(r, 1000000)));
    if (*closed)
        atomic_store_explicit(&record->stop, true, memory_order_relaxed);
    else
        kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0)
        continue;
    if (verdict_failed(&record->verdict)) return false;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && !*closed) return true;
    /* Its threads may have filled their part of the record before the kill. */
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    *closed = true;
    return good || verdict_fail(&record->verdict, "the child ended with status %x", (unsigned)status);
}

/* The last lines of the event log. */
static void say_log(const char *bytes, size_t size)
{
    enum { TAIL = 4000 };
    size_t from = size > TAIL ? size - TAIL : 0;
    fprintf(stderr, "the end of LOG:\n%.*s\n", (int)(size - from), bytes + from);
}

static void say_log_of(const char *path)
{
    char name[TEMP_PATH_BYTES];
    size_t size = 0;
    char *bytes = (char *)file_read(temp_dir_join(path, "LOG", name), &size);
    if (bytes) say_log(bytes, size);
    free(bytes);
}

static void say_simulated_log(os *o)
{
    void *bytes = NULL;
    size_t size = 0;
    if (sim_peek(o, "/db/LOG", &bytes, &size) == HOLT_OK) say_log((const char *)bytes, size);
    mem_free(bytes);
}

static void say_directory(stress_record *r, const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;
    verdict_add(&r->verdict, "files:");
    while (d && (e = readdir(d)))
        if (e->d_name[0] != '.') verdict_add(&r->verdict, " %s", e->d_name);
    if (d) closedir(d);
}

/* One life and death. */
static bool kill_episode(stress_record *record, const char *path, totals *t)
{
    rng r;
    bool closed = false;
    uint64_t seed = t->seed + t->episodes++;
    rng_seed(&r, ~seed);
    victim v = {.plan = plan_of(seed, os_posix())};
    v.world = world_of(record, os_posix(), path, seed, &v.plan);
    record_restart(record);
    bool good = let_live(&v, &r, &closed);
    t->operations += count_operations(record);
    if (good) {
        judgement j = {.record = record, .what = closed ? "closing" : "a kill"};
        record_look(record, &j.moment);
        good = stress_judge(&j, os_posix(), path, true);
        t->states++;
    }
    if (!good) {
        say_episode(record, "on real files", seed, &v.plan);
        say_directory(record, path);
        say_log_of(path);
    }
    return good;
}

static void what_was_acknowledged_on_real_files_survives_kills(void **state)
{
    if (stress_parts_from_environment().no_files) skip();
    totals t = begin_file_range(1);
    stress_record *record = record_create();
    bool good = true;
    while (good && has_time(&t)) {
        temp_dir dir;
        char path[TEMP_PATH_BYTES];
        record_clear(record);
        temp_dir_create(&dir);
        temp_dir_join(dir.path, "db", path);
        stress_world w = {.record = record, .os = os_posix(), .path = path};
        expect_ok(stress_open(&w)); /* the kills come later than the creation */
        expect_ok(holt_close(w.db));
        for (unsigned i = 0; i < ROUNDS_OF_ONE && good && (i == 0 || has_time(&t)); i++)
            good = kill_episode(record, path, &t);
        temp_dir_remove(&dir);
    }
    say_result("real files", &t);
    verdict_assert(&record->verdict);
    record_destroy(record);
}

/* ---------------------------------------------------------------- simulated disks */

static sim_cut any_cut(rng *r)
{
    static const sim_keep keeps[] = {SIM_KEEP_NONE, SIM_KEEP_NONE, SIM_KEEP_SOME, SIM_KEEP_SIZES,
                                     SIM_KEEP_GARBAGE};
    sim_cut c = {.files = keeps[rng_below(r, 5)], .tear_bytes = rng_chance(r, 2) ? 512 : 4096};
    c.entries = rng_chance(r, 2) ? SIM_KEEP_NONE : SIM_KEEP_SOME;
    c.per_file = rng_chance(r, 4);
    return c;
}

/* A copy of the disks as of now, and the moment of the record that it belongs to. */
static os *take_copy(stress_world *w, judgement *j, uint64_t seed)
{
    record_freeze(w->record, &j->moment);
    os *copy = sim_clone(w->os, seed);
    record_thaw(w->record);
    assert_non_null(copy);
    sim_set_disk_bytes_max(copy, 0);
    return copy;
}

static uint64_t bytes_used(const stress_world *w)
{
    static const uint64_t plenty = UINT64_C(1) << 33;
    os_dir *d = NULL;
    uint64_t left = 0;
    sim_set_disk_bytes_max(w->os, plenty);
    if (os_dir_open(w->os, w->path, &d) != HOLT_OK) return plenty / 2;
    holt_status rc = os_dir_free_bytes(d, &left);
    os_dir_close(d);
    return rc == HOLT_OK ? plenty - left : plenty / 2;
}

/* Faults that the wrapped calls cannot make: a sync that fails and leaves uncertain for ever what it should
 * have synced, a write that fails in the middle; and a disk that is full for a while. */
static void spoil_disks(const stress_world *w, const disturb_plan *p, rng *r)
{
    static const sim_call calls[] = {SIM_WRITE, SIM_SYNC, SIM_SYNC, SIM_DIR_SYNC, SIM_RENAME, SIM_OPEN};
    if (p->fault == FAULT_ANY)
        sim_fail(w->os, calls[rng_below(r, 6)], 1 + rng_below(r, 300), EIO, rng_chance(r, 4));
    if (!w->space_faults) return;
    bool full = rng_chance(r, 2);
    sim_set_disk_bytes_max(w->os, full ? bytes_used(w) + rng_below(r, 512 << 10) : 0);
}

/* Kills a copy of the machine, or cuts its power, and judges what is on it. */
static bool strike(stress_world *w, rng *r)
{
    judgement j = {.record = w->record, .cut = !rng_chance(r, 3)};
    uint64_t seed = rng_next(r);
    os *copy = take_copy(w, &j, seed);
    sim_cut cut = any_cut(r);
    if (j.cut) sim_power_cut(copy, &cut, seed);
    if (!w->parts.no_interval) j.interval_ns = INTERVAL_BOUND_MS * MS;
    j.what = j.cut ? "a power cut" : "a kill";
    bool good = stress_judge(&j, copy, w->path, false);
    if (good) sim_destroy(copy); /* after a failure handles may still be open */
    return good;
}

/* What the main thread does while the others work. */
static bool strike_some(stress_world *w, const disturb_plan *p, rng *r, totals *t)
{
    bool good = true;
    for (uint64_t i = 1 + rng_below(r, 3); i > 0 && good && !verdict_failed(&w->record->verdict); i--) {
        spoil_disks(w, p, r);
        usleep((useconds_t)(50000 + rng_below(r, 500000)));
        good = strike(w, r);
        t->states++;
    }
    return good;
}

static bool end_episode(stress_world *w, const disturb_plan *p)
{
    holt_status rc = holt_close(w->db);
    disturb_end();
    sim_fail(w->os, SIM_CALLS, 0, 0, false);
    sim_set_disk_bytes_max(w->os, 0);
    if (!stress_excuses(w, rc) && !verdict_status(&w->record->verdict, rc, HOLT_OK, "close")) return false;
    judgement j = {.record = w->record, .what = "closing"};
    record_look(w->record, &j.moment);
    return stress_judge(&j, w->os, w->path, true);
}

static bool cut_episode(stress_record *record, os *o, totals *t)
{
    rng r;
    uint64_t seed = t->seed + t->episodes++;
    rng_seed(&r, ~seed);
    disturb_plan p = plan_of(seed, o);
    stress_world w = world_of(record, o, "/db", seed, &p);
    w.space_faults = p.fault == FAULT_NONE && rng_chance(&r, 5);
    record_restart(record);
    bool good = verdict_status(&record->verdict, stress_open(&w), HOLT_OK, "open");
    if (!good) return false;
    disturb_spare_thread(true);
    disturb_begin(&p);
    stress_crew *crew = stress_start(&w);
    good = strike_some(&w, &p, &r, t);
    atomic_store_explicit(&record->stop, true, memory_order_relaxed);
    stress_join(crew);
    t->operations += count_operations(record);
    good = good && !verdict_failed(&record->verdict) && end_episode(&w, &p);
    t->states++;
    if (!good) {
        say_episode(record, "on simulated disks", seed, &p);
        say_simulated_log(o);
    }
    return good;
}

static void what_was_acknowledged_on_simulated_disks_survives_cuts(void **state)
{
    if (stress_parts_from_environment().no_disks) skip();
    totals t = begin_file_range(2);
    stress_record *record = record_create();
    bool good = true;
    while (good && has_time(&t)) {
        sim_options options = {.seed = t.seed + t.episodes, .threads = true};
        os *o = sim_create(&options);
        assert_non_null(o);
        record_clear(record);
        for (unsigned i = 0; i < ROUNDS_OF_ONE && good && (i == 0 || has_time(&t)); i++)
            good = cut_episode(record, o, &t);
        if (good) sim_destroy(o);
    }
    say_result("simulated disks", &t);
    verdict_assert(&record->verdict);
    record_destroy(record);
}

/* ---------------------------------------------------------------- HOLT_INTERVAL */

/* This many waits, each as long as the interval, must be enough for a sync that is due, however busy the
 * machine is: each of them is a turn on the processor that this thread got and the syncing one could have
 * had. */
enum { RESTS = 20 };

/* All threads rest: the last commits, too, must soon be durable. */
static void let_rest(stress_world *w, judgement *j)
{
    record_moment m;
    bool busy = true;
    atomic_store_explicit(&w->record->rest, true, memory_order_relaxed);
    for (int i = 0; i < 3 || busy; i++) {
        usleep(STRESS_INTERVAL_MS * 1000);
        record_freeze(w->record, &m);
        record_thaw(w->record);
        busy = false;
        for (unsigned t = 0; t < STRESS_THREADS; t++)
            busy |= m.open[t];
    }
    j->interval_all_ns = real_ns();
    disturb_calm(true); /* any delay in progress lasts less than half of what follows */
    for (int i = 0; i < RESTS; i++)
        usleep(STRESS_INTERVAL_MS * 1000);
    j->what = "a power cut after a rest";
}

/* A power cut in the middle of the writing, or after a rest. */
static bool strike_interval(stress_world *w, rng *r)
{
    judgement j = {.record = w->record, .cut = true, .what = "a power cut"};
    static const sim_cut nothing_kept = {.files = SIM_KEEP_NONE, .entries = SIM_KEEP_NONE, .tear_bytes = 512};
    usleep((useconds_t)(20000 + rng_below(r, 100000)));
    if (rng_chance(r, 2)) let_rest(w, &j);
    j.interval_ns = INTERVAL_BOUND_MS * MS;
    os *copy = take_copy(w, &j, rng_next(r));
    disturb_calm(false);
    atomic_store_explicit(&w->record->rest, false, memory_order_relaxed);
    sim_power_cut(copy, &nothing_kept, 1);
    bool good = stress_judge(&j, copy, w->path, false);
    if (good) sim_destroy(copy);
    return good;
}

static bool interval_episode(stress_record *record, totals *t)
{
    rng r;
    uint64_t seed = t->seed + t->episodes++;
    rng_seed(&r, ~seed);
    sim_options options = {.seed = seed, .threads = true};
    os *o = sim_create(&options);
    assert_non_null(o);
    disturb_plan p = {.seed = seed, .os = o, .delay_ns_max = 50 * MS};
    if (rng_chance(&r, 2)) {
        p.slow_sync_one_in = 4;
        p.slow_sync_ns_max = 150 * MS;
    }
    stress_world w = world_of(record, o, "/db", seed, &p);
    w.only_interval = true;
    record_clear(record);
    bool good = verdict_status(&record->verdict, stress_open(&w), HOLT_OK, "open");
    if (!good) return false;
    disturb_spare_thread(true);
    disturb_begin(&p);
    stress_crew *crew = stress_start(&w);
    for (int i = 0; i < 6 && good && !verdict_failed(&record->verdict); i++, t->states++)
        good = strike_interval(&w, &r);
    atomic_store_explicit(&record->stop, true, memory_order_relaxed);
    stress_join(crew);
    t->operations += count_operations(record);
    good = good && !verdict_failed(&record->verdict) && end_episode(&w, &p);
    if (good) sim_destroy(o);
    if (!good) {
        say_episode(record, "HOLT_INTERVAL", seed, &p);
        say_simulated_log(o);
    }
    return good;
}

static void what_interval_commits_lose_is_bounded(void **state)
{
    totals t = begin_file_range(1);
    if (stress_parts_from_environment().no_interval) skip();
    stress_record *record = record_create();
    bool good = true;
    while (good && has_time(&t))
        good = interval_episode(record, &t);
    say_result("HOLT_INTERVAL", &t);
    verdict_assert(&record->verdict);
    record_destroy(record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_acknowledged_on_real_files_survives_kills),
        cmocka_unit_test(what_was_acknowledged_on_simulated_disks_survives_cuts),
        cmocka_unit_test(what_interval_commits_lose_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
