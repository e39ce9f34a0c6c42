/*
 * fuzz_avro_container.c - feeds files to the container reader of the avro format.
 */
#include "container_target.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    const struct leat_setting setting = {LEAT_LIT("framing"), LEAT_LIT("container"), false};

    return fuzz_container("avro", &setting, 1, data, size);
}
