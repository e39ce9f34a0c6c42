/*
 * fuzz_tzif.c - feeds bytes to the reader of zone files, and asks what it accepts for some times.
 *
 * The first byte chooses which allocation fails.
 */
#include "base/mem.h"
#include "expr/zone.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static unsigned countdown;

static bool gate(void)
{
    return countdown == 0 || --countdown != 0;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const int64_t times[] = {-62135596800, -2000000000, 0, 1700000000, 253402300799};
    struct leat_arena arena = {.cap = 1 << 20};
    const char *why, *abbreviation;

    if (size < 1 || size > 65536)
        return 0;
    countdown = data[0];
    leat_mem_gate = gate;
    const struct leat_zone *z =
        leat_zone_read((struct leat_slice){(const char *)data + 1, size - 1}, &arena, &why);
    for (size_t i = 0; z && i < sizeof times / sizeof *times; i++) {
        int32_t offset = leat_zone_offset(z, times[i], &abbreviation);
        assert(offset >= -26 * 3600 && offset <= 26 * 3600);
        assert(strlen(abbreviation) <= 512);
        (void)leat_zone_to_utc(z, times[i]);
    }
    leat_mem_gate = NULL;
    leat_arena_reset(&arena);
    return 0;
}
