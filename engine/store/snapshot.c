#include "store/snapshot.h"

#include "base/crc32c.h"
#include "base/mem.h"

#define MAGIC        "leatsnp1"
#define MAGIC_BYTES  8
#define FIXED_BYTES  44 /* of the head, before its list */
#define PART_LEAST   24 /* name, shape, bytes, CRC */
#define HEAD_MAX     ((size_t)16 * 1024 * 1024)
#define BUFFER_BYTES ((size_t)1024 * 1024)      /* of one write */
#define READ_BYTES   ((size_t)64 * 1024 * 1024) /* of one read */

static uint64_t whole_blocks(uint64_t bytes)
{
    return (bytes + LEAT_FS_BLOCK - 1) / LEAT_FS_BLOCK * LEAT_FS_BLOCK;
}

static char *aligned(char *memory)
{
    size_t over = (size_t)memory % LEAT_FS_BLOCK;

    return over ? memory + (LEAT_FS_BLOCK - over) : memory;
}

/* ---- head */

size_t leat_snapshot_head_bytes(struct leat_slice from)
{
    char magic[MAGIC_BYTES];
    uint32_t bytes = 0;

    if (!leat_take(&from, magic, sizeof magic) || !leat_take_u32(&from, &bytes) ||
        memcmp(magic, MAGIC, sizeof magic) != 0 || bytes == 0 || bytes % LEAT_FS_BLOCK != 0 ||
        bytes > HEAD_MAX)
        return 0;
    return bytes;
}

static bool is_zero(struct leat_slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i])
            return false;
    return true;
}

/* Where each part is follows from the lengths of those before it. */
static bool take_parts(struct leat_slice *from, struct leat_snapshot_head *h)
{
    uint64_t at = h->bytes;

    for (uint32_t i = 0; i < h->count; i++) {
        struct leat_snapshot_part *p = &h->parts[i];
        if (!leat_take_slice(from, &p->name) || !leat_take_u64(from, &p->shape) ||
            !leat_take_u64(from, &p->bytes) || !leat_take_u32(from, &p->crc) ||
            p->bytes > h->file_bytes - at)
            return false;
        p->at = at;
        at += whole_blocks(p->bytes);
        if (at > h->file_bytes)
            return false;
    }
    return at == h->file_bytes;
}

enum leat_status leat_snapshot_head_read(struct leat_slice from, struct leat_snapshot_head *h,
                                         struct leat_arena *arena, struct leat_error *err)
{
    size_t bytes = leat_snapshot_head_bytes(from);
    char magic[MAGIC_BYTES];

    *h = (struct leat_snapshot_head){0};
    bool ok = bytes && bytes == from.len;
    struct leat_slice rest = {from.ptr, ok ? bytes - 4 : 0};
    ok = ok && leat_take(&rest, magic, sizeof magic) && leat_take_u32(&rest, &h->bytes) &&
         leat_take_u32(&rest, &h->epoch) && leat_take_u32(&rest, &h->q) &&
         leat_take_u32(&rest, &h->partitions) && leat_take_u64(&rest, &h->n) &&
         leat_take_u64(&rest, &h->file_bytes) && leat_take_u32(&rest, &h->count) &&
         h->file_bytes >= h->bytes && h->file_bytes < INT64_MAX && h->q < h->partitions &&
         h->count <= rest.len / PART_LEAST;
    if (ok && !(h->parts = leat_arena_array(arena, h->count, sizeof *h->parts)))
        return leat_arena_failed(arena, err);
    ok = ok && take_parts(&rest, h) && is_zero(rest);
    return ok ? LEAT_OK : leat_fail(err, LEAT_E_CORRUPT, "damaged snapshot");
}

/* ---- write */

struct out {
    const struct leat_fs *fs;
    int fd, error; /* 0, or the first negative errno */
    char *buffer;
    size_t used;
};

static void flush(struct out *out)
{
    if (out->used && out->error >= 0)
        out->error = out->fs->write(out->fs, out->fd, out->buffer, out->used);
    out->used = 0;
}

static void put(struct out *out, struct leat_slice bytes)
{
    while (bytes.len && out->error >= 0) {
        size_t room = BUFFER_BYTES - out->used, n = bytes.len < room ? bytes.len : room;
        memcpy(out->buffer + out->used, bytes.ptr, n);
        out->used += n;
        bytes = (struct leat_slice){bytes.ptr + n, bytes.len - n};
        if (out->used == BUFFER_BYTES)
            flush(out);
    }
}

static void put_zeros_to_block(struct out *out)
{
    size_t pad = (size_t)(whole_blocks(out->used) - out->used);

    memset(out->buffer + out->used, 0, pad);
    out->used += pad;
    if (out->used == BUFFER_BYTES)
        flush(out);
}

static bool head_write(uint32_t epoch, uint32_t partitions, const struct leat_snapshot *s,
                       struct leat_bytes *b)
{
    size_t bytes = FIXED_BYTES + 4;
    uint64_t file_bytes = 0;

    for (uint32_t i = 0; i < s->entries_count; i++) {
        bytes += PART_LEAST + s->entries[i].name.len;
        file_bytes += whole_blocks(s->entries[i].bytes.len);
    }
    bytes = whole_blocks(bytes);
    char *all = leat_bytes_reserve(b, bytes);
    if (!all)
        return false;
    memset(all, 0, bytes);
    leat_bytes_put(b, MAGIC, MAGIC_BYTES);
    leat_bytes_put_u32(b, (uint32_t)bytes);
    leat_bytes_put_u32(b, epoch);
    leat_bytes_put_u32(b, s->q);
    leat_bytes_put_u32(b, partitions);
    leat_bytes_put_u64(b, s->n);
    leat_bytes_put_u64(b, bytes + file_bytes);
    leat_bytes_put_u32(b, s->entries_count);
    for (uint32_t i = 0; i < s->entries_count; i++) {
        leat_bytes_put_slice(b, s->entries[i].name);
        leat_bytes_put_u64(b, s->entries[i].shape);
        leat_bytes_put_u64(b, s->entries[i].bytes.len);
        leat_bytes_put_u32(b, leat_crc32c(s->entries[i].bytes));
    }
    b->len = bytes - 4;
    leat_bytes_put_u32(b, leat_crc32c(leat_bytes_slice(b)));
    return !b->failed;
}

static int write_all(struct out *out, struct leat_slice head, const struct leat_snapshot *s)
{
    put(out, head);
    for (uint32_t i = 0; i < s->entries_count; i++) {
        put(out, s->entries[i].bytes);
        put_zeros_to_block(out);
    }
    flush(out);
    return out->error < 0 ? out->error : out->fs->sync(out->fs, out->fd);
}

enum leat_status leat_snapshot_write(const struct leat_fs *fs, const char *path, uint32_t epoch,
                                     uint32_t partitions, const struct leat_snapshot *s,
                                     struct leat_error *err)
{
    struct leat_arena arena = {0};
    struct leat_bytes head = {.arena = &arena};
    struct out out = {.fs = fs};
    enum leat_status status = LEAT_OK;

    char *memory = leat_arena_alloc(&arena, BUFFER_BYTES + LEAT_FS_BLOCK);
    if (!memory || !head_write(epoch, partitions, s, &head)) {
        status = leat_arena_failed(&arena, err);
        goto end;
    }
    out.buffer = aligned(memory);
    out.fd = fs->create_direct(fs, path);
    int e = out.fd < 0 ? out.fd : write_all(&out, leat_bytes_slice(&head), s);
    if (out.fd >= 0)
        fs->close(fs, out.fd);
    if (e < 0) {
        status = leat_fs_failed(err, e, "write", path);
        fs->unlink(fs, path);
    }
end:
    leat_arena_reset(&arena);
    return status;
}

/* ---- read */

static enum leat_status damaged(const char *path, struct leat_error *err)
{
    return leat_fail(err, LEAT_E_CORRUPT, "the snapshot '%s' is damaged", path);
}

static enum leat_status read_blocks(const struct leat_fs *fs, const char *path, char *into,
                                    uint64_t from, uint64_t to, struct leat_error *err)
{
    while (from < to) {
        size_t len = to - from < READ_BYTES ? (size_t)(to - from) : READ_BYTES;
        int64_t n = fs->read_direct(fs, path, (int64_t)from, into + from, len);
        if (n < 0)
            return leat_fs_failed(err, n, "read", path);
        if ((uint64_t)n < len && (uint64_t)n % LEAT_FS_BLOCK != 0)
            return damaged(path, err);
        if (n == 0)
            return damaged(path, err);
        from += (uint64_t)n;
    }
    return LEAT_OK;
}

/* Memory that is there is taken: making pages of it costs more than filling them. */
static bool make_room(struct leat_snapshot_image *image, size_t room)
{
    if (image->room >= room)
        return true;
    leat_mem_free(image->memory);
    image->memory = leat_mem_alloc_raw(room);
    image->room = image->memory ? room : 0;
    return image->memory;
}

/* The file begins with a head of so many bytes, as its first block says. */
static enum leat_status find_head(const struct leat_fs *fs, const char *path, int64_t file_bytes,
                                  struct leat_arena *arena, size_t *bytes, struct leat_error *err)
{
    if (file_bytes < 0)
        return leat_fs_failed(err, file_bytes, "look at", path);
    if (file_bytes < (int64_t)LEAT_FS_BLOCK)
        return damaged(path, err);
    char *memory = leat_arena_alloc(arena, 2 * LEAT_FS_BLOCK);
    if (!memory)
        return leat_arena_failed(arena, err);
    char *first = aligned(memory);
    if (read_blocks(fs, path, first, 0, LEAT_FS_BLOCK, err) != LEAT_OK)
        return err->status;
    *bytes = leat_snapshot_head_bytes((struct leat_slice){first, LEAT_FS_BLOCK});
    return *bytes && (int64_t)*bytes <= file_bytes ? LEAT_OK : damaged(path, err);
}

static enum leat_status check_head(const char *path, struct leat_slice bytes, int64_t file_bytes,
                                   struct leat_snapshot_head *head, struct leat_arena *arena,
                                   struct leat_error *err)
{
    struct leat_slice summed = {bytes.ptr, bytes.len - 4}, sum = {bytes.ptr + bytes.len - 4, 4};
    uint32_t crc = 0;

    if (!leat_take_u32(&sum, &crc) || crc != leat_crc32c(summed))
        return damaged(path, err);
    if (leat_snapshot_head_read(bytes, head, arena, err) != LEAT_OK)
        return leat_error_prefix(err, "'%s'", path);
    return head->file_bytes == (uint64_t)file_bytes ? LEAT_OK : damaged(path, err);
}

enum leat_status leat_snapshot_look(const struct leat_fs *fs, const char *path,
                                    struct leat_snapshot_head *head, struct leat_arena *arena,
                                    struct leat_error *err)
{
    int64_t file_bytes = fs->length(fs, path);
    size_t bytes;

    if (find_head(fs, path, file_bytes, arena, &bytes, err) != LEAT_OK)
        return err->status;
    char *memory = leat_arena_alloc(arena, bytes + LEAT_FS_BLOCK);
    if (!memory)
        return leat_arena_failed(arena, err);
    char *all = aligned(memory);
    if (read_blocks(fs, path, all, 0, bytes, err) != LEAT_OK)
        return err->status;
    return check_head(path, (struct leat_slice){all, bytes}, file_bytes, head, arena, err);
}

static enum leat_status read_file(const struct leat_fs *fs, const char *path,
                                  struct leat_snapshot_image *image, struct leat_error *err)
{
    int64_t file_bytes = fs->length(fs, path);
    size_t bytes;

    leat_arena_reset(&image->arena);
    if (find_head(fs, path, file_bytes, &image->arena, &bytes, err) != LEAT_OK)
        return err->status;
    if (!make_room(image, (size_t)file_bytes + LEAT_FS_BLOCK))
        return leat_fail(err, LEAT_E_NOMEM, "no memory for the snapshot '%s'", path);
    char *file = aligned(image->memory);
    image->file = file;
    if (read_blocks(fs, path, file, 0, (uint64_t)file_bytes, err) != LEAT_OK)
        return err->status;
    return check_head(path, (struct leat_slice){file, bytes}, file_bytes, &image->head,
                      &image->arena, err);
}

struct leat_log_state leat_snapshot_entry(const struct leat_snapshot_image *image, uint32_t i)
{
    const struct leat_snapshot_part *p = &image->head.parts[i];

    return (struct leat_log_state){.name = p->name,
                                   .shape = p->shape,
                                   .q = image->head.q,
                                   .bytes = {image->file + p->at, (size_t)p->bytes}};
}

enum leat_status leat_snapshot_read(const struct leat_fs *fs, const char *path,
                                    struct leat_snapshot_image *image, struct leat_error *err)
{
    if (read_file(fs, path, image, err) != LEAT_OK)
        return err->status;
    for (uint32_t i = 0; i < image->head.count; i++) {
        const struct leat_snapshot_part *p = &image->head.parts[i];
        struct leat_slice bytes = leat_snapshot_entry(image, i).bytes;
        struct leat_slice zeros = {bytes.ptr + bytes.len, whole_blocks(p->bytes) - p->bytes};
        if (leat_crc32c(bytes) != p->crc || !is_zero(zeros))
            return damaged(path, err);
    }
    return LEAT_OK;
}

void leat_snapshot_image_fini(struct leat_snapshot_image *image)
{
    leat_mem_free(image->memory);
    leat_arena_reset(&image->arena);
    *image = (struct leat_snapshot_image){0};
}
