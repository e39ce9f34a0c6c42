/*
 * plan_letters.c - the dead-letter output: `on_error: dlq` and what `dlq:` names.
 *
 * It is one more sink, the last, that no stream reads: operators send it what they cannot use. Its
 * records keep the bytes they came with, so nothing about it can be an expression.
 */
#include "plan/build.h"

#include "data/sink.h"

/* {file} is the only thing that may vary in a path. */
static struct leat_slice constant_path(struct planner *p, const struct leat_node *template)
{
    struct leat_slice text = template->text, name = LEAT_LIT("{file}");
    const char *at = memmem(text.ptr, text.len, name.ptr, name.len);
    struct leat_bytes path = {.arena = p->arena};
    struct leat_slice before = {text.ptr, at ? (size_t)(at - text.ptr) : 0};

    if (!at || memchr(before.ptr, '{', before.len) ||
        memchr(at + 1, '{', (size_t)(text.ptr + text.len - at - 1))) {
        leat_diag_hint(p->diags,
                       leat_diag_error(p->diags, template,
                                       "the path of dead letters has {file} in it, and no other "
                                       "expression"),
                       "such as `dead/{file}.jsonl`");
        return (struct leat_slice){0};
    }
    leat_bytes_put(&path, before.ptr, before.len);
    leat_bytes_put(&path, LEAT_ROUTE_FILE, sizeof LEAT_ROUTE_FILE - 1);
    leat_bytes_put(&path, at + name.len, (size_t)(text.ptr + text.len - at) - name.len);
    return leat_bytes_slice(&path);
}

static void refuse_option(struct planner *p, const struct leat_plan_sink *sink, const char *name)
{
    const struct leat_node *node = plan_option_node(sink->module, sink->self, name);

    if (node)
        leat_diag_error_key(p->diags, node,
                            "dead letters keep the %s they came with: leave '%s' out",
                            strcmp(name, "key") == 0 ? "key" : "headers", name);
}

void plan_letters(struct planner *p, uint32_t number)
{
    struct leat_plan_sink *sink = &p->plan->sinks[number];
    const struct leat_node *template;

    sink->name = LEAT_LIT("dlq");
    p->plan->letters = number;
    sink->module = plan_module(p, &p->spec->dlq, leat_module_find_sink, "sink", &sink->self);
    if (!sink->module)
        return;
    refuse_option(p, sink, "key");
    refuse_option(p, sink, "headers");
    enum leat_template_rules rules = plan_template(sink->module, sink->self, &template);
    if (!template)
        return;
    if (rules == LEAT_TEMPLATE_PATH)
        p->plan->letters_route = constant_path(p, template);
    else if (memchr(template->text.ptr, '{', template->text.len))
        leat_diag_error(p->diags, template, "dead letters all go to one topic, without '{'");
}

/* In a stage of a source the row's own bytes are there. */
const struct leat_letter_plan *plan_letter(struct planner *p, const struct plan_stage *stage,
                                           struct leat_view *view)
{
    struct leat_letter_plan *letter;

    if (p->spec->on_error.index != LEAT_SPEC_DLQ || stage->from_source)
        return NULL;
    letter = plan_alloc(p, sizeof *letter);
    *letter =
        (struct leat_letter_plan){.value = leat_view_assemble(view, &p->plan->shapes, p->arena),
                                  .key_column = view->has_key ? view->key_column : LEAT_NO_COLUMN};
    return letter;
}
