/* access_store.h -- users and tokens as they are stored: records of the collection "holt.access".
 *
 * A user has a name, a password, a role, and optionally a list of the collections that it may use. A token
 * stands for a user until it expires or is revoked; it has no rights of its own. The bytes are described in
 * docs/FORMAT.md. Clients of the server cannot reach the collection: whoever writes to it gives rights.
 *
 * `holt user` and `holt token` change the records while no server runs; a server reads them when it starts.
 *
 * Errors       Functions that fail return false with a message in `error`.
 * Concurrency  As that of the database; a list belongs to one thread at a time.
 */
#ifndef SERVER_ACCESS_STORE_H
#define SERVER_ACCESS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <holt.h>

#define ACCESS_COLLECTION "holt.access"

/* What a user may do, and what a command or request needs. Each one includes those before it. */
typedef enum access_role {
    ACCESS_UNDECLARED, /* of nothing: whatever has it must not be called */
    ACCESS_OPEN,       /* needs no login */
    ACCESS_READ,
    ACCESS_WRITE,
    ACCESS_ADMIN
} access_role;

enum {
    ACCESS_NAME_BYTES_MAX = 64,
    ACCESS_COLLECTION_BYTES_MAX = 128, /* of a collection's name, as in holt.h */
    ACCESS_COLLECTIONS_MAX = 256,
    ACCESS_PASSWORD_BYTES = 128, /* SECRET_STORED_BYTES, */
    ACCESS_DIGEST_BYTES = 32,    /* and SECRET_DIGEST_BYTES, of secret.h */
    ACCESS_ID_TEXT_BYTES = 17,   /* the name of a token, with its final zero */
    ACCESS_ERROR_BYTES = 384
};

typedef struct access_user {
    char name[ACCESS_NAME_BYTES_MAX + 1];
    access_role role;
    char *collections; /* names, each with a final zero; owned; NULL = all collections */
    size_t collection_count;
    char password[ACCESS_PASSWORD_BYTES]; /* as secret_store_password makes it */
} access_user;

typedef struct access_token {
    uint8_t digest[ACCESS_DIGEST_BYTES]; /* of its text */
    char user[ACCESS_NAME_BYTES_MAX + 1];
    uint64_t created_ms, expires_ms; /* since 1970; expires_ms 0 = never */
} access_token;

typedef struct access_list {
    access_user *users; /* in the order of their names */
    size_t user_count;
    access_token *tokens;
    size_t token_count;
} access_list;

/* Returns "read", "write" or "admin". */
const char *access_role_name(access_role role);

/* Returns the user's role with that name, or ACCESS_UNDECLARED. */
access_role access_role_find(const char *name);

/* Returns whether the name may be a user's: 1 to 64 letters, digits and any of . _ - @ */
bool access_name_is_valid(const char *name);

/* Sets the user's list of collections to `text`: names between commas. */
bool access_user_set_collections(access_user *u, const char *text, char error[ACCESS_ERROR_BYTES]);
void access_user_deinit(access_user *u);

/* Returns whether the user's list has the collection, or has all. */
bool access_user_may_use(const access_user *u, holt_slice collection);

/* Returns the user with that name, or NULL. */
access_user *access_list_find(const access_list *l, holt_slice name);

/* Writes the name of a token for people: the first eight bytes of its digest, in hexadecimal. */
void access_token_id(const access_token *t, char id[ACCESS_ID_TEXT_BYTES]);

/* Reads all users and tokens. A damaged record is an error: it might have been one that limits somebody. The
 * caller releases the list also after an error. */
bool access_store_load(holt *db, access_list *out, char error[ACCESS_ERROR_BYTES]);
void access_list_deinit(access_list *l);

/* Adds a user, or replaces the one with its name. */
bool access_store_put_user(holt *db, const access_user *u, char error[ACCESS_ERROR_BYTES]);

/* Removes a user with its tokens, which `l` lists. */
bool access_store_remove_user(holt *db, const access_list *l, const char *name,
                              char error[ACCESS_ERROR_BYTES]);

bool access_store_put_token(holt *db, const access_token *t, char error[ACCESS_ERROR_BYTES]);
bool access_store_remove_token(holt *db, const access_token *t, char error[ACCESS_ERROR_BYTES]);

/* ---------------------------------------------------------------- records, for tests */

enum {
    ACCESS_USER_RECORD_MAX =
        2 + ACCESS_PASSWORD_BYTES + 2 + ACCESS_COLLECTIONS_MAX * (1 + ACCESS_COLLECTION_BYTES_MAX),
    ACCESS_TOKEN_RECORD_MAX = 1 + 8 + 8 + 1 + ACCESS_NAME_BYTES_MAX
};

/* Writes the value of a record. Returns its size. */
size_t access_user_encode(const access_user *u, uint8_t out[ACCESS_USER_RECORD_MAX]);
size_t access_token_encode(const access_token *t, uint8_t out[ACCESS_TOKEN_RECORD_MAX]);

/* Reads a record: its key, without the letter at the beginning, and its value. Returns false if it is damaged
 * or there is no memory; then nothing is to be released. */
bool access_user_decode(access_user *out, holt_slice name, holt_slice value);
bool access_token_decode(access_token *out, holt_slice digest, holt_slice value);

#endif
