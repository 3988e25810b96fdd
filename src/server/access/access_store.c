/* access_store.c -- see access_store.h. */
#include "access/access_store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access/secret.h"

/* Keys begin with one of these letters. */
enum { USER_KEY = 'u', TOKEN_KEY = 't', FORMAT = 1 };

/* Where the fields of a user's value are. */
enum {
    USER_FORMAT = 0,
    USER_ROLE = 1,
    USER_PASSWORD = 2,
    USER_COUNT = USER_PASSWORD + ACCESS_PASSWORD_BYTES,
    USER_COLLECTIONS = USER_COUNT + 2
};

/* Where those of a token's value are. */
enum { TOKEN_FORMAT = 0, TOKEN_CREATED = 1, TOKEN_EXPIRES = 9, TOKEN_NAME_SIZE = 17, TOKEN_NAME = 18 };

_Static_assert((int)ACCESS_PASSWORD_BYTES == (int)SECRET_STORED_BYTES, "a stored password fits");
_Static_assert((int)ACCESS_DIGEST_BYTES == (int)SECRET_DIGEST_BYTES, "a digest fits");

/* ---------------------------------------------------------------- roles and names */

static const char *const role_names[] = {"undeclared", "open", "read", "write", "admin"};

const char *access_role_name(access_role role)
{
    assert(role <= ACCESS_ADMIN);
    return role_names[role];
}

access_role access_role_find(const char *name)
{
    for (access_role role = ACCESS_READ; role <= ACCESS_ADMIN; role++) {
        if (strcmp(role_names[role], name) == 0) return role;
    }
    return ACCESS_UNDECLARED;
}

bool access_name_is_valid(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@";
    size_t size = strspn(name, allowed);
    return size > 0 && size <= ACCESS_NAME_BYTES_MAX && name[size] == '\0';
}

/* Copies a name that has come from elsewhere. Returns false if it cannot be a user's. */
static bool copy_name(char to[ACCESS_NAME_BYTES_MAX + 1], holt_slice name)
{
    if (name.size == 0 || name.size > ACCESS_NAME_BYTES_MAX) return false;
    memcpy(to, name.data, name.size);
    to[name.size] = '\0';
    return strlen(to) == name.size && access_name_is_valid(to);
}

/* ---------------------------------------------------------------- users */

bool access_user_set_collections(access_user *u, const char *text, char error[ACCESS_ERROR_BYTES])
{
    size_t size = strlen(text), count = 1;
    char *names = malloc(size + 1);
    if (!names) {
        snprintf(error, ACCESS_ERROR_BYTES, "out of memory");
        return false;
    }
    memcpy(names, text, size + 1);
    for (char *comma = strchr(names, ','); comma; comma = strchr(comma + 1, ',')) {
        *comma = '\0';
        count++;
    }
    const char *name = names;
    for (size_t i = 0; i < count; i++, name += strlen(name) + 1) {
        if (*name && strlen(name) <= ACCESS_COLLECTION_BYTES_MAX && count <= ACCESS_COLLECTIONS_MAX) continue;
        snprintf(error, ACCESS_ERROR_BYTES,
                 "'%.200s' is not a list of at most %d names of collections between commas", text,
                 ACCESS_COLLECTIONS_MAX);
        free(names);
        return false;
    }
    free(u->collections);
    u->collections = names;
    u->collection_count = count;
    return true;
}

void access_user_deinit(access_user *u)
{
    free(u->collections);
    secret_erase(u, sizeof *u);
}

bool access_user_may_use(const access_user *u, holt_slice collection)
{
    const char *name = u->collections;
    if (!name) return true;
    for (size_t i = 0; i < u->collection_count; i++, name += strlen(name) + 1) {
        if (strlen(name) == collection.size && memcmp(name, collection.data, collection.size) == 0)
            return true;
    }
    return false;
}

access_user *access_list_find(const access_list *l, holt_slice name)
{
    for (size_t i = 0; i < l->user_count; i++) {
        access_user *u = &l->users[i];
        if (strlen(u->name) == name.size && memcmp(u->name, name.data, name.size) == 0) return u;
    }
    return NULL;
}

void access_token_id(const access_token *t, char id[ACCESS_ID_TEXT_BYTES])
{
    for (size_t i = 0; i < (ACCESS_ID_TEXT_BYTES - 1) / 2; i++)
        snprintf(id + 2 * i, 3, "%02x", t->digest[i]);
}

/* ---------------------------------------------------------------- records */

static void put_u64(uint8_t *to, uint64_t number)
{
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(number >> 8 * i);
}

static uint64_t get_u64(const uint8_t *from)
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number |= (uint64_t)from[i] << 8 * i;
    return number;
}

size_t access_user_encode(const access_user *u, uint8_t out[ACCESS_USER_RECORD_MAX])
{
    size_t used = USER_COLLECTIONS;
    const char *name = u->collections;
    assert(u->role >= ACCESS_READ && u->collection_count <= ACCESS_COLLECTIONS_MAX);
    out[USER_FORMAT] = FORMAT;
    out[USER_ROLE] = (uint8_t)u->role;
    memcpy(out + USER_PASSWORD, u->password, ACCESS_PASSWORD_BYTES);
    out[USER_COUNT] = (uint8_t)u->collection_count;
    out[USER_COUNT + 1] = (uint8_t)(u->collection_count >> 8);
    for (size_t i = 0; i < u->collection_count; i++) {
        size_t size = strlen(name);
        assert(size > 0 && size <= ACCESS_COLLECTION_BYTES_MAX);
        out[used++] = (uint8_t)size;
        memcpy(out + used, name, size);
        used += size;
        name += size + 1;
    }
    return used;
}

/* Reads the names that follow the head of a user's value, into a block of memory. */
static bool decode_collections(access_user *u, const uint8_t *value, size_t size)
{
    size_t count = value[USER_COUNT] | (size_t)value[USER_COUNT + 1] << 8, at = USER_COLLECTIONS, used = 0;
    if (count == 0) return size == USER_COLLECTIONS;
    if (count > ACCESS_COLLECTIONS_MAX) return false;
    char *names = malloc(size);
    if (!names) return false;
    for (size_t i = 0; i < count; i++) {
        size_t length = at < size ? value[at++] : 0;
        if (length == 0 || length > ACCESS_COLLECTION_BYTES_MAX || length > size - at ||
            memchr(value + at, '\0', length)) {
            free(names);
            return false;
        }
        /* One byte before each name has become one behind it. */
        memcpy(names + used, value + at, length);
        names[used + length] = '\0';
        used += length + 1;
        at += length;
    }
    if (at != size) {
        free(names);
        return false;
    }
    u->collections = names;
    u->collection_count = count;
    return true;
}

bool access_user_decode(access_user *out, holt_slice name, holt_slice value)
{
    const uint8_t *v = value.data;
    memset(out, 0, sizeof *out);
    if (!copy_name(out->name, name) || value.size < USER_COLLECTIONS || v[USER_FORMAT] != FORMAT)
        return false;
    if (v[USER_ROLE] < ACCESS_READ || v[USER_ROLE] > ACCESS_ADMIN) return false;
    out->role = (access_role)v[USER_ROLE];
    memcpy(out->password, v + USER_PASSWORD, ACCESS_PASSWORD_BYTES);
    if (out->password[ACCESS_PASSWORD_BYTES - 1] != '\0') return false;
    return decode_collections(out, v, value.size);
}

size_t access_token_encode(const access_token *t, uint8_t out[ACCESS_TOKEN_RECORD_MAX])
{
    size_t size = strlen(t->user);
    assert(access_name_is_valid(t->user));
    out[TOKEN_FORMAT] = FORMAT;
    put_u64(out + TOKEN_CREATED, t->created_ms);
    put_u64(out + TOKEN_EXPIRES, t->expires_ms);
    out[TOKEN_NAME_SIZE] = (uint8_t)size;
    memcpy(out + TOKEN_NAME, t->user, size);
    return TOKEN_NAME + size;
}

bool access_token_decode(access_token *out, holt_slice digest, holt_slice value)
{
    const uint8_t *v = value.data;
    memset(out, 0, sizeof *out);
    if (digest.size != ACCESS_DIGEST_BYTES || value.size <= TOKEN_NAME || v[TOKEN_FORMAT] != FORMAT)
        return false;
    memcpy(out->digest, digest.data, ACCESS_DIGEST_BYTES);
    out->created_ms = get_u64(v + TOKEN_CREATED);
    out->expires_ms = get_u64(v + TOKEN_EXPIRES);
    return v[TOKEN_NAME_SIZE] == value.size - TOKEN_NAME &&
           copy_name(out->user, holt_bytes(v + TOKEN_NAME, value.size - TOKEN_NAME));
}

/* ---------------------------------------------------------------- reading */

/* Makes room for one more element of an array. Returns NULL if there is no memory. */
static void *grow(void *array, size_t count, size_t element)
{
    /* Doubled whenever the count is a power of two. */
    if (count & (count - 1)) return array;
    return count > SIZE_MAX / 2 / element ? NULL : realloc(array, (count ? 2 * count : 1) * element);
}

static bool load_record(access_list *l, holt_slice key, holt_slice value)
{
    const char *name = key.data;
    holt_slice rest = holt_bytes(name + 1, key.size ? key.size - 1 : 0);
    if (key.size && *name == USER_KEY) {
        void *users = grow(l->users, l->user_count, sizeof *l->users);
        if (!users) return false;
        l->users = users;
        if (!access_user_decode(&l->users[l->user_count], rest, value)) return false;
        l->user_count++;
        return true;
    }
    if (key.size && *name == TOKEN_KEY) {
        void *tokens = grow(l->tokens, l->token_count, sizeof *l->tokens);
        if (!tokens) return false;
        l->tokens = tokens;
        if (!access_token_decode(&l->tokens[l->token_count], rest, value)) return false;
        l->token_count++;
        return true;
    }
    return false;
}

static bool failed(char error[ACCESS_ERROR_BYTES])
{
    snprintf(error, ACCESS_ERROR_BYTES, "users and tokens: %.300s", holt_error_message());
    return false;
}

bool access_store_load(holt *db, access_list *out, char error[ACCESS_ERROR_BYTES])
{
    holt_collection *c = NULL;
    holt_cursor *cursor = NULL;
    bool loaded = true;
    memset(out, 0, sizeof *out);
    holt_status status = holt_collection_open(db, ACCESS_COLLECTION, &c);
    if (status == HOLT_NOT_FOUND) return true; /* there was never a user */
    const holt_cursor_options o = {.label = "users"};
    if (status == HOLT_OK) status = holt_cursor_open(c, NULL, &o, &cursor);
    if (status == HOLT_OK) {
        for (bool on = holt_cursor_first(cursor); on && loaded; on = holt_cursor_next(cursor))
            loaded = load_record(out, holt_cursor_key(cursor), holt_cursor_value(cursor));
        if (loaded) status = holt_cursor_status(cursor);
    }
    if (!loaded)
        snprintf(error, ACCESS_ERROR_BYTES,
                 "the collection %s has a record that this release does not understand, or there is no "
                 "memory for it",
                 ACCESS_COLLECTION);
    if (status != HOLT_OK) loaded = failed(error);
    (void)holt_cursor_close(cursor);
    holt_collection_close(c);
    return loaded;
}

void access_list_deinit(access_list *l)
{
    for (size_t i = 0; i < l->user_count; i++)
        access_user_deinit(&l->users[i]);
    free(l->users);
    free(l->tokens);
    memset(l, 0, sizeof *l);
}

/* ---------------------------------------------------------------- writing */

static holt_status open_to_write(holt *db, holt_collection **c)
{
    holt_status status = holt_collection_open(db, ACCESS_COLLECTION, c);
    if (status != HOLT_NOT_FOUND) return status;
    /* Few records, which are all read at every start. */
    return holt_collection_create(db, ACCESS_COLLECTION, &(holt_collection_options){.kind = HOLT_BTREE}, c);
}

enum { KEY_BYTES_MAX = 1 + ACCESS_NAME_BYTES_MAX };
_Static_assert(ACCESS_DIGEST_BYTES <= ACCESS_NAME_BYTES_MAX, "the key of a token fits");

static holt_slice make_key(char key[KEY_BYTES_MAX], char kind, const void *rest, size_t size)
{
    assert(size < KEY_BYTES_MAX);
    key[0] = kind;
    memcpy(key + 1, rest, size);
    return holt_bytes(key, size + 1);
}

static bool put(holt *db, holt_slice key, holt_slice value, char error[ACCESS_ERROR_BYTES])
{
    holt_collection *c = NULL;
    holt_status status = open_to_write(db, &c);
    if (status == HOLT_OK) status = holt_put(c, NULL, key, value);
    bool done = status == HOLT_OK || failed(error);
    holt_collection_close(c);
    return done;
}

bool access_store_put_user(holt *db, const access_user *u, char error[ACCESS_ERROR_BYTES])
{
    char key[KEY_BYTES_MAX];
    uint8_t value[ACCESS_USER_RECORD_MAX];
    size_t size = access_user_encode(u, value);
    assert(access_name_is_valid(u->name));
    return put(db, make_key(key, USER_KEY, u->name, strlen(u->name)), holt_bytes(value, size), error);
}

bool access_store_put_token(holt *db, const access_token *t, char error[ACCESS_ERROR_BYTES])
{
    char key[KEY_BYTES_MAX];
    uint8_t value[ACCESS_TOKEN_RECORD_MAX];
    size_t size = access_token_encode(t, value);
    return put(db, make_key(key, TOKEN_KEY, t->digest, ACCESS_DIGEST_BYTES), holt_bytes(value, size), error);
}

bool access_store_remove_user(holt *db, const access_list *l, const char *name,
                              char error[ACCESS_ERROR_BYTES])
{
    char key[KEY_BYTES_MAX];
    holt_collection *c = NULL;
    holt_txn *t = NULL;
    holt_status status = open_to_write(db, &c);
    if (status == HOLT_OK) status = holt_begin(db, NULL, &t);
    if (status == HOLT_OK) status = holt_delete(c, t, make_key(key, USER_KEY, name, strlen(name)));
    for (size_t i = 0; i < l->token_count && status == HOLT_OK; i++) {
        const access_token *token = &l->tokens[i];
        if (strcmp(token->user, name) == 0)
            status = holt_delete(c, t, make_key(key, TOKEN_KEY, token->digest, ACCESS_DIGEST_BYTES));
    }
    if (status == HOLT_OK) status = holt_commit(t);
    bool done = status == HOLT_OK || failed(error);
    holt_rollback(t);
    holt_collection_close(c);
    return done;
}

bool access_store_remove_token(holt *db, const access_token *t, char error[ACCESS_ERROR_BYTES])
{
    char key[KEY_BYTES_MAX];
    holt_collection *c = NULL;
    holt_status status = open_to_write(db, &c);
    if (status == HOLT_OK)
        status = holt_delete(c, NULL, make_key(key, TOKEN_KEY, t->digest, ACCESS_DIGEST_BYTES));
    bool done = status == HOLT_OK || failed(error);
    holt_collection_close(c);
    return done;
}
