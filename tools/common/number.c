/* number.c -- see number.h. */
#include "common/number.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

uint64_t number_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Reads a sign and digits and sets *rest to what follows. Reads all digits even of a number that is too
 * large, so that the caller can check what follows. */
static number_result parse_digits(const char *text, uint64_t *out, const char **rest)
{
    bool negative = *text == '-', too_large = false;
    uint64_t number = 0;
    const char *digits = negative ? text + 1 : text;
    const char *p = digits;
    for (; isdigit((unsigned char)*p); p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        too_large = too_large || number > (UINT64_MAX - digit) / 10;
        number = number * 10 + digit;
    }
    *rest = p;
    if (p == digits) return NUMBER_NONE;
    if (negative) return NUMBER_NEGATIVE;
    if (too_large) return NUMBER_TOO_LARGE;
    *out = number;
    return NUMBER_OK;
}

number_result number_parse(const char *text, uint64_t *out)
{
    const char *rest;
    uint64_t number = 0;
    number_result result = parse_digits(text, &number, &rest);
    if (*rest != '\0') return NUMBER_NONE;
    if (result == NUMBER_OK) *out = number;
    return result;
}

number_result number_parse_bytes(const char *text, uint64_t *out)
{
    static const struct {
        const char *suffix;
        unsigned shift;
    } units[] = {{"", 0},     {"B", 0},  {"K", 10},  {"KB", 10},  {"KiB", 10}, {"M", 20},  {"MB", 20},
                 {"MiB", 20}, {"G", 30}, {"GB", 30}, {"GiB", 30}, {"T", 40},   {"TB", 40}, {"TiB", 40}};
    const char *rest;
    uint64_t number = 0;
    number_result result = parse_digits(text, &number, &rest);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcasecmp(rest, units[i].suffix) != 0) continue;
        if (result != NUMBER_OK) return result;
        if (number > UINT64_MAX >> units[i].shift) return NUMBER_TOO_LARGE;
        *out = number << units[i].shift;
        return NUMBER_OK;
    }
    return NUMBER_NONE;
}

const char *number_grouped(char *text, uint64_t number)
{
    char digits[NUMBER_TEXT];
    int count = snprintf(digits, sizeof digits, "%" PRIu64, number);
    char *to = text;
    for (int i = 0; i < count; i++) {
        if (i > 0 && (count - i) % 3 == 0) *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return text;
}

const char *number_bytes(char *text, uint64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    if (bytes < 1024) {
        snprintf(text, NUMBER_TEXT, "%" PRIu64 " B", bytes);
        return text;
    }
    double number = (double)bytes / 1024;
    size_t unit = 0;
    while (number >= 1024 && unit < 3) {
        number /= 1024;
        unit++;
    }
    snprintf(text, NUMBER_TEXT, "%.*f %s", number < 10 ? 1 : 0, number, units[unit]);
    return text;
}

const char *number_duration(char *text, uint64_t ns)
{
    if (ns < 1000) {
        snprintf(text, NUMBER_TEXT, "%" PRIu64 " ns", ns);
    } else if (ns < 1000000) {
        snprintf(text, NUMBER_TEXT, "%.1f us", (double)ns / 1e3);
    } else if (ns < 1000000000) {
        snprintf(text, NUMBER_TEXT, "%.1f ms", (double)ns / 1e6);
    } else {
        snprintf(text, NUMBER_TEXT, "%.2f s", (double)ns / 1e9);
    }
    return text;
}

const char *number_clock_text(char *text, uint64_t seconds)
{
    uint64_t hours = seconds / 3600;
    unsigned minutes = (unsigned)(seconds / 60 % 60), rest = (unsigned)(seconds % 60);
    if (hours) {
        snprintf(text, NUMBER_TEXT, "%" PRIu64 ":%02u:%02u", hours, minutes, rest);
    } else {
        snprintf(text, NUMBER_TEXT, "%u:%02u", minutes, rest);
    }
    return text;
}

double number_rate(uint64_t things, uint64_t ns)
{
    return ns ? (double)things * 1e9 / (double)ns : 0;
}
