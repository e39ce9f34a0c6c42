#include "data/container_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DAMAGE_BYTES 65536 /* of what is damaged, as the value of its row */
#define ROOM_FIRST   ((size_t)64 * 1024)

/* ---- the bytes of the file */

void *leat_container_reader_open(const struct leat_container_kind *kind, const void *self,
                                 const struct leat_env *env, const struct leat_coding *coding)
{
    struct leat_container_reader *r = leat_mem_alloc(kind->size);

    if (!r)
        return NULL;
    r->window = leat_mem_alloc_raw(LEAT_CONTAINER_WINDOW);
    if (!r->window) {
        leat_mem_free(r);
        return NULL;
    }
    r->kind = kind;
    r->self = self;
    r->coding = coding;
    r->budget = env->budget;
    r->damage_bytes = env->max_record_bytes > 0 && env->max_record_bytes < DAMAGE_BYTES
                          ? (uint32_t)env->max_record_bytes
                          : DAMAGE_BYTES;
    return r;
}

void leat_container_reader_close(void *reader)
{
    struct leat_container_reader *r = reader;

    if (!r)
        return;
    leat_mem_free(r->window);
    leat_mem_free(r);
}

enum leat_status leat_container_look(struct leat_container_reader *r, int64_t at, size_t n,
                                     struct leat_slice *bytes, struct leat_error *err)
{
    int64_t behind = r->window_at + (int64_t)r->window_len;

    if (at < r->window_at || at > behind || (size_t)(behind - at) < n) {
        r->window_len = 0;
        r->window_at = at;
        if (r->file.read(r->file.arg, at, r->window, LEAT_CONTAINER_WINDOW, &r->window_len, err) !=
            LEAT_OK) {
            r->window_len = 0;
            return err->status;
        }
    }
    size_t skip = (size_t)(at - r->window_at), there = r->window_len - skip;
    *bytes = (struct leat_slice){r->window + skip, there < n ? there : n};
    return LEAT_OK;
}

enum leat_status leat_container_mark(struct leat_container_reader *r, int64_t from, int64_t *at,
                                     bool *found, bool *at_end, struct leat_error *err)
{
    int64_t limit = from + (int64_t)LEAT_CONTAINER_STRETCH;
    size_t len = r->kind->mark_bytes;

    *found = *at_end = false;
    for (*at = from; *at < limit; *at += (int64_t)(LEAT_CONTAINER_WINDOW - len + 1)) {
        struct leat_slice bytes = {0};
        if (leat_container_look(r, *at, LEAT_CONTAINER_WINDOW, &bytes, err) != LEAT_OK)
            return err->status;
        const char *mark = bytes.len ? memmem(bytes.ptr, bytes.len, r->mark, len) : NULL;
        if (mark) {
            *at += mark - bytes.ptr;
            *found = true;
            return LEAT_OK;
        }
        if (bytes.len < LEAT_CONTAINER_WINDOW) {
            *at += (int64_t)bytes.len;
            *at_end = true;
            return LEAT_OK;
        }
    }
    return LEAT_OK;
}

enum leat_status leat_container_damaged(struct leat_container_reader *r, int64_t from,
                                        const char *why, struct leat_frame *frame,
                                        struct leat_error *err)
{
    bool found, at_end;
    int64_t end;

    if (leat_container_mark(r, from, &end, &found, &at_end, err) != LEAT_OK)
        return err->status;
    if (found && r->kind->mark_ends)
        end += (int64_t)r->kind->mark_bytes;
    *frame = (struct leat_frame){.kind = at_end && !r->whole ? LEAT_FRAME_WAIT : LEAT_FRAME_DAMAGED,
                                 .at = frame->at,
                                 .end = end,
                                 .count = 1,
                                 .why = why};
    return LEAT_OK;
}

static enum leat_status next_frame(struct leat_container_reader *r, int64_t at,
                                   struct leat_frame *frame, struct leat_error *err)
{
    struct leat_slice front = {0};

    *frame = (struct leat_frame){.kind = LEAT_FRAME_END, .at = at, .end = at};
    if (leat_container_look(r, at, r->kind->front_bytes, &front, err) != LEAT_OK)
        return err->status;
    return front.len ? r->kind->next(r, front, frame, err) : LEAT_OK;
}

/* ---- the header */

/* Longer than the window: rare, so its room is had only while it is read. */
static enum leat_status long_head(struct leat_container_reader *r, struct leat_error *err)
{
    size_t most = r->kind->head_bytes, n = 0;
    char *room = leat_mem_alloc_raw(most);

    if (!room)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    enum leat_status status = r->file.read(r->file.arg, 0, room, most, &n, err);
    if (status == LEAT_OK)
        status = r->kind->head(r, (struct leat_slice){room, n}, err);
    if (status == LEAT_E_FULL && n == most)
        status = leat_fail(err, LEAT_E_CORRUPT, "the header is longer than %zu MiB", most >> 20);
    leat_mem_free(room);
    return status;
}

static enum leat_status read_head(struct leat_container_reader *r, struct leat_error *err)
{
    struct leat_slice bytes = {0};

    if (leat_container_look(r, 0, LEAT_CONTAINER_WINDOW, &bytes, err) != LEAT_OK)
        return err->status;
    enum leat_status status = r->kind->head(r, bytes, err);
    if (status == LEAT_E_FULL && bytes.len == LEAT_CONTAINER_WINDOW)
        status = long_head(r, err);
    if (status == LEAT_E_FULL && r->whole)
        err->status = status = LEAT_E_CORRUPT;
    return status;
}

/* The end of a long path says more than its beginning. */
static void say_damage(const struct leat_container_reader *r, int64_t at, const char *why,
                       char text[LEAT_CONTAINER_WHY])
{
    const char *path = r->file.path;
    size_t len = strlen(path);

    snprintf(text, LEAT_CONTAINER_WHY, "%s: '%s%s', byte %" PRId64 ": %s", r->kind->name,
             len > 200 ? "..." : "", path + (len > 200 ? len - 200 : 0), at, why);
}

/* LEAT_E_FULL: there is no whole header yet. A header that cannot be used is noted: it is the error
 * of one record. */
static enum leat_status begin(struct leat_container_reader *r, struct leat_error *err)
{
    if (r->has_head)
        return LEAT_OK;
    enum leat_status status = read_head(r, err);
    if (status == LEAT_E_CORRUPT || status == LEAT_E_CONFIG) {
        say_damage(r, 0, err->text, r->why);
        r->is_broken = true;
        status = LEAT_OK;
    }
    if (status != LEAT_OK)
        return status;
    r->has_head = true;
    r->at = r->begin;
    return LEAT_OK;
}

/* ---- frames in a leat_block */

enum leat_status leat_container_room(struct leat_block **b, size_t bytes, struct leat_error *err)
{
    size_t need = (*b)->bytes.len + bytes;

    if (need <= (*b)->room)
        return LEAT_OK;
    return leat_block_grow(b, need > 2 * (*b)->room ? need : 2 * (*b)->room, err);
}

/* What is wrong, with some of the file's bytes there. */
static enum leat_status add_damage(struct leat_container_reader *r, struct leat_block **b,
                                   int64_t position, const struct leat_frame *frame,
                                   const char *text, struct leat_error *err)
{
    size_t at = (*b)->bytes.len, len = strlen(text) + 1, n = 0, front = r->kind->damage_front;
    size_t bytes = (size_t)(frame->end - frame->at);

    bytes = bytes < r->damage_bytes ? bytes : r->damage_bytes;
    if (leat_container_room(b, front + len + bytes, err) != LEAT_OK)
        return err->status;
    char *into = leat_block_buffer(*b) + at + front;
    memcpy(into, text, len);
    if (bytes && r->file.read(r->file.arg, frame->at, into + len, bytes, &n, err) != LEAT_OK)
        return err->status;
    (*b)->bytes.len = at + front + len + n;
    r->kind->damage(*b, at, position, frame->count, (uint32_t)len);
    return LEAT_OK;
}

static enum leat_status add_wrong(struct leat_container_reader *r, struct leat_block **b,
                                  const struct leat_frame *frame, const char *why,
                                  struct leat_error *err)
{
    char text[LEAT_CONTAINER_WHY];

    say_damage(r, frame->at, why, text);
    return add_damage(r, b, r->first, frame, text, err);
}

static enum leat_status add_frame(struct leat_container_reader *r, struct leat_block **b,
                                  int64_t from, const struct leat_frame *frame,
                                  struct leat_error *err)
{
    size_t before = (*b)->bytes.len;
    uint32_t rows = (*b)->rows_hint;

    if (frame->kind == LEAT_FRAME_DAMAGED)
        return add_wrong(r, b, frame, frame->why, err);
    if (frame->count == 0) /* it has no position for what is wrong with it */
        return LEAT_OK;
    enum leat_status status = r->kind->add(r, b, from, frame, err);
    if (status == LEAT_OK)
        return LEAT_OK;
    (*b)->bytes.len = before;
    (*b)->rows_hint = rows;
    if (status != LEAT_E_CORRUPT)
        return status;
    return r->first < from ? LEAT_OK : add_wrong(r, b, frame, err->text, err);
}

/* ---- fetching */

static bool has_bytes(const struct leat_frame *frame)
{
    return frame->kind <= LEAT_FRAME_DAMAGED;
}

static void step_over(struct leat_container_reader *r, const struct leat_frame *frame)
{
    r->first += frame->count;
    r->at = frame->end;
}

/* To the frame with position `from`, or to the end if that is where it will be. */
static enum leat_status go_to(struct leat_container_reader *r, int64_t from,
                              struct leat_frame *frame, struct leat_error *err)
{
    if (from < r->first) {
        r->first = 0;
        r->at = r->begin;
    }
    for (;;) {
        if (next_frame(r, r->at, frame, err) != LEAT_OK)
            return err->status;
        if (!has_bytes(frame))
            break;
        if (from < r->first + frame->count)
            return LEAT_OK;
        step_over(r, frame);
    }
    return from == r->first
               ? LEAT_OK
               : leat_fail(err, LEAT_E_LOST,
                           "'%s' has %" PRId64 " records, position %" PRId64 " is behind them",
                           r->file.path, r->first, from);
}

/* Frames from this one on, until there are enough bytes or rows. What does not fit into memory
 * comes with the next fetch, unless it is the first. */
static enum leat_status gather(struct leat_container_reader *r, struct leat_frame frame,
                               int64_t from, size_t max_bytes, uint32_t max_rows,
                               struct leat_block **b, struct leat_error *err)
{
    while (has_bytes(&frame)) {
        enum leat_status status = add_frame(r, b, from, &frame, err);
        if (status == LEAT_E_FULL && r->first > from)
            return LEAT_OK;
        if (status != LEAT_OK)
            return status;
        step_over(r, &frame);
        if ((*b)->bytes.len >= max_bytes || (max_rows && (*b)->rows_hint >= max_rows))
            return LEAT_OK;
        if (next_frame(r, r->at, &frame, err) != LEAT_OK)
            return err->status;
    }
    (*b)->at_end = true;
    return LEAT_OK;
}

/* All that there is of a file without a usable header: the error of one record. */
static enum leat_status fetch_broken(struct leat_container_reader *r, int64_t from,
                                     struct leat_block **b, struct leat_error *err)
{
    const struct leat_frame all = {.end = DAMAGE_BYTES, .count = 1};

    if (from == 0 && add_damage(r, b, 0, &all, r->why, err) != LEAT_OK)
        return err->status;
    (*b)->at_end = true;
    r->first = 1;
    return LEAT_OK;
}

static enum leat_status fill(struct leat_container_reader *r, int64_t from, size_t max_bytes,
                             uint32_t max_rows, struct leat_block **b, struct leat_error *err)
{
    struct leat_frame frame;

    if (r->is_broken)
        return fetch_broken(r, from, b, err);
    if (go_to(r, from, &frame, err) != LEAT_OK)
        return err->status;
    return gather(r, frame, from, max_bytes, max_rows, b, err);
}

enum leat_status leat_container_reader_fetch(void *reader, const struct leat_container_file *file,
                                             int64_t from, size_t max_bytes, uint32_t max_rows,
                                             bool whole, struct leat_block **block,
                                             struct leat_error *err)
{
    struct leat_container_reader *r = reader;
    struct leat_block *b = NULL;

    r->file = *file;
    r->whole = whole;
    enum leat_status status = begin(r, err);
    bool waits = status == LEAT_E_FULL; /* for the rest of the header */
    if (status != LEAT_OK && !waits)
        return status;
    if (leat_block_new(r->budget, r->coding, waits ? 0 : ROOM_FIRST, &b, err) != LEAT_OK)
        return err->status;
    b->from = from;
    b->at_end = waits;
    if (!waits && fill(r, from, max_bytes, max_rows, &b, err) != LEAT_OK) {
        leat_block_unref(b);
        return err->status;
    }
    leat_block_seal(b, r->first > from ? r->first : from);
    *block = b;
    return LEAT_OK;
}

enum leat_status leat_container_reader_whole(const struct leat_container_kind *kind,
                                             const void *self,
                                             const struct leat_container_file *file, int64_t *end,
                                             struct leat_error *err)
{
    struct leat_container_reader *r =
        leat_container_reader_open(kind, self, &(const struct leat_env){0}, NULL);
    struct leat_frame frame = {0};

    *end = 0;
    if (!r)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    r->file = *file;
    r->whole = true;
    enum leat_status status = read_head(r, err);
    for (int64_t at = r->begin; status == LEAT_OK && frame.kind < LEAT_FRAME_DAMAGED;
         at = frame.end) {
        status = next_frame(r, at, &frame, err);
        if (status == LEAT_OK && frame.kind == LEAT_FRAME_GOOD)
            *end = frame.end;
    }
    leat_container_reader_close(r);
    return status == LEAT_E_CORRUPT ? LEAT_OK : status; /* not even its header is whole */
}
