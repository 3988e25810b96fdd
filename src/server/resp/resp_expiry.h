/* resp_expiry.h -- times to live as arguments of commands. */
#ifndef SERVER_RESP_EXPIRY_H
#define SERVER_RESP_EXPIRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resp/resp_call.h"

typedef enum expiry_unit {
    EXPIRY_EX,   /* seconds from now */
    EXPIRY_PX,   /* milliseconds from now */
    EXPIRY_EXAT, /* seconds since 1970 */
    EXPIRY_PXAT  /* milliseconds since 1970 */
} expiry_unit;

/* Returns whether the word is EX, PX, EXAT or PXAT. */
bool expiry_option(holt_slice word, expiry_unit *unit);

/* Reads argument i as a time in the unit into *at_ms, milliseconds since 1970 and never 0. positive: it
 * must be above 0. Replies with an error otherwise. */
bool expiry_parse(resp_call *call, size_t i, expiry_unit unit, bool positive, uint64_t *at_ms);

#endif
