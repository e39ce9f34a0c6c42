/*
 * save_as_text_files.c - sink that writes a directory per batch, laid out as Spark does it.
 *
 *     <prefix>-<batch time in ms>[.<suffix>]/part-00000, part-00001, ..., _SUCCESS
 *
 * There is a part for each partition of the stream, also for those that gave nothing; a line is a
 * row's text, in which the engine has put a pair as `(key,value)`. Every batch has its directory,
 * also an empty one. It is written under a hidden name beside its place, synced, and renamed when
 * the batch is committed; a directory that is there already is replaced, as it is when Spark runs a
 * batch again. Thread: the sink's.
 */
#include "leat.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#define PATH_BYTES   1024
#define BUFFER_BYTES ((size_t)64 * 1024)

/* One directory of the batch that is under way. */
struct saved {
    struct saved *next;
    char path[PATH_BYTES], final_path[PATH_BYTES];
};

struct text_files {
    const char *prefix;
    const char *suffix;

    const struct leat_env *env;
    char parent[PATH_BYTES / 2 + 2];
    char hidden[80]; /* how the names of our hidden directories start */
    uint64_t writing;
    bool undoing;        /* an abort has failed half way: first of all it goes on */
    struct saved *saved; /* the newest first: what is written goes there */
    int fd;              /* of the part that is written; -1: none */
    uint32_t part;
    bool has_rows; /* an empty part is only a name: its directory's sync is enough */
    char *buffer;
    size_t used;
};

static const struct leat_opt options[] = {
    LEAT_OPT(struct text_files, prefix,
             .help = "How the path of every directory starts, such as out/counts."),
    LEAT_OPT(struct text_files, suffix, .def = "",
             .help = "How its name ends, behind a dot; nothing: without one."),
    {0},
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

static enum leat_status text_files_open(void *self, const struct leat_env *env,
                                        struct leat_error *err)
{
    struct text_files *t = self;
    const char *slash = strrchr(t->prefix, '/');
    size_t len = slash ? (size_t)(slash - t->prefix) : 0;

    t->env = env;
    t->fd = -1;
    t->writing = 0;
    t->undoing = false;
    t->saved = NULL;
    t->used = 0;
    if (!t->prefix[0])
        return leat_fail(err, LEAT_E_CONFIG, "prefix is empty");
    if (strlen(t->prefix) + strlen(t->suffix) > PATH_BYTES / 2 || strchr(t->suffix, '/'))
        return leat_fail(err, LEAT_E_CONFIG, "prefix and suffix are too long, or suffix has a '/'");
    memcpy(t->parent, slash ? (len ? t->prefix : "/") : ".", len ? len : 1);
    t->parent[len ? len : 1] = 0;
    snprintf(t->hidden, sizeof t->hidden, ".leat-tmp-%08" PRIx32 "-%" PRIu32 "-",
             tag_of(env->job, t->prefix), env->slot);
    t->buffer = leat_mem_alloc(BUFFER_BYTES);
    return t->buffer ? LEAT_OK : leat_fail(err, LEAT_E_NOMEM, "out of memory");
}

/* ---- writing */

static enum leat_status flush(struct text_files *t, struct leat_error *err)
{
    const struct leat_fs *fs = t->env->fs;
    size_t used = t->used;

    t->used = 0;
    int result = used ? fs->write(fs, t->fd, t->buffer, used) : 0;
    return result < 0 ? leat_fs_failed(err, result, "write into", t->saved->path) : LEAT_OK;
}

static enum leat_status put(struct text_files *t, struct leat_slice s, struct leat_error *err)
{
    if (s.len > BUFFER_BYTES - t->used && flush(t, err) != LEAT_OK)
        return err->status;
    if (s.len > BUFFER_BYTES) {
        int result = t->env->fs->write(t->env->fs, t->fd, s.ptr, s.len);
        return result < 0 ? leat_fs_failed(err, result, "write into", t->saved->path) : LEAT_OK;
    }
    if (s.len)
        memcpy(t->buffer + t->used, s.ptr, s.len);
    t->used += s.len;
    return LEAT_OK;
}

static void drop_part(struct text_files *t)
{
    if (t->fd >= 0)
        t->env->fs->close(t->env->fs, t->fd);
    t->fd = -1;
    t->used = 0;
}

static enum leat_status end_part(struct text_files *t, struct leat_error *err)
{
    if (t->fd < 0)
        return LEAT_OK;
    if (flush(t, err) != LEAT_OK)
        return err->status;
    int result = t->has_rows ? t->env->fs->sync(t->env->fs, t->fd) : 0;
    drop_part(t);
    return result < 0 ? leat_fs_sync_failed(err, result, t->saved->path) : LEAT_OK;
}

/* Make it the one that is written; go on with it where it was begun before. */
static enum leat_status begin_part(struct text_files *t, uint32_t part, struct leat_error *err)
{
    const struct leat_fs *fs = t->env->fs;
    char path[PATH_BYTES + 32];

    if (t->fd >= 0 && t->part == part)
        return LEAT_OK;
    if (end_part(t, err) != LEAT_OK)
        return err->status;
    snprintf(path, sizeof path, "%s/part-%05" PRIu32, t->saved->path, part);
    t->fd = fs->append(fs, path);
    if (t->fd == -ENOENT)
        t->fd = fs->create(fs, path);
    if (t->fd < 0) {
        int result = t->fd;
        t->fd = -1;
        return leat_fs_failed(err, result, "create", path);
    }
    t->part = part;
    t->has_rows = false;
    return LEAT_OK;
}

static enum leat_status end_dir(struct text_files *t, struct leat_error *err)
{
    const struct leat_fs *fs = t->env->fs;
    char path[PATH_BYTES + 32];

    if (!t->saved)
        return LEAT_OK;
    if (end_part(t, err) != LEAT_OK)
        return err->status;
    snprintf(path, sizeof path, "%s/_SUCCESS", t->saved->path);
    int fd = fs->create(fs, path);
    if (fd < 0)
        return leat_fs_failed(err, fd, "create", path);
    int result = fs->sync(fs, fd);
    fs->close(fs, fd);
    if (result == 0)
        result = fs->sync_dir(fs, t->saved->path);
    if (result == 0)
        result = fs->sync_dir(fs, t->parent);
    return result < 0 ? leat_fs_sync_failed(err, result, t->saved->path) : LEAT_OK;
}

static void forget(struct text_files *t)
{
    drop_part(t);
    while (t->saved) {
        struct saved *s = t->saved;
        t->saved = s->next;
        leat_mem_free(s);
    }
    t->writing = 0;
    t->undoing = false;
}

static enum leat_status text_files_abort(void *self, uint64_t n, struct leat_error *err)
{
    struct text_files *t = self;

    if (t->writing != n)
        return LEAT_OK;
    t->undoing = true;
    drop_part(t);
    for (const struct saved *s = t->saved; s; s = s->next) {
        int result = leat_fs_remove_tree(t->env->fs, s->path);
        if (result < 0)
            return leat_fs_failed(err, result, "remove", s->path);
    }
    forget(t);
    return LEAT_OK;
}

static enum leat_status text_files_begin(void *self, uint64_t n, int64_t batch_time_ms,
                                         struct leat_error *err)
{
    struct text_files *t = self;
    const struct leat_fs *fs = t->env->fs;

    if (t->undoing && text_files_abort(t, t->writing, err) != LEAT_OK)
        return err->status;
    if (t->writing == n && end_dir(t, err) != LEAT_OK) /* several batches, one n */
        return err->status;
    t->writing = n;
    struct saved *s = leat_mem_alloc(sizeof *s);
    if (!s)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    snprintf(s->path, sizeof s->path, "%s/%s%" PRIu32 "-%" PRIu64 "-%" PRId64, t->parent, t->hidden,
             t->env->epoch, n, batch_time_ms);
    snprintf(s->final_path, sizeof s->final_path, "%s-%" PRId64 "%s%s", t->prefix, batch_time_ms,
             t->suffix[0] ? "." : "", t->suffix);
    s->next = t->saved;
    t->saved = s;
    int result = leat_fs_make_parents(fs, s->path);
    if (result == 0)
        result = leat_fs_remove_tree(fs, s->path);
    if (result == 0)
        result = fs->mkdir(fs, s->path);
    return result < 0 ? leat_fs_failed(err, result, "make", s->path) : LEAT_OK;
}

static enum leat_status text_files_write(void *self, uint64_t n, const struct leat_chunk *chunk,
                                         struct leat_error *err)
{
    struct text_files *t = self;

    (void)n;
    if (begin_part(t, chunk->part, err) != LEAT_OK)
        return err->status;
    t->has_rows = t->has_rows || chunk->selected;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        struct leat_slice value = chunk->values[chunk->selection[i]];
        if (put(t, value.ptr ? value : LEAT_LIT("null"), err) != LEAT_OK ||
            put(t, LEAT_LIT("\n"), err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

static enum leat_status text_files_prepare(void *self, uint64_t n,
                                           const struct leat_positions *positions,
                                           struct leat_bytes *section, struct leat_error *err)
{
    struct text_files *t = self;

    (void)positions; /* it does not decide */
    if (t->writing != n)
        return LEAT_OK;
    if (end_dir(t, err) != LEAT_OK)
        return err->status;
    for (const struct saved *s = t->saved; s; s = s->next) {
        leat_bytes_put_slice(section, leat_slice_str(s->path));
        leat_bytes_put_slice(section, leat_slice_str(s->final_path));
    }
    return section->failed ? leat_arena_failed(section->arena, err) : LEAT_OK;
}

/* ---- publishing */

/* Done already where nothing stands under the hidden name. */
static enum leat_status publish(const struct text_files *t, const char *path,
                                const char *final_path, struct leat_error *err)
{
    const struct leat_fs *fs = t->env->fs;
    int there = fs->is_dir(fs, path);

    if (there < 0 && there != -ENOENT)
        return leat_fs_failed(err, there, "look at", path);
    int result = there == 1 ? leat_fs_remove_tree(fs, final_path) : 0;
    if (result == 0 && there == 1)
        result = fs->rename(fs, path, final_path);
    if (result < 0)
        return leat_fs_failed(err, result, "rename to", final_path);
    result = fs->sync_dir(fs, t->parent);
    return result < 0 ? leat_fs_sync_failed(err, result, t->parent) : LEAT_OK;
}

static enum leat_status text_files_commit(void *self, uint64_t n, struct leat_error *err)
{
    struct text_files *t = self;

    if (t->writing != n)
        return LEAT_OK;
    for (const struct saved *s = t->saved; s; s = s->next)
        if (publish(t, s->path, s->final_path, err) != LEAT_OK)
            return err->status;
    forget(t);
    return LEAT_OK;
}

/* ---- after a crash */

static bool take_path(struct leat_slice *section, char path[PATH_BYTES])
{
    struct leat_slice s;

    if (!leat_take_slice(section, &s) || s.len == 0 || s.len >= PATH_BYTES)
        return false;
    memcpy(path, s.ptr, s.len);
    path[s.len] = 0;
    return true;
}

struct sweep {
    const struct text_files *files;
    int result;
};

static void remove_hidden(const char *name, void *arg)
{
    struct sweep *s = arg;
    char path[PATH_BYTES + 300];

    if (s->result < 0 || strncmp(name, s->files->hidden, strlen(s->files->hidden)) != 0)
        return;
    snprintf(path, sizeof path, "%s/%s", s->files->parent, name);
    s->result = leat_fs_remove_tree(s->files->env->fs, path);
}

static enum leat_status text_files_recover(void *self, uint64_t n, struct leat_slice section,
                                           struct leat_error *err)
{
    struct text_files *t = self;
    struct sweep sweep = {.files = t};
    char path[PATH_BYTES], final_path[PATH_BYTES];

    while (section.len) {
        if (!take_path(&section, path) || !take_path(&section, final_path))
            return leat_fail(err, LEAT_E_CORRUPT, "damaged record of batch %" PRIu64, n);
        if (publish(t, path, final_path, err) != LEAT_OK)
            return err->status;
    }
    int result = t->env->fs->each(t->env->fs, t->parent, remove_hidden, &sweep);
    if (result == 0)
        result = sweep.result;
    if (result < 0 && result != -ENOENT)
        return leat_fs_failed(err, result, "clean up", t->parent);
    return LEAT_OK;
}

static void text_files_close(void *self)
{
    struct text_files *t = self;

    if (!t->env)
        return;
    forget(t);
    leat_mem_free(t->buffer);
    t->buffer = NULL;
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "save_as_text_files",
    .summary = "writes a directory of text files per batch, as Spark does",
    .by_lines = true,
    .self_size = sizeof(struct text_files),
    .opts = options,
    .sink =
        &(const struct leat_sink){
            .as_spark = true,
            .wants_empty_parts = true,
            .open = text_files_open,
            .recover = text_files_recover,
            .begin = text_files_begin,
            .write = text_files_write,
            .prepare = text_files_prepare,
            .commit = text_files_commit,
            .abort = text_files_abort,
            .close = text_files_close,
        },
};

LEAT_MODULE(module);
