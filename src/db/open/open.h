/* open.h -- opening a database on a given machine: holt_open with the os named.
 *
 * For tests: holt_open() is this on os_posix(). The os must outlive the database.
 */
#ifndef HOLT_DB_OPEN_OPEN_H
#define HOLT_DB_OPEN_OPEN_H

#include "os/os.h"

holt_status holt_open_on(os *platform, const char *path, const holt_options *o, holt **db);

#endif
