#include "run/range_source.h"

#include "run/source_env.h"

#include <inttypes.h>

#define PAUSE_MS    500
#define PATIENCE_MS 30000
#define FETCH_BYTES ((size_t)1024 * 1024)
#define ANSWER_MS   60000

struct answer {
    struct leat_msg msg;
    struct leat_queue *to;
    struct leat_block *block;
    struct leat_error err;
};

/* Thread: any */
static void on_answer(void *arg, const struct leat_fetch *fetch, struct leat_block *block,
                      const struct leat_error *err)
{
    struct answer *a = arg;

    (void)fetch;
    a->block = block;
    a->err = *err;
    leat_queue_put(a->to, &a->msg);
}

/* ---- partitions */

struct listing {
    struct leat_range_source *source;
    bool failed;
};

static void add_part(void *arg, const struct leat_part *p)
{
    struct listing *l = arg;
    struct leat_range_source *s = l->source;

    if (l->failed || leat_range_source_find(s, p->name))
        return;
    if (s->parts_count == s->parts_room) {
        uint32_t room = s->parts_room ? s->parts_room * 2 : 16;
        struct leat_part *grown = leat_arena_array(s->arena, room, sizeof *grown);
        l->failed = !grown;
        if (!grown)
            return;
        if (s->parts_count)
            memcpy(grown, s->parts, s->parts_count * sizeof *grown);
        s->parts = grown;
        s->parts_room = room;
    }
    struct leat_part *into = &s->parts[s->parts_count];
    *into = *p;
    into->name = leat_arena_copy(s->arena, p->name);
    into->topic = leat_arena_copy(s->arena, p->topic);
    l->failed = !into->name.ptr || !into->topic.ptr;
    s->parts_count += !l->failed;
}

const struct leat_part *leat_range_source_find(const struct leat_range_source *s,
                                               struct leat_slice name)
{
    for (uint32_t i = 0; i < s->parts_count; i++)
        if (leat_slice_eq(s->parts[i].name, name))
            return &s->parts[i];
    return NULL;
}

static enum leat_status open_and_list(struct leat_range_source *s, struct leat_error *err)
{
    const struct leat_pull *pull = s->plan->module->pull;
    struct listing l = {.source = s};

    if (!s->is_open) {
        enum leat_status status = pull->open(s->self, &s->env, err);
        if (status != LEAT_OK)
            pull->close(s->self);
        s->is_open = status == LEAT_OK;
        if (status != LEAT_OK)
            return status;
    }
    if (pull->partitions(s->self, add_part, &l, err) != LEAT_OK)
        return err->status;
    return l.failed ? leat_arena_failed(s->arena, err) : LEAT_OK;
}

enum leat_status leat_range_source_know(struct leat_range_source *s, struct leat_slice name,
                                        int64_t from, struct leat_error *err)
{
    const struct leat_pull *pull = s->plan->module->pull;
    struct listing l = {.source = s};

    if (!pull->by_tick || !pull->by_tick->used(s->self))
        return LEAT_OK;
    if (pull->by_tick->known(s->self, name, from, err) != LEAT_OK ||
        pull->partitions(s->self, add_part, &l, err) != LEAT_OK)
        return err->status;
    return l.failed ? leat_arena_failed(s->arena, err) : LEAT_OK;
}

/* False: it cannot heal, or it has been waited for long enough. */
static bool pause_after(struct leat_range_source *s, const struct leat_error *why, int *waited_ms)
{
    if (!leat_status_is_transient(why->status) || *waited_ms >= PATIENCE_MS)
        return false;
    if (*waited_ms == 0)
        leat_warn(&s->log, "%s; trying again for %d s", why->text, PATIENCE_MS / 1000);
    leat_queue_pause(&s->answers, PAUSE_MS);
    *waited_ms += PAUSE_MS;
    return true;
}

enum leat_status leat_range_source_open(struct leat_range_source *s,
                                        const struct leat_plan_source *plan,
                                        const struct leat_env *env, struct leat_arena *arena,
                                        struct leat_error *err)
{
    int waited_ms = 0;

    *s = (struct leat_range_source){.plan = plan, .env = *env, .arena = arena};
    leat_queue_init(&s->answers);
    if (!plan->module->pull)
        return leat_fail(err, LEAT_E_CONFIG, "'%s' cannot be read again", plan->module->name);
    struct leat_slice name = leat_arena_copy(arena, plan->name);
    s->self = leat_arena_alloc(arena, plan->module->self_size);
    if (!s->self || !name.ptr)
        return leat_arena_failed(arena, err);
    if (plan->self)
        memcpy(s->self, plan->self, plan->module->self_size);
    s->log = (struct leat_log){env->job, name.ptr};
    s->env.log = &s->log;
    if (leat_source_env(plan, &s->env, arena, err) != LEAT_OK)
        return err->status;
    while (open_and_list(s, err) != LEAT_OK)
        if (!pause_after(s, err, &waited_ms))
            return err->status;
    return LEAT_OK;
}

/* ---- ranges */

static enum leat_status fetch_once(struct leat_range_source *s, const struct leat_part *part,
                                   int64_t from, struct leat_block **block, struct leat_error *err)
{
    struct answer answer = {.to = &s->answers};
    const struct leat_fetch fetch = {.part = part->id,
                                     .from = from,
                                     .max_bytes = FETCH_BYTES,
                                     .no_headers = !s->plan->needs_headers,
                                     .kept = s->plan->receiver.module != NULL};

    s->plan->module->pull->fetch(s->self, &fetch, on_answer, &answer);
    if (!leat_queue_take_for(&s->answers, ANSWER_MS)) {
        s->plan->module->pull->close(s->self); /* answers, so that nothing points here any more */
        s->is_open = false;
        struct leat_msg *late = leat_queue_try(&s->answers);
        leat_block_unref(late ? answer.block : NULL);
        return leat_fail(err, LEAT_E_LOST, "no answer within %d s", ANSWER_MS / 1000);
    }
    *err = answer.err;
    *block = answer.block;
    return answer.block ? LEAT_OK : err->status;
}

static enum leat_status fetch(struct leat_range_source *s, const struct leat_part *part,
                              int64_t from, struct leat_block **block, struct leat_error *err)
{
    int waited_ms = 0;

    while (fetch_once(s, part, from, block, err) != LEAT_OK)
        if (!pause_after(s, err, &waited_ms))
            return leat_error_prefix(err, "%.*s at position %" PRId64, LEAT_FMT(part->name), from);
    return LEAT_OK;
}

static void unref_all(struct leat_block *b)
{
    for (struct leat_block *next; b; b = next) {
        next = (struct leat_block *)b->msg.next;
        leat_block_unref(b);
    }
}

enum leat_status leat_range_source_read(struct leat_range_source *s, const struct leat_part *part,
                                        int64_t from, int64_t to, struct leat_block **blocks,
                                        struct leat_error *err)
{
    struct leat_block *first = NULL, *last = NULL, *b;

    *blocks = NULL;
    for (int64_t at = from; at < to; at = b->to) {
        if (fetch(s, part, at, &b, err) != LEAT_OK)
            goto fail;
        if (b->to <= at && (b->at_end || b->finished)) {
            leat_block_unref(b);
            leat_fail(err, LEAT_E_LOST,
                      "%.*s ends at position %" PRId64 " today, the batch had read up to %" PRId64,
                      LEAT_FMT(part->name), at, to);
            goto fail;
        }
        b->to = b->to > to ? to : b->to;
        b->msg.next = NULL;
        if (last)
            last->msg.next = &b->msg;
        else
            first = b;
        last = b;
    }
    *blocks = first;
    return LEAT_OK;
fail:
    unref_all(first);
    return err->status;
}

void leat_range_source_close(struct leat_range_source *s)
{
    if (!s->plan)
        return;
    if (s->is_open)
        s->plan->module->pull->close(s->self);
    leat_queue_fini(&s->answers);
    s->plan = NULL;
}
