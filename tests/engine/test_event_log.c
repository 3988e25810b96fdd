/* test_event_log.c -- the program's log callback and the LOG file. */
#include "support/db_fixture.h"

#include "base/memory.h"
#include "db/event_log.h"
#include "db/open/open.h"
#include "os/sim/sim.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LINES_MAX = 4096, WORDS_MAX = 160 };

/* What a callback has received, and what it shall do. */
typedef struct listener {
    pthread_mutex_t mutex; /* protects what follows */
    pthread_cond_t changed;
    char lines[LINES_MAX][WORDS_MAX];
    size_t count;
    int depth, depth_max; /* nested callbacks */
    bool entered, hold;   /* a callback has begun; it waits until it may go on */
    void (*also)(struct listener *l, const char *line);
    db_fixture *f;
    holt_status statuses[4];
} listener;

static void listener_init(listener *l, db_fixture *f)
{
    memset(l, 0, sizeof *l);
    pthread_mutex_init(&l->mutex, NULL);
    pthread_cond_init(&l->changed, NULL);
    l->f = f;
}

static void hear(void *ctx, uint32_t level, const char *line)
{
    listener *l = ctx;
    (void)level;
    pthread_mutex_lock(&l->mutex);
    if (++l->depth > l->depth_max) l->depth_max = l->depth;
    if (l->count < LINES_MAX) snprintf(l->lines[l->count], WORDS_MAX, "%s", line);
    l->count++;
    l->entered = true;
    pthread_cond_broadcast(&l->changed);
    while (l->hold)
        pthread_cond_wait(&l->changed, &l->mutex);
    pthread_mutex_unlock(&l->mutex);
    if (l->also) l->also(l, line);
    pthread_mutex_lock(&l->mutex);
    l->depth--;
    pthread_mutex_unlock(&l->mutex);
}

static size_t heard(listener *l)
{
    pthread_mutex_lock(&l->mutex);
    size_t count = l->count;
    pthread_mutex_unlock(&l->mutex);
    return count;
}

/* How many lines contain these words; *at: the last of them. */
static size_t find(listener *l, const char *words, size_t *at)
{
    size_t found = 0;
    pthread_mutex_lock(&l->mutex);
    for (size_t i = 0; i < l->count && i < LINES_MAX; i++)
        if (strstr(l->lines[i], words)) {
            found++;
            if (at) *at = i;
        }
    pthread_mutex_unlock(&l->mutex);
    return found;
}

static void wait_until_heard(listener *l, const char *words)
{
    while (find(l, words, NULL) == 0)
        usleep(1000);
}

/* Opens the fixture's database again, with the callback. */
static void listen_to(listener *l, uint32_t level)
{
    holt_options o = db_fixture_options(0);
    db_fixture_close(l->f);
    o.log = hear;
    o.log_ctx = l;
    o.log_level = level;
    expect_ok(holt_open_on(l->f->os, l->f->path, &o, &l->f->db));
    expect_ok(holt_collection_open(l->f->db, "default", &l->f->c));
}

/* ---------------------------------------------------------------- no lock held */

static pthread_mutex_t app = PTHREAD_MUTEX_INITIALIZER;
static _Atomic bool armed;
static _Atomic int waiting; /* callbacks that take the lock, perhaps one of an earlier line */

static void take_the_programs_lock(listener *l, const char *line)
{
    (void)l;
    if (!armed || !strstr(line, "\"n\"")) return;
    waiting++;
    pthread_mutex_lock(&app);
    pthread_mutex_unlock(&app);
    waiting--;
}

static void *put_under_the_programs_lock(void *ctx)
{
    listener *l = ctx;
    pthread_mutex_lock(&app);
    armed = true;
    while (waiting == 0)
        usleep(1000);
    l->statuses[0] = holt_put(l->f->c, NULL, holt_str("k"), holt_str("v"));
    l->statuses[1] = holt_flush(l->f->db);
    pthread_mutex_unlock(&app);
    return NULL;
}

/* A creation leads the commit queue while it writes its line: a callback that was called there and waits for
 * a thread that commits would wait for ever. So would one on the thread of the flush for which this thread
 * waits. */
static void a_callback_may_wait_for_a_thread_that_commits(void **state)
{
    db_fixture *f = *state;
    listener l;
    holt_collection *c;
    pthread_t thread;
    listener_init(&l, f);
    l.also = take_the_programs_lock;
    listen_to(&l, 0);
    alarm(100); /* a deadlock ends the program */
    for (int what = 0; what < 3; what++) {
        armed = false;
        l.statuses[0] = l.statuses[1] = HOLT_IO;
        assert_int_equal(pthread_create(&thread, NULL, put_under_the_programs_lock, &l), 0);
        while (!armed)
            usleep(1000);
        if (what == 0) expect_ok(holt_collection_create(f->db, "n", NULL, &c));
        if (what == 1) expect_ok(holt_collection_rename(f->db, "n", "m"));
        if (what == 1) expect_ok(holt_collection_rename(f->db, "m", "n"));
        if (what == 2) expect_ok(holt_collection_drop(f->db, "n"));
        pthread_join(thread, NULL);
        assert_int_equal(l.statuses[0], HOLT_OK);
        assert_int_equal(l.statuses[1], HOLT_OK);
    }
    alarm(0);
    db_fixture_close(f);
    db_fixture_open(f, 0);
}

/* ---------------------------------------------------------------- calls from within */

static void call_holt(listener *l, const char *line)
{
    holt_collection *c = NULL;
    holt_db_stats stats;
    if (!strstr(line, "created") || strstr(line, "inner")) return;
    l->statuses[0] = holt_put(l->f->c, NULL, holt_str("from"), holt_str("within"));
    l->statuses[1] = holt_stats(l->f->db, &stats, sizeof stats);
    l->statuses[2] = holt_collection_create(l->f->db, "inner", NULL, &c); /* writes a line itself */
    l->statuses[3] = holt_close(l->f->db);
}

/* The callback is the program's code, and the calls it makes may write lines: it must neither deadlock with
 * itself nor be called recursively. A close in it would free what its caller still uses. */
static void a_callback_may_call_holt(void **state)
{
    db_fixture *f = *state;
    listener l;
    size_t outer = 0, inner = 0;
    listener_init(&l, f);
    listen_to(&l, 0);
    l.also = call_holt;
    create(f->db, "outer");
    if (!f->simulated) wait_until_heard(&l, "inner");
    expect_ok(holt_sync(f->db)); /* the end of a call: queued lines are passed to the callback */
    assert_int_equal(find(&l, "\"outer\" created", &outer), 1);
    assert_int_equal(find(&l, "\"inner\" created", &inner), 1);
    assert_true(outer < inner);
    expect_get(f->c, NULL, "from", "within");
    db_fixture_close(f); /* after this no callback runs */
    for (int i = 0; i < 3; i++)
        assert_int_equal(l.statuses[i], HOLT_OK);
    assert_int_equal(l.statuses[3], HOLT_BUSY);
    assert_int_equal(l.depth_max, 1);
    db_fixture_open(f, 0);
    expect_get(f->c, NULL, "from", "within");
}

static void fail_within(listener *l, const char *line)
{
    (void)line;
    l->statuses[0] = holt_put(NULL, NULL, holt_str("a"), holt_str("b"));
}

/* The message of a failing call is read after it has returned: a callback at its end must not replace it. */
static void a_callback_that_fails_keeps_the_callers_message(void **state)
{
    db_fixture *f = *state;
    listener l;
    holt_collection *c;
    listener_init(&l, f);
    l.also = fail_within;
    listen_to(&l, 0);
    l.statuses[0] = HOLT_OK;
    create(f->db, "a");
    event_log *events;
    expect_ok(event_log_open(&events, f->os, 0, hear, &l));
    expect_status(HOLT_NOT_FOUND, holt_collection_open(f->db, "missing", &c));
    event_log_write(events, HOLT_LOG_INFO, "a line");
    event_log_hand_out(events);
    assert_int_equal(l.statuses[0], HOLT_INVALID);
    expect_words("missing");
    event_log_close(events);
    db_fixture_close(f);
    db_fixture_open(f, 0);
}

/* ---------------------------------------------------------------- close */

static void call_at_the_end(listener *l, const char *line)
{
    holt_collection *c;
    if (!strstr(line, "closed")) return;
    l->statuses[0] = holt_put(l->f->c, NULL, holt_str("a"), holt_str("b"));
    l->statuses[1] = holt_collection_open(l->f->db, "default", &c);
    l->statuses[2] = holt_health(l->f->db);
}

/* The last line comes when threads have ended and the log is finished: a put at that point could not be
 * kept. */
static void the_last_line_is_delivered_before_close_returns(void **state)
{
    db_fixture *f = *state;
    listener l;
    size_t at = 0;
    listener_init(&l, f);
    listen_to(&l, 0);
    l.also = call_at_the_end;
    put(f->c, "a", "1");
    holt_status rc = holt_close(f->db); /* the callback uses f->db and f->c */
    db_fixture_forget(f);
    expect_ok(rc);
    assert_int_equal(find(&l, "closed", &at), 1);
    assert_int_equal(at + 1, l.count);
    for (int i = 0; i < 3; i++)
        assert_int_equal(l.statuses[i], HOLT_CLOSED);
    db_fixture_open(f, 0);
    expect_get(f->c, NULL, "a", "1");
}

/* ---------------------------------------------------------------- order and loss */

/* The file's lines without time and level. */
static char *log_words(db_fixture *f, const char *name, size_t *lines)
{
    char path[TEMP_PATH_BYTES];
    size_t size;
    char *text = (char *)file_read(temp_dir_join(f->path, name, path), &size), *to = text;
    assert_non_null(text);
    *lines = 0;
    for (char *from = text; from < text + size;) {
        char *end = memchr(from, '\n', (size_t)(text + size - from));
        assert_non_null(end);
        from += strlen("2026-11-20T06:33:01.123Z INFO  ");
        memmove(to, from, (size_t)(end + 1 - from));
        to += end + 1 - from;
        from = end + 1;
        ++*lines;
    }
    *to = '\0';
    return text;
}

static void *create_some(void *ctx)
{
    listener *l = ctx;
    char name[40];
    for (int i = 0; i < 60; i++) {
        holt_collection *c;
        snprintf(name, sizeof name, "c%lx-%d", (unsigned long)pthread_self(), i);
        if (holt_collection_create(l->f->db, name, NULL, &c) != HOLT_OK) return l;
    }
    return NULL;
}

/* Lines are delivered by whichever thread comes first: two at once could swap them. */
static void the_callback_and_the_file_get_the_same_lines_in_order(void **state)
{
    db_fixture *f = *state;
    static listener l;
    pthread_t threads[3];
    void *failed = NULL;
    char path[TEMP_PATH_BYTES];
    listener_init(&l, f);
    db_fixture_close(f);
    assert_int_equal(unlink(temp_dir_join(f->path, "LOG", path)), 0);
    db_fixture_open(f, HOLT_OPEN_READ_ONLY); /* writes no line */
    listen_to(&l, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, create_some, &l), 0);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    db_fixture_close(f);
    size_t lines, at = 0;
    char *text = log_words(f, "LOG", &lines);
    assert_int_equal(lines, l.count);
    assert_true(lines > 180);
    for (size_t i = 0; i < l.count; i++) {
        char line[WORDS_MAX + 1];
        int size = snprintf(line, sizeof line, "%s\n", l.lines[i]);
        assert_memory_equal(text + at, line, (size_t)size);
        at += (size_t)size;
    }
    free(text);
    assert_int_equal(l.depth_max, 1);
    db_fixture_open(f, 0);
}

/* A callback that does not return must not stop the engine, nor use memory without bound; but the program
 * must learn that lines were dropped. */
static void lines_that_do_not_fit_are_counted(void **state)
{
    enum { EXTRA = 72 };
    db_fixture *f = *state;
    listener l;
    event_log *events;
    size_t at = 0;
    char words[80];
    listener_init(&l, f);
    expect_ok(event_log_open(&events, f->os, 0, hear, &l));
    for (int i = 0; i < EVENT_LOG_QUEUE_LINES + EXTRA; i++)
        event_log_write(events, HOLT_LOG_INFO, "line %d.", i);
    event_log_write(events, HOLT_LOG_DEBUG, "too detailed");
    event_log_hand_out(events);
    event_log_write(events, HOLT_LOG_INFO, "afterwards");
    event_log_hand_out(events);
    assert_int_equal(l.count, EVENT_LOG_QUEUE_LINES + 2);
    for (int i = 0; i < EVENT_LOG_QUEUE_LINES; i++) {
        snprintf(words, sizeof words, "line %d.", i);
        assert_string_equal(l.lines[i], words);
    }
    snprintf(words, sizeof words, "%d lines", EXTRA);
    assert_int_equal(find(&l, words, &at), 1);
    assert_int_equal(at, EVENT_LOG_QUEUE_LINES);
    assert_string_equal(l.lines[EVENT_LOG_QUEUE_LINES + 1], "afterwards");
    event_log_close(events);
}

static void write_more(listener *l, const char *line)
{
    event_log *events = (event_log *)l->f;
    if (strcmp(line, "first") != 0) return;
    for (int i = 0; i < 2 * EVENT_LOG_QUEUE_LINES; i++)
        event_log_write(events, HOLT_LOG_INFO, "line %d.", i);
    event_log_hand_out(events); /* does nothing: another call is delivering */
    event_log_write(events, HOLT_LOG_INFO, "the last");
}

/* Lines lost in the middle are reported at their place, even when there is room again before that. */
static void lost_lines_are_reported_in_their_place(void **state)
{
    (void)state;
    listener l;
    event_log *events;
    size_t lost = 0;
    sim_options machine = {.seed = 1};
    os *o = sim_create(&machine);
    listener_init(&l, NULL);
    expect_ok(event_log_open(&events, o, 0, hear, &l));
    l.f = (db_fixture *)events;
    l.also = write_more;
    event_log_write(events, HOLT_LOG_INFO, "first");
    event_log_hand_out(events);
    event_log_hand_out(events);
    assert_int_equal(find(&l, "lost here", &lost), 1);
    assert_int_equal(lost, EVENT_LOG_QUEUE_LINES + 1); /* after "first" and all that fit */
    assert_int_equal(l.count, EVENT_LOG_QUEUE_LINES + 2);
    assert_non_null(strstr(l.lines[lost], "129 lines")); /* "the last" came while it was full */
    event_log_close(events);
    sim_destroy(o);
}

/* Background work goes on while the program sleeps: no call returns that could deliver its lines. */
static void lines_arrive_without_a_call(void **state)
{
    db_fixture *f = *state;
    listener l;
    event_log *events;
    listener_init(&l, f);
    expect_ok(event_log_open(&events, f->os, 0, hear, &l));
    event_log_write(events, HOLT_LOG_INFO, "before the job");
    expect_ok(event_log_start(events));
    wait_until_heard(&l, "before the job");
    event_log_write(events, HOLT_LOG_INFO, "afterwards");
    wait_until_heard(&l, "afterwards");
    event_log_stop(events);
    event_log_write(events, HOLT_LOG_INFO, "after the job");
    assert_int_equal(heard(&l), 2);
    event_log_hand_out(events);
    assert_int_equal(heard(&l), 3);
    event_log_close(events);
}

/* ---------------------------------------------------------------- the file */

static uint64_t size_of(os_dir *d, const char *name)
{
    bool exists;
    uint64_t size;
    expect_ok(os_dir_stat(d, name, &exists, &size));
    return exists ? size : 0;
}

static event_log *open_log(os *o, os_dir *d)
{
    event_log *e;
    expect_ok(event_log_open(&e, o, 0, NULL, NULL));
    event_log_attach(e, d);
    return e;
}

/* About 140 bytes each. */
static void write_lines(event_log *e, int from, int to)
{
    for (int i = from; i < to; i++)
        event_log_write(e, HOLT_LOG_INFO, "line %0100d.", i);
}

static int first_number(os *o, const char *path, size_t *lines)
{
    void *bytes;
    size_t size;
    int number = -1;
    expect_ok(sim_peek(o, path, &bytes, &size));
    *lines = 0;
    for (size_t i = 0; i < size; i++)
        *lines += ((char *)bytes)[i] == '\n';
    assert_int_equal(((char *)bytes)[size - 1], '\n');
    assert_int_equal(sscanf((char *)bytes, "%*s INFO line %d.", &number), 1);
    mem_free(bytes);
    return number;
}

/* A database that is open for months must not fill the disk with its log. */
static void the_file_is_rotated_while_it_is_open(void **state)
{
    enum { LINES = 30000 };
    (void)state;
    sim_options machine = {.seed = 1};
    os *o = sim_create(&machine);
    os_dir *d;
    size_t lines, old_lines;
    expect_ok(os_dir_create(o, "/db"));
    expect_ok(os_dir_open(o, "/db", &d));
    event_log *e = open_log(o, d);
    write_lines(e, 0, LINES);
    assert_in_range(size_of(d, "LOG"), 1, EVENT_LOG_FILE_BYTES);
    assert_in_range(size_of(d, "LOG.old"), EVENT_LOG_FILE_BYTES - 200, EVENT_LOG_FILE_BYTES);
    int first = first_number(o, "/db/LOG", &lines), old = first_number(o, "/db/LOG.old", &old_lines);
    assert_int_equal(first + (int)lines, LINES);   /* none is missing at the end */
    assert_int_equal(old + (int)old_lines, first); /* nor between the two */
    event_log_close(e);
    e = open_log(o, d); /* continues the file, and knows how large it is */
    write_lines(e, LINES, LINES + 1);
    assert_int_equal(first_number(o, "/db/LOG", &lines), first);
    assert_int_equal(first + (int)lines, LINES + 1);
    write_lines(e, LINES + 1, LINES + 10000);
    assert_in_range(size_of(d, "LOG"), 1, EVENT_LOG_FILE_BYTES);
    event_log_close(e);
    os_dir_close(d);
    sim_destroy(o);
}

/* When no new file can be made, the old one is better than none; it is tried again later, not at every
 * line. */
static void a_file_that_cannot_be_rotated_goes_on(void **state)
{
    (void)state;
    sim_options machine = {.seed = 1};
    for (int what = 0; what < 2; what++) {
        sim_call kind = what ? SIM_OPEN : SIM_RENAME;
        os *o = sim_create(&machine);
        os_dir *d;
        expect_ok(os_dir_create(o, "/db"));
        expect_ok(os_dir_open(o, "/db", &d));
        event_log *e = open_log(o, d);
        expect_status(HOLT_INVALID, holt_put(NULL, NULL, holt_str("a"), holt_str("a")));
        sim_fail(o, kind, 1, EIO, true);
        uint64_t calls = sim_calls(o, kind);
        write_lines(e, 0, 10000);
        if (kind == SIM_RENAME) assert_int_equal(sim_calls(o, kind) - calls, 1);
        expect_words("collection handle is NULL"); /* not those of the file */
        sim_fail(o, kind, 0, 0, false);
        write_lines(e, 10000, 20000);
        assert_in_range(size_of(d, "LOG"), 1, EVENT_LOG_FILE_BYTES);
        event_log_close(e);
        os_dir_close(d);
        sim_destroy(o);
    }
}

#define SIM(name)   cmocka_unit_test_setup_teardown(name, db_fixture_sim, db_fixture_teardown)
#define POSIX(name) cmocka_unit_test_setup_teardown(name, db_fixture_posix, db_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        POSIX(a_callback_may_wait_for_a_thread_that_commits),
        POSIX(a_callback_may_call_holt),
        SIM(a_callback_may_call_holt),
        POSIX(a_callback_that_fails_keeps_the_callers_message),
        SIM(a_callback_that_fails_keeps_the_callers_message),
        POSIX(the_last_line_is_delivered_before_close_returns),
        SIM(the_last_line_is_delivered_before_close_returns),
        POSIX(the_callback_and_the_file_get_the_same_lines_in_order),
        SIM(lines_that_do_not_fit_are_counted),
        cmocka_unit_test(lost_lines_are_reported_in_their_place),
        POSIX(lines_arrive_without_a_call),
        cmocka_unit_test(the_file_is_rotated_while_it_is_open),
        cmocka_unit_test(a_file_that_cannot_be_rotated_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
