/* toy_store.c -- a store in memory with faults to order. */
#include "support/isolation/toy_store.h"

#include "support/must.h"

#include <sched.h>
#include <unistd.h>

typedef struct toy_version {
    uint64_t at; /* number of its commit */
    bool present;
    iso_value value;
} toy_version;

typedef struct toy_row {
    iso_key key;
    toy_version *versions; /* by `at` */
    size_t count, capacity;
} toy_row;

struct toy {
    toy_fault fault;
    pthread_mutex_t mutex;  /* all below */
    _Atomic uint32_t calls; /* relaxed: makes some of them slow */
    uint64_t now;
    uint64_t begun;                    /* transactions */
    uint64_t cleared[ISO_COLLECTIONS]; /* when, last; that writes all keys, also those without a row */
    toy_row *rows;                     /* by key */
    size_t count, capacity;
};

/* A write that is not committed, or one in place that may have to be undone. */
typedef struct toy_write {
    bool present;
    bool by_range;
    iso_value value;
    toy_version before; /* in place */
} toy_write;

typedef struct toy_span {
    iso_key begin, end;
    bool is_scan;
    bool present; /* a key of a scan that it showed */
} toy_span;

typedef struct toy_txn {
    toy *toy;
    uint32_t flags;
    bool ended;
    uint64_t at[ISO_COLLECTIONS];
    toy_write *writes;
    size_t count, capacity;
    toy_span *reads;
    size_t read_count, read_capacity;
    uint32_t *savepoints; /* counts of writes */
    size_t savepoint_count, savepoint_capacity;
} toy_txn;

toy *toy_create(toy_fault fault)
{
    toy *y = (toy *)must_alloc(sizeof *y);
    y->fault = fault;
    pthread_mutex_init(&y->mutex, NULL);
    return y;
}

void toy_destroy(toy *y)
{
    for (size_t i = 0; i < y->count; i++)
        free(y->rows[i].versions);
    free(y->rows);
    pthread_mutex_destroy(&y->mutex);
    free(y);
}

/* Makes some writes and commits take long, before or after they have their effect: then the times of many
 * calls overlap, and say little about their order. */
static void linger(toy *y)
{
    uint32_t n = atomic_fetch_add_explicit(&y->calls, 1, memory_order_relaxed);
    if (n % 31 == 5) usleep(700);
}

/* ---------------------------------------------------------------- rows; the mutex is held */

static size_t first_row_from(const toy *y, iso_key key)
{
    size_t i = 0;
    while (i < y->count && y->rows[i].key < key)
        i++;
    return i;
}

static toy_row *row_of(toy *y, iso_key key)
{
    size_t i = first_row_from(y, key);
    if (i < y->count && y->rows[i].key == key) return &y->rows[i];
    y->rows = (toy_row *)must_grow(y->rows, y->count, &y->capacity, sizeof *y->rows);
    memmove(&y->rows[i + 1], &y->rows[i], (y->count - i) * sizeof *y->rows);
    y->count++;
    y->rows[i] = (toy_row){.key = key};
    return &y->rows[i];
}

static toy_version version_at(const toy_row *row, uint64_t at)
{
    for (size_t i = row->count; i-- > 0;)
        if (row->versions[i].at <= at) return row->versions[i];
    return (toy_version){.at = 0};
}

static void add_version(toy *y, toy_version v)
{
    toy_row *row = row_of(y, v.value.key);
    row->versions =
        (toy_version *)must_grow(row->versions, row->count, &row->capacity, sizeof *row->versions);
    row->versions[row->count++] = v;
}

/* ---------------------------------------------------------------- what a transaction sees */

static uint64_t snapshot_of(toy_txn *t, iso_key key)
{
    uint64_t *at = &t->at[key >> 32];
    toy_fault fault = t->toy->fault;
    if (fault == TOY_IN_PLACE || fault == TOY_READS_COMMITTED) return UINT64_MAX;
    if (*at == UINT64_MAX) *at = t->toy->now;
    return *at;
}

static const toy_write *own_write(const toy_txn *t, iso_key key)
{
    for (size_t i = t->count; i-- > 0;)
        if (t->writes[i].value.key == key) return &t->writes[i];
    return NULL;
}

static bool look(toy *y, toy_txn *t, toy_row *row, bool own, iso_value *out)
{
    const toy_write *w = t && own ? own_write(t, row->key) : NULL;
    toy_version v = version_at(row, t ? snapshot_of(t, row->key) : UINT64_MAX);
    if (w && y->fault != TOY_IN_PLACE) v = (toy_version){0, w->present, w->value};
    if (v.present) *out = v.value;
    return v.present;
}

static void add_read(toy_txn *t, toy_span span)
{
    if (!t || !(t->flags & HOLT_TXN_SERIALIZABLE)) return;
    t->reads = (toy_span *)must_grow(t->reads, t->read_count, &t->read_capacity, sizeof *t->reads);
    t->reads[t->read_count++] = span;
}

static uint64_t check_of(const iso_value *v)
{
    return (uint64_t)v->self.txn << 32 | v->self.op;
}

static holt_status toy_get(void *ctx, void *txn, iso_key key, iso_value *out)
{
    toy *y = (toy *)ctx;
    toy_txn *t = (toy_txn *)txn;
    pthread_mutex_lock(&y->mutex);
    bool present = look(y, t, row_of(y, key), y->fault != TOY_NO_OWN_WRITES, out);
    if (present) out->check = check_of(out);
    add_read(t, (toy_span){key, key + 1, false, present});
    pthread_mutex_unlock(&y->mutex);
    return present ? HOLT_OK : HOLT_NOT_FOUND;
}

/* Lets others in, with this fault. */
static void make_room(toy *y, toy_fault fault)
{
    if (y->fault != fault) return;
    pthread_mutex_unlock(&y->mutex);
    sched_yield();
    pthread_mutex_lock(&y->mutex);
}

static holt_status toy_get_many(void *ctx, void *txn, size_t count, const iso_key *keys, iso_value *out,
                                holt_status *statuses)
{
    toy *y = (toy *)ctx;
    toy_txn *t = (toy_txn *)txn;
    pthread_mutex_lock(&y->mutex);
    for (size_t i = 0; i < count; i++) {
        bool present = look(y, t, row_of(y, keys[i]), y->fault != TOY_NO_OWN_WRITES, &out[i]);
        add_read(t, (toy_span){keys[i], keys[i] + 1, false, present});
        statuses[i] = present ? HOLT_OK : HOLT_NOT_FOUND;
        if (!t) make_room(y, TOY_MANY_MOMENTS);
    }
    pthread_mutex_unlock(&y->mutex);
    return HOLT_OK;
}

static holt_status toy_scan(void *ctx, void *txn, const iso_scan *s, iso_value out[ISO_SCAN_MAX],
                            size_t *count)
{
    toy *y = (toy *)ctx;
    toy_txn *t = (toy_txn *)txn;
    pthread_mutex_lock(&y->mutex);
    for (iso_key k = s->begin; t && k < s->end; k++)
        row_of(y, k); /* so that its own writes have a row */
    size_t low = first_row_from(y, s->begin), high = first_row_from(y, s->end);
    *count = 0;
    for (size_t i = 0; i < high - low && *count < s->max; i++) {
        toy_row *row = &y->rows[s->backward ? high - 1 - i : low + i];
        if (!look(y, t, row, y->fault != TOY_NO_OWN_SCANS, &out[*count])) continue;
        add_read(t, (toy_span){row->key, row->key + 1, true, true});
        (*count)++;
    }
    add_read(t, (toy_span){s->begin, s->end, true, false});
    pthread_mutex_unlock(&y->mutex);
    return HOLT_OK;
}

/* ---------------------------------------------------------------- writing; the mutex is held */

static void write_in_place(toy_txn *t, toy_write *w)
{
    toy *y = t->toy;
    w->before = version_at(row_of(y, w->value.key), UINT64_MAX);
    add_version(y, (toy_version){++y->now, w->present, w->value});
}

static void undo_last(toy_txn *t)
{
    toy_write *w = &t->writes[--t->count];
    if (t->toy->fault != TOY_IN_PLACE) return;
    toy_version v = {++t->toy->now, w->before.present, w->before.value};
    v.value.key = w->value.key;
    add_version(t->toy, v);
}

static void write_any(toy *y, toy_txn *t, toy_write w)
{
    if (t) {
        if (y->fault == TOY_IN_PLACE) write_in_place(t, &w);
        t->writes = (toy_write *)must_grow(t->writes, t->count, &t->capacity, sizeof *t->writes);
        t->writes[t->count++] = w;
    } else {
        bool unseen = y->fault == TOY_BLIND_UNSEEN;
        add_version(y, (toy_version){unseen ? y->now : ++y->now, w.present, w.value});
    }
}

static holt_status toy_put(void *ctx, void *txn, const iso_value *value)
{
    toy *y = (toy *)ctx;
    linger(y);
    pthread_mutex_lock(&y->mutex);
    write_any(y, (toy_txn *)txn, (toy_write){.present = true, .value = *value});
    pthread_mutex_unlock(&y->mutex);
    linger(y);
    return HOLT_OK;
}

static holt_status toy_insert(void *ctx, void *txn, const iso_value *value)
{
    toy *y = (toy *)ctx;
    toy_txn *t = (toy_txn *)txn;
    iso_value ignored;
    linger(y);
    pthread_mutex_lock(&y->mutex);
    bool present = look(y, t, row_of(y, value->key), true, &ignored);
    add_read(t, (toy_span){value->key, value->key + 1, false, present});
    make_room(y, TOY_LATE_CONDITIONS);
    if (!present) write_any(y, t, (toy_write){.present = true, .value = *value});
    pthread_mutex_unlock(&y->mutex);
    linger(y);
    return present ? HOLT_EXISTS : HOLT_OK;
}

static holt_status toy_replace(void *ctx, const iso_value *value)
{
    toy *y = (toy *)ctx;
    iso_value now;
    linger(y);
    pthread_mutex_lock(&y->mutex);
    bool good = look(y, NULL, row_of(y, value->key), false, &now) && check_of(&now) == value->check;
    make_room(y, TOY_LATE_CONDITIONS);
    if (good) write_any(y, NULL, (toy_write){.present = true, .value = *value});
    pthread_mutex_unlock(&y->mutex);
    linger(y);
    return good ? HOLT_OK : HOLT_CONFLICT;
}

static holt_status toy_remove_range(void *ctx, void *txn, iso_key begin, iso_key end)
{
    toy *y = (toy *)ctx;
    linger(y);
    pthread_mutex_lock(&y->mutex);
    for (iso_key k = begin; k < end; k++)
        write_any(y, (toy_txn *)txn, (toy_write){.by_range = true, .value = {.key = k}});
    pthread_mutex_unlock(&y->mutex);
    linger(y);
    return HOLT_OK;
}

static holt_status toy_clear(void *ctx, unsigned collection)
{
    toy *y = (toy *)ctx;
    linger(y);
    pthread_mutex_lock(&y->mutex);
    if (y->fault != TOY_CLEAR_UNSEEN) y->cleared[collection] = ++y->now;
    for (size_t i = 0; i < y->count; i++)
        if (y->rows[i].key >> 32 == collection)
            add_version(y, (toy_version){.at = y->now, .value = {.key = y->rows[i].key}});
    pthread_mutex_unlock(&y->mutex);
    linger(y);
    return HOLT_OK;
}

static holt_status toy_remove(void *ctx, void *txn, iso_key key)
{
    toy *y = (toy *)ctx;
    linger(y);
    pthread_mutex_lock(&y->mutex);
    write_any(y, (toy_txn *)txn, (toy_write){.present = false, .value = {.key = key}});
    pthread_mutex_unlock(&y->mutex);
    linger(y);
    return HOLT_OK;
}

/* ---------------------------------------------------------------- transactions */

static holt_status toy_begin(void *ctx, uint32_t flags, void **out)
{
    toy *y = (toy *)ctx;
    toy_txn *t = (toy_txn *)must_alloc(sizeof *t);
    t->toy = y;
    t->flags = flags;
    pthread_mutex_lock(&y->mutex);
    bool old = y->fault == TOY_OLD_SNAPSHOTS && ++y->begun % 16 == 0 && y->now > 4;
    for (int i = 0; i < ISO_COLLECTIONS; i++)
        t->at[i] = y->fault == TOY_BY_COLLECTION ? UINT64_MAX : y->now - (old ? 3 : 0);
    pthread_mutex_unlock(&y->mutex);
    *out = t;
    return HOLT_OK;
}

static bool has_changed(toy_txn *t, iso_key begin, iso_key end)
{
    toy *y = t->toy;
    if (y->cleared[begin >> 32] > snapshot_of(t, begin)) return true;
    for (size_t i = first_row_from(y, begin); i < y->count && y->rows[i].key < end; i++) {
        const toy_row *row = &y->rows[i];
        if (row->count && row->versions[row->count - 1].at > snapshot_of(t, row->key)) return true;
    }
    return false;
}

static bool is_checked(const toy_txn *t, toy_span s)
{
    toy_fault fault = t->toy->fault;
    if (fault == TOY_NO_READ_CHECKS) return s.is_scan;
    if (fault == TOY_NO_SCAN_CHECKS) return !s.is_scan;
    return fault != TOY_NO_GAP_CHECKS || !s.is_scan || s.present;
}

static bool conflicts(toy_txn *t)
{
    toy_fault fault = t->toy->fault;
    if (fault == TOY_IN_PLACE || fault == TOY_READS_COMMITTED || fault == TOY_NO_CONFLICTS) return false;
    if (t->flags & HOLT_TXN_BLIND) return false;
    for (size_t i = 0; i < t->count; i++) {
        if (fault == TOY_RANGES_UNSEEN && t->writes[i].by_range) continue;
        if (has_changed(t, t->writes[i].value.key, t->writes[i].value.key + 1)) return true;
    }
    for (size_t i = 0; i < t->read_count; i++)
        if (is_checked(t, t->reads[i]) && has_changed(t, t->reads[i].begin, t->reads[i].end)) return true;
    return false;
}

/* The last write of each key. */
static void install(toy_txn *t)
{
    toy *y = t->toy;
    uint64_t at = y->now + 1;
    if (y->fault == TOY_BLIND_UNSEEN && t->flags & HOLT_TXN_BLIND) at = y->now;
    for (size_t i = 0; i < t->count; i++) {
        if (own_write(t, t->writes[i].value.key) != &t->writes[i]) continue;
        if (i) make_room(y, TOY_PIECEMEAL);
        if (y->fault == TOY_PIECEMEAL) at = y->now + 1;
        add_version(y, (toy_version){at, t->writes[i].present, t->writes[i].value});
        if (at > y->now) y->now = at;
    }
}

static holt_status toy_commit(void *txn)
{
    toy_txn *t = (toy_txn *)txn;
    toy *y = t->toy;
    linger(y);
    pthread_mutex_lock(&y->mutex);
    bool good = !conflicts(t);
    if (!good && y->fault == TOY_HALF_FAILED && t->count) {
        t->count = 1;
        install(t);
    }
    if (good && y->fault != TOY_IN_PLACE) install(t);
    t->ended = true;
    pthread_mutex_unlock(&y->mutex);
    linger(y);
    return good ? HOLT_OK : HOLT_CONFLICT;
}

static void toy_end(void *txn)
{
    toy_txn *t = (toy_txn *)txn;
    pthread_mutex_lock(&t->toy->mutex);
    while (!t->ended && t->count)
        undo_last(t);
    pthread_mutex_unlock(&t->toy->mutex);
    free(t->writes);
    free(t->reads);
    free(t->savepoints);
    free(t);
}

static holt_status toy_savepoint(void *txn, uint32_t *id)
{
    toy_txn *t = (toy_txn *)txn;
    t->savepoints = (uint32_t *)must_grow(t->savepoints, t->savepoint_count, &t->savepoint_capacity,
                                          sizeof *t->savepoints);
    *id = (uint32_t)t->savepoint_count;
    t->savepoints[t->savepoint_count++] = (uint32_t)t->count;
    return HOLT_OK;
}

static holt_status toy_rollback_to(void *txn, uint32_t id)
{
    toy_txn *t = (toy_txn *)txn;
    if (t->toy->fault == TOY_NO_SAVEPOINTS) return HOLT_OK;
    pthread_mutex_lock(&t->toy->mutex);
    while (t->count > t->savepoints[id])
        undo_last(t);
    pthread_mutex_unlock(&t->toy->mutex);
    return HOLT_OK;
}

iso_store toy_store(toy *y)
{
    return (iso_store){.ctx = y,
                       .begin = toy_begin,
                       .commit = toy_commit,
                       .end = toy_end,
                       .get = toy_get,
                       .get_many = toy_get_many,
                       .put = toy_put,
                       .insert = toy_insert,
                       .replace = toy_replace,
                       .remove = toy_remove,
                       .remove_range = toy_remove_range,
                       .clear = toy_clear,
                       .scan = toy_scan,
                       .savepoint = toy_savepoint,
                       .rollback_to = toy_rollback_to};
}
