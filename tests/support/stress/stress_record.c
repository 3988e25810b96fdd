/* stress_record.c -- the shared record of the stress suite. */
#include "support/stress/stress_record.h"

#include "support/must.h"

#include <assert.h>
#include <sys/mman.h>

stress_record *record_create(void)
{
    void *shared =
        mmap(NULL, sizeof(stress_record), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) abort();
    stress_record *r = (stress_record *)shared;
    record_clear(r);
    return r;
}

void record_destroy(stress_record *r)
{
    munmap(r, sizeof *r);
}

/* A killed child may have left any mutex locked. */
static void renew_mutex(pthread_mutex_t *m)
{
    static const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;
    memcpy(m, &fresh, sizeof fresh);
}

void record_restart(stress_record *r)
{
    atomic_store_explicit(&r->stop, false, memory_order_relaxed);
    atomic_store_explicit(&r->rest, false, memory_order_relaxed);
    renew_mutex(&r->verdict.mutex);
    for (unsigned i = 0; i < STRESS_THREADS; i++) {
        renew_mutex(&r->threads[i].pen);
        atomic_store_explicit(&r->threads[i].count, 0, memory_order_relaxed);
        for (unsigned p = 0; p < STRESS_PLACES; p++)
            atomic_store_explicit(&r->threads[i].anchored[p], 0, memory_order_relaxed);
    }
}

void record_clear(stress_record *r)
{
    record_restart(r);
    atomic_store_explicit(&r->verdict.failed, false, memory_order_relaxed);
    r->verdict.text[0] = 0;
    atomic_store_explicit(&r->tickets, 0, memory_order_relaxed);
    memset(r->race_exists, 0, sizeof r->race_exists);
    memset(r->sums, 0, sizeof r->sums);
    for (unsigned i = 0; i < STRESS_THREADS; i++) {
        memset(&r->threads[i].base, 0, sizeof r->threads[i].base);
        r->threads[i].last_n = 0;
        for (unsigned p = 0; p < SHARED; p++)
            r->threads[i].base.places[p].exists = true;
    }
}

bool record_is_full(const thread_record *t)
{
    return atomic_load_explicit(&t->count, memory_order_relaxed) == OPERATIONS_MAX; /* its own thread's */
}

/* Tickets are ordered by when they were taken. */
static uint64_t take_ticket(stress_record *r)
{
    return 1 + atomic_fetch_add_explicit(&r->tickets, 1, memory_order_seq_cst);
}

operation_record *record_begin(stress_record *r, thread_record *t, const operation_record *op,
                               uint64_t now_ns)
{
    uint32_t at = atomic_load_explicit(&t->count, memory_order_relaxed);
    assert(at < OPERATIONS_MAX);
    operation_record *to = &t->operations[at];
    pthread_mutex_lock(&t->pen);
    *to = *op;
    to->n = ++t->last_n;
    to->outcome = OUTCOME_OPEN;
    to->begun_ns = now_ns;
    to->ended_ns = 0;
    to->ended = 0;
    to->begun = take_ticket(r);
    /* Release: a reader that counts it, even after a kill, finds it complete. */
    atomic_store_explicit(&t->count, at + 1, memory_order_release);
    pthread_mutex_unlock(&t->pen);
    return to;
}

void record_end(stress_record *r, thread_record *t, operation_record *op, outcome o, uint64_t now_ns)
{
    pthread_mutex_lock(&t->pen);
    op->ended_ns = now_ns;
    op->ended = take_ticket(r);
    atomic_thread_fence(memory_order_release); /* a kill before the outcome is noted leaves the rest */
    op->outcome = o;
    pthread_mutex_unlock(&t->pen);
}

static void look_at_thread(thread_record *t, uint32_t *count, bool *open)
{
    *count = atomic_load_explicit(&t->count, memory_order_acquire);
    *open = *count > 0 && t->operations[*count - 1].outcome == OUTCOME_OPEN;
}

void record_freeze(stress_record *r, record_moment *m)
{
    for (unsigned i = 0; i < STRESS_THREADS; i++)
        pthread_mutex_lock(&r->threads[i].pen);
    record_look(r, m);
}

void record_thaw(stress_record *r)
{
    for (unsigned i = 0; i < STRESS_THREADS; i++)
        pthread_mutex_unlock(&r->threads[i].pen);
}

void record_look(stress_record *r, record_moment *m)
{
    for (unsigned i = 0; i < STRESS_THREADS; i++)
        look_at_thread(&r->threads[i], &m->counts[i], &m->open[i]);
}

/* ---------------------------------------------------------------- what operations do */

static void apply_write(holdings *h, const operation_record *op)
{
    for (unsigned i = 0; i < op->write_count; i++) {
        holding *to = &h->places[op->writes[i].place];
        to->versions[op->writes[i].slot] = op->writes[i].put ? op->n : 0;
        to->pristine = false;
    }
}

static void apply_load(holding *to, uint32_t n)
{
    for (unsigned slot = 0; slot < SLOTS; slot++)
        if (record_loads(n, slot)) to->versions[slot] = n;
    to->pristine = false;
}

static void empty(holding *to)
{
    memset(to->versions, 0, sizeof to->versions);
    to->pristine = true;
}

void holdings_apply(holdings *h, const operation_record *op)
{
    holding *to = &h->places[op->place];
    switch (op->deed) {
    case DEED_WRITE:
        apply_write(h, op);
        break;
    case DEED_CREATE:
        empty(to);
        to->exists = true;
        to->name = op->name;
        to->kind = op->kind;
        break;
    case DEED_DROP:
        empty(to);
        to->exists = false;
        break;
    case DEED_RENAME:
        to->name = op->name;
        break;
    case DEED_CLEAR:
        empty(to);
        break;
    case DEED_LOAD:
        apply_load(to, op->n);
        break;
    case DEED_SYNC:
    case DEED_RACE_CREATE:
    case DEED_RACE_DROP:
    case DEED_RACE_RENAME:
    case DEED_RACE_CLEAR:
    case DEED_RACE_PUT:
    case DEED_RACE_ADD:
        break;
    }
}

/* ---------------------------------------------------------------- names, keys, values */

const char *const shared_names[SHARED] = {"shared-lsm", "shared-btree"};

/* Long names, since they make a manifest grow. */
const char *stress_name(unsigned thread, unsigned name, char buffer[STRESS_NAME_BYTES])
{
    int used = snprintf(buffer, STRESS_NAME_BYTES, "t%u.n%u.", thread, name);
    memset(buffer + used, 'a' + (int)name, 100 - (size_t)used);
    buffer[100] = 0;
    return buffer;
}

const char *race_name(unsigned race, char buffer[STRESS_NAME_BYTES])
{
    snprintf(buffer, STRESS_NAME_BYTES, "race%u", race);
    return buffer;
}

bool stress_name_parse(const char *name, unsigned *thread, unsigned *number)
{
    char whole[STRESS_NAME_BYTES];
    if (sscanf(name, "t%u.n%u.", thread, number) != 2) return false;
    if (*thread >= STRESS_THREADS || *number >= NAMES) return false;
    return strcmp(stress_name(*thread, *number, whole), name) == 0;
}

/* One key in eight is long. */
holt_slice stress_key(unsigned thread, unsigned slot, char buffer[STRESS_KEY_BYTES])
{
    size_t used = (size_t)snprintf(buffer, STRESS_KEY_BYTES, "%u/%02u", thread, slot);
    if (slot % 8 == 7) {
        memset(buffer + used, 'k', 700 - used);
        used = 700;
    }
    return holt_bytes(buffer, used);
}

holt_slice stress_prefix(unsigned thread, char buffer[STRESS_KEY_BYTES])
{
    snprintf(buffer, STRESS_KEY_BYTES, "%u/", thread);
    return holt_str(buffer);
}

bool stress_key_parse(holt_slice key, unsigned thread, unsigned *slot)
{
    char buffer[STRESS_KEY_BYTES];
    const unsigned char *digits = (const unsigned char *)key.data + 2;
    if (key.size < 4) return false;
    *slot = (digits[0] - '0') * 10u + (digits[1] - '0');
    if (*slot >= SLOTS) return false;
    holt_slice whole = stress_key(thread, *slot, buffer);
    return whole.size == key.size && memcmp(whole.data, key.data, key.size) == 0;
}

enum { VALUE_HEAD = 12 };

holt_slice stress_value(unsigned thread, unsigned slot, uint32_t n, uint8_t buffer[STRESS_VALUE_BYTES])
{
    uint32_t head[VALUE_HEAD / 4] = {thread, slot, n};
    rng r;
    rng_seed(&r, (uint64_t)thread << 48 ^ (uint64_t)slot << 36 ^ n);
    size_t body = (size_t)rng_below(&r, rng_chance(&r, 8) ? STRESS_VALUE_BYTES - VALUE_HEAD : 300);
    memcpy(buffer, head, VALUE_HEAD);
    rng_fill(&r, buffer + VALUE_HEAD, body);
    return holt_bytes(buffer, VALUE_HEAD + body);
}

uint32_t stress_value_parse(holt_slice value, unsigned thread, unsigned slot)
{
    uint8_t buffer[STRESS_VALUE_BYTES];
    uint32_t head[VALUE_HEAD / 4];
    if (value.size < VALUE_HEAD) return 0;
    memcpy(head, value.data, VALUE_HEAD);
    holt_slice whole = stress_value(thread, slot, head[2], buffer);
    bool same = whole.size == value.size && memcmp(whole.data, value.data, value.size) == 0;
    return same ? head[2] : 0;
}

bool record_loads(uint32_t n, unsigned slot)
{
    return slot == ANCHOR || (n * 2654435761u >> (slot % 29) & 3) != 0;
}

const holt_slice stress_sum_key = {"sum", 3};

int64_t record_addend(uint32_t n)
{
    return 1 + n % 1000;
}

/* ---------------------------------------------------------------- words */

static const char *const deeds[] = {"write",     "create",      "drop",       "rename",
                                    "clear",     "load",        "sync",       "race create",
                                    "race drop", "race rename", "race clear", "race put",
                                    "race add"};
static const char *const outcomes[] = {"open", "done", "not done", "outcome unknown"};
static const char *const durabilities[] = {"default", "COMMIT", "INTERVAL", "PROCESS"};

const char *describe_operation(const operation_record *op, bool open, char buffer[DEED_BYTES])
{
    int used = snprintf(buffer, DEED_BYTES, "#%u %s", op->n, deeds[op->deed]);
    if (op->deed == DEED_WRITE) {
        used += snprintf(buffer + used, DEED_BYTES - (size_t)used, " (%s)", durabilities[op->durability]);
        for (unsigned i = 0; i < op->write_count; i++)
            used += snprintf(buffer + used, DEED_BYTES - (size_t)used, " %s%u/%u",
                             op->writes[i].put ? "" : "-", op->writes[i].place, op->writes[i].slot);
    } else if (op->deed > DEED_SYNC) {
        used += snprintf(buffer + used, DEED_BYTES - (size_t)used, " of race%u, to %u", op->name, op->to);
    } else if (op->deed != DEED_SYNC) {
        used += snprintf(buffer + used, DEED_BYTES - (size_t)used, " of place %u, name %u, kind %u",
                         op->place, op->name, op->kind);
    }
    snprintf(buffer + used, DEED_BYTES - (size_t)used, ": %s", open ? "open" : outcomes[op->outcome]);
    return buffer;
}
