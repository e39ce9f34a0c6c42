#include "store/log_segment.h"

#include "base/crc32c.h"
#include "store/block_front.h"

#include <endian.h>
#include <errno.h>

#define HEAD_BYTES   LEAT_LOG_HEAD_BYTES
#define END_MARK     0xa5
#define SECTOR       512
#define BUFFER_BYTES ((size_t)256 * 1024)

/* Tags are text, for those who look at the file with other tools. */
static const char *const tags[] = {[LEAT_LOG_BASE] = "lbas",
                                   [LEAT_LOG_RECORD] = "lrec",
                                   [LEAT_LOG_CONFIRM] = "lcon",
                                   [LEAT_LOG_BLOCKS] = "lblk"};

struct head {
    enum leat_log_frame_kind kind;
    uint32_t front;
    uint64_t payload, n;
    uint32_t crc;
};

/* ---- write */

static void head_write(enum leat_log_frame_kind kind, struct leat_slice front, uint64_t payload,
                       uint64_t n, char *into)
{
    struct leat_bytes head = {.ptr = into, .room = HEAD_BYTES};

    leat_bytes_put(&head, tags[kind], 4);
    leat_bytes_put_u32(&head, (uint32_t)front.len);
    leat_bytes_put_u64(&head, payload);
    leat_bytes_put_u64(&head, n);
    leat_bytes_put_u32(&head, leat_crc32c(front));
    leat_bytes_put_u32(&head, leat_crc32c(leat_bytes_slice(&head)));
}

void leat_log_head_write(struct leat_slice front, uint64_t behind, uint64_t n, char *into)
{
    head_write(LEAT_LOG_BLOCKS, front, front.len + behind, n, into);
}

bool leat_log_frame_write(enum leat_log_frame_kind kind, uint64_t n,
                          const struct leat_log_record *r, struct leat_bytes *b,
                          struct leat_slice *front)
{
    size_t at = b->len, len = 0;
    const char zeros[HEAD_BYTES] = {0};
    const char end = (char)END_MARK;

    leat_bytes_put(b, zeros, sizeof zeros);
    if (r && !leat_log_record_write_parts(r, b, &len))
        return false;
    size_t payload = b->len - at - HEAD_BYTES;
    leat_bytes_put(b, &end, 1);
    if (b->failed)
        return false;
    *front = (struct leat_slice){b->ptr + at + HEAD_BYTES, len};
    head_write(kind, *front, payload, n, b->ptr + at);
    return true;
}

/* ---- bytes of the file */

static enum leat_status read_all(const struct leat_log_scan *scan, int64_t at, char *into,
                                 size_t len, struct leat_error *err)
{
    for (size_t have = 0; have < len;) {
        int64_t n =
            scan->fs->read(scan->fs, scan->path, at + (int64_t)have, into + have, len - have);
        if (n <= 0)
            return leat_fs_failed(err, n < 0 ? n : -EIO, "read", scan->path);
        have += (size_t)n;
    }
    return LEAT_OK;
}

enum leat_status leat_log_scan_bytes(struct leat_log_scan *scan, int64_t at, size_t len,
                                     struct leat_slice *bytes, struct leat_error *err)
{
    int64_t left = scan->bytes - at;

    if (at < scan->buffer_at || at + (int64_t)len > scan->buffer_at + (int64_t)scan->buffer_len) {
        char *into = scan->buffer;
        size_t want = left < (int64_t)BUFFER_BYTES ? (size_t)left : BUFFER_BYTES;
        if (len > BUFFER_BYTES) {
            into = leat_arena_alloc(&scan->work, len);
            want = len;
        }
        if (!into)
            return leat_arena_failed(&scan->work, err);
        if (read_all(scan, at, into, want, err) != LEAT_OK)
            return err->status;
        if (len > BUFFER_BYTES) {
            *bytes = (struct leat_slice){into, len};
            return LEAT_OK;
        }
        scan->buffer_at = at;
        scan->buffer_len = want;
    }
    *bytes = (struct leat_slice){scan->buffer + (at - scan->buffer_at), len};
    return LEAT_OK;
}

static enum leat_status damaged(const struct leat_log_scan *scan, int64_t at,
                                struct leat_error *err)
{
    return leat_fail(err, LEAT_E_CORRUPT, "'%s' is damaged at byte %lld", scan->path,
                     (long long)at);
}

/* ---- torn or damaged? */

static bool is_zero(struct leat_slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i])
            return false;
    return true;
}

/* Is there a sector of which everything from `from` to `end` is zero? Up to the first that begins
 * at `until` or behind it. */
static enum leat_status has_blank(struct leat_log_scan *scan, int64_t from, int64_t end,
                                  int64_t until, bool *blank, struct leat_error *err)
{
    *blank = false;
    for (int64_t at = from, next; at < end && at < until && !*blank; at = next) {
        struct leat_slice bytes;
        next = (at / SECTOR + 1) * SECTOR;
        next = next < end ? next : end;
        if (leat_log_scan_bytes(scan, at, (size_t)(next - at), &bytes, err) != LEAT_OK)
            return err->status;
        *blank = is_zero(bytes);
    }
    return LEAT_OK;
}

static bool head_read(struct leat_slice from, struct head *h)
{
    uint32_t crc = leat_crc32c((struct leat_slice){from.ptr, HEAD_BYTES - 4}), said = 0;
    char tag[4];

    *h = (struct head){0};
    if (!leat_take(&from, tag, sizeof tag) || !leat_take_u32(&from, &h->front) ||
        !leat_take_u64(&from, &h->payload) || !leat_take_u64(&from, &h->n) ||
        !leat_take_u32(&from, &h->crc) || !leat_take_u32(&from, &said) || said != crc)
        return false;
    for (enum leat_log_frame_kind k = LEAT_LOG_BASE; k <= LEAT_LOG_BLOCKS; k++)
        if (memcmp(tag, tags[k], sizeof tag) == 0)
            h->kind = k;
    return h->kind != LEAT_LOG_END && h->front <= h->payload;
}

/* A whole head anywhere behind `at`: then what is at `at` was not the last thing written. */
static enum leat_status head_behind(struct leat_log_scan *scan, int64_t at, bool *found,
                                    struct leat_error *err)
{
    struct leat_slice bytes;
    struct head h;

    *found = false;
    for (int64_t i = at + 1; !*found && i + HEAD_BYTES <= scan->bytes; i++) {
        if (leat_log_scan_bytes(scan, i, HEAD_BYTES, &bytes, err) != LEAT_OK)
            return err->status;
        *found = bytes.ptr[0] == 'l' && head_read(bytes, &h);
    }
    return LEAT_OK;
}

/* The frame at `at` is not whole; its head is not, if `head_bad`. `end`: where it would end, or the
 * end of the file. */
static enum leat_status torn(struct leat_log_scan *scan, struct leat_log_frame *frame,
                             bool head_bad, int64_t end, struct leat_error *err)
{
    bool blank, more = false;
    int64_t at = scan->at;
    struct leat_slice mark;

    if (leat_log_scan_bytes(scan, end - 1, 1, &mark, err) != LEAT_OK)
        return err->status;
    bool unfinished = *mark.ptr == 0;
    if (has_blank(scan, at, end, head_bad ? at + HEAD_BYTES : end, &blank, err) != LEAT_OK ||
        (head_bad && head_behind(scan, at, &more, err) != LEAT_OK))
        return err->status;
    if ((!blank && !unfinished) || more)
        return damaged(scan, at, err);
    frame->kind = LEAT_LOG_TORN;
    return LEAT_OK;
}

/* ---- frames */

static enum leat_status check_runs(struct leat_log_scan *scan, const struct leat_log_frame *frame,
                                   bool *whole, struct leat_error *err)
{
    size_t at = frame->front.bytes;

    for (uint32_t i = 0; i < frame->front.runs_count; i++) {
        const struct leat_log_run *run = &frame->front.runs[i];
        if (run->bytes > frame->payload.len - at)
            return damaged(scan, frame->at, err);
        *whole = *whole &&
                 leat_crc32c((struct leat_slice){frame->payload.ptr + at, run->bytes}) == run->crc;
        at += run->bytes;
    }
    return at == frame->payload.len ? LEAT_OK : damaged(scan, frame->at, err);
}

static enum leat_status read_payload(struct leat_log_scan *scan, const struct head *h,
                                     enum leat_log_want want, struct leat_log_frame *frame,
                                     bool *whole, struct leat_error *err)
{
    size_t len = want == LEAT_LOG_WANT_ALL ? h->payload : h->front;
    struct leat_slice end = {0};

    /* Who wants fronts only does not look at the far end of what may be large. */
    if (want == LEAT_LOG_WANT_ALL &&
        leat_log_scan_bytes(scan, frame->end - 1, 1, &end, err) != LEAT_OK)
        return err->status;
    *whole = !end.ptr || (unsigned char)*end.ptr == END_MARK;
    if (leat_log_scan_bytes(scan, frame->at + HEAD_BYTES, len, &frame->payload, err) != LEAT_OK)
        return err->status;
    *whole = *whole && leat_crc32c((struct leat_slice){frame->payload.ptr, h->front}) == h->crc;
    if (*whole && h->kind == LEAT_LOG_BLOCKS && want == LEAT_LOG_WANT_ALL)
        *whole = leat_block_front_matches(frame->payload, h->front);
    if (!*whole || h->kind == LEAT_LOG_CONFIRM || h->kind == LEAT_LOG_BLOCKS)
        return LEAT_OK;
    if (leat_log_front_read(frame->payload, &frame->front, &scan->work, err) != LEAT_OK)
        return leat_error_prefix(err, "'%s' at byte %lld", scan->path, (long long)frame->at);
    if (frame->front.bytes != h->front || frame->front.record.n != h->n)
        return damaged(scan, frame->at, err);
    return want == LEAT_LOG_WANT_ALL ? check_runs(scan, frame, whole, err) : LEAT_OK;
}

enum leat_status leat_log_scan_next(struct leat_log_scan *scan, enum leat_log_want want,
                                    struct leat_log_frame *frame, struct leat_error *err)
{
    int64_t left = scan->bytes - scan->at;
    struct leat_slice bytes;
    bool whole = false;
    struct head h;

    *frame = (struct leat_log_frame){.kind = LEAT_LOG_END, .at = scan->at, .end = scan->at};
    leat_arena_recycle(&scan->work, BUFFER_BYTES);
    if (left == 0)
        return LEAT_OK;
    frame->kind = LEAT_LOG_TORN;
    if (left < HEAD_BYTES)
        return LEAT_OK;
    if (leat_log_scan_bytes(scan, scan->at, HEAD_BYTES, &bytes, err) != LEAT_OK)
        return err->status;
    if (!head_read(bytes, &h))
        return torn(scan, frame, true, scan->bytes, err);
    if (h.payload >= (uint64_t)(left - HEAD_BYTES)) /* with its end mark it does not fit */
        return LEAT_OK;
    if ((h.kind == LEAT_LOG_BLOCKS) != scan->of_blocks)
        return damaged(scan, scan->at, err);
    frame->end = scan->at + HEAD_BYTES + (int64_t)h.payload + 1;
    frame->front_bytes = h.front;
    if (read_payload(scan, &h, want, frame, &whole, err) != LEAT_OK)
        return err->status;
    if (!whole && frame->end < scan->bytes)
        return damaged(scan, scan->at, err);
    if (!whole)
        return torn(scan, frame, false, frame->end, err);
    frame->kind = h.kind;
    frame->n = h.n;
    scan->at = frame->end;
    return LEAT_OK;
}

enum leat_status leat_log_scan_run(struct leat_log_scan *scan, const struct leat_log_frame *frame,
                                   const struct leat_log_run *run, struct leat_slice *bytes,
                                   struct leat_error *err)
{
    uint64_t behind = HEAD_BYTES + frame->front.bytes + run->at,
             all = (uint64_t)(frame->end - frame->at);

    if (behind + run->bytes > all)
        return damaged(scan, frame->at, err);
    if (leat_log_scan_bytes(scan, frame->at + (int64_t)behind, run->bytes, bytes, err) != LEAT_OK)
        return err->status;
    return leat_crc32c(*bytes) == run->crc ? LEAT_OK : damaged(scan, frame->at, err);
}

static enum leat_status begin(struct leat_log_scan *scan, const struct leat_fs *fs,
                              const char *path, bool of_blocks, struct leat_error *err)
{
    struct leat_slice magic, known = LEAT_LIT(LEAT_LOG_MAGIC);

    if (of_blocks)
        known = LEAT_LIT(LEAT_BLOCK_MAGIC);
    *scan = (struct leat_log_scan){.fs = fs, .path = path, .of_blocks = of_blocks};
    scan->bytes = fs->length(fs, path);
    if (scan->bytes < 0)
        return leat_fs_failed(err, scan->bytes, "look at", path);
    if (scan->bytes < (int64_t)LEAT_LOG_MAGIC_BYTES)
        return leat_fail(err, LEAT_E_CORRUPT, "'%s' is no log of leat's", path);
    bool small = !of_blocks && scan->bytes < (int64_t)BUFFER_BYTES;
    size_t room = small ? (size_t)scan->bytes : BUFFER_BYTES;
    scan->buffer = leat_arena_alloc(&scan->arena, room);
    if (!scan->buffer)
        return leat_arena_failed(&scan->arena, err);
    if (leat_log_scan_bytes(scan, 0, LEAT_LOG_MAGIC_BYTES, &magic, err) != LEAT_OK)
        return err->status;
    if (!leat_slice_eq(magic, known))
        return leat_fail(err, LEAT_E_CORRUPT, "'%s' is no log of leat's", path);
    scan->at = LEAT_LOG_MAGIC_BYTES;
    return LEAT_OK;
}

enum leat_status leat_log_scan_begin(struct leat_log_scan *scan, const struct leat_fs *fs,
                                     const char *path, struct leat_error *err)
{
    return begin(scan, fs, path, false, err);
}

enum leat_status leat_log_scan_begin_blocks(struct leat_log_scan *scan, const struct leat_fs *fs,
                                            const char *path, struct leat_error *err)
{
    return begin(scan, fs, path, true, err);
}

void leat_log_scan_end(struct leat_log_scan *scan)
{
    leat_arena_reset(&scan->arena);
    leat_arena_reset(&scan->work);
}
