#include "files_recover.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define PIECE_BYTES 16384

static void put_file(struct leat_bytes *section, const struct out_file *f)
{
    leat_bytes_put_slice(section, leat_slice_str(f->final_path));
    leat_bytes_put_slice(section, leat_slice_str(f->path));
    leat_bytes_put_u64(section, (uint64_t)f->length);
}

void files_section_put(const struct files_set *set, struct leat_bytes *section)
{
    for (const struct out_file *f = set->done; f; f = f->next)
        put_file(section, f);
    for (const struct out_file *f = set->newest; f; f = f->older)
        put_file(section, f);
}

static enum leat_status cut(const struct leat_fs *fs, const char *path, int64_t length,
                            struct leat_error *err)
{
    int result = fs->truncate(fs, path, length);
    if (result < 0)
        return leat_fs_failed(err, result, "cut", path);
    int fd = fs->append(fs, path);
    if (fd < 0)
        return leat_fs_failed(err, fd, "open", path);
    result = fs->sync(fs, fd);
    fs->close(fs, fd);
    return result < 0 ? leat_fs_sync_failed(err, result, path) : LEAT_OK;
}

static enum leat_status give_name(const struct leat_fs *fs, const char *from, const char *to,
                                  struct leat_error *err)
{
    int64_t there = fs->length(fs, to);

    if (there >= 0)
        return leat_fail(err, LEAT_E_BROKEN, "both '%s' and '%s' are there", from, to);
    if (there != -ENOENT)
        return leat_fs_failed(err, there, "look at", to);
    int result = fs->rename(fs, from, to);
    if (result < 0)
        return leat_fs_failed(err, result, "rename to", to);
    return files_sync_dir_of(fs, to, err);
}

/* The temporary file is gone: it has its final name, and readers may have taken it away since. */
static enum leat_status check_final(const struct leat_env *env, const char *path, int64_t length,
                                    struct leat_error *err)
{
    int64_t there = env->fs->length(env->fs, path);

    if (there < 0 && there != -ENOENT)
        return leat_fs_failed(err, there, "look at", path);
    if (there == -ENOENT) { /* perhaps with its directory */
        leat_info(env->log, "'%s' is not there any more; going on, somebody has taken it", path);
        return LEAT_OK;
    }
    if (there < length)
        return leat_fail(err, LEAT_E_CORRUPT, "'%s' has %" PRId64 " bytes, it had %" PRId64, path,
                         there, length);
    return files_sync_dir_of(env->fs, path, err);
}

/* A rename between the two temporary names needs no sync: the file may stand under the other. */
static bool other_name(const char *path, char *other)
{
    static const char *const starts[] = {".leat-tmp-", ".leat-roll-"};
    const char *slash = strrchr(path, '/');
    size_t dir = slash ? (size_t)(slash + 1 - path) : 0;

    for (int i = 0; i < 2; i++) {
        size_t len = strlen(starts[i]);
        if (strncmp(path + dir, starts[i], len) == 0)
            return snprintf(other, FILES_PATH_BYTES, "%.*s%s%s", (int)dir, path, starts[!i],
                            path + dir + len) < FILES_PATH_BYTES;
    }
    return false;
}

static enum leat_status recover_file(const struct leat_env *env, const char *final_path,
                                     const char *path, int64_t length, struct leat_error *err)
{
    char other[FILES_PATH_BYTES];
    int64_t there = env->fs->length(env->fs, path);

    if (there == -ENOENT && other_name(path, other)) {
        path = other;
        there = env->fs->length(env->fs, path);
    }
    if (there == -ENOENT)
        return check_final(env, final_path, length, err);
    if (there < 0)
        return leat_fs_failed(err, there, "look at", path);
    if (there < length)
        return leat_fail(err, LEAT_E_CORRUPT, "'%s' has %" PRId64 " bytes, it had %" PRId64, path,
                         there, length);
    if (there > length && cut(env->fs, path, length, err) != LEAT_OK)
        return err->status;
    return give_name(env->fs, path, final_path, err);
}

static bool take_path(struct leat_slice *section, char path[FILES_PATH_BYTES])
{
    struct leat_slice s;

    if (!leat_take_slice(section, &s) || s.len == 0 || s.len >= FILES_PATH_BYTES)
        return false;
    memcpy(path, s.ptr, s.len);
    path[s.len] = 0;
    return true;
}

enum leat_status files_section_recover(const struct leat_env *env, uint64_t n,
                                       struct leat_slice section, struct leat_error *err)
{
    char final_path[FILES_PATH_BYTES], path[FILES_PATH_BYTES];
    uint64_t length;

    while (section.len) {
        if (!take_path(&section, final_path) || !take_path(&section, path) ||
            !leat_take_u64(&section, &length) || length > INT64_MAX)
            return leat_fail(err, LEAT_E_CORRUPT, "damaged record of batch %" PRIu64, n);
        if (recover_file(env, final_path, path, (int64_t)length, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

/* ---- what no section lists */

/* Where the last line of the file ends; negative errno. */
static int64_t last_line_end(const struct leat_fs *fs, const char *path)
{
    char piece[PIECE_BYTES];
    int64_t at = fs->length(fs, path);

    while (at > 0) {
        int64_t from = at > PIECE_BYTES ? at - PIECE_BYTES : 0;
        int64_t n = fs->read(fs, path, from, piece, (size_t)(at - from));
        if (n < 0)
            return n;
        const char *last = memrchr(piece, '\n', (size_t)n);
        if (last)
            return from + (last - piece) + 1;
        at = from;
    }
    return at;
}

struct frames {
    struct leat_decompressor *d;
    int64_t at, border;
};

/* Byte by byte, for borders inside a piece would be passed over. False: damaged from here on. */
static bool pass(struct frames *f, struct leat_slice piece)
{
    char text[PIECE_BYTES];
    struct leat_error ignored;

    for (size_t i = 0; i < piece.len; i++) {
        struct leat_slice byte = {piece.ptr + i, 1};
        size_t made = sizeof text;
        while (made == sizeof text)
            if (leat_decompressor_read(f->d, &byte, text, sizeof text, &made, &ignored) != LEAT_OK)
                return false;
        f->at++;
        if (leat_decompressor_at_border(f->d))
            f->border = f->at;
    }
    return true;
}

static enum leat_status last_frame_end(const struct leat_fs *fs, const char *path,
                                       enum leat_compression kind, int64_t *end,
                                       struct leat_error *err)
{
    char piece[PIECE_BYTES];
    struct frames f = {.d = leat_decompressor_new(kind, err)};
    int64_t n;

    if (!f.d)
        return err->status;
    while ((n = fs->read(fs, path, f.at, piece, sizeof piece)) > 0)
        if (!pass(&f, (struct leat_slice){piece, (size_t)n}))
            break;
    leat_decompressor_free(f.d);
    *end = f.border;
    return n < 0 ? leat_fs_failed(err, n, "read", path) : LEAT_OK;
}

struct on_disk {
    const struct leat_fs *fs;
    const char *path;
};

static enum leat_status read_file(void *arg, int64_t at, char *into, size_t room, size_t *n,
                                  struct leat_error *err)
{
    const struct on_disk *d = arg;

    for (*n = 0; *n < room;) {
        int64_t got = d->fs->read(d->fs, d->path, at + (int64_t)*n, into + *n, room - *n);
        if (got < 0)
            return leat_fs_failed(err, got, "read", d->path);
        if (got == 0)
            break;
        *n += (size_t)got;
    }
    return LEAT_OK;
}

static enum leat_status last_block_end(const struct leat_env *env, const char *path, int64_t *end,
                                       struct leat_error *err)
{
    struct on_disk disk = {env->fs, path};
    const struct leat_container_file file = {path, read_file, &disk};

    return env->container->whole(env->container_self, &file, end, err);
}

/* A file that was being rolled, of which nothing is known: cut behind its last whole record, and
 * final. */
static enum leat_status salvage(const struct files_paths *p, const char *path,
                                const char *final_path, struct leat_error *err)
{
    const struct leat_fs *fs = p->env->fs;
    enum leat_compression kind = leat_compression_of_path(leat_slice_str(final_path));
    int64_t end = 0;

    if (p->env->container) {
        if (last_block_end(p->env, path, &end, err) != LEAT_OK)
            return err->status;
    } else if (kind == LEAT_COMPRESSION_NONE)
        end = last_line_end(fs, path);
    else if (last_frame_end(fs, path, kind, &end, err) != LEAT_OK)
        return err->status;
    if (end < 0)
        return leat_fs_failed(err, end, "read", path);
    if (end == 0) {
        int result = fs->unlink(fs, path);
        return result < 0 && result != -ENOENT ? leat_fs_failed(err, result, "remove", path)
                                               : LEAT_OK;
    }
    if (cut(fs, path, end, err) != LEAT_OK)
        return err->status;
    leat_info(p->env->log, "'%s' was being written when leat stopped: kept %" PRId64 " bytes of it",
              final_path, end);
    return give_name(fs, path, final_path, err);
}

struct sweep {
    const struct files_paths *paths;
    const char *dir;
    int depth;
    struct leat_error *err;
    enum leat_status status;
};

static enum leat_status sweep_dir(const struct files_paths *paths, const char *dir, int depth,
                                  struct leat_error *err);

static enum leat_status sweep_file(const struct sweep *s, const char *path, const char *final_name,
                                   bool rolled)
{
    const struct leat_fs *fs = s->paths->env->fs;
    char final_path[FILES_PATH_BYTES];

    if (rolled) {
        snprintf(final_path, sizeof final_path, "%s/%s", s->dir, final_name);
        return salvage(s->paths, path, final_path, s->err);
    }
    int result = fs->unlink(fs, path);
    if (result < 0 && result != -ENOENT)
        return leat_fs_failed(s->err, result, "remove", path);
    return LEAT_OK;
}

static void sweep_entry(const char *name, void *arg)
{
    struct sweep *s = arg;
    const struct leat_fs *fs = s->paths->env->fs;
    char path[FILES_PATH_BYTES];
    bool rolled;

    if (s->status != LEAT_OK || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return;
    if (snprintf(path, sizeof path, "%s/%s", s->dir, name) >= (int)sizeof path)
        return; /* longer than any of ours */
    const char *final_name = files_paths_parse(s->paths, name, &rolled);
    if (final_name)
        s->status = sweep_file(s, path, final_name, rolled);
    else if (s->depth > 0 && fs->is_dir(fs, path) == 1)
        s->status = sweep_dir(s->paths, path, s->depth - 1, s->err);
}

static enum leat_status sweep_dir(const struct files_paths *paths, const char *dir, int depth,
                                  struct leat_error *err)
{
    struct sweep s = {.paths = paths, .dir = dir, .depth = depth, .err = err};
    int result = paths->env->fs->each(paths->env->fs, dir, sweep_entry, &s);

    if (result < 0 && result != -ENOENT)
        return leat_fs_failed(err, result, "clean up", dir);
    return s.status;
}

enum leat_status files_sweep(const struct files_paths *paths, struct leat_error *err)
{
    return sweep_dir(paths, paths->root, paths->depth, err);
}
