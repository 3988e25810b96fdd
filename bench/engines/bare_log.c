/* bare_log.c -- see bare_log.h. */
#include "engines/bare_log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void write_at(const bare_log *log, const char *data, size_t size, uint64_t offset)
{
    while (size > 0) {
        ssize_t done = pwrite(log->file, data, size, (off_t)offset);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) engine_fail("pwrite: %s", strerror(errno));
        data += done;
        size -= (size_t)done;
        offset += (uint64_t)done;
    }
}

void bare_log_open(bare_log *log, const engine_settings *s)
{
    static const char zeros[1 << 16];
    char path[sizeof s->directory + 16];
    engine_path(s, "log", path, sizeof path);
    log->offset = 0;
    log->file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (log->file < 0) engine_fail("%s: %s", path, strerror(errno));
    for (uint64_t at = 0; at < BARE_LOG_BYTES; at += sizeof zeros) {
        write_at(log, zeros, sizeof zeros, at);
    }
    if (fsync(log->file) != 0) engine_fail("fsync: %s", strerror(errno));
}

void bare_log_close(bare_log *log)
{
    close(log->file); /* its contents are not kept */
}

void bare_log_write(bare_log *log, const char *data, size_t size)
{
    if (log->offset + size > BARE_LOG_BYTES) log->offset = 0;
    write_at(log, data, size, log->offset);
    log->offset += size;
    if (fdatasync(log->file) != 0) engine_fail("fdatasync: %s", strerror(errno));
}

size_t bare_record(char *out, size_t capacity, bytes key, bytes value)
{
    size_t size = BARE_RECORD_EXTRA + key.size + value.size;
    if (size > capacity) return 0;
    memset(out, 0x55, BARE_RECORD_EXTRA);
    memcpy(out + BARE_RECORD_EXTRA, key.data, key.size);
    memcpy(out + BARE_RECORD_EXTRA + key.size, value.data, value.size);
    return size;
}
