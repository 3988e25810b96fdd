/* resp_commands.h -- the table of commands.
 *
 * One line for a command: what it is called, how many arguments it takes (with its name; -N = at least N),
 * its flags, where its keys are, its function, and its documentation. COMMAND, COMMAND DOCS and the checks
 * before a call come from the table.
 *
 * A subcommand has a line of its own, behind that of its container: its name is "container|subcommand", and
 * its arity and the positions of its keys count from the container's name.
 */
#ifndef SERVER_RESP_COMMANDS_H
#define SERVER_RESP_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

#include <holt.h>

#include "access/access_store.h"
#include "resp/resp_engine.h"

enum resp_command_flag {
    RESP_WRITE = 1,
    RESP_READ = 2,
    RESP_DENY_MULTI = 4,    /* not in a MULTI */
    RESP_IN_PUBSUB = 8,     /* also while a RESP2 client is subscribed */
    RESP_AT_ONCE = 16,      /* in a MULTI it is executed, not queued */
    RESP_ADMIN = 32,
    RESP_FAST = 64,
    RESP_MOVABLE_KEYS = 128, /* the positions of keys depend on the arguments */
    RESP_CONTAINER = 256,    /* its first argument is a subcommand */
    RESP_USES_MEMORY = 512,  /* refused while more than maxmemory is in use */
    RESP_SWAPS = 1024,       /* changes which collections the numbered databases are */
    /* Who may call it (resp_command_role): a command has RESP_READ, RESP_WRITE, RESP_ADMIN or one of these. */
    RESP_LOGIN = 2048,   /* every user */
    RESP_OPEN = 4096,    /* also who has not logged in */
    RESP_CHANGES = 8192, /* a user with the role write, although it writes no keys of the database */
    RESP_ALL = 16384     /* only users who may use all collections */
};

struct resp_command {
    const char *name; /* lower case */
    int arity;
    unsigned flags;
    int first_key, last_key, key_step; /* positions; 0 = no keys; last_key -1 = the last argument */
    void (*function)(resp_call *call); /* NULL: a container that does nothing by itself */
    const char *group, *since, *summary;
};

extern const resp_command resp_commands[];
extern const size_t resp_command_count;

/* Returns the command with that name in any case, or NULL. */
const resp_command *resp_command_find(holt_slice name);

/* Returns the command that the words call: the subcommand of a container if there is one of that name,
 * otherwise what resp_command_find returns for the first word. count > 0. */
const resp_command *resp_command_resolve(const holt_slice *arguments, size_t count);

/* Returns whether c is a subcommand of the container. */
bool resp_command_is_part(const resp_command *c, const resp_command *container);

/* Returns the role that a user needs for the command, ACCESS_UNDECLARED if its flags do not say. */
access_role resp_command_role(const resp_command *c);

/* Prepares resp_command_find. Called once before it. */
void resp_commands_init(void);

/* The functions, by file. */
#define RESP_DECLARE(name) void resp_run_##name(resp_call *call);
/* cmd_connection.c */
RESP_DECLARE(ping) RESP_DECLARE(echo) RESP_DECLARE(hello) RESP_DECLARE(auth) RESP_DECLARE(quit)
RESP_DECLARE(reset) RESP_DECLARE(select)
/* cmd_client.c */
RESP_DECLARE(client_caching) RESP_DECLARE(client_getname) RESP_DECLARE(client_getredir)
RESP_DECLARE(client_id) RESP_DECLARE(client_info) RESP_DECLARE(client_kill) RESP_DECLARE(client_list)
RESP_DECLARE(client_no_evict) RESP_DECLARE(client_reply) RESP_DECLARE(client_setinfo)
RESP_DECLARE(client_setname) RESP_DECLARE(client_trackinginfo) RESP_DECLARE(client_unblock)
/* cmd_command.c */
RESP_DECLARE(command) RESP_DECLARE(command_count) RESP_DECLARE(command_docs) RESP_DECLARE(command_getkeys)
RESP_DECLARE(command_info) RESP_DECLARE(command_list) RESP_DECLARE(help)
/* cmd_config.c */
RESP_DECLARE(config_get) RESP_DECLARE(config_resetstat) RESP_DECLARE(config_rewrite) RESP_DECLARE(config_set)
/* cmd_monitor.c */
RESP_DECLARE(latency_doctor) RESP_DECLARE(latency_graph) RESP_DECLARE(latency_histogram)
RESP_DECLARE(latency_history) RESP_DECLARE(latency_latest) RESP_DECLARE(latency_reset)
RESP_DECLARE(slowlog_get) RESP_DECLARE(slowlog_len) RESP_DECLARE(slowlog_reset)
/* cmd_server.c */
RESP_DECLARE(info) RESP_DECLARE(time) RESP_DECLARE(dbsize) RESP_DECLARE(flushdb) RESP_DECLARE(flushall)
RESP_DECLARE(swapdb) RESP_DECLARE(save) RESP_DECLARE(bgsave) RESP_DECLARE(bgrewriteaof)
RESP_DECLARE(lastsave) RESP_DECLARE(wait) RESP_DECLARE(role) RESP_DECLARE(shutdown)
/* cmd_object.c */
RESP_DECLARE(debug) RESP_DECLARE(object_encoding) RESP_DECLARE(object_freq) RESP_DECLARE(object_idletime)
RESP_DECLARE(object_refcount) RESP_DECLARE(memory_doctor) RESP_DECLARE(memory_malloc_stats)
RESP_DECLARE(memory_purge) RESP_DECLARE(memory_stats) RESP_DECLARE(memory_usage)
RESP_DECLARE(function_flush) RESP_DECLARE(function_kill) RESP_DECLARE(function_list)
RESP_DECLARE(script_exists) RESP_DECLARE(script_flush)
/* cmd_sql.c */
RESP_DECLARE(holt_sql)
/* cmd_bitfield.c */
RESP_DECLARE(bitfield)
/* cmd_string.c */
RESP_DECLARE(set) RESP_DECLARE(get) RESP_DECLARE(getex) RESP_DECLARE(getdel) RESP_DECLARE(getset)
RESP_DECLARE(setex) RESP_DECLARE(psetex) RESP_DECLARE(setnx) RESP_DECLARE(mget) RESP_DECLARE(mset)
RESP_DECLARE(msetnx) RESP_DECLARE(append) RESP_DECLARE(strlen) RESP_DECLARE(getrange) RESP_DECLARE(setrange)
RESP_DECLARE(incr) RESP_DECLARE(decr) RESP_DECLARE(incrby) RESP_DECLARE(decrby) RESP_DECLARE(incrbyfloat)
/* cmd_lcs.c */
RESP_DECLARE(lcs)
/* cmd_bits.c */
RESP_DECLARE(getbit) RESP_DECLARE(setbit) RESP_DECLARE(bitcount) RESP_DECLARE(bitpos) RESP_DECLARE(bitop)
/* cmd_keys.c */
RESP_DECLARE(del) RESP_DECLARE(exists) RESP_DECLARE(type) RESP_DECLARE(rename) RESP_DECLARE(renamenx)
RESP_DECLARE(copy) RESP_DECLARE(move) RESP_DECLARE(touch)
/* cmd_expire.c */
RESP_DECLARE(expire) RESP_DECLARE(pexpire) RESP_DECLARE(expireat) RESP_DECLARE(pexpireat)
RESP_DECLARE(expiretime) RESP_DECLARE(pexpiretime) RESP_DECLARE(ttl) RESP_DECLARE(pttl) RESP_DECLARE(persist)
/* cmd_scan.c */
RESP_DECLARE(scan) RESP_DECLARE(keys) RESP_DECLARE(randomkey) RESP_DECLARE(holt_range)
RESP_DECLARE(holt_delrange)
/* cmd_multi.c */
RESP_DECLARE(multi) RESP_DECLARE(exec) RESP_DECLARE(discard) RESP_DECLARE(watch) RESP_DECLARE(unwatch)
/* cmd_pubsub.c */
RESP_DECLARE(subscribe) RESP_DECLARE(unsubscribe) RESP_DECLARE(psubscribe) RESP_DECLARE(punsubscribe)
RESP_DECLARE(publish) RESP_DECLARE(pubsub_channels) RESP_DECLARE(pubsub_numpat) RESP_DECLARE(pubsub_numsub)
RESP_DECLARE(pubsub_shardchannels) RESP_DECLARE(pubsub_shardnumsub)
#undef RESP_DECLARE

/* cmd_multi.c: runs a queued command. resp_engine.c: calls a function in EXEC, with the reply appended. */
void resp_call_function(resp_call *call);

#endif
