#include "expression.h"

#include "data/json.h"

#include <stdio.h>
#include <stdlib.h>

static bool is_path(const char *column, const struct leat_slice *path, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i && *column++ != '.')
            return false;
        if (strncmp(column, path[i].ptr, path[i].len) != 0)
            return false;
        column += path[i].len;
    }
    return !*column;
}

static enum leat_found resolve(struct leat_names *self, const struct leat_slice *path, size_t count,
                               struct leat_ref *ref)
{
    struct expression *e = (struct expression *)self;

    if (path[0].len == 0) /* nothing is absolute here */
        return LEAT_FOUND_NOTHING;
    for (size_t used = count; used > 0; used--)
        for (uint32_t i = 0; i < e->count; i++)
            if (is_path(e->columns[i].path, path, used)) {
                *ref = (struct leat_ref){LEAT_COL_PATHS + i, (uint32_t)used, e->columns[i].type};
                return LEAT_FOUND;
            }
    if (!e->open || e->count == EXPRESSION_COLUMNS)
        return LEAT_FOUND_NOTHING;
    e->columns[e->count] = (struct expression_column){
        "?", leat_type_of_kind(LEAT_T_ANY), leat_value_fail(LEAT_V_ABSENT, "no such field")};
    *ref = (struct leat_ref){LEAT_COL_PATHS + e->count++, (uint32_t)count, NULL};
    return LEAT_FOUND;
}

static void each(struct leat_names *self, const struct leat_slice *parent, size_t count,
                 void (*fn)(struct leat_slice name, void *arg), void *arg)
{
    struct expression *e = (struct expression *)self;

    (void)parent;
    for (uint32_t i = 0; count == 0 && i < e->count; i++)
        fn(leat_slice_str(e->columns[i].path), arg);
}

void expression_init(struct expression *e)
{
    struct leat_error err;

    *e = (struct expression){.names = {.resolve = resolve, .each = each}};
    e->diags.arena = &e->arena;
    e->ev = leat_eval_new();
    if (!e->ev || leat_chunk_init(&e->chunk, &e->arena, LEAT_COL_PATHS + EXPRESSION_COLUMNS + 1,
                                  &err) != LEAT_OK)
        abort();
    leat_chunk_add(&e->chunk, &(struct leat_row){.time_ms = LEAT_NO_TIME});
}

void expression_fini(struct expression *e)
{
    leat_eval_free(e->ev);
    leat_arena_reset(&e->arena);
}

void expression_add(struct expression *e, const char *path, enum leat_type_kind kind,
                    struct leat_value v)
{
    e->columns[e->count++] = (struct expression_column){path, leat_type_of_kind(kind), v};
}

const struct leat_program *expression_compile(struct expression *e, const char *text)
{
    struct leat_node *node = leat_arena_alloc(&e->arena, sizeof *node);
    struct leat_compile c = {.names = &e->names, .arena = &e->arena, .diags = &e->diags};

    e->diags = (struct leat_diags){.arena = &e->arena};
    if (!node)
        return NULL;
    node->text = leat_slice_str(text);
    node->mark = (struct leat_mark){1, 1, 1};
    return leat_compile(&c, node);
}

struct leat_value expression_value(struct expression *e, const char *text)
{
    const struct leat_program *p = expression_compile(e, text);

    if (!p)
        return leat_value_fail(LEAT_V_SYNTAX, e->diags.first ? e->diags.first->text.ptr : "?");
    for (uint32_t i = 0; i < e->count; i++)
        e->chunk.columns[LEAT_COL_PATHS + i][0] = e->columns[i].value;
    leat_eval_chunk(p, e->ev, &e->chunk, LEAT_COL_PATHS + EXPRESSION_COLUMNS);
    return e->chunk.columns[LEAT_COL_PATHS + EXPRESSION_COLUMNS][0];
}

const char *expression_text(struct expression *e, const char *text)
{
    struct leat_bytes out = {.arena = &e->arena};
    struct leat_value why, v = expression_value(e, text);

    if (e->diags.errors)
        leat_bytes_put(&out, "refused: ", 9);
    else if (v.tag == LEAT_ERROR)
        leat_bytes_put(&out, "error: ", 7);
    if (v.tag == LEAT_ERROR || v.tag == LEAT_TYPE)
        leat_bytes_put(&out, v.as.text, v.len);
    else if (!leat_json_write(v, &out, &why))
        leat_bytes_put(&out, "no JSON", 7);
    leat_bytes_put(&out, "", 1);
    return out.ptr;
}
