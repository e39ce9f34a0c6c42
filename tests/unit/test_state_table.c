/* Tests engine/op/state_table.c, state_heap.c and state_image.c beside a plain array of values. */
#include "data/key.h"
#include "leat_test.h"
#include "op/state_table.h"

#include <stdio.h>

#define KEYS 6000 /* of the model: some segments and pages */

struct model {
    struct leat_arena arena;
    struct leat_state_table table;
    int lengths[KEYS]; /* of the value; -1: the key is not there */
    int64_t due_ms[KEYS];
    char fill[KEYS];
    uint64_t alive, state;
};

static uint64_t rnd(struct model *m, uint64_t below)
{
    m->state = m->state * 6364136223846793005u + 1442695040888963407u;
    return (m->state >> 33) % below;
}

static struct model *model_new(uint64_t seed, bool timed)
{
    struct model *m = calloc(1, sizeof *m);

    m->state = seed;
    for (int i = 0; i < KEYS; i++)
        m->lengths[i] = -1;
    leat_state_table_init(&m->table, &m->arena, timed);
    return m;
}

static void model_free(struct model *m)
{
    leat_arena_reset(&m->arena);
    free(m);
}

struct name {
    char text[300];
    struct leat_slice key;
    uint32_t hash;
};

/* Keys of very different lengths. */
static struct name name_of(uint32_t i)
{
    struct name n;
    int len = snprintf(n.text, sizeof n.text, "key %u", i);

    if (i % 7 == 0)
        len += snprintf(n.text + len, sizeof n.text - (size_t)len, "%*s", (int)(i % 250), "");
    n.key = (struct leat_slice){NULL, (size_t)len};
    n.hash = leat_state_hash(leat_key_hash((struct leat_slice){n.text, (size_t)len}));
    return n;
}

static struct leat_slice key_of(struct name *n)
{
    n->key.ptr = n->text;
    return n->key;
}

static void put(struct model *m, uint32_t i, int length, int64_t due_ms)
{
    static char value[70000];
    struct name n = name_of(i);
    struct leat_error err;
    uint32_t number;
    char fill = (char)('a' + rnd(m, 26));

    memset(value, fill, (size_t)length);
    OK(leat_state_put(&m->table, key_of(&n), n.hash, (struct leat_slice){value, (size_t)length},
                      due_ms, &number, &err));
    CU_ASSERT_EQUAL(number, leat_state_find(&m->table, key_of(&n), n.hash));
    m->alive += m->lengths[i] < 0;
    m->lengths[i] = length;
    m->due_ms[i] = due_ms;
    m->fill[i] = fill;
}

static void drop(struct model *m, uint32_t i)
{
    struct name n = name_of(i);
    struct leat_error err;
    uint32_t number = leat_state_find(&m->table, key_of(&n), n.hash);

    CU_ASSERT_EQUAL(number != 0, m->lengths[i] >= 0);
    if (!number)
        return;
    OK(leat_state_remove(&m->table, number, &err));
    m->lengths[i] = -1;
    m->alive--;
}

static uint32_t index_of(const struct leat_state_table *t, uint32_t number)
{
    char text[16] = "";
    struct leat_slice key = leat_state_key(t, number);

    memcpy(text, key.ptr + 4, key.len - 4 < 15 ? key.len - 4 : 15);
    return (uint32_t)strtoul(text, NULL, 10);
}

static void take_due(struct model *m, int64_t to_ms)
{
    struct leat_error err;
    uint32_t number, left = 0;

    while ((number = leat_state_take_due(&m->table, to_ms))) {
        uint32_t i = index_of(&m->table, number);
        CU_ASSERT(m->lengths[i] >= 0 && m->due_ms[i] <= to_ms);
        OK(leat_state_remove(&m->table, number, &err));
        m->lengths[i] = -1;
        m->alive--;
    }
    for (uint32_t i = 0; i < KEYS; i++)
        left += m->lengths[i] >= 0 && m->due_ms[i] <= to_ms;
    CU_ASSERT_EQUAL(left, 0);
}

static bool value_is(const struct model *m, uint32_t i, struct leat_slice value)
{
    bool same = m->lengths[i] >= 0 && value.len == (size_t)m->lengths[i];

    for (size_t at = 0; same && at < value.len; at++)
        same = value.ptr[at] == m->fill[i];
    return same;
}

/* The table t holds what the model says: by key, and by walking. */
static void check(const struct model *m, const struct leat_state_table *t)
{
    struct leat_state_walk walk = {0};
    uint64_t walked = 0;
    unsigned wrong = 0;

    for (uint32_t i = 0; i < KEYS; i++) {
        struct name n = name_of(i);
        uint32_t number = leat_state_find(t, key_of(&n), n.hash);
        if (!number) {
            wrong += m->lengths[i] >= 0;
            continue;
        }
        wrong += !value_is(m, i, leat_state_value(t, number));
        if (t->timed)
            wrong += leat_state_due_ms(t, number) != m->due_ms[i];
    }
    for (uint32_t number; (number = leat_state_next(t, &walk));)
        walked += value_is(m, index_of(t, number), leat_state_value(t, number));
    CU_ASSERT_EQUAL_FATAL(wrong, 0);
    CU_ASSERT_EQUAL_FATAL(walked, m->alive);
    CU_ASSERT_EQUAL_FATAL(t->keys, m->alive);
}

static int some_length(struct model *m)
{
    static const uint64_t most[] = {4, 30, 300, 5000, 60000};

    return (int)rnd(m, most[rnd(m, 100) ? rnd(m, 3) : 3 + rnd(m, 2)]);
}

static void some_changes(struct model *m, unsigned count, int64_t *now_ms)
{
    for (unsigned i = 0; i < count; i++) {
        uint32_t k = (uint32_t)rnd(m, KEYS);
        if (rnd(m, 4) == 0)
            drop(m, k);
        else
            put(m, k, some_length(m), *now_ms + (int64_t)rnd(m, 100000));
    }
    if (m->table.timed)
        take_due(m, *now_ms += (int64_t)rnd(m, 5000));
}

static void a_table_does_what_an_array_does(void)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct model *m = model_new(seed, seed % 2);
        int64_t now_ms = 1000;
        for (int batch = 0; batch < 60; batch++) {
            some_changes(m, 500, &now_ms);
            leat_state_batch_ends(&m->table);
            if (batch % 10 == 0)
                check(m, &m->table);
        }
        check(m, &m->table);
        CU_ASSERT_EQUAL(m->table.entries, m->alive); /* what was removed is gone */
        model_free(m);
    }
}

static enum leat_status whole_image(struct leat_state_table *t, struct leat_bytes *image,
                                    struct leat_error *err)
{
    if (leat_state_snapshot(t, image, err) != LEAT_OK)
        return err->status;
    CU_ASSERT(leat_state_snapshot_more(t, &(size_t){SIZE_MAX}));
    return LEAT_OK;
}

struct copy {
    struct leat_arena arena, bytes;
    struct leat_state_table table;
};

static void copy_init(struct copy *c, bool timed)
{
    *c = (struct copy){0};
    leat_state_table_init(&c->table, &c->arena, timed);
}

static void copy_fini(struct copy *c)
{
    leat_arena_reset(&c->arena);
    leat_arena_reset(&c->bytes);
}

static void deltas_make_the_same_table(void)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct model *m = model_new(seed, seed % 2);
        struct copy c;
        struct leat_error err;
        int64_t now_ms = 1000;
        copy_init(&c, seed % 2);
        for (int batch = 0; batch < 40; batch++) {
            struct leat_bytes delta = {.arena = &c.bytes};
            some_changes(m, batch % 3 ? 200 : 0, &now_ms);
            leat_state_batch_ends(&m->table);
            OK(leat_state_append(&m->table, &delta, &err));
            OK(leat_state_read(&c.table, leat_bytes_slice(&delta), &err));
            OK(leat_state_read(&c.table, leat_bytes_slice(&delta), &err)); /* twice: no harm */
        }
        check(m, &c.table);
        CU_ASSERT_EQUAL(m->table.entries, m->alive);
        copy_fini(&c);
        model_free(m);
    }
}

static void an_image_is_the_same_table_and_goes_on(void)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct model *m = model_new(seed, seed % 2);
        struct copy c;
        struct leat_error err;
        int64_t now_ms = 1000;
        copy_init(&c, seed % 2);
        struct leat_bytes image = {.arena = &c.bytes}, delta = {.arena = &c.bytes};
        for (int batch = 0; batch < 20; batch++)
            some_changes(m, 500, &now_ms);
        if (seed > 2)
            leat_state_batch_ends(&m->table); /* else with removals that nobody wrote yet */
        OK(whole_image(&m->table, &image, &err));
        OK(leat_state_read(&c.table, leat_bytes_slice(&image), &err));
        check(m, &c.table);
        CU_ASSERT_EQUAL(c.table.entries, m->alive);
        CU_ASSERT_EQUAL(c.table.heap.used <= m->table.heap.used, true);
        /* The model goes on with the table that was read. */
        m->table = c.table;
        m->table.wheel.arg = &m->table;
        for (int batch = 0; batch < 20; batch++)
            some_changes(m, 500, &now_ms);
        check(m, &m->table);
        OK(leat_state_append(&m->table, &delta, &err));
        struct copy again;
        copy_init(&again, seed % 2);
        OK(leat_state_read(&again.table, leat_bytes_slice(&image), &err));
        OK(leat_state_read(&again.table, leat_bytes_slice(&delta), &err));
        check(m, &again.table);
        copy_fini(&again);
        copy_fini(&c);
        model_free(m);
    }
}

/* Both ways: what the one has the other has, and not more. */
static void same_entries(const struct leat_state_table *a, const struct leat_state_table *b)
{
    struct leat_state_walk walk = {0};
    unsigned wrong = 0;

    CU_ASSERT_EQUAL(a->keys, b->keys);
    for (uint32_t number, other; (number = leat_state_next(a, &walk));) {
        struct leat_slice key = leat_state_key(a, number);
        other = leat_state_find(b, key, leat_state_hash(leat_key_hash(key)));
        wrong += !other ||
                 !leat_slice_eq(leat_state_value(a, number), leat_state_value(b, other)) ||
                 (a->timed && leat_state_due_ms(a, number) != leat_state_due_ms(b, other));
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void an_image_that_is_copied_while_the_table_goes_on_is_of_its_beginning(void)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct model *m = model_new(seed, seed % 2);
        struct copy c, of_then;
        struct leat_error err;
        int64_t now_ms = 1000;
        unsigned pieces = 0;
        copy_init(&c, seed % 2);
        copy_init(&of_then, seed % 2);
        struct leat_bytes image = {.arena = &c.bytes}, at_once_image = {.arena = &of_then.bytes};
        for (int batch = 0; batch < 20; batch++)
            some_changes(m, 500, &now_ms);
        if (seed > 2)
            leat_state_batch_ends(&m->table); /* else with removals that nobody wrote yet */
        OK(whole_image(&m->table, &at_once_image, &err));
        OK(leat_state_snapshot(&m->table, &image, &err));
        do {
            some_changes(m, 20, &now_ms);
            leat_state_batch_ends(&m->table);
            pieces++;
        } while (!leat_state_snapshot_more(&m->table, &(size_t){50000}));
        CU_ASSERT(pieces > 3);
        check(m, &m->table);
        OK(leat_state_read(&of_then.table, leat_bytes_slice(&at_once_image), &err));
        OK(leat_state_read(&c.table, leat_bytes_slice(&image), &err));
        same_entries(&of_then.table, &c.table);
        copy_fini(&c);
        copy_fini(&of_then);
        model_free(m);
    }
}

#define BEFORE (22 * 900) /* the next key splits a segment, before any other is in the way */

static void a_table_that_grows_while_it_is_copied_gives_what_it_was(void)
{
    struct leat_arena arena = {0};
    struct leat_state_table t = {0};
    struct copy c;
    struct leat_error err;
    struct leat_bytes image = {.arena = &c.bytes};
    uint32_t number, i = 0, wrong = 0;

    copy_init(&c, false);
    leat_state_table_init(&t, &arena, false);
    for (; i < BEFORE; i++) {
        struct name n = name_of(i);
        OK(leat_state_put(&t, key_of(&n), n.hash, LEAT_LIT("before"), 0, &number, &err));
    }
    uint32_t segments = t.segments_count;
    OK(leat_state_snapshot(&t, &image, &err));
    do {
        for (uint32_t end = i + 2000; i < end; i++) {
            struct name n = name_of(i);
            OK(leat_state_put(&t, key_of(&n), n.hash, LEAT_LIT("since"), 0, &number, &err));
        }
    } while (!leat_state_snapshot_more(&t, &(size_t){16384}));
    CU_ASSERT(t.segments_count > 2 * segments);
    OK(leat_state_read(&c.table, leat_bytes_slice(&image), &err));
    CU_ASSERT_EQUAL(c.table.keys, BEFORE);
    for (i = 0; i < BEFORE; i++) {
        struct name n = name_of(i);
        number = leat_state_find(&c.table, key_of(&n), n.hash);
        wrong += !number || !leat_slice_eq(leat_state_value(&c.table, number), LEAT_LIT("before"));
    }
    CU_ASSERT_EQUAL(wrong, 0);
    copy_fini(&c);
    leat_arena_reset(&arena);
}

static void a_copy_that_nobody_waits_for_any_more_is_left_alone(void)
{
    struct model *m = model_new(2, true);
    struct leat_arena bytes = {0};
    struct leat_bytes image = {.arena = &bytes};
    struct leat_error err;
    int64_t now_ms = 1000;

    for (int batch = 0; batch < 10; batch++)
        some_changes(m, 500, &now_ms);
    OK(leat_state_snapshot(&m->table, &image, &err));
    CU_ASSERT_FALSE(leat_state_snapshot_more(&m->table, &(size_t){1}));
    CU_ASSERT(leat_state_snapshot_more(&m->table, NULL));
    leat_arena_reset(&bytes);
    some_changes(m, 500, &now_ms);
    check(m, &m->table);
    model_free(m);
}

static void a_delta_holds_what_changed_and_nothing_else(void)
{
    struct model *m = model_new(1, false);
    struct leat_arena bytes = {0};
    struct leat_error err;
    struct leat_bytes first = {.arena = &bytes}, none = {.arena = &bytes}, one = {.arena = &bytes};

    for (uint32_t i = 0; i < 1000; i++)
        put(m, i, 10, 0);
    OK(leat_state_append(&m->table, &first, &err));
    CU_ASSERT(first.len > 1000 * 15);
    OK(leat_state_append(&m->table, &none, &err));
    CU_ASSERT_EQUAL(none.len, 0);
    put(m, 77, 20, 0);
    put(m, 77, 900, 0);
    put(m, 77, 20, 0);
    drop(m, 78);
    OK(leat_state_append(&m->table, &one, &err));
    CU_ASSERT(one.len < 150);
    leat_arena_reset(&bytes);
    model_free(m);
}

static void memory_of_keys_that_come_and_go_is_used_again(void)
{
    struct model *m = model_new(3, true);
    size_t early = 0;

    for (int round = 0; round < 200; round++) {
        for (uint32_t i = 0; i < 1000; i++)
            put(m, (uint32_t)(round * 37 + (int)i) % KEYS, 40 + (int)(i % 8), round * 1000);
        take_due(m, round * 1000);
        leat_state_batch_ends(&m->table);
        CU_ASSERT_EQUAL(m->table.heap.used, 0);
        early = round == 20 ? m->arena.bytes : early;
    }
    CU_ASSERT_EQUAL(m->arena.bytes, early);
    model_free(m);
}

static void put_number(struct leat_state_table *t, uint64_t i, size_t value_len, int64_t due_ms)
{
    char key[9] = {LEAT_INT}, value[64] = {0};
    struct leat_error err;
    uint32_t number;

    memcpy(key + 1, &i, sizeof i);
    struct leat_slice bytes = {key, sizeof key};
    OK(leat_state_put(t, bytes, leat_state_hash(leat_key_hash(bytes)),
                      (struct leat_slice){value, value_len}, due_ms, &number, &err));
}

/* Bytes of memory for each key, beyond key and value, at the worst of many sizes. */
static double overhead(bool timed, size_t value_len)
{
    struct leat_arena arena = {0};
    struct leat_state_table t = {0};
    double worst = 0;

    leat_state_table_init(&t, &arena, timed);
    for (uint64_t i = 1; i <= 600000; i++) {
        put_number(&t, i, value_len, (int64_t)i * 10);
        if (i % 1000)
            continue;
        leat_state_batch_ends(&t);
        double each = (double)arena.bytes / (double)i - 9 - (double)value_len;
        if (i >= 200000 && each > worst)
            worst = each;
    }
    leat_arena_reset(&arena);
    return worst;
}

/* Blocks are multiples of 4 bytes: all four remainders count the same. */
static void a_key_takes_40_bytes_at_most_beyond_key_and_value(void)
{
    double plain = 0, timed = 0;

    for (size_t len = 8; len < 12; len++) {
        plain += overhead(false, len) / 4;
        timed += overhead(true, len) / 4;
    }
    printf("    %.1f bytes a key, %.1f with a time\n", plain, timed);
    CU_ASSERT(plain <= 26);
    CU_ASSERT(timed <= 40);
}

static void keys_that_meet_in_one_slot_are_kept_apart(void)
{
    struct leat_arena arena = {0};
    struct leat_state_table t = {0};
    struct leat_error err;
    uint32_t number, lost = 0;

    leat_state_table_init(&t, &arena, false);
    for (uint32_t i = 0; i < 5000; i++)
        OK(leat_state_put(&t, (struct leat_slice){(const char *)&i, sizeof i}, 12345,
                          (struct leat_slice){(const char *)&i, sizeof i}, 0, &number, &err));
    for (uint32_t i = 0; i < 5000; i++) {
        number = leat_state_find(&t, (struct leat_slice){(const char *)&i, sizeof i}, 12345);
        lost += !number || memcmp(leat_state_value(&t, number).ptr, &i, sizeof i) != 0;
    }
    CU_ASSERT_EQUAL(lost, 0);
    leat_arena_reset(&arena);
}

static void what_is_too_long_is_refused(void)
{
    struct leat_arena arena = {0};
    struct leat_state_table t = {0};
    struct leat_error err;
    uint32_t number;
    char *value = calloc(1, LEAT_HEAP_BLOCK_MAX);

    leat_state_table_init(&t, &arena, true);
    CU_ASSERT_EQUAL(leat_state_put(&t, LEAT_LIT("k"), 1,
                                   (struct leat_slice){value, LEAT_HEAP_BLOCK_MAX}, 0, &number,
                                   &err),
                    LEAT_E_DATA);
    CU_ASSERT_STRING_EQUAL(err.text, "the state of one key takes 16 MiB; 16 are the most");
    OK(leat_state_put(&t, LEAT_LIT("k"), 1, (struct leat_slice){value, LEAT_HEAP_BLOCK_MAX - 100},
                      0, &number, &err));
    free(value);
    leat_arena_reset(&arena);
}

static void a_full_arena_is_told_and_the_table_stays_good(void)
{
    struct model *m = model_new(1, true);
    struct leat_error err = {0};
    uint64_t i = 0;
    uint32_t number;

    m->arena.cap = 1 << 20;
    enum leat_status status = LEAT_OK;
    for (; status == LEAT_OK && i < 1000000; i++) {
        struct name n = name_of((uint32_t)i);
        status =
            leat_state_put(&m->table, key_of(&n), n.hash, LEAT_LIT("0123456789"), 0, &number, &err);
    }
    CU_ASSERT_EQUAL(status, LEAT_E_FULL);
    CU_ASSERT(i > 3000);
    uint64_t found = 0;
    for (uint32_t k = 0; k < i; k++) {
        struct name n = name_of(k);
        found += leat_state_find(&m->table, key_of(&n), n.hash) != 0;
    }
    CU_ASSERT(found >= i - 1);
    model_free(m);
}

static void lack_of_memory_is_told_wherever_it_happens(void)
{
    struct leat_arena bytes = {0};
    struct leat_bytes image = {.arena = &bytes};
    struct leat_error err;

    LEAT_OOM_SWEEP {
        struct leat_arena arena = {0};
        struct leat_state_table t = {0}, copy = {0};
        enum leat_status status = LEAT_OK;
        uint32_t number;
        image.len = 0;
        image.failed = false;
        leat_state_table_init(&t, &arena, true);
        leat_state_table_init(&copy, &arena, true);
        for (uint32_t i = 0; status == LEAT_OK && i < 2500; i++) {
            struct name n = name_of(i);
            status = leat_state_put(&t, key_of(&n), n.hash, LEAT_LIT("value"), i, &number, &err);
        }
        if (status == LEAT_OK)
            status = whole_image(&t, &image, &err);
        if (status == LEAT_OK)
            status = leat_state_read(&copy, leat_bytes_slice(&image), &err);
        /* A segment that could not be split is no failure. */
        CU_ASSERT(status == LEAT_OK || (status == LEAT_E_NOMEM && leat_oom_hit()));
        leat_arena_reset(&arena);
    }
    leat_arena_reset(&bytes);
}

static void bytes_of_another_kind_are_refused(void)
{
    struct model *m = model_new(1, false);
    struct copy c;
    struct leat_error err;

    copy_init(&c, true);
    struct leat_bytes image = {.arena = &c.bytes};
    put(m, 1, 10, 0);
    OK(whole_image(&m->table, &image, &err));
    CU_ASSERT_EQUAL(leat_state_read(&c.table, leat_bytes_slice(&image), &err), LEAT_E_CORRUPT);
    CU_ASSERT_EQUAL(leat_state_read(&m->table, LEAT_LIT("X\1\0\0"), &err), LEAT_E_CORRUPT);
    CU_ASSERT_EQUAL(leat_state_read(&m->table, LEAT_LIT("D\2\0\0"), &err), LEAT_E_CORRUPT);
    CU_ASSERT_STRING_EQUAL(err.text, "state of format 2; this program knows format 1");
    for (size_t len = 1; len < image.len; len += 97)
        CU_ASSERT_NOT_EQUAL(leat_state_read(&m->table, (struct leat_slice){image.ptr, len}, &err),
                            LEAT_OK);
    copy_fini(&c);
    model_free(m);
}

LEAT_TESTS("state_table", T(a_table_does_what_an_array_does), T(deltas_make_the_same_table),
           T(an_image_is_the_same_table_and_goes_on),
           T(an_image_that_is_copied_while_the_table_goes_on_is_of_its_beginning),
           T(a_table_that_grows_while_it_is_copied_gives_what_it_was),
           T(a_copy_that_nobody_waits_for_any_more_is_left_alone),
           T(a_delta_holds_what_changed_and_nothing_else),
           T(memory_of_keys_that_come_and_go_is_used_again),
           T(a_key_takes_40_bytes_at_most_beyond_key_and_value),
           T(keys_that_meet_in_one_slot_are_kept_apart), T(what_is_too_long_is_refused),
           T(a_full_arena_is_told_and_the_table_stays_good),
           T(lack_of_memory_is_told_wherever_it_happens), T(bytes_of_another_kind_are_refused))
