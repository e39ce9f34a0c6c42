/* case_map.h - upper and lower case of one code point. Private to functions_*.c. */
#ifndef LEAT_EXPR_CASE_MAP_H
#define LEAT_EXPR_CASE_MAP_H

#include <stdint.h>

/* The other case, or c itself. Its UTF-8 may have 3 bytes where that of c has 2. */
uint32_t case_lower(uint32_t c);
uint32_t case_upper(uint32_t c);

#endif
