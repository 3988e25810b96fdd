/* output.h -- standard output, terminals and signals.
 *
 * A command that prints many rows calls output_ok() between them and stops when it returns false. SIGPIPE
 * does not end the process: the row that meets it fails, the command stops and closes its database, and the
 * process exits quietly with 128 + SIGPIPE.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <holt.h>

/* Gives standard output a large buffer and installs the handler of SIGPIPE. Called once, at the start. */
void output_init(void);

/* Returns whether everything written so far succeeded. */
bool output_ok(void);

/* Flushes standard output. Returns `code` if everything was written, otherwise CLI_FAILED after printing an
 * error, or 128 + SIGPIPE without one. command_name: NULL prints "holt" alone. */
int output_finish(const char *command_name, int code);

/* Prints bytes with the escapes of text.h: those for a terminal if standard output is one. */
void output_write_text(holt_slice bytes);

/* Prints "holt COMMAND: ", the message and a line feed on standard error; without COMMAND if command is NULL.
 * On a terminal invisible characters are escaped: the message may contain names and keys from elsewhere. */
__attribute__((format(printf, 2, 3))) void output_error(const char *command, const char *format, ...);
__attribute__((format(printf, 2, 0))) void output_verror(const char *command, const char *format,
                                                         va_list arguments);

bool output_is_terminal(void);       /* standard output */
bool output_error_is_terminal(void); /* standard error */

typedef enum output_form { OUTPUT_PEOPLE, OUTPUT_PLAIN, OUTPUT_JSON } output_form;

/* Returns the form of results: JSON if requested, for people on a terminal, otherwise plain lines. */
output_form output_form_for(bool json);

/* Returns the columns of the terminal, 80 if unknown. */
size_t output_columns(void);

/* From now on the first SIGINT or SIGTERM only requests an orderly end; the second one ends the process. */
void output_catch_interrupts(void);

/* The same, with a function that the handler calls for the first signal. It may do only what a signal handler
 * may do. */
void output_catch_interrupts_with(void (*function)(void));

/* The same for a program that reads commands: SIGINT only requests the end of the running command, however
 * often it comes. */
void output_keep_interrupts(void (*function)(void));

/* Returns the signal that requested an end, or 0. */
int output_interrupted(void);

/* Forgets a SIGINT, before the next command. */
void output_clear_interrupt(void);

/* Waits until standard input has something, or a signal requests an end. flag: set by a handler of SIGWINCH,
 * which ends the wait too; may be NULL. A signal that comes just before the wait ends it as well. */
void output_wait_for_input(const volatile sig_atomic_t *flag);

/* Writes out what was printed. Returns false, with errno set, if that fails or has failed before; the failure
 * is then forgotten: output_ok() and output_finish() are about what is printed from now on. */
bool output_flush(void);

/* Sends standard output to a file, which is created or emptied; NULL = back to where it went at first.
 * Returns false, with errno set, if that fails; standard output then goes where it went. */
bool output_redirect(const char *path);

/* Returns whether to use colours on standard output or standard error: on terminals, unless the environment
 * variable NO_COLOR says not to. */
bool output_has_colours(void);
bool output_error_has_colours(void);

#endif
