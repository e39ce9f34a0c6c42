/*
 * fuzz_raw_records.c - feeds files to the format raw, which cuts them into records of one length.
 */
#include "container_target.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    const struct leat_setting setting = {LEAT_LIT("length"), LEAT_LIT("7"), false};

    return fuzz_container("raw", &setting, 1, data, size);
}
