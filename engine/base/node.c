#include "base/node.h"

const struct leat_node *leat_node_find(const struct leat_node *map, const char *key)
{
    if (!map || map->kind != LEAT_NODE_MAP)
        return NULL;
    for (const struct leat_node *child = map->first; child; child = child->next)
        if (leat_slice_eq(child->key, leat_slice_str(key)))
            return child;
    return NULL;
}

struct leat_slice leat_node_value(const struct leat_node *scalar)
{
    return scalar->filled ? scalar->filled->value : scalar->text;
}

size_t leat_utf8_count(struct leat_slice text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return count;
}

/* Two readers of one scalar, side by side: its text, and the file's bytes it was made from. */
struct walk {
    const struct leat_node *node;
    size_t text, raw;
    uint32_t line, column;
};

static void step_raw(struct walk *w, size_t bytes)
{
    for (; bytes && w->raw < w->node->raw.len; bytes--) {
        unsigned char c = (unsigned char)w->node->raw.ptr[w->raw++];
        if (c == '\n') {
            w->line++;
            w->column = 1;
        } else if ((c & 0xc0) != 0x80) {
            w->column++;
        }
    }
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Does the line end here, but for blanks? Then folding made something else of what follows. */
static bool at_line_end(const struct walk *w)
{
    struct leat_slice raw = w->node->raw;
    size_t i = w->raw;

    while (i < raw.len && is_blank(raw.ptr[i]) && raw.ptr[i] != '\n')
        i++;
    return i < raw.len && raw.ptr[i] == '\n';
}

/* Over a line end of a plain or quoted scalar: both sides go to what is not blank. */
static void step_fold(struct walk *w)
{
    struct leat_slice raw = w->node->raw, text = w->node->text;

    while (w->raw < raw.len && is_blank(raw.ptr[w->raw]))
        step_raw(w, 1);
    while (w->text < text.len && is_blank(text.ptr[w->text]))
        w->text++;
}

/* Over a line end of a block scalar: one byte of text, and the next line's indentation, which is
 * that of the first. */
static void step_block_line(struct walk *w)
{
    struct leat_slice raw = w->node->raw;

    while (w->raw < raw.len && raw.ptr[w->raw] != '\n')
        step_raw(w, 1);
    step_raw(w, 1);
    while (w->raw < raw.len && raw.ptr[w->raw] == ' ' && w->column < w->node->mark.column)
        step_raw(w, 1);
    w->text++;
}

/* An escape of a double-quoted scalar: bytes in the file, and what they are in the text. */
static void step_escape(struct walk *w)
{
    struct leat_slice raw = w->node->raw, text = w->node->text;
    char c = w->raw + 1 < raw.len ? raw.ptr[w->raw + 1] : 0;

    if (c == '\n' || c == '\r') {
        step_raw(w, 1);
        while (w->raw < raw.len && is_blank(raw.ptr[w->raw]))
            step_raw(w, 1);
        return;
    }
    step_raw(w, c == 'x' ? 4 : c == 'u' ? 6 : c == 'U' ? 10 : 2);
    w->text++;
    while (w->text < text.len && ((unsigned char)text.ptr[w->text] & 0xc0) == 0x80)
        w->text++;
}

static void step(struct walk *w)
{
    const struct leat_node *n = w->node;
    char c = w->raw < n->raw.len ? n->raw.ptr[w->raw] : 0;

    if (n->style == LEAT_STYLE_BLOCK && (c == '\n' || c == '\r')) {
        step_block_line(w);
    } else if (n->style != LEAT_STYLE_BLOCK && is_blank(c) && at_line_end(w)) {
        step_fold(w);
    } else if (n->style == LEAT_STYLE_DOUBLE && c == '\\') {
        step_escape(w);
    } else {
        step_raw(w, n->style == LEAT_STYLE_SINGLE && c == '\'' ? 2 : 1);
        w->text++;
    }
}

static bool can_walk(const struct leat_node *n)
{
    return n->kind == LEAT_NODE_SCALAR && !n->interpolated && !n->alias.ptr && n->mark.line;
}

struct leat_mark leat_node_mark_at(const struct leat_node *scalar, size_t at, size_t len)
{
    struct leat_node node = *scalar;
    struct walk w = {.node = &node, .line = node.mark.line, .column = node.mark.column};

    if (!can_walk(scalar))
        return scalar->mark;
    if (!node.raw.ptr)
        node.raw = node.text; /* made by hand: a plain scalar of one line */
    if (at > node.text.len)
        at = node.text.len;
    if (len > node.text.len - at)
        len = node.text.len - at;
    while (w.text < at && w.raw < node.raw.len)
        step(&w);
    struct leat_mark mark = {.line = w.line, .column = w.column};
    while (w.text < at + len && w.raw < node.raw.len && w.line == mark.line) {
        uint32_t before = w.column;
        step(&w);
        if (w.line == mark.line)
            mark.len += w.column - before;
    }
    return mark;
}
