/* test_os_sim_jobs.c -- time and jobs of the simulated machine, and that a history replays. */
#include "support/machine.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---------------------------------------------------------------- time and jobs */

/* Time passes by itself, so that a thread that polls the clock makes progress, and jumps when all wait. */
static void time_is_virtual_and_never_stands(void **state)
{
    os *o = machine(1);
    uint64_t last = os_clock_ns(o);
    for (int i = 0; i < 100; i++) {
        uint64_t now = os_clock_ns(o);
        assert_true(now > last && now - last <= 20000);
        last = now;
    }
    uint64_t wall = os_time_ms(o);
    os_sleep(o, UINT64_C(3600) * 1000000000);
    assert_in_range(os_time_ms(o) - wall, 3600000, 3600010);
    sim_advance(o, 1000000000);
    assert_in_range(os_time_ms(o) - wall, 3601000, 3601010);

    os_mutex m;
    os_cond c;
    os_mutex_init(&m, LOCK_RANK_LEAF);
    os_cond_init(&c, o);
    os_mutex_lock(&m);
    uint64_t deadline = os_clock_ns(o) + UINT64_C(5000000000);
    while (os_cond_wait(&c, &m, deadline)) {
    }
    assert_true(os_clock_ns(o) >= deadline);
    assert_false(os_cond_wait(&c, &m, 0));
    os_mutex_unlock(&m);
    os_cond_deinit(&c);
    os_mutex_deinit(&m);
    sim_destroy(o);
}

typedef struct worker {
    os *o;
    os_job *job;
    os_mutex mutex;
    os_cond done_cond;
    int steps, todo; /* mutex */
    int depth, depth_max;
    uint64_t period; /* 0: idle when nothing is to do */
    char *trace;
    char letter;
} worker;

static void worker_init(worker *w, os *o)
{
    memset(w, 0, sizeof *w);
    w->o = o;
    os_mutex_init(&w->mutex, LOCK_RANK_JOBS);
    os_cond_init(&w->done_cond, o);
}

static void worker_deinit(worker *w)
{
    os_cond_deinit(&w->done_cond);
    os_mutex_deinit(&w->mutex);
}

static uint64_t work(void *ctx)
{
    worker *w = ctx;
    os_mutex_lock(&w->mutex);
    w->steps++;
    if (w->trace) sprintf(w->trace + strlen(w->trace), "%c", w->letter);
    if (w->todo > 0) w->todo--;
    bool more = w->todo > 0;
    if (!more) os_cond_broadcast(&w->done_cond);
    os_mutex_unlock(&w->mutex);
    if (more) return OS_JOB_AGAIN;
    return w->period ? os_clock_ns(w->o) + w->period : OS_JOB_IDLE;
}

/* Waiting is what lets jobs run: a wait for a job's work ends when the work is done. */
static void waiting_runs_the_jobs_it_waits_for(void **state)
{
    os *o = machine(1);
    worker w;
    worker_init(&w, o);
    ok(os_job_start(o, "worker", 0, work, &w, &w.job));
    os_sleep(o, 1000000);
    assert_int_equal(w.steps, 0); /* idle until first woken */
    w.todo = 10;
    os_job_wake(w.job);
    os_mutex_lock(&w.mutex);
    while (w.todo > 0)
        assert_true(os_cond_wait(&w.done_cond, &w.mutex, OS_FOREVER));
    os_mutex_unlock(&w.mutex);
    assert_int_equal(w.steps, 10);
    sim_run_until_idle(o);
    assert_int_equal(w.steps, 10);

    w.todo = 100;
    os_job_wake(w.job);
    int before = w.steps;
    for (int i = 0; i < 200 && w.todo > 0; i++) {
        int steps = w.steps;
        os_run_pending(o);
        assert_in_range(w.steps - steps, 0, 3);
    }
    assert_int_equal(w.steps - before, 100);
    os_job_wake(w.job);
    os_job_stop(w.job);
    os_job_stop(NULL);
    assert_int_equal(w.steps - before, 100);
    worker_deinit(&w);
    sim_destroy(o);
}

/* A job that asks for a time steps then, and not before. */
static void sleeping_job_steps_when_its_time_comes(void **state)
{
    os *o = machine(1);
    worker w;
    worker_init(&w, o);
    w.period = 1000000000;
    ok(os_job_start(o, "worker", 0, work, &w, &w.job));
    os_job_wake(w.job);
    sim_run_until_idle(o); /* comes back, as it sleeps and never idles */
    assert_in_range(w.steps, 9, 11);
    int before = w.steps;
    os_sleep(o, UINT64_C(100000000000));
    assert_in_range(w.steps - before, 95, 101);
    os_job_stop(w.job);
    worker_deinit(&w);
    sim_destroy(o);
}

static uint64_t wake_self_once(void *ctx)
{
    worker *w = ctx;
    if (w->steps++ == 0) os_job_wake(w->job);
    return OS_JOB_IDLE;
}

/* A wake in the middle of a step must not be taken for the one that began it. */
static void wake_during_a_step_is_not_lost(void **state)
{
    os *o = machine(1);
    worker w;
    worker_init(&w, o);
    ok(os_job_start(o, "worker", 0, wake_self_once, &w, &w.job));
    os_job_wake(w.job);
    sim_run_until_idle(o);
    assert_int_equal(w.steps, 2);
    os_job_stop(w.job);
    worker_deinit(&w);
    sim_destroy(o);
}

/* A step that waits: sleeps, so that others (and never itself) run above it. */
static uint64_t step_that_waits(void *ctx)
{
    worker *w = ctx;
    assert_int_equal(w->depth++, 0);
    w->steps++;
    os_job_wake(w->job);
    os_sleep(w->o, 1000000);
    w->depth--;
    return w->steps < 20 ? OS_JOB_AGAIN : OS_JOB_IDLE;
}

static void waiting_step_lets_others_run_and_never_itself(void **state)
{
    os *o = machine(1);
    worker w, other;
    worker_init(&w, o);
    worker_init(&other, o);
    ok(os_job_start(o, "waits", 0, step_that_waits, &w, &w.job));
    ok(os_job_start(o, "works", 0, work, &other, &other.job));
    os_job_wake(w.job);
    other.todo = 50;
    os_job_wake(other.job);
    os_sleep(o, UINT64_C(1000000000));
    assert_true(w.steps >= 20);
    assert_int_equal(other.todo, 0);
    os_job_stop(w.job);
    os_job_stop(other.job);
    worker_deinit(&w);
    worker_deinit(&other);
    sim_destroy(o);
}

static void wait_for_nothing(void)
{
    os *o = machine(1);
    os_mutex m;
    os_cond c;
    os_mutex_init(&m, LOCK_RANK_LEAF);
    os_cond_init(&c, o);
    os_mutex_lock(&m);
    while (os_cond_wait(&c, &m, OS_FOREVER)) {
    }
}

/* A wait that nothing can end must not hang the suite: the program aborts and says why. */
static void endless_wait_aborts_with_a_message(void **state)
{
    int words[2];
    assert_int_equal(pipe(words), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        dup2(words[1], STDERR_FILENO);
        wait_for_nothing();
        _exit(0);
    }
    close(words[1]);
    char text[200] = "";
    assert_true(read(words[0], text, sizeof text - 1) > 0);
    close(words[0]);
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFSIGNALED(result) && WTERMSIG(result) == SIGABRT);
    assert_non_null(strstr(text, "sim: deadlock"));
}

/* ---------------------------------------------------------------- replay */

/* A history that uses everything that draws on the seed. */
static uint64_t history(uint64_t seed, char trace[200])
{
    os *o = machine(seed);
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "a", "");
    worker w[2];
    trace[0] = '\0';
    for (int i = 0; i < 2; i++) {
        worker_init(&w[i], o);
        w[i].todo = 20;
        w[i].trace = trace;
        w[i].letter = (char)('a' + i);
        ok(os_job_start(o, "worker", 0, work, &w[i], &w[i].job));
        os_job_wake(w[i].job);
    }
    sim_fail(o, SIM_WRITE, 3, EIO, false);
    for (uint64_t i = 0; i < 10; i++) {
        uint64_t bits[4] = {os_random(o), os_random(o), os_clock_ns(o), os_time_ms(o)};
        (void)os_file_write(f, i * sizeof bits, bits, sizeof bits); /* one fails, on purpose */
        os_run_pending(o);
        os_sleep(o, 50000);
    }
    for (int i = 0; i < 2; i++) {
        os_job_stop(w[i].job);
        worker_deinit(&w[i]);
    }
    os *cut = after_cut(o, SIM_KEEP_GARBAGE, SIM_KEEP_SOME, seed);
    uint64_t print = sim_fingerprint(o) ^ sim_fingerprint(cut) * 3;
    sim_destroy(cut);
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
    return print;
}

/* What sim is for: the same seed gives the same run, to the last bit; another gives another. */
static void same_seed_replays_exactly(void **state)
{
    uint64_t seed = test_seed();
    char one[200], two[200], three[200];
    uint64_t print = history(seed, one);
    assert_true(history(seed, two) == print);
    assert_string_equal(one, two);
    assert_true(history(seed + 1, three) != print);
    assert_string_not_equal(one, three);
}

/* ---------------------------------------------------------------- with threads */

/* The same calls with jobs on real threads; for the thread sanitizer. */
static void jobs_run_on_threads_when_asked(void **state)
{
    sim_options options = {.seed = 1, .threads = true};
    os *o = sim_create(&options);
    ok(os_dir_create(o, "/db"));
    worker w[3];
    for (int i = 0; i < 3; i++) {
        worker_init(&w[i], o);
        ok(os_job_start(o, "worker", 0, work, &w[i], &w[i].job));
        os_mutex_lock(&w[i].mutex);
        w[i].todo = 100;
        os_mutex_unlock(&w[i].mutex);
        os_job_wake(w[i].job);
    }
    os_dir *d = db_of(o);
    os_file *f = durable_file(d, "a", "x");
    for (int i = 0; i < 3; i++) {
        os_mutex_lock(&w[i].mutex);
        while (w[i].todo > 0)
            os_cond_wait(&w[i].done_cond, &w[i].mutex, OS_FOREVER);
        os_mutex_unlock(&w[i].mutex);
        os_job_wake(w[i].job);
    }
    sim_run_until_idle(o);
    sim_advance(o, 1000000);
    assert_false(os_cond_wait(&w[0].done_cond, (os_mutex_lock(&w[0].mutex), &w[0].mutex), os_clock_ns(o)));
    os_mutex_unlock(&w[0].mutex);
    for (int i = 0; i < 3; i++) {
        os_job_stop(w[i].job);
        assert_int_equal(w[i].steps, 101);
        worker_deinit(&w[i]);
    }
    os_run_pending(o);
    os_file_close(f);
    os_dir_close(d);
    sim_destroy(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_is_virtual_and_never_stands),
        cmocka_unit_test(waiting_runs_the_jobs_it_waits_for),
        cmocka_unit_test(sleeping_job_steps_when_its_time_comes),
        cmocka_unit_test(wake_during_a_step_is_not_lost),
        cmocka_unit_test(waiting_step_lets_others_run_and_never_itself),
        cmocka_unit_test(endless_wait_aborts_with_a_message),
        cmocka_unit_test(same_seed_replays_exactly),
        cmocka_unit_test(jobs_run_on_threads_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
