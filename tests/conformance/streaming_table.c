/*
 * streaming_table.c - files that appear one per batch while a program counts their lines; it is
 * killed within a batch, and comes back some batches later.
 *
 * What is compared is when each number comes out, by the clock, and which.
 */
#include "streaming.h"

#include "stream_ready.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct life {
    json_t *c;
    int partitions, out;
    const char *files, *state;
    int64_t batch_ms;
    int64_t from,
        until;       /* batches: it begins at the time of the one, and the other is waited for */
    int64_t dies_in; /* before this batch is out; 0: it does not */
    struct run *run;
};

/* What comes out at the time that it is: [time, count]. Thread: the output's. */
static void tell(json_t *batch, void *arg)
{
    const struct life *l = arg;
    json_t *row;
    size_t i;

    if (number_at(batch, "time", 0) == l->dies_in * l->batch_ms && l->dies_in)
        kill(getpid(), SIGKILL);
    json_array_foreach(json_object_get(batch, "rows"), i, row)
        dprintf(l->out, "[%" PRId64 ", %" PRId64 "]\n", l->run->clock.now_ms / l->batch_ms,
                (int64_t)json_integer_value(row));
}

/* The files of the batches up to this one that are not there yet. */
static bool show_files(struct life *l, int64_t upto, struct failure *why)
{
    static char text[1 << 16];
    json_t *v;
    size_t i;

    json_array_foreach(json_object_get(l->c, "vectors"), i, v)
    {
        int64_t t = number_at(v, "t", 0), lines = number_at(v, "lines", 0);
        char name[24], path[100];
        snprintf(name, sizeof name, "%" PRId64, t);
        snprintf(path, sizeof path, "%s/%s", l->files, name);
        if (t > upto || access(path, F_OK) == 0)
            continue;
        if (lines < 0 || lines * 2 >= (int64_t)sizeof text)
            return differs(why, "a file of %" PRId64 " lines is too long", lines);
        for (int64_t k = 0; k < lines; k++)
            memcpy(text + 2 * k, "x\n", 2);
        if (!make_file_of(l->files, name, (struct leat_slice){text, 2 * (size_t)lines},
                          t * l->batch_ms, why))
            return false;
    }
    return true;
}

static bool live(void *arg, int out, struct failure *why)
{
    struct life *l = arg;
    struct run r;

    l->out = out;
    l->run = &r;
    bool good = run_init(&r, l->batch_ms, l->from * l->batch_ms, l->partitions, why) &&
                show_files(l, l->from, why);
    leat_checkpoint(r.ctx, l->state);
    r.each = tell;
    r.arg = l;
    run_collect(&r, leat_count(leat_text_file_stream(r.ctx, l->files)), false);
    if (good && leat_start(r.ctx, &r.ended) != LEAT_OK)
        good = differs(why, "%s", r.ended.text);
    if (good)
        wait_until_ready(r.ctx);
    r.begin_ms = 0; /* also the batch of the time at which it is back is waited for */
    for (int64_t t = l->from; good && t <= l->until; t++)
        good = show_files(l, t, why) && run_to(&r, t * l->batch_ms, t * l->batch_ms, why);
    if (leat_stop(r.ctx, false, &r.ended) != LEAT_OK)
        good = differs(why, "it failed: %s", r.ended.text);
    run_free(&r);
    return good;
}

static bool same_table(json_t *lines, json_t *expected, struct failure *why)
{
    json_t *table = json_object(), *line, *want;
    char time[24], came[200], wanted[200];
    const char *key;
    bool good = true;
    size_t i;

    json_object_foreach(expected, key, want) json_object_set_new(table, key, json_array());
    json_array_foreach(lines, i, line)
    {
        snprintf(time, sizeof time, "%" PRId64,
                 (int64_t)json_integer_value(json_array_get(line, 0)));
        if (!json_object_get(table, time))
            json_object_set_new(table, time, json_array());
        json_array_append(json_object_get(table, time), json_array_get(line, 1));
    }
    json_text(table, came, sizeof came);
    json_text(expected, wanted, sizeof wanted);
    if (!json_equal(table, expected))
        good = differs(why, "came %s, expected %s", came, wanted);
    json_decref(table);
    return good;
}

/* One life, or two when there is a batch in which the first ends. */
static bool lives(json_t *c, int partitions, int64_t dies_in, int64_t back_at, json_t *expected,
                  struct failure *why)
{
    char files[32] = "", state[32] = "";
    json_t *lines = json_array(), *v;
    int64_t last = 0;
    size_t i;

    json_array_foreach(json_object_get(c, "vectors"), i, v) if (number_at(v, "t", 0) > last) last =
        number_at(v, "t", 0);
    struct life first = {.c = c,
                         .partitions = partitions,
                         .files = files,
                         .state = state,
                         .batch_ms = number_at(json_object_get(c, "params"), "batch_ms", 1000),
                         .until = dies_in ? dies_in : last,
                         .dies_in = dies_in},
                second = first;
    second.from = back_at;
    second.until = last;
    second.dies_in = 0;
    bool good = make_dir(files, why) && make_dir(state, why) &&
                run_child(live, &first, dies_in, lines, why) &&
                (!dies_in || run_child(live, &second, false, lines, why)) &&
                same_table(lines, expected, why);
    if (files[0])
        remove_dir(files);
    if (state[0])
        remove_dir(state);
    json_decref(lines);
    return good;
}

bool run_table(json_t *c, int partitions, struct failure *why)
{
    json_t *driver = json_object_get(c, "driver"),
           *without = json_object_get(c, "expectedWithoutFailure");

    if (without && !lives(c, partitions, 0, 0, without, why))
        return false;
    return lives(c, partitions, number_at(driver, "failsDuring", 0),
                 number_at(driver, "restartsAt", 0), json_object_get(c, "expected"), why);
}
