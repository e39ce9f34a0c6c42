/*
 * Tests engine/op/state_table.c, state_image.c and state_copy.c: all 512 ways to put a key or to
 * remove it in nine operations, three to a generation. What is copied at the beginning of a
 * generation stays as it was, whatever comes behind it; what is the table, and what is a copy and
 * the changes behind it, are an array's.
 */
#include "data/key.h"
#include "leat_test.h"
#include "op/state_table.h"

#include <stdio.h>

#define GENERATIONS 3
#define OPERATIONS  3 /* of a generation */
#define KEYS        (1 << (GENERATIONS * OPERATIONS))

static struct leat_error err;

/* Numbers by key; -1: the key is not there. */
struct numbers {
    int of[KEYS];
};

struct table {
    struct leat_arena arena, bytes;
    struct leat_state_table table;
};

struct name {
    char text[16];
    struct leat_slice key;
    uint32_t hash;
};

static void name_of(int k, struct name *n)
{
    n->key = (struct leat_slice){n->text, (size_t)snprintf(n->text, sizeof n->text, "k%d", k)};
    n->hash = leat_state_hash(leat_key_hash(n->key));
}

static void table_init(struct table *t)
{
    memset(t, 0, sizeof *t);
    leat_state_table_init(&t->table, &t->arena, false);
}

static void table_fini(struct table *t)
{
    leat_arena_reset(&t->arena);
    leat_arena_reset(&t->bytes);
}

static int number_of(const struct leat_state_table *t, int k)
{
    struct name n;

    name_of(k, &n);
    uint32_t entry = leat_state_find(t, n.key, n.hash);
    if (!entry)
        return -1;
    struct leat_slice value = leat_state_value(t, entry);
    char text[16] = "";
    memcpy(text, value.ptr, value.len < sizeof text ? value.len : sizeof text - 1);
    return atoi(text);
}

/* By key, and walked over: each once and no other. */
static void check(const struct leat_state_table *t, const struct numbers *wanted)
{
    struct leat_state_walk walk = {0};
    unsigned wrong = 0, alive = 0, walked = 0;

    for (int k = 0; k < KEYS; k++) {
        wrong += number_of(t, k) != wanted->of[k];
        alive += wanted->of[k] >= 0;
    }
    while (leat_state_next(t, &walk))
        walked++;
    CU_ASSERT_EQUAL_FATAL(wrong, 0);
    CU_ASSERT_EQUAL_FATAL(walked, alive);
    CU_ASSERT_EQUAL_FATAL(t->keys, alive);
}

static void put_or_remove(struct leat_state_table *t, int k, bool put, int number,
                          struct numbers *wanted)
{
    char text[16];
    struct name n;

    name_of(k, &n);
    uint32_t entry = leat_state_find(t, n.key, n.hash);
    wanted->of[k] = put ? number : -1;
    if (put)
        OK(leat_state_put(
            t, n.key, n.hash,
            (struct leat_slice){text, (size_t)snprintf(text, sizeof text, "%d", number)}, 0, &entry,
            &err));
    else if (entry)
        OK(leat_state_remove(t, entry, &err));
}

/* What the image says is what the numbers were when it was begun. */
static void check_image(struct leat_bytes *image, const struct numbers *then)
{
    struct table read;

    table_init(&read);
    OK(leat_state_read(&read.table, leat_bytes_slice(image), &err));
    check(&read.table, then);
    table_fini(&read);
}

static void generation(struct table *t, struct table *follower, int first, uint64_t *random,
                       struct numbers *now)
{
    const struct numbers then = *now;
    struct leat_bytes image = {.arena = &t->bytes}, delta = {.arena = &t->bytes};
    bool copied = false;

    OK(leat_state_snapshot(&t->table, &image, &err));
    for (int operation = first; operation < first + OPERATIONS; operation++) {
        for (int k = 0; k < KEYS; k++) {
            *random = *random * 6364136223846793005u + 1442695040888963407u;
            put_or_remove(&t->table, k, (k >> operation & 1) == 0, (int)(*random >> 40), now);
            if (!copied && k % 100 == 99)
                copied = leat_state_snapshot_more(&t->table, &(size_t){1});
        }
        check(&t->table, now);
        leat_state_batch_ends(&t->table);
        check(&t->table, now);
    }
    while (!copied)
        copied = leat_state_snapshot_more(&t->table, &(size_t){1});
    check_image(&image, &then);
    OK(leat_state_append(&t->table, &delta, &err));
    OK(leat_state_read(&follower->table, leat_bytes_slice(&delta), &err));
    check(&follower->table, now);
}

static void every_sequence_of_puts_and_removals_over_copies_does_what_an_array_does(void)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct table t, follower;
        struct numbers now;
        uint64_t random = seed;
        memset(&now, -1, sizeof now);
        table_init(&t);
        table_init(&follower);
        t.table.logged = true; /* a follower takes what changed */
        for (int g = 0; g < GENERATIONS; g++)
            generation(&t, &follower, g * OPERATIONS, &random, &now);
        table_fini(&follower);
        table_fini(&t);
    }
}

/* As a restart does: the table that goes on is the one that was read. */
static void every_sequence_goes_on_in_a_copy_and_leaves_the_first_as_it_was(void)
{
    struct table t[GENERATIONS + 1];
    struct numbers now, before[GENERATIONS];
    uint64_t random = 77;

    memset(&now, -1, sizeof now);
    table_init(&t[0]);
    for (int g = 0; g < GENERATIONS; g++) {
        struct leat_bytes image = {.arena = &t[g].bytes};
        OK(leat_state_snapshot(&t[g].table, &image, &err));
        CU_ASSERT_TRUE(leat_state_snapshot_more(&t[g].table, &(size_t){SIZE_MAX}));
        table_init(&t[g + 1]);
        OK(leat_state_read(&t[g + 1].table, leat_bytes_slice(&image), &err));
        before[g] = now;
        for (int operation = g * OPERATIONS; operation < (g + 1) * OPERATIONS; operation++)
            for (int k = 0; k < KEYS; k++) {
                random = random * 6364136223846793005u + 1442695040888963407u;
                put_or_remove(&t[g + 1].table, k, (k >> operation & 1) == 0, (int)(random >> 40),
                              &now);
                check(&t[g].table, &before[g]);
                if (number_of(&t[g + 1].table, k) != now.of[k])
                    CU_FAIL_FATAL("the copy differs");
            }
        check(&t[g + 1].table, &now);
    }
    for (int g = 0; g < GENERATIONS; g++)
        check(&t[g].table, &before[g]);
    for (int g = 0; g <= GENERATIONS; g++)
        table_fini(&t[g]);
}

LEAT_TESTS("state_generations",
           T(every_sequence_of_puts_and_removals_over_copies_does_what_an_array_does),
           T(every_sequence_goes_on_in_a_copy_and_leaves_the_first_as_it_was))
