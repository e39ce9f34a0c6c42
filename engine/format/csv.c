/*
 * csv.c - format in which a record is a line of fields (RFC 4180).
 *
 * Fields are text; the schema makes numbers and times of them. Their names come from `columns`,
 * else from the schema in its order; a table knows its file's first line. With `header: true` the
 * row at position 0 (the first line of a file) is checked against the names and left out, and a
 * sink's files begin with such a line. Every row must have as many fields as there are names; blank
 * lines are passed over. A line break inside quotes cannot come from a source that reads lines, and
 * is refused there as a quote without an end.
 */
#include "csv.h"

#include <stdio.h>

#define COLUMNS_MAX 4096 /* in a table's file */

static const struct leat_opt options[] = {
    LEAT_OPT(struct csv, header, .def = "false",
             .help = "Files begin with a line of names, which is not a record."),
    LEAT_OPT(struct csv, delimiter, .def = ",", .help = "One character between fields."),
    LEAT_OPT(struct csv, columns, .optional = true,
             .help = "Names of the fields in their order; without it, the schema's."),
    {0},
};

enum leat_status csv_check_delimiter(const struct csv *c, struct leat_error *err)
{
    static const char refused[] = "\"\r\n+-.0123456789";
    const char *d = c->delimiter;

    if (d[0] == '\0' || d[1] != '\0' || d[0] < 0 || strchr(refused, d[0]))
        return leat_fail(err, LEAT_E_CONFIG,
                         "csv: delimiter '%s' must be one character like ',' ';' '|' or a tab", d);
    return LEAT_OK;
}

/* --- one line --- */

struct line {
    const char *at, *end;
    char delimiter;
    bool is_done;
    const char *why; /* what is wrong; NULL: nothing */
};

/* A quoted field: its text without the quotes, doubled ones still doubled. */
static struct leat_slice quoted_field(struct line *l, bool *doubled)
{
    const char *from = ++l->at;

    for (;;) {
        const char *quote = l->at < l->end ? memchr(l->at, '"', (size_t)(l->end - l->at)) : NULL;
        if (!quote) {
            l->why =
                "a quoted field without an end (line breaks in fields cannot be read by lines)";
            return (struct leat_slice){0};
        }
        if (quote + 1 < l->end && quote[1] == '"') {
            *doubled = true;
            l->at = quote + 2;
            continue;
        }
        l->at = quote + 1;
        if (l->at < l->end && *l->at != l->delimiter)
            l->why = "something between a closing quote and the delimiter";
        return (struct leat_slice){from, (size_t)(quote - from)};
    }
}

static struct leat_slice plain_field(struct line *l)
{
    size_t left = (size_t)(l->end - l->at);
    const char *stop = left ? memchr(l->at, l->delimiter, left) : NULL;
    struct leat_slice field = {l->at, stop ? (size_t)(stop - l->at) : left};

    if (field.len && memchr(field.ptr, '"', field.len))
        l->why = "a quote inside a field that is not quoted";
    l->at += field.len;
    return field;
}

/* The next field; false at the end of the line or when something is wrong. */
static bool next_field(struct line *l, struct leat_slice *field, bool *doubled)
{
    *doubled = false;
    if (l->is_done || l->why)
        return false;
    *field = l->at < l->end && *l->at == '"' ? quoted_field(l, doubled) : plain_field(l);
    if (l->why)
        return false;
    if (l->at == l->end)
        l->is_done = true;
    else
        l->at++;
    return true;
}

static struct leat_slice without_mark(struct leat_slice text)
{
    if (text.len >= 3 && memcmp(text.ptr, "\xef\xbb\xbf", 3) == 0)
        return (struct leat_slice){text.ptr + 3, text.len - 3};
    return text;
}

/* Text of a field with doubled quotes; ptr NULL: out of memory. */
static struct leat_slice undouble(struct leat_slice field, struct leat_arena *arena)
{
    char *text = leat_arena_alloc(arena, field.len + 1);
    size_t n = 0;

    if (!text)
        return (struct leat_slice){0};
    for (size_t i = 0; i < field.len; i++) {
        text[n++] = field.ptr[i];
        i += field.ptr[i] == '"';
    }
    return (struct leat_slice){text, n};
}

/* --- names --- */

static enum leat_status make_preamble(struct csv *c, struct leat_arena *arena,
                                      struct leat_error *err)
{
    struct leat_bytes line = {.arena = arena};
    uint32_t n = csv_names_count(c);

    if (!c->header || n == 0)
        return LEAT_OK;
    for (uint32_t i = 0; i < n; i++) {
        if (i)
            leat_bytes_put(&line, c->delimiter, 1);
        csv_put_cell(&line, c->delimiter[0], csv_name(c, i), n == 1);
    }
    leat_bytes_put(&line, "\n", 1);
    if (line.failed)
        return leat_arena_failed(arena, err);
    c->preamble = leat_bytes_slice(&line);
    return LEAT_OK;
}

static bool add_target(struct csv_targets *t, uint32_t column, struct leat_arena *arena)
{
    uint32_t *columns = leat_arena_array(arena, t->count + 1, sizeof *columns);

    if (!columns)
        return false;
    for (uint32_t i = 0; i < t->count; i++)
        columns[i] = t->columns[i];
    columns[t->count++] = column;
    t->columns = columns;
    return true;
}

/* Which field goes where. */
static bool map_paths(struct csv *c, struct leat_arena *arena)
{
    uint32_t n = csv_names_count(c);

    c->targets = leat_arena_array(arena, n + 1, sizeof *c->targets);
    c->whole = (struct csv_targets){0};
    if (!c->targets)
        return false;
    for (size_t p = 0; p < c->paths_count; p++) {
        const struct leat_path *path = &c->paths[p];
        if (path->depth == 0 && !add_target(&c->whole, path->column, arena))
            return false;
        for (uint32_t i = 0; path->depth && i < n; i++)
            if (leat_slice_eq(csv_name(c, i), path->names[0]) && path->depth == 1 &&
                !add_target(&c->targets[i], path->column, arena))
                return false;
    }
    return true;
}

static bool make_shape(struct csv *c, struct leat_arena *arena)
{
    struct leat_shapes shapes = {.arena = arena};
    uint32_t n = csv_names_count(c);
    struct leat_slice *names = leat_arena_array(arena, n + 1, sizeof *names);

    for (uint32_t i = 0; names && i < n; i++)
        names[i] = csv_name(c, i);
    c->shape = names ? leat_shape_intern(&shapes, names, n) : NULL;
    return c->shape != NULL;
}

static enum leat_status use_names(struct csv *c, const struct leat_slice *names, size_t count,
                                  struct leat_arena *arena, struct leat_error *err)
{
    struct leat_slice *copies = leat_arena_array(arena, count + 1, sizeof *copies);

    if (!copies)
        return leat_arena_failed(arena, err);
    for (size_t i = 0; i < count; i++) {
        copies[i] = leat_arena_copy(arena, names[i]);
        if (!copies[i].ptr)
            return leat_arena_failed(arena, err);
    }
    c->names = copies;
    c->names_count = (uint32_t)count;
    return LEAT_OK;
}

static enum leat_status csv_fields(void *self, const struct leat_slice *names, size_t count,
                                   struct leat_arena *arena, struct leat_error *err)
{
    struct csv *c = self;

    if (csv_check_delimiter(c, err) != LEAT_OK)
        return err->status;
    if (c->columns.count == 0 && count && use_names(c, names, count, arena, err) != LEAT_OK)
        return err->status;
    return make_preamble(c, arena, err);
}

static enum leat_status csv_plan(void *self, const struct leat_path *paths, size_t count,
                                 struct leat_arena *arena, struct leat_error *err)
{
    struct csv *c = self;

    if (csv_check_delimiter(c, err) != LEAT_OK)
        return err->status;
    c->paths = paths;
    c->paths_count = count;
    if (!map_paths(c, arena) || !make_shape(c, arena))
        return leat_arena_failed(arena, err);
    return make_preamble(c, arena, err);
}

/* The first name that stands there twice; NULL: none. */
static const struct leat_slice *find_twice(const struct leat_slice *names, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t k = 0; k < i; k++)
            if (leat_slice_eq(names[i], names[k]))
                return &names[i];
    return NULL;
}

static enum leat_status csv_header(void *self, struct leat_slice text, struct leat_arena *arena,
                                   struct leat_error *err)
{
    struct csv *c = self;
    struct leat_slice field, *names;
    struct line l;
    size_t count = 0;
    bool doubled;

    text = without_mark(text);
    names = leat_arena_array(arena, COLUMNS_MAX + 1, sizeof *names);
    if (!names)
        return leat_arena_failed(arena, err);
    l = (struct line){text.ptr, text.ptr + text.len, c->delimiter[0], false, NULL};
    while (count <= COLUMNS_MAX && next_field(&l, &field, &doubled)) {
        names[count] = doubled ? undouble(field, arena) : field;
        if (!names[count++].ptr)
            return leat_arena_failed(arena, err);
    }
    if (l.why)
        return leat_fail(err, LEAT_E_DATA, "csv header: %s", l.why);
    if (count > COLUMNS_MAX)
        return leat_fail(err, LEAT_E_DATA, "csv header: more than %d columns", COLUMNS_MAX);
    const struct leat_slice *twice = find_twice(names, count);
    if (twice)
        return leat_fail(err, LEAT_E_DATA, "csv header: '%.*s' stands there twice",
                         LEAT_FMT(*twice));
    if (use_names(c, names, count, arena, err) != LEAT_OK)
        return err->status;
    if (!map_paths(c, arena) || !make_shape(c, arena))
        return leat_arena_failed(arena, err);
    return LEAT_OK;
}

/* --- rows --- */

struct row {
    const struct csv *c;
    struct leat_chunk *chunk;
    uint16_t number;
    struct leat_record *whole;
};

static void set_all_absent(const struct row *r)
{
    const struct csv *c = r->c;

    for (size_t p = 0; p < c->paths_count; p++) {
        const struct leat_path *path = &c->paths[p];
        struct leat_value v = {0};
        if (path->depth) {
            v = leat_value_fail(LEAT_V_ABSENT, "");
            for (uint32_t i = 0; path->depth > 1 && i < csv_names_count(c); i++)
                if (leat_slice_eq(csv_name(c, i), path->names[0]))
                    v = leat_value_fail(LEAT_V_TYPE, "only an object has fields");
        }
        r->chunk->columns[path->column][r->number] = v;
    }
}

static struct leat_value failed(struct leat_arena *arena, const char *why, const char *name)
{
    char text[200];
    int n = snprintf(text, sizeof text, "csv: %s%s", why, name);
    struct leat_slice copy = leat_arena_copy(arena, (struct leat_slice){text, (size_t)n});

    return leat_value_fail(LEAT_V_SYNTAX, copy.ptr ? copy.ptr : "not CSV");
}

static struct leat_value wrong_count(const struct row *r, uint32_t count)
{
    char text[80];
    uint32_t names = csv_names_count(r->c);

    if (names == 0)
        return leat_value_fail(LEAT_V_SYNTAX, "csv: nothing names the columns: give `columns` or a "
                                              "schema");
    snprintf(text, sizeof text, "%u field%s where %u columns have names", count,
             count == 1 ? "" : "s", names);
    return failed(r->chunk->arena, text, "");
}

/* Null: the row was read. LEAT_V_BUDGET: out of memory. */
static struct leat_value read_row(const struct row *r, struct leat_slice text)
{
    const struct csv *c = r->c;
    uint32_t count = 0, names = csv_names_count(c);
    struct line l = {text.ptr, text.ptr + text.len, c->delimiter[0], false, NULL};
    struct leat_slice field;
    bool doubled;

    for (; next_field(&l, &field, &doubled); count++) {
        if (count >= names)
            continue;
        if (doubled)
            field = undouble(field, r->chunk->arena);
        if (!field.ptr)
            return leat_value_fail(LEAT_V_BUDGET, "out of memory");
        struct leat_value v = leat_string(field);
        const struct csv_targets *t = &c->targets[count];
        for (uint32_t i = 0; i < t->count; i++)
            r->chunk->columns[t->columns[i]][r->number] = v;
        if (r->whole)
            r->whole->fields[count] = v;
    }
    if (l.why)
        return failed(r->chunk->arena, l.why, "");
    if (count != names)
        return wrong_count(r, count);
    struct leat_value record = {.tag = LEAT_RECORD, .as.record = r->whole};
    for (uint32_t i = 0; i < c->whole.count; i++)
        r->chunk->columns[c->whole.columns[i]][r->number] = record;
    return (struct leat_value){0};
}

/* The first line of a file must name what we call the columns, in the same order. */
static struct leat_value check_header(const struct csv *c, struct leat_slice text,
                                      struct leat_arena *arena)
{
    struct line l = {text.ptr, text.ptr + text.len, c->delimiter[0], false, NULL};
    uint32_t count = 0, names = csv_names_count(c);
    struct leat_slice field;
    bool doubled;

    for (; next_field(&l, &field, &doubled); count++) {
        char name[80];
        if (doubled)
            field = undouble(field, arena);
        if (count < names && leat_slice_eq(field, csv_name(c, count)))
            continue;
        snprintf(name, sizeof name, "'%.*s'", field.len < 60 ? (int)field.len : 60,
                 field.ptr ? field.ptr : "");
        return failed(arena, "the header names other columns than `columns` or the schema: ", name);
    }
    if (l.why)
        return failed(arena, l.why, "");
    return count == names ? (struct leat_value){0}
                          : failed(arena, "the header has fewer columns than have names", "");
}

/* Fill in one row; false: it is no record and leaves the selection. */
static bool decode_row(struct row *r, struct leat_value *result)
{
    struct leat_chunk *chunk = r->chunk;
    struct leat_slice text = chunk->values[r->number];
    bool at_start = chunk->positions[r->number] == 0;

    set_all_absent(r);
    *result = (struct leat_value){0};
    if (!text.ptr)
        return true;
    if (at_start)
        text = without_mark(text);
    if (text.len == 0)
        return false;
    if (text.len > UINT32_MAX || !leat_utf8_valid(text.ptr, text.ptr + text.len)) {
        *result = leat_value_fail(LEAT_V_SYNTAX, "csv: text that is not UTF-8");
        return true;
    }
    if (at_start && r->c->header) {
        *result = check_header(r->c, text, chunk->arena);
        return result->tag == LEAT_ERROR;
    }
    r->whole = NULL;
    if (r->c->whole.count) {
        r->whole = leat_record_new(chunk->arena, r->c->shape);
        if (!r->whole) {
            *result = leat_value_fail(LEAT_V_BUDGET, "out of memory");
            return true;
        }
    }
    *result = read_row(r, text);
    return true;
}

static enum leat_status csv_decode(const void *self, struct leat_chunk *chunk,
                                   struct leat_error *err)
{
    struct row r = {.c = self, .chunk = chunk};
    uint32_t kept = 0;

    for (uint32_t i = 0; i < chunk->selected; i++) {
        struct leat_value result;
        r.number = chunk->selection[i];
        chunk->selection[kept] = r.number;
        kept += decode_row(&r, &result);
        if (result.tag == LEAT_ERROR && result.code == LEAT_V_BUDGET)
            return leat_arena_failed(chunk->arena, err);
        chunk->columns[LEAT_COL_THIS][r.number] = result;
    }
    chunk->selected = kept;
    return LEAT_OK;
}

static struct leat_slice csv_preamble(const void *self)
{
    const struct csv *c = self;

    return c->preamble;
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "csv",
    .summary = "a record is a line of fields",
    .self_size = sizeof(struct csv),
    .opts = options,
    .format = &(const struct leat_format){.has_fields = true,
                                          .fields = csv_fields,
                                          .header = csv_header,
                                          .plan = csv_plan,
                                          .decode = csv_decode,
                                          .encode = csv_encode,
                                          .preamble = csv_preamble},
};

LEAT_MODULE(module);
