/* resp_direct.c -- see resp_direct.h. */
#include "resp/resp_direct.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "resp/resp_commands.h"
#include "resp/resp_reply.h"

enum { VALUE_BYTES_KEPT = 64 * 1024 };

bool direct_init(resp_direct *d, resp_engine *e)
{
    *d = (resp_direct){.engine = e};
    d->databases = calloc(e->config->number[CONFIG_databases], sizeof(holt_collection *));
    return d->databases != NULL;
}

void direct_deinit(resp_direct *d)
{
    for (size_t i = 0; d->databases && i < d->engine->config->number[CONFIG_databases]; i++)
        holt_collection_close(d->databases[i]);
    free(d->databases);
    holt_value_free(&d->value);
}

bool direct_permits(const resp_direct *d, const resp_session *s)
{
    /* Relaxed: the reply to a SWAPDB comes after the batch has come back, which orders the two. */
    if (__atomic_load_n(&d->engine->swapped, __ATOMIC_RELAXED)) return false;
    if (!access_reads_freely(d->engine->access, s->user) || s->login) return false;
    return s->joined && !s->in_multi && !s->stream && !s->closing && !s->replies_off && !s->skip_next &&
           (!s->subscribed || s->protocol == 3);
}

bool direct_is_get(const char *data, size_t size)
{
    static const char header[] = "*2\r\n$3\r\n", name[] = "get\r\n";
    enum { HEADER = sizeof header - 1, NAME = sizeof name - 1 };
    return size > HEADER + NAME && memcmp(data, header, HEADER) == 0 &&
           strncasecmp(data + HEADER, name, NAME) == 0;
}

/* Returns the loop's handle of a database, or NULL if there is no such collection yet. As nothing was
 * exchanged, its number is that of its collection; the engine's numbers are the executor's. */
static holt_collection *collection_of(resp_direct *d, uint32_t database)
{
    holt_collection **c = &d->databases[database];
    char name[COLLECTION_NAME_BYTES];
    if (*c) return *c;
    resp_collection_name(database, name);
    return holt_collection_open(d->engine->db, name, c) == HOLT_OK ? *c : NULL;
}

bool direct_get(resp_direct *d, resp_session *s, holt_slice key, bytes *out)
{
    resp_reply r = {out, s->protocol};
    holt_collection *c = collection_of(d, s->database);
    if (!c) return false;
    holt_status status = holt_get_cached(c, NULL, key, &d->value);
    if (status == HOLT_OK) {
        reply_bulk(&r, holt_bytes(d->value.data, d->value.size));
    } else if (status == HOLT_NOT_FOUND) {
        reply_null(&r);
    } else {
        if (status == HOLT_CLOSED) { /* the collection was dropped; perhaps there is a new one */
            holt_collection_close(c);
            d->databases[s->database] = NULL;
        }
        return false;
    }
    resp_engine_count_get(d->engine, status == HOLT_OK);
    if (d->value.size > VALUE_BYTES_KEPT) holt_value_free(&d->value);
    return true;
}
