#include "cli/test_match.h"

#include "data/json.h"
#include "data/time_text.h"
#include "data/value_ops.h"

#include <math.h>

static bool is_number(struct leat_value v)
{
    return v.tag == LEAT_INT || v.tag == LEAT_UINT || v.tag == LEAT_DOUBLE;
}

static double as_double(struct leat_value v)
{
    return v.tag == LEAT_DOUBLE ? v.as.d : v.tag == LEAT_INT ? (double)v.as.i : (double)v.as.u;
}

static bool numbers_match(struct leat_value a, struct leat_value b, struct leat_arena *arena)
{
    if (a.tag != LEAT_DOUBLE && b.tag != LEAT_DOUBLE)
        return leat_value_equal(a, b, arena);
    double x = as_double(a), y = as_double(b);
    return x == y || fabs(x - y) <= 1e-9 * fmax(fabs(x), fabs(y));
}

/* "2026-01-01T10:00:00Z" stands for the time, however many digits it has. */
static bool text_matches_time(struct leat_slice text, struct leat_value time)
{
    struct leat_value v =
        time.tag == LEAT_TIMESTAMP ? leat_timestamp_parse(text) : leat_duration_parse(text);

    return v.tag == time.tag && v.as.i == time.as.i && v.len == time.len;
}

static bool matches(struct leat_value expected, struct leat_value got, bool exact,
                    struct leat_arena *arena);

static bool maps_match(struct leat_value expected, struct leat_value got, bool exact,
                       struct leat_arena *arena)
{
    if (got.tag != LEAT_MAP || (exact && got.len != expected.len))
        return false;
    for (uint32_t i = 0; i < expected.len; i++) {
        struct leat_value key = expected.as.items[2 * i], want = expected.as.items[2 * i + 1];
        struct leat_value field = leat_value_field(got, leat_value_text(key), arena);
        if (field.tag == LEAT_ERROR || !matches(want, field, exact, arena))
            return false;
    }
    return true;
}

static bool matches(struct leat_value expected, struct leat_value got, bool exact,
                    struct leat_arena *arena)
{
    expected = leat_value_expand(expected, arena);
    got = leat_value_expand(got, arena);
    if (expected.tag == LEAT_MAP)
        return maps_match(expected, got, exact, arena);
    if (expected.tag == LEAT_LIST) {
        bool same = got.tag == LEAT_LIST && got.len == expected.len;
        for (uint32_t i = 0; same && i < got.len; i++)
            same = matches(expected.as.items[i], got.as.items[i], exact, arena);
        return same;
    }
    if (is_number(expected) && is_number(got))
        return numbers_match(expected, got, arena);
    if (expected.tag == LEAT_STRING && (got.tag == LEAT_TIMESTAMP || got.tag == LEAT_DURATION))
        return text_matches_time(leat_value_text(expected), got);
    return leat_value_equal(expected, got, arena);
}

bool cli_row_matches(const struct config_test_row *expected, const struct cli_got_row *got,
                     bool exact, struct leat_arena *arena)
{
    if (expected->has_key && !matches(expected->key, got->key, true, arena))
        return false;
    if (expected->has_time && expected->time_ms != got->time_ms)
        return false;
    return matches(expected->value, got->value, exact, arena);
}

struct leat_slice cli_row_text(const struct cli_got_row *row, struct cli_row_shown shown,
                               struct leat_arena *arena)
{
    struct leat_bytes text = {.arena = arena};
    struct leat_value why, time = leat_timestamp(row->time_ms / 1000, 0);

    if (shown.time) {
        time.as.i -= row->time_ms % 1000 < 0;
        time.len = (uint32_t)(row->time_ms - time.as.i * 1000) * 1000000;
        leat_bytes_put(&text, "time ", 5);
        leat_json_write(time, &text, &why);
        leat_bytes_put(&text, shown.key ? ", " : ": ", 2);
    }
    if (shown.key) {
        leat_bytes_put(&text, "key ", 4);
        leat_json_write(row->key, &text, &why);
        leat_bytes_put(&text, ": ", 2);
    }
    if (!leat_json_write(row->value, &text, &why))
        leat_value_print(row->value, &text);
    return leat_bytes_slice(&text);
}

const struct leat_program *cli_where_compile(const struct leat_node *where,
                                             struct leat_shapes *shapes, struct leat_arena *arena,
                                             struct leat_diags *diags)
{
    struct leat_segment segment = {.columns = LEAT_COL_PATHS, .windows = false};
    struct leat_view view = {.kind = LEAT_VIEW_VALUE,
                             .segment = &segment,
                             .column = LEAT_COL_THIS,
                             .type = leat_type_of_kind(LEAT_T_ANY),
                             .has_key = true,
                             .key_column = LEAT_COL_KEY,
                             .key_type = leat_type_of_kind(LEAT_T_ANY)};
    struct leat_view_names names;

    leat_view_names_init(&names, &view, shapes, arena);
    return leat_compile(
        &(struct leat_compile){.names = &names.names, .arena = arena, .diags = diags}, where);
}

void cli_where_check(const struct config_test *tests, struct leat_shapes *shapes,
                     struct leat_diags *diags)
{
    for (const struct config_test *test = tests; test; test = test->next)
        for (const struct config_test_expect *e = test->expects; e; e = e->next)
            if (e->where)
                cli_where_compile(e->where, shapes, diags->arena, diags);
}
