/*
 * job_store.c - the block stores of a running job: opened, asked, told, closed.
 *
 * A push source with a store is read like a source that has positions: they are those of its rows
 * in the store, and the log of the job remembers them. Thread: job.
 */
#include "run/job_thread.h"

#include <inttypes.h>
#include <stdio.h>

/* The name of a source as that of a directory. */
static bool put_escaped(struct leat_slice name, char *into, size_t room)
{
    size_t n = 0;

    for (size_t i = 0; i < name.len && n + 4 < room; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '_' || c == '-';
        n += (size_t)snprintf(into + n, room - n, plain ? "%c" : "%%%02x", c);
    }
    return n + 4 < room;
}

static enum leat_status store_dir(const struct leat_job_source *s, char *into, size_t room,
                                  struct leat_error *err)
{
    char name[512];

    int n = put_escaped(s->plan->name, name, sizeof name)
                ? snprintf(into, room, "%s/store/%s", s->job->dir, name)
                : -1;
    return n < 0 || (size_t)n >= room
               ? leat_fail(err, LEAT_E_CONFIG, "the name of its store is too long")
               : LEAT_OK;
}

struct leat_slice leat_job_push_part_name(const struct leat_job_source *s, uint32_t part,
                                          struct leat_job_part_name *name)
{
    struct leat_slice of = s->plan->name;

    snprintf(name->text, sizeof name->text, part ? "%.*s/%" PRIu32 : "%.*s", (int)of.len, of.ptr,
             part);
    return leat_slice_str(name->text);
}

bool leat_job_is_stored(const struct leat_job_source *s)
{
    return s->plan->module->push && s->plan->store == LEAT_STORE_DISK;
}

/* ---- opening */

/* Rows that were taken away with a segment, and no batch had them. */
static void tell_gap(const struct leat_job_source *s, uint32_t part, int64_t at)
{
    int64_t from, to;

    if (leat_block_log_gap(s->store.log, part, &from, &to) && to > at)
        leat_warn(&s->log,
                  "files of the store are missing: %" PRId64 " rows that were received are lost "
                  "(%" PRId64 " up to %" PRId64 ")",
                  to - (from > at ? from : at), from > at ? from : at, to - 1);
}

/* What the log of the job says wins: it is synced with every batch. */
static void take_places(struct leat_job_source *s)
{
    struct leat_job_part_name name;

    for (uint32_t p = 0; p < LEAT_BLOCK_PARTS; p++) {
        const struct leat_log_position *place =
            leat_job_place(s->job, s->plan->name, leat_job_push_part_name(s, p, &name));
        if (place) {
            leat_block_log_skip(s->store.log, p, place->next);
            leat_block_log_done(s->store.log, p, place->next);
        }
        struct leat_block_part part = leat_block_log_part(s->store.log, p);
        tell_gap(s, p, part.done);
        s->inbox.next[p] = part.next;
        atomic_store(&s->store.done[p], part.done);
    }
}

static enum leat_status add_part(struct leat_job_source *s, uint32_t part, struct leat_error *err)
{
    struct leat_block_part at = {.done = atomic_load(&s->store.done[part])};

    if (part < s->part_of_room && s->part_of[part] != LEAT_JOB_NO_PART)
        return LEAT_OK;
    if (!s->store.running)
        at = leat_block_log_part(s->store.log, part);
    return leat_job_add_push_part(s->job, s, part, at.done > at.oldest ? at.done : at.oldest, err);
}

static enum leat_status add_known_parts(struct leat_job_source *s, struct leat_error *err)
{
    for (uint32_t p = 0; p < LEAT_BLOCK_PARTS; p++) {
        bool known = p == 0 || leat_block_log_part(s->store.log, p).known;
        if (known && add_part(s, p, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

enum leat_status leat_job_store_open(struct leat_job_source *s, struct leat_error *err)
{
    struct leat_store_thread *t = &s->store;
    char dir[LEAT_JOB_DIR_BYTES + 600];

    t->inbox = &s->inbox;
    t->job = &s->job->in;
    t->budget = &s->job->blocks;
    t->lines = &s->log;
    if (store_dir(s, dir, sizeof dir, err) != LEAT_OK ||
        leat_block_log_open(s->job->env.fs, dir, s->plan->store_quota, &t->log, err) != LEAT_OK)
        return leat_error_prefix(err, "its store");
    if (leat_block_log_torn(t->log))
        leat_info(&s->log,
                  "the store ended in the middle of rows that were never acknowledged: %" PRId64
                  " bytes were cut off",
                  leat_block_log_torn(t->log));
    take_places(s);
    if (add_known_parts(s, err) == LEAT_OK && leat_store_thread_start(t, err) == LEAT_OK)
        return LEAT_OK;
    leat_block_log_close(t->log);
    t->log = NULL;
    return err->status;
}

/* ---- while it runs */

enum leat_status leat_job_store_news(struct leat_job_source *s, struct leat_error *err)
{
    struct leat_store_thread *t = &s->store;

    atomic_store(&t->news_sent, false);
    if (atomic_load(&t->failed)) {
        *err = t->error;
        return leat_error_prefix(err, "source '%.*s': its store", LEAT_FMT(s->plan->name));
    }
    unsigned long long known = atomic_load(&t->known);
    for (uint32_t p = 0; p < LEAT_BLOCK_PARTS; p++) {
        if (known >> p & 1 && add_part(s, p, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

/* ---- a source that has none */

/* It may have had one: what is in there and in no batch must not be forgotten. */
enum leat_status leat_job_store_refuse_rest(struct leat_job_source *s, struct leat_error *err)
{
    const struct leat_fs *fs = s->job->env.fs;
    char dir[LEAT_JOB_DIR_BYTES + 600];
    int64_t rows = 0;

    if (store_dir(s, dir, sizeof dir, err) != LEAT_OK)
        return err->status;
    if (fs->is_dir(fs, dir) != 1)
        return LEAT_OK;
    if (leat_block_log_open(fs, dir, s->plan->store_quota, &s->store.log, err) != LEAT_OK)
        return leat_error_prefix(err, "the store that it had");
    take_places(s);
    for (uint32_t p = 0; p < LEAT_BLOCK_PARTS; p++) {
        struct leat_block_part part = leat_block_log_part(s->store.log, p);
        int64_t from = part.done > part.oldest ? part.done : part.oldest;
        rows += part.next > from ? part.next - from : 0;
        s->inbox.next[p] = 0;
    }
    leat_block_log_close(s->store.log);
    s->store.log = NULL;
    if (rows)
        return leat_fail(err, LEAT_E_CONFIG,
                         "its store '%s' has %" PRId64
                         " rows that are in no batch yet: run it with "
                         "`store: disk` until they are, or take the directory away to do without "
                         "them",
                         dir, rows);
    return LEAT_OK;
}
