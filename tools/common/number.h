/* number.h -- numbers, sizes and times as people write and read them. */
#ifndef COMMON_NUMBER_H
#define COMMON_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* Room for any text made here. */
enum { NUMBER_TEXT = 32 };

/* Nanoseconds of a clock that never goes back. */
uint64_t number_clock_ns(void);

/* What a text turned out to be. *out of the two below is set for NUMBER_OK only. */
typedef enum number_result {
    NUMBER_OK,
    NUMBER_NONE,     /* not a number, or not a size */
    NUMBER_NEGATIVE, /* a number, but below 0 */
    NUMBER_TOO_LARGE /* a number, but more than 64 bits hold */
} number_result;

/* A whole decimal number. */
number_result number_parse(const char *text, uint64_t *out);

/* A number of bytes: 4096, 64K, 64M, 2G, also 64MiB; K, M, G and T are powers of 1024. */
number_result number_parse_bytes(const char *text, uint64_t *out);

/* The four below write into text[NUMBER_TEXT] and return it. */
const char *number_grouped(char *text, uint64_t number);    /* 1,234,567 */
const char *number_bytes(char *text, uint64_t bytes);       /* 1.5 MiB */
const char *number_duration(char *text, uint64_t ns);       /* 1.23 ms */
const char *number_clock_text(char *text, uint64_t seconds); /* 1:02:03 */

/* Things per second; 0 when no time has passed. */
double number_rate(uint64_t things, uint64_t ns);

#endif
