/*
 * snapshot.h - the file of a snapshot: one state partition, its operators' bytes one after the
 * other, each at a multiple of LEAT_FS_BLOCK, so that it is written and read past the page cache.
 *
 *     file: head | bytes of operator 0, zeros to the next block | ... of operator 1 | ...
 *     head: "leatsnp1" | u32 bytes of the head | u32 epoch | u32 q | u32 partitions | u64 n
 *         | u64 bytes of the file | u32 count | per operator: name, u64 shape, u64 bytes, u32
 * CRC32C | zeros | u32 CRC32C of the head so far    (whole blocks; little endian)
 *
 * For engine/store, and for those who only look at a snapshot. Thread: any.
 */
#ifndef LEAT_STORE_SNAPSHOT_H
#define LEAT_STORE_SNAPSHOT_H

#include "store/state_log.h"

struct leat_snapshot_part {
    struct leat_slice name;
    uint64_t shape, bytes;
    uint64_t at; /* in the file */
    uint32_t crc;
};

struct leat_snapshot_head {
    uint32_t bytes, epoch, q, partitions, count;
    uint64_t n, file_bytes;
    struct leat_snapshot_part *parts;
};

/* How long the head is that begins like this; 0: these are no snapshot's first bytes. */
size_t leat_snapshot_head_bytes(struct leat_slice first_block);

/* The whole head, whose CRC is the caller's to check. Names are borrowed, the list is in the arena.
 * LEAT_E_CORRUPT: it makes no sense. */
LEAT_CHECKED enum leat_status leat_snapshot_head_read(struct leat_slice head,
                                                      struct leat_snapshot_head *into,
                                                      struct leat_arena *arena,
                                                      struct leat_error *err);

/* All of it to a new file, synced. */
LEAT_CHECKED enum leat_status leat_snapshot_write(const struct leat_fs *fs, const char *path,
                                                  uint32_t epoch, uint32_t partitions,
                                                  const struct leat_snapshot *s,
                                                  struct leat_error *err);

/* Only the head of the file, checked: what is in it. Names and list are in the arena. */
LEAT_CHECKED enum leat_status leat_snapshot_look(const struct leat_fs *fs, const char *path,
                                                 struct leat_snapshot_head *head,
                                                 struct leat_arena *arena, struct leat_error *err);

/* A file that was read and found whole. */
struct leat_snapshot_image {
    struct leat_snapshot_head head;
    char *memory;     /* of the whole file, and some more; for the next one as well */
    size_t room;      /* there */
    const char *file; /* its first byte: at a multiple of LEAT_FS_BLOCK */
    struct leat_arena arena;
};

/* The image is zeroed, or holds an earlier file. LEAT_E_CORRUPT, LEAT_E_IO: it cannot be used. fini
 * also after a failure. */
LEAT_CHECKED enum leat_status leat_snapshot_read(const struct leat_fs *fs, const char *path,
                                                 struct leat_snapshot_image *image,
                                                 struct leat_error *err);
struct leat_log_state leat_snapshot_entry(const struct leat_snapshot_image *image, uint32_t i);
void leat_snapshot_image_fini(struct leat_snapshot_image *image);

#endif
