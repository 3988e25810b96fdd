/* json_text.h -- what a program checks in a JSON text before json-c reads it.
 *
 * json-c accepts what RFC 8259 forbids or leaves open, and some of that would lose bytes: duplicate members
 * (it keeps the last), zero characters in names (it cuts the name there), lone surrogates (it replaces them),
 * strings in single quotes, control characters, overlong UTF-8.
 */
#ifndef COMMON_JSON_TEXT_H
#define COMMON_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Finds those in text[size]. lines: line feeds are white space; otherwise they are errors. *names becomes
 * the number of members of all objects, including duplicates: if the objects that json-c has made have
 * fewer, a member occurs twice. Returns NULL or a description of the problem. */
const char *json_text_check(const char *text, size_t size, bool lines, size_t *names);

/* Decodes padded base64 of RFC 4648 into out, which has room for size / 4 * 3 bytes. Unused bits must be
 * 0, so that any bytes have only one spelling. Returns false if p[size] is not that. */
bool json_text_decode_base64(const char *p, size_t size, char *out, size_t *out_size);

#endif
