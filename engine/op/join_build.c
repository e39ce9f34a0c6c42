/*
 * join_build.c - join, left_outer_join, right_outer_join, full_outer_join, cogroup: their
 * arguments.
 */
#include "base/module.h"
#include "op/group_build.h"
#include "op/join.h"

/* ---- what comes in */

static const struct leat_node *at(struct leat_build *b, const char *option)
{
    const struct leat_node *node = leat_node_find(b->arg, option);

    return node ? node : b->node;
}

static uint32_t side_of(const struct leat_build *b, uint32_t input)
{
    return b->sides ? b->sides[input] : 0;
}

static bool same_names(const struct leat_shape *a, const struct leat_shape *b)
{
    if (!a || !b || a->count != b->count)
        return a == b;
    for (uint32_t i = 0; i < a->count; i++)
        if (!leat_slice_eq(a->names[i], b->names[i]))
            return false;
    return true;
}

static bool is_number(enum leat_type_kind kind)
{
    return kind == LEAT_T_INT || kind == LEAT_T_UINT || kind == LEAT_T_DOUBLE;
}

static bool may_be_equal(const struct leat_type *a, const struct leat_type *b)
{
    if (a->kind == LEAT_T_ANY || b->kind == LEAT_T_ANY || a->kind == LEAT_T_NULL ||
        b->kind == LEAT_T_NULL || a->optional || b->optional)
        return true;
    return a->kind == b->kind || (is_number(a->kind) && is_number(b->kind));
}

/* Keys that can never be the same are a mistake, not an empty result. */
static void check_keys(struct leat_build *b)
{
    char one[40], other[40];

    for (uint32_t i = 1; i < b->in_count; i++) {
        const struct leat_view *x = &b->in[0], *y = &b->in[i];
        struct leat_diag *d;
        if (side_of(b, i) == side_of(b, i - 1) || !x->has_key || !y->has_key)
            continue;
        if (!same_names(x->key_shape, y->key_shape))
            d = leat_diag_error(b->diags, at(b, "with"),
                                "the keys of the streams have other fields, so none are the same");
        else if (!may_be_equal(x->key_type, y->key_type))
            d = leat_diag_error(b->diags, at(b, "with"),
                                "the keys of the streams are never the same: one is %s, the other "
                                "%s",
                                leat_type_name(x->key_type, one, sizeof one),
                                leat_type_name(y->key_type, other, sizeof other));
        else
            continue;
        leat_diag_hint(b->diags, d, "the keys are '%.*s' and '%.*s'",
                       LEAT_FMT(x->key_text.len ? x->key_text : LEAT_LIT("key")),
                       LEAT_FMT(y->key_text.len ? y->key_text : LEAT_LIT("key")));
    }
}

/* A window before the operator is one for all streams. */
static bool spread_window(struct leat_build *b)
{
    for (uint32_t i = 1; i < b->in_count; i++) {
        struct leat_view *v = &b->in[i];
        if (v->window.kind == LEAT_WINDOW_NONE && !v->windowed) {
            v->window = b->in[0].window;
        } else if (v->window.kind != LEAT_WINDOW_NONE && b->in[0].window.kind == LEAT_WINDOW_NONE) {
            struct leat_diag *d = leat_build_error(
                b, "the other stream of '%.*s' has a window, this one has not", LEAT_FMT(b->name));
            leat_diag_hint(b->diags, d, "put the window before '%.*s': it is for all its streams",
                           LEAT_FMT(b->name));
            return false;
        }
    }
    return true;
}

static bool same_grid(const struct leat_window_spec *x, const struct leat_window_spec *y)
{
    return x->kind == y->kind && x->size_ms == y->size_ms && x->slide_ms == y->slide_ms &&
           x->offset_ms == y->offset_ms && leat_slice_eq(x->zone_name, y->zone_name) &&
           x->gap_ms == y->gap_ms;
}

/* Rows that came out of windows meet those of the same window. False after an error. */
static bool check_came_from(struct leat_join *j, struct leat_build *b,
                            struct leat_window_spec *spec)
{
    const struct leat_window_spec *from = &b->in[0].came_from;
    bool waits = false;

    for (uint32_t i = 1; i < b->in_count; i++) {
        if (!b->in[i].windowed)
            continue; /* told by who compares pending windows */
        if (!same_grid(from, &b->in[i].came_from)) {
            leat_diag_hint(b->diags,
                           leat_build_error(b,
                                            "the streams of '%.*s' come out of other windows, "
                                            "of which no two are the same",
                                            LEAT_FMT(b->name)),
                           "give both the same size, slide, offset and zone");
            return false;
        }
        waits = waits || b->in[i].sources != b->in[0].sources;
    }
    if (!waits || !b->in[0].event_time)
        return true;
    if (from->kind != LEAT_WINDOW_SLIDING || from->emit_every_ms) {
        leat_diag_hint(b->diags,
                       leat_build_error(b, from->kind == LEAT_WINDOW_SLIDING
                                               ? "early results of different sources do not meet"
                                               : "sessions of different sources have no windows in "
                                                 "common"),
                       from->kind == LEAT_WINDOW_SLIDING ? "leave 'emit' out"
                                                         : "use 'within', or windows of a size");
        return false;
    }
    j->waits = true;
    j->windows = leat_grid_of(from, true);
    *spec = *from;
    spec->size_ms = from->slide_ms;
    spec->offset_ms = j->windows.end_ms;
    return true;
}

static bool check_time(struct leat_join *j, struct leat_build *b)
{
    const struct leat_view *in = &b->in[0];
    struct leat_diag *d;

    if (j->within.ms && (in->windowed || in->window.kind != LEAT_WINDOW_NONE)) {
        d = leat_diag_error(b->diags, at(b, "within"), "'within' in a window");
        leat_diag_hint(b->diags, d, "say one of the two: either says which records meet");
        return false;
    }
    if (j->within.ms || !in->event_time || in->windowed || in->window.kind != LEAT_WINDOW_NONE)
        return true;
    d = leat_build_error(b, "'%.*s' of streams with 'time:' needs a window%s", LEAT_FMT(b->name),
                         j->is_cogroup ? "" : " or 'within'");
    leat_diag_hint(b->diags, d,
                   "batches say nothing about when records happened; put window: { size: 10m } "
                   "before it%s",
                   j->is_cogroup ? "" : ", or say how far apart they may be: within: 5m");
    return false;
}

/* ---- what goes out */

static const struct leat_type *side_type(struct leat_build *b, uint32_t side)
{
    const struct leat_type *type = NULL;

    for (uint32_t i = 0; i < b->in_count; i++) {
        const struct leat_view *v = &b->in[i];
        if (side_of(b, i) != side)
            continue;
        if (type)
            return leat_type_of_kind(LEAT_T_ANY); /* a union */
        type = leat_view_kept_type(v, b->arena);
    }
    return type ? type : leat_type_of_kind(LEAT_T_ANY);
}

/* The other side may be absent: then this one reads null. */
static const struct leat_type *or_null(struct leat_build *b, const struct leat_type *type)
{
    struct leat_type *t = leat_arena_alloc(b->arena, sizeof *t);

    if (!t)
        return leat_type_of_kind(LEAT_T_ANY);
    *t = *type;
    t->optional = true;
    return t;
}

static const struct leat_type *list_of(struct leat_build *b, const struct leat_type *item)
{
    struct leat_type *t = leat_arena_alloc(b->arena, sizeof *t);

    if (!t)
        return leat_type_of_kind(LEAT_T_LIST);
    *t = (struct leat_type){.kind = LEAT_T_LIST, .item = item};
    return t;
}

static void set_output(struct leat_join *j, struct leat_build *b)
{
    struct leat_view *out = b->out;
    struct leat_type *type = leat_arena_alloc(b->arena, sizeof *type);
    struct leat_type_field *fields = leat_arena_array(b->arena, j->sides, sizeof *fields);

    out->fields = leat_arena_array(b->arena, j->sides + 1, sizeof *out->fields);
    if (!type || !fields || !out->fields)
        return;
    out->kind = LEAT_VIEW_FIELDS;
    out->fields_count = 0;
    for (uint32_t i = 0; i < j->sides; i++) {
        const struct leat_type *t = side_type(b, i);
        if (j->is_cogroup)
            t = list_of(b, t);
        else if (j->outer[1 - i])
            t = or_null(b, t);
        j->columns[i] = leat_view_column(out);
        struct leat_slice name = leat_slice_str(j->as.list[i]);
        out->fields[out->fields_count++] = (struct leat_field){name, j->columns[i], t};
        fields[i] = (struct leat_type_field){name, t, b->node->mark};
    }
    *type = (struct leat_type){.kind = LEAT_T_RECORD, .fields = fields, .count = j->sides};
    out->type = type;
}

/* ---- the argument */

static bool is_word(const char *text)
{
    for (const char *p = text; *p; p++)
        if (*p != '_' && !(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z') &&
            !(p > text && *p >= '0' && *p <= '9'))
            return false;
    return text[0] != '\0';
}

static bool read_names(struct leat_join *j, struct leat_build *b)
{
    static const char *const standard[] = {"left", "right"};

    if (!j->is_cogroup && j->with.count != 1) {
        leat_diag_error(b->diags, at(b, "with"), "'%.*s' joins one other stream",
                        LEAT_FMT(b->name));
        return false;
    }
    j->sides = (uint32_t)j->with.count + 1;
    if (j->sides > LEAT_JOIN_SIDES) {
        leat_diag_error(b->diags, at(b, "with"), "%d streams at most", LEAT_JOIN_SIDES);
        return false;
    }
    if (!j->is_cogroup && j->as.count == 0)
        j->as = (struct leat_texts){standard, 2};
    if (j->as.count != j->sides) {
        leat_diag_hint(b->diags,
                       leat_diag_error(b->diags, at(b, "as"), "'as' wants %u names, here are %zu",
                                       j->sides, j->as.count),
                       "one for this stream, then one for each in 'with'");
        return false;
    }
    for (uint32_t i = 0; i < j->sides; i++) {
        if (!is_word(j->as.list[i])) {
            leat_diag_error(b->diags, at(b, "as"), "'%s' is no name for a field", j->as.list[i]);
            return false;
        }
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(j->as.list[i], j->as.list[k]) == 0) {
                leat_diag_error(b->diags, at(b, "as"), "'%s' is there twice", j->as.list[i]);
                return false;
            }
    }
    return true;
}

static void build_inputs(struct leat_build *b)
{
    leat_group_keep_value(b);
    for (uint32_t i = 0; i < b->in_count; i++) {
        struct leat_join_in *args = leat_arena_alloc(b->arena, sizeof *args);
        if (!args)
            return;
        args->side = side_of(b, i);
        leat_group_input(b, i)->args = args;
    }
}

static void build(struct leat_join *j, struct leat_build *b, const struct leat_opt *options)
{
    struct leat_window_spec spec = {0};
    uint32_t errors = b->diags->errors;

    j->group.agg = &leat_join_lists;
    if (leat_build_need_arg(b, j->is_cogroup ? "other streams: { with: [a, b], as: [x, y, z] }"
                                             : "another stream: { with: a, as: [left, right] }"))
        return;
    leat_build_options(b, options, j);
    if (b->diags->errors > errors || !read_names(j, b) || !check_time(j, b) || !spread_window(b))
        return;
    check_keys(b);
    j->group.partial_size = j->sides * sizeof(struct leat_kept_list);
    if (b->in[0].windowed && !check_came_from(j, b, &spec))
        return;
    build_inputs(b);
    leat_group_build(&j->group, b, LEAT_KEY_STREAM, j->waits ? &spec : NULL);
    if (j->within.ms) {
        j->group.within_ms = j->within.ms;
        j->group.beyond = &leat_near;
    }
    if (j->waits)
        b->out->came_from = b->in[0].came_from;
    set_output(j, b);
}

static const struct leat_opt join_options[] = {
    LEAT_OPT(struct leat_join, with, .help = "The other stream."),
    LEAT_OPT(struct leat_join, as, .optional = true,
             .help = "Names of the two sides; default: [left, right]."),
    LEAT_OPT(struct leat_join, within, .def = "0ms", .max = INT64_C(1) << 45,
             .help = "Records meet whose times are at most so far apart; 0ms: those of a batch or "
                     "window."),
    {0},
};

static const struct leat_opt cogroup_options[] = {
    LEAT_OPT(struct leat_join, with, .help = "The other streams."),
    LEAT_OPT(struct leat_join, as,
             .help = "Names of the lists: of this stream, then of those in 'with'."),
    {0},
};

static void join_build(void *plan, struct leat_build *b)
{
    build(plan, b, join_options);
}

static void left_outer_join_build(void *plan, struct leat_build *b)
{
    ((struct leat_join *)plan)->outer[LEAT_LEFT] = true;
    build(plan, b, join_options);
}

static void right_outer_join_build(void *plan, struct leat_build *b)
{
    ((struct leat_join *)plan)->outer[LEAT_RIGHT] = true;
    build(plan, b, join_options);
}

static void full_outer_join_build(void *plan, struct leat_build *b)
{
    ((struct leat_join *)plan)->outer[LEAT_LEFT] = true;
    ((struct leat_join *)plan)->outer[LEAT_RIGHT] = true;
    build(plan, b, join_options);
}

static void cogroup_build(void *plan, struct leat_build *b)
{
    ((struct leat_join *)plan)->is_cogroup = true;
    build(plan, b, cogroup_options);
}

#define JOIN_MODULE(id, takes, options_are, text)                                                  \
    static const struct leat_op id##_op =                                                          \
        LEAT_GROUP_OP(LEAT_SCOPE_KEY, .joins = true, .missing = LEAT_MISSING_FAILS,                \
                      .argument = (takes), .build = id##_build);                                   \
    static const struct leat_module id##_module = {.abi = LEAT_MODULE_ABI,                         \
                                                   .name = #id,                                    \
                                                   .summary = text,                                \
                                                   .self_size = sizeof(struct leat_join),          \
                                                   .opts = options_are,                            \
                                                   .op = &id##_op};                                \
    LEAT_MODULE_AS(id, id##_module)

JOIN_MODULE(join, "{ with: stream, as: [left, right], within: 5m }", join_options,
            "pairs of records of two streams with the same key");
JOIN_MODULE(left_outer_join, "{ with: stream, as: [left, right], within: 5m }", join_options,
            "join; records of this stream also alone, with null");
JOIN_MODULE(right_outer_join, "{ with: stream, as: [left, right], within: 5m }", join_options,
            "join; records of the other stream also alone, with null");
JOIN_MODULE(full_outer_join, "{ with: stream, as: [left, right], within: 5m }", join_options,
            "join; records of both streams also alone, with null");
JOIN_MODULE(cogroup, "{ with: [stream, ...], as: [names] }", cogroup_options,
            "per key the lists of values of each stream");
