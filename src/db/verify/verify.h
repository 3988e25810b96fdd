/* verify.h -- holt_verify on a given os, for tests; holt_verify() itself runs on os_posix(). */
#ifndef HOLT_DB_VERIFY_VERIFY_H
#define HOLT_DB_VERIFY_VERIFY_H

#include "os/os.h"

holt_status holt_verify_on(os *platform, const char *path, const holt_verify_options *o,
                           holt_verify_report *report, size_t report_size);

#endif
