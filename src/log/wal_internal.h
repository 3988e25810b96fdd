/* wal_internal.h -- the writer's fields, for the files of this module. */
#ifndef HOLT_LOG_WAL_INTERNAL_H
#define HOLT_LOG_WAL_INTERNAL_H

#include "log/segment.h"
#include "log/wal.h"

#include <stdatomic.h>

typedef struct wal_segment {
    uint64_t number;
    uint64_t size; /* of the file, bytes */
    os_file *file; /* NULL for a recyclable one */
    bool unsynced; /* bytes written since the last sync that covered it began */
} wal_segment;

enum { WAL_RECYCLE_MAX = 2 };

struct wal {
    os *os;                    /* constant, as are dir and options */
    os_dir *dir;
    wal_options options;

    /* The commit leader's: */
    uint64_t salt;            /* of the active segment */
    uint64_t offset;           /* where the next frame goes */
    uint64_t capacity;         /* size of the active segment, as the leader knows it */
    uint64_t chain;            /* checksum of the last frame or header */
    bool mode_chosen;          /* the segment has had its first append ... */
    bool mapped;               /* ... which was through the window, and so are the others */
    bool map_refused;          /* this file system has no windows */
    os_map window;             /* over a part of the active segment; bytes NULL: none */
    log_position synced_stage;  /* what the frames being staged say is known */
    _Atomic bool calm;         /* wal_is_calm(). Written by the leader. Relaxed: a hint, */
    _Atomic bool outgrown;     /* and so is this: wal_extend() is due */
    uint8_t *stage;            /* staged frames */
    size_t stage_capacity;
    size_t stage_size;         /* complete frames */
    size_t stage_payload;      /* payload of the frame begun */
    uint64_t stage_chain;
    seqno stage_seqno;         /* newest operation in them, or before them */
    os_file *active;           /* borrowed from live[] */

    os_mutex mu;               /* LOCK_RANK_WAL; guards what follows */
    os_cond changed;           /* a sync or an extension has ended, or the next segment's name is durable or given up */
    wal_segment *live;         /* sealed ones and, last, the active one */
    size_t live_count, live_capacity;
    log_position written;
    seqno written_seqno;       /* newest operation before it */
    log_position synced;
    bool syncing;              /* a round of syncs is running */
    seqno round_newest;        /* newest operation that it covers; 0: none for certain */
    uint64_t owed_in_round;    /* when the oldest HOLT_INTERVAL commit that it covers was acknowledged; 0: there is none */
    uint64_t owed_since;       /* the same of those that no round covers yet */
    uint64_t sync_ns;          /* what a round takes, by the slower ones of late */
    _Atomic bool failed;       /* set under mu; read by the leader without */
    holt_error failure;

    _Atomic uint64_t low_space;   /* the disk is full: size of segments; else 0. Relaxed: who sees it late makes one of another size */
    bool extending;            /* a thread is making the active segment larger, or one that was active when it began:
                                  its file stays open, and is not cut */
    bool preparing;            /* a thread is making `next` */
    bool has_next;
    bool next_claimed;         /* the leader is making it on the spot */
    bool next_entry_synced;    /* its name is durable; else `preparing` is about to make it so, or gives it up */
    wal_segment next;          /* has_next: a file under the name of the segment after the active one; not open
                                  until a rotation takes it */
    uint64_t recyclable[WAL_RECYCLE_MAX];
    size_t recyclable_count;
    wal_stats stats;
};

/* Stores bytes into the active segment through the window, which moves along; how many, is the result: fewer
 * than size where no window can be had. */
size_t wal_window_store(wal *w, uint64_t offset, const uint8_t *bytes, size_t size);
void   wal_window_close(wal *w);

static inline bool wal_is_low_space(const wal *w)
{
    return atomic_load_explicit(&w->low_space, memory_order_relaxed) != 0;
}

/* Ends the log for ever with this thread's last error, and returns HOLT_IO. */
holt_status wal_fail(wal *w);
holt_status wal_failure(wal *w) /* mu held */;

/* Deletes the prepared and the recyclable files. */
void wal_discard_spares(wal *w);
/* The size of the segment after one of `size` bytes. */
uint64_t wal_segment_bytes_after(const wal *w, uint64_t size);

#endif
