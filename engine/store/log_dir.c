#include "store/log_dir.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SUFFIX ".leatlog"

/* ---- which there are */

enum leat_status leat_log_dir_path(const struct leat_log_dir *d, uint64_t first, char *path,
                                   struct leat_error *err)
{
    int n = snprintf(path, LEAT_LOG_PATH_BYTES, "%s/%020" PRIu64 SUFFIX, d->path, first);

    if (n < 0 || n >= LEAT_LOG_PATH_BYTES)
        return leat_fail(err, LEAT_E_CONFIG, "the path '%.40s...' is too long", d->path);
    return LEAT_OK;
}

bool leat_log_dir_add(struct leat_log_dir *d, uint64_t first)
{
    if (d->count == d->room) {
        size_t room = d->room ? d->room * 2 : 8;
        struct leat_log_piece *grown = leat_mem_alloc(room * sizeof *grown);
        if (!grown)
            return false;
        if (d->count)
            memcpy(grown, d->list, d->count * sizeof *grown);
        leat_mem_free(d->list);
        d->list = grown;
        d->room = room;
    }
    d->list[d->count++] = (struct leat_log_piece){first};
    return true;
}

struct listing {
    struct leat_log_dir *dir;
    bool no_memory;
};

static void note(const char *name, void *arg)
{
    struct listing *l = arg;
    char *end;
    uint64_t first = strtoull(name, &end, 10);

    if (end == name + 20 && strcmp(end, SUFFIX) == 0 && !leat_log_dir_add(l->dir, first))
        l->no_memory = true;
}

static int compare(const void *a, const void *b)
{
    const struct leat_log_piece *x = a, *y = b;

    return (x->first > y->first) - (x->first < y->first);
}

enum leat_status leat_log_dir_list(struct leat_log_dir *d, struct leat_error *err)
{
    struct listing l = {.dir = d};

    d->count = 0;
    int e = d->fs->each(d->fs, d->path, note, &l);
    if (e < 0)
        return leat_fs_failed(err, e, "list", d->path);
    if (l.no_memory)
        return leat_fail(err, LEAT_E_NOMEM, "no memory for the names of the log's segments");
    if (d->count)
        qsort(d->list, d->count, sizeof *d->list, compare);
    return LEAT_OK;
}

uint64_t leat_log_dir_newest(const struct leat_log_dir *d)
{
    return d->list[d->count - 1].first;
}

void leat_log_dir_fini(struct leat_log_dir *d)
{
    leat_mem_free(d->list);
    d->list = NULL;
    d->count = d->room = 0;
}

/* ---- records */

enum leat_status leat_log_wrong_order(const char *path, const struct leat_log_frame *frame,
                                      uint64_t expected, struct leat_error *err)
{
    return leat_fail(err, LEAT_E_CORRUPT,
                     "'%s' is damaged at byte %lld: record %" PRIu64 " where %" PRIu64
                     " is expected",
                     path, (long long)frame->at, frame->n, expected);
}

struct reading {
    uint64_t expected, from_n, upto_n;
    leat_log_record_fn *fn;
    void *arg;
    struct leat_arena arena; /* of one record */
};

static enum leat_status give(struct reading *r, const char *path, const struct leat_log_frame *f,
                             struct leat_error *err)
{
    struct leat_log_record record;

    if (f->n != r->expected)
        return leat_log_wrong_order(path, f, r->expected, err);
    r->expected++;
    if (f->n < r->from_n)
        return LEAT_OK;
    leat_arena_recycle(&r->arena, SIZE_MAX);
    if (leat_log_record_read(f->payload, &record, &r->arena, err) != LEAT_OK)
        return leat_error_prefix(err, "'%s' at byte %lld", path, (long long)f->at);
    return r->fn(r->arg, &record, err);
}

static enum leat_status read_piece(const struct leat_log_dir *d, uint64_t first, struct reading *r,
                                   struct leat_error *err)
{
    char path[LEAT_LOG_PATH_BYTES];
    struct leat_log_scan scan;
    struct leat_log_frame f;

    if (leat_log_dir_path(d, first, path, err) != LEAT_OK)
        return err->status;
    r->expected = first;
    enum leat_status status = leat_log_scan_begin(&scan, d->fs, path, err);
    while (status == LEAT_OK && r->expected <= r->upto_n) {
        status = leat_log_scan_next(&scan, LEAT_LOG_WANT_ALL, &f, err);
        if (status == LEAT_OK && f.kind == LEAT_LOG_RECORD)
            status = give(r, path, &f, err);
        if (status == LEAT_OK && f.kind == LEAT_LOG_TORN)
            status = leat_fail(err, LEAT_E_CORRUPT, "'%s' is damaged at byte %lld", path,
                               (long long)f.at);
        if (f.kind == LEAT_LOG_END)
            break;
    }
    leat_log_scan_end(&scan);
    return status;
}

static enum leat_status missing(const struct leat_log_dir *d, uint64_t n, struct leat_error *err)
{
    return leat_fail(err, LEAT_E_CORRUPT, "'%s': record %" PRIu64 " is missing", d->path, n);
}

enum leat_status leat_log_dir_each(const struct leat_log_dir *d, uint64_t from_n, uint64_t upto_n,
                                   leat_log_record_fn *fn, void *arg, struct leat_error *err)
{
    struct reading r = {.from_n = from_n, .upto_n = upto_n, .fn = fn, .arg = arg};
    enum leat_status status = LEAT_OK;

    for (size_t i = 0; status == LEAT_OK && i < d->count; i++) {
        bool older = i + 1 < d->count && d->list[i + 1].first <= from_n;
        if (older || d->list[i].first > upto_n)
            continue;
        if (r.expected && r.expected != d->list[i].first)
            status = missing(d, r.expected, err);
        else
            status = read_piece(d, d->list[i].first, &r, err);
    }
    if (status == LEAT_OK && r.expected && r.expected <= upto_n)
        status = missing(d, r.expected, err);
    leat_arena_reset(&r.arena);
    return status;
}
