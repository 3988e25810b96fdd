/* wal.c -- the log writer: opening, staging and appending frames, rotation, closing. */
#include "log/wal_internal.h"

#include "base/coding.h"
#include "base/cost.h"
#include "base/memory.h"
#include "base/status.h"
#include "log/segment_file.h"

#include <assert.h>
#include <inttypes.h>

enum { SEAL_PAYLOAD = 16, CLOSE_PAYLOAD = 24, SEGMENT_GROWTH = 4 };

/* Every segment keeps this much room for the frame that ends it. */
static uint64_t ending_bytes(void)
{
    return frame_length(CLOSE_PAYLOAD) > frame_length(SEAL_PAYLOAD) ? frame_length(CLOSE_PAYLOAD)
                                                                    : frame_length(SEAL_PAYLOAD);
}

/* ---------------------------------------------------------------- failure */

holt_status wal_failure(wal *w)
{
    os_mutex_assert_held(&w->mu);
    return atomic_load_explicit(&w->failed, memory_order_relaxed) ? status_restore(&w->failure) : HOLT_OK;
}

holt_status wal_fail(wal *w)
{
    os_mutex_lock(&w->mu);
    if (!atomic_load_explicit(&w->failed, memory_order_relaxed)) {
        status_save(&w->failure);
        w->failure.status = HOLT_IO;
        atomic_store_explicit(&w->failed, true, memory_order_release);
    }
    holt_status rc = wal_failure(w);
    os_mutex_unlock(&w->mu);
    return status_wrap(rc, "the log has failed, nothing is acknowledged until the database is reopened");
}

holt_status wal_health(wal *w)
{
    /* Acquire: pairs with the release in wal_fail, so that `failure` is set. The mutex is taken only after a
     * failure. */
    if (!atomic_load_explicit(&w->failed, memory_order_acquire)) return HOLT_OK;
    os_mutex_lock(&w->mu);
    holt_status rc = wal_failure(w);
    os_mutex_unlock(&w->mu);
    return status_wrap(rc, "the log has failed, nothing is acknowledged until the database is reopened");
}

/* ---------------------------------------------------------------- opening */

holt_status wal_create_segment(os_dir *dir, uint64_t number)
{
    char name[OS_NAME_MAX];
    segment_name(number, name);
    os_file *file;
    holt_status rc = segment_file_create(dir, name, WAL_SEGMENT_BYTES_FIRST, true, &file);
    os_file_close(file);
    return rc;
}

/* Makes room in live[] for one more segment. */
static holt_status reserve_live(wal *w)
{
    os_mutex_lock(&w->mu);
    size_t need = w->live_count + 1;
    bool room = mem_grow((void **)&w->live, &w->live_capacity, need, sizeof *w->live);
    os_mutex_unlock(&w->mu);
    return room ? HOLT_OK : status_no_memory(need * sizeof *w->live);
}

/* Writes the header of a segment and makes it the active one, the last of live[], which must have room. Only
 * the write can fail, because the segment before it is sealed already. */
static holt_status begin_segment(wal *w, const wal_segment *segment, segment_header *h)
{
    uint8_t bytes[SEGMENT_HEADER];
    h->synced = wal_synced_position(w);
    h->number = segment->number;
    memcpy(h->database_id, w->options.database_id, sizeof h->database_id);
    segment_header_encode(bytes, h);
    holt_status rc = os_file_write(segment->file, 0, bytes, sizeof bytes);
    if (rc != HOLT_OK) return rc;

    os_mutex_lock(&w->mu);
    assert(w->live_count < w->live_capacity);
    w->live[w->live_count] = *segment;
    w->live[w->live_count++].unsynced = true;
    w->written.segment = segment->number;
    w->written.offset = SEGMENT_FRAMES;
    os_mutex_unlock(&w->mu);
    wal_window_close(w);
    w->mode_chosen = false;
    w->active = segment->file;
    w->salt = h->salt;
    w->offset = SEGMENT_FRAMES;
    w->capacity = segment->size;
    w->chain = h->checksum;
    atomic_store_explicit(&w->outgrown, false, memory_order_relaxed);
    wal_end_calm(w);
    return HOLT_OK;
}

holt_status wal_open(wal **out, os_dir *dir, const wal_options *options, const wal_start *start)
{
    *out = NULL;
    wal *w = mem_alloc_zero(1, sizeof *w);
    if (!w) return status_no_memory(sizeof *w);
    w->os = os_dir_os(dir);
    w->dir = dir;
    w->options = *options;
    w->synced = start->predecessor;
    w->written = start->predecessor;
    w->written_seqno = w->stats.synced_seqno = start->next_seqno - 1; /* recovery has synced those before */
    os_mutex_init(&w->mu, LOCK_RANK_WAL);
    os_cond_init(&w->changed, w->os);

    char name[OS_NAME_MAX];
    segment_name(start->number, name);
    wal_segment segment = {.number = start->number};
    segment_header header = {.salt = start->salt,
                             .predecessor = start->predecessor,
                             .manifest = start->manifest,
                             .first_seqno = start->next_seqno};
    holt_status rc = reserve_live(w);
    if (rc == HOLT_OK) rc = os_file_open(dir, name, OS_WRITE, &segment.file);
    if (rc == HOLT_OK) rc = os_file_size(segment.file, &segment.size);
    if (rc == HOLT_OK) rc = begin_segment(w, &segment, &header);
    if (rc == HOLT_OK) {
        atomic_store_explicit(&w->calm, true, memory_order_relaxed);
        *out = w;
        return HOLT_OK;
    }
    if (w->live_count == 0) os_file_close(segment.file);
    wal_destroy(w);
    return rc;
}

void wal_destroy(wal *w)
{
    if (!w) return;
    wal_window_close(w);
    for (size_t i = 0; i < w->live_count; i++)
        os_file_close(w->live[i].file);
    if (w->has_next) os_file_close(w->next.file);
    os_cond_deinit(&w->changed);
    os_mutex_deinit(&w->mu);
    mem_free(w->live);
    mem_large_free(w->stage, w->stage_capacity);
    mem_free(w);
}

/* ---------------------------------------------------------------- staging and appending */

bool wal_fits(wal *w, uint64_t frames_bytes)
{
    uint64_t end = w->offset + w->stage_size + frames_bytes + ending_bytes();
    if (end <= w->capacity) return true;
    os_mutex_lock(&w->mu); /* the file may have been extended */
    w->capacity = w->live[w->live_count - 1].size;
    os_mutex_unlock(&w->mu);
    return end <= w->capacity;
}

/* Makes room for `size` bytes after those already staged. NULL: out of memory. */
static uint8_t *reserve_stage(wal *w, size_t size)
{
    if (w->stage_size == 0) {
        w->synced_stage = wal_synced_position(w);
        w->stage_chain = w->chain;
        w->stage_seqno = w->written_seqno;
    }
    size_t need = w->stage_size + size;
    if (need > w->stage_capacity) {
        size_t capacity = need < (64 << 10) ? (64 << 10) : need + need / 2;
        uint8_t *stage = mem_large_realloc(w->stage, w->stage_capacity, capacity);
        if (!stage) return NULL;
        w->stage = stage;
        w->stage_capacity = capacity;
    }
    return w->stage + w->stage_size;
}

uint8_t *wal_stage(wal *w, size_t payload_size)
{
    assert(!w->around.data);
    uint8_t *at = reserve_stage(w, frame_length(payload_size));
    if (!at) return NULL;
    w->stage_payload = slice_of(NULL, payload_size);
    return at + FRAME_HEADER;
}

bool wal_stage_around(wal *w, slice payload)
{
    assert(w->stage_size == 0 && payload.data);
    if (!reserve_stage(w, FRAME_HEADER + frame_tail_size(payload.size))) return false;
    w->stage_payload = payload;
    return true;
}

static void end_frame(wal *w, frame_type type, seqno number, uint32_t operations)
{
    frame f = {.type = (uint8_t)type,
               .salt = w->salt,
               .offset = w->offset + w->stage_size,
               .previous = w->stage_chain,
               .number = number,
               .synced = w->synced_stage,
               .operations = operations,
               .payload = w->stage_payload};
    w->around = w->stage_payload;
    if (w->around.data)
        frame_encode_around(w->stage, w->stage + FRAME_HEADER, &f);
    else
        frame_encode(w->stage + w->stage_size, &f);
    w->stage_size += f.length;
    w->stage_chain = f.checksum;
}

void wal_stage_end(wal *w, seqno first, uint32_t operations)
{
    end_frame(w, FRAME_COMMIT, first, operations);
    w->stage_seqno = first + operations - 1;
}

void wal_stage_clear(wal *w)
{
    w->stage_size = 0;
    w->around = slice_of(NULL, 0);
    if (w->stage_capacity > (4 << 20)) { /* do not keep the memory of one huge commit */
        mem_large_free(w->stage, w->stage_capacity);
        w->stage = NULL;
        w->stage_capacity = 0;
    }
}

static holt_status write_around(wal *w)
{
    const slice payload = w->around;
    const uint64_t tail = w->offset + FRAME_HEADER + payload.size;
    holt_status rc = os_file_write(w->active, w->offset, w->stage, FRAME_HEADER);
    if (rc == HOLT_OK) rc = os_file_write(w->active, w->offset + FRAME_HEADER, payload.data, payload.size);
    if (rc != HOLT_OK) return rc;
    return os_file_write(w->active, tail, w->stage + FRAME_HEADER, frame_tail_size(payload.size));
}

/* Writes the staged frames: through the window if the segment is written that way, and the rest with a plain
 * write. */
static holt_status write_stage(wal *w, bool sync_follows)
{
    if (!w->mode_chosen) w->mapped = !sync_follows && !w->map_refused && !w->around.data;
    w->mode_chosen = true;
    if (w->around.data) return write_around(w);
    size_t stored = w->mapped ? wal_window_store(w, w->offset, w->stage, w->stage_size) : 0;
    if (stored == w->stage_size) return HOLT_OK;
    return os_file_write(w->active, w->offset + stored, w->stage + stored, w->stage_size - stored);
}

holt_status wal_append(wal *w, bool sync_follows)
{
    assert(w->offset + w->stage_size <= w->capacity);
    holt_status rc = wal_health(w);
    if (rc == HOLT_OK) {
        uint64_t began = cost_is_timed() ? os_clock_ns(w->os) : 0;
        rc = write_stage(w, sync_follows);
        if (began) cost_sheet_mine()->log_write_ns += os_clock_ns(w->os) - began;
        cost_add_log_bytes(w->stage_size);
        if (rc != HOLT_OK) rc = wal_fail(w);
    }
    if (rc != HOLT_OK) {
        wal_stage_clear(w);
        return rc;
    }
    w->offset += w->stage_size;
    w->chain = w->stage_chain;
    os_mutex_lock(&w->mu);
    w->written.offset = w->offset;
    w->written_seqno = w->stage_seqno;
    w->live[w->live_count - 1].unsynced = true;
    w->stats.bytes += w->stage_size;
    os_mutex_unlock(&w->mu);
    wal_stage_clear(w);
    return HOLT_OK;
}

log_position wal_written(wal *w)
{
    os_mutex_lock(&w->mu);
    log_position at = w->written;
    os_mutex_unlock(&w->mu);
    return at;
}

log_position wal_synced_position(wal *w)
{
    os_mutex_lock(&w->mu);
    log_position at = w->synced;
    os_mutex_unlock(&w->mu);
    return at;
}

void wal_stats_get(wal *w, wal_stats *out)
{
    os_mutex_lock(&w->mu);
    *out = w->stats;
    out->segments = w->live_count;
    out->active_bytes = w->live[w->live_count - 1].size;
    out->disk_bytes = w->has_next ? w->next.size : 0;
    for (size_t i = 0; i < w->live_count; i++)
        out->disk_bytes += w->live[i].size;
    os_mutex_unlock(&w->mu);
}

/* ---------------------------------------------------------------- rotation */

uint64_t wal_segment_bytes_after(const wal *w, uint64_t size)
{
    uint64_t low_space = atomic_load_explicit(&w->low_space, memory_order_relaxed);
    if (low_space) return low_space;
    size *= SEGMENT_GROWTH;
    if (size > w->options.segment_bytes_max) size = w->options.segment_bytes_max;
    return size < WAL_SEGMENT_BYTES_MIN ? WAL_SEGMENT_BYTES_MIN : size;
}

bool wal_is_calm(const wal *w)
{
    return atomic_load_explicit(&w->calm, memory_order_relaxed);
}

bool wal_outgrows_calm(wal *w)
{
    if (!wal_is_calm(w) || w->capacity - w->offset > WAL_SEGMENT_BYTES_FIRST / 2) return false;
    atomic_store_explicit(&w->outgrown, true, memory_order_relaxed);
    wal_end_calm(w);
    return true;
}

void wal_end_calm(wal *w)
{
    atomic_store_explicit(&w->calm, false, memory_order_relaxed);
}

bool wal_has_next(wal *w)
{
    os_mutex_lock(&w->mu);
    bool has = w->has_next && w->next_entry_synced;
    os_mutex_unlock(&w->mu);
    return has;
}

/* Makes the next segment on the spot. After a failed sync of the directory the name is given up: a later sync
 * that succeeds would not prove that the name is on disk. */
static holt_status make_next(wal *w, uint64_t need, wal_segment *out)
{
    char name[OS_NAME_MAX];
    memset(out, 0, sizeof *out);
    out->number = w->written.segment + 1;
    out->size = wal_segment_bytes_after(w, w->capacity);
    if (out->size < need) out->size = need;
    segment_name(out->number, name);
    holt_status rc = segment_file_create(w->dir, name, out->size, false, &out->file);
    while (rc == HOLT_NO_SPACE && wal_is_low_space(w) && out->size / 2 >= WAL_SEGMENT_BYTES_SMALL &&
           out->size / 2 >= need) {
        out->size /= 2;
        rc = segment_file_create(w->dir, name, out->size, false, &out->file);
    }
    if (rc != HOLT_OK) return rc;
    rc = os_dir_sync(w->dir);
    if (rc == HOLT_OK) return HOLT_OK;
    os_file_close(out->file);
    os_dir_discard(w->dir, name); /* keeps the message of the failed sync */
    return rc;
}

/* Opens the prepared segment, which was closed when it had been made. */
static holt_status open_next(wal *w, wal_segment *next)
{
    char name[OS_NAME_MAX];
    if (next->file) return HOLT_OK; /* an earlier rotation opened it and then failed */
    segment_name(next->number, name);
    holt_status rc = os_file_open(w->dir, name, OS_WRITE, &next->file);
    os_mutex_lock(&w->mu);
    w->next.file = next->file;
    os_mutex_unlock(&w->mu);
    return rc;
}

/* Returns the prepared segment, enlarged if necessary, or makes one if there is none. Its directory entry is
 * synced. It remains the prepared segment until the rotation is done. */
static holt_status take_next(wal *w, uint64_t frames_bytes, wal_segment *out)
{
    uint64_t need = SEGMENT_FRAMES + frames_bytes + ending_bytes();
    os_mutex_lock(&w->mu);
    while (w->has_next &&
           !w->next_entry_synced) /* wal_prepare() is making the name durable, or will give it up */
        os_cond_wait(&w->changed, &w->mu, OS_FOREVER);
    bool has = w->has_next;
    *out = w->next;
    w->next_claimed = !has; /* so that no spare gets its name */
    os_mutex_unlock(&w->mu);

    holt_status rc = has ? open_next(w, out) : HOLT_OK;
    if (rc == HOLT_NOT_FOUND) has = false; /* it was deleted from outside */
    if (!has) {
        rc = make_next(w, need, out);
    } else if (rc != HOLT_OK) {
        return rc; /* it remains prepared */
    } else if (out->size < need) {
        rc = os_file_allocate(out->file, need);
        out->size = need;
    }
    os_mutex_lock(&w->mu);
    w->next_claimed = false;
    if (rc == HOLT_OK) {
        w->next = *out;
        w->has_next = w->next_entry_synced = true;
    }
    os_mutex_unlock(&w->mu);
    return rc;
}

holt_status wal_rotate(wal *w, uint64_t frames_bytes, seqno next_seqno, manifest_mark manifest,
                       wal_rotation *out)
{
    assert(w->stage_size == 0);
    wal_segment next;
    holt_status rc = wal_health(w);
    if (rc == HOLT_OK) rc = reserve_live(w);
    if (rc == HOLT_OK) rc = take_next(w, frames_bytes, &next);
    if (rc != HOLT_OK) return rc;

    uint64_t salt = os_random(w->os);
    uint8_t *payload = wal_stage(w, SEAL_PAYLOAD);
    if (!payload) return status_no_memory(SEAL_PAYLOAD);
    put_u64le(payload, next.number);
    put_u64le(payload + 8, salt);
    end_frame(w, FRAME_SEAL, next_seqno, 0);
    /* From here on there is no way back. So nothing is allocated, and a failed write ends the log. */
    rc = wal_append(w, true);
    if (rc != HOLT_OK) return rc;

    segment_header header = {
        .salt = salt, .predecessor = w->written, .manifest = manifest, .first_seqno = next_seqno};
    out->sealed = w->written.segment;
    out->next = next.number;
    out->next_salt = salt;
    rc = begin_segment(w, &next, &header);
    if (rc != HOLT_OK) return wal_fail(w); /* sealed but not continued: the log ends here */
    os_mutex_lock(&w->mu);
    w->has_next = false;
    os_mutex_unlock(&w->mu);
    return HOLT_OK;
}

/* ---------------------------------------------------------------- closing */

holt_status wal_finish(wal *w, seqno next_seqno, manifest_mark manifest, log_position *end)
{
    uint8_t *payload = wal_stage(w, CLOSE_PAYLOAD);
    if (!payload) return status_no_memory(CLOSE_PAYLOAD);
    put_u64le(payload, manifest.number);
    put_u64le(payload + 8, manifest.record);
    put_u64le(payload + 16, manifest.checksum);
    end_frame(w, FRAME_CLOSE, next_seqno, 0);
    holt_status rc = wal_append(w, true);
    if (rc == HOLT_OK) rc = wal_sync(w);
    if (rc != HOLT_OK) return rc;
    *end = wal_written(w);
    wal_window_close(w);
    /* The close has succeeded even if the space cannot be given back. */
    if (os_file_truncate(w->active, end->offset) == HOLT_OK) (void)os_file_sync(w->active);
    wal_discard_spares(w);
    return HOLT_OK;
}
