/*
 * fuzz_avro.c - feeds schemas and records to the avro format.
 *
 * The input is a line with the schema that was written with, a line with the one that is wanted
 * (empty: the same), and the bytes of a record, which is read whole and by fields, then written and
 * read again: the same value. The first byte chooses which allocation fails, so error paths are
 * fuzzed too.
 */
#include "leat.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

enum { WHOLE = LEAT_COL_PATHS, F, FX, COLUMNS };

static unsigned countdown;

static bool gate(void)
{
    return countdown == 0 || --countdown != 0;
}

static bool holds_error(struct leat_value v)
{
    size_t n = v.tag == LEAT_LIST     ? v.len
               : v.tag == LEAT_MAP    ? 2 * (size_t)v.len
               : v.tag == LEAT_RECORD ? v.as.record->shape->count
                                      : 0;
    const struct leat_value *items = v.tag == LEAT_RECORD ? v.as.record->fields : v.as.items;

    for (size_t i = 0; i < n; i++)
        if (holds_error(items[i]))
            return true;
    return v.tag == LEAT_ERROR;
}

static bool has_two(struct leat_slice text, const char *word)
{
    const char *first = memmem(text.ptr, text.len, word, strlen(word));

    return first &&
           memmem(first + 1, (size_t)(text.ptr + text.len - first) - 1, word, strlen(word));
}

/* In a union the branch is chosen by the value: of several records or decimals it may be another
 * one. */
static bool is_ambiguous(struct leat_slice schema)
{
    return memchr(schema.ptr, '[', schema.len) &&
           (has_two(schema, "record") || has_two(schema, "decimal") || has_two(schema, "error") ||
            memchr(schema.ptr, '\\', schema.len));
}

/* What was read as `wanted` and written as that is read as the same. */
static void read_back(const struct leat_module *m, struct leat_slice wanted,
                      const struct leat_path *paths, struct leat_chunk *chunk,
                      struct leat_arena *arena)
{
    const struct leat_setting setting = {LEAT_LIT("schema"), wanted, false};
    void *self = leat_arena_alloc(arena, m->self_size);
    struct leat_value before = chunk->columns[WHOLE][0];
    struct leat_error err;

    if (!self || leat_opts_apply(m->opts, self, &setting, 1, arena, &err) != LEAT_OK ||
        m->format->load(self, LEAT_FORMAT_READS, arena, &err) != LEAT_OK ||
        m->format->plan(self, paths, 3, arena, &err) != LEAT_OK ||
        m->format->encode(self, chunk, WHOLE, &err) != LEAT_OK || !chunk->values[0].ptr)
        return;
    if (m->format->decode(self, chunk, &err) != LEAT_OK)
        return;
    assert(chunk->columns[LEAT_COL_THIS][0].tag == LEAT_NULL);
    if (leat_value_equal(before, before, arena) &&
        !is_ambiguous(wanted)) /* not where there is a NaN */
        assert(leat_value_equal(before, chunk->columns[WHOLE][0], arena));
}

static void run(const struct leat_module *m, struct leat_slice written, struct leat_slice wanted,
                struct leat_slice record, struct leat_arena *arena)
{
    static const struct leat_slice f[] = {{"f", 1}, {"x", 1}};
    static const struct leat_path paths[] = {{NULL, 0, WHOLE}, {f, 1, F}, {f, 2, FX}};
    const struct leat_setting settings[] = {
        {LEAT_LIT("schema"), wanted.len ? wanted : written, false},
        {LEAT_LIT("writer_schema"), written, false}};
    void *self = leat_arena_alloc(arena, m->self_size);
    struct leat_chunk chunk;
    struct leat_error err;

    if (!self || leat_opts_apply(m->opts, self, settings, wanted.len ? 2 : 1, arena, &err) ||
        m->format->load(self, LEAT_FORMAT_READS, arena, &err) != LEAT_OK ||
        m->format->plan(self, paths, 3, arena, &err) != LEAT_OK ||
        leat_chunk_init(&chunk, arena, COLUMNS, &err) != LEAT_OK)
        return;
    leat_chunk_add(&chunk, &(struct leat_row){.value = record, .position = 1});
    if (m->format->decode(self, &chunk, &err) != LEAT_OK)
        return;
    struct leat_value v = chunk.columns[WHOLE][0];
    if (chunk.columns[LEAT_COL_THIS][0].tag == LEAT_ERROR || holds_error(v))
        return;
    if (v.tag == LEAT_RECORD) {
        struct leat_value field = leat_value_field(v, f[0], arena);
        if (field.tag != LEAT_ERROR && leat_value_equal(field, field, arena))
            assert(leat_value_equal(field, chunk.columns[F][0], arena));
    }
    read_back(m, settings[0].value, paths, &chunk, arena);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct leat_arena arena = {.cap = 1 << 27};
    struct leat_slice text, written, wanted;

    if (size < 1 || size > 65536)
        return 0;
    char *copy = leat_mem_alloc(size); /* ends where the record ends */
    memcpy(copy, data + 1, size - 1);
    text = (struct leat_slice){copy, size - 1};
    leat_slice_cut(text, '\n', &written, &text);
    leat_slice_cut(text, '\n', &wanted, &text);
    bool is_text = written.len && memchr("{[\"", written.ptr[0], 3) &&
                   (wanted.len == 0 || memchr("{[\"", wanted.ptr[0], 3));
    countdown = data[0];
    leat_mem_gate = gate;
    if (is_text && text.ptr) /* else they name files */
        run(leat_module_find("avro"), written, wanted, text, &arena);
    leat_mem_gate = NULL;
    leat_arena_reset(&arena);
    leat_mem_free(copy);
    return 0;
}
