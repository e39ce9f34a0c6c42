/*
 * raw_records.c - files of records that all have the same length, one behind the other.
 *
 * Position n is that of record n, so any is gone to at once. A block is the length (u32, as in
 * memory) and records as they lie in the file. What is behind the last whole one, in a file that
 * nobody writes any more, is a record, too: decode() makes an error of it.
 */
#include "raw.h"

#define LENGTH_BYTES sizeof(uint32_t)
#define ROOM_FIRST   ((size_t)64 * 1024)

static bool used(const void *self)
{
    return ((const struct raw *)self)->length > 0;
}

/* ---- walking a block */

static enum leat_status records_next(struct leat_cursor *c, const struct leat_block *b,
                                     struct leat_chunk *into, struct leat_error *err)
{
    uint32_t length = 0;

    leat_chunk_clear(into, b->part);
    if (b->bytes.len >= LENGTH_BYTES)
        memcpy(&length, b->bytes.ptr, LENGTH_BYTES);
    if (length == 0)
        return b->bytes.len == 0 ? LEAT_OK
                                 : leat_fail(err, LEAT_E_CORRUPT, "records without a length");
    if (c->at == 0) {
        c->at = LENGTH_BYTES;
        c->position = b->from;
    }
    while (c->at < b->bytes.len && into->rows < LEAT_CHUNK_ROWS) {
        size_t left = b->bytes.len - c->at, len = left < length ? left : length;
        leat_chunk_add(into, &(struct leat_row){.value = {b->bytes.ptr + c->at, len},
                                                .position = c->position++,
                                                .time_ms = LEAT_NO_TIME});
        c->at += len;
    }
    return LEAT_OK;
}

static const struct leat_coding coding = {.name = "records", .next = records_next};

/* ---- reading */

struct records_reader {
    size_t length;
    struct leat_budget *budget;
};

static void *records_open(const void *self, const struct leat_env *env)
{
    struct records_reader *r = leat_mem_alloc(sizeof *r);

    if (r)
        *r = (struct records_reader){(size_t)((const struct raw *)self)->length, env->budget};
    return r;
}

static void records_close(void *reader)
{
    leat_mem_free(reader);
}

/* Is there a byte in front of `end`? */
static enum leat_status reaches(const struct leat_container_file *file, int64_t end, bool *is,
                                struct leat_error *err)
{
    size_t n = 0;
    char byte;

    if (end > 0 && file->read(file->arg, end - 1, &byte, 1, &n, err) != LEAT_OK)
        return err->status;
    *is = end <= 0 || n == 1;
    return LEAT_OK;
}

static enum leat_status check_file(const struct records_reader *r,
                                   const struct leat_container_file *file, int64_t from,
                                   struct leat_error *err)
{
    bool is = false;

    if (leat_compression_of_path(leat_slice_str(file->path)) != LEAT_COMPRESSION_NONE)
        return leat_fail(err, LEAT_E_CONFIG,
                         "'%s' is compressed; records with a `length` are read as they lie in a "
                         "file: unpack it, or leave it out by `path`",
                         file->path);
    if (from < 0 || from > INT64_MAX / (int64_t)r->length - 1)
        is = false;
    else if (reaches(file, (from - 1) * (int64_t)r->length + 1, &is, err) != LEAT_OK)
        return err->status;
    return is ? LEAT_OK
              : leat_fail(err, LEAT_E_LOST, "'%s' has fewer than %lld records of %zu bytes",
                          file->path, (long long)from, r->length);
}

/* Up to `count` records behind the length; a small file does not get more room than it needs. */
static enum leat_status read_records(const struct records_reader *r,
                                     const struct leat_container_file *file, size_t count,
                                     struct leat_block **b, struct leat_error *err)
{
    size_t most = count * r->length, room = (*b)->room - LENGTH_BYTES, have = 0;

    for (;;) {
        int64_t at = (*b)->from * (int64_t)r->length + (int64_t)have;
        size_t n, want = room - have;
        if (file->read(file->arg, at, leat_block_buffer(*b) + LENGTH_BYTES + have, want, &n, err) !=
            LEAT_OK)
            return err->status;
        have += n;
        (*b)->bytes.len = LENGTH_BYTES + have;
        (*b)->at_end = n < want;
        if (n < want || have == most)
            return LEAT_OK;
        room = 4 * room < most ? 4 * room : most;
        enum leat_status status = leat_block_grow(b, LENGTH_BYTES + room, err);
        if (status != LEAT_OK)
            return status == LEAT_E_FULL ? LEAT_OK : status; /* more comes with the next fetch */
    }
}

static enum leat_status fill(const struct records_reader *r, const struct leat_container_file *file,
                             size_t count, bool whole, struct leat_block **block,
                             struct leat_error *err)
{
    uint32_t length = (uint32_t)r->length;

    memcpy(leat_block_buffer(*block), &length, LENGTH_BYTES);
    if (read_records(r, file, count, block, err) != LEAT_OK)
        return err->status;
    struct leat_block *b = *block;
    size_t n = b->bytes.len - LENGTH_BYTES, over = n % r->length;
    b->rows_hint = (uint32_t)(n / r->length);
    if (over && whole)
        b->rows_hint++;
    else
        n -= over; /* its rest is to come */
    b->bytes.len = n ? LENGTH_BYTES + n : 0;
    return LEAT_OK;
}

static enum leat_status records_fetch(void *reader, const struct leat_container_file *file,
                                      int64_t from, size_t max_bytes, uint32_t max_rows, bool whole,
                                      struct leat_block **block, struct leat_error *err)
{
    const struct records_reader *r = reader;
    size_t count = max_bytes > r->length ? max_bytes / r->length : 1,
           first = r->length < ROOM_FIRST ? ROOM_FIRST / r->length : 1;
    struct leat_block *b;

    count = max_rows && max_rows < count ? max_rows : count;
    first = first < count ? first : count;
    if (check_file(r, file, from, err) != LEAT_OK ||
        leat_block_new(r->budget, &coding, LENGTH_BYTES + first * r->length, &b, err) != LEAT_OK)
        return err->status;
    b->from = from;
    if (fill(r, file, count, whole, &b, err) != LEAT_OK) {
        leat_block_unref(b);
        return err->status;
    }
    leat_block_seal(b, from + b->rows_hint);
    *block = b;
    return LEAT_OK;
}

/* ---- writing: rows are the file */

static void *records_packer(const void *self)
{
    (void)self;
    return leat_mem_alloc(1);
}

static void records_packer_free(void *packer)
{
    leat_mem_free(packer);
}

static enum leat_status records_pack(void *packer, struct leat_slice rows, uint32_t count,
                                     leat_compressed *out, void *arg, struct leat_error *err)
{
    (void)packer, (void)count;
    return out(arg, rows, err);
}

/* The size is found by halves: nobody tells it. */
static enum leat_status records_whole(const void *self, const struct leat_container_file *file,
                                      int64_t *end, struct leat_error *err)
{
    int64_t length = ((const struct raw *)self)->length, records = 0, step = 1;
    const int64_t most = INT64_MAX / 4 / length; /* the steps together are below four of these */
    bool is = true;

    for (; is && step <= most; step *= 2)
        if (reaches(file, step * length, &is, err) != LEAT_OK)
            return err->status;
    for (; step; step /= 2) {
        if (reaches(file, (records + step) * length, &is, err) != LEAT_OK)
            return err->status;
        records += is ? step : 0;
    }
    *end = records * length;
    return LEAT_OK;
}

const struct leat_container raw_container = {.used = used,
                                             .open = records_open,
                                             .close = records_close,
                                             .fetch = records_fetch,
                                             .packer = records_packer,
                                             .packer_free = records_packer_free,
                                             .pack = records_pack,
                                             .whole = records_whole};
