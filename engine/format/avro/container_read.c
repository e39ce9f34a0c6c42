/*
 * container_read.c - containers that are read: blocks of a file become pieces of a leat_block.
 *
 * The job's thread finds the blocks and unpacks them, workers find the records in them.
 */
#include "container.h"

#include <inttypes.h>

#define FILES_SCHEMAS 1000                        /* different ones, of all files */
#define FILES_BYTES   ((size_t)256 * 1024 * 1024) /* that they take, read */
#define SCHEMA_ARENA  (64 * AVRO_SCHEMA_BYTES)

struct avro_files {
    const struct avro *avro;
    struct avro_written *written;
    uint32_t count;
    size_t bytes;
};

struct reader {
    struct leat_container_reader base;
    enum avro_codec codec;
    const struct avro_written *written;
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
    return leat_container_reader_open(&avro_container_kind, self, env, &nothing.coding);
}

static enum leat_status read_head(struct leat_container_reader *base, struct leat_slice bytes,
                                  struct leat_error *err)
{
    struct reader *r = (void *)base;
    struct avro_files *files = ((const struct avro *)base->self)->files;
    struct avro_head head;

    if (avro_head_read(bytes, &head, err) != LEAT_OK)
        return err->status;
    memcpy(base->mark, head.sync, AVRO_SYNC_BYTES);
    base->begin = (int64_t)head.bytes;
    r->codec = head.codec;
    if (!files) /* of a sink, which reads no record */
        return LEAT_OK;
    if (avro_files_written(files, head.schema, &r->written, err) != LEAT_OK)
        return err->status;
    base->coding = &r->written->coding;
    return LEAT_OK;
}

/* ---- pieces */

/* What was appended to the block since `at` becomes a piece. */
static void put_piece(struct leat_block *b, size_t at, struct avro_piece p)
{
    p.bytes = (uint32_t)(b->bytes.len - at - sizeof p);
    memcpy(leat_block_buffer(b) + at, &p, sizeof p);
    b->rows_hint += p.damage ? 1 : p.count;
}

/* As many records as can be in so many bytes? */
static bool is_possible(const struct avro_type *t, uint64_t count, uint64_t bytes)
{
    return t->min_bytes ? count <= bytes / t->min_bytes : count <= bytes + AVRO_BLOCK_EMPTY;
}

static enum leat_status became_shorter(const struct reader *r, const struct leat_frame *frame,
                                       struct leat_error *err)
{
    return leat_fail(err, LEAT_E_LOST,
                     "'%s' became shorter while it was read: it ends in the block at byte %" PRId64,
                     r->base.file.path, frame->at);
}

/* The packed bytes of a block, appended to *b unpacked. */
static enum leat_status unpack(struct reader *r, const struct leat_frame *frame,
                               struct leat_block **b, struct leat_error *err)
{
    const struct leat_container_file *file = &r->base.file;
    int64_t at = frame->parts[0].at;
    uint32_t size = frame->parts[0].bytes;
    struct leat_slice packed;
    size_t n = 0;

    if (size <= LEAT_CONTAINER_WINDOW / 2) {
        if (leat_container_look(&r->base, at, size, &packed, err) != LEAT_OK)
            return err->status;
        return packed.len == size ? avro_unpack(r->codec, packed, b, err)
                                  : became_shorter(r, frame, err);
    }
    if (r->codec == AVRO_CODEC_NULL) { /* straight to where it belongs: there is room */
        char *to = leat_block_buffer(*b) + (*b)->bytes.len;
        (*b)->bytes.len += size;
        if (file->read(file->arg, at, to, size, &n, err) != LEAT_OK)
            return err->status;
        return n == size ? LEAT_OK : became_shorter(r, frame, err);
    }
    if (!leat_budget_take(r->base.budget, size))
        return leat_fail(err, LEAT_E_FULL, "no room in `memory` for a block of %u KiB of '%s'",
                         size / 1024, file->path);
    char *bytes = leat_mem_alloc_raw(size);
    enum leat_status status =
        bytes ? file->read(file->arg, at, bytes, size, &n, err)
              : leat_fail(err, LEAT_E_NOMEM, "no memory for a block of %u KiB", size / 1024);
    if (status == LEAT_OK && n < size)
        status = became_shorter(r, frame, err);
    if (status == LEAT_OK)
        status = avro_unpack(r->codec, (struct leat_slice){bytes, n}, b, err);
    leat_mem_free(bytes);
    leat_budget_give(r->base.budget, size);
    return status;
}

static enum leat_status add_block(struct leat_container_reader *base, struct leat_block **b,
                                  int64_t from, const struct leat_frame *frame,
                                  struct leat_error *err)
{
    struct reader *r = (void *)base;
    size_t at = (*b)->bytes.len, front = sizeof(struct avro_piece);

    (void)from; /* workers find the records */
    if (leat_container_room(b, front + frame->parts[0].bytes, err) != LEAT_OK)
        return err->status;
    (*b)->bytes.len += front;
    if (unpack(r, frame, b, err) != LEAT_OK)
        return err->status;
    size_t bytes = (*b)->bytes.len - at - front;
    if (!is_possible(r->written->made.schema.root, frame->count, bytes))
        return leat_fail(err, LEAT_E_CORRUPT, "%zu bytes cannot be %u records", bytes,
                         frame->count);
    put_piece(*b, at,
              (struct avro_piece){
                  .first = base->first, .count = frame->count, .most = base->damage_bytes});
    return LEAT_OK;
}

static void end_damage(struct leat_block *b, size_t at, int64_t position, uint32_t count,
                       uint32_t text)
{
    put_piece(b, at, (struct avro_piece){.first = position, .count = count, .damage = text});
}

const struct leat_container_kind avro_container_kind = {
    .name = "Avro",
    .size = sizeof(struct reader),
    .head_bytes = AVRO_HEAD_BYTES,
    .front_bytes = AVRO_NEXT_BYTES,
    .mark_bytes = AVRO_SYNC_BYTES,
    .mark_ends = true,
    .damage_front = sizeof(struct avro_piece),
    .head = read_head,
    .next = avro_frames_next,
    .add = add_block,
    .damage = end_damage,
};

const struct leat_container avro_container = {
    .used = container_used,
    .open = container_open,
    .close = leat_container_reader_close,
    .fetch = leat_container_reader_fetch,
    .packer = avro_container_packer,
    .packer_free = avro_container_packer_free,
    .pack = avro_container_pack,
    .whole = avro_container_whole,
};
