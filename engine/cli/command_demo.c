/*
 * command_demo.c - `leat demo`: something to look at with nothing else installed or running.
 *
 * A broker inside this process (librdkafka's mock cluster), a pipeline that writes made-up orders
 * to it, and the windowed aggregation of config/examples/orders-per-city.yaml that reads them back.
 * Both files are part of the program. State goes to a directory that is removed at the end.
 */
#include "cli/cli.h"

#include "cli/run_options.h"
#include "config/message.h"
#include "kafka/mock.h"

#include <argp.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The files as they were when leat was built. */
#define EXAMPLE(name, path)                                                                        \
    __asm__(".section .rodata\n"                                                                   \
            ".global leat_example_" #name "\n"                                                     \
            "leat_example_" #name ":\n"                                                            \
            ".incbin \"" path "\"\n"                                                               \
            ".global leat_example_" #name "_end\n"                                                 \
            "leat_example_" #name "_end:\n"                                                        \
            ".byte 0\n"                                                                            \
            ".previous\n");                                                                        \
    extern const char leat_example_##name[], leat_example_##name##_end[]

EXAMPLE(generate, LEAT_EXAMPLES "/generate-orders.yaml");
EXAMPLE(orders, LEAT_EXAMPLES "/orders-per-city.yaml");

struct words {
    struct leat_duration time;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct words *w = state->input;
    const char *why;

    if (key == 'f') {
        if (!leat_parse_duration(leat_slice_str(arg), &w->time, &why))
            argp_error(state, "--for %s: %s", arg, why);
        return 0;
    }
    if (key == ARGP_KEY_ARG)
        argp_error(state, "'%s': the demo takes no file", arg);
    return ARGP_ERR_UNKNOWN;
}

static const struct argp_option options[] = {
    {"for", 'f', "DURATION", 0, "end by itself after so long: 20s", 0},
    {0},
};

static int load(struct cli_pipeline *p, const char *name, const char *text, const char *end,
                const char *dir)
{
    char state[128];
    const struct cli_sets sets = {.list = {state}, .count = 1};

    snprintf(state, sizeof state, "checkpoint.dir=%s/%s", dir, name);
    return cli_pipeline_load_text(p, name, (struct leat_slice){text, (size_t)(end - text)}, &sets,
                                  true);
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    (void)st, (void)flag, (void)at;
    return remove(path);
}

static int run_set(const struct cli_pipeline pipelines[2], const struct leat_job_options *job)
{
    const struct leat_job_set_hooks hooks = {0};
    struct leat_job_set *set;
    struct leat_error err;
    size_t memory = 0;
    int code = CLI_FAILED;

    enum leat_status status = leat_job_set_new(job, &hooks, &set, &err);
    for (size_t i = 0; status == LEAT_OK && i < 2; i++) {
        status = leat_job_set_put(set, pipelines[i].plan, &err);
        memory += (size_t)pipelines[i].spec.memory.bytes;
    }
    if (status == LEAT_OK)
        code = cli_job_run(set, false, memory);
    else
        cli_say(stderr, "leat: %s\n", err.text);
    leat_job_set_free(set);
    return code;
}

static int run_both(const char *dir, const struct words *w)
{
    struct cli_pipeline pipelines[2];
    struct leat_job_options job = cli_job_options();
    int code = load(&pipelines[0], "generate-orders.yaml", leat_example_generate,
                    leat_example_generate_end, dir);

    job.until_ms = w->time.ms;
    if (code == CLI_OK) {
        code = load(&pipelines[1], "orders-per-city.yaml", leat_example_orders,
                    leat_example_orders_end, dir);
        if (code == CLI_OK)
            code = run_set(pipelines, &job);
        cli_pipeline_free(&pipelines[1]);
    }
    cli_pipeline_free(&pipelines[0]);
    return code;
}

/* Its threads begin with signals blocked: a Ctrl-C is for the jobs, and none of theirs. */
static enum leat_status start_broker(struct leat_mock_broker *broker, const char **address,
                                     struct leat_error *err)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    enum leat_status status = leat_mock_broker_start(broker, address, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

int cli_demo(int argc, char **argv)
{
    const struct argp argp = {
        options,
        parse,
        "",
        "A broker in this process, made-up orders, and a windowed aggregation "
        "that shows its results as windows close. Ctrl-C ends it.",
        NULL,
        NULL,
        NULL};
    struct words w = {0};
    struct leat_mock_broker broker = {0};
    const char *address;
    struct leat_error err;
    char dir[] = "/tmp/leat-demo-XXXXXX";

    argp_err_exit_status = CLI_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &w);
    if (!mkdtemp(dir)) {
        perror("leat: /tmp");
        return CLI_FAILED;
    }
    if (start_broker(&broker, &address, &err) != LEAT_OK) {
        cli_say(stderr, "leat: demo: %s\n", err.text);
        rmdir(dir);
        return CLI_FAILED;
    }
    setenv("BROKERS", address, 1);
    cli_say(stderr,
            "leat: demo: orders go to an embedded broker at %s and come back, per city, as "
            "windows of 10s close; Ctrl-C ends it\n",
            address);
    int code = run_both(dir, &w);
    leat_mock_broker_stop(&broker);
    nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    return code;
}
