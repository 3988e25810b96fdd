/* stats.h -- prints what `holt stats` prints, of a database that is open. */
#ifndef CLI_STATS_H
#define CLI_STATS_H

#include <stdbool.h>

#include "session.h"

/* readers: also list the open transactions and cursors. */
holt_status stats_print(session *s, bool readers);

#endif
