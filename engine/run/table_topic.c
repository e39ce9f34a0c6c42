#include "run/table_topic.h"

#include "run/message.h"

#include <inttypes.h>

#define FETCH_BYTES   ((size_t)1024 * 1024)
#define PAUSE_MS      250 /* after a fetch that failed */
#define LIST_EVERY_MS 5000

static struct leat_table_topic_part *part_of(struct leat_msg *m)
{
    return (struct leat_table_topic_part *)(void *)((char *)m -
                                                    offsetof(struct leat_table_topic_part, msg));
}

static const struct leat_pull *pull_of(const struct leat_table_topic *t)
{
    return t->plan->topic->pull;
}

enum leat_status leat_table_topic_init(struct leat_table_topic *t,
                                       const struct leat_lookup_plan *plan,
                                       const struct leat_env *env, struct leat_queue *answers,
                                       struct leat_budget *budget, struct leat_arena *arena,
                                       bool skip_bad, struct leat_error *err)
{
    size_t used = atomic_load(&budget->used);

    *t = (struct leat_table_topic){.plan = plan,
                                   .env = *env,
                                   .answers = answers,
                                   .budget = budget,
                                   .arena = arena,
                                   .skip_bad = skip_bad};
    struct leat_slice name = leat_arena_copy(arena, plan->name);
    t->self = leat_arena_alloc(arena, plan->topic->self_size);
    if (!name.ptr || !t->self)
        return leat_arena_failed(arena, err);
    if (plan->topic_self)
        memcpy(t->self, plan->topic_self, plan->topic->self_size);
    t->rows = leat_lookup_new(used < budget->cap ? budget->cap - used : 1);
    if (!t->rows)
        return leat_fail(err, LEAT_E_NOMEM, "no memory for table '%.*s'", LEAT_FMT(plan->name));
    t->log = (struct leat_log){env->job, name.ptr};
    t->env.log = &t->log;
    t->env.from_ms = INT64_MIN; /* the beginning, whatever was committed */
    t->env.to_ms = 0;
    t->env.exactly_once = true; /* nothing is */
    return LEAT_OK;
}

static enum leat_status wrong(const struct leat_table_topic *t, struct leat_error *err)
{
    return leat_error_prefix(err, "table '%.*s'", LEAT_FMT(t->plan->name));
}

/* ---- the other side */

struct listing {
    struct leat_table_topic *topic;
    bool failed;
};

static void each_part(void *arg, const struct leat_part *p)
{
    struct listing *l = arg;
    struct leat_table_topic *t = l->topic;

    for (uint32_t i = 0; i < t->parts_count; i++)
        if (t->parts[i]->id == p->id)
            return;
    if (t->parts_count == t->parts_room) {
        uint32_t room = t->parts_room * 2 + 8;
        struct leat_table_topic_part **grown = leat_arena_array(t->arena, room, sizeof *grown);
        if (grown && t->parts_count)
            memcpy(grown, t->parts, t->parts_count * sizeof *grown);
        l->failed = !grown;
        if (!grown)
            return;
        t->parts = grown;
        t->parts_room = room;
    }
    struct leat_table_topic_part *part = leat_arena_alloc(t->arena, sizeof *part);
    struct leat_slice name = leat_arena_copy(t->arena, p->name);
    l->failed = !part || !name.ptr;
    if (l->failed)
        return;
    *part = (struct leat_table_topic_part){
        .topic = t, .name = name, .id = p->id, .next = p->first, .until = p->end};
    part->is_read = p->end >= 0 && p->first >= p->end;
    t->parts[t->parts_count++] = part;
}

static enum leat_status open_and_list(struct leat_table_topic *t, int64_t now_ms,
                                      struct leat_error *err)
{
    struct listing l = {.topic = t};

    if (!t->is_open) {
        enum leat_status status = pull_of(t)->open(t->self, &t->env, err);
        t->is_open = status == LEAT_OK;
        if (status != LEAT_OK) {
            pull_of(t)->close(t->self);
            return status;
        }
    }
    if (pull_of(t)->partitions(t->self, each_part, &l, err) != LEAT_OK)
        return err->status;
    if (l.failed)
        return leat_arena_failed(t->arena, err);
    t->is_listed = true;
    t->retry.again_ms = now_ms + LIST_EVERY_MS;
    leat_retry_over(&t->retry, &t->log);
    return LEAT_OK;
}

/* ---- fetches */

/* Thread: the source's. */
static void fetched(void *arg, const struct leat_fetch *fetch, struct leat_block *block,
                    const struct leat_error *err)
{
    struct leat_table_topic_part *p = arg;

    (void)fetch;
    p->block = block;
    p->error.status = LEAT_OK;
    if (!block)
        p->error = *err;
    p->msg.kind = LEAT_MSG_TABLE;
    leat_queue_put(p->topic->answers, &p->msg);
}

static void fetch(struct leat_table_topic_part *p)
{
    p->fetching = true;
    p->retry_ms = 0;
    p->fetch = (struct leat_fetch){.part = p->id,
                                   .from = p->next,
                                   .max_bytes = FETCH_BYTES,
                                   .no_headers = true,
                                   .earliest = p->earliest};
    pull_of(p->topic)->fetch(p->topic->self, &p->fetch, fetched, p);
}

enum leat_status leat_table_topic_turn(struct leat_table_topic *t, int64_t now_ms,
                                       struct leat_error *err)
{
    struct leat_error why;

    if (now_ms >= t->retry.again_ms && open_and_list(t, now_ms, &why) != LEAT_OK &&
        !leat_retry_wait(&t->retry, &t->log, &why, now_ms)) {
        *err = why;
        return wrong(t, err);
    }
    for (uint32_t i = 0; t->is_listed && i < t->parts_count; i++)
        if (!t->parts[i]->fetching && now_ms >= t->parts[i]->retry_ms)
            fetch(t->parts[i]);
    return LEAT_OK;
}

int64_t leat_table_topic_wake_ms(const struct leat_table_topic *t)
{
    int64_t at_ms = t->retry.again_ms;

    for (uint32_t i = 0; i < t->parts_count; i++)
        if (!t->parts[i]->fetching && t->parts[i]->retry_ms < at_ms)
            at_ms = t->parts[i]->retry_ms;
    return at_ms;
}

/* ---- answers */

static enum leat_status charge(struct leat_table_topic *t, struct leat_error *err)
{
    size_t now = leat_lookup_bytes(t->rows);

    if (now > t->charged && !leat_budget_take(t->budget, now - t->charged))
        return leat_fail(err, LEAT_E_FULL, "table '%.*s': no memory for its rows",
                         LEAT_FMT(t->plan->name));
    if (now < t->charged)
        leat_budget_give(t->budget, t->charged - now);
    t->charged = now;
    return LEAT_OK;
}

static enum leat_status apply(struct leat_table_topic *t, struct leat_table_topic_part *p,
                              struct leat_error *err)
{
    uint64_t bad = 0;
    struct leat_error why = {.status = LEAT_OK};

    if (leat_lookup_apply(t->plan, t->rows, p->block, &bad, &why) != LEAT_OK) {
        *err = why;
        return err->status;
    }
    if (bad && !t->skip_bad) {
        *err = why;
        leat_error_prefix(err, "partition '%.*s'", LEAT_FMT(p->name));
        return wrong(t, err);
    }
    if (bad && !t->bad)
        leat_warn(&t->log, "partition '%.*s': a record that cannot be read is passed over: %s",
                  LEAT_FMT(p->name), why.text);
    t->bad += bad;
    return charge(t, err);
}

/* Compaction takes records away, never the position of the end; what is lost all the same begins
 * again with the first there is, and rows that went meanwhile stay. */
static enum leat_status unfetched(struct leat_table_topic *t, struct leat_table_topic_part *p,
                                  int64_t now_ms, struct leat_error *err)
{
    if (p->error.status == LEAT_E_LOST) {
        leat_warn(&t->log, "%s; going on with the earliest there is", p->error.text);
        p->earliest = true;
        return LEAT_OK;
    }
    if (!leat_status_is_transient(p->error.status)) {
        *err = p->error;
        return wrong(t, err);
    }
    leat_retry_say(&t->retry, &t->log, &p->error);
    p->retry_ms = now_ms + PAUSE_MS;
    return LEAT_OK;
}

enum leat_status leat_table_topic_answered(struct leat_msg *m, int64_t now_ms,
                                           struct leat_error *err)
{
    struct leat_table_topic_part *p = part_of(m);
    struct leat_table_topic *t = p->topic;
    enum leat_status status = LEAT_OK;

    p->fetching = false;
    if (!p->block)
        return unfetched(t, p, now_ms, err);
    leat_retry_over(&t->retry, &t->log);
    p->earliest = false;
    if (p->block->bytes.len)
        status = apply(t, p, err);
    p->next = p->block->to;
    if (!p->is_read && (p->block->at_end || (p->until >= 0 && p->next >= p->until)))
        p->is_read = true;
    leat_block_unref(p->block);
    p->block = NULL;
    if (status == LEAT_OK)
        fetch(p);
    return status;
}

bool leat_table_topic_is_read(const struct leat_table_topic *t)
{
    for (uint32_t i = 0; i < t->parts_count; i++)
        if (!t->parts[i]->is_read)
            return false;
    return t->is_listed;
}

void leat_table_topic_drop(struct leat_msg *m)
{
    leat_block_unref(part_of(m)->block);
    part_of(m)->block = NULL;
}

void leat_table_topic_fini(struct leat_table_topic *t)
{
    if (t->is_open)
        pull_of(t)->close(t->self);
    if (t->charged)
        leat_budget_give(t->budget, t->charged);
    leat_lookup_free(t->rows);
    t->is_open = false;
    t->charged = 0;
    t->rows = NULL;
}
