#include "data/compress.h"

#include "base/mem.h"

#define ZLIB_CONST /* next_in points to const */
#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

#define OUT_BYTES       ((size_t)128 * 1024) /* above LZ4F_compressBound(IN_BYTES) */
#define IN_BYTES        ((size_t)32 * 1024)  /* what lz4 gets at once, so that its answer fits */
#define GZIP_WINDOW     (15 + 16)            /* 32 KiB, with gzip's header and trailer */
#define RAW_WINDOW      (-15)                /* 32 KiB, without anything around it */
#define ZLIB_WINDOW     15                   /* 32 KiB, with zlib's header and trailer */
#define ZSTD_WINDOW_LOG 23                   /* 8 MiB: what every zstd level below --ultra needs */

static const char *const names[] = {"none", "gzip", "zstd", "lz4", "deflate", "zlib"};

static bool ends_with(struct leat_slice s, struct leat_slice end)
{
    return s.len >= end.len && memcmp(s.ptr + s.len - end.len, end.ptr, end.len) == 0;
}

enum leat_compression leat_compression_of_path(struct leat_slice path)
{
    if (ends_with(path, LEAT_LIT(".gz")))
        return LEAT_COMPRESSION_GZIP;
    if (ends_with(path, LEAT_LIT(".zst")))
        return LEAT_COMPRESSION_ZSTD;
    if (ends_with(path, LEAT_LIT(".lz4")))
        return LEAT_COMPRESSION_LZ4;
    return LEAT_COMPRESSION_NONE;
}

static bool is_zlib(enum leat_compression kind)
{
    return kind == LEAT_COMPRESSION_GZIP || kind == LEAT_COMPRESSION_DEFLATE ||
           kind == LEAT_COMPRESSION_ZLIB;
}

static int window_of(enum leat_compression kind)
{
    return kind == LEAT_COMPRESSION_GZIP   ? GZIP_WINDOW
           : kind == LEAT_COMPRESSION_ZLIB ? ZLIB_WINDOW
                                           : RAW_WINDOW;
}

static void *zlib_alloc(void *opaque, unsigned n, unsigned size)
{
    (void)opaque;
    return leat_mem_alloc((size_t)n * size);
}

static void zlib_free(void *opaque, void *ptr)
{
    (void)opaque;
    leat_mem_free(ptr);
}

/* --- writing --- */

static const LZ4F_preferences_t lz4_preferences = {
    .frameInfo = {.blockSizeID = LZ4F_max64KB, .contentChecksumFlag = LZ4F_contentChecksumEnabled}};

struct leat_compressor {
    enum leat_compression kind;
    bool is_open; /* a frame has begun */
    bool is_made; /* zlib: init was called */
    z_stream zlib;
    ZSTD_CCtx *zstd;
    LZ4F_cctx *lz4;
    char out[OUT_BYTES];
};

struct leat_compressor *leat_compressor_new(enum leat_compression kind, struct leat_error *err)
{
    struct leat_compressor *c = leat_mem_alloc(sizeof *c);
    bool ok = c != NULL;

    if (!ok)
        goto fail;
    c->kind = kind;
    c->zlib.zalloc = zlib_alloc;
    c->zlib.zfree = zlib_free;
    if (is_zlib(kind))
        ok = c->is_made = deflateInit2(&c->zlib, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window_of(kind),
                                       8, Z_DEFAULT_STRATEGY) == Z_OK;
    else if (kind == LEAT_COMPRESSION_ZSTD)
        ok = (c->zstd = ZSTD_createCCtx()) != NULL;
    else if (kind == LEAT_COMPRESSION_LZ4)
        ok = LZ4F_compressBound(IN_BYTES, &lz4_preferences) <= OUT_BYTES &&
             !LZ4F_isError(LZ4F_createCompressionContext(&c->lz4, LZ4F_VERSION));
    if (ok)
        return c;
fail:
    leat_compressor_free(c);
    leat_fail(err, LEAT_E_NOMEM, "out of memory");
    return NULL;
}

void leat_compressor_free(struct leat_compressor *c)
{
    if (!c)
        return;
    if (c->is_made)
        deflateEnd(&c->zlib);
    ZSTD_freeCCtx(c->zstd);
    LZ4F_freeCompressionContext(c->lz4);
    leat_mem_free(c);
}

static enum leat_status hand_out(struct leat_compressor *c, size_t n, leat_compressed *out,
                                 void *arg, struct leat_error *err)
{
    return n ? out(arg, (struct leat_slice){c->out, n}, err) : LEAT_OK;
}

static enum leat_status write_zlib(struct leat_compressor *c, struct leat_slice text, bool end,
                                   leat_compressed *out, void *arg, struct leat_error *err)
{
    z_stream *z = &c->zlib;
    int code = Z_OK;

    do { /* zlib counts in 32 bits */
        size_t n = text.len < (1u << 30) ? text.len : (1u << 30);
        bool last = n == text.len;
        z->next_in = (const Bytef *)text.ptr;
        z->avail_in = (uInt)n;
        text = (struct leat_slice){text.ptr + n, text.len - n};
        do {
            z->next_out = (Bytef *)c->out;
            z->avail_out = OUT_BYTES;
            code = deflate(z, end && last ? Z_FINISH : Z_NO_FLUSH);
            if (code == Z_STREAM_ERROR)
                return leat_fail(err, LEAT_E_IO, "%s: %s", names[c->kind],
                                 z->msg ? z->msg : "failed");
            if (hand_out(c, OUT_BYTES - z->avail_out, out, arg, err) != LEAT_OK)
                return err->status;
        } while (z->avail_out == 0);
    } while (text.len);
    if (end)
        deflateReset(z);
    return LEAT_OK;
}

static enum leat_status write_zstd(struct leat_compressor *c, struct leat_slice text, bool end,
                                   leat_compressed *out, void *arg, struct leat_error *err)
{
    ZSTD_inBuffer in = {text.ptr, text.len, 0};
    size_t left;

    do {
        ZSTD_outBuffer to = {c->out, OUT_BYTES, 0};
        left = ZSTD_compressStream2(c->zstd, &to, &in, end ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left))
            return leat_fail(err, LEAT_E_NOMEM, "zstd: %s", ZSTD_getErrorName(left));
        if (hand_out(c, to.pos, out, arg, err) != LEAT_OK)
            return err->status;
    } while (end ? left != 0 : in.pos < in.size);
    return LEAT_OK;
}

static enum leat_status write_lz4(struct leat_compressor *c, struct leat_slice text, bool end,
                                  leat_compressed *out, void *arg, struct leat_error *err)
{
    size_t n = 0;

    if (!c->is_open)
        n = LZ4F_compressBegin(c->lz4, c->out, OUT_BYTES, &lz4_preferences);
    for (;;) {
        if (LZ4F_isError(n))
            return leat_fail(err, LEAT_E_NOMEM, "lz4: %s", LZ4F_getErrorName(n));
        if (hand_out(c, n, out, arg, err) != LEAT_OK)
            return err->status;
        if (text.len == 0)
            break;
        size_t piece = text.len < IN_BYTES ? text.len : IN_BYTES;
        n = LZ4F_compressUpdate(c->lz4, c->out, OUT_BYTES, text.ptr, piece, NULL);
        text = (struct leat_slice){text.ptr + piece, text.len - piece};
    }
    if (!end)
        return LEAT_OK;
    n = LZ4F_compressEnd(c->lz4, c->out, OUT_BYTES, NULL);
    if (LZ4F_isError(n))
        return leat_fail(err, LEAT_E_NOMEM, "lz4: %s", LZ4F_getErrorName(n));
    return hand_out(c, n, out, arg, err);
}

enum leat_status leat_compressor_write(struct leat_compressor *c, struct leat_slice text, bool end,
                                       leat_compressed *out, void *arg, struct leat_error *err)
{
    enum leat_status status = LEAT_OK;

    if (text.len == 0 && (!end || !c->is_open))
        return LEAT_OK;
    if (!text.ptr)
        text.ptr = "";
    switch (c->kind) {
    case LEAT_COMPRESSION_NONE:
        for (size_t n; text.len && status == LEAT_OK; text.ptr += n, text.len -= n) {
            n = text.len < OUT_BYTES ? text.len : OUT_BYTES;
            status = out(arg, (struct leat_slice){text.ptr, n}, err);
        }
        break;
    case LEAT_COMPRESSION_GZIP:
    case LEAT_COMPRESSION_DEFLATE:
    case LEAT_COMPRESSION_ZLIB:
        status = write_zlib(c, text, end, out, arg, err);
        break;
    case LEAT_COMPRESSION_ZSTD:
        status = write_zstd(c, text, end, out, arg, err);
        break;
    case LEAT_COMPRESSION_LZ4:
        status = write_lz4(c, text, end, out, arg, err);
        break;
    }
    c->is_open = !end;
    return status;
}

/* --- reading --- */

struct leat_decompressor {
    enum leat_compression kind;
    bool at_border, is_made, is_broken;
    z_stream zlib;
    ZSTD_DCtx *zstd;
    LZ4F_dctx *lz4;
};

struct leat_decompressor *leat_decompressor_new(enum leat_compression kind, struct leat_error *err)
{
    struct leat_decompressor *d = leat_mem_alloc(sizeof *d);
    bool ok = d != NULL;

    if (!ok)
        goto fail;
    d->kind = kind;
    d->at_border = kind != LEAT_COMPRESSION_DEFLATE;
    d->zlib.zalloc = zlib_alloc;
    d->zlib.zfree = zlib_free;
    if (is_zlib(kind))
        ok = d->is_made = inflateInit2(&d->zlib, window_of(kind)) == Z_OK;
    else if (kind == LEAT_COMPRESSION_ZSTD)
        ok = (d->zstd = ZSTD_createDCtx()) != NULL &&
             !ZSTD_isError(ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG));
    else if (kind == LEAT_COMPRESSION_LZ4)
        ok = !LZ4F_isError(LZ4F_createDecompressionContext(&d->lz4, LZ4F_VERSION));
    if (ok)
        return d;
fail:
    leat_decompressor_free(d);
    leat_fail(err, LEAT_E_NOMEM, "out of memory");
    return NULL;
}

void leat_decompressor_free(struct leat_decompressor *d)
{
    if (!d)
        return;
    if (d->is_made)
        inflateEnd(&d->zlib);
    ZSTD_freeDCtx(d->zstd);
    LZ4F_freeDecompressionContext(d->lz4);
    leat_mem_free(d);
}

static enum leat_status broken(struct leat_decompressor *d, const char *why, struct leat_error *err)
{
    d->is_broken = true;
    return leat_fail(err, LEAT_E_CORRUPT, "not %s: %s", names[d->kind], why);
}

/* One step of a library: from *from into the room, counting in *made. */
static enum leat_status step_zlib(struct leat_decompressor *d, struct leat_slice *from, char *into,
                                  size_t room, size_t *made, struct leat_error *err)
{
    z_stream *z = &d->zlib;
    size_t n = from->len < (1u << 30) ? from->len : (1u << 30);
    size_t space = room < (1u << 30) ? room : (1u << 30);

    if (d->at_border && d->kind == LEAT_COMPRESSION_DEFLATE)
        *from = (struct leat_slice){from->ptr + from->len, 0};
    if (d->at_border && from->len == 0)
        return LEAT_OK;
    z->next_in = (const Bytef *)from->ptr;
    z->avail_in = (uInt)n;
    z->next_out = (Bytef *)into;
    z->avail_out = (uInt)space;
    int code = inflate(z, Z_NO_FLUSH);
    *from = (struct leat_slice){from->ptr + (n - z->avail_in), from->len - (n - z->avail_in)};
    *made += space - z->avail_out;
    d->at_border = code == Z_STREAM_END;
    if (code == Z_STREAM_END)
        inflateReset(z);
    else if (code == Z_MEM_ERROR)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    else if (code != Z_OK && code != Z_BUF_ERROR)
        return broken(d, z->msg ? z->msg : "damaged", err);
    return LEAT_OK;
}

static enum leat_status step_zstd(struct leat_decompressor *d, struct leat_slice *from, char *into,
                                  size_t room, size_t *made, struct leat_error *err)
{
    ZSTD_inBuffer in = {from->ptr, from->len, 0};
    ZSTD_outBuffer to = {into, room, 0};
    size_t left = ZSTD_decompressStream(d->zstd, &to, &in);

    if (ZSTD_isError(left))
        return broken(d, ZSTD_getErrorName(left), err);
    *from = (struct leat_slice){from->ptr + in.pos, from->len - in.pos};
    *made += to.pos;
    if (in.pos || to.pos)
        d->at_border = left == 0;
    return LEAT_OK;
}

static enum leat_status step_lz4(struct leat_decompressor *d, struct leat_slice *from, char *into,
                                 size_t room, size_t *made, struct leat_error *err)
{
    size_t taken = from->len, given = room;
    size_t left = LZ4F_decompress(d->lz4, into, &given, from->ptr, &taken, NULL);

    if (LZ4F_isError(left))
        return broken(d, LZ4F_getErrorName(left), err);
    *from = (struct leat_slice){from->ptr + taken, from->len - taken};
    *made += given;
    if (taken || given)
        d->at_border = left == 0;
    return LEAT_OK;
}

static enum leat_status step_none(struct leat_slice *from, char *into, size_t room, size_t *made)
{
    size_t n = from->len < room ? from->len : room;

    if (n)
        memcpy(into, from->ptr, n);
    *from = (struct leat_slice){from->ptr + n, from->len - n};
    *made += n;
    return LEAT_OK;
}

static enum leat_status step(struct leat_decompressor *d, struct leat_slice *from, char *into,
                             size_t room, size_t *made, struct leat_error *err)
{
    switch (d->kind) {
    case LEAT_COMPRESSION_GZIP:
    case LEAT_COMPRESSION_DEFLATE:
    case LEAT_COMPRESSION_ZLIB:
        return step_zlib(d, from, into, room, made, err);
    case LEAT_COMPRESSION_ZSTD:
        return step_zstd(d, from, into, room, made, err);
    case LEAT_COMPRESSION_LZ4:
        return step_lz4(d, from, into, room, made, err);
    case LEAT_COMPRESSION_NONE:
    default:
        return step_none(from, into, room, made);
    }
}

enum leat_status leat_decompressor_read(struct leat_decompressor *d, struct leat_slice *from,
                                        char *into, size_t room, size_t *made,
                                        struct leat_error *err)
{
    size_t before_from, before_made;

    *made = 0;
    if (d->is_broken)
        return broken(d, "damaged", err);
    do {
        before_from = from->len;
        before_made = *made;
        if (step(d, from, into + *made, room - *made, made, err) != LEAT_OK)
            return err->status;
    } while (*made < room && (from->len != before_from || *made != before_made));
    if (*made < room && from->len)
        return broken(d, "no progress", err);
    return LEAT_OK;
}

bool leat_decompressor_at_border(const struct leat_decompressor *d)
{
    return d->at_border;
}
