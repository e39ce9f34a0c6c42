/*
 * job_lock.c - who a job's directory belongs to: one process at a time.
 *
 * The file `lock` in it is locked as long as the process lives: two copies on one host would write
 * into each other's log. Whose directory it is says the log.
 */
#include "run/job_lock.h"

#include "store/job_log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

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

enum leat_status leat_job_dir_has_log(const struct leat_fs *fs, const char *dir, bool *has,
                                      struct leat_error *err)
{
    return leat_job_log_is_there(fs, dir, has, err);
}

enum leat_status leat_job_lock(const struct leat_fs *fs, const char *dir, int *fd,
                               struct leat_error *err)
{
    char path[PATH_MAX];

    *fd = -1;
    snprintf(path, sizeof path, "%s/lock", dir);
    int made = leat_fs_make_parents(fs, path);
    if (made < 0)
        return leat_fs_failed(err, made, "make the directory of", path);
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (*fd < 0)
        return leat_fail(err, LEAT_E_IO, "cannot open '%s': %s", path, strerror(errno));
    if (flock(*fd, LOCK_EX | LOCK_NB) != 0)
        return leat_fail(err, LEAT_E_FENCED, "another process runs this pipeline: it holds '%s'",
                         path);
    return LEAT_OK;
}
