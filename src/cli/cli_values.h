/* cli_values.h -- the values of options and operands: numbers, sizes, kinds, durability modes, keys.
 *
 * The functions that return bool return false after printing an error.
 */
#ifndef CLI_VALUES_H
#define CLI_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <holt.h>

#include "cli.h"

/* The value of --OPTION as a number or as a number of bytes. */
bool cli_number(const cli_call *call, const char *option, const char *text, uint64_t *out);
bool cli_size(const cli_call *call, const char *option, const char *text, uint64_t *out);

/* The value of --ttl, such as 90s, 10m, 24h or 7d, as the time at which a value put now expires: milliseconds
 * since 1970. */
bool cli_ttl(const cli_call *call, const char *text, uint64_t *out);
/* The value of --expires-at: milliseconds since 1970, not 0. */
bool cli_expires_at(const cli_call *call, const char *text, uint64_t *out);

/* Returns the size in bytes of the longest value that a database with this memory takes; 0 = the default. */
size_t cli_value_max(uint64_t memory_bytes);

/* "lsm" or "btree" as a holt_kind. */
bool cli_kind(const cli_call *call, const char *text, uint32_t *out);

/* Returns the name of a holt_kind. */
const char *cli_kind_name(uint32_t kind);

/* "commit", "interval" or "process" as a holt_durability. */
bool cli_durability(const cli_call *call, const char *text, uint32_t *out);

/* The bytes of a key or value from the command line, in the call's encoding. Decodes in place. */
bool cli_bytes(const cli_call *call, char *argument, holt_slice *out);

/* The call's --prefix, --from and --to as the bounds of a cursor. Decodes in place: call it once. */
bool cli_range(const cli_call *call, holt_cursor_options *out);

#endif
