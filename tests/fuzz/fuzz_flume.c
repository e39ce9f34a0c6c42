/*
 * fuzz_flume.c - feeds bytes to the reader of Flume's calls and answers: frames, hello, protocol,
 * events.
 *
 * What it takes of an event must be headers that a row's reader takes, too, and the memory is never
 * more than what arrived, rounded up. The first byte chooses which allocation fails, the second how
 * the bytes arrive.
 */
#include "../../connectors/flume/frames.h"
#include "../../connectors/flume/protocol.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static unsigned countdown;

static bool gate(void)
{
    return countdown == 0 || --countdown != 0;
}

static void check_headers(const struct flume_event *event)
{
    size_t size = flume_headers_size(event);
    char *bytes = malloc(size + 1);
    struct leat_slice rest = {bytes, size}, name, value;
    uint32_t count = 0;

    assert(bytes);
    flume_put_headers(event, bytes);
    if (size) {
        assert(leat_take_u32(&rest, &count) && count == event->headers);
        while (count-- > 0)
            assert(leat_take_header(&rest, &name, &value));
    }
    assert(rest.len == 0);
    free(bytes);
}

static void read_events(struct leat_slice parameter, bool list)
{
    struct flume_events events = flume_events_of(parameter, list, 100);
    struct flume_event event;
    const char *why;
    size_t count = 0;

    while (flume_events_next(&events, &event, &why) == FLUME_STEP_EVENT) {
        check_headers(&event);
        count++;
    }
    assert(count <= parameter.len / 2 + 1);
}

static void read_answer(struct leat_slice answer)
{
    struct leat_slice plain = answer, text;
    struct flume_match match;
    int64_t status;
    bool failed;

    if (flume_take_match(&answer, &match))
        (void)!flume_take_status(&answer, &status, &failed, &text);
    if (flume_take_status(&plain, &status, &failed, &text) && text.ptr)
        assert(plain.ptr == text.ptr + text.len);
}

static void read_call(struct leat_slice call)
{
    struct leat_slice plain = call, name;
    struct flume_hello hello;
    struct leat_error err;

    if (flume_take_hello(&call, &hello)) {
        if (hello.protocol.ptr)
            (void)!flume_protocol_check(hello.protocol, &err);
        if (flume_take_name(&call, &name))
            read_events(call, !leat_slice_eq(name, LEAT_LIT("append")));
    }
    if (flume_take_name(&plain, &name))
        read_events(plain, !leat_slice_eq(name, LEAT_LIT("append")));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct leat_budget budget = {.cap = 1 << 20};
    struct flume_room room = {.max = 1 << 18, .budget = &budget};
    struct flume_frames frames = {.max_bytes = 1 << 17, .room = &room};
    struct leat_error err;
    size_t at = 2, piece;
    char *into;

    if (size < 2 || size > 65536)
        return 0;
    countdown = data[0];
    piece = data[1] ? data[1] : SIZE_MAX;
    leat_mem_gate = gate;
    while (at < size) {
        size_t len;
        if (flume_frames_want(&frames, &into, &len, &err) != LEAT_OK)
            break;
        assert(len > 0);
        len = len < piece ? len : piece;
        len = len < size - at ? len : size - at;
        memcpy(into, data + at, len);
        at += len;
        if (flume_frames_took(&frames, len, &err) != LEAT_OK)
            break;
        if (flume_frames_whole(&frames)) {
            read_call((struct leat_slice){frames.payload, frames.used});
            read_answer((struct leat_slice){frames.payload, frames.used});
            flume_frames_next(&frames);
        }
    }
    leat_mem_gate = NULL;
    assert(atomic_load(&budget.peak) <= 2 * (size + 4096));
    flume_frames_fini(&frames);
    assert(room.used == 0 && atomic_load(&budget.used) == 0);
    return 0;
}
