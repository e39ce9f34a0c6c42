/* sha256.h - SHA-256 (FIPS 180-4) of bytes in one call, without allocation. Thread: any. */
#ifndef LEAT_EXPR_SHA256_H
#define LEAT_EXPR_SHA256_H

#include "base/slice.h"

#include <stdint.h>

void sha256(struct leat_slice bytes, uint8_t digest[32]);

#endif
