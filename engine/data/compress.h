/*
 * compress.h - gzip, zstd and lz4 of text files, as streams of whole frames; deflate and zlib of
 * blocks.
 *
 * The first three allow frames one behind the other, and that is what is written: who has to be
 * able to cut a file at some place ends a frame there, and goes on with the next. A reader passes
 * over the borders and says whether it stands at one. Reading is bounded by the room that the
 * caller gives, whatever the bytes promise; a zstd window above 8 MiB is refused.
 *
 * A compressor or decompressor belongs to one thread at a time. zlib takes its memory through
 * mem.h; libzstd and liblz4 take theirs themselves (below 9 MiB).
 */
#ifndef LEAT_DATA_COMPRESS_H
#define LEAT_DATA_COMPRESS_H

#include "base/error.h"
#include "base/slice.h"

enum leat_compression {
    LEAT_COMPRESSION_NONE,
    LEAT_COMPRESSION_GZIP,
    LEAT_COMPRESSION_ZSTD,
    LEAT_COMPRESSION_LZ4,
    LEAT_COMPRESSION_DEFLATE, /* for bytes that are framed otherwise: with nothing around it, so
                                 there is one frame only, and what is read behind it is nothing */
    LEAT_COMPRESSION_ZLIB,    /* the same bytes with zlib's header and sum: frames as of gzip */
};

/* By the extension: .gz, .zst, .lz4; NONE for all others. */
LEAT_API enum leat_compression leat_compression_of_path(struct leat_slice path);

struct leat_compressor;

/* NONE passes bytes through. Levels are those of the command line tools. Free with
 * leat_compressor_free(); NULL after an error. */
LEAT_API struct leat_compressor *leat_compressor_new(enum leat_compression kind,
                                                     struct leat_error *err);

/* Takes compressed bytes, at most 128 KiB a call, borrowed for the call. What it returns other than
 * LEAT_OK ends the write with that status and its text in err. */
typedef enum leat_status leat_compressed(void *arg, struct leat_slice bytes,
                                         struct leat_error *err);

/* Compress `text` and hand out what that gives. With `end` the frame is ended and everything is
 * handed out; the next write begins another frame. Ending where no frame is open gives nothing. */
LEAT_API LEAT_CHECKED enum leat_status leat_compressor_write(struct leat_compressor *c,
                                                             struct leat_slice text, bool end,
                                                             leat_compressed *out, void *arg,
                                                             struct leat_error *err);
LEAT_API void leat_compressor_free(struct leat_compressor *c); /* NULL is fine */

struct leat_decompressor;

LEAT_API struct leat_decompressor *leat_decompressor_new(enum leat_compression kind,
                                                         struct leat_error *err);

/* Take from the front of *from and write at most `room` bytes (above 0) to `into`; *made says how
 * many. LEAT_OK with *made < room means that *from is used up and more of it is needed. Call again
 * with what is left of *from while *made == room, also when *from is empty: the library may still
 * hold bytes. LEAT_E_CORRUPT: these bytes are no such stream; nothing can be read any more. */
LEAT_API LEAT_CHECKED enum leat_status leat_decompressor_read(struct leat_decompressor *d,
                                                              struct leat_slice *from, char *into,
                                                              size_t room, size_t *made,
                                                              struct leat_error *err);

/* Between frames? At the end of a file false means that it was cut off. Deflate: behind its frame.
 */
LEAT_API bool leat_decompressor_at_border(const struct leat_decompressor *d);
LEAT_API void leat_decompressor_free(struct leat_decompressor *d); /* NULL is fine */

#endif
