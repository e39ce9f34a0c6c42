/*
 * run_pipelines.h - the pipelines of a process and the files they come from: read at the start, and
 * again at a reload.
 *
 * Which of them runs is known by the pipeline's name. A file that has become wrong is refused and
 * what runs from it goes on; one whose settings (secrets included) are the same is left alone.
 *
 * Thread: main.
 */
#ifndef LEAT_CLI_RUN_PIPELINES_H
#define LEAT_CLI_RUN_PIPELINES_H

#include "cli/cli.h"
#include "cli/run_paths.h"
#include "http/endpoints.h"
#include "run/job_set.h"

struct run_version;

struct cli_pipelines {
    /* Set by the owner. */
    const struct cli_path *paths;
    size_t paths_count;
    const struct cli_sets *sets;
    bool lenient; /* at the start, too, a file that is wrong leaves the others alone */
    struct leat_job_set *set;
    struct leat_endpoints endpoints; /* its set and version */

    struct run_version *versions; /* that somebody may look at */
    uint32_t refused;             /* files, at the last look */
    size_t memory;                /* of all that were put at the start */
};

/* Read all files and put what is good into the set. Returns an exit code: CLI_OK if something was
 * put or nothing is wrong; what is wrong was said. */
int cli_pipelines_start(struct cli_pipelines *p);

/* The hooks of the set; arg is the struct. */
void cli_pipelines_reload(void *arg);
void cli_pipelines_unused(void *arg, const struct leat_plan *plan);

/* When the set is gone. */
void cli_pipelines_fini(struct cli_pipelines *p);

#endif
