/*
 * source_env.h - what of its plan a source or a sink finds in its env, the file system among it
 * where that is not ours (base/remote.h). Thread: the owner's of the arena.
 */
#ifndef LEAT_RUN_SOURCE_ENV_H
#define LEAT_RUN_SOURCE_ENV_H

#include "plan/plan.h"

/* Limits, container and file system of a source. */
LEAT_CHECKED enum leat_status leat_source_env(const struct leat_plan_source *plan,
                                              struct leat_env *env, struct leat_arena *arena,
                                              struct leat_error *err);

/* Opens `remote` for one source or sink, as env->fs, and closes it when the arena is reset. Does
 * nothing where it is NULL. */
LEAT_CHECKED enum leat_status leat_remote_env(const struct leat_module *remote,
                                              struct leat_env *env, struct leat_arena *arena,
                                              struct leat_error *err);

#endif
