#include "store/store_reset.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PATH_BYTES 4096

struct counting {
    const struct leat_fs *fs;
    const char *dir;
    uint64_t files;
    int64_t bytes;
};

static void count(const char *name, void *arg)
{
    struct counting *c = arg;
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s/%s", c->dir, name);

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || n < 0 || n >= PATH_BYTES)
        return;
    int64_t bytes = c->fs->length(c->fs, path);
    c->files++;
    c->bytes += bytes > 0 ? bytes : 0;
}

static enum leat_status count_dir(const struct leat_fs *fs, const char *dir, uint64_t *files,
                                  int64_t *bytes, struct leat_error *err)
{
    struct counting c = {.fs = fs, .dir = dir};
    int e = fs->each(fs, dir, count, &c);

    *files = c.files;
    *bytes = c.bytes;
    return e < 0 && e != -ENOENT ? leat_fs_failed(err, e, "list", dir) : LEAT_OK;
}

static enum leat_status paths(const char *dir, char *log, char *state, char *old,
                              struct leat_error *err)
{
    int a = snprintf(log, PATH_BYTES, "%s/log", dir);
    int b = snprintf(state, PATH_BYTES, "%s/state", dir);
    int c = snprintf(old, PATH_BYTES, "%s/job.log", dir); /* of a leat that had one file */

    return a < 0 || b < 0 || c < 0 || c >= PATH_BYTES
               ? leat_fail(err, LEAT_E_CONFIG, "the path '%.40s...' is too long", dir)
               : LEAT_OK;
}

enum leat_status leat_store_count(const struct leat_fs *fs, const char *dir,
                                  struct leat_store_removed *there, struct leat_error *err)
{
    char log[PATH_BYTES], state[PATH_BYTES], old[PATH_BYTES];

    *there = (struct leat_store_removed){0};
    if (paths(dir, log, state, old, err) != LEAT_OK ||
        count_dir(fs, log, &there->log_files, &there->log_bytes, err) != LEAT_OK ||
        count_dir(fs, state, &there->state_files, &there->state_bytes, err) != LEAT_OK)
        return err->status;
    int64_t bytes = fs->length(fs, old);
    there->log_files += bytes >= 0;
    there->log_bytes += bytes > 0 ? bytes : 0;
    return LEAT_OK;
}

enum leat_status leat_store_reset(const struct leat_fs *fs, const char *dir,
                                  struct leat_store_removed *removed, struct leat_error *err)
{
    char log[PATH_BYTES], state[PATH_BYTES], old[PATH_BYTES];

    if (leat_store_count(fs, dir, removed, err) != LEAT_OK ||
        paths(dir, log, state, old, err) != LEAT_OK)
        return err->status;
    const char *const list[] = {state, log, old};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        int e = leat_fs_remove_tree(fs, list[i]);
        if (e >= 0 && removed->log_files + removed->state_files)
            e = fs->sync_dir(fs, dir);
        if (e < 0)
            return leat_fs_failed(err, e, "remove", list[i]);
    }
    return LEAT_OK;
}
