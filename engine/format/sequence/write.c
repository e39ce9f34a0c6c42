/*
 * write.c - SequenceFiles that are written: rows become a block, and what of a file is whole.
 *
 * A row comes as a record that is not packed: the two lengths, key and value. Every block begins
 * with a sync marker, so that a reader who was given a part of the file finds where records begin.
 */
#include "sequence.h"

#define ROOM_FIRST ((size_t)128 * 1024)

/* Bytes that grow, and stay for the next block. */
struct room {
    char *ptr;
    size_t len, room;
};

struct packer {
    const struct sequence *s;
    char mark[SEQUENCE_MARK_BYTES];
    struct leat_compressor *compressor;
    struct room block, part;
};

void *sequence_packer(const void *self)
{
    const struct sequence *s = self;
    struct packer *p = leat_mem_alloc(sizeof *p);

    if (!p)
        return NULL;
    p->s = s;
    memset(p->mark, 0xff, 4);
    memcpy(p->mark + 4, s->head.ptr + s->head.len - SEQUENCE_SYNC_BYTES, SEQUENCE_SYNC_BYTES);
    return p;
}

void sequence_packer_free(void *packer)
{
    struct packer *p = packer;

    if (!p)
        return;
    leat_compressor_free(p->compressor);
    leat_mem_free(p->block.ptr);
    leat_mem_free(p->part.ptr);
    leat_mem_free(p);
}

static enum leat_status put(struct room *r, const char *bytes, size_t len, struct leat_error *err)
{
    if (r->room - r->len < len) {
        size_t room = 2 * r->room > r->len + len ? 2 * r->room : r->len + len + ROOM_FIRST;
        char *ptr = leat_mem_alloc_raw(room);
        if (!ptr)
            return leat_fail(err, LEAT_E_NOMEM, "out of memory");
        if (r->len)
            memcpy(ptr, r->ptr, r->len);
        leat_mem_free(r->ptr);
        r->ptr = ptr;
        r->room = room;
    }
    if (len)
        memcpy(r->ptr + r->len, bytes, len);
    r->len += len;
    return LEAT_OK;
}

static enum leat_status put_packed(void *arg, struct leat_slice bytes, struct leat_error *err)
{
    return put(arg, bytes.ptr, bytes.len, err);
}

/* ---- rows */

struct item {
    struct leat_slice key, value;
};

/* They were made by encode(): their lengths fit. */
static struct item take_row(struct leat_slice *rows)
{
    size_t bytes = (size_t)sequence_take_i32(rows->ptr);
    size_t key = (size_t)sequence_take_i32(rows->ptr + 4);
    const char *p = rows->ptr + SEQUENCE_FRONT_BYTES;

    *rows = (struct leat_slice){p + bytes, rows->len - SEQUENCE_FRONT_BYTES - bytes};
    return (struct item){{p, key}, {p + key, bytes - key}};
}

/* Append what these bytes and those before make when they are packed; `end`: that is all. */
static enum leat_status pack(struct packer *p, struct leat_slice bytes, bool end, struct room *into,
                             struct leat_error *err)
{
    if (!p->compressor && !(p->compressor = leat_compressor_new(sequence_compression(p->s), err)))
        return err->status;
    enum leat_status status =
        leat_compressor_write(p->compressor, bytes, end, put_packed, into, err);
    if (status != LEAT_OK) { /* it holds half of something */
        leat_compressor_free(p->compressor);
        p->compressor = NULL;
    }
    return status;
}

static enum leat_status pack_record(struct packer *p, struct leat_slice *rows,
                                    struct leat_error *err)
{
    char front[SEQUENCE_FRONT_BYTES];
    struct item item = take_row(rows);
    size_t at = p->block.len;

    if (put(&p->block, front, sizeof front, err) != LEAT_OK ||
        put(&p->block, item.key.ptr, item.key.len, err) != LEAT_OK ||
        pack(p, item.value, true, &p->block, err) != LEAT_OK)
        return err->status;
    sequence_put_i32(p->block.ptr + at, (int32_t)(p->block.len - at - SEQUENCE_FRONT_BYTES));
    sequence_put_i32(p->block.ptr + at + 4, (int32_t)item.key.len);
    return LEAT_OK;
}

enum part { KEY_LENGTHS, KEYS, VALUE_LENGTHS, VALUES, PARTS };

static enum leat_status pack_part(struct packer *p, enum part part, struct leat_slice rows,
                                  struct leat_error *err)
{
    char front[SEQUENCE_VINT_BYTES];

    p->part.len = 0;
    while (rows.len) {
        struct item item = take_row(&rows);
        struct leat_slice bytes = part == KEY_LENGTHS || part == KEYS ? item.key : item.value;
        if (part == KEY_LENGTHS || part == VALUE_LENGTHS)
            bytes = (struct leat_slice){front, sequence_vint(front, bytes.len)};
        if (pack(p, bytes, false, &p->part, err) != LEAT_OK)
            return err->status;
    }
    if (pack(p, (struct leat_slice){0}, true, &p->part, err) != LEAT_OK ||
        put(&p->block, front, sequence_vint(front, p->part.len), err) != LEAT_OK)
        return err->status;
    return put(&p->block, p->part.ptr, p->part.len, err);
}

static enum leat_status pack_rows(struct packer *p, struct leat_slice rows, uint32_t count,
                                  struct leat_error *err)
{
    char front[SEQUENCE_VINT_BYTES];

    if (p->s->compress.index == SEQUENCE_RECORDS) {
        while (rows.len)
            if (pack_record(p, &rows, err) != LEAT_OK)
                return err->status;
        return LEAT_OK;
    }
    if (put(&p->block, front, sequence_vint(front, count), err) != LEAT_OK)
        return err->status;
    for (int part = 0; part < PARTS; part++)
        if (pack_part(p, (enum part)part, rows, err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

static enum leat_status too_long(size_t bytes, struct leat_error *err)
{
    return leat_fail(err, LEAT_E_DATA,
                     "SequenceFile: a record of %zu MiB, and none is read of more than %zu",
                     bytes >> 20, SEQUENCE_RECORD_BYTES >> 20);
}

/* Rows come in blocks of some KiB: one that is too long is one record. It may also become so: what
 * cannot be packed grows. */
enum leat_status sequence_pack(void *packer, struct leat_slice rows, uint32_t count,
                               leat_compressed *out, void *arg, struct leat_error *err)
{
    struct packer *p = packer;

    if (rows.len > SEQUENCE_RECORD_BYTES)
        return too_long(rows.len, err);
    p->block.len = 0;
    if (p->s->compress.index != SEQUENCE_PLAIN) {
        if (pack_rows(p, rows, count, err) != LEAT_OK)
            return err->status;
        rows = (struct leat_slice){p->block.ptr, p->block.len};
    }
    if (rows.len > SEQUENCE_RECORD_BYTES)
        return too_long(rows.len, err);
    if (out(arg, (struct leat_slice){p->mark, SEQUENCE_MARK_BYTES}, err) != LEAT_OK)
        return err->status;
    return out(arg, rows, err);
}

enum leat_status sequence_whole(const void *self, const struct leat_container_file *file,
                                int64_t *end, struct leat_error *err)
{
    return leat_container_reader_whole(&sequence_kind, self, file, end, err);
}
