/* http_gzip.c -- see http_gzip.h. */
#include "http/http_gzip.h"

#include <limits.h>
#include <stdlib.h>

#include <zlib.h>

enum {
    GZIP_WINDOW = 15 + 16, /* 32 KiB, with the frame of gzip */
    GZIP_MEMORY = 8,       /* zlib's default: 256 KiB in all */
    ROOM_MIN = 4096
};

struct http_gzip {
    z_stream stream;
};

static http_gzip *gzip_new(void)
{
    http_gzip *g = calloc(1, sizeof *g);
    /* The fastest level: 100 MB/s and more, and for JSON most of what the others gain. */
    if (g && deflateInit2(&g->stream, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
                          Z_DEFAULT_STRATEGY) != Z_OK) {
        free(g);
        g = NULL;
    }
    return g;
}

/* Compresses until zlib has nothing more to give. */
static bool deflate_all(z_stream *z, bytes *out, int flush)
{
    do {
        if (!bytes_reserve(out, ROOM_MIN)) return false;
        size_t room = out->capacity - out->size;
        z->next_out = (Bytef *)out->data + out->size;
        z->avail_out = room > UINT_MAX ? UINT_MAX : (uInt)room;
        uInt before = z->avail_out;
        if (deflate(z, flush) == Z_STREAM_ERROR) return false;
        out->size += before - z->avail_out;
    } while (z->avail_out == 0);
    return true;
}

void http_gzip_piece(http_gzip **g, bytes *piece, bool last)
{
    bytes out = {0};
    if (!*g) *g = gzip_new();
    bool done = *g && piece->size <= UINT_MAX;
    if (done) {
        (*g)->stream.next_in = (Bytef *)piece->data;
        (*g)->stream.avail_in = (uInt)piece->size;
        done = deflate_all(&(*g)->stream, &out, last ? Z_FINISH : Z_SYNC_FLUSH);
    }
    out.failed = !done || piece->failed;
    bytes_swap(piece, &out);
    bytes_deinit(&out);
}

void http_gzip_free(http_gzip *g)
{
    if (!g) return;
    (void)deflateEnd(&g->stream); /* says only whether something was left */
    free(g);
}
