/* directory.c -- classifying the files of a directory, and deleting orphans. */
#include "db/open/directory.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/db.h"
#include "db/manifest/file_uses.h"
#include "log/segment.h"

/* ---------------------------------------------------------------- names */

/* Whether the name is as the engine writes it: at least six digits, and more only if needed. run-1.sst is not
 * Holt's. */
static bool numbered(const char *name, const char *prefix, const char *suffix, uint64_t *number)
{
    const char *digits = name + strlen(prefix);
    if (!file_name_number(name, prefix, suffix, number)) return false;
    size_t count = strlen(digits) - strlen(suffix);
    return count == 6 || (count > 6 && digits[0] != '0');
}

/* What file systems and file managers leave in a directory: lost+found, .DS_Store, .nfs0000000000123456. */
static bool is_bystander(const char *name)
{
    return name[0] == '.' || strcmp(name, "lost+found") == 0;
}

/* The ballast file of databases made before it was renamed: deleted at open like any other. */
static const char FORMER_BALLAST[] = "RESERVE";

file_kind file_classify(const char *name, uint64_t *number)
{
    *number = 0;
    if (strcmp(name, "CURRENT") == 0) return FILE_CURRENT;
    if (strcmp(name, "LOCK") == 0) return FILE_LOCK;
    if (strcmp(name, "LOG") == 0 || strcmp(name, "LOG.old") == 0) return FILE_EVENT_LOG;
    if (numbered(name, "MANIFEST-", "", number)) return FILE_MANIFEST;
    if (numbered(name, "wal-", ".log", number)) return FILE_SEGMENT;
    if (numbered(name, "run-", ".sst", number)) return FILE_RUN;
    if (numbered(name, "tree-", ".bt", number)) return FILE_PAGES;
    if (numbered(name, "spare-", ".log", number) || strcmp(name, "BALLAST") == 0 ||
        strcmp(name, FORMER_BALLAST) == 0 || strcmp(name, "CURRENT.tmp") == 0)
        return FILE_TEMPORARY;
    *number = 0;
    return is_bystander(name) ? FILE_BYSTANDER : FILE_FOREIGN;
}

/* ---------------------------------------------------------------- looking */

typedef struct sighting {
    bool current, foreign, ours, beyond_creation, first_segment;
} sighting;

static holt_status see(void *ctx, const char *name)
{
    sighting *s = ctx;
    uint64_t number;
    file_kind kind = file_classify(name, &number);
    if (kind == FILE_CURRENT) s->current = true;
    if (kind == FILE_FOREIGN) s->foreign = true;
    if (kind != FILE_FOREIGN && kind != FILE_BYSTANDER && kind != FILE_LOCK && kind != FILE_EVENT_LOG)
        s->ours = true;
    if (kind == FILE_RUN || (kind == FILE_PAGES && number != 1) ||
        ((kind == FILE_SEGMENT || kind == FILE_MANIFEST) && number != 1))
        s->beyond_creation = true;
    if (kind == FILE_SEGMENT && number == 1) s->first_segment = true;
    if (kind == FILE_TEMPORARY && strcmp(name, "CURRENT.tmp") != 0) s->beyond_creation = true;
    return HOLT_OK;
}

/* Whether wal-1 has a header. A creation writes that only after CURRENT; any other contents are those of a
 * torn write. */
static holt_status segment_begun(os_dir *dir, bool *begun)
{
    char name[OS_NAME_MAX];
    uint8_t bytes[SEGMENT_HEADER];
    os_file *file = NULL;
    size_t got = 0;
    segment_name(1, name);
    holt_status rc = os_file_open(dir, name, OS_READ, &file);
    if (rc == HOLT_OK) rc = os_file_read(file, 0, bytes, sizeof bytes, &got);
    os_file_close(file);
    *begun = got == sizeof bytes && segment_header_intact(bytes);
    return rc;
}

/* A listing made while a writer replaces CURRENT by a rename may show neither name. */
static holt_status look_for_current(os_dir *dir, bool *exists)
{
    uint64_t size;
    return os_dir_stat(dir, "CURRENT", exists, &size);
}

holt_status directory_look(os_dir *dir, directory_kind *out)
{
    sighting s = {0};
    holt_status rc = os_dir_list(dir, see, &s);
    bool begun = false;
    if (rc == HOLT_OK && !s.current) rc = look_for_current(dir, &s.current);
    if (rc == HOLT_OK && !s.current && s.first_segment) rc = segment_begun(dir, &begun);
    if (s.current)
        *out = DIRECTORY_DATABASE;
    else if (s.beyond_creation || begun)
        *out = DIRECTORY_HEADLESS;
    else if (s.foreign)
        *out = s.ours ? DIRECTORY_HEADLESS : DIRECTORY_FOREIGN;
    else
        *out = DIRECTORY_EMPTY;
    return rc;
}

static holt_status see_number(void *ctx, const char *name)
{
    uint64_t *next = ctx, number;
    file_kind kind = file_classify(name, &number);
    bool ours = (kind == FILE_RUN || kind == FILE_PAGES) && number < UINT64_MAX;
    if (ours && number >= *next) *next = number + 1;
    return HOLT_OK;
}

holt_status directory_next_file(os_dir *dir, uint64_t *next)
{
    return os_dir_list(dir, see_number, next);
}

/* ---------------------------------------------------------------- cleaning */

typedef struct cleaning {
    const used_files *used;
    char (*names)[OS_NAME_MAX];
    size_t count, capacity;
} cleaning;

bool file_is_orphan(const char *name, const used_files *used)
{
    uint64_t number;
    switch (file_classify(name, &number)) {
    case FILE_MANIFEST:
        return number != used->manifest;
    case FILE_SEGMENT:
        return !used->segment(used->ctx, number);
    case FILE_RUN:
        return !used->run(used->ctx, number);
    case FILE_PAGES:
        return number != used->page_file;
    case FILE_TEMPORARY:
        return true;
    case FILE_FOREIGN:
    case FILE_BYSTANDER:
    case FILE_CURRENT:
    case FILE_LOCK:
    case FILE_EVENT_LOG:
        break;
    }
    return false;
}

static bool uses_segment(const void *ctx, uint64_t number)
{
    const log_checkpoint *log = &((const holt *)ctx)->manifest.log;
    if (number == log->next_segment) return true;
    for (size_t i = 0; i < log->recovered_count; i++)
        if (log->recovered[i].segment == number) return true;
    return false;
}

static bool uses_run(const void *ctx, uint64_t number)
{
    return file_in_use(&((const holt *)ctx)->manifest.uses, number);
}

static holt_status gather_orphan(void *ctx, const char *name)
{
    cleaning *c = ctx;
    if (!file_is_orphan(name, c->used)) return HOLT_OK;
    if (!mem_grow((void **)&c->names, &c->capacity, c->count + 1, sizeof *c->names))
        return status_no_memory(sizeof *c->names);
    memcpy(c->names[c->count++], name, strlen(name) + 1);
    return HOLT_OK;
}

holt_status directory_clean(holt *db, uint64_t manifest_number)
{
    const page_store *store = page_store_of(db);
    const used_files used = {.ctx = db,
                             .manifest = manifest_number,
                             .page_file = store ? page_store_recorded(store)->file : UINT64_MAX,
                             .segment = uses_segment,
                             .run = uses_run};
    cleaning c = {.used = &used};
    holt_status rc = os_dir_list(db->dir, gather_orphan, &c);
    for (size_t i = 0; i < c.count && rc == HOLT_OK; i++) {
        rc = os_dir_unlink(db->dir, c.names[i]);
        if (rc == HOLT_NOT_FOUND) rc = HOLT_OK;
        event_log_write(db->events, HOLT_LOG_DEBUG, "deleted orphan %s", c.names[i]);
    }
    mem_free(c.names);
    return rc;
}
