#include "run/source_env.h"

#include "data/container.h"

struct opened {
    const struct leat_remote *remote;
    const struct leat_fs *fs;
};

static void close_it(void *arg)
{
    const struct opened *o = arg;

    if (o->fs)
        o->remote->close(o->fs);
}

enum leat_status leat_remote_env(const struct leat_module *remote, struct leat_env *env,
                                 struct leat_arena *arena, struct leat_error *err)
{
    struct opened *o;

    if (!remote)
        return LEAT_OK;
    o = leat_arena_alloc(arena, sizeof *o);
    if (!o || !leat_arena_on_reset(arena, close_it, o))
        return leat_arena_failed(arena, err);
    o->remote = remote->remote;
    if (o->remote->open(env, &o->fs, err) != LEAT_OK) {
        o->fs = NULL;
        return err->status;
    }
    env->fs = o->fs;
    return LEAT_OK;
}

enum leat_status leat_source_env(const struct leat_plan_source *plan, struct leat_env *env,
                                 struct leat_arena *arena, struct leat_error *err)
{
    env->max_record_bytes = plan->max_record_bytes;
    env->container = leat_container_of(plan->format, plan->format_self);
    env->container_self = plan->format_self;
    env->paths = plan->paths;
    return leat_remote_env(plan->remote, env, arena, err);
}
