/*
 * compile.c - a checked tree becomes a program.
 *
 * What depends on no row is evaluated here, once. Functions may prepare a constant argument (a
 * regular expression); what is wrong with that is told here. Thread: any.
 */
#include "expr/compile.h"
#include "base/expression_slot.h"
#include "base/mem.h"
#include "data/value_ops.h"
#include "expr/callable.h"
#include "expr/check.h"

#include <stdio.h>

#define FOLD_BYTES ((size_t)4 << 20) /* of what constants may need while they are computed */

static struct op *out_of_memory(struct compiler *cc)
{
    cc->failed = true;
    ast_no_memory(cc->source);
    return NULL;
}

static struct op *op_new(struct compiler *cc, op_run *run, uint32_t count)
{
    struct leat_arena *arena = cc->source->arena;
    struct op *op = leat_arena_alloc(arena, sizeof *op);
    const struct op **args = leat_arena_array(arena, count + 1, sizeof *args);

    if (!op || !args)
        return out_of_memory(cc);
    op->run = run;
    op->args = args;
    op->count = count;
    return op;
}

static struct op *op_of_constant(struct compiler *cc, struct leat_value v)
{
    struct op *op = op_new(cc, op_constant, 0);

    if (op) {
        op->kind = OP_CONSTANT;
        op->constant = true;
        op->value = v;
    }
    return op;
}

static struct op *op_of_column(struct compiler *cc, uint32_t column, bool maybe)
{
    struct op *op = op_new(cc, maybe ? op_column_maybe : op_column, 0);

    if (!op)
        return NULL;
    op->kind = maybe ? OP_OTHER : OP_COLUMN;
    op->column = column;
    for (uint32_t i = 0; i < cc->columns_count; i++)
        if (cc->columns[i] == column)
            return op;
    if (cc->columns_count == cc->columns_room) {
        uint32_t room = cc->columns_room ? 2 * cc->columns_room : 8;
        uint32_t *more = leat_arena_array(cc->source->arena, room, sizeof *more);
        if (!more)
            return out_of_memory(cc);
        if (cc->columns_count)
            memcpy(more, cc->columns, cc->columns_count * sizeof *more);
        cc->columns = more;
        cc->columns_room = room;
    }
    cc->columns[cc->columns_count++] = column;
    return op;
}

/* Evaluate an operation that depends on no row. */
/* A constant that is an error, where nothing absorbs it: every row would fail. */
static void say_failure(struct compiler *cc, struct leat_value v, const struct ast *n)
{
    if (v.tag != LEAT_ERROR || cc->guarded || cc->c->unchecked || !n)
        return;
    ast_error(cc->source, n->at, n->len, "%.*s", LEAT_FMT(leat_value_text(v)));
    cc->failed = true;
}

const struct op *compiler_fold(struct compiler *cc, const struct op *op, const struct ast *n)
{
    if (!op || !op->constant || op->kind == OP_CONSTANT)
        return op;
    cc->eval->arena = &cc->scratch;
    cc->eval->steps = LEAT_EVAL_STEPS;
    struct leat_value v = op_value(cc->eval, op);
    if (v.tag == LEAT_ERROR && v.code == LEAT_V_BUDGET) {
        struct leat_error why;
        bool no_memory = leat_arena_failed(&cc->scratch, &why) == LEAT_E_NOMEM;
        leat_arena_reset(&cc->scratch);
        if (cc->eval->steps > 0 && no_memory)
            return out_of_memory(cc);
        v = leat_value_fail(LEAT_V_BUDGET, "a constant that is too big");
        say_failure(cc, v, n);
        return op_of_constant(cc, v);
    }
    uint8_t flags = v.flags & (OPT_SOME | OPT_NONE);
    v = leat_value_copy(op_plain(v), cc->source->arena);
    if (v.tag == LEAT_ERROR && v.code == LEAT_V_BUDGET)
        return out_of_memory(cc);
    v.flags |= flags;
    leat_arena_reset(&cc->scratch);
    say_failure(cc, v, n);
    struct op *folded = op_of_constant(cc, v);
    if (folded)
        folded->optional = op->optional;
    return folded;
}

static const struct op *build(struct compiler *cc, const struct ast *n);

/* The names of variables, which stand first among a macro's arguments, are no operands. */
static bool is_variable(const struct ast *n, uint32_t at)
{
    return n->meaning == AST_MEANS_MACRO && at >= n->member && at < n->member + n->macro->vars;
}

/* What may hide an error of its operands, or not evaluate them. */
static bool guards(const struct ast *n)
{
    return n->kind == AST_AND || n->kind == AST_OR || n->kind == AST_CONDITION ||
           n->meaning == AST_MEANS_MACRO;
}

/* Builds n's operands. Where one depends on a row, the constants beside it are computed now. */
static struct op *with_args(struct compiler *cc, struct op *op, const struct ast *n)
{
    const struct op **args = op ? (const struct op **)(uintptr_t)op->args : NULL;
    uint32_t i = 0, at = 0;

    if (!op)
        return NULL;
    cc->guarded += guards(n);
    op->constant = n->meaning != AST_MEANS_MACRO || n->macro->vars == 0;
    for (const struct ast *child = n->first; child; child = child->next) {
        if (is_variable(n, at++))
            continue;
        args[i] = build(cc, child);
        if (!args[i])
            return NULL;
        op->constant = op->constant && args[i]->constant;
        i++;
    }
    i = at = 0;
    for (const struct ast *child = n->first; child && !op->constant; child = child->next) {
        if (is_variable(n, at++))
            continue;
        args[i] = compiler_fold(cc, args[i], child);
        if (!args[i++])
            return NULL;
    }
    cc->guarded -= guards(n);
    return op;
}

static struct op *build_children(struct compiler *cc, op_run *run, const struct ast *n)
{
    return with_args(cc, op_new(cc, run, n->count), n);
}

static op_run *binary_run(enum ast_operator operator)
{
    static op_run *const runs[] = {
        [AST_ADD] = op_add,
        [AST_SUBTRACT] = op_subtract,
        [AST_MULTIPLY] = op_multiply,
        [AST_DIVIDE] = op_divide,
        [AST_REMAINDER] = op_remainder,
        [AST_EQUAL] = op_equal,
        [AST_UNEQUAL] = op_unequal,
        [AST_LESS] = op_less,
        [AST_LESS_EQUAL] = op_less_equal,
        [AST_GREATER] = op_greater,
        [AST_GREATER_EQUAL] = op_greater_equal,
        [AST_IN] = op_in,
    };

    return runs[operator];
}

static struct op *build_select(struct compiler *cc, const struct ast *n)
{
    char text[160];
    struct op *op = build_children(cc, n->optional ? op_select_maybe : op_select, n);

    if (!op)
        return NULL;
    snprintf(text, sizeof text, "no such field '%.*s'",
             (int)(n->name.len < 120 ? n->name.len : 120), n->name.ptr);
    struct leat_slice copy = leat_arena_copy(cc->source->arena, leat_slice_str(text));
    if (!copy.ptr)
        return out_of_memory(cc);
    op->name = n->name;
    op->value = leat_value_fail(LEAT_V_ABSENT, copy.ptr);
    return op;
}

/* Elements and keys that are optional are marked, for op_list and op_map to leave out. */
static struct op *build_items(struct compiler *cc, op_run *run, const struct ast *n)
{
    struct op *op = build_children(cc, run, n);
    uint32_t i = 0;

    for (const struct ast *child = n->first; op && child; child = child->next, i++)
        if (child->optional) {
            struct op *marked = op_new(cc, op->args[i]->run, 0);
            if (!marked)
                return NULL;
            *marked = *op->args[i];
            marked->optional = true;
            ((const struct op **)(uintptr_t)op->args)[i] = marked;
        }
    return op;
}

/* Constant arguments that the function knows to be wrong, whatever the others are. */
static void check_constants(struct compiler *cc, const struct op *op, const struct ast *n)
{
    uint32_t i = 0;

    for (const struct ast *arg = n->first; arg; arg = arg->next, i++) {
        bool is_constant = op->args[i]->kind == OP_CONSTANT;
        const char *why = is_constant ? n->function->check(i, op->args[i]->value) : NULL;
        if (why && !cc->c->unchecked) {
            ast_error(cc->source, arg->at, arg->len, "%s", why);
            cc->failed = true;
        }
    }
}

static struct op *build_function(struct compiler *cc, const struct ast *n)
{
    const struct leat_function *f = n->function;
    struct op *op = build_children(cc, op_call, n);
    const char *why = NULL;

    if (!op)
        return NULL;
    op->function = f;
    if (f->check && !op->constant)
        check_constants(cc, op, n);
    if (!f->prepare || f->constant_arg >= n->count || !op->args[f->constant_arg]->constant)
        return op;
    const struct op *constant = compiler_fold(cc, op->args[f->constant_arg], NULL);
    if (!constant || constant->value.tag == LEAT_ERROR)
        return constant ? op : NULL;
    ((const struct op **)(uintptr_t)op->args)[f->constant_arg] = constant;
    op->prepared = f->prepare(constant->value, cc->source->arena, &why);
    if (op->prepared || !why || cc->c->unchecked)
        return op;
    const struct ast *arg = n->first;
    for (uint32_t i = 0; i < f->constant_arg; i++)
        arg = arg->next;
    ast_error(cc->source, arg->at, arg->len, "%s", why);
    cc->failed = true;
    return op;
}

static op_run *macro_run(enum macro_kind kind)
{
    static op_run *const runs[] = {
        [MACRO_HAS] = op_has,
        [MACRO_DEFAULT] = op_default,
        [MACRO_TRY] = op_try,
        [MACRO_BIND] = op_bind,
        [MACRO_ALL] = op_all,
        [MACRO_EXISTS] = op_exists,
        [MACRO_EXISTS_ONE] = op_exists_one,
        [MACRO_FILTER] = op_filter,
        [MACRO_MAP] = op_map_list,
        [MACRO_TRANSFORM_MAP] = op_transform_map,
        [MACRO_TRANSFORM_ENTRY] = op_transform_entry,
        [MACRO_SORT_BY] = op_sort_by,
        [MACRO_FOLD] = op_fold,
        [MACRO_OPTIONAL_OF] = op_optional_of,
        [MACRO_OPTIONAL_NON_ZERO] = op_optional_non_zero,
        [MACRO_OPTIONAL_NONE] = op_constant,
        [MACRO_OPTIONAL_MAP] = op_optional_map,
        [MACRO_OPTIONAL_FLAT_MAP] = op_optional_flat_map,
        [MACRO_HAS_VALUE] = op_has_value,
        [MACRO_VALUE] = op_take_value,
        [MACRO_OR] = op_or_optional,
        [MACRO_OR_VALUE] = op_or_value,
    };

    return runs[kind];
}

/* Operands are the receiver and what is behind the names of the variables. */
static struct op *build_macro(struct compiler *cc, const struct ast *n)
{
    const struct ast_macro *m = n->macro;
    struct op *op = op_new(cc, macro_run(m->kind), n->count - m->vars);

    if (!op)
        return NULL;
    op->slot = n->slot;
    op->both = m->vars == 2;
    op->name = leat_slice_str(m->name);
    if (m->kind == MACRO_OPTIONAL_NONE)
        op->value.flags = OPT_NONE;
    return with_args(cc, op, n);
}

static struct op *build_kind(struct compiler *cc, const struct ast *n)
{
    struct op *op;

    switch (n->kind) {
    case AST_LITERAL:
        return op_of_constant(cc, n->value);
    case AST_SELECT:
        return build_select(cc, n);
    case AST_INDEX:
        return build_children(cc, n->optional ? op_index_maybe : op_index, n);
    case AST_LIST:
        return build_items(cc, op_list, n);
    case AST_MAP:
        return build_items(cc, op_map, n);
    case AST_NEGATE:
        return build_children(cc, op_negate, n);
    case AST_NOT:
        return build_children(cc, op_not, n);
    case AST_AND:
        return build_children(cc, op_and, n);
    case AST_OR:
        return build_children(cc, op_or, n);
    case AST_CONDITION:
        return build_children(cc, op_condition, n);
    case AST_BINARY:
        op = build_children(cc, binary_run(n->operator), n);
        if (op)
            op->whole = n->whole;
        return op;
    case AST_NAME:
    case AST_CALL: /* the checker gave them a meaning, or failed */
        break;
    }
    return op_of_constant(cc, leat_value_fail(LEAT_V_ABSENT, "no such name"));
}

static const struct op *build(struct compiler *cc, const struct ast *n)
{
    struct op *op;

    switch (n->meaning) {
    case AST_MEANS_ITSELF:
        return build_kind(cc, n);
    case AST_MEANS_COLUMN:
        return op_of_column(cc, n->ref.column, n->maybe);
    case AST_MEANS_LOCAL:
        op = op_new(cc, op_local, 0);
        if (op)
            op->slot = n->slot;
        return op;
    case AST_MEANS_VALUE:
    case AST_MEANS_ERROR:
        return op_of_constant(cc, n->value);
    case AST_MEANS_FUNCTION:
        return build_function(cc, n);
    case AST_MEANS_MACRO:
        return build_macro(cc, n);
    }
    return NULL;
}

bool compiler_begin(struct compiler *cc, const struct leat_compile *c,
                    const struct ast_source *source)
{
    *cc = (struct compiler){.c = c, .source = source, .eval = leat_eval_new()};
    cc->scratch.cap = FOLD_BYTES;
    if (!cc->eval)
        ast_no_memory(source);
    return cc->eval != NULL;
}

const struct op *compiler_build(struct compiler *cc, const struct ast *n)
{
    return compiler_fold(cc, build(cc, n), n);
}

struct leat_program *compiler_end(struct compiler *cc, const struct op *root,
                                  const struct leat_type *type, struct leat_slice text)
{
    struct leat_program *p = NULL;

    if (root && !cc->failed) {
        p = leat_arena_alloc(cc->source->arena, sizeof *p);
        struct leat_slice copy = leat_arena_copy(cc->source->arena, text);
        if (p && copy.ptr)
            *p = (struct leat_program){.root = root,
                                       .type = type,
                                       .source = copy,
                                       .columns = cc->columns,
                                       .columns_count = cc->columns_count};
        else
            p = NULL;
        if (!p)
            ast_no_memory(cc->source);
    }
    leat_arena_reset(&cc->scratch);
    leat_eval_free(cc->eval);
    return p;
}

const struct leat_program *compile_tree(const struct leat_compile *c,
                                        const struct ast_source *source, struct ast *n)
{
    struct leat_slice text = {source->text.ptr + n->at, n->len};
    struct compiler cc;

    if (!compiler_begin(&cc, c, source))
        return NULL;
    const struct op *root = compiler_build(&cc, n);
    return compiler_end(&cc, root, n->type, text);
}

const struct leat_program *leat_compile(const struct leat_compile *c, const struct leat_node *node)
{
    struct ast_source source = {
        .text = node->text, .node = node, .arena = c->arena, .diags = c->diags};

    if (node->handed)
        return leat_compile_callable(c, node);
    if (!leat_expression_slot_check(node, c->diags))
        return NULL;
    struct ast *n = ast_parse(&source);
    if (!n)
        return NULL;
    struct checker ck = {.c = c, .names = c->names, .source = &source};
    check_node(&ck, n);
    return ck.failed ? NULL : compile_tree(c, &source, n);
}
