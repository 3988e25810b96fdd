/* cli_values.c -- see cli_values.h. */
#include "cli_values.h"

#include <string.h>
#include <time.h>

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

/* Parses a number and a unit into milliseconds. */
static number_result parse_duration(const char *text, uint64_t *ms)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    char digits[24];
    size_t size = strspn(text, "0123456789");
    if (text[0] == '-') return NUMBER_NEGATIVE;
    if (size == 0) return NUMBER_NONE;
    if (size >= sizeof digits) return NUMBER_TOO_LARGE;
    memcpy(digits, text, size);
    digits[size] = '\0';
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        uint64_t number;
        if (strcmp(text + size, units[i].unit) != 0) continue;
        number_result result = number_parse(digits, &number);
        if (result != NUMBER_OK) return result;
        return __builtin_mul_overflow(number, units[i].ms, ms) ? NUMBER_TOO_LARGE : NUMBER_OK;
    }
    return NUMBER_NONE;
}

bool cli_ttl(const cli_call *call, const char *text, uint64_t *out)
{
    struct timespec now;
    uint64_t ms = 0;
    clock_gettime(CLOCK_REALTIME, &now);
    number_result result = parse_duration(text, &ms);
    if (result == NUMBER_OK) {
        *out = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
        if (__builtin_add_overflow(*out, ms, out)) result = NUMBER_TOO_LARGE;
    }
    return accept_number(call, "ttl", text, result, "a duration such as 90s, 10m, 24h or 7d",
                         "about 500 million years; without --ttl a value does not expire");
}

bool cli_expires_at(const cli_call *call, const char *text, uint64_t *out)
{
    if (!cli_number(call, "expires-at", text, out)) return false;
    if (*out > 0) return true;
    cli_error(call, "--expires-at: 0 is not a time; without the option a value does not expire");
    return false;
}

size_t cli_value_max(uint64_t memory_bytes)
{
    /* See holt.h: a value is at most a quarter of the memory, and 1 GiB. */
    static const uint64_t memory_default = (uint64_t)256 << 20, value_limit = (uint64_t)1 << 30;
    uint64_t most = (memory_bytes ? memory_bytes : memory_default) / 4;
    return (size_t)(most < value_limit ? most : value_limit);
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
