/* interrupt.c -- signal handlers. */
#include "interrupt.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t interrupted_by; /* set by the handler */

static void on_interrupt(int signal_number)
{
    interrupted_by = signal_number;
}

static void set_handler(int signal_number, int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_interrupt;
    action.sa_flags = flags; /* without SA_RESTART: a read that waits for a reply ends too */
    sigemptyset(&action.sa_mask);
    (void)sigaction(signal_number, &action, NULL); /* fails only for signals that cannot be caught */
}

void interrupts_catch(void)
{
    set_handler(SIGINT, (int)SA_RESETHAND);
    set_handler(SIGTERM, (int)SA_RESETHAND);
    signal(SIGPIPE, SIG_IGN); /* writing to a closed pipe returns an error instead */
}

int interrupted(void)
{
    return interrupted_by;
}
