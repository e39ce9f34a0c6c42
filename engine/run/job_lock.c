/*
 * job_lock.c - who a job's directory belongs to: one process at a time, and one pipeline for good.
 *
 * The file `lock` in it is locked as long as the process lives; what stands in it is the name of
 * the pipeline. Two copies on one host would write into each other's log; two pipelines that share
 * a directory would go on at each other's positions.
 */
#include "run/job_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

/* Whose it is; "" while it is nobody's. */
static enum leat_status read_name(int fd, const char *path, char *into, size_t room,
                                  struct leat_error *err)
{
    ssize_t n = pread(fd, into, room - 1, 0);

    if (n < 0)
        return leat_fail(err, LEAT_E_IO, "cannot read '%s': %s", path, strerror(errno));
    into[n] = 0;
    into[strcspn(into, "\n")] = 0;
    return LEAT_OK;
}

/* The line is written at once, so it is there as a whole or not at all; then it is written anew. */
static enum leat_status write_name(int fd, const char *path, const char *name,
                                   struct leat_error *err)
{
    char line[NAME_MAX];
    int n = snprintf(line, sizeof line, "%s\n", name);

    if (pwrite(fd, line, (size_t)n, 0) == n && fdatasync(fd) == 0)
        return LEAT_OK;
    if (errno == ENOSPC || errno == EDQUOT)
        return leat_fail(err, LEAT_E_FULL, "no room to write '%s'", path);
    return leat_fail(err, LEAT_E_IO, "cannot write '%s': %s", path, strerror(errno));
}

enum leat_status leat_job_dir(const struct leat_spec *spec, const char *state_dir,
                              char into[LEAT_JOB_DIR_BYTES], struct leat_error *err)
{
    const char *given = state_dir ? state_dir : spec->checkpoint.dir;
    int len = given ? snprintf(into, LEAT_JOB_DIR_BYTES, "%s", given)
                    : snprintf(into, LEAT_JOB_DIR_BYTES, "./state/%.*s", LEAT_FMT(spec->name));

    return len < LEAT_JOB_DIR_BYTES - 64
               ? LEAT_OK
               : leat_fail(err, LEAT_E_CONFIG, "the path '%.40s...' is too long", into);
}

enum leat_status leat_job_lock(const struct leat_fs *fs, const char *dir, const char *name, int *fd,
                               struct leat_error *err)
{
    char path[PATH_MAX], owner[NAME_MAX];

    *fd = -1;
    snprintf(path, sizeof path, "%s/lock", dir);
    int made = leat_fs_make_parents(fs, path);
    if (made < 0)
        return leat_fs_failed(err, made, "make the directory of", path);
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (*fd < 0)
        return leat_fail(err, LEAT_E_IO, "cannot open '%s': %s", path, strerror(errno));
    bool is_locked = flock(*fd, LOCK_EX | LOCK_NB) == 0;
    if (read_name(*fd, path, owner, sizeof owner, err) != LEAT_OK)
        return err->status;
    if (owner[0] && strcmp(owner, name) != 0)
        return leat_fail(err, LEAT_E_CONFIG,
                         "'%.80s' belongs to pipeline '%s': give '%s' a checkpoint.dir of its own, "
                         "or remove the file 'lock' there if it only was renamed",
                         dir, owner, name);
    if (!is_locked)
        return leat_fail(err, LEAT_E_FENCED, "another process runs this pipeline: it holds '%s'",
                         path);
    return owner[0] ? LEAT_OK : write_name(*fd, path, name, err);
}
