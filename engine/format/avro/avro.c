/*
 * avro.c - format in which a record is Avro's binary encoding.
 *
 * Two schemas meet: the one that a record was written with, and `schema`, which is what the
 * pipeline sees. They are brought together once, and of each record only the touched fields become
 * values. Which schema a record was written with is said by its framing: nothing (then there is
 * one), or the fingerprint of Avro's single-object encoding.
 *
 * Left out: a record that refers to schemas in other files.
 */
#include "plan.h"
#include "write.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#define MARK_BYTES 10 /* of single-object encoding: C3 01 and the fingerprint */

enum framing { RAW, SINGLE_OBJECT };

/* One schema that records are written with. */
struct source {
    struct avro_schema schema;
    const struct avro_node *node;
    const struct avro_plan *plan;
};

struct avro {
    const char *schema;
    struct leat_texts writer_schema;
    struct leat_choice framing;

    struct avro_schema parsed;
    struct source *sources;
    uint32_t sources_count;
    char mark[MARK_BYTES]; /* in front of what is written */
    const struct leat_path *paths;
    size_t paths_count;
};

static const char *const framings[] = {"raw", "single_object", NULL};

static const struct leat_opt options[] = {
    LEAT_OPT(struct avro, schema,
             .help = "The schema that the pipeline sees and sinks write: a file, or its JSON."),
    LEAT_OPT(struct avro, writer_schema, .optional = true,
             .help = "What records were written with, where that is not `schema`; with framing "
                     "single_object any number of them."),
    LEAT_OPT(struct avro, framing, .def = "raw", .choices = framings,
             .help = "What stands in front of a record: raw nothing, single_object Avro's mark and "
                     "the fingerprint of its schema."),
    {0},
};

/* ---- schemas */

static enum leat_status read_file(const char *path, struct leat_arena *arena,
                                  struct leat_slice *text, struct leat_error *err)
{
    FILE *f = fopen(path, "re");
    struct stat st;

    if (!f)
        return leat_fail(err, LEAT_E_CONFIG, "cannot open the schema '%s': %s", path,
                         strerror(errno));
    if (fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode)) {
        fclose(f);
        return leat_fail(err, LEAT_E_CONFIG, "'%s' is no regular file", path);
    }
    char *bytes = leat_arena_alloc(arena, AVRO_SCHEMA_BYTES + 1);
    if (!bytes) {
        fclose(f);
        return leat_arena_failed(arena, err);
    }
    *text = (struct leat_slice){bytes, fread(bytes, 1, AVRO_SCHEMA_BYTES + 1, f)};
    bool failed = ferror(f);
    fclose(f);
    return failed ? leat_fail(err, LEAT_E_CONFIG, "cannot read '%s': %s", path, strerror(errno))
                  : LEAT_OK;
}

/* JSON begins with one of these, a path hardly. */
static bool is_inline(const char *given)
{
    given += strspn(given, " \t\r\n");
    return given[0] == '{' || given[0] == '[' || given[0] == '"';
}

static enum leat_status load_schema(const char *given, struct leat_arena *arena,
                                    struct avro_schema *schema, struct leat_error *err)
{
    struct leat_arena scratch = {0};
    struct leat_slice text = leat_slice_str(given);
    enum leat_status status = LEAT_OK;

    if (!is_inline(given))
        status = read_file(given, &scratch, &text, err);
    if (status == LEAT_OK) {
        status = avro_schema_parse(text, arena, schema, err);
        if (status != LEAT_OK && !is_inline(given))
            leat_error_prefix(err, "'%s'", given);
    }
    leat_arena_reset(&scratch);
    return status;
}

static enum leat_status avro_load(void *self, struct leat_arena *arena, struct leat_error *err)
{
    struct avro *a = self;
    size_t given = a->writer_schema.count;

    if (a->framing.index == RAW && given > 1)
        return leat_fail(err, LEAT_E_CONFIG,
                         "nothing says which of %zu schemas a record was written with: give one "
                         "writer_schema, or framing: single_object",
                         given);
    if (load_schema(a->schema, arena, &a->parsed, err) != LEAT_OK)
        return err->status;
    a->sources = leat_arena_array(arena, given + 1, sizeof *a->sources);
    if (!a->sources)
        return leat_arena_failed(arena, err);
    for (size_t i = 0; i < given; i++)
        if (load_schema(a->writer_schema.list[i], arena, &a->sources[a->sources_count++].schema,
                        err) != LEAT_OK)
            return err->status;
    if (given == 0 || a->framing.index == SINGLE_OBJECT)
        a->sources[a->sources_count++].schema = a->parsed;
    for (uint32_t i = 0; i < a->sources_count; i++)
        if (avro_resolve(&a->sources[i].schema, &a->parsed, arena, &a->sources[i].node, err) !=
            LEAT_OK)
            return err->status;
    uint64_t print = htole64(a->parsed.fingerprint);
    memcpy(a->mark, "\xc3\x01", 2);
    memcpy(a->mark + 2, &print, sizeof print);
    return LEAT_OK;
}

static enum leat_status avro_plan(void *self, const struct leat_path *paths, size_t count,
                                  struct leat_arena *arena, struct leat_error *err)
{
    struct avro *a = self;

    a->paths = paths;
    a->paths_count = count;
    for (uint32_t i = 0; i < a->sources_count; i++) {
        a->sources[i].plan = avro_plan_new(a->sources[i].node, paths, count, arena);
        if (!a->sources[i].plan)
            return leat_arena_failed(arena, err);
    }
    return LEAT_OK;
}

/* ---- reading */

static struct leat_value unknown_print(uint64_t print, struct leat_arena *arena)
{
    char text[160];
    int n = snprintf(text, sizeof text,
                     "Avro: written with a schema of fingerprint %016" PRIx64
                     ", which is neither `schema` nor one of `writer_schema`",
                     print);
    struct leat_slice copy = leat_arena_copy(arena, (struct leat_slice){text, (size_t)n});

    return copy.ptr ? leat_value_fail(LEAT_V_SYNTAX, copy.ptr)
                    : leat_value_fail(LEAT_V_BUDGET, "out of memory");
}

/* Which schema a record was written with; what stands in front of it is taken off. */
static const struct source *find_source(const struct avro *a, struct leat_slice *value,
                                        struct leat_arena *arena, struct leat_value *why)
{
    uint64_t print;

    if (a->framing.index == RAW)
        return &a->sources[0];
    if (value->len < MARK_BYTES || memcmp(value->ptr, a->mark, 2) != 0) {
        *why = leat_value_fail(LEAT_V_SYNTAX, "Avro: no single-object encoding, which begins with "
                                              "the bytes C3 01 and a fingerprint");
        return NULL;
    }
    memcpy(&print, value->ptr + 2, sizeof print);
    print = le64toh(print);
    *value = (struct leat_slice){value->ptr + MARK_BYTES, value->len - MARK_BYTES};
    for (uint32_t i = 0; i < a->sources_count; i++)
        if (a->sources[i].schema.fingerprint == print)
            return &a->sources[i];
    *why = unknown_print(print, arena);
    return NULL;
}

static void decode_none(const struct avro *a, struct leat_chunk *chunk, uint16_t row)
{
    for (size_t i = 0; i < a->paths_count; i++)
        chunk->columns[a->paths[i].column][row] =
            a->paths[i].depth ? leat_value_fail(LEAT_V_ABSENT, "") : (struct leat_value){0};
}

static enum leat_status avro_decode(const void *self, struct leat_chunk *chunk,
                                    struct leat_error *err)
{
    const struct avro *a = self;

    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        struct leat_slice value = chunk->values[row];
        struct leat_value why = {0};
        if (!value.ptr) {
            decode_none(a, chunk, row);
        } else {
            const struct source *s = find_source(a, &value, chunk->arena, &why);
            if (s)
                avro_read(s->plan, value, chunk->arena, chunk->columns, row, &why);
            if (why.code == LEAT_V_BUDGET)
                return leat_arena_failed(chunk->arena, err);
        }
        chunk->columns[LEAT_COL_THIS][row] = why;
    }
    return LEAT_OK;
}

/* ---- writing */

static enum leat_status avro_encode(const void *self, struct leat_chunk *chunk, uint32_t column,
                                    struct leat_error *err)
{
    const struct avro *a = self;
    struct leat_bytes bytes = {.arena = chunk->arena};

    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        struct leat_value *v = &chunk->columns[column][row], why = {0};
        chunk->values[row] = (struct leat_slice){0};
        if (v->tag == LEAT_NULL || v->tag == LEAT_ERROR)
            continue;
        leat_bytes_begin(&bytes);
        if (a->framing.index == SINGLE_OBJECT)
            leat_bytes_put(&bytes, a->mark, MARK_BYTES);
        bool ok = avro_write(&a->parsed, *v, chunk->arena, &bytes, &why);
        struct leat_slice piece = leat_bytes_end(&bytes);
        if (!piece.ptr || why.code == LEAT_V_BUDGET)
            return leat_arena_failed(chunk->arena, err);
        if (ok)
            chunk->values[row] = piece;
        else
            *v = why;
    }
    return LEAT_OK;
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "avro",
    .summary = "a record is in Avro's binary encoding",
    .self_size = sizeof(struct avro),
    .opts = options,
    .format = &(const struct leat_format){.has_fields = true,
                                          .load = avro_load,
                                          .plan = avro_plan,
                                          .decode = avro_decode,
                                          .encode = avro_encode},
};

LEAT_MODULE(module);
