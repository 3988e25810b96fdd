/* number.h -- numbers, sizes and times as people write and read them. */
#ifndef COMMON_NUMBER_H
#define COMMON_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* The size of a buffer for any text written here. */
enum { NUMBER_TEXT = 32 };

/* Returns the nanoseconds of a monotonic clock. */
uint64_t number_clock_ns(void);

/* What a text was found to be. The two functions below set *out for NUMBER_OK only. */
typedef enum number_result {
    NUMBER_OK,
    NUMBER_NONE,     /* not a number, or not a size */
    NUMBER_NEGATIVE, /* a number below 0 */
    NUMBER_TOO_LARGE /* a number of more than 64 bits */
} number_result;

/* Parses a whole decimal number. */
number_result number_parse(const char *text, uint64_t *out);

/* Parses a number of bytes such as 4096, 64K, 2G or 64MiB; K, M, G and T are powers of 1024. */
number_result number_parse_bytes(const char *text, uint64_t *out);

/* The four below write into text[NUMBER_TEXT] and return it. */
const char *number_grouped(char *text, uint64_t number);     /* 1,234,567 */
const char *number_bytes(char *text, uint64_t bytes);        /* 1.5 MiB */
const char *number_duration(char *text, uint64_t ns);        /* 1.23 ms */
const char *number_clock_text(char *text, uint64_t seconds); /* 1:02:03 */

/* Returns things per second; 0 if no time has passed. */
double number_rate(uint64_t things, uint64_t ns);

#endif
