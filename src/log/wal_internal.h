/* wal_internal.h -- the fields of the log writer. Only wal*.c include this. */
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
    os *os;     /* constant, as are dir and options */
    os_dir *dir;
    wal_options options;

    /* Only the commit leader uses these. */
    uint64_t salt;             /* of the active segment */
    uint64_t offset;           /* where the next frame goes */
    uint64_t capacity;         /* size of the active segment, as far as the leader knows */
    uint64_t chain;            /* checksum of the last frame, or of the header */
    os_file *active;           /* borrowed from live[] */
    bool mode_chosen;          /* the segment has had its first append */
    bool mapped;               /* that append went through the window, and so do the others */
    bool map_refused;          /* this file system has no windows */
    os_map window;             /* over a part of the active segment; bytes NULL: none */
    uint8_t *stage;            /* staged frames */
    size_t stage_capacity;
    size_t stage_size;         /* of the complete frames */
    slice stage_payload;       /* of the frame that was begun; data NULL: its payload is staged with it */
    slice around;              /* payload of the only staged frame, whose other parts are in the stage; data
                                  NULL: whole frames are staged */
    uint64_t stage_chain;      /* checksum of the last staged frame */
    seqno stage_seqno;         /* newest operation in the staged frames, or before them */
    log_position synced_stage; /* the synced position that the staged frames carry */
    _Atomic bool calm;         /* wal_is_calm(). Only the leader writes it. Relaxed: a hint */
    _Atomic bool outgrown;     /* wal_extend() is due. Relaxed: a hint */

    os_mutex mu;               /* LOCK_RANK_WAL; guards what follows */
    os_cond changed;           /* a sync or an extension ended, or the next segment's name is durable or given
                                  up */
    wal_segment *live;         /* sealed ones and, last, the active one */
    size_t live_count, live_capacity;
    log_position written;
    seqno written_seqno;       /* newest operation before `written` */
    log_position synced;

    bool syncing;              /* a round of syncs is running */
    seqno round_newest;        /* newest operation that it covers; 0: none for certain */
    uint64_t owed_in_round;    /* when the oldest HOLT_INTERVAL commit that it covers was acknowledged; 0:
                                  none */
    uint64_t owed_since;       /* the same for the commits that no round covers yet */
    uint64_t sync_ns;          /* how long a round takes, weighted towards the slower ones of late */

    _Atomic bool failed;       /* set under mu; the leader reads it without */
    holt_error failure;

    _Atomic uint64_t low_space; /* while the disk is full, the size of segments; else 0. Relaxed: a thread
                                   that sees it late makes a segment of another size */
    bool extending;            /* a thread is extending the active segment, or one that was active when it
                                  began: that file stays open and is not truncated */
    bool preparing;            /* a thread is making `next` */
    bool has_next;             /* `next` is prepared, or its place is claimed */
    bool next_claimed;         /* the leader is making it on the spot */
    bool next_entry_synced;    /* its name is durable; if not, `preparing` will make it so or give the name
                                  up */
    wal_segment next;          /* a file under the name of the segment after the active one; not open until a
                                  rotation takes it */
    uint64_t recyclable[WAL_RECYCLE_MAX];
    size_t recyclable_count;
    wal_stats stats;
};

/* Stores bytes into the active segment through the window, which moves along. Returns how many were stored:
 * fewer than `size` where no window is available. */
size_t wal_window_store(wal *w, uint64_t offset, const uint8_t *bytes, size_t size);
void   wal_window_close(wal *w);

static inline bool wal_is_low_space(const wal *w)
{
    return atomic_load_explicit(&w->low_space, memory_order_relaxed) != 0;
}

/* Fails the log for good with this thread's last error, and returns HOLT_IO. mu must not be held. */
holt_status wal_fail(wal *w);
/* Returns HOLT_OK, or the failure that ended the log, and sets it as this thread's error. mu must be held. */
holt_status wal_failure(wal *w);

/* Deletes the prepared and the recyclable files. */
void wal_discard_spares(wal *w);
/* Returns the size of a segment that follows one of `size` bytes. */
uint64_t wal_segment_bytes_after(const wal *w, uint64_t size);

#endif
