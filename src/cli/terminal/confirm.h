/* confirm.h -- asks before something is deleted for good.
 *
 * A user at a terminal is asked. A script must pass --yes: a question that nobody sees, or that the next line
 * of a pipe answers by accident, protects nothing.
 */
#ifndef CLI_CONFIRM_H
#define CLI_CONFIRM_H

#include "cli.h"

/* Asks whether to continue. verb is what will be done, such as "drop"; the format says to what. Returns
 * CLI_CONTINUE, or the exit code after printing why. */
__attribute__((format(printf, 3, 4))) int confirm(const cli_call *call, const char *verb, const char *format,
                                                  ...);

#endif
