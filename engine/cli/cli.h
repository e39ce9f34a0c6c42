/*
 * cli.h - what the commands of `leat` share: reading a pipeline file into a plan, exit codes.
 */
#ifndef LEAT_CLI_CLI_H
#define LEAT_CLI_CLI_H

#include "config/pipeline_file.h"
#include "plan/plan.h"

enum {
    CLI_OK = 0,
    CLI_FAILED = 1,       /* the run failed */
    CLI_USAGE = 2,        /* wrong words on the command line */
    CLI_TEST_FAILED = 65, /* a test of a pipeline file failed */
    CLI_UNREACHABLE = 69, /* `leat health`: nobody answers */
    CLI_FILE_WRONG = 78,  /* the pipeline file is wrong; others: base/error.h */
};

/* `--set a.b=c`, as often as it is given. */
struct cli_sets {
    const char *list[64];
    int count;
};

struct argp_state;

/* Add what stood behind --set; ends the program when there are too many. */
void cli_sets_add(struct cli_sets *sets, const char *arg, struct argp_state *state);

/* One pipeline file and what became of it. */
struct cli_pipeline {
    struct leat_arena arena;
    struct leat_diags diags;
    struct config_file file;
    struct leat_spec spec;
    struct leat_plan *plan;
};

/* Read, check and plan the file; all that is wrong is printed to stderr. Returns an exit code; the
 * pipeline is to be freed in any case. `runs`: it is going to run, so secrets must be there. */
int cli_pipeline_load(struct cli_pipeline *p, const char *path, const struct cli_sets *sets,
                      bool runs);
/* The same from text that stays as long as the pipeline. */
int cli_pipeline_load_text(struct cli_pipeline *p, const char *name, struct leat_slice text,
                           const struct cli_sets *sets, bool runs);
void cli_pipeline_free(struct cli_pipeline *p);

/* heap.c, both before there are threads: settings of the C library's heap; and large pages for so
 * many bytes of it, where the kernel gives them to who asks. */
void cli_heap_start(void);
void cli_heap_large_pages(size_t bytes);

/* Text for whoever typed the command, to stdout or stderr; what came from a ${file:} is not shown.
 */
LEAT_PRINTF(2, 3) void cli_say(FILE *out, const char *fmt, ...);

/* Words behind the command's name; argv[0] is the command. Each returns an exit code. */
/* check_state.c: what of the job's state the file goes on with, to stdout. */
int cli_check_state(const struct cli_pipeline *p);

int cli_run(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_explain(int argc, char **argv);
int cli_test(int argc, char **argv);
int cli_docs(int argc, char **argv);
int cli_replay(int argc, char **argv);
int cli_health(int argc, char **argv);
int cli_demo(int argc, char **argv);
int cli_state(int argc, char **argv);

#endif
