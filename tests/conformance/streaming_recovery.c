/*
 * streaming_recovery.c - a process that is killed within a batch, and another that goes on.
 *
 * The first life dies in the output of batch N, before that batch counts; the second has the
 * queue's batches from N on. Together they give all batches, the N-th twice.
 */
#include "streaming.h"

#include "stream.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct life {
    json_t *c;
    int partitions, out; /* out: batches are written there, a line each */
    const char *dir;
    char *saved; /* NULL, or where its batches are saved for Hadoop; `inside`: by a transform */
    bool inside;
    size_t from, until;      /* batches, from 0 */
    size_t dies_at, batches; /* dies_at: within this batch; 0: does not */
};

/* Thread: the output's. */
static void tell(json_t *batch, void *arg)
{
    struct life *l = arg;
    FILE *f = fdopen(dup(l->out), "w");

    if (!f)
        abort();
    json_dumpf(json_object_get(batch, "rows"), f, JSON_COMPACT);
    fputc('\n', f);
    fclose(f);
    if (++l->batches == l->dies_at)
        kill(getpid(), SIGKILL);
}

static bool live(void *arg, int out, struct failure *why)
{
    struct life *l = arg;
    int64_t batch_ms = number_at(json_object_get(l->c, "params"), "batch_ms", 1000);
    struct sources sources = {.inputs = json_object(), .from = l->from};
    struct flow f;
    struct run r;

    l->out = out;
    bool good = run_init(&r, batch_ms, (int64_t)l->from * batch_ms, l->partitions, why);
    sources.ctx = r.ctx;
    leat_checkpoint(r.ctx, l->dir);
    r.ctx->queues_last = true;
    r.each = tell;
    r.arg = l;
    good = good && build_case(l->c, &sources, &f, why);
    if (good) {
        if (l->saved && l->inside)
            f.stream = saved_inside(f.stream, l->saved);
        else if (l->saved)
            leat_save_as_hadoop_files(f.stream, l->saved, NULL, NULL, 0);
        run_collect(&r, f.stream, f.pairs);
        good = run_batches(&r, l->until - l->from, why);
    }
    if (good && r.ended.status != LEAT_OK)
        good = differs(why, "it failed: %s", r.ended.text);
    run_free(&r);
    json_decref(sources.inputs);
    return good;
}

bool run_child(child_life *fn, void *arg, bool dies, json_t *lines, struct failure *why)
{
    int ends[2], status = 0;
    char *line = NULL;
    size_t room = 0;

    fflush(NULL);
    if (pipe(ends) != 0)
        return differs(why, "no pipe");
    pid_t pid = fork();
    if (pid < 0)
        return differs(why, "no process");
    if (pid == 0) {
        close(ends[0]);
        bool good = fn(arg, ends[1], why);
        if (!good)
            fprintf(stderr, "%s\n", why->text);
        _exit(good ? 0 : 1);
    }
    close(ends[1]);
    FILE *f = fdopen(ends[0], "r");
    while (f && getline(&line, &room, f) > 0)
        json_array_append_new(lines, json_loads(line, 0, NULL));
    free(line);
    if (f)
        fclose(f);
    waitpid(pid, &status, 0);
    bool died = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    return died == dies && (died || status == 0)
               ? true
               : differs(why, "the %s life did not end as it should", dies ? "first" : "second");
}

static bool both(json_t *c, int partitions, const char *dir, char *saved, bool inside,
                 struct failure *why)
{
    size_t n =
        (size_t)number_at(c, "batchesBeforeRestart",
                          number_at(json_object_get(c, "params"), "batchesBeforeRestart", 1));
    json_t *expected = json_object_get(c, "expected"), *batches, *want;

    if (n < 1 || n > json_array_size(expected))
        return differs(why, "batchesBeforeRestart: it dies in one of the batches of 'expected'");
    batches = json_array();
    struct life first = {c, partitions, -1, dir, saved, inside, 0, n, n, 0},
                second = {c, partitions, -1, dir, saved, inside, n - 1, json_array_size(expected),
                          0, 0};
    bool sorted = json_is_true(json_object_get(c, "compareSorted"));
    bool good = run_child(live, &first, true, batches, why) &&
                run_child(live, &second, false, batches, why);
    int64_t batch_ms = number_at(json_object_get(c, "params"), "batch_ms", 1000);
    size_t i;

    json_array_foreach(expected, i, want)
    {
        json_t *is = json_array_get(batches, i < n ? i : i + 1);
        json_t *again = i + 1 == n ? json_array_get(batches, n) : is;
        char came[200], wanted[200];
        if (!good || (same_rows(is, want, sorted) && same_rows(again, want, sorted)))
            continue;
        json_text(again, came, sizeof came);
        json_text(want, wanted, sizeof wanted);
        good = differs(why, "batch %zu gave %s, expected %s", i + 1, came, wanted);
    }
    json_decref(batches);
    json_array_foreach(expected, i, want)
    {
        int64_t time_ms = (int64_t)(i + 1) * batch_ms;
        if (good && saved)
            good = inside ? saved_inside_is(saved, time_ms, want, why)
                          : saved_is(saved, time_ms, want, why);
    }
    return good;
}

bool run_recovery(json_t *c, int partitions, struct failure *why)
{
    char dir[32], place[32], prefix[40];
    const char *operation = text_at(c, "operation"), *saves = NULL;

    /* What the operation says beyond its pipeline. */
    bool inside = operation && strstr(operation, "transform that saves");
    saves = inside ? operation : operation ? strstr(operation, "saveAs") : NULL;
    if (saves && !inside && !strstr(saves, "HadoopFiles("))
        return differs(why, "the library has no %.*s", (int)strcspn(saves, "( "), saves);
    if (!make_dir(dir, why))
        return false;
    if (saves && !make_dir(place, why)) {
        remove_dir(dir);
        return false;
    }
    if (saves)
        snprintf(prefix, sizeof prefix, "%s/result", place);
    bool good = both(c, partitions, dir, saves ? prefix : NULL, inside, why);
    remove_dir(dir);
    if (saves)
        remove_dir(place);
    return good;
}
