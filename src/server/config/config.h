/* config.h -- the settings of the server.
 *
 * A setting has one name, written as `memory = 1G` in a configuration file, `--memory 1G` on the command line
 * and HOLT_MEMORY=1G in the environment. The command line wins over the environment, which wins over the
 * file, which wins over the default. All of them are described once, in CONFIG_SETTINGS.
 *
 * Names that do not exist are errors, and the message suggests the nearest one. In the environment, only
 * names that are nearly those of a setting are refused: others may belong to other programs (container
 * systems set variables such as HOLT_PORT for a service that is called holt).
 *
 * Some settings are live: they may change while the server runs, by CONFIG SET or SIGHUP. Only their numbers
 * change; the texts stay those that the server was started with.
 *
 * Concurrency  A config belongs to one thread at a time until the server runs. Then any thread reads it, live
 *              settings with config_live, and config_change may be called on any thread.
 */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum config_kind {
    CONFIG_TEXT,
    CONFIG_NUMBER,
    CONFIG_BYTES,      /* with a unit, such as 64M */
    CONFIG_SWITCH,     /* yes or no */
    CONFIG_DURABILITY, /* a holt_durability */
    CONFIG_TREE,       /* a holt_kind */
    CONFIG_LOG_LEVEL   /* a holt_log_level */
} config_kind;

/* X(field, flag, kind, default, smallest, largest, what help calls the value, help). The name in a file is
 * that of the field. Texts of help may have lines. */
#define CONFIG_SETTINGS(X)                                                                                   \
    X(redis, "redis", CONFIG_TEXT, "127.0.0.1:6380", 0, 0, "ADDRESS",                                        \
      "where to listen for the Redis protocol: HOST:PORT,\n[IPv6]:PORT or unix:PATH, several separated by\n" \
      "commas; 'off' for nowhere (default: 127.0.0.1:6380)")                                                 \
    X(http, "http", CONFIG_TEXT, "127.0.0.1:8080", 0, 0, "ADDRESS",                                          \
      "where to listen for HTTP, likewise (default:\n127.0.0.1:8080)")                                       \
    X(cors_origins, "cors-origins", CONFIG_TEXT, "off", 0, 0, "ORIGINS",                                     \
      "web sites whose pages may use HTTP: https://HOST[:PORT],\n"                                           \
      "several separated by commas, '*' for any, 'off' for none\n(default: off)")                            \
    X(memory, "memory", CONFIG_BYTES, "256M", 8 << 20, UINT64_MAX, "SIZE",                                   \
      "the memory budget of the database (default: 256M)")                                                   \
    X(durability, "durability", CONFIG_DURABILITY, "commit", 0, 0, "MODE",                                   \
      "when a write is acknowledged: commit (on stable storage,\nthe default), interval or process")         \
    X(interval_ms, "interval-ms", CONFIG_NUMBER, "100", 1, 3600000, "MS",                                    \
      "the time that a power failure may cost with\n--durability interval (default: 100)")                   \
    X(kind, "kind", CONFIG_TREE, "lsm", 0, 0, "KIND",                                                        \
      "the kind of new collections: lsm (the default) or btree")                                             \
    X(background_threads, "background-threads", CONFIG_NUMBER, "1", 1, 64, "N",                              \
      "threads for compactions (default: 1)")                                                                \
    X(slow_ms, "slow-ms", CONFIG_NUMBER, "0", 0, 3600000, "MS",                                              \
      "log calls of the database that take longer; 0 = none\n(default: 0)")                                  \
    X(log_level, "log-level", CONFIG_LOG_LEVEL, "info", 0, 0, "LEVEL",                                       \
      "error, warning, info (the default) or debug")                                                         \
    X(connections, "connections", CONFIG_NUMBER, "10000", 1, 1000000, "N",                                   \
      "connections at a time; further ones are refused\n(default: 10000)")                                   \
    X(request_bytes, "request-bytes", CONFIG_BYTES, "64M", 1 << 10, 1 << 30, "SIZE",                         \
      "the largest command or body (default: 64M)")                                                          \
    X(output_bytes, "output-bytes", CONFIG_BYTES, "64M", 1 << 16, 1 << 30, "SIZE",                           \
      "the largest reply with several values; what may wait\n"                                               \
      "for a subscriber that does not read; then it is\ndisconnected (default: 64M)")                        \
    X(queued_commands, "queued-commands", CONFIG_NUMBER, "100000", 1, 10000000, "N",                         \
      "commands between MULTI and EXEC (default: 100000)")                                                   \
    X(idle_seconds, "idle-seconds", CONFIG_NUMBER, "0", 0, 31536000, "S",                                    \
      "disconnect clients that are idle for longer; 0 = never\n(default: 0)")                                \
    X(http_idle_seconds, "http-idle-seconds", CONFIG_NUMBER, "60", 1, 86400, "S",                            \
      "the same for HTTP, where slow requests count as idle\n(default: 60)")                                 \
    X(stop_seconds, "stop-seconds", CONFIG_NUMBER, "10", 1, 3600, "S",                                       \
      "how long to wait for clients when the server is stopped\n(default: 10)")                              \
    X(databases, "databases", CONFIG_NUMBER, "16", 1, 1024, "N",                                             \
      "numbered databases for SELECT: 0 is the collection\n\"default\", N is \"db N\" (default: 16)")        \
    X(sql_write, "sql-write", CONFIG_SWITCH, "no", 0, 0, "YES|NO",                                           \
      "let statements of SQL write (default: no)")                                                           \
    X(sql_ms, "sql-ms", CONFIG_NUMBER, "5000", 0, 3600000, "MS",                                             \
      "the longest that a statement of SQL may take, while\nothers wait; 0 = no limit (default: 5000)")        \
    X(tls_cert, "tls-cert", CONFIG_TEXT, "", 0, 0, "FILE",                                                   \
      "the server's certificate and those above it, in PEM; then\n"                                          \
      "only TLS is spoken, except on Unix sockets")                                                          \
    X(tls_key, "tls-key", CONFIG_TEXT, "", 0, 0, "FILE", "the private key of the certificate")              \
    X(tls_client_ca, "tls-client-ca", CONFIG_TEXT, "", 0, 0, "FILE",                                         \
      "the authorities of clients, which then need certificates")                                           \
    X(handshake_seconds, "handshake-seconds", CONFIG_NUMBER, "10", 1, 3600, "S",                             \
      "how long a client of the Redis protocol may take for the\nbeginning of TLS (default: 10)")            \
    X(user_requests, "user-requests", CONFIG_NUMBER, "0", 0, 1000000000, "N",                                \
      "requests or commands per second that each user may make;\n0 = no limit (default: 0)")                 \
    X(insecure, "insecure", CONFIG_SWITCH, "no", 0, 0, "YES|NO",                                             \
      "listen on addresses that other machines can reach,\nwithout users or without TLS (default: no)")

enum {
#define CONFIG_INDEX(field, ...) CONFIG_##field,
    CONFIG_SETTINGS(CONFIG_INDEX)
#undef CONFIG_INDEX
        CONFIG_COUNT
};

/* Where the value of a setting comes from. A later origin wins. */
typedef enum config_origin { CONFIG_DEFAULT, CONFIG_FILE, CONFIG_ENVIRONMENT, CONFIG_FLAG } config_origin;

typedef struct config {
    char *text[CONFIG_COUNT];       /* each value as it was written; owned */
    uint64_t number[CONFIG_COUNT];  /* its meaning; 0 for a text */
    uint8_t origin[CONFIG_COUNT];   /* config_origin */
} config;

enum { CONFIG_ERROR_BYTES = 512 };

/* Fills *c with the defaults. Returns false if there is no memory. config_deinit follows either way. */
bool config_init(config *c);
void config_deinit(config *c);

/* Sets one setting. Does nothing if it was set from a later origin. Returns false with a message in error. */
bool config_set(config *c, size_t index, config_origin origin, const char *value,
                char error[CONFIG_ERROR_BYTES]);

/* Returns whether the setting is live. */
bool config_is_live(size_t index);

/* Reads a value of a setting into *number. Returns false with a message in error. */
bool config_parse(size_t index, const char *value, uint64_t *number, char error[CONFIG_ERROR_BYTES]);

/* Returns the number of a live setting. */
static inline uint64_t config_live(const config *c, size_t index)
{
    /* Relaxed: each setting stands for itself. */
    return __atomic_load_n(&c->number[index], __ATOMIC_RELAXED);
}

/* Changes a live setting while the server runs. number: from config_parse. */
void config_change(config *c, size_t index, uint64_t number);

/* Sets what text[size], the contents of a configuration file, says: lines `name = value`, empty lines, and
 * comments that begin with '#'. name: of the file, for messages. Returns false with a message in error. */
bool config_read_text(config *c, const char *text, size_t size, const char *name,
                      char error[CONFIG_ERROR_BYTES]);

/* The same for the file at `path`. */
bool config_read_file(config *c, const char *path, char error[CONFIG_ERROR_BYTES]);

/* Sets what the environment says: variables HOLT_NAME, and LOG_LEVEL, of which unknown values are ignored
 * because other programs use it too. Returns false with a message in error. */
bool config_read_environment(config *c, char **environment, char error[CONFIG_ERROR_BYTES]);

/* Returns the name of a setting in a file, such as "interval_ms". */
const char *config_name(size_t index);

/* Returns the index of the setting with that name, in the form of a file or of a flag, or CONFIG_COUNT. */
size_t config_find(const char *name);

/* Returns the name of a setting that `name` may be a misspelling of, or NULL. */
const char *config_nearest(const char *name);

/* Prints all settings on standard output, as a file that config_read_file reads. */
void config_print(const config *c);

#endif
