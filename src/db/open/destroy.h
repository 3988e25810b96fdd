/* destroy.h -- deleting a closed database on a given machine: holt_destroy with the os named.
 *
 * For tests: holt_destroy() is this on os_posix().
 */
#ifndef HOLT_DB_OPEN_DESTROY_H
#define HOLT_DB_OPEN_DESTROY_H

#include "os/os.h"

holt_status holt_destroy_on(os *platform, const char *path);

#endif
