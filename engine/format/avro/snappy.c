/* snappy.c - the codec snappy, with its library. */
#include "container.h"

#include <snappy-c.h>

const bool avro_is_whole = true;

enum leat_status avro_snappy_length(struct leat_slice packed, size_t *len, struct leat_error *err)
{
    return snappy_uncompressed_length(packed.ptr, packed.len, len) == SNAPPY_OK
               ? LEAT_OK
               : leat_fail(err, LEAT_E_CORRUPT, "not snappy");
}

enum leat_status avro_snappy_unpack(struct leat_slice packed, char *to, size_t *len,
                                    struct leat_error *err)
{
    return snappy_uncompress(packed.ptr, packed.len, to, len) == SNAPPY_OK
               ? LEAT_OK
               : leat_fail(err, LEAT_E_CORRUPT, "not snappy");
}

size_t avro_snappy_most(size_t bytes)
{
    return snappy_max_compressed_length(bytes);
}

enum leat_status avro_snappy_pack(struct leat_slice rows, char *to, size_t *len,
                                  struct leat_error *err)
{
    return snappy_compress(rows.ptr, rows.len, to, len) == SNAPPY_OK
               ? LEAT_OK
               : leat_fail(err, LEAT_E_IO, "snappy failed");
}
