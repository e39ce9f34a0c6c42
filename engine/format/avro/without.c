/*
 * without.c - in the place of client.c and snappy.c where neither library is linked: in libleat, so
 * that programs need no libcurl for their object files.
 *
 * avro_check() refuses the options that would lead here, but for the codec of a file that is read.
 */
#include "client.h"
#include "container.h"

const bool avro_is_whole = false;

enum leat_status avro_client_ask(struct avro_client *c, const char *path, struct leat_slice send,
                                 long *status, struct leat_error *err)
{
    (void)c, (void)path, (void)send, (void)status;
    return leat_fail(err, LEAT_E_CONFIG, "the C library asks no schema registry");
}

void avro_client_close(struct avro_client *c)
{
    (void)c;
}

static enum leat_status no_snappy(struct leat_error *err)
{
    return leat_fail(err, LEAT_E_CORRUPT, "it is packed by snappy, which the C library has not");
}

enum leat_status avro_snappy_length(struct leat_slice packed, size_t *len, struct leat_error *err)
{
    (void)packed, (void)len;
    return no_snappy(err);
}

enum leat_status avro_snappy_unpack(struct leat_slice packed, char *to, size_t *len,
                                    struct leat_error *err)
{
    (void)packed, (void)to, (void)len;
    return no_snappy(err);
}

size_t avro_snappy_most(size_t bytes)
{
    return bytes;
}

enum leat_status avro_snappy_pack(struct leat_slice rows, char *to, size_t *len,
                                  struct leat_error *err)
{
    (void)rows, (void)to, (void)len;
    return no_snappy(err);
}
