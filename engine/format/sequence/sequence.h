/*
 * sequence.h - Hadoop's SequenceFiles, version 6: a header, then records of a key and a value.
 *
 *     "SEQ" 6 | key class | value class | compressed? | by blocks? | codec class, if compressed |
 *     i32: pairs of metadata | so many texts and texts | 16 bytes: the sync marker
 *
 * By records:  i32: length of key and value | i32: of the key | key | value, packed by itself
 *              or, here and there, i32: -1 | the sync marker
 * By blocks:   i32: -1 | the sync marker | vint: records | four times vint: bytes | so many,
 * packed: lengths of the keys as vints, keys, lengths of the values, values
 *
 * Numbers have their high byte first. A text is its length as a vint, and its bytes.
 *
 * The position of a record is its number in the file (data/container_reader.h).
 */
#ifndef LEAT_SEQUENCE_H
#define LEAT_SEQUENCE_H

#include "leat.h"

#include <endian.h>

#define SEQUENCE_SYNC_BYTES   16
#define SEQUENCE_MARK_BYTES   (4 + SEQUENCE_SYNC_BYTES)  /* with the -1 in front */
#define SEQUENCE_FRONT_BYTES  8                          /* the two lengths of a record */
#define SEQUENCE_HEAD_BYTES   ((size_t)1024 * 1024)      /* longest header */
#define SEQUENCE_RECORD_BYTES ((size_t)64 * 1024 * 1024) /* longest record; part of a block */
#define SEQUENCE_BLOCK_COUNT  ((int64_t)4 * 1024 * 1024) /* records of a block */

/* Of a key or a value; the first two can be written. */
enum sequence_class {
    SEQUENCE_TEXT,
    SEQUENCE_BYTES,
    SEQUENCE_NULL,
    SEQUENCE_BOOLEAN,
    SEQUENCE_INT,
    SEQUENCE_LONG,
    SEQUENCE_FLOAT,
    SEQUENCE_DOUBLE,
    SEQUENCE_CLASSES
};

/* In the order of the option `compress`. */
enum sequence_packing { SEQUENCE_PLAIN, SEQUENCE_RECORDS, SEQUENCE_BLOCKS };

struct sequence {
    struct leat_choice key, value, compress, codec;

    struct leat_slice head; /* of what is written */
    const struct leat_path *paths;
    size_t paths_count;
    const struct leat_shape *shape; /* of a whole record */
};

static inline enum leat_compression sequence_compression(const struct sequence *s)
{
    return s->codec.index ? LEAT_COMPRESSION_GZIP : LEAT_COMPRESSION_ZLIB;
}

/* ---- numbers */

static inline int32_t sequence_take_i32(const char *p)
{
    uint32_t n;

    memcpy(&n, p, sizeof n);
    return (int32_t)be32toh(n);
}

static inline void sequence_put_i32(char *p, int32_t n)
{
    uint32_t u = htobe32((uint32_t)n);

    memcpy(p, &u, sizeof u);
}

#define SEQUENCE_VINT_BYTES 9

/* The number at the front of *from is taken off. False: *from is too short for it. */
static inline bool sequence_take_vint(struct leat_slice *from, int64_t *n)
{
    if (from->len == 0)
        return false;
    int first = (signed char)from->ptr[0];
    size_t more = first >= -112 ? 0 : (size_t)(first >= -120 ? -112 - first : -120 - first);
    uint64_t u = 0;

    if (from->len <= more)
        return false;
    for (size_t i = 1; i <= more; i++)
        u = u << 8 | (unsigned char)from->ptr[i];
    *n = more == 0 ? first : (int64_t)(first >= -120 ? u : ~u);
    *from = (struct leat_slice){from->ptr + more + 1, from->len - more - 1};
    return true;
}

/* n, not negative; how many bytes that takes. */
static inline size_t sequence_vint(char into[SEQUENCE_VINT_BYTES], uint64_t n)
{
    size_t len = 0;

    if (n <= 127) {
        into[0] = (char)n;
        return 1;
    }
    while (len < 8 && n >> 8 * len)
        len++;
    into[0] = (char)(-112 - (int)len);
    for (size_t i = 0; i < len; i++)
        into[1 + i] = (char)(n >> 8 * (len - 1 - i));
    return len + 1;
}

/* ---- head.c: what a file begins with */

struct sequence_head {
    enum sequence_class key, value;
    enum sequence_packing packing;
    enum leat_compression codec;
    char sync[SEQUENCE_SYNC_BYTES];
    size_t bytes; /* of the header */
};

/* LEAT_E_FULL: it goes on behind these bytes. LEAT_E_CORRUPT: it is none, or cannot be used. */
LEAT_CHECKED enum leat_status
sequence_head_read(struct leat_slice bytes, struct sequence_head *head, struct leat_error *err);

/* The header of what is written. False: no memory. */
LEAT_CHECKED bool sequence_head_make(const struct sequence *s, struct leat_arena *arena,
                                     struct leat_slice *bytes);

/* ---- frames.c: records and blocks of a file, one behind the other */

/* A file that is read. */
struct sequence_reader {
    struct leat_container_reader base;
    struct sequence_head head;
    size_t max_record; /* a longer one is cut to one byte more */
    struct leat_decompressor *decompressor;
};

/* A record's parts are key and value, a block's its four. */
#define SEQUENCE_NEXT_BYTES (SEQUENCE_MARK_BYTES + SEQUENCE_VINT_BYTES)
enum leat_status sequence_next(struct leat_container_reader *base, struct leat_slice front,
                               struct leat_frame *frame, struct leat_error *err);

/* ---- rows.c: records in memory */

/* What the rows of a chunk are made of, or why they are no records. */
struct sequence_written {
    struct leat_coding coding; /* of blocks with such records */
    enum sequence_class key, value;
    const char *damage; /* NULL: there is none */
};

const struct sequence_written *sequence_written(enum sequence_class key, enum sequence_class value);

/* In front of each row of a leat_block. Then come, of a record, the length of the key, key and
 * value as in a file that is not compressed; of damage, why, with a 0, and what stands in the file.
 */
struct sequence_row {
    int64_t position;
    uint32_t bytes;  /* behind the text */
    uint32_t damage; /* bytes of the text; 0: a record */
};

/* ---- read.c, write.c: what leat_container asks for */

extern const struct leat_container sequence_container;
extern const struct leat_container_kind sequence_kind;

void *sequence_packer(const void *self);
void sequence_packer_free(void *packer);
enum leat_status sequence_pack(void *packer, struct leat_slice rows, uint32_t count,
                               leat_compressed *out, void *arg, struct leat_error *err);
enum leat_status sequence_whole(const void *self, const struct leat_container_file *file,
                                int64_t *end, struct leat_error *err);

#endif
