/* resp_call.h -- what the functions of commands use: arguments, keys and values, errors.
 *
 * A command's function writes exactly one reply. A helper that returns false or a status other than HOLT_OK
 * and HOLT_NOT_FOUND has replied already, with an error in place of anything that was written before.
 */
#ifndef SERVER_RESP_CALL_H
#define SERVER_RESP_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include <holt.h>

#include "resp/resp_engine.h"

/* ---------------------------------------------------------------- errors */

/* Replies with an error in place of the reply so far. Returns false. */
bool call_error(resp_call *call, const char *text);
__attribute__((format(printf, 2, 3))) bool call_error_format(resp_call *call, const char *format, ...);

/* Replies that a subcommand is called wrongly. Returns false. */
bool call_subcommand_error(resp_call *call);

/* Replies with the database's last error, and returns the status. Not for HOLT_OK and HOLT_NOT_FOUND. */
holt_status call_status(resp_call *call, holt_status status);

/* Returns whether the reply so far has at most output_bytes, beyond which it is an error: for commands that
 * reply with any number of values. */
bool call_reply_fits(resp_call *call);

extern const char CALL_SYNTAX_ERROR[], CALL_NOT_INTEGER[], CALL_NOT_FLOAT[], CALL_NO_KEY[], CALL_OVERFLOW[];

/* ---------------------------------------------------------------- arguments */

/* Returns whether argument i is the word, in any case. */
bool call_is(const resp_call *call, size_t i, const char *word);

/* Parses a whole decimal number of 64 bits, as Redis does: no blanks, no plus sign, no leading zeros. */
bool slice_to_integer(holt_slice text, int64_t *out);

/* The same for argument i; replies with CALL_NOT_INTEGER. */
bool call_integer(resp_call *call, size_t i, int64_t *out);

/* Room for any number that INCRBYFLOAT writes: a long double has up to 4,933 digits before the point. */
enum { FLOAT_TEXT_BYTES = 5120 };

/* Parses a number of fewer than FLOAT_TEXT_BYTES bytes; "inf" is one, as in Redis. */
bool slice_to_float(holt_slice text, long double *out);

/* Returns whether the slices are equal; with letters in any case for the second. */
bool slice_equals(holt_slice a, holt_slice b);
bool slice_is(holt_slice text, const char *word);

/* Returns whether text matches the glob pattern, as KEYS has it: * ? [a-z] [^x] and backslashes. */
bool glob_matches(holt_slice pattern, holt_slice text);

/* Returns the bytes at the beginning of the pattern that stand for themselves. */
size_t glob_literal(holt_slice pattern);

/* Returns the milliseconds since 1970 UTC. */
uint64_t call_now_ms(void);

/* ---------------------------------------------------------------- data */

/* Returns whether the session's user may use the database. */
bool call_may_use(const resp_call *call, uint32_t database);

/* Sets *c to the collection of the session's database; NULL if there is none yet and create is false. */
bool call_collection(resp_call *call, bool create, holt_collection **c);
bool call_collection_of(resp_call *call, uint32_t database, bool create, holt_collection **c);

/* Exchanges two databases, in the batch's transaction. Replies with an error if it fails. */
bool call_swap(resp_call *call, uint32_t a, uint32_t b);

/* Makes the collection that call_swap writes to, which must be there before an EXEC begins. */
bool call_prepare_swap(resp_call *call, holt_collection **c);

/* Reads which collection is which database, as a transaction sees it (NULL: as it is committed). */
void numbers_read(resp_engine *e, holt_txn *t);

/* Reads them again if a transaction that has exchanged some has ended. */
void numbers_settle(resp_engine *e, const batch *b);

/* Commits what the batch has written, within a command that is not in an EXEC. If that fails, an exchange of
 * databases is undone, so the collection of a database must be looked up after this, not before. */
void call_commit(resp_call *call);

/* Reads a value into *value. HOLT_NOT_FOUND: there is none. Counts hits and misses. */
holt_status call_get(resp_call *call, holt_slice key, holt_value *value);

/* Returns whether there is a value: HOLT_OK or HOLT_NOT_FOUND. */
holt_status call_exists(resp_call *call, holt_slice key);

/* Returns the value's expiry in *ms; 0 = never. */
holt_status call_expiry(resp_call *call, holt_slice key, uint64_t *ms);

/* Put, delete, and change the expiry. expires_at_ms: 0 = never. */
bool call_put(resp_call *call, holt_slice key, holt_slice value, uint64_t expires_at_ms);
bool call_put_in(resp_call *call, uint32_t database, holt_slice key, holt_slice value,
                 uint64_t expires_at_ms);
bool call_delete(resp_call *call, holt_slice key);
holt_status call_expire(resp_call *call, holt_slice key, uint64_t expires_at_ms);

/* Adds to a number. *result: the sum. Replies with Redis' errors if the value is not a number. */
bool call_add(resp_call *call, holt_slice key, int64_t delta, int64_t *result);

/* Marks a point for commands that write several keys, which end with one of the other two. call_undo
 * returns to it. */
bool call_savepoint(resp_call *call, uint32_t *id);
void call_keep(resp_call *call, uint32_t id);
void call_undo(resp_call *call, uint32_t id);

/* Replies with the value of the key, or null. Returns its status. */
holt_status call_reply_value(resp_call *call, holt_slice key);

/* ---------------------------------------------------------------- watched keys */

/* Notes that a key of a database was, or may have been, changed. key {NULL, 0}: all of them. */
void watch_touch(resp_engine *e, uint32_t database, holt_slice key);
bool watch_add(resp_call *call, holt_slice key);

/* Notes that two databases are exchanged: watched keys that exist in either have changed. */
void watch_swap(resp_call *call, uint32_t a, uint32_t b);
void watch_clear(resp_engine *e, resp_session *s);

/* Sets *expired to whether a watched key that had a value has expired. Returns false after replying with an
 * error. */
bool watch_expired(resp_call *call, bool *expired);

/* ---------------------------------------------------------------- sessions */

/* Replaces a text of the session. It must be printable, because CLIENT LIST has it between blanks; otherwise
 * the reply is an error about `what`. */
bool session_set_text(resp_call *call, char **text, holt_slice value, const char *what);

/* ---------------------------------------------------------------- other parts of the engine */

bool scans_init(resp_engine *e);
void scans_deinit(resp_engine *e);
void channels_leave(resp_engine *e, resp_session *s);
void stream_step(resp_call *call);
void stream_free(resp_stream *stream);
void multi_reset(resp_session *s);
void resp_end_login(resp_call *call);
void sql_deinit(resp_engine *e);

#endif
