/*
 * fuzz_snapshot.c - feeds bytes to the reader of a snapshot's head.
 *
 * Parts of what it accepts lie in the file, one behind the other and each in blocks of its own. The
 * first byte chooses which allocation fails. Inputs are short: zeros up to a whole head are added.
 */
#include "base/mem.h"
#include "store/snapshot.h"

#include <assert.h>
#include <stdlib.h>

#define BYTES_MAX ((size_t)4 * LEAT_FS_BLOCK)

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static unsigned countdown;

static bool gate(void)
{
    return countdown == 0 || --countdown != 0;
}

static void check(const struct leat_snapshot_head *h, size_t bytes)
{
    uint64_t at = h->bytes;

    assert(h->bytes == bytes && h->q < h->partitions);
    for (uint32_t i = 0; i < h->count; i++) {
        assert(h->parts[i].at == at && at % LEAT_FS_BLOCK == 0);
        assert(h->parts[i].bytes <= h->file_bytes - at);
        at += (h->parts[i].bytes + LEAT_FS_BLOCK - 1) / LEAT_FS_BLOCK * LEAT_FS_BLOCK;
    }
    assert(at == h->file_bytes);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct leat_snapshot_head head;
    struct leat_arena arena = {0};
    struct leat_error err;

    if (size < 1 || size > BYTES_MAX)
        return 0;
    char *bytes = calloc(1, BYTES_MAX);
    assert(bytes);
    memcpy(bytes, data + 1, size - 1);
    size_t len = leat_snapshot_head_bytes((struct leat_slice){bytes, LEAT_FS_BLOCK});
    countdown = data[0];
    leat_mem_gate = gate;
    if (leat_snapshot_head_read((struct leat_slice){bytes, len < BYTES_MAX ? len : BYTES_MAX},
                                &head, &arena, &err) == LEAT_OK)
        check(&head, len);
    leat_mem_gate = NULL;
    assert(arena.bytes <= 64 * BYTES_MAX);
    leat_arena_reset(&arena);
    free(bytes);
    return 0;
}
