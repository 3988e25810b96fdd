/* scan.h -- what the registry knows of scans: spare ones, which a table keeps for the next scan. */
#ifndef HOLT_TABLE_SCAN_H
#define HOLT_TABLE_SCAN_H

#include <holt/table.h>

void scan_destroy_spare(holt_scan *s); /* accepts NULL */

#endif
