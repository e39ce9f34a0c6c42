#ifndef LEAT_CLI_RUN_OPTIONS_H
#define LEAT_CLI_RUN_OPTIONS_H

#include "cli/cli.h"
#include "run/job_set.h"

/* Status line on a terminal, cores of the machine. */
struct leat_job_options cli_job_options(void);

/* Run what is in the set until it ends; `memory`: bytes that all of it may take. Returns an exit
 * code; a failure was said. */
int cli_job_run(struct leat_job_set *set, bool stays, size_t memory);

#endif
