/* manifest.c -- writing and reading the manifest file. */
#include "log/manifest.h"

#include "base/coding.h"
#include "base/file_header.h"
#include "base/memory.h"
#include "base/status.h"
#include "log/frame_reader.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum { HEADER_ZERO = FILE_HEADER_FIELDS };

/* Room kept allocated after the last record. */
enum { ALLOCATE_BYTES = 64 << 10 };

struct manifest {
    os_dir *dir;
    uint64_t database_id[2];
    uint64_t salt;
    uint64_t end;       /* where the next record goes */
    uint64_t allocated; /* size of the file */
    manifest_mark last;
    bool broken;
};

void manifest_name(uint64_t number, char name[OS_NAME_MAX])
{
    snprintf(name, OS_NAME_MAX, "MANIFEST-%06" PRIu64, number);
}

/* ---------------------------------------------------------------- header */

static uint64_t header_encode(uint8_t out[MANIFEST_FRAMES], const uint64_t database_id[2], uint64_t number,
                              uint64_t salt)
{
    file_header h = {.version = MANIFEST_FORMAT_VERSION, .number = number, .salt = salt};
    memcpy(h.database_id, database_id, sizeof h.database_id);
    memset(out, 0, MANIFEST_FRAMES);
    file_header_encode(out, MANIFEST_HEADER, FILE_MAGIC_MANIFEST, &h);
    return file_header_seal(out, MANIFEST_HEADER);
}

/* Reads and checks the header of the file. */
static holt_status header_read(os_file *file, uint64_t number, const uint64_t database_id[2],
                               file_header *out)
{
    uint8_t in[MANIFEST_HEADER];
    const char *name = os_file_name(file);
    holt_status rc = os_file_read_exact(file, 0, in, sizeof in);
    if (rc != HOLT_OK) return rc;
    if (!file_header_has_magic(in, FILE_MAGIC_MANIFEST))
        return status_set_file(HOLT_CORRUPT, name, FILE_HEADER_MAGIC, "not a manifest of Holt");
    if (!file_header_decode(in, sizeof in, out))
        return status_set_file(HOLT_CORRUPT, name, MANIFEST_HEADER - 8,
                               "the header does not match its checksum");
    if (out->version != MANIFEST_FORMAT_VERSION || out->flags || get_u64le(in + HEADER_ZERO))
        return status_set_file(HOLT_UNSUPPORTED, name, FILE_HEADER_VERSION,
                               "manifest format version %" PRIu32 ", flags %" PRIx32
                               "; this release reads version %d",
                               out->version, out->flags, MANIFEST_FORMAT_VERSION);
    if (memcmp(out->database_id, database_id, sizeof out->database_id) != 0)
        return status_set_file(HOLT_CORRUPT, name, FILE_HEADER_DATABASE, "belongs to another database");
    if (out->number != number)
        return status_set_file(HOLT_CORRUPT, name, FILE_HEADER_NUMBER,
                               "is manifest %" PRIu64 " under a wrong name", out->number);
    return HOLT_OK;
}

/* ---------------------------------------------------------------- writing */

/* Grows the file ahead of what will be written. A lack of space is not an error yet: the write itself may
 * still find room. */
static void allocate_ahead(manifest *m, os_file *file, uint64_t end)
{
    if (end <= m->allocated) return;
    uint64_t size = (end + (uint64_t)2 * ALLOCATE_BYTES - 1) / ALLOCATE_BYTES * ALLOCATE_BYTES;
    if (os_file_allocate(file, size) == HOLT_OK) m->allocated = size;
}

static holt_status write_record(manifest *m, os_file *file, slice payload)
{
    assert(!m->broken && m->end >= MANIFEST_FRAMES);
    size_t length = frame_length(payload.size);
    if (payload.size > UINT32_MAX / 2)
        return status_set(HOLT_TOO_LARGE, "a manifest record of %zu bytes", payload.size);
    uint8_t *bytes = mem_alloc(length);
    if (!bytes) return status_no_memory(length);
    frame f = {.type = FRAME_RECORD,
               .salt = m->salt,
               .offset = m->end,
               .previous = m->last.checksum,
               .number = m->last.record + 1,
               .payload = payload};
    bytes_copy(bytes + FRAME_HEADER, payload.data, payload.size);
    frame_encode(bytes, &f);
    allocate_ahead(m, file, m->end + length);
    holt_status rc = os_file_write(file, m->end, bytes, length);
    /* Until the sync has succeeded, what is on disk is unknown. But a record that ran out of space is not
     * there as a whole, and the next record overwrites its beginning. */
    m->broken = rc != HOLT_NO_SPACE;
    if (rc == HOLT_OK) rc = os_file_sync(file);
    mem_free(bytes);
    if (rc != HOLT_OK) return rc;
    m->broken = false;
    m->end += length;
    m->last.record++;
    m->last.checksum = f.checksum;
    return HOLT_OK;
}

holt_status manifest_create(os_dir *dir, uint64_t number, const uint64_t database_id[2], slice state,
                            manifest **out)
{
    *out = NULL;
    uint8_t header[MANIFEST_FRAMES];
    char name[OS_NAME_MAX];
    os_file *file = NULL;
    manifest_name(number, name);
    manifest *m = mem_alloc_zero(1, sizeof *m);
    if (!m) return status_no_memory(sizeof *m);

    holt_status rc = os_file_open(dir, name, OS_WRITE | OS_CREATE | OS_TRUNCATE, &file);
    if (rc != HOLT_OK) goto done;
    m->dir = dir;
    m->database_id[0] = database_id[0];
    m->database_id[1] = database_id[1];
    m->salt = os_random(os_dir_os(dir));
    m->end = MANIFEST_FRAMES;
    m->last.number = number;
    m->last.record = UINT64_MAX; /* the first record becomes 0 */
    m->last.checksum = header_encode(header, database_id, number, m->salt);
    allocate_ahead(m, file, m->end + frame_length(state.size));
    rc = os_file_write(file, 0, header, sizeof header);
    if (rc == HOLT_OK) rc = write_record(m, file, state);
    if (rc != HOLT_OK) goto done;
    *out = m;
    m = NULL;
done:
    if (m && file) os_dir_discard(dir, name); /* if that fails, the next open removes it */
    os_file_close(file);
    manifest_close(m);
    return rc;
}

void manifest_close(manifest *m)
{
    mem_free(m);
}

/* Opens the file for one record and checks that it is still the same file. */
static holt_status reopen(const manifest *m, os_file **out)
{
    char name[OS_NAME_MAX];
    file_header header = {0};
    manifest_name(m->last.number, name);
    holt_status rc = os_file_open(m->dir, name, OS_WRITE, out);
    if (rc == HOLT_NOT_FOUND)
        return status_set_file(HOLT_IO, name, HOLT_NO_OFFSET,
                               "is missing from %s: it was removed while the database is open",
                               os_dir_path(m->dir));
    if (rc == HOLT_OK) rc = header_read(*out, m->last.number, m->database_id, &header);
    if (rc == HOLT_OK && header.salt != m->salt)
        rc = status_set_file(HOLT_IO, name, FILE_HEADER_SALT, "was replaced while the database is open");
    return rc;
}

holt_status manifest_append(manifest *m, slice edit)
{
    char name[OS_NAME_MAX];
    manifest_name(m->last.number, name);
    if (m->broken)
        return status_set_file(HOLT_IO, name, HOLT_NO_OFFSET,
                               "an earlier write to the manifest failed; nothing more can be recorded in it");
    os_file *file = NULL;
    holt_status rc = reopen(m, &file);
    if (rc == HOLT_OK) rc = write_record(m, file, edit);
    os_file_close(file);
    return rc;
}

bool manifest_broken(const manifest *m)
{
    return m->broken;
}

manifest_mark manifest_last(const manifest *m)
{
    return m->last;
}

uint64_t manifest_size(const manifest *m)
{
    return m->end;
}

/* ---------------------------------------------------------------- reading */

static holt_status bad_record(os_file *file, uint64_t offset, uint64_t index)
{
    return status_set_file(HOLT_CORRUPT, os_file_name(file), offset,
                           "record %" PRIu64 " at %" PRIu64 " is damaged", index, offset);
}

/* Decides whether a bad record is torn or damaged. It is torn if nothing valid follows it; the first record,
 * which was synced before CURRENT named the file, can only be damaged. */
static holt_status judge_bad_record(frame_reader *reader, uint64_t offset, uint64_t index)
{
    if (index == 0) return bad_record(reader->file, offset, index);
    frame later;
    bool found;
    holt_status rc = frame_reader_find(reader, offset + FRAME_ALIGN, &later, &found);
    if (rc != HOLT_OK) return rc;
    return found ? bad_record(reader->file, offset, index) : HOLT_OK;
}

static holt_status read_records(frame_reader *reader, holt_status (*record)(void *, uint64_t, slice),
                                void *ctx, manifest_mark *last)
{
    uint64_t offset = MANIFEST_FRAMES;
    for (uint64_t index = 0;; index++) {
        frame f;
        bool found;
        holt_status rc = frame_reader_at(reader, offset, &f, &found);
        if (rc != HOLT_OK) return rc;
        if (!found || f.type != FRAME_RECORD || f.number != index || f.previous != last->checksum)
            return judge_bad_record(reader, offset, index);
        rc = record(ctx, index, f.payload);
        if (rc != HOLT_OK) return rc;
        last->record = index;
        last->checksum = f.checksum;
        offset += f.length;
    }
}

holt_status manifest_read(os_dir *dir, uint64_t number, const uint64_t database_id[2],
                          holt_status (*record)(void *ctx, uint64_t index, slice payload), void *ctx,
                          manifest_mark *last)
{
    char name[OS_NAME_MAX];
    manifest_name(number, name);
    os_file *file = NULL;
    frame_reader reader = {0};
    file_header header = {0};
    memset(last, 0, sizeof *last);
    last->number = number;

    holt_status rc = os_file_open(dir, name, OS_READ, &file);
    if (rc == HOLT_NOT_FOUND)
        return status_set_file(HOLT_CORRUPT, name, HOLT_NO_OFFSET,
                               "CURRENT names this manifest, but it is missing");
    if (rc != HOLT_OK) goto done;
    rc = header_read(file, number, database_id, &header);
    if (rc != HOLT_OK) goto done;
    last->checksum = header.checksum;
    rc = frame_reader_init(&reader, file, header.salt);
    if (rc == HOLT_OK) rc = read_records(&reader, record, ctx, last);
done:
    frame_reader_deinit(&reader);
    os_file_close(file);
    return rc;
}
