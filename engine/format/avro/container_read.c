/*
 * container_read.c - containers that are read: blocks of a file become pieces of a leat_block.
 *
 * The job's thread finds the blocks and unpacks them, workers find the records in them. A file is
 * read straight on; another position is gone to from the beginning, block by block, without
 * unpacking what lies before it.
 */
#include "container.h"

#include <inttypes.h>
#include <stdio.h>

#define FILES_SCHEMAS 1000                        /* different ones, of all files */
#define FILES_BYTES   ((size_t)256 * 1024 * 1024) /* that they take, read */
#define SCHEMA_ARENA  (64 * AVRO_SCHEMA_BYTES)
#define DAMAGE_BYTES  65536 /* of what is damaged, as the value of its row */
#define DAMAGE_TEXT   600
#define ROOM_FIRST    ((size_t)64 * 1024)

struct avro_files {
    const struct avro *avro;
    struct avro_written *written;
    uint32_t count;
    size_t bytes;
};

struct reader {
    const struct avro *avro;
    struct leat_budget *budget;
    uint32_t damage_bytes; /* that the row of a damage has at most */
    struct avro_frames frames;
    bool has_head, is_broken; /* no record of it can be read */
    char why[DAMAGE_TEXT];    /* is_broken */
    enum avro_codec codec;
    const struct avro_written *written;
    int64_t begin;     /* where the first block is */
    int64_t at, first; /* the next block, and the position of its first record */
};

/* Of blocks that have nothing but damage. */
static const struct avro_written nothing = {
    .coding = {.name = "avro container", .next = avro_rows_next}};

/* ---- schemas */

static void free_written(struct avro_written *w)
{
    leat_arena_reset(&w->made.arena);
    leat_mem_free(w);
}

static void end_files(void *arg)
{
    struct avro_files *files = arg;

    for (struct avro_written *w = files->written, *next; w; w = next) {
        next = w->next;
        free_written(w);
    }
}

struct avro_files *avro_files_new(const struct avro *a, struct leat_arena *arena)
{
    struct avro_files *files = leat_arena_alloc(arena, sizeof *files);

    if (!files || !leat_arena_on_reset(arena, end_files, files))
        return NULL;
    files->avro = a;
    return files;
}

enum leat_status avro_files_written(struct avro_files *files, struct leat_slice schema,
                                    const struct avro_written **written, struct leat_error *err)
{
    struct avro_written *w = files->written;

    while (w && !leat_slice_eq(w->text, schema))
        w = w->next;
    *written = w;
    if (w)
        return LEAT_OK;
    if (files->count == FILES_SCHEMAS || files->bytes >= FILES_BYTES)
        return leat_fail(err, LEAT_E_CONFIG, "there are more schemas than are kept: %u",
                         files->count);
    w = leat_mem_alloc(sizeof *w);
    if (!w)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    w->coding = nothing.coding;
    w->made.arena.cap = SCHEMA_ARENA;
    w->text = leat_arena_copy(&w->made.arena, schema);
    enum leat_status status =
        w->text.ptr ? avro_answer_prepare(&files->avro->target, w->text, &w->made, err)
                    : leat_arena_failed(&w->made.arena, err);
    if (status != LEAT_OK) {
        free_written(w);
        return status == LEAT_E_FULL ? leat_fail(err, LEAT_E_CONFIG, "its schema is too large")
                                     : status;
    }
    w->next = files->written;
    *written = w;
    files->written = w;
    files->count++;
    files->bytes += w->made.arena.bytes;
    return LEAT_OK;
}

/* ---- begin and end of a file */

static bool container_used(const void *self)
{
    return ((const struct avro *)self)->framing.index == AVRO_CONTAINER;
}

static void *container_open(const void *self, const struct leat_env *env)
{
    struct reader *r = leat_mem_alloc(sizeof *r);

    if (!r)
        return NULL;
    if (!avro_frames_init(&r->frames)) {
        leat_mem_free(r);
        return NULL;
    }
    r->avro = self;
    r->budget = env->budget;
    r->damage_bytes = env->max_record_bytes > 0 && env->max_record_bytes < DAMAGE_BYTES
                          ? (uint32_t)env->max_record_bytes
                          : DAMAGE_BYTES;
    return r;
}

static void container_close(void *reader)
{
    struct reader *r = reader;

    if (!r)
        return;
    avro_frames_fini(&r->frames);
    leat_mem_free(r);
}

/* The end of a long path says more than its beginning. */
static void say_damage(const struct reader *r, int64_t at, const char *why, char text[DAMAGE_TEXT])
{
    const char *path = r->frames.file.path;
    size_t len = strlen(path);

    snprintf(text, DAMAGE_TEXT, "Avro: '%s%s', byte %" PRId64 ": %s", len > 200 ? "..." : "",
             path + (len > 200 ? len - 200 : 0), at, why);
}

/* LEAT_E_FULL: there is no whole header yet. A header that cannot be used is noted: it is the error
 * of one record. */
static enum leat_status begin(struct reader *r, struct leat_error *err)
{
    struct leat_arena scratch = {0};
    struct avro_head head;

    if (r->has_head)
        return LEAT_OK;
    enum leat_status status = avro_frames_head(&r->frames, &scratch, &head, err);
    if (status == LEAT_OK)
        status = avro_files_written(r->avro->files, head.schema, &r->written, err);
    leat_arena_reset(&scratch);
    if (status == LEAT_E_CORRUPT || status == LEAT_E_CONFIG) {
        say_damage(r, 0, err->text, r->why);
        r->is_broken = true;
        status = LEAT_OK;
    }
    if (status != LEAT_OK)
        return status;
    r->has_head = true;
    r->codec = head.codec;
    r->begin = r->at = (int64_t)head.bytes;
    return LEAT_OK;
}

/* ---- pieces */

static enum leat_status room_for(struct leat_block **b, size_t bytes, struct leat_error *err)
{
    size_t need = (*b)->bytes.len + bytes;

    if (need <= (*b)->room)
        return LEAT_OK;
    return leat_block_grow(b, need > 2 * (*b)->room ? need : 2 * (*b)->room, err);
}

static enum leat_status new_block(const struct reader *r, int64_t from, size_t room,
                                  struct leat_block **b, struct leat_error *err)
{
    const struct leat_coding *coding = r->written ? &r->written->coding : &nothing.coding;

    if (leat_block_new(r->budget, coding, room, b, err) != LEAT_OK)
        return err->status;
    (*b)->from = from;
    (*b)->rows_hint = 0;
    return LEAT_OK;
}

/* What was appended to the block since `at` becomes a piece. */
static void put_piece(struct leat_block *b, size_t at, struct avro_piece p)
{
    p.bytes = (uint32_t)(b->bytes.len - at - sizeof p);
    memcpy(leat_block_buffer(b) + at, &p, sizeof p);
    b->rows_hint += p.damage ? 1 : p.count;
}

/* A piece that says what is wrong, and holds some of the file's bytes there. */
static enum leat_status add_damage(struct reader *r, struct leat_block **b, int64_t first,
                                   uint32_t count, const struct avro_frame *frame, const char *text,
                                   struct leat_error *err)
{
    size_t at = (*b)->bytes.len, len = strlen(text) + 1, n = 0;
    size_t bytes = (size_t)(frame->end - frame->at);

    bytes = bytes < r->damage_bytes ? bytes : r->damage_bytes;
    if (room_for(b, sizeof(struct avro_piece) + len + bytes, err) != LEAT_OK)
        return err->status;
    char *into = leat_block_buffer(*b) + at + sizeof(struct avro_piece);
    memcpy(into, text, len);
    const struct leat_container_file *file = &r->frames.file;
    if (bytes && file->read(file->arg, frame->at, into + len, bytes, &n, err) != LEAT_OK)
        return err->status;
    (*b)->bytes.len = at + sizeof(struct avro_piece) + len + n;
    put_piece(*b, at, (struct avro_piece){.first = first, .count = count, .damage = (uint32_t)len});
    return LEAT_OK;
}

/* As many records as can be in so many bytes? */
static bool is_possible(const struct avro_type *t, uint64_t count, uint64_t bytes)
{
    return t->min_bytes ? count <= bytes / t->min_bytes : count <= bytes + AVRO_BLOCK_EMPTY;
}

static enum leat_status became_shorter(const struct reader *r, const struct avro_frame *frame,
                                       struct leat_error *err)
{
    return leat_fail(err, LEAT_E_LOST,
                     "'%s' became shorter while it was read: it ends in the block at byte %" PRId64,
                     r->frames.file.path, frame->at);
}

/* The packed bytes of a block, appended to *b unpacked. */
static enum leat_status unpack(struct reader *r, const struct avro_frame *frame,
                               struct leat_block **b, struct leat_error *err)
{
    const struct leat_container_file *file = &r->frames.file;
    struct leat_slice packed;
    size_t n = 0;

    if (frame->size <= AVRO_WINDOW / 2) {
        if (avro_frames_look(&r->frames, frame->body, frame->size, &packed, err) != LEAT_OK)
            return err->status;
        return packed.len == frame->size ? avro_unpack(r->codec, packed, b, err)
                                         : became_shorter(r, frame, err);
    }
    if (r->codec == AVRO_CODEC_NULL) { /* straight to where it belongs: there is room */
        char *to = leat_block_buffer(*b) + (*b)->bytes.len;
        (*b)->bytes.len += frame->size;
        if (file->read(file->arg, frame->body, to, frame->size, &n, err) != LEAT_OK)
            return err->status;
        return n == frame->size ? LEAT_OK : became_shorter(r, frame, err);
    }
    if (!leat_budget_take(r->budget, frame->size))
        return leat_fail(err, LEAT_E_FULL, "no room in `memory` for a block of %u KiB of '%s'",
                         frame->size / 1024, file->path);
    char *bytes = leat_mem_alloc_raw(frame->size);
    enum leat_status status =
        bytes ? file->read(file->arg, frame->body, bytes, frame->size, &n, err)
              : leat_fail(err, LEAT_E_NOMEM, "no memory for a block of %u KiB", frame->size / 1024);
    if (status == LEAT_OK && n < frame->size)
        status = became_shorter(r, frame, err);
    if (status == LEAT_OK)
        status = avro_unpack(r->codec, (struct leat_slice){bytes, n}, b, err);
    leat_mem_free(bytes);
    leat_budget_give(r->budget, frame->size);
    return status;
}

static enum leat_status add_good(struct reader *r, struct leat_block **b,
                                 const struct avro_frame *frame, struct leat_error *err)
{
    size_t at = (*b)->bytes.len;
    char text[DAMAGE_TEXT];

    if (room_for(b, sizeof(struct avro_piece) + frame->size, err) != LEAT_OK)
        return err->status;
    (*b)->bytes.len += sizeof(struct avro_piece);
    enum leat_status status = unpack(r, frame, b, err);
    size_t bytes = (*b)->bytes.len - at - sizeof(struct avro_piece);
    if (status == LEAT_OK && !is_possible(r->written->made.schema.root, frame->count, bytes))
        status =
            leat_fail(err, LEAT_E_CORRUPT, "%zu bytes cannot be %u records", bytes, frame->count);
    if (status == LEAT_OK) {
        put_piece(
            *b, at,
            (struct avro_piece){.first = r->first, .count = frame->count, .most = r->damage_bytes});
        return LEAT_OK;
    }
    (*b)->bytes.len = at;
    if (status != LEAT_E_CORRUPT)
        return status;
    say_damage(r, frame->at, err->text, text);
    return add_damage(r, b, r->first, frame->count, frame, text, err);
}

static enum leat_status add_frame(struct reader *r, struct leat_block **b,
                                  const struct avro_frame *frame, struct leat_error *err)
{
    char text[DAMAGE_TEXT];

    if (frame->kind == AVRO_FRAME_GOOD && frame->count)
        return add_good(r, b, frame, err);
    if (frame->kind == AVRO_FRAME_GOOD)
        return LEAT_OK;
    say_damage(r, frame->at, frame->why, text);
    return add_damage(r, b, r->first, frame->count, frame, text, err);
}

/* ---- fetching */

static bool has_bytes(const struct avro_frame *frame)
{
    return frame->kind == AVRO_FRAME_GOOD || frame->kind == AVRO_FRAME_DAMAGED;
}

static void step_over(struct reader *r, const struct avro_frame *frame)
{
    r->first += frame->count;
    r->at = frame->end;
}

/* To the block with record `from`, or to the end if that is where it will be. */
static enum leat_status go_to(struct reader *r, int64_t from, struct avro_frame *frame,
                              struct leat_error *err)
{
    if (from < r->first) {
        r->first = 0;
        r->at = r->begin;
    }
    for (;;) {
        if (avro_frames_next(&r->frames, r->at, frame, err) != LEAT_OK)
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
                           r->frames.file.path, r->first, from);
}

/* Blocks from `frame` on, until there are enough bytes. What does not fit into memory comes with
 * the next fetch, unless it is the first. */
static enum leat_status gather(struct reader *r, struct avro_frame frame, size_t max_bytes,
                               struct leat_block **b, struct leat_error *err)
{
    while (has_bytes(&frame)) {
        size_t before = (*b)->bytes.len;
        enum leat_status status = add_frame(r, b, &frame, err);
        if (status == LEAT_E_FULL && before) {
            (*b)->bytes.len = before;
            return LEAT_OK;
        }
        if (status != LEAT_OK)
            return status;
        step_over(r, &frame);
        if ((*b)->bytes.len >= max_bytes)
            return LEAT_OK;
        if (avro_frames_next(&r->frames, r->at, &frame, err) != LEAT_OK)
            return err->status;
    }
    (*b)->at_end = true;
    return LEAT_OK;
}

/* All that there is of a file without a usable header: the error of one record. */
static enum leat_status fetch_broken(struct reader *r, int64_t from, struct leat_block **b,
                                     struct leat_error *err)
{
    struct avro_frame all = {.end = DAMAGE_BYTES};

    if (from == 0 && add_damage(r, b, 0, 1, &all, r->why, err) != LEAT_OK)
        return err->status;
    (*b)->at_end = true;
    r->first = 1;
    return LEAT_OK;
}

static enum leat_status fill(struct reader *r, int64_t from, size_t max_bytes,
                             struct leat_block **b, struct leat_error *err)
{
    struct avro_frame frame;

    if (r->is_broken)
        return fetch_broken(r, from, b, err);
    if (go_to(r, from, &frame, err) != LEAT_OK)
        return err->status;
    return gather(r, frame, max_bytes, b, err);
}

static enum leat_status container_fetch(void *reader, const struct leat_container_file *file,
                                        int64_t from, size_t max_bytes, bool whole,
                                        struct leat_block **block, struct leat_error *err)
{
    struct reader *r = reader;
    struct leat_block *b = NULL;

    r->frames.file = *file;
    r->frames.whole = whole;
    enum leat_status status = begin(r, err);
    bool waits = status == LEAT_E_FULL; /* for the rest of the header */
    if (status != LEAT_OK && !waits)
        return status;
    if (new_block(r, from, waits ? 0 : ROOM_FIRST, &b, err) != LEAT_OK)
        return err->status;
    b->at_end = waits;
    if (!waits && fill(r, from, max_bytes, &b, err) != LEAT_OK) {
        leat_block_unref(b);
        return err->status;
    }
    leat_block_seal(b, r->first > from ? r->first : from);
    *block = b;
    return LEAT_OK;
}

const struct leat_container avro_container = {
    .used = container_used,
    .open = container_open,
    .close = container_close,
    .fetch = container_fetch,
    .packer = avro_container_packer,
    .packer_free = avro_container_packer_free,
    .pack = avro_container_pack,
    .whole = avro_container_whole,
};
