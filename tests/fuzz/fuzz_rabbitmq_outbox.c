/*
 * fuzz_rabbitmq_outbox.c - feeds bytes to the reader of the messages that a log record holds.
 *
 * What it accepts must come back as the same bytes. The first byte chooses which allocation fails.
 */
#include "../../sinks/rabbitmq/outbox.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static unsigned countdown;

static bool gate(void)
{
    return countdown == 0 || --countdown != 0;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct rabbit_outbox box = {0};
    struct leat_arena arena = {0};
    struct leat_error err;

    if (size < 1 || size > 65536)
        return 0;
    struct leat_slice bytes = {(const char *)data + 1, size - 1};
    countdown = data[0];
    leat_mem_gate = gate;
    if (rabbit_outbox_read(&box, bytes, &err) == LEAT_OK) {
        struct leat_bytes again = {.arena = &arena};
        rabbit_outbox_write(&box, &again);
        assert(again.failed || leat_slice_eq(leat_bytes_slice(&again), bytes));
        assert(box.count == 0 || box.all[box.count - 1] == box.last);
    }
    leat_mem_gate = NULL;
    rabbit_outbox_free(&box);
    leat_arena_reset(&arena);
    return 0;
}
