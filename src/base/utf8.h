/* utf8.h -- whether bytes are UTF-8. Overlong forms, surrogates and code points past U+10FFFF are not. */
#ifndef HOLT_BASE_UTF8_H
#define HOLT_BASE_UTF8_H

#include "base/slice.h"

/* Returns whether the text is UTF-8. *characters (may be NULL) receives the number of code points if so. */
bool utf8_valid(slice text, size_t *characters);

/* Returns the position of the first byte that is not UTF-8 or begins a control character (U+0000 to U+001F,
 * U+007F to U+009F); the size of the text if there is none. */
size_t utf8_find_unprintable(slice text);

#endif
