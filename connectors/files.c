/*
 * files.c - pull source that reads files, a record per line: one file, a directory, a pattern.
 *
 * Each file is a partition, named after its path. Positions are byte offsets, so any of them can be
 * read again and a restarted job goes on where it stood. Of a compressed file (.gz, .zst, .lz4)
 * they are those of its text, which is read from the start; one that was read to its end stands at
 * ALL_READ, so that nobody unpacks it again to find that out. Files that appear later are picked
 * up; they should be complete when they do (written elsewhere and renamed), unless `follow` is set.
 * A file that was read to its end is finished: it has no descriptor, no memory but its name, and is
 * not fetched again. One that became shorter, or went away before its end, is LEAT_E_LOST; who goes
 * on all the same finds what there still is, and of a file that is followed its new beginning.
 *
 * Where the format frames its files itself (data/container.h) positions count the records of a
 * file, and it says what a block is. Such a file is not compressed as a whole.
 *
 * With `select: new` or `recent` a file belongs to the batch of its time (file_select.h). It is at
 * ALL_READ then, too, when it was read, whatever it is; one that is not the one any more that was
 * selected when it is opened was none, and one that is not any more when it is read on is lost.
 *
 * A line that is longer than the source's max_record is delivered cut to one byte more, so that it
 * is an error of that record only. Fetching reads bytes and cuts them behind a line end; workers
 * find the lines. Thread: job. A fetch is answered before it returns: local files are quick enough,
 * and those of HDFS (file_place.h) hold the job up until it has answered, or the job is to stop.
 */
#include "file_lines.h"
#include "file_list.h"
#include "file_place.h"
#include "file_reader.h"
#include "file_select.h"

#define READERS       32
#define ALL_READ      (INT64_C(1) << 62)
#define LINE_MAX_ROOM ((size_t)1 << 28) /* where there is no max_record */
#define USUAL_LINE    512 /* of so many lines a fetch with max_rows reads the bytes at once */
#define SKIP_BYTES    ((size_t)64 * 1024)
#define GROWTH        8   /* of the room for a line that did not fit */
#define SKIPS_MAX     256 /* pieces of a far too long line that one fetch passes over */

enum { SELECT_ALL, SELECT_NEW, SELECT_RECENT };
static const char *const selections[] = {"all", "new", "recent", NULL};

struct files {
    const char *path;
    bool follow;
    struct leat_choice select;
    struct leat_duration remember;

    const struct leat_env *env;
    struct file_list list;
    struct file_select selecting;
    struct file_reader readers[READERS];
    uint64_t uses;
};

static const struct leat_opt options[] = {
    LEAT_OPT(struct files, path, .place = true,
             .help =
                 "File, directory or pattern (* ? [a-z]) of the files to read; names that start "
                 "with . or _ or end in .tmp or ._COPYING_ are passed over. May begin with "
                 "hdfs://namenode:9870/."),
    LEAT_OPT(struct files, follow, .def = "false",
             .help = "Whether files are still written: their last line then waits for its end."),
    LEAT_OPT(struct files, select, .def = "all", .choices = selections,
             .help =
                 "all: every file, as soon as it is seen. new: each file in the batch of the "
                 "time of its last change, if that is later than the pipeline's first start. "
                 "recent: the same with those of the time of `remember` before. Between all and "
                 "the others files go by other names: a pipeline that has run and changes "
                 "from one to the other reads again what it then selects."),
    LEAT_OPT(struct files, remember, .def = "1m", .min = 1,
             .help =
                 "With select: new or recent, a file that is seen so long after its last change "
                 "is not read any more, and another one of its name not within so long."),
    {0},
};

static bool is_selecting(const void *self)
{
    return ((const struct files *)self)->select.index != SELECT_ALL;
}

static enum leat_status files_check(const void *self, struct leat_error *err)
{
    if (((const struct files *)self)->follow && is_selecting(self))
        return leat_fail(err, LEAT_E_CONFIG,
                         "follow: true is for files that are still written; with `select` they "
                         "are complete when they are seen");
    return LEAT_OK;
}

static enum leat_status files_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    struct files *f = self;

    f->env = env;
    if (file_list_init(&f->list, env, f->path, err) != LEAT_OK)
        return err->status;
    f->list.by_change = is_selecting(f);
    f->selecting.list = &f->list;
    f->selecting.new_only = f->select.index == SELECT_NEW;
    f->selecting.remember_ms = f->remember.ms;
    return LEAT_OK;
}

/* Not where the position is a place in the file; those are opened anywhere. */
static bool is_sequential(const struct files *f, const char *path)
{
    return f->env->container ||
           leat_compression_of_path(leat_slice_str(path)) != LEAT_COMPRESSION_NONE;
}

/* ---- files of ticks */

struct naming {
    const struct files *files;
    void (*each)(void *arg, const struct leat_part *p);
    void *arg;
};

static void name_part(void *arg, uint32_t number)
{
    const struct naming *n = arg;

    n->each(n->arg, &(struct leat_part){.id = number,
                                        .name = leat_slice_str(n->files->list.files[number].name),
                                        .end = -1,
                                        .number = (int32_t)number});
}

static enum leat_status files_known(void *self, struct leat_slice name, int64_t next,
                                    struct leat_error *err)
{
    struct files *f = self;

    return file_select_known(&f->selecting, name, next == ALL_READ, err);
}

static enum leat_status files_due(void *self, const struct leat_ticks *ticks, int64_t *time_ms,
                                  struct leat_error *err)
{
    struct files *f = self;

    return file_select_due(&f->selecting, ticks, time_ms, err);
}

static enum leat_status files_take(void *self, int64_t time_ms,
                                   void (*each)(void *arg, const struct leat_part *p), void *arg,
                                   struct leat_error *err)
{
    struct files *f = self;
    struct naming n = {f, each, arg};

    return file_select_take(&f->selecting, time_ms, name_part, &n, err);
}

/* ---- all files */

static enum leat_status files_partitions(void *self,
                                         void (*each)(void *arg, const struct leat_part *p),
                                         void *arg, struct leat_error *err)
{
    struct files *f = self;
    struct naming n = {f, each, arg};
    struct stat st;
    uint32_t i;

    for (i = 0; i < f->selecting.unread_count; i++)
        name_part(&n, f->selecting.unread[i]);
    if (is_selecting(f))
        return LEAT_OK;
    if (file_list_refresh(&f->list, &i, err) != LEAT_OK)
        return err->status;
    for (; i < f->list.count; i++) {
        const char *path = f->list.files[i].path;
        bool plain = !is_sequential(f, path);
        int64_t length = plain && file_place_stat(f->env->fs, path, &st) == 0 ? st.st_size : -1;
        each(arg, &(struct leat_part){.id = i,
                                      .name = leat_slice_str(path),
                                      .end = length < 0 ? -1 : length,
                                      .finished = length >= 0 && !f->follow,
                                      .in_turn = !plain && !f->follow,
                                      .number = (int32_t)i});
    }
    return LEAT_OK;
}

/* ---- readers: a few stay open, so that a long file is not opened for every fetch. More than
 * there are readers are under way only where opening again is cheap, or where `follow` waits. */

static void close_reader(struct files *f, struct file_reader *r)
{
    if (r->container)
        f->env->container->close(r->container);
    r->container = NULL;
    file_reader_close(r);
}

/* To make room: free ones, then those that are opened again at no cost, then the others. */
static bool comes_first(const struct file_reader *a, const struct file_reader *b)
{
    bool a_costs = a->path && (a->container || a->compression != LEAT_COMPRESSION_NONE),
         b_costs = b->path && (b->container || b->compression != LEAT_COMPRESSION_NONE);

    return a_costs == b_costs ? a->used < b->used : b_costs;
}

static enum leat_status get_reader(struct files *f, uint32_t part, struct file_reader **reader,
                                   struct leat_error *err)
{
    struct file_reader *oldest = &f->readers[0];

    for (struct file_reader *r = f->readers; r < f->readers + READERS; r++) {
        if (r->path && r->part == part) {
            r->used = ++f->uses;
            *reader = r;
            return LEAT_OK;
        }
        if (comes_first(r, oldest))
            oldest = r;
    }
    close_reader(f, oldest);
    if (file_reader_open(oldest, f->env->fs, f->list.files[part].path, err) != LEAT_OK)
        return err->status;
    oldest->part = part;
    if (f->env->container) {
        oldest->compression = LEAT_COMPRESSION_NONE;
        oldest->container = f->env->container->open(f->env->container_self, f->env);
        if (!oldest->container) {
            close_reader(f, oldest);
            return leat_fail(err, LEAT_E_NOMEM, "out of memory");
        }
    }
    oldest->used = ++f->uses;
    *reader = oldest;
    return LEAT_OK;
}

static void drop_reader(struct files *f, uint32_t part)
{
    for (struct file_reader *r = f->readers; r < f->readers + READERS; r++)
        if (r->path && r->part == part)
            close_reader(f, r);
}

/* ---- one fetch */

/* How many of the bytes are whole lines. */
static size_t whole_lines(const struct files *f, struct leat_slice bytes, bool at_end)
{
    const char *last = bytes.len ? memrchr(bytes.ptr, '\n', bytes.len) : NULL;

    if (at_end && !f->follow)
        return bytes.len;
    return last ? (size_t)(last - bytes.ptr) + 1 : 0;
}

static size_t max_record(const struct files *f)
{
    int64_t bytes = f->env->max_record_bytes;

    return bytes > 0 && bytes < (int64_t)LINE_MAX_ROOM ? (size_t)bytes : LINE_MAX_ROOM;
}

static enum leat_status empty_block(struct files *f, int64_t from, int64_t to,
                                    struct leat_block **block, struct leat_error *err)
{
    if (leat_block_new(f->env->budget, &leat_coding_lines, 0, block, err) != LEAT_OK)
        return err->status;
    (*block)->from = from;
    leat_block_seal(*block, to);
    return LEAT_OK;
}

/* Lines from `from` on; none when the first one is longer than room. */
static enum leat_status read_lines(struct files *f, struct file_reader *r,
                                   const struct leat_fetch *fetch, size_t room,
                                   struct leat_block **block, struct leat_error *err)
{
    int64_t from = fetch->from;
    struct leat_block *b;
    size_t n;

    if (leat_block_new(f->env->budget, &leat_coding_lines, room, &b, err) != LEAT_OK)
        return err->status;
    char *bytes = leat_block_buffer(b);
    enum leat_status status = file_reader_read(r, from, bytes, room, &n, err);
    if (status == LEAT_OK) {
        b->from = from;
        b->at_end = n < room;
        size_t whole = whole_lines(f, (struct leat_slice){bytes, n}, b->at_end);
        b->bytes = file_lines_take(bytes, whole, fetch->max_rows, &b->rows_hint);
        b->at_end = b->at_end && b->bytes.len == whole;
        struct leat_slice rest = {bytes + b->bytes.len, n - b->bytes.len};
        status = file_reader_put_back(r, rest, err);
    }
    if (status != LEAT_OK) {
        leat_block_unref(b);
        return status;
    }
    leat_block_seal(b, from + (int64_t)b->bytes.len);
    *block = b;
    return LEAT_OK;
}

/* The beginning of a line that is too long, as a record of its own; the rest will be skipped. */
static enum leat_status read_beginning(struct files *f, struct file_reader *r, int64_t from,
                                       struct leat_block **block, struct leat_error *err)
{
    size_t n, len = max_record(f) + 1;
    struct leat_block *b;
    char *bytes = leat_mem_alloc(len);

    if (!bytes)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    enum leat_status status = file_reader_read(r, from, bytes, len, &n, err);
    if (status == LEAT_OK)
        status = leat_block_new(f->env->budget, &leat_coding_framed, LEAT_FRAME_BYTES + n, &b, err);
    if (status == LEAT_OK) {
        const struct leat_row row = {
            .value = {bytes, n}, .time_ms = LEAT_NO_TIME, .position = from};
        b->from = from;
        leat_block_append(b, &row);
        r->skip_from = from + (int64_t)n;
        leat_block_seal(b, r->skip_from);
        *block = b;
    }
    leat_mem_free(bytes);
    return status;
}

/* Pass over the rest of that line, or a good piece of it: a block without rows. */
static enum leat_status skip_line(struct files *f, struct file_reader *r, int64_t from,
                                  struct leat_block **block, struct leat_error *err)
{
    char bytes[SKIP_BYTES];
    int64_t to = from;
    bool found = false, at_end = false;
    size_t n;

    for (int i = 0; i < SKIPS_MAX && !found && !at_end; i++) {
        if (file_reader_read(r, to, bytes, sizeof bytes, &n, err) != LEAT_OK)
            return err->status;
        const char *end = n ? memchr(bytes, '\n', n) : NULL;
        size_t len = end ? (size_t)(end - bytes) + 1 : n;
        found = end != NULL;
        at_end = n < sizeof bytes && !found;
        to += (int64_t)len;
        if (file_reader_put_back(r, (struct leat_slice){bytes + len, n - len}, err) != LEAT_OK)
            return err->status;
    }
    r->skip_from = found || (at_end && !f->follow) ? -1 : to;
    if (empty_block(f, from, to, block, err) != LEAT_OK)
        return err->status;
    (*block)->at_end = at_end;
    return LEAT_OK;
}

static enum leat_status read_bytes(void *arg, int64_t at, char *into, size_t room, size_t *n,
                                   struct leat_error *err)
{
    return file_reader_read(arg, at, into, room, n, err);
}

static enum leat_status read_container(struct files *f, struct file_reader *r,
                                       const struct leat_fetch *fetch, struct leat_block **block,
                                       struct leat_error *err)
{
    const struct leat_container_file file = {r->path, read_bytes, r};

    return f->env->container->fetch(r->container, &file, fetch->from, fetch->max_bytes,
                                    fetch->max_rows, !f->follow, block, err);
}

static enum leat_status read_some(struct files *f, struct file_reader *r,
                                  const struct leat_fetch *fetch, struct leat_block **block,
                                  struct leat_error *err)
{
    size_t room = fetch->max_bytes ? fetch->max_bytes : 1, line = max_record(f) + 2;
    size_t usual = (size_t)fetch->max_rows * USUAL_LINE;
    int64_t left;

    room = usual && usual < room ? usual : room;
    if (r->container)
        return read_container(f, r, fetch, block, err);
    if (file_reader_left(r, fetch->from, &left, err) != LEAT_OK)
        return err->status;
    if (r->skip_from == fetch->from)
        return skip_line(f, r, fetch->from, block, err);
    if (left >= 0 && (uint64_t)left < room)
        room = (size_t)left + 1; /* one more, to see that it is the end */
    if (left >= 0 && (uint64_t)left + 1 < line)
        line = (size_t)left + 1;
    for (;;) {
        if (read_lines(f, r, fetch, room, block, err) != LEAT_OK)
            return err->status;
        if ((*block)->bytes.len || (*block)->at_end)
            return LEAT_OK;
        leat_block_unref(*block); /* one line is longer than that */
        *block = NULL;
        if (room >= line)
            break;
        room = room < line / GROWTH ? room * GROWTH : line;
    }
    return read_beginning(f, r, fetch->from, block, err);
}

/* At the end of a file that nobody writes any more. */
static void finish(struct files *f, struct file_reader *r, struct leat_block *b)
{
    if (r->compression != LEAT_COMPRESSION_NONE || r->container || is_selecting(f))
        b->to = ALL_READ;
    b->finished = true;
    close_reader(f, r);
}

static enum leat_status nothing_more(struct files *f, const struct leat_fetch *fetch,
                                     struct leat_block **block, struct leat_error *err)
{
    int64_t to = is_selecting(f) ? ALL_READ : fetch->from;

    if (empty_block(f, fetch->from, to, block, err) != LEAT_OK)
        return err->status;
    (*block)->at_end = (*block)->finished = true;
    return LEAT_OK;
}

/* It has lost nothing, and is the file that was selected. */
static enum leat_status check_file(struct files *f, struct file_reader *r,
                                   const struct leat_fetch *fetch, struct leat_error *err)
{
    struct listed_file *file = &f->list.files[fetch->part];

    if (file_reader_check(r, &file->most, err) != LEAT_OK)
        return err->status;
    if (!is_selecting(f) || r->changed_ms == file->changed_ms)
        return LEAT_OK;
    return leat_fail(err, LEAT_E_LOST, "'%s' was changed when it was read up to position %lld",
                     r->path, (long long)fetch->from);
}

/* What a file lost while it was read, unseen, its end would hide. */
static enum leat_status read_checked(struct files *f, struct file_reader *r,
                                     const struct leat_fetch *fetch, struct leat_block **block,
                                     struct leat_error *err)
{
    if (fetch->earliest)
        f->list.files[fetch->part].most = 0;
    if (check_file(f, r, fetch, err) != LEAT_OK || read_some(f, r, fetch, block, err) != LEAT_OK)
        return err->status;
    if (!(*block)->at_end || check_file(f, r, fetch, err) == LEAT_OK)
        return LEAT_OK;
    leat_block_unref(*block);
    *block = NULL;
    return err->status;
}

/* Selected, and not there any more when it is opened: as if it had never been seen. What has taken
 * its place will be. */
static enum leat_status pass_over(struct files *f, const struct leat_fetch *fetch,
                                  struct leat_block **block, struct leat_error *err)
{
    struct listed_file *file = &f->list.files[fetch->part];

    leat_warn(f->env->log, "'%s' went away or was changed before it was read; it is passed over",
              file->path);
    drop_reader(f, fetch->part);
    file->selected_ms = 0;
    f->list.listed_ms = 0; /* look again */
    return nothing_more(f, fetch, block, err);
}

static enum leat_status fetch_open(struct files *f, const struct leat_fetch *fetch,
                                   struct leat_block **block, struct leat_error *err)
{
    struct listed_file *file = &f->list.files[fetch->part];
    struct file_reader *r = NULL;

    if (get_reader(f, fetch->part, &r, err) != LEAT_OK) {
        file->gone = err->status == LEAT_E_LOST;
        return file->gone && is_selecting(f) && fetch->from == 0 ? pass_over(f, fetch, block, err)
                                                                 : err->status;
    }
    enum leat_status status = read_checked(f, r, fetch, block, err);
    if (status == LEAT_E_LOST && is_selecting(f) && fetch->from == 0 &&
        r->changed_ms != file->changed_ms)
        return pass_over(f, fetch, block, err);
    if (status != LEAT_OK) {
        if (err->status != LEAT_E_FULL) /* else it goes on from there when there is room */
            drop_reader(f, fetch->part);
        return err->status;
    }
    if ((*block)->at_end && !f->follow)
        finish(f, r, *block);
    return LEAT_OK;
}

static enum leat_status fetch_block(struct files *f, const struct leat_fetch *fetch,
                                    struct leat_block **block, struct leat_error *err)
{
    struct leat_fetch again = *fetch;
    enum leat_status status;

    if (fetch->from == ALL_READ || f->list.files[fetch->part].gone)
        status = nothing_more(f, fetch, block, err);
    else
        status = fetch_open(f, fetch, block, err);
    again.from = 0;
    if (status == LEAT_E_LOST && fetch->earliest && f->follow && fetch->from)
        status = fetch_open(f, &again, block, err);
    else if (status == LEAT_E_LOST && fetch->earliest)
        status = nothing_more(f, fetch, block, err);
    if (status == LEAT_OK)
        (*block)->part = fetch->part;
    return status;
}

static void files_fetch(void *self, const struct leat_fetch *fetch, leat_fetch_done *done,
                        void *arg)
{
    struct files *f = self;
    struct leat_error err = {0};
    struct leat_block *b = NULL;

    if (fetch->part >= f->list.count)
        leat_fail(&err, LEAT_E_LOST, "there is no file of number %u", fetch->part);
    else if (fetch_block(f, fetch, &b, &err) == LEAT_OK)
        err.status = LEAT_OK;
    done(arg, fetch, b, &err);
}

static void files_lost(void *self, uint32_t part)
{
    drop_reader(self, part);
}

static void files_close(void *self)
{
    struct files *f = self;

    for (struct file_reader *r = f->readers; r < f->readers + READERS; r++)
        close_reader(f, r);
    file_select_fini(&f->selecting);
    file_list_fini(&f->list);
}

static const struct leat_by_tick by_tick = {
    .used = is_selecting,
    .known = files_known,
    .due = files_due,
    .take = files_take,
};

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "files",
    .summary = "reads text files, one record per line, or what the format frames itself: Avro's "
               "containers, Hadoop's SequenceFiles, records of one length",
    .usual_format = "text",
    .by_lines = true,
    .containers = true,
    .of_files = true,
    .self_size = sizeof(struct files),
    .opts = options,
    .check = files_check,
    .pull =
        &(const struct leat_pull){
            .by_time = true,
            .by_tick = &by_tick,
            .open = files_open,
            .partitions = files_partitions,
            .fetch = files_fetch,
            .lost = files_lost,
            .close = files_close,
        },
};

LEAT_MODULE(module);
