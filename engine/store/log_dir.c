#include "store/log_dir.h"

#include "base/mem.h"

#include <errno.h>
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
    d->list[d->count++] = (struct leat_log_piece){.first = first};
    return true;
}

struct listing {
    struct leat_log_dir *dir;
    bool no_memory;
};

static void note(const char *name, void *arg)
{
    struct listing *l = arg;
    const struct leat_log_dir *d = l->dir;
    char *end, path[LEAT_LOG_PATH_BYTES];
    uint64_t first = strtoull(name, &end, 10);

    if (end != name + 20 || strcmp(end, SUFFIX) != 0)
        return;
    snprintf(path, sizeof path, "%.4000s/%.64s", d->path, name);
    if (d->fs->is_dir(d->fs, path) != 1 && !leat_log_dir_add(l->dir, first))
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
    leat_log_record_fn *fn; /* or: */
    leat_log_state_fn *state_fn;
    uint32_t q;
    void *arg;
    struct leat_arena arena; /* of one record */
};

static enum leat_status give_run(struct reading *r, struct leat_log_scan *scan,
                                 const struct leat_log_frame *f, const struct leat_log_run *run,
                                 struct leat_error *err)
{
    struct leat_slice bytes;

    if (leat_log_scan_run(scan, f, run, &bytes, err) != LEAT_OK)
        return err->status;
    struct leat_log_state *list = leat_arena_array(&r->arena, run->entries, sizeof *list);
    if (!list)
        return leat_arena_failed(&r->arena, err);
    if (leat_log_run_read(bytes, run, list, &r->arena, err) != LEAT_OK)
        return leat_error_prefix(err, "'%s' at byte %lld", scan->path, (long long)f->at);
    for (uint32_t i = 0; i < run->entries; i++)
        if (r->state_fn(r->arg, f->n, &list[i], err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

static enum leat_status give_states(struct reading *r, struct leat_log_scan *scan,
                                    const struct leat_log_frame *f, struct leat_error *err)
{
    for (uint32_t i = 0; i < f->front.runs_count; i++)
        if (f->front.runs[i].q == r->q && give_run(r, scan, f, &f->front.runs[i], err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

static enum leat_status give(struct reading *r, struct leat_log_scan *scan,
                             const struct leat_log_frame *f, struct leat_error *err)
{
    struct leat_log_record record;

    if (f->n != r->expected)
        return leat_log_wrong_order(scan->path, f, r->expected, err);
    r->expected++;
    if (f->n < r->from_n)
        return LEAT_OK;
    leat_arena_recycle(&r->arena, SIZE_MAX);
    if (r->state_fn)
        return give_states(r, scan, f, err);
    if (leat_log_record_read(f->payload, &record, &r->arena, err) != LEAT_OK)
        return leat_error_prefix(err, "'%s' at byte %lld", scan->path, (long long)f->at);
    return r->fn(r->arg, &record, err);
}

static enum leat_status read_piece(const struct leat_log_dir *d, uint64_t first, struct reading *r,
                                   struct leat_error *err)
{
    char path[LEAT_LOG_PATH_BYTES];
    enum leat_log_want want = r->state_fn ? LEAT_LOG_WANT_FRONT : LEAT_LOG_WANT_ALL;
    struct leat_log_scan scan;
    struct leat_log_frame f;

    if (leat_log_dir_path(d, first, path, err) != LEAT_OK)
        return err->status;
    r->expected = first;
    enum leat_status status = leat_log_scan_begin(&scan, d->fs, path, err);
    while (status == LEAT_OK && r->expected <= r->upto_n) {
        status = leat_log_scan_next(&scan, want, &f, err);
        if (status == LEAT_OK && f.kind == LEAT_LOG_RECORD)
            status = give(r, &scan, &f, err);
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

static enum leat_status read_pieces(const struct leat_log_dir *d, struct reading *r,
                                    struct leat_error *err)
{
    enum leat_status status = LEAT_OK;

    for (size_t i = 0; status == LEAT_OK && i < d->count; i++) {
        bool older = i + 1 < d->count && d->list[i + 1].first <= r->from_n;
        if (older || d->list[i].first > r->upto_n)
            continue;
        if (r->expected && r->expected != d->list[i].first)
            status = missing(d, r->expected, err);
        else
            status = read_piece(d, d->list[i].first, r, err);
    }
    if (status == LEAT_OK && r->expected && r->expected <= r->upto_n)
        status = missing(d, r->expected, err);
    leat_arena_reset(&r->arena);
    return status;
}

enum leat_status leat_log_dir_each(const struct leat_log_dir *d, uint64_t from_n, uint64_t upto_n,
                                   leat_log_record_fn *fn, void *arg, struct leat_error *err)
{
    struct reading r = {.from_n = from_n, .upto_n = upto_n, .fn = fn, .arg = arg};

    return read_pieces(d, &r, err);
}

enum leat_status leat_log_dir_each_state(const struct leat_log_dir *d, uint32_t q, uint64_t from_n,
                                         uint64_t upto_n, leat_log_state_fn *fn, void *arg,
                                         struct leat_error *err)
{
    struct reading r = {.from_n = from_n, .upto_n = upto_n, .state_fn = fn, .q = q, .arg = arg};

    return read_pieces(d, &r, err);
}

/* ---- old segments go */

/* When the record before this segment's first was made: its base says so. */
static enum leat_status find_before(struct leat_log_dir *d, struct leat_log_piece *piece,
                                    struct leat_error *err)
{
    char path[LEAT_LOG_PATH_BYTES];
    struct leat_log_scan scan;
    struct leat_log_frame f;

    if (leat_log_dir_path(d, piece->first, path, err) != LEAT_OK)
        return err->status;
    enum leat_status status = leat_log_scan_begin(&scan, d->fs, path, err);
    if (status == LEAT_OK)
        status = leat_log_scan_next(&scan, LEAT_LOG_WANT_FRONT, &f, err);
    if (status == LEAT_OK && f.kind != LEAT_LOG_BASE)
        status =
            leat_fail(err, LEAT_E_CORRUPT, "'%s' is damaged: it does not begin with a base", path);
    if (status == LEAT_OK) {
        piece->before_ms = f.front.record.clock_ms;
        piece->had_state = f.front.record.partitions > 0;
        piece->has_before = true;
    }
    leat_log_scan_end(&scan);
    return status;
}

enum leat_status leat_log_dir_begins_with_state(struct leat_log_dir *d, bool *with,
                                                struct leat_error *err)
{
    if (!d->list[0].has_before && find_before(d, &d->list[0], err) != LEAT_OK)
        return err->status;
    *with = d->list[0].had_state;
    return LEAT_OK;
}

enum leat_status leat_log_dir_trim(struct leat_log_dir *d, uint64_t upto_n, int64_t since_ms,
                                   struct leat_error *err)
{
    char path[LEAT_LOG_PATH_BYTES];

    while (d->count > 1 && d->list[1].first - 1 <= upto_n) {
        if (!d->list[1].has_before && find_before(d, &d->list[1], err) != LEAT_OK)
            return err->status;
        if (d->list[1].before_ms >= since_ms)
            return LEAT_OK;
        if (leat_log_dir_path(d, d->list[0].first, path, err) != LEAT_OK)
            return err->status;
        int e = d->fs->unlink(d->fs, path);
        if (e < 0 && e != -ENOENT)
            return leat_fs_failed(err, e, "remove", path);
        d->count--;
        memmove(d->list, d->list + 1, d->count * sizeof *d->list);
    }
    return LEAT_OK;
}
