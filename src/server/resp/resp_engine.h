/* resp_engine.h -- executes commands of the Redis protocol.
 *
 * The engine belongs to the executor: everything here is called on its thread, one command at a time, except
 * where it says otherwise. A connection brings a session; the engine looks the command up in the command
 * table (resp_commands.h), checks it, queues it in a MULTI, or calls its function with a resp_call.
 *
 * Database 0 is the collection "default", database n the collection "db n", which is created by the first
 * write. A string is stored as it is: its key is the collection's key, its value the value, its time to live
 * the expiry of the value. Whatever other types there will be goes elsewhere (docs/SERVER.md).
 *
 * What one session does to another, such as publishing a message, goes through the outbox, which the loop
 * empties.
 */
#ifndef SERVER_RESP_ENGINE_H
#define SERVER_RESP_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include <holt.h>

#include "access/access.h"
#include "config/config.h"
#include "loop/bytes.h"
#include "loop/executor.h"
#include "resp/resp_reply.h"

typedef struct resp_engine resp_engine;
typedef struct resp_session resp_session;
typedef struct resp_command resp_command;
typedef struct resp_watch resp_watch;
typedef struct resp_subscription resp_subscription;
typedef struct resp_scans resp_scans;
typedef struct resp_monitor resp_monitor;
typedef struct resp_sql resp_sql;

/* A reply that is too long to be made at once: KEYS of a large database. It is continued when the client
 * has read what there is. */
typedef struct resp_stream resp_stream;

/* What a client of the protocol has set up. Made and freed by its connection, on the loop; in between the
 * executor's. What decides whether a command is executed is looked at in check() and in direct_permits(). */
struct resp_session {
    uint64_t id;
    char peer[64], local[64]; /* addresses, for CLIENT LIST; set by the connection */
    uint64_t created_ms;
    uint64_t active_ms; /* atomic; session_active */
    unsigned protocol; /* 2 or 3 */
    uint32_t database;
    char *name, *library_name, *library_version; /* NULL = not set */
    bool joined;                                 /* it is in the engine's list */
    bool closing;                                /* disconnect once the replies are sent */
    bool replies_off, skip_next;                 /* CLIENT REPLY */

    bool in_multi;
    bool multi_failed;    /* a command could not be queued: EXEC refuses */
    bool watch_failed;    /* a watched key was written */
    bytes queue;          /* the commands of a MULTI: count, then size and bytes of each argument */
    size_t queued;
    unsigned queued_flags; /* of all commands in the queue */
    resp_watch *watches;
    resp_subscription *subscriptions;
    size_t subscribed; /* channels and patterns */
    resp_stream *stream;

    const access_user *user; /* NULL = has not logged in */
    access_check *login;     /* a password that must be verified before the next command; owned */
    bool login_done, login_busy; /* it was verified; could not be, because too many others wait */
    unsigned login_protocol;     /* the login is that of HELLO, and asks for this version; 0 = AUTH */

    const resp_command *last_command;
    resp_session *next, *previous; /* the engine's list */
};

/* A message for another session. */
typedef struct resp_delivery {
    struct resp_delivery *next;
    resp_session *to;
    bool close; /* disconnect it */
    bytes message;
} resp_delivery;

/* Settings by the names of Redis that CONFIG SET changes. */
typedef struct resp_tuning {
    int64_t slow_us;      /* commands that take longer are in the slow log; -1 = none */
    int64_t slow_entries; /* how many of them it has at most */
    int64_t latency_ms;   /* commands that take so long are events of LATENCY; 0 = none */
    int64_t maxmemory;    /* while more bytes are in use, writes that need memory are refused; 0 = never */
    int64_t replicas_min; /* writes are refused unless there are so many replicas, of which there are none */
} resp_tuning;

struct resp_engine {
    config *config; /* of which CONFIG SET changes settings that are live */
    holt *db;
    access_control *access;
    holt_collection **databases; /* of config databases; NULL = not opened yet */
    uint32_t *numbers;           /* database n is the collection with number numbers[n]; see SWAPDB */
    bool swapped;                /* atomic: not every database has its own number */
    bool numbers_changed;        /* by a transaction that has not been committed yet */
    resp_tuning tuning;
    resp_monitor *monitor;
    resp_sql *sql; /* NULL until the first HOLT.SQL */
    uint64_t generation;         /* of the collections, when databases were opened */
    holt_slice *arguments;       /* of the command being executed */
    size_t arguments_capacity;
    holt_value value, other_value; /* read by commands; reused */
    resp_session *sessions;
    size_t session_count;
    uint64_t next_id;
    resp_watch **watch_table; /* by hash; NULL while nothing was ever watched */
    size_t watch_count;
    resp_subscription *subscriptions; /* of all sessions */
    resp_scans *scans;
    uint64_t started_ms, saved_s;
    uint64_t commands, connections, hits, misses, errors, expired; /* for INFO */
    struct {
        uint64_t hits, misses; /* atomic */
    } direct;                  /* GETs that were answered on the loop, since the last CONFIG RESETSTAT */
    uint64_t changes;                                              /* keys written since the last SAVE */
    uint64_t random;

    uv_mutex_t outbox_mutex;
    resp_delivery *outbox, **outbox_end; /* outbox_mutex */
};

/* One call of a command. */
typedef struct resp_call {
    resp_engine *engine;
    resp_session *session;
    batch *batch;
    const resp_command *command;
    const holt_slice *arguments; /* [0] is the command's name */
    size_t count;
    resp_reply reply;
    size_t reply_start; /* where in reply.out the reply begins */
    bool in_exec;
    bool storage_failed; /* the database refused something: an EXEC is undone */
} resp_call;

/* Returns false if there is no memory. config, db, a: borrowed. */
bool resp_engine_init(resp_engine *e, config *c, holt *db, access_control *a);
void resp_engine_deinit(resp_engine *e);

/* Executes a command for the session and appends its reply to out. Returns whether the reply depends on
 * the batch's transaction. */
bool resp_engine_execute(resp_engine *e, resp_session *s, batch *b, const holt_slice *arguments, size_t count,
                         bytes *out);

/* The longest name of the collection of a numbered database, with its zero byte. */
enum { COLLECTION_NAME_BYTES = 32 };

/* Writes the name of the collection with that number: that of database n as long as nothing was exchanged.
 * Any thread. */
void resp_collection_name(uint32_t number, char name[COLLECTION_NAME_BYTES]);

/* Writes the name of the collection that is the database. */
void resp_engine_name(const resp_engine *e, uint32_t database, char name[COLLECTION_NAME_BYTES]);

/* Counts a GET that was answered on the loop. On the loop. */
void resp_engine_count_get(resp_engine *e, bool found);

/* When the session was active last, in milliseconds since 1970, and that it is now. Any thread. */
static inline uint64_t session_active(const resp_session *s)
{
    return __atomic_load_n(&s->active_ms, __ATOMIC_RELAXED); /* it only informs */
}

static inline void session_note_active(resp_session *s, uint64_t now_ms)
{
    __atomic_store_n(&s->active_ms, now_ms, __ATOMIC_RELAXED);
}

/* Ends the session's login, which was verified, with the reply to the command that began it. */
void resp_engine_end_login(resp_engine *e, resp_session *s, batch *b, bytes *out);

/* Continues the session's stream. */
void resp_engine_continue(resp_engine *e, resp_session *s, batch *b, bytes *out);

/* Closes the handles of the databases, because they may be of no use any more; they are opened again. */
void resp_engine_forget_databases(resp_engine *e);

/* Fails the transactions that watch the key, which was written through another protocol. An
 * executor_written_fn. */
void resp_engine_written(void *engine, holt_slice collection, holt_slice key);

/* Forgets the session; its connection is gone. */
void resp_engine_leave(resp_engine *e, resp_session *s);

/* Initialises a session. Any thread. */
void resp_session_init(resp_session *s);

/* Releases what a session that has left holds. Any thread. */
void resp_session_deinit(resp_session *s);

/* Adds a message to the outbox; takes the bytes over. */
void resp_engine_deliver(resp_engine *e, resp_session *to, bytes *message, bool close);

/* Takes the outbox. On the loop; the caller releases it with resp_delivery_free. */
resp_delivery *resp_engine_take_outbox(resp_engine *e);
void resp_delivery_free(resp_delivery *d);

#endif
