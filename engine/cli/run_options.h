#ifndef LEAT_CLI_RUN_OPTIONS_H
#define LEAT_CLI_RUN_OPTIONS_H

#include "cli/cli.h"
#include "run/job.h"

/* Status line on a terminal, cores of the machine. */
struct leat_job_options cli_job_options(void);

/* Run pipelines that were loaded until they end; returns an exit code. */
int cli_job_run(const struct cli_pipeline *const *pipelines, size_t count,
                const struct leat_job_options *options);

#endif
