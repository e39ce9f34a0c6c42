/* codec.c - the records of a container's block, packed and unpacked; within bounds either way. */
#include "container.h"

#include <endian.h>
#include <zlib.h>

#define CRC_BYTES  4 /* behind what snappy makes: zlib's CRC-32, big endian */
#define ROOM_FIRST ((size_t)64 * 1024)

/* Codecs that are a compression of data/compress.h, with what they make of nothing: that gives no
 * bytes at all there. */
static const struct stream {
    enum leat_compression kind;
    struct leat_slice empty;
} streams[] = {
    [AVRO_CODEC_DEFLATE] = {LEAT_COMPRESSION_DEFLATE, {"\x03\x00", 2}},
    [AVRO_CODEC_ZSTANDARD] = {LEAT_COMPRESSION_ZSTD, {"\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00", 9}},
};

const char *const avro_codecs[] = {"null", "deflate", "snappy", "zstandard", NULL};

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

static uint32_t crc_of(const char *bytes, size_t len)
{
    return (uint32_t)crc32(0, (const Bytef *)bytes, (uInt)len);
}

static enum leat_status unpack_snappy(struct leat_slice packed, struct leat_block **block,
                                      struct leat_error *err)
{
    size_t len = 0;
    uint32_t crc;

    if (packed.len < CRC_BYTES)
        return leat_fail(err, LEAT_E_CORRUPT, "not snappy");
    packed.len -= CRC_BYTES;
    if (avro_snappy_length(packed, &len, err) != LEAT_OK)
        return err->status;
    if (len > AVRO_BLOCK_BYTES)
        return too_long(err);
    if (room_for(block, len, err) != LEAT_OK)
        return err->status;
    char *to = leat_block_buffer(*block) + (*block)->bytes.len;
    if (avro_snappy_unpack(packed, to, &len, err) != LEAT_OK)
        return err->status;
    memcpy(&crc, packed.ptr + packed.len, sizeof crc);
    if (crc_of(to, len) != be32toh(crc))
        return leat_fail(err, LEAT_E_CORRUPT, "its checksum does not fit");
    (*block)->bytes.len += len;
    return LEAT_OK;
}

/* Some writers leave a part of zlib's trailer behind deflate. */
static enum leat_status unpack_stream(enum leat_compression kind, struct leat_slice packed,
                                      struct leat_block **block, struct leat_error *err)
{
    struct leat_decompressor *d = leat_decompressor_new(kind, err);
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
        status = leat_fail(err, LEAT_E_CORRUPT, "what is packed in it ends too early");
    leat_decompressor_free(d);
    return status;
}

enum leat_status avro_unpack(enum avro_codec codec, struct leat_slice packed,
                             struct leat_block **block, struct leat_error *err)
{
    switch (codec) {
    case AVRO_CODEC_DEFLATE:
    case AVRO_CODEC_ZSTANDARD:
        return unpack_stream(streams[codec].kind, packed, block, err);
    case AVRO_CODEC_SNAPPY:
        return unpack_snappy(packed, block, err);
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
    struct leat_compressor *stream; /* of deflate and zstandard; NULL: not made yet */
    char *bytes;
    size_t len, room;
};

struct avro_packer *avro_packer_new(enum avro_codec codec)
{
    struct avro_packer *p = leat_mem_alloc(sizeof *p);

    if (p)
        p->codec = codec;
    return p;
}

void avro_packer_free(struct avro_packer *p)
{
    if (!p)
        return;
    leat_compressor_free(p->stream);
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

static enum leat_status pack_snappy(struct avro_packer *p, struct leat_slice rows,
                                    struct leat_error *err)
{
    uint32_t crc = htobe32(crc_of(rows.ptr, rows.len));

    if (make_room(p, avro_snappy_most(rows.len) + CRC_BYTES, err) != LEAT_OK)
        return err->status;
    p->len = p->room - CRC_BYTES;
    if (avro_snappy_pack(rows, p->bytes, &p->len, err) != LEAT_OK)
        return err->status;
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

static enum leat_status pack_stream(struct avro_packer *p, struct leat_slice rows,
                                    struct leat_error *err)
{
    const struct stream *s = &streams[p->codec];

    if (rows.len == 0)
        return append(p, s->empty, err);
    if (!p->stream && !(p->stream = leat_compressor_new(s->kind, err)))
        return err->status;
    enum leat_status status = leat_compressor_write(p->stream, rows, true, append, p, err);
    if (status != LEAT_OK) { /* it holds half a frame */
        leat_compressor_free(p->stream);
        p->stream = NULL;
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
    if (p->codec == AVRO_CODEC_SNAPPY)
        status = pack_snappy(p, rows, err);
    else if (p->codec != AVRO_CODEC_NULL)
        status = pack_stream(p, rows, err);
    *packed = p->codec == AVRO_CODEC_NULL ? rows : (struct leat_slice){p->bytes, p->len};
    return status;
}
