/* access.c -- see access.h. */
#include "access/access.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "access/secret.h"
#include "loop/log.h"

enum {
    WAITING_MAX = 256, /* passwords that may wait to be verified */
    NS_PER_SECOND = 1000000000
};

/* What is known of a user besides its record, in the same order. */
typedef struct live_user {
    uint8_t verified[SECRET_DIGEST_BYTES]; /* mutex: keyed hash of the password that was right */
    bool is_verified;                      /* mutex */
    uint64_t allowance;                    /* mutex: requests that it may make now, times NS_PER_SECOND */
    uint64_t counted_ns;                   /* mutex: when that was calculated */
} live_user;

struct access_control {
    const config *config;
    access_list list; /* constant */
    live_user *live;
    uint8_t key[SECRET_KEY_BYTES];    /* constant */
    char nobody[SECRET_STORED_BYTES]; /* constant: a password that nobody has */
    uv_mutex_t mutex;

    /* The loop's. */
    uv_loop_t *loop;
    uv_work_t work;
    access_check *first, **end; /* waiting; the first one is being verified */
    size_t waiting;
};

/* ---------------------------------------------------------------- users */

static bool prepare(access_control *a, char error[ACCESS_ERROR_BYTES])
{
    if (a->list.user_count == 0) return true;
    if (!secret_init()) {
        snprintf(error, ACCESS_ERROR_BYTES, "the system has no random numbers");
        return false;
    }
    a->live = calloc(a->list.user_count, sizeof *a->live);
    secret_make_key(a->key);
    char random[SECRET_TOKEN_TEXT_BYTES];
    secret_make_token(random);
    bool made = a->live && secret_store_password(random, strlen(random), a->nobody);
    secret_erase(random, sizeof random);
    if (!made) snprintf(error, ACCESS_ERROR_BYTES, "there is no memory for the users");
    return made;
}

access_control *access_create(holt *db, const config *c, char error[ACCESS_ERROR_BYTES])
{
    access_control *a = calloc(1, sizeof *a);
    if (!a || uv_mutex_init(&a->mutex) != 0) {
        snprintf(error, ACCESS_ERROR_BYTES, "there is no memory for the users");
        free(a);
        return NULL;
    }
    a->config = c;
    a->end = &a->first;
    if (access_store_load(db, &a->list, error) && prepare(a, error)) return a;
    access_free(a);
    return NULL;
}

void access_free(access_control *a)
{
    if (!a) return;
    assert(!a->first);
    access_list_deinit(&a->list);
    free(a->live);
    uv_mutex_destroy(&a->mutex);
    secret_erase(a, sizeof *a);
    free(a);
}

bool access_is_on(const access_control *a)
{
    return a->list.user_count > 0;
}

static live_user *live_of(access_control *a, const access_user *u)
{
    assert(u >= a->list.users && u < a->list.users + a->list.user_count);
    return &a->live[u - a->list.users];
}

/* ---------------------------------------------------------------- tokens */

const access_user *access_find_token(access_control *a, holt_slice text)
{
    uint8_t digest[SECRET_DIGEST_BYTES];
    const access_token *found = NULL;
    struct timespec now;
    if (!secret_is_token(text.data, text.size)) return NULL;
    secret_digest(text.data, text.size, digest);
    for (size_t i = 0; i < a->list.token_count; i++) {
        if (secret_equals(digest, a->list.tokens[i].digest, sizeof digest)) found = &a->list.tokens[i];
    }
    if (!found) return NULL;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    if (found->expires_ms && found->expires_ms <= now_ms) return NULL;
    return access_list_find(&a->list, holt_str(found->user));
}

/* ---------------------------------------------------------------- passwords */

const access_user *access_find_verified(access_control *a, holt_slice name, holt_slice password)
{
    uint8_t digest[SECRET_DIGEST_BYTES];
    const access_user *u = access_list_find(&a->list, name);
    if (!u || password.size > SECRET_PASSWORD_BYTES_MAX) return NULL;
    secret_keyed_digest(a->key, u->name, password.data, password.size, digest);
    live_user *live = live_of(a, u);
    uv_mutex_lock(&a->mutex);
    bool right = live->is_verified && secret_equals(digest, live->verified, sizeof digest);
    uv_mutex_unlock(&a->mutex);
    return right ? u : NULL;
}

access_check *access_check_create(access_control *a, holt_slice name, holt_slice password)
{
    access_check *check = calloc(1, sizeof *check);
    char *copy = malloc(password.size ? password.size : 1);
    if (!check || !copy) {
        free(check);
        free(copy);
        return NULL;
    }
    check->access = a;
    if (name.size <= ACCESS_NAME_BYTES_MAX && name.size) memcpy(check->name, name.data, name.size);
    if (password.size) memcpy(copy, password.data, password.size);
    check->password = copy;
    check->password_size = password.size;
    return check;
}

void access_check_free(access_check *check)
{
    if (!check) return;
    secret_erase(check->password, check->password_size);
    free(check->password);
    free(check);
}

/* On a thread of libuv's pool. */
static void verify(uv_work_t *work)
{
    access_control *a = work->data;
    access_check *check = a->first;
    const access_user *u = access_list_find(&a->list, holt_str(check->name));
    size_t size = check->password_size;
    if (size > SECRET_PASSWORD_BYTES_MAX) size = 0; /* the empty one is not right either */
    /* For a name that nobody has it takes as long, so that names cannot be found out by the time. */
    bool right = secret_check_password(u ? u->password : a->nobody, check->password, size);
    if (!right || !u || size == 0) return;
    live_user *live = live_of(a, u);
    uint8_t digest[SECRET_DIGEST_BYTES];
    secret_keyed_digest(a->key, u->name, check->password, size, digest);
    uv_mutex_lock(&a->mutex);
    memcpy(live->verified, digest, sizeof digest);
    live->is_verified = true;
    uv_mutex_unlock(&a->mutex);
    check->user = u;
}

static void verify_next(access_control *a);

static void verified(uv_work_t *work, int status)
{
    access_control *a = work->data;
    access_check *check = a->first;
    (void)status; /* it is never cancelled */
    a->first = check->next;
    if (!a->first) a->end = &a->first;
    a->waiting--;
    verify_next(a);
    check->done(check, check->ctx);
}

static void verify_next(access_control *a)
{
    if (!a->first) return;
    a->work.data = a;
    uv_queue_work(a->loop, &a->work, verify, verified); /* it fails only without a function */
}

void access_verify(access_check *check, uv_loop_t *loop, access_done_fn done, void *ctx)
{
    access_control *a = check->access;
    bool idle = !a->first;
    a->loop = loop;
    check->done = done;
    check->ctx = ctx;
    check->next = NULL;
    *a->end = check;
    a->end = &check->next;
    a->waiting++;
    if (idle) verify_next(a);
}

bool access_is_busy(const access_control *a)
{
    return a->waiting >= WAITING_MAX;
}

/* ---------------------------------------------------------------- limits, the audit log */

bool access_reads_freely(const access_control *a, const access_user *u)
{
    if (!access_is_on(a)) return true;
    return u && !u->collections && a->config->number[CONFIG_user_requests] == 0;
}

bool access_admits(access_control *a, const access_user *u)
{
    uint64_t rate = a->config->number[CONFIG_user_requests];
    if (rate == 0) return true;
    uint64_t now = uv_hrtime(), most = rate * NS_PER_SECOND;
    live_user *live = live_of(a, u);
    uv_mutex_lock(&a->mutex);
    uint64_t passed = now - live->counted_ns;
    /* A second's worth at most; then a user that was quiet can send a few at once. */
    if (live->counted_ns == 0 || passed >= NS_PER_SECOND || live->allowance + passed * rate > most) {
        live->allowance = most;
    } else {
        live->allowance += passed * rate;
    }
    live->counted_ns = now;
    bool admitted = live->allowance >= NS_PER_SECOND;
    if (admitted) live->allowance -= NS_PER_SECOND;
    uv_mutex_unlock(&a->mutex);
    return admitted;
}

void access_log_refused(holt_slice name, const char *peer, const char *protocol)
{
    char shown[ACCESS_NAME_BYTES_MAX + 1];
    size_t size = name.size <= ACCESS_NAME_BYTES_MAX ? name.size : ACCESS_NAME_BYTES_MAX;
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = ((const unsigned char *)name.data)[i];
        shown[i] = '?'; /* no control sequences in a terminal */
        if (byte > ' ' && byte < 0x7f) memcpy(&shown[i], &byte, 1);
    }
    shown[size] = '\0';
    log_write(HOLT_LOG_WARN, "audit: login refused: user '%s' from %s, %s", shown, peer, protocol);
}

void access_log_action(const access_user *u, const char *peer, const char *action)
{
    log_write(HOLT_LOG_INFO, "audit: %s from %s: %s", u ? u->name : "nobody", peer, action);
}
