/* sim_dir.c -- directories of the simulated machine, and the calls on them.
 *
 * A directory itself is durable as soon as it is created (os_dir_create() syncs the parent); its entries are
 * not.
 */
#include "os/sim/sim_internal.h"

#include "base/memory.h"

#include <assert.h>
#include <errno.h>

typedef struct sim_dir_handle {
    os_dir dir;
    sim_dir *at;
} sim_dir_handle;

sim_dir *sim_dir_of(const os_dir *d)
{
    return ((const sim_dir_handle *)d)->at;
}

int sim_path_clean(const char *path, char clean[SIM_PATH_MAX])
{
    size_t size = strlen(path);
    if (path[0] != '/') return -ENOENT;
    if (size >= SIM_PATH_MAX) return -ENAMETOOLONG;
    while (size > 0 && path[size - 1] == '/')
        size--;
    memcpy(clean, path, size);
    clean[size] = '\0';
    return 0;
}

static sim_dir *find_by(sim *s, const char *path, size_t size)
{
    for (sim_dir *d = s->dirs; d; d = d->next) {
        if (strlen(d->path) == size && memcmp(d->path, path, size) == 0) return d;
    }
    return NULL;
}

sim_dir *sim_dir_find(sim *s, const char *clean_path)
{
    return find_by(s, clean_path, strlen(clean_path));
}

sim_dir *sim_dir_child(sim *s, const sim_dir *d, const char *name)
{
    size_t size = strlen(d->path);
    for (sim_dir *child = s->dirs; child; child = child->next) {
        if (strncmp(child->path, d->path, size) == 0 && child->path[size] == '/' &&
            strcmp(child->path + size + 1, name) == 0) {
            return child;
        }
    }
    return NULL;
}

sim_dir *sim_dir_add(sim *s, const char *clean_path)
{
    sim_dir *d = sim_alloc(sizeof *d);
    memcpy(d->path, clean_path, strlen(clean_path) + 1);
    d->number = s->next_number++;
    sim_dir **at = &s->dirs;
    while (*at)
        at = &(*at)->next;
    *at = d;
    return d;
}

/* Returns the parent directory of `clean_path`, and in *name its name there; NULL if there is none. */
static sim_dir *parent_of(sim *s, const char *clean_path, const char **name)
{
    const char *slash = strrchr(clean_path, '/');
    if (!slash) return NULL; /* the root */
    *name = slash + 1;
    return find_by(s, clean_path, (size_t)(slash - clean_path));
}

void sim_move_apply(sim *s, const sim_move *m, sim_entries *e)
{
    if (m->kind == SIM_MOVE_LINK) {
        sim_entries_put(s, e, m->name, m->inode);
        return;
    }
    /* If an earlier change did not reach the disk, the name may be missing or refer to another file. */
    if (sim_entries_find(e, m->name) != m->inode) return;
    if (m->kind == SIM_MOVE_RENAME) sim_entries_put(s, e, m->to, m->inode);
    sim_entries_remove(s, e, m->name); /* m has its own reference */
}

static void move_add(sim *s, sim_dir *d, sim_move_kind kind, const char *name, const char *to, sim_inode *n)
{
    sim_grow((void **)&d->moves, &d->move_capacity, d->move_count + 1, sizeof(sim_move));
    sim_move *m = &d->moves[d->move_count++];
    memset(m, 0, sizeof *m);
    m->kind = kind;
    m->certainty = SIM_PENDING;
    memcpy(m->name, name, strlen(name) + 1);
    memcpy(m->to, to, strlen(to) + 1);
    m->inode = sim_inode_ref(n);
    sim_move_apply(s, m, &d->current);
}

void sim_dir_link(sim *s, sim_dir *d, const char *name, sim_inode *n)
{
    n->linked = true;
    move_add(s, d, SIM_MOVE_LINK, name, "", n);
}

void sim_dir_remove(sim *s, sim_dir *d, const char *name)
{
    sim_inode *n = sim_entries_find(&d->current, name);
    n->linked = false;
    move_add(s, d, SIM_MOVE_UNLINK, name, "", n);
}

void sim_dir_make_durable(sim *s, sim_dir *d)
{
    for (size_t i = 0; i < d->move_count; i++) {
        if (d->moves[i].certainty == SIM_PENDING) d->moves[i].certainty = SIM_SURE;
    }
    size_t sure = 0;
    for (; sure < d->move_count && d->moves[sure].certainty == SIM_SURE; sure++) {
        sim_move_apply(s, &d->moves[sure], &d->durable);
        sim_inode_unref(s, d->moves[sure].inode);
    }
    d->move_count -= sure;
    if (sure > 0 && d->move_count > 0) {
        memmove(d->moves, d->moves + sure, d->move_count * sizeof *d->moves);
    }
}

void sim_dir_drop_moves(sim *s, sim_dir *d)
{
    for (size_t i = 0; i < d->move_count; i++)
        sim_inode_unref(s, d->moves[i].inode);
    d->move_count = 0;
}

void sim_dir_settle(sim *s, sim_dir *d)
{
    sim_entries_copy(s, &d->durable, &d->current);
    sim_dir_drop_moves(s, d);
}

static int find_dir(sim *s, const char *path, sim_dir **out)
{
    char clean[SIM_PATH_MAX];
    int rc = sim_path_clean(path, clean);
    if (rc != 0) return rc;
    *out = sim_dir_find(s, clean);
    if (*out) return 0;
    const char *name;
    sim_dir *parent = parent_of(s, clean, &name);
    return parent && sim_entries_find(&parent->current, name) ? -ENOTDIR : -ENOENT;
}

int sim_dir_open(os *o, const char *path, os_dir **out)
{
    sim *s = sim_of(o);
    sim_dir_handle *h = mem_alloc_zero(1, sizeof *h);
    if (!h) return -ENOMEM;
    int rc = -sim_enter(s, SIM_OPEN, false);
    if (rc == 0) rc = sim_handle_check(s);
    if (rc == 0) rc = find_dir(s, path, &h->at);
    if (rc == 0) {
        s->handles++;
        *out = &h->dir;
    }
    sim_leave(s);
    if (rc != 0) mem_free(h);
    return rc;
}

void sim_dir_close(os_dir *d)
{
    sim *s = sim_of(d->os);
    pthread_mutex_lock(&s->mutex);
    s->handles--;
    pthread_mutex_unlock(&s->mutex);
    mem_free(d);
}

static int make_dir(sim *s, const char *path)
{
    char clean[SIM_PATH_MAX];
    int rc = sim_path_clean(path, clean);
    if (rc != 0) return rc;
    if (sim_dir_find(s, clean)) return -EEXIST;
    const char *name;
    sim_dir *parent = parent_of(s, clean, &name);
    if (!parent) return -ENOENT;
    if (sim_entries_find(&parent->current, name)) return -EEXIST;
    if (strlen(name) >= OS_NAME_MAX) return -ENAMETOOLONG;
    sim_dir_add(s, clean);
    sim_dir_make_durable(s, parent);
    return 0;
}

int sim_dir_create(os *o, const char *path)
{
    sim *s = sim_of(o);
    int rc = -sim_enter(s, SIM_OPEN, true);
    if (rc == 0) rc = sim_handle_check(s); /* the parent is opened, to be synced */
    if (rc == 0) rc = make_dir(s, path);
    sim_leave(s);
    return rc;
}

static bool has_children(const sim *s, const sim_dir *d)
{
    size_t size = strlen(d->path);
    for (const sim_dir *child = s->dirs; child; child = child->next)
        if (strncmp(child->path, d->path, size) == 0 && child->path[size] == '/') return true;
    return false;
}

/* A removed directory is durably removed, with everything that was pending in it (os_dir_remove() syncs the
 * parent). */
static int remove_dir(sim *s, const char *path)
{
    sim_dir *d = NULL;
    int rc = find_dir(s, path, &d);
    if (rc != 0) return rc;
    if (!*d->path) return -EBUSY; /* the root */
    if (d->current.count > 0 || has_children(s, d)) return -ENOTEMPTY;
    sim_dir **at = &s->dirs;
    while (*at != d)
        at = &(*at)->next;
    *at = d->next;
    d->removed = true;
    d->next = s->dirs_removed;
    s->dirs_removed = d;
    sim_dir_settle(s, d);
    return 0;
}

int sim_dir_rmdir(os *o, const char *path)
{
    sim *s = sim_of(o);
    int rc = -sim_enter(s, SIM_UNLINK, true);
    if (rc == 0) rc = remove_dir(s, path);
    sim_leave(s);
    return rc;
}

int sim_dir_sync(os_dir *dir)
{
    sim *s = sim_of(dir->os);
    sim_dir *d = sim_dir_of(dir);
    int fault = sim_enter(s, SIM_DIR_SYNC, true);
    if (fault == 0) {
        sim_dir_make_durable(s, d);
    } else if (fault != EINTR) {
        for (size_t i = 0; i < d->move_count; i++) {
            if (d->moves[i].certainty == SIM_PENDING) d->moves[i].certainty = SIM_LIMBO;
        }
    }
    sim_leave(s);
    return -fault;
}

/* Returns the first name after `after` ("" precedes all), of a file or directory; NULL: there is none. */
static const char *next_name(sim *s, const sim_dir *d, const char *after)
{
    const char *best = NULL;
    for (size_t i = 0; i < d->current.count && !best; i++) {
        if (strcmp(d->current.at[i].name, after) > 0) best = d->current.at[i].name;
    }
    size_t size = strlen(d->path);
    for (const sim_dir *child = s->dirs; child; child = child->next) {
        if (strncmp(child->path, d->path, size) != 0 || child->path[size] != '/') continue;
        const char *name = child->path + size + 1;
        if (strchr(name, '/') || strcmp(name, after) <= 0) continue;
        if (!best || strcmp(name, best) < 0) best = name;
    }
    return best;
}

int sim_dir_list(os_dir *dir, os_names *names)
{
    sim *s = sim_of(dir->os);
    sim_dir *d = sim_dir_of(dir);
    int rc = -sim_enter(s, SIM_LIST, false);
    const char *name = "";
    if (rc == 0) rc = sim_handle_check(s);
    while (rc == 0 && (name = next_name(s, d, name)) != NULL)
        rc = os_names_add(names, name);
    sim_leave(s);
    return rc;
}

int sim_dir_stat(os_dir *dir, const char *name, uint64_t *size)
{
    sim *s = sim_of(dir->os);
    sim_dir *d = sim_dir_of(dir);
    int rc = -sim_enter(s, SIM_LIST, false);
    if (rc == 0) {
        const sim_inode *n = sim_entries_find(&d->current, name);
        if (n) {
            *size = n->current.size;
        } else if (!sim_dir_child(s, d, name)) {
            rc = -ENOENT;
        }
    }
    sim_leave(s);
    return rc;
}

int sim_dir_unlink(os_dir *dir, const char *name)
{
    sim *s = sim_of(dir->os);
    sim_dir *d = sim_dir_of(dir);
    int rc = -sim_enter(s, SIM_UNLINK, true);
    if (rc == 0 && sim_dir_child(s, d, name)) rc = -EISDIR;
    if (rc == 0 && !sim_entries_find(&d->current, name)) rc = -ENOENT;
    if (rc == 0) sim_dir_remove(s, d, name);
    sim_leave(s);
    return rc;
}

static int rename_file(sim *s, sim_dir *d, const char *from, const char *to)
{
    if (sim_dir_child(s, d, from) || sim_dir_child(s, d, to)) return -EISDIR;
    sim_inode *n = sim_entries_find(&d->current, from);
    if (!n) return -ENOENT;
    sim_inode *replaced = sim_entries_find(&d->current, to);
    if (replaced == n) return 0; /* onto itself */
    if (replaced) replaced->linked = false;
    move_add(s, d, SIM_MOVE_RENAME, from, to, n);
    return 0;
}

int sim_dir_rename(os_dir *dir, const char *from, const char *to)
{
    sim *s = sim_of(dir->os);
    int rc = -sim_enter(s, SIM_RENAME, true);
    if (rc == 0) rc = rename_file(s, sim_dir_of(dir), from, to);
    sim_leave(s);
    return rc;
}

void sim_dir_identity(const os_dir *d, uint64_t identity[2])
{
    identity[0] = sim_of(d->os)->id;
    identity[1] = sim_dir_of(d)->number;
}

int sim_dir_free_bytes(os_dir *d, uint64_t *bytes)
{
    sim *s = sim_of(d->os);
    int rc = -sim_enter(s, SIM_LIST, false);
    if (rc == 0) *bytes = sim_free_bytes(s);
    sim_leave(s);
    return rc;
}

/* Neither counts as a call nor fails, so that tests need not know how often it is called. */
os_dir_fate sim_dir_fate(os_dir *d)
{
    sim *s = sim_of(d->os);
    pthread_mutex_lock(&s->mutex);
    bool read_only = s->read_only;
    pthread_mutex_unlock(&s->mutex);
    return read_only ? OS_DIR_READ_ONLY : OS_DIR_IN_PLACE;
}

int sim_dir_holds(os_dir *d, const char *name, const os_file *f)
{
    sim *s = sim_of(d->os);
    pthread_mutex_lock(&s->mutex);
    bool holds = sim_entries_find(&sim_dir_of(d)->current, name) == sim_file_inode(f);
    pthread_mutex_unlock(&s->mutex);
    return holds;
}
