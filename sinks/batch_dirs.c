#include "batch_dirs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define BUFFER_BYTES ((size_t)64 * 1024)

struct batch_dir {
    struct batch_dir *next;
    char path[BATCH_DIRS_PATH], final_path[BATCH_DIRS_PATH];
};

static uint32_t tag_of(const char *job, const char *prefix)
{
    uint32_t hash = 2166136261;

    for (const char *at = job; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 16777619;
    for (const char *at = prefix; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 16777619 + 1;
    return hash;
}

void batch_dirs_path(const char *prefix, const char *suffix, int64_t time_ms,
                     char into[BATCH_DIRS_PATH])
{
    snprintf(into, BATCH_DIRS_PATH, "%s%s%" PRId64 "%s%s", prefix, prefix[0] ? "-" : "", time_ms,
             suffix[0] ? "." : "", suffix);
}

enum leat_status batch_dirs_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    struct batch_dirs *d = self;
    const char *slash = strrchr(d->prefix, '/');
    size_t len = slash ? (size_t)(slash - d->prefix) : 0;

    d->env = env;
    d->fd = -1;
    d->attempt = (uint64_t)leat_clock_now_ms(NULL);
    d->writing = 0;
    d->undoing = false;
    d->saved = NULL;
    d->used = d->rows = 0;
    d->packer = NULL;
    if (strlen(d->prefix) + strlen(d->suffix) > BATCH_DIRS_PATH / 2 || strchr(d->suffix, '/'))
        return leat_fail(err, LEAT_E_CONFIG, "prefix and suffix are too long, or suffix has a '/'");
    memcpy(d->parent, slash ? (len ? d->prefix : "/") : ".", len ? len : 1);
    d->parent[len ? len : 1] = 0;
    snprintf(d->hidden, sizeof d->hidden, ".leat-tmp-%08" PRIx32 "-%" PRIu32 "-",
             tag_of(env->job, d->prefix), env->slot);
    d->buffer = leat_mem_alloc(BUFFER_BYTES);
    return d->buffer ? LEAT_OK : leat_fail(err, LEAT_E_NOMEM, "out of memory");
}

/* ---- writing */

static enum leat_status put_bytes(void *arg, struct leat_slice bytes, struct leat_error *err)
{
    struct batch_dirs *d = arg;
    int result = d->env->fs->write(d->env->fs, d->fd, bytes.ptr, bytes.len);

    d->has_bytes = true;
    return result < 0 ? leat_fs_failed(err, result, "write into", d->saved->path) : LEAT_OK;
}

/* One block of a container. */
static enum leat_status put_block(struct batch_dirs *d, struct leat_slice rows, uint32_t count,
                                  struct leat_error *err)
{
    const struct leat_container *c = d->env->container;

    if (!d->packer)
        d->packer = c->packer(d->env->container_self);
    if (!d->packer)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    return c->pack(d->packer, rows, count, put_bytes, d, err);
}

static enum leat_status flush(struct batch_dirs *d, struct leat_error *err)
{
    struct leat_slice bytes = {d->buffer, d->used};
    uint32_t rows = d->rows;

    d->used = d->rows = 0;
    if (d->env->container)
        return rows ? put_block(d, bytes, rows, err) : LEAT_OK;
    return bytes.len ? put_bytes(d, bytes, err) : LEAT_OK;
}

static void append(struct batch_dirs *d, struct leat_slice s)
{
    if (s.len)
        memcpy(d->buffer + d->used, s.ptr, s.len);
    d->used += s.len;
}

enum leat_status batch_dirs_put(struct batch_dirs *d, struct leat_slice row, struct leat_slice end,
                                struct leat_error *err)
{
    bool is_long = row.len > BUFFER_BYTES - end.len;

    if ((is_long || row.len > BUFFER_BYTES - end.len - d->used) && flush(d, err) != LEAT_OK)
        return err->status;
    if (is_long && d->env->container)
        return put_block(d, row, 1, err);
    if (is_long && put_bytes(d, row, err) != LEAT_OK)
        return err->status;
    if (!is_long)
        append(d, row);
    append(d, end);
    d->rows++;
    return LEAT_OK;
}

static void drop_part(struct batch_dirs *d)
{
    if (d->fd >= 0)
        d->env->fs->close(d->env->fs, d->fd);
    d->fd = -1;
    d->used = d->rows = 0;
}

static enum leat_status end_part(struct batch_dirs *d, struct leat_error *err)
{
    if (d->fd < 0)
        return LEAT_OK;
    if (flush(d, err) != LEAT_OK)
        return err->status;
    int result = d->has_bytes ? d->env->fs->sync(d->env->fs, d->fd) : 0;
    drop_part(d);
    return result < 0 ? leat_fs_sync_failed(err, result, d->saved->path) : LEAT_OK;
}

/* It is gone on with where it was begun before. */
enum leat_status batch_dirs_part(struct batch_dirs *d, uint32_t part, struct leat_error *err)
{
    const struct leat_fs *fs = d->env->fs;
    char path[BATCH_DIRS_PATH + 32];

    if (d->fd >= 0 && d->part == part)
        return LEAT_OK;
    if (end_part(d, err) != LEAT_OK)
        return err->status;
    snprintf(path, sizeof path, "%s/part-%05" PRIu32, d->saved->path, part);
    d->fd = fs->append(fs, path);
    bool begun = d->fd == -ENOENT;
    if (begun)
        d->fd = fs->create(fs, path);
    if (d->fd < 0) {
        int result = d->fd;
        d->fd = -1;
        return leat_fs_failed(err, result, "create", path);
    }
    d->part = part;
    d->has_bytes = false;
    return begun && d->env->file_preamble.len ? put_bytes(d, d->env->file_preamble, err) : LEAT_OK;
}

static enum leat_status end_dir(struct batch_dirs *d, struct leat_error *err)
{
    const struct leat_fs *fs = d->env->fs;
    char path[BATCH_DIRS_PATH + 32];

    if (!d->saved)
        return LEAT_OK;
    if (end_part(d, err) != LEAT_OK)
        return err->status;
    snprintf(path, sizeof path, "%s/_SUCCESS", d->saved->path);
    int fd = fs->create(fs, path);
    if (fd < 0)
        return leat_fs_failed(err, fd, "create", path);
    int result = fs->sync(fs, fd);
    fs->close(fs, fd);
    if (result == 0)
        result = fs->sync_dir(fs, d->saved->path);
    if (result == 0)
        result = fs->sync_dir(fs, d->parent);
    return result < 0 ? leat_fs_sync_failed(err, result, d->saved->path) : LEAT_OK;
}

static void forget(struct batch_dirs *d)
{
    drop_part(d);
    while (d->saved) {
        struct batch_dir *s = d->saved;
        d->saved = s->next;
        leat_mem_free(s);
    }
    d->writing = 0;
    d->undoing = false;
}

enum leat_status batch_dirs_abort(void *self, uint64_t n, struct leat_error *err)
{
    struct batch_dirs *d = self;

    if (d->writing != n)
        return LEAT_OK;
    d->undoing = true;
    drop_part(d);
    for (const struct batch_dir *s = d->saved; s; s = s->next) {
        int result = leat_fs_remove_tree(d->env->fs, s->path);
        if (result < 0)
            return leat_fs_failed(err, result, "remove", s->path);
    }
    forget(d);
    return LEAT_OK;
}

enum leat_status batch_dirs_begin(void *self, uint64_t n, int64_t batch_time_ms,
                                  struct leat_error *err)
{
    struct batch_dirs *d = self;
    const struct leat_fs *fs = d->env->fs;

    if (d->undoing && batch_dirs_abort(d, d->writing, err) != LEAT_OK)
        return err->status;
    if (d->writing == n && end_dir(d, err) != LEAT_OK) /* several batches, one n */
        return err->status;
    d->writing = n;
    struct batch_dir *s = leat_mem_alloc(sizeof *s);
    if (!s)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    snprintf(s->path, sizeof s->path, "%s/%s%" PRIu32 "-%" PRIu64 "-%" PRId64 "-%" PRIx64,
             d->parent, d->hidden, d->env->epoch, n, batch_time_ms, d->attempt++);
    batch_dirs_path(d->prefix, d->suffix, batch_time_ms, s->final_path);
    s->next = d->saved;
    d->saved = s;
    int result = leat_fs_make_parents(fs, s->path);
    if (result == 0)
        result = leat_fs_remove_tree(fs, s->path);
    if (result == 0)
        result = fs->mkdir(fs, s->path);
    return result < 0 ? leat_fs_failed(err, result, "make", s->path) : LEAT_OK;
}

enum leat_status batch_dirs_prepare(void *self, uint64_t n, const struct leat_positions *positions,
                                    struct leat_bytes *section, struct leat_error *err)
{
    struct batch_dirs *d = self;

    (void)positions; /* it does not decide */
    if (d->writing != n)
        return LEAT_OK;
    if (end_dir(d, err) != LEAT_OK)
        return err->status;
    for (const struct batch_dir *s = d->saved; s; s = s->next) {
        leat_bytes_put_slice(section, leat_slice_str(s->path));
        leat_bytes_put_slice(section, leat_slice_str(s->final_path));
    }
    return section->failed ? leat_arena_failed(section->arena, err) : LEAT_OK;
}

/* ---- publishing */

/* Done already where nothing stands under the hidden name. What is in its place is looked at first:
 * a rename of ours that was thought lost may be carried out between the two looks. */
static enum leat_status publish(const struct batch_dirs *d, const char *path,
                                const char *final_path, struct leat_error *err)
{
    const struct leat_fs *fs = d->env->fs;
    int other = fs->is_dir(fs, final_path), there = fs->is_dir(fs, path);

    if (other < 0 && other != -ENOENT)
        return leat_fs_failed(err, other, "look at", final_path);
    if (there < 0 && there != -ENOENT)
        return leat_fs_failed(err, there, "look at", path);
    int result = there == 1 && other >= 0 ? leat_fs_remove_tree(fs, final_path) : 0;
    if (result == 0 && there == 1)
        result = fs->rename(fs, path, final_path);
    if (result < 0)
        return leat_fs_failed(err, result, "rename to", final_path);
    result = fs->sync_dir(fs, d->parent);
    return result < 0 ? leat_fs_sync_failed(err, result, d->parent) : LEAT_OK;
}

enum leat_status batch_dirs_commit(void *self, uint64_t n, struct leat_error *err)
{
    struct batch_dirs *d = self;

    if (d->writing != n)
        return LEAT_OK;
    for (const struct batch_dir *s = d->saved; s; s = s->next)
        if (publish(d, s->path, s->final_path, err) != LEAT_OK)
            return err->status;
    forget(d);
    return LEAT_OK;
}

/* ---- after a crash */

static bool take_path(struct leat_slice *section, char path[BATCH_DIRS_PATH])
{
    struct leat_slice s;

    if (!leat_take_slice(section, &s) || s.len == 0 || s.len >= BATCH_DIRS_PATH)
        return false;
    memcpy(path, s.ptr, s.len);
    path[s.len] = 0;
    return true;
}

struct sweep {
    const struct batch_dirs *dirs;
    int result;
};

static void remove_hidden(const char *name, void *arg)
{
    struct sweep *s = arg;
    char path[BATCH_DIRS_PATH + 300];

    if (s->result < 0 || strncmp(name, s->dirs->hidden, strlen(s->dirs->hidden)) != 0)
        return;
    snprintf(path, sizeof path, "%s/%s", s->dirs->parent, name);
    s->result = leat_fs_remove_tree(s->dirs->env->fs, path);
}

enum leat_status batch_dirs_recover(void *self, uint64_t n, struct leat_slice section,
                                    struct leat_error *err)
{
    struct batch_dirs *d = self;
    struct sweep sweep = {.dirs = d};
    char path[BATCH_DIRS_PATH], final_path[BATCH_DIRS_PATH];

    while (section.len) {
        if (!take_path(&section, path) || !take_path(&section, final_path))
            return leat_fail(err, LEAT_E_CORRUPT, "damaged record of batch %" PRIu64, n);
        if (publish(d, path, final_path, err) != LEAT_OK)
            return err->status;
    }
    int result = d->env->fs->each(d->env->fs, d->parent, remove_hidden, &sweep);
    if (result == 0)
        result = sweep.result;
    if (result < 0 && result != -ENOENT)
        return leat_fs_failed(err, result, "clean up", d->parent);
    return LEAT_OK;
}

void batch_dirs_close(void *self)
{
    struct batch_dirs *d = self;

    if (!d->env)
        return;
    forget(d);
    leat_mem_free(d->buffer);
    d->buffer = NULL;
    if (d->packer)
        d->env->container->packer_free(d->packer);
    d->packer = NULL;
}
