/* tree_file_writer.c -- writes a file of runs from front to back, with large writes. */
#include "tree/file/tree_file_internal.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"
#include "tree/file/tree_format.h"

#include <assert.h>

enum { BUFFER_BYTES = 1 << 20 };

struct tree_file_writer {
    tree_files *files;
    os_file *handle; /* NULL: owned by the finished file */
    uint64_t number;
    uint64_t written; /* bytes written to the file; the buffer's bytes follow them */
    size_t used;
    uint32_t pieces;
    holt_status failed; /* of a write or sync that failed, which is final for the file */
    uint8_t *buffer;    /* BUFFER_BYTES */
};

/* ---------------------------------------------------------------- buffering */

static holt_status writer_write(tree_file_writer *w, const void *bytes, size_t size)
{
    if (w->failed == HOLT_OK) w->failed = os_file_write(w->handle, w->written, bytes, size);
    if (w->failed != HOLT_OK) return w->failed;
    os_file_push(w->handle, w->written, size);
    w->written += size;
    return HOLT_OK;
}

static holt_status writer_flush(tree_file_writer *w)
{
    if (!w->used) return HOLT_OK;
    holt_status rc = writer_write(w, w->buffer, w->used);
    if (rc == HOLT_OK) w->used = 0;
    return rc;
}

/* Fills the buffer before writing it, so that all writes but the last and those of large pieces have
 * BUFFER_BYTES. */
static holt_status writer_gather(tree_file_writer *w, const uint8_t *bytes, size_t size)
{
    assert(size < BUFFER_BYTES && w->used <= BUFFER_BYTES);
    size_t room = BUFFER_BYTES - w->used, part = size < room ? size : room;
    memcpy(w->buffer + w->used, bytes, part);
    w->used += part;
    if (w->used < BUFFER_BYTES) return HOLT_OK;
    holt_status rc = writer_flush(w);
    if (rc != HOLT_OK) return rc;
    bytes_copy(w->buffer, bytes + part, size - part);
    w->used = size - part;
    return HOLT_OK;
}

static holt_status writer_put(tree_file_writer *w, const void *bytes, size_t size)
{
    if (size < BUFFER_BYTES) return writer_gather(w, bytes, size);
    holt_status rc = writer_flush(w);
    return rc == HOLT_OK ? writer_write(w, bytes, size) : rc;
}

/* ---------------------------------------------------------------- the writer */

holt_status tree_file_writer_create(tree_file_writer **out, tree_files *t, uint64_t number)
{
    char name[OS_NAME_MAX];
    tree_header header = {TREE_PURPOSE_RUNS, {t->database_id[0], t->database_id[1]}, number};
    holt_status rc = HOLT_OK;
    *out = NULL;
    tree_file_writer *w = mem_alloc_zero(1, sizeof *w);
    if (!w) return status_no_memory(sizeof *w);
    w->files = t;
    w->number = number;
    w->buffer = mem_large_alloc(BUFFER_BYTES);
    if (!w->buffer) {
        rc = status_no_memory(BUFFER_BYTES);
        goto done;
    }
    tree_file_name(number, name);
    rc = os_file_open(t->dir, name, OS_WRITE | OS_CREATE | OS_EXCLUSIVE, &w->handle);
    if (rc != HOLT_OK) goto done;
    tree_header_encode(w->buffer, &header);
    w->used = TREE_HEADER_BYTES;
    *out = w;
    w = NULL; /* now the caller's */
done:
    tree_file_writer_destroy(w);
    return rc;
}

void tree_file_writer_destroy(tree_file_writer *w)
{
    if (!w) return;
    if (w->handle) {
        char name[OS_NAME_MAX];
        tree_file_name(w->number, name);
        os_file_close(w->handle);
        /* No manifest names the file: if it cannot be deleted now, the next open of the database deletes
         * it. */
        os_dir_discard(w->files->dir, name);
    }
    mem_large_free(w->buffer, BUFFER_BYTES);
    mem_free(w);
}

uint64_t tree_file_writer_bytes(const tree_file_writer *w)
{
    return w->written + w->used;
}

holt_status tree_file_writer_add(tree_file_writer *w, const void *bytes, size_t size, block_ptr *out)
{
    static const uint8_t zeros[TREE_PIECE_ALIGN];
    assert(w->handle && size > 0 && size <= UINT32_MAX);
    if (w->pieces == UINT32_MAX)
        return status_set_file(HOLT_TOO_LARGE, os_file_name(w->handle), HOLT_NO_OFFSET, "too many blocks");
    uint64_t at = tree_file_writer_bytes(w);
    size_t gap = (size_t)(tree_piece_space(at) - at);
    holt_status rc = gap ? writer_gather(w, zeros, gap) : HOLT_OK;
    if (rc != HOLT_OK) return rc;
    block_ptr p = {tree_file_writer_bytes(w), hash_bytes(bytes, size), (uint32_t)size, w->pieces};
    rc = writer_put(w, bytes, size);
    if (rc != HOLT_OK) return rc;
    w->pieces++;
    assert(p.offset % TREE_PIECE_ALIGN == 0);
    *out = p;
    return HOLT_OK;
}

holt_status tree_file_writer_finish(tree_file_writer *w, tree_file **out)
{
    assert(w->handle);
    *out = NULL;
    holt_status rc = writer_flush(w);
    if (rc != HOLT_OK) return rc;
    /* After a failed sync it is unknown what is on disk: w->failed makes any further write of the file
     * fail. */
    rc = w->failed = os_file_sync(w->handle);
    if (rc != HOLT_OK) return rc;
    tree_file_spec spec = {.purpose = TREE_PURPOSE_RUNS, .number = w->number, .size = w->written};
    rc = tree_file_create(w->files, &spec, w->handle, out);
    if (rc == HOLT_OK) w->handle = NULL; /* now the table's */
    return rc;
}
