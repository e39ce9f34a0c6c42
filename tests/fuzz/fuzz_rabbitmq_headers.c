/*
 * fuzz_rabbitmq_headers.c - feeds the bytes of an AMQP table to librabbitmq and what it makes of
 * them to the writer of a row's headers, which must write what can be read again, within bounds.
 */
#include "../../connectors/rabbitmq/headers.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static char bytes[RABBIT_HEADERS_BYTES];
    struct rabbit_headers h = {.bytes = bytes};
    struct leat_slice from, name, value;
    amqp_bytes_t encoded = {.len = size, .bytes = (void *)(uintptr_t)data};
    amqp_pool_t pool;
    amqp_table_t table = {0};
    size_t offset = 0;
    uint32_t count = 0;

    if (size > 131072)
        return 0;
    init_amqp_pool(&pool, 4096);
    rabbit_headers_begin(&h);
    if (amqp_decode_table(encoded, &pool, &table, &offset) == AMQP_STATUS_OK)
        rabbit_headers_put_table(&h, &table);
    from = rabbit_headers_end(&h);
    assert(from.len <= sizeof bytes);
    assert(leat_take_u32(&from, &count) && count <= RABBIT_HEADERS_MAX + 1);
    while (count-- > 0)
        assert(leat_take_header(&from, &name, &value));
    assert(from.len == 0);
    empty_amqp_pool(&pool);
    return 0;
}
