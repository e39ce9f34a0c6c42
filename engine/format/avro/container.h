/*
 * container.h - Avro's object container files: a header, then blocks of records.
 *
 *     "Obj" 1 | map<bytes>: avro.schema, avro.codec, ... | 16 bytes: the sync marker
 *     long: records | long: bytes | so many bytes, packed | the sync marker
 *
 * The position of a record is its number in the file (data/container_reader.h).
 */
#ifndef LEAT_AVRO_CONTAINER_H
#define LEAT_AVRO_CONTAINER_H

#include "answer.h"
#include "avro.h"

#define AVRO_SYNC_BYTES  16
#define AVRO_HEAD_BYTES  ((size_t)4 * 1024 * 1024)  /* longest header */
#define AVRO_BLOCK_BYTES ((size_t)64 * 1024 * 1024) /* longest block, packed or not */
#define AVRO_BLOCK_EMPTY 65536 /* records that a block may have beyond what it has bytes */

/* In the order of the option `codec`. */
enum avro_codec { AVRO_CODEC_NULL, AVRO_CODEC_DEFLATE, AVRO_CODEC_SNAPPY, AVRO_CODEC_ZSTANDARD };

extern const char *const avro_codecs[]; /* their names in a header, NULL at the end */

/* ---- codec.c: bytes packed and unpacked */

/* Append what `packed` holds to the block, which grows; LEAT_E_CORRUPT: it is not what the codec
 * makes, or more than AVRO_BLOCK_BYTES. */
LEAT_CHECKED enum leat_status avro_unpack(enum avro_codec codec, struct leat_slice packed,
                                          struct leat_block **block, struct leat_error *err);

struct avro_packer;

struct avro_packer *avro_packer_new(enum avro_codec codec); /* NULL: no memory */
void avro_packer_free(struct avro_packer *p);               /* NULL is fine */

/* *packed is the packer's own, until it is used again, or the rows themselves. */
LEAT_CHECKED enum leat_status avro_pack(struct avro_packer *p, struct leat_slice rows,
                                        struct leat_slice *packed, struct leat_error *err);

/* ---- snappy.c: what the library of snappy does; without.c has none */

/* Of what is packed in it. LEAT_E_CORRUPT: nothing is. */
LEAT_CHECKED enum leat_status avro_snappy_length(struct leat_slice packed, size_t *len,
                                                 struct leat_error *err);
/* *len: the room that there is, then how much of it is used. */
LEAT_CHECKED enum leat_status avro_snappy_unpack(struct leat_slice packed, char *to, size_t *len,
                                                 struct leat_error *err);
size_t avro_snappy_most(size_t bytes); /* that so many become */
LEAT_CHECKED enum leat_status avro_snappy_pack(struct leat_slice rows, char *to, size_t *len,
                                               struct leat_error *err);

#define AVRO_LONG_BYTES 10

/* n, not negative, as a long; how many bytes that takes. */
static inline size_t avro_long(char into[AVRO_LONG_BYTES], uint64_t n)
{
    size_t len = 0;

    for (n <<= 1; n > 0x7f; n >>= 7)
        into[len++] = (char)(n | 0x80);
    into[len++] = (char)n;
    return len;
}

/* ---- container_head.c: what a file begins with */

struct avro_head {
    enum avro_codec codec;
    struct leat_slice schema; /* borrowed from the header's bytes */
    char sync[AVRO_SYNC_BYTES];
    size_t bytes; /* of the header */
};

/* LEAT_E_FULL: it goes on behind these bytes. LEAT_E_CORRUPT: it is none, or cannot be used. */
LEAT_CHECKED enum leat_status avro_head_read(struct leat_slice bytes, struct avro_head *head,
                                             struct leat_error *err);

/* The header of what is written. False: no memory. */
LEAT_CHECKED bool avro_head_make(struct leat_slice schema, enum avro_codec codec,
                                 struct leat_arena *arena, struct leat_slice *bytes);

/* ---- container_rows.c: the records of a block */

/* What the records of a chunk were written with, or why they cannot be read. */
struct avro_written {
    struct leat_coding coding; /* of blocks with such records */
    struct avro_answer made;
    struct leat_slice text; /* of the schema */
    const char *damage;     /* NULL: there is none */
    struct avro_written *next;
};

/* In front of the bytes of each piece of a leat_block, which is one block of a file. */
struct avro_piece {
    int64_t first;   /* position of its first record */
    uint32_t count;  /* of positions */
    uint32_t bytes;  /* that follow */
    uint32_t damage; /* so many of them say what is damaged, and a 0; 0: nothing is */
    uint32_t most;   /* bytes in the row of a record that is damaged */
};

enum leat_status avro_rows_next(struct leat_cursor *c, const struct leat_block *b,
                                struct leat_chunk *into, struct leat_error *err);

/* ---- container_frames.c: the blocks of a file, one behind the other */

/* parts[0]: the records, packed. */
#define AVRO_NEXT_BYTES ((size_t)2 * AVRO_LONG_BYTES)
enum leat_status avro_frames_next(struct leat_container_reader *r, struct leat_slice front,
                                  struct leat_frame *frame, struct leat_error *err);

/* ---- container_read.c, container_write.c: what leat_container asks for */

extern const struct leat_container avro_container;
extern const struct leat_container_kind avro_container_kind;

/* What a format knows of the files that it reads: their schemas, each once. In arena, and ends with
 * it. NULL: no memory. */
struct avro_files;
struct avro_files *avro_files_new(const struct avro *a, struct leat_arena *arena);

/* How records of this schema are read; LEAT_E_CONFIG: they cannot be. Thread: job. */
LEAT_CHECKED enum leat_status avro_files_written(struct avro_files *files, struct leat_slice schema,
                                                 const struct avro_written **written,
                                                 struct leat_error *err);

void *avro_container_packer(const void *self);
void avro_container_packer_free(void *packer);
enum leat_status avro_container_pack(void *packer, struct leat_slice rows, uint32_t count,
                                     leat_compressed *out, void *arg, struct leat_error *err);
enum leat_status avro_container_whole(const void *self, const struct leat_container_file *file,
                                      int64_t *end, struct leat_error *err);

#endif
