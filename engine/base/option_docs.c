/*
 * option_docs.c - an option table as text for people: `leat docs` and the reference page.
 *
 * Everything comes from the table that parses, so that the documentation cannot lie. Options of a
 * group follow it under their full name. Thread: any.
 */
#include "base/option.h"

enum { NAME_MAX_LEN = 96 };

static const char *const kind_names[] = {
    [LEAT_OPT_TEXT] = "text",
    [LEAT_OPT_INT] = "integer",
    [LEAT_OPT_BOOL] = "true or false",
    [LEAT_OPT_DURATION] = "duration",
    [LEAT_OPT_SIZE] = "size",
    [LEAT_OPT_RATE] = "rate",
    [LEAT_OPT_DECIMAL] = "number",
    [LEAT_OPT_CHOICE] = "one of",
    [LEAT_OPT_TEXTS] = "one text or a list of texts",
    [LEAT_OPT_PAIRS] = "map of names to texts",
    [LEAT_OPT_EXPR] = "expression",
    [LEAT_OPT_TEMPLATE] = "template",
    [LEAT_OPT_RECORD] = "expression or record of expressions",
    [LEAT_OPT_GROUP] = "map",
};

const char *leat_opt_kind_name(enum leat_opt_kind kind)
{
    return kind_names[kind];
}

static void write_type(const struct leat_opt *opt, const char *between, FILE *out)
{
    fputs(kind_names[opt->kind], out);
    if (opt->kind == LEAT_OPT_CHOICE)
        for (const char *const *word = opt->choices; *word; word++)
            fprintf(out, "%s%s", word == opt->choices ? " " : between, *word);
}

static void write_limits(const struct leat_opt *opt, const char *before, FILE *out)
{
    struct leat_number_text min = leat_opt_print_number(opt->kind, opt->min);
    struct leat_number_text max = leat_opt_print_number(opt->kind, opt->max);

    if (opt->max > opt->min && opt->max < LEAT_OPT_NO_MAX)
        fprintf(out, "%s%s to %s", before, min.text, max.text);
    else if (opt->min)
        fprintf(out, "%sat least %s", before, min.text);
}

static void write_default(const struct leat_opt *opt, const char *quote, FILE *out)
{
    if (opt->kind == LEAT_OPT_GROUP || opt->optional)
        fputs("optional", out);
    else if (!opt->def)
        fputs("required", out);
    else if (!opt->def[0])
        fputs("default none", out);
    else
        fprintf(out, "default %s%s%s", quote, opt->def, quote);
}

static void write_text(const struct leat_opt *opts, const char *prefix, FILE *out)
{
    for (; opts->name; opts++) {
        char name[NAME_MAX_LEN];
        snprintf(name, sizeof name, "%s%s", prefix, opts->name);
        fprintf(out, "%s (", name);
        write_type(opts, " | ", out);
        write_limits(opts, ", ", out);
        fputs(", ", out);
        write_default(opts, "", out);
        fprintf(out, "%s)\n    %s\n", opts->secret ? ", secret" : "", opts->help ? opts->help : "");
        if (opts->kind == LEAT_OPT_GROUP) {
            snprintf(name, sizeof name, "%s%s.", prefix, opts->name);
            write_text(opts->group, name, out);
        }
    }
}

void leat_opts_write_docs(const struct leat_opt *opts, FILE *out)
{
    write_text(opts, "", out);
}

/* A bar would end the cell. */
static void write_cell(const char *text, FILE *out)
{
    for (; *text; text++)
        fprintf(out, *text == '|' ? "\\%c" : "%c", *text);
}

static void write_rows(const struct leat_opt *opts, const char *prefix, FILE *out)
{
    for (; opts->name; opts++) {
        char name[NAME_MAX_LEN];
        fprintf(out, "| `%s%s` | ", prefix, opts->name);
        write_type(opts, ", ", out);
        write_limits(opts, "; ", out);
        fputs(" | ", out);
        write_default(opts, "`", out);
        fputs(" | ", out);
        write_cell(opts->help ? opts->help : "", out);
        fputs(opts->secret ? " Never printed. |\n" : " |\n", out);
        if (opts->kind == LEAT_OPT_GROUP) {
            snprintf(name, sizeof name, "%s%s.", prefix, opts->name);
            write_rows(opts->group, name, out);
        }
    }
}

void leat_opts_write_markdown(const struct leat_opt *opts, FILE *out)
{
    fputs("| option | takes | | what it does |\n|---|---|---|---|\n", out);
    write_rows(opts, "", out);
}
