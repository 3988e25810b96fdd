/* output.c -- see output.h. */
#include "terminal/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli.h"
#include "common/text.h"

enum { OUTPUT_BUFFER = 64 * 1024, COLUMNS_DEFAULT = 80 };

static volatile sig_atomic_t reader_left;    /* set by the handler of SIGPIPE */
static volatile sig_atomic_t interrupted_by; /* set by the handler of SIGINT and SIGTERM */
static void (*interrupt_function)(void);     /* called by those handlers; NULL = none */
static int first_errno;                      /* of the first write that failed; 0 = none */
static int stdout_at_first = -1;             /* while standard output is redirected: where it went */
static int stdout_terminal;                  /* what is_terminal keeps */
static char output_buffer[OUTPUT_BUFFER];

static void on_broken_pipe(int signal_number)
{
    (void)signal_number;
    reader_left = 1;
}

static void on_interrupt(int signal_number)
{
    interrupted_by = signal_number;
    if (interrupt_function) interrupt_function();
}

static void set_handler(int signal_number, void (*handler)(int), int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigemptyset(&action.sa_mask);
    (void)sigaction(signal_number, &action, NULL); /* fails only for signals that cannot be caught */
}

void output_init(void)
{
    set_handler(SIGPIPE, on_broken_pipe, 0);
    if (!isatty(STDOUT_FILENO)) setvbuf(stdout, output_buffer, _IOFBF, sizeof output_buffer);
}

void output_catch_interrupts(void)
{
    /* Without SA_RESTART, so that a read that waits for input ends too. */
    set_handler(SIGINT, on_interrupt, SA_RESETHAND);
    set_handler(SIGTERM, on_interrupt, SA_RESETHAND);
}

void output_catch_interrupts_with(void (*function)(void))
{
    interrupt_function = function;
    output_catch_interrupts();
}

void output_keep_interrupts(void (*function)(void))
{
    interrupt_function = function;
    set_handler(SIGINT, on_interrupt, 0);
    set_handler(SIGTERM, on_interrupt, SA_RESETHAND);
}

int output_interrupted(void)
{
    return interrupted_by;
}

void output_clear_interrupt(void)
{
    if (interrupted_by == SIGINT) interrupted_by = 0;
}

void output_wait_for_input(const volatile sig_atomic_t *flag)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    sigset_t signals, before;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGWINCH);
    /* Blocked except in ppoll, so that none comes between looking at the flags and waiting. */
    sigprocmask(SIG_BLOCK, &signals, &before);
    if (!interrupted_by && !(flag && *flag)) (void)ppoll(&input, 1, NULL, &before);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

/* Makes standard output the open descriptor, and closes that. */
static bool replace_stdout(int descriptor)
{
    if (fflush(stdout) != 0) (void)output_ok(); /* keeps errno for the message */
    bool replaced = dup2(descriptor, STDOUT_FILENO) >= 0;
    int error = errno;
    close(descriptor);
    errno = error;
    stdout_terminal = 0;
    return replaced;
}

bool output_redirect(const char *path)
{
    if (!path) {
        int back = stdout_at_first;
        stdout_at_first = -1;
        return back < 0 || replace_stdout(back);
    }
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0) return false;
    if (stdout_at_first < 0) stdout_at_first = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (stdout_at_first >= 0) return replace_stdout(file);
    close(file);
    return false;
}

bool output_ok(void)
{
    if (!ferror(stdout)) return true;
    if (first_errno == 0) first_errno = errno ? errno : EIO;
    return false;
}

bool output_flush(void)
{
    if (fflush(stdout) != 0) (void)output_ok(); /* keeps errno */
    if (output_ok()) return true;
    clearerr(stdout);
    errno = first_errno;
    first_errno = 0;
    return false;
}

int output_finish(const char *command_name, int code)
{
    if (fflush(stdout) != 0) (void)output_ok(); /* keeps errno for the message */
    if (output_ok()) return code;
    if (reader_left) return CLI_SIGNAL + SIGPIPE;
    fprintf(stderr, "holt%s%s: standard output: %s\n", command_name ? " " : "",
            command_name ? command_name : "", strerror(first_errno));
    return CLI_FAILED;
}

void output_write_text(holt_slice bytes)
{
    if (output_is_terminal()) {
        text_write_visible(stdout, bytes);
    } else {
        text_write_escaped(stdout, bytes);
    }
}

void output_verror(const char *command, const char *format, va_list arguments)
{
    char *message = NULL;
    fprintf(stderr, "holt%s%s: ", command ? " " : "", command ? command : "");
    int size = output_error_is_terminal() ? vasprintf(&message, format, arguments) : -1;
    if (size >= 0) {
        text_write_message(stderr, holt_bytes(message, (size_t)size));
        free(message);
    } else if (!output_error_is_terminal()) {
        vfprintf(stderr, format, arguments);
    } else {
        fputs("out of memory", stderr);
    }
    fputc('\n', stderr);
}

void output_error(const char *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    output_verror(command, format, arguments);
    va_end(arguments);
}

/* Calls isatty once: scan calls this for every key. *known: 0 at first. */
static bool is_terminal(int descriptor, int *known)
{
    if (*known == 0) *known = isatty(descriptor) ? 1 : -1;
    return *known > 0;
}

bool output_is_terminal(void)
{
    return is_terminal(STDOUT_FILENO, &stdout_terminal);
}

bool output_error_is_terminal(void)
{
    static int known;
    return is_terminal(STDERR_FILENO, &known);
}

static bool colours_wanted(void)
{
    const char *no_colour = getenv("NO_COLOR");
    return !no_colour || !*no_colour;
}

bool output_has_colours(void)
{
    return colours_wanted() && output_is_terminal();
}

bool output_error_has_colours(void)
{
    return colours_wanted() && output_error_is_terminal();
}

output_form output_form_for(bool json)
{
    if (json) return OUTPUT_JSON;
    return output_is_terminal() ? OUTPUT_PEOPLE : OUTPUT_PLAIN;
}

size_t output_columns(void)
{
    struct winsize size;
    int descriptor = isatty(STDOUT_FILENO) ? STDOUT_FILENO : STDERR_FILENO;
    if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    return COLUMNS_DEFAULT;
}
