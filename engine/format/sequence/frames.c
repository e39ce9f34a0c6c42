/*
 * frames.c - the records and blocks of a SequenceFile, found in its bytes.
 *
 * Nothing here is unpacked: what a record or block is, its own lengths and the markers say. What
 * fits into none is damage.
 */
#include "sequence.h"

static const char torn_record[] = "it ends inside a record",
                  torn_block[] = "it ends inside a block",
                  other_mark[] = "a sync marker that is not the one of this file";

/* Does the file go as far as `end`, which is above 0? */
static enum leat_status reaches(struct leat_container_reader *r, int64_t end, bool *yes,
                                struct leat_error *err)
{
    struct leat_slice last = {0};

    if (leat_container_look(r, end - 1, 1, &last, err) != LEAT_OK)
        return err->status;
    *yes = last.len == 1;
    return LEAT_OK;
}

/* ---- by records */

static enum leat_status next_record(struct leat_container_reader *r, struct leat_slice front,
                                    struct leat_frame *frame, struct leat_error *err)
{
    int32_t bytes = sequence_take_i32(front.ptr);
    int64_t at = frame->at;
    bool there = false;

    if (bytes < 0)
        return leat_container_damaged(r, at + 1, "a record of less than no bytes", frame, err);
    if ((size_t)bytes > SEQUENCE_RECORD_BYTES)
        return leat_container_damaged(r, at + 1, "a record of more than 64 MiB", frame, err);
    if (front.len < SEQUENCE_FRONT_BYTES)
        return leat_container_damaged(r, at + 1, torn_record, frame, err);
    int32_t key = sequence_take_i32(front.ptr + 4);
    if (key < 0 || key > bytes)
        return leat_container_damaged(r, at + 1, "a key that is longer than its record", frame,
                                      err);
    int64_t body = at + SEQUENCE_FRONT_BYTES;
    if (reaches(r, body + bytes, &there, err) != LEAT_OK)
        return err->status;
    if (!there)
        return leat_container_damaged(r, at + 1, torn_record, frame, err);
    *frame = (struct leat_frame){
        .kind = LEAT_FRAME_GOOD,
        .at = at,
        .end = body + bytes,
        .count = 1,
        .parts = {{body, (uint32_t)key}, {body + key, (uint32_t)(bytes - key)}}};
    return LEAT_OK;
}

static enum leat_status next_by_records(struct leat_container_reader *r, struct leat_slice front,
                                        struct leat_frame *frame, struct leat_error *err)
{
    int64_t at = frame->at;

    if (front.len < 4)
        return leat_container_damaged(r, at + 1, torn_record, frame, err);
    if (sequence_take_i32(front.ptr) != -1)
        return next_record(r, front, frame, err);
    if (front.len < SEQUENCE_MARK_BYTES)
        return leat_container_damaged(r, at + 1, torn_record, frame, err);
    if (memcmp(front.ptr, r->mark, SEQUENCE_MARK_BYTES) != 0)
        return leat_container_damaged(r, at + 1, other_mark, frame, err);
    *frame =
        (struct leat_frame){.kind = LEAT_FRAME_MARK, .at = at, .end = at + SEQUENCE_MARK_BYTES};
    return LEAT_OK;
}

/* ---- by blocks */

/* The four parts from `at` on; *why: what is wrong, or NULL. */
static enum leat_status find_parts(struct leat_container_reader *r, int64_t at,
                                   struct leat_frame *frame, const char **why,
                                   struct leat_error *err)
{
    struct leat_slice bytes = {0};
    int64_t len;
    bool there = false;

    *why = NULL;
    for (int i = 0; i < 4; i++) {
        if (leat_container_look(r, at, SEQUENCE_VINT_BYTES, &bytes, err) != LEAT_OK)
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
    if (reaches(r, at, &there, err) != LEAT_OK)
        return err->status;
    *why = there ? NULL : torn_block;
    return LEAT_OK;
}

/* A block whose lengths are too large would take the next one with it: where no marker stands
 * behind it, none may stand in it. */
static enum leat_status holds_mark(struct leat_container_reader *r, const struct leat_frame *frame,
                                   const char **why, struct leat_error *err)
{
    struct leat_slice behind = {0};
    bool found, at_end;
    int64_t at;

    if (leat_container_look(r, frame->end, SEQUENCE_MARK_BYTES, &behind, err) != LEAT_OK)
        return err->status;
    if (behind.len == 0 || memcmp(behind.ptr, r->mark, behind.len) == 0)
        return LEAT_OK;
    if (leat_container_mark(r, frame->at + SEQUENCE_MARK_BYTES, &at, &found, &at_end, err) !=
        LEAT_OK)
        return err->status;
    if (found && at < frame->end)
        *why = "a block that goes on behind the next sync marker";
    return LEAT_OK;
}

static enum leat_status next_by_blocks(struct leat_container_reader *r, struct leat_slice front,
                                       struct leat_frame *frame, struct leat_error *err)
{
    const char *why;
    int64_t at = frame->at, count;

    if (memcmp(front.ptr, r->mark,
               front.len < SEQUENCE_MARK_BYTES ? front.len : SEQUENCE_MARK_BYTES) != 0)
        return leat_container_damaged(r, at + 1, "no sync marker stands in front of a block", frame,
                                      err);
    if (front.len <= SEQUENCE_MARK_BYTES)
        return leat_container_damaged(r, at + 1, torn_block, frame, err);
    struct leat_slice rest = {front.ptr + SEQUENCE_MARK_BYTES, front.len - SEQUENCE_MARK_BYTES};
    size_t before = rest.len;
    if (!sequence_take_vint(&rest, &count))
        return leat_container_damaged(r, at + SEQUENCE_MARK_BYTES, torn_block, frame, err);
    if (count < 0 || count > SEQUENCE_BLOCK_COUNT)
        return leat_container_damaged(r, at + SEQUENCE_MARK_BYTES,
                                      "a block cannot have this number of records", frame, err);
    *frame = (struct leat_frame){.kind = LEAT_FRAME_GOOD, .at = at, .count = (uint32_t)count};
    at += SEQUENCE_MARK_BYTES + (int64_t)(before - rest.len);
    if (find_parts(r, at, frame, &why, err) != LEAT_OK)
        return err->status;
    if (!why && holds_mark(r, frame, &why, err) != LEAT_OK)
        return err->status;
    return why ? leat_container_damaged(r, frame->at + SEQUENCE_MARK_BYTES, why, frame, err)
               : LEAT_OK;
}

enum leat_status sequence_next(struct leat_container_reader *base, struct leat_slice front,
                               struct leat_frame *frame, struct leat_error *err)
{
    const struct sequence_reader *r = (const void *)base;

    return r->head.packing == SEQUENCE_BLOCKS ? next_by_blocks(base, front, frame, err)
                                              : next_by_records(base, front, frame, err);
}
