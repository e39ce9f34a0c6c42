/*
 * file_lines.h - how many lines there are in what was read of a file. Thread: any.
 */
#ifndef LEAT_CONNECTORS_FILE_LINES_H
#define LEAT_CONNECTORS_FILE_LINES_H

#include "leat.h"

/* The first `most` lines of these bytes, or all of them (most 0). *rows: how many they are; of all,
 * about: judged by the first ones, for counting them would cost what reading them does. */
struct leat_slice file_lines_take(const char *bytes, size_t len, uint32_t most, uint32_t *rows);

#endif
