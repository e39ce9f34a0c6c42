/*
 * streaming_checkpoint.c - cases of the directory of checkpoints: which files count, and which
 * write of several is gone on from. A checkpoint of leat is a segment of its log, and a snapshot of
 * the state beside it: the names are others, the questions the same.
 */
#include "streaming.h"

#include "run/job_lock.h"
#include "store/log_dir.h"
#include "store/state_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- listing */

/* A checkpoint's name is one of ours: a segment's in log/, a snapshot's in state/. */
static void own_name(const char *name, bool state, char *into, size_t room)
{
    static const char spark[] = "checkpoint-";
    char *end = NULL;
    uint64_t n = strncmp(name, spark, sizeof spark - 1) == 0
                     ? strtoull(name + sizeof spark - 1, &end, 10)
                     : 0;

    if (!end || *end || n == 0)
        snprintf(into, room, "%.200s", name);
    else if (state)
        snprintf(into, room, "0-%" PRIu64 ".snap", n);
    else
        snprintf(into, room, "%020" PRIu64 ".leatlog", n);
}

static bool make_entry(const char *dir, json_t *entry, struct failure *why)
{
    const char *file = text_at(entry, "file"), *name = file ? file : text_at(entry, "dir");

    for (int state = 0; name && state < 2; state++) {
        char own[256], path[400];
        own_name(name, state, own, sizeof own);
        snprintf(path, sizeof path, "%s/%s/%s", dir, state ? "state" : "log", own);
        FILE *f = file ? fopen(path, "w") : NULL;
        if (file ? !f || fclose(f) != 0 : mkdir(path, 0755) != 0)
            return differs(why, "cannot make %s", path);
    }
    return name || differs(why, "an entry is no file and no directory");
}

static void count_one(void *arg, uint32_t q, uint64_t n, const char *path)
{
    (void)q, (void)n, (void)path;
    ++*(size_t *)arg;
}

/* Both listings have as many; a program goes on if there are any. -1: why. */
static int64_t count_checkpoints(const char *dir, struct failure *why)
{
    struct leat_log_dir segments = {.fs = &leat_fs_posix};
    size_t snapshots = 0, count = 0;
    struct leat_error err = {0};
    bool goes_on = false;

    snprintf(segments.path, sizeof segments.path, "%s/log", dir);
    enum leat_status status = leat_log_dir_list(&segments, &err);
    if (status == LEAT_OK)
        status = leat_state_log_file_each(&leat_fs_posix, dir, count_one, &snapshots, &err);
    if (status == LEAT_OK)
        status = leat_job_dir_has_log(&leat_fs_posix, dir, &goes_on, &err);
    count = segments.count;
    leat_log_dir_fini(&segments);
    if (status != LEAT_OK)
        differs(why, "%s", err.text);
    else if (snapshots != count || goes_on != (count > 0))
        differs(why, "%zu segments, %zu snapshots, %s", count, snapshots,
                goes_on ? "and it goes on" : "and it does not go on");
    return why->text[0] ? -1 : (int64_t)count;
}

json_t *checkpoint_listing(json_t *c, json_t *in, int partitions, struct failure *why)
{
    char top[32], dir[64], path[80];
    int64_t count = -1;
    json_t *entry;
    size_t i;

    (void)c, (void)partitions;
    if (!make_dir(top, why))
        return NULL;
    snprintf(dir, sizeof dir, "%s/checkpoint-01", top);
    bool good = mkdir(dir, 0755) == 0;
    for (int state = 0; state < 2; state++) {
        snprintf(path, sizeof path, "%s/%s", dir, state ? "state" : "log");
        good = good && mkdir(path, 0755) == 0;
    }
    json_array_foreach(in, i, entry) good = good && make_entry(dir, entry, why);
    if (good)
        count = count_checkpoints(dir, why);
    remove_dir(top);
    return json_integer(count);
}

/* ---- order */

struct store {
    const char *dir;
    struct leat_job_log *log;
    struct leat_state_log *state;
};

static const struct leat_log lines = {"conformance", "state"};

static bool open_store(struct store *s, struct failure *why)
{
    struct leat_error err;

    if (leat_job_log_open(&leat_fs_posix, s->dir, "conformance", 1, 0, &s->log, &err) == LEAT_OK &&
        leat_state_log_file_open(&leat_fs_posix, s->dir, s->log, 1, &lines, &s->state, &err) ==
            LEAT_OK)
        return true;
    return differs(why, "%s", err.text);
}

static void close_store(struct store *s)
{
    if (s->state)
        s->state->backend->close(s->state);
    leat_job_log_close(s->log);
    s->state = NULL;
    s->log = NULL;
}

/* The next group: its batch has this time, and all of its state is written. */
static bool write_one(struct store *s, json_t *w, struct failure *why)
{
    const char *content = text_at(w, "content");
    uint64_t n = leat_job_log_last(s->log)->n + 1;
    struct leat_log_state entry = {.name = LEAT_LIT("content"),
                                   .bytes = leat_slice_str(content ? content : "")};
    struct leat_log_record record = {
        .n = n, .batch_time_ms = number_at(w, "time_ms", 0), .clock_ms = (int64_t)n};
    struct leat_snapshot snapshot = {.n = n, .entries = &entry, .entries_count = 1};
    const struct leat_state_backend *backend = s->state->backend;
    struct leat_error err;

    if (backend->append(s->state, &record, NULL, 0, &err) == LEAT_OK &&
        leat_job_log_append(s->log, &record, &err) == LEAT_OK &&
        backend->write(s->state, &snapshot, &err) == LEAT_OK &&
        backend->publish(s->state, 0, n, &err) == LEAT_OK)
        return true;
    return differs(why, "%s", err.text);
}

static enum leat_status note_content(void *arg, uint64_t n, bool is_snapshot,
                                     const struct leat_log_state *entry, struct leat_error *err)
{
    (void)n, (void)err;
    if (is_snapshot)
        json_array_append_new(arg, json_stringn(entry->bytes.ptr, entry->bytes.len));
    return LEAT_OK;
}

struct newest {
    uint64_t n;
    char path[400];
};

static void find_newest(void *arg, uint32_t q, uint64_t n, const char *path)
{
    struct newest *newest = arg;

    (void)q;
    if (n < newest->n)
        return;
    newest->n = n;
    snprintf(newest->path, sizeof newest->path, "%s", path);
}

/* What a start goes on from; then, when that is damaged, what the next does. */
static bool read_all(struct store *s, size_t files, json_t *order, struct failure *why)
{
    for (size_t i = 0; i < files; i++) {
        struct newest newest = {.n = 0};
        struct leat_error err;
        if (!open_store(s, why))
            return false;
        enum leat_status status = s->state->backend->read(s->state, 0, leat_job_log_last(s->log)->n,
                                                          note_content, order, &err);
        close_store(s);
        if (status != LEAT_OK || json_array_size(order) != i + 1)
            return differs(why, "%zu were read: %s", json_array_size(order),
                           status == LEAT_OK ? "" : err.text);
        if (leat_state_log_file_each(&leat_fs_posix, s->dir, find_newest, &newest, &err) !=
                LEAT_OK ||
            truncate(newest.path, 0) != 0)
            return differs(why, "'%s' cannot be damaged", newest.path);
    }
    return true;
}

json_t *checkpoint_order(json_t *c, json_t *in, int partitions, struct failure *why)
{
    json_t *order = json_array(), *w;
    size_t files = 0, i;
    struct leat_error err;
    char dir[32];
    struct store s = {.dir = dir};

    (void)c, (void)partitions;
    if (!make_dir(dir, why))
        return order;
    bool good = open_store(&s, why);
    json_array_foreach(json_object_get(in, "writes"), i, w) good = good && write_one(&s, w, why);
    close_store(&s);
    if (good && leat_state_log_file_each(&leat_fs_posix, dir, count_one, &files, &err) != LEAT_OK)
        good = differs(why, "%s", err.text);
    good = good && read_all(&s, files, order, why);
    close_store(&s);
    remove_dir(dir);
    return json_pack("{s: I, s: o}", "files", (json_int_t)files, "readOrder", order);
}
