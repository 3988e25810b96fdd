/* compiler.h -- what the compiler cannot know about the innermost paths. */
#ifndef HOLT_BASE_COMPILER_H
#define HOLT_BASE_COMPILER_H

#include <limits.h> /* for __GLIBC__ */

/* Of a function that is seldom called by one that is called always: inlined, it would make its caller save registers
 * for it. */
#define OUT_OF_LINE __attribute__((noinline))

/* A thread's variable that is read by every call into the library: without asking the loader where it is. Room for
 * such variables is small when a program loads the library late (dlopen), so it is for pointers and numbers; other C
 * libraries have none at all. */
#ifdef __GLIBC__
#define THREAD_LOCAL_HOT _Thread_local __attribute__((tls_model("initial-exec")))
#else
#define THREAD_LOCAL_HOT _Thread_local
#endif

#endif
