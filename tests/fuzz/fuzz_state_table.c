/*
 * fuzz_state_table.c - feeds bytes to the reader of state per key: images and changes.
 *
 * The first byte chooses which allocation fails, the second whether keys have times and whether the
 * bytes behind it are read, or say which bytes of a good image are changed before that is read.
 * What could be read is used as operators do: walked, put, removed, timed out, written again.
 */
#include "base/mem.h"
#include "data/key.h"
#include "op/state_table.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static unsigned countdown;

static bool gate(void)
{
    return countdown == 0 || --countdown != 0;
}

static uint32_t hash_of(struct leat_slice key)
{
    return leat_state_hash(leat_key_hash(key));
}

/* As a batch would. */
static void use(struct leat_state_table *t, struct leat_arena *out)
{
    struct leat_state_walk walk = {0};
    struct leat_bytes delta = {.arena = out}, all = {.arena = out};
    struct leat_error err;
    uint32_t number, n = 0;

    while ((number = leat_state_next(t, &walk)) && n++ < 1000) {
        struct leat_slice key = leat_arena_copy(out, leat_state_key(t, number));
        if (!key.ptr)
            return;
        if (n % 3 == 0 && leat_state_remove(t, number, &err) != LEAT_OK)
            return;
        if (n % 3 == 1 && leat_state_put(t, key, hash_of(key), LEAT_LIT("another value"), n,
                                         &number, &err) != LEAT_OK)
            return;
        number = leat_state_find(t, key, hash_of(key));
        if (number)
            leat_state_value(t, number);
    }
    for (n = 0; t->timed && n < 1000 && (number = leat_state_take_due(t, INT64_MAX / 2)); n++)
        if (leat_state_remove(t, number, &err) != LEAT_OK)
            return;
    if (leat_state_append(t, &delta, &err) == LEAT_OK &&
        leat_state_snapshot(t, &all, &err) == LEAT_OK)
        leat_state_snapshot_more(t, &(size_t){SIZE_MAX});
}

static void read_state(bool timed, struct leat_slice bytes)
{
    struct leat_arena arena = {.cap = 1 << 24}, out = {.cap = 1 << 24};
    struct leat_state_table t = {0};
    struct leat_error err;

    leat_state_table_init(&t, &arena, timed);
    if (leat_state_read(&t, bytes, &err) == LEAT_OK) {
        leat_wheel_next_ms(&t.wheel);
        use(&t, &out);
    }
    leat_arena_reset(&arena);
    leat_arena_reset(&out);
}

/* An image with a few keys, for inputs that change bytes of it. */
static struct leat_bytes good_image(bool timed, unsigned keys, struct leat_arena *arena)
{
    struct leat_arena own = {0};
    struct leat_state_table t = {0};
    struct leat_bytes all = {.arena = arena};
    struct leat_error err;
    uint32_t number;

    leat_state_table_init(&t, &own, timed);
    for (uint32_t i = 0; i < keys; i++) {
        struct leat_slice key = {(const char *)&i, sizeof i};
        if (leat_state_put(&t, key, hash_of(key), LEAT_LIT("value"), 1000 * i, &number, &err) ||
            (i % 5 == 4 && leat_state_remove(&t, number, &err)))
            abort();
    }
    if (leat_state_snapshot(&t, &all, &err) != LEAT_OK ||
        !leat_state_snapshot_more(&t, &(size_t){SIZE_MAX}))
        abort();
    leat_arena_reset(&own);
    return all;
}

/* Threes of bytes: where, and what. The places are those that are not zero, for there are few. */
static void change(struct leat_bytes *image, const unsigned char *data, size_t size)
{
    for (; size >= 3; data += 3, size -= 3) {
        size_t wanted = (size_t)data[0] << 8 | data[1], at = 0;
        for (size_t seen = 0; at + 1 < image->len; at++)
            if (image->ptr[at] && seen++ == wanted)
                break;
        image->ptr[at] = (char)data[2];
    }
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct leat_arena arena = {0};

    if (size < 2 || size > 65536)
        return 0;
    bool timed = data[1] & 1;
    struct leat_slice bytes = {(const char *)data + 2, size - 2};
    if (data[1] & 2) {
        struct leat_bytes image = good_image(timed, data[1] >> 2, &arena);
        change(&image, data + 2, size - 2);
        bytes = leat_bytes_slice(&image);
    }
    countdown = data[0];
    leat_mem_gate = gate;
    read_state(timed, bytes);
    leat_mem_gate = NULL;
    leat_arena_reset(&arena);
    return 0;
}
