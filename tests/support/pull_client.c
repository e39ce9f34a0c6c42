#include "pull_client.h"

#include "leat_test.h"

#include <stdio.h>
#include <time.h>

#define ANSWER_SECONDS 30

struct leat_error pull_error;

void pull_init(struct pull_client *c, const char *name, const char *const *settings)
{
    *c = (struct pull_client){0};
    instance_init(&c->i, name, settings);
    c->i.module = leat_module_find_source(name);
}

void pull_open(struct pull_client *c)
{
    struct leat_error err;

    OK(c->i.module->pull->open(c->i.self, &c->i.env, &err));
}

void pull_close(struct pull_client *c)
{
    c->i.module->pull->close(c->i.self);
    instance_fini(&c->i);
}

static void keep_part(void *arg, const struct leat_part *p)
{
    struct pull_client *c = arg;

    CU_ASSERT_FATAL(p->id < PULL_PARTS);
    c->parts[p->id] = *p;
    if (p->id >= c->parts_count)
        c->parts_count = p->id + 1;
}

enum leat_status pull_partitions(struct pull_client *c)
{
    return c->i.module->pull->partitions(c->i.self, keep_part, c, &pull_error);
}

const struct leat_part *pull_part(const struct pull_client *c, const char *name)
{
    for (uint32_t i = 0; i < c->parts_count; i++)
        if (leat_slice_eq(c->parts[i].name, leat_slice_str(name)))
            return &c->parts[i];
    printf("    there is no partition '%s'\n", name);
    CU_FAIL_FATAL("no such partition");
    return NULL;
}

static void done(void *arg, const struct leat_fetch *fetch, struct leat_block *block,
                 const struct leat_error *error)
{
    struct pull_answer *a = arg;

    (void)fetch;
    a->block = block;
    a->error = *error;
    sem_post(&a->done);
}

void pull_begin(struct pull_client *c, struct pull_answer *a, uint32_t part, int64_t from,
                size_t max_bytes)
{
    struct leat_fetch want = {.part = part,
                              .from = from,
                              .max_bytes = max_bytes,
                              .max_rows = c->max_rows,
                              .no_headers = c->no_headers,
                              .kept = c->kept,
                              .by_ms = c->by_ms,
                              .earliest = c->earliest};

    *a = (struct pull_answer){0};
    sem_init(&a->done, 0, 0);
    c->i.module->pull->fetch(c->i.self, &want, done, a);
}

bool pull_has_answer(struct pull_answer *a)
{
    int value;

    sem_getvalue(&a->done, &value);
    return value > 0;
}

void pull_await(struct pull_answer *a)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ANSWER_SECONDS;
    CU_ASSERT_EQUAL_FATAL(sem_timedwait(&a->done, &until), 0);
    sem_destroy(&a->done);
}

struct leat_block *pull_fetch(struct pull_client *c, uint32_t part, int64_t from, size_t max_bytes)
{
    struct pull_answer a;

    pull_begin(c, &a, part, from, max_bytes);
    pull_await(&a);
    pull_error = a.error;
    if (a.block)
        CU_ASSERT(a.block->sealed &&
                  (a.block->from == from || (c->earliest && a.block->from < from)) &&
                  a.block->to >= a.block->from && a.block->part == part);
    return a.block;
}

static int walk(const struct leat_block *b, struct leat_chunk *chunk,
                void (*each)(const struct leat_row *row, void *arg), void *arg)
{
    struct leat_cursor cursor = {0};
    struct leat_error err;
    int rows = 0;

    do {
        OK(b->coding->next(&cursor, b, chunk, &err));
        for (uint32_t r = 0; r < chunk->rows; r++) {
            CU_ASSERT(chunk->positions[r] >= b->from && chunk->positions[r] < b->to);
            if (each)
                each(&(struct leat_row){.key = chunk->keys[r],
                                        .value = chunk->values[r],
                                        .headers = chunk->headers[r],
                                        .time_ms = chunk->times_ms[r],
                                        .position = chunk->positions[r]},
                     arg);
            rows++;
        }
    } while (chunk->rows);
    return rows;
}

int pull_read(struct pull_client *c, uint32_t part, int64_t from, size_t max_bytes, int64_t *next,
              void (*each)(const struct leat_row *row, void *arg), void *arg)
{
    struct leat_arena arena = {0};
    struct leat_chunk chunk;
    struct leat_error err;
    int rows = 0;
    bool at_end = false;

    OK(leat_chunk_init(&chunk, &arena, LEAT_COL_PATHS, &err));
    while (!at_end) {
        struct leat_block *b = pull_fetch(c, part, from, max_bytes);
        if (!b && leat_status_is_transient(pull_error.status))
            continue;
        if (!b)
            printf("    %s\n", pull_error.text);
        CU_ASSERT_PTR_NOT_NULL_FATAL(b);
        rows += walk(b, &chunk, each, arg);
        from = b->to;
        at_end = b->at_end;
        leat_block_unref(b);
    }
    leat_arena_reset(&arena);
    if (next)
        *next = from;
    return rows;
}
