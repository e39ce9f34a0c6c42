/* Tests engine/data/compress.c. */
#include "base/bytes.h"
#include "data/compress.h"
#include "leat_test.h"

#include <stdio.h>

static struct leat_error err;
static struct leat_arena arena;

static enum leat_status append(void *arg, struct leat_slice bytes, struct leat_error *e)
{
    (void)e;
    CU_ASSERT(bytes.len > 0 && bytes.len <= 128 * 1024);
    leat_bytes_put(arg, bytes.ptr, bytes.len);
    return LEAT_OK;
}

static struct leat_slice sample(size_t len)
{
    char *text = leat_arena_alloc(&arena, len + 1);
    uint32_t x = 7;

    for (size_t i = 0; i < len; i++) {
        x = x * 1664525 + 1013904223;
        text[i] = (char)(i % 3 ? 'a' + (x >> 28) : x >> 24);
    }
    return (struct leat_slice){text, len};
}

/* `text` in pieces, a frame ended behind every second one. */
static struct leat_slice compressed(enum leat_compression kind, struct leat_slice text)
{
    struct leat_compressor *c = leat_compressor_new(kind, &err);
    struct leat_bytes bytes = {.arena = &arena};

    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    for (size_t at = 0, i = 0; at < text.len; i++) {
        size_t n = text.len - at < 70001 ? text.len - at : 70001;
        OK(leat_compressor_write(c, (struct leat_slice){text.ptr + at, n}, i % 2 == 1, append,
                                 &bytes, &err));
        at += n;
    }
    OK(leat_compressor_write(c, (struct leat_slice){0}, true, append, &bytes, &err));
    size_t len = bytes.len;
    OK(leat_compressor_write(c, (struct leat_slice){0}, true, append, &bytes, &err));
    CU_ASSERT_EQUAL(bytes.len, len);
    leat_compressor_free(c);
    return leat_bytes_slice(&bytes);
}

/* Feeds `piece` bytes at a time and gives `room` bytes of room. */
static enum leat_status read_back(enum leat_compression kind, struct leat_slice bytes, size_t piece,
                                  size_t room, struct leat_bytes *text, bool *whole)
{
    struct leat_decompressor *d = leat_decompressor_new(kind, &err);
    char *into = leat_arena_alloc(&arena, room);
    enum leat_status status = LEAT_OK;

    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    while (bytes.len && status == LEAT_OK) {
        size_t n = bytes.len < piece ? bytes.len : piece, made;
        struct leat_slice from = {bytes.ptr, n};
        do {
            status = leat_decompressor_read(d, &from, into, room, &made, &err);
            leat_bytes_put(text, into, made);
        } while (status == LEAT_OK && made == room);
        CU_ASSERT(status != LEAT_OK || from.len == 0);
        bytes = (struct leat_slice){bytes.ptr + n, bytes.len - n};
    }
    *whole = leat_decompressor_at_border(d);
    leat_decompressor_free(d);
    return status;
}

static void what_is_compressed_comes_back(void)
{
    for (int k = LEAT_COMPRESSION_NONE; k <= LEAT_COMPRESSION_LZ4; k++) {
        enum leat_compression kind = (enum leat_compression)k;
        for (size_t len = 0; len <= 400000; len = len * 7 + 1) {
            struct leat_slice text = sample(len), bytes = compressed(kind, text);
            const size_t pieces[] = {1 << 20, 65536, 1009, 1};
            for (int i = 0; i < (len < 10000 ? 4 : 3); i++) {
                struct leat_bytes back = {.arena = &arena};
                bool whole;
                OK(read_back(kind, bytes, pieces[i], i % 2 ? 4096 : 1 << 17, &back, &whole));
                CU_ASSERT(whole);
                CU_ASSERT(leat_slice_eq(leat_bytes_slice(&back), text));
            }
            leat_arena_reset(&arena);
        }
    }
}

static void a_cut_or_damaged_stream_is_noticed(void)
{
    for (int k = LEAT_COMPRESSION_GZIP; k <= LEAT_COMPRESSION_DEFLATE; k++) {
        enum leat_compression kind = (enum leat_compression)k;
        struct leat_slice bytes = compressed(kind, sample(5000));
        for (size_t cut = 1; cut < bytes.len; cut += 13) {
            struct leat_bytes back = {.arena = &arena};
            bool whole;
            OK(read_back(kind, (struct leat_slice){bytes.ptr, cut}, 4096, 4096, &back, &whole));
            CU_ASSERT_FALSE(whole);
        }
        char *damaged = leat_arena_alloc(&arena, bytes.len);
        for (size_t at = 0; at < bytes.len; at += 7) {
            struct leat_bytes back = {.arena = &arena};
            bool whole;
            memcpy(damaged, bytes.ptr, bytes.len);
            damaged[at] ^= 0x40;
            enum leat_status status =
                read_back(kind, (struct leat_slice){damaged, bytes.len}, 4096, 4096, &back, &whole);
            CU_ASSERT(status == LEAT_OK || status == LEAT_E_CORRUPT);
        }
        leat_arena_reset(&arena);
    }
}

static void deflate_is_one_frame_and_what_stands_behind_it_is_nothing(void)
{
    for (size_t len = 1; len <= 400000; len = len * 7 + 1) {
        struct leat_compressor *c = leat_compressor_new(LEAT_COMPRESSION_DEFLATE, &err);
        struct leat_bytes bytes = {.arena = &arena};
        struct leat_slice text = sample(len);
        CU_ASSERT_PTR_NOT_NULL_FATAL(c);
        OK(leat_compressor_write(c, text, true, append, &bytes, &err));
        leat_compressor_free(c);
        leat_bytes_put(&bytes, "\x12\x34", 2);
        for (size_t piece = 1009; piece <= 1 << 20; piece += (1 << 20) - 1009) {
            struct leat_bytes back = {.arena = &arena};
            bool whole;
            OK(read_back(LEAT_COMPRESSION_DEFLATE, leat_bytes_slice(&bytes), piece, 4096, &back,
                         &whole));
            CU_ASSERT(whole);
            CU_ASSERT(leat_slice_eq(leat_bytes_slice(&back), text));
        }
        leat_arena_reset(&arena);
    }
    struct leat_bytes back = {.arena = &arena};
    bool whole;
    OK(read_back(LEAT_COMPRESSION_DEFLATE, (struct leat_slice){0}, 1, 1, &back, &whole));
    CU_ASSERT_FALSE(whole);
    leat_arena_reset(&arena);
}

static void the_extension_says_the_kind(void)
{
    CU_ASSERT_EQUAL(leat_compression_of_path(LEAT_LIT("a/b.jsonl.gz")), LEAT_COMPRESSION_GZIP);
    CU_ASSERT_EQUAL(leat_compression_of_path(LEAT_LIT("b.zst")), LEAT_COMPRESSION_ZSTD);
    CU_ASSERT_EQUAL(leat_compression_of_path(LEAT_LIT("b.lz4")), LEAT_COMPRESSION_LZ4);
    CU_ASSERT_EQUAL(leat_compression_of_path(LEAT_LIT("gz")), LEAT_COMPRESSION_NONE);
}

static void making_one_reports_lack_of_memory(void)
{
    LEAT_OOM_SWEEP {
        struct leat_compressor *c = leat_compressor_new(LEAT_COMPRESSION_GZIP, &err);
        struct leat_decompressor *d = leat_decompressor_new(LEAT_COMPRESSION_GZIP, &err);
        CU_ASSERT((c && d) || err.status == LEAT_E_NOMEM);
        leat_compressor_free(c);
        leat_decompressor_free(d);
    }
}

LEAT_TESTS("compress", T(what_is_compressed_comes_back), T(a_cut_or_damaged_stream_is_noticed),
           T(deflate_is_one_frame_and_what_stands_behind_it_is_nothing),
           T(the_extension_says_the_kind), T(making_one_reports_lack_of_memory))
