#include "file_reader.h"

#include "file_list.h"
#include "file_place.h"

#include <errno.h>

#define PACKED_BYTES  65536
#define SCRATCH_BYTES 65536

enum leat_status file_reader_open(struct file_reader *r, const struct leat_fs *fs, const char *path,
                                  struct leat_error *err)
{
    struct stat st;

    *r = (struct file_reader){.skip_from = -1};
    r->compression = leat_compression_of_path(leat_slice_str(path));
    r->fs = fs;
    r->fd = file_place_open(fs, path);
    if (r->fd != -1 && file_place_fstat(fs, r->fd, path, &st) == 0) {
        r->path = path;
        r->changed_ms = file_changed_ms(&st);
        return LEAT_OK;
    }
    file_place_close(r->fd);
    return leat_fail(err, errno == ENOENT ? LEAT_E_LOST : LEAT_E_IO, "cannot open '%s': %s", path,
                     strerror(errno));
}

static void end_text(struct file_reader *r)
{
    leat_decompressor_free(r->decompressor);
    r->decompressor = NULL;
    leat_mem_free(r->back);
    r->back = NULL;
    r->back_len = 0;
}

void file_reader_close(struct file_reader *r)
{
    if (!r->path)
        return;
    end_text(r);
    leat_mem_free(r->packed);
    file_place_close(r->fd);
    *r = (struct file_reader){0};
}

static enum leat_status size_of(struct file_reader *r, int64_t *size, struct leat_error *err)
{
    struct stat st;

    if (file_place_fstat(r->fs, r->fd, r->path, &st) != 0)
        return leat_fail(err, LEAT_E_IO, "cannot look at '%s': %s", r->path, strerror(errno));
    *size = st.st_size;
    r->changed_ms = file_changed_ms(&st);
    return LEAT_OK;
}

enum leat_status file_reader_check(struct file_reader *r, int64_t *most, struct leat_error *err)
{
    int64_t size = 0;

    if (size_of(r, &size, err) != LEAT_OK)
        return err->status;
    if (size < *most)
        return leat_fail(err, LEAT_E_LOST,
                         "'%s' became shorter while it was read: it ends at byte %lld, and had "
                         "%lld",
                         r->path, (long long)size, (long long)*most);
    *most = size;
    return LEAT_OK;
}

enum leat_status file_reader_left(struct file_reader *r, int64_t from, int64_t *left,
                                  struct leat_error *err)
{
    int64_t size = 0;

    *left = -1;
    if (r->compression != LEAT_COMPRESSION_NONE)
        return LEAT_OK;
    if (size_of(r, &size, err) != LEAT_OK)
        return err->status;
    if (size < from)
        return leat_fail(err, LEAT_E_LOST, "'%s' ends at %lld, before position %lld", r->path,
                         (long long)size, (long long)from);
    *left = size - from;
    return LEAT_OK;
}

static enum leat_status read_plain(struct file_reader *r, int64_t from, char *into, size_t room,
                                   size_t *got, struct leat_error *err)
{
    *got = 0;
    while (*got < room) {
        ssize_t n =
            file_place_read(r->fs, r->fd, r->path, into + *got, room - *got, from + (int64_t)*got);
        if (n < 0)
            return leat_fail(err, LEAT_E_IO, "cannot read '%s': %s", r->path, strerror(errno));
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    return LEAT_OK;
}

/* ---- compressed */

static enum leat_status begin_text(struct file_reader *r, struct leat_error *err)
{
    end_text(r);
    if (!r->packed)
        r->packed = leat_mem_alloc(PACKED_BYTES);
    if (!r->packed)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    r->packed_at = 0;
    r->decompressor = leat_decompressor_new(r->compression, err);
    r->rest = (struct leat_slice){0};
    r->all_read = r->more = false;
    r->position = 0;
    return r->decompressor ? LEAT_OK : err->status;
}

static enum leat_status refill(struct file_reader *r, struct leat_error *err)
{
    ssize_t n = file_place_read(r->fs, r->fd, r->path, r->packed, PACKED_BYTES, r->packed_at);

    if (n < 0)
        return leat_fail(err, LEAT_E_IO, "cannot read '%s': %s", r->path, strerror(errno));
    r->packed_at += n;
    r->rest = (struct leat_slice){r->packed, (size_t)n};
    r->all_read = n == 0;
    if (r->all_read && !leat_decompressor_at_border(r->decompressor))
        return leat_fail(err, LEAT_E_DATA, "'%s' is cut off: it ends inside a compressed frame",
                         r->path);
    return LEAT_OK;
}

/* Up to room bytes of text; fewer only at the end. */
static enum leat_status unpack(struct file_reader *r, char *into, size_t room, size_t *got,
                               struct leat_error *err)
{
    *got = 0;
    while (*got < room && !(r->all_read && !r->more)) {
        size_t made = 0;
        if (!r->more && refill(r, err) != LEAT_OK)
            return err->status;
        if (r->all_read && !r->more)
            break;
        if (leat_decompressor_read(r->decompressor, &r->rest, into + *got, room - *got, &made,
                                   err) != LEAT_OK)
            return leat_error_prefix(err, "'%s'", r->path);
        r->more = made == room - *got;
        *got += made;
    }
    return LEAT_OK;
}

static enum leat_status take_back(struct file_reader *r, char *into, size_t room, size_t *got)
{
    *got = r->back_len < room ? r->back_len : room;
    if (*got)
        memcpy(into, r->back, *got);
    r->back_len -= *got;
    if (r->back_len)
        memmove(r->back, r->back + *got, r->back_len);
    return LEAT_OK;
}

static enum leat_status read_text(struct file_reader *r, char *into, size_t room, size_t *got,
                                  struct leat_error *err)
{
    size_t more = 0;

    take_back(r, into, room, got);
    if (*got < room && unpack(r, into + *got, room - *got, &more, err) != LEAT_OK)
        return err->status;
    *got += more;
    r->position += (int64_t)*got;
    return LEAT_OK;
}

static enum leat_status go_to(struct file_reader *r, int64_t from, struct leat_error *err)
{
    char scratch[SCRATCH_BYTES];
    size_t got;

    if ((!r->decompressor || from < r->position) && begin_text(r, err) != LEAT_OK)
        return err->status;
    while (r->position < from) {
        int64_t left = from - r->position;
        size_t room = left < SCRATCH_BYTES ? (size_t)left : SCRATCH_BYTES;
        if (read_text(r, scratch, room, &got, err) != LEAT_OK)
            return err->status;
        if (got < room)
            return leat_fail(err, LEAT_E_LOST,
                             "the text of '%s' ends at %lld, before position %lld", r->path,
                             (long long)r->position, (long long)from);
    }
    return LEAT_OK;
}

enum leat_status file_reader_read(struct file_reader *r, int64_t from, char *into, size_t room,
                                  size_t *n, struct leat_error *err)
{
    if (r->compression == LEAT_COMPRESSION_NONE)
        return read_plain(r, from, into, room, n, err);
    enum leat_status status = go_to(r, from, err);
    if (status == LEAT_OK)
        status = read_text(r, into, room, n, err);
    if (status != LEAT_OK)
        end_text(r); /* the next read starts afresh */
    return status;
}

enum leat_status file_reader_put_back(struct file_reader *r, struct leat_slice bytes,
                                      struct leat_error *err)
{
    if (r->compression == LEAT_COMPRESSION_NONE || bytes.len == 0)
        return LEAT_OK;
    char *back = leat_mem_alloc(bytes.len + r->back_len);
    if (!back) {
        end_text(r);
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    }
    memcpy(back, bytes.ptr, bytes.len);
    if (r->back_len)
        memcpy(back + bytes.len, r->back, r->back_len);
    leat_mem_free(r->back);
    r->back = back;
    r->back_len += bytes.len;
    r->position -= (int64_t)bytes.len;
    return LEAT_OK;
}
