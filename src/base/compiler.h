/* compiler.h -- attributes for the hottest paths, where the compiler lacks the knowledge to choose. */
#ifndef HOLT_BASE_COMPILER_H
#define HOLT_BASE_COMPILER_H

#include <limits.h> /* for __GLIBC__ */

/* For a rarely called function in a hot one: inlined, it would make its caller save registers for it. */
#define OUT_OF_LINE __attribute__((noinline))

/* A thread-local variable that every call into the library reads, accessed without asking the loader for its
 * address. Space for such variables is scarce when a program loads the library late (dlopen), so use it for
 * pointers and numbers only. C libraries other than glibc have no such space at all. */
#ifdef __GLIBC__
#define THREAD_LOCAL_HOT _Thread_local __attribute__((tls_model("initial-exec")))
#else
#define THREAD_LOCAL_HOT _Thread_local
#endif

#endif
