/* child.c -- the process of an engine: the child's side and the parent's side. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/number.h"
#include "files.h"
#include "interrupt.h"
#include "worker.h"

enum { SAMPLE_MS = 50 /* between samples of a child's memory */ };

/* Both ends run the same program, so structures go over the pipe as they are in memory. */
struct command {
    const workload *workload;
    bool run; /* else prepare */
};

struct reply {
    bool over, settled;
    figures figures;
};

/* ---------------------------------------------------------------- pipes */

static bool write_whole(int file, const void *data, size_t size)
{
    const char *p = data;
    while (size > 0) {
        ssize_t done = write(file, p, size);
        if (done < 0 && errno == EINTR && !interrupted()) continue;
        if (done <= 0) return false;
        p += done;
        size -= (size_t)done;
    }
    return true;
}

static bool read_whole(int file, void *data, size_t size)
{
    char *p = data;
    while (size > 0) {
        ssize_t done = read(file, p, size);
        if (done < 0 && errno == EINTR && !interrupted()) continue;
        if (done <= 0) return false;
        p += done;
        size -= (size_t)done;
    }
    return true;
}

/* ---------------------------------------------------------------- the child's side */

/* I/O by all threads of this process, including those that have ended. Zero where the kernel does not
 * count it. */
struct io {
    uint64_t read;    /* bytes read from the disk */
    uint64_t dirtied; /* bytes of files that became dirty, counted by folio */
    uint64_t written; /* bytes written by system calls */
    uint64_t calls;   /* system calls that wrote */
};

static struct io io_until_now(void)
{
    struct io io = {0, 0, 0, 0};
    char line[256];
    FILE *file = fopen("/proc/self/io", "re");
    while (file && fgets(line, sizeof line, file)) {
        (void)sscanf(line, "read_bytes: %" SCNu64, &io.read);
        (void)sscanf(line, "write_bytes: %" SCNu64, &io.dirtied);
        (void)sscanf(line, "wchar: %" SCNu64, &io.written);
        (void)sscanf(line, "syscw: %" SCNu64, &io.calls);
    }
    if (file) fclose(file);
    return io;
}

enum contents { CONTENTS_OTHER, CONTENTS_FULL, CONTENTS_SETTLED };

struct state {
    const compare_settings *settings;
    const engine *engine;
    engine_settings opened; /* how db is, or will be, opened */
    database *db;
    enum contents contents;
    struct io when_empty; /* when the directory was empty */
    uint64_t put;         /* entries since then */
    const workload *current;
    uint64_t position; /* its next operation */
};

static uint64_t cpu_ns(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u); /* cannot fail with these arguments */
    return ((uint64_t)u.ru_utime.tv_sec + (uint64_t)u.ru_stime.tv_sec) * 1000000000u +
           ((uint64_t)u.ru_utime.tv_usec + (uint64_t)u.ru_stime.tv_usec) * 1000u;
}

/* Bytes written to files since then. The kernel may count a whole folio, up to 1 MiB, for one page that
 * became dirty, so the count is capped by what the calls can have dirtied: what they wrote, and the rest of a
 * page for each. There is no cap for an engine that stores through a mapping, without calls. */
static uint64_t written_since(const struct state *c, const struct io *then)
{
    struct io now = io_until_now();
    uint64_t dirtied = now.dirtied - then->dirtied;
    uint64_t called = now.written - then->written + (now.calls - then->calls) * 4096;
    bool maps = c->engine->maps && !c->opened.sync;
    return maps || dirtied < called ? dirtied : called;
}

/* Anonymous memory of the process; 0 if it is gone. */
static uint64_t anonymous_bytes(pid_t pid)
{
    unsigned long kilobytes = 0;
    char line[256];
    snprintf(line, sizeof line, "/proc/%d/status", (int)pid);
    FILE *file = fopen(line, "re");
    if (!file) return 0;
    while (fgets(line, sizeof line, file) && sscanf(line, "RssAnon: %lu", &kilobytes) != 1) {
    }
    fclose(file);
    return (uint64_t)kilobytes * 1024;
}

static void close_database(struct state *c)
{
    engine_close(c->engine, c->db);
    c->db = NULL;
}

static void open_database(struct state *c, bool sync)
{
    const bool transactions = c->current && c->current->transacts;
    if (c->db && c->opened.sync == sync && c->opened.transactions == transactions) return;
    close_database(c);
    c->opened.sync = sync;
    c->opened.transactions = transactions;
    c->db = engine_open(c->engine, &c->opened);
}

static void empty_database(struct state *c)
{
    close_database(c);
    files_remove(c->opened.directory);
    c->opened.buffer_bytes = c->settings->engine.buffer_bytes; /* an opening may have used more */
    c->contents = CONTENTS_OTHER;
    c->put = 0;
    c->when_empty = io_until_now();
}

/* A write buffer for all entries: no engine adds more than this to an entry. Engines accept at most 1 GiB. */
static uint64_t buffer_for_all(const compare_settings *s)
{
    uint64_t wanted = s->num * (s->key_bytes + s->value_bytes + 256), max = (uint64_t)1 << 30;
    if (wanted > max) wanted = max;
    return wanted > s->engine.buffer_bytes ? wanted : s->engine.buffer_bytes;
}

/* unsynced_bytes: how much of the end is to be left unsynced; 0: everything. */
static void fill(struct state *c, uint64_t unsynced_bytes)
{
    const compare_settings *s = c->settings;
    uint64_t unsynced = unsynced_bytes / (s->key_bytes + s->value_bytes);
    uint64_t sync_at = unsynced_bytes && unsynced < s->num ? s->num - unsynced : UINT64_MAX;
    worker w;
    worker_init(&w, s, c->engine, NULL, c->db);
    for (uint64_t i = 0; i < s->num; i++) {
        if (i == sync_at) c->engine->sync(c->db);
        (void)worker_fill_random(&w, i);
    }
    worker_deinit(&w);
    c->put += s->num;
    c->contents = CONTENTS_FULL;
}

static void ensure_filled(struct state *c)
{
    if (c->contents == CONTENTS_OTHER) {
        empty_database(c);
        open_database(c, false);
        fill(c, 0);
    }
    open_database(c, false);
}

static bool settle(struct state *c, figures *out)
{
    ensure_filled(c);
    if (c->contents == CONTENTS_SETTLED) return false;
    uint64_t cpu = cpu_ns(), start = number_clock_ns();
    c->engine->settle(c->db);
    out->elapsed_ns = number_clock_ns() - start;
    out->cpu_ns = cpu_ns() - cpu;
    out->put = c->put;
    out->written_bytes = written_since(c, &c->when_empty);
    c->contents = CONTENTS_SETTLED;
    return true;
}

/* The parent kills this process next; its successor opens the database. */
static void leave_unclean(struct state *c, bool synced)
{
    empty_database(c);
    c->opened.buffer_bytes = buffer_for_all(c->settings);
    open_database(c, false);
    fill(c, synced ? 1 << 20 : 0);
}

static void prepare(struct state *c, const workload *w, struct reply *out)
{
    if (c->current != w || w->whole || w->need == NEED_EMPTY) c->position = 0;
    c->current = w;
    switch (w->need) {
    case NEED_NOTHING:
        empty_database(c);
        break;
    case NEED_EMPTY:
        empty_database(c);
        open_database(c, w->sync);
        break;
    case NEED_FULL:
        ensure_filled(c);
        break;
    case NEED_SETTLED:
        out->settled = settle(c, &out->figures);
        break;
    case NEED_UNCLEAN:
    case NEED_SYNCED:
        leave_unclean(c, w->need == NEED_SYNCED);
        break;
    }
}

/* Checks up to a thousand of the recovered entries: the last one put, and others at even intervals before it.
 * Returns how many are missing or wrong. */
static uint64_t count_lost(struct state *c)
{
    uint64_t num = c->settings->num, step = (num + 999) / 1000;
    worker w;
    if (!c->engine->get) return 0;
    worker_init(&w, c->settings, c->engine, NULL, c->db);
    for (uint64_t i = num; i > 0; i -= i < step ? i : step) {
        worker_check_filled(&w, i - 1);
    }
    worker_deinit(&w);
    return w.wrong;
}

static void run_opening(struct state *c, const workload *w, figures *out)
{
    if (w->need != NEED_NOTHING) c->opened.buffer_bytes = buffer_for_all(c->settings);
    uint64_t start = number_clock_ns();
    open_database(c, false);
    out->elapsed_ns = number_clock_ns() - start;
    out->operations = 1;
    latency_histogram_add(&out->latencies, out->elapsed_ns);
}

static void run(struct state *c, const workload *w, struct reply *out)
{
    uint64_t cpu = cpu_ns(), end = w->operations ? w->operations(c->settings) : UINT64_MAX;
    struct io before = io_until_now();
    figures *f = &out->figures;
    if (w->opens) {
        run_opening(c, w, f);
    } else {
        worker_run_slice(c->settings, c->engine, w, c->db, c->position, end, c->settings->slice_ms * 1000000u,
                         &c->position, f);
    }
    out->over = !w->whole || w->opens || c->position >= end;
    f->cpu_ns = cpu_ns() - cpu;
    f->read_bytes = io_until_now().read - before.read;
    f->written_bytes = written_since(c, &before);
    f->put = (w->puts ? f->operations : 0) + f->beside;
    c->put += f->put;
    f->anonymous_bytes = anonymous_bytes(getpid());
    /* Only now, so that the check is not part of the figures. */
    if (w->opens && w->need != NEED_NOTHING) f->wrong = count_lost(c);
    if (w->leaves == LEAVES_FULL) c->contents = out->over ? CONTENTS_FULL : CONTENTS_OTHER;
    if (w->leaves == LEAVES_OTHER) c->contents = CONTENTS_OTHER;
}

static _Noreturn void child_main(const child *parent, int commands, int replies)
{
    struct state c = {.settings = parent->settings, .engine = parent->engine};
    struct command command;
    struct reply *reply = engine_allocate(sizeof *reply);
    c.opened = c.settings->engine;
    snprintf(c.opened.directory, sizeof c.opened.directory, "%s", parent->directory);
    while (read_whole(commands, &command, sizeof command)) {
        memset(reply, 0, sizeof *reply);
        if (command.run) {
            run(&c, command.workload, reply);
        } else {
            prepare(&c, command.workload, reply);
        }
        if (!write_whole(replies, reply, sizeof *reply)) break;
    }
    _exit(0); /* the files are removed next: no need to close them properly */
}

/* ---------------------------------------------------------------- the parent's side */

static void become_child(const child *c, int commands[2], int replies[2])
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* else a stopped child would stay for ever */
    signal(SIGINT, SIG_IGN);                /* Ctrl-C is for the parent, which kills us */
    close(commands[1]);
    close(replies[0]);
    child_main(c, commands[0], replies[1]);
}

/* The child is moved into its group while it waits for its first command and has used next to no memory. */
static bool start_process(child *c)
{
    int commands[2], replies[2];
    if (pipe2(commands, O_CLOEXEC) != 0 || pipe2(replies, O_CLOEXEC) != 0) {
        fprintf(stderr, "compare: pipe: %s\n", strerror(errno));
        return false;
    }
    fflush(stdout); /* or buffered output would be written twice */
    c->pid = fork();
    if (c->pid == 0) become_child(c, commands, replies);
    close(commands[0]);
    close(replies[1]);
    c->commands = commands[1];
    c->replies = replies[0];
    if (c->pid > 0) return !c->group.path[0] || memory_group_add(&c->group, c->pid);
    fprintf(stderr, "compare: fork: %s\n", strerror(errno));
    c->pid = 0;
    return false;
}

bool child_start(child *c, const compare_settings *s, const engine *e)
{
    *c = (child){.settings = s, .engine = e};
    snprintf(c->directory, sizeof c->directory, "%s/%s", s->directory, e->name);
    if (mkdir(c->directory, 0777) != 0) {
        fprintf(stderr, "compare: %s: %s\n", c->directory, strerror(errno));
        return false;
    }
    if (s->engine.memory_limit && !memory_group_create(&c->group, e->name, s->engine.memory_limit))
        return false;
    return start_process(c);
}

void child_kill(child *c)
{
    if (c->pid == 0) return;
    kill(c->pid, SIGKILL);
    (void)waitpid(c->pid, NULL, 0);
    close(c->commands);
    close(c->replies);
    c->pid = 0;
}

/* Waits for a reply, sampling the child's memory. Returns the maximum. */
static uint64_t watch_memory(const child *c)
{
    struct pollfd reply = {.fd = c->replies, .events = POLLIN};
    uint64_t peak = 0;
    while (!interrupted() && poll(&reply, 1, SAMPLE_MS) == 0) {
        uint64_t now = anonymous_bytes(c->pid);
        if (now > peak) peak = now;
    }
    return peak;
}

/* Sends a command and waits for the reply. The child runs only meanwhile. */
static bool execute(child *c, const workload *w, bool run, bool *flag, figures *out)
{
    struct command command = {.workload = w, .run = run};
    struct reply *reply = engine_allocate(sizeof *reply);
    kill(c->pid, SIGCONT);
    bool replied = write_whole(c->commands, &command, sizeof command);
    uint64_t peak = replied ? watch_memory(c) : 0;
    replied = replied && read_whole(c->replies, reply, sizeof *reply);
    kill(c->pid, SIGSTOP);
    *flag = run ? reply->over : reply->settled;
    *out = reply->figures;
    if (peak > out->anonymous_bytes) out->anonymous_bytes = peak;
    free(reply);
    return replied;
}

bool child_prepare(child *c, const workload *w, bool *settled, figures *out)
{
    if (!execute(c, w, false, settled, out)) return false;
    if (w->need != NEED_UNCLEAN && w->need != NEED_SYNCED) return true;
    child_kill(c);
    return start_process(c);
}

bool child_run(child *c, const workload *w, bool *over, figures *out)
{
    return execute(c, w, true, over, out);
}

uint64_t child_disk_bytes(const child *c)
{
    return files_bytes(c->directory);
}

bool child_out_of_memory(const child *c)
{
    return memory_group_kills(&c->group) > 0;
}

void child_remove(child *c)
{
    files_remove(c->directory);
    (void)rmdir(c->directory); /* plan.c reports what is left over */
    memory_group_remove(&c->group);
}
