/* expiry_sweep.c -- the passes over B+trees; expiry_sweep.h has the algorithm. */
#include "db/background/expiry_sweep.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/background/page_reclaim.h"
#include "db/clock.h"
#include "db/db.h"
#include "db/version/version_set.h"

#include <assert.h>
#include <inttypes.h>

enum { STEP_ENTRIES = 8192, CHUNK_ENTRIES = 8192 };

/* ---------------------------------------------------------------- an iterator over what has expired */

/* Shows the expired entries of another iterator as tombstones. Only forwards, as a batch is read. */
typedef struct expired_iterator {
    iterator base;
    iterator *in;
    uint64_t time_ms;
} expired_iterator;

static void settle(expired_iterator *e)
{
    iterator *in = e->in;
    while (in->valid && entry_op_at(in->op, in->expires_at_ms, e->time_ms) != ENTRY_DELETE)
        in->ops->next(in);
    e->base.valid = in->valid;
    e->base.op = ENTRY_DELETE;
    e->base.status = in->status;
    e->base.key = in->key;
}

static void expired_first(iterator *it)
{
    expired_iterator *e = (expired_iterator *)it;
    e->in->ops->first(e->in);
    settle(e);
}

static void expired_next(iterator *it)
{
    expired_iterator *e = (expired_iterator *)it;
    e->in->ops->next(e->in);
    settle(e);
}

static void expired_seek(iterator *it, slice key)
{
    expired_iterator *e = (expired_iterator *)it;
    e->in->ops->seek(e->in, key);
    settle(e);
}

static const iterator_ops expired_ops = {.first = expired_first, .next = expired_next, .seek = expired_seek};

/* ---------------------------------------------------------------- choosing a tree */

uint64_t sweep_due_ms(const expiry_sweep *w, const btree_version *tree)
{
    const tree_root *root = btree_version_root(tree);
    for (size_t i = 0; i < SWEEP_KNOWN; i++)
        if (w->known[i].root && w->known[i].root == root->root.offset) return w->known[i].due_ms;
    return expiry_summary_due_ms(&root->expiry, root->entries, root->bytes);
}

/* A pass over the tree has found nothing, but what its summary promised. */
static void note_known(expiry_sweep *w)
{
    const tree_root *root = btree_version_root(w->base);
    size_t at = w->known_next++ % SWEEP_KNOWN;
    w->known[at].root = root->root.offset;
    w->known[at].due_ms = expiry_summary_due_ms(&w->live, root->entries, root->bytes);
}

void sweep_abandon(expiry_sweep *w)
{
    iterator_close(w->count);
    btree_version_unref(w->base);
    buffer_deinit(&w->from);
    w->count = NULL;
    w->base = NULL;
    w->from = (buffer){0};
}

/* 1. */
static holt_status begin_pass(expiry_sweep *w)
{
    version *v;
    assert(!w->base && !w->count);
    holt_status rc = version_acquire(&w->db->versions, &v);
    if (rc != HOLT_OK) return rc;
    w->time_ms = db_time_ms(w->db);
    for (size_t i = 0; i < v->slot_count && !w->base; i++) {
        const collection_version *s = v->slots[i];
        btree_version *tree = s ? collection_tree_btree(&s->tree) : NULL;
        if (!tree || sweep_due_ms(w, tree) > w->time_ms) continue;
        w->base = btree_version_ref(tree);
        w->collection = s->spec.id;
        w->slot = (uint32_t)i;
        w->block_bytes = s->spec.block_bytes;
    }
    version_release(&w->db->versions, v);
    w->expired = w->removed = 0;
    w->live = (expiry_summary){0};
    if (!w->base) return HOLT_OK;
    const tree_iterator_options options = {.bypass_cache = true, .read_ahead = true};
    rc = btree_iterator_open(w->base, &options, &w->count);
    if (rc == HOLT_OK) w->count->ops->first(w->count);
    return rc;
}

/* 2. */
static holt_status count_step(expiry_sweep *w)
{
    iterator *in = w->count;
    for (int left = STEP_ENTRIES; in->valid && left > 0; left--) {
        if (in->op == ENTRY_PUT_UNTIL && in->expires_at_ms <= w->time_ms)
            w->expired++;
        else if (in->op == ENTRY_PUT_UNTIL)
            expiry_summary_add(&w->live, in->expires_at_ms);
        in->ops->next(in);
    }
    if (in->valid || in->status != HOLT_OK) return in->status;
    iterator_close(in);
    w->count = NULL;
    if (w->expired > 0) return HOLT_OK;
    note_known(w);
    sweep_abandon(w);
    return HOLT_OK;
}

/* ---------------------------------------------------------------- 3. removing */

/* Finds the end of the next chunk: the key after it in *end, open at the end of the tree; and how many of its
 * entries have expired. */
static holt_status measure_chunk(const expiry_sweep *w, buffer *end, uint64_t *expired)
{
    const tree_iterator_options options = {.lower = buffer_slice(&w->from), .bypass_cache = true};
    iterator *in;
    *expired = 0;
    holt_status rc = btree_iterator_open(w->base, &options, &in);
    if (rc != HOLT_OK) return rc;
    in->ops->first(in);
    for (int left = CHUNK_ENTRIES; in->valid && left > 0; left--) {
        *expired += entry_op_at(in->op, in->expires_at_ms, w->time_ms) == ENTRY_DELETE;
        in->ops->next(in);
    }
    rc = in->status;
    if (in->valid) buffer_append(end, in->key);
    if (end->failed) rc = status_no_memory(in->key.size);
    iterator_close(in);
    return rc;
}

static holt_status apply_chunk(const expiry_sweep *w, btree_change *change, slice end, btree_version **next)
{
    const tree_iterator_options options = {
        .lower = buffer_slice(&w->from), .upper = end, .bypass_cache = true};
    expired_iterator e = {.base.ops = &expired_ops, .time_ms = w->time_ms};
    holt_status rc = btree_iterator_open(w->base, &options, &e.in);
    if (rc != HOLT_OK) return rc;
    expired_first(&e.base);
    btree_batch batch = {.base = w->base, .changes = &e.base, .block_bytes = w->block_bytes};
    bool done = false;
    rc = e.base.status;
    if (rc == HOLT_OK) rc = btree_change_apply(change, &batch, CHUNK_ENTRIES + 1, &done, next);
    assert(rc != HOLT_OK || done);
    iterator_close(e.in);
    return rc;
}

/* Whether the tree is still what the pass has made of it. */
static holt_status check_current(const expiry_sweep *w)
{
    version *v;
    holt_status rc = version_acquire(&w->db->versions, &v);
    if (rc != HOLT_OK) return rc;
    const collection_version *s = version_collection(v, w->slot, w->collection);
    bool same = s && collection_tree_btree(&s->tree) == w->base;
    version_release(&w->db->versions, v);
    return same ? HOLT_OK
                : status_set(HOLT_CONFLICT, "the B+tree of collection %u was replaced", w->collection);
}

/* Deletes the expired entries of the chunk. HOLT_BUSY: another change is open. HOLT_CONFLICT: the tree is
 * another one now. */
static holt_status remove_chunk(expiry_sweep *w, slice end, uint64_t expired)
{
    reclaim_tree t = {.collection = w->collection, .slot = w->slot, .base = w->base};
    btree_change *change;
    assert(expired <= w->expired);
    holt_status rc = btree_change_begin(&change, page_store_of(w->db));
    if (rc != HOLT_OK) return rc;
    rc = check_current(w);
    if (rc == HOLT_OK) rc = apply_chunk(w, change, end, &t.next);
    if (rc != HOLT_OK) {
        btree_change_abandon(change);
        btree_version_unref(t.next);
        return rc;
    }
    if (expired == w->expired) btree_version_set_expiry(t.next, &w->live);
    rc = reclaim_record_tree(w->db, change, &t, 0);
    if (rc != HOLT_OK) {
        btree_version_unref(t.next);
        return rc;
    }
    btree_version_unref(w->base);
    w->base = t.next;
    w->expired -= expired;
    w->removed += expired;
    return HOLT_OK;
}

static holt_status remove_step(expiry_sweep *w)
{
    buffer end = {0};
    uint64_t expired = 0;
    holt_status rc = measure_chunk(w, &end, &expired);
    bool last = end.size == 0; /* the empty key can only be the first */
    if (rc == HOLT_OK && expired > 0)
        rc = remove_chunk(w, last ? slice_of(NULL, 0) : buffer_slice(&end), expired);
    if (rc != HOLT_OK) {
        buffer_deinit(&end);
        return rc;
    }
    buffer_deinit(&w->from);
    w->from = end;
    if (!last && w->expired > 0) return HOLT_OK;
    event_log_write(w->db->events, HOLT_LOG_INFO,
                    "removed %" PRIu64 " expired entries from the B+tree of collection %u", w->removed,
                    w->collection);
    os_mutex_lock(&w->db->jobs.mu);
    w->db->compactions.swept += w->removed;
    os_mutex_unlock(&w->db->jobs.mu);
    sweep_abandon(w);
    return HOLT_OK;
}

holt_status sweep_step(expiry_sweep *w, bool *more)
{
    holt_status rc = HOLT_OK;
    *more = true;
    if (!w->base) {
        rc = begin_pass(w);
        *more = w->base != NULL;
    } else {
        rc = w->count ? count_step(w) : remove_step(w);
    }
    if (rc == HOLT_BUSY && !status_no_descriptors(rc)) {
        *more = false; /* the pass goes on later */
        return HOLT_OK;
    }
    if (rc != HOLT_OK) sweep_abandon(w);
    return rc == HOLT_CONFLICT ? HOLT_OK : rc;
}
