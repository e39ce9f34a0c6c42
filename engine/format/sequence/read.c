/*
 * read.c - SequenceFiles that are read: records and blocks of a file become rows of a leat_block.
 *
 * All of it on the job's thread; a format's decode() makes values of the rows.
 */
#include "sequence.h"

#include <inttypes.h>

#define KEY_FRONT ((size_t)4) /* the length of a key in a row */
#define ROW_FRONT (sizeof(struct sequence_row) + KEY_FRONT)

static bool container_used(const void *self)
{
    (void)self;
    return true;
}

static void *container_open(const void *self, const struct leat_env *env)
{
    struct sequence_reader *r =
        leat_container_reader_open(&sequence_kind, self, env, &sequence_written(0, 0)->coding);

    if (!r)
        return NULL;
    r->max_record = SEQUENCE_RECORD_BYTES;
    if (env->max_record_bytes > 0 && (uint64_t)env->max_record_bytes < SEQUENCE_RECORD_BYTES)
        r->max_record = (size_t)env->max_record_bytes;
    return r;
}

static void container_close(void *reader)
{
    struct sequence_reader *r = reader;

    if (r)
        leat_decompressor_free(r->decompressor);
    leat_container_reader_close(r);
}

static enum leat_status read_head(struct leat_container_reader *base, struct leat_slice bytes,
                                  struct leat_error *err)
{
    struct sequence_reader *r = (void *)base;

    if (sequence_head_read(bytes, &r->head, err) != LEAT_OK)
        return err->status;
    memset(base->mark, 0xff, 4);
    memcpy(base->mark + 4, r->head.sync, SEQUENCE_SYNC_BYTES);
    base->begin = (int64_t)r->head.bytes;
    base->coding = &sequence_written(r->head.key, r->head.value)->coding;
    return LEAT_OK;
}

/* ---- room */

static char *end_of(struct leat_block *b)
{
    return leat_block_buffer(b) + b->bytes.len;
}

static enum leat_status became_shorter(const struct sequence_reader *r, int64_t at,
                                       struct leat_error *err)
{
    return leat_fail(err, LEAT_E_LOST,
                     "'%s' became shorter while it was read: it ends behind byte %" PRId64,
                     r->base.file.path, at);
}

/* Bytes of the file, appended. */
static enum leat_status append_bytes(struct sequence_reader *r, struct leat_block **b, int64_t at,
                                     size_t n, struct leat_error *err)
{
    const struct leat_container_file *file = &r->base.file;
    struct leat_slice bytes = {0};
    size_t read = 0;

    if (leat_container_room(b, n, err) != LEAT_OK)
        return err->status;
    if (n <= LEAT_CONTAINER_WINDOW / 2) {
        if (leat_container_look(&r->base, at, n, &bytes, err) != LEAT_OK)
            return err->status;
        read = bytes.len;
        if (read)
            memcpy(end_of(*b), bytes.ptr, read);
    } else if (file->read(file->arg, at, end_of(*b), n, &read, err) != LEAT_OK) {
        return err->status;
    }
    if (read < n)
        return became_shorter(r, at, err);
    (*b)->bytes.len += n;
    return LEAT_OK;
}

/* ---- unpacking */

static void drop_decompressor(struct sequence_reader *r)
{
    leat_decompressor_free(r->decompressor);
    r->decompressor = NULL;
}

/* What `packed` holds, appended; *made: how much. No more than `most` of it where it may be `cut`,
 * else more is LEAT_E_CORRUPT. */
static enum leat_status unpack(struct sequence_reader *r, struct leat_slice packed,
                               struct leat_block **b, size_t most, bool cut, size_t *made,
                               struct leat_error *err)
{
    enum leat_status status = LEAT_OK;

    *made = 0;
    if (packed.len == 0) /* of nothing some writers make nothing */
        return LEAT_OK;
    if (!r->decompressor && !(r->decompressor = leat_decompressor_new(r->head.codec, err)))
        return err->status;
    for (size_t room = 4 * packed.len + 64, n = 0; status == LEAT_OK; room = 2 * *made) {
        room = room < most + 1 - *made ? room : most + 1 - *made;
        status = leat_container_room(b, room, err);
        if (status != LEAT_OK)
            break;
        status = leat_decompressor_read(r->decompressor, &packed, end_of(*b), room, &n, err);
        (*b)->bytes.len += n;
        *made += n;
        if (status == LEAT_OK && *made > most) {
            drop_decompressor(r);
            return cut ? LEAT_OK
                       : leat_fail(err, LEAT_E_CORRUPT, "it holds more than %zu bytes", most);
        }
        if (n < room)
            break;
    }
    if (status == LEAT_OK && !leat_decompressor_at_border(r->decompressor))
        status = leat_fail(err, LEAT_E_CORRUPT, "what is compressed is cut off");
    if (status != LEAT_OK)
        drop_decompressor(r);
    return status;
}

/* ---- rows */

static void put_row(struct leat_block *b, size_t at, struct sequence_row row)
{
    memcpy(leat_block_buffer(b) + at, &row, sizeof row);
    b->rows_hint++;
}

/* How many of `bytes` still fit into a record that has so many. */
static size_t within(const struct sequence_reader *r, size_t has, size_t bytes)
{
    size_t most = has > r->max_record ? 0 : r->max_record + 1 - has;

    return bytes < most ? bytes : most;
}

/* Behind the row's own front: the length of the key. */
static enum leat_status begin_row(struct leat_block **b, size_t key, struct leat_error *err)
{
    if (leat_container_room(b, ROW_FRONT, err) != LEAT_OK)
        return err->status;
    sequence_put_i32(end_of(*b) + sizeof(struct sequence_row), (int32_t)key);
    (*b)->bytes.len += ROW_FRONT;
    return LEAT_OK;
}

/* It began at `at`. */
static void end_row(const struct sequence_reader *r, struct leat_block *b, size_t at,
                    int64_t position)
{
    size_t bytes = within(r, 0, b->bytes.len - at - sizeof(struct sequence_row));

    b->bytes.len = at + sizeof(struct sequence_row) + bytes;
    put_row(b, at, (struct sequence_row){.position = position, .bytes = (uint32_t)bytes});
}

/* The value of a record that is packed by itself, behind a key of so many bytes. */
static enum leat_status unpack_value(struct sequence_reader *r, struct leat_block **b,
                                     const struct leat_frame *frame, size_t key,
                                     struct leat_error *err)
{
    struct leat_block *packed = NULL;
    struct leat_slice bytes = {0};
    uint32_t n = frame->parts[1].bytes;
    size_t most = within(r, KEY_FRONT + key, SIZE_MAX), made;

    if (most == 0)
        return LEAT_OK;
    if (n <= LEAT_CONTAINER_WINDOW / 2) {
        if (leat_container_look(&r->base, frame->parts[1].at, n, &bytes, err) != LEAT_OK)
            return err->status;
        return bytes.len == n ? unpack(r, bytes, b, most, true, &made, err)
                              : became_shorter(r, frame->at, err);
    }
    enum leat_status status = leat_block_new(r->base.budget, r->base.coding, n, &packed, err);
    if (status == LEAT_OK)
        status = append_bytes(r, &packed, frame->parts[1].at, n, err);
    if (status == LEAT_OK)
        status = unpack(r, packed->bytes, b, most, true, &made, err);
    leat_block_unref(packed);
    return status;
}

static enum leat_status add_record(struct sequence_reader *r, struct leat_block **b,
                                   const struct leat_frame *frame, struct leat_error *err)
{
    size_t at = (*b)->bytes.len, key = frame->parts[0].bytes, plain = key;

    if (r->head.packing == SEQUENCE_PLAIN)
        plain += frame->parts[1].bytes;
    enum leat_status status = begin_row(b, key, err);
    if (status == LEAT_OK)
        status = append_bytes(r, b, frame->parts[0].at, within(r, KEY_FRONT, plain), err);
    if (status == LEAT_OK && r->head.packing == SEQUENCE_RECORDS)
        status = unpack_value(r, b, frame, key, err);
    if (status == LEAT_OK)
        end_row(r, *b, at, r->base.first);
    return status;
}

/* ---- blocks */

/* Key or value of the next record: its length, and its bytes within the limit. */
static enum leat_status take_item(struct leat_slice *lengths, struct leat_slice *from,
                                  struct leat_slice *item, struct leat_error *err)
{
    int64_t len;

    if (!sequence_take_vint(lengths, &len))
        return leat_fail(err, LEAT_E_CORRUPT, "there are fewer lengths than records");
    if (len < 0 || (uint64_t)len > from->len)
        return leat_fail(err, LEAT_E_CORRUPT, "a length that goes beyond the block");
    *item = (struct leat_slice){from->ptr, (size_t)len};
    *from = (struct leat_slice){from->ptr + len, from->len - (size_t)len};
    return LEAT_OK;
}

static enum leat_status append_slice(struct leat_block **b, struct leat_slice s, size_t n,
                                     struct leat_error *err)
{
    if (leat_container_room(b, n, err) != LEAT_OK)
        return err->status;
    if (n)
        memcpy(end_of(*b), s.ptr, n);
    (*b)->bytes.len += n;
    return LEAT_OK;
}

/* The records of an unpacked block from position `from` on. */
static enum leat_status add_records(struct sequence_reader *r, struct leat_block **b, int64_t from,
                                    const struct leat_frame *frame, struct leat_block *const *parts,
                                    struct leat_error *err)
{
    struct leat_slice rest[4], key = {0}, value = {0};

    for (int i = 0; i < 4; i++)
        rest[i] = parts[i]->bytes;
    for (int64_t position = r->base.first; position < r->base.first + frame->count; position++) {
        if (take_item(&rest[0], &rest[1], &key, err) != LEAT_OK ||
            take_item(&rest[2], &rest[3], &value, err) != LEAT_OK)
            return err->status;
        if (position < from)
            continue;
        size_t at = (*b)->bytes.len;
        if (begin_row(b, key.len, err) != LEAT_OK ||
            append_slice(b, key, within(r, KEY_FRONT, key.len), err) != LEAT_OK ||
            append_slice(b, value, within(r, KEY_FRONT + key.len, value.len), err) != LEAT_OK)
            return err->status;
        end_row(r, *b, at, position);
    }
    return rest[0].len || rest[1].len || rest[2].len || rest[3].len
               ? leat_fail(err, LEAT_E_CORRUPT, "something stands behind the last record")
               : LEAT_OK;
}

static enum leat_status unpack_part(struct sequence_reader *r, const struct leat_frame *frame,
                                    int i, struct leat_block **part, struct leat_error *err)
{
    size_t n = frame->parts[i].bytes, made;
    struct leat_block *packed = NULL;

    enum leat_status status = leat_block_new(r->base.budget, r->base.coding, n, &packed, err);
    if (status == LEAT_OK)
        status = append_bytes(r, &packed, frame->parts[i].at, n, err);
    if (status == LEAT_OK)
        status = leat_block_new(r->base.budget, r->base.coding, 2 * n, part, err);
    if (status == LEAT_OK)
        status = unpack(r, packed->bytes, part, SEQUENCE_RECORD_BYTES, false, &made, err);
    leat_block_unref(packed);
    return status;
}

static enum leat_status add_block(struct sequence_reader *r, struct leat_block **b, int64_t from,
                                  const struct leat_frame *frame, struct leat_error *err)
{
    struct leat_block *parts[4] = {0};
    enum leat_status status = LEAT_OK;

    for (int i = 0; i < 4 && status == LEAT_OK; i++)
        status = unpack_part(r, frame, i, &parts[i], err);
    if (status == LEAT_OK)
        status = add_records(r, b, from, frame, parts, err);
    for (int i = 0; i < 4; i++)
        leat_block_unref(parts[i]);
    return status;
}

/* ---- */

static enum leat_status add_frame(struct leat_container_reader *base, struct leat_block **b,
                                  int64_t from, const struct leat_frame *frame,
                                  struct leat_error *err)
{
    struct sequence_reader *r = (void *)base;

    return r->head.packing == SEQUENCE_BLOCKS ? add_block(r, b, from, frame, err)
                                              : add_record(r, b, frame, err);
}

static void end_damage(struct leat_block *b, size_t at, int64_t position, uint32_t count,
                       uint32_t text)
{
    struct sequence_row row = {.position = position, .damage = text};

    (void)count; /* of a block that is damaged only the first has a row */
    row.bytes = (uint32_t)(b->bytes.len - at - sizeof row - text);
    put_row(b, at, row);
}

const struct leat_container_kind sequence_kind = {
    .name = "SequenceFile",
    .size = sizeof(struct sequence_reader),
    .head_bytes = SEQUENCE_HEAD_BYTES,
    .front_bytes = SEQUENCE_NEXT_BYTES,
    .mark_bytes = SEQUENCE_MARK_BYTES,
    .damage_front = sizeof(struct sequence_row),
    .head = read_head,
    .next = sequence_next,
    .add = add_frame,
    .damage = end_damage,
};

const struct leat_container sequence_container = {
    .used = container_used,
    .open = container_open,
    .close = container_close,
    .fetch = leat_container_reader_fetch,
    .packer = sequence_packer,
    .packer_free = sequence_packer_free,
    .pack = sequence_pack,
    .whole = sequence_whole,
};
