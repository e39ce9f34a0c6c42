/*
 * conformance_cel.c - runs expressions of a JSON file and compares what comes out.
 *
 * conformance_cel FILE.json: {"cases": [{id, expr, bindings, container, declared, disable_check,
 * value | error}]}. Parser, checker, compiler and chunk evaluator are those of the program; only
 * the names are resolved here, over the case's bindings: each is a column of a chunk of one row.
 * Prints a line per failing case and "N passed, N failed"; exits 1 when a case failed, 2 without
 * cases.
 */
#include "data/value_ops.h"
#include "expr/expr.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define COLUMNS_MAX 64

struct binding {
    const char *name;
    const struct leat_type *type;
    struct leat_value value;
};

struct names {
    struct leat_names names; /* first */
    const char *container;
    struct binding bindings[COLUMNS_MAX];
    uint32_t count;
};

static struct leat_arena memory; /* of one case */
static char why[400];            /* of a failing case */

static struct leat_value value_of(json_t *j);

static void *need(size_t n, size_t size)
{
    void *ptr = leat_arena_array(&memory, n ? n : 1, size);

    if (!ptr)
        abort();
    return ptr;
}

static struct leat_value list_of(json_t *items, bool pairs)
{
    size_t n = json_array_size(items);
    struct leat_value *values = need(n, (pairs ? 2 : 1) * sizeof *values);

    for (size_t i = 0; i < n; i++) {
        json_t *item = json_array_get(items, i);
        if (pairs) {
            values[2 * i] = value_of(json_array_get(item, 0));
            values[2 * i + 1] = value_of(json_array_get(item, 1));
        } else {
            values[i] = value_of(item);
        }
    }
    return (struct leat_value){
        .tag = pairs ? LEAT_MAP : LEAT_LIST, .len = (uint32_t)n, .as.items = values};
}

static struct leat_value bytes_of(const char *hex)
{
    size_t n = strlen(hex) / 2;
    char *bytes = need(n, 1);
    unsigned byte;

    for (size_t i = 0; i < n; i++) {
        if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
            abort();
        bytes[i] = (char)byte;
    }
    return (struct leat_value){.tag = LEAT_BYTES, .len = (uint32_t)n, .as.text = bytes};
}

static struct leat_value text_of(json_t *j, enum leat_tag tag)
{
    struct leat_slice text = {json_string_value(j), json_string_length(j)};
    struct leat_value v = leat_string(leat_arena_copy(&memory, text));

    v.tag = (uint8_t)tag;
    return v;
}

static struct leat_value time_of(json_t *j, enum leat_tag tag)
{
    int64_t seconds = json_integer_value(json_array_get(j, 0));
    int64_t nanos = json_integer_value(json_array_get(j, 1));

    if (nanos < 0) { /* we round down */
        seconds--;
        nanos += 1000000000;
    }
    return (struct leat_value){.tag = (uint8_t)tag, .len = (uint32_t)nanos, .as.i = seconds};
}

static struct leat_value value_of(json_t *j)
{
    const char *t = json_string_value(json_object_get(j, "t"));
    json_t *v = json_object_get(j, "v");
    const char *text = json_string_value(v);

    if (!t || strcmp(t, "null") == 0)
        return (struct leat_value){0};
    if (strcmp(t, "bool") == 0)
        return leat_bool(json_is_true(v));
    if (strcmp(t, "list") == 0)
        return list_of(v, false);
    if (strcmp(t, "map") == 0)
        return list_of(v, true);
    if (strcmp(t, "timestamp") == 0)
        return time_of(v, LEAT_TIMESTAMP);
    if (strcmp(t, "duration") == 0)
        return time_of(v, LEAT_DURATION);
    if (!text)
        return leat_value_fail(LEAT_V_SYNTAX, "no text");
    if (strcmp(t, "int") == 0)
        return leat_int(strtoll(text, NULL, 10));
    if (strcmp(t, "uint") == 0)
        return (struct leat_value){.tag = LEAT_UINT, .as.u = strtoull(text, NULL, 10)};
    if (strcmp(t, "double") == 0)
        return leat_double(strtod(text, NULL));
    if (strcmp(t, "bytes") == 0)
        return bytes_of(text);
    if (strcmp(t, "string") == 0)
        return text_of(v, LEAT_STRING);
    if (strcmp(t, "type") == 0)
        return text_of(v, LEAT_TYPE);
    return leat_value_fail(LEAT_V_SYNTAX, "a type of value that this runner does not know");
}

/* The declared type of a binding: of its value, as deep as all parts agree. */
static const struct leat_type *type_of(struct leat_value v)
{
    static const enum leat_type_kind kinds[] = {
        [LEAT_NULL] = LEAT_T_NULL,         [LEAT_BOOL] = LEAT_T_BOOL,
        [LEAT_INT] = LEAT_T_INT,           [LEAT_UINT] = LEAT_T_UINT,
        [LEAT_DOUBLE] = LEAT_T_DOUBLE,     [LEAT_STRING] = LEAT_T_STRING,
        [LEAT_BYTES] = LEAT_T_BYTES,       [LEAT_TIMESTAMP] = LEAT_T_TIMESTAMP,
        [LEAT_DURATION] = LEAT_T_DURATION, [LEAT_LIST] = LEAT_T_LIST,
        [LEAT_MAP] = LEAT_T_MAP,           [LEAT_RECORD] = LEAT_T_MAP,
        [LEAT_ERROR] = LEAT_T_ANY,         [LEAT_TYPE] = LEAT_T_TYPE,
    };
    uint32_t step = v.tag == LEAT_MAP ? 2 : 1;
    const struct leat_type *item = NULL;

    if (v.tag != LEAT_LIST && v.tag != LEAT_MAP)
        return leat_type_of_kind(kinds[v.tag]);
    for (uint32_t i = 0; i < v.len; i++) {
        const struct leat_type *t = type_of(v.as.items[step * i + step - 1]);
        if (item && item->kind != t->kind)
            t = leat_type_of_kind(LEAT_T_ANY);
        item = t;
    }
    struct leat_type *type = need(1, sizeof *type);
    type->kind = kinds[v.tag];
    type->item = item;
    return type;
}

static bool find(struct names *n, const char *prefix, size_t prefix_len,
                 const struct leat_slice *path, size_t count, struct leat_ref *ref)
{
    char name[512];
    size_t len = prefix_len;

    if (len + 1 >= sizeof name)
        return false;
    memcpy(name, prefix, len);
    for (size_t i = 0; i < count; i++) {
        if (len + path[i].len + 2 >= sizeof name)
            return false;
        if (len)
            name[len++] = '.';
        memcpy(name + len, path[i].ptr, path[i].len);
        len += path[i].len;
    }
    for (uint32_t i = 0; i < n->count; i++)
        if (strlen(n->bindings[i].name) == len && memcmp(n->bindings[i].name, name, len) == 0) {
            *ref = (struct leat_ref){LEAT_COL_PATHS + i, (uint32_t)count, n->bindings[i].type};
            return true;
        }
    return false;
}

/* CEL's rule: in the container first, then in what contains it; the longest name wins. */
static enum leat_found resolve(struct leat_names *self, const struct leat_slice *path, size_t count,
                               struct leat_ref *ref)
{
    struct names *n = (struct names *)self;
    bool absolute = path[0].len == 0;
    size_t len = absolute ? 0 : strlen(n->container);

    path += absolute;
    count -= absolute;
    for (;;) {
        for (size_t used = count; used > 0; used--)
            if (find(n, n->container, len, path, used, ref)) {
                ref->used += absolute;
                return LEAT_FOUND;
            }
        if (len == 0)
            break;
        while (len > 0 && n->container[len - 1] != '.')
            len--;
        len -= len > 0;
    }
    return LEAT_FOUND_NOTHING;
}

static bool same(struct leat_value a, struct leat_value b);

static bool same_items(struct leat_value a, struct leat_value b)
{
    for (uint32_t i = 0; i < a.len; i++)
        if (!same(a.as.items[i], b.as.items[i]))
            return false;
    return true;
}

static bool same_map(struct leat_value a, struct leat_value b)
{
    for (uint32_t i = 0; i < a.len; i++) {
        bool found = false;
        for (uint32_t j = 0; j < b.len && !found; j++)
            found = same(a.as.items[2 * i], b.as.items[2 * j]) &&
                    same(a.as.items[2 * i + 1], b.as.items[2 * j + 1]);
        if (!found)
            return false;
    }
    return true;
}

/* Of the same type, too; NaN is NaN. */
static bool same(struct leat_value a, struct leat_value b)
{
    if (a.tag != b.tag)
        return false;
    switch ((enum leat_tag)a.tag) {
    case LEAT_NULL:
        return true;
    case LEAT_BOOL:
        return a.as.b == b.as.b;
    case LEAT_INT:
    case LEAT_UINT:
        return a.as.u == b.as.u;
    case LEAT_DOUBLE:
        return (isnan(a.as.d) && isnan(b.as.d)) ||
               (a.as.d == b.as.d && signbit(a.as.d) == signbit(b.as.d));
    case LEAT_STRING:
    case LEAT_BYTES:
    case LEAT_TYPE:
        return leat_slice_eq(leat_value_text(a), leat_value_text(b));
    case LEAT_TIMESTAMP:
    case LEAT_DURATION:
        return a.as.i == b.as.i && a.len == b.len;
    case LEAT_LIST:
        return a.len == b.len && same_items(a, b);
    case LEAT_MAP:
        return a.len == b.len && same_map(a, b);
    case LEAT_RECORD:
    case LEAT_ERROR:
        break;
    }
    return false;
}

static void show(struct leat_value v, char *into, size_t room)
{
    struct leat_bytes text = {.arena = &memory};

    if (v.tag == LEAT_ERROR) {
        snprintf(into, room, "error: %.*s", LEAT_FMT(leat_value_text(v)));
        return;
    }
    if (v.tag != LEAT_TYPE)
        leat_value_print(v, &text);
    else
        leat_bytes_put(&text, v.as.text, v.len);
    snprintf(into, room, "%s %.*s", v.tag == LEAT_TYPE ? "type" : leat_tag_name(v.tag),
             (int)(text.len < 100 ? text.len : 100), text.ptr ? text.ptr : "");
}

/* The result, or false when the expression was refused before it ran. */
static bool evaluate(struct names *names, json_t *c, struct leat_value *v)
{
    struct leat_diags diags = {.arena = &memory};
    const char *expr = json_string_value(json_object_get(c, "expr"));
    struct leat_node node = {.kind = LEAT_NODE_SCALAR,
                             .text = {expr, json_string_length(json_object_get(c, "expr"))},
                             .mark = {1, 1, 1}};
    struct leat_compile compile = {.names = &names->names,
                                   .arena = &memory,
                                   .diags = &diags,
                                   .unchecked = json_is_true(json_object_get(c, "disable_check"))};
    struct leat_chunk chunk;
    struct leat_error err;
    uint32_t out = LEAT_COL_PATHS + names->count;
    const struct leat_program *p = leat_compile(&compile, &node);

    if (!p) {
        snprintf(why, sizeof why, "refused: %.*s",
                 LEAT_FMT(diags.first ? diags.first->text : LEAT_LIT("without a word")));
        return false;
    }
    struct leat_eval *ev = leat_eval_new();
    if (!ev || leat_chunk_init(&chunk, &memory, out + 1, &err) != LEAT_OK)
        abort();
    leat_chunk_add(&chunk, &(struct leat_row){.time_ms = LEAT_NO_TIME});
    for (uint32_t i = 0; i < names->count; i++)
        chunk.columns[LEAT_COL_PATHS + i][0] = names->bindings[i].value;
    leat_eval_chunk(p, ev, &chunk, out);
    *v = chunk.columns[out][0];
    leat_eval_free(ev);
    return true;
}

static bool run_case(json_t *c)
{
    struct names names = {.names = {.resolve = resolve}, .container = ""};
    json_t *container = json_object_get(c, "container"), *value = json_object_get(c, "value");
    const char *name;
    json_t *bound;
    struct leat_value got, wanted;
    char got_text[160], wanted_text[160];

    if (container)
        names.container = json_string_value(container);
    json_object_foreach(json_object_get(c, "bindings"), name, bound)
    {
        struct leat_value v = value_of(bound);
        if (names.count == COLUMNS_MAX)
            return false;
        names.bindings[names.count++] = (struct binding){name, type_of(v), v};
    }
    bool ran = evaluate(&names, c, &got);
    if (json_is_true(json_object_get(c, "error"))) {
        if (!ran || got.tag == LEAT_ERROR)
            return true;
        show(got, got_text, sizeof got_text);
        snprintf(why, sizeof why, "expected an error, got %s", got_text);
        return false;
    }
    if (!ran)
        return false;
    wanted = value_of(value);
    if (same(got, wanted))
        return true;
    show(got, got_text, sizeof got_text);
    show(wanted, wanted_text, sizeof wanted_text);
    snprintf(why, sizeof why, "expected %s, got %s", wanted_text, got_text);
    return false;
}

int main(int argc, char **argv)
{
    json_error_t error;
    json_t *c;
    size_t i;
    unsigned passed = 0, failed = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: %s FILE.json\n", argv[0]);
        return 2;
    }
    json_t *root = json_load_file(argv[1], JSON_ALLOW_NUL, &error);
    json_t *cases = json_is_array(root) ? root : json_object_get(root, "cases");
    if (!cases) {
        fprintf(stderr, "%s:%d: %s\n", argv[1], error.line, root ? "no cases" : error.text);
        return 2;
    }
    json_array_foreach(cases, i, c)
    {
        snprintf(why, sizeof why, "cannot be run");
        bool ok = run_case(c);
        passed += ok;
        failed += !ok;
        if (!ok)
            printf("%s: %s: %s\n", json_string_value(json_object_get(c, "id")),
                   json_string_value(json_object_get(c, "expr")), why);
        leat_arena_reset(&memory);
    }
    json_decref(root);
    printf("%u passed, %u failed\n", passed, failed);
    return failed ? 1 : 0;
}
