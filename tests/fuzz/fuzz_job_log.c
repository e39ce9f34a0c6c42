/*
 * fuzz_job_log.c - feeds bytes to the reader of records of the job log.
 *
 * What it accepts is written, and read and written again: both times the same bytes come out. The
 * first byte chooses which allocation fails.
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
        struct leat_bytes once = {.arena = &arena}, twice = {.arena = &arena};
        if (leat_log_record_write(&r, &once)) {
            /* Checksums in the directory of states are the log's to check: here any will do. */
            assert(once.len == bytes.len);
            enum leat_status status =
                leat_log_record_read(leat_bytes_slice(&once), &r, &arena, &err);
            assert(status == LEAT_OK || status == LEAT_E_NOMEM);
            if (status == LEAT_OK && leat_log_record_write(&r, &twice))
                assert(leat_slice_eq(leat_bytes_slice(&once), leat_bytes_slice(&twice)));
        }
    }
    leat_mem_gate = NULL;
    assert(arena.bytes <= 64 * (size + 65536));
    leat_arena_reset(&arena);
    return 0;
}
