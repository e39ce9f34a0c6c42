/*
 * container.h - formats that frame whole files themselves: a header, then blocks of records.
 *
 * What stands in such a file only the format knows, so it gets the bytes from whoever has the file
 * and makes the blocks; a sink gets from it what stands around its rows. Positions of such a file
 * count records.
 */
#ifndef LEAT_DATA_CONTAINER_H
#define LEAT_DATA_CONTAINER_H

#include "data/block.h"
#include "data/compress.h"
#include "data/format.h"

/* A file and how its bytes are had: up to `room` from `at` on into `into`; *n is less only at its
 * end. */
struct leat_container_file {
    const char *path;
    enum leat_status (*read)(void *arg, int64_t at, char *into, size_t room, size_t *n,
                             struct leat_error *err);
    void *arg;
};

struct leat_container {
    /* Do the options of this format ask for it? */
    bool (*used)(const void *self);

    /* One file that is read: what is known of it between two fetches. NULL: no memory. `self` and
     * env outlive it. */
    void *(*open)(const void *self, const struct leat_env *env);
    void (*close)(void *reader); /* NULL is fine */

    /* The records from number `from` on, about max_bytes of them, in a sealed block, and no further
     * frame behind max_rows (0: any number); at_end when there are no more now. What is damaged is
     * a row that decode() makes an error of. `whole`: nobody writes the file any more, so what is
     * cut off at its end is damaged as well; else it is waited for. LEAT_E_LOST: there are not so
     * many records. Thread: job. */
    enum leat_status (*fetch)(void *reader, const struct leat_container_file *file, int64_t from,
                              size_t max_bytes, uint32_t max_rows, bool whole,
                              struct leat_block **block, struct leat_error *err);

    /* What a sink keeps to pack rows with, whatever files they go to. NULL: no memory. */
    void *(*packer)(const void *self);
    void (*packer_free)(void *packer); /* NULL is fine */

    /* `count` encoded rows (1 or more), one behind the other, become a block of the file, handed to
     * out(): after any of them it is whole. What stands in front of the first one is the format's
     * preamble(). The same rows give the same bytes. LEAT_E_DATA: they are too long for a block;
     * nothing was handed out. Thread: the sink's. */
    enum leat_status (*pack)(void *packer, struct leat_slice rows, uint32_t count,
                             leat_compressed *out, void *arg, struct leat_error *err);

    /* Where the last whole block of a file ends that this format has written; 0: it has none. */
    enum leat_status (*whole)(const void *self, const struct leat_container_file *file,
                              int64_t *end, struct leat_error *err);
};

/* Of a format that works so by its options; else NULL. */
static inline const struct leat_container *leat_container_of(const struct leat_module *format,
                                                             const void *self)
{
    const struct leat_container *c = format ? format->format->container : NULL;

    return c && c->used(self) ? c : NULL;
}

#endif
