/* load.c -- bulk loads: beginning, putting and ending; load_internal.h has the algorithm. */
#include "db/background/load_internal.h"

#include "base/memory.h"
#include "base/status.h"
#include "db/clock.h"
#include "db/manifest/manifest_writer.h"

#include <assert.h>
#include <inttypes.h>

/* ---------------------------------------------------------------- beginning */

static uint64_t next_file(void *ctx)
{
    return next_file_number(ctx);
}

static holt_status create(holt_collection *c, holt_load **out)
{
    const collection_spec *spec = &c->spec;
    lsm_writer_options options = {
        .files = c->db->files, .file_bytes_max = FILE_BYTES_MAX, .next_file = next_file, .ctx = c->db};
    /* For a B+tree the run is read only once, from front to back. */
    if (tree_kind_of(spec->kind)->paged)
        options.build = (tree_build_options){.block_bytes = BLOCK_BYTES_MAX};
    else
        options.build =
            (tree_build_options){.block_bytes = spec->block_bytes, .filter_bits = spec->filter_bits};
    holt_load *load = mem_alloc_zero(1, sizeof *load);
    if (!load) return status_no_memory(sizeof *load);
    holt_status rc = lsm_run_writer_create(&load->writer, &options);
    if (rc != HOLT_OK) {
        mem_free(load);
        return rc;
    }
    load->db = c->db;
    load->collection = c;
    collection_use(c);
    handle_begin(c->db, &load->handle, HANDLE_LOAD);
    *out = load;
    return HOLT_OK;
}

static holt_status check_options(const holt_load_options *o)
{
    if (!reserved_zero(o->reserved, 8) || o->reserved32)
        return status_set(HOLT_INVALID, "holt_load_options: reserved words must be zero");
    if (o->flags) return status_set(HOLT_INVALID, "holt_load_options.flags = %u: unknown flags", o->flags);
    return HOLT_OK;
}

holt_status holt_load_begin(holt_collection *c, const holt_load_options *o, holt_load **out)
{
    status_begin_call();
    if (!out) return status_set(HOLT_INVALID, "load (out) is NULL");
    *out = NULL;
    holt_status rc = collection_check(c);
    if (rc == HOLT_OK && o) rc = check_options(o);
    if (rc == HOLT_OK) rc = writable_check(c->db);
    if (rc != HOLT_OK) return rc;
    rc = load_check_empty(c);
    if (rc == HOLT_OK) rc = create(c, out);
    return api_exit(c->db, rc);
}

/* ---------------------------------------------------------------- ending */

/* Releases everything that the load has from the database. */
void load_detach(handle *h)
{
    holt_load *load = (holt_load *)h;
    lsm_run_writer_destroy(load->writer);
    if (load->named)
        lsm_run_unref(load->run);
    else
        lsm_run_discard(load->run);
    collection_unuse(load->collection);
}

/* After this a forced close may free the database; the handle stays. */
static holt_status end(holt_load *load, holt_status rc)
{
    assert(!load->ended);
    load->ended = true;
    load_detach(&load->handle);
    api_exit(load->db, rc);
    handle_end(load->db, &load->handle);
    return rc;
}

void holt_load_abort(holt_load *load)
{
    if (!load) return;
    status_begin_release();
    if (!handle_enter(&load->handle)) { /* it has nothing from the database, which may be closed by now */
        if (handle_await_closed(&load->handle)) mem_free(load);
        return;
    }
    if (db_check(load->db) != HOLT_OK) return; /* in a forked child: leaves the parent's memory alone */
    end(load, HOLT_OK);
    mem_free(load);
}

/* Begins a call; after HOLT_OK it must end with handle_leave(). */
static holt_status enter(holt_load *load)
{
    if (!load) return status_set(HOLT_INVALID, "the load handle is NULL");
    if (!handle_enter(&load->handle))
        return load->ended ? status_set(HOLT_CLOSED, "the load has ended") : handle_refuse();
    holt_status rc = collection_check(load->collection);
    if (rc != HOLT_OK) handle_leave(&load->handle);
    return rc;
}

holt_status holt_load_commit(holt_load *load)
{
    holt_error error;
    status_begin_call();
    holt_status rc = enter(load);
    if (rc != HOLT_OK) return rc;
    rc = load_commit(load);
    status_keep(rc, &error); /* ending the load may fail, too */
    if (rc == HOLT_OK || rc == HOLT_IO)
        end(load, rc);
    else
        api_exit(load->db, rc);
    handle_leave(&load->handle);
    return rc == HOLT_OK ? rc : status_restore(&error);
}

/* ---------------------------------------------------------------- putting */

holt_status load_check_failure(const holt_load *load)
{
    return load->failure.status ? status_restore(&load->failure) : HOLT_OK;
}

holt_status load_keep_failure(holt_load *load, holt_status rc)
{
    if (rc != HOLT_OK) status_keep(rc, &load->failure);
    return rc;
}

static holt_status check_order(const holt_load *load, slice key)
{
    if (load->sealed)
        return status_set(HOLT_INVALID, "a commit of the load was tried: nothing more can be put");
    if (load->entries == 0) return HOLT_OK;
    int order = slice_compare(key, slice_of(load->last_key, load->last_size));
    if (order > 0) return HOLT_OK;
    return status_set(HOLT_INVALID,
                      "the key of entry %" PRIu64 " of the load %s; keys must ascend strictly, bytewise",
                      load->entries + 1,
                      order == 0 ? "is the same as the one before it" : "is less than the one before it");
}

/* expires_at_ms 0: never. */
static holt_status put(holt_load *load, slice key, slice value, uint64_t expires_at_ms)
{
    holt_status rc = load_check_failure(load);
    if (rc == HOLT_OK) rc = key_check(key);
    if (rc == HOLT_OK) rc = value_check(load->db, value);
    if (rc == HOLT_OK) rc = check_order(load, key);
    if (rc != HOLT_OK) return rc;
    cost_add_bytes_in(key.size + value.size);
    assert(key.size < sizeof load->last_key && !load->run);
    if (expires_at_ms) db_expiry_begins(load->db);
    const entry_op op = expires_at_ms ? ENTRY_PUT_UNTIL : ENTRY_PUT;
    rc = load_keep_failure(load, lsm_run_writer_add(load->writer, key, op, value, expires_at_ms));
    if (rc == HOLT_OK) {
        bytes_copy(load->last_key, key.data, key.size);
        load->last_size = key.size;
        load->entries++;
    }
    return api_exit(load->db, rc);
}

holt_status holt_load_put(holt_load *load, holt_slice key, holt_slice value)
{
    status_begin_call();
    holt_status rc = enter(load);
    if (rc != HOLT_OK) return rc;
    rc = put(load, key, value, 0);
    handle_leave(&load->handle);
    return rc;
}

holt_status holt_load_put_with(holt_load *load, holt_slice key, holt_slice value, const holt_put_options *o)
{
    status_begin_call();
    static const holt_put_options defaults;
    holt_status rc = enter(load);
    if (rc != HOLT_OK) return rc;
    if (!o) o = &defaults;
    if (!reserved_zero(o->reserved, 7) || o->reserved32)
        rc = status_set(HOLT_INVALID, "holt_put_options: reserved words must be zero");
    else if (o->flags || o->version)
        rc = status_set(HOLT_INVALID, "holt_put_options: a load takes no flags and no version");
    else
        rc = put(load, key, value, o->expires_at_ms);
    handle_leave(&load->handle);
    return rc;
}
