#include "format_contract.h"

#include "instance.h"
#include "leat_test.h"

#include <stdio.h>

enum { WHOLE = LEAT_COL_PATHS, FIELD, COLUMNS };

static struct leat_error err;

struct world {
    struct instance i;
    const struct leat_format *format;
    struct leat_arena arena;
    struct leat_chunk chunk;
};

static enum leat_status give_fields(struct world *w, const char *const *fields)
{
    struct leat_slice names[16];
    size_t n = 0;

    for (; fields[n] && n < 16; n++)
        names[n] = leat_slice_str(fields[n]);
    return w->format->fields(w->i.self, names, n, &w->i.arena, &err);
}

static enum leat_status plan(struct world *w, const struct format_case *c)
{
    static const struct leat_slice nothing[] = {{"no such field", 13}};
    static const struct leat_path paths[] = {{NULL, 0, WHOLE}, {nothing, 1, FIELD}};

    if (w->format->load &&
        w->format->load(w->i.self, LEAT_FORMAT_READS, &w->i.arena, &err) != LEAT_OK)
        return err.status;
    if (c->fields && w->format->fields && give_fields(w, c->fields) != LEAT_OK)
        return err.status;
    if (!w->format->plan)
        return LEAT_OK;
    return w->format->plan(w->i.self, paths, w->format->has_fields ? 2 : 1, &w->i.arena, &err);
}

static void init(struct world *w, const struct format_case *c)
{
    *w = (struct world){0};
    instance_init(&w->i, c->name, c->settings);
    w->format = w->i.module->format;
    CU_ASSERT_PTR_NOT_NULL_FATAL(w->format);
    OK(plan(w, c));
    OK(leat_chunk_init(&w->chunk, &w->arena, COLUMNS, &err));
}

static void fini(struct world *w)
{
    leat_arena_reset(&w->arena);
    instance_fini(&w->i);
}

/* A row whose memory ends with it, so that a sanitizer sees what is read behind it. */
static void add(struct world *w, const char *text)
{
    struct leat_row row = {.position = w->chunk.rows + 1, .time_ms = LEAT_NO_TIME};

    if (text) {
        size_t len = strlen(text);
        char *copy = leat_mem_alloc(len ? len : 1);
        CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
        memcpy(copy, text, len);
        CU_ASSERT_FATAL(leat_arena_on_reset(&w->arena, leat_mem_free, copy));
        row.value = (struct leat_slice){copy, len};
    }
    leat_chunk_add(&w->chunk, &row);
}

static bool is_error(const struct world *w, uint32_t row, enum leat_value_error code)
{
    struct leat_value v = w->chunk.columns[LEAT_COL_THIS][row];

    return v.tag == LEAT_ERROR && v.code == code;
}

void contract_what_was_read_is_written_again(const struct format_case *c)
{
    struct world w;
    uint32_t n = 0;

    init(&w, c);
    for (; c->good[n]; n++)
        add(&w, c->good[n]);
    OK(w.format->decode(w.i.self, &w.chunk, &err));
    CU_ASSERT_EQUAL(w.chunk.selected, n);
    OK(w.format->encode(w.i.self, &w.chunk, WHOLE, &err));
    for (uint32_t i = 0; i < n; i++) {
        CU_ASSERT_EQUAL(w.chunk.columns[LEAT_COL_THIS][i].tag, LEAT_NULL);
        CU_ASSERT(leat_slice_eq(w.chunk.values[i], leat_slice_str(c->good[i])));
    }
    fini(&w);
}

void contract_a_bad_row_harms_no_other(const struct format_case *c)
{
    struct world w;

    for (uint32_t b = 0; c->bad[b]; b++) {
        init(&w, c);
        add(&w, c->good[0]);
        add(&w, c->bad[b]);
        add(&w, c->good[0]);
        OK(w.format->decode(w.i.self, &w.chunk, &err));
        CU_ASSERT_EQUAL(w.chunk.selected, 3);
        CU_ASSERT(is_error(&w, 1, LEAT_V_SYNTAX));
        CU_ASSERT_EQUAL(w.chunk.columns[LEAT_COL_THIS][0].tag, LEAT_NULL);
        CU_ASSERT_EQUAL(w.chunk.columns[LEAT_COL_THIS][2].tag, LEAT_NULL);
        CU_ASSERT(leat_value_equal(w.chunk.columns[WHOLE][0], w.chunk.columns[WHOLE][2], &w.arena));
        CU_ASSERT_NOT_EQUAL(w.chunk.columns[WHOLE][2].tag, LEAT_NULL);
        fini(&w);
    }
}

void contract_rows_outside_the_selection_are_left_alone(const struct format_case *c)
{
    const struct leat_value mark = leat_int(4711);
    struct world w;

    init(&w, c);
    for (int i = 0; i < 3; i++)
        add(&w, c->good[0]);
    for (uint32_t column = 0; column < COLUMNS; column++)
        w.chunk.columns[column][1] = mark;
    w.chunk.selection[1] = 2;
    w.chunk.selected = 2;
    OK(w.format->decode(w.i.self, &w.chunk, &err));
    OK(w.format->encode(w.i.self, &w.chunk, WHOLE, &err));
    for (uint32_t column = 0; column < COLUMNS; column++)
        CU_ASSERT_EQUAL(w.chunk.columns[column][1].as.i, mark.as.i);
    CU_ASSERT(leat_slice_eq(w.chunk.values[1], leat_slice_str(c->good[0])));
    fini(&w);
}

void contract_a_tombstone_is_null_and_null_a_tombstone(const struct format_case *c)
{
    struct world w;

    init(&w, c);
    add(&w, NULL);
    OK(w.format->decode(w.i.self, &w.chunk, &err));
    CU_ASSERT_EQUAL(w.chunk.selected, 1);
    CU_ASSERT_EQUAL(w.chunk.columns[LEAT_COL_THIS][0].tag, LEAT_NULL);
    CU_ASSERT_EQUAL(w.chunk.columns[WHOLE][0].tag, LEAT_NULL);
    w.chunk.values[0] = LEAT_LIT("left over");
    OK(w.format->encode(w.i.self, &w.chunk, WHOLE, &err));
    CU_ASSERT_PTR_NULL(w.chunk.values[0].ptr);
    fini(&w);
}

void contract_fields_that_are_not_there_are_absent(const struct format_case *c)
{
    struct world w;

    init(&w, c);
    if (w.format->has_fields) {
        add(&w, c->good[0]);
        add(&w, NULL);
        OK(w.format->decode(w.i.self, &w.chunk, &err));
        for (uint32_t row = 0; row < 2; row++) {
            CU_ASSERT_EQUAL(w.chunk.columns[FIELD][row].tag, LEAT_ERROR);
            CU_ASSERT_EQUAL(w.chunk.columns[FIELD][row].code, LEAT_V_ABSENT);
        }
    }
    fini(&w);
}

void contract_an_error_is_never_written(const struct format_case *c)
{
    struct world w;

    init(&w, c);
    add(&w, c->good[0]);
    w.chunk.columns[WHOLE][0] = leat_value_fail(LEAT_V_DIVIDE, "division by zero");
    OK(w.format->encode(w.i.self, &w.chunk, WHOLE, &err));
    CU_ASSERT_EQUAL(w.chunk.columns[WHOLE][0].tag, LEAT_ERROR);
    CU_ASSERT_EQUAL(w.chunk.columns[WHOLE][0].code, LEAT_V_DIVIDE);
    CU_ASSERT_PTR_NULL(w.chunk.values[0].ptr);
    fini(&w);
}

static enum leat_status all_steps(struct world *w, const struct format_case *c)
{
    if (plan(w, c) != LEAT_OK || leat_chunk_init(&w->chunk, &w->arena, COLUMNS, &err) != LEAT_OK)
        return err.status;
    for (uint32_t i = 0; i < LEAT_CHUNK_ROWS; i++)
        leat_chunk_add(&w->chunk,
                       &(struct leat_row){.value = leat_slice_str(c->good[0]), .position = i + 1});
    if (w->format->decode(w->i.self, &w->chunk, &err) != LEAT_OK)
        return err.status;
    return w->format->encode(w->i.self, &w->chunk, WHOLE, &err);
}

void contract_format_reports_lack_of_memory(const struct format_case *c)
{
    LEAT_OOM_SWEEP {
        struct world w = {0};
        instance_init(&w.i, c->name, c->settings);
        w.format = w.i.module->format;
        enum leat_status status = all_steps(&w, c);
        CU_ASSERT(status == LEAT_OK || (leat_oom_hit() && status == LEAT_E_NOMEM));
        fini(&w);
    }
}
