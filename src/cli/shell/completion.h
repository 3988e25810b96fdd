/* completion.h -- what Tab offers in the shell: commands at the beginning of a line, otherwise the names of
 * tables, columns, indexes and collections, and keywords of SQL. */
#ifndef CLI_COMPLETION_H
#define CLI_COMPLETION_H

#include "shell/line_editor.h"

/* A line_editor_complete_fn; ctx is the shell. */
void completion_add_words(void *ctx, const char *line, size_t word, completions *list);

#endif
