/*
 * container_target.h - what the fuzz targets of formats that frame their files share.
 *
 * The first byte chooses which allocation fails, so error paths are fuzzed too; the second whether
 * the file is still written. The rest is the file. It is read at once, block by block, and from the
 * middle on: the rows and their positions are the same.
 */
#ifndef LEAT_TESTS_FUZZ_CONTAINER_TARGET_H
#define LEAT_TESTS_FUZZ_CONTAINER_TARGET_H

#include "leat.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* The module's format with these settings. Returns 0. */
int fuzz_container(const char *module, const struct leat_setting *settings, uint32_t count,
                   const unsigned char *data, size_t size);

#endif
