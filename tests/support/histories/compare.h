/* compare.h -- a whole database compared with the model at one moment.
 *
 * database_fingerprint() is one forward scan of everything: enough to find out which moment a recovered
 * database shows. compare_database() then checks everything: the list of collections, their kinds, forward
 * and backward scans entry by entry, and a get of every key that was ever used, including those that must be
 * absent.
 */
#ifndef HOLT_TESTS_COMPARE_H
#define HOLT_TESTS_COMPARE_H

#include "support/histories/model.h"
#include "support/histories/verdict.h"

bool database_fingerprint(holt *db, uint64_t *fingerprint, verdict *v);
bool compare_database(holt *db, const model *m, moment at, verdict *v);

#endif
