/* verify_pages.h -- verifies the file of pages of a closed database, and the B+trees in it. */
#ifndef HOLT_DB_VERIFY_VERIFY_PAGES_H
#define HOLT_DB_VERIFY_VERIFY_PAGES_H

#include "db/manifest/manifest_state.h"
#include "db/verify/verification.h"

/* Checks every B+tree of the state, and that each page is either used once or free, as its map says. */
holt_status verify_pages(verification *v, tree_files *files, const manifest_state *state);

#endif
