/* interrupt.h -- orderly shutdown on Ctrl-C: directories are removed and processes ended. */
#ifndef BENCH_INTERRUPT_H
#define BENCH_INTERRUPT_H

/* Takes over SIGINT, SIGTERM and SIGPIPE. The second SIGINT or SIGTERM ends the process at once. */
void interrupts_catch(void);

/* The signal that asked for shutdown, or 0. */
int interrupted(void);

#endif
