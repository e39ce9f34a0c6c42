/* container_head.c - the header of a container, read and written. */
#include "container.h"
#include "reader.h"

#include <stdio.h>

#define MAGIC       "Obj\1"
#define MAGIC_BYTES 4
#define PAIRS_MAX   10000

/* Of the header's map, in bytes that may end anywhere. */
struct walk {
    struct avro_reader r;
    struct avro_head *head;
    bool has_schema, too_many;
    uint32_t pairs;
    char *unknown; /* the name of a codec that is none of ours */
    size_t unknown_room;
};

static void take_codec(struct walk *w, struct leat_slice name)
{
    for (int i = 0; avro_codecs[i]; i++)
        if (leat_slice_eq(name, leat_slice_str(avro_codecs[i]))) {
            w->head->codec = (enum avro_codec)i;
            w->unknown[0] = 0;
            return;
        }
    size_t n = 0;
    for (; n < name.len && n + 1 < w->unknown_room; n++)
        w->unknown[n] = name.ptr[n] > ' ' && name.ptr[n] <= '~' ? name.ptr[n] : '?';
    snprintf(w->unknown + n, w->unknown_room - n, "%s", n ? "" : "?");
}

static const char *take_pair(struct walk *w, const char *p)
{
    struct leat_slice key, value;

    p = avro_take_text(&w->r, p, &key);
    p = p ? avro_take_text(&w->r, p, &value) : NULL;
    if (!p)
        return NULL;
    if (leat_slice_eq(key, LEAT_LIT("avro.schema"))) {
        w->head->schema = value;
        w->has_schema = true;
    } else if (leat_slice_eq(key, LEAT_LIT("avro.codec"))) {
        take_codec(w, value);
    }
    return p;
}

static const char *take_map(struct walk *w, const char *p)
{
    int64_t count, bytes;

    for (;;) {
        p = avro_take_long(&w->r, p, &count);
        if (!p || count == 0)
            return p;
        if (count < 0)
            p = avro_take_long(&w->r, p, &bytes);
        if (!p)
            return NULL;
        count = count < 0 ? -(count + 1) : count - 1;
        w->too_many = count >= PAIRS_MAX - w->pairs;
        if (w->too_many)
            return avro_fail(&w->r, p, "too many entries");
        w->pairs += (uint32_t)count + 1;
        for (; p && count >= 0; count--)
            p = take_pair(w, p);
        if (!p)
            return NULL;
    }
}

/* Did it fail only because the bytes end here? Then in a number, or before a text does. */
static bool is_cut(const struct walk *w)
{
    struct avro_reader again = {.begin = w->r.at, .end = w->r.end};
    int64_t len;

    if (w->too_many || w->r.at == w->r.end)
        return !w->too_many;
    const char *p = avro_take_long(&again, w->r.at, &len);
    return p && len > w->r.end - p && len <= (int64_t)AVRO_HEAD_BYTES;
}

enum leat_status avro_head_read(struct leat_slice bytes, struct avro_head *head,
                                struct leat_error *err)
{
    char unknown[32] = "";
    struct walk w = {.r = {.begin = bytes.ptr, .end = bytes.ptr + bytes.len},
                     .head = head,
                     .unknown = unknown,
                     .unknown_room = sizeof unknown};
    size_t magic = bytes.len < MAGIC_BYTES ? bytes.len : MAGIC_BYTES;

    *head = (struct avro_head){0};
    if (magic && memcmp(bytes.ptr, MAGIC, magic) != 0)
        return leat_fail(err, LEAT_E_CORRUPT,
                         "no Avro container: it does not begin with \"Obj\" and a byte 1");
    if (bytes.len < MAGIC_BYTES)
        return leat_fail(err, LEAT_E_FULL, "it ends inside the header");
    const char *p = take_map(&w, bytes.ptr + MAGIC_BYTES);
    if (!p && is_cut(&w))
        return leat_fail(err, LEAT_E_FULL, "it ends inside the header");
    if (!p)
        return leat_fail(err, LEAT_E_CORRUPT, "damaged header, at byte %zu: %s",
                         (size_t)(w.r.at - bytes.ptr), w.r.why);
    if (w.r.end - p < AVRO_SYNC_BYTES)
        return leat_fail(err, LEAT_E_FULL, "it ends inside the header");
    memcpy(head->sync, p, AVRO_SYNC_BYTES);
    head->bytes = (size_t)(p - bytes.ptr) + AVRO_SYNC_BYTES;
    if (unknown[0])
        return leat_fail(err, LEAT_E_CORRUPT,
                         "codec '%s' is not one of those that are read: null, deflate, snappy, "
                         "zstandard",
                         unknown);
    return w.has_schema ? LEAT_OK : leat_fail(err, LEAT_E_CORRUPT, "no avro.schema in the header");
}

/* ---- */

static void put_long(struct leat_bytes *b, uint64_t n)
{
    char bytes[AVRO_LONG_BYTES];

    leat_bytes_put(b, bytes, avro_long(bytes, n));
}

static void put_text(struct leat_bytes *b, struct leat_slice text)
{
    put_long(b, text.len);
    leat_bytes_put(b, text.ptr, text.len);
}

/* The marker is made of what stands in front of it, and not of chance: a batch that is written
 * again gives the same file. */
bool avro_head_make(struct leat_slice schema, enum avro_codec codec, struct leat_arena *arena,
                    struct leat_slice *bytes)
{
    struct leat_bytes b = {.arena = arena};

    leat_bytes_put(&b, MAGIC, MAGIC_BYTES);
    put_long(&b, 2);
    put_text(&b, LEAT_LIT("avro.codec"));
    put_text(&b, leat_slice_str(avro_codecs[codec]));
    put_text(&b, LEAT_LIT("avro.schema"));
    put_text(&b, schema);
    put_long(&b, 0);
    for (int half = 0; half < 2; half++)
        leat_bytes_put_u64(&b, avro_fingerprint(leat_bytes_slice(&b)));
    *bytes = leat_bytes_slice(&b);
    return !b.failed;
}
