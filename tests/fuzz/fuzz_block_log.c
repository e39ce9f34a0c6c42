/*
 * fuzz_block_log.c - feeds bytes to the block store as its only segment, and reads all of it.
 *
 * Nobody who made the bytes knew the checksums, so the second byte may ask for them to be put
 * right, frame by frame: then what is behind them is reached. The first byte chooses which
 * allocation fails. What is accepted gives rows in order; memory stays bounded.
 */
#include "base/crc32c.h"
#include "base/mem.h"
#include "store/block_log.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define HEAD  32
#define MAGIC 8
#define FD    1000

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static unsigned countdown;

static bool gate(void)
{
    return countdown == 0 || --countdown != 0;
}

struct memory_fs {
    struct leat_fs fs;
    char *bytes;
    size_t len;
};

static int64_t mem_length(const struct leat_fs *fs, const char *path)
{
    return strstr(path, ".leatblk") ? (int64_t)((const struct memory_fs *)fs)->len : 4096;
}

static int mem_each(const struct leat_fs *fs, const char *dir,
                    void (*fn)(const char *name, void *arg), void *arg)
{
    (void)fs, (void)dir;
    fn("00000000000000000001.leatblk", arg);
    return 0;
}

static int64_t mem_read(const struct leat_fs *fs, const char *path, int64_t at, void *into,
                        size_t len)
{
    const struct memory_fs *m = (const struct memory_fs *)fs;
    size_t left = (size_t)at < m->len ? m->len - (size_t)at : 0, n = len < left ? len : left;

    (void)path;
    memcpy(into, m->bytes + at, n);
    return (int64_t)n;
}

static int mem_mkdir(const struct leat_fs *fs, const char *path)
{
    (void)fs, (void)path;
    return -EEXIST;
}

static int mem_append(const struct leat_fs *fs, const char *path)
{
    (void)fs, (void)path;
    return FD;
}

static int mem_sync(const struct leat_fs *fs, int fd)
{
    (void)fs, (void)fd;
    return 0;
}

static void mem_close(const struct leat_fs *fs, int fd)
{
    (void)fs, (void)fd;
}

static int mem_truncate(const struct leat_fs *fs, const char *path, int64_t length)
{
    struct memory_fs *m = (struct memory_fs *)(size_t)fs;

    (void)path;
    assert(length >= MAGIC && (size_t)length <= m->len);
    m->len = (size_t)length;
    return 0;
}

/* Heads, fronts and blocks as far as their lengths make sense. */
static void put_right(char *bytes, size_t len)
{
    for (size_t at = MAGIC; at + HEAD < len;) {
        uint32_t front, crc;
        uint64_t payload;
        memcpy(&front, bytes + at + 4, sizeof front);
        memcpy(&payload, bytes + at + 8, sizeof payload);
        if (front > len - at - HEAD || payload > len - at - HEAD)
            return;
        struct leat_block_front f;
        struct leat_slice text = {bytes + at + HEAD, front};
        char *rows = bytes + at + HEAD + front, *place = rows - 4;
        if (leat_block_front_read(text, &f))
            for (uint32_t i = f.blocks_count; i-- > 0; place -= 32) {
                if (f.blocks[i].at + f.blocks[i].bytes > len - (size_t)(rows - bytes))
                    continue;
                crc = leat_crc32c((struct leat_slice){rows + f.blocks[i].at, f.blocks[i].bytes});
                memcpy(place, &crc, sizeof crc);
            }
        crc = leat_crc32c(text);
        memcpy(bytes + at + 24, &crc, sizeof crc);
        crc = leat_crc32c((struct leat_slice){bytes + at, HEAD - 4});
        memcpy(bytes + at + 28, &crc, sizeof crc);
        at += HEAD + payload + 1;
    }
}

static void read_all(struct leat_block_log *log, uint32_t part)
{
    struct leat_budget budget = {.cap = 1 << 20};
    struct leat_error err;
    int64_t from = leat_block_log_part(log, part).oldest;

    for (int blocks = 0;; blocks++) {
        struct leat_fetch fetch = {.part = part, .from = from, .max_bytes = 1000};
        struct leat_block *b;
        if (leat_block_log_read(log, &fetch, &budget, &b, &err) != LEAT_OK || !b)
            return;
        assert(b->from == from && b->to > from && b->to <= leat_block_log_part(log, part).next);
        from = b->to;
        leat_block_unref(b);
        assert(atomic_load(&budget.used) == 0 && blocks < 100000);
    }
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct memory_fs m = {.fs = {.length = mem_length,
                                 .each = mem_each,
                                 .read = mem_read,
                                 .mkdir = mem_mkdir,
                                 .append = mem_append,
                                 .sync = mem_sync,
                                 .close = mem_close,
                                 .truncate = mem_truncate}};
    struct leat_block_log *log;
    struct leat_error err;

    if (size < 2)
        return 0;
    m.len = size - 2;
    m.bytes = malloc(m.len + 1);
    assert(m.bytes);
    memcpy(m.bytes, data + 2, m.len);
    if (data[1] & 1)
        put_right(m.bytes, m.len);
    countdown = data[0];
    leat_mem_gate = gate;
    if (leat_block_log_open(&m.fs, "d", 1 << 20, &log, &err) == LEAT_OK) {
        for (uint32_t p = 0; p < LEAT_BLOCK_PARTS; p++)
            read_all(log, p);
        leat_block_log_close(log);
    }
    leat_mem_gate = NULL;
    free(m.bytes);
    return 0;
}
