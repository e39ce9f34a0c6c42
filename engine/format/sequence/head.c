/* head.c - the header of a SequenceFile, read and written. */
#include "sequence.h"

#include <stdio.h>
#include <xxhash.h>

#define MAGIC       "SEQ\6"
#define MAGIC_BYTES 4
#define NAME_BYTES  1000 /* longest name of a class */
#define PAIRS_MAX   1000
#define PACKAGE     "org.apache.hadoop.io."

static const char *const classes[SEQUENCE_CLASSES] = {
    [SEQUENCE_TEXT] = "Text",           [SEQUENCE_BYTES] = "BytesWritable",
    [SEQUENCE_NULL] = "NullWritable",   [SEQUENCE_BOOLEAN] = "BooleanWritable",
    [SEQUENCE_INT] = "IntWritable",     [SEQUENCE_LONG] = "LongWritable",
    [SEQUENCE_FLOAT] = "FloatWritable", [SEQUENCE_DOUBLE] = "DoubleWritable",
};

/* The codecs of Hadoop that need no library of its own; the first of a kind is written. */
static const struct {
    const char *name;
    enum leat_compression kind;
} codecs[] = {
    {"compress.DefaultCodec", LEAT_COMPRESSION_ZLIB},
    {"compress.GzipCodec", LEAT_COMPRESSION_GZIP},
    {"compress.DeflateCodec", LEAT_COMPRESSION_ZLIB},
};
#define CODECS (sizeof codecs / sizeof *codecs)

static enum leat_status cut(struct leat_error *err)
{
    return leat_fail(err, LEAT_E_FULL, "it ends inside the header");
}

/* What a name of the package says, or nothing. */
static struct leat_slice in_package(struct leat_slice name)
{
    size_t len = sizeof PACKAGE - 1;

    return name.len > len && memcmp(name.ptr, PACKAGE, len) == 0
               ? (struct leat_slice){name.ptr + len, name.len - len}
               : (struct leat_slice){0};
}

static enum leat_status unknown(const char *what, struct leat_slice name, const char *known,
                                struct leat_error *err)
{
    char text[100];
    size_t n = 0;

    for (; n < name.len && n + 1 < sizeof text; n++)
        text[n] = name.ptr[n] >= ' ' && name.ptr[n] <= '~' ? name.ptr[n] : '?';
    text[n] = 0;
    return leat_fail(err, LEAT_E_CORRUPT, "%s '%s' is not one of those that are read: %s", what,
                     text, known);
}

static enum leat_status take_text(struct leat_slice *from, size_t most, struct leat_slice *text,
                                  struct leat_error *err)
{
    int64_t len;

    if (!sequence_take_vint(from, &len))
        return cut(err);
    if (len < 0 || (uint64_t)len > most)
        return leat_fail(err, LEAT_E_CORRUPT, "damaged header: a text of %lld bytes",
                         (long long)len);
    if (from->len < (size_t)len)
        return cut(err);
    *text = (struct leat_slice){from->ptr, (size_t)len};
    *from = (struct leat_slice){from->ptr + len, from->len - (size_t)len};
    return LEAT_OK;
}

static enum leat_status take_class(struct leat_slice *from, enum sequence_class *class,
                                   const char *what, struct leat_error *err)
{
    struct leat_slice name = {0};

    if (take_text(from, NAME_BYTES, &name, err) != LEAT_OK)
        return err->status;
    for (int i = 0; i < SEQUENCE_CLASSES; i++)
        if (leat_slice_eq(in_package(name), leat_slice_str(classes[i]))) {
            *class = (enum sequence_class)i;
            return LEAT_OK;
        }
    return unknown(what, name,
                   "Text, BytesWritable, NullWritable, BooleanWritable, IntWritable, LongWritable, "
                   "FloatWritable and DoubleWritable of " PACKAGE,
                   err);
}

static enum leat_status take_codec(struct leat_slice *from, enum leat_compression *codec,
                                   struct leat_error *err)
{
    struct leat_slice name = {0};

    if (take_text(from, NAME_BYTES, &name, err) != LEAT_OK)
        return err->status;
    for (size_t i = 0; i < CODECS; i++)
        if (leat_slice_eq(in_package(name), leat_slice_str(codecs[i].name))) {
            *codec = codecs[i].kind;
            return LEAT_OK;
        }
    return unknown("codec", name, "DefaultCodec, DeflateCodec, GzipCodec of " PACKAGE "compress",
                   err);
}

static enum leat_status take_packing(struct leat_slice *from, struct sequence_head *head,
                                     struct leat_error *err)
{
    if (from->len < 2)
        return cut(err);
    bool packed = from->ptr[0] != 0, by_blocks = from->ptr[1] != 0;
    if (by_blocks && !packed)
        return leat_fail(err, LEAT_E_CORRUPT, "damaged header: blocks that are not compressed");
    head->packing = by_blocks ? SEQUENCE_BLOCKS : packed ? SEQUENCE_RECORDS : SEQUENCE_PLAIN;
    *from = (struct leat_slice){from->ptr + 2, from->len - 2};
    return packed ? take_codec(from, &head->codec, err) : LEAT_OK;
}

static enum leat_status take_metadata(struct leat_slice *from, struct leat_error *err)
{
    struct leat_slice text = {0};

    if (from->len < 4)
        return cut(err);
    int32_t pairs = sequence_take_i32(from->ptr);
    if (pairs < 0 || pairs > PAIRS_MAX)
        return leat_fail(err, LEAT_E_CORRUPT, "damaged header: %d pairs of metadata", pairs);
    *from = (struct leat_slice){from->ptr + 4, from->len - 4};
    for (int32_t i = 0; i < 2 * pairs; i++)
        if (take_text(from, SEQUENCE_HEAD_BYTES, &text, err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

enum leat_status sequence_head_read(struct leat_slice bytes, struct sequence_head *head,
                                    struct leat_error *err)
{
    size_t magic = bytes.len < MAGIC_BYTES ? bytes.len : MAGIC_BYTES;
    struct leat_slice from;

    *head = (struct sequence_head){0};
    if (magic && memcmp(bytes.ptr, MAGIC, magic < 3 ? magic : 3) != 0)
        return leat_fail(err, LEAT_E_CORRUPT, "no SequenceFile: it does not begin with \"SEQ\"");
    if (bytes.len < MAGIC_BYTES)
        return cut(err);
    if (bytes.ptr[3] != MAGIC[3])
        return leat_fail(err, LEAT_E_CORRUPT, "version %u of SequenceFiles, only 6 is read",
                         (unsigned char)bytes.ptr[3]);
    from = (struct leat_slice){bytes.ptr + MAGIC_BYTES, bytes.len - MAGIC_BYTES};
    if (take_class(&from, &head->key, "key class", err) != LEAT_OK ||
        take_class(&from, &head->value, "value class", err) != LEAT_OK ||
        take_packing(&from, head, err) != LEAT_OK || take_metadata(&from, err) != LEAT_OK)
        return err->status;
    if (from.len < SEQUENCE_SYNC_BYTES)
        return cut(err);
    memcpy(head->sync, from.ptr, SEQUENCE_SYNC_BYTES);
    head->bytes = bytes.len - from.len + SEQUENCE_SYNC_BYTES;
    return LEAT_OK;
}

/* ---- */

static void put_name(struct leat_bytes *b, const char *name)
{
    char front[SEQUENCE_VINT_BYTES];

    leat_bytes_put(b, front, sequence_vint(front, sizeof PACKAGE - 1 + strlen(name)));
    leat_bytes_put(b, PACKAGE, sizeof PACKAGE - 1);
    leat_bytes_put(b, name, strlen(name));
}

/* The marker is made of what stands in front of it, and not of chance: a batch that is written
 * again gives the same file. */
bool sequence_head_make(const struct sequence *s, struct leat_arena *arena,
                        struct leat_slice *bytes)
{
    struct leat_bytes b = {.arena = arena};
    const char flags[] = {s->compress.index != SEQUENCE_PLAIN,
                          s->compress.index == SEQUENCE_BLOCKS},
               no_pairs[4] = {0};

    leat_bytes_put(&b, MAGIC, MAGIC_BYTES);
    put_name(&b, classes[s->key.index]);
    put_name(&b, classes[s->value.index]);
    leat_bytes_put(&b, flags, sizeof flags);
    if (s->compress.index != SEQUENCE_PLAIN)
        put_name(&b, codecs[s->codec.index].name);
    leat_bytes_put(&b, no_pairs, sizeof no_pairs);
    if (b.failed)
        return false;
    struct leat_slice front = leat_bytes_slice(&b);
    XXH128_canonical_t sync;
    XXH128_canonicalFromHash(&sync, XXH3_128bits(front.ptr, front.len));
    leat_bytes_put(&b, sync.digest, SEQUENCE_SYNC_BYTES);
    *bytes = leat_bytes_slice(&b);
    return !b.failed;
}
