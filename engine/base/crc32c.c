#include "base/crc32c.h"

#ifdef __x86_64__
#include <nmmintrin.h>
#endif

/* Of four bits: small enough to stay near. */
static const uint32_t table[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t leat_crc32c_portable(struct leat_slice bytes)
{
    uint32_t crc = ~UINT32_C(0);

    for (size_t i = 0; i < bytes.len; i++) {
        crc ^= (unsigned char)bytes.ptr[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t by_processor(struct leat_slice bytes)
{
    uint64_t crc = ~UINT32_C(0), word;
    size_t i = 0;

    for (; i + sizeof word <= bytes.len; i += sizeof word) {
        memcpy(&word, bytes.ptr + i, sizeof word);
        crc = _mm_crc32_u64(crc, word);
    }
    for (; i < bytes.len; i++)
        crc = _mm_crc32_u8((uint32_t)crc, (unsigned char)bytes.ptr[i]);
    return ~(uint32_t)crc;
}

uint32_t leat_crc32c(struct leat_slice bytes)
{
    return __builtin_cpu_supports("sse4.2") ? by_processor(bytes) : leat_crc32c_portable(bytes);
}
#else
uint32_t leat_crc32c(struct leat_slice bytes)
{
    return leat_crc32c_portable(bytes);
}
#endif
