/* resp_commands.c -- see resp_commands.h. */
#include "resp/resp_commands.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#define W  RESP_WRITE
#define R  RESP_READ
#define F  RESP_FAST
#define NM RESP_DENY_MULTI
#define PS RESP_IN_PUBSUB
#define AO RESP_AT_ONCE
#define AD RESP_ADMIN
#define CO RESP_CONTAINER
#define M  RESP_USES_MEMORY
#define SW RESP_SWAPS
#define L  RESP_LOGIN
#define O  RESP_OPEN
#define C  RESP_CHANGES
#define AL RESP_ALL

/* clang-format off */
const resp_command resp_commands[] = {
    /* Clients. */
    {"ping",                -1, F | PS | L, 0,  0, 0, resp_run_ping,                  "connection",   "1.0.0",  "Returns PONG, or the argument."},
    {"echo",                 2, F | L,      0,  0, 0, resp_run_echo,                  "connection",   "1.0.0",  "Returns the argument."},
    {"hello",               -1, F | O,      0,  0, 0, resp_run_hello,                 "connection",   "6.0.0",  "Chooses the version of the protocol and describes the server."},
    {"auth",                -2, F | O,      0,  0, 0, resp_run_auth,                  "connection",   "1.0.0",  "Logs in."},
    {"quit",                -1, F | PS | AO | O, 0,  0, 0, resp_run_quit,                  "connection",   "1.0.0",  "Closes the connection."},
    {"reset",                1, F | PS | AO | O, 0,  0, 0, resp_run_reset,                 "connection",   "6.2.0",  "Makes the connection as it was when it was new."},
    {"select",               2, F | L,      0,  0, 0, resp_run_select,                "connection",   "1.0.0",  "Chooses the numbered database."},
    {"client",              -2, CO | L,     0,  0, 0, NULL,                           "connection",   "2.4.0",  "Lists, names and disconnects clients."},
    {"client|caching",       3, L,          0,  0, 0, resp_run_client_caching,        "connection",   "6.0.0",  "Fails: values are not cached by clients."},
    {"client|getname",       2, L,          0,  0, 0, resp_run_client_getname,        "connection",   "2.6.9",  "Returns the name of the connection."},
    {"client|getredir",      2, L,          0,  0, 0, resp_run_client_getredir,       "connection",   "6.0.0",  "Returns -1: nothing is redirected."},
    {"client|id",            2, L,          0,  0, 0, resp_run_client_id,             "connection",   "5.0.0",  "Returns the number of the connection."},
    {"client|info",          2, L,          0,  0, 0, resp_run_client_info,           "connection",   "6.2.0",  "Describes the connection."},
    {"client|kill",         -3, AD,         0,  0, 0, resp_run_client_kill,           "connection",   "2.4.0",  "Disconnects clients."},
    {"client|list",         -2, AD,         0,  0, 0, resp_run_client_list,           "connection",   "2.4.0",  "Describes the connections."},
    {"client|no-evict",      3, AD,         0,  0, 0, resp_run_client_no_evict,       "connection",   "7.0.0",  "Does nothing: no client is evicted."},
    {"client|no-touch",      3, L,          0,  0, 0, resp_run_client_no_evict,       "connection",   "7.2.0",  "Does nothing: reading changes no key."},
    {"client|reply",         3, L,          0,  0, 0, resp_run_client_reply,          "connection",   "3.2.0",  "Switches replies on or off."},
    {"client|setinfo",       4, L,          0,  0, 0, resp_run_client_setinfo,        "connection",   "7.2.0",  "Notes the name or version of the client's library."},
    {"client|setname",       3, L,          0,  0, 0, resp_run_client_setname,        "connection",   "2.6.9",  "Names the connection."},
    {"client|trackinginfo",  2, L,          0,  0, 0, resp_run_client_trackinginfo,   "connection",   "6.2.0",  "Tells that keys are not tracked."},
    {"client|unblock",      -3, AD,         0,  0, 0, resp_run_client_unblock,        "connection",   "5.0.0",  "Returns 0: no client is blocked."},
    {"client|help",          2, L,          0,  0, 0, resp_run_help,                  "connection",   "5.0.0",  "Lists the subcommands."},
    {"command",             -1, CO | L,     0,  0, 0, resp_run_command,               "server",       "2.8.13", "Describes the commands."},
    {"command|count",        2, L,          0,  0, 0, resp_run_command_count,         "server",       "2.8.13", "Counts the commands."},
    {"command|docs",        -2, L,          0,  0, 0, resp_run_command_docs,          "server",       "7.0.0",  "Returns what each command does."},
    {"command|getkeys",     -4, L,          0,  0, 0, resp_run_command_getkeys,       "server",       "2.8.13", "Returns the keys among the arguments of a command."},
    {"command|info",        -2, L,          0,  0, 0, resp_run_command_info,          "server",       "2.8.13", "Returns arity, flags and positions of keys."},
    {"command|list",        -2, L,          0,  0, 0, resp_run_command_list,          "server",       "7.0.0",  "Lists the names of commands."},
    {"command|help",         2, L,          0,  0, 0, resp_run_help,                  "server",       "5.0.0",  "Lists the subcommands."},
    /* The server. */
    {"config",              -2, CO | L,     0,  0, 0, NULL,                           "server",       "2.0.0",  "Reads and changes settings."},
    {"config|get",          -3, AD,         0,  0, 0, resp_run_config_get,            "server",       "2.0.0",  "Returns the settings whose names match patterns."},
    {"config|resetstat",     2, AD,         0,  0, 0, resp_run_config_resetstat,      "server",       "2.0.0",  "Begins the figures of INFO anew."},
    {"config|rewrite",       2, AD,         0,  0, 0, resp_run_config_rewrite,        "server",       "2.8.0",  "Fails: the configuration file is the administrator's."},
    {"config|set",          -4, AD,         0,  0, 0, resp_run_config_set,            "server",       "2.0.0",  "Changes settings until the server stops."},
    {"config|help",          2, L,          0,  0, 0, resp_run_help,                  "server",       "5.0.0",  "Lists the subcommands."},
    {"info",                -1, L,          0,  0, 0, resp_run_info,                  "server",       "1.0.0",  "Returns figures of the server."},
    {"time",                 1, F | L,      0,  0, 0, resp_run_time,                  "server",       "2.6.0",  "Returns the server's time."},
    {"dbsize",               1, R | F,      0,  0, 0, resp_run_dbsize,                "server",       "1.0.0",  "Returns the number of keys; an estimate for many."},
    {"flushdb",             -1, W,          0,  0, 0, resp_run_flushdb,               "server",       "1.0.0",  "Deletes all keys of the database."},
    {"flushall",            -1, W | AL,     0,  0, 0, resp_run_flushall,              "server",       "1.0.0",  "Deletes all keys of all numbered databases."},
    {"debug",               -2, AD,         0,  0, 0, resp_run_debug,                 "server",       "1.0.0",  "Helps tests; most of it does nothing."},
    {"object",              -2, CO | L,     0,  0, 0, NULL,                           "generic",      "2.2.3",  "Describes how a value is stored."},
    {"object|encoding",      3, R,          2,  2, 1, resp_run_object_encoding,       "generic",      "2.2.3",  "Returns how Redis would store the value."},
    {"object|freq",          3, R,          2,  2, 1, resp_run_object_freq,           "generic",      "4.0.0",  "Fails: the frequency of accesses is not known."},
    {"object|idletime",      3, R,          2,  2, 1, resp_run_object_idletime,       "generic",      "2.2.3",  "Returns 0: the time of the last access is not known."},
    {"object|refcount",      3, R,          2,  2, 1, resp_run_object_refcount,       "generic",      "2.2.3",  "Returns 1."},
    {"object|help",          2, L,          0,  0, 0, resp_run_help,                  "generic",      "5.0.0",  "Lists the subcommands."},
    {"memory",              -2, CO | L,     0,  0, 0, NULL,                           "server",       "4.0.0",  "Returns the memory or space that is used."},
    {"memory|doctor",        2, L,          0,  0, 0, resp_run_memory_doctor,         "server",       "4.0.0",  "Returns advice."},
    {"memory|malloc-stats",  2, L,          0,  0, 0, resp_run_memory_malloc_stats,   "server",       "4.0.0",  "Returns the figures of memory as text."},
    {"memory|purge",         2, L,          0,  0, 0, resp_run_memory_purge,          "server",       "4.0.0",  "Does nothing: memory is bounded."},
    {"memory|stats",         2, L,          0,  0, 0, resp_run_memory_stats,          "server",       "4.0.0",  "Returns the memory by holder."},
    {"memory|usage",        -3, R,          2,  2, 1, resp_run_memory_usage,          "server",       "4.0.0",  "Returns the bytes of a key and its value."},
    {"memory|help",          2, L,          0,  0, 0, resp_run_help,                  "server",       "5.0.0",  "Lists the subcommands."},
    {"latency",             -2, CO | L,     0,  0, 0, NULL,                           "server",       "2.8.13", "Returns how long commands take."},
    {"latency|doctor",       2, AD,         0,  0, 0, resp_run_latency_doctor,        "server",       "2.8.13", "Returns advice."},
    {"latency|graph",        3, AD,         0,  0, 0, resp_run_latency_graph,         "server",       "2.8.13", "Returns the slow events of a kind as lines of text."},
    {"latency|histogram",   -2, AD,         0,  0, 0, resp_run_latency_histogram,     "server",       "7.0.0",  "Returns the distribution of the durations of commands."},
    {"latency|history",      3, AD,         0,  0, 0, resp_run_latency_history,       "server",       "2.8.13", "Returns the slow events of a kind."},
    {"latency|latest",       2, AD,         0,  0, 0, resp_run_latency_latest,        "server",       "2.8.13", "Returns the last slow event of each kind."},
    {"latency|reset",       -2, AD,         0,  0, 0, resp_run_latency_reset,         "server",       "2.8.13", "Forgets slow events."},
    {"latency|help",         2, L,          0,  0, 0, resp_run_help,                  "server",       "5.0.0",  "Lists the subcommands."},
    {"slowlog",             -2, CO | L,     0,  0, 0, NULL,                           "server",       "2.2.12", "Returns the commands that took long."},
    {"slowlog|get",         -2, AD,         0,  0, 0, resp_run_slowlog_get,           "server",       "2.2.12", "Returns the last slow commands."},
    {"slowlog|len",          2, AD,         0,  0, 0, resp_run_slowlog_len,           "server",       "2.2.12", "Counts the slow commands that are remembered."},
    {"slowlog|reset",        2, AD,         0,  0, 0, resp_run_slowlog_reset,         "server",       "2.2.12", "Forgets the slow commands."},
    {"slowlog|help",         2, L,          0,  0, 0, resp_run_help,                  "server",       "5.0.0",  "Lists the subcommands."},
    {"function",            -2, CO | L,     0,  0, 0, NULL,                           "scripting",    "7.0.0",  "Answers for functions, of which there are none."},
    {"function|flush",      -2, C,          0,  0, 0, resp_run_function_flush,        "scripting",    "7.0.0",  "Deletes all functions: there are none."},
    {"function|kill",        2, L,          0,  0, 0, resp_run_function_kill,         "scripting",    "7.0.0",  "Fails: no function is running."},
    {"function|list",       -2, L,          0,  0, 0, resp_run_function_list,         "scripting",    "7.0.0",  "Lists the functions: there are none."},
    {"function|help",        2, L,          0,  0, 0, resp_run_help,                  "scripting",    "5.0.0",  "Lists the subcommands."},
    {"script",              -2, CO | L,     0,  0, 0, NULL,                           "scripting",    "2.6.0",  "Answers for scripts, of which there are none."},
    {"script|exists",       -3, L,          0,  0, 0, resp_run_script_exists,         "scripting",    "2.6.0",  "Tells of each script that there is none."},
    {"script|flush",        -2, C,          0,  0, 0, resp_run_script_flush,          "scripting",    "2.6.0",  "Deletes all scripts: there are none."},
    {"script|kill",          2, L,          0,  0, 0, resp_run_function_kill,         "scripting",    "2.6.0",  "Fails: no script is running."},
    {"script|help",          2, L,          0,  0, 0, resp_run_help,                  "scripting",    "5.0.0",  "Lists the subcommands."},
    {"role",                 1, F | L,      0,  0, 0, resp_run_role,                  "server",       "2.8.12", "Returns that the server is a master without replicas."},
    {"shutdown",            -1, AD | NM,    0,  0, 0, resp_run_shutdown,              "server",       "1.0.0",  "Stops the server."},
    {"bgrewriteaof",         1, AD,         0,  0, 0, resp_run_bgrewriteaof,          "server",       "1.0.0",  "Makes everything written so far durable."},
    {"swapdb",               3, W | F | SW | AL, 0,  0, 0, resp_run_swapdb,                "server",       "4.0.0",  "Exchanges two numbered databases."},
    {"save",                 1, AD | NM,    0,  0, 0, resp_run_save,                  "server",       "1.0.0",  "Makes everything written so far durable."},
    {"bgsave",              -1, AD,         0,  0, 0, resp_run_bgsave,                "server",       "1.0.0",  "Makes everything written so far durable."},
    {"lastsave",             1, F | L,      0,  0, 0, resp_run_lastsave,              "server",       "1.0.0",  "Returns the time of the last SAVE."},
    {"wait",                 3, L,          0,  0, 0, resp_run_wait,                  "generic",      "3.0.0",  "Returns the number of replicas: 0."},
    /* Strings. */
    {"set",                 -3, W | M,      1,  1, 1, resp_run_set,                   "string",       "1.0.0",  "Sets the value of a key."},
    {"get",                  2, R | F,      1,  1, 1, resp_run_get,                   "string",       "1.0.0",  "Returns the value of a key."},
    {"getex",               -2, W | F,      1,  1, 1, resp_run_getex,                 "string",       "6.2.0",  "Returns the value of a key and changes its expiry."},
    {"getdel",               2, W | F,      1,  1, 1, resp_run_getdel,                "string",       "6.2.0",  "Returns the value of a key and deletes it."},
    {"getset",               3, W | F | M,  1,  1, 1, resp_run_getset,                "string",       "1.0.0",  "Sets the value of a key and returns the former one."},
    {"setex",                4, W | M,      1,  1, 1, resp_run_setex,                 "string",       "2.0.0",  "Sets a value that expires, in seconds."},
    {"psetex",               4, W | M,      1,  1, 1, resp_run_psetex,                "string",       "2.6.0",  "Sets a value that expires, in milliseconds."},
    {"setnx",                3, W | F | M,  1,  1, 1, resp_run_setnx,                 "string",       "1.0.0",  "Sets the value of a key that has none."},
    {"mget",                -2, R | F,      1, -1, 1, resp_run_mget,                  "string",       "1.0.0",  "Returns the values of several keys."},
    {"mset",                -3, W | M,      1, -1, 2, resp_run_mset,                  "string",       "1.0.1",  "Sets the values of several keys."},
    {"msetnx",              -3, W | M,      1, -1, 2, resp_run_msetnx,                "string",       "1.0.1",  "Sets the values of several keys if none has one."},
    {"append",               3, W | F | M,  1,  1, 1, resp_run_append,                "string",       "2.0.0",  "Appends to a value."},
    {"strlen",               2, R | F,      1,  1, 1, resp_run_strlen,                "string",       "2.2.0",  "Returns the size of a value."},
    {"getrange",             4, R,          1,  1, 1, resp_run_getrange,              "string",       "2.4.0",  "Returns a part of a value."},
    {"substr",               4, R,          1,  1, 1, resp_run_getrange,              "string",       "1.0.0",  "Returns a part of a value."},
    {"setrange",             4, W | M,      1,  1, 1, resp_run_setrange,              "string",       "2.2.0",  "Overwrites a part of a value."},
    {"incr",                 2, W | F | M,  1,  1, 1, resp_run_incr,                  "string",       "1.0.0",  "Adds 1 to a number."},
    {"decr",                 2, W | F | M,  1,  1, 1, resp_run_decr,                  "string",       "1.0.0",  "Subtracts 1 from a number."},
    {"incrby",               3, W | F | M,  1,  1, 1, resp_run_incrby,                "string",       "1.0.0",  "Adds to a number."},
    {"decrby",               3, W | F | M,  1,  1, 1, resp_run_decrby,                "string",       "1.0.0",  "Subtracts from a number."},
    {"incrbyfloat",          3, W | F | M,  1,  1, 1, resp_run_incrbyfloat,           "string",       "2.6.0",  "Adds to a decimal fraction."},
    {"lcs",                 -3, R,          1,  2, 1, resp_run_lcs,                   "string",       "7.0.0",  "Finds the longest common subsequence."},
    /* Bits. */
    {"getbit",               3, R | F,      1,  1, 1, resp_run_getbit,                "bitmap",       "2.2.0",  "Returns a bit of a value."},
    {"setbit",               4, W | M,      1,  1, 1, resp_run_setbit,                "bitmap",       "2.2.0",  "Sets or clears a bit of a value."},
    {"bitcount",            -2, R,          1,  1, 1, resp_run_bitcount,              "bitmap",       "2.6.0",  "Counts the bits that are set."},
    {"bitpos",              -3, R,          1,  1, 1, resp_run_bitpos,                "bitmap",       "2.8.7",  "Finds the first bit that is set or clear."},
    {"bitop",               -4, W | M,      2, -1, 1, resp_run_bitop,                 "bitmap",       "2.6.0",  "Combines the bits of several values."},
    {"bitfield",            -2, W | M,      1,  1, 1, resp_run_bitfield,              "bitmap",       "3.2.0",  "Reads and writes integers of any width in a value."},
    {"bitfield_ro",         -2, R | F,      1,  1, 1, resp_run_bitfield,              "bitmap",       "6.0.0",  "Reads integers of any width in a value."},
    /* Keys. */
    {"del",                 -2, W,          1, -1, 1, resp_run_del,                   "generic",      "1.0.0",  "Deletes keys."},
    {"unlink",              -2, W | F,      1, -1, 1, resp_run_del,                   "generic",      "4.0.0",  "Deletes keys."},
    {"exists",              -2, R | F,      1, -1, 1, resp_run_exists,                "generic",      "1.0.0",  "Counts the keys that exist."},
    {"type",                 2, R | F,      1,  1, 1, resp_run_type,                  "generic",      "1.0.0",  "Returns the type of a value."},
    {"rename",               3, W,          1,  2, 1, resp_run_rename,                "generic",      "1.0.0",  "Renames a key."},
    {"renamenx",             3, W | F,      1,  2, 1, resp_run_renamenx,              "generic",      "1.0.0",  "Renames a key if the new name is free."},
    {"copy",                -3, W | M,      1,  2, 1, resp_run_copy,                  "generic",      "6.2.0",  "Copies a value to another key."},
    {"move",                 3, W | F,      1,  1, 1, resp_run_move,                  "generic",      "1.0.0",  "Moves a key to another database."},
    {"touch",               -2, R | F,      1, -1, 1, resp_run_touch,                 "generic",      "3.2.1",  "Counts the keys that exist."},
    {"expire",              -3, W | F,      1,  1, 1, resp_run_expire,                "generic",      "1.0.0",  "Sets the time to live, in seconds."},
    {"pexpire",             -3, W | F,      1,  1, 1, resp_run_pexpire,               "generic",      "2.6.0",  "Sets the time to live, in milliseconds."},
    {"expireat",            -3, W | F,      1,  1, 1, resp_run_expireat,              "generic",      "1.2.0",  "Sets the time of expiry, in seconds since 1970."},
    {"pexpireat",           -3, W | F,      1,  1, 1, resp_run_pexpireat,             "generic",      "2.6.0",  "Sets the time of expiry, in milliseconds since 1970."},
    {"expiretime",           2, R | F,      1,  1, 1, resp_run_expiretime,            "generic",      "7.0.0",  "Returns the time of expiry, in seconds since 1970."},
    {"pexpiretime",          2, R | F,      1,  1, 1, resp_run_pexpiretime,           "generic",      "7.0.0",  "Returns the time of expiry, in milliseconds since 1970."},
    {"ttl",                  2, R | F,      1,  1, 1, resp_run_ttl,                   "generic",      "1.0.0",  "Returns the time to live, in seconds."},
    {"pttl",                 2, R | F,      1,  1, 1, resp_run_pttl,                  "generic",      "2.6.0",  "Returns the time to live, in milliseconds."},
    {"persist",              2, W | F,      1,  1, 1, resp_run_persist,               "generic",      "2.2.0",  "Removes the expiry."},
    {"scan",                -2, R,          0,  0, 0, resp_run_scan,                  "generic",      "2.8.0",  "Lists keys, some at a time, in order."},
    {"keys",                 2, R,          0,  0, 0, resp_run_keys,                  "generic",      "1.0.0",  "Lists the keys that match a pattern, in order."},
    {"randomkey",            1, R,          0,  0, 0, resp_run_randomkey,             "generic",      "1.0.0",  "Returns some key."},
    {"holt.range",          -3, R,          0,  0, 0, resp_run_holt_range,            "generic",      "0.1.0",  "Returns the keys and values from one key to another."},
    {"holt.delrange",        3, W,          0,  0, 0, resp_run_holt_delrange,         "generic",      "0.1.0",  "Deletes the keys from one key to another."},
    {"holt.sql",            -2, NM | L | AL, 0,  0, 0, resp_run_holt_sql,              "generic",      "0.1.0",  "Runs an SQL statement; further arguments are its parameters."},
    /* Transactions. */
    {"multi",                1, F | AO | L, 0,  0, 0, resp_run_multi,                 "transactions", "1.2.0",  "Begins a transaction."},
    {"exec",                 1, AO | L,     0,  0, 0, resp_run_exec,                  "transactions", "1.2.0",  "Executes the transaction, atomically and durably."},
    {"discard",              1, F | AO | L, 0,  0, 0, resp_run_discard,               "transactions", "2.0.0",  "Gives the transaction up."},
    {"watch",               -2, F | AO | L, 1, -1, 1, resp_run_watch,                 "transactions", "2.2.0",  "Makes EXEC fail if one of the keys is written before."},
    {"unwatch",              1, F | L,      0,  0, 0, resp_run_unwatch,               "transactions", "2.2.0",  "Forgets the watched keys."},
    /* Messages. */
    {"subscribe",           -2, PS | L,     0,  0, 0, resp_run_subscribe,             "pubsub",       "2.0.0",  "Listens to channels."},
    {"unsubscribe",         -1, PS | L,     0,  0, 0, resp_run_unsubscribe,           "pubsub",       "2.0.0",  "Stops listening to channels."},
    {"psubscribe",          -2, PS | L,     0,  0, 0, resp_run_psubscribe,            "pubsub",       "2.0.0",  "Listens to the channels that match patterns."},
    {"punsubscribe",        -1, PS | L,     0,  0, 0, resp_run_punsubscribe,          "pubsub",       "2.0.0",  "Stops listening to patterns."},
    {"publish",              3, F | C,      0,  0, 0, resp_run_publish,               "pubsub",       "2.0.0",  "Sends a message to a channel."},
    {"pubsub",              -2, CO | L,     0,  0, 0, NULL,                           "pubsub",       "2.8.0",  "Lists channels and counts subscribers."},
    {"pubsub|channels",     -2, L,          0,  0, 0, resp_run_pubsub_channels,       "pubsub",       "2.8.0",  "Lists the channels that have subscribers."},
    {"pubsub|numpat",        2, L,          0,  0, 0, resp_run_pubsub_numpat,         "pubsub",       "2.8.0",  "Counts the patterns that have subscribers."},
    {"pubsub|numsub",       -2, L,          0,  0, 0, resp_run_pubsub_numsub,         "pubsub",       "2.8.0",  "Counts the subscribers of channels."},
    {"pubsub|shardchannels", -2, L,          0,  0, 0, resp_run_pubsub_shardchannels,  "pubsub",       "7.0.0",  "Lists the sharded channels: there are none."},
    {"pubsub|shardnumsub",  -2, L,          0,  0, 0, resp_run_pubsub_shardnumsub,    "pubsub",       "7.0.0",  "Counts the subscribers of sharded channels: none."},
    {"pubsub|help",          2, L,          0,  0, 0, resp_run_help,                  "pubsub",       "5.0.0",  "Lists the subcommands."},
};
/* clang-format on */

const size_t resp_command_count = sizeof resp_commands / sizeof resp_commands[0];

/* A hash table of the names, filled once: open addressing, at most a quarter full. */
enum { SLOTS = 1024, NAME_BYTES_MAX = 24 };
_Static_assert(sizeof resp_commands / sizeof resp_commands[0] <= SLOTS / 4, "the table of names is too full");
static const resp_command *slots[SLOTS];

/* Hashes a name; letters in either case are the same. */
static size_t name_hash(const char *name, size_t size)
{
    uint32_t hash = (uint32_t)size;
    for (size_t i = 0; i < size; i++)
        hash = hash * 31 + ((unsigned char)name[i] | 32);
    return (hash ^ hash >> 9) % SLOTS;
}

static bool name_equals(const char *name, const char *lower, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (lower[i] == '\0' || tolower((unsigned char)name[i]) != lower[i]) return false;
    }
    return lower[size] == '\0';
}

access_role resp_command_role(const resp_command *c)
{
    if (c->flags & RESP_OPEN) return ACCESS_OPEN;
    if (c->flags & RESP_ADMIN) return ACCESS_ADMIN;
    if (c->flags & (RESP_WRITE | RESP_CHANGES)) return ACCESS_WRITE;
    return c->flags & (RESP_READ | RESP_LOGIN) ? ACCESS_READ : ACCESS_UNDECLARED;
}

void resp_commands_init(void)
{
    memset(slots, 0, sizeof slots);
    for (size_t i = 0; i < resp_command_count; i++) {
        size_t slot = name_hash(resp_commands[i].name, strlen(resp_commands[i].name));
        while (slots[slot])
            slot = (slot + 1) % SLOTS;
        slots[slot] = &resp_commands[i];
    }
}

const resp_command *resp_command_find(holt_slice name)
{
    if (name.size > NAME_BYTES_MAX) return NULL;
    for (size_t slot = name_hash(name.data, name.size); slots[slot]; slot = (slot + 1) % SLOTS) {
        if (name_equals(name.data, slots[slot]->name, name.size)) return slots[slot];
    }
    return NULL;
}

const resp_command *resp_command_resolve(const holt_slice *arguments, size_t count)
{
    const resp_command *c = resp_command_find(arguments[0]);
    if (c && strchr(c->name, '|')) return NULL; /* a subcommand is called by two words */
    if (!c || !(c->flags & RESP_CONTAINER) || count < 2) return c;
    char name[NAME_BYTES_MAX];
    size_t size = strlen(c->name) + 1;
    if (arguments[1].size > sizeof name - size) return c;
    memcpy(name, c->name, size - 1);
    name[size - 1] = '|';
    memcpy(name + size, arguments[1].data, arguments[1].size);
    const resp_command *sub = resp_command_find(holt_bytes(name, size + arguments[1].size));
    return sub ? sub : c;
}

bool resp_command_is_part(const resp_command *c, const resp_command *container)
{
    size_t size = strlen(container->name);
    return strncmp(c->name, container->name, size) == 0 && c->name[size] == '|';
}
