/*
 * streaming_filestream.c - cases of file streams: files with times, and which of them a batch has.
 */
#include "streaming.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct directory {
    json_t *files;
    char dir[32];
    int64_t batch_ms, begin_ms;
};

/* It is seen when it is whole. */
bool make_file_of(const char *dir, const char *name, struct leat_slice bytes, int64_t changed_ms,
                  struct failure *why)
{
    const struct timespec t = {changed_ms / 1000, changed_ms % 1000 * 1000000};
    char hidden[300], path[300];

    snprintf(hidden, sizeof hidden, "%s/.%.200s", dir, name);
    snprintf(path, sizeof path, "%s/%.200s", dir, name);
    FILE *f = fopen(hidden, "w");
    return (f && fwrite(bytes.ptr, 1, bytes.len, f) == bytes.len && fclose(f) == 0 &&
            utimensat(AT_FDCWD, hidden, (struct timespec[]){t, t}, 0) == 0 &&
            rename(hidden, path) == 0) ||
           differs(why, "cannot make the file %s", path);
}

bool make_file(const char *dir, const char *name, int64_t changed_ms, struct failure *why)
{
    char line[256];

    snprintf(line, sizeof line, "%.200s\n", name);
    return make_file_of(dir, name, leat_slice_str(line), changed_ms, why);
}

/* Those that are seen between the batch before and this one. */
static bool show_files(size_t number, void *arg, struct failure *why)
{
    const struct directory *d = arg;
    int64_t to_ms = d->begin_ms + (int64_t)number * d->batch_ms, from_ms = to_ms - d->batch_ms;
    json_t *file;
    size_t i;

    json_array_foreach(d->files, i, file)
    {
        int64_t changed_ms = number_at(file, "mtime_ms", 0),
                seen_ms = number_at(file, "visibleFrom_ms", changed_ms);
        const char *name = text_at(file, "name");
        if ((seen_ms > from_ms || number == 1) && seen_ms <= to_ms &&
            !make_file(d->dir, name ? name : "?", changed_ms, why))
            return false;
    }
    return true;
}

static bool same_batch(struct run *r, const char *time, json_t *want, bool sorted,
                       struct failure *why)
{
    json_t *batch, *is = NULL;
    char came[200], wanted[200];
    size_t i;

    json_array_foreach(r->batches, i,
                       batch) if (number_at(batch, "time", 0) == strtoll(time, NULL, 10)) is =
        json_object_get(batch, "rows");
    if (is && same_rows(is, want, sorted))
        return true;
    json_text(is, came, sizeof came);
    json_text(want, wanted, sizeof wanted);
    return differs(why, "at %s ms came %s, expected %s", time, came, wanted);
}

/* A file stream by its rule; `last_ms`: of the last batch. */
static bool run_files(struct run *r, struct directory *d, json_t *params, int64_t last_ms,
                      int partitions, struct failure *why)
{
    int64_t clock_ms = number_at(params, "clockAtStart_ms", 0);
    char remember[40];

    d->batch_ms = number_at(params, "batch_ms", 1000);
    d->begin_ms = clock_ms / d->batch_ms * d->batch_ms;
    snprintf(remember, sizeof remember, "%" PRId64 "ms",
             number_at(params, "minRemember_ms", 60000));
    bool new_only = !json_is_false(json_object_get(params, "newFilesOnly"));
    const struct leat_option options[] = {
        {"path", d->dir}, {"select", new_only ? "new" : "recent"}, {"remember", remember}};
    if (!run_init(r, d->batch_ms, d->begin_ms, partitions, why))
        return false;
    r->clock.now_ms = clock_ms;
    r->before = show_files;
    r->arg = d;
    run_collect(r, leat_source_stream(r->ctx, "files", options, 3), false);
    if (!run_batches(r, (size_t)((last_ms - d->begin_ms) / d->batch_ms), why))
        return false;
    return r->ended.status == LEAT_OK || differs(why, "it failed: %s", r->ended.text);
}

bool run_filestream(json_t *c, int partitions, struct failure *why)
{
    json_t *expected = json_object_get(c, "expected"), *want;
    struct directory d = {.files = json_object_get(c, "files")};
    int64_t last_ms = 0;
    const char *time;
    struct run r = {0};

    if (json_object_size(expected) == 0)
        return differs(why, "the case does not say what is expected: {TIME: [names]}");
    json_object_foreach(expected, time, want) if (strtoll(time, NULL, 10) > last_ms) last_ms =
        strtoll(time, NULL, 10);
    if (!make_dir(d.dir, why))
        return false;
    bool good = run_files(&r, &d, json_object_get(c, "params"), last_ms, partitions, why);
    json_object_foreach(expected, time, want) good =
        good && same_batch(&r, time, want, json_is_true(json_object_get(c, "compareSorted")), why);
    run_free(&r);
    remove_dir(d.dir);
    return good;
}

/* The window is so many batches: of files that are each a batch older, the last one that is read.
 */
json_t *file_remember_window(json_t *c, json_t *in, int partitions, struct failure *why)
{
    int64_t slide_ms = number_at(in, "slide_ms", 1000), min_ms = number_at(in, "min_ms", 60000);
    int64_t batches = min_ms / slide_ms + 2, tick_ms = (batches + 2) * slide_ms, window_ms = 0;
    struct directory d = {.files = json_array()};
    struct run r = {0};
    json_t *batch;
    size_t i;

    (void)c;
    for (int64_t k = 0; k <= batches; k++) {
        char name[24];
        snprintf(name, sizeof name, "%" PRId64, k);
        json_array_append_new(d.files, json_pack("{s: s, s: I, s: I}", "name", name, "mtime_ms",
                                                 (json_int_t)(tick_ms - k * slide_ms + 1),
                                                 "visibleFrom_ms", (json_int_t)tick_ms));
    }
    json_t *params = json_pack("{s: I, s: I, s: b, s: I}", "batch_ms", (json_int_t)slide_ms,
                               "minRemember_ms", (json_int_t)min_ms, "newFilesOnly", 0,
                               "clockAtStart_ms", (json_int_t)(tick_ms - slide_ms));
    bool good = make_dir(d.dir, why) && run_files(&r, &d, params, tick_ms, partitions, why);
    json_array_foreach(r.batches, i, batch)
    {
        json_t *row, *rows = json_object_get(batch, "rows");
        size_t j;
        json_array_foreach(rows, j, row)
        {
            int64_t k = strtoll(json_string_value(row), NULL, 10);
            window_ms = k * slide_ms > window_ms ? k * slide_ms : window_ms;
        }
    }
    run_free(&r);
    remove_dir(d.dir);
    json_decref(params);
    json_decref(d.files);
    return good ? json_integer(window_ms) : NULL;
}

/* A file of these bytes, cut into records: each a list of its bytes. */
json_t *binary_records(json_t *c, json_t *in, int partitions, struct failure *why)
{
    json_t *params = json_object_get(c, "params"), *records = NULL, *byte;
    int64_t batch_ms = number_at(params, "batch_ms", 1000);
    char dir[32], *bytes = calloc(json_array_size(in) + 1, 1);
    struct run r;
    size_t i;

    json_array_foreach(in, i, byte) bytes[i] = (char)json_integer_value(byte);
    if (!make_dir(dir, why)) {
        free(bytes);
        return NULL;
    }
    bool good = run_init(&r, batch_ms, 0, partitions, why) &&
                make_file_of(dir, "records", (struct leat_slice){bytes, json_array_size(in)},
                             batch_ms, why);
    run_collect(&r, leat_binary_records_stream(r.ctx, dir, number_at(params, "recordLength", 0)),
                false);
    if (good && run_batches(&r, 1, why)) {
        if (r.ended.status == LEAT_OK)
            records = json_incref(json_object_get(json_array_get(r.batches, 0), "rows"));
        else
            differs(why, "%s", r.ended.text);
    }
    run_free(&r);
    remove_dir(dir);
    free(bytes);
    return records;
}
