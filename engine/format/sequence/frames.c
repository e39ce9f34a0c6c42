/*
 * frames.c - the records and blocks of a SequenceFile, found in its bytes.
 *
 * Nothing here is unpacked: what a record or block is, its own lengths and the markers say. What
 * fits into none is damage, up to the next marker. Where there is no marker yet and the file is
 * still written, that is waited for, so that the damage ends at the same place whenever it is read.
 */
#include "sequence.h"

#define BLOCK_FRONT (SEQUENCE_MARK_BYTES + SEQUENCE_VINT_BYTES)

static const char torn_record[] = "it ends inside a record",
                  torn_block[] = "it ends inside a block",
                  other_mark[] = "a sync marker that is not the one of this file";

bool sequence_frames_init(struct sequence_frames *f)
{
    *f = (struct sequence_frames){.window = leat_mem_alloc_raw(SEQUENCE_WINDOW)};
    return f->window != NULL;
}

void sequence_frames_fini(struct sequence_frames *f)
{
    leat_mem_free(f->window);
    f->window = NULL;
}

enum leat_status sequence_frames_look(struct sequence_frames *f, int64_t at, size_t n,
                                      struct leat_slice *bytes, struct leat_error *err)
{
    int64_t behind = f->window_at + (int64_t)f->window_len;

    if (at < f->window_at || at > behind || (size_t)(behind - at) < n) {
        f->window_len = 0;
        f->window_at = at;
        if (f->file.read(f->file.arg, at, f->window, SEQUENCE_WINDOW, &f->window_len, err) !=
            LEAT_OK) {
            f->window_len = 0;
            return err->status;
        }
    }
    size_t skip = (size_t)(at - f->window_at), there = f->window_len - skip;
    *bytes = (struct leat_slice){f->window + skip, there < n ? there : n};
    return LEAT_OK;
}

static void mark_of(const struct sequence_frames *f, char mark[SEQUENCE_MARK_BYTES])
{
    memset(mark, 0xff, 4);
    memcpy(mark + 4, f->sync, SEQUENCE_SYNC_BYTES);
}

/* Where the next marker begins, from `from` on and below from + SEQUENCE_RECORD_BYTES; *found
 * false: at *at is the end of the file, or of that stretch, with what may be the beginning of one.
 */
static enum leat_status find_mark(struct sequence_frames *f, int64_t from, int64_t *at, bool *found,
                                  bool *at_end, struct leat_error *err)
{
    int64_t limit = from + (int64_t)SEQUENCE_RECORD_BYTES;
    char mark[SEQUENCE_MARK_BYTES];

    mark_of(f, mark);
    *found = *at_end = false;
    for (*at = from; *at < limit; *at += (int64_t)SEQUENCE_WINDOW - SEQUENCE_MARK_BYTES + 1) {
        struct leat_slice bytes = {0};
        if (sequence_frames_look(f, *at, SEQUENCE_WINDOW, &bytes, err) != LEAT_OK)
            return err->status;
        const char *there =
            bytes.len ? memmem(bytes.ptr, bytes.len, mark, SEQUENCE_MARK_BYTES) : NULL;
        if (there) {
            *at += there - bytes.ptr;
            *found = true;
            return LEAT_OK;
        }
        if (bytes.len < SEQUENCE_WINDOW) {
            *at += (int64_t)bytes.len;
            *at_end = true;
            return LEAT_OK;
        }
    }
    return LEAT_OK;
}

/* `from`: where the marker behind it may begin. */
static enum leat_status damaged(struct sequence_frames *f, int64_t at, int64_t from,
                                const char *why, struct sequence_frame *frame,
                                struct leat_error *err)
{
    bool found, at_end;
    int64_t end;

    if (find_mark(f, from, &end, &found, &at_end, err) != LEAT_OK)
        return err->status;
    *frame = (struct sequence_frame){
        .kind = SEQUENCE_FRAME_DAMAGED, .at = at, .end = end, .count = 1, .why = why};
    if (at_end && !f->whole)
        frame->kind = SEQUENCE_FRAME_WAIT;
    return LEAT_OK;
}

/* Does the file go as far as `end`, which is above 0? */
static enum leat_status reaches(struct sequence_frames *f, int64_t end, bool *yes,
                                struct leat_error *err)
{
    struct leat_slice last = {0};

    if (sequence_frames_look(f, end - 1, 1, &last, err) != LEAT_OK)
        return err->status;
    *yes = last.len == 1;
    return LEAT_OK;
}

/* ---- by records */

static enum leat_status next_record(struct sequence_frames *f, int64_t at, struct leat_slice front,
                                    struct sequence_frame *frame, struct leat_error *err)
{
    int32_t bytes = sequence_take_i32(front.ptr);
    bool there = false;

    if (bytes < 0)
        return damaged(f, at, at + 1, "a record of less than no bytes", frame, err);
    if ((size_t)bytes > SEQUENCE_RECORD_BYTES)
        return damaged(f, at, at + 1, "a record of more than 64 MiB", frame, err);
    if (front.len < SEQUENCE_FRONT_BYTES)
        return damaged(f, at, at + 1, torn_record, frame, err);
    int32_t key = sequence_take_i32(front.ptr + 4);
    if (key < 0 || key > bytes)
        return damaged(f, at, at + 1, "a key that is longer than its record", frame, err);
    int64_t body = at + SEQUENCE_FRONT_BYTES;
    if (reaches(f, body + bytes, &there, err) != LEAT_OK)
        return err->status;
    if (!there)
        return damaged(f, at, at + 1, torn_record, frame, err);
    *frame = (struct sequence_frame){
        .kind = SEQUENCE_FRAME_RECORD,
        .at = at,
        .end = body + bytes,
        .count = 1,
        .parts = {{body, (uint32_t)key}, {body + key, (uint32_t)(bytes - key)}}};
    return LEAT_OK;
}

static enum leat_status next_by_records(struct sequence_frames *f, int64_t at,
                                        struct leat_slice front, struct sequence_frame *frame,
                                        struct leat_error *err)
{
    char mark[SEQUENCE_MARK_BYTES];

    if (front.len < 4)
        return damaged(f, at, at + 1, torn_record, frame, err);
    if (sequence_take_i32(front.ptr) != -1)
        return next_record(f, at, front, frame, err);
    mark_of(f, mark);
    if (front.len < SEQUENCE_MARK_BYTES)
        return damaged(f, at, at + 1, torn_record, frame, err);
    if (memcmp(front.ptr, mark, SEQUENCE_MARK_BYTES) != 0)
        return damaged(f, at, at + 1, other_mark, frame, err);
    *frame = (struct sequence_frame){
        .kind = SEQUENCE_FRAME_MARK, .at = at, .end = at + SEQUENCE_MARK_BYTES};
    return LEAT_OK;
}

/* ---- by blocks */

/* The four parts from `at` on; *why: what is wrong, or NULL. */
static enum leat_status find_parts(struct sequence_frames *f, int64_t at,
                                   struct sequence_frame *frame, const char **why,
                                   struct leat_error *err)
{
    struct leat_slice bytes = {0};
    int64_t len;
    bool there = false;

    *why = NULL;
    for (int i = 0; i < 4; i++) {
        if (sequence_frames_look(f, at, SEQUENCE_VINT_BYTES, &bytes, err) != LEAT_OK)
            return err->status;
        size_t before = bytes.len;
        if (!sequence_take_vint(&bytes, &len)) {
            *why = torn_block;
            return LEAT_OK;
        }
        if (len < 0 || (uint64_t)len > SEQUENCE_RECORD_BYTES) {
            *why = "a part of a block that has less than no bytes, or more than 64 MiB";
            return LEAT_OK;
        }
        at += (int64_t)(before - bytes.len);
        frame->parts[i].at = at;
        frame->parts[i].bytes = (uint32_t)len;
        at += len;
    }
    frame->end = at;
    if (reaches(f, at, &there, err) != LEAT_OK)
        return err->status;
    *why = there ? NULL : torn_block;
    return LEAT_OK;
}

/* A block whose lengths are too large would take the next one with it: where no marker stands
 * behind it, none may stand in it. */
static enum leat_status holds_mark(struct sequence_frames *f, const char *mark,
                                   const struct sequence_frame *frame, const char **why,
                                   struct leat_error *err)
{
    struct leat_slice behind = {0};
    bool found, at_end;
    int64_t at;

    if (sequence_frames_look(f, frame->end, SEQUENCE_MARK_BYTES, &behind, err) != LEAT_OK)
        return err->status;
    if (behind.len == 0 || memcmp(behind.ptr, mark, behind.len) == 0)
        return LEAT_OK;
    if (find_mark(f, frame->at + SEQUENCE_MARK_BYTES, &at, &found, &at_end, err) != LEAT_OK)
        return err->status;
    if (found && at < frame->end)
        *why = "a block that goes on behind the next sync marker";
    return LEAT_OK;
}

static enum leat_status next_by_blocks(struct sequence_frames *f, int64_t at,
                                       struct leat_slice front, struct sequence_frame *frame,
                                       struct leat_error *err)
{
    char mark[SEQUENCE_MARK_BYTES];
    const char *why;
    int64_t count;

    mark_of(f, mark);
    if (memcmp(front.ptr, mark,
               front.len < SEQUENCE_MARK_BYTES ? front.len : SEQUENCE_MARK_BYTES) != 0)
        return damaged(f, at, at + 1, "no sync marker stands in front of a block", frame, err);
    if (front.len <= SEQUENCE_MARK_BYTES)
        return damaged(f, at, at + 1, torn_block, frame, err);
    struct leat_slice rest = {front.ptr + SEQUENCE_MARK_BYTES, front.len - SEQUENCE_MARK_BYTES};
    size_t before = rest.len;
    if (!sequence_take_vint(&rest, &count))
        return damaged(f, at, at + SEQUENCE_MARK_BYTES, torn_block, frame, err);
    if (count < 0 || count > SEQUENCE_BLOCK_COUNT)
        return damaged(f, at, at + SEQUENCE_MARK_BYTES,
                       "a block cannot have this number of records", frame, err);
    *frame =
        (struct sequence_frame){.kind = SEQUENCE_FRAME_BLOCK, .at = at, .count = (uint32_t)count};
    at += SEQUENCE_MARK_BYTES + (int64_t)(before - rest.len);
    if (find_parts(f, at, frame, &why, err) != LEAT_OK)
        return err->status;
    if (!why && holds_mark(f, mark, frame, &why, err) != LEAT_OK)
        return err->status;
    return why ? damaged(f, frame->at, frame->at + SEQUENCE_MARK_BYTES, why, frame, err) : LEAT_OK;
}

enum leat_status sequence_frames_next(struct sequence_frames *f, int64_t at,
                                      struct sequence_frame *frame, struct leat_error *err)
{
    struct leat_slice front = {0};

    *frame = (struct sequence_frame){.kind = SEQUENCE_FRAME_END, .at = at, .end = at};
    if (sequence_frames_look(f, at, BLOCK_FRONT, &front, err) != LEAT_OK)
        return err->status;
    if (front.len == 0)
        return LEAT_OK;
    return f->by_blocks ? next_by_blocks(f, at, front, frame, err)
                        : next_by_records(f, at, front, frame, err);
}

/* ---- */

static enum leat_status keep_head(struct leat_slice bytes, struct sequence_frames *f,
                                  struct sequence_head *head, struct leat_error *err)
{
    if (sequence_head_read(bytes, head, err) != LEAT_OK)
        return err->status;
    memcpy(f->sync, head->sync, SEQUENCE_SYNC_BYTES);
    f->by_blocks = head->packing == SEQUENCE_BLOCKS;
    return LEAT_OK;
}

/* Longer than the window: rare, so its room is had only while it is read. */
static enum leat_status long_head(struct sequence_frames *f, struct sequence_head *head,
                                  struct leat_error *err)
{
    char *room = leat_mem_alloc_raw(SEQUENCE_HEAD_BYTES);
    size_t n = 0;

    if (!room)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    enum leat_status status = f->file.read(f->file.arg, 0, room, SEQUENCE_HEAD_BYTES, &n, err);
    if (status == LEAT_OK)
        status = keep_head((struct leat_slice){room, n}, f, head, err);
    if (status == LEAT_E_FULL && n == SEQUENCE_HEAD_BYTES)
        status = leat_fail(err, LEAT_E_CORRUPT, "the header is longer than 1 MiB");
    leat_mem_free(room);
    return status;
}

enum leat_status sequence_frames_head(struct sequence_frames *f, struct sequence_head *head,
                                      struct leat_error *err)
{
    struct leat_slice bytes = {0};

    if (sequence_frames_look(f, 0, SEQUENCE_WINDOW, &bytes, err) != LEAT_OK)
        return err->status;
    enum leat_status status = keep_head(bytes, f, head, err);
    if (status == LEAT_E_FULL && bytes.len == SEQUENCE_WINDOW)
        status = long_head(f, head, err);
    if (status == LEAT_E_FULL && f->whole)
        err->status = status = LEAT_E_CORRUPT;
    return status;
}
