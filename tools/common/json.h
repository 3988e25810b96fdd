/* json.h -- writes JSON, one value a line or nested.
 *
 * The writer puts the commas; the caller opens and closes. Names in objects are C strings of ours. Bytes of
 * the user become a string when they are valid UTF-8, and {"base64":"..."} when they are not: a string and
 * that object cannot be confused, and every byte comes back.
 */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <holt.h>

typedef struct json_writer {
    FILE *out;
    bool visible; /* invisible characters are written as \uNNNN */
    bool comma;   /* the next value in this object or array is not the first */
} json_writer;

/* visible: `out` is a terminal, on which characters that cannot be seen must be escaped. */
void json_init(json_writer *w, FILE *out, bool visible);

void json_object_begin(json_writer *w);
void json_object_end(json_writer *w);
void json_array_begin(json_writer *w);
void json_array_end(json_writer *w);

/* The name of the value that comes next. */
void json_name(json_writer *w, const char *name);

void json_bytes(json_writer *w, holt_slice bytes);
void json_string(json_writer *w, const char *string);
void json_u64(json_writer *w, uint64_t number);
void json_double(json_writer *w, double number);

/* A name and its value. */
void json_member_bytes(json_writer *w, const char *name, holt_slice bytes);
void json_member_string(json_writer *w, const char *name, const char *string);
void json_member_u64(json_writer *w, const char *name, uint64_t number);
void json_member_double(json_writer *w, const char *name, double number);

/* Ends the line: the next value stands alone. */
void json_line_end(json_writer *w);

#endif
