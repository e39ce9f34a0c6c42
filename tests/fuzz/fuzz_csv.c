/*
 * fuzz_csv.c - feeds lines to the csv format, as a header and as rows, and writes them again.
 *
 * A row that was read and is written must be read as the same fields. The first byte chooses which
 * allocation fails, so error paths are fuzzed too.
 */
#include "leat.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

enum { WHOLE = LEAT_COL_PATHS, CITY, COLUMNS };

static unsigned countdown;

static bool gate(void)
{
    return countdown == 0 || --countdown != 0;
}

static void add_lines(struct leat_chunk *chunk, struct leat_slice text)
{
    struct leat_slice line;

    for (int64_t at = 0; text.len && chunk->rows < LEAT_CHUNK_ROWS; at++) {
        leat_slice_cut(text, '\n', &line, &text);
        leat_chunk_add(chunk, &(struct leat_row){.value = line, .position = at});
    }
}

static void read_back(const struct leat_format *f, void *self, struct leat_chunk *chunk,
                      struct leat_arena *arena)
{
    struct leat_chunk again;
    struct leat_error err;

    if (f->encode(self, chunk, WHOLE, &err) != LEAT_OK ||
        leat_chunk_init(&again, arena, COLUMNS, &err) != LEAT_OK)
        return;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        if (chunk->columns[LEAT_COL_THIS][row].tag == LEAT_NULL && chunk->values[row].ptr)
            leat_chunk_add(&again,
                           &(struct leat_row){.value = chunk->values[row], .position = row});
    }
    if (f->decode(self, &again, &err) != LEAT_OK)
        return;
    for (uint32_t i = 0; i < again.selected; i++) {
        uint16_t row = again.selection[i], from = (uint16_t)again.positions[row];
        if (from == 0 || countdown)
            continue; /* at position 0 stands the header */
        assert(leat_value_equal(again.columns[WHOLE][row], chunk->columns[WHOLE][from], arena));
    }
}

static void run(const struct leat_module *m, struct leat_slice text, struct leat_arena *arena)
{
    static const struct leat_slice city[] = {{"city", 4}}, names[] = {{"city", 4}, {"b", 1}};
    static const struct leat_path paths[] = {{NULL, 0, WHOLE}, {city, 1, CITY}};
    const struct leat_setting header = {LEAT_LIT("header"), LEAT_LIT("true"), false};
    const struct leat_format *f = m->format;
    void *self = leat_arena_alloc(arena, m->self_size);
    struct leat_slice first, rest;
    struct leat_chunk chunk;
    struct leat_error err;

    leat_slice_cut(text, '\n', &first, &rest);
    if (!self || leat_opts_apply(m->opts, self, &header, 1, arena, &err) != LEAT_OK ||
        f->fields(self, names, 2, arena, &err) != LEAT_OK ||
        f->plan(self, paths, 2, arena, &err) != LEAT_OK ||
        leat_chunk_init(&chunk, arena, COLUMNS, &err) != LEAT_OK)
        return;
    add_lines(&chunk, text);
    if (f->decode(self, &chunk, &err) == LEAT_OK)
        read_back(f, self, &chunk, arena);
    if (f->header(self, first, arena, &err) != LEAT_OK)
        return;
    leat_chunk_clear(&chunk, 0);
    add_lines(&chunk, rest);
    if (f->decode(self, &chunk, &err) == LEAT_OK && f->preamble(self).ptr)
        read_back(f, self, &chunk, arena);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct leat_arena arena = {.cap = 1 << 26};

    if (size < 1 || size > 4096)
        return 0;
    countdown = data[0];
    leat_mem_gate = gate;
    run(leat_module_find("csv"), (struct leat_slice){(const char *)data + 1, size - 1}, &arena);
    leat_mem_gate = NULL;
    leat_arena_reset(&arena);
    return 0;
}
