#include "db/record.h"

#include "base/memory.h"
#include "base/status.h"

#include "db/install.h"

#include <stdlib.h>

/* A manifest is written anew when it has grown by this much over its first record's size, and doubled. */
enum { MANIFEST_GROWTH_MIN = 256 << 10 };

/* ---------------------------------------------------------------- the whole state */

static const tree_change *changed_tree(const record_change *change, uint32_t id)
{
    for (size_t i = 0; i < change->tree_count; i++)
        if (change->trees[i].collection == id) return &change->trees[i];
    return NULL;
}

static void put_tree(buffer *out, uint32_t id, const lsm_tree *tree)
{
    for (size_t i = 0; tree && i < lsm_tree_runs(tree); i++)
        edit_run(out, id, lsm_tree_run(tree, i));
}

static void put_collection(const view *v, const holt_collection *c, const record_change *change, buffer *out)
{
    bool this_one = change->collection == c->spec.id;
    if (this_one && change->dropped) return;
    const collection_state *s = view_collection(v, c->slot, c->spec.id);
    const tree_change *t = changed_tree(change, c->spec.id);
    const char *name = this_one && change->new_name ? change->new_name : c->name;
    edit_collection(out, &c->spec, name, t ? t->cleared_seqno : s ? s->cleared_seqno : 0);
    const tree_root *root = t ? t->root : s && s->btree ? btree_version_root(s->btree) : NULL;
    if (root && root->root.length) edit_root(out, c->spec.id, root);
    put_tree(out, c->spec.id, t ? t->tree : s ? s->lsm : NULL);
}

static int by_id(const void *a, const void *b)
{
    const holt_collection *x = *(holt_collection *const *)a, *y = *(holt_collection *const *)b;
    return (x->spec.id > y->spec.id) - (x->spec.id < y->spec.id);
}

/* The pages that all B+trees share, and the trees that still take some of them without being anybody's. */
static void put_space(holt *db, const record_change *change, buffer *out)
{
    if (!db->space) return;
    edit_space(out, change->space ? change->space : btree_space_recorded(db->space), true);
    for (size_t i = change->swept; i < db->garbage_count; i++)
        edit_garbage(out, btree_version_root(db->garbage[i]));
    if (change->garbage) edit_garbage(out, change->garbage);
}

void record_whole(holt *db, const record_change *change, buffer *out)
{
    view *v;
    if (view_acquire(db, &v) != HOLT_OK) {
        out->failed = true;
        return;
    }
    edit_counters(out, atomic_load_explicit(&db->next_file, memory_order_relaxed), db->next_collection,
                  os_time_ms(db->os));
    edit_log(out, change->log ? change->log : &db->log);
    os_mutex_lock(&db->admin_mu);
    holt_collection **all = mem_copy(db->catalog, (db->catalog_count + 1) * sizeof *all);
    if (all) {
        qsort(all, db->catalog_count, sizeof *all, by_id);
        for (size_t i = 0; i < db->catalog_count; i++)
            put_collection(v, all[i], change, out);
    } else {
        out->failed = true;
    }
    os_mutex_unlock(&db->admin_mu);
    if (change->created) edit_collection(out, change->created, change->new_name, 0);
    put_space(db, change, out);
    mem_free(all);
    view_release(db, v);
}

/* ---------------------------------------------------------------- writing */

uint64_t next_file_number(holt *db)
{
    /* Relaxed: only that numbers differ matters; the record that names the file carries a later value. */
    return atomic_fetch_add_explicit(&db->next_file, 1, memory_order_relaxed);
}

/* Writes MANIFEST-n+1 with the whole state and makes it current. */
static holt_status write_anew(holt *db, const record_change *change)
{
    uint64_t number = manifest_last(db->manifest).number + 1;
    char old_name[OS_NAME_MAX];
    manifest_name(number - 1, old_name);
    buffer whole = {0};
    manifest *m = NULL;
    record_whole(db, change, &whole);
    holt_status rc = whole.failed ? status_no_memory(whole.size) : HOLT_OK;
    if (rc == HOLT_OK) rc = manifest_create(db->dir, number, db->id, buffer_slice(&whole), &m);
    buffer_deinit(&whole);
    if (rc != HOLT_OK) return rc;
    rc = current_write(db->dir, number, db->id);
    /* From here on CURRENT may name either; the new one is what is written to. If its name is not known to be
     * durable, it is lost until another is. */
    manifest_close(db->manifest);
    db->manifest = m;
    db->manifest_size_first = manifest_size(m);
    if (rc != HOLT_OK) return rc;
    db->recorded = manifest_last(m);
    (void)os_dir_unlink(db->dir, old_name); /* an orphan otherwise, which the next open removes */
    return HOLT_OK;
}

static bool grown(const holt *db)
{
    uint64_t size = manifest_size(db->manifest);
    return size > db->manifest_size_first * 2 && size > db->manifest_size_first + MANIFEST_GROWTH_MIN;
}

holt_status record_edit(holt *db, const record_change *change)
{
    if (change->edit->failed) return status_no_memory(change->edit->size);
    if (!db->manifest) return HOLT_OK; /* recovery writes the whole state at its end */
    holt_status rc = HOLT_OK;
    bool appended = false;
    if (!db->manifest_lost && !grown(db)) {
        rc = manifest_append(db->manifest, buffer_slice(change->edit));
        appended = rc == HOLT_OK;
    }
    if (appended) db->recorded = manifest_last(db->manifest);
    if (appended) return HOLT_OK;
    if (rc != HOLT_OK)
        event_log_write(db->events, HOLT_LOG_WARN, "%s; writing a new manifest", holt_error_message());
    rc = write_anew(db, change);
    db->manifest_lost = rc != HOLT_OK;
    if (rc == HOLT_OK) {
        if (db->space && !change->space)
            btree_space_settle(db->space); /* no record of it is in doubt any more */
        return HOLT_OK;
    }
    rc = status_wrap(rc, "the manifest cannot be written");
    status_save(&db->manifest_error);
    return rc;
}

holt_status record_repair(holt *db)
{
    static const buffer nothing;
    record_change change = {.edit = &nothing};
    os_mutex_lock(&db->manifest_mu);
    holt_status rc = db->manifest_lost ? record_edit(db, &change) : HOLT_OK;
    os_mutex_unlock(&db->manifest_mu);
    return rc;
}

holt_status record_health(holt *db)
{
    os_mutex_lock(&db->manifest_mu);
    holt_status rc = db->manifest_lost ? status_restore(&db->manifest_error) : HOLT_OK;
    os_mutex_unlock(&db->manifest_mu);
    return rc;
}

static size_t slots_of(const install_change *install)
{
    size_t slots = 0;
    for (size_t i = 0; i < install->count; i++)
        if (install->slots[i] >= slots) slots = (size_t)install->slots[i] + 1;
    return slots;
}

/* Puts the change into a copy of the current view, in the reserved one, and installs it. */
static holt_status install_view(holt *db, const install_change *install, view *v)
{
    holt_status rc = view_change_begin(db, v);
    if (rc != HOLT_OK) return rc;
    for (size_t i = 0; i < install->count; i++) {
        uint32_t slot = install->slots[i];
        lsm_tree *before = v->slots[slot] ? v->slots[slot]->lsm : NULL;
        file_uses_change(db, before, install->states[i] ? install->states[i]->lsm : NULL);
        view_set_slot(v, slot, install->states[i]);
        install->states[i] = NULL;
    }
    if (install->flushed) {
        table_retain(install->flushed, &db->retained_bytes); /* while old views have it */
        view_remove_table(v, install->flushed);
    }
    if (install->floor > v->floor) v->floor = install->floor;
    view_change_install(db, v);
    return HOLT_OK;
}

static size_t parts_of(const lsm_tree *tree)
{
    size_t parts = 0;
    for (size_t i = 0; i < lsm_tree_runs(tree); i++)
        parts += lsm_run_describe(lsm_tree_run(tree, i)).part_count;
    return parts;
}

static size_t new_parts(const install_change *install)
{
    size_t parts = 0;
    for (size_t i = 0; i < install->count; i++)
        if (install->states[i]) parts += parts_of(install->states[i]->lsm);
    return parts;
}

holt_status record_and_install_locked(holt *db, const record_change *change, const install_change *install)
{
    view *reserved = NULL;
    holt_status rc = file_uses_reserve(db, new_parts(install));
    if (rc == HOLT_OK) rc = view_change_reserve(db, slots_of(install), &reserved);
    if (rc == HOLT_OK) rc = record_edit(db, change);
    if (rc == HOLT_OK) {
        rc = install_view(db, install, reserved);
        reserved = NULL;
        db->manifest_lost = rc != HOLT_OK;
        if (rc != HOLT_OK) status_save(&db->manifest_error);
    }
    view_destroy(reserved);
    for (size_t i = 0; i < install->count; i++) /* what was not taken over */
        collection_state_unref(install->states[i]);
    return rc;
}

/* ---------------------------------------------------------------- files in use */

struct file_use {
    uint64_t number;
    uint64_t parts;
};

/* Where the file's count is, or where it would be put. */
static size_t find_use(const holt *db, uint64_t number)
{
    size_t low = 0, high = db->file_use_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (db->file_uses[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

holt_status file_uses_reserve(holt *db, size_t files)
{
    size_t need = db->file_use_count + files;
    if (mem_grow((void **)&db->file_uses, &db->file_use_capacity, need, sizeof *db->file_uses))
        return HOLT_OK;
    return status_no_memory(need * sizeof *db->file_uses);
}

holt_status file_uses_reserve_tree(holt *db, const lsm_tree *tree)
{
    return file_uses_reserve(db, parts_of(tree));
}

uint64_t file_use_number(const holt *db, size_t index)
{
    return db->file_uses[index].number;
}

void file_uses_add(holt *db, const lsm_run *run)
{
    for (size_t i = 0; i < lsm_run_describe(run).part_count; i++) {
        uint64_t number = lsm_run_part(run, i)->file;
        size_t at = find_use(db, number);
        if (at == db->file_use_count || db->file_uses[at].number != number) {
            memmove(db->file_uses + at + 1, db->file_uses + at,
                    (db->file_use_count - at) * sizeof *db->file_uses);
            db->file_uses[at].number = number;
            db->file_uses[at].parts = 0;
            db->file_use_count++;
        }
        db->file_uses[at].parts++;
    }
}

void file_uses_remove(holt *db, const lsm_run *run)
{
    for (size_t i = 0; i < lsm_run_describe(run).part_count; i++) {
        size_t at = find_use(db, lsm_run_part(run, i)->file);
        if (--db->file_uses[at].parts > 0) continue;
        tree_file_obsolete(lsm_run_file(run, i));
        db->file_use_count--;
        memmove(db->file_uses + at, db->file_uses + at + 1,
                (db->file_use_count - at) * sizeof *db->file_uses);
    }
}

static bool has_run(const lsm_tree *t, const lsm_run *run)
{
    for (size_t i = 0; t && i < lsm_tree_runs(t); i++)
        if (lsm_tree_run(t, i) == run) return true;
    return false;
}

void file_uses_change(holt *db, const lsm_tree *before, const lsm_tree *after)
{
    for (size_t i = 0; after && i < lsm_tree_runs(after); i++)
        if (!has_run(before, lsm_tree_run(after, i))) file_uses_add(db, lsm_tree_run(after, i));
    for (size_t i = 0; before && i < lsm_tree_runs(before); i++)
        if (!has_run(after, lsm_tree_run(before, i))) file_uses_remove(db, lsm_tree_run(before, i));
}
