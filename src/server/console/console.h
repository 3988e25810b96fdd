/* console.h -- the files of the console, a page that shows the server to people; served at /console.
 *
 * The build embeds them (embed.py). index.html is the page; the others are what it loads: one style sheet,
 * one icon, and JavaScript modules, of which console.js is the first. They use nothing from other addresses,
 * and know no more of the server than any client: everything that they show comes from its HTTP API.
 */
#ifndef SERVER_CONSOLE_CONSOLE_H
#define SERVER_CONSOLE_CONSOLE_H

#include <stddef.h>
#include <stdint.h>

typedef struct console_file {
    const char *name, *type; /* type: for Content-Type */
    const unsigned char *data;
    size_t size;
    uint64_t tag; /* depends on the bytes only; for ETag */
} console_file;

extern const console_file console_files[];
extern const size_t console_files_count;

#endif
