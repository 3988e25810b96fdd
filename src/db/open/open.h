/* open.h -- holt_open with the operating system as an argument, for tests; holt_open() uses os_posix(). The
 * os must outlive the database. */
#ifndef HOLT_DB_OPEN_OPEN_H
#define HOLT_DB_OPEN_OPEN_H

#include "os/os.h"

holt_status holt_open_on(os *platform, const char *path, const holt_options *o, holt **db);

#endif
