/* condition.h -- what must hold of a key for the write of it to be committed.
 *
 * A conditional write (HOLT_PUT_IF_..., holt_add) is decided in two steps. The caller's thread looks the key
 * up (get_condition) and checks the condition against what it finds; a condition that fails there is never
 * queued. The commit leader then checks it again if the key has been written since, which the memtables tell
 * (check_condition in commit.c). If they do not reach back to the lookup, or if the collection's contents
 * have been replaced since, the leader leaves the request undecided, and the caller looks the key up again.
 *
 * A value that expires between the two steps is gone for the leader, which reads the clock for that.
 *
 * A holt_expire puts the value that the lookup found. If the leader finds a newer one in a memtable it takes
 * that, unless it is larger, for which the group has no room: then the request is undecided.
 *
 * So the check and the write are one step in commit order, and no conditional write fails only because others
 * were faster: the leader computes the sum of a holt_add from the newest value, be it of the same group.
 */
#ifndef HOLT_DB_COMMIT_CONDITION_H
#define HOLT_DB_COMMIT_CONDITION_H

#include "base/slice.h"
#include "log/operation.h"
#include "log/position.h"

#include <holt.h>
#include <stdbool.h>

typedef enum condition_kind {
    CONDITION_NONE,
    CONDITION_ABSENT,  /* the key has no value, else HOLT_EXISTS */
    CONDITION_PRESENT, /* the key has a value, else HOLT_NOT_FOUND */
    CONDITION_VERSION, /* the version of its value is `version`, else HOLT_CONFLICT */
    CONDITION_NUMBER,  /* its value, 0 if it has none, is a number to which `delta` can be added, else
                          HOLT_INVALID */
    CONDITION_EXPIRE   /* the key has a value, which is put again with the expiry `expire_ms`; else
                          HOLT_NOT_FOUND */
} condition_kind;

enum { NUMBER_BYTES_MAX = 20 }; /* the decimal digits and the sign of an int64_t */

typedef struct write_condition {
    condition_kind kind;
    uint64_t version;   /* CONDITION_VERSION; 0: the key has no value */
    uint64_t expire_ms; /* CONDITION_EXPIRE; 0: never */
    holt_value *value;  /* CONDITION_EXPIRE: the caller's, for the value of the key */
    int64_t delta;      /* CONDITION_NUMBER */
    int64_t sum;        /* CONDITION_NUMBER, set by condition_check: the value plus delta */

    uint64_t expires_at_ms; /* of the value that it was checked against; 0: there is none, or it does not
                               expire */

    /* Of the lookup: */
    seqno as_of;           /* the seqno that it read at */
    uint64_t replaced; /* the collection's last replacement before it */
} write_condition;

/* The version of a value, as in holt_value.version: its checksum, and never 0. */
uint64_t value_version(slice value);

/* Makes the operation that the condition says, where it says one: a put of the sum, which is written to
 * `digits` and keeps the number's expiry; or a put of the operation's value with the new expiry, or a delete
 * if that has passed. */
void condition_apply(holt *db, const write_condition *c, char digits[NUMBER_BYTES_MAX], operation *out);

/* Checks the condition against the value of the key; NULL: it has none, or it has expired. Of the value,
 * CONDITION_ABSENT, CONDITION_PRESENT and CONDITION_EXPIRE examine nothing, and CONDITION_NUMBER no more than
 * NUMBER_BYTES_MAX bytes. */
holt_status condition_check(write_condition *c, const slice *value);

#endif
