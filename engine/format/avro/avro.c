/*
 * avro.c - format in which a record is Avro's binary encoding.
 *
 * Two schemas meet: the one that a record was written with, and `schema`, which is what the
 * pipeline sees. They are brought together once, and of each record only the touched fields become
 * values. Which schema a record was written with is said by its framing: nothing (then there is
 * one), the fingerprint of Avro's single-object encoding, the number that a schema registry gave
 * it, or the header of the file it is in.
 *
 * Left out: schemas that refer to others of the registry.
 */
#include "container.h"
#include "write.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>

static const char *const framings[] = {"raw", "single_object", "container", NULL};
static const char *const codecs[] = {"none", "deflate", "snappy", "zstandard", NULL};

/* clang-format off */
static const struct leat_opt auth_options[] = {
    LEAT_OPT(struct avro_auth, user, .optional = true, .help = "Name, for basic authentication."),
    LEAT_OPT(struct avro_auth, password, .optional = true, .secret = true,
             .help = "Password, for basic authentication."),
    {0},
};

static const struct leat_opt tls_options[] = {
    LEAT_OPT(struct avro_tls, ca, .optional = true,
             .help = "File with the certificates that are trusted; else the system's."),
    LEAT_OPT(struct avro_tls, cert, .optional = true, .help = "File with leat's own certificate."),
    LEAT_OPT(struct avro_tls, key, .optional = true, .help = "File with its key."),
    {0},
};

static const struct leat_opt options[] = {
    LEAT_OPT(struct avro, schema, .optional = true,
             .help = "The schema that the pipeline sees and sinks write: a file, or its JSON. A "
                     "source with a registry or of containers can do without: records are then seen "
                     "as they were written."),
    LEAT_OPT(struct avro, writer_schema, .optional = true,
             .help = "What records were written with, where that is not `schema`; with framing "
                     "single_object any number of them."),
    LEAT_OPT(struct avro, framing, .def = "raw", .choices = framings,
             .help = "What stands in front of a record: raw nothing, single_object Avro's mark and "
                     "the fingerprint of its schema; container: whole files with a header, of files "
                     "only. With a registry it is the number of the schema."),
    LEAT_OPT(struct avro, codec, .def = "none", .choices = codecs,
             .help = "How a sink packs the blocks of a container; a source sees it in the file."),
    LEAT_OPT(struct avro, registry, .optional = true,
             .help = "URL of a schema registry with Confluent's interface; it may have a path."),
    LEAT_OPT(struct avro, subject, .optional = true,
             .help = "Under which a sink registers its schema."),
    LEAT_OPT_GROUPED(struct avro, auth, auth_options, .optional = true,
                     .help = "Who leat is to the registry."),
    LEAT_OPT_GROUPED(struct avro, tls, tls_options, .optional = true, .help = "Certificates."),
    LEAT_OPT(struct avro, insecure, .def = "false",
             .help = "Send credentials over http://, where everybody on the way can read them."),
    {0},
};
/* clang-format on */

static enum leat_status avro_plan(void *self, const struct leat_path *paths, size_t count,
                                  struct leat_arena *arena, struct leat_error *err)
{
    struct avro *a = self;

    a->paths = a->target.paths = paths;
    a->paths_count = a->target.paths_count = count;
    for (uint32_t i = 0; i < a->sources_count; i++) {
        a->sources[i].plan = avro_plan_new(a->sources[i].node, paths, count, arena);
        if (!a->sources[i].plan)
            return leat_arena_failed(arena, err);
    }
    return LEAT_OK;
}

/* ---- what stands in front of a record */

#define NUMBERS 16

/* The schemas of one chunk: a few, so that the registry's lock is not taken for each record. */
struct decoder {
    const struct avro *a;
    struct leat_arena *arena;
    const struct avro_written *written; /* of a container: the whole chunk */
    struct {
        uint32_t id;
        const struct avro_plan *plan; /* NULL: none yet */
    } numbers[NUMBERS];               /* by the last digit */
};

static bool take_number(struct leat_slice *value, uint32_t *id)
{
    if (value->len < AVRO_NUMBER_BYTES || value->ptr[0] != 0)
        return false;
    memcpy(id, value->ptr + 1, sizeof *id);
    *id = be32toh(*id);
    *value = (struct leat_slice){value->ptr + AVRO_NUMBER_BYTES, value->len - AVRO_NUMBER_BYTES};
    return true;
}

static const struct avro_plan *find_numbered(struct decoder *d, struct leat_slice *value,
                                             struct leat_value *why)
{
    uint32_t id;

    if (!take_number(value, &id)) {
        *why = leat_value_fail(LEAT_V_SYNTAX, "Avro: no number of a schema, which is a byte 0 and "
                                              "four more, stands in front");
        return NULL;
    }
    uint32_t i = id % NUMBERS;
    if (!d->numbers[i].plan || d->numbers[i].id != id) {
        d->numbers[i].plan = avro_registry_find(d->a->asks, id, d->arena, why);
        d->numbers[i].id = id;
    }
    return d->numbers[i].plan;
}

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

static const struct avro_plan *find_marked(struct decoder *d, struct leat_slice *value,
                                           struct leat_value *why)
{
    const struct avro *a = d->a;
    uint64_t print;

    if (value->len < AVRO_MARK_BYTES || memcmp(value->ptr, a->mark, 2) != 0) {
        *why = leat_value_fail(LEAT_V_SYNTAX, "Avro: no single-object encoding, which begins with "
                                              "the bytes C3 01 and a fingerprint");
        return NULL;
    }
    memcpy(&print, value->ptr + 2, sizeof print);
    print = le64toh(print);
    *value = (struct leat_slice){value->ptr + AVRO_MARK_BYTES, value->len - AVRO_MARK_BYTES};
    for (uint32_t i = 0; i < a->sources_count; i++)
        if (a->sources[i].schema.fingerprint == print)
            return a->sources[i].plan;
    *why = unknown_print(print, d->arena);
    return NULL;
}

static const struct avro_plan *find_contained(const struct avro_written *written,
                                              struct leat_value *why)
{
    const char *damage = written ? written->damage : "Avro: no record of a container";

    if (damage)
        *why = leat_value_fail(LEAT_V_SYNTAX, damage);
    return damage ? NULL : written->made.plan;
}

/* How to read a record; what stands in front of it is taken off. */
static const struct avro_plan *find_plan(struct decoder *d, struct leat_slice *value,
                                         struct leat_value *why)
{
    if (d->a->asks)
        return find_numbered(d, value, why);
    switch ((enum avro_framing)d->a->framing.index) {
    case AVRO_SINGLE_OBJECT:
        return find_marked(d, value, why);
    case AVRO_CONTAINER:
        return find_contained(d->written, why);
    case AVRO_RAW:
    default:
        return d->a->sources[0].plan;
    }
}

static bool avro_asks(const void *self)
{
    return ((const struct avro *)self)->asks != NULL;
}

/* All numbers are asked for, whatever becomes of the first. */
static enum leat_status avro_ready(const void *self, const struct leat_chunk *rows,
                                   struct leat_error *err)
{
    const struct avro *a = self;
    uint64_t known[NUMBERS] = {0}; /* numbers, each one more */
    enum leat_status status = LEAT_OK;
    struct leat_error why;
    uint32_t id;

    if (!rows)
        return avro_registry_enroll(a->asks, a->subject, a->text, &id, err);
    for (uint32_t i = 0; i < rows->rows; i++) {
        struct leat_slice value = rows->values[i];
        if (!value.ptr || !take_number(&value, &id) || known[id % NUMBERS] == id + UINT64_C(1))
            continue;
        known[id % NUMBERS] = id + UINT64_C(1);
        if (avro_registry_ask(a->asks, id, &why) != LEAT_OK && status == LEAT_OK) {
            *err = why;
            status = why.status;
        }
    }
    return status;
}

/* ---- reading */

static void decode_none(const struct avro *a, struct leat_chunk *chunk, uint16_t row)
{
    for (size_t i = 0; i < a->paths_count; i++)
        chunk->columns[a->paths[i].column][row] =
            a->paths[i].depth ? leat_value_fail(LEAT_V_ABSENT, "") : (struct leat_value){0};
}

static enum leat_status avro_decode(const void *self, struct leat_chunk *chunk,
                                    struct leat_error *err)
{
    struct decoder d = {.a = self, .arena = chunk->arena, .written = chunk->written};

    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        struct leat_slice value = chunk->values[row];
        struct leat_value why = {0};
        if (!value.ptr) {
            decode_none(d.a, chunk, row);
        } else {
            const struct avro_plan *plan = find_plan(&d, &value, &why);
            if (plan)
                avro_read(plan, value, chunk->arena, chunk->columns, row, &why);
            if (why.code == LEAT_V_BUDGET)
                return leat_arena_failed(chunk->arena, err);
        }
        chunk->columns[LEAT_COL_THIS][row] = why;
    }
    return LEAT_OK;
}

/* ---- writing */

/* What stands in front of each record. */
static enum leat_status front(const struct avro *a, char into[AVRO_MARK_BYTES], size_t *len,
                              struct leat_error *err)
{
    uint32_t id;

    *len = 0;
    if (a->asks) {
        if (avro_registry_enroll(a->asks, a->subject, a->text, &id, err) != LEAT_OK)
            return err->status;
        id = htobe32(id);
        into[0] = 0;
        memcpy(into + 1, &id, sizeof id);
        *len = AVRO_NUMBER_BYTES;
    } else if (a->framing.index == AVRO_SINGLE_OBJECT) {
        memcpy(into, a->mark, AVRO_MARK_BYTES);
        *len = AVRO_MARK_BYTES;
    }
    return LEAT_OK;
}

static enum leat_status avro_encode(const void *self, struct leat_chunk *chunk, uint32_t column,
                                    struct leat_error *err)
{
    const struct avro *a = self;
    struct leat_bytes bytes = {.arena = chunk->arena};
    bool contained = a->framing.index == AVRO_CONTAINER; /* where null is a value like others */
    char mark[AVRO_MARK_BYTES];
    size_t mark_len;

    if (front(a, mark, &mark_len, err) != LEAT_OK)
        return err->status;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        struct leat_value *v = &chunk->columns[column][row], why = {0};
        chunk->values[row] = (struct leat_slice){0};
        if ((v->tag == LEAT_NULL && !contained) || v->tag == LEAT_ERROR)
            continue;
        leat_bytes_begin(&bytes);
        leat_bytes_put(&bytes, mark, mark_len);
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

static struct leat_slice avro_preamble(const void *self)
{
    const struct avro *a = self;

    return a->head;
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "avro",
    .summary = "a record is in Avro's binary encoding",
    .self_size = sizeof(struct avro),
    .opts = options,
    .check = avro_check,
    .format = &(const struct leat_format){.has_fields = true,
                                          .any_bytes = true,
                                          .load = avro_load,
                                          .asks = avro_asks,
                                          .ready = avro_ready,
                                          .plan = avro_plan,
                                          .decode = avro_decode,
                                          .encode = avro_encode,
                                          .preamble = avro_preamble,
                                          .container = &avro_container},
};

LEAT_MODULE(module);
