/*
 * check_call.c - finds out which macro, function or aggregate a call means.
 *
 * A name before the point may be a namespace: math.greatest(a, b). Macros come first, then, where
 * aggregates may stand, those, then functions. Thread: any.
 */
#include "expr/check.h"

#include <stdio.h>

#define CANDIDATES_MAX 256

static const char *const aggregates[] = {
    "count",  "count_if", "sum",    "avg",      "min", "max",     "first",    "last",
    "any",    "all",      "stddev", "variance", "top", "collect", "quantile", "count_distinct",
    "min_by", "max_by",
};

static bool is_aggregate(struct leat_slice name)
{
    for (size_t i = 0; i < sizeof aggregates / sizeof *aggregates; i++)
        if (leat_slice_eq(name, leat_slice_str(aggregates[i])))
            return true;
    return false;
}

static struct leat_slice source_of(const struct checker *ck, const struct ast *n)
{
    return (struct leat_slice){ck->source->text.ptr + n->at, n->len};
}

/* The arguments are programs of their own, over one record. */
static const struct leat_type *check_aggregate(struct checker *ck, struct ast *n)
{
    struct leat_arena *arena = ck->source->arena;
    const struct leat_program **args = leat_arena_array(arena, n->count + 1, sizeof *args);
    struct leat_compile over_row = *ck->c;
    bool failed = false;
    uint32_t i = 0;

    if (!args) {
        ck->failed = true;
        ast_no_memory(ck->source);
        return type_any();
    }
    over_row.names = ck->names->row;
    for (struct ast *child = n->first; child; child = child->next) {
        struct checker row = {.c = &over_row, .names = over_row.names, .source = ck->source};
        check_node(&row, child);
        if (!row.failed)
            args[i++] = compile_tree(&over_row, ck->source, child);
        failed = failed || row.failed || !args[i - 1];
    }
    if (failed) {
        ck->failed = true;
        return type_any();
    }
    struct leat_aggregate_call call = {n->name, args, n->count, source_of(ck, n)};
    enum leat_found found = ck->names->aggregate(ck->names, &call, &n->ref);
    if (found == LEAT_FOUND) {
        n->meaning = AST_MEANS_COLUMN;
        return n->ref.type ? n->ref.type : type_any();
    }
    struct leat_diag *d =
        check_wrong(ck, n, n->name_at, n->name_len, "%s",
                    found == LEAT_FOUND_ERROR && ck->names->why ? ck->names->why
                                                                : "there is no such aggregate");
    if (d && found == LEAT_FOUND_ERROR && ck->names->instead)
        leat_diag_hint(ck->source->diags, d, "%s", ck->names->instead);
    return type_any();
}

/* Whether arguments of these types fit "SI>B"; with `count_only` only how many there are. *result
 * is the letter of what comes out. */
static bool fits(struct leat_slice pattern, const struct ast *args, bool count_only, char *result)
{
    struct leat_slice letters, out;
    char last = 0;
    size_t i = 0;
    bool repeats;

    leat_slice_cut(pattern, '>', &letters, &out);
    *result = out.len ? *out.ptr : 'A';
    repeats = letters.len && letters.ptr[letters.len - 1] == '*';
    letters.len -= repeats;
    for (; args; args = args->next, i++) {
        if (i < letters.len)
            last = letters.ptr[i];
        else if (!repeats)
            return false;
        if (!count_only && !type_fits_letter(args->type, last))
            return false;
    }
    return i >= letters.len;
}

/* The type that comes out of f; NULL: no overload fits. Several that fit differently: any. */
static const struct leat_type *overload(const struct leat_function *f, const struct ast *n,
                                        bool count_only)
{
    struct leat_slice rest = leat_slice_str(f->overloads), pattern;
    const struct leat_type *found = NULL;
    char letter;

    while (rest.len) {
        leat_slice_cut(rest, ' ', &pattern, &rest);
        if (pattern.len == 0 || !fits(pattern, n->first, count_only, &letter))
            continue;
        const struct leat_type *t = type_of_letter(letter);
        found = !found || found == t ? t : type_any();
    }
    return found;
}

struct wanted {
    struct leat_slice names[CANDIDATES_MAX];
    size_t count;
    enum leat_function_form form;
};

static void add_name(const struct leat_function *f, void *arg)
{
    struct wanted *all = arg;

    if ((f->form & all->form) && all->count < CANDIDATES_MAX)
        all->names[all->count++] = leat_slice_str(f->name);
}

static void add_macro(const struct leat_function_doc *doc, void *arg)
{
    struct wanted *all = arg;

    if (all->count < CANDIDATES_MAX)
        all->names[all->count++] = leat_slice_str(doc->name);
}

static void unknown_function(struct checker *ck, struct ast *n, struct leat_slice name)
{
    enum leat_function_form other = n->member ? LEAT_FN_GLOBAL : LEAT_FN_MEMBER;
    const struct leat_function *f = leat_function_find(n->name, other);
    const struct ast_macro *m = macro_find(name, n->member, 0, true);

    if (m) {
        struct leat_diag *d = check_wrong(ck, n, n->name_at, n->name_len, "%s() with %u arguments",
                                          m->name, n->count - n->member);
        if (d)
            leat_diag_hint(ck->source->diags, d, "it is %s", m->signature);
        return;
    }
    if (!n->member && is_aggregate(n->name)) {
        struct leat_diag *d =
            check_wrong(ck, n, n->name_at, n->name_len,
                        "%.*s() is an aggregate: it belongs into `aggregate`", LEAT_FMT(n->name));
        if (d && f)
            leat_diag_hint(ck->source->diags, d, "of a list it is %s", f->signature);
        return;
    }
    struct leat_diag *d =
        check_wrong(ck, n, n->name_at, n->name_len, "unknown function '%.*s'", LEAT_FMT(name));
    if (!d)
        return;
    if (f) {
        leat_diag_hint(ck->source->diags, d, "it is written %s", f->signature);
        return;
    }
    if (leat_slice_eq(name, LEAT_LIT("now"))) {
        leat_diag_hint(ck->source->diags, d, "there is no clock; meta.batch_time is the batch's");
        return;
    }
    struct wanted all = {.form = n->member ? LEAT_FN_MEMBER : LEAT_FN_GLOBAL};
    leat_function_each(add_name, &all);
    macro_each(add_macro, &all);
    for (size_t i = 0; ck->names->aggregate && i < sizeof aggregates / sizeof *aggregates; i++)
        if (all.count < CANDIDATES_MAX)
            all.names[all.count++] = leat_slice_str(aggregates[i]);
    leat_diag_nearest(ck->source->diags, d, name, all.names, all.count);
}

static void no_overload(struct checker *ck, struct ast *n, const struct leat_function *f)
{
    char types[120] = "";
    size_t used = 0;

    for (const struct ast *arg = n->first; arg && used < sizeof types - 24; arg = arg->next)
        used += (size_t)snprintf(types + used, sizeof types - used, "%s%s", used ? ", " : "",
                                 type_word(arg->type));
    struct leat_diag *d =
        check_wrong(ck, n, n->name_at, n->name_len, "no such overload: %s(%s)", f->name, types);
    if (d)
        leat_diag_hint(ck->source->diags, d, "it is %s", f->signature);
}

/* The first function of that name that takes such arguments. */
static const struct leat_type *check_function(struct checker *ck, struct ast *n,
                                              struct leat_slice name, enum leat_function_form form)
{
    const struct leat_function *first = leat_function_find(name, form);
    bool only_count = ck->c->unchecked;

    for (const struct leat_function *f = first; f; f = function_find_next(name, form, f)) {
        const struct leat_type *t = overload(f, n, false);
        if (!t && only_count && overload(f, n, true))
            t = type_any();
        if (t && n->count <= LEAT_FN_ARGS_MAX) {
            n->meaning = AST_MEANS_FUNCTION;
            n->function = f;
            return t;
        }
    }
    if (!n->member && is_aggregate(n->name) && n->first && n->first->type->kind != LEAT_T_LIST)
        unknown_function(ck, n, name);
    else
        no_overload(ck, n, first);
    return type_any();
}

static bool is_namespace(struct leat_slice dotted)
{
    struct leat_slice space, rest;

    leat_slice_cut(dotted, '.', &space, &rest);
    for (size_t i = 0; i < 6; i++) {
        static const char *const names[] = {"math", "strings",  "base64",
                                            "cel",  "optional", "regex"};
        if (leat_slice_eq(space, leat_slice_str(names[i])))
            return true;
    }
    return false;
}

/* math.abs(x): what stands before the point is no argument. */
static void drop_receiver(struct ast *n)
{
    n->first = n->first->next;
    n->last = n->first ? n->last : NULL;
    n->count--;
    n->member = false;
}

const struct leat_type *check_call(struct checker *ck, struct ast *n)
{
    struct leat_slice name = n->name;
    struct leat_slice dotted = {0};

    if (n->member)
        dotted = check_dotted(ck, n->first, n->name);
    if (dotted.ptr && (macro_find(dotted, false, 0, true) ||
                       leat_function_find(dotted, LEAT_FN_GLOBAL) || is_namespace(dotted))) {
        n->name = name = dotted;
        n->name_len += n->name_at - n->first->at;
        n->name_at = n->first->at;
        drop_receiver(n);
    }
    n->macro = macro_find(name, n->member, n->count - n->member, false);
    bool aggregate = !n->member && ck->names->aggregate && is_aggregate(name);
    if (n->macro && !aggregate)
        return macro_check(ck, n);
    if (aggregate)
        return check_aggregate(ck, n);
    enum leat_function_form form = n->member ? LEAT_FN_MEMBER : LEAT_FN_GLOBAL;
    bool known = leat_function_find(name, form) != NULL;
    /* The arguments of a macro may be names, those of an aggregate fields of a record. */
    bool skipped = !known && (macro_find(name, n->member, 0, true) || ck->names->aggregate);
    for (struct ast *child = n->first; child && !skipped; child = child->next)
        check_node(ck, child);
    if (known)
        return check_function(ck, n, name, form);
    unknown_function(ck, n, name);
    return type_any();
}
