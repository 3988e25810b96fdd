/* confirm.c -- see confirm.h. */
#include "terminal/confirm.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/text.h"
#include "terminal/output.h"

/* Reads a line from the terminal. Returns whether it is "y" or "yes"; the end of input and Ctrl-C count as
 * no.
 */
static bool answer_is_yes(void)
{
    char line[16];
    output_wait_for_input(NULL);
    if (output_interrupted() || !fgets(line, sizeof line, stdin)) {
        clearerr(stdin); /* the end of this answer, not of those to other questions */
        fputc('\n', stderr);
        return false;
    }
    size_t size = strcspn(line, "\n");
    for (int c = (unsigned char)line[size]; c != '\n' && c != EOF;) {
        c = getchar(); /* what is left of a long answer does not answer the next question */
    }
    line[size] = '\0';
    return strcmp(line, "y") == 0 || strcmp(line, "Y") == 0 || strcmp(line, "yes") == 0;
}

int confirm(const cli_call *call, const char *verb, const char *format, ...)
{
    char what[512];
    va_list arguments;
    if (call->yes) return CLI_CONTINUE;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    if (!isatty(STDIN_FILENO) || !output_error_is_terminal()) {
        cli_error(call, "this would permanently %s %s; without a terminal, --yes is required", verb, what);
        return CLI_USAGE;
    }
    fprintf(stderr, "This will permanently %s ", verb);
    text_write_message(stderr, holt_str(what));
    fputs(". Continue? [y/N] ", stderr);
    if (answer_is_yes()) return CLI_CONTINUE;
    cli_error(call, "nothing was changed");
    return CLI_FAILED;
}
