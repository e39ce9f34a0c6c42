/*
 * fuzz_sequence_file.c - feeds files to the reader of SequenceFiles.
 */
#include "container_target.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    return fuzz_container("sequence_file", NULL, 0, data, size);
}
