/* manifest_state.c -- applying manifest records; manifest_encode.c encodes them, manifest_state.h has the
 * table. */
#include "db/manifest/manifest_items.h"

#include "base/coding.h"
#include "base/memory.h"
#include "base/search.h"
#include "base/status.h"
#include "block/filter.h"
#include "db/tree/tree_kind.h"

#include <inttypes.h>

/* ---------------------------------------------------------------- release */

static void run_deinit(manifest_run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        mem_free((void *)run->file_ranges[i].lower.data);
        mem_free((void *)run->file_ranges[i].upper.data);
    }
    mem_free(run->file_ranges);
}

static void remove_runs(manifest_collection *c)
{
    for (size_t i = 0; i < c->run_count; i++)
        run_deinit(&c->runs[i]);
    c->run_count = 0;
}

static void collection_deinit(manifest_collection *c)
{
    remove_runs(c);
    mem_free(c->runs);
    mem_free(c->name);
}

void manifest_state_deinit(manifest_state *s)
{
    for (size_t i = 0; i < s->collection_count; i++)
        collection_deinit(&s->collections[i]);
    mem_free(s->collections);
    mem_free(s->log.recovered);
    mem_free(s->page_store.map_groups);
    mem_free(s->garbage);
    memset(s, 0, sizeof *s);
}

/* ---------------------------------------------------------------- finding */

static holt_status malformed(const char *item)
{
    return status_set(HOLT_CORRUPT, "a %s item of a manifest record is malformed", item);
}

static int compare_id(const void *collections, size_t i, const void *id)
{
    return search_order(((const manifest_collection *)collections)[i].spec.id, *(const uint64_t *)id);
}

static manifest_collection *find_collection(manifest_state *s, uint64_t id)
{
    size_t at;
    bool found = search_find(s->collections, s->collection_count, &id, compare_id, &at);
    return found ? &s->collections[at] : NULL;
}

static holt_status unknown_collection(uint64_t id)
{
    return status_set(HOLT_CORRUPT, "a manifest record names collection %" PRIu64 ", which does not exist",
                      id);
}

/* ---------------------------------------------------------------- items */

static holt_status apply_counters(manifest_state *s, decoder *d)
{
    s->next_file = decode_varint(d);
    s->next_collection = decode_varint(d);
    uint64_t time_ms = decode_varint(d);
    if (time_ms > s->time_ms) s->time_ms = time_ms; /* it never goes back, whatever a record says */
    return HOLT_OK;
}

static holt_status apply_log(manifest_state *s, decoder *d)
{
    s->log.flushed_seqno = decode_varint(d);
    s->log.next_segment = decode_varint(d);
    s->log.next_salt = decode_u64(d);
    uint64_t count = decode_varint(d);
    if (count > decoder_left(d)) return malformed("log"); /* each takes several bytes */
    log_end *ends = mem_alloc_zero((size_t)count + 1, sizeof *ends);
    if (!ends) return status_no_memory((size_t)count * sizeof *ends);
    for (uint64_t i = 0; i < count; i++) {
        ends[i].segment = decode_varint(d);
        ends[i].offset = decode_varint(d);
        ends[i].checksum = decode_u64(d);
        ends[i].next_seqno = decode_varint(d);
    }
    mem_free(s->log.recovered);
    s->log.recovered = ends;
    s->log.recovered_count = (size_t)count;
    return HOLT_OK;
}

static bool is_name(slice name)
{
    return name.size > 0 && !memchr(name.data, '\0', name.size);
}

/* A name as a C string; NULL: out of memory. */
static char *copy_name(slice name)
{
    char *copy = mem_alloc(name.size + 1);
    if (!copy) return NULL;
    memcpy(copy, name.data, name.size);
    copy[name.size] = '\0';
    return copy;
}

static holt_status apply_collection(manifest_state *s, decoder *d)
{
    manifest_collection c = {0};
    c.spec.id = decode_varint32(d);
    slice name = decode_string(d);
    c.spec.kind = decode_varint32(d);
    c.spec.compression = decode_varint32(d);
    c.spec.block_bytes = decode_varint32(d);
    c.spec.filter_bits = decode_varint32(d);
    c.cleared_seqno = decode_varint(d);
    bool known = tree_kind_of(c.spec.kind) && c.spec.compression == HOLT_COMPRESSION_NONE;
    if (d->failed || !is_name(name) || c.spec.block_bytes < BLOCK_BYTES_MIN ||
        c.spec.block_bytes > BLOCK_BYTES_MAX || c.spec.filter_bits > FILTER_BITS_MAX)
        return malformed("collection");
    if (!known)
        return status_set(HOLT_UNSUPPORTED,
                          "collection %u has kind %u, compression %u: made by a newer release", c.spec.id,
                          c.spec.kind, c.spec.compression);
    if (s->collection_count && s->collections[s->collection_count - 1].spec.id >= c.spec.id)
        return status_set(HOLT_CORRUPT, "a manifest record creates collection %u out of order", c.spec.id);
    if (!mem_grow((void **)&s->collections, &s->collection_capacity, s->collection_count + 1, sizeof c))
        return status_no_memory(sizeof c);
    c.name = copy_name(name);
    if (!c.name) return status_no_memory(name.size);
    s->collections[s->collection_count++] = c;
    return HOLT_OK;
}

static holt_status apply_drop(manifest_state *s, decoder *d)
{
    uint64_t id = decode_varint(d);
    manifest_collection *c = find_collection(s, id);
    if (!c) return unknown_collection(id);
    collection_deinit(c);
    size_t after = s->collection_count - (size_t)(c - s->collections) - 1;
    memmove(c, c + 1, after * sizeof *c);
    s->collection_count--;
    return HOLT_OK;
}

static holt_status apply_rename(manifest_state *s, decoder *d)
{
    uint64_t id = decode_varint(d);
    slice name = decode_string(d);
    manifest_collection *c = find_collection(s, id);
    if (!c) return unknown_collection(id);
    if (!is_name(name)) return malformed("rename");
    char *copy = copy_name(name);
    if (!copy) return status_no_memory(name.size);
    mem_free(c->name);
    c->name = copy;
    return HOLT_OK;
}

static holt_status apply_clear(manifest_state *s, decoder *d)
{
    uint64_t id = decode_varint(d);
    manifest_collection *c = find_collection(s, id);
    if (!c) return unknown_collection(id);
    c->cleared_seqno = decode_varint(d);
    remove_runs(c);
    memset(&c->btree, 0, sizeof c->btree);
    return HOLT_OK;
}

static block_ptr decode_pointer(decoder *d)
{
    slice bytes = decode_bytes(d, BLOCK_PTR_SIZE);
    if (bytes.size == BLOCK_PTR_SIZE) return block_ptr_decode(bytes.data);
    block_ptr none = {0};
    return none;
}

static bool decode_bound(decoder *d, bool present, slice *out)
{
    slice bytes = decode_string(d);
    *out = slice_of(NULL, 0);
    if (!present) {
        if (bytes.size) d->failed = true;
        return !d->failed;
    }
    out->size = bytes.size;
    out->data = mem_copy(bytes.data, bytes.size);
    return out->data != NULL;
}

static bool decode_file_range(decoder *d, lsm_file_range *file_range)
{
    file_range->file = decode_varint(d);
    file_range->file_size = decode_varint(d);
    file_range->root.root = decode_pointer(d);
    file_range->root.height = decode_varint32(d);
    file_range->root.entries = decode_varint(d);
    file_range->root.tombstones = decode_varint(d);
    file_range->root.bytes = decode_varint(d);
    file_range->root.filter = decode_pointer(d);
    file_range->root.filter_lines = decode_varint(d);
    file_range->root.filter_probes = decode_varint32(d);
    uint64_t bounds = decode_varint(d);
    if (bounds > (BOUND_LOWER | BOUND_UPPER)) d->failed = true;
    return decode_bound(d, bounds & BOUND_LOWER, &file_range->lower) &&
           decode_bound(d, bounds & BOUND_UPPER, &file_range->upper) && !d->failed;
}

/* Replaces the run with the same newest seqno; a run without file ranges removes it. */
static holt_status place_run(manifest_collection *c, manifest_run *run)
{
    size_t at = 0;
    while (at < c->run_count && c->runs[at].newest_seqno != run->newest_seqno)
        at++;
    if (at < c->run_count) {
        run_deinit(&c->runs[at]);
        c->runs[at] = c->runs[--c->run_count];
    } else if (run->count == 0) {
        return status_set(HOLT_CORRUPT, "a manifest record removes run %" PRIu64 ", which does not exist",
                          run->newest_seqno);
    }
    if (run->count == 0) {
        run_deinit(run);
        return HOLT_OK;
    }
    if (!mem_grow((void **)&c->runs, &c->run_capacity, c->run_count + 1, sizeof *run))
        return status_no_memory(sizeof *run);
    c->runs[c->run_count++] = *run;
    return HOLT_OK;
}

/* with_gaps: each file range is followed by its number of deleted gaps. */
static holt_status decode_run(manifest_state *s, decoder *d, bool with_gaps)
{
    uint64_t id = decode_varint(d);
    manifest_run run = {.newest_seqno = decode_varint(d)};
    run.level = decode_varint32(d);
    uint64_t count = decode_varint(d);
    manifest_collection *c = find_collection(s, id);
    if (!c || tree_kind_of(c->spec.kind)->paged) return unknown_collection(id);
    if (count > decoder_left(d) / BLOCK_PTR_SIZE) return malformed("run");
    run.file_ranges = mem_alloc_zero((size_t)count + 1, sizeof *run.file_ranges);
    if (!run.file_ranges) return status_no_memory((size_t)count * sizeof *run.file_ranges);
    holt_status rc = HOLT_OK;
    while (run.count < count && rc == HOLT_OK) {
        lsm_file_range *file_range = &run.file_ranges[run.count++];
        if (!decode_file_range(d, file_range)) rc = d->failed ? malformed("run") : status_no_memory(0);
        if (with_gaps) file_range->root.gaps = decode_varint(d);
    }
    if (rc == HOLT_OK) rc = place_run(c, &run);
    if (rc != HOLT_OK) run_deinit(&run);
    return rc;
}

static holt_status apply_run(manifest_state *s, decoder *d)
{
    return decode_run(s, d, false);
}

static holt_status apply_run_with_gaps(manifest_state *s, decoder *d)
{
    return decode_run(s, d, true);
}

static void decode_root(decoder *d, tree_root *root)
{
    memset(root, 0, sizeof *root);
    root->root = decode_pointer(d);
    root->height = decode_varint32(d);
    root->entries = decode_varint(d);
    root->bytes = decode_varint(d);
}

static holt_status apply_root(manifest_state *s, decoder *d)
{
    uint64_t id = decode_varint(d);
    manifest_collection *c = find_collection(s, id);
    if (!c || !tree_kind_of(c->spec.kind)->paged) return unknown_collection(id);
    decode_root(d, &c->btree);
    return HOLT_OK;
}

static bool decode_expiry(decoder *d, tree_root *root)
{
    expiry_summary *s = &root->expiry;
    s->entries = decode_varint(d);
    s->first_ms = decode_varint(d);
    s->last_ms = decode_varint(d);
    return !d->failed && s->entries <= root->entries && s->first_ms <= s->last_ms;
}

/* Of a tree that an item before has named. */
static holt_status apply_expiry(manifest_state *s, decoder *d)
{
    uint64_t id = decode_varint(d), newest_seqno = decode_varint(d);
    manifest_collection *c = find_collection(s, id);
    if (!c) return unknown_collection(id);
    s->expires = true;
    if (tree_kind_of(c->spec.kind)->paged)
        return newest_seqno == 0 && decode_expiry(d, &c->btree) ? HOLT_OK : malformed("tree expiry");
    size_t at = 0;
    while (at < c->run_count && c->runs[at].newest_seqno != newest_seqno)
        at++;
    if (at == c->run_count) return malformed("tree expiry");
    for (size_t i = 0; i < c->runs[at].count; i++)
        if (!decode_expiry(d, &c->runs[at].file_ranges[i].root)) return malformed("tree expiry");
    return HOLT_OK;
}

static holt_status apply_map_group(manifest_state *s, decoder *d)
{
    uint64_t index = decode_varint(d);
    uint8_t copy = decode_u8(d);
    uint64_t checksum = decode_u64(d);
    if (d->failed || index >= s->page_store.map_group_count || copy > 1) return malformed("page store");
    s->page_store.map_groups[index].copy = copy;
    s->page_store.map_groups[index].checksum = checksum;
    return HOLT_OK;
}

static holt_status apply_page_store(manifest_state *s, decoder *d)
{
    s->page_store.file = decode_varint(d);
    s->page_store.pages = decode_varint(d);
    uint64_t changed = decode_varint(d);
    if (d->failed || s->page_store.pages > UINT32_MAX)
        return malformed("page store"); /* ordinals have 32 bits */
    size_t before = s->page_store.map_group_count, count = map_groups_of(s->page_store.pages);
    if (!mem_grow((void **)&s->page_store.map_groups, &s->map_group_capacity, count,
                  sizeof *s->page_store.map_groups))
        return status_no_memory(count * sizeof *s->page_store.map_groups);
    for (size_t i = before; i < count; i++)
        memset(&s->page_store.map_groups[i], 0, sizeof s->page_store.map_groups[i]);
    s->page_store.map_group_count = count;
    holt_status rc = HOLT_OK;
    for (uint64_t i = 0; i < changed && rc == HOLT_OK; i++)
        rc = apply_map_group(s, d);
    return rc;
}

static holt_status apply_garbage(manifest_state *s, decoder *d)
{
    if (!mem_grow((void **)&s->garbage, &s->garbage_capacity, s->garbage_count + 1, sizeof *s->garbage))
        return status_no_memory(sizeof *s->garbage);
    decode_root(d, &s->garbage[s->garbage_count++]);
    return HOLT_OK;
}

static holt_status apply_reclaimed(manifest_state *s, decoder *d)
{
    uint64_t offset = decode_varint(d);
    for (size_t i = 0; i < s->garbage_count; i++) {
        if (s->garbage[i].root.offset != offset) continue;
        s->garbage[i] = s->garbage[--s->garbage_count];
        return HOLT_OK;
    }
    return status_set(HOLT_CORRUPT,
                      "a manifest record names a garbage tree at %" PRIu64 ", which does not exist", offset);
}

static holt_status apply_closed(manifest_state *s, decoder *d)
{
    s->log.closed_end.segment = decode_varint(d);
    s->log.closed_end.offset = decode_varint(d);
    s->log.closed = true;
    return HOLT_OK;
}

static holt_status apply_item(manifest_state *s, uint8_t tag, slice payload)
{
    static const struct {
        holt_status (*apply)(manifest_state *s, decoder *d);
        const char *name;
    } items[] = {
        [ITEM_COUNTERS] = {apply_counters, "counters"},
        [ITEM_LOG] = {apply_log, "log"},
        [ITEM_COLLECTION] = {apply_collection, "collection"},
        [ITEM_DROP] = {apply_drop, "drop"},
        [ITEM_RENAME] = {apply_rename, "rename"},
        [ITEM_CLEAR] = {apply_clear, "clear"},
        [ITEM_RUN] = {apply_run, "run"},
        [ITEM_CLOSED] = {apply_closed, "closed"},
        [ITEM_ROOT] = {apply_root, "root"},
        [ITEM_PAGE_STORE] = {apply_page_store, "page store"},
        [ITEM_GARBAGE] = {apply_garbage, "garbage"},
        [ITEM_RECLAIMED] = {apply_reclaimed, "reclaimed"},
        [ITEM_RUN_WITH_GAPS] = {apply_run_with_gaps, "run with gaps"},
        [ITEM_EXPIRY] = {apply_expiry, "tree expiry"},
    };
    if (tag >= sizeof items / sizeof items[0] || !items[tag].apply)
        return status_set(HOLT_UNSUPPORTED,
                          "a manifest record has an item of kind %u: made by a newer release", tag);
    decoder d = decoder_of(payload);
    holt_status rc = items[tag].apply(s, &d);
    if (rc == HOLT_OK && (d.failed || d.at != d.end)) rc = malformed(items[tag].name);
    return rc;
}

holt_status manifest_state_apply(manifest_state *s, uint64_t index, slice record)
{
    if (index == 0) manifest_state_deinit(s);
    s->log.closed = false;
    decoder d = decoder_of(record);
    while (decoder_left(&d) > 0) {
        uint8_t tag = decode_u8(&d);
        slice payload = decode_string(&d);
        if (d.failed) return malformed("cut");
        holt_status rc = apply_item(s, tag, payload);
        if (rc != HOLT_OK) return rc;
    }
    return HOLT_OK;
}
