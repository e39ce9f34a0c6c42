/*
 * command_replay.c - `leat replay`: what batch N had written, made again from what it had read.
 *
 * To stdout go the outputs, sink by sink, or (--as-test) a test case for the file; what is known of
 * the batch goes to stderr.
 */
#include "cli/cli.h"
#include "data/json.h"
#include "data/sink.h"
#include "data/time_text.h"
#include "run/job_lock.h"
#include "run/replay.h"

#include <argp.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

struct words {
    const char *file;
    struct cli_sets sets;
    uint64_t batch;
    bool as_test;
};

enum { AS_TEST = 0x100 };

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct words *w = state->input;
    const char *why;
    int64_t n;

    switch (key) {
    case 'b':
        if (!leat_parse_int(leat_slice_str(arg), &n, &why) || n < 1)
            argp_error(state, "--batch wants the number of a batch, not '%s'", arg);
        w->batch = (uint64_t)n;
        return 0;
    case 's':
        cli_sets_add(&w->sets, arg, state);
        return 0;
    case AS_TEST:
        w->as_test = true;
        return 0;
    case ARGP_KEY_ARG:
        if (w->file)
            argp_error(state, "one file at a time");
        w->file = arg;
        return 0;
    case ARGP_KEY_END:
        if (!w->file)
            argp_error(state, "which file?");
        if (!w->batch)
            argp_error(state, "which batch? --batch N; `leat state ls` shows the last one");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"batch", 'b', "N", 0, "the number of the batch, as in meta.batch and `leat state show`", 0},
    {"as-test", AS_TEST, NULL, 0, "print a test case for the file: its records, and what came out",
     0},
    {"set", 's', "PATH=VALUE", 0, "put a setting into the file, as in memory=1GiB", 0},
    {0},
};

/* ---- what it is */

static void print_time(int64_t ms, FILE *out)
{
    char text[LEAT_TIME_TEXT_BYTES];
    size_t len = leat_timestamp_text(leat_timestamp_from_millis(ms), text);

    fprintf(out, "%.*s", (int)len, text);
}

static void describe(const struct leat_replay *r)
{
    const struct leat_log_record *record = leat_replay_record(r);

    fprintf(stderr, "batch %" PRIu64 " of ", record->n);
    print_time(record->batch_time_ms, stderr);
    if (record->cuts_count > 1)
        fprintf(stderr, ", cut in %u", record->cuts_count);
    fprintf(stderr, ":\n");
    for (uint32_t i = 0; i < record->positions_count; i++) {
        const struct leat_log_position *p = &record->positions[i];
        if (p->partition.len == 0) /* when its first life began */
            continue;
        fprintf(stderr, "  %.*s: %.*s from %" PRId64 " to %" PRId64 "\n", LEAT_FMT(p->source),
                LEAT_FMT(p->partition), p->from, p->next);
    }
    for (uint32_t i = 0; i < record->tables_count; i++)
        fprintf(stderr, "  table %.*s: as it is today\n", LEAT_FMT(record->tables[i].name));
}

/* ---- outputs */

/* The sink gives a file its name; here it stands as in the template. */
static void print_route(struct leat_slice route, FILE *out)
{
    const struct leat_slice name = LEAT_LIT(LEAT_ROUTE_FILE);
    const char *at = memmem(route.ptr, route.len, name.ptr, name.len);

    if (!at)
        fprintf(out, "%.*s\t", LEAT_FMT(route));
    else
        fprintf(out, "%.*s{file}%.*s\t", (int)(at - route.ptr), route.ptr,
                (int)(route.ptr + route.len - at - (ptrdiff_t)name.len), at + name.len);
}

static void print_row(const struct leat_chunk *c, uint16_t row, FILE *out)
{
    if (c->routes[row].ptr)
        print_route(c->routes[row], out);
    if (c->keys[row].ptr)
        fprintf(out, "%.*s\t", LEAT_FMT(c->keys[row]));
    if (c->values[row].ptr)
        fwrite(c->values[row].ptr, 1, c->values[row].len, out);
    else
        fprintf(out, "(no value)");
    fputc('\n', out);
}

static void print_outputs(const struct leat_plan *plan, const struct leat_flow_batch *batch)
{
    for (uint32_t s = 0; s < plan->sinks_count; s++) {
        const struct leat_sealed_list *list = &batch->outputs[s];
        printf("== %.*s: %" PRIu64 " records\n", LEAT_FMT(plan->sinks[s].name), list->rows);
        for (const struct leat_sealed *chunk = list->first; chunk; chunk = chunk->next)
            for (uint32_t i = 0; i < chunk->chunk.selected; i++)
                print_row(&chunk->chunk, chunk->chunk.selection[i], stdout);
    }
}

static enum leat_status show(const struct leat_plan *plan, struct leat_replay *r,
                             struct leat_error *err)
{
    const struct leat_flow_batch *batch;

    describe(r);
    for (uint32_t i = 0; i < leat_replay_record(r)->cuts_count; i++) {
        if (leat_replay_run(r, i, NULL, NULL, &batch, err) != LEAT_OK)
            return err->status;
        print_outputs(plan, batch);
    }
    return LEAT_OK;
}

/* ---- as a test case */

static bool is_json(struct leat_slice text, struct leat_arena *arena)
{
    return text.ptr && leat_json_parse(text, arena).tag != LEAT_ERROR;
}

/* JSON is YAML; what is no JSON becomes a text. */
static void print_data(struct leat_slice text, FILE *out)
{
    struct leat_arena arena = {0};
    struct leat_bytes quoted = {.arena = &arena};
    struct leat_value why;

    if (!text.ptr)
        fprintf(out, "null");
    else if (is_json(text, &arena))
        fwrite(text.ptr, 1, text.len, out);
    else if (leat_json_write(leat_string(text), &quoted, &why) && !quoted.failed)
        fwrite(quoted.ptr, 1, quoted.len, out);
    else
        fprintf(out, "null # bytes that are no text");
    leat_arena_reset(&arena);
}

static void print_record(struct leat_slice key, struct leat_slice value, int64_t time_ms, FILE *out)
{
    fprintf(out, "          - ");
    if (!key.ptr && time_ms == LEAT_NO_TIME) {
        print_data(value, out);
        fprintf(out, "\n");
        return;
    }
    fprintf(out, "{ ");
    if (key.ptr) {
        fprintf(out, "key: ");
        print_data(key, out);
        fprintf(out, ", ");
    }
    fprintf(out, "value: ");
    print_data(value, out);
    if (time_ms != LEAT_NO_TIME) {
        fprintf(out, ", time: \"");
        print_time(time_ms, out);
        fprintf(out, "\"");
    }
    fprintf(out, " }\n");
}

struct printing {
    const struct leat_plan *plan;
    int source; /* whose records were printed last */
};

/* Partitions of one source follow each other: one list for all of them. */
static enum leat_status print_input(void *arg, uint32_t source, const struct leat_part *part,
                                    const struct leat_block *blocks, struct leat_error *err)
{
    struct printing *p = arg;
    struct leat_arena arena = {0};
    struct leat_chunk chunk;
    enum leat_status status = leat_chunk_init(&chunk, &arena, LEAT_COL_PATHS, err);

    (void)part;
    if (p->source != (int)source)
        printf("      %s %.*s:\n", p->source < 0 ? "-" : " ",
               LEAT_FMT(p->plan->sources[source].name));
    p->source = (int)source;
    for (; status == LEAT_OK && blocks; blocks = (const struct leat_block *)blocks->msg.next) {
        struct leat_cursor cursor = {0};
        while ((status = blocks->coding->next(&cursor, blocks, &chunk, err)) == LEAT_OK &&
               chunk.rows > 0)
            for (uint32_t i = 0; i < chunk.selected; i++)
                print_record(chunk.keys[chunk.selection[i]], chunk.values[chunk.selection[i]],
                             chunk.times_ms[chunk.selection[i]], stdout);
    }
    leat_arena_reset(&arena);
    return status;
}

static void print_expected(const struct leat_plan *plan, const struct leat_flow_batch *batch)
{
    printf("    expect:\n");
    for (uint32_t s = 0; s < plan->sinks_count; s++) {
        const struct leat_sealed_list *list = &batch->outputs[s];
        printf("      %.*s:%s\n", LEAT_FMT(plan->sinks[s].name), list->first ? "" : " []");
        if (list->first)
            printf("        unordered:\n");
        for (const struct leat_sealed *c = list->first; c; c = c->next)
            for (uint32_t i = 0; i < c->chunk.selected; i++) {
                uint16_t row = c->chunk.selection[i];
                print_record(c->chunk.keys[row], c->chunk.values[row], LEAT_NO_TIME, stdout);
            }
    }
}

static enum leat_status show_as_test(const struct leat_plan *plan, struct leat_replay *r,
                                     struct leat_error *err)
{
    const struct leat_log_record *record = leat_replay_record(r);
    struct printing printing = {.plan = plan, .source = -1};
    const struct leat_flow_batch *batch;

    if (record->cuts_count != 1)
        return leat_fail(err, LEAT_E_DATA,
                         "batch %" PRIu64
                         " is a group of %u (commit.every): --as-test makes a test "
                         "of one",
                         record->n, record->cuts_count);
    describe(r);
    if (!leat_replay_is_alone(r))
        fprintf(stderr, "  the state before it is not part of the test: what it gave from earlier "
                        "records is expected and will be missing\n");
    printf("tests:\n  - name: batch %" PRIu64 "\n    clock: ", record->n);
    print_time(record->cuts[0].batch_time_ms, stdout);
    printf("\n    batches:\n");
    if (leat_replay_run(r, 0, print_input, &printing, &batch, err) != LEAT_OK)
        return err->status;
    if (printing.source < 0)
        printf("      - {}\n");
    print_expected(plan, batch);
    return LEAT_OK;
}

/* ---- the command */

static int replay(const struct words *w, const struct cli_pipeline *p)
{
    const struct leat_log lines = {NULL, "replay"};
    struct leat_replay *r = NULL;
    struct leat_error err;
    char dir[LEAT_JOB_DIR_BYTES], name[128];
    int lock_fd = -1;

    snprintf(name, sizeof name, "%.*s", LEAT_FMT(p->spec.name));
    const struct leat_replay_options what = {
        .batch = w->batch, .dir = dir, .job = name, .fs = &leat_fs_posix, .lines = &lines};
    enum leat_status status = leat_job_dir(&p->spec, NULL, dir, &err);
    if (status == LEAT_OK && access(dir, F_OK) != 0)
        status = leat_fail(&err, LEAT_E_LOST, "'%.100s' is not there: the pipeline never ran", dir);
    if (status == LEAT_OK)
        status = leat_job_lock(&leat_fs_posix, dir, &lock_fd, &err);
    if (status == LEAT_E_FENCED)
        leat_fail(&err, status,
                  "the pipeline is running: stop it, or replay a copy of '%.80s' with "
                  "--set checkpoint.dir=COPY",
                  dir);
    if (status == LEAT_OK)
        status = leat_replay_open(p->plan, &what, &r, &err);
    if (status == LEAT_OK)
        status = w->as_test ? show_as_test(p->plan, r, &err) : show(p->plan, r, &err);
    leat_replay_close(r);
    if (lock_fd >= 0)
        close(lock_fd);
    if (status == LEAT_OK)
        return CLI_OK;
    cli_say(stderr, "leat: %s\n", err.text);
    return leat_status_exit_code(status);
}

int cli_replay(int argc, char **argv)
{
    const struct argp argp = {options,
                              parse,
                              "FILE --batch N",
                              "Print what batch N had written, made again from what it had read. "
                              "Nothing is committed or written.",
                              NULL,
                              NULL,
                              NULL};
    struct words w = {0};
    struct cli_pipeline p;

    argp_err_exit_status = CLI_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &w);
    int code = cli_pipeline_load(&p, w.file, &w.sets, true);
    if (code == CLI_OK)
        code = replay(&w, &p);
    cli_pipeline_free(&p);
    return code;
}
