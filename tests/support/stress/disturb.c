/* disturb.c -- the functions between the engine and os.h in test_stress. */
#include "support/stress/disturb.h"

#include "base/memory.h"
#include "base/random.h"
#include "base/status.h"
#include "log/manifest.h"
#include "os/os_ops.h"

#include <errno.h>
#include <stdatomic.h>
#include <time.h>

/* What is disturbed, by kind. Releases of mutexes come first, by rank. */
typedef enum place {
    PLACE_WRITE = LOCK_RANK_LEAF + 1,
    PLACE_STORE,
    PLACE_SYNC,
    PLACE_DIR_SYNC,
    PLACE_OPEN,
    PLACE_RENAME,
    PLACE_UNLINK,
    PLACE_ALLOCATE,
    PLACE_TRUNCATE,
    PLACES
} place;

/* A place that a thread has reached n times is disturbed there once in HOT + n / 4 times if it is hot for
 * this thread, otherwise once in COLD + n, SELDOM at most. One place in HOT_ONE_IN is hot: so each thread
 * often loses the processor in a few places, and the others run fast enough to meet it there. */
enum { HOT = 3, COLD = 200, SELDOM = 4000, HOT_ONE_IN = 6 };

static disturb_plan plan;
/* Incremented by each disturb_begin and disturb_end, odd in between. Stored with release there, loaded with
 * acquire by the disturbed thread, which therefore sees a complete plan. */
static _Atomic uint64_t generation;
/* Relaxed: figures. */
static _Atomic uint64_t threads_met, delays, faults;
static atomic_bool calm; /* relaxed: a hint */

typedef struct thread_state {
    uint64_t generation;
    rng rng;
    uint64_t met[PLACES];
    bool hot[PLACES];
    bool spared, pressed;
} thread_state;

static _Thread_local thread_state self;

void disturb_begin(const disturb_plan *p)
{
    plan = *p;
    atomic_store_explicit(&threads_met, 0, memory_order_relaxed);
    atomic_store_explicit(&delays, 0, memory_order_relaxed);
    atomic_store_explicit(&faults, 0, memory_order_relaxed);
    atomic_store_explicit(&calm, false, memory_order_relaxed);
    /* After a failure the last plan was not ended. */
    uint64_t last = atomic_load_explicit(&generation, memory_order_relaxed);
    atomic_store_explicit(&generation, last + 1 + last % 2, memory_order_release);
}

void disturb_end(void)
{
    atomic_fetch_add_explicit(&generation, 1, memory_order_release);
}

void disturb_spare_thread(bool spared)
{
    self.spared = spared;
}

void disturb_calm(bool on)
{
    atomic_store_explicit(&calm, on, memory_order_relaxed);
}

void disturb_press_thread(bool pressed)
{
    self.pressed = pressed;
}

uint64_t disturb_delays(void)
{
    return atomic_load_explicit(&delays, memory_order_relaxed);
}

uint64_t disturb_faults(void)
{
    return atomic_load_explicit(&faults, memory_order_relaxed);
}

static void begin_thread(uint64_t now)
{
    uint64_t ordinal = atomic_fetch_add_explicit(&threads_met, 1, memory_order_relaxed);
    memset(self.met, 0, sizeof self.met);
    self.generation = now;
    rng_seed(&self.rng, plan.seed + 0x9e3779b97f4a7c15 * ordinal);
    for (int p = 0; p < PLACES; p++)
        self.hot[p] = rng_chance(&self.rng, HOT_ONE_IN);
}

/* Whether this thread may be disturbed now; if so, its state is that of this plan. */
static bool is_on(void)
{
    uint64_t now = atomic_load_explicit(&generation, memory_order_acquire);
    if (now % 2 == 0 || self.spared) return false;
    if (self.generation != now) begin_thread(now);
    return true;
}

/* ---------------------------------------------------------------- delays */

static void pause_for(uint64_t ns)
{
    struct timespec t = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    atomic_fetch_add_explicit(&delays, 1, memory_order_relaxed);
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        continue;
}

/* Of ten delays in a hot place three are long, elsewhere one. */
static uint64_t delay_length(bool hot)
{
    uint64_t most = plan.delay_ns_max, kind = rng_below(&self.rng, 10);
    if (self.pressed || kind >= (hot ? 7 : 9)) return 1 + rng_below(&self.rng, most);
    return 1 + rng_below(&self.rng, kind < 5 ? most / 500 + 1 : most / 10 + 1);
}

static void delay_at(place p)
{
    if (!is_on() || plan.delay_ns_max == 0 || atomic_load_explicit(&calm, memory_order_relaxed)) return;
    uint64_t met = self.met[p]++;
    bool hot = self.hot[p];
    uint64_t one_in = self.pressed ? 2 : hot ? HOT + met / 4 : COLD + met;
    if (rng_chance(&self.rng, (uint32_t)(one_in < SELDOM ? one_in : SELDOM))) pause_for(delay_length(hot));
}

static void slow_down_sync(void)
{
    if (!plan.slow_sync_one_in || atomic_load_explicit(&calm, memory_order_relaxed)) return;
    if (rng_chance(&self.rng, plan.slow_sync_one_in))
        pause_for(1 + rng_below(&self.rng, plan.slow_sync_ns_max));
}

static bool is_disturbed(const os *o)
{
    return is_on() && plan.os == o;
}

/* ---------------------------------------------------------------- faults */

static bool is_of_log(const char *name)
{
    return strncmp(name, "wal-", 4) == 0 || strncmp(name, "spare-", 6) == 0;
}

static bool is_of_manifest(const char *name)
{
    return strncmp(name, "MANIFEST-", 9) == 0 || strncmp(name, "CURRENT", 7) == 0;
}

/* name NULL: the directory. */
static bool may_fail(const char *name)
{
    switch (plan.fault) {
    case FAULT_MANIFEST:
        return !name || is_of_manifest(name);
    case FAULT_TABLES:
        return name && !is_of_manifest(name) && !is_of_log(name);
    case FAULT_ANY:
        return true;
    case FAULT_NONE:
    case FAULT_MEMORY:
        return false;
    }
    return false;
}

static bool take_fault(void)
{
    if (!rng_chance(&self.rng, plan.fault_one_in)) return false;
    uint64_t so_far = atomic_fetch_add_explicit(&faults, 1, memory_order_relaxed);
    return plan.faults_max == 0 || so_far < plan.faults_max;
}

static bool fails(const char *name)
{
    return may_fail(name) && take_fault();
}

static holt_status failure(const char *name, const char *call)
{
    return status_set_errno(EIO, name, HOLT_NO_OFFSET, "%s (made to fail)", call);
}

void disturb_memory(void)
{
    if (is_on() && plan.fault == FAULT_MEMORY && take_fault())
        mem_fail_at(1 + rng_below(&self.rng, 30), false);
}

/* ---------------------------------------------------------------- in place of os.h and manifest.h */

/* The linker makes every call of NAME one of __wrap_NAME, and __real_NAME the function itself. C reserves
 * these names, but --wrap requires them. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wreserved-identifier"
#endif

void __real_os_mutex_unlock(os_mutex *m);
holt_status __real_os_file_write(os_file *f, uint64_t offset, const void *data, size_t size);
holt_status __real_os_file_sync(os_file *f);
holt_status __real_os_file_open(os_dir *d, const char *name, unsigned flags, os_file **out);
holt_status __real_os_file_allocate(os_file *f, uint64_t size);
holt_status __real_os_file_truncate(os_file *f, uint64_t size);
holt_status __real_os_dir_sync(os_dir *d);
holt_status __real_os_dir_rename(os_dir *d, const char *from, const char *to);
holt_status __real_os_dir_unlink(os_dir *d, const char *name);
void __real_os_map_store(os_map *m, size_t at, const void *data, size_t size);
uint64_t __real_manifest_size(const manifest *m);

void __wrap_os_mutex_unlock(os_mutex *m);
holt_status __wrap_os_file_write(os_file *f, uint64_t offset, const void *data, size_t size);
holt_status __wrap_os_file_sync(os_file *f);
holt_status __wrap_os_file_open(os_dir *d, const char *name, unsigned flags, os_file **out);
holt_status __wrap_os_file_allocate(os_file *f, uint64_t size);
holt_status __wrap_os_file_truncate(os_file *f, uint64_t size);
holt_status __wrap_os_dir_sync(os_dir *d);
holt_status __wrap_os_dir_rename(os_dir *d, const char *from, const char *to);
holt_status __wrap_os_dir_unlink(os_dir *d, const char *name);
void __wrap_os_map_store(os_map *m, size_t at, const void *data, size_t size);
uint64_t __wrap_manifest_size(const manifest *m);

void __wrap_os_mutex_unlock(os_mutex *m)
{
    place p = (place)m->rank;
    __real_os_mutex_unlock(m); /* from here on *m may be gone */
    delay_at(p);
}

holt_status __wrap_os_file_write(os_file *f, uint64_t offset, const void *data, size_t size)
{
    if (!is_disturbed(f->os)) return __real_os_file_write(f, offset, data, size);
    delay_at(PLACE_WRITE);
    disturb_memory();
    if (fails(f->name)) return failure(f->name, "write");
    holt_status rc = __real_os_file_write(f, offset, data, size);
    delay_at(PLACE_WRITE);
    return rc;
}

holt_status __wrap_os_file_sync(os_file *f)
{
    if (!is_disturbed(f->os)) return __real_os_file_sync(f);
    delay_at(PLACE_SYNC);
    slow_down_sync();
    disturb_memory();
    if (fails(f->name)) return failure(f->name, "sync");
    holt_status rc = __real_os_file_sync(f);
    delay_at(PLACE_SYNC);
    return rc;
}

holt_status __wrap_os_file_open(os_dir *d, const char *name, unsigned flags, os_file **out)
{
    if (!is_disturbed(d->os) || !(flags & OS_CREATE)) return __real_os_file_open(d, name, flags, out);
    delay_at(PLACE_OPEN);
    disturb_memory();
    if (fails(name)) {
        *out = NULL;
        return failure(name, "open");
    }
    return __real_os_file_open(d, name, flags, out);
}

holt_status __wrap_os_file_allocate(os_file *f, uint64_t size)
{
    if (!is_disturbed(f->os)) return __real_os_file_allocate(f, size);
    delay_at(PLACE_ALLOCATE);
    if (fails(f->name)) return failure(f->name, "allocation");
    return __real_os_file_allocate(f, size);
}

holt_status __wrap_os_file_truncate(os_file *f, uint64_t size)
{
    if (!is_disturbed(f->os)) return __real_os_file_truncate(f, size);
    delay_at(PLACE_TRUNCATE);
    if (fails(f->name)) return failure(f->name, "truncate");
    return __real_os_file_truncate(f, size);
}

holt_status __wrap_os_dir_sync(os_dir *d)
{
    if (!is_disturbed(d->os)) return __real_os_dir_sync(d);
    delay_at(PLACE_DIR_SYNC);
    if (fails(NULL)) return failure(d->path, "sync");
    holt_status rc = __real_os_dir_sync(d);
    delay_at(PLACE_DIR_SYNC);
    return rc;
}

holt_status __wrap_os_dir_rename(os_dir *d, const char *from, const char *to)
{
    if (!is_disturbed(d->os)) return __real_os_dir_rename(d, from, to);
    delay_at(PLACE_RENAME);
    if (fails(from)) return failure(from, "rename");
    holt_status rc = __real_os_dir_rename(d, from, to);
    delay_at(PLACE_RENAME);
    return rc;
}

holt_status __wrap_os_dir_unlink(os_dir *d, const char *name)
{
    if (!is_disturbed(d->os)) return __real_os_dir_unlink(d, name);
    delay_at(PLACE_UNLINK);
    if (fails(name)) return failure(name, "unlink");
    return __real_os_dir_unlink(d, name);
}

void __wrap_os_map_store(os_map *m, size_t at, const void *data, size_t size)
{
    if (is_disturbed(m->file->os)) delay_at(PLACE_STORE);
    __real_os_map_store(m, at, data, size);
}

/* A size that doubles with every 512 bytes, and jumps up and down by powers of two in between: so a manifest
 * seems to have grown long after about one edit in three. */
uint64_t __wrap_manifest_size(const manifest *m)
{
    enum { FIRST_BIT = 20, LAST_BIT = 62, JUMP = 8 };
    uint64_t size = __real_manifest_size(m);
    if (!is_on() || !plan.small_manifests) return size;
    uint64_t bit = FIRST_BIT + size / 512 + (size * UINT64_C(0x9e3779b97f4a7c15) >> 32) % JUMP;
    return UINT64_C(1) << (bit < LAST_BIT ? bit : LAST_BIT);
}
