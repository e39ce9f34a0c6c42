/*
 * container_frames.c - the blocks of a container, found in the bytes of its file.
 *
 * Nothing here is unpacked: what a block is, its own count, size and the marker behind it say. What
 * fits into none is damage.
 */
#include "container.h"
#include "reader.h"

/* Count and size; their length, or 0: *why is wrong, or NULL where they are not whole. */
static size_t take_longs(struct leat_slice bytes, int64_t *count, int64_t *size, const char **why)
{
    struct avro_reader r = {.begin = bytes.ptr, .end = bytes.ptr + bytes.len};
    const char *p = avro_take_long(&r, bytes.ptr, count);

    *why = NULL;
    p = p ? avro_take_long(&r, p, size) : NULL;
    if (!p && bytes.len == AVRO_NEXT_BYTES)
        *why = "there is no number of records";
    else if (p && (*count < 0 || *count > INT32_MAX))
        *why = "a block cannot have this number of records";
    else if (p && *size < 0)
        *why = "a block of less than no bytes";
    else if (p && *size > (int64_t)AVRO_BLOCK_BYTES)
        *why = "a block of more than 64 MiB";
    return p && !*why ? (size_t)(p - bytes.ptr) : 0;
}

enum leat_status avro_frames_next(struct leat_container_reader *r, struct leat_slice front,
                                  struct leat_frame *frame, struct leat_error *err)
{
    struct leat_slice sync;
    int64_t at = frame->at, count = 0, size = 0;
    const char *why;

    size_t longs = take_longs(front, &count, &size, &why);
    if (longs == 0)
        return leat_container_damaged(r, at, why ? why : "it ends inside a block", frame, err);
    int64_t body = at + (int64_t)longs;
    if (leat_container_look(r, body + size, AVRO_SYNC_BYTES, &sync, err) != LEAT_OK)
        return err->status;
    if (sync.len < AVRO_SYNC_BYTES)
        return leat_container_damaged(r, at, "it ends inside a block", frame, err);
    if (memcmp(sync.ptr, r->mark, AVRO_SYNC_BYTES) != 0)
        return leat_container_damaged(r, at, "no sync marker stands behind the block", frame, err);
    *frame = (struct leat_frame){.kind = LEAT_FRAME_GOOD,
                                 .at = at,
                                 .end = body + size + AVRO_SYNC_BYTES,
                                 .parts = {{body, (uint32_t)size}},
                                 .count = (uint32_t)count};
    return LEAT_OK;
}
