/*
 * section.h - the fuzz target of a sink whose part of a log record is an outbox.
 *
 * The first byte of the input chooses which allocation fails, the rest is the section. What is
 * accepted must come back as the same bytes, and memory is bounded by the section's size.
 */
#ifndef LEAT_FUZZ_SECTION_H
#define LEAT_FUZZ_SECTION_H

#include "leat.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static unsigned countdown;

static bool gate(void)
{
    return countdown == 0 || --countdown != 0;
}

/* `items` is the sink's zeroed struct with its settings, `box` the outbox in it; `read` and `write`
 * have its type. */
#define FUZZ_SECTION(items, box, read, write)                                                      \
    int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)                             \
    {                                                                                              \
        struct leat_arena arena = {0};                                                             \
        struct leat_error err;                                                                     \
                                                                                                   \
        if (size < 1 || size > 65536)                                                              \
            return 0;                                                                              \
        struct leat_slice bytes = {(const char *)data + 1, size - 1};                              \
        countdown = data[0];                                                                       \
        leat_mem_gate = gate;                                                                      \
        if (read(&(items), bytes, &err) == LEAT_OK) {                                              \
            struct leat_bytes again = {.arena = &arena};                                           \
            write(&(items), &again);                                                               \
            assert(again.failed || leat_slice_eq(leat_bytes_slice(&again), bytes));                \
        }                                                                                          \
        leat_mem_gate = NULL;                                                                      \
        assert((box)->arena.bytes <= 64 * (size + 65536));                                         \
        leat_outbox_free(box);                                                                     \
        leat_arena_reset(&arena);                                                                  \
        return 0;                                                                                  \
    }

#endif
