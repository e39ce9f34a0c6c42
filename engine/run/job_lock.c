/*
 * job_lock.c - who a job's directory belongs to: one process at a time, and one pipeline for good.
 *
 * The file `lock` in it is locked as long as the process lives; what stands in it is the name of
 * the pipeline. Two copies on one host would write into each other's log; two pipelines that share
 * a directory would go on at each other's positions. Thread: job, while it starts.
 */
#include "run/job_thread.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

enum leat_status leat_job_lock(struct leat_job_thread *job, const char *dir, struct leat_error *err)
{
    char path[PATH_MAX], owner[NAME_MAX];

    snprintf(path, sizeof path, "%s/lock", dir);
    int made = leat_fs_make_parents(job->env.fs, path);
    if (made < 0)
        return leat_fs_failed(err, made, "make the directory of", path);
    job->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (job->lock_fd < 0)
        return leat_fail(err, LEAT_E_IO, "cannot open '%s': %s", path, strerror(errno));
    bool is_locked = flock(job->lock_fd, LOCK_EX | LOCK_NB) == 0;
    if (read_name(job->lock_fd, path, owner, sizeof owner, err) != LEAT_OK)
        return err->status;
    if (owner[0] && strcmp(owner, job->name) != 0)
        return leat_fail(err, LEAT_E_CONFIG,
                         "'%.80s' belongs to pipeline '%s': give '%s' a checkpoint.dir of its own, "
                         "or remove the file 'lock' there if it only was renamed",
                         dir, owner, job->name);
    if (!is_locked)
        return leat_fail(err, LEAT_E_FENCED, "another process runs this pipeline: it holds '%s'",
                         path);
    return owner[0] ? LEAT_OK : write_name(job->lock_fd, path, job->name, err);
}
