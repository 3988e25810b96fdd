/* password.c -- see password.h. */
#include "terminal/password.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "server/access/secret.h"

/* What a signal must not leave behind: a terminal that shows nothing. */
static struct termios shown;

static void show_again(int number)
{
    /* Only what a signal handler may do. */
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

/* Reads a line, without the input's buffer, in which it would stay. Returns CLI_CONTINUE or the exit code. */
static int read_line(const cli_call *call, char *text, size_t capacity)
{
    size_t used = 0;
    for (;;) {
        ssize_t got = read(STDIN_FILENO, text + used, 1);
        if (got < 0) {
            cli_error(call, "the password cannot be read from standard input");
            return CLI_FAILED;
        }
        if (got == 0 || text[used] == '\n') break;
        if (text[used] == '\0' || used + 2 > capacity) {
            cli_error(call, "a password has at most %zu bytes, none of them zero", capacity - 1);
            return CLI_FAILED;
        }
        used++;
    }
    text[used] = '\0';
    if (used > 0) return CLI_CONTINUE;
    cli_error(call, "the password is empty");
    return CLI_FAILED;
}

/* Asks for a password at the terminal. */
static int ask(const cli_call *call, const char *prompt, char *text, size_t capacity)
{
    fputs(prompt, stderr);
    int code = read_line(call, text, capacity);
    fputc('\n', stderr); /* the one that was typed is not shown */
    return code;
}

static int ask_twice(const cli_call *call, char *text, size_t capacity)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    enum { SIGNALS = sizeof signals / sizeof signals[0] };
    struct sigaction before[SIGNALS], restore;
    struct termios hidden;
    char again[SECRET_PASSWORD_BYTES_MAX + 1];
    memset(&restore, 0, sizeof restore);
    restore.sa_handler = show_again;
    (void)sigemptyset(&restore.sa_mask);
    if (tcgetattr(STDIN_FILENO, &shown) != 0) {
        cli_error(call, "the password would be shown on this terminal");
        return CLI_FAILED;
    }
    for (int i = 0; i < SIGNALS; i++)
        (void)sigaction(signals[i], &restore, &before[i]);
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    int code = CLI_FAILED;
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) != 0) {
        cli_error(call, "the password would be shown on this terminal");
    } else {
        code = ask(call, "Password: ", text, capacity);
        if (code == CLI_CONTINUE) code = ask(call, "Again: ", again, sizeof again);
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
        if (code == CLI_CONTINUE && strcmp(text, again) != 0) {
            cli_error(call, "the two passwords differ");
            code = CLI_FAILED;
        }
    }
    for (int i = 0; i < SIGNALS; i++)
        (void)sigaction(signals[i], &before[i], NULL);
    secret_erase(again, sizeof again);
    return code;
}

int password_read(const cli_call *call, char *text, size_t capacity)
{
    return isatty(STDIN_FILENO) ? ask_twice(call, text, capacity) : read_line(call, text, capacity);
}
