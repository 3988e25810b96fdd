/* confirm.h -- asking before something is deleted that cannot be brought back.
 *
 * Somebody at a terminal is asked. A script is not, and must say --yes: a question that nobody sees, or that
 * the next line of a pipe answers by accident, protects from nothing.
 */
#ifndef CLI_CONFIRM_H
#define CLI_CONFIRM_H

#include "cli.h"

/* verb: such as "drop"; the rest is formatted: what is dropped. CLI_GO_ON to go on, or the exit code with which to end, having told
 * why. */
__attribute__((format(printf, 3, 4))) int confirm(const cli_call *call, const char *verb, const char *format, ...);

#endif
