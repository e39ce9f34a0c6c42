/*
 * fuzz_mqtt_messages.c - feeds bytes to the reader of the messages that a log record holds.
 *
 * What it accepts must come back as the same bytes. The first byte chooses which allocation fails.
 */
#include "../../sinks/mqtt/messages.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static unsigned countdown;

static bool gate(void)
{
    return countdown == 0 || --countdown != 0;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct mqtt_messages r = {0};
    struct leat_arena arena = {0};
    struct leat_error err;

    if (size < 1 || size > 65536)
        return 0;
    struct leat_slice bytes = {(const char *)data + 1, size - 1};
    countdown = data[0];
    leat_mem_gate = gate;
    if (mqtt_messages_read(&r, bytes, &err) == LEAT_OK) {
        struct leat_bytes again = {.arena = &arena};
        mqtt_messages_write(&r, &again);
        assert(again.failed || leat_slice_eq(leat_bytes_slice(&again), bytes));
    }
    leat_mem_gate = NULL;
    assert(r.arena.bytes <= 64 * (size + 65536));
    mqtt_messages_free(&r);
    leat_arena_reset(&arena);
    return 0;
}
