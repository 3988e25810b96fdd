/* cli_values.c -- see cli_values.h. */
#include "cli_values.h"

#include <string.h>

#include "common/number.h"
#include "common/text.h"

/* Returns whether the number is valid, and prints an error if not. `expected`: what it should have been. */
static bool accept_number(const cli_call *call, const char *option, const char *text, number_result result,
                          const char *expected, const char *most)
{
    switch (result) {
    case NUMBER_OK:
        return true;
    case NUMBER_NEGATIVE:
        cli_error(call, "--%s: '%s' is negative", option, text);
        return false;
    case NUMBER_TOO_LARGE:
        cli_error(call, "--%s: '%s' is too large; the maximum is %s", option, text, most);
        return false;
    case NUMBER_NONE:
        break;
    }
    cli_error(call, "--%s: '%s' is not %s", option, text, expected);
    return false;
}

bool cli_number(const cli_call *call, const char *option, const char *text, uint64_t *out)
{
    return accept_number(call, option, text, number_parse(text, out), "a whole number",
                         "18446744073709551615");
}

bool cli_size(const cli_call *call, const char *option, const char *text, uint64_t *out)
{
    return accept_number(call, option, text, number_parse_bytes(text, out),
                         "a size such as 4096, 64K, 64M or 1G", "18446744073709551615 bytes");
}

bool cli_kind(const cli_call *call, const char *text, uint32_t *out)
{
    if (strcmp(text, "lsm") == 0) {
        *out = HOLT_LSM;
    } else if (strcmp(text, "btree") == 0) {
        *out = HOLT_BTREE;
    } else {
        cli_error(call, "--kind: '%s' is neither lsm nor btree", text);
        return false;
    }
    return true;
}

const char *cli_kind_name(uint32_t kind)
{
    return kind == HOLT_LSM ? "lsm" : kind == HOLT_BTREE ? "btree" : "?";
}

bool cli_durability(const cli_call *call, const char *text, uint32_t *out)
{
    if (strcmp(text, "commit") == 0) {
        *out = HOLT_COMMIT;
    } else if (strcmp(text, "interval") == 0) {
        *out = HOLT_INTERVAL;
    } else if (strcmp(text, "process") == 0) {
        *out = HOLT_PROCESS;
    } else {
        cli_error(call, "--durability: '%s' is not commit, interval or process", text);
        return false;
    }
    return true;
}

bool cli_bytes(const cli_call *call, char *argument, holt_slice *out)
{
    size_t size = strlen(argument);
    if (call->encoding == CLI_HEX && !text_unhex(argument, &size)) {
        cli_error(call, "'%s' does not consist of pairs of hexadecimal digits", argument);
        return false;
    }
    const char *wrong = call->encoding == CLI_ESCAPED ? text_unescape(argument, &size) : NULL;
    if (wrong) {
        cli_error(call, "'%.4s' is not an escape; the escapes are \\n \\t \\r \\\\ \\xNN", wrong);
        return false;
    }
    *out = holt_bytes(argument, size);
    return true;
}

bool cli_range(const cli_call *call, holt_cursor_options *out)
{
    if (call->prefix && !cli_bytes(call, call->prefix, &out->prefix)) return false;
    if (call->from && !cli_bytes(call, call->from, &out->lower)) return false;
    return !call->to || cli_bytes(call, call->to, &out->upper);
}
