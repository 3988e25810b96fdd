/* http_login.c -- see http_login.h. */
#include "http/http_login.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "access/secret.h"
#include "common/json_text.h"

static void refuse_login(http_request *r, holt_slice name)
{
    access_log_refused(name, r->peer, "HTTP");
    (void)http_error(r, 401, "unauthorized", "the name, password or token is not right");
}

/* The user is known: decides whether it may do this. */
static void decide(http_request *r, access_control *a)
{
    const http_endpoint *e = r->endpoint;
    char action[64];
    if (r->user->role < e->role || (e->whole && r->user->collections)) {
        (void)http_error(r, 403, "forbidden", "this user may not do that");
    } else if (!access_admits(a, r->user)) {
        (void)http_error(r, 429, "too_many_requests", "see the setting user_requests");
    } else if (e->role == ACCESS_ADMIN) {
        snprintf(action, sizeof action, "%s %s", http_method_name(r->method), e->path);
        access_log_action(r->user, r->peer, action);
    }
}

/* Takes "name:password", in base64, apart. Returns a check if the password is to be verified. */
static access_check *begin_basic(http_request *r, access_control *a, const char *text)
{
    const holt_slice nobody = {NULL, 0};
    size_t size = strlen(text), decoded_size = 0;
    access_check *check = NULL;
    char *decoded = malloc(size / 4 * 3 + 1);
    if (!decoded) {
        (void)http_error(r, 503, "no_memory", "out of memory");
        return NULL;
    }
    const char *colon = NULL;
    if (json_text_decode_base64(text, size, decoded, &decoded_size))
        colon = memchr(decoded, ':', decoded_size);
    if (!colon) {
        refuse_login(r, nobody);
    } else {
        holt_slice name = holt_bytes(decoded, (size_t)(colon - decoded));
        holt_slice password = holt_bytes(colon + 1, decoded_size - name.size - 1);
        r->user = access_find_token(a, password); /* a token may be used where a password is asked for */
        if (r->user &&
            (strlen(r->user->name) != name.size || memcmp(r->user->name, name.data, name.size) != 0))
            r->user = NULL;
        if (!r->user) r->user = access_find_verified(a, name, password);
        if (r->user) {
            decide(r, a);
        } else if (access_is_busy(a)) {
            (void)http_error(r, 503, "busy", "too many clients are logging in; try again");
        } else {
            check = access_check_create(a, name, password);
            if (!check) (void)http_error(r, 503, "no_memory", "out of memory");
        }
    }
    secret_erase(decoded, decoded_size);
    free(decoded);
    return check;
}

access_check *http_login_begin(http_request *r, access_control *a, const char *header)
{
    static const char basic[] = "Basic ", bearer[] = "Bearer ";
    const holt_slice nobody = {NULL, 0};
    assert(r->endpoint && !r->status);
    if (!access_is_on(a) || r->endpoint->role == ACCESS_OPEN) return NULL;
    if (!header) {
        (void)http_error(r, 401, "unauthorized", "a login is needed");
    } else if (strncasecmp(header, basic, sizeof basic - 1) == 0) {
        return begin_basic(r, a, header + sizeof basic - 1);
    } else if (strncasecmp(header, bearer, sizeof bearer - 1) == 0) {
        r->user = access_find_token(a, holt_str(header + sizeof bearer - 1));
        if (r->user) {
            decide(r, a);
        } else {
            refuse_login(r, nobody);
        }
    } else {
        refuse_login(r, nobody);
    }
    return NULL;
}

void http_login_end(http_request *r, access_control *a, const access_check *check)
{
    r->user = check->user;
    if (r->user) {
        decide(r, a);
    } else {
        refuse_login(r, holt_str(check->name));
    }
}

bool http_login_may_use(const http_request *r, holt_slice collection)
{
    static const char users[] = ACCESS_COLLECTION;
    if (collection.size == sizeof users - 1 && memcmp(collection.data, users, collection.size) == 0)
        return false;
    return !r->user || access_user_may_use(r->user, collection);
}
