/* commit_queue.c -- a group's way from the queue to visibility. */
#include "db/commit/commit_queue.h"

#include "base/cost.h"
#include "base/status.h"
#include "log/frame.h"

#include <assert.h>

static const uint64_t MEMBERS_WAIT_NS = 40000;

/* ---------------------------------------------------------------- requests */

static void set_result(commit_request *r, holt_status status)
{
    r->status = status;
    if (status != HOLT_OK) status_keep(status, &r->error);
}

/* What a group adds up to. */
typedef struct group_sum {
    uint64_t bytes; /* of frames */
    uint32_t size;
    bool wants_sync;
    commit_request *last;
} group_sum;

static group_sum sum_up(commit_request *group)
{
    group_sum sum = {0};
    for (commit_request *r = group; r; r = r->next) {
        sum.bytes += frame_length(request_payload_size(r));
        sum.size++;
        sum.wants_sync |= r->durability == HOLT_COMMIT;
        sum.last = r;
    }
    return sum;
}

/* One thread at a time adds, the leader: an atomic addition is not needed. */
static void add(_Atomic uint64_t *total, uint64_t amount)
{
    uint64_t now = atomic_load_explicit(total, memory_order_relaxed);
    atomic_store_explicit(total, now + amount, memory_order_relaxed);
}

static void count_commit(commit_queue *q, const commit_request *r)
{
    uint64_t puts = request_puts(r);
    add(&q->count, 1);
    add(&q->puts, puts);
    add(&q->deletes, request_operations(r) - puts);
    add(&q->user_bytes, request_user_bytes(r));
}

/* ---------------------------------------------------------------- gathering a group */

/* Moves requests from the head of the queue to the end of the group, up to its limit. A change to the catalog
 * is always alone. */
static void take_members(commit_queue *q, commit_request *group)
{
    os_mutex_assert_held(&q->mu);
    group_sum sum = sum_up(group);
    while (sum.last->durability && q->first && q->first->durability) {
        sum.bytes += frame_length(request_payload_size(q->first));
        if (sum.bytes > q->env.group_bytes_max) break;
        sum.last = sum.last->next = q->first;
        q->first = sum.last->next;
        q->length--;
        sum.last->next = NULL;
    }
    if (!q->first) q->last = NULL;
}

/* A sync costs about the same for one member as for many, and threads that commit in a loop would fall into
 * two half groups that take turns. So a leader waits, briefly, for as many members as the last sync had:
 * those will be back soon, and if the group was queued it has come on top of them. A thread that comes alone,
 * after one that was alone, expects nobody. Returns what the group adds up to then. */
static group_sum wait_for_members(commit_queue *q, commit_request *group)
{
    group_sum sum = sum_up(group);
    uint32_t expected = q->sync_members, queued = 0;
    if (group->progress == COMMIT_LEADS) expected += sum.size;
    if (sum.size >= expected || !sum.wants_sync) return sum;
    uint64_t began = os_clock_ns(q->env.os), deadline = began + MEMBERS_WAIT_NS;
    while (sum.size + queued < expected && os_clock_ns(q->env.os) < deadline) {
        os_yield();
        os_mutex_lock(&q->mu);
        queued = q->length;
        os_mutex_unlock(&q->mu);
    }
    os_mutex_lock(&q->mu);
    take_members(q, group);
    os_mutex_unlock(&q->mu);
    cost_sheet_mine()->group_wait_ns += os_clock_ns(q->env.os) - began;
    return sum_up(group);
}

/* ---------------------------------------------------------------- the protocol */

/* Steps 1 to 6 for a group, linked by `next`. Each request gets its result. */
static void commit_group(commit_queue *q, commit_request *group)
{
    const commit_env *env = &q->env;
    group_sum sum = wait_for_members(q, group);

    holt_status rc = env->prepare(env->ctx, group, sum.bytes);
    bool any = false, sync = false;
    for (commit_request *r = group; r; r = r->next) {
        set_result(r, rc == HOLT_OK ? env->admit(env->ctx, r, q->next_seqno) : rc);
        r->admitted = r->status == HOLT_OK && !r->undecided;
        if (!r->admitted) continue;
        r->first_seqno = q->next_seqno;
        q->next_seqno += request_operations(r);
        any = true;
        sync |= r->durability == HOLT_COMMIT;
    }
    if (!any) {
        env->discard(env->ctx);
        return;
    }

    rc = env->append(env->ctx, sync);
    if (rc == HOLT_OK && sync) {
        rc = env->sync(env->ctx);
        q->sync_members = sum.size;
    }
    for (commit_request *r = group; r; r = r->next) {
        if (!r->admitted) continue;
        if (rc == HOLT_OK)
            count_commit(q, r);
        else
            set_result(r, rc);
    }
    if (rc != HOLT_OK) return; /* the log has failed: what was inserted stays invisible forever */

    /* Release: whoever loads it sees the operations. */
    atomic_store_explicit(&q->visible, q->next_seqno - 1, memory_order_release);
    env->published(env->ctx);
}

/* Joins the queue and sleeps until this request leads or is done. */
static void wait_in_queue(commit_queue *q, commit_request *r)
{
    os_mutex_assert_held(&q->mu);
    r->progress = COMMIT_WAITING;
    os_cond_init(&r->wake, q->env.os);
    if (q->last)
        q->last->next = r;
    else
        q->first = r;
    q->last = r;
    q->length++;
    commit_queue_check(q);
    uint64_t began = os_clock_ns(q->env.os);
    while (r->progress == COMMIT_WAITING)
        os_cond_wait(&r->wake, &q->mu, OS_FOREVER);
    cost_sheet_mine()->group_wait_ns += os_clock_ns(q->env.os) - began;
    os_cond_deinit(&r->wake);
}

/* Becomes the leader, with a group that starts with this request: true; or a member of another's group, which
 * is done. */
static bool enter(commit_queue *q, commit_request *r)
{
    os_mutex_lock(&q->mu);
    r->next = NULL;
    r->progress = COMMIT_DONE; /* not queued */
    bool leads = !commit_queue_is_led(q);
    atomic_store_explicit(&q->leading, true, memory_order_relaxed);
    if (!leads) {
        wait_in_queue(q, r);
        leads = r->progress == COMMIT_LEADS;
        if (leads) {
            assert(q->first == r);
            q->first = r->next;
            q->length--;
            r->next = NULL;
            take_members(q, r);
        }
    }
    os_mutex_unlock(&q->mu);
    return leads;
}

/* Step 7: the members are done, and the head of the queue leads next. */
static void hand_over(commit_queue *q, commit_request *group)
{
    os_mutex_lock(&q->mu);
    assert(commit_queue_is_led(q));
    for (commit_request *r = group ? group->next : NULL, *next; r; r = next) {
        next = r->next; /* a member that is done may be gone at once */
        r->progress = COMMIT_DONE;
        os_cond_signal(&r->wake);
    }
    atomic_store_explicit(&q->leading, q->first != NULL, memory_order_relaxed);
    if (q->first) {
        q->first->progress = COMMIT_LEADS;
        os_cond_signal(&q->first->wake);
    }
    commit_queue_check(q);
    os_mutex_unlock(&q->mu);
}

void commit_queue_submit(commit_queue *q, commit_request *request)
{
    assert(request->durability);
    request->undecided = false;
    request->status = HOLT_OK;
    if (!enter(q, request)) return;
    commit_group(q, request);
    hand_over(q, request);
}

/* ---------------------------------------------------------------- leading without a request */

void commit_queue_lead(commit_queue *q)
{
    commit_request r = {0};
    bool leads = enter(q, &r);
    assert(leads && !r.next); /* without durability it is taken into no group, and takes no members */
    (void)leads;
}

bool commit_queue_try_lead(commit_queue *q)
{
    os_mutex_lock(&q->mu);
    bool leads = !commit_queue_is_led(q);
    atomic_store_explicit(&q->leading, true, memory_order_relaxed);
    os_mutex_unlock(&q->mu);
    return leads;
}

void commit_queue_unlead(commit_queue *q)
{
    hand_over(q, NULL);
}

/* ---------------------------------------------------------------- life */

void commit_queue_init(commit_queue *q)
{
    os_mutex_init(&q->mu, LOCK_RANK_COMMIT);
}

void commit_queue_deinit(commit_queue *q)
{
    assert(!q->first && !commit_queue_is_led(q));
    os_mutex_deinit(&q->mu);
}

void commit_queue_check(const commit_queue *q)
{
    os_mutex_assert_held(&q->mu);
    assert(!q->first == !q->last && !q->first == (q->length == 0));
    assert(commit_queue_is_led(q) || !q->first);
    assert(!q->last || !q->last->next);
    assert(!q->first || q->first->progress != COMMIT_DONE);
}
