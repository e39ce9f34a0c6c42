/* pick.c - touched paths over nodes: which column gets what. */
#include "plan.h"

/* The touched paths as a tree. */
struct want {
    struct leat_slice name;
    struct leat_value absent;
    struct want *children, *next;
    uint32_t *columns;
    uint32_t columns_count;
};

struct picker {
    struct leat_arena *arena;
    bool failed; /* out of memory */
};

/* ---- the tree */

static bool name_absent(struct want *w, struct leat_arena *arena)
{
    struct leat_bytes text = {.arena = arena};

    leat_bytes_put(&text, "there is no field '", 19);
    leat_bytes_put(&text, w->name.ptr, w->name.len);
    leat_bytes_put(&text, "'", 2);
    if (!text.failed)
        w->absent = leat_value_fail(LEAT_V_ABSENT, text.ptr);
    return !text.failed;
}

static struct want *child_of(struct want *parent, struct leat_slice name, struct leat_arena *arena)
{
    struct want **link = &parent->children;

    for (; *link; link = &(*link)->next)
        if (leat_slice_eq((*link)->name, name))
            return *link;
    struct want *w = leat_arena_alloc(arena, sizeof *w);
    if (!w)
        return NULL;
    w->name = name;
    if (!name_absent(w, arena))
        return NULL;
    *link = w;
    return w;
}

static bool add_column(uint32_t **columns, uint32_t *count, uint32_t column,
                       struct leat_arena *arena)
{
    uint32_t *more = leat_arena_array(arena, *count + 1, sizeof *more);

    if (!more)
        return false;
    for (uint32_t i = 0; i < *count; i++)
        more[i] = (*columns)[i];
    more[(*count)++] = column;
    *columns = more;
    return true;
}

/* ---- picks */

static const struct avro_pick *pick(struct picker *p, const struct want *w,
                                    const struct avro_node *node);

static void *take(struct picker *p, size_t count, size_t size)
{
    void *memory = leat_arena_array(p->arena, count ? count : 1, size);

    p->failed |= !memory;
    return memory;
}

static void gather_below(struct picker *p, const struct want *w, struct avro_pick *into)
{
    uint32_t *columns = (uint32_t *)into->below;

    for (const struct want *c = w->children; c && !p->failed; c = c->next) {
        for (uint32_t i = 0; i < c->columns_count && !p->failed; i++)
            p->failed = !add_column(&columns, &into->below_count, c->columns[i], p->arena);
        into->below = columns;
        gather_below(p, c, into);
        columns = (uint32_t *)into->below;
    }
}

static const struct want *child_named(const struct want *w, struct leat_slice name)
{
    const struct want *c = w->children;

    while (c && !leat_slice_eq(c->name, name))
        c = c->next;
    return c;
}

static bool is_plain(const struct want *w)
{
    return w->columns_count == 1 && !w->children;
}

static enum avro_step_kind kind_of_skip(const struct avro_type *t, uint32_t *bytes)
{
    switch (t->kind) {
    case AVRO_LONG:
        return AVRO_SKIP_NUMBER;
    case AVRO_INT:
        return AVRO_SKIP_INT;
    case AVRO_UNION:
        return AVRO_SKIP_UNION;
    case AVRO_BYTES:
    case AVRO_STRING:
        return AVRO_SKIP_TEXT;
    case AVRO_BOOLEAN:
        return AVRO_SKIP_BOOL;
    case AVRO_FLOAT:
    case AVRO_DOUBLE:
    case AVRO_FIXED:
        *bytes = t->min_bytes;
        return AVRO_SKIP_BYTES;
    case AVRO_NULL:
    case AVRO_ENUM:
    case AVRO_RECORD:
    case AVRO_ARRAY:
    case AVRO_MAP:
        break;
    }
    return AVRO_SKIP;
}

static enum avro_step_kind kind_of_take(const struct avro_node *node)
{
    return node->op == AVRO_OP_LONG     ? AVRO_TAKE_LONG
           : node->op == AVRO_OP_DOUBLE ? AVRO_TAKE_DOUBLE
           : node->op == AVRO_OP_STRING ? AVRO_TAKE_STRING
                                        : AVRO_TAKE;
}

static void make_step(struct picker *p, const struct want *w, const struct avro_type *type,
                      const struct avro_node *node, struct avro_step *step)
{
    *step = (struct avro_step){.type = type, .node = node};
    if (!w) {
        step->kind = kind_of_skip(type, &step->bytes);
    } else if (is_plain(w)) {
        step->kind = kind_of_take(node);
        step->column = w->columns[0];
    } else {
        step->kind = AVRO_PICK;
        step->pick = pick(p, w, node);
    }
}

/* Columns of a field that is not written: out of its default. */
static void set_unwritten(struct picker *p, const struct want *w, struct leat_value v,
                          struct avro_pick *into)
{
    for (uint32_t i = 0; i < w->columns_count && !p->failed; i++) {
        struct avro_set *sets = take(p, into->sets_count + 1, sizeof *sets);
        if (!sets)
            return;
        for (uint32_t k = 0; k < into->sets_count; k++)
            sets[k] = into->sets[k];
        sets[into->sets_count++] = (struct avro_set){w->columns[i], v};
        into->sets = sets;
    }
    for (const struct want *c = w->children; c && !p->failed; c = c->next) {
        struct leat_value field = leat_value_field(v, c->name, p->arena);
        if (field.tag != LEAT_ERROR || field.code != LEAT_V_ABSENT)
            set_unwritten(p, c, field, into);
    }
}

static void pick_fields(struct picker *p, const struct want *w, const struct avro_node *node,
                        struct avro_pick *into)
{
    const struct avro_type *t = node->type;
    bool *written = take(p, node->shape->count, sizeof *written);

    into->steps = take(p, (size_t)t->count + 1, sizeof *into->steps);
    if (into->steps)
        into->steps[t->count].kind = AVRO_END;
    for (uint32_t i = 0; i < t->count && !p->failed; i++) {
        const struct avro_node *part = node->parts[i];
        const struct want *c = NULL;
        if (part) {
            written[node->places[i]] = true;
            c = child_named(w, node->shape->names[node->places[i]]);
        }
        make_step(p, c, t->fields[i].type, part, &into->steps[i]);
    }
    for (uint32_t i = 0; i < node->shape->count && !p->failed; i++) {
        const struct want *c = written[i] ? NULL : child_named(w, node->shape->names[i]);
        if (c)
            set_unwritten(p, c, node->values[i], into);
    }
}

static void pick_branches(struct picker *p, const struct want *w, const struct avro_node *node,
                          struct avro_pick *into)
{
    into->parts = take(p, node->type->count, sizeof(struct avro_pick *));
    for (uint32_t i = 0; i < node->type->count && !p->failed; i++)
        into->parts[i] = pick(p, w, node->parts[i]);
}

static void pick_keys(struct picker *p, const struct want *w, const struct avro_node *node,
                      struct avro_pick *into)
{
    uint32_t count = 0;

    for (const struct want *c = w->children; c; c = c->next)
        count++;
    into->keys = take(p, count, sizeof *into->keys);
    for (const struct want *c = w->children; c && !p->failed; c = c->next)
        into->keys[into->keys_count++] =
            (struct avro_key_pick){c->name, pick(p, c, node->parts[0])};
}

static const struct avro_pick *pick(struct picker *p, const struct want *w,
                                    const struct avro_node *node)
{
    struct avro_pick *made = take(p, 1, sizeof *made);

    if (!made)
        return NULL;
    made->node = node;
    if (node->op == AVRO_OP_UNION) { /* each branch gives the columns what it is */
        pick_branches(p, w, node, made);
        return made;
    }
    made->columns = w->columns;
    made->columns_count = w->columns_count;
    if (!w->children)
        return made;
    gather_below(p, w, made);
    if (node->op == AVRO_OP_RECORD)
        pick_fields(p, w, node, made);
    else if (node->op == AVRO_OP_MAP)
        pick_keys(p, w, node, made);
    return made;
}

/* ---- the plan */

/* A column that every record of this root fills needs no value before. */
static bool is_always_set(const struct avro_pick *root, uint32_t column)
{
    for (uint32_t i = 0; i < root->columns_count; i++)
        if (root->columns[i] == column)
            return true;
    for (uint32_t i = 0; root->steps && i < root->node->type->count; i++)
        if (root->steps[i].kind >= AVRO_TAKE_LONG && root->steps[i].kind <= AVRO_TAKE &&
            root->steps[i].column == column)
            return true;
    for (uint32_t i = 0; i < root->sets_count; i++)
        if (root->sets[i].column == column)
            return true;
    return false;
}

const struct avro_plan *avro_plan_new(const struct avro_node *root, const struct leat_path *paths,
                                      size_t count, struct leat_arena *arena)
{
    struct picker p = {.arena = arena};
    struct want top = {.absent = leat_value_fail(LEAT_V_ABSENT, "")};
    struct avro_plan *plan = take(&p, 1, sizeof *plan);
    struct leat_value *absent = take(&p, count, sizeof *absent);
    struct avro_set *sets = take(&p, count, sizeof *sets);

    if (p.failed)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        struct want *w = &top;
        for (uint32_t k = 0; k < paths[i].depth && w; k++)
            w = child_of(w, paths[i].names[k], arena);
        if (!w || !add_column(&w->columns, &w->columns_count, paths[i].column, arena))
            return NULL;
        absent[i] = w->absent;
    }
    plan->root = pick(&p, &top, root);
    if (p.failed)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (!is_always_set(plan->root, paths[i].column))
            sets[plan->absent_count++] = (struct avro_set){paths[i].column, absent[i]};
    plan->absent = sets;
    return plan;
}
