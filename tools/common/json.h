/* json.h -- writes JSON values, nested or one per line.
 *
 * The writer writes the commas; the caller opens and closes objects and arrays. Names are our own C strings.
 * The user's bytes become a string if they are valid UTF-8, otherwise {"base64":"..."}: a string and that
 * object cannot be confused, so every byte can be read back.
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

/* Writes the name of the next value. */
void json_name(json_writer *w, const char *name);

void json_bytes(json_writer *w, holt_slice bytes);
void json_string(json_writer *w, const char *string);
void json_literal(json_writer *w, const char *text); /* a number, true, false or null, as it stands */
void json_u64(json_writer *w, uint64_t number);
void json_double(json_writer *w, double number);

/* A name and its value. */
void json_member_bytes(json_writer *w, const char *name, holt_slice bytes);
void json_member_string(json_writer *w, const char *name, const char *string);
void json_member_u64(json_writer *w, const char *name, uint64_t number);
void json_member_double(json_writer *w, const char *name, double number);

/* Ends the line; the next value is independent of those before it. */
void json_line_end(json_writer *w);

#endif
