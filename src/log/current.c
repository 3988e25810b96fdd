/* current.c -- CURRENT, the one-line file that names the manifest; manifest.h describes the line. */
#include "log/manifest.h"

#include "base/hash.h"
#include "base/status.h"
#include "log/segment.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { CURRENT_BYTES_MAX = 256 };

/* Writes and syncs CURRENT.tmp. An existing one is deleted rather than reused: if a sync of the directory has
 * failed since it was created, its name may never become durable, and then neither does the rename, whatever
 * later syncs report. */
static holt_status write_temporary(os_dir *dir, const char *line, size_t size)
{
    os_file *file = NULL;
    holt_status rc = os_dir_unlink(dir, "CURRENT.tmp");
    if (rc == HOLT_OK || rc == HOLT_NOT_FOUND)
        rc = os_file_open(dir, "CURRENT.tmp", OS_WRITE | OS_CREATE | OS_TRUNCATE, &file);
    if (rc == HOLT_OK) rc = os_file_write(file, 0, line, size);
    if (rc == HOLT_OK) rc = os_file_sync(file);
    os_file_close(file);
    return rc;
}

holt_status current_write(os_dir *dir, uint64_t number, const uint64_t database_id[2], bool *named)
{
    char line[CURRENT_BYTES_MAX], name[OS_NAME_MAX];
    manifest_name(number, name);
    int size = snprintf(line, sizeof line, "holt %d %016" PRIx64 "%016" PRIx64 " %s ",
                        MANIFEST_FORMAT_VERSION, database_id[0], database_id[1], name);
    size +=
        snprintf(line + size, sizeof line - (size_t)size, "%016" PRIx64 "\n", hash_bytes(line, (size_t)size));

    assert(size > 0 && (size_t)size < sizeof line);
    holt_status rc = write_temporary(dir, line, (size_t)size);
    if (rc == HOLT_OK)
        rc = os_dir_sync(dir); /* the manifest's name becomes durable before CURRENT refers to it */
    if (named) *named = rc == HOLT_OK;
    if (rc == HOLT_OK) rc = os_dir_rename(dir, "CURRENT.tmp", "CURRENT");
    if (rc == HOLT_OK) rc = os_dir_sync(dir);
    return rc;
}

enum { CHECKSUM_DIGITS = 16 };

static holt_status damaged_line(void)
{
    return status_set_file(HOLT_CORRUPT, "CURRENT", 0, "the line is damaged");
}

/* Compares the digits of the checksum as text, so that a line has only one valid spelling. */
static bool checksum_matches(const char *line, size_t size)
{
    char digits[CHECKSUM_DIGITS + 2];
    if (size < sizeof digits) return false;
    size_t before = size - CHECKSUM_DIGITS - 1;
    snprintf(digits, sizeof digits, "%016" PRIx64 "\n", hash_bytes(line, before));
    return memcmp(line + before, digits, CHECKSUM_DIGITS + 1) == 0;
}

static holt_status parse_current(const char *line, size_t size, uint64_t *number, uint64_t database_id[2])
{
    char high[17] = "", low[17] = "", name[OS_NAME_MAX] = "";
    int version = 0;
    if (!checksum_matches(line, size)) return damaged_line();
    int fields = sscanf(line, "holt %9d %16[0-9a-f]%16[0-9a-f] %63s", &version, high, low, name);
    if (fields >= 1 && version != MANIFEST_FORMAT_VERSION)
        return status_set_file(HOLT_UNSUPPORTED, "CURRENT", 0,
                               "database format version %d; this release reads version %d", version,
                               MANIFEST_FORMAT_VERSION);
    if (fields != 4 || !file_name_number(name, "MANIFEST-", "", number)) return damaged_line();
    database_id[0] = strtoull(high, NULL, 16);
    database_id[1] = strtoull(low, NULL, 16);
    return HOLT_OK;
}

holt_status current_read(os_dir *dir, uint64_t *number, uint64_t database_id[2])
{
    char line[CURRENT_BYTES_MAX];
    size_t size = 0;
    os_file *file = NULL;
    holt_status rc = os_file_open(dir, "CURRENT", OS_READ, &file);
    if (rc != HOLT_OK) return rc;
    rc = os_file_read(file, 0, line, sizeof line - 1, &size);
    os_file_close(file);
    if (rc != HOLT_OK) return rc;
    line[size] = '\0';
    return parse_current(line, size, number, database_id);
}
