/* schema.c - the JSON of an Avro schema to types. */
#include "schema.h"

#include <stdio.h>

#define MIN_BYTES_MAX (1u << 20)
#define FIXED_MAX     (1 << 30)

struct named {
    struct avro_type *type;
    struct named *next;
};

struct parser {
    struct leat_arena *arena;
    struct leat_error *err;
    struct named *names;
    struct avro_type *all;
    uint32_t types;
};

static const struct {
    const char *name;
    enum avro_kind kind;
} kinds[] = {
    {"null", AVRO_NULL},    {"boolean", AVRO_BOOLEAN}, {"int", AVRO_INT},
    {"long", AVRO_LONG},    {"float", AVRO_FLOAT},     {"double", AVRO_DOUBLE},
    {"bytes", AVRO_BYTES},  {"string", AVRO_STRING},   {"record", AVRO_RECORD},
    {"error", AVRO_RECORD}, {"enum", AVRO_ENUM},       {"fixed", AVRO_FIXED},
    {"array", AVRO_ARRAY},  {"map", AVRO_MAP},
};

static const struct {
    const char *name;
    enum avro_logical logical;
    enum avro_kind kind;
} logicals[] = {
    {"date", AVRO_DATE, AVRO_INT},
    {"time-millis", AVRO_TIME_MILLIS, AVRO_INT},
    {"time-micros", AVRO_TIME_MICROS, AVRO_LONG},
    {"timestamp-millis", AVRO_TIMESTAMP_MILLIS, AVRO_LONG},
    {"timestamp-micros", AVRO_TIMESTAMP_MICROS, AVRO_LONG},
    {"timestamp-nanos", AVRO_TIMESTAMP_NANOS, AVRO_LONG},
    {"local-timestamp-millis", AVRO_TIMESTAMP_MILLIS, AVRO_LONG},
    {"local-timestamp-micros", AVRO_TIMESTAMP_MICROS, AVRO_LONG},
    {"local-timestamp-nanos", AVRO_TIMESTAMP_NANOS, AVRO_LONG},
    {"decimal", AVRO_DECIMAL, AVRO_BYTES},
    {"decimal", AVRO_DECIMAL, AVRO_FIXED},
};

static bool is(struct leat_slice s, const char *text)
{
    return leat_slice_eq(s, leat_slice_str(text));
}

static int shown(struct leat_slice s)
{
    return s.len < 80 ? (int)s.len : 80;
}

static bool find_kind(struct leat_slice name, enum avro_kind *kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (is(name, kinds[i].name)) {
            *kind = kinds[i].kind;
            return true;
        }
    return false;
}

static const char *kind_name(enum avro_kind kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].kind == kind)
            return kinds[i].name;
    return "union";
}

struct leat_slice avro_short_name(struct leat_slice name)
{
    const char *dot = name.len ? memrchr(name.ptr, '.', name.len) : NULL;
    size_t skip = dot ? (size_t)(dot - name.ptr) + 1 : 0;

    return (struct leat_slice){name.ptr + skip, name.len - skip};
}

const char *avro_type_text(const struct avro_type *t, char *into, size_t room)
{
    if (t->name.ptr)
        snprintf(into, room, "%s '%.*s'", kind_name(t->kind), shown(t->name), t->name.ptr);
    else
        snprintf(into, room, "%s", kind_name(t->kind));
    return into;
}

/* ---- JSON */

static const struct leat_value *member(struct leat_value object, const char *name)
{
    for (uint32_t i = 0; i < object.len; i++)
        if (is(leat_value_text(object.as.items[2 * i]), name))
            return &object.as.items[2 * i + 1];
    return NULL;
}

static struct leat_slice text_of(const struct leat_value *v)
{
    return v && v->tag == LEAT_STRING ? leat_value_text(*v) : (struct leat_slice){0};
}

/* ---- names */

static bool is_name(struct leat_slice name, bool dots)
{
    bool at_start = true;

    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (c == '.' && dots && !at_start) {
            at_start = true;
            continue;
        }
        if (!letter && (at_start || c < '0' || c > '9'))
            return false;
        at_start = false;
    }
    return !at_start;
}

/* With the namespace in front, unless it has one. ptr NULL: out of memory. */
static struct leat_slice full_name(struct parser *p, struct leat_slice name,
                                   struct leat_slice space)
{
    struct leat_bytes b = {.arena = p->arena};

    if (space.len == 0 || memchr(name.ptr, '.', name.len))
        return leat_arena_copy(p->arena, name);
    leat_bytes_put(&b, space.ptr, space.len);
    leat_bytes_put(&b, ".", 1);
    leat_bytes_put(&b, name.ptr, name.len);
    return b.failed ? (struct leat_slice){0} : leat_bytes_slice(&b);
}

static struct leat_slice space_of(struct leat_slice full)
{
    struct leat_slice name = avro_short_name(full);

    return name.len == full.len ? (struct leat_slice){"", 0}
                                : (struct leat_slice){full.ptr, full.len - name.len - 1};
}

static struct avro_type *find_named(const struct parser *p, struct leat_slice name)
{
    for (const struct named *n = p->names; n; n = n->next)
        if (leat_slice_eq(n->type->name, name))
            return n->type;
    return NULL;
}

static enum leat_status no_memory(const struct parser *p)
{
    return leat_arena_failed(p->arena, p->err);
}

static enum leat_status wrong(const struct parser *p, const char *what, struct leat_slice name)
{
    return leat_fail(p->err, LEAT_E_CONFIG, "%s '%.*s'", what, shown(name), name.ptr);
}

/* A list of texts; `full`: names that get the namespace. */
static enum leat_status read_names(struct parser *p, const struct leat_value *v, const char *what,
                                   const struct leat_slice *space, struct avro_names *names)
{
    *names = (struct avro_names){0};
    if (!v)
        return LEAT_OK;
    if (v->tag != LEAT_LIST)
        return leat_fail(p->err, LEAT_E_CONFIG, "'%s' wants a list of names", what);
    names->list = leat_arena_array(p->arena, v->len + 1, sizeof *names->list);
    if (!names->list)
        return no_memory(p);
    for (uint32_t i = 0; i < v->len; i++) {
        struct leat_slice name = text_of(&v->as.items[i]);
        if (!name.ptr || !is_name(name, space != NULL))
            return name.ptr ? wrong(p, "this is no name:", name)
                            : leat_fail(p->err, LEAT_E_CONFIG, "'%s' wants a list of names", what);
        name = space ? full_name(p, name, *space) : leat_arena_copy(p->arena, name);
        if (!name.ptr)
            return no_memory(p);
        names->list[names->count++] = name;
    }
    return LEAT_OK;
}

/* ---- types */

static enum leat_status parse(struct parser *p, const struct leat_value *v, struct leat_slice space,
                              struct avro_type **type);

static enum leat_status new_type(struct parser *p, enum avro_kind kind, struct avro_type **type)
{
    if (p->types == AVRO_TYPES_MAX)
        return leat_fail(p->err, LEAT_E_CONFIG, "more than %d types", AVRO_TYPES_MAX);
    *type = leat_arena_alloc(p->arena, sizeof **type);
    if (!*type)
        return no_memory(p);
    (*type)->kind = kind;
    (*type)->number = p->types++;
    (*type)->next = p->all;
    p->all = *type;
    return LEAT_OK;
}

static enum leat_status read_name(struct parser *p, struct leat_value v, struct leat_slice *space,
                                  struct avro_type *t)
{
    struct leat_slice name = text_of(member(v, "name"));
    const struct leat_value *given = member(v, "namespace");
    enum avro_kind taken;

    if (!name.ptr)
        return leat_fail(p->err, LEAT_E_CONFIG, "a type of kind %s needs a 'name'",
                         kind_name(t->kind));
    if (given && text_of(given).ptr)
        *space = text_of(given);
    if (!is_name(name, true) || (space->len && !is_name(*space, true)) ||
        (find_kind(name, &taken) && taken <= AVRO_STRING))
        return wrong(p, "this cannot be the name of a type:", name);
    t->name = full_name(p, name, *space);
    if (!t->name.ptr)
        return no_memory(p);
    if (find_named(p, t->name))
        return wrong(p, "there are two types called", t->name);
    *space = space_of(t->name);
    struct named *n = leat_arena_alloc(p->arena, sizeof *n);
    if (!n)
        return no_memory(p);
    *n = (struct named){t, p->names};
    p->names = n;
    return read_names(p, member(v, "aliases"), "aliases", space, &t->aliases);
}

static enum leat_status parse_field(struct parser *p, const struct leat_value *v,
                                    struct leat_slice space, struct avro_field *f)
{
    const struct leat_value *standard;
    struct avro_type *type;

    if (v->tag != LEAT_MAP || !text_of(member(*v, "name")).ptr)
        return leat_fail(p->err, LEAT_E_CONFIG,
                         "a field wants to be { \"name\": ..., \"type\": ... }");
    struct leat_slice name = text_of(member(*v, "name"));
    if (!is_name(name, false))
        return wrong(p, "this cannot be the name of a field:", name);
    f->name = leat_arena_copy(p->arena, name);
    if (!f->name.ptr)
        return no_memory(p);
    if (!member(*v, "type"))
        return leat_fail(p->err, LEAT_E_CONFIG, "field '%.*s' has no 'type'", shown(name),
                         name.ptr);
    if (parse(p, member(*v, "type"), space, &type) != LEAT_OK ||
        read_names(p, member(*v, "aliases"), "aliases", NULL, &f->aliases) != LEAT_OK)
        return leat_error_prefix(p->err, "field '%.*s'", shown(name), name.ptr);
    f->type = type;
    standard = member(*v, "default");
    f->has_standard = standard != NULL;
    if (standard) {
        f->standard = leat_value_copy(*standard, p->arena);
        if (f->standard.tag == LEAT_ERROR && f->standard.code == LEAT_V_BUDGET)
            return no_memory(p);
    }
    return LEAT_OK;
}

static enum leat_status parse_record(struct parser *p, struct leat_value v, struct leat_slice space,
                                     struct avro_type *t)
{
    const struct leat_value *fields = member(v, "fields");

    if (!fields || fields->tag != LEAT_LIST)
        return leat_fail(p->err, LEAT_E_CONFIG, "record '%.*s' needs a list of 'fields'",
                         shown(t->name), t->name.ptr);
    t->fields = leat_arena_array(p->arena, fields->len + 1, sizeof *t->fields);
    if (!t->fields)
        return no_memory(p);
    for (uint32_t i = 0; i < fields->len; i++) {
        struct avro_field *f = &t->fields[i];
        if (parse_field(p, &fields->as.items[i], space, f) != LEAT_OK)
            return leat_error_prefix(p->err, "record '%.*s'", shown(t->name), t->name.ptr);
        for (uint32_t k = 0; k < i; k++)
            if (leat_slice_eq(t->fields[k].name, f->name))
                return wrong(p, "a record has this field twice:", f->name);
        t->count = i + 1;
    }
    return LEAT_OK;
}

static enum leat_status parse_enum(struct parser *p, struct leat_value v, struct avro_type *t)
{
    struct avro_names symbols;
    struct leat_slice standard = text_of(member(v, "default"));

    if (!member(v, "symbols"))
        return wrong(p, "there are no 'symbols' in the enum", t->name);
    if (read_names(p, member(v, "symbols"), "symbols", NULL, &symbols) != LEAT_OK)
        return leat_error_prefix(p->err, "enum '%.*s'", shown(t->name), t->name.ptr);
    t->symbols = symbols.list;
    t->count = symbols.count;
    for (uint32_t i = 0; i < t->count; i++) {
        for (uint32_t k = 0; k < i && t->count <= 1000; k++)
            if (leat_slice_eq(t->symbols[k], t->symbols[i]))
                return wrong(p, "an enum has this symbol twice:", t->symbols[i]);
        if (standard.ptr && leat_slice_eq(t->symbols[i], standard))
            t->standard = t->symbols[i];
    }
    if (standard.ptr && !t->standard.ptr)
        return wrong(p, "the default of an enum is none of its symbols:", standard);
    return LEAT_OK;
}

static enum leat_status parse_fixed(struct parser *p, struct leat_value v, struct avro_type *t)
{
    const struct leat_value *size = member(v, "size");

    if (!size || size->tag != LEAT_INT || size->as.i < 0 || size->as.i > FIXED_MAX)
        return wrong(p, "there is no 'size' in bytes in the fixed", t->name);
    t->count = (uint32_t)size->as.i;
    return LEAT_OK;
}

static bool same_branch(const struct avro_type *a, const struct avro_type *b)
{
    return a->kind == b->kind && leat_slice_eq(a->name, b->name);
}

static enum leat_status parse_union(struct parser *p, const struct leat_value *v,
                                    struct leat_slice space, struct avro_type **type)
{
    if (new_type(p, AVRO_UNION, type) != LEAT_OK)
        return p->err->status;
    struct avro_type *t = *type;
    t->branches = leat_arena_array(p->arena, v->len + 1, sizeof *t->branches);
    if (!t->branches)
        return no_memory(p);
    if (v->len == 0)
        return leat_fail(p->err, LEAT_E_CONFIG, "a union of nothing");
    for (uint32_t i = 0; i < v->len; i++) {
        char text[128];
        if (parse(p, &v->as.items[i], space, &t->branches[i]) != LEAT_OK)
            return p->err->status;
        if (t->branches[i]->kind == AVRO_UNION)
            return leat_fail(p->err, LEAT_E_CONFIG, "a union stands right inside a union");
        for (uint32_t k = 0; k < i; k++)
            if (same_branch(t->branches[k], t->branches[i]))
                return leat_fail(p->err, LEAT_E_CONFIG, "a union has two of %s",
                                 avro_type_text(t->branches[i], text, sizeof text));
        t->count = i + 1;
    }
    return LEAT_OK;
}

static void read_logical(struct leat_value v, struct avro_type *t)
{
    const struct leat_value *precision = member(v, "precision"), *scale = member(v, "scale");
    struct leat_slice name = text_of(member(v, "logicalType"));

    for (size_t i = 0; name.ptr && i < sizeof logicals / sizeof *logicals; i++)
        if (is(name, logicals[i].name) && t->kind == logicals[i].kind)
            t->logical = logicals[i].logical;
    if (t->logical != AVRO_DECIMAL)
        return;
    t->precision =
        precision && precision->tag == LEAT_INT && precision->as.i > 0 && precision->as.i <= 1000
            ? (uint32_t)precision->as.i
            : 0;
    t->scale = scale && scale->tag == LEAT_INT && scale->as.i >= 0 && scale->as.i <= 1000
                   ? (uint32_t)scale->as.i
                   : 0;
    if (t->precision == 0 || t->scale > t->precision || (scale && scale->tag != LEAT_INT))
        t->logical = AVRO_PLAIN;
}

static enum leat_status parse_named(struct parser *p, struct leat_value v, struct leat_slice space,
                                    struct avro_type *t)
{
    if (read_name(p, v, &space, t) != LEAT_OK)
        return p->err->status;
    if (t->kind == AVRO_RECORD)
        return parse_record(p, v, space, t);
    return t->kind == AVRO_ENUM ? parse_enum(p, v, t) : parse_fixed(p, v, t);
}

static enum leat_status parse_object(struct parser *p, const struct leat_value *v,
                                     struct leat_slice space, struct avro_type **type)
{
    const struct leat_value *of = member(*v, "type"), *item;
    enum avro_kind kind;

    if (!of)
        return leat_fail(p->err, LEAT_E_CONFIG, "a type without 'type'");
    if (of->tag != LEAT_STRING || !find_kind(text_of(of), &kind))
        return parse(p, of, space, type);
    if (new_type(p, kind, type) != LEAT_OK)
        return p->err->status;
    struct avro_type *t = *type;
    if (kind == AVRO_ARRAY || kind == AVRO_MAP) {
        item = member(*v, kind == AVRO_ARRAY ? "items" : "values");
        if (!item)
            return leat_fail(p->err, LEAT_E_CONFIG, "%s needs '%s'",
                             kind == AVRO_ARRAY ? "an array" : "a map",
                             kind == AVRO_ARRAY ? "items" : "values");
        return parse(p, item, space, &t->item);
    }
    if (kind >= AVRO_RECORD && parse_named(p, *v, space, t) != LEAT_OK)
        return p->err->status;
    read_logical(*v, t);
    return LEAT_OK;
}

/* A primitive type, or one that was defined before. */
static enum leat_status parse_reference(struct parser *p, struct leat_slice name,
                                        struct leat_slice space, struct avro_type **type)
{
    enum avro_kind kind;

    if (find_kind(name, &kind) && kind <= AVRO_STRING)
        return new_type(p, kind, type);
    struct leat_slice full = full_name(p, name, space);
    if (!full.ptr)
        return no_memory(p);
    *type = find_named(p, full);
    if (!*type)
        *type = find_named(p, name);
    return *type ? LEAT_OK : wrong(p, "unknown type", name);
}

/* The depth of the JSON is bounded by its reader. */
static enum leat_status parse(struct parser *p, const struct leat_value *v, struct leat_slice space,
                              struct avro_type **type)
{
    if (v->tag == LEAT_STRING)
        return parse_reference(p, leat_value_text(*v), space, type);
    if (v->tag == LEAT_LIST)
        return parse_union(p, v, space, type);
    if (v->tag == LEAT_MAP)
        return parse_object(p, v, space, type);
    return leat_fail(p->err, LEAT_E_CONFIG, "a type is a name, an object or a list");
}

/* ---- how short a value can be */

/* A record that is being measured when it is met again contains itself with no union, list or map
 * between, where it could end. */
static enum leat_status measure(struct parser *p, struct avro_type *t, uint32_t depth)
{
    static const uint32_t least[] = {
        [AVRO_NULL] = 0,  [AVRO_BOOLEAN] = 1,        [AVRO_INT] = 1,   [AVRO_LONG] = 1,
        [AVRO_FLOAT] = 4, [AVRO_DOUBLE] = 8,         [AVRO_BYTES] = 1, [AVRO_STRING] = 1,
        [AVRO_ENUM] = 1,  [AVRO_ARRAY] = 1,          [AVRO_MAP] = 1,   [AVRO_UNION] = 1,
        [AVRO_FIXED] = 0, [AVRO_RECORD] = UINT32_MAX};
    uint64_t sum = 0;

    if (t->is_measured)
        return t->min_bytes != UINT32_MAX
                   ? LEAT_OK
                   : wrong(p, "this record contains itself without end:", t->name);
    if (depth > 4 * AVRO_DEPTH)
        return leat_fail(p->err, LEAT_E_CONFIG, "records are nested more than %d deep",
                         4 * AVRO_DEPTH);
    t->is_measured = true;
    t->min_bytes = t->kind == AVRO_FIXED ? t->count : least[t->kind];
    if (t->kind != AVRO_RECORD)
        return LEAT_OK;
    for (uint32_t i = 0; i < t->count; i++) {
        struct avro_type *of = t->fields[i].type;
        if (measure(p, of, depth + 1) != LEAT_OK)
            return p->err->status;
        sum += of->min_bytes;
    }
    t->min_bytes = sum < MIN_BYTES_MAX ? (uint32_t)sum : MIN_BYTES_MAX;
    return LEAT_OK;
}

static enum leat_status measure_all(struct parser *p)
{
    for (struct avro_type *t = p->all; t; t = t->next)
        if (measure(p, t, 0) != LEAT_OK)
            return p->err->status;
    return LEAT_OK;
}

static enum leat_status parse_text(struct parser *p, struct leat_slice text,
                                   struct leat_arena *scratch, struct avro_schema *schema)
{
    struct leat_value json = leat_json_parse(text, scratch);
    struct avro_type *root;

    if (json.tag == LEAT_ERROR && json.code == LEAT_V_BUDGET)
        return leat_arena_failed(scratch, p->err);
    if (json.tag == LEAT_ERROR)
        return leat_fail(p->err, LEAT_E_CONFIG, "%.*s", LEAT_FMT(leat_value_text(json)));
    if (parse(p, &json, (struct leat_slice){"", 0}, &root) != LEAT_OK || measure_all(p) != LEAT_OK)
        return p->err->status;
    schema->root = root;
    schema->types = p->types;
    struct leat_bytes canonical = {.arena = scratch};
    if (!avro_schema_canonical(schema, scratch, &canonical))
        return leat_arena_failed(scratch, p->err);
    schema->fingerprint = avro_fingerprint(leat_bytes_slice(&canonical));
    return LEAT_OK;
}

enum leat_status avro_schema_parse(struct leat_slice text, struct leat_arena *arena,
                                   struct avro_schema *schema, struct leat_error *err)
{
    struct parser p = {.arena = arena, .err = err};
    struct leat_arena scratch = {.cap = 64 * AVRO_SCHEMA_BYTES};

    if (text.len > AVRO_SCHEMA_BYTES)
        return leat_fail(err, LEAT_E_CONFIG, "the schema is longer than %zu bytes",
                         AVRO_SCHEMA_BYTES);
    enum leat_status status = parse_text(&p, text, &scratch, schema);
    leat_arena_reset(&scratch);
    return status == LEAT_OK ? LEAT_OK : leat_error_prefix(err, "Avro schema");
}
