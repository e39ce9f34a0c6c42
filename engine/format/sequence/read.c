/*
 * read.c - SequenceFiles that are read: records and blocks of a file become rows of a leat_block.
 *
 * All of it on the job's thread; a format's decode() makes values of the rows. A file is read
 * straight on; another position is gone to from the beginning, without unpacking what lies before.
 */
#include "sequence.h"

#include <inttypes.h>
#include <stdio.h>

#define DAMAGE_BYTES 65536 /* of what is damaged, as the value of its row */
#define DAMAGE_TEXT  600
#define ROOM_FIRST   ((size_t)64 * 1024)
#define KEY_FRONT    ((size_t)4) /* the length of a key in a row */
#define ROW_FRONT    (sizeof(struct sequence_row) + KEY_FRONT)

struct reader {
    struct leat_budget *budget;
    size_t max_record; /* a longer one is cut to one byte more */
    struct sequence_frames frames;
    bool has_head, is_broken; /* no record of it can be read */
    char why[DAMAGE_TEXT];    /* is_broken */
    struct sequence_head head;
    struct leat_decompressor *decompressor;
    int64_t at, first; /* the next record or block, and its first position */
};

static bool container_used(const void *self)
{
    (void)self;
    return true;
}

static void *container_open(const void *self, const struct leat_env *env)
{
    struct reader *r = leat_mem_alloc(sizeof *r);

    (void)self; /* the header says it all */
    if (!r)
        return NULL;
    if (!sequence_frames_init(&r->frames)) {
        leat_mem_free(r);
        return NULL;
    }
    r->budget = env->budget;
    r->max_record = SEQUENCE_RECORD_BYTES;
    if (env->max_record_bytes > 0 && (uint64_t)env->max_record_bytes < SEQUENCE_RECORD_BYTES)
        r->max_record = (size_t)env->max_record_bytes;
    return r;
}

static void container_close(void *reader)
{
    struct reader *r = reader;

    if (!r)
        return;
    sequence_frames_fini(&r->frames);
    leat_decompressor_free(r->decompressor);
    leat_mem_free(r);
}

/* The end of a long path says more than its beginning. */
static void say_damage(const struct reader *r, int64_t at, const char *why, char text[DAMAGE_TEXT])
{
    const char *path = r->frames.file.path;
    size_t len = strlen(path);

    snprintf(text, DAMAGE_TEXT, "SequenceFile: '%s%s', byte %" PRId64 ": %s",
             len > 200 ? "..." : "", path + (len > 200 ? len - 200 : 0), at, why);
}

/* LEAT_E_FULL: there is no whole header yet. A header that cannot be used is noted: it is the error
 * of one record. */
static enum leat_status begin(struct reader *r, struct leat_error *err)
{
    if (r->has_head)
        return LEAT_OK;
    enum leat_status status = sequence_frames_head(&r->frames, &r->head, err);
    if (status == LEAT_E_CORRUPT) {
        say_damage(r, 0, err->text, r->why);
        r->is_broken = true;
        status = LEAT_OK;
    }
    if (status != LEAT_OK)
        return status;
    r->has_head = true;
    r->at = (int64_t)r->head.bytes;
    return LEAT_OK;
}

static const struct leat_coding *coding_of(const struct reader *r)
{
    return &sequence_written(r->head.key, r->head.value)->coding;
}

/* ---- room */

static enum leat_status room_for(struct leat_block **b, size_t bytes, struct leat_error *err)
{
    size_t need = (*b)->bytes.len + bytes;

    if (need <= (*b)->room)
        return LEAT_OK;
    return leat_block_grow(b, need > 2 * (*b)->room ? need : 2 * (*b)->room, err);
}

static char *end_of(struct leat_block *b)
{
    return leat_block_buffer(b) + b->bytes.len;
}

static enum leat_status became_shorter(const struct reader *r, int64_t at, struct leat_error *err)
{
    return leat_fail(err, LEAT_E_LOST,
                     "'%s' became shorter while it was read: it ends behind byte %" PRId64,
                     r->frames.file.path, at);
}

/* Bytes of the file, appended. */
static enum leat_status append_bytes(struct reader *r, struct leat_block **b, int64_t at, size_t n,
                                     struct leat_error *err)
{
    const struct leat_container_file *file = &r->frames.file;
    struct leat_slice bytes = {0};
    size_t read = 0;

    if (room_for(b, n, err) != LEAT_OK)
        return err->status;
    if (n <= SEQUENCE_WINDOW / 2) {
        if (sequence_frames_look(&r->frames, at, n, &bytes, err) != LEAT_OK)
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

static void drop_decompressor(struct reader *r)
{
    leat_decompressor_free(r->decompressor);
    r->decompressor = NULL;
}

/* What `packed` holds, appended; *made: how much. No more than `most` of it where it may be `cut`,
 * else more is LEAT_E_CORRUPT. */
static enum leat_status unpack(struct reader *r, struct leat_slice packed, struct leat_block **b,
                               size_t most, bool cut, size_t *made, struct leat_error *err)
{
    enum leat_status status = LEAT_OK;

    *made = 0;
    if (packed.len == 0) /* of nothing some writers make nothing */
        return LEAT_OK;
    if (!r->decompressor && !(r->decompressor = leat_decompressor_new(r->head.codec, err)))
        return err->status;
    for (size_t room = 4 * packed.len + 64, n = 0; status == LEAT_OK; room = 2 * *made) {
        room = room < most + 1 - *made ? room : most + 1 - *made;
        status = room_for(b, room, err);
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

/* A row that says what is wrong, with some of the file's bytes there as its value. */
static enum leat_status add_damage(struct reader *r, struct leat_block **b, int64_t position,
                                   int64_t from, int64_t to, const char *text,
                                   struct leat_error *err)
{
    size_t at = (*b)->bytes.len, len = strlen(text) + 1, n = 0, bytes = (size_t)(to - from);
    const struct leat_container_file *file = &r->frames.file;

    bytes = bytes < DAMAGE_BYTES ? bytes : DAMAGE_BYTES;
    bytes = bytes < r->max_record ? bytes : r->max_record;
    if (room_for(b, sizeof(struct sequence_row) + len + bytes, err) != LEAT_OK)
        return err->status;
    char *into = end_of(*b) + sizeof(struct sequence_row);
    memcpy(into, text, len);
    if (bytes && file->read(file->arg, from, into + len, bytes, &n, err) != LEAT_OK)
        return err->status;
    (*b)->bytes.len = at + sizeof(struct sequence_row) + len + n;
    put_row(
        *b, at,
        (struct sequence_row){.position = position, .bytes = (uint32_t)n, .damage = (uint32_t)len});
    return LEAT_OK;
}

static enum leat_status add_wrong(struct reader *r, struct leat_block **b,
                                  const struct sequence_frame *frame, const char *why,
                                  struct leat_error *err)
{
    char text[DAMAGE_TEXT];

    say_damage(r, frame->at, why, text);
    return add_damage(r, b, r->first, frame->at, frame->end, text, err);
}

/* How many of `bytes` still fit into a record that has so many. */
static size_t within(const struct reader *r, size_t has, size_t bytes)
{
    size_t most = has > r->max_record ? 0 : r->max_record + 1 - has;

    return bytes < most ? bytes : most;
}

/* Behind the row's own front: the length of the key. */
static enum leat_status begin_row(struct leat_block **b, size_t key, struct leat_error *err)
{
    if (room_for(b, ROW_FRONT, err) != LEAT_OK)
        return err->status;
    sequence_put_i32(end_of(*b) + sizeof(struct sequence_row), (int32_t)key);
    (*b)->bytes.len += ROW_FRONT;
    return LEAT_OK;
}

/* It began at `at`. */
static void end_row(const struct reader *r, struct leat_block *b, size_t at, int64_t position)
{
    size_t bytes = within(r, 0, b->bytes.len - at - sizeof(struct sequence_row));

    b->bytes.len = at + sizeof(struct sequence_row) + bytes;
    put_row(b, at, (struct sequence_row){.position = position, .bytes = (uint32_t)bytes});
}

/* The value of a record that is packed by itself, behind a key of so many bytes. */
static enum leat_status unpack_value(struct reader *r, struct leat_block **b,
                                     const struct sequence_frame *frame, size_t key,
                                     struct leat_error *err)
{
    struct leat_block *packed = NULL;
    struct leat_slice bytes = {0};
    uint32_t n = frame->parts[1].bytes;
    size_t most = within(r, KEY_FRONT + key, SIZE_MAX), made;

    if (most == 0)
        return LEAT_OK;
    if (n <= SEQUENCE_WINDOW / 2) {
        if (sequence_frames_look(&r->frames, frame->parts[1].at, n, &bytes, err) != LEAT_OK)
            return err->status;
        return bytes.len == n ? unpack(r, bytes, b, most, true, &made, err)
                              : became_shorter(r, frame->at, err);
    }
    enum leat_status status = leat_block_new(r->budget, coding_of(r), n, &packed, err);
    if (status == LEAT_OK)
        status = append_bytes(r, &packed, frame->parts[1].at, n, err);
    if (status == LEAT_OK)
        status = unpack(r, packed->bytes, b, most, true, &made, err);
    leat_block_unref(packed);
    return status;
}

static enum leat_status add_record(struct reader *r, struct leat_block **b,
                                   const struct sequence_frame *frame, struct leat_error *err)
{
    size_t at = (*b)->bytes.len, key = frame->parts[0].bytes, plain = key;

    if (r->head.packing == SEQUENCE_PLAIN)
        plain += frame->parts[1].bytes;
    enum leat_status status = begin_row(b, key, err);
    if (status == LEAT_OK)
        status = append_bytes(r, b, frame->parts[0].at, within(r, KEY_FRONT, plain), err);
    if (status == LEAT_OK && r->head.packing == SEQUENCE_RECORDS)
        status = unpack_value(r, b, frame, key, err);
    if (status == LEAT_OK) {
        end_row(r, *b, at, r->first);
        return LEAT_OK;
    }
    (*b)->bytes.len = at;
    if (status != LEAT_E_CORRUPT)
        return status;
    const struct leat_error why = *err;
    return add_wrong(r, b, frame, why.text, err);
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
    if (room_for(b, n, err) != LEAT_OK)
        return err->status;
    if (n)
        memcpy(end_of(*b), s.ptr, n);
    (*b)->bytes.len += n;
    return LEAT_OK;
}

/* The records of an unpacked block from position `from` on. */
static enum leat_status add_records(struct reader *r, struct leat_block **b, int64_t from,
                                    const struct sequence_frame *frame,
                                    struct leat_block *const *parts, struct leat_error *err)
{
    struct leat_slice rest[4], key = {0}, value = {0};

    for (int i = 0; i < 4; i++)
        rest[i] = parts[i]->bytes;
    for (int64_t position = r->first; position < r->first + frame->count; position++) {
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

static enum leat_status unpack_part(struct reader *r, const struct sequence_frame *frame, int i,
                                    struct leat_block **part, struct leat_error *err)
{
    size_t n = frame->parts[i].bytes, made;
    struct leat_block *packed = NULL;

    enum leat_status status = leat_block_new(r->budget, coding_of(r), n, &packed, err);
    if (status == LEAT_OK)
        status = append_bytes(r, &packed, frame->parts[i].at, n, err);
    if (status == LEAT_OK)
        status = leat_block_new(r->budget, coding_of(r), 2 * n, part, err);
    if (status == LEAT_OK)
        status = unpack(r, packed->bytes, part, SEQUENCE_RECORD_BYTES, false, &made, err);
    leat_block_unref(packed);
    return status;
}

static enum leat_status add_block(struct reader *r, struct leat_block **b, int64_t from,
                                  const struct sequence_frame *frame, struct leat_error *err)
{
    struct leat_block *parts[4] = {0};
    size_t at = (*b)->bytes.len;
    uint32_t rows = (*b)->rows_hint;
    enum leat_status status = LEAT_OK;

    for (int i = 0; i < 4 && status == LEAT_OK; i++)
        status = unpack_part(r, frame, i, &parts[i], err);
    if (status == LEAT_OK)
        status = add_records(r, b, from, frame, parts, err);
    for (int i = 0; i < 4; i++)
        leat_block_unref(parts[i]);
    if (status == LEAT_OK)
        return LEAT_OK;
    (*b)->bytes.len = at;
    (*b)->rows_hint = rows;
    if (status != LEAT_E_CORRUPT)
        return status;
    const struct leat_error why = *err;
    return r->first < from ? LEAT_OK : add_wrong(r, b, frame, why.text, err);
}

/* ---- fetching */

static enum leat_status add_frame(struct reader *r, struct leat_block **b, int64_t from,
                                  const struct sequence_frame *frame, struct leat_error *err)
{
    switch (frame->kind) {
    case SEQUENCE_FRAME_RECORD:
        return add_record(r, b, frame, err);
    case SEQUENCE_FRAME_BLOCK: /* one without records has no position for what is wrong with it */
        return frame->count ? add_block(r, b, from, frame, err) : LEAT_OK;
    case SEQUENCE_FRAME_DAMAGED:
        return add_wrong(r, b, frame, frame->why, err);
    case SEQUENCE_FRAME_MARK:
    case SEQUENCE_FRAME_END:
    case SEQUENCE_FRAME_WAIT:
        break;
    }
    return LEAT_OK;
}

static bool has_bytes(const struct sequence_frame *frame)
{
    return frame->kind != SEQUENCE_FRAME_END && frame->kind != SEQUENCE_FRAME_WAIT;
}

static void step_over(struct reader *r, const struct sequence_frame *frame)
{
    r->first += frame->count;
    r->at = frame->end;
}

/* To the record or block with position `from`, or to the end if that is where it will be. */
static enum leat_status go_to(struct reader *r, int64_t from, struct sequence_frame *frame,
                              struct leat_error *err)
{
    if (from < r->first) {
        r->first = 0;
        r->at = (int64_t)r->head.bytes;
    }
    for (;;) {
        if (sequence_frames_next(&r->frames, r->at, frame, err) != LEAT_OK)
            return err->status;
        if (!has_bytes(frame))
            break;
        if (from < r->first + frame->count)
            return LEAT_OK;
        step_over(r, frame);
    }
    return from == r->first
               ? LEAT_OK
               : leat_fail(err, LEAT_E_LOST,
                           "'%s' has %" PRId64 " records, position %" PRId64 " is behind them",
                           r->frames.file.path, r->first, from);
}

/* Records and blocks from `frame` on, until there are enough bytes. What does not fit into memory
 * comes with the next fetch, unless it is the first. */
static enum leat_status gather(struct reader *r, struct sequence_frame frame, int64_t from,
                               size_t max_bytes, struct leat_block **b, struct leat_error *err)
{
    while (has_bytes(&frame)) {
        size_t before = (*b)->bytes.len;
        enum leat_status status = add_frame(r, b, from, &frame, err);
        if (status == LEAT_E_FULL && before) {
            (*b)->bytes.len = before;
            return LEAT_OK;
        }
        if (status != LEAT_OK)
            return status;
        step_over(r, &frame);
        if ((*b)->bytes.len >= max_bytes)
            return LEAT_OK;
        if (sequence_frames_next(&r->frames, r->at, &frame, err) != LEAT_OK)
            return err->status;
    }
    (*b)->at_end = true;
    return LEAT_OK;
}

/* All that there is of a file without a usable header: the error of one record. */
static enum leat_status fetch_broken(struct reader *r, int64_t from, struct leat_block **b,
                                     struct leat_error *err)
{
    if (from == 0 && add_damage(r, b, 0, 0, DAMAGE_BYTES, r->why, err) != LEAT_OK)
        return err->status;
    (*b)->at_end = true;
    r->first = 1;
    return LEAT_OK;
}

static enum leat_status fill(struct reader *r, int64_t from, size_t max_bytes,
                             struct leat_block **b, struct leat_error *err)
{
    struct sequence_frame frame;

    if (r->is_broken)
        return fetch_broken(r, from, b, err);
    if (go_to(r, from, &frame, err) != LEAT_OK)
        return err->status;
    return gather(r, frame, from, max_bytes, b, err);
}

static enum leat_status container_fetch(void *reader, const struct leat_container_file *file,
                                        int64_t from, size_t max_bytes, bool whole,
                                        struct leat_block **block, struct leat_error *err)
{
    struct reader *r = reader;
    struct leat_block *b = NULL;

    r->frames.file = *file;
    r->frames.whole = whole;
    enum leat_status status = begin(r, err);
    bool waits = status == LEAT_E_FULL; /* for the rest of the header */
    if (status != LEAT_OK && !waits)
        return status;
    if (leat_block_new(r->budget, coding_of(r), waits ? 0 : ROOM_FIRST, &b, err) != LEAT_OK)
        return err->status;
    b->from = from;
    b->at_end = waits;
    if (!waits && fill(r, from, max_bytes, &b, err) != LEAT_OK) {
        leat_block_unref(b);
        return err->status;
    }
    leat_block_seal(b, r->first > from ? r->first : from);
    *block = b;
    return LEAT_OK;
}

const struct leat_container sequence_container = {
    .used = container_used,
    .open = container_open,
    .close = container_close,
    .fetch = container_fetch,
    .packer = sequence_packer,
    .packer_free = sequence_packer_free,
    .pack = sequence_pack,
    .whole = sequence_whole,
};
