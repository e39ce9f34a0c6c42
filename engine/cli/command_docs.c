/*
 * command_docs.c - `leat docs`: the reference, from the tables that parse and check.
 */
#include "cli/cli.h"
#include "http/metrics.h"
#include "op/aggregate.h"

#include <argp.h>
#include <stdlib.h>

static bool is_source(const struct leat_module *m)
{
    return m->pull || m->push;
}

static bool is_sink(const struct leat_module *m)
{
    return m->sink != NULL;
}

static bool is_store(const struct leat_module *m)
{
    return m->keep != NULL;
}

static bool is_op(const struct leat_module *m)
{
    return m->op && !m->op->internal;
}

static bool is_format(const struct leat_module *m)
{
    return m->format != NULL;
}

struct topic {
    const char *name, *title, *about;
    bool (*has)(const struct leat_module *m);
};

static const struct topic topics[] = {
    {"connectors", "Connectors", "What can stand in a source: where records come from.", is_source},
    {"sinks", "Sinks", "What can stand in a sink: where records go.", is_sink},
    {"stores", "Stores",
     "What can stand in `store:` of a source, beside `commit` and `disk`: where its records are "
     "kept before its sender is told.",
     is_store},
    {"ops", "Operators",
     "What can stand in `ops:`, in this order of words: name, argument, what "
     "comes out.",
     is_op},
    {"formats", "Formats", "What can stand behind `format:` of sources and sinks.", is_format},
};

/* ---- modules */

static const char *summary(const struct topic *t, const struct leat_module *m)
{
    return t->has == is_store ? m->keep->summary : m->summary;
}

static void print_module(const struct topic *t, const struct leat_module *m, FILE *out)
{
    const struct leat_opt *opts = t->has == is_store ? m->keep->opts : m->opts;

    fprintf(out, "## %s\n\n%s.\n\n", m->name, summary(t, m));
    if (m->op && m->op->argument)
        fprintf(out, "Argument: `%s`\n\n", m->op->argument);
    if (opts && opts->name)
        leat_opts_write_docs(opts, out);
    fprintf(out, "\n");
}

struct listing {
    const struct topic *topic;
    const struct leat_module *list[256];
    size_t count;
};

static void add(const struct leat_module *m, void *arg)
{
    struct listing *l = arg;

    if (l->topic->has(m) && l->count < sizeof l->list / sizeof *l->list)
        l->list[l->count++] = m;
}

static int by_name(const void *a, const void *b)
{
    const struct leat_module *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static void list_topic(const struct topic *t, struct listing *l)
{
    *l = (struct listing){.topic = t};
    leat_module_each(add, l);
    qsort(l->list, l->count, sizeof *l->list, by_name);
}

static int print_topic(const struct topic *t, const char *name)
{
    struct listing l;

    list_topic(t, &l);
    if (!name)
        printf("# %s\n\n%s\n\n", t->title, t->about);
    for (size_t i = 0; i < l.count; i++) {
        if (name && strcmp(l.list[i]->name, name) != 0)
            continue;
        print_module(t, l.list[i], stdout);
        if (name)
            return CLI_OK;
    }
    if (!name)
        return CLI_OK;
    fprintf(stderr, "leat: there is no '%s' among the %s; `leat docs %s` lists them\n", name,
            t->name, t->name);
    return CLI_USAGE;
}

/* ---- functions */

struct wanted {
    const char *name;
    bool found;
};

static void print_function(const struct leat_function_doc *f, void *arg)
{
    struct wanted *w = arg;

    if (w->name && strcmp(w->name, f->name) != 0)
        return;
    w->found = true;
    printf("- `%s`: %s\n", f->signature, f->help);
}

static void print_aggregate(const struct leat_agg_fn *f, void *arg)
{
    struct wanted *w = arg;

    if (!f->help || (w->name && strcmp(w->name, f->name) != 0))
        return;
    w->found = true;
    printf("- `%s`: %s\n", f->signature, f->help);
}

static int print_functions(const char *name)
{
    struct wanted w = {.name = name};

    if (!name)
        printf("# Functions\n\nWhat expressions can call. Macros and operators are CEL's.\n\n");
    leat_functions_each(print_function, &w);
    if (!name)
        printf("\n# Aggregates\n\nIn `aggregate` only, around expressions over one record.\n\n");
    leat_agg_each(print_aggregate, &w);
    if (w.found)
        return CLI_OK;
    fprintf(stderr, "leat: there is no function '%s'; `leat docs functions` lists them\n", name);
    return CLI_USAGE;
}

/* ---- the command */

static void print_overview(void)
{
    struct listing l;

    for (size_t t = 0; t < sizeof topics / sizeof *topics; t++) {
        list_topic(&topics[t], &l);
        printf("%s (leat docs %s)\n", topics[t].title, topics[t].name);
        for (size_t i = 0; i < l.count; i++)
            printf("  %-28s %s\n", l.list[i]->name, summary(&topics[t], l.list[i]));
        printf("\n");
    }
    printf("Functions of expressions: leat docs functions\n");
    printf("What /metrics answers: leat docs metrics\n");
}

static int find_anywhere(const char *name)
{
    struct listing l;
    bool found = false;

    for (size_t t = 0; t < sizeof topics / sizeof *topics; t++) {
        list_topic(&topics[t], &l);
        for (size_t i = 0; i < l.count; i++)
            if (strcmp(l.list[i]->name, name) == 0) {
                printf("# %s: %s\n\n", topics[t].title, name);
                print_module(&topics[t], l.list[i], stdout);
                found = true;
            }
    }
    if (found)
        return CLI_OK;
    fprintf(stderr, "leat: nothing is called '%s'; `leat docs` lists everything\n", name);
    return CLI_USAGE;
}

int cli_docs(int argc, char **argv)
{
    const char *name = argc > 2 ? argv[2] : NULL;

    if (argc > 3 || (argc > 1 && argv[1][0] == '-')) {
        printf("usage: leat docs [connectors|sinks|stores|ops|functions|formats|metrics [NAME]]\n");
        return argc > 1 && strcmp(argv[1], "--help") == 0 ? CLI_OK : CLI_USAGE;
    }
    leat_module_load_all();
    if (argc == 1) {
        print_overview();
        return CLI_OK;
    }
    if (strcmp(argv[1], "functions") == 0)
        return print_functions(name);
    if (strcmp(argv[1], "metrics") == 0) {
        leat_metrics_write_docs(stdout);
        return CLI_OK;
    }
    for (size_t t = 0; t < sizeof topics / sizeof *topics; t++)
        if (strcmp(argv[1], topics[t].name) == 0)
            return print_topic(&topics[t], name);
    return name ? find_anywhere(name) : find_anywhere(argv[1]);
}
