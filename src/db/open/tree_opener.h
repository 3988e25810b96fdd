/* tree_opener.h -- opening the trees that a manifest names, when a database is opened. */
#ifndef HOLT_DB_OPEN_TREE_OPENER_H
#define HOLT_DB_OPEN_TREE_OPENER_H

#include "db/manifest/manifest_state.h"
#include "db/tree/collection_tree.h"

/* Set files and store, zero the rest; release with tree_opener_deinit. */
typedef struct tree_opener {
    tree_files *files;
    page_store *store;  /* NULL: the manifest names none */
    tree_file **opened; /* ascending by number; references. The runs of many collections may be in one file */
    size_t opened_count, opened_capacity;
} tree_opener;

holt_status tree_opener_open(tree_opener *o, const manifest_collection *c, collection_tree *out);
void        tree_opener_deinit(tree_opener *o);

#endif
