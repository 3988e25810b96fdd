/* verify_manifest.c -- applies the records of the manifest one by one and checks the resulting state. */
#include "db/verify/verify_manifest.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/db.h"

#include <inttypes.h>
#include <stdlib.h>

typedef struct reading {
    manifest_state *state;
    char name[OS_NAME_MAX];
} reading;

/* Adds the file and the record to a message of manifest_state.c, which does not know them. */
static holt_status name_file(const char *file, const char *what, uint64_t index)
{
    holt_error error;
    status_save(&error);
    return status_set_file((holt_status)error.status, file, HOLT_NO_OFFSET, "%s %" PRIu64 ": %s", what, index,
                           error.message);
}

static holt_status apply_record(void *ctx, uint64_t index, slice record)
{
    reading *r = ctx;
    holt_status rc = manifest_state_apply(r->state, index, record);
    return rc == HOLT_CORRUPT || rc == HOLT_UNSUPPORTED ? name_file(r->name, "record", index) : rc;
}

/* ---------------------------------------------------------------- the resulting state */

static holt_status check_counters(const manifest_state *s, const char *file)
{
    if (s->next_collection && s->log.next_segment) return HOLT_OK;
    return status_set_file(HOLT_CORRUPT, file, HOLT_NO_OFFSET, "has no counters or no log position");
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static holt_status check_names(const manifest_state *s, const char *file)
{
    const char **names = mem_alloc((s->collection_count + 1) * sizeof *names);
    if (!names) return status_no_memory(s->collection_count * sizeof *names);
    for (size_t i = 0; i < s->collection_count; i++)
        names[i] = s->collections[i].name;
    qsort(names, s->collection_count, sizeof *names, by_text);
    bool has_default = false;
    holt_status rc = HOLT_OK;
    for (size_t i = 0; i < s->collection_count && rc == HOLT_OK; i++) {
        has_default |= strcmp(names[i], "default") == 0;
        if (strlen(names[i]) > NAME_BYTES_MAX || (i > 0 && strcmp(names[i - 1], names[i]) == 0))
            rc = status_set_file(HOLT_CORRUPT, file, HOLT_NO_OFFSET,
                                 "the collection name \"%s\" is too long or occurs twice", names[i]);
    }
    mem_free(names);
    if (rc == HOLT_OK && !has_default)
        rc = status_set_file(HOLT_CORRUPT, file, HOLT_NO_OFFSET, "the collection \"default\" is missing");
    return rc;
}

static holt_status check_run(const manifest_state *s, const manifest_collection *c, const manifest_run *run,
                             const char *file)
{
    if (run->newest_seqno > s->log.flushed_seqno)
        return status_set_file(HOLT_CORRUPT, file, HOLT_NO_OFFSET,
                               "run %" PRIu64 " of collection \"%s\" is newer than the last flush (%" PRIu64
                               ")",
                               run->newest_seqno, c->name, s->log.flushed_seqno);
    for (size_t i = 0; i < run->count; i++)
        if (run->file_ranges[i].file >= s->next_file)
            return status_set_file(HOLT_CORRUPT, file, HOLT_NO_OFFSET,
                                   "run %" PRIu64 " of collection \"%s\" is in file %" PRIu64
                                   ", but the next file number is %" PRIu64,
                                   run->newest_seqno, c->name, run->file_ranges[i].file, s->next_file);
    return HOLT_OK;
}

static holt_status check_collection(const manifest_state *s, size_t index, const char *file)
{
    const manifest_collection *c = &s->collections[index];
    if (c->spec.id == 0 || c->spec.id >= s->next_collection)
        return status_set_file(HOLT_CORRUPT, file, HOLT_NO_OFFSET,
                               "collection %" PRIu32 " exists, but the next collection id is %" PRIu64,
                               c->spec.id, s->next_collection);
    holt_status rc = HOLT_OK;
    for (size_t i = 0; i < c->run_count && rc == HOLT_OK; i++)
        rc = check_run(s, c, &c->runs[i], file);
    return rc;
}

static holt_status check_state(const manifest_state *s, const char *file)
{
    holt_status rc = check_counters(s, file);
    if (rc == HOLT_OK) rc = check_names(s, file);
    for (size_t i = 0; i < s->collection_count && rc == HOLT_OK; i++)
        rc = check_collection(s, i, file);
    return rc;
}

/* ---------------------------------------------------------------- the whole manifest */

holt_status verify_manifest(os_dir *dir, uint64_t number, const uint64_t database_id[2], manifest_state *s,
                            manifest_mark *mark)
{
    reading r = {.state = s};
    manifest_name(number, r.name);
    holt_status rc = manifest_read(dir, number, database_id, apply_record, &r, mark);
    return rc == HOLT_OK ? check_state(s, r.name) : rc;
}

static holt_status count_file(verification *v, os_dir *dir, const char *name)
{
    bool exists;
    uint64_t size = 0;
    holt_status rc = os_dir_stat(dir, name, &exists, &size);
    if (rc != HOLT_OK || !exists) return rc;
    v->report.files++;
    v->bytes_total += size;
    verification_advance(v, size);
    return HOLT_OK;
}

holt_status verify_manifest_count(verification *v, os_dir *dir, uint64_t number)
{
    char name[OS_NAME_MAX];
    manifest_name(number, name);
    holt_status rc = count_file(v, dir, "CURRENT");
    return rc == HOLT_OK ? count_file(v, dir, name) : rc;
}
