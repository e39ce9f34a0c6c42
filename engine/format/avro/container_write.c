/* container_write.c - containers that are written: rows become blocks, and what of a file is whole.
 */
#include "container.h"

struct packer {
    const struct avro *avro;
    struct avro_packer *codec;
    char sync[AVRO_SYNC_BYTES];
};

void *avro_container_packer(const void *self)
{
    const struct avro *a = self;
    struct packer *p = leat_mem_alloc(sizeof *p);

    if (!p)
        return NULL;
    p->avro = a;
    p->codec = avro_packer_new((enum avro_codec)a->codec.index);
    memcpy(p->sync, a->head.ptr + a->head.len - AVRO_SYNC_BYTES, AVRO_SYNC_BYTES);
    if (p->codec)
        return p;
    leat_mem_free(p);
    return NULL;
}

void avro_container_packer_free(void *packer)
{
    struct packer *p = packer;

    if (!p)
        return;
    avro_packer_free(p->codec);
    leat_mem_free(p);
}

static enum leat_status too_long(size_t bytes, struct leat_error *err)
{
    return leat_fail(err, LEAT_E_DATA,
                     "Avro: a record of %zu MiB, and a block of a container has at most %zu",
                     bytes >> 20, AVRO_BLOCK_BYTES >> 20);
}

/* Rows come in blocks of some KiB: one that is too long is one record. */
enum leat_status avro_container_pack(void *packer, struct leat_slice rows, uint32_t count,
                                     leat_compressed *out, void *arg, struct leat_error *err)
{
    struct packer *p = packer;
    struct leat_slice packed;
    char front[2 * AVRO_LONG_BYTES];

    if (rows.len > AVRO_BLOCK_BYTES)
        return too_long(rows.len, err);
    if (avro_pack(p->codec, rows, &packed, err) != LEAT_OK)
        return err->status;
    if (packed.len > AVRO_BLOCK_BYTES)
        return too_long(packed.len, err);
    size_t len = avro_long(front, count);
    len += avro_long(front + len, packed.len);
    if (out(arg, (struct leat_slice){front, len}, err) != LEAT_OK)
        return err->status;
    if (packed.len && out(arg, packed, err) != LEAT_OK)
        return err->status;
    return out(arg, (struct leat_slice){p->sync, AVRO_SYNC_BYTES}, err);
}

enum leat_status avro_container_whole(const void *self, const struct leat_container_file *file,
                                      int64_t *end, struct leat_error *err)
{
    return leat_container_reader_whole(&avro_container_kind, self, file, end, err);
}
