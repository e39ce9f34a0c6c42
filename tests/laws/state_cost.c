/*
 * state_cost.c - work on a table of state, for test_state.py to count: `state_cost WHAT KEYS`.
 *
 * Counting is off until the part that is meant, so tables of millions of keys can be made first.
 * Run without valgrind it does the same and says how long that part took.
 */
#include "data/key.h"
#include "op/state_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <valgrind/callgrind.h>

#define TOUCHED 1000 /* keys of a batch */
#define BATCHES 5

static struct leat_arena arena;
static struct leat_state_table table;
static uint64_t dice = 42;

static void check(enum leat_status status, const struct leat_error *err)
{
    if (status == LEAT_OK)
        return;
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

/* As stage 2 does with a row: hash, find, put. */
static void put(uint64_t n, uint64_t value, int64_t due_ms)
{
    char key[9] = {LEAT_INT};
    struct leat_slice bytes = {key, sizeof key};
    struct leat_error err;
    uint32_t number;

    memcpy(key + 1, &n, sizeof n);
    uint32_t hash = leat_state_hash(leat_key_hash(bytes));
    leat_state_find(&table, bytes, hash);
    check(leat_state_put(&table, bytes, hash,
                         (struct leat_slice){(const char *)&value, sizeof value}, due_ms, &number,
                         &err),
          &err);
}

static void fill(uint64_t keys, uint64_t soon)
{
    for (uint64_t n = 0; n < keys; n++) {
        put(n, n, n < soon ? (int64_t)n : 1000000 + (int64_t)(n * 7919 % 86400000));
        if (n % 10000 == 9999)
            leat_state_batch_ends(&table);
    }
    leat_state_batch_ends(&table);
}

static void touch(uint64_t keys)
{
    for (int batch = 0; batch < BATCHES; batch++) {
        for (int i = 0; i < TOUCHED; i++) {
            dice = dice * 6364136223846793005u + 1442695040888963407u;
            put((dice >> 20) % keys, dice, 2000000 + (int64_t)(dice >> 40));
        }
        leat_state_take_due(&table, batch);
        leat_state_batch_ends(&table);
    }
}

/* Each batch is a dump of its own. */
static void grow(uint64_t keys)
{
    for (uint64_t n = 0; n < keys; n++) {
        put(n, n, 1000000 + (int64_t)n);
        if (n % TOUCHED != TOUCHED - 1)
            continue;
        leat_state_batch_ends(&table);
        CALLGRIND_DUMP_STATS;
    }
}

static void expire(void)
{
    struct leat_error err;
    uint32_t number, count = 0;

    for (; (number = leat_state_take_due(&table, TOUCHED)); count++)
        check(leat_state_remove(&table, number, &err), &err);
    leat_state_batch_ends(&table);
    if (count != TOUCHED)
        exit(2);
}

static void write_image(struct leat_bytes *image)
{
    struct leat_error err;

    check(leat_state_snapshot(&table, image, &err), &err);
    if (!leat_state_snapshot_more(&table, &(size_t){SIZE_MAX}))
        exit(2);
}

static void read_image(const struct leat_bytes *image)
{
    struct leat_error err;

    check(leat_state_read(&table, leat_bytes_slice(image), &err), &err);
}

int main(int argc, char **argv)
{
    struct leat_arena image_arena = {0};
    struct leat_bytes image = {.arena = &image_arena};
    struct timespec from, to;

    if (argc != 3)
        return 2;
    const char *what = argv[1];
    uint64_t keys = strtoull(argv[2], NULL, 10);
    leat_state_table_init(&table, &arena, true);
    leat_wheel_stand(&table.wheel, 0);
    if (strcmp(what, "grow") != 0 && strcmp(what, "insert") != 0)
        fill(keys, strcmp(what, "expire") == 0 ? TOUCHED : 0);
    if (strcmp(what, "read") == 0)
        write_image(&image);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    CALLGRIND_START_INSTRUMENTATION;
    if (strcmp(what, "touch") == 0)
        touch(keys);
    else if (strcmp(what, "grow") == 0)
        grow(keys);
    else if (strcmp(what, "expire") == 0)
        expire();
    else if (strcmp(what, "read") == 0)
        read_image(&image);
    else if (strcmp(what, "insert") == 0)
        fill(keys, 0);
    else
        return 2;
    CALLGRIND_STOP_INSTRUMENTATION;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    printf("%s %s: %.3f ms of CPU, %.1f bytes of memory a key\n", what, argv[2],
           (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6,
           (double)arena.bytes / (double)(table.keys ? table.keys : 1));
    return 0;
}
