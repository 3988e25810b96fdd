/* wal_prepare.c -- background work on segments: preparing the next one, extending, releasing, recycling. */
#include "log/wal_internal.h"

#include "log/segment_file.h"

/* Makes a file of `size` bytes under a name that no recovery takes for a segment, from the recyclable segment
 * `recycled` unless that is 0. */
static holt_status make_spare(wal *w, uint64_t recycled, const char *name, uint64_t size, os_file **out)
{
    if (!recycled) return segment_file_create(w->dir, name, size, true, out);
    char old[OS_NAME_MAX];
    segment_name(recycled, old);
    *out = NULL;
    holt_status rc = os_dir_rename(w->dir, old, name);
    if (rc == HOLT_OK) rc = segment_file_refit(w->dir, name, size, out);
    if (rc != HOLT_OK) os_dir_discard(w->dir, name); /* if that fails, the next open removes the orphan */
    return rc;
}

/* Takes a recyclable file off the list; returns its number, or 0 if there is none. */
static uint64_t take_recyclable(wal *w)
{
    os_mutex_assert_held(&w->mu);
    return w->recyclable_count ? w->recyclable[--w->recyclable_count] : 0;
}

/* Claims the place of the next segment. Returns false if a rotation has filled it or is about to. */
static bool claim_next(wal *w, wal_segment *segment)
{
    os_mutex_lock(&w->mu);
    segment->number = w->live[w->live_count - 1].number + 1;
    bool is_free = !w->has_next && !w->next_claimed;
    if (is_free) {
        w->next = *segment;
        w->has_next = true;
        w->next_entry_synced = false;
    }
    os_mutex_unlock(&w->mu);
    return is_free;
}

/* Makes the claimed segment the prepared one (ready), or gives the claim up. A rotation that needs a segment
 * has waited for this, and may at once make a file of the same name. */
static void resolve_next(wal *w, bool ready)
{
    os_mutex_lock(&w->mu);
    w->next_entry_synced = w->has_next = ready;
    os_cond_broadcast(&w->changed);
    os_mutex_unlock(&w->mu);
}

static void discard(wal *w, const char *name, os_file *file)
{
    os_file_close(file);
    os_dir_discard(w->dir, name); /* if that fails, the next open removes the orphan */
}

/* Renames the finished spare to the segment after the active one and makes that name durable. mu is not held,
 * because commits take it too. After a failed sync of the directory the name is given up, since a later sync
 * that succeeds would not prove that the name is on disk; the next spare's name is new to the directory. */
static holt_status name_spare(wal *w, const char *spare, wal_segment *segment)
{
    char name[OS_NAME_MAX];
    if (!claim_next(w, segment)) {
        discard(w, spare, segment->file);
        return HOLT_OK;
    }
    segment_name(segment->number, name);
    holt_status rc = os_dir_rename(w->dir, spare, name);
    bool renamed = rc == HOLT_OK;
    if (renamed) rc = os_dir_sync(w->dir);
    if (rc != HOLT_OK) discard(w, renamed ? name : spare, segment->file);
    resolve_next(w, rc == HOLT_OK);
    return rc;
}

holt_status wal_prepare(wal *w)
{
    char spare[OS_NAME_MAX];
    wal_segment segment = {0};
    os_mutex_lock(&w->mu);
    bool needed = !w->has_next && !w->preparing && wal_failure(w) == HOLT_OK;
    uint64_t recycled = 0;
    if (needed) {
        w->preparing = true;
        segment.size = wal_segment_bytes_after(w, w->live[w->live_count - 1].size);
        segment_spare_name(w->live[w->live_count - 1].number + 1, spare);
        recycled = take_recyclable(w);
    }
    os_mutex_unlock(&w->mu);
    if (!needed) return HOLT_OK;

    holt_status rc = make_spare(w, recycled, spare, segment.size, &segment.file);
    /* Its bytes are synced. It is opened again when it is needed, and holds no descriptor until then. */
    os_file_close(segment.file);
    segment.file = NULL;
    if (rc == HOLT_OK) rc = name_spare(w, spare, &segment);
    os_mutex_lock(&w->mu);
    w->preparing = false;
    os_mutex_unlock(&w->mu);
    return rc;
}

/* ---------------------------------------------------------------- extending */

/* Returns whether the active segment is to be extended, from active->size to *size. */
static bool begin_extending(wal *w, wal_segment *active, uint64_t *size)
{
    os_mutex_assert_held(&w->mu);
    *active = w->live[w->live_count - 1];
    *size =
        ((w->written.offset + WAL_SEGMENT_BYTES_MIN / 2) / WAL_SEGMENT_BYTES_MIN + 1) * WAL_SEGMENT_BYTES_MIN;
    /* Relaxed: a hint. */
    bool due = atomic_exchange_explicit(&w->outgrown, false, memory_order_relaxed);
    w->extending = due && active->size < *size && !wal_is_low_space(w) && wal_failure(w) == HOLT_OK;
    return w->extending;
}

/* The segment may have been sealed since, and older ones released. */
static void end_extending(wal *w, uint64_t number, uint64_t size)
{
    os_mutex_assert_held(&w->mu);
    w->extending = false;
    for (size_t i = 0; i < w->live_count; i++)
        if (w->live[i].number == number) w->live[i].size = size;
    os_cond_broadcast(&w->changed);
}

holt_status wal_extend(wal *w)
{
    wal_segment active;
    uint64_t size;
    os_mutex_lock(&w->mu);
    bool needed = begin_extending(w, &active, &size);
    os_mutex_unlock(&w->mu);
    if (!needed) return HOLT_OK;
    holt_status rc = segment_file_extend(active.file, active.size, size);
    os_mutex_lock(&w->mu);
    end_extending(w, active.number, rc == HOLT_OK ? size : active.size);
    os_mutex_unlock(&w->mu);
    return rc;
}

/* ---------------------------------------------------------------- releasing and trimming */

/* If it fails, the next open removes the orphan. */
static void unlink_segment(wal *w, uint64_t number)
{
    char name[OS_NAME_MAX];
    segment_name(number, name);
    os_dir_discard(w->dir, name);
}

static void discard_recyclable(wal *w)
{
    for (uint64_t number = 1; number;) {
        os_mutex_lock(&w->mu);
        number = take_recyclable(w);
        os_mutex_unlock(&w->mu);
        if (number) unlink_segment(w, number);
    }
}

void wal_set_low_space(wal *w, uint64_t bytes)
{
    if (bytes && bytes < WAL_SEGMENT_BYTES_SMALL) bytes = WAL_SEGMENT_BYTES_SMALL;
    atomic_store_explicit(&w->low_space, bytes, memory_order_relaxed);
    if (bytes) discard_recyclable(w);
}

holt_status wal_check_next(wal *w)
{
    os_mutex_lock(&w->mu);
    bool closed = w->has_next && w->next_entry_synced && !w->next.file;
    uint64_t number = w->next.number;
    os_mutex_unlock(&w->mu);
    if (!closed) return HOLT_OK;
    char name[OS_NAME_MAX];
    os_file *file;
    segment_name(number, name);
    holt_status rc = os_file_open(w->dir, name, OS_WRITE, &file);
    if (rc == HOLT_OK) os_file_close(file);
    return rc == HOLT_NOT_FOUND ? HOLT_OK : rc; /* a rotation makes another one */
}

/* Deletes the prepared segment. The next one that is made gets its number. */
static void discard_next(wal *w)
{
    wal_segment next = {0};
    os_mutex_lock(&w->mu);
    bool has = w->has_next && w->next_entry_synced;
    if (has) {
        next = w->next;
        w->has_next = false;
    }
    os_mutex_unlock(&w->mu);
    if (!has) return;
    os_file_close(next.file);
    unlink_segment(w, next.number);
}

void wal_trim(wal *w)
{
    /* At least half of WAL_SEGMENT_BYTES_FIRST is left, so the frame that ends the segment fits in any
     * case. */
    uint64_t units = (w->offset + WAL_SEGMENT_BYTES_FIRST / 2) / WAL_SEGMENT_BYTES_FIRST + 1;
    uint64_t room = units * WAL_SEGMENT_BYTES_FIRST;
    wal_window_close(w);
    os_mutex_lock(&w->mu);
    wal_segment *active = &w->live[w->live_count - 1];
    bool cut = active->size > room && !w->extending && wal_failure(w) == HOLT_OK;
    if (cut && os_file_truncate(active->file, room) == HOLT_OK) active->size = room;
    w->capacity = active->size;
    os_mutex_unlock(&w->mu);
    atomic_store_explicit(&w->calm, true, memory_order_relaxed);
    discard_next(w);
    discard_recyclable(w);
}

void wal_release_file(wal *w, uint64_t number)
{
    os_mutex_lock(&w->mu);
    bool keep = w->recyclable_count < WAL_RECYCLE_MAX && wal_failure(w) == HOLT_OK && !wal_is_low_space(w);
    if (keep) w->recyclable[w->recyclable_count++] = number;
    os_mutex_unlock(&w->mu);
    if (keep) return;
    unlink_segment(w, number);
}

/* Takes the oldest live segment off the list if its number is not above `upto`; returns NULL if there is
 * none. Waits for a sync or an extension that may be using its file. */
static os_file *take_released(wal *w, uint64_t upto, uint64_t *number)
{
    os_file *file = NULL;
    os_mutex_lock(&w->mu);
    while (w->syncing || w->extending)
        os_cond_wait(&w->changed, &w->mu, OS_FOREVER);
    if (w->live_count > 1 && w->live[0].number <= upto) {
        file = w->live[0].file;
        *number = w->live[0].number;
        w->live_count--;
        memmove(w->live, w->live + 1, w->live_count * sizeof *w->live);
    }
    os_mutex_unlock(&w->mu);
    return file;
}

void wal_release(wal *w, uint64_t upto)
{
    uint64_t number;
    for (os_file *file; (file = take_released(w, upto, &number)) != NULL;) {
        os_file_close(file);
        wal_release_file(w, number);
    }
}

void wal_discard_spares(wal *w)
{
    if (w->has_next) {
        os_file_close(w->next.file);
        unlink_segment(w, w->next.number);
        w->has_next = false;
    }
    while (w->recyclable_count > 0)
        unlink_segment(w, w->recyclable[--w->recyclable_count]);
}
