/*
 * file_reader.h - the bytes of one text file from any position, compressed or not.
 *
 * Positions of a compressed file are those of its text. Reading on where the last read ended goes
 * straight on; any other position is reached by reading from the start.
 *
 * Thread: job.
 */
#ifndef LEAT_CONNECTORS_FILE_READER_H
#define LEAT_CONNECTORS_FILE_READER_H

#include "leat.h"

#include <sys/types.h>

struct file_reader {
    const char *path; /* NULL: not open */
    uint32_t part;
    uint64_t used;     /* counts up: which one was used longest ago */
    int64_t skip_from; /* from here on is the rest of a line that was too long; -1: nothing is */
    enum leat_compression compression;
    const struct leat_fs *fs; /* where it is: file_place.h */
    int fd;
    int64_t changed_ms; /* as of the last look at it: open, check, left */

    struct leat_decompressor *decompressor;
    char *packed;      /* PACKED_BYTES of the file */
    int64_t packed_at; /* of the next ones */
    struct leat_slice rest;
    bool all_read;    /* of the file; the decompressor may still hold some */
    bool more;        /* it does, or rest is not empty */
    int64_t position; /* of the next byte of text */
    char *back;       /* text that was put back, in front of what the decompressor gives */
    size_t back_len;

    void *container; /* the format's own reader of this file (data/container.h), or NULL */
};

/* `path` and the env's `fs` outlive the reader. LEAT_E_LOST: there is no such file any more. */
LEAT_CHECKED enum leat_status file_reader_open(struct file_reader *r, const struct leat_fs *fs,
                                               const char *path, struct leat_error *err);
void file_reader_close(struct file_reader *r); /* also one that is not open */

/* A file that is read may grow, but not lose any bytes: *most is how many it had at most so far,
 * and is brought up to date. LEAT_E_LOST: it has less now. */
LEAT_CHECKED enum leat_status file_reader_check(struct file_reader *r, int64_t *most,
                                                struct leat_error *err);

/* How much text there is behind `from`, at least; -1: not known. LEAT_E_LOST: it ends before. */
LEAT_CHECKED enum leat_status file_reader_left(struct file_reader *r, int64_t from, int64_t *left,
                                               struct leat_error *err);

/* Fill room bytes from `from` on; *n is less only at the end. */
LEAT_CHECKED enum leat_status file_reader_read(struct file_reader *r, int64_t from, char *into,
                                               size_t room, size_t *n, struct leat_error *err);

/* The last bytes that were read will be read again. */
LEAT_CHECKED enum leat_status file_reader_put_back(struct file_reader *r, struct leat_slice bytes,
                                                   struct leat_error *err);

#endif
