/*
 * count.c - how many: count, count_by_value, count_by_window, count_by_value_and_window.
 */
#include "base/module.h"
#include "op/group_build.h"
#include "op/window.h"

static enum leat_status count_add(const struct leat_group_in *in, struct leat_work *w,
                                  const struct leat_chunk *chunk, const uint16_t *rows,
                                  void *const *partials, uint32_t count, struct leat_error *err)
{
    (void)in, (void)w, (void)chunk, (void)rows, (void)err;
    for (uint32_t i = 0; i < count; i++)
        ++*(int64_t *)partials[i];
    return LEAT_OK;
}

static enum leat_status count_merge(const struct leat_group *g, struct leat_work *w, void *into,
                                    const void *from, struct leat_error *err)
{
    (void)g, (void)w, (void)err;
    *(int64_t *)into += *(const int64_t *)from;
    return LEAT_OK;
}

static enum leat_status count_inverse(const struct leat_group *g, struct leat_work *w, void *into,
                                      const void *from, struct leat_error *err)
{
    (void)g, (void)w, (void)err;
    *(int64_t *)into -= *(const int64_t *)from;
    return LEAT_OK;
}

static void count_encode(const struct leat_group *g, const void *partial, struct leat_bytes *into)
{
    (void)g;
    leat_bytes_put_u64(into, *(const uint64_t *)partial);
}

static enum leat_status count_decode(const struct leat_group *g, struct leat_work *w,
                                     struct leat_slice *from, void *partial, struct leat_error *err)
{
    (void)g, (void)w;
    return leat_take_u64(from, partial) ? LEAT_OK
                                        : leat_fail(err, LEAT_E_CORRUPT, "a damaged count");
}

static enum leat_status count_emit(const struct leat_group *g, struct leat_work *w,
                                   const struct leat_result *r, const void *partial,
                                   struct leat_error *err)
{
    uint32_t row;

    if (leat_group_row(g, w, r, &row, err) != LEAT_OK)
        return err->status;
    w->task->out->columns[LEAT_COL_THIS][row] = leat_int(*(const int64_t *)partial);
    return LEAT_OK;
}

static bool count_stays(const struct leat_group *g, struct leat_work *w, struct leat_slice key,
                        const void *partial)
{
    (void)g, (void)w, (void)key, (void)partial;
    return true;
}

/* clang-format off */
#define COUNT \
    .keep = LEAT_KEEP_RUNNING, .add = count_add, .merge = count_merge, .inverse = count_inverse, \
    .encode = count_encode, .decode = count_decode, .emit = count_emit
/* clang-format on */
static const struct leat_aggregator counts = {COUNT};
static const struct leat_aggregator counts_that_stay = {COUNT, .stays = count_stays};

struct count {
    struct leat_group group; /* first */
    struct leat_window_options window;
};

static const struct leat_opt window_options[] = {LEAT_WINDOW_OPTS(struct count), {0}};

static void build(struct count *c, struct leat_build *b, enum leat_group_key key,
                  const struct leat_window_spec *window)
{
    c->group.agg = &counts;
    c->group.partial_size = sizeof(int64_t);
    leat_group_build(&c->group, b, key, window);
    leat_group_out_value(b, leat_type_of_kind(LEAT_T_INT));
}

/* Spark's count gives one number per batch, and per slide of a window of batches. */
static void count_build(void *plan, struct leat_build *b)
{
    struct count *c = plan;

    leat_build_refuse_arg(b);
    build(c, b, LEAT_KEY_NONE, NULL);
    c->group.always = !c->group.windowed_in && c->group.over != LEAT_OVER_SESSION;
    if (c->group.over == LEAT_OVER_PANES && !c->group.event_time)
        c->group.agg = &counts_that_stay;
}

static void count_by_value_build(void *plan, struct leat_build *b)
{
    leat_build_refuse_arg(b);
    build(plan, b, LEAT_KEY_VALUE, NULL);
}

static void build_with_window(struct count *c, struct leat_build *b, enum leat_group_key key)
{
    struct leat_window_spec spec;
    uint32_t errors = b->diags->errors;

    if (leat_build_need_arg(b, "a size: { size: 10m, slide: 1m }"))
        return;
    leat_build_options(b, window_options, c);
    spec = b->diags->errors > errors ? (struct leat_window_spec){0}
                                     : leat_window_spec_of(b, &c->window);
    build(c, b, key, &spec);
}

static void count_by_window_build(void *plan, struct leat_build *b)
{
    struct count *c = plan;

    build_with_window(c, b, LEAT_KEY_NONE);
    c->group.agg = &counts_that_stay;
}

static void count_by_value_and_window_build(void *plan, struct leat_build *b)
{
    build_with_window(plan, b, LEAT_KEY_VALUE);
}

#define COUNT_MODULE(id, options_are, scope_is, empty, takes, text)                                \
    static const struct leat_op id##_op =                                                          \
        LEAT_GROUP_OP(scope_is, .on_empty = (empty),                                               \
                      .missing = (empty) ? LEAT_MISSING_IS_EMPTY : LEAT_MISSING_PASSES,            \
                      .argument = (takes), .build = id##_build);                                   \
    static const struct leat_module id##_module = {.abi = LEAT_MODULE_ABI,                         \
                                                   .name = #id,                                    \
                                                   .summary = text,                                \
                                                   .self_size = sizeof(struct count),              \
                                                   .opts = options_are,                            \
                                                   .op = &id##_op};                                \
    LEAT_MODULE_AS(id, id##_module)

COUNT_MODULE(count, NULL, LEAT_SCOPE_BATCH, true, NULL, "how many records, per batch or window");
COUNT_MODULE(count_by_value, NULL, LEAT_SCOPE_KEY, false, NULL,
             "how often each value occurs: key = the value, value = how often");
COUNT_MODULE(count_by_window, window_options, LEAT_SCOPE_BATCH, false, "{ size, slide }",
             "how many records, per window; goes on with 0");
COUNT_MODULE(count_by_value_and_window, window_options, LEAT_SCOPE_KEY, false, "{ size, slide }",
             "how often each value occurs, per window");
