/*
 * sequence.c - format of Hadoop's SequenceFiles: a record has the fields `key` and `value`.
 *
 * What they are is said by the classes in the header of the file: text, bytes, numbers, nothing.
 * Text and bytes can be written. The files themselves are made and read as containers.
 */
#include "sequence.h"

#include <stdio.h>

static const char *const writes[] = {"text", "bytes", NULL};
static const char *const packings[] = {"none", "record", "block", NULL};
static const char *const codecs[] = {"deflate", "gzip", NULL};

/* clang-format off */
static const struct leat_opt options[] = {
    LEAT_OPT(struct sequence, key, .def = "text", .choices = writes,
             .help = "What a sink writes keys as: Text, or BytesWritable; a source sees it in the "
                     "file."),
    LEAT_OPT(struct sequence, value, .def = "text", .choices = writes,
             .help = "What a sink writes values as."),
    LEAT_OPT(struct sequence, compress, .def = "none", .choices = packings,
             .help = "What a sink compresses: nothing, each value, or blocks of records."),
    LEAT_OPT(struct sequence, codec, .def = "deflate", .choices = codecs,
             .help = "How it does: Hadoop's DefaultCodec, or GzipCodec."),
    {0},
};
/* clang-format on */

static enum leat_status check(const void *self, struct leat_error *err)
{
    const struct sequence *s = self;

    return s->codec.index && s->compress.index == SEQUENCE_PLAIN
               ? leat_fail(err, LEAT_E_CONFIG, "codec is for compress: record or block")
               : LEAT_OK;
}

static enum leat_status load(void *self, enum leat_format_use use, struct leat_arena *arena,
                             struct leat_error *err)
{
    struct sequence *s = self;

    if (use != LEAT_FORMAT_WRITES || sequence_head_make(s, arena, &s->head))
        return LEAT_OK;
    return leat_arena_failed(arena, err);
}

static enum leat_status plan(void *self, const struct leat_path *paths, size_t count,
                             struct leat_arena *arena, struct leat_error *err)
{
    static const struct leat_slice names[] = {{"key", 3}, {"value", 5}};
    struct leat_shapes shapes = {.arena = arena};
    struct sequence *s = self;

    s->paths = paths;
    s->paths_count = count;
    s->shape = leat_shape_intern(&shapes, names, 2);
    return s->shape ? LEAT_OK : leat_arena_failed(arena, err);
}

/* ---- reading */

/* NULL, or what is wrong. */
static const char *read_text(struct leat_slice s, struct leat_value *v)
{
    int64_t len;

    if (!sequence_take_vint(&s, &len) || len < 0 || (uint64_t)len != s.len)
        return "no whole Text";
    if (!leat_utf8_valid(s.ptr, s.ptr + s.len))
        return "a Text that is not UTF-8";
    *v = leat_string(s);
    return NULL;
}

static const char *read_bytes(struct leat_slice s, struct leat_value *v)
{
    if (s.len < 4 || sequence_take_i32(s.ptr) < 0 || (size_t)sequence_take_i32(s.ptr) != s.len - 4)
        return "no whole BytesWritable";
    *v = (struct leat_value){.tag = LEAT_BYTES, .len = (uint32_t)(s.len - 4), .as.text = s.ptr + 4};
    return NULL;
}

static struct leat_value read_number(enum sequence_class class, const char *p)
{
    struct leat_value v = {.tag = LEAT_INT};
    uint64_t wide = 0;
    float f;

    if (class == SEQUENCE_LONG || class == SEQUENCE_DOUBLE) {
        memcpy(&wide, p, sizeof wide);
        wide = be64toh(wide);
    }
    switch (class) {
    case SEQUENCE_LONG:
        v.as.i = (int64_t)wide;
        break;
    case SEQUENCE_DOUBLE:
        v.tag = LEAT_DOUBLE;
        memcpy(&v.as.d, &wide, sizeof wide);
        break;
    case SEQUENCE_FLOAT:
        v.tag = LEAT_DOUBLE;
        memcpy(&f, &(uint32_t){(uint32_t)sequence_take_i32(p)}, sizeof f);
        v.as.d = (double)f;
        break;
    case SEQUENCE_TEXT:
    case SEQUENCE_BYTES:
    case SEQUENCE_NULL:
    case SEQUENCE_BOOLEAN:
    case SEQUENCE_CLASSES:
    case SEQUENCE_INT:
    default:
        v.as.i = sequence_take_i32(p);
        break;
    }
    return v;
}

static const char *read_item(enum sequence_class class, struct leat_slice s, struct leat_value *v)
{
    static const size_t bytes[SEQUENCE_CLASSES] = {
        [SEQUENCE_BOOLEAN] = 1, [SEQUENCE_INT] = 4,    [SEQUENCE_LONG] = 8,
        [SEQUENCE_FLOAT] = 4,   [SEQUENCE_DOUBLE] = 8,
    };

    *v = (struct leat_value){0};
    if (class == SEQUENCE_TEXT)
        return read_text(s, v);
    if (class == SEQUENCE_BYTES)
        return read_bytes(s, v);
    if (s.len != bytes[class])
        return class == SEQUENCE_NULL ? "a NullWritable that has bytes"
                                      : "a number of the wrong length";
    if (class == SEQUENCE_BOOLEAN)
        *v = (struct leat_value){.tag = LEAT_BOOL, .as.b = s.ptr[0] != 0};
    else if (class != SEQUENCE_NULL)
        *v = read_number(class, s.ptr);
    return NULL;
}

/* Texts of errors are constant. */
static struct leat_value wrong(bool key, const char *what, struct leat_arena *arena)
{
    struct leat_bytes text = {.arena = arena};
    struct leat_slice front =
        key ? LEAT_LIT("SequenceFile: the key is ") : LEAT_LIT("SequenceFile: the value is ");
    struct leat_slice s = leat_slice_str(what);

    leat_bytes_put(&text, front.ptr, front.len);
    leat_bytes_put(&text, s.ptr, s.len + 1);
    return text.failed ? leat_value_fail(LEAT_V_BUDGET, "out of memory")
                       : leat_value_fail(LEAT_V_SYNTAX, leat_bytes_slice(&text).ptr);
}

static struct leat_value field_at(const struct sequence *s, const struct leat_path *path,
                                  const struct leat_value items[2], struct leat_arena *arena)
{
    if (path->depth == 0) {
        struct leat_record *r = leat_record_new(arena, s->shape);
        if (!r)
            return leat_value_fail(LEAT_V_BUDGET, "out of memory");
        r->fields[0] = items[0];
        r->fields[1] = items[1];
        return (struct leat_value){.tag = LEAT_RECORD, .as.record = r};
    }
    if (path->depth == 1 && leat_slice_eq(path->names[0], LEAT_LIT("key")))
        return items[0];
    if (path->depth == 1 && leat_slice_eq(path->names[0], LEAT_LIT("value")))
        return items[1];
    return leat_value_fail(LEAT_V_ABSENT, "");
}

static void decode_none(const struct sequence *s, struct leat_chunk *chunk, uint16_t row)
{
    for (size_t i = 0; i < s->paths_count; i++)
        chunk->columns[s->paths[i].column][row] =
            s->paths[i].depth ? leat_value_fail(LEAT_V_ABSENT, "") : (struct leat_value){0};
}

static struct leat_value decode_row(const struct sequence *s, struct leat_chunk *chunk,
                                    const struct sequence_written *w, uint16_t row)
{
    struct leat_slice from = chunk->values[row];
    struct leat_value items[2], why = {0};
    const char *what = w->damage;
    size_t key = 0;

    if (!what && (from.len < 4 || (key = (uint32_t)sequence_take_i32(from.ptr)) > from.len - 4))
        what = "SequenceFile: no whole record";
    if (what)
        return leat_value_fail(LEAT_V_SYNTAX, what);
    what = read_item(w->key, (struct leat_slice){from.ptr + 4, key}, &items[0]);
    if (what)
        return wrong(true, what, chunk->arena);
    from = (struct leat_slice){from.ptr + 4 + key, from.len - 4 - key};
    what = read_item(w->value, from, &items[1]);
    if (what)
        return wrong(false, what, chunk->arena);
    for (size_t i = 0; i < s->paths_count; i++) {
        struct leat_value v = field_at(s, &s->paths[i], items, chunk->arena);
        chunk->columns[s->paths[i].column][row] = v;
        if (v.tag == LEAT_ERROR && v.code == LEAT_V_BUDGET)
            why = v;
    }
    return why;
}

static enum leat_status decode(const void *self, struct leat_chunk *chunk, struct leat_error *err)
{
    static const struct sequence_written none = {.damage = "no record of a SequenceFile"};
    const struct sequence_written *w = chunk->written ? chunk->written : &none;

    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        struct leat_value why = {0};
        if (chunk->values[row].ptr)
            why = decode_row(self, chunk, w, row);
        else
            decode_none(self, chunk, row);
        if (why.tag == LEAT_ERROR && why.code == LEAT_V_BUDGET)
            return leat_arena_failed(chunk->arena, err);
        chunk->columns[LEAT_COL_THIS][row] = why;
    }
    return LEAT_OK;
}

/* ---- writing */

static void put_front(struct leat_bytes *b, bool as_bytes, size_t len)
{
    char front[SEQUENCE_VINT_BYTES];

    if (as_bytes)
        sequence_put_i32(front, (int32_t)len);
    leat_bytes_put(b, front, as_bytes ? 4 : sequence_vint(front, len));
}

/* NULL, or what is wrong. */
static const char *put_item(struct leat_bytes *b, bool as_bytes, struct leat_value v,
                            struct leat_arena *arena, struct leat_value *why)
{
    struct leat_bytes text = {.arena = arena};
    struct leat_slice s;

    if (v.tag == LEAT_NULL || (v.tag == LEAT_ERROR && v.code == LEAT_V_ABSENT))
        return as_bytes ? "null, and no BytesWritable is" : "null, and no Text is";
    if (v.tag == LEAT_STRING || v.tag == LEAT_BYTES) {
        s = leat_value_text(v);
        if (!as_bytes && v.tag == LEAT_BYTES && !leat_utf8_valid(s.ptr, s.ptr + s.len))
            return "bytes that are no UTF-8, which a Text must be: write them as `bytes`";
    } else if (as_bytes) {
        return "neither bytes nor text, which alone become a BytesWritable";
    } else {
        if (v.tag != LEAT_LIST && v.tag != LEAT_MAP && v.tag != LEAT_RECORD)
            leat_value_print(v, &text);
        else if (!leat_json_write(v, &text, why))
            return "what JSON cannot say";
        b->failed |= text.failed;
        s = leat_bytes_slice(&text);
    }
    put_front(b, as_bytes, s.len);
    leat_bytes_put(b, s.ptr, s.len);
    return NULL;
}

/* False: *v is now the error. */
static bool encode_row(const struct sequence *s, struct leat_value *v, struct leat_arena *arena,
                       struct leat_bytes *b)
{
    struct leat_value why = {0}, value = *v;
    char front[SEQUENCE_FRONT_BYTES] = {0};
    size_t at = b->len;

    if (value.tag != LEAT_MAP && value.tag != LEAT_RECORD) {
        *v = leat_value_fail(LEAT_V_TYPE,
                             "SequenceFile: a record with the fields key and value is wanted");
        return false;
    }
    leat_bytes_put(b, front, sizeof front);
    struct leat_value key = leat_value_field(value, LEAT_LIT("key"), arena);
    const char *what = put_item(b, s->key.index, key, arena, &why);
    size_t middle = b->len;
    if (what) {
        *v = wrong(true, what, arena);
        return false;
    }
    value = leat_value_field(value, LEAT_LIT("value"), arena);
    what = put_item(b, s->value.index, value, arena, &why);
    if (what) {
        *v = wrong(false, what, arena);
        return false;
    }
    if (b->failed)
        return true;
    size_t bytes = b->len - at - sizeof front;
    if (bytes > INT32_MAX) {
        *v = leat_value_fail(LEAT_V_BUDGET, "SequenceFile: a record of more than 2 GiB");
        return false;
    }
    sequence_put_i32(b->ptr + at, (int32_t)bytes);
    sequence_put_i32(b->ptr + at + 4, (int32_t)(middle - at - sizeof front));
    return true;
}

static enum leat_status encode(const void *self, struct leat_chunk *chunk, uint32_t column,
                               struct leat_error *err)
{
    struct leat_bytes bytes = {.arena = chunk->arena};

    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        struct leat_value *v = &chunk->columns[column][row];
        chunk->values[row] = (struct leat_slice){0};
        if (v->tag == LEAT_ERROR)
            continue;
        leat_bytes_begin(&bytes);
        bool ok = encode_row(self, v, chunk->arena, &bytes);
        struct leat_slice piece = leat_bytes_end(&bytes);
        if (!piece.ptr)
            return leat_arena_failed(chunk->arena, err);
        if (ok)
            chunk->values[row] = piece;
    }
    return LEAT_OK;
}

static struct leat_slice preamble(const void *self)
{
    return ((const struct sequence *)self)->head;
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "sequence_file",
    .summary = "a record is one of Hadoop's SequenceFiles: whole files, a key and a value each",
    .self_size = sizeof(struct sequence),
    .opts = options,
    .check = check,
    .format = &(const struct leat_format){.has_fields = true,
                                          .any_bytes = true,
                                          .load = load,
                                          .plan = plan,
                                          .decode = decode,
                                          .encode = encode,
                                          .preamble = preamble,
                                          .container = &sequence_container},
};

LEAT_MODULE(module);
