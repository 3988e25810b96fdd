/* fuzz_access.c -- any bytes as the record of a user or a token: refused, or written the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "access/access_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int condition)
{
    if (!condition) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t again[ACCESS_USER_RECORD_MAX];
    uint8_t digest[ACCESS_DIGEST_BYTES] = {0};
    access_user u;
    access_token t;
    if (access_user_decode(&u, holt_str("name"), holt_bytes(data, size))) {
        expect(access_user_encode(&u, again) == size && memcmp(again, data, size) == 0);
        access_user_deinit(&u);
    }
    if (access_token_decode(&t, holt_bytes(digest, sizeof digest), holt_bytes(data, size)))
        expect(access_token_encode(&t, again) == size && memcmp(again, data, size) == 0);
    return 0;
}
