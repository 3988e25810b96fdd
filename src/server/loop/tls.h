/* tls.h -- TLS 1.2 and 1.3 by GnuTLS, for both protocols.
 *
 * A tls_context has the server's certificate and key and, if clients must show certificates, those of the
 * authorities that may have signed them. libmicrohttpd asks for them with tls_for_http; a connection of the
 * Redis protocol has a tls_session, which never touches a socket: what arrives is put in, what is to be sent
 * comes out, and it never waits.
 *
 *     arriving -> tls_receive -> plain, and perhaps something to send (the handshake)
 *     plain -> tls_send -> to be sent
 *
 * A reload takes effect for connections that are made later. What was loaded before is kept until the context
 * is freed, because open connections use it: a few KiB for each reload.
 *
 * Concurrency  The loop's thread. There is one context in a process.
 */
#ifndef SERVER_TLS_H
#define SERVER_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "loop/bytes.h"

typedef struct tls_context tls_context;
typedef struct tls_session tls_session;

enum { TLS_ERROR_BYTES = 384 };

/* What GnuTLS is told to accept: its usual choice, but nothing before TLS 1.2. */
extern const char TLS_PRIORITIES[];

/* Reads the files, in PEM; client_ca "" = clients need no certificates. The paths are borrowed. Returns NULL
 * with a message in error. */
tls_context *tls_create(const char *cert, const char *key, const char *client_ca,
                        char error[TLS_ERROR_BYTES]);

/* Reads the files again. Returns false with a message in error; then what there was stays. */
bool tls_reload(tls_context *t, char error[TLS_ERROR_BYTES]);

/* Frees it; there is no session any more. Accepts NULL. */
void tls_free(tls_context *t);

/* Returns a gnutls_certificate_retrieve_function2 for MHD_OPTION_HTTPS_CERT_CALLBACK. */
void *tls_for_http(tls_context *t);

/* Makes the server's end of a connection. Returns NULL if there is no memory. */
tls_session *tls_session_create(tls_context *t);
void tls_session_free(tls_session *s); /* accepts NULL */

typedef enum tls_result {
    TLS_OPEN,
    TLS_CLOSED, /* the client will send no more */
    TLS_FAILED  /* it does not speak TLS, or has no right certificate; what is in `out` may tell it */
} tls_result;

/* Takes what has arrived. Appends what it means to plain and what must be sent to out. */
tls_result tls_receive(tls_session *s, const char *data, size_t size, bytes *plain, bytes *out);

/* Encrypts the data and appends it to out. After the handshake. */
bool tls_send(tls_session *s, const char *data, size_t size, bytes *out);

/* Appends to out that nothing more will come. Once. */
void tls_say_bye(tls_session *s, bytes *out);

/* Returns whether the handshake is done. */
bool tls_is_established(const tls_session *s);

#endif
