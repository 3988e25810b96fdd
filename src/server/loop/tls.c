/* tls.c -- see tls.h. */
#include "loop/tls.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

enum { CHAIN_MAX = 16, RECORD_BYTES = 16 * 1024 };

const char TLS_PRIORITIES[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

/* What one reading of the files has found. */
typedef struct generation {
    struct generation *older;
    gnutls_certificate_credentials_t credentials;
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned chain_size;
    gnutls_privkey_t key;
    gnutls_x509_trust_list_t trust; /* NULL = clients need no certificates */
} generation;

struct tls_context {
    const char *cert, *key, *client_ca;
    generation *current;
    gnutls_priority_t priorities;
};

struct tls_session {
    gnutls_session_t gnutls;
    bytes arriving;
    size_t taken; /* of arriving */
    bytes *out;   /* NULL outside a call */
    bool established, failed;
};

/* The context of the process: GnuTLS's callbacks have no argument for it. */
static tls_context *context;

/* ---------------------------------------------------------------- certificates */

static void generation_free(generation *g)
{
    if (!g) return;
    for (unsigned i = 0; i < g->chain_size; i++)
        gnutls_pcert_deinit(&g->chain[i]);
    if (g->key) gnutls_privkey_deinit(g->key);
    if (g->trust) gnutls_x509_trust_list_deinit(g->trust, 1);
    if (g->credentials) gnutls_certificate_free_credentials(g->credentials);
    free(g);
}

static bool file_failed(const char *path, int code, char error[TLS_ERROR_BYTES])
{
    snprintf(error, TLS_ERROR_BYTES, "%.200s: %.150s", path, gnutls_strerror(code));
    return false;
}

static bool load_key(generation *g, const char *path, char error[TLS_ERROR_BYTES])
{
    gnutls_datum_t text = {NULL, 0};
    int code = gnutls_load_file(path, &text);
    if (code == 0) code = gnutls_privkey_init(&g->key);
    if (code == 0) code = gnutls_privkey_import_x509_raw(g->key, &text, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (text.data) gnutls_memset(text.data, 0, text.size);
    gnutls_free(text.data);
    return code == 0 || file_failed(path, code, error);
}

static bool load(generation *g, const tls_context *t, char error[TLS_ERROR_BYTES])
{
    unsigned size = CHAIN_MAX;
    int code = gnutls_certificate_allocate_credentials(&g->credentials);
    if (code == 0)
        code =
            gnutls_pcert_list_import_x509_file(g->chain, &size, t->cert, GNUTLS_X509_FMT_PEM, NULL, NULL, 0);
    if (code != 0) return file_failed(t->cert, code, error);
    g->chain_size = size;
    if (!load_key(g, t->key, error)) return false;
    /* Checks that the two belong together. */
    code = gnutls_certificate_set_x509_key_file(g->credentials, t->cert, t->key, GNUTLS_X509_FMT_PEM);
    if (code < 0) return file_failed(t->key, code, error);
    if (!*t->client_ca) return true;
    code = gnutls_x509_trust_list_init(&g->trust, 0);
    if (code == 0)
        code = gnutls_x509_trust_list_add_trust_file(g->trust, t->client_ca, NULL, GNUTLS_X509_FMT_PEM, 0, 0);
    if (code == 0) code = GNUTLS_E_NO_CERTIFICATE_FOUND;
    return code > 0 || file_failed(t->client_ca, code, error);
}

bool tls_reload(tls_context *t, char error[TLS_ERROR_BYTES])
{
    generation *g = calloc(1, sizeof *g);
    if (!g) {
        snprintf(error, TLS_ERROR_BYTES, "out of memory");
        return false;
    }
    if (!load(g, t, error)) {
        generation_free(g);
        return false;
    }
    g->older = t->current;
    t->current = g;
    return true;
}

tls_context *tls_create(const char *cert, const char *key, const char *client_ca, char error[TLS_ERROR_BYTES])
{
    tls_context *t = calloc(1, sizeof *t);
    snprintf(error, TLS_ERROR_BYTES, "out of memory");
    if (!t) return NULL;
    t->cert = cert;
    t->key = key;
    t->client_ca = client_ca;
    if (gnutls_priority_init(&t->priorities, TLS_PRIORITIES, NULL) == 0 && tls_reload(t, error)) {
        assert(!context);
        context = t;
        return t;
    }
    tls_free(t);
    return NULL;
}

void tls_free(tls_context *t)
{
    if (!t) return;
    while (t->current) {
        generation *g = t->current;
        t->current = g->older;
        generation_free(g);
    }
    if (t->priorities) gnutls_priority_deinit(t->priorities);
    if (context == t) context = NULL;
    free(t);
}

/* ---------------------------------------------------------------- certificates of clients */

/* Called during the handshake, when the client's certificate has come. 0 = it is right. */
static int verify_client(gnutls_session_t session)
{
    const generation *g = context ? context->current : NULL;
    gnutls_x509_crt_t chain[CHAIN_MAX];
    unsigned count = 0, made = 0, faults = 0;
    const gnutls_datum_t *raw = gnutls_certificate_get_peers(session, &count);
    if (!g || !g->trust || !raw || count == 0 || count > CHAIN_MAX) return GNUTLS_E_CERTIFICATE_ERROR;
    int code = 0;
    while (code == 0 && made < count) {
        code = gnutls_x509_crt_init(&chain[made]);
        if (code != 0) break;
        code = gnutls_x509_crt_import(chain[made], &raw[made], GNUTLS_X509_FMT_DER);
        made++;
    }
    if (code == 0) code = gnutls_x509_trust_list_verify_crt(g->trust, chain, count, 0, &faults, NULL);
    for (unsigned i = 0; i < made; i++)
        gnutls_x509_crt_deinit(chain[i]);
    return code == 0 && faults == 0 ? 0 : GNUTLS_E_CERTIFICATE_ERROR;
}

static void demand_certificate(gnutls_session_t session, const generation *g)
{
    if (!g->trust) return;
    gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
    gnutls_session_set_verify_function(session, verify_client);
}

static int retrieve_for_http(gnutls_session_t session, const gnutls_datum_t *names, int name_count,
                             const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
                             gnutls_pcert_st **chain, unsigned *chain_size, gnutls_privkey_t *key)
{
    generation *g = context->current;
    (void)names;
    (void)name_count;
    (void)algorithms;
    (void)algorithm_count;
    demand_certificate(session, g);
    *chain = g->chain;
    *chain_size = g->chain_size;
    *key = g->key;
    return 0;
}

void *tls_for_http(tls_context *t)
{
    assert(t == context);
    return (void *)(uintptr_t)retrieve_for_http;
}

/* ---------------------------------------------------------------- sessions */

static ssize_t push(gnutls_transport_ptr_t transport, const void *data, size_t size)
{
    tls_session *s = transport;
    if (!s->out) return -1;
    bytes_append(s->out, data, size);
    if (!s->out->failed) return (ssize_t)size;
    gnutls_transport_set_errno(s->gnutls, ENOMEM);
    return -1;
}

static ssize_t pull(gnutls_transport_ptr_t transport, void *data, size_t size)
{
    tls_session *s = transport;
    size_t there = s->arriving.size - s->taken;
    if (there == 0) {
        gnutls_transport_set_errno(s->gnutls, EAGAIN);
        return -1;
    }
    if (size > there) size = there;
    memcpy(data, s->arriving.data + s->taken, size);
    s->taken += size;
    return (ssize_t)size;
}

/* Whether there is something to pull. */
static int pull_timeout(gnutls_transport_ptr_t transport, unsigned ms)
{
    const tls_session *s = transport;
    (void)ms;
    return s->taken < s->arriving.size;
}

tls_session *tls_session_create(tls_context *t)
{
    tls_session *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    int code = gnutls_init(&s->gnutls, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
    if (code != 0) {
        free(s);
        return NULL;
    }
    code = gnutls_priority_set(s->gnutls, t->priorities);
    if (code == 0) code = gnutls_credentials_set(s->gnutls, GNUTLS_CRD_CERTIFICATE, t->current->credentials);
    if (code != 0) {
        tls_session_free(s);
        return NULL;
    }
    demand_certificate(s->gnutls, t->current);
    gnutls_transport_set_ptr(s->gnutls, s);
    gnutls_transport_set_push_function(s->gnutls, push);
    gnutls_transport_set_pull_function(s->gnutls, pull);
    gnutls_transport_set_pull_timeout_function(s->gnutls, pull_timeout);
    return s;
}

void tls_session_free(tls_session *s)
{
    if (!s) return;
    gnutls_deinit(s->gnutls);
    bytes_deinit(&s->arriving);
    free(s);
}

bool tls_is_established(const tls_session *s)
{
    return s->established;
}

/* Whether a code of GnuTLS only says to go on later, or again. */
static bool is_passing(int code)
{
    return code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED;
}

static tls_result fail(tls_session *s, int code)
{
    /* Tells the client why, if it understands that. */
    if (code != 0) (void)gnutls_alert_send_appropriate(s->gnutls, code);
    s->failed = true;
    return TLS_FAILED;
}

static tls_result shake_hands(tls_session *s)
{
    int code;
    do {
        code = gnutls_handshake(s->gnutls);
    } while (code != 0 && !is_passing(code) && !gnutls_error_is_fatal(code));
    if (code == 0) s->established = true;
    return code == 0 || is_passing(code) ? TLS_OPEN : fail(s, code);
}

static tls_result decrypt(tls_session *s, bytes *plain)
{
    for (;;) {
        if (!bytes_reserve(plain, RECORD_BYTES)) return fail(s, 0);
        ssize_t got = gnutls_record_recv(s->gnutls, plain->data + plain->size, RECORD_BYTES);
        if (got > 0) {
            plain->size += (size_t)got;
        } else if (got == 0) {
            return TLS_CLOSED;
        } else if (is_passing((int)got)) {
            return TLS_OPEN;
        } else if (got == GNUTLS_E_REHANDSHAKE || gnutls_error_is_fatal((int)got)) {
            return fail(s, (int)got); /* there is no reason to begin anew */
        }
    }
}

tls_result tls_receive(tls_session *s, const char *data, size_t size, bytes *plain, bytes *out)
{
    tls_result result = TLS_OPEN;
    assert(!s->out && !s->failed);
    bytes_append(&s->arriving, data, size);
    if (s->arriving.failed) return TLS_FAILED;
    s->out = out;
    if (!s->established) result = shake_hands(s);
    if (s->established && result == TLS_OPEN) result = decrypt(s, plain);
    s->out = NULL;
    bytes_consume(&s->arriving, s->taken);
    s->taken = 0;
    if (s->arriving.size == 0) bytes_reset(&s->arriving, 0);
    return result;
}

bool tls_send(tls_session *s, const char *data, size_t size, bytes *out)
{
    assert(s->established && !s->out);
    s->out = out;
    while (size > 0 && !out->failed) {
        ssize_t sent = gnutls_record_send(s->gnutls, data, size);
        if (sent < 0) {
            if (gnutls_error_is_fatal((int)sent)) break;
            continue;
        }
        data += sent;
        size -= (size_t)sent;
    }
    s->out = NULL;
    return size == 0 && !out->failed;
}

void tls_say_bye(tls_session *s, bytes *out)
{
    if (!s->established || s->failed) return;
    s->out = out;
    (void)gnutls_bye(s->gnutls, GNUTLS_SHUT_WR); /* if it fails, the client sees the connection end */
    s->out = NULL;
}
