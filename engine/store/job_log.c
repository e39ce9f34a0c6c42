#include "store/job_log.h"

#include "base/crc32c.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <xxhash.h>

#define MAGIC       "leatlog1"
#define MAGIC_BYTES ((int64_t)8)
#define HEAD_BYTES  8
#define RECORD_MAX  ((uint32_t)256 * 1024 * 1024)
#define COMPACT_MIN ((int64_t)4 * 1024 * 1024)
#define READ_BYTES  ((size_t)64 * 1024)
#define SLOTS_MIN   64
#define PATH_BYTES  4096

struct place {
    struct leat_log_position at;
    uint64_t hash;
};

struct leat_job_log {
    const struct leat_fs *fs;
    char path[PATH_BYTES], fresh[PATH_BYTES], dir[PATH_BYTES];
    int fd;
    int64_t length;     /* of whole records, and the magic */
    int64_t compact_at; /* length from which the file is written anew */
    bool broken;
    struct leat_arena arena; /* names of partitions, and the index */
    struct leat_arena last_arena, work;
    struct leat_log_record last;
    struct place **index; /* open addressing, a power of two */
    size_t slots, count;
};

/* ---- positions of all partitions */

static uint64_t hash_of(struct leat_slice source, struct leat_slice partition)
{
    return XXH3_64bits_withSeed(partition.ptr, partition.len, XXH3_64bits(source.ptr, source.len));
}

static struct place **slot_of(const struct leat_job_log *log, uint64_t hash,
                              struct leat_slice source, struct leat_slice partition)
{
    for (size_t i = hash & (log->slots - 1);; i = (i + 1) & (log->slots - 1)) {
        struct place *p = log->index[i];
        if (!p || (p->hash == hash && leat_slice_eq(p->at.source, source) &&
                   leat_slice_eq(p->at.partition, partition)))
            return &log->index[i];
    }
}

static bool grow(struct leat_job_log *log)
{
    struct place **old = log->index;
    size_t old_slots = log->slots, slots = old_slots ? old_slots * 2 : SLOTS_MIN;
    struct place **index = leat_arena_array(&log->arena, slots, sizeof(struct place *));

    if (!index)
        return false;
    log->index = index;
    log->slots = slots;
    for (size_t i = 0; i < old_slots; i++)
        if (old[i])
            *slot_of(log, old[i]->hash, old[i]->at.source, old[i]->at.partition) = old[i];
    return true;
}

static bool set_position(struct leat_job_log *log, const struct leat_log_position *position)
{
    uint64_t hash = hash_of(position->source, position->partition);

    if (log->count * 4 >= log->slots * 3 && !grow(log))
        return false;
    struct place **slot = slot_of(log, hash, position->source, position->partition);
    if (!*slot) {
        struct place *p = leat_arena_alloc(&log->arena, sizeof *p);
        if (!p)
            return false;
        p->hash = hash;
        p->at.source = leat_arena_copy(&log->arena, position->source);
        p->at.partition = leat_arena_copy(&log->arena, position->partition);
        if (!p->at.source.ptr || !p->at.partition.ptr)
            return false;
        *slot = p;
        log->count++;
    }
    (*slot)->at.next = position->next;
    return true;
}

bool leat_job_log_position(const struct leat_job_log *log, struct leat_slice source,
                           struct leat_slice partition, int64_t *next)
{
    if (!log->slots)
        return false;
    struct place **slot = slot_of(log, hash_of(source, partition), source, partition);
    if (!*slot)
        return false;
    *next = (*slot)->at.next;
    return true;
}

/* ---- what the last record said */

static enum leat_status take_in(struct leat_job_log *log, struct leat_slice payload,
                                struct leat_error *err)
{
    leat_arena_recycle(&log->last_arena, READ_BYTES);
    struct leat_slice copy = leat_arena_copy(&log->last_arena, payload);
    if (!copy.ptr)
        return leat_arena_failed(&log->last_arena, err);
    if (leat_log_record_read(copy, &log->last, &log->last_arena, err) != LEAT_OK)
        return err->status;
    for (uint32_t i = 0; i < log->last.positions_count; i++)
        if (!set_position(log, &log->last.positions[i]))
            return leat_arena_failed(&log->arena, err);
    return LEAT_OK;
}

const struct leat_log_record *leat_job_log_last(const struct leat_job_log *log)
{
    return &log->last;
}

/* ---- reading */

/* Exactly len bytes at `at`; fewer: the file ends there. */
static int64_t read_all(const struct leat_job_log *log, int64_t at, char *into, size_t len)
{
    size_t have = 0;

    while (have < len) {
        int64_t n = log->fs->read(log->fs, log->path, at + (int64_t)have, into + have, len - have);
        if (n < 0)
            return n;
        if (n == 0)
            break;
        have += (size_t)n;
    }
    return (int64_t)have;
}

/* Nothing but zeros from here to the end: a file that grew before its bytes reached the disk. */
static bool is_blank(const struct leat_job_log *log, int64_t at)
{
    char bytes[512];

    for (int64_t n; (n = log->fs->read(log->fs, log->path, at, bytes, sizeof bytes)) > 0; at += n)
        for (int64_t i = 0; i < n; i++)
            if (bytes[i])
                return false;
    return true;
}

/* One record at log->length. *more false: there is none, or only a part of one. */
static enum leat_status read_record(struct leat_job_log *log, int64_t file_bytes, bool *more,
                                    struct leat_error *err)
{
    int64_t at = log->length;
    char head[HEAD_BYTES];
    uint32_t len, crc;

    *more = false;
    if (file_bytes - at < HEAD_BYTES)
        return LEAT_OK;
    int64_t n = read_all(log, at, head, HEAD_BYTES);
    struct leat_slice rest = {head, HEAD_BYTES};
    if (n != HEAD_BYTES || !leat_take_u32(&rest, &len) || !leat_take_u32(&rest, &crc))
        return leat_fs_failed(err, n < 0 ? n : -EIO, "read", log->path);
    if (len == 0 && is_blank(log, at))
        return LEAT_OK;
    if (len > RECORD_MAX || file_bytes - at - HEAD_BYTES < (int64_t)len)
        return LEAT_OK;
    leat_arena_recycle(&log->work, READ_BYTES);
    char *payload = leat_arena_alloc(&log->work, (size_t)len + 1);
    if (!payload)
        return leat_arena_failed(&log->work, err);
    n = read_all(log, at + HEAD_BYTES, payload, len);
    if (n != (int64_t)len)
        return leat_fs_failed(err, n < 0 ? n : -EIO, "read", log->path);
    struct leat_slice bytes = {payload, len};
    bool last = file_bytes == at + HEAD_BYTES + (int64_t)len;
    if (leat_crc32c(bytes) != crc && last)
        return LEAT_OK; /* written in part: pages reach the disk in any order */
    if (leat_crc32c(bytes) != crc)
        return leat_fail(err, LEAT_E_CORRUPT, "'%s' is damaged at byte %lld", log->path,
                         (long long)at);
    if (take_in(log, bytes, err) != LEAT_OK)
        return leat_error_prefix(err, "'%s' at byte %lld", log->path, (long long)at);
    log->length = at + HEAD_BYTES + (int64_t)len;
    *more = true;
    return LEAT_OK;
}

static enum leat_status read_file(struct leat_job_log *log, int64_t bytes, struct leat_error *err)
{
    char magic[MAGIC_BYTES];
    bool more = true;
    int64_t n = read_all(log, 0, magic, sizeof magic);

    if (n < 0)
        return leat_fs_failed(err, n, "read", log->path);
    if (n < MAGIC_BYTES && memcmp(magic, MAGIC, (size_t)n) == 0)
        return LEAT_OK; /* power went when it was made */
    if (memcmp(magic, MAGIC, sizeof magic) != 0)
        return leat_fail(err, LEAT_E_CORRUPT, "'%s' is no log of leat's", log->path);
    log->length = MAGIC_BYTES;
    while (more)
        if (read_record(log, bytes, &more, err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
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

static bool frame(struct leat_bytes *b, const struct leat_log_record *r)
{
    size_t at = b->len;

    leat_bytes_put_u32(b, 0);
    leat_bytes_put_u32(b, 0);
    if (!leat_log_record_write(r, b))
        return false;
    struct leat_slice payload = {b->ptr + at + HEAD_BYTES, b->len - at - HEAD_BYTES};
    struct leat_bytes head = {.ptr = b->ptr + at, .room = HEAD_BYTES};
    leat_bytes_put_u32(&head, (uint32_t)payload.len);
    leat_bytes_put_u32(&head, leat_crc32c(payload));
    return payload.len <= RECORD_MAX;
}

/* Everything that is known, in one record. */
static bool frame_all(struct leat_job_log *log, struct leat_bytes *b)
{
    struct leat_log_record all = log->last;

    all.positions = leat_arena_array(&log->work, log->count, sizeof *all.positions);
    all.positions_count = 0;
    for (size_t i = 0; all.positions && i < log->slots; i++)
        if (log->index[i])
            all.positions[all.positions_count++] = log->index[i]->at;
    leat_bytes_put(b, MAGIC, (size_t)MAGIC_BYTES);
    return all.positions && (log->last.n == 0 || frame(b, &all));
}

static int write_file(const struct leat_fs *fs, const char *path, struct leat_slice bytes)
{
    int fd = fs->create(fs, path);

    if (fd < 0)
        return fd;
    int e = fs->write(fs, fd, bytes.ptr, bytes.len);
    if (e >= 0)
        e = fs->sync(fs, fd);
    fs->close(fs, fd);
    return e;
}

/* Write it beside, then rename: at every moment one of the two is whole. */
static enum leat_status write_anew(struct leat_job_log *log, struct leat_error *err)
{
    const struct leat_fs *fs = log->fs;
    struct leat_bytes b = {.arena = &log->work};

    leat_arena_recycle(&log->work, READ_BYTES);
    if (!frame_all(log, &b))
        return leat_arena_failed(&log->work, err);
    int e = write_file(fs, log->fresh, leat_bytes_slice(&b));
    if (e < 0) {
        fs->unlink(fs, log->fresh);
        return leat_fs_failed(err, e, "write", log->fresh);
    }
    e = fs->rename(fs, log->fresh, log->path);
    if (e >= 0)
        e = fs->sync_dir(fs, log->dir);
    if (e < 0)
        return broken(log, e, "rename", err);
    if (log->fd >= 0)
        fs->close(fs, log->fd);
    log->fd = fs->append(fs, log->path);
    if (log->fd < 0)
        return broken(log, log->fd, "open", err);
    log->length = (int64_t)b.len;
    log->compact_at = log->length * 4 > COMPACT_MIN ? log->length * 4 : COMPACT_MIN;
    return LEAT_OK;
}

/* What was written of the record is taken back; else the next one would stand behind rubbish. */
static enum leat_status take_back(struct leat_job_log *log, int result, struct leat_error *err)
{
    int e = log->fs->truncate(log->fs, log->path, log->length);

    if (e < 0)
        return broken(log, e, "cut", err);
    return leat_fs_failed(err, result, "write", log->path);
}

enum leat_status leat_job_log_append(struct leat_job_log *log, const struct leat_log_record *r,
                                     struct leat_error *err)
{
    struct leat_bytes b = {.arena = &log->work};

    if (log->broken)
        return leat_fail(err, LEAT_E_BROKEN, "'%s' has failed before", log->path);
    if (log->length >= log->compact_at && write_anew(log, err) != LEAT_OK)
        return err->status;
    leat_arena_recycle(&log->work, READ_BYTES);
    if (!frame(&b, r))
        return leat_arena_failed(&log->work, err);
    int e = log->fs->write(log->fs, log->fd, b.ptr, b.len);
    if (e < 0)
        return take_back(log, e, err);
    e = log->fs->sync(log->fs, log->fd);
    if (e < 0)
        return broken(log, e, "sync", err);
    log->length += (int64_t)b.len;
    return take_in(log, (struct leat_slice){b.ptr + HEAD_BYTES, b.len - HEAD_BYTES}, err);
}

/* ---- open */

static enum leat_status set_paths(struct leat_job_log *log, const char *dir, struct leat_error *err)
{
    int a = snprintf(log->path, sizeof log->path, "%s/job.log", dir);
    int b = snprintf(log->fresh, sizeof log->fresh, "%s/job.log.new", dir);

    snprintf(log->dir, sizeof log->dir, "%s", dir);
    if (a < 0 || b < 0 || (size_t)b >= sizeof log->fresh)
        return leat_fail(err, LEAT_E_CONFIG, "the path '%.40s...' is too long", dir);
    return LEAT_OK;
}

static enum leat_status open_file(struct leat_job_log *log, struct leat_error *err)
{
    const struct leat_fs *fs = log->fs;
    int made = leat_fs_make_parents(fs, log->path);

    if (made < 0)
        return leat_fs_failed(err, made, "make the directory of", log->path);
    int64_t bytes = fs->length(fs, log->path);
    if (bytes < 0 && bytes != -ENOENT)
        return leat_fs_failed(err, bytes, "look at", log->path);
    if (bytes > 0 && read_file(log, bytes, err) != LEAT_OK)
        return err->status;
    if (log->length == 0)
        return write_anew(log, err);
    if (log->length < bytes) {
        int e = fs->truncate(fs, log->path, log->length);
        if (e < 0)
            return leat_fs_failed(err, e, "cut", log->path);
    }
    log->compact_at = log->length * 4 > COMPACT_MIN ? log->length * 4 : COMPACT_MIN;
    log->fd = fs->append(fs, log->path);
    return log->fd < 0 ? leat_fs_failed(err, log->fd, "open", log->path) : LEAT_OK;
}

enum leat_status leat_job_log_open(const struct leat_fs *fs, const char *dir,
                                   struct leat_job_log **into, struct leat_error *err)
{
    struct leat_job_log *log = leat_mem_alloc(sizeof *log);

    *into = NULL;
    if (!log)
        return leat_fail(err, LEAT_E_NOMEM, "no memory for the job's log");
    log->fs = fs;
    log->fd = -1;
    if (set_paths(log, dir, err) != LEAT_OK || open_file(log, err) != LEAT_OK)
        goto fail;
    *into = log;
    return LEAT_OK;
fail:
    leat_job_log_close(log);
    return err->status;
}

void leat_job_log_close(struct leat_job_log *log)
{
    if (!log)
        return;
    if (log->fd >= 0)
        log->fs->close(log->fs, log->fd);
    leat_arena_reset(&log->arena);
    leat_arena_reset(&log->last_arena);
    leat_arena_reset(&log->work);
    leat_mem_free(log);
}
