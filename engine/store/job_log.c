#include "store/job_log.h"

#include "base/failpoint.h"
#include "base/mem.h"
#include "store/log_dir.h"
#include "store/log_index.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define SEGMENT_BYTES ((int64_t)16 * 1024 * 1024)
#define WORK_KEEP     ((size_t)4 * 1024 * 1024) /* of what encoding a record took */
struct leat_job_log {
    const struct leat_fs *fs;
    struct leat_log_dir dir;        /* DIR/log */
    char path[LEAT_LOG_PATH_BYTES]; /* of the newest segment */
    char fresh[LEAT_LOG_PATH_BYTES];
    int fd;
    int64_t segment_bytes;
    int64_t length;   /* of whole frames in the newest segment */
    int64_t base_end; /* of its base frame */
    int64_t last_at;  /* of its last record; 0: it has none */
    bool broken;
    bool view; /* only looked at */
    int64_t torn;
    struct leat_log_index index;
    struct leat_arena last_arena, work;
    struct leat_log_record last;
};

/* ---- what the last record said */

/* The front of a record becomes `last`. Its text must not be in last_arena. */
static enum leat_status take_in(struct leat_job_log *log, struct leat_slice front_bytes,
                                struct leat_error *err)
{
    struct leat_log_front front;

    leat_arena_recycle(&log->last_arena, WORK_KEEP);
    struct leat_slice copy = leat_arena_copy(&log->last_arena, front_bytes);
    if (!copy.ptr)
        return leat_arena_failed(&log->last_arena, err);
    if (leat_log_front_read(copy, &front, &log->last_arena, err) != LEAT_OK)
        return err->status;
    log->last = front.record;
    for (uint32_t i = 0; i < log->last.positions_count; i++)
        if (!leat_log_index_set(&log->index, &log->last.positions[i]))
            return leat_arena_failed(&log->index.arena, err);
    return LEAT_OK;
}

const struct leat_log_record *leat_job_log_last(const struct leat_job_log *log)
{
    return &log->last;
}

int64_t leat_job_log_torn(const struct leat_job_log *log)
{
    return log->torn;
}

const struct leat_log_position *leat_job_log_find(const struct leat_job_log *log,
                                                  struct leat_slice source,
                                                  struct leat_slice partition)
{
    return leat_log_index_find(&log->index, source, partition);
}

bool leat_job_log_position(const struct leat_job_log *log, struct leat_slice source,
                           struct leat_slice partition, int64_t *next)
{
    const struct leat_log_position *p = leat_log_index_find(&log->index, source, partition);

    if (p)
        *next = p->next;
    return p;
}

void leat_job_log_each_position(const struct leat_job_log *log,
                                void (*fn)(void *arg, const struct leat_log_position *position),
                                void *arg)
{
    leat_log_index_each(&log->index, fn, arg);
}

/* ---- reading the newest segment */

static enum leat_status load_frame(struct leat_job_log *log, const struct leat_log_frame *f,
                                   struct leat_error *err)
{
    struct leat_slice front = {f->payload.ptr, f->front.bytes};
    bool first = log->base_end == 0;
    uint64_t expected = first                        ? leat_log_dir_newest(&log->dir) - 1
                        : f->kind == LEAT_LOG_RECORD ? log->last.n + 1
                                                     : log->last.n;

    if (first != (f->kind == LEAT_LOG_BASE) || f->n != expected)
        return leat_log_wrong_order(log->path, f, expected, err);
    if (f->kind == LEAT_LOG_CONFIRM)
        log->last.confirmed = f->n;
    else if (take_in(log, front, err) != LEAT_OK)
        return err->status;
    if (first)
        log->base_end = f->end;
    if (f->kind == LEAT_LOG_RECORD)
        log->last_at = f->at;
    log->length = f->end;
    return LEAT_OK;
}

/* Everything that is known comes from the newest segment: its base and what follows. */
static enum leat_status load(struct leat_job_log *log, struct leat_error *err)
{
    struct leat_log_scan scan;
    struct leat_log_frame f = {.kind = LEAT_LOG_BASE};

    leat_log_index_fini(&log->index);
    log->length = log->base_end = log->last_at = 0;
    enum leat_status status = leat_log_scan_begin(&scan, log->fs, log->path, err);
    while (status == LEAT_OK) {
        status = leat_log_scan_next(&scan, LEAT_LOG_WANT_ALL, &f, err);
        if (status != LEAT_OK || f.kind == LEAT_LOG_END || f.kind == LEAT_LOG_TORN)
            break;
        status = load_frame(log, &f, err);
    }
    if (status == LEAT_OK && log->base_end == 0)
        status = leat_fail(err, LEAT_E_CORRUPT, "'%s' ends before its first record", log->path);
    if (status == LEAT_OK && f.kind == LEAT_LOG_TORN && !log->view) {
        log->torn = scan.bytes - log->length;
        int e = log->fs->truncate(log->fs, log->path, log->length);
        if (e < 0)
            status = leat_fs_failed(err, e, "cut", log->path);
    }
    leat_log_scan_end(&scan);
    return status;
}

/* ---- writing */

static enum leat_status broken(struct leat_job_log *log, int64_t result, const char *what,
                               struct leat_error *err)
{
    leat_fs_failed(err, result, what, log->path);
    log->broken = true;
    err->status = LEAT_E_BROKEN;
    return err->status;
}

/* In two halves, so that a test can end the program between them. */
static int write_halves(const struct leat_job_log *log, int fd, struct leat_slice bytes)
{
    size_t half = bytes.len / 2;
    int e = log->fs->write(log->fs, fd, bytes.ptr, half);

    if (e >= 0 && leat_failpoint("log.torn"))
        e = -EIO;
    return e < 0 ? e : log->fs->write(log->fs, fd, bytes.ptr + half, bytes.len - half);
}

static int write_file(const struct leat_job_log *log, struct leat_slice bytes)
{
    int fd = log->fs->create(log->fs, log->fresh);

    if (fd < 0)
        return fd;
    int e = write_halves(log, fd, bytes);
    if (e >= 0)
        e = log->fs->sync(log->fs, fd);
    log->fs->close(log->fs, fd);
    return e;
}

static void gather(void *arg, const struct leat_log_position *position)
{
    struct leat_log_record *all = arg;

    all->positions[all->positions_count++] = *position;
}

/* What is known, without the batches: their ranges count positions of their own record. */
static bool base_write(struct leat_job_log *log, struct leat_bytes *b)
{
    struct leat_log_record all = log->last;
    struct leat_slice front;

    all.cuts_count = 0;
    all.positions_count = 0;
    all.positions = leat_arena_array(&log->work, log->index.count, sizeof *all.positions);
    if (!all.positions)
        return false;
    leat_log_index_each(&log->index, gather, &all);
    leat_bytes_put(b, LEAT_LOG_MAGIC, LEAT_LOG_MAGIC_BYTES);
    return leat_log_frame_write(LEAT_LOG_BASE, all.n, &all, b, &front);
}

/* Written beside, then renamed: at every moment the segment is whole or not there. */
static enum leat_status put_segment(struct leat_job_log *log, uint64_t first,
                                    struct leat_slice bytes, struct leat_error *err)
{
    const struct leat_fs *fs = log->fs;
    char path[LEAT_LOG_PATH_BYTES];

    if (leat_log_dir_path(&log->dir, first, path, err) != LEAT_OK)
        return err->status;
    int e = write_file(log, bytes);
    if (e < 0) {
        fs->unlink(fs, log->fresh);
        return leat_fs_failed(err, e, "write", log->fresh);
    }
    memcpy(log->path, path, sizeof path);
    e = fs->rename(fs, log->fresh, path);
    if (e >= 0)
        e = fs->sync_dir(fs, log->dir.path);
    if (e < 0)
        return broken(log, e, "make", err);
    if (log->fd >= 0)
        fs->close(fs, log->fd);
    log->fd = fs->append(fs, path);
    if (log->fd < 0)
        return broken(log, log->fd, "open", err);
    log->length = (int64_t)bytes.len;
    return LEAT_OK;
}

/* A new segment with everything known, and the record (NULL: none) behind it. */
static enum leat_status start_segment(struct leat_job_log *log, const struct leat_log_record *r,
                                      struct leat_slice *front, struct leat_error *err)
{
    struct leat_bytes b = {.arena = &log->work};
    uint64_t first = log->last.n + 1;

    if (!base_write(log, &b))
        return leat_arena_failed(&log->work, err);
    int64_t base_end = (int64_t)b.len;
    if (r && !leat_log_frame_write(LEAT_LOG_RECORD, r->n, r, &b, front))
        return leat_arena_failed(&log->work, err);
    if (!leat_log_dir_add(&log->dir, first))
        return leat_fail(err, LEAT_E_NOMEM, "no memory for another segment of the log");
    if (put_segment(log, first, leat_bytes_slice(&b), err) != LEAT_OK) {
        log->dir.count--;
        return err->status;
    }
    struct leat_log_piece *piece = &log->dir.list[log->dir.count - 1];
    piece->before_ms = log->last.clock_ms;
    piece->had_state = log->last.partitions > 0;
    piece->has_before = true;
    log->base_end = base_end;
    log->last_at = r ? base_end : 0;
    return LEAT_OK;
}

/* What was written of a frame is taken back; else the next one would stand behind rubbish. */
static enum leat_status take_back(struct leat_job_log *log, int result, struct leat_error *err)
{
    int e = log->fs->truncate(log->fs, log->path, log->length);

    if (e < 0)
        return broken(log, e, "cut", err);
    return leat_fs_failed(err, result, "write", log->path);
}

static enum leat_status append_frame(struct leat_job_log *log, struct leat_slice frame, bool sync,
                                     struct leat_error *err)
{
    int e = write_halves(log, log->fd, frame);

    if (e < 0)
        return take_back(log, e, err);
    e = sync ? log->fs->sync(log->fs, log->fd) : 0;
    if (e < 0)
        return broken(log, e, "sync", err);
    log->length += (int64_t)frame.len;
    return LEAT_OK;
}

static enum leat_status append_record(struct leat_job_log *log, const struct leat_log_record *r,
                                      struct leat_slice *front, struct leat_error *err)
{
    struct leat_bytes b = {.arena = &log->work};
    int64_t at = log->length;

    if (log->length >= log->segment_bytes && log->length >= 4 * log->base_end)
        return start_segment(log, r, front, err);
    if (!leat_log_frame_write(LEAT_LOG_RECORD, r->n, r, &b, front))
        return leat_arena_failed(&log->work, err);
    if (append_frame(log, leat_bytes_slice(&b), true, err) != LEAT_OK)
        return err->status;
    log->last_at = at;
    return LEAT_OK;
}

static enum leat_status has_failed(const struct leat_job_log *log, struct leat_error *err)
{
    return leat_fail(err, LEAT_E_BROKEN, "'%s' has failed before", log->path);
}

enum leat_status leat_job_log_append(struct leat_job_log *log, const struct leat_log_record *r,
                                     struct leat_error *err)
{
    struct leat_log_record named = *r;
    struct leat_slice front;

    assert(r->n == log->last.n + 1);
    if (log->broken)
        return has_failed(log, err);
    if (leat_failpoint("log.before"))
        return leat_fs_failed(err, -EIO, "write", log->path);
    named.job = log->last.job;
    named.epoch = log->last.epoch;
    leat_arena_recycle(&log->work, WORK_KEEP);
    if (append_record(log, &named, &front, err) != LEAT_OK)
        return err->status;
    if (leat_failpoint("log.synced"))
        return broken(log, -EIO, "sync", err);
    log->broken = take_in(log, front, err) != LEAT_OK;
    return log->broken ? err->status : LEAT_OK;
}

enum leat_status leat_job_log_confirm(struct leat_job_log *log, uint64_t n, bool sync,
                                      struct leat_error *err)
{
    struct leat_bytes b = {.arena = &log->work};
    struct leat_slice front;

    assert(n == log->last.n);
    if (log->broken)
        return has_failed(log, err);
    if (log->last.confirmed == n)
        return LEAT_OK;
    leat_arena_recycle(&log->work, WORK_KEEP);
    if (!leat_log_frame_write(LEAT_LOG_CONFIRM, n, NULL, &b, &front))
        return leat_arena_failed(&log->work, err);
    if (append_frame(log, leat_bytes_slice(&b), sync, err) != LEAT_OK)
        return err->status;
    log->last.confirmed = n;
    return LEAT_OK;
}

enum leat_status leat_job_log_drop_last(struct leat_job_log *log, struct leat_error *err)
{
    if (log->broken)
        return has_failed(log, err);
    if (log->last_at == 0)
        return leat_fail(err, LEAT_E_CORRUPT,
                         "'%s': record %" PRIu64 " was never committed and cannot be taken back",
                         log->path, log->last.n);
    int e = log->fs->truncate(log->fs, log->path, log->last_at);
    if (e < 0)
        return broken(log, e, "cut", err);
    e = log->fs->sync(log->fs, log->fd);
    if (e < 0)
        return broken(log, e, "sync", err);
    log->broken = load(log, err) != LEAT_OK;
    return log->broken ? err->status : LEAT_OK;
}

/* ---- reading old records */

uint64_t leat_job_log_oldest(const struct leat_job_log *log)
{
    return log->dir.list[0].first;
}

enum leat_status leat_job_log_begins_with_state(struct leat_job_log *log, bool *with,
                                                struct leat_error *err)
{
    return leat_log_dir_begins_with_state(&log->dir, with, err);
}

enum leat_status leat_job_log_each(const struct leat_job_log *log, uint64_t from_n, uint64_t upto_n,
                                   leat_log_record_fn *fn, void *arg, struct leat_error *err)
{
    return leat_log_dir_each(&log->dir, from_n, upto_n < log->last.n ? upto_n : log->last.n, fn,
                             arg, err);
}

enum leat_status leat_job_log_each_state(const struct leat_job_log *log, uint32_t q,
                                         uint64_t from_n, uint64_t upto_n, leat_log_state_fn *fn,
                                         void *arg, struct leat_error *err)
{
    return leat_log_dir_each_state(&log->dir, q, from_n,
                                   upto_n < log->last.n ? upto_n : log->last.n, fn, arg, err);
}

enum leat_status leat_job_log_trim(struct leat_job_log *log, uint64_t upto_n, int64_t since_ms,
                                   struct leat_error *err)
{
    return leat_log_dir_trim(&log->dir, upto_n, since_ms, err);
}

/* ---- open */

static enum leat_status set_paths(struct leat_job_log *log, const char *dir, struct leat_error *err)
{
    int a = snprintf(log->dir.path, sizeof log->dir.path, "%s/log", dir);
    int b = snprintf(log->fresh, sizeof log->fresh, "%s/log/new", dir);

    if (a < 0 || b < 0 || (size_t)b >= sizeof log->fresh)
        return leat_fail(err, LEAT_E_CONFIG, "the path '%.40s...' is too long", dir);
    return leat_log_dir_path(&log->dir, 1, log->path, err);
}

/* Version 1 of this log was one file, which holds no state. */
static enum leat_status refuse_old(const struct leat_job_log *log, const char *dir,
                                   struct leat_error *err)
{
    char path[LEAT_LOG_PATH_BYTES];

    snprintf(path, sizeof path, "%.4000s/job.log", dir);
    int64_t bytes = log->fs->length(log->fs, path);
    if (bytes == -ENOENT)
        return LEAT_OK;
    if (bytes < 0)
        return leat_fs_failed(err, bytes, "look at", path);
    return leat_fail(err, LEAT_E_CONFIG,
                     "'%s' was written by an older leat, which this one does not read; `leat state "
                     "reset` removes it, to begin anew",
                     path);
}

static enum leat_status check_job(const struct leat_job_log *log, const char *job,
                                  struct leat_error *err)
{
    if (leat_slice_eq(log->last.job, leat_slice_str(job)))
        return LEAT_OK;
    return leat_fail(err, LEAT_E_CONFIG,
                     "'%s' is the log of job '%.*s', not of '%s': give each job a directory of its "
                     "own (checkpoint.dir)",
                     log->dir.path, LEAT_FMT(log->last.job), job);
}

static enum leat_status open_files(struct leat_job_log *log, const char *dir, const char *job,
                                   uint32_t fresh_epoch, int64_t begun_ms, struct leat_error *err)
{
    int made = leat_fs_make_parents(log->fs, log->path);
    struct leat_slice none;

    if (made < 0)
        return leat_fs_failed(err, made, "make the directory of", log->path);
    if (refuse_old(log, dir, err) != LEAT_OK || leat_log_dir_list(&log->dir, err) != LEAT_OK)
        return err->status;
    if (log->dir.count == 0) {
        log->last = (struct leat_log_record){
            .job = leat_slice_str(job), .epoch = fresh_epoch, .clock_ms = begun_ms};
        if (start_segment(log, NULL, &none, err) != LEAT_OK)
            return err->status;
    }
    if (leat_log_dir_path(&log->dir, leat_log_dir_newest(&log->dir), log->path, err) != LEAT_OK ||
        load(log, err) != LEAT_OK || check_job(log, job, err) != LEAT_OK)
        return err->status;
    if (log->fd >= 0)
        return LEAT_OK;
    log->fd = log->fs->append(log->fs, log->path);
    return log->fd < 0 ? leat_fs_failed(err, log->fd, "open", log->path) : LEAT_OK;
}

static struct leat_job_log *new_log(const struct leat_fs *fs, struct leat_error *err)
{
    struct leat_job_log *log = leat_mem_alloc(sizeof *log);

    if (!log) {
        leat_fail(err, LEAT_E_NOMEM, "no memory for the job's log");
        return NULL;
    }
    log->fs = log->dir.fs = fs;
    log->fd = -1;
    log->segment_bytes = SEGMENT_BYTES;
    return log;
}

enum leat_status leat_job_log_open(const struct leat_fs *fs, const char *dir, const char *job,
                                   uint32_t fresh_epoch, int64_t begun_ms,
                                   struct leat_job_log **into, struct leat_error *err)
{
    struct leat_job_log *log = new_log(fs, err);

    *into = NULL;
    if (!log)
        return err->status;
    if (set_paths(log, dir, err) != LEAT_OK ||
        open_files(log, dir, job, fresh_epoch, begun_ms, err) != LEAT_OK) {
        leat_job_log_close(log);
        return err->status;
    }
    *into = log;
    return LEAT_OK;
}

void leat_job_log_set_segment_bytes(struct leat_job_log *log, int64_t bytes)
{
    log->segment_bytes = bytes;
}

/* Nothing is listed when there is no directory. */
static enum leat_status list_if_there(struct leat_log_dir *d, struct leat_error *err)
{
    int64_t there = d->fs->length(d->fs, d->path);

    if (there < 0 && there != -ENOENT)
        return leat_fs_failed(err, there, "look at", d->path);
    return there >= 0 ? leat_log_dir_list(d, err) : LEAT_OK;
}

enum leat_status leat_job_log_is_there(const struct leat_fs *fs, const char *dir, bool *there,
                                       struct leat_error *err)
{
    struct leat_log_dir d = {.fs = fs};
    int n = snprintf(d.path, sizeof d.path, "%s/log", dir);

    *there = false;
    if (n < 0 || (size_t)n >= sizeof d.path)
        return leat_fail(err, LEAT_E_CONFIG, "the path '%.40s...' is too long", dir);
    enum leat_status status = list_if_there(&d, err);
    *there = status == LEAT_OK && d.count > 0;
    leat_log_dir_fini(&d);
    return status;
}

static enum leat_status view_files(struct leat_job_log *log, struct leat_error *err)
{
    if (list_if_there(&log->dir, err) != LEAT_OK)
        return err->status;
    if (log->dir.count == 0)
        return leat_fail(err, LEAT_E_LOST, "there is no log in '%s'", log->dir.path);
    if (leat_log_dir_path(&log->dir, leat_log_dir_newest(&log->dir), log->path, err) != LEAT_OK)
        return err->status;
    return load(log, err);
}

enum leat_status leat_job_log_view(const struct leat_fs *fs, const char *dir,
                                   struct leat_job_log **into, struct leat_error *err)
{
    struct leat_job_log *log = new_log(fs, err);

    *into = NULL;
    if (!log)
        return err->status;
    log->view = log->broken = true;
    if (set_paths(log, dir, err) != LEAT_OK || view_files(log, err) != LEAT_OK) {
        leat_job_log_close(log);
        return err->status;
    }
    *into = log;
    return LEAT_OK;
}

void leat_job_log_close(struct leat_job_log *log)
{
    if (!log)
        return;
    if (log->fd >= 0)
        log->fs->close(log->fs, log->fd);
    leat_log_index_fini(&log->index);
    leat_arena_reset(&log->last_arena);
    leat_arena_reset(&log->work);
    leat_log_dir_fini(&log->dir);
    leat_mem_free(log);
}
