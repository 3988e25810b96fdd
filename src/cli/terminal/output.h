/* output.h -- standard output, terminals and signals.
 *
 * Whoever writes much asks output_ok() between rows and stops when it is false. SIGPIPE ends nothing here:
 * the row that meets it fails, the command stops, closes its database and ends quietly with 128 + SIGPIPE.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <holt.h>

/* Gives standard output a large buffer and takes over SIGPIPE. Once, at the start. */
void output_init(void);

/* Whether all that was written so far went well. */
bool output_ok(void);

/* Writes out what is buffered. The exit code: `code` if all was written, else CLI_FAILED with a complaint, or
 * 128 + SIGPIPE without one. command_name NULL: "holt". */
int output_finish(const char *command_name, int code);

/* Bytes on standard output with the escapes of text.h: those of a terminal when it is one. */
void output_write_text(holt_slice bytes);

/* "holt COMMAND: " and the message on standard error, and a line feed; "holt: " when command is NULL. On a terminal what is invisible in
 * it is escaped: names and keys of others may be in it. */
__attribute__((format(printf, 2, 0))) void output_complain(const char *command, const char *format,
                                                           va_list arguments);

__attribute__((format(printf, 2, 3))) void output_tell(const char *command, const char *format, ...);

bool output_is_terminal(void);       /* standard output */
bool output_error_is_terminal(void); /* standard error */

/* Columns of the terminal, 80 when unknown. */
size_t output_columns(void);

/* Makes SIGINT and SIGTERM ask for an orderly end instead; the second one ends the process at once. */
void output_catch_interrupts(void);

/* The signal that asked for an end, or 0. */
int output_interrupted(void);

#endif
