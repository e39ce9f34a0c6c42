/*
 * command_run.c - `leat run`: files or directories of them, each its own pipeline, one process.
 */
#include "base/log.h"
#include "cli/run_options.h"
#include "data/time_text.h"

#include <argp.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIPELINES_MAX 256

struct words {
    char *files[PIPELINES_MAX]; /* ours */
    size_t count;
    struct cli_sets sets;
    struct leat_job_options job;
};

/* ---- words */

static bool is_pipeline(const char *name)
{
    size_t len = strlen(name);

    return name[0] != '.' && ((len > 5 && strcmp(name + len - 5, ".yaml") == 0) ||
                              (len > 4 && strcmp(name + len - 4, ".yml") == 0));
}

static void add_file(struct words *w, const char *dir, const char *name, struct argp_state *state)
{
    char *path = NULL;

    if (w->count == PIPELINES_MAX)
        argp_error(state, "more than %d pipelines", PIPELINES_MAX);
    if (asprintf(&path, "%s%s%s", dir ? dir : "", dir ? "/" : "", name) < 0)
        argp_failure(state, CLI_FAILED, 0, "out of memory");
    w->files[w->count++] = path;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_path(struct words *w, const char *path, struct argp_state *state)
{
    struct stat st;
    DIR *dir;
    size_t before = w->count;

    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        add_file(w, NULL, path, state);
        return;
    }
    if (!(dir = opendir(path)))
        argp_failure(state, CLI_FAILED, errno, "%s", path);
    for (struct dirent *e; dir && (e = readdir(dir));)
        if (is_pipeline(e->d_name))
            add_file(w, path, e->d_name, state);
    closedir(dir);
    if (w->count == before)
        argp_failure(state, CLI_USAGE, 0, "no *.yaml in directory '%s'", path);
    qsort(w->files + before, w->count - before, sizeof *w->files, by_text);
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

enum { LATER = 0x100, LOG_FORMAT, FROM, TO, ACCEPT_OFFSETS, DROP_STATE };

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
    {"watch", LATER, NULL, OPTION_HIDDEN, "", 0},
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

int cli_job_run(const struct cli_pipeline *const *pipelines, size_t count,
                const struct leat_job_options *job)
{
    const struct leat_plan *plans[PIPELINES_MAX];
    struct leat_error err = {0};
    size_t memory = 0;

    for (size_t i = 0; i < count; i++) {
        plans[i] = pipelines[i]->plan;
        memory += (size_t)pipelines[i]->spec.memory.bytes;
    }
    cli_heap_large_pages(memory);
    if (leat_job_run(plans, count, job, &err) == LEAT_OK)
        return CLI_OK;
    cli_say(stderr, "leat: %s\n", err.text);
    return leat_status_exit_code(err.status);
}

static bool same_dir(const struct cli_pipeline *a, const struct cli_pipeline *b)
{
    const char *one = a->spec.checkpoint.dir, *other = b->spec.checkpoint.dir;

    return one && other && strcmp(one, other) == 0;
}

/* Two files with one name would share a consumer group and a job log, two with one directory a log.
 */
static bool share_something(struct cli_pipeline *const *pipelines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < i; k++) {
            if (same_dir(pipelines[i], pipelines[k])) {
                cli_say(stderr, "leat: %s and %s both have the checkpoint.dir '%s'\n",
                        pipelines[k]->file.name, pipelines[i]->file.name,
                        pipelines[i]->spec.checkpoint.dir);
                return true;
            }
            if (leat_slice_eq(pipelines[i]->spec.name, pipelines[k]->spec.name)) {
                cli_say(stderr, "leat: %s and %s are both called '%.*s'\n", pipelines[k]->file.name,
                        pipelines[i]->file.name, LEAT_FMT(pipelines[i]->spec.name));
                return true;
            }
        }
    return false;
}

static int run_all(struct words *w)
{
    struct cli_pipeline *pipelines[PIPELINES_MAX];
    size_t count = 0;
    int worst = CLI_OK;

    for (; count < w->count; count++) {
        pipelines[count] = leat_mem_alloc(sizeof **pipelines);
        if (!pipelines[count])
            break;
        int code = cli_pipeline_load(pipelines[count], w->files[count], &w->sets, true);
        worst = code > worst ? code : worst;
    }
    if (count < w->count) {
        cli_say(stderr, "leat: out of memory\n");
        worst = CLI_FAILED;
    }
    if (worst == CLI_OK && share_something(pipelines, count))
        worst = CLI_FILE_WRONG;
    if (worst == CLI_OK)
        worst = cli_job_run((const struct cli_pipeline *const *)pipelines, count, &w->job);
    for (size_t i = 0; i < count; i++) {
        cli_pipeline_free(pipelines[i]);
        leat_mem_free(pipelines[i]);
    }
    return worst;
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
    int code = run_all(&w);
    for (size_t i = 0; i < w.count; i++)
        free(w.files[i]);
    return code;
}
