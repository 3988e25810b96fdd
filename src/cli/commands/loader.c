/* loader.c -- see loader.h. */
#include "commands/loader.h"

#include <string.h>

#include "session.h"

void loader_init(loader *l, holt *db, uint64_t batch_entries, loader_mode mode)
{
    *l = (loader){.db = db, .batch_entries = batch_entries, .mode = mode};
}

holt_status loader_leave_collection(loader *l)
{
    return l->mode == LOADER_ATOMIC ? HOLT_OK : loader_commit(l);
}

static holt_status begin(loader *l)
{
    holt_txn_options options;
    if (l->batch) return HOLT_OK;
    memset(&options, 0, sizeof options);
    options.flags = HOLT_TXN_BLIND;
    return holt_begin(l->db, &options, &l->batch);
}

static holt_status put_sorted(loader *l, holt_slice key, holt_slice value, const holt_put_options *options)
{
    holt_status status = l->load ? HOLT_OK : holt_load_begin(l->collection, NULL, &l->load);
    return status == HOLT_OK ? holt_load_put_with(l->load, key, value, options) : status;
}

static holt_status put_into_batch(loader *l, holt_slice key, holt_slice value,
                                  const holt_put_options *options)
{
    uint64_t size = (uint64_t)key.size + value.size;
    holt_status status = HOLT_OK;
    int tries = 0;
    bool full = l->pending >= l->batch_entries || l->pending_bytes + size > LOADER_BATCH_BYTES;
    if (l->mode == LOADER_BATCHES && l->pending && full) status = loader_commit(l);
    if (status == HOLT_OK) status = begin(l);
    if (status != HOLT_OK) return status;
    do {
        status = holt_put_with(l->collection, l->batch, key, value, options);
    } while (session_wait_when_busy(status, &tries));
    return status;
}

holt_status loader_add(loader *l, holt_slice key, holt_slice value, uint64_t expires_at_ms)
{
    holt_put_options options;
    memset(&options, 0, sizeof options);
    options.expires_at_ms = expires_at_ms;
    holt_status status = l->mode == LOADER_SORTED ? put_sorted(l, key, value, &options)
                                                  : put_into_batch(l, key, value, &options);
    if (status != HOLT_OK) return status;
    l->pending++;
    l->pending_bytes += (uint64_t)key.size + value.size;
    return HOLT_OK;
}

holt_status loader_commit(loader *l)
{
    holt_status status = HOLT_OK;
    int tries = 0;
    if (l->pending) {
        do {
            status = l->load ? holt_load_commit(l->load) : holt_commit(l->batch);
        } while (session_wait_when_busy(status, &tries));
    }
    if (status == HOLT_OK && l->pending) {
        l->entries += l->pending;
        l->bytes += l->pending_bytes;
        l->batches++;
    }
    loader_deinit(l);
    return status;
}

void loader_deinit(loader *l)
{
    holt_rollback(l->batch);
    holt_load_abort(l->load);
    l->batch = NULL;
    l->load = NULL;
    l->pending = 0;
    l->pending_bytes = 0;
}
