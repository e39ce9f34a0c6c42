/*
 * fuzz_avro_answer.c - feeds answers of a schema registry to who reads them.
 *
 * The first byte chooses which allocation fails, the second the status of the answer; the rest is
 * its body. A schema that is accepted then reads a few records, whole and one field.
 */
#include "../../engine/format/avro/answer.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

enum { WHOLE = LEAT_COL_PATHS, F, COLUMNS };

static unsigned countdown;

static bool gate(void)
{
    return countdown == 0 || --countdown != 0;
}

static void read_with(const struct avro_plan *plan, struct leat_arena *arena)
{
    static const struct leat_slice records[] = {
        {"", 0}, {"\0\0\0\0\0\0\0\0", 8}, {"\2\2\2\2\2\2\2\2\2\2\2\2", 12}};
    struct leat_chunk chunk;
    struct leat_error err;
    struct leat_value why;

    if (leat_chunk_init(&chunk, arena, COLUMNS, &err) != LEAT_OK)
        return;
    for (size_t i = 0; i < sizeof records / sizeof *records; i++)
        if (!avro_read(plan, records[i], arena, chunk.columns, 0, &why))
            assert(why.code == LEAT_V_SYNTAX || why.code == LEAT_V_BUDGET);
}

static void ask_schema(struct leat_slice body, long status, const struct avro_schema *wanted)
{
    static const struct leat_slice f[] = {{"f", 1}};
    static const struct leat_path paths[] = {{NULL, 0, WHOLE}, {f, 1, F}};
    const struct avro_target target = {.wanted = wanted, .paths = paths, .paths_count = 2};
    struct leat_arena scratch = {.cap = 1 << 26};
    struct avro_answer answer = {.arena.cap = 1 << 24};
    struct leat_error err;

    if (avro_answer_schema(&target, "http://r", status, body, &scratch, &answer, &err) != LEAT_OK) {
        assert(err.status == LEAT_E_UNREACHABLE || err.status == LEAT_E_NOMEM);
    } else {
        leat_arena_reset(&scratch); /* nothing of it is kept */
        assert(answer.found != AVRO_UNFIT || strlen(answer.why) > 0);
        if (answer.found == AVRO_READY)
            read_with(answer.plan, &scratch);
    }
    leat_arena_reset(&answer.arena);
    leat_arena_reset(&scratch);
}

static void ask_number(struct leat_slice body, long status)
{
    struct leat_arena scratch = {.cap = 1 << 26};
    struct leat_error err;
    uint32_t id;

    if (avro_answer_number("http://r", status, body, &scratch, &id, &err) != LEAT_OK)
        assert(err.status == LEAT_E_UNREACHABLE || err.status == LEAT_E_CONFIG);
    leat_arena_reset(&scratch);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const long statuses[] = {200, 404, 409, 500};
    static const char text[] =
        "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"f\",\"type\":"
        "[\"null\",\"long\",\"R\"],\"default\":null}]}";
    struct leat_arena arena = {0};
    struct avro_schema wanted;
    struct leat_error err;

    if (size < 2 || size > 65536)
        return 0;
    char *copy = leat_mem_alloc(size); /* ends where the body ends */
    memcpy(copy, data + 2, size - 2);
    struct leat_slice body = {copy, size - 2};
    long status = statuses[data[1] % 4];
    bool parsed = avro_schema_parse(leat_slice_str(text), &arena, &wanted, &err) == LEAT_OK;
    assert(parsed);
    leat_mem_gate = gate;
    countdown = data[0];
    ask_schema(body, status, NULL);
    countdown = data[0];
    ask_schema(body, status, &wanted);
    countdown = data[0];
    ask_number(body, status);
    leat_mem_gate = NULL;
    leat_arena_reset(&arena);
    leat_mem_free(copy);
    return 0;
}
