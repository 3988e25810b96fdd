/* commit.c -- what a commit does to log and memtable, and what comes before and after its group. */
#include "db/commit/commit.h"

#include "base/cost.h"
#include "base/memory.h"
#include "base/status.h"
#include "db/clock.h"
#include "db/commit/conflict.h"
#include "db/commit/key_order.h"
#include "db/commit/rotate.h"
#include "db/db.h"

#include <assert.h>

/* ---------------------------------------------------------------- checks */

static holt_status check_collections(const commit_request *r)
{
    size_t count = r->set ? r->set->collection_count : 1;
    holt_collection *const *all = r->set ? r->set->collections : &r->collection;
    for (size_t i = 0; i < count; i++)
        /* Relaxed: drops happen under leadership, which orders them. */
        if (atomic_load_explicit(&all[i]->dropped, memory_order_relaxed))
            return r->set
                       ? status_set(HOLT_CONFLICT, "a collection that the transaction wrote to was dropped")
                       : status_set(HOLT_CLOSED, "the collection was dropped");
    return HOLT_OK;
}

/* Checks the condition against the newest entry of the key, or if it is NULL, against what the lookup found,
 * which may have expired since. */
static holt_status check_newest(holt *db, write_condition *c, const memtable_entry *newest)
{
    if (!newest && (!c->expires_at_ms || c->expires_at_ms > db_time_ms(db))) return HOLT_OK;
    bool live = newest && db_entry_is_live(db, newest->op, newest->expires_at_ms);
    c->expires_at_ms = live ? newest->expires_at_ms : 0;
    return condition_check(c, live ? &newest->value : NULL);
}

/* Lets a holt_expire put the value that the key has become. Undecided if it does not fit. */
static void take_newest(commit_request *r, slice value)
{
    holt_value *v = r->condition.value;
    if (value.size > r->operation.value.size) {
        r->undecided = true;
        return;
    }
    bytes_copy(v->data, value.data, value.size);
    r->operation.value = slice_of(v->data, value.size);
}

/* Checks the request's condition against what the key has become since it was looked up, when the condition
 * held. The memtables decide if they reach back that far. */
static holt_status check_condition(holt *db, commit_request *r)
{
    version *v;
    /* Relaxed: loads and clears happen under leadership, which orders them. */
    if (atomic_load_explicit(&r->collection->replaced, memory_order_relaxed) != r->condition.replaced) {
        r->undecided = true; /* no memtable has what was loaded or cleared */
        return HOLT_OK;
    }
    holt_status rc = version_acquire(&db->versions, &v);
    if (rc != HOLT_OK) return rc;
    memtable_entry newest;
    bool found = false;
    for (size_t i = 0; i < v->generation_count && !found; i++)
        found = memtable_get(v->generations[i]->memtable, r->operation.collection, r->operation.key,
                             UINT64_MAX, &newest);
    /* There has been no clear since the lookup: what is newer than that is not hidden by one. */
    if (found && newest.seqno > r->condition.as_of)
        rc = check_newest(db, &r->condition, &newest);
    else if (v->min_seqno > r->condition.as_of)
        r->undecided = true;
    else
        rc = check_newest(db, &r->condition, NULL);
    if (rc == HOLT_OK && r->condition.kind == CONDITION_EXPIRE && found && newest.seqno > r->condition.as_of)
        take_newest(r, newest.value);
    version_release(&db->versions, v);
    return rc;
}

/* ---------------------------------------------------------------- the steps of a group */

static bool has_puts(const commit_request *group)
{
    while (group && request_puts(group) == 0)
        group = group->next;
    return group != NULL;
}

static holt_status prepare(void *ctx, const commit_request *group, uint64_t bytes)
{
    assert(commit_queue_is_led(&((holt *)ctx)->commits) && group);
    holt *db = ctx;
    const memtable *m = db->leader.active->memtable;
    holt_status rc = wal_health(db->wal);
    if (rc == HOLT_OK) rc = manifest_resolve(db);
    if (rc != HOLT_OK) return rc;
    bool full = memtable_entries(m) > 0 && memtable_bytes(m) >= db->set.memtable_bytes;
    return full || !wal_fits(db->wal, bytes) ? rotate(db, bytes, !has_puts(group)) : HOLT_OK;
}

static holt_status insert_one(holt *db, const operation *o, seqno number, memtable_record **record)
{
    memtable_entry e = {.collection = o->collection,
                        .op = o->op,
                        .seqno = number,
                        .expires_at_ms = o->expires_at_ms,
                        .key = o->key,
                        .value = o->value};
    return memtable_insert(db->leader.active->memtable, &e, record);
}

static holt_status insert_only(holt *db, const write_set *set, seqno number)
{
    operation o = write_set_operation_at(set, 0);
    return insert_one(db, &o, number, NULL);
}

static holt_status insert_as_written(holt *db, const write_set *set, seqno first, uint32_t *count)
{
    decoder d = decoder_of(buffer_slice(&set->operations));
    operation o;
    holt_status rc = HOLT_OK;
    while (rc == HOLT_OK && operation_decode(&d, &o)) {
        rc = insert_one(db, &o, first + *count, &db->leader.inserted[*count]);
        *count += rc == HOLT_OK;
    }
    return rc;
}

static holt_status insert_by_key(holt *db, const key_order *k, seqno first, uint32_t *count)
{
    holt_status rc = HOLT_OK;
    while (rc == HOLT_OK && *count < k->set->count) {
        uint32_t number;
        operation o = key_order_at(k, *count, &number);
        rc = insert_one(db, &o, first + number, &db->leader.inserted[*count]);
        *count += rc == HOLT_OK;
    }
    return rc;
}

/* The order of keys pays off where several of them go to the same leaf. */
static bool is_ordered(const holt *db, const write_set *set, key_order *k)
{
    enum { ORDERED_MIN = 4096, LEAF_ENTRIES = 32 };
    return set->count >= ORDERED_MIN &&
           set->count >= memtable_entries(db->leader.active->memtable) / LEAF_ENTRIES &&
           key_order_init(k, set);
}

/* All operations or, after a failure, none. */
static holt_status insert_set(holt *db, const write_set *set, seqno first)
{
    assert(set->count > 0 && first == db->commits.next_seqno);
    if (set->count == 1) return insert_only(db, set, first);
    commit_leader *l = &db->leader;
    holt_status rc;
    uint32_t count = 0;
    if (!mem_grow((void **)&l->inserted, &l->inserted_capacity, set->count, sizeof *l->inserted))
        return status_no_memory(set->count * sizeof *l->inserted);
    key_order order;
    if (is_ordered(db, set, &order)) {
        rc = insert_by_key(db, &order, first, &count);
        key_order_deinit(&order);
    } else {
        rc = insert_as_written(db, set, first, &count);
    }
    while (rc != HOLT_OK && count > 0)
        memtable_abort(l->active->memtable, l->inserted[--count]);
    return rc;
}

/* A request with more frame bytes than any group is alone in its group. */
enum { GROUP_BYTES_MAX = 4 << 20 };

/* Begins the request's frame. The operations of a set that is alone are written from where they are. */
static bool stage(holt *db, const commit_request *r, uint8_t **payload)
{
    *payload = NULL;
    const size_t size = request_payload_size(r);
    if (r->set && size > GROUP_BYTES_MAX) return wal_stage_around(db->wal, buffer_slice(&r->set->operations));
    *payload = wal_stage(db->wal, size);
    return *payload != NULL;
}

static void fill(const commit_request *r, uint8_t *payload)
{
    if (!payload) return;
    if (r->set)
        memcpy(payload, r->set->operations.data, r->set->operations.size);
    else
        operation_encode(payload, &r->operation);
}

static holt_status admit(void *ctx, commit_request *r, seqno first)
{
    holt *db = ctx;
    holt_status rc = check_collections(r);
    if (rc == HOLT_OK && r->condition.kind) rc = check_condition(db, r);
    if (rc == HOLT_OK && r->basis) rc = conflict_check(db, r->basis, r->set);
    if (rc != HOLT_OK || r->undecided) return rc;
    condition_apply(db, &r->condition, r->number, &r->operation);
    uint8_t *payload;
    if (!stage(db, r, &payload)) return status_no_memory(request_payload_size(r));
    rc = r->set ? insert_set(db, r->set, first) : insert_one(db, &r->operation, first, NULL);
    if (rc != HOLT_OK) return rc; /* the next frame overwrites the unfinished one */
    fill(r, payload);
    wal_stage_end(db->wal, first, request_operations(r));
    return HOLT_OK;
}

static holt_status append(void *ctx, bool sync)
{
    return wal_append(((holt *)ctx)->wal, sync);
}

static holt_status sync(void *ctx)
{
    return wal_sync(((holt *)ctx)->wal);
}

static void discard(void *ctx)
{
    wal_stage_clear(((holt *)ctx)->wal);
}

static void published(void *ctx)
{
    assert(commit_queue_is_led(&((holt *)ctx)->commits));
    holt *db = ctx;
    if (wal_outgrows_calm(db->wal)) os_job_wake(db->jobs.prepare);
    if (idle_watch(&db->flushes.idle)) os_job_wake(db->jobs.flush);
}

commit_env commit_env_of(holt *db)
{
    return (commit_env){.ctx = db,
                        .os = db->os,
                        .group_bytes_max = db->set.memtable_bytes < GROUP_BYTES_MAX ? db->set.memtable_bytes
                                                                                    : GROUP_BYTES_MAX,
                        .prepare = prepare,
                        .admit = admit,
                        .append = append,
                        .sync = sync,
                        .discard = discard,
                        .published = published};
}

/* ---------------------------------------------------------------- before and after the group */

static holt_status acknowledge_interval(holt *db, const commit_request *r)
{
    bool first;
    seqno newest = r->first_seqno + request_operations(r) - 1;
    holt_status rc = wal_acknowledge(db->wal, newest, (uint64_t)db->set.interval_ms * 1000000, &first);
    if (first) os_job_wake(db->jobs.sync);
    return rc;
}

holt_status commit_submit(holt *db, commit_request *request)
{
    cost_add_bytes_in(request_user_bytes(request));
    holt_status rc = write_throttle_admit(db, request_payload_size(request), request_puts(request) > 0);
    if (rc != HOLT_OK) return rc;
    commit_queue_submit(&db->commits, request);
    if (request->status != HOLT_OK) return status_restore(&request->error);
    bool acknowledges = request->durability == HOLT_INTERVAL && !request->undecided;
    return acknowledges ? acknowledge_interval(db, request) : HOLT_OK;
}

holt_status commit_lead(holt *db)
{
    commit_queue_lead(&db->commits);
    holt_status rc = wal_check_directory(db->wal);
    if (rc != HOLT_OK) commit_queue_unlead(&db->commits);
    return rc;
}
