/*
 * raw.h - the parts of the format raw: records of any length, and files of records of one length.
 */
#ifndef LEAT_FORMAT_RAW_H
#define LEAT_FORMAT_RAW_H

#include "leat.h"

#define RAW_LENGTH_MAX (INT64_C(1) << 28)

struct raw {
    int64_t length; /* of every record; 0: they may have any */

    const uint32_t *columns; /* that get the bytes */
    uint32_t columns_count;
};

extern const struct leat_container raw_container;

#endif
