#include "op/shape.h"

#include "base/node.h"

#include <stdarg.h>
#include <stdio.h>
#include <xxhash.h>

void leat_shape_say(struct leat_bytes *text, const char *fmt, ...)
{
    char line[256];
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (len > 0)
        leat_bytes_put(text, line, len < (int)sizeof line ? (size_t)len : sizeof line - 1);
}

static void put_text(struct leat_bytes *text, struct leat_slice s)
{
    if (s.len)
        leat_bytes_put(text, s.ptr, s.len);
}

void leat_shape_node(struct leat_bytes *text, const struct leat_node *node)
{
    if (!node)
        return;
    if (node->kind != LEAT_NODE_MAP && node->kind != LEAT_NODE_LIST) {
        put_text(text, node->text);
        return;
    }
    leat_bytes_put(text, node->kind == LEAT_NODE_MAP ? "{ " : "[ ", 2);
    for (const struct leat_node *c = node->first; c; c = c->next) {
        if (node->kind == LEAT_NODE_MAP) {
            put_text(text, c->key);
            leat_bytes_put(text, ": ", 2);
        }
        leat_shape_node(text, c);
        if (c->next)
            leat_bytes_put(text, ", ", 2);
    }
    leat_bytes_put(text, node->kind == LEAT_NODE_MAP ? " }" : " ]", 2);
}

void leat_shape_program(struct leat_bytes *text, const char *what, const struct leat_program *p)
{
    if (!p)
        return;
    leat_bytes_put(text, what, strlen(what));
    leat_bytes_put(text, " ", 1);
    put_text(text, leat_program_source(p));
    leat_bytes_put(text, "; ", 2);
}

uint64_t leat_shape_hash(const struct leat_op *op, const void *plan, struct leat_arena *arena,
                         bool *failed)
{
    struct leat_bytes text = {.arena = arena};

    if (op->state && op->state->shape)
        op->state->shape(plan, &text);
    *failed = text.failed;
    if (text.failed || text.len == 0)
        return 0;
    uint64_t hash = XXH3_64bits(text.ptr, text.len);
    return hash ? hash : 1;
}
