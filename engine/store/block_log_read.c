/*
 * block_log_read.c - what the block store has: at its opening, and by position.
 *
 * Partitions are read in order, so each remembers where it stopped; only who begins elsewhere looks
 * through the segments from the oldest on.
 */
#include "base/crc32c.h"
#include "store/block_log_in.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define SUFFIX ".leatblk"
#define PICKS  64 /* blocks that become one */
#define FIRST  ((int64_t)LEAT_LOG_MAGIC_BYTES)

static enum leat_status damaged(const char *path, int64_t at, struct leat_error *err)
{
    return leat_fail(err, LEAT_E_CORRUPT,
                     "'%s' is damaged at byte %" PRId64 "; put back a copy that is whole, or take "
                     "the file away: the records in it are lost then",
                     path, at);
}

/* ---- opening */

struct listing {
    struct leat_block_log *log;
    bool no_memory;
};

static void note_name(const char *name, void *arg)
{
    struct listing *l = arg;
    char *end;
    uint64_t first = strtoull(name, &end, 10);

    if (first && end == name + 20 && strcmp(end, SUFFIX) == 0 &&
        !block_add_segment(l->log, first, 0))
        l->no_memory = true;
}

static int compare(const void *a, const void *b)
{
    const struct block_segment *x = a, *y = b;

    return (x->first > y->first) - (x->first < y->first);
}

static enum leat_status list(struct leat_block_log *log, struct leat_error *err)
{
    struct listing l = {.log = log};
    int e = log->fs->each(log->fs, log->dir, note_name, &l);

    if (e < 0)
        return leat_fs_failed(err, e, "list", log->dir);
    if (l.no_memory)
        return leat_fail(err, LEAT_E_NOMEM, "no memory for the names of the store's segments");
    if (log->count)
        qsort(log->segments, log->count, sizeof *log->segments, compare);
    return LEAT_OK;
}

/* The segment before this one is not there: what it had would be read again, were it not done. */
static void note_gap(struct leat_block_log *log, const struct leat_block_front *f)
{
    for (uint32_t i = 0; i < f->places_count; i++) {
        const struct leat_block_place *at = &f->places[i];
        int64_t from = log->parts[at->part].next;
        if (at->next > from && at->next > at->done) {
            log->gap_from[at->part] = from > at->done ? from : at->done;
            log->gap_to[at->part] = at->next;
        }
    }
}

static enum leat_status take_frame(struct leat_block_log *log, struct block_segment *s,
                                   const struct leat_log_frame *frame, struct leat_error *err)
{
    struct leat_block_front f;
    bool first = frame->at == FIRST;

    if (!leat_block_front_read((struct leat_slice){frame->payload.ptr, frame->front_bytes}, &f) ||
        frame->n != (first ? s->first : log->n + 1) || (first && f.blocks_count))
        return damaged(log->scan_path, frame->at, err);
    if (first && frame->n != log->n + 1)
        note_gap(log, &f);
    for (uint32_t i = 0; i < f.blocks_count; i++)
        if (f.blocks[i].from < log->parts[f.blocks[i].part].next)
            return damaged(log->scan_path, frame->at, err);
    block_note(log, s, &f);
    log->n = frame->n;
    s->bytes = frame->end;
    s->head_bytes = first ? frame->end : s->head_bytes;
    return LEAT_OK;
}

static void forget_scan(struct leat_block_log *log)
{
    leat_log_scan_end(&log->scan);
    log->scanned = 0;
}

void block_forget_read(struct leat_block_log *log)
{
    forget_scan(log);
    memset(log->cursors, 0, sizeof log->cursors);
}

static enum leat_status look_into(struct leat_block_log *log, uint64_t first,
                                  struct leat_error *err)
{
    if (log->scanned == first)
        return LEAT_OK;
    forget_scan(log);
    if (block_path(log, first, log->scan_path, err) != LEAT_OK ||
        leat_log_scan_begin_blocks(&log->scan, log->fs, log->scan_path, err) != LEAT_OK)
        return err->status;
    log->scanned = first;
    return LEAT_OK;
}

/* Only the last frame of all may be torn: nobody was told of it. */
static enum leat_status take_segment(struct leat_block_log *log, struct block_segment *s, bool last,
                                     struct leat_error *err)
{
    struct leat_log_frame frame;

    if (look_into(log, s->first, err) != LEAT_OK)
        return err->status;
    for (;;) {
        if (leat_log_scan_next(&log->scan, last ? LEAT_LOG_WANT_ALL : LEAT_LOG_WANT_FRONT, &frame,
                               err) != LEAT_OK)
            return err->status;
        bool torn = frame.kind == LEAT_LOG_TORN;
        if (frame.at == FIRST ? frame.kind != LEAT_LOG_BLOCKS : torn && !last)
            return damaged(log->scan_path, frame.at, err);
        if (frame.kind != LEAT_LOG_BLOCKS) {
            log->torn = torn ? log->scan.bytes - frame.at : 0;
            return LEAT_OK;
        }
        if (take_frame(log, s, &frame, err) != LEAT_OK)
            return err->status;
    }
}

enum leat_status block_take_in(struct leat_block_log *log, struct leat_error *err)
{
    const struct leat_fs *fs = log->fs;

    if (list(log, err) != LEAT_OK)
        return err->status;
    for (size_t i = 0; i < log->count; i++)
        if (take_segment(log, &log->segments[i], i + 1 == log->count, err) != LEAT_OK)
            return err->status;
    memset(log->moved, 0, sizeof log->moved);
    if (!log->count)
        return LEAT_OK;
    forget_scan(log); /* its length is that of the file, with what is cut */
    const struct block_segment *last = &log->segments[log->count - 1];
    if (block_path(log, last->first, log->path, err) != LEAT_OK)
        return err->status;
    int e = log->torn ? fs->truncate(fs, log->path, last->bytes) : 0;
    if (e < 0)
        return leat_fs_failed(err, e, "cut", log->path);
    log->fd = fs->append(fs, log->path);
    if (log->fd < 0)
        return leat_fs_failed(err, log->fd, "open", log->path);
    if (log->torn && (e = fs->sync(fs, log->fd)) < 0)
        return leat_fs_sync_failed(err, e, log->path);
    return LEAT_OK;
}

/* ---- reading */

struct pick {
    struct leat_block_entry entry;
    int64_t at; /* of its bytes, in the segment */
};

struct picks {
    struct pick list[PICKS];
    uint32_t count;
    size_t bytes;
    uint64_t rows;
    struct block_cursor behind;
};

static const struct block_segment *find_segment(const struct leat_block_log *log, uint64_t first,
                                                const struct block_segment **next)
{
    for (size_t i = 0; i < log->count; i++)
        if (log->segments[i].first == first) {
            *next = i + 1 < log->count ? &log->segments[i + 1] : NULL;
            return &log->segments[i];
        }
    return NULL;
}

static bool goes_beyond(const struct leat_fetch *fetch, const struct picks *picks,
                        const struct leat_block_entry *e)
{
    return picks->bytes + e->bytes > fetch->max_bytes ||
           (fetch->max_rows && picks->rows + e->rows > fetch->max_rows);
}

/* Those blocks of the frame that are wanted. False: there is no place for another. */
static bool pick_some(const struct leat_fetch *fetch, const struct leat_log_frame *frame,
                      const struct leat_block_front *f, uint32_t from, struct picks *picks)
{
    for (uint32_t i = from; i < f->blocks_count; i++) {
        const struct leat_block_entry *e = &f->blocks[i];
        if (e->part != fetch->part || e->to <= fetch->from)
            continue;
        if (picks->count == PICKS || (picks->count && goes_beyond(fetch, picks, e))) {
            picks->behind.at = frame->at;
            picks->behind.entry = i;
            return false;
        }
        picks->rows += e->rows;
        picks->list[picks->count++] = (struct pick){
            *e, frame->at + (int64_t)(LEAT_LOG_HEAD_BYTES + frame->front_bytes + e->at)};
        picks->bytes += e->bytes;
        picks->behind.position = e->to;
    }
    picks->behind.at = frame->end;
    picks->behind.entry = 0;
    return true;
}

/* From the cursor on, within a segment. */
static enum leat_status pick(struct leat_block_log *log, const struct block_segment *s,
                             const struct leat_fetch *fetch, struct picks *picks,
                             struct leat_error *err)
{
    struct leat_log_frame frame;
    struct leat_block_front f;
    bool more = true;

    if (look_into(log, s->first, err) != LEAT_OK)
        return err->status;
    log->scan.bytes = s->bytes;
    while (more && picks->behind.at < s->bytes) {
        uint32_t entry = picks->behind.entry;
        log->scan.at = picks->behind.at;
        if (leat_log_scan_next(&log->scan, LEAT_LOG_WANT_FRONT, &frame, err) != LEAT_OK)
            return err->status;
        if (frame.kind != LEAT_LOG_BLOCKS ||
            !leat_block_front_read((struct leat_slice){frame.payload.ptr, frame.front_bytes}, &f))
            return damaged(log->scan_path, picks->behind.at, err);
        more = pick_some(fetch, &frame, &f, entry, picks);
    }
    return LEAT_OK;
}

static enum leat_status pick_anywhere(struct leat_block_log *log, const struct leat_fetch *fetch,
                                      struct picks *picks, struct leat_error *err)
{
    const struct block_segment *next = NULL, *s;

    *picks = (struct picks){.behind = log->cursors[fetch->part]};
    s = find_segment(log, picks->behind.segment, &next);
    if (!s || picks->behind.position != fetch->from) {
        s = log->count ? &log->segments[0] : NULL;
        next = log->count > 1 ? &log->segments[1] : NULL;
        picks->behind = (struct block_cursor){s ? s->first : 0, FIRST, 0, fetch->from};
    }
    while (s) {
        if (pick(log, s, fetch, picks, err) != LEAT_OK)
            return err->status;
        if (picks->count || !next)
            return LEAT_OK;
        picks->behind.segment = next->first;
        picks->behind.at = FIRST;
        picks->behind.entry = 0;
        s = find_segment(log, next->first, &next);
    }
    return LEAT_OK;
}

/* The rows of one block of the store onto the end of the other. */
static enum leat_status put_rows(struct leat_block_log *log, const struct pick *p,
                                 struct leat_block *into, struct leat_error *err)
{
    struct leat_slice rest;
    struct leat_row row;

    if (leat_log_scan_bytes(&log->scan, p->at, p->entry.bytes, &rest, err) != LEAT_OK)
        return err->status;
    if (leat_crc32c(rest) != p->entry.crc)
        return damaged(log->scan_path, p->at, err);
    while (rest.len) {
        if (!leat_framed_take(&rest, p->entry.from, &row) || row.position >= p->entry.to)
            return damaged(log->scan_path, p->at, err);
        if (row.position >= into->from && !leat_block_append(into, &row))
            return damaged(log->scan_path, p->at, err);
    }
    return LEAT_OK;
}

static enum leat_status make_block(struct leat_block_log *log, const struct leat_fetch *fetch,
                                   const struct picks *picks, struct leat_budget *budget,
                                   struct leat_block **block, struct leat_error *err)
{
    struct leat_block *b;

    if (leat_block_new(budget, &leat_coding_framed, picks->bytes, &b, err) != LEAT_OK)
        return err->status;
    b->part = fetch->part;
    b->from = fetch->from;
    for (uint32_t i = 0; i < picks->count; i++)
        if (put_rows(log, &picks->list[i], b, err) != LEAT_OK) {
            leat_block_unref(b);
            return err->status;
        }
    leat_block_seal(b, picks->behind.position);
    *block = b;
    return LEAT_OK;
}

enum leat_status leat_block_log_read(struct leat_block_log *log, const struct leat_fetch *fetch,
                                     struct leat_budget *budget, struct leat_block **block,
                                     struct leat_error *err)
{
    struct leat_block_part *part = &log->parts[fetch->part];
    struct picks picks;

    *block = NULL;
    if (fetch->from < part->oldest && !fetch->earliest)
        return leat_fail(err, LEAT_E_LOST,
                         "row %" PRId64 " is not in the store '%s' any more: the first that it "
                         "has is %" PRId64,
                         fetch->from, log->dir, part->oldest);
    if (pick_anywhere(log, fetch, &picks, err) != LEAT_OK)
        return err->status;
    if (picks.count == 0) {
        log->cursors[fetch->part] = picks.behind; /* others' blocks need not be looked at again */
        part->unread = 0;
        return LEAT_OK;
    }
    if (make_block(log, fetch, &picks, budget, block, err) != LEAT_OK)
        return err->status;
    log->cursors[fetch->part] = picks.behind;
    part->unread -= picks.bytes < part->unread ? picks.bytes : part->unread;
    (*block)->at_end = (*block)->to == part->next;
    if ((*block)->at_end)
        part->unread = 0;
    return LEAT_OK;
}
