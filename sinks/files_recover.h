/*
 * files_recover.h - what the files sink notes of a batch, and what it makes of that after a crash.
 *
 * A section lists the files that became final with the batch, and those that are still rolled, with
 * the length they have at its end. Recovery cuts each to that length and gives it its final name; a
 * temporary file that no section lists is removed if nothing in it was committed. If something was,
 * the record is lost (a state directory that is gone): then it is cut behind its last whole row and
 * kept, for the source may have been told already.
 */
#ifndef LEAT_SINKS_FILES_RECOVER_H
#define LEAT_SINKS_FILES_RECOVER_H

#include "files_set.h"

void files_section_put(const struct files_set *set, struct leat_bytes *section);

LEAT_CHECKED enum leat_status files_section_recover(const struct leat_env *env, uint64_t n,
                                                    struct leat_slice section,
                                                    struct leat_error *err);

/* What is left of batches that were not committed. */
LEAT_CHECKED enum leat_status files_sweep(const struct files_paths *paths, struct leat_error *err);

#endif
