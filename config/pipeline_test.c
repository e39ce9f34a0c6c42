#include "pipeline_test.h"

#include "data/time_text.h"

/* 2000-01-01T00:00:00Z: a clock near 1970 would put windows in front of the epoch. */
static const int64_t clock_default_ms = INT64_C(946684800000);

struct reader {
    const struct leat_spec *spec;
    struct leat_arena *arena;
    struct leat_diags *diags;
    bool no_memory;
};

static void *take(struct reader *r, size_t size)
{
    void *memory = leat_arena_alloc(r->arena, size);

    if (!memory && !r->no_memory)
        leat_diag_error(r->diags, NULL, "there is not enough memory for the tests");
    r->no_memory |= !memory;
    return memory;
}

static bool lists(const char *const *keys, struct leat_slice key)
{
    for (; *keys; keys++)
        if (leat_slice_eq(leat_slice_str(*keys), key))
            return true;
    return false;
}

static void refuse_unknown(struct reader *r, const struct leat_node *map, const char *const *keys)
{
    struct leat_slice names[16];
    size_t n = 0;

    for (; keys[n] && n < 16; n++)
        names[n] = leat_slice_str(keys[n]);
    for (const struct leat_node *c = map->first; c; c = c->next)
        if (!lists(keys, c->key)) {
            struct leat_diag *d =
                leat_diag_error_key(r->diags, c, "unknown key '%.*s'", LEAT_FMT(c->key));
            leat_diag_nearest(r->diags, d, c->key, names, n);
        }
}

/* ---- names */

struct found {
    struct leat_slice wanted, names[256];
    size_t count;
    bool is_there;
};

static void look(struct found *f, struct leat_slice name)
{
    f->is_there |= leat_slice_eq(f->wanted, name);
    if (f->count < 256)
        f->names[f->count++] = name;
}

static void refuse_missing(struct reader *r, const struct leat_node *node, const struct found *f,
                           const char *what)
{
    if (f->is_there)
        return;
    struct leat_diag *d =
        leat_diag_error_key(r->diags, node, "there is no %s '%.*s'", what, LEAT_FMT(node->key));
    leat_diag_nearest(r->diags, d, node->key, f->names, f->count);
}

static void check_source(struct reader *r, const struct leat_node *node)
{
    struct found f = {.wanted = node->key, .names = {LEAT_LIT("advance")}, .count = 1};

    for (const struct leat_spec_source *s = r->spec->sources; s; s = s->next)
        look(&f, s->name);
    refuse_missing(r, node, &f, "source");
}

static void check_table(struct reader *r, const struct leat_node *node)
{
    struct found f = {.wanted = node->key};

    for (const struct leat_spec_table *t = r->spec->tables; t; t = t->next)
        look(&f, t->name);
    refuse_missing(r, node, &f, "table");
}

static void check_output(struct reader *r, const struct leat_node *node)
{
    struct found f = {.wanted = node->key};

    for (const struct leat_spec_sink *s = r->spec->sinks; s; s = s->next)
        look(&f, s->name);
    for (const struct leat_spec_stream *s = r->spec->streams; s; s = s->next) {
        look(&f, s->node ? s->node->key : s->name);
        for (const struct leat_spec_op *op = s->ops; op; op = op->next) {
            const struct leat_node *late = leat_node_find(op->arg, "late");
            if (late && late->kind == LEAT_NODE_SCALAR)
                look(&f, late->text);
        }
    }
    refuse_missing(r, node, &f, "sink or stream");
}

/* ---- rows */

static bool is_envelope(const struct leat_node *node)
{
    static const char *const keys[] = {"key", "value", "time", "headers", NULL};

    if (node->kind != LEAT_NODE_MAP || node->count < 2 || !leat_node_find(node, "value"))
        return false;
    for (const struct leat_node *c = node->first; c; c = c->next)
        if (!lists(keys, c->key))
            return false;
    return true;
}

static bool read_time(struct reader *r, const struct leat_node *node, int64_t *ms)
{
    struct leat_value t = {0};

    if (node->kind == LEAT_NODE_SCALAR && !node->is_null && leat_diag_filled(r->diags, node))
        t = leat_timestamp_parse(leat_node_value(node));
    if (t.tag != LEAT_TIMESTAMP) {
        leat_diag_error(r->diags, node, "a time is due here, such as 2026-01-01T10:00:00Z");
        return false;
    }
    *ms = leat_timestamp_millis(t);
    return true;
}

static void read_row(struct reader *r, const struct leat_node *node, struct config_test_row *row)
{
    *row = (struct config_test_row){.node = node};
    if (!is_envelope(node)) {
        row->value = config_node_value(node, r->arena, r->diags);
        return;
    }
    const struct leat_node *key = leat_node_find(node, "key"), *time = leat_node_find(node, "time");
    const struct leat_node *headers = leat_node_find(node, "headers");
    row->value = config_node_value(leat_node_find(node, "value"), r->arena, r->diags);
    row->has_key = key != NULL;
    if (key)
        row->key = config_node_value(key, r->arena, r->diags);
    if (time)
        row->has_time = read_time(r, time, &row->time_ms);
    if (headers && headers->kind != LEAT_NODE_MAP)
        leat_diag_error(r->diags, headers, "'headers' takes a map");
    else if (headers)
        row->headers = config_node_value(headers, r->arena, r->diags);
}

static void read_rows(struct reader *r, const struct leat_node *node, struct config_test_rows *rows)
{
    struct config_test_row **end = &rows->first;

    if (node->kind != LEAT_NODE_LIST) {
        leat_diag_error(r->diags, node, "a list of records is due here");
        return;
    }
    for (const struct leat_node *n = node->first; n; n = n->next) {
        if (!(*end = take(r, sizeof **end)))
            return;
        read_row(r, n, *end);
        end = &(*end)->next;
        rows->count++;
    }
}

static void read_feeds(struct reader *r, const struct leat_node *map, struct config_test_feed **end,
                       void (*check)(struct reader *r, const struct leat_node *node))
{
    if (map->kind != LEAT_NODE_MAP) {
        leat_diag_error(r->diags, map, "a map of names to lists of records is due here");
        return;
    }
    for (const struct leat_node *n = map->first; n; n = n->next) {
        check(r, n);
        if (!(*end = take(r, sizeof **end)))
            return;
        **end = (struct config_test_feed){.name = n->key, .node = n};
        read_rows(r, n, &(*end)->rows);
        end = &(*end)->next;
    }
}

/* ---- batches */

static void read_advance(struct reader *r, const struct leat_node *node, int64_t *ms)
{
    struct leat_duration d = {0};
    const char *why = "is no duration, such as 12m";
    bool is_scalar = node->kind == LEAT_NODE_SCALAR;

    if (is_scalar && !leat_diag_filled(r->diags, node))
        return;
    if (!is_scalar || !leat_parse_duration(leat_node_value(node), &d, &why))
        leat_diag_error(r->diags, node, "'%.*s' %s", LEAT_FMT(node->text), why);
    else if (d.ms <= 0)
        leat_diag_error(r->diags, node, "the clock can only move on");
    *ms = d.ms > 0 ? d.ms : 1;
}

static void read_steps(struct reader *r, const struct leat_node *node,
                       struct config_test_step **end)
{
    if (node->kind != LEAT_NODE_LIST) {
        leat_diag_error(r->diags, node, "'batches' takes a list");
        return;
    }
    for (const struct leat_node *n = node->first; n; n = n->next) {
        const struct leat_node *advance = leat_node_find(n, "advance");
        if (!(*end = take(r, sizeof **end)))
            return;
        **end = (struct config_test_step){.node = n};
        if (!advance)
            read_feeds(r, n, &(*end)->feeds, check_source);
        else
            read_advance(r, advance, &(*end)->advance_ms);
        if (advance && n->count > 1)
            leat_diag_error(r->diags, n,
                            "'advance' stands alone: what comes then is the next batch");
        end = &(*end)->next;
    }
}

/* ---- expect */

static int64_t read_count(struct reader *r, const struct leat_node *map, const char *key)
{
    const struct leat_node *node = leat_node_find(map, key);
    const char *why = "is no number";
    int64_t n = -1;

    if (!node || (node->kind == LEAT_NODE_SCALAR && !leat_diag_filled(r->diags, node)))
        return -1;
    if (node->kind != LEAT_NODE_SCALAR || !leat_parse_int(leat_node_value(node), &n, &why) || n < 0)
        leat_diag_error(r->diags, node, "'%s' takes a number of records", key);
    return n;
}

static bool read_exact(struct reader *r, const struct leat_node *map)
{
    const struct leat_node *node = leat_node_find(map, "exact");
    bool yes = node && leat_slice_eq(leat_node_value(node), LEAT_LIT("true"));

    if (node && !yes && !leat_slice_eq(leat_node_value(node), LEAT_LIT("false")))
        leat_diag_error(r->diags, node, "'exact' takes true or false");
    return yes;
}

static void read_expect_map(struct reader *r, const struct leat_node *map,
                            struct config_test_expect *expect)
{
    static const char *const keys[] = {"list",   "unordered", "contains", "count",
                                       "errors", "where",     "exact",    NULL};
    static const struct {
        const char *key;
        enum config_test_match match;
    } matches[] = {{"list", CONFIG_TEST_ORDERED},
                   {"unordered", CONFIG_TEST_UNORDERED},
                   {"contains", CONFIG_TEST_CONTAINS}};

    refuse_unknown(r, map, keys);
    for (size_t i = 0; i < 3; i++) {
        const struct leat_node *rows = leat_node_find(map, matches[i].key);
        if (!rows)
            continue;
        if (expect->match != CONFIG_TEST_ANY)
            leat_diag_error_key(r->diags, rows, "one of list, unordered and contains is enough");
        expect->match = matches[i].match;
        read_rows(r, rows, &expect->rows);
    }
    expect->count = read_count(r, map, "count");
    expect->errors = read_count(r, map, "errors");
    expect->exact = read_exact(r, map);
    expect->where = leat_node_find(map, "where");
    if (expect->match == CONFIG_TEST_ANY && expect->count < 0 && expect->errors < 0) {
        struct leat_diag *d = leat_diag_error_key(r->diags, map, "this expects nothing");
        leat_diag_hint(r->diags, d, "list, unordered, contains, count or errors");
    }
}

static void read_expects(struct reader *r, const struct leat_node *node,
                         struct config_test_expect **end)
{
    if (node->kind != LEAT_NODE_MAP) {
        leat_diag_error(r->diags, node, "'expect' takes a map of sinks and streams");
        return;
    }
    for (const struct leat_node *n = node->first; n; n = n->next) {
        check_output(r, n);
        if (!(*end = take(r, sizeof **end)))
            return;
        **end = (struct config_test_expect){.name = n->key, .node = n, .count = -1, .errors = -1};
        if (n->kind == LEAT_NODE_MAP) {
            read_expect_map(r, n, *end);
        } else {
            (*end)->match = CONFIG_TEST_ORDERED;
            read_rows(r, n, &(*end)->rows);
        }
        end = &(*end)->next;
    }
}

/* ---- one test */

static void read_test(struct reader *r, const struct leat_node *node, struct config_test *test)
{
    static const char *const keys[] = {"name", "clock", "batches", "tables", "expect", NULL};
    const struct leat_node *name = leat_node_find(node, "name"),
                           *clock = leat_node_find(node, "clock"),
                           *batches = leat_node_find(node, "batches"),
                           *tables = leat_node_find(node, "tables"),
                           *expect = leat_node_find(node, "expect");

    *test = (struct config_test){.node = node, .clock_ms = clock_default_ms};
    if (node->kind != LEAT_NODE_MAP) {
        leat_diag_error(r->diags, node, "a test is a map: name, clock, batches, expect");
        return;
    }
    refuse_unknown(r, node, keys);
    if (name && name->kind == LEAT_NODE_SCALAR && leat_diag_filled(r->diags, name))
        test->name = leat_node_value(name);
    if (test->name.len == 0)
        leat_diag_error(r->diags, name ? name : node, "a test needs a name");
    if (clock)
        read_time(r, clock, &test->clock_ms);
    if (batches)
        read_steps(r, batches, &test->steps);
    if (tables)
        read_feeds(r, tables, &test->tables, check_table);
    if (expect)
        read_expects(r, expect, &test->expects);
    else
        leat_diag_error(r->diags, name ? name : node,
                        "this test expects nothing: 'expect' is missing");
}

struct config_test *config_tests_read(const struct leat_spec *spec, struct leat_arena *arena,
                                      struct leat_diags *diags)
{
    struct reader r = {.spec = spec, .arena = arena, .diags = diags};
    struct config_test *first = NULL, **end = &first;

    if (!spec->tests || spec->tests->is_null)
        return NULL;
    if (spec->tests->kind != LEAT_NODE_LIST) {
        leat_diag_error_key(diags, spec->tests, "'tests' takes a list");
        return NULL;
    }
    for (const struct leat_node *n = spec->tests->first; n; n = n->next) {
        if (!(*end = take(&r, sizeof **end)))
            break;
        read_test(&r, n, *end);
        end = &(*end)->next;
    }
    return first;
}
