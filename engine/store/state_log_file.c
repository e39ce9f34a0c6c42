/*
 * state_log_file.c - the state log in files: deltas in the records of the job log, snapshots in
 * DIR/state/<q>-<n>.snap.
 *
 * A snapshot is written as "...snap.new" and gets its name when its group is committed. The newest
 * two of a partition are kept: when the newer one turns out to be damaged, the older one and the
 * deltas since then give the same.
 */
#include "store/state_log.h"

#include "base/failpoint.h"
#include "base/mem.h"
#include "store/snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define PATH_BYTES 4096

struct kept {
    uint64_t newest, older; /* 0: none */
};

struct state_log_file {
    struct leat_state_log base;
    const struct leat_fs *fs;
    const struct leat_log *lines;
    struct leat_job_log *log;
    char dir[PATH_BYTES - 64]; /* DIR/state */
    uint32_t epoch, partitions;
    bool view;         /* nothing is written */
    bool no_memory;    /* while it was opened */
    bool from_nothing; /* before the oldest record there was no state, or none that still is */
    struct kept *kept; /* by q; after open the snapshot thread's */
    /* Least of kept[].older: deltas up to there are not needed any more. */
    atomic_uint_fast64_t covered;
    /* What a snapshot was read into, for the next; until the first append. */
    _Atomic(struct leat_snapshot_image *) spare;
};

static struct state_log_file *of(struct leat_state_log *s)
{
    return (struct state_log_file *)s;
}

static void path_of(const struct state_log_file *f, uint32_t q, uint64_t n, const char *suffix,
                    char *path)
{
    snprintf(path, PATH_BYTES, "%s/%" PRIu32 "-%" PRIu64 ".snap%s", f->dir, q, n, suffix);
}

static void free_image(struct leat_snapshot_image *image)
{
    if (image)
        leat_snapshot_image_fini(image);
    leat_mem_free(image);
}

/* ---- deltas */

static enum leat_status file_append(struct leat_state_log *s, struct leat_log_record *record,
                                    struct leat_log_state *states, uint32_t count,
                                    struct leat_error *err)
{
    (void)err;
    free_image(atomic_exchange(&of(s)->spare, NULL));
    record->partitions = of(s)->partitions;
    record->states = states;
    record->states_count = count;
    return LEAT_OK;
}

static enum leat_status file_truncate(struct leat_state_log *s, int64_t keep_since_ms,
                                      struct leat_error *err)
{
    struct state_log_file *f = of(s);
    bool keeps_state = leat_job_log_last(f->log)->partitions > 0;

    return leat_job_log_trim(f->log, keeps_state ? atomic_load(&f->covered) : UINT64_MAX,
                             keep_since_ms, err);
}

/* ---- snapshots */

static enum leat_status file_write(struct leat_state_log *s, const struct leat_snapshot *snapshot,
                                   struct leat_error *err)
{
    struct state_log_file *f = of(s);
    char path[PATH_BYTES];

    path_of(f, snapshot->q, snapshot->n, ".new", path);
    if (leat_snapshot_write(f->fs, path, f->epoch, f->partitions, snapshot, err) != LEAT_OK)
        return err->status;
    if (leat_failpoint("snapshot.written"))
        return leat_fs_failed(err, -EIO, "write", path);
    return LEAT_OK;
}

static void find_covered(struct state_log_file *f)
{
    uint64_t least = UINT64_MAX;

    for (uint32_t q = 0; q < f->partitions; q++)
        least = f->kept[q].older < least ? f->kept[q].older : least;
    atomic_store(&f->covered, least);
}

static void remove_file(const struct state_log_file *f, const char *path)
{
    int e = f->fs->unlink(f->fs, path);

    if (e < 0 && e != -ENOENT)
        leat_warn(f->lines, "cannot remove '%s': %s; the next start tries again", path,
                  strerror(-e));
}

static enum leat_status file_publish(struct leat_state_log *s, uint32_t q, uint64_t n,
                                     struct leat_error *err)
{
    struct state_log_file *f = of(s);
    struct kept *kept = &f->kept[q];
    char fresh[PATH_BYTES], path[PATH_BYTES];

    path_of(f, q, n, ".new", fresh);
    path_of(f, q, n, "", path);
    int e = f->fs->rename(f->fs, fresh, path);
    if (e >= 0 && leat_failpoint("snapshot.renamed"))
        e = -EIO;
    if (e >= 0)
        e = f->fs->sync_dir(f->fs, f->dir);
    if (e < 0)
        return leat_fs_failed(err, e, "rename", fresh);
    if (kept->older) {
        path_of(f, q, kept->older, "", path);
        remove_file(f, path);
    }
    *kept = (struct kept){.newest = n, .older = kept->newest};
    find_covered(f);
    return LEAT_OK;
}

static uint32_t file_next(struct leat_state_log *s)
{
    const struct state_log_file *f = of(s);
    uint32_t next = 0;

    for (uint32_t q = 1; q < f->partitions; q++)
        next = f->kept[q].newest < f->kept[next].newest ? q : next;
    return next;
}

/* ---- read */

struct delta_reading {
    leat_state_fn *fn;
    void *arg;
};

static enum leat_status give_delta(void *arg, uint64_t n, const struct leat_log_state *entry,
                                   struct leat_error *err)
{
    struct delta_reading *d = arg;

    return d->fn(d->arg, n, false, entry, err);
}

/* *usable false: it is not whole, or not this log's. Nothing was given then. */
static enum leat_status read_snapshot(struct state_log_file *f, uint32_t q, uint64_t n,
                                      leat_state_fn *fn, void *arg, bool *usable,
                                      struct leat_error *err)
{
    struct leat_snapshot_image *image = atomic_exchange(&f->spare, NULL);
    char path[PATH_BYTES];

    if (!image)
        image = leat_mem_alloc(sizeof *image);
    if (!image)
        return leat_fail(err, LEAT_E_NOMEM, "no memory for a snapshot");
    path_of(f, q, n, "", path);
    enum leat_status status = leat_snapshot_read(f->fs, path, image, err);
    if (status == LEAT_OK && (image->head.epoch != f->epoch || image->head.q != q ||
                              image->head.n != n || image->head.partitions != f->partitions))
        status = leat_fail(err, LEAT_E_CORRUPT, "the snapshot '%s' is another log's", path);
    *usable = status == LEAT_OK;
    for (uint32_t i = 0; status == LEAT_OK && i < image->head.count; i++) {
        struct leat_log_state entry = leat_snapshot_entry(image, i);
        status = fn(arg, n, true, &entry, err);
    }
    free_image(atomic_exchange(&f->spare, image));
    return status;
}

/* *behind: the group as of which the state is known; 0: from its beginning. */
static enum leat_status read_snapshots(struct state_log_file *f, uint32_t q, uint64_t upto_n,
                                       leat_state_fn *fn, void *arg, uint64_t *behind,
                                       struct leat_error *err)
{
    const uint64_t list[] = {f->kept[q].newest, f->kept[q].older};
    uint64_t oldest = leat_job_log_oldest(f->log);
    bool usable = false, complete = f->from_nothing;

    for (size_t i = 0; i < 2; i++) {
        /* One of before the job kept nothing is not looked at. */
        if (list[i] == 0 || list[i] > upto_n || (complete && list[i] + 1 < oldest))
            continue;
        enum leat_status status = read_snapshot(f, q, list[i], fn, arg, &usable, err);
        *behind = list[i];
        if (usable || status == LEAT_E_NOMEM)
            return status;
        if ((i == 0 && list[1]) || complete)
            leat_warn(f->lines, "%s; taking the %s", err->text,
                      i == 0 && list[1] ? "one before it and what was logged since then"
                                        : "log from its beginning");
        *behind = 0;
    }
    return LEAT_OK;
}

static enum leat_status file_read(struct leat_state_log *s, uint32_t q, uint64_t upto_n,
                                  leat_state_fn *fn, void *arg, struct leat_error *err)
{
    struct state_log_file *f = of(s);
    struct delta_reading d = {fn, arg};
    uint64_t behind = 0, oldest = leat_job_log_oldest(f->log);

    if (read_snapshots(f, q, upto_n, fn, arg, &behind, err) != LEAT_OK)
        return err->status;
    if (behind + 1 < oldest && !f->from_nothing)
        return leat_fail(err, LEAT_E_CORRUPT,
                         "'%s': no snapshot of state partition %" PRIu32 " can be used and the log "
                         "goes back to record %" PRIu64 " only; `leat state reset` begins anew",
                         f->dir, q, oldest);
    return leat_job_log_each_state(f->log, q, behind + 1, upto_n, give_delta, &d, err);
}

/* ---- which there are */

struct listing {
    const struct leat_fs *fs;
    const char *dir;
    leat_snapshot_fn *fn;
    void *arg;
    bool remove_fresh;
};

static void note(const char *name, void *arg)
{
    const struct listing *l = arg;
    char path[PATH_BYTES], *end = NULL;
    unsigned long long q = strtoull(name, &end, 10), n = 0;

    if (end != name && *end == '-')
        n = strtoull(end + 1, &end, 10);
    if (n == 0 || q > UINT32_MAX || strncmp(end, ".snap", 5) != 0)
        return;
    snprintf(path, sizeof path, "%.3800s/%.255s", l->dir, name);
    if (l->fs->is_dir(l->fs, path) == 1)
        return;
    if (end[5] == 0)
        l->fn(l->arg, (uint32_t)q, n, path);
    else if (l->remove_fresh && strcmp(end + 5, ".new") == 0)
        l->fs->unlink(l->fs, path);
}

static enum leat_status each_file(struct listing *l, struct leat_error *err)
{
    int e = l->fs->each(l->fs, l->dir, note, l);

    return e < 0 && e != -ENOENT ? leat_fs_failed(err, e, "list", l->dir) : LEAT_OK;
}

enum leat_status leat_state_log_file_each(const struct leat_fs *fs, const char *dir,
                                          leat_snapshot_fn *fn, void *arg, struct leat_error *err)
{
    char path[PATH_BYTES];
    struct listing l = {.fs = fs, .dir = path, .fn = fn, .arg = arg};

    snprintf(path, sizeof path, "%.3800s/state", dir);
    return each_file(&l, err);
}

/* A damaged head may be this log's: that is said when it is to be read. */
static bool is_anothers(struct state_log_file *f, const char *path)
{
    struct leat_arena arena = {0};
    struct leat_snapshot_head head;
    struct leat_error err;
    enum leat_status status = leat_snapshot_look(f->fs, path, &head, &arena, &err);

    leat_arena_reset(&arena);
    f->no_memory |= status == LEAT_E_NOMEM;
    return status == LEAT_OK && (head.epoch != f->epoch || head.partitions != f->partitions);
}

/* What is newer than the log's last record was never committed, or is another history's. */
static void keep(void *arg, uint32_t q, uint64_t n, const char *path)
{
    struct state_log_file *f = arg;

    if (q >= f->partitions || n > leat_job_log_last(f->log)->n || is_anothers(f, path))
        return;
    struct kept *kept = &f->kept[q];
    uint64_t least = n;
    if (n > kept->newest) {
        least = kept->older;
        *kept = (struct kept){.newest = n, .older = kept->newest};
    } else if (n > kept->older) {
        least = kept->older;
        kept->older = n;
    }
    if (least && !f->view) {
        char old[PATH_BYTES];
        path_of(f, q, least, "", old);
        remove_file(f, old);
    }
}

/* ---- open and close */

static void file_close(struct leat_state_log *s)
{
    free_image(of(s)->spare);
    leat_mem_free(of(s)->kept);
    leat_mem_free(s);
}

static const struct leat_state_backend backend = {
    .append = file_append,
    .write = file_write,
    .publish = file_publish,
    .next = file_next,
    .truncate = file_truncate,
    .read = file_read,
    .close = file_close,
};

static enum leat_status open_dir(struct state_log_file *f, const char *dir, struct leat_error *err)
{
    struct listing l = {.fs = f->fs, .dir = f->dir, .fn = keep, .arg = f, .remove_fresh = !f->view};
    char inside[PATH_BYTES];
    int n = snprintf(f->dir, sizeof f->dir, "%s/state", dir);

    if (n < 0 || (size_t)n >= sizeof f->dir)
        return leat_fail(err, LEAT_E_CONFIG, "the path '%.40s...' is too long", dir);
    snprintf(inside, sizeof inside, "%s/x", f->dir);
    int made = f->view ? 0 : leat_fs_make_parents(f->fs, inside);
    if (made < 0)
        return leat_fs_failed(err, made, "make the directory", f->dir);
    if (each_file(&l, err) != LEAT_OK)
        return err->status;
    return f->no_memory ? leat_fail(err, LEAT_E_NOMEM, "no memory to look at snapshots") : LEAT_OK;
}

static enum leat_status open_files(const struct leat_fs *fs, const char *dir,
                                   struct leat_job_log *log, uint32_t partitions, bool view,
                                   const struct leat_log *lines, struct leat_state_log **state,
                                   struct leat_error *err)
{
    struct state_log_file *f = leat_mem_alloc(sizeof *f);

    *state = NULL;
    if (!f)
        return leat_fail(err, LEAT_E_NOMEM, "no memory for the state's log");
    f->base.backend = &backend;
    f->fs = fs;
    f->lines = lines;
    f->log = log;
    f->epoch = leat_job_log_last(log)->epoch;
    f->partitions = partitions;
    f->view = view;
    f->kept = leat_mem_alloc((partitions ? partitions : 1) * sizeof *f->kept);
    if (!f->kept) {
        leat_fail(err, LEAT_E_NOMEM, "no memory for the state's log");
        goto fail;
    }
    bool with_state;
    if (open_dir(f, dir, err) != LEAT_OK ||
        leat_job_log_begins_with_state(log, &with_state, err) != LEAT_OK)
        goto fail;
    f->from_nothing = !with_state;
    find_covered(f);
    *state = &f->base;
    return LEAT_OK;
fail:
    file_close(&f->base);
    return err->status;
}

enum leat_status leat_state_log_file_open(const struct leat_fs *fs, const char *dir,
                                          struct leat_job_log *log, uint32_t partitions,
                                          const struct leat_log *lines,
                                          struct leat_state_log **state, struct leat_error *err)
{
    return open_files(fs, dir, log, partitions, false, lines, state, err);
}

enum leat_status leat_state_log_file_view(const struct leat_fs *fs, const char *dir,
                                          struct leat_job_log *log, uint32_t partitions,
                                          const struct leat_log *lines,
                                          struct leat_state_log **state, struct leat_error *err)
{
    return open_files(fs, dir, log, partitions, true, lines, state, err);
}
