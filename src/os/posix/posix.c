/* posix.c -- the table of functions of the real machine. */
#include "os/posix/posix.h"

os *os_posix(void)
{
    static const os_ops ops = {
        .dir_open = posix_dir_open,
        .dir_create = posix_dir_create,
        .dir_remove = posix_dir_remove,
        .dir_close = posix_dir_close,
        .dir_sync = posix_dir_sync,
        .dir_list = posix_dir_list,
        .dir_stat = posix_dir_stat,
        .dir_unlink = posix_dir_unlink,
        .dir_rename = posix_dir_rename,
        .dir_identity = posix_dir_identity,
        .dir_free_bytes = posix_dir_free_bytes,
        .dir_fate = posix_dir_fate,
        .dir_holds = posix_dir_holds,
        .file_open = posix_file_open,
        .file_close = posix_file_close,
        .file_read = posix_file_read,
        .file_write = posix_file_write,
        .file_sync = posix_file_sync,
        .file_push = posix_file_push,
        .file_size = posix_file_size,
        .file_truncate = posix_file_truncate,
        .file_allocate = posix_file_allocate,
        .file_advise = posix_file_advise,
        .file_map = posix_file_map,
        .map_store = posix_map_store,
        .file_unmap = posix_file_unmap,
        .file_lock = posix_file_lock,
        .file_unlock = posix_file_unlock,
        .file_is_linked = posix_file_is_linked,
        .descriptors_max = posix_descriptors_max,
        .cond_wait = posix_cond_wait,
        .job_start = posix_job_start,
        .job_wake = posix_job_wake,
        .job_stop = posix_job_stop,
        .run_pending = NULL,
        .clock_ns = posix_clock_ns,
        .time_ms = posix_time_ms,
        .clock_coarse_ns = posix_clock_coarse_ns,
        .sleep = posix_sleep,
        .random = posix_random,
        .process_id = posix_process_id,
    };
    static os machine = {&ops};
    return &machine;
}
