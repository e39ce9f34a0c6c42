/*
 * file.h - a whole file of the user's, read into memory. Thread: any.
 */
#ifndef LEAT_BASE_FILE_H
#define LEAT_BASE_FILE_H

#include "base/arena.h"

/* A regular file of at most `max` bytes; the text is in the arena. LEAT_E_IO: err names it and says
 * why it cannot be had; out of memory is what the arena says. */
LEAT_API LEAT_CHECKED enum leat_status leat_file_read(const char *path, size_t max,
                                                      struct leat_arena *arena,
                                                      struct leat_slice *text,
                                                      struct leat_error *err);

#endif
