/* secret.h -- passwords and tokens, by libsodium.
 *
 * People choose passwords, which can be guessed, so a password is stored as an argon2id hash that costs
 * whoever has stolen it 19 MiB and some 30 ms for each guess. It costs the server as much: never on the event
 * loop or the executor (access.h). Tokens are 256 random bits, which nobody guesses, so a fast hash,
 * BLAKE2b, is enough to keep a stolen database from revealing them.
 *
 * Concurrency  Any thread, after secret_init().
 */
#ifndef SERVER_SECRET_H
#define SERVER_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SECRET_PASSWORD_BYTES_MAX = 1024,
    SECRET_STORED_BYTES = 128, /* a stored password: text, filled up with zeros */
    SECRET_DIGEST_BYTES = 32,
    SECRET_KEY_BYTES = 32,
    SECRET_TOKEN_TEXT_BYTES = 49 /* a token, with its final zero */
};

/* Prepares libsodium. May be called several times. Returns false if the system has no random numbers. */
bool secret_init(void);

/* Makes what is stored of a password. Returns false if there is no memory. */
bool secret_store_password(const char *password, size_t size, char stored[SECRET_STORED_BYTES]);

/* Returns whether the stored password is this one; false as well if there is no memory to find out. */
bool secret_check_password(const char stored[SECRET_STORED_BYTES], const char *password, size_t size);

/* Makes a token of 256 random bits: "holt_" and 43 letters, digits, '-' and '_'. */
void secret_make_token(char text[SECRET_TOKEN_TEXT_BYTES]);

/* Returns whether text[size] has the form of a token. */
bool secret_is_token(const char *text, size_t size);

/* Hashes the text of a token. */
void secret_digest(const char *text, size_t size, uint8_t out[SECRET_DIGEST_BYTES]);

/* Hashes a user's name and password with a key that only this process knows: to recognise a password that was
 * checked before. */
void secret_make_key(uint8_t key[SECRET_KEY_BYTES]);
void secret_keyed_digest(const uint8_t key[SECRET_KEY_BYTES], const char *name, const char *password,
                         size_t size, uint8_t out[SECRET_DIGEST_BYTES]);

/* Returns whether the bytes are equal, in a time that does not depend on them. */
bool secret_equals(const void *a, const void *b, size_t size);

/* Overwrites memory that held a secret. */
void secret_erase(void *memory, size_t size);

#endif
