/* password.h -- reads a password: typed without echo, or from a pipe.
 */
#ifndef CLI_PASSWORD_H
#define CLI_PASSWORD_H

#include <stddef.h>

#include "cli.h"

/* Reads a new password into text, which ends with a zero: from the terminal twice, without showing it, or the
 * first line of standard input. Returns CLI_CONTINUE, or the exit code after printing why. The caller erases
 * the text. capacity: at least 2. */
int password_read(const cli_call *call, char *text, size_t capacity);

#endif
