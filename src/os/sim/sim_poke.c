/* sim_poke.c -- direct access to the disks for tests, without calls that count and fail; and the
 * fingerprint. */
#include "os/sim/sim_internal.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"

/* Splits a path into its directory and the name in it. NULL: there is no such directory. */
static sim_dir *place_of(sim *s, const char *path, char name[OS_NAME_MAX])
{
    char clean[SIM_PATH_MAX];
    if (sim_path_clean(path, clean) != 0) return NULL;
    char *slash = strrchr(clean, '/');
    if (!slash || strlen(slash + 1) >= OS_NAME_MAX) return NULL;
    memcpy(name, slash + 1, strlen(slash + 1) + 1);
    *slash = '\0';
    return sim_dir_find(s, clean);
}

static holt_status peek(sim *s, const char *path, void **bytes, size_t *size)
{
    char name[OS_NAME_MAX];
    sim_dir *d = place_of(s, path, name);
    const sim_inode *n = d ? sim_entries_find(&d->current, name) : NULL;
    if (!n) return HOLT_NOT_FOUND;
    size_t count = (size_t)n->current.size;
    *bytes = mem_alloc(count);
    if (!*bytes) return status_no_memory(count);
    *size = sim_bytes_read(&n->current, 0, *bytes, count);
    return HOLT_OK;
}

holt_status sim_peek(os *o, const char *path, void **bytes, size_t *size)
{
    sim *s = sim_of(o);
    *bytes = NULL;
    *size = 0;
    pthread_mutex_lock(&s->mutex);
    holt_status status = peek(s, path, bytes, size);
    pthread_mutex_unlock(&s->mutex);
    return status;
}

static holt_status poke(sim *s, const char *path, const void *bytes, size_t size)
{
    char name[OS_NAME_MAX];
    sim_dir *d = place_of(s, path, name);
    if (!d) return HOLT_NOT_FOUND;
    sim_inode *n = sim_entries_find(&d->current, name);
    if (!n) {
        n = sim_inode_create(s, s->next_number++);
        sim_dir_link(s, d, name, n);
        sim_inode_unref(s, n); /* the entry has its own reference */
    }
    sim_dir_settle(s, d);
    sim_bytes contents = {0, NULL, 0, 0};
    sim_bytes_write(&contents, 0, bytes, size);
    sim_inode_settle(n, &contents);
    return HOLT_OK;
}

holt_status sim_poke(os *o, const char *path, const void *bytes, size_t size)
{
    sim *s = sim_of(o);
    pthread_mutex_lock(&s->mutex);
    holt_status status = poke(s, path, bytes, size);
    pthread_mutex_unlock(&s->mutex);
    return status;
}

holt_status sim_remove(os *o, const char *path)
{
    sim *s = sim_of(o);
    char name[OS_NAME_MAX];
    pthread_mutex_lock(&s->mutex);
    sim_dir *d = place_of(s, path, name);
    bool found = d && sim_entries_find(&d->current, name);
    if (found) {
        sim_dir_remove(s, d, name);
        sim_dir_settle(s, d);
    }
    pthread_mutex_unlock(&s->mutex);
    return found ? HOLT_OK : HOLT_NOT_FOUND;
}

/* ---------------------------------------------------------------- fingerprint */

static uint64_t mix(uint64_t sum, uint64_t value)
{
    uint64_t pair[2] = {sum, value};
    return hash_bytes(pair, sizeof pair);
}

static uint64_t mix_bytes(uint64_t sum, const sim_bytes *b)
{
    uint8_t page[SIM_PAGE_SIZE];
    for (uint64_t at = 0; at < b->size; at += sizeof page)
        sum = mix(sum, hash_bytes(page, sim_bytes_read(b, at, page, sizeof page)));
    return mix(sum, b->size);
}

static uint64_t mix_entries(uint64_t sum, const sim_entries *e)
{
    for (size_t i = 0; i < e->count; i++) {
        const sim_inode *n = e->at[i].inode;
        sum = mix(sum, hash_bytes(e->at[i].name, sizeof e->at[i].name));
        sum = mix(sum, n->number);
        sum = mix_bytes(sum, &n->current);
        sum = mix_bytes(sum, &n->durable);
        sum = mix(sum, n->change_count);
    }
    return mix(sum, e->count);
}

uint64_t sim_fingerprint(os *o)
{
    sim *s = sim_of(o);
    pthread_mutex_lock(&s->mutex);
    uint64_t sum = mix(s->clock_ns, s->calls[SIM_CALLS]);
    for (const sim_dir *d = s->dirs; d; d = d->next) {
        sum = mix(sum, hash_bytes(d->path, strlen(d->path)));
        sum = mix_entries(sum, &d->current);
        sum = mix_entries(sum, &d->durable);
        sum = mix(sum, d->move_count);
    }
    pthread_mutex_unlock(&s->mutex);
    return sum;
}
