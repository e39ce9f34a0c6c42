#include "op/group_build.h"

static void take_window(struct leat_group *g, const struct leat_window_spec *w, bool event_time)
{
    g->over = w->kind == LEAT_WINDOW_SESSION ? LEAT_OVER_SESSION : LEAT_OVER_PANES;
    g->windows_out = true;
    g->emit_every_ms = w->emit_every_ms;
    g->gap_ms = w->gap_ms;
    if (w->kind == LEAT_WINDOW_SLIDING)
        g->grid = leat_grid_of(w, event_time);
    g->zone_name = w->zone_name;
}

static bool same_window(const struct leat_view *a, const struct leat_view *b)
{
    const struct leat_window_spec *x = &a->window, *y = &b->window;

    return a->windowed == b->windowed && x->kind == y->kind && x->size_ms == y->size_ms &&
           x->slide_ms == y->slide_ms && x->offset_ms == y->offset_ms &&
           leat_slice_eq(x->zone_name, y->zone_name) && x->gap_ms == y->gap_ms &&
           x->emit_every_ms == y->emit_every_ms;
}

static bool check_inputs(struct leat_build *b, enum leat_group_key key)
{
    for (uint32_t i = 0; i < b->in_count; i++) {
        if (key == LEAT_KEY_STREAM && !b->in[i].has_key) {
            struct leat_diag *d =
                leat_build_error(b, "'%.*s' needs a stream with a key", LEAT_FMT(b->name));
            leat_diag_hint(b->diags, d, "put key_by or map_to_pair before it");
            return false;
        }
        if (!same_window(&b->in[0], &b->in[i])) {
            leat_build_error(b, "the streams that come into '%.*s' have different windows",
                             LEAT_FMT(b->name));
            return false;
        }
    }
    return true;
}

/* A value that is a record of the plan can be a key as a whole. */
static const struct leat_shape *shape_of(struct leat_build *b, const struct leat_view *v)
{
    struct leat_slice *names;

    if (v->kind != LEAT_VIEW_FIELDS)
        return NULL;
    names = leat_arena_array(b->arena, v->fields_count + 1, sizeof *names);
    for (uint32_t i = 0; names && i < v->fields_count; i++)
        names[i] = v->fields[i].name;
    return names ? leat_shape_intern(b->shapes, names, v->fields_count) : NULL;
}

static void build_input(struct leat_group *g, struct leat_build *b, uint32_t i,
                        enum leat_group_key key)
{
    struct leat_group_in *in = leat_group_input(b, i);
    struct leat_view *v = &b->in[i];

    in->group = g;
    in->own_time = v->event_time || v->windowed;
    in->key_column = v->has_key ? v->key_column : LEAT_NO_COLUMN;
    in->key_text = LEAT_LIT("key");
    if (key == LEAT_KEY_VALUE) {
        in->key_value = leat_view_assemble(v, b->shapes, b->arena);
        in->key_text = LEAT_LIT("this");
    }
}

/* What the key is in each input, those that are the same once. */
static struct leat_slice key_text(struct leat_build *b)
{
    struct leat_bytes text = {.arena = b->arena};

    for (uint32_t i = 0; i < b->in_count; i++) {
        struct leat_slice s = b->in[i].key_text.len ? b->in[i].key_text : LEAT_LIT("key");
        if (i && leat_slice_eq(b->in[i].key_text, b->in[i - 1].key_text))
            continue;
        if (i)
            leat_bytes_put(&text, " | ", 3);
        leat_bytes_put(&text, s.ptr, s.len);
    }
    return leat_bytes_slice(&text);
}

bool leat_group_build(struct leat_group *g, struct leat_build *b, enum leat_group_key key,
                      const struct leat_window_spec *window)
{
    const struct leat_view *in = &b->in[0];
    struct leat_view *out = b->out;
    bool ok = check_inputs(b, key);

    if (key == LEAT_KEY_IF_ANY)
        key = in->has_key ? LEAT_KEY_STREAM : LEAT_KEY_NONE;
    g->keyed = key != LEAT_KEY_NONE;
    g->op = b->name;
    g->key_text = key == LEAT_KEY_VALUE ? LEAT_LIT("this") : key_text(b);
    g->event_time = in->event_time;
    g->key_shape = key == LEAT_KEY_VALUE ? shape_of(b, in) : in->key_shape;
    if (!window && in->window.kind != LEAT_WINDOW_NONE)
        window = &in->window;
    if (window && window->kind != LEAT_WINDOW_NONE)
        take_window(g, window, in->event_time);
    else
        g->windowed_in = g->windows_out = in->windowed;
    for (uint32_t i = 0; i < b->in_count; i++)
        build_input(g, b, i, key);

    const struct leat_type *value_type = in->type;
    leat_build_new_segment(b, out);
    out->segment->windows = g->windows_out;
    if (window && window->kind != LEAT_WINDOW_NONE)
        out->came_from = *window;
    out->window = (struct leat_window_spec){0};
    out->windowed = g->windows_out;
    out->has_origin = false;
    out->has_key = g->keyed;
    if (key == LEAT_KEY_VALUE) {
        out->key_type = value_type;
        out->key_shape = g->key_shape;
        out->key_name = (struct leat_slice){0};
        out->key_text = g->key_text;
    }
    if (!g->keyed) {
        out->key_type = leat_type_of_kind(LEAT_T_NULL);
        out->key_shape = NULL;
        out->key_name = out->key_text = (struct leat_slice){0};
        b->partitions = 1;
    }
    return ok;
}

void leat_group_keep_value(struct leat_build *b)
{
    for (uint32_t i = 0; i < b->in_count; i++)
        leat_group_input(b, i)->value = leat_view_assemble(&b->in[i], b->shapes, b->arena);
}

void leat_group_out_value(struct leat_build *b, const struct leat_type *type)
{
    b->out->kind = LEAT_VIEW_VALUE;
    b->out->column = LEAT_COL_THIS;
    b->out->type = type ? type : leat_type_of_kind(LEAT_T_ANY);
}

/* ---- small expressions */

#define SMALL_MAX 4

static bool is_sum(struct leat_slice text)
{
    char plain[4] = {0};
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] != ' ' && (n == 3 || !(plain[n++] = text.ptr[i])))
            return false;
    return n == 3 && (memcmp(plain, "a+b", 3) == 0 || memcmp(plain, "b+a", 3) == 0);
}

void leat_warn_hidden(struct leat_build *b, const struct leat_node *node, const char *const *names,
                      uint32_t count)
{
    const struct leat_type *type = b->in[0].type;

    for (uint32_t f = 0; node && type->kind == LEAT_T_RECORD && f < type->count; f++)
        for (uint32_t i = 0; i < count; i++)
            if (leat_slice_eq(type->fields[f].name, leat_slice_str(names[i])))
                leat_diag_hint(
                    b->diags,
                    leat_diag_warn(b->diags, node, "the field '%s' cannot be seen here", names[i]),
                    "'%.*s' has its own '%s'", LEAT_FMT(b->name), names[i]);
}

struct leat_small_expr leat_small_expr_build(struct leat_build *b, const struct leat_node *node,
                                             const char *const *names, uint32_t count)
{
    struct leat_segment segment = {.columns = count};
    struct leat_view view = {.kind = LEAT_VIEW_VALUE, .segment = &segment};
    struct leat_local_name locals[SMALL_MAX];
    struct leat_view_names of;
    struct leat_small_expr e = {0};

    for (uint32_t i = 0; i < count; i++)
        locals[i] =
            (struct leat_local_name){leat_slice_str(names[i]), i, leat_type_of_kind(LEAT_T_ANY)};
    leat_view_names_init(&of, &view, b->shapes, b->arena);
    of.locals = locals;
    of.locals_count = count;
    of.only_locals = of.no_key = true;
    e.program = leat_compile(
        &(struct leat_compile){.names = &of.names, .arena = b->arena, .diags = b->diags}, node);
    e.is_sum = e.program && is_sum(leat_program_source(e.program));
    return e;
}

struct leat_value leat_small_expr_eval(const struct leat_small_expr *e, struct leat_work *w,
                                       struct leat_arena *arena, const struct leat_value *values,
                                       uint32_t count)
{
    struct leat_value copies[SMALL_MAX], *columns[SMALL_MAX];
    uint16_t selection = 0;
    struct leat_chunk chunk = {.arena = arena,
                               .rows = 1,
                               .selected = 1,
                               .selection = &selection,
                               .columns_count = count,
                               .columns = columns};

    if (e->is_sum && values[0].tag == LEAT_INT && values[1].tag == LEAT_INT) {
        int64_t sum;
        if (!__builtin_add_overflow(values[0].as.i, values[1].as.i, &sum))
            return leat_int(sum);
    }
    if (e->is_sum && values[0].tag == LEAT_DOUBLE && values[1].tag == LEAT_DOUBLE)
        return leat_double(values[0].as.d + values[1].as.d);
    for (uint32_t i = 0; i < count; i++) {
        copies[i] = values[i];
        columns[i] = &copies[i];
    }
    return leat_eval_row(e->program, w->task->eval, &chunk, 0);
}
