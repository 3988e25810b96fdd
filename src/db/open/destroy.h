/* destroy.h -- holt_destroy with the operating system as an argument, for tests; holt_destroy() uses
 * os_posix(). */
#ifndef HOLT_DB_OPEN_DESTROY_H
#define HOLT_DB_OPEN_DESTROY_H

#include "os/os.h"

holt_status holt_destroy_on(os *platform, const char *path);

#endif
