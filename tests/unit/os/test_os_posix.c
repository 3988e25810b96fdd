/* test_os_posix.c -- the real machine, in a directory of its own under TMPDIR. */
#include "os/os.h"
#include "os/posix/posix.h"

#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void ok_at(holt_status status, const char *file, int line)
{
    if (status == HOLT_OK) return;
    print_error("%s: %s\n", holt_status_name(status), holt_error_message());
    _fail(file, line);
}

#define ok(call) ok_at(call, __FILE__, __LINE__)

/* ---------------------------------------------------------------- a directory for each test */

typedef struct place {
    char path[200];
    os_dir *d;
} place;

static int place_setup(void **state)
{
    static place p;
    const char *tmp = getenv("TMPDIR");
    snprintf(p.path, sizeof p.path, "%s/holt-os-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(p.path) || os_dir_open(os_posix(), p.path, &p.d) != HOLT_OK) return -1;
    *state = &p;
    return 0;
}

static holt_status unlink_it(void *ctx, const char *name)
{
    return os_dir_unlink(ctx, name);
}

static int place_teardown(void **state)
{
    place *p = *state;
    (void)os_dir_list(p->d, unlink_it, p->d); /* what is left shows in the rmdir */
    os_dir_close(p->d);
    return rmdir(p->path);
}

static os_file *file_of(os_dir *d, const char *name)
{
    os_file *f;
    ok(os_file_open(d, name, OS_WRITE | OS_CREATE, &f));
    return f;
}

static os_dir *dir_of(const char *path)
{
    os_dir *d;
    ok(os_dir_open(os_posix(), path, &d));
    return d;
}

/* Runs `body` in a child; what it returns is the child's exit status. */
static int in_child(int (*body)(place *p), place *p)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(body(p));
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    return WIFEXITED(result) ? WEXITSTATUS(result) : 1000 + WTERMSIG(result);
}

/* ---------------------------------------------------------------- files */

/* What is written can be read, at any offset, and a read past the end returns what there is. */
static void file_reads_back_what_was_written(void **state)
{
    place *p = *state;
    os_file *f = file_of(p->d, "a");
    assert_string_equal(os_file_name(f), "a");
    ok(os_file_write(f, 5, "world", 5));
    ok(os_file_write(f, 0, "hello", 5));
    ok(os_file_sync(f));
    os_file_push(f, 0, 10);
    os_file_advise(f, OS_ADVICE_RANDOM, 0, 0);
    os_file_advise(f, OS_ADVICE_SEQUENTIAL, 0, 0);
    os_file_advise(f, OS_ADVICE_WILL_NEED, 0, 10);
    os_file_advise(f, OS_ADVICE_DONT_NEED, 0, 10);
    char text[20];
    size_t got;
    ok(os_file_read(f, 3, text, sizeof text, &got));
    assert_int_equal(got, 7);
    assert_memory_equal(text, "loworld", 7);
    ok(os_file_read(f, 100, text, sizeof text, &got));
    assert_int_equal(got, 0);
    ok(os_file_read_exact(f, 0, text, 10));
    assert_int_equal(os_file_read_exact(f, 8, text, 3), HOLT_CORRUPT);
    assert_string_equal(holt_error_message(), "a: file ends at 10: 3 bytes wanted at 8");
    ok(os_file_read(f, UINT64_MAX - 1, text, sizeof text, &got)); /* as from a damaged pointer */
    assert_int_equal(got, 0);
    assert_int_equal(os_file_write(f, UINT64_MAX - 1, text, 1), HOLT_IO);
    ok(os_file_write(f, 0, NULL, 0));

    uint64_t size;
    ok(os_file_truncate(f, 4));
    ok(os_file_size(f, &size));
    assert_int_equal(size, 4);
    ok(os_file_allocate(f, 100000));
    ok(os_file_size(f, &size));
    assert_int_equal(size, 100000);
    ok(os_file_allocate(f, 10)); /* never shrinks */
    ok(os_file_allocate(f, 0));
    ok(os_file_size(f, &size));
    assert_int_equal(size, 100000);
    os_file_close(f);
    os_file_close(NULL);
}

/* Each flag does what it says; whether a file exists is a result, not an error. */
static void open_flags_are_obeyed(void **state)
{
    place *p = *state;
    os_file *f;
    assert_int_equal(os_file_open(p->d, "a", OS_READ, &f), HOLT_NOT_FOUND);
    assert_null(f);
    assert_int_equal(os_file_open(p->d, "a", OS_WRITE, &f), HOLT_NOT_FOUND);
    ok(os_file_open(p->d, "a", OS_WRITE | OS_CREATE | OS_EXCLUSIVE, &f));
    ok(os_file_write(f, 0, "text", 4));
    os_file_close(f);
    assert_int_equal(os_file_open(p->d, "a", OS_WRITE | OS_CREATE | OS_EXCLUSIVE, &f), HOLT_EXISTS);
    assert_null(f);
    ok(os_file_open(p->d, "a", OS_READ, &f));
    assert_int_equal(os_file_write(f, 0, "x", 1), HOLT_IO);
    assert_int_equal(os_file_truncate(f, 0), HOLT_IO);
    os_file_close(f);
    ok(os_file_open(p->d, "a", OS_WRITE | OS_TRUNCATE, &f));
    uint64_t size;
    ok(os_file_size(f, &size));
    assert_int_equal(size, 0);
    os_file_close(f);
}

/* A name from a damaged manifest must not reach outside the directory. */
static void names_are_checked_before_they_are_used(void **state)
{
    place *p = *state;
    char long_name[OS_NAME_MAX + 1];
    memset(long_name, 'n', sizeof long_name);
    long_name[OS_NAME_MAX] = '\0';
    const char *bad[] = {"", "a/b", "/etc/passwd", long_name};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        os_file *f;
        bool exists;
        uint64_t size;
        assert_int_equal(os_file_open(p->d, bad[i], OS_WRITE | OS_CREATE, &f), HOLT_INVALID);
        assert_null(f);
        assert_int_equal(os_dir_unlink(p->d, bad[i]), HOLT_INVALID);
        assert_int_equal(os_dir_rename(p->d, bad[i], "b"), HOLT_INVALID);
        assert_int_equal(os_dir_rename(p->d, "b", bad[i]), HOLT_INVALID);
        assert_int_equal(os_dir_stat(p->d, bad[i], &exists, &size), HOLT_INVALID);
    }
    long_name[OS_NAME_MAX - 1] = '\0';
    os_file_close(file_of(p->d, long_name));
}

/* /dev/full is a disk without space: the status tells it from other errors. */
static void full_disk_is_told_from_other_errors(void **state)
{
    os_dir *dev = dir_of("/dev");
    os_file *full;
    ok(os_file_open(dev, "full", OS_WRITE, &full));
    assert_int_equal(os_file_write(full, 8192, "x", 1), HOLT_NO_SPACE);
    assert_string_equal(holt_error_message(), "full: write of 1 bytes at 8192: No space left on device");
    holt_error error;
    holt_error_get(&error, sizeof error);
    assert_int_equal(error.os_errno, ENOSPC);
    assert_string_equal(error.file, "full");
    assert_int_equal(error.offset, 8192);
    assert_int_equal(os_file_sync(full), HOLT_IO); /* a device of characters has nothing to sync */
    os_file_close(full);
    os_dir_close(dev);
}

static int allocate_past_the_limit(place *p)
{
    struct rlimit limit = {1 << 20, 1 << 20};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    os_file *f;
    uint64_t size;
    if (os_file_open(p->d, "a", OS_WRITE, &f) != HOLT_OK) return 1;
    if (os_file_allocate(f, 2 << 20) != HOLT_IO) return 2;
    if (os_file_size(f, &size) != HOLT_OK || size != 4) return 3;
    if (os_file_write(f, 2 << 20, "x", 1) != HOLT_IO) return 4;
    os_file_close(f);
    return 0;
}

/* What could not be allocated must not have made the file longer. */
static void failed_allocation_leaves_the_file_as_it_was(void **state)
{
    place *p = *state;
    os_file *f = file_of(p->d, "a");
    ok(os_file_write(f, 0, "text", 4));
    os_file_close(f);
    assert_int_equal(in_child(allocate_past_the_limit, p), 0);
}

/* ---------------------------------------------------------------- directories */

typedef struct listing {
    int count;
    bool seen_a, seen_cut;
} listing;

static holt_status look_at_name(void *ctx, const char *name)
{
    listing *l = ctx;
    l->count++;
    l->seen_a = l->seen_a || strcmp(name, "a") == 0;
    l->seen_cut = l->seen_cut || strlen(name) == OS_NAME_MAX - 1;
    return HOLT_OK;
}

static holt_status refuse(void *ctx, const char *name)
{
    ++*(int *)ctx;
    return HOLT_BUSY;
}

/* Other programs' files in our directory may have longer names than ours: they are listed, cut. */
static void listing_shows_every_entry_once(void **state)
{
    place *p = *state;
    listing l = {0};
    ok(os_dir_list(p->d, look_at_name, &l));
    assert_int_equal(l.count, 0);
    os_file_close(file_of(p->d, "a"));
    os_file_close(file_of(p->d, "b"));
    char path[500], name[101];
    memset(name, 'n', 100);
    name[100] = '\0';
    snprintf(path, sizeof path, "%s/%s", p->path, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    for (int i = 0; i < 2; i++) { /* a second listing begins at the beginning */
        l = (listing){0};
        ok(os_dir_list(p->d, look_at_name, &l));
        assert_int_equal(l.count, 3);
        assert_true(l.seen_a && l.seen_cut);
    }
    int count = 0;
    assert_int_equal(os_dir_list(p->d, refuse, &count), HOLT_BUSY);
    assert_int_equal(count, 1);
    assert_int_equal(unlink(path), 0);
}

/* Names change by rename and unlink, and stat sees it. */
static void rename_replaces_and_unlink_removes(void **state)
{
    place *p = *state;
    os_file *f = file_of(p->d, "a");
    ok(os_file_write(f, 0, "aaa", 3));
    os_file_close(file_of(p->d, "b"));
    ok(os_dir_rename(p->d, "a", "b"));
    ok(os_dir_sync(p->d));
    bool exists;
    uint64_t size;
    ok(os_dir_stat(p->d, "a", &exists, &size));
    assert_false(exists);
    ok(os_dir_stat(p->d, "b", &exists, &size));
    assert_true(exists);
    assert_int_equal(size, 3);
    assert_int_equal(os_dir_rename(p->d, "a", "b"), HOLT_IO);
    assert_string_equal(holt_error_message(), "a: rename to b: No such file or directory");
    assert_int_equal(os_dir_unlink(p->d, "a"), HOLT_NOT_FOUND);
    ok(os_dir_unlink(p->d, "b"));
    char text[3];
    ok(os_file_read_exact(f, 0, text, 3)); /* an open file outlives its name */
    os_file_close(f);
}

/* What a path leads to decides between a result, a wrong call and an error. */
static void directories_are_made_and_opened(void **state)
{
    place *p = *state;
    os *o = os_posix();
    char path[300], deep[320];
    snprintf(path, sizeof path, "%s/sub", p->path);
    snprintf(deep, sizeof deep, "%s/deep/", path);
    os_dir *d;
    assert_int_equal(os_dir_open(o, path, &d), HOLT_NOT_FOUND);
    assert_null(d);
    assert_int_equal(os_dir_open(o, deep, &d), HOLT_NOT_FOUND);
    assert_int_equal(os_dir_create(o, deep), HOLT_NOT_FOUND);
    ok(os_dir_create(o, path));
    assert_int_equal(os_dir_create(o, path), HOLT_EXISTS);
    ok(os_dir_create(o, deep));
    d = dir_of(deep);
    assert_string_equal(os_dir_path(d), deep);
    assert_ptr_equal(os_dir_os(d), o);
    ok(os_dir_sync(d));

    bool exists;
    uint64_t size, bytes;
    ok(os_dir_free_bytes(d, &bytes));
    assert_true(bytes > 0);
    ok(os_dir_stat(p->d, "sub", &exists, &size));
    assert_true(exists);
    assert_int_equal(os_dir_unlink(p->d, "sub"), HOLT_IO);
    os_dir_close(d);
    os_dir_close(NULL);
    bool removed;
    ok(os_dir_remove(o, path, &removed));
    assert_false(removed); /* not empty */
    ok(os_dir_remove(o, deep, &removed));
    assert_true(removed);
    assert_int_equal(os_dir_remove(o, deep, &removed), HOLT_NOT_FOUND);
    ok(os_dir_remove(o, path, &removed));
    assert_true(removed);

    os_file_close(file_of(p->d, "sub"));
    assert_int_equal(os_dir_open(o, path, &d), HOLT_INVALID);
    assert_non_null(strstr(holt_error_message(), "not a directory"));
    assert_int_equal(os_dir_create(o, path), HOLT_EXISTS);
}

static int create_relative(place *p)
{
    if (chdir(p->path) != 0) return 1;
    if (os_dir_create(os_posix(), "sub//") != HOLT_OK) return 2;
    if (os_dir_create(os_posix(), "./sub/deep") != HOLT_OK) return 3;
    if (rmdir("sub/deep") != 0 || rmdir("sub") != 0) return 4;
    return os_dir_create(os_posix(), "/") == HOLT_EXISTS ? 0 : 5;
}

/* The parent that is synced is found for a relative path too. */
static void relative_paths_have_a_parent(void **state)
{
    assert_int_equal(in_child(create_relative, *state), 0);
}

/* A database opened through a link, or moved while it is open, is the same database. */
static void identity_is_of_the_directory_not_of_its_path(void **state)
{
    place *p = *state;
    char link_path[300], moved[300];
    snprintf(link_path, sizeof link_path, "%s-link", p->path);
    snprintf(moved, sizeof moved, "%s-moved", p->path);
    assert_int_equal(symlink(p->path, link_path), 0);
    os_dir *same = dir_of(link_path), *other = dir_of("/");
    uint64_t a[2], b[2], c[2];
    os_dir_identity(p->d, a);
    os_dir_identity(same, b);
    os_dir_identity(other, c);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, c, sizeof a);
    assert_int_equal(rename(p->path, moved), 0);
    os_file_close(file_of(p->d, "a"));
    assert_int_equal(rename(moved, p->path), 0);
    os_dir_close(same);
    os_dir_close(other);
    assert_int_equal(unlink(link_path), 0);
}

/* Each allocation of each call fails once: a status is returned, and no descriptor is left open. */
static void failed_allocation_leaks_no_descriptor(void **state)
{
    place *p = *state;
    os *o = os_posix();
    os_file_close(file_of(p->d, "a"));
    int fd_before = open("/", O_RDONLY | O_CLOEXEC);
    close(fd_before);
    for (uint64_t n = 1; n <= 2; n++) {
        os_dir *d;
        mem_fail_at(n, false);
        assert_int_equal(os_dir_open(o, p->path, &d), HOLT_NO_MEMORY);
        assert_null(d);
    }
    os_file *f;
    mem_fail_at(1, false);
    assert_int_equal(os_file_open(p->d, "a", OS_READ, &f), HOLT_NO_MEMORY);
    listing l = {0};
    mem_fail_at(1, false);
    assert_int_equal(os_dir_list(p->d, look_at_name, &l), HOLT_NO_MEMORY);
    mem_fail_at(1, false);
    assert_int_equal(os_dir_create(o, "/tmp/never-made"), HOLT_NO_MEMORY);
    mem_fail_at(1, false);
    assert_int_equal(os_dir_create(o, "never-made"), HOLT_NO_MEMORY);
    os_job *j;
    mem_fail_at(1, false);
    assert_int_equal(os_job_start(o, "job", 0, NULL, NULL, &j), HOLT_NO_MEMORY);
    assert_null(j);
    mem_fail_at(0, false);
    int fd_after = open("/", O_RDONLY | O_CLOEXEC);
    close(fd_after);
    assert_int_equal(fd_after, fd_before); /* the lowest free one */
}

/* ---------------------------------------------------------------- maps */

/* A store is seen by a read and the reverse; a map past the end is refused, where a store would be SIGBUS. */
static void map_stores_reach_the_file(void **state)
{
    place *p = *state;
    os_file *f = file_of(p->d, "a");
    ok(os_file_allocate(f, 1 << 20));
    os_map m;
    holt_status status = os_file_map(f, 65536, 65536, &m);
    if (status == HOLT_UNSUPPORTED) { /* TMPDIR is on some other file system */
        assert_null(m.bytes);
        os_file_close(f);
        skip();
    }
    ok(status);
    assert_ptr_equal(m.file, f);
    os_map_store(&m, 100, "stored", 6);
    os_map_store(&m, m.size, NULL, 0);
    char text[6];
    ok(os_file_read_exact(f, 65636, text, 6));
    assert_memory_equal(text, "stored", 6);
    ok(os_file_write(f, 65536, "w", 1));
    assert_int_equal(m.bytes[0], 'w');
    os_file_unmap(&m);
    assert_null(m.bytes);
    os_file_unmap(&m);

    assert_int_equal(os_file_map(f, 0, 2 << 20, &m), HOLT_IO);
    assert_null(m.bytes);
    os_file_unmap(&m);
    os_file_close(f);
    ok(os_file_open(p->d, "a", OS_READ, &f));
    assert_int_equal(os_file_map(f, 0, 4096, &m), HOLT_IO);
    os_file_close(f);
}

/* On file systems other than those we know, mapped writing is refused. */
static void map_is_refused_on_other_file_systems(void **state)
{
    os_dir *d = dir_of("/proc/self");
    os_file *f;
    ok(os_file_open(d, "comm", OS_WRITE, &f));
    os_map m;
    assert_int_equal(os_file_map(f, 0, 4096, &m), HOLT_UNSUPPORTED);
    os_file_close(f);
    os_dir_close(d);
}

/* ---------------------------------------------------------------- locks */

/* Plain POSIX locks would let one process lock a file twice, and lose both at the first close. */
static void locks_conflict_within_a_process(void **state)
{
    place *p = *state;
    os_file *a = file_of(p->d, "LOCK"), *b = file_of(p->d, "LOCK"), *other = file_of(p->d, "other");
    ok(os_file_lock(a, true));
    ok(os_file_lock(other, true));
    assert_int_equal(os_file_lock(b, true), HOLT_BUSY);
    assert_string_equal(holt_error_message(), "LOCK: locked in this process");
    assert_int_equal(os_file_lock(b, false), HOLT_BUSY);
    os_file_close(b);
    b = file_of(p->d, "LOCK");
    assert_int_equal(os_file_lock(b, true), HOLT_BUSY); /* a close elsewhere has unlocked nothing */
    os_file_unlock(a);
    os_file_unlock(a);
    ok(os_file_lock(b, false));
    assert_int_equal(os_file_lock(a, true), HOLT_BUSY);
    ok(os_file_lock(a, false));
    os_file_close(a);
    os_file_close(b);
    os_file_close(other);
}

static int lock_it_exclusively(place *p)
{
    os_dir *d;
    os_file *f;
    if (os_dir_open(os_posix(), p->path, &d) != HOLT_OK) return 100;
    if (os_file_open(d, "LOCK", OS_WRITE | OS_CREATE, &f) != HOLT_OK) return 101;
    holt_status status = os_file_lock(f, true);
    if (status == HOLT_BUSY && !strstr(holt_error_message(), "another process")) return 102;
    os_file_close(f);
    os_dir_close(d);
    return (int)status;
}

/* A child reopens what its parent has locked: it is another process, and knows it. */
static void locks_conflict_between_processes(void **state)
{
    place *p = *state;
    os_file *f = file_of(p->d, "LOCK");
    assert_int_equal(in_child(lock_it_exclusively, p), HOLT_OK);
    ok(os_file_lock(f, true));
    assert_int_equal(in_child(lock_it_exclusively, p), HOLT_BUSY);
    os_file_unlock(f);
    ok(os_file_lock(f, false));
    assert_int_equal(in_child(lock_it_exclusively, p), HOLT_BUSY);
    os_file_close(f);
    assert_int_equal(in_child(lock_it_exclusively, p), HOLT_OK);
}

static os_file *inherited;

static int close_what_was_inherited(place *p)
{
    os_file_unlock(inherited);
    os_file_close(inherited);
    return 0;
}

/* An OFD lock is shared with a child, which could unlock it for its parent. */
static void child_cannot_unlock_for_its_parent(void **state)
{
    place *p = *state;
    inherited = file_of(p->d, "LOCK");
    ok(os_file_lock(inherited, true));
    assert_int_equal(in_child(close_what_was_inherited, p), 0);
    assert_int_equal(in_child(lock_it_exclusively, p), HOLT_BUSY);
    os_file_close(inherited);
    assert_int_equal(in_child(lock_it_exclusively, p), HOLT_OK);
}

static int up[2], stay[2]; /* pipes: the grandchild is up, and stays until this one ends */

/* Locks, forks a child that stays, and dies as by kill -9. */
static int die_and_leave_a_child(place *p)
{
    os_file *f;
    if (os_file_open(p->d, "LOCK", OS_WRITE | OS_CREATE, &f) != HOLT_OK) return 1;
    if (os_file_lock(f, true) != HOLT_OK) return 2;
    close(stay[1]);
    pid_t child = fork();
    if (child < 0) return 3;
    char byte = 'u';
    if (child > 0) return read(up[0], &byte, 1) == 1 ? 0 : 4;
    if (write(up[1], &byte, 1) != 1) return 5;
    return read(stay[0], &byte, 1) == 0 ? 0 : 6;
}

/* A server that forks and is killed must not leave its database locked by a child that never used it. */
static void lock_does_not_survive_in_a_child(void **state)
{
    place *p = *state;
    assert_int_equal(pipe(up), 0);
    assert_int_equal(pipe(stay), 0);
    assert_int_equal(in_child(die_and_leave_a_child, p), 0);
    assert_int_equal(in_child(lock_it_exclusively, p), HOLT_OK);
    for (int i = 0; i < 2; i++) {
        close(up[i]);
        close(stay[i]);
    }
}

static int count_generations(place *p)
{
    return (int)os_fork_generation();
}

static int count_generations_of_a_grandchild(place *p)
{
    pid_t child = fork();
    if (child == 0) _exit((int)os_fork_generation());
    int result;
    waitpid(child, &result, 0);
    return WEXITSTATUS(result);
}

/* A handle's generation tells an inherited handle from one of this process. */
static void fork_generation_grows_in_children_only(void **state)
{
    assert_int_equal(os_fork_generation(), 0);
    assert_int_equal(in_child(count_generations, NULL), 1);
    assert_int_equal(in_child(count_generations_of_a_grandchild, NULL), 2);
    assert_int_equal(os_fork_generation(), 0);
}

/* ---------------------------------------------------------------- mutexes and conditions */

/* Without the words of the assertion and without a core file. */
static void expect_abort(void)
{
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGABRT, SIG_DFL);
    int null = open("/dev/null", O_WRONLY);
    dup2(null, STDERR_FILENO);
}

static int lock_downwards(place *p)
{
    expect_abort();
    os_mutex a, b;
    os_mutex_init(&a, LOCK_RANK_WAL);
    os_mutex_init(&b, LOCK_RANK_COMMIT);
    os_mutex_lock(&a);
    os_mutex_lock(&b);
    return 0;
}

/* An assertion enforces the order; without it a deadlock would show only on rare occasions. A try may come in
 * any order. */
static void mutexes_are_taken_in_their_order(void **state)
{
    os_mutex low, high;
    os_mutex_init(&low, LOCK_RANK_COMMIT);
    os_mutex_init(&high, LOCK_RANK_WAL);
    os_mutex_lock(&low);
    os_mutex_lock(&high);
    os_mutex_assert_held(&low);
    os_mutex_unlock(&low); /* in any order */
    assert_true(os_mutex_try_lock(&low));
    os_mutex_unlock(&high);
    os_mutex_unlock(&low);
    uint64_t ranks = os_lock_ranks_take();
    os_lock_ranks_give(ranks);
    os_mutex_deinit(&low);
    os_mutex_deinit(&high);
#ifndef NDEBUG
    assert_int_equal(in_child(lock_downwards, NULL), 1000 + SIGABRT);
#else
    (void)lock_downwards;
#endif
}

static int hold_another_of_the_rank(place *p)
{
    expect_abort();
    os_mutex mine, other;
    os_mutex_init(&mine, LOCK_RANK_WAL);
    os_mutex_init(&other, LOCK_RANK_WAL);
    os_mutex_lock(&mine);
    os_mutex_assert_held(&mine);
    os_mutex_assert_held(&other);
    return 0;
}

static void *assert_held(void *mutex)
{
    os_mutex_assert_held(mutex);
    return NULL;
}

static int hold_in_another_thread(place *p)
{
    expect_abort();
    os_mutex m;
    pthread_t thread;
    os_mutex_init(&m, LOCK_RANK_WAL);
    os_mutex_lock(&m);
    pthread_create(&thread, NULL, assert_held, &m);
    pthread_join(thread, NULL);
    return 0;
}

/* The assertion means this mutex and this thread: a mutex of the same rank, of another database say, or a
 * lock that another thread holds, must not satisfy it. */
static void mutex_held_is_asserted_of_the_mutex_and_thread(void **state)
{
    int aborted = 1000 + SIGABRT;
#ifdef NDEBUG
    aborted = 0;
#endif
    assert_int_equal(in_child(hold_another_of_the_rank, NULL), aborted);
    assert_int_equal(in_child(hold_in_another_thread, NULL), aborted);
}

typedef struct handover {
    os_mutex mutex;
    os_cond cond;
    int turn; /* mutex */
} handover;

static void *answer_turns(void *ctx)
{
    handover *h = ctx;
    os_mutex_lock(&h->mutex);
    for (int i = 0; i < 100; i++) {
        while (h->turn != 2 * i + 1)
            os_cond_wait(&h->cond, &h->mutex, OS_FOREVER);
        h->turn++;
        os_cond_signal(&h->cond);
    }
    os_mutex_unlock(&h->mutex);
    return NULL;
}

/* Two threads that pass a number back and forth: a lost signal would hang. */
static void condition_wakes_the_other_thread(void **state)
{
    os *o = os_posix();
    handover h = {.turn = 0};
    os_mutex_init(&h.mutex, LOCK_RANK_LEAF);
    os_cond_init(&h.cond, o);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, answer_turns, &h), 0);
    os_mutex_lock(&h.mutex);
    for (int i = 0; i < 100; i++) {
        h.turn++;
        os_cond_broadcast(&h.cond);
        while (h.turn != 2 * i + 2)
            os_cond_wait(&h.cond, &h.mutex, os_clock_ns(o) + UINT64_C(60000000000));
    }
    assert_false(os_cond_wait(&h.cond, &h.mutex, os_clock_ns(o)));
    uint64_t deadline = os_clock_ns(o) + 3000000;
    while (os_cond_wait(&h.cond, &h.mutex, deadline)) {
    }
    assert_true(os_clock_ns(o) >= deadline); /* one clock for both */
    os_mutex_unlock(&h.mutex);
    pthread_join(thread, NULL);
    os_cond_deinit(&h.cond);
    os_mutex_deinit(&h.mutex);
}

static void *try_to_lock(void *ctx)
{
    return os_mutex_try_lock(ctx) ? ctx : NULL;
}

/* A try on a mutex that another thread holds returns false, and does not wait. */
static void try_lock_fails_when_another_holds_it(void **state)
{
    os_mutex m;
    os_mutex_init(&m, LOCK_RANK_LEAF);
    os_mutex_lock(&m);
    pthread_t thread;
    void *got;
    assert_int_equal(pthread_create(&thread, NULL, try_to_lock, &m), 0);
    pthread_join(thread, &got);
    assert_null(got);
    os_mutex_unlock(&m);
    os_mutex_deinit(&m);
}

/* ---------------------------------------------------------------- jobs */

typedef struct worker {
    os_job *job;
    os_mutex mutex;
    os_cond cond;
    int steps;        /* mutex */
    int again;        /* mutex: steps to ask for at once */
    int wake_in_step; /* mutex: wakes to give itself */
    uint64_t period;  /* constant while the job lives */
    char name[16];    /* mutex: of the thread */
    int nice;         /* mutex: of the thread */
    bool all_blocked; /* mutex: signals of the thread */
} worker;

static void worker_init(worker *w)
{
    memset(w, 0, sizeof *w);
    os_mutex_init(&w->mutex, LOCK_RANK_JOBS);
    os_cond_init(&w->cond, os_posix());
}

static void worker_deinit(worker *w)
{
    os_cond_deinit(&w->cond);
    os_mutex_deinit(&w->mutex);
}

static void look_at_thread(worker *w)
{
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    w->all_blocked = sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGCHLD);
    pthread_getname_np(pthread_self(), w->name, sizeof w->name);
    w->nice = getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid));
}

static uint64_t work(void *ctx)
{
    worker *w = ctx;
    os_mutex_lock(&w->mutex);
    look_at_thread(w);
    w->steps++;
    uint64_t next = w->period ? os_clock_ns(os_posix()) + w->period : OS_JOB_IDLE;
    if (w->again > 0) {
        w->again--;
        next = OS_JOB_AGAIN;
    }
    if (w->wake_in_step > 0) {
        w->wake_in_step--;
        os_job_wake(w->job); /* under a mutex, as the database does */
    }
    os_cond_broadcast(&w->cond);
    os_mutex_unlock(&w->mutex);
    return next;
}

static void wait_for_steps(worker *w, int steps)
{
    os_mutex_lock(&w->mutex);
    while (w->steps < steps)
        os_cond_wait(&w->cond, &w->mutex, OS_FOREVER);
    os_mutex_unlock(&w->mutex);
}

static void set(worker *w, int *field, int value)
{
    os_mutex_lock(&w->mutex);
    *field = value;
    os_mutex_unlock(&w->mutex);
}

/* The host's signals must not be delivered to our threads, and background work must not compete with the
 * host's. */
static void job_runs_on_a_thread_of_its_own(void **state)
{
    worker w;
    worker_init(&w);
    ok(os_job_start(os_posix(), "holt-test", 5, work, &w, &w.job));
    os_job_wake(w.job);
    wait_for_steps(&w, 1);
    os_job_stop(w.job);
    os_job_stop(NULL);
    assert_string_equal(w.name, "holt-test");
    int ours = getpriority(PRIO_PROCESS, 0);
    assert_int_equal(w.nice, ours + 5 < 19 ? ours + 5 : 19);
    assert_true(w.all_blocked);
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    assert_false(sigismember(&blocked, SIGTERM)); /* ours are as they were */
    os_run_pending(os_posix());
    worker_deinit(&w);
}

/* Idle until woken; steps again when it asks; and a wake during a step is not lost, or work would wait for
 * ever. */
static void job_steps_as_often_as_asked(void **state)
{
    worker w;
    worker_init(&w);
    ok(os_job_start(os_posix(), "holt-test", 0, work, &w, &w.job));
    os_sleep(os_posix(), 2000000);
    set(&w, &w.again, 9);
    os_job_wake(w.job);
    wait_for_steps(&w, 10);
    set(&w, &w.wake_in_step, 5);
    os_job_wake(w.job);
    wait_for_steps(&w, 16);
    os_job_stop(w.job);
    assert_int_equal(w.steps, 16);
    worker_deinit(&w);
}

/* A sleeping job wakes by itself, and a wake or a stop does not wait for its time. */
static void sleeping_job_wakes_in_time_and_can_be_woken_earlier(void **state)
{
    worker w;
    worker_init(&w);
    w.period = 1000000;
    ok(os_job_start(os_posix(), "holt-test", 0, work, &w, &w.job));
    os_job_wake(w.job);
    wait_for_steps(&w, 5);
    os_job_stop(w.job);
    w.period = UINT64_C(3600) * 1000000000;
    w.steps = 0;
    ok(os_job_start(os_posix(), "holt-test", 0, work, &w, &w.job));
    os_job_wake(w.job);
    wait_for_steps(&w, 1);
    os_job_wake(w.job);
    wait_for_steps(&w, 2);
    os_job_stop(w.job);
    worker_deinit(&w);
}

static int start_with_an_impossible_stack(place *p)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (pthread_attr_setstacksize(&attributes, (size_t)1 << 46) != 0) return 1;
    if (pthread_setattr_default_np(&attributes) != 0) return 2;
    os_job *j;
    if (os_job_start(os_posix(), "holt-test", 0, work, NULL, &j) != HOLT_IO || j) return 3;
    return strstr(holt_error_message(), "holt-test: starting a background thread") ? 0 : 4;
}

/* A host at its limit of threads gets a status. */
static void thread_that_cannot_start_returns_a_status(void **state)
{
    assert_int_equal(in_child(start_with_an_impossible_stack, NULL), 0);
}

static os_job *inherited_job;

static int stop_inherited_job(place *p)
{
    os_job_stop(inherited_job);
    return 0;
}

/* The thread does not exist in a child: a join would never return. */
static void stop_in_a_child_only_frees(void **state)
{
    worker w;
    worker_init(&w);
    ok(os_job_start(os_posix(), "holt-test", 0, work, &w, &w.job));
    inherited_job = w.job;
    assert_int_equal(in_child(stop_inherited_job, NULL), 0);
    os_job_wake(w.job);
    wait_for_steps(&w, 1);
    os_job_stop(w.job);
    worker_deinit(&w);
}

static int threads(void)
{
    int count = -2; /* "." and ".." */
    DIR *d = opendir("/proc/self/task");
    assert_non_null(d);
    while (readdir(d))
        count++;
    closedir(d);
    return count;
}

/* A thread that has been joined may be in /proc for a moment longer. */
static void expect_threads(int count)
{
    for (int tries = 0; tries < 2000 && threads() != count; tries++)
        os_sleep(os_posix(), 5000000);
    assert_int_equal(threads(), count);
}

static void linger(uint64_t ns)
{
    atomic_store_explicit(&posix_job_linger_ns, ns, memory_order_relaxed);
}

/* Hundreds of databases at rest in a process would cost it a thousand threads. While there is any job, there
 * is only the thread that starts the others. */
static void jobs_at_rest_have_no_threads(void **state)
{
    enum { JOBS = 40 };
    static worker w[JOBS];
    int before = threads();
    linger(1000000);
    for (int i = 0; i < JOBS; i++) {
        worker_init(&w[i]);
        ok(os_job_start(os_posix(), "holt-test", 0, work, &w[i], &w[i].job));
    }
    expect_threads(before + 1);
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < JOBS; i++)
            os_job_wake(w[i].job);
        for (int i = 0; i < JOBS; i++)
            wait_for_steps(&w[i], round);
        expect_threads(before + 1);
    }
    for (int i = 0; i < JOBS; i++) {
        os_job_stop(w[i].job);
        worker_deinit(&w[i]);
    }
    expect_threads(before);
    linger(1000000000);
}

/* A job that sleeps for long has no thread in the meantime, and wakes all the same. */
static void a_sleeping_job_needs_no_thread(void **state)
{
    worker w;
    int before = threads();
    worker_init(&w);
    linger(1000000);
    w.period = 60000000;
    ok(os_job_start(os_posix(), "holt-test", 0, work, &w, &w.job));
    os_job_wake(w.job);
    wait_for_steps(&w, 1);
    expect_threads(before + 1);
    wait_for_steps(&w, 4);
    os_job_stop(w.job);
    worker_deinit(&w);
    linger(1000000000);
}

/* A thread may end at any moment of a wake or a stop: no wake may be lost, and no stop may leave it
 * running. */
static void threads_that_end_lose_no_wake(void **state)
{
    static const uint64_t lingers[] = {0, 1000, 20000, 100000};
    worker w;
    int before = threads();
    for (int life = 0; life < 40; life++) {
        linger(lingers[life % 4]);
        worker_init(&w);
        w.period = life % 3 == 2 ? 50000 : 0;
        ok(os_job_start(os_posix(), "holt-test", 0, work, &w, &w.job));
        for (int i = 1; i <= 50; i++) {
            os_job_wake(w.job);
            wait_for_steps(&w, i);
            if (i % 7 == 0) os_sleep(os_posix(), lingers[life % 4]);
        }
        if (life % 2) os_job_wake(w.job); /* and stopped before its step, perhaps */
        os_job_stop(w.job);
        worker_deinit(&w);
    }
    expect_threads(before);
    linger(1000000000);
}

/* Locking a mutex takes a moment now and then, at places that differ from life to life (tests/meson.build:
 * `wrapped`). */
static _Atomic bool locks_slowly;

int __real_pthread_mutex_lock(pthread_mutex_t *m);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m);

int __wrap_pthread_mutex_lock(pthread_mutex_t *m)
{
    static _Atomic uint32_t locks;
    if (atomic_load_explicit(&locks_slowly, memory_order_relaxed) &&
        atomic_fetch_add_explicit(&locks, 1, memory_order_relaxed) * 2654435761u >> 30 == 0)
        usleep(20);
    return __real_pthread_mutex_lock(m);
}

/* A job without a thread may be stopped at the moment at which the spawner wakes it from its sleep: the
 * spawner must be done with the job before its memory is freed. */
static void sleeping_jobs_can_be_stopped_while_they_wake(void **state)
{
    enum { LIVES = 1000 };
    linger(0);
    atomic_store_explicit(&locks_slowly, true, memory_order_relaxed);
    for (uint64_t life = 0; life < LIVES; life++) {
        worker w;
        worker_init(&w);
        w.period = 5000 + life % 7 * 10000;
        ok(os_job_start(os_posix(), "holt-test", 0, work, &w, &w.job));
        os_job_wake(w.job);
        wait_for_steps(&w, 1);
        for (uint64_t end = os_clock_ns(os_posix()) + life * 7919 % 60000; os_clock_ns(os_posix()) < end;)
            ;
        os_job_stop(w.job);
        worker_deinit(&w);
    }
    atomic_store_explicit(&locks_slowly, false, memory_order_relaxed);
    linger(1000000000);
}

static uint64_t wake_other(void *ctx)
{
    os_job_wake(((worker *)ctx)->job);
    return OS_JOB_IDLE;
}

/* A thread inherits the priority of the one that starts it, and cannot raise it again: merges, of low
 * priority, wake flushes, for which writers wait. */
static void a_job_woken_by_one_of_low_priority_keeps_its_own(void **state)
{
    worker w;
    os_job *low;
    worker_init(&w);
    ok(os_job_start(os_posix(), "holt-test", 0, work, &w, &w.job));
    ok(os_job_start(os_posix(), "holt-low", 5, wake_other, &w, &low));
    os_job_wake(low);
    wait_for_steps(&w, 1);
    assert_int_equal(w.nice, getpriority(PRIO_PROCESS, 0));
    assert_true(w.all_blocked);
    os_job_stop(low);
    os_job_stop(w.job);
    worker_deinit(&w);
}

static int run_out_of_threads(place *p)
{
    worker w;
    pthread_attr_t usual, impossible;
    worker_init(&w);
    pthread_getattr_default_np(&usual);
    pthread_attr_init(&impossible);
    if (pthread_attr_setstacksize(&impossible, (size_t)1 << 46) != 0) return 1;
    if (os_job_start(os_posix(), "holt-test", 0, work, &w, &w.job) != HOLT_OK) return 2;
    if (pthread_setattr_default_np(&impossible) != 0) return 3;
    os_job_wake(w.job);
    os_sleep(os_posix(), 30000000);
    if (w.steps != 0) return 4;
    if (pthread_setattr_default_np(&usual) != 0) return 5;
    wait_for_steps(&w, 1);
    os_job_stop(w.job);
    return 0;
}

/* A wake cannot return the error, and work would wait for ever. */
static void a_thread_that_cannot_start_is_tried_again(void **state)
{
    assert_int_equal(in_child(run_out_of_threads, NULL), 0);
}

/* The thread sanitizer allows no threads in the child of a process that has some. */
static bool child_may_have_threads(void)
{
#if defined(__SANITIZE_THREAD__)
    return false;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
    return false;
#else
    return true;
#endif
#else
    return true;
#endif
}

static int start_a_job_anew(place *p)
{
    worker w;
    os_job_stop(inherited_job);
    worker_init(&w);
    if (os_job_start(os_posix(), "holt-test", 0, work, &w, &w.job) != HOLT_OK) return 1;
    os_job_wake(w.job);
    wait_for_steps(&w, 1);
    os_job_stop(w.job);
    worker_deinit(&w);
    return threads() == 1 ? 0 : 2;
}

/* The thread that starts threads does not survive the fork: a child's first job needs another. */
static void a_child_has_jobs_of_its_own(void **state)
{
    worker w;
    if (!child_may_have_threads()) skip();
    worker_init(&w);
    ok(os_job_start(os_posix(), "holt-test", 0, work, &w, &w.job));
    os_job_wake(w.job);
    wait_for_steps(&w, 1);
    inherited_job = w.job;
    assert_int_equal(in_child(start_a_job_anew, NULL), 0);
    os_job_wake(w.job);
    wait_for_steps(&w, 2);
    os_job_stop(w.job);
    worker_deinit(&w);
}

/* ---------------------------------------------------------------- clocks, chance, process */

/* It is the same clock: a time of one can be compared with one of the other. */
static void the_coarse_clock_is_a_little_slow(void **state)
{
    os *o = os_posix();
    const uint64_t second_ns = 1000000000;
    for (int i = 0; i < 1000; i++) {
        uint64_t before = os_clock_ns(o), coarse = os_clock_coarse_ns(o), after = os_clock_ns(o);
        assert_true(coarse <= after && coarse + second_ns > before);
    }
}

static void clocks_go_on_and_chance_differs(void **state)
{
    os *o = os_posix();
    uint64_t before = os_clock_ns(o);
    os_sleep(o, 2000000);
    os_sleep(o, 0);
    assert_true(os_clock_ns(o) - before >= 2000000);
    assert_true(os_time_ms(o) > UINT64_C(1700000000000));
    assert_true(os_random(o) != os_random(o));
    assert_int_equal(os_process_id(o), getpid());
}

#define in_place(test) cmocka_unit_test_setup_teardown(test, place_setup, place_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_place(file_reads_back_what_was_written),
        in_place(open_flags_are_obeyed),
        in_place(names_are_checked_before_they_are_used),
        cmocka_unit_test(full_disk_is_told_from_other_errors),
        in_place(failed_allocation_leaves_the_file_as_it_was),
        in_place(listing_shows_every_entry_once),
        in_place(rename_replaces_and_unlink_removes),
        in_place(directories_are_made_and_opened),
        in_place(relative_paths_have_a_parent),
        in_place(identity_is_of_the_directory_not_of_its_path),
        in_place(failed_allocation_leaks_no_descriptor),
        in_place(map_stores_reach_the_file),
        cmocka_unit_test(map_is_refused_on_other_file_systems),
        in_place(locks_conflict_within_a_process),
        in_place(locks_conflict_between_processes),
        in_place(child_cannot_unlock_for_its_parent),
        in_place(lock_does_not_survive_in_a_child),
        cmocka_unit_test(fork_generation_grows_in_children_only),
        cmocka_unit_test(mutexes_are_taken_in_their_order),
        cmocka_unit_test(mutex_held_is_asserted_of_the_mutex_and_thread),
        cmocka_unit_test(condition_wakes_the_other_thread),
        cmocka_unit_test(try_lock_fails_when_another_holds_it),
        cmocka_unit_test(job_runs_on_a_thread_of_its_own),
        cmocka_unit_test(job_steps_as_often_as_asked),
        cmocka_unit_test(sleeping_job_wakes_in_time_and_can_be_woken_earlier),
        cmocka_unit_test(thread_that_cannot_start_returns_a_status),
        cmocka_unit_test(stop_in_a_child_only_frees),
        cmocka_unit_test(jobs_at_rest_have_no_threads),
        cmocka_unit_test(a_sleeping_job_needs_no_thread),
        cmocka_unit_test(threads_that_end_lose_no_wake),
        cmocka_unit_test(sleeping_jobs_can_be_stopped_while_they_wake),
        cmocka_unit_test(a_job_woken_by_one_of_low_priority_keeps_its_own),
        cmocka_unit_test(a_thread_that_cannot_start_is_tried_again),
        cmocka_unit_test(a_child_has_jobs_of_its_own),
        cmocka_unit_test(the_coarse_clock_is_a_little_slow),
        cmocka_unit_test(clocks_go_on_and_chance_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
