/*
 * check_name.c - finds out what the paths of an expression stand for.
 *
 * A path is a chain of plain names and constant text indexes from its root: city, meta.topic,
 * this["user-id"].b, this.?a. Its root is a variable of the expression, or the whole chain is asked
 * for at struct leat_names; what that does not use up is looked up in the value at run time.
 * Thread: any.
 */
#include "expr/check.h"

#define CANDIDATES_MAX 256

int check_find_local(const struct checker *ck, const struct ast *name)
{
    if (name->kind == AST_NAME && !name->absolute)
        for (uint32_t i = ck->locals_count; i-- > 0;)
            if (leat_slice_eq(ck->locals[i].name, name->name))
                return (int)i;
    return -1;
}

/* The name that this part of a chain adds; ptr NULL: it is no plain part. */
static struct leat_slice part_name(const struct ast *n)
{
    if (n->kind == AST_NAME || n->kind == AST_SELECT)
        return n->name;
    if (n->kind == AST_INDEX) {
        const struct ast *index = n->first->next;
        if (index->kind == AST_LITERAL && index->value.tag == LEAT_STRING)
            return leat_value_text(index->value);
    }
    return (struct leat_slice){0};
}

/* The longest chain of plain parts at the bottom of n, root first. 0: there is none. */
static uint32_t chain_of(struct ast *n, struct ast **chain)
{
    uint32_t height = 0, count = 0;
    struct ast *at = n;

    for (; at->kind == AST_SELECT || at->kind == AST_INDEX; at = at->first)
        height++;
    if (at->kind != AST_NAME)
        return 0;
    for (at = n;; at = at->first, height--) {
        if (!part_name(at).ptr)
            count = 0; /* the chain begins below this one */
        else if (height < AST_PATH_MAX && ++count)
            chain[height] = at;
        if (at->kind == AST_NAME)
            return count;
    }
}

struct candidates {
    struct leat_slice names[CANDIDATES_MAX];
    size_t count;
};

static void add_candidate(struct leat_slice name, void *arg)
{
    struct candidates *all = arg;

    if (all->count < CANDIDATES_MAX)
        all->names[all->count++] = name;
}

static void unknown_field(struct checker *ck, struct ast *part, const struct leat_slice *path,
                          uint32_t count)
{
    struct candidates all = {.count = 0};
    struct leat_slice name = part_name(part);
    struct leat_diag *d = check_wrong(
        ck, part, part->name_at, part->name_len, "unknown %s '%.*s'",
        part->kind == AST_NAME && !ck->names->given_by ? "name" : "field", LEAT_FMT(name));

    if (!d)
        return;
    if (count == 0)
        for (uint32_t i = 0; i < ck->locals_count; i++)
            add_candidate(ck->locals[i].name, &all);
    if (ck->names->each)
        ck->names->each(ck->names, count ? path : NULL, count, add_candidate, &all);
    leat_diag_nearest(ck->source->diags, d, name, all.names, all.count);
    if (ck->names->given_by)
        leat_diag_note(ck->source->diags, d, "%s", ck->names->given_by);
}

static bool is_type_name(struct leat_slice name)
{
    static const char *const names[] = {"int",   "uint", "double", "bool",     "string",
                                        "bytes", "list", "map",    "null_type"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (leat_slice_eq(name, leat_slice_str(names[i])))
            return true;
    return false;
}

static void set_type_value(struct ast *n, struct leat_slice name)
{
    n->meaning = AST_MEANS_VALUE;
    n->value = leat_string(name);
    n->value.tag = LEAT_TYPE;
    n->type = type_kind(LEAT_T_TYPE);
}

/* google.protobuf.Timestamp and Duration, as type() names times. */
static bool is_time_type(struct ast **chain, uint32_t count, const struct leat_slice *path)
{
    if (count != 3 || !leat_slice_eq(path[0], LEAT_LIT("google")) ||
        !leat_slice_eq(path[1], LEAT_LIT("protobuf")))
        return false;
    if (leat_slice_eq(path[2], LEAT_LIT("Timestamp")))
        set_type_value(chain[2], LEAT_LIT("google.protobuf.Timestamp"));
    else if (leat_slice_eq(path[2], LEAT_LIT("Duration")))
        set_type_value(chain[2], LEAT_LIT("google.protobuf.Duration"));
    else
        return false;
    return true;
}

/* An absolute name is asked for with an empty name before it first: see struct leat_names. */
static enum leat_found ask(struct checker *ck, const struct ast *root,
                           const struct leat_slice *path, uint32_t count, struct leat_ref *ref)
{
    enum leat_found found = LEAT_FOUND_NOTHING;

    *ref = (struct leat_ref){0};
    if (root->absolute) {
        found = ck->names->resolve(ck->names, path, count + 1, ref);
        ref->used -= ref->used > 0;
    }
    if (found == LEAT_FOUND_NOTHING)
        found = ck->names->resolve(ck->names, path + 1, count, ref);
    return found;
}

static void set_column(struct ast **chain, const struct leat_ref *ref)
{
    struct ast *n = chain[ref->used - 1];

    n->meaning = AST_MEANS_COLUMN;
    n->ref = *ref;
    n->type = ref->type ? ref->type : type_any();
    for (uint32_t i = 0; i < ref->used; i++)
        n->maybe = n->maybe || chain[i]->optional;
    if (n->maybe)
        n->type = type_any();
}

/* A field that is looked up in a column: the name becomes a select from it. */
static void set_field_of_column(struct checker *ck, struct ast *n, const struct leat_ref *ref)
{
    struct ast *column = leat_arena_alloc(ck->source->arena, sizeof *column);

    if (!column) {
        ast_no_memory(ck->source);
        return;
    }
    *column = (struct ast){.kind = AST_NAME,
                           .meaning = AST_MEANS_COLUMN,
                           .ref = *ref,
                           .name = LEAT_LIT("this"),
                           .at = n->at,
                           .len = n->len,
                           .name_at = n->name_at,
                           .name_len = n->name_len,
                           .type = ref->type ? ref->type : type_any()};
    n->kind = AST_SELECT;
    n->first = n->last = column;
    n->count = 1;
}

static void not_found(struct checker *ck, struct ast **chain, const struct leat_slice *path,
                      uint32_t count)
{
    struct leat_ref ref = {0};

    if (is_type_name(path[0]) || leat_slice_eq(path[0], LEAT_LIT("type"))) {
        set_type_value(chain[0], path[0]);
        return;
    }
    bool known = count > 1 && !ck->c->unchecked &&
                 ck->names->resolve(ck->names, path, 1, &ref) == LEAT_FOUND;
    unknown_field(ck, chain[known], path, known);
}

/* Gives one part of the chain a meaning; the parts above it are selects from that. */
static void resolve_chain(struct checker *ck, struct ast **chain, uint32_t count)
{
    struct leat_slice names[AST_PATH_MAX + 1], *path = names + 1;
    int local = check_find_local(ck, chain[0]);
    struct leat_ref ref;

    if (local >= 0) {
        chain[0]->meaning = AST_MEANS_LOCAL;
        chain[0]->slot = (uint32_t)local;
        chain[0]->type = ck->locals[local].type;
        return;
    }
    names[0] = LEAT_LIT("");
    for (uint32_t i = 0; i < count; i++)
        path[i] = part_name(chain[i]);
    if (!chain[0]->absolute && is_type_name(path[0])) {
        set_type_value(chain[0], path[0]);
        return;
    }
    if (is_time_type(chain, count, path))
        return;
    switch (ask(ck, chain[0], names, count, &ref)) {
    case LEAT_FOUND:
        if (ref.used >= 1 && ref.used <= count) {
            set_column(chain, &ref);
            return;
        }
        if (ref.used == 0) {
            set_field_of_column(ck, chain[0], &ref);
            return;
        }
        break;
    case LEAT_FOUND_NOTHING:
        break;
    case LEAT_FOUND_ERROR: {
        struct leat_diag *d = check_wrong(ck, chain[0], chain[0]->at, chain[count - 1]->len, "%s",
                                          ck->names->why ? ck->names->why : "wrong here");
        if (d && ck->names->instead)
            leat_diag_hint(ck->source->diags, d, "%s", ck->names->instead);
        return;
    }
    }
    not_found(ck, chain, path, count);
}

static const struct leat_type *field_type(struct checker *ck, struct ast *n,
                                          const struct leat_type *of, struct leat_slice name)
{
    struct candidates all = {.count = 0};

    if (n->optional || of->kind == LEAT_T_ANY || ck->c->unchecked)
        return type_any();
    if (of->kind == LEAT_T_MAP)
        return type_item(of);
    if (of->kind != LEAT_T_RECORD) {
        check_wrong(ck, n, n->name_at, n->name_len, "a value of type %s has no field '%.*s'",
                    type_word(of), LEAT_FMT(name));
        return type_any();
    }
    const struct leat_type_field *field = leat_type_find(of, name);
    if (field || of->count == 0)
        return field ? field->type : type_any();
    struct leat_diag *d =
        check_wrong(ck, n, n->name_at, n->name_len, "unknown field '%.*s'", LEAT_FMT(name));
    for (uint32_t i = 0; d && i < of->count; i++)
        add_candidate(of->fields[i].name, &all);
    if (d)
        leat_diag_nearest(ck->source->diags, d, name, all.names, all.count);
    return type_any();
}

static const struct leat_type *index_type(struct checker *ck, struct ast *n,
                                          const struct leat_type *of)
{
    struct ast *index = n->first->next;
    const struct leat_type *by = check_node(ck, index);

    if (n->optional || ck->c->unchecked || of->kind == LEAT_T_ANY)
        return type_any();
    if (of->kind == LEAT_T_RECORD)
        return part_name(n).ptr ? field_type(ck, n, of, part_name(n)) : type_any();
    if (of->kind == LEAT_T_MAP)
        return type_item(of);
    if (of->kind == LEAT_T_LIST && (by->kind == LEAT_T_ANY || type_is_number(by)))
        return type_item(of);
    struct leat_diag *d = check_wrong(ck, n, index->at, index->len, "no such overload: %s[%s]",
                                      type_word(of), type_word(by));
    if (d && of->kind == LEAT_T_STRING)
        leat_diag_hint(ck->source->diags, d, "x.charAt(i) is a character of text");
    return type_any();
}

/* The parts of a chain above the one that has a meaning, and what is no chain. */
static const struct leat_type *check_above(struct checker *ck, struct ast *n)
{
    if (n->meaning != AST_MEANS_ITSELF)
        return n->type;
    if (n->kind != AST_SELECT && n->kind != AST_INDEX)
        return n->kind == AST_NAME ? type_any() : check_node(ck, n);
    const struct leat_type *of = check_above(ck, n->first);
    n->type = n->kind == AST_SELECT ? field_type(ck, n, of, n->name) : index_type(ck, n, of);
    return n->type;
}

const struct leat_type *check_path(struct checker *ck, struct ast *n)
{
    struct ast *chain[AST_PATH_MAX];
    uint32_t count = chain_of(n, chain);

    if (count)
        resolve_chain(ck, chain, count);
    return check_above(ck, n);
}

struct leat_slice check_dotted(struct checker *ck, const struct ast *target, struct leat_slice name)
{
    struct leat_slice parts[4] = {name};
    size_t count = 1, len = name.len;

    for (;; target = target->first) {
        bool plain = target->kind == AST_NAME ||
                     (target->kind == AST_SELECT && !target->optional && !target->quoted);
        if (!plain || count == 4 || len + target->name.len > 100)
            return (struct leat_slice){0};
        parts[count++] = target->name;
        len += target->name.len + 1;
        if (target->kind == AST_NAME)
            break;
    }
    char *text = check_find_local(ck, target) < 0 ? leat_arena_alloc(ck->source->arena, len) : NULL;
    if (!text)
        return (struct leat_slice){0};
    for (size_t at = 0; count-- > 0; at++) {
        memcpy(text + at, parts[count].ptr, parts[count].len);
        at += parts[count].len;
        if (count)
            text[at] = '.';
    }
    return (struct leat_slice){text, len};
}
