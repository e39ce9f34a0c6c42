/*
 * block_front.h - what stands before the blocks in a frame of the block store.
 *
 *     front: u32 places | u32 blocks | the places | the blocks                (little endian)
 *     place: u32 part | i64 next | i64 done
 *     block: u32 part | i64 from | i64 to | u32 rows | u32 bytes | u32 CRC32C of these bytes
 *
 * The bytes of the blocks, framed rows, follow in this order; they fill the rest of the payload. A
 * place says how far a partition has come: the number of its next row, and up to where its rows are
 * in committed batches.
 *
 * Inside engine/store only. Thread: any.
 */
#ifndef LEAT_STORE_BLOCK_FRONT_H
#define LEAT_STORE_BLOCK_FRONT_H

#include "base/bytes.h"

#define LEAT_BLOCK_PARTS 64 /* of a source */
#define LEAT_BLOCK_GROUP 16 /* blocks in a frame */
#define LEAT_BLOCK_FRONT_MAX                                                                       \
    ((size_t)8 + (size_t)LEAT_BLOCK_PARTS * 20 + (size_t)LEAT_BLOCK_GROUP * 32)

struct leat_block_place {
    uint32_t part;
    int64_t next, done;
};

struct leat_block_entry {
    uint32_t part;
    int64_t from, to;
    uint32_t rows, bytes, crc;
    uint64_t at; /* behind the front; computed */
};

struct leat_block_front {
    struct leat_block_place places[LEAT_BLOCK_PARTS];
    struct leat_block_entry blocks[LEAT_BLOCK_GROUP];
    uint32_t places_count, blocks_count;
};

/* Into LEAT_BLOCK_FRONT_MAX bytes; returns what was written. */
struct leat_slice leat_block_front_write(const struct leat_block_front *f, char *into);

/* False: these are not the bytes of a front, or of more than there can be. */
LEAT_CHECKED bool leat_block_front_read(struct leat_slice bytes, struct leat_block_front *f);

/* Is the payload a front of so many bytes, and are all the blocks behind it what they were? */
LEAT_CHECKED bool leat_block_front_matches(struct leat_slice payload, size_t front_bytes);

#endif
