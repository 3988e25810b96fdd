/* config.c -- see config.h. */
#include "config/config.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <holt.h>

#include "common/number.h"
#include "loop/log.h"

typedef struct setting {
    const char *name, *flag;
    config_kind kind;
    const char *initial;
    uint64_t smallest, largest;
} setting;

static const setting settings[CONFIG_COUNT] = {
#define CONFIG_ROW(field, flag, kind, initial, smallest, largest, value, help)                               \
    {#field, flag, kind, initial, smallest, largest},
    CONFIG_SETTINGS(CONFIG_ROW)
#undef CONFIG_ROW
};

enum {
    NAME_BYTES_MAX = 64,
    PREFIX_BYTES_MIN = 3, /* a shorter beginning of a name says too little */
    FILE_BYTES_MAX = 1 << 20
};

/* ---------------------------------------------------------------- values */

typedef struct word {
    const char *name;
    uint64_t meaning;
} word;

/* The words that a kind of setting accepts, ended by NULL. The first of several for one meaning is the
 * usual. */
static const word switch_words[] = {{"no", 0}, {"yes", 1}, {"false", 0}, {"true", 1}, {"off", 0},
                                    {"on", 1}, {"0", 0},   {"1", 1},     {NULL, 0}};
static const word durability_words[] = {
    {"commit", HOLT_COMMIT}, {"interval", HOLT_INTERVAL}, {"process", HOLT_PROCESS}, {NULL, 0}};
static const word tree_words[] = {{"lsm", HOLT_LSM}, {"btree", HOLT_BTREE}, {NULL, 0}};
static const word level_words[] = {{"error", HOLT_LOG_ERROR}, {"warning", HOLT_LOG_WARN},
                                   {"info", HOLT_LOG_INFO},   {"debug", HOLT_LOG_DEBUG},
                                   {"warn", HOLT_LOG_WARN},   {NULL, 0}};

static const word *words_of(config_kind kind)
{
    switch (kind) {
    case CONFIG_SWITCH:
        return switch_words;
    case CONFIG_DURABILITY:
        return durability_words;
    case CONFIG_TREE:
        return tree_words;
    case CONFIG_LOG_LEVEL:
        return level_words;
    default:
        return NULL;
    }
}

/* Returns whether `value` is one of the words; otherwise lists them in error. */
static bool parse_word(const word *words, const char *value, uint64_t *out, char error[CONFIG_ERROR_BYTES])
{
    size_t used = (size_t)snprintf(error, CONFIG_ERROR_BYTES, "'%.100s' is not one of", value);
    for (const word *w = words; w->name; w++) {
        if (strcasecmp(w->name, value) == 0) {
            *out = w->meaning;
            return true;
        }
        used += (size_t)snprintf(error + used, CONFIG_ERROR_BYTES - used, " %s", w->name);
    }
    return false;
}

static bool parse_number(const setting *s, const char *value, uint64_t *out, char error[CONFIG_ERROR_BYTES])
{
    bool bytes = s->kind == CONFIG_BYTES;
    uint64_t number = 0;
    number_result result = bytes ? number_parse_bytes(value, &number) : number_parse(value, &number);
    if (result == NUMBER_OK && number >= s->smallest && number <= s->largest) {
        *out = number;
        return true;
    }
    if (result == NUMBER_NONE) {
        snprintf(error, CONFIG_ERROR_BYTES, "'%.100s' is not a %s", value,
                 bytes ? "size such as 64M" : "number");
    } else if (s->largest == UINT64_MAX) {
        snprintf(error, CONFIG_ERROR_BYTES, "'%.100s' is below %" PRIu64, value, s->smallest);
    } else {
        snprintf(error, CONFIG_ERROR_BYTES, "'%.100s' is not between %" PRIu64 " and %" PRIu64, value,
                 s->smallest, s->largest);
    }
    return false;
}

static bool parse_value(const setting *s, const char *value, uint64_t *out, char error[CONFIG_ERROR_BYTES])
{
    *out = 0;
    if (s->kind == CONFIG_TEXT) return true;
    const word *words = words_of(s->kind);
    return words ? parse_word(words, value, out, error) : parse_number(s, value, out, error);
}

bool config_is_live(size_t index)
{
    switch (index) {
    case CONFIG_log_level:
    case CONFIG_connections:
    case CONFIG_request_bytes:
    case CONFIG_output_bytes:
    case CONFIG_queued_commands:
    case CONFIG_idle_seconds:
    case CONFIG_stop_seconds:
        return true;
    default:
        return false;
    }
}

bool config_parse(size_t index, const char *value, uint64_t *number, char error[CONFIG_ERROR_BYTES])
{
    return parse_value(&settings[index], value, number, error);
}

void config_change(config *c, size_t index, uint64_t number)
{
    assert(config_is_live(index));
    __atomic_store_n(&c->number[index], number, __ATOMIC_RELAXED); /* see config_live */
    if (index == CONFIG_log_level) log_set_level((uint32_t)number);
}

bool config_set(config *c, size_t index, config_origin origin, const char *value,
                char error[CONFIG_ERROR_BYTES])
{
    uint64_t number = 0;
    char reason[CONFIG_ERROR_BYTES];
    if (!parse_value(&settings[index], value, &number, reason)) {
        snprintf(error, CONFIG_ERROR_BYTES, "%s: %.400s", settings[index].name, reason);
        return false;
    }
    if (c->text[index] && c->origin[index] > origin) return true;
    char *copy = strdup(value);
    if (!copy) {
        snprintf(error, CONFIG_ERROR_BYTES, "out of memory");
        return false;
    }
    free(c->text[index]);
    c->text[index] = copy;
    c->number[index] = number;
    c->origin[index] = (uint8_t)origin;
    return true;
}

bool config_init(config *c)
{
    char error[CONFIG_ERROR_BYTES];
    memset(c, 0, sizeof *c);
    for (size_t i = 0; i < CONFIG_COUNT; i++) {
        if (!config_set(c, i, CONFIG_DEFAULT, settings[i].initial, error)) return false;
    }
    return true;
}

void config_deinit(config *c)
{
    for (size_t i = 0; i < CONFIG_COUNT; i++)
        free(c->text[i]);
    memset(c, 0, sizeof *c);
}

/* ---------------------------------------------------------------- names */

const char *config_name(size_t index)
{
    return settings[index].name;
}

size_t config_find(const char *name)
{
    for (size_t i = 0; i < CONFIG_COUNT; i++) {
        if (strcmp(settings[i].name, name) == 0 || strcmp(settings[i].flag, name) == 0) return i;
    }
    return CONFIG_COUNT;
}

/* Returns the number of letters to insert, delete or replace that make b from a (Levenshtein), for names
 * of less than NAME_BYTES_MAX bytes. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_BYTES_MAX];
    size_t size = strlen(b);
    for (size_t j = 0; j <= size; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= size; j++) {
            size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
            size_t shorter = row[j] < row[j - 1] ? row[j] : row[j - 1];
            diagonal = row[j];
            row[j] = replaced <= shorter ? replaced : shorter + 1;
        }
    }
    return row[size];
}

const char *config_nearest(const char *name)
{
    size_t best = SIZE_MAX, nearest = 0, size = strlen(name);
    if (size >= NAME_BYTES_MAX) return NULL;
    for (size_t i = 0; i < CONFIG_COUNT; i++) {
        bool begins = size >= PREFIX_BYTES_MIN && strncmp(name, settings[i].name, size) == 0;
        size_t d = begins ? 0 : distance(name, settings[i].name);
        if (d < best) best = d, nearest = i;
    }
    return best <= 1 + size / 4 ? settings[nearest].name : NULL;
}

/* ---------------------------------------------------------------- files */

/* Trims blanks from text[*size] and returns its new beginning. */
static const char *trim(const char *text, size_t *size)
{
    while (*size && isspace((unsigned char)*text)) {
        text++;
        (*size)--;
    }
    while (*size && isspace((unsigned char)text[*size - 1]))
        (*size)--;
    return text;
}

/* Copies text[size] as a C string. Returns false if it does not fit or contains a zero byte. */
static bool copy_text(char *to, size_t capacity, const char *text, size_t size)
{
    if (size >= capacity || memchr(text, '\0', size)) return false;
    memcpy(to, text, size);
    to[size] = '\0';
    return true;
}

/* Reads one line, without its line feed. The message does not say where it is. */
static bool read_line(config *c, const char *line, size_t size, char error[CONFIG_ERROR_BYTES])
{
    char name[NAME_BYTES_MAX], value[4096];
    line = trim(line, &size);
    if (size == 0 || *line == '#') return true;
    const char *equals = memchr(line, '=', size);
    if (!equals) {
        snprintf(error, CONFIG_ERROR_BYTES, "expected 'name = value'");
        return false;
    }
    size_t name_size = (size_t)(equals - line), value_size = size - name_size - 1;
    const char *value_text = trim(equals + 1, &value_size);
    (void)trim(line, &name_size);
    if (!copy_text(name, sizeof name, line, name_size) ||
        !copy_text(value, sizeof value, value_text, value_size)) {
        snprintf(error, CONFIG_ERROR_BYTES, "the line is too long or contains a zero byte");
        return false;
    }
    size_t index = config_find(name);
    if (index < CONFIG_COUNT) return config_set(c, index, CONFIG_FILE, value, error);
    const char *nearest = config_nearest(name);
    snprintf(error, CONFIG_ERROR_BYTES, "there is no setting '%s'%s%s%s", name,
             nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
    return false;
}

bool config_read_text(config *c, const char *text, size_t size, const char *name,
                      char error[CONFIG_ERROR_BYTES])
{
    char reason[CONFIG_ERROR_BYTES];
    for (unsigned line = 1; size > 0; line++) {
        const char *end = memchr(text, '\n', size);
        size_t used = end ? (size_t)(end - text) : size;
        if (!read_line(c, text, used, reason)) {
            snprintf(error, CONFIG_ERROR_BYTES, "%.100s:%u: %.380s", name, line, reason);
            return false;
        }
        used += end != NULL;
        text += used;
        size -= used;
    }
    return true;
}

bool config_read_file(config *c, const char *path, char error[CONFIG_ERROR_BYTES])
{
    bool done = false;
    char *text = malloc(FILE_BYTES_MAX + 1);
    FILE *file = fopen(path, "re");
    if (!text || !file) {
        snprintf(error, CONFIG_ERROR_BYTES, "%.200s: %s", path, text ? strerror(errno) : "out of memory");
    } else {
        size_t size = fread(text, 1, FILE_BYTES_MAX + 1, file);
        if (ferror(file)) {
            snprintf(error, CONFIG_ERROR_BYTES, "%.200s: %s", path, strerror(errno));
        } else if (size > FILE_BYTES_MAX) {
            snprintf(error, CONFIG_ERROR_BYTES, "%.200s: larger than %d bytes", path, FILE_BYTES_MAX);
        } else {
            done = config_read_text(c, text, size, path, error);
        }
    }
    if (file) fclose(file);
    free(text);
    return done;
}

/* ---------------------------------------------------------------- the environment */

/* Reads one variable HOLT_...; name: what follows HOLT_, of name_size bytes. */
static bool read_variable(config *c, const char *name, size_t name_size, const char *value,
                          char error[CONFIG_ERROR_BYTES])
{
    char lower[NAME_BYTES_MAX], reason[CONFIG_ERROR_BYTES];
    if (name_size >= sizeof lower) return true;
    for (size_t i = 0; i < name_size; i++)
        lower[i] = (char)tolower((unsigned char)name[i]);
    lower[name_size] = '\0';
    size_t index = config_find(lower);
    if (index < CONFIG_COUNT) {
        if (config_set(c, index, CONFIG_ENVIRONMENT, value, reason)) return true;
        snprintf(error, CONFIG_ERROR_BYTES, "the environment variable HOLT_%.*s: %.400s", (int)name_size,
                 name, reason);
        return false;
    }
    const char *nearest = config_nearest(lower);
    if (!nearest) return true;
    snprintf(error, CONFIG_ERROR_BYTES,
             "the environment variable HOLT_%.*s is nearly, but not quite, the setting '%s'", (int)name_size,
             name, nearest);
    return false;
}

bool config_read_environment(config *c, char **environment, char error[CONFIG_ERROR_BYTES])
{
    static const char prefix[] = "HOLT_", common_level[] = "LOG_LEVEL=";
    char ignored[CONFIG_ERROR_BYTES];
    for (char **v = environment; *v; v++) {
        const char *equals = strchr(*v, '=');
        if (!equals) continue;
        if (strncmp(*v, common_level, sizeof common_level - 1) == 0) {
            /* HOLT_LOG_LEVEL wins wherever it stands. */
            if (c->origin[CONFIG_log_level] < CONFIG_ENVIRONMENT)
                (void)config_set(c, CONFIG_log_level, CONFIG_FILE, equals + 1, ignored);
        } else if (strncmp(*v, prefix, sizeof prefix - 1) == 0) {
            const char *name = *v + sizeof prefix - 1;
            if (!read_variable(c, name, (size_t)(equals - name), equals + 1, error)) return false;
        }
    }
    return true;
}

void config_print(const config *c)
{
    static const char *const origins[] = {"the default", "a file", "the environment", "the command line"};
    for (size_t i = 0; i < CONFIG_COUNT; i++)
        printf("# from %s\n%s = %s\n", origins[c->origin[i]], settings[i].name, c->text[i]);
}
