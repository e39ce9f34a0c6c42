/*
 * container_frames.c - the blocks of a container, found in the bytes of its file.
 *
 * Nothing here is unpacked: what a block is, its own count, size and the marker behind it say. What
 * fits into none is damage, up to the next marker. Where there is no marker yet and the file is
 * still written, that is waited for, so that the damage ends at the same place whenever it is read.
 */
#include "container.h"
#include "reader.h"

#define LONGS_BYTES ((size_t)2 * AVRO_LONG_BYTES)

bool avro_frames_init(struct avro_frames *f)
{
    *f = (struct avro_frames){.window = leat_mem_alloc_raw(AVRO_WINDOW)};
    return f->window != NULL;
}

void avro_frames_fini(struct avro_frames *f)
{
    leat_mem_free(f->window);
    f->window = NULL;
}

enum leat_status avro_frames_look(struct avro_frames *f, int64_t at, size_t n,
                                  struct leat_slice *bytes, struct leat_error *err)
{
    int64_t behind = f->window_at + (int64_t)f->window_len;

    if (at < f->window_at || at > behind || (size_t)(behind - at) < n) {
        f->window_len = 0;
        f->window_at = at;
        if (f->file.read(f->file.arg, at, f->window, AVRO_WINDOW, &f->window_len, err) != LEAT_OK) {
            f->window_len = 0;
            return err->status;
        }
    }
    size_t skip = (size_t)(at - f->window_at), there = f->window_len - skip;
    *bytes = (struct leat_slice){f->window + skip, there < n ? there : n};
    return LEAT_OK;
}

/* Where the next marker begins, from `from` on and below from + AVRO_BLOCK_BYTES; *found false: at
 * *at is the end of the file, or of that stretch, with what may be the beginning of a marker. */
static enum leat_status find_sync(struct avro_frames *f, int64_t from, int64_t *at, bool *found,
                                  bool *at_end, struct leat_error *err)
{
    int64_t limit = from + (int64_t)AVRO_BLOCK_BYTES;

    *found = *at_end = false;
    for (*at = from; *at < limit; *at += (int64_t)AVRO_WINDOW - AVRO_SYNC_BYTES + 1) {
        struct leat_slice bytes = {0};
        if (avro_frames_look(f, *at, AVRO_WINDOW, &bytes, err) != LEAT_OK)
            return err->status;
        const char *sync =
            bytes.len ? memmem(bytes.ptr, bytes.len, f->sync, AVRO_SYNC_BYTES) : NULL;
        if (sync) {
            *at += sync - bytes.ptr;
            *found = true;
            return LEAT_OK;
        }
        if (bytes.len < AVRO_WINDOW) {
            *at += (int64_t)bytes.len;
            *at_end = true;
            return LEAT_OK;
        }
    }
    return LEAT_OK;
}

static enum leat_status damaged(struct avro_frames *f, int64_t at, const char *why,
                                struct avro_frame *frame, struct leat_error *err)
{
    bool found, at_end;
    int64_t end;

    if (find_sync(f, at, &end, &found, &at_end, err) != LEAT_OK)
        return err->status;
    *frame = (struct avro_frame){.kind = AVRO_FRAME_DAMAGED,
                                 .at = at,
                                 .end = found ? end + AVRO_SYNC_BYTES : end,
                                 .count = 1,
                                 .why = why};
    if (at_end && !f->whole)
        frame->kind = AVRO_FRAME_WAIT;
    return LEAT_OK;
}

/* Count and size; their length, or 0: *why is wrong, or NULL where they are not whole. */
static size_t take_longs(struct leat_slice bytes, int64_t *count, int64_t *size, const char **why)
{
    struct avro_reader r = {.begin = bytes.ptr, .end = bytes.ptr + bytes.len};
    const char *p = avro_take_long(&r, bytes.ptr, count);

    *why = NULL;
    p = p ? avro_take_long(&r, p, size) : NULL;
    if (!p && bytes.len == LONGS_BYTES)
        *why = "there is no number of records";
    else if (p && (*count < 0 || *count > INT32_MAX))
        *why = "a block cannot have this number of records";
    else if (p && *size < 0)
        *why = "a block of less than no bytes";
    else if (p && *size > (int64_t)AVRO_BLOCK_BYTES)
        *why = "a block of more than 64 MiB";
    return p && !*why ? (size_t)(p - bytes.ptr) : 0;
}

enum leat_status avro_frames_next(struct avro_frames *f, int64_t at, struct avro_frame *frame,
                                  struct leat_error *err)
{
    struct leat_slice bytes, sync;
    int64_t count = 0, size = 0;
    const char *why;

    *frame = (struct avro_frame){.kind = AVRO_FRAME_END, .at = at, .end = at};
    if (avro_frames_look(f, at, LONGS_BYTES, &bytes, err) != LEAT_OK)
        return err->status;
    if (bytes.len == 0)
        return LEAT_OK;
    size_t longs = take_longs(bytes, &count, &size, &why);
    if (longs == 0)
        return damaged(f, at, why ? why : "it ends inside a block", frame, err);
    int64_t body = at + (int64_t)longs;
    if (avro_frames_look(f, body + size, AVRO_SYNC_BYTES, &sync, err) != LEAT_OK)
        return err->status;
    if (sync.len < AVRO_SYNC_BYTES)
        return damaged(f, at, "it ends inside a block", frame, err);
    if (memcmp(sync.ptr, f->sync, AVRO_SYNC_BYTES) != 0)
        return damaged(f, at, "no sync marker stands behind the block", frame, err);
    *frame = (struct avro_frame){.kind = AVRO_FRAME_GOOD,
                                 .at = at,
                                 .end = body + size + AVRO_SYNC_BYTES,
                                 .body = body,
                                 .size = (uint32_t)size,
                                 .count = (uint32_t)count};
    return LEAT_OK;
}

/* ---- */

static enum leat_status keep_head(struct leat_slice bytes, struct leat_arena *arena,
                                  struct avro_frames *f, struct avro_head *head,
                                  struct leat_error *err)
{
    if (avro_head_read(bytes, head, err) != LEAT_OK)
        return err->status;
    memcpy(f->sync, head->sync, AVRO_SYNC_BYTES);
    head->schema = leat_arena_copy(arena, head->schema);
    return head->schema.ptr ? LEAT_OK : leat_arena_failed(arena, err);
}

/* Longer than the window: rare, so its room is had only while it is read. */
static enum leat_status long_head(struct avro_frames *f, struct leat_arena *arena,
                                  struct avro_head *head, struct leat_error *err)
{
    char *room = leat_mem_alloc_raw(AVRO_HEAD_BYTES);
    size_t n = 0;

    if (!room)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    enum leat_status status = f->file.read(f->file.arg, 0, room, AVRO_HEAD_BYTES, &n, err);
    if (status == LEAT_OK)
        status = keep_head((struct leat_slice){room, n}, arena, f, head, err);
    if (status == LEAT_E_FULL && n == AVRO_HEAD_BYTES)
        status = leat_fail(err, LEAT_E_CORRUPT, "the header is longer than %zu MiB",
                           AVRO_HEAD_BYTES >> 20);
    leat_mem_free(room);
    return status;
}

enum leat_status avro_frames_head(struct avro_frames *f, struct leat_arena *arena,
                                  struct avro_head *head, struct leat_error *err)
{
    struct leat_slice bytes;

    if (avro_frames_look(f, 0, AVRO_WINDOW, &bytes, err) != LEAT_OK)
        return err->status;
    enum leat_status status = keep_head(bytes, arena, f, head, err);
    if (status == LEAT_E_FULL && bytes.len == AVRO_WINDOW)
        status = long_head(f, arena, head, err);
    if (status == LEAT_E_FULL && f->whole)
        err->status = status = LEAT_E_CORRUPT;
    return status;
}
