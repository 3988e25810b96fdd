/* secret.c -- see secret.h. */
#include "access/secret.h"

#include <string.h>

#include <sodium.h>

/* At the lower end of what is recommended for argon2id: a login from time to time must not cost the server
 * more memory than it otherwise needs. */
enum { PASSES = 2, MEMORY_BYTES = 19 * 1024 * 1024, TOKEN_RANDOM_BYTES = 32 };

static const char TOKEN_PREFIX[] = "holt_";
enum { TOKEN_PREFIX_BYTES = sizeof TOKEN_PREFIX - 1 };

_Static_assert(SECRET_STORED_BYTES == crypto_pwhash_STRBYTES, "the size is part of the format");
_Static_assert(SECRET_TOKEN_TEXT_BYTES - TOKEN_PREFIX_BYTES ==
                   sodium_base64_ENCODED_LEN(TOKEN_RANDOM_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
               "a token fits, with its final zero");

bool secret_init(void)
{
    return sodium_init() >= 0;
}

bool secret_store_password(const char *password, size_t size, char stored[SECRET_STORED_BYTES])
{
    memset(stored, 0, SECRET_STORED_BYTES);
    return crypto_pwhash_str_alg(stored, password, size, PASSES, MEMORY_BYTES,
                                 crypto_pwhash_ALG_ARGON2ID13) == 0;
}

bool secret_check_password(const char stored[SECRET_STORED_BYTES], const char *password, size_t size)
{
    return crypto_pwhash_str_verify(stored, password, size) == 0;
}

void secret_make_token(char text[SECRET_TOKEN_TEXT_BYTES])
{
    unsigned char random[TOKEN_RANDOM_BYTES];
    randombytes_buf(random, sizeof random);
    memcpy(text, TOKEN_PREFIX, TOKEN_PREFIX_BYTES);
    sodium_bin2base64(text + TOKEN_PREFIX_BYTES, SECRET_TOKEN_TEXT_BYTES - TOKEN_PREFIX_BYTES, random,
                      sizeof random, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(random, sizeof random);
}

bool secret_is_token(const char *text, size_t size)
{
    return size == SECRET_TOKEN_TEXT_BYTES - 1 && memcmp(text, TOKEN_PREFIX, TOKEN_PREFIX_BYTES) == 0;
}

void secret_digest(const char *text, size_t size, uint8_t out[SECRET_DIGEST_BYTES])
{
    crypto_generichash(out, SECRET_DIGEST_BYTES, (const unsigned char *)text, size, NULL, 0);
}

void secret_make_key(uint8_t key[SECRET_KEY_BYTES])
{
    randombytes_buf(key, SECRET_KEY_BYTES);
}

void secret_keyed_digest(const uint8_t key[SECRET_KEY_BYTES], const char *name, const char *password,
                         size_t size, uint8_t out[SECRET_DIGEST_BYTES])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, key, SECRET_KEY_BYTES, SECRET_DIGEST_BYTES);
    /* With its final zero, so that no other name and password have the same bytes. */
    crypto_generichash_update(&state, (const unsigned char *)name, strlen(name) + 1);
    crypto_generichash_update(&state, (const unsigned char *)password, size);
    crypto_generichash_final(&state, out, SECRET_DIGEST_BYTES);
    sodium_memzero(&state, sizeof state);
}

bool secret_equals(const void *a, const void *b, size_t size)
{
    return sodium_memcmp(a, b, size) == 0;
}

void secret_erase(void *memory, size_t size)
{
    if (memory) sodium_memzero(memory, size);
}
