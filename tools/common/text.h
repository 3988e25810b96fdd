/* text.h -- bytes as text and back: escapes, hexadecimal, UTF-8.
 *
 * The whole command (scan, dump, load, keys on the command line) uses the same escapes:
 *
 *     \n  line feed     \t  tab     \r  carriage return     \\  backslash     \xNN  the byte NN, hexadecimal
 *
 * Printable characters, in ASCII or in valid UTF-8, stand for themselves; every other byte is escaped. So
 * escaped text contains no tabs and no line ends, and gives the same bytes when it is read.
 *
 * A terminal needs more. Characters that are valid and printable for a program may be invisible to a person,
 * or change the order in which a line is displayed: a key with a right-to-left override can look like another
 * key. On a terminal those characters are escaped too, byte by byte, and can still be read back.
 */
#ifndef COMMON_TEXT_H
#define COMMON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <holt.h>

#include "common/byte_buffer.h"

/* Returns the bytes of the valid UTF-8 character at the start of [p, p + size), 1 to 4, or 0. */
size_t text_utf8_character(const uint8_t *p, size_t size);

/* Returns the code point of the valid UTF-8 character p[0, length). */
uint32_t text_utf8_decode(const uint8_t *p, size_t length);

bool text_is_utf8(holt_slice bytes);

/* Returns the columns that text takes on a terminal, counting one for each character. */
size_t text_columns(holt_slice text);

/* Returns whether the valid UTF-8 character p[0, length) is invisible or reorders the text around it. */
bool text_is_invisible(const uint8_t *p, size_t length);

/* Writes bytes with escapes, for files and pipes. */
void text_write_escaped(FILE *out, holt_slice bytes);

/* The same for a terminal: invisible characters are escaped too. */
void text_write_visible(FILE *out, holt_slice bytes);

/* For a terminal, not to be read back: as visible, but line feeds, tabs and backslashes are kept. */
void text_write_for_people(FILE *out, holt_slice bytes);

/* The same for a message of one line: only backslashes are kept. */
void text_write_message(FILE *out, holt_slice bytes);

void text_write_hex(FILE *out, holt_slice bytes);

/* Appends the bytes as text_write_visible writes them, cut to `columns` columns, the last of which is then an
 * ellipsis. SIZE_MAX: not cut. */
void text_append_cut(byte_buffer *out, holt_slice bytes, size_t columns);

/* Returns the value of a hexadecimal digit of either case, or -1. */
int text_hex_digit(char c);

/* Replaces the escapes in bytes[0, *size) in place. Returns NULL and sets the new *size, or returns the first
 * invalid escape. */
const char *text_unescape(char *bytes, size_t *size);

/* Replaces pairs of hexadecimal digits by the bytes they mean, in place. Returns false if they are
 * not such pairs. */
bool text_unhex(char *bytes, size_t *size);

#endif
