/*
 * command_state.c - `leat state ls|show|reset`: what a pipeline remembers, in words; and forgetting
 * it. ls and show only look, also while the pipeline runs.
 */
#include "cli/cli.h"

#include "base/clock.h"
#include "data/time_text.h"
#include "run/job_lock.h"
#include "store/snapshot.h"
#include "store/store_reset.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum action { LS, SHOW, RESET };

static const char *const actions[] = {[LS] = "ls", [SHOW] = "show", [RESET] = "reset"};

struct words {
    int action; /* -1: none yet */
    const char *file;
    struct cli_sets sets;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct words *w = state->input;

    switch (key) {
    case 's':
        cli_sets_add(&w->sets, arg, state);
        return 0;
    case ARGP_KEY_ARG:
        for (int i = LS; w->action < 0 && i <= RESET; i++)
            if (strcmp(arg, actions[i]) == 0) {
                w->action = i;
                return 0;
            }
        if (w->action < 0)
            argp_error(state, "'%s' is not ls, show or reset", arg);
        if (w->file)
            argp_error(state, "one file at a time");
        w->file = arg;
        return 0;
    case ARGP_KEY_END:
        if (!w->file)
            argp_error(state, w->action < 0 ? "ls, show or reset?" : "which file?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"set", 's', "PATH=VALUE", 0, "put a setting into the file, as in checkpoint.dir=/var/lib/leat",
     0},
    {0},
};

/* ---- words for numbers */

struct text {
    char text[64];
};

static struct text files_of(uint64_t files)
{
    struct text t;

    snprintf(t.text, sizeof t.text, "%" PRIu64 " file%s", files, files == 1 ? "" : "s");
    return t;
}

static struct text time_of(int64_t ms)
{
    char text[LEAT_TIME_TEXT_BYTES];
    struct text t;
    struct leat_value time = leat_timestamp_from_millis(ms);

    if (time.tag != LEAT_TIMESTAMP)
        snprintf(t.text, sizeof t.text, "no time");
    else
        snprintf(t.text, sizeof t.text, "%.*s", (int)leat_timestamp_text(time, text), text);
    return t;
}

static struct text bytes_of(uint64_t bytes)
{
    struct text t;

    if (bytes < 1024)
        snprintf(t.text, sizeof t.text, "%" PRIu64 " B", bytes);
    else if (bytes < 1 << 20)
        snprintf(t.text, sizeof t.text, "%.1f KiB", (double)bytes / 1024);
    else
        snprintf(t.text, sizeof t.text, "%.1f MiB", (double)bytes / (1 << 20));
    return t;
}

static struct text age_of(int64_t ms)
{
    int64_t seconds = (leat_clock_now_ms(NULL) - ms) / 1000;
    struct text t;

    if (seconds < 0)
        snprintf(t.text, sizeof t.text, "in the future");
    else if (seconds < 120)
        snprintf(t.text, sizeof t.text, "%" PRId64 " s ago", seconds);
    else if (seconds < 7200)
        snprintf(t.text, sizeof t.text, "%" PRId64 " min ago", seconds / 60);
    else
        snprintf(t.text, sizeof t.text, "%" PRId64 " h ago", seconds / 3600);
    return t;
}

/* ---- ls */

struct positions {
    struct leat_log_position *list;
    size_t count, room;
    bool no_memory;
};

static void note_position(void *arg, const struct leat_log_position *position)
{
    struct positions *p = arg;

    if (p->count == p->room) {
        size_t room = p->room ? p->room * 2 : 64;
        struct leat_log_position *grown = realloc(p->list, room * sizeof *grown);
        p->no_memory |= !grown;
        if (!grown)
            return;
        p->list = grown;
        p->room = room;
    }
    p->list[p->count++] = *position;
}

static int compare_text(struct leat_slice a, struct leat_slice b)
{
    int c = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);

    return c ? c : (a.len > b.len) - (a.len < b.len);
}

static int compare_positions(const void *a, const void *b)
{
    const struct leat_log_position *x = a, *y = b;
    int c = compare_text(x->source, y->source);

    return c ? c : compare_text(x->partition, y->partition);
}

static int show_positions(const struct leat_job_log *log)
{
    struct positions all = {0};

    leat_job_log_each_position(log, note_position, &all);
    if (all.count)
        qsort(all.list, all.count, sizeof *all.list, compare_positions);
    if (all.count)
        cli_say(stdout, "positions\n");
    for (size_t i = 0; i < all.count; i++) {
        const struct leat_log_position *p = &all.list[i];
        cli_say(stdout, "  %.*s  %.*s  %" PRId64 "\n", LEAT_FMT(p->source), LEAT_FMT(p->partition),
                p->next);
    }
    free(all.list);
    if (all.no_memory)
        cli_say(stderr, "leat: out of memory\n");
    return all.no_memory ? CLI_FAILED : CLI_OK;
}

static void show_last(const struct leat_job_log *log, const char *dir,
                      const struct leat_store_removed *there)
{
    const struct leat_log_record *last = leat_job_log_last(log);
    uint64_t oldest = leat_job_log_oldest(log);

    cli_say(stdout, "job %.*s\n", LEAT_FMT(last->job));
    cli_say(stdout, "directory %s, life %08" PRIx32 "\n", dir, last->epoch);
    if (last->n == 0) {
        cli_say(stdout, "no batch yet\n");
        return;
    }
    cli_say(stdout, "last batch %" PRIu64 " of %s, %s%s\n", last->n,
            time_of(last->batch_time_ms).text, age_of(last->clock_ms).text,
            last->marker.len == 0        ? ""
            : last->confirmed == last->n ? ", known to be committed"
                                         : ", the broker knows whether it was committed");
    if (last->marker.len)
        cli_say(stdout, "marker %.*s\n", LEAT_FMT(last->marker));
    cli_say(stdout, "log of batches %" PRIu64 " to %" PRIu64 ", %s, %s\n",
            oldest < last->n ? oldest : last->n, last->n, files_of(there->log_files).text,
            bytes_of((uint64_t)there->log_bytes).text);
}

static void show_watermarks(const struct leat_log_record *last, const char *indent)
{
    for (uint32_t i = 0; i < last->watermarks_count; i++)
        cli_say(stdout, "%s%.*s  %s\n", indent, LEAT_FMT(last->watermarks[i].source),
                time_of(last->watermarks[i].now_ms).text);
}

/* The newest snapshot of each state partition. */
struct newest {
    uint64_t n; /* 0: there is none */
    struct leat_slice path;
};

struct snapshots {
    struct newest *list;
    uint32_t partitions;
    struct leat_arena arena;
};

static void note_snapshot(void *arg, uint32_t q, uint64_t n, const char *path)
{
    struct snapshots *s = arg;

    if (q < s->partitions && n > s->list[q].n)
        s->list[q] = (struct newest){n, leat_arena_copy(&s->arena, leat_slice_str(path))};
}

static void show_snapshot(struct leat_arena *arena, uint32_t q, const struct newest *newest)
{
    struct leat_snapshot_head head;
    struct leat_error err;

    if (leat_snapshot_look(&leat_fs_posix, newest->path.ptr, &head, arena, &err) != LEAT_OK) {
        cli_say(stdout, "  partition %" PRIu32 "  of batch %" PRIu64 "  %s\n", q, newest->n,
                err.text);
        return;
    }
    cli_say(stdout, "  partition %" PRIu32 "  of batch %" PRIu64 "  %s", q, newest->n,
            bytes_of(head.file_bytes).text);
    for (uint32_t i = 0; i < head.count; i++)
        cli_say(stdout, "%s%.*s %s", i ? ", " : ": ", LEAT_FMT(head.parts[i].name),
                bytes_of(head.parts[i].bytes).text);
    cli_say(stdout, "\n");
}

static int show_snapshots(const struct leat_log_record *last, const char *dir,
                          const struct leat_store_removed *there)
{
    struct snapshots s = {.partitions = last->partitions};
    struct leat_error err = {0};
    uint32_t without = 0;

    if (last->partitions == 0 || there->state_files == 0)
        return CLI_OK;
    s.list = leat_arena_array(&s.arena, s.partitions, sizeof *s.list);
    if (!s.list)
        leat_fail(&err, LEAT_E_NOMEM, "out of memory");
    else if (leat_state_log_file_each(&leat_fs_posix, dir, note_snapshot, &s, &err) == LEAT_OK)
        err.status = LEAT_OK;
    if (err.status == LEAT_OK) {
        cli_say(stdout, "snapshots of state partitions, %s\n",
                bytes_of((uint64_t)there->state_bytes).text);
        for (uint32_t q = 0; q < s.partitions; q++)
            if (s.list[q].path.ptr)
                show_snapshot(&s.arena, q, &s.list[q]);
            else
                without++;
        if (without)
            cli_say(stdout, "  %" PRIu32 " of %" PRIu32 " have none yet\n", without, s.partitions);
    }
    leat_arena_reset(&s.arena);
    if (err.status != LEAT_OK)
        cli_say(stderr, "leat: %s\n", err.text);
    return err.status == LEAT_OK ? CLI_OK : CLI_FAILED;
}

static int ls(const struct leat_job_log *log, const char *dir)
{
    const struct leat_log_record *last = leat_job_log_last(log);
    struct leat_store_removed there;
    struct leat_error err;

    if (leat_store_count(&leat_fs_posix, dir, &there, &err) != LEAT_OK) {
        cli_say(stderr, "leat: %s\n", err.text);
        return CLI_FAILED;
    }
    show_last(log, dir, &there);
    if (last->watermarks_count)
        cli_say(stdout, "watermarks\n");
    show_watermarks(last, "  ");
    int code = show_snapshots(last, dir, &there);
    return code == CLI_OK ? show_positions(log) : code;
}

/* ---- show */

static void show_cuts(const struct leat_log_record *r)
{
    for (uint32_t i = 0; r->cuts_count > 1 && i < r->cuts_count; i++) {
        const struct leat_log_cut *c = &r->cuts[i];
        cli_say(stdout, "  cut at %s%s\n", time_of(c->batch_time_ms).text,
                c->close ? ", all windows closed" : "");
        for (uint32_t k = 0; k < c->ranges_count; k++)
            cli_say(stdout, "    %.*s to %" PRId64 "\n",
                    LEAT_FMT(r->positions[c->ranges[k].position].partition), c->ranges[k].to);
    }
}

/* Entries of one operator in all state partitions: one line where its name stands first. */
static void show_states(const struct leat_log_record *r)
{
    for (uint32_t i = 0; i < r->states_count; i++) {
        uint64_t bytes = 0;
        uint32_t partitions = 0, first = 0;
        while (!leat_slice_eq(r->states[first].name, r->states[i].name))
            first++;
        if (first < i)
            continue;
        for (uint32_t k = i; k < r->states_count; k++)
            if (leat_slice_eq(r->states[k].name, r->states[i].name)) {
                bytes += r->states[k].bytes.len;
                partitions++;
            }
        cli_say(stdout, "  state %.*s: %s in %" PRIu32 " partition%s\n",
                LEAT_FMT(r->states[i].name), bytes_of(bytes).text, partitions,
                partitions == 1 ? "" : "s");
    }
}

static enum leat_status show_record(void *arg, const struct leat_log_record *r,
                                    struct leat_error *err)
{
    (void)arg;
    (void)err;
    cli_say(stdout, "batch %" PRIu64 " of %s, logged by the clock at %s\n", r->n,
            time_of(r->batch_time_ms).text, time_of(r->clock_ms).text);
    for (uint32_t i = 0; i < r->positions_count; i++) {
        const struct leat_log_position *p = &r->positions[i];
        if (p->partition.len == 0) {
            cli_say(stdout, "  %.*s began at %s\n", LEAT_FMT(p->source), time_of(p->next).text);
            continue;
        }
        cli_say(stdout, "  read %.*s  %.*s  from %" PRId64 " to %" PRId64 "\n", LEAT_FMT(p->source),
                LEAT_FMT(p->partition), p->from, p->next);
    }
    show_cuts(r);
    show_watermarks(r, "  watermark ");
    for (uint32_t i = 0; i < r->tables_count; i++)
        if (r->tables[i].changed_ns == LEAT_LOG_TABLE_TOPIC)
            cli_say(stdout, "  table read from %.*s up to %" PRId64 "\n",
                    LEAT_FMT(r->tables[i].name), r->tables[i].bytes);
        else
            cli_say(stdout, "  table %.*s of %s, %s\n", LEAT_FMT(r->tables[i].name),
                    time_of(r->tables[i].changed_ns / 1000000).text,
                    bytes_of((uint64_t)r->tables[i].bytes).text);
    for (uint32_t i = 0; i < r->sections_count; i++)
        if (r->sections[i].bytes.len)
            cli_say(stdout, "  sink %.*s: %s for recovery\n", LEAT_FMT(r->sections[i].sink),
                    bytes_of(r->sections[i].bytes.len).text);
    show_states(r);
    return LEAT_OK;
}

/* ---- reset */

static int reset(const struct leat_spec *spec, const char *dir)
{
    struct leat_store_removed removed;
    struct leat_error err;
    int fd = -1;

    if (leat_fs_posix.length(&leat_fs_posix, dir) == -ENOENT) {
        cli_say(stdout, "there is no state in '%s'\n", dir);
        return CLI_OK;
    }
    bool done = leat_job_lock(&leat_fs_posix, dir, &fd, &err) == LEAT_OK &&
                leat_store_reset(&leat_fs_posix, dir, &removed, &err) == LEAT_OK;
    if (fd >= 0)
        close(fd);
    if (!done) {
        cli_say(stderr, "leat: %s\n", err.text);
        return leat_status_exit_code(err.status);
    }
    if (removed.log_files + removed.state_files == 0) {
        cli_say(stdout, "there is no state in '%s'\n", dir);
        return CLI_OK;
    }
    cli_say(stdout, "removed from '%s': the log (%s, %s) and state (%s, %s)\n", dir,
            files_of(removed.log_files).text, bytes_of((uint64_t)removed.log_bytes).text,
            files_of(removed.state_files).text, bytes_of((uint64_t)removed.state_bytes).text);
    if (spec->delivery.index == LEAT_DELIVERY_EXACTLY_ONCE)
        cli_say(stdout, "positions that a broker keeps for the job are still there: go on from "
                        "them with `leat run --accept-offsets`\n");
    return CLI_OK;
}

/* ---- the command */

static int look(int action, const char *dir)
{
    struct leat_job_log *log;
    struct leat_error err;
    int code = CLI_OK;

    if (leat_job_log_view(&leat_fs_posix, dir, &log, &err) != LEAT_OK)
        goto fail;
    if (action == LS)
        code = ls(log, dir);
    else if (leat_job_log_each(log, 0, UINT64_MAX, show_record, NULL, &err) != LEAT_OK)
        goto fail;
    leat_job_log_close(log);
    return code;
fail:
    cli_say(stderr, "leat: %s\n", err.text);
    leat_job_log_close(log);
    return leat_status_exit_code(err.status);
}

int cli_state(int argc, char **argv)
{
    const struct argp argp = {
        options,
        parse,
        "ls|show|reset FILE",
        "Show what a pipeline remembers (ls), the batches in its log (show), or forget it all "
        "(reset). Nothing is connected to.",
        NULL,
        NULL,
        NULL};
    struct words w = {.action = -1};
    char dir[LEAT_JOB_DIR_BYTES];
    struct cli_pipeline p;
    struct leat_error err;

    argp_err_exit_status = CLI_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &w);
    int code = cli_pipeline_load(&p, w.file, &w.sets, false);
    if (code == CLI_OK && leat_job_dir(&p.spec, NULL, dir, &err) != LEAT_OK) {
        cli_say(stderr, "leat: %s\n", err.text);
        code = CLI_FILE_WRONG;
    }
    if (code == CLI_OK)
        code = w.action == RESET ? reset(&p.spec, dir) : look(w.action, dir);
    cli_pipeline_free(&p);
    return code;
}
