/* executor.h -- the thread that works on the database, so that the event loop never waits for it.
 *
 * Protocols put their requests into jobs. Jobs that are submitted in one turn of the loop, from all
 * connections, become one batch: the executor runs them one after the other, with one transaction for
 * everything that they write, and commits that with one write and one sync of the log. Then the batch comes
 * back to the loop, which sends the replies, while the executor goes on with what was submitted meanwhile; so
 * the slower the disk, the larger the batches.
 *
 *       loop      submit submit submit | turn ends          done done done
 *                                      v                    ^
 *       executor                       run run run  commit -'
 *
 * After a batch that has waited long for the disk, the next one begins a moment later, so that the clients
 * that have just got their replies take part in it.
 *
 * A job sees what the jobs before it wrote, through batch_reader(). Its replies must not be sent before the
 * commit, and if the commit fails, none of what the jobs wrote exists: each job that took part
 * (batch_take_part) is told (settled) to replace its replies. After a failure the executor is careful for a
 * while: it commits after each command, so that on a full disk, which refuses puts and accepts deletes, one
 * command does not spoil the others.
 *
 * Since no other thread writes, the transactions do not conflict.
 *
 * Concurrency  executor_* on the loop thread; batch_* on the executor, in run().
 */
#ifndef SERVER_EXECUTOR_H
#define SERVER_EXECUTOR_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include <holt.h>

typedef struct executor executor;
typedef struct batch batch;
typedef struct job job;

struct job {
    /* On the executor: does the work. */
    void (*run)(job *j, batch *b);
    /* On the executor, perhaps within run(): the transaction that the job took part in was committed
     * (HOLT_OK), or nothing of it was, for the reason in the message. */
    void (*settled)(job *j, holt_status status, const char *message);
    /* On the loop, with the batch committed or refused. May submit the job again, or free it. */
    void (*done)(job *j);

    /* The executor's. */
    job *next, *next_part;
    bool takes_part;
};

/* Starts the thread. db: borrowed; batch_bytes_max: what a transaction may write before it is committed
 * within a batch. Returns 0 or a libuv error. */
int executor_create(executor **out, uv_loop_t *loop, holt *db, uint64_t batch_bytes_max);

/* Told on the executor that a job has written a key of the collection, or, for a key of NULL, may have
 * changed all of them; for a collection of NULL, it may have written anything. */
typedef void (*executor_written_fn)(void *ctx, holt_slice collection, holt_slice key);

/* Has `written` called for the keys that jobs note with batch_written. Before the first job is submitted. */
void executor_on_written(executor *e, executor_written_fn written, void *ctx);

/* Adds a job to the next batch. The job must stay where it is until done(). */
void executor_submit(executor *e, job *j);

/* Returns whether jobs are waiting or running. */
bool executor_busy(const executor *e);

/* Ends the thread, which finishes its batch first, and begins to close the handles on the loop, which must
 * run until they are closed before executor_free. */
void executor_stop(executor *e);

/* Accepts NULL. */
void executor_free(executor *e);

/* Returns the database. */
holt *batch_db(const batch *b);

/* Returns the transaction to read with: NULL as long as nothing has been written since the last commit. */
holt_txn *batch_reader(const batch *b);

/* Sets *t to the transaction to write to. */
holt_status batch_writer(batch *b, holt_txn **t);

/* Notes that a collection was dropped: handles that were kept must be opened again. */
void batch_collections_changed(batch *b);

/* Returns how often that was noted. */
uint64_t batch_collections_generation(const batch *b);

/* Notes that the job has written a key of the collection, or, for a key of NULL, perhaps changed all that
 * there were; for a collection of NULL, perhaps anything. */
void batch_written(const batch *b, holt_slice collection, holt_slice key);

/* Notes that what the job has replied depends on the transaction's commit. */
void batch_take_part(batch *b, job *j);

/* Ends one command of a job: commits if the transaction has become large, or if every command is to be
 * committed by itself. */
void batch_end_command(batch *b);

/* Commits what was written so far. Returns HOLT_OK also if that is nothing. */
holt_status batch_commit(batch *b);

#endif
