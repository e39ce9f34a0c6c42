/*
 * save_as_files.c - the sinks that write a directory per batch: text, objects, pairs for Hadoop.
 *
 * They differ in what stands in a part: lines, in which the engine has put a pair as `(key,value)`,
 * or the blocks of a container, whose records have a key and a value. All else is in batch_dirs.
 */
#include "batch_dirs.h"

static const struct leat_opt options[] = {
    LEAT_OPT(struct batch_dirs, prefix, .place = true,
             .help = "How the path of every directory starts, such as out/counts or "
                     "hdfs://namenode:9870/out/counts; \"\": it is the batch's time alone."),
    LEAT_OPT(struct batch_dirs, suffix, .def = "",
             .help = "How its name ends, behind a dot; nothing: without one."),
    {0},
};

static enum leat_status write_lines(void *self, uint64_t n, const struct leat_chunk *chunk,
                                    struct leat_error *err)
{
    struct batch_dirs *d = self;

    (void)n;
    if (batch_dirs_part(d, chunk->part, err) != LEAT_OK)
        return err->status;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        struct leat_slice value = chunk->values[chunk->selection[i]];
        if (batch_dirs_put(d, value.ptr ? value : LEAT_LIT("null"), LEAT_LIT("\n"), err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

/* A record may be longer than any block: that is the record's mistake. */
static enum leat_status write_records(void *self, uint64_t n, const struct leat_chunk *chunk,
                                      struct leat_error *err)
{
    struct batch_dirs *d = self;

    (void)n;
    if (batch_dirs_part(d, chunk->part, err) != LEAT_OK)
        return err->status;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        enum leat_status status =
            batch_dirs_put(d, chunk->values[row], (struct leat_slice){0}, err);
        if (status == LEAT_E_DATA && d->env->refusals) {
            const struct leat_error why = *err;
            status = leat_refuse(d->env->refusals, leat_row_mark(chunk, row),
                                 leat_slice_str(d->prefix), leat_slice_str(why.text), err);
        }
        if (status != LEAT_OK)
            return status;
    }
    return LEAT_OK;
}

/* clang-format off */
#define BATCH_DIRS_SINK \
    .as_spark = true, .wants_empty_parts = true, .open = batch_dirs_open, \
    .recover = batch_dirs_recover, .begin = batch_dirs_begin, .prepare = batch_dirs_prepare, \
    .commit = batch_dirs_commit, .abort = batch_dirs_abort, .close = batch_dirs_close
/* clang-format on */

static const struct leat_module text = {
    .abi = LEAT_MODULE_ABI,
    .name = "save_as_text_files",
    .summary = "writes a directory of text files per batch, as Spark does",
    .by_lines = true,
    .self_size = sizeof(struct batch_dirs),
    .opts = options,
    .sink = &(const struct leat_sink){BATCH_DIRS_SINK, .write = write_lines},
};

LEAT_MODULE_AS(text, text);

/* What an element may be. A schema that contains itself needs a name, and so a record around every
 * item; these are what they are, and lists and maps nest four deep. */
#define SCALARS "\"null\",\"boolean\",\"long\",\"double\",\"string\",\"bytes\""
#define NESTED(inner)                                                                              \
    SCALARS ",{\"type\":\"array\",\"items\":[" inner "]}"                                          \
            ",{\"type\":\"map\",\"values\":[" inner "]}"
#define ELEMENT                                                                                    \
    "{\"type\":\"record\",\"name\":\"Element\",\"fields\":["                                       \
    "{\"name\":\"key\",\"type\":[" NESTED(SCALARS) "]},"                                           \
                                                   "{\"name\":\"value\",\"type\":[" NESTED(        \
                                                       NESTED(NESTED(NESTED(SCALARS)))) "]}]}"

static const struct leat_usual objects[] = {
    {"framing", "container"}, {"schema", ELEMENT}, {NULL, NULL}};

static const struct leat_module object = {
    .abi = LEAT_MODULE_ABI,
    .name = "save_as_object_files",
    .summary = "writes a directory of Avro container files per batch, a record of `key` and "
               "`value` for each element",
    .usual_format = "avro",
    .usual_options = objects,
    .containers = true,
    .pairs = true,
    .self_size = sizeof(struct batch_dirs),
    .opts = options,
    .sink = &(const struct leat_sink){BATCH_DIRS_SINK, .refuses = true, .write = write_records},
};

LEAT_MODULE_AS(object, object);

static const struct leat_module hadoop = {
    .abi = LEAT_MODULE_ABI,
    .name = "save_as_hadoop_files",
    .summary = "writes a directory of Hadoop's SequenceFiles per batch, from a stream with a key",
    .usual_format = "sequence_file",
    .containers = true,
    .pairs = true,
    .keyed = true,
    .self_size = sizeof(struct batch_dirs),
    .opts = options,
    .sink = &(const struct leat_sink){BATCH_DIRS_SINK, .refuses = true, .write = write_records},
};

LEAT_MODULE_AS(hadoop, hadoop);
