/*
 * pull_client.h - the engine's side of a pull source whose answers come from another thread.
 */
#ifndef LEAT_PULL_CLIENT_H
#define LEAT_PULL_CLIENT_H

#include "instance.h"

#include <semaphore.h>

#define PULL_PARTS 64

struct pull_answer {
    struct leat_block *block; /* NULL: error says why */
    struct leat_error error;
    sem_t done;
};

struct pull_client {
    struct instance i;
    struct leat_part parts[PULL_PARTS]; /* by id */
    uint32_t parts_count;
    bool no_headers, earliest, kept; /* of every fetch */
    int64_t by_ms;
    uint32_t max_rows;
};

/* A source with these options, opened. Its budget may be changed before pull_open(). */
void pull_init(struct pull_client *c, const char *name, const char *const *settings);
void pull_open(struct pull_client *c);
void pull_close(struct pull_client *c);

/* Ask for the partitions there are now. The status, with its text in `pull_error`. */
enum leat_status pull_partitions(struct pull_client *c);
extern struct leat_error pull_error;

/* The partition of that name; fails the test when there is none. */
const struct leat_part *pull_part(const struct pull_client *c, const char *name);

/* Begin a fetch; await waits for its answer (30 s at most) and is called once per begin. */
void pull_begin(struct pull_client *c, struct pull_answer *a, uint32_t part, int64_t from,
                size_t max_bytes);
void pull_await(struct pull_answer *a);
bool pull_has_answer(struct pull_answer *a);

/* Both at once. NULL: pull_error says why. */
struct leat_block *pull_fetch(struct pull_client *c, uint32_t part, int64_t from, size_t max_bytes);

/* Rows of `part` from `from` to its end, with each() for every one. *next: behind them. Transient
 * failures are tried again. Fails the test on any other. */
int pull_read(struct pull_client *c, uint32_t part, int64_t from, size_t max_bytes, int64_t *next,
              void (*each)(const struct leat_row *row, void *arg), void *arg);

#endif
