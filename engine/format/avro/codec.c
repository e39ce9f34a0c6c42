/* codec.c - the records of a container's block, packed and unpacked; within bounds either way. */
#include "container.h"

#include <endian.h>
#include <snappy-c.h>

#define ZLIB_CONST /* next_in points to const */
#include <zlib.h>

#define RAW_WINDOW (-15) /* 32 KiB, deflate without anything around it */
#define CRC_BYTES  4     /* behind what snappy makes: zlib's CRC-32, big endian */
#define ROOM_FIRST ((size_t)64 * 1024)

/* What zstandard makes of nothing; the library gives no bytes at all for it. */
static const char empty_frame[] = {0x28, '\xb5', 0x2f, '\xfd', 0x20, 0, 1, 0, 0};

const char *const avro_codecs[] = {"null", "deflate", "snappy", "zstandard", NULL};

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

static enum leat_status no_memory(struct leat_error *err)
{
    return leat_fail(err, LEAT_E_NOMEM, "out of memory");
}

/* ---- unpacking */

static enum leat_status too_long(struct leat_error *err)
{
    return leat_fail(err, LEAT_E_CORRUPT, "it holds more than %zu MiB", AVRO_BLOCK_BYTES >> 20);
}

/* Room for `bytes` more. */
static enum leat_status room_for(struct leat_block **block, size_t bytes, struct leat_error *err)
{
    size_t need = (*block)->bytes.len + bytes;

    return need <= (*block)->room ? LEAT_OK : leat_block_grow(block, need, err);
}

/* More room where it is used up, twice as much as `made` so far. */
static enum leat_status more_room(struct leat_block **block, size_t made, struct leat_error *err)
{
    if ((*block)->room > (*block)->bytes.len)
        return LEAT_OK;
    if (made > AVRO_BLOCK_BYTES)
        return too_long(err);
    size_t more = made < ROOM_FIRST ? ROOM_FIRST : made;
    size_t left = AVRO_BLOCK_BYTES + 1 - made; /* one more, to see that it is too long */
    return room_for(block, more < left ? more : left, err);
}

static enum leat_status inflate_all(z_stream *z, struct leat_block **block, struct leat_error *err)
{
    size_t begin = (*block)->bytes.len;
    int code = Z_OK;

    while (code != Z_STREAM_END) {
        if (more_room(block, (*block)->bytes.len - begin, err) != LEAT_OK)
            return err->status;
        size_t room = (*block)->room - (*block)->bytes.len;
        z->next_out = (Bytef *)leat_block_buffer(*block) + (*block)->bytes.len;
        z->avail_out = (uInt)(room < (1u << 30) ? room : (1u << 30));
        room = z->avail_out;
        code = inflate(z, Z_NO_FLUSH);
        (*block)->bytes.len += room - z->avail_out;
        if (code == Z_MEM_ERROR)
            return no_memory(err);
        if (code == Z_BUF_ERROR || (code == Z_OK && z->avail_in == 0 && z->avail_out))
            return leat_fail(err, LEAT_E_CORRUPT, "not deflate: it ends too early");
        if (code != Z_OK && code != Z_STREAM_END)
            return leat_fail(err, LEAT_E_CORRUPT, "not deflate: %s", z->msg ? z->msg : "damaged");
    }
    if ((*block)->bytes.len - begin > AVRO_BLOCK_BYTES)
        return too_long(err);
    return LEAT_OK; /* some writers leave a part of zlib's trailer behind it */
}

static enum leat_status unpack_deflate(struct leat_slice packed, struct leat_block **block,
                                       struct leat_error *err)
{
    z_stream z = {.zalloc = zlib_alloc,
                  .zfree = zlib_free,
                  .next_in = (const Bytef *)packed.ptr,
                  .avail_in = (uInt)packed.len};

    if (inflateInit2(&z, RAW_WINDOW) != Z_OK)
        return no_memory(err);
    enum leat_status status = inflate_all(&z, block, err);
    inflateEnd(&z);
    return status;
}

static uint32_t crc_of(const char *bytes, size_t len)
{
    return (uint32_t)crc32(0, (const Bytef *)bytes, (uInt)len);
}

static enum leat_status unpack_snappy(struct leat_slice packed, struct leat_block **block,
                                      struct leat_error *err)
{
    size_t len = 0;
    uint32_t crc;

    if (packed.len < CRC_BYTES ||
        snappy_uncompressed_length(packed.ptr, packed.len - CRC_BYTES, &len) != SNAPPY_OK)
        return leat_fail(err, LEAT_E_CORRUPT, "not snappy");
    packed.len -= CRC_BYTES;
    if (len > AVRO_BLOCK_BYTES)
        return too_long(err);
    if (room_for(block, len, err) != LEAT_OK)
        return err->status;
    char *to = leat_block_buffer(*block) + (*block)->bytes.len;
    if (snappy_uncompress(packed.ptr, packed.len, to, &len) != SNAPPY_OK)
        return leat_fail(err, LEAT_E_CORRUPT, "not snappy");
    memcpy(&crc, packed.ptr + packed.len, sizeof crc);
    if (crc_of(to, len) != be32toh(crc))
        return leat_fail(err, LEAT_E_CORRUPT, "its checksum does not fit");
    (*block)->bytes.len += len;
    return LEAT_OK;
}

static enum leat_status unpack_zstd(struct leat_slice packed, struct leat_block **block,
                                    struct leat_error *err)
{
    struct leat_decompressor *d = leat_decompressor_new(LEAT_COMPRESSION_ZSTD, err);
    size_t begin = (*block)->bytes.len, made = 1, room = 1;
    enum leat_status status = d ? LEAT_OK : err->status;

    while (status == LEAT_OK && made == room) {
        status = more_room(block, (*block)->bytes.len - begin, err);
        if (status != LEAT_OK)
            break;
        room = (*block)->room - (*block)->bytes.len;
        status = leat_decompressor_read(d, &packed, leat_block_buffer(*block) + (*block)->bytes.len,
                                        room, &made, err);
        if (status == LEAT_OK)
            (*block)->bytes.len += made;
    }
    if (status == LEAT_OK && (*block)->bytes.len - begin > AVRO_BLOCK_BYTES)
        status = too_long(err);
    if (status == LEAT_OK && !leat_decompressor_at_border(d))
        status = leat_fail(err, LEAT_E_CORRUPT, "not zstd: it ends too early");
    leat_decompressor_free(d);
    return status;
}

enum leat_status avro_unpack(enum avro_codec codec, struct leat_slice packed,
                             struct leat_block **block, struct leat_error *err)
{
    switch (codec) {
    case AVRO_CODEC_DEFLATE:
        return unpack_deflate(packed, block, err);
    case AVRO_CODEC_SNAPPY:
        return unpack_snappy(packed, block, err);
    case AVRO_CODEC_ZSTANDARD:
        return unpack_zstd(packed, block, err);
    case AVRO_CODEC_NULL:
    default:
        if (room_for(block, packed.len, err) != LEAT_OK)
            return err->status;
        if (packed.len)
            memcpy(leat_block_buffer(*block) + (*block)->bytes.len, packed.ptr, packed.len);
        (*block)->bytes.len += packed.len;
        return LEAT_OK;
    }
}

/* ---- packing */

struct avro_packer {
    enum avro_codec codec;
    z_stream z;
    bool is_made; /* deflateInit2() was called */
    struct leat_compressor *zstd;
    char *bytes;
    size_t len, room;
};

struct avro_packer *avro_packer_new(enum avro_codec codec)
{
    struct avro_packer *p = leat_mem_alloc(sizeof *p);
    struct leat_error err;

    if (!p)
        return NULL;
    p->codec = codec;
    p->z.zalloc = zlib_alloc;
    p->z.zfree = zlib_free;
    bool ok = true;
    if (codec == AVRO_CODEC_DEFLATE)
        ok = p->is_made = deflateInit2(&p->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, RAW_WINDOW, 8,
                                       Z_DEFAULT_STRATEGY) == Z_OK;
    else if (codec == AVRO_CODEC_ZSTANDARD)
        ok = (p->zstd = leat_compressor_new(LEAT_COMPRESSION_ZSTD, &err)) != NULL;
    if (ok)
        return p;
    avro_packer_free(p);
    return NULL;
}

void avro_packer_free(struct avro_packer *p)
{
    if (!p)
        return;
    if (p->is_made)
        deflateEnd(&p->z);
    leat_compressor_free(p->zstd);
    leat_mem_free(p->bytes);
    leat_mem_free(p);
}

/* Room for so many bytes in all; what is there stays. */
static enum leat_status make_room(struct avro_packer *p, size_t room, struct leat_error *err)
{
    if (room <= p->room)
        return LEAT_OK;
    char *bytes = leat_mem_alloc_raw(room);
    if (!bytes)
        return no_memory(err);
    if (p->len)
        memcpy(bytes, p->bytes, p->len);
    leat_mem_free(p->bytes);
    p->bytes = bytes;
    p->room = room;
    return LEAT_OK;
}

static enum leat_status pack_deflate(struct avro_packer *p, struct leat_slice rows,
                                     struct leat_error *err)
{
    if (make_room(p, deflateBound(&p->z, (uLong)rows.len), err) != LEAT_OK)
        return err->status;
    p->z.next_in = (const Bytef *)rows.ptr;
    p->z.avail_in = (uInt)rows.len;
    p->z.next_out = (Bytef *)p->bytes;
    p->z.avail_out = (uInt)p->room;
    int code = deflate(&p->z, Z_FINISH);
    p->len = p->room - p->z.avail_out;
    deflateReset(&p->z);
    return code == Z_STREAM_END ? LEAT_OK : leat_fail(err, LEAT_E_IO, "deflate failed");
}

static enum leat_status pack_snappy(struct avro_packer *p, struct leat_slice rows,
                                    struct leat_error *err)
{
    uint32_t crc = htobe32(crc_of(rows.ptr, rows.len));

    if (make_room(p, snappy_max_compressed_length(rows.len) + CRC_BYTES, err) != LEAT_OK)
        return err->status;
    p->len = p->room - CRC_BYTES;
    if (snappy_compress(rows.ptr, rows.len, p->bytes, &p->len) != SNAPPY_OK)
        return leat_fail(err, LEAT_E_IO, "snappy failed");
    memcpy(p->bytes + p->len, &crc, sizeof crc);
    p->len += CRC_BYTES;
    return LEAT_OK;
}

static enum leat_status append(void *arg, struct leat_slice bytes, struct leat_error *err)
{
    struct avro_packer *p = arg;

    if (p->len + bytes.len > p->room && make_room(p, 2 * p->room + bytes.len, err) != LEAT_OK)
        return err->status;
    memcpy(p->bytes + p->len, bytes.ptr, bytes.len);
    p->len += bytes.len;
    return LEAT_OK;
}

static enum leat_status pack_zstd(struct avro_packer *p, struct leat_slice rows,
                                  struct leat_error *err)
{
    if (rows.len == 0)
        return append(p, (struct leat_slice){empty_frame, sizeof empty_frame}, err);
    if (!p->zstd && !(p->zstd = leat_compressor_new(LEAT_COMPRESSION_ZSTD, err)))
        return err->status;
    enum leat_status status = leat_compressor_write(p->zstd, rows, true, append, p, err);
    if (status != LEAT_OK) { /* it holds half a frame */
        leat_compressor_free(p->zstd);
        p->zstd = NULL;
    }
    return status;
}

enum leat_status avro_pack(struct avro_packer *p, struct leat_slice rows, struct leat_slice *packed,
                           struct leat_error *err)
{
    enum leat_status status = LEAT_OK;

    if (!rows.ptr)
        rows.ptr = "";
    p->len = 0;
    if (p->codec == AVRO_CODEC_DEFLATE)
        status = pack_deflate(p, rows, err);
    else if (p->codec == AVRO_CODEC_SNAPPY)
        status = pack_snappy(p, rows, err);
    else if (p->codec == AVRO_CODEC_ZSTANDARD)
        status = pack_zstd(p, rows, err);
    *packed = p->codec == AVRO_CODEC_NULL ? rows : (struct leat_slice){p->bytes, p->len};
    return status;
}
