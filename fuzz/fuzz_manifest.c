/* fuzz_manifest.c -- arbitrary bytes as CURRENT, as a manifest and as manifest records: each is accepted or
 * rejected.
 *
 * The input's first byte says what the others are. A state that manifest_state_apply accepts is then read as
 * recovery would read it.
 */
#include "frames.h"

#include "base/memory.h"
#include "db/manifest/manifest_state.h"
#include "log/manifest.h"
#include "os/sim/sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 32 << 10 };
enum { AS_CURRENT = 0, AS_RAW = 1, AS_FRAMES = 2, AS_RECORD = 3 };

static const uint64_t DATABASE_ID[2] = {1, 2};

static void expect_refusal(holt_status rc)
{
    expect(rc == HOLT_OK || rc == HOLT_CORRUPT || rc == HOLT_UNSUPPORTED);
}

/* Reads everything in the state. */
static void use(const manifest_state *s)
{
    volatile uint64_t sum = s->next_file + s->next_collection;
    for (size_t i = 0; i < s->log.recovered_count; i++)
        sum += s->log.recovered[i].checksum;
    for (size_t i = 0; i < s->collection_count; i++) {
        const manifest_collection *c = &s->collections[i];
        expect(strlen(c->name) > 0);
        expect(i == 0 || s->collections[i - 1].spec.id < c->spec.id);
        for (size_t k = 0; k < c->run_count; k++) {
            expect(c->runs[k].count > 0);
            for (size_t p = 0; p < c->runs[k].count; p++)
                sum +=
                    hash_slice(c->runs[k].file_ranges[p].lower) + hash_slice(c->runs[k].file_ranges[p].upper);
        }
    }
    (void)sum;
}

static holt_status apply(void *ctx, uint64_t index, slice record)
{
    holt_status rc = manifest_state_apply(ctx, index, record);
    expect_refusal(rc);
    if (rc == HOLT_OK) use(ctx);
    return rc;
}

static void read_current(os_dir *dir)
{
    uint64_t number, id[2];
    expect_refusal(current_read(dir, &number, id));
}

static void read_manifest(os_dir *dir)
{
    manifest_state s = {0};
    manifest_mark last;
    expect_refusal(manifest_read(dir, 1, DATABASE_ID, apply, &s, &last));
    manifest_state_deinit(&s);
}

/* Writes MANIFEST-1: a valid header, then the input repaired into frames. */
static void put_frames(os *machine, os_dir *dir, const uint8_t *data, size_t size)
{
    manifest *m;
    uint8_t *bytes, *image;
    size_t got;
    expect(manifest_create(dir, 1, DATABASE_ID, slice_of(NULL, 0), &m) == HOLT_OK);
    manifest_close(m);
    expect(sim_peek(machine, "/db/MANIFEST-000001", (void **)&bytes, &got) == HOLT_OK &&
           got >= MANIFEST_FRAMES);
    image = malloc(MANIFEST_FRAMES + size);
    expect(image != NULL);
    memcpy(image, bytes, MANIFEST_FRAMES);
    bytes_copy(image + MANIFEST_FRAMES, data, size);
    chain c = {.salt = get_u64le(bytes + 40), .previous = get_u64le(bytes + 56)};
    for (size_t at = MANIFEST_FRAMES; at + frame_length(0) <= MANIFEST_FRAMES + size;) {
        if (image[at + 4] < 250) image[at + 4] = FRAME_RECORD;
        at += frame_mend(image, MANIFEST_FRAMES + size, at, &c);
    }
    expect(sim_poke(machine, "/db/MANIFEST-000001", image, MANIFEST_FRAMES + size) == HOLT_OK);
    free(image);
    mem_free(bytes);
}

static void read_record(const uint8_t *data, size_t size)
{
    manifest_state s = {0};
    uint8_t *copy = malloc(size + 1); /* its end is where the sanitizer sees overruns */
    expect(copy != NULL);
    memcpy(copy + 1, data, size);
    (void)apply(&s, 0, slice_of(copy + 1, size));
    (void)apply(&s, 1, slice_of(copy + 1, size)); /* again, on top of itself */
    free(copy);
    manifest_state_deinit(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > INPUT_MAX) return 0;
    uint8_t kind = *data++ % 4;
    size--;
    if (kind == AS_RECORD) {
        read_record(data, size);
        return 0;
    }
    sim_options options = {.seed = 1};
    os *machine = sim_create(&options);
    os_dir *dir;
    expect(machine != NULL);
    expect(os_dir_create(machine, "/db") == HOLT_OK);
    expect(os_dir_open(machine, "/db", &dir) == HOLT_OK);
    if (kind == AS_CURRENT) {
        expect(sim_poke(machine, "/db/CURRENT", data, size) == HOLT_OK);
        read_current(dir);
    } else if (kind == AS_RAW) {
        expect(sim_poke(machine, "/db/MANIFEST-000001", data, size) == HOLT_OK);
        read_manifest(dir);
    } else {
        put_frames(machine, dir, data, size);
        read_manifest(dir);
    }
    os_dir_close(dir);
    sim_destroy(machine);
    return 0;
}
