/*
 * command_run.c - `leat run`: files or directories of them, each its own pipeline, one process.
 */
#include "base/log.h"
#include "cli/run_options.h"
#include "cli/run_pipelines.h"
#include "cli/watch.h"
#include "data/time_text.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct words {
    struct cli_path paths[CLI_PIPELINES_MAX];
    size_t count;
    bool has_dir, watches;
    struct cli_sets sets;
    struct leat_job_options job;
};

/* ---- words */

static void add_path(struct words *w, const char *path, struct argp_state *state)
{
    if (w->count == CLI_PIPELINES_MAX)
        argp_error(state, "more than %d files and directories", CLI_PIPELINES_MAX);
    w->paths[w->count] = (struct cli_path){path, cli_is_dir(path)};
    w->has_dir |= w->paths[w->count++].is_dir;
}

/* caught_up, a duration, or `100_batches`. */
static void read_until(struct words *w, const char *arg, struct argp_state *state)
{
    struct leat_duration d;
    const char *why;
    char *end;
    unsigned long n = strtoul(arg, &end, 10);

    if (strcmp(arg, "caught_up") == 0)
        w->job.until_caught_up = true;
    else if (arg[0] >= '0' && arg[0] <= '9' && strcmp(end, "_batches") == 0 && n > 0)
        w->job.until_batches = n;
    else if (leat_parse_duration(leat_slice_str(arg), &d, &why) && d.ms > 0)
        w->job.until_ms = d.ms;
    else
        argp_error(state, "--until wants caught_up, a duration like 30s, or 100_batches; not '%s'",
                   arg);
}

static void read_threads(struct words *w, const char *arg, struct argp_state *state)
{
    const char *why;
    int64_t n;

    if (!leat_parse_int(leat_slice_str(arg), &n, &why) || n < 1 || n > 64)
        argp_error(state, "--threads wants 1 to 64, not '%s'", arg);
    else
        w->job.threads = (uint32_t)n;
}

/* `earliest`, or RFC 3339 with or without a time of day. */
static int64_t read_time(const char *name, const char *arg, bool is_from, struct argp_state *state)
{
    char text[64];
    bool is_date = strlen(arg) == 10;

    if (is_from && strcmp(arg, "earliest") == 0)
        return INT64_MIN;
    snprintf(text, sizeof text, "%s%s", arg, is_date ? "T00:00:00Z" : "");
    struct leat_value t = leat_timestamp_parse(leat_slice_str(text));
    int64_t ms = t.tag == LEAT_TIMESTAMP ? leat_timestamp_millis(t) : 0;
    if (ms <= 0)
        argp_error(state, "%s wants %sa time such as 2026-01-01T10:00:00Z, not '%s'", name,
                   is_from ? "earliest or " : "", arg);
    return ms;
}

static void check_times(const struct words *w, struct argp_state *state)
{
    if (w->job.from_ms && w->job.to_ms && w->job.to_ms <= w->job.from_ms)
        argp_error(state, "--to lies before --from: there is nothing between them");
}

static void check_watch(const struct words *w, struct argp_state *state)
{
    const struct leat_job_options *o = &w->job;

    if (w->watches && (o->until_caught_up || o->until_ms || o->until_batches || o->to_ms))
        argp_error(state, "--watch waits for changes until a signal comes; without it, --until and "
                          "--to end by themselves");
}

enum { LATER = 0x100, LOG_FORMAT, FROM, TO, ACCEPT_OFFSETS, DROP_STATE, WATCH };

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct words *w = state->input;

    switch (key) {
    case 's':
        cli_sets_add(&w->sets, arg, state);
        return 0;
    case 'u':
        read_until(w, arg, state);
        return 0;
    case 't':
        read_threads(w, arg, state);
        return 0;
    case ACCEPT_OFFSETS:
        w->job.accept_offsets = true;
        return 0;
    case DROP_STATE:
        w->job.drop_state = true;
        return 0;
    case WATCH:
        w->watches = true;
        return 0;
    case LOG_FORMAT:
        if (strcmp(arg, "json") != 0 && strcmp(arg, "text") != 0)
            argp_error(state, "--log-format wants text or json, not '%s'", arg);
        leat_log_as_json(strcmp(arg, "json") == 0);
        return 0;
    case FROM:
        w->job.from_ms = read_time("--from", arg, true, state);
        return 0;
    case TO:
        w->job.to_ms = read_time("--to", arg, false, state);
        return 0;
    case ARGP_KEY_END:
        check_times(w, state);
        check_watch(w, state);
        return 0;
    case LATER:
        argp_error(state, "'%s' is not in this version", state->argv[state->next - 1]);
        return 0;
    case ARGP_KEY_ARG:
        add_path(w, arg, state);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which file?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"until", 'u', "WHEN", 0, "end by itself: caught_up, after 30s, after 100_batches", 0},
    {"set", 's', "PATH=VALUE", 0, "put a setting into the file, as in batch.every=1s", 0},
    {"threads", 't', "N", 0, "workers per pipeline; all cores when not given", 0},
    {"log-format", LOG_FORMAT, "text|json", 0, "how log lines are written", 0},
    {"from", FROM, "T", 0,
     "read what was written from this time on (or `earliest`), whatever was read before", 0},
    {"to", TO, "T", 0, "read what was written before this time, close all windows, end", 0},
    {"drop-state", DROP_STATE, NULL, 0,
     "go on without state that the changed file has no operator for", 0},
    {"watch", WATCH, NULL, 0,
     "take over what changes in the files and directories, as at SIGHUP; wait for it when nothing "
     "is left to run",
     0},
    {"accept-offsets", ACCEPT_OFFSETS, NULL, 0,
     "go on from the broker's positions where they do not fit log and state, which begin anew", 0},
    {"dry-run", LATER, NULL, OPTION_HIDDEN, "", 0},
    {"limit", LATER, "N", OPTION_HIDDEN, "", 0},
    {0},
};

/* ---- running */

struct leat_job_options cli_job_options(void)
{
    return (struct leat_job_options){.status = isatty(STDERR_FILENO) ? stderr : NULL};
}

int cli_job_run(struct leat_job_set *set, bool stays, size_t memory)
{
    struct leat_error err = {0};

    cli_heap_large_pages(memory);
    if (leat_job_set_run(set, stays, &err) == LEAT_OK)
        return CLI_OK;
    cli_say(stderr, "leat: %s\n", err.text);
    return leat_status_exit_code(err.status);
}

static int start_all(struct cli_pipelines *pipelines)
{
    pipelines->endpoints =
        (struct leat_endpoints){.set = pipelines->set, .process.version = LEAT_VERSION};
    return cli_pipelines_start(pipelines);
}

static int run_all(struct words *w)
{
    struct cli_pipelines pipelines = {
        .paths = w->paths, .paths_count = w->count, .sets = &w->sets, .lenient = w->has_dir};
    const struct leat_job_set_hooks hooks = {
        .arg = &pipelines, .reload = cli_pipelines_reload, .unused = cli_pipelines_unused};
    struct cli_watch watch = {.fd = -1};
    struct leat_error err;
    int code = CLI_FAILED;

    if (leat_job_set_new(&w->job, &hooks, &pipelines.set, &err) == LEAT_OK &&
        (!w->watches ||
         cli_watch_start(&watch, w->paths, w->count, pipelines.set, &err) == LEAT_OK))
        code = start_all(&pipelines);
    else
        cli_say(stderr, "leat: %s\n", err.text);
    if (code == CLI_OK) {
        code = cli_job_run(pipelines.set, w->watches, pipelines.memory);
        code = code == CLI_OK && pipelines.refused ? CLI_FILE_WRONG : code;
    }
    cli_watch_stop(&watch);
    leat_endpoints_fini(&pipelines.endpoints);
    leat_job_set_free(pipelines.set);
    cli_pipelines_fini(&pipelines);
    return code;
}

int cli_run(int argc, char **argv)
{
    const struct argp argp = {
        options,
        parse,
        "FILE|DIR...",
        "Run pipelines until they are done or stopped. Ctrl-C finishes the batch and commits; a "
        "second one stops at once.",
        NULL,
        NULL,
        NULL};
    struct words w = {.job = cli_job_options()};

    argp_err_exit_status = CLI_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &w);
    return run_all(&w);
}
