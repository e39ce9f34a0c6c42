#include "run/shape_file.h"

#include "op/shape.h"

#include <inttypes.h>
#include <stdio.h>

#define PATH_BYTES 4096
#define FILE_BYTES ((int64_t)1 << 20)

enum leat_status leat_shapes_each(const struct leat_plan *plan, struct leat_arena *arena,
                                  leat_shape_fn *fn, void *arg, struct leat_error *err)
{
    for (uint32_t i = 0; i < plan->stages_count; i++)
        for (uint32_t k = 0; k < plan->stages[i].nodes_count; k++) {
            const struct leat_plan_node *n = &plan->stages[i].nodes[k];
            struct leat_bytes text = {.arena = arena};
            bool failed;
            if (!n->state_name.len)
                continue;
            uint64_t shape = leat_shape_hash(n->op, n->plan, arena, &failed);
            if (!failed && shape)
                n->op->state->shape(n->plan, &text);
            if (failed || text.failed)
                return leat_arena_failed(arena, err);
            if (shape && !fn(arg, n, shape, leat_bytes_slice(&text)))
                return LEAT_OK;
        }
    return LEAT_OK;
}

static bool put_line(void *arg, const struct leat_plan_node *node, uint64_t shape,
                     struct leat_slice text)
{
    struct leat_bytes *file = arg;
    char hash[32];
    int len = snprintf(hash, sizeof hash, "\t%016" PRIx64 "\t", shape);
    size_t from = file->len + node->state_name.len + (size_t)len;

    leat_bytes_put(file, node->state_name.ptr, node->state_name.len);
    leat_bytes_put(file, hash, (size_t)len);
    leat_bytes_put(file, text.ptr, text.len);
    /* An expression may have several lines. */
    for (size_t i = from; !file->failed && i < file->len; i++)
        if (file->ptr[i] == '\n' || file->ptr[i] == '\t')
            file->ptr[i] = ' ';
    leat_bytes_put(file, "\n", 1);
    return true;
}

static enum leat_status write_file(const struct leat_fs *fs, const char *path,
                                   struct leat_slice bytes, struct leat_error *err)
{
    char fresh[PATH_BYTES];

    snprintf(fresh, sizeof fresh, "%.4000s.new", path);
    int fd = fs->create(fs, fresh);
    if (fd < 0)
        return leat_fs_failed(err, fd, "create", fresh);
    int e = fs->write(fs, fd, bytes.ptr, bytes.len);
    fs->close(fs, fd);
    if (e >= 0)
        e = fs->rename(fs, fresh, path);
    return e < 0 ? leat_fs_failed(err, e, "write", path) : LEAT_OK;
}

enum leat_status leat_shape_file_write(const struct leat_fs *fs, const char *dir,
                                       const struct leat_plan *plan, struct leat_error *err)
{
    struct leat_arena arena = {0};
    struct leat_bytes file = {.arena = &arena};
    char path[PATH_BYTES];

    snprintf(path, sizeof path, "%.3800s/state/shapes", dir);
    enum leat_status status = leat_shapes_each(plan, &arena, put_line, &file, err);
    if (status == LEAT_OK && file.failed)
        status = leat_arena_failed(&arena, err);
    if (status == LEAT_OK)
        status = write_file(fs, path, leat_bytes_slice(&file), err);
    leat_arena_reset(&arena);
    return status;
}

struct leat_slice leat_shape_file_read(const struct leat_fs *fs, const char *dir,
                                       struct leat_arena *arena)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof path, "%.3800s/state/shapes", dir);
    int64_t len = fs->length(fs, path);
    char *text = len > 0 && len < FILE_BYTES ? leat_arena_alloc(arena, (size_t)len) : NULL;
    int64_t got = text ? fs->read(fs, path, 0, text, (size_t)len) : 0;
    return got > 0 ? (struct leat_slice){text, (size_t)got} : (struct leat_slice){0};
}

struct leat_slice leat_shape_file_find(struct leat_slice file, struct leat_slice name,
                                       uint64_t shape)
{
    struct leat_slice line, word, hash, rest = file;
    char wanted[24];

    snprintf(wanted, sizeof wanted, "%016" PRIx64, shape);
    while (rest.len && leat_slice_cut(rest, '\n', &line, &rest))
        if (leat_slice_cut(line, '\t', &word, &line) && leat_slice_eq(word, name) &&
            leat_slice_cut(line, '\t', &hash, &line) && leat_slice_eq(hash, leat_slice_str(wanted)))
            return line;
    return (struct leat_slice){0};
}
