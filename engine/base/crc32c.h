/*
 * crc32c.h - the checksum of what lies on disk (Castagnoli polynomial, RFC 3720 appendix B.4).
 */
#ifndef LEAT_BASE_CRC32C_H
#define LEAT_BASE_CRC32C_H

#include "base/slice.h"

#include <stdint.h>

uint32_t leat_crc32c(struct leat_slice bytes); /* some GB/s where the processor has it */

/* The same on every processor: what the one above is where it must be. */
uint32_t leat_crc32c_portable(struct leat_slice bytes);

#endif
