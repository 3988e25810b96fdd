/* text_cases.h -- tests written as text: commands, and the output each of them must have.
 *
 * A file of cases is a sequence of blocks, separated by blank lines:
 *
 *     # A comment. It may stand between two blocks, or above a command.
 *     command argument key=value
 *     a line of input
 *     another one
 *     ----
 *     the expected output
 *
 * The command is the first word of its line; arguments are separated by spaces. A block has any number of
 * input and output lines, but no blank ones. The files are in tests/testdata/, a folder for each driver. A
 * driver is a function that executes one command and prints its output.
 *
 * Each mismatch is printed with file and line; the test fails after the last block, so one run shows all of
 * them. An argument that the driver did not ask for fails the test: it may be misspelt. With HOLT_REWRITE=1
 * the files are rewritten with the actual output instead, for review with `git diff`.
 *
 * For cmocka tests, on their own thread.
 */
#ifndef HOLT_TESTS_TEXT_CASES_H
#define HOLT_TESTS_TEXT_CASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct text_case text_case;

/* Executes a command; its output is what it prints to `out`. */
typedef void (*text_command)(void *ctx, text_case *c, FILE *out);

/* Runs all blocks of tests/testdata/FOLDER/NAME. Returns how many there were. */
size_t text_cases_run(const char *folder, const char *name, text_command execute, void *ctx);
/* Runs all files tests/testdata/FOLDER/NAME.txt, in the order of their names. */
size_t text_cases_run_folder(const char *folder, text_command execute, void *ctx);

/* Whether this is the command of the block. */
bool        text_case_is(const text_case *c, const char *command);
/* The value of the argument key=value, "" for an argument without value, or NULL: not given. */
const char *text_case_argument(text_case *c, const char *key);
/* The same as a number; `missing` when it is not given. Decimal, or "max" for UINT64_MAX. */
uint64_t    text_case_number(text_case *c, const char *key, uint64_t missing);

/* The next line of input, without its newline, or NULL after the last. */
const char *text_case_next_line(text_case *c);
/* Splits the next line of input into words. Returns the first one, or NULL after the last line; the other
 * words replace the command's arguments. */
const char *text_case_next_words(text_case *c);

/* Fails the test: the block is not what the driver expects. Names file and line. */
_Noreturn void text_case_fail(const text_case *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
