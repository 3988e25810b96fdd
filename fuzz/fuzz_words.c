/* fuzz_words.c -- any bytes as a line of the shell: every word is within bounds and ends with a zero byte,
 * every problem has its place, and a word that was read is quoted and read back.
 */
#include "load.h"

#include "shell/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The word in single quotes, its quotes doubled, must be the same word. */
static void read_again(const line_word *read)
{
    byte_buffer quoted = {NULL, 0, 0};
    line_words w;
    line_word again, none;
    byte_buffer_append(&quoted, "'", 1);
    for (size_t i = 0; i < read->size; i++) {
        byte_buffer_append(&quoted, read->bytes[i] == '\'' ? "''" : &read->bytes[i],
                           read->bytes[i] == '\'' ? 2 : 1);
    }
    byte_buffer_append(&quoted, "'", 2); /* and the zero byte that ends a line */
    words_init(&w, quoted.data, quoted.size - 1);
    expect(words_next(&w, "", &again) == WORDS_READ && again.quoted);
    expect(is_same(holt_bytes(again.bytes, again.size), holt_bytes(read->bytes, read->size)));
    expect(words_next(&w, "", &none) == WORDS_END);
    words_deinit(&w);
    byte_buffer_deinit(&quoted);
}

static void read_line(const char *line, size_t size, const char *stops)
{
    line_words w;
    line_word word;
    words_result result;
    size_t end = 0;
    words_init(&w, line, size);
    while ((result = words_next(&w, stops, &word)) == WORDS_READ) {
        expect(word.at >= end && word.at <= w.next && word.size <= size && !word.bytes[word.size]);
        end = w.next;
        read_again(&word);
        if (word.at < w.next) continue;
        if (w.next == size) break;
        w.next++; /* a stop, which the caller reads itself */
    }
    if (result == WORDS_BAD) {
        expect(w.problem && w.problem_at <= size && words_column(line, w.problem_at) <= size + 1);
    } else if (words_take_rest(&w, &word) == WORDS_READ) {
        expect(word.at + word.size <= size && !word.bytes[word.size]);
    }
    words_deinit(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_MAX) return 0;
    char *line = allocate_or_exit(size + 1, 1);
    if (size) memcpy(line, data, size);
    read_line(line, size, "");
    read_line(line, size, "=<>!,");
    free(line);
    return 0;
}
