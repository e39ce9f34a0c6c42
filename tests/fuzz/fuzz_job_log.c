/*
 * fuzz_job_log.c - feeds bytes to the reader of records of the job log.
 *
 * What it accepts must come back as the same bytes. The first byte chooses which allocation fails.
 */
#include "base/mem.h"
#include "store/job_log.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static unsigned countdown;

static bool gate(void)
{
    return countdown == 0 || --countdown != 0;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct leat_arena arena = {0};
    struct leat_log_record r;
    struct leat_error err;

    if (size < 1 || size > 65536)
        return 0;
    struct leat_slice bytes = {(const char *)data + 1, size - 1};
    countdown = data[0];
    leat_mem_gate = gate;
    if (leat_log_record_read(bytes, &r, &arena, &err) == LEAT_OK) {
        struct leat_bytes again = {.arena = &arena};
        if (leat_log_record_write(&r, &again))
            assert(leat_slice_eq(leat_bytes_slice(&again), bytes));
    }
    leat_mem_gate = NULL;
    assert(arena.bytes <= 64 * (size + 65536));
    leat_arena_reset(&arena);
    return 0;
}
