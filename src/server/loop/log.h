/* log.h -- what the server says on standard error: one line per event.
 *
 * On a terminal a line is text; otherwise it is a JSON object with the members time (UTC), level and message,
 * which journals and log collectors read. Any thread may log; lines are never mixed.
 */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

#include <stdint.h>

/* Sets the most detailed holt_log_level that is written. Any thread may call it at any time. */
void log_set_level(uint32_t level);

/* Returns that level. */
uint32_t log_level(void);

/* Returns the name of a level: "error", "warning", "info" or "debug". */
const char *log_level_name(uint32_t level);

__attribute__((format(printf, 2, 3))) void log_write(uint32_t level, const char *format, ...);

/* A holt_log_fn: passes on the lines of the database's event log. */
void log_engine_line(void *log_ctx, uint32_t level, const char *line);

#endif
