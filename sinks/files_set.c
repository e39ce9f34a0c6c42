#include "files_set.h"

#include <errno.h>
#include <stdlib.h>

#define BUFFER_BYTES        ((size_t)16 * 1024)
#define BUFFER_BYTES_PACKED ((size_t)64 * 1024) /* a frame compresses better when it is larger */

enum leat_status files_set_init(struct files_set *s, struct leat_error *err)
{
    s->table_size = 16;
    while (s->table_size < 2 * s->max_open)
        s->table_size *= 2;
    s->table = leat_mem_alloc(s->table_size * sizeof(struct out_file *));
    return s->table ? LEAT_OK : leat_fail(err, LEAT_E_NOMEM, "out of memory");
}

static size_t buffer_bytes(const struct out_file *f)
{
    return f->contained || f->compression != LEAT_COMPRESSION_NONE ? BUFFER_BYTES_PACKED
                                                                   : BUFFER_BYTES;
}

static void close_file(struct files_set *s, struct out_file *f)
{
    if (f->fd >= 0)
        s->env->fs->close(s->env->fs, f->fd);
    f->fd = -1;
    if (f->buffer)
        leat_budget_give(s->env->budget, buffer_bytes(f));
    leat_mem_free(f->buffer);
    f->buffer = NULL;
    f->used = f->rows = 0;
}

static uint64_t hash_of(struct leat_slice s)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < s.len; i++)
        hash = (hash ^ (unsigned char)s.ptr[i]) * UINT64_C(1099511628211);
    return hash ^ hash >> 32;
}

static struct out_file **slot_of(struct files_set *s, uint64_t hash)
{
    return &s->table[hash & (s->table_size - 1)];
}

static void unlink_use(struct files_set *s, struct out_file *f)
{
    *(f->newer ? &f->newer->older : &s->newest) = f->older;
    *(f->older ? &f->older->newer : &s->oldest) = f->newer;
    f->newer = f->older = NULL;
}

static void link_newest(struct files_set *s, struct out_file *f)
{
    f->older = s->newest;
    f->newer = NULL;
    *(s->newest ? &s->newest->newer : &s->oldest) = f;
    s->newest = f;
}

static void take_out(struct files_set *s, struct out_file *f)
{
    struct out_file **at = slot_of(s, f->hash);

    while (*at != f)
        at = &(*at)->chain;
    *at = f->chain;
    unlink_use(s, f);
    s->count--;
}

static struct out_file *find(struct files_set *s, struct leat_slice route, uint64_t hash)
{
    struct out_file *f = *slot_of(s, hash);

    while (f && !(f->hash == hash && leat_slice_eq(f->route, route)))
        f = f->chain;
    if (f && f != s->newest) {
        unlink_use(s, f);
        link_newest(s, f);
    }
    return f;
}

void files_set_fini(struct files_set *s)
{
    while (s->newest) {
        struct out_file *f = s->newest;
        take_out(s, f);
        close_file(s, f);
        leat_mem_free(f);
    }
    while (s->done) {
        struct out_file *f = s->done;
        s->done = f->next;
        leat_mem_free(f);
    }
    leat_mem_free(s->table);
    s->table = NULL;
    for (size_t i = 0; i < sizeof s->compressors / sizeof *s->compressors; i++) {
        leat_compressor_free(s->compressors[i]);
        s->compressors[i] = NULL;
    }
    if (s->packer)
        s->env->container->packer_free(s->packer);
    s->packer = NULL;
}

/* ---- writing */

struct target {
    struct files_set *set;
    struct out_file *file;
};

static enum leat_status put_bytes(void *arg, struct leat_slice bytes, struct leat_error *err)
{
    struct target *t = arg;
    const struct leat_fs *fs = t->set->env->fs;

    if (t->file->fd < 0) { /* it was cut */
        t->file->fd = fs->append(fs, t->file->path);
        if (t->file->fd < 0)
            return leat_fs_failed(err, t->file->fd, "open", t->file->path);
    }
    int result = fs->write(fs, t->file->fd, bytes.ptr, bytes.len);
    t->file->length += (int64_t)bytes.len;
    return result < 0 ? leat_fs_failed(err, result, "write into", t->file->path) : LEAT_OK;
}

/* One frame, where the file is compressed. */
static enum leat_status write_out(struct files_set *s, struct out_file *f, struct leat_slice bytes,
                                  bool end, struct leat_error *err)
{
    struct leat_compressor **c = &s->compressors[f->compression];
    struct target target = {s, f};

    if (f->compression == LEAT_COMPRESSION_NONE)
        return bytes.len ? put_bytes(&target, bytes, err) : LEAT_OK;
    if (!*c)
        *c = leat_compressor_new((enum leat_compression)f->compression, err);
    if (!*c)
        return err->status;
    enum leat_status status = leat_compressor_write(*c, bytes, end, put_bytes, &target, err);
    if (status != LEAT_OK) { /* it holds half a frame */
        leat_compressor_free(*c);
        *c = NULL;
    }
    return status;
}

/* One block of a container. */
static enum leat_status write_block(struct files_set *s, struct out_file *f, struct leat_slice rows,
                                    uint32_t count, struct leat_error *err)
{
    const struct leat_container *c = s->env->container;
    struct target target = {s, f};

    if (!s->packer)
        s->packer = c->packer(s->env->container_self);
    if (!s->packer)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    return c->pack(s->packer, rows, count, put_bytes, &target, err);
}

static enum leat_status flush(struct files_set *s, struct out_file *f, struct leat_error *err)
{
    struct leat_slice bytes = {f->buffer, f->used};
    uint32_t rows = f->rows;

    f->used = f->rows = 0;
    if (f->contained)
        return rows ? write_block(s, f, bytes, rows, err) : LEAT_OK;
    return bytes.len ? write_out(s, f, bytes, true, err) : LEAT_OK;
}

static enum leat_status put_row(struct files_set *s, struct out_file *f, struct leat_slice row,
                                const char *end, struct leat_error *err)
{
    size_t end_bytes = strlen(end);

    if (f->used + row.len + end_bytes > buffer_bytes(f) && flush(s, f, err) != LEAT_OK)
        return err->status;
    if (row.len + end_bytes > buffer_bytes(f)) { /* straight from where it is */
        if (f->contained)
            return write_block(s, f, row, 1, err);
        if (write_out(s, f, row, false, err) != LEAT_OK)
            return err->status;
        return write_out(s, f, leat_slice_str(end), true, err);
    }
    if (row.len)
        memcpy(f->buffer + f->used, row.ptr, row.len);
    memcpy(f->buffer + f->used + row.len, end, end_bytes);
    f->used += row.len + end_bytes;
    f->rows++;
    return LEAT_OK;
}

/* ---- opening */

static struct out_file *file_new(struct files_set *s, struct leat_slice route,
                                 const char *final_path, const char *path)
{
    size_t final_bytes = strlen(final_path) + 1;
    size_t path_bytes = strlen(path) + 2; /* it may be renamed to one of a byte more */
    struct out_file *f = leat_mem_alloc(sizeof *f + route.len + final_bytes + path_bytes);

    if (!f)
        return NULL;
    char *text = (char *)(f + 1);
    memcpy(text, final_path, final_bytes);
    memcpy(text + final_bytes, path, path_bytes - 1);
    memcpy(text + final_bytes + path_bytes, route.ptr, route.len);
    f->final_path = text;
    f->path = text + final_bytes;
    f->route = (struct leat_slice){text + final_bytes + path_bytes, route.len};
    f->fd = -1;
    f->contained = s->env->container != NULL;
    if (f->contained)
        f->compression = LEAT_COMPRESSION_NONE;
    else if (s->compression >= 0)
        f->compression = s->compression;
    else
        f->compression = (int)leat_compression_of_path(leat_slice_str(final_path));
    return f;
}

/* Names that are not taken: an earlier file of this batch and route was ended, or another sink or
 * an earlier life of the job wrote there. */
static enum leat_status free_names(struct files_set *s, struct leat_slice route, uint64_t n,
                                   char *final_path, char *path, struct leat_error *err)
{
    const struct leat_fs *fs = s->env->fs;

    for (uint32_t seq = 0;; seq++) {
        files_paths_final(s->paths, route, n, seq, final_path);
        files_paths_temporary(s->paths, final_path, false, path);
        int64_t there = fs->length(fs, final_path);
        if (there == -ENOENT)
            there = fs->length(fs, path);
        if (there == -ENOENT)
            return LEAT_OK;
        if (there < 0)
            return leat_fs_failed(err, there, "look at", final_path);
    }
}

static enum leat_status open_file(struct files_set *s, struct out_file *f, struct leat_error *err)
{
    const struct leat_fs *fs = s->env->fs;

    if (!leat_budget_take(s->env->budget, buffer_bytes(f)))
        return leat_fail(err, LEAT_E_FULL, "no room in `memory` for %u files at once",
                         s->count + 1);
    f->buffer = leat_mem_alloc(buffer_bytes(f));
    if (!f->buffer) {
        leat_budget_give(s->env->budget, buffer_bytes(f));
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    }
    f->fd = fs->create(fs, f->path);
    if (f->fd < 0)
        return leat_fs_failed(err, f->fd, "create", f->path);
    return LEAT_OK;
}

/* What the template itself names may be reached by links; what comes out of records may not. */
static enum leat_status make_directory(struct files_set *s, char *final_path,
                                       struct leat_error *err)
{
    const struct leat_fs *fs = s->env->fs;
    char *slash = strrchr(final_path, '/');

    if (slash && slash != final_path) {
        *slash = 0;
        int there = fs->below(fs, s->paths->root, final_path);
        *slash = '/';
        if (there == -ELOOP || there == -EXDEV)
            return leat_fail(err, LEAT_E_DATA,
                             "the path '%.120s' leads over a link: below '%s' there may be none",
                             final_path, s->paths->root);
        if (there == -ENOTDIR)
            return leat_fail(err, LEAT_E_DATA, "the path '%.120s' leads through a file",
                             final_path);
        if (there < 0)
            return leat_fs_failed(err, there, "look at the directory of", final_path);
    }
    int result = leat_fs_make_parents(fs, final_path);
    return result < 0 ? leat_fs_failed(err, result, "make the directory of", final_path) : LEAT_OK;
}

static enum leat_status begin_file(struct files_set *s, uint64_t n, struct leat_slice route,
                                   struct out_file **file, struct leat_error *err)
{
    char final_path[FILES_PATH_BYTES], path[FILES_PATH_BYTES];

    if (files_paths_check(s->paths, route, err) != LEAT_OK)
        return err->status;
    files_paths_final(s->paths, route, n, 0, final_path);
    if (make_directory(s, final_path, err) != LEAT_OK)
        return err->status;
    if (free_names(s, route, n, final_path, path, err) != LEAT_OK)
        return err->status;
    struct out_file *f = file_new(s, route, final_path, path);
    if (!f)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    f->born = n;
    if (open_file(s, f, err) != LEAT_OK) {
        close_file(s, f);
        leat_mem_free(f);
        return err->status;
    }
    *file = f;
    return LEAT_OK;
}

static enum leat_status get_file(struct files_set *s, uint64_t n, struct leat_slice route,
                                 struct out_file **file, struct leat_error *err)
{
    uint64_t hash = hash_of(route);

    *file = find(s, route, hash);
    if (*file)
        return LEAT_OK;
    if (s->count == s->max_open) {
        if (files_set_sync(s, s->oldest, n, err) != LEAT_OK)
            return err->status;
        files_set_end(s, s->oldest);
    }
    if (begin_file(s, n, route, file, err) != LEAT_OK)
        return err->status;
    (*file)->hash = hash;
    (*file)->chain = *slot_of(s, hash);
    *slot_of(s, hash) = *file;
    link_newest(s, *file);
    s->count++;
    if (s->env->file_preamble.len == 0)
        return LEAT_OK;
    struct target target = {s, *file};
    return (*file)->contained ? put_bytes(&target, s->env->file_preamble, err)
                              : put_row(s, *file, s->env->file_preamble, "", err);
}

enum leat_status files_set_put(struct files_set *s, uint64_t n, int64_t time_ms,
                               struct leat_slice route, struct leat_slice value,
                               struct leat_error *err)
{
    struct out_file *f = s->newest;

    if ((!f || !leat_slice_eq(f->route, route)) && get_file(s, n, route, &f, err) != LEAT_OK)
        return err->status;
    if (f->wrote != n) {
        f->first_ms = f->wrote ? f->first_ms : time_ms;
        f->last_ms = time_ms;
        f->wrote = n;
    }
    return put_row(s, f, value, f->contained ? "" : "\n", err);
}

enum leat_status files_sync_dir_of(const struct leat_fs *fs, const char *path,
                                   struct leat_error *err)
{
    char dir[FILES_PATH_BYTES];
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;

    memcpy(dir, path, len);
    dir[len] = 0;
    const char *name = len ? dir : slash ? "/" : ".";
    int result = fs->sync_dir(fs, name);
    return result < 0 ? leat_fs_sync_failed(err, result, name) : LEAT_OK;
}

enum leat_status files_set_sync(struct files_set *s, struct out_file *f, uint64_t n,
                                struct leat_error *err)
{
    const struct leat_fs *fs = s->env->fs;

    if (flush(s, f, err) != LEAT_OK)
        return err->status;
    if (f->wrote != n || f->fd < 0) /* fd: an aborted batch was cut off, nothing came since */
        return LEAT_OK;
    int result = fs->sync(fs, f->fd);
    if (result < 0)
        return leat_fs_sync_failed(err, result, f->path);
    return f->born == n ? files_sync_dir_of(fs, f->path, err) : LEAT_OK;
}

void files_set_end(struct files_set *s, struct out_file *f)
{
    take_out(s, f);
    close_file(s, f);
    f->next = s->done;
    s->done = f;
}

/* ---- undoing and publishing */

static enum leat_status cut_file(struct files_set *s, struct out_file *f, struct leat_error *err)
{
    const struct leat_fs *fs = s->env->fs;

    f->used = f->rows = 0;
    if (f->length == f->kept)
        return LEAT_OK;
    if (f->fd >= 0)
        fs->close(fs, f->fd);
    f->fd = -1; /* opened again when something is to be written at its new end */
    int result = fs->truncate(fs, f->path, f->kept);
    if (result < 0)
        return leat_fs_failed(err, result, "cut", f->path);
    f->length = f->kept;
    return LEAT_OK;
}

static enum leat_status remove_file(struct files_set *s, struct out_file *f, struct leat_error *err)
{
    int result = s->env->fs->unlink(s->env->fs, f->path);

    close_file(s, f);
    if (result < 0 && result != -ENOENT)
        return leat_fs_failed(err, result, "remove", f->path);
    return LEAT_OK;
}

enum leat_status files_set_undo(struct files_set *s, uint64_t n, struct leat_error *err)
{
    for (struct out_file *f = s->newest, *older; f; f = older) {
        older = f->older;
        if (f->born != n) {
            if (cut_file(s, f, err) != LEAT_OK)
                return err->status;
            continue;
        }
        if (remove_file(s, f, err) != LEAT_OK)
            return err->status;
        take_out(s, f);
        leat_mem_free(f);
    }
    for (struct out_file **at = &s->done; *at;) {
        struct out_file *f = *at;
        if (f->born != n) {
            if (cut_file(s, f, err) != LEAT_OK)
                return err->status;
            at = &f->next;
            continue;
        }
        if (remove_file(s, f, err) != LEAT_OK)
            return err->status;
        *at = f->next;
        leat_mem_free(f);
    }
    return LEAT_OK;
}

/* Waiting would not bring a file back that somebody has removed. */
static enum leat_status move(struct files_set *s, struct out_file *f, const char *to,
                             struct leat_error *err)
{
    const struct leat_fs *fs = s->env->fs;
    int result = f->taken ? 0 : fs->rename(fs, f->path, to);

    if (result == -ENOENT && fs->length(fs, f->path) == -ENOENT) {
        leat_warn(
            s->env->log,
            "'%s' was removed while it was written, and %lld bytes of output with it; going on",
            f->path, (long long)f->length);
        f->taken = true;
        return LEAT_OK;
    }
    return result < 0 ? leat_fs_failed(err, result, "rename to", to) : LEAT_OK;
}

enum leat_status files_set_keep(struct files_set *s, struct leat_error *err)
{
    char path[FILES_PATH_BYTES];

    for (struct out_file *f = s->newest; f; f = f->older) {
        if (f->kept == 0) {
            files_paths_temporary(s->paths, f->final_path, true, path);
            if (move(s, f, path, err) != LEAT_OK)
                return err->status;
            memcpy(f->path, path, strlen(path) + 1);
        }
        f->kept = f->length;
    }
    return LEAT_OK;
}

/* What is there already is this very file when it is not under its temporary name any more: an
 * instance that took over has recovered the batch while this one stood still. */
static enum leat_status rename_file(struct files_set *s, struct out_file *f, struct leat_error *err)
{
    const struct leat_fs *fs = s->env->fs;

    if (f->renamed)
        return LEAT_OK;
    int64_t there = fs->length(fs, f->final_path);
    if (there < 0 && there != -ENOENT)
        return leat_fs_failed(err, there, "look at", f->final_path);
    f->renamed = there == f->length && fs->length(fs, f->path) == -ENOENT;
    if (f->renamed)
        return LEAT_OK;
    if (there >= 0)
        return leat_fail(err, LEAT_E_BROKEN, "'%s' is there already: two sinks write the same path",
                         f->final_path);
    if (move(s, f, f->final_path, err) != LEAT_OK)
        return err->status;
    f->renamed = true;
    return LEAT_OK;
}

static int by_path(const void *a, const void *b)
{
    const struct out_file *const *x = a, *const *y = b;

    return strcmp((*x)->final_path, (*y)->final_path);
}

static bool same_dir(const char *a, const char *b)
{
    const char *slash = strrchr(a, '/');
    size_t len = slash ? (size_t)(slash + 1 - a) : 0;

    return strncmp(a, b, len) == 0 && !strchr(b + len, '/');
}

/* In order of path, so that each directory is synced once. */
static enum leat_status publish_sorted(struct files_set *s, struct out_file **list, size_t count,
                                       struct leat_error *err)
{
    qsort(list, count, sizeof(struct out_file *), by_path);
    for (size_t i = 0; i < count; i++) {
        if (rename_file(s, list[i], err) != LEAT_OK)
            return err->status;
        leat_failpoint("finish.renamed");
    }
    for (size_t i = 0; i < count; i++)
        if ((i + 1 == count || !same_dir(list[i]->final_path, list[i + 1]->final_path)) &&
            files_sync_dir_of(s->env->fs, list[i]->final_path, err) != LEAT_OK &&
            s->env->fs->length(s->env->fs, list[i]->final_path) != -ENOENT) /* taken, with it */
            return err->status;
    return LEAT_OK;
}

enum leat_status files_set_publish(struct files_set *s, struct leat_error *err)
{
    size_t count = 0, i = 0;

    for (struct out_file *f = s->done; f; f = f->next)
        count++;
    if (count == 0)
        return LEAT_OK;
    struct out_file **list = leat_mem_alloc(count * sizeof(struct out_file *));
    if (!list)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    for (struct out_file *f = s->done; f; f = f->next)
        list[i++] = f;
    enum leat_status status = publish_sorted(s, list, count, err);
    leat_mem_free(list);
    while (status == LEAT_OK && s->done) {
        struct out_file *f = s->done;
        s->done = f->next;
        leat_mem_free(f);
    }
    return status;
}
