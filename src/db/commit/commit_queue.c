#include "db/commit/commit_queue.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/commit/rotate.h"
#include "db/db.h"
#include "db/manifest/manifest_writer.h"
#include "db/version/version_set.h"

#include <assert.h>

/* Bytes of frames that one group may gather; and memtables bound it too. */
enum { GROUP_BYTES_MAX = 4 << 20 };
static const uint64_t MEMBERS_WAIT_NS = 40000;

/* ---------------------------------------------------------------- what a request is made of */

static size_t payload_size(const commit_request *r)
{
    return r->set ? r->set->operations.size : operation_size(&r->operation);
}

static uint32_t operation_count(const commit_request *r)
{
    return r->set ? r->set->count : 1;
}

static uint64_t put_count(const commit_request *r)
{
    return r->set ? r->set->puts : r->operation.op != ENTRY_DELETE;
}

static bool wants_sync(const commit_request *r)
{
    return r->durability == HOLT_COMMIT;
}

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

/* Whether the key has got a value since it was looked up. The memtables decide if they reach back that far.
 * */
static holt_status check_absent(holt *db, commit_request *r)
{
    version *v;
    /* Relaxed: loads are committed under leadership, which orders them. */
    if (atomic_load_explicit(&r->collection->loads, memory_order_relaxed) != r->absent_loads) {
        r->undecided = true; /* what a load brings is in no memtable */
        return HOLT_OK;
    }
    holt_status rc = version_acquire(&db->versions, &v);
    if (rc != HOLT_OK) return rc;
    memtable_entry newest;
    const collection_version *s = version_collection(v, r->collection->slot, r->collection->spec.id);
    bool found = false;
    for (size_t i = 0; i < v->generation_count && !found; i++)
        found = memtable_get(v->generations[i]->memtable, r->operation.collection, r->operation.key,
                             UINT64_MAX, &newest);
    if (found && s && newest.seqno <= s->cleared_seqno) found = false;
    if (found && newest.op != ENTRY_DELETE)
        rc = HOLT_EXISTS;
    else if (!found && v->min_seqno > r->absent_seqno)
        r->undecided = true;
    version_release(&db->versions, v);
    return rc;
}

/* ---------------------------------------------------------------- inserting */

/* The versions of the request being admitted are remembered, so that they can be voided. */
static holt_status remember_room(holt *db, uint32_t operations)
{
    if (mem_grow((void **)&db->commits.inserted, &db->commits.inserted_capacity, operations,
                 sizeof *db->commits.inserted))
        return HOLT_OK;
    return status_no_memory(operations * sizeof *db->commits.inserted);
}

static holt_status insert_one(holt *db, const operation *o, seqno number, memtable_record **record)
{
    memtable_entry e = {.collection = o->collection,
                        .op = o->op,
                        .seqno = number,
                        .expires_at_ms = o->expires_at_ms,
                        .key = o->key,
                        .value = o->value};
    return memtable_insert(db->commits.active->memtable, &e, record);
}

static holt_status insert_set(holt *db, const commit_request *r)
{
    decoder d = decoder_of(buffer_slice(&r->set->operations));
    operation o;
    holt_status rc = remember_room(db, r->set->count);
    uint32_t count = 0;
    while (rc == HOLT_OK && operation_decode(&d, &o)) {
        rc = insert_one(db, &o, r->first_seqno + count, &db->commits.inserted[count]);
        count += rc == HOLT_OK;
    }
    while (rc != HOLT_OK && count > 0)
        memtable_abort(db->commits.active->memtable, db->commits.inserted[--count]);
    return rc;
}

/* ---------------------------------------------------------------- the group */

static void answer(commit_request *r, holt_status status)
{
    r->status = status;
    if (status != HOLT_OK) status_keep(status, &r->error);
}

/* Checks a request, assigns its seqnos, inserts its versions and stages its frame. */
static void admit(holt *db, commit_request *r)
{
    r->inserted = false;
    holt_status rc = check_collections(r);
    if (rc == HOLT_OK && r->if_absent) rc = check_absent(db, r);
    if (rc == HOLT_EXISTS) rc = status_set(HOLT_EXISTS, "the key has a value");
    if (rc != HOLT_OK || r->undecided) {
        answer(r, rc);
        return;
    }
    uint8_t *payload = wal_stage(db->wal, payload_size(r));
    if (!payload) {
        answer(r, status_no_memory(payload_size(r)));
        return;
    }
    r->first_seqno = db->commits.next_seqno;
    rc = r->set ? insert_set(db, r) : insert_one(db, &r->operation, r->first_seqno, NULL);
    if (rc != HOLT_OK) {
        answer(r, rc); /* the stage's unfinished frame is overwritten by the next one */
        return;
    }
    if (r->set)
        memcpy(payload, r->set->operations.data, r->set->operations.size);
    else
        operation_encode(payload, &r->operation);
    wal_stage_end(db->wal, r->first_seqno, operation_count(r));
    db->commits.next_seqno += operation_count(r);
    r->inserted = true;
    r->status = HOLT_OK;
}

/* One thread at a time writes the figure, the leader: an atomic addition is not needed. */
static void add(_Atomic uint64_t *figure, uint64_t amount)
{
    uint64_t now = atomic_load_explicit(figure, memory_order_relaxed);
    atomic_store_explicit(figure, now + amount, memory_order_relaxed);
}

static void count_commit(holt *db, const commit_request *r)
{
    uint32_t operations = operation_count(r);
    uint64_t puts = put_count(r);
    add(&db->commits.count, 1);
    add(&db->commits.puts, puts);
    add(&db->commits.deletes, operations - puts);
    add(&db->commits.user_bytes,
        r->set ? r->set->user_bytes : r->operation.key.size + r->operation.value.size);
}

static uint32_t group_size(const commit_request *group)
{
    uint32_t size = 0;
    for (; group; group = group->next)
        size++;
    return size;
}

/* Appends what the group staged, syncs it if asked, publishes it. A failure is the answer of every member
 * that was admitted. */
static void append_group(holt *db, commit_request *group)
{
    bool sync = false, any = false;
    for (commit_request *r = group; r; r = r->next) {
        if (!r->inserted) continue;
        any = true;
        sync |= wants_sync(r);
    }
    if (!any) {
        wal_stage_clear(db->wal);
        return;
    }
    holt_status rc = wal_append(db->wal, sync);
    if (rc == HOLT_OK && sync) {
        rc = wal_sync(db->wal);
        db->commits.sync_members = group_size(group);
    }
    for (commit_request *r = group; r; r = r->next) {
        if (!r->inserted) continue;
        if (rc == HOLT_OK)
            count_commit(db, r);
        else
            answer(r, rc);
    }
    if (rc != HOLT_OK) return; /* the log has failed: what was inserted stays invisible for ever */
    /* Release: who loads it sees the versions. */
    atomic_store_explicit(&db->commits.visible, db->commits.next_seqno - 1, memory_order_release);
    if (wal_outgrows_calm(db->wal)) os_job_wake(db->jobs.prepare);
    if (idle_watch(&db->flushes.idle)) os_job_wake(db->jobs.flush);
}

static uint64_t group_bytes(const commit_request *group)
{
    uint64_t bytes = 0;
    for (const commit_request *r = group; r; r = r->next)
        bytes += frame_length(payload_size(r));
    return bytes;
}

static bool group_wants_sync(const commit_request *group)
{
    while (group && !wants_sync(group))
        group = group->next;
    return group != NULL;
}

/* commit_mu held. Moves requests from the queue's head to the end of the group, up to a bound. Nobody's
 * request (of who changes the catalog) is a group of its own. */
static void take_members(holt *db, commit_request *last, uint64_t bytes)
{
    uint64_t limit = db->set.memtable_bytes < GROUP_BYTES_MAX ? db->set.memtable_bytes : GROUP_BYTES_MAX;
    while (last->durability && db->commits.first && db->commits.first->durability) {
        bytes += frame_length(payload_size(db->commits.first));
        if (bytes > limit) break;
        last = last->next = db->commits.first;
        db->commits.first = last->next;
        db->commits.length--;
    }
    last->next = NULL;
    if (!db->commits.first) db->commits.last = NULL;
}

/* How many members the next sync could have: those that the last one has just answered will be back soon;
 * whoever was queued behind them is here already. A thread that comes alone, after one that was alone,
 * expects nobody. */
static uint32_t expected_members(const holt *db, const commit_request *group)
{
    uint32_t size = group_size(group), last = db->commits.sync_members;
    bool queued = group->progress == COMMIT_LEADS;
    return queued ? last + size : last;
}

/* A sync costs about the same for one member as for many, and threads that commit in a loop would fall into
 * two half groups that take turns: so a leader waits, briefly, for those who are expected. */
static void wait_for_members(holt *db, commit_request *group)
{
    uint32_t size = group_size(group), expected = expected_members(db, group), queued = 0;
    if (size >= expected || !group_wants_sync(group)) return;
    uint64_t deadline = os_clock_ns(db->os) + MEMBERS_WAIT_NS;
    while (size + queued < expected && os_clock_ns(db->os) < deadline) {
        os_yield();
        os_mutex_lock(&db->commits.mu);
        queued = db->commits.length;
        os_mutex_unlock(&db->commits.mu);
    }
    commit_request *last = group;
    while (last->next)
        last = last->next;
    os_mutex_lock(&db->commits.mu);
    take_members(db, last, group_bytes(group));
    os_mutex_unlock(&db->commits.mu);
}

static bool group_has_puts(const commit_request *group)
{
    while (group && put_count(group) == 0)
        group = group->next;
    return group != NULL;
}

/* Leads one group: its requests are linked by `next` and all get their answers. */
static void lead_group(holt *db, commit_request *group)
{
    wait_for_members(db, group);
    uint64_t bytes = group_bytes(group);
    bool full = memtable_entries(db->commits.active->memtable) > 0 &&
                memtable_bytes(db->commits.active->memtable) >= db->set.memtable_bytes;
    holt_status rc = wal_health(db->wal);
    if (rc == HOLT_OK) rc = manifest_resolve(db);
    if (rc == HOLT_OK && (full || !wal_fits(db->wal, bytes))) rc = rotate(db, bytes, !group_has_puts(group));
    for (commit_request *r = group; r; r = r->next) {
        r->inserted = false;
        if (rc == HOLT_OK)
            admit(db, r);
        else
            answer(r, rc);
    }
    append_group(db, group);
}

/* ---------------------------------------------------------------- the queue */

/* commit_mu held. Takes the queue's head, which has just been made leader, and what waits behind it. */
static commit_request *take_group(holt *db)
{
    commit_request *group = db->commits.first;
    db->commits.first = group->next;
    db->commits.length--;
    take_members(db, group, frame_length(payload_size(group)));
    return group;
}

/* commit_mu held. Joins the queue and waits until told to lead or answered. */
static void join_queue(holt *db, commit_request *r)
{
    r->next = NULL;
    r->progress = COMMIT_WAITING;
    os_cond_init(&r->wake, db->os);
    if (db->commits.last)
        db->commits.last->next = r;
    else
        db->commits.first = r;
    db->commits.last = r;
    db->commits.length++;
    while (r->progress == COMMIT_WAITING)
        os_cond_wait(&r->wake, &db->commits.mu, OS_FOREVER);
    os_cond_deinit(&r->wake);
}

/* commit_mu held. Answers the members and makes the queue's head the next leader. */
static void hand_over(holt *db, commit_request *group, const commit_request *self)
{
    for (commit_request *r = group, *next; r; r = next) {
        next = r->next; /* an answered member may be gone at once */
        if (r == self) continue;
        r->progress = COMMIT_DONE;
        os_cond_signal(&r->wake);
    }
    db->commits.leading = db->commits.first != NULL;
    if (!db->commits.first) return;
    db->commits.first->progress = COMMIT_LEADS;
    os_cond_signal(&db->commits.first->wake);
}

/* Becomes the leader or gets answered. true: leads; *group is what to lead. */
static bool enter(holt *db, commit_request *r, commit_request **group)
{
    os_mutex_lock(&db->commits.mu);
    r->next = NULL;
    r->progress = COMMIT_DONE; /* not queued, so far */
    *group = r;
    bool leads = !db->commits.leading;
    if (leads) {
        db->commits.leading = true;
    } else {
        join_queue(db, r);
        leads = r->progress == COMMIT_LEADS;
        if (leads) *group = take_group(db);
    }
    os_mutex_unlock(&db->commits.mu);
    return leads;
}

static void leave(holt *db, commit_request *group, const commit_request *self)
{
    os_mutex_lock(&db->commits.mu);
    hand_over(db, group, self);
    os_mutex_unlock(&db->commits.mu);
}

/* A commit of HOLT_INTERVAL is in the log and visible. It may have to wait for a sync that is late: here, where it holds up
 * nobody else. */
static holt_status acknowledge_interval(holt *db, const commit_request *r)
{
    bool first;
    seqno newest = r->first_seqno + operation_count(r) - 1;
    holt_status rc = wal_acknowledge(db->wal, newest, (uint64_t)db->set.interval_ms * 1000000, &first);
    if (first) os_job_wake(db->jobs.sync);
    return rc;
}

holt_status commit_submit(holt *db, commit_request *request)
{
    assert(request->durability);
    request->undecided = false;
    request->status = HOLT_OK;
    holt_status rc = write_throttle_admit(db, payload_size(request), put_count(request) > 0);
    if (rc != HOLT_OK) return rc;
    commit_request *group;
    if (enter(db, request, &group)) {
        lead_group(db, group);
        leave(db, group, request);
    }
    if (request->status != HOLT_OK) return status_restore(&request->error);
    bool later = request->durability == HOLT_INTERVAL && !request->undecided;
    return later ? acknowledge_interval(db, request) : HOLT_OK;
}

holt_status commit_lead(holt *db)
{
    /* A request without a durability is nobody's commit: it is never taken into another's group. */
    commit_request r = {0};
    commit_request *group;
    bool leads = enter(db, &r, &group);
    assert(leads && group == &r);
    (void)leads;
    /* What is changed in the catalog is durable when done: not in a directory that is gone. */
    holt_status rc = wal_check_directory(db->wal);
    if (rc != HOLT_OK) commit_unlead(db);
    return rc;
}

bool commit_try_lead(holt *db)
{
    os_mutex_lock(&db->commits.mu);
    bool leads = !db->commits.leading;
    if (leads) db->commits.leading = true;
    os_mutex_unlock(&db->commits.mu);
    return leads;
}

void commit_unlead(holt *db)
{
    leave(db, NULL, NULL);
}

/* ---------------------------------------------------------------- life */

void commit_queue_init(commit_queue *q)
{
    os_mutex_init(&q->mu, LOCK_RANK_COMMIT);
}

void commit_queue_deinit(commit_queue *q)
{
    assert(!q->first);
    mem_free(q->inserted);
    os_mutex_deinit(&q->mu);
}

void commit_queue_check(const commit_queue *q)
{
    os_mutex_assert_held(&q->mu);
    uint32_t length = 0;
    for (const commit_request *r = q->first; r; r = r->next, length++)
        assert(r->progress == COMMIT_WAITING || (r == q->first && r->progress == COMMIT_LEADS));
    assert(length == q->length && (length == 0 || q->leading));
}
