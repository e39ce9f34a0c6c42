/*
 * yaml_tree.c - builds the node tree from libfyaml's events, then resolves aliases and merge keys.
 *
 * An alias shares the children of what it names, so a bomb of aliases takes no memory; its size is
 * charged all the same, since whoever reads the tree walks it. libfyaml stops at the first mistake
 * in syntax, so there is one at most; mistakes above it (duplicate keys) are collected.
 */
#include "yaml_tree.h"

#include "expression_slot.h"
#include "yaml_inner.h"

#include <libfyaml.h>

static struct leat_node *read_value(struct config_tree *t, struct fy_event *event,
                                    struct leat_node *parent, struct leat_node *into,
                                    unsigned depth);

static struct leat_slice copy_text(struct config_tree *t, struct fy_token *token)
{
    size_t len = 0;
    const char *text = token ? fy_token_get_text(token, &len) : "";
    char *copy = config_tree_take(t, len + 1);

    if (!copy)
        return (struct leat_slice){"", 0};
    if (text && len)
        memcpy(copy, text, len);
    return (struct leat_slice){copy, text ? len : 0};
}

static size_t start_of(const struct config_tree *t, struct fy_token *token)
{
    const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;

    return mark && mark->input_pos <= t->lines->text.len ? mark->input_pos : t->last;
}

static size_t end_of(const struct config_tree *t, struct fy_token *token)
{
    const struct fy_mark *mark = token ? fy_token_end_mark(token) : NULL;
    size_t start = start_of(t, token);

    return mark && mark->input_pos >= start && mark->input_pos <= t->lines->text.len
               ? mark->input_pos
               : start;
}

static struct leat_slice bytes(const struct config_tree *t, size_t from, size_t to)
{
    return (struct leat_slice){t->lines->text.ptr + from, to - from};
}

static struct leat_slice to_line_end(const struct config_tree *t, size_t from)
{
    struct leat_slice rest = bytes(t, from, t->lines->text.len);
    const char *end = rest.len ? memchr(rest.ptr, '\n', rest.len) : NULL;

    if (end)
        rest.len = (size_t)(end - rest.ptr);
    while (rest.len && rest.ptr[rest.len - 1] == '\r')
        rest.len--;
    return rest;
}

static struct leat_node *node_new(struct config_tree *t, struct leat_mark mark)
{
    if (++t->nodes > CONFIG_NODES_MAX && !t->failed)
        config_tree_fail(t, &mark,
                         "this file has more than 100,000 values, those behind aliases included");
    return config_tree_take(t, sizeof(struct leat_node));
}

static struct fy_event *next(struct config_tree *t)
{
    struct fy_event *event = t->failed ? NULL : fy_parser_parse(t->parser);

    t->failed |= !event;
    return event;
}

static enum leat_node_style style_of(struct fy_token *token)
{
    switch (token ? fy_scalar_token_get_style(token) : FYSS_PLAIN) {
    case FYSS_SINGLE_QUOTED:
        return LEAT_STYLE_SINGLE;
    case FYSS_DOUBLE_QUOTED:
        return LEAT_STYLE_DOUBLE;
    case FYSS_LITERAL:
    case FYSS_FOLDED:
        return LEAT_STYLE_BLOCK;
    case FYSS_ANY:
    case FYSS_PLAIN:
    case FYSS_MAX:
        break;
    }
    return LEAT_STYLE_PLAIN;
}

static bool is_null_text(struct leat_slice text)
{
    return text.len == 0 || leat_slice_eq(text, LEAT_LIT("~")) ||
           leat_slice_eq(text, LEAT_LIT("null")) || leat_slice_eq(text, LEAT_LIT("Null")) ||
           leat_slice_eq(text, LEAT_LIT("NULL"));
}

/* `x # > 3` may be meant as one expression; a comment that is set off further is a comment. */
static bool is_comment_behind(const struct config_tree *t, size_t end)
{
    struct leat_slice rest = to_line_end(t, end);

    return rest.len > 1 && (rest.ptr[0] == ' ' || rest.ptr[0] == '\t') && rest.ptr[1] == '#';
}

/* Spaces that YAML took off the front of every line of a block scalar: those in front of its first
 * line that says something, less those that are part of the text. */
static size_t block_indent(struct leat_slice raw, struct leat_slice text)
{
    size_t i = 0, spaces = 0, kept = 0;

    for (; i < raw.len && (raw.ptr[i] == ' ' || raw.ptr[i] == '\n' || raw.ptr[i] == '\r'); i++)
        spaces = raw.ptr[i] == ' ' ? spaces + 1 : 0;
    for (i = 0; i < text.len && (text.ptr[i] == ' ' || text.ptr[i] == '\n'); i++)
        kept = text.ptr[i] == ' ' ? kept + 1 : 0;
    return spaces > kept ? spaces - kept : 0;
}

static void place_scalar(struct config_tree *t, struct leat_node *node, struct fy_token *token)
{
    size_t from = start_of(t, token), to = end_of(t, token), quote;

    if (node->style == LEAT_STYLE_BLOCK) {
        size_t indent = block_indent(bytes(t, from, to), node->text);
        while (indent && from < to && t->lines->text.ptr[from] == ' ') {
            from++;
            indent--;
        }
    }
    quote = from && (node->style == LEAT_STYLE_SINGLE || node->style == LEAT_STYLE_DOUBLE);
    node->raw = bytes(t, from, to);
    node->rest = to_line_end(t, from - quote);
    node->mark = config_lines_mark(t->lines, from, to);
    node->comment_behind = node->style == LEAT_STYLE_PLAIN && is_comment_behind(t, to);
    t->last = to + quote < t->lines->text.len ? to + quote : t->lines->text.len;
}

static void place_nothing(struct config_tree *t, struct leat_node *node)
{
    node->mark = node->key_mark.line ? node->key_mark : config_lines_mark(t->lines, t->last, 0);
    node->rest = to_line_end(t, t->last);
}

static void read_tag(struct config_tree *t, struct leat_node *node, struct fy_token *token)
{
    size_t from = start_of(t, token), to = end_of(t, token);

    if (!token)
        return;
    node->tag = bytes(t, from, to);
    node->rest = to_line_end(t, from);
    if (node->kind == LEAT_NODE_SCALAR && !leat_slice_eq(node->tag, LEAT_LIT("!!str")))
        node->mark = config_lines_mark(t->lines, from, to);
}

static void read_scalar(struct config_tree *t, struct fy_event *event, struct leat_node *node)
{
    struct fy_token *token = event->scalar.value;

    node->kind = LEAT_NODE_SCALAR;
    node->style = style_of(token);
    node->text = copy_text(t, token);
    node->is_null = node->style == LEAT_STYLE_PLAIN && is_null_text(node->text);
    if (token)
        place_scalar(t, node, token);
    else
        place_nothing(t, node);
    read_tag(t, node, event->scalar.tag);
    if (event->scalar.anchor && end_of(t, event->scalar.anchor) > t->last)
        t->last = end_of(t, event->scalar.anchor);
}

static void anchor_put(struct config_tree *t, struct fy_token *token, const struct leat_node *node,
                       struct leat_mark mark)
{
    if (!token || t->failed)
        return;
    struct leat_slice name = copy_text(t, token);
    for (uint32_t i = 0; i < t->anchor_count; i++)
        if (leat_slice_eq(t->anchors[i].name, name)) {
            t->anchors[i].node = node;
            return;
        }
    if (t->anchor_count == CONFIG_ANCHORS_MAX)
        config_tree_fail(t, &mark, "this file has more than 1,000 anchors");
    else
        t->anchors[t->anchor_count++] = (struct config_anchor){name, node};
}

static void read_alias(struct config_tree *t, struct fy_event *event, struct leat_node *node,
                       unsigned depth)
{
    size_t from = start_of(t, event->alias.anchor), to = end_of(t, event->alias.anchor);
    struct leat_slice name = copy_text(t, event->alias.anchor);
    struct leat_mark mark = config_lines_mark(t->lines, from ? from - 1 : 0, to);
    const struct leat_node *named = NULL;
    struct leat_node own = *node;
    bool found = false;

    t->last = to;
    for (uint32_t i = 0; i < t->anchor_count; i++)
        if (leat_slice_eq(t->anchors[i].name, name)) {
            named = t->anchors[i].node;
            found = true;
        }
    if (named && !config_tree_charge(t, named, depth, &mark))
        return;
    if (named)
        *node = *named;
    node->path = own.path;
    node->key = own.key;
    node->key_style = own.key_style;
    node->key_mark = own.key_mark;
    node->in_flow = own.in_flow;
    node->next = NULL;
    node->alias = name;
    node->mark = mark;
    node->rest = to_line_end(t, from ? from - 1 : 0);
    node->comment_behind = false;
    if (named || t->failed)
        return;
    node->is_null = true;
    node->text = LEAT_LIT("");
    struct leat_diag *d = leat_diag_error(t->diags, node,
                                          found ? "'*%.*s' stands inside of what it names"
                                                : "there is no YAML anchor '&%.*s' above",
                                          LEAT_FMT(name));
    if (!found && node->key.len)
        leat_diag_hint(t->diags, d, "a text with a star in front needs quotes: `%.*s: '%.*s'`",
                       LEAT_FMT(node->key), LEAT_FMT(node->rest));
}

static bool begin(struct config_tree *t, struct leat_node *node, struct fy_token *start,
                  unsigned depth)
{
    size_t at = start_of(t, start);
    bool flow = end_of(t, start) > at;

    node->mark = config_lines_mark(t->lines, at, at + 1);
    node->rest = to_line_end(t, at);
    t->last = at;
    if (depth >= CONFIG_DEPTH_MAX)
        config_tree_fail(t, &node->mark, "this is nested deeper than 64 levels");
    return flow;
}

static void read_list(struct config_tree *t, struct fy_event *event, struct leat_node *node,
                      unsigned depth)
{
    bool flow = begin(t, node, event->sequence_start.sequence_start, depth);
    struct leat_mark outer = t->open_flow;
    struct leat_node *last = NULL;

    node->kind = LEAT_NODE_LIST;
    if (flow)
        t->open_flow = node->mark;
    for (struct fy_event *e; (e = next(t));) {
        bool is_end = e->type == FYET_SEQUENCE_END;
        struct leat_node *item = is_end ? NULL : node_new(t, node->mark);
        if (item) {
            item->in_flow = flow;
            item->path = config_tree_path(t, node, (struct leat_slice){0}, true);
            if (read_value(t, e, node, item, depth + 1))
                config_tree_append(node, &last, item);
        }
        fy_parser_event_free(t->parser, e);
        if (is_end)
            break;
    }
    if (!t->failed)
        t->open_flow = outer;
}

static void read_key(struct config_tree *t, struct fy_event *e, const struct leat_node *map,
                     bool flow, struct leat_node *child)
{
    struct fy_token *token = e->type == FYET_SCALAR ? e->scalar.value : NULL;

    child->in_flow = flow;
    if (e->type != FYET_SCALAR) {
        const struct fy_mark *mark = fy_event_start_mark(e);
        struct leat_mark at = config_lines_mark(t->lines, mark ? mark->input_pos : t->last, 0);
        config_tree_fail(t, &at, "a key must be a plain word");
        return;
    }
    child->key = copy_text(t, token);
    child->key_style = style_of(token);
    child->key_mark = config_lines_mark(t->lines, start_of(t, token), end_of(t, token));
    child->path = config_tree_path(t, map, child->key, false);
    if (token)
        t->last = end_of(t, token);
}

static void read_map(struct config_tree *t, struct fy_event *event, struct leat_node *node,
                     unsigned depth)
{
    bool flow = begin(t, node, event->mapping_start.mapping_start, depth);
    struct leat_mark outer = t->open_flow;
    struct leat_node *last = NULL;

    node->kind = LEAT_NODE_MAP;
    if (flow)
        t->open_flow = node->mark;
    for (struct fy_event *e; (e = next(t));) {
        bool is_end = e->type == FYET_MAPPING_END;
        struct leat_node *child = is_end ? NULL : node_new(t, node->mark);
        if (child)
            read_key(t, e, node, flow, child);
        fy_parser_event_free(t->parser, e);
        if (is_end)
            break;
        struct fy_event *value = next(t);
        if (value && child && read_value(t, value, node, child, depth + 1))
            config_tree_append(node, &last, child);
        if (value)
            fy_parser_event_free(t->parser, value);
    }
    if (node->first && !flow)
        node->mark = node->first->key_mark;
    if (t->failed)
        return;
    t->open_flow = outer;
    config_tree_finish_map(t, node, depth);
}

/* Fills `into`, whose key and path are set. NULL after a failure. */
static struct leat_node *read_value(struct config_tree *t, struct fy_event *event,
                                    struct leat_node *parent, struct leat_node *into,
                                    unsigned depth)
{
    struct fy_token *anchor = NULL;

    (void)parent;
    if (event->type == FYET_SCALAR) {
        anchor = event->scalar.anchor;
        read_scalar(t, event, into);
    } else if (event->type == FYET_ALIAS) {
        read_alias(t, event, into, depth);
    } else if (event->type == FYET_MAPPING_START) {
        anchor = event->mapping_start.anchor;
        anchor_put(t, anchor, NULL, into->mark);
        read_map(t, event, into, depth);
        read_tag(t, into, event->mapping_start.tag);
    } else if (event->type == FYET_SEQUENCE_START) {
        anchor = event->sequence_start.anchor;
        anchor_put(t, anchor, NULL, into->mark);
        read_list(t, event, into, depth);
        read_tag(t, into, event->sequence_start.tag);
    }
    anchor_put(t, anchor, into, into->mark);
    return t->failed ? NULL : into;
}

static struct leat_node *read_document(struct config_tree *t)
{
    struct leat_mark top = {1, 1, 1};
    struct leat_node *root = NULL;

    for (struct fy_event *e; (e = next(t));) {
        enum fy_event_type type = e->type;
        if (type == FYET_DOCUMENT_START && root) {
            top = config_lines_mark(t->lines, t->last, 0);
            config_tree_fail(t, &top,
                             "a second YAML document begins behind this; a file is one pipeline");
        } else if (type == FYET_SCALAR || type == FYET_ALIAS || type == FYET_MAPPING_START ||
                   type == FYET_SEQUENCE_START) {
            root = node_new(t, top);
            if (root) {
                root->path = LEAT_LIT("");
                read_value(t, e, NULL, root, 0);
            }
        }
        fy_parser_event_free(t->parser, e);
        if (type == FYET_STREAM_END)
            break;
    }
    if (t->failed)
        return NULL;
    if (!root || root->kind != LEAT_NODE_MAP) {
        bool empty = !root || (root->kind == LEAT_NODE_SCALAR && root->is_null);
        config_tree_fail(t, root ? &root->mark : &top,
                         empty ? "this file is empty" : "a pipeline file is a map of settings");
        return NULL;
    }
    return root;
}

static void report_syntax(struct config_tree *t, struct fy_diag *diag)
{
    struct fy_diag_error *e;
    void *at = NULL;

    while ((e = fy_diag_errors_iterate(diag, &at)) && e->type < FYET_ERROR)
        ;
    struct leat_node node = {.mark = {1, 1, 1}};
    if (e && e->line > 0 && e->column > 0)
        node.mark = (struct leat_mark){(uint32_t)e->line, (uint32_t)e->column, 1};
    struct leat_diag *d =
        leat_diag_error(t->diags, &node, "not YAML: %s", e && e->msg ? e->msg : "unreadable");
    if (!config_syntax_hint(t->lines, d, t->diags) && t->open_flow.line)
        leat_diag_note(t->diags, d, "the bracket in line %u, column %u is not closed yet",
                       t->open_flow.line, t->open_flow.column);
}

struct leat_node *config_yaml_tree(struct config_lines *lines, struct leat_arena *arena,
                                   struct leat_diags *diags)
{
    struct config_tree t = {.lines = lines, .arena = arena, .diags = diags};
    uint32_t errors = diags->errors;
    struct leat_node *root = NULL;
    struct fy_diag *diag = config_yaml_diag_new();

    t.parser = config_yaml_parser_new(diag, lines->text);
    t.anchors = config_tree_take(&t, CONFIG_ANCHORS_MAX * sizeof *t.anchors);
    if (!t.parser)
        leat_diag_error(diags, NULL, "there is not enough memory to read this file");
    else if (t.anchors)
        root = read_document(&t);
    if (t.parser && !root && diags->errors == errors)
        report_syntax(&t, diag);
    if (t.parser)
        fy_parser_destroy(t.parser);
    if (diag)
        fy_diag_destroy(diag);
    return root;
}
