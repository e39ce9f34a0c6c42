/*
 * job_lock.h - the directory of a job: where it is, and who has it.
 *
 * Thread: any; one at a time.
 */
#ifndef LEAT_RUN_JOB_LOCK_H
#define LEAT_RUN_JOB_LOCK_H

#include "base/fs.h"
#include "plan/spec.h"

#define LEAT_JOB_DIR_BYTES 4096

/* state_dir if there is one, else checkpoint.dir of the file, else ./state/NAME. LEAT_E_CONFIG: it
 * is too long. */
LEAT_CHECKED enum leat_status leat_job_dir(const struct leat_spec *spec, const char *state_dir,
                                           char into[LEAT_JOB_DIR_BYTES], struct leat_error *err);

/* Was a job's log begun there? No, when there is no such directory. */
LEAT_CHECKED enum leat_status leat_job_dir_has_log(const struct leat_fs *fs, const char *dir,
                                                   bool *has, struct leat_error *err);

/* Take the directory until *fd is closed (-1: there is none to close); it is made if need be.
 * LEAT_E_FENCED: another process has it. */
LEAT_CHECKED enum leat_status leat_job_lock(const struct leat_fs *fs, const char *dir, int *fd,
                                            struct leat_error *err);

#endif
