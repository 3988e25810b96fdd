/* resp_reply.h -- writes replies of the Redis protocol: RESP2, or RESP3 where the client has asked for it.
 *
 * An array or map of n members is its header followed by n, or 2n, replies. What RESP2 does not have is
 * written as the older clients know it: a map as an array, a double as a bulk string, null as a null bulk
 * string.
 */
#ifndef SERVER_RESP_REPLY_H
#define SERVER_RESP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <holt.h>

#include "loop/bytes.h"

typedef struct resp_reply {
    bytes *out;
    unsigned protocol; /* 2 or 3 */
} resp_reply;

/* text: without line ends, such as "OK". */
void reply_status(resp_reply *r, const char *text);

/* text: with its code, such as "ERR syntax error". Line ends in it become blanks. */
void reply_error(resp_reply *r, const char *text);
__attribute__((format(printf, 2, 3))) void reply_error_format(resp_reply *r, const char *format, ...);

void reply_integer(resp_reply *r, int64_t number);
void reply_bulk(resp_reply *r, holt_slice bytes);
void reply_bulk_text(resp_reply *r, const char *text);
void reply_null(resp_reply *r);
void reply_null_array(resp_reply *r);
void reply_array(resp_reply *r, size_t count);
void reply_map(resp_reply *r, size_t count);
void reply_set(resp_reply *r, size_t count);
void reply_push(resp_reply *r, size_t count);

void reply_boolean(resp_reply *r, bool value);

/* Something about the reply that follows: here a map with one entry, whose value is an array of a text and a
 * number. RESP2 has nothing of the kind. */
void reply_attribute(resp_reply *r, const char *name, const char *text, int64_t number);

/* text: the number in decimal. */
void reply_big_number(resp_reply *r, const char *text);
void reply_double_text(resp_reply *r, const char *text);

/* Text that RESP3 clients show as it is. */
void reply_verbatim(resp_reply *r, holt_slice text);

/* Writes "$N\r\n" or "\r\n", between which the caller writes the N bytes. */
void reply_bulk_begin(resp_reply *r, size_t size);
void reply_bulk_end(resp_reply *r);

#endif
