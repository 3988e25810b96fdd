/* test_access_store.c -- the records of users and tokens, and secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "access/access_store.h"
#include "access/secret.h"

static access_user make_user(const char *collections)
{
    access_user u;
    char error[ACCESS_ERROR_BYTES];
    memset(&u, 0, sizeof u);
    strcpy(u.name, "ada");
    strcpy(u.password, "$argon2id$");
    u.role = ACCESS_WRITE;
    if (collections) assert_true(access_user_set_collections(&u, collections, error));
    return u;
}

/* Encodes, and decodes from memory of exactly that size, so that sanitizers see a byte read too many. */
static bool decode_copy(access_user *out, const uint8_t *record, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, record, size);
    bool decoded = access_user_decode(out, holt_str("ada"), holt_bytes(copy, size));
    free(copy);
    return decoded;
}

/* A list that lost its end would give a user more than it may use, or less. */
static void users_survive_encoding_and_no_part_of_them_is_one(void **state)
{
    static const char *const lists[] = {NULL, "a", "a,default,db 1"};
    static uint8_t record[ACCESS_USER_RECORD_MAX], again[ACCESS_USER_RECORD_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        access_user u = make_user(lists[i]), decoded;
        size_t size = access_user_encode(&u, record);
        assert_true(decode_copy(&decoded, record, size));
        assert_string_equal(decoded.name, "ada");
        assert_int_equal(decoded.role, ACCESS_WRITE);
        assert_int_equal(decoded.collection_count, u.collection_count);
        assert_int_equal(access_user_encode(&decoded, again), size);
        assert_memory_equal(again, record, size);
        access_user_deinit(&decoded);
        for (size_t cut = 0; cut < size; cut++)
            assert_false(decode_copy(&decoded, record, cut));
        record[size] = 1;
        assert_false(decode_copy(&decoded, record, size + 1));
        for (size_t role = 0; role < 256; role++) {
            record[1] = (uint8_t)role;
            bool valid = role >= ACCESS_READ && role <= ACCESS_ADMIN;
            assert_int_equal(decode_copy(&decoded, record, size), valid);
            if (valid) access_user_deinit(&decoded);
        }
        access_user_deinit(&u);
    }
}

static void a_list_of_collections_has_whole_names(void **state)
{
    access_user u = make_user("ab,c"), all = make_user(NULL);
    (void)state;
    assert_true(access_user_may_use(&u, holt_str("ab")));
    assert_true(access_user_may_use(&u, holt_str("c")));
    assert_false(access_user_may_use(&u, holt_str("a")));
    assert_false(access_user_may_use(&u, holt_str("abc")));
    assert_false(access_user_may_use(&u, holt_str("")));
    assert_false(access_user_may_use(&u, holt_str("ab,c")));
    assert_true(access_user_may_use(&all, holt_str("anything")));
    access_user_deinit(&u);
    access_user_deinit(&all);
}

static void tokens_survive_encoding_and_no_part_of_them_is_one(void **state)
{
    access_token t = {.digest = {1, 2}, .user = "ada", .created_ms = 1234567890123, .expires_ms = UINT64_MAX};
    access_token decoded;
    uint8_t record[ACCESS_TOKEN_RECORD_MAX];
    (void)state;
    size_t size = access_token_encode(&t, record);
    holt_slice digest = holt_bytes(t.digest, sizeof t.digest);
    assert_true(access_token_decode(&decoded, digest, holt_bytes(record, size)));
    assert_memory_equal(&decoded, &t, sizeof t);
    for (size_t cut = 0; cut < size; cut++)
        assert_false(access_token_decode(&decoded, digest, holt_bytes(record, cut)));
    assert_false(access_token_decode(&decoded, holt_bytes(t.digest, 31), holt_bytes(record, size)));
}

static void a_password_is_checked_whole_and_never_hashed_the_same_way_twice(void **state)
{
    char stored[SECRET_STORED_BYTES], other[SECRET_STORED_BYTES];
    (void)state;
    assert_true(secret_init());
    assert_true(secret_store_password("secret", 6, stored));
    assert_true(secret_store_password("secret", 6, other));
    assert_memory_not_equal(stored, other, sizeof stored);
    assert_non_null(strstr(stored, "$argon2id$"));
    assert_true(secret_check_password(stored, "secret", 6));
    assert_false(secret_check_password(stored, "secret", 5));
    assert_false(secret_check_password(stored, "Secret", 6));
    assert_false(secret_check_password(stored, "", 0));
}

/* Without the zero between them, "a" + "bc" and "ab" + "c" would be one. */
static void remembered_passwords_belong_to_one_user_and_one_process(void **state)
{
    uint8_t key[SECRET_KEY_BYTES], other_key[SECRET_KEY_BYTES];
    uint8_t a[SECRET_DIGEST_BYTES], b[SECRET_DIGEST_BYTES];
    (void)state;
    assert_true(secret_init());
    secret_make_key(key);
    secret_make_key(other_key);
    secret_keyed_digest(key, "a", "bc", 2, a);
    secret_keyed_digest(key, "a", "bc", 2, b);
    assert_true(secret_equals(a, b, sizeof a));
    secret_keyed_digest(key, "ab", "c", 1, b);
    assert_false(secret_equals(a, b, sizeof a));
    secret_keyed_digest(other_key, "a", "bc", 2, b);
    assert_false(secret_equals(a, b, sizeof a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_survive_encoding_and_no_part_of_them_is_one),
        cmocka_unit_test(a_list_of_collections_has_whole_names),
        cmocka_unit_test(tokens_survive_encoding_and_no_part_of_them_is_one),
        cmocka_unit_test(a_password_is_checked_whole_and_never_hashed_the_same_way_twice),
        cmocka_unit_test(remembered_passwords_belong_to_one_user_and_one_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
