/*
 * phase.h - what a job is doing, as one byte in a file, for tests that kill it there.
 *
 * LEAT_TRACE_PHASE=PATH: the first byte of that file is r(unning), p(reparing), l(ogging),
 * c(ommitting), f(inishing) or i(dle), as the job thread sees it. The file is mapped, so that
 * whoever kills the process can read what it was doing at that moment. Not set: a branch.
 *
 * Thread: job.
 */
#ifndef LEAT_RUN_PHASE_H
#define LEAT_RUN_PHASE_H

#include "base/log.h"
#include "run/job_step.h"

/* NULL: nobody wants to know, or the file cannot be mapped, which is said. */
char *leat_phase_open(const char *path, const struct leat_log *lines);
void leat_phase_close(char *phase); /* NULL is fine */

/* The group that is furthest on its way says it. */
char leat_phase_of(const struct leat_job *job, bool logged);

#endif
