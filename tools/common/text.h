/* text.h -- bytes as text and back: escapes, hexadecimal, UTF-8.
 *
 * One set of escapes serves the whole command (scan, dump, load, keys on the command line):
 *
 *     \n  line feed     \t  tab     \r  carriage return     \\  backslash     \xNN  the byte NN, hexadecimal
 *
 * Printable characters, in ASCII or in valid UTF-8, stand for themselves; every other byte is escaped. So
 * escaped text has neither tabs nor line ends of its own and gives the same bytes when it is read.
 *
 * A terminal needs more. Characters that are valid and printable for a program may still be invisible to a
 * person, or change the order in which a line is shown: a key with a right-to-left override can look like
 * another key. What goes to a terminal has those escaped too, byte by byte, and reads back just as well.
 */
#ifndef COMMON_TEXT_H
#define COMMON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <holt.h>

#include "common/byte_buffer.h"

/* The bytes of the valid UTF-8 character at the start of [p, p + size), 1 to 4; 0 when there is none. */
size_t text_utf8_character(const uint8_t *p, size_t size);

/* The number of the valid UTF-8 character p[0, length). */
uint32_t text_utf8_decode(const uint8_t *p, size_t length);

bool text_is_utf8(holt_slice bytes);

/* Columns that text takes on a terminal: its characters, each counted as one. */
size_t text_columns(holt_slice text);

/* Whether the valid UTF-8 character p[0, length) shows nothing of its own or moves what is around it. */
bool text_is_invisible(const uint8_t *p, size_t length);

/* For files and pipes. */
void text_write_escaped(FILE *out, holt_slice bytes);

/* The same for a terminal: invisible characters are escaped too. */
void text_write_visible(FILE *out, holt_slice bytes);

/* The next two are for a terminal and do not read back. As visible, but line feeds, tabs and backslashes stay
 * as they are; */
void text_write_for_people(FILE *out, holt_slice bytes);

/* or only backslashes do: a message of one line. */
void text_write_message(FILE *out, holt_slice bytes);

void text_write_hex(FILE *out, holt_slice bytes);

/* Appends the bytes as text_write_visible writes them, cut to `columns` columns of which the last is then an
 * ellipsis. SIZE_MAX: whole. */
void text_append_cut(byte_buffer *out, holt_slice bytes, size_t columns);

/* What a hexadecimal digit of either case stands for, or -1. */
int text_hex_digit(char c);

/* Replaces the escapes in bytes[0, *size) in place. NULL and the new *size, or where the first wrong escape
 * is. */
const char *text_unescape(char *bytes, size_t *size);

/* Replaces pairs of hexadecimal digits by the bytes they mean, in place. false: not such pairs. */
bool text_unhex(char *bytes, size_t *size);

#endif
