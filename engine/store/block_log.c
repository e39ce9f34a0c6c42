#include "store/block_log.h"

#include "base/crc32c.h"
#include "base/failpoint.h"
#include "store/block_log_in.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define SEGMENT_MIN ((int64_t)64 * 1024)
#define SEGMENT_MAX ((int64_t)64 * 1024 * 1024)
#define FRESH       "fresh.tmp"
#define LEAVE_SHARE 32 /* of the disk is left to others */
#define LEAVE_MAX   ((int64_t)64 * 1024 * 1024)

enum leat_status block_path(const struct leat_block_log *log, uint64_t first, char *path,
                            struct leat_error *err)
{
    int n = first ? snprintf(path, BLOCK_PATH_BYTES, "%s/%020" PRIu64 ".leatblk", log->dir, first)
                  : snprintf(path, BLOCK_PATH_BYTES, "%s/" FRESH, log->dir);

    if (n < 0 || n >= BLOCK_PATH_BYTES)
        return leat_fail(err, LEAT_E_CONFIG, "the path '%.40s...' is too long", log->dir);
    return LEAT_OK;
}

bool block_add_segment(struct leat_block_log *log, uint64_t first, int64_t bytes)
{
    if (log->count == log->room) {
        size_t room = log->room ? log->room * 2 : 8;
        struct block_segment *grown = leat_mem_alloc(room * sizeof *grown);
        if (!grown)
            return false;
        if (log->count)
            memcpy(grown, log->segments, log->count * sizeof *grown);
        leat_mem_free(log->segments);
        log->segments = grown;
        log->room = room;
    }
    log->segments[log->count++] = (struct block_segment){.first = first, .bytes = bytes};
    return true;
}

static enum leat_status broken(struct leat_block_log *log, int64_t result, const char *what,
                               struct leat_error *err)
{
    log->broken = true;
    if (strcmp(what, "sync") == 0)
        return leat_fs_sync_failed(err, result, log->path);
    leat_fs_failed(err, result, what, log->path);
    err->status = LEAT_E_BROKEN;
    return err->status;
}

/* ---- what is there */

static bool is_done(const struct leat_block_log *log, const struct block_segment *s)
{
    for (uint32_t p = 0; p < LEAT_BLOCK_PARTS && s->has_blocks; p++)
        if (s->upto[p] > log->parts[p].done)
            return false;
    return true;
}

static bool all_done(const struct leat_block_log *log)
{
    for (size_t i = 0; i < log->count; i++)
        if (!is_done(log, &log->segments[i]))
            return false;
    return true;
}

int64_t leat_block_log_bytes(const struct leat_block_log *log)
{
    int64_t bytes = 0;

    for (size_t i = 0; i < log->count; i++)
        bytes += log->segments[i].bytes;
    return bytes;
}

int64_t leat_block_log_torn(const struct leat_block_log *log)
{
    return log->torn;
}

bool leat_block_log_gap(const struct leat_block_log *log, uint32_t part, int64_t *from, int64_t *to)
{
    *from = log->gap_from[part];
    *to = log->gap_to[part];
    return *to > *from;
}

struct leat_block_part leat_block_log_part(const struct leat_block_log *log, uint32_t part)
{
    return log->parts[part];
}

void leat_block_log_skip(struct leat_block_log *log, uint32_t part, int64_t next)
{
    struct leat_block_part *p = &log->parts[part];

    if (next <= p->next)
        return;
    if (p->oldest == p->next)
        p->oldest = next;
    p->next = next;
    log->moved[part] = true;
}

void leat_block_log_done(struct leat_block_log *log, uint32_t part, int64_t upto)
{
    struct leat_block_part *p = &log->parts[part];

    if (upto <= p->done)
        return;
    p->done = upto < p->next ? upto : p->next;
    log->moved[part] = true;
}

void block_note(struct leat_block_log *log, struct block_segment *s,
                const struct leat_block_front *f)
{
    for (uint32_t i = 0; i < f->places_count; i++) {
        leat_block_log_skip(log, f->places[i].part, f->places[i].next);
        leat_block_log_done(log, f->places[i].part, f->places[i].done);
        log->parts[f->places[i].part].known = true;
    }
    for (uint32_t i = 0; i < f->blocks_count; i++) {
        const struct leat_block_entry *e = &f->blocks[i];
        struct leat_block_part *p = &log->parts[e->part];
        if (p->oldest == p->next)
            p->oldest = e->from;
        p->known = true;
        p->next = e->to;
        p->unread += e->bytes;
        s->upto[e->part] = e->to;
        s->has_blocks = true;
    }
}

static void note_gone(struct leat_block_log *log, const struct block_segment *s)
{
    for (uint32_t p = 0; p < LEAT_BLOCK_PARTS; p++)
        if (s->upto[p] > log->parts[p].oldest)
            log->parts[p].oldest = s->upto[p];
}

/* ---- write */

static void put_places(const struct leat_block_log *log, struct leat_block_front *f, bool all)
{
    for (uint32_t p = 0; p < LEAT_BLOCK_PARTS; p++)
        if (log->moved[p] || (all && log->parts[p].known))
            f->places[f->places_count++] =
                (struct leat_block_place){p, log->parts[p].next, log->parts[p].done};
}

static void forget_moves(struct leat_block_log *log)
{
    memset(log->moved, 0, sizeof log->moved);
}

static int write_frame(struct leat_block_log *log, int fd, const struct leat_block_front *f,
                       struct leat_block *const *blocks, int64_t *bytes)
{
    struct leat_slice front = leat_block_front_write(f, log->front + LEAT_LOG_HEAD_BYTES);
    uint64_t behind = 0;

    for (uint32_t i = 0; i < f->blocks_count; i++)
        behind += blocks[i]->bytes.len;
    leat_log_head_write(front, behind, log->n + 1, log->front);
    int e = log->fs->write(log->fs, fd, log->front, LEAT_LOG_HEAD_BYTES + front.len);
    for (uint32_t i = 0; e >= 0 && i < f->blocks_count; i++)
        e = log->fs->write(log->fs, fd, blocks[i]->bytes.ptr, blocks[i]->bytes.len);
    if (e >= 0 && leat_failpoint("store.torn"))
        e = -EIO;
    if (e >= 0)
        e = log->fs->write(log->fs, fd, LEAT_LOG_END_MARK, 1);
    *bytes = (int64_t)(LEAT_LOG_HEAD_BYTES + front.len + behind + 1);
    return e;
}

/* Under another name: at every moment a segment has its first frame, or is not there. */
static int write_fresh(struct leat_block_log *log, const char *path, int64_t *bytes)
{
    struct leat_block_front f = {0};
    int fd = log->fs->create(log->fs, path);

    if (fd < 0)
        return fd;
    put_places(log, &f, true);
    int e = log->fs->write(log->fs, fd, LEAT_BLOCK_MAGIC, LEAT_LOG_MAGIC_BYTES);
    if (e >= 0)
        e = write_frame(log, fd, &f, NULL, bytes);
    if (e >= 0)
        e = log->fs->sync(log->fs, fd);
    *bytes += (int64_t)LEAT_LOG_MAGIC_BYTES;
    log->fs->close(log->fs, fd);
    return e;
}

static enum leat_status start_segment(struct leat_block_log *log, struct leat_error *err)
{
    char fresh[BLOCK_PATH_BYTES], path[BLOCK_PATH_BYTES];
    int64_t bytes;

    if (block_path(log, 0, fresh, err) != LEAT_OK ||
        block_path(log, log->n + 1, path, err) != LEAT_OK)
        return err->status;
    if (!block_add_segment(log, log->n + 1, 0))
        return leat_fail(err, LEAT_E_NOMEM, "no memory for another segment of the store");
    int e = write_fresh(log, fresh, &bytes);
    if (e < 0) {
        log->fs->unlink(log->fs, fresh);
        log->count--;
        return leat_fs_failed(err, e, "write", fresh);
    }
    memcpy(log->path, path, sizeof path);
    e = log->fs->rename(log->fs, fresh, path);
    if (e >= 0)
        e = log->fs->sync_dir(log->fs, log->dir);
    if (e < 0)
        return broken(log, e, "make", err);
    if (log->fd >= 0)
        log->fs->close(log->fs, log->fd);
    log->fd = log->fs->append(log->fs, path);
    if (log->fd < 0)
        return broken(log, log->fd, "open", err);
    log->segments[log->count - 1].bytes = log->segments[log->count - 1].head_bytes = bytes;
    log->n++;
    forget_moves(log);
    return LEAT_OK;
}

/* What was written of a frame is taken back; else the next one would stand behind rubbish. */
static enum leat_status take_back(struct leat_block_log *log, int result, struct leat_error *err)
{
    int e = log->fs->truncate(log->fs, log->path, log->segments[log->count - 1].bytes);

    if (e < 0)
        return broken(log, e, "cut", err);
    return leat_fs_failed(err, result, "write", log->path);
}

static enum leat_status append_frame(struct leat_block_log *log, const struct leat_block_front *f,
                                     struct leat_block *const *blocks, struct leat_error *err)
{
    int64_t bytes;
    int e = write_frame(log, log->fd, f, blocks, &bytes);

    if (e < 0)
        return take_back(log, e, err);
    e = log->fs->sync(log->fs, log->fd);
    if (e < 0 || leat_failpoint("store.synced"))
        return broken(log, e < 0 ? e : -EIO, "sync", err);
    err->status = LEAT_OK;
    log->segments[log->count - 1].bytes += bytes;
    log->n++;
    block_note(log, &log->segments[log->count - 1], f);
    forget_moves(log); /* they are written */
    return LEAT_OK;
}

/* The job's log, on the same disk as a rule, could not be written either: then nothing would become
 * done any more, and the disk would stay full. */
static bool leaves_room(const struct leat_block_log *log, int64_t more)
{
    int64_t disk = 0, room = log->fs->room(log->fs, log->dir, &disk);
    int64_t leave = disk / LEAVE_SHARE < LEAVE_MAX ? disk / LEAVE_SHARE : LEAVE_MAX;

    return room < 0 || disk == 0 || room - more >= leave; /* who cannot tell is asked by writing */
}

static bool has_blocks(const struct leat_block_log *log)
{
    for (size_t i = 0; i < log->count; i++)
        if (log->segments[i].has_blocks)
            return true;
    return false;
}

/* Room for so many bytes more. */
static enum leat_status make_room(struct leat_block_log *log, int64_t more, struct leat_error *err)
{
    int64_t bytes = leat_block_log_bytes(log);

    if (bytes + more > log->quota && has_blocks(log))
        return leat_fail(err, LEAT_E_FULL,
                         "the store '%s' holds %" PRId64 " KiB, which is all that `quota` lets it "
                         "have; its sender is held back",
                         log->dir, bytes >> 10);
    if (!leaves_room(log, more))
        return leat_fail(err, LEAT_E_FULL,
                         "the disk of the store '%s' is full but for what is left to others; the "
                         "store holds %" PRId64 " KiB, its sender is held back",
                         log->dir, bytes >> 10);
    return log->count && log->segments[log->count - 1].bytes < log->segment_bytes
               ? LEAT_OK
               : start_segment(log, err);
}

static enum leat_status append(struct leat_block_log *log, struct leat_block_front *f,
                               struct leat_block *const *blocks, int64_t more,
                               struct leat_error *err)
{
    if (make_room(log, more, err) != LEAT_OK)
        return err->status;
    f->places_count = 0;
    put_places(log, f, false);
    return append_frame(log, f, blocks, err);
}

/* All is done, and goes; no new file is needed for that, there may be no room for one. The places
 * that are cut off are written again with the next frame: until then the log of the job has them.
 */
static enum leat_status empty(struct leat_block_log *log, struct leat_error *err)
{
    struct block_segment *s = &log->segments[log->count - 1];

    int e = log->fs->truncate(log->fs, log->path, s->head_bytes);
    if (e < 0)
        return leat_fs_failed(err, e, "cut", log->path);
    e = log->fs->sync(log->fs, log->fd);
    if (e < 0)
        return broken(log, e, "sync", err);
    note_gone(log, s);
    log->n = s->first;
    *s = (struct block_segment){
        .first = s->first, .bytes = s->head_bytes, .head_bytes = s->head_bytes};
    for (uint32_t p = 0; p < LEAT_BLOCK_PARTS; p++)
        log->moved[p] = log->parts[p].known;
    block_forget_read(log);
    return LEAT_OK;
}

enum leat_status leat_block_log_append(struct leat_block_log *log, struct leat_block *const *blocks,
                                       uint32_t count, struct leat_error *err)
{
    struct leat_block_front f = {.blocks_count = count};
    int64_t more = LEAT_BLOCK_FRONT_MAX;

    assert(count > 0 && count <= LEAT_BLOCK_GROUP);
    if (log->broken)
        return leat_fail(err, LEAT_E_BROKEN, "'%s' has failed before", log->path);
    for (uint32_t i = 0; i < count; i++) {
        const struct leat_block *b = blocks[i];
        if (b->bytes.len > UINT32_MAX)
            return leat_fail(err, LEAT_E_DATA, "a record of %zu MiB", b->bytes.len >> 20);
        f.blocks[i] = (struct leat_block_entry){.part = b->part,
                                                .from = b->from,
                                                .to = b->to,
                                                .rows = b->rows_hint,
                                                .bytes = (uint32_t)b->bytes.len,
                                                .crc = leat_crc32c(b->bytes)};
        more += (int64_t)b->bytes.len;
    }
    if (append(log, &f, blocks, more, err) != LEAT_E_FULL || !has_blocks(log) || !all_done(log))
        return err->status;
    if (leat_block_log_trim(log, err) != LEAT_OK || empty(log, err) != LEAT_OK)
        return err->status;
    return append(log, &f, blocks, more, err);
}

enum leat_status leat_block_log_trim(struct leat_block_log *log, struct leat_error *err)
{
    char path[BLOCK_PATH_BYTES];

    while (log->count > 1 && is_done(log, &log->segments[0])) {
        const struct block_segment *s = &log->segments[0];
        if (block_path(log, s->first, path, err) != LEAT_OK)
            return err->status;
        int e = log->fs->unlink(log->fs, path);
        if (e < 0 && e != -ENOENT)
            return leat_fs_failed(err, e, "remove", path);
        note_gone(log, s);
        log->count--;
        memmove(log->segments, log->segments + 1, log->count * sizeof *log->segments);
    }
    return LEAT_OK;
}

enum leat_status leat_block_log_settle(struct leat_block_log *log, struct leat_error *err)
{
    if (log->broken || !log->count || !log->segments[log->count - 1].has_blocks || !all_done(log))
        return LEAT_OK;
    if (start_segment(log, err) != LEAT_OK)
        return err->status;
    return leat_block_log_trim(log, err);
}

/* ---- begin and end */

enum leat_status leat_block_log_open(const struct leat_fs *fs, const char *dir, int64_t quota,
                                     struct leat_block_log **log, struct leat_error *err)
{
    struct leat_block_log *l = leat_mem_alloc(sizeof *l);

    *log = l;
    if (!l)
        return leat_fail(err, LEAT_E_NOMEM, "no memory for the store");
    l->fs = fs;
    l->fd = -1;
    l->quota = quota;
    l->segment_bytes = quota / 16 < SEGMENT_MIN   ? SEGMENT_MIN
                       : quota / 16 > SEGMENT_MAX ? SEGMENT_MAX
                                                  : quota / 16;
    int n = snprintf(l->dir, sizeof l->dir, "%s", dir);
    if (n < 0 || (size_t)n >= sizeof l->dir - 64) {
        leat_fail(err, LEAT_E_CONFIG, "the path '%.40s...' is too long", dir);
        goto fail;
    }
    int e = leat_fs_make_parents(fs, l->dir);
    if (e >= 0)
        e = fs->mkdir(fs, l->dir);
    if (e < 0 && e != -EEXIST) {
        leat_fs_failed(err, e, "make", l->dir);
        goto fail;
    }
    if (block_take_in(l, err) == LEAT_OK)
        return LEAT_OK;

fail:
    leat_block_log_close(l);
    *log = NULL;
    return err->status;
}

void leat_block_log_close(struct leat_block_log *log)
{
    if (!log)
        return;
    leat_log_scan_end(&log->scan);
    if (log->fd >= 0)
        log->fs->close(log->fs, log->fd);
    leat_mem_free(log->segments);
    leat_mem_free(log);
}
