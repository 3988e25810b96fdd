/* test_commit_queue.c -- group commit without a database: an environment that notes what the leader does.
 *
 * Threads are held inside a step until others have queued, so groups form the same way in every run.
 */
#include "db/commit/commit_queue.h"

#include "base/cost.h"
#include "base/status.h"
#include "log/frame.h"
#include "support/expect.h"

#include <pthread.h>
#include <stdio.h>

enum { MEMBERS_MAX = 8 };

typedef struct fake_log {
    commit_queue queue;
    char events[1024]; /* what the leader did, in order */
    size_t size;
    /* The first admit waits until so many requests are queued behind it. */
    uint32_t hold_until_queued;
    holt_status prepare_status, append_status, sync_status;
    seqno refuse_seqno;    /* the request that would begin here is refused; 0: none */
    seqno undecided_seqno; /* this one is found undecided; 0: none */
} fake_log;

static void note(fake_log *f, const char *what, uint64_t number)
{
    f->size += (size_t)snprintf(f->events + f->size, sizeof f->events - f->size,
                                number ? "%s %llu; " : "%s; ", what, (unsigned long long)number);
}

static uint32_t queued(fake_log *f)
{
    os_mutex_lock(&f->queue.mu);
    uint32_t length = f->queue.length;
    os_mutex_unlock(&f->queue.mu);
    return length;
}

static holt_status fake_prepare(void *ctx, const commit_request *group, uint64_t bytes)
{
    fake_log *f = ctx;
    uint64_t members = 0;
    for (; group; group = group->next)
        members++;
    note(f, "group", members);
    while (f->hold_until_queued > queued(f))
        os_yield();
    f->hold_until_queued = 0;
    return f->prepare_status == HOLT_OK ? HOLT_OK : status_set(f->prepare_status, "prepare failed");
}

static holt_status fake_admit(void *ctx, commit_request *r, seqno first)
{
    fake_log *f = ctx;
    if (first == f->refuse_seqno) {
        f->refuse_seqno = 0;
        return status_set(HOLT_EXISTS, "refused");
    }
    r->undecided = first == f->undecided_seqno;
    if (r->undecided) f->undecided_seqno = 0;
    if (!r->undecided) note(f, "admit", first);
    return HOLT_OK;
}

static holt_status fake_append(void *ctx, bool sync)
{
    fake_log *f = ctx;
    note(f, "append", 0);
    cost_add_log_bytes(100);
    return f->append_status == HOLT_OK ? HOLT_OK : status_set(f->append_status, "append failed");
}

static holt_status fake_sync(void *ctx)
{
    fake_log *f = ctx;
    /* Nothing is visible before it is durable. */
    assert_true(atomic_load(&f->queue.visible) < f->queue.next_seqno - 1);
    note(f, "sync", 0);
    return f->sync_status == HOLT_OK ? HOLT_OK : status_set(f->sync_status, "sync failed");
}

static void fake_discard(void *ctx)
{
    note(ctx, "discard", 0);
}

static void fake_published(void *ctx)
{
    fake_log *f = ctx;
    note(f, "visible", atomic_load(&f->queue.visible));
}

static void fake_log_init(fake_log *f)
{
    memset(f, 0, sizeof *f);
    commit_queue_init(&f->queue);
    f->queue.env = (commit_env){.ctx = f,
                                .os = os_posix(),
                                .group_bytes_max = 1 << 20,
                                .prepare = fake_prepare,
                                .admit = fake_admit,
                                .append = fake_append,
                                .sync = fake_sync,
                                .discard = fake_discard,
                                .published = fake_published};
    f->queue.next_seqno = 1;
}

static commit_request request_of(const char *key, uint32_t durability)
{
    return (commit_request){
        .operation = {.op = ENTRY_PUT, .collection = 1, .key = holt_str(key), .value = holt_str("v")},
        .durability = durability};
}

/* ---------------------------------------------------------------- threads */

typedef struct member {
    fake_log *f;
    commit_request request;
    pthread_t thread;
    holt_cost cost;
} member;

static void *submit(void *ctx)
{
    member *m = ctx;
    cost_begin("submit");
    commit_queue_submit(&m->f->queue, &m->request);
    holt_last_cost(&m->cost, sizeof m->cost);
    return NULL;
}

/* A leader is held in its first step until `count` others have queued, in the order of their numbers. */
static void submit_behind_a_leader(fake_log *f, commit_request *leader, member *members, uint32_t count)
{
    member first = {.f = f, .request = *leader};
    f->hold_until_queued = count;
    assert_int_equal(pthread_create(&first.thread, NULL, submit, &first), 0);
    for (bool leads = false; !leads; os_yield()) {
        os_mutex_lock(&f->queue.mu);
        leads = commit_queue_is_led(&f->queue);
        os_mutex_unlock(&f->queue.mu);
    }
    for (uint32_t i = 0; i < count; i++) {
        members[i].f = f;
        assert_int_equal(pthread_create(&members[i].thread, NULL, submit, &members[i]), 0);
        while (i + 1 < count && queued(f) < i + 1)
            os_yield();
    }
    pthread_join(first.thread, NULL);
    for (uint32_t i = 0; i < count; i++)
        pthread_join(members[i].thread, NULL);
    *leader = first.request;
}

/* ---------------------------------------------------------------- tests */

static void a_lone_request_goes_through_all_steps(void **state)
{
    fake_log f;
    fake_log_init(&f);
    commit_request a = request_of("a", HOLT_COMMIT), b = request_of("b", HOLT_PROCESS);
    commit_queue_submit(&f.queue, &a);
    commit_queue_submit(&f.queue, &b);
    assert_int_equal(a.status, HOLT_OK);
    assert_int_equal(a.first_seqno, 1);
    assert_int_equal(b.first_seqno, 2);
    assert_string_equal(f.events,
                        "group 1; admit 1; append; sync; visible 1; group 1; admit 2; append; visible 2; ");
    assert_int_equal(atomic_load(&f.queue.count), 2);
    assert_int_equal(atomic_load(&f.queue.puts), 2);
    commit_queue_deinit(&f.queue);
}

static void requests_behind_a_leader_share_one_append_and_sync(void **state)
{
    fake_log f;
    fake_log_init(&f);
    commit_request leader = request_of("a", HOLT_PROCESS);
    member members[3] = {{.request = request_of("b", HOLT_PROCESS)},
                         {.request = request_of("c", HOLT_COMMIT)},
                         {.request = request_of("d", HOLT_PROCESS)}};
    submit_behind_a_leader(&f, &leader, members, 3);
    assert_string_equal(
        f.events,
        "group 1; admit 1; append; visible 1; group 3; admit 2; admit 3; admit 4; append; sync; visible 4; ");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(members[i].request.status, HOLT_OK);
        assert_int_equal(members[i].request.first_seqno, 2 + i);
    }
    commit_queue_deinit(&f.queue);
}

/* The work for a group must not be on the bills of its members, which would then show a write and a sync each
 * that there was only one of. */
static void the_leader_pays_for_the_work_and_members_for_their_wait(void **state)
{
    fake_log f;
    fake_log_init(&f);
    commit_request leader = request_of("a", HOLT_PROCESS);
    member members[3] = {{.request = request_of("b", HOLT_PROCESS)},
                         {.request = request_of("c", HOLT_PROCESS)},
                         {.request = request_of("d", HOLT_PROCESS)}};
    submit_behind_a_leader(&f, &leader, members, 3);
    for (int i = 0; i < 3; i++) {
        assert_true(members[i].cost.group_wait_ns > 0);
        assert_int_equal(members[i].cost.log_bytes, i == 0 ? 100 : 0); /* the first leads the second group */
    }
    commit_queue_deinit(&f.queue);
}

/* The limit is of bytes: what does not fit leads the next group. */
static void a_group_has_a_limit(void **state)
{
    fake_log f;
    fake_log_init(&f);
    commit_request leader = request_of("a", HOLT_PROCESS);
    member members[3] = {{.request = request_of("b", HOLT_PROCESS)},
                         {.request = request_of("c", HOLT_PROCESS)},
                         {.request = request_of("d", HOLT_PROCESS)}};
    f.queue.env.group_bytes_max = 2 * frame_length(request_payload_size(&leader));
    submit_behind_a_leader(&f, &leader, members, 3);
    assert_string_equal(f.events,
                        "group 1; admit 1; append; visible 1; group 2; admit 2; admit 3; append; visible 3; "
                        "group 1; admit 4; append; visible 4; ");
    commit_queue_deinit(&f.queue);
}

static void a_refused_request_takes_no_seqno_and_fails_alone(void **state)
{
    fake_log f;
    fake_log_init(&f);
    commit_request leader = request_of("a", HOLT_PROCESS);
    member members[2] = {{.request = request_of("b", HOLT_PROCESS)},
                         {.request = request_of("c", HOLT_PROCESS)}};
    f.refuse_seqno = 2;
    submit_behind_a_leader(&f, &leader, members, 2);
    assert_int_equal(members[0].request.status, HOLT_EXISTS);
    assert_string_equal(members[0].request.error.message, "refused");
    assert_int_equal(members[1].request.status, HOLT_OK);
    assert_int_equal(members[1].request.first_seqno, 2);
    commit_queue_deinit(&f.queue);
}

static void nothing_is_appended_if_no_request_is_admitted(void **state)
{
    fake_log f;
    fake_log_init(&f);
    commit_request a = request_of("a", HOLT_COMMIT), b = request_of("b", HOLT_COMMIT);
    f.refuse_seqno = 1;
    commit_queue_submit(&f.queue, &a);
    assert_int_equal(a.status, HOLT_EXISTS);
    f.undecided_seqno = 1;
    commit_queue_submit(&f.queue, &b);
    assert_true(b.status == HOLT_OK && b.undecided);
    assert_string_equal(f.events, "group 1; discard; group 1; discard; ");
    assert_int_equal(f.queue.next_seqno, 1);
    commit_queue_deinit(&f.queue);
}

static void a_failure_of_the_log_is_every_members_and_publishes_nothing(void **state)
{
    for (int step = 0; step < 3; step++) {
        fake_log f;
        fake_log_init(&f);
        commit_request a = request_of("a", HOLT_COMMIT);
        if (step == 0) f.prepare_status = HOLT_NO_SPACE;
        if (step == 1) f.append_status = HOLT_IO;
        if (step == 2) f.sync_status = HOLT_IO;
        commit_queue_submit(&f.queue, &a);
        assert_int_equal(a.status, step == 0 ? HOLT_NO_SPACE : HOLT_IO);
        assert_int_equal(atomic_load(&f.queue.visible), 0);
        assert_int_equal(atomic_load(&f.queue.count), 0);
        commit_queue_deinit(&f.queue);
    }
}

/* A change to the catalog is a group of its own: requests before it are visible, those behind it wait. */
static void leading_without_a_request_is_ordered_with_commits(void **state)
{
    fake_log f;
    fake_log_init(&f);
    member behind = {.f = &f, .request = request_of("a", HOLT_PROCESS)};
    commit_queue_lead(&f.queue);
    assert_false(commit_queue_try_lead(&f.queue));
    assert_int_equal(pthread_create(&behind.thread, NULL, submit, &behind), 0);
    while (queued(&f) < 1)
        os_yield();
    assert_int_equal(f.size, 0);
    commit_queue_unlead(&f.queue);
    pthread_join(behind.thread, NULL);
    assert_string_equal(f.events, "group 1; admit 1; append; visible 1; ");
    assert_true(commit_queue_try_lead(&f.queue));
    commit_queue_unlead(&f.queue);
    commit_queue_deinit(&f.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lone_request_goes_through_all_steps),
        cmocka_unit_test(requests_behind_a_leader_share_one_append_and_sync),
        cmocka_unit_test(the_leader_pays_for_the_work_and_members_for_their_wait),
        cmocka_unit_test(a_group_has_a_limit),
        cmocka_unit_test(a_refused_request_takes_no_seqno_and_fails_alone),
        cmocka_unit_test(nothing_is_appended_if_no_request_is_admitted),
        cmocka_unit_test(a_failure_of_the_log_is_every_members_and_publishes_nothing),
        cmocka_unit_test(leading_without_a_request_is_ordered_with_commits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
