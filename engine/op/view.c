#include "op/view.h"

#include "data/value_ops.h"

#include <stdio.h>

uint32_t leat_view_column(struct leat_view *v)
{
    return v->segment->columns++;
}

/* ---- names */

static struct leat_view_names *of(struct leat_names *names)
{
    return (struct leat_view_names *)names;
}

static bool is(struct leat_slice s, const char *text)
{
    return leat_slice_eq(s, leat_slice_str(text));
}

/* Room for one more of a list that lives in the plan's arena. */
static bool grow(struct leat_arena *arena, void *list, uint32_t count, uint32_t *room, size_t size)
{
    void *old, *more;

    memcpy(&old, list, sizeof old);
    if (count < *room)
        return true;
    uint32_t wanted = *room ? *room * 2 : 8;
    more = leat_arena_array(arena, wanted, size);
    if (!more)
        return false;
    if (count)
        memcpy(more, old, count * size);
    memcpy(list, &more, sizeof more);
    *room = wanted;
    return true;
}

static enum leat_found wrong(struct leat_view_names *n, const char *why, const char *instead)
{
    n->names.why = why;
    n->names.instead = instead;
    return LEAT_FOUND_ERROR;
}

static enum leat_found found(struct leat_ref *ref, uint32_t column, size_t used,
                             const struct leat_type *type)
{
    *ref = (struct leat_ref){column, (uint32_t)used, type ? type : leat_type_of_kind(LEAT_T_ANY)};
    return LEAT_FOUND;
}

static uint32_t meta_column(struct leat_view_names *n, enum leat_meta meta, struct leat_slice name)
{
    struct leat_segment *s = n->view->segment;

    for (uint32_t i = 0; i < s->metas_count; i++)
        if (s->metas[i].meta == meta && leat_slice_eq(s->metas[i].name, name))
            return s->metas[i].column;
    if (!grow(n->arena, &s->metas, s->metas_count, &s->metas_room, sizeof *s->metas))
        return LEAT_COL_THIS;
    if (name.ptr)
        name = leat_arena_copy(n->arena, name);
    s->metas[s->metas_count++] = (struct leat_meta_column){meta, name, s->columns};
    return s->columns++;
}

static const struct {
    const char *name;
    enum leat_meta meta;
    enum leat_type_kind kind;
    bool of_origin; /* only where there is a single source row */
} metas[] = {
    {"time", LEAT_META_TIME, LEAT_T_TIMESTAMP, false},
    {"source", LEAT_META_SOURCE, LEAT_T_STRING, true},
    {"topic", LEAT_META_TOPIC, LEAT_T_STRING, true},
    {"partition", LEAT_META_PARTITION, LEAT_T_INT, true},
    {"offset", LEAT_META_OFFSET, LEAT_T_INT, true},
    {"timestamp", LEAT_META_TIMESTAMP, LEAT_T_TIMESTAMP, true},
    {"headers", LEAT_META_HEADERS, LEAT_T_MAP, true},
    {"batch", LEAT_META_BATCH, LEAT_T_INT, false},
    {"batch_time", LEAT_META_BATCH_TIME, LEAT_T_TIMESTAMP, false},
};

static enum leat_found resolve_meta(struct leat_view_names *n, const struct leat_slice *path,
                                    size_t count, struct leat_ref *ref)
{
    if (count < 2)
        return wrong(n, "'meta' is no value by itself",
                     "name one of its fields: meta.time, meta.topic, meta.partition, meta.offset");
    for (size_t i = 0; i < sizeof metas / sizeof *metas; i++) {
        if (!is(path[1], metas[i].name))
            continue;
        if (metas[i].of_origin && !n->view->has_origin) {
            snprintf(n->why, sizeof n->why,
                     "there is no single meta.%s after an aggregate, reduce or join",
                     metas[i].name);
            return wrong(n, n->why, "take it along in a field before");
        }
        if (metas[i].meta == LEAT_META_HEADERS && count > 2)
            return found(ref, meta_column(n, LEAT_META_HEADER, path[2]), 3, NULL);
        return found(ref, meta_column(n, metas[i].meta, (struct leat_slice){0}), 2,
                     leat_type_of_kind(metas[i].kind));
    }
    snprintf(n->why, sizeof n->why, "'meta' has no '%.*s'",
             path[1].len < 60 ? (int)path[1].len : 60, path[1].ptr);
    return wrong(n, n->why,
                 "it has time, source, topic, partition, offset, timestamp, headers, batch and "
                 "batch_time");
}

static enum leat_found resolve_window(struct leat_view_names *n, const struct leat_slice *path,
                                      size_t count, struct leat_ref *ref)
{
    const struct leat_slice none = {0};
    const struct leat_type *timestamp = leat_type_of_kind(LEAT_T_TIMESTAMP);

    if (!n->view->windowed)
        return wrong(n,
                     n->view->window.kind != LEAT_WINDOW_NONE
                         ? "a record is in its windows only behind an aggregate"
                         : "there is no window here",
                     "a field of that name is 'this.window'");
    if (count < 2)
        return wrong(n, "'window' is no value by itself",
                     "name window.start, window.end or window.final");
    if (is(path[1], "start"))
        return found(ref, meta_column(n, LEAT_META_WINDOW_START, none), 2, timestamp);
    if (is(path[1], "end"))
        return found(ref, meta_column(n, LEAT_META_WINDOW_END, none), 2, timestamp);
    if (is(path[1], "final"))
        return found(ref, meta_column(n, LEAT_META_WINDOW_FINAL, none), 2,
                     leat_type_of_kind(LEAT_T_BOOL));
    snprintf(n->why, sizeof n->why, "'window' has no '%.*s'",
             path[1].len < 60 ? (int)path[1].len : 60, path[1].ptr);
    return wrong(n, n->why, "it has start, end and final");
}

/* How far the schema knows this path of fields: its type, and how many names it took. */
static enum leat_found descend(const struct leat_type *t, const struct leat_slice *path,
                               size_t count, const struct leat_type **type, size_t *depth)
{
    size_t i = 0;

    while (i < count) {
        if (t->kind == LEAT_T_RECORD) {
            const struct leat_type_field *f = leat_type_find(t, path[i]);
            if (!f)
                return LEAT_FOUND_NOTHING;
            t = f->type;
        } else if (t->kind == LEAT_T_MAP || t->kind == LEAT_T_ANY) {
            t = t->kind == LEAT_T_MAP && t->item ? t->item : leat_type_of_kind(LEAT_T_ANY);
        } else {
            break;
        }
        i++;
    }
    *type = t;
    *depth = i;
    return LEAT_FOUND;
}

/* The column of a path of the raw value, touched from now on. */
static uint32_t touch(struct leat_arena *arena, struct leat_segment *s,
                      const struct leat_slice *names, size_t depth, const struct leat_type *type)
{
    for (uint32_t i = 0; i < s->touched_count; i++) {
        const struct leat_path *p = &s->touched[i].path;
        size_t same = 0;
        while (p->depth == depth && same < depth && leat_slice_eq(p->names[same], names[same]))
            same++;
        if (p->depth == depth && same == depth)
            return p->column;
    }
    struct leat_slice *copy = leat_arena_array(arena, depth + 1, sizeof *copy);
    if (!copy || !grow(arena, &s->touched, s->touched_count, &s->touched_room, sizeof *s->touched))
        return LEAT_COL_THIS;
    for (size_t i = 0; i < depth; i++)
        copy[i] = leat_arena_copy(arena, names[i]);
    s->touched[s->touched_count++] =
        (struct leat_touched){{copy, (uint32_t)depth, s->columns}, type};
    return s->columns++;
}

static const struct leat_field *field_of(const struct leat_view *v, struct leat_slice name)
{
    for (uint32_t i = v->fields_count; i-- > 0;)
        if (leat_slice_eq(v->fields[i].name, name))
            return &v->fields[i];
    return NULL;
}

/* Fields by their names; `root` names (`this`) stand before them in the expression. */
static enum leat_found resolve_field(struct leat_view_names *n, const struct leat_slice *path,
                                     size_t count, size_t root, struct leat_ref *ref)
{
    struct leat_view *v = n->view;
    const struct leat_field *f;
    const struct leat_type *type;
    size_t depth;

    f = field_of(v, path[0]);
    if (f && f->column == LEAT_NO_COLUMN) {
        snprintf(n->why, sizeof n->why, "field '%.*s' was taken away by 'unset'",
                 LEAT_FMT(path[0]));
        return wrong(n, n->why, "use it before, or leave it in");
    }
    if (f)
        return found(ref, f->column, root + 1, f->type);
    if (v->kind == LEAT_VIEW_FIELDS)
        return LEAT_FOUND_NOTHING;
    if (v->kind == LEAT_VIEW_VALUE) {
        if (v->type->kind == LEAT_T_RECORD && !leat_type_find(v->type, path[0]))
            return LEAT_FOUND_NOTHING;
        return found(ref, v->column, root, v->type);
    }
    if (!v->format_has_fields)
        return wrong(n, "the format of this source has no fields",
                     "'this' is the whole value; use format: json, or parseJson(this)");
    if (descend(v->type, path, count, &type, &depth) != LEAT_FOUND)
        return LEAT_FOUND_NOTHING;
    return found(ref, touch(n->arena, v->segment, path, depth, type), root + depth, type);
}

static bool is_type_name(struct leat_slice s)
{
    static const char *const names[] = {"int",   "uint", "double", "bool",     "string",
                                        "bytes", "list", "map",    "null_type"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is(s, names[i]))
            return true;
    return false;
}

static enum leat_found resolve_this(struct leat_view_names *n, struct leat_ref *ref)
{
    struct leat_view *v = n->view;

    if (v->kind == LEAT_VIEW_VALUE && v->fields_count == 0)
        return found(ref, v->column, 1, v->type);
    if (v->kind == LEAT_VIEW_RAW && v->fields_count == 0) {
        const struct leat_type *type =
            v->format_has_fields ? v->type : leat_type_of_kind(LEAT_T_ANY);
        return found(ref, touch(n->arena, v->segment, NULL, 0, type), 1, v->type);
    }
    if (!n->assemble)
        n->assemble = leat_view_assemble(v, n->shapes, n->arena);
    if (!n->assemble)
        return wrong(n, "out of memory", "");
    return found(ref, leat_assemble_column(n->assemble), 1, NULL);
}

static enum leat_found resolve(struct leat_names *names, const struct leat_slice *path,
                               size_t count, struct leat_ref *ref)
{
    struct leat_view_names *n = of(names);
    struct leat_view *v = n->view;

    for (size_t i = 0; i < n->locals_count; i++)
        if (leat_slice_eq(path[0], n->locals[i].name))
            return found(ref, n->locals[i].column, 1, n->locals[i].type);
    if (is(path[0], "key") && !n->no_key)
        return v->has_key ? found(ref, v->key_column, 1, v->key_type)
                          : found(ref, LEAT_COL_KEY, 1, leat_type_of_kind(LEAT_T_NULL));
    if (is(path[0], "meta") && !n->only_locals)
        return resolve_meta(n, path, count, ref);
    if (is(path[0], "window") && !n->only_locals)
        return resolve_window(n, path, count, ref);
    if (n->keyed_only && !is_type_name(path[0]) && !is(path[0], "google"))
        return wrong(n, "beside aggregates there are only 'key' and 'window'",
                     "of one field of a group: first(x), last(x), max(x), ...");
    if (n->only_locals || n->keyed_only)
        return LEAT_FOUND_NOTHING;
    if (is(path[0], "this"))
        return count == 1 ? resolve_this(n, ref) : resolve_field(n, path + 1, count - 1, 1, ref);
    if (is_type_name(path[0]))
        return LEAT_FOUND_NOTHING;
    return resolve_field(n, path, count, 0, ref);
}

static void each_field(const struct leat_type *t, void (*fn)(struct leat_slice name, void *arg),
                       void *arg)
{
    for (uint32_t i = 0; t && t->kind == LEAT_T_RECORD && i < t->count; i++)
        fn(t->fields[i].name, arg);
}

static void each(struct leat_names *names, const struct leat_slice *parent, size_t count,
                 void (*fn)(struct leat_slice name, void *arg), void *arg)
{
    struct leat_view_names *n = of(names);
    struct leat_view *v = n->view;

    if (count == 1 && is(parent[0], "meta")) {
        for (size_t i = 0; i < sizeof metas / sizeof *metas; i++)
            fn(leat_slice_str(metas[i].name), arg);
        return;
    }
    if (count == 0) {
        for (size_t i = 0; i < n->locals_count; i++)
            fn(n->locals[i].name, arg);
        fn(LEAT_LIT("key"), arg);
        if (!n->only_locals && !n->keyed_only)
            fn(LEAT_LIT("this"), arg);
    }
    if (n->only_locals || n->keyed_only || (count > 0 && !is(parent[0], "this")))
        return;
    for (uint32_t i = 0; i < v->fields_count; i++)
        if (v->fields[i].column != LEAT_NO_COLUMN)
            fn(v->fields[i].name, arg);
    if (v->kind != LEAT_VIEW_FIELDS)
        each_field(v->type, fn, arg);
}

void leat_view_names_init(struct leat_view_names *n, struct leat_view *view,
                          struct leat_shapes *shapes, struct leat_arena *arena)
{
    *n = (struct leat_view_names){
        .names = {.resolve = resolve,
                  .each = each,
                  .given_by = view->kind == LEAT_VIEW_RAW ? view->given_by : NULL},
        .view = view,
        .shapes = shapes,
        .arena = arena};
}

/* ---- whole values */

struct leat_assemble {
    const struct leat_shape *shape; /* NULL: `column` is the value already */
    uint32_t base;                  /* raw value below the fields; LEAT_NO_COLUMN: none */
    const uint32_t *columns;        /* of the fields; LEAT_NO_COLUMN: removed */
    uint32_t column;
};

/* Names and columns, the last of a name in the place of the first. */
static uint32_t distinct_fields(const struct leat_view *v, struct leat_slice *names,
                                uint32_t *columns)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < v->fields_count; i++) {
        uint32_t at = 0;
        while (at < count && !leat_slice_eq(names[at], v->fields[i].name))
            at++;
        names[at] = v->fields[i].name;
        columns[at] = v->fields[i].column;
        count += at == count;
    }
    return count;
}

struct leat_assemble *leat_view_assemble(struct leat_view *v, struct leat_shapes *shapes,
                                         struct leat_arena *arena)
{
    struct leat_assemble *a = leat_arena_alloc(arena, sizeof *a);

    if (!a)
        return NULL;
    a->base = LEAT_NO_COLUMN;
    if (v->kind == LEAT_VIEW_VALUE)
        a->base = v->column;
    if (v->kind == LEAT_VIEW_RAW)
        a->base = touch(arena, v->segment, NULL, 0,
                        v->format_has_fields ? v->type : leat_type_of_kind(LEAT_T_ANY));
    if (v->kind != LEAT_VIEW_FIELDS && v->fields_count == 0) {
        a->column = a->base;
        return a;
    }
    struct leat_slice *names = leat_arena_array(arena, v->fields_count + 1, sizeof *names);
    uint32_t *columns = leat_arena_array(arena, v->fields_count + 1, sizeof *columns);
    if (!names || !columns)
        return NULL;
    a->columns = columns;
    a->shape = leat_shape_intern(shapes, names, distinct_fields(v, names, columns));
    a->column = leat_view_column(v);
    return a->shape ? a : NULL;
}

uint32_t leat_assemble_column(const struct leat_assemble *a)
{
    return a->column;
}

static struct leat_value field_value(const struct leat_assemble *a, const struct leat_chunk *chunk,
                                     uint32_t field, uint16_t row)
{
    if (a->columns[field] == LEAT_NO_COLUMN)
        return leat_value_fail(LEAT_V_ABSENT, "this field was taken away");
    return chunk->columns[a->columns[field]][row];
}

/* A base that is more than raw text is taken apart, and the fields laid over the parts. */
static struct leat_value merge(const struct leat_value base, const struct leat_record *over,
                               struct leat_arena *arena)
{
    struct leat_value map = leat_value_expand(base, arena);
    uint32_t count = map.tag == LEAT_MAP ? map.len : 0;

    if (map.tag != LEAT_MAP)
        return map.tag == LEAT_ERROR
                   ? map
                   : leat_value_fail(LEAT_V_TYPE, "the value is no object: it has no fields");
    struct leat_value *items =
        leat_arena_array(arena, 2 * (size_t)(count + over->shape->count) + 1, sizeof *items);
    if (!items)
        return leat_value_fail(LEAT_V_BUDGET, "the memory of this batch is used up");
    if (count)
        memcpy(items, map.as.items, 2 * count * sizeof *items);
    for (uint32_t f = 0; f < over->shape->count; f++) {
        uint32_t at = 0;
        while (at < count &&
               !(items[2 * at].tag == LEAT_STRING &&
                 leat_slice_eq(leat_value_text(items[2 * at]), over->shape->names[f])))
            at++;
        items[2 * at] = leat_string(over->shape->names[f]);
        items[2 * at + 1] = over->fields[f];
        count += at == count;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (items[2 * i + 1].tag == LEAT_ERROR)
            continue;
        items[2 * kept] = items[2 * i];
        items[2 * kept++ + 1] = items[2 * i + 1];
    }
    return (struct leat_value){.tag = LEAT_MAP, .len = kept, .as.items = items};
}

static struct leat_value lay_over(struct leat_value base, struct leat_record *over,
                                  struct leat_arena *arena)
{
    if (base.tag != LEAT_RECORD || (base.as.record->shape && base.as.record->shape->count))
        return merge(base, over, arena);
    over->raw = base.as.record->raw;
    return (struct leat_value){.tag = LEAT_RECORD, .as.record = over};
}

uint32_t leat_assemble(const struct leat_assemble *a, struct leat_chunk *chunk)
{
    if (!a->shape)
        return a->column;
    uint32_t count = a->shape->count;
    size_t size = sizeof(struct leat_record) + count * sizeof(struct leat_value);
    char *at = leat_arena_array(chunk->arena, chunk->selected + 1, size);
    if (!at)
        return LEAT_NO_COLUMN;
    for (uint32_t i = 0; i < chunk->selected; i++, at += size) {
        uint16_t row = chunk->selection[i];
        struct leat_record *r = (struct leat_record *)(void *)at;
        r->shape = a->shape;
        for (uint32_t f = 0; f < count; f++)
            r->fields[f] = field_value(a, chunk, f, row);
        chunk->columns[a->column][row] =
            a->base == LEAT_NO_COLUMN ? (struct leat_value){.tag = LEAT_RECORD, .as.record = r}
                                      : lay_over(chunk->columns[a->base][row], r, chunk->arena);
    }
    return a->column;
}

/* ---- changing a view */

bool leat_view_remove(struct leat_view *v, struct leat_slice name)
{
    const struct leat_field *f = field_of(v, name);

    if (v->kind == LEAT_VIEW_FIELDS) {
        uint32_t kept = 0;
        if (!f)
            return false;
        for (uint32_t i = 0; i < v->fields_count; i++)
            if (!leat_slice_eq(v->fields[i].name, name))
                v->fields[kept++] = v->fields[i];
        v->fields_count = kept;
        return true;
    }
    if (!f && v->type->kind == LEAT_T_RECORD && !leat_type_find(v->type, name))
        return false;
    v->fields[v->fields_count++] = (struct leat_field){name, LEAT_NO_COLUMN, NULL};
    return true;
}

/* ---- what is known of kept values */

static const struct leat_type *record_type(const struct leat_view *v, bool names_only,
                                           struct leat_arena *arena)
{
    uint32_t count = names_only ? v->type->count : v->fields_count;
    struct leat_type *t = leat_arena_alloc(arena, sizeof *t);
    struct leat_type_field *fields = leat_arena_array(arena, count + 1, sizeof *fields);

    if (!t || !fields)
        return leat_type_of_kind(LEAT_T_ANY);
    *t = (struct leat_type){.kind = LEAT_T_RECORD, .fields = fields};
    for (uint32_t i = 0; i < count; i++) {
        struct leat_type_field *f = &fields[t->count];
        if (names_only) {
            *f = v->type->fields[i];
            f->type = leat_type_of_kind(LEAT_T_ANY);
        } else if (field_of(v, v->fields[i].name) == &v->fields[i]) {
            *f = (struct leat_type_field){.name = v->fields[i].name, .type = v->fields[i].type};
        } else {
            continue; /* another of this name comes later */
        }
        t->count++;
    }
    return t;
}

const struct leat_type *leat_view_kept_type(const struct leat_view *v, struct leat_arena *arena)
{
    if (v->kind == LEAT_VIEW_FIELDS)
        return record_type(v, false, arena);
    if (v->fields_count)
        return leat_type_of_kind(LEAT_T_ANY);
    if (v->kind == LEAT_VIEW_RAW && v->type->kind == LEAT_T_RECORD)
        return record_type(v, true, arena);
    return v->kind == LEAT_VIEW_RAW && v->format_has_fields ? leat_type_of_kind(LEAT_T_ANY)
                                                            : v->type;
}
